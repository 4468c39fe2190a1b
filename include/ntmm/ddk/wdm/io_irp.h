/*
 * io_irp.h - routines on IRPs: a request goes down a stack of drivers, and comes up again through their completion routines.
 *
 *     IoCallDriver         each driver takes the next lower location    | 3 | upper    A
 *                          and its dispatch routine runs            V   | 2 | filter   |  IoCompleteRequest: the completion routine that the
 *     creator: location StackCount + 1, which there is not              | 1 | lowest   |  upper driver put into the location below its own
 *
 * An IRP of IoAllocateIrp or IoBuildAsynchronousFsdRequest belongs to the driver: its completion routine returns STATUS_MORE_PROCESSING_REQUIRED
 * and frees it. One of IoBuildDeviceIoControlRequest or IoBuildSynchronousFsdRequest is the system's, which frees it when it is complete.
 *
 * Source  WDK reference: wdm.h, "Handling IRPs", "Implementing an IoCompletion Routine".
 */
#ifndef NTMM_DDK_WDM_IO_IRP_H
#define NTMM_DDK_WDM_IO_IRP_H

#include "interlocked.h"
#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of an IRP with that many stack locations. */
#define IoSizeOfIrp(StackSize) ((USHORT)(sizeof(IRP) + (size_t)(StackSize) * sizeof(IO_STACK_LOCATION)))

/* ---- memory ---- */

/**
 * An IRP, which the caller frees with IoFreeIrp.
 *
 * @param StackSize    locations: StackSize of the device that it is sent to, and one more if the caller wants one; 1 to 127 make sense
 * @param ChargeQuota  TRUE: the current process is charged for the pool
 * @return NULL: no pool, beyond the quota, or StackSize below 0
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @models    nonpaged pool with tag `Irp `, by which a leak is found
 * @source    WDK reference: wdm.h, IoAllocateIrp
 */
NTKERNELAPI PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota);
/** The same; DeviceObject is not looked at. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoAllocateIrpEx */
NTKERNELAPI PIRP IoAllocateIrpEx(PDEVICE_OBJECT DeviceObject, CCHAR StackSize, BOOLEAN ChargeQuota);
/**
 * Free an IRP of IoAllocateIrp or IoBuildAsynchronousFsdRequest; not its MDLs and buffers.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  DRIVER_VERIFIER_IOMANAGER_VIOLATION (0xC9): p1 1 it is no IRP, 2 it is the system's; p2 the IRP (here whether or not a verifier is on)
 * @source    WDK reference: wdm.h, IoFreeIrp; Bug Check 0xC9
 */
NTKERNELAPI VOID IoFreeIrp(PIRP Irp);
/** Make an IRP in the driver's own storage ready. @param PacketSize IoSizeOfIrp(StackSize) @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, IoInitializeIrp */
NTKERNELAPI VOID IoInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize);
/** Make an IRP of IoAllocateIrp as it was at first, except for IoStatus.Status. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, IoReuseIrp */
NTKERNELAPI VOID IoReuseIrp(PIRP Irp, NTSTATUS Iostatus);

/* ---- locations ---- */

/** The location of the driver that has the IRP now. @irql any @source WDK reference: wdm.h */
FORCEINLINE PIO_STACK_LOCATION IoGetCurrentIrpStackLocation(PIRP Irp) { return Irp->Tail.Overlay.CurrentStackLocation; }
/** The location of the next lower driver. @irql any @source WDK reference: wdm.h */
FORCEINLINE PIO_STACK_LOCATION IoGetNextIrpStackLocation(PIRP Irp) { return Irp->Tail.Overlay.CurrentStackLocation - 1; }
/** The creator takes a location for itself. @irql any @source WDK reference: wdm.h, IoSetNextIrpStackLocation */
FORCEINLINE VOID IoSetNextIrpStackLocation(PIRP Irp)
{
    Irp->CurrentLocation--;
    Irp->Tail.Overlay.CurrentStackLocation--;
}
/** The next lower driver gets this driver's location as it is. @irql any @source WDK reference: wdm.h, IoSkipCurrentIrpStackLocation */
FORCEINLINE VOID IoSkipCurrentIrpStackLocation(PIRP Irp)
{
    Irp->CurrentLocation++;
    Irp->Tail.Overlay.CurrentStackLocation++;
}
/** The next lower driver gets a copy, without the completion routine. @irql any @source WDK reference: wdm.h */
FORCEINLINE VOID IoCopyCurrentIrpStackLocationToNext(PIRP Irp)
{
    PIO_STACK_LOCATION current = IoGetCurrentIrpStackLocation(Irp), next = IoGetNextIrpStackLocation(Irp);
    *next = *current;
    next->Control = 0;
    next->CompletionRoutine = NULL;
    next->Context = NULL;
}
/** The dispatch routine will return STATUS_PENDING. @irql any @source WDK reference: wdm.h, IoMarkIrpPending */
FORCEINLINE VOID IoMarkIrpPending(PIRP Irp) { IoGetCurrentIrpStackLocation(Irp)->Control |= SL_PENDING_RETURNED; }

