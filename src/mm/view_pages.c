/*
 * view_pages.c - pages of a view or reservation change what they are: committed or not, and how they may be used.
 *
 *     reserved ---- mm_view_commit ----> committed, demand zero ---- touched ----> there
 *         ^--------- mm_view_decommit ---------'-----------------------------------'
 *
 * A change of protection closes the gate. The next touch opens it as the new one allows, if at all: a page that was valid before is still
 * valid, so that this is no page fault.
 *
 * Locks   mm_paging_lock for each call.
 * Source  WDK reference: ZwAllocateVirtualMemory, ZwFreeVirtualMemory, MmSecureVirtualMemory; Windows API: VirtualProtect.
 */
#include "mm/mdl_user.h"
#include "mm/space.h"

#include "ke/bugcheck.h"
#include "mm/charge.h"

/* The pages of a range, if all of them lie in one view or reservation. */
typedef struct range {
    mm_space_t *space;
    mm_view_t  *view; /* NULL: they do not */
    size_t      first, end;
} range_t;

static range_t range_locked(mm_space_t *space, uintptr_t va, uint64_t bytes)
{
    range_t range = { .space = space };
    if (!mm_in(&space->region, va) || bytes == 0 || bytes > space->region.bytes)
        return range;
    range.first = mm_space_index(space, va);
    range.end = mm_space_index(space, va + bytes - 1) + 1;
    uint64_t   pte = space->ptes[range.first];
    mm_view_t *view = pte != 0 ? mm_view_numbered(mm_view_pte_view(pte)) : NULL;
    if (view != NULL && range.end <= view->first + view->page_count)
        range.view = view;
    return range;
}

static void close_range(const range_t *range)
{
    host_gate_close(&range->space->gate, range->first << PAGE_SHIFT, (range->end - range->first) << PAGE_SHIFT);
}

static void set_protect(uint64_t *pte, uint32_t protect) { *pte = (*pte & ~MM_VIEW_PROTECT) | (protect & MM_VIEW_PROTECT); }

bool mm_protect_is_private(uint32_t protect)
{
    uint32_t access = protect & 0xFFu, modifiers = protect & ~(uint32_t)0xFF;
    if (access == 0 || (access & (access - 1)) != 0 || mm_protect_copies(access))
        return false;
    if ((modifiers & ~(uint32_t)(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE)) != 0)
        return false;
    return modifiers == 0 || (access != PAGE_NOACCESS && (modifiers & (modifiers - 1)) == 0);
}

/* ---- commit ---- */

static uint64_t reserved_pages(const range_t *range)
{
    uint64_t count = 0;
    for (size_t i = range->first; i < range->end; i++)
        count += !mm_view_pte_is_committed(range->space->ptes[i]);
    return count;
}

static void commit_page(const range_t *range, uint64_t *pte)
{
    uint64_t *prototype = mm_prototype(*pte);
    if (mm_pte_is_taken(*prototype))
        return;
    mm_pte_write(prototype, (*prototype & MM_PTE_STALE_SLOT) | MM_PTE_READ_WRITE);
    if (range->view->segment == NULL)
        *pte |= MM_VIEW_CHARGED;
    else
        range->view->segment->charged++;
}

static uint64_t pages_to_copy(const range_t *range, uint32_t protect)
{
    uint64_t count = 0;
    for (size_t i = range->first; i < range->end && range->view->segment != NULL && mm_protect_copies(protect); i++)
        count += (range->space->ptes[i] & MM_VIEW_CHARGED) == 0;
    return count;
}

/* Where copies may be made from now on they are paid for; what is paid stays so until the view goes. */
static NTSTATUS charge_copies(const range_t *range, uint32_t protect)
{
    uint64_t count = pages_to_copy(range, protect);
    if (count == 0)
        return STATUS_SUCCESS;
    if (!mm_charge(MM_CHARGE_PRIVATE, count))
        return STATUS_COMMITMENT_LIMIT;
    for (size_t i = range->first; i < range->end; i++)
        range->space->ptes[i] |= MM_VIEW_CHARGED;
    return STATUS_SUCCESS;
}

