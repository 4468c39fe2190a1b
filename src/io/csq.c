/*
 * csq.c - cancel-safe queues: who takes an IRP out of a driver's queue, the driver or its cancellation?
 *
 *     in the queue, CancelRoutine set --driver: IoSetCancelRoutine(NULL) says it was set--> the driver's
 *                                     --IoCancelIrp took it first--> `cancelled` waits for the driver's lock, removes, completes
 *
 * DriverContext[3] leads from the IRP to the queue: to the IO_CSQ, or to the context that names the IRP and knows the queue. Both begin with a type.
 *
 * Locks       the driver's, by way of its routines.
 * Source      WDK reference: wdm.h, "Cancel-Safe IRP Queues", IoCsqInitialize and its companions.
 */
#include <ntddk.h>

#include "io/irp.h"
#include "ke/bugcheck.h"

static PVOID *link_of(PIRP irp) { return &irp->Tail.Overlay.DriverContext[3]; }

static PIO_CSQ_IRP_CONTEXT context_of(PIRP irp)
{
    ULONG *type = *link_of(irp);
    return *type == IO_TYPE_CSQ_IRP_CONTEXT ? (PIO_CSQ_IRP_CONTEXT)(void *)type : NULL;
}

static PIO_CSQ queue_of(PIRP irp)
{
    PIO_CSQ_IRP_CONTEXT context = context_of(irp);
    return context != NULL ? context->Csq : (PIO_CSQ)*link_of(irp);
}

/* Under the driver's lock. */
static void take_out(PIO_CSQ queue, PIRP irp)
{
    PIO_CSQ_IRP_CONTEXT context = context_of(irp);
    queue->CsqRemoveIrp(queue, irp);
    if (context != NULL)
        context->Irp = NULL;
    *link_of(irp) = NULL;
}

static VOID cancelled(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_CSQ queue = queue_of(irp);
    KIRQL   irql;
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    queue->CsqAcquireLock(queue, &irql);
    take_out(queue, irp);
    queue->CsqReleaseLock(queue, irql);
    queue->CsqCompleteCanceledIrp(queue, irp);
}

/* ---- making ---- */

NTSTATUS IoCsqInitialize(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                         PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                         PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    *Csq =
        (IO_CSQ){ IO_TYPE_CSQ, CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock, CsqReleaseLock, CsqCompleteCanceledIrp, NULL };
    return STATUS_SUCCESS;
}

NTSTATUS IoCsqInitializeEx(PIO_CSQ Csq, PIO_CSQ_INSERT_IRP_EX CsqInsertIrp, PIO_CSQ_REMOVE_IRP CsqRemoveIrp,
                           PIO_CSQ_PEEK_NEXT_IRP CsqPeekNextIrp, PIO_CSQ_ACQUIRE_LOCK CsqAcquireLock, PIO_CSQ_RELEASE_LOCK CsqReleaseLock,
                           PIO_CSQ_COMPLETE_CANCELED_IRP CsqCompleteCanceledIrp)
{
    (void)IoCsqInitialize(Csq, (PIO_CSQ_INSERT_IRP)(void (*)(void))CsqInsertIrp, CsqRemoveIrp, CsqPeekNextIrp, CsqAcquireLock,
                          CsqReleaseLock, CsqCompleteCanceledIrp);
    Csq->Type = IO_TYPE_CSQ_EX; /* its CsqInsertIrp takes one argument more, and returns a status */
    return STATUS_SUCCESS;
}

/* ---- in ---- */

static NTSTATUS insert_in_driver(PIO_CSQ queue, PIRP irp, PVOID insert_context)
{
    if (queue->Type == IO_TYPE_CSQ_EX)
        return ((PIO_CSQ_INSERT_IRP_EX)(void (*)(void))queue->CsqInsertIrp)(queue, irp, insert_context);
    queue->CsqInsertIrp(queue, irp);
    return STATUS_SUCCESS;
}

static void link_to(PIO_CSQ queue, PIRP irp, PIO_CSQ_IRP_CONTEXT context)
{
    *link_of(irp) = context != NULL ? (PVOID)context : (PVOID)queue;
    if (context != NULL)
        *context = (IO_CSQ_IRP_CONTEXT){ IO_TYPE_CSQ_IRP_CONTEXT, irp, queue };
}

static void unlink_refused(PIRP irp, PIO_CSQ_IRP_CONTEXT context)
{
    *link_of(irp) = NULL;
    if (context != NULL)
        context->Irp = NULL;
}

/* From the moment that it has a cancel routine. true: it was cancelled before that, and is out again. */
static bool make_cancelable(PIO_CSQ queue, PIRP irp)
{
    (void)IoSetCancelRoutine(irp, cancelled);
    if (!io_irp_is_cancelled(irp) || IoSetCancelRoutine(irp, NULL) == NULL)
        return false;
    take_out(queue, irp);
    return true;
}

NTSTATUS IoCsqInsertIrpEx(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context, PVOID InsertContext)
{
    KIRQL irql;
    bool  was_cancelled = false;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    link_to(Csq, Irp, Context);
    Csq->CsqAcquireLock(Csq, &irql);
    NTSTATUS status = insert_in_driver(Csq, Irp, InsertContext);
    if (NT_SUCCESS(status)) {
        IoMarkIrpPending(Irp);
        was_cancelled = make_cancelable(Csq, Irp);
    } else {
        unlink_refused(Irp, Context);
    }
    Csq->CsqReleaseLock(Csq, irql);
    if (was_cancelled)
        Csq->CsqCompleteCanceledIrp(Csq, Irp);
    return status;
}

VOID IoCsqInsertIrp(PIO_CSQ Csq, PIRP Irp, PIO_CSQ_IRP_CONTEXT Context)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    (void)IoCsqInsertIrpEx(Csq, Irp, Context, NULL);
}

/* ---- out ---- */

PIRP IoCsqRemoveIrp(PIO_CSQ Csq, PIO_CSQ_IRP_CONTEXT Context)
{
    KIRQL irql;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    Csq->CsqAcquireLock(Csq, &irql);
    PIRP irp = Context->Irp;
    if (irp != NULL && IoSetCancelRoutine(irp, NULL) == NULL)
        irp = NULL;
    if (irp != NULL)
        take_out(Csq, irp);
    Csq->CsqReleaseLock(Csq, irql);
    return irp;
}

PIRP IoCsqRemoveNextIrp(PIO_CSQ Csq, PVOID PeekContext)
{
    KIRQL irql;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    Csq->CsqAcquireLock(Csq, &irql);
    PIRP irp = Csq->CsqPeekNextIrp(Csq, NULL, PeekContext);
    while (irp != NULL && IoSetCancelRoutine(irp, NULL) == NULL) /* that one is being cancelled, and waits for the lock */
        irp = Csq->CsqPeekNextIrp(Csq, irp, PeekContext);
    if (irp != NULL)
        take_out(Csq, irp);
    Csq->CsqReleaseLock(Csq, irql);
    return irp;
}
