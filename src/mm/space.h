/*
 * space.h - spaces, views and segments from the inside: page tables of addresses over prototype PTEs. Only mm includes this.
 *
 *     PTE of a page of a space, 8 bytes, 0 where nothing lies
 *       63 .............. 32   31 ....... 16   15 .. 14   13        12       11     10 ............ 0
 *       slot: index of the     number of the    locked    charged   copied   open   protection: the words
 *       page in mm_shared      view, from 1     (two)                               of Windows, PAGE_*
 *
 * open     the host lets somebody touch the page here: only if the prototype is valid; for writing only if that is dirty, too
 * copied   copy-on-write took place: the slot is not the segment's but one of the space's own, and is mapped by itself
 * charged  the space pays for a page here: a private page, or one that may be copied. (MM_CHARGE_PRIVATE)
 *
 * locked   pinned once on behalf of the process (view_lock.c)
 *
 * Whether a page is committed the prototype says: mm_pte_is_taken. Reserved pages have slots, too, which cost nothing.
 *
 *     owners[slot].bytes of mm_shared     a segment (even): seen by all of its views
 *                                         an address of a space + 1 (odd): private memory, and copies, seen there alone
 *                                         MM_ORPHAN: let go of while it was pinned; the slot becomes free when nobody pins it any longer
 *
 *     space.c   slices, boot, shutdown      view.c          map, unmap, release        view_fault.c  touched, pinned, copied, closed
 *     segment.c segments and their files    view_pages.c    commit, protect, secure    view_check.c  does it all fit?
 *     view_reset.c  contents of no interest view_large.c    large pages                view_lock.c   locked by the process
 *
 * Units       pages; index = number of the page in its space.
 * Locks       mm_paging_lock guards all of it; names end in _locked where the caller holds it.
 */
#ifndef NTMM_MM_SPACE_H
#define NTMM_MM_SPACE_H

#include "mm/paging.h"
#include "mm/view.h"

#define MM_USER_SLICES 16u
#define MM_USER_SLICE_BYTES ((size_t)64 << 20)
#define MM_VIEWS_MOST 0xFFFFu
#define MM_SEGMENTS_MOST 8192u
#define MM_SECURED_MOST 64u

#define MM_ORPHAN UINT64_C(2)

/* ---- the PTE of an address ---- */

#define MM_VIEW_PROTECT UINT64_C(0x7FF)
#define MM_VIEW_OPEN (UINT64_C(1) << 11)
#define MM_VIEW_COPIED (UINT64_C(1) << 12)
#define MM_VIEW_CHARGED (UINT64_C(1) << 13)
#define MM_VIEW_LOCK_SHIFT 14
#define MM_VIEW_LOCKED (UINT64_C(3) << MM_VIEW_LOCK_SHIFT)

static inline uint64_t mm_view_pte_make(size_t slot, uint32_t view, uint32_t protect, uint64_t flags)
{
    return (uint64_t)slot << 32 | (uint64_t)view << 16 | protect | flags;
}
static inline size_t   mm_view_pte_slot(uint64_t pte) { return (size_t)(pte >> 32); }
static inline uint32_t mm_view_pte_view(uint64_t pte) { return (uint32_t)(pte >> 16) & 0xFFFFu; }
static inline uint32_t mm_view_pte_protect(uint64_t pte) { return (uint32_t)(pte & MM_VIEW_PROTECT); }

