/*
 * device_resources.c - a device's resources for EvtDevicePrepareHardware: what IRP_MN_START_DEVICE brought, as two lists, raw and translated. They
 * go when EvtDeviceReleaseHardware has returned.
 *
 * Source      WDK reference: EVT_WDF_DEVICE_PREPARE_HARDWARE.
 * Fidelity    the lists can be read and not changed; adding to them is for EvtDeviceFilterRemoveResourceRequirements and its like, which are absent.
 */
#include "wdf/device_resources.h"
#include "wdf/resource_list.h"

static NTSTATUS fill(wdf_device_t *device, WDFCMRESLIST *list, PCM_RESOURCE_LIST from)
{
    wdf_object_t *made = (wdf_object_t *)*list;
    NTSTATUS      status = made == NULL ? wdf_cm_list_new(&device->object, &made) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status))
        return status;
    *list = (WDFCMRESLIST)made;
    return wdf_cm_list_fill(made, from, WDF_RESOURCES_READ);
}

static NTSTATUS resources(wdf_device_t *device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated)
{
    NTSTATUS status = fill(device, &device->raw, raw);
    return NT_SUCCESS(status) ? fill(device, &device->translated, translated) : status;
}

const wdf_device_part_t wdf_resources_part = { .number = WDF_PART_RESOURCES, .resources = resources };
