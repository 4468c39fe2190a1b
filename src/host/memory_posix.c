/*
 * memory_posix.c - bytes and addresses: a shared memory object, reservations, and mappings of the one into the other.
 *
 *     reservation   |........|==== map ====|.....|= map =|........|      '.' faults when touched (PROT_NONE, no memory behind it)
 *                                 |                  |
 *     object        [======================================]             two maps of the same offset show the same bytes
 *
 *     host_reserve -> host_map_object <-> host_protect -> host_unmap (a bare reservation again) -> host_release
 *
 * The object has no name that another process could open: memfd_create, or shm_open followed at once by shm_unlink. It lives until the
 * last mapping and the descriptor are gone, so a crash leaves nothing behind.
 *
 * Units       bytes; multiples of host_page_size().
 * Invariants  a mapping is only ever placed over a range that host_reserve returned, so MAP_FIXED never lands on somebody else's memory.
 * Elsewhere   what happens when a reservation is touched: fault_posix.c.
 */
#include "host/fallback.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include "host/mach.h"
#endif

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

enum { ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };

size_t host_page_size(void)
{
    static _Atomic size_t page_bytes;
    size_t                bytes = atomic_load_explicit(&page_bytes, memory_order_relaxed);
    if (NTMM_UNLIKELY(bytes == 0)) {
        bytes = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&page_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

/* ---- the memory object ---- */

/* A name nobody else has, used for the instant between shm_open and shm_unlink. macOS allows 31 characters. */
static int open_shm(void)
{
    static _Atomic unsigned serial;
    char                    name[32];
    for (int attempt = 0; attempt < 100; attempt++) {
        unsigned number = atomic_fetch_add(&serial, 1) ^ (unsigned)host_clock_ns();
        snprintf(name, sizeof name, "/ntmm.%x.%x", (unsigned)getpid(), number);
        int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
        if (fd >= 0) {
            shm_unlink(name);
            return fd;
        }
        if (errno != EEXIST && errno != EINTR)
            return -errno;
    }
    return -EEXIST;
}

static int open_best(void)
{
#ifdef __linux__
    int fd = memfd_create("ntmm", MFD_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno != ENOSYS && errno != EPERM && errno != EACCES)
        return -errno;
#endif
    return open_shm();
}

static int set_length(int fd, uint64_t bytes)
{
    while (ftruncate(fd, (off_t)bytes) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

int host_object_create(host_object_t *object, uint64_t bytes, enum host_object_kind kind)
{
    *object = (host_object_t){ .fd = -1 };
    if (bytes == 0 || bytes > INT64_MAX)
        return -EINVAL;
    int fd = kind == HOST_OBJECT_SHM ? open_shm() : open_best();
    if (fd < 0)
        return fd;
    int error = set_length(fd, bytes);
    if (error != 0) {
        close(fd);
        return error;
    }
    *object = (host_object_t){ .fd = fd, .bytes = bytes };
    return 0;
}

void host_object_close(host_object_t *object)
{
    if (object->fd >= 0)
        close(object->fd);
    *object = (host_object_t){ .fd = -1 };
}

/* Where the host cannot punch holes in an object the bytes are at least zero; their memory stays with us. */
int host_discard_by_writing(const host_object_t *object, uint64_t offset, uint64_t bytes)
{
    const uint64_t window = 4u << 20;
    while (bytes != 0) {
        size_t part = (size_t)(bytes < window ? bytes : window);
        void  *view = mmap(NULL, part, PROT_READ | PROT_WRITE, MAP_SHARED, object->fd, (off_t)offset);
        if (view == MAP_FAILED)
            return -errno;
        memset(view, 0, part);
        munmap(view, part);
        offset += part;
        bytes -= part;
    }
    return 0;
}

int host_object_discard(host_object_t *object, uint64_t offset, uint64_t bytes)
{
    if (offset > object->bytes || bytes > object->bytes - offset)
        return -EINVAL;
    if (bytes == 0)
        return 0;
#ifdef __linux__
    int result;
    do
        result = fallocate(object->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -errno;
#endif
    return host_discard_by_writing(object, offset, bytes);
}

/* ---- address space ---- */

void *host_reserve(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_NONE, ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

void *host_reserve_aligned(size_t bytes, size_t align)
{
    char *at = host_reserve(bytes + align);
    if (at == NULL)
        return NULL;
    size_t before = (align - (uintptr_t)at % align) % align;
    if (before != 0)
        munmap(at, before);
    munmap(at + before + bytes, align - before);
    return at + before;
}

/* Without MAP_FIXED the address is a wish, granted where nothing is yet. */
void *host_reserve_at(void *hint, size_t bytes)
{
    void *at = mmap(hint, bytes, PROT_NONE, ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    if (at == hint)
        return at;
    munmap(at, bytes);
    return NULL;
}

void host_release(void *address, size_t bytes)
{
    if (address != NULL)
        NTMM_INVARIANT(munmap(address, bytes) == 0, "a reservation is released once, with the size it was made with");
}

static int protection(unsigned access)
{
    return (access & HOST_READ ? PROT_READ : 0) | (access & HOST_WRITE ? PROT_WRITE : 0) | (access & HOST_EXECUTE ? PROT_EXEC : 0);
}

int host_map_object(void *at, const host_object_t *object, uint64_t offset, size_t bytes, unsigned access)
{
    void *got = mmap(at, bytes, protection(access), MAP_SHARED | MAP_FIXED, object->fd, (off_t)offset);
    return got == MAP_FAILED ? -errno : 0;
}

int host_map_private(void *at, size_t bytes)
{
    void *got = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return got == MAP_FAILED ? -errno : 0;
}

int host_unmap(void *at, size_t bytes) { return mmap(at, bytes, PROT_NONE, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -errno : 0; }

int host_protect(void *at, size_t bytes, unsigned access) { return mprotect(at, bytes, protection(access)) == 0 ? 0 : -errno; }

void host_expect_writes(void *at, size_t bytes)
{
#ifdef MADV_POPULATE_WRITE /* refused by Linux before 5.14: then each page comes at its first touch */
    (void)madvise(at, bytes, MADV_POPULATE_WRITE);
#else
    (void)at;
    (void)bytes;
#endif
}

/* ---- large pages ---- */

#if defined(__linux__) && !defined(MADV_COLLAPSE)
#define MADV_COLLAPSE 25 /* Linux 6.1; refused before */
#endif

#ifdef __linux__
static size_t read_large_page_bytes(void)
{
    char          text[32] = "";
    int           fd = open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", O_RDONLY | O_CLOEXEC);
    ssize_t       length = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    unsigned long bytes = length > 0 ? strtoul(text, NULL, 10) : 0;
    if (fd >= 0)
        close(fd);
    return bytes <= HOST_LARGE_PAGE_MOST ? bytes : 0;
}

size_t host_large_page_bytes(void)
{
    static _Atomic size_t known = 1; /* not asked yet; not worth a read of a file at every boot */
    size_t                bytes = atomic_load_explicit(&known, memory_order_relaxed);
    if (bytes == 1) {
        bytes = read_large_page_bytes();
        atomic_store_explicit(&known, bytes, memory_order_relaxed);
    }
    return bytes;
}

/* The host joins what is there, and the rest comes as zeros with it; but something must be there. */
bool host_expect_writes_large(void *page)
{
    size_t bytes = host_large_page_bytes();
    if (bytes == 0)
        return false;
    host_expect_writes(page, host_page_size());
    return madvise(page, bytes, MADV_COLLAPSE) == 0;
}
#else
size_t host_large_page_bytes(void) { return 0; }
bool host_expect_writes_large(void *page)
{
    (void)page;
    return false;
}
#endif

/* ---- tables ---- */

void *host_tables(size_t bytes)
{
    void *tables = mmap(NULL, bytes, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
    if (tables == MAP_FAILED)
        return NULL;
#ifdef MADV_NOHUGEPAGE /* a sparse table must not cost 2 MiB at its first byte */
    (void)madvise(tables, bytes, MADV_NOHUGEPAGE);
#endif
    return tables;
}

int host_tables_clear(void *tables, size_t bytes)
{
#ifdef __linux__
    return madvise(tables, bytes, MADV_DONTNEED) == 0 ? 0 : -errno; /* on private anonymous memory: zeros at the next touch */
#else
    return mmap(tables, bytes, PROT_READ | PROT_WRITE, ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED ? -errno : 0;
#endif
}

/* ---- what the process uses, and may use ---- */

#ifdef __linux__
/* The number at position `field` (0 is the first) of a one-line file under /proc; 0 when it cannot be read. */
static uint64_t read_proc_number(const char *path, unsigned field)
{
    char text[256];
    int  fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    char    *at = text;
    uint64_t number = 0;
    for (unsigned i = 0; i <= field; i++)
        number = strtoull(at, &at, 10);
    return number;
}

uint64_t host_resident_bytes(void) { return read_proc_number("/proc/self/statm", 1) * host_page_size(); }

size_t host_mapping_limit(void)
{
    uint64_t limit = read_proc_number("/proc/sys/vm/max_map_count", 0);
    return limit != 0 ? (size_t)limit : 65530; /* the kernel's default */
}
#elif defined(__APPLE__)
uint64_t host_resident_bytes(void)
{
    mach_task_basic_info_data_t info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count) != KERN_SUCCESS)
        return 0;
    return info.resident_size;
}

size_t host_mapping_limit(void) { return SIZE_MAX; } /* bounded by memory only */
#else
uint64_t host_resident_bytes(void) { return 0; }
size_t   host_mapping_limit(void) { return SIZE_MAX; }
#endif
