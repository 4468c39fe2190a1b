/*
 * resource_io.c - WDFIORESREQLIST and WDFIORESLIST: what a device could do with, while PnP still asks.
 *
 *     requirements  -- alternative --> descriptor, descriptor ...        the first alternative is the one that is liked best
 *                   `- alternative --> descriptor ...
 *
 * An alternative that is created belongs to its requirements, and counts once it is inserted.
 *
 * Locks       requirements->rows.lock: which alternatives there are.
 * Source      WDK reference: wdfresource.h, EVT_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS; what belongs to whom: the published KMDF 1.33.
 * Fidelity    as for WDFCMRESLIST (resource_cm.c).
 */
#include <string.h>

#include "wdf/resource_list.h"
#include "wdf/resource_rows.h"

typedef struct io_requirements {
    wdf_object_t   object;
    wdf_rows_t     rows; /* of io_list_t * */
    INTERFACE_TYPE interface;
    ULONG          slot;
    unsigned       access;
    bool           changed;
} io_requirements_t;

typedef struct io_list {
    wdf_object_t       object;
    io_requirements_t *owner;
    wdf_rows_t         rows;
} io_list_t;

/* A list that the driver deletes is no alternative any longer. */
static void list_dispose(wdf_object_t *object)
{
    io_list_t *list = (io_list_t *)object;
    list->owner->changed |= wdf_rows_remove_same(&list->owner->rows, &list);
}
static void      list_destroy(wdf_object_t *object) { wdf_rows_clear(&((io_list_t *)object)->rows); }
const wdf_type_t wdf_io_list_type = { .name = "WDFIORESLIST",
                                      .number = WDF_NUMBER_IO_RESOURCE_LIST,
                                      .bytes = sizeof(io_list_t),
                                      .dispose = list_dispose,
                                      .destroy = list_destroy };

static void      requirements_destroy(wdf_object_t *object) { wdf_rows_clear(&((io_requirements_t *)object)->rows); }
const wdf_type_t wdf_io_requirements_type = { .name = "WDFIORESREQLIST",
                                              .number = WDF_NUMBER_IO_RESOURCE_REQUIREMENTS,
                                              .bytes = sizeof(io_requirements_t),
                                              .options = WDF_TYPE_NO_DELETE,
                                              .destroy = requirements_destroy };

static bool may(const char *routine, const io_requirements_t *owner, unsigned access)
{
    return (owner->access & access) != 0 ||
           ke_error(false, "%s: these requirements are not to be changed in that way, or not now", routine);
}

/* ---- alternatives ---- */

static NTSTATUS list_new(io_requirements_t *owner, PWDF_OBJECT_ATTRIBUTES attributes, io_list_t **out)
{
    NTSTATUS status = wdf_object_new(&(wdf_new_t){ .type = &wdf_io_list_type, .attributes = attributes, .parent = &owner->object }, out);
    if (!NT_SUCCESS(status))
        return status;
    (*out)->owner = owner;
    wdf_rows_init(&(*out)->rows, sizeof(IO_RESOURCE_DESCRIPTOR), owner->object.tag);
    status = wdf_object_commit(*out, attributes);
    if (!NT_SUCCESS(status))
        wdf_object_abandon(*out);
    return status;
}

static io_list_t *alternative_at(io_requirements_t *requirements, ULONG index)
{
    io_list_t **place = wdf_rows_copy(&requirements->rows, index);
    return place != NULL ? *place : NULL;
}

/* A list that does not get its place is deleted. */
static NTSTATUS alternative_insert(io_requirements_t *requirements, io_list_t *list, ULONG index)
{
    NTSTATUS status = wdf_rows_insert(&requirements->rows, index, &list);
    if (NT_SUCCESS(status))
        requirements->changed = true;
    else
        wdf_object_delete(&list->object);
    return status;
}

/* ---- the framework's side ---- */

/* One list of PnP's; *next: where the following one begins. */
static NTSTATUS alternative_fill(io_requirements_t *requirements, const IO_RESOURCE_LIST *from, const IO_RESOURCE_LIST **next)
{
    io_list_t *list = NULL;
    NTSTATUS   status = list_new(requirements, NULL, &list);
    for (ULONG i = 0; NT_SUCCESS(status) && i < from->Count; i++)
        status = wdf_rows_insert(&list->rows, WDF_INSERT_AT_END, &from->Descriptors[i]);
    *next = (const IO_RESOURCE_LIST *)(const void *)&from->Descriptors[from->Count];
    return NT_SUCCESS(status) ? alternative_insert(requirements, list, WDF_INSERT_AT_END) : status;
}

