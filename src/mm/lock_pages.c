/*
 * lock_pages.c - the one place where pages are pinned for I/O: by region, from addresses to frames that stay.
 * A pin is a count in the PFN entry. What it means for a frame depends on whose it is:
 *
 *     at home       the frame stays anyway. The pin is there so that whoever frees it is told (0x4E/0x9A); a frame that is put nevertheless,
 *                   because the pool gives up a page of small blocks, waits for its last pin (mm_frame_defer)
 *     pageable      the working set skips it, so that it keeps its slot and its bytes; and it is charged against RAM (charge.h)
 *
 *         active --- pin ---> pinned --- unpin ---> active
 *                               | put by its owner        ^
 *                               v                         |  (and put)
 *                            deleted --- last unpin ------'
 *
 * A page that is locked for writing is dirty from the start, and nothing can make it clean while it is pinned: so it is dirty when it is
 * unlocked, whatever alias wrote to it.
 *
 * Invariants  pins of a pageable frame > 0  <->  MM_PFN_LOCKED  <->  it is counted in mm_charges.locked
 * Locks       pins of frames at home: mm_pin_lock, once for all pages of an MDL. Of pageable pages: mm_paging_lock. mm_pfn_lock for charges.
 * Source      WDK reference: MmProbeAndLockPages; Windows Internals: reference counts of PFN entries.
 */
#include <ntddk.h>

#include "mm/charge.h"
#include "mm/driver_pages.h"
#include "mm/lock_pages.h"
#include "mm/mdl_user.h"
#include "mm/paging.h"
#include "mm/pinned.h"
#include "mm/view.h"

/* ---- one frame ---- */

ke_lock_t mm_pin_lock = KE_LOCK_INIT(KE_RANK_LEAF);

static inline uint8_t flags_of(const mm_pfn_t *entry) { return __atomic_load_n(&entry->flags, __ATOMIC_RELAXED); }

/* Under mm_pin_lock, which makes two stores cheaper than one atomic addition. */
static inline void set_pins(mm_pfn_t *entry, uint32_t pins) { atomic_store_explicit(&entry->pins, pins, memory_order_relaxed); }

void mm_frame_pin(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    if ((flags_of(entry) & MM_PFN_LOCKED) != 0) {
        atomic_fetch_add(&entry->pins, 1);
        return;
    }
    ke_lock(&mm_pin_lock);
    set_pins(entry, mm_pins_of(pfn) + 1);
    ke_unlock(&mm_pin_lock);
}

bool mm_frame_pin_pageable_locked(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    NTMM_INVARIANT(ke_lock_is_held(&mm_paging_lock), "mm_paging_lock is held");
    if ((flags_of(entry) & MM_PFN_LOCKED) == 0) {
        ke_lock(&mm_pfn_lock);
        bool charged = mm_charge_locked_page_locked();
        ke_unlock(&mm_pfn_lock);
        if (!charged)
            return false;
        __atomic_fetch_or(&entry->flags, MM_PFN_LOCKED, __ATOMIC_RELAXED);
    }
    atomic_fetch_add(&entry->pins, 1);
    return true;
}

/* Somebody else may have pinned it again meanwhile, or put it. */
static NTMM_COLD void put_deleted(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    ke_lock(&mm_pfn_lock);
    ke_lock(&mm_pin_lock);
    bool mine = mm_pins_of(pfn) == 0 && (flags_of(entry) & MM_PFN_DELETED) != 0;
    if (mine)
        __atomic_fetch_and(&entry->flags, (uint8_t)~MM_PFN_DELETED, __ATOMIC_RELAXED);
    ke_unlock(&mm_pin_lock);
    ke_unlock(&mm_pfn_lock);
    if (mine)
        mm_frame_put(pfn);
}

bool mm_frame_defer_locked(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    ke_lock(&mm_pin_lock);
    bool pinned = mm_pins_of(pfn) != 0;
    if (pinned) {
        entry->owner = (mm_owner_t){ .use = MM_USE_SYSTEM };
        __atomic_fetch_or(&entry->flags, MM_PFN_DELETED, __ATOMIC_RELAXED);
    }
    ke_unlock(&mm_pin_lock);
    return pinned;
}

bool mm_frame_defer(mm_pfn_number_t pfn)
{
    ke_lock(&mm_pfn_lock);
    bool deferred = mm_frame_defer_locked(pfn);
    ke_unlock(&mm_pfn_lock);
    return deferred;
}

