/*
 * paging.h - pageable memory from the inside. Only mm includes this.
 * A pageable region has a page table, a slot in the memory object for each of its pages, a gate that opens and closes pages, and an alias,
 * where the same slots are always open: to the page writer and whoever else looks at pages past the gate. There are two:
 *
 *     mm_paged      paged pool
 *     mm_shared     the pages that views show (view.h). Its PTEs are the prototype PTEs; it has no gate, since the views have theirs, and its
 *                   addresses are those of the alias
 *
 *     page_fault.c       what does a touched page need?            reclaim.c          a frame, when none is free
 *     page_state.c       one page from state to state              working_set.c      which pages are there, and which goes next
 *     modified_writer.c  dirty pages to the page file              page_file.c        the file, and its slots
 *     slots.c            bytes that the host need not keep         pool_pages.c       whose pages they are, in paged pool
 *     space.h            the views, and what shows which page      segment.c          pages over a file of the host
 *
 * Units   pages; index = number of the page in its region.
 * Locks   mm_paging_lock (KE_RANK_MM_POOL_VA) guards all page tables of pageable regions, the working set and the page file; names end in
 *         _locked where the caller holds it. The fault handler takes it, so nobody who holds it, or a lock above it, touches pageable memory.
 */
#ifndef NTMM_MM_PAGING_H
#define NTMM_MM_PAGING_H

#include "host/page_gate.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/pte.h"

#define MM_CLUSTER 16u    /* pages written to the page file at once, and trimmed at once */
#define MM_READ_AHEAD 16u /* pages read at once */
#define MM_ZERO_AHEAD 16u /* demand-zero pages made at once, when they are touched in a row */

typedef struct mm_pageable {
    mm_page_table_t *table;
    host_gate_t      gate;        /* (W) mm_paging_lock. Of kind BEST: there is none */
    uint64_t         slot_offset; /* of the first page's slot in mm_object */
    uintptr_t        alias;
    size_t           seen; /* (W) no page from this one on was ever made */
} mm_pageable_t;

extern ke_lock_t     mm_paging_lock;
extern mm_pageable_t mm_paged, mm_shared;

/* The region that a page lies in, or NULL. */
static inline mm_pageable_t *mm_pageable_of(uintptr_t va)
{
    if (NTMM_LIKELY(mm_in(&mm_paged_region, va)))
        return &mm_paged;
    return mm_in(&mm_shared_region, va) ? &mm_shared : NULL;
}
static inline bool mm_has_gate(const mm_pageable_t *region) { return region->gate.kind != HOST_GATE_BEST; }
/* The number of a slot among all slots of the memory object, and back. */
static inline size_t mm_slot_of(const mm_pageable_t *region, size_t index)
{
    return (size_t)((region->slot_offset - mm_slot_offset) >> PAGE_SHIFT) + index;
}
static inline mm_pageable_t *mm_pageable_of_slot(size_t *slot) /* *slot: the page's index from then on */
{
    if (*slot < mm_table_pages(mm_paged.table))
        return &mm_paged;
    *slot -= mm_table_pages(mm_paged.table);
    return &mm_shared;
}
static inline void *mm_alias_of(const mm_pageable_t *region, size_t index)
{
    return (void *)(region->alias + ((uintptr_t)index << PAGE_SHIFT));
}

/* ---- one page (page_state.c) ---- */

/* What is known of the frame of a pageable page, active, standby or modified. */
static inline bool mm_frame_is_pageable(const mm_pfn_t *entry)
{
    return entry->mapped.use == MM_USE_MAPPED && mm_pageable_of(entry->mapped.va) != NULL;
}

/* Pages [first, first + count), free or demand zero and all alike in what their slots hold, get frames, and become valid, dirty, open; zero,
 * if that is asked for, else whatever their slots hold. The frames are active and say what their homes are. As many closed zero free pages
 * behind them as `open_ahead` says are opened in the same go. Negative, from the gate: nothing has changed. */
