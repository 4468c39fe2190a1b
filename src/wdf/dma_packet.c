/*
 * dma_packet.c - transfers of devices that take one piece: bus masters without scatter/gather, and those that the system's DMA controller serves.
 *
 *     start: AllocateAdapterChannel(Ex)  -->  channel_ready: map registers are there, now or later
 *                                              |- reserving: EvtReserveDma
 *                                              `- stage: MapTransfer(Ex), EvtProgramDma
 *     flush: FlushAdapterBuffers(Ex)
 *     release: FreeMapRegisters, or FreeAdapterChannel for the controller's
 *
 * A driver may complete a transfer inside EvtProgramDma, or on another processor while that still runs. The next transfer is not staged inside,
 * or beside, this one: whoever stages is told to go on when the callback has returned. So is what the controller reports meanwhile.
 *
 *     stage --- is_staging? --no--> [ map, EvtProgramDma ] --again?--> [ map, EvtProgramDma ] ...
 *                  `--yes--> again = true
 *
 * Locks       (S) transaction->staging, never held while anything is called.
 * Source      WDK reference: PALLOCATE_ADAPTER_CHANNEL(_EX), PMAP_TRANSFER(_EX), PFLUSH_ADAPTER_BUFFERS(_EX), "Using System-Mode DMA"; one
 *             thread stages at a time: the published KMDF 1.33.
 * Fidelity    EvtProgramDma runs at DISPATCH_LEVEL, as documented, also when a transfer was completed below it (choice). Of a transfer that the device made in part the rest is flushed without copying. Mapping that fails for want of resources is
 *             tried once more, since a driver has no way to be told.
 */
#include "wdf/dma_transaction.h"

/* Bytes from the cursor on that `registers` can map in one MDL. */
static size_t room_of(const hal_cursor_t *cursor, ULONG registers)
{
    return ((size_t)registers << PAGE_SHIFT) - (hal_on_pages(cursor) & (PAGE_SIZE - 1));
}

/* ---- who stages ---- */

static bool staging_begins(wdf_dma_transaction_t *transaction)
{
    wdf_lock(&transaction->staging);
    bool mine = !transaction->is_staging;
    if (mine)
        transaction->is_staging = true;
    else
        transaction->again = true;
    wdf_unlock(&transaction->staging);
    return mine;
}

static bool staging_goes_on(wdf_dma_transaction_t *transaction)
{
    wdf_lock(&transaction->staging);
    bool again = transaction->again;
    transaction->again = false;
    transaction->is_staging = again;
    wdf_unlock(&transaction->staging);
    return again;
}

/* What the controller reported while a transfer was staged. */
static void tell_now(wdf_dma_transaction_t *transaction)
{
    wdf_lock(&transaction->staging);
    bool                  is_done = transaction->is_done;
    DMA_COMPLETION_STATUS done = transaction->done;
    transaction->is_done = false;
    wdf_unlock(&transaction->staging);
    if (is_done)
        (void)wdf_dma_tell(transaction, done);
}

static VOID controller_done(PDMA_ADAPTER adapter, PDEVICE_OBJECT device, PVOID context, DMA_COMPLETION_STATUS status)
{
    wdf_dma_transaction_t *transaction = context;
    (void)adapter;
    (void)device;
    wdf_lock(&transaction->staging);
    bool later = transaction->is_staging;
    if (later) {
        transaction->is_done = true;
        transaction->done = status;
    }
    wdf_unlock(&transaction->staging);
    if (!later)
        (void)wdf_dma_tell(transaction, status);
}

/* ---- one transfer ---- */

static size_t current_length(const wdf_dma_transaction_t *transaction)
{
    size_t       length = wdf_dma_least(transaction->remaining, transaction->most);
    hal_cursor_t cursor = wdf_dma_cursor(transaction);
    if (!transaction->single && transaction->reserved != 0 && transaction->needed > transaction->reserved)
        length = wdf_dma_least(length, room_of(&cursor, transaction->reserved));
    return length;
}

static bool configure(wdf_dma_transaction_t *transaction)
{
    PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL configure = transaction->configure;
    if (configure == NULL)
        return true;
    wdf_call_t call = wdf_call_begin(transaction->object.driver);
    BOOLEAN go_on = configure(wdf_dma_handle(transaction), wdf_device_handle(transaction->enabler->device), transaction->configure_context,
                              transaction->mdl, transaction->offset + transaction->transferred, transaction->current);
    WDF_CALL_END(&call, configure);
    return go_on != FALSE;
}

