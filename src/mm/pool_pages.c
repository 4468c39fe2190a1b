/*
 * pool_pages.c - whole pages for the pools.
 *
 *     nonpaged, 1 page    a frame from this thread's cache, at its home: address = map + physical address         no lock, no system call
 *     nonpaged, n pages   a run of frames, at home                                                                 no system call
 *                         no such run: frames from anywhere, mapped in a row through system PTEs
 *     paged, n pages      a run of addresses of the paged region, a frame charged for each page; the bytes lie in the page's slot
 *
 * Slots and homes. A page of paged pool has two places where the host may keep bytes for it: its slot, and the home of the frame that it
 * is charged. Only the slot is in use. What is left over in the other, and in the slot of a freed page, is stale: it is noted, and when the
 * batch is full all of it is given back to the host at once. A freed slot is likely to be used again soon, so its batch is large (a quarter
 * of RAM, at most 64 MiB with 4 KiB pages); a stale home is of no use to anybody, so its batch is small. The host never keeps more than RAM
 * plus both.
 *
 *     slot    zero --- alloc ---> used --- free ---> stale --- batch is full ---> zero
 *                                  ^------ alloc ------'
 *
 * Invariants  a paged page that is taken has a valid PTE, and its frame's entry points back at it
 *             a page that is not taken has PTE 0 (slot bytes are zero) or MM_PTE_STALE_SLOT
 * Locks       nonpaged: none of its own. Paged: mm_paged_table.lock for all of an allocation; frames are fetched under it.
 * Elsewhere   limits: charge.h. Blocks within a page, owners' words: ex. Fault injection is asked by the caller.
 */
#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/pte.h"
#include "mm/system_pte.h"

#define FREE_AT_ONCE 64u /* pages: a free of so many gives its slots back without waiting for the batch */
#define GROW_AHEAD 16u   /* pages, a power of two: most that the host is asked for at once: a run, or, page by page, those that follow, */
#define GROW_SHARE 8u    /* but at most 1/GROW_SHARE of what the pool holds */

typedef struct page_batch { /* indexes of pages of the paged region; under its lock */
    uint32_t count, most;
    uint32_t index[MM_STALE_SLOTS_MOST];
} page_batch_t;
static page_batch_t stale_slots, stale_homes;

void mm_pool_pages_boot(void)
{
    uint64_t share = mm_frames.map.page_count / 4;
    stale_slots.count = stale_homes.count = 0;
    stale_homes.most = MM_STALE_HOMES;
    stale_slots.most = share < MM_STALE_SLOTS_LEAST  ? MM_STALE_SLOTS_LEAST
                       : share > MM_STALE_SLOTS_MOST ? MM_STALE_SLOTS_MOST
                                                     : (uint32_t)share;
}

/* ---- nonpaged ---- */

static void *home_address(mm_pool_t pool, mm_pfn_number_t pfn)
{
    const mm_region_t *map = pool == MM_NONPAGED_EXECUTE ? &mm_executable_map : &mm_physical_map;
    return (void *)(map->base + (pfn << PAGE_SHIFT));
}

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

/* The host charges for each visit, so a pool that holds much already has it bring several fresh pages in one: how many, a power of two. */
static size_t grows_by(mm_pool_t pool)
{
    size_t ahead = 1, most = mm_pool_page_count(pool) / GROW_SHARE;
    while (ahead < GROW_AHEAD && 2 * ahead <= most)
        ahead *= 2;
    return ahead;
}

static void expect_homes(mm_pool_t pool, mm_pfn_number_t first, size_t count)
{
    uint32_t more = count > 1 ? mm_frame_cache_claim(first, (uint32_t)count - 1) : 0;
    if (more != 0)
        host_expect_writes(home_address(pool, first), (size_t)(more + 1) << PAGE_SHIFT);
}

static unsigned access_of(mm_pool_t pool) { return HOST_READ | HOST_WRITE | (pool == MM_NONPAGED_EXECUTE ? HOST_EXECUTE : 0u); }

