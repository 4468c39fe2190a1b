/*
 * test_wdf_dma.c - random transactions of the framework against a model too simple to be wrong: what the buffer must hold, byte by byte, when the
 * device has moved so many bytes in each transfer. All profiles and versions, chains of MDLs, memory out of reach, few map registers, lengths as
 * the device likes; and threads that compete for map registers, or complete a transfer while EvtProgramDma still runs. Prints its seed; NTMM_SEED
 * replays it, NTMM_STEPS sets the length.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "../support/wdf_dma.h"

static uint64_t state_of_random;
static uint64_t below(uint64_t bound)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return state_of_random % bound;
}

/* ---- one buffer: up to three MDLs in a chain ---- */

enum { MDLS = 3 };
#define MDL_MOST (6 * PAGE_SIZE)

typedef struct buffer {
    unsigned       mdls;
    PMDL           mdl[MDLS];
    unsigned char *va[MDLS]; /* of each MDL's first byte */
    void          *block[MDLS];
    size_t         bytes;
    unsigned char  model[MDLS * MDL_MOST];
} buffer_t;
static buffer_t buffer;

static void buffer_make(unsigned mdls)
{
    buffer.mdls = mdls;
    buffer.bytes = 0;
    for (unsigned i = 0; i < mdls; i++) {
        size_t bytes = 1 + below(MDL_MOST - PAGE_SIZE), begin = below(PAGE_SIZE);
        buffer.block[i] = dma_high_memory(MDL_MOST, below(2) == 0 ? 0 : DMA_ABOVE_4G);
        buffer.va[i] = (unsigned char *)buffer.block[i] + begin;
        buffer.mdl[i] = dma_mdl(buffer.va[i], (ULONG)bytes);
        for (size_t j = 0; j < bytes; j++)
            buffer.model[buffer.bytes + j] = buffer.va[i][j] = (unsigned char)below(256);
        buffer.bytes += bytes;
        if (i > 0)
            buffer.mdl[i - 1]->Next = buffer.mdl[i];
    }
}

static void buffer_check(void)
{
    size_t at = 0;
    for (unsigned i = 0; i < buffer.mdls; i++) {
        assert_memory_equal(buffer.va[i], buffer.model + at, buffer.mdl[i]->ByteCount);
        at += buffer.mdl[i]->ByteCount;
    }
}

static void buffer_free(void)
{
    for (unsigned i = 0; i < buffer.mdls; i++) {
        dma_mdl_free(buffer.mdl[i]);
        MmFreeContiguousMemory(buffer.block[i]);
    }
}

/* ---- a device that moves what it likes ---- */

static struct {
    wdf_dma_t         dma;
    WDFDMATRANSACTION transaction;
    size_t            from; /* of the transfer under way, in the buffer */
    size_t            length;
    bool              inside; /* transfers are completed in EvtProgramDma */
    bool              lists, short_ones;
    BOOLEAN           over;
    NTSTATUS          status;
    size_t            moved;
} it;

/* The device has moved as much of the transfer as it likes; TRUE: it was the last one. */
static BOOLEAN complete(void)
{
    NTSTATUS status;
    BOOLEAN  over;
    size_t   length = it.length, done = it.short_ones ? below(length + 1) : length;
    it.from += done;
    it.moved += done;
    if (below(20) == 0) {
        over = WdfDmaTransactionDmaCompletedFinal(it.transaction, done, &status);
        assert_true(over);
    } else if (done == length && below(2) == 0) {
        over = WdfDmaTransactionDmaCompleted(it.transaction, &status);
    } else {
        over = WdfDmaTransactionDmaCompletedWithLength(it.transaction, done, &status);
    }
    if (over) {
        it.over = TRUE;
        it.status = status;
    }
    return over;
}

