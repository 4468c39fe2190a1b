/*
 * test_io_zw_file.c - ZwCreateFile and its like: a device by handle, and files of a folder of the host.
 */
#include <ntmm/cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a device ---- */

static int            creates, cleanups, closes, flushes;
static UCHAR          memory[16];
static UNICODE_STRING device_name = RTL_CONSTANT_STRING(L"\\Device\\Memory");

static NTSTATUS complete(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static NTSTATUS dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    ULONG              at = location->Parameters.Read.ByteOffset.LowPart, bytes = location->Parameters.Read.Length;
    (void)device;
    assert_non_null(location->FileObject);
    creates += location->MajorFunction == IRP_MJ_CREATE;
    cleanups += location->MajorFunction == IRP_MJ_CLEANUP;
    closes += location->MajorFunction == IRP_MJ_CLOSE;
    flushes += location->MajorFunction == IRP_MJ_FLUSH_BUFFERS;
    switch (location->MajorFunction) {
    case IRP_MJ_CREATE: return complete(irp, STATUS_SUCCESS, FILE_OPENED);
    case IRP_MJ_READ:
        if (at >= sizeof memory)
            return complete(irp, STATUS_END_OF_FILE, 0);
        memcpy(irp->AssociatedIrp.SystemBuffer, memory + at, bytes);
        return complete(irp, STATUS_SUCCESS, bytes);
    case IRP_MJ_WRITE: memcpy(memory + at, irp->AssociatedIrp.SystemBuffer, bytes); return complete(irp, STATUS_SUCCESS, bytes);
    case IRP_MJ_DEVICE_CONTROL: *(ULONG *)irp->AssociatedIrp.SystemBuffer += 1; return complete(irp, STATUS_SUCCESS, 4);
    case IRP_MJ_QUERY_INFORMATION: memset(irp->AssociatedIrp.SystemBuffer, 0x11, 8); return complete(irp, STATUS_SUCCESS, 8);
    default: return complete(irp, STATUS_SUCCESS, 0);
    }
}
static VOID     unload(PDRIVER_OBJECT driver) { IoDeleteDevice(driver->DeviceObject); }
static NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    PDEVICE_OBJECT device;
    (void)path;
    NTSTATUS status = IoCreateDevice(driver, 0, &device_name, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    device->Flags |= DO_BUFFERED_IO;
    for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        driver->MajorFunction[i] = dispatch;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}

static NTSTATUS open_named(PUNICODE_STRING name, ACCESS_MASK access, ULONG disposition, ULONG options, HANDLE *handle,
                           IO_STATUS_BLOCK *block)
{
    OBJECT_ATTRIBUTES attributes;
    InitializeObjectAttributes(&attributes, name, OBJ_KERNEL_HANDLE, NULL, NULL);
    return ZwCreateFile(handle, access, &attributes, block, NULL, FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ, disposition, options, NULL, 0);
}

static void a_device(void **state)
{
    IO_STATUS_BLOCK block;
    HANDLE          handle, twin;
    LARGE_INTEGER   at = { .QuadPart = 4 };
    UCHAR           bytes[8] = { 1, 2, 3, 4 }, back[8];
    ULONG           number = 41;
    PVOID           object;
    (void)state;
    creates = cleanups = closes = flushes = 0;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    assert_int_equal(open_named(&device_name, GENERIC_READ | GENERIC_WRITE, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle, &block),
                     STATUS_SUCCESS);
    assert_true(creates == 1 && block.Information == FILE_OPENED);
    assert_int_equal(ZwWriteFile(handle, NULL, NULL, NULL, &block, bytes, 4, &at, NULL), STATUS_SUCCESS);
    assert_int_equal(block.Information, 4);
    at.QuadPart = 2;
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 4, &at, NULL), STATUS_SUCCESS);
    assert_true(back[2] == 1 && back[3] == 2);
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 2, NULL, NULL), STATUS_SUCCESS); /* goes on at 6 */
    assert_true(back[0] == 3 && back[1] == 4);
    at.QuadPart = 100;
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 2, &at, NULL), STATUS_END_OF_FILE);
    assert_int_equal(ZwDeviceIoControlFile(handle, NULL, NULL, NULL, &block, CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, 0),
                                           &number, 4, &number, 4),
                     STATUS_SUCCESS);
    assert_int_equal(number, 42);
    assert_int_equal(ZwFlushBuffersFile(handle, &block), STATUS_SUCCESS);
    assert_int_equal(flushes, 1);
    assert_int_equal(ZwQueryInformationFile(handle, &block, back, 8, FileStandardInformation), STATUS_SUCCESS);
    assert_true(back[7] == 0x11 && block.Information == 8);
    assert_int_equal(ObReferenceObjectByHandle(handle, 0, *IoFileObjectType, KernelMode, &object, NULL), STATUS_SUCCESS);
    assert_int_equal(ObOpenObjectByPointer(object, OBJ_KERNEL_HANDLE, NULL, 0, NULL, KernelMode, &twin), STATUS_SUCCESS);
    ZwClose(handle);
    assert_int_equal(cleanups, 0);
    ZwClose(twin);
    assert_true(cleanups == 1 && closes == 0);
    ObDereferenceObject(object);
    assert_int_equal(closes, 1);
    assert_int_equal(ZwReadFile((HANDLE)(ULONG_PTR)0x64, NULL, NULL, NULL, &block, back, 2, NULL, NULL), STATUS_INVALID_HANDLE);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}