uint32_t mm_frame_unpin_pageable_locked(mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    uint32_t  pins = mm_pins_of(pfn);
    NTMM_INVARIANT(ke_lock_is_held(&mm_paging_lock), "mm_paging_lock is held");
    if (pins != 0)
        atomic_fetch_sub(&entry->pins, 1);
    if (pins == 1) {
        __atomic_fetch_and(&entry->flags, (uint8_t)~MM_PFN_LOCKED, __ATOMIC_RELAXED);
        ke_lock(&mm_pfn_lock);
        mm_uncharge_locked_page_locked();
        ke_unlock(&mm_pfn_lock);
        mm_key_take_back_locked();
    }
    return pins;
}

/* false: it is not pinned. */
static NTMM_COLD bool unpin_pageable(mm_pfn_number_t pfn)
{
    ke_lock(&mm_paging_lock);
    uint32_t pins = mm_frame_unpin_pageable_locked(pfn);
    ke_unlock(&mm_paging_lock);
    if (pins == 1 && (flags_of(mm_pfn_entry(pfn)) & MM_PFN_DELETED) != 0)
        put_deleted(pfn);
    return pins != 0;
}

/* Frames at home, up to the first one that is something else, or that is not pinned; its index. *deleted: the one before it has to be put. */
static size_t unpin_homes(const PFN_NUMBER *pfns, size_t count, bool *deleted)
{
    size_t i = 0;
    *deleted = false;
    ke_lock(&mm_pin_lock);
    while (i < count && !*deleted && pfns[i] <= mm_highest_pfn) {
        mm_pfn_t *entry = mm_pfn_entry(pfns[i]);
        uint32_t  pins = mm_pins_of(pfns[i]);
        if (NTMM_UNLIKELY(pins == 0 || (flags_of(entry) & MM_PFN_LOCKED) != 0))
            break;
        set_pins(entry, pins - 1);
        *deleted = pins == 1 && NTMM_UNLIKELY((flags_of(entry) & MM_PFN_DELETED) != 0);
        i++;
    }
    ke_unlock(&mm_pin_lock);
    return i;
}

static bool unpin(mm_pfn_number_t pfn)
{
    bool       deleted;
    PFN_NUMBER one = pfn;
    if ((flags_of(mm_pfn_entry(pfn)) & MM_PFN_LOCKED) != 0)
        return unpin_pageable(pfn);
    bool was_pinned = unpin_homes(&one, 1, &deleted) == 1;
    if (deleted)
        put_deleted(pfn);
    return was_pinned;
}

bool mm_frame_unpin(mm_pfn_number_t pfn) { return unpin(pfn); }

/* ---- memory at home ---- */

static inline bool is_active(const mm_pfn_t *entry) { return __atomic_load_n(&entry->list, __ATOMIC_RELAXED) == MM_ACTIVE; }

static bool is_secure(const mm_pfn_t *entry)
{
    const mm_owner_t *owner = entry->mapped.use == MM_USE_MAPPED ? mm_owner_of((void *)entry->mapped.va) : NULL;
    return owner != NULL && (owner->flags & MM_OWNER_SECURE) != 0;
}

/* A hole in RAM has entries that say zeroed, so an active frame is RAM. */
static inline bool home_can_be_used(const mm_pfn_t *entry, bool write)
{
    uint8_t use = mm_owner_glance(&entry->owner).use;
    if (NTMM_UNLIKELY(!is_active(entry) || use == MM_USE_NONE))
        return false;
    return NTMM_LIKELY(use != MM_USE_MAPPED) || (!mm_frame_is_pageable(entry) && !(write && is_secure(entry)));
}

static bool home_of(uintptr_t va, mm_pfn_number_t *pfn)
{
    bool executable = mm_in(&mm_executable_map, va);
    if ((!executable && !mm_in(&mm_physical_map, va)) || mm_unbacked)
        return false;
    *pfn = (va - (executable ? mm_executable_map.base : mm_physical_map.base)) >> PAGE_SHIFT;
    return true;
}

/* ---- pool pages ---- */

