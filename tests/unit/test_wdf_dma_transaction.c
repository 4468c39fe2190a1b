/*
 * test_wdf_dma_transaction.c - DMA transactions: the three ways to begin one, transfers one after another, the three ways to end one, reserved
 * map registers, waiting and cancelling, and the mistakes.
 */
#include "../support/wdf_dma.h"

#define LENGTH 0x10000u
#define BUFFER (12 * PAGE_SIZE)
#define SEED 5u

static const WDF_DMA_DIRECTION from_device = WdfDmaDirectionReadFromDevice, to_device = WdfDmaDirectionWriteToDevice;

/* ---- a device that moves bytes as soon as it is programmed ---- */

static struct {
    wdf_dma_t         dma;
    WDFDMATRANSACTION transaction;
    unsigned          calls;
    size_t            lengths[64]; /* of each transfer */
    ULONG             elements[64];
    size_t            moved;                     /* bytes so far */
    unsigned char     image[BUFFER + PAGE_SIZE]; /* what it was sent */
    bool              completes_inside;          /* the driver completes in EvtProgramDma */
    unsigned          depth, deepest;            /* how many calls of it are on the stack */
    BOOLEAN           over;
    NTSTATUS          status;
    WDFCONTEXT        context;
} it;

static void device_moves(WDF_DMA_DIRECTION direction, PSCATTER_GATHER_LIST list)
{
    static unsigned char pattern[BUFFER + PAGE_SIZE];
    dma_fill(pattern, sizeof pattern, SEED);
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        uint64_t at = (uint64_t)list->Elements[i].Address.QuadPart;
        if (direction == from_device)
            assert_int_equal(ntmm_device_write(it.dma.device, at, pattern + it.moved, list->Elements[i].Length), 0);
        else
            assert_int_equal(ntmm_device_read(it.dma.device, at, it.image + it.moved, list->Elements[i].Length), 0);
        it.moved += list->Elements[i].Length;
    }
}

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                       PSCATTER_GATHER_LIST list)
{
    size_t bytes = 0;
    it.depth++;
    it.deepest = it.depth > it.deepest ? it.depth : it.deepest;
    assert_irql(DISPATCH_LEVEL);
    assert_ptr_equal(transaction, it.transaction);
    assert_ptr_equal(device, it.dma.wdf);
    it.context = context;
    for (ULONG i = 0; i < list->NumberOfElements; i++)
        bytes += list->Elements[i].Length;
    it.lengths[it.calls] = WdfDmaTransactionGetCurrentDmaTransferLength(transaction);
    assert_int_equal(it.lengths[it.calls], bytes);
    it.elements[it.calls++] = list->NumberOfElements;
    device_moves(direction, list);
    if (it.completes_inside) {
        NTSTATUS status;
        if (WdfDmaTransactionDmaCompleted(transaction, &status)) {
            it.over = TRUE;
            it.status = status;
        }
    }
    it.depth--;
    return TRUE;
}

static void start(WDF_DMA_PROFILE profile, uint32_t registers, size_t length, ULONG version)
{
    memset(&it, 0, sizeof it);
    it.dma = wdf_dma_start(profile, registers, length, version);
    assert_int_equal(WdfDmaTransactionCreate(it.dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction), STATUS_SUCCESS);
}

static void stop(void) { wdf_dma_stop(&it.dma); }

/* A buffer of nonpaged memory, and an MDL of it. */
static unsigned char *buffer_make(size_t bytes, PMDL *mdl)
{
    unsigned char *buffer = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, DMA_TAG);
    assert_non_null(buffer);
    memset(buffer, 0xEE, bytes);
    *mdl = dma_mdl(buffer, (ULONG)bytes);
    return buffer;
}

static void buffer_free(unsigned char *buffer, PMDL mdl)
{
    dma_mdl_free(mdl);
    ExFreePoolWithTag(buffer, DMA_TAG);
}

/* Complete transfers until there are no more. */
static NTSTATUS complete_all(void)
{
    NTSTATUS status;
    while (!WdfDmaTransactionDmaCompleted(it.transaction, &status))
        assert_int_equal(status, STATUS_MORE_PROCESSING_REQUIRED);
    return status;
}

static void move(PMDL mdl, unsigned char *at, size_t bytes, WDF_DMA_DIRECTION direction)
{
    it.calls = 0;
    it.moved = 0;
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, direction, mdl, at, bytes), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, &it), STATUS_SUCCESS);
    assert_ptr_equal(it.context, &it);
    assert_int_equal(it.completes_inside ? it.status : complete_all(), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionGetBytesTransferred(it.transaction), bytes);
    assert_int_equal(WdfDmaTransactionGetCurrentDmaTransferLength(it.transaction), 0);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
}

/* ---- there and back, for each way ---- */

