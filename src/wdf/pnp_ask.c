/*
 * pnp_ask.c - a driver asks another one by a PnP IRP: for an interface, for its parent's capabilities.
 *
 * Locks       none.
 * Source      WDK reference: "Plug and Play Minor IRPs" (STATUS_NOT_SUPPORTED is in such an IRP when it is sent).
 */
#include "wdf/pnp_ask.h"

NTSTATUS wdf_pnp_send(PDEVICE_OBJECT device, const IO_STACK_LOCATION *query, ULONG_PTR *information)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(IRP_MJ_PNP, device, NULL, 0, NULL, &event, &block);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->IoStatus.Information = information != NULL ? *information : 0;
    IoGetNextIrpStackLocation(irp)->MinorFunction = query->MinorFunction;
    IoGetNextIrpStackLocation(irp)->Parameters = query->Parameters;
    if (IoCallDriver(device, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
    if (information != NULL)
        *information = block.Information;
    return block.Status;
}

NTSTATUS wdf_pnp_ask(PDEVICE_OBJECT device, const IO_STACK_LOCATION *query, ULONG_PTR *information)
{
    PDEVICE_OBJECT top = IoGetAttachedDeviceReference(device);
    NTSTATUS       status = wdf_pnp_send(top, query, information);
    if (top->DeviceObjectExtension != NULL) /* else its test made it, and it is no object */
        ObDereferenceObject(top);
    return status;
}

NTSTATUS wdf_pnp_query_interface(PDEVICE_OBJECT device, bool to_top, LPCGUID type, PINTERFACE interface, USHORT size, USHORT version,
                                 PVOID data)
{
    IO_STACK_LOCATION query = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = IRP_MN_QUERY_INTERFACE };
    query.Parameters.QueryInterface.InterfaceType = type;
    query.Parameters.QueryInterface.Interface = interface;
    query.Parameters.QueryInterface.Size = size;
    query.Parameters.QueryInterface.Version = version;
    query.Parameters.QueryInterface.InterfaceSpecificData = data;
    return to_top ? wdf_pnp_ask(device, &query, NULL) : wdf_pnp_send(device, &query, NULL);
}
