/*
 * test_wdf_device.c - devices of the framework: made by AddDevice, started, stopped, asleep, removed; control devices; what unloading deletes.
 */
#include "../support/wdf_driver.h"

#include <wdfcontrol.h>

static char happened[400];

static void note(const char *what)
{
    size_t end = strlen(happened);
    if (end + strlen(what) + 2 > sizeof happened)
        fail();
    strcpy(happened + end, what);
    strcat(happened, " ");
}

typedef struct DEVICE_CONTEXT {
    ULONG number;
} DEVICE_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(DEVICE_CONTEXT, GetDevice)

static WDFDEVICE              wdf_device;
static const char            *failing; /* which callback fails; NULL: none */
static WDF_POWER_DEVICE_STATE seen_state;
static NTSTATUS               add_status;

static NTSTATUS outcome(const char *name)
{
    note(name);
    assert_ptr_equal(WdfGetDriver(), wdf_driver);
    assert_irql(PASSIVE_LEVEL);
    return failing != NULL && strcmp(failing, name) == 0 ? STATUS_DEVICE_NOT_READY : STATUS_SUCCESS;
}

#define NAMED(function, name, ...) \
    static NTSTATUS function(WDFDEVICE Device, ##__VA_ARGS__) \
    { \
        (void)Device; \
        return outcome(name); \
    }
static NTSTATUS d0_entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE state)
{
    (void)Device;
    seen_state = state;
    return outcome("entry");
}
static NTSTATUS d0_exit(WDFDEVICE Device, WDF_POWER_DEVICE_STATE state)
{
    (void)Device;
    seen_state = state;
    return outcome("exit");
}
NAMED(post_entry, "post", WDF_POWER_DEVICE_STATE state __attribute__((unused)))
NAMED(pre_exit, "pre", WDF_POWER_DEVICE_STATE state __attribute__((unused)))
NAMED(prepare, "prepare", WDFCMRESLIST raw __attribute__((unused)), WDFCMRESLIST translated __attribute__((unused)))
NAMED(release, "release", WDFCMRESLIST translated __attribute__((unused)))
NAMED(io_init, "init")
NAMED(io_suspend, "suspend")
NAMED(io_restart, "restart")
NAMED(query_stop, "query_stop")
NAMED(query_remove, "query_remove")
static VOID io_flush(WDFDEVICE Device) { (void)Device, note("flush"); }
static VOID io_cleanup(WDFDEVICE Device) { (void)Device, note("cleanup"); }
static VOID surprise(WDFDEVICE Device) { (void)Device, note("surprise"); }
static VOID on_cleanup(WDFOBJECT object) { (void)object, note("EvtCleanup"); }
static VOID on_destroy(WDFOBJECT object) { (void)object, note("EvtDestroy"); }
static VOID on_unload(WDFDRIVER driver) { (void)driver, note("unload"); }

static void all_callbacks(PWDFDEVICE_INIT init)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDeviceD0Entry = d0_entry;
    callbacks.EvtDeviceD0EntryPostInterruptsEnabled = post_entry;
    callbacks.EvtDeviceD0Exit = d0_exit;
    callbacks.EvtDeviceD0ExitPreInterruptsDisabled = pre_exit;
    callbacks.EvtDevicePrepareHardware = prepare;
    callbacks.EvtDeviceReleaseHardware = release;
    callbacks.EvtDeviceSelfManagedIoInit = io_init;
    callbacks.EvtDeviceSelfManagedIoSuspend = io_suspend;
    callbacks.EvtDeviceSelfManagedIoRestart = io_restart;
    callbacks.EvtDeviceSelfManagedIoFlush = io_flush;
    callbacks.EvtDeviceSelfManagedIoCleanup = io_cleanup;
    callbacks.EvtDeviceSurpriseRemoval = surprise;
    callbacks.EvtDeviceQueryStop = query_stop;
    callbacks.EvtDeviceQueryRemove = query_remove;
    WdfDeviceInitSetPnpPowerEventCallbacks(init, &callbacks);
}

static void device_attributes(WDF_OBJECT_ATTRIBUTES *attributes)
{
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(attributes, DEVICE_CONTEXT);
    attributes->EvtCleanupCallback = on_cleanup;
    attributes->EvtDestroyCallback = on_destroy;
}

