/*
 * pte.h - software page-table entries of the system PTE and paged regions, 8 bytes each.
 * A valid entry has the hardware layout of x64, so that a dump of it reads as the processor manual says:
 *
 *     63   62..52   51 .. PAGE_SHIFT   ..   6      5         1      0
 *     NX   -        page frame number       dirty  accessed  write  valid
 *
 * An invalid one is zero (never used, or cleaned), or says that the page's slot still holds bytes of a page that is gone.
 * Source  Intel SDM volume 3, "Paging"; with 16 KiB pages the frame number starts at bit 14.
 */
#ifndef NTMM_MM_PTE_H
#define NTMM_MM_PTE_H

#include "mm/mm.h"

#define MM_PTE_VALID ((uint64_t)1 << 0)
#define MM_PTE_WRITE ((uint64_t)1 << 1)
#define MM_PTE_ACCESSED ((uint64_t)1 << 5)
#define MM_PTE_DIRTY ((uint64_t)1 << 6)
#define MM_PTE_STALE_SLOT ((uint64_t)1 << 9) /* invalid entries only: bits 9 to 11 are the system's own */
#define MM_PTE_NX ((uint64_t)1 << 63)
#define MM_PTE_ADDRESS ((((uint64_t)1 << 52) - 1) & ~((uint64_t)PAGE_SIZE - 1))

static inline uint64_t mm_pte_make(mm_pfn_number_t pfn, unsigned access /* enum host_access */)
{
    return (pfn << PAGE_SHIFT & MM_PTE_ADDRESS) | MM_PTE_VALID | MM_PTE_ACCESSED |
           ((access & HOST_WRITE) != 0 ? MM_PTE_WRITE | MM_PTE_DIRTY : 0) | ((access & HOST_EXECUTE) != 0 ? 0 : MM_PTE_NX);
}
static inline bool            mm_pte_is_valid(uint64_t pte) { return (pte & MM_PTE_VALID) != 0; }
static inline mm_pfn_number_t mm_pte_pfn(uint64_t pte) { return (pte & MM_PTE_ADDRESS) >> PAGE_SHIFT; }
/* The PTE of a page of any region: made up for the two maps of RAM, which are linear; 0 for a page that is not there. */
uint64_t mm_pte_of(uintptr_t va);

#endif
