/*
 * dma_bench.c - what does it cost to give a device 64 KiB of memory, beside locking and mapping the same for the processor?
 *
 *     ntmm_dma_bench [rounds]      default 9
 *
 *     row        one turn of it                                                                                 promise
 *     mdl        MmInitializeMdl, MmProbeAndLockPages, MmGetSystemAddressForMdlSafe, MmUnlockPages              -
 *     list       GetScatterGatherList, PutScatterGatherList, memory in a row that the device reaches            at most 2 mdl
 *     channel    AllocateAdapterChannel, MapTransfer, FlushAdapterBuffers, FreeMapRegisters, the same memory    -
 *     copy       memcpy of 64 KiB, from one buffer to another                                                   -
 *     bounced    as list, out of the device's reach, to the device                                              at most list + 1.5 copy
 *     common     AllocateCommonBuffer, FreeCommonBuffer of 64 KiB                                               -
 *
 * Processor time of one thread at DISPATCH_LEVEL (`common` at PASSIVE_LEVEL), in nanoseconds a turn; rounds are interleaved, printed is the
 * median. The bounce pages are as cold or as warm as those of the copy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ntmm/ntmm.h>

#include "rounds.h"

#define TURNS 2000u
#define BYTES 0x10000u

typedef struct scene {
    ntmm_device *device;
    PDMA_ADAPTER adapter;
    char        *buffer, *other;
    PMDL         mdl;
} scene_t;

static PSCATTER_GATHER_LIST list;
static PVOID                base;

static VOID take_list(PDEVICE_OBJECT DeviceObject, PIRP Irp, PSCATTER_GATHER_LIST ScatterGather, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    list = ScatterGather;
}

static IO_ALLOCATION_ACTION take_registers(PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID MapRegisterBase, PVOID Context)
{
    (void)DeviceObject;
    (void)Irp;
    (void)Context;
    base = MapRegisterBase;
    return DeallocateObjectKeepRegisters;
}

/* ---- one turn of each row ---- */

static void turn_mdl(scene_t *scene)
{
    MmInitializeMdl(scene->mdl, scene->buffer, BYTES);
    MmProbeAndLockPages(scene->mdl, KernelMode, IoWriteAccess);
    if (MmGetSystemAddressForMdlSafe(scene->mdl, NormalPagePriority) == NULL)
        exit(2);
    MmUnlockPages(scene->mdl);
}

static void turn_list(scene_t *scene)
{
    scene->adapter->DmaOperations->GetScatterGatherList(scene->adapter, NULL, scene->mdl, scene->buffer, BYTES, take_list, NULL, TRUE);
    scene->adapter->DmaOperations->PutScatterGatherList(scene->adapter, list, TRUE);
}

static void turn_channel(scene_t *scene)
{
    PDMA_OPERATIONS op = scene->adapter->DmaOperations;
    ULONG           pages = BYTES_TO_PAGES(BYTES), length = BYTES;
    op->AllocateAdapterChannel(scene->adapter, NULL, pages, take_registers, NULL);
    op->MapTransfer(scene->adapter, scene->mdl, base, scene->buffer, &length, TRUE);
    op->FlushAdapterBuffers(scene->adapter, scene->mdl, base, scene->buffer, BYTES, TRUE);
    op->FreeMapRegisters(scene->adapter, base, pages);
}

static void turn_copy(scene_t *scene)
{
    memcpy(scene->other, scene->buffer, BYTES);
    __asm__ volatile("" : : "r"(scene->other) : "memory");
}

static void turn_common(scene_t *scene)
{
    PHYSICAL_ADDRESS logical;
    PVOID            va = scene->adapter->DmaOperations->AllocateCommonBuffer(scene->adapter, BYTES, &logical, TRUE);
    if (va == NULL)
        exit(2);
    scene->adapter->DmaOperations->FreeCommonBuffer(scene->adapter, BYTES, logical, va, TRUE);
}

/* ---- rows ---- */

