/*
 * pool_lookaside.h - the lookaside lists of the classic pool: small free blocks, ready for each processor (P) and for all (L).
 * In use when ntmm_config.classic_lookaside is set; then the threads' magazines are off.
 */
#ifndef NTMM_EX_POOL_LOOKASIDE_H
#define NTMM_EX_POOL_LOOKASIDE_H

#include "ex/pool_descriptor.h"
#include "ex/pool_thread.h"

#define EX_LOOKASIDE_UNITS 32u      /* largest block on such a list: 512 bytes with its header, with 4 KiB pages */
#define EX_LOOKASIDE_DEPTH_MIN 4u   /* blocks that a list may hold, at first and at least; */
#define EX_LOOKASIDE_DEPTH_MAX 256u /* and at most */
#define EX_LOOKASIDE_PERIOD 4096u   /* requests and frees of blocks from one scan to the next: it stands for a second */

extern bool ex_lookaside_on;

/* One list, last in first out, linked through the first word of the bodies. Lock key: (S) the lock of its set */
typedef struct ex_lookaside {
    void    *head;           /* (S) the newest */
    uint32_t count;          /* (S) blocks on it */
    uint32_t depth;          /* (S) blocks that a free may leave on it */
    uint32_t allocs, misses; /* (S) requests since the last scan, and those of them that found it empty */
    uint64_t hits;           /* (S) requests it has served since boot */
} ex_lookaside_t;

typedef struct ex_lookaside_set {                          /* what one processor has, or all together */
    ke_lock_t      lock;                                   /* KE_RANK_EX_POOL: never held together with a descriptor's */
    ex_lookaside_t list[MM_POOLS][EX_LOOKASIDE_UNITS + 1]; /* index: units */
} ex_lookaside_set_t;

void ex_pool_lookaside_boot(bool on);

/* A block of that size, marked as held: from P, from L, or from the descriptor; NULL when memory is short or damaged (*stop set). */
POOL_HEADER *ex_lookaside_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop);
/* A block that the driver has freed: to P, to L, or to the deferred frees. */
void ex_lookaside_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop);
/* Every list and every deferred free goes back to the descriptors; at DISPATCH_LEVEL those of paged pool stay. */
void ex_lookaside_empty(const ke_thread_t *thread, ex_stop_t *stop);
/* One turn of the tuning: depths follow the demand since the last one, and what is above them goes back. At APC_LEVEL or below. */
void ex_pool_lookaside_scan(void);

/* For walkers, other threads outside the library: the number of sets, and each of them; the last one is L. */
unsigned                  ex_lookaside_sets(void);
const ex_lookaside_set_t *ex_lookaside_set(unsigned number);

#endif
