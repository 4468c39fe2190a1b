/*
 * pool_rounds.c - one process for each allocator, test and round.
 *
 *     for each round: for each test: for each allocator, the floor among them: a process
 *
 * So what is compared was measured within the same second, and drift of the machine meets all alike; and a test finds the same process
 * whether it is asked for alone or with all others. An allocator that failed in a test plays that test no more.
 *
 * Elsewhere  finding and preloading other allocators: src/tool/peer.c.
 */
#include "pool_rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host_memory.h"
#include "tool/peer.h"
#include "tool/tool.h"

typedef struct child_result {
    uint32_t     succeeded;
    char         why[ALLOCATOR_WHY];
    pool_outcome outcome;
} child_result;

/* ---- the child ---- */

typedef struct child_work {
    const allocator *allocator;
    pool_test        test;
    pool_outcome    *out;
} child_work;

static void play(void *context)
{
    child_work *work = context;
    work->test.run(work->allocator, &work->test, work->out);
}

static bool send_all(const void *data, size_t bytes)
{
    for (const char *from = data; bytes != 0;) {
        ssize_t n = write(4, from, bytes);
        if (n <= 0)
            return false;
        from += n;
        bytes -= (size_t)n;
    }
    return true;
}

int pool_rounds_child(int argc, char **argv)
{
    static child_result result;
    const allocator    *a = argc == 5 ? allocator_find(argv[2]) : NULL;
    size_t              test = argc == 5 ? pool_test_find(argv[3]) : POOL_TEST_COUNT;
    if (a == NULL || test == POOL_TEST_COUNT)
        return TOOL_USAGE;
    child_work     work = { a, POOL_TESTS[test], &result.outcome };
    allocator_need need;
    if (strcmp(argv[4], "quick") == 0)
        work.test = pool_test_quick(&POOL_TESTS[test]);
    need = pool_test_need(&work.test);
    result.succeeded = a->start(a, &need, result.why) && a->guard(play, &work, result.why) && a->finish(result.why);
    return send_all(&result, sizeof result) && result.succeeded ? TOOL_OK : TOOL_FAILED;
}

/* ---- the parent ---- */

static void find_contenders(pool_results *results)
{
    results->contenders[results->contender_count++].allocator = &ALLOCATOR_FLOOR;
    for (size_t i = 0; i < ALLOCATOR_COUNT && results->contender_count < CONTENDERS_LIMIT; i++) {
        pool_contender *c = &results->contenders[results->contender_count];
        c->allocator = &ALLOCATORS[i];
        results->contender_count += ALLOCATORS[i].by_default && peer_find(c->allocator, c->library, sizeof c->library);
    }
}

/* Before the first round: a test that begins runs in all of them. */
static void skip_what_does_not_fit(pool_results *results)
{
    uint64_t available = host_memory_available();
    for (size_t t = 0; t < POOL_TEST_COUNT; t++) {
        pool_test test = results->options->quick ? pool_test_quick(&POOL_TESTS[t]) : POOL_TESTS[t];
        if (results->options->chosen[t] && test.host_bytes > available)
            snprintf(results->skipped[t], sizeof results->skipped[t], "it needs %.1f GiB, and this machine has %.1f GiB to spare",
                     (double)test.host_bytes / (1 << 30), (double)available / (1 << 30));
    }
}

static void keep(pool_entry *entry, const pool_outcome *out)
{
    const pool_figure *f = &out->figure;
    unsigned           r = entry->rounds++;
    entry->cpu[r] = f->cpu;
    entry->wall[r] = f->wall;
    entry->at_once[r] = f->at_once;
    entry->live[r] = (double)f->peak_live;
    entry->committed[r] = (double)f->peak_committed;
    entry->ratio[r] = f->peak_live != 0 ? (double)f->peak_committed / (double)f->peak_live : 0;
    if (r == 0 && out->sample_count != 0 && (entry->samples = malloc(out->sample_count * sizeof *entry->samples)) != NULL) {
        memcpy(entry->samples, out->samples, out->sample_count * sizeof *entry->samples);
        entry->sample_count = out->sample_count;
    }
}

static void run_process(pool_results *results, pool_contender *c, size_t test)
{
    static child_result result;
    pool_entry         *entry = &c->entries[test];
    size_t              length;
    char                why[ALLOCATOR_WHY];
    char               *arguments[] = { "ntmm_pool_bench",
                                        "--child",
                                        (char *)c->allocator->name,
                                        (char *)POOL_TESTS[test].name,
                          results->options->quick ? "quick" : "full",
                                        NULL };
    peer_child          child = { tool_self(NULL), arguments, c->library, -1 };
    bool                ended = peer_run(&child, &result, sizeof result, &length, why, sizeof why);
    bool                came = length == sizeof result;
    if (came && result.succeeded && ended) {
        keep(entry, &result.outcome);
        return;
    }
    snprintf(entry->failure, sizeof entry->failure, "%s", came && !result.succeeded ? result.why : ended ? "sent no result" : why);
    tool_say("%s, %s: %s", POOL_TESTS[test].name, c->allocator->name, entry->failure);
    results->failed = true;
}

static bool takes_part(const pool_contender *c, const pool_test *test) /* nothing has no memory */
{
    return test->measure != POOL_MEMORY || c->allocator != &ALLOCATOR_FLOOR;
}

static void run_test(pool_results *results, size_t t, unsigned round)
{
    const pool_test *test = &POOL_TESTS[t];
    if (!results->options->chosen[t] || results->skipped[t][0] != '\0' || (test->most_rounds != 0 && round > test->most_rounds))
        return;
    for (size_t c = 0; c < results->contender_count; c++)
        if (results->contenders[c].entries[t].failure[0] == '\0' && takes_part(&results->contenders[c], test))
            run_process(results, &results->contenders[c], t);
}

void pool_rounds_run(pool_results *results, const pool_options *options)
{
    results->options = options;
    find_contenders(results);
    skip_what_does_not_fit(results);
    for (unsigned round = 1; round <= options->rounds; round++) {
        fprintf(stderr, "round %u of %u\n", round, options->rounds);
        for (size_t t = 0; t < POOL_TEST_COUNT; t++)
            run_test(results, t, round);
    }
}

/* ---- asking for what was found ---- */

const pool_contender *pool_contender_find(const pool_results *results, const char *name)
{
    for (size_t c = 0; c < results->contender_count; c++)
        if (strcmp(results->contenders[c].allocator->name, name) == 0)
            return &results->contenders[c];
    return NULL;
}

const double *pool_entry_rounds(const pool_contender *contender, size_t test, unsigned *count)
{
    const pool_entry *entry = &contender->entries[test];
    *count = entry->failure[0] == '\0' ? entry->rounds : 0;
    if (*count == 0)
        return NULL;
    return POOL_TESTS[test].measure == POOL_CPU ? entry->cpu : POOL_TESTS[test].measure == POOL_WALL ? entry->wall : entry->ratio;
}
