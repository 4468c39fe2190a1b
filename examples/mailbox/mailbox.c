/*
 * mailbox.c - a driver that keeps a letter in each of eight slots, in paged pool. Compiled with MAILBOX_TRUSTS_APPLICATIONS it believes how long
 * a letter says it is: the fuzzer needs a moment to find that out.
 */
#include <ntddk.h>

#include "mailbox.h"

#define MAILBOX_TAG 'xoBM'

DRIVER_INITIALIZE DriverEntry;
DRIVER_UNLOAD     MailboxUnload;
_Dispatch_type_(IRP_MJ_DEVICE_CONTROL) DRIVER_DISPATCH MailboxControl;

#ifdef ALLOC_PRAGMA
#pragma alloc_text(INIT, DriverEntry)
#pragma alloc_text(PAGE, MailboxUnload)
#pragma alloc_text(PAGE, MailboxControl)
#endif

typedef struct MAILBOX {
    FAST_MUTEX Lock;
    PUCHAR     Text[MAILBOX_SLOTS];
    USHORT     Bytes[MAILBOX_SLOTS];
} MAILBOX, *PMAILBOX;

static NTSTATUS MailboxPost(PMAILBOX Box, PMAILBOX_LETTER Letter, ULONG Length)
{
    PUCHAR text;

    if (Length < FIELD_OFFSET(MAILBOX_LETTER, Text) || Letter->Slot >= MAILBOX_SLOTS || Letter->Bytes == 0)
        return STATUS_INVALID_PARAMETER;
#ifndef MAILBOX_TRUSTS_APPLICATIONS
    if (Letter->Bytes > Length - FIELD_OFFSET(MAILBOX_LETTER, Text))
        return STATUS_BUFFER_TOO_SMALL;
#endif
    text = ExAllocatePool2(POOL_FLAG_PAGED, Letter->Bytes, MAILBOX_TAG);
    if (text == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(text, Letter->Text, Letter->Bytes);
    ExAcquireFastMutex(&Box->Lock);
    if (Box->Text[Letter->Slot] != NULL)
        ExFreePoolWithTag(Box->Text[Letter->Slot], MAILBOX_TAG);
    Box->Text[Letter->Slot] = text;
    Box->Bytes[Letter->Slot] = Letter->Bytes;
    ExReleaseFastMutex(&Box->Lock);
    return STATUS_SUCCESS;
}

static NTSTATUS MailboxFetch(PMAILBOX Box, PUCHAR Buffer, ULONG InLength, ULONG OutLength, PULONG_PTR Information)
{
    NTSTATUS status = STATUS_SUCCESS;
    UCHAR    slot = InLength > 0 ? Buffer[0] : MAILBOX_SLOTS;

    if (slot >= MAILBOX_SLOTS)
        return STATUS_INVALID_PARAMETER;
    ExAcquireFastMutex(&Box->Lock);
    if (Box->Bytes[slot] > OutLength)
        status = STATUS_BUFFER_TOO_SMALL;
    else if (Box->Text[slot] != NULL) {
        RtlCopyMemory(Buffer, Box->Text[slot], Box->Bytes[slot]);
        *Information = Box->Bytes[slot];
    }
    ExReleaseFastMutex(&Box->Lock);
    return status;
}

NTSTATUS MailboxControl(PDEVICE_OBJECT DeviceObject, PIRP Irp)
{
    PIO_STACK_LOCATION at = IoGetCurrentIrpStackLocation(Irp);
    PVOID              buffer = Irp->AssociatedIrp.SystemBuffer;
    ULONG              in = at->Parameters.DeviceIoControl.InputBufferLength, out = at->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG_PTR          information = 0;
    NTSTATUS           status = STATUS_INVALID_DEVICE_REQUEST;

    PAGED_CODE();
    if (at->Parameters.DeviceIoControl.IoControlCode == IOCTL_MAILBOX_POST)
        status = MailboxPost(DeviceObject->DeviceExtension, buffer, in);
    else if (at->Parameters.DeviceIoControl.IoControlCode == IOCTL_MAILBOX_FETCH)
        status = MailboxFetch(DeviceObject->DeviceExtension, buffer, in, out, &information);
    Irp->IoStatus.Status = status;
    Irp->IoStatus.Information = information;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return status;
}

VOID MailboxUnload(PDRIVER_OBJECT DriverObject)
{
    PMAILBOX box = DriverObject->DeviceObject->DeviceExtension;

    PAGED_CODE();
    for (ULONG i = 0; i < MAILBOX_SLOTS; i++)
        if (box->Text[i] != NULL)
            ExFreePoolWithTag(box->Text[i], MAILBOX_TAG);
    IoDeleteDevice(DriverObject->DeviceObject);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    PDEVICE_OBJECT device;
    NTSTATUS       status = IoCreateDevice(DriverObject, sizeof(MAILBOX), NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &device);

    UNREFERENCED_PARAMETER(RegistryPath);
    if (!NT_SUCCESS(status))
        return status;
    ExInitializeFastMutex(&((PMAILBOX)device->DeviceExtension)->Lock);
    DriverObject->MajorFunction[IRP_MJ_DEVICE_CONTROL] = MailboxControl;
    DriverObject->DriverUnload = MailboxUnload;
    return STATUS_SUCCESS;
}
