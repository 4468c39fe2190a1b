/*
 * dma_adapter.c - IoGetDmaAdapter, the tables of routines that adapters lead to, and the exports of old, which are calls through the table.
 * What the routines do is in hal; here is what only io knows: which of them a version has.
 *
 * Elsewhere   adapters of a bus driver's own: dma_bus.c.
 * Source      WDK reference: wdm.h, IoGetDmaAdapter, DMA_OPERATIONS; Windows 2000 DDK: IoAllocateAdapterChannel and its like.
 */
#include <ntddk.h>

#include "hal/dma_operations.h"
#include "hal/dma_probe.h"
#include "io/dma_adapter.h"
#include "io/dma_mdl.h"

#define VERSION_1 \
    .PutDmaAdapter = hal_put_dma_adapter, .AllocateCommonBuffer = hal_allocate_common_buffer, .FreeCommonBuffer = hal_free_common_buffer, \
    .AllocateAdapterChannel = hal_allocate_adapter_channel, .FlushAdapterBuffers = hal_flush_adapter_buffers, \
    .FreeAdapterChannel = hal_free_adapter_channel, .FreeMapRegisters = hal_free_map_registers, .MapTransfer = hal_map_transfer, \
    .GetDmaAlignment = hal_get_dma_alignment, .ReadDmaCounter = hal_read_dma_counter, .GetScatterGatherList = hal_get_scatter_gather_list, \
    .PutScatterGatherList = hal_put_scatter_gather_list
#define VERSION_2 \
    VERSION_1, .CalculateScatterGatherList = hal_calculate_scatter_gather_list, .BuildScatterGatherList = hal_build_scatter_gather_list, \
               .BuildMdlFromScatterGatherList = io_build_mdl_from_scatter_gather_list

static const DMA_OPERATIONS TABLES[] = {
    { .Size = FIELD_OFFSET(DMA_OPERATIONS, CalculateScatterGatherList), VERSION_1 },
    { .Size = FIELD_OFFSET(DMA_OPERATIONS, CalculateScatterGatherList), VERSION_1 },
    { .Size = FIELD_OFFSET(DMA_OPERATIONS, GetDmaAdapterInfo), VERSION_2 },
    { .Size = sizeof(DMA_OPERATIONS),
      VERSION_2,
      .GetDmaAdapterInfo = hal_get_dma_adapter_info,
      .GetDmaTransferInfo = hal_get_dma_transfer_info,
      .InitializeDmaTransferContext = hal_initialize_dma_transfer_context,
      .AllocateCommonBufferEx = hal_allocate_common_buffer_ex,
      .AllocateAdapterChannelEx = hal_allocate_adapter_channel_ex,
      .ConfigureAdapterChannel = hal_configure_adapter_channel,
      .CancelAdapterChannel = hal_cancel_adapter_channel,
      .MapTransferEx = hal_map_transfer_ex,
      .GetScatterGatherListEx = hal_get_scatter_gather_list_ex,
      .BuildScatterGatherListEx = hal_build_scatter_gather_list_ex,
      .FlushAdapterBuffersEx = hal_flush_adapter_buffers_ex,
      .FreeAdapterObject = hal_free_adapter_object,
      .CancelMappedTransfer = hal_cancel_mapped_transfer,
      .AllocateDomainCommonBuffer = hal_allocate_domain_common_buffer,
      .FlushDmaBuffer = hal_flush_dma_buffer,
      .JoinDmaDomain = hal_join_dma_domain,
      .LeaveDmaDomain = hal_leave_dma_domain,
      .GetDmaDomain = hal_get_dma_domain,
      .AllocateCommonBufferWithBounds = hal_allocate_common_buffer_with_bounds,
      .AllocateCommonBufferVector = hal_allocate_common_buffer_vector,
      .GetCommonBufferFromVectorByIndex = hal_get_common_buffer_from_vector_by_index,
      .FreeCommonBufferFromVector = hal_free_common_buffer_from_vector,
      .FreeCommonBufferVector = hal_free_common_buffer_vector,
      .CreateCommonBufferFromMdl = hal_create_common_buffer_from_mdl },
};

/* A description that names no version we know gets no table: hal refuses it. */
PDMA_ADAPTER io_dma_adapter_make(const char *routine, PDEVICE_OBJECT object, const DEVICE_DESCRIPTION *description, PULONG registers)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return NULL;
    ULONG          version = description->Version;
    hal_adapter_t *adapter = NULL;
    if (version < NTMM_ARRAY_COUNT(TABLES))
        adapter = hal_adapter_make(object, description, &TABLES[version]);
    if (adapter != NULL)
        *registers = adapter->most;
    ke_thread_leave(thread);
    return adapter != NULL ? &adapter->public : NULL;
}

