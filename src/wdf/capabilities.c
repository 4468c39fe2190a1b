/*
 * capabilities.c - what a driver says of its device, and its bus: three answers to the PnP manager.
 *
 *     WdfDeviceSetPnpCapabilities, WdfDeviceSetPowerCapabilities ---> IRP_MN_QUERY_CAPABILITIES
 *     WdfDeviceSetDeviceState, WdfDeviceSetFailed ------------------> IRP_MN_QUERY_PNP_DEVICE_STATE
 *     WdfDeviceSetBusInformationForChildren ------------------------> IRP_MN_QUERY_BUS_INFORMATION of its children
 *
 * A physical device's word is the first, and counts. A function driver may say "can" on the way down, for those below to see, and "cannot" on the
 * way up; it may make power states lower and latencies longer, never the other way round.
 *
 * Locks       none: a driver says it once, before the device is started.
 * Source      WDK reference: wdfdevice.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/capabilities.h"

#include "wdf/pdo.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))
#define UNSAID ((ULONG)-1)

void wdf_capabilities_init(wdf_device_t *device)
{
    WDF_DEVICE_PNP_CAPABILITIES_INIT(&device->pnp_can);
    WDF_DEVICE_POWER_CAPABILITIES_INIT(&device->power_can);
    WDF_DEVICE_STATE_INIT(&device->pnp_state);
}

bool wdf_capabilities_are_known(const DEVICE_CAPABILITIES *capabilities)
{
    return capabilities->Version == 1 && capabilities->Size >= sizeof *capabilities;
}

/* ---- what drivers say ---- */

static bool has_size(const char *routine, ULONG size, size_t expected)
{
    if (size != expected)
        (void)ke_error(0, "%s: Size is %u, and should be %zu", routine, size, expected);
    return size == expected;
}

VOID WdfDeviceSetPnpCapabilities(WDFDEVICE Device, PWDF_DEVICE_PNP_CAPABILITIES PnpCapabilities)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PnpCapabilities);
    if (!has_size(__func__, PnpCapabilities->Size, sizeof *PnpCapabilities))
        return;
    ULONG address = device->pnp_can.Address, number = device->pnp_can.UINumber;
    device->pnp_can = *PnpCapabilities;
    if (PnpCapabilities->Address == UNSAID)
        device->pnp_can.Address = address;
    if (PnpCapabilities->UINumber == UNSAID)
        device->pnp_can.UINumber = number;
}

VOID WdfDeviceSetPowerCapabilities(WDFDEVICE Device, PWDF_DEVICE_POWER_CAPABILITIES PowerCapabilities)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(PowerCapabilities);
    if (has_size(__func__, PowerCapabilities->Size, sizeof *PowerCapabilities))
        device->power_can = *PowerCapabilities;
}

VOID WdfDeviceSetBusInformationForChildren(WDFDEVICE Device, PPNP_BUS_INFORMATION BusInformation)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(BusInformation);
    device->bus_of_children = *BusInformation;
}

/* ---- IRP_MN_QUERY_CAPABILITIES ---- */

#define SAY(capabilities, can, field) \
    do { \
        if ((can).field != WdfUseDefault) \
            (capabilities)->field = (can).field == WdfTrue; \
    } while (0)
#define SAY_IF(capabilities, can, field, value) \
    do { \
        if ((can).field == (value)) \
            (capabilities)->field = (value) == WdfTrue; \
    } while (0)

void wdf_capabilities_down(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities)
{
    SAY_IF(capabilities, device->pnp_can, LockSupported, WdfTrue);
    SAY_IF(capabilities, device->pnp_can, EjectSupported, WdfTrue);
    SAY_IF(capabilities, device->pnp_can, Removable, WdfTrue);
    SAY_IF(capabilities, device->pnp_can, DockDevice, WdfTrue);
    SAY_IF(capabilities, device->pnp_can, SurpriseRemovalOK, WdfTrue);
    SAY_IF(capabilities, device->pnp_can, NoDisplayInUI, WdfTrue);
}

static void longer(PULONG latency, ULONG said)
{
    if (said != UNSAID && said > *latency)
        *latency = said;
}

static void lower_power(const WDF_DEVICE_POWER_CAPABILITIES *can, PDEVICE_CAPABILITIES capabilities)
{
    for (int state = PowerSystemWorking; state < PowerSystemMaximum; state++)
        if (can->DeviceState[state] != PowerDeviceMaximum && can->DeviceState[state] > capabilities->DeviceState[state])
            capabilities->DeviceState[state] = can->DeviceState[state];
    if (can->SystemWake != PowerSystemMaximum && can->SystemWake < capabilities->SystemWake)
        capabilities->SystemWake = can->SystemWake;
    if (can->DeviceWake != PowerDeviceMaximum && can->DeviceWake < capabilities->DeviceWake)
        capabilities->DeviceWake = can->DeviceWake;
    longer(&capabilities->D1Latency, can->D1Latency);
    longer(&capabilities->D2Latency, can->D2Latency);
    longer(&capabilities->D3Latency, can->D3Latency);
}

