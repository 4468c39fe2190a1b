/*
 * pool_bench.c - what does one allocation and its free cost, and how much memory is held, against other allocators?
 *
 *     ntmm_pool_bench [--rounds N] [--only NAME[,NAME]] [--list] [--quick] [--json FILE] [--plot FOLDER]
 *
 * Method: one process for each allocator, test and round, rounds interleaved, every allocator called through the same function pointers.
 * The figure is the median over the rounds. Nothing is subtracted: the column `floor` is the same loop over an allocator that does
 * nothing, and when the floor itself moves between rounds no verdict is given. Seed: POOL_SEED in pool_tests.h, the same for all.
 *
 *     pool_options.c   the command line
 *     pool_table.c     the tests          pool_tests.c, thread_tests.c, phase_tests.c   their loops, which run in the children
 *     pool_rounds.c    the processes      rounds.c                                      medians
 *     pool_promises.c  what is promised   pool_report.c, pool_files.c                   tables, JSON, CSV
 */
#include <stdio.h>
#include <string.h>

#include "pool_options.h"
#include "pool_promises.h"
#include "pool_report.h"
#include "pool_rounds.h"
#include "tool/tool.h"

static void list_tests(void)
{
    for (size_t t = 0; t < POOL_TEST_COUNT; t++) {
        const char *separator = "   against ";
        printf("%-20s %s", POOL_TESTS[t].name, POOL_TESTS[t].question);
        for (size_t i = 0; i < POOL_PROMISE_COUNT; i++)
            if (strcmp(POOL_PROMISES[i].test, POOL_TESTS[t].name) == 0) {
                printf("%s%s", separator, POOL_PROMISES[i].other);
                separator = ", ";
            }
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    static pool_results results;
    pool_options        options;
    tool_self(argv[0]);
    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return pool_rounds_child(argc, argv);
    if (!pool_options_parse(argc, argv, &options))
        return TOOL_USAGE;
    if (options.help)
        pool_options_help();
    if (options.list)
        list_tests();
    if (options.help || options.list)
        return TOOL_OK;
    pool_rounds_run(&results, &options);
    pool_report_print(&results);
    bool written = (options.json == NULL || pool_report_json(&results, options.json)) &&
                   (options.plot == NULL || pool_report_csv(&results, options.plot));
    return written && !results.failed ? TOOL_OK : TOOL_FAILED;
}
