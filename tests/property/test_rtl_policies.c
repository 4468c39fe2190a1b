/*
 * test_rtl_policies.c - the three page-run policies on the same random histories.
 * indexed and linear must give the model's answer; buddy only has to be right: what it returns is free, allowed and an aligned power of
 * two, and it finds something whenever a block of the right size lies anywhere. After a reset every byte of a policy's memory is zero
 * again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/run_oracle.h"
#include "rtl/run_policy.h"

#define OPERATIONS (600000u / SLOWNESS)
#define OPERATIONS_A_HISTORY 1500u
#define STATE_STRIDE 8u /* the state byte lies in a larger entry, as in a PFN database */
#define STATE_AT 3u

typedef struct game {
    dice_t         dice;
    rt_run_space_t space;
    oracle_t       oracle;
    uint8_t       *bytes, *entries;
    size_t         byte_count;
} game_t;

static void game_begin(game_t *g, const rt_run_policy_t *policy, uint64_t unit_count)
{
    g->byte_count = policy->bytes(unit_count);
    g->bytes = calloc(g->byte_count, 1);
    g->entries = malloc(unit_count * STATE_STRIDE);
    assert_true(g->bytes != NULL && g->entries != NULL);
    memset(g->entries, 0xEE, unit_count * STATE_STRIDE);
    for (uint64_t i = 0; i < unit_count; i++)
        g->entries[i * STATE_STRIDE + STATE_AT] = 0;
    g->space = (rt_run_space_t){
        .policy = policy, .unit_count = unit_count, .state = g->entries + STATE_AT, .state_stride = STATE_STRIDE, .private_bytes = g->bytes
    };
    if (dice_below(&g->dice, 2) == 0)
        g->space.origin = dice_roll(&g->dice) >> dice_between(&g->dice, 20, 60) << dice_below(&g->dice, 20);
    policy->init(&g->space);
    oracle_init(&g->oracle, unit_count);
    assert_true(all_zero(g->bytes, g->byte_count));
    assert_int_equal(g->space.free_count, unit_count);
}

static void game_reset(game_t *g)
{
    g->space.policy->reset(&g->space);
    assert_true(all_zero(g->bytes, g->byte_count));
    assert_int_equal(g->space.free_count, g->space.unit_count);
    oracle_mark(&g->oracle, 0, g->oracle.unit_count, false);
    g->oracle.free_count = g->oracle.unit_count;
    for (uint64_t i = 0; i < g->oracle.unit_count; i++)
        g->entries[i * STATE_STRIDE + STATE_AT] = 0;
}

static void game_end(game_t *g)
{
    game_reset(g);
    free(g->bytes);
    free(g->entries);
    free(g->oracle.used);
}

/* What the owner of the units does beside the policy: 0 and 1 are free states, the others used. */
static void mark(game_t *g, uint64_t start, uint64_t count, bool used)
{
    oracle_mark(&g->oracle, start, count, used);
    for (uint64_t i = start; i < start + count; i++)
        g->entries[i * STATE_STRIDE + STATE_AT] = (uint8_t)(dice_below(&g->dice, 2) + (used ? 2 : 0));
}

static void flip_somewhere(game_t *g, bool take)
{
    uint64_t start = oracle_next(&g->oracle, dice_below(&g->dice, g->oracle.unit_count), !take), end = start;
    uint64_t most = dice_log(&g->dice, 300);
    while (end < g->oracle.unit_count && end - start < most && g->oracle.used[end] == !take)
        end++;
    if (end == start)
        return;
    (take ? g->space.policy->take : g->space.policy->give)(&g->space, start, end - start);
    mark(g, start, end - start, take);
}

/* Is there a free block of 2^order units, aligned by absolute number, that the limits allow? */
static bool some_block(const game_t *g, const rt_runs_want_t *w, uint64_t units)
{
    rt_runs_want_t block = *w;
    block.align = w->align > units ? w->align : units;
    for (uint64_t start = w->low; start < g->oracle.unit_count && start + units <= g->oracle.unit_count; start++)
        if ((start + w->origin) % block.align == 0 && memchr(g->oracle.used + start, 1, units) == NULL &&
            oracle_is_answer(&g->oracle, &block, start))
            return true;
    return false;
}

