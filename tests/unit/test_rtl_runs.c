/*
 * test_rtl_runs.c - the run index at its edges: sizes around words, leaves and nodes, every map of a few units with every request, holes at
 * every position, requests that nothing can satisfy, memory that is not touched, broken invariants.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/run_oracle.h"
#include "rtl/runs_tree.h"

#define ANYWHERE(n) (&(rt_runs_want_t){ .count = (n), .high = UINT64_MAX })

typedef struct index {
    rt_runs_t runs;
    uint8_t  *bytes;
} index_t;

static index_t index_new(uint64_t unit_count)
{
    index_t x = { .bytes = calloc(rt_runs_bytes(unit_count), 1) };
    assert_non_null(x.bytes);
    rt_runs_init(&x.runs, unit_count, x.bytes);
    return x;
}

static void index_free(index_t *x)
{
    const char *what = NULL;
    assert_true(rt_runs_check(&x->runs, &what));
    rt_runs_reset(&x->runs);
    assert_true(all_zero(x->bytes, rt_runs_bytes(x->runs.unit_count)));
    free(x->bytes);
}

/* ---- sizes ---- */

static const uint64_t SIZES[] = { 1,    2,    63,   64,   65,    127,   128,   511,    512,    513,    1023,
                                  1024, 4095, 4096, 4097, 32767, 32768, 32769, 262143, 262144, 262145, 2097153 };

static void each_size(void (*test)(uint64_t size))
{
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(SIZES); i++)
        test(SIZES[i]);
}

static void empty_of(uint64_t size)
{
    index_t x = index_new(size);
    assert_int_equal(rt_runs_longest(&x.runs), size);
    assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(size)), 0);
    assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(size + 1)), RT_RUNS_NONE);
    assert_int_equal(rt_runs_find(&x.runs, (&(rt_runs_want_t){ .count = 1, .low = size - 1, .high = size })), size - 1);
    assert_int_equal(rt_runs_next_used(&x.runs, 0), size);
    assert_int_equal(rt_runs_next_free(&x.runs, size - 1), size - 1);
    assert_int_equal(rt_runs_next_free(&x.runs, size), RT_RUNS_NONE);
    assert_false(rt_runs_is_free(&x.runs, size));
    index_free(&x);
}

static void an_empty_index_is_one_run(void **state)
{
    (void)state;
    each_size(empty_of);
}

static void full_of(uint64_t size)
{
    index_t  x = index_new(size);
    uint64_t unit;
    rt_runs_take(&x.runs, 0, size);
    assert_int_equal(x.runs.free_count, 0);
    assert_int_equal(rt_runs_longest(&x.runs), 0);
    assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(1)), RT_RUNS_NONE);
    assert_int_equal(rt_runs_next_free(&x.runs, 0), RT_RUNS_NONE);
    assert_int_equal(rt_runs_next_used(&x.runs, size - 1), size - 1);
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, &unit, 1), 0);
    rt_runs_give(&x.runs, size - 1, 1); /* the last unit of all */
    assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(1)), size - 1);
    assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(2)), RT_RUNS_NONE);
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, &unit, 1), 1);
    assert_int_equal(unit, size - 1);
    rt_runs_give(&x.runs, 0, size);
    assert_int_equal(rt_runs_longest(&x.runs), size);
    index_free(&x);
}

static void a_full_index_has_nothing(void **state)
{
    (void)state;
    each_size(full_of);
}

/* ---- every map, every request ---- */

static void compare(rt_runs_t *runs, const oracle_t *o, const rt_runs_want_t *w)
{
    uint64_t found = rt_runs_find(runs, w), expected = oracle_find(o, w);
    if (found != expected)
        fail_msg("count %d low %d high %d align %d boundary %d origin %d: %d instead of %d", (int)w->count, (int)w->low, (int)w->high,
                 (int)w->align, (int)w->boundary, (int)w->origin, (int)found, (int)expected);
}

