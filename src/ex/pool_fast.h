/*
 * pool_fast.h - the path that most calls take: no lock, no atomic read-modify-write, no system call.
 *
 *     take   IRQL rule -> size to units -> the tag's number -> pop -> header -> count
 *     give   IRQL rule -> header -> right neighbour's word for it -> mark -> push -> count
 *
 * Two more paths of that kind are a call away: a block of nearly the size, and whole pages.
 *
 * Whatever is out of the ordinary (no stock, no room, an unknown tag, a header that is not what it should be, a thread without a record, a
 * machine that has stopped) returns "not here" before anything was changed, and the slow path finds out. A thread's first look at the
 * empty record finds no stock and no room.
 *
 * Why it is quick: a free right after an allocation reads the header in the pieces in which it was stored, and does not wait for them; no
 * counter is touched by both paths; the number of the tag is looked up once and then stands in the header.
 */
#ifndef NTMM_EX_POOL_FAST_H
#define NTMM_EX_POOL_FAST_H

#include "ex/pool_big.h"
#include "ex/pool_find.h"
#include "ex/pool_magazine.h"
#include "ex/pool_tag.h"

#define EX_ALWAYS_INLINE static inline __attribute__((always_inline))
#define EX_LINE_BEGIN __attribute__((aligned(64))) /* the routine's short path takes as few lines of code as it can */

/* Where each pool's blocks lie, for the frees. No bytes: the machine has stopped, or there is none. */
extern mm_region_t ex_fast_regions[MM_POOLS];

EX_ALWAYS_INLINE bool ex_fast_in(mm_pool_t pool, const void *body)
{
    return (uintptr_t)body - ex_fast_regions[pool].base < EX_GLANCE(ex_fast_regions[pool].bytes);
}

/* `block`: bytes of a block. */
EX_ALWAYS_INLINE ex_magazine_t *ex_magazine_of(ex_thread_t *own, mm_pool_t pool, size_t block)
{
    return (ex_magazine_t *)(void *)((char *)own->blocks[pool] + (block >> (EX_UNIT_SHIFT - EX_MAGAZINE_SHIFT)));
}

/* NULL: the tag has no number, or (not `near`) it is in a later slot. */
EX_ALWAYS_INLINE const ex_tag_slot_t *ex_fast_slot(uint32_t tag, mm_pool_t pool, bool near)
{
    return near ? ex_tag_find(tag, pool) : ex_tag_hit(tag, pool);
}

/* For 1 to EX_BLOCK_MAX bytes. `near`: try harder. The tag's number may be in a later slot, and an empty magazine is served by the next ones
 * above it, up to 1/EX_NEAR_SHARE larger. */
EX_ALWAYS_INLINE void *ex_fast_take(ke_thread_t *thread, mm_pool_t pool, size_t bytes, uint32_t tag, bool near)
{
    ex_thread_t         *own = ex_thread_of(thread);
    unsigned             type = EX_TYPE_IN_USE | (pool == MM_PAGED ? EX_TYPE_PAGED : 0u);
    const ex_tag_slot_t *slot = ex_fast_slot(tag, pool, near);
    if (NTMM_UNLIKELY(slot == NULL || thread->irql > ex_irql_limit(pool)))
        return NULL;
    size_t         block = ex_block_bytes(bytes);
    ex_magazine_t *magazine = ex_magazine_of(own, pool, block),
                  *last = near ? ex_magazine_nearest(own->blocks[pool], block >> EX_UNIT_SHIFT) : magazine;
    while (NTMM_UNLIKELY(magazine->head == NULL)) {
        if (magazine++ == last)
            return NULL;
        block += EX_UNIT;
    }
    void *body = magazine->head, *next = *(void **)body;
    __builtin_prefetch(next, 1); /* its link is read when it is taken, and its bytes are written then */
    magazine->head = next;
    size_t units = block >> EX_UNIT_SHIFT;
    own->room += (ptrdiff_t)units;
    ex_header_own(ex_header_of(body), (unsigned)units, type, tag, bytes, slot->mark);
    ex_tag_row_alloc(ex_tag_slot_row(thread, slot), block, bytes);
    return body;
}

/* The right neighbour knows this block's size; at the end of the page there is none, and the block's own word stands in. Chosen without a
 * branch: for random sizes it would be guessed wrong, and found wrong only when the header has come from memory. No units at all are far
 * too many. */
EX_ALWAYS_INLINE bool ex_fast_right_agrees(const POOL_HEADER *header, unsigned unit, size_t units)
{
    const size_t own = offsetof(POOL_HEADER, BlockSize);
    int64_t      over = (int64_t)((uint64_t)(uint32_t)(units - 1) + unit) - (EX_PAGE_UNITS - 1); /* 0: the page's last */
    size_t       to_right = ((units << EX_UNIT_SHIFT) - own) & (size_t)(over >> 63);
    return over <= 0 && ((const uint8_t *)header)[own + to_right] == units;
}

/* Tag 0: whatever tag the block has, unless it is protected. */
EX_ALWAYS_INLINE bool ex_fast_tag_agrees(uint32_t has, uint32_t tag)
{
    return NTMM_LIKELY(has == tag) || (tag == 0 && (has & PROTECTED_POOL) == 0);
}

