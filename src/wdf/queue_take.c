/*
 * queue_take.c - the driver takes requests off a queue, or looks at them, or puts them into another one.
 *
 * Locks       the queue's lock.
 * Source      WDK reference: wdfio.h, WdfIoQueueRetrieveNextRequest, WdfIoQueueFindRequest ...; wdfrequest.h, WdfRequestForwardToIoQueue.
 * Fidelity    requests of the driver's own (WdfRequestCreate) cannot be put into a queue.
 */
#include "wdf/file_object.h"
#include "wdf/queue.h"

/* ---- take ---- */

static NTSTATUS may_take_locked(const wdf_queue_t *queue)
{
    if (queue->config.DispatchType == WdfIoQueueDispatchParallel)
        return STATUS_INVALID_DEVICE_STATE;
    return queue->power == WDF_QUEUE_OFF || !queue->delivers ? STATUS_WDF_PAUSED : STATUS_SUCCESS;
}

static bool is_empty_transfer(const wdf_queue_t *queue, const wdf_request_t *request)
{
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    bool                     is_transfer = location->MajorFunction == IRP_MJ_READ || location->MajorFunction == IRP_MJ_WRITE;
    return is_transfer && location->Parameters.Read.Length == 0 && !queue->config.AllowZeroLengthRequests;
}

static NTSTATUS take(wdf_queue_t *queue, const FILE_OBJECT *file, WDFREQUEST *out)
{
    for (;;) {
        wdf_lock(&queue->lock);
        NTSTATUS       status = may_take_locked(queue);
        wdf_request_t *request = NT_SUCCESS(status) ? wdf_queue_next_of_locked(queue, file) : NULL;
        bool           is_empty = request != NULL && is_empty_transfer(queue, request);
        if (request != NULL && !is_empty)
            wdf_queue_own_locked(queue, request);
        wdf_unlock(&queue->lock);
        if (is_empty) {
            request->place = WDF_REQUEST_FRESH;
            wdf_request_refuse(request, STATUS_SUCCESS);
            continue;
        }
        if (request == NULL)
            return NT_SUCCESS(status) ? STATUS_NO_MORE_ENTRIES : status;
        request->is_presented = true;
        *out = (WDFREQUEST)request;
        return STATUS_SUCCESS;
    }
}

NTSTATUS WdfIoQueueRetrieveNextRequest(WDFQUEUE Queue, WDFREQUEST *OutRequest)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    WDF_REQUIRE(OutRequest);
    *OutRequest = NULL;
    return take(queue, NULL, OutRequest);
}

NTSTATUS WdfIoQueueRetrieveRequestByFileObject(WDFQUEUE Queue, WDFFILEOBJECT FileObject, WDFREQUEST *OutRequest)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    WDF_REQUIRE(OutRequest);
    wdf_file_t *file = WDF_FROM(FileObject, &wdf_file_type);
    *OutRequest = NULL;
    return take(queue, file->wdm, OutRequest);
}

/* ---- find ---- */

static bool is_waiting_locked(const wdf_queue_t *queue, const wdf_request_t *request)
{
    return request->queue == queue && request->place == WDF_REQUEST_WAITING && !IsListEmpty(&request->link);
}

static wdf_request_t *find_locked(wdf_queue_t *queue, wdf_request_t *behind, const FILE_OBJECT *file)
{
    PLIST_ENTRY entry = behind != NULL ? behind->link.Flink : queue->waiting.Flink;
    for (; entry != &queue->waiting; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, link);
        if (file == NULL || wdf_request_location(request)->FileObject == file)
            return request;
    }
    return NULL;
}

NTSTATUS WdfIoQueueFindRequest(WDFQUEUE Queue, WDFREQUEST FoundRequest, WDFFILEOBJECT FileObject, PWDF_REQUEST_PARAMETERS Parameters,
                               WDFREQUEST *OutRequest)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    WDF_REQUIRE(OutRequest);
    wdf_request_t *behind = FoundRequest != NULL ? WDF_FROM(FoundRequest, &wdf_request_type) : NULL;
    wdf_file_t    *file = FileObject != NULL ? WDF_FROM(FileObject, &wdf_file_type) : NULL;
    *OutRequest = NULL;
    if (Parameters != NULL && Parameters->Size < sizeof *Parameters)
        return STATUS_INVALID_PARAMETER_4;
    if (queue->config.DispatchType != WdfIoQueueDispatchManual)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_lock(&queue->lock);
    bool           is_lost = behind != NULL && !is_waiting_locked(queue, behind);
    wdf_request_t *request = is_lost ? NULL : find_locked(queue, behind, file != NULL ? file->wdm : NULL);
    if (request != NULL) {
        wdf_object_reference(&request->object);
        request->is_found = true;
        if (Parameters != NULL)
            wdf_request_parameters(request, Parameters);
    }
    wdf_unlock(&queue->lock);
    *OutRequest = (WDFREQUEST)request;
    return is_lost ? STATUS_NOT_FOUND : request == NULL ? STATUS_NO_MORE_ENTRIES : STATUS_SUCCESS;
}

NTSTATUS WdfIoQueueRetrieveFoundRequest(WDFQUEUE Queue, WDFREQUEST FoundRequest, WDFREQUEST *OutRequest)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    WDF_REQUIRE(OutRequest);
    wdf_request_t *request = WDF_FROM(FoundRequest, &wdf_request_type);
    *OutRequest = NULL;
    if (queue->config.DispatchType != WdfIoQueueDispatchManual)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_lock(&queue->lock);
    NTSTATUS status = may_take_locked(queue);
    if (NT_SUCCESS(status) && (!is_waiting_locked(queue, request) || !wdf_queue_remove_locked(queue, request)))
        status = STATUS_NOT_FOUND;
    if (NT_SUCCESS(status)) {
        wdf_queue_own_locked(queue, request);
        request->is_presented = true;
        *OutRequest = FoundRequest;
    }
    wdf_unlock(&queue->lock);
    return status;
}

/* ---- give back ---- */

static bool may_be_moved(const wdf_request_t *request)
{
    return request->io != NULL && request->queue != NULL && request->place == WDF_REQUEST_DRIVER && !request->is_marked;
}

NTSTATUS WdfRequestForwardToIoQueue(WDFREQUEST Request, WDFQUEUE DestinationQueue)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_queue_t   *queue = WDF_FROM(DestinationQueue, &wdf_queue_type);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    if (!may_be_moved(request) || request->queue == queue || request->queue->io != queue->io)
        return STATUS_INVALID_DEVICE_REQUEST;
    return wdf_queue_forward(queue, request);
}

NTSTATUS WdfRequestRequeue(WDFREQUEST Request)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    wdf_queue_t   *queue = request->queue;
    if (!may_be_moved(request) || queue->config.DispatchType != WdfIoQueueDispatchManual)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_lock(&queue->lock);
    wdf_queue_disown_locked(queue, request);
    bool alive = !queue->cancels_all && wdf_queue_insert_locked(queue, request, true);
    wdf_unlock(&queue->lock);
    if (!alive)
        wdf_queue_cancel_waiting(queue, request);
    wdf_queue_run(queue);
    return STATUS_SUCCESS;
}
