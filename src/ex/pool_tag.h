/*
 * pool_tag.h - who has how much pool: counters per tag, as !poolused shows them.
 * The first tags that a machine sees get a number from 1 to 255, one for each pool they are used in. The number says which row of a thread's
 * counters is theirs, and every block carries it in its header: an allocation finds it by the hash of the tag, a free reads it.
 */
#ifndef NTMM_EX_POOL_TAG_H
#define NTMM_EX_POOL_TAG_H

#include <stdatomic.h>

#include "ex/pool_thread.h"

/* What a number is for: tag * 4 + pool + 1, never 0. Marks: a tag that not every allocation routine accepts (no letter or digit in it, or
 * `BIG `, or 0), and a machine that has stopped, or on which nobody is to take a fast path. The fast paths look for unmarked keys only, so a tag that needs judgement never takes
 * them. */
#define EX_TAG_ODD (1ull << 40)
#define EX_TAG_CLOSED (1ull << 41) /* the counters stay readable */
#define EX_TAG_BIG 0x20474942u     /* `BIG `: the pool's own, for large blocks that found no place in the big-page table */
#define EX_TAG_KEY(tag, pool) ((uint64_t)(tag)*4 + (uint64_t)(pool) + 1)
_Static_assert(MM_POOLS < 4, "a pool fits two bits");

typedef struct ex_tag_counts {
    uint64_t allocs, frees, alloc_bytes, free_bytes, alloc_requested, free_requested;
} ex_tag_counts_t;

static inline uint32_t  ex_tag_of_key(uint64_t key) { return (uint32_t)(key >> 2); }
static inline mm_pool_t ex_pool_of_key(uint64_t key) { return (mm_pool_t)((key & 3) - 1); }

/* Where numbers are looked up: by hash, and then onwards to the first slot without a key. Changes under a lock, a slot at a time, and is read
 * without. */
#define EX_TAG_SLOT_BITS 11u /* many more slots than numbers, so that two tags seldom meet in one */
typedef struct ex_tag_slot {
    uint64_t key; /* 0: nobody's */
    /* The number, in the two forms that an allocation uses; written before the key, and never again. */
    uint32_t row;  /* bytes from the record of a thread to its row of counters */
    uint32_t mark; /* EX_TAG_MARK */
} ex_tag_slot_t;
static inline unsigned      ex_tag_slot_number(const ex_tag_slot_t *slot) { return slot->mark >> 16; }
static inline ex_tag_row_t *ex_tag_slot_row(ke_thread_t *thread, const ex_tag_slot_t *slot)
{
    return (ex_tag_row_t *)(void *)((char *)thread + slot->row);
}
extern ex_tag_slot_t ex_tag_slots[1u << EX_TAG_SLOT_BITS];

/* The slot that is looked at first. The same tag in another pool begins elsewhere. */
#define EX_TAG_HASH(tag, pool) ((uint32_t)(tag)*0x9E3779B1u + (uint32_t)(pool)*0x55555555u)
static inline ex_tag_slot_t *ex_tag_first_slot(uint32_t tag, mm_pool_t pool)
{
    return &ex_tag_slots[EX_TAG_HASH(tag, pool) >> (32 - EX_TAG_SLOT_BITS)];
}
static inline ex_tag_slot_t *ex_tag_next_slot(ex_tag_slot_t *slot)
{
    return slot + 1 == &ex_tag_slots[1u << EX_TAG_SLOT_BITS] ? ex_tag_slots : slot + 1;
}

/* The slot of an ordinary tag when it is the first one looked at; NULL when another tag has that, or none. */
static inline const ex_tag_slot_t *ex_tag_hit(uint32_t tag, mm_pool_t pool)
{
    const ex_tag_slot_t *slot = ex_tag_first_slot(tag, pool);
    return NTMM_LIKELY(EX_GLANCE_FIRST(slot->key) == EX_TAG_KEY(tag, pool)) ? slot : NULL;
}
/* The same, whichever it is. */
static inline const ex_tag_slot_t *ex_tag_find(uint32_t tag, mm_pool_t pool)
{
    ex_tag_slot_t *slot = ex_tag_first_slot(tag, pool);
    uint64_t       key;
    while ((key = EX_GLANCE_FIRST(slot->key)) != EX_TAG_KEY(tag, pool)) {
        if (key == 0)
            return NULL;
        slot = ex_tag_next_slot(slot);
    }
    return slot;
}

/* Only the row's thread writes: a plain add, of which others may read the outcome at any time. One instruction where the processor has one
 * that adds to memory; a compiler makes three of the atomic form, and the fast paths are short enough to notice. */
static inline void ex_tag_add(_Atomic uint64_t *counter, uint64_t amount)
{
#if defined(__x86_64__) && !EX_THREAD_SANITIZER
    __asm__("addq %1, %0" : "+m"(*(uint64_t *)counter) : "re"(amount) : "cc");
#else
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
#endif
}
static inline void ex_tag_row_alloc(ex_tag_row_t *row, size_t bytes, size_t requested)
{
    ex_tag_add(&row->allocs, 1);
    ex_tag_add(&row->alloc_bytes, bytes);
    ex_tag_add(&row->alloc_requested, requested);
}
static inline void ex_tag_row_free(ex_tag_row_t *row, size_t bytes, size_t requested)
{
    ex_tag_add(&row->frees, 1);
    ex_tag_add(&row->free_bytes, bytes);
    ex_tag_add(&row->free_requested, requested);
}

static inline void ex_tag_counts_add(ex_tag_counts_t *sum, const ex_tag_counts_t *counts)
{
    sum->allocs += counts->allocs;
    sum->frees += counts->frees;
    sum->alloc_bytes += counts->alloc_bytes;
    sum->free_bytes += counts->free_bytes;
    sum->alloc_requested += counts->alloc_requested;
    sum->free_requested += counts->free_requested;
}

bool ex_tag_is_ordinary(uint32_t tag);
/* Slow paths: any tag. The first returns the tag's number for the block's header; 0: it has none. */
unsigned ex_tag_count_alloc(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested);
void     ex_tag_count_free(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested);
void     ex_tags_boot(void);
void     ex_tags_close(void);             /* the machine stops: no fast path knows a tag any longer */
void     ex_tag_retire(ex_thread_t *own); /* the thread ends: its counts go to the machine's table */
/* Adds up one tag of one pool, or with `any` all tags of it. False: never used. */
bool ex_tag_sum(uint32_t tag, bool any, mm_pool_t pool, ex_tag_counts_t *sum);
void ex_tag_usage(const ex_tag_counts_t *sum, ntmm_pool_usage *out); /* all but the pages */
/* Every row of every thread and of the machine; a tag may come several times. */
void ex_tag_visit(void (*visit)(void *context, uint32_t tag, mm_pool_t pool, const ex_tag_counts_t *counts), void *context);

#endif
