/*
 * test_machine_stress.c - four threads do everything at once, and every byte is accounted for.
 * Each thread plays random operations (pool blocks of every kind and size, contiguous memory, IRQL raised and lowered, a spin lock,
 * DPCs) and hands part of what it allocated to the others through a mailbox, so that blocks are freed by threads that did not allocate them.
 * Every block is filled with a pattern made of its address and serial number and verified before it is freed. Between rounds the threads
 * stand still and the whole machine is checked; at the end nothing may be left.
 *
 * NTMM_SEED replays a run; NTMM_OPERATIONS changes how many operations there are in all (default one million, fewer under sanitizers).
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DEFAULT_OPERATIONS 200000u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DEFAULT_OPERATIONS 200000u
#endif
#endif
#ifndef DEFAULT_OPERATIONS
#define DEFAULT_OPERATIONS 1000000u
#endif

enum { THREADS = 4, ROUNDS = 10, HELD = 400, MAILBOX = 256 };
#define TAG NTMM_TAG("Strs")

enum kind { NONPAGED, EXECUTABLE, PAGED, CONTIGUOUS, KINDS };
typedef struct block {
    unsigned char *bytes;
    size_t         size;
    uint32_t       serial;
    enum kind      kind;
} block_t;

static uint64_t          seed;
static uint32_t          operations_per_round;
static pthread_barrier_t start_round, end_round;
static block_t           mailbox[MAILBOX];
static unsigned          mailbox_count;
static KSPIN_LOCK        mailbox_lock;
static uint64_t          dpc_count[64]; /* by processor: only its owner counts */
static unsigned          allocations_refused, errors;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}
static uint32_t random_below(uint64_t *state, uint32_t limit) { return (uint32_t)((random_next(state) >> 33) % limit); }

/* Small sizes often, whole pages sometimes. */
static size_t random_size(uint64_t *state)
{
    switch (random_below(state, 8)) {
    case 0: return 1 + random_below(state, 16);
    case 1: return PAGE_SIZE - 48 + random_below(state, 64);
    case 2: return 1 + random_below(state, 5 * PAGE_SIZE);
    default: return 1 + random_below(state, (uint32_t)1 << (5 + random_below(state, 7)));
    }
}

static unsigned char pattern(const block_t *block, size_t i)
{
    return (unsigned char)(block->serial * 31 + i * 7 + ((uintptr_t)block->bytes >> 4));
}
static void fill(const block_t *block)
{
    for (size_t i = 0; i < block->size; i++)
        block->bytes[i] = pattern(block, i);
}
static void report_error(const char *what)
{
    __atomic_add_fetch(&errors, 1, __ATOMIC_RELAXED);
    fprintf(stderr, "stress: %s (NTMM_SEED=%llu)\n", what, (unsigned long long)seed);
}
static void verify(const block_t *block)
{
    for (size_t i = 0; i < block->size; i++)
        if (block->bytes[i] != pattern(block, i)) {
            report_error("a block's bytes changed");
            return;
        }
}

static block_t allocate(uint64_t *state, uint32_t serial)
{
    PHYSICAL_ADDRESS highest = { .QuadPart = random_below(state, 2) != 0 ? -1 : 0xFFFFFF };
    block_t          block = { NULL, random_size(state), serial, (enum kind)random_below(state, KINDS) };
    KIRQL            level = (KIRQL)random_below(state, block.kind == PAGED ? APC_LEVEL + 1 : DISPATCH_LEVEL + 1), old;
    bool             zeroed = random_below(state, 2) != 0;
    POOL_FLAGS       flags = zeroed ? 0 : POOL_FLAG_UNINITIALIZED;

    if (block.kind == CONTIGUOUS && random_below(state, 16) != 0)
        block.kind = NONPAGED;
    KeRaiseIrql(level, &old);
    if (block.kind == CONTIGUOUS)
        block.bytes = MmAllocateContiguousMemory(block.size, highest);
    else
        block.bytes = ExAllocatePool2(flags | (block.kind == NONPAGED ? POOL_FLAG_NON_PAGED
                                               : block.kind == PAGED  ? POOL_FLAG_PAGED
                                                                      : POOL_FLAG_NON_PAGED_EXECUTE),
                                      block.size, TAG);
    KeLowerIrql(old);
    if (block.bytes == NULL) {
        __atomic_add_fetch(&allocations_refused, 1, __ATOMIC_RELAXED);
        return block;
    }
    if (zeroed && block.kind != CONTIGUOUS)
        for (size_t i = 0; i < block.size; i++)
            if (block.bytes[i] != 0) {
                report_error("a zeroed block is not zero");
                break;
            }
    if (block.kind == CONTIGUOUS && MmGetPhysicalAddress(block.bytes).QuadPart + (LONGLONG)ROUND_TO_PAGES(block.size) - 1 >
                                        (highest.QuadPart == -1 ? INT64_MAX : highest.QuadPart))
        report_error("contiguous memory above the highest acceptable address");
    fill(&block);
    return block;
}