static NTSTATUS map_v3(wdf_dma_transaction_t *t, PSCATTER_GATHER_LIST list, ULONG bytes, ULONG *length)
{
    return wdf_dma_operations(t)->MapTransferEx(t->side->adapter, t->mdl, t->base, t->offset + t->transferred, t->device_offset, length,
                                                wdf_dma_to_device(t), list, bytes, t->complete != NULL ? controller_done : NULL, t);
}

static NTSTATUS map_v2(wdf_dma_transaction_t *t, PSCATTER_GATHER_LIST list, ULONG *length)
{
    PVOID va = (char *)MmGetMdlVirtualAddress(t->mdl) + t->offset + t->transferred;
    list->NumberOfElements = 1;
    list->Reserved = 0;
    list->Elements[0].Address = wdf_dma_operations(t)->MapTransfer(t->side->adapter, t->mdl, t->base, va, length, wdf_dma_to_device(t));
    list->Elements[0].Length = *length;
    return *length != 0 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS map(wdf_dma_transaction_t *transaction, PSCATTER_GATHER_LIST list, ULONG bytes)
{
    NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
    ULONG    length = 0;
    for (unsigned tries = 0; tries < 2 && status == STATUS_INSUFFICIENT_RESOURCES; tries++) {
        length = (ULONG)transaction->current;
        status = wdf_dma_is_v3(transaction->enabler) ? map_v3(transaction, list, bytes, &length) : map_v2(transaction, list, &length);
    }
    if (NT_SUCCESS(status)) { /* less than asked for: the rest comes with the next one */
        transaction->remaining += transaction->current - length;
        transaction->current = length;
    }
    return status;
}

static NTSTATUS stage_one(wdf_dma_transaction_t *transaction)
{
    _Alignas(SCATTER_GATHER_LIST) unsigned char room[sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT)];
    PSCATTER_GATHER_LIST                        list = (PSCATTER_GATHER_LIST)(void *)room;
    if (transaction->cancelled)
        return STATUS_CANCELLED;
    transaction->current = current_length(transaction);
    transaction->remaining -= transaction->current;
    transaction->under_way = true;
    if (!configure(transaction))
        return STATUS_SUCCESS;
    NTSTATUS status = map(transaction, list, sizeof room);
    if (NT_SUCCESS(status))
        wdf_dma_program(transaction, list);
    return status;
}

static NTSTATUS stage(wdf_dma_transaction_t *transaction)
{
    NTSTATUS status;
    KIRQL    irql;
    if (!staging_begins(transaction))
        return STATUS_SUCCESS;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    wdf_object_reference(&transaction->object); /* the driver may delete it when it is over */
    do {
        status = stage_one(transaction);
        tell_now(transaction);
    } while (staging_goes_on(transaction));
    KeLowerIrql(irql);
    wdf_object_dereference("EvtProgramDma", &transaction->object);
    return status;
}

/* ---- map registers ---- */

/* Version 2: a device object has one request for a channel at most. */
static bool take_device(wdf_dma_enabler_t *enabler)
{
    return wdf_dma_is_v3(enabler) || !atomic_exchange(&wdf_device_dma(enabler->device)->packet_busy, true);
}
static void give_device(wdf_dma_enabler_t *enabler)
{
    if (!wdf_dma_is_v3(enabler))
        wdf_device_dma(enabler->device)->packet_busy = false;
}

/* They are there, and there is nobody that a failure could be returned to. */
static void first_transfer(wdf_dma_transaction_t *transaction)
{
    NTSTATUS status = stage(transaction);
    if (!NT_SUCCESS(status) && !wdf_dma_tell(transaction, status == STATUS_CANCELLED ? DmaCancelled : DmaError))
        (void)ke_error(0, "EvtProgramDma: the first transfer could not be mapped (0x%08X), and there is no callback to tell",
                       (unsigned)status);
}

static void reserved_now(wdf_dma_transaction_t *transaction)
{
    PFN_WDF_RESERVE_DMA reserve = transaction->reserve;
    wdf_call_t          call = wdf_call_begin(transaction->object.driver);
    transaction->reserve = NULL;
    reserve(wdf_dma_handle(transaction), transaction->context);
    WDF_CALL_END(&call, reserve);
}

