/*
 * queue_state.c - what a driver, and power, do to a queue as a whole.
 *
 *                   accepts   delivers   what waits   what is marked cancelable   the caller is told when
 *     start         yes       yes
 *     stop          yes       no         stays                                    the driver has none
 *     drain         no        yes        delivered                                none is left
 *     purge         no        yes        cancelled    cancelled                   none is left
 *     stop & purge  yes       no         cancelled    cancelled                   the driver has none
 *
 *     power off     EvtIoStop for what the driver has; waits until each is completed, requeued, or acknowledged
 *     power on      EvtIoResume for what it still has
 *
 * Locks       the queue's lock.
 * Source      WDK reference: wdfio.h, "Managing I/O Queues", "Using the Framework's Power-Managed I/O Queues"; Bug Check 0x10D/0xA.
 */
#include "wdf/queue.h"

#define PATIENCE_100NS (-60 * 10000000LL)

/* ---- notices ---- */

/* Two of a kind at the same time are fatal. */
static void want_locked(const char *routine, wdf_queue_t *queue, wdf_queue_notice_t *place, const wdf_queue_notice_t *notice)
{
    static WDF_QUEUE_FATAL_ERROR_DATA data;
    if (notice->routine == NULL && notice->event == NULL)
        return;
    if (place->routine == NULL && place->event == NULL) {
        *place = *notice;
        return;
    }
    wdf_unlock(&queue->lock);
    data = (WDF_QUEUE_FATAL_ERROR_DATA){ .Queue = (WDFQUEUE)queue, .Status = STATUS_INVALID_DEVICE_REQUEST };
    wdf_stop(routine, "The queue is being stopped, drained or purged already, and only one caller can be told when that is done.",
             WDF_QUEUE_FATAL_ERROR, (ULONG_PTR)&data, 0);
}

/* ---- the changes ---- */

static void cancel_all_waiting(wdf_queue_t *queue)
{
    wdf_request_t *request;
    wdf_lock(&queue->lock);
    ULONG most = queue->waiting_count; /* a queue that still accepts may get new ones meanwhile */
    while (most-- != 0 && (request = wdf_queue_next_locked(queue)) != NULL) {
        wdf_unlock(&queue->lock);
        wdf_queue_cancel_waiting(queue, request);
        wdf_lock(&queue->lock);
    }
    wdf_unlock(&queue->lock);
}

static void stop(const char *routine, wdf_queue_t *queue, bool cancels, const wdf_queue_notice_t *notice)
{
    wdf_lock(&queue->lock);
    want_locked(routine, queue, &queue->idle, notice);
    queue->accepts = !queue->is_closed;
    queue->delivers = false;
    queue->cancels_all = queue->cancels_all || cancels;
    wdf_unlock(&queue->lock);
    if (cancels) {
        cancel_all_waiting(queue);
        wdf_queue_cancel_marked(queue);
    }
    wdf_queue_run(queue);
}

static void drain(const char *routine, wdf_queue_t *queue, bool cancels, const wdf_queue_notice_t *notice)
{
    wdf_lock(&queue->lock);
    want_locked(routine, queue, &queue->purged, notice);
    queue->accepts = false;
    queue->cancels_all = queue->cancels_all || cancels;
    wdf_unlock(&queue->lock);
    if (cancels) {
        cancel_all_waiting(queue);
        wdf_queue_cancel_marked(queue);
    }
    wdf_queue_run(queue);
}

typedef void (*change_t)(const char *routine, wdf_queue_t *queue, bool cancels, const wdf_queue_notice_t *notice);

static void tell(const char *routine, WDFQUEUE handle, change_t change, bool cancels, PFN_WDF_IO_QUEUE_STATE complete, WDFCONTEXT context)
{
    const wdf_queue_notice_t notice = { .routine = complete, .context = context };
    change(routine, (wdf_queue_t *)(void *)wdf_from_handle(routine, handle, &wdf_queue_type), cancels, &notice);
}

