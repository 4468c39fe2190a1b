/*
 * ke_event.h - event objects: a state, signaled or not, that threads wait for (ke_wait.h).
 *
 *                        KeSetEvent                                   a wait is satisfied
 *     NotificationEvent  all waiters go on, the event stays signaled  stays signaled, until KeClearEvent or KeResetEvent
 *     SynchronizationEvent  the waiter that came first goes on        not signaled any more
 *
 * The storage is the driver's, in nonpaged memory, and must stay until nobody waits for it.
 *
 * Source  WDK reference: wdm.h, "Event objects".
 */
#ifndef NTMM_DDK_WDM_KE_EVENT_H
#define NTMM_DDK_WDM_KE_EVENT_H

#include "dispatcher.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _EVENT_TYPE { NotificationEvent, SynchronizationEvent } EVENT_TYPE;

#define IO_NO_INCREMENT 0
#define EVENT_INCREMENT 1

/**
 * Make an event ready for use.
 *
 * @param Event  storage of sizeof(KEVENT) in nonpaged memory; nobody may wait for it
 * @param Type   NotificationEvent or SynchronizationEvent
 * @param State  TRUE: signaled
 * @irql         any
 * @models       an event that is initialised while somebody waits for it keeps its waiters (Windows loses them)
 * @source       WDK reference: wdm.h, KeInitializeEvent
 */
NTKERNELAPI VOID KeInitializeEvent(PRKEVENT Event, EVENT_TYPE Type, BOOLEAN State);

/**
 * Set an event to signaled. Of a notification event everybody who waits goes on; of a synchronization event the one who has waited longest,
 * and then the event is not signaled again.
 *
 * @param Increment  priority boost of those who go on: ignored, there are no priorities
 * @param Wait       TRUE: a KeWaitXxx call follows at once. The routine then returns at DISPATCH_LEVEL, and that wait restores the IRQL
 * @return           not 0: it was signaled already
 * @irql             <= DISPATCH_LEVEL; with Wait TRUE <= APC_LEVEL
 * @bugcheck         IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @source           WDK reference: wdm.h, KeSetEvent
 */
NTKERNELAPI LONG KeSetEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);

/**
 * Set an event to not signaled.
 *
 * @return    not 0: it was signaled. Whoever gets that answer of a synchronization event has got its signal, and no waiter has
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @source    WDK reference: wdm.h, KeResetEvent
 */
NTKERNELAPI LONG KeResetEvent(PRKEVENT Event);

/**
 * Set an event to not signaled, and do not ask what it was: faster than KeResetEvent.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @source    WDK reference: wdm.h, KeClearEvent
 */
NTKERNELAPI VOID KeClearEvent(PRKEVENT Event);

/**
 * Look at an event.
 *
 * @return  not 0: it was signaled when this looked
 * @irql    <= DISPATCH_LEVEL; an interrupt service routine may call it as well, if the driver synchronises it with everything else that
 *          touches the event, so the level is not checked
 * @source  WDK reference: wdm.h, KeReadStateEvent
 */
NTKERNELAPI LONG KeReadStateEvent(PRKEVENT Event);

/**
 * Set an event to signaled, let those go on who wait for it now (of a synchronization event one), and set it to not signaled.
 *
 * @return    not 0: it was signaled before
 * @irql      <= DISPATCH_LEVEL; with Wait TRUE <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @source    WDK reference: ntddk.h, KePulseEvent
 */
NTKERNELAPI LONG KePulseEvent(PRKEVENT Event, KPRIORITY Increment, BOOLEAN Wait);

#ifdef __cplusplus
}
#endif
#endif
