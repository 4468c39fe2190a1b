/*
 * child_row.c - the row of children: who is added, who is missing, and when that takes effect (child_list.h draws the states).
 *
 *     add, miss, scan_end, report_end --> the lock is let go of --> settle, unless somebody walks --> the PnP manager is told that something is new
 *
 * Descriptions that are freed are collected under the lock and freed outside it, where the driver may be called at the caller's IRQL.
 *
 * Locks       children->lock. IoInvalidateDeviceRelations and wdf_child_free run with none.
 * Source      WDK reference: "Dynamic Enumeration", "Static Enumeration"; wdfchildlist.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/child_list.h"
#include "wdf/pdo.h"

void wdf_children_init(wdf_children_t *children, wdf_object_t *owner, wdf_device_t *device, const WDF_CHILD_LIST_CONFIG *config)
{
    *children = (wdf_children_t){ .owner = owner, .device = device };
    if (config != NULL)
        children->config = *config;
    children->is_static = config == NULL;
    if (config == NULL)
        children->config.IdentificationDescriptionSize = sizeof(wdf_static_id_t);
    KeInitializeSpinLock(&children->lock);
    InitializeListHead(&children->row);
    KeInitializeEvent(&children->unscanned, NotificationEvent, TRUE);
}

#define FOR_EACH(child, children) \
    for (wdf_child_t *child = first_of((children)->row.Flink); &child->links != &(children)->row; child = first_of(child->links.Flink))
static wdf_child_t *first_of(PLIST_ENTRY link) { return CONTAINING_RECORD(link, wdf_child_t, links); }

/* ---- what waits is done ---- */

static bool settle_one_locked(wdf_child_t *child)
{
    bool is_new = child->state == WDF_CHILD_ADDED || (child->leaves && child->state == WDF_CHILD_REPORTED);
    if (child->is_dead)
        return false;
    if (child->state == WDF_CHILD_ADDED)
        child->state = WDF_CHILD_WANTED;
    else if (child->leaves && child->state == WDF_CHILD_REPORTED)
        child->state = WDF_CHILD_GONE;
    else if (child->leaves)
        child->is_dead = true;
    child->leaves = false;
    return is_new;
}

static bool settle_locked(wdf_children_t *children, PLIST_ENTRY freed)
{
    bool is_new = false;
    for (PLIST_ENTRY link = children->row.Flink, next; link != &children->row; link = next) {
        wdf_child_t *child = first_of(link);
        next = link->Flink;
        is_new |= settle_one_locked(child);
        if (child->is_dead) {
            RemoveEntryList(link);
            InsertTailList(freed, link);
        }
    }
    return is_new;
}

static void unlock(wdf_children_t *children, KIRQL irql)
{
    LIST_ENTRY freed;
    InitializeListHead(&freed);
    bool is_new = children->scans == 0 && children->reports == 0 && settle_locked(children, &freed);
    KeReleaseSpinLock(&children->lock, irql);
    if (is_new)
        wdf_device_invalidate_relations(children->device);
    while (!IsListEmpty(&freed))
        wdf_child_free(first_of(RemoveHeadList(&freed)));
}

/* ---- who is there, and who is not ---- */

wdf_child_t *wdf_children_find_locked(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id)
{
    for (PLIST_ENTRY link = children->row.Blink; link != &children->row; link = link->Blink) {
        wdf_child_t *child = first_of(link);
        if (!child->is_dead && wdf_child_is(children, child, id))
            return child;
    }
    return NULL;
}

static void adopt_locked(wdf_child_t *child)
{
    child->pdo = ((wdf_static_id_t *)(void *)child->id)->pdo;
    child->pdo->pdo->child = child;
    child->pdo->object.flags |= WDF_OBJECT_NO_DELETE;
}

static NTSTATUS enlist_locked(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id,
                              PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address)
{
    wdf_child_t *child;
    NTSTATUS     status = wdf_child_new(children, id, address, &child);
    if (child == NULL)
        return status;
    InsertTailList(&children->row, &child->links);
    child->was_found = true;
    child->is_dead = !NT_SUCCESS(status); /* its driver could not copy its description */
    if (NT_SUCCESS(status) && children->is_static)
        adopt_locked(child);
    return status;
}

