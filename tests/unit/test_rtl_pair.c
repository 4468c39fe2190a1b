/* test_rtl_pair.c - two words change together or not at all. Built twice: by the processor's instruction, and by lock. */
#include "rtl/pair.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool is(rt_pair_t pair, uint64_t low, uint64_t high) { return pair.low == low && pair.high == high; }

static void both_or_neither(void **state)
{
    rt_pair_t pair = { 1, 2 };

    (void)state;
    assert_false(rt_pair_exchange(&pair, (rt_pair_t){ 1, 3 }, (rt_pair_t){ 7, 8 }));
    assert_false(rt_pair_exchange(&pair, (rt_pair_t){ 0, 2 }, (rt_pair_t){ 7, 8 }));
    assert_false(rt_pair_exchange(&pair, (rt_pair_t){ 2, 1 }, (rt_pair_t){ 7, 8 }));
    assert_true(is(pair, 1, 2));
    assert_true(rt_pair_exchange(&pair, (rt_pair_t){ 1, 2 }, (rt_pair_t){ 7, 8 }));
    assert_true(is(pair, 7, 8));
    assert_true(rt_pair_exchange(&pair, (rt_pair_t){ 7, 8 }, (rt_pair_t){ 7, 8 }));
    assert_true(is(pair, 7, 8));
}

static void all_bits_count(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        rt_pair_t pair = { UINT64_MAX, 0 };
        assert_false(rt_pair_exchange(&pair, (rt_pair_t){ UINT64_MAX ^ UINT64_C(1) << bit, 0 }, (rt_pair_t){ 0, 0 }));
        assert_false(rt_pair_exchange(&pair, (rt_pair_t){ UINT64_MAX, UINT64_C(1) << bit }, (rt_pair_t){ 0, 0 }));
        assert_true(rt_pair_exchange(&pair, (rt_pair_t){ UINT64_MAX, 0 }, (rt_pair_t){ UINT64_C(1) << bit, ~(UINT64_C(1) << bit) }));
        assert_true(is(pair, UINT64_C(1) << bit, ~(UINT64_C(1) << bit)));
    }
}

/* ---- threads: each exchange moves one from `high` to `low`, and counts in plain memory that the pair protects ---- */

enum { THREADS = 4, MOVES = 20000 };

static rt_pair_t shared[3];
static uint64_t  moves[3]; /* read and written by whoever has just made the exchange that says "locked" */

static rt_pair_t look(const rt_pair_t *at)
{
    return (rt_pair_t){ __atomic_load_n(&at->low, __ATOMIC_ACQUIRE), __atomic_load_n(&at->high, __ATOMIC_ACQUIRE) };
}

#define LOCKED (UINT64_C(1) << 63)

static void *move(void *argument)
{
    for (unsigned i = 0; i < MOVES; i++) {
        rt_pair_t *at = &shared[i % 3], now;
        do
            now = look(at);
        while ((now.high & LOCKED) != 0 || !rt_pair_exchange(at, now, (rt_pair_t){ now.low + 1, (now.high - 1) | LOCKED }));
        moves[i % 3]++;
        now = look(at); /* nobody else changes it now */
        if (!rt_pair_exchange(at, now, (rt_pair_t){ now.low, now.high & ~LOCKED }))
            return &shared;
    }
    return argument;
}

static void threads_exclude_each_other(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        shared[i] = (rt_pair_t){ 0, (uint64_t)THREADS * MOVES };
        moves[i] = 0;
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, move, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(shared[i].low + shared[i].high, (uint64_t)THREADS * MOVES);
        assert_int_equal(shared[i].low, moves[i]);
    }
    assert_int_equal(moves[0] + moves[1] + moves[2], (uint64_t)THREADS * MOVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_or_neither),
        cmocka_unit_test(all_bits_count),
        cmocka_unit_test(threads_exclude_each_other),
    };
    return cmocka_run_group_tests_name("rtl pair", tests, NULL, NULL);
}
