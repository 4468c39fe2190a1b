/*
 * pair.c - the exchange of a pair by lock, for processors that cannot do it at once. Built everywhere, so that it is tested everywhere.
 *
 * Locks   one of a few flags, picked by the pair's address; held for a handful of instructions, so whoever waits spins. The two words are
 *         stored one after the other: readers take them one by one anyway.
 */
#include "rtl/pair.h"

#include <stdatomic.h>

#include "host/host.h"

#define LOCK_COUNT 16u

static atomic_flag pair_locks[LOCK_COUNT];

static atomic_flag *lock_of(const rt_pair_t *at) { return &pair_locks[((uintptr_t)at >> 6) % LOCK_COUNT]; }

bool rt_pair_exchange_locked(rt_pair_t *at, rt_pair_t expected, rt_pair_t desired)
{
    atomic_flag *lock = lock_of(at);
    bool         same;

    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
        host_pause();
    same = __atomic_load_n(&at->low, __ATOMIC_RELAXED) == expected.low && __atomic_load_n(&at->high, __ATOMIC_RELAXED) == expected.high;
    if (same) {
        __atomic_store_n(&at->low, desired.low, __ATOMIC_RELEASE);
        __atomic_store_n(&at->high, desired.high, __ATOMIC_RELEASE);
    }
    atomic_flag_clear_explicit(lock, memory_order_release);
    return same;
}
