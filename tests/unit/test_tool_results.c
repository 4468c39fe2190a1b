/*
 * test_tool_results.c - medians over rounds, and the JSON and CSV that others will read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/output.h"
#include "tool/replay_results.h"
#include "tool/tool.h"

static char folder[] = "/tmp/ntmm-test-results-XXXXXX";

/* Two allocators on one trace: the first measured in three rounds, the second failed. */
static void make_results(replay_results *results, replay_options *options, replay_trace *trace)
{
    static const double CPU[3] = { 300, 100, 200 };
    static const double PEAK[3] = { 5000, 4000, 6000 };
    memset(trace, 0, sizeof *trace);
    *options = (replay_options){ .rounds = 3, .trace_count = 1, .contender_count = 2 };
    *results = (replay_results){ options, trace };
    options->contenders[0].allocator = allocator_find("jemalloc");
    options->contenders[1].allocator = allocator_find("ntmm-classic");
    snprintf(options->contenders[0].library, sizeof options->contenders[0].library, "/lib/libjemalloc.so.2");
    snprintf(trace->name, sizeof trace->name, "tiny");
    trace->path = "tiny.ntt";
    assert_true(replay_measure_begin(&trace->floor, 3) && replay_measure_begin(&trace->measures[0], 3) &&
                replay_measure_begin(&trace->measures[1], 3));
    for (int round = 0; round < 3; round++) {
        replay_sample samples[2] = { { 2, 100, 120, 240, -1 }, { 4, 1000, 1500, (uint64_t)PEAK[round], 0.75 } };
        replay_result r = { .operations = 4, .cpu_ns = CPU[round] * 4, .warm_cpu_ns = CPU[round] * 2, .wall_ns = CPU[round] * 8 };
        replay_measure_add(&trace->measures[0], PASS_THROUGHPUT, &r, NULL);
        r = (replay_result){
            .operations = 4, .median_ns = CPU[round] / 10, .p99_ns = CPU[round], .p999_ns = CPU[round] * 2, .max_ns = CPU[round] * 3
        };
        replay_measure_add(&trace->measures[0], PASS_LATENCY, &r, NULL);
        r = (replay_result){ .operations = 4,
                             .peak_live = 1000,
                             .peak_committed = (uint64_t)PEAK[round],
                             .live_at_peak = 1000,
                             .allotted_at_peak = 1500,
                             .samples = 2 };
        replay_measure_add(&trace->measures[0], PASS_MEMORY, &r, samples);
    }
    snprintf(trace->measures[1].failure, sizeof trace->measures[1].failure, "the memory pass was killed by signal 6, Aborted");
}

static void free_results(replay_trace *trace)
{
    replay_measure_end(&trace->floor);
    replay_measure_end(&trace->measures[0]);
    replay_measure_end(&trace->measures[1]);
}

static void check_medians(void **state)
{
    replay_results        results;
    static replay_options options;
    static replay_trace   trace;
    (void)state;
    make_results(&results, &options, &trace);
    const replay_measure *m = &trace.measures[0];
    assert_true(replay_metric_median(m, METRIC_CPU_NS) == 200 && replay_metric_median(m, METRIC_WALL_NS) == 400);
    assert_true(replay_metric_median(m, METRIC_PEAK_COMMITTED) == 5000);
    assert_true(replay_metric_spread(m, METRIC_CPU_NS) == 1.0);
    assert_true(replay_internal_waste(m) == 500);
    assert_true(replay_external_fragmentation(&m->samples[0]) == 0.5);
    assert_true(replay_metric_median(&trace.floor, METRIC_CPU_NS) == 0); /* no round gave one */
    assert_int_equal(m->sample_count, 2);
    m->values[METRIC_CPU_NS][2] = 100; /* 300 100 100 */
    assert_true(replay_metric_median(m, METRIC_CPU_NS) == 100);
    free_results(&trace);
}

static json_object *member(json_object *object, const char *key)
{
    json_object *value = NULL;
    if (!json_object_object_get_ex(object, key, &value))
        fail_msg("no member `%s`", key);
    return value;
}