static IO_ALLOCATION_ACTION channel_ready(PDEVICE_OBJECT device, PIRP irp, PVOID base, PVOID context)
{
    wdf_dma_transaction_t *transaction = context;
    IO_ALLOCATION_ACTION   action = transaction->enabler->master ? DeallocateObjectKeepRegisters : KeepObject;
    (void)device;
    (void)irp;
    wdf_object_reference(&transaction->object);
    transaction->base = base;
    if (transaction->state == WDF_DMA_RESERVED)
        reserved_now(transaction);
    else
        first_transfer(transaction);
    wdf_object_dereference("AdapterControl", &transaction->object);
    return action;
}

static NTSTATUS ask_for_channel(wdf_dma_transaction_t *t)
{
    PDMA_OPERATIONS op = wdf_dma_operations(t);
    if (wdf_dma_is_v3(t->enabler))
        return op->AllocateAdapterChannelEx(t->side->adapter, t->enabler->device->wdm, wdf_dma_transfer_context(t), t->needed, t->flags,
                                            channel_ready, t, NULL);
    return op->AllocateAdapterChannel(t->side->adapter, t->enabler->device->wdm, t->needed, channel_ready, t);
}

/* For the transaction's longest transfer, wherever that begins on its page. */
static ULONG registers_needed(const wdf_dma_transaction_t *transaction)
{
    size_t length = wdf_dma_least(transaction->remaining, transaction->most);
    ULONG  needed = (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES((PVOID)(ULONG_PTR)(PAGE_SIZE - 1), length);
    if (transaction->state == WDF_DMA_RESERVED)
        return transaction->reserved;
    if (length == transaction->remaining)
        needed = hal_chain_pages(transaction->mdl, transaction->offset, length);
    return !transaction->enabler->master || needed > transaction->side->registers ? transaction->side->registers : needed;
}

static NTSTATUS start(wdf_dma_transaction_t *transaction)
{
    KIRQL    irql;
    NTSTATUS status = STATUS_SUCCESS;
    if (!take_device(transaction->enabler))
        return STATUS_WDF_BUSY;
    transaction->needed = registers_needed(transaction);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    if (transaction->reserved != 0 && transaction->state != WDF_DMA_RESERVED)
        (void)channel_ready(transaction->enabler->device->wdm, NULL, transaction->base, transaction);
    else
        status = ask_for_channel(transaction);
    KeLowerIrql(irql);
    if (!NT_SUCCESS(status))
        give_device(transaction->enabler);
    return status;
}

static void release(wdf_dma_transaction_t *transaction, bool reserved)
{
    KIRQL irql;
    PVOID base = transaction->base;
    if (base == NULL || (transaction->reserved != 0 && !reserved))
        return;
    ULONG count = transaction->reserved != 0 ? transaction->reserved : transaction->needed;
    transaction->base = NULL;
    transaction->reserved = 0;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    if (transaction->enabler->master)
        wdf_dma_operations(transaction)->FreeMapRegisters(transaction->side->adapter, base, count);
    else
        wdf_dma_operations(transaction)->FreeAdapterChannel(transaction->side->adapter);
    KeLowerIrql(irql);
    give_device(transaction->enabler);
}

/* ---- the device is done ---- */

static NTSTATUS flush_part(wdf_dma_transaction_t *t, size_t from, size_t bytes, BOOLEAN to_device)
{
    PDMA_OPERATIONS op = wdf_dma_operations(t);
    size_t          offset = t->offset + t->transferred + from;
    if (bytes == 0)
        return STATUS_SUCCESS;
    if (wdf_dma_is_v3(t->enabler))
        return op->FlushAdapterBuffersEx(t->side->adapter, t->mdl, t->base, offset, (ULONG)bytes, to_device);
    PVOID va = (char *)MmGetMdlVirtualAddress(t->mdl) + offset;
    return op->FlushAdapterBuffers(t->side->adapter, t->mdl, t->base, va, (ULONG)bytes, to_device) ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

static NTSTATUS flush(wdf_dma_transaction_t *transaction, size_t done)
{
    NTSTATUS status = flush_part(transaction, 0, done, wdf_dma_to_device(transaction));
    NTSTATUS rest = flush_part(transaction, done, transaction->current - done, TRUE);
    return NT_SUCCESS(status) ? rest : status;
}

static NTSTATUS prepare(wdf_dma_transaction_t *transaction)
{
    transaction->device_offset = 0;
    transaction->cancelled = false;
    return STATUS_SUCCESS;
}

const wdf_dma_way_t wdf_dma_packet = { .prepare = prepare, .start = start, .stage = stage, .flush = flush, .release = release };

/* ---- reserving ---- */

static bool may_reserve(const wdf_dma_enabler_t *enabler) { return wdf_dma_is_v3(enabler) && !enabler->lists; }

static void reserve_begin(wdf_dma_transaction_t *transaction, WDF_DMA_DIRECTION direction, ULONG count, PFN_WDF_RESERVE_DMA reserve,
                          PVOID context)
{
    transaction->side = wdf_dma_side(transaction->enabler, direction);
    transaction->reserved = count;
    if (count == 0)
        transaction->reserved = transaction->enabler->master ? hal_chain_pages(transaction->mdl, transaction->offset, transaction->length)
                                                             : transaction->side->registers;
    transaction->direction = direction;
    transaction->mdl = NULL;
    transaction->offset = transaction->length = transaction->remaining = 0;
    transaction->reserve = reserve;
    transaction->context = context;
    wdf_dma_context_init(transaction);
    transaction->state = WDF_DMA_RESERVED;
}

NTSTATUS WdfDmaTransactionAllocateResources(WDFDMATRANSACTION DmaTransaction, WDF_DMA_DIRECTION DmaDirection, ULONG RequiredMapRegisters,
                                            PFN_WDF_RESERVE_DMA EvtReserveDmaFunction, PVOID EvtReserveDmaContext)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    unsigned               states = WDF_DMA_IN(WDF_DMA_INITIALIZED);
    if (!may_reserve(transaction->enabler))
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!wdf_dma_is_direction(DmaDirection))
        return STATUS_INVALID_PARAMETER;
    WDF_REQUIRE(EvtReserveDmaFunction);
    if (RequiredMapRegisters != 0)
        states |= WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_RELEASED);
    wdf_dma_require(
        __func__, transaction, transaction->reserved == 0 ? states : 0,
        "Map registers are reserved for a DMA transaction that has some, or is in use, or, for a number of 0, is not initialized.");
    if (wdf_dma_side(transaction->enabler, DmaDirection)->adapter == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    reserve_begin(transaction, DmaDirection, RequiredMapRegisters, EvtReserveDmaFunction, EvtReserveDmaContext);
    NTSTATUS status = start(transaction);
    if (!NT_SUCCESS(status)) {
        transaction->state = WDF_DMA_FAILED;
        transaction->reserved = 0;
        transaction->context = NULL;
    }
    return status;
}

