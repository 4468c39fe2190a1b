/*
 * request_send.c - a request goes down to an I/O target, and comes back.
 *
 *     WdfRequestSend --> target started: IoCallDriver ... completion routine of ours --> back
 *                    `-> stopped: it waits there --WdfIoTargetStart--> the same
 *                    `-> purged, closed: FALSE
 *     back     output is copied; the waiter of a synchronous send, or the driver's completion routine
 *
 * A request that comes back while somebody is inside IoCancelIrp for it waits for him: the IRP must not go meanwhile.
 *
 * Locks       the target's lock for its lists, the request's lock for where it is; the target's before the request's.
 * Source      WDK reference: wdfrequest.h, WdfRequestSend ...; "Sending I/O Requests to General I/O Targets"; Bug Check 0x10D/0x6.
 * Fidelity    impersonation is not modelled: its two flags are accepted and ignored.
 */
#include "wdf/io_target.h"
#include "wdf/queue.h"
#include "wdf/send_timer.h"

#define VALID_OPTIONS \
    (WDF_REQUEST_SEND_OPTION_TIMEOUT | WDF_REQUEST_SEND_OPTION_SYNCHRONOUS | WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE | \
     WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET | WDF_REQUEST_SEND_OPTION_IMPERSONATE_CLIENT | \
     WDF_REQUEST_SEND_OPTION_IMPERSONATION_IGNORE_FAILURE)

/* ---- an IRP that is large enough ---- */

