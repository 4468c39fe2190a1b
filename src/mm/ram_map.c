/*
 * ram_map.c - where RAM is: from the words of a config to a sorted list of ranges.
 * A config either lists ranges, in any order, or names an amount. An amount is laid out as firmware would lay it out, with a part on each
 * side of every boundary that matters to a device, so that each of them is met by a machine of any size:
 *
 *     0     4 KiB                640 KiB  1 MiB          15 MiB  16 MiB         3.5 GiB  4 GiB
 *     | zero |  first part       | legacy |  second part   | ISA  |  third part    | PCI   |  fourth part: the rest
 *       page    real mode          video     ISA DMA (24 bits) hole  32-bit DMA       hole     64-bit DMA
 *
 * Units       bytes in the config, PFNs and pages in the map.
 * Invariants  ranges ascend; between two of them lies at least one frame that is not RAM; page_count is their sum.
 * Source      x64 physical addresses have at most 52 bits (Intel and AMD manuals). The holes are those of every PC.
 */
#include "mm/ram_map.h"

#include <errno.h>
#include <string.h>

#include "ke/bugcheck.h"

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define MM_DEFAULT_PHYSICAL_MEMORY MIB(64)

/* The first index whose range ends behind pfn. */
static uint32_t range_at_or_after(const mm_ram_map_t *map, uint64_t pfn)
{
    uint32_t low = 0, high = map->range_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map->range[middle].first_pfn + map->range[middle].page_count <= pfn)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int32_t mm_ram_map_find(const mm_ram_map_t *map, uint64_t pfn)
{
    uint32_t i = range_at_or_after(map, pfn);
    return i < map->range_count && map->range[i].first_pfn <= pfn ? (int32_t)i : -1;
}

bool mm_ram_map_contains(const mm_ram_map_t *map, uint64_t pfn) { return mm_ram_map_find(map, pfn) >= 0; }

uint64_t mm_ram_map_highest(const mm_ram_map_t *map)
{
    const mm_ram_range_t *last = &map->range[map->range_count - 1];
    return last->first_pfn + last->page_count - 1;
}

uint64_t mm_ram_map_nth(const mm_ram_map_t *map, uint64_t n)
{
    uint32_t i = 0;
    while (n >= map->range[i].page_count)
        n -= map->range[i++].page_count;
    return map->range[i].first_pfn + n;
}

static void insert_range(mm_ram_map_t *map, uint32_t at, mm_ram_range_t range)
{
    memmove(&map->range[at + 1], &map->range[at], (map->range_count - at) * sizeof map->range[0]);
    map->range[at] = range;
    map->range_count++;
}

static void erase_range(mm_ram_map_t *map, uint32_t at)
{
    map->range_count--;
    memmove(&map->range[at], &map->range[at + 1], (map->range_count - at) * sizeof map->range[0]);
}

bool mm_ram_map_add(mm_ram_map_t *map, uint64_t first_pfn, uint64_t page_count)
{
    uint32_t at = range_at_or_after(map, first_pfn);
    if (page_count == 0 || (at < map->range_count && map->range[at].first_pfn < first_pfn + page_count))
        return false;
    bool joins_left = at > 0 && map->range[at - 1].first_pfn + map->range[at - 1].page_count == first_pfn;
    bool joins_right = at < map->range_count && map->range[at].first_pfn == first_pfn + page_count;
    if (!joins_left && !joins_right && map->range_count == MM_RAM_RANGES_MAX)
        return false;
    map->page_count += page_count;
    if (joins_left) {
        map->range[at - 1].page_count += page_count;
        if (joins_right) {
            map->range[at - 1].page_count += map->range[at].page_count;
            erase_range(map, at);
        }
    } else if (joins_right) {
        map->range[at].first_pfn = first_pfn;
        map->range[at].page_count += page_count;
    } else {
        insert_range(map, at, (mm_ram_range_t){ first_pfn, page_count });
    }
    return true;
}

bool mm_ram_map_remove(mm_ram_map_t *map, uint64_t first_pfn, uint64_t page_count)
{
    int32_t at = mm_ram_map_find(map, first_pfn);
    if (at < 0 || page_count == 0)
        return false;
    mm_ram_range_t *range = &map->range[at];
    uint64_t        before = first_pfn - range->first_pfn;
    if (page_count > range->page_count - before)
        return false;
    uint64_t after = range->page_count - before - page_count;
    if (before != 0 && after != 0 && map->range_count == MM_RAM_RANGES_MAX)
        return false;
    map->page_count -= page_count;
    if (before == 0 && after == 0) {
        erase_range(map, (uint32_t)at);
    } else if (before == 0) {
        *range = (mm_ram_range_t){ first_pfn + page_count, after };
    } else {
        range->page_count = before;
        if (after != 0)
            insert_range(map, (uint32_t)at + 1, (mm_ram_range_t){ first_pfn + page_count, after });
    }
    return true;
}

