/*
 * dma_transaction.c - DMA transactions: their life, and what they are to move. Moving it is dma_execute.c.
 *
 *     WdfDmaTransactionInitialize, ...UsingOffset      ...UsingRequest: dma_request.c
 *      |- wdf_dma_check_buffer       the documented refusals
 *      `- wdf_dma_initialize
 *          |- prepare_single         one transfer or none: does it fit at all?
 *          `- way->prepare           too many elements?                                  dma_lists.c
 *
 * Units       bytes.
 * Locks       none.
 * Source      WDK reference: wdfdmatransaction.h; states, and the order of the checks: the published KMDF 1.33; Bug Check 0x10D, 8.
 * Fidelity    a transaction that is deleted while a transfer runs is 0x10D/8 always; on Windows, with the framework's verifier.
 */
#include "wdf/dma_transaction.h"

/* ---- states ---- */

void wdf_dma_require(const char *routine, const wdf_dma_transaction_t *transaction, unsigned states, const char *why)
{
    uint32_t state = transaction->state;
    if (NTMM_UNLIKELY((WDF_DMA_IN(state) & states) == 0))
        wdf_stop(routine, why, WDF_DMA_FATAL_ERROR, (ULONG_PTR)transaction, state);
}

static void reset(wdf_dma_transaction_t *transaction)
{
    transaction->side = NULL;
    transaction->mdl = NULL;
    transaction->offset = 0;
    transaction->length = transaction->remaining = transaction->transferred = transaction->current = transaction->most = 0;
    transaction->single = (transaction->enabler->config.Flags & WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER) != 0;
    transaction->flags = 0;
    transaction->program = NULL;
    transaction->context = NULL;
}

void wdf_dma_release(wdf_dma_transaction_t *transaction, bool reserved)
{
    const wdf_dma_side_t *side = transaction->side;
    transaction->state = WDF_DMA_RELEASED;
    transaction->way->release(transaction, reserved);
    reset(transaction);
    if (transaction->reserved != 0) /* the map registers stay, and so does whose they are */
        transaction->side = side;
    wdf_dma_let_request_go(transaction);
    transaction->request = NULL;
}

/* ---- life ---- */

static void dispose(wdf_object_t *object)
{
    wdf_dma_transaction_t *transaction = (wdf_dma_transaction_t *)object;
    wdf_dma_require("WdfObjectDelete", transaction, ~WDF_DMA_IN(WDF_DMA_TRANSFER),
                    "A DMA transaction was deleted while a transfer is under way.");
    if (transaction->way != NULL)
        wdf_dma_release(transaction, true);
    transaction->state = WDF_DMA_DELETED;
}

static void destroy(wdf_object_t *object)
{
    wdf_dma_transaction_t *transaction = (wdf_dma_transaction_t *)object;
    if (transaction->buffer != NULL)
        ExFreePool(transaction->buffer);
}

const wdf_type_t wdf_dma_transaction_type = { .name = "WDFDMATRANSACTION",
                                              .number = WDF_NUMBER_DMA_TRANSACTION,
                                              .bytes = sizeof(wdf_dma_transaction_t),
                                              .dispose = dispose,
                                              .destroy = destroy };