static NTSTATUS device_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    assert_ptr_equal(driver, wdf_driver);
    all_callbacks(init);
    WdfDeviceInitSetIoType(init, WdfDeviceIoDirect);
    device_attributes(&attributes);
    NTSTATUS status = WdfDeviceCreate(&init, &attributes, &wdf_device);
    if (!NT_SUCCESS(status))
        return status;
    assert_null(init);
    return add_status;
}

/* ---- the test plays the PnP manager ---- */

static ntmm_device *bus_device;

static int setup(void **state)
{
    happened[0] = '\0';
    failing = NULL;
    add_status = STATUS_SUCCESS;
    wdf_device = NULL;
    if (ntmm_cmocka_setup(state) != 0)
        return -1;
    WDF_DRIVER_CONFIG_INIT(&wdf_driver_config, device_add);
    wdf_driver_config.EvtDriverUnload = on_unload;
    wdf_driver_attributes = NULL;
    wdf_driver_load();
    bus_device = ntmm_device_create(&(ntmm_device_config){ .address_bits = 64, .scatter_gather = true });
    return wdf_driver_object != NULL && bus_device != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    int result = 0;
    if (!ntmm_is_halted() && wdf_driver_object != NULL)
        result = ntmm_driver_unload(wdf_driver_object);
    if (!ntmm_is_halted())
        ntmm_device_destroy(bus_device);
    return ntmm_cmocka_teardown(state) != 0 || result != 0 ? -1 : 0;
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static NTSTATUS add(void) { return wdf_driver_object->DriverExtension->AddDevice(wdf_driver_object, ntmm_device_object(bus_device)); }

static NTSTATUS stop_here(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    (void)device, (void)irp, (void)context;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS send(PDEVICE_OBJECT device, const IO_STACK_LOCATION *what)
{
    PIRP irp = IoAllocateIrp(device->StackSize, FALSE);
    assert_non_null(irp);
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    *IoGetNextIrpStackLocation(irp) = *what;
    IoSetCompletionRoutine(irp, stop_here, NULL, TRUE, TRUE, TRUE);
    (void)IoCallDriver(device, irp);
    NTSTATUS status = irp->IoStatus.Status;
    IoFreeIrp(irp);
    return status;
}

static NTSTATUS pnp(UCHAR minor)
{
    IO_STACK_LOCATION what = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = minor };
    return send(wdf_driver_object->DeviceObject, &what);
}

static NTSTATUS set_power(DEVICE_POWER_STATE state)
{
    IO_STACK_LOCATION what = { .MajorFunction = IRP_MJ_POWER, .MinorFunction = IRP_MN_SET_POWER };
    what.Parameters.Power.Type = DevicePowerState;
    what.Parameters.Power.State.DeviceState = state;
    return send(wdf_driver_object->DeviceObject, &what);
}

/* ---- a device's life ---- */

static void lives(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    PDEVICE_OBJECT wdm = WdfDeviceWdmGetDeviceObject(wdf_device);
    assert_ptr_equal(wdm, wdf_driver_object->DeviceObject);
    assert_ptr_equal(WdfWdmDeviceGetWdfDeviceHandle(wdm), wdf_device);
    assert_ptr_equal(WdfDeviceWdmGetPhysicalDevice(wdf_device), ntmm_device_object(bus_device));
    assert_ptr_equal(WdfDeviceWdmGetAttachedDevice(wdf_device), ntmm_device_object(bus_device));
    assert_ptr_equal(WdfDeviceGetDriver(wdf_device), wdf_driver);
    assert_int_equal(wdm->Flags & (DO_DIRECT_IO | DO_BUFFERED_IO | DO_DEVICE_INITIALIZING), DO_DIRECT_IO);
    assert_int_equal(GetDevice(wdf_device)->number, 0);
    assert_int_equal(WdfDeviceGetDevicePnpState(wdf_device), WdfDevStatePnpObjectCreated);
    assert_string_equal(happened, "");
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "prepare entry post init ");
    assert_int_equal(seen_state, WdfPowerDeviceD3Final);
    assert_int_equal(WdfDeviceGetDevicePnpState(wdf_device), WdfDevStatePnpStarted);
    assert_int_equal(WdfDeviceGetDevicePowerState(wdf_device), WdfDevStatePowerD0);
    assert_int_equal(WdfDeviceStopIdle(wdf_device, TRUE), STATUS_SUCCESS);
    WdfDeviceResumeIdle(wdf_device);
    happened[0] = '\0';
    assert_int_equal(pnp(IRP_MN_QUERY_REMOVE_DEVICE), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_REMOVE_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "query_remove suspend pre exit release flush cleanup EvtCleanup EvtDestroy ");
    assert_null(wdf_driver_object->DeviceObject);
}

