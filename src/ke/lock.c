/*
 * lock.c - the slow half of the simulator's locks: spin a little, then sleep. The word is 0 (free), 1 (held) or 2 (held, and somebody may
 * sleep on it). A waiter that has spun in vain writes 2 before it sleeps; the holder that finds a 2 when it lets go wakes one sleeper. A
 * sleeper wakes up now and then by itself, to see whether the machine has halted: then it leaves by its innermost catch (ke_wait_poll),
 * for the holder may have been stopped with the lock in its hand.
 *
 * Locks   these are they.
 */
#include "ke/bugcheck.h"
#include "ke/lock.h"
#include "ke/thread.h"

#define SPINS_BEFORE_SLEEP 200u
#define SLEEP_NS 5000000u /* how late a sleeper may notice that the machine has halted */

static bool lock_try(ke_lock_t *lock)
{
    uint32_t expected = 0;
    return atomic_load_explicit(&lock->word, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_weak_explicit(&lock->word, &expected, 1, memory_order_acquire, memory_order_relaxed);
}

void ke_lock_slow(ke_lock_t *lock)
{
    for (uint32_t spins = 0; spins < SPINS_BEFORE_SLEEP; spins++) {
        if (lock_try(lock))
            return;
        host_pause();
    }
    while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0) {
        ke_wait_poll();
        host_wait(&lock->word, 2, SLEEP_NS);
    }
}

void ke_unlock_slow(ke_lock_t *lock) { host_wake(&lock->word, false); }

#ifndef NDEBUG
/* The record that all threads share before their first slow call is read-only: what they hold is not kept, hence not checked. */
static ke_thread_t *rank_keeper(void)
{
    ke_thread_t *self = ke_self();
    return self == &ke_empty_thread ? NULL : self;
}

void ke_lock_rank_push(const ke_lock_t *lock)
{
    ke_thread_t *self = rank_keeper();
    if (self == NULL)
        return;
    NTMM_INVARIANT(lock->rank > KE_RANK_NONE && lock->rank <= KE_RANK_LEAF, "a lock is initialised, with a rank, before it is taken");
    NTMM_INVARIANT((self->ranks_held >> lock->rank) == 0, "a lock is taken only above every rank that the thread holds (lock_rank.h)");
    self->ranks_held |= 1u << lock->rank;
}

void ke_lock_rank_pop(const ke_lock_t *lock)
{
    ke_thread_t *self = rank_keeper();
    if (self != NULL)
        self->ranks_held &= ~(1u << lock->rank);
}
#endif
