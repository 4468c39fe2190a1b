/*
 * pool_big.h - requests that get whole pages.
 */
#ifndef NTMM_EX_POOL_BIG_H
#define NTMM_EX_POOL_BIG_H

#include "ex/pool_descriptor.h"
#include "ex/pool_thread.h"

extern bool ex_big_tails; /* the tail of the last page is given back: since Vista */

/* Where the tail of the last page begins: units of it that the allocation needs; 0: there is no tail to give back. */
static inline unsigned ex_big_tail_unit(size_t bytes)
{
    unsigned units = ((unsigned)(bytes & (PAGE_SIZE - 1)) + EX_UNIT - 1) >> EX_UNIT_SHIFT;
    return ex_big_tails && units != 0 && EX_PAGE_UNITS - units >= EX_MIN_UNITS && units < EX_PAGE_UNITS ? units : 0;
}
static inline void ex_big_own(mm_owner_t *owner, size_t bytes, uint32_t tag, mm_pool_t pool, uint8_t flags)
{
    owner->bytes = bytes;
    owner->tag = tag;
    mm_owner_say(owner, MM_USE_POOL_RUN, (unsigned)pool, flags);
}

/* Every page of that node; MM_ANY_NODE: what the thread keeps ready, else near its processor. NULL: memory is short, or damaged. */
void *ex_big_take(ke_thread_t *thread, mm_pool_t pool, uint32_t node, size_t bytes, uint32_t tag, bool *zeroed, ex_stop_t *stop);
/* An MDL still has pages of it locked: *stop is set. */
bool   ex_big_is_locked(void *page, const mm_owner_t *owner, ex_stop_t *stop);
void   ex_big_give(ke_thread_t *thread, mm_pool_t pool, void *page, mm_owner_t *owner, ex_stop_t *stop);
size_t ex_big_bytes(const mm_owner_t *owner); /* what the allocation occupies: whole pages but for a tail given back */

#endif
