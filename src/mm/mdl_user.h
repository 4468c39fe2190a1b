/*
 * mdl_user.h - addresses of a process for MDLs. Only mm includes this.
 */
#ifndef NTMM_MM_MDL_USER_H
#define NTMM_MM_MDL_USER_H

#include "mm/mapping.h"
#include "mm/view.h"

void                    mm_user_mappings_boot(void);
extern _Atomic uint32_t mm_user_mappings; /* that there are */
/* The whole mapping at an address of the space; requested 0: anywhere. The statuses of mm_view_map. */
NTSTATUS mm_user_mapping_make(mm_space_t *space, MDL *mdl, const mm_mapping_t *mapping, uintptr_t requested, uintptr_t *base);
/* false: no mapping of this MDL begins there, in that space. */
bool mm_user_mapping_drop(mm_space_t *space, const MDL *mdl, uintptr_t base);
/* A space goes, or all of them: what was mapped there is forgotten. */
void   mm_user_mappings_forget_locked(mm_space_t *space);
size_t mm_user_mapping_stretches_locked(const mm_space_t *space); /* host mappings that all of them there take */

/* Some application sees the frame. Quick while there is no such mapping at all. */
bool mm_user_mapping_shows(mm_pfn_number_t pfn);

/* Pages [first, end) of a space: an MDL is mapped on some of them. They are the driver's to change. */
bool mm_user_mapping_lies_in_locked(const mm_space_t *space, size_t first, size_t end);
/* The frame that such a mapping shows at an address; false: there is none, or it may not be written. */
bool mm_user_mapping_frame(uintptr_t va, bool write, mm_pfn_number_t *pfn);

#endif
