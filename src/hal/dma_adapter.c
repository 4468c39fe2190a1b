/*
 * dma_adapter.c - DMA adapters: from what a driver says of its device to what the mapping of transfers needs to know.
 *
 *     DEVICE_DESCRIPTION                             adapter
 *     Dma64BitAddresses                              64 bits
 *     Dma32BitAddresses, or scatter/gather on PCI    32 bits      (version 3: DmaAddressWidth)
 *     neither                                        24 bits
 *     not Master                                     24 bits, 64 KiB, one piece: the system's DMA controller moves the bytes
 *     ScatterGather                                  lists of pieces, if the device takes them
 *     MaximumLength                                  map registers of one transfer: BYTES_TO_PAGES + 1
 *
 * The driver's word counts, also when the device can do less: then the device fails, as hardware does.
 *
 * Locks       (D).
 * Source      WDK reference: wdm.h, IoGetDmaAdapter, DEVICE_DESCRIPTION, DMA_ADAPTER_INFO_V1.
 * Fidelity    how many map registers there are by default is a choice.
 */
#include <ntddk.h>

#include "hal/dma.h"
#include "hal/dma_operations.h"
#include "hal/dma_probe.h"
#include "ke/inject.h"
#include "ke/version.h"

#define CONTROLLER_BITS 24u           /* of the DMA controller of a PC */
#define COUNTED_REGISTERS 0x40000000u /* of a device that needs no bounce pages, unless its config says: no limit */
#define BOUNCED_REGISTERS 64u         /* at least, of one that does */
#define BOUNCED_SHARE 16u             /* and at most as many as there are frames, divided by this */

const hal_dma_probe_t *hal_probe;

void hal_irql_look(const char *routine, KIRQL least, KIRQL most, ULONG_PTR caller)
{
    if (hal_probe != NULL)
        hal_probe->irql(routine, least, most);
    if (ke_self()->irql > most)
        ke_irql_too_high(routine, 0, caller);
}

void hal_irql_unsaid(const char *routine, ULONG_PTR caller)
{
    if (hal_probe != NULL)
        hal_probe->irql_unsaid(routine);
    ke_irql_too_high(routine, 0, caller);
}

static bool has_table_of(ULONG version)
{
    if (version == DEVICE_DESCRIPTION_VERSION2)
        return ke_windows_version >= NTDDI_WINXP;
    return version < DEVICE_DESCRIPTION_VERSION2 || (version == DEVICE_DESCRIPTION_VERSION3 && ke_windows_version >= NTDDI_WIN8);
}

static uint32_t address_bits(const DEVICE_DESCRIPTION *description)
{
    if (!description->Master)
        return CONTROLLER_BITS;
    if (description->Version == DEVICE_DESCRIPTION_VERSION3)
        return description->DmaAddressWidth <= 64 ? description->DmaAddressWidth : 0;
    if (description->Dma64BitAddresses)
        return 64;
    return description->Dma32BitAddresses || (description->ScatterGather && description->InterfaceType == PCIBus) ? 32 : 24;
}

/* Map registers for the longest transfer, wherever it begins on its first page. */
static uint32_t registers_for(const DEVICE_DESCRIPTION *description)
{
    uint64_t bytes = description->MaximumLength;
    if (!description->Master && bytes > HAL_CONTROLLER_BYTES)
        bytes = HAL_CONTROLLER_BYTES;
    return (uint32_t)(((bytes + PAGE_SIZE - 1) >> PAGE_SHIFT) + 1);
}

static bool needs_bounce(const hal_adapter_t *adapter)
{
    return hal_probe != NULL || adapter->device->iommu.entries != NULL || !adapter->scatter_gather ||
           adapter->highest < mm_device_highest();
}

/* ---- the device's map registers ---- */

static bool file_suits(const hal_register_file_t *file, const hal_adapter_t *adapter)
{
    return file->total != 0 && (!needs_bounce(adapter) || (file->registers != NULL && file->highest <= adapter->highest));
}

static uint32_t total_of(const hal_adapter_t *adapter, uint32_t wanted)
{
    if (adapter->device->config.map_registers != 0)
        return adapter->device->config.map_registers;
    if (!needs_bounce(adapter))
        return COUNTED_REGISTERS;
    uint64_t most = mm_frames_total() / BOUNCED_SHARE;
    return wanted < BOUNCED_REGISTERS ? BOUNCED_REGISTERS : wanted < most ? wanted : (uint32_t)most;
}

/* How many the device has; 0: none can be had. The first adapter of a device brings its map registers; one that reaches less than those before it brings others, if these are idle. */
static uint32_t device_gets_registers(hal_adapter_t *adapter, uint32_t wanted)
{
    hal_device_t       *device = adapter->device;
    hal_register_file_t file, spare;
    ke_lock(&device->lock);
    bool     suits = file_suits(&device->file, adapter);
    uint32_t total = device->file.total;
    ke_unlock(&device->lock);
    if (suits)
        return total;
    if (!hal_file_make(device, &file, total_of(adapter, wanted), needs_bounce(adapter), adapter->highest))
        return 0;
    ke_lock(&device->lock);
    suits = file_suits(&device->file, adapter); /* somebody was faster */
    spare = file;
    if (!suits && device->file.free == device->file.total) {
        spare = device->file;
        device->file = file;
        suits = true;
    }
    total = suits ? device->file.total : 0;
    ke_unlock(&device->lock);
    hal_file_release(device, &spare);
    return total;
}

