/*
 * test_hal_dma_channel.c - adapter channels and map registers: who gets them, what is mapped where, and when bytes are copied.
 */
#include <errno.h>

#include "../support/dma.h"

/* ---- a driver's routine that writes down what it was told ---- */

typedef struct call {
    IO_ALLOCATION_ACTION action;
    unsigned             calls, number; /* how often; the how-manieth of all */
    PDEVICE_OBJECT       object;
    PIRP                 irp;
    PVOID                base;
    KIRQL                irql;
} call_t;
static unsigned calls_made;

static IO_ALLOCATION_ACTION note_call(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    call_t *call = Context;
    call->calls++;
    call->number = ++calls_made;
    call->object = DeviceObject;
    call->irp = Irp;
    call->base = MapRegisterBase;
    call->irql = KeGetCurrentIrql();
    return call->action;
}

static NTSTATUS ask(dma_t *dma, ULONG count, call_t *call)
{
    KIRQL    irql = dma_raise();
    NTSTATUS status = dma->op->AllocateAdapterChannel(dma->adapter, ntmm_device_object(dma->device), count, note_call, call);
    KeLowerIrql(irql);
    return status;
}

/* The map registers that are free are these: a request for as many is granted at once, one for one more is not. */
static void assert_free(dma_t *dma, ULONG count)
{
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    PVOID    base;
    assert_int_equal(dma->op->InitializeDmaTransferContext(dma->adapter, context), STATUS_SUCCESS);
    if (count < dma->registers)
        assert_int_equal(
            dma->op->AllocateAdapterChannelEx(dma->adapter, NULL, context, count + 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
            STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(dma->op->AllocateAdapterChannelEx(dma->adapter, NULL, context, count, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                     STATUS_SUCCESS);
    dma->op->FreeAdapterObject(dma->adapter, DeallocateObject);
    assert_true(ntmm_check());
}

/* ---- channels ---- */

static void the_routine_runs_at_dispatch_level(void **state)
{
    (void)state;
    dma_t  dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
    call_t call = { .action = DeallocateObject };
    ntmm_device_object(dma.device)->CurrentIrp = (PIRP)&call;
    assert_int_equal(ask(&dma, 3, &call), STATUS_SUCCESS);
    assert_int_equal(call.calls, 1);
    assert_int_equal(call.irql, DISPATCH_LEVEL);
    assert_ptr_equal(call.object, ntmm_device_object(dma.device));
    assert_ptr_equal(call.irp, &call);
    assert_int_equal(ntmm_device_object(dma.device)->Queue.Wcb.NumberOfMapRegisters, 3);
    assert_free(&dma, 8);
    assert_int_equal(ask(&dma, 9, &call), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 1, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(call.calls, 1);
    assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 0, note_call, &call), STATUS_SUCCESS); /* below DISPATCH_LEVEL */
    assert_int_equal(call.irql, DISPATCH_LEVEL);
    assert_irql(PASSIVE_LEVEL);
    dma_stop(&dma);
}

static void what_the_routine_returns_is_kept(void **state)
{
    (void)state;
    dma_t  dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
    call_t keep = { .action = KeepObject }, registers = { .action = DeallocateObjectKeepRegisters };
    assert_int_equal(ask(&dma, 5, &registers), STATUS_SUCCESS);
    assert_free(&dma, 3);
    assert_int_equal(ask(&dma, 2, &keep), STATUS_SUCCESS);
    call_t third = { .action = DeallocateObject };
    assert_int_equal(ask(&dma, 1, &third), STATUS_SUCCESS); /* a register is free, but the channel is not */
    assert_int_equal(third.calls, 0);
    dma.op->FreeAdapterChannel(dma.adapter);
    assert_int_equal(third.calls, 1);
    dma.op->FreeMapRegisters(dma.adapter, registers.base, 5);
    assert_free(&dma, 8);
    dma_stop(&dma);
}

static void first_come_first_served(void **state)
{
    (void)state;
    dma_t  dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
    call_t call[5];
    for (unsigned i = 0; i < 5; i++)
        call[i] = (call_t){ .action = DeallocateObjectKeepRegisters };
    calls_made = 0;
    assert_int_equal(ask(&dma, 6, &call[0]), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 8, &call[1]), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 1, &call[2]), STATUS_SUCCESS); /* would fit, but is later */
    assert_int_equal(ask(&dma, 0, &call[3]), STATUS_SUCCESS); /* wants nothing that is short */
    assert_int_equal(ask(&dma, 2, &call[4]), STATUS_SUCCESS);
    assert_int_equal(call[1].calls + call[2].calls + call[4].calls, 0);
    assert_true(ntmm_check());
    dma.op->FreeMapRegisters(dma.adapter, call[0].base, 6);
    assert_int_equal(call[1].calls, 1);
    assert_int_equal(call[2].calls, 0);
    dma.op->FreeMapRegisters(dma.adapter, call[1].base, 8);
    assert_int_equal(call[2].calls + call[4].calls + call[3].calls, 3);
    assert_true(call[2].number < call[4].number);
    dma.op->FreeMapRegisters(dma.adapter, call[4].base, 2);
    dma.op->FreeMapRegisters(dma.adapter, call[2].base, 1);
    dma.op->FreeMapRegisters(dma.adapter, call[3].base, 0);
    assert_free(&dma, 8);
    dma_stop(&dma);
}

