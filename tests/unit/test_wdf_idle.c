/*
 * test_wdf_idle.c - framework devices that nobody uses: powered down when the machine's time says so, up again for a request, for the driver, for a
 * wake signal, and before they go.
 */
#include "../support/wdf_device.h"

#include <wdffdo.h>

#define SECOND 10000000u

static const ntmm_config stopped = { .quiet = true, .stopped_clock = true };

/* ---- the driver: each callback that concerns power is one letter ---- */

static char       heard[64];
static KEVENT     sleeping, awake;
static NTSTATUS   arm_answer, entry_answer;
static WDFQUEUE   queue;
static WDFREQUEST kept; /* that the driver has not completed */
static bool       keeps, is_filter;

static void note(char what)
{
    size_t end = strlen(heard);
    assert_true(end + 1 < sizeof heard);
    heard[end] = what;
    heard[end + 1] = '\0';
    assert_irql(PASSIVE_LEVEL);
}
static NTSTATUS d0_entry(WDFDEVICE device, WDF_POWER_DEVICE_STATE from)
{
    (void)device, (void)from;
    note('U');
    return entry_answer;
}
static NTSTATUS d0_exit(WDFDEVICE device, WDF_POWER_DEVICE_STATE to)
{
    (void)device;
    note(to == WdfPowerDeviceD2 ? '2' : to == WdfPowerDeviceD3 ? '3' : 'F');
    (void)KeSetEvent(&sleeping, IO_NO_INCREMENT, FALSE);
    return STATUS_SUCCESS;
}
static NTSTATUS io_init(WDFDEVICE device) { return (void)device, note('i'), STATUS_SUCCESS; }
static NTSTATUS io_suspend(WDFDEVICE device) { return (void)device, note('s'), STATUS_SUCCESS; }
static NTSTATUS io_restart(WDFDEVICE device)
{
    (void)device;
    note('r');
    (void)KeSetEvent(&awake, IO_NO_INCREMENT, FALSE);
    return STATUS_SUCCESS;
}
static NTSTATUS arm(WDFDEVICE device) { return (void)device, note('a'), arm_answer; }
static VOID     disarm(WDFDEVICE device) { (void)device, note('d'); }
static VOID     woken(WDFDEVICE device) { (void)device, note('w'); }

static VOID callbacks(PWDFDEVICE_INIT init)
{
    WDF_PNPPOWER_EVENT_CALLBACKS     pnp;
    WDF_POWER_POLICY_EVENT_CALLBACKS policy;
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&pnp);
    pnp.EvtDeviceD0Entry = d0_entry;
    pnp.EvtDeviceD0Exit = d0_exit;
    pnp.EvtDeviceSelfManagedIoInit = io_init;
    pnp.EvtDeviceSelfManagedIoSuspend = io_suspend;
    pnp.EvtDeviceSelfManagedIoRestart = io_restart;
    WdfDeviceInitSetPnpPowerEventCallbacks(init, &pnp);
    WDF_POWER_POLICY_EVENT_CALLBACKS_INIT(&policy);
    policy.EvtDeviceArmWakeFromS0 = arm;
    policy.EvtDeviceDisarmWakeFromS0 = disarm;
    policy.EvtDeviceWakeFromS0Triggered = woken;
    WdfDeviceInitSetPowerPolicyEventCallbacks(init, &policy);
    if (is_filter)
        WdfFdoInitSetFilter(init);
}

static VOID on_read(WDFQUEUE of, WDFREQUEST request, size_t bytes)
{
    (void)of;
    if (keeps)
        kept = request;
    else
        WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, bytes);
}

static WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings_of(WDF_POWER_POLICY_S0_IDLE_CAPABILITIES capabilities)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings;
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(&settings, capabilities);
    settings.DxState = PowerDeviceD2;
    settings.IdleTimeout = 1000;
    return settings;
}

static WDF_POWER_POLICY_S0_IDLE_CAPABILITIES capabilities;

static NTSTATUS made(WDFDEVICE device)
{
    WDF_IO_QUEUE_CONFIG                   config;
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings = settings_of(capabilities);
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoRead = on_read;
    NTSTATUS status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &queue);
    return NT_SUCCESS(status) && !is_filter ? WdfDeviceAssignS0IdleSettings(device, &settings) : status;
}

