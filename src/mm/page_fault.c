/*
 * page_fault.c - a pageable page was touched and the gate was closed, or the page may not be written yet.
 *
 *     the page is                what happens                                           counted as
 *     nobody's                   not ours: a rule was broken (fault.c)
 *     valid, write, clean        its copy in the page file is given up                  (the processor of x64 does this without a fault)
 *     valid, else                another thread was quicker, or the host closed it
 *     transition                 rescued from the standby or modified list              soft
 *     demand zero                a frame, zeros                                         demand_zero
 *     page file                  a frame, read; up to MM_READ_AHEAD pages at once       hard
 *
 * At DISPATCH_LEVEL and above only what is valid is mended: the rest is the driver's mistake. With forced IRQL checking by protection keys only what
 * is locked is (protection_keys.c).
 *
 * Pages that follow come along, so that who walks through memory faults once for several: in the page file, those that lie in a row there, while
 * frames are free or when the reader goes upwards; demand-zero pages when they are touched in a row, twice as many each time, while frames
 * are free.
 *
 * Runs in the signal handler: async-signal-safe, takes mm's locks alone, on any thread. Whoever is interrupted may hold an upper layer's lock,
 * or a leaf lock: who holds one of mm's never comes to wait for that, so there is no circle.
 *
 * Locks       mm_paging_lock for all of a fault, the host's reading and writing included (choice: one fault at a time).
 */
#include "mm/driver_pages.h"
#include "mm/paging.h"
#include "mm/space.h"

#include <errno.h>
#include <string.h>

#include "host/protection_key.h"
#include "ke/bugcheck.h"
#include "ke/force_irql.h"

#define LOST_AFTER 1000u /* faults in a row on a page that is open */
#define HALTED_PATIENCE_NS 1000000u
#define HALTED_TRIES 500u

ke_lock_t mm_paging_lock = KE_LOCK_INIT(KE_RANK_MM_POOL_VA);

static struct { /* under mm_paging_lock */
    uint64_t soft, hard, demand_zero, copy_on_write;
    size_t   zero_next, zero_count; /* where a walk through demand-zero pages goes on, and how many pages came last */
    size_t   read_next;             /* the page behind the last one that was read */
} now;

static HOST_THREAD_LOCAL bool     forgiven;
static HOST_THREAD_LOCAL uint32_t forgiven_depth;
static HOST_THREAD_LOCAL struct {
    uintptr_t address;
    uint32_t  count;
} open_already;

void mm_faults_forgive(bool on)
{
    forgiven_depth = on ? forgiven_depth + 1 : forgiven_depth - 1;
    forgiven = forgiven_depth != 0;
    if (forgiven)
        host_key_open();
    else if (ke_self()->irql >= DISPATCH_LEVEL)
        host_key_close();
}

bool mm_may_touch_pageable(void) { return ke_self()->irql < DISPATCH_LEVEL || forgiven; }

void mm_faults_boot(void)
{
    memset(&now, 0, sizeof now);
    now.zero_next = now.read_next = SIZE_MAX;
    mm_modified_error = STATUS_SUCCESS;
    ke_lock_init(&mm_paging_lock, KE_RANK_MM_POOL_VA);
}

void mm_query_page_faults(ntmm_fault_counts *out)
{
    out->soft = __atomic_load_n(&now.soft, __ATOMIC_RELAXED);
    out->hard = __atomic_load_n(&now.hard, __ATOMIC_RELAXED);
    out->demand_zero = __atomic_load_n(&now.demand_zero, __ATOMIC_RELAXED);
    out->copy_on_write = __atomic_load_n(&now.copy_on_write, __ATOMIC_RELAXED);
}

static void count(uint64_t *counter) { __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); }

void mm_count_fault(bool hard) { count(hard ? &now.hard : &now.soft); }
void mm_count_copy_locked(void) { count(&now.copy_on_write); }

/* ---- what a page needs ---- */

/* The gate may not have more host mappings: closed pages have none of their own. */
static bool made_room_at_gate(int status) { return status == -ENFILE && mm_working_set_trim_locked(mm_working_set.count / 4 + 1) != 0; }

static void put_frames(const mm_pfn_number_t *frames, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        mm_frame_put(frames[i]);
}

/* At least one frame; further ones if they are free, or if even others may go for them. */
static size_t get_frames(mm_pfn_number_t *frames, size_t most, bool reclaim_for_all)
{
    size_t got = 0;
    while (got < most && (frames[got] = mm_frame_for_page_locked(MM_ANY_NODE, got == 0 || reclaim_for_all)) != MM_PFN_NONE)
        got++;
    return got;
}

static mm_page_answer_t rescue(mm_pageable_t *region, size_t index, bool write)
{
    int status = mm_page_rescue_locked(region, index, write);
    while (made_room_at_gate(status))
        status = mm_page_rescue_locked(region, index, write);
    if (status < 0)
        return MM_PAGE_NO_FRAME;
    count(&now.soft);
    return MM_PAGE_RESOLVED;
}