/* Who waits for many map registers is not passed by those who would be content with fewer. */
static void nobody_starves(void **state)
{
    (void)state;
    dma_t  dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
    call_t large = { .action = DeallocateObjectKeepRegisters }, small = large, first = large, second = large, none = large;
    calls_made = 0;
    assert_int_equal(ask(&dma, 4, &first), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 3, &second), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 8, &large), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 2, &small), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 0, &none), STATUS_SUCCESS);
    dma.op->FreeMapRegisters(dma.adapter, second.base, 3); /* four are free: enough for the small one */
    assert_int_equal(large.calls + small.calls, 0);
    assert_int_equal(none.calls, 1); /* which stands in nobody's way */
    dma.op->FreeMapRegisters(dma.adapter, first.base, 4);
    assert_true(large.calls == 1 && small.calls == 0);
    dma.op->FreeMapRegisters(dma.adapter, large.base, 8);
    assert_int_equal(small.calls, 1);
    dma.op->FreeMapRegisters(dma.adapter, small.base, 2);
    dma.op->FreeMapRegisters(dma.adapter, none.base, 0);
    assert_free(&dma, 8);
    dma_stop(&dma);
}

static void now_or_never(void **state)
{
    (void)state;
    dma_t    dma = dma_start(64, 4, true, 16 * PAGE_SIZE);
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8] = { 0 };
    call_t   call = { .action = DeallocateObjectKeepRegisters };
    PVOID    base = NULL;
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 0, note_call, &call, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 0, note_call, &call, &base), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 0, NULL, NULL, &base), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 1, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 2, note_call, &call, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 3, 1, note_call, &call, NULL), STATUS_SUCCESS);
    assert_int_equal(call.calls, 1);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 2, 1, note_call, &call, NULL),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(call.calls, 1);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 1, NULL, NULL, &base), STATUS_SUCCESS);
    assert_non_null(base);
    dma.op->FreeAdapterObject(dma.adapter, KeepObject); /* no effect */
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 0, 1, note_call, &call, NULL),
                     STATUS_INSUFFICIENT_RESOURCES);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObjectKeepRegisters);
    dma.op->FreeMapRegisters(dma.adapter, base, 1);
    dma.op->FreeMapRegisters(dma.adapter, call.base, 3);
    assert_free(&dma, 4);
    dma_stop(&dma);
}

static void a_waiting_request_is_cancelled(void **state)
{
    (void)state;
    dma_t    dma = dma_start(64, 4, true, 16 * PAGE_SIZE);
    uint64_t context[2][DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    call_t   call[3];
    for (unsigned i = 0; i < 3; i++)
        call[i] = (call_t){ .action = DeallocateObjectKeepRegisters };
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context[i]), STATUS_SUCCESS);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context[0], 3, 0, note_call, &call[0], NULL), STATUS_SUCCESS);
    assert_false(dma.op->CancelAdapterChannel(dma.adapter, NULL, context[0])); /* granted */
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context[1], 4, 0, note_call, &call[1], NULL), STATUS_SUCCESS);
    assert_int_equal(ask(&dma, 1, &call[2]), STATUS_SUCCESS);
    assert_int_equal(call[2].calls, 0);
    assert_true(dma.op->CancelAdapterChannel(dma.adapter, NULL, context[1]));
    assert_int_equal(call[1].calls, 0);
    assert_int_equal(call[2].calls, 1); /* nobody stands before it any longer */
    assert_false(dma.op->CancelAdapterChannel(dma.adapter, NULL, context[1]));
    dma.op->FreeMapRegisters(dma.adapter, call[0].base, 3);
    dma.op->FreeMapRegisters(dma.adapter, call[2].base, 1);
    assert_free(&dma, 4);
    dma_stop(&dma);
}