/* The framework's verifier loses its patience in the same way. */
static void wait_for(const char *routine, KEVENT *event)
{
    LARGE_INTEGER patience = { .QuadPart = PATIENCE_100NS };
    if (KeWaitForSingleObject(event, Executive, KernelMode, FALSE, &patience) == STATUS_TIMEOUT)
        wdf_break(routine, "For a minute the driver has not completed the requests of the queue that it has.");
}

static void wait(const char *routine, WDFQUEUE handle, change_t change, bool cancels)
{
    KEVENT                   event;
    const wdf_queue_notice_t notice = { .event = &event };
    wdf_queue_t             *queue = (wdf_queue_t *)(void *)wdf_from_handle(routine, handle, &wdf_queue_type);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    change(routine, queue, cancels, &notice);
    wait_for(routine, &event);
}

/* ---- the driver's routines ---- */

VOID WdfIoQueueStart(WDFQUEUE Queue)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    wdf_lock(&queue->lock);
    queue->accepts = !queue->is_closed;
    queue->delivers = true;
    queue->cancels_all = false;
    queue->from_empty = queue->from_empty || queue->waiting_count != 0;
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
}

VOID WdfIoQueueStop(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE StopComplete, WDFCONTEXT Context)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    tell(__func__, Queue, stop, false, StopComplete, Context);
}
VOID WdfIoQueueStopSynchronously(WDFQUEUE Queue)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wait(__func__, Queue, stop, false);
}
VOID WdfIoQueueDrain(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE DrainComplete, WDFCONTEXT Context)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    tell(__func__, Queue, drain, false, DrainComplete, Context);
}
VOID WdfIoQueueDrainSynchronously(WDFQUEUE Queue)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wait(__func__, Queue, drain, false);
}
VOID WdfIoQueuePurge(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE PurgeComplete, WDFCONTEXT Context)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    tell(__func__, Queue, drain, true, PurgeComplete, Context);
}
VOID WdfIoQueuePurgeSynchronously(WDFQUEUE Queue)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wait(__func__, Queue, drain, true);
}
VOID WdfIoQueueStopAndPurge(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE StopAndPurgeComplete, WDFCONTEXT Context)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    tell(__func__, Queue, stop, true, StopAndPurgeComplete, Context);
}
VOID WdfIoQueueStopAndPurgeSynchronously(WDFQUEUE Queue)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wait(__func__, Queue, stop, true);
}

NTSTATUS WdfIoQueueReadyNotify(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE QueueReady, WDFCONTEXT Context)
{
    NTSTATUS status = STATUS_SUCCESS;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    wdf_lock(&queue->lock);
    bool is_set = queue->ready.routine != NULL;
    if (queue->config.DispatchType != WdfIoQueueDispatchManual || is_set == (QueueReady != NULL) || (is_set && queue->delivers))
        status = STATUS_INVALID_DEVICE_REQUEST;
    else
        queue->ready = (wdf_queue_notice_t){ .routine = QueueReady, .context = Context };
    wdf_unlock(&queue->lock);
    if (NT_SUCCESS(status))
        wdf_queue_run(queue);
    return status;
}

/* ---- power ---- */

/* Whether it keeps the request, or has sent it on. */
static bool is_the_drivers(const wdf_request_t *request)
{
    return request->place == WDF_REQUEST_DRIVER || request->place == WDF_REQUEST_SENT;
}

static wdf_request_t *next_to_tell_locked(wdf_queue_t *queue)
{
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        if (!request->in_stop && !request->is_cancelled && is_the_drivers(request))
            return request;
    }
    return NULL;
}

static void tell_stop(wdf_queue_t *queue, ULONG action)
{
    wdf_request_t *request;
    if (queue->config.EvtIoStop == NULL)
        return;
    wdf_lock(&queue->lock);
    while ((request = next_to_tell_locked(queue)) != NULL) {
        ULONG flags = action | (request->is_marked ? (ULONG)WdfRequestStopRequestCancelable : 0u);
        request->in_stop = true;
        wdf_object_reference(&request->object);
        wdf_unlock(&queue->lock);
        WDF_QUEUE_CALL(queue, queue->config.EvtIoStop, (WDFQUEUE)queue, (WDFREQUEST)request, flags);
        wdf_object_dereference(__func__, &request->object);
        wdf_lock(&queue->lock);
    }
    wdf_unlock(&queue->lock);
}

