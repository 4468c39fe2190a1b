/*
 * send_timer.h - how long a request that was sent may take.
 */
#ifndef NTMM_WDF_SEND_TIMER_H
#define NTMM_WDF_SEND_TIMER_H

#include "wdf/request.h"

NTSTATUS wdf_send_timer_make(wdf_request_t *request);                    /* STATUS_INSUFFICIENT_RESOURCES */
NTSTATUS wdf_send_timer_start(wdf_request_t *request, LONGLONG timeout); /* the same; 100 ns. When it is over, the request is cancelled */
void     wdf_send_timer_stop(wdf_request_t *request);
bool     wdf_send_timer_is_over(const wdf_request_t *request);
void     wdf_send_timer_free(wdf_request_t *request);

#endif
