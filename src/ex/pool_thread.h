/*
 * pool_thread.h - what the pools keep for each thread: a stock of free blocks by size, and the counters of the tags it used.
 * It lies in ke_thread.upper. In the shared empty record all of it is zero, which the fast paths read as "no stock" and "no room": they go
 * the slow way without a test of their own.
 *
 * Lock key: (T) this thread only, or a walker while the thread is outside the library   (A) atomic: written by this thread, read by any
 */
#ifndef NTMM_EX_POOL_THREAD_H
#define NTMM_EX_POOL_THREAD_H

#include "ex/pool_header.h"
#include "ke/thread.h"
#include "mm/mm.h"

#define EX_TAG_NUMBERS 256u  /* tags whose counters a thread keeps for itself; number 0 is none */
#define EX_RUN_PAGES_MAX 16u /* runs of up to that many whole pages are kept ready */

/* What one thread has done with one tag in one pool. Counters of allocation and of free are apart, so that no word is modified by both. */
typedef struct ex_tag_row {
    _Atomic uint64_t allocs, alloc_bytes, alloc_requested; /* (A) */
    _Atomic uint64_t frees, free_bytes, free_requested;    /* (A) */
    uint64_t         pad[2];
} ex_tag_row_t;
_Static_assert(sizeof(ex_tag_row_t) == 64, "one cache line");

/* Free blocks of one size, or free runs of one length, last in first out, linked through the first word of their bodies. */
typedef struct ex_magazine {
    void    *head;  /* (T) the newest */
    uint32_t seen;  /* (T) low half of what head was when the clock hand came by: still the same, then hardly anybody used it */
    uint32_t batch; /* (T) blocks that the last refill asked for */
} ex_magazine_t;
#define EX_MAGAZINE_SHIFT 4
_Static_assert(sizeof(ex_magazine_t) == 1u << EX_MAGAZINE_SHIFT, "indexed by a shift");

typedef struct ex_thread {
    ex_tag_row_t  tags[EX_TAG_NUMBERS];                 /* index: the tag's number */
    ex_magazine_t blocks[MM_POOLS][EX_PAGE_UNITS];      /* index: units */
    ex_magazine_t runs[MM_POOLS][EX_RUN_PAGES_MAX + 1]; /* index: pages */
    ptrdiff_t     room;                 /* (T) units that the thread may still keep, all magazines together; negative: it keeps too much */
    ptrdiff_t     limit;                /* (T) room when all are empty */
    ptrdiff_t     kept_after[MM_POOLS]; /* (T) units it kept when it last gave back a pool's instead of growing that pool */
    uint32_t      hand;                 /* (T) the magazine that the clock hand visits next */
    uint32_t      paged_index;          /* (T) its paged descriptor on a machine with one node; 0: none chosen yet */
} ex_thread_t;
_Static_assert(sizeof(ex_thread_t) <= KE_THREAD_UPPER_BYTES, "fits the room that a thread record has for the pools");

static inline ex_thread_t *ex_thread_of(ke_thread_t *thread) { return (ex_thread_t *)(void *)thread->upper; }

#endif
