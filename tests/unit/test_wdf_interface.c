/*
 * test_wdf_interface.c - device interfaces of framework devices: who finds them when, what their names are, refusals; nothing left.
 */
#include "../support/wdf_device.h"

#include <initguid.h>
#include <wdmguid.h>

#include <wdfcontrol.h>
#include <wdfstring.h>

static const GUID class_one = { 1, 2, 3, { 4 } }, class_two = { 5, 6, 7, { 8 } };

static UNICODE_STRING port_a = RTL_CONSTANT_STRING(L"PortA"), upper = RTL_CONSTANT_STRING(L"PORTA");

static NTSTATUS make_interfaces(WDFDEVICE device)
{
    NTSTATUS status = WdfDeviceCreateDeviceInterface(device, &class_one, NULL);
    if (NT_SUCCESS(status))
        status = WdfDeviceCreateDeviceInterface(device, &class_two, &port_a);
    return status;
}

/* Loaded, added, not started. */
static int setup(void **state)
{
    wdf_device_init = NULL;
    wdf_device_made = make_interfaces;
    return ntmm_cmocka_setup(state) != 0 || !NT_SUCCESS(wdf_test_load()) ? -1 : 0;
}

static NTSTATUS start(void) { return ntmm_pnp_start(ntmm_device_object(wdf_test_bus_device), NULL, 0); }
static NTSTATUS take_away(bool surprise)
{
    PDEVICE_OBJECT physical = ntmm_device_object(wdf_test_bus_device);
    NTSTATUS       status = surprise ? ntmm_pnp_surprise_remove(physical) : ntmm_pnp_remove(physical);
    wdf_test_device = NULL;
    return status;
}

/* How many of the class are enabled. */
static unsigned count_of(const GUID *class_guid)
{
    PZZWSTR  list;
    unsigned count = 0;
    assert_int_equal(IoGetDeviceInterfaces(class_guid, NULL, 0, &list), STATUS_SUCCESS);
    for (PWSTR at = list; *at != 0; at += wcslen(at) + 1)
        count++;
    ExFreePool(list);
    return count;
}

/* ---- when they are there ---- */

static void they_come_with_the_start_and_go_with_the_device(void **state)
{
    (void)state;
    assert_int_equal(count_of(&class_one), 0);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_one), 1);
    assert_int_equal(count_of(&class_two), 1);
    assert_int_equal(ntmm_pnp_stop(ntmm_device_object(wdf_test_bus_device)), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_one), 1); /* a stop is no removal */
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(take_away(false), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_one), 0);
    assert_int_equal(count_of(&class_two), 0);
}

static void a_surprise_takes_them_away(void **state)
{
    (void)state;
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(wdf_test_pnp(IRP_MN_SURPRISE_REMOVAL, NULL), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_one), 0); /* although the device is not removed yet */
}

static unsigned arrivals, removals;

static NTSTATUS told(PVOID what, PVOID context)
{
    const DEVICE_INTERFACE_CHANGE_NOTIFICATION *change = what;
    (void)context;
    arrivals += IsEqualGUID(&change->Event, &GUID_DEVICE_INTERFACE_ARRIVAL) ? 1 : 0;
    removals += IsEqualGUID(&change->Event, &GUID_DEVICE_INTERFACE_REMOVAL) ? 1 : 0;
    return STATUS_SUCCESS;
}

static void who_asked_is_told(void **state)
{
    PVOID entry;
    (void)state;
    arrivals = removals = 0;
    assert_int_equal(IoRegisterPlugPlayNotification(EventCategoryDeviceInterfaceChange, 0, (PVOID)(uintptr_t)&class_one, wdf_test_driver,
                                                    told, NULL, &entry),
                     STATUS_SUCCESS);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(arrivals, 1);
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_one, NULL, FALSE);
    assert_int_equal(removals, 1);
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_one, NULL, FALSE); /* it is so already */
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_one, NULL, TRUE);
    assert_int_equal(arrivals, 2);
    assert_int_equal(take_away(true), STATUS_SUCCESS);
    assert_int_equal(removals, 2);
    assert_int_equal(IoUnregisterPlugPlayNotification(entry), STATUS_SUCCESS);
}

static void one_may_stay_disabled(void **state)
{
    (void)state;
    WdfDeviceSetDeviceInterfaceStateEx(wdf_test_device, &class_two, &port_a, FALSE);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_one), 1);
    assert_int_equal(count_of(&class_two), 0);
    WdfDeviceSetDeviceInterfaceStateEx(wdf_test_device, &class_two, &port_a, TRUE);
    assert_int_equal(count_of(&class_two), 1);
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_two, NULL, FALSE); /* with another reference string: there is none such */
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_two, &upper, FALSE);
    assert_int_equal(count_of(&class_two), 1);
}

static void one_that_is_made_later_the_driver_enables(void **state)
{
    (void)state;
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceCreateDeviceInterface(wdf_test_device, &class_two, NULL), STATUS_SUCCESS);
    assert_int_equal(count_of(&class_two), 1);
    WdfDeviceSetDeviceInterfaceState(wdf_test_device, &class_two, NULL, TRUE);
    assert_int_equal(count_of(&class_two), 2);
}

/* ---- names ---- */

