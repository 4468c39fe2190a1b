/*
 * dma_transfer.c - MapTransfer, FlushAdapterBuffers and their Ex forms; and what they tell the system's DMA controller.
 *
 *     MapTransfer     one element: hal_map_element (dma_map.c)
 *     MapTransferEx   a list of them, as many as map registers and the list have room for
 *     Flush...        hal_flush
 *
 * Locks       (D) for what the DMA controller is told.
 * Source      WDK reference: PMAP_TRANSFER(_EX), PFLUSH_ADAPTER_BUFFERS(_EX), PFLUSH_DMA_BUFFER; Bug Check 0xE6.
 * Fidelity    a length that goes beyond the MDL, or beyond the map registers, is shortened, to 0 if need be (choice). Map registers that
 *             the driver does not hold are 0xE6/0x20, also without Driver Verifier (choice).
 */
#include <ntddk.h>

#include "hal/dma_operations.h"
#include "hal/dma_probe.h"
#include "ke/inject.h"

/* ---- system DMA ---- */

static void program(hal_request_t *request, uint64_t logical, uint32_t length, bool to_device, PDMA_COMPLETION_ROUTINE completion,
                    PVOID completion_context)
{
    hal_adapter_t *adapter = request->adapter;
    ke_lock(&adapter->device->lock);
    adapter->logical = logical;
    adapter->length = length;
    adapter->moved = 0;
    adapter->to_device = to_device;
    adapter->over = false;
    adapter->completion = completion;
    adapter->completion_context = completion_context;
    adapter->completion_object = request->object;
    adapter->device->programmed = adapter;
    ke_unlock(&adapter->device->lock);
}

/* What one transfer can be: the controller counts so far. */
static uint32_t within_count(const hal_adapter_t *adapter, uint32_t length)
{
    return adapter->master || length < HAL_CONTROLLER_BYTES ? length : HAL_CONTROLLER_BYTES;
}

static void end_program(hal_adapter_t *adapter)
{
    ke_lock(&adapter->device->lock);
    if (!adapter->master)
        adapter->over = true;
    ke_unlock(&adapter->device->lock);
}

/* ---- what drivers call ---- */

_Noreturn static NTMM_COLD void no_registers(const char *routine, PVOID base, PVOID buffer, PMDL mdl)
{
    ke_bugcheck(routine, "These are no map registers that this adapter's driver holds: they were freed, or never allocated.",
                DRIVER_VERIFIER_DMA_VIOLATION, 0x20, (ULONG_PTR)base, (ULONG_PTR)buffer, (ULONG_PTR)mdl);
}

PHYSICAL_ADDRESS hal_map_transfer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, PULONG Length,
                                  BOOLEAN WriteToDevice)
{
    HAL_REQUIRE_IRQL("MapTransfer", DISPATCH_LEVEL);
    uint64_t       logical = 0, offset = hal_offset_of(Mdl, CurrentVa);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("MapTransfer", DmaAdapter, &thread);
    if (adapter == NULL)
        return (PHYSICAL_ADDRESS){ .QuadPart = 0 };
    hal_request_t *request = hal_request_of(adapter, MapRegisterBase);
    if (request == NULL)
        no_registers("MapTransfer", MapRegisterBase, CurrentVa, Mdl);
    if (hal_probe != NULL)
        hal_probe->map("MapTransfer", request, Mdl, offset, *Length);
    if (*Length != 0 && hal_chain_has(Mdl, offset, *Length)) {
        hal_cursor_t cursor = hal_cursor_at(Mdl, offset);
        *Length = hal_map_element(request, &cursor, within_count(adapter, *Length), WriteToDevice != FALSE, &logical);
        if (!adapter->master)
            program(request, logical, *Length, WriteToDevice != FALSE, NULL, NULL);
    } else {
        ke_error(0, "MapTransfer: %u bytes from %p on are not all in the MDL at %p", *Length, CurrentVa, (void *)Mdl);
        *Length = 0;
    }
    ke_thread_leave(thread);
    return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)logical };
}

typedef struct transfer_ex {
    hal_request_t       *request;
    PMDL                 mdl;
    uint64_t             offset;
    uint32_t             length, room; /* elements */
    bool                 write;
    PSCATTER_GATHER_LIST list; /* NULL: nobody wants it */
} transfer_ex_t;

/* Bytes mapped: all that registers and list have room for. */
static uint32_t map_all(const transfer_ex_t *transfer, uint64_t *logical)
{
    uint32_t     done = 0, count = 0, now;
    hal_cursor_t cursor = hal_cursor_at(transfer->mdl, transfer->offset);
    for (; done < transfer->length && count < transfer->room; done += now, count++) {
        uint64_t address;
        now = hal_map_element(transfer->request, &cursor, transfer->length - done, transfer->write, &address);
        if (now == 0)
            break;
        if (count == 0)
            *logical = address;
        if (transfer->list != NULL)
            transfer->list->Elements[count] = (SCATTER_GATHER_ELEMENT){ .Address.QuadPart = (LONGLONG)address, .Length = now };
    }
    if (transfer->list != NULL) {
        transfer->list->NumberOfElements = count;
        transfer->list->Reserved = 0;
    }
    return done;
}

