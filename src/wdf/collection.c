/*
 * collection.c - lists of any objects; a collection refers to each that is on it, and lets go of all when it is deleted.
 *
 * Locks       the collection's own; a reference is given back without it.
 * Source      WDK reference: wdfcollection.h.
 */
#include "wdf/object.h"

typedef struct item {
    LIST_ENTRY    links;
    wdf_object_t *object;
} item_t;

typedef struct collection {
    wdf_object_t object;
    wdf_lock_t   items_lock;
    LIST_ENTRY   items; /* (items_lock) */
    ULONG        count; /* (items_lock) */
} collection_t;

static ULONG tag_of(const collection_t *collection) { return collection->object.driver->globals.DriverTag; }

static void let_go(const char *routine, collection_t *collection, item_t *item)
{
    wdf_object_dereference(routine, item->object);
    ExFreePoolWithTag(item, tag_of(collection));
}

static item_t *at_locked(collection_t *collection, ULONG index)
{
    LIST_ENTRY *link = collection->items.Flink;
    if (index >= collection->count)
        return NULL;
    while (index-- > 0)
        link = link->Flink;
    return CONTAINING_RECORD(link, item_t, links);
}

static item_t *of_locked(collection_t *collection, const wdf_object_t *object)
{
    for (LIST_ENTRY *link = collection->items.Flink; link != &collection->items; link = link->Flink)
        if (CONTAINING_RECORD(link, item_t, links)->object == object)
            return CONTAINING_RECORD(link, item_t, links);
    return NULL;
}

static item_t *take_locked(collection_t *collection, item_t *item)
{
    if (item != NULL) {
        RemoveEntryList(&item->links);
        collection->count--;
    }
    return item;
}

static void collection_dispose(wdf_object_t *object)
{
    collection_t *collection = (collection_t *)object;
    item_t       *item;
    do {
        wdf_lock(&collection->items_lock);
        item = take_locked(collection, at_locked(collection, 0));
        wdf_unlock(&collection->items_lock);
        if (item != NULL)
            let_go("WdfObjectDelete", collection, item);
    } while (item != NULL);
}

static const wdf_type_t collection_type = {
    .name = "WDFCOLLECTION",
    .number = WDF_NUMBER_COLLECTION,
    .bytes = sizeof(collection_t),
    .dispose = collection_dispose,
};

#define COLLECTION(handle) ((collection_t *)wdf_from_handle(__func__, (handle), &collection_type))

NTSTATUS WdfCollectionCreate(PWDF_OBJECT_ATTRIBUTES CollectionAttributes, WDFCOLLECTION *Collection)
{
    collection_t *collection;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Collection);
    *Collection = NULL;
    NTSTATUS status = wdf_attributes_check(CollectionAttributes, 0);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &collection_type, .attributes = CollectionAttributes }, &collection);
    if (!NT_SUCCESS(status))
        return status;
    InitializeListHead(&collection->items);
    status = wdf_object_commit(collection, CollectionAttributes);
    if (NT_SUCCESS(status))
        *Collection = (WDFCOLLECTION)collection;
    else
        wdf_object_abandon(collection);
    return status;
}

ULONG WdfCollectionGetCount(WDFCOLLECTION Collection)
{
    WDF_ENTER(DISPATCH_LEVEL, 0);
    return COLLECTION(Collection)->count;
}

NTSTATUS WdfCollectionAdd(WDFCOLLECTION Collection, WDFOBJECT Object)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    collection_t *collection = COLLECTION(Collection);
    wdf_object_t *object = WDF_FROM(Object, NULL);
    item_t       *item = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *item, tag_of(collection));
    if (item == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    wdf_object_reference(object);
    item->object = object;
    wdf_lock(&collection->items_lock);
    InsertTailList(&collection->items, &item->links);
    collection->count++;
    wdf_unlock(&collection->items_lock);
    return STATUS_SUCCESS;
}

static void drop(const char *routine, collection_t *collection, item_t *item)
{
    if (item != NULL)
        let_go(routine, collection, item);
    else
        (void)ke_error(0, "%s: that item is not in the collection", routine);
}

VOID WdfCollectionRemove(WDFCOLLECTION Collection, WDFOBJECT Item)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    collection_t *collection = COLLECTION(Collection);
    wdf_object_t *object = WDF_FROM(Item, NULL);
    wdf_lock(&collection->items_lock);
    item_t *item = take_locked(collection, of_locked(collection, object));
    wdf_unlock(&collection->items_lock);
    drop(__func__, collection, item);
}

VOID WdfCollectionRemoveItem(WDFCOLLECTION Collection, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    collection_t *collection = COLLECTION(Collection);
    wdf_lock(&collection->items_lock);
    item_t *item = take_locked(collection, at_locked(collection, Index));
    wdf_unlock(&collection->items_lock);
    drop(__func__, collection, item);
}

static WDFOBJECT get(collection_t *collection, ULONG index, bool last)
{
    wdf_lock(&collection->items_lock);
    item_t   *item = at_locked(collection, last ? collection->count - 1 : index);
    WDFOBJECT object = item != NULL ? item->object : NULL;
    wdf_unlock(&collection->items_lock);
    return object;
}

WDFOBJECT WdfCollectionGetItem(WDFCOLLECTION Collection, ULONG Index)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return get(COLLECTION(Collection), Index, false);
}
WDFOBJECT WdfCollectionGetFirstItem(WDFCOLLECTION Collection)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return get(COLLECTION(Collection), 0, false);
}
WDFOBJECT WdfCollectionGetLastItem(WDFCOLLECTION Collection)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return get(COLLECTION(Collection), 0, true);
}
