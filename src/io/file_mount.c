/*
 * file_mount.c - folders of the host that a test has lent, and the files in them.
 *
 *     ntmm_files_mount("\\??\\C:", "/tmp/disk")      \??\C:\folder\file, and \DosDevices\C:\folder\file, are /tmp/disk/folder/file
 *
 * Locks       mounts_lock (leaf).
 * Fidelity    no directories, no sharing, no attributes: a file is its bytes. Names are ASCII, in the host's letter case.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "io/file.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define HOST_PATH_MAX 1024

typedef struct mount {
    struct mount *next;
    char          name[256], folder[HOST_PATH_MAX / 2];
} mount_t;

static ke_lock_t mounts_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static mount_t  *mounts; /* newest first */

void io_mounts_reset(void)
{
    ke_lock_init(&mounts_lock, KE_RANK_LEAF);
    while (mounts != NULL) {
        mount_t *first = mounts;
        mounts = first->next;
        free(first);
    }
}

int ntmm_files_mount(const char *name, const char *folder)
{
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    mount_t *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        return ke_error(-ENOMEM, "%s: the host has no memory", __func__);
    if (name[0] != '\\' || strlen(name) >= sizeof fresh->name || strlen(folder) >= sizeof fresh->folder) {
        free(fresh);
        return ke_error(-EINVAL, "%s: `%s` is no name of a volume, as in \\??\\C:, or too long", __func__, name);
    }
    memcpy(fresh->name, name, strlen(name));
    memcpy(fresh->folder, folder, strlen(folder));
    ke_lock(&mounts_lock);
    fresh->next = mounts;
    mounts = fresh;
    ke_unlock(&mounts_lock);
    return 0;
}

/* `rest` as a path below the folder. False: it is too long, leads out of the folder, or has characters that are not ASCII. */
static bool host_path(const char *folder, PCUNICODE_STRING name, size_t skip, char *path)
{
    size_t at = strlen(folder), count = name->Length / sizeof(WCHAR);
    memcpy(path, folder, at);
    for (size_t i = skip; i < count; i++) {
        WCHAR c = name->Buffer[i];
        if (c >= 0x80 || c == '/' || at + 1 >= HOST_PATH_MAX)
            return false;
        path[at++] = (char)(c == '\\' ? '/' : c);
    }
    path[at] = '\0';
    return strstr(path + strlen(folder), "/..") == NULL;
}

/* False: no folder has that name. */
static bool find_host_path(PCUNICODE_STRING name, char *path, NTSTATUS *status)
{
    static const char OTHER[] = "\\DosDevices\\", ONE[] = "\\??\\";
    bool              found = false;
    UNICODE_STRING    plain = *name;
    size_t            shift = io_name_begins_with(name, OTHER) ? sizeof OTHER - sizeof ONE : 0; /* \DosDevices\C: is \??\C: */
    ke_lock(&mounts_lock);
    for (const mount_t *mount = mounts; mount != NULL && !found; mount = mount->next) {
        const char *text = mount->name;
        size_t      length = strlen(text), skip = length + shift;
        if (shift != 0 && strncmp(text, ONE, sizeof ONE - 1) != 0)
            continue;
        plain.Buffer = name->Buffer + (shift != 0 ? sizeof OTHER - 1 : 0);
        plain.Length = (USHORT)(name->Length - (shift != 0 ? sizeof OTHER - 1 : 0) * sizeof(WCHAR));
        if (!io_name_begins_with(&plain, shift != 0 ? text + sizeof ONE - 1 : text))
            continue;
        if (skip != name->Length / sizeof(WCHAR) && name->Buffer[skip] != '\\')
            continue;
        found = true;
        *status = host_path(mount->folder, name, skip, path) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
    }
    ke_unlock(&mounts_lock);
    return found;
}

NTSTATUS io_status_of_errno(int error)
{
    switch (-error) {
    case 0: return STATUS_SUCCESS;
    case ENOENT: return STATUS_OBJECT_NAME_NOT_FOUND;
    case ENOTDIR: return STATUS_OBJECT_PATH_NOT_FOUND;
    case EEXIST: return STATUS_OBJECT_NAME_COLLISION;
    case EISDIR: return STATUS_FILE_IS_A_DIRECTORY;
    case EACCES:
    case EPERM:
    case EROFS: return STATUS_ACCESS_DENIED;
    case ENOSPC: return STATUS_DISK_FULL;
    default: return STATUS_INSUFFICIENT_RESOURCES;
    }
}

static NTSTATUS open_at(const char *path, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block)
{
    unsigned how =
        (want->access & (FILE_WRITE_DATA | FILE_APPEND_DATA | GENERIC_WRITE | GENERIC_ALL | MAXIMUM_ALLOWED)) != 0 ? HOST_FILE_WRITE : 0;
    ULONG d = want->disposition;
    bool  makes = d != FILE_OPEN && d != FILE_OVERWRITE, empties = d != FILE_OPEN && d != FILE_OPEN_IF && d != FILE_CREATE;
    bool  there = host_file_is_there(path);
    if (d > FILE_MAXIMUM_DISPOSITION)
        return STATUS_INVALID_PARAMETER;
    how |= (makes ? HOST_FILE_CREATE : 0u) | (empties ? HOST_FILE_EMPTY : 0u) | (d == FILE_CREATE ? HOST_FILE_NEW : 0u);
    int error = io_file_open_host(path, how, file);
    if (error != 0)
        return io_status_of_errno(error);
    if (!there)
        block->Information = FILE_CREATED;
    else
        block->Information = d == FILE_SUPERSEDE ? FILE_SUPERSEDED : empties ? FILE_OVERWRITTEN : FILE_OPENED;
    return STATUS_SUCCESS;
}

NTSTATUS io_mount_open(PCUNICODE_STRING name, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block, bool *mounted)
{
    char     path[HOST_PATH_MAX];
    NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
    *mounted = find_host_path(name, path, &status);
    return *mounted && NT_SUCCESS(status) ? open_at(path, want, file, block) : status;
}