/* Whoever frees whole pages of pool does not look at every frame; it does when this is set. */
static void note_run(mm_owner_t *head)
{
    if (head->use == MM_USE_POOL_RUN && (head->flags & MM_OWNER_LOCKED) == 0)
        __atomic_fetch_or(&head->flags, MM_OWNER_LOCKED, __ATOMIC_RELAXED);
}
static void note_page(uintptr_t page, mm_owner_t *owner)
{
    if (owner->use == MM_USE_POOL_TAIL)
        owner = mm_owner_of((void *)(page - ((uintptr_t)owner->bytes << PAGE_SHIFT)));
    if (owner != NULL)
        note_run(owner);
}

void mm_note_frames(const PFN_NUMBER *pfns, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++) {
        mm_pfn_t   *entry = mm_pfn_entry(pfns[i]);
        bool        is_mapped = entry->owner.use == MM_USE_MAPPED;
        uintptr_t   va = is_mapped ? entry->mapped.va : mm_physical_map.base + (pfns[i] << PAGE_SHIFT);
        mm_owner_t *owner = is_mapped ? mm_owner_of((void *)va) : &entry->owner;
        if (owner != NULL)
            note_page(va, owner);
    }
}

bool mm_frame_is_held(mm_pfn_number_t pfn) { return mm_pins_of(pfn) != 0 || mm_user_mapping_shows(pfn); }

mm_pfn_number_t mm_first_locked_page(const void *run, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++) {
        uint64_t pte = mm_pte_of((uintptr_t)run + (i << PAGE_SHIFT));
        if (mm_pte_is_valid(pte) && mm_frame_is_held(mm_pte_pfn(pte)))
            return mm_pte_pfn(pte);
    }
    return MM_PFN_NONE;
}

/* ---- by region ---- */

/* Pages of the maps of RAM in a row: how many were pinned. */
static size_t lock_homes(const mm_lock_t *lock, uintptr_t va, size_t page_count, PFN_NUMBER *pfns)
{
    mm_pfn_number_t first;
    if (!home_of(va, &first) || !home_of(va + ((page_count - 1) << PAGE_SHIFT), &(mm_pfn_number_t){ 0 }))
        return 0;
    size_t i = 0;
    ke_lock(&mm_pin_lock);
    for (; i < page_count; i++) {
        mm_pfn_t *entry = mm_pfn_entry(first + i);
        if (!home_can_be_used(entry, lock->write))
            break;
        if (i == 0 || entry->owner.use == MM_USE_POOL_RUN)
            note_page(va + (i << PAGE_SHIFT), &entry->owner);
        set_pins(entry, mm_pins_of(first + i) + 1);
        pfns[i] = first + i;
    }
    ke_unlock(&mm_pin_lock);
    return i;
}

static NTSTATUS status_of(mm_page_answer_t answer)
{
    switch (answer) {
    case MM_PAGE_RESOLVED: return STATUS_SUCCESS;
    case MM_PAGE_NO_FRAME: return STATUS_INSUFFICIENT_RESOURCES;
    case MM_PAGE_IO_ERROR: return STATUS_IN_PAGE_ERROR;
    default: return STATUS_ACCESS_VIOLATION;
    }
}

static uintptr_t paged_address(uintptr_t va) { return mm_in(&mm_slot_region, va) ? va - mm_slot_region.base + mm_paged_region.base : va; }

static NTSTATUS lock_paged(mm_lock_t *lock, uintptr_t va, PFN_NUMBER *pfn)
{
    uintptr_t      page = paged_address(va);
    mm_pageable_t *region = mm_pageable_of(page);
    if (!lock->low_irql) {
        lock->pageable = true;
        return STATUS_ACCESS_VIOLATION;
    }
    ke_lock(&mm_paging_lock);
    size_t   index = mm_table_index(region->table, page);
    NTSTATUS status = status_of(mm_page_bring_locked(region, index, lock->write));
    if (NT_SUCCESS(status)) {
        *pfn = mm_pte_pfn(region->table->ptes[index]);
        if (!mm_frame_pin_pageable_locked(*pfn))
            status = STATUS_INSUFFICIENT_RESOURCES;
    }
    ke_unlock(&mm_paging_lock);
    if (NT_SUCCESS(status) && region == &mm_paged)
        note_page(page, mm_paged_owner((void *)page));
    return status;
}

