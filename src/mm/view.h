/*
 * view.h - pages without an address of their own, and the views through which they are seen: what user memory and sections are made of.
 *
 *     segment    a row of pages: prototype PTEs, each with a slot in the memory object. Demand zero from the page file, or over a host file.
 *     view       part of a segment at a row of addresses of a space: one host mapping of the slots, with a gate of its own (page_gate.h)
 *     space      a row of addresses with a page table, where views and reservations lie: the slice of a process, or the system views
 *
 *           space, PTE of the address                    prototype PTE (paging.h: as a page of paged pool)      slot
 *           protection, committed, guard, copied  ---->  valid | transition | page file | demand zero | host file  ---->  bytes
 *           copied: a page of the space's own instead, mapped by itself
 *
 * A frame that backs such a page belongs to the prototype: all views see the same bytes, and one fault brings them in for all; each view opens its
 * gate when it is touched. A page that is trimmed is closed in every view. What was written through any view is dirty.
 *
 * Units   bytes for addresses and lengths, multiples of PAGE_SIZE; pages for offsets in a segment.
 * Locks   mm_paging_lock inside each function; mm_space_find and mm_view_fault run in the signal handler.
 */
#ifndef NTMM_MM_VIEW_H
#define NTMM_MM_VIEW_H

#include "mm/mm.h"

typedef struct mm_segment mm_segment_t;
typedef struct mm_space   mm_space_t;

#define MM_USER_ALLOCATION_GRANULARITY 0x10000u
#define MM_LARGE_PAGE_BYTES ((size_t)2 << 20)

/* ---- segments ---- */

/* A segment of so many pages, one reference. Commit charge: all of its pages when `committed`, else each when a view commits it.
 * STATUS_INSUFFICIENT_RESOURCES: no slots; STATUS_COMMITMENT_LIMIT. */
NTSTATUS mm_segment_create(uint64_t page_count, bool committed, mm_segment_t **out);
/* Over a file of the host, which is read when pages are touched and written when they are dirty; bytes behind its end are zeros. It is the
 * segment's from then on, which closes it; after a failure it is still the caller's. */
NTSTATUS mm_segment_create_file(host_file_t file, uint64_t bytes, bool writable, mm_segment_t **out);
void     mm_segment_reference(mm_segment_t *segment);
void     mm_segment_dereference(mm_segment_t *segment); /* the last one: pages, page-file slots and charges go */
uint64_t mm_segment_pages(const mm_segment_t *segment);
uint64_t mm_segments_most(void); /* pages that the largest could have */
/* Over a file: another descriptor of it, which the segment closes; and more bytes of it, if they lie in its pages: false, if they do not. */
void mm_segment_use_file(mm_segment_t *segment, host_file_t file, bool writable);
bool mm_segment_grow(mm_segment_t *segment, uint64_t bytes);
typedef struct mm_segment_usage {
    uint64_t references, pages, bytes; /* who holds it, views included; bytes: of the file */
    uint64_t user_views, writable_user_views, system_views;
    uint64_t user_end; /* pages of the segment before this one are seen by user views, some of them */
    uint64_t pinned;   /* pages */
    bool     writable;
} mm_segment_usage_t;
void     mm_segment_query(const mm_segment_t *segment, mm_segment_usage_t *out); /* looks at every page */
uint64_t mm_segment_references(const mm_segment_t *segment);
/* Who knows a segment without holding it: the number that it has as long as it is there, and a reference, if it still is. */
uint64_t mm_segment_serial(const mm_segment_t *segment);
bool     mm_segment_try_reference(mm_segment_t *segment, uint64_t serial);
NTSTATUS mm_segment_prefetch(mm_segment_t *segment,
                             uint64_t      page); /* it is in RAM then. STATUS_INSUFFICIENT_RESOURCES, STATUS_IN_PAGE_ERROR */
NTSTATUS mm_segment_flush(mm_segment_t *segment, uint64_t first, uint64_t page_count,
                          uint64_t *pages_written); /* file: dirty pages are written */

/* ---- spaces ---- */

extern mm_space_t mm_system_views; /* MmMapViewInSystemSpace */

mm_space_t *mm_space_create(void);            /* a user slice; NULL: none is left */
void     mm_space_destroy(mm_space_t *space); /* every view is unmapped; the caller has looked for locked pages (mm_space_locked_pages) */
uint64_t mm_space_locked_pages(mm_space_t *space);
mm_space_t      *mm_space_find(uintptr_t va); /* whose slice it lies in, mapped or not; NULL: no space's */
mm_region_t      mm_space_region(const mm_space_t *space);
extern uintptr_t mm_user_probe_address; /* first byte above all user slices; MmHighestUserAddress is below it */

