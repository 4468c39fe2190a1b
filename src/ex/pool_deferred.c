/*
 * pool_deferred.c - deferred frees: blocks that found no room on a lookaside list wait at their descriptor, and go to the free lists together.
 *
 *     free ---> pending (linked through the bodies, the newest first) --- 32 of them ---> given one after the other, the newest first
 *
 * A waiting block is free for the driver and taken for its neighbours: it joins nobody, and serves no request, until its turn comes. A
 * request that finds no memory, and shutdown, do not wait for the 32nd.
 *
 * Locks       the descriptor's, for the whole of a batch.
 * Source      published descriptions of the pool of Windows 7 (the pending list, its length, where it is processed).
 * Fidelity    the 32nd free itself processes the list, and the newest goes first: choices.
 */
#include "ex/pool_deferred.h"

#include "ex/pool_block.h"

static void process_locked(ex_descriptor_t *descriptor, ex_stop_t *stop)
{
    void *body = descriptor->pending;
    descriptor->pending = NULL;
    descriptor->pending_count = 0;
    descriptor->counts.deferred_batches++;
    descriptor->counts.gives++;
    while (body != NULL && stop->code == 0) {
        void *next = *(void **)body;
        ex_blocks_give_locked(descriptor, &body, 1, stop);
        body = next;
    }
}

void ex_deferred_put(mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    if (!ex_block_index_is_good(pool, header, stop))
        return;
    ex_descriptor_t *descriptor = ex_descriptor_of(pool, header->PoolIndex);
    void            *body = ex_body(header);
    ke_lock(&descriptor->lock);
    *(void **)body = descriptor->pending;
    descriptor->pending = body;
    descriptor->counts.deferred++;
    if (++descriptor->pending_count == EX_DEFERRED_MAX)
        process_locked(descriptor, stop);
    ke_unlock(&descriptor->lock);
}

void ex_deferred_flush(mm_pool_t pool, ex_stop_t *stop)
{
    for (unsigned index = ex_descriptor_first(pool); index < ex_descriptor_counts[pool] && stop->code == 0; index++) {
        ex_descriptor_t *descriptor = ex_descriptor_of(pool, index);
        ke_lock(&descriptor->lock);
        if (descriptor->pending_count != 0)
            process_locked(descriptor, stop);
        ke_unlock(&descriptor->lock);
    }
}
