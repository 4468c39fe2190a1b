/*
 * pnp_tree.c - the test's side of Plug and Play, with children: buses are enumerated, and whoever goes takes those below along.
 *
 *     ntmm_pnp_enumerate         BusRelations: who is new is remembered; who is not named any more gets SURPRISE_REMOVAL, if it was started, and
 *                                REMOVE_DEVICE
 *     ntmm_pnp_remove            QUERY_REMOVE_DEVICE for all, children first, and REMOVE_DEVICE in the same order; or CANCEL_REMOVE_DEVICE for those
 *                                that were asked. Who asked for a device is told (pnp_notify.c)
 *     ntmm_pnp_surprise_remove   SURPRISE_REMOVAL for all, REMOVE_DEVICE for all
 *     ntmm_pnp_eject             as removed; EJECT; its bus is enumerated again
 *
 * The tree is made by ntmm_pnp_enumerate alone, one node for each child that a bus has named; it is found by its physical device object, which the
 * node refers to. A bus whose children a test only looks at (ntmm_pnp_children) has none here.
 *
 * Locks       tree_lock (leaf) for the nodes; nothing is sent while it is held.
 * Source      WDK reference: "Plug and Play minor IRPs", IRP_MN_SURPRISE_REMOVAL, IRP_MN_EJECT.
 * Fidelity    a removal that found no memory for its IRP is tried once more: for the PnP manager there is no way back.
 */
#include <stdlib.h>

#include <initguid.h>
#include <wdmguid.h>

#include <ntmm/ntmm.h>

#include "io/device.h"
#include "io/pnp.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

typedef struct node {
    struct node   *next;
    PDEVICE_OBJECT device, parent; /* physical ones; `device` is referenced */
    bool           is_started;
    bool           is_asked;  /* IRP_MN_QUERY_REMOVE_DEVICE has reached it */
    bool           was_named; /* in the last enumeration */
} node_t;

static ke_lock_t tree_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static node_t   *nodes; /* oldest first */

void io_pnp_tree_reset(void)
{
    ke_lock_init(&tree_lock, KE_RANK_LEAF);
    while (nodes != NULL) {
        node_t *first = nodes;
        nodes = first->next;
        free(first);
    }
}

/* ---- nodes ---- */

static node_t *node_of(PDEVICE_OBJECT device)
{
    ke_lock(&tree_lock);
    node_t *node = nodes;
    while (node != NULL && node->device != device)
        node = node->next;
    ke_unlock(&tree_lock);
    return node;
}

/* The child behind `after`; NULL: the first, none. */
static node_t *child_of(PDEVICE_OBJECT parent, const node_t *after)
{
    ke_lock(&tree_lock);
    node_t *node = after != NULL ? after->next : nodes;
    while (node != NULL && node->parent != parent)
        node = node->next;
    ke_unlock(&tree_lock);
    return node;
}

static node_t *node_add(PDEVICE_OBJECT device, PDEVICE_OBJECT parent)
{
    node_t *fresh = calloc(1, sizeof *fresh), **end = &nodes;
    if (fresh == NULL)
        return NULL;
    fresh->device = device;
    fresh->parent = parent;
    ObReferenceObject(device);
    ke_lock(&tree_lock);
    while (*end != NULL)
        end = &(*end)->next;
    *end = fresh;
    ke_unlock(&tree_lock);
    return fresh;
}

static void node_forget(node_t *node)
{
    node_t **link = &nodes;
    ke_lock(&tree_lock);
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    ke_unlock(&tree_lock);
    ObDereferenceObject(node->device);
    free(node);
}

/* The device at the bottom, referenced: the ones above are gone after a removal. NULL: its test made it, and it is no object. */
static PDEVICE_OBJECT hold_bottom(PDEVICE_OBJECT *device)
{
    PDEVICE_OBJECT bottom = io_device_bottom(*device);
    if (bottom == NULL)
        return NULL;
    *device = bottom;
    return bottom->DeviceObjectExtension != NULL ? bottom : NULL;
}

static void let_go(PDEVICE_OBJECT bottom)
{
    if (bottom != NULL)
        ObDereferenceObject(bottom);
}

void io_pnp_is_started(PDEVICE_OBJECT device)
{
    PDEVICE_OBJECT bottom = hold_bottom(&device);
    node_t        *node = node_of(device);
    if (node != NULL)
        node->is_started = true;
    let_go(bottom);
}

/* ---- removal ---- */

static NTSTATUS send_surely(PDEVICE_OBJECT device, UCHAR minor)
{
    NTSTATUS status = io_pnp_send(device, minor);
    return status == STATUS_INSUFFICIENT_RESOURCES ? io_pnp_send(device, minor) : status;
}

static NTSTATUS query(PDEVICE_OBJECT device)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (node_t *child = child_of(device, NULL); child != NULL && NT_SUCCESS(status); child = child_of(device, child)) {
        child->is_asked = true;
        status = query(child->device);
    }
    if (NT_SUCCESS(status))
        status = io_notify_target(device, &GUID_TARGET_DEVICE_QUERY_REMOVE, true);
    return NT_SUCCESS(status) ? io_pnp_send(device, IRP_MN_QUERY_REMOVE_DEVICE) : status;
}