static dma_t               *chain_dma;
static unsigned             chain_depth, chain_deepest;
static IO_ALLOCATION_ACTION free_inside(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    call_t *call = Context;
    (void)DeviceObject;
    (void)Irp;
    chain_deepest = ++chain_depth > chain_deepest ? chain_depth : chain_deepest;
    call->calls++;
    call->base = MapRegisterBase;
    dma_t *dma = chain_dma;
    dma->op->FreeMapRegisters(dma->adapter, MapRegisterBase, 4);
    chain_depth--;
    return DeallocateObjectKeepRegisters;
}

static void routines_that_free_do_not_nest(void **state)
{
    (void)state;
    dma_t  dma = dma_start(64, 4, true, 16 * PAGE_SIZE);
    call_t first = { .action = DeallocateObjectKeepRegisters }, call[20] = { { 0 } };
    chain_dma = &dma;
    chain_deepest = 0;
    assert_int_equal(ask(&dma, 4, &first), STATUS_SUCCESS);
    KIRQL irql = dma_raise();
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 4, free_inside, &call[i]), STATUS_SUCCESS);
    dma.op->FreeMapRegisters(dma.adapter, first.base, 4);
    KeLowerIrql(irql);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(call[i].calls, 1);
    assert_int_equal(chain_deepest, 1);
    assert_free(&dma, 4);
    dma_stop(&dma);
}

static void what_is_freed_twice_stops_the_machine(void **state)
{
    (void)state;
    for (unsigned misuse = 0; misuse < 5; misuse++) {
        dma_t  dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
        call_t call = { .action = misuse == 0 ? KeepObject : DeallocateObjectKeepRegisters };
        char   byte;
        PMDL   mdl = dma_mdl(&call, 8);
        ULONG  length = 8;
        assert_int_equal(ask(&dma, 4, &call), STATUS_SUCCESS);
        if (misuse == 0) {
            dma.op->FreeAdapterChannel(dma.adapter);
            assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x04, 1, 0, 0, dma.op->FreeAdapterChannel(dma.adapter));
        } else if (misuse == 1) {
            dma.op->FreeMapRegisters(dma.adapter, call.base, 4);
            assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x05, 4, 0, 0, dma.op->FreeMapRegisters(dma.adapter, call.base, 4));
        } else if (misuse == 2) {
            assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x05, 2, 0, 0, dma.op->FreeMapRegisters(dma.adapter, call.base, 6));
        } else if (misuse == 3) {
            assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x20, &byte, &call, mdl,
                                dma.op->MapTransfer(dma.adapter, mdl, &byte, &call, &length, TRUE));
        } else {
            KIRQL irql;
            KeRaiseIrql(DISPATCH_LEVEL + 1, &irql);
            assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, dma.op->FreeMapRegisters(dma.adapter, call.base, 4));
        }
        ntmm_cmocka_reboot();
    }
}

static void registers_that_are_kept_are_leaked(void **state)
{
    (void)state;
    static ntmm_report report;
    dma_t              dma = dma_start(64, 8, true, 16 * PAGE_SIZE);
    call_t             call = { .action = DeallocateObjectKeepRegisters };
    assert_int_equal(ask(&dma, 3, &call), STATUS_SUCCESS);
    dma.op->PutDmaAdapter(dma.adapter);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("HalM"));
    assert_int_equal(report.leaks[0].bytes, 3 * PAGE_SIZE);
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
}

/* ---- mapping ---- */

typedef struct packet {
    call_t call;
    char  *buffer;
    PMDL   mdl;
    ULONG  bytes, registers;
} packet_t;

static packet_t packet_start(dma_t *dma, char *buffer, ULONG bytes)
{
    packet_t packet = { .call = { .action = DeallocateObjectKeepRegisters }, .buffer = buffer, .bytes = bytes };
    packet.mdl = dma_mdl(buffer, bytes);
    packet.registers = (ULONG)ADDRESS_AND_SIZE_TO_SPAN_PAGES(buffer, bytes);
    assert_int_equal(ask(dma, packet.registers, &packet.call), STATUS_SUCCESS);
    return packet;
}

static void packet_end(dma_t *dma, packet_t *packet)
{
    dma->op->FreeMapRegisters(dma->adapter, packet->call.base, packet->registers);
    dma_mdl_free(packet->mdl);
}

