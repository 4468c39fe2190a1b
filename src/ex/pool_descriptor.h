/*
 * pool_descriptor.h - the free blocks of one pool, by size.
 * Every list holds blocks of exactly one size, so the first non-empty list at or above a request is its best fit. A bitmap of the non-empty
 * lists finds it in a few instructions.
 *
 * A pool has several descriptors, each with pages of its own; PoolIndex in a block's header says which one the block belongs to:
 *
 *     nonpaged, either kind     0 .. nodes - 1      one for each NUMA node
 *     paged, one node           1 .. 4              so that paths that allocate at the same time seldom wait for each other
 *     paged, several nodes      1 .. nodes          one for each NUMA node
 *     paged                     0                   whole pages and prototype PTEs: it has no blocks
 *
 * Which of them serves a request: pool_select.c.
 *
 * Lock key: (L) descriptor->lock   (B) set at boot
 */
#ifndef NTMM_EX_POOL_DESCRIPTOR_H
#define NTMM_EX_POOL_DESCRIPTOR_H

#include "ex/pool_header.h"
#include "ex/pool_stop.h"
#include "ke/lock.h"
#include "mm/mm.h"

typedef struct ex_pool_counts { /* per path, since boot */
    uint64_t lookaside_p;       /* requests served by the list of the processor, */
    uint64_t lookaside_l;       /* by the one that all processors share, */
    uint64_t listed;            /* blocks cut from a listed free block, */
    uint64_t fresh;             /* blocks cut from a fresh page */
    uint64_t exact;             /* free blocks that left a list for a request of their own size */
    uint64_t split;             /* free blocks that were cut */
    uint64_t fresh_pages;       /* pages taken from mm for blocks */
    uint64_t merged;            /* neighbours joined */
    uint64_t returned_pages;    /* pages given back to mm when their last block was freed */
    uint64_t tails;             /* fragments behind large allocations */
    uint64_t deferred;          /* frees that waited, */
    uint64_t deferred_batches;  /* and how often those that waited were given together */
    uint64_t takes, gives;      /* times that the lists were asked for blocks, and given blocks, singly or in batches */
} ex_pool_counts_t;

typedef struct ex_descriptor {
    ke_lock_t        lock;
    mm_pool_t        pool;                /* (B) */
    uint8_t          index;               /* (B) what PoolIndex says in its blocks */
    uint8_t          paged;               /* (B) EX_TYPE_PAGED or 0 */
    uint8_t          node;                /* (B) NUMA node that its pages come from */
    uint64_t         nonempty[4];         /* (L) one bit a list */
    ex_pool_counts_t counts;              /* (L) */
    uint64_t         pages;               /* (L) pages of small blocks, the tails of large allocations not among them */
    size_t           out;                 /* (L) units that drivers and magazines have; others may read it at any time */
    void            *pending;             /* (L) deferred frees, the newest; linked through the bodies */
    uint32_t         pending_count;       /* (L) */
    LIST_ENTRY       list[EX_PAGE_UNITS]; /* (L) index: units */
} ex_descriptor_t;

#define EX_PAGED_DESCRIPTORS 4u /* on a machine with one node, besides number 0 */
#define EX_DESCRIPTORS_MAX (KE_PROCESSORS_MAX + 1)

extern ex_descriptor_t ex_descriptor_table[MM_POOLS][EX_DESCRIPTORS_MAX];
extern uint8_t         ex_descriptor_counts[MM_POOLS]; /* (B) how many of them this machine has */

void ex_descriptors_boot(uint32_t numa_nodes);

/* The descriptor that PoolIndex names. */
static inline bool             ex_descriptor_exists(mm_pool_t pool, unsigned index) { return index < ex_descriptor_counts[pool]; }
static inline ex_descriptor_t *ex_descriptor_of(mm_pool_t pool, unsigned index) { return &ex_descriptor_table[pool][index]; }
static inline unsigned         ex_descriptor_first(mm_pool_t pool) { return pool == MM_PAGED ? 1 : 0; } /* that has blocks */
static inline unsigned         ex_paged_bit(mm_pool_t pool) { return pool == MM_PAGED ? EX_TYPE_PAGED : 0; }

size_t             ex_pool_out(mm_pool_t pool); /* units that drivers and magazines have, in blocks; others may allocate meanwhile */
static inline void ex_descriptor_count_out_locked(ex_descriptor_t *descriptor, size_t more) /* modulo 2^64: more may be negative */
{
    __atomic_store_n(&descriptor->out, descriptor->out + more, __ATOMIC_RELAXED);
}
/* Units of the smallest listed block that is at least `units` long; 0: none. */
unsigned ex_descriptor_find_locked(const ex_descriptor_t *descriptor, unsigned units);
/* All three: false, or NULL, with *stop set when a link is damaged; then nothing has changed. Put on a list; a given block taken off; the
 * first of a list. */
bool         ex_descriptor_push_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, bool at_tail, ex_stop_t *stop);
bool         ex_descriptor_unlink_locked(ex_descriptor_t *descriptor, POOL_HEADER *header, unsigned units, ex_stop_t *stop);
POOL_HEADER *ex_descriptor_first_locked(const ex_descriptor_t *descriptor, unsigned units, ex_stop_t *stop);
/* Whether an address can be a list link of this pool: a head, or inside the pool's region. */
bool ex_descriptor_owns_link(const ex_descriptor_t *descriptor, const LIST_ENTRY *link);

#endif
