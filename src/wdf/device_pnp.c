/*
 * device_pnp.c - a device is started, stopped and removed, and goes into and out of D0: which callback of the driver's comes when.
 *
 *     start     | EvtDevicePrepareHardware
 *      D0       |  | EvtDeviceD0Entry, interrupts, EvtDeviceD0EntryPostInterruptsEnabled, DMA, disarming, queues
 *               |  |  | EvtDeviceSelfManagedIoInit, later ..Restart
 *      Dx       |  |  | EvtDeviceSelfManagedIoSuspend
 *               |  | queues, arming, DMA, EvtDeviceD0ExitPreInterruptsDisabled, interrupts, EvtDeviceD0Exit
 *     stop      | EvtDeviceReleaseHardware
 *     removal   children go, what waits in queues fails, EvtDeviceSelfManagedIoFlush, ..Cleanup; the WDFDEVICE is deleted, but for a PDO
 *               that its bus has still
 *
 * Locks       none: there is one such IRP at a time.
 * Source      WDK reference: "PnP and Power Management Scenarios", wdfdevice.h, the pages of the callbacks; KMDF 1.33.
 * Fidelity    the order is theirs; the three state machines behind it are not here. Power follows IRPs for device states; those for
 *             system states are passed on.
 */
#include "wdf/capabilities.h"
#include "wdf/device_io.h"
#include "wdf/driver_object.h"
#include "wdf/pdo.h"
#include "wdf/query_interface.h"

/* ---- parts ---- */

static bool is_interrupt(const wdf_device_part_t *part) { return part->number == WDF_PART_INTERRUPTS; }

static NTSTATUS parts_up(wdf_device_t *device, bool interrupts)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; wdf_device_parts[i] != NULL && NT_SUCCESS(status); i++) {
        if (wdf_device_parts[i]->up == NULL || is_interrupt(wdf_device_parts[i]) != interrupts)
            continue;
        if (wdf_device_parts[i]->number == WDF_PART_IO)
            wdf_wake_disarm(device);
        status = wdf_device_parts[i]->up(device);
    }
    return status;
}

/* A part that is not up does nothing. */
static void parts_down(wdf_device_t *device, bool interrupts, WDF_POWER_DEVICE_STATE target)
{
    size_t count = 0;
    while (wdf_device_parts[count] != NULL)
        count++;
    while (count-- > 0)
        if (wdf_device_parts[count]->down != NULL && is_interrupt(wdf_device_parts[count]) == interrupts)
            wdf_device_parts[count]->down(device, target);
}

static void parts_purge(wdf_device_t *device)
{
    for (size_t i = 0; wdf_device_parts[i] != NULL; i++)
        if (wdf_device_parts[i]->purge != NULL)
            wdf_device_parts[i]->purge(device);
}

static void parts_reopen(wdf_device_t *device)
{
    for (size_t i = 0; wdf_device_parts[i] != NULL; i++)
        if (wdf_device_parts[i]->reopen != NULL)
            wdf_device_parts[i]->reopen(device);
}

static NTSTATUS parts_resources(wdf_device_t *device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (size_t i = 0; wdf_device_parts[i] != NULL && NT_SUCCESS(status); i++)
        if (wdf_device_parts[i]->resources != NULL)
            status = wdf_device_parts[i]->resources(device, raw, translated);
    return status;
}

/* ---- D0 and back ---- */

/* How far a way into D0 has come, and must be undone. */
enum { NOT_ENTERED = 0, ENTERED, HAS_INTERRUPTS, HAS_PARTS };

static void leave_d0_from(wdf_device_t *device, int reached, WDF_POWER_DEVICE_STATE target)
{
    NTSTATUS ignored __attribute__((unused)) = STATUS_SUCCESS; /* nobody can help it */
    if (reached >= HAS_INTERRUPTS) {
        parts_down(device, false, target);
        WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceD0ExitPreInterruptsDisabled, target);
    }
    if (reached >= ENTERED) {
        parts_down(device, true, target);
        WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceD0Exit, target);
    }
    device->in_d0 = false;
    device->power = target;
}

static NTSTATUS begin_io(wdf_device_t *device)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (device->began_io)
        WDF_DEVICE_CALL(device, status, device->setup.pnp.EvtDeviceSelfManagedIoRestart);
    else
        WDF_DEVICE_CALL(device, status, device->setup.pnp.EvtDeviceSelfManagedIoInit);
    device->began_io = true;
    return status;
}

