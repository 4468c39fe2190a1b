/*
 * test_rtl_runs.c - the run index against a model of one byte a unit: random sizes, random histories, every kind of limit.
 * A history has a character (how long its runs are, how full it likes to be), so that maps with dust, with long runs and nearly full ones
 * all occur. Every answer must be equal to the model's, not only valid. Prints its seed; NTMM_SEED replays it.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/run_oracle.h"
#include "rtl/runs_tree.h"

#define OPERATIONS (3000000u / SLOWNESS)
#define OPERATIONS_A_HISTORY 2000u

typedef struct history {
    dice_t    dice;
    rt_runs_t runs;
    oracle_t  oracle;
    uint8_t  *bytes;
    size_t    byte_count;
    uint64_t  origin;
    uint64_t  longest_piece; /* how many units one take or give has at most */
    uint64_t  fullness;      /* it likes to have that many percent used */
} history_t;

static void history_begin(history_t *h, uint64_t unit_count)
{
    static const uint64_t PIECES[] = { 1, 4, 70, 600, 5000, 100000 };
    h->byte_count = rt_runs_bytes(unit_count);
    h->bytes = calloc(h->byte_count, 1);
    assert_non_null(h->bytes);
    rt_runs_init(&h->runs, unit_count, h->bytes);
    oracle_init(&h->oracle, unit_count);
    h->longest_piece = PIECES[dice_below(&h->dice, 6)];
    h->fullness = dice_between(&h->dice, 1, 99);
    h->origin = dice_below(&h->dice, 3) == 0 ? dice_roll(&h->dice) >> 20 >> dice_below(&h->dice, 40) << dice_below(&h->dice, 14) : 0;
}

static void history_end(history_t *h)
{
    rt_runs_reset(&h->runs);
    assert_int_equal(h->runs.free_count, h->runs.unit_count);
    assert_true(all_zero(h->bytes, h->byte_count));
    free(h->bytes);
    free(h->oracle.used);
}

static void take(history_t *h, uint64_t start, uint64_t count)
{
    rt_runs_take(&h->runs, start, count);
    oracle_mark(&h->oracle, start, count, true);
}

/* A random piece of a random free (or used) run: takes it (or gives it). */
static void flip_somewhere(history_t *h, bool take_it)
{
    uint64_t start = oracle_next(&h->oracle, dice_below(&h->dice, h->oracle.unit_count), !take_it);
    uint64_t end = start, most = dice_log(&h->dice, h->longest_piece);
    while (end < h->oracle.unit_count && end - start < most && h->oracle.used[end] == !take_it)
        end++;
    if (end == start)
        return;
    if (take_it)
        take(h, start, end - start);
    else {
        rt_runs_give(&h->runs, start, end - start);
        oracle_mark(&h->oracle, start, end - start, false);
    }
}

static void search(history_t *h)
{
    rt_runs_want_t w = oracle_request(&h->dice, h->oracle.unit_count, h->origin);
    uint64_t       expected = oracle_find(&h->oracle, &w), found = rt_runs_find(&h->runs, &w);
    if (found != expected)
        print_error("units %" PRIu64 " count %" PRIu64 " low %" PRIu64 " high %" PRIu64 " align %" PRIu64 " boundary %" PRIu64
                    " origin %" PRIu64 "\n",
                    h->oracle.unit_count, w.count, w.low, w.high, w.align, w.boundary, w.origin);
    assert_int_equal(found, expected);
    if (found != RT_RUNS_NONE && h->oracle.free_count * 100 > h->oracle.unit_count * (100 - h->fullness))
        take(h, found, dice_between(&h->dice, 1, w.count));
}

static void take_singles(history_t *h)
{
    uint64_t units[100], low = dice_below(&h->dice, h->oracle.unit_count), high = UINT64_MAX;
    if (dice_below(&h->dice, 2) == 0)
        low = 0;
    if (dice_below(&h->dice, 3) == 0)
        high = dice_below(&h->dice, h->oracle.unit_count + 2);
    uint32_t most = (uint32_t)dice_below(&h->dice, 101), taken = rt_runs_take_singles(&h->runs, low, high, units, most);
    for (uint32_t i = 0; i < taken; i++) {
        low = oracle_next(&h->oracle, low, false);
        assert_true(low < high);
        assert_int_equal(units[i], low);
        oracle_mark(&h->oracle, low, 1, true);
    }
    if (taken < most) {
        low = oracle_next(&h->oracle, low, false);
        assert_true(low >= high || low == h->oracle.unit_count);
    }
}

static void look(history_t *h)
{
    uint64_t from = dice_below(&h->dice, h->oracle.unit_count + 3), free = oracle_next(&h->oracle, from, false);
    assert_int_equal(rt_runs_next_free(&h->runs, from), free < h->oracle.unit_count ? free : RT_RUNS_NONE);
    uint64_t used = from < h->oracle.unit_count ? oracle_next(&h->oracle, from, true) : h->oracle.unit_count;
    assert_int_equal(rt_runs_next_used(&h->runs, from), used);
    assert_int_equal(rt_runs_is_free(&h->runs, from), from < h->oracle.unit_count && !h->oracle.used[from]);
    assert_int_equal(h->runs.free_count, h->oracle.free_count);
}

struct touched {
    const oracle_t *oracle;
    uint64_t        next, used;
};

