/*
 * file_object.c - one WDFFILEOBJECT for each open handle, when the driver has asked for them (WdfDeviceInitSetFileObjectConfig).
 *
 *     IRP_MJ_CREATE    made; EvtDeviceFileCreate, which completes the request, or a queue, or STATUS_SUCCESS; a filter passes it on without a callback
 *     IRP_MJ_CLEANUP   EvtFileCleanup; what waits in queues for this file is cancelled
 *     IRP_MJ_CLOSE     EvtFileClose; deleted
 *
 * Locks       the device's part lock for the list of its files.
 * Source      WDK reference: "Framework File Objects", wdfdevice.h, WDF_FILEOBJECT_CONFIG; the published framework.
 * Fidelity    the framework's handle is not kept in FsContext; which class the driver chose has no effect but for WdfFileObjectNotRequired.
 */
#include "wdf/file_object.h"

#include "wdf/queue.h"

const wdf_type_t wdf_file_type = {
    .name = "WDFFILEOBJECT", .number = WDF_NUMBER_FILE_OBJECT, .bytes = sizeof(wdf_file_t), .options = WDF_TYPE_NO_DELETE
};

/* ---- which there are ---- */

wdf_file_t *wdf_file_find(wdf_device_io_t *io, const FILE_OBJECT *wdm)
{
    wdf_file_t *found = NULL;
    wdf_lock(&io->lock);
    for (PLIST_ENTRY entry = io->files.Flink; entry != &io->files && found == NULL; entry = entry->Flink) {
        wdf_file_t *file = CONTAINING_RECORD(entry, wdf_file_t, of_device);
        found = file->wdm == wdm && wdm != NULL ? file : NULL;
    }
    wdf_unlock(&io->lock);
    return found;
}

static unsigned class_of(const wdf_device_io_t *io)
{
    return io->device->setup.has_file_config
               ? (unsigned)io->device->setup.file_config.FileObjectClass & ~(unsigned)WdfFileObjectCanBeOptional
               : (unsigned)WdfFileObjectNotRequired;
}
static bool has_files(const wdf_device_io_t *io) { return class_of(io) != WdfFileObjectNotRequired; }
static bool may_be_missing(const wdf_device_io_t *io)
{
    return ((unsigned)io->device->setup.file_config.FileObjectClass & (unsigned)WdfFileObjectCanBeOptional) != 0;
}

static ULONG process_of(const IRP *irp)
{
    PETHREAD thread = irp->Tail.Overlay.Thread;
    return thread != NULL ? (ULONG)(ULONG_PTR)PsGetThreadProcessId(thread) : 0;
}

static NTSTATUS make(wdf_device_io_t *io, PFILE_OBJECT wdm, const IRP *irp, wdf_file_t **out)
{
    PWDF_OBJECT_ATTRIBUTES attributes = io->device->setup.has_file_attributes ? &io->device->setup.file_attributes : NULL;
    wdf_file_t            *file;
    NTSTATUS               status =
        wdf_object_new(&(wdf_new_t){ .type = &wdf_file_type, .attributes = attributes, .parent = &io->device->object }, &file);
    if (!NT_SUCCESS(status))
        return status;
    file->io = io;
    file->wdm = wdm;
    file->process = process_of(irp);
    InitializeListHead(&file->of_device);
    status = wdf_object_commit(file, attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(file);
        return status;
    }
    wdf_lock(&io->lock);
    InsertTailList(&io->files, &file->of_device);
    wdf_unlock(&io->lock);
    *out = file;
    return STATUS_SUCCESS;
}

static void drop(wdf_file_t *file)
{
    wdf_lock(&file->io->lock);
    RemoveEntryList(&file->of_device);
    wdf_unlock(&file->io->lock);
    wdf_object_delete(&file->object);
}

void wdf_file_created(wdf_device_io_t *io, PIRP irp)
{
    wdf_file_t *file = NT_SUCCESS(irp->IoStatus.Status) ? NULL : wdf_file_find(io, IoGetCurrentIrpStackLocation(irp)->FileObject);
    if (file != NULL)
        drop(file);
}

/* ---- IRPs ---- */

static bool passes_on(const wdf_device_io_t *io)
{
    WDF_TRI_STATE forward = io->device->setup.has_file_config ? io->device->setup.file_config.AutoForwardCleanupClose : WdfUseDefault;
    return io->target != NULL && (forward == WdfTrue || (forward == WdfUseDefault && io->device->setup.is_filter));
}

