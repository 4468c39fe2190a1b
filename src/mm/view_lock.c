/*
 * view_lock.c - pages of a space that a process has locked in RAM (VirtualLock): each is pinned for as long as one of the two locks is on.
 *
 *     in the working set (MM_LOCK_PROCESS)  and  in RAM (MM_LOCK_SYSTEM): two bits of the PTE of the address, one pin for both
 *
 * A page that is freed or decommitted is unlocked first, and so are all of them when the process ends: this is the process's own lock, not
 * one of a driver's. At most a quarter of RAM is locked so.
 *
 * Locks       mm_paging_lock. mm_view_lock takes it for each page, since a page may have to come from the page file; a page that somebody frees
 *             meanwhile makes it fail. A pin is charged against RAM (lock_pages.c).
 * Source      Windows API: VirtualLock, VirtualUnlock. The limit is a choice: Windows goes by the minimum working set.
 */
#include "ke/bugcheck.h"
#include "mm/pinned.h"
#include "mm/space.h"

#define SHARE_OF_RAM 4u
#define SLICE_PAGES (MM_USER_SLICE_BYTES >> PAGE_SHIFT)

static uint64_t locked_pages; /* of all spaces */

void mm_view_locks_boot(void) { locked_pages = 0; }

typedef struct span {
    mm_space_t *space;
    size_t      first, end;
} span_t;

/* false: it goes beyond the space. */
static bool span_of(mm_space_t *space, uintptr_t va, uint64_t bytes, span_t *span)
{
    if (!mm_in(&space->region, va) || bytes == 0 || bytes > space->region.bytes - (va - space->region.base))
        return false;
    *span = (span_t){ space, mm_space_index(space, va), mm_space_index(space, va + bytes - 1) + 1 };
    return true;
}

/* ---- on ---- */

static NTSTATUS may_lock(const span_t *span, uint64_t how, bool *was_locked)
{
    uint64_t more = 0;
    for (size_t i = span->first; i < span->end; i++) {
        uint64_t pte = span->space->ptes[i];
        if (!mm_view_pte_is_committed(pte) || !mm_protect_reads(mm_view_pte_protect(pte)))
            return STATUS_ACCESS_VIOLATION;
        *was_locked = *was_locked || (pte & how) != 0;
        more += (pte & MM_VIEW_LOCKED) == 0;
    }
    return locked_pages + more <= mm_frames.map.page_count / SHARE_OF_RAM ? STATUS_SUCCESS : STATUS_WORKING_SET_QUOTA;
}

/* The page is pinned by the caller. true: the pin is the lock's from now on. */
static bool put_on_locked(uint64_t *pte, uint64_t how)
{
    bool first = (*pte & MM_VIEW_LOCKED) == 0;
    locked_pages += first;
    *pte |= how;
    return first;
}

static NTSTATUS lock_page(const span_t *span, size_t index, uint64_t how, bool *fresh)
{
    mm_pfn_number_t pfn;
    uint64_t       *pte = &span->space->ptes[index];
    NTSTATUS        status = mm_view_pin(span->space, mm_space_va(span->space, index), false, &pfn);
    if (!NT_SUCCESS(status))
        return status;
    ke_lock(&mm_paging_lock);
    bool same = mm_view_pte_is_committed(*pte) && mm_pte_is_valid(*mm_prototype(*pte)) && mm_pte_pfn(*mm_prototype(*pte)) == pfn;
    *fresh = same && (*pte & how) == 0;
    bool keeps = same && put_on_locked(pte, how);
    ke_unlock(&mm_paging_lock);
    if (!keeps)
        (void)mm_frame_unpin(pfn);
    return same ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

static void take_off_locked(uint64_t *pte, uint64_t how)
{
    bool was = (*pte & MM_VIEW_LOCKED) != 0;
    *pte &= ~how;
    if (!was || (*pte & MM_VIEW_LOCKED) != 0)
        return;
    (void)mm_frame_unpin_pageable_locked(mm_pte_pfn(*mm_prototype(*pte)));
    locked_pages--;
}

static void undo(const span_t *span, size_t end, uint64_t how, const uint64_t *fresh)
{
    ke_lock(&mm_paging_lock);
    for (size_t i = span->first; i < end; i++)
        if ((fresh[(i - span->first) / 64] >> (i - span->first) % 64 & 1) != 0)
            take_off_locked(&span->space->ptes[i], how);
    ke_unlock(&mm_paging_lock);
}

static NTSTATUS lock_span(const span_t *span, uint64_t how)
{
    uint64_t fresh[(SLICE_PAGES + 63) / 64] = { 0 };
    for (size_t i = span->first; i < span->end; i++) {
        bool     one = false;
        NTSTATUS status = lock_page(span, i, how, &one);
        if (!NT_SUCCESS(status)) {
            undo(span, i, how, fresh);
            return status;
        }
        fresh[(i - span->first) / 64] |= (uint64_t)one << (i - span->first) % 64;
    }
    return STATUS_SUCCESS;
}

static uint64_t bits_of(uint32_t how) { return (uint64_t)how << MM_VIEW_LOCK_SHIFT; }

NTSTATUS mm_view_lock(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t how)
{
    span_t span;
    bool   was_locked = false;
    if (!span_of(space, va, bytes, &span))
        return STATUS_ACCESS_VIOLATION;
    ke_lock(&mm_paging_lock);
    NTSTATUS status = may_lock(&span, bits_of(how), &was_locked);
    ke_unlock(&mm_paging_lock);
    if (NT_SUCCESS(status))
        status = lock_span(&span, bits_of(how));
    return NT_SUCCESS(status) && was_locked ? STATUS_WAS_LOCKED : status;
}

/* ---- off ---- */

NTSTATUS mm_view_unlock(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t how)
{
    span_t span;
    bool   all = span_of(space, va, bytes, &span);
    if (!all)
        return STATUS_NOT_LOCKED;
    ke_lock(&mm_paging_lock);
    for (size_t i = span.first; i < span.end; i++)
        all = all && (space->ptes[i] & bits_of(how)) == bits_of(how);
    for (size_t i = span.first; i < span.end && all; i++)
        take_off_locked(&space->ptes[i], bits_of(how));
    ke_unlock(&mm_paging_lock);
    return all ? STATUS_SUCCESS : STATUS_NOT_LOCKED;
}

void mm_view_unlock_pages_locked(mm_space_t *space, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        if ((space->ptes[i] & MM_VIEW_LOCKED) != 0)
            take_off_locked(&space->ptes[i], MM_VIEW_LOCKED);
}

/* Large pages are nobody's mistake either. */
static void unlock_space_locked(mm_space_t *space, void *unused)
{
    (void)unused;
    for (uint64_t at = rt_runs_next_used(&space->runs, 0); at < mm_space_pages(space); at = rt_runs_next_used(&space->runs, at + 1)) {
        mm_view_unlock_pages_locked(space, at, at + 1);
        mm_view_unpin_large_locked(mm_view_numbered(mm_view_pte_view(space->ptes[at])));
    }
}

void mm_space_unlock_all(mm_space_t *space)
{
    ke_lock(&mm_paging_lock);
    unlock_space_locked(space, NULL);
    ke_unlock(&mm_paging_lock);
}

void mm_spaces_unlock_all(void)
{
    ke_lock(&mm_paging_lock);
    mm_spaces_visit_locked(unlock_space_locked, NULL);
    ke_unlock(&mm_paging_lock);
}
