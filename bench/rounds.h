/*
 * rounds.h - one figure out of several rounds, and how far the rounds lie apart.
 */
#ifndef NTMM_BENCH_ROUNDS_H
#define NTMM_BENCH_ROUNDS_H

#define ROUNDS_LIMIT 99u

/** The median; 0 for no rounds. */
double rounds_median(const double *rounds, unsigned count);

/**
 * How much a figure moved: the distance between its quartiles over its median, which a single bad round leaves alone, as it does the median.
 *
 * @return 0.1 when the middle half of the rounds lies within a tenth of the median; 0 for fewer than two rounds
 */
double rounds_moved(const double *rounds, unsigned count);

/** Prints what was promised of a ratio, what it is, and the verdict, with 15 % for noise. */
void rounds_promise(const char *promise, double value, double most);

#endif