/* A frame behind a system PTE: the mapping may be any, of memory or of an MDL. */
static NTSTATUS lock_mapped(mm_lock_t *lock, uintptr_t va, PFN_NUMBER *pfn)
{
    uint64_t pte = mm_pte_of(va);
    if (!mm_pte_is_valid(pte) || (lock->write && (pte & MM_PTE_WRITE) == 0))
        return STATUS_ACCESS_VIOLATION;
    *pfn = mm_pte_pfn(pte);
    if ((pte & MM_PTE_IO) != 0) {
        lock->io_space = true;
        return STATUS_SUCCESS;
    }
    if (mm_frame_is_pageable(mm_pfn_entry(*pfn))) { /* of an MDL, which has pinned it */
        lock->pageable = !lock->low_irql;
        return lock->low_irql ? lock_paged(lock, mm_pfn_entry(*pfn)->mapped.va, pfn) : STATUS_ACCESS_VIOLATION;
    }
    mm_owner_t *owner = mm_owner_of((void *)va);
    if (owner != NULL)
        note_page(va, owner);
    mm_frame_pin(*pfn);
    return STATUS_SUCCESS;
}

/* The address may belong to another process than the caller's: that is for him to know. */
static NTSTATUS lock_view(mm_lock_t *lock, mm_space_t *space, uintptr_t va, PFN_NUMBER *pfn)
{
    mm_pfn_number_t frame = MM_PFN_NONE;                  /* PFN_NUMBER is another type on some hosts */
    if (mm_user_mapping_frame(va, lock->write, &frame)) { /* an MDL is mapped there, and holds the frame */
        mm_frame_pin(frame);
        *pfn = frame;
        return STATUS_SUCCESS;
    }
    lock->pageable = !lock->low_irql;
    NTSTATUS status = lock->low_irql ? mm_view_pin(space, va, lock->write, &frame) : STATUS_ACCESS_VIOLATION;
    if (NT_SUCCESS(status))
        *pfn = frame;
    return status;
}

/* Pages of the host may be smaller than the machine's, and some of them not there, before the program's first variable for example. */
static bool host_is_there(uintptr_t va)
{
    char      byte;
    uintptr_t page = va & ~((uintptr_t)PAGE_SIZE - 1);
    for (size_t at = 0; at < PAGE_SIZE; at += host_page_size())
        if (host_copy_safely(&byte, (void *)(page + at), 1) == 1)
            return true;
    return false;
}

static NTSTATUS lock_host(mm_lock_t *lock, uintptr_t va, PFN_NUMBER *pfn)
{
    *pfn = mm_host_frame(va);
    if (mm_driver_has(va)) { /* a pageable section */
        lock->pageable = !lock->low_irql && !mm_driver_stays(va);
        return !lock->pageable && mm_driver_pin(va, lock->write) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
    }
    return host_is_there(va) ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
}

static NTSTATUS lock_page(mm_lock_t *lock, uintptr_t va, PFN_NUMBER *pfn)
{
    if (mm_in(&mm_physical_map, va) || mm_in(&mm_executable_map, va))
        return lock_homes(lock, va, 1, pfn) == 1 ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
    if (mm_pageable_of(paged_address(va)) != NULL) /* or a slot: an MDL may have led there */
        return lock_paged(lock, va, pfn);
    if (mm_in(&mm_system_pte_region, va))
        return lock_mapped(lock, va, pfn);
    mm_space_t *space = mm_space_find(va);
    if (space != NULL)
        return lock_view(lock, space, va, pfn);
    return mm_in(&mm_all, va) || mm_in(&mm_user_region, va) ? STATUS_ACCESS_VIOLATION : lock_host(lock, va, pfn);
}

NTSTATUS mm_lock_pages(mm_lock_t *lock, uintptr_t va, size_t page_count, PFN_NUMBER *pfns)
{
    NTSTATUS status = STATUS_SUCCESS;
    size_t   locked = lock_homes(lock, va, page_count, pfns);
    while (locked < page_count && NT_SUCCESS(status = lock_page(lock, va + (locked << PAGE_SHIFT), &pfns[locked])))
        locked++;
    if (NT_SUCCESS(status))
        return status;
    lock->failed_at = va + (locked << PAGE_SHIFT);
    mm_unlock_pages(pfns, locked, lock->io_space);
    return status;
}

/* ---- the way back ---- */

/* What no pin is kept for. */
static bool needs_no_pin(mm_pfn_number_t pfn, bool io_space) { return mm_is_host_frame(pfn) || (io_space && !mm_pfn_is_ram(pfn)); }

