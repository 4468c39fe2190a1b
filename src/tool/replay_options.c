/*
 * replay_options.c - the command line of `ntmm replay`, and its manual page.
 */
#include "tool/replay_options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool/peer.h"
#include "tool/tool.h"

enum option_code {
    OPTION_JSON = 256,
    OPTION_PLOT,
    OPTION_ROUNDS,
    OPTION_ALLOCATORS,
    OPTION_OBJECTS,
    OPTION_PAGES,
    OPTION_QUIET,
    OPTION_HELP
};

static const struct option LONG_OPTIONS[] = {
    { "json", required_argument, NULL, OPTION_JSON },
    { "plot", required_argument, NULL, OPTION_PLOT },
    { "rounds", required_argument, NULL, OPTION_ROUNDS },
    { "allocators", required_argument, NULL, OPTION_ALLOCATORS },
    { "objects", no_argument, NULL, OPTION_OBJECTS },
    { "pages", no_argument, NULL, OPTION_PAGES },
    { "quiet", no_argument, NULL, OPTION_QUIET },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static const char PAGE_TOP[] =
    "NAME\n"
    "    ntmm replay - play a recorded allocation trace against ntmm's pools and other allocators\n"
    "\n"
    "SYNOPSIS\n"
    "    ntmm replay [OPTION]... TRACE...\n"
    "\n"
    "DESCRIPTION\n"
    "    A TRACE is a file in the format `ntmm-trace 1`, plain or .xz; `-` is standard input. It is read once, from\n"
    "    start to end, and every line is checked; the first fault is reported as FILE:LINE and nothing is played.\n"
    "    Then each allocator plays the trace in processes of its own, three a round: for the processor time of all\n"
    "    operations (cold, then once more warm), for the time of each single one, and for the memory that the host\n"
    "    had to give. Rounds are interleaved, so that drift of the machine meets all alike; times are medians over\n"
    "    the rounds.\n"
    "\n"
    "    What a trace event becomes for ntmm: context `t` is PASSIVE_LEVEL and every other is DISPATCH_LEVEL, the\n"
    "    highest at which pool may be called (`d` and `h`, interrupts off and hard interrupt, are clamped to it).\n"
    "    What may wait and is allocated and freed at PASSIVE_LEVEL comes from PagedPool, all else from\n"
    "    NonPagedPoolNx, with the trace's tag. `z` is a zeroed allocation (calloc elsewhere), anything else\n"
    "    POOL_FLAG_UNINITIALIZED (malloc elsewhere).\n"
    "\n"
    "OPTIONS\n"
    "    --json FILE         write what was measured in Google Benchmark's JSON; `-` is standard output\n"
    "    --plot FOLDER       write CSV files for plotting: TRACE.ALLOCATOR.csv with memory over time, TRACE.latency.csv\n"
    "    --rounds N          play N rounds, 1 to 1000 (default 5)\n"
    "    --allocators LIST   compare these, parted by commas (default: ntmm-classic and every other that is installed);\n"
    "                        NAME=FILE preloads that library instead of the one that would be found\n"
    "    --objects           play the object events a, c, f (the default)\n"
    "    --pages             play the page events p, q instead, as nonpaged blocks of 4096 << order bytes\n"
    "    --quiet             no progress and no table\n"
    "    --help              this page\n"
    "\n"
    "ALLOCATORS\n";
static_assert(REPLAY_ROUNDS_LIMIT == 1000, "the page says so");

static const char PAGE_BOTTOM[] = "\n"
                                  "EXIT STATUS\n"
                                  "    0  every allocator played every trace\n"
                                  "    1  a trace is faulty, a child failed, or a file could not be written\n"
                                  "    2  the command line asks for something that is not there\n"
                                  "\n"
                                  "ENVIRONMENT\n"
                                  "    TMPDIR             where the prepared trace is kept while it is played: 16 bytes an event\n"
                                  "    LD_LIBRARY_PATH    searched first for the libraries of other allocators\n";

void replay_help(void)
{
    char library[REPLAY_PATH_SIZE];
    fputs(PAGE_TOP, stdout);
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++) {
        const allocator *a = &ALLOCATORS[i];
        const char      *here = peer_find(a, library, sizeof library) ? "" : " (not to be had here)";
        printf("    %-14s %s%s%s\n", a->name, a->remark, here, a->by_default ? "" : "; not by default");
    }
    fputs(PAGE_BOTTOM, stdout);
}

