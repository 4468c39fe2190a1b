/*
 * pool_files.c - the results for programs: Google Benchmark's JSON, and CSV for the plots of memory.
 * The fields are those of `ntmm replay --json`: bench/README.md has the list.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pool_report.h"
#include "tool/clock.h"
#include "tool/json_context.h"
#include "tool/output.h"
#include "tool/tool.h"

/* ---- JSON ---- */

static void add_number(struct json_object *entry, const char *name, double value)
{
    json_object_object_add(entry, name, json_object_new_double(value));
}

static void add_rounds(struct json_object *entry, const char *name, const double *rounds, unsigned count)
{
    struct json_object *list = json_object_new_array();
    for (unsigned r = 0; r < count; r++)
        json_object_array_add(list, json_object_new_double(rounds[r]));
    json_object_object_add(entry, name, list);
}

static void add_memory(struct json_object *json, const pool_entry *entry)
{
    json_object_object_add(json, "peak_live", json_object_new_int64((int64_t)rounds_median(entry->live, entry->rounds)));
    json_object_object_add(json, "peak_committed", json_object_new_int64((int64_t)rounds_median(entry->committed, entry->rounds)));
    add_number(json, "committed_ratio", rounds_median(entry->ratio, entry->rounds));
    add_rounds(json, "rounds_committed_ratio", entry->ratio, entry->rounds);
}

static void add_entry(struct json_object *list, const pool_contender *c, size_t test, bool quick)
{
    const pool_entry   *entry = &c->entries[test];
    pool_test           played = quick ? pool_test_quick(&POOL_TESTS[test]) : POOL_TESTS[test];
    struct json_object *json = json_object_new_object();
    char                name[128];
    snprintf(name, sizeof name, "pool/%s/%s", POOL_TESTS[test].name, c->allocator->name);
    json_object_object_add(json, "name", json_object_new_string(name));
    json_object_object_add(json, "run_name", json_object_new_string(name));
    json_object_object_add(json, "run_type", json_object_new_string("iteration"));
    if (entry->failure[0] != '\0') {
        json_object_object_add(json, "error_occurred", json_object_new_boolean(true));
        json_object_object_add(json, "error_message", json_object_new_string(entry->failure));
        json_object_array_add(list, json);
        return;
    }
    json_object_object_add(json, "repetitions", json_object_new_int64(entry->rounds));
    json_object_object_add(json, "threads", json_object_new_int64(played.threads));
    if (played.operations != 0)
        json_object_object_add(json, "iterations", json_object_new_int64(played.operations));
    add_number(json, "real_time", rounds_median(entry->wall, entry->rounds));
    add_number(json, "cpu_time", rounds_median(entry->cpu, entry->rounds));
    json_object_object_add(json, "time_unit", json_object_new_string("ns"));
    add_rounds(json, "rounds_cpu_ns", entry->cpu, entry->rounds);
    add_rounds(json, "rounds_wall_ns", entry->wall, entry->rounds);
    if (played.threads > 1)
        add_number(json, "running_at_once", rounds_median(entry->at_once, entry->rounds));
    if (played.measure == POOL_MEMORY)
        add_memory(json, entry);
    json_object_array_add(list, json);
}

bool pool_report_json(const pool_results *results, const char *path)
{
    struct json_object *root = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(root, "context", json_context_new(tool_self(NULL), clock_calibrate()));
    json_object_object_add(root, "benchmarks", list);
    for (size_t t = 0; t < POOL_TEST_COUNT; t++)
        for (size_t c = 0; c < results->contender_count; c++) {
            const pool_entry *entry = &results->contenders[c].entries[t];
            if (entry->rounds != 0 || entry->failure[0] != '\0')
                add_entry(list, &results->contenders[c], t, results->options->quick);
        }
    bool written = json_write(root, path);
    json_object_put(root);
    return written;
}

/* ---- CSV ---- */

static bool write_curve(const pool_contender *c, size_t test, const char *folder)
{
    const pool_entry *entry = &c->entries[test];
    char              path[4096];
    output            out;
    int               n = snprintf(path, sizeof path, "%s/%s.%s.memory.csv", folder, POOL_TESTS[test].name, c->allocator->name);
    if (n < 0 || (size_t)n >= sizeof path) {
        tool_say("the path of a file in %s is too long", folder);
        return false;
    }
    if (!output_open(&out, path))
        return false;
    fputs("operation,asked_bytes,live_bytes,committed_bytes,committed_over_live\n", out.stream);
    for (unsigned i = 0; i < entry->sample_count; i++) {
        const pool_sample *s = &entry->samples[i];
        fprintf(out.stream, "%llu,%llu,%llu,%llu,", (unsigned long long)s->operation, (unsigned long long)s->asked,
                (unsigned long long)s->live, (unsigned long long)s->committed);
        if (s->live != 0)
            fprintf(out.stream, "%.4f", (double)s->committed / (double)s->live);
        fputc('\n', out.stream);
    }
    return output_close(&out, true);
}

bool pool_report_csv(const pool_results *results, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        tool_say("folder %s cannot be made: %s", folder, strerror(errno));
        return false;
    }
    for (size_t t = 0; t < POOL_TEST_COUNT; t++)
        for (size_t c = 0; c < results->contender_count; c++)
            if (results->contenders[c].entries[t].sample_count != 0 && !write_curve(&results->contenders[c], t, folder))
                return false;
    return true;
}
