/*
 * queue_dispatch.c - who gets a request, and when: the loop that every change of a queue ends in.
 *
 *     wdf_queue_run                  may this thread? else a work item (PASSIVE_LEVEL wanted) or a DPC (it holds the callbacks' lock) does it later
 *      |- EvtRequestCancel ..        callbacks that are due, each under the callbacks' lock
 *      |- stopped, drained, purged   who waits for that is told, when the last dispatcher has nothing in its hands
 *      `- deliver                    the next request goes to the driver: EvtIoRead, ...
 *
 * Any number of threads may be in the loop at once, for a parallel queue. A thread that comes back to it out of a callback, by completing a
 * request, leaves the rest to the loop that it is in, so that its stack does not grow with the number of requests.
 *
 * Locks       the queue's lock.
 * Source      WDK reference: "Framework Queue Objects", "Dispatching Methods for I/O Requests"; the published framework.
 * Fidelity    KMDF delivers the next request from inside WdfRequestComplete; here it waits until the callback returns (choice).
 */
#include "ex/work_queue.h"
#include "wdf/queue.h"

/* ---- callbacks of the driver ---- */

wdf_call_t wdf_queue_call_begin(wdf_queue_t *queue)
{
    wdf_callbacks_enter("WdfIoQueueCreate", queue->callback_lock);
    return wdf_call_begin(queue->object.driver);
}
void wdf_queue_call_end(wdf_queue_t *queue, const wdf_call_t *call, ULONG_PTR function)
{
    wdf_call_end(call, function);
    wdf_callbacks_leave("WdfIoQueueCreate", queue->callback_lock);
}

/* ---- one request to the driver ---- */

static bool is_empty_transfer(const wdf_queue_t *queue, const IO_STACK_LOCATION *location)
{
    bool is_transfer = location->MajorFunction == IRP_MJ_READ || location->MajorFunction == IRP_MJ_WRITE;
    return is_transfer && location->Parameters.Read.Length == 0 && !queue->config.AllowZeroLengthRequests;
}

static void deliver_control(wdf_queue_t *queue, WDFREQUEST handle, const IO_STACK_LOCATION *location)
{
    const WDF_IO_QUEUE_CONFIG *config = &queue->config;
    ULONG                      out = location->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG                      in = location->Parameters.DeviceIoControl.InputBufferLength;
    ULONG                      code = location->Parameters.DeviceIoControl.IoControlCode;
    if (location->MajorFunction == IRP_MJ_DEVICE_CONTROL)
        WDF_QUEUE_CALL(queue, config->EvtIoDeviceControl, (WDFQUEUE)queue, handle, out, in, code);
    else
        WDF_QUEUE_CALL(queue, config->EvtIoInternalDeviceControl, (WDFQUEUE)queue, handle, out, in, code);
}

static bool has_own_callback(const WDF_IO_QUEUE_CONFIG *config, UCHAR major)
{
    switch (major) {
    case IRP_MJ_READ: return config->EvtIoRead != NULL;
    case IRP_MJ_WRITE: return config->EvtIoWrite != NULL;
    case IRP_MJ_DEVICE_CONTROL: return config->EvtIoDeviceControl != NULL;
    case IRP_MJ_INTERNAL_DEVICE_CONTROL: return config->EvtIoInternalDeviceControl != NULL;
    default: return false;
    }
}

bool wdf_queue_has_callback(const wdf_queue_t *queue, UCHAR major)
{
    return queue->config.DispatchType == WdfIoQueueDispatchManual || queue->config.EvtIoDefault != NULL ||
           has_own_callback(&queue->config, major);
}