static void every_failed_allocation(void *context)
{
    IO_STATUS_BLOCK block;
    HANDLE          handle;
    LARGE_INTEGER   at = { .QuadPart = 0 };
    UCHAR           back[8];
    (void)context;
    PDRIVER_OBJECT driver = ntmm_driver_load(DriverEntry);
    if (driver == NULL)
        return;
    if (NT_SUCCESS(open_named(&device_name, GENERIC_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle, &block))) {
        (void)ZwReadFile(handle, NULL, NULL, NULL, &block, back, 4, &at, NULL);
        (void)ZwQueryInformationFile(handle, &block, back, 8, FileStandardInformation);
        ZwClose(handle);
    }
    assert_int_equal(creates - closes, 0);
    assert_int_equal(ntmm_driver_unload(driver), 0);
}
static void without_memory(void **state)
{
    (void)state;
    creates = closes = 0;
    (void)ntmm_for_each_failure(every_failed_allocation, NULL);
}

/* ---- files of the host ---- */

static char folder[] = "/tmp/ntmm-files-XXXXXX";
static void make_folder(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    assert_int_equal(ntmm_files_mount("\\??\\C:", folder), 0);
}

static void files_of_the_host(void **state)
{
    UNICODE_STRING            name = RTL_CONSTANT_STRING(L"\\??\\C:\\one.txt"), same = RTL_CONSTANT_STRING(L"\\DosDevices\\C:\\one.txt");
    UNICODE_STRING            outside = RTL_CONSTANT_STRING(L"\\??\\C:\\..\\one.txt"), nowhere = RTL_CONSTANT_STRING(L"\\??\\D:\\one.txt");
    FILE_STANDARD_INFORMATION standard;
    FILE_POSITION_INFORMATION position = { .CurrentByteOffset.QuadPart = 1 };
    IO_STATUS_BLOCK           block;
    HANDLE                    handle;
    char                      back[8] = { 0 };
    BOOLEAN                   yes = TRUE;
    LARGE_INTEGER             zero = { .QuadPart = 0 }, six = { .QuadPart = 6 };
    (void)state;
    make_folder();
    assert_int_equal(open_named(&name, GENERIC_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &handle, &block),
                     STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(open_named(&outside, GENERIC_READ, FILE_OPEN, 0, &handle, &block), STATUS_OBJECT_NAME_INVALID);
    assert_int_equal(open_named(&nowhere, GENERIC_READ, FILE_OPEN, 0, &handle, &block), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(open_named(&name, GENERIC_READ | GENERIC_WRITE, FILE_CREATE, FILE_SYNCHRONOUS_IO_NONALERT, &handle, &block),
                     STATUS_SUCCESS);
    assert_int_equal(block.Information, FILE_CREATED);
    assert_int_equal(ZwWriteFile(handle, NULL, NULL, NULL, &block, (PVOID) "hello", 5, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 5, NULL, NULL), STATUS_END_OF_FILE);
    assert_int_equal(ZwSetInformationFile(handle, &block, &position, sizeof position, FilePositionInformation), STATUS_SUCCESS);
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 8, NULL, NULL), STATUS_SUCCESS);
    assert_true(block.Information == 4 && memcmp(back, "ello", 4) == 0);
    assert_int_equal(ZwQueryInformationFile(handle, &block, &standard, sizeof standard, FileStandardInformation), STATUS_SUCCESS);
    assert_true(standard.EndOfFile.QuadPart == 5 && !standard.Directory);
    assert_int_equal(ZwQueryInformationFile(handle, &block, &standard, 4, FileStandardInformation), STATUS_INFO_LENGTH_MISMATCH);
    assert_int_equal(ZwQueryInformationFile(handle, &block, &standard, sizeof standard, FileEaInformation), STATUS_INVALID_INFO_CLASS);
    assert_int_equal(ZwSetInformationFile(handle, &block, &six, sizeof six, FileEndOfFileInformation), STATUS_SUCCESS);
    assert_int_equal(ZwDeviceIoControlFile(handle, NULL, NULL, NULL, &block, 0, NULL, 0, NULL, 0), STATUS_INVALID_DEVICE_REQUEST);
    ZwClose(handle);
    assert_int_equal(open_named(&name, GENERIC_READ, FILE_CREATE, 0, &handle, &block), STATUS_OBJECT_NAME_COLLISION);
    assert_int_equal(open_named(&same, GENERIC_READ, FILE_OPEN, 0, &handle, &block), STATUS_SUCCESS);
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 2, NULL, NULL), STATUS_INVALID_PARAMETER); /* nobody says where */
    assert_int_equal(ZwReadFile(handle, NULL, NULL, NULL, &block, back, 2, &zero, NULL), STATUS_SUCCESS);
    assert_int_equal(ZwWriteFile(handle, NULL, NULL, NULL, &block, back, 2, &zero, NULL), STATUS_ACCESS_DENIED);
    assert_int_equal(ZwSetInformationFile(handle, &block, &yes, sizeof yes, FileDispositionInformation), STATUS_SUCCESS);
    ZwClose(handle);
    assert_int_equal(open_named(&same, GENERIC_READ, FILE_OPEN, 0, &handle, &block), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(rmdir(folder), 0); /* nothing is left */
    assert_int_equal(ntmm_files_mount("C:", folder), -EINVAL);
}

static void wrong_irql(void **state)
{
    IO_STATUS_BLOCK block;
    KIRQL           old;
    (void)state;
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, {
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        ZwReadFile(NULL, NULL, NULL, NULL, &block, NULL, 0, NULL, NULL);
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ntmm_cmocka_test(a_device),
        ntmm_cmocka_test(without_memory),
        ntmm_cmocka_test(files_of_the_host),
        ntmm_cmocka_test(wrong_irql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
