/*
 * map_registers.c - the map registers of one device: how many there are, who has which, and the pages behind them.
 * A map register maps one page of a transfer, or a part of one. Where the device reaches all memory and takes lists of pieces, it maps to
 * the driver's page itself, and registers are a number that is counted. Where it does not, register i has bounce page i: memory that the
 * device reaches, contiguous, so that a run of registers is one piece to it.
 *
 *     register         0     1     2     3     4   ...
 *     taken            |--- request A --|     |- request B ...
 *     bounce page   | first | + 1 | + 2 | + 3 | + 4 ...           below the device's highest address
 *
 * Units       map registers, pages.
 * Invariants  free + those that requests hold == total
 * Locks       (D). Making and releasing: by whoever owns the file alone.
 * Elsewhere   what is copied when: dma_map.c.
 * Source      WDK reference: "Map Registers", "Performing DMA in 64-Bit Windows".
 * Fidelity    registers are counted for every transfer, also where hardware would need none, so that a driver meets their limit (choice).
 */
#include "hal/dma_probe.h"

/* Fewer pages than asked for are better than none. */
static bool make_bounce_pages(hal_register_file_t *file, uint64_t highest)
{
    mm_contiguous_want_t want = {
        .highest = highest, .node = MM_ANY_NODE_OK, .tag = HAL_TAG_MAP_REGISTERS, .cache = MmCached, .of_machine = true
    };
    for (; file->total != 0; file->total /= 2) {
        want.bytes = (uint64_t)file->total << PAGE_SHIFT;
        file->bounce = mm_contiguous_get(&want);
        if (file->bounce != NULL && hal_probe != NULL)
            hal_probe->bounce_free(file->bounce, want.bytes);
        if (file->bounce != NULL)
            return true;
    }
    return false;
}

/* Behind an IOMMU a register needs no memory, only a logical page. */
static bool take_logical_pages(hal_device_t *device, hal_register_file_t *file, uint64_t highest)
{
    for (; file->total != 0; file->total /= 2) {
        ke_lock(&device->lock);
        file->iova = hal_iommu_take_locked(&device->iommu, file->total, 0, highest);
        ke_unlock(&device->lock);
        if (file->iova != 0)
            return true;
    }
    return false;
}

static void give_pages(hal_device_t *device, hal_register_file_t *file)
{
    if (file->bounce != NULL)
        mm_contiguous_put(file->bounce);
    if (file->iova != 0 && device->iommu.entries != NULL) {
        ke_lock(&device->lock);
        hal_iommu_give_locked(&device->iommu, file->iova, file->total);
        ke_unlock(&device->lock);
    }
}

bool hal_file_make(hal_device_t *device, hal_register_file_t *file, uint32_t wanted, bool bounces, uint64_t highest)
{
    *file = (hal_register_file_t){ .total = wanted, .highest = highest };
    if (bounces) {
        bool pages = device->iommu.entries != NULL ? take_logical_pages(device, file, highest) : make_bounce_pages(file, highest);
        if (!pages)
            return false;
        size_t register_bytes = file->total * sizeof(hal_map_register_t);
        file->table_bytes = ROUND_TO_PAGES(register_bytes + rt_runs_bytes(file->total));
        file->registers = host_tables(file->table_bytes);
        if (file->registers == NULL) {
            give_pages(device, file);
            return false;
        }
        rt_runs_init(&file->runs, file->total, (char *)file->registers + register_bytes);
    }
    file->free = file->total;
    return true;
}

void hal_file_release(hal_device_t *device, hal_register_file_t *file)
{
    if (file->registers != NULL) {
        give_pages(device, file);
        host_release(file->registers, file->table_bytes);
    }
    *file = (hal_register_file_t){ .total = 0 };
}

bool hal_file_take_locked(hal_register_file_t *file, uint32_t count, uint32_t *first)
{
    *first = 0;
    if (count > file->free)
        return false;
    if (file->registers != NULL && count != 0) {
        uint64_t start = 0; /* nobody has any: no need to look */
        if (file->free != file->total)
            start = rt_runs_find(&file->runs, &(rt_runs_want_t){ .count = count, .high = file->total });
        if (start == RT_RUNS_NONE)
            return false; /* enough of them, but not in a row */
        rt_runs_take(&file->runs, start, count);
        *first = (uint32_t)start;
    }
    file->free -= count;
    return true;
}

void hal_file_give_locked(hal_device_t *device, uint32_t first, uint32_t count)
{
    hal_register_file_t *file = &device->file;
    if (file->registers != NULL && count != 0) {
        for (uint32_t i = first; i < first + count; i++)
            file->registers[i].mdl = NULL;
        if (file->iova != 0) /* a driver that did not flush */
            hal_iommu_unmap(&device->iommu, hal_register_address(file, (uint64_t)first << PAGE_SHIFT), count);
        rt_runs_give(&file->runs, first, count);
    }
    file->free += count;
}

uint64_t hal_register_address(const hal_register_file_t *file, uint64_t at)
{
    return file->iova != 0 ? file->iova + at : hal_logical_of((uintptr_t)file->bounce - mm_physical_map.base + at);
}
