/*
 * io_target.c - I/O targets: whether they send. Where they lead, and what of that is removed: io_target_open.c.
 *
 *     started <--start-- stopped    what is sent meanwhile waits
 *        |`---stop-----> /
 *        |`---purge----> purged     what is sent meanwhile is refused
 *        `----close----> closed     no device
 *
 * Locks       the target's lock; code of other drivers runs with none held.
 * Source      WDK reference: wdfiotarget.h, "Controlling a General I/O Target's State".
 */
#include "wdf/io_target.h"

#include "io/device.h"
#include "wdf/pnp_ask.h"

static void target_dispose(wdf_object_t *object);

const wdf_type_t wdf_io_target_type = { .name = "WDFIOTARGET",
                                        .number = WDF_NUMBER_IO_TARGET,
                                        .bytes = sizeof(wdf_io_target_t),
                                        .options = WDF_TYPE_PASSIVE_DISPOSE,
                                        .dispose = target_dispose };

/* ---- life ---- */

static NTSTATUS make(wdf_device_io_t *io, wdf_object_t *parent, PWDF_OBJECT_ATTRIBUTES attributes, wdf_io_target_t **out)
{
    wdf_io_target_t *target;
    NTSTATUS status = wdf_object_new(&(wdf_new_t){ .type = &wdf_io_target_type, .attributes = attributes, .parent = parent }, &target);
    if (!NT_SUCCESS(status))
        return status;
    target->io = io;
    target->state = WdfIoTargetClosed;
    InitializeListHead(&target->sent);
    InitializeListHead(&target->pended);
    status = wdf_object_commit(target, attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(target);
        return status;
    }
    *out = target;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_io_target_local(wdf_device_io_t *io, PDEVICE_OBJECT below, wdf_io_target_t **target)
{
    NTSTATUS status = make(io, &io->device->object, NULL, target);
    if (!NT_SUCCESS(status))
        return status;
    (*target)->is_local = true;
    (*target)->device = below;
    (*target)->state = WdfIoTargetStarted;
    (*target)->object.flags |= WDF_OBJECT_NO_DELETE;
    return STATUS_SUCCESS;
}

PDEVICE_OBJECT wdf_io_target_device(wdf_io_target_t *target)
{
    wdf_lock(&target->lock);
    PDEVICE_OBJECT device = target->device;
    wdf_unlock(&target->lock);
    return device;
}

/* ---- requests that are on their way, or wait ---- */

static wdf_request_t *first_pended_locked(wdf_io_target_t *target, bool goes)
{
    if (IsListEmpty(&target->pended))
        return NULL;
    wdf_request_t *request = CONTAINING_RECORD(RemoveHeadList(&target->pended), wdf_request_t, sent);
    request->is_pended = false;
    target->sent_count++;
    InitializeListHead(&request->sent);
    if (goes)
        InsertTailList(&target->sent, &request->sent);
    return request;
}

static wdf_request_t *first_pended(wdf_io_target_t *target, bool goes)
{
    wdf_lock(&target->lock);
    wdf_request_t *request = first_pended_locked(target, goes);
    wdf_unlock(&target->lock);
    return request;
}

bool wdf_io_target_take_pended(wdf_io_target_t *target, wdf_request_t *request)
{
    wdf_lock(&target->lock);
    bool taken = request->is_pended;
    if (taken) {
        RemoveEntryList(&request->sent);
        InitializeListHead(&request->sent);
        request->is_pended = false;
        target->sent_count++;
    }
    wdf_unlock(&target->lock);
    return taken;
}

/* The next one on its way that was not cancelled by this, with a reference. */
static wdf_request_t *next_to_cancel(wdf_io_target_t *target)
{
    wdf_request_t *found = NULL;
    wdf_lock(&target->lock);
    for (PLIST_ENTRY entry = target->sent.Flink; entry != &target->sent && found == NULL; entry = entry->Flink) {
        wdf_request_t *request = CONTAINING_RECORD(entry, wdf_request_t, sent);
        if (!request->was_cancelled) {
            request->was_cancelled = true;
            wdf_object_reference(&request->object);
            found = request;
        }
    }
    wdf_unlock(&target->lock);
    return found;
}

static void cancel_sent(wdf_io_target_t *target)
{
    for (wdf_request_t *request = next_to_cancel(target); request != NULL; request = next_to_cancel(target)) {
        (void)wdf_request_cancel_sent(request);
        wdf_object_dereference("WdfIoTargetStop", &request->object);
    }
}

static void refuse_pended(wdf_io_target_t *target)
{
    for (wdf_request_t *request = first_pended(target, false); request != NULL; request = first_pended(target, false))
        wdf_request_back(request, STATUS_CANCELLED);
}

/* Until none is on its way; those that wait do not count. */
static void wait_until_empty(wdf_io_target_t *target)
{
    KEVENT event;
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    wdf_lock(&target->lock);
    bool waits = target->sent_count != 0;
    if (waits)
        target->empty = &event;
    wdf_unlock(&target->lock);
    if (waits)
        (void)KeWaitForSingleObject(&event, Executive, KernelMode, FALSE, NULL);
}

void wdf_io_target_set_state(wdf_io_target_t *target, WDF_IO_TARGET_STATE state)
{
    wdf_lock(&target->lock);
    target->state = state;
    if (state == WdfIoTargetClosed || state == WdfIoTargetClosedForQueryRemove || state == WdfIoTargetDeleted)
        target->device = NULL;
    wdf_unlock(&target->lock);
}

void wdf_io_target_purge(wdf_io_target_t *target, bool waits)
{
    wdf_io_target_set_state(target, WdfIoTargetPurged);
    refuse_pended(target);
    cancel_sent(target);
    if (waits)
        wait_until_empty(target);
}

static void target_dispose(wdf_object_t *object)
{
    wdf_io_target_t *target = (wdf_io_target_t *)(void *)object;
    if (target->io == NULL)
        return;
    wdf_io_target_purge(target, true);
    wdf_io_target_forget(target, WdfIoTargetDeleted);
}

/* ---- the driver's routines ---- */

NTSTATUS WdfIoTargetCreate(WDFDEVICE Device, PWDF_OBJECT_ATTRIBUTES IoTargetAttributes, WDFIOTARGET *IoTarget)
{
    wdf_io_target_t *target;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(IoTarget);
    *IoTarget = NULL;
    NTSTATUS status = wdf_attributes_check(IoTargetAttributes, 0);
    if (NT_SUCCESS(status))
        status = make(wdf_device_io(device), &device->object, IoTargetAttributes, &target);
    if (NT_SUCCESS(status))
        *IoTarget = (WDFIOTARGET)target;
    return status;
}

static bool is_closed(const wdf_io_target_t *target)
{
    return target->state == WdfIoTargetClosed || target->state == WdfIoTargetClosedForQueryRemove;
}

NTSTATUS WdfIoTargetStart(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    wdf_lock(&target->lock);
    bool opened = target->device != NULL;
    if (opened)
        target->state = WdfIoTargetStarted;
    wdf_unlock(&target->lock);
    if (!opened)
        return STATUS_INVALID_DEVICE_STATE;
    for (wdf_request_t *request = first_pended(target, true); request != NULL; request = first_pended(target, true))
        wdf_request_launch(request, target);
    return STATUS_SUCCESS;
}

VOID WdfIoTargetStop(WDFIOTARGET IoTarget, WDF_IO_TARGET_SENT_IO_ACTION Action)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    if (Action < WdfIoTargetCancelSentIo || Action > WdfIoTargetLeaveSentIoPending)
        wdf_break(__func__, "Action is none of the three.");
    if (Action != WdfIoTargetLeaveSentIoPending)
        KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (is_closed(target))
        return;
    wdf_io_target_set_state(target, WdfIoTargetStopped);
    if (Action == WdfIoTargetCancelSentIo)
        cancel_sent(target);
    if (Action != WdfIoTargetLeaveSentIoPending)
        wait_until_empty(target);
}