static void set_map(rt_runs_t *runs, oracle_t *o, unsigned map, uint64_t units, uint64_t stretch)
{
    rt_runs_reset(runs);
    oracle_mark(o, 0, o->unit_count, false);
    o->free_count = o->unit_count;
    for (uint64_t i = 0; i < units; i++)
        if (map >> i & 1) {
            rt_runs_take(runs, i * stretch, stretch);
            oracle_mark(o, i * stretch, stretch, true);
        }
}

static void every_map_of_a_few_units(void **state)
{
    const uint64_t N = SLOWNESS == 1 ? 10 : 7;
    index_t        x = index_new(N);
    oracle_t       o;
    (void)state;
    oracle_init(&o, N);
    for (unsigned map = 0; map < 1u << N; map++) {
        set_map(&x.runs, &o, map, N, 1);
        rt_runs_want_t w = { .origin = map % 5 };
        for (w.count = 0; w.count <= N + 1; w.count++)
            for (w.low = 0; w.low <= N; w.low++)
                for (w.high = 0; w.high <= N + 1; w.high++)
                    for (w.align = 0; w.align <= 4; w.align = w.align * 2 + (w.align == 0))
                        for (w.boundary = 0; w.boundary <= 8; w.boundary = w.boundary * 2 + (w.boundary == 0))
                            compare(&x.runs, &o, &w);
    }
    free(o.used);
    index_free(&x);
}

/* The same with blocks that straddle words and leaves for units, and counts just below and above what fits. */
static void every_map_of_a_few_blocks(void **state)
{
    static const uint64_t BLOCKS[] = { 20, 64, 300, 512, 1000 };
    (void)state;
    for (size_t b = 0; b < NTMM_ARRAY_COUNT(BLOCKS) / (SLOWNESS > 1 ? 2 : 1); b++) {
        const uint64_t N = 7, block = BLOCKS[b];
        index_t        x = index_new(N * block);
        oracle_t       o;
        oracle_init(&o, N * block);
        for (unsigned map = 0; map < 1u << N; map++) {
            set_map(&x.runs, &o, map, N, block);
            for (uint64_t k = 0; k < 3 * N; k++)
                for (unsigned limit = 0; limit < 12; limit++) {
                    rt_runs_want_t w = { .count = (k / 3 + 1) * block + k % 3 - 1, .high = UINT64_MAX, .origin = limit % 2 ? 4096 : 0 };
                    w.low = limit % 3 == 1 ? block + 1 : limit % 3 == 2 ? 2 * block - 1 : 0;
                    w.align = limit & 4 ? 256 : 0;
                    w.boundary = limit & 8 ? 1024 : 0;
                    compare(&x.runs, &o, &w);
                }
        }
        free(o.used);
        index_free(&x);
    }
}

/* In a full index a hole of 1, 2 ... at every position: found where it is, and nothing larger. */
static void a_hole_is_found_wherever_it_is(void **state)
{
    static const uint64_t HOLES[] = { 1, 2, 3, 31, 63, 64, 65, 200, 511, 512, 513 };
    const uint64_t        SIZE = 1700;
    index_t               x = index_new(SIZE);
    (void)state;
    rt_runs_take(&x.runs, 0, SIZE);
    for (size_t h = 0; h < NTMM_ARRAY_COUNT(HOLES); h++)
        for (uint64_t at = 0; at + HOLES[h] <= SIZE; at++) {
            rt_runs_give(&x.runs, at, HOLES[h]);
            assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(HOLES[h])), at);
            assert_int_equal(rt_runs_find(&x.runs, ANYWHERE(HOLES[h] + 1)), RT_RUNS_NONE);
            assert_int_equal(rt_runs_find(&x.runs, (&(rt_runs_want_t){ .count = HOLES[h], .low = at, .high = at + HOLES[h] })), at);
            assert_int_equal(rt_runs_find(&x.runs, (&(rt_runs_want_t){ .count = HOLES[h], .low = at + 1, .high = SIZE })), RT_RUNS_NONE);
            assert_int_equal(rt_runs_find(&x.runs, (&(rt_runs_want_t){ .count = HOLES[h], .high = at + HOLES[h] - 1 })), RT_RUNS_NONE);
            assert_int_equal(rt_runs_longest(&x.runs), HOLES[h]);
            rt_runs_take(&x.runs, at, HOLES[h]);
        }
    index_free(&x);
}

