/*
 * dma_operations.h - the table of routines behind a DMA adapter, in the order of x64. IoGetDmaAdapter (io_dma.h) returns adapters.
 *
 *     version 1   PutDmaAdapter ... PutScatterGatherList           0x68 bytes
 *     version 2   ... CalculateScatterGatherList ... BuildMdl...   0x80 bytes     DEVICE_DESCRIPTION_VERSION2
 *     version 3   ... GetDmaAdapterInfo ... CreateCommonBuffer...  0x140 bytes    DEVICE_DESCRIPTION_VERSION3
 *
 * Every routine wants the adapter first; a logical address is one as the device says it. The page of each routine in the WDK reference is
 * named after its type: PMAP_TRANSFER, for example. What is a choice of ours is in docs/fidelity.md.
 *
 * @irql      <= DISPATCH_LEVEL, but PASSIVE_LEVEL where a line says so; routines that call the driver back do that at DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called at a higher IRQL; DRIVER_VERIFIER_DMA_VIOLATION (0xE6): an adapter, map register or list
 *            that is not, or no longer, the driver's
 * @source    WDK reference: wdm.h, DMA_OPERATIONS and the pages of its members
 */
#ifndef NTMM_DDK_WDM_DMA_OPERATIONS_H
#define NTMM_DDK_WDM_DMA_OPERATIONS_H

#include "dma_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a driver supplies ---- */

/** The list is mapped: start the device. Called at DISPATCH_LEVEL, on whichever thread made room. */
typedef VOID                 DRIVER_LIST_CONTROL(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context);
typedef DRIVER_LIST_CONTROL *PDRIVER_LIST_CONTROL;
/** System DMA, version 3: the transfer is over. Called at DISPATCH_LEVEL. */
typedef VOID                    DMA_COMPLETION_ROUTINE(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                                                       DMA_COMPLETION_STATUS Status);
typedef DMA_COMPLETION_ROUTINE *PDMA_COMPLETION_ROUTINE;

/* ---- version 1 ---- */

/** The adapter goes. Buffers, channels, map registers and lists of it should be gone already: what is left is leaked. */
typedef VOID (*PPUT_DMA_ADAPTER)(PDMA_ADAPTER DmaAdapter);
/** Memory that driver and device use at once, contiguous, whole pages. PASSIVE_LEVEL. CacheEnabled is ignored. @return NULL: none */
typedef PVOID (*PALLOCATE_COMMON_BUFFER)(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled);
/** PASSIVE_LEVEL. Length and both addresses as at the allocation, else BAD_POOL_CALLER (0xC2), 0x60 */
typedef VOID (*PFREE_COMMON_BUFFER)(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                                    BOOLEAN CacheEnabled);
/** The channel and so many map registers, now or when others have given them back; then ExecutionRoutine is called.
 *  @return STATUS_INSUFFICIENT_RESOURCES: more than IoGetDmaAdapter allowed, or no memory; the routine will not be called */
typedef NTSTATUS (*PALLOCATE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, ULONG NumberOfMapRegisters,
                                              PDRIVER_CONTROL ExecutionRoutine, PVOID Context);
/** After the device is done: what it wrote reaches the buffer. CurrentVa and Length of the whole transfer.
 *  @return FALSE: nothing of it was mapped */
typedef BOOLEAN (*PFLUSH_ADAPTER_BUFFERS)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, ULONG Length,
                                          BOOLEAN WriteToDevice);
/** After KeepObject: channel and map registers go back. */
typedef VOID (*PFREE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter);
/** After DeallocateObjectKeepRegisters: NumberOfMapRegisters as allocated. */
typedef VOID (*PFREE_MAP_REGISTERS)(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
/** @param Length  bytes wanted; out: what was mapped, contiguous for the device  @return its logical address */
typedef PHYSICAL_ADDRESS (*PMAP_TRANSFER)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, PULONG Length,
                                          BOOLEAN WriteToDevice);
