/*
 * mdl_reserved.h - system addresses that were reserved before there was something to map. mm includes this.
 */
#ifndef NTMM_MM_MDL_RESERVED_H
#define NTMM_MM_MDL_RESERVED_H

#include "mm/mapping.h"
#include "mm/mdl.h"

/* What the owner entry of reserved addresses says: pages, and how many of them are mapped now, from the first on. */
static inline size_t mm_reserved_pages(const mm_owner_t *owner) { return (size_t)(owner->bytes & UINT32_MAX); }

size_t mm_reserved_mapped(const void *page); /* 0 also where nothing is reserved */
bool   mm_reserved_unmap(void *page);        /* false: nothing of the kind is there */

/* mdl_map.c */
mm_mapping_t   mm_mdl_mapping(const MDL *mdl, unsigned access, MEMORY_CACHING_TYPE cache);
_Noreturn void mm_stop_unlocked_page(const char *routine, MDL *mdl, size_t index); /* 0x1A/0x1236 */

#endif
