/*
 * irp_associated.c - a request that a driver splits: one master, and IRPs associated with it that do the parts of the work.
 *
 *     master.AssociatedIrp.IrpCount = n (the driver)       each: AssociatedIrp.MasterIrp = master
 *     each is complete --> it is freed, IrpCount goes down  `- the last one: the master is completed, with the status that the driver gave it
 *
 * Locks       none: IrpCount is changed at once.
 * Source      WDK reference: ntddk.h, IoMakeAssociatedIrp, IoSetMasterIrpStatus.
 * Fidelity    the MDLs of an associated IRP are freed with it, and pages that they lock unlocked (choice).
 */
#include <string.h>

#include "io/irp.h"
#include "ke/bugcheck.h"

PIRP IoMakeAssociatedIrp(PIRP Irp, CCHAR StackSize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    PIRP associated = IoAllocateIrp(StackSize, FALSE);
    if (associated == NULL)
        return NULL;
    associated->Flags |= IRP_ASSOCIATED_IRP;
    associated->AssociatedIrp.MasterIrp = Irp;
    associated->RequestorMode = Irp->RequestorMode;
    associated->Tail.Overlay.Thread = Irp->Tail.Overlay.Thread;
    return associated;
}

void io_irp_finish_associated(PIRP irp, CCHAR boost)
{
    PIRP master = irp->AssociatedIrp.MasterIrp;
    io_irp_release_buffers(irp);
    io_irp_release(irp);
    if (InterlockedDecrement(&master->AssociatedIrp.IrpCount) == 0)
        IoCompleteRequest(master, boost);
}

/* The two bits that say how bad it is. */
static unsigned severity(NTSTATUS status) { return (ULONG)status >> 30; }

VOID IoSetMasterIrpStatus(PIRP MasterIrp, NTSTATUS Status)
{
    if (severity(Status) > 1 && severity(Status) > severity(MasterIrp->IoStatus.Status))
        MasterIrp->IoStatus.Status = Status;
}