static struct way_case {
    const char     *name;
    WDF_DMA_PROFILE profile;
    uint32_t        registers;
    size_t          length;
    ULONG           version;
    unsigned        transfers; /* for all of BUFFER but 100 bytes at the beginning */
} WAYS[] = {
    { "lists: all at once", WdfDmaProfileScatterGather64, 0, BUFFER, 2, 1 },
    { "lists: five map registers", WdfDmaProfileScatterGather64, 5, BUFFER, 2, 3 },
    { "lists, version 3: five map registers", WdfDmaProfileScatterGather64, 5, BUFFER, 3, 3 },
    { "lists, 32 bits, duplex", WdfDmaProfileScatterGatherDuplex, 0, BUFFER, 2, 1 },
    { "lists, version 3, 64 bits, duplex", WdfDmaProfileScatterGather64Duplex, 0, 2 * PAGE_SIZE, 3, 6 },
    { "packet", WdfDmaProfilePacket, 0, BUFFER, 2, 1 },
    { "packet: five map registers", WdfDmaProfilePacket, 5, BUFFER, 2, 3 },
    { "packet: a page at a time", WdfDmaProfilePacket64, 0, PAGE_SIZE, 2, 12 },
    { "packet, version 3: five map registers", WdfDmaProfilePacket64, 5, BUFFER, 3, 3 },
};

static void goes_there_and_back(const struct way_case *c, bool completes_inside, PMDL mdl, unsigned char *buffer)
{
    size_t bytes = BUFFER - 100;
    start(c->profile, c->registers, c->length, c->version);
    it.completes_inside = completes_inside;
    move(mdl, buffer + 100, bytes, from_device);
    assert_int_equal(it.calls, c->transfers);
    assert_true(dma_is_filled(buffer + 100, bytes, SEED));
    assert_int_equal(buffer[99], 0xEE);
    dma_fill(buffer + 100, bytes, 77);
    move(mdl, buffer + 100, bytes, to_device);
    assert_int_equal(it.calls, c->transfers);
    assert_true(dma_is_filled(it.image, bytes, 77));
    stop();
}

static void moves_bytes_there_and_back(void **state)
{
    PMDL                   mdl;
    const struct way_case *c = *state;
    *state = NULL;
    assert_int_equal(ntmm_cmocka_setup(state), 0);
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    goes_there_and_back(c, false, mdl, buffer);
    memset(buffer, 0xEE, BUFFER);
    goes_there_and_back(c, true, mdl, buffer);
    bool packet = c->profile == WdfDmaProfilePacket || c->profile == WdfDmaProfilePacket64;
    assert_int_equal(it.deepest, packet || c->transfers == 1 ? 1 : c->transfers); /* packets do not pile up on the stack */
    buffer_free(buffer, mdl);
    assert_int_equal(ntmm_cmocka_teardown(state), 0);
}

/* Memory that the device does not reach is bounced; nothing is in the buffer before the flush. */
static void bounces_what_is_out_of_reach(void **state)
{
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = dma_high_memory(4 * PAGE_SIZE, DMA_ABOVE_4G);
    PMDL           mdl = dma_mdl(buffer, 4 * PAGE_SIZE);
    memset(buffer, 0xEE, 4 * PAGE_SIZE);
    start(WdfDmaProfileScatterGather, 0, LENGTH, 0);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 4 * PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_int_equal(buffer[0], 0xEE);
    assert_true(WdfDmaTransactionDmaCompleted(it.transaction, &status));
    assert_true(dma_is_filled(buffer, 4 * PAGE_SIZE, SEED));
    WdfObjectDelete(it.transaction);
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(buffer);
    stop();
}

/* ---- chains ---- */

/* Three MDLs: a page and a half, then two pieces of 100 bytes. */
static size_t chain_make(PMDL chain[3], unsigned char *buffers[3])
{
    static const size_t bytes[3] = { PAGE_SIZE + PAGE_SIZE / 2, 100, 100 };
    for (size_t i = 0; i < 3; i++)
        buffers[i] = buffer_make(bytes[i], &chain[i]);
    chain[0]->Next = chain[1];
    chain[1]->Next = chain[2];
    return bytes[0] + 200;
}

static void chain_free(PMDL chain[3], unsigned char *buffers[3])
{
    for (size_t i = 0; i < 3; i++)
        buffer_free(buffers[i], chain[i]);
}

static void takes_chains(WDF_DMA_PROFILE profile, uint32_t registers, ULONG version, unsigned transfers)
{
    PMDL           chain[3];
    unsigned char *buffers[3];
    size_t         bytes = chain_make(chain, buffers), first = PAGE_SIZE + PAGE_SIZE / 2;
    unsigned char  pattern[100];
    start(profile, registers, LENGTH, version);
    it.calls = 0;
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, from_device, chain[0], 10, bytes - 10),
                     STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_int_equal(complete_all(), STATUS_SUCCESS);
    assert_int_equal(it.calls, transfers);
    assert_true(dma_is_filled(buffers[0] + 10, first - 10, SEED));
    for (size_t i = 0; i < 100; i++)
        pattern[i] = (unsigned char)(SEED + (first + 90 + i) * 7 + ((first + 90 + i) >> 8));
    assert_memory_equal(buffers[2], pattern, 100);
    stop();
    chain_free(chain, buffers);
}

static void lists_take_chains(void **state)
{
    (void)state;
    takes_chains(WdfDmaProfileScatterGather64, 0, 2, 1);
    takes_chains(WdfDmaProfileScatterGather64, 0, 3, 1);
    takes_chains(WdfDmaProfileScatterGather64, 3, 2, 2); /* a transfer ends with an MDL when the next would not fit */
}

static void packets_of_version_3_take_chains(void **state)
{
    (void)state;
    takes_chains(WdfDmaProfilePacket64, 0, 3, 1);
}

