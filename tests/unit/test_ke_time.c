/*
 * test_ke_time.c - the clocks agree with each other, go on, and keep their units.
 */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(clocks_go_on_together),
        ntmm_cmocka_test(at_any_irql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