static NTSTATUS map_ex(const transfer_ex_t *transfer, PULONG length, PDMA_COMPLETION_ROUTINE completion, PVOID completion_context)
{
    uint64_t       logical = 0;
    hal_adapter_t *adapter = transfer->request->adapter;
    if (transfer->room == 0 || transfer->length == 0 || !hal_chain_has(transfer->mdl, transfer->offset, transfer->length))
        return STATUS_INVALID_PARAMETER;
    if (transfer->request->cancelled)
        return STATUS_CANCELLED;
    uint32_t done = ke_inject_failure() ? 0 : map_all(transfer, &logical);
    if (done == 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    *length = done; /* before the completion routine may run */
    if (!adapter->master)
        program(transfer->request, logical, done, transfer->write, completion, completion_context);
    return STATUS_SUCCESS;
}

NTSTATUS hal_map_transfer_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG DeviceOffset, PULONG Length,
                             BOOLEAN WriteToDevice, PSCATTER_GATHER_LIST ScatterGatherBuffer, ULONG ScatterGatherBufferLength,
                             PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext)
{
    HAL_REQUIRE_IRQL("MapTransferEx", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("MapTransferEx", DmaAdapter, &thread);
    (void)DeviceOffset; /* the device's side of system DMA is the test's */
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    transfer_ex_t transfer = { .request = hal_request_of(adapter, MapRegisterBase),
                               .mdl = Mdl,
                               .offset = Offset,
                               .length = *Length,
                               .room = adapter->master ? 0 : 1,
                               .write = WriteToDevice != FALSE,
                               .list = ScatterGatherBuffer };
    if (transfer.request == NULL)
        no_registers("MapTransferEx", MapRegisterBase, NULL, Mdl);
    if (hal_probe != NULL)
        hal_probe->map("MapTransferEx", transfer.request, Mdl, Offset, *Length);
    if (ScatterGatherBuffer != NULL && ScatterGatherBufferLength >= sizeof(SCATTER_GATHER_LIST))
        transfer.room = (uint32_t)((ScatterGatherBufferLength - sizeof(SCATTER_GATHER_LIST)) / sizeof(SCATTER_GATHER_ELEMENT));
    if (!adapter->scatter_gather && transfer.room > 1)
        transfer.room = 1; /* the device takes one piece */
    transfer.length = within_count(adapter, transfer.length);
    NTSTATUS status = map_ex(&transfer, Length, DmaCompletionRoutine, CompletionContext);
    ke_thread_leave(thread);
    return status;
}

/* false: those bytes are not in the MDLs. */
static bool flush_checked(hal_request_t *request, PMDL mdl, uint64_t offset, uint32_t length, bool write)
{
    if (!hal_chain_has(mdl, offset, length))
        return false;
    end_program(request->adapter);
    hal_flush(request, mdl, offset, length, write);
    return true;
}

BOOLEAN hal_flush_adapter_buffers(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, PVOID CurrentVa, ULONG Length,
                                  BOOLEAN WriteToDevice)
{
    HAL_REQUIRE_IRQL("FlushAdapterBuffers", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FlushAdapterBuffers", DmaAdapter, &thread);
    if (adapter == NULL)
        return FALSE;
    hal_request_t *request = hal_request_of(adapter, MapRegisterBase);
    if (request == NULL)
        no_registers("FlushAdapterBuffers", MapRegisterBase, CurrentVa, Mdl);
    if (hal_probe != NULL)
        hal_probe->flush("FlushAdapterBuffers", request, Mdl, hal_offset_of(Mdl, CurrentVa), Length);
    bool flushed = flush_checked(request, Mdl, hal_offset_of(Mdl, CurrentVa), Length, WriteToDevice != FALSE);
    ke_thread_leave(thread);
    return flushed;
}

NTSTATUS hal_flush_adapter_buffers_ex(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID MapRegisterBase, ULONGLONG Offset, ULONG Length,
                                      BOOLEAN WriteToDevice)
{
    HAL_REQUIRE_IRQL("FlushAdapterBuffersEx", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FlushAdapterBuffersEx", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    hal_request_t *request = hal_request_of(adapter, MapRegisterBase);
    if (request == NULL)
        no_registers("FlushAdapterBuffersEx", MapRegisterBase, NULL, Mdl);
    if (hal_probe != NULL)
        hal_probe->flush("FlushAdapterBuffersEx", request, Mdl, Offset, Length);
    bool flushed = flush_checked(request, Mdl, Offset, Length, WriteToDevice != FALSE);
    ke_thread_leave(thread);
    return flushed ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS hal_flush_dma_buffer(PDMA_ADAPTER DmaAdapter, PMDL Mdl, BOOLEAN ReadOperation)
{
    HAL_REQUIRE_IRQL_UNSAID("FlushDmaBuffer", DISPATCH_LEVEL);
    ke_thread_t *thread;
    (void)ReadOperation; /* caches agree with memory */
    if (hal_enter("FlushDmaBuffer", DmaAdapter, &thread) == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_thread_leave(thread);
    return Mdl != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}
