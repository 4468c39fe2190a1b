/*
 * test_tool_histogram.c - quantiles from buckets against quantiles from the sorted values themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tool/histogram.h"

#define COUNT 20000

static uint64_t seed;

static uint64_t next_random(void) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(0x2545F4914F6CDD1D);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void check_empty(void **state)
{
    static histogram h;
    (void)state;
    assert_true(histogram_quantile(&h, 0.5, 1) == 0);
}

/* Within one tick where buckets are exact, within 1/64 above; sizes from 1 to 2^40. */
static void check_against_sorted(void **state)
{
    static const double QUANTILES[] = { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };
    static uint64_t     values[COUNT];
    (void)state;
    for (unsigned width = 2; width <= 40; width++) {
        histogram *h = calloc(1, sizeof *h);
        assert_non_null(h);
        for (size_t i = 0; i < COUNT; i++) {
            values[i] = next_random() >> (64 - width + next_random() % 2);
            histogram_add(h, values[i]);
        }
        qsort(values, COUNT, sizeof values[0], by_value);
        assert_true(h->max == values[COUNT - 1] && h->count == COUNT);
        for (size_t q = 0; q < sizeof QUANTILES / sizeof QUANTILES[0]; q++) {
            double exact = (double)values[(size_t)(QUANTILES[q] * COUNT + 0.999999) - 1];
            double measured = histogram_quantile(h, QUANTILES[q], 1);
            if (measured > exact + 1 || measured < exact * (1 - 1.0 / 64) - 1)
                fail_msg("seed %s, width %u: quantile %g is %g, counted %g", getenv("NTMM_SEED"), width, QUANTILES[q], exact, measured);
        }
        free(h);
    }
}

/* Buckets are in order, and every value falls into a bucket of the table. */
static void check_buckets(void **state)
{
    uint32_t last = 0;
    (void)state;
    for (unsigned log = 0; log < 64; log++)
        for (uint64_t part = 0; part < 64; part++) {
            uint64_t value = (UINT64_C(1) << log) + (log >= 6 ? part << (log - 6) : part & ((UINT64_C(1) << log) - 1));
            uint32_t bucket = histogram_bucket(value);
            assert_true(bucket < HISTOGRAM_BUCKETS);
            if (log >= 6)
                assert_true(bucket > last);
            last = bucket;
        }
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

/*
 * A clock that steps by 26 shows a duration of 70 as 52 or 78. Spread over the step, the median comes back to within a few ticks,
 * where the counts alone would say 78.
 */
static void check_stepping_clock(void **state)
{
    enum { STEP = 26, TRUE_TICKS = 70 };
    static histogram h;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        uint64_t begin = next_random() % 1000000, end = begin + TRUE_TICKS;
        histogram_add(&h, end / STEP * STEP - begin / STEP * STEP);
    }
    double spread = histogram_quantile(&h, 0.5, STEP), counted = histogram_quantile(&h, 0.5, 1);
    assert_true(spread > TRUE_TICKS - 5 && spread < TRUE_TICKS + 5);
    assert_true(counted >= 77 && counted <= 79);
}

int main(void)
{
    static char seed_text[32];
    if (getenv("NTMM_SEED") == NULL) {
        snprintf(seed_text, sizeof seed_text, "%llu", (unsigned long long)time(NULL));
        setenv("NTMM_SEED", seed_text, 1);
    }
    seed = strtoull(getenv("NTMM_SEED"), NULL, 0) | 1;
    printf("NTMM_SEED=%s\n", getenv("NTMM_SEED"));
    static const struct CMUnitTest TESTS[] = { cmocka_unit_test(check_empty), cmocka_unit_test(check_against_sorted),
                                               cmocka_unit_test(check_buckets), cmocka_unit_test(check_stepping_clock) };
    return cmocka_run_group_tests_name("histogram", TESTS, NULL, NULL);
}