/* The driver may have completed it when a callback returns. */
static void deliver(wdf_queue_t *queue, wdf_request_t *request)
{
    const WDF_IO_QUEUE_CONFIG *config = &queue->config;
    const IO_STACK_LOCATION    location = *wdf_request_location(request);
    WDFREQUEST                 handle = (WDFREQUEST)request;
    if (is_empty_transfer(queue, &location) && wdf_queue_has_callback(queue, location.MajorFunction)) {
        wdf_request_refuse(request, STATUS_SUCCESS);
        return;
    }
    request->is_presented = true;
    if (!has_own_callback(config, location.MajorFunction)) {
        if (config->EvtIoDefault != NULL)
            WDF_QUEUE_CALL(queue, config->EvtIoDefault, (WDFQUEUE)queue, handle);
        else
            wdf_request_refuse(request, STATUS_INVALID_DEVICE_REQUEST);
    } else if (location.MajorFunction == IRP_MJ_READ)
        WDF_QUEUE_CALL(queue, config->EvtIoRead, (WDFQUEUE)queue, handle, location.Parameters.Read.Length);
    else if (location.MajorFunction == IRP_MJ_WRITE)
        WDF_QUEUE_CALL(queue, config->EvtIoWrite, (WDFQUEUE)queue, handle, location.Parameters.Write.Length);
    else
        deliver_control(queue, handle, &location);
}

/* ---- what is due: each step is begun with the lock held, and ends so; false: nothing was due ---- */

static bool call_cancelled_locked(wdf_queue_t *queue)
{
    if (IsListEmpty(&queue->cancelled))
        return false;
    wdf_request_t         *request = CONTAINING_RECORD(RemoveHeadList(&queue->cancelled), wdf_request_t, cancels);
    PFN_WDF_REQUEST_CANCEL cancel = request->cancel;
    InitializeListHead(&request->cancels);
    request->is_marked = false;
    request->cancel = NULL;
    wdf_unlock(&queue->lock);
    WDF_QUEUE_CALL(queue, cancel, (WDFREQUEST)request);
    wdf_object_dereference(__func__, &request->object);
    wdf_lock(&queue->lock);
    return true;
}

static bool call_cancelled_on_queue_locked(wdf_queue_t *queue)
{
    if (IsListEmpty(&queue->cancelled_on_queue))
        return false;
    wdf_request_t *request = CONTAINING_RECORD(RemoveHeadList(&queue->cancelled_on_queue), wdf_request_t, cancels);
    InitializeListHead(&request->cancels);
    wdf_unlock(&queue->lock);
    WDF_QUEUE_CALL(queue, queue->config.EvtIoCanceledOnQueue, (WDFQUEUE)queue, (WDFREQUEST)request);
    wdf_lock(&queue->lock);
    return true;
}

static bool give_notice_locked(wdf_queue_t *queue, wdf_queue_notice_t *notice)
{
    const wdf_queue_notice_t now = *notice;
    if (now.routine == NULL && now.event == NULL)
        return false;
    *notice = (wdf_queue_notice_t){ .routine = NULL };
    queue->cancels_all = false;
    wdf_unlock(&queue->lock);
    if (now.event != NULL)
        (void)KeSetEvent(now.event, IO_NO_INCREMENT, FALSE);
    else
        WDF_QUEUE_CALL(queue, now.routine, (WDFQUEUE)queue, now.context);
    wdf_lock(&queue->lock);
    return true;
}

/* The driver has none any more; none is left; and no other dispatcher is about to give it one. */
static bool give_notices_locked(wdf_queue_t *queue)
{
    if (queue->dispatcher_count != 1 || queue->owned_count != 0)
        return false;
    return give_notice_locked(queue, &queue->idle) || (queue->waiting_count == 0 && give_notice_locked(queue, &queue->purged));
}

static bool call_ready_locked(wdf_queue_t *queue)
{
    const wdf_queue_notice_t ready = queue->ready;
    if (ready.routine == NULL || !queue->from_empty)
        return false;
    queue->from_empty = false;
    wdf_unlock(&queue->lock);
    WDF_QUEUE_CALL(queue, ready.routine, (WDFQUEUE)queue, ready.context);
    wdf_lock(&queue->lock);
    return true;
}

static bool has_room_locked(const wdf_queue_t *queue)
{
    if (queue->config.DispatchType == WdfIoQueueDispatchSequential)
        return queue->owned_count == 0;
    return queue->owned_count < queue->config.Settings.Parallel.NumberOfPresentedRequests;
}

