/*
 * lock.c - waiting for the lock of a framework object: it will be free in a moment, unless the machine has halted.
 *
 * Locks       this is one.
 */
#include "wdf/lock.h"

#include "ke/bugcheck.h"

#define TURNS_BEFORE_SLEEP 200u
#define SLEEP_NS 20000u

void wdf_lock_wait(uint32_t *turns)
{
    ke_wait_poll();
    if (++*turns > TURNS_BEFORE_SLEEP)
        host_sleep_ns(SLEEP_NS);
}

void wdf_lock_slow(wdf_lock_t *lock)
{
    uint32_t turns = 0;
    do {
        while (atomic_load_explicit(&lock->word, memory_order_relaxed) != 0)
            wdf_lock_wait(&turns);
    } while (atomic_exchange(&lock->word, 1) != 0);
}
