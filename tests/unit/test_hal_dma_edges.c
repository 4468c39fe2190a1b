/*
 * test_hal_dma_edges.c - DMA at its edges: MDLs without a byte, requests that are cancelled before they are made or while they are granted,
 * devices that take one piece, transfers as long as can be.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "../support/dma.h"

#define CONTEXT_WORDS (DMA_TRANSFER_CONTEXT_SIZE_V1 / 8)

/* ---- chains ---- */

/* A chain of `count` MDLs over a block; lengths[i] bytes each, 0 for none, one behind the other on pages of their own. */
static PMDL chain_of(char *block, const ULONG *lengths, size_t count)
{
    PMDL first = NULL, *end = &first;
    for (size_t i = 0; i < count; i++, end = &(*end)->Next) {
        *end = dma_mdl(block + i * 2 * PAGE_SIZE + 13, lengths[i] != 0 ? lengths[i] : 1);
        (*end)->ByteCount = lengths[i];
    }
    return first;
}
static void chain_free(PMDL mdl)
{
    for (PMDL next; mdl != NULL; mdl = next) {
        next = mdl->Next;
        dma_mdl_free(mdl);
    }
}

/* Bytes of the chain, in order, into or out of a buffer. */
static void chain_bytes(char *block, const ULONG *lengths, size_t count, char *buffer, bool fill)
{
    for (size_t i = 0; i < count; buffer += lengths[i++])
        if (fill)
            memcpy(block + i * 2 * PAGE_SIZE + 13, buffer, lengths[i]);
        else
            memcpy(buffer, block + i * 2 * PAGE_SIZE + 13, lengths[i]);
}

static PSCATTER_GATHER_LIST got;
static VOID                 note_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    got = ScatterGather;
}

static void move_by(dma_t *dma, const SCATTER_GATHER_LIST *list, char *buffer, bool to_memory)
{
    for (ULONG i = 0; i < list->NumberOfElements; buffer += list->Elements[i++].Length) {
        uint64_t at = (uint64_t)list->Elements[i].Address.QuadPart;
        assert_int_not_equal(list->Elements[i].Length, 0);
        assert_int_equal(to_memory ? ntmm_device_write(dma->device, at, buffer, list->Elements[i].Length)
                                   : ntmm_device_read(dma->device, at, buffer, list->Elements[i].Length),
                         0);
    }
}

/* Both ways, by list and by packet, for a device that copies and one that does not. */
static void mdls_without_a_byte_are_passed_over(void **state)
{
    static const ULONG lengths[] = { 0, 100, 0, 0, 300, 0, 200, 0 };
    enum { COUNT = sizeof lengths / sizeof lengths[0], BYTES = 600 };
    static const struct {
        uint32_t bits;
        bool     scatter_gather;
    } kinds[] = { { 64, true }, { 24, true }, { 24, false } };
    char sent[BYTES], back[BYTES];
    (void)state;
    char *block = dma_high_memory(COUNT * 2 * PAGE_SIZE, DMA_ABOVE_ISA);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        dma_t dma = dma_start(kinds[k].bits, 16, kinds[k].scatter_gather, 64 * PAGE_SIZE);
        PMDL  mdl = chain_of(block, lengths, COUNT);
        ULONG size, registers;
        dma_raise();
        dma_fill(sent, BYTES, (unsigned)k);
        chain_bytes(block, lengths, COUNT, sent, true);
        assert_int_equal(dma.op->CalculateScatterGatherList(dma.adapter, mdl, MmGetMdlVirtualAddress(mdl), BYTES, &size, &registers),
                         STATUS_SUCCESS);
        assert_int_equal(registers, 3);
        assert_int_equal(size, sizeof(SCATTER_GATHER_LIST) + (kinds[k].scatter_gather ? 3 : 1) * sizeof(SCATTER_GATHER_ELEMENT));
        assert_int_equal(dma.op->GetScatterGatherList(dma.adapter, NULL, mdl, MmGetMdlVirtualAddress(mdl), BYTES, note_list, NULL, TRUE),
                         STATUS_SUCCESS);
        move_by(&dma, got, back, false);
        assert_memory_equal(back, sent, BYTES);
        dma.op->PutScatterGatherList(dma.adapter, got, TRUE);
        dma_fill(sent, BYTES, 77);
        assert_int_equal(dma.op->GetScatterGatherList(dma.adapter, NULL, mdl, MmGetMdlVirtualAddress(mdl), BYTES, note_list, NULL, FALSE),
                         STATUS_SUCCESS);
        move_by(&dma, got, sent, true);
        dma.op->PutScatterGatherList(dma.adapter, got, FALSE);
        chain_bytes(block, lengths, COUNT, back, false);
        assert_memory_equal(back, sent, BYTES); /* all of it, beyond the empty ones, too */
        KeLowerIrql(PASSIVE_LEVEL);
        chain_free(mdl);
        dma_stop(&dma);
    }
    MmFreeContiguousMemory(block);
}