static void release(uint64_t *state, const block_t *block)
{
    KIRQL old;
    verify(block);
    KeRaiseIrql((KIRQL)random_below(state, block->kind == PAGED ? APC_LEVEL + 1 : DISPATCH_LEVEL + 1), &old);
    if (block->kind == CONTIGUOUS)
        MmFreeContiguousMemory(block->bytes);
    else if (random_below(state, 2) != 0)
        ExFreePoolWithTag(block->bytes, TAG);
    else
        ExFreePool(block->bytes);
    KeLowerIrql(old);
}

/* Swaps a block with the mailbox: what comes back was allocated by anybody. */
static void exchange(uint64_t *state, block_t *block)
{
    KIRQL old;
    KeAcquireSpinLock(&mailbox_lock, &old);
    if (mailbox_count < MAILBOX && random_below(state, 2) != 0) {
        mailbox[mailbox_count++] = *block;
        block->bytes = NULL;
    } else if (mailbox_count > 0) {
        block_t other = mailbox[mailbox_count - 1];
        mailbox[mailbox_count - 1] = *block;
        *block = other;
    }
    KeReleaseSpinLock(&mailbox_lock, old);
}

static void count_dpc(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    (void)dpc, (void)context, (void)argument1, (void)argument2;
    dpc_count[KeGetCurrentProcessorNumberEx(NULL)]++;
}

static void *play(void *argument)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + (uintptr_t)argument * 0xBF58476D1CE4E5B9u + 1;
    uint32_t serial = (uint32_t)(uintptr_t)argument << 24;
    block_t  held[HELD] = { { 0 } };
    KDPC     dpc;

    KeInitializeDpc(&dpc, count_dpc, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&start_round);
        for (uint32_t i = 0; i < operations_per_round; i++) {
            block_t *slot = &held[random_below(&state, HELD)];
            if (slot->bytes == NULL)
                *slot = allocate(&state, ++serial);
            else if (random_below(&state, 4) == 0)
                exchange(&state, slot);
            else {
                release(&state, slot);
                slot->bytes = NULL;
            }
            if (i % 64 == 0)
                KeInsertQueueDpc(&dpc, NULL, NULL);
        }
        pthread_barrier_wait(&end_round);
    }
    pthread_barrier_wait(&start_round); /* the last check is done, too */
    for (int i = 0; i < HELD; i++)
        if (held[i].bytes != NULL)
            release(&state, &held[i]);
    return NULL;
}

static void four_threads(void **unused)
{
    const ntmm_config *config = *unused;
    pthread_t          threads[THREADS];
    uint64_t           state = seed;

    assert_int_equal(ntmm_boot(config), 0);
    memset(dpc_count, 0, sizeof dpc_count);
    mailbox_count = 0;
    errors = 0;
    KeInitializeSpinLock(&mailbox_lock);
    pthread_barrier_init(&start_round, NULL, THREADS + 1);
    pthread_barrier_init(&end_round, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, play, (void *)(i + 1));
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&start_round);
        pthread_barrier_wait(&end_round);
        if (!ntmm_check())
            report_error(ntmm_error());
    }
    pthread_barrier_wait(&start_round);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < mailbox_count; i++)
        release(&state, &mailbox[i]);
    KeFlushQueuedDpcs();
    pthread_barrier_destroy(&start_round);
    pthread_barrier_destroy(&end_round);
    assert_true(ntmm_check());
    assert_int_equal(errors, 0);
    assert_int_equal(ntmm_shutdown(NULL), 0);
}

int main(void)
{
    static const ntmm_config plain = { 0 }, tight = { .physical_memory = 8u << 20, .processors = 1 },
                             wide = { .processors = 2, .numa_nodes = 2, .run_policy = NTMM_RUNS_BUDDY },
                             bare = { .no_magazines = true, .run_policy = NTMM_RUNS_LINEAR };
    const struct CMUnitTest tests[] = {
        { "default machine", four_threads, NULL, NULL, (void *)(uintptr_t)&plain },
        { "8 MiB of RAM, one processor: many refusals", four_threads, NULL, NULL, (void *)(uintptr_t)&tight },
        { "two nodes, buddy", four_threads, NULL, NULL, (void *)(uintptr_t)&wide },
        { "no magazines, linear scan", four_threads, NULL, NULL, (void *)(uintptr_t)&bare },
    };
    const char *text = getenv("NTMM_SEED"), *count = getenv("NTMM_OPERATIONS");

    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    operations_per_round = (uint32_t)((count != NULL ? strtoul(count, NULL, 0) : DEFAULT_OPERATIONS) / (THREADS * ROUNDS));
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
