/*
 * dma_channel.c - adapter channels: a driver asks for the adapter and some map registers, and programs its device when it has them.
 *
 *     AllocateAdapterChannel --> AdapterControl(MapRegisterBase) returns
 *                                  KeepObject                      channel and registers until FreeAdapterChannel      system DMA
 *                                  DeallocateObjectKeepRegisters   registers until FreeMapRegisters                    packets
 *                                  DeallocateObject                nothing is held any longer
 *     AllocateAdapterChannelEx(DMA_SYNCHRONOUS_CALLBACK), no routine: both until FreeAdapterObject, which says the same three things
 *
 * CancelAdapterChannel takes back a request that still waits, or one that is yet to be made with that context.
 *
 * Source      WDK reference: PALLOCATE_ADAPTER_CHANNEL(_EX), PFREE_ADAPTER_CHANNEL, PFREE_MAP_REGISTERS, PFREE_ADAPTER_OBJECT,
 *             PCANCEL_ADAPTER_CHANNEL, PCANCEL_MAPPED_TRANSFER, PINITIALIZE_DMA_TRANSFER_CONTEXT; Bug Check 0xE6.
 * Fidelity    a request that was cancelled before it was made is STATUS_CANCELLED (choice). STATUS_INVALID_PARAMETER is what the pages
 *             call STATUS_INVALID_PARAMETERS. Map registers that are freed twice or in another
 *             number are 0xE6/0x05, and a channel that nobody holds is 0xE6/0x04, also without Driver Verifier (choice).
 */
#include <string.h>

#include <ntddk.h>

#include "hal/dma_operations.h"
#include "hal/dma_probe.h"
#include "ke/inject.h"

/* ---- contexts ---- */

/* What the driver keeps for us in DMA_TRANSFER_CONTEXT_SIZE_V1 bytes: its memory, aligned as it likes. */
static const char CONTEXT_MAGIC[8] = { 'N', 'D', 'm', 'a', 'D', 'c', 't', 'x' };
enum context_state { CONTEXT_FRESH, CONTEXT_USED, CONTEXT_CANCELLED };

static unsigned char *state_of(void *transfer_context) { return (unsigned char *)transfer_context + sizeof CONTEXT_MAGIC; }

bool hal_context_is_ready(const void *transfer_context)
{
    return transfer_context != NULL && memcmp(transfer_context, CONTEXT_MAGIC, sizeof CONTEXT_MAGIC) == 0;
}

