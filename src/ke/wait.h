/*
 * wait.h - dispatcher objects inside the library: what event.c, and whoever signals an event of the machine's own, need of the waits.
 */
#ifndef NTMM_KE_WAIT_H
#define NTMM_KE_WAIT_H

#include "ke/lock.h"
#include "ke/thread.h"

extern ke_lock_t ke_dispatcher_lock; /* KE_RANK_KE_DISPATCHER */

void ke_dispatcher_boot(void); /* nobody waits, whatever the machine before left behind */

/* Header.Type, as a debugger knows them. Those of events are the values of EVENT_TYPE. */
enum ke_object_type {
    KE_OBJECT_MUTEX = 2,
    KE_OBJECT_SEMAPHORE = 5,
    KE_OBJECT_THREAD = 6,
    KE_OBJECT_TIMER = 8,
    KE_OBJECT_SYNCHRONIZATION_TIMER = 9
};
static inline bool ke_object_is_event(const DISPATCHER_HEADER *object)
{
    return object->Type == NotificationEvent || object->Type == SynchronizationEvent;
}

/* The object has just become signaled: let go on who may. */
void ke_wait_test_locked(PDISPATCHER_HEADER object);
void ke_wait_wake_due(uint64_t now); /* a clock that stands still was moved: whose time is up finds out */

static inline void ke_dispatcher_header_init(PDISPATCHER_HEADER header, uint8_t type, size_t bytes, LONG state)
{
    header->Lock = 0;
    header->Type = type;
    header->Size = (UCHAR)(bytes / sizeof(LONG));
    __atomic_store_n(&header->SignalState, state, __ATOMIC_RELAXED);
    header->WaitListHead.Flink = header->WaitListHead.Blink = &header->WaitListHead;
}

/* The Wait argument of KeSetEvent and its like: the thread is at DISPATCH_LEVEL, and its next wait comes down again. */
void ke_wait_stay_raised(const char *routine, ULONG_PTR caller);

/* mutex.c: what waits need of mutexes. */
bool ke_mutex_is_owned_by(const DISPATCHER_HEADER *object, const ke_thread_t *thread);
bool ke_mutex_take_locked(PDISPATCHER_HEADER object, ke_thread_t *thread); /* free, or the thread's own. true: it was abandoned */
void ke_mutex_check_end(const char *routine); /* the calling system thread ends by itself: 0x4000008A if it owns one */
void ke_mutexes_abandon(ke_thread_t *thread); /* the calling thread ends: what it owns is free, and whoever waits for it goes on */

/* KeSetEvent and KeResetEvent without their rules, at any IRQL. The event lies where reading it does not fault. Return the state before. */
LONG ke_event_set(PRKEVENT event);
LONG ke_event_reset(PRKEVENT event);

#endif