/* ---- requests ---- */

static struct request_case {
    const char    *name;
    uint64_t       units, used_from, used_count;
    rt_runs_want_t want;
    uint64_t       expected;
} REQUESTS[] = {
    { "count 0 is satisfied by nothing", 100, 0, 0, { .count = 0, .high = 100 }, RT_RUNS_NONE },
    { "low beyond high", 100, 0, 0, { .count = 1, .low = 50, .high = 49 }, RT_RUNS_NONE },
    { "low equal to high", 100, 0, 0, { .count = 1, .low = 50, .high = 50 }, RT_RUNS_NONE },
    { "low beyond the end", 100, 0, 0, { .count = 1, .low = 100, .high = 200 }, RT_RUNS_NONE },
    { "high beyond the end means the end", 100, 0, 99, { .count = 1, .high = UINT64_MAX }, 99 },
    { "count of 2^64 - 1 does not wrap", 100, 0, 0, { .count = UINT64_MAX, .low = 1, .high = UINT64_MAX }, RT_RUNS_NONE },
    { "boundary smaller than count", 100, 0, 0, { .count = 9, .high = 100, .boundary = 8 }, RT_RUNS_NONE },
    { "boundary equal to count aligns", 100, 0, 3, { .count = 8, .high = 100, .boundary = 8 }, 8 },
    { "boundary stepped over", 100, 0, 3, { .count = 6, .high = 100, .boundary = 8 }, 8 },
    { "boundary not met", 100, 0, 2, { .count = 6, .high = 100, .boundary = 8 }, 2 },
    { "align counts from the origin", 100, 0, 1, { .count = 1, .high = 100, .align = 16, .origin = 5 }, 11 },
    { "boundary counts from the origin", 100, 0, 1, { .count = 8, .high = 100, .boundary = 16, .origin = 5 }, 1 },
    { "boundary counts from the origin, stepped over", 100, 0, 4, { .count = 8, .high = 100, .boundary = 16, .origin = 5 }, 11 },
    { "align larger than the index, origin right", 100, 0, 0, { .count = 1, .high = 100, .align = 1024, .origin = 1024 - 37 }, 37 },
    { "align larger than the index, origin wrong", 100, 0, 0, { .count = 1, .high = 100, .align = 1024, .origin = 924 }, RT_RUNS_NONE },
    { "align larger than boundary", 4000, 0, 1, { .count = 8, .high = 4000, .align = 512, .boundary = 8 }, 512 },
    { "2 MiB page in an index that begins at 1 MiB", 4000, 0, 1, { .count = 512, .high = 4000, .align = 512, .origin = 256 }, 256 },
    { "across leaves", 4000, 0, 500, { .count = 3500, .high = 4000 }, 500 },
    { "one too many across leaves", 4000, 0, 501, { .count = 3500, .high = 4000 }, RT_RUNS_NONE },
    { "ends exactly at high", 4000, 0, 500, { .count = 524, .high = 1024 }, 500 },
    { "ends one after high", 4000, 0, 500, { .count = 525, .high = 1024 }, RT_RUNS_NONE },
    { "origin close to 2^52", 4000, 0, 1, { .count = 4, .high = 4000, .align = 64, .origin = (UINT64_C(1) << 52) + 60 }, 4 },
};

static void a_request(void **state)
{
    const struct request_case *c = *state;
    index_t                    x = index_new(c->units);
    rt_runs_take(&x.runs, c->used_from, c->used_count);
    assert_int_equal(rt_runs_find(&x.runs, &c->want), c->expected);
    index_free(&x);
}

/* ---- single units ---- */