static NTSTATUS commit_locked(const range_t *range, uint32_t protect)
{
    if (range->view == NULL || range->view->physical)
        return STATUS_CONFLICTING_ADDRESSES;
    if (mm_secured_forbids_locked(range->space, range->first, range->end, protect))
        return STATUS_INVALID_PAGE_PROTECTION;
    unsigned kind = range->view->segment == NULL ? MM_CHARGE_PRIVATE : MM_CHARGE_SECTION;
    uint64_t count = reserved_pages(range);
    if (count != 0 && !mm_charge(kind, count))
        return STATUS_COMMITMENT_LIMIT;
    NTSTATUS status = charge_copies(range, protect);
    if (!NT_SUCCESS(status)) {
        mm_uncharge(kind, count);
        return status;
    }
    close_range(range);
    for (size_t i = range->first; i < range->end; i++) {
        commit_page(range, &range->space->ptes[i]);
        set_protect(&range->space->ptes[i], protect);
    }
    return STATUS_SUCCESS;
}

NTSTATUS mm_view_commit(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t protect)
{
    ke_lock(&mm_paging_lock);
    range_t  range = range_locked(space, va, bytes);
    NTSTATUS status = commit_locked(&range, protect);
    ke_unlock(&mm_paging_lock);
    return status;
}

/* The slot stays the page's: only what is in it goes. A page that somebody has pinned stays. */
static NTSTATUS decommit_page(const range_t *range, size_t index)
{
    uint64_t *pte = &range->space->ptes[index];
    size_t    slot = mm_view_pte_slot(*pte);
    uint64_t  owner = mm_shared_table.owners[slot].bytes;
    if (!mm_view_pte_is_committed(*pte))
        return STATUS_SUCCESS;
    mm_view_unlock_pages_locked(range->space, index, index + 1);
    if (mm_slot_is_pinned_locked(slot))
        return STATUS_UNABLE_TO_DECOMMIT_VM;
    *pte &= ~MM_VIEW_OPEN;
    mm_page_free_locked(&mm_shared, slot);
    mm_shared_table.owners[slot].bytes = owner;
    if ((mm_shared_table.ptes[slot] & MM_PTE_STALE_SLOT) != 0)
        mm_note_stale_slot(&mm_shared, slot);
    mm_view_uncharge_locked(pte);
    return STATUS_SUCCESS;
}

static NTSTATUS decommit_locked(const range_t *range)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (range->view == NULL)
        return STATUS_MEMORY_NOT_ALLOCATED;
    if (range->view->segment != NULL || range->view->large)
        return STATUS_UNABLE_TO_DECOMMIT_VM;
    if (mm_secured_forbids_locked(range->space, range->first, range->end, 0))
        return STATUS_INVALID_PAGE_PROTECTION;
    close_range(range);
    for (size_t i = range->first; i < range->end; i++) {
        NTSTATUS one = decommit_page(range, i);
        status = NT_SUCCESS(one) ? status : one;
    }
    return status;
}

NTSTATUS mm_view_decommit(mm_space_t *space, uintptr_t va, uint64_t bytes)
{
    ke_lock(&mm_paging_lock);
    range_t  range = range_locked(space, va, bytes);
    NTSTATUS status = decommit_locked(&range);
    ke_unlock(&mm_paging_lock);
    return status;
}

/* ---- protect ---- */

/* What a view was mapped for it may be used for, and no more; copies are the viewer's own. */
static bool view_allows(const mm_view_t *view, uint32_t protect)
{
    if (view->segment == NULL)
        return !mm_protect_copies(protect);
    return !mm_protect_writes(protect) || mm_protect_copies(protect) || mm_protect_writes(view->protect);
}

/* In a view that is for copying every page is copied before it is written, whatever was asked for; one that was copied is the viewer's own. */
static uint32_t protect_for(const mm_view_t *view, uint64_t pte, uint32_t protect)
{
    if ((pte & MM_VIEW_COPIED) != 0 && mm_protect_copies(protect))
        return (protect & ~(uint32_t)(PAGE_WRITECOPY | PAGE_EXECUTE_WRITECOPY)) |
               ((protect & PAGE_WRITECOPY) != 0 ? PAGE_READWRITE : PAGE_EXECUTE_READWRITE);
    if (view->segment == NULL || !mm_protect_copies(view->protect) || (pte & MM_VIEW_COPIED) != 0)
        return protect;
    if ((protect & PAGE_READWRITE) != 0)
        return (protect & ~(uint32_t)PAGE_READWRITE) | PAGE_WRITECOPY;
    return (protect & PAGE_EXECUTE_READWRITE) != 0 ? (protect & ~(uint32_t)PAGE_EXECUTE_READWRITE) | PAGE_EXECUTE_WRITECOPY : protect;
}