static BOOLEAN program(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                       PSCATTER_GATHER_LIST list)
{
    unsigned char bytes[MDL_MOST];
    size_t        at = it.from;
    (void)device;
    (void)context;
    it.length = WdfDmaTransactionGetCurrentDmaTransferLength(transaction);
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        for (size_t done = 0, now; done < list->Elements[i].Length; done += now, at += now) {
            uint64_t logical = (uint64_t)list->Elements[i].Address.QuadPart + done;
            now = list->Elements[i].Length - done < sizeof bytes ? list->Elements[i].Length - done : sizeof bytes;
            if (direction == WdfDmaDirectionWriteToDevice) {
                assert_int_equal(ntmm_device_read(it.dma.device, logical, bytes, now), 0);
                assert_memory_equal(bytes, buffer.model + at, now);
            } else {
                for (size_t j = 0; j < now; j++)
                    buffer.model[at + j] = bytes[j] = (unsigned char)(at + j + it.moved);
                assert_int_equal(ntmm_device_write(it.dma.device, logical, bytes, now), 0);
            }
        }
    }
    assert_int_equal(at - it.from, it.length);
    if (it.inside)
        (void)complete();
    return TRUE;
}

static void one_transaction(void)
{
    WDF_DMA_DIRECTION direction = below(2) == 0 ? WdfDmaDirectionReadFromDevice : WdfDmaDirectionWriteToDevice;
    size_t            offset = below(buffer.mdl[0]->ByteCount), length = 1 + below(buffer.bytes - offset);
    it.from = offset;
    it.moved = 0;
    it.over = FALSE;
    it.inside = below(3) == 0;
    it.short_ones = direction == WdfDmaDirectionWriteToDevice && below(2) == 0;
    NTSTATUS status = WdfDmaTransactionInitializeUsingOffset(it.transaction, program, direction, buffer.mdl[0], offset, length);
    assert_int_equal(status, STATUS_SUCCESS);
    if (below(3) == 0)
        WdfDmaTransactionSetMaximumLength(it.transaction, 1 + below(3 * PAGE_SIZE));
    assert_int_equal(WdfDmaTransactionExecute(it.transaction, NULL), STATUS_SUCCESS);
    for (unsigned i = 0; !it.over; i++) {
        it.short_ones = it.short_ones && i < 50; /* it comes to an end */
        (void)complete();
    }
    assert_int_equal(it.status, STATUS_SUCCESS);
    assert_int_equal(WdfDmaTransactionGetBytesTransferred(it.transaction), it.moved);
    assert_int_equal(WdfDmaTransactionRelease(it.transaction), STATUS_SUCCESS);
    buffer_check();
}

static void agrees_with_the_model(void **state)
{
    static const WDF_DMA_PROFILE profiles[] = { WdfDmaProfilePacket,
                                                WdfDmaProfilePacket64,
                                                WdfDmaProfileScatterGather,
                                                WdfDmaProfileScatterGather64,
                                                WdfDmaProfileScatterGatherDuplex,
                                                WdfDmaProfileScatterGather64Duplex };
    const char                  *seed = getenv("NTMM_SEED"), *steps = getenv("NTMM_STEPS");
    (void)state;
    state_of_random = seed != NULL ? strtoull(seed, NULL, 0) : 0x5eed;
    print_message("seed 0x%llx\n", (unsigned long long)state_of_random);
    for (unsigned step = steps != NULL ? (unsigned)strtoul(steps, NULL, 0) : 60; step != 0; step--) {
        WDF_DMA_PROFILE    profile = profiles[below(sizeof profiles / sizeof profiles[0])];
        ULONG              version = 2 + (ULONG)below(2);
        ntmm_device_config config = { .map_registers = below(2) == 0 ? 0 : 2 + (uint32_t)below(8), .scatter_gather = true };
        it.lists = profile != WdfDmaProfilePacket && profile != WdfDmaProfilePacket64;
        config.scatter_gather = it.lists;
        it.dma = wdf_dma_start_device(&config);
        it.dma.enabler = wdf_dma_enabler(it.dma.wdf, profile, 1 + below(10 * PAGE_SIZE), version, 0);
        assert_int_equal(WdfDmaTransactionCreate(it.dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &it.transaction), STATUS_SUCCESS);
        buffer_make(it.lists || version == 3 ? 1 + (unsigned)below(MDLS) : 1);
        for (unsigned i = 0; i < 6; i++)
            one_transaction();
        buffer_free();
        wdf_dma_stop(&it.dma);
    }
}

/* ---- threads that compete ---- */

enum { THREADS = 3, ROUNDS = 40 };

