/*
 * dpc.h - what processor.c and thread.c need of the DPC queues.
 */
#ifndef NTMM_KE_DPC_H
#define NTMM_KE_DPC_H

#include "ke/thread.h"

void ke_dpc_kick(ke_processor_t *processor); /* DPCs are queued there and nobody else may come: its DPC thread shall run them */
bool ke_dpc_settle(void);                    /* wait, for a bounded time, until no DPC thread has anything to do */
void ke_dpc_shutdown(void);                  /* joins the DPC threads */

#endif
