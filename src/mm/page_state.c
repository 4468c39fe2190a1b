/*
 * page_state.c - one pageable page, from state to state.
 *
 *                        mm_pool_pages_alloc                            mm_page_free (from any state)
 *           free --------------------------------> demand zero                 ---> free
 *             `----------------------------.        |
 *                             page_make    |        | page_make (fault)
 *                                          v        v
 *                    page_write (fault)   +------------+   page_trim    +------------+
 *                 .---------------------> | valid,     | -------------> | modified   |
 *                 |                       | dirty      | <------------- | transition |
 *                 |                       +------------+   page_rescue  +------------+
 *          +------------+   page_rescue for a write ^                       | page_was_written: its bytes are in the page file, too
 *          | valid,     |                           |                       v
 *          | clean      | <-------------------------'-------------- +------------+
 *          +------------+   page_rescue for a read                  | standby    |
 *                 ^   `-------------------------------------------> | transition |
 *                 |                page_trim                        +------------+
 *                 |   page_read (fault)                                     | page_repurpose: the frame is another page's now
 *                 '--------------------------- page file <------------------'
 *
 *     PTE          frame     gate        bytes in the slot    slot of the page file
 *     valid dirty  active    writable    yes                  none
 *     valid clean  active    read only   yes                  one, or none when copies had to be given up
 *     modified     modified  closed      yes                  none
 *     standby      standby   closed      yes                  one
 *     page file    none      closed      stale or none        one
 *     demand zero  none      closed      stale or none        none
 *
 * A page that is reset (MEM_RESET) becomes clean as if it were in the page file, in the slot MM_RESET, where nothing is: so it is not written, and when
 * its frame is gone it is demand zero.
 *
 * A page of mm_shared has no gate of its own: what the table says of the gate holds for every view, each of which opens the page when it
 * is touched there. A page over a file of the host starts as one that is "in the page file", in the slot MM_IN_SEGMENT_FILE.
 *
 * Invariants  the table above; mm_check verifies it
 * Locks       mm_paging_lock, held by the caller; mm_pfn_lock inside, for the lists.
 * Fidelity    modelled on Windows Internals' page states. Stand-by pages have one priority, not eight.
 */
#include "mm/paging.h"
#include "mm/space.h"

#include <errno.h>
#include <string.h>

static char read_buffer[MM_READ_AHEAD * PAGE_SIZE]; /* under mm_paging_lock */

static uint64_t *pte_at(const mm_pageable_t *region, size_t index) { return &region->table->ptes[index]; }
static size_t    bytes_of(size_t pages) { return pages << PAGE_SHIFT; }

static void give_file_slot(uint32_t file_slot)
{
    if (mm_is_page_file_slot(file_slot))
        mm_page_file_give_locked(file_slot);
}

static void discharge_file_slot(mm_pfn_t *entry)
{
    give_file_slot(entry->mapped.file_slot);
    entry->mapped.file_slot = 0;
}

static void leave_list(mm_pfn_number_t pfn)
{
    ke_lock(&mm_pfn_lock);
    mm_list_remove_locked((mm_list_t)mm_pfn_entry(pfn)->list, pfn);
    ke_unlock(&mm_pfn_lock);
}

static void enter_list(mm_list_t list, mm_pfn_number_t pfn)
{
    ke_lock(&mm_pfn_lock);
    mm_list_push_tail_locked(list, pfn);
    ke_unlock(&mm_pfn_lock);
}

void mm_page_home_is(mm_pfn_number_t pfn, bool home_zero) { mm_pfn_entry(pfn)->flags = home_zero ? MM_PFN_HOME_ZERO : MM_PFN_HOME_STALE; }

/* The frame backs the page from now on. */
static void back_page(mm_pageable_t *region, size_t index, mm_pfn_number_t pfn, uint32_t file_slot)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    entry->cache = 1 + MmCached;
    entry->mapped.va = mm_table_va(region->table, index);
    entry->mapped.file_slot = file_slot;
    entry->mapped.use = MM_USE_MAPPED;
    mm_pte_write(pte_at(region, index), file_slot != 0 ? mm_pte_clean(pfn) : mm_pte_dirty(pfn));
    mm_working_set_enter_locked(pfn, false);
    region->seen = index < region->seen ? region->seen : index + 1;
    if ((entry->flags & MM_PFN_HOME_STALE) != 0)
        mm_note_stale_home(region, index);
}

/* ---- into the working set ---- */

/* Each page of the host's gets bytes: whoever opens the page in a view counts on them. */
static void touch_slots(const mm_pageable_t *region, size_t first, size_t count)
{
    volatile char *bytes = mm_alias_of(region, first);
    for (size_t at = 0; at < bytes_of(count); at += host_page_size())
        bytes[at] = 0;
}

