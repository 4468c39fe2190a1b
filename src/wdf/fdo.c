/*
 * fdo.c - function drivers that are a bus: their static children, their default child list.
 *
 * Static children are made by the driver (WdfPdoInitAllocate, WdfDeviceCreate) and then added; the list is that of child_list.h, whose descriptions
 * are the WDFDEVICEs themselves.
 *
 * Locks       that of the list of static children.
 * Source      WDK reference: wdffdo.h, the pages of the routines; "Static Enumeration"; KMDF 1.33.
 */
#include <wdffdo.h>

#include "wdf/pdo.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

bool wdf_device_is_fdo(const wdf_device_t *device) { return !device->setup.is_control && device->pdo == NULL; }

static bool require_fdo(const char *routine, const wdf_device_t *device)
{
    if (!wdf_device_is_fdo(device))
        (void)ke_error(0, "%s: the device is no FDO", routine);
    return wdf_device_is_fdo(device);
}

/* ---- static children ---- */

NTSTATUS WdfFdoAddStaticChild(WDFDEVICE Fdo, WDFDEVICE Child)
{
    wdf_static_id_t id;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Fdo);
    if (!wdf_device_is_fdo(device))
        return STATUS_INVALID_PARAMETER;
    wdf_device_t *child = DEVICE(Child);
    if (child->pdo == NULL)
        return STATUS_INVALID_PARAMETER;
    WDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER_INIT(&id.header, sizeof id);
    id.pdo = child;
    return wdf_children_add(&device->bus.statics, &id.header, NULL);
}

VOID WdfFdoLockStaticChildListForIteration(WDFDEVICE Fdo)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Fdo);
    if (require_fdo(__func__, device))
        wdf_children_scan_begin(&device->bus.statics, false);
}

VOID WdfFdoUnlockStaticChildListFromIteration(WDFDEVICE Fdo)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = DEVICE(Fdo);
    if (require_fdo(__func__, device) && !wdf_children_scan_end(&device->bus.statics))
        (void)ke_error(0, "%s: the list is not locked", __func__);
}

static wdf_device_t *next_static_locked(wdf_children_t *children, const wdf_device_t *previous, ULONG flags)
{
    bool is_behind = previous == NULL;
    for (PLIST_ENTRY link = children->row.Flink; link != &children->row; link = link->Flink) {
        const wdf_child_t *child = CONTAINING_RECORD(link, wdf_child_t, links);
        if (is_behind && wdf_child_matches_locked(child, flags))
            return child->pdo;
        is_behind |= child->pdo == previous;
    }
    return NULL;
}

WDFDEVICE WdfFdoRetrieveNextStaticChild(WDFDEVICE Fdo, WDFDEVICE PreviousChild, ULONG Flags)
{
    KIRQL         irql;
    wdf_device_t *next = NULL;
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_device_t *device = DEVICE(Fdo);
    if (!require_fdo(__func__, device) || Flags == 0 || (Flags & ~(ULONG)WdfRetrieveAllChildren) != 0)
        return NULL;
    wdf_children_t *children = &device->bus.statics;
    KeAcquireSpinLock(&children->lock, &irql);
    if (children->scans != 0)
        next = next_static_locked(children, PreviousChild != NULL ? DEVICE(PreviousChild) : NULL, Flags);
    KeReleaseSpinLock(&children->lock, irql);
    return next != NULL ? wdf_device_handle(next) : NULL;
}

/* ---- the default list of dynamic children ---- */

VOID WdfFdoInitSetDefaultChildListConfig(PWDFDEVICE_INIT DeviceInit, PWDF_CHILD_LIST_CONFIG Config,
                                         PWDF_OBJECT_ATTRIBUTES DefaultChildListAttributes)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(Config);
    if (DeviceInit->physical == NULL || !NT_SUCCESS(wdf_child_list_check(Config, DefaultChildListAttributes))) {
        (void)ke_error(0, "%s: the device will be no FDO, or the configuration or the attributes are not valid", __func__);
        return;
    }
    DeviceInit->list_config = *Config;
    DeviceInit->has_list_attributes = DefaultChildListAttributes != NULL;
    if (DefaultChildListAttributes != NULL)
        DeviceInit->list_attributes = *DefaultChildListAttributes;
}

WDFCHILDLIST WdfFdoGetDefaultChildList(WDFDEVICE Fdo)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_device_t *device = DEVICE(Fdo);
    return require_fdo(__func__, device) ? (WDFCHILDLIST)device->bus.default_list : NULL;
}