static void *nonpaged_alloc(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    mm_pfn_number_t first = page_count == 1 ? mm_frame_get_inline(node, MM_FREE, zeroed) : get_run(node, page_count, zeroed);
    if (first == MM_PFN_NONE && page_count > 1)
        return mm_scattered_alloc(node, page_count, access_of(pool), pool, 1 + MmCached, zeroed);
    if (first == MM_PFN_NONE)
        return NULL;
    for (size_t i = 0; i < page_count; i++)
        mm_pfn_entry(first + i)->owner.pool = (uint8_t)pool;
    if (page_count == 1 && *zeroed)
        expect_homes(pool, first, grows_by(pool));
    else if (*zeroed && page_count <= GROW_AHEAD)
        host_expect_writes(home_address(pool, first), page_count << PAGE_SHIFT);
    return home_address(pool, first);
}

static void *nonpaged_alloc_on_node(mm_pool_t pool, uint32_t node, size_t page_count, bool *zeroed)
{
    mm_frame_want_t want = { .page_count = page_count, .low = 0, .high = UINT64_MAX, .node = node };
    mm_pfn_number_t first = mm_frames_get(&want, zeroed);
    if (first == MM_PFN_NONE)
        return page_count > 1 ? mm_scattered_alloc_on_node(node, page_count, access_of(pool), pool, 1 + MmCached, zeroed) : NULL;
    for (size_t i = 0; i < page_count; i++)
        mm_pfn_entry(first + i)->owner.pool = (uint8_t)pool;
    return home_address(pool, first);
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

/* ---- stale slots and homes, under the region's lock ---- */

static uint64_t slot_offset(size_t index) { return mm_slot_offset + ((uint64_t)index << PAGE_SHIFT); }

static bool slot_is_stale(size_t index)
{
    return index < mm_table_pages(&mm_paged_table) && mm_paged_table.ptes[index] == MM_PTE_STALE_SLOT &&
           rt_runs_is_free(&mm_paged_table.runs, index);
}

/* Neighbours that are stale as well go in the same stroke: they are in the batch too, and are skipped when their turn comes. */
static void discard_stale_slots(void)
{
    for (uint32_t i = 0; i < stale_slots.count; i++) {
        size_t first = stale_slots.index[i], end = first;
        while (slot_is_stale(end))
            end++;
        if (end == first)
            continue;
        while (first > 0 && slot_is_stale(first - 1))
            first--;
        mm_discard(slot_offset(first), end - first);
        for (size_t k = first; k < end; k++)
            mm_paged_table.ptes[k] = 0;
    }
    stale_slots.count = 0;
}

/* The frame of a taken page whose home is stale, or MM_PFN_NONE. */
static mm_pfn_number_t stale_home(size_t index)
{
    uint64_t pte = index < mm_table_pages(&mm_paged_table) ? mm_paged_table.ptes[index] : 0;
    if (!mm_pte_is_valid(pte) || (mm_pfn_entry(mm_pte_pfn(pte))->flags & MM_PFN_HOME_STALE) == 0)
        return MM_PFN_NONE;
    return mm_pte_pfn(pte);
}

static void discard_stale_homes(void)
{
    for (uint32_t i = 0; i < stale_homes.count; i++) {
        size_t          index = stale_homes.index[i], count = 0;
        mm_pfn_number_t first = stale_home(index);
        if (first == MM_PFN_NONE)
            continue;
        for (; stale_home(index + count) == first + count; count++)
            mm_pfn_entry(first + count)->flags = MM_PFN_HOME_ZERO;
        mm_discard(first << PAGE_SHIFT, count);
    }
    stale_homes.count = 0;
}

static void note(page_batch_t *batch, size_t index, void (*when_full)(void))
{
    batch->index[batch->count++] = (uint32_t)index;
    if (batch->count == batch->most)
        when_full();
}

/* ---- paged ---- */

static void attach_frame(size_t index, mm_pfn_number_t pfn, bool home_zero)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    entry->cache = 1 + MmCached;
    entry->flags = home_zero ? MM_PFN_HOME_ZERO : MM_PFN_HOME_STALE;
    entry->mapped.va = mm_table_va(&mm_paged_table, index);
    entry->mapped.use = MM_USE_MAPPED;
    mm_paged_table.ptes[index] = mm_pte_make(pfn, HOST_READ | HOST_WRITE);
    mm_paged_table.owners[index].pool = MM_PAGED;
    if (!home_zero)
        note(&stale_homes, index, discard_stale_homes);
}