VOID WdfDmaTransactionFreeResources(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (!may_reserve(transaction->enabler)) {
        (void)ke_error(0, "%s: nothing can be reserved with this enabler's profile and version", __func__);
        return;
    }
    wdf_dma_require(__func__, transaction, ~(WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_TRANSFER) | WDF_DMA_IN(WDF_DMA_DELETED)),
                    "Map registers of a DMA transaction were freed while a transfer is under way, or without having been reserved.");
    if (transaction->reserved != 0 && transaction->base == NULL) { /* it still waits for them */
        (void)wdf_dma_operations(transaction)
            ->CancelAdapterChannel(transaction->side->adapter, transaction->enabler->device->wdm, wdf_dma_transfer_context(transaction));
        transaction->reserved = 0;
    }
    wdf_dma_release(transaction, true);
}

/* ---- the controller ---- */

VOID WdfDmaTransactionStopSystemTransfer(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (transaction->enabler->master || transaction->side == NULL) {
        (void)ke_error(0, "%s: the enabler has no system profile, or the transaction is not initialized", __func__);
        return;
    }
    transaction->cancelled = true;
    if (!NT_SUCCESS(
            wdf_dma_operations(transaction)->CancelMappedTransfer(transaction->side->adapter, wdf_dma_transfer_context(transaction))))
        (void)ke_error(0, "%s: no transfer is mapped; none will be", __func__);
}
