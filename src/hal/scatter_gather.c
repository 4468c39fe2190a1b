/*
 * scatter_gather.c - a transfer in one call: map registers, mapping, and the list of what is where for the device.
 *
 *     GetScatterGatherList, BuildScatterGatherList (and their Ex forms)
 *      |- list_fits             are the bytes in the MDLs, and are there map registers enough at all?
 *      |- the list's memory     pool, or the driver's
 *      |- hal_request_submit    now, or when others have given map registers back        dma_queue.c
 *      |   `- hal_list_build    each element mapped                                      dma_map.c
 *      `- AdapterListControl    at DISPATCH_LEVEL
 *     PutScatterGatherList      flush, map registers, memory
 *
 *     list  | NumberOfElements | Reserved: the request | Address Length | Address Length | ...
 *
 * Source      WDK reference: PGET_SCATTER_GATHER_LIST(_EX), PBUILD_SCATTER_GATHER_LIST(_EX), PPUT_SCATTER_GATHER_LIST,
 *             PCALCULATE_SCATTER_GATHER_LIST_SIZE, PGET_DMA_TRANSFER_INFO; Bug Check 0xE6.
 * Fidelity    elements that touch are one. A list that is none, or was put before, is 0xE6/0x06 also without Driver Verifier (choice).
 *             BuildScatterGatherList has its memory from the driver and never fails for want of it.
 */
#include <ntddk.h>

#include "hal/dma_operations.h"
#include "hal/dma_probe.h"

typedef struct list_want {
    hal_adapter_t       *adapter;
    PDEVICE_OBJECT       object;
    PMDL                 mdl;
    uint64_t             offset;
    uint32_t             length;
    bool                 write, now;
    PDRIVER_LIST_CONTROL control;
    PVOID                context, transfer_context;
    bool                 has_buffer;
    PVOID                buffer;
    uint32_t             buffer_bytes;
} list_want_t;

/* ---- the list ---- */

void hal_list_build(hal_request_t *request)
{
    PSCATTER_GATHER_LIST list = request->list;
    hal_cursor_t         cursor = hal_cursor_at(request->mdl, request->offset);
    uint32_t             count = 0, done = 0, now = 1;
    for (uint64_t address; done < request->length && count < request->elements; done += now) {
        now = hal_map_element(request, &cursor, request->length - done, request->write, &address);
        if (now == 0)
            break;
        list->Elements[count++] = (SCATTER_GATHER_ELEMENT){ .Address.QuadPart = (LONGLONG)address, .Length = now };
    }
    list->NumberOfElements = count;
    list->Reserved = (ULONG_PTR)request;
}

void hal_list_drop(hal_request_t *request)
{
    if (request->list != NULL && request->list_is_ours)
        ExFreePoolWithTag(request->list, HAL_TAG_LIST);
}

