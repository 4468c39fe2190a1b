/*
 * pool_fast.h - the path that most calls take: no lock, no atomic read-modify-write, no system call.
 *
 *     take   IRQL rule -> size to units -> the tag's row -> pop -> header word -> count
 *     give   IRQL rule -> header word -> right neighbour's word for it -> the tag's row -> mark -> push -> count
 *
 * Two more paths of that kind are a call away: a block of nearly the size, and whole pages.
 *
 * Whatever is out of the ordinary (no stock, no room, an unknown tag, a header that is not what it should be, a thread without a record, a
 * machine that has stopped) returns "not here" before anything was changed, and the slow path finds out. A thread's first look at the
 * empty record ends at the tag's row.
 *
 * Why it is quick: the header is one store and one load of the same eight bytes, so that a free right after an allocation does not wait
 * for the store; no counter is touched by both paths.
 */
#ifndef NTMM_EX_POOL_FAST_H
#define NTMM_EX_POOL_FAST_H

#include "ex/pool_big.h"
#include "ex/pool_find.h"
#include "ex/pool_magazine.h"
#include "ex/pool_tag.h"

#define EX_ALWAYS_INLINE static inline __attribute__((always_inline))

/* `near`: try harder. The tag's row may be anywhere, and an empty magazine is served by the next ones above it, up to 1/EX_NEAR_SHARE
 * larger. */
EX_ALWAYS_INLINE void *ex_fast_take(ke_thread_t *thread, mm_pool_t pool, size_t bytes, uint32_t tag, bool near)
{
    ex_thread_t  *own = ex_thread_of(thread);
    ex_tag_row_t *row = near ? ex_tag_find(own, tag, pool) : ex_tag_hit(own, tag, pool);
    unsigned      type = EX_TYPE_IN_USE | (pool == MM_PAGED ? EX_TYPE_PAGED : 0u);
    if (NTMM_UNLIKELY(thread->irql > ex_irql_limit(pool) || bytes - 1 >= EX_BLOCK_MAX || row == NULL))
        return NULL;
    size_t         units = ex_units(bytes);
    ex_magazine_t *magazine = &own->blocks[pool][units], *last = near ? ex_magazine_nearest(own->blocks[pool], units) : magazine;
    while (NTMM_UNLIKELY(magazine->head == NULL)) {
        if (magazine++ == last)
            return NULL;
        units++;
    }
    void *body = magazine->head, *next = *(void **)body;
    __builtin_prefetch(next, 1); /* its link is read when it is taken, and its bytes are written then */
    magazine->head = next;
    own->room += (ptrdiff_t)units;
    ex_set_word(ex_header_of(body), EX_WORD(units, type, tag, bytes));
    ex_tag_row_alloc(row, units << EX_UNIT_SHIFT, bytes);
    return body;
}

/* The right neighbour knows this block's size; at the end of the page there is none to ask. Without a branch on where the block ends: for
 * random sizes it would be guessed wrong, and found wrong only when the header has come from memory. */
EX_ALWAYS_INLINE bool ex_fast_right_agrees(const POOL_HEADER *header, unsigned unit, unsigned units)
{
    unsigned       end = unit + units;
    uintptr_t      mask = (uintptr_t)(end / EX_PAGE_UNITS) - 1; /* all ones; 0 at the end of the page: the block asks itself, in vain */
    uintptr_t      own = offsetof(POOL_HEADER, BlockSize);
    const uint8_t *asked = (const uint8_t *)((uintptr_t)header + own + ((((uintptr_t)units << EX_UNIT_SHIFT) - own) & mask));
    return units - 1 < EX_PAGE_UNITS - unit && (((uintptr_t)*asked ^ units) & mask) == 0; /* a size of 0 is out of range too */
}

EX_ALWAYS_INLINE bool ex_fast_give_to(ke_thread_t *thread, mm_pool_t pool, void *body, bool any_tag, uint32_t tag, bool near)
{
    unsigned type = EX_TYPE_IN_USE | (pool == MM_PAGED ? EX_TYPE_PAGED : 0u);
    if (NTMM_UNLIKELY(thread->irql > ex_irql_limit(pool) || BYTE_OFFSET(body) == 0 || BYTE_OFFSET(body) % 16 != 0))
        return false;
    POOL_HEADER *header = ex_header_of(body);
    uint64_t     word = ex_word(header);
    if (any_tag)
        tag = (uint32_t)(word >> 16) & ~PROTECTED_POOL; /* a protected block then has the wrong tag */
    if (NTMM_UNLIKELY(((word ^ EX_WORD(0, type, tag, 0)) & EX_WORD_OWNER_MASK) != 0))
        return false;
    unsigned       units = (unsigned)(word & 0xff);
    ex_thread_t   *own = ex_thread_of(thread);
    ex_magazine_t *magazine = &own->blocks[pool][units];
    ex_tag_row_t  *row = near ? ex_tag_find(own, tag, pool) : ex_tag_hit(own, tag, pool);
    if (NTMM_UNLIKELY(row == NULL || own->room < (ptrdiff_t)units || !ex_fast_right_agrees(header, ex_unit_of(header), units)))
        return false;
    ex_set_type(header, EX_TYPE_HELD | (type & EX_TYPE_PAGED));
    *(void **)body = magazine->head;
    magazine->head = body;
    own->room -= (ptrdiff_t)units;
    ex_tag_row_free(row, (size_t)units << EX_UNIT_SHIFT, (size_t)(word >> 48));
    return true;
}

