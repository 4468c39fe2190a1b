/*
 * test_io_power.c - power requests from the test and from drivers, settings; the error log; event tracing.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <string.h>

static const GUID setting = { .Data1 = 0x11 }, other = { .Data1 = 0x22 };

/* ---- a driver that owns the power of its device ---- */

static PDEVICE_OBJECT below;
static int            powers, completions;
static POWER_STATE    last_state;
static POWER_ACTION   last_action;
static NTSTATUS       query_answer, last_status;
static UCHAR          last_minor;

static NTSTATUS power(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    powers++;
    last_minor = location->MinorFunction;
    last_state = location->Parameters.Power.State;
    last_action = location->Parameters.Power.ShutdownType;
    PoStartNextPowerIrp(irp);
    if (location->MinorFunction == IRP_MN_QUERY_POWER && !NT_SUCCESS(query_answer)) {
        irp->IoStatus.Status = query_answer;
        IoCompleteRequest(irp, IO_NO_INCREMENT);
        return query_answer;
    }
    if (location->MinorFunction == IRP_MN_SET_POWER && location->Parameters.Power.Type == DevicePowerState)
        (void)PoSetPowerState(device, DevicePowerState, location->Parameters.Power.State);
    IoSkipCurrentIrpStackLocation(irp);
    return PoCallDriver(below, irp);
}
static NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    PDEVICE_OBJECT device;
    NTSTATUS       status = IoCreateDevice(driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    below = IoAttachDeviceToDeviceStack(device, physical);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}
static VOID unload(PDRIVER_OBJECT driver)
{
    if (driver->DeviceObject == NULL)
        return;
    IoDetachDevice(below);
    IoDeleteDevice(driver->DeviceObject);
}
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->MajorFunction[IRP_MJ_POWER] = power;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

typedef struct rig {
    PDRIVER_OBJECT driver;
    ntmm_device   *device;
    PDEVICE_OBJECT physical;
} rig_t;
static rig_t plug_in(void)
{
    rig_t rig = { .driver = ntmm_driver_load(DriverEntry), .device = ntmm_device_create(NULL) };
    powers = completions = 0;
    query_answer = STATUS_SUCCESS;
    assert_true(rig.driver != NULL && rig.device != NULL);
    rig.physical = ntmm_device_object(rig.device);
    assert_int_equal(ntmm_pnp_add(rig.driver, rig.physical), STATUS_SUCCESS);
    return rig;
}
static void pull_out(const rig_t *rig)
{
    assert_int_equal(ntmm_driver_unload(rig->driver), 0);
    ntmm_device_destroy(rig->device);
}

static void requests_of_the_test(void **state)
{
    (void)state;
    rig_t rig = plug_in();
    assert_int_equal(ntmm_power_query(rig.physical, SystemPowerState, PowerSystemSleeping3), STATUS_SUCCESS);
    assert_true(last_minor == IRP_MN_QUERY_POWER && last_state.SystemState == PowerSystemSleeping3 && last_action == PowerActionSleep);
    query_answer = STATUS_DEVICE_BUSY;
    assert_int_equal(ntmm_power_query(rig.physical, SystemPowerState, PowerSystemHibernate), STATUS_DEVICE_BUSY);
    assert_int_equal(last_action, PowerActionHibernate);
    assert_int_equal(ntmm_power_set(rig.physical, DevicePowerState, PowerDeviceD3), STATUS_SUCCESS);
    assert_true(powers == 3 && last_action == PowerActionNone);
    POWER_STATE before = PoSetPowerState(rig.driver->DeviceObject, DevicePowerState, (POWER_STATE){ .DeviceState = PowerDeviceD0 });
    assert_int_equal(before.DeviceState, PowerDeviceD3);
    pull_out(&rig);
}

static void power_completed(PDEVICE_OBJECT device, UCHAR minor, POWER_STATE state, PVOID context, PIO_STATUS_BLOCK status)
{
    (void)device;
    (void)minor;
    (void)state;
    completions++;
    last_status = status->Status;
    if (context != NULL)
        KeSetEvent(context, IO_NO_INCREMENT, FALSE);
}
static void requests_of_a_driver(void **state)
{
    POWER_STATE d3 = { .DeviceState = PowerDeviceD3 };
    KEVENT      done;
    KIRQL       old;
    PIRP        irp = NULL;
    (void)state;
    rig_t          rig = plug_in();
    PDEVICE_OBJECT device = rig.driver->DeviceObject;
    assert_int_equal(PoRequestPowerIrp(rig.physical, IRP_MN_SET_POWER, d3, power_completed, NULL, NULL), STATUS_PENDING);
    assert_true(powers == 1 && completions == 1 && last_status == STATUS_SUCCESS && last_state.DeviceState == PowerDeviceD3);
    KeInitializeEvent(&done, NotificationEvent, FALSE);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(PoRequestPowerIrp(device, IRP_MN_SET_POWER, d3, power_completed, &done, NULL), STATUS_PENDING);
    KeLowerIrql(old);
    KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
    assert_true(powers == 2 && completions == 2);
    assert_int_equal(PoRequestPowerIrp(device, IRP_MN_WAIT_WAKE, d3, power_completed, NULL, &irp), STATUS_PENDING);
    assert_true(irp != NULL && completions == 3 && last_status == STATUS_NOT_SUPPORTED);
    assert_int_equal(PoRequestPowerIrp(device, 0x55, d3, NULL, NULL, NULL), STATUS_INVALID_PARAMETER_2);
    PULONG idle = PoRegisterDeviceForIdleDetection(device, 10, 20, PowerDeviceD3);
    assert_non_null(idle);
    PoSetDeviceBusy(idle);
    PoSetDeviceBusyEx(idle);
    assert_null(PoRegisterDeviceForIdleDetection(device, 0, 0, PowerDeviceUnspecified));
    ULONG seconds = 1;
    assert_false(PoQueryWatchdogTime(rig.physical, &seconds));
    pull_out(&rig);
}