static void present_create(wdf_device_io_t *io, wdf_request_t *request, wdf_file_t *file)
{
    wdf_callback_lock_t *lock = wdf_device_lock(io->device);
    IoMarkIrpPending(request->irp);
    request->place = WDF_REQUEST_DRIVER;
    request->is_presented = true;
    wdf_callbacks_enter("EvtDeviceFileCreate", lock);
    wdf_call_t call = wdf_call_begin(io->device->object.driver);
    io->device->setup.file_config.EvtDeviceFileCreate((WDFDEVICE)io->device, (WDFREQUEST)request, (WDFFILEOBJECT)file);
    WDF_CALL_END(&call, io->device->setup.file_config.EvtDeviceFileCreate);
    wdf_callbacks_leave("EvtDeviceFileCreate", lock);
}

static NTSTATUS create_for_driver(wdf_device_io_t *io, PIRP irp, wdf_file_t *file)
{
    wdf_request_t *request;
    wdf_queue_t   *queue = io->by_type[IRP_MJ_CREATE];
    bool           has_callback = io->device->setup.has_file_config && io->device->setup.file_config.EvtDeviceFileCreate != NULL;
    if (!has_callback && queue == NULL) {
        if (io->device->setup.is_filter && io->target != NULL)
            return wdf_device_pass_on(io->device, irp);
        return wdf_device_complete(irp, STATUS_SUCCESS);
    }
    NTSTATUS status = wdf_request_for_irp(io, irp, &request);
    if (!NT_SUCCESS(status)) {
        if (file != NULL)
            drop(file);
        return wdf_device_complete(irp, status);
    }
    if (!has_callback)
        return wdf_queue_add(queue, request);
    present_create(io, request, file);
    return STATUS_PENDING;
}

NTSTATUS wdf_file_create(wdf_device_io_t *io, PIRP irp)
{
    PFILE_OBJECT wdm = IoGetCurrentIrpStackLocation(irp)->FileObject;
    wdf_file_t  *file = NULL;
    NTSTATUS     status = STATUS_SUCCESS;
    if (has_files(io) && wdm == NULL && !may_be_missing(io))
        status = STATUS_INVALID_DEVICE_REQUEST;
    else if (has_files(io) && wdm != NULL)
        status = make(io, wdm, irp, &file);
    return NT_SUCCESS(status) ? create_for_driver(io, irp, file) : wdf_device_complete(irp, status);
}

static void cancel_for_file(wdf_device_io_t *io, const FILE_OBJECT *wdm)
{
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue))
        wdf_queue_cancel_file(queue, wdm);
}

static void call_for_file(wdf_file_t *file, PFN_WDF_FILE_CLOSE callback)
{
    if (callback == NULL)
        return;
    wdf_callback_lock_t *lock = wdf_device_lock(file->io->device);
    wdf_callbacks_enter("EvtFileClose", lock);
    wdf_call_t call = wdf_call_begin(file->object.driver);
    callback((WDFFILEOBJECT)file);
    WDF_CALL_END(&call, callback);
    wdf_callbacks_leave("EvtFileClose", lock);
}

NTSTATUS wdf_file_cleanup(wdf_device_io_t *io, PIRP irp)
{
    PFILE_OBJECT wdm = IoGetCurrentIrpStackLocation(irp)->FileObject;
    wdf_file_t  *file = wdf_file_find(io, wdm);
    if (file != NULL)
        call_for_file(file, io->device->setup.file_config.EvtFileCleanup);
    if (wdm != NULL)
        cancel_for_file(io, wdm);
    return passes_on(io) ? wdf_device_pass_on(io->device, irp) : wdf_device_complete(irp, STATUS_SUCCESS);
}

NTSTATUS wdf_file_close(wdf_device_io_t *io, PIRP irp)
{
    wdf_file_t *file = wdf_file_find(io, IoGetCurrentIrpStackLocation(irp)->FileObject);
    if (file != NULL) {
        call_for_file(file, io->device->setup.file_config.EvtFileClose);
        drop(file);
    }
    return passes_on(io) ? wdf_device_pass_on(io->device, irp) : wdf_device_complete(irp, STATUS_SUCCESS);
}

/* ---- the driver's routines ---- */

PUNICODE_STRING WdfFileObjectGetFileName(WDFFILEOBJECT FileObject)
{
    WDF_ENTER(PASSIVE_LEVEL, NULL);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    return file->wdm != NULL ? &file->wdm->FileName : NULL;
}

ULONG WdfFileObjectGetFlags(WDFFILEOBJECT FileObject)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    return file->wdm != NULL ? file->wdm->Flags : 0;
}

WDFDEVICE WdfFileObjectGetDevice(WDFFILEOBJECT FileObject)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    return wdf_device_handle(file->io->device);
}

ULONG WdfFileObjectGetInitiatorProcessId(WDFFILEOBJECT FileObject)
{
    WDF_ENTER(PASSIVE_LEVEL, 0);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    return file->process;
}

PFILE_OBJECT WdfFileObjectWdmGetFileObject(WDFFILEOBJECT FileObject)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    return file->wdm;
}
