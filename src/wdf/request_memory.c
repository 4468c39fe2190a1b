/*
 * request_memory.c - the memory of a request: whatever its IRP has for buffers, as addresses, as WDFMEMORY objects, as MDLs.
 *
 *                       input                                     output
 *     read                                                        by the device's kind of I/O
 *     write             by the device's kind of I/O
 *     METHOD_BUFFERED   system buffer                             system buffer
 *     METHOD_..._DIRECT system buffer                             system address of the IRP's MDL
 *     METHOD_NEITHER    Type3InputBuffer, UserBuffer: from kernel code, or of an internal control; a user's only inside EvtIoInCallerContext
 *
 * Locks       none: whoever has the request.
 * Source      WDK reference: wdfrequest.h, WdfRequestRetrieve..., "Accessing Data Buffers in Framework-based Drivers"; Bug Check 0x10D/0x3.
 */
#include "wdf/request_memory.h"

#include "mm/mdl.h"

typedef struct place {
    void  *buffer;
    size_t bytes;
    PMDL   mdl;       /* that describes them, or NULL */
    bool   is_output; /* of a control: has a memory object of its own */
    bool   read_only; /* the sender's own bytes: what the driver wrote there would reach nobody, or somebody else */
} place_t;

static void memory_destroy(wdf_object_t *object);

/* Of a request: it goes with it, and only so. */
static const wdf_type_t request_memory_type = { .name = "WDFMEMORY",
                                                .number = WDF_NUMBER_REQUEST_MEMORY,
                                                .bytes = sizeof(wdf_request_memory_t),
                                                .options = WDF_TYPE_NO_DELETE,
                                                .base = &wdf_memory_type,
                                                .destroy = memory_destroy };

/* What ProbeAndLock has locked. */
static void memory_destroy(wdf_object_t *object)
{
    wdf_request_memory_t *memory = (wdf_request_memory_t *)(void *)object;
    if (memory->locked == NULL)
        return;
    MmUnlockPages(memory->locked);
    IoFreeMdl(memory->locked);
}

static NTSTATUS make(wdf_request_t *request, const place_t *place, wdf_request_memory_t **out)
{
    wdf_request_memory_t *memory;
    NTSTATUS              status = wdf_object_new(&(wdf_new_t){ .type = &request_memory_type, .parent = &request->object }, &memory);
    if (!NT_SUCCESS(status))
        return status;
    memory->memory.buffer = place->buffer;
    memory->memory.bytes = place->bytes;
    memory->memory.mdl = place->mdl;
    memory->memory.read_only = place->read_only;
    status = wdf_object_commit(memory, NULL);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(memory);
        return status;
    }
    *out = memory;
    return STATUS_SUCCESS;
}

/* ---- where the bytes are ---- */