static void check_json(void **state)
{
    static const char *const CONTEXT[] = { "date",   "host_name", "executable",         "num_cpus", "mhz_per_cpu",
                                           "caches", "load_avg",  "library_build_type", "trace",    "traces" };
    replay_results           results;
    static replay_options    options;
    static replay_trace      trace;
    char                     path[128];
    (void)state;
    make_results(&results, &options, &trace);
    snprintf(path, sizeof path, "%s/r.json", folder);
    assert_true(replay_write_json(&results, path));
    json_object *root = json_object_from_file(path), *context = member(root, "context"), *list = member(root, "benchmarks");
    for (size_t i = 0; i < sizeof CONTEXT / sizeof CONTEXT[0]; i++)
        member(context, CONTEXT[i]);
    assert_int_equal(json_object_array_length(list), 2);
    json_object *good = json_object_array_get_idx(list, 0), *bad = json_object_array_get_idx(list, 1);
    assert_string_equal(json_object_get_string(member(good, "name")), "replay/tiny/jemalloc");
    assert_string_equal(json_object_get_string(member(good, "run_type")), "iteration");
    assert_string_equal(json_object_get_string(member(good, "time_unit")), "ns");
    assert_int_equal(json_object_get_int64(member(good, "iterations")), 4);
    assert_true(json_object_get_double(member(good, "cpu_time")) == 200 && json_object_get_double(member(good, "real_time")) == 400);
    assert_true(json_object_get_double(member(good, "ns_per_op_mean")) == 200 &&
                json_object_get_double(member(good, "ns_per_op_median")) == 20);
    assert_true(json_object_get_double(member(good, "ns_per_op_warm_mean")) == 100);
    assert_true(json_object_get_double(member(good, "ns_per_op_p99")) == 200 &&
                json_object_get_double(member(good, "ns_per_op_p999")) == 400);
    assert_int_equal(json_object_get_int64(member(good, "peak_live")), 1000);
    assert_int_equal(json_object_get_int64(member(good, "peak_committed")), 5000);
    assert_int_equal(json_object_get_int64(member(good, "internal_waste")), 500);
    assert_true(json_object_get_double(member(good, "committed_ratio")) == 5);
    assert_string_equal(json_object_get_string(member(bad, "name")), "replay/tiny/ntmm-classic");
    assert_true(json_object_get_boolean(member(bad, "error_occurred")));
    assert_non_null(strstr(json_object_get_string(member(bad, "error_message")), "signal 6"));
    json_object_put(root);
    free_results(&trace);
}

static void check_csv(void **state)
{
    replay_results        results;
    static replay_options options;
    static replay_trace   trace;
    char                  path[128], line[256];
    (void)state;
    make_results(&results, &options, &trace);
    assert_true(replay_write_csv(&results, folder));
    snprintf(path, sizeof path, "%s/tiny.jemalloc.csv", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_string_equal(fgets(line, sizeof line, file),
                        "operation,live_bytes,allotted_bytes,committed_bytes,external_fragmentation,free_run_fragmentation\n");
    assert_string_equal(fgets(line, sizeof line, file), "2,100,120,240,0.500000,\n");
    assert_string_equal(fgets(line, sizeof line, file), "4,1000,1500,5000,0.700000,0.250000\n");
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    snprintf(path, sizeof path, "%s/tiny.ntmm-classic.csv", folder);
    assert_int_not_equal(access(path, F_OK), 0); /* it failed: no curve */
    free_results(&trace);
}

/* ---- files complete or not at all ---- */

static bool text_of(const char *path, const char *expected)
{
    char  text[64] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    return n == strlen(expected) && strcmp(text, expected) == 0;
}

static void check_output(void **state)
{
    char   path[128];
    output out;
    (void)state;
    snprintf(path, sizeof path, "%s/file", folder);
    assert_true(output_possible(path) && output_open(&out, path));
    fputs("first", out.stream);
    assert_int_not_equal(access(path, F_OK), 0); /* not there until it is whole */
    assert_true(output_close(&out, true));
    assert_true(text_of(path, "first"));
    assert_true(output_open(&out, path));
    fputs("second, thrown away", out.stream);
    assert_true(output_close(&out, false));
    assert_true(text_of(path, "first"));
    assert_true(output_open(&out, path));
    fputs("third", out.stream);
    assert_true(output_close(&out, true));
    assert_true(text_of(path, "third"));
    snprintf(path, sizeof path, "%s/no/such/folder", folder);
    assert_false(output_possible(path));
    assert_false(output_open(&out, path));
    assert_false(output_possible(folder));
}

/* A device is written to, never replaced by a file. */
static void check_device(void **state)
{
    struct stat status;
    output      out;
    (void)state;
    assert_true(output_possible("/dev/null") && output_open(&out, "/dev/null"));
    fputs("x", out.stream);
    assert_true(output_close(&out, true));
    assert_true(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
}

/* A full disk is noticed when the file is closed. */
static void check_full_disk(void **state)
{
    output out;
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_true(output_open(&out, "/dev/full"));
    fputs("x", out.stream);
    assert_false(output_close(&out, true));
}

static int remove_folder(void **state)
{
    static const char *const FILES[] = { "r.json", "file", "tiny.jemalloc.csv", "tiny.latency.csv" };
    char                     path[128];
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
        unlink(path);
    }
    return rmdir(folder); /* fails when a temporary file was left behind */
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest TESTS[] = { cmocka_unit_test(check_medians), cmocka_unit_test(check_json),
                                               cmocka_unit_test(check_csv),     cmocka_unit_test(check_output),
                                               cmocka_unit_test(check_device),  cmocka_unit_test(check_full_disk) };
    (void)argc;
    tool_self(argv[0]);
    if (mkdtemp(folder) == NULL)
        return 1;
    return cmocka_run_group_tests_name("results", TESTS, NULL, remove_folder);
}
