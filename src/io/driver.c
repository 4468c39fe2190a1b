/*
 * driver.c - the test's side of drivers: load one, send its devices requests, unload it.
 *
 *     ntmm_driver_load      a DRIVER_OBJECT, whose dispatch routines all refuse; DriverEntry; its devices are not DO_DEVICE_INITIALIZING any more
 *     ntmm_request_...      an IRP to the top of the device's stack, and the wait for its end
 *     ntmm_driver_unload    DriverUnload; the DRIVER_OBJECT goes
 *
 * Locks       none.
 * Source      none (choice): the control API is our own; DRIVER_OBJECT, DriverEntry: WDK reference.
 */
#include <errno.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "io/driver.h"
#include "io/irp.h"
#include "ke/bugcheck.h"

#define TAG_DRIVER NTMM_TAG("Driv")

/* One block. */
typedef struct driver {
    DRIVER_OBJECT    object;
    DRIVER_EXTENSION extension;
} driver_t;

void (*io_driver_abandoned_hook)(PDRIVER_OBJECT driver);

static WCHAR          driver_name[] = L"\\Driver\\Test";
static WCHAR          service_key[] = L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Test";
static UNICODE_STRING string_of(WCHAR *text, size_t bytes)
{
    return (UNICODE_STRING){ .Length = (USHORT)(bytes - sizeof(WCHAR)), .MaximumLength = (USHORT)bytes, .Buffer = text };
}

static NTSTATUS refuse(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return STATUS_INVALID_DEVICE_REQUEST;
}

static void object_init(driver_t *driver, DRIVER_INITIALIZE *entry)
{
    memset(driver, 0, sizeof *driver);
    driver->object.Type = IO_TYPE_DRIVER;
    driver->object.Size = sizeof driver->object;
    driver->object.DriverExtension = &driver->extension;
    driver->object.DriverName = string_of(driver_name, sizeof driver_name);
    driver->object.DriverInit = entry;
    driver->extension.DriverObject = &driver->object;
    for (size_t i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->object.MajorFunction[i] = refuse;
}

PDRIVER_OBJECT ntmm_driver_load(DRIVER_INITIALIZE *entry)
{
    UNICODE_STRING path = string_of(service_key, sizeof service_key);
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    driver_t *driver = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof *driver, TAG_DRIVER);
    if (driver == NULL)
        return NULL;
    object_init(driver, entry);
    NTSTATUS status = entry(&driver->object, &path);
    if (!NT_SUCCESS(status)) {
        (void)ke_error(0, "%s: DriverEntry returned 0x%08X", __func__, (unsigned)status);
        if (io_driver_abandoned_hook != NULL)
            io_driver_abandoned_hook(&driver->object);
        ExFreePoolWithTag(driver, TAG_DRIVER);
        return NULL;
    }
    for (PDEVICE_OBJECT device = driver->object.DeviceObject; device != NULL; device = device->NextDevice)
        device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return &driver->object;
}

int ntmm_driver_unload(PDRIVER_OBJECT driver)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    if (driver->DriverUnload == NULL)
        return ke_error(-ENOTSUP, "%s: the driver has no DriverUnload, so it stays", __func__);
    driver->DriverUnload(driver);
    if (driver->DeviceObject != NULL)
        return ke_error(-EBUSY, "%s: DriverUnload left the device object %p behind", __func__, (void *)driver->DeviceObject);
    ExFreePoolWithTag(CONTAINING_RECORD(driver, driver_t, object), TAG_DRIVER);
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
