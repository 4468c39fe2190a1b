/*
 * pool_bench.c - what does one allocation and its free cost, against other allocators?
 *
 *     ntmm_pool_bench [--rounds N] [--json FILE]
 *
 * Method: one process for each allocator and round, rounds interleaved, every allocator called through the same function pointers,
 * processor time. The figure is the median over the rounds. Nothing is subtracted: the column `floor` is the same loop over an allocator that does
 * nothing. When the floor itself moves by more than a tenth between rounds the machine was too busy, and the verdict says so.
 * Seed: POOL_SEED in pool_tests.h, the same for all.
 *
 * Elsewhere  the loops: pool_tests.c. Finding and preloading the others: src/tool/peer.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pool_tests.h"
#include "tool/clock.h"
#include "tool/json_context.h"
#include "tool/output.h"
#include "tool/peer.h"
#include "tool/tool.h"

#define ROUNDS_LIMIT 99
#define CONTENDERS 8
#define BUSY 0.10
#define NOISE 1.15 /* a ratio up to this much above its limit may be chance */

typedef struct child_result {
    uint32_t  succeeded;
    char      why[ALLOCATOR_WHY];
    pool_time ns[POOL_TESTS_LIMIT];
} child_result;

typedef struct contender {
    const allocator *allocator;
    char             library[4096];
    bool             failed;
    unsigned         rounds;
    double           cpu_ns[POOL_TESTS_LIMIT][ROUNDS_LIMIT], wall_ns[POOL_TESTS_LIMIT][ROUNDS_LIMIT];
} contender;

/* What ntmm promises: the largest ratio to another's time that is still good enough, and the one to aim at. */
static const struct promise {
    const char *test, *other; /* other: an allocator, or a test of ntmm's own */
    double      must, aim;
} PROMISES[] = {
    { "pair_64_zeroed", "jemalloc", 1.00, 0.85 }, { "pair_64_zeroed", "mimalloc", 0.90, 0.70 },
    { "pair_64_zeroed", "glibc", 0.70, 0.57 },    { "pair_64", "jemalloc", 1.35, 1.15 },
    { "pair_64", "mimalloc", 0.90, 0.72 },        { "pair_64", "glibc", 0.90, 0.75 },
    { "pair_64_paged", "pair_64", 1.10, 1.02 },   { "live_10k", "jemalloc", 1.00, 0.65 },
    { "live_10k", "mimalloc", 1.00, 0.65 },       { "live_10k", "glibc", 0.35, 0.18 },
    { "batch_lifo", "jemalloc", 1.00, 0.70 },     { "batch_lifo", "mimalloc", 2.00, 1.20 },
    { "batch_fifo", "jemalloc", 1.00, 0.70 },     { "batch_fifo", "mimalloc", 2.00, 1.20 },
    { "batch_shuffled", "jemalloc", 1.00, 0.70 }, { "batch_shuffled", "mimalloc", 2.00, 1.20 },
    { "pair_4k", "jemalloc", 0.90, 0.60 },        { "pair_4k", "mimalloc", 0.90, 0.60 },
    { "pair_8k", "jemalloc", 0.90, 0.60 },        { "pair_8k", "mimalloc", 0.90, 0.60 },
    { "pair_16k", "jemalloc", 0.90, 0.60 },       { "pair_16k", "mimalloc", 0.90, 0.60 },
    { "pair_64k", "jemalloc", 0.90, 0.60 },       { "pair_64k", "mimalloc", 0.90, 0.60 },
};

static contender contenders[CONTENDERS]; /* the floor first */
static size_t    contender_count;

/* ---- the child ---- */

typedef struct child_work {
    const allocator *allocator;
    child_result    *result;
} child_work;

static void run_tests(void *context)
{
    child_work *work = context;
    for (size_t i = 0; i < POOL_TEST_COUNT; i++)
        work->result->ns[i] = POOL_TESTS[i].run(work->allocator, &POOL_TESTS[i]);
}

