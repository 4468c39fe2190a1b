/*
 * test_hal_dma_driver.c - DMA from end to end, as drivers and devices do it: a ring of descriptors, packets for an old device, scatter/gather
 * reads, and several threads that want the same map registers.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../support/dma.h"

/* ---- a network card: descriptors in a common buffer, packets by scatter/gather ---- */

typedef struct descriptor { /* as device and driver see it */
    uint64_t address;
    uint32_t length;
    uint32_t owned_by_device;
} descriptor_t;
#define RING 16u

typedef struct card {
    dma_t            dma;
    descriptor_t    *ring;
    PHYSICAL_ADDRESS ring_logical;
    ULONG            next;          /* the driver's */
    ULONG            device_next;   /* the device's */
    char             wire[1 << 16]; /* what the device sent */
    size_t           sent;
} card_t;

/* The device's own engine: follow the ring until a descriptor is not ours. */
static void card_runs(card_t *card)
{
    for (;;) {
        descriptor_t descriptor;
        uint64_t     at = (uint64_t)card->ring_logical.QuadPart + card->device_next * sizeof descriptor;
        assert_int_equal(ntmm_device_read(card->dma.device, at, &descriptor, sizeof descriptor), 0);
        if (!descriptor.owned_by_device)
            return;
        assert_int_equal(ntmm_device_read(card->dma.device, descriptor.address, card->wire + card->sent, descriptor.length), 0);
        card->sent += descriptor.length;
        descriptor.owned_by_device = 0;
        assert_int_equal(ntmm_device_write(card->dma.device, at, &descriptor, sizeof descriptor), 0);
        card->device_next = (card->device_next + 1) % RING;
    }
}

typedef struct sending {
    card_t              *card;
    PSCATTER_GATHER_LIST list;
} sending_t;

static VOID fill_ring(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    sending_t *sending = Context;
    card_t    *card = sending->card;
    (void)DeviceObject;
    (void)Irp;
    sending->list = ScatterGather;
    for (ULONG i = 0; i < ScatterGather->NumberOfElements; i++) {
        descriptor_t *descriptor = &card->ring[card->next];
        descriptor->address = (uint64_t)ScatterGather->Elements[i].Address.QuadPart;
        descriptor->length = ScatterGather->Elements[i].Length;
        KeMemoryBarrier();
        descriptor->owned_by_device = 1;
        card->next = (card->next + 1) % RING;
    }
}

static void a_card_sends_from_a_ring(void **state)
{
    (void)state;
    for (uint32_t bits = 24; bits <= 64; bits = bits == 24 ? 32 : bits == 32 ? 64 : 65) {
        static card_t card;
        memset(&card, 0, sizeof card);
        card.dma = dma_start(bits, 0, true, 0x4000);
        PDMA_OPERATIONS op = card.dma.op;
        card.ring = op->AllocateCommonBuffer(card.dma.adapter, sizeof(descriptor_t) * RING, &card.ring_logical, TRUE);
        assert_non_null(card.ring);
        memset(card.ring, 0, sizeof(descriptor_t) * RING);
        char     *packets = ExAllocatePoolWithTag(NonPagedPoolNx, 20 * 1500, DMA_TAG);
        sending_t sending = { &card, NULL };
        dma_fill(packets, 20 * 1500, bits);
        for (unsigned i = 0; i < 20; i++) {
            PMDL  mdl = dma_mdl(packets + i * 1500, 1500);
            KIRQL irql = dma_raise();
            assert_int_equal(op->GetScatterGatherList(card.dma.adapter, ntmm_device_object(card.dma.device), mdl,
                                                      MmGetMdlVirtualAddress(mdl), 1500, fill_ring, &sending, TRUE),
                             STATUS_SUCCESS);
            KeLowerIrql(irql);
            card_runs(&card);
            irql = dma_raise();
            op->PutScatterGatherList(card.dma.adapter, sending.list, TRUE);
            KeLowerIrql(irql);
            dma_mdl_free(mdl);
        }
        assert_int_equal(card.sent, 20 * 1500);
        assert_memory_equal(card.wire, packets, 20 * 1500);
        ExFreePoolWithTag(packets, DMA_TAG);
        op->FreeCommonBuffer(card.dma.adapter, sizeof(descriptor_t) * RING, card.ring_logical, card.ring, TRUE);
        dma_stop(&card.dma);
    }
}

/* ---- an old disk: 24 bits, one piece, few map registers; reads a long buffer packet by packet, driven by its interrupt's DPC ---- */

typedef struct disk {
    dma_t    dma;
    PMDL     mdl;
    PVOID    base; /* map registers */
    char    *va;   /* where the transfer has come to */
    ULONG    left, now, registers;
    uint64_t logical;
    bool     done;
    unsigned packets;
    KDPC     dpc;
} disk_t;

