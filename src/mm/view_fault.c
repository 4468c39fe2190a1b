/*
 * view_fault.c - an address of a space was touched, and the gate there was closed or not open for writing.
 *
 *     the PTE of the address        nothing there, reserved, no access       absent
 *                                   guard page                               one no longer; told once
 *                                   not for writing, or for execution        refused
 *                                   copy-on-write, a write                   a page of the space's own takes its place
 *     the prototype                 not valid                                page_fault.c brings it: zeros, from a list, from a file
 *                                   valid, not open here                     opened here, a soft fault
 *                                   clean, and written                       dirty
 *
 * The gate is opened for writing only where the prototype is dirty and the protection allows it, so the first write through each view is seen.
 * Pages that came with this one are opened as well. Before a page leaves the working set it is closed in every view that shows it.
 *
 * At DISPATCH_LEVEL and above only what is open here is mended: everything else is a page fault that must not be.
 *
 * Nothing of user memory can be executed: the machine's processor has SMEP, as that of every Windows 8 and later.
 *
 * Runs in the signal handler; what page_fault.c says of itself holds here.
 * Locks       mm_paging_lock.
 * Source      Windows Internals: prototype PTEs, copy-on-write, guard pages. Intel SDM volume 3: SMEP.
 */
#include "mm/space.h"

#include <errno.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "mm/pinned.h"

#define OPEN_AHEAD MM_READ_AHEAD
#define MAPPINGS_OF_ONE 2u

typedef struct touch {
    mm_space_t *space;
    size_t      index;
    bool        write, execute, irql_is_low;

    const host_fault_t *by_key; /* the fault, if the protection key kept the thread away; else NULL */
} touch_t;

static uint64_t *pte_of(const touch_t *touch) { return &touch->space->ptes[touch->index]; }
static void      write_pte(uint64_t *pte, uint64_t value) { __atomic_store_n(pte, value, __ATOMIC_RELAXED); }

/* ---- may it be touched so? ---- */

static mm_page_answer_t judge(const touch_t *touch)
{
    uint64_t pte = *pte_of(touch);
    uint32_t protect = mm_view_pte_protect(pte);
    if (!mm_view_pte_is_committed(pte) || !mm_protect_reads(protect))
        return MM_PAGE_ABSENT;
    if (!touch->irql_is_low && (pte & MM_VIEW_OPEN) == 0)
        return MM_PAGE_IRQL;
    if (touch->by_key != NULL)
        return mm_key_fault_locked(touch->by_key);
    if ((protect & PAGE_GUARD) != 0) {
        if (!touch->irql_is_low)
            return MM_PAGE_IRQL;
        write_pte(pte_of(touch), pte & ~(uint64_t)PAGE_GUARD);
        return MM_PAGE_GUARD;
    }
    if (touch->execute || (touch->write && !mm_protect_writes(protect)))
        return MM_PAGE_REFUSED;
    return MM_PAGE_RESOLVED;
}

/* ---- open ---- */

static bool opens_writable(uint64_t pte)
{
    uint32_t protect = mm_view_pte_protect(pte);
    return mm_protect_writes(protect) && !mm_protect_copies(protect) && (*mm_prototype(pte) & MM_PTE_DIRTY) != 0;
}

/* Pages behind this one that are there, not open, and lie in the same row of slots. */
static size_t pages_alike(const mm_space_t *space, size_t index)
{
    size_t   count = 1;
    uint64_t pte = space->ptes[index];
    bool     writable = opens_writable(pte);
    for (; count < OPEN_AHEAD && index + count < mm_space_pages(space); count++) {
        uint64_t next = space->ptes[index + count], expected = (pte & ~MM_VIEW_OPEN) + ((uint64_t)count << 32);
        if (next != expected || (pte & MM_VIEW_COPIED) != 0 || !mm_pte_is_valid(*mm_prototype(next)) || opens_writable(next) != writable)
            break;
    }
    return count;
}

/* As host_gate_open. What is open, and not said to be, would never be closed: so all of it is, or nothing. */
static int open_pages(mm_space_t *space, size_t index, size_t count)
{
    size_t at = index << PAGE_SHIFT, bytes = count << PAGE_SHIFT;
    mm_space_gate_may_locked(space);
    int status = host_gate_open(&space->gate, at, bytes, opens_writable(space->ptes[index]));
    if (status < 0) {
        host_gate_close(&space->gate, at, bytes);
        return status;
    }
    for (size_t i = index; i < index + count; i++)
        write_pte(&space->ptes[i], space->ptes[i] | MM_VIEW_OPEN);
    return status;
}

