/*
 * lock.h - the lock of a framework object: a word to spin on, held for a few instructions.
 * Nothing is called while it is held but other such locks, a child's before its parent's.
 */
#ifndef NTMM_WDF_LOCK_H
#define NTMM_WDF_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

typedef struct wdf_lock {
    _Atomic uint32_t word; /* 1: held */
} wdf_lock_t;

void wdf_lock_slow(wdf_lock_t *lock);
/* One turn of waiting for another thread to get out of the way; leaves when the machine has halted. *turns: 0 at first. */
void wdf_lock_wait(uint32_t *turns);

static inline void wdf_lock(wdf_lock_t *lock)
{
    if (NTMM_UNLIKELY(atomic_exchange(&lock->word, 1) != 0))
        wdf_lock_slow(lock);
}
static inline void wdf_unlock(wdf_lock_t *lock) { atomic_store_explicit(&lock->word, 0, memory_order_release); }

#endif
