/*
 * child_description.c - which child is meant, and where it is: descriptions, which only the driver can read when it has callbacks for them.
 *
 *     | wdf_child_t | the driver's WDF_CHILD_IDENTIFICATION_DESCRIPTION... | its WDF_CHILD_ADDRESS_DESCRIPTION... |      one block
 *
 * Without callbacks a description is bytes, to be copied and compared. The driver's duplicate callback may put pointers to memory of its own into a
 * copy; its cleanup callback frees that.
 *
 * Locks       children->lock is held, so all but the cleanup callbacks run at DISPATCH_LEVEL.
 * Source      WDK reference: wdfchildlist.h, the pages of the callbacks; KMDF 1.33.
 */
#include <string.h>

#include "wdf/child_list.h"
#include "wdf/pdo.h"

/* The driver's callback, whose first parameter is the list. Static lists have none. */
#define CALL(children, result, callback, ...) \
    do { \
        wdf_call_t call_ = wdf_call_begin((children)->owner->driver); \
        result(callback)((WDFCHILDLIST)(children)->owner, __VA_ARGS__); \
        WDF_CALL_END(&call_, callback); \
    } while (0)

bool wdf_child_is(wdf_children_t *children, const wdf_child_t *child, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id)
{
    BOOLEAN is_same = FALSE;
    if (children->config.EvtChildListIdentificationDescriptionCompare == NULL)
        return memcmp(child->id, id, children->config.IdentificationDescriptionSize) == 0;
    CALL(children, is_same =, children->config.EvtChildListIdentificationDescriptionCompare, child->id, id);
    return is_same != FALSE;
}

void wdf_child_copy_id(const wdf_child_t *child, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER to)
{
    wdf_children_t *children = child->children;
    if (children->config.EvtChildListIdentificationDescriptionCopy == NULL)
        memcpy(to, child->id, children->config.IdentificationDescriptionSize);
    else
        CALL(children, , children->config.EvtChildListIdentificationDescriptionCopy, child->id, to);
}

void wdf_child_copy_address(wdf_children_t *children, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER from, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER to)
{
    if (children->config.EvtChildListAddressDescriptionCopy == NULL)
        memcpy(to, from, children->config.AddressDescriptionSize);
    else
        CALL(children, , children->config.EvtChildListAddressDescriptionCopy, from, to);
}

/* ---- a child's own ---- */

static NTSTATUS duplicate_id(const wdf_child_t *child, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER from)
{
    wdf_children_t *children = child->children;
    NTSTATUS        status = STATUS_SUCCESS;
    if (children->config.EvtChildListIdentificationDescriptionDuplicate == NULL)
        memcpy(child->id, from, children->config.IdentificationDescriptionSize);
    else
        CALL(children, status =, children->config.EvtChildListIdentificationDescriptionDuplicate, from, child->id);
    return status;
}

static NTSTATUS duplicate_address(const wdf_child_t *child, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER from)
{
    wdf_children_t *children = child->children;
    NTSTATUS        status = STATUS_SUCCESS;
    if (children->config.EvtChildListAddressDescriptionDuplicate == NULL)
        memcpy(child->address, from, children->config.AddressDescriptionSize);
    else
        CALL(children, status =, children->config.EvtChildListAddressDescriptionDuplicate, from, child->address);
    return status;
}

static SIZE_T aligned(SIZE_T bytes) { return (bytes + 15) & ~(SIZE_T)15; }

static wdf_child_t *allocate(wdf_children_t *children)
{
    SIZE_T       id_at = aligned(sizeof(wdf_child_t)), address_at = id_at + aligned(children->config.IdentificationDescriptionSize);
    ULONG        tag = children->owner->driver->globals.DriverTag;
    wdf_child_t *child = ExAllocatePool2(POOL_FLAG_NON_PAGED, address_at + children->config.AddressDescriptionSize, tag);
    if (child == NULL)
        return NULL;
    wdf_object_reference(children->owner);
    child->children = children;
    child->id = (PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER)(void *)((char *)child + id_at);
    if (children->config.AddressDescriptionSize != 0)
        child->address = (PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER)(void *)((char *)child + address_at);
    return child;
}

/* As with KMDF, a failed duplicate is cleaned up, too: its bytes are zero where the driver has written nothing. */
NTSTATUS wdf_child_new(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id,
                       PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address, wdf_child_t **child)
{
    *child = allocate(children);
    if (*child == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = duplicate_id(*child, id);
    if (NT_SUCCESS(status) && (*child)->address != NULL)
        status = duplicate_address(*child, address);
    return status;
}

/* A static child that was never reported takes its WDFDEVICE along. */
void wdf_child_free(wdf_child_t *child)
{
    wdf_children_t *children = child->children;
    wdf_object_t   *owner = children->owner;
    if (children->is_static && child->pdo != NULL) {
        child->pdo->pdo->child = NULL;
        wdf_object_delete(&child->pdo->object);
    }
    if (children->config.EvtChildListAddressDescriptionCleanup != NULL && child->address != NULL)
        CALL(children, , children->config.EvtChildListAddressDescriptionCleanup, child->address);
    if (children->config.EvtChildListIdentificationDescriptionCleanup != NULL)
        CALL(children, , children->config.EvtChildListIdentificationDescriptionCleanup, child->id);
    ExFreePoolWithTag(child, owner->driver->globals.DriverTag);
    wdf_object_dereference(__func__, owner);
}
