/*
 * pdo_answers.c - a physical device is asked who it is, what it can do and what it needs: the PnP IRPs that a bus driver answers for its children.
 *
 *     IRP_MN_QUERY_ID, IRP_MN_QUERY_DEVICE_TEXT              the texts of its WDFDEVICE_INIT; none: the IRP is completed as it came
 *     IRP_MN_QUERY_CAPABILITIES                              its own words, and where they are none about power its parent stack's
 *     IRP_MN_QUERY_BUS_INFORMATION                           the parent's WdfDeviceSetBusInformationForChildren
 *     IRP_MN_QUERY_RESOURCES, ..RESOURCE_REQUIREMENTS        EvtDeviceResourcesQuery, EvtDeviceResourceRequirementsQuery
 *     IRP_MN_QUERY_DEVICE_RELATIONS                          itself; what goes along with it; its own children
 *     IRP_MN_EJECT, IRP_MN_SET_LOCK                          EvtDeviceEject, EvtDeviceSetLock
 *
 * Answers are paged pool with the driver's tag, which the PnP manager frees.
 *
 * Locks       none.
 * Source      WDK reference: "Plug and Play Minor IRPs", wdfpdo.h, the pages of the callbacks; KMDF 1.33.
 */
#include "wdf/pdo.h"

#include <string.h>

#include "wdf/capabilities.h"
#include "wdf/pnp_ask.h"
#include "wdf/resource_list.h"