/* ---- life ---- */

static void count_locked(const hal_adapter_t *adapter, uint32_t more)
{
    if (adapter->master)
        adapter->device->masters += more;
    else
        adapter->device->subordinates += more;
}

static bool describe(hal_adapter_t *adapter, const DEVICE_DESCRIPTION *description)
{
    uint32_t wanted = registers_for(description);
    adapter->master = description->Master != FALSE;
    adapter->scatter_gather = adapter->master && description->ScatterGather && adapter->device->config.scatter_gather;
    adapter->bits = address_bits(description);
    adapter->controller_channel = description->DmaChannel;
    adapter->highest = hal_reach_of(adapter->bits);
    uint32_t total = device_gets_registers(adapter, wanted);
    adapter->most = wanted < total ? wanted : total;
    return total != 0;
}

hal_adapter_t *hal_adapter_make(PDEVICE_OBJECT object, const DEVICE_DESCRIPTION *description, const DMA_OPERATIONS *operations)
{
    if (!has_table_of(description->Version) || address_bits(description) == 0 || mm_unbacked || ke_inject_failure())
        return NULL;
    hal_adapter_t *adapter = hal_record_take(HAL_ADAPTER);
    if (adapter == NULL)
        return NULL;
    adapter->device = hal_device_of(object);
    if (adapter->device != NULL && describe(adapter, description)) {
        ke_lock(&adapter->device->lock);
        count_locked(adapter, 1);
        ke_unlock(&adapter->device->lock);
        adapter->public = (DMA_ADAPTER){ 1, sizeof(DMA_ADAPTER), (DMA_OPERATIONS *)(uintptr_t)operations };
        return adapter;
    }
    if (adapter->device != NULL)
        hal_device_drop(adapter->device);
    hal_record_give(adapter);
    return NULL;
}

static void adapter_gone(hal_adapter_t *adapter)
{
    hal_device_t *device = adapter->device;
    ke_lock(&device->lock);
    if (device->programmed == adapter)
        device->programmed = NULL;
    count_locked(adapter, UINT32_MAX); /* one less */
    ke_unlock(&device->lock);
    hal_record_give(adapter);
    hal_device_drop(device);
}

void hal_adapter_hold(hal_adapter_t *adapter)
{
    ke_lock(&adapter->device->lock);
    adapter->held++;
    ke_unlock(&adapter->device->lock);
}

void hal_adapter_release(hal_adapter_t *adapter)
{
    ke_lock(&adapter->device->lock);
    bool gone = --adapter->held == 0 && adapter->put;
    ke_unlock(&adapter->device->lock);
    if (gone)
        adapter_gone(adapter);
}

VOID hal_put_dma_adapter(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_IRQL("PutDmaAdapter", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("PutDmaAdapter", DmaAdapter, &thread);
    if (adapter == NULL)
        return;
    if (hal_probe != NULL)
        hal_probe->put("PutDmaAdapter", adapter);
    ke_lock(&adapter->device->lock);
    adapter->put = true;
    bool gone = adapter->held == 0;
    ke_unlock(&adapter->device->lock);
    if (gone)
        adapter_gone(adapter);
    ke_thread_leave(thread);
}

hal_adapter_t *hal_enter(const char *routine, PDMA_ADAPTER DmaAdapter, ke_thread_t **thread)
{
    *thread = ke_thread_enter(routine);
    if (*thread == NULL)
        return NULL;
    if (DmaAdapter == NULL)
        ke_bugcheck(routine, "NULL was passed for a DMA adapter.", DRIVER_VERIFIER_DMA_VIOLATION, 0x19, 0, 0, 0);
    hal_adapter_t *adapter = (hal_adapter_t *)(void *)DmaAdapter;
    if (!hal_record_is(adapter, HAL_ADAPTER) || adapter->put)
        ke_bugcheck(routine, "This is no DMA adapter, or one that was given back by PutDmaAdapter.", DRIVER_VERIFIER_DMA_VIOLATION, 0x18,
                    (ULONG_PTR)DmaAdapter, 0, 0);
    return adapter;
}

/* ---- what it is ---- */

ULONG hal_get_dma_alignment(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_IRQL("GetDmaAlignment", PASSIVE_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("GetDmaAlignment", DmaAdapter, &thread);
    if (adapter == NULL)
        return 1;
    ULONG alignment = adapter->device->config.dma_alignment;
    ke_thread_leave(thread);
    return alignment; /* caches agree with memory: it is the device's own */
}

NTSTATUS hal_get_dma_adapter_info(PDMA_ADAPTER DmaAdapter, PDMA_ADAPTER_INFO AdapterInfo)
{
    HAL_REQUIRE_IRQL("GetDmaAdapterInfo", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("GetDmaAdapterInfo", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_thread_leave(thread);
    if (AdapterInfo->Version != DMA_ADAPTER_INFO_VERSION1)
        return STATUS_NOT_SUPPORTED;
    AdapterInfo->V1 = (DMA_ADAPTER_INFO_V1){ .ReadDmaCounterAvailable = !adapter->master,
                                             .ScatterGatherLimit = adapter->scatter_gather ? adapter->most : 1,
                                             .DmaAddressWidth = adapter->bits,
                                             .MinimumTransferUnit = 1 };
    return STATUS_SUCCESS;
}
