/*
 * test_vf_dma.c - what Driver Verifier's DMA checking finds, each mistake on a machine of its own.
 */
#include <errno.h>
#include <pthread.h>

#include "../support/dma.h"

static const ntmm_config VERIFIED = { .verifier = NTMM_VERIFY_DMA, .quiet = true };

static PSCATTER_GATHER_LIST kept_list;
static VOID                 keep_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    kept_list = ScatterGather;
}

/* One device that reaches everything, one buffer of three pages, at DISPATCH_LEVEL. */
typedef struct scene {
    dma_t dma;
    char *block;
    PMDL  mdl;
} scene_t;
static scene_t scene_start(ULONG registers)
{
    scene_t scene = { .dma = dma_start(64, registers, true, 8 * PAGE_SIZE), .block = dma_high_memory(3 * PAGE_SIZE, 0) };
    scene.mdl = dma_mdl(scene.block, 3 * PAGE_SIZE);
    dma_raise();
    return scene;
}
static void scene_allocate(scene_t *scene, ULONG registers)
{
    assert_int_equal(scene->dma.op->AllocateAdapterChannel(scene->dma.adapter, NULL, registers, dma_keep_registers, NULL), STATUS_SUCCESS);
}
static PHYSICAL_ADDRESS scene_map(scene_t *scene, ULONG length, BOOLEAN write)
{
    return scene->dma.op->MapTransfer(scene->dma.adapter, scene->mdl, dma_kept_base, scene->block, &length, write);
}

/* ---- what is right passes ---- */

static void a_driver_without_mistakes_passes(void **state)
{
    (void)state;
    scene_t          scene = scene_start(8);
    char             sent[100];
    PHYSICAL_ADDRESS logical;
    scene_allocate(&scene, 3);
    dma_fill(scene.block, 3 * PAGE_SIZE, 1);
    dma_fill(sent, 100, 50);
    logical = scene_map(&scene, 100, FALSE);
    assert_int_equal(ntmm_device_write(scene.dma.device, (uint64_t)logical.QuadPart, sent, 100), 0);
    assert_true(dma_is_filled(scene.block, 100, 1)); /* copied, although the device reaches the memory */
    assert_true(scene.dma.op->FlushAdapterBuffers(scene.dma.adapter, scene.mdl, dma_kept_base, scene.block, 100, FALSE));
    assert_memory_equal(scene.block, sent, 100);
    scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 3);
    assert_int_equal(
        scene.dma.op->GetScatterGatherList(scene.dma.adapter, NULL, scene.mdl, scene.block, 3 * PAGE_SIZE, keep_list, NULL, FALSE),
        STATUS_SUCCESS);
    assert_int_equal(kept_list->NumberOfElements, 1);
    assert_int_equal(ntmm_device_write(scene.dma.device, (uint64_t)kept_list->Elements[0].Address.QuadPart + PAGE_SIZE, sent, 100), 0);
    scene.dma.op->PutScatterGatherList(scene.dma.adapter, kept_list, FALSE);
    assert_memory_equal(scene.block + PAGE_SIZE, sent, 100);
    KeLowerIrql(PASSIVE_LEVEL);
    char *va = scene.dma.op->AllocateCommonBuffer(scene.dma.adapter, 100, &logical, TRUE);
    assert_int_equal((uintptr_t)va % PAGE_SIZE, 0);
    memset(va, 0, 100);
    assert_int_equal(ntmm_device_read(scene.dma.device, (uint64_t)logical.QuadPart, sent, 100), 0);
    scene.dma.op->FreeCommonBuffer(scene.dma.adapter, 100, logical, va, TRUE);
    dma_mdl_free(scene.mdl);
    MmFreeContiguousMemory(scene.block);
    dma_stop(&scene.dma);
}

/* ---- mistakes ---- */

#define EXPECT(code, p2, p3, p4, ...) \
    assert_bugcheck_all(DRIVER_VERIFIER_DMA_VIOLATION, (code), (ULONG_PTR)(p2), (ULONG_PTR)(p3), (ULONG_PTR)(p4), __VA_ARGS__)

