/*
 * mdl_lock.c - which frames the buffer of an MDL lies on, and holding them.
 *
 *                     MmProbeAndLockPages            PAGES_LOCKED, WRITE_OPERATION
 *     header only  ----------------------------->   locked    -- MmUnlockPages --> header only
 *         `---------------------------------->   built            SOURCE_IS_NONPAGED_POOL; never undone
 *                MmBuildMdlForNonPagedPool
 *
 * Both fill the array; IO_SPACE is set when registers or device memory are in it, which nobody needs to hold.
 *
 * Units       pages.
 * Locks       none held here: an MDL belongs to its caller. Pins: lock_pages.c.
 * Source      WDK reference: "Using MDLs" and the pages of the routines; Bug Checks 0x1A, 0x4E, 0x76.
 * Fidelity    what only Driver Verifier finds (locking twice, a kernel stack) is not looked for.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/probe.h"
#include "ke/process.h"
#include "mm/lock_pages.h"
#include "mm/lock_track.h"
#include "mm/machine.h"
#include "mm/mdl.h"
#include "mm/pinned.h"
#include "mm/process_space.h"
#include "mm/pte.h"
#include "mm/user_range.h"

/* ---- nonpaged memory ---- */

/* The debugger's address of the PTE: an entry of ours, or the page itself where there is no table. */
static ULONG_PTR pte_address(uintptr_t va)
{
    const mm_page_table_t *table = mm_in(&mm_paged_region, va)        ? &mm_paged_table
                                   : mm_in(&mm_system_pte_region, va) ? &mm_system_table
                                                                      : NULL;
    return table != NULL ? (ULONG_PTR)&table->ptes[mm_table_index(table, va)] : va;
}

VOID MmBuildMdlForNonPagedPool(PMDLX MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    bool io_space = false;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    ke_probe_mdl(__func__, KE_MDL_BUILD, mdl);
    size_t pages = mm_mdl_pages(mdl), found = mm_find_pages((uintptr_t)mdl->StartVa, pages, MmGetMdlPfnArray(mdl), &io_space);
    if (found < pages)
        ke_bugcheck(__func__,
                    "An MDL was built for nonpaged pool, but a page of its buffer is not there: pageable memory has to be locked.",
                    MEMORY_MANAGEMENT, 0x1240, (ULONG_PTR)mdl, pte_address((uintptr_t)mdl->StartVa + (found << PAGE_SHIFT)), 0);
    mdl->Process = NULL;
    mdl->MappedSystemVa = (PVOID)mm_mdl_address(mdl);
    mm_mdl_set(mdl, MDL_SOURCE_IS_NONPAGED_POOL | (io_space ? MDL_IO_SPACE : 0u));
}

/* ---- lock ---- */

/* UserMode trusts addresses of user space only; and one of another process than that in which the thread runs is nobody's here. */
static bool may_be_probed(const ke_thread_t *thread, KPROCESSOR_MODE mode, uintptr_t va, size_t bytes)
{
    bool user = va < mm_user_probe_address && mm_is_user_range(va, 1);
    return user ? mm_user_range_is_ours(thread, va, bytes) : mode == KernelMode;
}

static void describe_locked(const ke_thread_t *thread, MDL *mdl, const mm_lock_t *lock)
{
    bool user = mm_space_find(mm_mdl_address(mdl)) != NULL && mm_is_user_range(mm_mdl_address(mdl), 1);
    mdl->Process = user ? (struct _EPROCESS *)(void *)ke_process_current(thread) : NULL;
    mm_mdl_clear(mdl, MDL_WRITE_OPERATION | MDL_IO_SPACE);
    mm_mdl_set(mdl, MDL_PAGES_LOCKED | (lock->write ? MDL_WRITE_OPERATION : 0u) | (lock->io_space ? MDL_IO_SPACE : 0u));
    mm_lock_track_add(mdl);
}

/* A tracked MDL whose pages are locked already: locking it again would lose count of them. */
static _Noreturn NTMM_COLD void locked_twice(const char *routine, const MDL *mdl, const mm_lock_record_t *record)
{
    ke_bugcheck(routine, "The MDL's pages are locked already.", LOCKED_PAGES_TRACKER_CORRUPTION, record->process != NULL ? 0x1 : 0x2,
                (ULONG_PTR)record, (ULONG_PTR)mdl, mm_mdl_pages(mdl));
}

