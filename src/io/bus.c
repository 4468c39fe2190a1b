/*
 * bus.c - the driver below every stack: what is asked of a physical device object, and the answers of a plain bus.
 *
 *     FDO of the driver under test   its own part of start, stop, remove, power
 *     filters
 *     PDO of ntmm_device_create  ->  here: completes what reaches the bottom; what a plain bus knows nothing of is completed as it came
 *
 * Locks       none: what is kept of a device is set when it is made, or atomic.
 * Source      WDK reference: "Plug and Play minor IRPs" (which of them a bus driver handles, and how), "Device power capabilities";
 *             wdm.h, BUS_INTERFACE_STANDARD.
 * Fidelity    IRP_MN_WAIT_WAKE is STATUS_NOT_SUPPORTED: no device wakes the machine. Resources are what the test starts the device with, so
 *             IRP_MN_QUERY_RESOURCES and IRP_MN_QUERY_RESOURCE_REQUIREMENTS have no answer.
 */
#include "io/bus.h"

#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "hal/hal.h"
#include "io/device_property.h"
#include "io/dma_adapter.h"
#include "io/irp.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"

#define TAG_PNP NTMM_TAG("PnpB")
#define NOWHERE 0xFFFFFFFFu

_Static_assert(sizeof(io_bus_device_t) <= HAL_DEVICE_UPPER_BYTES, "there is room for io's half of a device");

static _Atomic uint32_t devices_made; /* in this boot */

io_bus_device_t *io_bus_device_of(PDEVICE_OBJECT object) { return hal_device_is_at(object) ? hal_device_upper(object) : NULL; }

/* ---- answers ---- */

