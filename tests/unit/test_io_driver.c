/*
 * test_io_driver.c - a driver loaded, its device and a filter above it, requests through both, and unloading; names and links; device stacks.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <string.h>

#define IOCTL_ADD CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_OUT_DIRECT, FILE_ANY_ACCESS)

/* ---- the driver ---- */

typedef struct extension {
    ULONG          reads;
    PDEVICE_OBJECT below; /* of a filter */
    PVOID          memory;
} extension_t;

static UNICODE_STRING device_name = RTL_CONSTANT_STRING(L"\\Device\\Adder");
static UNICODE_STRING link_name = RTL_CONSTANT_STRING(L"\\DosDevices\\Adder");
static UNICODE_STRING same_link = RTL_CONSTANT_STRING(L"\\??\\adder");
static UNICODE_STRING no_path = RTL_CONSTANT_STRING(L"Adder");

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static NTSTATUS control(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    (void)device;
    if (location->Parameters.DeviceIoControl.IoControlCode != IOCTL_ADD)
        return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
    UCHAR *from = irp->AssociatedIrp.SystemBuffer, *to = MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
    ULONG  bytes = MmGetMdlByteCount(irp->MdlAddress);
    for (ULONG i = 0; i < bytes; i++)
        to[i] = (UCHAR)(from[i] + 1);
    return complete(irp, STATUS_SUCCESS, bytes);
}
static NTSTATUS read_or_write(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    extension_t       *extension = device->DeviceExtension;
    UCHAR             *memory = (UCHAR *)extension->memory + location->Parameters.Read.ByteOffset.QuadPart;
    ULONG              bytes = location->Parameters.Read.Length;
    extension->reads++;
    if (location->MajorFunction == IRP_MJ_READ)
        memcpy(irp->AssociatedIrp.SystemBuffer, memory, bytes);
    else
        memcpy(memory, irp->AssociatedIrp.SystemBuffer, bytes);
    return complete(irp, STATUS_SUCCESS, bytes);
}
static VOID unload(PDRIVER_OBJECT driver)
{
    extension_t *extension = driver->DeviceObject->DeviceExtension;
    ExFreePool(extension->memory);
    assert_int_equal(IoDeleteSymbolicLink(&link_name), STATUS_SUCCESS);
    IoDeleteDevice(driver->DeviceObject);
}
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    assert_true(path->Length > 0 && driver->DriverExtension->DriverObject == driver);
    NTSTATUS status =
        IoCreateDevice(driver, sizeof(extension_t), &device_name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    status = IoCreateSymbolicLink(&link_name, &device_name);
    extension_t *extension = device->DeviceExtension;
    extension->memory = NT_SUCCESS(status) ? ExAllocatePool2(POOL_FLAG_NON_PAGED, 64, NTMM_TAG("Addr")) : NULL;
    if (extension->memory == NULL) {
        if (NT_SUCCESS(status))
            IoDeleteSymbolicLink(&link_name);
        IoDeleteDevice(device);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    device->Flags |= DO_BUFFERED_IO;
    assert_true((device->Flags & (DO_DEVICE_INITIALIZING | DO_DEVICE_HAS_NAME)) == (DO_DEVICE_INITIALIZING | DO_DEVICE_HAS_NAME));
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->MajorFunction[IRP_MJ_READ] = driver->MajorFunction[IRP_MJ_WRITE] = read_or_write;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

/* ---- a filter ---- */

static NTSTATUS pass_down(PDEVICE_OBJECT device, PIRP irp)
{
    extension_t *extension = device->DeviceExtension;
    extension->reads++;
    IoSkipCurrentIrpStackLocation(irp);
    return IoCallDriver(extension->below, irp);
}
static NTSTATUS add_device(PDRIVER_OBJECT driver, PDEVICE_OBJECT lower)
{
    PDEVICE_OBJECT device;
    NTSTATUS       status = IoCreateDevice(driver, sizeof(extension_t), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    assert_int_equal(status, STATUS_SUCCESS);
    extension_t *extension = device->DeviceExtension;
    extension->below = IoAttachDeviceToDeviceStack(device, lower);
    assert_non_null(extension->below);
    device->Flags |= extension->below->Flags & (DO_BUFFERED_IO | DO_DIRECT_IO);
    device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}
static VOID filter_unload(PDRIVER_OBJECT driver)
{
    PDEVICE_OBJECT device = driver->DeviceObject;
    IoDetachDevice(((extension_t *)device->DeviceExtension)->below);
    IoDeleteDevice(device);
}
static NTSTATUS filter_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->MajorFunction[i] = pass_down;
    driver->DriverExtension->AddDevice = add_device;
    driver->DriverUnload = filter_unload;
    return STATUS_SUCCESS;
}

/* ---- tests ---- */

static void requests_through_a_stack(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry), filter = ntmm_driver_load(filter_entry);
    assert_true(driver != NULL && filter != NULL);
    PDEVICE_OBJECT device = driver->DeviceObject;
    assert_int_equal(device->Flags & DO_DEVICE_INITIALIZING, 0);
    assert_int_equal((ULONG_PTR)device->DeviceExtension % 16, 0);
    for (int round = 0; round < 2; round++) {
        UCHAR  in[8] = { 1, 2, 3 }, out[8] = { 0 };
        size_t bytes;
        assert_int_equal(ntmm_request_control(device, IOCTL_ADD, in, 8, out, 8, &bytes), STATUS_SUCCESS);
        assert_true(bytes == 8 && out[0] == 2 && out[2] == 4 && out[7] == 1);
        assert_int_equal(ntmm_request_control(device, IOCTL_ADD + 4, in, 8, out, 8, NULL), STATUS_INVALID_DEVICE_REQUEST);
        assert_int_equal(ntmm_request_write(device, 5, in, 8, &bytes), STATUS_SUCCESS);
        assert_int_equal(ntmm_request_read(device, 6, out, 2, &bytes), STATUS_SUCCESS);
        assert_true(bytes == 2 && out[0] == 2 && out[1] == 3);
        if (round == 0)
            add_device(filter, device);
    }
    assert_int_equal(((extension_t *)filter->DeviceObject->DeviceExtension)->reads, 4);
    assert_true(filter->DeviceObject->StackSize == 2 && IoGetAttachedDevice(device) == filter->DeviceObject);
    PDEVICE_OBJECT top = IoGetAttachedDeviceReference(device);
    assert_ptr_equal(top, filter->DeviceObject);
    assert_int_equal(ntmm_driver_unload(driver), 0); /* the device stays until nobody is attached to it */
    assert_ptr_equal(device->AttachedDevice, top);
    assert_int_equal(ntmm_driver_unload(filter), 0);
    ObDereferenceObject(top);
    assert_no_leaks();
}

static void load_under_failures(void *unused)
{
    (void)unused;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    if (driver != NULL)
        assert_int_equal(ntmm_driver_unload(driver), 0);
}
static void loading_when_memory_is_short(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(load_under_failures, NULL) >= 6); /* driver, device, two names, memory; and none */
    assert_no_leaks();
}

