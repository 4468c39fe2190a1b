/*
 * force_irql.h - forced IRQL checking: whoever raises to DISPATCH_LEVEL loses all pageable memory, there or not.
 *
 *     off    nobody pays: the fast paths of raise and lower do not ask
 *     on     every processor has KE_PENDING_FORCED, so each lower is a slow one, and gives the processor up; so each raise is a slow one, too
 *
 *            ke_raise_rare ---> ke_forced_raised ---> the hook: mm closes every page that may go; this thread closes its protection key
 *            ke_lower_rare ---> ke_forced_lowered     and opens it again
 *
 * Source  Windows Driver Verifier documentation: "Force IRQL Checking".
 */
#ifndef NTMM_KE_FORCE_IRQL_H
#define NTMM_KE_FORCE_IRQL_H

#include "host/protection_key.h"
#include "ke/thread.h"

extern void (*ke_force_hook)(void);        /* set at boot; NULL: off. Called at DISPATCH_LEVEL or above with no simulator lock held */
extern _Atomic uint32_t ke_threads_raised; /* while it is on: how many threads are at DISPATCH_LEVEL or above */
extern _Atomic uint64_t ke_force_raises;   /* raises from below DISPATCH_LEVEL, since boot */
void                    ke_force_irql(void (*hook)(void)); /* part of boot, when the processors are there */

/* The calling thread has come to DISPATCH_LEVEL or above, from below. */
static inline void ke_forced_raised(void)
{
    if (NTMM_LIKELY(ke_force_hook == NULL))
        return;
    atomic_fetch_add(&ke_threads_raised, 1);
    atomic_fetch_add(&ke_force_raises, 1);
    ke_force_hook();
    host_key_close();
}

/* And back. */
static inline void ke_forced_lowered(ke_thread_t *thread)
{
    if (NTMM_LIKELY(ke_force_hook == NULL))
        return;
    host_key_open();
    atomic_fetch_sub(&ke_threads_raised, 1);
    ke_processor_release(thread);
}

#endif
