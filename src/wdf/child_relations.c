/*
 * child_relations.c - a bus is asked for its children: IRP_MN_QUERY_DEVICE_RELATIONS, BusRelations.
 *
 *     wdf_bus_relations
 *      |- each list    EvtChildListCreateDevice for who is WANTED; REPORTED ones are referenced for the PnP manager; who is GONE is MISSING now
 *      `- each list    EvtDeviceReportedMissing, when all lists have answered
 *
 * A child that its driver could not make is dropped, unless it said STATUS_RETRY: then the PnP manager is asked to ask again.
 *
 * Locks       children->lock, not while a driver is called: meanwhile nothing leaves the row.
 * Source      WDK reference: EVT_WDF_CHILD_LIST_CREATE_DEVICE, EVT_WDF_DEVICE_REPORTED_MISSING, "Dynamic Enumeration"; KMDF 1.33.
 * Fidelity    without memory for an answer the IRP fails, where KMDF lets pass what drivers further up have said, and gives up its own children.
 */
#include "wdf/device_init.h"
#include "wdf/pdo.h"

#define MOST_RETRIES 3u

void wdf_bus_init(wdf_device_t *device)
{
    wdf_children_init(&device->bus.statics, &device->object, device, NULL);
    InitializeListHead(&device->bus.lists);
}

/* Static children come first. */
static wdf_children_t *next_of(wdf_device_t *device, wdf_children_t *children)
{
    if (children == NULL)
        return &device->bus.statics;
    wdf_child_list_t *list = children->is_static ? NULL : CONTAINING_RECORD(children, wdf_child_list_t, children);
    list = wdf_child_list_next(device, list);
    return list != NULL ? &list->children : NULL;
}

/* ---- a device for a description ---- */

static NTSTATUS ask_driver(wdf_children_t *children, wdf_child_t *child, struct WDFDEVICE_INIT *init)
{
    PFN_WDF_CHILD_LIST_CREATE_DEVICE callback = children->config.EvtChildListCreateDevice;
    wdf_call_t                       call = wdf_call_begin(children->owner->driver);
    NTSTATUS                         status = callback((WDFCHILDLIST)children->owner, child->id, init);
    WDF_CALL_END(&call, callback);
    return NT_SUCCESS(status) && init->made == NULL ? STATUS_INVALID_DEVICE_OBJECT_PARAMETER : status;
}

static NTSTATUS make_pdo(wdf_children_t *children, wdf_child_t *child, wdf_device_t **made)
{
    struct WDFDEVICE_INIT init;
    NTSTATUS              status = wdf_pdo_init_begin(&init, children->device, child);
    status = NT_SUCCESS(status) ? ask_driver(children, child, &init) : STATUS_RETRY;
    *made = init.made;
    wdf_device_init_end(&init);
    if (NT_SUCCESS(status) || *made == NULL)
        return status;
    (*made)->pdo->child = NULL; /* which may be tried again */
    wdf_pdo_end(*made);
    return status;
}

/* false: it is no device. */
static bool instantiate(wdf_children_t *children, wdf_child_t *child, bool *asks_again)
{
    KIRQL         irql;
    wdf_device_t *made = child->pdo;
    NTSTATUS      status = children->is_static ? STATUS_SUCCESS : make_pdo(children, child, &made);
    *asks_again |= status == STATUS_RETRY;
    KeAcquireSpinLock(&children->lock, &irql);
    if (NT_SUCCESS(status)) {
        child->pdo = made;
        child->state = WDF_CHILD_REPORTED;
    } else if (status != STATUS_RETRY) {
        child->is_dead = true;
    }
    KeReleaseSpinLock(&children->lock, irql);
    return NT_SUCCESS(status);
}

/* ---- one list ---- */

static void is_missing_now(wdf_child_t *child)
{
    KIRQL irql;
    KeAcquireSpinLock(&child->children->lock, &irql);
    if (child->state == WDF_CHILD_GONE) {
        child->state = WDF_CHILD_MISSING;
        child->tells_missing = true;
    }
    KeReleaseSpinLock(&child->children->lock, irql);
}

static void census(wdf_children_t *children, ULONG *present, bool *has_lost)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    for (PLIST_ENTRY link = children->row.Flink; link != &children->row; link = link->Flink) {
        const wdf_child_t *child = CONTAINING_RECORD(link, wdf_child_t, links);
        *present += !child->is_dead && wdf_child_is_present(child);
        *has_lost |= child->state == WDF_CHILD_GONE;
    }
    KeReleaseSpinLock(&children->lock, irql);
}

