/*
 * pool_compare.h - one ratio out of two medians, and whether the machine held still enough to judge it.
 */
#ifndef NTMM_BENCH_POOL_COMPARE_H
#define NTMM_BENCH_POOL_COMPARE_H

#include "pool_promises.h"
#include "pool_rounds.h"

#define POOL_OURS "ntmm-classic"

typedef struct pool_comparison {
    bool   measured; /* both sides were */
    double ratio;
    char   doubt[80]; /* why no verdict can be given; "": one can */
} pool_comparison;

pool_comparison pool_compare(const pool_results *results, const pool_promise *promise);

#endif
