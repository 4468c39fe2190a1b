/*
 * test_hal_scatter_gather.c - lists of pieces: what is in them, who waits for them, and what they give back.
 */
#include <errno.h>

#include "../support/dma.h"

typedef struct got {
    unsigned             calls, number;
    PSCATTER_GATHER_LIST list;
    PIRP                 irp;
    KIRQL                irql;
} got_t;
static unsigned calls_made;

static VOID note_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    got_t *got = Context;
    (void)DeviceObject;
    got->calls++;
    got->number = ++calls_made;
    got->list = ScatterGather;
    got->irp = Irp;
    got->irql = KeGetCurrentIrql();
}

static NTSTATUS get(dma_t *dma, PMDL mdl, PVOID va, ULONG length, got_t *got, BOOLEAN write)
{
    KIRQL    irql = dma_raise();
    NTSTATUS status = dma->op->GetScatterGatherList(dma->adapter, ntmm_device_object(dma->device), mdl, va, length, note_list, got, write);
    KeLowerIrql(irql);
    return status;
}
static void put(dma_t *dma, got_t *got, BOOLEAN write)
{
    KIRQL irql = dma_raise();
    dma->op->PutScatterGatherList(dma->adapter, got->list, write);
    KeLowerIrql(irql);
    got->list = NULL;
}

/* The device follows the list. */
static void device_reads(dma_t *dma, const SCATTER_GATHER_LIST *list, void *to)
{
    char *at = to;
    for (ULONG i = 0; i < list->NumberOfElements; at += list->Elements[i++].Length)
        assert_int_equal(ntmm_device_read(dma->device, (uint64_t)list->Elements[i].Address.QuadPart, at, list->Elements[i].Length), 0);
}
static void device_writes(dma_t *dma, const SCATTER_GATHER_LIST *list, const void *from)
{
    const char *at = from;
    for (ULONG i = 0; i < list->NumberOfElements; at += list->Elements[i++].Length)
        assert_int_equal(ntmm_device_write(dma->device, (uint64_t)list->Elements[i].Address.QuadPart, at, list->Elements[i].Length), 0);
}
static ULONG bytes_in(const SCATTER_GATHER_LIST *list)
{
    ULONG bytes = 0;
    for (ULONG i = 0; i < list->NumberOfElements; i++)
        bytes += list->Elements[i].Length;
    return bytes;
}

/* An MDL of `pages` pages of a block of 2 * pages, every second one, from the end. */
static PMDL scattered(char *block, ULONG pages)
{
    PMDL       mdl = dma_mdl(block, pages * PAGE_SIZE);
    PFN_NUMBER first = (PFN_NUMBER)(MmGetPhysicalAddress(block).QuadPart >> PAGE_SHIFT);
    for (ULONG i = 0; i < pages; i++)
        MmGetMdlPfnArray(mdl)[i] = first + 2 * (pages - 1 - i);
    return mdl;
}

