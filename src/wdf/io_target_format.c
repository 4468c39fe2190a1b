/*
 * io_target_format.c - a request becomes a read, a write or a control for a target: where its memory goes.
 *
 *     reads, writes   DO_BUFFERED_IO      the memory itself is the system buffer
 *                     DO_DIRECT_IO        an MDL over it, locked
 *                     neither             UserBuffer
 *     controls        METHOD_BUFFERED     a block of pool, of the larger of the two lengths; output is copied when it comes back
 *                     METHOD_..._DIRECT   input is the system buffer, an MDL over output
 *                     METHOD_NEITHER      Type3InputBuffer, UserBuffer
 *
 * The request keeps references on memory objects until it is formatted anew, reused, completed or deleted.
 *
 * Locks       none: whoever has the request.
 * Source      WDK reference: wdfiotarget.h, WdfIoTargetFormatRequestFor..., "Memory Buffer Life Cycle"; the published framework.
 */
#include "wdf/io_target_format.h"

#include <string.h>

#include "io/irp.h"
#include "mm/mdl.h"
#include "wdf/memory.h"

#define TAG_FORMAT NTMM_TAG("WdfF")

/* ---- undo ---- */

static void drop_mdl(PMDL mdl)
{
    if (mm_mdl_has(mdl, MDL_PAGES_LOCKED) && !mm_mdl_has(mdl, MDL_PARTIAL))
        MmUnlockPages(mdl);
    IoFreeMdl(mdl);
}

void wdf_format_back(wdf_request_t *request)
{
    wdf_format_t *format = &request->format;
    ULONG_PTR     information = request->irp->IoStatus.Information;
    if (!format->is_set)
        return;
    format->params.IoStatus = request->irp->IoStatus;
    if (format->copy_to != NULL && !NT_ERROR(request->irp->IoStatus.Status))
        memcpy(format->copy_to, format->pool, information < format->copy_bytes ? information : format->copy_bytes);
    if (format->params.Type == WdfRequestTypeRead)
        format->params.Parameters.Read.Length = information;
    if (format->params.Type == WdfRequestTypeWrite)
        format->params.Parameters.Write.Length = information;
    if (format->params.Type == WdfRequestTypeDeviceControl || format->params.Type == WdfRequestTypeDeviceControlInternal)
        format->params.Parameters.Ioctl.Output.Length = information;
}

void wdf_format_undo(wdf_request_t *request)
{
    wdf_format_t *format = &request->format;
    if (!format->is_set)
        return;
    if (request->irp != NULL) {
        request->irp->MdlAddress = format->before_mdl;
        request->irp->AssociatedIrp.SystemBuffer = format->before_system;
        request->irp->UserBuffer = format->before_user;
    }
    if (format->mdl != NULL)
        drop_mdl(format->mdl);
    if (format->pool != NULL)
        ExFreePoolWithTag(format->pool, TAG_FORMAT);
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(format->memory); i++)
        if (format->memory[i] != NULL)
            wdf_object_dereference("WdfRequestReuse", format->memory[i]);
    *format = (wdf_format_t){ .is_set = false };
}

/* ---- pieces ---- */

NTSTATUS wdf_piece_of_memory(const char *routine, WDFMEMORY memory, const WDFMEMORY_OFFSET *offset, wdf_piece_t *piece)
{
    *piece = (wdf_piece_t){ .memory = NULL };
    if (memory == NULL)
        return STATUS_SUCCESS;
    wdf_memory_t *object = (wdf_memory_t *)(void *)wdf_from_handle(routine, memory, &wdf_memory_type);
    piece->memory = &object->object;
    piece->mdl = object->mdl;
    piece->offset = offset != NULL ? offset->BufferOffset : 0;
    return wdf_memory_part(object, offset, &piece->buffer, &piece->bytes);
}