static int child_main(const char *name)
{
    static child_result result;
    const allocator    *a = allocator_find(name);
    allocator_need      need = { (uint64_t)POOL_LIVE_BLOCKS * POOL_UNIFORM_MOST, 65536 };
    child_work          work = { a, &result };
    if (a == NULL)
        return TOOL_USAGE;
    result.succeeded = a->start(a, &need, result.why) && a->guard(run_tests, &work, result.why) && a->finish(result.why);
    return write(4, &result, sizeof result) == (ssize_t)sizeof result && result.succeeded ? TOOL_OK : TOOL_FAILED;
}

/* ---- the parent ---- */

static void find_contenders(void)
{
    contenders[contender_count++].allocator = &ALLOCATOR_FLOOR;
    for (size_t i = 0; i < ALLOCATOR_COUNT && contender_count < CONTENDERS; i++) {
        contender *c = &contenders[contender_count];
        c->allocator = &ALLOCATORS[i];
        contender_count += ALLOCATORS[i].by_default && peer_find(c->allocator, c->library, sizeof c->library);
    }
}

static void run_round(contender *c)
{
    child_result result;
    size_t       length;
    char         why[256];
    char        *arguments[] = { "ntmm_pool_bench", "--child", (char *)c->allocator->name, NULL };
    peer_child   child = { tool_self(NULL), arguments, c->library, -1 };
    bool         ended = peer_run(&child, &result, sizeof result, &length, why, sizeof why);
    if (length == sizeof result && result.succeeded && ended) {
        for (size_t i = 0; i < POOL_TEST_COUNT; i++) {
            c->cpu_ns[i][c->rounds] = result.ns[i].cpu;
            c->wall_ns[i][c->rounds] = result.ns[i].wall;
        }
        c->rounds++;
        return;
    }
    c->failed = true;
    tool_say("%s: %s", c->allocator->name, length == sizeof result ? result.why : ended ? "sent no result" : why);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_of(const double *rounds, size_t n)
{
    double values[ROUNDS_LIMIT];
    memcpy(values, rounds, n * sizeof *values);
    qsort(values, n, sizeof *values, by_value);
    return n == 0 ? 0 : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

static double median(const contender *c, size_t test) { return median_of(c->cpu_ns[test], c->rounds); }

/* (largest - smallest) / median */
static double spread(const contender *c, size_t test)
{
    double least = c->cpu_ns[test][0], most = least, middle = median(c, test);
    for (unsigned r = 1; r < c->rounds; r++) {
        least = c->cpu_ns[test][r] < least ? c->cpu_ns[test][r] : least;
        most = c->cpu_ns[test][r] > most ? c->cpu_ns[test][r] : most;
    }
    return middle > 0 ? (most - least) / middle : 0;
}

/* ---- showing it ---- */

static void print_table(void)
{
    printf("ns for one allocation and its free, processor time, median of %u rounds; nothing is subtracted\n%-16s", contenders[0].rounds,
           "");
    for (size_t c = 0; c < contender_count; c++)
        printf(" %12s", contenders[c].allocator->name);
    putchar('\n');
    for (size_t t = 0; t < POOL_TEST_COUNT; t++) {
        printf("%-16s", POOL_TESTS[t].name);
        for (size_t c = 0; c < contender_count; c++)
            if (contenders[c].failed)
                printf(" %12s", "failed");
            else
                printf(" %12.1f", median(&contenders[c], t));
        printf("   %s\n", POOL_TESTS[t].question);
    }
}

static const contender *named(const char *name)
{
    for (size_t c = 0; c < contender_count; c++)
        if (strcmp(contenders[c].allocator->name, name) == 0 && !contenders[c].failed)
            return &contenders[c];
    return NULL;
}

static size_t test_named(const char *name)
{
    size_t t = 0;
    while (t < POOL_TEST_COUNT && strcmp(POOL_TESTS[t].name, name) != 0)
        t++;
    return t;
}

static const char *verdict(double ratio, const struct promise *p)
{
    return ratio <= p->aim            ? "met, and the aim"
           : ratio <= p->must         ? "met"
           : ratio <= p->must * NOISE ? "missed by what may be noise"
                                      : "missed";
}

static void print_promises(void)
{
    const contender *ours = named("ntmm-classic");
    if (ours == NULL)
        return;
    printf("\nntmm-classic / other\n");
    for (size_t i = 0; i < sizeof PROMISES / sizeof PROMISES[0]; i++) {
        const struct promise *p = &PROMISES[i];
        size_t                test = test_named(p->test), other_test = test_named(p->other);
        const contender      *other = other_test < POOL_TEST_COUNT ? ours : named(p->other);
        if (other == NULL)
            continue;
        double ratio = median(ours, test) / median(other, other_test < POOL_TEST_COUNT ? other_test : test);
        printf("  %-15s / %-10s %6.2f   must <= %.2f, aim <= %.2f: %s%s\n", p->test, p->other, ratio, p->must, p->aim, verdict(ratio, p),
               spread(&contenders[0], test) > BUSY ? " (unsure: the floor moved, this machine was busy)" : "");
    }
}

static void add_entry(struct json_object *list, const contender *c, size_t test)
{
    struct json_object *entry = json_object_new_object(), *rounds = json_object_new_array();
    char                name[128];
    snprintf(name, sizeof name, "pool/%s/%s", POOL_TESTS[test].name, c->allocator->name);
    json_object_object_add(entry, "name", json_object_new_string(name));
    json_object_object_add(entry, "run_name", json_object_new_string(name));
    json_object_object_add(entry, "run_type", json_object_new_string("iteration"));
    json_object_object_add(entry, "repetitions", json_object_new_int64(c->rounds));
    json_object_object_add(entry, "threads", json_object_new_int64(1));
    json_object_object_add(entry, "iterations", json_object_new_int64(POOL_TESTS[test].operations));
    json_object_object_add(entry, "real_time", json_object_new_double(median_of(c->wall_ns[test], c->rounds)));
    json_object_object_add(entry, "cpu_time", json_object_new_double(median(c, test)));
    json_object_object_add(entry, "time_unit", json_object_new_string("ns"));
    for (unsigned r = 0; r < c->rounds; r++)
        json_object_array_add(rounds, json_object_new_double(c->cpu_ns[test][r]));
    json_object_object_add(entry, "rounds_cpu_ns", rounds);
    json_object_array_add(list, entry);
}

static bool write_json(const char *path)
{
    struct json_object *root = json_object_new_object(), *list = json_object_new_array();
    json_object_object_add(root, "context", json_context_new(tool_self(NULL), clock_calibrate()));
    json_object_object_add(root, "benchmarks", list);
    for (size_t t = 0; t < POOL_TEST_COUNT; t++)
        for (size_t c = 0; c < contender_count; c++)
            if (!contenders[c].failed)
                add_entry(list, &contenders[c], t);
    bool written = json_write(root, path);
    json_object_put(root);
    return written;
}

/* ---- the command line ---- */

static bool parse(int argc, char **argv, unsigned *rounds, const char **json)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char       *end = NULL;
        if (strcmp(argv[i], "--json") == 0 && *value != '\0') {
            *json = value;
        } else if (strcmp(argv[i], "--rounds") == 0 && (*rounds = (unsigned)strtoul(value, &end, 10)) >= 1 && *rounds <= ROUNDS_LIMIT &&
                   *end == '\0') {
            continue;
        } else {
            fprintf(stderr, "usage: %s [--rounds 1..%d] [--json FILE]\n", argv[0], ROUNDS_LIMIT);
            return false;
        }
    }
    return *json == NULL || strcmp(*json, "-") == 0 || output_possible(*json);
}

int main(int argc, char **argv)
{
    unsigned    rounds = 5;
    const char *json = NULL;
    bool        failed = false;
    tool_self(argv[0]);
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return child_main(argv[2]);
    if (!parse(argc, argv, &rounds, &json))
        return TOOL_USAGE;
    find_contenders();
    for (unsigned round = 1; round <= rounds; round++) {
        fprintf(stderr, "round %u of %u\n", round, rounds);
        for (size_t c = 0; c < contender_count; c++)
            if (!contenders[c].failed)
                run_round(&contenders[c]);
    }
    print_table();
    print_promises();
    for (size_t c = 0; c < contender_count; c++)
        failed |= contenders[c].failed;
    return (json == NULL || write_json(json)) && !failed ? TOOL_OK : TOOL_FAILED;
}
