/*
 * irp_call.c - an IRP goes down the stack of drivers, and comes up again.
 *
 *     IofCallDriver          one location down, and the dispatch routine of the driver there
 *     IofCompleteRequest     while there are locations above:
 *      |- pending?             the location's SL_PENDING_RETURNED becomes PendingReturned
 *      |- one location up      what is below is cleared: it was another driver's
 *      |- its routine          if it asked for this outcome; STATUS_MORE_PROCESSING_REQUIRED ends it all here
 *      `- or nobody's          then the pending mark goes up by itself
 *     finish                 an IRP of the system: output, status, buffers, packet, event
 *     io_irp_finish_associated   part of another request (irp_associated.c)
 *
 * Locks       none: an IRP belongs to whoever has it. Drivers' routines run with none held.
 * Source      WDK reference: "Implementing an IoCompletion Routine", IoMarkIrpPending; Bug Checks 0x35, 0x44, 0xC9.
 * Fidelity    finish runs in the thread that completes the IRP, at its IRQL, where Windows queues an APC to the thread that built it.
 */
#include <string.h>

#include "io/irp.h"
#include "ke/bugcheck.h"
#include "ke/probe.h"
#include "ke/region.h"
#include "mm/mm.h"

#define TAG_COMPLETION NTMM_TAG("IoCm")

/* ---- down ---- */

static void check_call(const char *routine, PDEVICE_OBJECT device, PIRP irp)
{
    if (irp->Type != IO_TYPE_IRP)
        ke_bugcheck(routine, "What was sent to a driver is no IRP.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 3, (ULONG_PTR)irp, 0, 0);
    if (device == NULL || device->DriverObject == NULL)
        ke_bugcheck(routine, "An IRP was sent to no device object, or to one without a driver.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 4,
                    (ULONG_PTR)device, 0, 0);
    if (irp->CurrentLocation <= 1)
        ke_bugcheck(routine, "The IRP has no stack location left for the driver that it was sent to.", NO_MORE_IRP_STACK_LOCATIONS,
                    (ULONG_PTR)irp, 0, 0, 0);
    if (IoGetNextIrpStackLocation(irp)->MajorFunction > IRP_MJ_MAXIMUM_FUNCTION)
        ke_bugcheck(routine, "The next stack location's MajorFunction is none.", INCONSISTENT_IRP, (ULONG_PTR)irp, 0, 0, 0);
}

static NTSTATUS refuse(PIRP irp)
{
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS IofCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    check_call(__func__, DeviceObject, Irp);
    IoSetNextIrpStackLocation(Irp);
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(Irp);
    location->DeviceObject = DeviceObject;
    PDRIVER_DISPATCH dispatch = DeviceObject->DriverObject->MajorFunction[location->MajorFunction];
    KIRQL            before = ke_self()->irql;
    ULONG_PTR        apcs = ke_apc_disable_count(ke_self());
    NTSTATUS         status = dispatch != NULL ? dispatch(DeviceObject, Irp) : refuse(Irp);
    if (ke_self()->irql != before)
        ke_bugcheck(__func__, "A dispatch routine returned at another IRQL than it was called at.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 5,
                    (ULONG_PTR)DeviceObject, before, ke_self()->irql);
    ke_probe_returned(__func__, KE_CALLED_DISPATCH, (ULONG_PTR)(uintptr_t)dispatch, before, apcs);
    return status;
}

/* ---- up ---- */

static bool asked_for(UCHAR control, const IRP *irp)
{
    UCHAR outcome = NT_SUCCESS(irp->IoStatus.Status) ? SL_INVOKE_ON_SUCCESS : SL_INVOKE_ON_ERROR;
    return (control & outcome) != 0 || (io_irp_is_cancelled(irp) && (control & SL_INVOKE_ON_CANCEL) != 0);
}

/* No completion routine looked at PendingReturned. */
static void pass_pending_up(PIRP irp)
{
    if (irp->PendingReturned && irp->CurrentLocation <= irp->StackCount)
        IoMarkIrpPending(irp);
}

/* A completion routine returns at the IRQL, and in the regions, that it was called in. */
static NTSTATUS call(PIO_COMPLETION_ROUTINE routine, PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    const ke_thread_t *self = ke_self();
    KIRQL              before = self->irql;
    ULONG_PTR          apcs = ke_apc_disable_count(self);
    NTSTATUS           status = routine(device, irp, context);
    ke_probe_returned("IofCompleteRequest", KE_CALLED_COMPLETION, (ULONG_PTR)(uintptr_t)routine, before, apcs);
    return status;
}

/* False: somebody keeps the IRP, which may be gone by now. */
static bool one_up(PIRP irp)
{
    PIO_STACK_LOCATION      below = IoGetCurrentIrpStackLocation(irp);
    const IO_STACK_LOCATION left = *below;
    irp->PendingReturned = (left.Control & SL_PENDING_RETURNED) != 0;
    memset(below, 0, sizeof *below);
    IoSkipCurrentIrpStackLocation(irp);
    if (left.CompletionRoutine == NULL || !asked_for(left.Control, irp)) {
        pass_pending_up(irp);
        return true;
    }
    PDEVICE_OBJECT device = irp->CurrentLocation <= irp->StackCount ? IoGetCurrentIrpStackLocation(irp)->DeviceObject : NULL;
    return call(left.CompletionRoutine, device, irp, left.Context) != STATUS_MORE_PROCESSING_REQUIRED;
}

static void finish(PIRP irp)
{
    const unsigned output = IRP_BUFFERED_IO | IRP_INPUT_OPERATION;
    PKEVENT        event = irp->UserEvent;
    if ((irp->Flags & output) == output && !NT_ERROR(irp->IoStatus.Status) && irp->IoStatus.Information != 0)
        mm_deliver(irp->UserBuffer, irp->AssociatedIrp.SystemBuffer, irp->IoStatus.Information);
    io_irp_release_buffers(irp);
    if (irp->UserIosb != NULL)
        mm_deliver(irp->UserIosb, &irp->IoStatus, sizeof irp->IoStatus);
    io_irp_release(irp);
    if (event != NULL)
        KeSetEvent(event, IO_NO_INCREMENT, FALSE);
}

static void check_complete(const char *routine, PIRP irp)
{
    if (irp->Type != IO_TYPE_IRP || irp->CurrentLocation > irp->StackCount + 1)
        ke_bugcheck(routine, "It was completed before, or is no IRP.", MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)irp, 0, 0, 0);
    if (irp->IoStatus.Status == STATUS_PENDING || irp->IoStatus.Status == -1)
        ke_bugcheck(routine, "An IRP was completed with a status that says that it is not complete.", DRIVER_VERIFIER_IOMANAGER_VIOLATION,
                    6, (ULONG_PTR)irp->IoStatus.Status, (ULONG_PTR)irp, 0);
    if (io_irp_cancel_routine(irp) != NULL)
        ke_bugcheck(routine, "An IRP was completed while its cancel routine was set.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 7,
                    (ULONG_PTR)irp->CancelRoutine, (ULONG_PTR)irp, 0);
}