static void packets_of_version_2_do_not(void **state)
{
    PMDL           chain[3];
    unsigned char *buffers[3];
    (void)state;
    size_t bytes = chain_make(chain, buffers);
    start(WdfDmaProfilePacket64, 0, LENGTH, 2);
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, from_device, chain[0], 0, bytes),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, from_device, chain[0], 0, 1000), STATUS_SUCCESS);
    stop();
    chain_free(chain, buffers);
}

/* ---- what Initialize refuses ---- */

static void refuses_bad_buffers(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, (size_t)MAXULONG + 1),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, SIZE_MAX), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, to_device, mdl, SIZE_MAX, 2),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, (WDF_DMA_DIRECTION)2, mdl, buffer, 10), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer - 1, 10), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer + BUFFER, 10), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer + 1, BUFFER), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, to_device, mdl, BUFFER, 1), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer, 10), STATUS_SUCCESS);
    assert_ptr_equal(WdfDmaTransactionGetDevice(it.transaction), it.dma.wdf);
    assert_null(WdfDmaTransactionGetRequest(it.transaction));
    stop();
    buffer_free(buffer, mdl);
}

static void too_fragmented(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfileScatterGather64, 0, BUFFER, 0);
    WdfDmaEnablerSetMaximumScatterGatherElements(it.dma.enabler, 4);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, BUFFER), STATUS_WDF_TOO_FRAGMENTED);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 3 * PAGE_SIZE), STATUS_SUCCESS);
    stop();
    buffer_free(buffer, mdl);
}

/* ---- one transfer or none ---- */

static void single_transfer_or_none(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfileScatterGather64, 6, 10 * PAGE_SIZE, 3);
    WdfDmaTransactionSetSingleTransferRequirement(it.transaction, TRUE);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer, BUFFER), STATUS_WDF_TOO_MANY_TRANSFERS);
    WdfDmaTransactionSetSingleTransferRequirement(it.transaction, TRUE); /* a failed one has reset it */
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, to_device, mdl, buffer, 8 * PAGE_SIZE),
                     STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS);
    WdfDmaTransactionSetSingleTransferRequirement(it.transaction, TRUE);
    WdfDmaEnablerSetMaximumScatterGatherElements(it.dma.enabler, 1);
    unsigned char *high = dma_high_memory(PAGE_SIZE, DMA_ABOVE_4G);
    PMDL           first = dma_mdl(buffer, 100), second = dma_mdl(high, 100);
    first->Next = second;
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(it.transaction, program, to_device, first, 0, 200), STATUS_WDF_TOO_FRAGMENTED);
    WdfDmaTransactionSetSingleTransferRequirement(it.transaction, TRUE);
    WdfDmaEnablerSetMaximumScatterGatherElements(it.dma.enabler, 100);
    move(mdl, buffer + 1, 5 * PAGE_SIZE,
         from_device); /* six pages: as many as there are map registers, and more than a transfer otherwise may have */
    assert_int_equal(it.calls, 1);
    move(mdl, buffer + 1, 5 * PAGE_SIZE + 1, from_device); /* Release has reset it */
    assert_int_equal(it.calls, 2);
    dma_mdl_free(first);
    dma_mdl_free(second);
    MmFreeContiguousMemory(high);
    stop();
    buffer_free(buffer, mdl);
}

static void a_short_single_transfer_is_too_many(void **state)
{
    PMDL     mdl;
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    memset(&it, 0, sizeof it);
    it.dma = wdf_dma_start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    WDFDMAENABLER single = wdf_dma_enabler(it.dma.wdf, WdfDmaProfilePacket64, BUFFER, 3, WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER);
    assert_int_equal(WdfDmaTransactionCreate(single, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, BUFFER), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_true(WdfDmaTransactionDmaCompletedWithLength(it.transaction, 1000, &status));
    assert_int_equal(status, STATUS_WDF_TOO_MANY_TRANSFERS);
    assert_int_equal(it.calls, 1);
    stop();
    buffer_free(buffer, mdl);
}

/* ---- completing ---- */

static void next_transfer_begins_where_the_device_ended(ULONG version, WDF_DMA_PROFILE profile)
{
    PMDL           mdl;
    NTSTATUS       status;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(profile, 5, BUFFER, version);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, BUFFER), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    for (unsigned i = 0; i < 5; i++) { /* 1,000 bytes of the first transfers, whatever they have */
        assert_int_equal(it.lengths[i], 4 * PAGE_SIZE);
        assert_false(WdfDmaTransactionDmaCompletedWithLength(it.transaction, 1000, &status));
        assert_int_equal(status, STATUS_MORE_PROCESSING_REQUIRED);
        it.moved = (i + 1) * 1000; /* the device has moved it before: its pattern goes on there */
        assert_int_equal(WdfDmaTransactionGetBytesTransferred(it.transaction), (i + 1) * 1000);
    }
    assert_int_equal(WdfDmaTransactionDmaCompletedFinal(it.transaction, 24, &status), TRUE);
    assert_int_equal(status, STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionGetBytesTransferred(it.transaction), 5024);
    stop();
    buffer_free(buffer, mdl);
}

static void partial_completions(void **state)
{
    (void)state;
    next_transfer_begins_where_the_device_ended(2, WdfDmaProfileScatterGather64);
    next_transfer_begins_where_the_device_ended(3, WdfDmaProfileScatterGather64);
    next_transfer_begins_where_the_device_ended(2, WdfDmaProfilePacket64);
    next_transfer_begins_where_the_device_ended(3, WdfDmaProfilePacket64);
}

