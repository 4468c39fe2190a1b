/*
 * ke_mutex.h - mutexes and semaphores: objects that a thread waits for (ke_wait.h) and gives back.
 *
 *                                    SignalState                    a wait is satisfied when
 *     mutex      free                1                              it is free, or the caller's own: SignalState - 1
 *                owned n times       1 - n
 *     semaphore  count of units      count, 0 .. Limit              count is above 0: SignalState - 1
 *
 * Whoever owns a mutex gets no kernel APCs, as in a critical region, until it has released it as often as it acquired it.
 * Abandoned: the owner's thread has ended. The next wait gets the mutex, and STATUS_ABANDONED to say that what it protects may be half done.
 * The storage is the driver's, in nonpaged memory, and must stay until nobody waits for it or owns it.
 *
 * Source  WDK reference: wdm.h, "Mutex objects", "Semaphore objects"; Bug Check 0x4000008A; the x64 layout of wdm.h.
 */
#ifndef NTMM_DDK_WDM_KE_MUTEX_H
#define NTMM_DDK_WDM_KE_MUTEX_H

#include "dispatcher.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KMUTANT { /* opaque to drivers */
    DISPATCHER_HEADER Header;
    LIST_ENTRY        MutantListEntry;
    struct _KTHREAD  *OwnerThread;
    BOOLEAN           Abandoned;
    UCHAR             ApcDisable;
} KMUTANT, *PKMUTANT, *PRKMUTANT, KMUTEX, *PKMUTEX, *PRKMUTEX;

typedef struct _KSEMAPHORE { /* opaque to drivers */
    DISPATCHER_HEADER Header;
    LONG              Limit;
} KSEMAPHORE, *PKSEMAPHORE, *PRKSEMAPHORE;

NTMM_LAYOUT(sizeof(KMUTANT) == 56 && FIELD_OFFSET(KMUTANT, MutantListEntry) == 24, "KMUTANT, x64");
NTMM_LAYOUT(FIELD_OFFSET(KMUTANT, OwnerThread) == 40 && FIELD_OFFSET(KMUTANT, Abandoned) == 48, "KMUTANT, x64");
NTMM_LAYOUT(FIELD_OFFSET(KMUTANT, ApcDisable) == 49, "KMUTANT, x64");
NTMM_LAYOUT(sizeof(KSEMAPHORE) == 32 && FIELD_OFFSET(KSEMAPHORE, Limit) == 24, "KSEMAPHORE, x64");

#define SEMAPHORE_INCREMENT 1
#define KeWaitForMutexObject KeWaitForSingleObject

/**
 * Make a mutex ready for use: free.
 *
 * @param Mutex  storage of sizeof(KMUTEX) in nonpaged memory; nobody may wait for it or own it
 * @param Level  reserved, 0: ignored
 * @irql         any
 * @source       WDK reference: wdm.h, KeInitializeMutex
 */
NTKERNELAPI VOID KeInitializeMutex(PRKMUTEX Mutex, ULONG Level);

/**
 * Give a mutex back once. When that was as often as it was acquired, it is free, and the thread that has waited longest gets it.
 *
 * @param Wait  TRUE: a KeWaitXxx call follows at once. The routine then returns at DISPATCH_LEVEL, and that wait restores the IRQL
 * @return      SignalState before: 0: the mutex is free now; below 0: the caller owns it still
 * @irql        <= DISPATCH_LEVEL; with Wait TRUE <= APC_LEVEL
 * @bugcheck    IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @raises      the caller does not own it: STATUS_MUTANT_NOT_OWNED, or STATUS_ABANDONED if its owner has ended
 * @models      a mutex that was acquired at another IRQL than it is released at is released (Windows raises when one is DISPATCH_LEVEL)
 * @source      WDK reference: wdm.h, KeReleaseMutex
 */
NTKERNELAPI LONG KeReleaseMutex(PRKMUTEX Mutex, BOOLEAN Wait);

/**
 * Look at a mutex.
 *
 * @return  1: it was free when this looked
 * @irql    <= DISPATCH_LEVEL; not checked, as for KeReadStateEvent
 * @source  WDK reference: wdm.h, KeReadStateMutex
 */
NTKERNELAPI LONG KeReadStateMutex(PRKMUTEX Mutex);

/**
 * Make a semaphore ready for use.
 *
 * @param Semaphore  storage of sizeof(KSEMAPHORE) in nonpaged memory; nobody may wait for it
 * @param Count      units to begin with, not below 0
 * @param Limit      the most that it may ever hold, above 0
 * @irql             any
 * @source           WDK reference: wdm.h, KeInitializeSemaphore
 */
NTKERNELAPI VOID KeInitializeSemaphore(PRKSEMAPHORE Semaphore, LONG Count, LONG Limit);

/**
 * Add units to a semaphore. As many waits are satisfied, in order of arrival.
 *
 * @param Increment   priority boost of those who go on: ignored, there are no priorities
 * @param Adjustment  units, above 0
 * @param Wait        TRUE: a KeWaitXxx call follows at once, as for KeSetEvent
 * @return            the count before; not 0: it was signaled already
 * @irql              <= DISPATCH_LEVEL; with Wait TRUE <= APC_LEVEL
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @raises            STATUS_SEMAPHORE_LIMIT_EXCEEDED: the count would be above the limit, or Adjustment is below 0; nothing has changed
 * @source            WDK reference: wdm.h, KeReleaseSemaphore
 */
NTKERNELAPI LONG KeReleaseSemaphore(PRKSEMAPHORE Semaphore, KPRIORITY Increment, LONG Adjustment, BOOLEAN Wait);

/**
 * Look at a semaphore.
 *
 * @return  0: it had no units when this looked
 * @irql    any
 * @source  WDK reference: wdm.h, KeReadStateSemaphore
 */
NTKERNELAPI LONG KeReadStateSemaphore(PRKSEMAPHORE Semaphore);

#ifdef __cplusplus
}
#endif
#endif