static int set_up(void **state, WDF_POWER_POLICY_S0_IDLE_CAPABILITIES which, bool filter)
{
    heard[0] = '\0';
    arm_answer = entry_answer = STATUS_SUCCESS;
    keeps = false;
    kept = NULL;
    capabilities = which;
    is_filter = filter;
    ntmm_cmocka_config = &stopped;
    wdf_device_init = callbacks;
    wdf_device_made = made;
    /* Events of the machine before would be its memory. */
    memset(&sleeping, 0, sizeof sleeping);
    memset(&awake, 0, sizeof awake);
    if (wdf_device_setup(state) != 0)
        return -1;
    KeInitializeEvent(&sleeping, SynchronizationEvent, FALSE);
    KeInitializeEvent(&awake, SynchronizationEvent, FALSE);
    assert_string_equal(heard, "Ui");
    heard[0] = '\0';
    return 0;
}
static int setup(void **state) { return set_up(state, IdleCannotWakeFromS0, false); }
static int setup_wakes(void **state) { return set_up(state, IdleCanWakeFromS0, false); }
static int setup_filter(void **state) { return set_up(state, IdleCannotWakeFromS0, true); }

static int teardown(void **state)
{
    int result = wdf_device_teardown(state);
    ntmm_cmocka_config = NULL;
    return result;
}

/* ---- time, and what happens in other threads ---- */

static void pass(uint64_t units) { assert_int_equal(ntmm_time_advance(units), 0); }
static void await(KEVENT *event) { assert_int_equal(KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL), STATUS_SUCCESS); }

/* The worker has nothing to do any more: a work item behind its own has been run. */
static VOID done(PDEVICE_OBJECT device, PVOID event) { (void)device, (void)KeSetEvent(event, IO_NO_INCREMENT, FALSE); }
static void let_worker_run(void)
{
    for (int i = 0; i < 8; i++) { /* as many as there are threads for them */
        KEVENT       event;
        PIO_WORKITEM item = IoAllocateWorkItem(wdf_test_object());
        KeInitializeEvent(&event, NotificationEvent, FALSE);
        IoQueueWorkItem(item, done, DelayedWorkQueue, &event);
        await(&event);
        IoFreeWorkItem(item);
    }
}
static void expect_rest(const char *what)
{
    let_worker_run();
    assert_string_equal(heard, what);
}

static void fall_asleep(void)
{
    pass(SECOND);
    await(&sleeping);
    let_worker_run();
}

static NTSTATUS read_one(void)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    UCHAR           byte;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, wdf_test_object(), &byte, 1, NULL, &event, &block);
    assert_non_null(irp);
    if (IoCallDriver(wdf_test_object(), irp) == STATUS_PENDING)
        await(&event);
    return block.Status;
}

/* ---- down and up ---- */

static void sleeps_when_its_time_has_come(void **state)
{
    (void)state;
    pass(SECOND - 1);
    expect_rest("");
    pass(1);
    await(&sleeping);
    expect_rest("s2");
    assert_int_equal(WdfDeviceGetDevicePowerState(wdf_test_device), WdfDevStatePowerDx);
    pass(100 * (uint64_t)SECOND);
    expect_rest("s2");
}

static void a_request_wakes_it(void **state)
{
    (void)state;
    fall_asleep();
    assert_int_equal(read_one(), STATUS_SUCCESS); /* it has waited for D0 */
    await(&awake);
    expect_rest("s2Ur");
    assert_int_equal(WdfDeviceGetDevicePowerState(wdf_test_device), WdfDevStatePowerD0);
    fall_asleep();
    expect_rest("s2Urs2");
}

static void a_request_puts_it_off(void **state)
{
    (void)state;
    pass(SECOND - 1);
    assert_int_equal(read_one(), STATUS_SUCCESS);
    pass(SECOND - 1);
    expect_rest("");
    fall_asleep();
    expect_rest("s2");
}

