/*
 * send_timer.c - the time that a request may be on its way: a KTIMER whose DPC cancels it.
 * A running timer holds a reference on the request; whoever takes the timer, or its queued DPC, back drops it, else the DPC does.
 *
 * Locks       none.
 * Source      WDK reference: wdfrequest.h, WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT, WdfRequestAllocateTimer.
 */
#include "wdf/send_timer.h"

#include "wdf/io_target.h"

#define TAG_TIMER NTMM_TAG("WdfT")

struct wdf_send_timer {
    KTIMER       timer;
    KDPC         dpc;
    _Atomic bool is_over;
};

static VOID expired(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_request_t *request = context;
    (void)dpc, (void)argument1, (void)argument2;
    atomic_store(&request->timer->is_over, true);
    (void)wdf_request_cancel_sent(request);
    wdf_object_dereference("WdfRequestSend", &request->object);
}

NTSTATUS wdf_send_timer_make(wdf_request_t *request)
{
    if (request->timer != NULL)
        return STATUS_SUCCESS;
    struct wdf_send_timer *timer = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *timer, TAG_TIMER);
    if (timer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeTimer(&timer->timer);
    KeInitializeDpc(&timer->dpc, expired, request);
    atomic_store(&timer->is_over, false);
    request->timer = timer;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_send_timer_start(wdf_request_t *request, LONGLONG timeout)
{
    LARGE_INTEGER due = { .QuadPart = timeout };
    NTSTATUS      status = wdf_send_timer_make(request);
    if (!NT_SUCCESS(status))
        return status;
    atomic_store(&request->timer->is_over, false);
    wdf_object_reference(&request->object);
    (void)KeSetTimer(&request->timer->timer, due, &request->timer->dpc);
    return STATUS_SUCCESS;
}

void wdf_send_timer_stop(wdf_request_t *request)
{
    struct wdf_send_timer *timer = request->timer;
    if (timer != NULL && (KeCancelTimer(&timer->timer) || KeRemoveQueueDpc(&timer->dpc)))
        wdf_object_dereference("WdfRequestSend", &request->object);
}

bool wdf_send_timer_is_over(const wdf_request_t *request) { return request->timer != NULL && atomic_load(&request->timer->is_over); }

void wdf_send_timer_free(wdf_request_t *request)
{
    if (request->timer != NULL)
        ExFreePoolWithTag(request->timer, TAG_TIMER);
    request->timer = NULL;
}
