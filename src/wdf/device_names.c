/*
 * device_names.c - the names of a device: its own, the symbolic links to it, its interfaces. All of them go with it.
 *
 * Locks       none: PASSIVE_LEVEL, and the driver's affair.
 * Source      WDK reference: wdfdevice.h, the pages of the routines.
 * Fidelity    interfaces are kept and not published.
 */
#include <string.h>

#include "wdf/device.h"
#include "wdf/string.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

typedef struct kept_name { /* a symbolic link, or an interface with its reference string */
    LIST_ENTRY     links;
    GUID           interface_class;
    bool           is_enabled;
    UNICODE_STRING name;
    WCHAR          text[];
} kept_name_t;

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

static bool is_string(PCUNICODE_STRING text)
{
    return (text->Length & 1) == 0 && text->Length <= text->MaximumLength && (text->Length == 0 || text->Buffer != NULL);
}

static kept_name_t *keep(wdf_device_t *device, LIST_ENTRY *list, PCUNICODE_STRING name)
{
    USHORT       bytes = name != NULL ? name->Length : 0;
    kept_name_t *kept = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *kept + bytes, tag_of(device));
    if (kept == NULL)
        return NULL;
    if (bytes != 0)
        memcpy(kept->text, name->Buffer, bytes);
    kept->name = (UNICODE_STRING){ .Length = bytes, .MaximumLength = bytes, .Buffer = kept->text };
    InsertTailList(list, &kept->links);
    return kept;
}

NTSTATUS wdf_device_name_take(wdf_device_t *device, PCUNICODE_STRING name)
{
    if (name->Buffer == NULL)
        return STATUS_SUCCESS;
    device->name.Buffer = ExAllocatePool2(POOL_FLAG_PAGED, name->Length, tag_of(device));
    if (device->name.Buffer == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    memcpy(device->name.Buffer, name->Buffer, name->Length);
    device->name.Length = device->name.MaximumLength = name->Length;
    return STATUS_SUCCESS;
}

static kept_name_t *next_of(LIST_ENTRY *list)
{
    return list->Flink == NULL || IsListEmpty(list) ? NULL : CONTAINING_RECORD(RemoveHeadList(list), kept_name_t, links);
}

void wdf_device_names_forget(wdf_device_t *device)
{
    kept_name_t *kept;
    while ((kept = next_of(&device->links)) != NULL) {
        (void)IoDeleteSymbolicLink(&kept->name);
        ExFreePoolWithTag(kept, tag_of(device));
    }
    while ((kept = next_of(&device->interfaces)) != NULL)
        ExFreePoolWithTag(kept, tag_of(device));
    if (device->name.Buffer != NULL)
        ExFreePoolWithTag(device->name.Buffer, tag_of(device));
    device->name.Buffer = NULL;
}

NTSTATUS WdfDeviceCreateSymbolicLink(WDFDEVICE Device, PCUNICODE_STRING SymbolicLinkName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(SymbolicLinkName);
    if (!is_string(SymbolicLinkName))
        return STATUS_INVALID_PARAMETER;
    kept_name_t *kept = keep(device, &device->links, SymbolicLinkName);
    if (kept == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = IoCreateSymbolicLink(&kept->name, &device->name);
    if (!NT_SUCCESS(status)) {
        RemoveEntryList(&kept->links);
        ExFreePoolWithTag(kept, tag_of(device));
    }
    return status;
}

NTSTATUS WdfDeviceRetrieveDeviceName(WDFDEVICE Device, WDFSTRING String)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_device_t *device = DEVICE(Device);
    wdf_string_t       *string = WDF_FROM(String, &wdf_string_type);
    return device->name.Buffer != NULL ? wdf_string_assign(string, &device->name) : STATUS_INVALID_DEVICE_REQUEST;
}

/* ---- interfaces ---- */

static kept_name_t *find(wdf_device_t *device, const GUID *interface_class, PCUNICODE_STRING reference)
{
    static const UNICODE_STRING none;
    for (LIST_ENTRY *link = device->interfaces.Flink; link != &device->interfaces; link = link->Flink) {
        kept_name_t *kept = CONTAINING_RECORD(link, kept_name_t, links);
        if (memcmp(&kept->interface_class, interface_class, sizeof *interface_class) == 0 &&
            RtlEqualUnicodeString(&kept->name, reference != NULL ? reference : &none, FALSE))
            return kept;
    }
    return NULL;
}

NTSTATUS WdfDeviceCreateDeviceInterface(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(InterfaceClassGUID);
    if (ReferenceString != NULL && !is_string(ReferenceString))
        return STATUS_INVALID_PARAMETER;
    kept_name_t *kept = keep(device, &device->interfaces, ReferenceString);
    if (kept == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    kept->interface_class = *InterfaceClassGUID;
    kept->is_enabled = true;
    return STATUS_SUCCESS;
}

VOID WdfDeviceSetDeviceInterfaceState(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                      BOOLEAN IsInterfaceEnabled)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(InterfaceClassGUID);
    kept_name_t *kept = find(device, InterfaceClassGUID, ReferenceString);
    if (kept != NULL)
        kept->is_enabled = IsInterfaceEnabled != FALSE;
    else
        (void)ke_error(0, "%s: the device has no such interface", __func__);
}

NTSTATUS WdfDeviceAssignMofResourceName(WDFDEVICE Device, PCUNICODE_STRING MofResourceName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    (void)DEVICE(Device);
    WDF_REQUIRE(MofResourceName);
    return STATUS_SUCCESS;
}