static NTSTATUS enter_d0(wdf_device_t *device)
{
    int      reached = NOT_ENTERED;
    NTSTATUS status = STATUS_SUCCESS;
    WDF_DEVICE_CALL(device, status, device->setup.pnp.EvtDeviceD0Entry, device->power);
    if (NT_SUCCESS(status)) {
        reached = ENTERED;
        status = parts_up(device, true);
    }
    if (NT_SUCCESS(status)) {
        reached = HAS_INTERRUPTS;
        WDF_DEVICE_CALL(device, status, device->setup.pnp.EvtDeviceD0EntryPostInterruptsEnabled, device->power);
    }
    if (NT_SUCCESS(status)) {
        device->in_d0 = true;
        reached = HAS_PARTS;
        status = parts_up(device, false);
    }
    if (NT_SUCCESS(status))
        status = begin_io(device);
    if (NT_SUCCESS(status))
        device->power = WdfPowerDeviceD0;
    else
        leave_d0_from(device, reached, WdfPowerDeviceD3Final);
    return status;
}

static void leave_d0(wdf_device_t *device, WDF_POWER_DEVICE_STATE target)
{
    NTSTATUS ignored __attribute__((unused)) = STATUS_SUCCESS; /* nobody can help it */
    if (!device->in_d0)
        return;
    WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceSelfManagedIoSuspend);
    leave_d0_from(device, HAS_PARTS, target);
}

/* To sleep until it is woken. A device that cannot be armed stays, and its queues go on. */
static NTSTATUS go_to_sleep(wdf_device_t *device, WDF_POWER_DEVICE_STATE target)
{
    NTSTATUS ignored __attribute__((unused)) = STATUS_SUCCESS;
    if (!device->in_d0)
        return STATUS_SUCCESS;
    WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceSelfManagedIoSuspend);
    wdf_io_part.down(device, target);
    NTSTATUS status = wdf_wake_arm(device);
    if (NT_SUCCESS(status)) {
        leave_d0_from(device, HAS_PARTS, target); /* queues that are stopped stay so */
        return status;
    }
    (void)wdf_io_part.up(device);
    WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceSelfManagedIoRestart);
    return status;
}

/* ---- hardware ---- */

static void resources_forget(wdf_device_t *device)
{
    if (device->raw != NULL)
        wdf_object_delete((wdf_object_t *)(void *)device->raw);
    if (device->translated != NULL)
        wdf_object_delete((wdf_object_t *)(void *)device->translated);
    device->raw = device->translated = NULL;
}

static void release_hardware(wdf_device_t *device)
{
    NTSTATUS ignored __attribute__((unused)) = STATUS_SUCCESS; /* nobody can help it */
    if (!device->has_hardware)
        return;
    device->has_hardware = false;
    WDF_DEVICE_CALL(device, ignored, device->setup.pnp.EvtDeviceReleaseHardware, device->translated);
    resources_forget(device);
}

/* Nobody finds it any more. */
static void forget_outside(wdf_device_t *device)
{
    wdf_wmi_deregister(device);
    wdf_device_interfaces_disable(device);
}

static NTSTATUS start(wdf_device_t *device, const IO_STACK_LOCATION *location)
{
    NTSTATUS status = parts_resources(device, location->Parameters.StartDevice.AllocatedResources,
                                      location->Parameters.StartDevice.AllocatedResourcesTranslated);
    device->has_hardware = NT_SUCCESS(status);
    if (NT_SUCCESS(status))
        WDF_DEVICE_CALL(device, status, device->setup.pnp.EvtDevicePrepareHardware, device->raw, device->translated);
    else
        resources_forget(device);
    if (NT_SUCCESS(status))
        status = enter_d0(device);
    if (NT_SUCCESS(status))
        status = device->has_failed ? STATUS_UNSUCCESSFUL : wdf_device_interfaces_enable(device);
    if (NT_SUCCESS(status))
        status = wdf_wmi_register(device);
    if (!NT_SUCCESS(status)) {
        leave_d0(device, WdfPowerDeviceD3Final);
        forget_outside(device);
        release_hardware(device);
    }
    device->state = NT_SUCCESS(status) ? WDF_DEVICE_STARTED : WDF_DEVICE_FAILED;
    if (NT_SUCCESS(status))
        wdf_idle_started(device);
    return status;
}

void wdf_device_retire(wdf_device_t *device)
{
    wdf_idle_stop(device, true);
    leave_d0(device, WdfPowerDeviceD3Final);
    forget_outside(device);
    wdf_device_links_forget(device);
    release_hardware(device);
    wdf_bus_end(device);
    parts_purge(device);
    if (device->began_io) {
        WDF_DEVICE_CALL_VOID(device, device->setup.pnp.EvtDeviceSelfManagedIoFlush);
        WDF_DEVICE_CALL_VOID(device, device->setup.pnp.EvtDeviceSelfManagedIoCleanup);
    }
    device->began_io = false;
    device->state = WDF_DEVICE_REMOVED;
}

