/*
 * view.c - what lies in a space: views of segments and private reservations come and go.
 *
 *     mm_view_map      room among the addresses, slots for what is private, one mapping of the host, PTEs
 *     mm_view_release  a part of a private reservation goes: what is left of it is one reservation, or two
 *     mm_view_unmap    all of it goes
 *
 *     before           | view 7 ................................ |
 *     release          | view 7 .... | free .... | view 9 ...... |
 *
 * Locks   mm_paging_lock for each call. Charges are taken before anything else, and given back when the rest fails.
 * Source  WDK reference: ZwAllocateVirtualMemory, ZwMapViewOfSection (64 KiB).
 */
#include "mm/space.h"

#include "ke/bugcheck.h"
#include "mm/charge.h"

#define LARGE_PAGES (MM_LARGE_PAGE_BYTES >> PAGE_SHIFT)
#define GRANULE (MM_USER_ALLOCATION_GRANULARITY > PAGE_SIZE ? MM_USER_ALLOCATION_GRANULARITY >> PAGE_SHIFT : 1u)
#define MAPPINGS_OF_ONE 2u /* it splits what it lies in */

/* ---- where ---- */

static bool is_free(const mm_space_t *space, size_t first, size_t count)
{
    return first < mm_space_pages(space) && count <= mm_space_pages(space) - first &&
           rt_runs_next_used(&space->runs, first) >= (uint64_t)first + count;
}

/* The end of what a limit leaves, in pages of the space. */
static size_t end_below(const mm_space_t *space, uint64_t limit)
{
    uint64_t bytes = limit == 0 || limit - space->region.base > space->region.bytes ? space->region.bytes : limit - space->region.base;
    if (limit != 0 && limit <= space->region.base)
        return 0;
    return (size_t)(bytes >> PAGE_SHIFT);
}

static bool find_highest(const mm_space_t *space, size_t count, size_t end, size_t step, size_t *first)
{
    if (count > end)
        return false;
    for (size_t at = (end - count) / step * step;; at -= step) {
        if (is_free(space, at, count)) {
            *first = at;
            return true;
        }
        if (at < step)
            return false;
    }
}