/* unit: ex_unit_before(body), less than EX_PAGE_UNITS. The body lies in the pool's region. */
EX_ALWAYS_INLINE bool ex_fast_give_to(ke_thread_t *thread, mm_pool_t pool, void *body, unsigned unit, uint32_t tag)
{
    const unsigned paged = pool == MM_PAGED ? EX_TYPE_PAGED : 0u;
    if (NTMM_UNLIKELY(thread->irql > ex_irql_limit(pool)))
        return false;
    POOL_HEADER *header = ex_header_of(body);
    if (NTMM_UNLIKELY(!ex_fast_tag_agrees(header->PoolTag, tag) || ex_type(header) != (EX_TYPE_IN_USE | paged)))
        return false;
    ex_thread_t *own = ex_thread_of(thread);
    size_t       units = header->BlockSize, number = ex_tag_number(header);
    if (NTMM_UNLIKELY(own->room < (ptrdiff_t)units || !ex_fast_right_agrees(header, unit, units)))
        return false;
    ex_magazine_t *magazine = &own->blocks[pool][units];
    ex_set_type(header, EX_TYPE_HELD | paged);
    *(void **)body = magazine->head;
    magazine->head = body;
    own->room -= (ptrdiff_t)units;
    ex_tag_row_free(&own->tags[number], units << EX_UNIT_SHIFT, ex_requested_plain(header));
    return true;
}

/* ---- whole pages that the thread keeps ready ---- */

/* The owner entry of a page that is known to lie in the pool's region, by arithmetic alone: an entry that says RUN says enough. The entries
 * are as regular as the pages, so one shift leads from the address of a page to that of its entry, but for a constant. A free waits for it:
 * the entry says into which magazine the pages go. */
extern uintptr_t ex_fast_owner_bias[MM_POOLS];
#define EX_OWNER_SHIFT(pool) (PAGE_SHIFT - ((pool) == MM_PAGED ? 4 : 5)) /* bytes of an mm_owner_t, of an mm_pfn_t */
_Static_assert(sizeof(mm_owner_t) == 1u << 4 && sizeof(mm_pfn_t) == 1u << 5, "the distance of two entries is a shift");

EX_ALWAYS_INLINE mm_owner_t *ex_fast_owner(mm_pool_t pool, const void *page)
{
    return (mm_owner_t *)(((uintptr_t)page >> EX_OWNER_SHIFT(pool)) + ex_fast_owner_bias[pool]);
}

/* No magazine of no pages has any: that is what 0 bytes find, and so many that their pages cannot be counted. */
EX_ALWAYS_INLINE void *ex_fast_take_run(ke_thread_t *thread, mm_pool_t pool, size_t bytes, uint32_t tag, bool near)
{
    ex_thread_t *own = ex_thread_of(thread);
    size_t       pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (NTMM_UNLIKELY(pages > EX_RUN_PAGES_MAX || thread->irql > ex_irql_limit(pool)))
        return NULL;
    ex_magazine_t       *magazine = &own->runs[pool][pages];
    void                *run = magazine->head;
    const ex_tag_slot_t *slot = ex_fast_slot(tag, pool, near);
    if (NTMM_UNLIKELY(run == NULL || slot == NULL || ((bytes & (PAGE_SIZE - 1)) != 0 && ex_big_tail_unit(bytes) != 0)))
        return NULL;
    magazine->head = *(void **)run;
    own->room += (ptrdiff_t)(pages * EX_PAGE_UNITS);
    ex_big_own(ex_fast_owner(pool, run), bytes, tag, pool, 0);
    ex_tag_row_alloc(ex_tag_slot_row(thread, slot), pages << PAGE_SHIFT, bytes);
    return run;
}

EX_ALWAYS_INLINE bool ex_fast_give_run_to(ke_thread_t *thread, mm_pool_t pool, void *run, uint32_t tag, bool near)
{
    ex_thread_t *own = ex_thread_of(thread);
    mm_owner_t  *owner = ex_fast_owner(pool, run);
    if (NTMM_UNLIKELY(thread->irql > ex_irql_limit(pool) || !mm_owner_says(owner, MM_USE_POOL_RUN, pool, 0) ||
                      !ex_fast_tag_agrees(owner->tag, tag)))
        return false;
    size_t               pages = (owner->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    const ex_tag_slot_t *slot = ex_fast_slot(owner->tag, pool, near);
    if (NTMM_UNLIKELY(slot == NULL || pages > EX_RUN_PAGES_MAX || own->room < (ptrdiff_t)(pages * EX_PAGE_UNITS)))
        return false;
    ex_magazine_t *magazine = &own->runs[pool][pages];
    owner->use = MM_USE_POOL_CACHED;
    *(void **)run = magazine->head;
    magazine->head = run;
    own->room -= (ptrdiff_t)(pages * EX_PAGE_UNITS);
    ex_tag_row_free(ex_tag_slot_row(thread, slot), pages << PAGE_SHIFT, owner->bytes);
    return true;
}

EX_ALWAYS_INLINE bool ex_fast_give_run(ke_thread_t *thread, void *run, uint32_t tag, bool near)
{
    if (ex_fast_in(MM_NONPAGED_NX, run))
        return ex_fast_give_run_to(thread, MM_NONPAGED_NX, run, tag, near);
    return ex_fast_in(MM_PAGED, run) && ex_fast_give_run_to(thread, MM_PAGED, run, tag, near);
}

#endif
