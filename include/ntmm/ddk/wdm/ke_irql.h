/*
 * ke_irql.h - IRQL, the processors it belongs to, and the regions that hold APCs back.
 *
 *     HIGH_LEVEL 15        device interrupts (DIRQL) 3..12        everything above DISPATCH_LEVEL: no faults, no waits,
 *     DISPATCH_LEVEL 2     spin locks, DPCs                       one processor belongs to the thread until it lowers
 *     APC_LEVEL 1          fast mutexes
 *     PASSIVE_LEVEL 0      ordinary code
 *
 * Source  WDK reference: "Managing hardware priorities", "Critical regions and guarded regions"; the page of each routine.
 */
#ifndef NTMM_DDK_WDM_KE_IRQL_H
#define NTMM_DDK_WDM_KE_IRQL_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KTHREAD *PKTHREAD, *PRKTHREAD; /* opaque */
typedef struct _ETHREAD *PETHREAD;             /* opaque; the same address as its KTHREAD */

#define MAXIMUM_PROC_PER_GROUP 64
#define MAXIMUM_PROCESSORS MAXIMUM_PROC_PER_GROUP
#define ALL_PROCESSOR_GROUPS 0xffff

/**
 * The IRQL of the calling thread.
 *
 * @irql    any
 * @models  IRQL belongs to the thread; at DISPATCH_LEVEL or above a thread owns a processor. On a halted machine it is the one at the stop;
 *          PASSIVE_LEVEL when refused (no machine is up)
 * @source  WDK reference: wdm.h, KeGetCurrentIrql
 */
NTKERNELAPI KIRQL KeGetCurrentIrql(VOID);

/**
 * Raise the IRQL.
 *
 * @param NewIrql  not below the current IRQL; at most HIGH_LEVEL
 * @param OldIrql  receives the IRQL to give to KeLowerIrql
 * @irql           any
 * @bugcheck       IRQL_NOT_GREATER_OR_EQUAL (0x9): NewIrql is below the current IRQL or above HIGH_LEVEL; p1 NewIrql, p2 current IRQL, p3
 *                 0, p4 the caller (the reference gives no parameters: choice)
 * @models         DISPATCH_LEVEL and above take a processor of the machine and wait for one while all are taken
 * @source         WDK reference: wdm.h, KeRaiseIrql; Bug Check 0x9
 */
NTKERNELAPI VOID KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql);

/**
 * Lower the IRQL again. What waited for that happens before this returns: masked interrupts, then the processor's queued DPCs.
 *
 * @param NewIrql  the value from the matching raise. Another one that is not above the current IRQL goes unnoticed (choice)
 * @irql           any
 * @bugcheck       IRQL_NOT_LESS_OR_EQUAL (0xA): NewIrql is above the current IRQL; p1 NewIrql, p2 current IRQL, p3 0, p4 the caller
 *                 (choice)
 * @source         WDK reference: wdm.h, KeLowerIrql
 */
NTKERNELAPI VOID KeLowerIrql(KIRQL NewIrql);

/**
 * Raise to DISPATCH_LEVEL.
 *
 * @return    the IRQL before
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_GREATER_OR_EQUAL (0x9) when called above; parameters as for KeRaiseIrql
 * @source    WDK reference: wdm.h, KeRaiseIrqlToDpcLevel
 */
NTKERNELAPI KIRQL KeRaiseIrqlToDpcLevel(VOID);

/**
 * KeRaiseIrql, with the old IRQL as its result.
 *
 * @return    the IRQL before
 * @irql      any; NewIrql at most HIGH_LEVEL
 * @bugcheck  as KeRaiseIrql
 * @source    WDK reference: wdm.h, KzRaiseIrql
 */
NTKERNELAPI KIRQL KzRaiseIrql(KIRQL NewIrql);

/**
 * KeLowerIrql under its other name.
 *
 * @irql      any
 * @bugcheck  as KeLowerIrql
 * @source    WDK reference: wdm.h, KzLowerIrql
 */
NTKERNELAPI VOID KzLowerIrql(KIRQL NewIrql);

/**
 * Hold user APCs and normal kernel APCs back from this thread. Nests.
 *
 * @irql    <= APC_LEVEL (above it works, as on Windows without the verifier)
 * @models  a depth per thread: no APC is ever delivered, so that only the queries and the pairing can tell
 * @source  WDK reference: wdm.h, KeEnterCriticalRegion
 */
