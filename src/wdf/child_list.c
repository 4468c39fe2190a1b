/*
 * child_list.c - WDFCHILDLIST: what a bus driver says of children that come and go, and what it asks.
 *
 *     EvtChildListScanForChildren     each time that the bus has come into D0: BeginScan, AddOrUpdate ... for who is there, EndScan
 *     an interrupt, a control code    AddOrUpdate ..., UpdateChildDescriptionAsMissing
 *
 * Locks       children->lock (child_list.h); device->bus.lock for the list of lists.
 * Source      WDK reference: wdfchildlist.h, the pages of the routines; KMDF 1.33 (which status for which size).
 */
#include "wdf/child_list.h"

#include "wdf/device_bus.h"
#include "wdf/pdo.h"

#define CHILDREN(handle) (&((wdf_child_list_t *)wdf_from_handle(__func__, (handle), &wdf_child_list_type))->children)

/* ---- life ---- */

/* Who was never reported goes with the list; the others hold on to it. */
static void dispose(wdf_object_t *object) { wdf_children_lose_all(&((wdf_child_list_t *)object)->children); }

static void destroy(wdf_object_t *object)
{
    wdf_child_list_t *list = (wdf_child_list_t *)object;
    if (list->of_device.Flink == NULL)
        return;
    wdf_lock(&list->children.device->bus.lock);
    RemoveEntryList(&list->of_device);
    wdf_unlock(&list->children.device->bus.lock);
    wdf_object_dereference(__func__, &list->children.device->object);
}

const wdf_type_t wdf_child_list_type = { .name = "WDFCHILDLIST",
                                         .number = WDF_NUMBER_CHILD_LIST,
                                         .bytes = sizeof(wdf_child_list_t),
                                         .options = WDF_TYPE_NO_DELETE,
                                         .dispose = dispose,
                                         .destroy = destroy };

NTSTATUS wdf_child_list_check(PWDF_CHILD_LIST_CONFIG config, PWDF_OBJECT_ATTRIBUTES attributes)
{
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    bool is_too_long = config->IdentificationDescriptionSize > MAXLONG || config->AddressDescriptionSize > MAXLONG;
    if (config->IdentificationDescriptionSize == 0 || config->EvtChildListCreateDevice == NULL || is_too_long)
        return STATUS_INVALID_PARAMETER;
    return wdf_attributes_check(attributes, WDF_ATTRIBUTES_NO_PARENT);
}

NTSTATUS wdf_child_list_new(wdf_device_t *device, const WDF_CHILD_LIST_CONFIG *config, PWDF_OBJECT_ATTRIBUTES attributes,
                            wdf_child_list_t **list)
{
    NTSTATUS status =
        wdf_object_new(&(wdf_new_t){ .type = &wdf_child_list_type, .attributes = attributes, .parent = &device->object }, list);
    if (!NT_SUCCESS(status))
        return status;
    wdf_children_init(&(*list)->children, &(*list)->object, device, config);
    status = wdf_object_commit(*list, attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(*list);
        return status;
    }
    wdf_object_reference(&device->object);
    wdf_lock(&device->bus.lock);
    InsertTailList(&device->bus.lists, &(*list)->of_device);
    wdf_unlock(&device->bus.lock);
    return STATUS_SUCCESS;
}

wdf_child_list_t *wdf_child_list_next(wdf_device_t *device, wdf_child_list_t *list)
{
    wdf_lock(&device->bus.lock);
    PLIST_ENTRY link = list != NULL ? list->of_device.Flink : device->bus.lists.Flink;
    wdf_unlock(&device->bus.lock);
    return link != &device->bus.lists ? CONTAINING_RECORD(link, wdf_child_list_t, of_device) : NULL;
}

NTSTATUS WdfChildListCreate(WDFDEVICE Device, PWDF_CHILD_LIST_CONFIG Config, PWDF_OBJECT_ATTRIBUTES ChildListAttributes,
                            WDFCHILDLIST *ChildList)
{
    wdf_child_list_t *list;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(Config);
    WDF_REQUIRE(ChildList);
    *ChildList = NULL;
    NTSTATUS status = wdf_child_list_check(Config, ChildListAttributes);
    if (NT_SUCCESS(status))
        status = wdf_child_list_new(device, Config, ChildListAttributes, &list);
    if (NT_SUCCESS(status))
        *ChildList = (WDFCHILDLIST)list;
    return status;
}

WDFDEVICE WdfChildListGetDevice(WDFCHILDLIST ChildList)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return wdf_device_handle(CHILDREN(ChildList)->device);
}

/* EvtChildListScanForChildren: the bus is in D0. */
static NTSTATUS scan_all(wdf_device_t *device)
{
    for (wdf_child_list_t *list = wdf_child_list_next(device, NULL); list != NULL; list = wdf_child_list_next(device, list)) {
        PFN_WDF_CHILD_LIST_SCAN_FOR_CHILDREN callback = list->children.config.EvtChildListScanForChildren;
        if (callback == NULL)
            continue;
        wdf_call_t call = wdf_call_begin(list->object.driver);
        callback((WDFCHILDLIST)list);
        WDF_CALL_END(&call, callback);
    }
    return STATUS_SUCCESS;
}

