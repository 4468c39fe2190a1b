/*
 * pool_front.h - the stock of free blocks that stands in front of the descriptors.
 */
#ifndef NTMM_EX_POOL_FRONT_H
#define NTMM_EX_POOL_FRONT_H

#include "ex/pool_find.h"
#include "ex/pool_magazine.h"

/* A block of that size or a little larger, marked as held; NULL when memory is short or damaged (*stop set). */
POOL_HEADER *ex_front_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop);
/* A block that the driver has freed. */
void ex_front_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop);
/* Any allocation that the driver has freed. */
void ex_found_give(ke_thread_t *thread, const ex_found_t *found, void *address, ex_stop_t *stop);
/* Memory is short: what this thread keeps ready, and what lies still for the tools, may be what is missing. False: nothing of the kind. */
bool ex_front_give_all(ke_thread_t *thread, ex_stop_t *stop);
/* How often each path was taken, all descriptors and lists together; for reports and tests, while other
 * threads rest. */
ex_pool_counts_t ex_pool_counts_of(mm_pool_t pool);

#endif