static void memory_in_reach_is_mapped_as_it_is(void **state)
{
    (void)state;
    dma_t            dma = dma_start(64, 0, true, 16 * PAGE_SIZE);
    char            *block = dma_high_memory(4 * PAGE_SIZE, 0);
    packet_t         packet = packet_start(&dma, block + 100, 2 * PAGE_SIZE);
    ULONG            length = 2 * PAGE_SIZE;
    PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, packet.mdl, packet.call.base, block + 100, &length, FALSE);
    assert_int_equal(length, 2 * PAGE_SIZE); /* the pages are in a row */
    assert_int_equal(logical.QuadPart, MmGetPhysicalAddress(block + 100).QuadPart);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart, "direct", 6), 0);
    assert_memory_equal(block + 100, "direct", 6); /* before any flush */
    assert_true(dma.op->FlushAdapterBuffers(dma.adapter, packet.mdl, packet.call.base, block + 100, length, FALSE));
    packet_end(&dma, &packet);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void pieces_are_mapped_one_by_one(void **state)
{
    (void)state;
    dma_t            dma = dma_start(64, 0, true, 16 * PAGE_SIZE);
    char            *block = dma_high_memory(8 * PAGE_SIZE, 0);
    PMDL             mdl = dma_mdl(block, 4 * PAGE_SIZE);
    static const int order[4] = { 5, 0, 1, 7 }; /* pages in no order but two */
    PFN_NUMBER       first = (PFN_NUMBER)(MmGetPhysicalAddress(block).QuadPart >> PAGE_SHIFT);
    call_t           call = { .action = DeallocateObjectKeepRegisters };
    for (unsigned i = 0; i < 4; i++)
        MmGetMdlPfnArray(mdl)[i] = first + (PFN_NUMBER)order[i];
    assert_int_equal(ask(&dma, 4, &call), STATUS_SUCCESS);
    static const struct {
        int   page;
        ULONG pages;
    } pieces[] = { { 5, 1 }, { 0, 2 }, { 7, 1 } };
    char *va = block;
    for (unsigned i = 0; i < 3; i++) {
        ULONG            length = 4 * PAGE_SIZE - (ULONG)(va - block);
        PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, mdl, call.base, va, &length, TRUE);
        assert_int_equal(length, pieces[i].pages * PAGE_SIZE);
        assert_int_equal(logical.QuadPart, (first + (PFN_NUMBER)pieces[i].page) << PAGE_SHIFT);
        va += length;
    }
    ULONG length = PAGE_SIZE;
    dma.op->MapTransfer(dma.adapter, mdl, call.base, va, &length, TRUE); /* beyond the MDL */
    assert_int_equal(length, 0);
    length = PAGE_SIZE;
    dma.op->MapTransfer(dma.adapter, mdl, call.base, block, &length, TRUE); /* no register is left */
    assert_int_equal(length, 0);
    assert_true(dma.op->FlushAdapterBuffers(dma.adapter, mdl, call.base, block, 4 * PAGE_SIZE, TRUE));
    length = PAGE_SIZE;
    dma.op->MapTransfer(dma.adapter, mdl, call.base, block, &length, TRUE); /* flushed: they serve again */
    assert_int_equal(length, PAGE_SIZE);
    assert_false(dma.op->FlushAdapterBuffers(dma.adapter, mdl, call.base, block, 5 * PAGE_SIZE, TRUE));
    dma.op->FreeMapRegisters(dma.adapter, call.base, 4);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

/* What a device with 24 address bits is sent goes through bounce pages, whether it takes lists or not. */
static void bytes_out_of_reach_are_copied(void **state)
{
    (void)state;
    for (unsigned scatter_gather = 0; scatter_gather < 2; scatter_gather++) {
        dma_t    dma = dma_start(24, 0, scatter_gather != 0, 16 * PAGE_SIZE);
        char    *block = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_ISA), got[600];
        packet_t packet = packet_start(&dma, block + PAGE_SIZE - 300, 600);
        ULONG    length = 600;
        dma_fill(packet.buffer, 600, 17);
        PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, packet.mdl, packet.call.base, packet.buffer, &length, TRUE);
        assert_int_equal(length, 600);
        assert_true(logical.QuadPart < 0x1000000);
        assert_int_equal(logical.QuadPart & (PAGE_SIZE - 1), PAGE_SIZE - 300); /* the offset on the page is kept */
        dma_fill(packet.buffer, 600, 99);                                      /* too late for the device */
        assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, got, 600), 0);
        assert_true(dma_is_filled(got, 600, 17));
        assert_true(dma.op->FlushAdapterBuffers(dma.adapter, packet.mdl, packet.call.base, packet.buffer, 600, TRUE));
        assert_true(dma_is_filled(packet.buffer, 600, 99)); /* nothing comes back */
        packet_end(&dma, &packet);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

