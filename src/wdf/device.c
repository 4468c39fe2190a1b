/*
 * device.c - what a driver asks a device, or tells it, when it exists.
 *
 * Locks       none: the fields are the driver's affair, one IRP of Plug and Play or power at a time.
 * Source      WDK reference: wdfdevice.h, the pages of the routines.
 * Fidelity    devices never wake the system.
 */
#include "wdf/device.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

/* ---- device objects ---- */

PDEVICE_OBJECT wdf_device_known(const wdf_device_t *device)
{
    PDEVICE_OBJECT physical = device->physical;
    bool           is_object = physical != NULL && physical->DeviceObjectExtension != NULL; /* else its test made it */
    return is_object && (physical->Flags & DO_BUS_ENUMERATED_DEVICE) != 0 ? physical : NULL;
}

void wdf_device_invalidate_relations(const wdf_device_t *device)
{
    PDEVICE_OBJECT known = wdf_device_known(device);
    if (known != NULL)
        IoInvalidateDeviceRelations(known, BusRelations);
}

WDFDEVICE WdfWdmDeviceGetWdfDeviceHandle(PDEVICE_OBJECT DeviceObject)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    WDF_REQUIRE(DeviceObject);
    bool is_ours =
        DeviceObject->DriverObject != NULL && wdf_driver_of(DeviceObject->DriverObject) != NULL && DeviceObject->DeviceExtension != NULL;
    return is_ours ? wdf_device_handle(wdf_device_of(DeviceObject)) : NULL;
}

PDEVICE_OBJECT WdfDeviceWdmGetDeviceObject(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return DEVICE(Device)->wdm;
}
PDEVICE_OBJECT WdfDeviceWdmGetAttachedDevice(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return DEVICE(Device)->below;
}
PDEVICE_OBJECT WdfDeviceWdmGetPhysicalDevice(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return DEVICE(Device)->physical;
}
WDFDRIVER WdfDeviceGetDriver(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return DEVICE(Device)->object.driver->globals.Driver;
}
VOID WdfDeviceSetAlignmentRequirement(WDFDEVICE Device, ULONG AlignmentRequirement)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    DEVICE(Device)->wdm->AlignmentRequirement = AlignmentRequirement;
}
ULONG WdfDeviceGetAlignmentRequirement(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    return DEVICE(Device)->wdm->AlignmentRequirement;
}
VOID WdfDeviceSetCharacteristics(WDFDEVICE Device, ULONG DeviceCharacteristics)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    DEVICE(Device)->wdm->Characteristics = DeviceCharacteristics;
}
ULONG WdfDeviceGetCharacteristics(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    return DEVICE(Device)->wdm->Characteristics;
}

/* ---- states ---- */

WDF_DEVICE_PNP_STATE WdfDeviceGetDevicePnpState(WDFDEVICE Device)
{
    static const WDF_DEVICE_PNP_STATE states[] = {
        [WDF_DEVICE_MADE] = WdfDevStatePnpObjectCreated,       [WDF_DEVICE_STARTED] = WdfDevStatePnpStarted,
        [WDF_DEVICE_STOPPED] = WdfDevStatePnpStopped,          [WDF_DEVICE_SURPRISE_REMOVED] = WdfDevStatePnpSurpriseRemove,
        [WDF_DEVICE_REMOVED] = WdfDevStatePnpRemoved,          [WDF_DEVICE_FAILED] = WdfDevStatePnpFailed,
        [WDF_DEVICE_PDO_WAITS] = WdfDevStatePnpRemovedPdoWait,
    };
    WDF_ENTER(DISPATCH_LEVEL, WdfDevStatePnpInvalid);
    return states[DEVICE(Device)->state];
}
WDF_DEVICE_POWER_STATE WdfDeviceGetDevicePowerState(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, WdfDevStatePowerInvalid);
    const wdf_device_t *device = DEVICE(Device);
    return device->in_d0 ? WdfDevStatePowerD0 : device->power == WdfPowerDeviceD3Final ? WdfDevStatePowerObjectCreated : WdfDevStatePowerDx;
}
VOID WdfDeviceGetDeviceState(WDFDEVICE Device, PWDF_DEVICE_STATE DeviceState)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    const wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(DeviceState);
    *DeviceState = device->pnp_state;
}
VOID WdfDeviceSetDeviceState(WDFDEVICE Device, PWDF_DEVICE_STATE DeviceState)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(DeviceState);
    if (DeviceState->Size != sizeof *DeviceState) {
        (void)ke_error(0, "%s: Size is %u, and should be %zu", __func__, DeviceState->Size, sizeof *DeviceState);
        return;
    }
    device->pnp_state = *DeviceState;
    if (wdf_device_known(device) != NULL)
        IoInvalidateDeviceState(device->physical);
}
VOID WdfDeviceSetFailed(WDFDEVICE Device, WDF_DEVICE_FAILED_ACTION FailedAction)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    device->has_failed = true;
    device->pnp_state.Failed = WdfTrue;
    (void)FailedAction;
}
VOID WdfDeviceSetStaticStopRemove(WDFDEVICE Device, BOOLEAN Stoppable)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    DEVICE(Device)->is_stoppable = Stoppable != FALSE;
}
VOID WdfDeviceSetSpecialFileSupport(WDFDEVICE Device, WDF_SPECIAL_FILE_TYPE FileType, BOOLEAN FileTypeIsSupported)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    (void)DEVICE(Device), (void)FileType, (void)FileTypeIsSupported;
}

/* ---- sleep; idleness is device_idle.c ---- */

NTSTATUS WdfDeviceAssignSxWakeSettings(WDFDEVICE Device, PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS Settings)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    (void)DEVICE(Device);
    WDF_REQUIRE(Settings);
    if (Settings->Size != sizeof *Settings)
        return STATUS_INFO_LENGTH_MISMATCH;
    return Settings->DxState > PowerDeviceD0 && Settings->DxState <= PowerDeviceMaximum ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}