static void report_one(wdf_children_t *children, wdf_child_t *child, PDEVICE_RELATIONS relations, bool *asks_again)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    int state = child->is_dead ? WDF_CHILD_MISSING : child->state;
    KeReleaseSpinLock(&children->lock, irql);
    if (state == WDF_CHILD_REPORTED || (state == WDF_CHILD_WANTED && instantiate(children, child, asks_again)))
        wdf_relations_append(relations, child->pdo->wdm);
    else if (state == WDF_CHILD_GONE)
        is_missing_now(child);
}

/* STATUS_NOT_SUPPORTED: there is nothing to say. */
static NTSTATUS report(wdf_children_t *children, PDEVICE_RELATIONS *relations, bool *asks_again)
{
    ULONG present = 0;
    bool  has_lost = false;
    census(children, &present, &has_lost);
    bool says_something = present != 0 || (has_lost && *relations == NULL);
    if (says_something && !wdf_relations_extend(relations, present, children->owner->driver->globals.DriverTag)) {
        *asks_again |= ++children->retries <= MOST_RETRIES;
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    for (wdf_child_t *child = wdf_children_next(children, NULL); child != NULL; child = wdf_children_next(children, child))
        report_one(children, child, *relations, asks_again);
    children->retries = 0;
    return says_something ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

static void tell_missing(wdf_children_t *children)
{
    wdf_children_report_begin(children);
    for (wdf_child_t *child = wdf_children_next(children, NULL); child != NULL; child = wdf_children_next(children, child)) {
        if (!child->tells_missing || child->pdo == NULL)
            continue;
        PFN_WDF_DEVICE_REPORTED_MISSING callback = child->pdo->pdo->callbacks.EvtDeviceReportedMissing;
        child->tells_missing = false;
        if (callback == NULL)
            continue;
        wdf_call_t call = wdf_call_begin(children->owner->driver);
        callback(wdf_device_handle(child->pdo));
        WDF_CALL_END(&call, callback);
    }
    wdf_children_report_end(children);
}

/* ---- all of them ---- */

NTSTATUS wdf_bus_relations(wdf_device_t *device, PIRP irp)
{
    PDEVICE_RELATIONS relations = (PDEVICE_RELATIONS)irp->IoStatus.Information;
    NTSTATUS          status = STATUS_SUCCESS;
    bool              asks_again = false;
    for (wdf_children_t *one = next_of(device, NULL); one != NULL && NT_SUCCESS(status); one = next_of(device, one)) {
        wdf_children_report_begin(one);
        status = report(one, &relations, &asks_again);
        wdf_children_report_end(one);
        if (status == STATUS_SUCCESS)
            irp->IoStatus.Status = STATUS_SUCCESS;
        else if (status == STATUS_NOT_SUPPORTED)
            status = STATUS_SUCCESS;
    }
    irp->IoStatus.Information = (ULONG_PTR)relations;
    for (wdf_children_t *one = next_of(device, NULL); one != NULL && NT_SUCCESS(status); one = next_of(device, one))
        tell_missing(one);
    if (asks_again)
        wdf_device_invalidate_relations(device);
    return status;
}

void wdf_bus_lost(wdf_device_t *device)
{
    for (wdf_children_t *one = next_of(device, NULL); one != NULL; one = next_of(device, one))
        wdf_children_lose_all(one);
}

/* A child that was pulled out, and is open still, goes with its own IRP_MN_REMOVE_DEVICE. */
static wdf_device_t *next_pdo(wdf_children_t *children)
{
    KIRQL         irql;
    wdf_device_t *found = NULL;
    KeAcquireSpinLock(&children->lock, &irql);
    for (PLIST_ENTRY link = children->row.Flink; link != &children->row && found == NULL; link = link->Flink) {
        const wdf_child_t *child = CONTAINING_RECORD(link, wdf_child_t, links);
        found = child->is_dead || child->was_pulled_out ? NULL : child->pdo;
    }
    KeReleaseSpinLock(&children->lock, irql);
    return found;
}

void wdf_bus_end(wdf_device_t *device)
{
    wdf_device_t *pdo;
    wdf_bus_lost(device);
    for (wdf_children_t *one = next_of(device, NULL); one != NULL; one = next_of(device, one))
        while ((pdo = next_pdo(one)) != NULL)
            wdf_pdo_end(pdo);
}
