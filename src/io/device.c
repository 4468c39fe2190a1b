/*
 * device.c - device objects: made by a driver, and stacked one on the other.
 *
 *     lowest.AttachedDevice -> filter.AttachedDevice -> top.AttachedDevice = NULL       each that is attached holds a reference on the one below
 *     driver.DeviceObject -> newest.NextDevice -> ... -> NULL
 *
 * A device that is deleted while another one is attached to it goes when that one detaches itself, as in the removal of a stack.
 *
 * Locks       devices_lock (leaf): AttachedDevice and NextDevice of all devices.
 * Source      WDK reference: wdm.h, the pages of the routines; Bug Check 0x36.
 * Fidelity    no security, no volumes, no handles: Exclusive is only a flag, and ReferenceCount, which counts handles, is always 0.
 */
#include <string.h>

#include "ex/object.h"
#include "io/device_name.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_DEVICE NTMM_TAG("Devi")

/* What DEVICE_OBJECT.DeviceObjectExtension points to. */
typedef struct _DEVOBJ_EXTENSION {
    CSHORT            Type;
    USHORT            Size;
    PDEVICE_OBJECT    DeviceObject;
    PDEVICE_OBJECT    attached_to; /* devices_lock */
    io_device_name_t *name;        /* or NULL */
    bool              deleted;     /* devices_lock */
} device_extension_t;

static const ex_object_type_t device_type = { .name = "Device", .tag = TAG_DEVICE, .all_access = STANDARD_RIGHTS_ALL };
static ke_lock_t              devices_lock = KE_LOCK_INIT(KE_RANK_LEAF);

/* ---- make ---- */

static size_t up_to_16(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

static PDEVICE_OBJECT make(PDRIVER_OBJECT driver, ULONG extension_bytes, DEVICE_TYPE type, ULONG characteristics)
{
    size_t         own = up_to_16(sizeof(DEVICE_OBJECT)), theirs = up_to_16(extension_bytes);
    PDEVICE_OBJECT device = ex_object_create(&device_type, own + theirs + sizeof(device_extension_t));
    if (device == NULL)
        return NULL;
    device->Type = IO_TYPE_DEVICE;
    device->Size = (USHORT)(sizeof *device + extension_bytes);
    device->DriverObject = driver;
    device->Flags = DO_DEVICE_INITIALIZING;
    device->Characteristics = characteristics;
    device->DeviceExtension = extension_bytes != 0 ? (char *)device + own : NULL;
    device->DeviceType = type;
    device->StackSize = 1;
    device->AlignmentRequirement = FILE_BYTE_ALIGNMENT;
    KeInitializeDeviceQueue(&device->DeviceQueue);
    KeInitializeEvent(&device->DeviceLock, SynchronizationEvent, TRUE);
    device->DeviceObjectExtension = (device_extension_t *)(void *)((char *)device + own + theirs);
    device->DeviceObjectExtension->Type = IO_TYPE_DEVICE_OBJECT_EXTENSION;
    device->DeviceObjectExtension->DeviceObject = device;
    return device;
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName, DEVICE_TYPE DeviceType,
                        ULONG DeviceCharacteristics, BOOLEAN Exclusive, PDEVICE_OBJECT *DeviceObject)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *DeviceObject = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (DeviceExtensionSize > MAXUSHORT - sizeof(DEVICE_OBJECT))
        return ke_error(STATUS_INSUFFICIENT_RESOURCES, "%s: an extension of %u bytes is too large: Size has 16 bits", __func__,
                        DeviceExtensionSize);
    PDEVICE_OBJECT device = make(DriverObject, DeviceExtensionSize, DeviceType, DeviceCharacteristics);
    if (device == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = DeviceName != NULL ? io_device_name_add(DeviceName, &device->DeviceObjectExtension->name) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) {
        (void)ex_object_dereference(__func__, device);
        return status;
    }
    device->Flags |= (DeviceName != NULL ? DO_DEVICE_HAS_NAME : 0u) | (Exclusive ? DO_EXCLUSIVE : 0u);
    ke_lock(&devices_lock);
    device->NextDevice = DriverObject->DeviceObject;
    DriverObject->DeviceObject = device;
    ke_unlock(&devices_lock);
    *DeviceObject = device;
    return STATUS_SUCCESS;
}

