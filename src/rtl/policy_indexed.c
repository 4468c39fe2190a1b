/*
 * policy_indexed.c - the page-run policy that asks the run index: the lowest run that satisfies every limit, whatever the fragmentation.
 * Everything it knows is in runs.h; this file only keeps the count of free units.
 */
#include "rtl/run_policy.h"

static void indexed_init(rt_run_space_t *space)
{
    rt_runs_init(&space->runs, space->unit_count, space->private_bytes);
    space->free_count = space->unit_count;
}

static void indexed_reset(rt_run_space_t *space)
{
    rt_runs_reset(&space->runs);
    space->free_count = space->unit_count;
}

static uint64_t indexed_find(rt_run_space_t *space, const rt_runs_want_t *want) { return rt_runs_find(&space->runs, want); }

static void indexed_take(rt_run_space_t *space, uint64_t start, uint64_t count)
{
    rt_runs_take(&space->runs, start, count);
    space->free_count -= count;
}

static void indexed_give(rt_run_space_t *space, uint64_t start, uint64_t count)
{
    rt_runs_give(&space->runs, start, count);
    space->free_count += count;
}

static uint32_t indexed_take_singles(rt_run_space_t *space, uint64_t low, uint64_t high, uint64_t *units, uint32_t most)
{
    uint32_t taken = rt_runs_take_singles(&space->runs, low, high, units, most);
    space->free_count -= taken;
    return taken;
}

static uint64_t indexed_longest(rt_run_space_t *space) { return rt_runs_longest(&space->runs); }

static bool indexed_check(rt_run_space_t *space, const char **what)
{
    if (!rt_runs_check(&space->runs, what))
        return false;
    *what = space->free_count == space->runs.free_count ? NULL : "indexed policy: the count of free units is wrong";
    return *what == NULL;
}

const rt_run_policy_t rt_policy_indexed = {
    .name = "indexed",
    .bytes = rt_runs_bytes,
    .init = indexed_init,
    .reset = indexed_reset,
    .find = indexed_find,
    .take = indexed_take,
    .give = indexed_give,
    .take_singles = indexed_take_singles,
    .longest = indexed_longest,
    .check = indexed_check,
};
