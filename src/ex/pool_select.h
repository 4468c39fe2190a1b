/*
 * pool_select.h - between the stocks in front and the descriptors behind: which descriptor serves a request, and which gets a block back.
 */
#ifndef NTMM_EX_POOL_SELECT_H
#define NTMM_EX_POOL_SELECT_H

#include "ex/pool_descriptor.h"
#include "ex/pool_thread.h"

void ex_select_boot(bool round_robin);

/* The descriptor whose turn it is for this thread. */
ex_descriptor_t *ex_descriptor_for(ke_thread_t *thread, mm_pool_t pool);
/* The descriptor for blocks on a page that was allocated for something else. */
ex_descriptor_t *ex_descriptor_for_page(ke_thread_t *thread, mm_pool_t pool, const void *page);

/* Up to `want` blocks of `units` each, in ascending order, marked as held, from the free blocks of one descriptor. With `grow` also from a
 * fresh page of its node, and when none can be had, from the pool's other descriptors, one after the other. 0: memory is short, or
 * damaged (*stop set). */
unsigned ex_blocks_take(ex_descriptor_t *home, unsigned units, unsigned want, bool grow, POOL_HEADER **out, ex_stop_t *stop);
/* One block, past every stock: of nonpaged pool from that node, and with `others_too` from others when it has no memory; MM_ANY_NODE: as if
 * asked by the thread's own. */
POOL_HEADER *ex_block_take_past_stock(ke_thread_t *thread, mm_pool_t pool, uint32_t node, bool others_too, unsigned units, ex_stop_t *stop);
/* Blocks of one pool back, in any order: sorted out, and those of one descriptor given under one lock hold, in ascending order. */
void ex_blocks_give(mm_pool_t pool, void **bodies, unsigned count, ex_stop_t *stop);

#endif