const wdf_device_part_t wdf_bus_part = { .number = WDF_PART_BUS, .up = scan_all };

/* ---- sizes ---- */

static bool is_id(const wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id)
{
    return id->IdentificationDescriptionSize == children->config.IdentificationDescriptionSize;
}
/* NULL where the list has no addresses, only. */
static bool is_address(const wdf_children_t *children, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address)
{
    return children->config.AddressDescriptionSize == (address != NULL ? address->AddressDescriptionSize : 0) &&
           (address == NULL) == (children->config.AddressDescriptionSize == 0);
}

static NTSTATUS check_info(const wdf_children_t *children, const WDF_CHILD_RETRIEVE_INFO *info)
{
    if (info->Size != sizeof *info)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (info->IdentificationDescription != NULL && !is_id(children, info->IdentificationDescription))
        return STATUS_INVALID_PARAMETER;
    if (info->AddressDescription == NULL || is_address(children, info->AddressDescription))
        return STATUS_SUCCESS;
    return children->config.AddressDescriptionSize == 0 ? STATUS_INVALID_DEVICE_REQUEST : STATUS_INVALID_PARAMETER;
}

/* ---- who is there ---- */

NTSTATUS WdfChildListAddOrUpdateChildDescriptionAsPresent(WDFCHILDLIST                                 ChildList,
                                                          PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription,
                                                          PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER        AddressDescription)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(IdentificationDescription);
    if (!is_address(children, AddressDescription) || !is_id(children, IdentificationDescription))
        return STATUS_INVALID_DEVICE_REQUEST;
    return wdf_children_add(children, IdentificationDescription, AddressDescription);
}

NTSTATUS WdfChildListUpdateChildDescriptionAsMissing(WDFCHILDLIST                                 ChildList,
                                                     PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(IdentificationDescription);
    return is_id(children, IdentificationDescription) ? wdf_children_miss(children, IdentificationDescription)
                                                      : STATUS_INVALID_DEVICE_REQUEST;
}

VOID WdfChildListUpdateAllChildDescriptionsAsPresent(WDFCHILDLIST ChildList)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_children_find_all(CHILDREN(ChildList));
}

VOID WdfChildListBeginScan(WDFCHILDLIST ChildList)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_children_scan_begin(CHILDREN(ChildList), true);
}

static void end_scan(const char *routine, wdf_children_t *children)
{
    if (!wdf_children_scan_end(children))
        (void)ke_error(0, "%s: nothing was begun", routine);
}

VOID WdfChildListEndScan(WDFCHILDLIST ChildList)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    end_scan(__func__, CHILDREN(ChildList));
}

/* ---- one child ---- */

static wdf_device_t *retrieve(wdf_children_t *children, PWDF_CHILD_RETRIEVE_INFO info)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    wdf_child_t  *child = wdf_children_find_locked(children, info->IdentificationDescription);
    wdf_device_t *pdo = child != NULL && child->state > WDF_CHILD_WANTED ? child->pdo : NULL;
    info->Status = child == NULL ? WdfChildListRetrieveDeviceNoSuchDevice
                   : pdo == NULL ? WdfChildListRetrieveDeviceNotYetCreated
                                 : WdfChildListRetrieveDeviceSuccess;
    if (child != NULL && info->AddressDescription != NULL)
        wdf_child_copy_address(children, child->address, info->AddressDescription);
    KeReleaseSpinLock(&children->lock, irql);
    return pdo;
}

WDFDEVICE WdfChildListRetrievePdo(WDFCHILDLIST ChildList, PWDF_CHILD_RETRIEVE_INFO RetrieveInfo)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(RetrieveInfo);
    if (!NT_SUCCESS(check_info(children, RetrieveInfo)) || RetrieveInfo->IdentificationDescription == NULL)
        return NULL;
    wdf_device_t *pdo = retrieve(children, RetrieveInfo);
    return pdo != NULL ? wdf_device_handle(pdo) : NULL;
}

NTSTATUS WdfChildListRetrieveAddressDescription(WDFCHILDLIST                                 ChildList,
                                                PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription,
                                                PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER        AddressDescription)
{
    WDF_CHILD_RETRIEVE_INFO info;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(IdentificationDescription);
    WDF_REQUIRE(AddressDescription);
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, IdentificationDescription);
    info.AddressDescription = AddressDescription;
    if (!NT_SUCCESS(check_info(children, &info)))
        return STATUS_INVALID_DEVICE_REQUEST;
    (void)retrieve(children, &info);
    return info.Status != WdfChildListRetrieveDeviceNoSuchDevice ? STATUS_SUCCESS : STATUS_NO_SUCH_DEVICE;
}