/* Elements and map registers that a transfer takes; or why it cannot be. */
static NTSTATUS list_fits(const hal_adapter_t *adapter, PMDL mdl, uint64_t offset, uint32_t length, uint32_t *elements, uint32_t *registers)
{
    if (mdl == NULL || !hal_chain_has(mdl, offset, length))
        return STATUS_BUFFER_TOO_SMALL;
    *registers = hal_chain_pages(mdl, offset, length);
    if (*registers > adapter->most)
        return STATUS_INSUFFICIENT_RESOURCES;
    *elements = hal_count_elements(adapter, mdl, offset, length);
    return *elements != 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS list_memory(const list_want_t *want, hal_request_t *request)
{
    size_t bytes = hal_list_bytes(request->elements);
    if (want->has_buffer) {
        request->list = want->buffer;
        return want->buffer != NULL && want->buffer_bytes >= bytes ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
    }
    request->list_is_ours = true;
    request->list = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, HAL_TAG_LIST);
    return request->list != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS list_request(const list_want_t *want, PSCATTER_GATHER_LIST *out)
{
    uint32_t elements, registers;
    NTSTATUS status = list_fits(want->adapter, want->mdl, want->offset, want->length, &elements, &registers);
    if (!NT_SUCCESS(status))
        return status;
    hal_request_t *request = hal_request_make(want->adapter);
    if (request == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    request->elements = elements;
    request->count = registers;
    status = list_memory(want, request);
    if (!NT_SUCCESS(status)) {
        hal_record_give(request);
        return status;
    }
    request->object = want->object;
    request->irp = want->object != NULL ? want->object->CurrentIrp : NULL;
    request->list_control = want->control;
    request->context = want->context;
    request->transfer_context = want->transfer_context;
    request->wants_channel = want->control == NULL;
    request->mdl = want->mdl;
    request->offset = want->offset;
    request->length = want->length;
    request->write = want->write;
    PSCATTER_GATHER_LIST list = request->list;
    if (out != NULL)
        *out = list;
    if (hal_request_submit(request, want->now))
        return STATUS_SUCCESS;
    if (!want->has_buffer)
        ExFreePoolWithTag(list, HAL_TAG_LIST);
    if (out != NULL)
        *out = NULL;
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- Get and Build ---- */

/* What all four forms say. */
static list_want_t want_of(PDEVICE_OBJECT object, PMDL mdl, ULONG length, PDRIVER_LIST_CONTROL control, PVOID context, BOOLEAN write)
{
    return (list_want_t){ .object = object, .mdl = mdl, .length = length, .control = control, .context = context, .write = write != FALSE };
}
/* The Ex forms say where in the MDLs, and which transfer this is. */
static void want_at(list_want_t *want, PVOID transfer_context, ULONGLONG offset)
{
    want->transfer_context = transfer_context;
    want->offset = offset;
}
/* Build says where the list goes. */
static void want_in(list_want_t *want, PVOID buffer, ULONG bytes)
{
    want->has_buffer = true;
    want->buffer = buffer;
    want->buffer_bytes = bytes;
}

static NTSTATUS plain_request(const char *routine, PDMA_ADAPTER DmaAdapter, PVOID current, list_want_t *want)
{
    ke_thread_t *thread;
    want->adapter = hal_enter(routine, DmaAdapter, &thread);
    if (want->adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    if (hal_probe != NULL)
        hal_probe->list(routine, want->adapter, want->mdl, &current, 0, want->length);
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if (want->control != NULL && want->mdl != NULL && want->length != 0) {
        want->offset = hal_offset_of(want->mdl, current);
        status = list_request(want, NULL);
    }
    ke_thread_leave(thread);
    return status;
}

NTSTATUS hal_get_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                     PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice)
{
    HAL_REQUIRE_DISPATCH("GetScatterGatherList");
    list_want_t want = want_of(DeviceObject, Mdl, Length, ExecutionRoutine, Context, WriteToDevice);
    return plain_request("GetScatterGatherList", DmaAdapter, CurrentVa, &want);
}

NTSTATUS hal_build_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PMDL Mdl, PVOID CurrentVa, ULONG Length,
                                       PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context, BOOLEAN WriteToDevice,
                                       PVOID ScatterGatherBuffer, ULONG ScatterGatherLength)
{
    HAL_REQUIRE_DISPATCH("BuildScatterGatherList");
    list_want_t want = want_of(DeviceObject, Mdl, Length, ExecutionRoutine, Context, WriteToDevice);
    want_in(&want, ScatterGatherBuffer, ScatterGatherLength);
    return plain_request("BuildScatterGatherList", DmaAdapter, CurrentVa, &want);
}

static NTSTATUS extended_request(const char *routine, PDMA_ADAPTER DmaAdapter, ULONG flags, list_want_t *want, PSCATTER_GATHER_LIST *out)
{
    ke_thread_t *thread;
    want->adapter = hal_enter(routine, DmaAdapter, &thread);
    if (want->adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    if (hal_probe != NULL)
        hal_probe->list(routine, want->adapter, want->mdl, NULL, want->offset, want->length);
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    want->now = (flags & DMA_SYNCHRONOUS_CALLBACK) != 0;
    bool called_back = want->control != NULL, by_pointer = !called_back && want->now && out != NULL;
    if (want->adapter->master && hal_context_is_ready(want->transfer_context) && (flags & ~(ULONG)DMA_SYNCHRONOUS_CALLBACK) == 0 &&
        (called_back || by_pointer) && want->mdl != NULL && want->length != 0 && hal_chain_has(want->mdl, want->offset, want->length))
        status = hal_context_use(want->transfer_context) ? list_request(want, out) : STATUS_CANCELLED;
    ke_thread_leave(thread);
    return status;
}

NTSTATUS hal_get_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                        ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                        BOOLEAN WriteToDevice, PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext,
                                        PSCATTER_GATHER_LIST *ScatterGatherList)
{
    HAL_REQUIRE_IRQL("GetScatterGatherListEx", DISPATCH_LEVEL);
    (void)DmaCompletionRoutine; /* not used, as documented */
    (void)CompletionContext;
    list_want_t want = want_of(DeviceObject, Mdl, Length, ExecutionRoutine, Context, WriteToDevice);
    want_at(&want, DmaTransferContext, Offset);
    return extended_request("GetScatterGatherListEx", DmaAdapter, Flags, &want, ScatterGatherList);
}

NTSTATUS hal_build_scatter_gather_list_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext, PMDL Mdl,
                                          ULONGLONG Offset, ULONG Length, ULONG Flags, PDRIVER_LIST_CONTROL ExecutionRoutine, PVOID Context,
                                          BOOLEAN WriteToDevice, PVOID ScatterGatherBuffer, ULONG ScatterGatherLength,
                                          PDMA_COMPLETION_ROUTINE DmaCompletionRoutine, PVOID CompletionContext, PVOID ScatterGatherList)
{
    HAL_REQUIRE_DISPATCH("BuildScatterGatherListEx");
    (void)DmaCompletionRoutine; /* not used, as documented */
    (void)CompletionContext;
    list_want_t want = want_of(DeviceObject, Mdl, Length, ExecutionRoutine, Context, WriteToDevice);
    want_at(&want, DmaTransferContext, Offset);
    want_in(&want, ScatterGatherBuffer, ScatterGatherLength);
    return extended_request("BuildScatterGatherListEx", DmaAdapter, Flags, &want, ScatterGatherList);
}

/* ---- Put ---- */

hal_request_t *hal_request_of_list(const hal_adapter_t *adapter, const SCATTER_GATHER_LIST *list)
{
    hal_request_t *request = (hal_request_t *)list->Reserved;
    bool           is = hal_record_is(request, HAL_REQUEST) && request->adapter == adapter && request->list == list;
    return is && (hal_state(request) & HAL_LIST) != 0 ? request : NULL;
}

static bool put(hal_adapter_t *adapter, PSCATTER_GATHER_LIST list, bool write)
{
    hal_request_t *request = hal_request_of_list(adapter, list);
    if (request == NULL)
        return false;
    bool ours = request->list_is_ours;
    if ((hal_state(request) & HAL_REGISTERS) != 0 && adapter->device->file.registers != NULL)
        hal_flush(request, request->mdl, request->offset, request->length, write);
    list->Reserved = 0;
    if (!hal_request_end(request, HAL_LIST | HAL_REGISTERS | HAL_CHANNEL))
        return false;
    if (ours)
        ExFreePoolWithTag(list, HAL_TAG_LIST);
    return true;
}

VOID hal_put_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, BOOLEAN WriteToDevice)
{
    HAL_REQUIRE_DISPATCH("PutScatterGatherList");
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("PutScatterGatherList", DmaAdapter, &thread);
    if (adapter == NULL)
        return;
    bool was_one = put(adapter, ScatterGather, WriteToDevice != FALSE);
    ke_thread_leave(thread);
    if (!was_one)
        ke_bugcheck("PutScatterGatherList", "This is no scatter/gather list of this adapter, or one that was put before.",
                    DRIVER_VERIFIER_DMA_VIOLATION, 0x06, adapter->lists_made, adapter->lists_put + 1, 0);
}

