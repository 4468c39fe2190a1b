/*
 * zw_file.c - ZwCreateFile and what can be done with its handle: requests to the drivers of a device, or to a file of the host.
 *
 *     \??\Adder\x            io_device_by_name         an IRP for each call
 *     \??\C:\folder\file     a folder that a test has lent, and what of the name is left: bytes of the host's file
 *
 * Locks       mounts_lock (leaf) for which folders are lent. Buffers that may be pageable are never handed to the host.
 * Source      WDK reference: the pages of these routines; "Using files in a driver".
 * Fidelity    no directories, no sharing, no attributes, no relative names: a file is its bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/handle.h"
#include "io/device_name.h"
#include "io/file.h"
#include "io/host_name.h"
#include "io/irp.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/lock.h"

#define TAG_BUFFER NTMM_TAG("IoZw")
#define HOST_PATH_MAX 1024

/* ---- folders of the host ---- */

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

/* STATUS_OBJECT_NAME_NOT_FOUND: no folder has that name. */
static NTSTATUS find_host_path(PCUNICODE_STRING name, char *path)
{
    static const char OTHER[] = "\\DosDevices\\", ONE[] = "\\??\\";
    NTSTATUS          status = STATUS_OBJECT_NAME_NOT_FOUND;
    UNICODE_STRING    plain = *name;
    size_t            shift = io_name_begins_with(name, OTHER) ? sizeof OTHER - sizeof ONE : 0; /* \DosDevices\C: is \??\C: */
    ke_lock(&mounts_lock);
    for (const mount_t *mount = mounts; mount != NULL && status == STATUS_OBJECT_NAME_NOT_FOUND; mount = mount->next) {
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
        status = host_path(mount->folder, name, skip, path) ? STATUS_SUCCESS : STATUS_OBJECT_NAME_INVALID;
    }
    ke_unlock(&mounts_lock);
    return status;
}

static NTSTATUS status_of_errno(int error)
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

static NTSTATUS open_host_file(const char *path, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block)
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
        return status_of_errno(error);
    if (!there)
        block->Information = FILE_CREATED;
    else
        block->Information = d == FILE_SUPERSEDE ? FILE_SUPERSEDED : empties ? FILE_OVERWRITTEN : FILE_OPENED;
    return STATUS_SUCCESS;
}

/* ---- opening ---- */

static NTSTATUS open_by_name(PCUNICODE_STRING name, const io_open_want_t *want, io_file_t **file, IO_STATUS_BLOCK *block)
{
    char           path[HOST_PATH_MAX];
    PDEVICE_OBJECT device;
    UNICODE_STRING rest;
    NTSTATUS       status = find_host_path(name, path);
    *file = NULL;
    if (NT_SUCCESS(status))
        return open_host_file(path, want, file, block);
    if (status != STATUS_OBJECT_NAME_NOT_FOUND)
        return status;
    status = io_device_by_name(name, &device, &rest);
    return NT_SUCCESS(status) ? io_file_open_device(device, &rest, want, file, block) : status;
}

static void set_options(io_file_t *file, const io_open_want_t *want)
{
    if ((want->options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0)
        file->object.Flags |= FO_SYNCHRONOUS_IO;
    if ((want->options & FILE_DELETE_ON_CLOSE) != 0)
        file->object.DeletePending = TRUE;
}

static NTSTATUS open_handle(POBJECT_ATTRIBUTES attributes, const io_open_want_t *want, HANDLE *handle, PIO_STATUS_BLOCK out)
{
    IO_STATUS_BLOCK block = { .Information = 0 };
    UNICODE_STRING  name;
    io_file_t      *file;
    *handle = NULL;
    if (attributes == NULL || attributes->Length != sizeof *attributes || attributes->ObjectName == NULL)
        return STATUS_INVALID_PARAMETER;
    if (attributes->RootDirectory != NULL)
        return STATUS_NOT_SUPPORTED;
    NTSTATUS status = io_host_name(attributes->ObjectName, &name);
    if (!NT_SUCCESS(status))
        return status;
    status = open_by_name(&name, want, &file, &block);
    io_host_name_free(&name);
    if (NT_SUCCESS(status) && file->host != NULL)
        set_options(file, want);
    if (NT_SUCCESS(status)) {
        status = ex_handle_open(file, want->access, attributes->Attributes, handle);
        if (!NT_SUCCESS(status))
            io_file_clean_up(file);
        (void)ex_object_dereference("ZwCreateFile", file); /* the handle keeps it */
    }
    block.Status = status;
    *out = block;
    return status;
}

NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                      PLARGE_INTEGER AllocationSize, ULONG FileAttributes, ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions,
                      PVOID EaBuffer, ULONG EaLength)
{
    const io_open_want_t want = { .access = DesiredAccess,
                                  .disposition = CreateDisposition,
                                  .options = CreateOptions,
                                  .attributes = FileAttributes,
                                  .share = ShareAccess,
                                  .ea = EaBuffer,
                                  .ea_bytes = EaLength };
    (void)AllocationSize;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *FileHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return open_handle(ObjectAttributes, &want, FileHandle, IoStatusBlock);
}

NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PIO_STATUS_BLOCK IoStatusBlock,
                    ULONG ShareAccess, ULONG OpenOptions)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwCreateFile(FileHandle, DesiredAccess, ObjectAttributes, IoStatusBlock, NULL, 0, ShareAccess, FILE_OPEN, OpenOptions, NULL, 0);
}

/* ---- what all requests share ---- */

typedef struct request {
    io_file_t *file;
    PKEVENT    event; /* NULL: none is to be set */
} request_t;

static NTSTATUS begin(request_t *request, HANDLE handle, HANDLE event, PIO_APC_ROUTINE routine)
{
    void *file = NULL, *object = NULL;
    if (routine != NULL)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = ex_handle_reference(handle, 0, &io_file_type, KernelMode, &file, NULL);
    if (NT_SUCCESS(status) && event != NULL) {
        status = ex_handle_reference(event, 0, *ExEventObjectType, KernelMode, &object, NULL);
        if (!NT_SUCCESS(status))
            (void)ex_object_dereference("ZwReadFile", file);
    }
    *request = (request_t){ .file = file, .event = object };
    if (NT_SUCCESS(status) && object != NULL)
        KeClearEvent(object);
    return status;
}

static NTSTATUS end(request_t *request, NTSTATUS status, ULONG_PTR information, PIO_STATUS_BLOCK out)
{
    out->Status = status;
    out->Information = information;
    if (request->event != NULL) {
        KeSetEvent(request->event, IO_NO_INCREMENT, FALSE);
        (void)ex_object_dereference("ZwReadFile", request->event);
    }
    (void)ex_object_dereference("ZwReadFile", request->file);
    return status;
}

static bool is_synchronous(const io_file_t *file) { return (file->object.Flags & FO_SYNCHRONOUS_IO) != 0; }

/* Where it begins; STATUS_INVALID_PARAMETER: nobody says. */
static NTSTATUS offset_of(const io_file_t *file, const LARGE_INTEGER *asked, uint64_t *offset)
{
    bool here = asked == NULL || (asked->HighPart == -1 && asked->LowPart == FILE_USE_FILE_POINTER_POSITION);
    if (here && !is_synchronous(file))
        return STATUS_INVALID_PARAMETER;
    *offset = here ? (uint64_t)file->object.CurrentByteOffset.QuadPart : (uint64_t)asked->QuadPart;
    return STATUS_SUCCESS;
}