static void stops_and_starts_again(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    happened[0] = '\0';
    assert_int_equal(pnp(IRP_MN_QUERY_STOP_DEVICE), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_STOP_DEVICE), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceGetDevicePnpState(wdf_device), WdfDevStatePnpStopped);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "query_stop suspend pre exit release prepare entry post restart ");
    assert_int_equal(seen_state, WdfPowerDeviceD3);
}

static void sleeps_and_wakes(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    happened[0] = '\0';
    assert_int_equal(set_power(PowerDeviceD2), STATUS_SUCCESS);
    assert_int_equal(seen_state, WdfPowerDeviceD2);
    assert_int_equal(WdfDeviceStopIdle(wdf_device, FALSE), STATUS_POWER_STATE_INVALID);
    assert_int_equal(set_power(PowerDeviceD0), STATUS_SUCCESS);
    assert_int_equal(seen_state, WdfPowerDeviceD2);
    assert_string_equal(happened, "suspend pre exit entry post restart ");
}

static void is_pulled_out(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    happened[0] = '\0';
    assert_int_equal(pnp(IRP_MN_SURPRISE_REMOVAL), STATUS_SUCCESS);
    assert_string_equal(happened, "surprise suspend pre exit release ");
    assert_int_equal(pnp(IRP_MN_REMOVE_DEVICE), STATUS_SUCCESS);
    assert_string_equal(happened, "surprise suspend pre exit release flush cleanup EvtCleanup EvtDestroy ");
}

static void refuses_to_stop(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    failing = "query_stop";
    assert_int_equal(pnp(IRP_MN_QUERY_STOP_DEVICE), STATUS_DEVICE_NOT_READY);
    failing = NULL;
    WdfDeviceSetStaticStopRemove(wdf_device, FALSE);
    assert_int_equal(pnp(IRP_MN_QUERY_REMOVE_DEVICE), STATUS_UNSUCCESSFUL);
    assert_int_equal(pnp(IRP_MN_CANCEL_REMOVE_DEVICE), STATUS_SUCCESS);
}

static void undoes_a_start_that_fails(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "prepare", "prepare release " },
        { "entry", "prepare entry release " },
        { "post", "prepare entry post pre exit release " },
        { "init", "prepare entry post init pre exit release " },
    };
    for (size_t i = 0; i < 4; i++) {
        happened[0] = '\0';
        assert_int_equal(add(), STATUS_SUCCESS);
        failing = cases[i][0];
        assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_DEVICE_NOT_READY);
        assert_string_equal(happened, cases[i][1]);
        assert_int_equal(WdfDeviceGetDevicePnpState(wdf_device), WdfDevStatePnpFailed);
        failing = NULL;
        assert_int_equal(pnp(IRP_MN_REMOVE_DEVICE), STATUS_SUCCESS);
    }
}

static void add_that_fails_leaves_nothing(void **state)
{
    (void)state;
    add_status = STATUS_DEVICE_NOT_READY;
    assert_int_equal(add(), STATUS_DEVICE_NOT_READY);
    assert_string_equal(happened, "EvtCleanup EvtDestroy ");
    assert_null(wdf_driver_object->DeviceObject);
    assert_null(ntmm_device_object(bus_device)->AttachedDevice);
}

static void unload_removes_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    happened[0] = '\0';
    assert_int_equal(ntmm_driver_unload(wdf_driver_object), 0);
    wdf_driver_object = NULL;
    assert_string_equal(happened, "unload suspend pre exit release flush cleanup EvtCleanup EvtDestroy ");
}

