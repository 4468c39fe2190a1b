/*
 * clock.c - how long a tick is, and how long nothing takes.
 */
#include "tool/clock.h"

#include <stdlib.h>

#define CALIBRATION_NS 5e6
#define FLOOR_SAMPLES 10001
#define KEPT_SAMPLES 9000 /* of the fastest */
#define CLUSTER_WIDTH 2   /* ticks that rounding spreads one reading over */

double clock_calibrate(void)
{
    double   wall = clock_wall_ns();
    uint64_t ticks = clock_ticks_begin();
    double   now;
    do
        now = clock_wall_ns();
    while (now - wall < CALIBRATION_NS);
    uint64_t passed = clock_ticks_end() - ticks;
    return passed != 0 ? (now - wall) / (double)passed : 1.0;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double clock_floor_ticks(void)
{
    static uint32_t samples[FLOOR_SAMPLES];
    for (size_t i = 0; i < FLOOR_SAMPLES; i++) {
        uint64_t begin = clock_ticks_begin();
        samples[i] = (uint32_t)(clock_ticks_end() - begin);
    }
    qsort(samples, FLOOR_SAMPLES, sizeof samples[0], by_value);
    double sum = 0;
    for (size_t i = 0; i < KEPT_SAMPLES; i++)
        sum += samples[i];
    return sum / KEPT_SAMPLES;
}

/* Time pauses of many lengths. A true counter shows (almost) every length; a scaled one shows clusters around multiples of its step. */
uint64_t clock_step_ticks(void)
{
    static uint32_t samples[FLOOR_SAMPLES], gaps[FLOOR_SAMPLES];
    size_t          gap_count = 0;
    for (size_t i = 0; i < FLOOR_SAMPLES; i++) {
        uint64_t begin = clock_ticks_begin();
        for (volatile size_t pause = i % 499; pause != 0; pause--)
            ;
        samples[i] = (uint32_t)(clock_ticks_end() - begin);
    }
    qsort(samples, FLOOR_SAMPLES, sizeof samples[0], by_value);
    for (size_t i = FLOOR_SAMPLES / 20; i < FLOOR_SAMPLES - FLOOR_SAMPLES / 10; i++) /* without the ends, where samples are rare */
        if (samples[i + 1] - samples[i] > CLUSTER_WIDTH)
            gaps[gap_count++] = samples[i + 1] - samples[i] + CLUSTER_WIDTH / 2;
    if (gap_count < 3)
        return 1;
    qsort(gaps, gap_count, sizeof gaps[0], by_value);
    return gaps[gap_count / 2];
}
