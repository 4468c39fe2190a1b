/*
 * iommu.c - an IOMMU in front of one device: a table from logical pages to physical ones, in which only that is mapped which the device's
 * adapters have mapped for it. So memory anywhere is in reach of any device, pages in any order are a row to it, and what was not mapped for
 * it, or no longer is, it cannot touch.
 *
 *     logical       first | + 1 | + 2 | ...             a window that the device's address bits reach
 *     table         [ 17 ]  [  ]  [ 4 ]                 physical page, or nothing
 *     handed out    |- map registers -|- common buffer -|- free ...
 *
 * Units       pages; addresses at the interface are bytes.
 * Locks       (D) for which logical pages are handed out. An entry is written by who has its page, and read without a lock.
 * Source      WDK documentation: "DMA remapping" in general terms.
 * Fidelity    a choice throughout: where the window lies (from 1 MiB on), and how large it is (65,536 pages at most).
 */
#include "hal/dma.h"

#define WINDOW_BEGINS 0x100000u
#define WINDOW_PAGES 65536u
#define MAPPED 1u /* in an entry, whose low bits are free */

bool hal_iommu_make(hal_iommu_t *iommu, uint64_t reach)
{
    uint64_t first = WINDOW_BEGINS >> PAGE_SHIFT, last = reach >> PAGE_SHIFT;
    if (last < first)
        return false;
    *iommu = (hal_iommu_t){ .first = first, .pages = last - first < WINDOW_PAGES ? last - first + 1 : WINDOW_PAGES };
    size_t entry_bytes = iommu->pages * sizeof(uint64_t);
    iommu->table_bytes = ROUND_TO_PAGES(entry_bytes + rt_runs_bytes(iommu->pages));
    iommu->entries = host_tables(iommu->table_bytes);
    if (iommu->entries == NULL)
        return false;
    rt_runs_init(&iommu->runs, iommu->pages, (char *)iommu->entries + entry_bytes);
    return true;
}

void hal_iommu_release(hal_iommu_t *iommu)
{
    if (iommu->entries != NULL)
        host_release(iommu->entries, iommu->table_bytes);
    iommu->entries = NULL;
}

uint64_t hal_iommu_take_locked(hal_iommu_t *iommu, uint64_t page_count, uint64_t lowest, uint64_t highest)
{
    uint64_t low = (lowest + PAGE_SIZE - 1) >> PAGE_SHIFT, high = highest >> PAGE_SHIFT; /* whole pages, the last one inclusive */
    if ((highest & (PAGE_SIZE - 1)) == PAGE_SIZE - 1)
        high++;
    rt_runs_want_t want = { .count = page_count };
    want.low = low > iommu->first ? low - iommu->first : 0;
    want.high = high > iommu->first ? high - iommu->first : 0;
    uint64_t start = lowest <= highest ? rt_runs_find(&iommu->runs, &want) : RT_RUNS_NONE;
    if (start == RT_RUNS_NONE)
        return 0;
    rt_runs_take(&iommu->runs, start, page_count);
    return (iommu->first + start) << PAGE_SHIFT;
}

static _Atomic uint64_t *entry_of(hal_iommu_t *iommu, uint64_t logical) { return &iommu->entries[(logical >> PAGE_SHIFT) - iommu->first]; }

void hal_iommu_map(hal_iommu_t *iommu, uint64_t logical, uint64_t physical)
{
    atomic_store_explicit(entry_of(iommu, logical), (physical & ~(uint64_t)(PAGE_SIZE - 1)) | MAPPED, memory_order_release);
}

void hal_iommu_unmap(hal_iommu_t *iommu, uint64_t logical, uint64_t page_count)
{
    for (uint64_t i = 0; i < page_count; i++)
        atomic_store_explicit(entry_of(iommu, logical + (i << PAGE_SHIFT)), 0, memory_order_release);
}

void hal_iommu_give_locked(hal_iommu_t *iommu, uint64_t logical, uint64_t page_count)
{
    hal_iommu_unmap(iommu, logical, page_count);
    rt_runs_give(&iommu->runs, (logical >> PAGE_SHIFT) - iommu->first, page_count);
}

uint64_t hal_iommu_find(hal_iommu_t *iommu, uint64_t logical)
{
    uint64_t page = logical >> PAGE_SHIFT;
    if (page < iommu->first || page - iommu->first >= iommu->pages)
        return UINT64_MAX;
    uint64_t entry = atomic_load_explicit(&iommu->entries[page - iommu->first], memory_order_acquire);
    return (entry & MAPPED) != 0 ? (entry & ~(uint64_t)MAPPED) | (logical & (PAGE_SIZE - 1)) : UINT64_MAX;
}
