/*
 * test_pool_compare.c - medians, ratios and verdicts of the pool benchmark, and when it gives none.
 * The results are made up; each test disturbs one thing of a quiet machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pool_compare.h"

#define ROUNDS 5u

static pool_results results; /* the floor, ntmm-classic, jemalloc */
static pool_options options;

static void set_rounds(const char *allocator, const char *test, const double figure[ROUNDS])
{
    pool_contender *c = allocator == NULL ? &results.contenders[0] : (pool_contender *)pool_contender_find(&results, allocator);
    size_t          t = pool_test_find(test);
    assert_non_null(c);
    assert_true(t < POOL_TEST_COUNT);
    c->entries[t].rounds = ROUNDS;
    for (unsigned r = 0; r < ROUNDS; r++) {
        c->entries[t].cpu[r] = c->entries[t].wall[r] = c->entries[t].ratio[r] = figure[r];
        c->entries[t].at_once[r] = 1;
    }
}

static void set_all(const char *allocator, double figure)
{
    const double rounds[ROUNDS] = { figure, figure, figure, figure, figure };
    for (size_t t = 0; t < POOL_TEST_COUNT; t++)
        set_rounds(allocator, POOL_TESTS[t].name, rounds);
}

static int quiet_machine(void **state)
{
    (void)state;
    memset(&results, 0, sizeof results);
    memset(&options, 0, sizeof options);
    results.options = &options;
    results.contenders[0].allocator = &ALLOCATOR_FLOOR;
    results.contenders[1].allocator = allocator_find("ntmm-classic");
    results.contenders[2].allocator = allocator_find("jemalloc");
    results.contender_count = 3;
    set_all(NULL, 2);
    set_all("ntmm-classic", 12);
    set_all("jemalloc", 10);
    return 0;
}

static pool_comparison compare(const char *test, const char *other)
{
    return pool_compare(&results, &(pool_promise){ test, other, 1.0, 0.5 });
}

/* ---- rounds ---- */

static void median_and_quartiles(void **state)
{
    (void)state;
    const double odd[] = { 5, 1, 3, 2, 4 }, even[] = { 4, 1, 3, 2 }, wild[] = { 10, 10, 10, 10, 90 }, one[] = { 7 };
    assert_true(rounds_median(odd, 5) == 3);
    assert_true(rounds_median(even, 4) == 2.5);
    assert_true(rounds_median(one, 1) == 7);
    assert_true(rounds_median(NULL, 0) == 0);
    assert_true(rounds_moved(odd, 5) == (4.0 - 2.0) / 3.0);
    assert_true(rounds_moved(wild, 5) == 0); /* one bad round */
    assert_true(rounds_moved(one, 1) == 0);
}

/* ---- promises ---- */

static void every_promise_names_what_there_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < POOL_PROMISE_COUNT; i++) {
        const pool_promise *p = &POOL_PROMISES[i];
        assert_true(pool_test_find(p->test) < POOL_TEST_COUNT);
        assert_true(allocator_find(p->other) != NULL || pool_test_find(p->other) < POOL_TEST_COUNT);
        assert_true(p->aim <= p->must);
    }
}

static void verdicts(void **state)
{
    (void)state;
    const pool_promise promise = { "pair_64", "jemalloc", 1.0, 0.5 };
    assert_int_equal(pool_judge(&promise, 0.5), VERDICT_AIM);
    assert_int_equal(pool_judge(&promise, 0.51), VERDICT_MET);
    assert_int_equal(pool_judge(&promise, 1.0), VERDICT_MET);
    assert_int_equal(pool_judge(&promise, 1.01), VERDICT_NOISE);
    assert_int_equal(pool_judge(&promise, 1.16), VERDICT_MISSED);
}

/* ---- comparisons ---- */

static void a_quiet_machine_is_judged(void **state)
{
    (void)state;
    pool_comparison c = compare("pair_64", "jemalloc");
    assert_true(c.measured);
    assert_true(c.ratio == 1.2);
    assert_string_equal(c.doubt, "");
    c = compare("exchange_64", "jemalloc");
    assert_string_equal(c.doubt, "");
    c = compare("drift", "jemalloc");
    assert_true(c.measured && c.ratio == 1.2);
    assert_string_equal(c.doubt, "");
}

