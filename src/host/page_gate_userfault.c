/*
 * page_gate_userfault.c - the gate by userfaultfd, in the mode in which a fault is a SIGBUS to the thread that took it.
 * No other thread is involved, and no privilege is needed as long as only faults from user mode are asked for; a system call that meets a
 * closed page fails with EFAULT.
 *
 *     a closed page whose bytes are there (minor fault)    UFFDIO_CONTINUE makes the PTE
 *     a closed page without bytes (missing)                UFFDIO_ZEROPAGE, UFFDIO_COPY make bytes and PTE
 *     a write to a page that was opened read only          UFFDIO_WRITEPROTECT makes the PTE writable
 *     close                                                MADV_DONTNEED drops the PTE
 *
 * Nobody waits in the kernel for a page, so nobody is woken (DONTWAKE).
 *
 * Source   Linux: ioctl_userfaultfd(2), userfaultfd(2), admin-guide/mm/userfaultfd. Names that the headers of a Debian 12 lack are defined here.
 */
#include "host/page_gate.h"

#include <errno.h>

#ifdef __linux__
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_PAGEFAULT_FLAG_WP (UINT64_C(1) << 0)
#define FEATURE_MISSING_SHMEM (UINT64_C(1) << 5)
#define FEATURE_SIGBUS (UINT64_C(1) << 7)
#define FEATURE_MINOR_SHMEM (UINT64_C(1) << 10)
#define FEATURE_EXACT_ADDRESS (UINT64_C(1) << 11)
#define FEATURE_WP_HUGETLBFS_SHMEM (UINT64_C(1) << 12)
#define FEATURES \
    (FEATURE_PAGEFAULT_FLAG_WP | FEATURE_MISSING_SHMEM | FEATURE_SIGBUS | FEATURE_MINOR_SHMEM | FEATURE_EXACT_ADDRESS | \
     FEATURE_WP_HUGETLBFS_SHMEM)
#define REGISTER_MODE_MISSING (UINT64_C(1) << 0)
#define REGISTER_MODE_WP (UINT64_C(1) << 1)
#define REGISTER_MODE_MINOR (UINT64_C(1) << 2)
#define MODE_DONTWAKE UINT64_C(1) /* of UFFDIO_CONTINUE, _ZEROPAGE and _COPY */
#define MODE_WP UINT64_C(2)       /* of UFFDIO_CONTINUE (Linux 6.4) and UFFDIO_COPY: the page is opened write-protected */

#if defined(UFFDIO_CONTINUE) && defined(UFFDIO_WRITEPROTECT)

/* What the four ioctls that make PTEs have in common: a range, a mode, and how far they came. */
typedef struct step {
    int64_t done; /* bytes; negative: an error before the first page */
    int     error;
} step_t;

static step_t step_of(int result, int64_t done) { return (step_t){ done, result == 0 ? 0 : errno }; }

static step_t proceed(const host_gate_t *gate, size_t at, size_t bytes, bool writable)
{
    struct uffdio_continue arguments = { .range = { (uintptr_t)gate->base + at, bytes }, .mode = MODE_DONTWAKE | (writable ? 0 : MODE_WP) };
    int                    result = ioctl(gate->fd, UFFDIO_CONTINUE, &arguments);
    return step_of(result, arguments.mapped);
}

static step_t make_zero(const host_gate_t *gate, size_t at, size_t bytes)
{
    struct uffdio_zeropage arguments = { .range = { (uintptr_t)gate->base + at, bytes }, .mode = MODE_DONTWAKE };
    int                    result = ioctl(gate->fd, UFFDIO_ZEROPAGE, &arguments);
    return step_of(result, arguments.zeropage);
}

static step_t make_copy(const host_gate_t *gate, size_t at, size_t bytes, const char *from, bool writable)
{
    struct uffdio_copy arguments = {
        .dst = (uintptr_t)gate->base + at, .src = (uintptr_t)from, .len = bytes, .mode = MODE_DONTWAKE | (writable ? 0 : MODE_WP)
    };
    int result = ioctl(gate->fd, UFFDIO_COPY, &arguments);
    return step_of(result, arguments.copy);
}

/* How far a call came; 0 with *error set: it did nothing. EAGAIN: it was interrupted, and may be asked again. */
static size_t progress(step_t step, int *error)
{
    *error = step.error;
    return step.done > 0 ? (size_t)step.done : 0;
}

int host_userfault_allow_writes(host_gate_t *gate, size_t at, size_t bytes)
{
    struct uffdio_writeprotect arguments = { .range = { (uintptr_t)gate->base + at, bytes }, .mode = 0 };
    int                        result;
    do
        result = ioctl(gate->fd, UFFDIO_WRITEPROTECT, &arguments);
    while (result != 0 && errno == EAGAIN);
    return result == 0 ? 0 : -errno;
}

