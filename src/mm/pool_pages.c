/*
 * pool_pages.c - whole pages for the pools.
 *
 *     nonpaged, 1 page    a frame from this thread's cache, at its home: address = map + physical address         no lock, no system call
 *     nonpaged, n pages   a run of frames, at home                                                                 no system call
 *                         no such run: frames from anywhere, mapped in a row through system PTEs
 *     paged, n pages      a run of addresses of the paged region; the bytes lie in the page's slot
 *         up to 16        with frames, open: more come with them while the pool grows
 *         more            no frames but where the gate was left open: they come when a page is touched (page_fault.c)
 *
 * Invariants  a paged page that is taken has a PTE that says so, one that is free has none, but for what is left of it (pte.h)
 * Locks       nonpaged: none of its own. Paged: mm_paging_lock for all of an allocation; frames are fetched under it.
 * Elsewhere   how many pages the host is asked for at once: pool_growth.c. Limits: charge.h. States of a pageable page: page_state.c. Left-over bytes: slots.c. Blocks within a page, owners' words: ex.
 *             Fault injection is asked by the caller.
 */
#include <string.h>

#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/paging.h"
#include "mm/pool_growth.h"
#include "mm/system_pte.h"

#define FREE_AT_ONCE 64u /* pages: a free of so many gives its slots back without waiting for the batch */
#define MAKE_MOST 64u    /* pages of a run that may get frames at once: longer ones left no gate open when they were freed */

/* ---- nonpaged ---- */

uint32_t mm_node_of_home(const void *va)
{
    const mm_region_t *map = mm_in(&mm_executable_map, (uintptr_t)va) ? &mm_executable_map : &mm_physical_map;
    return mm_frames.node_count > 1 && mm_in(map, (uintptr_t)va) ? mm_node_of_frame(((uintptr_t)va - map->base) >> PAGE_SHIFT) : 0;
}

static mm_pfn_number_t get_run(uint32_t node, size_t page_count, bool *zeroed)
{
    mm_frame_want_t want = { .page_count = page_count, .low = 0, .high = UINT64_MAX, .node = node };
    mm_pfn_number_t first = mm_frames_get(&want, zeroed);
    if (first == MM_PFN_NONE && node != MM_ANY_NODE) {
        want.node = MM_ANY_NODE;
        first = mm_frames_get(&want, zeroed);
    }
    return first;
}

static unsigned access_of(mm_pool_t pool) { return HOST_READ | HOST_WRITE | (pool == MM_NONPAGED_EXECUTE ? HOST_EXECUTE : 0u); }

static void *nonpaged_alloc(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    mm_pfn_number_t first = page_count == 1 ? mm_frame_get_or_reclaim(node, zeroed) : get_run(node, page_count, zeroed);
    if (first == MM_PFN_NONE && page_count > 1)
        return mm_scattered_alloc(node, page_count, access_of(pool), pool, 1 + MmCached, zeroed);
    if (first == MM_PFN_NONE)
        return NULL;
    for (size_t i = 0; i < page_count; i++)
        mm_pfn_entry(first + i)->owner.pool = (uint8_t)pool;
    if (*zeroed)
        mm_pool_expect_homes(pool, first, page_count);
    return mm_home_address(pool, first);
}

static void *nonpaged_alloc_on_node(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    mm_frame_want_t want = { .page_count = page_count, .low = 0, .high = UINT64_MAX, .node = node };
    mm_pfn_number_t first = mm_frames_get(&want, zeroed);
    if (first == MM_PFN_NONE)
        return page_count > 1 ? mm_scattered_alloc_on_node(node, page_count, access_of(pool), pool, 1 + MmCached, zeroed) : NULL;
    for (size_t i = 0; i < page_count; i++)
        mm_pfn_entry(first + i)->owner.pool = (uint8_t)pool;
    return mm_home_address(pool, first);
}

