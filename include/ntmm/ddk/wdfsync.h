/*
 * wdfsync.h - locks as objects: spin locks, wait locks, and the lock that a device's or a queue's callbacks run under.
 *
 * Source  WDK reference: wdfsync.h, "Synchronization Techniques for Framework-Based Drivers"; Bug Check 0x10D.
 */
#ifndef NTMM_DDK_WDFSYNC_H
#define NTMM_DDK_WDFSYNC_H

#include "wdfobject.h"

WDF_EXTERN_C_START

/**
 * The lock of a WDFDEVICE or a WDFQUEUE, under which the framework calls its callbacks when its scope says so.
 *
 * @irql      PASSIVE_LEVEL when the object's execution level is passive; otherwise <= DISPATCH_LEVEL, and raised to that
 * @bugcheck  WDF_VIOLATION 0xB (p2 the handle, p3 0): the object has none; 0x2: this thread holds it; 0x5: no object
 * @source    WDK reference: wdfsync.h, WdfObjectAcquireLock
 */
WDFAPI VOID WdfObjectAcquireLock(WDFOBJECT Object);
/** And back to the IRQL from before. @irql as it was acquired @bugcheck WDF_VIOLATION 0xB: the object has none, or (p3 1: choice) this thread does
 *  not hold it; 0x5 @source WDK reference: wdfsync.h, WdfObjectReleaseLock */
WDFAPI VOID WdfObjectReleaseLock(WDFOBJECT Object);

/* ---- wait locks: one thread at a time, kernel APCs held off ---- */

/** @param LockAttributes or NULL; ParentObject NULL: the driver @return STATUS_INSUFFICIENT_RESOURCES, STATUS_DELETE_PENDING, those of bad attributes
 *  @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x4: Lock is NULL; 0x5: the parent is none
 *  @source WDK reference: wdfsync.h, WdfWaitLockCreate */
WDFAPI NTSTATUS WdfWaitLockCreate(PWDF_OBJECT_ATTRIBUTES LockAttributes, WDFWAITLOCK *Lock);
/**
 * @param Timeout  100 ns, negative: from now; 0: does not wait; NULL: waits as long as it takes
 * @return    STATUS_SUCCESS: acquired; STATUS_TIMEOUT
 * @irql      PASSIVE_LEVEL; <= DISPATCH_LEVEL with a Timeout of 0
 * @bugcheck  WDF_VIOLATION 0x2: this thread holds it; 0x5: no wait lock
 * @source    WDK reference: wdfsync.h, WdfWaitLockAcquire
 */
WDFAPI NTSTATUS WdfWaitLockAcquire(WDFWAITLOCK Lock, PLONGLONG Timeout);
/** @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0xB (p2 the handle, p3 1: choice): this thread does not hold it; 0x5
 *  @source WDK reference: wdfsync.h, WdfWaitLockRelease */
WDFAPI VOID WdfWaitLockRelease(WDFWAITLOCK Lock);

/* ---- spin locks ---- */

/** @param SpinLockAttributes or NULL; ParentObject NULL: the driver @return as WdfWaitLockCreate @irql <= DISPATCH_LEVEL
 *  @bugcheck WDF_VIOLATION 0x4: SpinLock is NULL; 0x5: the parent is none @source WDK reference: wdfsync.h, WdfSpinLockCreate */
WDFAPI NTSTATUS WdfSpinLockCreate(PWDF_OBJECT_ATTRIBUTES SpinLockAttributes, WDFSPINLOCK *SpinLock);
/** Raises to DISPATCH_LEVEL. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x2: this thread holds it; 0x5: no spin lock
 *  @models the spin lock of an interrupt (WdfInterruptCreate) is for that alone @source WDK reference: wdfsync.h, WdfSpinLockAcquire */
WDFAPI VOID WdfSpinLockAcquire(WDFSPINLOCK SpinLock);
/** Back to the IRQL from before. @irql DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0xB (p2 the handle, p3 1): this thread does not hold it; 0x5
 *  @source WDK reference: wdfsync.h, WdfSpinLockRelease; Bug Check 0x10D */
WDFAPI VOID WdfSpinLockRelease(WDFSPINLOCK SpinLock);

WDF_EXTERN_C_END
#endif
