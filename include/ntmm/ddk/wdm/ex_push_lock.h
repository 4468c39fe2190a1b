/*
 * ex_push_lock.h - push locks: one word, held by one thread for writing or by many for reading.
 * APCs must be off while one is held: at APC_LEVEL, or in a critical or guarded region.
 *
 * Source  WDK reference: wdm.h, ExInitializePushLock, ExAcquirePushLockExclusive, ExAcquirePushLockShared and their releases.
 */
#ifndef NTMM_DDK_WDM_EX_PUSH_LOCK_H
#define NTMM_DDK_WDM_EX_PUSH_LOCK_H

#ifdef __cplusplus
extern "C" {
#endif

#define EX_PUSH_LOCK ULONG_PTR
#define PEX_PUSH_LOCK PULONG_PTR

#define EX_DEFAULT_PUSH_LOCK_FLAGS 0u
#define EX_PUSH_LOCK_FLAGS_VALID 0x3u

/** Make a push lock ready for use: free. @irql any @source WDK reference: wdm.h, ExInitializePushLock */
NTKERNELAPI VOID ExInitializePushLock(PEX_PUSH_LOCK PushLock);

/**
 * Acquire a push lock for writing, waiting if need be; ExAcquirePushLockExclusive(Lock) is this without flags.
 *
 * @param Flags  EX_DEFAULT_PUSH_LOCK_FLAGS; accepted and ignored
 * @irql         <= APC_LEVEL
 * @bugcheck     IRQL_NOT_LESS_OR_EQUAL (0xA) above; MUTEX_ALREADY_OWNED (0xBF): the caller holds it for writing (choice: Windows hangs);
 *               p1 the lock, p2 the thread
 * @source       WDK reference: wdm.h, ExAcquirePushLockExclusive
 */
NTKERNELAPI VOID ExAcquirePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
/** For reading. Who comes while a writer waits waits as well. @irql, @bugcheck as ExAcquirePushLockExclusiveEx
 *  @source WDK reference: wdm.h, ExAcquirePushLockShared */
NTKERNELAPI VOID ExAcquirePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags);

/**
 * Release it.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above; THREAD_NOT_MUTEX_OWNER (0x11): the caller does not hold it for writing, or, for the
 *            shared release, nobody holds it for reading (choice); p1 the lock, p2 the thread
 * @source    WDK reference: wdm.h, ExReleasePushLockExclusive, ExReleasePushLockShared
 */
NTKERNELAPI VOID ExReleasePushLockExclusiveEx(PEX_PUSH_LOCK PushLock, ULONG Flags);
NTKERNELAPI VOID ExReleasePushLockSharedEx(PEX_PUSH_LOCK PushLock, ULONG Flags);

#define ExAcquirePushLockExclusive(Lock) ExAcquirePushLockExclusiveEx((Lock), EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExAcquirePushLockShared(Lock) ExAcquirePushLockSharedEx((Lock), EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExReleasePushLockExclusive(Lock) ExReleasePushLockExclusiveEx((Lock), EX_DEFAULT_PUSH_LOCK_FLAGS)
#define ExReleasePushLockShared(Lock) ExReleasePushLockSharedEx((Lock), EX_DEFAULT_PUSH_LOCK_FLAGS)

#ifdef __cplusplus
}
#endif
#endif
