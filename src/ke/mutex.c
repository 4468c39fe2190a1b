/*
 * mutex.c - mutexes (the kernel calls the object a mutant): who owns one, how often, and what becomes of it when the owner ends.
 *
 *     free --a wait is satisfied--> owned --KeReleaseMutex, as often as acquired--> free, or the next waiter's
 *      1                            0, -1 ...  `--the owner's thread ends--> free, Abandoned: the next wait says STATUS_ABANDONED
 *
 * A system thread that ends by itself with a mutex stops the machine (0x4000008A). A thread of the test is no thread of the kernel's, and a
 * thread that a stop has ended must not stop the machine once more: those abandon what they own.
 *
 * What a thread owns is noted in its record, not in the driver's memory, so that a mutex in freed memory is found out instead of followed.
 *
 * Locks       ke_dispatcher_lock.
 * Source      WDK reference: wdm.h, KeInitializeMutex, KeReleaseMutex, KeReadStateMutex; Bug Check 0x4000008A.
 * Fidelity    MutantListEntry and Header.WaitListHead stay empty lists. Of more than KE_THREAD_MUTEXES mutexes the later ones are not known
 *             when the thread ends.
 */
#include <string.h>

#include "ke/bugcheck.h"
#include "ke/exception.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "ke/wait.h"

VOID KeInitializeMutex(PRKMUTEX Mutex, ULONG Level)
{
    (void)Level;
    ke_probe_object(__func__, Mutex);
    ke_dispatcher_header_init(&Mutex->Header, KE_OBJECT_MUTEX, sizeof *Mutex, 1);
    Mutex->MutantListEntry.Flink = Mutex->MutantListEntry.Blink = &Mutex->MutantListEntry;
    Mutex->OwnerThread = NULL;
    Mutex->Abandoned = FALSE;
    Mutex->ApcDisable = 1;
}

/* ---- what a thread owns ---- */

static void note_owned_locked(ke_thread_t *thread, PKMUTEX mutex)
{
    if (thread->mutex_count < KE_THREAD_MUTEXES)
        thread->mutexes[thread->mutex_count++] = mutex;
}

static void forget_owned_locked(ke_thread_t *thread, const KMUTEX *mutex)
{
    for (uint32_t i = 0; i < thread->mutex_count; i++)
        if (thread->mutexes[i] == mutex) {
            thread->mutexes[i] = thread->mutexes[--thread->mutex_count];
            return;
        }
}

static void *owner_of(const KMUTEX *mutex) { return __atomic_load_n(&mutex->OwnerThread, __ATOMIC_RELAXED); }

static void set_owner_locked(PKMUTEX mutex, void *owner) { __atomic_store_n(&mutex->OwnerThread, owner, __ATOMIC_RELAXED); }

bool ke_mutex_is_owned_by(const DISPATCHER_HEADER *object, const ke_thread_t *thread)
{
    return owner_of((const KMUTEX *)object) == thread->kthread;
}

/* ---- a wait is satisfied ---- */

bool ke_mutex_take_locked(PDISPATCHER_HEADER object, ke_thread_t *thread)
{
    PKMUTEX mutex = (PKMUTEX)object;
    LONG    state = object->SignalState - 1;
    bool    was_abandoned = mutex->Abandoned != FALSE;
    __atomic_store_n(&object->SignalState, state, __ATOMIC_RELAXED);
    if (state != 0) /* once more by its owner */
        return false;
    set_owner_locked(mutex, thread->kthread);
    mutex->Abandoned = FALSE;
    thread->kernel_apc_disable = (int16_t)(thread->kernel_apc_disable + mutex->ApcDisable);
    note_owned_locked(thread, mutex);
    return was_abandoned;
}

/* ---- releasing ---- */

static void become_free_locked(PKMUTEX mutex)
{
    set_owner_locked(mutex, NULL);
    __atomic_store_n(&mutex->Header.SignalState, 1, __ATOMIC_RELAXED);
    ke_wait_test_locked(&mutex->Header);
}

static NTSTATUS release(ke_thread_t *self, PKMUTEX mutex, LONG *before)
{
    NTSTATUS status = STATUS_SUCCESS;
    (void)owner_of(mutex); /* a bad address faults here */
    ke_lock(&ke_dispatcher_lock);
    *before = mutex->Header.SignalState;
    if (owner_of(mutex) != self->kthread) {
        status = mutex->Abandoned ? STATUS_ABANDONED : STATUS_MUTANT_NOT_OWNED;
    } else if (*before < 0) {
        __atomic_store_n(&mutex->Header.SignalState, *before + 1, __ATOMIC_RELAXED);
    } else {
        self->kernel_apc_disable = (int16_t)(self->kernel_apc_disable - mutex->ApcDisable);
        forget_owned_locked(self, mutex);
        become_free_locked(mutex);
    }
    ke_unlock(&ke_dispatcher_lock);
    return status;
}

LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait)
{
    LONG before = 0;
    KE_REQUIRE_IRQL(Wait ? APC_LEVEL : DISPATCH_LEVEL);
    ke_probe_own(__func__, KE_OWN_GIVE, KE_OWN_MUTEX, Mutex);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return 0;
    NTSTATUS status = release(self, Mutex, &before);
    ke_thread_leave(self);
    if (status != STATUS_SUCCESS)
        ke_raise_status(__func__, status, KE_CALLER());
    if (Wait)
        ke_wait_stay_raised(__func__, KE_CALLER());
    return before;
}

LONG KeReadStateMutex(PRKMUTEX Mutex)
{
    ke_loop_poll();
    return ke_thread_ready(__func__) != NULL ? __atomic_load_n(&Mutex->Header.SignalState, __ATOMIC_ACQUIRE) : 0;
}

/* ---- the owner ends ---- */

void ke_mutex_check_end(const char *routine)
{
    const ke_thread_t *self = ke_self();
    if (self->mutex_count != 0)
        ke_bugcheck(routine, "A system thread ended and still owned a mutex.", THREAD_TERMINATE_HELD_MUTEX, (ULONG_PTR)self->kthread,
                    (ULONG_PTR)self->mutexes[0], 0, 0);
}

/* Freed memory keeps much of what was in it; its beginning is what a pool overwrites first. */
static bool is_still_there(const KMUTEX *mutex, const ke_thread_t *owner)
{
    host_peeked_t     head = host_peek_word(&mutex->Header), peeked = host_peek_word(&mutex->OwnerThread);
    DISPATCHER_HEADER header = { 0 };
    memcpy(&header, &head.value, sizeof head.value);
    return head.there != 0 && header.Type == KE_OBJECT_MUTEX && header.Size == sizeof *mutex / sizeof(LONG) && peeked.there != 0 &&
           peeked.value == (uintptr_t)owner->kthread;
}

void ke_mutexes_abandon(ke_thread_t *thread)
{
    while (thread->mutex_count != 0) {
        PKMUTEX mutex = thread->mutexes[--thread->mutex_count];
        if (!is_still_there(mutex, thread))
            continue;
        ke_lock(&ke_dispatcher_lock);
        mutex->Abandoned = TRUE;
        become_free_locked(mutex);
        ke_unlock(&ke_dispatcher_lock);
    }
}
