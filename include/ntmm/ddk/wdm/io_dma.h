/*
 * io_dma.h - how a driver gets a DMA adapter; and the exports of old, which call the adapter's table (dma_operations.h).
 *
 * Source  WDK reference: wdm.h, IoGetDmaAdapter, KeFlushIoBuffers; Windows 2000 DDK for the rest.
 */
#ifndef NTMM_DDK_WDM_IO_DMA_H
#define NTMM_DDK_WDM_IO_DMA_H

#include "dma_operations.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A DMA adapter for a device: what the system knows of its way to memory, and the routines for it.
 *
 * @param PhysicalDeviceObject  of the device (ntmm_device_object); NULL, or one that the machine does not know: a device of its own, that
 *                              nobody plays
 * @param DeviceDescription     zeroed first, then filled in; its Version says which table is wanted
 * @param NumberOfMapRegisters  out: how many one transfer may use, at most BYTES_TO_PAGES(MaximumLength) + 1
 * @return NULL: no memory, a version that this Windows does not have, or an address width of 0 or above 64
 * @irql     PASSIVE_LEVEL
 * @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA): called at a higher IRQL
 * @source   WDK reference: wdm.h, IoGetDmaAdapter
 */
NTKERNELAPI PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription,
                                         PULONG NumberOfMapRegisters);

/**
 * Before a transfer, and after programmed input: caches and memory agree. One MDL, not what is chained to it.
 *
 * @models nothing: the caches of x64, and of this machine on any host, agree with memory; the arguments are not looked at
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, KeFlushIoBuffers
 */
NTHALAPI VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation);

/* ---- obsolete: the member of DMA_OPERATIONS with the same name is the page to read ---- */

NTHALAPI PADAPTER_OBJECT HalGetAdapter(PDEVICE_DESCRIPTION DeviceDescription, PULONG NumberOfMapRegisters);
NTHALAPI PVOID HalAllocateCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled);
NTHALAPI VOID  HalFreeCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                                   BOOLEAN CacheEnabled);
NTHALAPI ULONG HalReadDmaCounter(PADAPTER_OBJECT AdapterObject);
NTHALAPI ULONG HalGetDmaAlignment(PADAPTER_OBJECT AdapterObject);
NTKERNELAPI NTSTATUS IoAllocateAdapterChannel(PADAPTER_OBJECT AdapterObject, PDEVICE_OBJECT DeviceObject, ULONG NumberOfMapRegisters,
                                              PDRIVER_CONTROL ExecutionRoutine, PVOID Context);
NTHALAPI BOOLEAN     IoFlushAdapterBuffers(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, ULONG Length,
                                           BOOLEAN WriteToDevice);
NTHALAPI VOID        IoFreeAdapterChannel(PADAPTER_OBJECT AdapterObject);
NTHALAPI VOID        IoFreeMapRegisters(PADAPTER_OBJECT AdapterObject, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
NTHALAPI PHYSICAL_ADDRESS IoMapTransfer(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, PULONG Length,
                                        BOOLEAN WriteToDevice);
NTHALAPI ULONG            IoReadDmaCounter(PADAPTER_OBJECT AdapterObject);

#ifdef __cplusplus
}
#endif
#endif
