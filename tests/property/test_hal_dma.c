/*
 * test_hal_dma.c - random transfers over random pages against a model too simple to be wrong: two copies of every byte, what the driver's
 * buffers must hold and what the device must see. Devices of every kind, chains of MDLs over pages in any order, both directions, lists and
 * packets, flushed wholly or in parts. After each step ntmm_check; at the end every map register is there. Prints its seed; NTMM_SEED
 * replays it, NTMM_STEPS sets the length.
 */
#include <errno.h>
#include <stdlib.h>

#include "../support/dma.h"

enum { PAGES = 24, MDLS = 3, TRANSFERS = 4 };
#define BYTES (PAGES * PAGE_SIZE)

static uint64_t state_of_random;
static uint64_t below(uint64_t bound)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random % bound;
}

static char         *memory;       /* half of it low, half of it out of reach of 24 bits */
static char         *page[PAGES];  /* where the pages are */
static unsigned char model[BYTES]; /* what they must hold */
static bool          busy[PAGES];  /* in a transfer */

typedef struct transfer { /* under way */
    bool                 active, write, by_list;
    PMDL                 mdl[MDLS];
    unsigned             mdls;
    unsigned             where[MDLS][4], count[MDLS]; /* pages of each MDL */
    ULONG                bytes, offset, length;       /* of the chain; of the transfer in it */
    PSCATTER_GATHER_LIST list;
    PVOID                base;
    ULONG                registers;
    unsigned char        data[MDLS * 4 * PAGE_SIZE]; /* the device's copy */
    uint64_t             room[160];
    uint64_t             context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
} transfer_t;
static transfer_t transfers[TRANSFERS];
static dma_t      dma;
static bool       may_split; /* a device that takes one piece, behind an IOMMU: the rest needs another transfer */

/* The byte of the model at an offset of the chain. */
static unsigned char *byte_of(transfer_t *transfer, ULONG offset)
{
    unsigned i = 0;
    while (offset >= transfer->mdl[i]->ByteCount)
        offset -= transfer->mdl[i++]->ByteCount;
    ULONG at = transfer->mdl[i]->ByteOffset + offset;
    return &model[transfer->where[i][at / PAGE_SIZE] * PAGE_SIZE + at % PAGE_SIZE];
}

static void check_memory(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (!busy[i])
            assert_memory_equal(page[i], model + i * PAGE_SIZE, PAGE_SIZE);
}

/* ---- MDLs over pages in any order ---- */

static unsigned free_page(void)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        unsigned i = (unsigned)below(PAGES);
        if (!busy[i])
            return i;
    }
    return PAGES;
}

/* An MDL without a byte, as protocols chain them. */
static void make_empty_mdl(transfer_t *transfer, unsigned which)
{
    transfer->mdl[which] = dma_mdl(memory + below(PAGE_SIZE), 1);
    transfer->mdl[which]->ByteCount = 0;
    transfer->count[which] = 0;
}

static bool make_mdl(transfer_t *transfer, unsigned which)
{
    unsigned count = 1 + (unsigned)below(4);
    ULONG    begin = (ULONG)below(PAGE_SIZE), end = count == 1 ? begin + 1 + (ULONG)below(PAGE_SIZE - begin) : 1 + (ULONG)below(PAGE_SIZE);
    ULONG    bytes = count == 1 ? end - begin : (count - 1) * PAGE_SIZE - begin + end;
    PMDL     mdl = dma_mdl(memory + begin, bytes); /* the array is written over */
    transfer->mdl[which] = mdl;
    transfer->count[which] = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned p = free_page();
        if (p == PAGES)
            return false;
        busy[p] = true;
        transfer->where[which][transfer->count[which]++] = p;
        MmGetMdlPfnArray(mdl)[i] = (PFN_NUMBER)(MmGetPhysicalAddress(page[p]).QuadPart >> PAGE_SHIFT);
    }
    transfer->bytes += bytes;
    return true;
}

static void drop_mdls(transfer_t *transfer)
{
    for (unsigned i = 0; i < transfer->mdls; i++) {
        for (unsigned p = 0; p < transfer->count[i]; p++)
            busy[transfer->where[i][p]] = false;
        dma_mdl_free(transfer->mdl[i]);
    }
    transfer->active = false;
}

