/*
 * irp_cancel.c - IoCancelIrp: tell the driver that has an IRP that nobody wants the answer any more.
 *
 * Locks       the system's cancel spin lock (ke/queued_spinlock.c), which the driver's cancel routine releases.
 * Source      WDK reference: wdm.h, IoCancelIrp, DRIVER_CANCEL; Bug Checks 0x48, 0x11B.
 */
#include "io/irp.h"
#include "ke/bugcheck.h"

static void cancel_in_driver(const char *routine, PIRP irp, PDRIVER_CANCEL cancel, KIRQL before)
{
    if (irp->CurrentLocation > irp->StackCount)
        ke_bugcheck(routine, "The IRP is cancelled, but is complete: no driver has it.", CANCEL_STATE_IN_COMPLETED_IRP, (ULONG_PTR)irp,
                    (ULONG_PTR)cancel, 0, 0);
    irp->CancelIrql = before;
    cancel(IoGetCurrentIrpStackLocation(irp)->DeviceObject, irp);
    if (ke_self()->irql > before)
        ke_bugcheck(routine, "A cancel routine returned without releasing the cancel spin lock.", DRIVER_RETURNED_HOLDING_CANCEL_LOCK,
                    (ULONG_PTR)irp, (ULONG_PTR)cancel, 0, 0);
}

/* Drivers read Irp->Cancel with a plain load, as the kernel lets them: ThreadSanitizer is not told of the other side. */
__attribute__((no_sanitize("thread"), noinline)) static void mark_cancelled(PIRP irp) { *(volatile BOOLEAN *)&irp->Cancel = TRUE; }

BOOLEAN IoCancelIrp(PIRP Irp)
{
    KIRQL before;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return FALSE;
    IoAcquireCancelSpinLock(&before);
    mark_cancelled(Irp);
    PDRIVER_CANCEL cancel = IoSetCancelRoutine(Irp, NULL);
    if (cancel == NULL)
        IoReleaseCancelSpinLock(before);
    else
        cancel_in_driver(__func__, Irp, cancel, before);
    return cancel != NULL;
}
