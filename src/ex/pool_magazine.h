/*
 * pool_magazine.h - a thread's own stock of free blocks, and its exchanges with the descriptors.
 * The fast paths (pool_fast.h) take from and put into a magazine without any lock; everything here is called when that was not possible.
 */
#ifndef NTMM_EX_POOL_MAGAZINE_H
#define NTMM_EX_POOL_MAGAZINE_H

#include "ex/pool_descriptor.h"
#include "ex/pool_thread.h"

#define EX_NEAR_SHARE 16u /* a block may serve a request up to 1/16 smaller: less than the rounding of most allocators */

#define EX_LIMIT_MIN (512u << 10) /* bytes that any thread may keep */

extern bool ex_magazines_on;

void ex_magazines_boot(bool on);

/* The last magazine that may serve a request of `units`. */
static inline ex_magazine_t *ex_magazine_nearest(ex_magazine_t *blocks, size_t units)
{
    size_t last = units + units / EX_NEAR_SHARE;
    return &blocks[last < EX_PAGE_UNITS ? last : EX_PAGE_UNITS - 1];
}

/* A block of that size or a little larger, marked as held; NULL when memory is short or damaged (*stop set). */
POOL_HEADER *ex_magazine_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop);
/* A block that the driver has freed. */
void ex_magazine_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop);
/* Whole pages. */
void *ex_run_take(ke_thread_t *thread, mm_pool_t pool, size_t page_count); /* NULL: none ready */
bool  ex_run_put(ke_thread_t *thread, mm_pool_t pool, void *run, size_t page_count,
                 ex_stop_t *stop); /* false: not kept, the caller gives it to mm */
/* Everything this thread holds goes back. */
void ex_magazines_empty(ex_thread_t *own, ex_stop_t *stop);

#endif
