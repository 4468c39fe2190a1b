/*
 * test_ex_pool_exhaustion.c - memory runs out, and comes back.
 * Each pool is filled to the last block: by blocks of one size, by whole pages, by anything, by four threads that free what others allocated.
 * Every refusal must be a NULL that changes nothing: counters equal the model's, every block keeps its bytes, the machine's own check holds.
 * When half is free again, as much can be had again; when all is free, every page is back. With failures injected on the way, too.
 * Prints its seed; NTMM_SEED replays one.
 */
#include <ntmm/cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/sanitizer.h"

#define ROUNDS (SANITIZED ? 3 : 10)
#define THREAD_ROUNDS (WATCHED_BY_TSAN ? 1 : ROUNDS) /* which sees in one order of events what else needs many */
#define SIZES_STEP (SANITIZED ? 4 : 1)

#define TAG NTMM_TAG("Exhs")
#define PAGES(of_4_kib) ((of_4_kib)*4096u / PAGE_SIZE) /* as many bytes, whatever the pages */
#define RAM PAGES(900u)                                /* pages; together with the page file less than the pools may want */
#define PAGE_FILE PAGES(100u)
#define NONPAGED_LIMIT PAGES(500u)
#define PAGED_LIMIT PAGES(600u)
#define CONTIGUOUS PAGES(100u)

enum { THREADS = 4, BLOCKS_MAX = PAGED_LIMIT * PAGE_SIZE / 32 };

static uint64_t seed;

static uint64_t next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Dull;
}
static uint32_t below(uint64_t *state, uint32_t limit) { return (uint32_t)((next(state) >> 32) * limit >> 32); }

/* ---- the model: what is held, with what was written there ---- */

enum pool { NX, EXECUTE, PAGED, POOLS };

typedef struct block {
    unsigned char *at;
    uint32_t       bytes;
    enum pool      pool;
} block_t;

typedef struct held {
    block_t  block[BLOCKS_MAX];
    uint32_t count;
} held_t;

static held_t everything; /* of the test's own thread */

static const POOL_FLAGS FLAGS[POOLS] = { POOL_FLAG_NON_PAGED, POOL_FLAG_NON_PAGED_EXECUTE, POOL_FLAG_PAGED };

static unsigned char fill_of(const block_t *block) { return (unsigned char)((uintptr_t)block->at >> 4 ^ block->bytes * 31); }

/* First, last and some bytes between, so that each block is looked at without touching all of it. */
static void mark(const block_t *block, bool check)
{
    for (uint32_t i = 0; i < block->bytes; i += i + 64 < block->bytes || i == block->bytes - 1 ? 64 : block->bytes - 1 - i) {
        if (!check)
            block->at[i] = fill_of(block);
        else if (block->at[i] != fill_of(block))
            fail_msg("seed %llu: byte %u of %u at %p was changed by somebody", (unsigned long long)seed, i, block->bytes,
                     (void *)block->at);
    }
}

/* false: there is no memory for it. */
static bool take(held_t *held, enum pool pool, uint32_t bytes)
{
    block_t block = { ExAllocatePool2(FLAGS[pool] | POOL_FLAG_UNINITIALIZED, bytes, TAG), bytes, pool };
    if (block.at == NULL)
        return false;
    if (held->count == BLOCKS_MAX)
        fail_msg("the model is too small");
    mark(&block, false);
    held->block[held->count++] = block;
    return true;
}

static void give(const block_t *block)
{
    mark(block, true);
    ExFreePoolWithTag(block->at, TAG);
}

static block_t remove_any(held_t *held, uint64_t *random)
{
    uint32_t i = below(random, held->count);
    block_t  block = held->block[i];
    held->block[i] = held->block[--held->count];
    return block;
}

static void give_any(held_t *held, uint64_t *random)
{
    block_t block = remove_any(held, random);
    give(&block);
}

