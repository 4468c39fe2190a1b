/*
 * event.c - event objects: their state. Who waits for them is wait.c's affair.
 *
 *     not signaled --KeSetEvent--> signaled --KeClearEvent, KeResetEvent--> not signaled
 *                                     `------ synchronization event: a wait is satisfied ------> not signaled
 *     KePulseEvent: signaled for those who wait at that moment, and not signaled when it returns
 *
 * Locks       ke_dispatcher_lock. KeClearEvent and KeReadStateEvent do without, as documented: one store, one load.
 * Source      WDK reference: wdm.h, the pages of these routines.
 * Fidelity    Increment: no priorities. Header.WaitListHead stays an empty list (wait.c).
 */
#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "ke/wait.h"

VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State)
{
    ke_probe_object(__func__, Event);
    ke_dispatcher_header_init(&Event->Header, (uint8_t)Type, sizeof *Event, State ? 1 : 0);
}

LONG ke_event_set(PRKEVENT event)
{
    ke_lock(&ke_dispatcher_lock);
    LONG before = __atomic_exchange_n(&event->Header.SignalState, 1, __ATOMIC_RELAXED);
    if (before == 0)
        ke_wait_test_locked(&event->Header);
    ke_unlock(&ke_dispatcher_lock);
    return before;
}

/* Whoever waits now and can go on does; nobody who comes later. */
static LONG pulse(PRKEVENT event)
{
    ke_lock(&ke_dispatcher_lock);
    LONG before = __atomic_exchange_n(&event->Header.SignalState, 1, __ATOMIC_RELAXED);
    if (before == 0)
        ke_wait_test_locked(&event->Header);
    __atomic_store_n(&event->Header.SignalState, 0, __ATOMIC_RELAXED);
    ke_unlock(&ke_dispatcher_lock);
    return before;
}

LONG ke_event_reset(PRKEVENT event)
{
    ke_lock(&ke_dispatcher_lock);
    LONG before = __atomic_exchange_n(&event->Header.SignalState, 0, __ATOMIC_RELAXED);
    ke_unlock(&ke_dispatcher_lock);
    return before;
}

static void touch(const KEVENT *event)
{
    (void)__atomic_load_n(&event->Header.SignalState, __ATOMIC_RELAXED);
} /* a bad address faults here */

LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment; /* no priorities */
    KE_REQUIRE_IRQL_FOR(Wait ? APC_LEVEL : DISPATCH_LEVEL, Event, 0);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    touch(Event);
    LONG before = ke_event_set(Event);
    ke_thread_leave(self);
    if (Wait)
        ke_wait_stay_raised(__func__, KE_CALLER());
    return before;
}

LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait)
{
    (void)Increment; /* no priorities */
    KE_REQUIRE_IRQL_FOR(Wait ? APC_LEVEL : DISPATCH_LEVEL, Event, 0);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    touch(Event);
    LONG before = pulse(Event);
    ke_thread_leave(self);
    if (Wait)
        ke_wait_stay_raised(__func__, KE_CALLER());
    return before;
}

LONG KeResetEvent(PRKEVENT Event)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    touch(Event);
    LONG before = ke_event_reset(Event);
    ke_thread_leave(self);
    return before;
}

VOID KeClearEvent(PRKEVENT Event)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        __atomic_store_n(&Event->Header.SignalState, 0, __ATOMIC_RELEASE);
}

LONG KeReadStateEvent(PRKEVENT Event)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL ? __atomic_load_n(&Event->Header.SignalState, __ATOMIC_ACQUIRE) : 0;
}
