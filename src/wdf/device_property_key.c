/*
 * device_property_key.c - the same of the unified model of properties: known by a DEVPROPKEY, with a type, in a language perhaps.
 *
 *     WdfDeviceQueryPropertyEx, WdfFdoInitQueryPropertyEx                    IoGetDevicePropertyData    io/device_property_data.c
 *     WdfDeviceAllocAndQueryPropertyEx, WdfFdoInitAllocAndQueryPropertyEx    twice, as device_property.c does
 *     WdfDeviceAssignProperty                                                IoSetDevicePropertyData
 *
 * Source      WDK reference: wdfdevice.h, wdffdo.h, the pages of the routines; KMDF 1.33 (the order of the checks).
 */
#include "wdf/device_property.h"

#include <wdffdo.h>

#include "wdf/device.h"

static NTSTATUS check(const WDF_DEVICE_PROPERTY_DATA *data)
{
    return data->Size == sizeof *data ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}

/* Bytes and a place for them come together, or neither does. */
static NTSTATUS query(PDEVICE_OBJECT physical, const WDF_DEVICE_PROPERTY_DATA *data, ULONG length, PVOID buffer, PULONG needed,
                      PDEVPROPTYPE type)
{
    if ((length == 0) != (buffer == NULL))
        return STATUS_INVALID_PARAMETER;
    return physical == NULL ? STATUS_INVALID_DEVICE_REQUEST
                            : IoGetDevicePropertyData(physical, data->PropertyKey, data->Lcid, data->Flags, length, buffer, needed, type);
}

static NTSTATUS query_memory(PDEVICE_OBJECT physical, const WDF_DEVICE_PROPERTY_DATA *data, POOL_TYPE pool,
                             PWDF_OBJECT_ATTRIBUTES attributes, WDFMEMORY *memory, PDEVPROPTYPE type)
{
    wdf_property_t property = { .physical = physical, .by_key = data };
    NTSTATUS       status = wdf_property_memory(&property, pool, attributes, memory);
    *type = NT_SUCCESS(status) ? property.type : DEVPROP_TYPE_EMPTY;
    return status;
}

NTSTATUS WdfDeviceQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, ULONG BufferLength, PVOID PropertyBuffer,
                                  PULONG RequiredSize, PDEVPROPTYPE Type)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(DeviceProperty);
    NTSTATUS status = check(DeviceProperty);
    if (!NT_SUCCESS(status))
        return status;
    WDF_REQUIRE(RequiredSize);
    WDF_REQUIRE(Type);
    return query(device->physical, DeviceProperty, BufferLength, PropertyBuffer, RequiredSize, Type);
}

NTSTATUS WdfDeviceAllocAndQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                          PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory, PDEVPROPTYPE Type)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(DeviceProperty);
    NTSTATUS status = check(DeviceProperty);
    if (!NT_SUCCESS(status))
        return status;
    WDF_REQUIRE(PropertyMemory);
    WDF_REQUIRE(Type);
    *PropertyMemory = NULL;
    return query_memory(device->physical, DeviceProperty, PoolType, PropertyMemoryAttributes, PropertyMemory, Type);
}

NTSTATUS WdfDeviceAssignProperty(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, DEVPROPTYPE Type, ULONG BufferLength,
                                 PVOID PropertyBuffer)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(DeviceProperty);
    NTSTATUS status = check(DeviceProperty);
    if (!NT_SUCCESS(status))
        return status;
    if (BufferLength == 0 && PropertyBuffer != NULL)
        return STATUS_INVALID_PARAMETER;
    return device->physical == NULL ? STATUS_INVALID_DEVICE_REQUEST
                                    : IoSetDevicePropertyData(device->physical, DeviceProperty->PropertyKey, DeviceProperty->Lcid,
                                                              DeviceProperty->Flags, Type, BufferLength, PropertyBuffer);
}

/* ---- before the device is made ---- */

NTSTATUS WdfFdoInitQueryPropertyEx(PWDFDEVICE_INIT DeviceInit, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, ULONG BufferLength,
                                   PVOID PropertyBuffer, PULONG ResultLength, PDEVPROPTYPE Type)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(DeviceProperty);
    NTSTATUS status = check(DeviceProperty);
    if (!NT_SUCCESS(status))
        return status;
    WDF_REQUIRE(ResultLength);
    WDF_REQUIRE(Type);
    return query(DeviceInit->physical, DeviceProperty, BufferLength, PropertyBuffer, ResultLength, Type);
}

NTSTATUS WdfFdoInitAllocAndQueryPropertyEx(PWDFDEVICE_INIT DeviceInit, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                           PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory, PDEVPROPTYPE Type)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(DeviceProperty);
    NTSTATUS status = check(DeviceProperty);
    if (!NT_SUCCESS(status))
        return status;
    WDF_REQUIRE(PropertyMemory);
    WDF_REQUIRE(Type);
    *PropertyMemory = NULL;
    return query_memory(DeviceInit->physical, DeviceProperty, PoolType, PropertyMemoryAttributes, PropertyMemory, Type);
}