/* What the device has not moved is not copied over what the buffer had. */
static void bytes_behind_a_short_packet_stay(void **state)
{
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = dma_high_memory(2 * PAGE_SIZE, DMA_ABOVE_4G); /* bounced */
    PMDL           mdl = dma_mdl(buffer, 2 * PAGE_SIZE);
    memset(buffer, 0xEE, 2 * PAGE_SIZE);
    start(WdfDmaProfilePacket, 0, LENGTH, 3);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 2 * PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_true(WdfDmaTransactionDmaCompletedFinal(it.transaction, 300, &status));
    assert_true(dma_is_filled(buffer, 300, SEED));
    for (size_t i = 300; i < 2 * PAGE_SIZE; i++)
        assert_int_equal(buffer[i], 0xEE);
    stop();
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(buffer);
}

static void more_than_the_transfer_has(void **state)
{
    PMDL     mdl;
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfileScatterGather64, 0, LENGTH, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 1000), STATUS_SUCCESS);
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
        if (i == 0)
            assert_int_equal(WdfDmaTransactionDmaCompletedWithLength(it.transaction, 1001, &status), TRUE);
        else
            assert_int_equal(WdfDmaTransactionDmaCompletedFinal(it.transaction, 1001, &status), FALSE); /* as documented */
        assert_int_equal(status, STATUS_INVALID_PARAMETER);
        assert_int_equal(WdfDmaTransactionGetBytesTransferred(it.transaction), 0);
        assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    }
    stop();
    buffer_free(buffer, mdl);
}

static void maximum_length_of_a_transaction(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfileScatterGather64, 0, 4 * PAGE_SIZE, 0);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 8 * PAGE_SIZE), STATUS_SUCCESS);
    WdfDmaTransactionSetMaximumLength(it.transaction, 100 * PAGE_SIZE); /* more than the enabler has: no effect */
    WdfDmaTransactionSetMaximumLength(it.transaction, 3 * PAGE_SIZE);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_int_equal(complete_all(), STATUS_SUCCESS);
    assert_int_equal(it.calls, 3);
    assert_int_equal(it.lengths[0], 3 * PAGE_SIZE);
    assert_int_equal(it.lengths[2], 2 * PAGE_SIZE);
    stop();
    buffer_free(buffer, mdl);
}

/* Its object may go as soon as a transaction is over. */
static BOOLEAN program_and_delete(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                  PSCATTER_GATHER_LIST list)
{
    NTSTATUS status;
    (void)device;
    (void)context;
    device_moves(direction, list);
    if (WdfDmaTransactionDmaCompleted(transaction, &status))
        WdfObjectDelete(transaction);
    return TRUE;
}

static void may_be_deleted_when_it_is_over(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfileScatterGather64, WdfDmaProfilePacket64 };
    PMDL                         mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    for (ULONG i = 0; i < 4; i++) {
        start(profiles[i / 2], 5, BUFFER, 2 + i % 2);
        assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program_and_delete, from_device, mdl, buffer, BUFFER), STATUS_SUCCESS);
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
        assert_true(dma_is_filled(buffer, BUFFER, SEED));
        stop();
    }
    buffer_free(buffer, mdl);
}

/* ---- what it takes ---- */

static void transfer_info(void **state)
{
    PMDL  mdl;
    ULONG registers, elements;
    (void)state;
    unsigned char *buffer = MmAllocateContiguousMemory(BUFFER, (PHYSICAL_ADDRESS){ .QuadPart = -1 });
    assert_non_null(buffer);
    mdl = dma_mdl(buffer, BUFFER);
    for (ULONG version = 2; version <= 3; version++) {
        start(WdfDmaProfileScatterGather64, 0, BUFFER, version);
        assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer + 10, 5 * PAGE_SIZE),
                         STATUS_SUCCESS);
        WdfDmaTransactionGetTransferInfo(it.transaction, &registers, &elements);
        assert_int_equal(registers, 6);
        assert_int_equal(elements, version == 2 ? 6 : 1); /* version 3 looks; version 2 counts pages */
        WdfDmaTransactionGetTransferInfo(it.transaction, NULL, NULL);
        stop();
    }
    dma_mdl_free(mdl);
    MmFreeContiguousMemory(buffer);
}

static void transfer_context(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(PAGE_SIZE, &mdl);
    start(WdfDmaProfilePacket64, 0, LENGTH, 3);
    assert_null(WdfDmaTransactionWdmGetTransferContext(it.transaction));
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 10), STATUS_SUCCESS);
    assert_non_null(WdfDmaTransactionWdmGetTransferContext(it.transaction));
    stop();
    start(WdfDmaProfilePacket64, 0, LENGTH, 2);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 10), STATUS_SUCCESS);
    assert_null(WdfDmaTransactionWdmGetTransferContext(it.transaction));
    stop();
    buffer_free(buffer, mdl);
}

/* ---- waiting for map registers ---- */

/* A second transaction, while the first has all map registers. */
static WDFDMATRANSACTION second_waits(PMDL mdl, unsigned char *buffer)
{
    WDFDMATRANSACTION first = it.transaction;
    assert_int_equal(WdfDmaTransactionInitialize(first, program, from_device, mdl, buffer, 4 * PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(first, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionCreate(it.dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction), STATUS_SUCCESS);
    it.calls = 0;
    it.moved = 0;
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer + 4 * PAGE_SIZE, 4 * PAGE_SIZE),
                     STATUS_SUCCESS);
    return first;
}