static void files_are_opened_and_the_rest_refused(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    IO_STACK_LOCATION what = { .MajorFunction = IRP_MJ_CREATE };
    assert_int_equal(send(wdf_driver_object->DeviceObject, &what), STATUS_SUCCESS);
    what.MajorFunction = IRP_MJ_SYSTEM_CONTROL; /* goes down; the bus leaves the status that it comes with */
    assert_int_equal(send(wdf_driver_object->DeviceObject, &what), STATUS_NOT_SUPPORTED);
    what.MajorFunction = IRP_MJ_FLUSH_BUFFERS;
    assert_int_equal(send(wdf_driver_object->DeviceObject, &what), STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- handles ---- */

static void a_device_of_pnp_is_not_for_the_driver_to_delete(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    WdfObjectDelete(wdf_device);
    assert_ptr_equal(WdfDeviceGetDriver(wdf_device), wdf_driver);
}
static void another_handle_stops(void **state)
{
    (void)state;
    assert_bugcheck_all(WDF_VIOLATION, WDF_INVALID_HANDLE, wdf_driver, 0x1002, WdfDriverGlobals,
                        (void)WdfDeviceGetDriver((WDFDEVICE)wdf_driver));
}
static void no_init_stops(void **state)
{
    (void)state;
    PWDFDEVICE_INIT none = NULL;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, (void)WdfDeviceCreate(&none, NULL, &wdf_device));
}

/* ---- the lock of its callbacks ---- */

static void has_a_lock(void **state)
{
    (void)state;
    assert_int_equal(add(), STATUS_SUCCESS);
    WdfObjectAcquireLock(wdf_device);
    assert_irql(DISPATCH_LEVEL);
    assert_bugcheck_all(WDF_VIOLATION, WDF_RECURSIVE_LOCK, wdf_device, 0, WdfDriverGlobals, WdfObjectAcquireLock(wdf_device));
}

static NTSTATUS passive_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)driver;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    return WdfDeviceCreate(&init, &attributes, &wdf_device);
}
static NTSTATUS passive_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, passive_add);
    return WdfDriverCreate(driver, path, NULL, &config, NULL);
}
static void its_lock_may_be_passive(void **state)
{
    (void)state;
    KIRQL          irql;
    PDRIVER_OBJECT driver = ntmm_driver_load(passive_entry);
    assert_non_null(driver);
    assert_int_equal(driver->DriverExtension->AddDevice(driver, ntmm_device_object(bus_device)), STATUS_SUCCESS);
    WdfObjectAcquireLock(wdf_device);
    assert_irql(PASSIVE_LEVEL);
    assert_true(KeAreApcsDisabled());
    WdfObjectReleaseLock(wdf_device);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_LOCK_OPERATION, WdfObjectReleaseLock(wdf_device));
    ntmm_cmocka_reboot();
    wdf_driver_object = NULL;
    bus_device = ntmm_device_create(&(ntmm_device_config){ .address_bits = 64 });
    driver = ntmm_driver_load(passive_entry);
    assert_int_equal(driver->DriverExtension->AddDevice(driver, ntmm_device_object(bus_device)), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfObjectAcquireLock(wdf_device));
}

/* ---- control devices ---- */

DECLARE_CONST_UNICODE_STRING(control_name, L"\\Device\\WdfTest");
DECLARE_CONST_UNICODE_STRING(link_name, L"\\DosDevices\\WdfTest");

static NTSTATUS make_control(WDFDEVICE *device)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    PWDFDEVICE_INIT       init = WdfControlDeviceInitAllocate(wdf_driver, &SDDL_DEVOBJ_SYS_ALL_ADM_ALL);
    if (init == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    device_attributes(&attributes);
    NTSTATUS status = WdfDeviceInitAssignName(init, &control_name);
    if (NT_SUCCESS(status))
        status = WdfDeviceCreate(&init, &attributes, device);
    if (!NT_SUCCESS(status)) {
        WdfDeviceInitFree(init);
        return status;
    }
    status = WdfDeviceCreateSymbolicLink(*device, &link_name);
    if (NT_SUCCESS(status))
        WdfControlFinishInitializing(*device);
    else
        WdfObjectDelete(*device);
    return status;
}

static void has_a_control_device(void **state)
{
    (void)state;
    WDFDEVICE      control, second;
    WDFSTRING      string;
    UNICODE_STRING name;
    assert_int_equal(make_control(&control), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceWdmGetDeviceObject(control)->Flags & DO_DEVICE_INITIALIZING, 0);
    assert_null(WdfDeviceWdmGetPhysicalDevice(control));
    assert_int_equal(make_control(&second), STATUS_OBJECT_NAME_COLLISION);
    assert_int_equal(WdfStringCreate(NULL, NULL, &string), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceRetrieveDeviceName(control, string), STATUS_SUCCESS);
    WdfStringGetUnicodeString(string, &name);
    assert_true(RtlEqualUnicodeString(&name, &control_name, FALSE));
    happened[0] = '\0';
    WdfObjectDelete(control);
    assert_string_equal(happened, "EvtCleanup EvtDestroy ");
    assert_int_equal(make_control(&control), STATUS_SUCCESS); /* its names are free again */
}