static void adapters_are_released_last(void **state)
{
    (void)state;
    PHYSICAL_ADDRESS logical;
    dma_t            dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    (void)dma.op->AllocateCommonBuffer(dma.adapter, 1, &logical, TRUE);
    (void)dma.op->AllocateCommonBuffer(dma.adapter, 1, &logical, TRUE);
    EXPECT(0x07, dma.adapter, 2, dma.adapter, dma.op->PutDmaAdapter(dma.adapter));
    ntmm_cmocka_reboot();
    scene_t scene = scene_start(8);
    (void)scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 1, dma_keep_object, NULL);
    EXPECT(0x08, scene.dma.adapter, 1, scene.dma.adapter, scene.dma.op->PutDmaAdapter(scene.dma.adapter));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 5);
    EXPECT(0x09, scene.dma.adapter, 5, scene.dma.adapter, scene.dma.op->PutDmaAdapter(scene.dma.adapter));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    (void)scene.dma.op->GetScatterGatherList(scene.dma.adapter, NULL, scene.mdl, scene.block, 1, keep_list, NULL, FALSE);
    EXPECT(0x0A, scene.dma.adapter, 1, scene.dma.adapter, scene.dma.op->PutDmaAdapter(scene.dma.adapter));
}

static void what_is_freed_too_often_is_told(void **state)
{
    (void)state;
    PHYSICAL_ADDRESS logical;
    dma_t            dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    PVOID            va = dma.op->AllocateCommonBuffer(dma.adapter, 10, &logical, TRUE);
    dma.op->FreeCommonBuffer(dma.adapter, 10, logical, va, TRUE);
    EXPECT(0x03, 1, 0, 0, dma.op->FreeCommonBuffer(dma.adapter, 10, logical, va, TRUE));
    ntmm_cmocka_reboot();
    scene_t scene = scene_start(8);
    EXPECT(0x04, 1, 0, 0, scene.dma.op->FreeAdapterChannel(scene.dma.adapter));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 2);
    scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 2);
    EXPECT(0x05, 2, 0, 0, scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 2));
}

static void limits_are_kept(void **state)
{
    (void)state;
    scene_t scene = scene_start(4);
    EXPECT(0x0C, 5, 4, 0, scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 5, dma_keep_object, NULL));
    ntmm_cmocka_reboot();
    scene = scene_start(4);
    (void)scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 1, dma_keep_object, NULL);
    EXPECT(0x0B, 2, 0, 0, scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 1, dma_keep_object, NULL));
    ntmm_cmocka_reboot();
    scene = scene_start(2);
    EXPECT(0x15, 3, 2, 0,
           scene.dma.op->GetScatterGatherList(scene.dma.adapter, NULL, scene.mdl, scene.block, 3 * PAGE_SIZE, keep_list, NULL, FALSE));
}

static void buffers_and_mdls_fit(void **state)
{
    (void)state;
    ULONG   length = 100;
    scene_t scene = scene_start(8);
#define MAP(va) scene.dma.op->MapTransfer(scene.dma.adapter, scene.mdl, dma_kept_base, (va), &length, FALSE)
#define GET(va, bytes) scene.dma.op->GetScatterGatherList(scene.dma.adapter, NULL, scene.mdl, (va), (bytes), keep_list, NULL, FALSE)
    scene_allocate(&scene, 3);
    length = 0;
    EXPECT(0x21, scene.dma.adapter, 0, 0, MAP(scene.block));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    length = 100;
    EXPECT(0x1B, scene.block + 3 * PAGE_SIZE, scene.mdl, 0, MAP(scene.block + 3 * PAGE_SIZE));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    EXPECT(0x1F, 3, scene.mdl, 100, MAP(scene.block + 3 * PAGE_SIZE - 99));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    EXPECT(0x1F, 1, scene.block - 1, scene.mdl, GET(scene.block - 1, 10));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    EXPECT(0x1F, 1, NULL, scene.mdl, GET(NULL, 10));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    EXPECT(0x1F, 2, scene.block + 3 * PAGE_SIZE + 1, scene.mdl, GET(scene.block + 3 * PAGE_SIZE + 1, 10));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    EXPECT(0x24, 7, 0, 0, GET(scene.block + 17, 3 * PAGE_SIZE - 10));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene.mdl->MdlFlags = 0;
    EXPECT(0x0E, scene.mdl, 0, 0, GET(scene.block, 10));
}

