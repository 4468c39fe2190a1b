/*
 * test_wdf_property.c - keys and properties of devices: of one that is made, before it is made, through a target; refusals; nothing left.
 */
#include "../support/wdf_device.h"

#include <wdffdo.h>
#include <wdfcontrol.h>
#include <wdfiotarget.h>
#include <wdfregistry.h>

#include <initguid.h>
#include <devpropdef.h>
DEFINE_DEVPROPKEY(key_speed, 0x5d0ba64a, 0x2396, 0x4bc9, 0xbf, 0x49, 0x52, 0x1d, 0xa2, 0x2b, 0x1a, 0xed, 2);

static UNICODE_STRING number = RTL_CONSTANT_STRING(L"Number");

static const WCHAR description[] = L"A fine device";

static void describe(void)
{
    assert_int_equal(
        ntmm_device_set_property(ntmm_device_object(wdf_test_bus_device), DevicePropertyDeviceDescription, description, sizeof description),
        0);
}

/* What EvtDriverDeviceAdd sees of the device before it is made. */
static NTSTATUS init_status, init_key_status, init_memory_status;
static ULONG    init_bytes, init_bus;

static VOID ask_init(PWDFDEVICE_INIT init)
{
    WDFKEY    key;
    WDFMEMORY memory;
    size_t    bytes = 0;
    init_status = WdfFdoInitQueryProperty(init, DevicePropertyLegacyBusType, sizeof init_bus, &init_bus, &init_bytes);
    init_key_status = WdfFdoInitOpenRegistryKey(init, PLUGPLAY_REGKEY_DRIVER, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &key);
    if (NT_SUCCESS(init_key_status)) {
        (void)WdfRegistryAssignULong(key, &number, 11);
        WdfRegistryClose(key);
    }
    init_memory_status =
        WdfFdoInitAllocAndQueryProperty(init, DevicePropertyEnumeratorName, NonPagedPoolNx, WDF_NO_OBJECT_ATTRIBUTES, &memory);
    if (NT_SUCCESS(init_memory_status)) {
        (void)WdfMemoryGetBuffer(memory, &bytes);
        init_bytes = (ULONG)bytes;
        WdfObjectDelete(memory);
    }
}

/* By key: nothing yet, or what the test has set on the bus's device before the driver came. */
static NTSTATUS    init_by_key_status, init_memory_by_key_status;
static DEVPROPTYPE init_type, init_memory_type;
static ULONG       init_speed;

static VOID ask_init_by_key(PWDFDEVICE_INIT init)
{
    WDF_DEVICE_PROPERTY_DATA data;
    WDFMEMORY                memory;
    ULONG                    bytes;
    ask_init(init);
    WDF_DEVICE_PROPERTY_DATA_INIT(&data, &key_speed);
    init_by_key_status = WdfFdoInitQueryPropertyEx(init, &data, sizeof init_speed, &init_speed, &bytes, &init_type);
    init_memory_by_key_status =
        WdfFdoInitAllocAndQueryPropertyEx(init, &data, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, &init_memory_type);
    if (NT_SUCCESS(init_memory_by_key_status))
        WdfObjectDelete(memory);
}

static int setup(void **state)
{
    wdf_device_init = ask_init_by_key;
    return wdf_device_setup(state);
}

/* A control device of the same driver: it has no physical device. */
static WDFDEVICE control_device(void)
{
    static const UNICODE_STRING sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)");
    WDFDEVICE                   device;
    PWDFDEVICE_INIT             init = WdfControlDeviceInitAllocate(WdfDeviceGetDriver(wdf_test_device), &sddl);
    WDFKEY                      key;
    WDFMEMORY                   memory;
    ULONG                       bytes;
    assert_non_null(init);
    assert_int_equal(WdfFdoInitOpenRegistryKey(init, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfFdoInitQueryProperty(init, DevicePropertyBusNumber, 0, NULL, &bytes), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfFdoInitAllocAndQueryProperty(init, DevicePropertyBusNumber, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
                     STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &device), STATUS_SUCCESS);
    return device;
}

/* ---- keys ---- */

static void a_device_has_keys(void **state)
{
    WDFKEY key;
    ULONG  value = 0;
    (void)state;
    assert_int_equal(init_key_status, STATUS_SUCCESS);
    assert_int_equal(WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DRIVER, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryULong(key, &number, &value),
                     STATUS_SUCCESS); /* the key that was written to before the device was made */
    assert_int_equal(value, 11);
    WdfRegistryClose(key);
    assert_int_equal(WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_SUCCESS);
    assert_int_equal(WdfRegistryQueryULong(key, &number, &value), STATUS_OBJECT_NAME_NOT_FOUND);
    WdfRegistryClose(key);
    assert_int_equal(WdfDeviceOpenRegistryKey(wdf_test_device, 0, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key), STATUS_INVALID_PARAMETER);
    assert_null(key);
}