static NTSTATUS piece_of_mdl(PMDL mdl, ULONG bytes, wdf_piece_t *piece)
{
    if (mdl == NULL || bytes > MmGetMdlByteCount(mdl))
        return STATUS_INVALID_PARAMETER;
    piece->mdl = mdl;
    piece->bytes = bytes != 0 ? bytes : MmGetMdlByteCount(mdl);
    piece->buffer = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    return piece->buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS wdf_piece_of_descriptor(const char *routine, const WDF_MEMORY_DESCRIPTOR *descriptor, wdf_piece_t *piece)
{
    *piece = (wdf_piece_t){ .memory = NULL };
    if (descriptor == NULL)
        return STATUS_SUCCESS;
    switch (descriptor->Type) {
    case WdfMemoryDescriptorTypeBuffer:
        piece->buffer = descriptor->u.BufferType.Buffer;
        piece->bytes = descriptor->u.BufferType.Length;
        return piece->buffer != NULL || piece->bytes == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    case WdfMemoryDescriptorTypeMdl: return piece_of_mdl(descriptor->u.MdlType.Mdl, descriptor->u.MdlType.BufferLength, piece);
    case WdfMemoryDescriptorTypeHandle:
        return wdf_piece_of_memory(routine, descriptor->u.HandleType.Memory, descriptor->u.HandleType.Offsets, piece);
    default: return STATUS_INVALID_PARAMETER;
    }
}

static NTSTATUS describe(const char *routine, const wdf_piece_t *piece, LOCK_OPERATION operation, PMDL *out)
{
    *out = NULL;
    if (piece->bytes == 0)
        return STATUS_SUCCESS;
    PVOID address = piece->mdl != NULL ? (char *)MmGetMdlVirtualAddress(piece->mdl) + piece->offset : piece->buffer;
    PMDL  mdl = piece->bytes <= MAXULONG ? IoAllocateMdl(address, (ULONG)piece->bytes, FALSE, FALSE, NULL) : NULL;
    if (mdl == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (piece->mdl != NULL)
        IoBuildPartialMdl(piece->mdl, mdl, address, (ULONG)piece->bytes);
    else {
        NTSTATUS status = mm_mdl_probe_and_lock(routine, mdl, KernelMode, operation);
        if (!NT_SUCCESS(status)) {
            IoFreeMdl(mdl);
            return status;
        }
    }
    *out = mdl;
    return STATUS_SUCCESS;
}

/* ---- begin ---- */

static NTSTATUS begin(wdf_request_t *request, wdf_io_target_t *target, const wdf_piece_t *pieces, size_t count)
{
    if (request->place == WDF_REQUEST_SENT)
        return STATUS_INVALID_DEVICE_REQUEST;
    wdf_format_undo(request);
    NTSTATUS status = wdf_request_prepare(request, target);
    if (!NT_SUCCESS(status))
        return status;
    wdf_format_t *format = &request->format;
    *format = (wdf_format_t){ .is_set = true,
                              .before_mdl = request->irp->MdlAddress,
                              .before_system = request->irp->AssociatedIrp.SystemBuffer,
                              .before_user = request->irp->UserBuffer };
    WDF_REQUEST_COMPLETION_PARAMS_INIT(&format->params);
    for (size_t i = 0; i < count; i++)
        if (pieces[i].memory != NULL) {
            wdf_object_reference(pieces[i].memory);
            format->memory[i] = pieces[i].memory;
        }
    return STATUS_SUCCESS;
}

static PIO_STACK_LOCATION next_location(wdf_request_t *request, UCHAR major)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(request->irp);
    memset(next, 0, sizeof *next);
    next->MajorFunction = major;
    request->is_formatted = true;
    return next;
}

static NTSTATUS give_up(wdf_request_t *request, NTSTATUS status)
{
    wdf_format_undo(request);
    request->is_formatted = false;
    return status;
}

/* ---- reads and writes ---- */

static NTSTATUS place_transfer(const char *routine, wdf_request_t *request, ULONG flags, const wdf_piece_t *piece, LOCK_OPERATION operation)
{
    PIRP irp = request->irp;
    irp->MdlAddress = NULL;
    irp->AssociatedIrp.SystemBuffer = NULL;
    irp->UserBuffer = NULL;
    if ((flags & DO_BUFFERED_IO) != 0)
        irp->AssociatedIrp.SystemBuffer = piece->buffer;
    else if ((flags & DO_DIRECT_IO) == 0)
        irp->UserBuffer = piece->buffer;
    else {
        NTSTATUS status = describe(routine, piece, operation, &request->format.mdl);
        irp->MdlAddress = request->format.mdl;
        return status;
    }
    return STATUS_SUCCESS;
}

NTSTATUS wdf_format_transfer(const char *routine, wdf_request_t *request, wdf_io_target_t *target, UCHAR major, const wdf_piece_t *piece,
                             const LONGLONG *offset)
{
    NTSTATUS status = piece->bytes > MAXULONG ? STATUS_INVALID_PARAMETER : begin(request, target, piece, 1);
    if (!NT_SUCCESS(status))
        return status;
    status =
        place_transfer(routine, request, wdf_io_target_device(target)->Flags, piece, major == IRP_MJ_READ ? IoWriteAccess : IoReadAccess);
    if (!NT_SUCCESS(status))
        return give_up(request, status);
    PIO_STACK_LOCATION next = next_location(request, major);
    next->Parameters.Read.Length = (ULONG)piece->bytes; /* Read and Write are laid out alike, here and in the completion parameters */
    next->Parameters.Read.ByteOffset.QuadPart = offset != NULL ? *offset : 0;
    request->format.params.Type = (WDF_REQUEST_TYPE)major;
    request->format.params.Parameters.Read.Buffer = (WDFMEMORY)piece->memory;
    request->format.params.Parameters.Read.Offset = piece->offset;
    return STATUS_SUCCESS;
}

/* ---- controls ---- */

static NTSTATUS place_buffered(wdf_request_t *request, const wdf_piece_t *in, const wdf_piece_t *out)
{
    wdf_format_t *format = &request->format;
    size_t        bytes = in->bytes > out->bytes ? in->bytes : out->bytes;
    if (bytes == 0)
        return STATUS_SUCCESS;
    format->pool = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, TAG_FORMAT);
    if (format->pool == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (in->bytes != 0)
        memcpy(format->pool, in->buffer, in->bytes);
    request->irp->AssociatedIrp.SystemBuffer = format->pool;
    format->copy_to = out->buffer;
    format->copy_bytes = (ULONG)out->bytes;
    return STATUS_SUCCESS;
}

static NTSTATUS place_control(const char *routine, wdf_request_t *request, ULONG method, const wdf_piece_t *in, const wdf_piece_t *out)
{
    PIRP irp = request->irp;
    irp->MdlAddress = NULL;
    irp->AssociatedIrp.SystemBuffer = NULL;
    irp->UserBuffer = method == METHOD_NEITHER ? out->buffer : NULL;
    if (method == METHOD_BUFFERED)
        return place_buffered(request, in, out);
    if (method == METHOD_NEITHER)
        return STATUS_SUCCESS;
    irp->AssociatedIrp.SystemBuffer = in->buffer;
    NTSTATUS status = describe(routine, out, method == METHOD_IN_DIRECT ? IoReadAccess : IoWriteAccess, &request->format.mdl);
    irp->MdlAddress = request->format.mdl;
    return status;
}

NTSTATUS wdf_format_control(const char *routine, wdf_request_t *request, wdf_io_target_t *target, bool internal, ULONG code,
                            const wdf_piece_t pieces[2])
{
    const wdf_piece_t *in = &pieces[0], *out = &pieces[1];
    NTSTATUS status = in->bytes > MAXULONG || out->bytes > MAXULONG ? STATUS_INVALID_PARAMETER : begin(request, target, pieces, 2);
    if (!NT_SUCCESS(status))
        return status;
    status = place_control(routine, request, METHOD_FROM_CTL_CODE(code), in, out);
    if (!NT_SUCCESS(status))
        return give_up(request, status);
    PIO_STACK_LOCATION next = next_location(request, internal ? IRP_MJ_INTERNAL_DEVICE_CONTROL : IRP_MJ_DEVICE_CONTROL);
    next->Parameters.DeviceIoControl.IoControlCode = code;
    next->Parameters.DeviceIoControl.InputBufferLength = (ULONG)in->bytes;
    next->Parameters.DeviceIoControl.OutputBufferLength = (ULONG)out->bytes;
    if (METHOD_FROM_CTL_CODE(code) == METHOD_NEITHER)
        next->Parameters.DeviceIoControl.Type3InputBuffer = in->buffer;
    WDF_REQUEST_COMPLETION_PARAMS *params = &request->format.params;
    params->Type = internal ? WdfRequestTypeDeviceControlInternal : WdfRequestTypeDeviceControl;
    params->Parameters.Ioctl.IoControlCode = code;
    params->Parameters.Ioctl.Input.Buffer = (WDFMEMORY)in->memory;
    params->Parameters.Ioctl.Input.Offset = in->offset;
    params->Parameters.Ioctl.Output.Buffer = (WDFMEMORY)out->memory;
    params->Parameters.Ioctl.Output.Offset = out->offset;
    return STATUS_SUCCESS;
}

NTSTATUS wdf_format_others(wdf_request_t *request, wdf_io_target_t *target, ULONG code, const wdf_piece_t pieces[3])
{
    NTSTATUS status = begin(request, target, pieces, 3);
    if (!NT_SUCCESS(status))
        return status;
    PIO_STACK_LOCATION next = next_location(request, IRP_MJ_INTERNAL_DEVICE_CONTROL);
    next->Parameters.Others.Argument1 = pieces[0].buffer;
    next->Parameters.Others.Argument2 = pieces[1].buffer;
    next->Parameters.DeviceIoControl.IoControlCode = code;
    next->Parameters.Others.Argument4 = pieces[2].buffer;
    WDF_REQUEST_COMPLETION_PARAMS *params = &request->format.params;
    params->Type = WdfRequestTypeOther;
    params->Parameters.Others.Argument1.Ptr = pieces[0].memory;
    params->Parameters.Others.Argument2.Ptr = pieces[1].memory;
    params->Parameters.Others.Argument3.Value = code;
    params->Parameters.Others.Argument4.Ptr = pieces[2].memory;
    return STATUS_SUCCESS;
}

/* ---- the driver's routines ---- */

static NTSTATUS format_transfer(const char *routine, WDFIOTARGET target_handle, WDFREQUEST request_handle, UCHAR major, WDFMEMORY memory,
                                const WDFMEMORY_OFFSET *memory_offset, const LONGLONG *offset)
{
    wdf_io_target_t *target = (wdf_io_target_t *)(void *)wdf_from_handle(routine, target_handle, &wdf_io_target_type);
    wdf_request_t   *request = (wdf_request_t *)(void *)wdf_from_handle(routine, request_handle, &wdf_request_type);
    wdf_piece_t      piece;
    NTSTATUS         status = wdf_piece_of_memory(routine, memory, memory_offset, &piece);
    return NT_SUCCESS(status) ? wdf_format_transfer(routine, request, target, major, &piece, offset) : status;
}

NTSTATUS WdfIoTargetFormatRequestForRead(WDFIOTARGET IoTarget, WDFREQUEST Request, WDFMEMORY OutputBuffer,
                                         PWDFMEMORY_OFFSET OutputBufferOffset, PLONGLONG DeviceOffset)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return format_transfer(__func__, IoTarget, Request, IRP_MJ_READ, OutputBuffer, OutputBufferOffset, DeviceOffset);
}

