/*
 * view_reset.c - pages of a process whose contents are of no interest for now: MEM_RESET, and MEM_RESET_UNDO, which asks for them back.
 * Such a page may be thrown away and need not be written anywhere, but stays committed.
 *
 *     in RAM, dirty  ---- reset ----> in RAM, clean ---- its frame is another page's now ----> lost: zeros when it is touched
 *          ^                           |  |                                                       |
 *          |--------- written ---------'  | undo: all of it is there                              | undo: fails
 *          '------------------------------'                                                       v
 *     in the page file -- reset --------------------------------------------------------------> lost ......> an ordinary page of zeros
 *
 * A page that was never touched is zeros before and after. One that is locked, for I/O or by its process, is left alone.
 *
 * Locks       mm_paging_lock for each call.
 * Source      Windows API: VirtualAlloc (MEM_RESET, MEM_RESET_UNDO); WDK reference: ntifs.h, ZwAllocateVirtualMemory.
 * Fidelity    a page that was written to since counts as new: undoing is no matter for it. After an undo nothing of the range is reset any more, also
 *             if it failed (choice).
 */
#include "mm/space.h"

static NTSTATUS may_reset_locked(const mm_space_t *space, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        uint64_t pte = space->ptes[i];
        if (!mm_view_pte_is_committed(pte))
            return STATUS_CONFLICTING_ADDRESSES;
        const mm_segment_t *segment = mm_view_numbered(mm_view_pte_view(pte))->segment;
        if (segment != NULL && segment->file.fd >= 0)
            return STATUS_USER_MAPPED_FILE;
    }
    return STATUS_SUCCESS;
}

NTSTATUS mm_view_reset(mm_space_t *space, uintptr_t va, uint64_t bytes, bool undo)
{
    if (!mm_in(&space->region, va) || bytes > space->region.bytes - (va - space->region.base))
        return STATUS_CONFLICTING_ADDRESSES;
    size_t first = mm_space_index(space, va), end = first + (size_t)(bytes >> PAGE_SHIFT);
    bool   all = true;
    ke_lock(&mm_paging_lock);
    NTSTATUS status = may_reset_locked(space, first, end);
    for (size_t i = first; i < end && NT_SUCCESS(status); i++) {
        size_t slot = mm_view_pte_slot(space->ptes[i]);
        if (undo)
            all = mm_page_undo_reset_locked(slot) && all;
        else
            mm_page_reset_locked(slot);
    }
    ke_unlock(&mm_paging_lock);
    return all ? status : STATUS_UNSUCCESSFUL;
}
