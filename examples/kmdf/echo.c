/*
 * echo.c - a KMDF driver: what is written to its device is kept in memory from a lookaside list, and IOCTL_ECHO_LAST gives it back.
 */
#include "echo.h"

DRIVER_INITIALIZE                  DriverEntry;
EVT_WDF_DRIVER_DEVICE_ADD          EchoDeviceAdd;
EVT_WDF_IO_QUEUE_IO_WRITE          EchoWrite;
EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EchoDeviceControl;

typedef struct _ECHO {
    WDFLOOKASIDE Lookaside;
    WDFMEMORY    Last; /* NULL: nothing was written yet */
    size_t       Length;
} ECHO, *PECHO;
WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(ECHO, EchoOf)

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EchoDeviceAdd);
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

NTSTATUS EchoDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_IO_QUEUE_CONFIG   config;
    WDFDEVICE             device;
    NTSTATUS              status;

    UNREFERENCED_PARAMETER(Driver);
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, ECHO);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status))
        return status;

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = device;
    status = WdfLookasideListCreate(&attributes, ECHO_MOST, NonPagedPoolNx, &attributes, 'ohcE', &EchoOf(device)->Lookaside);
    if (!NT_SUCCESS(status))
        return status;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchSequential);
    config.EvtIoWrite = EchoWrite;
    config.EvtIoDeviceControl = EchoDeviceControl;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
}

VOID EchoWrite(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    PECHO     echo = EchoOf(WdfIoQueueGetDevice(Queue));
    WDFMEMORY memory;
    PVOID     buffer;
    NTSTATUS  status = Length <= ECHO_MOST ? WdfRequestRetrieveInputBuffer(Request, 1, &buffer, NULL) : STATUS_INVALID_BUFFER_SIZE;

    if (NT_SUCCESS(status))
        status = WdfMemoryCreateFromLookaside(echo->Lookaside, &memory);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    RtlCopyMemory(WdfMemoryGetBuffer(memory, NULL), buffer, Length);
    if (echo->Last != NULL)
        WdfObjectDelete(echo->Last);
    echo->Last = memory;
    echo->Length = Length;
    WdfRequestCompleteWithInformation(Request, STATUS_SUCCESS, Length);
}

VOID EchoDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength, size_t InputBufferLength, ULONG IoControlCode)
{
    PECHO    echo = EchoOf(WdfIoQueueGetDevice(Queue));
    size_t   length = echo->Last != NULL ? echo->Length : 0;
    PVOID    buffer;
    NTSTATUS status = IoControlCode == IOCTL_ECHO_LAST ? STATUS_SUCCESS : STATUS_INVALID_DEVICE_REQUEST;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    if (NT_SUCCESS(status))
        status = WdfRequestRetrieveOutputBuffer(Request, length != 0 ? length : 1, &buffer, NULL);
    if (NT_SUCCESS(status) && length != 0)
        status = WdfMemoryCopyToBuffer(echo->Last, 0, buffer, length);
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? length : 0);
}