static void elements_that_touch_are_one(void **state)
{
    (void)state;
    dma_t dma = dma_start(64, 0, true, 64 * PAGE_SIZE);
    char *block = dma_high_memory(16 * PAGE_SIZE, 0), copy[4 * PAGE_SIZE];
    PMDL  mdl = dma_mdl(block + 60, 8 * PAGE_SIZE), apart = scattered(block, 8);
    got_t got = { 0 };
    dma_fill(block, 16 * PAGE_SIZE, 3);
    ntmm_device_object(dma.device)->CurrentIrp = (PIRP)&got;
    assert_int_equal(get(&dma, mdl, block + 100, 4 * PAGE_SIZE, &got, TRUE), STATUS_SUCCESS);
    assert_int_equal(got.calls, 1);
    assert_int_equal(got.irql, DISPATCH_LEVEL);
    assert_ptr_equal(got.irp, &got);
    assert_int_equal(got.list->NumberOfElements, 1);
    assert_int_equal(got.list->Elements[0].Address.QuadPart, MmGetPhysicalAddress(block + 100).QuadPart);
    assert_int_equal(got.list->Elements[0].Length, 4 * PAGE_SIZE);
    device_reads(&dma, got.list, copy);
    assert_memory_equal(copy, block + 100, 4 * PAGE_SIZE);
    put(&dma, &got, TRUE);

    assert_int_equal(get(&dma, apart, block + 200, 3 * PAGE_SIZE, &got, TRUE), STATUS_SUCCESS);
    assert_int_equal(got.list->NumberOfElements, 4);
    assert_int_equal(got.list->Elements[0].Length, PAGE_SIZE - 200);
    assert_int_equal(got.list->Elements[3].Length, 200);
    assert_int_equal(got.list->Elements[1].Address.QuadPart, MmGetPhysicalAddress(block + 12 * PAGE_SIZE).QuadPart);
    put(&dma, &got, TRUE);
    dma_mdl_free(mdl);
    dma_mdl_free(apart);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void chains_are_followed(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) { /* in reach; bounced; bounced in one piece */
        dma_t dma = dma_start(kind == 0 ? 64 : 24, 0, kind < 2, 64 * PAGE_SIZE);
        char *block = dma_high_memory(8 * PAGE_SIZE, DMA_ABOVE_ISA), copy[2000];
        PMDL  mdl[3] = { dma_mdl(block + 5, 300), dma_mdl(block + 2 * PAGE_SIZE - 50, 100), dma_mdl(block + 6 * PAGE_SIZE, 1600) };
        got_t got = { 0 };
        mdl[0]->Next = mdl[1];
        mdl[1]->Next = mdl[2];
        dma_fill(block, 8 * PAGE_SIZE, 40);
        assert_int_equal(get(&dma, mdl[0], block + 5, 2000, &got, TRUE), STATUS_SUCCESS);
        assert_int_equal(bytes_in(got.list), 2000);
        if (kind == 2)
            assert_int_equal(got.list->NumberOfElements, 1);
        device_reads(&dma, got.list, copy);
        assert_memory_equal(copy, block + 5, 300);
        assert_memory_equal(copy + 300, block + 2 * PAGE_SIZE - 50, 100);
        assert_memory_equal(copy + 400, block + 6 * PAGE_SIZE, 1600);
        put(&dma, &got, TRUE);
        assert_int_equal(get(&dma, mdl[0], block + 5 + 10, 1990, &got, FALSE), STATUS_SUCCESS);
        dma_fill(copy, 1990, 77);
        device_writes(&dma, got.list, copy);
        put(&dma, &got, FALSE);
        assert_memory_equal(copy, block + 15, 290);
        assert_memory_equal(copy + 290, block + 2 * PAGE_SIZE - 50, 100);
        assert_memory_equal(copy + 390, block + 6 * PAGE_SIZE, 1600);
        assert_int_equal(get(&dma, mdl[0], block + 5, 2001, &got, TRUE), STATUS_BUFFER_TOO_SMALL);
        for (unsigned i = 0; i < 3; i++)
            dma_mdl_free(mdl[i]);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

static void bounced_bytes_come_at_put(void **state)
{
    (void)state;
    dma_t dma = dma_start(32, 0, true, 16 * PAGE_SIZE);
    char *block = dma_high_memory(8 * PAGE_SIZE, DMA_ABOVE_4G), sent[3 * PAGE_SIZE];
    PMDL  mdl = scattered(block, 4);
    got_t got = { 0 };
    dma_fill(block, 8 * PAGE_SIZE, 2);
    dma_fill(sent, sizeof sent, 90);
    assert_int_equal(get(&dma, mdl, block + 64, sizeof sent, &got, FALSE), STATUS_SUCCESS);
    assert_int_equal(got.list->NumberOfElements, 1); /* bounce pages in a row */
    assert_true(got.list->Elements[0].Address.QuadPart < (LONGLONG)DMA_ABOVE_4G);
    device_writes(&dma, got.list, sent);
    assert_true(dma_is_filled(block, 8 * PAGE_SIZE, 2));
    put(&dma, &got, FALSE);
    for (ULONG i = 0; i < sizeof sent; i++)
        assert_int_equal(sent[i], block[(6 - 2 * ((i + 64) / PAGE_SIZE)) * PAGE_SIZE + (i + 64) % PAGE_SIZE]);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    dma_t dma = dma_start(64, 4, true, 256 * PAGE_SIZE);
    char *block = dma_high_memory(8 * PAGE_SIZE, 0);
    PMDL  mdl = dma_mdl(block, 8 * PAGE_SIZE);
    got_t got = { 0 };
    assert_int_equal(get(&dma, mdl, block + 1, 4 * PAGE_SIZE, &got, TRUE), STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(get(&dma, mdl, block + 7 * PAGE_SIZE, PAGE_SIZE + 1, &got, TRUE), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(get(&dma, mdl, block - 1, PAGE_SIZE, &got, TRUE), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(get(&dma, mdl, block, 0, &got, TRUE), STATUS_INVALID_PARAMETER);
    assert_int_equal(got.calls, 0);
    assert_int_equal(get(&dma, mdl, block, 4 * PAGE_SIZE, &got, TRUE), STATUS_SUCCESS);
    put(&dma, &got, TRUE);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void several_may_wait(void **state)
{
    (void)state;
    dma_t dma = dma_start(24, 4, true, 256 * PAGE_SIZE);
    char *block = dma_high_memory(8 * PAGE_SIZE, DMA_ABOVE_ISA);
    PMDL  mdl = dma_mdl(block, 8 * PAGE_SIZE);
    got_t got[5] = { { 0 } };
    calls_made = 0;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(get(&dma, mdl, block, 3 * PAGE_SIZE, &got[i], TRUE), STATUS_SUCCESS);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(calls_made, i + 1);
        assert_int_equal(got[i].number, i + 1); /* in order */
        assert_true(ntmm_check());
        put(&dma, &got[i], TRUE);
    }
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void a_list_is_put_once(void **state)
{
    (void)state;
    dma_t                dma = dma_start(64, 0, true, 16 * PAGE_SIZE);
    char                *block = dma_high_memory(PAGE_SIZE, 0);
    PMDL                 mdl = dma_mdl(block, PAGE_SIZE);
    uint64_t             room[8];
    PSCATTER_GATHER_LIST list = (PSCATTER_GATHER_LIST)room;
    got_t                got = { 0 };
    assert_int_equal(dma.op->BuildScatterGatherList(dma.adapter, NULL, mdl, block, 100, note_list, &got, TRUE, room, sizeof room),
                     STATUS_SUCCESS);
    assert_ptr_equal(got.list, list);
    put(&dma, &got, TRUE);
    assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, 0x06, 1, 2, 0, dma.op->PutScatterGatherList(dma.adapter, list, TRUE));
}

static void a_list_in_the_drivers_memory(void **state)
{
    (void)state;
    dma_t    dma = dma_start(64, 0, true, 64 * PAGE_SIZE);
    char    *block = dma_high_memory(16 * PAGE_SIZE, 0), copy[8 * PAGE_SIZE];
    PMDL     mdl = scattered(block, 8);
    uint64_t room[64];
    ULONG    bytes = 0, registers = 0;
    got_t    got = { 0 };
    dma_fill(block, 16 * PAGE_SIZE, 6);
    assert_int_equal(dma.op->CalculateScatterGatherList(dma.adapter, mdl, block, 8 * PAGE_SIZE, &bytes, &registers), STATUS_SUCCESS);
    assert_int_equal(bytes, sizeof(SCATTER_GATHER_LIST) + 8 * sizeof(SCATTER_GATHER_ELEMENT));
    assert_int_equal(registers, 8);
    assert_int_equal(dma.op->CalculateScatterGatherList(dma.adapter, NULL, block + 1, 8 * PAGE_SIZE, &bytes, &registers), STATUS_SUCCESS);
    assert_int_equal(registers, 9);
    assert_int_equal(bytes, sizeof(SCATTER_GATHER_LIST) + 9 * sizeof(SCATTER_GATHER_ELEMENT));
    assert_int_equal(dma.op->CalculateScatterGatherList(dma.adapter, mdl, block + 1, 8 * PAGE_SIZE, &bytes, NULL), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(dma.op->CalculateScatterGatherList(dma.adapter, NULL, block, 0x1000000, &bytes, NULL), STATUS_INSUFFICIENT_RESOURCES);
    DMA_TRANSFER_INFO info = { .Version = DMA_TRANSFER_INFO_VERSION2 };
    assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, mdl, 10, 5 * PAGE_SIZE, TRUE, &info), STATUS_SUCCESS);
    assert_int_equal(info.V2.MapRegisterCount, 6);
    assert_int_equal(info.V2.ScatterGatherElementCount, 6);
    assert_int_equal(info.V2.ScatterGatherListSize, sizeof(SCATTER_GATHER_LIST) + 6 * sizeof(SCATTER_GATHER_ELEMENT));
    assert_int_equal(info.V2.LogicalPageCount, 6);
    assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, mdl, 10, 8 * PAGE_SIZE, TRUE, &info), STATUS_INVALID_PARAMETER);
    info.Version = 3;
    assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, mdl, 10, PAGE_SIZE, TRUE, &info), STATUS_NOT_SUPPORTED);

    bytes = sizeof(SCATTER_GATHER_LIST) + 8 * sizeof(SCATTER_GATHER_ELEMENT);
    assert_int_equal(dma.op->BuildScatterGatherList(dma.adapter, NULL, mdl, block, 8 * PAGE_SIZE, note_list, &got, TRUE, room, bytes - 1),
                     STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(dma.op->BuildScatterGatherList(dma.adapter, NULL, mdl, block, 8 * PAGE_SIZE, note_list, &got, TRUE, room, bytes),
                     STATUS_SUCCESS);
    assert_int_equal(got.list->NumberOfElements, 8);
    device_reads(&dma, got.list, copy);
    for (unsigned i = 0; i < 8; i++)
        assert_memory_equal(copy + i * PAGE_SIZE, block + (14 - 2 * i) * PAGE_SIZE, PAGE_SIZE);
    put(&dma, &got, TRUE);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void lists_of_version_3(void **state)
{
    (void)state;
    dma_t                dma = dma_start(24, 4, true, 64 * PAGE_SIZE);
    char                *block = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_ISA), copy[1000];
    PMDL                 mdl = dma_mdl(block, 4 * PAGE_SIZE);
    uint64_t             context[2][DMA_TRANSFER_CONTEXT_SIZE_V1 / 8] = { { 0 } }, room[64];
    PSCATTER_GATHER_LIST list = NULL, second = NULL;
    got_t                got = { 0 };
    dma_fill(block, 4 * PAGE_SIZE, 21);
#define GET_EX(which, offset, length, flags, routine, list_out) \
    dma.op->GetScatterGatherListEx(dma.adapter, NULL, context[which], mdl, (offset), (length), (flags), (routine), &got, TRUE, NULL, NULL, \
                                   (list_out))
    assert_int_equal(GET_EX(0, 5, 1000, 1, NULL, &list), STATUS_INVALID_PARAMETER); /* context not initialised */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context[i]), STATUS_SUCCESS);
    assert_int_equal(GET_EX(0, 5, 1000, 0, NULL, &list), STATUS_INVALID_PARAMETER);
    assert_int_equal(GET_EX(0, 5, 1000, 1, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(GET_EX(0, 5, 4 * PAGE_SIZE, 1, NULL, &list), STATUS_INVALID_PARAMETER);
    assert_int_equal(GET_EX(0, 5, 0, 1, NULL, &list), STATUS_INVALID_PARAMETER);
    assert_int_equal(GET_EX(0, 5, 1000, 1, NULL, &list), STATUS_SUCCESS);
    assert_int_equal(bytes_in(list), 1000);
    device_reads(&dma, list, copy);
    assert_memory_equal(copy, block + 5, 1000);
    assert_int_equal(GET_EX(1, 0, 4 * PAGE_SIZE, 1, NULL, &second), STATUS_INSUFFICIENT_RESOURCES); /* not enough left */
    assert_null(second);
    assert_int_equal(GET_EX(1, 0, 4 * PAGE_SIZE, 0, note_list, NULL), STATUS_SUCCESS); /* it waits */
    assert_int_equal(got.calls, 0);
    assert_true(dma.op->CancelAdapterChannel(dma.adapter, NULL, context[1]));
    assert_int_equal(GET_EX(1, 0, 4 * PAGE_SIZE, 0, note_list, NULL), STATUS_SUCCESS);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObjectKeepRegisters);
    assert_int_equal(got.calls, 0);
    dma.op->PutScatterGatherList(dma.adapter, list, TRUE);
    assert_int_equal(got.calls, 1);
    put(&dma, &got, TRUE);

    PVOID out = NULL;
    assert_int_equal(dma.op->BuildScatterGatherListEx(dma.adapter, NULL, context[0], mdl, 0, 100, 1, NULL, NULL, TRUE, room, sizeof room,
                                                      NULL, NULL, &out),
                     STATUS_SUCCESS);
    assert_ptr_equal(out, room);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObject); /* the list is the driver's memory still */
    dma.op->PutScatterGatherList(dma.adapter, out, TRUE);
    assert_int_equal(
        dma.op->BuildScatterGatherListEx(dma.adapter, NULL, context[0], mdl, 0, 100, 1, NULL, NULL, TRUE, room, 17, NULL, NULL, &out),
        STATUS_BUFFER_TOO_SMALL);
    assert_true(ntmm_check());
    assert_int_equal(dma.op->FlushDmaBuffer(dma.adapter, mdl, TRUE), STATUS_SUCCESS);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