static void singles_come_lowest_first(void **state)
{
    index_t  x = index_new(70000);
    uint64_t units[64];
    (void)state;
    rt_runs_take(&x.runs, 0, 70000);
    for (uint64_t i = 0; i < 64; i++)
        rt_runs_give(&x.runs, i * i * 17 + 3, 1);
    assert_int_equal(rt_runs_take_singles(&x.runs, 4, 3 + 17 * 100, units, 64), 9); /* 1 .. 9 squared */
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(units[i], (i + 1) * (i + 1) * 17 + 3);
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, units, 2), 2);
    assert_int_equal(units[0], 3);
    assert_int_equal(units[1], 100 * 17 + 3);
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, units, 0), 0);
    rt_runs_give(&x.runs, 9, 1); /* below what was found last */
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, units, 1), 1);
    assert_int_equal(units[0], 9);
    assert_int_equal(rt_runs_take_singles(&x.runs, 0, UINT64_MAX, units, 64), 53);
    assert_int_equal(x.runs.free_count, 0);
    index_free(&x);
}

/* ---- memory ---- */

static void *reserve(size_t bytes, int access)
{
    void *at = mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void init_touches_nothing(void **state)
{
    const uint64_t UNITS = UINT64_C(1) << 28;
    size_t         bytes = rt_runs_bytes(UNITS);
    void          *at = reserve(bytes, PROT_NONE);
    rt_runs_t      runs;
    (void)state;
    assert_non_null(at);
    rt_runs_init(&runs, UNITS, at); /* would fault */
    assert_true(bytes < UNITS * 16 / 100);
    munmap(at, bytes);
}

/* More units than 32 bits count. */
static void numbers_have_64_bits(void **state)
{
    const uint64_t UNITS = (UINT64_C(1) << 34) + 5, FAR = UINT64_C(1) << 33;
    size_t         bytes = rt_runs_bytes(UNITS);
    void          *at = reserve(bytes, PROT_READ | PROT_WRITE);
    rt_runs_t      runs;
    uint64_t       unit;
    (void)state;
    if (at == NULL)
        skip();
    rt_runs_init(&runs, UNITS, at);
    rt_runs_take(&runs, FAR, 1000);
    rt_runs_take(&runs, UNITS - 1, 1);
    assert_int_equal(rt_runs_find(&runs, ANYWHERE(FAR)), 0);
    assert_int_equal(rt_runs_find(&runs, ANYWHERE(FAR + 1)), RT_RUNS_NONE);
    assert_int_equal(rt_runs_find(&runs, (&(rt_runs_want_t){ .count = FAR - 996, .low = 997, .high = UINT64_MAX })), FAR + 1000);
    assert_int_equal(rt_runs_find(&runs, (&(rt_runs_want_t){ .count = 7, .low = FAR - 3, .high = UINT64_MAX, .align = 4096 })), FAR + 4096);
    assert_int_equal(rt_runs_longest(&runs), FAR);
    assert_int_equal(rt_runs_next_used(&runs, 0), FAR);
    assert_int_equal(rt_runs_next_used(&runs, FAR + 1000), UNITS - 1);
    assert_int_equal(rt_runs_take_singles(&runs, FAR, UINT64_MAX, &unit, 1), 1);
    assert_int_equal(unit, FAR + 1000);
    rt_runs_reset(&runs);
    assert_int_equal(rt_runs_find(&runs, ANYWHERE(UNITS)), 0);
    munmap(at, bytes);
}

static void see_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    uint64_t *seen = context;
    seen[seen[0] + 1] = first_unit;
    seen[seen[0] + 2] = unit_count;
    seen[0] += 2;
}

static void touched_leaves_are_visited_and_reset(void **state)
{
    index_t  x = index_new(512 * 5000 + 30);
    uint64_t seen[16] = { 0 };
    (void)state;
    rt_runs_take(&x.runs, 512 * 5000 + 7, 1);
    rt_runs_take(&x.runs, 512 * 300 - 1, 2);
    rt_runs_give(&x.runs, 512 * 300 - 1, 1); /* still touched */
    rt_runs_visit_touched(&x.runs, see_leaf, seen);
    assert_int_equal(seen[0], 6);
    assert_int_equal(seen[1], 512 * 299);
    assert_int_equal(seen[2], 512);
    assert_int_equal(seen[3], 512 * 300);
    assert_int_equal(seen[5], 512 * 5000);
    assert_int_equal(seen[6], 30);
    rt_runs_reset(&x.runs);
    seen[0] = 0;
    rt_runs_visit_touched(&x.runs, see_leaf, seen);
    assert_int_equal(seen[0], 0);
    index_free(&x);
}

