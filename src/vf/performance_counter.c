/*
 * performance_counter.c - DMA checking looks at the performance counter, too: each value that a driver is given is compared with the one before
 * and with the machine's clock, so that a defective counter is found out at the next query.
 *
 *     less than the value before                                      0xE6/0x01
 *     more than a second further ahead of the clock than before       0xE6/0x02
 *
 * Two processors may ask at once, and the later value be noted first: so what is compared with is read before the counter is.
 *
 * Units       100 ns.
 * Locks       none.
 * Source      WDK documentation: Bug Check 0xE6, which says that the values are displayed: ntmm_error() has them.
 * Fidelity    what "too fast" is no page says: a second (choice). A counter that goes back by less than has passed since the last query is not
 *             found out, as no value has decreased.
 */
#include "vf/dma.h"

#include "ke/bugcheck.h"
#include "ke/time.h"

#define TOO_FAST 10000000

static _Atomic int64_t last, ahead; /* the highest value so far; how far the counter was ahead of the clock at a query */

static void compare(const char *routine, int64_t before, int64_t ahead_before, int64_t now, uint64_t clock)
{
    if (now < before) {
        ke_error(0, "the performance counter was %lld, and is %lld", (long long)before, (long long)now);
        ke_bugcheck(routine, "The performance counter went backwards: the machine is defective.", DRIVER_VERIFIER_DMA_VIOLATION, 0x01, 0, 0,
                    0);
    }
    if (now - (int64_t)clock - ahead_before > TOO_FAST) {
        ke_error(0, "the performance counter is %lld, %lld ahead of the clock", (long long)now, (long long)(now - (int64_t)clock));
        ke_bugcheck(routine, "The performance counter runs too fast: the machine is defective.", DRIVER_VERIFIER_DMA_VIOLATION, 0x02, 0, 0,
                    0);
    }
}

static int64_t watch(const char *routine)
{
    int64_t  before = atomic_load(&last), ahead_before = atomic_load(&ahead);
    uint64_t clock = ke_time_now();
    int64_t  now = ke_counter_at(clock);
    compare(routine, before, ahead_before, now, clock);
    while (before < now && !atomic_compare_exchange_weak(&last, &before, now))
        ;
    atomic_store(&ahead, now - (int64_t)clock);
    return now;
}

void vf_counter_boot(bool on)
{
    atomic_store(&last, 0);
    atomic_store(&ahead, 0);
    ke_counter_watch = on ? watch : NULL;
}
