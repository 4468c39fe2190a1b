/*
 * sender.c - a driver of a bus-mastering device that sends what is written to it. Its registers: the address of a piece, low and high half, and
 * its length; the device fetches the piece before the write to the last one returns.
 */
#include <wdm.h>

#define SENDER_REGISTERS 0xFEB00000ull /* where the bus has put them; a real driver reads it from its resources */
#define SENDER_MOST (256 * 1024)

DRIVER_INITIALIZE          DriverEntry;
DRIVER_UNLOAD              SenderUnload;
DRIVER_ADD_DEVICE          SenderAddDevice;
DRIVER_DISPATCH            SenderWrite, SenderPnp;
static DRIVER_LIST_CONTROL SenderProgram;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, SenderUnload, SenderAddDevice, SenderPnp)
#endif

typedef struct SENDER {
    PDEVICE_OBJECT  Lower, Physical;
    PDMA_ADAPTER    Adapter;
    volatile ULONG *Registers;
} SENDER, *PSENDER;

static NTSTATUS SenderComplete(PIRP Irp, NTSTATUS Status, ULONG_PTR Information)
{
    Irp->IoStatus.Status = Status;
    Irp->IoStatus.Information = Information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

/* At DISPATCH_LEVEL, as soon as there are map registers for all of the buffer. */
static VOID SenderProgram(PDEVICE_OBJECT DeviceObject, PIRP CurrentIrp, PSCATTER_GATHER_LIST List, PVOID Context)
{
    PSENDER sender = DeviceObject->DeviceExtension;
    PIRP    irp = Context;

    UNREFERENCED_PARAMETER(CurrentIrp); /* of drivers with a StartIo routine */
    for (ULONG i = 0; i < List->NumberOfElements; i++) {
        WRITE_REGISTER_ULONG(&sender->Registers[0], List->Elements[i].Address.LowPart);
        WRITE_REGISTER_ULONG(&sender->Registers[1], (ULONG)List->Elements[i].Address.HighPart);
        WRITE_REGISTER_ULONG(&sender->Registers[2], List->Elements[i].Length);
    }
    sender->Adapter->DmaOperations->PutScatterGatherList(sender->Adapter, List, TRUE);
    SenderComplete(irp, STATUS_SUCCESS, MmGetMdlByteCount(irp->MdlAddress));
}

NTSTATUS SenderWrite(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PSENDER  sender = DeviceObject->DeviceExtension;
    PMDL     mdl = Irp->MdlAddress;
    NTSTATUS status;
    KIRQL    irql;

    if (mdl == NULL || MmGetMdlByteCount(mdl) > SENDER_MOST)
        return SenderComplete(Irp, STATUS_INVALID_PARAMETER, 0);
    IoMarkIrpPending(Irp);
    KeFlushIoBuffers(mdl, FALSE, TRUE);
    KeRaiseIrql(DISPATCH_LEVEL, &irql);
    status = sender->Adapter->DmaOperations->GetScatterGatherList(sender->Adapter, DeviceObject, mdl, MmGetMdlVirtualAddress(mdl),
                                                                  MmGetMdlByteCount(mdl), SenderProgram, Irp, TRUE);
    KeLowerIrql(irql);
    if (!NT_SUCCESS(status))
        SenderComplete(Irp, status, 0);
    return STATUS_PENDING;
}

static NTSTATUS SenderStart(PSENDER Sender)
{
    DEVICE_DESCRIPTION description = { 0 };
    PHYSICAL_ADDRESS   registers;
    ULONG              map_registers;

    description.Version = DEVICE_DESCRIPTION_VERSION;
    description.Master = TRUE;
    description.ScatterGather = TRUE;
    description.Dma32BitAddresses = TRUE;
    description.InterfaceType = PCIBus;
    description.MaximumLength = SENDER_MOST;
    Sender->Adapter = IoGetDmaAdapter(Sender->Physical, &description, &map_registers);
    if (Sender->Adapter == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    registers.QuadPart = SENDER_REGISTERS;
    Sender->Registers = MmMapIoSpaceEx(registers, PAGE_SIZE, PAGE_READWRITE | PAGE_NOCACHE);
    return Sender->Registers != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static VOID SenderStop(PSENDER Sender)
{
    if (Sender->Registers != NULL)
        MmUnmapIoSpace((PVOID)Sender->Registers, PAGE_SIZE);
    if (Sender->Adapter != NULL)
        Sender->Adapter->DmaOperations->PutDmaAdapter(Sender->Adapter);
    Sender->Registers = NULL;
    Sender->Adapter = NULL;
}

/* The bus below has no part in either request here, so they end in this driver. */
NTSTATUS SenderPnp(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PSENDER  sender = DeviceObject->DeviceExtension;
    NTSTATUS status = STATUS_NOT_SUPPORTED;

    PAGED_CODE();
    switch (IoGetCurrentIrpStackLocation(Irp)->MinorFunction) {
    case IRP_MN_START_DEVICE: status = SenderStart(sender); break;
    case IRP_MN_REMOVE_DEVICE:
        SenderStop(sender);
        SenderComplete(Irp, STATUS_SUCCESS, 0);
        IoDetachDevice(sender->Lower);
        IoDeleteDevice(DeviceObject);
        return STATUS_SUCCESS;
    }
    return SenderComplete(Irp, status, 0);
}

NTSTATUS SenderAddDevice(PDRIVER_OBJECT DriverObject, PDEVICE_OBJECT PhysicalDeviceObject)
{
    PDEVICE_OBJECT device;
    PSENDER        sender;
    NTSTATUS       status;

    PAGED_CODE();
    status = IoCreateDevice(DriverObject, sizeof(SENDER), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);
    if (!NT_SUCCESS(status))
        return status;
    sender = device->DeviceExtension;
    sender->Physical = PhysicalDeviceObject;
    sender->Lower = IoAttachDeviceToDeviceStack(device, PhysicalDeviceObject);
    if (sender->Lower == NULL) {
        IoDeleteDevice(device);
        return STATUS_DEVICE_REMOVED;
    }
    device->Flags |= DO_DIRECT_IO;
    device->Flags &= ~DO_DEVICE_INITIALIZING;
    return STATUS_SUCCESS;
}

VOID SenderUnload(PDRIVER_OBJECT DriverObject)
{
    PAGED_CODE();
    UNREFERENCED_PARAMETER(DriverObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);
    DriverObject->DriverExtension->AddDevice = SenderAddDevice;
    DriverObject->DriverUnload = SenderUnload;
    DriverObject->MajorFunction[IRP_MJ_WRITE] = SenderWrite;
    DriverObject->MajorFunction[IRP_MJ_PNP] = SenderPnp;
    return STATUS_SUCCESS;
}
