/*
 * ke_dpc.h - deferred procedure calls, and the interrupts that defer them.
 *
 *     ISR at DIRQL -- IoRequestDpc, KeInsertQueueDpc --> queue of a processor -- IRQL drops below DISPATCH_LEVEL --> DPC at DISPATCH_LEVEL
 *
 * KDPC itself is in io_objects.h, because a DEVICE_OBJECT contains one.
 *
 * Source  WDK reference: "Introduction to DPCs", "Organization of DPC queues", "Introduction to threaded DPCs"; the page of each routine.
 */
#ifndef NTMM_DDK_WDM_KE_DPC_H
#define NTMM_DDK_WDM_KE_DPC_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KINTERRUPT KINTERRUPT, *PKINTERRUPT; /* opaque */

typedef enum _KDPC_IMPORTANCE { LowImportance, MediumImportance, HighImportance, MediumHighImportance } KDPC_IMPORTANCE;

typedef VOID            IO_DPC_ROUTINE(PKDPC Dpc, PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context);
typedef IO_DPC_ROUTINE *PIO_DPC_ROUTINE;

/* ---- DPC objects ---- */

/**
 * Make an ordinary DPC object: medium importance, no target processor, not queued.
 *
 * @param Dpc  resident storage, which stays until the DPC has run or been removed
 * @irql       any
 * @bugcheck   TIMER_OR_DPC_INVALID (0xC7/1): it is queued at this moment (choice); p2 the DPC
 * @source     WDK reference: wdm.h, KeInitializeDpc
 */
NTKERNELAPI VOID KeInitializeDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);

/**
 * Make a threaded DPC object: its routine runs at PASSIVE_LEVEL on the DPC thread of the processor.
 * Storage as for KeInitializeDpc.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeInitializeThreadedDpc
 */
NTKERNELAPI VOID KeInitializeThreadedDpc(PRKDPC Dpc, PKDEFERRED_ROUTINE DeferredRoutine, PVOID DeferredContext);

/**
 * Queue a DPC. Called below DISPATCH_LEVEL for the current processor, the DPC has run when this returns; at DISPATCH_LEVEL or above it runs
 * when the IRQL drops below. On another processor it runs as soon as that one's IRQL is below DISPATCH_LEVEL.
 *
 * @return    FALSE: it is queued already
 * @irql      any
 * @bugcheck  TIMER_OR_DPC_INVALID (0xC7/3): its target processor does not exist; p2 the DPC, p3 the number, p4 how many there are.
 *            After the routine: 0xC7/4 when it changed the APC disable count (p2 routine, p3 before, p4 after); IRQL_UNEXPECTED_VALUE
 *            (0xC8) when it returns at another IRQL (p1 IRQL << 16 | expected << 8, p2 the routine, p3 the DPC, p4 0: choice)
 * @models    HighImportance goes to the head of the queue; the other importances differ only in when Windows interrupts a processor for
 *            them, which is always at once here
 * @source    WDK reference: wdm.h, KeInsertQueueDpc; Bug Check 0xC7, 0xC8
 */
NTKERNELAPI BOOLEAN KeInsertQueueDpc(PRKDPC Dpc, PVOID SystemArgument1, PVOID SystemArgument2);

/**
 * Take a DPC back that has not begun.
 *
 * @return  FALSE: it was not queued (never, or it has begun)
 * @irql    any
 * @source  WDK reference: wdm.h, KeRemoveQueueDpc
 */
NTKERNELAPI BOOLEAN KeRemoveQueueDpc(PRKDPC Dpc);

/**
 * Wait until every DPC queued before the call has run, threaded ones included, on all processors.
 *
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @models    called by a threaded DPC, it does not wait for that DPC itself (choice)
 * @source    WDK reference: wdm.h, KeFlushQueuedDpcs
 */
NTKERNELAPI VOID KeFlushQueuedDpcs(VOID);

/**
 * Where in the queue it goes: HighImportance to the head, all others to the end. Set before queueing.
 *
 * @irql    any
 * @source  WDK reference: wdm.h, KeSetImportanceDpc
 */
NTKERNELAPI VOID KeSetImportanceDpc(PRKDPC Dpc, KDPC_IMPORTANCE Importance);

/**
 * Which processor of group 0 it goes to. Before it is queued.
 *
 * @irql      any
 * @bugcheck  TIMER_OR_DPC_INVALID (0xC7/3): no such processor; p2 the DPC, p3 the number, p4 how many there are
 * @source    WDK reference: wdm.h, KeSetTargetProcessorDpc; Bug Check 0xC7
 */
NTKERNELAPI VOID KeSetTargetProcessorDpc(PRKDPC Dpc, CCHAR Number);

/**
 * The same with a group.
 *
 * @return  STATUS_INVALID_PARAMETER: no such processor, or Reserved is not zero
 * @irql    any
 * @source  WDK reference: wdm.h, KeSetTargetProcessorDpcEx
 */
NTKERNELAPI NTSTATUS KeSetTargetProcessorDpcEx(PKDPC Dpc, PPROCESSOR_NUMBER ProcNumber);

/**
 * Does the current processor run an ordinary DPC now, which then is the caller?
 *
 * @irql    DISPATCH_LEVEL (below, the answer is 0)
 * @source  WDK reference: wdm.h, KeIsExecutingDpc
 */
NTKERNELAPI ULONG KeIsExecutingDpc(VOID);

