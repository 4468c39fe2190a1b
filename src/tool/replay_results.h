/*
 * replay_results.h - what the children measured, over all rounds, and the figures drawn from it.
 */
#ifndef NTMM_TOOL_REPLAY_RESULTS_H
#define NTMM_TOOL_REPLAY_RESULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tool/replay_options.h"
#include "tool/replay_play.h"
#include "tool/replay_stream.h"

/* One number for each round; what is reported is the median over rounds. */
typedef enum replay_metric {
    METRIC_CPU_NS,    /* processor time of an operation: all of them together, divided */
    METRIC_WARM_NS,   /* processor time again, of a second play in the same process */
    METRIC_WALL_NS,   /* the same by the wall clock */
    METRIC_MEDIAN_NS, /* of single operations, timed one by one */
    METRIC_P99_NS,
    METRIC_P999_NS,
    METRIC_MAX_NS,
    METRIC_TIMED_MEAN_NS,
    METRIC_TIMER_FLOOR_NS,
    METRIC_TIMER_STEP_NS,
    METRIC_NS_PER_TICK,
    METRIC_PEAK_LIVE,      /* bytes */
    METRIC_PEAK_COMMITTED, /* bytes */
    METRIC_LIVE_AT_PEAK,   /* bytes asked for, at the sample with the most of them */
    METRIC_ALLOTTED_AT_PEAK,
    METRIC_COUNT
} replay_metric;

typedef struct replay_measure {
    double        *values[METRIC_COUNT]; /* [rounds]; NULL until begun */
    unsigned       counts[METRIC_COUNT]; /* of rounds that gave one */
    replay_sample *samples;              /* memory over time, of the first round */
    size_t         sample_count;
    uint64_t       operations;
    char           failure[REPLAY_PATH_SIZE / 8]; /* the first sentence of what went wrong; "" when nothing did */
} replay_measure;

typedef struct replay_trace {
    char           name[256]; /* the file's, without folder, .xz and .ntt */
    const char    *path;
    replay_stream  stream;
    replay_measure floor; /* an allocator that does nothing */
    replay_measure measures[REPLAY_CONTENDERS];
} replay_trace;

typedef struct replay_results {
    const replay_options *options;
    replay_trace         *traces; /* [options->trace_count] */
} replay_results;

bool replay_measure_begin(replay_measure *measure, unsigned rounds);
void replay_measure_end(replay_measure *measure);

/** Take in what one child sent. */
void replay_measure_add(replay_measure *measure, replay_pass pass, const replay_result *result, const replay_sample *samples);

/** The median over the rounds; 0 when there is none. */
double replay_metric_median(const replay_measure *measure, replay_metric metric);

/** (largest - smallest) / median over the rounds. */
double replay_metric_spread(const replay_measure *measure, replay_metric metric);

/** Bytes of internal waste where most was live: what blocks can hold, or take, beyond what was asked for. */
double replay_internal_waste(const replay_measure *measure);

/** Share of the committed memory that is in no live block. */
double replay_external_fragmentation(const replay_sample *sample);

/* ---- ways to show them ---- */

void replay_print_table(const replay_results *results, FILE *to);
bool replay_write_json(const replay_results *results, const char *path); /* "-": standard output */
bool replay_write_csv(const replay_results *results, const char *folder);

#endif
