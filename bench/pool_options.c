/*
 * pool_options.c - the command line of ntmm_pool_bench.
 */
#include "pool_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rounds.h"
#include "tool/output.h"

#define DEFAULT_ROUNDS 11

static const char HELP[] =
    "usage: ntmm_pool_bench [OPTION]...\n"
    "What does one allocation and its free cost, and how much memory is held, against other allocators?\n\n"
    "    --only NAME[,NAME]  these tests alone\n"
    "    --list              say which tests there are\n"
    "    --rounds N          1 to %u rounds (default %d); long tests have at most 3\n"
    "    --quick             small tests, one round unless --rounds says otherwise: does it run at all?\n"
    "    --json FILE         the results in Google Benchmark's JSON; `-` is standard output\n"
    "    --plot FOLDER       memory over time, a file NAME.ALLOCATOR.memory.csv for each test of memory\n"
    "    --help              this page\n\n"
    "exit status: 0; 1 when a process failed or a file could not be written; 2 for a command line that makes no sense\n";

void pool_options_help(void) { printf(HELP, ROUNDS_LIMIT, DEFAULT_ROUNDS); }

__attribute__((format(printf, 1, 2))) static bool refuse(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ntmm_pool_bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static bool parse_rounds(const char *value, unsigned *rounds)
{
    char         *end;
    unsigned long n = strtoul(value, &end, 10);
    *rounds = (unsigned)n;
    return (*value >= '0' && *value <= '9' && *end == '\0' && n >= 1 && n <= ROUNDS_LIMIT) ||
           refuse("--rounds must be a number from 1 to %u, not `%s`", ROUNDS_LIMIT, value);
}

static bool parse_names(const char *names, bool *chosen)
{
    char name[64];
    memset(chosen, 0, POOL_TESTS_LIMIT * sizeof *chosen);
    for (;;) {
        size_t length = strcspn(names, ",");
        int    n = snprintf(name, sizeof name, "%.*s", (int)length, names);
        size_t test = n < (int)sizeof name ? pool_test_find(name) : POOL_TEST_COUNT;
        if (test == POOL_TEST_COUNT)
            return refuse("there is no test `%.*s`; --list says which there are", (int)length, names);
        chosen[test] = true;
        if (names[length] == '\0')
            return true;
        names += length + 1;
    }
}

/* @return how many arguments were used up; 0: refused */
static int parse_option(char **argument, const char *value, pool_options *options, unsigned *rounds)
{
    const char *name = argument[0];
    bool       *given = strcmp(name, "--quick") == 0  ? &options->quick
                        : strcmp(name, "--list") == 0 ? &options->list
                        : strcmp(name, "--help") == 0 ? &options->help
                                                      : NULL;
    if (given != NULL) {
        *given = true;
        return 1;
    }
    const char **text = strcmp(name, "--json") == 0 ? &options->json : strcmp(name, "--plot") == 0 ? &options->plot : NULL;
    if (text == NULL && strcmp(name, "--rounds") != 0 && strcmp(name, "--only") != 0)
        return refuse("unknown option `%s`; --help says more", name);
    if (value == NULL || *value == '\0')
        return refuse("`%s` needs a value", name);
    if (text != NULL)
        *text = value;
    else if (strcmp(name, "--rounds") == 0 ? !parse_rounds(value, rounds) : !parse_names(value, options->chosen))
        return 0;
    return 2;
}

bool pool_options_parse(int argc, char **argv, pool_options *options)
{
    unsigned rounds = 0;
    memset(options, 0, sizeof *options);
    for (size_t t = 0; t < POOL_TEST_COUNT; t++)
        options->chosen[t] = true;
    for (int i = 1, used; i < argc; i += used) {
        used = parse_option(&argv[i], i + 1 < argc ? argv[i + 1] : NULL, options, &rounds);
        if (used == 0)
            return false;
    }
    options->rounds = rounds != 0 ? rounds : options->quick ? 1 : DEFAULT_ROUNDS;
    return options->json == NULL || strcmp(options->json, "-") == 0 || output_possible(options->json);
}