static NTSTATUS new_irp(wdf_request_t *request, CCHAR stack_size)
{
    PIRP irp = IoAllocateIrp(stack_size, FALSE);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (request->irp != NULL)
        IoFreeIrp(request->irp);
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    request->irp = irp;
    request->owns_irp = request->made_irp = true;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_request_prepare(wdf_request_t *request, wdf_io_target_t *target)
{
    PDEVICE_OBJECT device = wdf_io_target_device(target);
    if (device == NULL)
        return STATUS_INVALID_DEVICE_STATE;
    if (request->irp != NULL && request->irp->CurrentLocation - 1 >= device->StackSize)
        return STATUS_SUCCESS;
    if (request->irp != NULL && !request->made_irp)
        return STATUS_REQUEST_NOT_ACCEPTED;
    return new_irp(request, device->StackSize);
}

/* ---- back ---- */

static void unlist(wdf_request_t *request, wdf_io_target_t *target)
{
    wdf_lock(&target->lock);
    RemoveEntryList(&request->sent);
    InitializeListHead(&request->sent);
    wdf_unlock(&target->lock);
}
/* Nothing of it is left to do. */
static void leave(wdf_io_target_t *target)
{
    wdf_lock(&target->lock);
    KEVENT *empty = --target->sent_count == 0 ? target->empty : NULL;
    if (empty != NULL)
        target->empty = NULL;
    wdf_unlock(&target->lock);
    if (empty != NULL)
        (void)KeSetEvent(empty, IO_NO_INCREMENT, FALSE);
}

static void call_completion(wdf_request_t *request, wdf_io_target_t *target)
{
    PFN_WDF_REQUEST_COMPLETION_ROUTINE routine = request->completion;
    WDF_REQUEST_COMPLETION_PARAMS      params = request->format.params;
    if (routine == NULL)
        return;
    params.Size = sizeof params;
    params.IoStatus = request->irp->IoStatus;
    if (!request->format.is_set)
        params.Type = WdfRequestTypeNoFormat;
    wdf_call_t call = wdf_call_begin(request->object.driver);
    routine((WDFREQUEST)request, (WDFIOTARGET)target, &params, request->completion_context);
    WDF_CALL_END(&call, routine);
}

/* It is the driver's again. The request, and the target, may be gone when this returns. */
static void arrive(wdf_request_t *request)
{
    wdf_io_target_t *target = request->target;
    wdf_object_reference(&target->object);
    wdf_send_timer_stop(request);
    if (wdf_send_timer_is_over(request) && request->irp->IoStatus.Status == STATUS_CANCELLED)
        request->irp->IoStatus.Status = STATUS_IO_TIMEOUT;
    wdf_format_back(request);
    unlist(request, target);
    wdf_lock(&request->lock);
    KEVENT *waiter = request->waiter;
    request->waiter = NULL;
    request->target = NULL;
    request->is_back = request->is_formatted = false;
    request->place = WDF_REQUEST_DRIVER;
    wdf_unlock(&request->lock);
    if (waiter == NULL)
        call_completion(request, target);
    leave(target);
    if (waiter != NULL)
        (void)KeSetEvent(waiter, IO_NO_INCREMENT, FALSE);
    wdf_object_dereference("WdfRequestSend", &request->object);
    wdf_object_dereference("WdfRequestSend", &target->object);
}

static NTSTATUS completed_below(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    wdf_request_t *request = context;
    (void)device, (void)irp;
    wdf_lock(&request->lock);
    request->is_back = true;
    bool is_held = request->cancelling != 0;
    wdf_unlock(&request->lock);
    if (!is_held)
        arrive(request);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

void wdf_request_back(wdf_request_t *request, NTSTATUS status)
{
    request->irp->IoStatus.Status = status;
    request->irp->IoStatus.Information = 0;
    arrive(request);
}

/* ---- down ---- */

static void check_can_go(const char *routine, const wdf_request_t *request)
{
    if (request->place == WDF_REQUEST_SENT)
        wdf_stop(routine, "The request was sent before, and has not come back.", WDF_REQUEST_FATAL_ERROR,
                 WDF_REQUEST_FATAL_ERROR_REQUEST_ALREADY_SENT, (ULONG_PTR)request);
    if (request->irp == NULL)
        wdf_stop(routine, "The request has no IRP: it was not formatted for an I/O target.", WDF_REQUEST_FATAL_ERROR,
                 WDF_REQUEST_FATAL_ERROR_NULL_IRP, (ULONG_PTR)request);
    if (request->irp->CurrentLocation <= 1)
        wdf_stop(routine, "The request's IRP has no stack location for the target.", WDF_REQUEST_FATAL_ERROR,
                 WDF_REQUEST_FATAL_ERROR_NO_MORE_STACK_LOCATIONS, (ULONG_PTR)request->irp);
}

void wdf_request_launch(wdf_request_t *request, wdf_io_target_t *target)
{
    PIRP           irp = request->irp;
    PDEVICE_OBJECT device = wdf_io_target_device(target);
    if (target->file != NULL)
        IoGetNextIrpStackLocation(irp)->FileObject = target->file;
    IoSetCompletionRoutine(irp, completed_below, request, TRUE, TRUE, TRUE);
    (void)IoCallDriver(device, irp);
}

static NTSTATUS refuse(wdf_request_t *request, NTSTATUS status)
{
    request->status = status;
    if (request->irp != NULL)
        request->irp->IoStatus.Status = status;
    return status;
}

/* Among those of the target: on its way, STATUS_SUCCESS, or waiting there, STATUS_PENDING. */
static NTSTATUS enlist(wdf_request_t *request, wdf_io_target_t *target, ULONG flags, KEVENT *waiter)
{
    NTSTATUS status = STATUS_INVALID_DEVICE_STATE;
    wdf_object_reference(&request->object);
    wdf_lock(&target->lock);
    bool goes =
        target->device != NULL && (target->state == WdfIoTargetStarted || (flags & WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE) != 0);
    bool waits = target->device != NULL && !goes && target->state == WdfIoTargetStopped;
    if (goes || waits) {
        request->place = WDF_REQUEST_SENT;
        request->target = target;
        request->waiter = waiter;
        request->is_pended = waits;
        request->was_cancelled = false;
        InsertTailList(waits ? &target->pended : &target->sent, &request->sent);
        target->sent_count += goes;
        status = goes ? STATUS_SUCCESS : STATUS_PENDING;
    }
    wdf_unlock(&target->lock);
    if (!NT_SUCCESS(status))
        wdf_object_dereference("WdfRequestSend", &request->object);
    return status;
}

static NTSTATUS send(wdf_request_t *request, wdf_io_target_t *target, ULONG flags, KEVENT *waiter)
{
    NTSTATUS status = enlist(request, target, flags, waiter);
    if (!NT_SUCCESS(status))
        return refuse(request, status);
    if (status == STATUS_SUCCESS)
        wdf_request_launch(request, target);
    return STATUS_SUCCESS;
}

NTSTATUS wdf_request_send_and_wait(const char *routine, wdf_request_t *request, wdf_io_target_t *target, PWDF_REQUEST_SEND_OPTIONS options)
{
    KEVENT        event;
    bool          has_timeout = options != NULL && (options->Flags & WDF_REQUEST_SEND_OPTION_TIMEOUT) != 0;
    LARGE_INTEGER timeout = { .QuadPart = has_timeout ? options->Timeout : 0 };
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    check_can_go(routine, request);
    wdf_object_reference(&request->object);
    NTSTATUS status = send(request, target, options != NULL ? options->Flags : 0, &event);
    if (NT_SUCCESS(status)) {
        bool late = KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, has_timeout ? &timeout : NULL) == STATUS_TIMEOUT;
        if (late) {
            (void)wdf_request_cancel_sent(request);
            (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
        }
        status =
            late && request->irp->IoStatus.Status == STATUS_CANCELLED ? refuse(request, STATUS_IO_TIMEOUT) : request->irp->IoStatus.Status;
    }
    wdf_object_dereference(routine, &request->object);
    return status;
}

/* ---- and forget ---- */

static bool send_and_forget(const char *routine, wdf_request_t *request, wdf_io_target_t *target)
{
    PDEVICE_OBJECT device = wdf_io_target_device(target);
    PIRP           irp = request->irp;
    wdf_queue_t   *queue = request->queue;
    if (!wdf_request_is_of_queue(request) || device == NULL)
        return NT_SUCCESS(refuse(request, STATUS_INVALID_DEVICE_STATE));
    if (request->format.is_set)
        return NT_SUCCESS(refuse(request, STATUS_INVALID_DEVICE_REQUEST));
    wdf_request_require_owned(routine, request);
    wdf_request_require_unmarked(routine, request);
    if (!request->is_formatted)
        IoSkipCurrentIrpStackLocation(irp);
    wdf_object_reference(&request->object);
    request->place = WDF_REQUEST_DONE;
    wdf_request_delete_with_memory(routine, request);
    request->irp = NULL;
    (void)IoCallDriver(device, irp);
    if (queue != NULL)
        wdf_queue_completed(queue, request);
    wdf_object_dereference(routine, &request->object);
    return true;
}

/* ---- the driver's routines ---- */

static void check_options(const char *routine, const WDF_REQUEST_SEND_OPTIONS *options)
{
    if (options == NULL)
        return;
    bool forgets = (options->Flags & WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET) != 0;
    if (options->Size != sizeof *options || (options->Flags & ~(ULONG)VALID_OPTIONS) != 0 ||
        (forgets && (options->Flags & (WDF_REQUEST_SEND_OPTION_SYNCHRONOUS | WDF_REQUEST_SEND_OPTION_TIMEOUT)) != 0))
        wdf_break(routine, "The options' Size or Flags are wrong, or exclude each other.");
}

static BOOLEAN send_asynchronously(wdf_request_t *request, wdf_io_target_t *target, const WDF_REQUEST_SEND_OPTIONS *options)
{
    if (wdf_request_is_of_queue(request) && request->completion == NULL)
        return NT_SUCCESS(refuse(request, STATUS_INVALID_DEVICE_REQUEST));
    if (options != NULL && (options->Flags & WDF_REQUEST_SEND_OPTION_TIMEOUT) != 0) {
        NTSTATUS status = wdf_send_timer_start(request, options->Timeout);
        if (!NT_SUCCESS(status))
            return NT_SUCCESS(refuse(request, status));
    }
    bool sent = NT_SUCCESS(send(request, target, options != NULL ? options->Flags : 0, NULL));
    if (!sent)
        wdf_send_timer_stop(request);
    return sent;
}

BOOLEAN WdfRequestSend(WDFREQUEST Request, WDFIOTARGET Target, PWDF_REQUEST_SEND_OPTIONS Options)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_request_t   *request = WDF_FROM(Request, &wdf_request_type);
    wdf_io_target_t *target = WDF_FROM(Target, &wdf_io_target_type);
    check_options(__func__, Options);
    check_can_go(__func__, request);
    ULONG flags = Options != NULL ? Options->Flags : 0;
    if ((flags & WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET) != 0)
        return send_and_forget(__func__, request, target);
    if (wdf_request_is_of_queue(request)) {
        wdf_request_require_owned(__func__, request);
        wdf_request_require_unmarked(__func__, request);
    }
    if (!request->is_formatted)
        return NT_SUCCESS(refuse(request, STATUS_INVALID_DEVICE_REQUEST));
    if ((flags & WDF_REQUEST_SEND_OPTION_SYNCHRONOUS) == 0)
        return send_asynchronously(request, target, Options);
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    request->status = STATUS_SUCCESS;
    (void)wdf_request_send_and_wait(__func__, request, target, Options);
    return request->status != STATUS_INVALID_DEVICE_STATE;
}

BOOLEAN wdf_request_cancel_sent(wdf_request_t *request)
{
    BOOLEAN cancelled = FALSE;
    wdf_lock(&request->lock);
    bool             is_sent = request->place == WDF_REQUEST_SENT && !request->is_back;
    wdf_io_target_t *target = request->target;
    if (is_sent)
        request->cancelling++;
    wdf_unlock(&request->lock);
    if (!is_sent)
        return FALSE;
    if (wdf_io_target_take_pended(target, request)) {
        wdf_lock(&request->lock);
        request->cancelling--;
        wdf_unlock(&request->lock);
        wdf_request_back(request, STATUS_CANCELLED);
        return TRUE;
    }
    cancelled = IoCancelIrp(request->irp);
    wdf_lock(&request->lock);
    bool arrives = --request->cancelling == 0 && request->is_back;
    wdf_unlock(&request->lock);
    if (arrives)
        arrive(request);
    return cancelled;
}

BOOLEAN WdfRequestCancelSentRequest(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    wdf_object_reference(&request->object);
    BOOLEAN cancelled = wdf_request_cancel_sent(request);
    wdf_object_dereference(__func__, &request->object);
    return cancelled;
}

VOID WdfRequestSetCompletionRoutine(WDFREQUEST Request, PFN_WDF_REQUEST_COMPLETION_ROUTINE CompletionRoutine, WDFCONTEXT CompletionContext)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    request->completion = CompletionRoutine;
    request->completion_context = CompletionContext;
}

VOID WdfRequestGetCompletionParams(WDFREQUEST Request, PWDF_REQUEST_COMPLETION_PARAMS Params)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Params);
    if (Params->Size != sizeof *Params)
        wdf_break(__func__, "Params->Size is not that of a WDF_REQUEST_COMPLETION_PARAMS: WDF_REQUEST_COMPLETION_PARAMS_INIT sets it.");
    ULONG size = Params->Size;
    *Params = request->format.params;
    Params->Size = size;
    if (!request->format.is_set)
        Params->Type = WdfRequestTypeNoFormat;
    if (request->irp != NULL)
        Params->IoStatus = request->irp->IoStatus;
}

NTSTATUS WdfRequestAllocateTimer(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    return wdf_send_timer_make(request);
}
