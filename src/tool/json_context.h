/*
 * json_context.h - the "context" object of Google Benchmark's JSON: on what the figures were taken.
 */
#ifndef NTMM_TOOL_JSON_CONTEXT_H
#define NTMM_TOOL_JSON_CONTEXT_H

#include <json-c/json.h>
#include <stdbool.h>

/** @return a new object: date, host_name, executable, num_cpus, mhz_per_cpu, caches, load_avg, library_build_type ... */
struct json_object *json_context_new(const char *executable, double ns_per_tick);

/** Write an object, complete or not at all; "-": standard output. @return false, having said why */
bool json_write(struct json_object *object, const char *path);

#endif