/* A device that moves units of 16 bytes. */
static void transfers_are_whole_units(void **state)
{
    (void)state;
    static const struct {
        ULONG    at, length;
        unsigned code;
    } rows[] = { { 8, 32, 4 }, { 16, 24, 5 } };
    const ntmm_device_config impossible = { .dma_alignment = 24 }, units = { .dma_alignment = 16, .scatter_gather = true };
    assert_null(ntmm_device_create(&impossible));
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        ULONG              registers, length = rows[i / 2].length;
        DEVICE_DESCRIPTION description = dma_description(1, 64, TRUE, 8 * PAGE_SIZE);
        ntmm_device       *device = ntmm_device_create(&units);
        PDMA_ADAPTER       adapter = IoGetDmaAdapter(ntmm_device_object(device), &description, &registers);
        char              *block = dma_high_memory(PAGE_SIZE, 0), *start = block + rows[i / 2].at;
        PMDL               mdl = dma_mdl(block, PAGE_SIZE);
        ULONG_PTR          what = rows[i / 2].code == 4 ? (ULONG_PTR)start : length;
        assert_int_equal(adapter->DmaOperations->GetDmaAlignment(adapter), 16);
        dma_raise();
        if (i % 2 == 0) {
            EXPECT(0x1F, rows[i / 2].code, what, mdl,
                   adapter->DmaOperations->GetScatterGatherList(adapter, NULL, mdl, start, length, keep_list, NULL, FALSE));
        } else {
            (void)adapter->DmaOperations->AllocateAdapterChannel(adapter, NULL, 1, dma_keep_registers, NULL);
            EXPECT(0x1F, rows[i / 2].code, what, mdl,
                   adapter->DmaOperations->MapTransfer(adapter, mdl, dma_kept_base, start, &length, FALSE));
        }
        ntmm_cmocka_reboot();
    }
}

static void mappings_are_flushed(void **state)
{
    (void)state;
    ULONG   length = 100;
    scene_t scene = scene_start(8);
#define FLUSH(va, bytes) scene.dma.op->FlushAdapterBuffers(scene.dma.adapter, scene.mdl, dma_kept_base, (va), (bytes), FALSE)
    scene_allocate(&scene, 3);
    (void)scene_map(&scene, 100, FALSE);
    EXPECT(0x10, 1, 0, 0, scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 3));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    (void)scene_map(&scene, 100, FALSE);
    assert_bugcheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x1D, MAP(scene.block + 50));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)scene.block + 50);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)scene.block + 149);
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 1);
    (void)scene_map(&scene, 100, FALSE);
    EXPECT(0x0D, PAGE_SIZE + 100, PAGE_SIZE, 0, MAP(scene.block + PAGE_SIZE));
    ntmm_cmocka_reboot();
    scene = scene_start(8); /* nothing is mapped yet; so many bytes take three registers */
    scene_allocate(&scene, 2);
    length = 2 * PAGE_SIZE;
    EXPECT(0x00, 2, 3, 2, MAP(scene.block + 1));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 2);
    (void)MAP(scene.block); /* and from a page's start two */
    assert_int_equal(length, 2 * PAGE_SIZE);
    EXPECT(0x10, 2, 0, 0, scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 2));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    assert_bugcheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x16, FLUSH(scene.block, 100));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    (void)scene_map(&scene, 100, FALSE);
    EXPECT(0x20, dma_kept_base, scene.block + PAGE_SIZE, scene.mdl, FLUSH(scene.block + PAGE_SIZE, 100));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    scene_allocate(&scene, 3);
    (void)scene_map(&scene, 100, FALSE);
    EXPECT(0x00, 1, 3 * PAGE_SIZE, 4 * PAGE_SIZE, FLUSH(scene.block, 4 * PAGE_SIZE));
}

