/*
 * slots.c - bytes that the host keeps for nobody: given back in batches.
 * A pageable page has two places where the host may keep bytes for it: its slot, and the home of its frame. Only the slot is in use. What is
 * left over in the other, in the slot of a freed page, and in that of a page whose frame was given to another, is stale: it is noted, and when
 * the batch is full all of it is given back to the host at once. A slot is likely to be used again soon, so its batch is large (a quarter
 * of RAM, at most 64 MiB with 4 KiB pages); a stale home is of no use to anybody, so its batch is small. The host never keeps more than RAM
 * plus both.
 *
 *     slot    zero --- page made ---> used --- page freed, frame repurposed ---> stale --- batch is full ---> zero
 *                                      ^--- page made, page read from file ---------'
 *
 * Invariants  the PTE of a page whose slot is stale says so, and it has no frame
 * Locks       mm_paging_lock.
 */
#include "mm/paging.h"

typedef struct batch {
    uint32_t count, most;
    uint32_t number[MM_STALE_SLOTS_MOST];
} batch_t;
static batch_t stale_slots, stale_homes; /* numbers of slots; of those whose frame's home it is */

void mm_slots_boot(void)
{
    uint64_t share = mm_frames.map.page_count / 4;
    stale_slots.count = stale_homes.count = 0;
    stale_homes.most = MM_STALE_HOMES;
    stale_slots.most = share < MM_STALE_SLOTS_LEAST  ? MM_STALE_SLOTS_LEAST
                       : share > MM_STALE_SLOTS_MOST ? MM_STALE_SLOTS_MOST
                                                     : (uint32_t)share;
}

void mm_discard_slots(mm_pageable_t *region, size_t first, size_t count)
{
    const uint64_t gone = MM_PTE_STALE_SLOT | MM_PTE_GATE_OPEN;
    mm_discard(region->slot_offset + ((uint64_t)first << PAGE_SHIFT), count);
    if (mm_has_gate(region))
        host_gate_close(&region->gate, first << PAGE_SHIFT, count << PAGE_SHIFT);
    for (size_t i = first; i < first + count; i++)
        mm_pte_write(&region->table->ptes[i], region->table->ptes[i] & ~gone);
}

static bool slot_is_stale(const mm_pageable_t *region, size_t index)
{
    return index < mm_table_pages(region->table) && mm_pte_slot_is_stale(region->table->ptes[index]);
}

/* Neighbours that are stale as well go in the same stroke: they are in the batch too, and are skipped when their turn comes. */
static void discard_stale_slots(void)
{
    for (uint32_t i = 0; i < stale_slots.count; i++) {
        size_t         first = stale_slots.number[i], end;
        mm_pageable_t *region = mm_pageable_of_slot(&first);
        for (end = first; slot_is_stale(region, end);)
            end++;
        if (end == first)
            continue;
        while (first > 0 && slot_is_stale(region, first - 1))
            first--;
        mm_discard_slots(region, first, end - first);
    }
    stale_slots.count = 0;
}

static uint64_t *pte_of_slot(size_t slot)
{
    mm_pageable_t *region = mm_pageable_of_slot(&slot);
    return &region->table->ptes[slot];
}

/* Slots that were used again meanwhile, and those that were noted more than once, leave the batch. */
static void compact_slots(void)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < stale_slots.count; i++) {
        uint32_t  slot = stale_slots.number[i];
        uint64_t *pte = pte_of_slot(slot);
        if (!mm_pte_slot_is_stale(*pte) || (*pte & MM_PTE_SEEN) != 0)
            continue;
        mm_pte_write(pte, *pte | MM_PTE_SEEN);
        stale_slots.number[kept++] = slot;
    }
    for (uint32_t i = 0; i < kept; i++)
        mm_pte_write(pte_of_slot(stale_slots.number[i]), *pte_of_slot(stale_slots.number[i]) & ~MM_PTE_SEEN);
    stale_slots.count = kept;
}

static void stale_slots_are_full(void)
{
    compact_slots();
    if (stale_slots.count > stale_slots.most - stale_slots.most / 8) /* else there is room for more */
        discard_stale_slots();
}

/* The frame of a page whose home is stale, or MM_PFN_NONE. By way of the page: only frames of pageable pages may be looked at here. */
static mm_pfn_number_t stale_home(const mm_pageable_t *region, size_t index)
{
    uint64_t pte = index < mm_table_pages(region->table) ? region->table->ptes[index] : 0;
    if (!mm_pte_has_frame(pte) || (mm_pfn_entry(mm_pte_pfn(pte))->flags & MM_PFN_HOME_STALE) == 0)
        return MM_PFN_NONE;
    return mm_pte_pfn(pte);
}

static void discard_stale_homes(void)
{
    for (uint32_t i = 0; i < stale_homes.count; i++) {
        size_t          index = stale_homes.number[i], count = 0;
        mm_pageable_t  *region = mm_pageable_of_slot(&index);
        mm_pfn_number_t first = stale_home(region, index);
        if (first == MM_PFN_NONE)
            continue;
        for (; stale_home(region, index + count) == first + count; count++)
            mm_pfn_entry(first + count)->flags ^= MM_PFN_HOME_STALE | MM_PFN_HOME_ZERO;
        mm_discard(first << PAGE_SHIFT, count);
    }
    stale_homes.count = 0;
}

static void note(batch_t *batch, size_t number, void (*when_full)(void))
{
    batch->number[batch->count++] = (uint32_t)number;
    if (batch->count == batch->most)
        when_full();
}

void mm_note_stale_slot(const mm_pageable_t *region, size_t index) { note(&stale_slots, mm_slot_of(region, index), stale_slots_are_full); }
void mm_note_stale_home(const mm_pageable_t *region, size_t index) { note(&stale_homes, mm_slot_of(region, index), discard_stale_homes); }

/* ---- shutdown ---- */

typedef struct clearing { /* a row of slots that hold something */
    mm_pageable_t *region;
    size_t         first, page_count;
} clearing_t;

static void clear_row(clearing_t *row)
{
    if (row->page_count != 0)
        mm_clear_bytes((uintptr_t)mm_alias_of(row->region, row->first), row->region->slot_offset + ((uint64_t)row->first << PAGE_SHIFT),
                       row->page_count);
    row->page_count = 0;
}

static void forget_page(void *context, mm_page_table_t *table, size_t index)
{
    clearing_t *row = context;
    uint64_t    pte = table->ptes[index];
    mm_unpoison(mm_table_va(table, index), PAGE_SIZE); /* also a slot that was given back to the host */
    table->owners[index] = (mm_owner_t){ 0 };
    table->ptes[index] = 0;
    if (!mm_pte_has_frame(pte) && (pte & MM_PTE_STALE_SLOT) == 0)
        return;
    if (row->page_count != 0 && row->first + row->page_count != index)
        clear_row(row);
    if (row->page_count++ == 0)
        row->first = index;
}

void mm_clear_slots(mm_pageable_t *region)
{
    clearing_t row = { .region = region };
    mm_table_visit(region->table, forget_page, &row);
    clear_row(&row);
    rt_runs_reset(&region->table->runs);
    region->seen = 0;
}