static NTSTATUS at_mdl(PMDL mdl, place_t *place)
{
    if (mdl == NULL)
        return STATUS_BUFFER_TOO_SMALL;
    place->mdl = mdl;
    place->buffer = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    return place->buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS at_user_buffer(const wdf_request_t *request, void *buffer, place_t *place)
{
    if (request->irp->RequestorMode == UserMode)
        return STATUS_INVALID_DEVICE_REQUEST;
    place->buffer = buffer;
    return STATUS_SUCCESS;
}

static NTSTATUS place_of_transfer(const wdf_request_t *request, place_t *place)
{
    PIRP irp = request->irp;
    place->bytes = wdf_request_location(request)->Parameters.Read.Length;
    place->read_only = wdf_request_location(request)->MajorFunction == IRP_MJ_WRITE;
    if (place->bytes == 0)
        return STATUS_BUFFER_TOO_SMALL;
    switch (wdf_request_read_write(request)) {
    case WdfDeviceIoDirect: return at_mdl(irp->MdlAddress, place);
    case WdfDeviceIoNeither: return at_user_buffer(request, irp->UserBuffer, place);
    default: place->buffer = irp->AssociatedIrp.SystemBuffer; return STATUS_SUCCESS;
    }
}

static NTSTATUS place_of_neither(const wdf_request_t *request, void *buffer, place_t *place)
{
    if (wdf_request_location(request)->MajorFunction == IRP_MJ_DEVICE_CONTROL)
        return at_user_buffer(request, buffer, place);
    place->buffer = buffer;
    return STATUS_SUCCESS;
}

static NTSTATUS place_of_control(const wdf_request_t *request, bool is_output, place_t *place)
{
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    PIRP                     irp = request->irp;
    ULONG                    method = METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode);
    place->is_output = is_output;
    place->read_only = method == METHOD_IN_DIRECT || (!is_output && method == METHOD_OUT_DIRECT);
    place->bytes =
        is_output ? location->Parameters.DeviceIoControl.OutputBufferLength : location->Parameters.DeviceIoControl.InputBufferLength;
    if (place->bytes == 0)
        return STATUS_BUFFER_TOO_SMALL;
    if (method == METHOD_NEITHER)
        return place_of_neither(request, is_output ? irp->UserBuffer : location->Parameters.DeviceIoControl.Type3InputBuffer, place);
    if (is_output && method != METHOD_BUFFERED)
        return at_mdl(irp->MdlAddress, place);
    place->buffer = irp->AssociatedIrp.SystemBuffer;
    return STATUS_SUCCESS;
}

static bool is_control(UCHAR major) { return major == IRP_MJ_DEVICE_CONTROL || major == IRP_MJ_INTERNAL_DEVICE_CONTROL; }

static NTSTATUS find_place(const wdf_request_t *request, bool is_output, place_t *place)
{
    *place = (place_t){ .buffer = NULL };
    if (request->irp == NULL)
        return STATUS_INTERNAL_ERROR;
    if (request->irp->CurrentLocation > request->irp->StackCount)
        return STATUS_INVALID_DEVICE_REQUEST;
    UCHAR major = wdf_request_location(request)->MajorFunction;
    if (is_control(major))
        return place_of_control(request, is_output, place);
    if ((major != IRP_MJ_READ && major != IRP_MJ_WRITE) || major == (is_output ? IRP_MJ_WRITE : IRP_MJ_READ))
        return STATUS_INVALID_DEVICE_REQUEST;
    return place_of_transfer(request, place);
}

/* ---- addresses and objects ---- */

/* What find_place() or find_unsafe() has found becomes the driver's, if it is large enough. */
static NTSTATUS hand_over(NTSTATUS status, const place_t *place, size_t minimum, PVOID *buffer, size_t *length)
{
    if (NT_SUCCESS(status) && place->bytes < minimum)
        status = STATUS_BUFFER_TOO_SMALL;
    *buffer = NT_SUCCESS(status) ? place->buffer : NULL;
    if (length != NULL)
        *length = NT_SUCCESS(status) ? place->bytes : 0;
    return status;
}

static NTSTATUS get_buffer(const wdf_request_t *request, bool is_output, size_t minimum, PVOID *buffer, size_t *length)
{
    place_t  place;
    NTSTATUS status = find_place(request, is_output, &place);
    return hand_over(status, &place, minimum, buffer, length);
}

NTSTATUS WdfRequestRetrieveInputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *Buffer, size_t *Length)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Buffer);
    return get_buffer(request, false, MinimumRequiredLength, Buffer, Length);
}

NTSTATUS WdfRequestRetrieveOutputBuffer(WDFREQUEST Request, size_t MinimumRequiredSize, PVOID *Buffer, size_t *Length)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Buffer);
    return get_buffer(request, true, MinimumRequiredSize, Buffer, Length);
}

static NTSTATUS get_memory(wdf_request_t *request, bool is_output, WDFMEMORY *handle)
{
    place_t                place;
    NTSTATUS               status = find_place(request, is_output, &place);
    wdf_request_memory_t **memory = place.is_output ? &request->output : &request->input;
    if (NT_SUCCESS(status) && *memory == NULL)
        status = make(request, &place, memory);
    *handle = NT_SUCCESS(status) ? (WDFMEMORY)*memory : NULL;
    return status;
}

