/*
 * device_create.c - devices are made: AddDevice, which asks the driver, and WdfDeviceCreate.
 *
 *     wdf_add_device                        the PnP manager has found a device
 *      |- EvtDriverDeviceAdd
 *      |   `- WdfDeviceCreate
 *      |       |- IoCreateDevice, IoAttachDeviceToDeviceStack
 *      |       |- the WDFDEVICE, a child of the driver
 *      |       `- its parts, one after the other
 *      `- failed: the device goes again; else it is not DO_DEVICE_INITIALIZING any more
 *
 * Locks       none.
 * Source      WDK reference: EvtDriverDeviceAdd, WdfDeviceCreate; "Creating a Framework Device Object", "Using Control Device Objects".
 */
#include <string.h>

#include <wdfcontrol.h>

#include "wdf/capabilities.h"
#include "wdf/device_init.h"
#include "wdf/driver_object.h"
#include "wdf/pdo.h"
#include "wdf/query_interface.h"

/* ---- the parts ---- */

static void parts_destroy(wdf_device_t *device, size_t count)
{
    while (count > 0) {
        const wdf_device_part_t *part = wdf_device_parts[--count];
        if (part->destroyed != NULL)
            part->destroyed(device);
    }
}

static size_t parts_count(void)
{
    size_t count = 0;
    while (wdf_device_parts[count] != NULL)
        count++;
    return count;
}

static NTSTATUS parts_create(wdf_device_t *device)
{
    size_t count = parts_count();
    for (size_t i = 0; i < count; i++) {
        NTSTATUS status = wdf_device_parts[i]->created != NULL ? wdf_device_parts[i]->created(device) : STATUS_SUCCESS;
        if (!NT_SUCCESS(status)) {
            parts_destroy(device, i);
            return status;
        }
    }
    device->has_parts = true;
    return STATUS_SUCCESS;
}

/* ---- the type ---- */

static void device_destroy(wdf_object_t *object)
{
    wdf_device_t *device = (wdf_device_t *)object;
    if (device->has_parts)
        parts_destroy(device, parts_count());
    wdf_device_names_forget(device);
    wdf_query_interfaces_forget(device);
    if (device->pdo != NULL && device->pdo->child != NULL)
        wdf_child_forget_pdo(device->pdo->child);
    if (device->pdo != NULL)
        wdf_pdo_delete(device->pdo, object->driver->globals.DriverTag);
    if (device->removal.count != 0)
        wdf_relations_clear(&device->removal, object->driver->globals.DriverTag);
    wdf_wmi_forget(device);
    if (device->below != NULL)
        IoDetachDevice(device->below);
    if (device->wdm != NULL) {
        *(wdf_device_t **)device->wdm->DeviceExtension = NULL; /* a PDO whose stack still stands stays */
        IoDeleteDevice(device->wdm);
    }
}

static wdf_callback_lock_t *device_lock(wdf_object_t *object) { return &((wdf_device_t *)object)->callbacks; }

const wdf_type_t wdf_device_type = {
    .name = "WDFDEVICE",
    .number = WDF_NUMBER_DEVICE,
    .bytes = sizeof(wdf_device_t),
    .options = WDF_TYPE_PASSIVE_DISPOSE | WDF_TYPE_PASSIVE_DELETE | WDF_TYPE_LONG_LIVED,
    .destroy = device_destroy,
    .callback_lock = device_lock,
};

/* ---- the device object ---- */

static ULONG flags_of(const wdf_device_setup_t *setup)
{
    WDF_DEVICE_IO_TYPE io = setup->io.ReadWriteIoType;
    ULONG              how = io == WdfDeviceIoBuffered ? DO_BUFFERED_IO : io == WdfDeviceIoNeither ? 0u : DO_DIRECT_IO;
    return how | setup->power_flags;
}

/* A filter's device carries buffers as the one below does. */
static void look_like_below(wdf_device_t *device)
{
    const ULONG copied = DO_BUFFERED_IO | DO_DIRECT_IO | DO_POWER_PAGABLE | DO_POWER_INRUSH;
    device->wdm->Flags = (device->wdm->Flags & ~copied) | (device->below->Flags & copied);
    device->wdm->DeviceType = device->below->DeviceType;
    device->wdm->Characteristics = device->below->Characteristics;
}

static NTSTATUS make_device_object(wdf_device_t *device, struct WDFDEVICE_INIT *init)
{
    const wdf_device_setup_t *setup = &init->setup;
    PUNICODE_STRING           name = init->name.Buffer != NULL ? &init->name : NULL;
    NTSTATUS                  status =
        IoCreateDevice(init->driver->wdm, sizeof(device), name, setup->type, setup->characteristics, setup->is_exclusive, &device->wdm);
    if (!NT_SUCCESS(status))
        return status;
    *(wdf_device_t **)device->wdm->DeviceExtension = device;
    device->wdm->Flags |= flags_of(setup);
    device->physical = init->pdo != NULL ? device->wdm : init->physical;
    if (init->pdo != NULL && init->pdo->forwards_to_parent)
        device->wdm->StackSize = (CCHAR)(device->wdm->StackSize + init->pdo->parent->wdm->StackSize);
    if (init->physical != NULL)
        device->below = IoAttachDeviceToDeviceStack(device->wdm, init->physical);
    if (device->below == NULL)
        return init->physical != NULL ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
    if (setup->is_filter)
        look_like_below(device);
    return STATUS_SUCCESS;
}

/* ---- WdfDeviceCreate ---- */

