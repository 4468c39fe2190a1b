/*
 * pte.h - software page-table entries of the system PTE and paged regions, 8 bytes each.
 * A valid entry has the hardware layout of x64, so that a dump of it reads as the processor manual says; an invalid one is for software,
 * and laid out as Windows' debugger shows it:
 *
 *                  63 .................. 32   31 .. 12   11           10          9 .. 5       4       3      2   1       0
 *     valid        NX | frame number, from PAGE_SHIFT on                          D (6) A (5)                     write   1
 *     transition        frame number, from PAGE_SHIFT on   1                      protection                              0
 *     page file    slot in the file                        0            0         protection   stale                      0
 *     demand zero  0                                       0            0         protection   stale                      0
 *     free         0                                       0            0         0            stale   open               0
 *
 * protection  4: read and write. Never 0 in an entry of a page that somebody has, always 0 in one that is free.
 * stale       the page's slot in the memory object holds bytes of a page that is gone
 * open        the gate was left open: the next owner of the page need not open it
 * slot        MM_IN_SEGMENT_FILE: the bytes are in the file that the segment is over, or behind its end; MM_RESET, MM_LOST: nowhere (view_reset.c)
 * D           the page was written since it was read from the page file, or has never been there; without it the gate lets nobody write
 * Bits 52 to 58 of a valid one are for software: MM_PTE_HOME, MM_PTE_IO, MM_PTE_DEVICE.
 *
 * Source  Intel SDM volume 3, "Paging"; with 16 KiB pages the frame number starts at bit 14. WinDbg documentation, !pte.
 */
#ifndef NTMM_MM_PTE_H
#define NTMM_MM_PTE_H

#include "mm/mm.h"

#define MM_PTE_VALID ((uint64_t)1 << 0)
#define MM_PTE_WRITE ((uint64_t)1 << 1)
#define MM_PTE_ACCESSED ((uint64_t)1 << 5)
#define MM_PTE_DIRTY ((uint64_t)1 << 6)
#define MM_PTE_HOME ((uint64_t)1 << 52)   /* mapped by physical address (io_map.c): RAM at home, which is another's and may change hands */
#define MM_PTE_IO ((uint64_t)1 << 53)     /* the same: I/O space, without a PFN entry */
#define MM_PTE_DEVICE ((uint64_t)1 << 54) /* and the test plays its registers: the host has nothing there */
#define MM_PTE_NX ((uint64_t)1 << 63)
#define MM_PTE_ADDRESS ((((uint64_t)1 << 52) - 1) & ~((uint64_t)PAGE_SIZE - 1))

/* invalid entries only */
#define MM_PTE_SEEN ((uint64_t)1 << 2) /* for an instant, in slots.c */
#define MM_PTE_GATE_OPEN ((uint64_t)1 << 3)
#define MM_PTE_STALE_SLOT ((uint64_t)1 << 4)
#define MM_PTE_PROTECTION ((uint64_t)0x1F << 5)
#define MM_PTE_READ_WRITE ((uint64_t)4 << 5)
#define MM_PTE_TRANSITION ((uint64_t)1 << 11)
#define MM_PTE_FILE_SHIFT 32u
#define MM_IN_SEGMENT_FILE UINT32_MAX /* as a slot of the page file: no, in the file of the segment that the page belongs to */
#define MM_RESET (UINT32_MAX - 1)     /* the same: nowhere, since nobody is interested; once it is not in RAM it is zeros */
#define MM_LOST (UINT32_MAX - 2)      /* the same, and that has happened */
static inline bool mm_is_page_file_slot(uint32_t slot) { return slot != 0 && slot < MM_LOST; }

static inline uint64_t mm_pte_make(mm_pfn_number_t pfn, unsigned access /* enum host_access */)
{
    return (pfn << PAGE_SHIFT & MM_PTE_ADDRESS) | MM_PTE_VALID | MM_PTE_ACCESSED |
           ((access & HOST_WRITE) != 0 ? MM_PTE_WRITE | MM_PTE_DIRTY : 0) | ((access & HOST_EXECUTE) != 0 ? 0 : MM_PTE_NX);
}
static inline bool            mm_pte_is_valid(uint64_t pte) { return (pte & MM_PTE_VALID) != 0; }
static inline mm_pfn_number_t mm_pte_pfn(uint64_t pte) { return (pte & MM_PTE_ADDRESS) >> PAGE_SHIFT; } /* valid or transition */

/* ---- pageable regions ---- */

static inline uint64_t mm_pte_clean(mm_pfn_number_t pfn) { return mm_pte_make(pfn, HOST_READ | HOST_WRITE) & ~MM_PTE_DIRTY; }
static inline uint64_t mm_pte_dirty(mm_pfn_number_t pfn) { return mm_pte_make(pfn, HOST_READ | HOST_WRITE); }
static inline uint64_t mm_pte_transition(mm_pfn_number_t pfn)
{
    return (pfn << PAGE_SHIFT & MM_PTE_ADDRESS) | MM_PTE_TRANSITION | MM_PTE_READ_WRITE;
}
static inline uint64_t mm_pte_in_file(uint32_t file_slot) { return (uint64_t)file_slot << MM_PTE_FILE_SHIFT | MM_PTE_READ_WRITE; }

/* PTEs of pageable regions change under mm_paging_lock, and are read by owners of pages without it. */
static inline void     mm_pte_write(uint64_t *pte, uint64_t value) { __atomic_store_n(pte, value, __ATOMIC_RELAXED); }
static inline uint64_t mm_pte_read(const uint64_t *pte) { return __atomic_load_n(pte, __ATOMIC_RELAXED); }

/* Somebody has the page, whether it is there or not. */
static inline bool     mm_pte_is_taken(uint64_t pte) { return mm_pte_is_valid(pte) || (pte & MM_PTE_PROTECTION) != 0; }
static inline bool     mm_pte_is_transition(uint64_t pte) { return !mm_pte_is_valid(pte) && (pte & MM_PTE_TRANSITION) != 0; }
static inline bool     mm_pte_has_frame(uint64_t pte) { return mm_pte_is_valid(pte) || (pte & MM_PTE_TRANSITION) != 0; }
static inline uint32_t mm_pte_file_slot(uint64_t pte) { return mm_pte_has_frame(pte) ? 0 : (uint32_t)(pte >> MM_PTE_FILE_SHIFT); }
static inline bool     mm_pte_slot_is_stale(uint64_t pte) { return !mm_pte_has_frame(pte) && (pte & MM_PTE_STALE_SLOT) != 0; }

/* The PTE of a page of any region: made up for the two maps of RAM, which are linear; 0 for a page that is not there. */
uint64_t mm_pte_of(uintptr_t va);

#endif