static NTSTATUS find_room_locked(mm_space_t *space, const mm_view_want_t *want, size_t *first)
{
    size_t         count = (size_t)(want->bytes >> PAGE_SHIFT), end = end_below(space, want->limit);
    size_t         step = want->large ? LARGE_PAGES : GRANULE;
    rt_runs_want_t wish = { .count = count, .high = end, .align = step };
    if (want->address != 0) {
        if (!mm_in(&space->region, want->address))
            return STATUS_CONFLICTING_ADDRESSES;
        *first = mm_space_index(space, want->address);
        return is_free(space, *first, count) ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
    }
    if (want->top_down)
        return find_highest(space, count, end, step, first) ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    uint64_t unit = count <= end ? rt_runs_find(&space->runs, &wish) : RT_RUNS_NONE;
    *first = (size_t)unit;
    return unit != RT_RUNS_NONE ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/* ---- mapping ---- */

static void remove_view_locked(mm_view_t *view);

static void remove_uncharged_locked(mm_view_t *view)
{
    for (size_t i = view->first; i < view->first + view->page_count; i++)
        view->space->ptes[i] &= ~MM_VIEW_CHARGED;
    remove_view_locked(view);
}

/* Pages that this allocation is charged for at once. */
static uint64_t charge_of(const mm_view_want_t *want)
{
    bool pays = want->segment != NULL ? mm_protect_copies(want->protect) : want->commit;
    return pays ? want->bytes >> PAGE_SHIFT : 0;
}

static void fill_ptes(mm_space_t *space, const mm_view_t *view, size_t slot, const mm_view_want_t *want)
{
    uint64_t flags = charge_of(want) != 0 ? MM_VIEW_CHARGED : 0;
    for (size_t i = 0; i < view->page_count; i++) {
        space->ptes[view->first + i] = mm_view_pte_make(slot + i, mm_view_number(view), want->protect & MM_VIEW_PROTECT, flags);
        if (view->segment == NULL && want->commit)
            mm_pte_write(&mm_shared_table.ptes[slot + i], (mm_shared_table.ptes[slot + i] & MM_PTE_STALE_SLOT) | MM_PTE_READ_WRITE);
    }
}

static bool map_host(mm_space_t *space, size_t first, size_t slot, size_t count)
{
    uint64_t offset = mm_shared.slot_offset + ((uint64_t)slot << PAGE_SHIFT);
    if (host_gate_map(&space->gate, first << PAGE_SHIFT, &mm_object, offset, count << PAGE_SHIFT) == 0) {
        space->mappings += MAPPINGS_OF_ONE;
        return true;
    }
    int status = host_gate_unmap(&space->gate, first << PAGE_SHIFT, count << PAGE_SHIFT);
    NTMM_INVARIANT(status == 0, "a mapping that half failed can be undone");
    return false;
}

static NTSTATUS map_at_locked(mm_space_t *space, const mm_view_want_t *want, size_t first)
{
    size_t     count = (size_t)(want->bytes >> PAGE_SHIFT), slot;
    uint32_t   number;
    mm_view_t *view = mm_view_new_locked(&number);
    if (view == NULL)
        return mm_no_mappings();
    if (want->segment != NULL) {
        slot = want->segment->first_slot + (size_t)want->first_page;
    } else if (!mm_slots_take_locked(count, &slot)) {
        mm_view_delete_locked(view);
        ke_error(0, "there are no %zu pages in a row left for user memory and sections", count);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    *view = (mm_view_t){ .space = space, .segment = want->segment, .first_page = want->first_page, .first = first, .page_count = count };
    view->protect = want->protect;
    view->type = want->type;
    view->physical = want->physical;
    if (mm_mappings_left() < MAPPINGS_OF_ONE || !map_host(space, first, slot, count)) {
        if (want->segment == NULL)
            mm_slots_give_locked(slot, count);
        mm_view_delete_locked(view);
        return mm_no_mappings();
    }
    rt_runs_take(&space->runs, first, count);
    fill_ptes(space, view, slot, want);
    if (want->segment == NULL) {
        mm_slots_own_locked(slot, count, mm_space_va(space, first) | 1, PAGE_SIZE);
        return STATUS_SUCCESS;
    }
    want->segment->references++;
    view->next = want->segment->views;
    want->segment->views = view;
    return STATUS_SUCCESS;
}

static NTSTATUS map_locked(mm_space_t *space, const mm_view_want_t *want, mm_large_frames_t *frames, size_t *first)
{
    NTSTATUS status = find_room_locked(space, want, first);
    if (NT_SUCCESS(status))
        status = map_at_locked(space, want, *first);
    if (!NT_SUCCESS(status) || !want->large)
        return status;
    mm_view_t *view = mm_view_numbered(mm_view_pte_view(space->ptes[*first]));
    status = mm_view_fill_large_locked(view, frames);
    if (!NT_SUCCESS(status)) /* its charge is the caller's to give back */
        remove_uncharged_locked(view);
    return status;
}

NTSTATUS mm_view_map(mm_space_t *space, const mm_view_want_t *want, uintptr_t *base)
{
    mm_large_frames_t frames = { 0 };
    uint64_t          charge = charge_of(want);
    size_t            first = 0;
    NTMM_INVARIANT(want->bytes != 0 && ((want->bytes | want->address) & (PAGE_SIZE - 1)) == 0, "views are made of whole pages");
    NTMM_INVARIANT(want->segment == NULL || want->first_page + (want->bytes >> PAGE_SHIFT) <= want->segment->page_count,
                   "a view lies within its segment");
    if (want->bytes > space->region.bytes)
        return STATUS_NO_MEMORY;
    if (charge != 0 && !mm_charge(MM_CHARGE_PRIVATE, charge))
        return STATUS_COMMITMENT_LIMIT;
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    if (!want->large || mm_large_frames_get((size_t)(want->bytes / MM_LARGE_PAGE_BYTES), &frames)) {
        ke_lock(&mm_paging_lock);
        status = map_locked(space, want, &frames, &first);
        ke_unlock(&mm_paging_lock);
    }
    mm_large_frames_put(&frames);
    *base = NT_SUCCESS(status) ? mm_space_va(space, first) : 0;
    if (!NT_SUCCESS(status) && charge != 0)
        mm_uncharge(MM_CHARGE_PRIVATE, charge);
    return status;
}

/* ---- and back ---- */

void mm_view_uncharge_locked(uint64_t *pte)
{
    if ((*pte & MM_VIEW_CHARGED) != 0)
        mm_uncharge(MM_CHARGE_PRIVATE, 1);
    *pte &= ~MM_VIEW_CHARGED;
}

/* Slots that are this space's alone, in rows: those of private memory, and of copies. */
static void give_own_slots(mm_space_t *space, const mm_view_t *view, size_t first, size_t end)
{
    for (size_t i = first, last; i < end; i = last) {
        uint64_t pte = space->ptes[i];
        last = i + 1;
        if (view->segment != NULL && (pte & MM_VIEW_COPIED) == 0)
            continue;
        size_t slot = mm_view_pte_slot(pte);
        while (view->segment == NULL && last < end && mm_view_pte_slot(space->ptes[last]) == slot + (last - i))
            last++;
        space->mappings -= (pte & MM_VIEW_COPIED) != 0 ? MAPPINGS_OF_ONE : 0;
        mm_slots_give_locked(slot, last - i);
    }
}

/* The host's mappings go first: what is given up must be closed. */
static void remove_pages_locked(mm_space_t *space, const mm_view_t *view, size_t first, size_t end)
{
    int status = host_gate_unmap(&space->gate, first << PAGE_SHIFT, (end - first) << PAGE_SHIFT);
    NTMM_INVARIANT(status == 0, "what was mapped can be unmapped");
    mm_view_unlock_pages_locked(space, first, end);
    give_own_slots(space, view, first, end);
    for (size_t i = first; i < end; i++) {
        mm_view_uncharge_locked(&space->ptes[i]);
        space->ptes[i] = 0;
    }
    rt_runs_give(&space->runs, first, end - first);
}

static void leave_segment_locked(mm_view_t *view)
{
    mm_view_t **link = &view->segment->views;
    while (*link != view)
        link = &(*link)->next;
    *link = view->next;
    mm_segment_unhold_locked(view->segment);
}

static void remove_view_locked(mm_view_t *view)
{
    mm_space_t *space = view->space;
    mm_view_unpin_large_locked(view);
    remove_pages_locked(space, view, view->first, view->first + view->page_count);
    space->mappings -= MAPPINGS_OF_ONE;
    if (view->segment != NULL)
        leave_segment_locked(view);
    mm_view_delete_locked(view);
}

static mm_view_t *view_at_locked(const mm_space_t *space, uintptr_t va)
{
    uint64_t pte = mm_in(&space->region, va) ? space->ptes[mm_space_index(space, va)] : 0;
    return pte != 0 ? mm_view_numbered(mm_view_pte_view(pte)) : NULL;
}

NTSTATUS mm_view_unmap(mm_space_t *space, uintptr_t va)
{
    NTSTATUS status = STATUS_SUCCESS;
    ke_lock(&mm_paging_lock);
    mm_view_t *view = view_at_locked(space, va);
    if (view == NULL)
        status = STATUS_NOT_MAPPED_VIEW;
    else if (mm_secured_forbids_locked(space, view->first, view->first + view->page_count, 0))
        status = STATUS_INVALID_PAGE_PROTECTION;
    else
        remove_view_locked(view);
    ke_unlock(&mm_paging_lock);
    return status;
}

/* The part behind `end` becomes a reservation of its own. */
static bool split_locked(mm_view_t *view, size_t end)
{
    uint32_t   number;
    size_t     all = view->first + view->page_count;
    mm_view_t *right = mm_view_new_locked(&number);
    if (right == NULL || mm_mappings_left() < MAPPINGS_OF_ONE) {
        if (right != NULL)
            mm_view_delete_locked(right);
        return false;
    }
    *right = *view;
    right->first = end;
    right->page_count = all - end;
    for (size_t i = end; i < all; i++)
        view->space->ptes[i] = (view->space->ptes[i] & ~(UINT64_C(0xFFFF) << 16)) | (uint64_t)number << 16;
    view->space->mappings += MAPPINGS_OF_ONE;
    view->page_count = end - view->first;
    return true;
}

static NTSTATUS release_locked(mm_space_t *space, mm_view_t *view, size_t first, size_t end)
{
    size_t all = view->first + view->page_count;
    if (view->segment != NULL || end > all || (view->large && end - first != view->page_count))
        return STATUS_UNABLE_TO_FREE_VM;
    if (mm_secured_forbids_locked(space, first, end, 0))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (first == view->first && end == all) {
        remove_view_locked(view);
        return STATUS_SUCCESS;
    }
    if (first != view->first && end != all && !split_locked(view, end))
        return mm_no_mappings();
    remove_pages_locked(space, view, first, end);
    if (first == view->first)
        view->first = end;
    view->page_count -= end - first;
    return STATUS_SUCCESS;
}

NTSTATUS mm_view_release(mm_space_t *space, uintptr_t va, uint64_t bytes)
{
    ke_lock(&mm_paging_lock);
    mm_view_t *view = view_at_locked(space, va);
    NTSTATUS   status = STATUS_MEMORY_NOT_ALLOCATED;
    if (view != NULL && bytes <= space->region.bytes)
        status = release_locked(space, view, mm_space_index(space, va), mm_space_index(space, va + bytes));
    ke_unlock(&mm_paging_lock);
    return status;
}

void mm_space_empty_locked(mm_space_t *space)
{
    for (uint64_t at = rt_runs_next_used(&space->runs, 0); at < mm_space_pages(space); at = rt_runs_next_used(&space->runs, 0))
        remove_view_locked(mm_view_numbered(mm_view_pte_view(space->ptes[at])));
}

/* ---- what is there? ---- */

static bool is_alike(const mm_space_t *space, size_t index, uint64_t like)
{
    uint64_t pte = space->ptes[index];
    if (mm_view_pte_view(pte) != mm_view_pte_view(like))
        return false;
    return pte == 0 || (mm_view_pte_is_committed(pte) == mm_view_pte_is_committed(like) &&
                        (mm_view_pte_protect(pte) == mm_view_pte_protect(like) || !mm_view_pte_is_committed(pte)));
}

static void describe_view(const mm_space_t *space, uint64_t pte, mm_view_info_t *out)
{
    const mm_view_t *view = mm_view_numbered(mm_view_pte_view(pte));
    bool             committed = mm_view_pte_is_committed(pte);
    out->allocation_base = mm_space_va(space, view->first);
    out->allocation_protect = view->protect;
    out->type = view->type;
    out->segment = view->segment;
    out->first_page = view->first_page;
    out->state = committed ? MEM_COMMIT : MEM_RESERVE;
    out->protect = committed ? mm_view_pte_protect(pte) : 0;
}

bool mm_view_query(mm_space_t *space, uintptr_t va, mm_view_info_t *out)
{
    if (!mm_in(&space->region, va))
        return false;
    ke_lock(&mm_paging_lock);
    size_t   first = mm_space_index(space, va), end = first + 1;
    uint64_t pte = space->ptes[first];
    while (end < mm_space_pages(space) && is_alike(space, end, pte))
        end++;
    *out = (mm_view_info_t){ .base = mm_space_va(space, first), .bytes = (uint64_t)(end - first) << PAGE_SHIFT };
    out->state = MEM_FREE;
    out->protect = PAGE_NOACCESS;
    if (pte != 0)
        describe_view(space, pte, out);
    ke_unlock(&mm_paging_lock);
    return true;
}

void mm_system_views_visit(void (*visit)(void *context, void *base, uint64_t bytes), void *context)
{
    const mm_space_t *space = &mm_system_views;
    for (uint64_t at = 0; space->in_use && (at = rt_runs_next_used(&space->runs, at)) < mm_space_pages(space);) {
        uint32_t         number = mm_view_pte_view(space->ptes[at]);
        const mm_view_t *view = number != 0 ? mm_view_numbered(number) : NULL;
        size_t           count = view != NULL && view->page_count != 0 ? view->page_count : 1;
        if (view != NULL && view->first == at)
            visit(context, (void *)mm_space_va(space, at), (uint64_t)count << PAGE_SHIFT);
        at += count;
    }
}
