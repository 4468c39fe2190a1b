/*
 * copy_safely.c - read or write memory that may not be there, without ever taking a fault.
 * The kernel is asked to copy: it answers with an error where a load or store of ours would fault. That needs no handler, no machine and
 * no thread state, works inside a signal handler, and finds a pageable page that is not resident as unreadable as it is.
 *
 *     Linux   process_vm_readv on ourselves; through a pipe where a sandbox forbids it
 *     macOS   vm_read_overwrite
 *
 * The copy is cut into pieces that cross no page boundary on either side: a piece is copied entirely or not at all.
 */
#include "host/fallback.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <sys/uio.h>
#elif defined(__APPLE__)
#include "host/mach.h"
#endif

static size_t to_page_end(uintptr_t address) { return host_page_size() - (address & (host_page_size() - 1)); }

static size_t piece_bytes(uintptr_t to, uintptr_t from, size_t bytes)
{
    size_t piece = bytes;
    if (piece > to_page_end(to))
        piece = to_page_end(to);
    if (piece > to_page_end(from))
        piece = to_page_end(from);
    return piece;
}

#ifdef __linux__

enum { PIECES_PER_CALL = 64 };

/* Bytes copied by one call; negative errno when none could be. */
static ssize_t copy_by_process(uintptr_t to, uintptr_t from, size_t bytes)
{
    struct iovec local[PIECES_PER_CALL], remote[PIECES_PER_CALL];
    unsigned     count = 0;
    for (; count < PIECES_PER_CALL && bytes != 0; count++) {
        size_t piece = piece_bytes(to, from, bytes);
        local[count] = (struct iovec){ (void *)to, piece };
        remote[count] = (struct iovec){ (void *)from, piece };
        to += piece;
        from += piece;
        bytes -= piece;
    }
    ssize_t got = syscall(SYS_process_vm_readv, (long)getpid(), local, (unsigned long)count, remote, (unsigned long)count, 0ul);
    return got >= 0 ? got : -errno;
}

/* One piece through a pipe, which holds at least a page. The system calls are made directly: a sanitizer's wrapper would look at the
 * buffer before the kernel does. */
static size_t copy_by_pipe(const int pipe_ends[2], uintptr_t to, uintptr_t from, size_t piece)
{
    long got, written = syscall(SYS_write, pipe_ends[1], from, piece);
    if (written <= 0)
        return 0;
    got = syscall(SYS_read, pipe_ends[0], to, written);
    return got > 0 ? (size_t)got : 0;
}

size_t host_copy_through_pipe(void *to, const void *from, size_t bytes)
{
    int    ends[2];
    size_t done = 0, got = 1;
    if (syscall(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return 0;
    for (; done < bytes && got != 0; done += got)
        got = copy_by_pipe(ends, (uintptr_t)to + done, (uintptr_t)from + done,
                           piece_bytes((uintptr_t)to + done, (uintptr_t)from + done, bytes - done));
    close(ends[0]);
    close(ends[1]);
    return done;
}

static size_t copy(void *to, const void *from, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = copy_by_process((uintptr_t)to + done, (uintptr_t)from + done, bytes - done);
        if (got == -EPERM || got == -ENOSYS)
            return done + host_copy_through_pipe((char *)to + done, (const char *)from + done, bytes - done);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return done;
}

#elif defined(__APPLE__)

static size_t copy(void *to, const void *from, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        uintptr_t target = (uintptr_t)to + done, source = (uintptr_t)from + done;
        size_t    piece = piece_bytes(target, source, bytes - done);
        vm_size_t got = 0;
        if (vm_read_overwrite(mach_task_self(), source, piece, target, &got) != KERN_SUCCESS || got != piece)
            break;
        done += piece;
    }
    return done;
}

#endif

size_t host_copy_safely(void *to, const void *from, size_t bytes)
{
    int    saved_errno = errno;
    size_t done = copy(to, from, bytes);
    errno = saved_errno;
    return done;
}
