/*
 * request.c - requests as objects: made for an IRP of a device, asked, and completed.
 *
 *     wdf_request_finish
 *      |- checks                  more bytes than the buffer has: 0x10D/6/4
 *      |- the object is deleted   EvtCleanup, its memory goes; still referenced: 0x10D/3
 *      |- IoCompleteRequest
 *      |- its queue               the driver has one less: the next may come
 *      `- the last reference      EvtDestroy
 *
 * Locks       the queue's lock.
 * Source      WDK reference: wdfrequest.h, "Completing I/O Requests" (KMDF); Bug Check 0x10D; the published framework.
 */
#include "wdf/queue.h"

#include "wdf/file_object.h"
#include "wdf/send_timer.h"

static void request_destroy(wdf_object_t *object);

const wdf_type_t wdf_request_type = {
    .name = "WDFREQUEST", .number = WDF_NUMBER_REQUEST, .bytes = sizeof(wdf_request_t), .destroy = request_destroy
};

/* ---- life ---- */

static void request_destroy(wdf_object_t *object)
{
    wdf_request_t *request = (wdf_request_t *)(void *)object;
    wdf_format_undo(request);
    if (request->mdl != NULL)
        IoFreeMdl(request->mdl);
    wdf_send_timer_free(request);
    if (request->owns_irp && request->irp != NULL)
        IoFreeIrp(request->irp);
}

NTSTATUS wdf_request_new(wdf_object_t *parent, wdf_driver_t *root_of, PWDF_OBJECT_ATTRIBUTES attributes, wdf_request_t **out)
{
    wdf_request_t  *request;
    const wdf_new_t new_one = { .type = &wdf_request_type, .attributes = attributes, .parent = parent, .root_of = root_of };
    NTSTATUS        status = wdf_object_new(&new_one, &request);
    if (!NT_SUCCESS(status))
        return status;
    InitializeListHead(&request->link);
    InitializeListHead(&request->cancels);
    InitializeListHead(&request->sent);
    request->status = STATUS_SUCCESS;
    status = wdf_object_commit(request, attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(request);
        return status;
    }
    *out = request;
    return STATUS_SUCCESS;
}

/* It belongs to nobody: its queue waits for it, and a device that goes waits for its queues. */
NTSTATUS wdf_request_for_irp(wdf_device_io_t *io, PIRP irp, wdf_request_t **out)
{
    PWDF_OBJECT_ATTRIBUTES attributes = io->device->setup.has_request_attributes ? &io->device->setup.request_attributes : NULL;
    NTSTATUS               status = wdf_request_new(NULL, io->device->object.driver, attributes, out);
    if (!NT_SUCCESS(status))
        return status;
    (*out)->object.flags |= WDF_OBJECT_NO_DELETE;
    (*out)->irp = irp;
    (*out)->io = io;
    return STATUS_SUCCESS;
}

/* ---- whose it is ---- */

void wdf_break(const char *routine, const char *why)
{
    ke_bugcheck(routine, why, KMODE_EXCEPTION_NOT_HANDLED, (ULONG_PTR)STATUS_BREAKPOINT, 0, 0, 0);
}

void wdf_request_require_owned(const char *routine, const wdf_request_t *request)
{
    if (request->io == NULL || request->irp == NULL || request->place != WDF_REQUEST_DRIVER)
        wdf_break(
            routine,
            "The driver does not have the request: it is complete, waits in a queue, was sent to an I/O target, or is the driver's own.");
}

void wdf_request_require_unmarked(const char *routine, const wdf_request_t *request)
{
    if (request->is_marked)
        wdf_break(routine,
                  "The request is marked cancelable: call WdfRequestUnmarkCancelable first, or its cancel callback may run meanwhile.");
}

/* ---- complete ---- */

