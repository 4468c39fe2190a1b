/*
 * test_ke_inject.c - failing the nth allocation: exactly the nth, exactly once, whoever asks.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ke/inject.h"

static int  hook_on, hook_off;
static void hook(bool armed)
{
    if (armed)
        hook_on++;
    else
        hook_off++;
}

static int start_afresh(void **state)
{
    (void)state;
    ke_inject_armed_hook = NULL;
    ke_inject_arm(0);
    hook_on = hook_off = 0;
    ke_inject_armed_hook = hook;
    return 0;
}

static void nobody_fails_unasked(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_false(ke_inject_failure());
    assert_false(ke_inject_is_armed());
    assert_false(ke_inject_fired());
}

static void the_nth_fails_once(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 20; nth++) {
        ke_inject_arm(nth);
        for (uint64_t i = 1; i < 40; i++) {
            assert_int_equal(ke_inject_is_armed(), i <= nth);
            assert_int_equal(ke_inject_failure(), i == nth);
            assert_int_equal(ke_inject_fired(), i >= nth);
        }
    }
}

static void disarming_forgets(void **state)
{
    (void)state;
    ke_inject_arm(1);
    ke_inject_arm(0);
    assert_false(ke_inject_failure());
    ke_inject_arm(1);
    assert_true(ke_inject_failure());
    assert_true(ke_inject_fired());
    ke_inject_arm(5);
    assert_false(ke_inject_fired());
}

static void hook_follows_the_arming(void **state)
{
    (void)state;
    ke_inject_arm(2);
    ke_inject_arm(3); /* still armed: the caches are off already */
    assert_int_equal(hook_on, 1);
    (void)ke_inject_failure();
    (void)ke_inject_failure();
    assert_true(ke_inject_failure());
    assert_int_equal(hook_off, 0); /* not in the middle of somebody's allocation */
    ke_inject_arm(0);
    ke_inject_arm(0);
    assert_int_equal(hook_off, 1);
    assert_int_equal(hook_on, 1);
}

enum { THREADS = 4, ASKS = 50000 };

static void *ask_often(void *failures)
{
    for (int i = 0; i < ASKS; i++)
        *(int *)failures += ke_inject_failure();
    return NULL;
}

static void one_thread_of_many_fails(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth <= THREADS * ASKS; nth += 39999) {
        pthread_t threads[THREADS];
        int       failures[THREADS] = { 0 }, sum = 0;
        ke_inject_arm(nth);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &failures[i]), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            sum += failures[i];
        }
        assert_int_equal(sum, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_fails_unasked, start_afresh),     cmocka_unit_test_setup(the_nth_fails_once, start_afresh),
        cmocka_unit_test_setup(disarming_forgets, start_afresh),        cmocka_unit_test_setup(hook_follows_the_arming, start_afresh),
        cmocka_unit_test_setup(one_thread_of_many_fails, start_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