int mm_page_make_locked(mm_pageable_t *region, size_t first, size_t count, const mm_pfn_number_t *frames, bool zero, size_t open_ahead);
/* Pages in the page file, in a row there, too, and alike in that their slots are stale or not: become valid and clean; the first one dirty, if
 * it is to be written. How many of them, from the first on; negative: none, from the gate or the file. */
int  mm_page_read_locked(mm_pageable_t *region, size_t first, size_t count, const mm_pfn_number_t *frames, bool write);
int  mm_page_rescue_locked(mm_pageable_t *region, size_t index, bool write);
int  mm_page_write_locked(mm_pageable_t *region, size_t index);               /* a valid clean page is written */
void mm_page_close_locked(mm_pageable_t *region, size_t first, size_t count); /* wherever they can be seen */
void mm_page_trim_locked(mm_pageable_t *region, size_t index);                /* the gate is closed already */
void mm_page_was_written_locked(mm_pfn_number_t pfn, uint32_t file_slot);     /* MM_IN_SEGMENT_FILE: to the file of its segment */
void mm_page_repurpose_locked(mm_pfn_number_t pfn);                           /* a standby frame: active and nobody's from now on */
void mm_page_free_locked(mm_pageable_t *region, size_t index);
/* A page of mm_shared: nobody is interested in what is there (view_reset.c); and is, after all. false: that is gone. */
void mm_page_reset_locked(size_t slot);
bool mm_page_undo_reset_locked(size_t slot);
/* A frame for a page is at hand: what its PFN entry says of its home, as a flag. */
void mm_page_home_is(mm_pfn_number_t pfn, bool home_zero);

/* ---- working set (working_set.c) ---- */

extern mm_page_list_t mm_working_set; /* active frames of pageable pages; the head has been there longest */

void   mm_working_set_boot(const ntmm_config *config);
void   mm_working_set_enter_locked(mm_pfn_number_t pfn, bool rescued);
void   mm_working_set_leave_locked(mm_pfn_number_t pfn);
size_t mm_working_set_trim_locked(size_t most); /* by the policy */
size_t mm_working_set_empty_locked(void);       /* all that can go */
size_t mm_working_set_spread_locked(void);      /* how many pages the policy wants to see on standby and modified lists */

/* ---- frames when none is free (reclaim.c) ---- */

/* For a page of a pageable region; active, HOME_* set. MM_PFN_NONE: none can be had. `may_reclaim` false: only a free one. */
mm_pfn_number_t mm_frame_for_page_locked(uint32_t node, bool may_reclaim);
/* For anybody else, with no lock of mm held: as mm_frame_get, but other pages make room. */
mm_pfn_number_t mm_frame_get_or_reclaim(uint32_t node, bool *zeroed);
/* Pageable pages leave their frames, so that so many more may be free. False: no frame became free. */
bool mm_reclaim(uint64_t page_count);
/* The same for a run that nobody found: all pageable pages go, if they can make a difference. */
bool   mm_reclaim_for_run(uint64_t page_count);
size_t mm_put_all_out_locked(void); /* every page that can: written and repurposed; how many were */

/* ---- modified pages (modified_writer.c) ---- */
size_t          mm_modified_write_locked(void); /* one cluster; pages that are on standby now; 0: nothing could be written */
extern NTSTATUS mm_modified_error;              /* of the last write that the host refused; STATUS_SUCCESS: it never did */

/* ---- page file (page_file.c) ---- */

int      mm_page_file_build(uint64_t page_count); /* -ENOMEM */
void     mm_page_file_release(void);
void     mm_page_file_reset(void);                                 /* shutdown: no slot is in use */
uint32_t mm_page_file_take_locked(uint32_t most, uint32_t *first); /* up to `most` slots in a row; 0: all are in use */
void     mm_page_file_give_locked(uint32_t file_slot);             /* 0: nothing to give */
int      mm_page_file_write_locked(uint32_t first, uint32_t count, const void *from);
int      mm_page_file_read_locked(uint32_t first, uint32_t count, void *to);
uint64_t mm_page_file_used_locked(void);
bool     mm_page_file_check(const char **what);
int      mm_page_file_descriptor(void); /* for tests; -1: nothing was ever written */