/* ---- IRPs ---- */

static NTSTATUS pnp_start(wdf_device_t *device, PIRP irp)
{
    NTSTATUS status = wdf_device_send_and_wait(device, irp);
    if (device->state == WDF_DEVICE_PDO_WAITS) {
        device->has_failed = false;
        parts_reopen(device);
    }
    if (NT_SUCCESS(status))
        status = start(device, IoGetCurrentIrpStackLocation(irp));
    return wdf_device_complete(irp, status);
}

static NTSTATUS pnp_stop(wdf_device_t *device, PIRP irp)
{
    wdf_idle_stop(device, true);
    leave_d0(device, WdfPowerDeviceD3);
    release_hardware(device);
    device->state = WDF_DEVICE_STOPPED;
    irp->IoStatus.Status = STATUS_SUCCESS;
    return wdf_device_pass_on(device, irp);
}

static NTSTATUS pnp_surprise(wdf_device_t *device, PIRP irp)
{
    wdf_idle_stop(device, false);
    WDF_DEVICE_CALL_VOID(device, device->setup.pnp.EvtDeviceSurpriseRemoval);
    if (device->pdo != NULL)
        wdf_pdo_pulled_out(device);
    leave_d0(device, WdfPowerDeviceD3Final);
    forget_outside(device);
    wdf_device_links_forget(device);
    release_hardware(device);
    wdf_bus_lost(device);
    device->state = WDF_DEVICE_SURPRISE_REMOVED;
    irp->IoStatus.Status = STATUS_SUCCESS;
    return wdf_device_pass_on(device, irp);
}

/* Its bus decides whether it goes. */
static NTSTATUS pnp_remove_pdo(wdf_device_t *device, PIRP irp)
{
    if (wdf_pdo_is_gone(device)) {
        wdf_pdo_end(device);
    } else {
        wdf_device_retire(device);
        device->state = WDF_DEVICE_PDO_WAITS;
    }
    return wdf_device_complete(irp, STATUS_SUCCESS);
}

/* The device object goes with the WDFDEVICE. */
static NTSTATUS pnp_remove(wdf_device_t *device, PIRP irp)
{
    wdf_device_retire(device);
    irp->IoStatus.Status = STATUS_SUCCESS;
    NTSTATUS status = wdf_device_pass_on(device, irp);
    IoDetachDevice(device->below);
    device->below = NULL;
    wdf_object_delete(&device->object);
    wdf_deferred_flush();
    return status;
}

static NTSTATUS pnp_query(wdf_device_t *device, PIRP irp, EVT_WDF_DEVICE_QUERY_STOP *callback)
{
    NTSTATUS status = device->is_stoppable ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    if (NT_SUCCESS(status))
        WDF_DEVICE_CALL(device, status, callback);
    if (!NT_SUCCESS(status))
        return wdf_device_complete(irp, status);
    irp->IoStatus.Status = STATUS_SUCCESS;
    return wdf_device_pass_on(device, irp);
}

static void tell_relations_query(wdf_device_t *device, DEVICE_RELATION_TYPE type)
{
    if (device->setup.pnp.EvtDeviceRelationsQuery == NULL)
        return;
    wdf_call_t call = wdf_call_begin(device->object.driver);
    device->setup.pnp.EvtDeviceRelationsQuery(wdf_device_handle(device), type);
    WDF_CALL_END(&call, device->setup.pnp.EvtDeviceRelationsQuery);
}

static NTSTATUS pnp_relations(wdf_device_t *device, PIRP irp, DEVICE_RELATION_TYPE type)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (type == BusRelations)
        status = wdf_bus_relations(device, irp);
    else if (type == RemovalRelations)
        irp->IoStatus.Status = status = wdf_relations_answer(&device->removal, irp, device->object.driver->globals.DriverTag);
    return status == STATUS_INSUFFICIENT_RESOURCES ? wdf_device_complete(irp, status) : wdf_device_pass_on(device, irp);
}

static NTSTATUS pnp_capabilities(wdf_device_t *device, PIRP irp, PDEVICE_CAPABILITIES capabilities)
{
    if (!wdf_capabilities_are_known(capabilities))
        return wdf_device_pass_on(device, irp);
    wdf_capabilities_down(device, capabilities);
    NTSTATUS status = wdf_device_send_and_wait(device, irp);
    if (NT_SUCCESS(status))
        wdf_capabilities_up(device, capabilities);
    return wdf_device_complete(irp, status);
}