static void every_failed_allocation(void *context)
{
    POWER_STATE d3 = { .DeviceState = PowerDeviceD3 };
    PVOID       handle;
    (void)context;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT physical = ntmm_device_object(device);
    (void)PoRequestPowerIrp(physical, IRP_MN_SET_POWER, d3, NULL, NULL, NULL);
    (void)ntmm_power_set(physical, DevicePowerState, PowerDeviceD0);
    if (NT_SUCCESS(PoRegisterPowerSettingCallback(NULL, &setting, NULL, NULL, &handle)))
        PoUnregisterPowerSettingCallback(handle);
    ntmm_device_destroy(device);
}
static void without_memory(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(every_failed_allocation, NULL) >= 5);
}

/* ---- settings ---- */

static ULONG    told;
static NTSTATUS setting_changed(LPCGUID guid, PVOID value, ULONG bytes, PVOID context)
{
    assert_true(IsEqualGUID(guid, &setting) && bytes == 4 && context == &told);
    memcpy(&told, value, 4);
    return STATUS_SUCCESS;
}
static void settings(void **state)
{
    uint32_t one = 1, two = 2;
    PVOID    handle;
    (void)state;
    told = 0;
    assert_int_equal(ntmm_power_setting(&setting, &one, 4), 0);
    assert_int_equal(PoRegisterPowerSettingCallback(NULL, &setting, setting_changed, &told, &handle), STATUS_SUCCESS);
    assert_int_equal(told, 1);
    assert_int_equal(ntmm_power_setting(&other, &two, 4), 0);
    assert_int_equal(told, 1);
    assert_int_equal(ntmm_power_setting(&setting, &two, 4), 0);
    assert_int_equal(told, 2);
    assert_int_equal(PoUnregisterPowerSettingCallback(handle), STATUS_SUCCESS);
    assert_int_equal(PoUnregisterPowerSettingCallback(handle), STATUS_INVALID_PARAMETER);
    assert_int_equal(ntmm_power_setting(&setting, &one, 4), 0);
    assert_int_equal(told, 2);
}

/* ---- the error log ---- */

static char log_text[200];
static void log_sink(void *context, uint32_t component, uint32_t level, const char *text, size_t bytes)
{
    (void)context;
    (void)component;
    (void)level;
    memcpy(log_text, text, bytes < sizeof log_text - 1 ? bytes + 1 : sizeof log_text - 1);
}
static void error_log(void **state)
{
    (void)state;
    PDRIVER_OBJECT       driver = ntmm_driver_load(DriverEntry);
    PIO_ERROR_LOG_PACKET entry = IoAllocateErrorLogEntry(driver, sizeof *entry + 16);
    assert_non_null(entry);
    entry->ErrorCode = (NTSTATUS)0xC0040001;
    entry->FinalStatus = STATUS_DEVICE_NOT_READY;
    ntmm_debug_output(log_sink, NULL);
    IoWriteErrorLogEntry(entry);
    ntmm_debug_output(NULL, NULL);
    assert_non_null(strstr(log_text, "0xc0040001"));
    entry = IoAllocateErrorLogEntry(driver, sizeof *entry);
    assert_non_null(entry);
    IoFreeErrorLogEntry(entry);
    assert_null(IoAllocateErrorLogEntry(driver, sizeof *entry - 1));
    assert_null(IoAllocateErrorLogEntry(driver, ERROR_LOG_MAXIMUM_SIZE + 1));
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- event tracing ---- */

static void event_tracing(void **state)
{
    static ntmm_report    report;
    EVENT_DESCRIPTOR      descriptor = { .Id = 1, .Level = 4 };
    EVENT_DATA_DESCRIPTOR data;
    ULONG                 number = 5;
    REGHANDLE             handle;
    (void)state;
    assert_int_equal(EtwRegister(&setting, NULL, NULL, NULL), STATUS_INVALID_PARAMETER);
    assert_int_equal(EtwRegister(&setting, NULL, NULL, &handle), STATUS_SUCCESS);
    EventDataDescCreate(&data, &number, sizeof number);
    assert_int_equal(EtwWrite(handle, &descriptor, NULL, 1, &data), STATUS_SUCCESS);
    assert_false(EtwEventEnabled(handle, &descriptor));
    assert_int_equal(EtwUnregister(handle), STATUS_SUCCESS);
    assert_int_equal(EtwUnregister(handle), STATUS_INVALID_HANDLE);
    assert_int_equal(EtwWrite(handle, &descriptor, NULL, 1, &data), STATUS_INVALID_HANDLE);
    assert_int_equal(EtwRegister(&setting, NULL, NULL, &handle), STATUS_SUCCESS);
    assert_int_equal(ntmm_shutdown(&report), 1);
    assert_int_equal(report.leaks[0].tag, NTMM_TAG("EtwR"));
    assert_int_equal(ntmm_boot(NULL), 0);
}

static void wrong_irql(void **state)
{
    PVOID handle;
    KIRQL old;
    (void)state;
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(APC_LEVEL, &old);
        PoRegisterPowerSettingCallback(NULL, &setting, setting_changed, &told, &handle);
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(requests_of_the_test),
        ntmm_cmocka_test(requests_of_a_driver),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(settings),
        ntmm_cmocka_test(error_log),
        ntmm_cmocka_test(event_tracing),
        ntmm_cmocka_test(wrong_irql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