static NTSTATUS protect_locked(const range_t *range, uint32_t protect, uint32_t *old)
{
    if (range->view == NULL)
        return STATUS_CONFLICTING_ADDRESSES;
    if (reserved_pages(range) != 0)
        return STATUS_NOT_COMMITTED;
    if (range->view->large && !mm_protect_writes(protect))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!view_allows(range->view, protect))
        return range->view->segment == NULL ? STATUS_INVALID_PAGE_PROTECTION : STATUS_SECTION_PROTECTION;
    if (mm_secured_forbids_locked(range->space, range->first, range->end, protect))
        return STATUS_INVALID_PAGE_PROTECTION;
    NTSTATUS status = charge_copies(range, protect);
    if (!NT_SUCCESS(status))
        return status;
    *old = mm_view_pte_protect(range->space->ptes[range->first]);
    close_range(range);
    for (size_t i = range->first; i < range->end; i++)
        set_protect(&range->space->ptes[i], protect_for(range->view, range->space->ptes[i], protect));
    return STATUS_SUCCESS;
}

NTSTATUS mm_view_protect(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t protect, uint32_t *old)
{
    ke_lock(&mm_paging_lock);
    range_t  range = range_locked(space, va, bytes);
    NTSTATUS status = protect_locked(&range, protect, old);
    ke_unlock(&mm_paging_lock);
    return status;
}

/* ---- secure ---- */

static bool suffices(uint32_t protect, bool need_write)
{
    return (need_write ? mm_protect_writes(protect) : mm_protect_reads(protect)) && (protect & PAGE_GUARD) == 0;
}

bool mm_secured_forbids_locked(const mm_space_t *space, size_t first, size_t end, uint32_t protect)
{
    if (mm_user_mapping_lies_in_locked(space, first, end))
        return true;
    for (uint32_t i = 0; i < MM_SECURED_MOST; i++) {
        const mm_secured_t *secured = &space->secured[i];
        bool                touched = secured->first < end && first < secured->end && (secured->flags & MM_SECURE_USER_MODE_ONLY) == 0;
        if (touched && ((secured->flags & MM_SECURE_NO_CHANGE) != 0 || !suffices(protect, secured->need_write)))
            return true;
    }
    return false;
}

static NTSTATUS may_be_secured(const range_t *range, bool need_write)
{
    if (range->view == NULL)
        return STATUS_ACCESS_VIOLATION;
    for (size_t i = range->first; i < range->end; i++) {
        uint64_t pte = range->space->ptes[i];
        if (!mm_view_pte_is_committed(pte) || !suffices(mm_view_pte_protect(pte), need_write))
            return STATUS_ACCESS_VIOLATION;
    }
    return STATUS_SUCCESS;
}

/* Nothing of the allocation is secured. */
static bool is_exclusive(const range_t *range)
{
    size_t first = range->view->first, end = first + range->view->page_count;
    for (uint32_t i = 0; i < MM_SECURED_MOST; i++)
        if (range->space->secured[i].first < end && first < range->space->secured[i].end)
            return false;
    return true;
}

static NTSTATUS secure_locked(const range_t *range, bool need_write, uint32_t flags, void **cookie)
{
    NTSTATUS status = may_be_secured(range, need_write);
    if (!NT_SUCCESS(status))
        return status;
    if ((flags & MM_SECURE_EXCLUSIVE) != 0 && !is_exclusive(range))
        return STATUS_INVALID_PAGE_PROTECTION;
    for (uint32_t i = 0; i < MM_SECURED_MOST; i++) {
        mm_secured_t *secured = &range->space->secured[i];
        if (secured->end != 0)
            continue;
        *secured = (mm_secured_t){ range->first, range->end, need_write, flags };
        *cookie = secured;
        return STATUS_SUCCESS;
    }
    ke_error(0, "%u ranges of this process are secured already", MM_SECURED_MOST);
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS mm_view_secure(mm_space_t *space, uintptr_t va, uint64_t bytes, bool need_write, uint32_t flags, void **cookie)
{
    *cookie = NULL;
    ke_lock(&mm_paging_lock);
    range_t  range = range_locked(space, va, bytes);
    NTSTATUS status = secure_locked(&range, need_write, flags, cookie);
    ke_unlock(&mm_paging_lock);
    return status;
}

bool mm_view_unsecure(mm_space_t *space, void *cookie)
{
    bool found = false;
    ke_lock(&mm_paging_lock);
    for (uint32_t i = 0; i < MM_SECURED_MOST && !found; i++) {
        found = cookie == &space->secured[i] && space->secured[i].end != 0;
        if (found)
            space->secured[i] = (mm_secured_t){ 0 };
    }
    ke_unlock(&mm_paging_lock);
    return found;
}
