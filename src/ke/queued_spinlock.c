/*
 * queued_spinlock.c - spin locks taken in turn: in-stack queued locks, and the numbered ones of the system.
 * The lock word names its owner (spinlock.h), as an ordinary lock does, so that a thread that comes twice is told at once. Those who wait
 * stand in a line outside of the lock: records chained in a bucket that the lock's address selects, oldest first.
 *
 *     bucket --> record B (lock 1) --> record C (lock 2) --> record D (lock 1)       A holds lock 1 | QUEUED | WAITERS
 *
 * A release without WAITERS is one compare and exchange. With it, the lock goes straight to the first in line, so nobody overtakes: B, then
 * D. Records and not the drivers' handles are chained: a handle lies on a stack that is gone once its thread has unwound from a halted
 * machine.
 *
 * An ordinary acquire of the same lock is forbidden by the reference. Here it works, out of turn: the word has no QUEUED bit then, nobody
 * hands it on, and the first in line takes it when it falls free.
 *
 * Locks       one per bucket (leaf), held for a few instructions.
 * Source      WDK reference: "Queued spin locks", wdm.h, KeAcquireInStackQueuedSpinLock; ntifs.h, KeAcquireQueuedSpinLock.
 * Fidelity    KSPIN_LOCK_QUEUE.Next stays NULL: the line is not threaded through the handles.
 */
#include <errno.h>
#include <stdio.h>

#include "ke/bugcheck.h"
#include "ke/probe.h"
#include "ke/spinlock.h"

#define BUCKETS 64u
#define TURNS_BEFORE_SLEEP 400u
#define SLEEP_NS 1000000u /* how late a sleeper notices an ordinary release, or that the machine has halted */

typedef struct bucket {
    ke_lock_t    lock;
    ke_thread_t *first, *last; /* by wait_next */
} bucket_t;

static bucket_t   buckets[BUCKETS];
static KSPIN_LOCK numbered[LockQueueMaximumLock];

void ke_queued_locks_boot(void)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        ke_lock_init(&buckets[i].lock, KE_RANK_LEAF);
        buckets[i].first = buckets[i].last = NULL;
    }
    for (uint32_t i = 0; i < LockQueueMaximumLock; i++)
        KeInitializeSpinLock(&numbered[i]);
}