/** Have a routine called when the next lower driver has completed the IRP. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, IoSetCompletionRoutine */
FORCEINLINE VOID IoSetCompletionRoutine(PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context, BOOLEAN InvokeOnSuccess,
                                        BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(Irp);
    next->CompletionRoutine = CompletionRoutine;
    next->Context = Context;
    next->Control = (UCHAR)((InvokeOnSuccess ? SL_INVOKE_ON_SUCCESS : 0) | (InvokeOnError ? SL_INVOKE_ON_ERROR : 0) |
                            (InvokeOnCancel ? SL_INVOKE_ON_CANCEL : 0));
}
/** The same, for drivers that may be unloaded meanwhile. @return STATUS_INSUFFICIENT_RESOURCES @irql <= DISPATCH_LEVEL
 *  @models the device is not referenced: no driver goes away by itself here @source WDK reference: wdm.h, IoSetCompletionRoutineEx */
NTKERNELAPI NTSTATUS IoSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine,
                                              PVOID Context, BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel);

/* ---- down and up ---- */

/**
 * Send an IRP on with the same parameters, and wait until the lower drivers have completed it; the caller has it again then.
 *
 * @return  FALSE: it has no location left. What became of it is in IoStatus
 * @irql    PASSIVE_LEVEL
 * @source  WDK reference: wdm.h, IoForwardIrpSynchronously
 */
NTKERNELAPI BOOLEAN IoForwardIrpSynchronously(PDEVICE_OBJECT DeviceObject, PIRP Irp);
#define IoForwardAndCatchIrp IoForwardIrpSynchronously

/**
 * Send an IRP to a driver: its dispatch routine for the MajorFunction in the next location runs, on this thread.
 *
 * @return    what the dispatch routine returned
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  NO_MORE_IRP_STACK_LOCATIONS (0x35): p1 the IRP. DRIVER_VERIFIER_IOMANAGER_VIOLATION (0xC9), here whether or not a verifier is on:
 *            p1 3 it is no IRP (p2), 4 no device object, or one without a driver (p2), 5 the dispatch routine returned at another IRQL (p2 the
 *            device, p3 before, p4 after). INCONSISTENT_IRP (0x2A): a MajorFunction that there is not; p1 the IRP (choice)
 * @models    a NULL entry in MajorFunction completes the IRP with STATUS_INVALID_DEVICE_REQUEST
 * @source    WDK reference: wdm.h, IofCallDriver; Bug Checks 0x35, 0xC9
 */
NTKERNELAPI NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp);
#define IoCallDriver(DeviceObject, Irp) IofCallDriver(DeviceObject, Irp)

/**
 * The IRP is done; IoStatus says how. Completion routines of the drivers above run, the lowest first, until one returns
 * STATUS_MORE_PROCESSING_REQUIRED, which then has the IRP, and may call this again to go on. At the end an IRP of the system gives its output
 * to the caller's buffer, its status to the IO_STATUS_BLOCK, unlocks and frees its MDLs, its buffer and itself, and sets its event.
 *
 * @param PriorityBoost  ignored: there are no priorities
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  MULTIPLE_IRP_COMPLETE_REQUESTS (0x44): it is no IRP (any more), or one of the driver's own that nobody keeps; p1 the IRP.
 *            DRIVER_VERIFIER_IOMANAGER_VIOLATION (0xC9), here whether or not a verifier is on: p1 6 IoStatus.Status is STATUS_PENDING or -1 (p2,
 *            p3 the IRP); 7 its cancel routine is still set (p2, p3 the IRP)
 * @models    the end comes at once and on this thread, where Windows queues an APC to the thread that built the IRP
 * @source    WDK reference: wdm.h, IofCompleteRequest; Bug Checks 0x44, 0xC9
 */
NTKERNELAPI VOID IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost);
#define IoCompleteRequest(Irp, PriorityBoost) IofCompleteRequest(Irp, PriorityBoost)

/* ---- requests ---- */

/**
 * A control request of the system's, for IoCallDriver. Buffers go as the control code's METHOD_ says: copied (METHOD_BUFFERED), locked and
 * described by an MDL (the output buffer of the two direct ones), or as they are.
 *
 * @return NULL: no memory, or a buffer that cannot be locked
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, IoBuildDeviceIoControlRequest
 */
NTKERNELAPI PIRP IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer, ULONG InputBufferLength,
                                               PVOID OutputBuffer, ULONG OutputBufferLength, BOOLEAN InternalDeviceIoControl, PKEVENT Event,
                                               PIO_STATUS_BLOCK IoStatusBlock);
/** A read, write, flush, shutdown or PnP request of the system's; the buffer of the first two goes as the device's DO_BUFFERED_IO and
 *  DO_DIRECT_IO say. @return NULL: no memory, a buffer that cannot be locked, another function @irql PASSIVE_LEVEL
 *  @source WDK reference: wdm.h, IoBuildSynchronousFsdRequest */
