/*
 * rundown.c - rundown protection with one count.
 *
 * Who runs an object down leaves the address of a block on its stack in the count, and waits; each release that follows counts there, and the last
 * one sets the event. Acquires look at the lowest bit and go away.
 *
 * Locks       none: the count is one word.
 * Source      WDK reference: wdm.h, "Run-Down Protection", the pages of these routines.
 * Fidelity    of two threads that run down the same object at once the second returns when the first does (choice). A release without an acquire is
 *             0x139/14 where it can be seen (choice).
 */
#include "ex/rundown.h"

#include "ke/bugcheck.h"
#include "ke/irql.h"

#define SECOND_WAITER_TURN_NS 100000u

_Noreturn void ex_rundown_is_wrong(const char *routine, const char *why, ULONG_PTR caller)
{
    ke_fast_fail(routine, why, FAST_FAIL_INVALID_REFERENCE_COUNT, caller);
}

/* ---- one count ---- */

static bool change(PEX_RUNDOWN_REF ref, ULONG_PTR *from, ULONG_PTR to)
{
    return __atomic_compare_exchange_n(&ref->Count, from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool ex_rundown_acquire(PEX_RUNDOWN_REF ref, ULONG count)
{
    ULONG_PTR word = __atomic_load_n(&ref->Count, __ATOMIC_ACQUIRE);
    do {
        if ((word & EX_RUNDOWN_ACTIVE) != 0)
            return false;
    } while (!change(ref, &word, word + count * EX_RUNDOWN_ONE));
    return true;
}

void ex_rundown_users_left(ex_rundown_wait_t *wait, LONG64 count)
{
    if (__atomic_sub_fetch(&wait->users, count, __ATOMIC_ACQ_REL) == 0)
        (void)KeSetEvent(&wait->is_over, IO_NO_INCREMENT, FALSE);
}

bool ex_rundown_release(PEX_RUNDOWN_REF ref, ULONG count, bool may_borrow)
{
    ULONG_PTR word = __atomic_load_n(&ref->Count, __ATOMIC_ACQUIRE);
    do {
        if ((word & EX_RUNDOWN_ACTIVE) != 0)
            break;
        if (!may_borrow && word < count * EX_RUNDOWN_ONE)
            return false;
    } while (!change(ref, &word, word - count * EX_RUNDOWN_ONE));
    if ((word & EX_RUNDOWN_ACTIVE) == 0)
        return true;
    if (word == EX_RUNDOWN_ACTIVE)
        return false;
    ex_rundown_users_left((ex_rundown_wait_t *)(word & ~EX_RUNDOWN_ACTIVE), count);
    return true;
}

LONG64 ex_rundown_begin(PEX_RUNDOWN_REF ref, ex_rundown_wait_t *wait, bool *was_active)
{
    ULONG_PTR word = __atomic_load_n(&ref->Count, __ATOMIC_ACQUIRE);
    do {
        *was_active = (word & EX_RUNDOWN_ACTIVE) != 0;
        if (*was_active)
            return 0;
    } while (!change(ref, &word, (ULONG_PTR)wait | EX_RUNDOWN_ACTIVE));
    return (LONG64)word >> 1;
}

static void wait_for_the_first(const EX_RUNDOWN_REF *ref)
{
    while (__atomic_load_n(&ref->Count, __ATOMIC_ACQUIRE) != EX_RUNDOWN_ACTIVE) {
        ke_wait_poll();
        host_sleep_ns(SECOND_WAITER_TURN_NS);
    }
}

static bool is_run_down(const EX_RUNDOWN_REF *ref) { return __atomic_load_n(&ref->Count, __ATOMIC_ACQUIRE) == EX_RUNDOWN_ACTIVE; }

/* ---- what drivers call ---- */

VOID ExInitializeRundownProtection(PEX_RUNDOWN_REF RunRef) { RunRef->Count = 0; }

VOID ExReInitializeRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    if (!is_run_down(RunRef))
        ex_rundown_is_wrong(__func__, "Rundown protection is initialised once more before the object is run down.", KE_CALLER());
    __atomic_store_n(&RunRef->Count, 0, __ATOMIC_RELEASE);
}

BOOLEAN ExAcquireRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL && ex_rundown_acquire(RunRef, Count);
}

BOOLEAN ExAcquireRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL && ex_rundown_acquire(RunRef, 1);
}

static void release(const char *routine, PEX_RUNDOWN_REF ref, ULONG count, ULONG_PTR caller)
{
    if (ke_thread_ready(routine) != NULL && !ex_rundown_release(ref, count, false))
        ex_rundown_is_wrong(routine, "Rundown protection is released more often than it was acquired.", caller);
}

VOID ExReleaseRundownProtectionEx(PEX_RUNDOWN_REF RunRef, ULONG Count)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    release(__func__, RunRef, Count, KE_CALLER());
}

VOID ExReleaseRundownProtection(PEX_RUNDOWN_REF RunRef)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    release(__func__, RunRef, 1, KE_CALLER());
}

VOID ExWaitForRundownProtectionRelease(PEX_RUNDOWN_REF RunRef)
{
    ex_rundown_wait_t wait;
    bool              was_active;
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    wait.users = INT32_MAX; /* more than there are: the event is not set before all are counted */
    KeInitializeEvent(&wait.is_over, NotificationEvent, FALSE);
    LONG64 users = ex_rundown_begin(RunRef, &wait, &was_active);
    if (was_active) {
        wait_for_the_first(RunRef);
        return;
    }
    ex_rundown_users_left(&wait, INT32_MAX - users);
    (void)KeWaitForSingleObject(&wait.is_over, Executive, KernelMode, FALSE, NULL);
    __atomic_store_n(&RunRef->Count, EX_RUNDOWN_ACTIVE, __ATOMIC_RELEASE);
}

VOID ExRundownCompleted(PEX_RUNDOWN_REF RunRef)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) != NULL && !is_run_down(RunRef))
        ex_rundown_is_wrong(__func__, "The object is not run down.", KE_CALLER());
}
