/*
 * io_dispatch.c - from an IRP that a device got to the queue that it waits in.
 *
 *     dispatch                       what the other parts of the device leave
 *      |- create, cleanup, close     file_object.c
 *      |- WDFREQUEST                 no memory: STATUS_INSUFFICIENT_RESOURCES
 *      |- EvtIoInCallerContext       in the requester's thread; it calls WdfDeviceEnqueueRequest, or completes the request
 *      `- a queue                    configured for the type, else the default one; none: a filter passes it on, others refuse it
 *
 * Locks       the device's part lock.
 * Source      WDK reference: "Dispatching I/O Requests to I/O Queues", wdfdevice.h, WdfDeviceConfigureRequestDispatching, WdfDeviceEnqueueRequest.
 */
#include "wdf/file_object.h"
#include "wdf/io_target.h"
#include "wdf/queue.h"

#define TAG_IO NTMM_TAG("WdfQ")

/* ---- the part of a device ---- */

static NTSTATUS created(wdf_device_t *device)
{
    wdf_device_io_t *io = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *io, TAG_IO);
    if (io == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *io = (wdf_device_io_t){ .device = device };
    InitializeListHead(&io->queues);
    InitializeListHead(&io->files);
    device->parts[WDF_PART_IO] = io;
    NTSTATUS status = device->below != NULL ? wdf_io_target_local(io, device->below, &io->target) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) {
        ExFreePoolWithTag(io, TAG_IO);
        device->parts[WDF_PART_IO] = NULL;
    }
    return status;
}

static void destroyed(wdf_device_t *device)
{
    ExFreePoolWithTag(device->parts[WDF_PART_IO], TAG_IO);
    device->parts[WDF_PART_IO] = NULL;
}

struct wdf_queue *wdf_io_next_queue(wdf_device_io_t *io, wdf_queue_t *queue)
{
    wdf_queue_t *next = NULL;
    wdf_lock(&io->lock);
    PLIST_ENTRY entry = queue == NULL ? io->queues.Flink : IsListEmpty(&queue->of_device) ? &io->queues : queue->of_device.Flink;
    if (entry != &io->queues) {
        next = CONTAINING_RECORD(entry, wdf_queue_t, of_device);
        wdf_object_reference(&next->object);
    }
    wdf_unlock(&io->lock);
    if (queue != NULL)
        wdf_object_dereference(__func__, &queue->object);
    return next;
}

static NTSTATUS up(wdf_device_t *device)
{
    wdf_device_io_t *io = wdf_device_io(device);
    io->is_on = true;
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue))
        wdf_queue_power_on(queue);
    return STATUS_SUCCESS;
}

static void down(wdf_device_t *device, WDF_POWER_DEVICE_STATE target)
{
    wdf_device_io_t *io = wdf_device_io(device);
    (void)target;
    io->is_on = false;
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue))
        wdf_queue_power_off(queue);
}

static void purge(wdf_device_t *device)
{
    wdf_device_io_t *io = wdf_device_io(device);
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue))
        wdf_queue_close(queue);
}

static void reopen(wdf_device_t *device)
{
    wdf_device_io_t *io = wdf_device_io(device);
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue))
        wdf_queue_reopen(queue);
}

/* ---- dispatch ---- */

static wdf_queue_t *queue_for(wdf_device_io_t *io, UCHAR major)
{
    wdf_lock(&io->lock);
    wdf_queue_t *queue = io->by_type[major] != NULL ? io->by_type[major] : io->default_queue;
    if (queue != NULL)
        wdf_object_reference(&queue->object);
    wdf_unlock(&io->lock);
    return queue;
}

static NTSTATUS call_in_context(wdf_device_io_t *io, wdf_request_t *request)
{
    IoMarkIrpPending(request->irp);
    request->place = WDF_REQUEST_DRIVER;
    request->in_caller_context = true;
    wdf_call_t call = wdf_call_begin(io->device->object.driver);
    io->device->setup.in_caller_context((WDFDEVICE)io->device, (WDFREQUEST)request);
    WDF_CALL_END(&call, io->device->setup.in_caller_context);
    return STATUS_PENDING;
}

static bool is_for_queues(UCHAR major)
{
    return major == IRP_MJ_READ || major == IRP_MJ_WRITE || major == IRP_MJ_DEVICE_CONTROL || major == IRP_MJ_INTERNAL_DEVICE_CONTROL;
}