static void a_list_as_mdls(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) { /* in reach; bounced; bounced in one piece */
        dma_t dma = dma_start(kind == 0 ? 64 : 24, 0, kind < 2, 64 * PAGE_SIZE);
        char *block = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_ISA);
        PMDL  head = dma_mdl(block + 30, PAGE_SIZE), tail = dma_mdl(block + 3 * PAGE_SIZE, 10), made = NULL;
        ULONG bytes = 0;
        got_t got = { 0 };
        head->Next = tail;
        dma_fill(block, 4 * PAGE_SIZE, 60);
        assert_int_equal(get(&dma, head, block + 30, PAGE_SIZE + 10, &got, TRUE), STATUS_SUCCESS);
        assert_int_equal(dma.op->BuildMdlFromScatterGatherList(dma.adapter, got.list, NULL, &made), STATUS_INVALID_PARAMETER);
        assert_int_equal(dma.op->BuildMdlFromScatterGatherList(dma.adapter, got.list, head, &made), STATUS_SUCCESS);
        assert_int_equal(made == head, kind == 0);
        for (PMDL mdl = made, next; mdl != NULL && kind != 0; mdl = next) {
            next = mdl->Next;
            assert_true((mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0);
            assert_ptr_equal(MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority), mdl->MappedSystemVa);
            for (ULONG i = 0; i < mdl->ByteCount; i++, bytes++)
                assert_int_equal(((char *)mdl->MappedSystemVa)[i], bytes < PAGE_SIZE ? block[30 + bytes] : block[2 * PAGE_SIZE + bytes]);
            IoFreeMdl(mdl);
        }
        assert_int_equal(bytes, kind == 0 ? 0 : PAGE_SIZE + 10);
        assert_int_equal(dma.op->BuildMdlFromScatterGatherList(dma.adapter, got.list, head, &made), STATUS_NONE_MAPPED);
        put(&dma, &got, TRUE);
        dma_mdl_free(head);
        dma_mdl_free(tail);
        MmFreeContiguousMemory(block);
        dma_stop(&dma);
    }
}