/* ---- check finds what is wrong ---- */

static void expect_damage(uint8_t *byte, uint8_t flip, index_t *x)
{
    const char *what = NULL;
    assert_true(rt_runs_check(&x->runs, &what));
    assert_null(what);
    *byte ^= flip;
    assert_false(rt_runs_check(&x->runs, &what));
    assert_non_null(what);
    *byte ^= flip;
}

static void check_sees_damage(void **state)
{
    index_t x = index_new(300000);
    (void)state;
    rt_runs_take(&x.runs, 1000, 5000);
    expect_damage((uint8_t *)x.runs.used + 3, 1, &x);             /* a bit that nobody took */
    expect_damage((uint8_t *)x.runs.level[0] + 3 * 8 + 2, 1, &x); /* a leaf's longest run */
    expect_damage((uint8_t *)x.runs.level[1] + 6, 1, &x);         /* a node's order */
    expect_damage((uint8_t *)x.runs.level[3], 2, &x);
    expect_damage((uint8_t *)x.runs.full[0], 4, &x);
    expect_damage((uint8_t *)x.runs.full[1], 4, &x);
    expect_damage((uint8_t *)x.runs.touched.level[0], 8, &x);
    expect_damage((uint8_t *)x.runs.touched.level[1], 2, &x);
    expect_damage((uint8_t *)&x.runs.free_count, 1, &x);
    expect_damage((uint8_t *)&x.runs.first_gap, 1, &x);
    index_free(&x);
}

static void expect_abort(void (*body)(rt_runs_t *runs))
{
    index_t x = index_new(1000);
    int     status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (freopen("/dev/null", "w", stderr) != NULL)
            body(&x.runs);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    index_free(&x);
}

static void take_twice(rt_runs_t *runs)
{
    rt_runs_take(runs, 10, 10);
    rt_runs_take(runs, 19, 1);
}
static void give_what_is_free(rt_runs_t *runs)
{
    rt_runs_take(runs, 10, 10);
    rt_runs_give(runs, 10, 11);
}
static void take_beyond_the_end(rt_runs_t *runs) { rt_runs_take(runs, 999, 2); }
static void take_so_much_that_it_wraps(rt_runs_t *runs) { rt_runs_take(runs, 10, UINT64_MAX - 5); }
static void align_to_three(rt_runs_t *runs) { rt_runs_find(runs, (&(rt_runs_want_t){ .count = 1, .high = 10, .align = 3 })); }
static void bound_by_twelve(rt_runs_t *runs) { rt_runs_find(runs, (&(rt_runs_want_t){ .count = 1, .high = 10, .boundary = 12 })); }

static void misuse_is_an_invariant(void **state)
{
    (void)state;
    expect_abort(take_twice);
    expect_abort(give_what_is_free);
    expect_abort(take_beyond_the_end);
    expect_abort(take_so_much_that_it_wraps);
    expect_abort(align_to_three);
    expect_abort(bound_by_twelve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_index_is_one_run),
        cmocka_unit_test(a_full_index_has_nothing),
        cmocka_unit_test(every_map_of_a_few_units),
        cmocka_unit_test(every_map_of_a_few_blocks),
        cmocka_unit_test(a_hole_is_found_wherever_it_is),
        cmocka_unit_test(singles_come_lowest_first),
        cmocka_unit_test(init_touches_nothing),
        cmocka_unit_test(numbers_have_64_bits),
        cmocka_unit_test(touched_leaves_are_visited_and_reset),
        cmocka_unit_test(check_sees_damage),
        cmocka_unit_test(misuse_is_an_invariant),
    };
    struct CMUnitTest requests[NTMM_ARRAY_COUNT(REQUESTS)];
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(REQUESTS); i++)
        requests[i] = (struct CMUnitTest){ REQUESTS[i].name, a_request, NULL, NULL, &REQUESTS[i] };
    int failed = cmocka_run_group_tests_name("rtl: run index, requests", requests, NULL, NULL);
    return cmocka_run_group_tests_name("rtl: run index", tests, NULL, NULL) + failed;
}