VOID WdfIoTargetPurge(WDFIOTARGET IoTarget, WDF_IO_TARGET_PURGE_IO_ACTION Action)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    if (Action != WdfIoTargetPurgeIoAndWait && Action != WdfIoTargetPurgeIo)
        wdf_break(__func__, "Action is neither of the two.");
    if (Action == WdfIoTargetPurgeIoAndWait)
        KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (!is_closed(target))
        wdf_io_target_purge(target, Action == WdfIoTargetPurgeIoAndWait);
}

WDF_IO_TARGET_STATE WdfIoTargetGetState(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, WdfIoTargetStateUndefined);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    return target->state;
}

WDFDEVICE WdfIoTargetGetDevice(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    return wdf_device_handle(target->io->device);
}

PDEVICE_OBJECT WdfIoTargetWdmGetTargetDeviceObject(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return wdf_io_target_device(WDF_FROM(IoTarget, &wdf_io_target_type));
}

/* A device that no bus has reported is the bottom of its stack, and no physical device. */
PDEVICE_OBJECT wdf_io_target_physical(wdf_io_target_t *target)
{
    PDEVICE_OBJECT device = wdf_io_target_device(target);
    if (device == NULL || target->is_local)
        return device != NULL ? target->io->device->physical : NULL;
    PDEVICE_OBJECT bottom = io_device_bottom(device);
    if (bottom != NULL && bottom->DeviceObjectExtension != NULL)
        ObDereferenceObject(bottom); /* what the target has open holds it */
    return bottom != NULL && (bottom->Flags & DO_BUS_ENUMERATED_DEVICE) != 0 ? bottom : NULL;
}

PDEVICE_OBJECT WdfIoTargetWdmGetTargetPhysicalDevice(WDFIOTARGET IoTarget)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    return wdf_io_target_physical(WDF_FROM(IoTarget, &wdf_io_target_type));
}

NTSTATUS WdfIoTargetQueryForInterface(WDFIOTARGET IoTarget, LPCGUID InterfaceType, PINTERFACE Interface, USHORT Size, USHORT Version,
                                      PVOID InterfaceSpecificData)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    PDEVICE_OBJECT device = wdf_io_target_device(WDF_FROM(IoTarget, &wdf_io_target_type));
    WDF_REQUIRE(InterfaceType);
    WDF_REQUIRE(Interface);
    if (device == NULL)
        return STATUS_INVALID_DEVICE_STATE;
    return wdf_pnp_query_interface(device, false, InterfaceType, Interface, Size, Version, InterfaceSpecificData);
}