static void counters_equal(held_t *const *all, unsigned held_count)
{
    uint64_t          count[2] = { 0 }, bytes[2] = { 0 };
    ntmm_memory_usage memory;
    for (unsigned h = 0; h < held_count; h++)
        for (uint32_t i = 0; i < all[h]->count; i++) {
            count[all[h]->block[i].pool == PAGED]++;
            bytes[all[h]->block[i].pool == PAGED] += all[h]->block[i].bytes;
        }
    for (int paged = 0; paged < 2; paged++) {
        ntmm_pool_usage usage;
        ntmm_query_pool(paged ? PagedPool : NonPagedPool, &usage);
        assert_int_equal(usage.allocs - usage.frees, count[paged]);
        assert_int_equal(usage.bytes_requested, bytes[paged]);
        assert_true(usage.pages <= (paged ? PAGED_LIMIT : NONPAGED_LIMIT));
        assert_true(usage.pages * PAGE_SIZE >= usage.bytes_in_use);
    }
    ntmm_query_memory(&memory);
    assert_true(memory.active + memory.standby + memory.modified <=
                memory.committed); /* the rest is in the page file, or was never touched */
    assert_true(memory.committed <= memory.commit_limit);
    if (!ntmm_check())
        fail_msg("seed %llu: %s", (unsigned long long)seed, ntmm_error());
}

static void all_is_well(void)
{
    held_t *mine = &everything;
    counters_equal(&mine, 1);
}

static void drain(void) /* nobody keeps anything ready any more */
{
    ntmm_fail_allocation(UINT64_MAX);
    ntmm_fail_allocation(0);
}

static void all_is_back(void)
{
    ntmm_pool_usage   nonpaged, paged;
    ntmm_memory_usage memory;
    drain();
    ntmm_query_pool(NonPagedPool, &nonpaged);
    ntmm_query_pool(PagedPool, &paged);
    ntmm_query_memory(&memory);
    assert_int_equal(nonpaged.pages, 0);
    assert_int_equal(paged.pages, 0);
    assert_int_equal(nonpaged.bytes_in_use + paged.bytes_in_use, 0);
    assert_int_equal(memory.committed, 0);
    assert_int_equal(memory.active, 0);
    assert_true(ntmm_check());
}

/* ---- one thread, one kind of request ---- */

static const uint32_t SIZES[] = {
    1, 16, 40, 200, 500, 1024, 2040, 3000, PAGE_SIZE - 32, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE, 20 * PAGE_SIZE
};

static void fill_empty_and_fill(enum pool pool, uint32_t bytes)
{
    uint64_t random = seed;
    while (take(&everything, pool, bytes))
        ;
    uint32_t full = everything.count, limit = pool == PAGED ? PAGED_LIMIT : NONPAGED_LIMIT;
    assert_true((uint64_t)full * (bytes + 16) <= (uint64_t)limit * PAGE_SIZE + 16 * full);
    uint64_t rounded = bytes + 16 + 2 * (PAGE_SIZE / 256);                /* header, rounding, a remainder that is too small for a block */
    assert_true((full + 1) * rounded >= (uint64_t)limit * PAGE_SIZE / 2); /* and half of each page at worst */
    for (int i = 0; i < 5; i++)
        assert_false(take(&everything, pool, bytes)); /* refused again, and again without a trace */
    all_is_well();
    while (everything.count > full / 2)
        give_any(&everything, &random);
    all_is_well();
    while (everything.count < full)
        assert_true(take(&everything, pool, bytes)); /* every hole is as good as before */
    all_is_well();
    while (everything.count != 0)
        give_any(&everything, &random);
    all_is_well();
    all_is_back();
}

static void one_size_after_the_other(void **state)
{
    (void)state;
    for (enum pool pool = NX; pool < POOLS; pool++)
        for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i += SIZES_STEP)
            fill_empty_and_fill(pool, SIZES[i]);
}

/* ---- one thread, anything ---- */

static uint32_t random_bytes(uint64_t *random)
{
    switch (below(random, 8)) {
    case 0: return 1 + below(random, 4 * PAGE_SIZE);
    case 1: return PAGE_SIZE * (1 + below(random, 12));
    case 2: return PAGE_SIZE - below(random, 100);
    default: return 1 + below(random, 1000);
    }
}

/* Until `refusals` requests in a row had no memory. */
static void exhaust(held_t *held, uint64_t *random, int refusals)
{
    for (int refused = 0; refused < refusals;)
        refused = take(held, below(random, POOLS), random_bytes(random)) ? 0 : refused + 1;
}

