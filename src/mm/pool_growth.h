/*
 * pool_growth.h - how much memory the host is asked for at once when a pool grows.
 */
#ifndef NTMM_MM_POOL_GROWTH_H
#define NTMM_MM_POOL_GROWTH_H

#include "mm/pfn.h"

#define MM_GROW_AT_ONCE 16u /* pages: a run of up to so many comes from the host at once */

/* Where the bytes of a frame are for that pool, which is not paged pool. */
static inline void *mm_home_address(mm_pool_t pool, mm_pfn_number_t pfn)
{
    const mm_region_t *map = pool == MM_NONPAGED_EXECUTE ? &mm_executable_map : &mm_physical_map;
    return (void *)(map->base + (pfn << PAGE_SHIFT));
}

size_t mm_pool_grows_by(mm_pool_t pool); /* pages, a power of two, for a page that the host has not given yet */
/* Frames that a pool was given are zeroed, so that the host may not have given their homes yet: a run, or one, and those that follow it. */
void mm_pool_expect_homes(mm_pool_t pool, mm_pfn_number_t first, size_t page_count);
void mm_pool_growth_forget(void); /* at shutdown: homes go back to the host */

#endif
