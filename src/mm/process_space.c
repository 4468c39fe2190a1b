/*
 * process_space.c - which process has which space, and user memory as tests ask for it.
 * There are far fewer slices of addresses than processes, so a process gets its own when something is first put there.
 *
 *     process made --- first need ---> space --- ntmm_process_destroy, last thread has left ---> gone, with all that lies in it
 *
 * Pages that a driver still has locked when the process ends stop the machine.
 *
 * Locks       none of its own: ke's lock decides which of two threads made the space.
 * Source      WDK reference: Bug Checks 0x76, 0xCB.
 * Fidelity    threads that are attached when the process ends keep its memory until they leave (choice).
 */
#include "mm/process_space.h"

#include "ke/bugcheck.h"
#include "ke/force_irql.h"
#include "mm/lock_track.h"
#include "mm/paging.h"
#include "mm/space.h"

mm_space_t *mm_process_space(const ke_process_t *process) { return atomic_load(&process->space); }

NTSTATUS mm_process_space_need(ke_process_t *process, mm_space_t **space)
{
    *space = mm_process_space(process);
    if (*space != NULL)
        return STATUS_SUCCESS;
    mm_space_t *made = mm_space_create();
    if (made == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *space = ke_process_set_space(process, made);
    if (*space != made) /* another thread was faster, or the process ends */
        mm_space_destroy(made);
    return *space != NULL ? STATUS_SUCCESS : STATUS_PROCESS_IS_TERMINATING;
}

uint64_t mm_space_prefetch(mm_space_t *space, uintptr_t va, uint64_t bytes)
{
    uint64_t  there = 0;
    uintptr_t at = (va > space->region.base ? va : space->region.base) & ~((uintptr_t)PAGE_SIZE - 1);
    for (; at < va + bytes && mm_in(&space->region, at); at += PAGE_SIZE)
        there += mm_view_is_committed(space, at) && mm_view_make_resident(space, at);
    return there;
}

/* ---- a process ends ---- */

static void ending(ke_process_t *process)
{
    if (!ke_process_use(process))
        return;
    mm_space_t *space = mm_process_space(process);
    uint64_t    locked = 0;
    if (space != NULL) {
        mm_space_unlock_all(space); /* what the process itself had locked */
        locked = mm_space_locked_pages(space);
    }
    ke_process_unuse(process);
    const mm_lock_record_t *record = locked != 0 ? mm_lock_track_of(process) : NULL;
    if (record != NULL)
        ke_bugcheck("ntmm_process_destroy", "A process ended while pages of it are still locked by an MDL.",
                    DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS, (ULONG_PTR)record, 0, (ULONG_PTR)record->mdl, locked);
    if (locked != 0)
        ke_bugcheck("ntmm_process_destroy", "A process ended while some of its pages are still locked.", PROCESS_HAS_LOCKED_PAGES, 0,
                    (ULONG_PTR)process, locked, 0);
}

static void stop(void *space) { mm_space_destroy(space); }

/* ---- forced IRQL checking: user addresses belong to the process in which a thread runs ---- */

/* So that the next touch, from wherever, is seen. */
static void left(ke_process_t *process)
{
    if (NTMM_LIKELY(ke_force_hook == NULL) || mm_process_space(process) == NULL)
        return;
    ke_lock(&mm_paging_lock);
    (void)mm_working_set_empty_locked();
    ke_unlock(&mm_paging_lock);
}

bool mm_touch_is_foreign(const ke_thread_t *thread, uintptr_t va)
{
    if (ke_force_hook == NULL || atomic_load_explicit(&ke_machine_state, memory_order_relaxed) != KE_MACHINE_UP)
        return false;
    const mm_space_t *space = mm_space_find(va);
    return space != NULL && space != mm_process_space(ke_process_current(thread));
}

void mm_process_spaces_register(void) { ke_process_hooks = (ke_process_hooks_t){ .ending = ending, .left = left, .stop = stop }; }

/* ---- the control API ---- */

/* The process of a test, in use; NULL with ke_error set. */
static ke_process_t *enter(ntmm_process *process, const char *routine)
{
    ke_process_t *record = (ke_process_t *)(void *)process;
    if (ke_process_is_at((uintptr_t)process) && ke_process_use(record))
        return record;
    ke_error(0, "%s: this is no process of the machine, or it was destroyed", routine);
    return NULL;
}

static void *allocate(ke_process_t *process, size_t bytes, uint32_t protect)
{
    mm_space_t    *space;
    mm_view_want_t want = { .bytes = ROUND_TO_PAGES(bytes), .protect = protect, .type = MEM_PRIVATE, .commit = true };
    uintptr_t      base = 0;
    if (bytes == 0 || want.bytes < bytes || !mm_protect_is_private(protect)) {
        ke_error(0, "ntmm_user_alloc: %zu bytes with protection 0x%x make no sense", bytes, (unsigned)protect);
        return NULL;
    }
    NTSTATUS status = mm_process_space_need(process, &space);
    if (NT_SUCCESS(status))
        status = mm_view_map(space, &want, &base);
    if (status == STATUS_NO_MEMORY || status == STATUS_COMMITMENT_LIMIT || status == STATUS_PROCESS_IS_TERMINATING)
        ke_error(0, "ntmm_user_alloc: %s",
                 status == STATUS_NO_MEMORY          ? "the process has no such addresses left"
                 : status == STATUS_COMMITMENT_LIMIT ? "RAM and page file have no room for that"
                                                     : "the process has ended");
    return (void *)base;
}

void *ntmm_user_alloc(ntmm_process *process, size_t bytes, uint32_t protect)
{
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    ke_process_t *record = enter(process, __func__);
    void         *address = record != NULL ? allocate(record, bytes, protect) : NULL;
    if (record != NULL)
        ke_process_unuse(record);
    ke_thread_leave(thread);
    return address;
}

static void give_back(ke_process_t *process, uintptr_t va)
{
    mm_space_t    *space = mm_process_space(process);
    mm_view_info_t info;
    if (space == NULL || !mm_view_query(space, va, &info) || info.state == MEM_FREE || info.allocation_base != va)
        ke_error(0, "ntmm_user_free: no memory of this process begins at 0x%llx", (unsigned long long)va);
    else if (!NT_SUCCESS(mm_view_unmap(space, va)))
        ke_error(0, "ntmm_user_free: the memory at 0x%llx is secured by MmSecureVirtualMemory", (unsigned long long)va);
}

void ntmm_user_free(ntmm_process *process, void *address)
{
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    ke_process_t *record = address != NULL ? enter(process, __func__) : NULL;
    if (record != NULL) {
        give_back(record, (uintptr_t)address);
        ke_process_unuse(record);
    }
    ke_thread_leave(thread);
}

/* ---- how much of it there is ---- */

static void count_page(uint64_t pte, ntmm_process_memory *out)
{
    if (pte == 0)
        return;
    if (!mm_view_pte_is_committed(pte)) {
        out->reserved++;
        return;
    }
    out->committed++;
    out->working_set += mm_pte_is_valid(*mm_prototype(pte)) && (pte & MM_VIEW_OPEN) != 0;
    out->locked += mm_slot_is_pinned_locked(mm_view_pte_slot(pte));
}

static void count_pages(mm_space_t *space, ntmm_process_memory *out)
{
    ke_lock(&mm_paging_lock);
    for (uint64_t at = rt_runs_next_used(&space->runs, 0); at < mm_space_pages(space); at = rt_runs_next_used(&space->runs, at + 1))
        count_page(space->ptes[at], out);
    ke_unlock(&mm_paging_lock);
}

void ntmm_query_process_memory(ntmm_process *process, ntmm_process_memory *out)
{
    *out = (ntmm_process_memory){ 0 };
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    ke_process_t *record = enter(process, __func__);
    if (record != NULL) {
        mm_space_t *space = mm_process_space(record);
        if (space != NULL)
            count_pages(space, out);
        ke_process_unuse(record);
    }
    ke_thread_leave(thread);
}
