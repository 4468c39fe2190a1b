/*
 * pool_descriptor.h - the free blocks of one pool, by size.
 * Every list holds blocks of exactly one size, so the first non-empty list at or above a request is its best fit. A bitmap of the non-empty
 * lists finds it in a few instructions.
 *
 * Lock key: (L) descriptor->lock
 */
#ifndef NTMM_EX_POOL_DESCRIPTOR_H
#define NTMM_EX_POOL_DESCRIPTOR_H

#include "ex/pool_header.h"
#include "ex/pool_stop.h"
#include "ke/lock.h"
#include "mm/mm.h"

typedef struct ex_pool_counts { /* per path, since boot */
    uint64_t exact;             /* blocks that left a list of their own size */
    uint64_t split;             /* free blocks that were cut */
    uint64_t fresh_pages;       /* pages taken from mm for blocks */
    uint64_t merged;            /* neighbours joined */
    uint64_t returned_pages;    /* pages given back to mm when their last block was freed */
    uint64_t tails;             /* fragments behind large allocations */
    uint64_t refills, flushes;  /* exchanges with magazines */
} ex_pool_counts_t;

typedef struct ex_descriptor {
    ke_lock_t        lock;
    mm_pool_t        pool;
    uint8_t          index;               /* what PoolIndex says in its blocks */
    uint8_t          paged;               /* EX_TYPE_PAGED or 0 */
    uint64_t         nonempty[4];         /* (L) one bit a list */
    ex_pool_counts_t counts;              /* (L) */
    uint64_t         pages;               /* (L) pages of small blocks, the tails of large allocations not among them */
    size_t           out;                 /* (L) units that drivers and magazines have; others may read it at any time */
    LIST_ENTRY       list[EX_PAGE_UNITS]; /* (L) index: units */
} ex_descriptor_t;

extern ex_descriptor_t ex_descriptors[MM_POOLS];

void                 ex_descriptors_boot(void);
static inline size_t ex_descriptor_out(const ex_descriptor_t *descriptor) { return __atomic_load_n(&descriptor->out, __ATOMIC_RELAXED); }
static inline void   ex_descriptor_count_out_locked(ex_descriptor_t *descriptor, size_t more) /* modulo 2^64: more may be negative */
{
    __atomic_store_n(&descriptor->out, descriptor->out + more, __ATOMIC_RELAXED);
}
/* Units of the smallest listed block that is at least `units` long; 0: none. */
unsigned ex_descriptor_find_locked(const ex_descriptor_t *descriptor, unsigned units);
void     ex_descriptor_push_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, bool at_tail);
/* First of the list, or a given block, taken off. False, with *stop set, when its links are damaged; then nothing has changed. */
bool         ex_descriptor_unlink_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, ex_stop_t *stop);
POOL_HEADER *ex_descriptor_first_locked(const ex_descriptor_t *descriptor, unsigned units, ex_stop_t *stop);
/* Whether an address can be a list link of this pool: a head, or inside the pool's region. */
bool ex_descriptor_owns_link(const ex_descriptor_t *descriptor, const LIST_ENTRY *link);

#endif