void mm_view_open_locked(mm_space_t *space, size_t index, size_t count) { (void)open_pages(space, index, count); }

/* ---- copy-on-write ---- */

static bool show_slot(mm_space_t *space, size_t index, size_t slot)
{
    uint64_t offset = mm_shared.slot_offset + ((uint64_t)slot << PAGE_SHIFT);
    return host_gate_map(&space->gate, index << PAGE_SHIFT, &mm_object, offset, PAGE_SIZE) == 0;
}

/* A fresh page with the bytes of another one, which stays meanwhile. */
static mm_page_answer_t make_copy(size_t from, size_t to)
{
    mm_page_answer_t answer = mm_page_bring_locked(&mm_shared, from, false);
    if (answer != MM_PAGE_RESOLVED)
        return answer;
    mm_pfn_t *source = mm_pfn_entry(mm_pte_pfn(mm_shared_table.ptes[from]));
    atomic_fetch_add(&source->pins, 1);
    answer = mm_page_bring_locked(&mm_shared, to, true);
    if (answer == MM_PAGE_RESOLVED)
        memcpy(mm_alias_of(&mm_shared, to), mm_alias_of(&mm_shared, from), PAGE_SIZE);
    atomic_fetch_sub(&source->pins, 1);
    return answer;
}

/* Where the process has locked its page, the copy is locked in its place. */
static bool lock_copy(uint64_t pte, size_t slot)
{
    return (pte & MM_VIEW_LOCKED) == 0 || mm_frame_pin_pageable_locked(mm_pte_pfn(mm_shared_table.ptes[slot]));
}

static void unlock_copy(uint64_t pte, size_t slot)
{
    if ((pte & MM_VIEW_LOCKED) != 0)
        (void)mm_frame_unpin_pageable_locked(mm_pte_pfn(mm_shared_table.ptes[slot]));
}

static mm_page_answer_t copy_to(const touch_t *touch, size_t slot)
{
    uint64_t         pte = *pte_of(touch);
    uint32_t         protect = mm_view_pte_protect(pte);
    size_t           from = mm_view_pte_slot(pte);
    mm_page_answer_t answer = make_copy(from, slot);
    if (answer != MM_PAGE_RESOLVED)
        return answer;
    if (mm_mappings_left() < MAPPINGS_OF_ONE || !lock_copy(pte, slot))
        return MM_PAGE_NO_ROOM;
    if (!show_slot(touch->space, touch->index, slot)) {
        unlock_copy(pte, slot);
        write_pte(pte_of(touch), *pte_of(touch) & ~MM_VIEW_OPEN);
        return show_slot(touch->space, touch->index, from) ? MM_PAGE_NO_ROOM : MM_PAGE_LOST;
    }
    touch->space->mappings += MAPPINGS_OF_ONE;
    protect = (protect & ~0xFFu) | ((protect & PAGE_WRITECOPY) != 0 ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE);
    if ((pte & MM_VIEW_LOCKED) != 0)
        (void)mm_frame_unpin_pageable_locked(mm_pte_pfn(*mm_prototype(pte)));
    uint64_t flags = MM_VIEW_COPIED | (pte & (MM_VIEW_CHARGED | MM_VIEW_LOCKED));
    write_pte(pte_of(touch), mm_view_pte_make(slot, mm_view_pte_view(pte), protect, flags));
    mm_count_copy_locked();
    return MM_PAGE_RESOLVED;
}

static mm_page_answer_t copy_on_write(const touch_t *touch)
{
    size_t slot;
    if (!mm_slots_take_locked(1, &slot))
        return MM_PAGE_NO_ROOM;
    mm_slots_own_locked(slot, 1, mm_space_va(touch->space, touch->index) | 1, 0);
    mm_pte_write(&mm_shared_table.ptes[slot], (mm_shared_table.ptes[slot] & MM_PTE_STALE_SLOT) | MM_PTE_READ_WRITE);
    mm_page_answer_t answer = copy_to(touch, slot);
    if (answer != MM_PAGE_RESOLVED)
        mm_slots_give_locked(slot, 1);
    return answer;
}

/* ---- a touch ---- */

