/*
 * irp.c - memory for IRPs: a packet and its stack locations in one block of nonpaged pool.
 * A new IRP is at location StackCount + 1, its creator's, which there is not: IoCallDriver steps down to the first one.
 *
 * Locks       none: an IRP belongs to whoever has it.
 * Source      WDK reference: wdm.h, the pages of the routines; Bug Check 0xC9.
 * Fidelity    the tag, and that 0xC9 needs no verifier: choice.
 */
#include <string.h>

#include "io/irp.h"
#include "ke/bugcheck.h"
#include "mm/mdl.h"

VOID IoInitializeIrp(PIRP Irp, USHORT PacketSize, CCHAR StackSize)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    memset(Irp, 0, PacketSize);
    Irp->Type = IO_TYPE_IRP;
    Irp->Size = PacketSize;
    Irp->StackCount = StackSize;
    Irp->CurrentLocation = (CHAR)(StackSize + 1);
    InitializeListHead(&Irp->ThreadListEntry);
    Irp->Tail.Overlay.CurrentStackLocation = (PIO_STACK_LOCATION)(void *)(Irp + 1) + StackSize;
}

static size_t extension_at(size_t irp_bytes) { return (irp_bytes + 15) & ~(size_t)15; }

static void give_extension(PIRP irp, PVOID extension)
{
    irp->Tail.Overlay.IrpExtension = extension;
    if (extension != NULL)
        memset(extension, 0, sizeof(io_irp_extension_t));
}

PIRP IoAllocateIrp(CCHAR StackSize, BOOLEAN ChargeQuota)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (StackSize < 0 || StackSize == MAXCHAR) {
        ke_error(0, "%s: an IRP has 0 to %d stack locations, and not %d", __func__, MAXCHAR - 1, StackSize);
        return NULL;
    }
    USHORT size = IoSizeOfIrp(StackSize);
    size_t bytes = extension_at(size) + sizeof(io_irp_extension_t);
    PIRP   irp = ChargeQuota ? ExAllocatePoolWithQuotaTag(NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, bytes, IO_TAG_IRP)
                             : ExAllocatePoolWithTag(NonPagedPoolNx, bytes, IO_TAG_IRP);
    if (irp == NULL)
        return NULL;
    IoInitializeIrp(irp, size, StackSize);
    give_extension(irp, (char *)irp + extension_at(size));
    return irp;
}

PIRP IoAllocateIrpEx(PDEVICE_OBJECT DeviceObject, CCHAR StackSize, BOOLEAN ChargeQuota)
{
    (void)DeviceObject;
    return IoAllocateIrp(StackSize, ChargeQuota);
}

VOID IoReuseIrp(PIRP Irp, NTSTATUS Iostatus)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    UCHAR allocation = Irp->AllocationFlags;
    PVOID extension = Irp->Tail.Overlay.IrpExtension;
    IoInitializeIrp(Irp, Irp->Size, Irp->StackCount);
    give_extension(Irp, extension);
    Irp->AllocationFlags = allocation;
    Irp->IoStatus.Status = Iostatus;
}

/* Type 0: whoever touches it later is told so, as long as nobody else has the block. */
void io_irp_release(PIRP irp)
{
    irp->Type = 0;
    ExFreePoolWithTag(irp, IO_TAG_IRP);
}

void io_irp_release_buffers(PIRP irp)
{
    for (PMDL mdl = irp->MdlAddress, next; mdl != NULL; mdl = next) {
        next = mdl->Next;
        if (mm_mdl_has(mdl, MDL_PAGES_LOCKED))
            MmUnlockPages(mdl);
        IoFreeMdl(mdl);
    }
    irp->MdlAddress = NULL;
    if ((irp->Flags & IRP_DEALLOCATE_BUFFER) != 0)
        ExFreePoolWithTag(irp->AssociatedIrp.SystemBuffer, IO_TAG_BUFFER);
}

VOID IoFreeIrp(PIRP Irp)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (Irp->Type != IO_TYPE_IRP)
        ke_bugcheck(__func__, "What was to be freed is no IRP, or is one that was freed before.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 1,
                    (ULONG_PTR)Irp, 0, 0);
    if (io_irp_is_of_system(Irp))
        ke_bugcheck(__func__, "The IRP is the system's: IoCompleteRequest frees it.", DRIVER_VERIFIER_IOMANAGER_VIOLATION, 2,
                    (ULONG_PTR)Irp, 0, 0);
    io_irp_release(Irp);
}