typedef struct _KDPC_WATCHDOG_INFORMATION {
    ULONG DpcTimeLimit; /* for one DPC; 0: there is none */
    ULONG DpcTimeCount;
    ULONG DpcWatchdogLimit; /* for a row of DPCs; 0: there is none */
    ULONG DpcWatchdogCount;
    ULONG Reserved;
} KDPC_WATCHDOG_INFORMATION, *PKDPC_WATCHDOG_INFORMATION;

/**
 * How much time is left to the running DPC.
 *
 * @return  STATUS_SUCCESS in a DPC; STATUS_UNSUCCESSFUL when the processor runs none
 * @irql    DISPATCH_LEVEL
 * @models  a machine whose DPC time-out and watchdog are disabled: the limits are 0
 * @source  WDK reference: wdm.h, KeQueryDpcWatchdogInformation, KDPC_WATCHDOG_INFORMATION
 */
NTKERNELAPI NTSTATUS KeQueryDpcWatchdogInformation(PKDPC_WATCHDOG_INFORMATION WatchdogInformation);

/** Bind a DpcForIsr routine to the DPC in a device object. @irql any @source WDK reference: wdm.h, IoInitializeDpcRequest */
FORCEINLINE VOID IoInitializeDpcRequest(PDEVICE_OBJECT DeviceObject, PIO_DPC_ROUTINE DpcRoutine)
{
    KeInitializeDpc(&DeviceObject->Dpc, (PKDEFERRED_ROUTINE)DpcRoutine, DeviceObject);
}

/** From the ISR: queue that DPC. @irql DIRQL @source WDK reference: wdm.h, IoRequestDpc */
FORCEINLINE VOID IoRequestDpc(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Context)
{
    (void)KeInsertQueueDpc(&DeviceObject->Dpc, Irp, Context);
}

/* ---- interrupts ---- */

typedef BOOLEAN               KSERVICE_ROUTINE(PKINTERRUPT Interrupt, PVOID ServiceContext);
typedef KSERVICE_ROUTINE     *PKSERVICE_ROUTINE;
typedef BOOLEAN               KSYNCHRONIZE_ROUTINE(PVOID SynchronizeContext);
typedef KSYNCHRONIZE_ROUTINE *PKSYNCHRONIZE_ROUTINE;
typedef enum _KINTERRUPT_MODE { LevelSensitive, Latched } KINTERRUPT_MODE;

/**
 * Connect a service routine to an interrupt, which ntmm_fire_interrupt() and ntmm_fire_vector() then play.
 *
 * @param SpinLock         the caller's lock, for several vectors that share one; NULL: the interrupt has its own
 * @param Vector           several routines may share one if all of them say ShareVector
 * @param Irql             DIRQL: above DISPATCH_LEVEL, at most HIGH_LEVEL
 * @param SynchronizeIrql  at which the routine runs: not below Irql
 * @param InterruptMode    of ntmm_fire_vector(): whether the first that claims a shared interrupt ends it (LevelSensitive)
 * @param ProcessorEnableMask, FloatingSave  accepted and ignored: a routine runs on the thread that fires it
 * @return  STATUS_SUCCESS; STATUS_INVALID_PARAMETER; STATUS_INSUFFICIENT_RESOURCES
 * @irql    PASSIVE_LEVEL
 * @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source  WDK reference: wdm.h, IoConnectInterrupt
 */
NTKERNELAPI NTSTATUS IoConnectInterrupt(PKINTERRUPT *InterruptObject, PKSERVICE_ROUTINE ServiceRoutine, PVOID ServiceContext,
                                        PKSPIN_LOCK SpinLock, ULONG Vector, KIRQL Irql, KIRQL SynchronizeIrql,
                                        KINTERRUPT_MODE InterruptMode, BOOLEAN ShareVector, KAFFINITY ProcessorEnableMask,
                                        BOOLEAN FloatingSave);

/**
 * Disconnect it. An interrupt still masked is forgotten; one that runs on another thread is waited for.
 *
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, IoDisconnectInterrupt
 */
NTKERNELAPI VOID IoDisconnectInterrupt(PKINTERRUPT InterruptObject);

/**
 * Run a routine as the interrupt's service routine runs: at its SynchronizeIrql, holding its spin lock.
 *
 * @return    what the routine returned
 * @irql      <= DIRQL of the interrupt
 * @bugcheck  SPIN_LOCK_ALREADY_OWNED (0xF) from inside such a routine; IRQL_NOT_GREATER_OR_EQUAL (0x9) above the interrupt's IRQL
 * @source    WDK reference: wdm.h, KeSynchronizeExecution
 */
NTKERNELAPI BOOLEAN KeSynchronizeExecution(PKINTERRUPT Interrupt, PKSYNCHRONIZE_ROUTINE SynchronizeRoutine, PVOID SynchronizeContext);

/**
 * Raise to the interrupt's SynchronizeIrql and take its spin lock.
 *
 * @return    the IRQL before
 * @irql      <= DIRQL of the interrupt
 * @bugcheck  as KeSynchronizeExecution
 * @source    WDK reference: wdm.h, KeAcquireInterruptSpinLock
 */
NTKERNELAPI KIRQL KeAcquireInterruptSpinLock(PKINTERRUPT Interrupt);

/**
 * Let it go and lower.
 *
 * @irql      DIRQL of the interrupt
 * @bugcheck  SPIN_LOCK_NOT_OWNED (0x10), p1 the lock
 * @source    WDK reference: wdm.h, KeReleaseInterruptSpinLock
 */
NTKERNELAPI VOID KeReleaseInterruptSpinLock(PKINTERRUPT Interrupt, KIRQL OldIrql);

#ifdef __cplusplus
}
#endif
#endif
