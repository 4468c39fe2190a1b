/*
 * pnp.c - the test's side of Plug and Play: the test is the PnP manager, and sends a stack what that would send.
 *
 *     ntmm_pnp_start     IRP_MN_START_DEVICE with the resources, raw and translated alike
 *     ntmm_pnp_stop      QUERY_STOP_DEVICE, STOP_DEVICE; or CANCEL_STOP_DEVICE when a driver refuses
 *     ntmm_pnp_remove    and what else has to do with children: pnp_tree.c
 *
 * Every request is an IRP of IRP_MJ_PNP with STATUS_NOT_SUPPORTED in it, from PASSIVE_LEVEL, to the top of the stack.
 *
 * Locks       none.
 * Source      WDK reference: "Plug and Play minor IRPs"; "State transitions for PnP devices"; wdm.h, IoInvalidateDeviceRelations.
 * Fidelity    nobody enumerates, loads drivers or rebalances without the test. What drivers ask the PnP manager for is kept until the test takes it.
 */
#include <string.h>

#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "io/bus.h"
#include "io/irp.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"

#define TAG_PNP NTMM_TAG("PnpR")

/* ---- one request ---- */

static NTSTATUS send_from(PDEVICE_OBJECT top, const IO_STACK_LOCATION *location, uintptr_t *information)
{
    PIRP irp = IoAllocateIrp(top->StackSize, FALSE);
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = IRP_MJ_PNP;
    next->MinorFunction = location->MinorFunction;
    next->Parameters = location->Parameters;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->IoStatus.Information = information != NULL ? *information : 0;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    NTSTATUS status = io_irp_send(top, irp);
    if (information != NULL)
        *information = irp->IoStatus.Information;
    IoFreeIrp(irp);
    return status;
}

NTSTATUS ntmm_pnp_request(PDEVICE_OBJECT device, const IO_STACK_LOCATION *location, uintptr_t *information)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT top = IoGetAttachedDeviceReference(device);
    NTSTATUS       status = send_from(top, location, information);
    if (top->DeviceObjectExtension != NULL)
        ObDereferenceObject(top);
    return status;
}

NTSTATUS io_pnp_send(PDEVICE_OBJECT device, UCHAR minor)
{
    const IO_STACK_LOCATION location = { .MinorFunction = minor };
    return ntmm_pnp_request(device, &location, NULL);
}

/* ---- resources ---- */

static void fill_descriptor(CM_PARTIAL_RESOURCE_DESCRIPTOR *descriptor, const ntmm_resource *resource)
{
    descriptor->Type = resource->type;
    descriptor->ShareDisposition = CmResourceShareDeviceExclusive;
    descriptor->Flags = resource->flags;
    if (resource->type == CmResourceTypeInterrupt) {
        descriptor->u.Interrupt.Level = (ULONG)resource->length;
        descriptor->u.Interrupt.Vector = (ULONG)resource->start;
        descriptor->u.Interrupt.Affinity = ~(KAFFINITY)0 >> (64 - KeQueryActiveProcessorCount(NULL));
    } else if (resource->type == CmResourceTypeDma || resource->type == CmResourceTypeBusNumber) {
        descriptor->u.BusNumber.Start = (ULONG)resource->start; /* Dma.Channel is there, too */
        descriptor->u.BusNumber.Length = resource->type == CmResourceTypeDma ? 0 : (ULONG)resource->length;
    } else {
        descriptor->u.Generic.Start.QuadPart = (LONGLONG)resource->start;
        descriptor->u.Generic.Length = (ULONG)resource->length;
    }
}

static PCM_RESOURCE_LIST make_list(const ntmm_resource *resources, size_t count)
{
    size_t            bytes = sizeof(CM_RESOURCE_LIST) + count * sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR);
    PCM_RESOURCE_LIST list = ExAllocatePool2(POOL_FLAG_PAGED, bytes, TAG_PNP);
    if (list == NULL)
        return NULL;
    list->Count = 1;
    list->List[0].InterfaceType = PCIBus;
    list->List[0].PartialResourceList.Version = 1;
    list->List[0].PartialResourceList.Revision = 1;
    list->List[0].PartialResourceList.Count = (ULONG)count;
    for (size_t i = 0; i < count; i++)
        fill_descriptor(&list->List[0].PartialResourceList.PartialDescriptors[i], &resources[i]);
    return list;
}

/* ---- the life of a device ---- */

NTSTATUS ntmm_pnp_add(PDRIVER_OBJECT driver, PDEVICE_OBJECT physical)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (driver->DriverExtension->AddDevice == NULL)
        return ke_error(STATUS_INVALID_DEVICE_REQUEST, "%s: the driver has no AddDevice routine", __func__);
    io_require_pdo(__func__, physical);
    return driver->DriverExtension->AddDevice(driver, physical);
}

