/*
 * irp.h - what the files about IRPs share.
 */
#ifndef NTMM_IO_IRP_H
#define NTMM_IO_IRP_H

#include <stdbool.h>

#include <ntddk.h>

#define IO_TAG_IRP NTMM_TAG("Irp ")
#define IO_TAG_BUFFER NTMM_TAG("IoSB") /* system buffers */

/* IRP.AllocationFlags: the system's, which frees it when it is complete. */
#define IO_IRP_OF_SYSTEM 0x01u

static inline bool io_irp_is_of_system(const IRP *irp) { return (irp->AllocationFlags & IO_IRP_OF_SYSTEM) != 0; }

/* IoCancelIrp may be writing both on another processor. */
static inline bool           io_irp_is_cancelled(const IRP *irp) { return __atomic_load_n(&irp->Cancel, __ATOMIC_SEQ_CST) != FALSE; }
static inline PDRIVER_CANCEL io_irp_cancel_routine(const IRP *irp) { return __atomic_load_n(&irp->CancelRoutine, __ATOMIC_SEQ_CST); }

/* Of IoAllocateIrp, its next location filled in: the status that it was completed with. The IRP is the caller's again. At most APC_LEVEL. */
NTSTATUS io_irp_send(PDEVICE_OBJECT device, PIRP irp);

/* What Tail.Overlay.IrpExtension points to, in an IRP of IoAllocateIrp: behind the last stack location, in the same block. */
typedef struct io_irp_extension {
    GUID activity;
    bool has_activity;
} io_irp_extension_t;

void io_irp_finish_associated(PIRP irp, CCHAR boost); /* irp_associated.c: complete, and of no completion routine's */
void io_irp_release(PIRP irp);                        /* the packet alone */
void io_irp_release_buffers(PIRP irp);                /* its MDLs, unlocked, and its system buffer */

#endif