PWSTR io_bus_text(const WCHAR *text, size_t bytes, bool multi)
{
    size_t room = bytes + (multi ? 2 : 1) * sizeof(WCHAR);
    PWSTR  copy = ExAllocatePool2(POOL_FLAG_PAGED, room, TAG_PNP);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

/* What the test has said of the device, or else `usual`. */
static NTSTATUS answer_text(PIRP irp, PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, const WCHAR *usual)
{
    size_t       bytes = 0;
    const WCHAR *said = io_device_property(device, property, &bytes);
    if (said == NULL)
        for (said = usual; said[bytes / sizeof(WCHAR)] != 0;)
            bytes += sizeof(WCHAR);
    PWSTR copy = io_bus_text(said, bytes, true);
    irp->IoStatus.Information = (ULONG_PTR)copy;
    return copy != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS answer_instance(PIRP irp, const io_bus_device_t *known)
{
    WCHAR text[5] = { 0 };
    for (uint32_t i = 0, number = known->number; i < 4; i++, number /= 10)
        text[3 - i] = (WCHAR)('0' + number % 10);
    PWSTR copy = io_bus_text(text, 4 * sizeof(WCHAR), false);
    irp->IoStatus.Information = (ULONG_PTR)copy;
    return copy != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS query_id(PIRP irp, PDEVICE_OBJECT device, BUS_QUERY_ID_TYPE type)
{
    switch (type) {
    case BusQueryDeviceID: return answer_text(irp, device, DevicePropertyHardwareID, L"NTMM\\Device");
    case BusQueryHardwareIDs: return answer_text(irp, device, DevicePropertyHardwareID, L"NTMM\\Device");
    case BusQueryCompatibleIDs: return answer_text(irp, device, DevicePropertyCompatibleIDs, L"NTMM\\Generic");
    case BusQueryInstanceID: return answer_instance(irp, io_bus_device_of(device));
    default: return irp->IoStatus.Status;
    }
}

static NTSTATUS query_text(PIRP irp, PDEVICE_OBJECT device, DEVICE_TEXT_TYPE type)
{
    if (type == DeviceTextDescription)
        return answer_text(irp, device, DevicePropertyDeviceDescription, L"Simulated device");
    return answer_text(irp, device, DevicePropertyLocationInformation, L"Simulated bus");
}

static NTSTATUS query_capabilities(const io_bus_device_t *known, PDEVICE_CAPABILITIES capabilities)
{
    if (capabilities->Version != 1 || capabilities->Size < sizeof *capabilities)
        return STATUS_UNSUCCESSFUL;
    capabilities->UniqueID = TRUE;
    capabilities->Address = known->placed ? (known->slot & 31) << 16 | known->slot >> 5 : known->number;
    capabilities->UINumber = NOWHERE;
    for (int state = 0; state < PowerSystemMaximum; state++)
        capabilities->DeviceState[state] = state == PowerSystemWorking ? PowerDeviceD0 : PowerDeviceD3;
    capabilities->DeviceState[PowerSystemUnspecified] = PowerDeviceUnspecified;
    capabilities->SystemWake = PowerSystemUnspecified;
    capabilities->DeviceWake = PowerDeviceUnspecified;
    return STATUS_SUCCESS;
}

static NTSTATUS query_relations(PIRP irp, PDEVICE_OBJECT device, DEVICE_RELATION_TYPE type)
{
    if (type != TargetDeviceRelation)
        return irp->IoStatus.Status;
    PDEVICE_RELATIONS relations = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *relations, TAG_PNP);
    if (relations == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    relations->Count = 1;
    relations->Objects[0] = device;
    ObReferenceObject(device);
    irp->IoStatus.Information = (ULONG_PTR)relations;
    return STATUS_SUCCESS;
}

static NTSTATUS query_bus(PIRP irp, const io_bus_device_t *known)
{
    PPNP_BUS_INFORMATION information = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *information, TAG_PNP);
    if (information == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    information->BusTypeGuid = known->placed ? GUID_BUS_TYPE_PCI : GUID_BUS_TYPE_INTERNAL;
    information->LegacyBusType = known->placed ? PCIBus : Internal;
    information->BusNumber = known->placed ? known->bus & 0xFF : 0;
    irp->IoStatus.Information = (ULONG_PTR)information;
    return STATUS_SUCCESS;
}

/* ---- the interface of the bus ---- */

#define CONFIG_SPACE 0 /* PCI_WHICHSPACE_CONFIG */
#define DEVICE_IRQL_MOST (CLOCK_LEVEL - 1)

/* A function driver may ask from its interrupt routine. NULL: there is nothing to read or write. */
static const io_bus_device_t *config_space_of(PVOID context, ULONG type)
{
    KE_REQUIRE_IRQL(DEVICE_IRQL_MOST);
    const io_bus_device_t *known = ke_thread_ready("GetBusData") != NULL ? io_bus_device_of(context) : NULL;
    return known != NULL && known->placed && type == CONFIG_SPACE ? known : NULL;
}

static ULONG get_bus_data(PVOID context, ULONG type, PVOID buffer, ULONG offset, ULONG length)
{
    const io_bus_device_t *known = config_space_of(context, type);
    return known != NULL ? hal_pci_read(known->bus, known->slot, buffer, offset, length) : 0;
}

static ULONG set_bus_data(PVOID context, ULONG type, PVOID buffer, ULONG offset, ULONG length)
{
    const io_bus_device_t *known = config_space_of(context, type);
    return known != NULL ? hal_pci_write(known->bus, known->slot, buffer, offset, length) : 0;
}

static PDMA_ADAPTER get_adapter(PVOID context, PDEVICE_DESCRIPTION description, PULONG registers)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL); /* for a driver that may not call IoGetDmaAdapter there */
    return io_dma_adapter_make("GetDmaAdapter", context, description, registers);
}

static BOOLEAN translate(PVOID context, PHYSICAL_ADDRESS address, ULONG length, PULONG space, PPHYSICAL_ADDRESS translated)
{
    (void)context;
    (void)length;
    (void)space; /* memory stays memory, and ports ports */
    *translated = address;
    return TRUE;
}

static VOID reference(PVOID context) { ObReferenceObject(context); }
static VOID dereference(PVOID context) { ObDereferenceObject(context); }

static NTSTATUS query_interface(PIRP irp, PDEVICE_OBJECT device, const IO_STACK_LOCATION *location)
{
    PBUS_INTERFACE_STANDARD bus = (PBUS_INTERFACE_STANDARD)location->Parameters.QueryInterface.Interface;
    if (!IsEqualGUID(location->Parameters.QueryInterface.InterfaceType, &GUID_BUS_INTERFACE_STANDARD))
        return irp->IoStatus.Status;
    if (location->Parameters.QueryInterface.Size < sizeof *bus || location->Parameters.QueryInterface.Version == 0)
        return STATUS_INVALID_PARAMETER; /* a later version gets this one, the closest that there is */
    *bus = (BUS_INTERFACE_STANDARD){ .Size = sizeof *bus,
                                     .Version = 1,
                                     .Context = device,
                                     .InterfaceReference = reference,
                                     .InterfaceDereference = dereference,
                                     .TranslateBusAddress = translate,
                                     .GetDmaAdapter = get_adapter,
                                     .SetBusData = set_bus_data,
                                     .GetBusData = get_bus_data };
    ObReferenceObject(device);
    return STATUS_SUCCESS;
}

static NTSTATUS transfer_config(PIRP irp, PDEVICE_OBJECT device, const IO_STACK_LOCATION *location)
{
    ULONG space = location->Parameters.ReadWriteConfig.WhichSpace, offset = location->Parameters.ReadWriteConfig.Offset;
    ULONG length = location->Parameters.ReadWriteConfig.Length;
    PVOID buffer = location->Parameters.ReadWriteConfig.Buffer;
    ULONG done = location->MinorFunction == IRP_MN_READ_CONFIG ? get_bus_data(device, space, buffer, offset, length)
                                                               : set_bus_data(device, space, buffer, offset, length);
    irp->IoStatus.Information = done;
    return done == length ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
}

/* ---- resources ---- */

static void keep_interrupts(io_bus_device_t *known, const CM_RESOURCE_LIST *translated)
{
    known->interrupt_count = 0;
    if (translated == NULL || translated->Count == 0)
        return;
    const CM_PARTIAL_RESOURCE_LIST *list = &translated->List[0].PartialResourceList;
    for (ULONG i = 0; i < list->Count && known->interrupt_count < IO_BUS_INTERRUPTS; i++) {
        const CM_PARTIAL_RESOURCE_DESCRIPTOR *resource = &list->PartialDescriptors[i];
        if (resource->Type == CmResourceTypeInterrupt)
            known->interrupts[known->interrupt_count++] =
                (io_bus_interrupt_t){ .vector = resource->u.Interrupt.Vector,
                                      .irql = (KIRQL)resource->u.Interrupt.Level,
                                      .is_shared = resource->ShareDisposition == CmResourceShareShared,
                                      .flags = resource->Flags };
    }
}

/* ---- dispatch routines ---- */

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS answer(PIRP irp, PDEVICE_OBJECT device, const IO_STACK_LOCATION *location)
{
    io_bus_device_t *known = io_bus_device_of(device);
    switch (location->MinorFunction) {
    case IRP_MN_START_DEVICE: keep_interrupts(known, location->Parameters.StartDevice.AllocatedResourcesTranslated); return STATUS_SUCCESS;
    case IRP_MN_QUERY_STOP_DEVICE:
    case IRP_MN_CANCEL_STOP_DEVICE:
    case IRP_MN_STOP_DEVICE:
    case IRP_MN_QUERY_REMOVE_DEVICE:
    case IRP_MN_CANCEL_REMOVE_DEVICE:
    case IRP_MN_REMOVE_DEVICE:
    case IRP_MN_SURPRISE_REMOVAL:
    case IRP_MN_DEVICE_USAGE_NOTIFICATION: return STATUS_SUCCESS;
    case IRP_MN_QUERY_PNP_DEVICE_STATE: return STATUS_SUCCESS;
    case IRP_MN_QUERY_CAPABILITIES: return query_capabilities(known, location->Parameters.DeviceCapabilities.Capabilities);
    case IRP_MN_QUERY_ID: return query_id(irp, device, location->Parameters.QueryId.IdType);
    case IRP_MN_QUERY_DEVICE_TEXT: return query_text(irp, device, location->Parameters.QueryDeviceText.DeviceTextType);
    case IRP_MN_QUERY_DEVICE_RELATIONS: return query_relations(irp, device, location->Parameters.QueryDeviceRelations.Type);
    case IRP_MN_QUERY_BUS_INFORMATION: return query_bus(irp, known);
    case IRP_MN_QUERY_INTERFACE: return query_interface(irp, device, location);
    case IRP_MN_READ_CONFIG:
    case IRP_MN_WRITE_CONFIG: return known->placed ? transfer_config(irp, device, location) : irp->IoStatus.Status;
    default: return irp->IoStatus.Status;
    }
}

static NTSTATUS bus_pnp(PDEVICE_OBJECT device, PIRP irp) { return complete(irp, answer(irp, device, IoGetCurrentIrpStackLocation(irp))); }

static NTSTATUS bus_power(PDEVICE_OBJECT device, PIRP irp)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    if (location->MinorFunction == IRP_MN_WAIT_WAKE)
        return complete(irp, STATUS_NOT_SUPPORTED);
    if (location->MinorFunction == IRP_MN_SET_POWER && location->Parameters.Power.Type == DevicePowerState)
        atomic_store(&io_bus_device_of(device)->extension.power, (int32_t)location->Parameters.Power.State.DeviceState);
    return complete(irp, STATUS_SUCCESS);
}