static bool deliver_next_locked(wdf_queue_t *queue)
{
    wdf_request_t *request = has_room_locked(queue) ? wdf_queue_next_locked(queue) : NULL;
    if (request == NULL)
        return false;
    wdf_queue_own_locked(queue, request);
    wdf_unlock(&queue->lock);
    deliver(queue, request);
    wdf_lock(&queue->lock);
    return true;
}

/* The driver does not mind the power going, and does not want it any more. */
static bool requeue_locked(wdf_queue_t *queue)
{
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        if (request->stop != WDF_STOP_REQUEUE || request->place != WDF_REQUEST_DRIVER)
            continue;
        wdf_queue_disown_locked(queue, request);
        if (!queue->cancels_all && wdf_queue_insert_locked(queue, request, true))
            return true;
        wdf_unlock(&queue->lock);
        wdf_queue_cancel_waiting(queue, request);
        wdf_lock(&queue->lock);
        return true;
    }
    return false;
}

/* The driver's requests have been completed, or are acknowledged, or back in the queue. */
static bool stop_power_locked(wdf_queue_t *queue)
{
    if (requeue_locked(queue))
        return true;
    for (PLIST_ENTRY entry = queue->owned.Flink; entry != &queue->owned; entry = entry->Flink)
        if (CONTAINING_RECORD(entry, wdf_request_t, link)->stop == WDF_STOP_UNKNOWN)
            return false;
    KEVENT *event = queue->power_idle;
    if (event == NULL || queue->dispatcher_count != 1)
        return false;
    queue->power_idle = NULL;
    queue->power = WDF_QUEUE_OFF;
    wdf_unlock(&queue->lock);
    (void)KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    wdf_lock(&queue->lock);
    return true;
}

static bool step_locked(wdf_queue_t *queue)
{
    if (call_cancelled_locked(queue) || call_cancelled_on_queue_locked(queue) || give_notices_locked(queue))
        return true;
    if (queue->power == WDF_QUEUE_STOPPING && stop_power_locked(queue))
        return true;
    if (queue->power != WDF_QUEUE_ON || !queue->delivers)
        return false;
    return queue->config.DispatchType == WdfIoQueueDispatchManual ? call_ready_locked(queue) : deliver_next_locked(queue);
}

/* ---- who may ---- */

static bool is_dispatching_locked(const wdf_queue_t *queue)
{
    for (const wdf_dispatcher_t *dispatcher = queue->dispatchers; dispatcher != NULL; dispatcher = dispatcher->outer)
        if (dispatcher->thread == ke_self())
            return true;
    return false;
}

static void run_deferred(wdf_queue_t *queue);
static VOID run_item(PVOID queue) { run_deferred(queue); }
static VOID run_dpc(PKDPC dpc, PVOID queue, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)argument1, (void)argument2;
    run_deferred(queue);
}

static void queue_deferred(wdf_queue_t *queue)
{
    if (queue->is_passive) {
        ExInitializeWorkItem(&queue->item, run_item, queue);
        ex_work_queue("WdfIoQueueCreate", &queue->item);
    } else {
        KeInitializeDpc(&queue->dpc, run_dpc, queue);
        (void)KeInsertQueueDpc(&queue->dpc, NULL, NULL);
    }
}

/* true: this thread must not; somebody else will, or does so already. Drops the lock then. */
static bool defer_locked(wdf_queue_t *queue)
{
    bool wrong_level = queue->is_passive && ke_self()->irql > PASSIVE_LEVEL;
    if (!wrong_level && (queue->callback_lock == NULL || !wdf_callback_lock_is_mine(queue->callback_lock)))
        return false;
    bool is_first = !queue->is_deferred;
    queue->is_deferred = queue->runs_again = true;
    if (is_first)
        wdf_object_reference(&queue->object);
    wdf_unlock(&queue->lock);
    if (is_first)
        queue_deferred(queue);
    return true;
}

