/*
 * file_object.c - file objects: of a file of the host (file.c), or of a device, whose drivers are told.
 *
 *     opened                   IRP_MJ_CREATE to the top of the device's stack
 *     its last handle closed   IRP_MJ_CLEANUP
 *     its last reference gone  IRP_MJ_CLOSE, at PASSIVE_LEVEL: a worker sends it when somebody dereferenced at a higher level
 *
 * The IRP for the last two is made when the device is opened, so that closing never fails.
 *
 * Locks       none here.
 * Source      WDK reference: "IRP_MJ_CREATE", "IRP_MJ_CLEANUP", "IRP_MJ_CLOSE"; wdm.h, FILE_OBJECT, IoGetRelatedDeviceObject.
 * Fidelity    no security: the access state of IO_SECURITY_CONTEXT is NULL, DesiredAccess is what was asked for, generic rights mapped.
 */
#include <string.h>

#include "ex/work_queue.h"
#include "io/device.h"
#include "io/file.h"
#include "io/irp.h"
#include "ke/bugcheck.h"

#define FILE_TAG 0x656c6946u /* "File" */
#define LOCATIONS_TO_SPARE 4 /* for filters that attach while the device is open */

/* ---- closing ---- */

static void tell(io_file_t *file, UCHAR major)
{
    PDEVICE_OBJECT top = IoGetAttachedDevice(file->object.DeviceObject);
    PIRP           irp = file->last;
    if (top->StackSize > irp->StackCount)
        irp = IoAllocateIrp(top->StackSize, FALSE);
    if (irp == NULL)
        return;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = major;
    next->FileObject = &file->object;
    irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    irp->Tail.Overlay.OriginalFileObject = &file->object;
    (void)io_irp_send(top, irp);
    if (irp != file->last)
        IoFreeIrp(irp);
    else
        IoReuseIrp(irp, STATUS_SUCCESS);
}

void io_file_clean_up(io_file_t *file)
{
    if (file->last == NULL)
        return;
    tell(file, IRP_MJ_CLEANUP);
    file->object.Flags |= FO_CLEANUP_COMPLETE;
}

/* Its name is the host's. */
static void remove_from_host(const io_file_t *file)
{
    char   path[1024];
    size_t count = file->object.FileName.Length / sizeof(WCHAR);
    for (size_t i = 0; i < count && i < sizeof path - 1; i++)
        path[i] = (char)file->name[i];
    path[count < sizeof path - 1 ? count : sizeof path - 1] = '\0';
    (void)host_file_remove(path);
}

static void file_closed_last(void *object)
{
    io_file_t *file = object;
    io_file_clean_up(file);
    if (file->host != NULL && file->object.DeletePending)
        remove_from_host(file);
}

static void close_device(io_file_t *file)
{
    PDEVICE_OBJECT device = file->object.DeviceObject;
    if (file->last != NULL) {
        tell(file, IRP_MJ_CLOSE);
        IoFreeIrp(file->last);
        io_device_close_one(device);
    }
    (void)ex_object_dereference("ZwClose", device);
}

static void file_deleted(void *object)
{
    io_file_t *file = object;
    if (file->host != NULL)
        io_file_close_host(file);
    else if (file->object.DeviceObject != NULL)
        close_device(file);
}

static VOID delete_later(PVOID object) { ex_object_delete(object); }

static bool file_postpone(void *object)
{
    io_file_t *file = object;
    if (file->last == NULL || KeGetCurrentIrql() == PASSIVE_LEVEL)
        return false;
    ExInitializeWorkItem(&file->later, delete_later, file);
    ex_work_queue("ObDereferenceObject", &file->later);
    return true;
}

const struct _OBJECT_TYPE io_file_type = {
    .name = "File",
    .tag = FILE_TAG,
    .all_access = FILE_ALL_ACCESS,
    .generic_read = FILE_GENERIC_READ,
    .generic_write = FILE_GENERIC_WRITE,
    .generic_execute = FILE_GENERIC_EXECUTE,
    .closed_last = file_closed_last,
    .postpone = file_postpone,
    .deleted = file_deleted,
};
static POBJECT_TYPE file_type_pointer = (POBJECT_TYPE)(uintptr_t)&io_file_type;
POBJECT_TYPE       *IoFileObjectType = &file_type_pointer;

/* ---- making one ---- */

io_file_t *io_file_make(size_t name_bytes)
{
    io_file_t *file = ex_object_create(&io_file_type, sizeof *file + name_bytes);
    if (file == NULL)
        return NULL;
    FILE_OBJECT *object = &file->object;
    object->Type = IO_TYPE_FILE;
    object->Size = sizeof *object;
    object->ReadAccess = object->SharedRead = object->SharedWrite = object->SharedDelete = TRUE;
    object->FileName.Buffer = file->name;
    object->FileName.Length = object->FileName.MaximumLength = (USHORT)name_bytes;
    KeInitializeEvent(&object->Lock, SynchronizationEvent, FALSE);
    KeInitializeEvent(&object->Event, NotificationEvent, FALSE);
    InitializeListHead(&object->IrpList);
    return file;
}

