/*
 * wdf_bench.c - what do framework objects cost, beside the pool that they are made of?
 *
 *     ntmm_wdf_bench [--quick] [rounds]      default 15; --quick: 1
 *
 *     row        one turn of it                                                                                  promise
 *     pool       ExAllocatePool2 of 64 bytes, ExFreePool                                                         -
 *     memory     WdfMemoryCreate of 64 bytes, WdfObjectDelete                                                    at most 3 pool (aim 2)
 *     lookaside  WdfMemoryCreateFromLookaside of 64 bytes, WdfObjectDelete                                       at most 2 pool (aim 1.5)
 *     kilobyte   ExAllocatePool2 of 1024 bytes, ExFreePool                                                       -
 *     large      WdfMemoryCreate of 1024 bytes, WdfObjectDelete                                                  at most 3 kilobyte
 *     context    WdfObjectCreate with a context of 64 bytes, WdfObjectDelete                                     -
 *     typed      WdfObjectGetTypedContext, of the first context                                                  -
 *     lock       WdfSpinLockAcquire, WdfSpinLockRelease                                                          -
 *
 * Processor time of one thread at PASSIVE_LEVEL, in nanoseconds a turn; rounds are interleaved, printed is the median; promises
 * are about the median of the quotients of each round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ntmm/ntmm.h>
#include <wdf.h>

#include "rounds.h"

#define TURNS 200000u
#define TAG NTMM_TAG("Benc")

typedef struct NOTE {
    char bytes[64];
} NOTE;
WDF_DECLARE_CONTEXT_TYPE(NOTE)

static WDFLOOKASIDE          list;
static WDFOBJECT             noted;
static WDFSPINLOCK           lock;
static WDF_OBJECT_ATTRIBUTES note_attributes;

static void no_memory(void)
{
    fprintf(stderr, "wdf_bench: no memory\n");
    exit(2);
}

/* ---- turns of each row ---- */

static void turn_pool(size_t bytes)
{
    for (unsigned i = 0; i < TURNS; i++) {
        PVOID p = ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG);
        if (p == NULL)
            no_memory();
        ExFreePool(p);
    }
}

static void turn_memory(size_t bytes)
{
    for (unsigned i = 0; i < TURNS; i++) {
        WDFMEMORY memory;
        if (!NT_SUCCESS(WdfMemoryCreate(WDF_NO_OBJECT_ATTRIBUTES, NonPagedPoolNx, TAG, bytes, &memory, NULL)))
            no_memory();
        WdfObjectDelete(memory);
    }
}

static void turn_lookaside(size_t bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < TURNS; i++) {
        WDFMEMORY memory;
        if (!NT_SUCCESS(WdfMemoryCreateFromLookaside(list, &memory)))
            no_memory();
        WdfObjectDelete(memory);
    }
}

static void turn_context(size_t bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < TURNS; i++) {
        WDFOBJECT object;
        if (!NT_SUCCESS(WdfObjectCreate(&note_attributes, &object)))
            no_memory();
        WdfObjectDelete(object);
    }
}

static void turn_typed(size_t bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < TURNS; i++)
        WdfObjectGet_NOTE(noted)->bytes[i & 63]++;
}

static void turn_lock(size_t bytes)
{
    (void)bytes;
    for (unsigned i = 0; i < TURNS; i++) {
        WdfSpinLockAcquire(lock);
        WdfSpinLockRelease(lock);
    }
}

enum { POOL, MEMORY, LOOKASIDE, KILOBYTE, LARGE, NOTED, TYPED, LOCK, ROWS };
static const struct row {
    const char *name;
    void (*turn)(size_t bytes);
    size_t bytes;
} ROW[ROWS] = { { "pool", turn_pool, 64 },       { "memory", turn_memory, 64 },  { "lookaside", turn_lookaside, 64 },
                { "kilobyte", turn_pool, 1024 }, { "large", turn_memory, 1024 }, { "context", turn_context, 0 },
                { "typed", turn_typed, 0 },      { "lock", turn_lock, 0 } };
static double rounds[ROWS][ROUNDS_LIMIT];

/* ---- measuring ---- */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_of(const struct row *row)
{
    double began = now_ns();
    row->turn(row->bytes);
    return (now_ns() - began) / TURNS;
}

static NTSTATUS driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, WDF_NO_EVENT_CALLBACK);
    NTSTATUS status = WdfDriverCreate(driver, path, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
    if (NT_SUCCESS(status))
        status = WdfLookasideListCreate(WDF_NO_OBJECT_ATTRIBUTES, 64, NonPagedPoolNx, WDF_NO_OBJECT_ATTRIBUTES, TAG, &list);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&note_attributes, NOTE);
    if (NT_SUCCESS(status))
        status = WdfObjectCreate(&note_attributes, &noted);
    if (NT_SUCCESS(status))
        status = WdfSpinLockCreate(WDF_NO_OBJECT_ATTRIBUTES, &lock);
    return status;
}

/* Of two rows in the same round: the machine may have been faster in another one. */
static double ratio(unsigned row, unsigned of, unsigned count)
{
    double ratios[ROUNDS_LIMIT];
    for (unsigned round = 0; round < count; round++)
        ratios[round] = rounds[row][round] / rounds[of][round];
    return rounds_median(ratios, count);
}

int main(int argc, char **argv)
{
    bool     quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    unsigned count = quick ? 1 : argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 15;
    if (count == 0 || count > ROUNDS_LIMIT || ntmm_boot(NULL) != 0 || ntmm_driver_load(driver_entry) == NULL) {
        fprintf(stderr, "wdf_bench: 1 to %u rounds; %s\n", ROUNDS_LIMIT, ntmm_error());
        return 2;
    }
    for (unsigned i = 0; i < ROWS; i++)
        (void)time_of(&ROW[i]); /* everything is warm */
    for (unsigned round = 0; round < count; round++)
        for (unsigned i = 0; i < ROWS; i++)
            rounds[i][round] = time_of(&ROW[i]);
    printf("%-10s %10s %8s\n", "row", "ns", "moved");
    for (unsigned i = 0; i < ROWS; i++)
        printf("%-10s %10.1f %7.0f%%\n", ROW[i].name, rounds_median(rounds[i], count), 100 * rounds_moved(rounds[i], count));
    rounds_promise("memory / pool (aim 2)", ratio(MEMORY, POOL, count), 3);
    rounds_promise("lookaside / pool (aim 1.5)", ratio(LOOKASIDE, POOL, count), 2);
    rounds_promise("large / kilobyte (aim 2)", ratio(LARGE, KILOBYTE, count), 3);
    return 0;
}
