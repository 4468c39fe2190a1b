/*
 * rounds.c - medians and quartiles of a handful of numbers, between two of them by straight line; and a promise about one.
 */
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* share 0: the least, 0.5: the median, 1: the most. */
static double quantile(const double *rounds, unsigned count, double share)
{
    double values[ROUNDS_LIMIT];
    memcpy(values, rounds, count * sizeof *values);
    qsort(values, count, sizeof *values, by_value);
    double   place = share * (count - 1);
    unsigned below = (unsigned)place, above = below + 1 < count ? below + 1 : below;
    return values[below] + (place - below) * (values[above] - values[below]);
}

double rounds_median(const double *rounds, unsigned count) { return count == 0 ? 0 : quantile(rounds, count, 0.5); }

double rounds_moved(const double *rounds, unsigned count)
{
    double median = rounds_median(rounds, count);
    return count < 2 || median <= 0 ? 0 : (quantile(rounds, count, 0.75) - quantile(rounds, count, 0.25)) / median;
}

#define NOISE 1.15

void rounds_promise(const char *promise, double value, double most)
{
    const char *verdict = value <= most ? "" : value <= most * NOISE ? "   missed by what may be noise" : "   NOT KEPT";
    printf("  %-28s %8.2f, promised %.2f%s\n", promise, value, most, verdict);
}