static void it_is_in_use_while_a_request_is(void **state)
{
    KEVENT          event;
    IO_STATUS_BLOCK block;
    UCHAR           byte;
    (void)state;
    keeps = true;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_READ, wdf_test_object(), &byte, 1, NULL, &event, &block);
    assert_int_equal(IoCallDriver(wdf_test_object(), irp), STATUS_PENDING);
    for (int i = 0; i < 3; i++) {
        pass(2 * SECOND);
        expect_rest("");
    }
    WdfRequestComplete(kept, STATUS_SUCCESS);
    await(&event);
    pass(SECOND - 1);
    expect_rest("");
    pass(1);
    await(&sleeping);
    expect_rest("s2");
}

/* ---- the driver says so ---- */

static void the_driver_holds_it(void **state)
{
    (void)state;
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceStopIdleWithTag(wdf_test_device, TRUE, heard), STATUS_SUCCESS);
    pass(5 * SECOND);
    expect_rest("");
    WdfDeviceResumeIdle(wdf_test_device);
    pass(5 * SECOND);
    expect_rest("");
    WdfDeviceResumeIdleWithTag(wdf_test_device, heard);
    fall_asleep();
    expect_rest("s2");
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, TRUE), STATUS_SUCCESS);
    expect_rest("s2Ur");
    WdfDeviceResumeIdle(wdf_test_device);
    (void)KeResetEvent(&awake);
    fall_asleep();
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_PENDING);
    await(&awake);
    expect_rest("s2Urs2Ur");
    WdfDeviceResumeIdle(wdf_test_device);
}

static void settings_change(void **state)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings = settings_of(IdleCannotWakeFromS0);
    (void)state;
    settings.Enabled = WdfFalse;
    fall_asleep();
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_SUCCESS);
    await(&awake); /* it was asleep, and may not be */
    pass(10 * SECOND);
    expect_rest("s2Ur");
    settings.Enabled = WdfTrue;
    settings.DxState = PowerDeviceMaximum;
    settings.IdleTimeout = IdleTimeoutDefaultValue;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_SUCCESS);
    pass(5 * SECOND - 1);
    expect_rest("s2Ur");
    pass(1);
    await(&sleeping);
    expect_rest("s2Urs3");
}

static void refuses_what_is_wrong(void **state)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings = settings_of(IdleCanWakeFromS0);
    (void)state;
    settings.PowerUpIdleDeviceOnSystemWake = WdfTrue;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_INVALID_PARAMETER);
    settings = settings_of(IdleCannotWakeFromS0);
    settings.Enabled = (WDF_TRI_STATE)7;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_INVALID_PARAMETER);
    settings = settings_of(IdleCannotWakeFromS0);
    settings.DxState = PowerDeviceD0;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_INVALID_PARAMETER);
    settings.Size--;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(WdfDeviceIndicateWakeStatus(wdf_test_device, STATUS_PENDING), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceIndicateWakeStatus(wdf_test_device, STATUS_SUCCESS), STATUS_INVALID_DEVICE_REQUEST); /* it is awake */
}

static void a_filter_has_no_say(void **state)
{
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS settings = settings_of(IdleCannotWakeFromS0);
    (void)state;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_test_device, &settings), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_INVALID_DEVICE_STATE);
    WdfDeviceResumeIdle(wdf_test_device); /* does nothing */
}

static void one_resume_too_many_stops(void **state)
{
    (void)state;
    assert_bugcheck_code(KMODE_EXCEPTION_NOT_HANDLED, WdfDeviceResumeIdle(wdf_test_device));
}

static void waiting_is_for_passive_level(void **state)
{
    KIRQL irql;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_SUCCESS);
    WdfDeviceResumeIdle(wdf_test_device);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDeviceStopIdle(wdf_test_device, TRUE));
}

/* ---- wake signals ---- */

static void it_is_armed_and_woken(void **state)
{
    (void)state;
    fall_asleep();
    expect_rest("sa2");
    assert_int_equal(WdfDeviceIndicateWakeStatus(wdf_test_device, STATUS_SUCCESS), STATUS_SUCCESS);
    await(&awake);
    expect_rest("sa2Uwdr");
    assert_int_equal(WdfDeviceIndicateWakeStatus(wdf_test_device, STATUS_SUCCESS), STATUS_INVALID_DEVICE_REQUEST);
    fall_asleep();
    assert_int_equal(read_one(), STATUS_SUCCESS);
    await(&awake);
    expect_rest("sa2Uwdrsa2Udr"); /* no signal: nothing has triggered */
}

