/*
 * file_posix.c - files of the host: one without a name, space on the disk that nobody else can open and that goes with its descriptor; and
 * files that somebody names.
 * The nameless one is made in TMPDIR, or in /tmp where that names no directory that one can write to. Opening, reading and writing are async-signal-safe.
 */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[512]; /* by the caller's lock */

/* O_TMPFILE is a file that never had a name; not every file system of Linux has it. */
static int open_nameless(const char *folder)
{
#ifdef O_TMPFILE
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
#else
    (void)folder;
    return -1;
#endif
}

static void append_number(char *at, uint64_t number)
{
    for (int digit = 0; digit < 16; digit++, number >>= 4)
        at[digit] = "0123456789abcdef"[number & 15];
    at[16] = '\0';
}

static int open_and_unlink(const char *folder)
{
    static const char name[] = "/ntmm-";
    size_t            length = strlen(folder);
    if (length + sizeof name + 16 > sizeof path)
        return -ENAMETOOLONG;
    memcpy(path, folder, length);
    memcpy(path + length, name, sizeof name);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        append_number(path + length + sizeof name - 1, host_clock_ns() * 100 + attempt);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (fd >= 0) {
            unlink(path);
            return fd;
        }
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return -errno;
}

static int open_in(const char *folder)
{
    int fd = open_nameless(folder);
    return fd >= 0 ? fd : open_and_unlink(folder);
}

int host_file_create(host_file_t *file)
{
    const char *folder = getenv("TMPDIR");
    file->fd = folder != NULL && *folder != '\0' ? open_in(folder) : -1;
    if (file->fd < 0)
        file->fd = open_in("/tmp");
    int status = file->fd < 0 ? file->fd : 0;
    if (status != 0)
        file->fd = -1;
    return status;
}

void host_file_close(host_file_t *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

int host_file_forget_bytes(host_file_t *file) { return file->fd < 0 || ftruncate(file->fd, 0) == 0 ? 0 : -errno; }

int host_file_write(const host_file_t *file, uint64_t offset, const void *from, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t now = pwrite(file->fd, (const char *)from + done, bytes - done, (off_t)(offset + done));
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return now < 0 ? -errno : -EIO;
        done += (size_t)now;
    }
    return 0;
}

int host_file_read(const host_file_t *file, uint64_t offset, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t now = pread(file->fd, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return now < 0 ? -errno : -EIO;
        done += (size_t)now;
    }
    return 0;
}

/* ---- files with a name ---- */

int host_file_open(host_file_t *file, const char *name, bool writable)
{
    file->fd = open(name, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    return file->fd >= 0 ? 0 : -errno;
}

int host_file_open_as(host_file_t *file, const char *name, unsigned how)
{
    bool writes = (how & (HOST_FILE_WRITE | HOST_FILE_CREATE | HOST_FILE_EMPTY)) != 0; /* O_TRUNC is for who may write */
    int  flags = (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC;
    flags |= (how & HOST_FILE_CREATE) != 0 ? O_CREAT : 0;
    flags |= (how & HOST_FILE_NEW) != 0 ? O_EXCL : 0;
    flags |= (how & HOST_FILE_EMPTY) != 0 ? O_TRUNC : 0;
    file->fd = open(name, flags, 0666);
    return file->fd >= 0 ? 0 : -errno;
}

bool host_file_is_there(const char *name) { return access(name, F_OK) == 0; }

int host_file_remove(const char *name) { return unlink(name) == 0 ? 0 : -errno; }

int host_file_duplicate(const host_file_t *file, host_file_t *twin)
{
    twin->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    return twin->fd >= 0 ? 0 : -errno;
}

int host_file_identify(const host_file_t *file, host_file_identity_t *out)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return -errno;
    *out = (host_file_identity_t){ .device = (uint64_t)status.st_dev, .number = (uint64_t)status.st_ino };
    out->bytes = (uint64_t)status.st_size;
    out->is_regular = S_ISREG(status.st_mode);
    return 0;
}

int host_file_set_size(const host_file_t *file, uint64_t bytes)
{
    while (ftruncate(file->fd, (off_t)bytes) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* A lock belongs to the open file, which a duplicate shares. */
bool host_file_is_locked(const host_file_t *file)
{
    if (flock(file->fd, LOCK_SH | LOCK_NB) != 0)
        return errno == EWOULDBLOCK;
    flock(file->fd, LOCK_UN);
    return false;
}
