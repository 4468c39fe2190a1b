/*
 * pdo.c - what a bus driver asks a physical device, or tells it, when it exists; and how it goes.
 *
 *     IRP_MN_REMOVE_DEVICE, reported missing        --.
 *     its bus is removed                            ---+--> wdf_pdo_end: the WDFDEVICE and its place in the list are gone
 *     EvtChildListCreateDevice has failed           --'
 *     IRP_MN_REMOVE_DEVICE, and the bus has it still ------> it waits: the next IRP_MN_START_DEVICE begins anew
 *
 * Locks       that of the list of children, for the child's state.
 * Source      WDK reference: wdfpdo.h, the pages of the routines; KMDF 1.33.
 */
#include "wdf/pdo.h"

#define DEVICE(handle) ((wdf_device_t *)wdf_from_handle(__func__, (handle), &wdf_device_type))

/* ---- the end ---- */

bool wdf_pdo_is_gone(const wdf_device_t *device)
{
    KIRQL        irql;
    wdf_child_t *child = device->pdo->child;
    if (child == NULL)
        return true;
    KeAcquireSpinLock(&child->children->lock, &irql);
    child->was_pulled_out = false;
    bool is_missing = child->state == WDF_CHILD_MISSING;
    KeReleaseSpinLock(&child->children->lock, irql);
    return is_missing;
}

void wdf_pdo_pulled_out(const wdf_device_t *device)
{
    KIRQL        irql;
    wdf_child_t *child = device->pdo->child;
    if (child == NULL)
        return;
    KeAcquireSpinLock(&child->children->lock, &irql);
    child->was_pulled_out = true;
    KeReleaseSpinLock(&child->children->lock, irql);
}

void wdf_pdo_end(wdf_device_t *device)
{
    wdf_child_t *child = device->pdo->child;
    wdf_device_retire(device);
    device->pdo->child = NULL;
    if (child != NULL)
        wdf_child_forget_pdo(child);
    wdf_object_delete(&device->object);
    wdf_deferred_flush();
}

/* ---- its parent, and what it says of it ---- */

/* NULL: it is no PDO, and ntmm_error() says so. */
static wdf_pdo_t *pdo_of(const char *routine, WDFDEVICE handle)
{
    const wdf_device_t *device = (wdf_device_t *)wdf_from_handle(routine, handle, &wdf_device_type);
    if (device->pdo == NULL)
        (void)ke_error(0, "%s: the device is no PDO", routine);
    return device->pdo;
}

WDFDEVICE WdfPdoGetParent(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    const wdf_pdo_t *pdo = pdo_of(__func__, Device);
    return pdo != NULL ? wdf_device_handle(pdo->parent) : NULL;
}

NTSTATUS WdfPdoMarkMissing(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    const wdf_pdo_t *pdo = pdo_of(__func__, Device);
    if (pdo == NULL)
        return STATUS_INVALID_PARAMETER;
    if (pdo->child == NULL)
        return STATUS_NO_SUCH_DEVICE;
    wdf_children_miss_one(pdo->child);
    return STATUS_SUCCESS;
}

VOID WdfPdoRequestEject(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    if (pdo_of(__func__, Device) == NULL)
        return;
    PDEVICE_OBJECT known = wdf_device_known(DEVICE(Device));
    if (known != NULL)
        IoRequestDeviceEject(known);
    else
        (void)ke_error(0, "%s: the device has not been reported yet", __func__);
}

/* ---- its descriptions ---- */

/* The child of a list of dynamic ones. */
static NTSTATUS dynamic_child(const char *routine, WDFDEVICE handle, wdf_child_t **child)
{
    const wdf_pdo_t *pdo = pdo_of(routine, handle);
    *child = pdo != NULL ? pdo->child : NULL;
    if (pdo == NULL)
        return STATUS_INVALID_PARAMETER;
    return *child != NULL && !(*child)->children->is_static ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;
}

/* Copies the whole of a description between a driver's memory and the list's, under its lock. */
typedef void describe_t(wdf_child_t *child, void *description);

static void tell_id(wdf_child_t *child, void *description) { wdf_child_copy_id(child, description); }
static void tell_address(wdf_child_t *child, void *description) { wdf_child_copy_address(child->children, child->address, description); }
static void take_address(wdf_child_t *child, void *description) { wdf_child_copy_address(child->children, description, child->address); }

/* given, wanted: bytes of a description; 0: the list has none of the kind. */
static NTSTATUS describe(wdf_child_t *child, void *description, ULONG given, ULONG wanted, describe_t *way)
{
    KIRQL irql;
    if (wanted == 0 || given != wanted)
        return STATUS_INVALID_DEVICE_REQUEST;
    KeAcquireSpinLock(&child->children->lock, &irql);
    way(child, description);
    KeReleaseSpinLock(&child->children->lock, irql);
    return STATUS_SUCCESS;
}

static NTSTATUS describe_address(wdf_child_t *child, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER address, describe_t *way)
{
    ULONG wanted = child->address != NULL ? child->children->config.AddressDescriptionSize : 0;
    return describe(child, address, address->AddressDescriptionSize, wanted, way);
}

NTSTATUS WdfPdoRetrieveIdentificationDescription(WDFDEVICE Device, PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription)
{
    wdf_child_t *child;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    NTSTATUS status = dynamic_child(__func__, Device, &child);
    WDF_REQUIRE(IdentificationDescription);
    if (!NT_SUCCESS(status))
        return status;
    return describe(child, IdentificationDescription, IdentificationDescription->IdentificationDescriptionSize,
                    child->children->config.IdentificationDescriptionSize, tell_id);
}

NTSTATUS WdfPdoRetrieveAddressDescription(WDFDEVICE Device, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription)
{
    wdf_child_t *child;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    NTSTATUS status = dynamic_child(__func__, Device, &child);
    WDF_REQUIRE(AddressDescription);
    return NT_SUCCESS(status) ? describe_address(child, AddressDescription, tell_address) : status;
}

NTSTATUS WdfPdoUpdateAddressDescription(WDFDEVICE Device, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription)
{
    wdf_child_t *child;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    NTSTATUS status = dynamic_child(__func__, Device, &child);
    WDF_REQUIRE(AddressDescription);
    return NT_SUCCESS(status) ? describe_address(child, AddressDescription, take_address) : status;
}
