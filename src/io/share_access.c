/*
 * share_access.c - who has a file open, and what he lets others do.
 * A driver keeps one SHARE_ACCESS a file. Somebody who wants to read is refused when any of those who have it open does not share reading, that
 * is, when fewer share it than have it open; and somebody who does not share reading is refused when anybody reads.
 *
 * Locks       none: the driver has one of its own around these calls.
 * Source      WDK reference: wdm.h, IoCheckShareAccess, IoSetShareAccess, IoUpdateShareAccess, IoRemoveShareAccess.
 */
#include <stdbool.h>

#include <ntddk.h>

#include "ke/bugcheck.h"

static bool note_access(PFILE_OBJECT file, ACCESS_MASK access, ULONG share)
{
    file->ReadAccess = (access & (FILE_EXECUTE | FILE_READ_DATA)) != 0;
    file->WriteAccess = (access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    file->DeleteAccess = (access & DELETE) != 0;
    bool any = file->ReadAccess || file->WriteAccess || file->DeleteAccess;
    file->SharedRead = any && (share & FILE_SHARE_READ) != 0;
    file->SharedWrite = any && (share & FILE_SHARE_WRITE) != 0;
    file->SharedDelete = any && (share & FILE_SHARE_DELETE) != 0;
    return any;
}

static bool is_counted(const FILE_OBJECT *file) { return file->ReadAccess || file->WriteAccess || file->DeleteAccess; }

static void count(const FILE_OBJECT *file, PSHARE_ACCESS all, ULONG one) /* one: 1, or ~0 to take it back */
{
    all->OpenCount += one;
    all->Readers += file->ReadAccess ? one : 0;
    all->Writers += file->WriteAccess ? one : 0;
    all->Deleters += file->DeleteAccess ? one : 0;
    all->SharedRead += file->SharedRead ? one : 0;
    all->SharedWrite += file->SharedWrite ? one : 0;
    all->SharedDelete += file->SharedDelete ? one : 0;
}

/* One kind of access: wanted by the new one, shared by him; those who have it, and who share it. */
static bool conflicts(BOOLEAN wants, BOOLEAN shares, ULONG have_it, ULONG share_it, ULONG opens)
{
    return (wants && share_it < opens) || (!shares && have_it != 0);
}

VOID IoSetShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *ShareAccess = (SHARE_ACCESS){ 0 };
    if (note_access(FileObject, DesiredAccess, DesiredShareAccess))
        count(FileObject, ShareAccess, 1);
}

NTSTATUS IoCheckShareAccess(ACCESS_MASK DesiredAccess, ULONG DesiredShareAccess, PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess,
                            BOOLEAN Update)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    const SHARE_ACCESS *all = ShareAccess;
    if (!note_access(FileObject, DesiredAccess, DesiredShareAccess))
        return STATUS_SUCCESS;
    if (conflicts(FileObject->ReadAccess, FileObject->SharedRead, all->Readers, all->SharedRead, all->OpenCount) ||
        conflicts(FileObject->WriteAccess, FileObject->SharedWrite, all->Writers, all->SharedWrite, all->OpenCount) ||
        conflicts(FileObject->DeleteAccess, FileObject->SharedDelete, all->Deleters, all->SharedDelete, all->OpenCount))
        return STATUS_SHARING_VIOLATION;
    if (Update)
        count(FileObject, ShareAccess, 1);
    return STATUS_SUCCESS;
}

VOID IoUpdateShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (is_counted(FileObject))
        count(FileObject, ShareAccess, 1);
}

VOID IoRemoveShareAccess(PFILE_OBJECT FileObject, PSHARE_ACCESS ShareAccess)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (is_counted(FileObject))
        count(FileObject, ShareAccess, ~0u);
}