static void waits_until_there_are_map_registers(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfileScatterGather64, WdfDmaProfilePacket64 };
    PMDL                         mdl;
    NTSTATUS                     status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    for (unsigned i = 0; i < 2; i++) {
        memset(buffer, 0xEE, BUFFER);
        start(profiles[i], 5, BUFFER, 3);
        WDFDMATRANSACTION first = second_waits(mdl, buffer);
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
        assert_int_equal(it.calls, 0);
        assert_true(WdfDmaTransactionDmaCompleted(first, &status)); /* gives them back: the other goes on */
        assert_int_equal(it.calls, 1);
        assert_int_equal(complete_all(), STATUS_SUCCESS);
        assert_true(dma_is_filled(buffer, 4 * PAGE_SIZE, SEED));
        assert_true(dma_is_filled(buffer + 4 * PAGE_SIZE, 4 * PAGE_SIZE, SEED));
        stop();
    }
    buffer_free(buffer, mdl);
}

static void immediate_execution_does_not_wait(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfileScatterGather64, WdfDmaProfilePacket64 };
    PMDL                         mdl;
    NTSTATUS                     status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    for (unsigned i = 0; i < 2; i++) {
        start(profiles[i], 5, BUFFER, 3);
        WDFDMATRANSACTION first = second_waits(mdl, buffer);
        WdfDmaTransactionSetImmediateExecution(it.transaction, TRUE);
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_INSUFFICIENT_RESOURCES);
        assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
        assert_true(WdfDmaTransactionDmaCompleted(first, &status));
        assert_int_equal(it.calls, 0);
        WdfDmaTransactionSetImmediateExecution(it.transaction, TRUE);
        assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 1000), STATUS_SUCCESS);
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
        assert_int_equal(complete_all(), STATUS_SUCCESS);
        stop();
    }
    buffer_free(buffer, mdl);
}

static void waiting_can_be_cancelled(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfileScatterGather64, WdfDmaProfilePacket64 };
    PMDL                         mdl;
    NTSTATUS                     status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    for (unsigned i = 0; i < 2; i++) {
        start(profiles[i], 5, BUFFER, 3);
        WDFDMATRANSACTION first = second_waits(mdl, buffer);
        assert_false(WdfDmaTransactionCancel(first));          /* too late */
        assert_false(WdfDmaTransactionCancel(it.transaction)); /* too early: it is executed all the same */
        assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
        assert_true(WdfDmaTransactionCancel(it.transaction));
        assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
        assert_true(WdfDmaTransactionDmaCompleted(first, &status));
        assert_int_equal(it.calls, 0);
        stop();
    }
    buffer_free(buffer, mdl);
}

static void version_2_cancels_nothing_and_reserves_nothing(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfilePacket64, 5, BUFFER, 2);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 1000), STATUS_SUCCESS);
    assert_false(WdfDmaTransactionCancel(it.transaction));
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 2, NULL, NULL), STATUS_INVALID_DEVICE_REQUEST);
    WdfDmaTransactionFreeResources(it.transaction);
    WdfDmaTransactionSetImmediateExecution(it.transaction, TRUE);
    WdfDmaTransactionSetSingleTransferRequirement(it.transaction, TRUE);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_int_equal(complete_all(), STATUS_SUCCESS);
    stop();
    buffer_free(buffer, mdl);
}

/* A device object has one request for a channel at most, and version 2 says so to the second transaction. */
static void packets_of_version_2_are_busy(void **state)
{
    PMDL     mdl;
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfilePacket64, 0, BUFFER, 2);
    WDFDMATRANSACTION first = second_waits(mdl, buffer);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_WDF_BUSY);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    assert_true(WdfDmaTransactionDmaCompleted(first, &status));
    move(mdl, buffer, 1000, from_device);
    stop();
    buffer_free(buffer, mdl);
}

/* ---- map registers that stay ---- */

static unsigned reserved;
static void     on_reserved(WDFDMATRANSACTION transaction, PVOID context)
{
    assert_irql(DISPATCH_LEVEL);
    assert_ptr_equal(transaction, it.transaction);
    assert_ptr_equal(context, &reserved);
    reserved++;
}

static void reserved_map_registers_stay(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    reserved = 0;
    start(WdfDmaProfilePacket64, 5, BUFFER, 3);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 3, on_reserved, &reserved), STATUS_SUCCESS);
    assert_int_equal(reserved, 1);
    for (unsigned i = 0; i < 3; i++) {
        move(mdl, buffer, 4 * PAGE_SIZE, from_device); /* more than they map at once */
        assert_int_equal(it.calls, 2);
        assert_int_equal(it.lengths[0], 3 * PAGE_SIZE);
        assert_true(dma_is_filled(buffer, 4 * PAGE_SIZE, SEED));
    }
    assert_int_equal(reserved, 1);
    PDMA_ADAPTER adapter = WdfDmaEnablerWdmGetDmaAdapter(it.dma.enabler, from_device);
    WdfDmaTransactionFreeResources(it.transaction);
    assert_non_null(adapter);
    move(mdl, buffer, 4 * PAGE_SIZE, from_device);
    assert_int_equal(it.calls, 1);
    stop();
    buffer_free(buffer, mdl);
}

