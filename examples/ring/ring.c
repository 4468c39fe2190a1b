#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD     RingUnload;
DRIVER_DISPATCH   RingWrite;

typedef struct RING { /* the device's extension: words that were written to it */
    KSPIN_LOCK Lock;
    ULONG      Slots, Used;
    PULONG     Data;
} RING, *PRING;

static NTSTATUS RingGrow(PRING ring)
{
    PULONG bigger = ExAllocatePool2(POOL_FLAG_PAGED, 2 * ring->Slots * sizeof(ULONG), 'gniR');
    if (bigger == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(bigger, ring->Data, ring->Used * sizeof(ULONG));
    ExFreePoolWithTag(ring->Data, 'gniR');
    ring->Data = bigger;
    ring->Slots *= 2;
    return STATUS_SUCCESS;
}

NTSTATUS RingWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PRING    ring = DeviceObject->DeviceExtension;
    NTSTATUS status = STATUS_SUCCESS;
    KIRQL    irql;

    KeAcquireSpinLock(&ring->Lock, &irql);
    if (ring->Used == ring->Slots)
        status = RingGrow(ring);
    if (NT_SUCCESS(status))
        ring->Data[ring->Used++] = *(PULONG)Irp->AssociatedIrp.SystemBuffer;
    KeReleaseSpinLock(&ring->Lock, irql);
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = NT_SUCCESS(status) ? sizeof(ULONG) : 0;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

VOID RingUnload(PDRIVER_OBJECT DriverObject)
{
    PRING ring = DriverObject->DeviceObject->DeviceExtension;
    ExFreePoolWithTag(ring->Data, 'gniR');
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT device;
    PRING          ring;
    NTSTATUS       status = IoCreateDevice(DriverObject, sizeof(RING), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(status))
        return status;
    ring = device->DeviceExtension;
    ring->Slots = 4;
    ring->Data = ExAllocatePool2(POOL_FLAG_NON_PAGED, ring->Slots * sizeof(ULONG), 'gniR');
    if (ring->Data == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    KeInitializeSpinLock(&ring->Lock);
    device->Flags |= DO_BUFFERED_IO;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = RingWrite;
    DriverObject->DriverUnload = RingUnload;
    return STATUS_SUCCESS;
}
