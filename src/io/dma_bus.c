/*
 * dma_bus.c - whose DMA adapter a device gets: IoGetDmaAdapter asks the bus that the device is on.
 * A bus driver may know better than hal what DMA on its bus takes, so the stack of the physical device is asked for the interface of the bus
 * first, and the adapter comes from there if one of its drivers has it.
 *
 *     IoGetDmaAdapter(physical device)
 *      |- IRP_MN_QUERY_INTERFACE, GUID_BUS_INTERFACE_STANDARD --> top of the stack ... bus driver: references its interface
 *      |   |- GetDmaAdapter(Context, description) --> the bus driver's, which often asks for an adapter of its own device
 *      |   `- InterfaceDereference(Context)
 *      `- nobody answers, or there is no physical device: hal's own                            dma_adapter.c
 *
 * Locks       none: drivers are called.
 * Source      WDK reference: wdm.h, GET_DMA_ADAPTER, BUS_INTERFACE_STANDARD; IRP_MN_QUERY_INTERFACE.
 * Fidelity    that the request goes to the top of the stack, as a driver's own would, and that an interface without GetDmaAdapter counts as
 *             none, are choices. When there is no memory to ask, there is no adapter either.
 */
#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "io/dma_adapter.h"

#define INTERFACE_VERSION 1

static NTSTATUS ask(PDEVICE_OBJECT physical, PBUS_INTERFACE_STANDARD bus)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_INTERFACE };
    location.Parameters.QueryInterface.InterfaceType = &GUID_BUS_INTERFACE_STANDARD;
    location.Parameters.QueryInterface.Size = sizeof *bus;
    location.Parameters.QueryInterface.Version = INTERFACE_VERSION;
    location.Parameters.QueryInterface.Interface = (PINTERFACE)bus;
    return ntmm_pnp_request(physical, &location, NULL);
}

bool io_dma_bus_adapter(PDEVICE_OBJECT physical, PDEVICE_DESCRIPTION description, PULONG registers, PDMA_ADAPTER *adapter)
{
    BUS_INTERFACE_STANDARD bus = { .Size = 0 };
    *adapter = NULL;
    if (physical == NULL || physical->DriverObject == NULL)
        return false;
    NTSTATUS status = ask(physical, &bus);
    if (!NT_SUCCESS(status))
        return status == STATUS_INSUFFICIENT_RESOURCES;
    bool answers = bus.GetDmaAdapter != NULL;
    if (answers)
        *adapter = bus.GetDmaAdapter(bus.Context, description, registers);
    if (bus.InterfaceDereference != NULL)
        bus.InterfaceDereference(bus.Context);
    return answers;
}