static void a_wait_that_fails_wakes_it_too(void **state)
{
    (void)state;
    fall_asleep();
    assert_int_equal(WdfDeviceIndicateWakeStatus(wdf_test_device, STATUS_UNSUCCESSFUL), STATUS_SUCCESS);
    await(&awake);
    expect_rest("sa2Udr");
}

static void what_cannot_be_armed_stays(void **state)
{
    (void)state;
    arm_answer = STATUS_DEVICE_NOT_READY;
    pass(SECOND);
    await(&awake);
    expect_rest("sar");
    assert_int_equal(read_one(), STATUS_SUCCESS);
    arm_answer = STATUS_SUCCESS;
    fall_asleep(); /* it is tried again */
    expect_rest("sarsa2");
}

/* ---- stop, removal, somebody else's power ---- */

static void it_is_powered_up_before_a_stop(void **state)
{
    PDEVICE_OBJECT physical = ntmm_device_object(wdf_test_bus_device);
    (void)state;
    fall_asleep();
    assert_int_equal(ntmm_pnp_stop(physical), STATUS_SUCCESS);
    assert_string_equal(heard, "s2Urs3");
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_POWER_STATE_INVALID);
    assert_int_equal(ntmm_pnp_start(physical, NULL, 0), STATUS_SUCCESS);
    (void)KeResetEvent(&sleeping);
    fall_asleep();
    expect_rest("s2Urs3Urs2");
}

static void it_is_powered_up_before_a_removal(void **state)
{
    (void)state;
    fall_asleep();
    assert_int_equal(ntmm_pnp_remove(ntmm_device_object(wdf_test_bus_device)), STATUS_SUCCESS);
    wdf_test_device = NULL;
    assert_string_equal(heard, "s2UrsF");
}

static void a_surprise_leaves_it_asleep(void **state)
{
    (void)state;
    fall_asleep();
    assert_int_equal(ntmm_pnp_surprise_remove(ntmm_device_object(wdf_test_bus_device)), STATUS_SUCCESS);
    wdf_test_device = NULL;
    assert_string_equal(heard, "s2");
}

static void somebody_else_powers_it_down(void **state)
{
    PDEVICE_OBJECT physical = ntmm_device_object(wdf_test_bus_device);
    (void)state;
    assert_int_equal(ntmm_power_set(physical, DevicePowerState, PowerDeviceD3), STATUS_SUCCESS);
    pass(5 * SECOND);
    expect_rest("s3");
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_POWER_STATE_INVALID);
    assert_int_equal(ntmm_power_set(physical, DevicePowerState, PowerDeviceD0), STATUS_SUCCESS);
    (void)KeResetEvent(&sleeping);
    fall_asleep();
    expect_rest("s3Urs2");
}

static void one_that_cannot_be_powered_up_is_lost(void **state)
{
    (void)state;
    fall_asleep();
    entry_answer = STATUS_DEVICE_NOT_READY;
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, TRUE), STATUS_POWER_STATE_INVALID);
    assert_int_equal(WdfDeviceStopIdle(wdf_test_device, FALSE), STATUS_POWER_STATE_INVALID);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define row_wakes(test) cmocka_unit_test_setup_teardown(test, setup_wakes, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(sleeps_when_its_time_has_come),
        row(a_request_wakes_it),
        row(a_request_puts_it_off),
        row(it_is_in_use_while_a_request_is),
        row(the_driver_holds_it),
        row(settings_change),
        row(refuses_what_is_wrong),
        cmocka_unit_test_setup_teardown(a_filter_has_no_say, setup_filter, teardown),
        row(one_resume_too_many_stops),
        row(waiting_is_for_passive_level),
        row_wakes(it_is_armed_and_woken),
        row_wakes(a_wait_that_fails_wakes_it_too),
        row_wakes(what_cannot_be_armed_stays),
        row(it_is_powered_up_before_a_stop),
        row(it_is_powered_up_before_a_removal),
        row(a_surprise_leaves_it_asleep),
        row(somebody_else_powers_it_down),
        row(one_that_cannot_be_powered_up_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
