/*
 * replay_run.c - the parent of a replay: check first, then play round after round, then show.
 *
 *     options -> every trace read, checked and prepared -> rounds x traces x allocators x passes, a child each -> table, JSON, CSV
 *
 * The order inside a round is trace, pass, allocator: the same pass of all allocators runs within a second or two, so that a slow minute of
 * the machine meets all of them. The floor, an allocator that does nothing, plays along in every round.
 *
 * Elsewhere  what a child does: replay_play.c. Starting it: peer.c.
 */
#include "tool/replay_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/output.h"
#include "tool/peer.h"
#include "tool/replay_results.h"
#include "tool/tool.h"

typedef struct child_output {
    replay_result result;
    replay_sample samples[REPLAY_SAMPLES];
} child_output;

/* ---- names ---- */

static void name_trace(replay_trace *trace, const char *path)
{
    static const char *const SUFFIXES[] = { ".xz", ".ntt" };
    const char              *slash = strrchr(path, '/');
    const char              *base = strcmp(path, "-") == 0 ? "stdin" : slash != NULL ? slash + 1 : path;
    trace->path = path;
    snprintf(trace->name, sizeof trace->name, "%s", base);
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(trace->name), cut = strlen(SUFFIXES[i]);
        if (length > cut && strcmp(trace->name + length - cut, SUFFIXES[i]) == 0)
            trace->name[length - cut] = '\0';
    }
}

static bool name_is_taken(const replay_results *results, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(results->traces[i].name, name) == 0)
            return true;
    return false;
}

/* Results go by the traces' names: the second file called build.ntt is build-2. */
static void name_all(replay_results *results)
{
    for (size_t i = 0; i < results->options->trace_count; i++) {
        replay_trace *trace = &results->traces[i];
        char          plain[200];
        name_trace(trace, results->options->traces[i]);
        snprintf(plain, sizeof plain, "%.199s", trace->name);
        for (int copy = 2; name_is_taken(results, i, trace->name); copy++)
            snprintf(trace->name, sizeof trace->name, "%s-%d", plain, copy);
    }
}

/* ---- before the first round ---- */

static int prepare_trace(replay_trace *trace, const replay_options *options)
{
    char why[1024];
    bool not_found;
    if (!replay_stream_prepare(&trace->stream, trace->path, options->kind, why, sizeof why, &not_found)) {
        fprintf(stderr, "%s\n", why);
        return not_found ? TOOL_USAGE : TOOL_FAILED;
    }
    if (trace->stream.promised_events != 0 && trace->stream.promised_events != trace->stream.trace_events && !options->quiet)
        tool_say("note: the header of %s speaks of %llu events, %llu are there; they are played", trace->path,
                 (unsigned long long)trace->stream.promised_events, (unsigned long long)trace->stream.trace_events);
    for (size_t i = 0; i < options->contender_count; i++)
        if (!replay_measure_begin(&trace->measures[i], options->rounds))
            return TOOL_FAILED;
    return replay_measure_begin(&trace->floor, options->rounds) ? TOOL_OK : TOOL_FAILED;
}

static int prepare_all(replay_results *results)
{
    for (size_t i = 0; i < results->options->trace_count; i++) {
        int code = prepare_trace(&results->traces[i], results->options);
        if (code != TOOL_OK)
            return code;
    }
    return TOOL_OK;
}

static bool is_a_trace(const replay_options *options, const char *path)
{
    struct stat output, trace;
    for (size_t i = 0; i < options->trace_count && stat(path, &output) == 0; i++)
        if (stat(options->traces[i], &trace) == 0 && trace.st_dev == output.st_dev && trace.st_ino == output.st_ino &&
            S_ISREG(output.st_mode))
            return true;
    return false;
}

static bool outputs_possible(const replay_options *options)
{
    struct stat status;
    if (options->json != NULL && strcmp(options->json, "-") != 0 && !output_possible(options->json))
        return false;
    if (options->json != NULL && is_a_trace(options, options->json)) {
        tool_say("%s is a trace to be read: --json would overwrite it", options->json);
        return false;
    }
    if (options->plot == NULL)
        return true;
    if (stat(options->plot, &status) == 0 && !S_ISDIR(status.st_mode)) {
        tool_say("--plot needs a folder, and %s is none", options->plot);
        return false;
    }
    return stat(options->plot, &status) == 0 || output_possible(options->plot);
}

/* ---- one child ---- */

static bool whole(const child_output *out, size_t length)
{
    const replay_result *r = &out->result;
    return length >= sizeof *r && r->magic == REPLAY_RESULT_MAGIC && r->samples <= REPLAY_SAMPLES &&
           length == sizeof *r + r->samples * sizeof out->samples[0];
}

/* The first failure of an allocator on a trace is said and kept; it plays that trace no more. */
__attribute__((format(printf, 3, 4))) static void note_failure(replay_measure *measure, const char *subject, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(measure->failure, sizeof measure->failure, format, arguments);
    va_end(arguments);
    tool_say("%s: %s", subject, measure->failure);
}