static mm_page_answer_t make_dirty(mm_pageable_t *region, size_t index)
{
    int status = mm_page_write_locked(region, index);
    while (made_room_at_gate(status)) {
        if (!mm_pte_is_valid(region->table->ptes[index]))
            return MM_PAGE_RESOLVED; /* it went, too: the next fault rescues it */
        status = mm_page_write_locked(region, index);
    }
    return status < 0 ? MM_PAGE_NO_FRAME : MM_PAGE_RESOLVED;
}

/* The page behind another one comes along only where the same touch could have meant it. */
static bool follows(const mm_pageable_t *region, size_t index)
{
    return index < mm_table_pages(region->table) && (mm_has_gate(region) || mm_shared_follows_locked(index));
}

static bool is_zero_like(const mm_pageable_t *region, size_t index, uint64_t pte)
{
    return follows(region, index) && region->table->ptes[index] == pte;
}

static size_t zeros_in_a_row(const mm_pageable_t *region, size_t index, size_t most)
{
    size_t   length = 1;
    uint64_t pte = region->table->ptes[index];
    while (length < most && is_zero_like(region, index + length, pte))
        length++;
    return length;
}

static mm_page_answer_t make_zero(mm_pageable_t *region, size_t index)
{
    mm_pfn_number_t frames[MM_ZERO_AHEAD];
    size_t          wanted = index == now.zero_next ? 2 * now.zero_count : 1;
    wanted = wanted < MM_ZERO_AHEAD ? wanted : MM_ZERO_AHEAD;
    size_t got = get_frames(frames, zeros_in_a_row(region, index, wanted), false);
    if (got == 0)
        return MM_PAGE_NO_FRAME;
    size_t made = zeros_in_a_row(region, index, got); /* making room may have discarded stale slots of some of them */
    put_frames(frames, made, got);
    int status = mm_page_make_locked(region, index, made, frames, true, 0);
    while (made_room_at_gate(status))
        status = mm_page_make_locked(region, index, made, frames, true, 0);
    if (status < 0) {
        put_frames(frames, 0, made);
        return MM_PAGE_NO_FRAME;
    }
    now.zero_next = index + made;
    now.zero_count = made;
    count(&now.demand_zero);
    return MM_PAGE_RESOLVED;
}

static size_t reads_in_a_row(const mm_pageable_t *region, size_t index, size_t most)
{
    size_t   length = 1;
    uint64_t pte = region->table->ptes[index], one_more = (uint64_t)1 << MM_PTE_FILE_SHIFT;
    if (mm_pte_file_slot(pte) == MM_IN_SEGMENT_FILE)
        one_more = 0;
    while (length < most && follows(region, index + length) && region->table->ptes[index + length] == pte + length * one_more)
        length++;
    return length;
}

static mm_page_answer_t read_in(mm_pageable_t *region, size_t index, bool write)
{
    mm_pfn_number_t frames[MM_READ_AHEAD];
    size_t          got = get_frames(frames, reads_in_a_row(region, index, MM_READ_AHEAD), index == now.read_next);
    if (got == 0)
        return MM_PAGE_NO_FRAME;
    size_t wanted = reads_in_a_row(region, index, got);
    int    made = mm_page_read_locked(region, index, wanted, frames, write);
    while (made_room_at_gate(made))
        made = mm_page_read_locked(region, index, wanted, frames, write);
    put_frames(frames, made > 0 ? (size_t)made : 0, got);
    if (made <= 0)
        return MM_PAGE_IO_ERROR;
    now.read_next = index + (size_t)made;
    count(&now.hard);
    return MM_PAGE_RESOLVED;
}

bool mm_page_is_lost(uintptr_t address)
{
    open_already.count = open_already.address == address ? open_already.count + 1 : 0;
    open_already.address = address;
    return open_already.count >= LOST_AFTER;
}

/* The page is valid, and nothing about it explains the fault. */
static mm_page_answer_t open_again(mm_pageable_t *region, size_t index, uintptr_t address)
{
    bool dirty = (region->table->ptes[index] & MM_PTE_DIRTY) != 0;
    int  status = host_gate_open(&region->gate, index << PAGE_SHIFT, PAGE_SIZE, dirty);
    if (status != 1)
        return status < 0 ? MM_PAGE_LOST : MM_PAGE_RESOLVED;
    return mm_page_is_lost(address) ? MM_PAGE_LOST : MM_PAGE_RESOLVED;
}

static mm_page_answer_t bring_nearer(mm_pageable_t *region, size_t index, uint64_t pte, bool write)
{
    if (!mm_pte_is_taken(pte))
        return MM_PAGE_ABSENT;
    if (mm_pte_is_valid(pte))
        return make_dirty(region, index);
    if (mm_pte_is_transition(pte))
        return rescue(region, index, write);
    bool is_somewhere = mm_is_page_file_slot(mm_pte_file_slot(pte)) || mm_pte_file_slot(pte) == MM_IN_SEGMENT_FILE;
    return is_somewhere ? read_in(region, index, write) : make_zero(region, index);
}

