/*
 * time.c - the machine's clock: what time it is, for drivers and for the machine's own waits and timers.
 *
 *     the host's clock    interrupt time = host's monotonic clock - its value at boot
 *     one that stands     interrupt time = what ntmm_time_advance and waits have made of it (time_advance.c)
 *     either              system time = the date at boot + interrupt time;  ticks = interrupt time in other units
 *
 * So all of them agree at every moment, and an absolute due time is as good as a relative one.
 *
 * Units       100 ns.
 * Locks       none: one atomic word.
 * Elsewhere   the performance counter: performance_counter.c.
 * Source      WDK reference: wdm.h, KeQuerySystemTime, KeQueryInterruptTime, KeQueryTickCount.
 * Fidelity    the clocks of Windows stand still between two ticks; these do not. There is no sleep state, so no bias either. That somebody
 *             sets the host's date is noticed at the next boot.
 */
#include "ke/time.h"

#include "ke/bugcheck.h"
#include "ke/timer.h"
#include "ke/wait.h"

#define UNIT_NS 100u
#define DATE_OF_STANDING_CLOCK UINT64_C(133485408000000000) /* 1 January 2024, 0:00 UTC: the same on each run */

bool ke_time_stands_still;

static bool             next_stands_still;
static uint64_t         booted_at_ns, date_at_boot;
static _Atomic uint64_t standing; /* the interrupt time of a clock that stands still */

void ke_time_configure(bool stands_still) { next_stands_still = stands_still; }

void ke_time_boot(void)
{
    ke_time_stands_still = next_stands_still;
    next_stands_still = false;
    booted_at_ns = host_clock_ns();
    date_at_boot = ke_time_stands_still ? DATE_OF_STANDING_CLOCK : host_wall_100ns();
    atomic_store(&standing, 0);
    ke_counter_boot();
    atomic_store(&ke_work_waiting, 0);
}

/* ---- inside ---- */

uint64_t ke_time_now(void) { return ke_time_stands_still ? atomic_load(&standing) : (host_clock_ns() - booted_at_ns) / UNIT_NS; }

uint64_t ke_time_date(void) { return date_at_boot + ke_time_now(); }

uint64_t ke_time_due(int64_t when)
{
    uint64_t now = ke_time_now(), distance = 0 - (uint64_t)when;
    if (when < 0)
        return distance > KE_TIME_NEVER - 1 - now ? KE_TIME_NEVER - 1 : now + distance;
    return (uint64_t)when > date_at_boot ? (uint64_t)when - date_at_boot : 0;
}

uint64_t ke_time_left_ns(uint64_t due)
{
    uint64_t now = ke_time_now();
    if (due <= now)
        return 0;
    if (ke_time_stands_still || due - now > UINT64_MAX / UNIT_NS)
        return UINT64_MAX;
    uint64_t end_ns = booted_at_ns + due * UNIT_NS, now_ns = host_clock_ns(); /* to the nanosecond: not early, not one turn too many */
    return end_ns > now_ns ? end_ns - now_ns : 0;
}

void ke_time_move(uint64_t to)
{
    uint64_t before = atomic_load(&standing);
    while (before < to && !atomic_compare_exchange_weak(&standing, &before, to))
        ;
    ke_wait_wake_due(to);
}

/* ---- what drivers ask ---- */

/* A driver may wait for a moment to come by asking again and again. */
VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    ke_loop_poll();
    CurrentTime->QuadPart = ke_thread_ready(__func__) != NULL ? (LONGLONG)ke_time_date() : 0;
}

ULONGLONG KeQueryInterruptTime(VOID)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL ? ke_time_now() : 0;
}

VOID KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime) { KeQuerySystemTime(CurrentTime); }

ULONGLONG KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    ULONGLONG now = KeQueryInterruptTime();
    *QpcTimeStamp = (ULONG64)ke_counter_at(now);
    return now;
}

ULONGLONG KeQueryUnbiasedInterruptTime(VOID) { return KeQueryInterruptTime(); }
ULONGLONG KeQueryUnbiasedInterruptTimePrecise(PULONG64 QpcTimeStamp) { return KeQueryInterruptTimePrecise(QpcTimeStamp); }

#define TICK 156250u

ULONG KeQueryTimeIncrement(VOID) { return TICK; }

VOID KeQueryTickCount(PLARGE_INTEGER CurrentCount) { CurrentCount->QuadPart = (LONGLONG)(KeQueryInterruptTime() / TICK); }

/* On a clock that stands still this is how time passes. */
VOID KeStallExecutionProcessor(ULONG MicroSeconds)
{
    ke_loop_poll();
    if (ke_time_stands_still) {
        if (ke_thread_ready(__func__) != NULL)
            ke_time_advance(ke_time_now() + (uint64_t)MicroSeconds * 10);
        return;
    }
    uint64_t end = host_clock_ns() + (uint64_t)MicroSeconds * 1000;
    do
        ke_loop_poll();
    while (host_clock_ns() < end);
}
