/*
 * dma_operations.h - the routines behind DMA_OPERATIONS, member by member; io/dma_adapter.c makes tables of them. Their pages are
 * include/ntmm/ddk/wdm/dma_operations.h.
 */
#ifndef NTMM_HAL_DMA_OPERATIONS_H
#define NTMM_HAL_DMA_OPERATIONS_H

#include "hal/dma.h"

VOID             hal_put_dma_adapter(PDMA_ADAPTER DmaAdapter);
PVOID            hal_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled);
VOID             hal_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                                        BOOLEAN CacheEnabled);
NTSTATUS         hal_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, ULONG NumberOfMapRegisters,
                                              PDRIVER_CONTROL ExecutionRoutine, PVOID Context);
BOOLEAN          hal_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, ULONG Length,
                                           BOOLEAN WriteToDevice);
VOID             hal_free_adapter_channel(PDMA_ADAPTER DmaAdapter);
VOID             hal_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters);
PHYSICAL_ADDRESS hal_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, PULONG Length,
                                  BOOLEAN WriteToDevice);
ULONG            hal_get_dma_alignment(PDMA_ADAPTER DmaAdapter);
ULONG            hal_read_dma_counter(PDMA_ADAPTER DmaAdapter);
NTSTATUS         hal_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                             PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice);
VOID             hal_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, BOOLEAN WriteToDevice);
NTSTATUS hal_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length, PULONG ScatterGatherListSize,
                                           PULONG pNumberOfMapRegisters);
NTSTATUS hal_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                       PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice,
                                       PVOID ScatterGatherBuffer, ULONG ScatterGatherLength);
NTSTATUS hal_get_dma_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo);
NTSTATUS hal_get_dma_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length, BOOLEAN WriteOnly,
                                   PDMA_TRANSFER_INFO TransferInfo);
NTSTATUS hal_initialize_dma_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
PVOID    hal_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                       PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled, NODE_REQUIREMENT PreferredNode);
NTSTATUS hal_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext,
                                         ULONG NumberOfMapRegisters, ULONG Flags, PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase);
NTSTATUS hal_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context);
BOOLEAN  hal_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext);
NTSTATUS hal_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG DeviceOffset, PULONG Length,
                             BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext);
NTSTATUS hal_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                        ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                        BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
                                        PSCATTER_GATHER_LIST *ScatterGatherList);
NTSTATUS hal_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                          ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer, ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext, PVOID ScatterGatherList);
NTSTATUS hal_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG Length,
                                      BOOLEAN WriteToDevice);
VOID     hal_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction);
NTSTATUS hal_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext);
NTSTATUS hal_allocate_domain_common_buffer(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                           ULONG Flags, MEMORY_CACHING_TYPE *CacheType, NODE_REQUIREMENT PreferredNode,
                                           PPHYSICAL_ADDRESS LogicalAddress, PVOID *VirtualAddress);
NTSTATUS hal_flush_dma_buffer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, BOOLEAN ReadOperation);
NTSTATUS hal_join_dma_domain(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle);
NTSTATUS hal_leave_dma_domain(PDMA_ADAPTER DmaAdapter);
HANDLE   hal_get_dma_domain(PDMA_ADAPTER DmaAdapter);
PVOID    hal_allocate_common_buffer_with_bounds(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MinimumAddress, PPHYSICAL_ADDRESS MaximumAddress,
                                                ULONG Length, ULONG Flags, MEMORY_CACHING_TYPE *CacheType, NODE_REQUIREMENT PreferredNode,
                                                PPHYSICAL_ADDRESS LogicalAddress);
NTSTATUS hal_allocate_common_buffer_vector(PDMA_ADAPTER DmaAdapter, PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                           MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT IdealNode, ULONG Flags, ULONG NumberOfElements,
                                           ULONGLONG SizeOfElements, PDMA_COMMON_BUFFER_VECTOR *VectorOut);
VOID     hal_get_common_buffer_from_vector_by_index(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index,
                                                    PVOID *VirtualAddressOut, PPHYSICAL_ADDRESS LogicalAddressOut);
VOID     hal_free_common_buffer_from_vector(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index);
VOID     hal_free_common_buffer_vector(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector);
NTSTATUS hal_create_common_buffer_from_mdl(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION ExtendedConfigs,
                                           ULONG ExtendedConfigsCount, PPHYSICAL_ADDRESS LogicalAddress);

#endif
