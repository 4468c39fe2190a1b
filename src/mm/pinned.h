/*
 * pinned.h - a frame that an MDL has locked may not be freed under it. Only mm includes this.
 */
#ifndef NTMM_MM_PINNED_H
#define NTMM_MM_PINNED_H

#include "ke/bugcheck.h"
#include "mm/mm.h"

static inline uint32_t mm_pins_of(mm_pfn_number_t pfn) { return atomic_load_explicit(&mm_pfn_entry(pfn)->pins, memory_order_relaxed); }

/* The first frame of a run that somebody has locked, or MM_PFN_NONE. */
static inline mm_pfn_number_t mm_first_pinned(mm_pfn_number_t first, uint64_t page_count)
{
    for (mm_pfn_number_t pfn = first; pfn < first + page_count; pfn++)
        if (mm_pins_of(pfn) != 0)
            return pfn;
    return MM_PFN_NONE;
}

/* Source  WDK reference: Bug Check 0x4E, first parameter 0x9A. */
static _Noreturn inline void mm_stop_pinned(const char *routine, mm_pfn_number_t pfn)
{
    ke_bugcheck(routine, "Memory was freed while one of its pages is still locked for I/O.", PFN_LIST_CORRUPT, 0x9A, (ULONG_PTR)pfn,
                mm_pfn_entry(pfn)->list, mm_pins_of(pfn));
}

#endif