PDMA_ADAPTER IoGetDmaAdapter(PDEVICE_OBJECT PhysicalDeviceObject, PDEVICE_DESCRIPTION DeviceDescription, PULONG NumberOfMapRegisters)
{
    PDMA_ADAPTER adapter;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    if (hal_probe != NULL)
        hal_probe->describe(__func__, DeviceDescription);
    if (io_dma_bus_adapter(PhysicalDeviceObject, DeviceDescription, NumberOfMapRegisters, &adapter))
        return adapter;
    return io_dma_adapter_make(__func__, PhysicalDeviceObject, DeviceDescription, NumberOfMapRegisters);
}

VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    (void)Mdl;
    (void)ReadOperation;
    (void)DmaOperation;
    (void)ke_thread_ready(__func__);
}

/* ---- exports of old ---- */

PADAPTER_OBJECT HalGetAdapter(PDEVICE_DESCRIPTION DeviceDescription, PULONG NumberOfMapRegisters)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (hal_probe != NULL) {
        hal_probe->obsolete(__func__);
        hal_probe->describe(__func__, DeviceDescription);
    }
    return io_dma_adapter_make(__func__, NULL, DeviceDescription, NumberOfMapRegisters);
}

/* The adapter's own table, which a bus driver may have made. What is, or was, hal's gets hal's routines, which know a wrong one. */
static const DMA_OPERATIONS *table_of(PADAPTER_OBJECT adapter)
{
    return adapter == NULL || hal_record_was(adapter) ? &TABLES[1] : ((PDMA_ADAPTER)adapter)->DmaOperations;
}

PVOID HalAllocateCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled)
{
    return table_of(AdapterObject)->AllocateCommonBuffer(AdapterObject, Length, LogicalAddress, CacheEnabled);
}

VOID HalFreeCommonBuffer(PADAPTER_OBJECT AdapterObject, ULONG Length, PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                         BOOLEAN CacheEnabled)
{
    table_of(AdapterObject)->FreeCommonBuffer(AdapterObject, Length, LogicalAddress, VirtualAddress, CacheEnabled);
}

ULONG HalReadDmaCounter(PADAPTER_OBJECT AdapterObject) { return table_of(AdapterObject)->ReadDmaCounter(AdapterObject); }
ULONG IoReadDmaCounter(PADAPTER_OBJECT AdapterObject) { return table_of(AdapterObject)->ReadDmaCounter(AdapterObject); }
ULONG HalGetDmaAlignment(PADAPTER_OBJECT AdapterObject) { return table_of(AdapterObject)->GetDmaAlignment(AdapterObject); }

NTSTATUS IoAllocateAdapterChannel(PADAPTER_OBJECT AdapterObject, PDEVICE_OBJECT DeviceObject, ULONG NumberOfMapRegisters,
                                  PDRIVER_CONTROL ExecutionRoutine, PVOID Context)
{
    return table_of(AdapterObject)->AllocateAdapterChannel(AdapterObject, DeviceObject, NumberOfMapRegisters, ExecutionRoutine, Context);
}

BOOLEAN IoFlushAdapterBuffers(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, ULONG Length,
                              BOOLEAN WriteToDevice)
{
    return table_of(AdapterObject)->FlushAdapterBuffers(AdapterObject, Mdl, MapRegisterBase, CurrentVa, Length, WriteToDevice);
}

VOID IoFreeAdapterChannel(PADAPTER_OBJECT AdapterObject) { table_of(AdapterObject)->FreeAdapterChannel(AdapterObject); }

VOID IoFreeMapRegisters(PADAPTER_OBJECT AdapterObject, PVOID MapRegisterBase, ULONG NumberOfMapRegisters)
{
    table_of(AdapterObject)->FreeMapRegisters(AdapterObject, MapRegisterBase, NumberOfMapRegisters);
}

PHYSICAL_ADDRESS IoMapTransfer(PADAPTER_OBJECT AdapterObject, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, PULONG Length,
                               BOOLEAN WriteToDevice)
{
    return table_of(AdapterObject)->MapTransfer(AdapterObject, Mdl, MapRegisterBase, CurrentVa, Length, WriteToDevice);
}