/* ---- parts of pages ---- */

/* The second half of a page is mapped where the first one was, which is flushed already; that of another page goes meanwhile. */
static void a_register_that_is_used_again_is_not_free(void **state)
{
    enum { HALF = PAGE_SIZE / 2 };
    char sent[HALF];
    (void)state;
    dma_t dma = dma_start(24, 3, true, 4 * PAGE_SIZE);
    char *a = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_ISA), *b = a + PAGE_SIZE, *c = b + PAGE_SIZE, *d = c + PAGE_SIZE;
    PMDL  mdl = dma_mdl(a, 4 * PAGE_SIZE);
    ULONG length;
#define MAP(at, bytes) (length = (bytes), dma.op->MapTransfer(dma.adapter, mdl, dma_kept_base, (at), &length, FALSE))
#define FLUSH(at, bytes) assert_true(dma.op->FlushAdapterBuffers(dma.adapter, mdl, dma_kept_base, (at), (bytes), FALSE))
    dma_raise();
    assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 3, dma_keep_registers, NULL), STATUS_SUCCESS);
    (void)MAP(a, PAGE_SIZE);
    (void)MAP(b, HALF);
    FLUSH(b, HALF);
    PHYSICAL_ADDRESS second_half = MAP(b + HALF, HALF);
    assert_int_equal(length, HALF);
    FLUSH(a, PAGE_SIZE);
    dma_fill(sent, HALF, 9);
    assert_int_equal(ntmm_device_write(dma.device, (uint64_t)second_half.QuadPart, sent, HALF), 0);
    (void)MAP(c, PAGE_SIZE);
    assert_int_equal(length, PAGE_SIZE);
    (void)MAP(d, PAGE_SIZE);
    assert_int_equal(length, 0); /* none is left until all are flushed */
    FLUSH(b + HALF, HALF);
    assert_memory_equal(b + HALF, sent, HALF);
    FLUSH(c, PAGE_SIZE);
    dma.op->FreeMapRegisters(dma.adapter, dma_kept_base, 3);
    KeLowerIrql(PASSIVE_LEVEL);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(a);
    dma_stop(&dma);
#undef MAP
#undef FLUSH
}

/* ---- one piece ---- */