/* An IRP of the system, sent and waited for. */
static NTSTATUS send(io_file_t *file, PDEVICE_OBJECT top, PIRP irp, PKEVENT event, const IO_STATUS_BLOCK *block)
{
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoGetNextIrpStackLocation(irp)->FileObject = &file->object;
    irp->Tail.Overlay.OriginalFileObject = &file->object;
    if (IoCallDriver(top, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL);
    return block->Status;
}

/* ---- reading and writing ---- */

static NTSTATUS transfer_device(io_file_t *file, UCHAR major, PVOID buffer, ULONG length, uint64_t offset, ULONG_PTR *done)
{
    KEVENT          event;
    LARGE_INTEGER   at = { .QuadPart = (LONGLONG)offset };
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    PDEVICE_OBJECT  top = IoGetRelatedDeviceObject(&file->object);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP     irp = IoBuildSynchronousFsdRequest(major, top, buffer, length, &at, &event, &block);
    NTSTATUS status = send(file, top, irp, &event, &block);
    *done = block.Information;
    return status;
}

static NTSTATUS read_host(io_file_t *file, PVOID buffer, ULONG length, uint64_t offset, ULONG_PTR *done)
{
    host_file_identity_t now;
    if (host_file_identify(&file->host->file, &now) != 0)
        return STATUS_UNEXPECTED_IO_ERROR;
    if (offset >= now.bytes)
        return length != 0 ? STATUS_END_OF_FILE : STATUS_SUCCESS;
    size_t bytes = now.bytes - offset < length ? (size_t)(now.bytes - offset) : length;
    void  *copy = malloc(bytes + 1);
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    int error = host_file_read(&file->host->file, offset, copy, bytes);
    if (error == 0 && bytes != 0)
        memcpy(buffer, copy, bytes);
    free(copy);
    *done = error == 0 ? bytes : 0;
    return status_of_errno(error);
}

static NTSTATUS write_host(io_file_t *file, const void *buffer, ULONG length, uint64_t offset, ULONG_PTR *done)
{
    host_file_identity_t now;
    if (!file->object.WriteAccess)
        return STATUS_ACCESS_DENIED;
    if (offset == UINT64_MAX) { /* FILE_WRITE_TO_END_OF_FILE */
        if (host_file_identify(&file->host->file, &now) != 0)
            return STATUS_UNEXPECTED_IO_ERROR;
        offset = now.bytes;
    }
    void *copy = malloc((size_t)length + 1);
    if (copy == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (length != 0)
        memcpy(copy, buffer, length);
    int error = host_file_write(&file->host->file, offset, copy, length);
    free(copy);
    *done = error == 0 ? length : 0;
    return status_of_errno(error);
}

static NTSTATUS transfer(io_file_t *file, UCHAR major, PVOID buffer, ULONG length, const LARGE_INTEGER *asked, ULONG_PTR *done)
{
    uint64_t offset;
    NTSTATUS status = offset_of(file, asked, &offset);
    if (!NT_SUCCESS(status))
        return status;
    if (file->host == NULL)
        status = transfer_device(file, major, buffer, length, offset, done);
    else if (ke_inject_failure())
        status = STATUS_INSUFFICIENT_RESOURCES;
    else
        status = major == IRP_MJ_READ ? read_host(file, buffer, length, offset, done) : write_host(file, buffer, length, offset, done);
    if (NT_SUCCESS(status) && is_synchronous(file))
        file->object.CurrentByteOffset.QuadPart = (LONGLONG)(offset + *done);
    return status;
}

NTSTATUS ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                    PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    request_t request;
    ULONG_PTR done = 0;
    (void)ApcContext;
    (void)Key;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, Event, ApcRoutine);
    if (!NT_SUCCESS(status))
        return status;
    status = transfer(request.file, IRP_MJ_READ, Buffer, Length, ByteOffset, &done);
    return end(&request, status, done, IoStatusBlock);
}

NTSTATUS ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                     PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    request_t request;
    ULONG_PTR done = 0;
    (void)ApcContext;
    (void)Key;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, Event, ApcRoutine);
    if (!NT_SUCCESS(status))
        return status;
    status = transfer(request.file, IRP_MJ_WRITE, Buffer, Length, ByteOffset, &done);
    return end(&request, status, done, IoStatusBlock);
}

NTSTATUS ZwDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext,
                               PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer, ULONG InputBufferLength,
                               PVOID OutputBuffer, ULONG OutputBufferLength)
{
    request_t       request;
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    (void)ApcContext;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, Event, ApcRoutine);
    if (!NT_SUCCESS(status))
        return status;
    PDEVICE_OBJECT top = IoGetRelatedDeviceObject(&request.file->object);
    if (top == NULL)
        return end(&request, STATUS_INVALID_DEVICE_REQUEST, 0, IoStatusBlock);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildDeviceIoControlRequest(IoControlCode, top, InputBuffer, InputBufferLength, OutputBuffer, OutputBufferLength, FALSE,
                                             &event, &block);
    status = send(request.file, top, irp, &event, &block);
    return end(&request, status, block.Information, IoStatusBlock);
}

/* ---- information ---- */

typedef union answer {
    FILE_STANDARD_INFORMATION standard;
    FILE_BASIC_INFORMATION    basic;
    FILE_POSITION_INFORMATION position;
} answer_t;

/* Bytes of the answer; 0: the class is none that is known here. */
static size_t answer_host(const io_file_t *file, FILE_INFORMATION_CLASS what, answer_t *answer)
{
    host_file_identity_t now;
    memset(answer, 0, sizeof *answer);
    if (what == FilePositionInformation) {
        answer->position.CurrentByteOffset = file->object.CurrentByteOffset;
        return sizeof answer->position;
    }
    if (file->host == NULL || host_file_identify(&file->host->file, &now) != 0)
        return 0;
    if (what == FileBasicInformation) {
        answer->basic.FileAttributes = FILE_ATTRIBUTE_NORMAL;
        return sizeof answer->basic;
    }
    if (what != FileStandardInformation)
        return 0;
    answer->standard.AllocationSize.QuadPart = (LONGLONG)ROUND_TO_PAGES(now.bytes);
    answer->standard.EndOfFile.QuadPart = (LONGLONG)now.bytes;
    answer->standard.NumberOfLinks = 1;
    answer->standard.DeletePending = file->object.DeletePending;
    return sizeof answer->standard;
}

