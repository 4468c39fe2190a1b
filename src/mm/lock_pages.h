/*
 * lock_pages.h - memory at an address, held where it is: from addresses to frames that stay. Only mm includes this.
 *
 *     address                    what is done                                                                          frame number
 *     the maps of RAM            the frame is pinned                                                                   its own
 *     system PTEs                the same; I/O space stays where it is anyway                                          the PTE's
 *     paged pool, its slots      the page is brought in, made dirty if it is to be written, and its frame pinned       the PTE's
 *     user memory, system views  the same, by way of the view; a page that may be copied is, if it is to be written     the prototype's
 *     pageable driver sections   the page is brought in, made dirty if it is to be written, and pinned                 mm_host_frame
 *     the rest of the process    nothing: the machine cannot move it                                                   mm_host_frame
 *
 * The machine cannot say where in some RAM the driver's globals and its stack lie. They get frame numbers above all RAM, one for each page of
 * the process' address space, so that an MDL may describe them and a device may find them.
 */
#ifndef NTMM_MM_LOCK_PAGES_H
#define NTMM_MM_LOCK_PAGES_H

#include "mm/mm.h"

#define MM_HOST_PHYSICAL ((uint64_t)1 << 48) /* the physical address of address 0 of the process, which has as many */
static inline mm_pfn_number_t mm_host_frame(uintptr_t va) { return (MM_HOST_PHYSICAL + va) >> PAGE_SHIFT; }
static inline bool            mm_is_host_frame(mm_pfn_number_t pfn) { return pfn >> (48 - PAGE_SHIFT) == 1; }
static inline void           *mm_host_frame_va(mm_pfn_number_t pfn) { return (void *)(uintptr_t)((pfn << PAGE_SHIFT) - MM_HOST_PHYSICAL); }

typedef struct mm_lock {
    bool      write;     /* the pages will be written */
    bool      low_irql;  /* pageable memory may be touched */
    bool      io_space;  /* out: I/O space is among them */
    bool      pageable;  /* out, when it failed: because low_irql is false */
    uintptr_t failed_at; /* out, when it failed: the page */
} mm_lock_t;

/* All of the pages, from `va` on; or none, with the reason: STATUS_ACCESS_VIOLATION, STATUS_IN_PAGE_ERROR, STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS mm_lock_pages(mm_lock_t *lock, uintptr_t va, size_t page_count, PFN_NUMBER *pfns);
/* The index of the first one that is not locked; those before it are unlocked, the others are not. page_count: all are unlocked. */
size_t mm_unlock_pages(const PFN_NUMBER *pfns, size_t page_count, bool io_space);

/* Whoever frees the pools' pages among them looks at each (mm_first_locked_page). */
void mm_note_frames(const PFN_NUMBER *pfns, size_t page_count);

/* The frames behind pages that are there and stay there, without pinning. The index of the first page that is not; page_count: all are. */
size_t mm_find_pages(uintptr_t va, size_t page_count, PFN_NUMBER *pfns, bool *io_space);

/* A frame number that an MDL may hold: of RAM in use and not pageable, or pinned; of the process. I/O space is not for this to say. */
bool mm_frame_stays(mm_pfn_number_t pfn);

#endif