static void what_is_not_flushed_is_stale(void **state)
{
    (void)state;
    for (unsigned scatter_gather = 0; scatter_gather < 2; scatter_gather++) {
        dma_t    dma = dma_start(24, 0, scatter_gather != 0, 16 * PAGE_SIZE);
        char    *block = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_ISA), sent[2 * PAGE_SIZE];
        packet_t packet = packet_start(&dma, block + 10, 2 * PAGE_SIZE);
        for (unsigned round = 0; round < 3; round++) {
            ULONG length = packet.bytes;
            dma_fill(block, 4 * PAGE_SIZE, 1);
            dma_fill(sent, sizeof sent, 50);
            PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, packet.mdl, packet.call.base, packet.buffer, &length, FALSE);
            assert_int_equal(length, packet.bytes);
            assert_int_equal(ntmm_device_write(dma.device, (uint64_t)logical.QuadPart, sent, sizeof sent), 0);
            assert_true(dma_is_filled(block, 4 * PAGE_SIZE, 1)); /* stale */
            if (round == 0) {                                    /* the wrong direction flushes nothing */
                assert_true(dma.op->FlushAdapterBuffers(dma.adapter, packet.mdl, packet.call.base, packet.buffer, length, TRUE));
                assert_true(dma_is_filled(block, 4 * PAGE_SIZE, 1));
            } else {
                assert_true(dma.op->FlushAdapterBuffers(dma.adapter, packet.mdl, packet.call.base, packet.buffer, length, FALSE));
                assert_true(dma_is_filled(packet.buffer, packet.bytes, 50));
                assert_true(dma_is_filled(block, 10, 1));
            }
        }
        packet_end(&dma, &packet);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

/* A device that takes one piece gets one, whatever the pages. */
static void scattered_pages_are_one_piece(void **state)
{
    (void)state;
    dma_t      dma = dma_start(64, 0, false, 16 * PAGE_SIZE);
    char      *block = dma_high_memory(8 * PAGE_SIZE, 0), got[3 * PAGE_SIZE];
    PMDL       mdl = dma_mdl(block, 4 * PAGE_SIZE);
    PFN_NUMBER first = (PFN_NUMBER)(MmGetPhysicalAddress(block).QuadPart >> PAGE_SHIFT);
    call_t     call = { .action = DeallocateObjectKeepRegisters };
    for (unsigned i = 0; i < 4; i++)
        MmGetMdlPfnArray(mdl)[i] = first + 6 - 2 * i;
    dma_fill(block, 8 * PAGE_SIZE, 8);
    assert_int_equal(ask(&dma, 4, &call), STATUS_SUCCESS);
    ULONG            length = 3 * PAGE_SIZE;
    PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, mdl, call.base, block + 20, &length, TRUE);
    assert_int_equal(length, 3 * PAGE_SIZE);
    assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, got, length), 0);
    for (ULONG i = 0; i < length; i++)
        assert_int_equal(got[i], block[(6 - 2 * ((i + 20) / PAGE_SIZE)) * PAGE_SIZE + (i + 20) % PAGE_SIZE]);
    assert_true(dma.op->FlushAdapterBuffers(dma.adapter, mdl, call.base, block + 20, length, TRUE));
    dma.op->FreeMapRegisters(dma.adapter, call.base, 4);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

