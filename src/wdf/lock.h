/*
 * lock.h - the lock of a framework object: held for a few instructions, and cheap for the thread that made the object.
 * Nothing is called while it is held but other such locks, a parent's before its child's.
 *
 * It is a word to spin on. But most objects that others come and go under, drivers, devices, lists, are used by one thread most of the time, and an
 * atomic exchange costs as much as an allocation. So such a lock can be given to a thread, its owner, which takes it with plain stores:
 *
 *     owner:    inside = 1 ; light fence ; owner is still me ? go on : inside = 0, as others
 *     another:  owner = REVOKED ; heavy fence ; until inside == 0 ; owner = NULL, and from then on the word is for all
 *
 * Either the owner's store is seen by the other thread, or the other's by the owner: the heavy fence stands for both light ones. On a host where
 * the light fence would be a real one, no lock has an owner.
 *
 * Invariant   the word is taken only while there is no owner; so whoever holds the lock sees by the word in which way.
 * Lock key: (A) atomic
 */
#ifndef NTMM_WDF_LOCK_H
#define NTMM_WDF_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "ke/thread.h"

typedef struct wdf_lock {
    _Atomic uint32_t       word;   /* (A) 1: held, by no owner */
    _Atomic uint32_t       inside; /* (A) 1: the owner holds it, or looks whether it may */
    _Atomic(ke_thread_t *) owner;  /* (A) NULL: none, or none any more */
} wdf_lock_t;
#define WDF_LOCK_REVOKED ((ke_thread_t *)1)

/* Before anybody else knows the lock: this thread is its owner. */
static inline void wdf_lock_bias(wdf_lock_t *lock)
{
    if (host_fence_is_free)
        atomic_store_explicit(&lock->owner, ke_self(), memory_order_relaxed);
}

void wdf_lock_slow(wdf_lock_t *lock); /* another's, or held */
/* One turn of waiting for another thread to get out of the way; leaves when the machine has halted. *turns: 0 at first. */
void wdf_lock_wait(uint32_t *turns);

/* For a short way that calls nothing: taken as its owner, or not at all. */
static inline bool wdf_lock_own(wdf_lock_t *lock, const ke_thread_t *self)
{
    if (NTMM_UNLIKELY(atomic_load_explicit(&lock->owner, memory_order_acquire) != self))
        return false;
    atomic_store_explicit(&lock->inside, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* the light fence is free, or there would be no owner */
    if (NTMM_LIKELY(atomic_load_explicit(&lock->owner, memory_order_acquire) == self))
        return true;
    atomic_store_explicit(&lock->inside, 0, memory_order_release);
    return false;
}
static inline void wdf_unlock_own(wdf_lock_t *lock) { atomic_store_explicit(&lock->inside, 0, memory_order_release); }

static inline void wdf_lock(wdf_lock_t *lock)
{
    bool is_mine = atomic_load_explicit(&lock->owner, memory_order_acquire) == NULL ? atomic_exchange(&lock->word, 1) == 0
                                                                                    : wdf_lock_own(lock, ke_self());
    if (NTMM_UNLIKELY(!is_mine))
        wdf_lock_slow(lock);
}

static inline void wdf_unlock(wdf_lock_t *lock)
{
    bool by_word = atomic_load_explicit(&lock->word, memory_order_relaxed) != 0;
    atomic_store_explicit(by_word ? &lock->word : &lock->inside, 0, memory_order_release);
}

/* Nobody holds it, nor has an owner that might without our knowledge: in the order of all atomic exchanges. */
static inline bool wdf_lock_is_free(wdf_lock_t *lock)
{
    return atomic_load(&lock->word) == 0 && atomic_load_explicit(&lock->owner, memory_order_relaxed) == NULL;
}

#endif
