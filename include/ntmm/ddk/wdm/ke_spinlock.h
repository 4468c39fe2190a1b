/*
 * ke_spinlock.h - spin locks in all their forms.
 *
 *     KSPIN_LOCK       one owner           KeAcquireSpinLock ...                 whoever is quickest
 *     KSPIN_LOCK       one owner           KeAcquireInStackQueuedSpinLock ...    first come, first served
 *     lock number      one owner           KeAcquireQueuedSpinLock ...           the system's own, first come, first served
 *     EX_SPIN_LOCK     readers or a writer ExAcquireSpinLockShared ...           a waiting writer keeps new readers out
 *
 * A lock knows its owner here: taken twice by one thread it is a bug check and not a hang; so is the release of a lock by one who does not
 * hold it, or does not hold it that way. A routine documented for DISPATCH_LEVEL works below it as on Windows without the verifier: it
 * takes the lock and protects from nothing that DISPATCH_LEVEL would have kept away. When another thread stops the machine, one that waits for
 * a lock, or asks again and again whether it may have it, is unwound to its innermost catch.
 *
 * Source  WDK reference: "Introduction to spin locks", "Queued spin locks", "Reader/writer spin locks"; the page of each routine.
 */
#ifndef NTMM_DDK_WDM_KE_SPINLOCK_H
#define NTMM_DDK_WDM_KE_SPINLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KSPIN_LOCK_QUEUE {
    struct _KSPIN_LOCK_QUEUE *volatile Next;
    PKSPIN_LOCK volatile Lock;
} KSPIN_LOCK_QUEUE, *PKSPIN_LOCK_QUEUE;

typedef struct _KLOCK_QUEUE_HANDLE { /* on the stack of whoever holds the lock */
    KSPIN_LOCK_QUEUE LockQueue;
    KIRQL            OldIrql;
} KLOCK_QUEUE_HANDLE, *PKLOCK_QUEUE_HANDLE;

NTMM_LAYOUT(sizeof(KSPIN_LOCK_QUEUE) == 16 && FIELD_OFFSET(KSPIN_LOCK_QUEUE, Lock) == 8, "KSPIN_LOCK_QUEUE, x64");
NTMM_LAYOUT(sizeof(KLOCK_QUEUE_HANDLE) == 24 && FIELD_OFFSET(KLOCK_QUEUE_HANDLE, OldIrql) == 16, "KLOCK_QUEUE_HANDLE, x64");

typedef enum _KSPIN_LOCK_QUEUE_NUMBER {
    LockQueueUnusedSpare0,
    LockQueueUnusedSpare1,
    LockQueueUnusedSpare2,
    LockQueueUnusedSpare3,
    LockQueueVacbLock,
    LockQueueMasterLock,
    LockQueueNonPagedPoolLock,
    LockQueueIoCancelLock,
    LockQueueUnusedSpare8,
    LockQueueIoVpbLock,
    LockQueueIoDatabaseLock,
    LockQueueIoCompletionLock,
    LockQueueNtfsStructLock,
    LockQueueAfdWorkQueueLock,
    LockQueueBcbLock,
    LockQueueUnusedSpare15,
    LockQueueUnusedSpare16,
    LockQueueMaximumLock
} KSPIN_LOCK_QUEUE_NUMBER,
    *PKSPIN_LOCK_QUEUE_NUMBER;

/* ---- ordinary ---- */

/**
 * Make a spin lock free. A lock of zero bytes is free, too.
 *
 * @param SpinLock  resident storage
 * @irql            any
 * @source          WDK reference: wdm.h, KeInitializeSpinLock
 */
NTKERNELAPI VOID KeInitializeSpinLock(PKSPIN_LOCK SpinLock);

/**
 * Raise to DISPATCH_LEVEL and take the lock. The result is the IRQL before, for KeReleaseSpinLock.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF): the thread holds it already; p1 the lock, p2 IRQL, p3 0, p4 the caller (choice).
 *            IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, KeAcquireSpinLockRaiseToDpc; Bug Check 0xF
 */
NTKERNELAPI KIRQL KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK SpinLock);

/**
 * KeAcquireSpinLockRaiseToDpc with its result in *OldIrql.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as KeAcquireSpinLockRaiseToDpc
 * @source    WDK reference: wdm.h, KeAcquireSpinLock
 */
#define KeAcquireSpinLock(SpinLock, OldIrql) (*(OldIrql) = KeAcquireSpinLockRaiseToDpc(SpinLock))

/**
 * Let the lock go and lower to the IRQL before it was taken.
 *
 * @irql      DISPATCH_LEVEL (elsewhere only the verifier minds)
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10): free, held by another thread, or held as a queued lock; p1 the lock, p2 IRQL, p3 0, p4 the caller
 *            (choice). IRQL_NOT_LESS_OR_EQUAL (0xA) when NewIrql is above the current IRQL
 * @source    WDK reference: wdm.h, KeReleaseSpinLock; Bug Check 0x10
 */
NTKERNELAPI VOID KeReleaseSpinLock(PKSPIN_LOCK SpinLock, KIRQL NewIrql);

