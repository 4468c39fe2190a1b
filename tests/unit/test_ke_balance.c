/* test_ke_balance.c - when the machine keeps house: the clock of operations, who scans, and at which IRQL. */
#include "../support/ke_machine.h"

#include "ke/balance.h"

static _Atomic unsigned scans;
static _Atomic int      irql_of_scan;
static bool             wait_inside, stop_inside;
static _Atomic bool     inside, go_on;

static void look(void)
{
    atomic_fetch_add(&scans, 1);
    atomic_store(&irql_of_scan, KeGetCurrentIrql());
    if (stop_inside)
        KeBugCheck(MANUALLY_INITIATED_CRASH);
    if (!wait_inside)
        return;
    atomic_store(&inside, true);
    while (!atomic_load(&go_on))
        host_yield();
}

static int fresh(void **state)
{
    (void)state;
    atomic_store(&scans, 0);
    wait_inside = stop_inside = false;
    atomic_store(&inside, false);
    atomic_store(&go_on, false);
    ke_balance_register(look);
    return ke_machine_boot(2);
}

static void tick(unsigned times)
{
    ke_thread_t *thread = ke_thread_ready("the test");
    for (unsigned i = 0; i < times; i++)
        ke_balance_tick(thread);
}

static void registered_once(void **state)
{
    (void)state;
    ke_balance_register(look);
    ke_balance_scan("the test");
    assert_int_equal(atomic_load(&scans), 1);
}

static void after_each_period(void **state)
{
    (void)state;
    for (unsigned period = 1; period <= 5; period++) {
        tick(KE_BALANCE_PERIOD - 1);
        assert_int_equal(atomic_load(&scans), period - 1);
        tick(1);
        assert_int_equal(atomic_load(&scans), period);
    }
}

static void the_clock_starts_anew_with_the_machine(void **state)
{
    (void)state;
    tick(KE_BALANCE_PERIOD - 1);
    assert_true(ke_machine_shutdown());
    assert_int_equal(ke_machine_boot(1), 0);
    tick(KE_BALANCE_PERIOD - 1);
    assert_int_equal(atomic_load(&scans), 0);
    tick(1);
    assert_int_equal(atomic_load(&scans), 1);
}

static void not_at_dispatch_level(void **state)
{
    KIRQL old;

    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    tick(3 * KE_BALANCE_PERIOD);
    assert_int_equal(atomic_load(&scans), 0);
    KeLowerIrql(APC_LEVEL);
    tick(1); /* it was due */
    assert_int_equal(atomic_load(&scans), 1);
    assert_int_equal(atomic_load(&irql_of_scan), APC_LEVEL);
    tick(KE_BALANCE_PERIOD - 1); /* and what was missed is not made up for */
    assert_int_equal(atomic_load(&scans), 1);
    tick(1);
    assert_int_equal(atomic_load(&scans), 2);
    KeLowerIrql(old);
}

static void *tick_elsewhere(void *unused)
{
    tick(KE_BALANCE_PERIOD - 1);
    return unused;
}

static void each_thread_has_its_clock(void **state)
{
    (void)state;
    tick(KE_BALANCE_PERIOD - 1);
    pthread_join(thread_run(tick_elsewhere, NULL), NULL);
    assert_int_equal(atomic_load(&scans), 0);
    tick(1);
    assert_int_equal(atomic_load(&scans), 1);
}

static void *scan_elsewhere(void *unused)
{
    ke_balance_scan("the test");
    return unused;
}

static void one_at_a_time(void **state)
{
    pthread_t thread;

    (void)state;
    wait_inside = true;
    thread = thread_run(scan_elsewhere, NULL);
    assert_true(eventually(atomic_load(&inside)));
    assert_false(ke_threads_are_outside());
    ke_balance_scan("the test"); /* left to the other thread */
    assert_int_equal(atomic_load(&scans), 1);
    atomic_store(&go_on, true);
    pthread_join(thread, NULL);
    ke_balance_scan("the test");
    assert_int_equal(atomic_load(&scans), 2);
}

static void a_stop_in_a_scan_does_not_outlive_the_machine(void **state)
{
    (void)state;
    stop_inside = true;
    assert_stop(MANUALLY_INITIATED_CRASH, 0, ke_balance_scan("the test"));
    assert_true(ke_machine_shutdown());
    stop_inside = false;
    assert_int_equal(ke_machine_boot(1), 0);
    ke_balance_scan("the test");
    assert_int_equal(atomic_load(&scans), 2);
}

static void refused_without_a_machine(void **state)
{
    (void)state;
    ke_balance_scan("the test");
    assert_int_equal(atomic_load(&scans), 0);
    assert_non_null(strstr(ntmm_error(), "no machine is up"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_without_a_machine),
        cmocka_unit_test_setup_teardown(registered_once, fresh, shut_down),
        cmocka_unit_test_setup_teardown(after_each_period, fresh, shut_down),
        cmocka_unit_test_setup_teardown(the_clock_starts_anew_with_the_machine, fresh, shut_down),
        cmocka_unit_test_setup_teardown(not_at_dispatch_level, fresh, shut_down),
        cmocka_unit_test_setup_teardown(each_thread_has_its_clock, fresh, shut_down),
        cmocka_unit_test_setup_teardown(one_at_a_time, fresh, shut_down),
        cmocka_unit_test_setup_teardown(a_stop_in_a_scan_does_not_outlive_the_machine, fresh, shut_down),
    };
    return cmocka_run_group_tests_name("ke balance", tests, NULL, NULL);
}
