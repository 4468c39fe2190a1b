/*
 * replay_table.c - the results for a person: one table a trace, then ntmm against jemalloc with the targets.
 */
#include "tool/replay_results.h"

#include <string.h>

#define MIB (1024.0 * 1024.0)
#define BUSY 0.10 /* the floor moved by more than this between rounds: the machine was too busy to judge */

typedef struct target {
    const char *what;
    double      must, aim; /* ntmm / jemalloc; 0: no target */
} target;

static double committed_ratio(const replay_measure *m)
{
    double live = replay_metric_median(m, METRIC_PEAK_LIVE);
    return live > 0 ? replay_metric_median(m, METRIC_PEAK_COMMITTED) / live : 0;
}

static void print_row(const char *name, const replay_measure *m, FILE *to)
{
    if (m->failure[0] != '\0') {
        fprintf(to, "  %-13s failed: %s\n", name, m->failure);
        return;
    }
    double allotted = replay_metric_median(m, METRIC_ALLOTTED_AT_PEAK);
    fprintf(to, "  %-13s %8.1f %8.1f %8.1f %8.1f %8.1f %10.0f | %9.2f %9.2f %6.3f %6.1f%%\n", name, replay_metric_median(m, METRIC_CPU_NS),
            replay_metric_median(m, METRIC_WARM_NS), replay_metric_median(m, METRIC_MEDIAN_NS), replay_metric_median(m, METRIC_P99_NS),
            replay_metric_median(m, METRIC_P999_NS), replay_metric_median(m, METRIC_MAX_NS),
            replay_metric_median(m, METRIC_PEAK_LIVE) / MIB, replay_metric_median(m, METRIC_PEAK_COMMITTED) / MIB, committed_ratio(m),
            allotted > 0 ? 100 * replay_internal_waste(m) / allotted : 0);
}

static const char *verdict(double ratio, double limit) { return ratio <= limit ? "met" : "missed"; }

static void print_target(const target *t, double ours, double theirs, FILE *to)
{
    if (theirs <= 0)
        return;
    double ratio = ours / theirs;
    fprintf(to, "    %-30s %6.2f", t->what, ratio);
    if (t->must > 0)
        fprintf(to, "   must <= %.2f %-7s aim <= %.2f %s", t->must, verdict(ratio, t->must), t->aim, verdict(ratio, t->aim));
    fputc('\n', to);
}

static void print_targets(const replay_trace *trace, const char *name, const replay_measure *ours, const replay_measure *theirs, FILE *to)
{
    static const target TIME = { "time of all operations", 1.00, 0.70 }, WARM = { "the same, warm", 0, 0 },
                        MEMORY = { "peak committed / peak live", 1.05, 0.95 }, MEDIAN = { "median of one operation", 0, 0 },
                        TAIL = { "p99 of one operation", 0, 0 };
    fprintf(to, "  %s / jemalloc\n", name);
    print_target(&TIME, replay_metric_median(ours, METRIC_CPU_NS), replay_metric_median(theirs, METRIC_CPU_NS), to);
    print_target(&WARM, replay_metric_median(ours, METRIC_WARM_NS), replay_metric_median(theirs, METRIC_WARM_NS), to);
    print_target(&MEMORY, committed_ratio(ours), committed_ratio(theirs), to);
    print_target(&MEDIAN, replay_metric_median(ours, METRIC_MEDIAN_NS), replay_metric_median(theirs, METRIC_MEDIAN_NS), to);
    print_target(&TAIL, replay_metric_median(ours, METRIC_P99_NS), replay_metric_median(theirs, METRIC_P99_NS), to);
    double spread = replay_metric_spread(&trace->floor, METRIC_CPU_NS);
    if (spread > BUSY)
        fprintf(to, "    (unsure: the floor itself moved by %.0f %% between rounds, this machine was busy)\n", 100 * spread);
}

/* The rows of ntmm's models against jemalloc's, when both were there and well. */
static void print_comparisons(const replay_results *results, const replay_trace *trace, FILE *to)
{
    const replay_measure *jemalloc = NULL;
    for (size_t i = 0; i < results->options->contender_count; i++)
        if (strcmp(results->options->contenders[i].allocator->name, "jemalloc") == 0 && trace->measures[i].failure[0] == '\0')
            jemalloc = &trace->measures[i];
    for (size_t i = 0; jemalloc != NULL && i < results->options->contender_count; i++) {
        const char *name = results->options->contenders[i].allocator->name;
        if (strncmp(name, "ntmm-", 5) == 0 && trace->measures[i].failure[0] == '\0')
            print_targets(trace, name, &trace->measures[i], jemalloc, to);
    }
}

static void print_trace(const replay_results *results, const replay_trace *trace, FILE *to)
{
    const replay_stream_header *h = &trace->stream.header;
    const replay_options       *o = results->options;
    const replay_measure       *timed = &trace->measures[0];
    fprintf(to, "\n%s: %llu %s operations of %llu events, %u round%s; most live at once: %llu blocks, %.2f MiB\n", trace->name,
            (unsigned long long)h->events, o->kind == REPLAY_PAGES ? "page" : "object", (unsigned long long)trace->stream.trace_events,
            o->rounds, o->rounds == 1 ? "" : "s", (unsigned long long)h->peak_live_blocks, (double)h->peak_live_bytes / MIB);
    fprintf(to, "  %-13s %8s %8s %8s %8s %8s %10s | %9s %9s %6s %7s\n", "", "ns/op", "warm", "median", "p99", "p99.9", "max", "live MiB",
            "committed", "ratio", "waste");
    for (size_t i = 0; i < o->contender_count; i++)
        print_row(o->contenders[i].allocator->name, &trace->measures[i], to);
    fprintf(
        to,
        "  the floor, not subtracted: %.1f ns/op for loop, touch and empty calls; %.1f ns for an empty timed pair (timer steps: %.1f ns)\n",
        replay_metric_median(&trace->floor, METRIC_CPU_NS), replay_metric_median(timed, METRIC_TIMER_FLOOR_NS),
        replay_metric_median(timed, METRIC_TIMER_STEP_NS));
    print_comparisons(results, trace, to);
}

void replay_print_table(const replay_results *results, FILE *to)
{
    fputs("ns/op: processor time of all operations, divided. warm: the same when the trace is played again in the same process,\n"
          "on pages that the host has already given. median to max: single operations. ratio: committed / live, each at its own\n"
          "peak. waste: share of a block that nobody asked for (header and rounding; for malloc what malloc_usable_size adds).\n",
          to);
    for (size_t i = 0; i < results->options->trace_count; i++)
        print_trace(results, &results->traces[i], to);
}