int host_userfault_open(host_gate_t *gate, size_t at, size_t bytes, bool writable)
{
    bool all_were_open = true;
    for (size_t end = at + bytes; at < end;) {
        int    error;
        size_t done = progress(proceed(gate, at, end - at, writable), &error);
        all_were_open = all_were_open && done == 0;
        at += done;
        if (done != 0 || error == EAGAIN)
            continue;
        if (error != EEXIST)
            return -error;
        if (writable) /* open already, perhaps for reading only */
            host_userfault_allow_writes(gate, at, host_page_size());
        at += host_page_size();
    }
    return all_were_open;
}

int host_userfault_open_zero(host_gate_t *gate, size_t at, size_t bytes)
{
    bool all_were_open = true;
    for (size_t end = at + bytes; at < end;) {
        int    error;
        size_t done = progress(make_zero(gate, at, end - at), &error);
        all_were_open = all_were_open && done == 0;
        at += done;
        if (done != 0 || error == EAGAIN)
            continue;
        if (error != EEXIST)
            return -error;
        int status = host_userfault_open(gate, at, host_page_size(), true); /* the object holds zeros for it already */
        if (status < 0)
            return status;
        all_were_open = all_were_open && status == 1;
        at += host_page_size();
    }
    return all_were_open;
}

int host_userfault_open_copy(host_gate_t *gate, size_t at, size_t bytes, const void *from, bool writable)
{
    const char *bytes_from = from;
    for (size_t end = at + bytes; at < end;) {
        int    error;
        size_t done = progress(make_copy(gate, at, end - at, bytes_from, writable), &error);
        at += done;
        bytes_from += done;
        if (done != 0 || error == EAGAIN)
            continue;
        if (error != EEXIST)
            return -error;
        __builtin_memcpy(gate->alias + at, bytes_from, host_page_size()); /* the object holds something for it after all */
        int status = host_userfault_open(gate, at, host_page_size(), writable);
        if (status < 0)
            return status;
        at += host_page_size();
        bytes_from += host_page_size();
    }
    return 0;
}

static bool try_write_protected(host_gate_t *gate)
{
    size_t page = host_page_size();
    gate->alias[0] = 0; /* so that there is something to open read only: Linux before 6.4 cannot */
    step_t step = proceed(gate, 0, page, false);
    host_gate_close(gate, 0, page);
    return step.error == 0;
}

int host_userfault_watch(const host_gate_t *gate, size_t at, size_t bytes)
{
    struct uffdio_register part = { .range = { (uintptr_t)gate->base + at, bytes },
                                    .mode = REGISTER_MODE_MISSING | REGISTER_MODE_WP | REGISTER_MODE_MINOR };
    return ioctl(gate->fd, UFFDIO_REGISTER, &part) == 0 ? 0 : -errno;
}

int host_userfault_start(host_gate_t *gate)
{
    gate->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (gate->fd < 0)
        return -ENOTSUP;
    struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };
    if (ioctl(gate->fd, UFFDIO_API, &api) == 0 && (api.features & FEATURES) == FEATURES &&
        host_userfault_watch(gate, 0, gate->bytes) == 0 && try_write_protected(gate))
        return 0;
    host_userfault_stop(gate);
    return -ENOTSUP;
}

void host_userfault_stop(host_gate_t *gate)
{
    if (gate->fd >= 0)
        close(gate->fd); /* the range is no longer registered */
    gate->fd = -1;
}

#define HAVE_USERFAULT 1
#endif
#endif

#ifndef HAVE_USERFAULT
int host_userfault_start(host_gate_t *gate)
{
    (void)gate;
    return -ENOTSUP;
}

int host_userfault_watch(const host_gate_t *gate, size_t at, size_t bytes)
{
    (void)gate, (void)at, (void)bytes;
    return -ENOTSUP;
}

/* Never called: no gate is of this kind. */
void host_userfault_stop(host_gate_t *gate) { (void)gate; }
int  host_userfault_open(host_gate_t *gate, size_t at, size_t bytes, bool writable)
{
    (void)gate, (void)at, (void)bytes, (void)writable;
    return -ENOTSUP;
}
int host_userfault_open_zero(host_gate_t *gate, size_t at, size_t bytes) { return host_userfault_open(gate, at, bytes, true); }
int host_userfault_open_copy(host_gate_t *gate, size_t at, size_t bytes, const void *from, bool writable)
{
    (void)from;
    return host_userfault_open(gate, at, bytes, writable);
}
int host_userfault_allow_writes(host_gate_t *gate, size_t at, size_t bytes) { return host_userfault_open(gate, at, bytes, true); }
#endif