NTSTATUS WdfRequestRetrieveInputMemory(WDFREQUEST Request, WDFMEMORY *Memory)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Memory);
    return get_memory(request, false, Memory);
}

NTSTATUS WdfRequestRetrieveOutputMemory(WDFREQUEST Request, WDFMEMORY *Memory)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Memory);
    return get_memory(request, true, Memory);
}

/* ---- MDLs ---- */

/* Raw addresses have none, whoever sent them. One MDL over the system buffer serves input and output. */
static bool has_raw_buffers(const wdf_request_t *request)
{
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    if (is_control(location->MajorFunction))
        return METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_NEITHER;
    return wdf_request_read_write(request) == WdfDeviceIoNeither;
}

static NTSTATUS get_mdl(wdf_request_t *request, bool is_output, PMDL *mdl)
{
    place_t  place;
    NTSTATUS status = find_place(request, is_output, &place);
    *mdl = NULL;
    if (NT_SUCCESS(status) && has_raw_buffers(request))
        status = STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status))
        return status;
    if (place.mdl == NULL && request->mdl == NULL) {
        request->mdl = IoAllocateMdl(place.buffer, (ULONG)place.bytes, FALSE, FALSE, NULL);
        if (request->mdl == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        MmBuildMdlForNonPagedPool(request->mdl);
    }
    *mdl = place.mdl != NULL ? place.mdl : request->mdl;
    return STATUS_SUCCESS;
}

NTSTATUS WdfRequestRetrieveInputWdmMdl(WDFREQUEST Request, PMDL *Mdl)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Mdl);
    return get_mdl(request, false, Mdl);
}

NTSTATUS WdfRequestRetrieveOutputWdmMdl(WDFREQUEST Request, PMDL *Mdl)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Mdl);
    return get_mdl(request, true, Mdl);
}

/* ---- a user's own buffers ---- */

static NTSTATUS find_unsafe(const wdf_request_t *request, bool is_output, place_t *place)
{
    *place = (place_t){ .buffer = NULL };
    if (request->irp == NULL || !request->in_caller_context)
        return STATUS_INVALID_DEVICE_REQUEST;
    const IO_STACK_LOCATION *location = wdf_request_location(request);
    UCHAR                    major = location->MajorFunction;
    if (major == IRP_MJ_DEVICE_CONTROL && METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_NEITHER) {
        place->buffer = is_output ? request->irp->UserBuffer : location->Parameters.DeviceIoControl.Type3InputBuffer;
        place->bytes =
            is_output ? location->Parameters.DeviceIoControl.OutputBufferLength : location->Parameters.DeviceIoControl.InputBufferLength;
        return STATUS_SUCCESS;
    }
    if (major != (is_output ? IRP_MJ_READ : IRP_MJ_WRITE) || wdf_request_read_write(request) != WdfDeviceIoNeither)
        return STATUS_INVALID_DEVICE_REQUEST;
    place->buffer = request->irp->UserBuffer;
    place->bytes = location->Parameters.Read.Length;
    return STATUS_SUCCESS;
}

static NTSTATUS get_unsafe(const wdf_request_t *request, bool is_output, size_t minimum, PVOID *buffer, size_t *length)
{
    place_t  place;
    NTSTATUS status = find_unsafe(request, is_output, &place);
    return hand_over(status, &place, minimum, buffer, length);
}

NTSTATUS WdfRequestRetrieveUnsafeUserInputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *InputBuffer, size_t *Length)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(InputBuffer);
    return get_unsafe(request, false, MinimumRequiredLength, InputBuffer, Length);
}

NTSTATUS WdfRequestRetrieveUnsafeUserOutputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *OutputBuffer, size_t *Length)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(OutputBuffer);
    return get_unsafe(request, true, MinimumRequiredLength, OutputBuffer, Length);
}