/* ---- values ---- */

static bool parse_rounds(replay_options *options, const char *text)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    bool          all = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (!all || n == 0 || n > REPLAY_ROUNDS_LIMIT) {
        tool_say("--rounds must be a number from 1 to %d, not `%s`", REPLAY_ROUNDS_LIMIT, text);
        return false;
    }
    options->rounds = (unsigned)n;
    return true;
}

static bool add_contender(replay_options *options, const allocator *a, const char *library)
{
    for (size_t i = 0; i < options->contender_count; i++)
        if (options->contenders[i].allocator == a) {
            tool_say("allocator `%s` is named twice", a->name);
            return false;
        }
    if (options->contender_count == REPLAY_CONTENDERS) {
        tool_say("at most %d allocators can be compared at once", REPLAY_CONTENDERS);
        return false;
    }
    replay_contender *contender = &options->contenders[options->contender_count++];
    contender->allocator = a;
    snprintf(contender->library, sizeof contender->library, "%s", library);
    return true;
}

/* One item of the list, NAME or NAME=FILE. */
static bool add_named(replay_options *options, char *item)
{
    char  found[REPLAY_PATH_SIZE];
    char *file = strchr(item, '=');
    if (file != NULL)
        *file++ = '\0';
    const allocator *a = allocator_find(item);
    if (a == NULL || a == &ALLOCATOR_FLOOR) {
        tool_say("there is no allocator `%s`; `ntmm replay --help` lists them", item);
        return false;
    }
    if (file == NULL && !peer_find(a, found, sizeof found)) {
        tool_say("allocator `%s` is not installed here, or this build carries a sanitizer, which allows no other", a->name);
        return false;
    }
    if (file != NULL && a->preload == NULL) {
        tool_say("allocator `%s` has no library of its own to preload", a->name);
        return false;
    }
    if (file != NULL && access(file, R_OK) != 0) {
        tool_say("the library `%s` of `%s` cannot be read", file, a->name);
        return false;
    }
    return add_contender(options, a, file != NULL ? file : found);
}

static bool add_list(replay_options *options, char *list)
{
    options->contender_count = 0;
    for (char *item = list; item != NULL;) {
        char *comma = strchr(item, ',');
        if (comma != NULL)
            *comma++ = '\0';
        if (!add_named(options, item))
            return false;
        item = comma;
    }
    return true;
}

static bool add_defaults(replay_options *options)
{
    char library[REPLAY_PATH_SIZE];
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++)
        if (ALLOCATORS[i].by_default && peer_find(&ALLOCATORS[i], library, sizeof library) &&
            !add_contender(options, &ALLOCATORS[i], library))
            return false;
    return true;
}

/* ---- the whole line ---- */

static bool take_option(replay_options *options, int code, char **argv)
{
    switch (code) {
    case OPTION_JSON: options->json = optarg; return true;
    case OPTION_PLOT: options->plot = optarg; return true;
    case OPTION_ROUNDS: return parse_rounds(options, optarg);
    case OPTION_ALLOCATORS: return add_list(options, optarg);
    case OPTION_OBJECTS: options->kind = REPLAY_OBJECTS; return true;
    case OPTION_PAGES: options->kind = REPLAY_PAGES; return true;
    case OPTION_QUIET: options->quiet = true; return true;
    case OPTION_HELP: options->help = true; return true;
    case ':': tool_say("option `%s` needs a value", argv[optind - 1]); return false;
    default:
        if (optopt != 0 && optopt < 128) /* a letter; long options alone exist */
            tool_say("unknown option `-%c`; `ntmm replay --help` lists them", optopt);
        else
            tool_say("unknown option `%s`; `ntmm replay --help` lists them", argv[optind - 1]);
        return false;
    }
}

bool replay_options_parse(replay_options *options, int argc, char **argv)
{
    *options = (replay_options){ .rounds = 5, .kind = REPLAY_OBJECTS };
    optind = 1;
    for (int code; !options->help && (code = getopt_long(argc, argv, ":", LONG_OPTIONS, NULL)) != -1;)
        if (!take_option(options, code, argv))
            return false;
    if (options->help)
        return true;
    options->traces = argv + optind;
    options->trace_count = (size_t)(argc - optind);
    if (options->trace_count == 0) {
        tool_say("no trace is named; `ntmm replay --help` says more");
        return false;
    }
    return options->contender_count != 0 || add_defaults(options);
}
