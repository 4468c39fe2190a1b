/*
 * working_set.c - which pageable pages are there, and which of them goes next.
 * Hardware that tells which pages were touched is not to be had in user mode, so the machine learns it as VAX/VMS did: a page that is to go
 * is closed first, and keeps its frame for a while on the standby or modified list. If it is touched meanwhile, a soft fault brings it back.
 *
 *     clock    the working set is a ring; the hand stands at its head. A page that the hand passes is closed, that is, its accessed bit is
 *              cleared. Pages between the hand and the second hand (the head of the standby list, behind the modified one) are those on
 *              the two lists: 1/SPREAD_SHARE of all pages, at most SPREAD_MOST. Touched there, a page goes to the far end of the ring;
 *              met there by the second hand, it loses its frame.
 *     FIFO     pages go in the order in which they came into memory. One that is closed and touched again comes back to the head: it has
 *              not become younger.
 *     random   any page, by the machine's seed.
 *
 * Invariants  the list holds exactly the frames of valid pages of pageable regions; pinned ones are skipped
 * Locks       mm_paging_lock.
 * Source      Windows Internals: working sets, second chance on standby and modified lists. Windows ages pages by the accessed bit (choice).
 */
#include "mm/driver_pages.h"
#include "mm/paging.h"

#include "mm/pinned.h"

#define SPREAD_SHARE 8u
#define SPREAD_MOST 256u
#define TRIM_MOST 64u /* pages closed together */
#define RANDOM_TRIES 32u

mm_page_list_t                    mm_working_set;
static enum ntmm_page_replacement policy;
static uint64_t                   random_state;

void mm_working_set_boot(const ntmm_config *config)
{
    mm_working_set = (mm_page_list_t){ 0 };
    policy = config->page_replacement;
    random_state = config->seed * 0x9E3779B97F4A7C15u ^ 0xD1B54A32D192ED03u;
    random_state = random_state != 0 ? random_state : 1;
}

void mm_working_set_enter_locked(mm_pfn_number_t pfn, bool rescued)
{
    if (rescued && policy == NTMM_REPLACE_FIFO)
        mm_links_push_head(&mm_working_set, pfn);
    else
        mm_links_push_tail(&mm_working_set, pfn);
}

void mm_working_set_leave_locked(mm_pfn_number_t pfn) { mm_links_remove(&mm_working_set, pfn); }

size_t mm_working_set_spread_locked(void)
{
    uint64_t between = mm_frames.list[MM_STANDBY].count + mm_frames.list[MM_MODIFIED].count;
    uint64_t spread = (mm_working_set.count + between) / SPREAD_SHARE;
    if (policy != NTMM_REPLACE_CLOCK)
        return 0;
    return spread < SPREAD_MOST ? (size_t)spread : SPREAD_MOST;
}

/* ---- victims ---- */

static uint64_t next_random(void) /* xorshift64* */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545F4914F6CDD1Dull >> 16;
}

static bool can_go(mm_pfn_number_t pfn) /* of a valid page */
{
    return mm_pins_of(pfn) == 0 && (mm_pfn_entry(pfn)->flags & MM_PFN_CHOSEN) == 0;
}

/* Any page may be asked; when memory is short enough of them can go. */
static mm_pfn_number_t pick_random(void)
{
    for (unsigned i = 0; i < RANDOM_TRIES && mm_paged.seen + mm_shared.seen != 0; i++) {
        size_t   any = next_random() % (mm_paged.seen + mm_shared.seen);
        uint64_t pte = any < mm_paged.seen ? mm_paged.table->ptes[any] : mm_shared.table->ptes[any - mm_paged.seen];
        if (mm_pte_is_valid(pte) && can_go(mm_pte_pfn(pte)))
            return mm_pte_pfn(pte);
    }
    return MM_PFN_NONE;
}

/* The head, which becomes the tail if it is pinned. */
static mm_pfn_number_t pick_oldest(void)
{
    for (uint64_t i = 0; i < mm_working_set.count; i++) {
        mm_pfn_number_t pfn = mm_working_set.head - 1;
        if (can_go(pfn))
            return pfn;
        mm_links_remove(&mm_working_set, pfn);
        mm_links_push_tail(&mm_working_set, pfn);
    }
    return MM_PFN_NONE;
}

static mm_pfn_number_t pick(void)
{
    mm_pfn_number_t pfn = policy == NTMM_REPLACE_RANDOM ? pick_random() : MM_PFN_NONE;
    return pfn != MM_PFN_NONE ? pfn : pick_oldest();
}

