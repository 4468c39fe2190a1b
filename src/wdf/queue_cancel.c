/*
 * queue_cancel.c - requests that wait in a queue, or are marked cancelable by the driver, and IoCancelIrp.
 * Both have a cancel routine of ours. Who takes it back (IoSetCancelRoutine gives it to one taker alone) has the request:
 *
 *     IoCancelIrp took it    the routine runs, now or soon, and takes the request off its list; everybody else leaves it alone
 *     somebody else did      the request is his, and the cancel comes too late
 *
 *     waiting --cancelled--> STATUS_CANCELLED; or EvtIoCanceledOnQueue, if the driver had it before
 *     marked  --cancelled--> EvtRequestCancel, under the callbacks' lock
 *
 * Locks       the queue's lock.
 * Source      WDK reference: "Canceling I/O Requests" (KMDF), WdfRequestMarkCancelable; the published framework.
 */
#include "io/irp.h"
#include "wdf/queue.h"

static wdf_request_t *request_of(PIRP irp) { return irp->Tail.Overlay.DriverContext[0]; }

/* true: it was cancelled before, and the request is the caller's. */
static bool arm(wdf_request_t *request, PDRIVER_CANCEL routine)
{
    PIRP irp = request->irp;
    irp->Tail.Overlay.DriverContext[0] = request;
    (void)IoSetCancelRoutine(irp, routine);
    return io_irp_is_cancelled(irp) && IoSetCancelRoutine(irp, NULL) != NULL;
}

/* ---- those that wait ---- */

static void unlink_locked(wdf_queue_t *queue, wdf_request_t *request)
{
    RemoveEntryList(&request->link);
    InitializeListHead(&request->link);
    queue->waiting_count--;
}

static VOID cancel_waiting_irp(PDEVICE_OBJECT device, PIRP irp)
{
    wdf_request_t *request = request_of(irp);
    wdf_queue_t   *queue = request->queue;
    (void)device;
    wdf_object_reference(&queue->object);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    wdf_lock(&queue->lock);
    unlink_locked(queue, request);
    wdf_unlock(&queue->lock);
    wdf_queue_cancel_waiting(queue, request);
    wdf_queue_run(queue);
    wdf_object_dereference(__func__, &queue->object);
}

bool wdf_queue_insert_locked(wdf_queue_t *queue, wdf_request_t *request, bool at_head)
{
    request->place = WDF_REQUEST_WAITING;
    if (at_head)
        InsertHeadList(&queue->waiting, &request->link);
    else
        InsertTailList(&queue->waiting, &request->link);
    if (queue->waiting_count++ == 0)
        queue->from_empty = true;
    if (!arm(request, cancel_waiting_irp))
        return true;
    unlink_locked(queue, request);
    return false;
}

bool wdf_queue_remove_locked(wdf_queue_t *queue, wdf_request_t *request)
{
    if (IoSetCancelRoutine(request->irp, NULL) == NULL)
        return false;
    unlink_locked(queue, request);
    return true;
}

wdf_request_t *wdf_queue_next_of_locked(wdf_queue_t *queue, const FILE_OBJECT *file)
{
    for (PLIST_ENTRY entry = queue->waiting.Flink; entry != &queue->waiting; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        bool           is_wanted = file == NULL || wdf_request_location(request)->FileObject == file;
        if (is_wanted && wdf_queue_remove_locked(queue, request))
            return request;
    }
    return NULL;
}
wdf_request_t *wdf_queue_next_locked(wdf_queue_t *queue) { return wdf_queue_next_of_locked(queue, NULL); }

void wdf_queue_cancel_file(wdf_queue_t *queue, const FILE_OBJECT *file)
{
    wdf_request_t *request;
    wdf_lock(&queue->lock);
    while ((request = wdf_queue_next_of_locked(queue, file)) != NULL) {
        wdf_unlock(&queue->lock);
        wdf_queue_cancel_waiting(queue, request);
        wdf_lock(&queue->lock);
    }
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
}