/* ---- what lies in a space ---- */

/* Windows' protection words: PAGE_NOACCESS .. PAGE_EXECUTE_WRITECOPY, with PAGE_GUARD, PAGE_NOCACHE, PAGE_WRITECOMBINE. */
typedef struct mm_view_want {
    uintptr_t     address;  /* 0: wherever there is room, at a multiple of MM_USER_ALLOCATION_GRANULARITY */
    bool          top_down; /* the highest room instead of the lowest */
    uint64_t      limit;    /* highest address + 1 (zero bits); 0: none */
    uint64_t      bytes;
    uint32_t      protect;  /* AllocationProtect */
    uint32_t      type;     /* MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE */
    bool          commit;   /* private: its pages are committed; else only reserved */
    bool          physical; /* private, reserved: for pages that an application maps itself (AWE): it cannot be committed */
    bool          large; /* private, committed: of large pages, all of which are there at once; address and bytes are multiples of those */
    mm_segment_t *segment;    /* MEM_MAPPED: referenced by the view; NULL: private */
    uint64_t      first_page; /* of the segment */
} mm_view_want_t;

/* STATUS_CONFLICTING_ADDRESSES, STATUS_NO_MEMORY (no room), STATUS_COMMITMENT_LIMIT, STATUS_INSUFFICIENT_RESOURCES (host mappings; ntmm_error() says). */
NTSTATUS mm_view_map(mm_space_t *space, const mm_view_want_t *want, uintptr_t *base);
NTSTATUS mm_view_unmap(mm_space_t *space, uintptr_t va);                   /* the whole view or reservation that va lies in */
NTSTATUS mm_view_release(mm_space_t *space, uintptr_t va, uint64_t bytes); /* private: part of one, which is split */
NTSTATUS mm_view_commit(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t protect);
NTSTATUS mm_view_decommit(mm_space_t *space, uintptr_t va, uint64_t bytes);
/* STATUS_CONFLICTING_ADDRESSES: not all of it is committed; STATUS_USER_MAPPED_FILE; undo: STATUS_UNSUCCESSFUL: some of it is lost. */
NTSTATUS mm_view_reset(mm_space_t *space, uintptr_t va, uint64_t bytes, bool undo);
NTSTATUS mm_view_protect(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t protect,
                         uint32_t *old); /* STATUS_SECTION_PROTECTION .. */

/* What private memory may be given: one way of access, with modifiers that go together. */
bool mm_protect_is_private(uint32_t protect);

typedef struct mm_view_info { /* what MEMORY_BASIC_INFORMATION needs: pages that are alike from `base` on */
    uintptr_t     base, allocation_base;
    uint64_t      bytes;
    uint32_t      allocation_protect, state, protect, type; /* MEM_COMMIT, MEM_RESERVE, MEM_FREE */
    mm_segment_t *segment;                                  /* no reference */
    uint64_t      first_page;
} mm_view_info_t;
bool mm_view_query(mm_space_t *space, uintptr_t va, mm_view_info_t *out); /* false: outside of the slice */

/* MmSecureVirtualMemory: nothing of the range may be freed or made stricter until it is unsecured. */
NTSTATUS mm_view_secure(mm_space_t *space, uintptr_t va, uint64_t bytes, bool need_write, uint32_t flags /* MM_SECURE_* */, void **cookie);
bool     mm_view_unsecure(mm_space_t *space, void *cookie); /* false: no such cookie */

/* ---- pages ---- */

/* VirtualLock: how many ways are on at once; one pin for both. */
#define MM_LOCK_PROCESS 1u
#define MM_LOCK_SYSTEM 2u
/* STATUS_WAS_LOCKED: some were; STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION, STATUS_WORKING_SET_QUOTA ..: nothing has changed. */
NTSTATUS mm_view_lock(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t how);
NTSTATUS mm_view_unlock(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t how); /* STATUS_NOT_LOCKED: nothing has changed */
void     mm_spaces_unlock_all(void); /* at shutdown, before leaks are counted: these are none */

/* Resident, accessible in that way, and pinned (mm_pfn_t.pins): what MmProbeAndLockPages does for a page of a space. */
NTSTATUS mm_view_pin(mm_space_t *space, uintptr_t va, bool write,
                     mm_pfn_number_t *pfn); /* STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION .. */
/* Pages of a range of views that are valid, and clean, become dirty: true, if there were any. At DISPATCH_LEVEL or below. */
bool mm_view_set_modified(mm_space_t *space, uintptr_t va, uint64_t bytes);
/* Views of segments in system space, and how many pages each has: for who looks for leaks. No lock is taken. */
void mm_system_views_visit(void (*visit)(void *context, void *base, uint64_t bytes), void *context);

#endif
