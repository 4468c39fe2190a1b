/*
 * test_hal_dma_levels.c - the highest IRQL of each routine in an adapter's table: at that level it works, one above it stops the machine.
 */
#include "../support/dma.h"

/* ---- what the routines are called with: all of it is in order ---- */

static dma_t            dma;
static char            *block;
static PMDL             mdl, pages;
static uint64_t         context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8], room[32];
static PVOID            base, buffer;
static PHYSICAL_ADDRESS logical, anywhere = { .QuadPart = -1 };
static ULONG            bytes, registers;

static PDMA_COMMON_BUFFER_VECTOR vector;
static PSCATTER_GATHER_LIST      list;
static MEMORY_CACHING_TYPE       cached = MmCached;

static IO_ALLOCATION_ACTION keep(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    (void)DeviceObject, (void)Irp;
    base = MapRegisterBase;
    return Context == NULL ? DeallocateObjectKeepRegisters : KeepObject;
}
static VOID note(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject, (void)Irp, (void)Context;
    list = ScatterGather;
}

static void start(void)
{
    dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    block = dma_high_memory(2 * PAGE_SIZE, 0);
    mdl = dma_mdl(block, 2 * PAGE_SIZE);
    pages = IoAllocateMdl(block, PAGE_SIZE, FALSE, FALSE, NULL);
    MmProbeAndLockPages(pages, KernelMode, IoWriteAccess);
    assert_non_null(MmGetSystemAddressForMdlSafe(pages, NormalPagePriority));
    bytes = PAGE_SIZE;
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
}
static void with_registers(void) { assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 1, keep, NULL), STATUS_SUCCESS); }
static void with_channel(void) { assert_int_equal(dma.op->AllocateAdapterChannel(dma.adapter, NULL, 1, keep, &base), STATUS_SUCCESS); }
static void with_transfer(void)
{
    with_registers();
    (void)dma.op->MapTransfer(dma.adapter, mdl, base, block, &bytes, TRUE);
}
static void with_list(void)
{
    assert_int_equal(dma.op->GetScatterGatherList(dma.adapter, NULL, mdl, block, 100, note, NULL, TRUE), STATUS_SUCCESS);
}
static void with_buffer(void)
{
    buffer = dma.op->AllocateCommonBuffer(dma.adapter, 100, &logical, TRUE);
    assert_non_null(buffer);
}
static void with_vector(void)
{
    const PHYSICAL_ADDRESS low = { .QuadPart = 0 };
    assert_int_equal(dma.op->AllocateCommonBufferVector(dma.adapter, low, anywhere, MmCached, MM_ANY_NODE_OK, 0, 2, PAGE_SIZE, &vector),
                     STATUS_SUCCESS);
}
static void with_empty_vector(void)
{
    with_vector();
    dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 0);
    dma.op->FreeCommonBufferFromVector(dma.adapter, vector, 1);
}

/* ---- the routines ---- */

#define CALL(name, ...) \
    static void call_##name(void) { __VA_ARGS__; }
#define OP(name, ...) CALL(name, (void)dma.op->name(dma.adapter, ##__VA_ARGS__))
#define TRANSFER mdl, base, block, bytes, TRUE
#define TRANSFER_EX mdl, base, 0, bytes, TRUE
OP(PutDmaAdapter)
OP(AllocateCommonBuffer, 100, &logical, TRUE)
OP(AllocateCommonBufferEx, NULL, 100, &logical, TRUE, MM_ANY_NODE_OK)
OP(AllocateCommonBufferWithBounds, NULL, NULL, 100, 0, &cached, MM_ANY_NODE_OK, &logical)
OP(FreeCommonBuffer, 100, logical, buffer, TRUE)
CALL(AllocateCommonBufferVector, with_vector())
OP(GetCommonBufferFromVectorByIndex, vector, 1, &buffer, &logical)
OP(FreeCommonBufferFromVector, vector, 1)
OP(FreeCommonBufferVector, vector)
OP(CreateCommonBufferFromMdl, pages, NULL, 0, &logical)
CALL(AllocateDomainCommonBuffer, /* of a domain that is none: the level is looked at first */
     (void)dma.op->AllocateDomainCommonBuffer(dma.adapter, NULL, NULL, 100, 0, &cached, MM_ANY_NODE_OK, &logical, &buffer))