/* Behind an IOMMU a chain whose parts do not meet at ends of pages is no one piece: as much of it is mapped as is one. */
static void a_device_that_takes_one_piece_gets_one(void **state)
{
    static const ULONG lengths[] = { 100, 300 };
    uint64_t           context[CONTEXT_WORDS], room[16];
    ULONG              length = 400;
    PVOID              base;
    (void)state;
    dma_t                dma = dma_start_iommu(32, 8, false, 4 * PAGE_SIZE, true);
    char                *block = dma_high_memory(4 * PAGE_SIZE, 0);
    PMDL                 mdl = chain_of(block, lengths, 2);
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)room;
    DMA_TRANSFER_INFO    info = { .Version = DMA_TRANSFER_INFO_VERSION1 };
    dma_raise();
    assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, mdl, 0, length, TRUE, &info), STATUS_SUCCESS);
    assert_true(info.V1.MapRegisterCount == 2 && info.V1.ScatterGatherElementCount == 1); /* there is room for what MapTransferEx maps */
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 2, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                     STATUS_SUCCESS);
    assert_int_equal(dma.op->MapTransferEx(dma.adapter, mdl, base, 0, 0, &length, TRUE, list, sizeof room, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(list->NumberOfElements, 1);
    assert_true(length == 100 && list->Elements[0].Length == 100);
    assert_int_equal(dma.op->FlushAdapterBuffersEx(dma.adapter, mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObject);
    KeLowerIrql(PASSIVE_LEVEL);
    chain_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

/* There is a map register more than that takes, for a buffer that begins within a page. */
static void the_controller_counts_up_to_64_kib(void **state)
{
    enum { COUNTED = 0x10000, BYTES = COUNTED + PAGE_SIZE };
    DEVICE_DESCRIPTION description = { .Version = 3, .DmaChannel = 2, .MaximumLength = BYTES };
    ULONG              registers, length = BYTES;
    uint64_t           context[CONTEXT_WORDS];
    PVOID              base;
    (void)state;
    PDMA_ADAPTER    adapter = IoGetDmaAdapter(NULL, &description, &registers);
    PDMA_OPERATIONS op = adapter->DmaOperations;
    char           *block = dma_high_memory(BYTES, 0);
    PMDL            mdl = dma_mdl(block, BYTES);
    dma_raise();
    assert_int_equal(op->InitializeDmaTransferContext(adapter, context), STATUS_SUCCESS);
    assert_int_equal(op->AllocateAdapterChannelEx(adapter, NULL, context, registers, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                     STATUS_SUCCESS);
    (void)op->MapTransfer(adapter, mdl, base, block, &length, TRUE);
    assert_int_equal(length, COUNTED);
    assert_int_equal(op->ReadDmaCounter(adapter), COUNTED);
    assert_true(op->FlushAdapterBuffers(adapter, mdl, base, block, length, TRUE));
    length = BYTES;
    assert_int_equal(op->MapTransferEx(adapter, mdl, base, 0, 0, &length, TRUE, NULL, 0, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(length, COUNTED);
    assert_int_equal(op->FlushAdapterBuffersEx(adapter, mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    op->FreeAdapterObject(adapter, DeallocateObject);
    KeLowerIrql(PASSIVE_LEVEL);
    op->PutDmaAdapter(adapter);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
}

/* A device that has no addresses of its own reaches memory while the controller is told to move some, and at no other time; one that is a bus
 * master as well says addresses itself. */
static void nothing_moves_unless_the_controller_is_told(void **state)
{
    DEVICE_DESCRIPTION       description = { .Version = 3, .DmaChannel = 2, .MaximumLength = PAGE_SIZE };
    DEVICE_DESCRIPTION       master = dma_description(3, 64, TRUE, PAGE_SIZE);
    const ntmm_device_config config = { .address_bits = 64, .scatter_gather = true };
    ULONG                    registers, length = 100;
    char                     moved[100];
    (void)state;
    ntmm_device    *device = ntmm_device_create(&config);
    char           *block = dma_high_memory(PAGE_SIZE, 0);
    PMDL            mdl = dma_mdl(block, 100);
    uint64_t        at = (uint64_t)MmGetPhysicalAddress(block).QuadPart;
    PDMA_ADAPTER    adapter = IoGetDmaAdapter(ntmm_device_object(device), &description, &registers);
    PDMA_OPERATIONS op = adapter->DmaOperations;
    assert_int_equal(ntmm_device_read(device, at, moved, 100), -EFAULT);
    assert_non_null(strstr(ntmm_error(), "controller"));
    dma_raise();
    assert_int_equal(op->AllocateAdapterChannel(adapter, NULL, 1, dma_keep_object, NULL), STATUS_SUCCESS);
    PHYSICAL_ADDRESS logical = op->MapTransfer(adapter, mdl, dma_kept_base, block, &length, TRUE);
    assert_int_equal(ntmm_device_read(device, (uint64_t)logical.QuadPart, moved, 100), 0);
    assert_true(op->FlushAdapterBuffers(adapter, mdl, dma_kept_base, block, 100, TRUE));
    op->FreeAdapterChannel(adapter);
    KeLowerIrql(PASSIVE_LEVEL);
    assert_int_equal(ntmm_device_read(device, (uint64_t)logical.QuadPart, moved, 100), -EFAULT);
    PDMA_ADAPTER other = IoGetDmaAdapter(ntmm_device_object(device), &master, &registers);
    assert_int_equal(ntmm_device_read(device, at, moved, 100), 0);
    other->DmaOperations->PutDmaAdapter(other);
    assert_int_equal(ntmm_device_read(device, at, moved, 100), -EFAULT);
    op->PutDmaAdapter(adapter);
    assert_int_equal(ntmm_device_read(device, at, moved, 100), 0); /* it is anybody's device again */
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    ntmm_device_destroy(device);
}

/* ---- cancelling ---- */

static _Atomic unsigned     calls;
static IO_ALLOCATION_ACTION note_call(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)MapRegisterBase;
    (void)Context;
    calls++;
    return DeallocateObject;
}

static void what_is_not_asked_for_yet_is_cancelled(void **state)
{
    uint64_t             context[CONTEXT_WORDS], room[16];
    PVOID                base = &base;
    PSCATTER_GATHER_LIST list;
    (void)state;
    dma_t dma = dma_start(64, 4, true, 4 * PAGE_SIZE);
    char *block = dma_high_memory(PAGE_SIZE, 0);
    PMDL  mdl = dma_mdl(block, PAGE_SIZE);
    dma_raise();
    calls = 0;
    for (unsigned how = 0; how < 4; how++) {
        NTSTATUS status;
        assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
        assert_true(dma.op->CancelAdapterChannel(dma.adapter, NULL, context));
        if (how == 0)
            status = dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 0, note_call, NULL, NULL);
        else if (how == 1)
            status = dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base);
        else if (how == 2)
            status = dma.op->GetScatterGatherListEx(dma.adapter, NULL, context, mdl, 0, 1, 0, note_list, NULL, TRUE, NULL, NULL, NULL);
        else
            status = dma.op->BuildScatterGatherListEx(dma.adapter, NULL, context, mdl, 0, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, TRUE,
                                                      room, sizeof room, NULL, NULL, &list);
        assert_int_equal(status, STATUS_CANCELLED);
        assert_int_equal(calls, 0);
        assert_true(how != 1 || base == NULL);
    }
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS); /* and then it is as new */
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 1, 0, note_call, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(calls, 1);
    assert_false(dma.op->CancelAdapterChannel(dma.adapter, NULL, context));
    KeLowerIrql(PASSIVE_LEVEL);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

enum { ROUNDS = 300 };
static dma_t           *race_dma;
static _Atomic unsigned race_round, race_freed;
/* Gives back what the other thread's request waits for. */
static void *free_when_told(void *unused)
{
    (void)unused;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        while (race_round != round)
            sched_yield();
        KIRQL irql = dma_raise();
        race_dma->op->FreeMapRegisters(race_dma->adapter, dma_kept_base, 4);
        KeLowerIrql(irql);
        race_freed = round;
    }
    return NULL;
}

/* A request is granted or cancelled: never both, never neither. */
static void granted_or_cancelled(void **state)
{
    uint64_t  context[CONTEXT_WORDS];
    unsigned  cancelled = 0;
    pthread_t other;
    (void)state;
    dma_t dma = dma_start(64, 4, true, 4 * PAGE_SIZE);
    race_dma = &dma;
    race_round = race_freed = calls = 0;
    assert_int_equal(pthread_create(&other, NULL, free_when_told, NULL), 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        KIRQL irql = dma_raise();
        assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 4, dma_keep_registers, NULL), STATUS_SUCCESS);
        assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
        assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 4, 0, note_call, NULL, NULL), STATUS_SUCCESS);
        race_round = round;
        for (volatile unsigned wait = 0; wait < round % 64 * 20; wait++)
            ;
        cancelled += dma.op->CancelAdapterChannel(dma.adapter, NULL, context);
        KeLowerIrql(irql);
        while (race_freed != round)
            sched_yield();
        assert_int_equal(calls + cancelled, round);
    }
    assert_int_equal(pthread_join(other, NULL), 0);
    dma_stop(&dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(mdls_without_a_byte_are_passed_over),
        ntmm_cmocka_test(a_register_that_is_used_again_is_not_free),
        ntmm_cmocka_test(a_device_that_takes_one_piece_gets_one),
        ntmm_cmocka_test(the_controller_counts_up_to_64_kib),
        ntmm_cmocka_test(nothing_moves_unless_the_controller_is_told),
        ntmm_cmocka_test(what_is_not_asked_for_yet_is_cancelled),
        ntmm_cmocka_test(granted_or_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
