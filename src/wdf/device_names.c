/*
 * device_names.c - the names of a device: its own, the symbolic links to it. All of them go with it. Its interfaces are device_interface.c.
 *
 * Locks       none: PASSIVE_LEVEL, and the driver's affair.
 * Source      WDK reference: wdfdevice.h, the pages of the routines.
 */
#include <string.h>

#include "wdf/device.h"
#include "wdf/string.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

typedef struct kept_name { /* a symbolic link */
    LIST_ENTRY     links;
    UNICODE_STRING name;
    WCHAR          text[];
} kept_name_t;

static ULONG tag_of(const wdf_device_t *device) { return device->object.driver->globals.DriverTag; }

static bool is_string(PCUNICODE_STRING text)
{
    return (text->Length & 1) == 0 && text->Length <= text->MaximumLength && (text->Length == 0 || text->Buffer != NULL);
}

static kept_name_t *keep(wdf_device_t *device, PCUNICODE_STRING name)
{
    USHORT       bytes = name->Length;
    kept_name_t *kept = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *kept + bytes, tag_of(device));
    if (kept == NULL)
        return NULL;
    if (bytes != 0)
        memcpy(kept->text, name->Buffer, bytes);
    kept->name = (UNICODE_STRING){ .Length = bytes, .MaximumLength = bytes, .Buffer = kept->text };
    InsertTailList(&device->links, &kept->links);
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

static kept_name_t *next_link(wdf_device_t *device)
{
    LIST_ENTRY *links = &device->links;
    return links->Flink == NULL || IsListEmpty(links) ? NULL : CONTAINING_RECORD(RemoveHeadList(links), kept_name_t, links);
}

void wdf_device_names_forget(wdf_device_t *device)
{
    kept_name_t *kept;
    while ((kept = next_link(device)) != NULL) {
        (void)IoDeleteSymbolicLink(&kept->name);
        ExFreePoolWithTag(kept, tag_of(device));
    }
    wdf_device_interfaces_forget(device);
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
    kept_name_t *kept = keep(device, SymbolicLinkName);
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