/* 0: as many as the buffer needs that is initialized. */
static void reserves_what_a_buffer_needs(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    reserved = 0;
    start(WdfDmaProfilePacket64, 5, BUFFER, 3);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 2 * PAGE_SIZE), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 0, on_reserved, &reserved), STATUS_SUCCESS);
    assert_int_equal(reserved, 1);
    move(mdl, buffer, 4 * PAGE_SIZE, from_device);
    assert_int_equal(it.lengths[0], 2 * PAGE_SIZE);
    WdfObjectDelete(it.transaction); /* and they go with it */
    stop();
    buffer_free(buffer, mdl);
}

static void reserving_is_refused(void **state)
{
    (void)state;
    start(WdfDmaProfilePacket64, 5, BUFFER, 3);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, (WDF_DMA_DIRECTION)2, 3, on_reserved, &reserved),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 6, on_reserved, &reserved),
                     STATUS_INSUFFICIENT_RESOURCES);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    stop();
    start(WdfDmaProfileScatterGather64, 5, BUFFER, 3);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 3, on_reserved, &reserved),
                     STATUS_INVALID_DEVICE_REQUEST);
    stop();
}

static void reserving_waits_and_can_be_given_up(void **state)
{
    PMDL     mdl;
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    reserved = 0;
    start(WdfDmaProfilePacket64, 5, BUFFER, 3);
    WDFDMATRANSACTION first = second_waits(mdl, buffer);
    assert_int_equal(WdfDmaTransactionAllocateResources(it.transaction, from_device, 3, on_reserved, &reserved), STATUS_SUCCESS);
    assert_int_equal(reserved, 0);
    WdfDmaTransactionFreeResources(it.transaction);
    assert_true(WdfDmaTransactionDmaCompleted(first, &status));
    assert_int_equal(reserved, 0);
    move(mdl, buffer, 4 * PAGE_SIZE, from_device);
    stop();
    buffer_free(buffer, mdl);
}

/* ---- the system's controller ---- */

static struct {
    unsigned              configured, completed;
    DMA_COMPLETION_STATUS status;
} controller;

static BOOLEAN on_configure(WDFDMATRANSACTION transaction, WDFDEVICE device, PVOID context, PMDL mdl, size_t offset, size_t length)
{
    assert_ptr_equal(transaction, it.transaction);
    assert_ptr_equal(device, it.dma.wdf);
    assert_ptr_equal(context, &controller);
    assert_non_null(mdl);
    assert_int_equal(offset, it.moved);
    assert_true(length != 0);
    controller.configured++;
    return TRUE;
}

static VOID on_complete(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                        DMA_COMPLETION_STATUS status)
{
    assert_irql(DISPATCH_LEVEL);
    assert_ptr_equal(transaction, it.transaction);
    assert_ptr_equal(device, it.dma.wdf);
    assert_ptr_equal(context, &controller);
    assert_int_equal(direction, from_device);
    controller.completed++;
    controller.status = status;
    it.over = WdfDmaTransactionDmaCompleted(transaction, &it.status);
}

/* The list of a transfer that the test's device makes later. */
static SCATTER_GATHER_ELEMENT pending_element;
static BOOLEAN program_later(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                             PSCATTER_GATHER_LIST list)
{
    (void)transaction;
    (void)device;
    (void)context;
    (void)direction;
    assert_int_equal(list->NumberOfElements, 1);
    pending_element = list->Elements[0];
    it.calls++;
    return TRUE;
}

static void system_start(WDF_DMA_PROFILE profile)
{
    ntmm_device_config             device = { .address_bits = 24, .map_registers = 5 };
    CM_PARTIAL_RESOURCE_DESCRIPTOR descriptor = { .Type = CmResourceTypeDma };
    WDF_DMA_SYSTEM_PROFILE_CONFIG  config;
    memset(&it, 0, sizeof it);
    memset(&controller, 0, sizeof controller);
    it.dma = wdf_dma_start_device(&device);
    it.dma.enabler = wdf_dma_enabler(it.dma.wdf, profile, BUFFER, 0, 0);
    WDF_DMA_SYSTEM_PROFILE_CONFIG_INIT(&config, (PHYSICAL_ADDRESS){ .QuadPart = 0 }, Width8Bits, &descriptor);
    assert_int_equal(WdfDmaEnablerConfigureSystemProfile(it.dma.enabler, &config, from_device), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionCreate(it.dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction), STATUS_SUCCESS);
    WdfDmaTransactionSetChannelConfigurationCallback(it.transaction, on_configure, &controller);
    WdfDmaTransactionSetTransferCompleteCallback(it.transaction, on_complete, &controller);
}

