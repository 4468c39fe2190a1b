/*
 * timer.c - timers: a dispatcher object that becomes signaled when time comes, and may have a DPC called then.
 *
 *     KeSetTimer  --due later--> in the queue (timer_queue.c), not signaled --time comes--> signaled, DPC queued
 *                 `-due now----------------------------------------------'                   `-period--> in the queue again
 *     KeCancelTimer: out of the queue, whatever its state
 *
 * A timer that expires is taken out of the queue under the dispatcher lock, its DPC queued after that. In between it is in neither place; who
 * cancels a timer waits for that moment to pass, so that KeCancelTimer and KeFlushQueuedDpcs together say that nothing will come any more.
 *
 * Locks       ke_dispatcher_lock for states and the queue. A timer is looked at safely before it expires: its memory may be gone.
 * Source      WDK reference: wdm.h, KeInitializeTimerEx, KeSetTimerEx, KeSetCoalescableTimer, KeCancelTimer; "Timer objects and DPCs"; Bug Check
 *             0xC7.
 * Fidelity    no granularity: a timer expires when its time has come, and tolerances are not made use of. TimerListEntry stays an empty list.
 */
#include "ke/timer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/dpc.h"
#include "ke/irql.h"
#include "ke/time.h"
#include "ke/wait.h"

#define UNITS_PER_MS 10000u

static _Atomic uint32_t expiring; /* timers that are out of the queue, and their DPCs not yet in theirs */

void ke_timers_boot(void)
{
    atomic_store(&expiring, 0);
    ke_timer_queue_boot();
}

/* ---- what the memory says ---- */

static bool is_timer(const DISPATCHER_HEADER *header)
{
    return (header->Type == KE_OBJECT_TIMER || header->Type == KE_OBJECT_SYNCHRONIZATION_TIMER) &&
           header->Size == sizeof(KTIMER) / sizeof(LONG);
}

static bool is_still_there(const KTIMER *timer)
{
    host_peeked_t     head = host_peek_word(&timer->Header);
    DISPATCHER_HEADER header = { 0 };
    memcpy(&header, &head.value, sizeof head.value);
    return head.there != 0 && is_timer(&header);
}

static _Noreturn void timer_is_gone(PKTIMER timer)
{
    ke_bugcheck("KeSetTimer", "A timer that is set lies in memory that was freed or overwritten before it was cancelled.",
                TIMER_OR_DPC_INVALID, 0, (ULONG_PTR)timer, (ULONG_PTR)timer, (ULONG_PTR)(timer + 1));
}

/* A bad address faults here, with nothing locked. */
static bool require_timer(const char *routine, const KTIMER *timer)
{
    if (NTMM_LIKELY(is_timer(&timer->Header)))
        return true;
    fprintf(stderr, "ntmm: %s was refused: %p is no initialised timer\n", routine, (const void *)timer);
    return ke_error(-EINVAL, "%s: %p is no initialised timer", routine, (const void *)timer) == 0;
}

/* ---- expiring ---- */

static void signal_locked(PKTIMER timer)
{
    __atomic_store_n(&timer->Header.SignalState, 1, __ATOMIC_RELEASE);
    ke_wait_test_locked(&timer->Header);
}

/* Of the boundaries of its period the first one after now: what was missed comes once. */
static void set_again_locked(ke_timer_entry_t *entry, uint64_t now)
{
    entry->due += entry->period * ((now - entry->due) / entry->period + 1);
    entry->timer->DueTime.QuadPart = entry->due;
    ke_timer_queue_insert(entry);
}

static void expire_locked(ke_timer_entry_t *entry, uint64_t now)
{
    PKTIMER timer = entry->timer;
    ke_timer_queue_remove(entry);
    if (entry->period != 0)
        set_again_locked(entry, now);
    else
        ke_timer_entry_give_locked(entry);
    signal_locked(timer);
}

static ke_timer_entry_t *first_due_locked(uint64_t now)
{
    ke_timer_entry_t *entry = ke_timer_queue_first();
    return entry != NULL && entry->due <= now ? entry : NULL;
}