enum { NEAR, FAR };
enum { MDL_ROW, LIST, CHANNEL, COPY, BOUNCED, COMMON, ROWS };
static const struct row {
    const char *name;
    void (*turn)(scene_t *scene);
    unsigned scene;
    KIRQL    irql;
} ROW[ROWS] = { { "mdl", turn_mdl, NEAR, DISPATCH_LEVEL },         { "list", turn_list, NEAR, DISPATCH_LEVEL },
                { "channel", turn_channel, NEAR, DISPATCH_LEVEL }, { "copy", turn_copy, FAR, DISPATCH_LEVEL },
                { "bounced", turn_list, FAR, DISPATCH_LEVEL },     { "common", turn_common, NEAR, PASSIVE_LEVEL } };
static double rounds[ROWS][ROUNDS_LIMIT];

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_of(const struct row *row, scene_t *scene)
{
    KIRQL irql = KeGetCurrentIrql();
    if (row->irql > irql)
        KeRaiseIrql(row->irql, &irql);
    MmBuildMdlForNonPagedPool(scene->mdl);
    double began = now_ns();
    for (unsigned i = 0; i < TURNS; i++)
        row->turn(scene);
    double took = (now_ns() - began) / TURNS;
    if (row->irql > irql)
        KeLowerIrql(irql);
    return took;
}

static scene_t scene_make(uint32_t bits)
{
    static const PHYSICAL_ADDRESS isa_ends = { .QuadPart = 0x1000000 }, anywhere = { .QuadPart = -1 }, none = { .QuadPart = 0 };
    ntmm_device_config            config = { .address_bits = bits, .scatter_gather = true };
    DEVICE_DESCRIPTION            description = { .Version = DEVICE_DESCRIPTION_VERSION3, .Master = TRUE, .ScatterGather = TRUE };
    ULONG                         registers;
    scene_t                       scene = { .device = ntmm_device_create(&config) };
    description.DmaAddressWidth = bits;
    description.MaximumLength = BYTES;
    scene.adapter = IoGetDmaAdapter(ntmm_device_object(scene.device), &description, &registers);
    scene.buffer = MmAllocateContiguousMemorySpecifyCache(BYTES, isa_ends, anywhere, none, MmCached);
    scene.other = MmAllocateContiguousMemorySpecifyCache(BYTES, none, anywhere, none, MmCached);
    scene.mdl = IoAllocateMdl(scene.buffer, BYTES, FALSE, FALSE, NULL);
    if (scene.adapter == NULL || scene.buffer == NULL || scene.other == NULL || scene.mdl == NULL) {
        fprintf(stderr, "dma_bench: no memory: %s\n", ntmm_error());
        exit(2);
    }
    memset(scene.buffer, 1, BYTES);
    memset(scene.other, 2, BYTES);
    return scene;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 9;
    double   median[ROWS];
    if (count == 0 || count > ROUNDS_LIMIT || ntmm_boot(NULL) != 0) {
        fprintf(stderr, "dma_bench: 1 to %u rounds; %s\n", ROUNDS_LIMIT, ntmm_error());
        return 2;
    }
    scene_t scenes[] = { scene_make(64), scene_make(24) };
    for (unsigned round = 0; round < count; round++)
        for (unsigned i = 0; i < ROWS; i++)
            rounds[i][round] = time_of(&ROW[i], &scenes[ROW[i].scene]);
    printf("%-10s %10s %8s\n", "row", "ns", "moved");
    for (unsigned i = 0; i < ROWS; i++) {
        median[i] = rounds_median(rounds[i], count);
        printf("%-10s %10.0f %7.0f%%\n", ROW[i].name, median[i], 100 * rounds_moved(rounds[i], count));
    }
    rounds_promise("list / mdl", median[LIST] / median[MDL_ROW], 2);
    rounds_promise("(bounced - list) / copy", (median[BOUNCED] - median[LIST]) / median[COPY], 1.5);
    return 0;
}