NTSTATUS WdfIoTargetFormatRequestForWrite(WDFIOTARGET IoTarget, WDFREQUEST Request, WDFMEMORY InputBuffer,
                                          PWDFMEMORY_OFFSET InputBufferOffset, PLONGLONG DeviceOffset)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return format_transfer(__func__, IoTarget, Request, IRP_MJ_WRITE, InputBuffer, InputBufferOffset, DeviceOffset);
}

static NTSTATUS format_control(const char *routine, WDFIOTARGET target_handle, WDFREQUEST request_handle, bool internal, ULONG code,
                               WDFMEMORY in, const WDFMEMORY_OFFSET *in_offset, WDFMEMORY out, const WDFMEMORY_OFFSET *out_offset)
{
    wdf_io_target_t *target = (wdf_io_target_t *)(void *)wdf_from_handle(routine, target_handle, &wdf_io_target_type);
    wdf_request_t   *request = (wdf_request_t *)(void *)wdf_from_handle(routine, request_handle, &wdf_request_type);
    wdf_piece_t      pieces[2];
    NTSTATUS         status = wdf_piece_of_memory(routine, in, in_offset, &pieces[0]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_memory(routine, out, out_offset, &pieces[1]);
    return NT_SUCCESS(status) ? wdf_format_control(routine, request, target, internal, code, pieces) : status;
}

NTSTATUS WdfIoTargetFormatRequestForIoctl(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, WDFMEMORY InputBuffer,
                                          PWDFMEMORY_OFFSET InputBufferOffset, WDFMEMORY OutputBuffer, PWDFMEMORY_OFFSET OutputBufferOffset)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return format_control(__func__, IoTarget, Request, false, IoctlCode, InputBuffer, InputBufferOffset, OutputBuffer, OutputBufferOffset);
}