/* The routine's return value frees them as well, and so does FreeAdapterObject. */
static IO_ALLOCATION_ACTION maps_and_lets_go(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    scene_t *scene = Context;
    (void)dma_keep_registers(DeviceObject, Irp, MapRegisterBase, NULL);
    (void)scene_map(scene, 2 * PAGE_SIZE, TRUE);
    return DeallocateObject;
}
static void registers_that_map_are_not_let_go(void **state)
{
    uint64_t context[DMA_TRANSFER_CONTEXT_SIZE_V1 / 8];
    (void)state;
    scene_t scene = scene_start(8);
    EXPECT(0x10, 2, 0, 0, scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 3, maps_and_lets_go, &scene));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    assert_int_equal(scene.dma.op->InitializeDmaTransferContext(scene.dma.adapter, context), STATUS_SUCCESS);
    assert_int_equal(
        scene.dma.op->AllocateAdapterChannelEx(scene.dma.adapter, NULL, context, 3, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &dma_kept_base),
        STATUS_SUCCESS);
    (void)scene_map(&scene, 100, TRUE);
    EXPECT(0x10, 1, 0, 0, scene.dma.op->FreeAdapterObject(scene.dma.adapter, DeallocateObject));
}

static void memory_around_buffers_is_watched(void **state)
{
    (void)state;
    static const struct {
        ptrdiff_t at; /* from the buffer's first byte; its length is 100 */
        unsigned  code;
    } damage[] = { { -1, 1 }, { 100, 2 }, { -9, 4 }, { -(ptrdiff_t)PAGE_SIZE, 4 }, { 108, 5 }, { 2 * PAGE_SIZE - 1, 5 } };
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        PHYSICAL_ADDRESS logical;
        dma_t            dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
        char            *va = dma.op->AllocateCommonBuffer(dma.adapter, 100, &logical, TRUE), byte = 1;
        uint64_t         at = (uint64_t)logical.QuadPart + (uint64_t)damage[i].at;
        assert_int_equal(ntmm_device_write(dma.device, at, &byte, 1), 0); /* the device did it */
        EXPECT(0x0F, damage[i].code, damage[i].code < 3 ? 100 : (ULONG_PTR)va, damage[i].code < 3 ? va : va + damage[i].at,
               dma.op->FreeCommonBuffer(dma.adapter, 100, logical, va, TRUE));
        ntmm_cmocka_reboot();
    }
    scene_t scene = scene_start(8); /* a device that goes on after its registers were freed */
    char    byte = 1;
    scene_allocate(&scene, 2);
    PHYSICAL_ADDRESS logical = scene_map(&scene, 100, FALSE);
    assert_true(FLUSH(scene.block, 100));
    scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 2);
    assert_int_equal(ntmm_device_write(scene.dma.device, (uint64_t)logical.QuadPart + 7, &byte, 1), 0);
    assert_bugcheck(DRIVER_VERIFIER_DMA_VIOLATION, 0x0F, scene_allocate(&scene, 2));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], 3);
    assert_int_equal(MmGetPhysicalAddress((PVOID)ntmm_cmocka_caught.parameter[2]).QuadPart, logical.QuadPart + 7);
}

static void levels_versions_and_old_names(void **state)
{
    (void)state;
    ULONG              registers;
    DEVICE_DESCRIPTION description = dma_description(9, 64, TRUE, PAGE_SIZE);
    EXPECT(0x25, 0, 0, 0, IoGetDmaAdapter(NULL, &description, &registers));
    ntmm_cmocka_reboot();
    description = dma_description(1, 64, TRUE, PAGE_SIZE);
    EXPECT(0x1E, 0, 0, 0, HalGetAdapter(&description, &registers));
    ntmm_cmocka_reboot();
    dma_t dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    EXPECT(0x13, 1, DISPATCH_LEVEL, PASSIVE_LEVEL, dma.op->AllocateAdapterChannel(dma.adapter, NULL, 1, dma_keep_object, NULL));
    ntmm_cmocka_reboot();
    PHYSICAL_ADDRESS logical;
    dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    dma_raise();
    EXPECT(0x13, 2, PASSIVE_LEVEL, DISPATCH_LEVEL, dma.op->AllocateCommonBuffer(dma.adapter, 10, &logical, TRUE));
    ntmm_cmocka_reboot();
    dma = dma_start(64, 8, true, 8 * PAGE_SIZE);
    dma.op->PutDmaAdapter(dma.adapter);
    EXPECT(0x18, dma.adapter, 0, 0, dma.op->ReadDmaCounter(dma.adapter));
    ntmm_cmocka_reboot();
    EXPECT(0x19, 0, 0, 0, IoReadDmaCounter(NULL));
}

