/*
 * pool_aligned.h - the second header of a cache-aligned block.
 */
#ifndef NTMM_EX_POOL_ALIGNED_H
#define NTMM_EX_POOL_ALIGNED_H

#include "ex/pool_header.h"
#include "ex/pool_stop.h"

#define EX_CACHE_LINE 64u

void ex_aligned_boot(uint64_t seed);

/* A block of that type, a cache line larger than the request, gets a second header when its body does not begin at a cache line by itself. */
void ex_second_header_add(POOL_HEADER *header, unsigned type);
/* The driver's body of a block: behind the second header when there is one. */
void *ex_block_body(POOL_HEADER *header);
/* The block's own header, when this is the second one of a block; NULL: it is none. */
POOL_HEADER *ex_first_header(POOL_HEADER *second);
/* What the first header's block keeps of the second one is right; else *stop is set. */
bool ex_second_header_is_good(POOL_HEADER *first, ex_stop_t *stop);

#endif