static void must_not_be_locked(const char *routine, const MDL *mdl)
{
    const mm_lock_record_t *record = mm_lock_track_find(mdl);
    if (NTMM_UNLIKELY(record != NULL) && ke_thread_ready(routine) != NULL)
        locked_twice(routine, mdl, record);
}

static mm_lock_t lock_for(const ke_thread_t *thread, LOCK_OPERATION operation)
{
    return (mm_lock_t){ .write = operation != IoReadAccess, .low_irql = thread->irql < DISPATCH_LEVEL };
}

/* Whoever could not lock goes on here: an exception, or what a page fault is at this IRQL. */
static void answer(const char *routine, NTSTATUS status, const mm_lock_t *lock, ULONG_PTR caller)
{
    if (lock->pageable)
        ke_bugcheck(routine, "Pageable memory was to be locked at DISPATCH_LEVEL, where nobody can bring it in.", IRQL_NOT_LESS_OR_EQUAL,
                    lock->failed_at, ke_self()->irql, lock->write, caller);
    if (!NT_SUCCESS(status))
        ke_raise_status(routine, status, caller);
}

static NTSTATUS lock_buffer(const ke_thread_t *thread, MDL *mdl, KPROCESSOR_MODE mode, mm_lock_t *lock)
{
    if (!may_be_probed(thread, mode, mm_mdl_address(mdl), mdl->ByteCount))
        return STATUS_ACCESS_VIOLATION;
    if (ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = mm_lock_pages(lock, (uintptr_t)mdl->StartVa, mm_mdl_pages(mdl), MmGetMdlPfnArray(mdl));
    if (NT_SUCCESS(status))
        describe_locked(thread, mdl, lock);
    return status;
}

VOID MmProbeAndLockPages(PMDLX MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    KE_REQUIRE_IRQL_FOR(DISPATCH_LEVEL, MemoryDescriptorList, AccessMode);
    ke_probe_mdl(__func__, KE_MDL_LOCK, MemoryDescriptorList);
    must_not_be_locked(__func__, MemoryDescriptorList);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    mm_lock_t lock = lock_for(thread, Operation);
    NTSTATUS  status = lock_buffer(thread, MemoryDescriptorList, AccessMode, &lock);
    ke_thread_leave(thread);
    answer(__func__, status, &lock, (ULONG_PTR)__builtin_return_address(0));
}

/* For the I/O system, which answers with a status. */
NTSTATUS mm_mdl_probe_and_lock(const char *routine, PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation)
{
    ke_probe_mdl(routine, KE_MDL_LOCK, mdl);
    must_not_be_locked(routine, mdl);
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    mm_lock_t lock = lock_for(thread, operation);
    NTSTATUS  status = lock_buffer(thread, mdl, mode, &lock);
    ke_thread_leave(thread);
    if (lock.pageable)
        answer(routine, status, &lock, (ULONG_PTR)__builtin_return_address(0));
    return status;
}

static NTSTATUS lock_in_process(ke_thread_t *thread, ke_process_t *process, MDL *mdl, KPROCESSOR_MODE mode, mm_lock_t *lock)
{
    ke_process_t *before = thread->process;
    if (!ke_process_is_at((uintptr_t)process) || !ke_process_use(process))
        return STATUS_PROCESS_IS_TERMINATING;
    thread->process = process == ke_process_system() ? NULL : process;
    NTSTATUS status = lock_buffer(thread, mdl, mode, lock);
    thread->process = before;
    ke_process_unuse(process);
    return status;
}

VOID MmProbeAndLockProcessPages(PMDL MemoryDescriptorList, PEPROCESS Process, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation)
{
    KE_REQUIRE_IRQL_FOR(DISPATCH_LEVEL, MemoryDescriptorList, Process);
    ke_probe_mdl(__func__, KE_MDL_LOCK_PROCESS, MemoryDescriptorList);
    must_not_be_locked(__func__, MemoryDescriptorList);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    mm_lock_t lock = lock_for(thread, Operation);
    NTSTATUS  status = lock_in_process(thread, (ke_process_t *)(void *)Process, MemoryDescriptorList, AccessMode, &lock);
    ke_thread_leave(thread);
    answer(__func__, status, &lock, (ULONG_PTR)__builtin_return_address(0));
}

static NTSTATUS lock_segments(const ke_thread_t *thread, MDL *mdl, const FILE_SEGMENT_ELEMENT *segments, KPROCESSOR_MODE mode,
                              mm_lock_t *lock)
{
    PFN_NUMBER *pfns = MmGetMdlPfnArray(mdl);
    size_t      pages = mm_mdl_pages(mdl), locked = 0;
    NTSTATUS    status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS;
    for (; locked < pages && NT_SUCCESS(status); locked += NT_SUCCESS(status)) {
        uintptr_t va = (uintptr_t)segments[locked].Buffer & ~((uintptr_t)PAGE_SIZE - 1);
        status = may_be_probed(thread, mode, va, PAGE_SIZE) ? mm_lock_pages(lock, va, 1, &pfns[locked]) : STATUS_ACCESS_VIOLATION;
    }
    if (NT_SUCCESS(status))
        describe_locked(thread, mdl, lock);
    else
        mm_unlock_pages(pfns, locked, lock->io_space);
    return status;
}

VOID MmProbeAndLockSelectedPages(PMDLX MemoryDescriptorList, PFILE_SEGMENT_ELEMENT SegmentArray, KPROCESSOR_MODE AccessMode,
                                 LOCK_OPERATION Operation)
{
    KE_REQUIRE_IRQL_FOR(APC_LEVEL, MemoryDescriptorList, PsGetCurrentProcess());
    ke_probe_mdl(__func__, KE_MDL_LOCK, MemoryDescriptorList);
    must_not_be_locked(__func__, MemoryDescriptorList);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    mm_lock_t lock = lock_for(thread, Operation);
    NTSTATUS  status = lock_segments(thread, MemoryDescriptorList, SegmentArray, AccessMode, &lock);
    ke_thread_leave(thread);
    answer(__func__, status, &lock, (ULONG_PTR)__builtin_return_address(0));
}

/* ---- unlock ---- */

/* Pages of the process that are locked now. */
static ULONG_PTR locked_now(const void *process)
{
    const ke_process_t *record = process;
    mm_space_t         *space = ke_process_is_at((uintptr_t)process) ? mm_process_space(record) : NULL;
    return space != NULL ? mm_space_locked_pages(space) : 0;
}

static _Noreturn NTMM_COLD void not_locked(const char *routine, MDL *mdl, size_t index)
{
    mm_pfn_number_t pfn = MmGetMdlPfnArray(mdl)[index];
    uint32_t        pins = pfn <= mm_highest_pfn ? mm_pins_of(pfn) : 0;
    if (mdl->Process != NULL)
        ke_bugcheck(routine, "Pages of a process were unlocked that are not locked.", PROCESS_HAS_LOCKED_PAGES, 0x1, (ULONG_PTR)mdl,
                    locked_now(mdl->Process), 0);
    ke_bugcheck(routine, "Pages were unlocked more often than they were locked.", PFN_LIST_CORRUPT, 0x7, (ULONG_PTR)pfn, pins, 0);
}

VOID MmUnlockPages(PMDLX MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    KE_REQUIRE_IRQL_FOR(DISPATCH_LEVEL, mdl, 0);
    ke_probe_mdl(__func__, KE_MDL_UNLOCK, mdl);
    mm_mdl_stays_for_users(__func__, mdl);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    size_t pages = mm_mdl_pages(mdl), unlocked = 0;
    bool   is_locked = mm_mdl_has(mdl, MDL_PAGES_LOCKED);
    if (is_locked) {
        mm_mdl_unmap(mdl);
        mm_mdl_clear(mdl, MDL_PAGES_LOCKED);
        mm_lock_track_remove(mdl);
        unlocked = mm_unlock_pages(MmGetMdlPfnArray(mdl), pages, mm_mdl_has(mdl, MDL_IO_SPACE));
    }
    ke_thread_leave(thread);
    if (!is_locked || unlocked < pages)
        not_locked(__func__, mdl, unlocked);
}