/* ---- trimming ---- */

/* Ascending by address, so that neighbours are closed in one stroke. Mostly they come so. */
static void insert_sorted(uintptr_t *victims, size_t count, uintptr_t more)
{
    while (count > 0 && victims[count - 1] > more) {
        victims[count] = victims[count - 1];
        count--;
    }
    victims[count] = more;
}

static void close_all(const uintptr_t *victims, size_t count)
{
    for (size_t first = 0, end; first < count; first = end) {
        mm_pageable_t *region = mm_pageable_of(victims[first]);
        for (end = first + 1; end < count && victims[end] == victims[end - 1] + PAGE_SIZE && mm_in(region->table->region, victims[end]);)
            end++;
        mm_page_close_locked(region, mm_table_index(region->table, victims[first]), end - first);
    }
}

static void trim_one(mm_pfn_number_t pfn)
{
    uintptr_t      va = mm_pfn_entry(pfn)->mapped.va;
    mm_pageable_t *region = mm_pageable_of(va);
    mm_page_trim_locked(region, mm_table_index(region->table, va));
}

/* A closed page is nobody's to write: so it is closed before it goes to a list. */
static size_t trim_batch(size_t most)
{
    uintptr_t       victims[TRIM_MOST];
    mm_page_list_t  chosen = { 0 };
    mm_pfn_number_t pfn;
    size_t          count = 0;
    while (count < most && count < TRIM_MOST && (pfn = pick()) != MM_PFN_NONE) {
        insert_sorted(victims, count, mm_pfn_entry(pfn)->mapped.va);
        mm_links_remove(&mm_working_set, pfn);
        mm_links_push_tail(&chosen, pfn);
        mm_pfn_entry(pfn)->flags |= MM_PFN_CHOSEN;
        count++;
    }
    close_all(victims, count);
    while (chosen.head != 0) {
        pfn = chosen.head - 1;
        mm_links_remove(&chosen, pfn);
        mm_links_push_tail(&mm_working_set, pfn);
        mm_pfn_entry(pfn)->flags &= (uint8_t)~MM_PFN_CHOSEN;
        trim_one(pfn);
    }
    return count;
}

size_t mm_working_set_trim_locked(size_t most)
{
    size_t trimmed = 0, now;
    while (trimmed < most && (now = trim_batch(most - trimmed)) != 0)
        trimmed += now;
    if (trimmed != 0)
        mm_driver_trim_with_locked(trimmed, mm_working_set.count + trimmed);
    return trimmed;
}

/* ---- all of it ---- */

typedef struct closing { /* a row of pages, [first, end), of which at least one is open */
    mm_pageable_t *region;
    size_t         first, end;
} closing_t;

static void close_row(closing_t *row)
{
    if (row->end > row->first)
        mm_page_close_locked(row->region, row->first, row->end - row->first);
    row->first = row->end = 0;
}

/* What lies between two pages that are to be closed may be closed as well, unless it is pinned. */
static void close_page(void *context, mm_page_table_t *table, size_t index)
{
    closing_t *row = context;
    uint64_t   pte = table->ptes[index];
    if (mm_pte_is_valid(pte) && !can_go(mm_pte_pfn(pte))) {
        close_row(row);
        return;
    }
    if (!mm_pte_is_valid(pte) && (pte & MM_PTE_GATE_OPEN) == 0)
        return;
    if (!mm_pte_is_valid(pte))
        mm_pte_write(&table->ptes[index], pte & ~MM_PTE_GATE_OPEN);
    row->first = row->end != 0 ? row->first : index;
    row->end = index + 1;
}

static void close_region(mm_pageable_t *region)
{
    closing_t row = { .region = region };
    mm_table_visit(region->table, close_page, &row);
    close_row(&row);
}

/* The pages that may go, in the order in which they came. */
size_t mm_working_set_empty_locked(void)
{
    size_t trimmed = 0;
    close_region(&mm_paged);
    close_region(&mm_shared);
    for (uint64_t left = mm_working_set.count; left > 0; left--) {
        mm_pfn_number_t pfn = mm_working_set.head - 1;
        if (can_go(pfn)) {
            trim_one(pfn);
            trimmed++;
        } else {
            mm_links_remove(&mm_working_set, pfn);
            mm_links_push_tail(&mm_working_set, pfn);
        }
    }
    return trimmed;
}