static NTSTATUS requirements_fill(io_requirements_t *requirements, const IO_RESOURCE_REQUIREMENTS_LIST *from)
{
    NTSTATUS                status = STATUS_SUCCESS;
    const IO_RESOURCE_LIST *list = from->List;
    requirements->interface = from->InterfaceType;
    requirements->slot = from->SlotNumber;
    for (ULONG i = 0; i < from->AlternativeLists && NT_SUCCESS(status); i++)
        status = alternative_fill(requirements, list, &list);
    requirements->changed = false;
    return status;
}

NTSTATUS wdf_io_requirements_new(wdf_object_t *parent, const IO_RESOURCE_REQUIREMENTS_LIST *from, unsigned access, wdf_object_t **out)
{
    io_requirements_t *requirements = NULL;
    NTSTATUS           status = wdf_object_new(&(wdf_new_t){ .type = &wdf_io_requirements_type, .parent = parent }, &requirements);
    if (!NT_SUCCESS(status))
        return status;
    wdf_rows_init(&requirements->rows, sizeof(io_list_t *), requirements->object.tag);
    requirements->access = access;
    requirements->interface = InterfaceTypeUndefined;
    status = wdf_object_commit(requirements, NULL);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(requirements);
        return status;
    }
    if (from != NULL)
        status = requirements_fill(requirements, from);
    if (NT_SUCCESS(status))
        *out = &requirements->object;
    else
        wdf_object_delete(&requirements->object);
    return status;
}

bool wdf_io_requirements_changed(const wdf_object_t *list) { return ((const io_requirements_t *)list)->changed; }

/* Bytes of IO_RESOURCE_LIST with so many descriptors. */
static size_t list_bytes(ULONG count) { return FIELD_OFFSET(IO_RESOURCE_LIST, Descriptors) + count * sizeof(IO_RESOURCE_DESCRIPTOR); }

static size_t requirements_bytes(io_requirements_t *requirements, ULONG count)
{
    size_t bytes = FIELD_OFFSET(IO_RESOURCE_REQUIREMENTS_LIST, List);
    for (ULONG i = 0; i < count; i++)
        bytes += list_bytes(wdf_rows_count(&alternative_at(requirements, i)->rows));
    return bytes > sizeof(IO_RESOURCE_REQUIREMENTS_LIST) ? bytes : sizeof(IO_RESOURCE_REQUIREMENTS_LIST);
}

static PIO_RESOURCE_LIST list_store(io_list_t *list, PIO_RESOURCE_LIST to)
{
    to->Version = 1;
    to->Revision = 1;
    to->Count = wdf_rows_count(&list->rows);
    wdf_rows_store(&list->rows, to->Descriptors, to->Count);
    return (PIO_RESOURCE_LIST)(void *)&to->Descriptors[to->Count];
}

NTSTATUS wdf_io_requirements_to_wdm(wdf_object_t *object, PIO_RESOURCE_REQUIREMENTS_LIST *out)
{
    io_requirements_t *requirements = (io_requirements_t *)object;
    ULONG              count = wdf_rows_count(&requirements->rows);
    *out = NULL;
    if (count == 0)
        return STATUS_SUCCESS;
    size_t                         bytes = requirements_bytes(requirements, count);
    PIO_RESOURCE_REQUIREMENTS_LIST wdm = ExAllocatePool2(POOL_FLAG_PAGED, bytes, object->tag);
    if (wdm == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    wdm->ListSize = (ULONG)bytes;
    wdm->InterfaceType = requirements->interface;
    wdm->SlotNumber = requirements->slot;
    wdm->AlternativeLists = count;
    PIO_RESOURCE_LIST at = wdm->List;
    for (ULONG i = 0; i < count; i++)
        at = list_store(alternative_at(requirements, i), at);
    *out = wdm;
    return STATUS_SUCCESS;
}

/* ---- the driver's side: requirements ---- */

VOID WdfIoResourceRequirementsListSetSlotNumber(WDFIORESREQLIST RequirementsList, ULONG SlotNumber)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    requirements->changed |= requirements->slot != SlotNumber;
    requirements->slot = SlotNumber;
}

VOID WdfIoResourceRequirementsListSetInterfaceType(WDFIORESREQLIST RequirementsList, INTERFACE_TYPE InterfaceType)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    requirements->changed |= requirements->interface != InterfaceType;
    requirements->interface = InterfaceType;
}

static NTSTATUS insert_list(const char *routine, WDFIORESREQLIST handle, WDFIORESLIST list_handle, ULONG index)
{
    io_requirements_t *requirements = (void *)wdf_from_handle(routine, handle, &wdf_io_requirements_type);
    io_list_t         *list = (void *)wdf_from_handle(routine, list_handle, &wdf_io_list_type);
    if (list->owner != requirements)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (may(routine, requirements, WDF_RESOURCES_ADD))
        return alternative_insert(requirements, list, index);
    return STATUS_ACCESS_DENIED;
}

NTSTATUS WdfIoResourceRequirementsListAppendIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return insert_list(__func__, RequirementsList, IoResList, WDF_INSERT_AT_END);
}

