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

typedef struct caller { /* the routine that the driver has called, and where it comes from */
    const char *routine;
    ULONG_PTR   address;
} caller_t;
#define CALLER() ((caller_t){ __func__, KE_CALLER() })

static void require(const caller_t *caller, const void *pointer)
{
    if (NTMM_UNLIKELY(pointer == NULL))
        wdf_stop_null(caller->routine, caller->address);
}

static NTSTATUS check(const caller_t *caller, const WDF_DEVICE_PROPERTY_DATA *data)
{
    require(caller, data);
    return data->Size == sizeof *data ? STATUS_SUCCESS : STATUS_INFO_LENGTH_MISMATCH;
}

/* Bytes and a place for them come together, or neither does. */
static NTSTATUS query(const caller_t caller, PDEVICE_OBJECT physical, const WDF_DEVICE_PROPERTY_DATA *data, ULONG length, PVOID buffer,
                      PULONG needed, PDEVPROPTYPE type)
{
    NTSTATUS status = check(&caller, data);
    if (!NT_SUCCESS(status))
        return status;
    require(&caller, needed);
    require(&caller, type);
    if ((length == 0) != (buffer == NULL))
        return STATUS_INVALID_PARAMETER;
    return physical == NULL ? STATUS_INVALID_DEVICE_REQUEST
                            : IoGetDevicePropertyData(physical, data->PropertyKey, data->Lcid, data->Flags, length, buffer, needed, type);
}

static NTSTATUS query_memory(const caller_t caller, PDEVICE_OBJECT physical, const WDF_DEVICE_PROPERTY_DATA *data, POOL_TYPE pool,
                             PWDF_OBJECT_ATTRIBUTES attributes, WDFMEMORY *memory, PDEVPROPTYPE type)
{
    wdf_property_t property = { .physical = physical, .by_key = data };
    NTSTATUS       status = check(&caller, data);
    if (!NT_SUCCESS(status))
        return status;
    require(&caller, memory);
    require(&caller, type);
    *memory = NULL;
    status = wdf_property_memory(&property, pool, attributes, memory);
    *type = NT_SUCCESS(status) ? property.type : DEVPROP_TYPE_EMPTY;
    return status;
}

NTSTATUS WdfDeviceQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, ULONG BufferLength, PVOID PropertyBuffer,
                                  PULONG RequiredSize, PDEVPROPTYPE Type)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    return query(CALLER(), device->physical, DeviceProperty, BufferLength, PropertyBuffer, RequiredSize, Type);
}

NTSTATUS WdfDeviceAllocAndQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                          PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory, PDEVPROPTYPE Type)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    return query_memory(CALLER(), device->physical, DeviceProperty, PoolType, PropertyMemoryAttributes, PropertyMemory, Type);
}

NTSTATUS WdfDeviceAssignProperty(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, DEVPROPTYPE Type, ULONG BufferLength,
                                 PVOID PropertyBuffer)
{
    WDF_ENTER(APC_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    const caller_t      caller = CALLER();
    NTSTATUS            status = check(&caller, DeviceProperty);
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
    return query(CALLER(), DeviceInit->physical, DeviceProperty, BufferLength, PropertyBuffer, ResultLength, Type);
}

NTSTATUS WdfFdoInitAllocAndQueryPropertyEx(PWDFDEVICE_INIT DeviceInit, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                           PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory, PDEVPROPTYPE Type)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    return query_memory(CALLER(), DeviceInit->physical, DeviceProperty, PoolType, PropertyMemoryAttributes, PropertyMemory, Type);
}