/**
 * Take the lock, IRQL unchanged.
 *
 * @irql      >= DISPATCH_LEVEL (below, only the verifier minds)
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, KeAcquireSpinLockAtDpcLevel
 */
NTKERNELAPI VOID KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);

/**
 * Let go of a lock taken at DISPATCH_LEVEL, IRQL unchanged.
 *
 * @irql      >= DISPATCH_LEVEL (below, only the verifier minds)
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10)
 * @source    WDK reference: wdm.h, KeReleaseSpinLockFromDpcLevel
 */
NTKERNELAPI VOID KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);

/**
 * KeReleaseSpinLockFromDpcLevel under its other name.
 *
 * @irql      >= DISPATCH_LEVEL (below, only the verifier minds)
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10)
 * @source    WDK reference: wdm.h, KefReleaseSpinLockFromDpcLevel
 */
NTKERNELAPI VOID KefReleaseSpinLockFromDpcLevel(PKSPIN_LOCK SpinLock);

/**
 * Take the lock if it is free now.
 *
 * @return  FALSE: somebody holds it, the caller included
 * @irql    >= DISPATCH_LEVEL (below, only the verifier minds)
 * @source  WDK reference: wdm.h, KeTryToAcquireSpinLockAtDpcLevel
 */
NTKERNELAPI BOOLEAN KeTryToAcquireSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock);

/**
 * Is the lock free? Takes nothing.
 *
 * @return  FALSE: held
 * @irql    any
 * @source  WDK reference: wdm.h, KeTestSpinLock
 */
NTKERNELAPI BOOLEAN KeTestSpinLock(PKSPIN_LOCK SpinLock);

/**
 * In a DPC that may be threaded: raise to DISPATCH_LEVEL unless there already, and take the lock.
 *
 * @return    the IRQL before
 * @irql      PASSIVE_LEVEL to DISPATCH_LEVEL
 * @bugcheck  as KeAcquireSpinLockRaiseToDpc
 * @source    WDK reference: wdm.h, KeAcquireSpinLockForDpc
 */
NTKERNELAPI KIRQL KeAcquireSpinLockForDpc(PKSPIN_LOCK SpinLock);

/**
 * Let the lock go; lower if the acquire raised.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  as KeReleaseSpinLock
 * @source    WDK reference: wdm.h, KeReleaseSpinLockForDpc
 */
NTKERNELAPI VOID KeReleaseSpinLockForDpc(PKSPIN_LOCK SpinLock, KIRQL OldIrql);

/* ---- in-stack queued: one KSPIN_LOCK, first come, first served ---- */

/**
 * Raise to DISPATCH_LEVEL, queue up for the lock and take it in turn.
 *
 * @param LockHandle  on the caller's stack until the release; remembers the lock and the old IRQL
 * @irql              <= DISPATCH_LEVEL
 * @bugcheck          SPIN_LOCK_ALREADY_OWNED (0xF); IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above DISPATCH_LEVEL
 * @models            the order of arrival, exactly. An ordinary acquire of the same lock, which the reference forbids, works, out of turn
 * @source            WDK reference: wdm.h, KeAcquireInStackQueuedSpinLock
 */
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);

/**
 * Let the lock of this handle go to the next in line, and lower to the IRQL that the handle remembers.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10): free, held by another thread, or held as an ordinary lock; p1 the lock
 * @source    WDK reference: wdm.h, KeReleaseInStackQueuedSpinLock
 */
NTKERNELAPI VOID KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE LockHandle);

/**
 * The acquire with the IRQL unchanged.
 *
 * @irql      >= DISPATCH_LEVEL (below, only the verifier minds)
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, KeAcquireInStackQueuedSpinLockAtDpcLevel
 */
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
/**
 * Its release.
 *
 * @irql      >= DISPATCH_LEVEL (the page names none: choice)
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10), as KeReleaseInStackQueuedSpinLock
 * @source    WDK reference: wdm.h, KeReleaseInStackQueuedSpinLockFromDpcLevel
 */
NTKERNELAPI VOID KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE LockHandle);
/**
 * The acquire in a DPC that may be threaded: raises only below DISPATCH_LEVEL.
 *
 * @irql      PASSIVE_LEVEL to DISPATCH_LEVEL
 * @bugcheck  as KeAcquireInStackQueuedSpinLock
 * @source    WDK reference: wdm.h, KeAcquireInStackQueuedSpinLockForDpc
 */
NTKERNELAPI VOID KeAcquireInStackQueuedSpinLockForDpc(PKSPIN_LOCK SpinLock, PKLOCK_QUEUE_HANDLE LockHandle);
/**
 * Its release: lowers if the acquire raised.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  as KeReleaseInStackQueuedSpinLock
 * @source    WDK reference: wdm.h, KeReleaseInStackQueuedSpinLockForDpc
 */
NTKERNELAPI VOID KeReleaseInStackQueuedSpinLockForDpc(PKLOCK_QUEUE_HANDLE LockHandle);

