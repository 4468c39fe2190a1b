/*
 * irp_hints.c - what goes along with a request and changes nothing about it: how urgent it is, which activity it belongs to, and which request of
 * a file system its thread works on.
 *
 * Locks       none: an IRP belongs to whoever has it, a thread's top-level IRP to the thread.
 * Source      WDK reference: wdm.h, IoGetIoPriorityHint, IoSetIoPriorityHint, "Using IRP Priority Hints"; ntddk.h, IoGetActivityIdIrp,
 *             IoSetActivityIdIrp; ntifs.h, IoGetTopLevelIrp, IoSetTopLevelIrp.
 * Fidelity    where the priority is kept (three bits of Flags) is a choice. Threads have no activity of their own.
 */
#include "io/irp.h"
#include "ke/bugcheck.h"

/* ---- priority ---- */

#define PRIORITY_SHIFT 17
#define PRIORITY_MASK 7u /* 0: never set; else one more than the hint */

IO_PRIORITY_HINT IoGetIoPriorityHint(PIRP Irp)
{
    unsigned kept = (Irp->Flags >> PRIORITY_SHIFT) & PRIORITY_MASK;
    return kept != 0 ? (IO_PRIORITY_HINT)(kept - 1) : IoPriorityNormal;
}

NTSTATUS IoSetIoPriorityHint(PIRP Irp, IO_PRIORITY_HINT PriorityHint)
{
    if ((unsigned)PriorityHint >= MaxIoPriorityTypes)
        return STATUS_INVALID_PARAMETER;
    Irp->Flags = (Irp->Flags & ~(PRIORITY_MASK << PRIORITY_SHIFT)) | ((ULONG)PriorityHint + 1) << PRIORITY_SHIFT;
    return STATUS_SUCCESS;
}

/* ---- activity ---- */

static io_irp_extension_t *extension_of(const IRP *irp) { return irp->Tail.Overlay.IrpExtension; }

NTSTATUS IoGetActivityIdIrp(PIRP Irp, LPGUID Guid)
{
    const io_irp_extension_t *extension = extension_of(Irp);
    if (extension == NULL || !extension->has_activity)
        return STATUS_NOT_FOUND;
    *Guid = extension->activity;
    return STATUS_SUCCESS;
}

NTSTATUS IoSetActivityIdIrp(PIRP Irp, LPCGUID Guid)
{
    io_irp_extension_t *extension = extension_of(Irp);
    if (Guid == NULL) {
        KE_REQUIRE_IRQL(PASSIVE_LEVEL);
        return STATUS_NOT_SUPPORTED;
    }
    if (extension == NULL)
        return STATUS_UNSUCCESSFUL;
    extension->activity = *Guid;
    extension->has_activity = true;
    return STATUS_SUCCESS;
}

/* ---- the request of a file system ---- */

PIRP IoGetTopLevelIrp(VOID)
{
    const ke_thread_t *self = ke_thread_ready(__func__);
    return self != NULL ? self->top_level_irp : NULL;
}

VOID IoSetTopLevelIrp(PIRP Irp)
{
    ke_thread_t *self = ke_thread_ready(__func__);
    if (self != NULL)
        self->top_level_irp = Irp;
}
