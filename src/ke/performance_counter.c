/*
 * performance_counter.c - the counter that drivers measure with: a piece of hardware of its own, which may be defective.
 * A sound one counts as the machine's clock does. One that a test has made jump (ntmm_performance_counter_jump) is ahead of it or behind from
 * then on; what else knows the time does not go by the counter, and is right still.
 *
 *     interrupt time    ----1----2----3----4----5----
 *     counter           ----1----2----6----7----8----      it jumped by 3
 *
 * Units       100 ns, which is what the counter counts in as well.
 * Locks       none: one atomic word.
 * Elsewhere   Driver Verifier's look at each value: vf/performance_counter.c.
 * Source      WDK reference: wdm.h, KeQueryPerformanceCounter; Bug Check 0xE6.
 */
#include <errno.h>

#include "ke/bugcheck.h"
#include "ke/time.h"

#define FREQUENCY 10000000

int64_t (*ke_counter_watch)(const char *routine);

static _Atomic int64_t ahead; /* of the interrupt time */

void ke_counter_boot(void) { atomic_store(&ahead, 0); }

int64_t ke_counter_at(uint64_t interrupt_time) { return (int64_t)interrupt_time + atomic_load(&ahead); }

LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency)
{
    ke_loop_poll();
    if (PerformanceFrequency != NULL)
        PerformanceFrequency->QuadPart = FREQUENCY;
    if (ke_thread_ready(__func__) == NULL)
        return (LARGE_INTEGER){ .QuadPart = 0 };
    return (LARGE_INTEGER){ .QuadPart = ke_counter_watch != NULL ? ke_counter_watch(__func__) : ke_counter_at(ke_time_now()) };
}

int ntmm_performance_counter_jump(int64_t units)
{
    if (atomic_load(&ke_machine_state) != KE_MACHINE_UP)
        return ke_error(-ENODEV, "%s: no machine is up, or it has halted", __func__);
    (void)atomic_fetch_add(&ahead, units);
    return 0;
}