/** PASSIVE_LEVEL. Addresses and lengths must be multiples of it, in bytes. */
typedef ULONG (*PGET_DMA_ALIGNMENT)(PDMA_ADAPTER DmaAdapter);
/** Bytes that the system's DMA controller has yet to move; 0 for bus masters. */
typedef ULONG (*PREAD_DMA_COUNTER)(PDMA_ADAPTER DmaAdapter);
/** Map registers, mapping and list in one; the list is the driver's until PutScatterGatherList.
 *  @return STATUS_INSUFFICIENT_RESOURCES; STATUS_BUFFER_TOO_SMALL: Length goes beyond the MDLs */
typedef NTSTATUS (*PGET_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                             PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice);
/** Flushes, and gives map registers and list back. */
typedef VOID (*PPUT_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, BOOLEAN WriteToDevice);

/* ---- version 2 ---- */

/** @param Mdl  NULL: the largest that a buffer at that address may need  @irql any */
typedef NTSTATUS (*PCALCULATE_SCATTER_GATHER_LIST_SIZE)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                                        PULONG ScatterGatherListSize, PULONG pNumberOfMapRegisters);
/** GetScatterGatherList with memory of the driver's. @return STATUS_BUFFER_TOO_SMALL: that memory, or the MDLs */
typedef NTSTATUS (*PBUILD_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa,
                                               ULONG Length, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice,
                                               PVOID ScatterGatherBuffer, ULONG ScatterGatherLength);
/** An MDL of what the list names, copies included. @return STATUS_NONE_MAPPED: the list has one already */
typedef NTSTATUS (*PBUILD_MDL_FROM_SCATTER_GATHER_LIST)(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, PMDL OriginalMdl,
                                                        PMDL *TargetMdl);

/* ---- version 3 ---- */

typedef NTSTATUS (*PGET_DMA_ADAPTER_INFO)(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
typedef NTSTATUS (*PGET_DMA_TRANSFER_INFO)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length, BOOLEAN WriteOnly,
                                           PDMA_TRANSFER_INFO TransferInfo);
/** @param DmaTransferContext  DMA_TRANSFER_CONTEXT_SIZE_V1 bytes, one for each request */
typedef NTSTATUS (*PINITIALIZE_DMA_TRANSFER_CONTEXT)(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
/** PASSIVE_LEVEL. @param MaximumAddress  NULL, or the highest logical address of the last byte */
typedef PVOID (*PALLOCATE_COMMON_BUFFER_EX)(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                            PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled, NODE_REQUIREMENT PreferredNode);
/** @param Flags            DMA_SYNCHRONOUS_CALLBACK: now or never; ExecutionRoutine may be NULL then
 *  @param MapRegisterBase  out, without ExecutionRoutine; NULL with one */
typedef NTSTATUS (*PALLOCATE_ADAPTER_CHANNEL_EX)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext,
                                                 ULONG NumberOfMapRegisters, ULONG Flags, PDRIVER_CONTROL ExecutionRoutine,
                                                 PVOID ExecutionContext, PVOID *MapRegisterBase);
typedef NTSTATUS (*PCONFIGURE_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context);
/** @return FALSE: it was granted already, or there is no such request */
typedef BOOLEAN (*PCANCEL_ADAPTER_CHANNEL)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext);
typedef NTSTATUS (*PMAP_TRANSFER_EX)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG DeviceOffset,
                                     PULONG Length, BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer,
                                     ULONG ScatterGatherBufferLength, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                     PVOID CompletionContext);
typedef NTSTATUS (*PGET_SCATTER_GATHER_LIST_EX)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                                ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                                PVOID Context, BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                                PVOID CompletionContext, PSCATTER_GATHER_LIST *ScatterGatherList);
typedef NTSTATUS (*PBUILD_SCATTER_GATHER_LIST_EX)(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                                  ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine,
                                                  PVOID Context, BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer,
                                                  ULONG ScatterGatherLength, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine,
                                                  PVOID CompletionContext, PVOID ScatterGatherList);
typedef NTSTATUS (*PFLUSH_ADAPTER_BUFFERS_EX)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG Length,
                                              BOOLEAN WriteToDevice);