static void a_drivers_state_is_kept(void **state)
{
    WDFDRIVER driver = WdfDeviceGetDriver(wdf_test_device);
    WDFKEY    key;
    ULONG     kept = 0;
    (void)state;
    assert_int_equal(WdfDriverOpenPersistentStateRegistryKey(driver, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &key), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryAssignULong(key, &number, 3), STATUS_SUCCESS);
    WdfRegistryClose(key);
    assert_int_equal(ntmm_registry_get("Services\\Test\\State", "Number", NULL, &kept, sizeof kept), sizeof kept);
    assert_int_equal(kept, 3);
}

static void the_device_map_has_keys(void **state)
{
    static WCHAR   letters[256];
    UNICODE_STRING name = RTL_CONSTANT_STRING(L"SERIALCOMM"), empty = RTL_CONSTANT_STRING(L""), long_name = { .Buffer = letters };
    WDFKEY         key;
    (void)state;
    assert_int_equal(WdfDeviceOpenDevicemapKey(wdf_test_device, &name, KEY_ALL_ACCESS, WDF_NO_OBJECT_ATTRIBUTES, &key), STATUS_SUCCESS);
    assert_int_equal(WdfRegistryAssignULong(key, &number, 4), STATUS_SUCCESS);
    WdfRegistryClose(key);
    assert_int_equal(ntmm_registry_get("\\Registry\\Machine\\Hardware\\DeviceMap\\SERIALCOMM", "Number", NULL, NULL, 0), sizeof(ULONG));
    assert_int_equal(WdfDeviceOpenDevicemapKey(wdf_test_device, &empty, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_INVALID_PARAMETER);
    for (size_t i = 0; i < 256; i++)
        letters[i] = 'a';
    long_name.Length = long_name.MaximumLength = sizeof letters;
    assert_int_equal(WdfDeviceOpenDevicemapKey(wdf_test_device, &long_name, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_BUFFER_TOO_SMALL);
    assert_null(key);
}

static void a_keys_parent_is_the_driver(void **state)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFKEY                key;
    (void)state;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    assert_int_equal(WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, &attributes, &key),
                     STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    assert_int_equal(WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_SUCCESS);
    wdf_test_unload(); /* closed with the driver: no leak */
}

/* ---- properties ---- */

static void properties_are_those_of_the_physical_device(void **state)
{
    WCHAR     text[32];
    ULONG     bytes = 0;
    WDFMEMORY memory;
    size_t    size;
    (void)state;
    describe();
    assert_int_equal(init_status, STATUS_SUCCESS);
    assert_int_equal(init_bus, Internal);
    assert_int_equal(init_memory_status, STATUS_SUCCESS);
    assert_int_equal(init_bytes, sizeof L"NTMM");
    assert_int_equal(WdfDeviceQueryProperty(wdf_test_device, DevicePropertyDeviceDescription, 0, NULL, &bytes), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, sizeof description);
    assert_int_equal(WdfDeviceQueryProperty(wdf_test_device, DevicePropertyDeviceDescription, sizeof text, text, &bytes), STATUS_SUCCESS);
    assert_memory_equal(text, description, sizeof description);
    assert_int_equal(
        WdfDeviceAllocAndQueryProperty(wdf_test_device, DevicePropertyDeviceDescription, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
        STATUS_SUCCESS);
    assert_memory_equal(WdfMemoryGetBuffer(memory, &size), description, sizeof description);
    assert_int_equal(size, sizeof description);
    assert_int_equal(
        WdfDeviceAllocAndQueryProperty(wdf_test_device, DevicePropertyFriendlyName, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
        STATUS_OBJECT_NAME_NOT_FOUND);
    assert_null(memory);
}

static void a_target_leads_to_a_physical_device(void **state)
{
    PDEVICE_OBJECT            physical = ntmm_device_object(wdf_test_bus_device);
    WDFIOTARGET               remote, local = WdfDeviceGetIoTarget(wdf_test_device);
    WDF_IO_TARGET_OPEN_PARAMS params;
    WDFMEMORY                 memory;
    ULONG                     bytes;
    (void)state;
    describe();
    assert_ptr_equal(WdfIoTargetWdmGetTargetPhysicalDevice(local), physical);
    assert_int_equal(WdfIoTargetQueryTargetProperty(local, DevicePropertyDeviceDescription, 0, NULL, &bytes), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, sizeof description);
    assert_int_equal(WdfIoTargetCreate(wdf_test_device, WDF_NO_OBJECT_ATTRIBUTES, &remote), STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetQueryTargetProperty(remote, DevicePropertyDeviceDescription, 0, NULL, &bytes),
                     STATUS_INVALID_DEVICE_REQUEST);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&params, wdf_test_object());
    assert_int_equal(WdfIoTargetOpen(remote, &params), STATUS_SUCCESS);
    assert_ptr_equal(WdfIoTargetWdmGetTargetPhysicalDevice(remote), physical);
    assert_int_equal(
        WdfIoTargetAllocAndQueryTargetProperty(remote, DevicePropertyDeviceDescription, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
        STATUS_SUCCESS);
    assert_memory_equal(WdfMemoryGetBuffer(memory, NULL), description, sizeof description);
    WdfIoTargetClose(remote);
    assert_null(WdfIoTargetWdmGetTargetPhysicalDevice(remote));
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&params, WdfDeviceWdmGetDeviceObject(control_device()));
    assert_int_equal(WdfIoTargetOpen(remote, &params), STATUS_SUCCESS);
    assert_null(WdfIoTargetWdmGetTargetPhysicalDevice(remote)); /* no bus has reported it */
    assert_int_equal(
        WdfIoTargetAllocAndQueryTargetProperty(remote, DevicePropertyDeviceDescription, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
        STATUS_INVALID_DEVICE_REQUEST);
}

static void a_control_device_has_none(void **state)
{
    WDFDEVICE device = control_device();
    WDFKEY    key;
    WDFMEMORY memory;
    ULONG     bytes;
    (void)state;
    assert_int_equal(WdfDeviceOpenRegistryKey(device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key),
                     STATUS_INVALID_DEVICE_REQUEST);
    assert_null(key);
    assert_int_equal(WdfDeviceQueryProperty(device, DevicePropertyBusNumber, 0, NULL, &bytes), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfDeviceAllocAndQueryProperty(device, DevicePropertyBusNumber, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory),
                     STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- by key ---- */

static void a_property_by_key(void **state)
{
    WDF_DEVICE_PROPERTY_DATA data;
    DEVPROPTYPE              type = 0;
    WDFMEMORY                memory;
    ULONG                    speed = 480, bytes = 0;
    size_t                   size;
    KIRQL                    irql;
    (void)state;
    assert_int_equal(init_by_key_status, STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(init_memory_by_key_status, STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(init_memory_type, DEVPROP_TYPE_EMPTY);
    WDF_DEVICE_PROPERTY_DATA_INIT(&data, &key_speed);
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_int_equal(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, sizeof speed, &speed), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, NULL, &bytes, &type), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(bytes, sizeof speed);
    speed = 0;
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, sizeof speed, &speed, &bytes, &type), STATUS_SUCCESS);
    assert_true(speed == 480 && type == DEVPROP_TYPE_UINT32);
    assert_int_equal(WdfDeviceAllocAndQueryPropertyEx(wdf_test_device, &data, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, &type),
                     STATUS_SUCCESS);
    KeLowerIrql(irql);
    assert_memory_equal(WdfMemoryGetBuffer(memory, &size), &speed, sizeof speed);
    assert_int_equal(size, sizeof speed);
    assert_int_equal(IoGetDevicePropertyData(ntmm_device_object(wdf_test_bus_device), &key_speed, LOCALE_NEUTRAL, 0, sizeof speed, &speed,
                                             &bytes, &type),
                     STATUS_SUCCESS); /* it is the physical device's */
    data.Lcid = 0x0407;               /* in German it has no value */
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, NULL, &bytes, &type), STATUS_OBJECT_NAME_NOT_FOUND);
    data.Lcid = LOCALE_NEUTRAL;
    assert_int_equal(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_EMPTY, 0, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, NULL, &bytes, &type), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void a_property_by_key_before_the_device(void **state)
{
    ULONG speed = 12;
    (void)state;
    assert_int_equal(IoSetDevicePropertyData(ntmm_device_object(wdf_test_bus_device), &key_speed, LOCALE_NEUTRAL, 0, DEVPROP_TYPE_UINT32,
                                             sizeof speed, &speed),
                     STATUS_SUCCESS);
    /* a second device of the stack sees it while it is made */
    assert_int_equal(wdf_test_driver->DriverExtension->AddDevice(wdf_test_driver, ntmm_device_object(wdf_test_bus_device)), STATUS_SUCCESS);
    assert_int_equal(init_by_key_status, STATUS_SUCCESS);
    assert_true(init_speed == 12 && init_type == DEVPROP_TYPE_UINT32);
    assert_int_equal(init_memory_by_key_status, STATUS_SUCCESS);
    assert_int_equal(init_memory_type, DEVPROP_TYPE_UINT32);
}

static void a_property_by_key_is_refused(void **state)
{
    WDF_DEVICE_PROPERTY_DATA data;
    DEVPROPTYPE              type;
    WDFMEMORY                memory;
    ULONG                    speed = 1, bytes;
    KIRQL                    irql;
    (void)state;
    WDF_DEVICE_PROPERTY_DATA_INIT(&data, &key_speed);
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, &speed, &bytes, &type), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 4, NULL, &bytes, &type), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, 0, &speed), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceQueryPropertyEx(control_device(), &data, 0, NULL, &bytes, &type), STATUS_INVALID_DEVICE_REQUEST);
    data.Size--;
    assert_int_equal(WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, NULL, NULL, NULL), STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(WdfDeviceAllocAndQueryPropertyEx(wdf_test_device, &data, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, &type),
                     STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, 4, &speed), STATUS_INFO_LENGTH_MISMATCH);
    data.Size++;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDeviceQueryPropertyEx(wdf_test_device, &data, 0, NULL, &bytes, NULL));
    ntmm_cmocka_reboot();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, 4, &speed));
}

