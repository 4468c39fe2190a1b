/*
 * pool_report.h - what was found, for a person, for a program, and for a plot.
 */
#ifndef NTMM_BENCH_POOL_REPORT_H
#define NTMM_BENCH_POOL_REPORT_H

#include "pool_rounds.h"

/** The figures of every test and allocator, then the promises. */
void pool_report_print(const pool_results *results);

/** @return false, having said why */
bool pool_report_json(const pool_results *results, const char *path);
bool pool_report_csv(const pool_results *results, const char *folder);

#endif
