/*
 * replay_play.h - the child's part of a replay: play one stream once, with one allocator, measuring one thing.
 * Each pass has a process of its own, so that none sees memory that another has warmed or worn.
 */
#ifndef NTMM_TOOL_REPLAY_PLAY_H
#define NTMM_TOOL_REPLAY_PLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "tool/allocator.h"

typedef enum replay_pass {
    PASS_THROUGHPUT, /* processor time of all operations together */
    PASS_LATENCY,    /* each operation by itself */
    PASS_MEMORY,     /* what the host has given, over time */
    PASS_COUNT
} replay_pass;

extern const char *const REPLAY_PASS_NAMES[PASS_COUNT];

#define REPLAY_SAMPLES 2048 /* memory samples of one pass: at least half as many, at most this */

/* The machine's and the process's memory after some operations; bytes. */
typedef struct replay_sample {
    uint64_t operation;
    uint64_t live;           /* asked for */
    uint64_t allotted;       /* what the blocks can hold, or take: with header and rounding where the allocator says so */
    uint64_t committed;      /* resident, less what was resident before the first event */
    double   free_run_ratio; /* largest free run / free pages; -1: not known */
} replay_sample;

#define REPLAY_RESULT_MAGIC 0x31545352u /* "RST1" */
typedef struct replay_result {
    uint32_t magic;
    uint32_t succeeded;
    char     why[ALLOCATOR_WHY]; /* a sentence when it did not succeed */
    uint64_t operations;
    double   cpu_ns, wall_ns; /* PASS_THROUGHPUT: of all operations */
    double   warm_cpu_ns;     /* the same, played a second time in the same process */
    double   median_ns, p99_ns, p999_ns, max_ns, mean_ns, timer_floor_ns, timer_step_ns, ns_per_tick; /* PASS_LATENCY: of one operation */
    uint64_t peak_live, peak_committed;      /* PASS_MEMORY, bytes; each at its own instant */
    uint64_t live_at_peak, allotted_at_peak; /* at the sample with most live bytes */
    uint64_t samples;                        /* replay_sample records behind this one */
} replay_result;

/** Descriptors that a child is given. */
#define REPLAY_STREAM_FD 3
#define REPLAY_RESULT_FD 4

/** Entry of the child: `ntmm __play ALLOCATOR PASS`. @return exit code; what was measured, or why not, goes to REPLAY_RESULT_FD */
int replay_play_main(int argc, char **argv);

#endif
