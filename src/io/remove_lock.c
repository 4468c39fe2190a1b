/*
 * remove_lock.c - remove locks: a count of holders, and an event for whoever removes the device.
 *
 *     IoCount   1 + holders  --IoReleaseRemoveLockAndWait: its own, and the one of the device--> holders --0--> RemoveEvent
 *
 * The long form, of drivers compiled with DBG, has a list of who holds it, in pool with the driver's tag: one that is never released is found in
 * the leak report, too.
 *
 * Locks       Dbg.Spin for the list; the count is atomic.
 * Source      WDK reference: wdm.h, "Using Remove Locks", IoInitializeRemoveLock and its companions.
 * Fidelity    the times that locks are held for are not watched. A holder for whom there is no memory is not remembered (LowMemoryCount).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"

#define SIGNATURE 0x4B4C4D52 /* "RMLK" */

typedef struct long_lock { /* IO_REMOVE_LOCK, as those drivers have it */
    IO_REMOVE_LOCK_COMMON_BLOCK common;
    IO_REMOVE_LOCK_DBG_BLOCK    dbg;
} long_lock_t;

typedef struct _IO_REMOVE_LOCK_TRACKING_BLOCK {
    PIO_REMOVE_LOCK_TRACKING_BLOCK next;
    PVOID                          tag;
    PCSTR                          file;
    ULONG                          line;
} holder_t;

static IO_REMOVE_LOCK_DBG_BLOCK *dbg_of(PIO_REMOVE_LOCK lock, ULONG bytes)
{
    return bytes >= sizeof(long_lock_t) ? &((long_lock_t *)(void *)lock)->dbg : NULL;
}

/* ---- who holds it ---- */

static void remember(IO_REMOVE_LOCK_DBG_BLOCK *dbg, PVOID tag, PCSTR file, ULONG line, LONG holders)
{
    KIRQL     old;
    holder_t *holder = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *holder, (ULONG)dbg->AllocateTag);
    if (dbg->HighWatermark != 0 && (ULONG)holders > dbg->HighWatermark)
        RtlAssert((PVOID)(uintptr_t) "the remove lock has no more holders than HighWatermark says", (PVOID)(uintptr_t)file, line, NULL);
    if (holder == NULL) {
        InterlockedIncrement(&dbg->LowMemoryCount);
        return;
    }
    KeAcquireSpinLock(&dbg->Spin, &old);
    *holder = (holder_t){ .next = dbg->Blocks, .tag = tag, .file = file, .line = line };
    dbg->Blocks = holder;
    KeReleaseSpinLock(&dbg->Spin, old);
}

static holder_t *take(IO_REMOVE_LOCK_DBG_BLOCK *dbg, PVOID tag)
{
    KIRQL old;
    KeAcquireSpinLock(&dbg->Spin, &old);
    holder_t **link = &dbg->Blocks;
    while (*link != NULL && (*link)->tag != tag)
        link = &(*link)->next;
    holder_t *found = *link;
    if (found != NULL)
        *link = found->next;
    KeReleaseSpinLock(&dbg->Spin, old);
    return found;
}

static void forget(IO_REMOVE_LOCK_DBG_BLOCK *dbg, PVOID tag)
{
    holder_t *holder = take(dbg, tag);
    if (holder != NULL)
        ExFreePoolWithTag(holder, (ULONG)dbg->AllocateTag);
    else if (dbg->LowMemoryCount == 0 || InterlockedDecrement(&dbg->LowMemoryCount) < 0)
        RtlAssert((PVOID)(uintptr_t) "a remove lock is released with the Tag that it was acquired with", (PVOID)(uintptr_t)__FILE__,
                  __LINE__, NULL);
}

static void tell_holders(IO_REMOVE_LOCK_DBG_BLOCK *dbg)
{
    KIRQL old;
    KeAcquireSpinLock(&dbg->Spin, &old); /* they may let go meanwhile */
    for (const holder_t *holder = dbg->Blocks; holder != NULL; holder = holder->next)
        DbgPrint("IoReleaseRemoveLockAndWait waits for a holder with Tag %p, acquired at %s:%u\n", holder->tag, holder->file, holder->line);
    KeReleaseSpinLock(&dbg->Spin, old);
}

/* ---- the count ---- */

static void count_down(const char *routine, PIO_REMOVE_LOCK lock, ULONG_PTR caller)
{
    LONG left = InterlockedDecrement(&lock->Common.IoCount);
    if (left < 0 || (left == 0 && !lock->Common.Removed))
        ke_fast_fail(routine, "A remove lock is released more often than it was acquired.", FAST_FAIL_INVALID_REFERENCE_COUNT, caller);
    if (left == 0)
        (void)KeSetEvent(&lock->Common.RemoveEvent, IO_NO_INCREMENT, FALSE);
}

VOID IoInitializeRemoveLockEx(PIO_REMOVE_LOCK Lock, ULONG AllocateTag, ULONG MaxLockedMinutes, ULONG HighWatermark, ULONG RemlockSize)
{
    (void)MaxLockedMinutes;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    IO_REMOVE_LOCK_DBG_BLOCK *dbg = dbg_of(Lock, RemlockSize);
    Lock->Common.Removed = FALSE;
    Lock->Common.IoCount = 1;
    KeInitializeEvent(&Lock->Common.RemoveEvent, SynchronizationEvent, FALSE);
    if (dbg == NULL)
        return;
    *dbg = (IO_REMOVE_LOCK_DBG_BLOCK){ .Signature = SIGNATURE, .HighWatermark = HighWatermark, .AllocateTag = (LONG)AllocateTag };
    InitializeListHead(&dbg->LockList);
}

NTSTATUS IoAcquireRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, PCSTR File, ULONG Line, ULONG RemlockSize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    LONG holders = InterlockedIncrement(&RemoveLock->Common.IoCount) - 1;
    if (__atomic_load_n(&RemoveLock->Common.Removed, __ATOMIC_ACQUIRE)) {
        count_down(__func__, RemoveLock, KE_CALLER());
        return STATUS_DELETE_PENDING;
    }
    IO_REMOVE_LOCK_DBG_BLOCK *dbg = dbg_of(RemoveLock, RemlockSize);
    if (dbg != NULL)
        remember(dbg, Tag, File, Line, holders);
    return STATUS_SUCCESS;
}

VOID IoReleaseRemoveLockEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    IO_REMOVE_LOCK_DBG_BLOCK *dbg = dbg_of(RemoveLock, RemlockSize);
    if (dbg != NULL)
        forget(dbg, Tag);
    count_down(__func__, RemoveLock, KE_CALLER());
}

VOID IoReleaseRemoveLockAndWaitEx(PIO_REMOVE_LOCK RemoveLock, PVOID Tag, ULONG RemlockSize)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    IO_REMOVE_LOCK_DBG_BLOCK *dbg = dbg_of(RemoveLock, RemlockSize);
    if (dbg != NULL)
        forget(dbg, Tag);
    __atomic_store_n(&RemoveLock->Common.Removed, (BOOLEAN)TRUE, __ATOMIC_RELEASE);
    count_down(__func__, RemoveLock, KE_CALLER());
    if (InterlockedDecrement(&RemoveLock->Common.IoCount) <= 0)
        return;
    if (dbg != NULL)
        tell_holders(dbg);
    (void)KeWaitForSingleObject(&RemoveLock->Common.RemoveEvent, Executive, KernelMode, FALSE, NULL);
}
