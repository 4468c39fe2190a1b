/*
 * replay_csv.c - the results for a plotting program: memory over time, and the latency quantiles.
 */
#include "tool/replay_results.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tool/output.h"
#include "tool/tool.h"

static bool open_in(output *out, const char *folder, const char *trace, const char *what)
{
    char path[REPLAY_PATH_SIZE];
    int  n = snprintf(path, sizeof path, "%s/%s.%s.csv", folder, trace, what);
    if (n > 0 && (size_t)n < sizeof path)
        return output_open(out, path);
    tool_say("the path of a file in %s is too long", folder);
    return false;
}

static bool write_memory(const replay_measure *m, const char *folder, const char *trace, const char *allocator)
{
    output out;
    if (!open_in(&out, folder, trace, allocator))
        return false;
    fputs("operation,live_bytes,allotted_bytes,committed_bytes,external_fragmentation,free_run_fragmentation\n", out.stream);
    for (size_t i = 0; i < m->sample_count; i++) {
        const replay_sample *s = &m->samples[i];
        fprintf(out.stream, "%llu,%llu,%llu,%llu,%.6f,", (unsigned long long)s->operation, (unsigned long long)s->live,
                (unsigned long long)s->allotted, (unsigned long long)s->committed, replay_external_fragmentation(s));
        if (s->free_run_ratio >= 0)
            fprintf(out.stream, "%.6f", 1 - s->free_run_ratio);
        fputc('\n', out.stream);
    }
    return output_close(&out, true);
}

static bool write_latency(const replay_results *results, const replay_trace *trace, const char *folder)
{
    output out;
    if (!open_in(&out, folder, trace->name, "latency"))
        return false;
    fputs("allocator,cpu_ns_per_op,warm_cpu_ns_per_op,median_ns,p99_ns,p999_ns,max_ns\n", out.stream);
    for (size_t i = 0; i < results->options->contender_count; i++) {
        const replay_measure *m = &trace->measures[i];
        if (m->failure[0] == '\0')
            fprintf(out.stream, "%s,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n", results->options->contenders[i].allocator->name,
                    replay_metric_median(m, METRIC_CPU_NS), replay_metric_median(m, METRIC_WARM_NS),
                    replay_metric_median(m, METRIC_MEDIAN_NS), replay_metric_median(m, METRIC_P99_NS),
                    replay_metric_median(m, METRIC_P999_NS), replay_metric_median(m, METRIC_MAX_NS));
    }
    return output_close(&out, true);
}

bool replay_write_csv(const replay_results *results, const char *folder)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        tool_say("folder %s cannot be made: %s", folder, strerror(errno));
        return false;
    }
    for (size_t t = 0; t < results->options->trace_count; t++) {
        const replay_trace *trace = &results->traces[t];
        for (size_t i = 0; i < results->options->contender_count; i++)
            if (trace->measures[i].failure[0] == '\0' &&
                !write_memory(&trace->measures[i], folder, trace->name, results->options->contenders[i].allocator->name))
                return false;
        if (!write_latency(results, trace, folder))
            return false;
    }
    return true;
}