/* Lists are built in memory that comes with the transaction, so that a transfer needs none. */
static NTSTATUS list_buffer_make(wdf_dma_transaction_t *transaction)
{
    const wdf_dma_enabler_t *enabler = transaction->enabler;
    if (!enabler->lists || (enabler->config.Flags & WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION) != 0)
        return STATUS_SUCCESS;
    ULONG registers = enabler->sides[0].registers > enabler->sides[1].registers ? enabler->sides[0].registers : enabler->sides[1].registers;
    transaction->buffer_bytes = (ULONG)hal_list_bytes(registers);
    transaction->buffer = ExAllocatePool2(POOL_FLAG_NON_PAGED, transaction->buffer_bytes, enabler->object.tag);
    return transaction->buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS WdfDmaTransactionCreate(WDFDMAENABLER DmaEnabler, PWDF_OBJECT_ATTRIBUTES Attributes, WDFDMATRANSACTION *DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_enabler_t     *enabler = WDF_FROM(DmaEnabler, &wdf_dma_enabler_type);
    wdf_dma_transaction_t *transaction = NULL;
    WDF_REQUIRE(DmaTransaction);
    *DmaTransaction = NULL;
    NTSTATUS status = wdf_attributes_check(Attributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &wdf_dma_transaction_type,
                                              .attributes = Attributes,
                                              .parent = &enabler->object,
                                              .extra = wdf_dma_is_v3(enabler) ? DMA_TRANSFER_CONTEXT_SIZE_V1 : 0 },
                                &transaction);
    if (!NT_SUCCESS(status))
        return status;
    transaction->enabler = enabler;
    transaction->way = enabler->lists ? &wdf_dma_lists : &wdf_dma_packet;
    transaction->state = WDF_DMA_CREATED;
    reset(transaction);
    status = list_buffer_make(transaction);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(transaction, Attributes);
    if (NT_SUCCESS(status))
        *DmaTransaction = wdf_dma_handle(transaction);
    else
        wdf_object_abandon(transaction);
    return status;
}

/* ---- one transfer or none ---- */

static NTSTATUS list_buffer_grow(wdf_dma_transaction_t *transaction, ULONG bytes)
{
    if (transaction->buffer == NULL || bytes <= transaction->buffer_bytes)
        return STATUS_SUCCESS;
    PVOID buffer = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, transaction->enabler->object.tag);
    if (buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ExFreePool(transaction->buffer);
    transaction->buffer = buffer;
    transaction->buffer_bytes = bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS transfer_info(const wdf_dma_transaction_t *transaction, DMA_TRANSFER_INFO_V1 *info)
{
    DMA_TRANSFER_INFO full = { .Version = DMA_TRANSFER_INFO_VERSION1 };
    NTSTATUS          status = wdf_dma_operations(transaction)
                          ->GetDmaTransferInfo(transaction->side->adapter, transaction->mdl, transaction->offset,
                                               (ULONG)transaction->length, wdf_dma_to_device(transaction), &full);
    *info = full.V1;
    return status;
}

static NTSTATUS prepare_single(wdf_dma_transaction_t *transaction)
{
    const wdf_dma_enabler_t *enabler = transaction->enabler;
    DMA_TRANSFER_INFO_V1     info;
    transaction->most = transaction->most > enabler->config.MaximumLength ? transaction->most : enabler->config.MaximumLength;
    if (transaction->length > transaction->most)
        return STATUS_WDF_TOO_MANY_TRANSFERS;
    NTSTATUS status = transfer_info(transaction, &info);
    if (!NT_SUCCESS(status))
        return status;
    if (info.MapRegisterCount > (transaction->reserved != 0 ? transaction->reserved : transaction->side->registers))
        return STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS;
    if (info.ScatterGatherElementCount > enabler->most_elements ||
        (!enabler->lists && enabler->master && info.ScatterGatherElementCount > 1))
        return STATUS_WDF_TOO_FRAGMENTED;
    return list_buffer_grow(transaction, info.ScatterGatherListSize);
}

/* ---- what is to be moved ---- */

void wdf_dma_context_init(wdf_dma_transaction_t *transaction)
{
    if (wdf_dma_is_v3(transaction->enabler))
        (void)wdf_dma_operations(transaction)
            ->InitializeDmaTransferContext(transaction->side->adapter, wdf_dma_transfer_context(transaction));
}

NTSTATUS wdf_dma_initialize(const char *routine, wdf_dma_transaction_t *transaction, PFN_WDF_PROGRAM_DMA program,
                            WDF_DMA_DIRECTION direction, PMDL mdl, size_t offset, size_t length)
{
    wdf_dma_require(routine, transaction, WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_RESERVED) | WDF_DMA_IN(WDF_DMA_RELEASED),
                    "A DMA transaction was initialized that is initialized already, or was not released after its last use.");
    const wdf_dma_side_t *side = wdf_dma_side(transaction->enabler, direction);
    if (side->adapter == NULL)
        return ke_error(STATUS_INVALID_DEVICE_REQUEST, "%s: the enabler's system profile is not configured for this direction", routine);
    transaction->side = side;
    transaction->most = side->fragment;
    transaction->direction = direction;
    transaction->mdl = mdl;
    transaction->offset = offset;
    transaction->length = transaction->remaining = length;
    transaction->program = program;
    wdf_dma_context_init(transaction);
    NTSTATUS status = transaction->single ? prepare_single(transaction) : STATUS_SUCCESS;
    if (NT_SUCCESS(status))
        status = transaction->way->prepare(transaction);
    if (NT_SUCCESS(status))
        transaction->state = WDF_DMA_INITIALIZED;
    else
        wdf_dma_release(transaction, false);
    return status;
}

