/*
 * histogram.h - counts of durations, fine enough to read a quantile to 1.6 %.
 * Up to 4,096 ticks each tick has its own bucket; above, each power of two is cut into 64. No allocation, no floating point while it runs.
 */
#ifndef NTMM_TOOL_HISTOGRAM_H
#define NTMM_TOOL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_EXACT_SHIFT 12
#define HISTOGRAM_EXACT (1u << HISTOGRAM_EXACT_SHIFT)
#define HISTOGRAM_PARTS 64u
#define HISTOGRAM_BUCKETS (HISTOGRAM_EXACT + (64 - HISTOGRAM_EXACT_SHIFT) * HISTOGRAM_PARTS)

typedef struct histogram {
    uint64_t count, sum, max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
} histogram;

static inline uint32_t histogram_bucket(uint64_t ticks)
{
    if (ticks < HISTOGRAM_EXACT)
        return (uint32_t)ticks;
    uint32_t log = 63u - (uint32_t)__builtin_clzll(ticks); /* >= HISTOGRAM_EXACT_SHIFT */
    return HISTOGRAM_EXACT + (log - HISTOGRAM_EXACT_SHIFT) * HISTOGRAM_PARTS + (uint32_t)(ticks >> (log - 6) & (HISTOGRAM_PARTS - 1));
}

static inline void histogram_add(histogram *h, uint64_t ticks)
{
    h->buckets[histogram_bucket(ticks)]++;
    h->count++;
    h->sum += ticks;
    h->max = ticks > h->max ? ticks : h->max;
}

/**
 * The value that a share `quantile` (0..1) of all lies below; 0 when there is none.
 *
 * @param step  what the clock advances by. A duration between two readings of a stepping clock is off by up to a step either way, so each
 *              count is spread evenly over one step around its value: the quantile of grouped data. 1 for a clock that counts every tick.
 */
double histogram_quantile(const histogram *h, double quantile, uint64_t step);

#endif