/* Nobody below need know that question. */
static NTSTATUS pnp_state(wdf_device_t *device, PIRP irp)
{
    NTSTATUS status = device->pdo != NULL ? STATUS_SUCCESS : wdf_device_send_and_wait(device, irp);
    if (status == STATUS_NOT_SUPPORTED) {
        status = STATUS_SUCCESS;
        irp->IoStatus.Information = 0;
    }
    if (NT_SUCCESS(status))
        irp->IoStatus.Information = wdf_pnp_state(device, (PNP_DEVICE_STATE)irp->IoStatus.Information);
    return wdf_device_complete(irp, status);
}

static NTSTATUS pnp_interface(wdf_device_t *device, PIRP irp)
{
    NTSTATUS status;
    if (!wdf_query_interface(device, irp, &status))
        return wdf_device_pass_on(device, irp);
    if (device->pdo == NULL)
        irp->IoStatus.Information = 0;
    return wdf_device_complete(irp, status);
}

NTSTATUS wdf_device_pnp(wdf_device_t *device, PIRP irp)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    NTSTATUS                 status;
    if (location->MinorFunction == IRP_MN_QUERY_DEVICE_RELATIONS)
        tell_relations_query(device, location->Parameters.QueryDeviceRelations.Type);
    if (device->pdo != NULL && wdf_pdo_pnp(device, irp, &status))
        return status;
    switch (location->MinorFunction) {
    case IRP_MN_START_DEVICE: return pnp_start(device, irp);
    case IRP_MN_STOP_DEVICE: return pnp_stop(device, irp);
    case IRP_MN_SURPRISE_REMOVAL: return pnp_surprise(device, irp);
    case IRP_MN_REMOVE_DEVICE: return device->pdo != NULL ? pnp_remove_pdo(device, irp) : pnp_remove(device, irp);
    case IRP_MN_QUERY_STOP_DEVICE: return pnp_query(device, irp, device->setup.pnp.EvtDeviceQueryStop);
    case IRP_MN_QUERY_REMOVE_DEVICE: return pnp_query(device, irp, device->setup.pnp.EvtDeviceQueryRemove);
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE: irp->IoStatus.Status = STATUS_SUCCESS; return wdf_device_pass_on(device, irp);
    case IRP_MN_QUERY_DEVICE_RELATIONS: return pnp_relations(device, irp, location->Parameters.QueryDeviceRelations.Type);
    case IRP_MN_QUERY_CAPABILITIES: return pnp_capabilities(device, irp, location->Parameters.DeviceCapabilities.Capabilities);
    case IRP_MN_QUERY_PNP_DEVICE_STATE: return pnp_state(device, irp);
    case IRP_MN_QUERY_INTERFACE: return pnp_interface(device, irp);
    default: return wdf_device_pass_on(device, irp);
    }
}

/* ---- power ---- */

static WDF_POWER_DEVICE_STATE state_of(DEVICE_POWER_STATE state)
{
    return state == PowerDeviceD0   ? WdfPowerDeviceD0
           : state == PowerDeviceD1 ? WdfPowerDeviceD1
           : state == PowerDeviceD2 ? WdfPowerDeviceD2
                                    : WdfPowerDeviceD3;
}

static NTSTATUS to_d0(wdf_device_t *device, PIRP irp)
{
    NTSTATUS status = wdf_device_send_and_wait(device, irp);
    if (NT_SUCCESS(status) && device->state == WDF_DEVICE_STARTED && !device->in_d0)
        status = enter_d0(device);
    if (NT_SUCCESS(status) && device->in_d0 && !wdf_idle_moves(device))
        wdf_idle_started(device);
    return wdf_device_complete(irp, status);
}

NTSTATUS wdf_device_power(wdf_device_t *device, PIRP irp)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    bool sets_device = location->MinorFunction == IRP_MN_SET_POWER && location->Parameters.Power.Type == DevicePowerState;
    if (sets_device && location->Parameters.Power.State.DeviceState == PowerDeviceD0)
        return to_d0(device, irp);
    if (sets_device) {
        WDF_POWER_DEVICE_STATE target = state_of(location->Parameters.Power.State.DeviceState);
        if (!wdf_idle_moves(device))
            wdf_idle_stop(device, false);
        NTSTATUS status = go_to_sleep(device, target);
        if (!NT_SUCCESS(status))
            return wdf_device_complete(irp, status);
    }
    bool is_unknown = device->pdo != NULL && location->MinorFunction == IRP_MN_WAIT_WAKE; /* nobody wakes the machine */
    irp->IoStatus.Status = is_unknown ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
    return wdf_device_pass_on(device, irp);
}