static void see_touched(void *context, uint64_t first_unit, uint64_t unit_count)
{
    struct touched *t = context;
    assert_true(first_unit >= t->next && first_unit + unit_count <= t->oracle->unit_count && unit_count > 0);
    t->next = first_unit + unit_count;
    for (uint64_t i = first_unit; i < t->next; i++)
        t->used += t->oracle->used[i];
}

/* What a node should say of [base, base + span). */
static summary_t model_summary(const oracle_t *o, uint64_t base, uint64_t span)
{
    summary_t s = { 0, 0, 0, -1 };
    for (uint64_t i = base, run; i < base + span; i += run + 1) {
        uint64_t end = i;
        while (end < base + span && !o->used[end])
            end++;
        run = end - i;
        s.longest = run > s.longest ? run : s.longest;
        s.start = i == base ? run : s.start;
        s.end = end == base + span ? run : 0;
        for (uint64_t block = UINT64_C(1) << (s.order + 1); (i + block - 1) / block * block + block <= end; block *= 2)
            s.order++;
    }
    return s;
}

/* Summaries that promise too much would cost time and no test of answers would see it. */
static void inspect_nodes(history_t *h)
{
    for (uint32_t level = 0; level < h->runs.level_count; level++)
        for (uint64_t i = 0; i < h->runs.level_nodes[level]; i++) {
            uint64_t  span = node_span(&h->runs, level, i);
            summary_t expected = model_summary(&h->oracle, i << span_shift(level), span), s = node_load(&h->runs, level, i, span);
            assert_int_equal(s.start, expected.start);
            assert_int_equal(s.longest, expected.longest);
            assert_int_equal(s.end, expected.end);
            assert_int_equal(s.order, expected.order);
        }
}

static void inspect(history_t *h)
{
    const char    *what = "";
    struct touched t = { .oracle = &h->oracle };
    if (!rt_runs_check(&h->runs, &what))
        fail_msg("%s", what);
    inspect_nodes(h);
    assert_int_equal(rt_runs_longest(&h->runs), oracle_longest(&h->oracle));
    rt_runs_visit_touched(&h->runs, see_touched, &t);
    assert_int_equal(t.used, h->oracle.unit_count - h->oracle.free_count);
}

static void step(history_t *h)
{
    uint64_t kind = dice_below(&h->dice, 100);
    bool     too_full = h->oracle.free_count * 100 < h->oracle.unit_count * (100 - h->fullness);
    if (kind < 30)
        search(h);
    else if (kind < 70)
        flip_somewhere(h, too_full ? dice_below(&h->dice, 4) == 0 : dice_below(&h->dice, 4) != 0);
    else if (kind < 84)
        look(h);
    else if (kind < 99)
        too_full ? flip_somewhere(h, false) : take_singles(h);
    else
        inspect(h);
}

/* Most histories are short of units, so that the model is quick and the odd ends matter. */
static uint64_t some_size(dice_t *d)
{
    uint64_t kind = dice_below(d, 100);
    if (kind < 25)
        return dice_between(d, 1, 1100);
    if (kind < 50)
        return dice_between(d, 1, 6) * 512 + dice_below(d, 3) - 1;
    if (kind < 95)
        return dice_between(d, 1000, 6000);
    return kind < 97 ? UINT64_C(4096) << dice_below(d, 3) : dice_between(d, 30000, 70000);
}

static void runs_agree_with_the_model(void **state)
{
    history_t h = { .dice.state = seed_from_environment("test_rtl_runs") };
    (void)state;
    for (uint32_t done = 0; done < OPERATIONS; done += OPERATIONS_A_HISTORY) {
        uint64_t size = some_size(&h.dice);
        uint32_t steps = size > 10000 ? OPERATIONS_A_HISTORY / 10 : OPERATIONS_A_HISTORY;
        history_begin(&h, size);
        for (uint32_t i = 0; i < steps; i++) {
            step(&h);
            if (i == steps / 2 && dice_below(&h.dice, 4) == 0) { /* the same memory again after a reset */
                rt_runs_reset(&h.runs);
                assert_true(all_zero(h.bytes, h.byte_count));
                memset(h.oracle.used, 0, size);
                h.oracle.free_count = size;
            }
        }
        inspect(&h);
        history_end(&h);
    }
}

/* Sizes at which nodes are wide and the sets have three levels: fewer steps, the model takes a millisecond for each. */
static void large_runs_agree_with_the_model(void **state)
{
    history_t h = { .dice.state = seed_from_environment("test_rtl_runs, large") };
    (void)state;
    for (uint32_t history = 0; history < 24 / SLOWNESS + 2; history++) {
        history_begin(&h, dice_between(&h.dice, 200000, 2500000) | (history & 1));
        h.longest_piece = UINT64_C(1) << dice_below(&h.dice, 20);
        while (h.oracle.free_count * 100 > h.oracle.unit_count * (100 - h.fullness) && dice_below(&h.dice, 3000) != 0)
            flip_somewhere(&h, true);
        for (uint32_t i = 0; i < 150; i++)
            step(&h);
        inspect(&h);
        history_end(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_agree_with_the_model),
        cmocka_unit_test(large_runs_agree_with_the_model),
    };
    return cmocka_run_group_tests_name("rtl: run index, property", tests, NULL, NULL);
}
