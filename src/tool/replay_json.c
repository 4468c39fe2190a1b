/*
 * replay_json.c - the results in the JSON of Google Benchmark, so that its compare.py and other readers take them.
 * One entry an allocator and trace, "replay/TRACE/ALLOCATOR"; real_time and cpu_time are nanoseconds an operation, everything beyond
 * Google's own fields is a counter. A child that failed leaves an entry with error_occurred, as Google Benchmark does.
 */
#include "tool/replay_results.h"

#include <string.h>

#include "tool/json_context.h"
#include "tool/tool.h"

typedef struct json_object json;

static void add_text(json *object, const char *key, const char *value)
{
    json_object_object_add(object, key, json_object_new_string(value));
}
static void add_count(json *object, const char *key, double value)
{
    json_object_object_add(object, key, json_object_new_int64((int64_t)value));
}
static void add_number(json *object, const char *key, double value) { json_object_object_add(object, key, json_object_new_double(value)); }

static void add_metric(json *object, const char *key, const replay_measure *m, replay_metric metric)
{
    add_number(object, key, replay_metric_median(m, metric));
}

static void add_rounds(json *object, const char *key, const replay_measure *m, replay_metric metric)
{
    json *list = json_object_new_array();
    for (unsigned i = 0; i < m->counts[metric]; i++)
        json_object_array_add(list, json_object_new_double(m->values[metric][i]));
    json_object_object_add(object, key, list);
}

static void add_times(json *entry, const replay_measure *m)
{
    add_metric(entry, "real_time", m, METRIC_WALL_NS);
    add_metric(entry, "cpu_time", m, METRIC_CPU_NS);
    add_text(entry, "time_unit", "ns");
    add_metric(entry, "ns_per_op_mean", m, METRIC_CPU_NS);
    add_metric(entry, "ns_per_op_warm_mean", m, METRIC_WARM_NS);
    add_metric(entry, "ns_per_op_median", m, METRIC_MEDIAN_NS);
    add_metric(entry, "ns_per_op_p99", m, METRIC_P99_NS);
    add_metric(entry, "ns_per_op_p999", m, METRIC_P999_NS);
    add_metric(entry, "ns_per_op_max", m, METRIC_MAX_NS);
    add_metric(entry, "ns_per_op_timed_mean", m, METRIC_TIMED_MEAN_NS);
    add_metric(entry, "timer_floor_ns", m, METRIC_TIMER_FLOOR_NS);
    add_metric(entry, "timer_step_ns", m, METRIC_TIMER_STEP_NS);
}

/* Mean and last of external fragmentation over the samples, and for ntmm of the free runs too. */
static void add_fragmentation(json *entry, const replay_measure *m)
{
    double sum = 0, runs = 0;
    size_t known = 0;
    for (size_t i = 0; i < m->sample_count; i++) {
        sum += replay_external_fragmentation(&m->samples[i]);
        if (m->samples[i].free_run_ratio >= 0) {
            runs += 1 - m->samples[i].free_run_ratio;
            known++;
        }
    }
    if (m->sample_count == 0)
        return;
    add_count(entry, "memory_samples", (double)m->sample_count);
    add_number(entry, "external_fragmentation_mean", sum / (double)m->sample_count);
    add_number(entry, "external_fragmentation_end", replay_external_fragmentation(&m->samples[m->sample_count - 1]));
    if (known != 0)
        add_number(entry, "free_run_fragmentation_mean", runs / (double)known);
}

static void add_memory(json *entry, const replay_measure *m)
{
    double live = replay_metric_median(m, METRIC_PEAK_LIVE), committed = replay_metric_median(m, METRIC_PEAK_COMMITTED);
    double allotted = replay_metric_median(m, METRIC_ALLOTTED_AT_PEAK);
    add_count(entry, "peak_live", live);
    add_count(entry, "peak_committed", committed);
    add_number(entry, "committed_ratio", live > 0 ? committed / live : 0);
    add_count(entry, "internal_waste", replay_internal_waste(m));
    add_number(entry, "internal_fragmentation", allotted > 0 ? replay_internal_waste(m) / allotted : 0);
    add_fragmentation(entry, m);
}