static void a_control_device_is_deleted_at_passive_level(void **state)
{
    (void)state;
    WDFDEVICE control;
    KIRQL     irql;
    assert_int_equal(make_control(&control), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfObjectDelete(control));
}

/* ---- what a device is told ---- */

static void keeps_what_it_is_told(void **state)
{
    (void)state;
    static const GUID                     interface_class = { 1, 2, 3, { 4 } };
    WDF_DEVICE_STATE                      told, read;
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS idle;
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS wake;
    WDF_DEVICE_PNP_CAPABILITIES           pnp_capabilities;
    WDF_DEVICE_POWER_CAPABILITIES         power_capabilities;
    assert_int_equal(add(), STATUS_SUCCESS);
    WDF_DEVICE_STATE_INIT(&told);
    told.NotDisableable = WdfTrue;
    WdfDeviceSetDeviceState(wdf_device, &told);
    WdfDeviceGetDeviceState(wdf_device, &read);
    assert_memory_equal(&told, &read, sizeof told);
    WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(&idle, IdleCannotWakeFromS0);
    assert_int_equal(idle.DxState, PowerDeviceD3);
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_device, &idle), STATUS_SUCCESS);
    idle.IdleCaps = IdleCapsInvalid;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_device, &idle), STATUS_INVALID_PARAMETER);
    idle.Size--;
    assert_int_equal(WdfDeviceAssignS0IdleSettings(wdf_device, &idle), STATUS_INFO_LENGTH_MISMATCH);
    WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT(&wake);
    assert_int_equal(WdfDeviceAssignSxWakeSettings(wdf_device, &wake), STATUS_SUCCESS);
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&pnp_capabilities);
    WdfDeviceSetPnpCapabilities(wdf_device, &pnp_capabilities);
    WDF_DEVICE_POWER_CAPABILITIES_INIT(&power_capabilities);
    WdfDeviceSetPowerCapabilities(wdf_device, &power_capabilities);
    WdfDeviceSetAlignmentRequirement(wdf_device, FILE_LONG_ALIGNMENT);
    assert_int_equal(WdfDeviceGetAlignmentRequirement(wdf_device), FILE_LONG_ALIGNMENT);
    WdfDeviceSetCharacteristics(wdf_device, FILE_REMOVABLE_MEDIA);
    assert_int_equal(WdfDeviceGetCharacteristics(wdf_device), FILE_REMOVABLE_MEDIA);
    assert_int_equal(WdfDeviceCreateDeviceInterface(wdf_device, &interface_class, NULL), STATUS_SUCCESS);
    WdfDeviceSetDeviceInterfaceState(wdf_device, &interface_class, NULL, FALSE);
    WdfDeviceSetFailed(wdf_device, WdfDeviceFailedNoRestart);
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_UNSUCCESSFUL);
}

/* ---- the driver sees an IRP first ---- */

static NTSTATUS look_at_flush(WDFDEVICE Device, PIRP Irp)
{
    note("flush_irp");
    if (failing != NULL) {
        Irp->IoStatus.Status = STATUS_DEVICE_BUSY;
        IoCompleteRequest(Irp, IO_NO_INCREMENT);
        return STATUS_DEVICE_BUSY;
    }
    IoSkipCurrentIrpStackLocation(Irp);
    return WdfDeviceWdmDispatchPreprocessedIrp(Device, Irp);
}

static NTSTATUS preprocessing_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    (void)driver;
    assert_int_equal(WdfDeviceInitAssignWdmIrpPreprocessCallback(init, look_at_flush, 99, NULL, 0), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceInitAssignWdmIrpPreprocessCallback(init, look_at_flush, IRP_MJ_FLUSH_BUFFERS, NULL, 0), STATUS_SUCCESS);
    return WdfDeviceCreate(&init, NULL, &wdf_device);
}

static NTSTATUS preprocessing_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, preprocessing_add);
    return WdfDriverCreate(driver, path, NULL, &config, NULL);
}

