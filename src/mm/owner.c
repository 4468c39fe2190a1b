/*
 * owner.c - whose page is it? From any address to what is known of its page, and walks over all pages that have an owner.
 * A page at home keeps its owner in the PFN entry of its frame; a page of the system PTE and paged regions, whose frame's entry is needed
 * for the way back from frame to page, in the region's own table.
 *
 * Locks   none: an owner entry belongs to whoever owns the page, and the walks must work on a halted machine. They are bounded by the
 *         tables.
 */
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/pte.h"

static mm_owner_t *owner_at_home(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    if (__atomic_load_n(&entry->list, __ATOMIC_RELAXED) != MM_ACTIVE || mm_owner_glance(&entry->owner).use == MM_USE_MAPPED)
        return NULL;
    return &entry->owner;
}

/* A pageable page is somebody's whether it is there or not. */
static bool is_somebodys(const mm_page_table_t *table, size_t index)
{
    uint64_t pte = mm_pte_read(&table->ptes[index]);
    return table == &mm_paged_table ? mm_pte_is_taken(pte) : mm_pte_is_valid(pte);
}

static mm_owner_t *owner_in_table(const mm_page_table_t *table, uintptr_t va)
{
    size_t index = mm_table_index(table, va);
    return is_somebodys(table, index) ? &table->owners[index] : NULL;
}

mm_owner_t *mm_owner_of(const void *address)
{
    uintptr_t va = (uintptr_t)address;
    if (mm_in(&mm_physical_map, va))
        return owner_at_home((va - mm_physical_map.base) >> PAGE_SHIFT);
    if (mm_in(&mm_paged_region, va))
        return owner_in_table(&mm_paged_table, va);
    if (mm_in(&mm_executable_map, va))
        return owner_at_home((va - mm_executable_map.base) >> PAGE_SHIFT);
    if (mm_in(&mm_system_pte_region, va))
        return owner_in_table(&mm_system_table, va);
    return NULL;
}

mm_pool_t mm_pool_of(const void *address)
{
    uintptr_t va = (uintptr_t)address;
    if (mm_in(&mm_physical_map, va))
        return MM_NONPAGED_NX;
    if (mm_in(&mm_paged_region, va))
        return MM_PAGED;
    if (mm_in(&mm_executable_map, va))
        return MM_NONPAGED_EXECUTE;
    mm_owner_t *owner = mm_in(&mm_system_pte_region, va) ? owner_in_table(&mm_system_table, va) : NULL;
    return owner != NULL ? (mm_pool_t)owner->pool : MM_POOLS;
}

uint32_t mm_node_of(const void *va) { return mm_node_of_frame(mm_pte_pfn(mm_pte_of((uintptr_t)va))); }

/* ---- walks ---- */

typedef struct frame_walk {
    void (*visit)(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry);
    void                 *context;
    const mm_run_space_t *space;
} frame_walk_t;

static void visit_frame_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    frame_walk_t *walk = context;
    for (uint64_t unit = first_unit; unit < first_unit + unit_count; unit++) {
        mm_pfn_number_t pfn = walk->space->first_pfn + unit;
        mm_pfn_t       *entry = mm_pfn_entry(pfn);
        if (entry->list == MM_ACTIVE)
            walk->visit(walk->context, pfn, entry);
    }
}

void mm_visit_frames(void (*visit)(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry), void *context)
{
    frame_walk_t walk = { visit, context, NULL };
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        walk.space = &mm_frames.space[i];
        rt_runs_visit_touched(&mm_frames.space[i].runs.runs, visit_frame_leaf, &walk);
    }
}

typedef struct owner_walk {
    void (*visit)(void *context, void *page, mm_owner_t *owner);
    void *context;
} owner_walk_t;

/* Executable memory is seen by its driver in the executable map: the walk names the address that the driver knows. */
static void visit_home(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry)
{
    owner_walk_t *walk = context;
    mm_owner_t   *owner = &entry->owner;
    if (owner->use == MM_USE_NONE || owner->use == MM_USE_MAPPED)
        return;
    const mm_region_t *map = owner->pool == MM_NONPAGED_EXECUTE ? &mm_executable_map : &mm_physical_map;
    walk->visit(walk->context, (void *)(map->base + (pfn << PAGE_SHIFT)), owner);
}

static void visit_page(void *context, mm_page_table_t *table, size_t index)
{
    owner_walk_t *walk = context;
    if (is_somebodys(table, index) && table->owners[index].use != MM_USE_NONE)
        walk->visit(walk->context, (void *)mm_table_va(table, index), &table->owners[index]);
}

void mm_visit_owners(void (*visit)(void *context, void *page, mm_owner_t *owner), void *context)
{
    owner_walk_t walk = { visit, context };
    mm_visit_frames(visit_home, &walk);
    mm_table_visit(&mm_system_table, visit_page, &walk);
    mm_table_visit(&mm_paged_table, visit_page, &walk);
}
