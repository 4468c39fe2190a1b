/*
 * special_pages.c - pages for special pool: one page a block, between two pages that nobody may touch, and closed for good when it is freed.
 *
 *     | guard | page | guard |      alloc: system PTEs for three pages, a frame for the middle one
 *         ^      ^       ^
 *       faults  RUN    faults       free: the frame goes, and all three pages fault as long as there are enough other addresses
 *
 * What was freed waits in line (the owner entry of the guard in front says who is next); its addresses are used again when less than a quarter of all
 * is left, or a request finds none, the oldest first. So what is freed faults for a while, and not for ever.
 *
 * Units       pages.
 * Locks       special_lock: the line alone.
 * Source      WDK documentation: "Special Pool".
 * Fidelity    no more than three quarters of nonpaged pool's limit (choice). A block costs three pages of addresses, two of which Windows lets neighbours share. The page is charged to nonpaged pool, whichever pool was asked
 *             for, since it is never paged out.
 */
#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/machine.h"
#include "mm/paging.h"
#include "mm/pte.h"
#include "mm/system_pte.h"

#define PAGES 3u /* of addresses, for a block */

static ke_lock_t special_lock;
static size_t    oldest, newest; /* (special_lock) 1 + index of a guard in front; 0: nobody waits */

void mm_special_boot(void)
{
    ke_lock_init(&special_lock, KE_RANK_LEAF);
    oldest = newest = 0;
}

static mm_owner_t *owner_at(size_t index) { return &mm_system_table.owners[index]; }
static void       *va_at(size_t index) { return (void *)mm_table_va(&mm_system_table, index); }

/* ---- addresses that wait ---- */

static void stand_in_line(size_t guard)
{
    ke_lock(&special_lock);
    owner_at(guard)->bytes = 0;
    if (newest != 0)
        owner_at(newest - 1)->bytes = guard + 1;
    else
        oldest = guard + 1;
    newest = guard + 1;
    ke_unlock(&special_lock);
}

/* False: nobody waits. */
static bool use_oldest_again(void)
{
    ke_lock(&special_lock);
    size_t guard = oldest;
    if (guard != 0) {
        oldest = (size_t)owner_at(guard - 1)->bytes;
        newest = oldest != 0 ? newest : 0;
    }
    ke_unlock(&special_lock);
    if (guard != 0)
        mm_system_pte_abandon(va_at(guard - 1), PAGES);
    return guard != 0;
}

static void *reserve(void)
{
    void *va = mm_system_pte_reserve(PAGES);
    while (va == NULL && use_oldest_again())
        va = mm_system_pte_reserve(PAGES);
    return va;
}

/* ---- pages ---- */

/* first_unit: 0 the page behind is the block's, 1 the page in front is. */
static void guard_both_sides(size_t guard)
{
    *owner_at(guard) = (mm_owner_t){ .use = MM_USE_SPECIAL_GUARD, .pool = MM_POOLS };
    *owner_at(guard + 2) = (mm_owner_t){ .use = MM_USE_SPECIAL_GUARD, .pool = MM_POOLS, .first_unit = 1 };
}

static bool back(void *page, uint32_t node, mm_pool_t pool)
{
    unsigned        access = HOST_READ | HOST_WRITE | (pool == MM_NONPAGED_EXECUTE ? HOST_EXECUTE : 0u);
    bool            zeroed;
    mm_pfn_number_t pfn = mm_frame_get_or_reclaim(node, &zeroed);
    if (pfn == MM_PFN_NONE)
        return false;
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    entry->cache = 1 + MmCached;
    entry->mapped.va = (uintptr_t)page;
    entry->mapped.use = MM_USE_MAPPED;
    mm_system_pte_set(page, 0, pfn, access);
    if (mm_system_pte_commit(page, 1))
        return true;
    mm_frame_put(pfn);
    return false;
}

/* A quarter of nonpaged pool is left to those who need more than a page, and to what ordinary pool serves when this one is used up. */
static bool leaves_enough(void) { return mm_pool_room(MM_NONPAGED_NX) > mm_pool_limit_pages(MM_NONPAGED_NX) / 4; }

void *mm_special_alloc(uint32_t node, mm_pool_t pool)
{
    if (mm_unbacked || !leaves_enough() || !mm_charge(MM_NONPAGED_NX, 1))
        return NULL;
    char *guards = reserve(), *page = guards + PAGE_SIZE;
    if (guards != NULL && back(page, node, pool)) {
        size_t guard = mm_table_index(&mm_system_table, (uintptr_t)guards);
        *owner_at(guard + 1) = (mm_owner_t){ .pool = (uint8_t)pool };
        guard_both_sides(guard);
        return page;
    }
    if (guards != NULL)
        mm_system_pte_abandon(guards, PAGES);
    mm_uncharge(MM_NONPAGED_NX, 1);
    return NULL;
}

void mm_special_free(void *page)
{
    size_t          guard = mm_table_index(&mm_system_table, (uintptr_t)page) - 1;
    mm_pfn_number_t pfn = mm_system_pte_frame(page, 0);
    owner_at(guard + 1)->use = MM_USE_SPECIAL_FREED; /* before it faults */
    mm_system_pte_close(page, 1);
    mm_system_pte_clear(page, 1);
    mm_frame_put(pfn);
    mm_uncharge(MM_NONPAGED_NX, 1);
    stand_in_line(guard);
    while (mm_system_pte_free() < mm_table_pages(&mm_system_table) / 4 && use_oldest_again())
        ;
}

/* ---- what is at an address ---- */

mm_special_t mm_special_at(uintptr_t va)
{
    const mm_special_t none = { MM_SPECIAL_NONE, NULL, NULL };
    if (!mm_in(&mm_system_pte_region, va))
        return none;
    size_t            index = mm_table_index(&mm_system_table, va);
    const mm_owner_t *owner = owner_at(index);
    bool              is_guard = owner->use == MM_USE_SPECIAL_GUARD;
    if (is_guard)
        index = owner->first_unit == 0 ? index + 1 : index - 1;
    mm_special_t found = { is_guard ? MM_SPECIAL_GUARD : MM_SPECIAL_BLOCK, owner_at(index), va_at(index) };
    if (found.owner->use == MM_USE_SPECIAL_FREED)
        found.is = MM_SPECIAL_FREED;
    else if (found.owner->use != MM_USE_POOL_RUN || (found.owner->flags & MM_OWNER_SPECIAL) == 0)
        return none;
    return found;
}
