/*
 * fast_mutex.c - fast mutexes and guarded mutexes: one structure, one count, and an event that only contention needs.
 *
 *     acquire   Count - 1: it was 1 -> mine          else wait for Event: whoever releases has left it to me
 *     release   Count + 1: it was 0 -> free          else set Event, and one waiter goes on as the owner
 *
 * The two kinds differ in how they keep APCs off: a fast mutex raises to APC_LEVEL, a guarded mutex enters a guarded region.
 *
 * Locks       none: Count decides. Owner is the owner's to write.
 * Source      WDK reference: wdm.h, the pages of these routines, "Fast mutexes and guarded mutexes"; Bug Checks 0xBF, 0x11.
 * Fidelity    a second acquire by the owner is found out, and so is a release by another thread (choices). Whether the caller of an Unsafe form
 *             keeps APCs off is not checked.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/probe.h"

static void *owner_of(const FAST_MUTEX *mutex) { return __atomic_load_n(&mutex->Owner, __ATOMIC_RELAXED); }

static void own(PFAST_MUTEX mutex) { __atomic_store_n(&mutex->Owner, (PVOID)ke_self()->kthread, __ATOMIC_RELAXED); }

static void acquire(const char *routine, PFAST_MUTEX mutex)
{
    const ke_thread_t *self = ke_self();
    ke_probe_own(routine, KE_OWN_TAKE, KE_OWN_FAST_MUTEX, mutex);
    if (NTMM_UNLIKELY(owner_of(mutex) == self->kthread))
        ke_bugcheck(routine, "This thread owns the mutex already: it would wait for itself.", MUTEX_ALREADY_OWNED, (ULONG_PTR)mutex,
                    (ULONG_PTR)self->kthread, 0, 0);
    if (NTMM_UNLIKELY(__atomic_fetch_sub(&mutex->Count, 1, __ATOMIC_ACQUIRE) != FM_LOCK_BIT)) {
        __atomic_fetch_add(&mutex->Contention, 1, __ATOMIC_RELAXED);
        (void)KeWaitForSingleObject(&mutex->Event, WrExecutive, KernelMode, FALSE, NULL);
    }
    own(mutex);
}

static bool try_to_acquire(const char *routine, PFAST_MUTEX mutex)
{
    LONG is_free = FM_LOCK_BIT;
    if (!__atomic_compare_exchange_n(&mutex->Count, &is_free, 0, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    own(mutex);
    ke_probe_own(routine, KE_OWN_TRIED, KE_OWN_FAST_MUTEX, mutex);
    return true;
}

static void check_owner(const char *routine, const FAST_MUTEX *mutex, ke_own_step_t step)
{
    const ke_thread_t *self = ke_self();
    ke_probe_own(routine, step, KE_OWN_FAST_MUTEX, mutex);
    if (NTMM_UNLIKELY(owner_of(mutex) != self->kthread))
        ke_bugcheck(routine, "A mutex was released by a thread that does not own it.", THREAD_NOT_MUTEX_OWNER, (ULONG_PTR)mutex,
                    (ULONG_PTR)self->kthread, 0, 0);
}

static void release(PFAST_MUTEX mutex)
{
    __atomic_store_n(&mutex->Owner, NULL, __ATOMIC_RELAXED);
    if (NTMM_UNLIKELY(__atomic_fetch_add(&mutex->Count, 1, __ATOMIC_RELEASE) != 0))
        (void)KeSetEvent(&mutex->Event, IO_NO_INCREMENT, FALSE);
}

/* ---- fast mutexes ---- */

VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KE_REQUIRE_IRQL_FOR(APC_LEVEL, FastMutex, 0);
    ke_raised_t raised = ke_raise(APC_LEVEL, __func__, KE_CALLER());
    if (raised.thread == NULL)
        return;
    acquire(__func__, FastMutex);
    FastMutex->OldIrql = raised.old;
}

BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_raised_t raised = ke_raise(APC_LEVEL, __func__, KE_CALLER());
    if (raised.thread == NULL)
        return FALSE;
    if (try_to_acquire(__func__, FastMutex)) {
        FastMutex->OldIrql = raised.old;
        return TRUE;
    }
    ke_lower(raised.thread, raised.old, __func__, KE_CALLER());
    ke_loop_poll();
    return FALSE;
}

VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex)
{
    ke_probe_lock(__func__, KE_FAST_MUTEX_RELEASE, FastMutex, 0);
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *self = ke_thread_ready(__func__);
    if (self == NULL)
        return;
    check_owner(__func__, FastMutex, FastMutex->OldIrql < APC_LEVEL ? KE_OWN_GIVE_AND_LOWER : KE_OWN_GIVE);
    KIRQL old = (KIRQL)FastMutex->OldIrql;
    release(FastMutex);
    ke_lower(self, old, __func__, KE_CALLER());
}

VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ke_probe_lock(__func__, KE_FAST_MUTEX_ACQUIRE_UNSAFE, FastMutex, 0);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        acquire(__func__, FastMutex);
}

VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex)
{
    ke_probe_lock(__func__, KE_FAST_MUTEX_RELEASE_UNSAFE, FastMutex, 0);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    check_owner(__func__, FastMutex, KE_OWN_GIVE);
    release(FastMutex);
}

/* ---- guarded mutexes ---- */

VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex) { ExInitializeFastMutex(Mutex); }

VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    KeEnterGuardedRegion();
    acquire(__func__, Mutex);
}

BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return FALSE;
    KeEnterGuardedRegion();
    if (try_to_acquire(__func__, Mutex))
        return TRUE;
    KeLeaveGuardedRegion();
    ke_loop_poll();
    return FALSE;
}

VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    check_owner(__func__, Mutex, KE_OWN_GIVE);
    release(Mutex);
    KeLeaveGuardedRegion();
}

VOID KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        acquire(__func__, Mutex);
}

VOID KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    check_owner(__func__, Mutex, KE_OWN_GIVE);
    release(Mutex);
}
