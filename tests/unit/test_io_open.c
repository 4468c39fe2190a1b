/*
 * test_io_open.c - devices opened by name: create, cleanup, close, links, names behind names; IRPs that are sent and waited for.
 */
#include <ntmm/cmocka.h>

#include <string.h>

/* ---- the driver: counts what it gets ---- */

static struct {
    int      creates, cleanups, closes, controls;
    NTSTATUS create_status;
    WCHAR    file_name[32];
    ULONG    desired_access;
    KIRQL    close_irql;
} seen;

static UNICODE_STRING device_name = RTL_CONSTANT_STRING(L"\\Device\\Opened");
static UNICODE_STRING link_name = RTL_CONSTANT_STRING(L"\\DosDevices\\Opened");
static UNICODE_STRING link_to_link = RTL_CONSTANT_STRING(L"\\??\\Again");

static NTSTATUS complete(PIRP irp, NTSTATUS status)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static NTSTATUS create(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    (void)device;
    seen.creates++;
    memcpy(seen.file_name, location->FileObject->FileName.Buffer, location->FileObject->FileName.Length);
    seen.desired_access = location->Parameters.Create.SecurityContext->DesiredAccess;
    return complete(irp, seen.create_status);
}
static NTSTATUS cleanup(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    seen.cleanups++;
    return complete(irp, STATUS_SUCCESS);
}
static NTSTATUS close_it(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    seen.closes++;
    seen.close_irql = KeGetCurrentIrql();
    return complete(irp, STATUS_SUCCESS);
}
static KDEFERRED_ROUTINE complete_later;
static VOID              complete_later(PKDPC dpc, PVOID irp, PVOID one, PVOID two)
{
    (void)dpc;
    (void)one;
    (void)two;
    complete(irp, STATUS_SUCCESS);
}
static KDPC     dpc;
static NTSTATUS control(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    seen.controls++;
    IoMarkIrpPending(irp);
    KeInitializeDpc(&dpc, complete_later, irp);
    KeInsertQueueDpc(&dpc, NULL, NULL);
    return STATUS_PENDING;
}
static VOID unload(PDRIVER_OBJECT driver)
{
    IoDeleteSymbolicLink(&link_name);
    IoDeleteSymbolicLink(&link_to_link);
    IoDeleteDevice(driver->DeviceObject);
}
static BOOLEAN  exclusive;
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    (void)path;
    NTSTATUS status = IoCreateDevice(driver, 0, &device_name, FILE_DEVICE_UNKNOWN, 0, exclusive, &device);
    if (NT_SUCCESS(status))
        status = IoCreateSymbolicLink(&link_name, &device_name);
    if (NT_SUCCESS(status))
        status = IoCreateSymbolicLink(&link_to_link, &link_name);
    if (!NT_SUCCESS(status)) {
        IoDeleteSymbolicLink(&link_name);
        if (driver->DeviceObject != NULL)
            IoDeleteDevice(device);
        return status;
    }
    driver->MajorFunction[IRP_MJ_CREATE] = create;
    driver->MajorFunction[IRP_MJ_CLEANUP] = cleanup;
    driver->MajorFunction[IRP_MJ_CLOSE] = close_it;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = control;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
static PDRIVER_OBJECT load(void)
{
    memset(&seen, 0, sizeof seen);
    exclusive = FALSE;
    PDRIVER_OBJECT driver = ntmm_driver_load_as("Opened", DriverEntry);
    assert_non_null(driver);
    return driver;
}

/* ---- tests ---- */

static void opened_by_name(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = load();
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    assert_int_equal(IoGetDeviceObjectPointer(&device_name, FILE_READ_DATA, &file, &device), STATUS_SUCCESS);
    assert_ptr_equal(device, driver->DeviceObject);
    assert_true(seen.creates == 1 && seen.cleanups == 1 && seen.closes == 0);
    assert_true((seen.desired_access & FILE_READ_DATA) != 0 && file->ReadAccess && !file->WriteAccess);
    assert_int_equal(device->ReferenceCount, 1);
    assert_ptr_equal(IoGetRelatedDeviceObject(file), device);
    ObDereferenceObject(file);
    assert_int_equal(seen.closes, 1);
    assert_int_equal(device->ReferenceCount, 0);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void by_links_with_a_name_behind(void **state)
{
    UNICODE_STRING behind = RTL_CONSTANT_STRING(L"\\??\\again\\left");
    UNICODE_STRING longer = RTL_CONSTANT_STRING(L"\\Device\\OpenedToo"), relative = RTL_CONSTANT_STRING(L"Opened");
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    (void)state;
    PDRIVER_OBJECT driver = load();
    assert_int_equal(IoGetDeviceObjectPointer(&behind, FILE_ALL_ACCESS, &file, &device), STATUS_SUCCESS);
    assert_memory_equal(seen.file_name, L"\\left", 6 * sizeof(WCHAR));
    ObDereferenceObject(file);
    assert_int_equal(IoGetDeviceObjectPointer(&longer, FILE_ALL_ACCESS, &file, &device), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_null(file);
    assert_int_equal(IoGetDeviceObjectPointer(&relative, FILE_ALL_ACCESS, &file, &device), STATUS_OBJECT_PATH_SYNTAX_BAD);
    assert_int_equal(ntmm_driver_unload(driver), 0);
    assert_int_equal(IoGetDeviceObjectPointer(&behind, FILE_ALL_ACCESS, &file, &device), STATUS_OBJECT_NAME_NOT_FOUND);
}

static void a_driver_may_refuse(void **state)
{
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    (void)state;
    PDRIVER_OBJECT driver = load();
    seen.create_status = STATUS_ACCESS_DENIED;
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_ACCESS_DENIED);
    assert_true(seen.creates == 1 && seen.cleanups == 0 && seen.closes == 0 && driver->DeviceObject->ReferenceCount == 0);
    driver->DeviceObject->Flags |= DO_DEVICE_INITIALIZING;
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_NO_SUCH_DEVICE);
    driver->DeviceObject->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    assert_int_equal(ntmm_driver_unload(driver), 0);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KIRQL old;
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device);
    });
}

