/*
 * driver.c - the test's side of drivers: load one, send its devices requests, unload it.
 *
 *     ntmm_driver_load      a DRIVER_OBJECT, whose dispatch routines all refuse; DriverEntry; then its INIT section is gone, and its devices are not
 *                           DO_DEVICE_INITIALIZING any more
 *     ntmm_request_...      an IRP to the top of the device's stack, and the wait for its end
 *     ntmm_driver_unload    DriverUnload; the DRIVER_OBJECT goes, unless somebody refers to it
 *
 * Locks       none.
 * Source      none (choice): the control API is our own; DRIVER_OBJECT, DriverEntry: WDK reference.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/process_notify.h"
#include "host/image_sections.h"
#include "io/device.h"
#include "io/driver.h"
#include "io/driver_hook.h"
#include "io/irp.h"
#include "io/registry.h"
#include "ke/bugcheck.h"
#include "mm/mm.h"

#define TAG_DRIVER NTMM_TAG("Driv")

#define DRIVER_NAMES L"\\Driver\\"
#define SERVICES L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\"
#define NAME_MAX_CHARACTERS 64

/* One object. Its names share their end. */
typedef struct driver {
    DRIVER_OBJECT    object; /* first: its address is what drivers get */
    DRIVER_EXTENSION extension;
    UNICODE_STRING   registry_path;
    WCHAR            name[NTMM_ARRAY_COUNT(DRIVER_NAMES) + NAME_MAX_CHARACTERS];
    WCHAR            path[NTMM_ARRAY_COUNT(SERVICES) + NAME_MAX_CHARACTERS];
} driver_t;

void (*io_driver_abandoned_hook)(PDRIVER_OBJECT driver);

static void driver_deleted(void *object) { io_driver_forget(object); }

const struct _OBJECT_TYPE io_driver_type = {
    .name = "Driver", .tag = TAG_DRIVER, .all_access = STANDARD_RIGHTS_ALL, .deleted = driver_deleted
};
static POBJECT_TYPE driver_type_pointer = (POBJECT_TYPE)(uintptr_t)&io_driver_type;
POBJECT_TYPE       *IoDriverObjectType = &driver_type_pointer;

static UNICODE_STRING join(WCHAR *room, const WCHAR *front, size_t front_bytes, const char *name)
{
    size_t at = front_bytes / sizeof(WCHAR) - 1;
    memcpy(room, front, front_bytes);
    while (*name != '\0')
        room[at++] = (unsigned char)*name++;
    room[at] = 0;
    return (UNICODE_STRING){ .Length = (USHORT)(at * sizeof(WCHAR)), .MaximumLength = (USHORT)((at + 1) * sizeof(WCHAR)), .Buffer = room };
}

