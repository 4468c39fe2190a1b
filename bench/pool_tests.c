/*
 * pool_tests.c - small loops around allocate and free, the shapes that allocator benchmarks agree on.
 *
 *     pair    allocate, write eight bytes, free, over and over: the fast path with everything warm
 *     live    10,000 blocks of 16 to 4,080 bytes; a random one is freed and replaced by one of another size
 *     batch   1,000 blocks, then all are freed: last first, first first, or shuffled
 *
 * Every loop runs once before it is timed. Nothing is subtracted; the same loops over an allocator that does nothing show their own cost.
 * Source  the shapes are those of glibc-simple, alloc-test and sh6bench in the field's suites; the code is ours.
 */
#include "pool_tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "tool/clock.h"

#define TAG 0x68636e42u /* "Bnch" */

enum free_order { LAST_FIRST, FIRST_FIRST, SHUFFLED };

static uint64_t random_next(uint64_t *state) /* xorshift64* */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint32_t random_below(uint64_t *state, uint32_t limit) { return (uint32_t)((random_next(state) >> 32) * limit >> 32); }

static pool_time now(void) { return (pool_time){ clock_cpu_ns(), clock_wall_ns() }; }

static pool_time since(pool_time begin, unsigned operations)
{
    pool_time end = now();
    return (pool_time){ (end.cpu - begin.cpu) / operations, (end.wall - begin.wall) / operations };
}

/* No memory: the figures would be of something else. The child ends, and its parent says so. */
static void *must_allocate(const allocator *a, size_t bytes, uint32_t flags)
{
    void *block = a->alloc(bytes, TAG, flags);
    if (block == NULL) {
        fprintf(stderr, "%s refuses %zu bytes\n", a->name, bytes);
        _Exit(1);
    }
    *(volatile uint64_t *)block = bytes;
    return block;
}

/* ---- pair ---- */

static void pairs(const allocator *a, const pool_test *test, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        a->release(must_allocate(a, test->bytes, test->flags), TAG);
}

static pool_time run_pair(const allocator *a, const pool_test *test)
{
    pairs(a, test, test->operations / 4);
    pool_time begin = now();
    pairs(a, test, test->operations);
    return since(begin, test->operations);
}

/* ---- live ---- */

static uint32_t random_size(uint64_t *state)
{
    return POOL_UNIFORM_LEAST + random_below(state, POOL_UNIFORM_MOST - POOL_UNIFORM_LEAST + 1);
}

static void replace(const allocator *a, const pool_test *test, void **blocks, uint64_t *state, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t victim = random_below(state, POOL_LIVE_BLOCKS);
        a->release(blocks[victim], TAG);
        blocks[victim] = must_allocate(a, random_size(state), test->flags);
    }
}

static pool_time run_live(const allocator *a, const pool_test *test)
{
    static void *blocks[POOL_LIVE_BLOCKS];
    uint64_t     state = POOL_SEED;
    for (unsigned i = 0; i < POOL_LIVE_BLOCKS; i++)
        blocks[i] = must_allocate(a, random_size(&state), test->flags);
    replace(a, test, blocks, &state, 2 * POOL_LIVE_BLOCKS);
    pool_time begin = now();
    replace(a, test, blocks, &state, test->operations);
    pool_time spent = since(begin, test->operations);
    for (unsigned i = 0; i < POOL_LIVE_BLOCKS; i++)
        a->release(blocks[i], TAG);
    return spent;
}

/* ---- batch ---- */

static void order_frees(unsigned *order, enum free_order kind)
{
    uint64_t state = POOL_SEED;
    for (unsigned i = 0; i < POOL_BATCH_BLOCKS; i++)
        order[i] = kind == LAST_FIRST ? POOL_BATCH_BLOCKS - 1 - i : i;
    for (unsigned i = POOL_BATCH_BLOCKS - 1; kind == SHUFFLED && i > 0; i--) {
        unsigned other = random_below(&state, i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void batches(const allocator *a, const pool_test *test, const unsigned *order, unsigned count)
{
    static void *blocks[POOL_BATCH_BLOCKS];
    for (unsigned batch = 0; batch < count; batch++) {
        for (unsigned i = 0; i < POOL_BATCH_BLOCKS; i++)
            blocks[i] = must_allocate(a, test->bytes, test->flags);
        for (unsigned i = 0; i < POOL_BATCH_BLOCKS; i++)
            a->release(blocks[order[i]], TAG);
    }
}

static pool_time run_batch(const allocator *a, const pool_test *test)
{
    static unsigned order[POOL_BATCH_BLOCKS];
    unsigned        count = test->operations / POOL_BATCH_BLOCKS;
    order_frees(order, test->order);
    batches(a, test, order, count / 4 + 1);
    pool_time begin = now();
    batches(a, test, order, count);
    return since(begin, count * POOL_BATCH_BLOCKS);
}

/* ---- the table ---- */

const pool_test POOL_TESTS[] = {
    { "pair_64_zeroed", "64 bytes, zeroed", run_pair, 64, BLOCK_ZEROED, 0, 2000000 },
    { "pair_64", "64 bytes", run_pair, 64, 0, 0, 2000000 },
    { "pair_64_paged", "64 bytes, paged pool", run_pair, 64, BLOCK_PAGED, 0, 2000000 },
    { "live_10k", "10,000 live, 16-4080 bytes, random replacement", run_live, 0, 0, 0, 500000 },
    { "batch_lifo", "1,000 x 64 bytes, freed last first", run_batch, 64, 0, LAST_FIRST, 1000000 },
    { "batch_fifo", "1,000 x 64 bytes, freed first first", run_batch, 64, 0, FIRST_FIRST, 1000000 },
    { "batch_shuffled", "1,000 x 64 bytes, freed shuffled", run_batch, 64, 0, SHUFFLED, 1000000 },
    { "pair_4k", "4 KiB", run_pair, 4096, 0, 0, 200000 },
    { "pair_8k", "8 KiB", run_pair, 8192, 0, 0, 200000 },
    { "pair_16k", "16 KiB", run_pair, 16384, 0, 0, 200000 },
    { "pair_64k", "64 KiB", run_pair, 65536, 0, 0, 100000 },
};
const size_t POOL_TEST_COUNT = sizeof POOL_TESTS / sizeof POOL_TESTS[0];
_Static_assert(sizeof POOL_TESTS / sizeof POOL_TESTS[0] <= POOL_TESTS_LIMIT, "a result has room for every test");
