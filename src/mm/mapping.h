/*
 * mapping.h - system addresses for frames that somebody holds. Only mm includes this.
 */
#ifndef NTMM_MM_MAPPING_H
#define NTMM_MM_MAPPING_H

#include <ntddk.h>

#include "mm/mm.h"

typedef struct mm_mapping { /* what is to be mapped */
    const PFN_NUMBER   *pfns;
    size_t              page_count;
    unsigned            access; /* enum host_access */
    MEMORY_CACHING_TYPE cache;  /* of frames that have none yet */
    bool                io_space;
    uint64_t            key; /* kept with a mapping of its own, for mm_mapping_find: a page's address */
} mm_mapping_t;

/* The index of the first page that may not be mapped, because it is not locked. page_count: all may be. */
size_t mm_mapping_first_bad(const mm_mapping_t *mapping);
/* The quick way for what most MDLs are, a row of frames at home: both of the above, or NULL for all the rest. */
void *mm_mapping_at_home(const mm_mapping_t *mapping);
/* Where the pages can be seen anyway, without a mapping of their own: all of them in a row, and writable. NULL: nowhere. */
void *mm_mapping_in_place(const mm_mapping_t *mapping);
/* With a verifier nothing is seen in place but memory of the process: what was unmapped is gone. */
extern bool mm_mappings_are_real;
/* A mapping of its own. Pageable frames are pinned once more as long as it lasts. NULL, with the reason in ke_error. */
void *mm_mapping_make(const mm_mapping_t *mapping);
/* Unmaps the pages, and gives the addresses back. They may be the first ones of a mapping: the others stay, and are one. */
void mm_mapping_drop(void *va, size_t page_count);

/* At addresses that are reserved, and whose host mappings are promised. */
bool mm_mapping_make_at(void *va, const mm_mapping_t *mapping);
void mm_mapping_clear(void *va, size_t page_count);

typedef struct mm_mapping_found {
    mm_owner_t *record;     /* of a mapping of its own; NULL: there is none at this address */
    size_t      page_count; /* from here to its end */
    size_t      pages_before;
    uint64_t    key; /* of the mapping's first page */
} mm_mapping_found_t;
mm_mapping_found_t mm_mapping_find(const void *page);

#endif
