/*
 * protection_keys.c - forced IRQL checking for each thread by itself: pageable data lie under the host's protection key.
 * At a raise to DISPATCH_LEVEL a thread closes the key for itself (ke/force_irql.h), so nothing pageable can be touched there, whatever other threads
 * bring back meanwhile, and the others notice nothing.
 *
 *     the key refused a thread          below DISPATCH_LEVEL, forgiven, or on a halted machine     opened to it (mm_fault_resolve)
 *                                       raised, the page is locked                                 left out: open to all, for as long as it is locked
 *                                       raised, else                                               0xD1, 0xA, 0xD3: fault.c
 *
 *     under the key --- a raised thread touches it, and it is locked ---> left out --- it is unlocked ---> under the key
 *
 * So a page that is locked costs nothing before a raised thread needs it. Left-out pages stand in a table: each may split two mappings of the host.
 * Where the table is full, or the host refuses, the thread has the key opened until it raises again: counted as given back.
 *
 * Code is not covered: the processor does not ask for the key when it fetches. It is closed at each raise as without keys (force_irql.c).
 *
 * Locks       mm_paging_lock; boot runs alone.
 * Source      Windows Driver Verifier documentation: "Force IRQL Checking". How it is done is ours (choice).
 */
#include "host/protection_key.h"
#include "mm/driver_pages.h"
#include "mm/pinned.h"
#include "mm/space.h"

#define LEFT_OUT_MOST 1024u

bool mm_keyed;

static struct {                       /* under mm_paging_lock */
    uintptr_t address[LEFT_OUT_MOST]; /* in the page, as it was touched */
    size_t    count;
} left_out;

/* ---- all pages ---- */

static bool cover_all(bool covered)
{
    mm_spaces_cover(covered);
    int status = host_gate_cover(&mm_paged.gate, covered);
    return mm_driver_cover_locked(covered) == 0 && status == 0;
}

void mm_keys_boot(bool wanted)
{
    bool covers = wanted && host_key_take();
    if (!covers && !mm_keyed)
        return;
    ke_lock(&mm_paging_lock);
    if (left_out.count != 0)
        (void)host_gate_cover(&mm_paged.gate, false); /* all of it comes afresh, if it comes */
    left_out.count = 0;
    mm_keyed = covers && cover_all(true);
    if (!mm_keyed)
        (void)cover_all(false);
    ke_unlock(&mm_paging_lock);
    host_key_use(mm_keyed);
}

bool mm_key_covers(uintptr_t va)
{
    if (!mm_keyed)
        return false;
    const mm_driver_run_t *run = mm_driver_run_of(va);
    return run != NULL ? run->covered : mm_in(&mm_paged_region, va) || mm_space_find(va) != NULL;
}

/* ---- one page ---- */

static bool is_locked(uintptr_t va)
{
    const mm_driver_run_t *run = mm_driver_run_of(va);
    if (run != NULL)
        return run->pages[mm_driver_page_index(run, va)].pins != 0;
    const mm_space_t *space = mm_space_find(va);
    uint64_t          pte = 0;
    if (mm_in(&mm_paged_region, va))
        pte = mm_paged.table->ptes[mm_table_index(mm_paged.table, va)];
    else if (space != NULL && space->ptes[mm_space_index(space, va)] != 0)
        pte = *mm_prototype(space->ptes[mm_space_index(space, va)]);
    return mm_pte_is_valid(pte) && mm_pins_of(mm_pte_pfn(pte)) != 0;
}

static int cover_page(uintptr_t va, bool covered)
{
    const mm_driver_run_t *run = mm_driver_run_of(va);
    if (run != NULL)
        return mm_driver_page_cover_locked(run, mm_driver_page_index(run, va), covered);
    if (mm_in(&mm_paged_region, va))
        return host_gate_cover_page(&mm_paged.gate, mm_table_index(mm_paged.table, va) << PAGE_SHIFT, PAGE_SIZE, covered);
    const mm_space_t *space = mm_space_find(va);
    if (space == NULL || space->ptes[mm_space_index(space, va)] == 0)
        return 0; /* what was mapped there is gone */
    return host_gate_cover_page(&space->gate, mm_space_index(space, va) << PAGE_SHIFT, PAGE_SIZE, covered);
}

static bool is_left_out(uintptr_t va)
{
    for (size_t i = 0; i < left_out.count; i++)
        if ((left_out.address[i] ^ va) < PAGE_SIZE)
            return true;
    return false;
}

static bool leave_out(uintptr_t va)
{
    bool known = is_left_out(va); /* another raised thread was quicker, or something else was mapped there meanwhile */
    if ((!known && left_out.count == LEFT_OUT_MOST) || cover_page(va, false) != 0)
        return false;
    if (!known)
        left_out.address[left_out.count++] = va;
    return true;
}

mm_page_answer_t mm_key_fault_locked(const host_fault_t *fault)
{
    if (!is_locked(fault->address))
        return MM_PAGE_IRQL;
    if (leave_out(fault->address))
        return MM_PAGE_RESOLVED;
    if (!host_key_open_interrupted(fault))
        return MM_PAGE_LOST;
    mm_note_given_back();
    return MM_PAGE_RESOLVED;
}

void mm_key_take_back_locked(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < left_out.count; i++) {
        uintptr_t va = left_out.address[i];
        if (is_locked(va) || cover_page(va, true) != 0)
            left_out.address[kept++] = va;
    }
    left_out.count = kept;
}
