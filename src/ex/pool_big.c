/*
 * pool_big.c - requests too large for a block: whole pages, no header.
 * What a header would say stands in the owner entry of the first page: tag and bytes asked for. The part of the last page that nobody asked
 * for is given back as a free block, so that page is shared:
 *
 *     | page 0: owner RUN, bytes, tag | page 1: TAIL | page 2: TAIL, first_unit = k |
 *     |<---------------- the allocation ------------------------->|  blocks ....... |
 *                                                       unit k of the last page
 *
 * When the allocation is freed, the front of a shared page becomes a free block like any other, and the page lives as long as a block on
 * it does. Memory that found no consecutive frames, and was mapped page by page, keeps its tail: such a mapping is given back in one piece.
 * Allocations without a tail are kept ready by the thread that frees them (pool_magazine.c): owner CACHED. The table in which Windows keeps
 * their tags is there on request (pool_big_table.c).
 *
 * Locks       the descriptor's, for tails only.
 * Source      WDK reference: "Allocating system-space memory" (from Vista on the remainder of the last page is returned to the pool).
 */
#include "ex/pool_big.h"

#include "ex/pool_big_table.h"
#include "ex/pool_block.h"
#include "ex/pool_lookaside.h"
#include "ex/pool_magazine.h"
#include "ex/pool_select.h"
#include "ex/pool_tag.h"
#include "ex/pool_tools.h"

bool ex_big_tails;

static void *page_at(void *run, size_t index) { return (char *)run + (index << PAGE_SHIFT); }

static void *fresh_run(ke_thread_t *thread, mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    void *run = node == MM_ANY_NODE ? mm_pool_pages_alloc(pool, thread->processor->node, page_count, zeroed)
                                    : mm_pool_pages_alloc_on_node(pool, node, page_count, zeroed);
    if (run != NULL)
        ex_tools_pages(run, page_count);
    for (size_t i = 1; run != NULL && i < page_count; i++) {
        mm_owner_t *owner = mm_owner_of(page_at(run, i));
        owner->use = MM_USE_POOL_TAIL;
        owner->bytes = i;
    }
    return run;
}

static void give_tail(ke_thread_t *thread, mm_pool_t pool, void *last, unsigned first, ex_stop_t *stop)
{
    ex_descriptor_t *descriptor = ex_descriptor_for_page(thread, pool, last);
    ke_lock(&descriptor->lock);
    mm_owner_of(last)->first_unit = (uint8_t)first;
    ex_block_give_tail_locked(descriptor, last, first, stop);
    ke_unlock(&descriptor->lock);
}

void *ex_big_take(ke_thread_t *thread, mm_pool_t pool, uint32_t node, size_t bytes, uint32_t tag, bool *zeroed, ex_stop_t *stop)
{
    size_t   page_count = BYTES_TO_PAGES(bytes);
    unsigned tail = ex_big_tail_unit(bytes); /* 0 below when the frames turned out to be scattered */
    void    *run = tail == 0 && node == MM_ANY_NODE ? ex_run_take(thread, pool, page_count) : NULL;
    *zeroed = false;
    if (run == NULL)
        run = fresh_run(thread, pool, node, page_count, zeroed);
    if (run == NULL && ex_lookaside_on) { /* what the lists hold may be pages when it is joined */
        ex_lookaside_empty(thread, stop);
        run = stop->code == 0 ? fresh_run(thread, pool, node, page_count, zeroed) : NULL;
    }
    if (run == NULL)
        return NULL;
    if (mm_in(&mm_system_pte_region, (uintptr_t)run))
        tail = 0;
    if (ex_big_table_on && !ex_big_table_add(run, tag, page_count))
        tag = EX_TAG_BIG;
    ex_big_own(mm_owner_of(run), bytes, tag, pool, tail != 0 ? MM_OWNER_HAS_TAIL_BLOCKS : 0);
    if (tail != 0)
        give_tail(thread, pool, page_at(run, page_count - 1), tail, stop);
    return run;
}

size_t ex_big_bytes(const mm_owner_t *owner)
{
    if ((owner->flags & MM_OWNER_HAS_TAIL_BLOCKS) == 0)
        return ROUND_TO_PAGES(owner->bytes);
    return (owner->bytes + EX_UNIT - 1) & ~((size_t)EX_UNIT - 1);
}

/* The first header behind the allocation, as a driver leaves it that writes no further than it may. */
static bool header_behind_is_sound(const POOL_HEADER *behind) { return behind->PreviousSize == 0 && ex_block_agrees(behind); }

static void written_past_the_end(const void *run, const mm_owner_t *owner, const POOL_HEADER *behind, ex_stop_t *stop)
{
    ex_stop_set(stop, "Memory right behind a large pool allocation was overwritten.", BAD_POOL_HEADER, 0x21, (ULONG_PTR)run,
                (ULONG_PTR)owner->bytes, ex_header_contents(behind));
}

/* The last page goes on as an ordinary pool page: its front is freed like a block. */
static void give_front_of_last(mm_pool_t pool, void *run, const mm_owner_t *owner, ex_stop_t *stop)
{
    void        *last = page_at(run, BYTES_TO_PAGES(owner->bytes) - 1);
    mm_owner_t  *shared = mm_owner_of(last);
    unsigned     units = shared->first_unit;
    POOL_HEADER *behind = ex_at(last, units);
    if (!ex_descriptor_exists(pool, behind->PoolIndex)) {
        written_past_the_end(run, owner, behind, stop);
        return;
    }
    ex_descriptor_t *descriptor = ex_descriptor_of(pool, behind->PoolIndex);
    ke_lock(&descriptor->lock);
    if (header_behind_is_sound(behind)) {
        mm_owner_turn(shared, MM_USE_POOL_BLOCKS, 0, pool);
        ex_block_give_head_locked(descriptor, last, units, stop);
    } else {
        written_past_the_end(run, owner, behind, stop);
    }
    ke_unlock(&descriptor->lock);
}

/* On a last page that is shared it may be another's block that is locked. */
bool ex_big_is_locked(void *page, const mm_owner_t *owner, ex_stop_t *stop)
{
    size_t page_count = BYTES_TO_PAGES(owner->bytes) - ((owner->flags & MM_OWNER_HAS_TAIL_BLOCKS) != 0);
    if (NTMM_LIKELY((owner->flags & MM_OWNER_LOCKED) == 0))
        return false;
    mm_pfn_number_t pfn = mm_first_locked_page(page, page_count);
    if (pfn == MM_PFN_NONE)
        return false;
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    ex_stop_set(stop, "Pool was freed while an MDL has one of its pages locked for I/O, or mapped at addresses of a process.",
                PFN_LIST_CORRUPT, 0x9A, (ULONG_PTR)pfn, entry->list, atomic_load_explicit(&entry->pins, memory_order_relaxed));
    return true;
}

void ex_big_give(ke_thread_t *thread, mm_pool_t pool, void *page, mm_owner_t *owner, ex_stop_t *stop)
{
    size_t page_count = BYTES_TO_PAGES(owner->bytes);
    if (ex_big_table_on)
        ex_big_table_remove(page);
    if ((owner->flags & MM_OWNER_HAS_TAIL_BLOCKS) != 0) {
        give_front_of_last(pool, page, owner, stop);
        if (page_count > 1 && stop->code == 0)
            mm_pool_pages_free(pool, page, page_count - 1);
        return;
    }
    owner->use = MM_USE_POOL_CACHED; /* before it is kept or given away: from here on it is free */
    if (ex_big_table_on || !ex_run_put(thread, pool, page, page_count, stop))
        mm_pool_pages_free(pool, page, page_count);
}