static void controller_moves_and_reports(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char  pattern[6 * PAGE_SIZE];
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    dma_fill(pattern, sizeof pattern, SEED);
    system_start(WdfDmaProfileSystem);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program_later, from_device, mdl, buffer, sizeof pattern), STATUS_SUCCESS);
    WdfDmaTransactionSetDeviceAddressOffset(it.transaction, 0x10);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    for (unsigned i = 1; !it.over; i++) {
        assert_int_equal(it.calls, i);
        assert_int_equal(controller.configured, i);
        assert_int_equal(controller.completed, i - 1);
        SCATTER_GATHER_ELEMENT now = pending_element;
        size_t                 at = it.moved;
        it.moved += now.Length;
        assert_int_equal(ntmm_device_write(it.dma.device, (uint64_t)now.Address.QuadPart, pattern + at, now.Length), 0);
        assert_int_equal(controller.completed, i);
        assert_int_equal(controller.status, DmaComplete);
    }
    assert_int_equal(it.status, STATUS_SUCCESS);
    assert_true(controller.completed >= 2);
    assert_true(dma_is_filled(buffer, sizeof pattern, SEED));
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    stop();
    buffer_free(buffer, mdl);
}

static void controller_is_stopped(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    system_start(WdfDmaProfileSystemDuplex);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program_later, to_device, mdl, buffer, 100),
                     STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program_later, from_device, mdl, buffer, 100), STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    WdfDmaTransactionStopSystemTransfer(it.transaction);
    assert_int_equal(controller.completed, 1);
    assert_int_equal(controller.status, DmaCancelled);
    assert_true(it.over);
    assert_int_equal(it.status, STATUS_CANCELLED);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    stop();
    buffer_free(buffer, mdl);
}

static void others_have_no_controller(void **state)
{
    (void)state;
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    WdfDmaTransactionSetChannelConfigurationCallback(it.transaction, on_configure, NULL);
    WdfDmaTransactionSetTransferCompleteCallback(it.transaction, on_complete, NULL);
    WdfDmaTransactionSetDeviceAddressOffset(it.transaction, 1);
    WdfDmaTransactionStopSystemTransfer(it.transaction);
    assert_true(strstr(ntmm_error(), "system profile") != NULL);
    stop();
}

/* ---- states ---- */

typedef enum step { CREATED, INITIALIZED, TRANSFER, COMPLETED, RELEASED } step_t;

static void bring_to(step_t step, PMDL mdl, unsigned char *buffer)
{
    NTSTATUS status;
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    if (step == CREATED)
        return;
    assert_int_equal(WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 100), STATUS_SUCCESS);
    if (step == INITIALIZED)
        return;
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    if (step == TRANSFER)
        return;
    assert_true(WdfDmaTransactionDmaCompleted(it.transaction, &status));
    if (step == RELEASED)
        assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
}

#define STOPS(step, number, ...) \
    do { \
        PMDL           mdl; \
        unsigned char *buffer = buffer_make(PAGE_SIZE, &mdl); \
        bring_to(step, mdl, buffer); \
        assert_bugcheck(WDF_VIOLATION, WDF_DMA_FATAL_ERROR, __VA_ARGS__); \
        assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)it.transaction); \
        assert_int_equal(ntmm_cmocka_caught.parameter[2], number); \
        ntmm_cmocka_reboot(); \
    } while (0)

static void stops_in_the_wrong_state(void **state)
{
    NTSTATUS status;
    (void)state;
    STOPS(CREATED, 1, WdfDmaTransactionExecute(it.transaction, NULL));
    STOPS(INITIALIZED, 3, (void)WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 10));
    STOPS(TRANSFER, 4, WdfDmaTransactionExecute(it.transaction, NULL));
    STOPS(TRANSFER, 4, WdfDmaTransactionRelease(it.transaction));
    STOPS(TRANSFER, 4, WdfObjectDelete(it.transaction));
    STOPS(TRANSFER, 4, WdfDmaTransactionFreeResources(it.transaction));
    STOPS(TRANSFER, 4, WdfDmaTransactionGetTransferInfo(it.transaction, NULL, NULL));
    STOPS(INITIALIZED, 3, WdfDmaTransactionDmaCompleted(it.transaction, &status));
    STOPS(COMPLETED, 5, WdfDmaTransactionDmaCompleted(it.transaction, &status));
    STOPS(COMPLETED, 5, (void)WdfDmaTransactionInitialize(it.transaction, program, from_device, mdl, buffer, 10));
    STOPS(COMPLETED, 5, (void)WdfDmaTransactionAllocateResources(it.transaction, from_device, 2, on_reserved, &reserved));
    STOPS(CREATED, 1, (void)WdfDmaTransactionAllocateResources(it.transaction, from_device, 0, on_reserved, &reserved));
    STOPS(CREATED, 1, (void)WdfDmaTransactionCancel(it.transaction));
    STOPS(RELEASED, 7, (void)WdfDmaTransactionCancel(it.transaction));
    STOPS(CREATED, 1, WdfDmaTransactionFreeResources(it.transaction));
}

static void completing_what_has_not_begun(void **state)
{
    PMDL     mdl;
    NTSTATUS status;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    start(WdfDmaProfilePacket64, 5, BUFFER, 3);
    (void)second_waits(mdl, buffer);
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    assert_bugcheck_all(WDF_VIOLATION, WDF_DMA_FATAL_ERROR, it.transaction, 4, ntmm_cmocka_caught.parameter[3],
                        WdfDmaTransactionDmaCompleted(it.transaction, &status));
}

static void release_once(void **state)
{
    PMDL mdl;
    (void)state;
    unsigned char *buffer = buffer_make(PAGE_SIZE, &mdl);
    bring_to(RELEASED, mdl, buffer);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_INVALID_DEVICE_STATE);
    stop();
    buffer_free(buffer, mdl);
}

