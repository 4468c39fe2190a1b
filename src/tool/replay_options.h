/*
 * replay_options.h - what the user of `ntmm replay` asks for, checked.
 */
#ifndef NTMM_TOOL_REPLAY_OPTIONS_H
#define NTMM_TOOL_REPLAY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "tool/allocator.h"
#include "tool/replay_stream.h"

#define REPLAY_CONTENDERS 16
#define REPLAY_ROUNDS_LIMIT 1000
#define REPLAY_PATH_SIZE 4096

typedef struct replay_contender {
    const allocator *allocator;
    char             library[REPLAY_PATH_SIZE]; /* "" when nothing is preloaded */
} replay_contender;

typedef struct replay_options {
    const char      *json; /* NULL: none; "-": standard output */
    const char      *plot; /* folder for CSV files; NULL: none */
    unsigned         rounds;
    replay_kind      kind;
    bool             quiet, help;
    replay_contender contenders[REPLAY_CONTENDERS];
    size_t           contender_count;
    char           **traces;
    size_t           trace_count;
} replay_options;

/** @return false, having said in one sentence what is wrong */
bool replay_options_parse(replay_options *options, int argc, char **argv);

void replay_help(void);

#endif