/* ---- delete ---- */

static void unlist_locked(PDEVICE_OBJECT device)
{
    PDEVICE_OBJECT *link = &device->DriverObject->DeviceObject;
    while (*link != NULL && *link != device)
        link = &(*link)->NextDevice;
    if (*link != NULL)
        *link = device->NextDevice;
    device->NextDevice = NULL;
    device->DeviceObjectExtension->deleted = true;
}

VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    device_extension_t *extension = DeviceObject->DeviceObjectExtension;
    if (extension == NULL || extension->deleted || extension->attached_to != NULL)
        ke_bugcheck(__func__, "The device object is still attached to another one, was deleted before, or is not a driver's.",
                    DEVICE_REFERENCE_COUNT_NOT_ZERO, (ULONG_PTR)DeviceObject, 0, 0, 0);
    ke_lock(&devices_lock);
    unlist_locked(DeviceObject);
    ke_unlock(&devices_lock);
    if (extension->name != NULL)
        io_device_name_remove(extension->name);
    extension->name = NULL;
    (void)ex_object_dereference(__func__, DeviceObject);
}

/* ---- stack ---- */

static PDEVICE_OBJECT top_of_locked(PDEVICE_OBJECT device)
{
    while (device->AttachedDevice != NULL)
        device = device->AttachedDevice;
    return device;
}

/* A physical device object of the bus is no object of ours, and stays as long as the test wants. */
static bool hold(PDEVICE_OBJECT device) { return device->DeviceObjectExtension == NULL || ex_object_try_reference(device) >= 0; }
static void let_go(const char *routine, PDEVICE_OBJECT device)
{
    if (device->DeviceObjectExtension != NULL)
        (void)ex_object_dereference(routine, device);
}

static bool may_be_attached_to(const DEVICE_OBJECT *top)
{
    return (top->Flags & DO_DEVICE_INITIALIZING) == 0 && (top->DeviceObjectExtension == NULL || !top->DeviceObjectExtension->deleted) &&
           top->StackSize < MAXCHAR - 1;
}

PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    ke_lock(&devices_lock);
    PDEVICE_OBJECT top = top_of_locked(TargetDevice);
    bool           attached = may_be_attached_to(top) && hold(top);
    if (attached) {
        top->AttachedDevice = SourceDevice;
        SourceDevice->StackSize = (CCHAR)(top->StackSize + 1);
        SourceDevice->AlignmentRequirement = top->AlignmentRequirement;
        SourceDevice->SectorSize = top->SectorSize;
        SourceDevice->DeviceObjectExtension->attached_to = top;
    }
    ke_unlock(&devices_lock);
    if (!attached)
        (void)ke_error(0, "%s: the top of the stack is still DO_DEVICE_INITIALIZING, is deleted, or the stack is too high", __func__);
    return attached ? top : NULL;
}

VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    ke_lock(&devices_lock);
    PDEVICE_OBJECT above = TargetDevice->AttachedDevice;
    TargetDevice->AttachedDevice = NULL;
    if (above != NULL)
        above->DeviceObjectExtension->attached_to = NULL;
    ke_unlock(&devices_lock);
    if (above != NULL)
        let_go(__func__, TargetDevice);
}

PDEVICE_OBJECT IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return DeviceObject;
    ke_lock(&devices_lock);
    PDEVICE_OBJECT top = top_of_locked(DeviceObject);
    ke_unlock(&devices_lock);
    return top;
}

PDEVICE_OBJECT IoGetAttachedDeviceReference(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return DeviceObject;
    ke_lock(&devices_lock);
    PDEVICE_OBJECT top = top_of_locked(DeviceObject);
    (void)hold(top);
    ke_unlock(&devices_lock);
    return top;
}
