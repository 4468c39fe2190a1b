/*
 * timer.c - timers that the system allocates: a KTIMER whose DPC calls the driver's callback, and a DPC that ends it all.
 *
 *     ExDeleteTimer: cancelled, or left to expire --> last DPC, to the same processor --> delete callback, waiter woken, storage freed
 *
 * DPCs of one processor run one after the other, in order. So both have the same target, and when the last one runs no callback of the timer runs
 * or is queued.
 *
 * A driver's calls and the last DPC both hold the storage: who lets go second frees it.
 *
 * Locks       none of its own.
 * Source      WDK reference: wdm.h, ExAllocateTimer, ExSetTimer, ExCancelTimer, ExDeleteTimer; "Deleting a system-allocated timer object".
 * Fidelity    resolution, wake-up and tolerance make no difference here.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/exception.h"
#include "ke/irql.h"
#include "ke/timer.h"

#define TIMER_TAG NTMM_TAG("ExTm")
#define ATTRIBUTES (EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE | EX_TIMER_NOTIFICATION)

typedef struct _EX_TIMER {
    KTIMER                timer; /* first, because the driver waits for it */
    KDPC                  expired, last;
    PEXT_CALLBACK         callback;
    PVOID                 context;
    ULONG                 attributes;
    _Atomic uint32_t      holders;
    _Atomic bool          is_deleted, is_ending;
    EXT_DELETE_PARAMETERS at_end;
    PKEVENT               waiter; /* or NULL */
} ex_timer_t;

static void let_go(ex_timer_t *timer)
{
    if (atomic_fetch_sub(&timer->holders, 1) == 1)
        ExFreePoolWithTag(timer, TIMER_TAG);
}

static void queue_last(ex_timer_t *timer)
{
    if (!atomic_exchange(&timer->is_ending, true))
        (void)KeInsertQueueDpc(&timer->last, NULL, NULL);
}

/* ---- DPCs ---- */

static VOID run_callback(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    ex_timer_t *timer = context;
    (void)dpc, (void)argument1, (void)argument2;
    if (timer->callback != NULL)
        timer->callback(timer, timer->context);
    if (!atomic_load(&timer->is_deleted))
        return;
    (void)ke_timer_cancel("ExDeleteTimer", &timer->timer); /* of a periodic one that was not cancelled */
    queue_last(timer);
}

static VOID end(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    ex_timer_t *timer = context;
    PKEVENT     waiter = timer->waiter;
    (void)dpc, (void)argument1, (void)argument2;
    if (timer->at_end.DeleteCallback != NULL)
        timer->at_end.DeleteCallback(timer->at_end.DeleteContext);
    let_go(timer);
    if (waiter != NULL)
        (void)KeSetEvent(waiter, IO_NO_INCREMENT, FALSE);
}

/* ---- what drivers call ---- */

PEX_TIMER ExAllocateTimer(PEXT_CALLBACK Callback, PVOID CallbackContext, ULONG Attributes)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ULONG both = EX_TIMER_HIGH_RESOLUTION | EX_TIMER_NO_WAKE;
    if ((Attributes & ~ATTRIBUTES) != 0 || (Attributes & both) == both) {
        (void)ke_error(0, "ExAllocateTimer: attributes 0x%x are no combination that a timer can have", Attributes);
        return NULL;
    }
    ex_timer_t *timer = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *timer, TIMER_TAG);
    if (timer == NULL)
        return NULL;
    KeInitializeTimerEx(&timer->timer, (Attributes & EX_TIMER_NOTIFICATION) != 0 ? NotificationTimer : SynchronizationTimer);
    KeInitializeDpc(&timer->expired, run_callback, timer);
    KeInitializeDpc(&timer->last, end, timer);
    KeSetTargetProcessorDpc(&timer->expired, (CCHAR)KeGetCurrentProcessorNumber());
    timer->last.Number = timer->expired.Number;
    timer->callback = Callback;
    timer->context = CallbackContext;
    timer->attributes = Attributes;
    atomic_store(&timer->holders, 2);
    return timer;
}

BOOLEAN ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters)
{
    (void)Parameters;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (DueTime >= 0 && (Timer->attributes & EX_TIMER_HIGH_RESOLUTION) != 0)
        ke_fast_fail(__func__, "A high-resolution timer was set to a moment; it takes a time from now on.", FAST_FAIL_INVALID_ARG,
                     KE_CALLER());
    if (Period < 0 || Period > MAXLONG)
        ke_fast_fail(__func__, "A timer's period is below 0, or above MAXLONG.", FAST_FAIL_INVALID_ARG, KE_CALLER());
    return ke_timer_set(__func__, &Timer->timer, DueTime, (uint64_t)Period, &Timer->expired);
}

BOOLEAN ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters)
{
    (void)Parameters;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_timer_cancel(__func__, &Timer->timer);
}

static void require_deletable(const char *routine, ex_timer_t *timer, bool cancel, bool wait, ULONG_PTR caller)
{
    if (wait && !cancel)
        ke_fast_fail(routine, "A timer's last expiration was to be waited for, and the timer not to be cancelled.", FAST_FAIL_INVALID_ARG,
                     caller);
    if (atomic_exchange(&timer->is_deleted, true))
        ke_fast_fail(routine, "The timer was deleted before.", FAST_FAIL_INVALID_ARG, caller);
}

BOOLEAN ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters)
{
    KEVENT is_over;
    KE_REQUIRE_IRQL(Wait ? APC_LEVEL : DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return FALSE;
    KeInitializeEvent(&is_over, NotificationEvent, FALSE);
    if (Parameters != NULL)
        Timer->at_end = *Parameters;
    Timer->waiter = Wait ? &is_over : NULL;
    require_deletable(__func__, Timer, Cancel, Wait, KE_CALLER());
    bool was_set = Cancel && ke_timer_cancel(__func__, &Timer->timer);
    if (Cancel || !ke_timer_is_set(&Timer->timer))
        queue_last(Timer);
    let_go(Timer);
    if (Wait)
        (void)KeWaitForSingleObject(&is_over, Executive, KernelMode, FALSE, NULL);
    return was_set;
}