typedef struct worker {
    wdf_dma_t        *dma;
    WDFDMATRANSACTION transaction;
    KEVENT            programmed;
    pthread_t         thread;
    size_t            moved;
    bool              lingers; /* EvtProgramDma is still there when the transfer is completed */
    _Atomic unsigned  completed;
} worker_t;

static BOOLEAN program_and_tell(WDFDMATRANSACTION transaction, WDFDEVICE device, WDFCONTEXT context, WDF_DMA_DIRECTION direction,
                                PSCATTER_GATHER_LIST list)
{
    worker_t *worker = context;
    unsigned  completed = worker->completed;
    (void)transaction;
    (void)device;
    (void)direction;
    for (ULONG i = 0; i < list->NumberOfElements; i++) {
        unsigned char bytes[PAGE_SIZE];
        for (size_t done = 0, now; done < list->Elements[i].Length; done += now) {
            now = list->Elements[i].Length - done < PAGE_SIZE ? list->Elements[i].Length - done : PAGE_SIZE;
            for (size_t j = 0; j < now; j++)
                bytes[j] = (unsigned char)((worker->moved + j) * 3);
            (void)ntmm_device_write(worker->dma->device, (uint64_t)list->Elements[i].Address.QuadPart + done, bytes, now);
            worker->moved += now;
        }
    }
    KeSetEvent(&worker->programmed, IO_NO_INCREMENT, FALSE);
    for (unsigned i = 0; worker->lingers && worker->completed == completed && i < 10000; i++)
        sched_yield();
    return TRUE;
}

static void *work(void *context)
{
    worker_t      *worker = context;
    unsigned char *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 9 * PAGE_SIZE, DMA_TAG);
    PMDL           mdl = IoAllocateMdl(bytes, 9 * PAGE_SIZE, FALSE, FALSE, NULL);
    uintptr_t      wrong = 0;
    MmBuildMdlForNonPagedPool(mdl);
    for (unsigned round = 0; round < ROUNDS; round++) {
        NTSTATUS status;
        BOOLEAN  over = FALSE;
        worker->moved = 0;
        wrong += WdfDmaTransactionInitialize(worker->transaction, program_and_tell, WdfDmaDirectionReadFromDevice, mdl, bytes,
                                             9 * PAGE_SIZE) != STATUS_SUCCESS;
        wrong += WdfDmaTransactionExecute(worker->transaction, worker) != STATUS_SUCCESS;
        while (!over) {
            (void)KeWaitForSingleObject(&worker->programmed, Executive, KernelMode, FALSE, NULL);
            over = WdfDmaTransactionDmaCompleted(worker->transaction, &status);
            worker->completed++;
        }
        wrong += status != STATUS_SUCCESS;
        wrong += WdfDmaTransactionRelease(worker->transaction) != STATUS_SUCCESS;
        for (size_t i = 0; i < 9 * PAGE_SIZE; i++)
            wrong += bytes[i] != (unsigned char)(i * 3);
    }
    IoFreeMdl(mdl);
    ExFreePoolWithTag(bytes, DMA_TAG);
    return (void *)wrong;
}

static void threads_compete(WDF_DMA_PROFILE profile, bool lingers)
{
    static worker_t workers[THREADS];
    wdf_dma_t       dma = wdf_dma_start(profile, 4, 20 * PAGE_SIZE, 3);
    memset(workers, 0, sizeof workers);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].dma = &dma;
        workers[i].lingers = lingers;
        KeInitializeEvent(&workers[i].programmed, SynchronizationEvent, FALSE);
        assert_int_equal(WdfDmaTransactionCreate(dma.enabler, WDF_NO_OBJECT_ATTRIBUTES, &workers[i].transaction), STATUS_SUCCESS);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(workers[i].thread, &wrong);
        assert_ptr_equal(wrong, NULL);
    }
    wdf_dma_stop(&dma);
}

static void threads_compete_for_map_registers(void **state)
{
    (void)state;
    threads_compete(WdfDmaProfileScatterGather64, false);
    threads_compete(WdfDmaProfilePacket64, false);
}

static void transfers_end_while_they_are_programmed(void **state)
{
    (void)state;
    threads_compete(WdfDmaProfilePacket64, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(agrees_with_the_model),
        ntmm_cmocka_test(threads_compete_for_map_registers),
        ntmm_cmocka_test(transfers_end_while_they_are_programmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
