/*
 * pool_rounds.h - the benchmark's processes: who takes part, what each found in each round.
 */
#ifndef NTMM_BENCH_POOL_ROUNDS_H
#define NTMM_BENCH_POOL_ROUNDS_H

#include "pool_options.h"
#include "rounds.h"

#define CONTENDERS_LIMIT 8

/* What an allocator did in a test. */
typedef struct pool_entry {
    unsigned     rounds;
    double       cpu[ROUNDS_LIMIT], wall[ROUNDS_LIMIT]; /* ns for a pair */
    double       at_once[ROUNDS_LIMIT];
    double       live[ROUNDS_LIMIT], committed[ROUNDS_LIMIT], ratio[ROUNDS_LIMIT];
    char         failure[ALLOCATOR_WHY]; /* "": none */
    pool_sample *samples;                /* of the first round */
    unsigned     sample_count;
} pool_entry;

typedef struct pool_contender {
    const allocator *allocator;
    char             library[4096];
    pool_entry       entries[POOL_TESTS_LIMIT];
} pool_contender;

typedef struct pool_results {
    const pool_options *options;
    pool_contender      contenders[CONTENDERS_LIMIT]; /* the floor first */
    size_t              contender_count;
    char                skipped[POOL_TESTS_LIMIT][160]; /* why a test was left out; "": it was not */
    bool                failed;                         /* some process did */
} pool_results;

/** Find who takes part and play all rounds. */
void pool_rounds_run(pool_results *results, const pool_options *options);

/** A process that plays one test: `ntmm_pool_bench --child ALLOCATOR TEST quick|full`. @return its exit code */
int pool_rounds_child(int argc, char **argv);

/** The one of that name; NULL: it does not take part. */
const pool_contender *pool_contender_find(const pool_results *results, const char *name);

/** The rounds of the figure that is compared; NULL: there are none. */
const double *pool_entry_rounds(const pool_contender *contender, size_t test, unsigned *count);

#endif
