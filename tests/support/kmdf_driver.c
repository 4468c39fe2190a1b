/*
 * kmdf_driver.c - the driver of kmdf_driver.h. Nothing here knows of ntmm: it would build with the WDK as it is.
 */
#include "kmdf_driver.h"

#define TAG_ECHO 'ohcE'
#define TRANSFER_MOST (4 * PAGE_SIZE)

static EVT_WDF_DRIVER_DEVICE_ADD          EvtDeviceAdd;
static EVT_WDF_DEVICE_PREPARE_HARDWARE    EvtPrepareHardware;
static EVT_WDF_DEVICE_RELEASE_HARDWARE    EvtReleaseHardware;
static EVT_WDF_DEVICE_D0_ENTRY            EvtD0Entry;
static EVT_WDF_IO_QUEUE_IO_READ           EvtIoRead;
static EVT_WDF_IO_QUEUE_IO_WRITE          EvtIoWrite;
static EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL EvtIoDeviceControl;
static EVT_WDF_INTERRUPT_ISR              EvtInterruptIsr;
static EVT_WDF_INTERRUPT_DPC              EvtInterruptDpc;
static EVT_WDF_PROGRAM_DMA                EvtProgramDma;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, EvtDeviceAdd)
#pragma alloc_text(PAGE, EvtPrepareHardware)
#pragma alloc_text(PAGE, EvtReleaseHardware)
#endif

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    WDF_DRIVER_CONFIG config;

    WDF_DRIVER_CONFIG_INIT(&config, EvtDeviceAdd);
    config.DriverPoolTag = TAG_ECHO;
    return WdfDriverCreate(DriverObject, RegistryPath, WDF_NO_OBJECT_ATTRIBUTES, &config, WDF_NO_HANDLE);
}

/* ---- the device and what it has ---- */

static NTSTATUS CreateQueues(PDEVICE_CONTEXT Context)
{
    WDF_IO_QUEUE_CONFIG config;
    WDFQUEUE            reads;
    NTSTATUS            status;

    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoWrite = EvtIoWrite;
    config.EvtIoDeviceControl = EvtIoDeviceControl;
    status = WdfIoQueueCreate(Context->Device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE);
    if (!NT_SUCCESS(status))
        return status;

    /* There is one transaction, so reads come one after another. */
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchSequential);
    config.EvtIoRead = EvtIoRead;
    status = WdfIoQueueCreate(Context->Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &reads);
    if (!NT_SUCCESS(status))
        return status;
    return WdfDeviceConfigureRequestDispatching(Context->Device, reads, WdfRequestTypeRead);
}

static NTSTATUS CreateEcho(PDEVICE_CONTEXT Context)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    NTSTATUS              status;

    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = Context->Device;
    status = WdfSpinLockCreate(&attributes, &Context->Lock);
    if (!NT_SUCCESS(status))
        return status;
    return WdfLookasideListCreate(&attributes, WRITE_MOST, NonPagedPoolNx, &attributes, TAG_ECHO, &Context->Lookaside);
}

static NTSTATUS CreateDma(PDEVICE_CONTEXT Context)
{
    WDF_DMA_ENABLER_CONFIG config;
    NTSTATUS               status;

    WdfDeviceSetAlignmentRequirement(Context->Device, FILE_QUAD_ALIGNMENT);
    WDF_DMA_ENABLER_CONFIG_INIT(&config, WdfDmaProfileScatterGather64, TRANSFER_MOST);
    status = WdfDmaEnablerCreate(Context->Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Context->Enabler);
    if (!NT_SUCCESS(status))
        return status;
    WdfDmaEnablerSetMaximumScatterGatherElements(Context->Enabler, RING_ENTRIES);
    status = WdfCommonBufferCreate(Context->Enabler, RING_ENTRIES * sizeof(RING_ENTRY), WDF_NO_OBJECT_ATTRIBUTES, &Context->Ring);
    if (!NT_SUCCESS(status))
        return status;
    return WdfDmaTransactionCreate(Context->Enabler, WDF_NO_OBJECT_ATTRIBUTES, &Context->Transaction);
}

static NTSTATUS CreateInterrupt(PDEVICE_CONTEXT Context)
{
    WDF_INTERRUPT_CONFIG config;

    WDF_INTERRUPT_CONFIG_INIT(&config, EvtInterruptIsr, EvtInterruptDpc);
    return WdfInterruptCreate(Context->Device, &config, WDF_NO_OBJECT_ATTRIBUTES, &Context->Interrupt);
}

