/*
 * pool_front.c - who serves a request that the fast path did not: one of three stocks, chosen at boot.
 *
 *     default             this thread's magazines        pool_magazine.c
 *     no_magazines        nobody: the bare rules of the free lists, a block at a time
 *
 * Locks       none of its own.
 */
#include "ex/pool_front.h"

#include "ex/pool_select.h"

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
    return ex_magazines_on ? ex_magazine_take(thread, pool, units, stop) : take_bare(thread, pool, units, stop);
}

void ex_front_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    if (ex_magazines_on)
        ex_magazine_put(thread, pool, header, stop);
    else
        put_bare(pool, header, stop);
}
