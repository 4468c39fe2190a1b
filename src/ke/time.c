/*
 * time.c - the two clocks that drivers read: the date, and how long the machine has been up.
 *
 * Units       100 ns.
 * Source      WDK reference: wdm.h, KeQuerySystemTime, KeQueryInterruptTime.
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
