/*
 * device_names.c - the names of a device: its own, the symbolic link to it. All of them go with it. Its interfaces are device_interface.c.
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

void wdf_device_links_forget(wdf_device_t *device)
{
    kept_name_t *kept;
    while ((kept = next_link(device)) != NULL) {
        (void)IoDeleteSymbolicLink(&kept->name);
        ExFreePoolWithTag(kept, tag_of(device));
    }
}

void wdf_device_names_forget(wdf_device_t *device)
{
    wdf_device_links_forget(device);
    wdf_device_interfaces_forget(device);
    if (device->name.Buffer != NULL)
        ExFreePoolWithTag(device->name.Buffer, tag_of(device));
    device->name.Buffer = NULL;
}

/* The name of the physical device, whose stack is opened by it just as well; to be freed. */
static NTSTATUS name_of_physical(const wdf_device_t *device, UNICODE_STRING *name)
{
    const DEVICE_REGISTRY_PROPERTY property = DevicePropertyPhysicalDeviceObjectName;
    ULONG                          bytes = 0;
    if (device->physical == NULL)
        return STATUS_INVALID_DEVICE_STATE;
    NTSTATUS status = IoGetDeviceProperty(device->physical, property, 0, NULL, &bytes);
    if (status != STATUS_BUFFER_TOO_SMALL)
        return status;
    PWSTR text = ExAllocatePool2(POOL_FLAG_PAGED, bytes, tag_of(device));
    if (text == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    status = IoGetDeviceProperty(device->physical, property, bytes, text, &bytes);
    if (NT_SUCCESS(status))
        RtlInitUnicodeString(name, text);
    else
        ExFreePoolWithTag(text, tag_of(device));
    return status;
}

static NTSTATUS link_to(const wdf_device_t *device, PUNICODE_STRING link)
{
    UNICODE_STRING name = device->name;
    NTSTATUS       status = name.Buffer != NULL ? STATUS_SUCCESS : name_of_physical(device, &name);
    if (NT_SUCCESS(status))
        status = IoCreateSymbolicLink(link, &name);
    if (device->name.Buffer == NULL && name.Buffer != NULL)
        ExFreePoolWithTag(name.Buffer, tag_of(device));
    return status;
}

NTSTATUS WdfDeviceCreateSymbolicLink(WDFDEVICE Device, PCUNICODE_STRING SymbolicLinkName)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = DEVICE(Device);
    WDF_REQUIRE(SymbolicLinkName);
    if (SymbolicLinkName->Length == 0)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!is_string(SymbolicLinkName))
        return STATUS_INVALID_PARAMETER;
    if (!IsListEmpty(&device->links))
        return STATUS_INVALID_DEVICE_REQUEST;
    kept_name_t *kept = keep(device, SymbolicLinkName);
    if (kept == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = link_to(device, &kept->name);
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