NTKERNELAPI PIRP IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                              PLARGE_INTEGER StartingOffset, PKEVENT Event, PIO_STATUS_BLOCK IoStatusBlock);
/** The same, but the IRP is the driver's: a completion routine unlocks and frees its MDLs, or its system buffer (ExFreePool, with
 *  IRP_DEALLOCATE_BUFFER), and frees it. IoStatusBlock is remembered and never written. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, IoBuildAsynchronousFsdRequest */
NTKERNELAPI PIRP IoBuildAsynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                               PLARGE_INTEGER StartingOffset, PIO_STATUS_BLOCK IoStatusBlock);

/* ---- a request in parts ---- */

/**
 * An IRP that does a part of another one. When all of them are complete, and no completion routine has kept the last one, the master is completed.
 *
 * @param Irp        the master. The driver counts in Irp->AssociatedIrp.IrpCount those that it sends, before it sends the first one
 * @param StackSize  as for IoAllocateIrp
 * @return    NULL: no pool
 * @irql      <= DISPATCH_LEVEL
 * @models    one that a completion routine keeps is its driver's, which frees it (IoFreeIrp) and completes the master itself; of the others MDLs
 *            go with them (choice)
 * @source    WDK reference: ntddk.h, IoMakeAssociatedIrp
 */
NTKERNELAPI PIRP IoMakeAssociatedIrp(PIRP Irp, CCHAR StackSize);
/** Merge the status of a part into the master's: it stays unless Status is worse, an error than a warning, a warning than a success.
 *  @irql any @models of two errors the first stays, and warnings count (choice) @source WDK reference: ntddk.h, IoSetMasterIrpStatus */
NTKERNELAPI VOID IoSetMasterIrpStatus(PIRP MasterIrp, NTSTATUS Status);

/* ---- what goes along with a request ---- */

/** How urgent it is; IoPriorityNormal unless somebody has said otherwise. @irql any @source WDK reference: wdm.h, IoGetIoPriorityHint */
NTKERNELAPI IO_PRIORITY_HINT IoGetIoPriorityHint(PIRP Irp);
/** @return STATUS_INVALID_PARAMETER: no such priority (choice) @irql any @models nothing depends on it @source WDK reference: wdm.h */
NTKERNELAPI NTSTATUS IoSetIoPriorityHint(PIRP Irp, IO_PRIORITY_HINT PriorityHint);
/** Which activity it belongs to. @return STATUS_NOT_FOUND: nobody has said @irql any @source WDK reference: ntddk.h, IoGetActivityIdIrp */
NTKERNELAPI NTSTATUS IoGetActivityIdIrp(PIRP Irp, LPGUID Guid);
/** Say so, of an IRP of IoAllocateIrp or of the system. @param Guid NULL: the thread's, of which there is none
 *  @return STATUS_NOT_SUPPORTED: Guid is NULL; STATUS_UNSUCCESSFUL: an IRP in the driver's own storage (choice)
 *  @irql any; with Guid NULL PASSIVE_LEVEL @source WDK reference: ntddk.h, IoSetActivityIdIrp */
NTKERNELAPI NTSTATUS IoSetActivityIdIrp(PIRP Irp, LPCGUID Guid);
/** The request that a file system works on in this thread, or a FSRTL_..._TOP_LEVEL_IRP; NULL: none. @irql any
 *  @models Windows' I/O manager and cache manager set it, too; here only drivers do @source WDK reference: ntifs.h, IoGetTopLevelIrp */
NTKERNELAPI PIRP IoGetTopLevelIrp(VOID);
NTKERNELAPI VOID IoSetTopLevelIrp(PIRP Irp);

/* ---- cancel ---- */

/** Set or clear the routine that cancels the IRP; what it was before. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h */
FORCEINLINE PDRIVER_CANCEL IoSetCancelRoutine(PIRP Irp, PDRIVER_CANCEL CancelRoutine)
{
    return (PDRIVER_CANCEL)(ULONG_PTR)InterlockedExchangePointer((PVOID volatile *)(PVOID)(ULONG_PTR)&Irp->CancelRoutine,
                                                                 (PVOID)(ULONG_PTR)CancelRoutine);
}
/**
 * Set Cancel, and call the cancel routine if there is one, which then is not set any more. It runs under the cancel spin lock, and releases it
 * to Irp->CancelIrql.
 *
 * @return    TRUE: there was one
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  CANCEL_STATE_IN_COMPLETED_IRP (0x48): no driver of the stack has the IRP; p1 the IRP, p2 the routine.
 *            DRIVER_RETURNED_HOLDING_CANCEL_LOCK (0x11B): p1 the IRP, p2 the routine (seen when this was called below DISPATCH_LEVEL)
 * @source    WDK reference: wdm.h, IoCancelIrp; Bug Checks 0x48, 0x11B
 */
NTKERNELAPI BOOLEAN IoCancelIrp(PIRP Irp);

#ifdef __cplusplus
}
#endif
#endif
