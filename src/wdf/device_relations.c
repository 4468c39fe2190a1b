/*
 * device_relations.c - devices that a driver names, since they go along with one of its own: with a PDO that is ejected, with any device that is
 * removed. The PnP manager asks for them by itself before it does so (relations.c answers).
 *
 * Locks       those of the lists.
 * Source      WDK reference: wdfpdo.h, wdfdevice.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/pdo.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

NTSTATUS WdfPdoAddEjectionRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PhysicalDevice);
    return device->pdo != NULL ? wdf_relations_add(&device->pdo->ejection, PhysicalDevice, tag_of(device)) : STATUS_INVALID_PARAMETER;
}

VOID WdfPdoRemoveEjectionRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PhysicalDevice);
    if (device->pdo != NULL)
        wdf_relations_remove(&device->pdo->ejection, PhysicalDevice, tag_of(device));
    else
        (void)ke_error(0, "%s: the device is no PDO", __func__);
}

VOID WdfPdoClearEjectionRelationsDevices(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    if (device->pdo != NULL)
        wdf_relations_clear(&device->pdo->ejection, tag_of(device));
    else
        (void)ke_error(0, "%s: the device is no PDO", __func__);
}

NTSTATUS WdfDeviceAddRemovalRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PhysicalDevice);
    return wdf_relations_add(&device->removal, PhysicalDevice, tag_of(device));
}

VOID WdfDeviceRemoveRemovalRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PhysicalDevice);
    wdf_relations_remove(&device->removal, PhysicalDevice, tag_of(device));
}

VOID WdfDeviceClearRemovalRelationsDevices(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    wdf_relations_clear(&device->removal, tag_of(device));
}
