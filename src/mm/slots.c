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
static batch_t stale_slots, stale_homes; /* indexes of pages of paged pool; of frames that back them */

void mm_slots_boot(void)
{
    uint64_t share = mm_frames.map.page_count / 4;
    stale_slots.count = stale_homes.count = 0;
    stale_homes.most = MM_STALE_HOMES;
    stale_slots.most = share < MM_STALE_SLOTS_LEAST  ? MM_STALE_SLOTS_LEAST
                       : share > MM_STALE_SLOTS_MOST ? MM_STALE_SLOTS_MOST
                                                     : (uint32_t)share;
}

void mm_discard_slots(size_t first, size_t count)
{
    const uint64_t gone = MM_PTE_STALE_SLOT | MM_PTE_GATE_OPEN;
    mm_discard(mm_paged.slot_offset + ((uint64_t)first << PAGE_SHIFT), count);
    host_gate_close(&mm_paged.gate, first << PAGE_SHIFT, count << PAGE_SHIFT);
    for (size_t i = first; i < first + count; i++)
        mm_pte_write(&mm_paged.table->ptes[i], mm_paged.table->ptes[i] & ~gone);
}

static bool slot_is_stale(size_t index)
{
    return index < mm_table_pages(mm_paged.table) && mm_pte_slot_is_stale(mm_paged.table->ptes[index]);
}

/* Neighbours that are stale as well go in the same stroke: they are in the batch too, and are skipped when their turn comes. */
static void discard_stale_slots(void)
{
    for (uint32_t i = 0; i < stale_slots.count; i++) {
        size_t first = stale_slots.number[i], end = first;
        while (slot_is_stale(end))
            end++;
        if (end == first)
            continue;
        while (first > 0 && slot_is_stale(first - 1))
            first--;
        mm_discard_slots(first, end - first);
    }
    stale_slots.count = 0;
}

/* Slots that were used again meanwhile, and those that were noted more than once, leave the batch. */
static void compact_slots(void)
{
    uint64_t *ptes = mm_paged.table->ptes;
    uint32_t  kept = 0;
    for (uint32_t i = 0; i < stale_slots.count; i++) {
        uint32_t index = stale_slots.number[i];
        if (!slot_is_stale(index) || (ptes[index] & MM_PTE_SEEN) != 0)
            continue;
        mm_pte_write(&ptes[index], ptes[index] | MM_PTE_SEEN);
        stale_slots.number[kept++] = index;
    }
    for (uint32_t i = 0; i < kept; i++)
        mm_pte_write(&ptes[stale_slots.number[i]], ptes[stale_slots.number[i]] & ~MM_PTE_SEEN);
    stale_slots.count = kept;
}

static void stale_slots_are_full(void)
{
    compact_slots();
    if (stale_slots.count > stale_slots.most - stale_slots.most / 8) /* else there is room for more */
        discard_stale_slots();
}

/* The frame of a page whose home is stale, or MM_PFN_NONE. By way of the page: only frames of pageable pages may be looked at here. */
static mm_pfn_number_t stale_home(size_t index)
{
    uint64_t pte = index < mm_table_pages(mm_paged.table) ? mm_paged.table->ptes[index] : 0;
    if (!mm_pte_has_frame(pte) || (mm_pfn_entry(mm_pte_pfn(pte))->flags & MM_PFN_HOME_STALE) == 0)
        return MM_PFN_NONE;
    return mm_pte_pfn(pte);
}

static void discard_stale_homes(void)
{
    for (uint32_t i = 0; i < stale_homes.count; i++) {
        size_t          index = stale_homes.number[i], count = 0;
        mm_pfn_number_t first = stale_home(index);
        if (first == MM_PFN_NONE)
            continue;
        for (; stale_home(index + count) == first + count; count++)
            mm_pfn_entry(first + count)->flags = MM_PFN_HOME_ZERO;
        mm_discard(first << PAGE_SHIFT, count);
    }
    stale_homes.count = 0;
}

static void note(batch_t *batch, uint32_t number, void (*when_full)(void))
{
    batch->number[batch->count++] = number;
    if (batch->count == batch->most)
        when_full();
}

void mm_note_stale_slot(size_t index) { note(&stale_slots, (uint32_t)index, stale_slots_are_full); }
void mm_note_stale_home(size_t index) { note(&stale_homes, (uint32_t)index, discard_stale_homes); }
