/*
 * lock.c - waiting for the lock of a framework object, and taking it from its owner.
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

/* When this returns the word is for all. */
static void revoke(wdf_lock_t *lock, ke_thread_t *owner)
{
    uint32_t turns = 0;
    if (owner != WDF_LOCK_REVOKED && atomic_compare_exchange_strong(&lock->owner, &owner, WDF_LOCK_REVOKED)) {
        host_fence_heavy();
        while (atomic_load_explicit(&lock->inside, memory_order_acquire) != 0)
            wdf_lock_wait(&turns);
        atomic_store_explicit(&lock->owner, NULL, memory_order_release);
    }
    while (atomic_load_explicit(&lock->owner, memory_order_acquire) != NULL)
        wdf_lock_wait(&turns);
}

void wdf_lock_slow(wdf_lock_t *lock)
{
    uint32_t     turns = 0;
    ke_thread_t *owner = atomic_load_explicit(&lock->owner, memory_order_acquire);
    if (owner != NULL)
        revoke(lock, owner);
    while (atomic_exchange(&lock->word, 1) != 0)
        while (atomic_load_explicit(&lock->word, memory_order_relaxed) != 0)
            wdf_lock_wait(&turns);
}
