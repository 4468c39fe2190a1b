/*
 * dispatch.c - every IRP of a framework driver begins here.
 *
 *     wdf_dispatch
 *      |- the driver's preprocess callback, if it has one for that function     and perhaps back by WdfDeviceWdmDispatchPreprocessedIrp
 *      |- Plug and Play, power      device_pnp.c
 *      |- WMI                       wmi_dispatch.c
 *      |- a part takes it           requests, files
 *      `- nobody does               files are opened and closed, a filter passes on, the rest is STATUS_INVALID_DEVICE_REQUEST
 *
 * Locks       none.
 * Source      WDK reference: "How Framework-Based Drivers Handle IRPs", "Preprocessing and Postprocessing IRPs"; KMDF 1.33.
 * Fidelity    no remove lock: removal waits for nobody.
 */
#include "wdf/device.h"
#include "wdf/driver_object.h"

NTSTATUS wdf_device_complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

/* A physical device object without a bus driver behind it: whatever comes to it is right. */
static bool is_bare(const DEVICE_OBJECT *device)
{
    return device->DriverObject == NULL || device->DriverObject->MajorFunction[IRP_MJ_PNP] == NULL;
}

static bool is_of_system(const IRP *irp)
{
    UCHAR major = IoGetCurrentIrpStackLocation((PIRP)(uintptr_t)irp)->MajorFunction;
    return major == IRP_MJ_PNP || major == IRP_MJ_POWER;
}

/* A PDO is the bottom: the IRP is complete with what it has come with, or was given. */
NTSTATUS wdf_device_pass_on(wdf_device_t *device, PIRP irp)
{
    if (device->pdo != NULL)
        return wdf_device_complete(irp, irp->IoStatus.Status);
    if (device->below == NULL || is_bare(device->below))
        return wdf_device_complete(irp, is_of_system(irp) ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST);
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(device->below, irp);
}

static NTSTATUS came_back(PDEVICE_OBJECT wdm, PIRP irp, PVOID event)
{
    (void)wdm;
    if (irp->PendingReturned)
        (void)KeSetEvent(event, IO_NO_INCREMENT, FALSE);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

NTSTATUS wdf_device_send_and_wait(wdf_device_t *device, PIRP irp)
{
    KEVENT event;
    if (device->below == NULL || is_bare(device->below)) {
        irp->IoStatus.Status = is_of_system(irp) ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
        return irp->IoStatus.Status;
    }
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    IoCopyCurrentIrpStackLocationToNext(irp);
    IoSetCompletionRoutine(irp, came_back, &event, TRUE, TRUE, TRUE);
    if (IoCallDriver(device->below, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    return irp->IoStatus.Status;
}

/* ---- what nobody takes ---- */

static NTSTATUS nobody_takes(wdf_device_t *device, PIRP irp)
{
    UCHAR major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
    irp->IoStatus.Information = 0;
    if (device->setup.is_filter)
        return wdf_device_pass_on(device, irp);
    bool is_of_file = major == IRP_MJ_CREATE || major == IRP_MJ_CLEANUP || major == IRP_MJ_CLOSE;
    return wdf_device_complete(irp, is_of_file ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST);
}

static NTSTATUS shutdown_notified(wdf_device_t *device, PIRP irp)
{
    if (device->setup.shutdown != NULL) {
        wdf_call_t call = wdf_call_begin(device->object.driver);
        device->setup.shutdown(wdf_device_handle(device));
        WDF_CALL_END(&call, device->setup.shutdown);
    }
    return wdf_device_complete(irp, STATUS_SUCCESS);
}

static NTSTATUS dispatch(wdf_device_t *device, PIRP irp)
{
    NTSTATUS status = STATUS_SUCCESS;
    UCHAR    major = IoGetCurrentIrpStackLocation(irp)->MajorFunction;
    if (major == IRP_MJ_PNP && !device->setup.is_control)
        return wdf_device_pnp(device, irp);
    if (major == IRP_MJ_POWER && !device->setup.is_control)
        return wdf_device_power(device, irp);
    if (major == IRP_MJ_SYSTEM_CONTROL)
        return wdf_wmi_dispatch(device, irp);
    if (major == IRP_MJ_SHUTDOWN && device->setup.is_control)
        return shutdown_notified(device, irp);
    for (size_t i = 0; wdf_device_parts[i] != NULL; i++)
        if (wdf_device_parts[i]->dispatch != NULL && wdf_device_parts[i]->dispatch(device, irp, &status))
            return status;
    return nobody_takes(device, irp);
}

/* ---- the driver comes first ---- */

static NTSTATUS preprocess(wdf_device_t *device, PIRP irp, PFN_WDFDEVICE_WDM_IRP_PREPROCESS callback)
{
    wdf_call_t call = wdf_call_begin(device->object.driver);
    NTSTATUS   status = callback(wdf_device_handle(device), irp);
    WDF_CALL_END(&call, callback);
    return status;
}

NTSTATUS wdf_dispatch(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    wdf_device_t            *device = wdf_device_of(DeviceObject);
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(Irp);
    if (device == NULL)
        return wdf_device_complete(Irp, STATUS_INVALID_DEVICE_REQUEST); /* a PDO that is gone, and its stack still stands */
    const wdf_preprocess_t *wanted = &device->setup.preprocess[location->MajorFunction];
    bool                    has_minors = location->MajorFunction == IRP_MJ_PNP || location->MajorFunction == IRP_MJ_POWER;
    if (wanted->callback != NULL && (!has_minors || (wanted->minors >> (location->MinorFunction & 31) & 1) != 0))
        return preprocess(device, Irp, wanted->callback);
    return dispatch(device, Irp);
}

NTSTATUS WdfDeviceWdmDispatchPreprocessedIrp(WDFDEVICE Device, PIRP Irp)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(Irp);
    IoSetNextIrpStackLocation(Irp); /* the driver has skipped or copied its own */
    IoGetCurrentIrpStackLocation(Irp)->DeviceObject = device->wdm;
    return dispatch(device, Irp);
}