static NTSTATUS for_everybody(NTSTATUS status)
{
    switch (status) { /* the framework's own statuses do not leave it */
    case STATUS_WDF_PAUSED:
    case STATUS_WDF_BUSY: return STATUS_DEVICE_BUSY;
    case STATUS_WDF_INTERNAL_ERROR: return STATUS_INTERNAL_ERROR;
    case STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS: return STATUS_INSUFFICIENT_RESOURCES;
    default: return ((ULONG)status & 0x0FFF0000u) == (FACILITY_DRIVER_FRAMEWORK << 16) ? STATUS_INVALID_DEVICE_REQUEST : status;
    }
}

static bool has_length(const wdf_request_t *request, const IO_STACK_LOCATION *location, ULONG *bytes)
{
    switch (location->MajorFunction) {
    case IRP_MJ_READ:
    case IRP_MJ_WRITE: *bytes = location->Parameters.Read.Length; return true;
    case IRP_MJ_DEVICE_CONTROL:
        *bytes = location->Parameters.DeviceIoControl.OutputBufferLength;
        return request->irp->RequestorMode == UserMode && *bytes != 0;
    default: return false;
    }
}

static void check_length(const char *routine, const wdf_request_t *request, NTSTATUS status)
{
    static WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA data;
    const IO_STACK_LOCATION                                        *location = wdf_request_location(request);
    ULONG                                                           bytes;
    if (!NT_SUCCESS(status) || !has_length(request, location, &bytes) || request->irp->IoStatus.Information <= bytes)
        return;
    data = (WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA){ .Request = (WDFREQUEST)(uintptr_t)request,
                                                                       .Irp = request->irp,
                                                                       .OutputBufferLength = bytes,
                                                                       .Information = request->irp->IoStatus.Information,
                                                                       .MajorFunction = location->MajorFunction };
    wdf_stop(routine, "A request was completed with more bytes than its buffer has.", WDF_REQUEST_FATAL_ERROR,
             WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH, (ULONG_PTR)&data);
}

/* A user's buffered control without an output buffer: there is nowhere to copy to. */
static void keep_output_away(const wdf_request_t *request)
{
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    if (location->MajorFunction == IRP_MJ_DEVICE_CONTROL && request->irp->RequestorMode == UserMode &&
        METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_BUFFERED &&
        location->Parameters.DeviceIoControl.OutputBufferLength == 0)
        request->irp->Flags &= ~(ULONG)IRP_INPUT_OPERATION;
}

void wdf_request_finish(const char *routine, wdf_request_t *request, NTSTATUS status, CCHAR boost)
{
    wdf_queue_t *queue = request->place == WDF_REQUEST_DRIVER ? request->queue : NULL;
    PIRP         irp = request->irp;
    check_length(routine, request, status);
    keep_output_away(request);
    wdf_object_reference(&request->object);
    request->place = WDF_REQUEST_DONE;
    wdf_format_undo(request);
    wdf_request_delete_with_memory(routine, request);
    irp->IoStatus.Status = for_everybody(status);
    request->irp = NULL;
    if (IoGetCurrentIrpStackLocation(irp)->MajorFunction == IRP_MJ_CREATE)
        wdf_file_created(request->io, irp);
    IoCompleteRequest(irp, boost);
    if (queue != NULL)
        wdf_queue_completed(queue, request);
    wdf_object_dereference(routine, &request->object);
}

void wdf_request_refuse(wdf_request_t *request, NTSTATUS status)
{
    request->irp->IoStatus.Information = 0;
    wdf_request_finish("WdfIoQueueCreate", request, status, IO_NO_INCREMENT);
}

static wdf_request_t *to_complete(const char *routine, WDFREQUEST handle)
{
    wdf_request_t *request = (wdf_request_t *)(void *)wdf_from_handle(routine, handle, &wdf_request_type);
    wdf_request_require_owned(routine, request);
    wdf_request_require_unmarked(routine, request);
    return request;
}

VOID WdfRequestComplete(WDFREQUEST Request, NTSTATUS Status)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_finish(__func__, to_complete(__func__, Request), Status, IO_NO_INCREMENT);
}

VOID WdfRequestCompleteWithInformation(WDFREQUEST Request, NTSTATUS Status, ULONG_PTR Information)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = to_complete(__func__, Request);
    request->irp->IoStatus.Information = Information;
    wdf_request_finish(__func__, request, Status, IO_NO_INCREMENT);
}

