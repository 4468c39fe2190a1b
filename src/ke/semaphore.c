/*
 * semaphore.c - semaphores: a count of units, of which each wait that is satisfied takes one (wait.c), and which never exceeds its limit.
 *
 * Locks       ke_dispatcher_lock. KeReadStateSemaphore does without: one load.
 * Source      WDK reference: wdm.h, KeInitializeSemaphore, KeReleaseSemaphore, KeReadStateSemaphore.
 * Fidelity    Increment: no priorities. Header.WaitListHead stays an empty list (wait.c).
 */
#include "ke/bugcheck.h"
#include "ke/exception.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "ke/wait.h"

VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit)
{
    ke_probe_object(__func__, Semaphore);
    ke_dispatcher_header_init(&Semaphore->Header, KE_OBJECT_SEMAPHORE, sizeof *Semaphore, Count);
    Semaphore->Limit = Limit;
}

/* false: it would hold more than it may. */
static bool add(PKSEMAPHORE semaphore, LONG units, LONG *before)
{
    LONG limit = *(volatile LONG *)&semaphore->Limit; /* a bad address faults here */
    LONG after;
    ke_lock(&ke_dispatcher_lock);
    *before = semaphore->Header.SignalState;
    bool fits = units >= 0 && !__builtin_add_overflow(*before, units, &after) && after <= limit;
    if (fits) {
        __atomic_store_n(&semaphore->Header.SignalState, after, __ATOMIC_RELAXED);
        ke_wait_test_locked(&semaphore->Header);
    }
    ke_unlock(&ke_dispatcher_lock);
    return fits;
}

LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait)
{
    LONG before = 0;
    (void)Increment; /* no priorities */
    KE_REQUIRE_IRQL(Wait ? APC_LEVEL : DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    bool fits = add(Semaphore, Adjustment, &before);
    ke_thread_leave(self);
    if (!fits)
        ke_raise_status(__func__, STATUS_SEMAPHORE_LIMIT_EXCEEDED, KE_CALLER());
    if (Wait)
        ke_wait_stay_raised(__func__, KE_CALLER());
    return before;
}

LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL ? __atomic_load_n(&Semaphore->Header.SignalState, __ATOMIC_ACQUIRE) : 0;
}
