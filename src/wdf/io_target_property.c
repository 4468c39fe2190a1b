/*
 * io_target_property.c - what is known of the device at the bottom of the stack that an I/O target leads to.
 *
 * Locks       the target's lock, to see its device.
 * Source      WDK reference: wdfiotarget.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/device_property.h"
#include "wdf/io_target.h"

NTSTATUS WdfIoTargetQueryTargetProperty(WDFIOTARGET IoTarget, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                        PVOID PropertyBuffer, PULONG ResultLength)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    WDF_REQUIRE(ResultLength);
    if (BufferLength != 0)
        WDF_REQUIRE(PropertyBuffer);
    PDEVICE_OBJECT physical = wdf_io_target_physical(target);
    return physical != NULL ? IoGetDeviceProperty(physical, DeviceProperty, BufferLength, PropertyBuffer, ResultLength)
                            : STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS WdfIoTargetAllocAndQueryTargetProperty(WDFIOTARGET IoTarget, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                                PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    WDF_REQUIRE(PropertyMemory);
    *PropertyMemory = NULL;
    wdf_property_t property = { .physical = wdf_io_target_physical(target), .number = DeviceProperty };
    return wdf_property_memory(&property, PoolType, PropertyMemoryAttributes, PropertyMemory);
}
