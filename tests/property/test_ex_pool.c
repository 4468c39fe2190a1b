/*
 * test_ex_pool.c - random calls against a model too simple to be wrong: an array of what is held, with what was written there.
 * Every block keeps its bytes until it is freed, comes zeroed when it should, and is aligned; the machine's own check holds in between; the
 * counters equal the model's sums. Prints its seed; NTMM_SEED replays one; NTMM_OPERATIONS changes how many there are in each test.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWER 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWER 20
#endif
#endif
#ifndef SLOWER
#define SLOWER 1
#endif

#define DEFAULT_OPERATIONS (1000000u / SLOWER)
#define CHECK_EVERY 5000u
#define SLOTS 600u
#define TAGS 5u

static uint64_t seed;
static unsigned operations = DEFAULT_OPERATIONS;

static uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

/* ---- one block and what the model knows of it ---- */

typedef struct slot {
    unsigned char *block;
    uint32_t       bytes;
    ULONG          tag;
    POOL_TYPE      type;
    unsigned char  fill;
} slot_t;

static const ULONG ALL_TAGS[TAGS] = { 0x31706154, 0x32706154, 0x33706154, 0x34706154, 0x2E706154 };

static uint32_t random_size(uint64_t *random)
{
    switch (below(random, 8)) {
    case 0: return below(random, 5 * PAGE_SIZE);
    case 1: return below(random, PAGE_SIZE + 200);
    case 2: return PAGE_SIZE * (1 + below(random, 4));
    case 3: return PAGE_SIZE - below(random, 100);
    case 4: return below(random, 1024);
    default: return below(random, 200);
    }
}

static void slot_fill(slot_t *slot, uint64_t *random, KIRQL irql)
{
    static const POOL_TYPE  types[] = { NonPagedPoolNx, NonPagedPoolNx, PagedPool, PagedPool, NonPagedPool };
    static const POOL_FLAGS flags[] = { POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED, POOL_FLAG_PAGED,
                                        POOL_FLAG_NON_PAGED_EXECUTE };
    uint32_t                kind = irql == DISPATCH_LEVEL ? below(random, 2) * 4 : below(random, 5);
    bool                    legacy = below(random, 3) == 0;
    slot->type = types[kind];
    slot->tag = ALL_TAGS[below(random, TAGS)];
    slot->fill = (unsigned char)next(random);
    slot->bytes = random_size(random) + (legacy ? 0 : 1);
    slot->block = legacy ? ExAllocatePoolWithTag(slot->type, slot->bytes, slot->tag) : ExAllocatePool2(flags[kind], slot->bytes, slot->tag);
    if (slot->block == NULL)
        fail_msg("seed %llu: no memory for %u bytes", (unsigned long long)seed, slot->bytes);
    if ((uintptr_t)slot->block % (slot->bytes >= PAGE_SIZE ? PAGE_SIZE : 16) != 0)
        fail_msg("seed %llu: %p is not aligned for %u bytes", (unsigned long long)seed, (void *)slot->block, slot->bytes);
    for (uint32_t i = 0; !legacy && i < slot->bytes; i++)
        if (slot->block[i] != 0)
            fail_msg("seed %llu: byte %u of %u is not zero", (unsigned long long)seed, i, slot->bytes);
    memset(slot->block, slot->fill, slot->bytes);
}

static void slot_empty(slot_t *slot, bool with_tag)
{
    for (uint32_t i = 0; i < slot->bytes; i++)
        if (slot->block[i] != slot->fill)
            fail_msg("seed %llu: byte %u of %u at %p was changed by somebody", (unsigned long long)seed, i, slot->bytes,
                     (void *)slot->block);
    if (with_tag)
        ExFreePoolWithTag(slot->block, slot->tag);
    else
        ExFreePool(slot->block);
    slot->block = NULL;
}

/* ---- one thread ---- */

static slot_t slots[SLOTS];

static void counters_equal_the_model(void)
{
    static const POOL_TYPE pools[] = { NonPagedPoolNx, NonPagedPool, PagedPool };
    for (unsigned p = 0; p < 3; p++) {
        uint64_t        requested = 0, live = 0;
        ntmm_pool_usage usage;
        for (unsigned i = 0; i < SLOTS; i++) {
            if (slots[i].block == NULL || (slots[i].type != pools[p] && !(pools[p] == NonPagedPool && slots[i].type == NonPagedPoolNx)))
                continue;
            requested += slots[i].bytes;
            live++;
        }
        ntmm_query_pool(pools[p], &usage);
        assert_int_equal(usage.allocs - usage.frees, live);
        assert_int_equal(usage.bytes_requested, requested);
        assert_true(usage.bytes_in_use >= requested);
        assert_true(usage.pages * PAGE_SIZE >= usage.bytes_in_use || pools[p] == NonPagedPool);
    }
}