static int open_fresh(mm_pageable_t *region, size_t first, size_t count, bool zero, size_t open_ahead)
{
    uint64_t pte = *pte_at(region, first);
    bool     stale = (pte & MM_PTE_STALE_SLOT) != 0;
    if ((pte & MM_PTE_GATE_OPEN) != 0)
        return 0;
    if (stale && zero)
        memset(mm_alias_of(region, first), 0, bytes_of(count));
    if (!mm_has_gate(region)) {
        if (!stale)
            touch_slots(region, first, count);
        return 0;
    }
    if (stale)
        return host_gate_open(&region->gate, bytes_of(first), bytes_of(count), true);
    return host_gate_open_zero(&region->gate, bytes_of(first), bytes_of(count + open_ahead));
}

int mm_page_make_locked(mm_pageable_t *region, size_t first, size_t count, const mm_pfn_number_t *frames, bool zero, size_t open_ahead)
{
    int status = open_fresh(region, first, count, zero, open_ahead);
    if (status < 0)
        return status;
    uint32_t file_slot = mm_pte_file_slot(*pte_at(region, first)) != 0 ? MM_LOST : 0; /* it was reset */
    for (size_t i = 0; i < count; i++)
        back_page(region, first + i, frames[i], file_slot);
    for (size_t i = count; i < count + open_ahead; i++)
        mm_pte_write(pte_at(region, first + i), MM_PTE_GATE_OPEN);
    return 0;
}

/* Where the host still keeps bytes for the slots, they are replaced through the alias; else they are made with the page. */
static int open_read(mm_pageable_t *region, size_t index, size_t count, const char *bytes, bool stale, bool writable)
{
    if (!mm_has_gate(region))
        return 0;
    if (stale)
        return host_gate_open(&region->gate, bytes_of(index), bytes_of(count), writable);
    return host_gate_open_copy(&region->gate, bytes_of(index), bytes_of(count), bytes, writable);
}

static int read_copy(size_t first, size_t count, uint32_t file_slot, void *bytes)
{
    if (file_slot == MM_IN_SEGMENT_FILE)
        return mm_segment_read_locked(first, count, bytes);
    return mm_page_file_read_locked(file_slot, (uint32_t)count, bytes);
}

/* Who knows what a failed read has left in the slots? */
static void spoilt_slots(mm_pageable_t *region, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        if (mm_pte_slot_is_stale(*pte_at(region, i)))
            continue;
        mm_pte_write(pte_at(region, i), *pte_at(region, i) | MM_PTE_STALE_SLOT);
        mm_note_stale_slot(region, i);
    }
}

int mm_page_read_locked(mm_pageable_t *region, size_t first, size_t count, const mm_pfn_number_t *frames, bool write)
{
    bool     stale = (*pte_at(region, first) & MM_PTE_STALE_SLOT) != 0, at_alias = stale || !mm_has_gate(region);
    uint32_t file_slot = mm_pte_file_slot(*pte_at(region, first)), step = file_slot != MM_IN_SEGMENT_FILE;
    char    *bytes = at_alias ? mm_alias_of(region, first) : read_buffer;
    int      status = read_copy(first, count, file_slot, bytes);
    size_t   made = write ? 1 : count;
    if (status < 0 && at_alias)
        spoilt_slots(region, first, count);
    if (status == 0)
        status = open_read(region, first, made, bytes, stale, write);
    if (status < 0)
        return status;
    if (made < count && open_read(region, first + 1, count - 1, bytes + PAGE_SIZE, stale, false) >= 0)
        made = count;
    for (size_t i = 0; i < made; i++)
        back_page(region, first + i, frames[i], write && i == 0 ? 0 : file_slot + (uint32_t)i * step);
    if (write)
        give_file_slot(file_slot);
    return (int)made;
}

int mm_page_rescue_locked(mm_pageable_t *region, size_t index, bool write)
{
    mm_pfn_number_t pfn = mm_pte_pfn(*pte_at(region, index));
    mm_pfn_t       *entry = mm_pfn_entry(pfn);
    bool            dirty = write || entry->list == MM_MODIFIED;
    int             status = mm_has_gate(region) ? host_gate_open(&region->gate, bytes_of(index), PAGE_SIZE, dirty) : 0;
    if (status < 0)
        return status;
    leave_list(pfn);
    if (dirty)
        discharge_file_slot(entry);
    mm_pte_write(pte_at(region, index), dirty ? mm_pte_dirty(pfn) : mm_pte_clean(pfn));
    mm_working_set_enter_locked(pfn, true);
    return 0;
}

int mm_page_write_locked(mm_pageable_t *region, size_t index)
{
    uint64_t *pte = pte_at(region, index);
    int       status = mm_has_gate(region) ? host_gate_allow_writes(&region->gate, bytes_of(index), PAGE_SIZE) : 0;
    if (status < 0)
        return status;
    discharge_file_slot(mm_pfn_entry(mm_pte_pfn(*pte)));
    mm_pte_write(pte, *pte | MM_PTE_DIRTY);
    return 0;
}

/* ---- and out of it ---- */

void mm_page_close_locked(mm_pageable_t *region, size_t first, size_t count)
{
    if (mm_has_gate(region))
        host_gate_close(&region->gate, bytes_of(first), bytes_of(count));
    else
        mm_views_close_locked(first, count);
}

