/*
 * rwspinlock.c - EX_SPIN_LOCK: 32 bits, many readers or one writer.
 *
 *     bit 31 a writer is in | bit 30 a writer waits | bits 0..29 readers that are in
 *
 * A reader comes in while neither of the two bits is set: so a waiting writer holds new readers back, and gets in when the last of the old
 * ones has gone. Several waiting writers set the bit again after one of them got in.
 *
 * 32 bits have no room for an owner. So each thread keeps a short list of those it holds (rw_held), which is what tells recursion (0x0F)
 * and the release of something not held (0x10). Beyond KE_THREAD_RW_LOCKS at once they are only counted, and those two checks may miss.
 *
 * Locks       none of the simulator's.
 * Source      WDK reference: "Reader/writer spin locks"; wdm.h, ExAcquireSpinLockShared: the caller must not own the lock already.
 */
#include "ke/bugcheck.h"
#include "ke/spinlock.h"

#define WRITER_IN 0x80000000u
#define WRITER_WAITS 0x40000000u

static uint32_t *word_of(PEX_SPIN_LOCK lock) { return (uint32_t *)(void *)(uintptr_t)lock; }

/* ---- what this thread holds ---- */

static ke_held_rw_lock_t *held(ke_thread_t *thread, PEX_SPIN_LOCK lock)
{
    for (uint32_t i = thread->rw_count; i-- > 0;)
        if (thread->rw_held[i].lock == lock)
            return &thread->rw_held[i];
    return NULL;
}

static void note_held(ke_thread_t *thread, PEX_SPIN_LOCK lock, bool exclusive)
{
    if (thread->rw_count < KE_THREAD_RW_LOCKS)
        thread->rw_held[thread->rw_count++] = (ke_held_rw_lock_t){ lock, exclusive };
    else
        thread->rw_unnamed++;
}

static void forget_held(ke_thread_t *thread, PEX_SPIN_LOCK lock, bool exclusive, const char *routine, ULONG_PTR caller)
{
    ke_held_rw_lock_t *entry = held(thread, lock);

    if (entry != NULL && entry->exclusive == exclusive) {
        *entry = thread->rw_held[--thread->rw_count];
        return;
    }
    if (entry == NULL && thread->rw_unnamed != 0) {
        thread->rw_unnamed--;
        return;
    }
    ke_spin_is_not_owned(lock, thread,
                         entry == NULL ? "This thread does not hold the reader/writer spin lock."
                         : exclusive   ? "This thread holds the reader/writer spin lock for reading, and releases it as a writer."
                                       : "This thread holds the reader/writer spin lock for writing, and releases it as a reader.",
                         routine, caller);
}

/* ---- the word ---- */

static bool try_shared(uint32_t *word)
{
    uint32_t now = __atomic_load_n(word, __ATOMIC_RELAXED);

    while ((now & (WRITER_IN | WRITER_WAITS)) == 0)
        if (__atomic_compare_exchange_n(word, &now, now + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    return false;
}

static bool try_exclusive(uint32_t *word)
{
    uint32_t now = __atomic_load_n(word, __ATOMIC_RELAXED);

    while ((now & ~WRITER_WAITS) == 0)
        if (__atomic_compare_exchange_n(word, &now, WRITER_IN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return true;
    if ((now & WRITER_WAITS) == 0)
        __atomic_fetch_or(word, WRITER_WAITS, __ATOMIC_RELAXED);
    return false;
}

static NTMM_COLD bool wait_for(PEX_SPIN_LOCK lock, bool (*attempt)(uint32_t *), const char *routine)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    uint32_t     turn = 0;

    if (thread == NULL)
        return false;
    while (!attempt(word_of(lock)))
        ke_spin_turn(&turn);
    ke_thread_leave(thread);
    return true;
}

static void take(PEX_SPIN_LOCK lock, bool exclusive, ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    bool (*attempt)(uint32_t *) = exclusive ? try_exclusive : try_shared;

    if (thread == NULL)
        return;
    if (NTMM_UNLIKELY(held(thread, lock) != NULL))
        ke_spin_is_owned(lock, thread, routine, caller);
    if (attempt(word_of(lock)) || wait_for(lock, attempt, routine))
        note_held(thread, lock, exclusive);
}

static bool let_go(PEX_SPIN_LOCK lock, bool exclusive, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_ready(routine);

    if (thread == NULL)
        return false;
    forget_held(thread, lock, exclusive, routine, caller);
    if (exclusive)
        __atomic_fetch_and(word_of(lock), ~WRITER_IN, __ATOMIC_RELEASE);
    else
        __atomic_fetch_sub(word_of(lock), 1, __ATOMIC_RELEASE);
    return true;
}

/* ---- the public routines ---- */

static KIRQL take_raising(PEX_SPIN_LOCK lock, bool exclusive, const char *routine, ULONG_PTR caller)
{
    ke_raised_t raised = ke_raise(DISPATCH_LEVEL, routine, caller);

    take(lock, exclusive, raised.thread, routine, caller);
    return raised.old;
}

static void let_go_lowering(PEX_SPIN_LOCK lock, bool exclusive, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    if (let_go(lock, exclusive, routine, caller))
        ke_lower(ke_self(), irql, routine, caller);
}

KIRQL ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock) { return take_raising(SpinLock, true, __func__, KE_CALLER()); }
KIRQL ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock) { return take_raising(SpinLock, false, __func__, KE_CALLER()); }
VOID  ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql) { let_go_lowering(SpinLock, true, OldIrql, __func__, KE_CALLER()); }
VOID  ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql) { let_go_lowering(SpinLock, false, OldIrql, __func__, KE_CALLER()); }

VOID ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock)
{
    take(SpinLock, true, ke_thread_ready(__func__), __func__, KE_CALLER());
}

VOID ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock) { take(SpinLock, false, ke_thread_ready(__func__), __func__, KE_CALLER()); }

VOID ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock) { (void)let_go(SpinLock, true, __func__, KE_CALLER()); }
VOID ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock) { (void)let_go(SpinLock, false, __func__, KE_CALLER()); }

LOGICAL ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock)
{
    ke_loop_poll();
    ke_thread_t       *thread = ke_thread_ready(__func__);
    ke_held_rw_lock_t *entry;
    uint32_t           alone = 1;

    if (thread == NULL)
        return FALSE;
    entry = held(thread, SpinLock);
    if (entry == NULL ? thread->rw_unnamed == 0 : entry->exclusive)
        ke_spin_is_not_owned(SpinLock, thread, "Only a reader can become a writer, and this thread is not reading.", __func__, KE_CALLER());
    if (!__atomic_compare_exchange_n(word_of(SpinLock), &alone, WRITER_IN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return FALSE;
    if (entry != NULL)
        entry->exclusive = true;
    return TRUE;
}
