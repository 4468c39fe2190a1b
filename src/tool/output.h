/*
 * output.h - files that appear complete or not at all.
 */
#ifndef NTMM_TOOL_OUTPUT_H
#define NTMM_TOOL_OUTPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct output {
    FILE    *stream; /* write here */
    char    *path;
    char    *temporary; /* beside path, renamed onto it at the end; NULL when path is written directly: a pipe, a terminal */
    sigset_t before;    /* signals that end the process wait until the temporary file is gone */
} output;

/** @return false, having said why */
bool output_open(output *out, const char *path);

/** @param keep false: what was written is thrown away. @return false, having said why: then there is no new file */
bool output_close(output *out, bool keep);

/** Could output_open() succeed? Asked before an hour of work. @return false, having said why not */
bool output_possible(const char *path);

#endif