VOID IofCompleteRequest(PIRP Irp, CCHAR PriorityBoost)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    check_complete(__func__, Irp);
    while (Irp->CurrentLocation <= Irp->StackCount)
        if (!one_up(Irp))
            return;
    if ((Irp->Flags & IRP_ASSOCIATED_IRP) != 0) {
        io_irp_finish_associated(Irp, PriorityBoost);
        return;
    }
    if (!io_irp_is_of_system(Irp))
        ke_bugcheck(
            __func__,
            "The IRP is complete, and is its driver's own: a completion routine had to keep it (STATUS_MORE_PROCESSING_REQUIRED), or "
            "it was completed twice.",
            MULTIPLE_IRP_COMPLETE_REQUESTS, (ULONG_PTR)Irp, 0, 0, 0);
    finish(Irp);
}

/* ---- completion routines of devices ---- */

typedef struct completion {
    PIO_COMPLETION_ROUTINE routine;
    PVOID                  context;
    UCHAR                  control;
} completion_t;

static NTSTATUS complete_for_device(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    const completion_t completion = *(completion_t *)context;
    ExFreePoolWithTag(context, TAG_COMPLETION);
    if (asked_for(completion.control, irp))
        return call(completion.routine, device, irp, completion.context);
    pass_pending_up(irp);
    return STATUS_CONTINUE_COMPLETION;
}

NTSTATUS IoSetCompletionRoutineEx(PDEVICE_OBJECT DeviceObject, PIRP Irp, PIO_COMPLETION_ROUTINE CompletionRoutine, PVOID Context,
                                  BOOLEAN InvokeOnSuccess, BOOLEAN InvokeOnError, BOOLEAN InvokeOnCancel)
{
    (void)DeviceObject;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    completion_t *completion = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *completion, TAG_COMPLETION);
    if (completion == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    IoSetCompletionRoutine(Irp, CompletionRoutine, Context, InvokeOnSuccess, InvokeOnError, InvokeOnCancel);
    *completion = (completion_t){ CompletionRoutine, Context, IoGetNextIrpStackLocation(Irp)->Control };
    IoSetCompletionRoutine(Irp, complete_for_device, completion, TRUE, TRUE, TRUE);
    return STATUS_SUCCESS;
}