/* What a protection word allows. */
static inline bool mm_protect_reads(uint32_t protect) { return (protect & 0xFEu) != 0; }
static inline bool mm_protect_copies(uint32_t protect) { return (protect & (PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) != 0; }
static inline bool mm_protect_writes(uint32_t protect) /* at once, or after a copy */
{
    return (protect & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0 || mm_protect_copies(protect);
}

/* ---- what there is ---- */

typedef struct mm_view {        /* an allocation: a view of a segment, or a private reservation */
    struct mm_view *next;       /* of the segment's views, or free */
    mm_space_t     *space;      /* NULL: free */
    mm_segment_t   *segment;    /* NULL: private */
    uint64_t        first_page; /* of the segment */
    size_t          first, page_count;
    uint32_t        protect, type; /* as it was made */
    bool            physical;      /* never committed */
    bool            large;         /* every page is pinned */
} mm_view_t;

struct mm_segment {
    mm_segment_t *next; /* free */
    uint64_t      references;
    uint64_t      serial;                 /* no other segment has had it */
    size_t        first_slot, page_count; /* 0 pages: free */
    uint64_t      charged;                /* MM_CHARGE_SECTION */
    mm_view_t    *views;
    host_file_t   file;     /* -1: in the page file */
    uint64_t      bytes;    /* of the file, that the pages show; zeros behind */
    bool          writable; /* the file */
};

typedef struct mm_secured {
    size_t   first, end; /* empty: free */
    bool     need_write;
    uint32_t flags; /* MM_SECURE_* */
} mm_secured_t;

struct mm_space {
    mm_region_t  region;
    uint64_t    *ptes;
    rt_runs_t    runs; /* which pages something lies at */
    void        *tables;
    size_t       table_bytes;
    host_gate_t  gate;
    _Atomic bool in_use; /* mm_space_find reads it without the lock */
    bool         is_user;
    uint32_t     number;   /* of the slice */
    size_t       mappings; /* of the host's, made by views and copies, besides those of the gate */
    mm_secured_t secured[MM_SECURED_MOST];
};

static inline size_t    mm_space_index(const mm_space_t *space, uintptr_t va) { return (va - space->region.base) >> PAGE_SHIFT; }
static inline uintptr_t mm_space_va(const mm_space_t *space, size_t index) { return space->region.base + (index << PAGE_SHIFT); }
static inline size_t    mm_space_pages(const mm_space_t *space) { return space->region.bytes >> PAGE_SHIFT; }
static inline uint64_t *mm_prototype(uint64_t pte) { return &mm_shared_table.ptes[mm_view_pte_slot(pte)]; }
static inline bool      mm_view_pte_is_committed(uint64_t pte) { return pte != 0 && mm_pte_is_taken(mm_pte_read(mm_prototype(pte))); }

/* ---- space.c ---- */
int        mm_spaces_build(void); /* tables and addresses; -ENOMEM with ke_error set */
void       mm_spaces_release(void);
void       mm_spaces_boot(void);
void       mm_spaces_shutdown(void); /* every space and segment is gone, and every shared slot zero */
void       mm_spaces_visit_locked(void (*visit)(mm_space_t *space, void *context), void *context); /* those in use */
void       mm_spaces_cover(bool covered);               /* part of boot: what will be mapped there comes under the protection key */
size_t     mm_mappings_left(void);                      /* of the host's, for views, copies and the gates of spaces */
void       mm_space_gate_may_locked(mm_space_t *space); /* before its gate opens something: it may make as many mappings as are left */
NTSTATUS   mm_no_mappings(void);                        /* STATUS_INSUFFICIENT_RESOURCES, with the reason; not in the handler */
mm_view_t *mm_view_new_locked(uint32_t *number);        /* NULL: there are too many */
void       mm_view_delete_locked(mm_view_t *view);
mm_view_t *mm_view_numbered(uint32_t number);
uint32_t   mm_view_number(const mm_view_t *view);

/* ---- segment.c ---- */
int           mm_segments_build(void);
void          mm_segments_release(void);
void          mm_segments_shutdown(void);
uint64_t      mm_segments_charged(void);                         /* by all of them */
bool          mm_slots_take_locked(size_t count, size_t *first); /* in a row; nobody's yet */
void          mm_slots_give_locked(size_t first, size_t count);  /* closed everywhere; what was in them is lost */
void          mm_slots_own_locked(size_t first, size_t count, uint64_t owner, uint64_t step);
bool          mm_slot_is_pinned_locked(size_t slot);
mm_segment_t *mm_segment_with_file_locked(size_t slot); /* that the page belongs to, and that is over a file; else NULL */
int           mm_segment_read_locked(size_t slot, size_t count, void *to);
int           mm_segment_write_locked(size_t slot, size_t count, const void *from);
bool          mm_shared_follows_locked(size_t slot); /* the page before it belongs to the same segment or reservation */
bool          mm_segment_is_sound(const mm_segment_t *segment);
void          mm_segment_unhold_locked(mm_segment_t *segment); /* mm_segment_dereference, under the lock */

/* ---- view.c ---- */
void mm_space_empty_locked(mm_space_t *space);
void mm_view_uncharge_locked(uint64_t *pte); /* if it is charged */

/* ---- view_pages.c ---- */
bool mm_secured_forbids_locked(const mm_space_t *space, size_t first, size_t end, uint32_t protect); /* 0: they are to be freed */

/* ---- view_lock.c ---- */
void mm_view_locks_boot(void);
void mm_view_unlock_pages_locked(mm_space_t *space, size_t first, size_t end); /* before they go */
void mm_space_unlock_all(mm_space_t *space);

/* ---- view_large.c ---- */
typedef struct mm_large_frames {
    size_t          count; /* of large pages */
    mm_pfn_number_t first[MM_USER_SLICE_BYTES / MM_LARGE_PAGE_BYTES];
} mm_large_frames_t;
bool     mm_large_frames_get(size_t count, mm_large_frames_t *frames); /* no lock held. false: RAM has no such runs */
void     mm_large_frames_put(mm_large_frames_t *frames);               /* those that no page has got */
NTSTATUS mm_view_fill_large_locked(mm_view_t *view, mm_large_frames_t *frames);
void     mm_view_unpin_large_locked(mm_view_t *view);

/* ---- view_fault.c ---- */
mm_page_answer_t mm_view_fault(ke_thread_t *thread, const host_fault_t *fault);      /* an address of a space */
void             mm_views_close_locked(size_t first_slot, size_t count);             /* in every view that shows them */
void             mm_view_open_locked(mm_space_t *space, size_t index, size_t count); /* private pages that are valid; the host may refuse */
void      mm_views_hide_locked(size_t first_slot, size_t count); /* the same, but the PTEs go on saying open: the next touch is no fault */
bool      mm_view_make_resident(mm_space_t *space, uintptr_t va);
bool      mm_view_is_committed(const mm_space_t *space, uintptr_t va);
uint64_t  mm_view_pte(const mm_space_t *space, uintptr_t va); /* as the hardware would have it; 0: not valid here */
uintptr_t mm_view_of_slot(size_t slot);                       /* where a private page is seen; 0: it is none */

/* ---- view_check.c ---- */
bool mm_views_check(void);

#endif