static NTSTATUS bus_as_it_came(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    return complete(irp, irp->IoStatus.Status);
}

/* ---- the driver, and its devices ---- */

static WCHAR            bus_name[] = L"\\Driver\\NtmmBus";
static DRIVER_EXTENSION bus_extension;
static DRIVER_OBJECT    bus_driver = { .Type = IO_TYPE_DRIVER,
                                       .Size = sizeof(DRIVER_OBJECT),
                                       .DriverExtension = &bus_extension,
                                       .DriverName = { sizeof bus_name - sizeof(WCHAR), sizeof bus_name, bus_name },
                                       .MajorFunction = {
                                           [IRP_MJ_PNP] = bus_pnp, [IRP_MJ_POWER] = bus_power, [IRP_MJ_SYSTEM_CONTROL] = bus_as_it_came } };

static void device_starts(PDEVICE_OBJECT object, void *upper)
{
    io_bus_device_t *known = upper;
    object->DriverObject = &bus_driver;
    object->Flags |= DO_DEVICE_HAS_NAME | DO_BUS_ENUMERATED_DEVICE;
    object->DeviceObjectExtension = &known->extension.known;
    known->extension.known.Type = IO_TYPE_DEVICE_OBJECT_EXTENSION;
    known->extension.known.DeviceObject = object;
    known->number = atomic_fetch_add(&devices_made, 1) + 1;
    known->extension.power = PowerDeviceD0;
    known->extension.name = &known->name;
    known->name.device = object;
    io_device_automatic_name(known->name_text, &known->name.text);
    io_device_name_put(&known->name);
}

static void device_is_gone(PDEVICE_OBJECT object, void *upper)
{
    io_bus_device_t *known = upper;
    io_device_timer_delete(object);
    io_interfaces_forget(object);
    io_device_name_take(&known->name);
    io_device_properties_forget(object);
}

void io_bus_boot(void)
{
    bus_extension.DriverObject = &bus_driver;
    atomic_store(&devices_made, 0);
    io_device_properties_reset();
    io_pnp_tree_reset();
    hal_device_hooks = (hal_device_hooks_t){ device_starts, device_is_gone };
}

bool ntmm_device_place(ntmm_device *device, uint32_t bus, uint32_t slot)
{
    PDEVICE_OBJECT object = ntmm_device_object(device);
    if (object == NULL)
        return false;
    io_bus_device_t *known = hal_device_upper(object);
    known->bus = bus;
    known->slot = slot;
    known->placed = true;
    return true;
}
