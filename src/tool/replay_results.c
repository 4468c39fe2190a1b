/*
 * replay_results.c - collecting rounds and taking medians.
 */
#include "tool/replay_results.h"

#include <stdlib.h>
#include <string.h>

bool replay_measure_begin(replay_measure *measure, unsigned rounds)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        measure->values[metric] = calloc(rounds, sizeof(double));
        if (measure->values[metric] == NULL)
            return false;
    }
    return true;
}

void replay_measure_end(replay_measure *measure)
{
    for (int metric = 0; metric < METRIC_COUNT; metric++)
        free(measure->values[metric]);
    free(measure->samples);
}

static void add(replay_measure *measure, replay_metric metric, double value) { measure->values[metric][measure->counts[metric]++] = value; }

static void add_memory(replay_measure *measure, const replay_result *result, const replay_sample *samples)
{
    add(measure, METRIC_PEAK_LIVE, (double)result->peak_live);
    add(measure, METRIC_PEAK_COMMITTED, (double)result->peak_committed);
    add(measure, METRIC_LIVE_AT_PEAK, (double)result->live_at_peak);
    add(measure, METRIC_ALLOTTED_AT_PEAK, (double)result->allotted_at_peak);
    if (measure->samples != NULL || result->samples == 0)
        return;
    measure->samples = malloc(result->samples * sizeof *samples);
    if (measure->samples == NULL)
        return; /* the curve is missing, the figures are not */
    memcpy(measure->samples, samples, result->samples * sizeof *samples);
    measure->sample_count = (size_t)result->samples;
}

void replay_measure_add(replay_measure *measure, replay_pass pass, const replay_result *result, const replay_sample *samples)
{
    measure->operations = result->operations;
    if (pass == PASS_THROUGHPUT) {
        add(measure, METRIC_CPU_NS, result->cpu_ns / (double)result->operations);
        add(measure, METRIC_WARM_NS, result->warm_cpu_ns / (double)result->operations);
        add(measure, METRIC_WALL_NS, result->wall_ns / (double)result->operations);
    } else if (pass == PASS_LATENCY) {
        add(measure, METRIC_MEDIAN_NS, result->median_ns);
        add(measure, METRIC_P99_NS, result->p99_ns);
        add(measure, METRIC_P999_NS, result->p999_ns);
        add(measure, METRIC_MAX_NS, result->max_ns);
        add(measure, METRIC_TIMED_MEAN_NS, result->mean_ns);
        add(measure, METRIC_TIMER_FLOOR_NS, result->timer_floor_ns);
        add(measure, METRIC_TIMER_STEP_NS, result->timer_step_ns);
        add(measure, METRIC_NS_PER_TICK, result->ns_per_tick);
    } else {
        add_memory(measure, result, samples);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rounds' values in order; count of them. */
static unsigned sorted(const replay_measure *measure, replay_metric metric, double *values)
{
    unsigned count = measure->counts[metric];
    memcpy(values, measure->values[metric], count * sizeof *values);
    qsort(values, count, sizeof *values, by_value);
    return count;
}

double replay_metric_median(const replay_measure *measure, replay_metric metric)
{
    double   values[REPLAY_ROUNDS_LIMIT];
    unsigned count = sorted(measure, metric, values);
    if (count == 0)
        return 0;
    return count % 2 != 0 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double replay_metric_spread(const replay_measure *measure, replay_metric metric)
{
    double   values[REPLAY_ROUNDS_LIMIT];
    unsigned count = sorted(measure, metric, values);
    double   median = replay_metric_median(measure, metric);
    return count != 0 && median > 0 ? (values[count - 1] - values[0]) / median : 0;
}

double replay_internal_waste(const replay_measure *measure)
{
    return replay_metric_median(measure, METRIC_ALLOTTED_AT_PEAK) - replay_metric_median(measure, METRIC_LIVE_AT_PEAK);
}

double replay_external_fragmentation(const replay_sample *sample)
{
    if (sample->committed == 0 || sample->allotted >= sample->committed)
        return 0; /* early blocks may lie in memory that was resident before the first event */
    return 1 - (double)sample->allotted / (double)sample->committed;
}