static NTSTATUS refuse(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

static void object_init(driver_t *driver, const char *name, DRIVER_INITIALIZE *entry)
{
    const size_t front = sizeof SERVICES / sizeof(WCHAR) - 1;
    driver->object.Type = IO_TYPE_DRIVER;
    driver->object.Size = sizeof driver->object;
    driver->object.DriverExtension = &driver->extension;
    driver->object.DriverName = join(driver->name, DRIVER_NAMES, sizeof DRIVER_NAMES, name);
    driver->object.DriverInit = entry;
    driver->registry_path = join(driver->path, SERVICES, sizeof SERVICES, name);
    driver->extension.DriverObject = &driver->object;
    driver->extension.ServiceKeyName.Buffer = driver->path + front;
    driver->extension.ServiceKeyName.Length = (USHORT)(driver->registry_path.Length - front * sizeof(WCHAR));
    driver->extension.ServiceKeyName.MaximumLength = (USHORT)(driver->extension.ServiceKeyName.Length + sizeof(WCHAR));
    for (size_t i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->object.MajorFunction[i] = refuse;
}

PCUNICODE_STRING io_driver_registry_path(PDRIVER_OBJECT driver)
{
    return ex_object_type_of(driver) == &io_driver_type ? &((const driver_t *)driver)->registry_path : NULL;
}

/* The key that RegistryPath names, as the installation of a driver makes it. */
static bool service_key_make(const driver_t *driver)
{
    const size_t   front = sizeof L"\\Registry\\" - sizeof(WCHAR);
    io_key_t      *key;
    bool           created;
    UNICODE_STRING path = driver->registry_path;
    path.Buffer += front / sizeof(WCHAR);
    path.Length = (USHORT)(path.Length - front);
    io_registry_lock();
    NTSTATUS status = io_key_find_locked(NULL, path, IO_KEY_CREATE_ALL, false, &key, &created);
    io_registry_unlock();
    return NT_SUCCESS(status);
}

static void tell_of_image(const char *name, uintptr_t entry)
{
    char      path[NAME_MAX_CHARACTERS + 64];
    uintptr_t base = 0, end = 0;
    (void)host_image_of(entry, &base, &end);
    snprintf(path, sizeof path, "\\SystemRoot\\System32\\drivers\\%s.sys", name);
    ex_image_tell(NULL, path, (const void *)base, end - base);
}

PDRIVER_OBJECT ntmm_driver_load_as(const char *name, DRIVER_INITIALIZE *entry)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    if (strlen(name) > NAME_MAX_CHARACTERS) {
        (void)ke_error(0, "%s: the name of a driver has at most %d characters", __func__, NAME_MAX_CHARACTERS);
        return NULL;
    }
    driver_t *driver = ex_object_create(&io_driver_type, sizeof *driver);
    if (driver == NULL)
        return NULL;
    object_init(driver, name, entry);
    if (!service_key_make(driver)) {
        (void)ke_error(0, "%s: the host has no memory for the driver's registry key", __func__);
        (void)ex_object_dereference(__func__, driver);
        return NULL;
    }
    tell_of_image(name, (uintptr_t)entry);
    mm_driver_init_restore((uintptr_t)entry);
    NTSTATUS status = entry(&driver->object, &driver->registry_path);
    if (!NT_SUCCESS(status)) {
        (void)ke_error(0, "%s: DriverEntry returned 0x%08X", __func__, (unsigned)status);
        if (io_driver_abandoned_hook != NULL)
            io_driver_abandoned_hook(&driver->object);
        (void)ex_object_dereference(__func__, driver);
        return NULL;
    }
    mm_driver_init_discard((uintptr_t)entry);
    for (PDEVICE_OBJECT device = driver->object.DeviceObject; device != NULL; device = device->NextDevice)
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    io_driver_reinitialize();
    return &driver->object;
}

PDRIVER_OBJECT ntmm_driver_load(DRIVER_INITIALIZE *entry) { return ntmm_driver_load_as("Test", entry); }

int ntmm_driver_unload(PDRIVER_OBJECT driver)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (driver->DriverUnload == NULL)
        return ke_error(-ENOTSUP, "%s: the driver has no DriverUnload, so it stays", __func__);
    driver->DriverUnload(driver);
    mm_driver_reset((uintptr_t)driver->DriverInit);
    mm_driver_init_restore((uintptr_t)driver->DriverInit);
    if (driver->DeviceObject != NULL)
        return ke_error(-EBUSY, "%s: DriverUnload left the device object %p behind", __func__, (void *)driver->DeviceObject);
    (void)ex_object_dereference(__func__, driver);
    return 0;
}

/* ---- requests ---- */

/* The IRP may be gone when IoCallDriver returns. */
static NTSTATUS send(PDEVICE_OBJECT top, PIRP irp, PKEVENT event, IO_STATUS_BLOCK *block, size_t *transferred)
{
    if (transferred != NULL)
        *transferred = 0;
    if (irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (IoCallDriver(top, irp) == STATUS_PENDING)
        (void)KeWaitForSingleObject(event, Executive, KernelMode, FALSE, NULL);
    if (transferred != NULL)
        *transferred = block->Information;
    return block->Status;
}

NTSTATUS ntmm_request_control(PDEVICE_OBJECT device, uint32_t code, void *input, uint32_t input_bytes, void *output, uint32_t output_bytes,
                              size_t *transferred)
{
    KEVENT          event;
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    PDEVICE_OBJECT  top = IoGetAttachedDevice(device);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildDeviceIoControlRequest(code, top, input, input_bytes, output, output_bytes, FALSE, &event, &block);
    return send(top, irp, &event, &block, transferred);
}

static NTSTATUS transfer(PDEVICE_OBJECT device, UCHAR major, uint64_t offset, void *buffer, uint32_t bytes, size_t *transferred)
{
    KEVENT          event;
    LARGE_INTEGER   at = { .QuadPart = (LONGLONG)offset };
    IO_STATUS_BLOCK block = { .Status = STATUS_UNSUCCESSFUL };
    PDEVICE_OBJECT  top = IoGetAttachedDevice(device);
    KeInitializeEvent(&event, NotificationEvent, FALSE);
    PIRP irp = IoBuildSynchronousFsdRequest(major, top, buffer, bytes, &at, &event, &block);
    return send(top, irp, &event, &block, transferred);
}

NTSTATUS ntmm_request_read(PDEVICE_OBJECT device, uint64_t offset, void *buffer, uint32_t bytes, size_t *transferred)
{
    return transfer(device, IRP_MJ_READ, offset, buffer, bytes, transferred);
}
NTSTATUS ntmm_request_write(PDEVICE_OBJECT device, uint64_t offset, const void *buffer, uint32_t bytes, size_t *transferred)
{
    return transfer(device, IRP_MJ_WRITE, offset, (void *)(uintptr_t)buffer, bytes, transferred);
}
