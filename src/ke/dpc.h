/*
 * dpc.h - what processor.c and thread.c need of the DPC queues.
 */
#ifndef NTMM_KE_DPC_H
#define NTMM_KE_DPC_H

#include "ke/thread.h"

void ke_dpc_kick(ke_processor_t *processor); /* DPCs are queued there and nobody else may come: its DPC thread shall run them */
bool ke_dpc_settle(void);                    /* wait, for a bounded time, until no DPC thread has anything to do */
void ke_dpc_shutdown(void);                  /* joins the DPC threads */

/* From a timer: it is queued for its target processor. Without one: for the caller's, and has run on return when the caller is below
 * DISPATCH_LEVEL; or for that processor, and runs when somebody comes there. false: it is queued already. */
bool        ke_dpc_queue_here(const char *routine, PKDPC dpc);
bool        ke_dpc_queue_there(const char *routine, PKDPC dpc, uint16_t processor);
const KDPC *ke_dpc_queued_in(uintptr_t address, size_t bytes); /* one that is queued, and lies there; NULL: none */
bool        ke_dpc_is_settled(void);                           /* no DPC thread has anything to do just now */

#endif
