/*
 * pinned.h - frames that stay where they are, because somebody does I/O with them. A frame that is pinned may not be freed under whoever
 * pinned it. Only mm includes this.
 *
 *     a frame at home       pins alone                                                                             lock: mm_pin_lock
 *     a pageable page's     pins, MM_PFN_LOCKED, and a charge: it takes RAM from those that can never leave         lock: mm.paging
 */
#ifndef NTMM_MM_PINNED_H
#define NTMM_MM_PINNED_H

#include "ke/bugcheck.h"
#include "mm/mm.h"

static inline uint32_t mm_pins_of(mm_pfn_number_t pfn) { return atomic_load_explicit(&mm_pfn_entry(pfn)->pins, memory_order_relaxed); }

/* One more pin for a frame at home, or for one that is pinned already. */
void mm_frame_pin(mm_pfn_number_t pfn);
/* For the frame of a valid pageable page, under mm_paging_lock. False: RAM is promised to others. */
bool mm_frame_pin_pageable_locked(mm_pfn_number_t pfn);
/* False: it is not pinned. */
uint32_t mm_frame_unpin_pageable_locked(mm_pfn_number_t pfn); /* how many pins it had; the frame is not deleted */
bool     mm_frame_unpin(mm_pfn_number_t pfn);

/* It is pinned, or an application sees it by way of an MDL: it must not be freed. No lock held. */
bool mm_frame_is_held(mm_pfn_number_t pfn);

/* The first frame of a run that somebody holds, or MM_PFN_NONE. */
static inline mm_pfn_number_t mm_first_pinned(mm_pfn_number_t first, uint64_t page_count)
{
    for (mm_pfn_number_t pfn = first; pfn < first + page_count; pfn++)
        if (mm_frame_is_held(pfn))
            return pfn;
    return MM_PFN_NONE;
}

/* Source  WDK reference: Bug Check 0x4E, first parameter 0x9A. */
static _Noreturn inline void mm_stop_pinned(const char *routine, mm_pfn_number_t pfn)
{
    ke_bugcheck(routine, "Memory was freed while one of its pages is still locked for I/O, or mapped at addresses of a process.",
                PFN_LIST_CORRUPT, 0x9A, (ULONG_PTR)pfn, mm_pfn_entry(pfn)->list, mm_pins_of(pfn));
}

#endif
