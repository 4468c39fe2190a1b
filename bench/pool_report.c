/*
 * pool_report.c - the tables: figures of all allocators, then what was promised, what came out, and a verdict.
 * Elsewhere  when no verdict is given: pool_compare.c.
 */
#include "pool_report.h"

#include <stdio.h>
#include <string.h>

#include "pool_compare.h"

/* ---- figures ---- */

static void print_heads(const pool_results *results, const char *title)
{
    printf("%s\n%-20s", title, "");
    for (size_t c = 0; c < results->contender_count; c++)
        printf(" %12s", results->contenders[c].allocator->name);
    putchar('\n');
}

static void print_figure(const pool_contender *c, size_t test)
{
    unsigned      count;
    const double *rounds = pool_entry_rounds(c, test, &count);
    if (rounds != NULL)
        printf(" %12.*f", POOL_TESTS[test].measure == POOL_MEMORY ? 2 : 1, rounds_median(rounds, count));
    else
        printf(" %12s", c->entries[test].failure[0] != '\0' ? "failed" : "-");
}

static void print_figures(const pool_results *results, bool memory, const char *title)
{
    bool any = false;
    for (size_t t = 0; t < POOL_TEST_COUNT; t++) {
        if (!results->options->chosen[t] || (POOL_TESTS[t].measure == POOL_MEMORY) != memory)
            continue;
        if (!any)
            print_heads(results, title);
        any = true;
        printf("%-20s", POOL_TESTS[t].name);
        for (size_t c = 0; c < results->contender_count; c++)
            print_figure(&results->contenders[c], t);
        printf("   %s\n", POOL_TESTS[t].question);
        if (results->skipped[t][0] != '\0')
            printf("%-20s left out: %s\n", "", results->skipped[t]);
    }
    if (any)
        putchar('\n');
}

/* ---- promises ---- */

typedef struct tally {
    unsigned verdicts[VERDICT_COUNT], unsure, not_measured;
} tally;

static void print_promise(const pool_results *results, const pool_promise *p, tally *tally)
{
    pool_comparison c = pool_compare(results, p);
    pool_verdict    verdict = pool_judge(p, c.ratio);
    printf("%-20s %-17s ", p->test, p->other);
    if (!c.measured) {
        printf("%6s %6.2f %6.2f   not measured\n", "-", p->must, p->aim);
        tally->not_measured++;
        return;
    }
    printf("%6.2f %6.2f %6.2f   %s\n", c.ratio, p->must, p->aim, c.doubt[0] != '\0' ? c.doubt : POOL_VERDICTS[verdict]);
    if (c.doubt[0] != '\0')
        tally->unsure++;
    else
        tally->verdicts[verdict]++;
}

static void print_promises(const pool_results *results)
{
    tally tally = { 0 };
    printf("%-20s %-17s %6s %6s %6s   verdict\n", POOL_OURS, "against", "ratio", "must", "aim");
    for (size_t i = 0; i < POOL_PROMISE_COUNT; i++)
        if (results->options->chosen[pool_test_find(POOL_PROMISES[i].test)])
            print_promise(results, &POOL_PROMISES[i], &tally);
    printf("%u met, %u of them with the aim; %u missed by what may be noise; %u missed; %u unsure; %u not measured\n",
           tally.verdicts[VERDICT_AIM] + tally.verdicts[VERDICT_MET], tally.verdicts[VERDICT_AIM], tally.verdicts[VERDICT_NOISE],
           tally.verdicts[VERDICT_MISSED], tally.unsure, tally.not_measured);
}

void pool_report_print(const pool_results *results)
{
    printf("Medians of %u round%s (fewer of long tests). Nothing is subtracted; the floor is the same loop over an allocator that does "
           "nothing.\n\n",
           results->options->rounds, results->options->rounds == 1 ? "" : "s");
    print_figures(results, false, "ns for one allocation and its free; processor time, but for exchange_64");
    print_figures(results, true, "peak committed / peak live");
    print_promises(results);
}