static void a_list_that_is_kept_is_leaked(void **state)
{
    (void)state;
    static ntmm_report report;
    dma_t              dma = dma_start(64, 4, true, 64 * PAGE_SIZE);
    char              *block = dma_high_memory(PAGE_SIZE, 0);
    PMDL               mdl = dma_mdl(block, PAGE_SIZE);
    got_t              got = { 0 };
    assert_int_equal(get(&dma, mdl, block, PAGE_SIZE, &got, TRUE), STATUS_SUCCESS);
    dma.op->PutDmaAdapter(dma.adapter);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(block);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("HalS"));
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
}

/* ---- memory is short ---- */

static dma_t *sweep_dma;
static PMDL   sweep_mdl;
static void   lists_in_turn(void *unused)
{
    (void)unused;
    got_t got = { 0 };
    PVOID va = MmGetMdlVirtualAddress(sweep_mdl);
    if (NT_SUCCESS(get(sweep_dma, sweep_mdl, va, 100, &got, FALSE)))
        put(sweep_dma, &got, FALSE);
    uint64_t room[16];
    assert_int_equal(
        sweep_dma->op->BuildScatterGatherList(sweep_dma->adapter, NULL, sweep_mdl, va, 100, note_list, &got, TRUE, room, sizeof room),
        STATUS_SUCCESS); /* has its memory */
    put(sweep_dma, &got, TRUE);
}