/* ---- mistakes, failures ---- */

static void stops_at_mistakes(void **state)
{
    WDFMEMORY memory;
    ULONG     bytes;
    KIRQL     irql;
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL,
                    WdfDeviceQueryProperty(wdf_test_device, DevicePropertyBusNumber, 4, NULL, &bytes));
    ntmm_cmocka_reboot();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL,
                    WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, NULL));
    ntmm_cmocka_reboot();
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDeviceAllocAndQueryProperty(wdf_test_device, DevicePropertyBusNumber, PagedPool,
                                                                                WDF_NO_OBJECT_ATTRIBUTES, &memory));
}

static ULONG destroyed;
static VOID  on_destroy(WDFOBJECT object) { (void)object, destroyed++; }

static void one_by_key(void)
{
    WDF_DEVICE_PROPERTY_DATA data;
    DEVPROPTYPE              type;
    WDFMEMORY                memory;
    ULONG                    speed = 480;
    WDF_DEVICE_PROPERTY_DATA_INIT(&data, &key_speed);
    if (!NT_SUCCESS(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, sizeof speed, &speed)))
        return;
    if (NT_SUCCESS(WdfDeviceAllocAndQueryPropertyEx(wdf_test_device, &data, PagedPool, WDF_NO_OBJECT_ATTRIBUTES, &memory, &type)))
        WdfObjectDelete(memory);
    assert_int_equal(WdfDeviceAssignProperty(wdf_test_device, &data, DEVPROP_TYPE_UINT32, 0, NULL), STATUS_SUCCESS);
}