static void own_tests_are_compared_with_each_other(void **state)
{
    (void)state;
    set_rounds("ntmm-classic", "pair_64", (double[]){ 6, 6, 6, 6, 6 });
    pool_comparison c = compare("pair_64_paged", "pair_64");
    assert_true(c.measured && c.ratio == 2.0);
    assert_string_equal(c.doubt, "");
}

static void who_was_not_measured_is_not_judged(void **state)
{
    (void)state;
    assert_false(compare("pair_64", "glibc").measured); /* not installed */
    strcpy(results.contenders[1].entries[pool_test_find("pair_64")].failure, "fell over");
    assert_false(compare("pair_64", "jemalloc").measured);
    results.contenders[2].entries[pool_test_find("live_1m")].rounds = 0; /* left out */
    assert_false(compare("live_1m", "jemalloc").measured);
}

static void a_floor_that_moves_withholds_the_verdict(void **state)
{
    (void)state;
    set_rounds(NULL, "pair_64", (double[]){ 2, 2, 2, 2, 9 }); /* one bad round does not */
    assert_string_equal(compare("pair_64", "jemalloc").doubt, "");
    set_rounds(NULL, "pair_64", (double[]){ 2, 2, 2, 3, 3 });
    pool_comparison c = compare("pair_64", "jemalloc");
    assert_true(c.measured && c.ratio == 1.2);
    assert_string_equal(c.doubt, "unsure: the floor moved by 50 %");
    assert_string_equal(compare("pair_64_paged", "pair_64").doubt, "unsure: the floor moved by 50 %"); /* that of the other side */
}

static void floors_that_differ_withhold_the_verdict(void **state)
{
    (void)state;
    set_rounds(NULL, "pair_64_2_threads", (double[]){ 3, 3, 3, 3, 3 });
    assert_string_equal(compare("pair_64_2_threads", "pair_64_1_thread").doubt, "unsure: the floor's own ratio is 1.50");
}

static void threads_that_took_turns_withhold_the_verdict(void **state)
{
    (void)state;
    for (unsigned r = 0; r < ROUNDS; r++) {
        results.contenders[2].entries[pool_test_find("exchange_64")].at_once[r] = 0.5;
        results.contenders[1].entries[pool_test_find("pair_64_2_threads")].at_once[r] = 0.4;
    }
    assert_string_equal(compare("exchange_64", "jemalloc").doubt, "unsure: jemalloc's threads ran at once for 50 % of the time");
    assert_string_equal(compare("pair_64_2_threads", "pair_64_1_thread").doubt,
                        "unsure: ntmm-classic's threads ran at once for 40 % of the time");
}

static void few_rounds_and_small_tests_withhold_the_verdict(void **state)
{
    (void)state;
    results.contenders[0].entries[pool_test_find("pair_64")].rounds = 2;
    assert_string_equal(compare("pair_64", "jemalloc").doubt, "unsure: fewer than 3 rounds");
    options.quick = true;
    assert_string_equal(compare("pair_8k", "jemalloc").doubt, "unsure: small tests");
    assert_string_equal(compare("drift", "jemalloc").doubt, "unsure: small tests");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_quartiles),
        cmocka_unit_test(every_promise_names_what_there_is),
        cmocka_unit_test(verdicts),
        cmocka_unit_test_setup(a_quiet_machine_is_judged, quiet_machine),
        cmocka_unit_test_setup(own_tests_are_compared_with_each_other, quiet_machine),
        cmocka_unit_test_setup(who_was_not_measured_is_not_judged, quiet_machine),
        cmocka_unit_test_setup(a_floor_that_moves_withholds_the_verdict, quiet_machine),
        cmocka_unit_test_setup(floors_that_differ_withhold_the_verdict, quiet_machine),
        cmocka_unit_test_setup(threads_that_took_turns_withhold_the_verdict, quiet_machine),
        cmocka_unit_test_setup(few_rounds_and_small_tests_withhold_the_verdict, quiet_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