/** What a synchronous request without a routine holds goes back, as AllocationAction says. */
typedef VOID (*PFREE_ADAPTER_OBJECT)(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
/** System DMA. FlushAdapterBuffersEx is still to be called. */
typedef NTSTATUS (*PCANCEL_MAPPED_TRANSFER)(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);

/* of version 3 since Windows 10 */

/** PASSIVE_LEVEL. */
typedef NTSTATUS (*PALLOCATE_DOMAIN_COMMON_BUFFER)(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle, PPHYSICAL_ADDRESS MaximumAddress,
                                                   ULONG Length, ULONG Flags, MEMORY_CACHING_TYPE *CacheType,
                                                   NODE_REQUIREMENT PreferredNode, PPHYSICAL_ADDRESS LogicalAddress, PVOID *VirtualAddress);
typedef NTSTATUS (*PFLUSH_DMA_BUFFER)(PDMA_ADAPTER DmaAdapter, PMDL Mdl, BOOLEAN ReadOperation);
/** PASSIVE_LEVEL, as the next two. */
typedef NTSTATUS (*PJOIN_DMA_DOMAIN)(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle);
typedef NTSTATUS (*PLEAVE_DMA_DOMAIN)(PDMA_ADAPTER DmaAdapter);
typedef HANDLE (*PGET_DMA_DOMAIN)(PDMA_ADAPTER DmaAdapter);
/** PASSIVE_LEVEL. @param CacheType  NULL: as the platform likes it; MmCached or MmNonCached */
typedef PVOID (*PALLOCATE_COMMON_BUFFER_WITH_BOUNDS)(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MinimumAddress,
                                                     PPHYSICAL_ADDRESS MaximumAddress, ULONG Length, ULONG Flags,
                                                     MEMORY_CACHING_TYPE *CacheType, NODE_REQUIREMENT PreferredNode,
                                                     PPHYSICAL_ADDRESS LogicalAddress);
/** NumberOfElements buffers at once. PASSIVE_LEVEL, as for the next three but GetCommonBufferFromVectorByIndex; above it
 *  DMA_COMMON_BUFFER_VECTOR_ERROR (0x1DC), 1.
 *  0x1DC also for an index that there is not (3) or that was freed (4), and for a vector that goes before its buffers (2) */
typedef NTSTATUS (*PALLOCATE_COMMON_BUFFER_VECTOR)(PDMA_ADAPTER DmaAdapter, PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                                   MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT IdealNode, ULONG Flags,
                                                   ULONG NumberOfElements, ULONGLONG SizeOfElements, PDMA_COMMON_BUFFER_VECTOR *VectorOut);
typedef VOID (*PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX)(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index,
                                                        PVOID *VirtualAddressOut, PPHYSICAL_ADDRESS LogicalAddressOut);
typedef VOID (*PFREE_COMMON_BUFFER_FROM_VECTOR)(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index);
typedef VOID (*PFREE_COMMON_BUFFER_VECTOR)(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector);
/** PASSIVE_LEVEL. The memory stays the driver's; FreeCommonBuffer ends it.
 *  @return STATUS_INVALID_PARAMETER: not whole pages, not mapped or not locked, a chain, not contiguous or out of the device's reach */
typedef NTSTATUS (*PCREATE_COMMON_BUFFER_FROM_MDL)(PDMA_ADAPTER DmaAdapter, PMDL Mdl,
                                                   PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION ExtendedConfigs, ULONG ExtendedConfigsCount,
                                                   PPHYSICAL_ADDRESS LogicalAddress);

typedef struct _DMA_OPERATIONS {
    ULONG                     Size; /* bytes of this table */
    PPUT_DMA_ADAPTER          PutDmaAdapter;
    PALLOCATE_COMMON_BUFFER   AllocateCommonBuffer;
    PFREE_COMMON_BUFFER       FreeCommonBuffer;
    PALLOCATE_ADAPTER_CHANNEL AllocateAdapterChannel;
    PFLUSH_ADAPTER_BUFFERS    FlushAdapterBuffers;
    PFREE_ADAPTER_CHANNEL     FreeAdapterChannel;
    PFREE_MAP_REGISTERS       FreeMapRegisters;
    PMAP_TRANSFER             MapTransfer;
    PGET_DMA_ALIGNMENT        GetDmaAlignment;
    PREAD_DMA_COUNTER         ReadDmaCounter;
    PGET_SCATTER_GATHER_LIST  GetScatterGatherList;
    PPUT_SCATTER_GATHER_LIST  PutScatterGatherList;

    PCALCULATE_SCATTER_GATHER_LIST_SIZE CalculateScatterGatherList;
    PBUILD_SCATTER_GATHER_LIST          BuildScatterGatherList;
    PBUILD_MDL_FROM_SCATTER_GATHER_LIST BuildMdlFromScatterGatherList;

    PGET_DMA_ADAPTER_INFO                   GetDmaAdapterInfo;
    PGET_DMA_TRANSFER_INFO                  GetDmaTransferInfo;
    PINITIALIZE_DMA_TRANSFER_CONTEXT        InitializeDmaTransferContext;
    PALLOCATE_COMMON_BUFFER_EX              AllocateCommonBufferEx;
    PALLOCATE_ADAPTER_CHANNEL_EX            AllocateAdapterChannelEx;
    PCONFIGURE_ADAPTER_CHANNEL              ConfigureAdapterChannel;
    PCANCEL_ADAPTER_CHANNEL                 CancelAdapterChannel;
    PMAP_TRANSFER_EX                        MapTransferEx;
    PGET_SCATTER_GATHER_LIST_EX             GetScatterGatherListEx;
    PBUILD_SCATTER_GATHER_LIST_EX           BuildScatterGatherListEx;
    PFLUSH_ADAPTER_BUFFERS_EX               FlushAdapterBuffersEx;
    PFREE_ADAPTER_OBJECT                    FreeAdapterObject;
    PCANCEL_MAPPED_TRANSFER                 CancelMappedTransfer;
    PALLOCATE_DOMAIN_COMMON_BUFFER          AllocateDomainCommonBuffer;
    PFLUSH_DMA_BUFFER                       FlushDmaBuffer;
    PJOIN_DMA_DOMAIN                        JoinDmaDomain;
    PLEAVE_DMA_DOMAIN                       LeaveDmaDomain;
    PGET_DMA_DOMAIN                         GetDmaDomain;
    PALLOCATE_COMMON_BUFFER_WITH_BOUNDS     AllocateCommonBufferWithBounds;
    PALLOCATE_COMMON_BUFFER_VECTOR          AllocateCommonBufferVector;
    PGET_COMMON_BUFFER_FROM_VECTOR_BY_INDEX GetCommonBufferFromVectorByIndex;
    PFREE_COMMON_BUFFER_FROM_VECTOR         FreeCommonBufferFromVector;
    PFREE_COMMON_BUFFER_VECTOR              FreeCommonBufferVector;
    PCREATE_COMMON_BUFFER_FROM_MDL          CreateCommonBufferFromMdl;
} DMA_OPERATIONS, *PDMA_OPERATIONS;

NTMM_LAYOUT(sizeof(DMA_OPERATIONS) == 0x140 && FIELD_OFFSET(DMA_OPERATIONS, PutDmaAdapter) == 0x08, "DMA_OPERATIONS, x64");
NTMM_LAYOUT(FIELD_OFFSET(DMA_OPERATIONS, MapTransfer) == 0x40 && FIELD_OFFSET(DMA_OPERATIONS, GetScatterGatherList) == 0x58, "x64");
NTMM_LAYOUT(FIELD_OFFSET(DMA_OPERATIONS, CalculateScatterGatherList) == 0x68 && FIELD_OFFSET(DMA_OPERATIONS, GetDmaAdapterInfo) == 0x80,
            "DMA_OPERATIONS, x64");
NTMM_LAYOUT(FIELD_OFFSET(DMA_OPERATIONS, MapTransferEx) == 0xb8 && FIELD_OFFSET(DMA_OPERATIONS, CancelMappedTransfer) == 0xe0, "x64");
NTMM_LAYOUT(FIELD_OFFSET(DMA_OPERATIONS, GetDmaDomain) == 0x108 && FIELD_OFFSET(DMA_OPERATIONS, CreateCommonBufferFromMdl) == 0x138,
            "DMA_OPERATIONS, x64");

#ifdef __cplusplus
}
#endif
#endif
