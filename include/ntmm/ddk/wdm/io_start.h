/*
 * io_start.h - one IRP at a time: IoStartPacket calls the driver's StartIo routine now, or when the IRPs before it are done.
 *
 *     dispatch routine: IoMarkIrpPending, IoStartPacket --> StartIo --> ... --> DpcForIsr: IoStartNextPacket, IoCompleteRequest
 *
 * Source  WDK reference: ntifs.h and wdm.h, "Writing a StartIo Routine", the page of each routine.
 */
#ifndef NTMM_DDK_WDM_IO_START_H
#define NTMM_DDK_WDM_IO_START_H

#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Call DriverStartIo with the IRP, at DISPATCH_LEVEL, or let it wait in the device's queue.
 *
 * @param Key             NULL: at the end of the queue; else by this key
 * @param CancelFunction  NULL, or the IRP's cancel routine from now on. Of one that waits and was cancelled before, it is called here
 * @irql                  <= DISPATCH_LEVEL
 * @bugcheck              IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source                WDK reference: wdm.h, IoStartPacket
 */
NTKERNELAPI VOID IoStartPacket(PDEVICE_OBJECT DeviceObject, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction);
/**
 * The IRP of the device, CurrentIrp, is done: the next one, if there is one.
 *
 * @param Cancelable  TRUE: IRPs of this device have cancel routines
 * @irql              DISPATCH_LEVEL; lower is not noticed
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source            WDK reference: wdm.h, IoStartNextPacket
 */
NTKERNELAPI VOID IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable);
/** The same, by key (KeRemoveByKeyDeviceQueue). @irql, @bugcheck as IoStartNextPacket @source WDK reference: wdm.h, IoStartNextPacketByKey */
NTKERNELAPI VOID IoStartNextPacketByKey(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable, ULONG Key);
/**
 * How StartIo is called.
 *
 * @param DeferredStartIo  TRUE: IoStartNextPacket inside of StartIo returns, and StartIo is called again when it has returned
 * @param NonCancelable    TRUE: an IRP has lost its cancel routine when StartIo is called
 * @irql                   <= DISPATCH_LEVEL
 * @bugcheck               IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source                 WDK reference: ntifs.h, IoSetStartIoAttributes
 */
NTKERNELAPI VOID IoSetStartIoAttributes(PDEVICE_OBJECT DeviceObject, BOOLEAN DeferredStartIo, BOOLEAN NonCancelable);

#ifdef __cplusplus
}
#endif
#endif