/* ---- how much it takes ---- */

NTSTATUS hal_calculate_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PVOID CurrentVa, ULONG Length, PULONG ScatterGatherListSize,
                                           PULONG pNumberOfMapRegisters)
{
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("CalculateScatterGatherList", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    uint32_t registers = (uint32_t)ADDRESS_AND_SIZE_TO_SPAN_PAGES(CurrentVa, Length), elements = adapter->scatter_gather ? registers : 1;
    NTSTATUS status = registers <= adapter->most ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    if (Mdl != NULL)
        status = list_fits(adapter, Mdl, hal_offset_of(Mdl, CurrentVa), Length, &elements, &registers);
    ke_thread_leave(thread);
    if (!NT_SUCCESS(status))
        return status;
    *ScatterGatherListSize = (ULONG)hal_list_bytes(elements);
    if (pNumberOfMapRegisters != NULL)
        *pNumberOfMapRegisters = registers;
    return STATUS_SUCCESS;
}

NTSTATUS hal_get_dma_transfer_info(PDMA_ADAPTER DmaAdapter, PMDL Mdl, ULONGLONG Offset, ULONG Length, BOOLEAN WriteOnly,
                                   PDMA_TRANSFER_INFO TransferInfo)
{
    HAL_REQUIRE_IRQL("GetDmaTransferInfo", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("GetDmaTransferInfo", DmaAdapter, &thread);
    (void)WriteOnly; /* caches agree with memory, so nothing needs to be done at the ends of a buffer */
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    uint32_t elements = 0, registers = 0;
    bool     known = TransferInfo->Version == DMA_TRANSFER_INFO_VERSION1 || TransferInfo->Version == DMA_TRANSFER_INFO_VERSION2;
    bool     inside = Mdl != NULL && Length != 0 && hal_chain_has(Mdl, Offset, Length);
    if (known && inside) {
        registers = hal_chain_pages(Mdl, Offset, Length);
        elements = adapter->scatter_gather ? hal_count_elements(adapter, Mdl, Offset, Length) : 1;
    }
    ke_thread_leave(thread);
    if (!known)
        return STATUS_NOT_SUPPORTED;
    if (!inside)
        return STATUS_INVALID_PARAMETER;
    TransferInfo->V1 = (DMA_TRANSFER_INFO_V1){ registers, elements, (ULONG)hal_list_bytes(elements) };
    if (TransferInfo->Version == DMA_TRANSFER_INFO_VERSION2)
        TransferInfo->V2.LogicalPageCount = registers;
    return STATUS_SUCCESS;
}
