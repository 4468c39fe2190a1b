/*
 * machine.h - the machine's memory from the inside: the object behind RAM, the tables of the regions. Only mm includes this.
 */
#ifndef NTMM_MM_MACHINE_H
#define NTMM_MM_MACHINE_H

#include "ke/lock.h"
#include "mm/mm.h"
#include "rtl/runs.h"

/* A region whose pages come and go one by one: addresses, PTEs, owners. Lock key: (R) the region's: mm_system_table_lock, or mm_paging_lock */
typedef struct mm_page_table {
    mm_region_t *region;
    rt_runs_t    runs;   /* (R) which pages are taken */
    uint64_t    *ptes;   /* (R) to change; a page's owner may read its own */
    mm_owner_t  *owners; /* the owner of the page */
    void        *tables; /* all of it: PTEs, owners, run index */
    size_t       table_bytes;
} mm_page_table_t;

extern mm_page_table_t mm_system_table;
extern ke_lock_t       mm_system_table_lock; /* KE_RANK_MM_SYSTEM_PTE */
extern mm_page_table_t mm_paged_table;       /* its lock: mm_paging_lock (paging.h) */
extern mm_page_table_t mm_shared_table;      /* likewise. owners[].bytes says where a page is seen (space.h) */

extern host_object_t mm_object;               /* file offset = physical address; the slots of paged pool follow */
extern uint64_t      mm_span_pfns;            /* frames that the PFN database and the maps have room for, RAM or not */
extern uint64_t      mm_slot_offset;          /* of the first slot in mm_object: those of paged pool; the shared ones follow */
extern bool          mm_executable_map_is_nx; /* the host refused PROT_EXEC: executable pool can be written and read only */
extern bool          mm_is_server;
extern KIRQL         mm_contiguous_free_irql; /* the highest that this Windows allows at MmFreeContiguousMemory */
extern bool          mm_map_changed;          /* memory was added or removed: the next boot starts from nothing */

/* Pages. The host's memory in use is at most RAM plus one batch of slots and one of homes (slots.c). */
#define MM_STALE_HOMES 32u
#define MM_STALE_SLOTS_LEAST 256u
#define MM_STALE_SLOTS_MOST 16384u

static inline size_t    mm_table_index(const mm_page_table_t *table, uintptr_t va) { return (va - table->region->base) >> PAGE_SHIFT; }
static inline uintptr_t mm_table_va(const mm_page_table_t *table, size_t index) { return table->region->base + (index << PAGE_SHIFT); }
static inline size_t    mm_table_pages(const mm_page_table_t *table) { return table->region->bytes >> PAGE_SHIFT; }

/* At-home bytes of RAM that joins or leaves the machine. */
int  mm_map_homes(mm_pfn_number_t first, uint64_t page_count);
void mm_unmap_homes(mm_pfn_number_t first, uint64_t page_count);

/* Where in mm_object the bytes of a frame are: at home, or in the slot of the pageable page that it backs. */
uint64_t mm_frame_offset(mm_pfn_number_t pfn);

/* Bytes of stale slots or homes go back to the host. */
void mm_discard(uint64_t offset, uint64_t page_count);

/* AddressSanitizer and its like, when they are there, know free memory as not to be touched; whoever gets it next may touch it. */
void mm_hide(uintptr_t va, size_t bytes);
void mm_unpoison(uintptr_t va, size_t bytes);
/* [first, first + count) pages at `va` and at `offset` of the object hold something: make the bytes zero again. */
void mm_clear_bytes(uintptr_t va, uint64_t offset, uint64_t page_count);

/* pool_pages.c */
void mm_pool_pages_shutdown(void);
/* system_pte.c */
size_t mm_mappings_for_views(void); /* how many of the host's mappings they may make */
void   mm_system_pte_boot(void);
void   mm_special_boot(void);
void   mm_system_pte_shutdown(void); /* every mapping that is left becomes inaccessible */
/* pages of the region that some owner or PTE was ever set for, ascending, leaf by leaf */
void mm_table_visit(mm_page_table_t *table, void (*visit)(void *context, mm_page_table_t *table, size_t index), void *context);

#endif
