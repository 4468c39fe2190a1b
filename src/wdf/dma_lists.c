/*
 * dma_lists.c - transfers of devices that take scatter/gather lists: map registers, mapping and list in one call of the adapter's.
 *
 *     stage: how much fits  -->  GetScatterGatherList or, with the transaction's own memory, BuildScatterGatherList
 *                                 `- now, or when map registers are free: EvtProgramDma with the list
 *     flush, release: PutScatterGatherList
 *
 * A transfer ends at the end of an MDL when the next ones would take more map registers than the adapter has.
 *
 * Source      WDK reference: PGET_SCATTER_GATHER_LIST(_EX), PBUILD_SCATTER_GATHER_LIST(_EX); where transfers end: the published KMDF 1.33.
 * Fidelity    elements are counted as map registers, a page each, when a transaction is initialized, although neighbours become one; as in the
 *             published framework.
 */
#include "wdf/dma_transaction.h"

/* Map registers of what the cursor's MDL has of `length`. */
static ULONG registers_in_mdl(const hal_cursor_t *cursor, uint32_t within)
{
    return (ULONG)(((hal_on_pages(cursor) & (PAGE_SIZE - 1)) + within + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* Bytes from the cursor on, in whole MDLs but for the last, that `registers` can map. */
static size_t bytes_that_fit(hal_cursor_t cursor, size_t length, ULONG registers)
{
    size_t done = 0;
    for (ULONG used = 0; done < length;) {
        uint32_t within = hal_within(&cursor, length - done);
        used += registers_in_mdl(&cursor, within);
        if (within == 0 || used > registers)
            break;
        done += within;
        hal_advance(&cursor, within);
    }
    return done;
}

static NTSTATUS check_elements(const wdf_dma_transaction_t *transaction, const hal_cursor_t *cursor, size_t length)
{
    return hal_chain_pages(cursor->mdl, cursor->offset, length) <= transaction->enabler->most_elements ? STATUS_SUCCESS
                                                                                                       : STATUS_WDF_TOO_FRAGMENTED;
}

static NTSTATUS prepare(wdf_dma_transaction_t *transaction)
{
    NTSTATUS     status = STATUS_SUCCESS;
    hal_cursor_t cursor = wdf_dma_cursor(transaction);
    for (size_t left = transaction->single ? 0 : transaction->length; left != 0 && NT_SUCCESS(status);) {
        size_t now = wdf_dma_least(left, transaction->most);
        status = check_elements(transaction, &cursor, now);
        left -= now;
        hal_advance(&cursor, (uint32_t)now);
    }
    return status;
}

/* ---- one transfer ---- */

static VOID list_ready(PDEVICE_OBJECT device, PIRP irp, PSCATTER_GATHER_LIST list, PVOID context)
{
    wdf_dma_transaction_t *transaction = context;
    (void)device;
    (void)irp;
    transaction->list = list;
    transaction->under_way = true;
    wdf_dma_program(transaction, list);
}

static NTSTATUS ask_v3(wdf_dma_transaction_t *t, const hal_cursor_t *at)
{
    PDMA_OPERATIONS op = wdf_dma_operations(t);
    PVOID           context = wdf_dma_transfer_context(t);
    if (t->buffer == NULL)
        return op->GetScatterGatherListEx(t->side->adapter, t->enabler->device->wdm, context, at->mdl, at->offset, (ULONG)t->current,
                                          t->flags, list_ready, t, wdf_dma_to_device(t), NULL, NULL, NULL);
    return op->BuildScatterGatherListEx(t->side->adapter, t->enabler->device->wdm, context, at->mdl, at->offset, (ULONG)t->current,
                                        t->flags, list_ready, t, wdf_dma_to_device(t), t->buffer, t->buffer_bytes, NULL, NULL, NULL);
}

static NTSTATUS ask_v2(wdf_dma_transaction_t *t, const hal_cursor_t *at)
{
    PDMA_OPERATIONS op = wdf_dma_operations(t);
    PVOID           va = (char *)MmGetMdlVirtualAddress(at->mdl) + at->offset;
    if (t->buffer == NULL)
        return op->GetScatterGatherList(t->side->adapter, t->enabler->device->wdm, at->mdl, va, (ULONG)t->current, list_ready, t,
                                        wdf_dma_to_device(t));
    return op->BuildScatterGatherList(t->side->adapter, t->enabler->device->wdm, at->mdl, va, (ULONG)t->current, list_ready, t,
                                      wdf_dma_to_device(t), t->buffer, t->buffer_bytes);
}

/* With the transfer under way it may be over, and the transaction gone, when the adapter's routine returns. */
static NTSTATUS stage(wdf_dma_transaction_t *transaction)
{
    KIRQL        irql;
    hal_cursor_t cursor = wdf_dma_cursor(transaction);
    size_t       current = wdf_dma_least(transaction->remaining, transaction->most);
    if (!transaction->single) {
        NTSTATUS status = check_elements(transaction, &cursor, current);
        if (!NT_SUCCESS(status))
            return status;
        current = bytes_that_fit(cursor, current, transaction->side->registers);
    }
    transaction->current = current;
    transaction->remaining -= current;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    NTSTATUS status = wdf_dma_is_v3(transaction->enabler) ? ask_v3(transaction, &cursor) : ask_v2(transaction, &cursor);
    KeLowerIrql(irql);
    if (!NT_SUCCESS(status)) {
        transaction->remaining += current;
        transaction->current = 0;
    }
    return status;
}

static void put(wdf_dma_transaction_t *transaction)
{
    KIRQL                irql;
    PSCATTER_GATHER_LIST list = transaction->list;
    transaction->list = NULL;
    if (list == NULL)
        return;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    wdf_dma_operations(transaction)->PutScatterGatherList(transaction->side->adapter, list, wdf_dma_to_device(transaction));
    KeLowerIrql(irql);
}

static NTSTATUS flush(wdf_dma_transaction_t *transaction, size_t done)
{
    (void)done; /* a list is flushed as a whole */
    put(transaction);
    return STATUS_SUCCESS;
}

static void release(wdf_dma_transaction_t *transaction, bool reserved)
{
    (void)reserved; /* nothing ever is */
    put(transaction);
}

const wdf_dma_way_t wdf_dma_lists = { .prepare = prepare, .start = stage, .stage = stage, .flush = flush, .release = release };
