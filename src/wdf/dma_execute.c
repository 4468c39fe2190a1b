/*
 * dma_execute.c - running a DMA transaction: transfer after transfer until all bytes are moved, or something goes wrong.
 *
 *     WdfDmaTransactionExecute
 *      `- way->start ...                 map registers, now or later; mapping; EvtProgramDma        dma_lists.c, dma_packet.c
 *     WdfDmaTransactionDmaCompleted...   the device has made a transfer
 *      |- way->flush                     what it wrote reaches the buffer
 *      |- more to come: way->stage       EvtProgramDma again: FALSE
 *      `- the end                        nothing is held any longer: TRUE
 *
 * Units       bytes.
 * Locks       none: one step at a time, as the device goes.
 * Source      WDK reference: wdfdmatransaction.h, "Completing a DMA Transfer"; the order of things: the published KMDF 1.33.
 * Fidelity    a transfer that is completed before it has begun is 0x10D/8 (choice). Releasing while a transfer runs is 0x10D/8 always; on
 *             Windows, with the framework's verifier.
 */
#include "wdf/dma_transaction.h"

/* ---- the driver's callbacks ---- */

void wdf_dma_program(wdf_dma_transaction_t *transaction, PSCATTER_GATHER_LIST list)
{
    PFN_WDF_PROGRAM_DMA program = transaction->program;
    wdf_call_t          call = wdf_call_begin(transaction->object.driver);
    (void)program(wdf_dma_handle(transaction), wdf_device_handle(transaction->enabler->device), transaction->context,
                  transaction->direction, list);
    WDF_CALL_END(&call, program);
}

bool wdf_dma_tell(wdf_dma_transaction_t *transaction, DMA_COMPLETION_STATUS status)
{
    PFN_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE complete = transaction->complete;
    if (complete == NULL)
        return false;
    wdf_call_t call = wdf_call_begin(transaction->object.driver);
    complete(wdf_dma_handle(transaction), wdf_device_handle(transaction->enabler->device), transaction->complete_context,
             transaction->direction, status);
    WDF_CALL_END(&call, complete);
    return true;
}

/* ---- Execute ---- */

/* A transfer that was started may be over, and the transaction gone, when start returns. */
NTSTATUS WdfDmaTransactionExecute(WDFDMATRANSACTION DmaTransaction, WDFCONTEXT Context)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    wdf_dma_require(__func__, transaction, WDF_DMA_IN(WDF_DMA_INITIALIZED),
                    "A DMA transaction was executed that is not initialized, or a second time after one initialization.");
    wdf_dma_hold_request(transaction);
    transaction->state = WDF_DMA_TRANSFER;
    transaction->context = Context;
    NTSTATUS status = transaction->way->start(transaction);
    if (!NT_SUCCESS(status)) {
        transaction->state = WDF_DMA_FAILED;
        transaction->context = NULL;
        wdf_dma_let_request_go(transaction);
    }
    return status;
}

/* ---- the device is done ---- */

typedef enum completion { ALL, PARTIAL, FINAL } completion_t;

static NTSTATUS end_of_transfer(wdf_dma_transaction_t *transaction, completion_t completion, size_t done)
{
    NTSTATUS status = transaction->way->flush(transaction, done);
    transaction->transferred += done;
    transaction->remaining += transaction->current - done;
    transaction->current = done;
    transaction->under_way = false;
    if (!NT_SUCCESS(status))
        return status;
    if (transaction->cancelled && completion != FINAL)
        return STATUS_CANCELLED;
    if (transaction->single && transaction->remaining != 0)
        return STATUS_WDF_TOO_MANY_TRANSFERS;
    if (transaction->remaining == 0 || completion == FINAL)
        return STATUS_SUCCESS;
    status = transaction->way->stage(transaction);
    return NT_SUCCESS(status) ? STATUS_MORE_PROCESSING_REQUIRED : status;
}

static void end_of_transaction(wdf_dma_transaction_t *transaction, NTSTATUS status)
{
    transaction->state = NT_SUCCESS(status) ? WDF_DMA_COMPLETED : WDF_DMA_FAILED;
    transaction->way->release(transaction, false);
    wdf_dma_let_request_go(transaction);
    transaction->current = 0;
}