BOOLEAN WdfChildListRequestChildEject(WDFCHILDLIST ChildList, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription)
{
    WDF_CHILD_RETRIEVE_INFO info;
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(IdentificationDescription);
    WDF_CHILD_RETRIEVE_INFO_INIT(&info, IdentificationDescription);
    if (!NT_SUCCESS(check_info(children, &info)))
        return FALSE;
    wdf_device_t  *pdo = retrieve(children, &info);
    PDEVICE_OBJECT known = pdo != NULL ? wdf_device_known(pdo) : NULL;
    if (known != NULL)
        IoRequestDeviceEject(known);
    return known != NULL;
}

/* ---- one after the other: Reserved[0] is the link of the one retrieved last, the row at first, NULL at the end ---- */

static NTSTATUS check_iterator(const WDF_CHILD_LIST_ITERATOR *iterator)
{
    if (iterator->Size != sizeof *iterator)
        return STATUS_INFO_LENGTH_MISMATCH;
    return (iterator->Flags & ~(ULONG)WdfRetrieveAllChildren) == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

VOID WdfChildListBeginIteration(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(Iterator);
    if (!NT_SUCCESS(check_iterator(Iterator))) {
        (void)ke_error(0, "%s: the iterator has another Size, or Flags that are none", __func__);
        return;
    }
    RtlZeroMemory(Iterator->Reserved, sizeof Iterator->Reserved);
    Iterator->Reserved[0] = &children->row;
    wdf_children_scan_begin(children, false);
}

VOID WdfChildListEndIteration(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(Iterator);
    if (!NT_SUCCESS(check_iterator(Iterator))) {
        (void)ke_error(0, "%s: the iterator has another Size, or Flags that are none", __func__);
        return;
    }
    end_scan(__func__, children);
    RtlZeroMemory(Iterator->Reserved, sizeof Iterator->Reserved);
}

/* The driver's compare callback has the last word. */
static bool is_wanted_locked(wdf_children_t *children, const wdf_child_t *child, ULONG flags, PWDF_CHILD_RETRIEVE_INFO info)
{
    if (!wdf_child_matches_locked(child, flags))
        return false;
    if (info == NULL || info->EvtChildListIdentificationDescriptionCompare == NULL)
        return true;
    wdf_call_t call = wdf_call_begin(children->owner->driver);
    BOOLEAN    is_wanted =
        info->EvtChildListIdentificationDescriptionCompare((WDFCHILDLIST)children->owner, info->IdentificationDescription, child->id);
    WDF_CALL_END(&call, info->EvtChildListIdentificationDescriptionCompare);
    return is_wanted != FALSE;
}

static wdf_child_t *next_wanted_locked(wdf_children_t *children, PWDF_CHILD_LIST_ITERATOR iterator, PWDF_CHILD_RETRIEVE_INFO info)
{
    PLIST_ENTRY link = iterator->Reserved[0];
    while (link != NULL && (link = link->Flink) != &children->row) {
        wdf_child_t *child = CONTAINING_RECORD(link, wdf_child_t, links);
        if (is_wanted_locked(children, child, iterator->Flags, info)) {
            iterator->Reserved[0] = link;
            return child;
        }
    }
    iterator->Reserved[0] = NULL;
    return NULL;
}

static WDFDEVICE tell_locked(wdf_children_t *children, const wdf_child_t *child, PWDF_CHILD_RETRIEVE_INFO info)
{
    bool is_made = child->state > WDF_CHILD_WANTED && child->pdo != NULL;
    if (info != NULL && info->IdentificationDescription != NULL)
        wdf_child_copy_id(child, info->IdentificationDescription);
    if (info != NULL && info->AddressDescription != NULL)
        wdf_child_copy_address(children, child->address, info->AddressDescription);
    if (info != NULL)
        info->Status = is_made ? WdfChildListRetrieveDeviceSuccess : WdfChildListRetrieveDeviceNotYetCreated;
    return is_made ? wdf_device_handle(child->pdo) : NULL;
}

NTSTATUS WdfChildListRetrieveNextDevice(WDFCHILDLIST ChildList, PWDF_CHILD_LIST_ITERATOR Iterator, WDFDEVICE *Device,
                                        PWDF_CHILD_RETRIEVE_INFO Info)
{
    KIRQL        irql;
    wdf_child_t *child = NULL;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_children_t *children = CHILDREN(ChildList);
    WDF_REQUIRE(Iterator);
    WDF_REQUIRE(Device);
    *Device = NULL;
    NTSTATUS status = check_iterator(Iterator);
    if (NT_SUCCESS(status) && Info != NULL)
        status = check_info(children, Info);
    if (!NT_SUCCESS(status))
        return status;
    KeAcquireSpinLock(&children->lock, &irql);
    bool is_walking = children->scans != 0;
    if (is_walking)
        child = next_wanted_locked(children, Iterator, Info);
    if (child != NULL)
        *Device = tell_locked(children, child, Info);
    KeReleaseSpinLock(&children->lock, irql);
    return child != NULL ? STATUS_SUCCESS : is_walking ? STATUS_NO_MORE_ENTRIES : STATUS_INVALID_DEVICE_STATE;
}
