/*
 * policy_linear.c - the page-run policy that looks at every unit: what a machine without an index does, and what the documentation of
 * MmAllocateContiguousMemory warns of. It scans the caller's own entries (one state byte each, 0 and 1 mean free), lowest unit first,
 * and so gives the same answer as the indexed policy, later.
 *
 * The run index is kept too, as a record: it hands out single units, knows what was touched (reset, the walk over frames) and the longest
 * run, none of which a list through the entries would do differently for the caller. Only `find` is the thing compared, and it never asks
 * the record.
 *
 * Locks       none: the caller serialises, and writes the state bytes under the same lock as it takes and gives.
 * Invariants  a state byte says free <=> the record does (checked)
 * Source      WDK reference: MmAllocateContiguousMemory, remarks on searching large fragmented memory.
 */
#include "rtl/run_policy.h"

#include "rtl/run_limits.h"

#define LAST_FREE_STATE 1u

/* The owner of a unit that is in use may be changing its state, though never to or from free: any value it reads says "in use". */
static inline bool state_is_free(const rt_run_space_t *space, uint64_t unit)
{
    return __atomic_load_n(&space->state[unit * space->state_stride], __ATOMIC_RELAXED) <= LAST_FREE_STATE;
}

static uint64_t linear_find(rt_run_space_t *space, const rt_runs_want_t *want)
{
    rt_runs_want_t w = *want;
    if (!rt_want_normalise(&w, space->unit_count))
        return RT_RUNS_NONE;
    uint64_t candidate = 0; /* where the run may begin whose free units end at the scan */
    bool     in_run = false;
    for (uint64_t unit = w.low; unit < w.high; unit++) {
        if (!state_is_free(space, unit)) {
            in_run = false;
            continue;
        }
        if (!in_run)
            candidate = rt_allowed_start(&w, unit);
        in_run = true;
        if (unit + 1 >= candidate + w.count)
            return candidate;
    }
    return RT_RUNS_NONE;
}

static bool linear_check(rt_run_space_t *space, const char **what)
{
    if (!rt_policy_indexed.check(space, what))
        return false;
    for (uint64_t unit = 0; unit < space->unit_count; unit++)
        if (state_is_free(space, unit) != rt_runs_is_free(&space->runs, unit)) {
            *what = "linear policy: the state of a unit disagrees with the record of free units";
            return false;
        }
    return true;
}

static size_t   linear_bytes(uint64_t unit_count) { return rt_policy_indexed.bytes(unit_count); }
static void     linear_init(rt_run_space_t *space) { rt_policy_indexed.init(space); }
static void     linear_reset(rt_run_space_t *space) { rt_policy_indexed.reset(space); }
static void     linear_take(rt_run_space_t *space, uint64_t start, uint64_t count) { rt_policy_indexed.take(space, start, count); }
static void     linear_give(rt_run_space_t *space, uint64_t start, uint64_t count) { rt_policy_indexed.give(space, start, count); }
static uint64_t linear_longest(rt_run_space_t *space) { return rt_policy_indexed.longest(space); }

static uint32_t linear_take_singles(rt_run_space_t *space, uint64_t low, uint64_t high, uint64_t *units, uint32_t most)
{
    return rt_policy_indexed.take_singles(space, low, high, units, most);
}

const rt_run_policy_t rt_policy_linear = {
    .name = "linear",
    .bytes = linear_bytes,
    .init = linear_init,
    .reset = linear_reset,
    .find = linear_find,
    .take = linear_take,
    .give = linear_give,
    .take_singles = linear_take_singles,
    .longest = linear_longest,
    .check = linear_check,
};