static bucket_t *bucket_of(const KSPIN_LOCK *lock) { return &buckets[((uintptr_t)lock >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 58]; }

/* ---- the line, under the bucket's lock ---- */

static void line_up_locked(bucket_t *bucket, ke_thread_t *thread)
{
    thread->wait_next = NULL;
    if (bucket->first == NULL)
        bucket->first = thread;
    else
        bucket->last->wait_next = thread;
    bucket->last = thread;
}

static void step_out_locked(bucket_t *bucket, ke_thread_t *thread)
{
    ke_thread_t *before = NULL;

    for (ke_thread_t *t = bucket->first; t != thread; t = t->wait_next)
        before = t;
    if (before == NULL)
        bucket->first = thread->wait_next;
    else
        before->wait_next = thread->wait_next;
    if (bucket->last == thread)
        bucket->last = before;
    thread->wait_next = NULL;
}

static ke_thread_t *first_in_line_locked(const bucket_t *bucket, const KSPIN_LOCK *lock, const ke_thread_t *after)
{
    for (ke_thread_t *t = after != NULL ? after->wait_next : bucket->first; t != NULL; t = t->wait_next)
        if (t->wait_lock == lock)
            return t;
    return NULL;
}

static KSPIN_LOCK word_for_locked(const bucket_t *bucket, const KSPIN_LOCK *lock, const ke_thread_t *thread)
{
    unsigned waiters = first_in_line_locked(bucket, lock, thread) != NULL ? KE_SPIN_WAITERS : 0;
    return ke_spin_word(thread, KE_SPIN_HELD | KE_SPIN_QUEUED | waiters);
}

/* The head of the line takes a free lock; a queued owner is told that there is a line. true: thread has the lock and has left the line. */
static bool try_in_line_locked(bucket_t *bucket, PKSPIN_LOCK lock, ke_thread_t *thread)
{
    KSPIN_LOCK word = __atomic_load_n(lock, __ATOMIC_RELAXED);

    while (word == 0 || (word & (KE_SPIN_QUEUED | KE_SPIN_WAITERS)) == KE_SPIN_QUEUED) {
        if (word == 0 && first_in_line_locked(bucket, lock, NULL) != thread)
            return false;
        KSPIN_LOCK next = word == 0 ? word_for_locked(bucket, lock, thread) : word | KE_SPIN_WAITERS;
        if (!__atomic_compare_exchange_n(lock, &word, next, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            continue;
        if (word != 0)
            return false;
        step_out_locked(bucket, thread);
        return true;
    }
    return false;
}

static bool try_in_line(bucket_t *bucket, PKSPIN_LOCK lock, ke_thread_t *thread)
{
    ke_lock(&bucket->lock);
    bool taken = atomic_load_explicit(&thread->granted, memory_order_acquire) != 0 || try_in_line_locked(bucket, lock, thread);
    ke_unlock(&bucket->lock);
    return taken;
}

static void wait_in_line(bucket_t *bucket, PKSPIN_LOCK lock, ke_thread_t *thread)
{
    for (uint32_t turn = 0; atomic_load_explicit(&thread->granted, memory_order_acquire) == 0; turn++) {
        if (turn < TURNS_BEFORE_SLEEP) {
            if (turn < TURNS_BEFORE_SLEEP / 2)
                host_pause();
            else
                host_yield();
        } else {
            host_wait(&thread->granted, 0, SLEEP_NS);
        }
        ke_wait_poll();
        if ((__atomic_load_n(lock, __ATOMIC_RELAXED) & KE_SPIN_QUEUED) == 0 && try_in_line(bucket, lock, thread))
            return;
    }
}

static NTMM_COLD bool queued_take_slow(PKSPIN_LOCK lock, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    bucket_t    *bucket = bucket_of(lock);

    if (thread == NULL)
        return false;
    if (ke_spin_is_mine(__atomic_load_n(lock, __ATOMIC_RELAXED), thread))
        ke_spin_is_owned(lock, thread, routine, caller);
    atomic_store(&thread->granted, 0);
    thread->wait_lock = lock;
    ke_lock(&bucket->lock);
    line_up_locked(bucket, thread);
    bool taken = try_in_line_locked(bucket, lock, thread);
    ke_unlock(&bucket->lock);
    if (!taken)
        wait_in_line(bucket, lock, thread);
    ke_thread_leave(thread);
    return true;
}

static bool queued_take(PKSPIN_LOCK lock, ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    return ke_spin_try(lock, ke_spin_word(thread, KE_SPIN_HELD | KE_SPIN_QUEUED)) || queued_take_slow(lock, routine, caller);
}

uint32_t ke_queued_waiters(PKSPIN_LOCK lock)
{
    bucket_t *bucket = bucket_of(lock);
    uint32_t  count = 0;

    ke_lock(&bucket->lock);
    for (const ke_thread_t *t = first_in_line_locked(bucket, lock, NULL); t != NULL; t = first_in_line_locked(bucket, lock, t))
        count++;
    ke_unlock(&bucket->lock);
    return count;
}

/* ---- letting go ---- */

static void hand_on(PKSPIN_LOCK lock)
{
    bucket_t    *bucket = bucket_of(lock);
    ke_thread_t *next;

    ke_lock(&bucket->lock);
    next = first_in_line_locked(bucket, lock, NULL);
    NTMM_INVARIANT(next != NULL, "a queued lock marked WAITERS has somebody in line");
    __atomic_store_n(lock, word_for_locked(bucket, lock, next), __ATOMIC_RELEASE);
    step_out_locked(bucket, next);
    atomic_store_explicit(&next->granted, 1, memory_order_release);
    host_wake(&next->granted, true);
    ke_unlock(&bucket->lock);
}

static bool queued_let_go(PKSPIN_LOCK lock, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_ready(routine);
    KSPIN_LOCK   word;
    const char  *why = "The queued spin lock is held by another thread.";

    if (thread == NULL)
        return false;
    if (lock == NULL)
        ke_spin_is_not_owned(lock, thread, "The handle has never been used to acquire a lock.", routine, caller);
    word = ke_spin_word(thread, KE_SPIN_HELD | KE_SPIN_QUEUED);
    if (NTMM_LIKELY(__atomic_compare_exchange_n(lock, &word, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
        return true;
    if (ke_spin_is_mine(word, thread) && (word & KE_SPIN_QUEUED) != 0) {
        hand_on(lock);
        return true;
    }
    if (word == 0)
        why = "The queued spin lock is free: it was never taken, or has been released already.";
    else if (ke_spin_is_mine(word, thread))
        why = "The spin lock is held as an ordinary lock, and not through this handle.";
    ke_spin_is_not_owned(lock, thread, why, routine, caller);
}

/* ---- in-stack queued locks ---- */

static void acquire_at_dispatch(PKSPIN_LOCK lock, PKLOCK_QUEUE_HANDLE handle, ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    ke_probe_own(routine, KE_OWN_TAKE, KE_OWN_SPIN, lock);
    handle->LockQueue.Next = NULL;
    handle->LockQueue.Lock = lock;
    if (thread != NULL)
        (void)queued_take(lock, thread, routine, caller);
}

static void acquire_raising(PKSPIN_LOCK lock, PKLOCK_QUEUE_HANDLE handle, const char *routine, ULONG_PTR caller)
{
    ke_raised_t raised = ke_raise(DISPATCH_LEVEL, routine, caller);

    handle->OldIrql = raised.old;
    acquire_at_dispatch(lock, handle, raised.thread, routine, caller);
}

static void release_lowering(PKLOCK_QUEUE_HANDLE handle, const char *routine, ULONG_PTR caller)
{
    ke_probe_own(routine, handle->OldIrql < DISPATCH_LEVEL ? KE_OWN_GIVE_AND_LOWER : KE_OWN_GIVE, KE_OWN_SPIN, handle->LockQueue.Lock);
    if (queued_let_go(handle->LockQueue.Lock, routine, caller))
        ke_lower(ke_self(), handle->OldIrql, routine, caller);
}

VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    acquire_raising(SpinLock, LockHandle, __func__, KE_CALLER());
}

VOID KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    acquire_raising(SpinLock, LockHandle, __func__, KE_CALLER());
}

VOID KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle)
{
    acquire_at_dispatch(SpinLock, LockHandle, ke_thread_ready(__func__), __func__, KE_CALLER());
}

VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle)
{
    ke_probe_lock(__func__, KE_QUEUED_RELEASE, LockHandle->LockQueue.Lock, LockHandle->OldIrql);
    release_lowering(LockHandle, __func__, KE_CALLER());
}
VOID KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle) { release_lowering(LockHandle, __func__, KE_CALLER()); }
VOID KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle)
{
    ke_probe_own(__func__, KE_OWN_GIVE, KE_OWN_SPIN, LockHandle->LockQueue.Lock);
    (void)queued_let_go(LockHandle->LockQueue.Lock, __func__, KE_CALLER());
}