static NTSTATUS make_request(wdf_device_io_t *io, wdf_queue_t *queue, PIRP irp)
{
    wdf_request_t *request;
    NTSTATUS       status = wdf_request_for_irp(io, irp, &request);
    if (!NT_SUCCESS(status))
        return wdf_device_complete(irp, status);
    return io->device->setup.in_caller_context != NULL ? call_in_context(io, request) : wdf_queue_add(queue, request);
}

/* A filter's queue that has no callback for the type does not want it. */
static NTSTATUS dispatch_to_queue(wdf_device_io_t *io, PIRP irp, UCHAR major)
{
    wdf_queue_t *queue = queue_for(io, major);
    bool         is_passed_on = io->device->setup.is_filter && io->target != NULL;
    NTSTATUS     status;
    if (is_passed_on && (queue == NULL || !wdf_queue_has_callback(queue, major)))
        status = wdf_device_pass_on(io->device, irp);
    else if (queue == NULL && io->device->setup.in_caller_context == NULL)
        status = wdf_device_complete(irp, STATUS_INVALID_DEVICE_REQUEST);
    else
        status = make_request(io, queue, irp);
    if (queue != NULL)
        wdf_object_dereference(__func__, &queue->object);
    return status;
}

static bool dispatch(wdf_device_t *device, PIRP irp, NTSTATUS *status)
{
    wdf_device_io_t *io = wdf_device_io(device);
    UCHAR            major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
    if (major == IRP_MJ_CREATE)
        *status = wdf_file_create(io, irp);
    else if (major == IRP_MJ_CLEANUP)
        *status = wdf_file_cleanup(io, irp);
    else if (major == IRP_MJ_CLOSE)
        *status = wdf_file_close(io, irp);
    else if (is_for_queues(major))
        *status = dispatch_to_queue(io, irp, major);
    else
        return false;
    return true;
}

const wdf_device_part_t wdf_io_part = {
    .number = WDF_PART_IO,
    .created = created,
    .up = up,
    .down = down,
    .purge = purge,
    .reopen = reopen,
    .destroyed = destroyed,
    .dispatch = dispatch,
};

/* ---- the driver's routines ---- */

NTSTATUS WdfDeviceConfigureRequestDispatching(WDFDEVICE Device, WDFQUEUE Queue, WDF_REQUEST_TYPE RequestType)
{
    NTSTATUS status = STATUS_SUCCESS;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_io_t *io = wdf_device_io(WDF_FROM(Device, &wdf_device_type));
    wdf_queue_t     *queue = WDF_FROM(Queue, &wdf_queue_type);
    if (queue->io != io)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (RequestType != WdfRequestTypeCreate && ((unsigned)RequestType > IRP_MJ_MAXIMUM_FUNCTION || !is_for_queues((UCHAR)RequestType)))
        return STATUS_INVALID_PARAMETER;
    if (!wdf_queue_has_callback(queue, (UCHAR)RequestType))
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_lock(&io->lock);
    if (io->by_type[RequestType] != NULL)
        status = STATUS_WDF_BUSY;
    else
        io->by_type[RequestType] = queue;
    wdf_unlock(&io->lock);
    return status;
}

NTSTATUS WdfDeviceEnqueueRequest(WDFDEVICE Device, WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_io_t *io = wdf_device_io(WDF_FROM(Device, &wdf_device_type));
    wdf_request_t   *request = WDF_FROM(Request, &wdf_request_type);
    if (request->io != io || !request->in_caller_context || request->irp == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_queue_t *queue = queue_for(io, wdf_request_location(request)->MajorFunction);
    if (queue == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    request->in_caller_context = false;
    request->place = WDF_REQUEST_FRESH;
    (void)wdf_queue_add(queue, request);
    wdf_object_dereference(__func__, &queue->object);
    return STATUS_SUCCESS;
}

WDFQUEUE WdfDeviceGetDefaultQueue(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return (WDFQUEUE)wdf_device_io(WDF_FROM(Device, &wdf_device_type))->default_queue;
}

WDFFILEOBJECT WdfDeviceGetFileObject(WDFDEVICE Device, PFILE_OBJECT FileObject)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return (WDFFILEOBJECT)wdf_file_find(wdf_device_io(WDF_FROM(Device, &wdf_device_type)), FileObject);
}

WDFIOTARGET WdfDeviceGetIoTarget(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return (WDFIOTARGET)wdf_device_io(WDF_FROM(Device, &wdf_device_type))->target;
}
