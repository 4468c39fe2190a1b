/*
 * pool_tests.c - small loops around allocate and free, the shapes that allocator benchmarks agree on.
 *
 *     pair    allocate, write eight bytes, free, over and over: the fast path with everything warm
 *     live    many blocks of mixed sizes; a random one is freed and replaced by one of another size
 *     batch   1,000 blocks, then all are freed: last first, first first, or shuffled
 *
 * Every loop runs before it is timed. Nothing is subtracted; the same loops over an allocator that does nothing show their own cost.
 * Source  the shapes are those of glibc-simple, alloc-test and sh6bench in the field's suites; the code is ours.
 */
#include "pool_loops.h"

#include "tool/clock.h"

#define LEAST_BYTES 16u
#define UNIFORM_MOST 4080u
#define LOG_DOUBLINGS 8u /* from LEAST_BYTES to 4 KiB */

static pool_figure now(void) { return (pool_figure){ .cpu = clock_cpu_ns(), .wall = clock_wall_ns() }; }

static pool_figure since(pool_figure begin, unsigned operations)
{
    pool_figure end = now();
    return (pool_figure){ .cpu = (end.cpu - begin.cpu) / operations, .wall = (end.wall - begin.wall) / operations };
}

/* ---- pair ---- */

void pool_run_pair(const allocator *a, const pool_test *test, pool_outcome *out)
{
    pool_pairs(a, test, test->operations / 4);
    pool_figure begin = now();
    pool_pairs(a, test, test->operations);
    out->figure = since(begin, test->operations);
}

/* ---- live ---- */

static inline uint32_t random_size(const pool_test *test, uint64_t *state)
{
    if (test->kind == POOL_UNIFORM)
        return LEAST_BYTES + pool_random_below(state, UNIFORM_MOST - LEAST_BYTES + 1);
    uint32_t least = LEAST_BYTES << pool_random_below(state, LOG_DOUBLINGS);
    return least + pool_random_below(state, least);
}

static void replace(const allocator *a, const pool_test *test, void **blocks, uint64_t *state, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t victim = pool_random_below(state, test->blocks);
        a->release(blocks[victim], POOL_TAG);
        blocks[victim] = pool_must_allocate(a, random_size(test, state), test->flags);
    }
}

void pool_run_live(const allocator *a, const pool_test *test, pool_outcome *out)
{
    void   **blocks = pool_own_memory(a, test->blocks * sizeof *blocks);
    uint64_t state = POOL_SEED;
    for (unsigned i = 0; i < test->blocks; i++)
        blocks[i] = pool_must_allocate(a, random_size(test, &state), test->flags);
    replace(a, test, blocks, &state, 2 * test->blocks);
    pool_figure begin = now();
    replace(a, test, blocks, &state, test->operations);
    out->figure = since(begin, test->operations);
    for (unsigned i = 0; i < test->blocks; i++)
        a->release(blocks[i], POOL_TAG);
}

/* ---- batch ---- */

static void order_frees(unsigned *order, const pool_test *test)
{
    uint64_t state = POOL_SEED;
    for (unsigned i = 0; i < test->blocks; i++)
        order[i] = test->kind == POOL_LAST_FIRST ? test->blocks - 1 - i : i;
    for (unsigned i = test->blocks - 1; test->kind == POOL_SHUFFLED && i > 0; i--) {
        unsigned other = pool_random_below(&state, i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static void batches(const allocator *a, const pool_test *test, void **blocks, const unsigned *order, unsigned count)
{
    for (unsigned batch = 0; batch < count; batch++) {
        for (unsigned i = 0; i < test->blocks; i++)
            blocks[i] = pool_must_allocate(a, test->bytes, test->flags);
        for (unsigned i = 0; i < test->blocks; i++)
            a->release(blocks[order[i]], POOL_TAG);
    }
}

void pool_run_batch(const allocator *a, const pool_test *test, pool_outcome *out)
{
    void    **blocks = pool_own_memory(a, test->blocks * sizeof *blocks);
    unsigned *order = pool_own_memory(a, test->blocks * sizeof *order);
    unsigned  count = test->operations / test->blocks;
    order_frees(order, test);
    batches(a, test, blocks, order, count / 4 + 1);
    pool_figure begin = now();
    batches(a, test, blocks, order, count);
    out->figure = since(begin, count * test->blocks);
}
