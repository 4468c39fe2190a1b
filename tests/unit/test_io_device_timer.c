/*
 * test_io_device_timer.c - a routine that is called once a second: started, stopped, from within itself too, and a device that goes meanwhile.
 */
#include <ntmm/cmocka.h>

#define SECOND 10000000u

static int   ticks, stops_at;
static KIRQL level;

static VOID tick(PDEVICE_OBJECT device, PVOID context)
{
    assert_ptr_equal(context, &ticks);
    level = KeGetCurrentIrql();
    if (++ticks == stops_at)
        IoStopTimer(device);
}
static VOID other_tick(PDEVICE_OBJECT device, PVOID context)
{
    (void)device;
    *(int *)context += 100;
}

static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    (void)path;
    return IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
}
static VOID unload(PDRIVER_OBJECT driver) { (void)driver; }

static PDRIVER_OBJECT driver;
static PDEVICE_OBJECT load(void)
{
    ticks = stops_at = 0;
    driver = ntmm_driver_load(DriverEntry);
    driver->DriverUnload = unload;
    return driver->DeviceObject;
}
static void delete_and_unload(PDEVICE_OBJECT device)
{
    IoDeleteDevice(device);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void once_a_second(void **state)
{
    (void)state;
    PDEVICE_OBJECT device = load();
    assert_int_equal(IoInitializeTimer(device, tick, &ticks), STATUS_SUCCESS);
    ntmm_time_advance(5 * SECOND);
    assert_int_equal(ticks, 0);
    at_irql(DISPATCH_LEVEL, IoStartTimer(device));
    ntmm_time_advance(SECOND - 1);
    assert_int_equal(ticks, 0);
    ntmm_time_advance(1);
    assert_int_equal(ticks, 1);
    assert_int_equal(level, DISPATCH_LEVEL);
    IoStartTimer(device); /* it is started already: no second row of ticks */
    ntmm_time_advance(3 * SECOND);
    assert_int_equal(ticks, 4);
    at_irql(DISPATCH_LEVEL, IoStopTimer(device));
    IoStopTimer(device);
    ntmm_time_advance(3 * SECOND);
    assert_int_equal(ticks, 4);
    IoStartTimer(device);
    ntmm_time_advance(SECOND);
    assert_int_equal(ticks, 5);
    delete_and_unload(device); /* which stops it */
    ntmm_time_advance(3 * SECOND);
    assert_int_equal(ticks, 5);
}

static void stopped_from_within(void **state)
{
    (void)state;
    PDEVICE_OBJECT device = load();
    assert_int_equal(IoInitializeTimer(device, tick, &ticks), STATUS_SUCCESS);
    stops_at = 2;
    IoStartTimer(device);
    ntmm_time_advance(5 * SECOND);
    assert_int_equal(ticks, 2);
    IoStartTimer(device);
    ntmm_time_advance(2 * SECOND);
    assert_int_equal(ticks, 4);
    delete_and_unload(device);
}

static void initialised_again(void **state)
{
    (void)state;
    PDEVICE_OBJECT device = load();
    assert_int_equal(IoInitializeTimer(device, tick, &ticks), STATUS_SUCCESS);
    assert_int_equal(IoInitializeTimer(device, other_tick, &ticks), STATUS_SUCCESS);
    IoStartTimer(device);
    ntmm_time_advance(SECOND);
    assert_int_equal(ticks, 100);
    delete_and_unload(device);
}

static void physical_device(void **state)
{
    (void)state;
    ticks = stops_at = 0;
    ntmm_device *one = ntmm_device_create(NULL);
    assert_int_equal(IoInitializeTimer(ntmm_device_object(one), tick, &ticks), STATUS_SUCCESS);
    IoStartTimer(ntmm_device_object(one));
    ntmm_time_advance(SECOND);
    assert_int_equal(ticks, 1);
    ntmm_device_destroy(one);
    ntmm_time_advance(SECOND);
    assert_int_equal(ticks, 1);
}

static void mistakes(void **state)
{
    (void)state;
    PDEVICE_OBJECT device = load();
    IoStartTimer(device); /* it has none */
    assert_non_null(strstr(ntmm_error(), "IoInitializeTimer"));
    IoStopTimer(device);
    ntmm_fail_allocation(1);
    assert_int_equal(IoInitializeTimer(device, tick, &ticks), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    assert_null(device->Timer);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, IoInitializeTimer(device, tick, &ticks)));
    ntmm_cmocka_reboot();
    device = load();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL + 1, IoStartTimer(device)));
    ntmm_cmocka_reboot();
    device = load();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL + 1, IoStopTimer(device)));
}

int main(void)
{
    static const ntmm_config config = { .quiet = true, .stopped_clock = true };
    ntmm_cmocka_config = &config;
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(once_a_second),     ntmm_cmocka_test(stopped_from_within),
        ntmm_cmocka_test(initialised_again), ntmm_cmocka_test(physical_device),
        ntmm_cmocka_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
