/*
 * pool_tag.h - who has how much pool: counters per tag, as !poolused shows them.
 */
#ifndef NTMM_EX_POOL_TAG_H
#define NTMM_EX_POOL_TAG_H

#include <stdatomic.h>

#include "ex/pool_thread.h"

/* What a row is for: tag * 4 + pool + 1, never 0. Marks: a tag that not every allocation routine accepts (no letter or digit in it, or
 * `BIG `, or 0), and a row of a machine that has stopped. The fast paths look for unmarked keys only, so a tag that needs judgement never
 * takes them. */
#define EX_TAG_ODD (1ull << 40)
#define EX_TAG_DISARMED (1ull << 41) /* the counters stay readable */
#define EX_TAG_BIG 0x20474942u       /* `BIG `: the pool's own, for large blocks that found no place in the big-page table */
#define EX_TAG_KEY(tag, pool) ((uint64_t)(tag)*4 + (uint64_t)(pool) + 1)
_Static_assert(MM_POOLS < 4, "a pool fits two bits");

typedef struct ex_tag_counts {
    uint64_t allocs, frees, alloc_bytes, free_bytes, alloc_requested, free_requested;
} ex_tag_counts_t;

static inline uint32_t  ex_tag_of_key(uint64_t key) { return (uint32_t)(key >> 2); }
static inline mm_pool_t ex_pool_of_key(uint64_t key) { return (mm_pool_t)((key & 3) - 1); }

/* Where a tag's row is looked for first. The same tag in another pool begins elsewhere. */
#define EX_TAG_SHIFT 24
_Static_assert(EX_THREAD_TAGS == 1u << (32 - EX_TAG_SHIFT), "the hash names a row");
#define EX_TAG_HASH(tag, pool) ((uint32_t)(tag)*0x9E3779B1u + (uint32_t)(pool)*0x55555555u)
static inline unsigned ex_tag_first_row(uint64_t key) { return EX_TAG_HASH(ex_tag_of_key(key), ex_pool_of_key(key)) >> EX_TAG_SHIFT; }

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
/* The row of an ordinary tag when it is where it is looked for first; NULL when it is somewhere else, or nowhere. */
static inline ex_tag_row_t *ex_tag_hit(ex_thread_t *own, uint32_t tag, mm_pool_t pool)
{
    ex_tag_row_t *row = &own->tags[EX_TAG_HASH(tag, pool) >> EX_TAG_SHIFT];
    return NTMM_LIKELY(atomic_load_explicit(&row->key, memory_order_relaxed) == EX_TAG_KEY(tag, pool)) ? row : NULL;
}
/* The busier of two tags with the same first row gets it: swaps the two, and returns the row that has the key now. */
ex_tag_row_t *ex_tag_promote(ex_thread_t *own, ex_tag_row_t *row, ex_tag_row_t *first);

static inline uint64_t ex_tag_row_calls(const ex_tag_row_t *row)
{
    return atomic_load_explicit(&row->allocs, memory_order_relaxed) + atomic_load_explicit(&row->frees, memory_order_relaxed);
}
/* The same, wherever in the thread's table it is. */
static inline ex_tag_row_t *ex_tag_find(ex_thread_t *own, uint32_t tag, mm_pool_t pool)
{
    uint64_t      key = EX_TAG_KEY(tag, pool), found;
    ex_tag_row_t *first = &own->tags[ex_tag_first_row(key)], *row = first, *end = &own->tags[EX_THREAD_TAGS];
    while ((found = atomic_load_explicit(&row->key, memory_order_relaxed)) != key) {
        if (found == 0)
            return NULL;
        row = row + 1 == end ? own->tags : row + 1;
    }
    return NTMM_UNLIKELY(row != first && ex_tag_row_calls(row) > 2 * ex_tag_row_calls(first)) ? ex_tag_promote(own, row, first) : row;
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

bool ex_tag_is_ordinary(uint32_t tag);
void ex_tag_count_alloc(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested); /* slow paths: any tag */
void ex_tag_count_free(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested);
void ex_tag_retire(ex_thread_t *own); /* the thread ends: its rows go to the machine's table */
void ex_tag_disarm(ex_thread_t *own); /* from any thread */
void ex_tags_boot(void);
/* Sums over all threads; tag 0 with `any`: over all tags. False when no row was found. */
bool ex_tag_sum(uint32_t tag, bool any, mm_pool_t pool, ex_tag_counts_t *sum);
void ex_tag_visit(void (*visit)(void *context, uint32_t tag, mm_pool_t pool, const ex_tag_counts_t *counts),
                  void *context); /* every row; a tag may come several times */

#endif