EX_ALWAYS_INLINE bool ex_fast_give_any(ke_thread_t *thread, void *body, bool any_tag, uint32_t tag, bool near)
{
    if (NTMM_LIKELY(mm_in(&mm_physical_map, (uintptr_t)body)))
        return ex_fast_give_to(thread, MM_NONPAGED_NX, body, any_tag, tag, near);
    if (mm_in(&mm_paged_region, (uintptr_t)body))
        return ex_fast_give_to(thread, MM_PAGED, body, any_tag, tag, near);
    if (mm_in(&mm_executable_map, (uintptr_t)body))
        return ex_fast_give_to(thread, MM_NONPAGED_EXECUTE, body, any_tag, tag, near);
    return false;
}

/* Tag 0: whatever tag the block has. A branch and not a choice of values: with a tag given, its row does not wait for the header to
 * arrive. */
EX_ALWAYS_INLINE bool ex_fast_give(ke_thread_t *thread, void *body, uint32_t tag, bool near)
{
    return NTMM_LIKELY(tag != 0) ? ex_fast_give_any(thread, body, false, tag, near) : ex_fast_give_any(thread, body, true, 0, near);
}

/* ---- whole pages that the thread keeps ready ---- */

/* The owner entry of a page that is known to lie in the pool's region. For the two common pools by arithmetic alone: an entry that says RUN
 * says enough. */
EX_ALWAYS_INLINE mm_owner_t *ex_fast_owner(mm_pool_t pool, const void *page)
{
    if (pool == MM_NONPAGED_NX)
        return &mm_pfn_entry(((uintptr_t)page - mm_physical_map.base) >> PAGE_SHIFT)->owner;
    return pool == MM_PAGED ? mm_paged_owner(page) : mm_owner_of(page);
}

EX_ALWAYS_INLINE void *ex_fast_take_run(ke_thread_t *thread, mm_pool_t pool, size_t bytes, uint32_t tag)
{
    ex_thread_t  *own = ex_thread_of(thread);
    ex_tag_row_t *row = ex_tag_find(own, tag, pool);
    size_t        pages = BYTES_TO_PAGES(bytes);
    if (thread->irql > ex_irql_limit(pool) || row == NULL || pages > EX_RUN_PAGES_MAX || ex_big_tail_unit(bytes) != 0)
        return NULL;
    ex_magazine_t *magazine = &own->runs[pool][pages];
    void          *run = magazine->head;
    if (run == NULL || mm_in(&mm_system_pte_region, (uintptr_t)run))
        return NULL;
    magazine->head = *(void **)run;
    own->room += (ptrdiff_t)(pages * EX_PAGE_UNITS);
    ex_big_own(ex_fast_owner(pool, run), bytes, tag, 0);
    ex_tag_row_alloc(row, pages << PAGE_SHIFT, bytes);
    return run;
}

EX_ALWAYS_INLINE bool ex_fast_give_run_to(ke_thread_t *thread, mm_pool_t pool, void *run, uint32_t tag)
{
    ex_thread_t *own = ex_thread_of(thread);
    mm_owner_t  *owner = ex_fast_owner(pool, run);
    if (thread->irql > ex_irql_limit(pool) || owner == NULL || owner->use != MM_USE_POOL_RUN || owner->pool != pool || owner->flags != 0 ||
        (tag == 0 ? owner->tag & PROTECTED_POOL : owner->tag ^ tag) != 0)
        return false;
    size_t        pages = BYTES_TO_PAGES(owner->bytes);
    ex_tag_row_t *row = ex_tag_find(own, owner->tag, pool);
    if (row == NULL || pages > EX_RUN_PAGES_MAX || own->room < (ptrdiff_t)(pages * EX_PAGE_UNITS))
        return false;
    ex_magazine_t *magazine = &own->runs[pool][pages];
    owner->use = MM_USE_POOL_CACHED;
    *(void **)run = magazine->head;
    magazine->head = run;
    own->room -= (ptrdiff_t)(pages * EX_PAGE_UNITS);
    ex_tag_row_free(row, pages << PAGE_SHIFT, owner->bytes);
    return true;
}

EX_ALWAYS_INLINE bool ex_fast_give_run(ke_thread_t *thread, void *run, uint32_t tag)
{
    if (mm_in(&mm_physical_map, (uintptr_t)run))
        return ex_fast_give_run_to(thread, MM_NONPAGED_NX, run, tag);
    return mm_in(&mm_paged_region, (uintptr_t)run) && ex_fast_give_run_to(thread, MM_PAGED, run, tag);
}

#endif
