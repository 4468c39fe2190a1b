/*
 * ram_map.h - where RAM is: a sorted list of ranges of frames with holes between them.
 * Pure functions over one structure; who owns the machine's own map, and its lock, is pfn.h's affair.
 */
#ifndef NTMM_MM_RAM_MAP_H
#define NTMM_MM_RAM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <ntmm/ntmm.h>

#define MM_RAM_RANGES_MAX 512u       /* firmware maps of real machines have a few dozen entries */
#define MM_PHYSICAL_ADDRESS_BITS 52u /* of x64 */

typedef struct mm_ram_range {
    uint64_t first_pfn;
    uint64_t page_count;
} mm_ram_range_t;

typedef struct mm_ram_map { /* ascending, no two ranges overlap or touch */
    uint32_t       range_count;
    uint64_t       page_count; /* of all ranges */
    mm_ram_range_t range[MM_RAM_RANGES_MAX];
} mm_ram_map_t;

/* Builds the map that a config asks for. Negative errno with ke_error set. */
int mm_ram_map_build(mm_ram_map_t *map, const ntmm_config *config);
/* One more range, merged with its neighbours; false when it overlaps RAM or the map is full. */
bool mm_ram_map_add(mm_ram_map_t *map, uint64_t first_pfn, uint64_t page_count);
/* Takes a range out, splitting one entry at most; false unless all of it is RAM, or when the map is full. */
bool mm_ram_map_remove(mm_ram_map_t *map, uint64_t first_pfn, uint64_t page_count);
bool mm_ram_map_contains(const mm_ram_map_t *map, uint64_t pfn);
/* Index of the range that contains pfn, or -1. */
int32_t mm_ram_map_find(const mm_ram_map_t *map, uint64_t pfn);
/* PFN of the nth frame of RAM, counted in address order; n < page_count. */
uint64_t mm_ram_map_nth(const mm_ram_map_t *map, uint64_t n);
/* The last frame of RAM. */
uint64_t mm_ram_map_highest(const mm_ram_map_t *map);

#endif