/* The driver answers, or is told, in a system buffer. */
static NTSTATUS ask_device(io_file_t *file, UCHAR major, PVOID information, ULONG length, FILE_INFORMATION_CLASS what, ULONG_PTR *done)
{
    PDEVICE_OBJECT top = IoGetRelatedDeviceObject(&file->object);
    PIRP           irp = IoAllocateIrp(top->StackSize, FALSE);
    PVOID          buffer = irp != NULL ? ExAllocatePool2(POOL_FLAG_NON_PAGED, length + 1, TAG_BUFFER) : NULL;
    NTSTATUS       status = STATUS_INSUFFICIENT_RESOURCES;
    if (buffer != NULL) {
        PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
        if (major == IRP_MJ_SET_INFORMATION && length != 0)
            memcpy(buffer, information, length);
        irp->AssociatedIrp.SystemBuffer = buffer;
        irp->Tail.Overlay.Thread = PsGetCurrentThread();
        irp->Tail.Overlay.OriginalFileObject = next->FileObject = &file->object;
        next->MajorFunction = major;
        next->Parameters.QueryFile.Length = length; /* as SetFile */
        next->Parameters.QueryFile.FileInformationClass = what;
        status = io_irp_send(top, irp);
        *done = irp->IoStatus.Information;
        if (major == IRP_MJ_QUERY_INFORMATION && !NT_ERROR(status))
            memcpy(information, buffer, *done < length ? *done : length);
        ExFreePoolWithTag(buffer, TAG_BUFFER);
    }
    if (irp != NULL)
        IoFreeIrp(irp);
    return status;
}

static NTSTATUS query(io_file_t *file, PVOID information, ULONG length, FILE_INFORMATION_CLASS what, ULONG_PTR *done)
{
    answer_t answer;
    size_t   bytes = answer_host(file, what, &answer);
    if (bytes == 0)
        return file->host != NULL ? STATUS_INVALID_INFO_CLASS : ask_device(file, IRP_MJ_QUERY_INFORMATION, information, length, what, done);
    if (length < bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    memcpy(information, &answer, bytes);
    *done = bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS set(io_file_t *file, PVOID information, ULONG length, FILE_INFORMATION_CLASS what, ULONG_PTR *done)
{
    LARGE_INTEGER number = { .QuadPart = 0 };
    if (file->host == NULL && what != FilePositionInformation)
        return ask_device(file, IRP_MJ_SET_INFORMATION, information, length, what, done);
    if (what != FilePositionInformation && what != FileEndOfFileInformation && what != FileDispositionInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (length < (what == FileDispositionInformation ? sizeof(BOOLEAN) : sizeof number))
        return STATUS_INFO_LENGTH_MISMATCH;
    memcpy(&number, information, what == FileDispositionInformation ? sizeof(BOOLEAN) : sizeof number);
    if (what == FileDispositionInformation)
        file->object.DeletePending = number.LowPart != 0;
    else if (number.QuadPart < 0)
        return STATUS_INVALID_PARAMETER;
    else if (what == FilePositionInformation)
        file->object.CurrentByteOffset = number;
    else
        return file->object.WriteAccess ? status_of_errno(host_file_set_size(&file->host->file, (uint64_t)number.QuadPart))
                                        : STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

NTSTATUS ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                FILE_INFORMATION_CLASS FileInformationClass)
{
    request_t request;
    ULONG_PTR done = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, NULL, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = query(request.file, FileInformation, Length, FileInformationClass, &done);
    return end(&request, status, done, IoStatusBlock);
}

NTSTATUS ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                              FILE_INFORMATION_CLASS FileInformationClass)
{
    request_t request;
    ULONG_PTR done = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, NULL, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = set(request.file, FileInformation, Length, FileInformationClass, &done);
    return end(&request, status, done, IoStatusBlock);
}

NTSTATUS ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    request_t       request;
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_SUCCESS };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = begin(&request, FileHandle, NULL, NULL);
    if (!NT_SUCCESS(status))
        return status;
    PDEVICE_OBJECT top = IoGetRelatedDeviceObject(&request.file->object);
    if (top != NULL) {
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_FLUSH_BUFFERS, top, NULL, 0, NULL, &event, &block);
        status = send(request.file, top, irp, &event, &block);
    }
    return end(&request, status, 0, IoStatusBlock);
}