NTSTATUS WdfIoResourceRequirementsListInsertIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return insert_list(__func__, RequirementsList, IoResList, Index);
}

ULONG WdfIoResourceRequirementsListGetCount(WDFIORESREQLIST RequirementsList)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    return wdf_rows_count(&requirements->rows);
}

WDFIORESLIST WdfIoResourceRequirementsListGetIoResList(WDFIORESREQLIST RequirementsList, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    return (WDFIORESLIST)(void *)alternative_at(requirements, Index);
}

/* A list that is taken out is deleted. */
static void remove_list(const char *routine, io_requirements_t *requirements, io_list_t *list)
{
    if (!may(routine, requirements, WDF_RESOURCES_REMOVE))
        return;
    if (list == NULL || !wdf_rows_remove_same(&requirements->rows, &list)) {
        (void)ke_error(0, "%s: the requirements have no such list", routine);
        return;
    }
    requirements->changed = true;
    wdf_object_delete(&list->object);
}

VOID WdfIoResourceRequirementsListRemove(WDFIORESREQLIST RequirementsList, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    remove_list(__func__, requirements, alternative_at(requirements, Index));
}

VOID WdfIoResourceRequirementsListRemoveByIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    remove_list(__func__, requirements, WDF_FROM(IoResList, &wdf_io_list_type));
}

/* ---- the driver's side: one alternative ---- */

NTSTATUS WdfIoResourceListCreate(WDFIORESREQLIST RequirementsList, PWDF_OBJECT_ATTRIBUTES Attributes, WDFIORESLIST *ResourceList)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    io_requirements_t *requirements = WDF_FROM(RequirementsList, &wdf_io_requirements_type);
    io_list_t         *list = NULL;
    WDF_REQUIRE(ResourceList);
    *ResourceList = NULL;
    NTSTATUS status = wdf_attributes_check(Attributes, WDF_ATTRIBUTES_NO_PARENT);
    if (NT_SUCCESS(status))
        status = list_new(requirements, Attributes, &list);
    if (NT_SUCCESS(status))
        *ResourceList = (WDFIORESLIST)(void *)list;
    return status;
}

static NTSTATUS insert(const char *routine, WDFIORESLIST handle, const IO_RESOURCE_DESCRIPTOR *descriptor, ULONG index)
{
    io_list_t *list = (void *)wdf_from_handle(routine, handle, &wdf_io_list_type);
    if (!may(routine, list->owner, WDF_RESOURCES_ADD))
        return STATUS_ACCESS_DENIED;
    NTSTATUS status = wdf_rows_insert(&list->rows, index, descriptor);
    list->owner->changed |= NT_SUCCESS(status);
    return status;
}

NTSTATUS WdfIoResourceListAppendDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Descriptor);
    return insert(__func__, ResourceList, Descriptor, WDF_INSERT_AT_END);
}

NTSTATUS WdfIoResourceListInsertDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Descriptor);
    return insert(__func__, ResourceList, Descriptor, Index);
}

VOID WdfIoResourceListUpdateDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_list_t *list = WDF_FROM(ResourceList, &wdf_io_list_type);
    WDF_REQUIRE(Descriptor);
    if (wdf_rows_update(&list->rows, Index, Descriptor))
        list->owner->changed = true;
    else
        (void)ke_error(0, "%s: the list has no number %u", __func__, (unsigned)Index);
}

ULONG WdfIoResourceListGetCount(WDFIORESLIST ResourceList)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    io_list_t *list = WDF_FROM(ResourceList, &wdf_io_list_type);
    return wdf_rows_count(&list->rows);
}

PIO_RESOURCE_DESCRIPTOR WdfIoResourceListGetDescriptor(WDFIORESLIST ResourceList, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    io_list_t *list = WDF_FROM(ResourceList, &wdf_io_list_type);
    return wdf_rows_copy(&list->rows, Index);
}

static void removed(const char *routine, io_list_t *list, bool was_there)
{
    if (was_there)
        list->owner->changed = true;
    else
        (void)ke_error(0, "%s: the list has no such descriptor", routine);
}

VOID WdfIoResourceListRemove(WDFIORESLIST ResourceList, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_list_t *list = WDF_FROM(ResourceList, &wdf_io_list_type);
    if (may(__func__, list->owner, WDF_RESOURCES_REMOVE))
        removed(__func__, list, wdf_rows_remove(&list->rows, Index));
}

VOID WdfIoResourceListRemoveByDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    io_list_t *list = WDF_FROM(ResourceList, &wdf_io_list_type);
    WDF_REQUIRE(Descriptor);
    if (may(__func__, list->owner, WDF_RESOURCES_REMOVE))
        removed(__func__, list, wdf_rows_remove_same(&list->rows, Descriptor));
}