static uint64_t at_most(uint64_t value, uint64_t limit) { return value < limit ? value : limit; }
static uint64_t whole_pages(uint64_t bytes) { return bytes & ~((uint64_t)PAGE_SIZE - 1); }

/* A quarter of RAM in each part, less where the part is full; the rest goes to the last one, which has no end. */
static int lay_out(mm_ram_map_t *map, uint64_t bytes)
{
    static const struct {
        uint64_t base, end;
    } part[3] = { { PAGE_SIZE, KIB(640) }, { MIB(1), MIB(15) }, { MIB(16), GIB(3) + MIB(512) } };
    if (bytes % PAGE_SIZE != 0)
        return ke_error(-EINVAL, "physical_memory is %llu bytes: not a whole number of pages", (unsigned long long)bytes);
    if (bytes > ((uint64_t)1 << MM_PHYSICAL_ADDRESS_BITS) - GIB(4))
        return ke_error(-EINVAL, "physical_memory is %llu bytes: more than 52 address bits can name", (unsigned long long)bytes);
    uint64_t left = bytes;
    for (uint32_t i = 0; i < NTMM_ARRAY_COUNT(part); i++) {
        uint64_t share = at_most(whole_pages(i == 2 ? bytes / 8 * 3 : bytes / 4), part[i].end - part[i].base);
        if (share != 0)
            mm_ram_map_add(map, part[i].base >> PAGE_SHIFT, share >> PAGE_SHIFT);
        left -= share;
    }
    mm_ram_map_add(map, GIB(4) >> PAGE_SHIFT, left >> PAGE_SHIFT);
    return 0;
}

static int add_explicit(mm_ram_map_t *map, const ntmm_ram_range *range, size_t index)
{
    const uint64_t     limit = (uint64_t)1 << MM_PHYSICAL_ADDRESS_BITS;
    unsigned long long base = range->base, length = range->length;
    if (range->length == 0)
        return ke_error(-EINVAL, "ram[%zu] is empty", index);
    if (range->base % PAGE_SIZE != 0 || range->length % PAGE_SIZE != 0)
        return ke_error(-EINVAL, "ram[%zu] (base 0x%llx, 0x%llx bytes) is not page aligned", index, base, length);
    if (range->base >= limit || range->length > limit - range->base)
        return ke_error(-EINVAL, "ram[%zu] (base 0x%llx, 0x%llx bytes) goes above the 52 bits of a physical address", index, base, length);
    uint64_t first = range->base >> PAGE_SHIFT, count = range->length >> PAGE_SHIFT;
    if (mm_ram_map_add(map, first, count))
        return 0;
    if (map->range_count == MM_RAM_RANGES_MAX)
        return ke_error(-EINVAL, "the RAM map has more than %u separate ranges", MM_RAM_RANGES_MAX);
    return ke_error(-EINVAL, "ram[%zu] (base 0x%llx, 0x%llx bytes) overlaps another range", index, base, length);
}

int mm_ram_map_build(mm_ram_map_t *map, const ntmm_config *config)
{
    map->range_count = 0;
    map->page_count = 0;
    if (config->ram != NULL && config->ram_ranges == 0)
        return ke_error(-EINVAL, "ram is set and ram_ranges is 0: a machine without RAM");
    if (config->ram_ranges == 0)
        return lay_out(map, config->physical_memory != 0 ? config->physical_memory : MM_DEFAULT_PHYSICAL_MEMORY);
    if (config->ram == NULL)
        return ke_error(-EINVAL, "ram_ranges is %zu and ram is NULL", config->ram_ranges);
    for (size_t i = 0; i < config->ram_ranges; i++) {
        int status = add_explicit(map, &config->ram[i], i);
        if (status != 0)
            return status;
    }
    if (config->physical_memory != 0 && config->physical_memory != map->page_count << PAGE_SHIFT)
        return ke_error(-EINVAL, "physical_memory is %llu bytes and the ranges in ram sum to %llu: give one of them",
                        (unsigned long long)config->physical_memory, (unsigned long long)(map->page_count << PAGE_SHIFT));
    return 0;
}