/* A transfer of 12 pages with 5 registers is three operations (WDK, "Splitting DMA Transfer Requests"). */
static void a_long_transfer_is_split(void **state)
{
    (void)state;
    dma_t  dma = dma_start(24, 5, false, 12 * PAGE_SIZE);
    char  *block = dma_high_memory(12 * PAGE_SIZE, DMA_ABOVE_ISA), got[5 * PAGE_SIZE];
    PMDL   mdl = dma_mdl(block, 12 * PAGE_SIZE);
    call_t call = { .action = DeallocateObjectKeepRegisters };
    assert_int_equal(dma.registers, 5);
    dma_fill(block, 12 * PAGE_SIZE, 33);
    assert_int_equal(ask(&dma, 5, &call), STATUS_SUCCESS);
    unsigned operations = 0;
    for (ULONG done = 0; done < 12 * PAGE_SIZE; operations++) {
        ULONG            left = 12 * PAGE_SIZE - done, length = left < 5 * PAGE_SIZE ? left : 5 * PAGE_SIZE;
        PHYSICAL_ADDRESS logical = dma.op->MapTransfer(dma.adapter, mdl, call.base, block + done, &length, TRUE);
        assert_true(length != 0);
        assert_int_equal(ntmm_device_read(dma.device, (uint64_t)logical.QuadPart, got, length), 0);
        assert_memory_equal(got, block + done, length);
        assert_true(dma.op->FlushAdapterBuffers(dma.adapter, mdl, call.base, block + done, length, TRUE));
        done += length;
    }
    assert_int_equal(operations, 3);
    dma.op->FreeMapRegisters(dma.adapter, call.base, 5);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void map_transfer_ex_maps_a_chain(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) { /* in reach; bounced; bounced in one piece */
        dma_t                dma = dma_start(kind == 0 ? 64 : 24, 0, kind < 2, 16 * PAGE_SIZE);
        char                *block = dma_high_memory(6 * PAGE_SIZE, kind == 0 ? 0 : DMA_ABOVE_ISA), got[PAGE_SIZE], *to;
        PMDL                 head = dma_mdl(block + 100, 500), tail = dma_mdl(block + 3 * PAGE_SIZE - 200, 900);
        uint64_t             context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8], room[64];
        PVOID                base;
        PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)room;
        head->Next = tail;
        dma_fill(block, 6 * PAGE_SIZE, 71);
        assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
        assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 3, 1, NULL, NULL, &base), STATUS_SUCCESS);
        ULONG length = 1000;
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, head, base, 300, 0, &length, TRUE, list, sizeof room, NULL, NULL),
                         STATUS_SUCCESS);
        assert_int_equal(length, 1000);
        assert_int_equal(list->NumberOfElements, kind == 2 ? 1 : kind == 0 ? 2 : 2);
        to = got;
        for (ULONG i = 0; i < list->NumberOfElements; i++) {
            assert_int_equal(ntmm_device_read(dma.device, (uint64_t)list->Elements[i].Address.QuadPart, to, list->Elements[i].Length), 0);
            to += list->Elements[i].Length;
        }
        assert_int_equal(to - got, 1000);
        assert_memory_equal(got, block + 400, 200);
        assert_memory_equal(got + 200, block + 3 * PAGE_SIZE - 200, 800);
        assert_int_equal(dma.op->FlushAdapterBuffersEx(dma.adapter, head, base, 300, length, TRUE), STATUS_SUCCESS);
        assert_int_equal(dma.op->FlushAdapterBuffersEx(dma.adapter, head, base, 300, 2000, TRUE), STATUS_INVALID_PARAMETER);

        /* from the device, in a list with room for one element */
        length = 1000;
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, head, base, 300, 0, &length, FALSE, list, 16 + 24, NULL, NULL), STATUS_SUCCESS);
        assert_int_equal(list->NumberOfElements, 1);
        assert_int_equal(length, kind == 2 ? 1000 : 200);
        dma_fill(got, length, 5);
        assert_int_equal(ntmm_device_write(dma.device, (uint64_t)list->Elements[0].Address.QuadPart, got, length), 0);
        assert_int_equal(dma.op->FlushAdapterBuffersEx(dma.adapter, head, base, 300, length, FALSE), STATUS_SUCCESS);
        assert_memory_equal(got, block + 400, 200);
        if (kind == 2)
            assert_memory_equal(got + 200, block + 3 * PAGE_SIZE - 200, 800);
        length = 10;
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, head, base, 0, 0, &length, TRUE, list, 16, NULL, NULL),
                         STATUS_INVALID_PARAMETER);
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, head, base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL),
                         STATUS_INVALID_PARAMETER);
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, head, base, 1395, 0, &length, TRUE, list, 100, NULL, NULL),
                         STATUS_INVALID_PARAMETER);
        dma.op->FreeAdapterObject(dma.adapter, DeallocateObject);
        dma_mdl_free(head);
        dma_mdl_free(tail);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

/* ---- the system's DMA controller ---- */

static unsigned              completions;
static DMA_COMPLETION_STATUS completion_status;
static VOID completed(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext, DMA_COMPLETION_STATUS Status)
{
    (void)DmaAdapter;
    (void)DeviceObject;
    assert_ptr_equal(CompletionContext, &completions);
    assert_irql(DISPATCH_LEVEL);
    completions++;
    completion_status = Status;
}