static bool make_mdls(transfer_t *transfer)
{
    unsigned wanted = 1 + (unsigned)below(MDLS);
    bool     whole = true;
    transfer->bytes = 0;
    for (transfer->mdls = 0; whole && transfer->mdls < wanted; transfer->mdls++) {
        if (wanted > 1 && below(4) == 0 && (transfer->bytes != 0 || transfer->mdls + 1 < wanted))
            make_empty_mdl(transfer, transfer->mdls);
        else
            whole = make_mdl(transfer, transfer->mdls);
        if (transfer->mdls != 0)
            transfer->mdl[transfer->mdls - 1]->Next = transfer->mdl[transfer->mdls];
    }
    if (!whole)
        drop_mdls(transfer);
    return whole;
}

/* ---- steps ---- */

static void start(transfer_t *transfer)
{
    if (!make_mdls(transfer))
        return;
    transfer->offset = (ULONG)below(transfer->bytes);
    transfer->length = 1 + (ULONG)below(transfer->bytes - transfer->offset);
    transfer->write = below(2) != 0;
    transfer->by_list = below(2) != 0;
    transfer->list = (PSCATTER_GATHER_LIST)transfer->room;
    DMA_TRANSFER_INFO info = { .Version = DMA_TRANSFER_INFO_VERSION1 };
    bool              complete = true;
    assert_int_equal(dma.op->GetDmaTransferInfo(dma.adapter, transfer->mdl[0], transfer->offset, transfer->length, FALSE, &info),
                     STATUS_SUCCESS);
    transfer->registers = info.V1.MapRegisterCount;
    NTSTATUS status;
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, transfer->context), STATUS_SUCCESS);
    if (transfer->by_list) {
        PVOID list;
        status = dma.op->BuildScatterGatherListEx(dma.adapter, NULL, transfer->context, transfer->mdl[0], transfer->offset,
                                                  transfer->length, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, transfer->write, transfer->room,
                                                  sizeof transfer->room, NULL, NULL, &list);
    } else {
        status = dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, transfer->context, transfer->registers, DMA_SYNCHRONOUS_CALLBACK, NULL,
                                                  NULL, &transfer->base);
    }
    if (status != STATUS_SUCCESS) {
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES); /* others have the registers */
        drop_mdls(transfer);
        return;
    }
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObjectKeepRegisters); /* the next one wants the channel */
    if (!transfer->by_list) {
        ULONG length = transfer->length, most = below(2) != 0 ? 64 : 1 + (ULONG)below(3); /* elements */
        ULONG room = (ULONG)(sizeof(SCATTER_GATHER_LIST) + most * sizeof(SCATTER_GATHER_ELEMENT));
        assert_int_equal(dma.op->MapTransferEx(dma.adapter, transfer->mdl[0], transfer->base, transfer->offset, 0, &length, transfer->write,
                                               transfer->list, room < sizeof transfer->room ? room : sizeof transfer->room, NULL, NULL),
                         STATUS_SUCCESS);
        if (!may_split && info.V1.ScatterGatherElementCount <= most)
            assert_int_equal(length, transfer->length);
        assert_in_range(length, 1, transfer->length);
        complete = length == transfer->length;
        transfer->length = length; /* of the others there is nothing to check */
    }
    if (complete)
        assert_int_equal(transfer->list->NumberOfElements, info.V1.ScatterGatherElementCount);
    transfer->active = true;
}

static void device_moves(transfer_t *transfer)
{
    ULONG done = 0;
    for (ULONG i = 0; i < transfer->length; i++)
        transfer->data[i] = transfer->write ? 0 : (unsigned char)below(256);
    for (ULONG i = 0; i < transfer->list->NumberOfElements; i++) {
        uint64_t address = (uint64_t)transfer->list->Elements[i].Address.QuadPart;
        ULONG    length = transfer->list->Elements[i].Length;
        assert_int_equal(transfer->write ? ntmm_device_read(dma.device, address, transfer->data + done, length)
                                         : ntmm_device_write(dma.device, address, transfer->data + done, length),
                         0);
        done += length;
    }
    assert_int_equal(done, transfer->length);
    for (ULONG i = 0; i < done; i++) {
        if (transfer->write)
            assert_int_equal(transfer->data[i], *byte_of(transfer, transfer->offset + i));
        else
            *byte_of(transfer, transfer->offset + i) = transfer->data[i];
    }
}