/* No request has had it so far: from `state` on it is spoken for. false: one has. */
static bool context_changes(void *transfer_context, unsigned char state)
{
    unsigned char fresh = CONTEXT_FRESH;
    return __atomic_compare_exchange_n(state_of(transfer_context), &fresh, state, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool hal_context_use(void *transfer_context)
{
    return context_changes(transfer_context, CONTEXT_USED) || __atomic_load_n(state_of(transfer_context), __ATOMIC_ACQUIRE) == CONTEXT_USED;
}

NTSTATUS hal_initialize_dma_transfer_context(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    HAL_REQUIRE_IRQL("InitializeDmaTransferContext", DISPATCH_LEVEL);
    ke_thread_t *thread;
    if (hal_enter("InitializeDmaTransferContext", DmaAdapter, &thread) == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_thread_leave(thread);
    if (DmaTransferContext == NULL)
        return STATUS_INVALID_PARAMETER;
    RtlZeroMemory(DmaTransferContext, DMA_TRANSFER_CONTEXT_SIZE_V1);
    RtlCopyMemory(DmaTransferContext, CONTEXT_MAGIC, sizeof CONTEXT_MAGIC);
    return STATUS_SUCCESS;
}

/* ---- asking ---- */

static hal_request_t *channel_request(hal_adapter_t *adapter, PDEVICE_OBJECT object, ULONG count, PDRIVER_CONTROL control, PVOID context)
{
    hal_request_t *request = count <= adapter->most && !ke_inject_failure() ? hal_request_make(adapter) : NULL;
    if (request == NULL)
        return NULL;
    request->wants_channel = true;
    request->count = count;
    request->object = object;
    request->irp = object != NULL ? object->CurrentIrp : NULL;
    request->control = control;
    request->context = context;
    return request;
}

/* As !devobj shows it. */
static void note_in_device(PDEVICE_OBJECT object, const hal_request_t *request)
{
    WAIT_CONTEXT_BLOCK *wcb = &object->Queue.Wcb;
    wcb->DeviceRoutine = request->control;
    wcb->DeviceContext = request->context;
    wcb->NumberOfMapRegisters = request->count;
    wcb->DeviceObject = object;
    wcb->CurrentIrp = request->irp;
}

NTSTATUS hal_allocate_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, ULONG NumberOfMapRegisters,
                                      PDRIVER_CONTROL ExecutionRoutine, PVOID Context)
{
    HAL_REQUIRE_DISPATCH("AllocateAdapterChannel");
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("AllocateAdapterChannel", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    if (hal_probe != NULL)
        hal_probe->channel("AllocateAdapterChannel", adapter, NumberOfMapRegisters);
    NTSTATUS       status = ExecutionRoutine != NULL ? STATUS_INSUFFICIENT_RESOURCES : STATUS_INVALID_PARAMETER;
    hal_request_t *request = NULL;
    if (ExecutionRoutine != NULL)
        request = channel_request(adapter, DeviceObject, NumberOfMapRegisters, ExecutionRoutine, Context);
    if (request != NULL) {
        if (DeviceObject != NULL)
            note_in_device(DeviceObject, request);
        hal_request_submit(request, false);
        status = STATUS_SUCCESS;
    }
    ke_thread_leave(thread);
    return status;
}

NTSTATUS hal_allocate_adapter_channel_ex(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext,
                                         ULONG NumberOfMapRegisters, ULONG Flags, PDRIVER_CONTROL ExecutionRoutine, PVOID ExecutionContext,
                                         PVOID *MapRegisterBase)
{
    HAL_REQUIRE_DISPATCH("AllocateAdapterChannelEx");
    bool           now = (Flags & DMA_SYNCHRONOUS_CALLBACK) != 0;
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("AllocateAdapterChannelEx", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    bool routine = ExecutionRoutine != NULL && MapRegisterBase == NULL, no_routine = ExecutionRoutine == NULL && MapRegisterBase != NULL;
    if (hal_context_is_ready(DmaTransferContext) && (Flags & ~(ULONG)DMA_SYNCHRONOUS_CALLBACK) == 0 && (routine || (no_routine && now))) {
        if (hal_probe != NULL)
            hal_probe->channel("AllocateAdapterChannelEx", adapter, NumberOfMapRegisters);
        hal_request_t *request = NULL;
        status = STATUS_CANCELLED;
        if (hal_context_use(DmaTransferContext)) {
            request = channel_request(adapter, DeviceObject, NumberOfMapRegisters, ExecutionRoutine, ExecutionContext);
            status = STATUS_INSUFFICIENT_RESOURCES;
        }
        if (request != NULL) {
            request->transfer_context = DmaTransferContext;
            if (hal_request_submit(request, now))
                status = STATUS_SUCCESS;
        }
        if (no_routine)
            *MapRegisterBase = NT_SUCCESS(status) ? request : NULL;
    }
    ke_thread_leave(thread);
    return status;
}

BOOLEAN hal_cancel_adapter_channel(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID DmaTransferContext)
{
    HAL_REQUIRE_IRQL("CancelAdapterChannel", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("CancelAdapterChannel", DmaAdapter, &thread);
    (void)DeviceObject; /* the context says which request is meant */
    if (adapter == NULL)
        return FALSE;
    bool cancelled = hal_context_is_ready(DmaTransferContext) &&
                     (hal_request_cancel(adapter, DmaTransferContext) || context_changes(DmaTransferContext, CONTEXT_CANCELLED));
    ke_thread_leave(thread);
    return cancelled;
}

/* ---- giving back ---- */

static hal_request_t *channel_of(hal_adapter_t *adapter)
{
    ke_lock(&adapter->device->lock);
    hal_request_t *request = adapter->channel;
    ke_unlock(&adapter->device->lock);
    return request;
}

VOID hal_free_adapter_channel(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_DISPATCH("FreeAdapterChannel");
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FreeAdapterChannel", DmaAdapter, &thread);
    if (adapter == NULL)
        return;
    hal_request_t *request = channel_of(adapter);
    if (request != NULL && hal_probe != NULL)
        hal_probe->free_registers("FreeAdapterChannel", request);
    bool held = request != NULL && hal_request_end(request, HAL_CHANNEL | HAL_REGISTERS);
    ke_thread_leave(thread);
    if (!held)
        ke_bugcheck("FreeAdapterChannel", "The channel of this adapter is not allocated: it was freed before, or AdapterControl let it go.",
                    DRIVER_VERIFIER_DMA_VIOLATION, 0x04, 1, 0, 0);
}

VOID hal_free_adapter_object(PDMA_ADAPTER DmaAdapter, IO_ALLOCATION_ACTION AllocationAction)
{
    HAL_REQUIRE_IRQL("FreeAdapterObject", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FreeAdapterObject", DmaAdapter, &thread);
    if (adapter == NULL)
        return;
    hal_request_t *request = channel_of(adapter);
    if (request != NULL && AllocationAction == DeallocateObject && hal_probe != NULL)
        hal_probe->free_registers("FreeAdapterObject", request);
    if (request != NULL && AllocationAction == DeallocateObject)
        hal_request_end(request, HAL_CHANNEL | HAL_REGISTERS);
    else if (request != NULL && AllocationAction == DeallocateObjectKeepRegisters)
        hal_request_end(request, HAL_CHANNEL);
    ke_thread_leave(thread);
}

VOID hal_free_map_registers(PDMA_ADAPTER DmaAdapter, PVOID MapRegisterBase, ULONG NumberOfMapRegisters)
{
    HAL_REQUIRE_DISPATCH("FreeMapRegisters");
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FreeMapRegisters", DmaAdapter, &thread);
    if (adapter == NULL)
        return;
    hal_request_t *request = hal_request_of(adapter, MapRegisterBase);
    ULONG          held = request != NULL ? request->count : 0;
    if (request != NULL && hal_probe != NULL)
        hal_probe->free_registers("FreeMapRegisters", request);
    bool right = request != NULL && held == NumberOfMapRegisters && hal_request_end(request, HAL_REGISTERS);
    ke_thread_leave(thread);
    if (!right)
        ke_bugcheck("FreeMapRegisters",
                    request == NULL ? "These are no map registers that are allocated: they were freed before, or never returned."
                                    : "Another number of map registers is freed than was allocated.",
                    DRIVER_VERIFIER_DMA_VIOLATION, 0x05, (ULONG_PTR)NumberOfMapRegisters - held, 0, 0);
}

/* ---- system DMA ---- */

ULONG hal_read_dma_counter(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_IRQL("ReadDmaCounter", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("ReadDmaCounter", DmaAdapter, &thread);
    if (adapter == NULL)
        return 0;
    ke_lock(&adapter->device->lock);
    ULONG left = adapter->length - adapter->moved;
    ke_unlock(&adapter->device->lock);
    ke_thread_leave(thread);
    return left;
}

NTSTATUS hal_configure_adapter_channel(PDMA_ADAPTER DmaAdapter, ULONG FunctionNumber, PVOID Context)
{
    HAL_REQUIRE_IRQL("ConfigureAdapterChannel", DISPATCH_LEVEL);
    ke_thread_t *thread;
    (void)FunctionNumber; /* the controller has no functions of its own */
    (void)Context;
    if (hal_enter("ConfigureAdapterChannel", DmaAdapter, &thread) != NULL)
        ke_thread_leave(thread);
    return STATUS_NOT_IMPLEMENTED;
}

NTSTATUS hal_cancel_mapped_transfer(PDMA_ADAPTER DmaAdapter, PVOID DmaTransferContext)
{
    HAL_REQUIRE_IRQL("CancelMappedTransfer", DISPATCH_LEVEL);
    hal_adapter_t  told = { .length = 0 };
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("CancelMappedTransfer", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = adapter->master ? STATUS_NOT_SUPPORTED : STATUS_INVALID_PARAMETER;
    ke_lock(&adapter->device->lock);
    if (!adapter->master && adapter->channel != NULL && adapter->channel->transfer_context == DmaTransferContext) {
        status = STATUS_SUCCESS;
        adapter->channel->cancelled = true;
        if (adapter->device->programmed == adapter && !adapter->over)
            told = *adapter;
        adapter->over = true;
    }
    ke_unlock(&adapter->device->lock);
    ke_thread_leave(thread);
    if (told.completion != NULL)
        hal_complete(adapter, &told, DmaCancelled);
    return status;
}
