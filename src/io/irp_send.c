/*
 * irp_send.c - an IRP is sent, and its sender waits until it is complete and has it back.
 *
 *     io_irp_send                  an IRP of our own: to the top of a stack, and into the caller's hands again
 *     IoForwardIrpSynchronously    a driver's: to the next lower driver with the same parameters, and back to that driver
 *
 * Locks       none. The event lives on the sender's stack: the completion routine is done with it before the sender goes on.
 * Source      WDK reference: wdm.h, IoForwardIrpSynchronously; "Handling an IRP_MN_START_DEVICE request".
 */
#include "io/irp.h"
#include "ke/bugcheck.h"

static NTSTATUS wake_sender(PDEVICE_OBJECT device, PIRP irp, PVOID event)
{
    (void)device;
    (void)irp;
    KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS io_irp_send(PDEVICE_OBJECT device, PIRP irp)
{
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoSetCompletionRoutine(irp, wake_sender, &event, TRUE, TRUE, TRUE);
    (void)IoCallDriver(device, irp);
    (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL); /* at once, when it was completed by the dispatch routines */
    return irp->IoStatus.Status;
}

BOOLEAN IoForwardIrpSynchronously(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL || Irp->CurrentLocation <= 1)
        return FALSE;
    IoCopyCurrentIrpStackLocationToNext(Irp);
    (void)io_irp_send(DeviceObject, Irp);
    return TRUE;
}