static void finish(transfer_t *transfer)
{
    device_moves(transfer);
    if (transfer->by_list) {
        dma.op->PutScatterGatherList(dma.adapter, transfer->list, transfer->write);
    } else {
        ULONG part = (ULONG)below(transfer->length); /* in two parts, any cut */
        if (part != 0)
            assert_int_equal(
                dma.op->FlushAdapterBuffersEx(dma.adapter, transfer->mdl[0], transfer->base, transfer->offset, part, transfer->write),
                STATUS_SUCCESS);
        assert_int_equal(dma.op->FlushAdapterBuffersEx(dma.adapter, transfer->mdl[0], transfer->base, transfer->offset + part,
                                                       transfer->length - part, transfer->write),
                         STATUS_SUCCESS);
        dma.op->FreeMapRegisters(dma.adapter, transfer->base, transfer->registers);
    }
    drop_mdls(transfer);
}

static void scribble(void)
{
    unsigned i = free_page();
    if (i == PAGES)
        return;
    size_t at = below(PAGE_SIZE), bytes = 1 + below(PAGE_SIZE - at);
    for (size_t b = at; b < at + bytes; b++)
        page[i][b] = (char)(model[i * PAGE_SIZE + b] = (unsigned char)below(256));
}

static void play(unsigned long steps)
{
    for (unsigned long i = 0; i < steps; i++) {
        transfer_t *transfer = &transfers[below(TRANSFERS)];
        if (below(4) == 0)
            scribble();
        else if (transfer->active)
            finish(transfer);
        else
            start(transfer);
        check_memory();
        if (i % 16 == 0 && !ntmm_check())
            fail_msg("%s", ntmm_error());
    }
    for (unsigned i = 0; i < TRANSFERS; i++)
        if (transfers[i].active)
            finish(&transfers[i]);
    check_memory();
}

static void no_register_is_lost(void)
{
    PVOID base;
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, transfers[0].context), STATUS_SUCCESS);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, transfers[0].context, dma.registers, DMA_SYNCHRONOUS_CALLBACK,
                                                      NULL, NULL, &base),
                     STATUS_SUCCESS);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObject);
}

static unsigned long number_from(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoul(text, NULL, 0) : otherwise;
}

static void random_transfers(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        bool     scatter_gather, iommu;
    } kinds[] = { { 64, true, false },  { 24, true, false }, { 32, true, false }, { 24, false, false },
                  { 64, false, false }, { 32, true, true },  { 32, false, true } };
    state_of_random = number_from("NTMM_SEED", 0x5EED0D3A);
    print_message("NTMM_SEED=%llu\n", (unsigned long long)state_of_random);
    memory = dma_high_memory(PAGE_SIZE, 0);
    char *low = MmAllocateContiguousMemory(PAGES / 2 * PAGE_SIZE, (PHYSICAL_ADDRESS){ .QuadPart = 0xFFFFFF });
    char *high = dma_high_memory(PAGES / 2 * PAGE_SIZE, DMA_ABOVE_ISA);
    assert_non_null(low);
    for (unsigned i = 0; i < PAGES; i++)
        page[i] = (i % 2 == 0 ? low : high) + i / 2 * PAGE_SIZE;
    memset(model, 0, sizeof model);
    memset(low, 0, PAGES / 2 * PAGE_SIZE);
    memset(high, 0, PAGES / 2 * PAGE_SIZE);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        dma = dma_start_iommu(kinds[i].bits, 24, kinds[i].scatter_gather, 23 * PAGE_SIZE, kinds[i].iommu);
        assert_int_equal(dma.registers, 24);
        may_split = kinds[i].iommu && !kinds[i].scatter_gather;
        KIRQL irql = dma_raise();
        play(number_from("NTMM_STEPS", 400));
        no_register_is_lost();
        KeLowerIrql(irql);
        dma_stop(&dma);
    }
    MmFreeContiguousMemory(low);
    MmFreeContiguousMemory(high);
    MmFreeContiguousMemory(memory);
}

int main(void)
{
    static const ntmm_config verified = { .verifier = NTMM_VERIFY_DMA, .quiet = true };
    const struct CMUnitTest  tests[] = { ntmm_cmocka_test(random_transfers), ntmm_cmocka_test_config(random_transfers, &verified) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