/* A routine whose page names no level: there is none to tell. */
static void a_level_that_no_page_names(void **state)
{
    (void)state;
    KIRQL   irql;
    scene_t scene = scene_start(8);
    assert_int_equal(scene.dma.op->FlushDmaBuffer(scene.dma.adapter, scene.mdl, TRUE), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL + 1, &irql);
    EXPECT(0x14, 0, 0, 0, scene.dma.op->FlushDmaBuffer(scene.dma.adapter, scene.mdl, TRUE));
}

/* ---- references ---- */

static VOID puts_list_and_adapter(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    dma_t *dma = Context;
    (void)DeviceObject;
    (void)Irp;
    dma->op->PutScatterGatherList(dma->adapter, ScatterGather, FALSE);
    dma->op->PutDmaAdapter(dma->adapter);
}
static IO_ALLOCATION_ACTION frees_channel_and_puts_adapter(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    dma_t *dma = Context;
    (void)DeviceObject;
    (void)Irp;
    (void)MapRegisterBase;
    dma->op->FreeAdapterChannel(dma->adapter);
    dma->op->PutDmaAdapter(dma->adapter);
    return KeepObject;
}
static VOID frees_all_and_puts_adapter(PDMA_ADAPTER DmaAdapter, PDEVICE_OBJECT DeviceObject, PVOID CompletionContext,
                                       DMA_COMPLETION_STATUS Status)
{
    (void)DeviceObject;
    (void)Status;
    (void)DmaAdapter->DmaOperations->FlushAdapterBuffersEx(DmaAdapter, CompletionContext, dma_kept_base, 0, 4, TRUE);
    DmaAdapter->DmaOperations->FreeAdapterObject(DmaAdapter, DeallocateObject);
    DmaAdapter->DmaOperations->PutDmaAdapter(DmaAdapter);
}

/* Nothing is held, but the adapter is in a call of the driver's routine. */
static void adapters_in_use_are_not_released(void **state)
{
    (void)state;
    scene_t scene = scene_start(8);
    EXPECT(
        0x11, 1, scene.dma.adapter, scene.dma.adapter,
        scene.dma.op->GetScatterGatherList(scene.dma.adapter, NULL, scene.mdl, scene.block, 1, puts_list_and_adapter, &scene.dma, FALSE));
    ntmm_cmocka_reboot();
    scene = scene_start(8);
    EXPECT(0x11, 1, scene.dma.adapter, scene.dma.adapter,
           scene.dma.op->AllocateAdapterChannel(scene.dma.adapter, NULL, 1, frees_channel_and_puts_adapter, &scene.dma));
    ntmm_cmocka_reboot();
    scene = scene_start(8); /* held, though there is nothing to count */
    scene_allocate(&scene, 0);
    EXPECT(0x11, 1, scene.dma.adapter, scene.dma.adapter, scene.dma.op->PutDmaAdapter(scene.dma.adapter));
    ntmm_cmocka_reboot();
    DEVICE_DESCRIPTION       description = { .Version = DEVICE_DESCRIPTION_VERSION3, .MaximumLength = PAGE_SIZE };
    const ntmm_device_config config = { .address_bits = 24 };
    ULONG                    registers, length = 4;
    ntmm_device             *device = ntmm_device_create(&config);
    PDMA_ADAPTER             adapter = IoGetDmaAdapter(ntmm_device_object(device), &description, &registers);
    UCHAR                    context[DMA_TRANSFER_CONTEXT_SIZE_V1], moved[4];
    char                    *block = dma_high_memory(PAGE_SIZE, 0), room[sizeof(SCATTER_GATHER_LIST) + sizeof(SCATTER_GATHER_ELEMENT)];
    PMDL                     mdl = dma_mdl(block, 4);
    PSCATTER_GATHER_LIST     list = (PSCATTER_GATHER_LIST)(void *)room;
    dma_raise();
    assert_int_equal(adapter->DmaOperations->InitializeDmaTransferContext(adapter, context), STATUS_SUCCESS);
    assert_int_equal(
        adapter->DmaOperations->AllocateAdapterChannelEx(adapter, NULL, context, 1, DMA_SYNCHRONOUS_CALLBACK, NULL, NULL, &dma_kept_base),
        STATUS_SUCCESS);
    assert_int_equal(adapter->DmaOperations->MapTransferEx(adapter, mdl, dma_kept_base, 0, 0, &length, TRUE, list, sizeof room,
                                                           frees_all_and_puts_adapter, mdl),
                     STATUS_SUCCESS);
    EXPECT(0x11, 1, adapter, adapter, ntmm_device_read(device, (uint64_t)list->Elements[0].Address.QuadPart, moved, 4));
}