static void detach_frame(size_t index)
{
    mm_frame_put_inline(mm_pte_pfn(mm_paged_table.ptes[index]));
    mm_paged_table.ptes[index] = MM_PTE_STALE_SLOT;
    mm_paged_table.owners[index] = (mm_owner_t){ 0 };
}

static void free_addresses(size_t first, size_t page_count)
{
    rt_runs_give(&mm_paged_table.runs, first, page_count);
    if (page_count >= FREE_AT_ONCE) {
        mm_discard(slot_offset(first), page_count);
        for (size_t i = first; i < first + page_count; i++)
            mm_paged_table.ptes[i] = 0;
        return;
    }
    for (size_t i = first; i < first + page_count; i++)
        if (mm_paged_table.ptes[i] == MM_PTE_STALE_SLOT)
            note(&stale_slots, i, discard_stale_slots);
}

static bool charge_frames(uint32_t node, size_t first, size_t page_count, bool *zeroed)
{
    *zeroed = true;
    for (size_t i = first; i < first + page_count; i++) {
        bool            home_zero = false;
        mm_pfn_number_t pfn = mm_frame_get_inline(node, MM_ZEROED, &home_zero);
        if (pfn == MM_PFN_NONE) {
            while (i-- > first)
                detach_frame(i);
            return false;
        }
        *zeroed = *zeroed && mm_paged_table.ptes[i] == 0;
        attach_frame(i, pfn, home_zero);
    }
    return true;
}

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

static void *paged_alloc(uint32_t node, size_t page_count, bool *zeroed)
{
    mm_page_table_t *table = &mm_paged_table;
    size_t           ahead = 0;
    void            *va = NULL;
    ke_lock(&table->lock);
    uint64_t first = take_addresses(page_count);
    if (first != RT_RUNS_NONE) {
        if (charge_frames(node, first, page_count, zeroed))
            va = (void *)mm_table_va(table, first);
        else
            free_addresses(first, page_count);
        if (va != NULL && *zeroed && page_count <= GROW_AHEAD)
            ahead = page_count == 1 ? slots_ahead(first, grows_by(MM_PAGED)) : page_count;
    }
    ke_unlock(&table->lock);
    if (ahead > 1)
        host_expect_writes(va, ahead << PAGE_SHIFT);
    return va;
}

static void paged_free(void *va, size_t page_count)
{
    mm_page_table_t *table = &mm_paged_table;
    NTMM_INVARIANT(mm_in(table->region, (uintptr_t)va), "pages are freed to the pool that they came from");
    size_t first = mm_table_index(table, (uintptr_t)va);
    ke_lock(&table->lock);
    for (size_t i = first; i < first + page_count; i++)
        detach_frame(i);
    free_addresses(first, page_count);
    ke_unlock(&table->lock);
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

typedef struct slot_run {
    size_t first, page_count;
} slot_run_t;

static void clear_slots(slot_run_t *run)
{
    if (run->page_count != 0)
        mm_clear_bytes(mm_table_va(&mm_paged_table, run->first), slot_offset(run->first), run->page_count);
    run->page_count = 0;
}

static void forget_page(void *context, mm_page_table_t *table, size_t index)
{
    slot_run_t *run = context;
    mm_unpoison(mm_table_va(table, index), PAGE_SIZE); /* also a slot that was given back to the host */
    table->owners[index] = (mm_owner_t){ 0 };
    if (table->ptes[index] == 0)
        return;
    table->ptes[index] = 0;
    if (run->page_count != 0 && run->first + run->page_count != index)
        clear_slots(run);
    if (run->page_count++ == 0)
        run->first = index;
}

void mm_pool_pages_shutdown(void)
{
    slot_run_t run = { 0 };
    mm_table_visit(&mm_paged_table, forget_page, &run);
    clear_slots(&run);
    if (mm_paged_table.tables != NULL)
        rt_runs_reset(&mm_paged_table.runs);
}