NTSTATUS ntmm_pnp_start_lists(PDEVICE_OBJECT device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_START_DEVICE };
    location.Parameters.StartDevice.AllocatedResources = raw;
    location.Parameters.StartDevice.AllocatedResourcesTranslated = translated;
    NTSTATUS status = ntmm_pnp_request(device, &location, NULL);
    if (NT_SUCCESS(status))
        io_pnp_is_started(device);
    return status;
}

NTSTATUS ntmm_pnp_start(PDEVICE_OBJECT device, const ntmm_resource *resources, size_t count)
{
    if (count == 0)
        return ntmm_pnp_start_lists(device, NULL, NULL);
    PCM_RESOURCE_LIST raw = make_list(resources, count), translated = make_list(resources, count);
    NTSTATUS          status = STATUS_INSUFFICIENT_RESOURCES;
    if (raw != NULL && translated != NULL)
        status = ntmm_pnp_start_lists(device, raw, translated);
    if (raw != NULL)
        ExFreePoolWithTag(raw, TAG_PNP);
    if (translated != NULL)
        ExFreePoolWithTag(translated, TAG_PNP);
    return status;
}

NTSTATUS ntmm_pnp_stop(PDEVICE_OBJECT device)
{
    NTSTATUS status = io_pnp_send(device, IRP_MN_QUERY_STOP_DEVICE);
    if (NT_SUCCESS(status))
        return io_pnp_send(device, IRP_MN_STOP_DEVICE);
    (void)io_pnp_send(device, IRP_MN_CANCEL_STOP_DEVICE);
    return status;
}

/* ---- what a stack says of itself ---- */

NTSTATUS ntmm_pnp_capabilities(PDEVICE_OBJECT device, DEVICE_CAPABILITIES *capabilities)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_CAPABILITIES };
    memset(capabilities, 0, sizeof *capabilities);
    capabilities->Size = sizeof *capabilities;
    capabilities->Version = 1;
    capabilities->Address = capabilities->UINumber = 0xFFFFFFFFu;
    location.Parameters.DeviceCapabilities.Capabilities = capabilities;
    return ntmm_pnp_request(device, &location, NULL);
}

NTSTATUS io_pnp_bus_relations(PDEVICE_OBJECT device, PDEVICE_RELATIONS *relations)
{
    IO_STACK_LOCATION location = { .MinorFunction = IRP_MN_QUERY_DEVICE_RELATIONS };
    uintptr_t         information = 0;
    location.Parameters.QueryDeviceRelations.Type = BusRelations;
    NTSTATUS status = ntmm_pnp_request(device, &location, &information);
    *relations = NT_SUCCESS(status) ? (PDEVICE_RELATIONS)information : NULL;
    for (ULONG i = 0; *relations != NULL && i < (*relations)->Count; i++) {
        PDEVICE_OBJECT child = (*relations)->Objects[i];
        child->Flags = (child->Flags | DO_BUS_ENUMERATED_DEVICE) & ~(ULONG)DO_DEVICE_INITIALIZING;
    }
    return status;
}

void io_pnp_relations_free(PDEVICE_RELATIONS relations)
{
    if (relations == NULL)
        return;
    for (ULONG i = 0; i < relations->Count; i++)
        ObDereferenceObject(relations->Objects[i]);
    ExFreePool(relations);
}

NTSTATUS ntmm_pnp_children(PDEVICE_OBJECT device, PDEVICE_OBJECT *children, size_t room, size_t *count)
{
    PDEVICE_RELATIONS relations;
    NTSTATUS          status = io_pnp_bus_relations(device, &relations);
    *count = relations != NULL ? relations->Count : 0;
    for (size_t i = 0; i < *count && i < room; i++)
        children[i] = relations->Objects[i];
    io_pnp_relations_free(relations);
    return status;
}

/* ---- what drivers ask of the PnP manager ---- */

static void ask_for(PDEVICE_OBJECT device, uint32_t what) { atomic_fetch_or(&io_device_extension(device)->invalidated, what); }

VOID IoInvalidateDeviceRelations(PDEVICE_OBJECT DeviceObject, DEVICE_RELATION_TYPE Type)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    io_require_pdo(__func__, DeviceObject);
    ask_for(DeviceObject, NTMM_PNP_RELATIONS(Type));
}

VOID IoInvalidateDeviceState(PDEVICE_OBJECT PhysicalDeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    io_require_pdo(__func__, PhysicalDeviceObject);
    ask_for(PhysicalDeviceObject, NTMM_PNP_STATE);
}

VOID IoRequestDeviceEject(PDEVICE_OBJECT PhysicalDeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    io_require_pdo(__func__, PhysicalDeviceObject);
    ask_for(PhysicalDeviceObject, NTMM_PNP_EJECT);
}

uint32_t ntmm_pnp_take_invalidated_of(PDEVICE_OBJECT physical)
{
    return physical != NULL && physical->DeviceObjectExtension != NULL ? atomic_exchange(&io_device_extension(physical)->invalidated, 0)
                                                                       : 0;
}

uint32_t ntmm_pnp_take_invalidated(ntmm_device *device) { return ntmm_pnp_take_invalidated_of(ntmm_device_object(device)); }
