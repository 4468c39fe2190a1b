/*
 * send_timer.c - the time that a request may be on its way without somebody who waits for it.
 * Locks       none.
 * Source      WDK reference: wdfrequest.h, WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT, WdfRequestAllocateTimer.
 * Fidelity    refused: there are no timers yet. A synchronous send has its time-out.
 */
#include "wdf/send_timer.h"

NTSTATUS wdf_send_timer_make(wdf_request_t *request)
{
    (void)request;
    return ke_error(STATUS_NOT_SUPPORTED, "WdfRequestSend: a time-out needs a synchronous send here");
}

NTSTATUS wdf_send_timer_start(wdf_request_t *request, LONGLONG timeout)
{
    (void)timeout;
    return wdf_send_timer_make(request);
}

void wdf_send_timer_stop(wdf_request_t *request) { (void)request; }
bool wdf_send_timer_is_over(const wdf_request_t *request)
{
    (void)request;
    return false;
}
void wdf_send_timer_free(wdf_request_t *request) { (void)request; }