static void random_calls(void **state)
{
    uint64_t random = seed, target = 0;
    unsigned held = 0;
    (void)state;
    for (unsigned i = 0; i < operations; i++) {
        if (i % (operations / 50) == 0) /* the number of blocks held rises and falls */
            target = below(&random, SLOTS);
        slot_t *slot = &slots[below(&random, SLOTS)];
        KIRQL   irql = below(&random, 4) == 0 ? DISPATCH_LEVEL : PASSIVE_LEVEL, old = PASSIVE_LEVEL;
        if (irql == DISPATCH_LEVEL && (slot->block == NULL || slot->type != PagedPool))
            KeRaiseIrql(irql, &old);
        if (slot->block != NULL && (held > target || below(&random, 2) == 0)) {
            slot_empty(slot, below(&random, 2) == 0);
            held--;
        } else if (slot->block == NULL && held <= target + 8) {
            slot_fill(slot, &random, KeGetCurrentIrql());
            held++;
        }
        KeLowerIrql(PASSIVE_LEVEL);
        if (i % CHECK_EVERY == 0) {
            if (!ntmm_check())
                fail_msg("seed %llu, call %u: %s", (unsigned long long)seed, i, ntmm_error());
            counters_equal_the_model();
        }
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].block != NULL)
            slot_empty(&slots[i], true);
    assert_true(ntmm_check());
    counters_equal_the_model();
}

/* ---- four threads that free each other's blocks ---- */

enum { THREADS = 4, SHARED = 256 };

static _Atomic(slot_t *) shared[SHARED]; /* a block changes hands by exchange; whoever takes it out frees it */

static void *exchange_blocks(void *argument)
{
    uint64_t random = seed + (uintptr_t)argument * 0x9E3779B97F4A7C15ull;
    for (unsigned i = 0; i < operations / THREADS / 2; i++) {
        slot_t *mine = NULL;
        if (below(&random, 4) != 0) {
            mine = malloc(sizeof *mine);
            slot_fill(mine, &random, PASSIVE_LEVEL);
        }
        slot_t *other = atomic_exchange(&shared[below(&random, SHARED)], mine);
        if (other != NULL)
            slot_empty(other, true);
        free(other);
    }
    return NULL;
}

static void threads_exchange_blocks(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, exchange_blocks, (void *)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < SHARED; i++) {
        slot_t *left = atomic_exchange(&shared[i], NULL);
        if (left != NULL)
            slot_empty(left, true);
        free(left);
    }
    if (!ntmm_check())
        fail_msg("seed %llu: %s", (unsigned long long)seed, ntmm_error());
}

/* The fixture's own machine records who called, for which each call takes the long way. */
static const ntmm_config PLAIN = { .quiet = true };
static const ntmm_config BARE = { .quiet = true, .no_magazines = true };
static const ntmm_config CLASSIC = { .quiet = true, .classic_lookaside = true };
static const ntmm_config NUMA = { .quiet = true, .numa_nodes = 2 };
static const ntmm_config TIGHT = { .quiet = true, .processors = 1, .windows_version = 0x05020000 };

int main(void)
{
    const char *given = getenv("NTMM_SEED"), *count = getenv("NTMM_OPERATIONS");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&given * 0x9E3779B97F4A7C15ull | 1;
    if (count != NULL && strtoul(count, NULL, 0) >= 50)
        operations = (unsigned)strtoul(count, NULL, 0);
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test_config(random_calls, &PLAIN),           ntmm_cmocka_test_config(random_calls, &BARE),
        ntmm_cmocka_test_config(random_calls, &TIGHT),           ntmm_cmocka_test_config(threads_exchange_blocks, &PLAIN),
        ntmm_cmocka_test_config(threads_exchange_blocks, &BARE), ntmm_cmocka_test_config(threads_exchange_blocks, &CLASSIC),
        ntmm_cmocka_test_config(threads_exchange_blocks, &NUMA),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
