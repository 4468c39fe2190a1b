/*
 * query_interface.c - interfaces between drivers: WdfDeviceAddQueryInterface offers one, IRP_MN_QUERY_INTERFACE asks for it.
 *
 *     found by its type ---- its Size or Version is more than was asked for: STATUS_INVALID_BUFFER_SIZE
 *      |- copied to who asks; unless it imports: then the driver reads first what is there, and fills in itself
 *      |- EvtDeviceProcessQueryInterfaceRequest      an error ends it, but for STATUS_NOT_SUPPORTED: the others below, or the parent's, may go on
 *      |- SendQueryToParentStack, of a PDO           the parent's stack answers instead
 *      |- InterfaceReference                         for who asked
 *      `- further down the stack                     where others may change it
 *
 * Locks       device->lock_of_interfaces for the list, which only grows until the device goes.
 * Source      WDK reference: wdfqueryinterface.h, "Creating a Driver-Defined Interface"; KMDF 1.33.
 */
#include "wdf/query_interface.h"

#include <string.h>

#include <wdffdo.h>
#include <wdfqueryinterface.h>

#include "wdf/pdo.h"
#include "wdf/pnp_ask.h"

typedef struct offer { /* paged pool */
    LIST_ENTRY                                     links;
    GUID                                           type;
    bool                                           sends_to_parent, imports;
    PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST callback;
    PINTERFACE                                     interface; /* behind it; NULL: the driver or the parent fills it in */
} offer_t;

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

/* ---- offered ---- */

static VOID NTAPI count_nothing(PVOID context) { (void)context; }

static NTSTATUS check(const wdf_device_t *device, const WDF_QUERY_INTERFACE_CONFIG *config)
{
    bool is_filled_by_others = config->SendQueryToParentStack || config->ImportInterface;
    if (device->setup.is_control)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if ((config->SendQueryToParentStack && device->pdo == NULL) || (config->Interface == NULL && !is_filled_by_others) ||
        (config->ImportInterface && config->EvtDeviceProcessQueryInterfaceRequest == NULL) ||
        (config->Interface != NULL && config->Interface->Size < sizeof(INTERFACE)))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static void copy(offer_t *offer, const INTERFACE *interface)
{
    offer->interface = (PINTERFACE)(offer + 1);
    memcpy(offer->interface, interface, interface->Size);
    if (interface->InterfaceReference == NULL)
        offer->interface->InterfaceReference = count_nothing;
    if (interface->InterfaceDereference == NULL)
        offer->interface->InterfaceDereference = count_nothing;
}

NTSTATUS WdfDeviceAddQueryInterface(WDFDEVICE Device, PWDF_QUERY_INTERFACE_CONFIG InterfaceConfig)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(InterfaceConfig);
    WDF_REQUIRE(InterfaceConfig->InterfaceType);
    NTSTATUS status = check(device, InterfaceConfig);
    if (!NT_SUCCESS(status))
        return status;
    SIZE_T   bytes = InterfaceConfig->Interface != NULL ? InterfaceConfig->Interface->Size : 0;
    offer_t *offer = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *offer + bytes, tag_of(device));
    if (offer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    offer->type = *InterfaceConfig->InterfaceType;
    offer->sends_to_parent = InterfaceConfig->SendQueryToParentStack != FALSE;
    offer->imports = InterfaceConfig->ImportInterface != FALSE;
    offer->callback = InterfaceConfig->EvtDeviceProcessQueryInterfaceRequest;
    if (InterfaceConfig->Interface != NULL)
        copy(offer, InterfaceConfig->Interface);
    wdf_lock(&device->lock_of_interfaces);
    InsertTailList(&device->query_interfaces, &offer->links);
    wdf_unlock(&device->lock_of_interfaces);
    return STATUS_SUCCESS;
}

void wdf_query_interfaces_forget(wdf_device_t *device)
{
    while (device->query_interfaces.Flink != NULL && !IsListEmpty(&device->query_interfaces))
        ExFreePoolWithTag(CONTAINING_RECORD(RemoveHeadList(&device->query_interfaces), offer_t, links), tag_of(device));
}

/* ---- asked for ---- */

static offer_t *next_of(wdf_device_t *device, offer_t *offer)
{
    wdf_lock(&device->lock_of_interfaces);
    PLIST_ENTRY link = offer != NULL ? offer->links.Flink : device->query_interfaces.Flink;
    wdf_unlock(&device->lock_of_interfaces);
    return link != &device->query_interfaces ? CONTAINING_RECORD(link, offer_t, links) : NULL;
}

static NTSTATUS hand_out(wdf_device_t *device, const offer_t *offer, const IO_STACK_LOCATION *location)
{
    PINTERFACE to = location->Parameters.QueryInterface.Interface;
    NTSTATUS   status = STATUS_SUCCESS;
    if (offer->interface != NULL && (offer->interface->Size > location->Parameters.QueryInterface.Size ||
                                     offer->interface->Version > location->Parameters.QueryInterface.Version))
        return STATUS_INVALID_BUFFER_SIZE;
    if (offer->interface != NULL && !offer->imports)
        memcpy(to, offer->interface, offer->interface->Size);
    if (offer->callback == NULL)
        return STATUS_SUCCESS;
    wdf_call_t call = wdf_call_begin(device->object.driver);
    status = offer->callback(wdf_device_handle(device), (LPGUID)(ULONG_PTR)location->Parameters.QueryInterface.InterfaceType, to,
                             location->Parameters.QueryInterface.InterfaceSpecificData);
    WDF_CALL_END(&call, offer->callback);
    return status;
}

/* The parent's stack answers; when it does not know the interface, the IRP is as it came. */
static NTSTATUS ask_parent(const wdf_device_t *device, PIRP irp, const IO_STACK_LOCATION *location)
{
    ULONG_PTR information = irp->IoStatus.Information;
    NTSTATUS  status = wdf_pnp_ask(device->pdo->parent->wdm, location, &information);
    irp->IoStatus.Information = information;
    return status != STATUS_NOT_SUPPORTED ? status : irp->IoStatus.Status;
}

bool wdf_query_interface(wdf_device_t *device, PIRP irp, NTSTATUS *status)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    PINTERFACE               interface = location->Parameters.QueryInterface.Interface;
    offer_t                 *offer = next_of(device, NULL);
    while (offer != NULL && memcmp(&offer->type, location->Parameters.QueryInterface.InterfaceType, sizeof offer->type) != 0)
        offer = next_of(device, offer);
    if (offer == NULL)
        return false;
    *status = hand_out(device, offer, location);
    if (!NT_SUCCESS(*status) && *status != STATUS_NOT_SUPPORTED)
        return true;
    if (offer->sends_to_parent) {
        *status = ask_parent(device, irp, location);
        return true;
    }
    if (interface->InterfaceReference != NULL)
        interface->InterfaceReference(interface->Context);
    if (device->pdo == NULL) {
        irp->IoStatus.Status = *status;
        *status = wdf_device_send_and_wait(device, irp);
    }
    return true;
}

NTSTATUS WdfFdoQueryForInterface(WDFDEVICE Fdo, LPCGUID InterfaceType, PINTERFACE Interface, USHORT Size, USHORT Version,
                                 PVOID InterfaceSpecificData)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = WDF_FROM(Fdo, &wdf_device_type);
    WDF_REQUIRE(InterfaceType);
    WDF_REQUIRE(Interface);
    if (!wdf_device_is_fdo(device))
        return STATUS_INVALID_PARAMETER;
    return wdf_pnp_query_interface(device->wdm, true, InterfaceType, Interface, Size, Version, InterfaceSpecificData);
}
