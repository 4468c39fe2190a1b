/*
 * device_key.c - keys that belong to a device or to its driver, as objects: where their settings are.
 *
 *     WdfDeviceOpenRegistryKey, WdfFdoInitOpenRegistryKey   IoOpenDeviceRegistryKey of the physical device          io/registry_device.c
 *     WdfDriverOpenPersistentStateRegistryKey               IoOpenDriverRegistryKey
 *     WdfDeviceOpenDevicemapKey                             \Registry\Machine\Hardware\DeviceMap\..., gone with the boot
 *      `- wdf_key_new                                       the object; its parent is the driver                     key.c
 *
 * Locks       none.
 * Source      WDK reference: wdfdevice.h, wdffdo.h, wdfdriver.h, the pages of the routines; KMDF 1.33 (the order of the checks, the parents).
 */
#include <wdffdo.h>

#include "wdf/device.h"
#include "wdf/driver_object.h"
#include "wdf/key.h"

static NTSTATUS open_of_device(PDEVICE_OBJECT physical, ULONG type, ACCESS_MASK access, PWDF_OBJECT_ATTRIBUTES attributes, WDFKEY *key)
{
    HANDLE   handle = NULL;
    NTSTATUS status = IoOpenDeviceRegistryKey(physical, type, access, &handle);
    return NT_SUCCESS(status) ? wdf_key_new(handle, NULL, attributes, key) : status;
}

NTSTATUS WdfDeviceOpenRegistryKey(WDFDEVICE Device, ULONG DeviceInstanceKeyType, ACCESS_MASK DesiredAccess,
                                  PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(Key);
    *Key = NULL;
    NTSTATUS status = wdf_attributes_check(KeyAttributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status) && device->physical == NULL)
        status = STATUS_INVALID_DEVICE_REQUEST;
    return NT_SUCCESS(status) ? open_of_device(device->physical, DeviceInstanceKeyType, DesiredAccess, KeyAttributes, Key) : status;
}

NTSTATUS WdfFdoInitOpenRegistryKey(PWDFDEVICE_INIT DeviceInit, ULONG DeviceInstanceKeyType, ACCESS_MASK DesiredAccess,
                                   PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(Key);
    *Key = NULL;
    NTSTATUS status = DeviceInit->physical == NULL ? STATUS_INVALID_PARAMETER : wdf_attributes_check(KeyAttributes, 0);
    return NT_SUCCESS(status) ? open_of_device(DeviceInit->physical, DeviceInstanceKeyType, DesiredAccess, KeyAttributes, Key) : status;
}

NTSTATUS WdfDriverOpenPersistentStateRegistryKey(WDFDRIVER Driver, ACCESS_MASK DesiredAccess, PWDF_OBJECT_ATTRIBUTES KeyAttributes,
                                                 WDFKEY *Key)
{
    HANDLE handle = NULL;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_driver_object_t *driver = WDF_FROM(Driver, &wdf_driver_type);
    WDF_REQUIRE(Key);
    *Key = NULL;
    NTSTATUS status = wdf_attributes_check(KeyAttributes, 0);
    if (NT_SUCCESS(status))
        status = IoOpenDriverRegistryKey(driver->object.driver->wdm, DriverRegKeyPersistentState, DesiredAccess, 0, &handle);
    return NT_SUCCESS(status) ? wdf_key_new(handle, NULL, KeyAttributes, Key) : status;
}

/* ---- DeviceMap ---- */

#define DEVICE_MAP L"\\Registry\\Machine\\Hardware\\DeviceMap\\"
#define DEVICE_MAP_CHARACTERS 256 /* of a whole path */

/* The map is always there; what is made in it is gone with the boot. */
static NTSTATUS create_in_map(PCUNICODE_STRING name, ACCESS_MASK access, HANDLE *handle)
{
    WCHAR             text[DEVICE_MAP_CHARACTERS] = DEVICE_MAP;
    UNICODE_STRING    path = { .Buffer = text, .Length = sizeof DEVICE_MAP - sizeof(WCHAR), .MaximumLength = sizeof text };
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, &path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    NTSTATUS status = RtlAppendUnicodeStringToString(&path, name);
    return NT_SUCCESS(status) ? ZwCreateKey(handle, access, &attributes, 0, NULL, REG_OPTION_VOLATILE, NULL) : status;
}

NTSTATUS WdfDeviceOpenDevicemapKey(WDFDEVICE Device, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess,
                                   PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key)
{
    HANDLE handle = NULL;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    (void)WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(Key);
    WDF_REQUIRE(KeyName);
    *Key = NULL;
    NTSTATUS status = wdf_string_check(KeyName);
    if (NT_SUCCESS(status) && KeyName->Length == 0)
        status = STATUS_INVALID_PARAMETER;
    if (NT_SUCCESS(status))
        status = wdf_attributes_check(KeyAttributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status))
        status = create_in_map(KeyName, DesiredAccess, &handle);
    return NT_SUCCESS(status) ? wdf_key_new(handle, NULL, KeyAttributes, Key) : status;
}