OP(AllocateAdapterChannel, NULL, 1, keep, NULL)
OP(AllocateAdapterChannelEx, NULL, context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base)
OP(FreeAdapterChannel)
OP(FreeAdapterObject, KeepObject)
OP(FreeMapRegisters, base, 1)
OP(MapTransfer, mdl, base, block, &bytes, TRUE)
OP(MapTransferEx, mdl, base, 0, 0, &bytes, TRUE, (PSCATTER_GATHER_LIST)room, sizeof room, NULL, NULL)
OP(FlushAdapterBuffers, TRANSFER)
OP(FlushAdapterBuffersEx, TRANSFER_EX)
OP(FlushDmaBuffer, mdl, TRUE)
OP(GetDmaAlignment)
OP(ReadDmaCounter)
OP(GetScatterGatherList, NULL, mdl, block, 100, note, NULL, TRUE)
OP(GetScatterGatherListEx, NULL, context, mdl, 0, 100, 0, note, NULL, TRUE, NULL, NULL, NULL)
OP(BuildScatterGatherList, NULL, mdl, block, 100, note, NULL, TRUE, room, sizeof room)
OP(BuildScatterGatherListEx, NULL, context, mdl, 0, 100, 0, note, NULL, TRUE, room, sizeof room, NULL, NULL, NULL)
OP(PutScatterGatherList, list, TRUE)
OP(BuildMdlFromScatterGatherList, list, mdl, &pages)
OP(CalculateScatterGatherList, mdl, block, 100, &bytes, &registers)
CALL(GetDmaAdapterInfo, DMA_ADAPTER_INFO info = { .Version = DMA_ADAPTER_INFO_VERSION1 };
     assert_int_equal(dma.op->GetDmaAdapterInfo(dma.adapter, &info), STATUS_SUCCESS))
CALL(GetDmaTransferInfo, DMA_TRANSFER_INFO info = { .Version = DMA_TRANSFER_INFO_VERSION1 };
     assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, mdl, 0, 100, TRUE, &info), STATUS_SUCCESS))
OP(InitializeDmaTransferContext, context)
OP(CancelAdapterChannel, NULL, context)
OP(CancelMappedTransfer, context)
OP(ConfigureAdapterChannel, 0, NULL)
OP(GetDmaDomain)
OP(JoinDmaDomain, NULL)
OP(LeaveDmaDomain)
CALL(KeFlushIoBuffers, KeFlushIoBuffers(mdl, TRUE, TRUE))
CALL(IoGetDmaAdapter, DEVICE_DESCRIPTION of = dma_description(3, 64, TRUE, PAGE_SIZE);
     assert_non_null(IoGetDmaAdapter(ntmm_device_object(dma.device), &of, &registers)))

static void nothing(void) {}

