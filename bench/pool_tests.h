/*
 * pool_tests.h - the tests of the pool benchmark: one process runs one of them against one allocator.
 * The loops know nothing of rounds or of each other; what they find goes into a pool_outcome.
 *
 * Elsewhere  the table of tests: pool_table.c. The loops: pool_tests.c (one thread), exchange_test.c and thread_tests.c (two), phase_tests.c (memory).
 */
#ifndef NTMM_BENCH_POOL_TESTS_H
#define NTMM_BENCH_POOL_TESTS_H

#include <stddef.h>

#include "tool/allocator.h"

#define POOL_SEED 42         /* of sizes and of the order in which blocks are replaced: the same for all */
#define POOL_TAG 0x68636e42u /* "Bnch" */
#define POOL_SAMPLES 4096

/* Which figure of a test is compared. */
enum pool_measure {
    POOL_CPU,   /* nanoseconds of processor time for one allocation and its free */
    POOL_WALL,  /* the same by the clock on the wall: what two threads achieve together */
    POOL_MEMORY /* peak committed / peak live */
};

typedef struct pool_figure {
    double   cpu, wall;                 /* nanoseconds for one allocation and its free */
    double   at_once;                   /* share of the time in which all threads were running; tests of several threads only */
    uint64_t peak_live, peak_committed; /* bytes, each at its own instant; POOL_MEMORY only */
} pool_figure;

typedef struct pool_sample {
    uint64_t operation, asked, live, committed; /* asked for since the first operation, live, held: bytes */
} pool_sample;

typedef struct pool_outcome {
    pool_figure figure;
    uint32_t    sample_count; /* of a POOL_MEMORY test: the curve */
    pool_sample samples[POOL_SAMPLES];
} pool_outcome;

enum pool_order { POOL_LAST_FIRST, POOL_FIRST_FIRST, POOL_SHUFFLED };
enum pool_sizes { POOL_UNIFORM, /* 16 to 4,080 bytes, each as likely */ POOL_LOG /* 16 bytes to 4 KiB, each doubling as likely */ };

typedef struct pool_test {
    const char *name, *question;
    void (*run)(const allocator *a, const struct pool_test *test, pool_outcome *out);
    enum pool_measure measure;
    uint32_t          flags;       /* enum block_flag */
    size_t            bytes;       /* of a block, where all have one size */
    unsigned          blocks;      /* live at once */
    unsigned          operations;  /* pairs that are timed, by each thread */
    unsigned          kind;        /* enum pool_order of a batch, enum pool_sizes of a live set */
    unsigned          threads;     /* that call the allocator */
    uint64_t          grow;        /* bytes that a phase adds */
    unsigned          most_rounds; /* a long test: no more than these; 0: as many as are asked for */
    uint64_t          host_bytes;  /* memory that the host must have to spare; 0: next to none */
} pool_test;

/* pool_table.c */
extern const pool_test POOL_TESTS[];
extern const size_t    POOL_TEST_COUNT;
#define POOL_TESTS_LIMIT 32

/** The place of a test in the table; POOL_TEST_COUNT: there is none of that name. */
size_t pool_test_find(const char *name);

/** The same test, but small: does it run at all? */
pool_test pool_test_quick(const pool_test *test);

/** What the allocator has to be ready for. */
allocator_need pool_test_need(const pool_test *test);

/* pool_tests.c */
void pool_run_pair(const allocator *a, const pool_test *test, pool_outcome *out);
void pool_run_live(const allocator *a, const pool_test *test, pool_outcome *out);
void pool_run_batch(const allocator *a, const pool_test *test, pool_outcome *out);

/* exchange_test.c, thread_tests.c */
void pool_run_exchange(const allocator *a, const pool_test *test, pool_outcome *out);
void pool_run_threads(const allocator *a, const pool_test *test, pool_outcome *out);

/* phase_tests.c */
void pool_run_size_shift(const allocator *a, const pool_test *test, pool_outcome *out);
void pool_run_survivors(const allocator *a, const pool_test *test, pool_outcome *out);
void pool_run_drift(const allocator *a, const pool_test *test, pool_outcome *out);

#endif
