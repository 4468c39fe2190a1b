/*
 * zw_file.c - what can be done with a file's handle: requests to the drivers of a device, or the bytes of a file of the host.
 *
 *     begin      the handle's file object, and the event that is to be set
 *     a device   one IRP, sent and waited for             a file of the host   host_file_*, through a copy
 *     end        status block, event
 *
 * Buffers that may be pageable are never handed to the host.
 *
 * Locks       none.
 * Source      WDK reference: the pages of these routines; "Using files in a driver".
 * Fidelity    a request is never left pending: the caller waits, whatever the file was opened for.
 */
#include <stdlib.h>
#include <string.h>

#include "ex/handle.h"
#include "io/file.h"
#include "io/irp.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/irql.h"

#define TAG_BUFFER NTMM_TAG("IoZw")

/* ---- what all requests share ---- */

typedef struct request {
    io_file_t *file;
    PKEVENT    event; /* NULL: none is to be set */
} request_t;

static NTSTATUS begin(const char *routine, request_t *request, HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc)
{
    void *file = NULL, *object = NULL;
    if (ke_thread_ready(routine) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (apc != NULL)
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
    return io_status_of_errno(error);
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
    return io_status_of_errno(error);
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

static NTSTATUS transfer_by_handle(const char *routine, UCHAR major, HANDLE handle, HANDLE event, PIO_APC_ROUTINE apc, PIO_STATUS_BLOCK out,
                                   PVOID buffer, ULONG length, const LARGE_INTEGER *asked)
{
    request_t request;
    ULONG_PTR done = 0;
    NTSTATUS  status = begin(routine, &request, handle, event, apc);
    if (!NT_SUCCESS(status))
        return status;
    status = transfer(request.file, major, buffer, length, asked, &done);
    return end(&request, status, done, out);
}

NTSTATUS ZwReadFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                    PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    (void)ApcContext;
    (void)Key;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return transfer_by_handle(__func__, IRP_MJ_READ, FileHandle, Event, ApcRoutine, IoStatusBlock, Buffer, Length, ByteOffset);
}

NTSTATUS ZwWriteFile(HANDLE FileHandle, HANDLE Event, PIO_APC_ROUTINE ApcRoutine, PVOID ApcContext, PIO_STATUS_BLOCK IoStatusBlock,
                     PVOID Buffer, ULONG Length, PLARGE_INTEGER ByteOffset, PULONG Key)
{
    (void)ApcContext;
    (void)Key;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return transfer_by_handle(__func__, IRP_MJ_WRITE, FileHandle, Event, ApcRoutine, IoStatusBlock, Buffer, Length, ByteOffset);
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
    NTSTATUS status = begin(__func__, &request, FileHandle, Event, ApcRoutine);
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
        return file->object.WriteAccess ? io_status_of_errno(host_file_set_size(&file->host->file, (uint64_t)number.QuadPart))
                                        : STATUS_ACCESS_DENIED;
    return STATUS_SUCCESS;
}

typedef NTSTATUS inform_t(io_file_t *file, PVOID information, ULONG length, FILE_INFORMATION_CLASS what, ULONG_PTR *done);

static NTSTATUS inform_by_handle(const char *routine, inform_t *inform, HANDLE handle, PIO_STATUS_BLOCK out, PVOID information,
                                 ULONG length, FILE_INFORMATION_CLASS what)
{
    request_t request;
    ULONG_PTR done = 0;
    NTSTATUS  status = begin(routine, &request, handle, NULL, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = inform(request.file, information, length, what, &done);
    return end(&request, status, done, out);
}

NTSTATUS ZwQueryInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                                FILE_INFORMATION_CLASS FileInformationClass)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return inform_by_handle(__func__, query, FileHandle, IoStatusBlock, FileInformation, Length, FileInformationClass);
}

NTSTATUS ZwSetInformationFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock, PVOID FileInformation, ULONG Length,
                              FILE_INFORMATION_CLASS FileInformationClass)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return inform_by_handle(__func__, set, FileHandle, IoStatusBlock, FileInformation, Length, FileInformationClass);
}

NTSTATUS ZwFlushBuffersFile(HANDLE FileHandle, PIO_STATUS_BLOCK IoStatusBlock)
{
    request_t       request;
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_SUCCESS };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    NTSTATUS status = begin(__func__, &request, FileHandle, NULL, NULL);
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