/* ---- addresses ---- */

static struct {
    PVOID  base;
    SIZE_T bytes;
} taken[4096];
static size_t taken_count;

/* All system PTEs: I/O space is mapped until there are none. */
static void take_system_ptes(void)
{
    const PHYSICAL_ADDRESS window = { .QuadPart = 900ll << 30 };
    const SIZE_T           most = 64u << 20;
    assert_int_equal(ntmm_io_space_add(900ull << 30, most), 0);
    for (SIZE_T bytes = most; bytes >= PAGE_SIZE; bytes /= 2)
        while (taken_count < 4096 && (taken[taken_count].base = MmMapIoSpace(window, bytes, MmNonCached)) != NULL)
            taken[taken_count++].bytes = bytes;
    assert_in_range(taken_count, 1, 4095);
}
static void give_system_ptes(void)
{
    while (taken_count > 0) {
        taken_count--;
        MmUnmapIoSpace(taken[taken_count].base, taken[taken_count].bytes);
    }
    (void)ntmm_io_space_remove(900ull << 30);
}

static void a_copied_buffer_needs_an_address(void **state)
{
    (void)state;
    enum { COULD_BE_MAPPED, IS_MAPPED, MAP_WITHOUT, LIST_WITHOUT, STEPS };
    for (int step = COULD_BE_MAPPED; step < STEPS; step++) {
        const PHYSICAL_ADDRESS any = { .QuadPart = -1 }, zero = { .QuadPart = 0 };
        ULONG                  length = 100;
        scene_t                scene = { .dma = dma_start(64, 8, true, 8 * PAGE_SIZE) };
        scene.mdl = MmAllocatePagesForMdl(zero, any, zero, 2 * PAGE_SIZE);
        assert_non_null(scene.mdl);
        scene.block = MmGetMdlVirtualAddress(scene.mdl);
        assert_true(step != IS_MAPPED || MmGetSystemAddressForMdlSafe(scene.mdl, NormalPagePriority) != NULL);
        taken_count = 0;
        if (step != COULD_BE_MAPPED)
            take_system_ptes();
        dma_raise();
        scene_allocate(&scene, 2);
        if (step >= MAP_WITHOUT) {
            if (step == MAP_WITHOUT)
                EXPECT(0x22, scene.mdl, 0, 0, MAP(scene.block));
            else
                EXPECT(0x22, scene.mdl, 0, 0, GET(scene.block, 100));
            ntmm_cmocka_reboot();
            continue;
        }
        (void)MAP(scene.block);
        assert_int_equal(length, 100);
        assert_true(scene.dma.op->FlushAdapterBuffers(scene.dma.adapter, scene.mdl, dma_kept_base, scene.block, 100, FALSE));
        scene.dma.op->FreeMapRegisters(scene.dma.adapter, dma_kept_base, 2);
        KeLowerIrql(PASSIVE_LEVEL);
        give_system_ptes();
        MmFreePagesFromMdl(scene.mdl);
        ExFreePool(scene.mdl);
        dma_stop(&scene.dma);
    }
}

/* ---- a defective machine ---- */