static NTSTATUS lock_user_buffer(const char *routine, PVOID buffer, size_t length, LOCK_OPERATION operation, PMDL *out)
{
    PMDL mdl = length <= MAXULONG ? IoAllocateMdl(buffer, (ULONG)length, FALSE, TRUE, NULL) : NULL;
    if (mdl == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = mm_mdl_probe_and_lock(routine, mdl, UserMode, operation);
    if (!NT_SUCCESS(status)) {
        IoFreeMdl(mdl);
        return status;
    }
    *out = mdl;
    return STATUS_SUCCESS;
}

static NTSTATUS check_user_buffer(const wdf_request_t *request, size_t length)
{
    if (length == 0)
        return STATUS_INVALID_USER_BUFFER;
    if (request->irp == NULL || request->place != WDF_REQUEST_DRIVER)
        return STATUS_INVALID_DEVICE_REQUEST;
    bool is_foreign = request->irp->RequestorMode == UserMode && request->irp->Tail.Overlay.Thread != NULL &&
                      request->irp->Tail.Overlay.Thread != PsGetCurrentThread();
    return is_foreign ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
}

static NTSTATUS memory_of_user(const char *routine, wdf_request_t *request, PVOID buffer, size_t length, LOCK_OPERATION operation,
                               WDFMEMORY *handle)
{
    PMDL                  mdl = NULL;
    wdf_request_memory_t *memory;
    NTSTATUS              status = check_user_buffer(request, length);
    *handle = NULL;
    if (NT_SUCCESS(status))
        status = lock_user_buffer(routine, buffer, length, operation, &mdl);
    if (!NT_SUCCESS(status))
        return status;
    place_t place = { .bytes = length, .mdl = mdl, .read_only = operation == IoReadAccess };
    place.buffer = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority | MdlMappingNoExecute);
    status = place.buffer != NULL ? make(request, &place, &memory) : STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(status)) {
        MmUnlockPages(mdl);
        IoFreeMdl(mdl);
        return status;
    }
    memory->locked = mdl;
    *handle = (WDFMEMORY)memory;
    return STATUS_SUCCESS;
}

NTSTATUS WdfRequestProbeAndLockUserBufferForRead(WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Buffer);
    WDF_REQUIRE(MemoryObject);
    return memory_of_user(__func__, request, Buffer, Length, IoReadAccess, MemoryObject);
}

NTSTATUS WdfRequestProbeAndLockUserBufferForWrite(WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_request_t *request = WDF_FROM(Request, &wdf_request_type);
    WDF_REQUIRE(Buffer);
    WDF_REQUIRE(MemoryObject);
    return memory_of_user(__func__, request, Buffer, Length, IoWriteAccess, MemoryObject);
}

/* ---- the end ---- */

static int32_t drop(const char *routine, wdf_request_memory_t *memory)
{
    if (memory == NULL)
        return 0;
    int32_t others = atomic_load(&memory->memory.object.references) - 1;
    wdf_object_dereference(routine, &memory->memory.object);
    return others;
}

void wdf_request_delete_with_memory(const char *routine, wdf_request_t *request)
{
    wdf_request_memory_t *input = request->input, *output = request->output;
    int32_t               transfers = atomic_load(&request->transfers);
    if (input != NULL)
        wdf_object_reference(&input->memory.object);
    if (output != NULL)
        wdf_object_reference(&output->memory.object);
    wdf_object_delete(&request->object);
    bool    is_over = atomic_load(&request->object.state) == WDF_DISPOSED; /* else a worker thread does it */
    int32_t references = drop(routine, input) + drop(routine, output) + transfers;
    if (is_over && references != 0)
        wdf_stop(routine,
                 "The request is complete, and its memory objects are still referenced: by the driver, by a request that it was sent with "
                 "and that was not reused, or by a DMA transaction that moves them.",
                 WDF_VERIFIER_FATAL_ERROR, (ULONG_PTR)request, (ULONG_PTR)references);
}