static NTSTATUS EvtDeviceAdd(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit)
{
    WDF_PNPPOWER_EVENT_CALLBACKS callbacks;
    WDF_OBJECT_ATTRIBUTES        attributes;
    PDEVICE_CONTEXT              context;
    WDFDEVICE                    device;
    NTSTATUS                     status;

    UNREFERENCED_PARAMETER(Driver);
    PAGED_CODE();

    WDF_PNPPOWER_EVENT_CALLBACKS_INIT(&callbacks);
    callbacks.EvtDevicePrepareHardware = EvtPrepareHardware;
    callbacks.EvtDeviceReleaseHardware = EvtReleaseHardware;
    callbacks.EvtDeviceD0Entry = EvtD0Entry;
    WdfDeviceInitSetPnpPowerEventCallbacks(DeviceInit, &callbacks);
    WdfDeviceInitSetIoType(DeviceInit, WdfDeviceIoDirect);

    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, DEVICE_CONTEXT);
    status = WdfDeviceCreate(&DeviceInit, &attributes, &device);
    if (!NT_SUCCESS(status))
        return status;
    context = DeviceGetContext(device);
    context->Device = device;

    status = CreateEcho(context);
    if (NT_SUCCESS(status))
        status = CreateDma(context);
    if (NT_SUCCESS(status))
        status = CreateInterrupt(context);
    if (NT_SUCCESS(status))
        status = CreateQueues(context);
    return status;
}

static NTSTATUS EvtPrepareHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated)
{
    PDEVICE_CONTEXT                 context = DeviceGetContext(Device);
    PCM_PARTIAL_RESOURCE_DESCRIPTOR descriptor;
    ULONG                           i;

    UNREFERENCED_PARAMETER(ResourcesRaw);
    PAGED_CODE();

    for (i = 0; i < WdfCmResourceListGetCount(ResourcesTranslated); i++) {
        descriptor = WdfCmResourceListGetDescriptor(ResourcesTranslated, i);
        if (descriptor->Type != CmResourceTypeMemory || descriptor->u.Memory.Length < REGISTER_BYTES)
            continue;
        context->Registers = MmMapIoSpaceEx(descriptor->u.Memory.Start, REGISTER_BYTES, PAGE_READWRITE | PAGE_NOCACHE);
        return context->Registers != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_DEVICE_CONFIGURATION_ERROR;
}

static NTSTATUS EvtReleaseHardware(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated)
{
    PDEVICE_CONTEXT context = DeviceGetContext(Device);

    UNREFERENCED_PARAMETER(ResourcesTranslated);
    PAGED_CODE();

    if (context->Registers != NULL)
        MmUnmapIoSpace(context->Registers, REGISTER_BYTES);
    context->Registers = NULL;
    return STATUS_SUCCESS;
}

static VOID WriteRegister(PDEVICE_CONTEXT Context, ULONG Register, ULONG Value)
{
    WRITE_REGISTER_ULONG((PULONG)(Context->Registers + Register), Value);
}

static ULONG ReadRegister(PDEVICE_CONTEXT Context, ULONG Register) { return READ_REGISTER_ULONG((PULONG)(Context->Registers + Register)); }

static NTSTATUS EvtD0Entry(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState)
{
    PDEVICE_CONTEXT  context = DeviceGetContext(Device);
    PHYSICAL_ADDRESS ring = WdfCommonBufferGetAlignedLogicalAddress(context->Ring);

    UNREFERENCED_PARAMETER(PreviousState);
    WriteRegister(context, REG_RING_LOW, ring.LowPart);
    WriteRegister(context, REG_RING_HIGH, (ULONG)ring.HighPart);
    return STATUS_SUCCESS;
}

/* ---- echo ---- */

static VOID EvtIoWrite(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    PDEVICE_CONTEXT context = DeviceGetContext(WdfIoQueueGetDevice(Queue));
    WDFMEMORY       memory, before = NULL;
    PVOID           buffer;
    NTSTATUS        status;

    if (Length > WRITE_MOST) {
        WdfRequestComplete(Request, STATUS_INVALID_BUFFER_SIZE);
        return;
    }
    status = WdfRequestRetrieveInputBuffer(Request, 1, &buffer, NULL);
    if (NT_SUCCESS(status))
        status = WdfMemoryCreateFromLookaside(context->Lookaside, &memory);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    status = WdfMemoryCopyFromBuffer(memory, 0, buffer, Length);
    if (NT_SUCCESS(status)) {
        WdfSpinLockAcquire(context->Lock);
        before = context->Last;
        context->Last = memory;
        context->LastBytes = Length;
        context->Counts.Writes++;
        WdfSpinLockRelease(context->Lock);
    } else {
        before = memory;
    }
    if (before != NULL)
        WdfObjectDelete(before);
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? Length : 0);
}

static NTSTATUS CopyLast(PDEVICE_CONTEXT Context, PVOID Buffer, size_t Length, size_t *Copied)
{
    NTSTATUS status = STATUS_NO_DATA_DETECTED;

    WdfSpinLockAcquire(Context->Lock);
    if (Context->Last != NULL && Length < Context->LastBytes) {
        status = STATUS_BUFFER_TOO_SMALL;
    } else if (Context->Last != NULL) {
        *Copied = Context->LastBytes;
        status = WdfMemoryCopyToBuffer(Context->Last, 0, Buffer, *Copied);
    }
    WdfSpinLockRelease(Context->Lock);
    return status;
}