static void loop_locked(wdf_queue_t *queue)
{
    wdf_dispatcher_t me = { .outer = queue->dispatchers, .thread = ke_self() };
    queue->dispatchers = &me;
    queue->dispatcher_count++;
    while (step_locked(queue))
        ;
    wdf_dispatcher_t **link = &queue->dispatchers;
    while (*link != &me)
        link = &(*link)->outer;
    *link = me.outer;
    queue->dispatcher_count--;
}

static void run_deferred(wdf_queue_t *queue)
{
    wdf_lock(&queue->lock);
    queue->runs_again = false;
    loop_locked(queue);
    bool again = queue->runs_again;
    queue->is_deferred = again;
    wdf_unlock(&queue->lock);
    if (again)
        queue_deferred(queue);
    else
        wdf_object_dereference(__func__, &queue->object);
}

/* The lock is held, and is not when this returns. */
static void run_locked(wdf_queue_t *queue)
{
    if (defer_locked(queue))
        return;
    loop_locked(queue);
    wdf_unlock(&queue->lock);
}

void wdf_queue_run(wdf_queue_t *queue)
{
    wdf_object_reference(&queue->object);
    wdf_lock(&queue->lock);
    run_locked(queue);
    wdf_object_dereference(__func__, &queue->object);
}

/* ---- requests come and go ---- */

void wdf_queue_own_locked(wdf_queue_t *queue, wdf_request_t *request)
{
    request->place = WDF_REQUEST_DRIVER;
    request->stop = WDF_STOP_UNKNOWN;
    request->is_found = false;
    InsertTailList(&queue->owned, &request->link);
    queue->owned_count++;
}
void wdf_queue_disown_locked(wdf_queue_t *queue, wdf_request_t *request)
{
    RemoveEntryList(&request->link);
    InitializeListHead(&request->link);
    queue->owned_count--;
}

/* The device must not be gone: to be called before a request may be completed. */
static void use_device(const wdf_queue_t *queue)
{
    if (queue->is_power_managed)
        wdf_idle_used(queue->io->device);
}

NTSTATUS wdf_queue_add(wdf_queue_t *queue, wdf_request_t *request)
{
    use_device(queue);
    wdf_lock(&queue->lock);
    bool accepted = queue->accepts;
    bool alive = true;
    if (accepted) {
        IoMarkIrpPending(request->irp);
        request->queue = queue;
        alive = wdf_queue_insert_locked(queue, request, false);
    }
    wdf_unlock(&queue->lock);
    if (!accepted || !alive)
        wdf_request_refuse(request, accepted ? STATUS_CANCELLED : STATUS_INVALID_DEVICE_STATE);
    else
        wdf_queue_run(queue);
    return accepted ? STATUS_PENDING : STATUS_INVALID_DEVICE_STATE;
}

NTSTATUS wdf_queue_forward(wdf_queue_t *queue, wdf_request_t *request)
{
    wdf_queue_t *from = request->queue;
    wdf_lock(&queue->lock);
    bool accepted = queue->accepts;
    wdf_unlock(&queue->lock);
    if (!accepted)
        return STATUS_WDF_BUSY;
    use_device(queue);
    wdf_object_reference(&from->object);
    wdf_lock(&from->lock);
    wdf_queue_disown_locked(from, request);
    wdf_unlock(&from->lock);
    wdf_lock(&queue->lock);
    request->queue = queue;
    bool alive = wdf_queue_insert_locked(queue, request, false);
    wdf_unlock(&queue->lock);
    if (!alive)
        wdf_queue_cancel_waiting(queue, request);
    wdf_queue_run(queue);
    wdf_queue_run(from);
    wdf_object_dereference(__func__, &from->object);
    return STATUS_SUCCESS;
}

/* A loop that this thread is in will go on by itself. */
void wdf_queue_completed(wdf_queue_t *queue, wdf_request_t *request)
{
    if (queue->is_power_managed)
        wdf_idle_unused(queue->io->device); /* while it cannot be gone */
    wdf_object_reference(&queue->object);
    wdf_lock(&queue->lock);
    wdf_queue_disown_locked(queue, request);
    if (is_dispatching_locked(queue))
        wdf_unlock(&queue->lock);
    else
        run_locked(queue);
    wdf_object_dereference(__func__, &queue->object);
}