#define CALL(device, status, callback, ...) \
    do { \
        wdf_call_t call_ = wdf_call_begin((device)->object.driver); \
        (status) = (callback)(wdf_device_handle(device), ##__VA_ARGS__); \
        WDF_CALL_END(&call_, (callback)); \
    } while (0)

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

/* ---- who it is ---- */

/* There is room for one more null than `bytes`; text NULL: nulls alone. */
static NTSTATUS answer_text(const wdf_device_t *device, PIRP irp, const WCHAR *text, SIZE_T bytes)
{
    PWCH copy = ExAllocatePool2(POOL_FLAG_PAGED, bytes + sizeof(WCHAR), tag_of(device));
    if (copy != NULL && text != NULL)
        memcpy(copy, text, bytes);
    irp->IoStatus.Information = (ULONG_PTR)copy;
    return copy != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS query_id(const wdf_device_t *device, PIRP irp, BUS_QUERY_ID_TYPE type)
{
    bool is_list = type == BusQueryHardwareIDs || type == BusQueryCompatibleIDs;
    if ((ULONG)type >= RTL_NUMBER_OF(device->pdo->ids))
        return irp->IoStatus.Status;
    const wdf_pdo_id_t *id = &device->pdo->ids[type];
    if (id->text == NULL && !is_list)
        return irp->IoStatus.Status;
    return answer_text(device, irp, id->text, id->text != NULL ? id->bytes : sizeof(WCHAR)); /* an empty list is two nulls */
}

static const wdf_pdo_text_t *text_in(const wdf_pdo_t *pdo, LCID locale)
{
    const wdf_pdo_text_t *text = pdo->texts;
    while (text != NULL && text->locale != locale)
        text = text->next;
    return text;
}

static NTSTATUS query_text(const wdf_device_t *device, PIRP irp, DEVICE_TEXT_TYPE type, LCID locale)
{
    const wdf_pdo_text_t *text = text_in(device->pdo, locale);
    if (text == NULL)
        text = text_in(device->pdo, device->pdo->default_locale);
    if (text == NULL || (type != DeviceTextDescription && type != DeviceTextLocationInformation))
        return irp->IoStatus.Status;
    const WCHAR *said = type == DeviceTextDescription ? text->description : text->location;
    SIZE_T       bytes = 0;
    while (said[bytes / sizeof(WCHAR)] != 0)
        bytes += sizeof(WCHAR);
    return answer_text(device, irp, said, bytes);
}

/* ---- what it can do ---- */

static NTSTATUS query_capabilities(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities)
{
    IO_STACK_LOCATION   query = { .MajorFunction = IRP_MJ_PNP, .MinorFunction = IRP_MN_QUERY_CAPABILITIES };
    DEVICE_CAPABILITIES parent = { .Size = sizeof parent, .Version = 1, .Address = (ULONG)-1, .UINumber = (ULONG)-1 };
    if (!wdf_capabilities_are_known(capabilities))
        return STATUS_UNSUCCESSFUL;
    query.Parameters.DeviceCapabilities.Capabilities = &parent;
    NTSTATUS status = wdf_pnp_ask(device->pdo->parent->wdm, &query, NULL);
    if (NT_SUCCESS(status))
        wdf_capabilities_of_pdo(device, capabilities, &parent);
    return NT_SUCCESS(status) ? STATUS_SUCCESS : status;
}

/* ---- what it needs ---- */

static NTSTATUS query_resources(wdf_device_t *device, PIRP irp)
{
    PFN_WDF_DEVICE_RESOURCES_QUERY callback = device->pdo->callbacks.EvtDeviceResourcesQuery;
    PCM_RESOURCE_LIST              answer = NULL;
    wdf_object_t                  *list;
    if (callback == NULL)
        return irp->IoStatus.Status;
    NTSTATUS status = wdf_cm_list_new(&device->object, &list);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_cm_list_fill(list, NULL, WDF_RESOURCES_ADD | WDF_RESOURCES_REMOVE);
    if (NT_SUCCESS(status))
        CALL(device, status, callback, (WDFCMRESLIST)list);
    if (NT_SUCCESS(status))
        status = wdf_cm_list_to_wdm(list, &answer);
    wdf_object_delete(list);
    if (NT_SUCCESS(status) && answer == NULL)
        return irp->IoStatus.Status; /* it needs none */
    irp->IoStatus.Information = (ULONG_PTR)answer;
    return status;
}

static NTSTATUS query_requirements(wdf_device_t *device, PIRP irp)
{
    PFN_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY callback = device->pdo->callbacks.EvtDeviceResourceRequirementsQuery;
    PIO_RESOURCE_REQUIREMENTS_LIST             answer = NULL;
    wdf_object_t                              *list;
    if (callback == NULL)
        return STATUS_SUCCESS; /* whatever came with the IRP */
    NTSTATUS status = wdf_io_requirements_new(&device->object, NULL, WDF_RESOURCES_ADD | WDF_RESOURCES_REMOVE, &list);
    if (!NT_SUCCESS(status))
        return status;
    CALL(device, status, callback, (WDFIORESREQLIST)list);
    if (NT_SUCCESS(status))
        status = wdf_io_requirements_to_wdm(list, &answer);
    wdf_object_delete(list);
    if (NT_SUCCESS(status) && answer == NULL)
        return irp->IoStatus.Status;
    if (NT_SUCCESS(status))
        irp->IoStatus.Information = (ULONG_PTR)answer;
    return status;
}

/* ---- who belongs to it ---- */

static NTSTATUS query_itself(const wdf_device_t *device, PIRP irp)
{
    PDEVICE_RELATIONS relations = NULL;
    if (wdf_relations_extend(&relations, 1, tag_of(device)))
        wdf_relations_append(relations, device->wdm);
    irp->IoStatus.Information = (ULONG_PTR)relations;
    return relations != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS query_relations(wdf_device_t *device, PIRP irp, DEVICE_RELATION_TYPE type)
{
    NTSTATUS status;
    switch (type) {
    case BusRelations: status = wdf_bus_relations(device, irp); return NT_SUCCESS(status) ? irp->IoStatus.Status : status;
    case EjectionRelations: return wdf_relations_answer(&device->pdo->ejection, irp, tag_of(device));
    case RemovalRelations: return wdf_relations_answer(&device->removal, irp, tag_of(device));
    case TargetDeviceRelation: return query_itself(device, irp);
    default: return irp->IoStatus.Status;
    }
}

/* ---- what is done to it ---- */

/* A scan that is under way might report it again: it is waited for. */
static NTSTATUS eject(wdf_device_t *device)
{
    NTSTATUS status = STATUS_SUCCESS;
    if (device->pdo->callbacks.EvtDeviceEject != NULL)
        CALL(device, status, device->pdo->callbacks.EvtDeviceEject);
    wdf_child_t *child = device->pdo->child;
    if (!NT_SUCCESS(status) || child == NULL)
        return status;
    wdf_children_t *children = child->children;
    wdf_object_t   *owner = children->owner;
    wdf_object_reference(owner); /* the child itself may be gone next */
    wdf_children_miss_one(child);
    (void)KeWaitForSingleObject(&children->unscanned, Executive, KernelMode, FALSE, NULL);
    wdf_object_dereference(__func__, owner);
    return status;
}

static NTSTATUS set_lock(wdf_device_t *device, PIRP irp, BOOLEAN is_locked)
{
    NTSTATUS status = STATUS_UNSUCCESSFUL;
    if (device->pdo->callbacks.EvtDeviceSetLock != NULL)
        CALL(device, status, device->pdo->callbacks.EvtDeviceSetLock, is_locked);
    if (NT_SUCCESS(status))
        irp->IoStatus.Information = 0;
    return status;
}

/* ---- IRPs ---- */

static bool answer(wdf_device_t *device, PIRP irp, NTSTATUS *status)
{
    const IO_STACK_LOCATION *location = IoGetCurrentIrpStackLocation(irp);
    switch (location->MinorFunction) {
    case IRP_MN_QUERY_ID: *status = query_id(device, irp, location->Parameters.QueryId.IdType); return true;
    case IRP_MN_QUERY_DEVICE_TEXT:
        *status =
            query_text(device, irp, location->Parameters.QueryDeviceText.DeviceTextType, location->Parameters.QueryDeviceText.LocaleId);
        return true;
    case IRP_MN_QUERY_CAPABILITIES: *status = query_capabilities(device, location->Parameters.DeviceCapabilities.Capabilities); return true;
    case IRP_MN_QUERY_BUS_INFORMATION: *status = wdf_bus_information_answer(device->pdo->parent, irp); return true;
    case IRP_MN_QUERY_RESOURCES: *status = query_resources(device, irp); return true;
    case IRP_MN_QUERY_RESOURCE_REQUIREMENTS: *status = query_requirements(device, irp); return true;
    case IRP_MN_QUERY_DEVICE_RELATIONS: *status = query_relations(device, irp, location->Parameters.QueryDeviceRelations.Type); return true;
    case IRP_MN_EJECT: *status = eject(device); return true;
    case IRP_MN_SET_LOCK: *status = set_lock(device, irp, location->Parameters.SetLock.Lock); return true;
    default: return false;
    }
}

bool wdf_pdo_pnp(wdf_device_t *device, PIRP irp, NTSTATUS *status)
{
    if (!answer(device, irp, status))
        return false;
    *status = wdf_device_complete(irp, *status);
    return true;
}