static void disk_next_packet(disk_t *disk)
{
    PDMA_OPERATIONS op = disk->dma.op;
    ULONG           most = disk->registers * PAGE_SIZE - BYTE_OFFSET(disk->va);
    disk->now = disk->left < most ? disk->left : most;
    disk->logical = (uint64_t)op->MapTransfer(disk->dma.adapter, disk->mdl, disk->base, disk->va, &disk->now, FALSE).QuadPart;
    disk->packets++;
}

static IO_ALLOCATION_ACTION disk_control(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    disk_t *disk = Context;
    (void)DeviceObject;
    (void)Irp;
    disk->base = MapRegisterBase;
    disk_next_packet(disk);
    return DeallocateObjectKeepRegisters;
}

static VOID disk_dpc(PKDPC Dpc, PVOID DeferredContext, PVOID SystemArgument1, PVOID SystemArgument2)
{
    disk_t         *disk = DeferredContext;
    PDMA_OPERATIONS op = disk->dma.op;
    (void)Dpc;
    (void)SystemArgument1;
    (void)SystemArgument2;
    op->FlushAdapterBuffers(disk->dma.adapter, disk->mdl, disk->base, disk->va, disk->now, FALSE);
    disk->va += disk->now;
    disk->left -= disk->now;
    if (disk->left != 0) {
        disk_next_packet(disk);
        return;
    }
    op->FreeMapRegisters(disk->dma.adapter, disk->base, disk->registers);
    disk->done = true;
}

static void an_old_disk_reads_in_packets(void **state)
{
    (void)state;
    disk_t disk = { .dma = dma_start(24, 5, false, 12 * PAGE_SIZE) };
    char  *block = dma_high_memory(13 * PAGE_SIZE, DMA_ABOVE_ISA), *platter = malloc(12 * PAGE_SIZE), *platter_at = platter;
    disk.va = block + 123;
    disk.left = 12 * PAGE_SIZE;
    disk.mdl = dma_mdl(disk.va, disk.left);
    disk.registers = disk.dma.registers;
    dma_fill(platter, 12 * PAGE_SIZE, 200);
    memset(block, 0, 13 * PAGE_SIZE);
    KeInitializeDpc(&disk.dpc, disk_dpc, &disk);
    KIRQL irql = dma_raise();
    assert_int_equal(
        disk.dma.op->AllocateAdapterChannel(disk.dma.adapter, ntmm_device_object(disk.dma.device), disk.registers, disk_control, &disk),
        STATUS_SUCCESS);
    KeLowerIrql(irql);
    while (!disk.done) {
        assert_int_equal(ntmm_device_write(disk.dma.device, disk.logical, platter_at, disk.now), 0);
        platter_at += disk.now;
        KeInsertQueueDpc(&disk.dpc, NULL, NULL);
        KeFlushQueuedDpcs();
    }
    assert_memory_equal(block + 123, platter, 12 * PAGE_SIZE);
    assert_int_equal(disk.packets, 3);
    free(platter);
    dma_mdl_free(disk.mdl);
    MmFreeContiguousMemory(block);
    dma_stop(&disk.dma);
}

/* ---- a read into memory that may go out, and into the process' own ---- */

static const ntmm_config FORCED = { .verifier = NTMM_VERIFY_FORCE_IRQL, .quiet = true };
static const ntmm_config VERIFIED = { .verifier = NTMM_VERIFY_DMA, .quiet = true };
static char              global_buffer[3000];

static VOID keep_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    *(PSCATTER_GATHER_LIST *)Context = ScatterGather;
}

static void read_into(dma_t *dma, char *buffer, ULONG bytes, unsigned seed)
{
    PSCATTER_GATHER_LIST list = NULL;
    char                *sent = malloc(bytes), *at = sent;
    PMDL                 mdl = IoAllocateMdl(buffer, bytes, FALSE, FALSE, NULL);
    MmProbeAndLockPages(mdl, KernelMode, IoWriteAccess);
    KIRQL irql = dma_raise();
    assert_int_equal(dma->op->GetScatterGatherList(dma->adapter, NULL, mdl, MmGetMdlVirtualAddress(mdl), bytes, keep_list, &list, FALSE),
                     STATUS_SUCCESS);
    KeLowerIrql(irql);
    ntmm_trim_pageable(); /* locked pages stay */
    dma_fill(sent, bytes, seed);
    for (ULONG i = 0; i < list->NumberOfElements; at += list->Elements[i++].Length)
        assert_int_equal(ntmm_device_write(dma->device, (uint64_t)list->Elements[i].Address.QuadPart, at, list->Elements[i].Length), 0);
    irql = dma_raise();
    dma->op->PutScatterGatherList(dma->adapter, list, FALSE);
    KeLowerIrql(irql);
    MmUnlockPages(mdl);
    IoFreeMdl(mdl);
    ntmm_page_out(); /* what the device wrote goes to the page file, and comes back */
    assert_memory_equal(buffer, sent, bytes);
    free(sent);
}