static const struct level_case {
    const char *name;
    void (*before)(void), (*call)(void);
    KIRQL highest; /* HIGH_LEVEL: any */
} CASES[] = {
#define ROW(name, before, highest) { #name, before, call_##name, highest },
    ROW(IoGetDmaAdapter, nothing, PASSIVE_LEVEL) ROW(PutDmaAdapter, nothing, DISPATCH_LEVEL)
        ROW(AllocateCommonBuffer, nothing, PASSIVE_LEVEL) ROW(AllocateCommonBufferEx, nothing, PASSIVE_LEVEL) ROW(
            AllocateCommonBufferWithBounds, nothing, PASSIVE_LEVEL) ROW(AllocateDomainCommonBuffer, nothing, PASSIVE_LEVEL)
            ROW(CreateCommonBufferFromMdl, nothing, PASSIVE_LEVEL) ROW(FreeCommonBuffer, with_buffer, PASSIVE_LEVEL) ROW(
                AllocateCommonBufferVector, nothing, PASSIVE_LEVEL) ROW(GetCommonBufferFromVectorByIndex, with_vector, DISPATCH_LEVEL)
                ROW(FreeCommonBufferFromVector, with_vector, PASSIVE_LEVEL) ROW(FreeCommonBufferVector, with_empty_vector, PASSIVE_LEVEL)
                    ROW(AllocateAdapterChannel, nothing, DISPATCH_LEVEL) ROW(AllocateAdapterChannelEx, nothing, DISPATCH_LEVEL)
                        ROW(FreeAdapterChannel, with_channel, DISPATCH_LEVEL) ROW(FreeAdapterObject, nothing, DISPATCH_LEVEL)
                            ROW(FreeMapRegisters, with_registers, DISPATCH_LEVEL) ROW(MapTransfer, with_registers, DISPATCH_LEVEL) ROW(
                                MapTransferEx, with_registers, DISPATCH_LEVEL) ROW(FlushAdapterBuffers, with_transfer, DISPATCH_LEVEL)
                                ROW(FlushAdapterBuffersEx, with_transfer, DISPATCH_LEVEL) ROW(FlushDmaBuffer, nothing, DISPATCH_LEVEL)
                                    ROW(GetDmaAlignment, nothing, PASSIVE_LEVEL) ROW(ReadDmaCounter, nothing, DISPATCH_LEVEL) ROW(
                                        GetScatterGatherList, nothing, DISPATCH_LEVEL) ROW(GetScatterGatherListEx, nothing, DISPATCH_LEVEL)
                                        ROW(BuildScatterGatherList, nothing, DISPATCH_LEVEL)
                                            ROW(BuildScatterGatherListEx, nothing, DISPATCH_LEVEL)
                                                ROW(PutScatterGatherList, with_list, DISPATCH_LEVEL)
                                                    ROW(BuildMdlFromScatterGatherList, with_list, DISPATCH_LEVEL)
                                                        ROW(CalculateScatterGatherList, nothing, HIGH_LEVEL)
                                                            ROW(GetDmaAdapterInfo, nothing, DISPATCH_LEVEL) ROW(GetDmaTransferInfo, nothing,
                                                                                                                DISPATCH_LEVEL)
                                                                ROW(InitializeDmaTransferContext, nothing, DISPATCH_LEVEL)
                                                                    ROW(CancelAdapterChannel, nothing, DISPATCH_LEVEL)
                                                                        ROW(CancelMappedTransfer, nothing, DISPATCH_LEVEL)
                                                                            ROW(ConfigureAdapterChannel, nothing, DISPATCH_LEVEL)
                                                                                ROW(GetDmaDomain, nothing, PASSIVE_LEVEL)
                                                                                    ROW(JoinDmaDomain, nothing, PASSIVE_LEVEL)
                                                                                        ROW(LeaveDmaDomain, nothing, PASSIVE_LEVEL)
                                                                                            ROW(KeFlushIoBuffers, nothing, DISPATCH_LEVEL)
};
enum { COUNT = sizeof CASES / sizeof CASES[0] };

/* A table has no entry twice, and none is missing: as many as DMA_OPERATIONS has pointers, IoGetDmaAdapter and KeFlushIoBuffers. */
static void the_table_is_complete(void **state)
{
    (void)state;
    assert_int_equal(COUNT, sizeof(DMA_OPERATIONS) / sizeof(PVOID) - 1 + 2);
}

static void call_it(void *context) { ((const struct level_case *)context)->call(); }

static ntmm_bugcheck run(const struct level_case *c, KIRQL irql)
{
    KIRQL         old;
    ntmm_bugcheck stop = { .code = 0 };
    start();
    c->before();
    KeRaiseIrql(irql, &old);
    if (!ntmm_catch_bugcheck(call_it, (void *)(uintptr_t)c, &stop))
        KeLowerIrql(old);
    return stop;
}

static void check_level_case(void **state)
{
    const struct level_case *c = *state;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    ntmm_bugcheck stop = run(c, c->highest);
    if (stop.code != 0)
        fail_msg("%s stops at IRQL %u with 0x%X/0x%llX", c->name, c->highest, stop.code, (unsigned long long)stop.parameter[0]);
    ntmm_shutdown(NULL);
    if (c->highest == HIGH_LEVEL)
        return;
    assert_int_equal(ntmm_boot(&(ntmm_config){ .quiet = true }), 0);
    stop = run(c, (KIRQL)(c->highest + 1));
    if (strstr(c->name, "Vector") != NULL) { /* they have a stop of their own */
        assert_int_equal(stop.code, 0x1DC);
        assert_int_equal(stop.parameter[0], 1);
    } else {
        assert_int_equal(stop.code, IRQL_NOT_LESS_OR_EQUAL);
        assert_int_equal(stop.parameter[1], c->highest + 1);
    }
}

static int shut_down(void **state)
{
    (void)state;
    ntmm_shutdown(NULL); /* whatever it holds: this is not about leaks */
    return 0;
}

int main(void)
{
    static struct CMUnitTest tests[COUNT + 1] = { cmocka_unit_test(the_table_is_complete) };
    for (size_t i = 0; i < COUNT; i++)
        tests[i + 1] = (struct CMUnitTest){ CASES[i].name, check_level_case, NULL, shut_down, (void *)(uintptr_t)&CASES[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
