/*
 * lock.h - the simulator's own locks: a word that spins a little, then sleeps.
 * They protect the machine's tables from host threads; they are invisible to the driver and have nothing to do with IRQL.
 * A thread that waits for a lock of a halted machine leaves by its innermost catch (bugcheck.h) instead of hanging.
 * Debug builds keep the ranks a thread holds and stop at the first wrong order.
 */
#ifndef NTMM_KE_LOCK_H
#define NTMM_KE_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"
#include "ke/lock_rank.h"

typedef struct ke_lock {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody sleeps */
    uint32_t         rank; /* ke_lock_rank_t */
} ke_lock_t;

#define KE_LOCK_INIT(r) \
    { \
        0, (r) \
    }

void ke_lock_slow(ke_lock_t *lock);
void ke_unlock_slow(ke_lock_t *lock);
#ifndef NDEBUG
void ke_lock_rank_push(const ke_lock_t *lock);
void ke_lock_rank_pop(const ke_lock_t *lock);
#else
#define ke_lock_rank_push(l) ((void)0)
#define ke_lock_rank_pop(l) ((void)0)
#endif

static inline void ke_lock_init(ke_lock_t *lock, ke_lock_rank_t rank)
{
    atomic_store_explicit(&lock->word, 0, memory_order_relaxed);
    lock->rank = rank;
}
static inline void ke_lock(ke_lock_t *lock)
{
    uint32_t expected = 0;
    ke_lock_rank_push(lock);
    if (NTMM_UNLIKELY(!atomic_compare_exchange_strong_explicit(&lock->word, &expected, 1, memory_order_acquire, memory_order_relaxed)))
        ke_lock_slow(lock);
}
static inline bool ke_lock_try(ke_lock_t *lock)
{
    uint32_t expected = 0;
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &expected, 1, memory_order_acquire, memory_order_relaxed))
        return false;
    ke_lock_rank_push(lock);
    return true;
}
static inline void ke_unlock(ke_lock_t *lock)
{
    ke_lock_rank_pop(lock);
    if (NTMM_UNLIKELY(atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2))
        ke_unlock_slow(lock);
}
static inline bool ke_lock_is_held(const ke_lock_t *lock) /* by somebody: for assertions */
{
    return atomic_load_explicit(&lock->word, memory_order_relaxed) != 0;
}

#endif
