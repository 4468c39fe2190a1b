/*
 * spinlock.c - KSPIN_LOCK taken in the ordinary way: whoever is quickest.
 * The word names the record of the thread that holds the lock, so that the two mistakes that hang a real machine are noticed when they are
 * made: the owner asks again (0x0F), or somebody lets go of what it does not hold (0x10).
 * To wait means to spin for a bounded time, then to yield, then to sleep in short naps: the holder is a thread of the host, which may have
 * been suspended with the lock in its hand. The processor stays with the waiting thread.
 *
 *     free --ke_spin_take--> held --ke_spin_let_go--> free
 *
 * Locks       none of the simulator's.
 * Elsewhere   in-stack and numbered queued locks: queued_spinlock.c. EX_SPIN_LOCK: rwspinlock.c. Interrupt spin locks: interrupt.c.
 * Source      WDK reference: wdm.h, KeAcquireSpinLock and friends; Bug Check 0xF, 0x10.
 */
#include "ke/spinlock.h"

#include "ke/bugcheck.h"
#include "ke/probe.h"

#define TURNS_OF_PAUSE 200u
#define TURNS_OF_YIELD 1000u
#define NAP_NS 50000u

void ke_spin_turn(uint32_t *turn)
{
    if (*turn < TURNS_OF_PAUSE)
        host_pause();
    else if (*turn < TURNS_OF_PAUSE + TURNS_OF_YIELD)
        host_yield();
    else
        host_sleep_ns(NAP_NS);
    if (*turn < TURNS_OF_PAUSE + TURNS_OF_YIELD)
        ++*turn;
    ke_wait_poll();
}

_Noreturn NTMM_COLD void ke_spin_is_owned(const volatile void *lock, const ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    ke_bugcheck(routine, "This thread holds the spin lock already; on a real machine it would now spin for ever.", SPIN_LOCK_ALREADY_OWNED,
                (ULONG_PTR)lock, thread->irql, 0, caller);
}

_Noreturn NTMM_COLD void ke_spin_is_not_owned(const volatile void *lock, const ke_thread_t *thread, const char *why, const char *routine,
                                              ULONG_PTR caller)
{
    ke_bugcheck(routine, why, SPIN_LOCK_NOT_OWNED, (ULONG_PTR)lock, thread->irql, 0, caller);
}

NTMM_COLD bool ke_spin_take_slow(PKSPIN_LOCK lock, ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    uint32_t turn = 0;

    thread = ke_thread_enter(routine);
    if (thread == NULL)
        return false;
    if (ke_spin_is_mine(__atomic_load_n(lock, __ATOMIC_RELAXED), thread))
        ke_spin_is_owned(lock, thread, routine, caller);
    while (__atomic_load_n(lock, __ATOMIC_RELAXED) != 0 || !ke_spin_try(lock, ke_spin_word(thread, KE_SPIN_HELD)))
        ke_spin_turn(&turn);
    ke_thread_leave(thread);
    return true;
}

NTMM_COLD bool ke_spin_let_go_slow(PKSPIN_LOCK lock, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_ready(routine);
    KSPIN_LOCK   word = __atomic_load_n(lock, __ATOMIC_RELAXED);
    const char  *why = "The spin lock is held by another thread.";

    if (thread == NULL)
        return false;
    if (word == 0)
        why = "The spin lock is free: it was never taken, or has been released already.";
    else if (ke_spin_is_mine(word, thread))
        why = "The spin lock is held as a queued lock: release it through its handle.";
    ke_spin_is_not_owned(lock, thread, why, routine, caller);
}

/* ---- the public routines ---- */

static inline KIRQL acquire_raising(PKSPIN_LOCK lock, const char *routine, ULONG_PTR caller)
{
    ke_raised_t raised = ke_raise(DISPATCH_LEVEL, routine, caller);

    if (NTMM_LIKELY(raised.thread != NULL))
        (void)ke_spin_take(lock, raised.thread, routine, caller);
    return raised.old;
}

static inline void release_lowering(PKSPIN_LOCK lock, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_self();

    if (NTMM_LIKELY(ke_spin_let_go(lock, thread, routine, caller)))
        ke_lower(thread, irql, routine, caller);
}

VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock)
{
    ke_probe_object(__func__, SpinLock);
    __atomic_store_n(SpinLock, (KSPIN_LOCK)0, __ATOMIC_RELEASE);
}

KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock)
{
    ke_probe_lock(__func__, KE_SPIN_ACQUIRE, SpinLock, 0);
    ke_probe_own(__func__, KE_OWN_TAKE, KE_OWN_SPIN, SpinLock);
    return acquire_raising(SpinLock, __func__, KE_CALLER());
}

VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql)
{
    ke_probe_lock(__func__, KE_SPIN_RELEASE, SpinLock, NewIrql);
    ke_probe_own(__func__, NewIrql < DISPATCH_LEVEL ? KE_OWN_GIVE_AND_LOWER : KE_OWN_GIVE, KE_OWN_SPIN, SpinLock);
    release_lowering(SpinLock, NewIrql, __func__, KE_CALLER());
}

KIRQL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock)
{
    ke_probe_own(__func__, KE_OWN_TAKE, KE_OWN_SPIN, SpinLock);
    return acquire_raising(SpinLock, __func__, KE_CALLER());
}

VOID KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql)
{
    ke_probe_own(__func__, OldIrql < DISPATCH_LEVEL ? KE_OWN_GIVE_AND_LOWER : KE_OWN_GIVE, KE_OWN_SPIN, SpinLock);
    release_lowering(SpinLock, OldIrql, __func__, KE_CALLER());
}

VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    ke_probe_lock(__func__, KE_SPIN_ACQUIRE_AT_DPC, SpinLock, 0);
    ke_probe_own(__func__, KE_OWN_TAKE, KE_OWN_SPIN, SpinLock);
    ke_thread_t *thread = ke_thread_ready(__func__);
    if (thread != NULL)
        (void)ke_spin_take(SpinLock, thread, __func__, KE_CALLER());
}

VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    ke_probe_lock(__func__, KE_SPIN_RELEASE_FROM_DPC, SpinLock, 0);
    ke_probe_own(__func__, KE_OWN_GIVE, KE_OWN_SPIN, SpinLock);
    (void)ke_spin_let_go(SpinLock, ke_self(), __func__, KE_CALLER());
}

VOID KefReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock)
{
    ke_probe_lock(__func__, KE_SPIN_RELEASE_FROM_DPC, SpinLock, 0);
    ke_probe_own(__func__, KE_OWN_GIVE, KE_OWN_SPIN, SpinLock);
    (void)ke_spin_let_go(SpinLock, ke_self(), __func__, KE_CALLER());
}

BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock)
{
    ke_loop_poll();
    ke_thread_t *thread = ke_thread_ready(__func__);
    if (thread == NULL || __atomic_load_n(SpinLock, __ATOMIC_RELAXED) != 0 || !ke_spin_try(SpinLock, ke_spin_word(thread, KE_SPIN_HELD)))
        return FALSE;
    ke_probe_own(__func__, KE_OWN_TRIED, KE_OWN_SPIN, SpinLock);
    return TRUE;
}

BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL && __atomic_load_n(SpinLock, __ATOMIC_RELAXED) == 0;
}