/* Only packets of version 2 must lie in one MDL. */
static bool takes_chains(const wdf_dma_enabler_t *enabler) { return wdf_dma_is_v3(enabler) || enabler->lists; }

NTSTATUS wdf_dma_check_buffer(const wdf_dma_transaction_t *transaction, WDF_DMA_DIRECTION direction, PMDL mdl, uint64_t offset,
                              size_t length)
{
    if (length == 0 || length > MAXULONG || !wdf_dma_is_direction(direction) || offset >= mdl->ByteCount)
        return STATUS_INVALID_PARAMETER;
    if (!takes_chains(transaction->enabler) && length > mdl->ByteCount - offset)
        return STATUS_INVALID_PARAMETER;
    return hal_chain_has(mdl, offset, length) ? STATUS_SUCCESS : STATUS_BUFFER_TOO_SMALL;
}

NTSTATUS WdfDmaTransactionInitialize(WDFDMATRANSACTION DmaTransaction, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                     WDF_DMA_DIRECTION DmaDirection, PMDL Mdl, PVOID VirtualAddress, size_t Length)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    WDF_REQUIRE(EvtProgramDmaFunction);
    WDF_REQUIRE(Mdl);
    uint64_t offset = hal_offset_of(Mdl, VirtualAddress);
    NTSTATUS status = wdf_dma_check_buffer(transaction, DmaDirection, Mdl, offset, Length);
    return NT_SUCCESS(status) ? wdf_dma_initialize(__func__, transaction, EvtProgramDmaFunction, DmaDirection, Mdl, (size_t)offset, Length)
                              : status;
}

NTSTATUS WdfDmaTransactionInitializeUsingOffset(WDFDMATRANSACTION DmaTransaction, PFN_WDF_PROGRAM_DMA EvtProgramDmaFunction,
                                                WDF_DMA_DIRECTION DmaDirection, PMDL Mdl, size_t Offset, size_t Length)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    WDF_REQUIRE(EvtProgramDmaFunction);
    WDF_REQUIRE(Mdl);
    NTSTATUS status = wdf_dma_check_buffer(transaction, DmaDirection, Mdl, Offset, Length);
    return NT_SUCCESS(status) ? wdf_dma_initialize(__func__, transaction, EvtProgramDmaFunction, DmaDirection, Mdl, Offset, Length)
                              : status;
}

/* ---- settings ---- */

VOID WdfDmaTransactionSetMaximumLength(WDFDMATRANSACTION DmaTransaction, size_t MaximumLength)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (transaction->side == NULL || MaximumLength == 0)
        (void)ke_error(0, "%s: the transaction is not initialized, or the length is 0: nothing is changed", __func__);
    else if (MaximumLength < transaction->side->fragment)
        transaction->most = MaximumLength;
}

static bool needs_v3(const char *routine, const wdf_dma_transaction_t *transaction)
{
    return wdf_dma_is_v3(transaction->enabler) || ke_error(false, "%s: the enabler has DMA routines of version 2: no effect", routine);
}