/* ---- numbered queued locks: the system's own ---- */

/**
 * Raise to DISPATCH_LEVEL and take one of the system's queued locks.
 *
 * @param Number  which; a number that names no lock is refused with a sentence in ntmm_error()
 * @return        the IRQL before
 * @irql          <= DISPATCH_LEVEL (not documented: choice)
 * @bugcheck      SPIN_LOCK_ALREADY_OWNED (0xF), p1 the lock's address; IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above DISPATCH_LEVEL
 * @models        one lock per number; LockQueueIoCancelLock is the cancel spin lock, the others guard nothing else here
 * @source        WDK reference: ntifs.h, KeAcquireQueuedSpinLock (reserved for system use)
 */
NTKERNELAPI KIRQL KeAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number);

/**
 * Let it go and lower.
 *
 * @irql      DISPATCH_LEVEL (not documented: choice)
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10), p1 the lock's address
 * @source    WDK reference: ntifs.h, KeReleaseQueuedSpinLock (reserved for system use)
 */
NTKERNELAPI VOID KeReleaseQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, KIRQL OldIrql);

/**
 * Take it if it is free now, raising to DISPATCH_LEVEL; else IRQL unchanged.
 *
 * @return    nonzero: taken, *OldIrql is the IRQL before; 0: somebody holds it, the caller included
 * @irql      <= DISPATCH_LEVEL (not documented: choice)
 * @bugcheck  IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above DISPATCH_LEVEL
 * @source    WDK reference: ntifs.h, KeTryToAcquireQueuedSpinLock (reserved for system use)
 */
NTKERNELAPI LOGICAL KeTryToAcquireQueuedSpinLock(KSPIN_LOCK_QUEUE_NUMBER Number, PKIRQL OldIrql);

/**
 * Take the cancel spin lock: KeAcquireQueuedSpinLock(LockQueueIoCancelLock).
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF)
 * @source    WDK reference: wdm.h, IoAcquireCancelSpinLock
 */
NTKERNELAPI VOID IoAcquireCancelSpinLock(PKIRQL Irql);

/**
 * Let the cancel spin lock go.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10)
 * @source    WDK reference: wdm.h, IoReleaseCancelSpinLock
 */
NTKERNELAPI VOID IoReleaseCancelSpinLock(KIRQL Irql);

/* ---- readers and writers: EX_SPIN_LOCK, 32 bits, zero is free ---- */

/**
 * Raise to DISPATCH_LEVEL and take the lock for writing: no reader and no other writer is in.
 *
 * @return    the IRQL before
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF): the thread holds it already, for reading or writing; p1 the lock.
 *            IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, ExAcquireSpinLockExclusive ("recursive acquisition is not allowed")
 */
NTKERNELAPI KIRQL ExAcquireSpinLockExclusive(PEX_SPIN_LOCK SpinLock);

/**
 * The same for reading, with other readers but no writer. A writer that waits keeps new readers out.
 *
 * @return    the IRQL before
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as ExAcquireSpinLockExclusive
 * @source    WDK reference: wdm.h, ExAcquireSpinLockShared
 */
NTKERNELAPI KIRQL ExAcquireSpinLockShared(PEX_SPIN_LOCK SpinLock);

/**
 * End writing and lower.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10): the thread does not hold it for writing; p1 the lock
 * @source    WDK reference: wdm.h, ExReleaseSpinLockExclusive
 */
NTKERNELAPI VOID ExReleaseSpinLockExclusive(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql);

/**
 * End reading and lower.
 *
 * @irql      DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10): the thread does not hold it for reading; p1 the lock
 * @source    WDK reference: wdm.h, ExReleaseSpinLockShared
 */
NTKERNELAPI VOID ExReleaseSpinLockShared(PEX_SPIN_LOCK SpinLock, KIRQL OldIrql);

/**
 * The same four with the IRQL unchanged.
 *
 * @irql      >= DISPATCH_LEVEL (below, only the verifier minds)
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF) and SPIN_LOCK_NOT_OWNED (0x10), as those above
 * @source    WDK reference: wdm.h, ExAcquireSpinLockExclusiveAtDpcLevel and the pages of the other three
 */
NTKERNELAPI VOID ExAcquireSpinLockExclusiveAtDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockExclusiveFromDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID ExAcquireSpinLockSharedAtDpcLevel(PEX_SPIN_LOCK SpinLock);
NTKERNELAPI VOID ExReleaseSpinLockSharedFromDpcLevel(PEX_SPIN_LOCK SpinLock);

/**
 * The reader becomes the writer, if it is the only reader and no writer waits.
 *
 * @return    nonzero: converted, to be released as a writer; 0: still a reader
 * @irql      DISPATCH_LEVEL
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10): the thread does not hold it for reading; p1 the lock
 * @source    WDK reference: wdm.h, ExTryConvertSharedSpinLockExclusive
 */
NTKERNELAPI LOGICAL ExTryConvertSharedSpinLockExclusive(PEX_SPIN_LOCK SpinLock);

#ifdef __cplusplus
}
#endif
#endif