static NTSTATUS check(const struct WDFDEVICE_INIT *init, PWDF_OBJECT_ATTRIBUTES attributes)
{
    bool has_name = init->name.Buffer != NULL || (init->setup.characteristics & FILE_AUTOGENERATED_DEVICE_NAME) != 0;
    if (init->pdo != NULL && !has_name)
        return STATUS_OBJECT_NAME_INVALID;
    return wdf_attributes_check(attributes,
                                WDF_ATTRIBUTES_LEVEL | WDF_ATTRIBUTES_SCOPE | (init->setup.is_control ? 0 : WDF_ATTRIBUTES_NO_PARENT));
}

static NTSTATUS fill_in(wdf_device_t *device, struct WDFDEVICE_INIT *init, PWDF_OBJECT_ATTRIBUTES attributes)
{
    device->setup = init->setup;
    device->power = WdfPowerDeviceD3Final;
    device->is_stoppable = true;
    device->pdo = init->pdo;
    wdf_capabilities_init(device);
    wdf_bus_init(device);
    wdf_relations_init(&device->removal);
    InitializeListHead(&device->query_interfaces);
    InitializeListHead(&device->links);
    InitializeListHead(&device->interfaces);
    InitializeListHead(&device->wmi.providers);
    wdf_idle_init(device);
    NTSTATUS status = make_device_object(device, init);
    if (NT_SUCCESS(status))
        status = wdf_device_name_take(device, &init->name);
    if (!NT_SUCCESS(status))
        return status;
    bool may_be_deleted = init->pdo != NULL ? init->pdo->is_static : init->setup.is_control;
    if (!may_be_deleted)
        device->object.flags |= WDF_OBJECT_NO_DELETE;
    status = wdf_object_commit(device, attributes);
    if (!NT_SUCCESS(status))
        return status;
    wdf_callback_lock_init(&device->callbacks, &device->object, wdf_object_is_passive(&device->object));
    return STATUS_SUCCESS;
}

static NTSTATUS make_default_list(wdf_device_t *device, struct WDFDEVICE_INIT *init)
{
    return wdf_child_list_new(device, &init->list_config, init->has_list_attributes ? &init->list_attributes : NULL,
                              &device->bus.default_list);
}

static NTSTATUS make(struct WDFDEVICE_INIT *init, PWDF_OBJECT_ATTRIBUTES attributes, wdf_device_t **made)
{
    NTSTATUS status =
        wdf_object_new(&(wdf_new_t){ .type = &wdf_device_type, .attributes = attributes, .parent = init->driver->object }, made);
    if (!NT_SUCCESS(status))
        return status;
    status = fill_in(*made, init, attributes);
    if (!NT_SUCCESS(status)) {
        (*made)->pdo = NULL; /* the init's still */
        wdf_object_abandon(*made);
        return status;
    }
    status = parts_create(*made);
    if (NT_SUCCESS(status) && init->list_config.Size != 0)
        status = make_default_list(*made, init);
    if (!NT_SUCCESS(status)) {
        (*made)->pdo = NULL;
        wdf_object_forget_callbacks(&(*made)->object);
        wdf_object_delete(&(*made)->object);
    }
    return status;
}

NTSTATUS WdfDeviceCreate(PWDFDEVICE_INIT *DeviceInit, PWDF_OBJECT_ATTRIBUTES DeviceAttributes, WDFDEVICE *Device)
{
    wdf_device_t *device;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(DeviceInit);
    WDF_REQUIRE(*DeviceInit);
    WDF_REQUIRE(Device);
    struct WDFDEVICE_INIT *init = *DeviceInit;
    *Device = NULL;
    NTSTATUS status = init->made != NULL ? STATUS_INVALID_DEVICE_STATE : check(init, DeviceAttributes);
    if (NT_SUCCESS(status))
        status = make(init, DeviceAttributes, &device);
    if (!NT_SUCCESS(status))
        return status;
    *Device = wdf_device_handle(device);
    *DeviceInit = NULL;
    if (device->pdo != NULL)
        device->wdm->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    init->pdo = NULL;
    init->made = device;
    if (init->is_allocated)
        wdf_device_init_end(init);
    return STATUS_SUCCESS;
}

VOID WdfControlFinishInitializing(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    device->wdm->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    device->in_d0 = true;
    for (size_t i = 0; wdf_device_parts[i] != NULL; i++)
        if (wdf_device_parts[i]->up != NULL)
            (void)wdf_device_parts[i]->up(device);
}

/* ---- AddDevice ---- */

static NTSTATUS ask_driver(wdf_driver_t *driver, struct WDFDEVICE_INIT *init)
{
    PFN_WDF_DRIVER_DEVICE_ADD callback = ((wdf_driver_object_t *)driver->object)->config.EvtDriverDeviceAdd;
    if (callback == NULL)
        return STATUS_SUCCESS; /* no device: the driver lets it pass */
    wdf_call_t call = wdf_call_begin(driver);
    NTSTATUS   status = callback((WDFDRIVER)driver->object, init);
    WDF_CALL_END(&call, callback);
    return status;
}

NTSTATUS wdf_add_device(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject)
{
    struct WDFDEVICE_INIT init;
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_driver_t *driver = wdf_driver_of(DriverObject);
    if (driver == NULL || driver->object == NULL)
        return STATUS_UNSUCCESSFUL;
    wdf_device_init_begin(&init, driver, PhysicalDeviceObject);
    NTSTATUS status = ask_driver(driver, &init);
    if (init.made != NULL && NT_SUCCESS(status)) {
        init.made->wdm->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    } else if (init.made != NULL) {
        wdf_device_retire(init.made);
        wdf_object_delete(&init.made->object);
        wdf_deferred_flush();
    }
    wdf_device_init_end(&init);
    return status;
}
