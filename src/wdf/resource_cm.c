/*
 * resource_cm.c - WDFCMRESLIST: the resources that a device was given, raw and translated, as EvtDevicePrepareHardware sees them.
 *
 * Source      WDK reference: wdfresource.h, "Raw and Translated Resources"; who may change a list when: the published KMDF 1.33.
 * Fidelity    what a driver may not do to a list, and numbers that the list does not have: nothing is changed, and ntmm_error() says so; on
 *             Windows a debugger stops there, too, when the framework's verifier is on.
 */
#include "wdf/resource_list.h"
#include "wdf/resource_rows.h"

typedef struct cm_list {
    wdf_object_t object;
    wdf_rows_t   rows;
    unsigned     access; /* enum wdf_resource_access */
} cm_list_t;

static void destroy(wdf_object_t *object) { wdf_rows_clear(&((cm_list_t *)object)->rows); }

const wdf_type_t wdf_cm_list_type = { .name = "WDFCMRESLIST",
                                      .number = WDF_NUMBER_CM_RESOURCE_LIST,
                                      .bytes = sizeof(cm_list_t),
                                      .options = WDF_TYPE_NO_DELETE,
                                      .destroy = destroy };

/* ---- the framework's side ---- */

NTSTATUS wdf_cm_list_new(wdf_object_t *parent, wdf_object_t **out)
{
    cm_list_t *list = NULL;
    NTSTATUS   status = wdf_object_new(&(wdf_new_t){ .type = &wdf_cm_list_type, .parent = parent }, &list);
    if (!NT_SUCCESS(status))
        return status;
    wdf_rows_init(&list->rows, sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR), list->object.tag);
    status = wdf_object_commit(list, NULL);
    if (NT_SUCCESS(status))
        *out = &list->object;
    else
        wdf_object_abandon(list);
    return status;
}

NTSTATUS wdf_cm_list_fill(wdf_object_t *object, const CM_RESOURCE_LIST *from, unsigned access)
{
    cm_list_t *list = (cm_list_t *)object;
    NTSTATUS   status = STATUS_SUCCESS;
    wdf_rows_clear(&list->rows);
    list->access = access;
    if (from == NULL || from->Count == 0)
        return STATUS_SUCCESS;
    const CM_PARTIAL_RESOURCE_LIST *partial = &from->List[0].PartialResourceList;
    for (ULONG i = 0; i < partial->Count && NT_SUCCESS(status); i++)
        status = wdf_rows_insert(&list->rows, WDF_INSERT_AT_END, &partial->PartialDescriptors[i]);
    if (!NT_SUCCESS(status))
        wdf_rows_clear(&list->rows);
    return status;
}

NTSTATUS wdf_cm_list_to_wdm(wdf_object_t *object, PCM_RESOURCE_LIST *out)
{
    cm_list_t *list = (cm_list_t *)object;
    ULONG      count = wdf_rows_count(&list->rows);
    *out = NULL;
    if (count == 0)
        return STATUS_SUCCESS;
    PCM_RESOURCE_LIST wdm =
        ExAllocatePool2(POOL_FLAG_PAGED, sizeof *wdm + (count - 1) * sizeof(CM_PARTIAL_RESOURCE_DESCRIPTOR), object->tag);
    if (wdm == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    wdm->Count = 1;
    wdm->List[0].PartialResourceList.Version = 1;
    wdm->List[0].PartialResourceList.Revision = 1;
    wdm->List[0].PartialResourceList.Count = count;
    wdf_rows_store(&list->rows, wdm->List[0].PartialResourceList.PartialDescriptors, count);
    *out = wdm;
    return STATUS_SUCCESS;
}

/* ---- the driver's side ---- */

static bool may(const char *routine, const cm_list_t *list, unsigned access)
{
    return (list->access & access) != 0 || ke_error(false, "%s: this list is not to be changed in that way, or not now", routine);
}

static NTSTATUS insert(const char *routine, WDFCMRESLIST handle, const CM_PARTIAL_RESOURCE_DESCRIPTOR *descriptor, ULONG index)
{
    cm_list_t *list = (void *)wdf_from_handle(routine, handle, &wdf_cm_list_type);
    return may(routine, list, WDF_RESOURCES_ADD) ? wdf_rows_insert(&list->rows, index, descriptor) : STATUS_ACCESS_DENIED;
}

NTSTATUS WdfCmResourceListAppendDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Descriptor);
    return insert(__func__, List, Descriptor, WDF_INSERT_AT_END);
}

NTSTATUS WdfCmResourceListInsertDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Descriptor);
    return insert(__func__, List, Descriptor, Index);
}

ULONG WdfCmResourceListGetCount(WDFCMRESLIST List)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    cm_list_t *list = WDF_FROM(List, &wdf_cm_list_type);
    return wdf_rows_count(&list->rows);
}

PCM_PARTIAL_RESOURCE_DESCRIPTOR WdfCmResourceListGetDescriptor(WDFCMRESLIST List, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    cm_list_t *list = WDF_FROM(List, &wdf_cm_list_type);
    return wdf_rows_copy(&list->rows, Index);
}

VOID WdfCmResourceListRemove(WDFCMRESLIST List, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    cm_list_t *list = WDF_FROM(List, &wdf_cm_list_type);
    if (may(__func__, list, WDF_RESOURCES_REMOVE) && !wdf_rows_remove(&list->rows, Index))
        (void)ke_error(0, "%s: the list has no number %u", __func__, (unsigned)Index);
}

VOID WdfCmResourceListRemoveByDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    cm_list_t *list = WDF_FROM(List, &wdf_cm_list_type);
    WDF_REQUIRE(Descriptor);
    if (may(__func__, list, WDF_RESOURCES_REMOVE) && !wdf_rows_remove_same(&list->rows, Descriptor))
        (void)ke_error(0, "%s: the list has no descriptor like that", __func__);
}
