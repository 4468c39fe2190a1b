/*
 * charge.c - the limits, and what they are derived from.
 * The commit limit is RAM: a page file would be added to it, but this version has none. As every committed page is resident, free memory is
 * what is usable and not committed.
 *
 * Source      WDK reference and glossary: commit charge, commit limit. Windows Internals: nonpaged pool may be 75 % of RAM.
 * Fidelity    paged pool may be all of RAM (choice). The limits of the pools are those of the RAM at boot; the commit limit follows
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
    atomic_store(&mm_charges.limit[MM_GAUGE_PAGED], limit_of(config->paged_pool_limit, ram));
    mm_charges_ram_changed_locked();
}

void mm_charges_ram_changed_locked(void)
{
    atomic_store(&mm_charges.limit[MM_GAUGE_COMMITTED], mm_frames.map.page_count);
    atomic_store(&mm_charges.usable, mm_frames.map.page_count - mm_frames.list[MM_BAD].count);
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