static void the_name_opens_the_device(void **state)
{
    WDFSTRING         string;
    UNICODE_STRING    name;
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK   block;
    HANDLE            file;
    (void)state;
    assert_int_equal(WdfStringCreate(NULL, WDF_NO_OBJECT_ATTRIBUTES, &string), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceRetrieveDeviceInterfaceString(wdf_test_device, &class_two, NULL, string), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(WdfDeviceRetrieveDeviceInterfaceString(wdf_test_device, &class_two, &port_a, string), STATUS_SUCCESS);
    WdfStringGetUnicodeString(string, &name);
    assert_memory_equal(name.Buffer + (name.Length - port_a.Length) / sizeof(WCHAR), port_a.Buffer, port_a.Length);
    InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    assert_int_equal(ZwOpenFile(&file, GENERIC_READ, &attributes, &block, 0, FILE_NON_DIRECTORY_FILE), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(ZwOpenFile(&file, GENERIC_READ, &attributes, &block, 0, FILE_NON_DIRECTORY_FILE), STATUS_SUCCESS);
    assert_int_equal(ZwClose(file), STATUS_SUCCESS);
    WdfObjectDelete(string);
}

static NTSTATUS open_link(PUNICODE_STRING name)
{
    OBJECT_ATTRIBUTES attributes;
    IO_STATUS_BLOCK   block;
    HANDLE            file;
    InitializeObjectAttributes(&attributes, name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS status = ZwOpenFile(&file, GENERIC_READ, &attributes, &block, 0, FILE_NON_DIRECTORY_FILE);
    if (NT_SUCCESS(status))
        assert_int_equal(ZwClose(file), STATUS_SUCCESS);
    return status;
}

/* A function device has no name of its own, as a rule: its link leads to that of the physical device. */
static void a_device_without_a_name_has_a_link(void **state)
{
    UNICODE_STRING link = RTL_CONSTANT_STRING(L"\\DosDevices\\COM7"), other = RTL_CONSTANT_STRING(L"\\DosDevices\\COM8"), empty = { 0 };
    (void)state;
    assert_int_equal(WdfDeviceCreateSymbolicLink(wdf_test_device, &empty), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfDeviceCreateSymbolicLink(wdf_test_device, &link), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceCreateSymbolicLink(wdf_test_device, &other), STATUS_INVALID_DEVICE_REQUEST); /* one will do */
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(open_link(&link), STATUS_SUCCESS);
    assert_int_equal(wdf_test_pnp(IRP_MN_SURPRISE_REMOVAL, NULL), STATUS_SUCCESS);
    assert_int_equal(open_link(&link), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* ---- mistakes, failures ---- */

static WDFDEVICE control_device(void)
{
    static const UNICODE_STRING sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)");
    PWDFDEVICE_INIT             init = WdfControlDeviceInitAllocate(WdfDeviceGetDriver(wdf_test_device), &sddl);
    WDFDEVICE                   device;
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &device), STATUS_SUCCESS);
    return device;
}

static void refuses_what_is_none(void **state)
{
    UNICODE_STRING odd = { .Length = 3, .MaximumLength = 4, .Buffer = port_a.Buffer };
    WDFSTRING      string;
    WDFDEVICE      control = control_device();
    (void)state;
    assert_int_equal(WdfDeviceCreateSymbolicLink(control, &port_a), STATUS_INVALID_DEVICE_STATE); /* it has no name */
    assert_int_equal(WdfDeviceCreateDeviceInterface(wdf_test_device, &class_one, &odd), STATUS_INVALID_PARAMETER);
    assert_int_equal(WdfDeviceCreateDeviceInterface(control, &class_one, NULL), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfStringCreate(NULL, WDF_NO_OBJECT_ATTRIBUTES, &string), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceRetrieveDeviceInterfaceString(control, &class_one, NULL, string), STATUS_INVALID_DEVICE_REQUEST);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfDeviceCreateDeviceInterface(wdf_test_device, NULL, NULL));
}

static void stops_above_passive_level(void **state)
{
    KIRQL irql;
    (void)state;
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfDeviceSetDeviceInterfaceStateEx(wdf_test_device, &class_one, NULL, FALSE));
}

static void a_start_that_fails_enables_none(void **state)
{
    (void)state;
    WdfDeviceSetFailed(wdf_test_device, WdfDeviceFailedNoRestart);
    assert_false(NT_SUCCESS(start()));
    assert_int_equal(count_of(&class_one), 0);
}

/* A refusal inside IoGetDeviceInterfaces would be this test's own. */
static void survives_refused_memory(void **state)
{
    (void)state;
    wdf_test_unload();
    for (uint64_t nth = 1; nth < 30; nth++) {
        ntmm_fail_allocation(nth);
        NTSTATUS status = wdf_test_load();
        ntmm_fail_allocation(0);
        if (NT_SUCCESS(status))
            assert_int_equal(start(), STATUS_SUCCESS);
        assert_int_equal(count_of(&class_one), NT_SUCCESS(status) ? 1 : 0);
        wdf_test_unload();
        assert_int_equal(count_of(&class_one), 0);
    }
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(they_come_with_the_start_and_go_with_the_device),
        row(a_surprise_takes_them_away),
        row(who_asked_is_told),
        row(one_may_stay_disabled),
        row(one_that_is_made_later_the_driver_enables),
        row(the_name_opens_the_device),
        row(a_device_without_a_name_has_a_link),
        row(refuses_what_is_none),
        row(stops_above_passive_level),
        row(a_start_that_fails_enables_none),
        row(survives_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