static void check_buddy_answer(const game_t *g, const rt_runs_want_t *w, uint64_t found)
{
    uint64_t units = 1;
    while (units < w->count)
        units *= 2;
    if (found == RT_RUNS_NONE) {
        assert_true(w->count == 0 || units > UINT64_C(1) << 18 || !some_block(g, w, units));
        return;
    }
    assert_true(oracle_is_answer(&g->oracle, w, found));
    assert_int_equal((found + g->space.origin) % units, 0);
}

static void search(game_t *g)
{
    rt_runs_want_t w = oracle_request(&g->dice, g->oracle.unit_count, g->space.origin);
    uint64_t       found = g->space.policy->find(&g->space, &w);
    if (g->space.policy == &rt_policy_buddy)
        check_buddy_answer(g, &w, found);
    else
        assert_int_equal(found, oracle_find(&g->oracle, &w));
    if (found != RT_RUNS_NONE && dice_below(&g->dice, 4) != 0) {
        g->space.policy->take(&g->space, found, w.count);
        mark(g, found, w.count, true);
    }
}

static void take_singles(game_t *g)
{
    uint64_t units[80], low = 0, high = UINT64_MAX;
    if (dice_below(&g->dice, 2) == 0) {
        low = dice_below(&g->dice, g->oracle.unit_count);
        high = dice_below(&g->dice, g->oracle.unit_count + 9);
    }
    uint32_t most = (uint32_t)dice_below(&g->dice, 81), taken = g->space.policy->take_singles(&g->space, low, high, units, most);
    for (uint32_t i = 0; i < taken; i++) {
        assert_true(units[i] >= low && units[i] < high && units[i] < g->oracle.unit_count);
        assert_int_equal(g->oracle.used[units[i]], 0);
        mark(g, units[i], 1, true);
    }
    if (taken < most) {
        low = oracle_next(&g->oracle, low, false);
        assert_true(low >= high || low == g->oracle.unit_count);
    }
}

static void step(game_t *g, uint64_t fullness)
{
    uint64_t    kind = dice_below(&g->dice, 100);
    bool        too_full = g->oracle.free_count * 100 < g->oracle.unit_count * (100 - fullness);
    const char *what = "";
    if (kind < 30)
        search(g);
    else if (kind < 80)
        flip_somewhere(g, too_full ? dice_below(&g->dice, 4) == 0 : dice_below(&g->dice, 4) != 0);
    else if (kind < 98)
        too_full ? flip_somewhere(g, false) : take_singles(g);
    else if (!g->space.policy->check(&g->space, &what))
        fail_msg("%s", what);
    assert_int_equal(g->space.free_count, g->oracle.free_count);
}

static void play(const rt_run_policy_t *policy)
{
    game_t   g = { .dice.state = seed_from_environment(policy->name) };
    uint32_t history = 0;
    for (uint32_t done = 0; done < OPERATIONS; done += OPERATIONS_A_HISTORY) {
        bool     large = ++history % 100 == 0; /* several top blocks of the buddies */
        uint64_t size = large ? dice_between(&g.dice, 200000, 1200000) : dice_between(&g.dice, 1, 4000);
        uint64_t fullness = dice_between(&g.dice, 5, 100);
        game_begin(&g, policy, size);
        for (uint32_t i = 0; i < (large ? 40 : OPERATIONS_A_HISTORY); i++) {
            step(&g, fullness);
            if (dice_below(&g.dice, 2000) == 0)
                game_reset(&g);
        }
        /* All given back: one free run, or blocks as large as alignment lets them be. */
        for (uint64_t start = 0, end; (start = oracle_next(&g.oracle, start, true)) < size; start = end) {
            end = oracle_next(&g.oracle, start, false);
            policy->give(&g.space, start, end - start);
            mark(&g, start, end - start, false);
        }
        if (policy == &rt_policy_buddy)
            assert_true(rt_policy_buddy.longest(&g.space) * 4 > (size < 1u << 18 ? size : 1u << 18));
        else
            assert_int_equal(policy->longest(&g.space), size);
        game_end(&g);
    }
}

static void a_policy_plays(void **state) { play(*state); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        { "indexed gives the model's answers", a_policy_plays, NULL, NULL, (void *)(uintptr_t)&rt_policy_indexed },
        { "linear gives the model's answers", a_policy_plays, NULL, NULL, (void *)(uintptr_t)&rt_policy_linear },
        { "buddy gives right answers and misses no block", a_policy_plays, NULL, NULL, (void *)(uintptr_t)&rt_policy_buddy },
    };
    return cmocka_run_group_tests_name("rtl: page-run policies, property", tests, NULL, NULL);
}