static VOID EvtIoDeviceControl(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength, size_t InputBufferLength, ULONG IoControlCode)
{
    PDEVICE_CONTEXT context = DeviceGetContext(WdfIoQueueGetDevice(Queue));
    size_t          length, copied = 0;
    PVOID           buffer;
    NTSTATUS        status;

    UNREFERENCED_PARAMETER(OutputBufferLength);
    UNREFERENCED_PARAMETER(InputBufferLength);
    switch (IoControlCode) {
    case IOCTL_LAST:
        status = WdfRequestRetrieveOutputBuffer(Request, 1, &buffer, &length);
        if (NT_SUCCESS(status))
            status = CopyLast(context, buffer, length, &copied);
        break;
    case IOCTL_COUNT:
        status = WdfRequestRetrieveOutputBuffer(Request, sizeof(COUNTS), &buffer, NULL);
        if (NT_SUCCESS(status)) {
            WdfSpinLockAcquire(context->Lock);
            *(PCOUNTS)buffer = context->Counts;
            WdfSpinLockRelease(context->Lock);
            copied = sizeof(COUNTS);
        }
        break;
    default: status = STATUS_INVALID_DEVICE_REQUEST; break;
    }
    WdfRequestCompleteWithInformation(Request, status, NT_SUCCESS(status) ? copied : 0);
}

/* ---- DMA ---- */

static VOID CompleteRead(PDEVICE_CONTEXT Context, NTSTATUS Status)
{
    WDFREQUEST request = WdfDmaTransactionGetRequest(Context->Transaction);
    size_t     bytes = WdfDmaTransactionGetBytesTransferred(Context->Transaction);

    WdfDmaTransactionRelease(Context->Transaction);
    WdfRequestCompleteWithInformation(request, Status, NT_SUCCESS(Status) ? bytes : 0);
}

static VOID EvtIoRead(WDFQUEUE Queue, WDFREQUEST Request, size_t Length)
{
    PDEVICE_CONTEXT context = DeviceGetContext(WdfIoQueueGetDevice(Queue));
    NTSTATUS        status;

    UNREFERENCED_PARAMETER(Length);
    status = WdfDmaTransactionInitializeUsingRequest(context->Transaction, Request, EvtProgramDma, WdfDmaDirectionReadFromDevice);
    if (!NT_SUCCESS(status)) {
        WdfRequestComplete(Request, status);
        return;
    }
    status = WdfDmaTransactionExecute(context->Transaction, context);
    if (!NT_SUCCESS(status))
        CompleteRead(context, status);
}

static BOOLEAN EvtProgramDma(WDFDMATRANSACTION Transaction, WDFDEVICE Device, WDFCONTEXT Context, WDF_DMA_DIRECTION Direction,
                             PSCATTER_GATHER_LIST SgList)
{
    PDEVICE_CONTEXT context = Context;
    PRING_ENTRY     ring = WdfCommonBufferGetAlignedVirtualAddress(context->Ring);
    ULONG           i;

    UNREFERENCED_PARAMETER(Transaction);
    UNREFERENCED_PARAMETER(Device);
    UNREFERENCED_PARAMETER(Direction);
    for (i = 0; i < SgList->NumberOfElements; i++) {
        ring[i].Address = (ULONG64)SgList->Elements[i].Address.QuadPart;
        ring[i].Length = SgList->Elements[i].Length;
    }
    WriteRegister(context, REG_DOORBELL, SgList->NumberOfElements);
    return TRUE;
}

static BOOLEAN EvtInterruptIsr(WDFINTERRUPT Interrupt, ULONG MessageID)
{
    PDEVICE_CONTEXT context = DeviceGetContext(WdfInterruptGetDevice(Interrupt));
    ULONG           pending = ReadRegister(context, REG_STATUS);

    UNREFERENCED_PARAMETER(MessageID);
    if (pending == 0)
        return FALSE;
    context->Pending |= pending;
    WdfInterruptQueueDpcForIsr(Interrupt);
    return TRUE;
}

static VOID EvtInterruptDpc(WDFINTERRUPT Interrupt, WDFOBJECT AssociatedObject)
{
    PDEVICE_CONTEXT context = DeviceGetContext(AssociatedObject);
    ULONG           pending, moved;
    NTSTATUS        status;
    BOOLEAN         over;

    WdfInterruptAcquireLock(Interrupt);
    pending = context->Pending;
    context->Pending = 0;
    WdfInterruptReleaseLock(Interrupt);
    if (pending == 0)
        return;

    moved = ReadRegister(context, REG_MOVED);
    WdfSpinLockAcquire(context->Lock);
    context->Counts.Interrupts++;
    context->Counts.Transfers++;
    WdfSpinLockRelease(context->Lock);
    if (pending & DEVICE_ERROR)
        over = WdfDmaTransactionDmaCompletedFinal(context->Transaction, moved, &status);
    else
        over = WdfDmaTransactionDmaCompletedWithLength(context->Transaction, moved, &status);
    if (!over)
        return;
    if (NT_SUCCESS(status) && (pending & DEVICE_ERROR))
        status = STATUS_DEVICE_DATA_ERROR;
    WdfSpinLockAcquire(context->Lock);
    context->Counts.Reads++;
    WdfSpinLockRelease(context->Lock);
    CompleteRead(context, status);
}