static BOOLEAN complete(const char *routine, WDFDMATRANSACTION handle, completion_t completion, size_t bytes, NTSTATUS *status)
{
    wdf_dma_transaction_t *transaction = (void *)wdf_from_handle(routine, handle, &wdf_dma_transaction_type);
    if (status == NULL)
        wdf_stop_null(routine, KE_CALLER());
    wdf_dma_require(routine, transaction, WDF_DMA_IN(WDF_DMA_TRANSFER),
                    "A transfer was completed of a DMA transaction that is not executed.");
    if (!transaction->under_way)
        wdf_stop(routine, "A transfer was completed that has not begun: the transaction waits for map registers.", WDF_DMA_FATAL_ERROR,
                 (ULONG_PTR)transaction, transaction->state);
    size_t   done = completion == ALL ? transaction->current : bytes;
    bool     fits = done <= transaction->current;
    NTSTATUS result = fits ? end_of_transfer(transaction, completion, done) : STATUS_INVALID_PARAMETER;
    if (result != STATUS_MORE_PROCESSING_REQUIRED)
        end_of_transaction(transaction, result);
    *status = result;
    return result != STATUS_MORE_PROCESSING_REQUIRED && (fits || completion != FINAL);
}

BOOLEAN WdfDmaTransactionDmaCompleted(WDFDMATRANSACTION DmaTransaction, NTSTATUS *Status)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    return complete(__func__, DmaTransaction, ALL, 0, Status);
}

BOOLEAN WdfDmaTransactionDmaCompletedWithLength(WDFDMATRANSACTION DmaTransaction, size_t TransferredLength, NTSTATUS *Status)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    return complete(__func__, DmaTransaction, PARTIAL, TransferredLength, Status);
}

BOOLEAN WdfDmaTransactionDmaCompletedFinal(WDFDMATRANSACTION DmaTransaction, size_t FinalTransferredLength, NTSTATUS *Status)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    return complete(__func__, DmaTransaction, FINAL, FinalTransferredLength, Status);
}

/* ---- Release, Cancel ---- */

NTSTATUS WdfDmaTransactionRelease(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    wdf_dma_require(__func__, transaction, ~WDF_DMA_IN(WDF_DMA_TRANSFER), "A DMA transaction was released while a transfer is under way.");
    if (transaction->state == WDF_DMA_RELEASED || transaction->state == WDF_DMA_DELETED)
        return STATUS_INVALID_DEVICE_STATE;
    wdf_dma_release(transaction, false);
    return STATUS_SUCCESS;
}

BOOLEAN WdfDmaTransactionCancel(WDFDMATRANSACTION DmaTransaction)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_dma_transaction_t *transaction = WDF_FROM(DmaTransaction, &wdf_dma_transaction_type);
    if (!wdf_dma_is_v3(transaction->enabler))
        return (BOOLEAN)ke_error(FALSE, "%s: the enabler has DMA routines of version 2, which cancel nothing", __func__);
    wdf_dma_require(__func__, transaction, ~(WDF_DMA_IN(WDF_DMA_CREATED) | WDF_DMA_IN(WDF_DMA_RELEASED) | WDF_DMA_IN(WDF_DMA_DELETED)),
                    "A DMA transaction was cancelled that is not initialized.");
    bool reservation_waits = transaction->reserved != 0 && transaction->base == NULL;
    if (transaction->state == WDF_DMA_INITIALIZED && !reservation_waits)
        return FALSE; /* it is to be executed first; the adapter would cancel what is yet to come */
    if (!wdf_dma_operations(transaction)
             ->CancelAdapterChannel(transaction->side->adapter, transaction->enabler->device->wdm, wdf_dma_transfer_context(transaction)))
        return FALSE;
    if (transaction->state == WDF_DMA_RESERVED)
        transaction->reserved = 0;
    transaction->state = WDF_DMA_FAILED;
    wdf_dma_let_request_go(transaction);
    return TRUE;
}
