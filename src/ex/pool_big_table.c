/*
 * pool_big_table.c - the big-page table: the tags of allocations that have no header.
 * Windows keeps them in a hash table of its own, which may be full. ntmm has no need of one: tag and bytes stand in the owner entry of the first
 * page, which is there anyway, is found without a search, and cannot be full. With ntmm_config.big_page_table_entries the table is kept beside
 * that, at a fixed size, so that a test can see what a driver sees when it is full: the allocation goes on under the tag `BIG `.
 *
 *     page number, folded by exclusive or of its bytes ---> first slot; taken? the next one, and around
 *     entry    address (bit 0 set: free), tag, pages
 *
 * Expansion   Windows asks for a larger table when more than a quarter is used and an allocation has looked at 16 taken slots. This table is
 *             fixed: every such wish is counted, and refused.
 * Locks       a leaf of its own.
 * Source      published descriptions of the big-page table; WDK reference: Bug Check 0xC2, 0x9C (the tag `BIG ` is the pool's own).
 * Fidelity    while the table is kept, no pages are kept ready by threads, so that each allocation passes through it.
 */
#include "ex/pool_big_table.h"

#include <string.h>

#include "ke/lock.h"
#include "mm/mm.h"

#define SLOT_FREE 1u
#define MANY_LOOKS 16u

bool ex_big_table_on;

static struct {
    ke_lock_t             lock;
    ex_big_table_counts_t counts; /* under lock, as the slots */
    struct slot {
        uintptr_t address;
        uint32_t  tag;
        size_t    page_count;
    } slot[EX_BIG_TABLE_MOST];
} table = { .lock = KE_LOCK_INIT(KE_RANK_LEAF) };

void ex_big_table_boot(uint32_t entries)
{
    uint32_t count = EX_BIG_TABLE_LEAST;
    while (count < entries && count < EX_BIG_TABLE_MOST)
        count *= 2;
    ex_big_table_on = entries != 0;
    ke_lock_init(&table.lock, KE_RANK_LEAF);
    table.counts = (ex_big_table_counts_t){ .entries = entries != 0 ? count : 0 };
    for (uint32_t i = 0; i < table.counts.entries; i++)
        table.slot[i] = (struct slot){ .address = SLOT_FREE };
}

static uint32_t first_slot(const void *page)
{
    uint64_t number = (uintptr_t)page >> PAGE_SHIFT;
    return (uint32_t)(number ^ number >> 8 ^ number >> 16 ^ number >> 24) & (table.counts.entries - 1);
}

static struct slot *slot_after(const struct slot *slot)
{
    return &table.slot[(size_t)(slot - table.slot + 1) & (table.counts.entries - 1)];
}

static bool add_locked(const void *page, uint32_t tag, size_t page_count)
{
    struct slot *slot = &table.slot[first_slot(page)];
    uint32_t     looks = 0;
    for (; (slot->address & SLOT_FREE) == 0; slot = slot_after(slot))
        if (++looks == table.counts.entries)
            return false;
    *slot = (struct slot){ (uintptr_t)page, tag, page_count };
    table.counts.used++;
    table.counts.expansions_refused += looks >= MANY_LOOKS && table.counts.used > table.counts.entries / 4;
    return true;
}

/* A free slot ends no search, since others may have passed over it when it was taken. */
static struct slot *find_locked(const void *page)
{
    struct slot *slot = &table.slot[first_slot(page)];
    for (uint32_t looks = 0; looks < table.counts.entries; looks++, slot = slot_after(slot))
        if (slot->address == (uintptr_t)page)
            return slot;
    return NULL;
}

bool ex_big_table_add(const void *page, uint32_t tag, size_t page_count)
{
    ke_lock(&table.lock);
    bool added = add_locked(page, tag, page_count);
    table.counts.untagged += !added;
    ke_unlock(&table.lock);
    return added;
}

bool ex_big_table_remove(const void *page)
{
    ke_lock(&table.lock);
    struct slot *slot = find_locked(page);
    if (slot != NULL) {
        *slot = (struct slot){ .address = SLOT_FREE };
        table.counts.used--;
    }
    ke_unlock(&table.lock);
    return slot != NULL;
}

uint32_t ex_big_table_tag(const void *page)
{
    ke_lock(&table.lock);
    const struct slot *slot = find_locked(page);
    uint32_t           tag = slot != NULL ? slot->tag : 0;
    ke_unlock(&table.lock);
    return tag;
}

ex_big_table_counts_t ex_big_table_counts(void)
{
    ke_lock(&table.lock);
    ex_big_table_counts_t counts = table.counts;
    ke_unlock(&table.lock);
    return counts;
}