static void a_device_reads_into_any_memory(void **state)
{
    (void)state;
    char stack_buffer[2000];
    for (unsigned kind = 0; kind < 5; kind++) { /* in reach; bounced; bounced in one piece; behind an IOMMU, likewise */
        ntmm_device_config config = { .address_bits = kind == 0 ? 64 : 24, .scatter_gather = kind != 2 && kind != 4, .iommu = kind > 2 };
        DEVICE_DESCRIPTION description = dma_description(3, config.address_bits, config.scatter_gather, 16 * PAGE_SIZE);
        dma_t              dma = { .device = ntmm_device_create(&config) };
        dma.adapter = IoGetDmaAdapter(ntmm_device_object(dma.device), &description, &dma.registers);
        dma.op = dma.adapter->DmaOperations;
        char *pageable = ExAllocatePoolWithTag(PagedPool, 5 * PAGE_SIZE, DMA_TAG);
        memset(pageable, 1, 5 * PAGE_SIZE);
        ntmm_page_out();
        read_into(&dma, pageable + 17, 4 * PAGE_SIZE, kind);
        read_into(&dma, global_buffer + 1, sizeof global_buffer - 1, kind);
        read_into(&dma, stack_buffer, sizeof stack_buffer, kind);
        ExFreePoolWithTag(pageable, DMA_TAG);
        dma_stop(&dma);
    }
}

/* ---- four threads and eight map registers ---- */

#define THREADS 4
#define TRANSFERS 150u

typedef struct worker {
    dma_t               *dma;
    unsigned             number, done;
    char                *block;
    PMDL                 mdl;
    KEVENT               ready;
    PSCATTER_GATHER_LIST list;
    pthread_t            thread;
} worker_t;

static VOID list_is_ready(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    worker_t *worker = Context;
    (void)DeviceObject;
    (void)Irp;
    worker->list = ScatterGather;
    KeSetEvent(&worker->ready, 0, FALSE);
}

static bool one_transfer(worker_t *worker, unsigned turn)
{
    dma_t   *dma = worker->dma;
    ULONG    pages = 1 + (turn + worker->number) % 7, bytes = pages * PAGE_SIZE - 40;
    char     sent[64], *va = worker->block + 20;
    KIRQL    irql = dma_raise();
    NTSTATUS status = dma->op->GetScatterGatherList(dma->adapter, NULL, worker->mdl, va, bytes, list_is_ready, worker, FALSE);
    KeLowerIrql(irql);
    if (status != STATUS_SUCCESS || KeWaitForSingleObject(&worker->ready, Executive, KernelMode, FALSE, NULL) != STATUS_SUCCESS)
        return false;
    dma_fill(sent, sizeof sent, turn + worker->number);
    bool written = ntmm_device_write(dma->device, (uint64_t)worker->list->Elements[0].Address.QuadPart, sent, sizeof sent) == 0;
    irql = dma_raise();
    dma->op->PutScatterGatherList(dma->adapter, worker->list, FALSE);
    KeLowerIrql(irql);
    return written && memcmp(va, sent, sizeof sent) == 0;
}

static void *work(void *argument)
{
    worker_t *worker = argument;
    for (unsigned turn = 0; turn < TRANSFERS && one_transfer(worker, turn); turn++)
        worker->done++;
    return NULL;
}

/* The same with the adapter's one channel, kept from the callback until the transfer is over. */
static IO_ALLOCATION_ACTION channel_is_mine(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    worker_t *worker = Context;
    (void)DeviceObject;
    (void)Irp;
    worker->list = MapRegisterBase;
    KeSetEvent(&worker->ready, 0, FALSE);
    return KeepObject;
}

