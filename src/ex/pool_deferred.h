/*
 * pool_deferred.h - frees that wait for others, so that the descriptor is put in order once for many.
 */
#ifndef NTMM_EX_POOL_DEFERRED_H
#define NTMM_EX_POOL_DEFERRED_H

#include "ex/pool_descriptor.h"

#define EX_DEFERRED_MAX 32u

/* A block, marked as held, waits at its descriptor; with the 32nd all of them are given. */
void ex_deferred_put(mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop);
/* Whatever waits in the pool is given now. */
void ex_deferred_flush(mm_pool_t pool, ex_stop_t *stop);

#endif
