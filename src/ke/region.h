/*
 * region.h - the APC disable count of a thread, for whoever compares it (DPC routines).
 */
#ifndef NTMM_KE_REGION_H
#define NTMM_KE_REGION_H

#include "ke/thread.h"

/* The combined count as the bug-check reference prints it: 0, less one in the low half per critical region, less one in the high half per
 * guarded one. */
ULONG_PTR ke_apc_disable_count(const ke_thread_t *thread);

#endif
