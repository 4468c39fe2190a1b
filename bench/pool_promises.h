/*
 * pool_promises.h - what ntmm promises beside other allocators, and how a ratio is judged.
 */
#ifndef NTMM_BENCH_POOL_PROMISES_H
#define NTMM_BENCH_POOL_PROMISES_H

#include <stdbool.h>
#include <stddef.h>

/* The largest ratio to another's figure that is still good enough, and the one to aim at. */
typedef struct pool_promise {
    const char *test, *other; /* other: an allocator, or a test of ntmm's own */
    double      must, aim;
} pool_promise;

extern const pool_promise POOL_PROMISES[];
extern const size_t       POOL_PROMISE_COUNT;

typedef enum pool_verdict {
    VERDICT_AIM,    /* met, and the aim too */
    VERDICT_MET,    /* what must be met is met */
    VERDICT_NOISE,  /* missed, by so little that it may be chance */
    VERDICT_MISSED, /* missed */
    VERDICT_COUNT
} pool_verdict;

extern const char *const POOL_VERDICTS[VERDICT_COUNT]; /* for a person */

pool_verdict pool_judge(const pool_promise *promise, double ratio);

#endif