static void one_life(void *context)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFKEY                key;
    WDFMEMORY             memory;
    UNICODE_STRING        name = RTL_CONSTANT_STRING(L"Map");
    (void)context;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.EvtDestroyCallback = on_destroy;
    destroyed = 0;
    if (NT_SUCCESS(WdfDeviceOpenRegistryKey(wdf_test_device, PLUGPLAY_REGKEY_DEVICE, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key)))
        WdfRegistryClose(key);
    if (NT_SUCCESS(WdfDeviceOpenDevicemapKey(wdf_test_device, &name, KEY_READ, WDF_NO_OBJECT_ATTRIBUTES, &key)))
        WdfRegistryClose(key);
    NTSTATUS status = WdfDeviceAllocAndQueryProperty(wdf_test_device, DevicePropertyDeviceDescription, PagedPool, &attributes, &memory);
    assert_int_equal(destroyed, 0); /* a driver hears nothing of an object that it never had */
    if (NT_SUCCESS(status))
        WdfObjectDelete(memory);
    else
        assert_int_equal(status, STATUS_INSUFFICIENT_RESOURCES);
    one_by_key();
}

static void survives_every_failure(void **state)
{
    (void)state;
    describe();
    one_life(NULL);
    assert_true(ntmm_for_each_failure(one_life, NULL) >= 6);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(a_device_has_keys),
        row(a_drivers_state_is_kept),
        row(the_device_map_has_keys),
        row(a_keys_parent_is_the_driver),
        row(properties_are_those_of_the_physical_device),
        row(a_target_leads_to_a_physical_device),
        row(a_control_device_has_none),
        row(a_property_by_key),
        row(a_property_by_key_before_the_device),
        row(a_property_by_key_is_refused),
        row(stops_at_mistakes),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
