/*
 * balance.h - the machine's housekeeping, which Windows leaves to the balance set manager: from time to time every part that keeps things ready
 * is asked to look at what it keeps.
 *
 * Time is counted in operations, never in the host's seconds, so that a test sees the same thing on each run: a thread that has made
 * KE_BALANCE_PERIOD operations of the kind that tick (an allocation from a lookaside list does) scans, as soon as it is at APC_LEVEL or below.
 * ntmm_balance_scan() scans now.
 */
#ifndef NTMM_KE_BALANCE_H
#define NTMM_KE_BALANCE_H

#include "ke/thread.h"

#define KE_BALANCE_PERIOD 1024u /* operations of one thread */

/* Called by one thread at a time, at IRQL <= APC_LEVEL, with no lock of ours held. It may be in the middle of any driver's call, so it calls no
 * driver's routine. */
typedef void (*ke_balance_hook_t)(void);
void ke_balance_register(ke_balance_hook_t hook); /* idempotent; kept for the life of the process, asked in order of registration */

void ke_balance_scan(const char *routine); /* nothing when a scan is under way, or no machine is up */
void ke_balance_scan_when_due(ke_thread_t *thread);

/* The calling thread's operations until its next scan, in this boot of the machine. */
typedef struct ke_balance_clock {
    uint32_t generation, left;
} ke_balance_clock_t;
extern HOST_THREAD_LOCAL ke_balance_clock_t ke_balance_clock;

static inline void ke_balance_tick(ke_thread_t *thread)
{
    ke_balance_clock_t *clock = &ke_balance_clock;
    if (NTMM_LIKELY(clock->left > 1 && clock->generation == thread->generation))
        clock->left--;
    else
        ke_balance_scan_when_due(thread);
}

#endif
