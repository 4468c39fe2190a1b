/*
 * test_wdf_timer.c - timers of a framework driver, by a clock that the test moves.
 */
#include "../support/wdf_device.h"

#define MS 10000u /* 100 ns */

static WDFTIMER    timer;
static _Atomic int runs;
static KIRQL       irql;
static KEVENT      ran;

static VOID on_timer(WDFTIMER from)
{
    assert_ptr_equal(from, timer);
    irql = KeGetCurrentIrql();
    runs++;
    (void)KeSetEvent(&ran, IO_NO_INCREMENT, FALSE);
}
static VOID stop_myself(WDFTIMER from)
{
    runs++;
    (void)WdfTimerStop(from, FALSE);
}

static const ntmm_config stopped = { .quiet = true, .stopped_clock = true };

static int setup_as(void **state, PWDF_OBJECT_ATTRIBUTES attributes)
{
    runs = 0;
    wdf_device_init = NULL;
    wdf_device_made = NULL;
    wdf_device_attributes = attributes;
    ntmm_cmocka_config = &stopped;
    int result = wdf_device_setup(state);
    KeInitializeEvent(&ran, NotificationEvent, FALSE);
    return result;
}
static int setup(void **state) { return setup_as(state, NULL); }
static int setup_passive(void **state)
{
    static WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    return setup_as(state, &attributes);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)
#define row_as(test, how) cmocka_unit_test_setup_teardown(test, setup_##how, wdf_device_teardown)

static NTSTATUS new_timer(PFN_WDF_TIMER callback, ULONG period, WDF_EXECUTION_LEVEL level)
{
    WDF_TIMER_CONFIG      config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_TIMER_CONFIG_INIT_PERIODIC(&config, callback, (LONG)period);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    attributes.ExecutionLevel = level;
    return WdfTimerCreate(&config, &attributes, &timer);
}
static void make(ULONG period) { assert_int_equal(new_timer(on_timer, period, WdfExecutionLevelInheritFromParent), STATUS_SUCCESS); }

static void runs_once(void **state)
{
    (void)state;
    make(0);
    assert_ptr_equal(WdfTimerGetParentObject(timer), wdf_test_device);
    assert_false(WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(2)));
    assert_int_equal(ntmm_time_advance(2 * MS - 1), 0);
    assert_int_equal(runs, 0);
    assert_int_equal(ntmm_time_advance(1), 0);
    assert_int_equal(runs, 1);
    assert_int_equal(irql, DISPATCH_LEVEL);
    assert_int_equal(ntmm_time_advance(100 * MS), 0);
    assert_int_equal(runs, 1);
    assert_false(WdfTimerStop(timer, TRUE));
}

static void runs_again_and_again(void **state)
{
    (void)state;
    make(10);
    (void)WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(1));
    assert_int_equal(ntmm_time_advance(1 * MS), 0);
    assert_int_equal(runs, 1);
    assert_int_equal(ntmm_time_advance(30 * MS), 0);
    assert_int_equal(runs, 4);
    assert_true(WdfTimerStop(timer, TRUE));
    assert_int_equal(ntmm_time_advance(30 * MS), 0);
    assert_int_equal(runs, 4);
}

static void is_started_anew(void **state)
{
    (void)state;
    make(0);
    assert_false(WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(2)));
    assert_true(WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(5)));
    assert_int_equal(ntmm_time_advance(4 * MS), 0);
    assert_int_equal(runs, 0);
    assert_true(WdfTimerStop(timer, FALSE));
    assert_int_equal(ntmm_time_advance(4 * MS), 0);
    assert_int_equal(runs, 0);
}

static void stops_in_its_callback(void **state)
{
    (void)state;
    assert_int_equal(new_timer(stop_myself, 1, WdfExecutionLevelInheritFromParent), STATUS_SUCCESS);
    (void)WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(1));
    assert_int_equal(ntmm_time_advance(10 * MS), 0);
    assert_int_equal(runs, 1);
}

static void a_passive_one_runs_at_passive_level(void **state)
{
    (void)state;
    assert_int_equal(new_timer(on_timer, 0, WdfExecutionLevelPassive), STATUS_SUCCESS);
    (void)WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(1));
    assert_int_equal(ntmm_time_advance(1 * MS), 0);
    (void)KeWaitForSingleObject(&ran, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(irql, PASSIVE_LEVEL);
    (void)WdfTimerStop(timer, TRUE);
}

static void deletion_stops_it(void **state)
{
    (void)state;
    make(1);
    (void)WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(1));
    WdfObjectDelete(timer);
    assert_int_equal(ntmm_time_advance(10 * MS), 0);
    assert_int_equal(runs, 0);
}

static void goes_with_its_device(void **state)
{
    (void)state;
    make(1);
    (void)WdfTimerStart(timer, WDF_REL_TIMEOUT_IN_MS(1));
    wdf_test_unload(); /* a timer that is still set would be a leak */
}

static void refuses_bad_configs(void **state)
{
    WDF_TIMER_CONFIG      config;
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)state;
    WDF_TIMER_CONFIG_INIT(&config, on_timer);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    assert_int_equal(WdfTimerCreate(&config, &attributes, &timer), STATUS_WDF_PARENT_NOT_SPECIFIED);
    attributes.ParentObject = WdfGetDriver();
    assert_int_equal(WdfTimerCreate(&config, &attributes, &timer), STATUS_INVALID_DEVICE_REQUEST);
    attributes.ParentObject = wdf_test_device;
    config.UseHighResolutionTimer = TRUE;
    config.TolerableDelay = 3;
    assert_int_equal(WdfTimerCreate(&config, &attributes, &timer), STATUS_INVALID_PARAMETER);
    config.EvtTimerFunc = NULL;
    assert_int_equal(WdfTimerCreate(&config, &attributes, &timer), STATUS_INVALID_PARAMETER);
    config.Size = 1;
    assert_int_equal(WdfTimerCreate(&config, &attributes, &timer), STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(new_timer(on_timer, 5, WdfExecutionLevelPassive), STATUS_NOT_SUPPORTED);
}

static void levels_must_match(void **state)
{
    (void)state;
    assert_int_equal(new_timer(on_timer, 0, WdfExecutionLevelInheritFromParent), STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL);
    assert_int_equal(new_timer(on_timer, 0, WdfExecutionLevelPassive), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(runs_once),
        row(runs_again_and_again),
        row(is_started_anew),
        row(stops_in_its_callback),
        row(a_passive_one_runs_at_passive_level),
        row(deletion_stops_it),
        row(goes_with_its_device),
        row(refuses_bad_configs),
        row_as(levels_must_match, passive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
