/*
 * pool_front.c - who serves a request that the fast path did not: one of three stocks, chosen at boot.
 *
 *     default             this thread's magazines           pool_magazine.c
 *     classic_lookaside   lookaside lists, deferred frees   pool_lookaside.c
 *     no_magazines        nobody: the bare rules of the free lists, a block at a time
 *
 * Locks       none of its own.
 */
#include "ex/pool_front.h"

#include "ex/pool_big.h"
#include "ex/pool_lookaside.h"
#include "ex/pool_select.h"
#include "ex/pool_special.h"
#include "ex/pool_tools.h"

static POOL_HEADER *take_bare(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop)
{
    POOL_HEADER *header = NULL;
    ex_blocks_take(ex_descriptor_for(thread, pool), units, 1, true, &header, stop);
    return header;
}

static void put_bare(mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    void *body = ex_body(header);
    ex_set_type(header, EX_TYPE_HELD | ex_paged_bit(pool));
    ex_blocks_give(pool, &body, 1, stop);
}

POOL_HEADER *ex_front_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop)
{
    if (ex_magazines_on)
        return ex_magazine_take(thread, pool, units, stop);
    return ex_lookaside_on ? ex_lookaside_take(thread, pool, units, stop) : take_bare(thread, pool, units, stop);
}

void ex_front_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    if (ex_magazines_on)
        ex_magazine_put(thread, pool, header, stop);
    else if (ex_lookaside_on)
        ex_lookaside_put(thread, pool, header, stop);
    else
        put_bare(pool, header, stop);
}

void ex_found_give(ke_thread_t *thread, const ex_found_t *found, void *address, ex_stop_t *stop)
{
    if (found->header != NULL)
        ex_front_put(thread, found->pool, found->header, stop);
    else if (ex_is_special(found->owner))
        ex_special_give(address);
    else
        ex_big_give(thread, found->pool, address, found->owner, stop);
}

bool ex_front_give_all(ke_thread_t *thread, ex_stop_t *stop)
{
    ex_found_t found;
    if (stop->code != 0 || (!ex_magazines_on && !ex_tools_on))
        return false;
    for (void *address; stop->code == 0 && (address = ex_tools_oldest(&found)) != NULL;)
        ex_found_give(thread, &found, address, stop);
    ex_magazines_empty(ex_thread_of(thread), stop);
    return stop->code == 0;
}

/* ---- counters ---- */

static void add(ex_pool_counts_t *sum, const ex_pool_counts_t *more)
{
    uint64_t       *to = (uint64_t *)sum; /* nothing but counters of that type is in there */
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

static uint64_t hits_of(const ex_lookaside_set_t *set, mm_pool_t pool)
{
    uint64_t hits = 0;
    for (unsigned units = 0; units <= EX_LOOKASIDE_UNITS; units++)
        hits += set->list[pool][units].hits;
    return hits;
}

ex_pool_counts_t ex_pool_counts_of(mm_pool_t pool)
{
    ex_pool_counts_t sum = { 0 };
    for (unsigned index = 0; index < ex_descriptor_counts[pool]; index++)
        add(&sum, &ex_descriptor_of(pool, index)->counts);
    for (unsigned number = 0; number + 1 < ex_lookaside_sets(); number++)
        sum.lookaside_p += hits_of(ex_lookaside_set(number), pool);
    if (ex_lookaside_on)
        sum.lookaside_l = hits_of(ex_lookaside_set(ex_lookaside_sets() - 1), pool);
    return sum;
}