static void cancel(PDEVICE_OBJECT device)
{
    (void)send_surely(device, IRP_MN_CANCEL_REMOVE_DEVICE);
    (void)io_notify_target(device, &GUID_TARGET_DEVICE_REMOVE_CANCELLED, false);
    for (node_t *child = child_of(device, NULL); child != NULL; child = child_of(device, child)) {
        if (child->is_asked)
            cancel(child->device);
        child->is_asked = false;
    }
}

static void surprise(PDEVICE_OBJECT device)
{
    for (node_t *child = child_of(device, NULL); child != NULL; child = child_of(device, child)) {
        surprise(child->device);
        if (child->is_started)
            (void)send_surely(child->device, IRP_MN_SURPRISE_REMOVAL);
    }
}

/* Whoever is below is forgotten: it has gone, or goes with its bus. */
static NTSTATUS remove_tree(PDEVICE_OBJECT device)
{
    node_t *node;
    while ((node = child_of(device, NULL)) != NULL) {
        (void)remove_tree(node->device);
        node_forget(node);
    }
    (void)io_notify_target(device, &GUID_TARGET_DEVICE_REMOVE_COMPLETE, false);
    NTSTATUS status = send_surely(device, IRP_MN_REMOVE_DEVICE);
    node = node_of(device);
    if (node != NULL)
        node->is_started = node->is_asked = false;
    return status;
}

static NTSTATUS remove_politely(PDEVICE_OBJECT device)
{
    NTSTATUS status = query(device);
    if (NT_SUCCESS(status))
        return remove_tree(device);
    cancel(device);
    return status;
}

NTSTATUS ntmm_pnp_remove(PDEVICE_OBJECT device)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT bottom = hold_bottom(&device);
    NTSTATUS       status = remove_politely(device);
    let_go(bottom);
    return status;
}

NTSTATUS ntmm_pnp_surprise_remove(PDEVICE_OBJECT device)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT bottom = hold_bottom(&device);
    surprise(device);
    NTSTATUS status = send_surely(device, IRP_MN_SURPRISE_REMOVAL);
    NTSTATUS removed = remove_tree(device);
    let_go(bottom);
    return NT_SUCCESS(status) ? removed : status;
}

/* ---- enumeration ---- */

static void take_away_missing(PDEVICE_OBJECT parent)
{
    node_t *node = child_of(parent, NULL);
    while (node != NULL) {
        if (node->was_named) {
            node = child_of(parent, node);
            continue;
        }
        surprise(node->device);
        if (node->is_started)
            (void)send_surely(node->device, IRP_MN_SURPRISE_REMOVAL);
        (void)remove_tree(node->device);
        node_forget(node);
        node = child_of(parent, NULL);
    }
}

static NTSTATUS remember(PDEVICE_OBJECT parent, PDEVICE_RELATIONS relations, PDEVICE_OBJECT *arrived, size_t room, size_t *count)
{
    for (node_t *node = child_of(parent, NULL); node != NULL; node = child_of(parent, node))
        node->was_named = false;
    for (ULONG i = 0; relations != NULL && i < relations->Count; i++) {
        node_t *node = node_of(relations->Objects[i]);
        if (node == NULL) {
            node = node_add(relations->Objects[i], parent);
            if (node == NULL)
                return ke_error(STATUS_INSUFFICIENT_RESOURCES, "ntmm_pnp_enumerate: the host has no memory");
            if (*count < room)
                arrived[*count] = node->device;
            ++*count;
        }
        node->was_named = true;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS enumerate(PDEVICE_OBJECT parent, PDEVICE_OBJECT *arrived, size_t room, size_t *count)
{
    PDEVICE_RELATIONS relations;
    NTSTATUS          status = io_pnp_bus_relations(parent, &relations);
    if (!NT_SUCCESS(status) && status != STATUS_NOT_SUPPORTED) /* which says: no children */
        return status;
    NTSTATUS remembered = remember(parent, relations, arrived, room, count);
    io_pnp_relations_free(relations);
    if (!NT_SUCCESS(remembered))
        return remembered;
    take_away_missing(parent);
    return status;
}

NTSTATUS ntmm_pnp_enumerate(PDEVICE_OBJECT bus, PDEVICE_OBJECT *arrived, size_t room, size_t *count)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *count = 0;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT bottom = hold_bottom(&bus);
    NTSTATUS       status = enumerate(bus, arrived, room, count);
    let_go(bottom);
    return status;
}

NTSTATUS ntmm_pnp_eject(PDEVICE_OBJECT device)
{
    size_t arrived = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PDEVICE_OBJECT bottom = hold_bottom(&device);
    NTSTATUS       status = remove_politely(device);
    if (NT_SUCCESS(status))
        status = send_surely(device, IRP_MN_EJECT);
    const node_t *node = node_of(device);
    if (NT_SUCCESS(status) && node != NULL)
        (void)enumerate(node->parent, NULL, 0, &arrived);
    let_go(bottom);
    return status;
}
