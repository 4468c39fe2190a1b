/*
 * charge.c - the limits, and what they are derived from.
 * The commit limit is RAM and the page file. Of the conditions of memory, those of RAM go by what is committed, too: memory is plenty while
 * all that was promised would fit into RAM.
 *
 * Source      WDK reference and glossary: commit charge, commit limit. Windows Internals: nonpaged pool may be 75 % of RAM.
 * Fidelity    paged pool may be all that can be committed (choice). The limits of the pools are those of the RAM at boot; the commit limit follows
 *             MmAddPhysicalMemory and MmRemovePhysicalMemory.
 */
#include "mm/charge.h"

#include "mm/pfn.h"

_Alignas(64) mm_charges_t mm_charges;

static uint64_t limit_of(uint64_t bytes, uint64_t otherwise) { return bytes != 0 ? bytes >> PAGE_SHIFT : otherwise; }

void mm_charges_boot(const ntmm_config *config)
{
    uint64_t ram = mm_frames.map.page_count;
    for (unsigned kind = 0; kind < MM_CHARGE_KINDS; kind++)
        atomic_store(&mm_charges.held[kind], 0);
    atomic_store(&mm_charges.limit[MM_GAUGE_NONPAGED], limit_of(config->nonpaged_pool_limit, ram / 4 * 3 + ram % 4));
    uint64_t file = config->unbacked_ram ? 0 : limit_of(config->page_file_size, ram);
    atomic_store(&mm_charges.limit[MM_GAUGE_PAGED], limit_of(config->paged_pool_limit, ram + file));
    atomic_store(&mm_charges.file, file);
    atomic_store(&mm_charges.locked, 0);
    mm_charges_ram_changed_locked();
}

void mm_charges_ram_changed_locked(void)
{
    atomic_store(&mm_charges.ram, mm_frames.map.page_count - atomic_load(&mm_charges.locked));
    atomic_store(&mm_charges.limit[MM_GAUGE_COMMITTED], mm_frames.map.page_count + atomic_load(&mm_charges.file));
    atomic_store(&mm_charges.usable, mm_frames.map.page_count - mm_frames.list[MM_BAD].count);
    atomic_store(&ke_leave_due, MM_CHARGE_WORD);
}

bool mm_charges_fit_without_locked(uint64_t ram_pages)
{
    uint64_t committed = mm_gauge_now(MM_GAUGE_COMMITTED), pageable = mm_pageable_now(), ram = atomic_load(&mm_charges.ram);
    uint64_t left = ram > ram_pages ? ram - ram_pages : 0;
    return mm_fixed_pages(committed, pageable) <= left &&
           committed <= left + atomic_load(&mm_charges.locked) + atomic_load(&mm_charges.file);
}

bool mm_charge_locked_page_locked(void)
{
    atomic_fetch_sub(&mm_charges.ram, 1);
    atomic_fetch_add(&mm_charges.locked, 1);
    if (mm_ram_allows(mm_gauge_now(MM_GAUGE_COMMITTED), mm_pageable_now()))
        return true;
    mm_uncharge_locked_page_locked();
    return false;
}

void mm_uncharge_locked_page_locked(void)
{
    atomic_fetch_sub(&mm_charges.locked, 1);
    atomic_fetch_add(&mm_charges.ram, 1);
}

void mm_charges_page_file_is(uint64_t pages)
{
    if (pages >= atomic_load(&mm_charges.file))
        return;
    atomic_store(&mm_charges.file, pages);
    atomic_store(&mm_charges.limit[MM_GAUGE_COMMITTED], atomic_load(&mm_charges.ram) + atomic_load(&mm_charges.locked) + pages);
    atomic_store(&ke_leave_due, MM_CHARGE_WORD);
}

size_t mm_pool_page_count(mm_pool_t pool) { return atomic_load_explicit(&mm_charges.held[pool], memory_order_relaxed); }

size_t mm_pool_limit_pages(mm_pool_t pool)
{
    return atomic_load_explicit(&mm_charges.limit[pool == MM_PAGED ? MM_GAUGE_PAGED : MM_GAUGE_NONPAGED], memory_order_relaxed);
}

size_t mm_pool_room(mm_pool_t pool)
{
    uint64_t held = mm_gauge_now(mm_gauge_of(pool)), limit = mm_pool_limit_pages(pool);
    return held < limit ? limit - held : 0;
}