void wdf_queue_cancel_waiting(wdf_queue_t *queue, wdf_request_t *request)
{
    bool for_driver = queue->config.EvtIoCanceledOnQueue != NULL && request->is_presented;
    wdf_lock(&queue->lock);
    request->is_cancelled = true;
    request->place = WDF_REQUEST_FRESH;
    if (for_driver) {
        wdf_queue_own_locked(queue, request);
        InsertTailList(&queue->cancelled_on_queue, &request->cancels);
    }
    wdf_unlock(&queue->lock);
    if (!for_driver)
        wdf_request_refuse(request, STATUS_CANCELLED);
}

/* ---- those that the driver has marked ---- */

static void call_for_driver_locked(wdf_queue_t *queue, wdf_request_t *request)
{
    request->is_cancelled = true;
    wdf_object_reference(&request->object);
    InsertTailList(&queue->cancelled, &request->cancels);
}

static VOID cancel_marked_irp(PDEVICE_OBJECT device, PIRP irp)
{
    wdf_request_t *request = request_of(irp);
    wdf_queue_t   *queue = request->queue;
    (void)device;
    wdf_object_reference(&queue->object);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    wdf_lock(&queue->lock);
    call_for_driver_locked(queue, request);
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
    wdf_object_dereference(__func__, &queue->object);
}

void wdf_queue_cancel_marked(wdf_queue_t *queue)
{
    wdf_lock(&queue->lock);
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        if (request->is_marked && IoSetCancelRoutine(request->irp, NULL) != NULL)
            call_for_driver_locked(queue, request);
    }
    wdf_unlock(&queue->lock);
}

/* STATUS_CANCELLED: it was cancelled before, and is not marked. */
static NTSTATUS mark_locked(wdf_queue_t *queue, wdf_request_t *request, PFN_WDF_REQUEST_CANCEL cancel)
{
    request->cancel = cancel;
    request->is_marked = true;
    if (!queue->cancels_all && !arm(request, cancel_marked_irp))
        return STATUS_SUCCESS;
    request->is_marked = false;
    return STATUS_CANCELLED;
}

static wdf_queue_t *queue_of(const char *routine, const wdf_request_t *request)
{
    wdf_request_require_owned(routine, request);
    wdf_request_require_unmarked(routine, request);
    return request->queue;
}

VOID WdfRequestMarkCancelable(WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(EvtRequestCancel);
    wdf_queue_t *queue = queue_of(__func__, request);
    wdf_lock(&queue->lock);
    bool cancelled = mark_locked(queue, request, EvtRequestCancel) == STATUS_CANCELLED;
    if (cancelled) {
        request->is_marked = true;
        call_for_driver_locked(queue, request);
    }
    wdf_unlock(&queue->lock);
    if (cancelled)
        wdf_queue_run(queue);
}

NTSTATUS WdfRequestMarkCancelableEx(WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(EvtRequestCancel);
    wdf_queue_t *queue = queue_of(__func__, request);
    wdf_lock(&queue->lock);
    NTSTATUS status = mark_locked(queue, request, EvtRequestCancel);
    wdf_unlock(&queue->lock);
    return status;
}

/* Of one whose cancel callback is due or has been called, only the flag may be looked at: the callback may have completed it, and nothing but
 * the caller's reference keeps it here. */
static NTSTATUS unmark_locked(wdf_request_t *request)
{
    if (request->is_cancelled)
        return STATUS_CANCELLED;
    if (!request->is_marked)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (IoSetCancelRoutine(request->irp, NULL) == NULL)
        return STATUS_CANCELLED;
    request->is_marked = false;
    return STATUS_SUCCESS;
}

NTSTATUS WdfRequestUnmarkCancelable(WDFREQUEST Request)
{
    NTSTATUS status = STATUS_INVALID_DEVICE_REQUEST;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    wdf_queue_t   *queue = request->queue;
    if (queue != NULL) {
        wdf_lock(&queue->lock);
        status = unmark_locked(request);
        wdf_unlock(&queue->lock);
    }
    if (status == STATUS_INVALID_DEVICE_REQUEST)
        wdf_request_require_owned(__func__, request);
    return status;
}

BOOLEAN WdfRequestIsCanceled(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    wdf_queue_t   *queue = request->queue;
    if (queue != NULL)
        wdf_lock(&queue->lock);
    bool is_cancelled = request->is_cancelled || (request->irp != NULL && io_irp_is_cancelled(request->irp));
    if (queue != NULL)
        wdf_unlock(&queue->lock);
    return is_cancelled;
}
