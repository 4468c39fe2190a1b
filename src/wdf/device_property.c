/*
 * device_property.c - what is known of a device below a driver: into a buffer, or as a memory object of the right size.
 *
 *     WdfDeviceQueryProperty, WdfFdoInitQueryProperty                    IoGetDeviceProperty                        io/device_property.c
 *     WdfDeviceAllocAndQueryProperty, WdfFdoInitAllocAndQueryProperty    twice: how many bytes, then the bytes
 *
 * By key: device_property_key.c. Of an I/O target: io_target_property.c.
 *
 * Locks       none. What grows between the two questions is STATUS_BUFFER_TOO_SMALL.
 * Source      WDK reference: wdfdevice.h, wdffdo.h, the pages of the routines; KMDF 1.33 (the order of the checks, a property without bytes).
 */
#include "wdf/device_property.h"

#include <wdffdo.h>

#include "wdf/device.h"

static NTSTATUS ask(wdf_property_t *property, ULONG length, PVOID buffer, ULONG *bytes)
{
    const WDF_DEVICE_PROPERTY_DATA *data = property->by_key;
    if (data == NULL)
        return IoGetDeviceProperty(property->physical, property->number, length, buffer, bytes);
    return IoGetDevicePropertyData(property->physical, data->PropertyKey, data->Lcid, data->Flags, length, buffer, bytes, &property->type);
}

NTSTATUS wdf_property_memory(wdf_property_t *property, POOL_TYPE pool, PWDF_OBJECT_ATTRIBUTES attributes, WDFMEMORY *memory)
{
    ULONG     bytes = 0;
    WDFMEMORY made;
    PVOID     buffer;
    NTSTATUS  status = wdf_attributes_check(attributes, 0);
    if (NT_SUCCESS(status) && property->physical == NULL)
        status = STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status))
        return status;
    status = ask(property, 0, NULL, &bytes);
    if (status != STATUS_BUFFER_TOO_SMALL)
        return status;
    status = WdfMemoryCreate(attributes, pool, 0, bytes, &made, &buffer);
    if (!NT_SUCCESS(status))
        return status;
    status = ask(property, bytes, buffer, &bytes);
    if (!NT_SUCCESS(status)) {
        wdf_object_forget_callbacks((wdf_object_t *)(void *)made);
        wdf_object_delete((wdf_object_t *)(void *)made);
        return status;
    }
    *memory = made;
    return status;
}

NTSTATUS WdfDeviceQueryProperty(WDFDEVICE Device, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength, PVOID PropertyBuffer,
                                PULONG ResultLength)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(ResultLength);
    if (BufferLength != 0)
        WDF_REQUIRE(PropertyBuffer);
    return device->physical == NULL ? STATUS_INVALID_DEVICE_REQUEST
                                    : IoGetDeviceProperty(device->physical, DeviceProperty, BufferLength, PropertyBuffer, ResultLength);
}

NTSTATUS WdfDeviceAllocAndQueryProperty(WDFDEVICE Device, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                        PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(PropertyMemory);
    *PropertyMemory = NULL;
    wdf_property_t property = { .physical = device->physical, .number = DeviceProperty };
    return wdf_property_memory(&property, PoolType, PropertyMemoryAttributes, PropertyMemory);
}

/* ---- before the device is made ---- */

NTSTATUS WdfFdoInitQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                 PVOID PropertyBuffer, PULONG ResultLength)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(ResultLength);
    if (BufferLength != 0)
        WDF_REQUIRE(PropertyBuffer);
    return DeviceInit->physical == NULL
               ? STATUS_INVALID_DEVICE_REQUEST
               : IoGetDeviceProperty(DeviceInit->physical, DeviceProperty, BufferLength, PropertyBuffer, ResultLength);
}

NTSTATUS WdfFdoInitAllocAndQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                         PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(PropertyMemory);
    *PropertyMemory = NULL;
    wdf_property_t property = { .physical = DeviceInit->physical, .number = DeviceProperty };
    return wdf_property_memory(&property, PoolType, PropertyMemoryAttributes, PropertyMemory);
}
