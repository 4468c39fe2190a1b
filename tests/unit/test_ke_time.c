/*
 * test_ke_time.c - the clocks agree with each other, go on, and keep their units.
 */
#include <errno.h>

#include <ntmm/cmocka.h>

static void clocks_go_on_together(void **state)
{
    LARGE_INTEGER frequency, before, after, date, precise, ticks;
    ULONGLONG     up;
    ULONG64       count;
    (void)state;
    before = KeQueryPerformanceCounter(&frequency);
    assert_int_equal(frequency.QuadPart, 10000000);
    KeStallExecutionProcessor(2000);
    after = KeQueryPerformanceCounter(NULL);
    assert_true(after.QuadPart - before.QuadPart >= 2 * 10000); /* 2 ms */
    up = KeQueryInterruptTimePrecise(&count);
    assert_true(up == count && (LONGLONG)up >= after.QuadPart);
    assert_true(KeQueryUnbiasedInterruptTime() >= up);
    KeQueryTickCount(&ticks);
    assert_int_equal(KeQueryTimeIncrement(), 156250);
    assert_true((ULONGLONG)ticks.QuadPart >= up / 156250);
    assert_true((ULONGLONG)ticks.QuadPart <= KeQueryInterruptTime() / 156250);
    KeQuerySystemTime(&date);
    KeQuerySystemTimePrecise(&precise);
    assert_true(precise.QuadPart - date.QuadPart < 600000000); /* unless somebody sets the date */
}

static void at_any_irql(void **state)
{
    KIRQL         old;
    LARGE_INTEGER ticks;
    (void)state;
    KeRaiseIrql(HIGH_LEVEL, &old);
    KeStallExecutionProcessor(1);
    KeQueryTickCount(&ticks);
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart > 0);
    KeLowerIrql(old);
}

/* A defective counter is seen as it is when nobody verifies; the clocks are right. */
static void a_counter_that_jumps(void **state)
{
    const int64_t HOUR = 36000000000;
    ULONGLONG     up;
    ULONG64       count;
    LARGE_INTEGER before = KeQueryPerformanceCounter(NULL);
    (void)state;
    assert_int_equal(ntmm_performance_counter_jump((int64_t)HOUR), 0);
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart - before.QuadPart >= (LONGLONG)HOUR);
    up = KeQueryInterruptTimePrecise(&count);
    assert_true(count - up == (ULONG64)HOUR && up < (ULONGLONG)HOUR);
    assert_int_equal(ntmm_performance_counter_jump(-2 * (int64_t)HOUR), 0);
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart < before.QuadPart);
    assert_int_equal(ntmm_shutdown(NULL), 0);
    assert_int_equal(ntmm_performance_counter_jump(1), -ENODEV);
    assert_int_equal(ntmm_boot(NULL), 0);
    assert_true(KeQueryPerformanceCounter(NULL).QuadPart < (LONGLONG)HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(clocks_go_on_together),
        ntmm_cmocka_test(at_any_irql),
        ntmm_cmocka_test(a_counter_that_jumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