static void run_child(const replay_trace *trace, const allocator *a, const char *library, replay_pass pass, replay_measure *measure)
{
    static child_output out;
    char               *arguments[] = { "ntmm", "__play", (char *)a->name, (char *)REPLAY_PASS_NAMES[pass], NULL };
    peer_child          child = { tool_self(NULL), arguments, library, trace->stream.fd };
    char                why[256], subject[400];
    size_t              length;
    bool                ended = peer_run(&child, &out, sizeof out, &length, why, sizeof why);
    bool                came = whole(&out, length);
    snprintf(subject, sizeof subject, "%s on %s", a->name, trace->name);
    if (came && out.result.succeeded)
        replay_measure_add(measure, pass, &out.result, out.samples);
    else if (came)
        note_failure(measure, subject, "the %s pass failed: %s", REPLAY_PASS_NAMES[pass], out.result.why);
    else
        note_failure(measure, subject, "the %s pass %s", REPLAY_PASS_NAMES[pass], ended ? "sent no result" : why);
}

/* ---- rounds ---- */

static void progress(const replay_options *options, unsigned round, const char *trace, const char *allocator, replay_pass pass)
{
    static bool     on_terminal, asked;
    static unsigned last_round;
    if (!asked) {
        on_terminal = isatty(STDERR_FILENO) == 1;
        asked = true;
    }
    if (options->quiet)
        return;
    if (on_terminal)
        fprintf(stderr, "\r\033[Kround %u of %u: %s, %s, %s", round, options->rounds, trace, REPLAY_PASS_NAMES[pass], allocator);
    else if (round != last_round)
        fprintf(stderr, "round %u of %u\n", round, options->rounds);
    last_round = round;
}

static void end_progress(const replay_options *options)
{
    if (!options->quiet && isatty(STDERR_FILENO) == 1)
        fputs("\r\033[K", stderr);
}

static void play_pass(const replay_options *options, replay_trace *trace, unsigned round, replay_pass pass)
{
    if (pass == PASS_THROUGHPUT)
        run_child(trace, &ALLOCATOR_FLOOR, "", pass, &trace->floor);
    for (size_t i = 0; i < options->contender_count; i++) {
        const replay_contender *contender = &options->contenders[i];
        if (trace->measures[i].failure[0] != '\0')
            continue;
        progress(options, round, trace->name, contender->allocator->name, pass);
        run_child(trace, contender->allocator, contender->library, pass, &trace->measures[i]);
    }
}

static void play_all(replay_results *results)
{
    const replay_options *options = results->options;
    for (unsigned round = 1; round <= options->rounds; round++)
        for (size_t t = 0; t < options->trace_count; t++)
            for (int pass = 0; pass < PASS_COUNT; pass++)
                play_pass(options, &results->traces[t], round, (replay_pass)pass);
    end_progress(options);
}

static bool anything_failed(const replay_results *results)
{
    for (size_t t = 0; t < results->options->trace_count; t++) {
        if (results->traces[t].floor.failure[0] != '\0')
            return true;
        for (size_t i = 0; i < results->options->contender_count; i++)
            if (results->traces[t].measures[i].failure[0] != '\0')
                return true;
    }
    return false;
}

/* ---- the command ---- */

static int show(const replay_results *results)
{
    const replay_options *options = results->options;
    bool                  ok = !anything_failed(results);
    if (options->json != NULL && !replay_write_json(results, options->json))
        ok = false;
    if (options->plot != NULL && !replay_write_csv(results, options->plot))
        ok = false;
    if (!options->quiet)
        replay_print_table(results, options->json != NULL && strcmp(options->json, "-") == 0 ? stderr : stdout);
    return ok ? TOOL_OK : TOOL_FAILED;
}

static int replay(replay_results *results)
{
    if (!outputs_possible(results->options))
        return TOOL_USAGE;
    name_all(results);
    int code = prepare_all(results);
    if (code != TOOL_OK)
        return code;
    play_all(results);
    return show(results);
}

int replay_main(int argc, char **argv)
{
    static replay_options options;
    if (!replay_options_parse(&options, argc, argv))
        return TOOL_USAGE;
    if (options.help) {
        replay_help();
        return TOOL_OK;
    }
    if (tool_self(NULL) == NULL) {
        tool_say("the path of this program cannot be found; call it by its full path");
        return TOOL_FAILED;
    }
    replay_results results = { &options, calloc(options.trace_count, sizeof(replay_trace)) };
    if (results.traces == NULL) {
        tool_say("no memory for %zu traces", options.trace_count);
        return TOOL_FAILED;
    }
    for (size_t t = 0; t < options.trace_count; t++)
        results.traces[t].stream.fd = -1;
    int code = replay(&results);
    for (size_t t = 0; t < options.trace_count; t++) {
        replay_stream_close(&results.traces[t].stream);
        replay_measure_end(&results.traces[t].floor);
        for (size_t i = 0; i < options.contender_count; i++)
            replay_measure_end(&results.traces[t].measures[i]);
    }
    free(results.traces);
    return code;
}