NTSTATUS WdfIoTargetFormatRequestForInternalIoctl(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, WDFMEMORY InputBuffer,
                                                  PWDFMEMORY_OFFSET InputBufferOffset, WDFMEMORY OutputBuffer,
                                                  PWDFMEMORY_OFFSET OutputBufferOffset)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return format_control(__func__, IoTarget, Request, true, IoctlCode, InputBuffer, InputBufferOffset, OutputBuffer, OutputBufferOffset);
}

NTSTATUS WdfIoTargetFormatRequestForInternalIoctlOthers(WDFIOTARGET IoTarget, WDFREQUEST Request, ULONG IoctlCode, WDFMEMORY OtherArg1,
                                                        PWDFMEMORY_OFFSET OtherArg1Offset, WDFMEMORY OtherArg2,
                                                        PWDFMEMORY_OFFSET OtherArg2Offset, WDFMEMORY OtherArg4,
                                                        PWDFMEMORY_OFFSET OtherArg4Offset)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_io_target_t *target = WDF_FROM(IoTarget, &wdf_io_target_type);
    wdf_request_t   *request = WDF_FROM(Request, &wdf_request_type);
    wdf_piece_t      pieces[3];
    NTSTATUS         status = wdf_piece_of_memory(__func__, OtherArg1, OtherArg1Offset, &pieces[0]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_memory(__func__, OtherArg2, OtherArg2Offset, &pieces[1]);
    if (NT_SUCCESS(status))
        status = wdf_piece_of_memory(__func__, OtherArg4, OtherArg4Offset, &pieces[2]);
    return NT_SUCCESS(status) ? wdf_format_others(request, target, IoctlCode, pieces) : status;
}