VOID WdfRequestCompleteWithPriorityBoost(WDFREQUEST Request, NTSTATUS Status, CCHAR PriorityBoost)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_finish(__func__, to_complete(__func__, Request), Status, PriorityBoost);
}

/* ---- what it says ---- */

VOID WdfRequestSetInformation(WDFREQUEST Request, ULONG_PTR Information)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    if (request->irp == NULL)
        wdf_break(__func__, "The request is complete, or has no IRP.");
    request->irp->IoStatus.Information = Information;
}

ULONG_PTR WdfRequestGetInformation(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return request->irp != NULL ? request->irp->IoStatus.Information : 0;
}

NTSTATUS WdfRequestGetStatus(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return request->irp != NULL ? request->irp->IoStatus.Status : request->status;
}

/* Reads and writes are wider there than in the stack location. */
void wdf_request_parameters(const wdf_request_t *request, PWDF_REQUEST_PARAMETERS parameters)
{
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    parameters->Type = (WDF_REQUEST_TYPE)location->MajorFunction;
    parameters->MinorFunction = location->MinorFunction;
    RtlCopyMemory(&parameters->Parameters, &location->Parameters, sizeof parameters->Parameters);
    if (location->MajorFunction == IRP_MJ_READ || location->MajorFunction == IRP_MJ_WRITE)
        parameters->Parameters.Read.Length = location->Parameters.Read.Length;
    if (location->MajorFunction != IRP_MJ_DEVICE_CONTROL && location->MajorFunction != IRP_MJ_INTERNAL_DEVICE_CONTROL)
        return;
    parameters->Parameters.DeviceIoControl.OutputBufferLength = location->Parameters.DeviceIoControl.OutputBufferLength;
    parameters->Parameters.DeviceIoControl.InputBufferLength = location->Parameters.DeviceIoControl.InputBufferLength;
    if (location->MajorFunction == IRP_MJ_DEVICE_CONTROL &&
        METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_NEITHER)
        parameters->Parameters.DeviceIoControl.Type3InputBuffer = NULL;
}

VOID WdfRequestGetParameters(WDFREQUEST Request, PWDF_REQUEST_PARAMETERS Parameters)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Parameters);
    if (Parameters->Size != sizeof *Parameters)
        wdf_break(__func__, "Parameters->Size is not that of a WDF_REQUEST_PARAMETERS: WDF_REQUEST_PARAMETERS_INIT sets it.");
    if (request->irp == NULL || request->irp->CurrentLocation > request->irp->StackCount)
        wdf_break(__func__, "The request is complete, or its IRP is at no driver's stack location.");
    wdf_request_parameters(request, Parameters);
}

WDFFILEOBJECT WdfRequestGetFileObject(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    if (request->io == NULL || request->irp == NULL)
        return NULL;
    return (WDFFILEOBJECT)wdf_file_find(request->io, wdf_request_location(request)->FileObject);
}

KPROCESSOR_MODE WdfRequestGetRequestorMode(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, KernelMode);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return request->irp != NULL ? request->irp->RequestorMode : UserMode;
}

BOOLEAN WdfRequestIsFrom32BitProcess(WDFREQUEST Request)
{
    WDF_ENTER(APC_LEVEL, FALSE);
    (void)WDF_FROM(Request, &wdf_request_type);
    return FALSE;
}

ULONG WdfRequestGetRequestorProcessId(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    if (request->irp == NULL || request->irp->Tail.Overlay.Thread == NULL)
        return 0;
    return (ULONG)(ULONG_PTR)PsGetThreadProcessId(request->irp->Tail.Overlay.Thread);
}

WDFQUEUE WdfRequestGetIoQueue(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return (WDFQUEUE)request->queue;
}

PIRP WdfRequestWdmGetIrp(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return request->irp;
}

BOOLEAN WdfRequestIsReserved(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    (void)WDF_FROM(Request, &wdf_request_type);
    return FALSE;
}