void wdf_capabilities_up(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities)
{
    const WDF_DEVICE_PNP_CAPABILITIES *can = &device->pnp_can;
    SAY_IF(capabilities, *can, LockSupported, WdfFalse);
    SAY_IF(capabilities, *can, EjectSupported, WdfFalse);
    SAY_IF(capabilities, *can, DockDevice, WdfFalse);
    SAY(capabilities, *can, Removable);
    SAY(capabilities, *can, SurpriseRemovalOK);
    lower_power(&device->power_can, capabilities);
    if (can->Address != UNSAID)
        capabilities->Address = can->Address;
    if (can->UINumber != UNSAID)
        capabilities->UINumber = can->UINumber;
}

static void power_of_pdo(const WDF_DEVICE_POWER_CAPABILITIES *can, PDEVICE_CAPABILITIES capabilities, const DEVICE_CAPABILITIES *parent)
{
    for (int state = PowerSystemWorking; state < PowerSystemMaximum; state++)
        capabilities->DeviceState[state] =
            can->DeviceState[state] != PowerDeviceMaximum ? can->DeviceState[state] : parent->DeviceState[state];
    SAY(capabilities, *can, WakeFromD0);
    SAY(capabilities, *can, WakeFromD1);
    SAY(capabilities, *can, WakeFromD2);
    SAY(capabilities, *can, WakeFromD3);
    SAY(capabilities, *can, DeviceD1);
    SAY(capabilities, *can, DeviceD2);
    capabilities->SystemWake = can->SystemWake != PowerSystemMaximum ? can->SystemWake : parent->SystemWake;
    capabilities->DeviceWake = can->DeviceWake != PowerDeviceMaximum ? can->DeviceWake : parent->DeviceWake;
    capabilities->D1Latency = can->D1Latency != UNSAID ? can->D1Latency : 0;
    capabilities->D2Latency = can->D2Latency != UNSAID ? can->D2Latency : 0;
    if (can->D3Latency != UNSAID)
        capabilities->D3Latency = can->D3Latency;
}

void wdf_capabilities_of_pdo(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities, const DEVICE_CAPABILITIES *parent)
{
    const WDF_DEVICE_PNP_CAPABILITIES *can = &device->pnp_can;
    SAY(capabilities, *can, LockSupported);
    SAY(capabilities, *can, EjectSupported);
    SAY(capabilities, *can, Removable);
    SAY(capabilities, *can, DockDevice);
    SAY(capabilities, *can, UniqueID);
    if (device->pdo->is_raw)
        capabilities->RawDeviceOK = capabilities->SilentInstall = TRUE; /* there is nothing to install */
    SAY(capabilities, *can, SilentInstall);
    SAY(capabilities, *can, SurpriseRemovalOK);
    SAY(capabilities, *can, HardwareDisabled);
    SAY(capabilities, *can, NoDisplayInUI);
    capabilities->Address = can->Address;
    capabilities->UINumber = can->UINumber;
    power_of_pdo(&device->power_can, capabilities, parent);
}

/* ---- IRP_MN_QUERY_PNP_DEVICE_STATE ---- */

static void say_state(PNP_DEVICE_STATE *state, WDF_TRI_STATE said, ULONG bit)
{
    if (said != WdfUseDefault)
        *state = said == WdfTrue ? *state | bit : *state & ~bit;
}

PNP_DEVICE_STATE wdf_pnp_state(const wdf_device_t *device, PNP_DEVICE_STATE state)
{
    const WDF_DEVICE_STATE *said = &device->pnp_state;
    bool                    is_shown_as_state = said->DontDisplayInUI != WdfUseDefault;
    say_state(&state, said->Disabled, PNP_DEVICE_DISABLED);
    say_state(&state, is_shown_as_state ? said->DontDisplayInUI : device->pnp_can.NoDisplayInUI, PNP_DEVICE_DONT_DISPLAY_IN_UI);
    say_state(&state, said->Failed, PNP_DEVICE_FAILED);
    say_state(&state, said->NotDisableable, PNP_DEVICE_NOT_DISABLEABLE);
    say_state(&state, said->Removed, PNP_DEVICE_REMOVED);
    say_state(&state, said->ResourcesChanged, PNP_DEVICE_RESOURCE_REQUIREMENTS_CHANGED);
    say_state(&state, said->AssignedToGuest, PNP_DEVICE_ASSIGNED_TO_GUEST);
    return device->has_failed || device->state == WDF_DEVICE_FAILED ? state | PNP_DEVICE_FAILED : state;
}

/* ---- IRP_MN_QUERY_BUS_INFORMATION ---- */

NTSTATUS wdf_bus_information_answer(const wdf_device_t *bus, PIRP irp)
{
    if (bus->bus_of_children.BusTypeGuid.Data1 == 0) /* nothing was said */
        return irp->IoStatus.Status;
    PPNP_BUS_INFORMATION answer = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *answer, bus->object.driver->globals.DriverTag);
    if (answer != NULL)
        *answer = bus->bus_of_children;
    irp->IoStatus.Information = (ULONG_PTR)answer;
    return answer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}