/* What the driver acknowledged when the power went is one thing, what it has when the device goes is another. */
static void forget_stops_locked(wdf_queue_t *queue)
{
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        request->in_stop = false;
        request->stop = WDF_STOP_UNKNOWN;
    }
}

static void power_off(wdf_queue_t *queue, ULONG action)
{
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    wdf_lock(&queue->lock);
    queue->power = WDF_QUEUE_STOPPING;
    forget_stops_locked(queue);
    wdf_unlock(&queue->lock);
    tell_stop(queue, action);
    wdf_lock(&queue->lock);
    queue->power_idle = &event;
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
    wait_for("EvtDeviceD0Exit", &event);
}

void wdf_queue_power_off(wdf_queue_t *queue)
{
    if (queue->is_power_managed && queue->power == WDF_QUEUE_ON)
        power_off(queue, WdfRequestStopActionSuspend);
}

static wdf_request_t *next_to_resume_locked(wdf_queue_t *queue)
{
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        if (request->in_stop)
            return request;
    }
    return NULL;
}

static void tell_resume(wdf_queue_t *queue)
{
    wdf_request_t *request;
    wdf_lock(&queue->lock);
    while ((request = next_to_resume_locked(queue)) != NULL) {
        request->in_stop = false;
        request->stop = WDF_STOP_UNKNOWN;
        if (queue->config.EvtIoResume == NULL || request->is_cancelled || !is_the_drivers(request))
            continue;
        wdf_object_reference(&request->object);
        wdf_unlock(&queue->lock);
        WDF_QUEUE_CALL(queue, queue->config.EvtIoResume, (WDFQUEUE)queue, (WDFREQUEST)request);
        wdf_object_dereference(__func__, &request->object);
        wdf_lock(&queue->lock);
    }
    wdf_unlock(&queue->lock);
}

void wdf_queue_power_on(wdf_queue_t *queue)
{
    if (!queue->is_power_managed || queue->power == WDF_QUEUE_ON)
        return;
    tell_resume(queue);
    wdf_lock(&queue->lock);
    queue->power = WDF_QUEUE_ON;
    queue->from_empty = queue->from_empty || queue->waiting_count != 0;
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
}

void wdf_queue_close(wdf_queue_t *queue)
{
    const wdf_queue_notice_t nobody = { .routine = NULL };
    wdf_lock(&queue->lock);
    queue->is_closed = true;
    wdf_unlock(&queue->lock);
    drain("IRP_MN_REMOVE_DEVICE", queue, true, &nobody);
    power_off(queue, WdfRequestStopActionPurge);
}

void wdf_queue_reopen(wdf_queue_t *queue)
{
    wdf_lock(&queue->lock);
    queue->is_closed = queue->cancels_all = false;
    queue->accepts = queue->delivers = true;
    queue->power = queue->is_power_managed ? WDF_QUEUE_OFF : WDF_QUEUE_ON;
    wdf_unlock(&queue->lock);
}

VOID WdfRequestStopAcknowledge(WDFREQUEST Request, BOOLEAN Requeue)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    wdf_queue_t   *queue = request->queue;
    if (queue == NULL || !request->in_stop)
        wdf_break(__func__, "A request can be acknowledged only when EvtIoStop was called for it.");
    if (Requeue) {
        wdf_request_require_owned(__func__, request);
        wdf_request_require_unmarked(__func__, request);
    }
    wdf_lock(&queue->lock);
    request->stop = Requeue ? WDF_STOP_REQUEUE : WDF_STOP_ACKNOWLEDGED;
    if (Requeue)
        request->in_stop = false;
    wdf_unlock(&queue->lock);
    wdf_queue_run(queue);
}

/* The object goes: nothing may be left. */
void wdf_queue_end(wdf_queue_t *queue)
{
    KEVENT                   event;
    const wdf_queue_notice_t notice = { .event = &event };
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    wdf_lock(&queue->lock);
    queue->purged = (wdf_queue_notice_t){ .routine = NULL };
    wdf_unlock(&queue->lock);
    drain("WdfObjectDelete", queue, true, &notice);
    wait_for("WdfObjectDelete", &event);
}
