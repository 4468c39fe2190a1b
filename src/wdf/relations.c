/*
 * relations.c - devices that belong to another one: an answer to IRP_MN_QUERY_DEVICE_RELATIONS, and the list behind it.
 *
 *     WdfPdoAddEjectionRelationsPhysicalDevice    -.
 *     WdfDeviceAddRemovalRelationsPhysicalDevice  -'-> a list of the device's --IRP--> | Count | others' objects ... | ours ... |
 *
 * Drivers further up may have answered before: their block is replaced by one that has their devices first.
 *
 * Locks       relations->lock. Device objects on the list are referenced, and once more for whoever gets the answer.
 * Source      WDK reference: "IRP_MN_QUERY_DEVICE_RELATIONS", wdfpdo.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/relations.h"

#include <string.h>

typedef struct relation {
    LIST_ENTRY     links;
    PDEVICE_OBJECT device;
} relation_t;

/* ---- an answer ---- */

static SIZE_T bytes_for(ULONG count) { return FIELD_OFFSET(DEVICE_RELATIONS, Objects) + (SIZE_T)count * sizeof(PDEVICE_OBJECT); }

bool wdf_relations_extend(PDEVICE_RELATIONS *relations, ULONG more, ULONG tag)
{
    PDEVICE_RELATIONS before = *relations;
    ULONG             count = before != NULL ? before->Count : 0;
    PDEVICE_RELATIONS after = ExAllocatePool2(POOL_FLAG_PAGED, bytes_for(count + more), tag);
    if (after != NULL && before != NULL)
        memcpy(after, before, bytes_for(count));
    for (ULONG i = 0; after == NULL && i < count; i++)
        ObDereferenceObject(before->Objects[i]);
    if (before != NULL)
        ExFreePool(before);
    *relations = after;
    return after != NULL;
}

void wdf_relations_append(PDEVICE_RELATIONS relations, PDEVICE_OBJECT device)
{
    ObReferenceObject(device);
    relations->Objects[relations->Count++] = device;
}

/* ---- the list ---- */

void wdf_relations_init(wdf_relations_t *relations)
{
    *relations = (wdf_relations_t){ .count = 0 };
    InitializeListHead(&relations->row);
}

static relation_t *find_locked(wdf_relations_t *relations, PDEVICE_OBJECT device)
{
    for (PLIST_ENTRY link = relations->row.Flink; link != &relations->row; link = link->Flink)
        if (CONTAINING_RECORD(link, relation_t, links)->device == device)
            return CONTAINING_RECORD(link, relation_t, links);
    return NULL;
}

NTSTATUS wdf_relations_add(wdf_relations_t *relations, PDEVICE_OBJECT device, ULONG tag)
{
    relation_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, tag);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->device = device;
    wdf_lock(&relations->lock);
    bool is_new = find_locked(relations, device) == NULL;
    if (is_new) {
        InsertTailList(&relations->row, &fresh->links);
        relations->count++;
    }
    wdf_unlock(&relations->lock);
    if (is_new)
        ObReferenceObject(device);
    else
        ExFreePoolWithTag(fresh, tag);
    return is_new ? STATUS_SUCCESS : STATUS_DUPLICATE_OBJECTID;
}

/* device NULL: the first one there is. */
static relation_t *take(wdf_relations_t *relations, PDEVICE_OBJECT device)
{
    relation_t *found = NULL;
    wdf_lock(&relations->lock);
    if (device != NULL)
        found = find_locked(relations, device);
    else if (!IsListEmpty(&relations->row))
        found = CONTAINING_RECORD(relations->row.Flink, relation_t, links);
    if (found != NULL) {
        RemoveEntryList(&found->links);
        relations->count--;
        relations->shrank = true;
    }
    wdf_unlock(&relations->lock);
    return found;
}

static bool remove_one(wdf_relations_t *relations, PDEVICE_OBJECT device, ULONG tag)
{
    relation_t *found = take(relations, device);
    if (found == NULL)
        return false;
    ObDereferenceObject(found->device);
    ExFreePoolWithTag(found, tag);
    return true;
}

void wdf_relations_remove(wdf_relations_t *relations, PDEVICE_OBJECT device, ULONG tag) { (void)remove_one(relations, device, tag); }

void wdf_relations_clear(wdf_relations_t *relations, ULONG tag)
{
    while (remove_one(relations, NULL, tag))
        continue;
}

static void store(wdf_relations_t *relations, PDEVICE_RELATIONS answer, ULONG room)
{
    wdf_lock(&relations->lock);
    for (PLIST_ENTRY link = relations->row.Flink; link != &relations->row && room != 0; link = link->Flink, room--)
        wdf_relations_append(answer, CONTAINING_RECORD(link, relation_t, links)->device);
    relations->shrank = false;
    wdf_unlock(&relations->lock);
}

NTSTATUS wdf_relations_answer(wdf_relations_t *relations, PIRP irp, ULONG tag)
{
    PDEVICE_RELATIONS answer = (PDEVICE_RELATIONS)irp->IoStatus.Information;
    wdf_lock(&relations->lock);
    ULONG count = relations->count;
    bool  says_something = count != 0 || (relations->shrank && answer == NULL);
    wdf_unlock(&relations->lock);
    if (!says_something)
        return irp->IoStatus.Status;
    bool has_room = wdf_relations_extend(&answer, count, tag);
    irp->IoStatus.Information = (ULONG_PTR)answer;
    if (!has_room)
        return STATUS_INSUFFICIENT_RESOURCES;
    store(relations, answer, count);
    return STATUS_SUCCESS;
}
