/*
 * device_interface.c - device interfaces of the framework's devices: io has them, and here is when they are enabled.
 *
 *     WdfDeviceCreateDeviceInterface   IoRegisterDeviceInterface                                       io/device_interface.c
 *     start, when D0 is reached        enabled, but for those of WdfDeviceSetDeviceInterfaceStateEx
 *     WdfDeviceSetDeviceInterfaceState enabled or disabled at once
 *     stop, Dx                         stays as it is
 *     removal, surprise removal        disabled, behind EvtDeviceD0Exit
 *
 * A bus driver's child is made before the PnP manager knows of it: its interfaces are registered when it is started.
 *
 * Locks       none: PASSIVE_LEVEL, and the driver's affair.
 * Source      WDK reference: wdfdevice.h, the pages of the routines; "Using Device Interfaces"; KMDF 1.33 (when they come and go).
 */
#include <string.h>

#include "wdf/device.h"
#include "wdf/key.h"
#include "wdf/request.h"
#include "wdf/string.h"

typedef struct wdf_interface {
    LIST_ENTRY     of_device;
    GUID           class_guid;
    bool           starts_enabled;
    UNICODE_STRING link;      /* what io calls it; Buffer NULL: not registered yet */
    UNICODE_STRING reference; /* the reference string; Length 0: none */
    WCHAR          text[];
} wdf_interface_t;

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

static wdf_interface_t *find(wdf_device_t *device, const GUID *class_guid, PCUNICODE_STRING reference)
{
    static const UNICODE_STRING none;
    for (PLIST_ENTRY at = device->interfaces.Flink; at != &device->interfaces; at = at->Flink) {
        wdf_interface_t *one = CONTAINING_RECORD(at, wdf_interface_t, of_device);
        if (IsEqualGUID(&one->class_guid, class_guid) &&
            RtlEqualUnicodeString(&one->reference, reference != NULL ? reference : &none, FALSE))
            return one;
    }
    return NULL;
}

/* ---- io's side ---- */

static NTSTATUS register_one(wdf_device_t *device, wdf_interface_t *one)
{
    return IoRegisterDeviceInterface(device->physical, &one->class_guid, one->reference.Length != 0 ? &one->reference : NULL, &one->link);
}

static void set_state(wdf_interface_t *one, bool enable)
{
    if (one->link.Buffer != NULL)
        (void)IoSetDeviceInterfaceState(&one->link, enable); /* it may be so already */
}

NTSTATUS wdf_device_interfaces_enable(wdf_device_t *device)
{
    NTSTATUS status = STATUS_SUCCESS;
    for (PLIST_ENTRY at = device->interfaces.Flink; at != &device->interfaces && NT_SUCCESS(status); at = at->Flink) {
        wdf_interface_t *one = CONTAINING_RECORD(at, wdf_interface_t, of_device);
        if (one->link.Buffer == NULL)
            status = register_one(device, one);
        if (NT_SUCCESS(status) && one->starts_enabled)
            set_state(one, true);
    }
    return status;
}

void wdf_device_interfaces_disable(wdf_device_t *device)
{
    for (PLIST_ENTRY at = device->interfaces.Flink; at != &device->interfaces; at = at->Flink)
        set_state(CONTAINING_RECORD(at, wdf_interface_t, of_device), false);
}

static void free_one(const wdf_device_t *device, wdf_interface_t *one)
{
    if (one->link.Buffer != NULL)
        RtlFreeUnicodeString(&one->link);
    ExFreePoolWithTag(one, tag_of(device));
}

void wdf_device_interfaces_forget(wdf_device_t *device)
{
    while (device->interfaces.Flink != NULL && !IsListEmpty(&device->interfaces))
        free_one(device, CONTAINING_RECORD(RemoveHeadList(&device->interfaces), wdf_interface_t, of_device));
}

/* ---- the driver's routines ---- */

static wdf_interface_t *make(const wdf_device_t *device, const GUID *class_guid, PCUNICODE_STRING reference)
{
    USHORT           bytes = reference != NULL ? reference->Length : 0;
    wdf_interface_t *one = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *one + bytes, tag_of(device));
    if (one == NULL)
        return NULL;
    one->class_guid = *class_guid;
    one->starts_enabled = true;
    one->reference = (UNICODE_STRING){ .Buffer = one->text, .Length = bytes, .MaximumLength = bytes };
    if (bytes != 0)
        memcpy(one->text, reference->Buffer, bytes);
    return one;
}

NTSTATUS WdfDeviceCreateDeviceInterface(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString)
{
    NTSTATUS status = STATUS_SUCCESS;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(InterfaceClassGUID);
    if (ReferenceString != NULL && !NT_SUCCESS(wdf_string_check(ReferenceString)))
        return STATUS_INVALID_PARAMETER;
    if (device->physical == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_interface_t *one = make(device, InterfaceClassGUID, ReferenceString);
    if (one == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    bool is_unknown_child = device->physical == device->wdm && (device->wdm->Flags & DO_BUS_ENUMERATED_DEVICE) == 0;
    if (!is_unknown_child)
        status = register_one(device, one);
    if (NT_SUCCESS(status))
        InsertTailList(&device->interfaces, &one->of_device);
    else
        free_one(device, one);
    return status;
}

/* NULL: there is no such interface, and that has been said. */
static wdf_interface_t *require(const char *routine, wdf_device_t *device, const GUID *class_guid, PCUNICODE_STRING reference)
{
    if (reference != NULL && !NT_SUCCESS(wdf_string_check(reference)))
        wdf_break(routine, "The reference string is no string.");
    if (device->physical == NULL)
        wdf_break(routine, "A control device has no interfaces.");
    wdf_interface_t *one = find(device, class_guid, reference);
    if (one == NULL)
        (void)ke_error(0, "%s: the device has no such interface", routine);
    return one;
}

VOID WdfDeviceSetDeviceInterfaceState(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                      BOOLEAN IsInterfaceEnabled)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(InterfaceClassGUID);
    wdf_interface_t *one = require(__func__, device, InterfaceClassGUID, ReferenceString);
    if (one != NULL)
        set_state(one, IsInterfaceEnabled != FALSE);
}

VOID WdfDeviceSetDeviceInterfaceStateEx(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                        BOOLEAN EnableInterface)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(InterfaceClassGUID);
    wdf_interface_t *one = require(__func__, device, InterfaceClassGUID, ReferenceString);
    if (one == NULL)
        return;
    one->starts_enabled = false;
    set_state(one, EnableInterface != FALSE);
}

NTSTATUS WdfDeviceRetrieveDeviceInterfaceString(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                                WDFSTRING String)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    WDF_REQUIRE(InterfaceClassGUID);
    wdf_string_t *string = WDF_FROM(String, &wdf_string_type);
    if (ReferenceString != NULL && !NT_SUCCESS(wdf_string_check(ReferenceString)))
        return STATUS_INVALID_PARAMETER;
    if (device->physical == NULL)
        return STATUS_INVALID_DEVICE_REQUEST;
    const wdf_interface_t *one = find(device, InterfaceClassGUID, ReferenceString);
    if (one == NULL)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    return one->link.Buffer != NULL ? wdf_string_assign(string, &one->link) : STATUS_INVALID_DEVICE_STATE;
}