/* One that is no frame at home that is pinned. */
static bool unlock_other(mm_pfn_number_t pfn, bool io_space)
{
    if ((io_space || pfn > mm_highest_pfn) && needs_no_pin(pfn, io_space)) {
        if (mm_is_host_frame(pfn))
            mm_driver_unpin((uintptr_t)mm_host_frame_va(pfn));
        return true;
    }
    return pfn <= mm_highest_pfn && unpin(pfn);
}

size_t mm_unlock_pages(const PFN_NUMBER *pfns, size_t page_count, bool io_space)
{
    bool deleted = false;
    for (size_t i = 0; i < page_count;) {
        i += unpin_homes(pfns + i, page_count - i, &deleted);
        if (deleted)
            put_deleted(pfns[i - 1]);
        else if (i < page_count && !unlock_other(pfns[i], io_space))
            return i;
        else if (i < page_count)
            i++;
    }
    return page_count;
}

/* ---- without pinning ---- */

static bool find_page(uintptr_t va, PFN_NUMBER *pfn, bool *io_space)
{
    if (mm_space_find(va) == NULL && !mm_in(&mm_all, va) && !mm_in(&mm_user_region, va)) {
        *pfn = mm_host_frame(va);
        return host_is_there(va);
    }
    uint64_t pte = mm_pte_of(paged_address(va));
    *pfn = mm_pte_pfn(pte);
    *io_space = *io_space || (pte & MM_PTE_IO) != 0;
    return mm_pte_is_valid(pte);
}

static size_t find_homes(uintptr_t va, size_t page_count, PFN_NUMBER *pfns)
{
    mm_pfn_number_t first;
    if (page_count == 0 || !home_of(va, &first) || !home_of(va + ((page_count - 1) << PAGE_SHIFT), &(mm_pfn_number_t){ 0 }))
        return 0;
    for (size_t i = 0; i < page_count; i++) {
        if (!home_can_be_used(mm_pfn_entry(first + i), false))
            return i;
        pfns[i] = first + i;
    }
    return page_count;
}

size_t mm_find_pages(uintptr_t va, size_t page_count, PFN_NUMBER *pfns, bool *io_space)
{
    size_t found = find_homes(va, page_count, pfns);
    if (found != 0 || home_of(va, &(mm_pfn_number_t){ 0 }))
        return found;
    while (found < page_count && find_page(va + (found << PAGE_SHIFT), &pfns[found], io_space))
        found++;
    return found;
}

bool mm_frame_stays(mm_pfn_number_t pfn)
{
    if (NTMM_UNLIKELY(pfn > mm_highest_pfn))
        return mm_is_host_frame(pfn);
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    return is_active(entry) && (mm_pins_of(pfn) != 0 || !mm_frame_is_pageable(entry));
}

/* ---- what is still locked ---- */

typedef struct locked_walk {
    void (*visit)(void *context, void *first, size_t page_count);
    void     *context;
    uintptr_t first; /* a row of pages */
    size_t    page_count;
} locked_walk_t;

static void end_row(locked_walk_t *walk)
{
    if (walk->page_count != 0)
        walk->visit(walk->context, (void *)walk->first, walk->page_count);
    walk->page_count = 0;
}

static void visit_frame(void *context, mm_pfn_number_t pfn, mm_pfn_t *entry)
{
    locked_walk_t *walk = context;
    bool           executable = entry->owner.use != MM_USE_MAPPED && entry->owner.pool == MM_NONPAGED_EXECUTE;
    uintptr_t      home = (executable ? mm_executable_map.base : mm_physical_map.base) + (pfn << PAGE_SHIFT);
    uintptr_t      va = entry->owner.use == MM_USE_MAPPED ? entry->mapped.va : home;
    if (mm_pins_of(pfn) == 0)
        return;
    if (walk->page_count != 0 && walk->first + (walk->page_count << PAGE_SHIFT) != va)
        end_row(walk);
    if (walk->page_count++ == 0)
        walk->first = va;
}

void mm_visit_locked(void (*visit)(void *context, void *first, size_t page_count), void *context)
{
    locked_walk_t walk = { .visit = visit, .context = context };
    mm_visit_frames(visit_frame, &walk);
    end_row(&walk);
}