static io_file_t *make_for_device(PDEVICE_OBJECT device, PCUNICODE_STRING rest, const io_open_want_t *want, ACCESS_MASK access)
{
    io_file_t *file = io_file_make(rest->Length);
    if (file == NULL)
        return NULL;
    FILE_OBJECT *object = &file->object;
    bool         synchronous = (want->options & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT)) != 0;
    if (rest->Length != 0)
        memcpy(file->name, rest->Buffer, rest->Length);
    object->DeviceObject = device;
    object->ReadAccess = (access & (FILE_READ_DATA | FILE_EXECUTE)) != 0;
    object->WriteAccess = (access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    object->DeleteAccess = (access & DELETE) != 0;
    object->SharedRead = (want->share & FILE_SHARE_READ) != 0;
    object->SharedWrite = (want->share & FILE_SHARE_WRITE) != 0;
    object->SharedDelete = (want->share & FILE_SHARE_DELETE) != 0;
    object->Flags = synchronous ? FO_SYNCHRONOUS_IO : 0u;
    object->Flags |= (want->options & FILE_SYNCHRONOUS_IO_ALERT) != 0 ? FO_ALERTABLE_IO : 0u;
    object->Flags |= (want->options & FILE_NO_INTERMEDIATE_BUFFERING) != 0 ? FO_NO_INTERMEDIATE_BUFFERING : 0u;
    object->Flags |= (want->options & FILE_WRITE_THROUGH) != 0 ? FO_WRITE_THROUGH : 0u;
    object->Flags |= (want->options & FILE_SEQUENTIAL_ONLY) != 0 ? FO_SEQUENTIAL_ONLY : 0u;
    return file;
}

static void describe_create(PIRP irp, io_file_t *file, const io_open_want_t *want, IO_SECURITY_CONTEXT *security)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = IRP_MJ_CREATE;
    next->FileObject = &file->object;
    next->Parameters.Create.SecurityContext = security;
    next->Parameters.Create.Options = want->disposition << 24 | (want->options & 0x00FFFFFFu);
    next->Parameters.Create.FileAttributes = (USHORT)want->attributes;
    next->Parameters.Create.ShareAccess = (USHORT)want->share;
    next->Parameters.Create.EaLength = want->ea_bytes;
    irp->AssociatedIrp.SystemBuffer = want->ea;
    irp->Flags = IRP_SYNCHRONOUS_API | IRP_CREATE_OPERATION;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    irp->Tail.Overlay.OriginalFileObject = &file->object;
}

/* The drivers decide. STATUS_REPARSE leads nowhere here, as nobody parses the name again. */
static NTSTATUS create(io_file_t *file, const io_open_want_t *want, ACCESS_MASK access, PIRP irp, IO_STATUS_BLOCK *block)
{
    IO_SECURITY_CONTEXT security = { .DesiredAccess = access, .FullCreateOptions = want->options };
    PDEVICE_OBJECT      top = IoGetAttachedDevice(file->object.DeviceObject);
    if (top->StackSize > irp->StackCount)
        return STATUS_INSUFFICIENT_RESOURCES;
    describe_create(irp, file, want, &security);
    NTSTATUS status = io_irp_send(top, irp);
    *block = irp->IoStatus;
    IoReuseIrp(irp, STATUS_SUCCESS);
    return status == STATUS_REPARSE ? STATUS_OBJECT_NAME_INVALID : status;
}

NTSTATUS io_file_open_device(PDEVICE_OBJECT device, PCUNICODE_STRING rest, const io_open_want_t *want, io_file_t **opened,
                             IO_STATUS_BLOCK *block)
{
    ACCESS_MASK access = ex_object_map_access(&io_file_type, want->access);
    *opened = NULL;
    *block = (IO_STATUS_BLOCK){ .Status = STATUS_UNSUCCESSFUL };
    io_file_t *file = make_for_device(device, rest, want, access);
    if (file == NULL) {
        (void)ex_object_dereference("ZwCreateFile", device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    NTSTATUS status = io_device_open_one(device);
    if (!NT_SUCCESS(status))
        goto drop_file;
    PIRP irp = IoAllocateIrp((CCHAR)(IoGetAttachedDevice(device)->StackSize + LOCATIONS_TO_SPARE), FALSE);
    status = irp != NULL ? create(file, want, access, irp, block) : STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(status))
        goto close_one;
    file->last = irp;
    file->object.Flags |= FO_FILE_OPEN;
    *opened = file;
    return status;

close_one:
    if (irp != NULL)
        IoFreeIrp(irp);
    io_device_close_one(device);
drop_file:
    (void)ex_object_dereference("ZwCreateFile", file);
    return status;
}

/* ---- by name and by file ---- */

PDEVICE_OBJECT IoGetRelatedDeviceObject(PFILE_OBJECT FileObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return FileObject->DeviceObject != NULL ? IoGetAttachedDevice(FileObject->DeviceObject) : NULL;
}

NTSTATUS IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess, PFILE_OBJECT *FileObject,
                                  PDEVICE_OBJECT *DeviceObject)
{
    const io_open_want_t want = { .access = DesiredAccess | FILE_READ_ATTRIBUTES,
                                  .disposition = FILE_OPEN,
                                  .options = FILE_NON_DIRECTORY_FILE,
                                  .share = FILE_SHARE_READ | FILE_SHARE_WRITE };
    IO_STATUS_BLOCK      block;
    PDEVICE_OBJECT       device = NULL;
    UNICODE_STRING       rest;
    io_file_t           *file = NULL;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *FileObject = NULL;
    *DeviceObject = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = io_device_by_name(ObjectName, &device, &rest);
    if (NT_SUCCESS(status))
        status = io_file_open_device(device, &rest, &want, &file, &block);
    if (!NT_SUCCESS(status))
        return status;
    io_file_clean_up(file); /* the handle that it was opened with is closed */
    *FileObject = &file->object;
    *DeviceObject = IoGetRelatedDeviceObject(&file->object);
    return STATUS_SUCCESS;
}