static void exclusive_devices_open_once(void **state)
{
    PFILE_OBJECT   file, again;
    PDEVICE_OBJECT device;
    (void)state;
    PDRIVER_OBJECT driver = load();
    driver->DeviceObject->Flags |= DO_EXCLUSIVE;
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_SUCCESS);
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &again, &device), STATUS_ACCESS_DENIED);
    ObDereferenceObject(file);
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &again, &device), STATUS_SUCCESS);
    ObDereferenceObject(again);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void closed_at_passive_level(void **state)
{
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    KIRQL          old;
    (void)state;
    PDRIVER_OBJECT driver = load();
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_SUCCESS);
    seen.close_irql = HIGH_LEVEL;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    ObDereferenceObject(file);
    KeLowerIrql(old);
    while (__atomic_load_n(&device->ReferenceCount, __ATOMIC_ACQUIRE) != 0) { /* a worker closes it */
        LARGE_INTEGER wait = { .QuadPart = -10000 };
        KeDelayExecutionThread(KernelMode, FALSE, &wait);
    }
    assert_true(seen.closes == 1 && seen.close_irql == PASSIVE_LEVEL);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void deleted_while_open(void **state)
{
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    (void)state;
    PDRIVER_OBJECT driver = load();
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_SUCCESS);
    IoDeleteDevice(device);
    assert_null(driver->DeviceObject);
    ObDereferenceObject(file); /* the device's storage was there for IRP_MJ_CLOSE */
    assert_int_equal(seen.closes, 1);
    driver->DriverUnload = NULL;
    IoDeleteSymbolicLink(&link_name);
    IoDeleteSymbolicLink(&link_to_link);
    ObDereferenceObject(driver);
}

static void left_open_is_a_leak(void **state)
{
    static ntmm_report report;
    PFILE_OBJECT       file;
    PDEVICE_OBJECT     device;
    bool               found = false;
    (void)state;
    load();
    assert_int_equal(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device), STATUS_SUCCESS);
    assert_true(ntmm_shutdown(&report) > 0);
    for (size_t i = 0; i < report.leak_count; i++)
        found = found || report.leaks[i].tag == NTMM_TAG("File");
    assert_true(found);
    assert_int_equal(ntmm_boot(NULL), 0);
}

static void every_failed_allocation(void *context)
{
    PFILE_OBJECT   file;
    PDEVICE_OBJECT device;
    (void)context;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    if (driver == NULL)
        return;
    if (NT_SUCCESS(IoGetDeviceObjectPointer(&link_name, FILE_ALL_ACCESS, &file, &device)))
        ObDereferenceObject(file);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}
static void without_memory(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    assert_true(ntmm_for_each_failure(every_failed_allocation, NULL) > 7);
}

/* ---- forwarding ---- */

static void forwarded_and_back(void **state)
{
    (void)state;
    PDRIVER_OBJECT driver = load();
    PDEVICE_OBJECT device = driver->DeviceObject;
    PIRP           irp = IoAllocateIrp((CCHAR)(device->StackSize + 1), FALSE);
    IoSetNextIrpStackLocation(irp);
    IoGetCurrentIrpStackLocation(irp)->MajorFunction = IRP_MJ_DEVICE_CONTROL;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    for (int round = 0; round < 2; round++) { /* pending, and completed by a DPC */
        assert_true(IoForwardIrpSynchronously(device, irp));
        assert_true(irp->IoStatus.Status == STATUS_SUCCESS && seen.controls == round + 1);
    }
    IoSetNextIrpStackLocation(irp);
    assert_false(IoForwardIrpSynchronously(device, irp)); /* no location left */
    IoFreeIrp(irp);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(opened_by_name),          ntmm_cmocka_test(by_links_with_a_name_behind),
        ntmm_cmocka_test(a_driver_may_refuse),     ntmm_cmocka_test(exclusive_devices_open_once),
        ntmm_cmocka_test(closed_at_passive_level), ntmm_cmocka_test(deleted_while_open),
        ntmm_cmocka_test(left_open_is_a_leak),     ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(forwarded_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