static void a_subordinate_device_is_served_by_the_controller(void **state)
{
    (void)state;
    ntmm_device       *device = ntmm_device_create(&(ntmm_device_config){ .address_bits = 32 });
    DEVICE_DESCRIPTION description = { .Version = 3, .DmaChannel = 2, .MaximumLength = 0x40000 };
    ULONG              registers, length = 3000;
    PDMA_ADAPTER       adapter = IoGetDmaAdapter(ntmm_device_object(device), &description, &registers);
    PDMA_OPERATIONS    op = adapter->DmaOperations;
    char              *block = dma_high_memory(PAGE_SIZE, DMA_ABOVE_ISA), got[3000];
    PMDL               mdl = dma_mdl(block, 3000);
    call_t             call = { .action = KeepObject };
    assert_int_equal(registers, BYTES_TO_PAGES(0x10000) + 1);
    dma_fill(block, 3000, 4);
    assert_int_equal(op->AllocateAdapterChannel(adapter, NULL, 1, note_call, &call), STATUS_SUCCESS);
    PHYSICAL_ADDRESS logical = op->MapTransfer(adapter, mdl, call.base, block, &length, TRUE);
    assert_int_equal(length, 3000);
    assert_int_equal(op->ReadDmaCounter(adapter), 3000);
    assert_int_equal(ntmm_device_read(device, (uint64_t)logical.QuadPart, got, 1000), 0);
    assert_int_equal(op->ReadDmaCounter(adapter), 2000);
    assert_int_equal(ntmm_device_read(device, (uint64_t)logical.QuadPart + 1000, got, 2001), -EFAULT); /* beyond what it was told */
    assert_int_equal(ntmm_device_write(device, (uint64_t)logical.QuadPart, got, 10), -EFAULT);         /* not that way */
    assert_int_equal(ntmm_device_read(device, (uint64_t)logical.QuadPart + 1000, got + 1000, 2000), 0);
    assert_int_equal(IoReadDmaCounter(adapter), 0);
    assert_true(IoFlushAdapterBuffers(adapter, mdl, call.base, block, 3000, TRUE));
    assert_true(dma_is_filled(got, 1000, 4));
    IoFreeAdapterChannel(adapter);

    /* version 3: completion, and cancelling */
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    PVOID    base;
    assert_int_equal(op->InitializeDmaTransferContext(adapter, context), STATUS_SUCCESS);
    assert_int_equal(op->AllocateAdapterChannelEx(adapter, NULL, context, 1, 1, NULL, NULL, &base), STATUS_SUCCESS);
    uint64_t             room[8];
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)room;
    completions = 0;
    assert_int_equal(op->MapTransferEx(adapter, mdl, base, 0, 0, &length, FALSE, list, sizeof room, completed, &completions),
                     STATUS_SUCCESS);
    assert_int_equal(list->NumberOfElements, 1);
    dma_fill(got, 3000, 88);
    assert_int_equal(ntmm_device_write(device, (uint64_t)list->Elements[0].Address.QuadPart, got, 3000), 0);
    assert_int_equal(completions, 1);
    assert_int_equal(completion_status, DmaComplete);
    assert_int_equal(op->FlushAdapterBuffersEx(adapter, mdl, base, 0, 3000, FALSE), STATUS_SUCCESS);
    assert_true(dma_is_filled(block, 3000, 88));
    assert_int_equal(op->MapTransferEx(adapter, mdl, base, 0, 0, &length, FALSE, NULL, 0, completed, &completions), STATUS_SUCCESS);
    assert_int_equal(op->CancelMappedTransfer(adapter, context), STATUS_SUCCESS);
    assert_int_equal(completions, 2);
    assert_int_equal(completion_status, DmaCancelled);
    assert_int_equal(op->FlushAdapterBuffersEx(adapter, mdl, base, 0, 3000, FALSE), STATUS_SUCCESS);
    assert_int_equal(op->MapTransferEx(adapter, mdl, base, 0, 0, &length, FALSE, NULL, 0, completed, &completions), STATUS_CANCELLED);
    assert_int_equal(op->CancelMappedTransfer(adapter, &base), STATUS_INVALID_PARAMETER);
    assert_int_equal(op->ConfigureAdapterChannel(adapter, 0, NULL), STATUS_NOT_IMPLEMENTED);
    op->FreeAdapterObject(adapter, DeallocateObject);
    op->PutDmaAdapter(adapter);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    ntmm_device_destroy(device);
}

