/*
 * push_lock.c - push locks: one word that says who is in.
 *
 *     0                        free
 *     thread | HELD_FOR_WRITING    by that thread
 *     readers * ONE_READER         by so many
 *     + A_WRITER_WAITS             readers who come now wait behind him      + SOMEBODY_SLEEPS    who leaves last wakes them
 *
 * A release leaves the word free of all marks, and wakes everybody; who does not get in marks it again.
 *
 * Locks       none: the word is all there is. It is slept on by its lower half, where every change of hands shows.
 * Source      WDK reference: wdm.h, the pages of these routines.
 * Fidelity    which thread writes is known, and so its mistakes are; readers are only counted. Whether APCs are off is not checked.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/probe.h"

#define HELD_FOR_WRITING 1u /* threads' addresses are multiples of 16 */
#define A_WRITER_WAITS 2u
#define SOMEBODY_SLEEPS 4u
#define MARKS (A_WRITER_WAITS | SOMEBODY_SLEEPS)
#define ONE_READER 16u
#define RECHECK_NS 5000000u /* how late a sleeper may notice that the machine has halted */

static ULONG_PTR thread_word(void) { return (ULONG_PTR)ke_self()->kthread | HELD_FOR_WRITING; }

static _Atomic uint32_t *lower_half(PEX_PUSH_LOCK lock)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lower half comes first");
    return (_Atomic uint32_t *)(void *)lock;
}

static bool change(PEX_PUSH_LOCK lock, ULONG_PTR *from, ULONG_PTR to)
{
    return __atomic_compare_exchange_n(lock, from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void sleep_while(PEX_PUSH_LOCK lock, ULONG_PTR word, ULONG_PTR mark)
{
    ke_wait_poll();
    if ((word & mark) == mark || change(lock, &word, word | mark))
        host_wait(lower_half(lock), (uint32_t)(word | mark), RECHECK_NS);
}

static bool may_enter(ULONG_PTR word, bool writing)
{
    if (writing)
        return (word & ~(ULONG_PTR)MARKS) == 0;
    return (word & (HELD_FOR_WRITING | A_WRITER_WAITS)) == 0;
}

static ULONG_PTR entered(ULONG_PTR word, bool writing) { return writing ? thread_word() | (word & SOMEBODY_SLEEPS) : word + ONE_READER; }

static void acquire(const char *routine, PEX_PUSH_LOCK lock, bool writing)
{
    ke_thread_t *self = ke_thread_enter(routine);
    ULONG_PTR    word = self != NULL ? __atomic_load_n(lock, __ATOMIC_RELAXED) : 0, mark = SOMEBODY_SLEEPS | (writing ? A_WRITER_WAITS : 0);
    if (self == NULL)
        return;
    while (!may_enter(word, writing) || !change(lock, &word, entered(word, writing))) {
        if ((word & ~(ULONG_PTR)MARKS) == thread_word())
            ke_bugcheck(routine, "This thread holds the push lock for writing already: it would wait for itself.", MUTEX_ALREADY_OWNED,
                        (ULONG_PTR)lock, (ULONG_PTR)self->kthread, 0, 0);
        if (!may_enter(word, writing))
            sleep_while(lock, word, mark);
        word = __atomic_load_n(lock, __ATOMIC_RELAXED);
    }
    ke_thread_leave(self);
}

static _Noreturn void not_held(const char *routine, PEX_PUSH_LOCK lock)
{
    ke_bugcheck(routine, "A push lock was released by who does not hold it, or not in this mode.", THREAD_NOT_MUTEX_OWNER, (ULONG_PTR)lock,
                (ULONG_PTR)ke_self()->kthread, 0, 0);
}

static bool is_held(ULONG_PTR word, bool writing)
{
    return writing ? (word & ~(ULONG_PTR)MARKS) == thread_word() : (word & HELD_FOR_WRITING) == 0 && word >= ONE_READER;
}

static ULONG_PTR left(ULONG_PTR word, bool writing)
{
    ULONG_PTR others = writing ? 0 : (word & ~(ULONG_PTR)MARKS) - ONE_READER;
    return others != 0 ? others | (word & MARKS) : 0;
}

static void release(const char *routine, PEX_PUSH_LOCK lock, bool writing)
{
    if (ke_thread_ready(routine) == NULL)
        return;
    ULONG_PTR word = __atomic_load_n(lock, __ATOMIC_RELAXED);
    do {
        if (!is_held(word, writing))
            not_held(routine, lock);
    } while (!change(lock, &word, left(word, writing)));
    if ((word & SOMEBODY_SLEEPS) != 0 && left(word, writing) == 0)
        host_wake(lower_half(lock), true); /* whoever has freed the lock's memory meanwhile is woken for nothing */
}

VOID ExInitializePushLock(PEX_PUSH_LOCK PushLock) { *PushLock = 0; }

VOID ExAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    (void)Flags;
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_probe_lock(__func__, KE_PUSH_LOCK_ACQUIRE, PushLock, 0);
    acquire(__func__, PushLock, true);
}

VOID ExAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    (void)Flags;
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_probe_lock(__func__, KE_PUSH_LOCK_ACQUIRE, PushLock, 0);
    acquire(__func__, PushLock, false);
}

VOID ExReleasePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    (void)Flags;
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_probe_lock(__func__, KE_PUSH_LOCK_RELEASE, PushLock, 0);
    release(__func__, PushLock, true);
}

VOID ExReleasePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags)
{
    (void)Flags;
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_probe_lock(__func__, KE_PUSH_LOCK_RELEASE, PushLock, 0);
    release(__func__, PushLock, false);
}