/* ---- stale bytes (slots.c) ---- */

void mm_slots_boot(void);
void mm_note_stale_slot(const mm_pageable_t *region, size_t index);       /* its PTE says so */
void mm_note_stale_home(const mm_pageable_t *region, size_t index);       /* of the frame of that page; its flags say so */
void mm_discard_slots(mm_pageable_t *region, size_t first, size_t count); /* of free pages: closed, zero */
void mm_clear_slots(mm_pageable_t *region); /* shutdown: every slot is zero, every page nobody's; the gate is the caller's to close */

/* ---- faults (page_fault.c) ---- */

/* The page that was touched; the caller knows that it lies in a pageable region. UNKNOWN: nobody has such a page. */
typedef enum mm_page_answer {
    MM_PAGE_RESOLVED,
    MM_PAGE_ABSENT,   /* nobody has it */
    MM_PAGE_REFUSED,  /* it is there, and may not be used in that way */
    MM_PAGE_IRQL,     /* somebody has it, but not at this IRQL */
    MM_PAGE_NO_FRAME, /* there is no frame for it */
    MM_PAGE_GUARD,    /* a guard page, which is one no longer */
    MM_PAGE_NO_ROOM,  /* the host has no mapping, or the segment no slot, for a copy */
    MM_PAGE_IO_ERROR, /* the page file could not be read */
    MM_PAGE_LOST      /* it is there and open: the host took it */
} mm_page_answer_t;
mm_page_answer_t mm_page_fault(ke_thread_t *thread, const host_fault_t *fault);
/* A page that somebody has becomes valid, and dirty if it is to be written. RESOLVED, ABSENT, NO_FRAME, IO_ERROR. */
mm_page_answer_t mm_page_bring_locked(mm_pageable_t *region, size_t index, bool write);
/* What the handler does around a look at the tables: the lock, the ranks of whoever was interrupted, the patience of a halted machine. */
typedef struct mm_fault_entry {
    ke_thread_t *self;
    uint32_t     ranks;
    bool         locked, irql_is_low;
} mm_fault_entry_t;
mm_fault_entry_t mm_fault_enter(const ke_thread_t *thread);
void             mm_fault_leave(const mm_fault_entry_t *entry, const host_fault_t *fault, mm_page_answer_t answer);
bool             mm_page_is_lost(uintptr_t address); /* it was open already, again and again, and still the touch faults */
void             mm_count_fault(bool hard);          /* served elsewhere; under the lock */
void             mm_count_copy_locked(void);
bool             mm_make_resident(const void *va); /* from ordinary code, at any IRQL; false: nobody has the page, or it cannot be had */
void             mm_note_given_back(void);         /* force_irql.c: what a raise has closed is open again to the raised thread */
void             mm_faults_boot(void);
void             mm_query_page_faults(ntmm_fault_counts *out);
bool             mm_fault_irql_is_low(const ke_thread_t *thread); /* its faults may be served: by its IRQL, or because it is forgiven */

/* ---- the protection key (protection_keys.c) ---- */

extern bool mm_keyed; /* set at boot: pageable data lie under the host's protection key */

void mm_keys_boot(bool wanted); /* part of boot: mm_keyed, if the host has one */
bool mm_key_covers(uintptr_t va);
/* A page was touched by a thread at DISPATCH_LEVEL, and the key kept it away. RESOLVED: the page is locked, and open to all until it is not. */
mm_page_answer_t mm_key_fault_locked(const host_fault_t *fault);
void             mm_key_take_back_locked(void); /* pages were unlocked: they are closed to whoever is raised */

#endif