static _Atomic unsigned holders;
static bool             one_channel_transfer(worker_t *worker, unsigned turn)
{
    dma_t   *dma = worker->dma;
    ULONG    length = (1 + turn % 4) * PAGE_SIZE - 100, wanted = length;
    char    *va = worker->block + 50, sent[32];
    KIRQL    irql = dma_raise();
    NTSTATUS status = dma->op->AllocateAdapterChannel(dma->adapter, NULL, 1 + turn % 4, channel_is_mine, worker);
    KeLowerIrql(irql);
    if (status != STATUS_SUCCESS || KeWaitForSingleObject(&worker->ready, Executive, KernelMode, FALSE, NULL) != STATUS_SUCCESS)
        return false;
    bool alone = atomic_fetch_add(&holders, 1) == 0;
    dma_fill(sent, sizeof sent, turn + worker->number);
    irql = dma_raise();
    PHYSICAL_ADDRESS logical = dma->op->MapTransfer(dma->adapter, worker->mdl, worker->list, va, &length, FALSE);
    bool             written = ntmm_device_write(dma->device, (uint64_t)logical.QuadPart, sent, sizeof sent) == 0;
    dma->op->FlushAdapterBuffers(dma->adapter, worker->mdl, worker->list, va, length, FALSE);
    alone = atomic_fetch_sub(&holders, 1) == 1 && alone;
    dma->op->FreeAdapterChannel(dma->adapter);
    KeLowerIrql(irql);
    return alone && written && length == wanted && memcmp(va, sent, sizeof sent) == 0;
}

static void *work_by_channel(void *argument)
{
    worker_t *worker = argument;
    for (unsigned turn = 0; turn < TRANSFERS && one_channel_transfer(worker, turn); turn++)
        worker->done++;
    return NULL;
}

static void four_threads_share(void *(*work_of)(void *))
{
    dma_t           dma = dma_start(24, 8, true, 8 * PAGE_SIZE);
    static worker_t workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (worker_t){ .dma = &dma, .number = i, .block = dma_high_memory(8 * PAGE_SIZE, DMA_ABOVE_ISA) };
        workers[i].mdl = dma_mdl(workers[i].block, 8 * PAGE_SIZE);
        KeInitializeEvent(&workers[i].ready, SynchronizationEvent, FALSE);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work_of, &workers[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].done, TRANSFERS);
        dma_mdl_free(workers[i].mdl);
        MmFreeContiguousMemory(workers[i].block);
    }
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    PVOID    base; /* no register is lost */
    assert_int_equal(dma.op->InitializeDmaTransferContext(dma.adapter, context), STATUS_SUCCESS);
    assert_int_equal(dma.op->AllocateAdapterChannelEx(dma.adapter, NULL, context, 8, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &base),
                     STATUS_SUCCESS);
    dma.op->FreeAdapterObject(dma.adapter, DeallocateObject);
    dma_stop(&dma);
}

static void four_threads_share_eight_registers(void **state) { (void)state, four_threads_share(work); }
static void four_threads_share_one_channel(void **state) { (void)state, four_threads_share(work_by_channel); }

/* Adapters, channels and buffers come and go on all threads at once. */
static void *come_and_go(void *argument)
{
    ntmm_device       *device = argument;
    DEVICE_DESCRIPTION description = dma_description(3, 24, FALSE, 4 * PAGE_SIZE);
    for (unsigned turn = 0; turn < 60; turn++) {
        ULONG            registers;
        PHYSICAL_ADDRESS logical;
        uint64_t         context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
        PVOID            base, va;
        PDMA_ADAPTER     adapter = IoGetDmaAdapter(ntmm_device_object(device), &description, &registers);
        if (adapter == NULL)
            return "no adapter";
        va = adapter->DmaOperations->AllocateCommonBuffer(adapter, PAGE_SIZE, &logical, TRUE);
        adapter->DmaOperations->InitializeDmaTransferContext(adapter, context);
        if (NT_SUCCESS(adapter->DmaOperations->AllocateAdapterChannelEx(adapter, NULL, context, 1 + turn % 4, DMA_SYNCHRONOUS_CALLBACK,
                                                                        NULL, NULL, &base)))
            adapter->DmaOperations->FreeAdapterObject(adapter, DeallocateObject);
        if (va != NULL)
            adapter->DmaOperations->FreeCommonBuffer(adapter, PAGE_SIZE, logical, va, TRUE);
        adapter->DmaOperations->PutDmaAdapter(adapter);
    }
    return NULL;
}

static void adapters_come_and_go_on_four_threads(void **state)
{
    (void)state;
    ntmm_device *device = ntmm_device_create(&(ntmm_device_config){ .address_bits = 24, .map_registers = 6 });
    pthread_t    threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, device), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *why;
        pthread_join(threads[i], &why);
        assert_null(why);
    }
    ntmm_device_destroy(device);
    assert_true(ntmm_check());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_card_sends_from_a_ring),
        ntmm_cmocka_test(an_old_disk_reads_in_packets),
        ntmm_cmocka_test(a_device_reads_into_any_memory),
        ntmm_cmocka_test_config(a_device_reads_into_any_memory, &FORCED),
        ntmm_cmocka_test_config(a_device_reads_into_any_memory, &VERIFIED),
        ntmm_cmocka_test(four_threads_share_eight_registers),
        ntmm_cmocka_test(four_threads_share_one_channel),
        ntmm_cmocka_test(adapters_come_and_go_on_four_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
