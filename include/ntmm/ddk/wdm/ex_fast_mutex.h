/*
 * ex_fast_mutex.h - fast mutexes and guarded mutexes: one owner, no recursion, no wait with a timeout.
 *
 *                                  while it is owned             released by
 *     ExAcquireFastMutex           IRQL APC_LEVEL                ExReleaseFastMutex, which restores the IRQL
 *     ExAcquireFastMutexUnsafe     as the caller has it          ExReleaseFastMutexUnsafe
 *     KeAcquireGuardedMutex        a guarded region              KeReleaseGuardedMutex
 *     KeAcquireGuardedMutexUnsafe  as the caller has it          KeReleaseGuardedMutexUnsafe
 *
 * Unsafe: the caller sees to it that no APC arrives: it is at APC_LEVEL, or in a critical or guarded region. That is not checked.
 * The storage is the driver's, in nonpaged memory.
 *
 * Source  WDK reference: wdm.h, "Fast mutexes and guarded mutexes"; Bug Checks 0xBF, 0x11; the x64 layout of wdm.h.
 */
#ifndef NTMM_DDK_WDM_EX_FAST_MUTEX_H
#define NTMM_DDK_WDM_EX_FAST_MUTEX_H

#include "ke_event.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FM_LOCK_BIT 0x1
#define FM_LOCK_BIT_V 0x0

typedef struct _FAST_MUTEX { /* opaque to drivers */
    LONG   Count;            /* 1 free; 0 owned; below that, others wait or are about to */
    PVOID  Owner;            /* a PKTHREAD */
    ULONG  Contention;
    KEVENT Event;
    ULONG  OldIrql;
} FAST_MUTEX, *PFAST_MUTEX;
typedef FAST_MUTEX KGUARDED_MUTEX, *PKGUARDED_MUTEX; /* as since Windows 8 */

NTMM_LAYOUT(sizeof(FAST_MUTEX) == 56 && FIELD_OFFSET(FAST_MUTEX, Owner) == 8, "FAST_MUTEX, x64");
NTMM_LAYOUT(FIELD_OFFSET(FAST_MUTEX, Event) == 24 && FIELD_OFFSET(FAST_MUTEX, OldIrql) == 48, "FAST_MUTEX, x64");

/**
 * Make a fast mutex ready for use: free.
 *
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, ExInitializeFastMutex
 */
FORCEINLINE VOID ExInitializeFastMutex(PFAST_MUTEX FastMutex)
{
    FastMutex->Count = FM_LOCK_BIT;
    FastMutex->Owner = NULL;
    FastMutex->Contention = 0;
    KeInitializeEvent(&FastMutex->Event, SynchronizationEvent, FALSE);
}

/**
 * Acquire a fast mutex, and wait for it if need be. Raises to APC_LEVEL.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level; MUTEX_ALREADY_OWNED (0xBF): p1 the mutex, p2 the thread: it owns it already
 *            (choice: on Windows the thread may as well wait for itself for ever)
 * @source    WDK reference: wdm.h, ExAcquireFastMutex; Bug Check 0xBF
 */
NTKERNELAPI VOID ExAcquireFastMutex(PFAST_MUTEX FastMutex);

/**
 * Acquire a fast mutex if that needs no wait.
 *
 * @return    TRUE: acquired, at APC_LEVEL; FALSE: nothing has changed
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level
 * @source    WDK reference: wdm.h, ExTryToAcquireFastMutex
 */
NTKERNELAPI BOOLEAN ExTryToAcquireFastMutex(PFAST_MUTEX FastMutex);

/**
 * Release a fast mutex, and restore the IRQL that ExAcquireFastMutex found.
 *
 * @irql      APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) at a higher level, or at one below the IRQL that is to be restored; THREAD_NOT_MUTEX_OWNER (0x11):
 *            the caller does not own it; p1 the mutex, p2 the thread (choice: the reference gives no parameters)
 * @source    WDK reference: wdm.h, ExReleaseFastMutex
 */
NTKERNELAPI VOID ExReleaseFastMutex(PFAST_MUTEX FastMutex);

/** ExAcquireFastMutex without a change of IRQL. @irql APC_LEVEL, or lower in a critical region; <= APC_LEVEL is checked */
NTKERNELAPI VOID ExAcquireFastMutexUnsafe(PFAST_MUTEX FastMutex);

/** ExReleaseFastMutex without a change of IRQL. @irql as ExAcquireFastMutexUnsafe */
NTKERNELAPI VOID ExReleaseFastMutexUnsafe(PFAST_MUTEX FastMutex);

/**
 * Make a guarded mutex ready for use: free.
 *
 * @irql    <= APC_LEVEL; not checked
 * @source  WDK reference: wdm.h, KeInitializeGuardedMutex
 */
NTKERNELAPI VOID KeInitializeGuardedMutex(PKGUARDED_MUTEX Mutex);

/**
 * Enter a guarded region and acquire a guarded mutex, waiting for it if need be.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  as ExAcquireFastMutex
 * @source    WDK reference: wdm.h, KeAcquireGuardedMutex
 */
NTKERNELAPI VOID KeAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);

/**
 * The same, if that needs no wait.
 *
 * @return  TRUE: acquired, in a guarded region; FALSE: nothing has changed
 * @irql    <= APC_LEVEL
 * @source  WDK reference: wdm.h, KeTryToAcquireGuardedMutex
 */
NTKERNELAPI BOOLEAN KeTryToAcquireGuardedMutex(PKGUARDED_MUTEX Mutex);

/**
 * Release a guarded mutex and leave the guarded region.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  THREAD_NOT_MUTEX_OWNER (0x11) as ExReleaseFastMutex; APC_INDEX_MISMATCH (0x1): no guarded region is left to leave
 * @source    WDK reference: wdm.h, KeReleaseGuardedMutex
 */
NTKERNELAPI VOID KeReleaseGuardedMutex(PKGUARDED_MUTEX Mutex);

/** KeAcquireGuardedMutex without the guarded region: the caller is in one, or at APC_LEVEL. @irql <= APC_LEVEL */
NTKERNELAPI VOID KeAcquireGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex);

/** KeReleaseGuardedMutex without the guarded region. @irql <= APC_LEVEL */
NTKERNELAPI VOID KeReleaseGuardedMutexUnsafe(PKGUARDED_MUTEX Mutex);

#ifdef __cplusplus
}
#endif
#endif
