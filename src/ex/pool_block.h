/*
 * pool_block.h - blocks smaller than a page: cut from free blocks and pages, joined again when freed.
 */
#ifndef NTMM_EX_POOL_BLOCK_H
#define NTMM_EX_POOL_BLOCK_H

#include "ex/pool_descriptor.h"

/* Up to `want` blocks of `units` each, in ascending order, marked as held. 0: there is no free block as large and the pool may not grow,
 * or the descriptor's node has no memory, or damaged (*stop set). */
unsigned ex_blocks_take_locked(ex_descriptor_t *descriptor, unsigned units, unsigned want, bool grow, POOL_HEADER **out, ex_stop_t *stop);
/* Blocks back, bodies[count] in ascending order; they join free neighbours and each other. Damage sets *stop: the machine is about to
 * stop, and what is found out of order is left as it is. */
void ex_blocks_give_locked(ex_descriptor_t *descriptor, void *const *bodies, unsigned count, ex_stop_t *stop);
/* Units [first, 256) of a page become one free block at the head of its list: the tail behind a large allocation. */
void ex_block_give_tail_locked(ex_descriptor_t *descriptor, void *page, unsigned first, ex_stop_t *stop);
/* The large allocation in front of such a tail is freed: units [0, units) become a block and are given back; the page is an ordinary pool
 * page now. */
void ex_block_give_head_locked(ex_descriptor_t *descriptor, void *page, unsigned units, ex_stop_t *stop);
/* The header next to a block says the same as the block's own. */
bool ex_block_agrees(const POOL_HEADER *header);
/* PoolIndex names a descriptor of the pool; else *stop is set. */
bool ex_block_index_is_good(mm_pool_t pool, const POOL_HEADER *header, ex_stop_t *stop);

#endif
