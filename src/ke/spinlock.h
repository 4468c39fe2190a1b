/*
 * spinlock.h - the word of a spin lock, for every kind made of a KSPIN_LOCK.
 *
 *     0                               free
 *     record | KE_SPIN_HELD           held as an ordinary lock
 *     record | KE_SPIN_HELD | _QUEUED held as a queued lock, and | _WAITERS when somebody stands in line for it
 *
 * A verifier that wants to see every acquire and release finds them pass through ke_spin_take and ke_spin_let_go here, and their queued
 * twins.
 */
#ifndef NTMM_KE_SPINLOCK_H
#define NTMM_KE_SPINLOCK_H

#include "ke/irql.h"

#define KE_SPIN_HELD 1u
#define KE_SPIN_QUEUED 2u
#define KE_SPIN_WAITERS 4u
#define KE_SPIN_BITS ((KSPIN_LOCK)7)

static inline KSPIN_LOCK ke_spin_word(const ke_thread_t *thread, unsigned bits) { return (KSPIN_LOCK)thread | bits; }
static inline bool       ke_spin_is_mine(KSPIN_LOCK word, const ke_thread_t *thread)
{
    return (word & KE_SPIN_HELD) != 0 && (word & ~KE_SPIN_BITS) == (KSPIN_LOCK)thread;
}

static inline bool ke_spin_try(PKSPIN_LOCK lock, KSPIN_LOCK word)
{
    KSPIN_LOCK free = 0;
    return __atomic_compare_exchange_n(lock, &free, word, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* One turn of waiting for another thread to let go: pause, then yield, then sleep; leaves when the machine has halted. */
void ke_spin_turn(uint32_t *turn);

/* 0x0F and 0x10. */
_Noreturn NTMM_COLD void ke_spin_is_owned(const volatile void *lock, const ke_thread_t *thread, const char *routine, ULONG_PTR caller);
_Noreturn NTMM_COLD void ke_spin_is_not_owned(const volatile void *lock, const ke_thread_t *thread, const char *why, const char *routine,
                                              ULONG_PTR caller);

/* An ordinary lock, IRQL unchanged. false: refused, nothing taken (the machine is not up). thread: the caller's own record, made ready. */
bool               ke_spin_take_slow(PKSPIN_LOCK lock, ke_thread_t *thread, const char *routine, ULONG_PTR caller);
static inline bool ke_spin_take(PKSPIN_LOCK lock, ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    return NTMM_LIKELY(ke_spin_try(lock, ke_spin_word(thread, KE_SPIN_HELD))) || ke_spin_take_slow(lock, thread, routine, caller);
}

bool               ke_spin_let_go_slow(PKSPIN_LOCK lock, const char *routine, ULONG_PTR caller);
static inline bool ke_spin_let_go(PKSPIN_LOCK lock, const ke_thread_t *thread, const char *routine, ULONG_PTR caller)
{
    if (NTMM_UNLIKELY(__atomic_load_n(lock, __ATOMIC_RELAXED) != ke_spin_word(thread, KE_SPIN_HELD)))
        return ke_spin_let_go_slow(lock, routine, caller);
    __atomic_store_n(lock, (KSPIN_LOCK)0, __ATOMIC_RELEASE);
    return true;
}

void     ke_queued_locks_boot(void);
uint32_t ke_queued_waiters(PKSPIN_LOCK lock); /* how many threads stand in line for it now: for inspection */

#endif