static void stops_at_bad_arguments(void **state)
{
    WDFDMATRANSACTION transaction;
    (void)state;
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDmaTransactionCreate(it.dma.enabler, NULL, NULL));
    ntmm_cmocka_reboot();
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL,
                    WdfDmaTransactionInitialize(it.transaction, program, from_device, NULL, NULL, 1));
    ntmm_cmocka_reboot();
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfDmaTransactionCreate((WDFDMAENABLER)(void *)it.transaction, NULL, &transaction));
    ntmm_cmocka_reboot();
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfDmaTransactionExecute((WDFDMATRANSACTION)(void *)it.dma.enabler, NULL));
    ntmm_cmocka_reboot();
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    KIRQL irql;
    KeRaiseIrql(HIGH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDmaTransactionExecute(it.transaction, NULL));
}

static void parent_is_the_enabler(void **state)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFDMATRANSACTION     transaction;
    (void)state;
    start(WdfDmaProfilePacket64, 0, BUFFER, 3);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = it.dma.wdf;
    assert_int_equal(WdfDmaTransactionCreate(it.dma.enabler, &attributes, &transaction), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    WdfObjectDelete(it.dma.enabler); /* and the transaction with it */
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfDmaTransactionGetDevice(it.transaction));
}

/* ---- failures ---- */

static void one_life(void *context)
{
    PMDL              mdl = context;
    WDFDMATRANSACTION transaction = NULL;
    NTSTATUS          status = WdfDmaTransactionCreate(it.dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &transaction);
    if (!NT_SUCCESS(status)) {
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
        return;
    }
    it.transaction = transaction;
    it.calls = 0;
    it.moved = 0;
    assert_int_equal(WdfDmaTransactionInitializeUsingOffset(transaction, program, from_device, mdl, 0, mdl->ByteCount), STATUS_SUCCESS);
    status = WdfDmaTransactionExecute(transaction, NULL);
    if (NT_SUCCESS(status))
        while (!WdfDmaTransactionDmaCompleted(transaction, &status))
            ;
    if (!NT_SUCCESS(status))
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    WdfObjectDelete(transaction);
}

static void survives_every_failure(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfileScatterGather64, WdfDmaProfilePacket64 };
    PMDL                         mdl;
    (void)state;
    unsigned char *buffer = buffer_make(BUFFER, &mdl);
    for (ULONG i = 0; i < 6; i++) {
        memset(&it, 0, sizeof it);
        it.dma = wdf_dma_start(profiles[i % 2], 5, BUFFER, 2 + i / 2 % 2);
        if (i >= 4)
            it.dma.enabler = wdf_dma_enabler(it.dma.wdf, WdfDmaProfileScatterGather64, BUFFER, 2 + i % 2,
                                             WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION);
        assert_true(ntmm_for_each_failure(one_life, mdl) >= 2);
        stop();
    }
    buffer_free(buffer, mdl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(bounces_what_is_out_of_reach),
        ntmm_cmocka_test(lists_take_chains),
        ntmm_cmocka_test(packets_of_version_3_take_chains),
        ntmm_cmocka_test(packets_of_version_2_do_not),
        ntmm_cmocka_test(refuses_bad_buffers),
        ntmm_cmocka_test(too_fragmented),
        ntmm_cmocka_test(single_transfer_or_none),
        ntmm_cmocka_test(a_short_single_transfer_is_too_many),
        ntmm_cmocka_test(partial_completions),
        ntmm_cmocka_test(bytes_behind_a_short_packet_stay),
        ntmm_cmocka_test(more_than_the_transfer_has),
        ntmm_cmocka_test(maximum_length_of_a_transaction),
        ntmm_cmocka_test(may_be_deleted_when_it_is_over),
        ntmm_cmocka_test(transfer_info),
        ntmm_cmocka_test(transfer_context),
        ntmm_cmocka_test(waits_until_there_are_map_registers),
        ntmm_cmocka_test(immediate_execution_does_not_wait),
        ntmm_cmocka_test(waiting_can_be_cancelled),
        ntmm_cmocka_test(version_2_cancels_nothing_and_reserves_nothing),
        ntmm_cmocka_test(packets_of_version_2_are_busy),
        ntmm_cmocka_test(reserved_map_registers_stay),
        ntmm_cmocka_test(reserves_what_a_buffer_needs),
        ntmm_cmocka_test(reserving_is_refused),
        ntmm_cmocka_test(reserving_waits_and_can_be_given_up),
        ntmm_cmocka_test(controller_moves_and_reports),
        ntmm_cmocka_test(controller_is_stopped),
        ntmm_cmocka_test(others_have_no_controller),
        ntmm_cmocka_test(stops_in_the_wrong_state),
        ntmm_cmocka_test(completing_what_has_not_begun),
        ntmm_cmocka_test(release_once),
        ntmm_cmocka_test(stops_at_bad_arguments),
        ntmm_cmocka_test(parent_is_the_enabler),
        ntmm_cmocka_test(survives_every_failure),
    };
    struct CMUnitTest ways[sizeof WAYS / sizeof WAYS[0]];
    for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
        ways[i] = (struct CMUnitTest){ .name = WAYS[i].name, .test_func = moves_bytes_there_and_back, .initial_state = &WAYS[i] };
    return cmocka_run_group_tests_name("ways", ways, NULL, NULL) + cmocka_run_group_tests(tests, NULL, NULL);
}