static void anything(void **state)
{
    uint64_t random = seed;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        exhaust(&everything, &random, 100);
        all_is_well();
        uint32_t full = everything.count;
        while (everything.count > full / 2)
            give_any(&everything, &random);
        all_is_well();
        for (int i = 0; i < 200; i++)
            assert_true(take(&everything, below(&random, POOLS), 1 + below(&random, 200)));
        all_is_well();
        if (round % 3 != 2) /* sometimes on top of what is left */
            while (everything.count != 0)
                give_any(&everything, &random);
    }
    while (everything.count != 0)
        give_any(&everything, &random);
    all_is_back();
}

static void with_failures_on_the_way(void **state)
{
    uint64_t random = seed;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        for (int refused = 0; refused < 1000;) { /* in all: memory stays short for a while */
            if (below(&random, 20) == 0)
                ntmm_fail_allocation(1 + below(&random, 5));
            refused += !take(&everything, below(&random, POOLS), random_bytes(&random));
            if (everything.count != 0 && below(&random, 10) == 0)
                give_any(&everything, &random);
        }
        ntmm_fail_allocation(0);
        all_is_well();
        while (everything.count != 0)
            give_any(&everything, &random);
        all_is_back();
    }
}

static void refusals_that_raise(void **state)
{
    (void)state;
    for (enum pool pool = NX; pool < POOLS; pool++) {
        while (take(&everything, pool, 3 * PAGE_SIZE) || take(&everything, pool, 100))
            ;
        all_is_well();
        assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_INSUFFICIENT_RESOURCES,
                        ExAllocatePool2(FLAGS[pool] | POOL_FLAG_RAISE_ON_FAILURE, 100, TAG));
        ntmm_cmocka_reboot();
        everything.count = 0; /* that was the machine before */
    }
}

/* The limits of the pools are out of reach: the commit limit, RAM and page file, ends first; contiguous memory takes its part. */
static void the_commit_limit_comes_first(void **state)
{
    PHYSICAL_ADDRESS  highest = { .QuadPart = INT64_MAX };
    PVOID             contiguous = MmAllocateContiguousMemory(CONTIGUOUS * PAGE_SIZE, highest);
    ntmm_memory_usage memory;
    ntmm_pool_usage   nonpaged, paged;
    uint64_t          random = seed;
    (void)state;
    assert_non_null(contiguous);
    while (take(&everything, NX, PAGE_SIZE))
        ;
    ntmm_query_pool(NonPagedPool, &nonpaged);
    assert_int_equal(nonpaged.pages, NONPAGED_LIMIT);
    while (take(&everything, PAGED, 100))
        ;
    ntmm_query_memory(&memory);
    ntmm_query_pool(PagedPool, &paged);
    assert_int_equal(memory.committed, memory.commit_limit);
    assert_int_equal(paged.pages, RAM + PAGE_FILE - CONTIGUOUS - NONPAGED_LIMIT);
    assert_null(MmAllocateContiguousMemory(1, highest));
    assert_null(MmAllocateNonCachedMemory(1));
    all_is_well();
    MmFreeContiguousMemory(contiguous);
    while (take(&everything, PAGED, PAGE_SIZE)) /* what one gives the other may have, up to its own limit */
        ;
    ntmm_query_pool(PagedPool, &paged);
    assert_int_equal(paged.pages, RAM + PAGE_FILE - NONPAGED_LIMIT);
    while (everything.count != 0)
        give_any(&everything, &random);
    all_is_back();
}

/* ---- four threads ---- */

static held_t             theirs[THREADS];
static _Atomic(block_t *) shared[512]; /* blocks that change hands while all are at work */
static _Atomic int        arrived;

static void wait_for_the_others(int phase)
{
    LARGE_INTEGER moment = { .QuadPart = -1000 };
    atomic_fetch_add(&arrived, 1);
    while (atomic_load(&arrived) < phase * THREADS)
        KeDelayExecutionThread(KernelMode, FALSE, &moment);
}

static void change_hands(held_t *mine, uint64_t *random)
{
    block_t *out = malloc(sizeof *out);
    *out = remove_any(mine, random);
    out = atomic_exchange(&shared[below(random, 512)], out);
    if (out != NULL)
        give(out);
    free(out);
}