/* Which one it is; the queue may look different when the lock is taken the next time. */
static bool look(uint64_t now, ke_timer_entry_t *seen)
{
    ke_lock(&ke_dispatcher_lock);
    ke_timer_entry_t *entry = first_due_locked(now);
    if (entry != NULL)
        *seen = *entry;
    ke_unlock(&ke_dispatcher_lock);
    return entry != NULL;
}

static bool expire_seen(const ke_timer_entry_t *seen, uint64_t now)
{
    ke_lock(&ke_dispatcher_lock);
    ke_timer_entry_t *entry = first_due_locked(now);
    bool              same = entry != NULL && entry->order == seen->order;
    if (same)
        expire_locked(entry, now);
    ke_unlock(&ke_dispatcher_lock);
    return same;
}

static void queue_dpc(const ke_timer_entry_t *entry, bool run_here)
{
    if (entry->dpc == NULL)
        return;
    if (run_here)
        (void)ke_dpc_queue_here("KeSetTimer", entry->dpc);
    else
        ke_dpc_queue_there("KeSetTimer", entry->dpc, entry->processor);
}

/* The caller is at DISPATCH_LEVEL, or runs no DPCs itself. */
static bool expire_one(uint64_t now, bool run_here)
{
    ke_timer_entry_t seen;
    if (!look(now, &seen))
        return false;
    if (!is_still_there(seen.timer)) {
        if (ke_timer_cancel_entry(seen.timer, seen.order)) /* else it was cancelled meanwhile, and then freed: as it should be */
            timer_is_gone(seen.timer);
        return true;
    }
    atomic_fetch_add(&expiring, 1);
    if (expire_seen(&seen, now))
        queue_dpc(&seen, run_here);
    atomic_fetch_sub(&expiring, 1);
    return true;
}

bool ke_timer_expire(uint64_t now, bool run_here)
{
    if (!run_here)
        return expire_one(now, false);
    KIRQL       irql = ke_self()->irql > DISPATCH_LEVEL ? ke_self()->irql : DISPATCH_LEVEL;
    ke_raised_t raised = ke_raise(irql, "KeSetTimer", KE_CALLER());
    if (raised.thread == NULL)
        return false;
    bool expired = expire_one(now, true);
    if (raised.old < DISPATCH_LEVEL)
        ke_lower(raised.thread, raised.old, "KeSetTimer", KE_CALLER());
    return expired;
}

uint64_t ke_timer_next_due(void)
{
    ke_lock(&ke_dispatcher_lock);
    const ke_timer_entry_t *entry = ke_timer_queue_first();
    uint64_t                due = entry != NULL ? entry->due : KE_TIME_NEVER;
    ke_unlock(&ke_dispatcher_lock);
    return due;
}

/* ---- setting and cancelling ---- */

static ke_timer_entry_t *take_out_locked(const KTIMER *timer)
{
    ke_timer_entry_t *entry = ke_timer_queue_find(timer);
    if (entry != NULL)
        ke_timer_queue_remove(entry);
    return entry;
}

bool ke_timer_cancel_entry(PKTIMER timer, uint64_t order)
{
    ke_lock(&ke_dispatcher_lock);
    ke_timer_entry_t *entry = ke_timer_queue_find(timer);
    bool              found = entry != NULL && (order == 0 || entry->order == order);
    if (found) {
        ke_timer_queue_remove(entry);
        ke_timer_entry_give_locked(entry);
    }
    ke_unlock(&ke_dispatcher_lock);
    return found;
}

/* true: the timer is signaled at once, and its DPC is the caller's to queue. */
static bool set(ke_timer_entry_t *fresh, bool *was_set, bool *is_first)
{
    PKTIMER  timer = fresh->timer;
    uint64_t now = ke_time_now();
    bool     due_now = fresh->due <= now;
    ke_lock(&ke_dispatcher_lock);
    ke_timer_entry_t *before = take_out_locked(timer);
    *was_set = before != NULL;
    if (before != NULL)
        ke_timer_entry_give_locked(before);
    timer->DueTime.QuadPart = fresh->due;
    timer->Dpc = fresh->dpc;
    timer->Period = (ULONG)(fresh->period / UNITS_PER_MS);
    __atomic_store_n(&timer->Header.SignalState, 0, __ATOMIC_RELAXED);
    if (due_now && fresh->period != 0)
        fresh->due = now, set_again_locked(fresh, now);
    else if (!due_now)
        ke_timer_queue_insert(fresh);
    else
        ke_timer_entry_give_locked(fresh);
    *is_first = ke_timer_queue_first() == fresh;
    if (due_now)
        signal_locked(timer);
    ke_unlock(&ke_dispatcher_lock);
    return due_now;
}