VOID WdfDmaTransactionSetSingleTransferRequirement(WDFDMATRANSACTION DmaTransaction, BOOLEAN RequireSingleTransfer)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    unsigned               before = WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_RELEASED) | WDF_DMA_IN(WDF_DMA_RESERVED);
    if (!needs_v3(__func__, transaction))
        return;
    if ((WDF_DMA_IN(transaction->state) & before) == 0)
        (void)ke_error(0, "%s: the transaction is initialized already: no effect", __func__);
    else
        transaction->single = RequireSingleTransfer != FALSE;
}

VOID WdfDmaTransactionSetImmediateExecution(WDFDMATRANSACTION DmaTransaction, BOOLEAN UseImmediateExecution)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (needs_v3(__func__, transaction))
        transaction->flags = UseImmediateExecution ? DMA_SYNCHRONOUS_CALLBACK : 0;
}

static bool needs_system(const char *routine, const wdf_dma_transaction_t *transaction)
{
    return !transaction->enabler->master || ke_error(false, "%s: the enabler has no system profile: no effect", routine);
}

VOID WdfDmaTransactionSetChannelConfigurationCallback(WDFDMATRANSACTION                             DmaTransaction,
                                                      PFN_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL ConfigureRoutine,
                                                      PVOID                                         ConfigureContext)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (!needs_system(__func__, transaction))
        return;
    transaction->configure = ConfigureRoutine;
    transaction->configure_context = ConfigureContext;
}

VOID WdfDmaTransactionSetTransferCompleteCallback(WDFDMATRANSACTION                             DmaTransaction,
                                                  PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE DmaCompletionRoutine,
                                                  PVOID                                         DmaCompletionContext)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (!needs_system(__func__, transaction))
        return;
    transaction->complete = DmaCompletionRoutine;
    transaction->complete_context = DmaCompletionContext;
}

VOID WdfDmaTransactionSetDeviceAddressOffset(WDFDMATRANSACTION DmaTransaction, ULONG Offset)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (needs_system(__func__, transaction))
        transaction->device_offset = Offset;
}

/* ---- what it is ---- */

size_t WdfDmaTransactionGetBytesTransferred(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    return transaction->transferred;
}

size_t WdfDmaTransactionGetCurrentDmaTransferLength(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    return transaction->current;
}

WDFREQUEST WdfDmaTransactionGetRequest(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    return (WDFREQUEST)(void *)transaction->request;
}

WDFDEVICE WdfDmaTransactionGetDevice(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    return wdf_device_handle(transaction->enabler->device);
}

/* Version 2 does not know: each page is an element. */
static DMA_TRANSFER_INFO_V1 estimate(const wdf_dma_transaction_t *transaction)
{
    ULONG pages = hal_chain_pages(transaction->mdl, transaction->offset, transaction->length);
    return (DMA_TRANSFER_INFO_V1){ .MapRegisterCount = pages, .ScatterGatherElementCount = pages };
}

VOID WdfDmaTransactionGetTransferInfo(WDFDMATRANSACTION DmaTransaction, ULONG *MapRegisterCount, ULONG *ScatterGatherElementCount)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    wdf_dma_require(__func__, transaction, WDF_DMA_IN(WDF_DMA_INITIALIZED),
                    "This is known of a DMA transaction that is initialized and not executed.");
    DMA_TRANSFER_INFO_V1 info = estimate(transaction);
    if (wdf_dma_is_v3(transaction->enabler))
        (void)transfer_info(transaction, &info);
    if (MapRegisterCount != NULL)
        *MapRegisterCount = info.MapRegisterCount;
    if (ScatterGatherElementCount != NULL)
        *ScatterGatherElementCount = info.ScatterGatherElementCount;
}

PVOID WdfDmaTransactionWdmGetTransferContext(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    unsigned               none = WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_RELEASED) | WDF_DMA_IN(WDF_DMA_DELETED);
    if (!needs_v3(__func__, transaction) || (WDF_DMA_IN(transaction->state) & none) != 0)
        return NULL;
    return wdf_dma_transfer_context(transaction);
}