NTKERNELAPI VOID KeEnterCriticalRegion(VOID);

/**
 * Leave a critical region: one leave per enter.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  APC_INDEX_MISMATCH (0x1) when the thread is in none: p1 the caller, p2 0, p3 the combined APC disable count, p4 0. Windows
 *            notices the same imbalance at the thread's next return to user mode, which never comes here (choice)
 * @source    WDK reference: wdm.h, KeLeaveCriticalRegion; Bug Check 0x1
 */
NTKERNELAPI VOID KeLeaveCriticalRegion(VOID);

/**
 * Hold all APCs back from this thread, special kernel APCs included. Nests.
 *
 * @irql    <= APC_LEVEL
 * @models  as KeEnterCriticalRegion
 * @source  WDK reference: wdm.h, KeEnterGuardedRegion
 */
NTKERNELAPI VOID KeEnterGuardedRegion(VOID);

/**
 * Leave a guarded region: one leave per enter.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  APC_INDEX_MISMATCH (0x1) when the thread is in none, as KeLeaveCriticalRegion
 * @source    WDK reference: wdm.h, KeLeaveGuardedRegion
 */
NTKERNELAPI VOID KeLeaveGuardedRegion(VOID);

/**
 * TRUE in a critical or guarded region.
 *
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, KeAreApcsDisabled
 */
NTKERNELAPI BOOLEAN KeAreApcsDisabled(VOID);

/**
 * TRUE in a guarded region, and at APC_LEVEL or above.
 *
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, KeAreAllApcsDisabled
 */
NTKERNELAPI BOOLEAN KeAreAllApcsDisabled(VOID);

/**
 * The number of the processor that the thread owns; below DISPATCH_LEVEL the one it owned last, 0 when it never did.
 *
 * @irql    any
 * @models  a thread that runs alone is always on processor 0; 0 when refused
 * @source  WDK reference: wdm.h, KeGetCurrentProcessorNumber, KeGetCurrentProcessorNumberEx
 */
NTKERNELAPI ULONG KeGetCurrentProcessorNumber(VOID);

/**
 * The same; ProcNumber, when not NULL, receives group 0 and the number within it.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeGetCurrentProcessorNumberEx
 */
NTKERNELAPI ULONG KeGetCurrentProcessorNumberEx(PPROCESSOR_NUMBER ProcNumber);
/** The same as an index of all groups, of which there is one. @irql any @source WDK reference: wdm.h, KeGetCurrentProcessorIndex */
FORCEINLINE ULONG KeGetCurrentProcessorIndex(VOID) { return KeGetCurrentProcessorNumberEx(NULL); }
/** Bytes that keep two processors' data out of each other's cache lines. @irql any
 *  @source WDK reference: wdm.h, KeGetRecommendedSharedDataAlignment */
NTKERNELAPI ULONG KeGetRecommendedSharedDataAlignment(VOID);

/**
 * How many processors the machine has; their mask goes to ActiveProcessors when that is not NULL.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryActiveProcessorCount
 */
NTKERNELAPI ULONG KeQueryActiveProcessorCount(PKAFFINITY ActiveProcessors);

/**
 * How many processors the group has: all in group 0 (or ALL_PROCESSOR_GROUPS), none in others.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryActiveProcessorCountEx
 */
NTKERNELAPI ULONG KeQueryActiveProcessorCountEx(USHORT GroupNumber);

/**
 * How many processors there can be: no processor is added to a running machine, so those there are.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryMaximumProcessorCount
 */
NTKERNELAPI ULONG KeQueryMaximumProcessorCount(VOID);

/**
 * The same for one group.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryMaximumProcessorCountEx
 */
NTKERNELAPI ULONG KeQueryMaximumProcessorCountEx(USHORT GroupNumber);

/**
 * The calling thread, as an opaque address that no other living thread has; NULL when refused.
 *
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, KeGetCurrentThread
 */
NTKERNELAPI PKTHREAD KeGetCurrentThread(VOID);

/**
 * The NUMA node of the current processor.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeGetCurrentNodeNumber
 */
NTKERNELAPI USHORT KeGetCurrentNodeNumber(VOID);

/**
 * The highest NUMA node number: nodes - 1.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryHighestNodeNumber
 */
NTKERNELAPI USHORT KeQueryHighestNodeNumber(VOID);

#ifdef __cplusplus
}
#endif
#endif
