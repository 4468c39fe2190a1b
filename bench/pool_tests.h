/*
 * pool_tests.h - the loops of the pool benchmark: what a child runs.
 */
#ifndef NTMM_BENCH_POOL_TESTS_H
#define NTMM_BENCH_POOL_TESTS_H

#include <stddef.h>

#include "tool/allocator.h"

/* Nanoseconds for one allocation and its free. */
typedef struct pool_time {
    double cpu, wall;
} pool_time;

typedef struct pool_test {
    const char *name;
    const char *question;
    pool_time (*run)(const allocator *a, const struct pool_test *test);
    size_t   bytes;
    uint32_t flags;      /* enum block_flag */
    unsigned order;      /* of the frees of a batch */
    unsigned operations; /* pairs that are timed */
} pool_test;

extern const pool_test POOL_TESTS[];
extern const size_t    POOL_TEST_COUNT;
#define POOL_TESTS_LIMIT 32

#define POOL_LIVE_BLOCKS 10000
#define POOL_BATCH_BLOCKS 1000
#define POOL_UNIFORM_LEAST 16
#define POOL_UNIFORM_MOST 4080
#define POOL_SEED 42 /* of sizes and of the order in which blocks are replaced */

#endif
