/*
 * irp_build.c - IRPs for a request: where the caller's buffers go.
 *
 *     reads and writes      DO_BUFFERED_IO      a system buffer; a read is copied to UserBuffer at the end
 *                           DO_DIRECT_IO        locked, in MdlAddress
 *                           neither             UserBuffer
 *     controls              METHOD_BUFFERED     one system buffer for input and output
 *                           METHOD_..._DIRECT   input in a system buffer, output locked in MdlAddress
 *                           METHOD_NEITHER      Type3InputBuffer, UserBuffer
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, the pages of the routines; "Buffer Descriptions for I/O Control Codes".
 * Fidelity    an IRP of the system is in no list of its thread's (choice): who never completes it leaks a block of pool.
 */
#include <string.h>

#include "io/irp.h"
#include "ke/bugcheck.h"
#include "mm/mdl.h"

/* ---- buffers ---- */

static bool add_system_buffer(PIRP irp, const void *input, ULONG input_length, ULONG length)
{
    PVOID buffer = ExAllocatePoolWithTag(NonPagedPoolNx, length, IO_TAG_BUFFER);
    if (buffer == NULL)
        return false;
    if (input != NULL)
        memcpy(buffer, input, input_length);
    irp->AssociatedIrp.SystemBuffer = buffer;
    irp->Flags |= IRP_BUFFERED_IO | IRP_DEALLOCATE_BUFFER;
    return true;
}

/* An MDL that is not locked goes with the IRP. */
static bool add_locked_buffer(const char *routine, PIRP irp, PVOID buffer, ULONG length, LOCK_OPERATION operation)
{
    PMDL mdl = IoAllocateMdl(buffer, length, FALSE, FALSE, irp);
    return mdl != NULL && NT_SUCCESS(mm_mdl_probe_and_lock(routine, mdl, KernelMode, operation));
}

static PIRP give_up(PIRP irp)
{
    io_irp_release_buffers(irp);
    io_irp_release(irp);
    return NULL;
}

static void make_of_system(PIRP irp, PKEVENT event, PIO_STATUS_BLOCK status)
{
    irp->AllocationFlags |= IO_IRP_OF_SYSTEM;
    irp->UserEvent = event;
    irp->UserIosb = status;
}

/* ---- reads, writes and requests without a buffer ---- */

static bool describe_transfer(const char *routine, PIRP irp, PDEVICE_OBJECT device, PVOID buffer, ULONG length)
{
    bool is_read = IoGetNextIrpStackLocation(irp)->MajorFunction == IRP_MJ_READ;
    irp->UserBuffer = buffer;
    if (length == 0)
        return true;
    if ((device->Flags & DO_BUFFERED_IO) != 0) {
        irp->Flags |= is_read ? IRP_INPUT_OPERATION : 0u;
        return add_system_buffer(irp, is_read ? NULL : buffer, length, length);
    }
    return (device->Flags & DO_DIRECT_IO) == 0 || add_locked_buffer(routine, irp, buffer, length, is_read ? IoWriteAccess : IoReadAccess);
}

static PIRP build(const char *routine, ULONG major, PDEVICE_OBJECT device, PVOID buffer, ULONG length, const LARGE_INTEGER *offset)
{
    PIRP irp = major <= IRP_MJ_MAXIMUM_FUNCTION && device->StackSize > 0 ? IoAllocateIrp(device->StackSize, FALSE) : NULL;
    if (irp == NULL)
        return NULL;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = (UCHAR)major;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    if (major != IRP_MJ_READ && major != IRP_MJ_WRITE)
        return irp;
    next->Parameters.Read.Length = length; /* Read and Write are laid out alike */
    if (offset != NULL)
        next->Parameters.Read.ByteOffset = *offset;
    return describe_transfer(routine, irp, device, buffer, length) ? irp : give_up(irp);
}

PIRP IoBuildAsynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                   PLARGE_INTEGER StartingOffset, PIO_STATUS_BLOCK IoStatusBlock)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    PIRP irp = build(__func__, MajorFunction, DeviceObject, Buffer, Length, StartingOffset);
    if (irp != NULL)
        irp->UserIosb = IoStatusBlock;
    return irp;
}

PIRP IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer, ULONG Length,
                                  PLARGE_INTEGER StartingOffset, PKEVENT Event, PIO_STATUS_BLOCK IoStatusBlock)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    PIRP irp = build(__func__, MajorFunction, DeviceObject, Buffer, Length, StartingOffset);
    if (irp != NULL)
        make_of_system(irp, Event, IoStatusBlock);
    return irp;
}

/* ---- controls ---- */

typedef struct control {
    const char *routine;
    ULONG       method;
    PVOID       input, output;
    ULONG       input_length, output_length;
} control_t;

static bool describe_buffered(PIRP irp, const control_t *control)
{
    ULONG length = control->input_length > control->output_length ? control->input_length : control->output_length;
    irp->UserBuffer = control->output;
    if (length == 0)
        return true;
    irp->Flags |= control->output != NULL ? IRP_INPUT_OPERATION : 0u;
    return add_system_buffer(irp, control->input, control->input_length, length);
}

static bool describe_direct(PIRP irp, const control_t *control)
{
    LOCK_OPERATION operation = control->method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess;
    if (control->input_length != 0 && !add_system_buffer(irp, control->input, control->input_length, control->input_length))
        return false;
    return control->output_length == 0 || add_locked_buffer(control->routine, irp, control->output, control->output_length, operation);
}

static bool describe_control(PIRP irp, const control_t *control)
{
    if (control->method == METHOD_BUFFERED)
        return describe_buffered(irp, control);
    if (control->method != METHOD_NEITHER)
        return describe_direct(irp, control);
    irp->UserBuffer = control->output;
    IoGetNextIrpStackLocation(irp)->Parameters.DeviceIoControl.Type3InputBuffer = control->input;
    return true;
}

PIRP IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer, ULONG InputBufferLength,
                                   PVOID OutputBuffer, ULONG OutputBufferLength, BOOLEAN InternalDeviceIoControl, PKEVENT Event,
                                   PIO_STATUS_BLOCK IoStatusBlock)
{
    const control_t control = { .routine = __func__,
                                .method = METHOD_FROM_CTL_CODE(IoControlCode),
                                .input = InputBuffer,
                                .output = OutputBuffer,
                                .input_length = InputBufferLength,
                                .output_length = OutputBufferLength };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    PIRP irp =
        build(__func__, InternalDeviceIoControl ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL, DeviceObject, NULL, 0, NULL);
    if (irp == NULL)
        return NULL;
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->Parameters.DeviceIoControl.IoControlCode = IoControlCode;
    next->Parameters.DeviceIoControl.InputBufferLength = InputBufferLength;
    next->Parameters.DeviceIoControl.OutputBufferLength = OutputBufferLength;
    if (!describe_control(irp, &control))
        return give_up(irp);
    make_of_system(irp, Event, IoStatusBlock);
    return irp;
}
