/*
 * pool_options.h - what the pool benchmark was asked for.
 */
#ifndef NTMM_BENCH_POOL_OPTIONS_H
#define NTMM_BENCH_POOL_OPTIONS_H

#include <stdbool.h>

#include "pool_tests.h"

typedef struct pool_options {
    unsigned    rounds;
    const char *json, *plot; /* a file or "-", a folder; NULL: not asked for */
    bool        quick, list, help;
    bool        chosen[POOL_TESTS_LIMIT];
} pool_options;

/** @return false, having said in a sentence what is wrong */
bool pool_options_parse(int argc, char **argv, pool_options *options);

void pool_options_help(void);

#endif