/* ---- numbered locks ---- */

static PKSPIN_LOCK lock_of_number(KSPIN_LOCK_QUEUE_NUMBER number, const char *routine)
{
    if ((unsigned)number < LockQueueMaximumLock)
        return &numbered[number];
    ke_error(-EINVAL, "%s: %u is no number of a queued spin lock", routine, (unsigned)number);
    fprintf(stderr, "ntmm: %s was refused: %u is no number of a queued spin lock\n", routine, (unsigned)number);
    return NULL;
}

static KIRQL acquire_number(KSPIN_LOCK_QUEUE_NUMBER number, const char *routine, ULONG_PTR caller)
{
    PKSPIN_LOCK lock = lock_of_number(number, routine);
    ke_raised_t raised;

    if (lock == NULL)
        return ke_self()->irql;
    ke_probe_own(routine, KE_OWN_TAKE, KE_OWN_SPIN, lock);
    raised = ke_raise(DISPATCH_LEVEL, routine, caller);
    if (raised.thread != NULL)
        (void)queued_take(lock, raised.thread, routine, caller);
    return raised.old;
}

static void release_number(KSPIN_LOCK_QUEUE_NUMBER number, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    PKSPIN_LOCK lock = lock_of_number(number, routine);

    if (lock != NULL)
        ke_probe_own(routine, irql < DISPATCH_LEVEL ? KE_OWN_GIVE_AND_LOWER : KE_OWN_GIVE, KE_OWN_SPIN, lock);
    if (lock != NULL && queued_let_go(lock, routine, caller))
        ke_lower(ke_self(), irql, routine, caller);
}

KIRQL KeAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number) { return acquire_number(Number, __func__, KE_CALLER()); }
VOID  KeReleaseQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, KIRQL OldIrql) { release_number(Number, OldIrql, __func__, KE_CALLER()); }

LOGICAL KeTryToAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, PKIRQL OldIrql)
{
    PKSPIN_LOCK lock = lock_of_number(Number, __func__);
    ke_raised_t raised;

    ke_loop_poll();
    *OldIrql = ke_self()->irql;
    if (lock == NULL)
        return FALSE;
    raised = ke_raise(DISPATCH_LEVEL, __func__, KE_CALLER());
    if (raised.thread == NULL)
        return FALSE;
    if (ke_spin_try(lock, ke_spin_word(raised.thread, KE_SPIN_HELD | KE_SPIN_QUEUED))) {
        ke_probe_own(__func__, KE_OWN_TRIED, KE_OWN_SPIN, lock);
        return TRUE;
    }
    ke_lower(raised.thread, raised.old, __func__, KE_CALLER());
    return FALSE;
}

VOID IoAcquireCancelSpinLock(PKIRQL Irql) { *Irql = acquire_number(LockQueueIoCancelLock, __func__, KE_CALLER()); }
VOID IoReleaseCancelSpinLock(KIRQL Irql) { release_number(LockQueueIoCancelLock, Irql, __func__, KE_CALLER()); }