static json *new_entry(const replay_results *results, const replay_trace *trace, const char *allocator, const replay_measure *m)
{
    json *entry = json_object_new_object();
    char  name[512];
    snprintf(name, sizeof name, "replay/%s/%s", trace->name, allocator);
    add_text(entry, "name", name);
    add_text(entry, "run_name", name);
    add_text(entry, "run_type", "iteration");
    add_count(entry, "repetitions", results->options->rounds);
    add_count(entry, "threads", 1);
    if (m->failure[0] != '\0') {
        json_object_object_add(entry, "error_occurred", json_object_new_boolean(1));
        add_text(entry, "error_message", m->failure);
        return entry;
    }
    add_count(entry, "iterations", (double)m->operations);
    return entry;
}

static void add_entry(json *list, const replay_results *results, const replay_trace *trace, size_t contender)
{
    const replay_measure *m = &trace->measures[contender];
    json                 *entry = new_entry(results, trace, results->options->contenders[contender].allocator->name, m);
    json_object_array_add(list, entry);
    if (m->failure[0] != '\0')
        return;
    add_times(entry, m);
    add_memory(entry, m);
    add_rounds(entry, "rounds_cpu_ns_per_op", m, METRIC_CPU_NS);
    add_rounds(entry, "rounds_ns_per_op_median", m, METRIC_MEDIAN_NS);
}

static json *describe_trace(const replay_trace *trace, replay_kind kind)
{
    const replay_stream_header *h = &trace->stream.header;
    json                       *object = json_object_new_object();
    add_text(object, "name", trace->name);
    add_text(object, "file", trace->path);
    add_text(object, "stream", kind == REPLAY_PAGES ? "pages" : "objects");
    add_count(object, "events", (double)trace->stream.trace_events);
    add_count(object, "operations", (double)h->events);
    add_count(object, "allocations", (double)h->allocations);
    add_count(object, "paged_allocations", (double)h->paged_allocations);
    add_count(object, "irql_changes", (double)h->irql_changes);
    add_count(object, "peak_live_blocks", (double)h->peak_live_blocks);
    add_count(object, "peak_live_bytes", (double)h->peak_live_bytes);
    add_metric(object, "floor_ns_per_op", &trace->floor, METRIC_CPU_NS);
    add_number(object, "floor_spread", replay_metric_spread(&trace->floor, METRIC_CPU_NS));
    return object;
}

static json *describe(const replay_results *results)
{
    const replay_options *o = results->options;
    json *context = json_context_new(tool_self(NULL), replay_metric_median(&results->traces[0].measures[0], METRIC_NS_PER_TICK));
    json *traces = json_object_new_array();
    json *peers = json_object_new_object();
    char  names[1024] = "";
    for (size_t i = 0; i < o->trace_count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i != 0 ? "," : "", results->traces[i].name);
        json_object_array_add(traces, describe_trace(&results->traces[i], o->kind));
    }
    for (size_t i = 0; i < o->contender_count; i++)
        if (o->contenders[i].library[0] != '\0')
            add_text(peers, o->contenders[i].allocator->name, o->contenders[i].library);
    add_text(context, "trace", names);
    json_object_object_add(context, "traces", traces);
    json_object_object_add(context, "preloaded", peers);
    return context;
}

bool replay_write_json(const replay_results *results, const char *path)
{
    json *root = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(root, "context", describe(results));
    json_object_object_add(root, "benchmarks", list);
    for (size_t t = 0; t < results->options->trace_count; t++)
        for (size_t i = 0; i < results->options->contender_count; i++)
            add_entry(list, results, &results->traces[t], i);
    bool written = json_write(root, path);
    json_object_put(root);
    return written;
}