static void the_performance_counter_is_watched(void **state)
{
    (void)state;
    enum { SECOND = 10000000 };
    (void)KeQueryPerformanceCounter(NULL);
    assert_int_equal(ntmm_performance_counter_jump(SECOND / 2), 0); /* a little ahead: nobody can tell */
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart >= SECOND / 2);
    assert_int_equal(ntmm_performance_counter_jump(-SECOND / 2), 0);
    EXPECT(0x01, 0, 0, 0, KeQueryPerformanceCounter(NULL));
    assert_non_null(strstr(ntmm_error(), "performance counter was"));
    ntmm_cmocka_reboot();
    (void)KeQueryPerformanceCounter(NULL);
    assert_int_equal(ntmm_performance_counter_jump(2 * SECOND), 0);
    EXPECT(0x02, 0, 0, 0, KeQueryPerformanceCounter(NULL));
    ntmm_cmocka_reboot(); /* which repairs it */
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart < 2 * SECOND);
}

static void *query_often(void *unused)
{
    LONGLONG before = 0, now;
    (void)unused;
    for (unsigned i = 0; i < 20000; i++, before = now) {
        now = KeQueryPerformanceCounter(NULL).QuadPart;
        assert_true(now >= before);
    }
    return NULL;
}
/* Who is told a value first is not who asked first: that is no defect. */
static void two_threads_query_a_sound_counter(void **state)
{
    pthread_t other;
    (void)state;
    assert_int_equal(pthread_create(&other, NULL, query_often, NULL), 0);
    (void)query_often(NULL);
    assert_int_equal(pthread_join(other, NULL), 0);
}

static void a_controllers_transfer_is_over_before_the_flush(void **state)
{
    (void)state;
    DEVICE_DESCRIPTION description = { .Version = 1, .DmaChannel = 3, .MaximumLength = PAGE_SIZE };
    ULONG              registers, length = 100;
    PDMA_ADAPTER       adapter = IoGetDmaAdapter(NULL, &description, &registers);
    char              *block = dma_high_memory(PAGE_SIZE, 0);
    PMDL               mdl = dma_mdl(block, 100);
    dma_raise();
    assert_int_equal(adapter->DmaOperations->AllocateAdapterChannel(adapter, NULL, 1, dma_keep_object, NULL), STATUS_SUCCESS);
    (void)adapter->DmaOperations->MapTransfer(adapter, mdl, dma_kept_base, block, &length, TRUE);
    EXPECT(0x23, 0, 0, 3, adapter->DmaOperations->FlushAdapterBuffers(adapter, mdl, dma_kept_base, block, 100, TRUE));
}

static void the_other_flags_are_refused_still(void **state)
{
    (void)state;
    static const ntmm_config other = { .verifier = NTMM_VERIFY_DMA | NTMM_VERIFY_IO, .quiet = true };
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_boot(&other), -ENOTSUP);
    assert_int_equal(ntmm_boot(NULL), 0);
}

#define VERIFIED_TEST(test) ntmm_cmocka_test_config(test, &VERIFIED)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VERIFIED_TEST(a_driver_without_mistakes_passes),
        VERIFIED_TEST(adapters_are_released_last),
        VERIFIED_TEST(what_is_freed_too_often_is_told),
        VERIFIED_TEST(limits_are_kept),
        VERIFIED_TEST(buffers_and_mdls_fit),
        VERIFIED_TEST(transfers_are_whole_units),
        VERIFIED_TEST(mappings_are_flushed),
        VERIFIED_TEST(registers_that_map_are_not_let_go),
        VERIFIED_TEST(memory_around_buffers_is_watched),
        VERIFIED_TEST(levels_versions_and_old_names),
        VERIFIED_TEST(a_level_that_no_page_names),
        VERIFIED_TEST(adapters_in_use_are_not_released),
        VERIFIED_TEST(a_copied_buffer_needs_an_address),
        VERIFIED_TEST(the_performance_counter_is_watched),
        VERIFIED_TEST(two_threads_query_a_sound_counter),
        VERIFIED_TEST(a_controllers_transfer_is_over_before_the_flush),
        VERIFIED_TEST(the_other_flags_are_refused_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