static void version_3_in_turn(void *unused)
{
    (void)unused;
    dma_t               *dma = sweep_dma;
    uint64_t             context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8], room[16];
    PSCATTER_GATHER_LIST list = NULL;
    PMDL                 made = NULL;
    PVOID                base = NULL;
    ULONG                length = 100;
    assert_int_equal(dma->op->InitializeDmaTransferContext(dma->adapter, context), STATUS_SUCCESS);
    NTSTATUS status = dma->op->GetScatterGatherListEx(dma->adapter, NULL, context, sweep_mdl, 0, 100, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL,
                                                      TRUE, NULL, NULL, &list);
    assert_true(NT_SUCCESS(status) || (status == STATUS_INSUFFICIENT_RESOURCES && list == NULL));
    if (NT_SUCCESS(status)) {
        if (NT_SUCCESS(dma->op->BuildMdlFromScatterGatherList(dma->adapter, list, sweep_mdl, &made)))
            IoFreeMdl(made);
        dma->op->PutScatterGatherList(dma->adapter, list, TRUE);
    }
    status = dma->op->AllocateAdapterChannelEx(dma->adapter, NULL, context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base);
    if (!NT_SUCCESS(status))
        return;
    status =
        dma->op->MapTransferEx(dma->adapter, sweep_mdl, base, 0, 0, &length, TRUE, (PSCATTER_GATHER_LIST)room, sizeof room, NULL, NULL);
    assert_true(NT_SUCCESS(status) || status == STATUS_INSUFFICIENT_RESOURCES);
    if (NT_SUCCESS(status))
        assert_int_equal(dma->op->FlushAdapterBuffersEx(dma->adapter, sweep_mdl, base, 0, length, TRUE), STATUS_SUCCESS);
    dma->op->FreeAdapterObject(dma->adapter, DeallocateObject);
}

static void failures_leave_no_list_behind(void **state)
{
    (void)state;
    dma_t dma = dma_start(24, 4, false, 16 * PAGE_SIZE);
    char *block = dma_high_memory(PAGE_SIZE, DMA_ABOVE_ISA);
    sweep_dma = &dma;
    sweep_mdl = dma_mdl(block, PAGE_SIZE);
    assert_int_equal(ntmm_for_each_failure(lists_in_turn, NULL), 2);
    assert_int_equal(ntmm_for_each_failure(version_3_in_turn, NULL), 5);
    dma_mdl_free(sweep_mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(elements_that_touch_are_one),
        ntmm_cmocka_test(chains_are_followed),
        ntmm_cmocka_test(bounced_bytes_come_at_put),
        ntmm_cmocka_test(too_much_is_refused),
        ntmm_cmocka_test(several_may_wait),
        ntmm_cmocka_test(a_list_is_put_once),
        ntmm_cmocka_test(a_list_in_the_drivers_memory),
        ntmm_cmocka_test(lists_of_version_3),
        ntmm_cmocka_test(a_list_as_mdls),
        ntmm_cmocka_test(a_list_that_is_kept_is_leaked),
        ntmm_cmocka_test(failures_leave_no_list_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