NTSTATUS wdf_children_add(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id,
                          PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address)
{
    KIRQL    irql;
    NTSTATUS status = STATUS_OBJECT_NAME_EXISTS;
    KeAcquireSpinLock(&children->lock, &irql);
    wdf_child_t *child = wdf_children_find_locked(children, id);
    if (child == NULL || child->leaves || child->state > WDF_CHILD_REPORTED) {
        status = enlist_locked(children, id, address);
    } else {
        child->was_found = true;
        if (child->address != NULL)
            wdf_child_copy_address(children, address, child->address);
    }
    unlock(children, irql);
    return status;
}

static void miss_locked(wdf_child_t *child)
{
    child->was_found = false;
    if (child->state == WDF_CHILD_ADDED)
        child->is_dead = true;
    else if (wdf_child_is_present(child))
        child->leaves = true;
}

NTSTATUS wdf_children_miss(wdf_children_t *children, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER id)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    wdf_child_t *child = wdf_children_find_locked(children, id);
    if (child != NULL)
        miss_locked(child);
    unlock(children, irql);
    return child != NULL ? STATUS_SUCCESS : STATUS_NO_SUCH_DEVICE;
}

void wdf_children_miss_one(wdf_child_t *child)
{
    wdf_children_t *children = child->children;
    KIRQL           irql;
    KeAcquireSpinLock(&children->lock, &irql);
    miss_locked(child);
    unlock(children, irql);
}

void wdf_children_lose_all(wdf_children_t *children)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    FOR_EACH(child, children)
    {
        if (child->state <= WDF_CHILD_WANTED)
            child->is_dead = true;
        else
            child->state = WDF_CHILD_MISSING;
        child->leaves = false;
    }
    unlock(children, irql);
}

/* The last use of its owner may be this child's. */
void wdf_child_forget_pdo(wdf_child_t *child)
{
    wdf_children_t *children = child->children;
    wdf_object_t   *owner = children->owner;
    KIRQL           irql;
    wdf_object_reference(owner);
    KeAcquireSpinLock(&children->lock, &irql);
    child->pdo = NULL;
    child->is_dead = true;
    unlock(children, irql);
    wdf_object_dereference(__func__, owner);
}

void wdf_children_find_all(wdf_children_t *children)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    FOR_EACH(child, children)
    if (!child->leaves && child->state <= WDF_CHILD_REPORTED)
        child->was_found = true;
    unlock(children, irql);
}

bool wdf_child_matches_locked(const wdf_child_t *child, ULONG flags)
{
    ULONG is = child->state <= WDF_CHILD_WANTED     ? WdfRetrievePendingChildren
               : child->state == WDF_CHILD_REPORTED ? WdfRetrievePresentChildren
                                                    : WdfRetrieveMissingChildren;
    return !child->is_dead && (flags & is) != 0;
}

/* ---- walking ---- */

void wdf_children_scan_begin(wdf_children_t *children, bool anew)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    children->scans++;
    (void)KeResetEvent(&children->unscanned);
    FOR_EACH(child, children)
    if (anew)
        child->was_found = false;
    KeReleaseSpinLock(&children->lock, irql);
}

static void end_scans_locked(wdf_children_t *children)
{
    FOR_EACH(child, children)
    if (!child->was_found && !child->leaves)
        miss_locked(child);
    (void)KeSetEvent(&children->unscanned, IO_NO_INCREMENT, FALSE);
}

bool wdf_children_scan_end(wdf_children_t *children)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    bool was_begun = children->scans != 0;
    if (was_begun && --children->scans == 0)
        end_scans_locked(children);
    unlock(children, irql);
    return was_begun;
}

void wdf_children_report_begin(wdf_children_t *children)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    children->reports++;
    KeReleaseSpinLock(&children->lock, irql);
}

void wdf_children_report_end(wdf_children_t *children)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    children->reports--;
    unlock(children, irql);
}

wdf_child_t *wdf_children_next(wdf_children_t *children, wdf_child_t *child)
{
    KIRQL irql;
    KeAcquireSpinLock(&children->lock, &irql);
    PLIST_ENTRY link = child != NULL ? child->links.Flink : children->row.Flink;
    KeReleaseSpinLock(&children->lock, irql);
    return link != &children->row ? first_of(link) : NULL;
}
