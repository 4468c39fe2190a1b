/*
 * run_limits.h - what the limits of a request mean, said once for the run index and every page-run policy.
 * A run may begin only where (start + origin) is a multiple of align and the run does not cross a multiple of boundary. All are powers of
 * two, so the next such place is two additions and two masks away, and nobody has to try one start after the other.
 */
#ifndef NTMM_RTL_RUN_LIMITS_H
#define NTMM_RTL_RUN_LIMITS_H

#include "host/host.h"
#include "rtl/runs.h"

static inline bool     rt_is_power_of_two(uint64_t x) { return x != 0 && (x & (x - 1)) == 0; }
static inline uint64_t rt_round_up(uint64_t x, uint64_t power_of_two) { return (x + power_of_two - 1) & ~(power_of_two - 1); }

/* The same want with align at least 1 and high inside the space; false: nothing can satisfy it, whatever is free. */
static inline bool rt_want_normalise(rt_runs_want_t *want, uint64_t unit_count)
{
    if (want->align == 0)
        want->align = 1;
    if (want->high > unit_count)
        want->high = unit_count;
    NTMM_INVARIANT(rt_is_power_of_two(want->align), "an alignment is a power of two");
    NTMM_INVARIANT(want->boundary == 0 || rt_is_power_of_two(want->boundary), "a boundary is a power of two");
    return want->count != 0 && want->low < want->high && want->count <= want->high - want->low &&
           (want->boundary == 0 || want->count <= want->boundary);
}

/* The lowest start >= unit that align and boundary allow. The want is normalised. */
static inline uint64_t rt_allowed_start(const rt_runs_want_t *want, uint64_t unit)
{
    uint64_t at = rt_round_up(unit + want->origin, want->align);
    if (want->boundary != 0 && ((at ^ (at + want->count - 1)) & ~(want->boundary - 1)) != 0)
        at = (at | (want->boundary - 1)) + 1; /* aligned as well: with align >= boundary the run begins on a boundary and crosses none */
    return at - want->origin;
}

#endif
