/*
 * pool_stop.h - a bug check that is about to happen.
 * Damage is found deep inside the pools, often with the descriptor's lock held, where nobody may stop the machine. So it is written down
 * here and handed up; the routine that the driver called lets go of everything and then stops.
 */
#ifndef NTMM_EX_POOL_STOP_H
#define NTMM_EX_POOL_STOP_H

#include "ke/bugcheck.h"

typedef struct ex_stop {
    ULONG       code; /* 0: nothing is wrong */
    ULONG_PTR   parameter[4];
    const char *why; /* one sentence */
} ex_stop_t;

static inline void ex_stop_set(ex_stop_t *stop, const char *why, ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    if (stop->code == 0) /* the first finding counts: what follows it may be its consequence */
        *stop = (ex_stop_t){ code, { p1, p2, p3, p4 }, why };
}
static inline void ex_stop_if_set(const char *routine, const ex_stop_t *stop)
{
    if (NTMM_UNLIKELY(stop->code != 0))
        ke_bugcheck(routine, stop->why, stop->code, stop->parameter[0], stop->parameter[1], stop->parameter[2], stop->parameter[3]);
}

#endif