static bool is_there(uint64_t pte, bool write) { return mm_pte_is_valid(pte) && (!write || (pte & MM_PTE_DIRTY) != 0); }

mm_page_answer_t mm_page_bring_locked(mm_pageable_t *region, size_t index, bool write)
{
    mm_page_answer_t answer = MM_PAGE_RESOLVED;
    for (uint64_t pte; answer == MM_PAGE_RESOLVED && !is_there(pte = region->table->ptes[index], write);)
        answer = bring_nearer(region, index, pte, write);
    return answer;
}

static mm_page_answer_t resolve_locked(mm_pageable_t *region, size_t index, const host_fault_t *fault, bool irql_is_low)
{
    uint64_t pte = region->table->ptes[index];
    if (!mm_pte_is_taken(pte))
        return MM_PAGE_ABSENT;
    if (fault->by_key)
        return mm_key_fault_locked(fault);
    if (mm_pte_is_valid(pte) && fault->execute)
        return MM_PAGE_REFUSED;
    if (mm_pte_is_valid(pte) && !(fault->write && (pte & MM_PTE_DIRTY) == 0))
        return open_again(region, index, fault->address);
    if (!mm_pte_is_valid(pte) && !irql_is_low)
        return MM_PAGE_IRQL;
    return mm_page_bring_locked(region, index, fault->write);
}

/* ---- from the handler ---- */

/* On a halted machine somebody may have been stopped with the lock in his hand: after some time it is his no longer. */
static bool lock_on_halted_machine(void)
{
    for (unsigned i = 0; i < HALTED_TRIES; i++) {
        if (ke_lock_try(&mm_paging_lock))
            return true;
        host_sleep_ns(HALTED_PATIENCE_NS);
    }
    return false;
}

/* Debug: the ranks of whoever was interrupted say nothing here, except that he holds none of ours. */
static uint32_t put_ranks_aside(ke_thread_t *self)
{
    const uint32_t ours = 1u << KE_RANK_MM_POOL_VA | 1u << KE_RANK_MM_SYSTEM_PTE | 1u << KE_RANK_MM_PFN;
    uint32_t       held = self->ranks_held;
    NTMM_INVARIANT((held & ours) == 0, "who holds a lock of mm touches no pageable memory");
    if (self != &ke_empty_thread)
        self->ranks_held = 0;
    return held;
}

static bool is_halted(void) { return atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED; }

bool mm_fault_irql_is_low(const ke_thread_t *thread) { return thread->irql < DISPATCH_LEVEL || is_halted() || forgiven; }

mm_fault_entry_t mm_fault_enter(const ke_thread_t *thread)
{
    mm_fault_entry_t entry = { .self = ke_self(), .locked = true, .irql_is_low = mm_fault_irql_is_low(thread) };
    entry.ranks = put_ranks_aside(entry.self);
    if (is_halted())
        entry.locked = lock_on_halted_machine();
    else
        ke_lock(&mm_paging_lock);
    return entry;
}

void mm_fault_leave(const mm_fault_entry_t *entry, const host_fault_t *fault, mm_page_answer_t answer)
{
    if (answer == MM_PAGE_RESOLVED && atomic_load_explicit(&ke_threads_raised, memory_order_relaxed) != 0 && !mm_key_covers(fault->address))
        mm_note_given_back();
    if (entry->locked)
        ke_unlock(&mm_paging_lock);
    if (entry->self != &ke_empty_thread)
        entry->self->ranks_held = entry->ranks;
}

mm_page_answer_t mm_page_fault(ke_thread_t *thread, const host_fault_t *fault)
{
    mm_pageable_t   *region = mm_pageable_of(fault->address);
    mm_fault_entry_t entry = mm_fault_enter(thread);
    mm_page_answer_t answer = region != NULL
                                  ? resolve_locked(region, mm_table_index(region->table, fault->address), fault, entry.irql_is_low)
                                  : mm_driver_fault_locked(fault, entry.irql_is_low);
    mm_fault_leave(&entry, fault, answer);
    return answer;
}

/* ---- from ordinary code ---- */

bool mm_make_resident(const void *va)
{
    mm_space_t *space = mm_space_find((uintptr_t)va);
    if (space != NULL)
        return mm_view_make_resident(space, (uintptr_t)va);
    ke_lock(&mm_paging_lock);
    bool there = mm_in(&mm_paged_region, (uintptr_t)va)
                     ? mm_page_bring_locked(&mm_paged, mm_table_index(mm_paged.table, (uintptr_t)va), false) == MM_PAGE_RESOLVED
                     : mm_driver_bring_locked((uintptr_t)va);
    ke_unlock(&mm_paging_lock);
    return there;
}