static void names_are_taken_once(void **state)
{
    (void)state;
    PDEVICE_OBJECT device;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    assert_null(ntmm_driver_load(DriverEntry));
    assert_int_equal(IoCreateDevice(driver, 0, &device_name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device), STATUS_OBJECT_NAME_COLLISION);
    assert_null(device);
    assert_int_equal(IoCreateDevice(driver, 0, &no_path, FILE_DEVICE_UNKNOWN, 0, FALSE, &device), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_int_equal(IoCreateSymbolicLink(&same_link, &device_name), STATUS_OBJECT_NAME_COLLISION);
    assert_int_equal(ntmm_driver_unload(driver), 0);
    assert_int_equal(IoDeleteSymbolicLink(&link_name), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(IoCreateSymbolicLink(&same_link, &device_name), STATUS_SUCCESS);
    assert_int_equal(ntmm_shutdown(NULL), 1); /* the link */
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
    assert_int_equal(IoDeleteSymbolicLink(&same_link), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void what_is_left_behind(void **state)
{
    (void)state;
    PDEVICE_OBJECT device;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry), filter = ntmm_driver_load(filter_entry);
    assert_int_equal(IoCreateDevice(driver, 7, NULL, FILE_DEVICE_UNKNOWN, 0, TRUE, &device), STATUS_SUCCESS);
    assert_true(driver->DeviceObject == device && (device->Flags & DO_EXCLUSIVE) != 0);
    PDEVICE_OBJECT other;
    assert_int_equal(IoCreateDevice(filter, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &other), STATUS_SUCCESS);
    assert_null(other->DeviceExtension);
    assert_null(IoAttachDeviceToDeviceStack(other, device)); /* which is still initialising */
    IoDeleteDevice(other);
    filter->DriverUnload = NULL;
    assert_int_equal(ntmm_driver_unload(filter), -ENOTSUP);
    IoDeleteDevice(device);
    device = driver->DeviceObject;
    assert_int_equal(IoCreateDevice(filter, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &other), STATUS_SUCCESS);
    filter->DriverUnload = unload;
    assert_int_equal(ntmm_driver_unload(driver), 0);
    ntmm_report report;
    assert_int_equal(ntmm_shutdown(&report), 2); /* the filter and its device */
    assert_int_equal(ntmm_cmocka_boot_(__func__), 0);
}

static void a_device_that_is_attached_is_not_deleted(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry), filter = ntmm_driver_load(filter_entry);
    add_device(filter, driver->DeviceObject);
    assert_bugcheck_all(DEVICE_REFERENCE_COUNT_NOT_ZERO, (ULONG_PTR)filter->DeviceObject, 0, 0, 0, IoDeleteDevice(filter->DeviceObject));
}
static void made_at_dispatch_level(void **state)
{
    (void)state;
    KIRQL          before;
    PDEVICE_OBJECT device;
    DRIVER_OBJECT  driver = { .Type = IO_TYPE_DRIVER };
    KeRaiseIrql(DISPATCH_LEVEL, &before);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, IoCreateDevice(&driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device));
}

static void on_a_device_of_the_bus(void **state)
{
    (void)state;
    ntmm_device   *device = ntmm_device_create(NULL);
    PDEVICE_OBJECT pdo = ntmm_device_object(device);
    PDRIVER_OBJECT filter = ntmm_driver_load(filter_entry);
    assert_int_equal(filter->DriverExtension->AddDevice(filter, pdo), STATUS_SUCCESS);
    assert_ptr_equal(IoGetAttachedDevice(pdo), filter->DeviceObject);
    assert_int_equal(ntmm_request_control(pdo, IOCTL_ADD, NULL, 0, NULL, 0, NULL), STATUS_INVALID_DEVICE_REQUEST); /* the bus refuses */
    assert_int_equal(ntmm_driver_unload(filter), 0);
    assert_ptr_equal(IoGetAttachedDevice(pdo), pdo);
    ntmm_device_destroy(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(requests_through_a_stack),
        ntmm_cmocka_test(loading_when_memory_is_short),
        ntmm_cmocka_test(names_are_taken_once),
        ntmm_cmocka_test(what_is_left_behind),
        ntmm_cmocka_test(a_device_that_is_attached_is_not_deleted),
        ntmm_cmocka_test(made_at_dispatch_level),
        ntmm_cmocka_test(on_a_device_of_the_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