static void nonpaged_free(mm_pool_t pool, void *va, size_t page_count)
{
    if (mm_in(&mm_system_pte_region, (uintptr_t)va)) {
        mm_scattered_free(va, page_count);
        return;
    }
    const mm_region_t *map = pool == MM_NONPAGED_EXECUTE ? &mm_executable_map : &mm_physical_map;
    NTMM_INVARIANT(mm_in(map, (uintptr_t)va), "pages are freed to the pool that they came from");
    mm_pfn_number_t first = ((uintptr_t)va - map->base) >> PAGE_SHIFT;
    if (page_count == 1)
        mm_frame_put_inline(first);
    else
        mm_frames_put(first, page_count);
}

/* ---- paged ---- */

/* Slots behind a page that are zero and free, where a group of `most` begins: their pages most likely come next. */
static size_t slots_ahead(size_t index, size_t most)
{
    size_t count = 1;
    while (index % most == 0 && count < most && index + count < mm_table_pages(&mm_paged_table) && mm_paged_table.ptes[index + count] == 0)
        count++;
    return count;
}

/* The lowest ones. A single page does not touch the summaries of the run index. */
static uint64_t take_addresses(size_t page_count)
{
    rt_runs_t     *runs = &mm_paged_table.runs;
    rt_runs_want_t want = { .count = page_count, .low = 0, .high = mm_table_pages(&mm_paged_table) };
    uint64_t       first = RT_RUNS_NONE;
    if (page_count == 1)
        return rt_runs_take_singles(runs, want.low, want.high, &first, 1) == 1 ? first : RT_RUNS_NONE;
    first = rt_runs_find(runs, &want);
    if (first != RT_RUNS_NONE)
        rt_runs_take(runs, first, page_count);
    return first;
}

/* Frames for the pages that are to be there at once; MM_PFN_NONE for the others. False: the pool counts on one, and there is none. */
static bool fetch_frames(uint32_t node, size_t first, size_t page_count, mm_pfn_number_t *frames)
{
    bool all = page_count <= MM_GROW_AT_ONCE;
    for (size_t i = 0; i < page_count; i++) {
        bool wanted = all || (mm_paged.table->ptes[first + i] & MM_PTE_GATE_OPEN) != 0;
        frames[i] = wanted ? mm_frame_for_page_locked(node, all) : MM_PFN_NONE;
        if (!all || frames[i] != MM_PFN_NONE)
            continue;
        while (i-- > 0)
            mm_frame_put(frames[i]);
        return false;
    }
    return true;
}

static void leave_for_later(size_t index)
{
    uint64_t *pte = &mm_paged.table->ptes[index];
    if ((*pte & MM_PTE_GATE_OPEN) != 0)
        host_gate_close(&mm_paged.gate, index << PAGE_SHIFT, PAGE_SIZE);
    mm_pte_write(pte, (*pte & MM_PTE_STALE_SLOT) | MM_PTE_READ_WRITE);
}

/* Pages that are alike, and get frames; or, if the gate cannot be opened now, get them when they are touched. */
static void make_alike(size_t first, size_t count, const mm_pfn_number_t *frames, size_t ahead)
{
    if (mm_page_make_locked(&mm_paged, first, count, frames, false, ahead) == 0)
        return;
    for (size_t i = 0; i < count; i++) {
        mm_frame_put(frames[i]);
        leave_for_later(first + i);
    }
}

static bool make_pages(size_t first, size_t page_count, const mm_pfn_number_t *frames)
{
    const uint64_t *ptes = mm_paged.table->ptes;
    bool            zeroed = true;
    for (size_t i = 0, end; i < page_count; i = end) {
        uint64_t pte = ptes[first + i];
        for (end = i + 1; end < page_count && frames[i] != MM_PFN_NONE && frames[end] != MM_PFN_NONE && ptes[first + end] == pte;)
            end++;
        if (frames[i] == MM_PFN_NONE) {
            leave_for_later(first + i);
            continue;
        }
        zeroed = zeroed && (pte & MM_PTE_STALE_SLOT) == 0;
        make_alike(first + i, end - i, frames + i, page_count == 1 && pte == 0 ? slots_ahead(first, mm_pool_grows_by(MM_PAGED)) - 1 : 0);
    }
    return zeroed;
}