/* ---- as drivers of Windows NT wrote it ---- */

static void the_exports_of_old_still_work(void **state)
{
    (void)state;
    DEVICE_DESCRIPTION description = dma_description(1, 24, FALSE, 0x2000);
    ULONG              registers, length = 64;
    PADAPTER_OBJECT    adapter = HalGetAdapter(&description, &registers);
    PHYSICAL_ADDRESS   logical;
    ntmm_device       *isa = ntmm_device_create(&(ntmm_device_config){ .address_bits = 24 });
    char              *block = dma_high_memory(PAGE_SIZE, DMA_ABOVE_ISA), got[64];
    PMDL               mdl = dma_mdl(block, 64);
    call_t             call = { .action = DeallocateObjectKeepRegisters };
    PVOID              va = HalAllocateCommonBuffer(adapter, 512, &logical, FALSE);
    assert_non_null(va);
    HalFreeCommonBuffer(adapter, 512, logical, va, FALSE);
    assert_int_equal(HalReadDmaCounter(adapter), 0);
    assert_int_equal(HalGetDmaAlignment(adapter), 1);
    dma_fill(block, 64, 12);
    KIRQL irql = dma_raise();
    KeFlushIoBuffers(mdl, FALSE, TRUE);
    assert_int_equal(IoAllocateAdapterChannel(adapter, ntmm_device_object(isa), 1, note_call, &call), STATUS_SUCCESS);
    logical = IoMapTransfer(adapter, mdl, call.base, block, &length, TRUE);
    assert_int_equal(ntmm_device_read(isa, (uint64_t)logical.QuadPart, got, 64), 0);
    assert_true(dma_is_filled(got, 64, 12));
    assert_true(IoFlushAdapterBuffers(adapter, mdl, call.base, block, 64, TRUE));
    IoFreeMapRegisters(adapter, call.base, 1);
    KeLowerIrql(irql);
    adapter->DmaOperations->PutDmaAdapter(adapter);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    ntmm_device_destroy(isa);
}

/* ---- memory is short ---- */

static dma_t *sweep_dma;
static void   channels_in_turn(void *unused)
{
    (void)unused;
    dma_t   *dma = sweep_dma;
    call_t   call = { .action = DeallocateObject };
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    PVOID    base;
    NTSTATUS status = dma->op->AllocateAdapterChannel(dma->adapter, NULL, 1, note_call, &call);
    assert_int_equal(NT_SUCCESS(status), call.calls == 1);
    assert_int_equal(dma->op->InitializeDmaTransferContext(dma->adapter, context), STATUS_SUCCESS);
    if (NT_SUCCESS(dma->op->AllocateAdapterChannelEx(dma->adapter, NULL, context, 1, 1, NULL, NULL, &base)))
        dma->op->FreeAdapterObject(dma->adapter, DeallocateObject);
}

static void failures_leave_no_register_behind(void **state)
{
    (void)state;
    dma_t dma = dma_start(24, 4, false, 16 * PAGE_SIZE);
    sweep_dma = &dma;
    assert_int_equal(ntmm_for_each_failure(channels_in_turn, NULL), 3);
    assert_free(&dma, 4);
    dma_stop(&dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(the_routine_runs_at_dispatch_level),
        ntmm_cmocka_test(what_the_routine_returns_is_kept),
        ntmm_cmocka_test(first_come_first_served),
        ntmm_cmocka_test(nobody_starves),
        ntmm_cmocka_test(now_or_never),
        ntmm_cmocka_test(a_waiting_request_is_cancelled),
        ntmm_cmocka_test(routines_that_free_do_not_nest),
        ntmm_cmocka_test(what_is_freed_twice_stops_the_machine),
        ntmm_cmocka_test(registers_that_are_kept_are_leaked),
        ntmm_cmocka_test(memory_in_reach_is_mapped_as_it_is),
        ntmm_cmocka_test(pieces_are_mapped_one_by_one),
        ntmm_cmocka_test(bytes_out_of_reach_are_copied),
        ntmm_cmocka_test(what_is_not_flushed_is_stale),
        ntmm_cmocka_test(scattered_pages_are_one_piece),
        ntmm_cmocka_test(a_long_transfer_is_split),
        ntmm_cmocka_test(map_transfer_ex_maps_a_chain),
        ntmm_cmocka_test(a_subordinate_device_is_served_by_the_controller),
        ntmm_cmocka_test(the_exports_of_old_still_work),
        ntmm_cmocka_test(failures_leave_no_register_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