bool ke_timer_set(const char *routine, PKTIMER timer, int64_t due, uint64_t period, PKDPC dpc)
{
    ke_thread_t      *self = ke_thread_ready(routine);
    bool              was_set, is_first;
    ke_timer_entry_t *fresh = self != NULL && require_timer(routine, timer) ? ke_timer_entry_take() : NULL;
    if (fresh == NULL)
        return false;
    uint16_t processor = (uint16_t)(self->processor != &ke_no_processor ? self->processor->number : 0);
    *fresh = (ke_timer_entry_t){ .timer = timer, .dpc = dpc, .due = ke_time_due(due), .period = period, .processor = processor };
    if (set(fresh, &was_set, &is_first) && dpc != NULL)
        (void)ke_dpc_queue_here(routine, dpc);
    if (is_first)
        ke_clock_look();
    return was_set;
}

/* After this the DPC of a timer that has expired is in its queue. */
static void let_expire(void)
{
    while (atomic_load(&expiring) != 0) {
        host_pause();
        ke_wait_poll();
    }
}

bool ke_timer_cancel(const char *routine, PKTIMER timer)
{
    if (ke_thread_ready(routine) == NULL || !require_timer(routine, timer))
        return false;
    bool was_set = ke_timer_cancel_entry(timer, 0);
    if (!was_set)
        let_expire();
    return was_set;
}

bool ke_timer_is_set(PKTIMER timer)
{
    ke_lock(&ke_dispatcher_lock);
    bool is_set = ke_timer_queue_find(timer) != NULL;
    ke_unlock(&ke_dispatcher_lock);
    if (!is_set)
        let_expire();
    return is_set;
}

/* ---- what drivers call ---- */

VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (atomic_load(&ke_machine_state) == KE_MACHINE_UP && ke_timer_is_set(Timer))
        ke_bugcheck(__func__, "The timer is initialised once more, and is still set: cancel it first.", TIMER_OR_DPC_INVALID, 0,
                    (ULONG_PTR)Timer, (ULONG_PTR)Timer, (ULONG_PTR)(Timer + 1));
    memset(Timer, 0, sizeof *Timer);
    ke_dispatcher_header_init(&Timer->Header, (uint8_t)(KE_OBJECT_TIMER + (unsigned)Type), sizeof *Timer, 0);
    Timer->TimerListEntry.Flink = Timer->TimerListEntry.Blink = &Timer->TimerListEntry;
}

VOID KeInitializeTimer(PKTIMER Timer) { KeInitializeTimerEx(Timer, NotificationTimer); }

BOOLEAN KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc)
{
    (void)TolerableDelay;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_timer_set(__func__, Timer, DueTime.QuadPart, (uint64_t)Period * UNITS_PER_MS, Dpc);
}

BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_timer_set(__func__, Timer, DueTime.QuadPart, Period > 0 ? (uint64_t)Period * UNITS_PER_MS : 0, Dpc);
}

BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_timer_set(__func__, Timer, DueTime.QuadPart, 0, Dpc);
}

BOOLEAN KeCancelTimer(PKTIMER Timer)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_timer_cancel(__func__, Timer);
}

BOOLEAN KeReadStateTimer(PKTIMER Timer)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL && __atomic_load_n(&Timer->Header.SignalState, __ATOMIC_ACQUIRE) != 0;
}

/* ---- at shutdown ---- */

typedef struct set_visit {
    void (*visit)(void *context, void *timer, size_t bytes);
    void *context;
} set_visit_t;

static void visit_set(void *context, const ke_timer_entry_t *entry)
{
    const set_visit_t *call = context;
    call->visit(call->context, entry->timer, sizeof(KTIMER));
}

void ke_timers_visit_set(void (*visit)(void *context, void *timer, size_t bytes), void *context)
{
    set_visit_t call = { visit, context };
    ke_timer_queue_visit(visit_set, &call);
}
