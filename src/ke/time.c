/*
 * time.c - the two clocks that drivers read: the date, and how long the machine has been up.
 *
 * Units       100 ns.
 * Source      WDK reference: wdm.h, KeQuerySystemTime, KeQueryInterruptTime, KeQueryPerformanceCounter, KeQueryTickCount.
 * Fidelity    the clocks of Windows stand still between two ticks; these do not. There is no sleep state, so no bias either.
 */
#include "ke/bugcheck.h"
#include "ke/wait.h"

#define UNIT_NS 100u

static uint64_t booted_at_ns;

void ke_time_boot(void) { booted_at_ns = host_clock_ns(); }

/* A driver may wait for a moment to come by asking again and again. */
VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime)
{
    ke_loop_poll();
    CurrentTime->QuadPart = ke_thread_ready(__func__) != NULL ? (LONGLONG)host_wall_100ns() : 0;
}

ULONGLONG KeQueryInterruptTime(VOID)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL ? (host_clock_ns() - booted_at_ns) / UNIT_NS : 0;
}

VOID KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime) { KeQuerySystemTime(CurrentTime); }

ULONGLONG KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp)
{
    ULONGLONG now = KeQueryInterruptTime();
    *QpcTimeStamp = now; /* both count in 100 ns since boot */
    return now;
}

ULONGLONG KeQueryUnbiasedInterruptTime(VOID) { return KeQueryInterruptTime(); }

LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    if (PerformanceFrequency != NULL)
        PerformanceFrequency->QuadPart = 1000000000 / UNIT_NS;
    return (LARGE_INTEGER){ .QuadPart = (LONGLONG)KeQueryInterruptTime() };
}

#define TICK 156250u

ULONG KeQueryTimeIncrement(VOID) { return TICK; }

VOID KeQueryTickCount(PLARGE_INTEGER CurrentCount) { CurrentCount->QuadPart = (LONGLONG)(KeQueryInterruptTime() / TICK); }

VOID KeStallExecutionProcessor(ULONG MicroSeconds)
{
    uint64_t end = host_clock_ns() + (uint64_t)MicroSeconds * 1000;
    do
        ke_loop_poll();
    while (host_clock_ns() < end);
}
