/*
 * histogram.c - reading quantiles back.
 */
#include "tool/histogram.h"

#include <math.h>

static uint64_t lower_edge(uint32_t bucket)
{
    if (bucket < HISTOGRAM_EXACT)
        return bucket;
    uint32_t above = bucket - HISTOGRAM_EXACT;
    uint32_t log = above / HISTOGRAM_PARTS + HISTOGRAM_EXACT_SHIFT;
    return (UINT64_C(1) << log) + ((uint64_t)(above % HISTOGRAM_PARTS) << (log - 6));
}

/* The quantile as it was counted: the lower edge of the bucket that reaches it. */
static uint64_t counted_quantile(const histogram *h, double quantile)
{
    uint64_t wanted = (uint64_t)ceil(quantile * (double)h->count);
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += h->buckets[bucket];
        if (seen >= wanted && seen != 0)
            return lower_edge(bucket);
    }
    return h->max;
}

/* How many counts lie below x when each is spread over [value - step/2, value + step/2]. */
static double spread_below(const histogram *h, double x, uint64_t step)
{
    double   half = (double)step / 2, below = 0;
    uint32_t first = x - half > 0 ? (uint32_t)(x - half) : 0;
    for (uint32_t value = 0; value < first; value++)
        below += h->buckets[value];
    for (uint32_t value = first; value < HISTOGRAM_EXACT && (double)value < x + half; value++) {
        double share = (x - (double)value + half) / (double)step;
        below += h->buckets[value] * (share < 0 ? 0 : share > 1 ? 1 : share);
    }
    return below;
}

double histogram_quantile(const histogram *h, double quantile, uint64_t step)
{
    double counted = (double)counted_quantile(h, quantile);
    double low = counted - (double)step, high = counted + (double)step;
    if (h->count == 0 || high >= HISTOGRAM_EXACT)
        return counted; /* up there a bucket is as wide as any step */
    while (high - low > 0.01) {
        double middle = (low + high) / 2;
        if (spread_below(h, middle, step) < quantile * (double)h->count)
            low = middle;
        else
            high = middle;
    }
    return high > 0 ? high : 0;
}