static bool back_addresses(uint32_t node, size_t first, size_t page_count, bool *zeroed)
{
    mm_pfn_number_t frames[MAKE_MOST];
    *zeroed = true;
    if (page_count > MAKE_MOST) {
        for (size_t i = 0; i < page_count; i++)
            leave_for_later(first + i);
    } else if (!fetch_frames(node, first, page_count, frames)) {
        return false;
    } else {
        *zeroed = make_pages(first, page_count, frames);
    }
    for (size_t i = 0; i < page_count; i++)
        mm_paged.table->owners[first + i].pool = MM_PAGED;
    return true;
}

static void *paged_alloc(uint32_t node, size_t page_count, bool *zeroed)
{
    void *va = NULL;
    ke_lock(&mm_paging_lock);
    uint64_t first = take_addresses(page_count);
    if (first != RT_RUNS_NONE) {
        if (back_addresses(node, first, page_count, zeroed))
            va = (void *)mm_table_va(mm_paged.table, first);
        else
            rt_runs_give(&mm_paged_table.runs, first, page_count);
    }
    ke_unlock(&mm_paging_lock);
    return va;
}

static void paged_free(void *va, size_t page_count)
{
    mm_page_table_t *table = mm_paged.table;
    NTMM_INVARIANT(mm_in(table->region, (uintptr_t)va), "pages are freed to the pool that they came from");
    size_t first = mm_table_index(table, (uintptr_t)va);
    ke_lock(&mm_paging_lock);
    for (size_t i = first; i < first + page_count; i++)
        mm_page_free_locked(&mm_paged, i);
    rt_runs_give(&table->runs, first, page_count);
    if (page_count >= FREE_AT_ONCE)
        mm_discard_slots(&mm_paged, first, page_count);
    else
        for (size_t i = first; i < first + page_count; i++)
            if ((table->ptes[i] & MM_PTE_STALE_SLOT) != 0)
                mm_note_stale_slot(&mm_paged, i);
    ke_unlock(&mm_paging_lock);
}

/* ---- for the pools ---- */

void *mm_pool_pages_alloc(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    bool all_zeroed = false;
    if (node >= mm_frames.node_count)
        node = MM_ANY_NODE;
    if (page_count == 0 || mm_unbacked || !mm_charge(pool, page_count))
        return NULL;
    void *va = pool == MM_PAGED ? paged_alloc(node, page_count, &all_zeroed) : nonpaged_alloc(pool, node, page_count, &all_zeroed);
    if (va == NULL)
        mm_uncharge(pool, page_count);
    if (zeroed != NULL)
        *zeroed = va != NULL && all_zeroed;
    return va;
}

void *mm_pool_pages_alloc_on_node(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    NTMM_INVARIANT(pool != MM_PAGED, "a page of paged pool may be backed by any frame");
    if (page_count == 0 || mm_unbacked || node >= mm_frames.node_count || !mm_charge(pool, page_count))
        return NULL;
    void *va = nonpaged_alloc_on_node(pool, node, page_count, zeroed);
    if (va == NULL)
        mm_uncharge(pool, page_count);
    return va;
}

void mm_pool_pages_free(mm_pool_t pool, void *va, size_t page_count)
{
    mm_hide((uintptr_t)va, page_count << PAGE_SHIFT);
    if (pool == MM_PAGED)
        paged_free(va, page_count);
    else
        nonpaged_free(pool, va, page_count);
    mm_uncharge(pool, page_count);
}

/* ---- shutdown ---- */

typedef struct furthest {
    size_t end; /* of the pages that may be open: the lowest addresses are always taken first, so there is one row */
} furthest_t;

static void see_page(void *context, mm_page_table_t *table, size_t index)
{
    furthest_t *row = context;
    row->end = table->ptes[index] != 0 ? index + 1 : row->end;
}

void mm_pool_pages_shutdown(void)
{
    furthest_t row = { 0 };
    mm_pool_growth_forget();
    if (mm_paged_table.tables == NULL)
        return;
    mm_table_visit(&mm_paged_table, see_page, &row);
    mm_clear_slots(&mm_paged);
    if (row.end != 0)
        host_gate_close(&mm_paged.gate, 0, row.end << PAGE_SHIFT);
    mm_page_file_reset();
}