static void shows_an_irp_to_the_driver_first(void **state)
{
    (void)state;
    IO_STACK_LOCATION what = { .MajorFunction = IRP_MJ_FLUSH_BUFFERS };
    PDRIVER_OBJECT    driver = ntmm_driver_load(preprocessing_entry);
    assert_non_null(driver);
    assert_int_equal(driver->DriverExtension->AddDevice(driver, ntmm_device_object(bus_device)), STATUS_SUCCESS);
    assert_int_equal(send(driver->DeviceObject, &what), STATUS_INVALID_DEVICE_REQUEST);
    failing = "flush_irp";
    assert_int_equal(send(driver->DeviceObject, &what), STATUS_DEVICE_BUSY);
    assert_string_equal(happened, "flush_irp flush_irp ");
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

/* ---- two drivers in a process ---- */

static WDFDRIVER other_driver;
static WDFDEVICE other_device;
static NTSTATUS  other_add(WDFDRIVER driver, PWDFDEVICE_INIT init)
{
    assert_ptr_equal(driver, other_driver);
    assert_ptr_equal(WdfGetDriver(), other_driver);
    return WdfDeviceCreate(&init, NULL, &other_device);
}
static NTSTATUS other_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    WDF_DRIVER_CONFIG config;
    WDF_DRIVER_CONFIG_INIT(&config, other_add);
    config.DriverPoolTag = NTMM_TAG("Othr");
    return WdfDriverCreate(driver, path, NULL, &config, &other_driver);
}

static void two_drivers_share_a_process(void **state)
{
    (void)state;
    PDRIVER_OBJECT other = ntmm_driver_load(other_entry);
    assert_non_null(other);
    assert_ptr_equal(WdfGetDriver(), other_driver); /* the newest */
    assert_int_equal(WdfDriverGlobals->DriverTag, NTMM_TAG("Othr"));
    assert_int_equal(add(), STATUS_SUCCESS); /* whose callbacks find their own (outcome) */
    assert_int_equal(pnp(IRP_MN_START_DEVICE), STATUS_SUCCESS);
    assert_int_equal(other->DriverExtension->AddDevice(other, ntmm_device_object(bus_device)), STATUS_SUCCESS); /* on top */
    assert_ptr_equal(WdfDeviceWdmGetAttachedDevice(other_device), WdfDeviceWdmGetDeviceObject(wdf_device));
    assert_ptr_equal(WdfWdmDriverGetWdfDriverHandle(other), other_driver);
    assert_ptr_equal(WdfWdmDriverGetWdfDriverHandle(wdf_driver_object), wdf_driver);
    assert_int_equal(ntmm_driver_unload(other), 0);
    assert_ptr_equal(WdfGetDriver(), wdf_driver);
}

/* ---- refused memory ---- */

static void whole_life(void *context)
{
    (void)context;
    happened[0] = '\0';
    WDFDEVICE control;
    if (NT_SUCCESS(make_control(&control)))
        WdfObjectDelete(control);
    if (!NT_SUCCESS(add()))
        return;
    PIRP irp = IoAllocateIrp(4, FALSE);
    if (irp != NULL)
        IoFreeIrp(irp);
    IO_STACK_LOCATION remove = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = IRP_MN_REMOVE_DEVICE };
    ntmm_fail_allocation(0); /* the IRP that says so must come through */
    (void)send(wdf_driver_object->DeviceObject, &remove);
}
static void survives_refused_memory(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 12; nth++) {
        ntmm_fail_allocation(nth);
        whole_life(NULL);
        ntmm_fail_allocation(0);
        assert_null(wdf_driver_object->DeviceObject);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(lives),
        row(stops_and_starts_again),
        row(sleeps_and_wakes),
        row(is_pulled_out),
        row(refuses_to_stop),
        row(undoes_a_start_that_fails),
        row(add_that_fails_leaves_nothing),
        row(unload_removes_what_is_left),
        row(files_are_opened_and_the_rest_refused),
        row(a_device_of_pnp_is_not_for_the_driver_to_delete),
        row(another_handle_stops),
        row(no_init_stops),
        row(has_a_lock),
        row(its_lock_may_be_passive),
        row(has_a_control_device),
        row(a_control_device_is_deleted_at_passive_level),
        row(keeps_what_it_is_told),
        row(shows_an_irp_to_the_driver_first),
        row(two_drivers_share_a_process),
        row(survives_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