/* The page is valid, and dirty if it is written. Room at the gate is made by closing other pages, perhaps this one. */
static mm_page_answer_t bring_and_open(const touch_t *touch)
{
    for (;;) {
        uint64_t pte = *pte_of(touch);
        bool     was_open = (pte & MM_VIEW_OPEN) != 0, was_valid = mm_pte_is_valid(*mm_prototype(pte));
        if (!was_open && !touch->irql_is_low)
            return MM_PAGE_IRQL;
        mm_page_answer_t answer = mm_page_bring_locked(&mm_shared, mm_view_pte_slot(pte), touch->write);
        if (answer != MM_PAGE_RESOLVED)
            return answer;
        int status = open_pages(touch->space, touch->index, was_valid ? 1 : pages_alike(touch->space, touch->index));
        if (status >= 0 && was_valid && !was_open)
            mm_count_fault(false);
        if (status == 1 && was_open && mm_page_is_lost(mm_space_va(touch->space, touch->index)))
            return MM_PAGE_LOST;
        if (status >= 0)
            return MM_PAGE_RESOLVED;
        if (status != -ENFILE)
            return MM_PAGE_LOST;
        if (mm_working_set_trim_locked(mm_working_set.count / 4 + 1) == 0)
            return MM_PAGE_NO_ROOM;
    }
}

static mm_page_answer_t touch_locked(const touch_t *touch)
{
    mm_page_answer_t answer = judge(touch);
    if (answer != MM_PAGE_RESOLVED || touch->by_key != NULL)
        return answer;
    if (touch->write && mm_protect_copies(mm_view_pte_protect(*pte_of(touch)))) {
        answer = touch->irql_is_low ? copy_on_write(touch) : MM_PAGE_IRQL;
        if (answer != MM_PAGE_RESOLVED)
            return answer;
    }
    return bring_and_open(touch);
}

mm_page_answer_t mm_view_fault(ke_thread_t *thread, const host_fault_t *fault)
{
    mm_fault_entry_t entry = mm_fault_enter(thread);
    mm_space_t      *space = mm_space_find(fault->address);
    mm_page_answer_t answer = MM_PAGE_ABSENT;
    if (space != NULL) {
        touch_t touch = {
            space, mm_space_index(space, fault->address), fault->write, fault->execute, entry.irql_is_low, fault->by_key ? fault : NULL
        };
        answer = touch_locked(&touch);
    }
    mm_fault_leave(&entry, fault, answer);
    return answer;
}

/* ---- close ---- */

typedef struct closing { /* a row of open pages of one space */
    mm_space_t *space;
    size_t      first, end;
    bool        hide; /* the PTEs go on saying that it is open */
} closing_t;

static void close_row(closing_t *row)
{
    if (row->end > row->first)
        host_gate_close(&row->space->gate, row->first << PAGE_SHIFT, (row->end - row->first) << PAGE_SHIFT);
    row->first = row->end = 0;
}

static void close_page(closing_t *row, mm_space_t *space, size_t index, size_t slot)
{
    uint64_t *pte = &space->ptes[index];
    if (mm_view_pte_slot(*pte) != slot || (*pte & MM_VIEW_OPEN) == 0)
        return; /* a copy lies there, or nobody has touched it */
    if (row->space != space || row->end != index) {
        close_row(row);
        row->space = space;
        row->first = index;
    }
    row->end = index + 1;
    if (!row->hide)
        write_pte(pte, *pte & ~MM_VIEW_OPEN);
}

/* Slots [first, end) of one segment. */
static void close_in_views(closing_t *row, const mm_segment_t *segment, size_t first, size_t end)
{
    for (const mm_view_t *view = segment->views; view != NULL; view = view->next) {
        size_t view_first = segment->first_slot + (size_t)view->first_page, view_end = view_first + view->page_count;
        size_t from = first > view_first ? first : view_first, to = end < view_end ? end : view_end;
        for (size_t slot = from; slot < to; slot++)
            close_page(row, view->space, view->first + (slot - view_first), slot);
    }
}

static void close_slots(closing_t *row, size_t first, size_t end)
{
    for (size_t slot = first, last; slot < end; slot = last) {
        uint64_t            owner = mm_shared_table.owners[slot].bytes;
        const mm_segment_t *segment = (const mm_segment_t *)(uintptr_t)owner;
        last = slot + 1;
        if ((owner & 1) != 0) {
            mm_space_t *space = mm_space_find((uintptr_t)owner);
            close_page(row, space, mm_space_index(space, (uintptr_t)owner), slot);
        } else if (owner > MM_ORPHAN) {
            last = segment->first_slot + segment->page_count;
            last = last < end ? last : end;
            close_in_views(row, segment, slot, last);
        }
    }
    close_row(row);
}

void mm_views_close_locked(size_t first_slot, size_t count)
{
    closing_t row = { 0 };
    close_slots(&row, first_slot, first_slot + count);
}

