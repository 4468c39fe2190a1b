/*
 * pool_promises.c - the promises of docs/performance.md as numbers. Change both.
 */
#include "pool_promises.h"

#define NOISE 1.15 /* a ratio up to this much above its limit may be chance */

const pool_promise POOL_PROMISES[] = {
    { "pair_64_zeroed", "jemalloc", 1.00, 0.75 },
    { "pair_64_zeroed", "mimalloc", 0.90, 0.64 },
    { "pair_64_zeroed", "glibc", 0.70, 0.50 },
    { "live_10k_log_zeroed", "jemalloc", 1.40, 1.00 },
    { "live_10k_log_zeroed", "mimalloc", 1.50, 1.00 },
    { "pair_64", "jemalloc", 1.35, 1.00 },
    { "pair_64", "mimalloc", 0.90, 0.70 },
    { "pair_64", "glibc", 0.90, 0.70 },
    { "live_10k", "jemalloc", 1.00, 0.60 },
    { "live_10k", "mimalloc", 1.00, 0.60 },
    { "live_10k", "glibc", 0.35, 0.18 },
    { "live_1m", "jemalloc", 1.25, 1.00 },
    { "live_1m", "mimalloc", 0.85, 0.65 },
    { "live_1m", "glibc", 0.40, 0.25 },
    { "pair_4k", "jemalloc", 0.90, 0.50 },
    { "pair_4k", "mimalloc", 0.90, 0.50 },
    { "pair_8k", "jemalloc", 0.90, 0.50 },
    { "pair_8k", "mimalloc", 0.90, 0.50 },
    { "pair_16k", "jemalloc", 0.90, 0.50 },
    { "pair_16k", "mimalloc", 0.90, 0.50 },
    { "pair_64k", "jemalloc", 0.90, 0.50 },
    { "pair_64k", "mimalloc", 0.90, 0.50 },
    { "batch_lifo", "jemalloc", 1.00, 0.60 },
    { "batch_lifo", "mimalloc", 2.00, 1.00 },
    { "batch_fifo", "jemalloc", 1.00, 0.60 },
    { "batch_fifo", "mimalloc", 2.00, 1.00 },
    { "batch_shuffled", "jemalloc", 1.00, 0.60 },
    { "batch_shuffled", "mimalloc", 2.00, 1.00 },
    { "exchange_64", "jemalloc", 1.50, 1.00 },
    { "exchange_64", "glibc", 0.80, 0.55 },
    { "pair_64_2_threads", "pair_64_1_thread", 1.10, 1.02 },
    { "pair_64_paged", "pair_64", 1.10, 1.02 },
    { "size_shift", "jemalloc", 0.60, 0.35 },
    { "survivors", "jemalloc", 0.60, 0.35 },
    { "drift", "jemalloc", 0.60, 0.35 },
};
const size_t POOL_PROMISE_COUNT = sizeof POOL_PROMISES / sizeof POOL_PROMISES[0];

const char *const POOL_VERDICTS[VERDICT_COUNT] = { "met, and the aim", "met", "missed by what may be noise", "MISSED" };

pool_verdict pool_judge(const pool_promise *promise, double ratio)
{
    return ratio <= promise->aim            ? VERDICT_AIM
           : ratio <= promise->must         ? VERDICT_MET
           : ratio <= promise->must * NOISE ? VERDICT_NOISE
                                            : VERDICT_MISSED;
}