void mm_page_trim_locked(mm_pageable_t *region, size_t index)
{
    uint64_t        pte = *pte_at(region, index);
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    mm_working_set_leave_locked(pfn);
    mm_pte_write(pte_at(region, index), mm_pte_transition(pfn));
    enter_list(mm_pfn_entry(pfn)->mapped.file_slot != 0 ? MM_STANDBY : MM_MODIFIED, pfn);
}

void mm_page_was_written_locked(mm_pfn_number_t pfn, uint32_t file_slot)
{
    mm_pfn_entry(pfn)->mapped.file_slot = file_slot;
    leave_list(pfn);
    enter_list(MM_STANDBY, pfn);
}

/* A debug build makes sure that nobody lives on bytes that are gone. */
static void spoil(const mm_pageable_t *region, size_t index)
{
#ifndef NDEBUG
    memset(mm_alias_of(region, index), 0xDB, PAGE_SIZE);
#else
    (void)region, (void)index;
#endif
}

void mm_page_repurpose_locked(mm_pfn_number_t pfn)
{
    mm_pfn_t      *entry = mm_pfn_entry(pfn);
    mm_pageable_t *region = mm_pageable_of(entry->mapped.va);
    size_t         index = mm_table_index(region->table, entry->mapped.va);
    leave_list(pfn);
    spoil(region, index);
    mm_pte_write(pte_at(region, index), mm_pte_in_file(entry->mapped.file_slot) | MM_PTE_STALE_SLOT);
    entry->cache = 0;
    entry->owner = (mm_owner_t){ 0 };
    mm_note_stale_slot(region, index);
}

/* ---- contents that nobody is interested in ---- */

void mm_page_reset_locked(size_t slot)
{
    uint64_t        pte = *pte_at(&mm_shared, slot);
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    if (!mm_pte_has_frame(pte)) {
        if (mm_pte_file_slot(pte) == 0)
            return;
        give_file_slot(mm_pte_file_slot(pte));
        mm_pte_write(pte_at(&mm_shared, slot), mm_pte_in_file(mm_pte_file_slot(pte) < MM_LOST ? MM_RESET : 0) | (pte & MM_PTE_STALE_SLOT));
        return;
    }
    if (mm_slot_is_pinned_locked(slot)) /* who has pinned it is interested */
        return;
    if (mm_pte_is_valid(pte)) {
        mm_views_hide_locked(slot, 1); /* so that the next write is seen */
        mm_pte_write(pte_at(&mm_shared, slot), pte & ~MM_PTE_DIRTY);
    } else if (mm_pfn_entry(pfn)->list == MM_MODIFIED) {
        leave_list(pfn);
        enter_list(MM_STANDBY, pfn);
    }
    discharge_file_slot(mm_pfn_entry(pfn));
    mm_pfn_entry(pfn)->mapped.file_slot = MM_RESET;
}

bool mm_page_undo_reset_locked(size_t slot)
{
    uint64_t  pte = *pte_at(&mm_shared, slot);
    mm_pfn_t *entry = mm_pte_has_frame(pte) ? mm_pfn_entry(mm_pte_pfn(pte)) : NULL;
    uint32_t  file_slot = entry != NULL ? entry->mapped.file_slot : mm_pte_file_slot(pte);
    if (file_slot != MM_RESET && file_slot != MM_LOST)
        return true;
    if (entry == NULL) {
        mm_pte_write(pte_at(&mm_shared, slot), MM_PTE_READ_WRITE | (pte & MM_PTE_STALE_SLOT));
        return false;
    }
    entry->mapped.file_slot = 0;
    if (mm_pte_is_transition(pte)) {
        leave_list(mm_pte_pfn(pte));
        enter_list(MM_MODIFIED, mm_pte_pfn(pte));
    }
    return file_slot == MM_RESET;
}

/* What is free need not be closed at once, as long as it is writable: the next owner saves the opening. */
static uint64_t free_valid_page(mm_pageable_t *region, size_t index, mm_pfn_number_t pfn)
{
    uint64_t left = MM_PTE_STALE_SLOT | MM_PTE_GATE_OPEN;
    if (!mm_has_gate(region)) {
        left = MM_PTE_STALE_SLOT;
    } else if ((*pte_at(region, index) & MM_PTE_DIRTY) == 0) {
        host_gate_close(&region->gate, bytes_of(index), PAGE_SIZE);
        left = MM_PTE_STALE_SLOT;
    }
    mm_working_set_leave_locked(pfn);
    return left;
}

void mm_page_free_locked(mm_pageable_t *region, size_t index)
{
    uint64_t pte = *pte_at(region, index), left = pte & MM_PTE_STALE_SLOT;
    region->table->owners[index] = (mm_owner_t){ 0 };
    if (!mm_pte_has_frame(pte)) {
        give_file_slot(mm_pte_file_slot(pte));
        mm_pte_write(pte_at(region, index), left);
        return;
    }
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    left = MM_PTE_STALE_SLOT;
    if (mm_pte_is_valid(pte))
        left = free_valid_page(region, index, pfn);
    else
        leave_list(pfn);
    discharge_file_slot(mm_pfn_entry(pfn));
    mm_pte_write(pte_at(region, index), left);
    mm_frame_put(pfn);
}