typedef struct player {
    uintptr_t place;
    int       round;
} player_t;

static void *fill_and_free_for_others(void *argument)
{
    player_t *player = argument;
    held_t   *mine = &theirs[player->place], *next_one = &theirs[(player->place + 1) % THREADS];
    uint64_t  random = (seed + player->place * 77 + (uint64_t)player->round * 1000) * 0x9E3779B97F4A7C15ull | 1;
    for (int refused = 0; refused < 60;) {
        refused = take(mine, below(&random, POOLS), random_bytes(&random)) ? 0 : refused + 1;
        if (mine->count > 1 && below(&random, 12) == 0)
            change_hands(mine, &random);
    }
    wait_for_the_others(1);
    for (uint32_t half = next_one->count / 2; next_one->count > half;)
        give_any(next_one, &random);
    wait_for_the_others(2);
    uintptr_t short_of = 0;
    for (int i = 0; i < 100; i++) /* half of everything is free: nobody may be refused a little */
        short_of += !take(mine, below(&random, POOLS), 1 + below(&random, 100));
    return (void *)short_of;
}

static void collect_shared(held_t *held)
{
    for (int i = 0; i < 512; i++) {
        block_t *left = atomic_exchange(&shared[i], NULL);
        if (left != NULL)
            held->block[held->count++] = *left;
        free(left);
    }
}

static void four_threads_to_the_end_and_back(void **state)
{
    held_t  *all[THREADS + 1] = { &theirs[0], &theirs[1], &theirs[2], &theirs[3], &everything };
    uint64_t random = seed;
    (void)state;
    for (int round = 0; round < THREAD_ROUNDS; round++) {
        pthread_t thread[THREADS];
        player_t  player[THREADS];
        atomic_store(&arrived, 0);
        for (int i = 0; i < THREADS; i++) {
            player[i] = (player_t){ (uintptr_t)i, round };
            assert_int_equal(pthread_create(&thread[i], NULL, fill_and_free_for_others, &player[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            void *short_of;
            pthread_join(thread[i], &short_of);
            assert_null(short_of);
        }
        collect_shared(&everything);
        counters_equal(all, THREADS + 1);
        for (int i = 0; i <= THREADS; i++)
            while (all[i]->count != 0)
                give_any(all[i], &random);
        all_is_back();
    }
}

static int set_up(void **state)
{
    everything.count = 0;
    for (int i = 0; i < THREADS; i++)
        theirs[i].count = 0;
    return ntmm_cmocka_setup(state);
}

static const ntmm_config SMALL = { .quiet = true,
                                   .physical_memory = RAM * (uint64_t)PAGE_SIZE,
                                   .page_file_size = PAGE_FILE * (uint64_t)PAGE_SIZE,
                                   .nonpaged_pool_limit = NONPAGED_LIMIT * (uint64_t)PAGE_SIZE,
                                   .paged_pool_limit = PAGED_LIMIT * (uint64_t)PAGE_SIZE };
static const ntmm_config BARE = { .quiet = true,
                                  .no_magazines = true,
                                  .physical_memory = RAM * (uint64_t)PAGE_SIZE,
                                  .page_file_size = PAGE_FILE * (uint64_t)PAGE_SIZE,
                                  .nonpaged_pool_limit = NONPAGED_LIMIT * (uint64_t)PAGE_SIZE,
                                  .paged_pool_limit = PAGED_LIMIT * (uint64_t)PAGE_SIZE };

#define ON(machine, test) cmocka_unit_test_prestate_setup_teardown(test, set_up, ntmm_cmocka_teardown, (void *)(uintptr_t) & (machine))

int main(void)
{
    const char *given = getenv("NTMM_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)(uintptr_t)&given * 0x9E3779B97F4A7C15ull | 1;
    printf("NTMM_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        ON(SMALL, one_size_after_the_other),
        ON(BARE, one_size_after_the_other),
        ON(SMALL, anything),
        ON(BARE, anything),
        ON(SMALL, with_failures_on_the_way),
        ON(SMALL, refusals_that_raise),
        ON(SMALL, the_commit_limit_comes_first),
        ON(SMALL, four_threads_to_the_end_and_back),
        ON(BARE, four_threads_to_the_end_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
