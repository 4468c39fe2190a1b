/*
 * mdl_pages.h - frames that belong to an MDL and have no address: what MmAllocatePagesForMdl hands out. mm and io include this.
 */
#ifndef NTMM_MM_MDL_PAGES_H
#define NTMM_MM_MDL_PAGES_H

#include <ntddk.h>

#include "mm/mm.h"

extern KIRQL mm_contiguous_free_irql; /* the highest that this Windows allows at MmFreeContiguousMemory, and here */

typedef struct mm_pages_want {
    uint64_t low, high; /* physical page numbers, inclusive: the first range */
    uint64_t skip;      /* pages: how far the next range lies behind the one before; 0: there is no next one */
    uint64_t page_count;
    uint64_t chunk_pages; /* in runs of so many, aligned to so many when there are several; 0: any frames */
    uint32_t node;        /* MM_ANY_NODE: any */
    bool     node_only;   /* else other nodes when that one has no more */
    bool     prefer_runs; /* in as few runs as there may be */
    bool     may_reclaim; /* pageable pages make room */
    bool     fast_only;   /* only what lies free in a row */
    bool     zero;
    uint8_t  cache; /* 1 + MEMORY_CACHING_TYPE; 0: as it will be mapped */
} mm_pages_want_t;

/* How many frames there are in pfns; the first of them knows of the others' bytes. */
size_t mm_mdl_pages_get(const mm_pages_want_t *want, PFN_NUMBER *pfns);

void mm_mdl_pages_put(const PFN_NUMBER *pfns, size_t page_count);
/* The first ones of so many go; the others have a first one of their own. */
void mm_mdl_pages_pass(const PFN_NUMBER *pfns, size_t passed, size_t page_count);
bool mm_is_mdl_page(mm_pfn_number_t pfn);
/* They leave the machine; how many of them are gone, in pfns. The others are given up. */
size_t mm_mdl_pages_remove(PFN_NUMBER *pfns, size_t page_count);

#endif
