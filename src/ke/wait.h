/*
 * wait.h - dispatcher objects inside the library: what event.c, and whoever signals an event of the machine's own, need of the waits.
 */
#ifndef NTMM_KE_WAIT_H
#define NTMM_KE_WAIT_H

#include "ke/lock.h"
#include "ke/thread.h"

extern ke_lock_t ke_dispatcher_lock; /* KE_RANK_KE_DISPATCHER */

void ke_dispatcher_boot(void); /* nobody waits, whatever the machine before left behind */
void ke_time_boot(void);       /* time.c: the interrupt time begins */

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

/* KeSetEvent and KeResetEvent without their rules, at any IRQL. The event lies where reading it does not fault. Return the state before. */
LONG ke_event_set(PRKEVENT event);
LONG ke_event_reset(PRKEVENT event);

#endif