void mm_views_hide_locked(size_t first_slot, size_t count)
{
    closing_t row = { .hide = true };
    close_slots(&row, first_slot, first_slot + count);
}

/* ---- from ordinary code ---- */

static NTSTATUS status_of(mm_page_answer_t answer)
{
    switch (answer) {
    case MM_PAGE_RESOLVED: return STATUS_SUCCESS;
    case MM_PAGE_GUARD: return STATUS_GUARD_PAGE_VIOLATION;
    case MM_PAGE_IO_ERROR: return STATUS_IN_PAGE_ERROR;
    case MM_PAGE_NO_ROOM:
    case MM_PAGE_NO_FRAME:
    case MM_PAGE_LOST: return STATUS_INSUFFICIENT_RESOURCES;
    default: return STATUS_ACCESS_VIOLATION;
    }
}

NTSTATUS mm_view_pin(mm_space_t *space, uintptr_t va, bool write, mm_pfn_number_t *pfn)
{
    if (!mm_in(&space->region, va))
        return STATUS_ACCESS_VIOLATION;
    touch_t touch = { .space = space, .index = mm_space_index(space, va), .write = write, .irql_is_low = true };
    ke_lock(&mm_paging_lock);
    NTSTATUS status = status_of(touch_locked(&touch));
    if (NT_SUCCESS(status)) {
        *pfn = mm_pte_pfn(*mm_prototype(*pte_of(&touch)));
        if (!mm_frame_pin_pageable_locked(*pfn))
            status = STATUS_INSUFFICIENT_RESOURCES;
    }
    ke_unlock(&mm_paging_lock);
    return status;
}

static bool make_dirty(uint64_t pte)
{
    uint64_t *prototype = pte != 0 ? mm_prototype(pte) : NULL;
    if (prototype == NULL || !mm_pte_is_valid(*prototype) || (*prototype & MM_PTE_DIRTY) != 0)
        return false;
    return mm_page_write_locked(&mm_shared, mm_view_pte_slot(pte)) == 0;
}

bool mm_view_set_modified(mm_space_t *space, uintptr_t va, uint64_t bytes)
{
    bool     any = false;
    uint64_t end = va - space->region.base + bytes;
    if (!mm_in(&space->region, va) || bytes == 0 || bytes > space->region.bytes || end > space->region.bytes)
        return false;
    ke_lock(&mm_paging_lock);
    for (size_t i = mm_space_index(space, va); i <= (size_t)((end - 1) >> PAGE_SHIFT); i++)
        any = make_dirty(space->ptes[i]) || any;
    ke_unlock(&mm_paging_lock);
    return any;
}

/* Who looks from outside does not use a guard page up. */
bool mm_view_make_resident(mm_space_t *space, uintptr_t va)
{
    touch_t touch = { .space = space, .index = mm_space_index(space, va), .irql_is_low = true };
    bool    there = false;
    ke_lock(&mm_paging_lock);
    if ((mm_view_pte_protect(*pte_of(&touch)) & PAGE_GUARD) == 0)
        there = touch_locked(&touch) == MM_PAGE_RESOLVED;
    ke_unlock(&mm_paging_lock);
    return there;
}

static uint64_t read_pte(const mm_space_t *space, uintptr_t va)
{
    return __atomic_load_n(&space->ptes[mm_space_index(space, va)], __ATOMIC_RELAXED);
}

bool mm_view_is_committed(const mm_space_t *space, uintptr_t va) { return mm_view_pte_is_committed(read_pte(space, va)); }

uint64_t mm_view_pte(const mm_space_t *space, uintptr_t va)
{
    uint64_t pte = read_pte(space, va), prototype = pte != 0 ? mm_pte_read(mm_prototype(pte)) : 0;
    uint32_t protect = mm_view_pte_protect(pte);
    if ((pte & MM_VIEW_OPEN) == 0 || !mm_pte_is_valid(prototype) || !mm_protect_reads(protect) || (protect & PAGE_GUARD) != 0)
        return 0;
    bool writes = mm_protect_writes(protect) && !mm_protect_copies(protect);
    return mm_pte_make(mm_pte_pfn(prototype), HOST_READ | (writes ? HOST_WRITE : 0u)) &
           ~((prototype & MM_PTE_DIRTY) == 0 ? MM_PTE_DIRTY : 0);
}

uintptr_t mm_view_of_slot(size_t slot)
{
    uint64_t owner = __atomic_load_n(&mm_shared_table.owners[slot].bytes, __ATOMIC_RELAXED);
    return (owner & 1) != 0 ? (uintptr_t)owner - 1 : 0;
}
