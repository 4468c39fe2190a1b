/*
 * test_wdf_io_target.c - requests that a framework driver sends: to a device of a plain driver, which answers at once, later, or when cancelled.
 */
#include "../support/wdf_device.h"

#define IOCTL(method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, method, FILE_ANY_ACCESS)

/* ---- the plain driver: controls add one to every byte, reads say the offset, writes want sevens ---- */

static DRIVER_OBJECT lower_driver;
static DEVICE_OBJECT lower;
static bool          pends;
static PIRP          held;
static PVOID         others[3];

static NTSTATUS answer(PIRP irp, NTSTATUS status, ULONG_PTR information)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = information;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}
static VOID cancel_held(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    held = NULL;
    (void)answer(irp, STATUS_CANCELLED, 0);
}
static NTSTATUS hold(PIRP irp)
{
    IoMarkIrpPending(irp);
    held = irp;
    (void)IoSetCancelRoutine(irp, cancel_held);
    return STATUS_PENDING;
}
static void let_go(NTSTATUS status, ULONG_PTR information)
{
    PIRP irp = held;
    held = NULL;
    (void)IoSetCancelRoutine(irp, NULL);
    (void)answer(irp, status, information);
}

static NTSTATUS lower_control(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    ULONG              in = location->Parameters.DeviceIoControl.InputBufferLength;
    ULONG              out = location->Parameters.DeviceIoControl.OutputBufferLength;
    unsigned char     *from = irp->AssociatedIrp.SystemBuffer, *to = from;
    (void)device;
    if (location->MajorFunction == IRP_MJ_INTERNAL_DEVICE_CONTROL && location->Parameters.DeviceIoControl.IoControlCode == 77) {
        others[0] = location->Parameters.Others.Argument1;
        others[1] = location->Parameters.Others.Argument2;
        others[2] = location->Parameters.Others.Argument4;
        return answer(irp, STATUS_SUCCESS, 0);
    }
    if (pends)
        return hold(irp);
    if (METHOD_FROM_CTL_CODE(location->Parameters.DeviceIoControl.IoControlCode) == METHOD_NEITHER) {
        from = location->Parameters.DeviceIoControl.Type3InputBuffer;
        to = irp->UserBuffer;
    } else if (irp->MdlAddress != NULL)
        to = MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority);
    if (to == NULL && out != 0)
        return answer(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    for (ULONG i = 0; i < in && i < out; i++)
        to[i] = (unsigned char)(from[i] + 1);
    return answer(irp, STATUS_SUCCESS, in < out ? in : out);
}

static NTSTATUS lower_transfer(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    unsigned char     *bytes = (device->Flags & DO_BUFFERED_IO) != 0 ? irp->AssociatedIrp.SystemBuffer
                               : (device->Flags & DO_DIRECT_IO) != 0 ? MmGetSystemAddressForMdlSafe(irp->MdlAddress, NormalPagePriority)
                                                                     : irp->UserBuffer;
    if (pends)
        return hold(irp);
    if (bytes == NULL && location->Parameters.Read.Length != 0)
        return answer(irp, STATUS_INSUFFICIENT_RESOURCES, 0);
    for (ULONG i = 0; i < location->Parameters.Read.Length; i++)
        if (location->MajorFunction == IRP_MJ_READ)
            bytes[i] = (unsigned char)location->Parameters.Read.ByteOffset.QuadPart;
        else
            assert_int_equal(bytes[i], 7);
    return answer(irp, STATUS_SUCCESS, location->Parameters.Read.Length);
}

static void lower_init(ULONG flags)
{
    memset(&lower_driver, 0, sizeof lower_driver);
    lower_driver.MajorFunction[IRP_MJ_DEVICE_CONTROL] = lower_driver.MajorFunction[IRP_MJ_INTERNAL_DEVICE_CONTROL] = lower_control;
    lower_driver.MajorFunction[IRP_MJ_READ] = lower_driver.MajorFunction[IRP_MJ_WRITE] = lower_transfer;
    lower = (DEVICE_OBJECT){ .Type = IO_TYPE_DEVICE, .Size = sizeof lower, .DriverObject = &lower_driver, .StackSize = 1, .Flags = flags };
    pends = false;
    held = NULL;
}

/* ---- the framework driver ---- */

static WDFIOTARGET target;
static WDFREQUEST  queued; /* the last one that the queue delivered */
static VOID        on_default(WDFQUEUE queue, WDFREQUEST request)
{
    (void)queue;
    queued = request;
}

static int  stops;
static VOID on_stop(WDFQUEUE queue, WDFREQUEST request, ULONG flags)
{
    (void)queue, (void)flags;
    stops++;
    WdfRequestStopAcknowledge(request, FALSE);
}

static NTSTATUS make(WDFDEVICE device)
{
    WDF_IO_TARGET_OPEN_PARAMS open;
    WDF_IO_QUEUE_CONFIG       config;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDefault = on_default;
    config.EvtIoStop = on_stop;
    NTSTATUS status = WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, NULL);
    if (NT_SUCCESS(status))
        status = WdfIoTargetCreate(device, WDF_NO_OBJECT_ATTRIBUTES, &target);
    if (!NT_SUCCESS(status))
        return status;
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&open, &lower);
    return WdfIoTargetOpen(target, &open);
}

static int              completions;
static NTSTATUS         came_with;
static size_t           came_length;
static WDFMEMORY        came_memory;
static WDF_REQUEST_TYPE came_type;
static VOID             on_complete(WDFREQUEST request, WDFIOTARGET from, PWDF_REQUEST_COMPLETION_PARAMS params, WDFCONTEXT context)
{
    assert_ptr_equal(from, target);
    assert_ptr_equal(context, &completions);
    assert_int_equal(WdfRequestGetStatus(request), params->IoStatus.Status);
    completions++;
    came_with = params->IoStatus.Status;
    came_type = params->Type;
    came_memory = came_type == WdfRequestTypeRead ? params->Parameters.Read.Buffer : NULL;
    came_length = came_type == WdfRequestTypeRead ? params->Parameters.Read.Length : params->Parameters.Ioctl.Output.Length;
}
static VOID complete_queued(WDFREQUEST request, WDFIOTARGET from, PWDF_REQUEST_COMPLETION_PARAMS params, WDFCONTEXT context)
{
    (void)from, (void)context;
    completions++;
    WdfRequestCompleteWithInformation(request, params->IoStatus.Status, params->IoStatus.Information);
}

static int setup(void **state)
{
    wdf_device_init = NULL;
    wdf_device_made = make;
    completions = 0;
    queued = NULL;
    lower_init(DO_BUFFERED_IO);
    return wdf_device_setup(state);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

static WDFREQUEST new_request(void)
{
    WDFREQUEST request = NULL;
    assert_int_equal(WdfRequestCreate(WDF_NO_OBJECT_ATTRIBUTES, target, &request), STATUS_SUCCESS);
    WdfRequestSetCompletionRoutine(request, on_complete, &completions);
    return request;
}
static WDFMEMORY new_memory(size_t bytes, unsigned char fill)
{
    WDFMEMORY memory = NULL;
    PVOID     buffer = NULL;
    assert_int_equal(WdfMemoryCreate(WDF_NO_OBJECT_ATTRIBUTES, NonPagedPoolNx, 0, bytes, &memory, &buffer), STATUS_SUCCESS);
    memset(buffer, fill, bytes);
    return memory;
}
static unsigned char byte_of(WDFMEMORY memory, size_t i) { return ((unsigned char *)WdfMemoryGetBuffer(memory, NULL))[i]; }
static void          reuse(WDFREQUEST request)
{
    WDF_REQUEST_REUSE_PARAMS params;
    WDF_REQUEST_REUSE_PARAMS_INIT(&params, WDF_REQUEST_REUSE_NO_FLAGS, STATUS_SUCCESS);
    assert_int_equal(WdfRequestReuse(request, &params), STATUS_SUCCESS);
    WdfRequestSetCompletionRoutine(request, on_complete, &completions);
}

/* ---- asynchronously ---- */

static void reads_as(ULONG flags)
{
    LONGLONG   offset = 0x21;
    WDFREQUEST request = new_request();
    WDFMEMORY  memory = new_memory(64, 0);
    lower.Flags = flags;
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, memory, NULL, &offset), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(completions, 1);
    assert_int_equal(came_with, STATUS_SUCCESS);
    assert_int_equal(came_type, WdfRequestTypeRead);
    assert_int_equal(came_length, 64);
    assert_ptr_equal(came_memory, memory);
    assert_int_equal(byte_of(memory, 63), 0x21);
    WdfObjectDelete(request);
    WdfObjectDelete(memory);
}
static void reads(void **state)
{
    (void)state;
    reads_as(DO_BUFFERED_IO);
}
static void reads_directly(void **state)
{
    (void)state;
    reads_as(DO_DIRECT_IO);
}
static void reads_raw(void **state)
{
    (void)state;
    reads_as(0);
}

static void reads_a_part(void **state)
{
    WDFMEMORY_OFFSET part = { .BufferOffset = 10, .BufferLength = 4 };
    LONGLONG         offset = 5;
    (void)state;
    lower.Flags = DO_DIRECT_IO;
    WDFREQUEST request = new_request();
    WDFMEMORY  memory = new_memory(64, 1);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, memory, &part, &offset), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(byte_of(memory, 9), 1);
    assert_int_equal(byte_of(memory, 10), 5);
    assert_int_equal(byte_of(memory, 13), 5);
    assert_int_equal(byte_of(memory, 14), 1);
    reuse(request);
    part.BufferLength = 60;
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, memory, &part, NULL), STATUS_INVALID_BUFFER_SIZE);
    part.BufferOffset = SIZE_MAX;
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, memory, &part, NULL), STATUS_INTEGER_OVERFLOW);
    WdfObjectDelete(request);
    WdfObjectDelete(memory);
}

static void writes_and_sends_again(void **state)
{
    (void)state;
    WDFREQUEST request = new_request();
    WDFMEMORY  memory = new_memory(16, 7);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(WdfIoTargetFormatRequestForWrite(target, request, memory, NULL, NULL), STATUS_SUCCESS);
        assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
        assert_int_equal(completions, i);
        reuse(request);
    }
    WdfObjectDelete(request);
    WdfObjectDelete(memory);
}

static void controls(void **state)
{
    static const ULONG methods[] = { METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT, METHOD_NEITHER };
    (void)state;
    WDFREQUEST request = new_request();
    WDFMEMORY  in = new_memory(8, 4), out = new_memory(12, 0);
    for (int i = 0; i < 4; i++) {
        memset(WdfMemoryGetBuffer(out, NULL), 0, 12);
        if (methods[i] == METHOD_IN_DIRECT)
            continue; /* its output buffer is a second input */
        assert_int_equal(WdfIoTargetFormatRequestForIoctl(target, request, IOCTL(methods[i]), in, NULL, out, NULL), STATUS_SUCCESS);
        assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
        assert_int_equal(came_type, WdfRequestTypeDeviceControl);
        assert_int_equal(came_length, 8);
        assert_int_equal(byte_of(out, 7), 5);
        assert_int_equal(byte_of(out, 8), 0);
        reuse(request);
    }
    assert_int_equal(WdfIoTargetFormatRequestForInternalIoctlOthers(target, request, 77, in, NULL, NULL, NULL, out, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_ptr_equal(others[0], WdfMemoryGetBuffer(in, NULL));
    assert_null(others[1]);
    assert_ptr_equal(others[2], WdfMemoryGetBuffer(out, NULL));
    WdfObjectDelete(request);
    WdfObjectDelete(in);
    WdfObjectDelete(out);
}

static void memory_is_kept_until_reuse(void **state)
{
    (void)state;
    WDFREQUEST request = new_request();
    WDFMEMORY  memory = new_memory(16, 7);
    assert_int_equal(WdfIoTargetFormatRequestForWrite(target, request, memory, NULL, NULL), STATUS_SUCCESS);
    WdfObjectDelete(memory);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS)); /* the driver below finds sevens */
    assert_int_equal(byte_of(memory, 0), 7);
    reuse(request);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfMemoryGetBuffer(memory, NULL));
}

/* ---- pending, cancelled ---- */

static void comes_back_later(void **state)
{
    (void)state;
    pends = true;
    WDFREQUEST request = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(completions, 0);
    let_go(STATUS_END_OF_FILE, 0);
    assert_int_equal(completions, 1);
    assert_int_equal(came_with, STATUS_END_OF_FILE);
    assert_false(WdfRequestCancelSentRequest(request));
    WdfObjectDelete(request);
}

static void is_cancelled_on_its_way(void **state)
{
    (void)state;
    pends = true;
    WDFREQUEST request = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_true(WdfRequestCancelSentRequest(request));
    assert_int_equal(completions, 1);
    assert_int_equal(came_with, STATUS_CANCELLED);
    WdfObjectDelete(request);
}

static void is_sent_once(void **state)
{
    (void)state;
    pends = true;
    WDFREQUEST request = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_INVALID_DEVICE_REQUEST);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUEST_FATAL_ERROR, WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], WDF_REQUEST_FATAL_ERROR_REQUEST_ALREADY_SENT);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)request);
}

static void needs_an_irp(void **state)
{
    WDFREQUEST request;
    (void)state;
    assert_int_equal(WdfRequestCreate(WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE, &request), STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUEST_FATAL_ERROR, WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], WDF_REQUEST_FATAL_ERROR_NULL_IRP);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)request);
}

static void needs_a_location(void **state)
{
    WDFREQUEST request;
    (void)state;
    PIRP irp = IoAllocateIrp(1, FALSE);
    IoSetNextIrpStackLocation(irp);
    assert_int_equal(WdfRequestCreateFromIrp(WDF_NO_OBJECT_ATTRIBUTES, irp, TRUE, &request), STATUS_SUCCESS);
    assert_int_equal(WdfRequestChangeTarget(request, target), STATUS_REQUEST_NOT_ACCEPTED);
    assert_bugcheck(WDF_VIOLATION, WDF_REQUEST_FATAL_ERROR, WdfRequestFormatRequestUsingCurrentType(request));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], WDF_REQUEST_FATAL_ERROR_NO_MORE_STACK_LOCATIONS);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], (uintptr_t)irp);
}

/* ---- states of the target ---- */

static void waits_while_stopped(void **state)
{
    (void)state;
    WDFREQUEST first = new_request(), second = new_request();
    WdfIoTargetStop(target, WdfIoTargetWaitForSentIoToComplete);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetStopped);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, first, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, second, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(first, target, WDF_NO_SEND_OPTIONS));
    assert_true(WdfRequestSend(second, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(completions, 0);
    assert_true(WdfRequestCancelSentRequest(second));
    assert_int_equal(completions, 1);
    assert_int_equal(came_with, STATUS_CANCELLED);
    assert_int_equal(WdfIoTargetStart(target), STATUS_SUCCESS);
    assert_int_equal(completions, 2);
    assert_int_equal(came_with, STATUS_SUCCESS);
    WdfObjectDelete(first);
    WdfObjectDelete(second);
}

static void ignores_a_stopped_target(void **state)
{
    WDF_REQUEST_SEND_OPTIONS options;
    (void)state;
    WDFREQUEST request = new_request();
    WdfIoTargetStop(target, WdfIoTargetLeaveSentIoPending);
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, &options));
    assert_int_equal(completions, 1);
    WdfObjectDelete(request);
}

static void a_purge_cancels(void **state)
{
    (void)state;
    pends = true;
    WDFREQUEST request = new_request(), refused = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    WdfIoTargetPurge(target, WdfIoTargetPurgeIoAndWait);
    assert_int_equal(completions, 1);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, refused, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_false(WdfRequestSend(refused, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(WdfRequestGetStatus(refused), STATUS_INVALID_DEVICE_STATE);
    WdfObjectDelete(request);
    WdfObjectDelete(refused);
}

static void closes_and_opens_again(void **state)
{
    WDF_IO_TARGET_OPEN_PARAMS open;
    UNICODE_STRING            name = { 0 };
    (void)state;
    WDFREQUEST request = new_request();
    assert_ptr_equal(WdfIoTargetWdmGetTargetDeviceObject(target), &lower);
    assert_ptr_equal(WdfIoTargetGetDevice(target), wdf_test_device);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&open, &lower);
    assert_int_equal(WdfIoTargetOpen(target, &open), STATUS_INVALID_DEVICE_STATE);
    WdfIoTargetCloseForQueryRemove(target);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetClosedForQueryRemove);
    assert_null(WdfIoTargetWdmGetTargetDeviceObject(target));
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(WdfIoTargetStart(target), STATUS_INVALID_DEVICE_STATE);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(&open, &name, GENERIC_READ);
    assert_int_equal(WdfIoTargetOpen(target, &open), STATUS_INVALID_PARAMETER); /* an empty name */
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&open);
    assert_int_equal(WdfIoTargetOpen(target, &open), STATUS_INVALID_DEVICE_REQUEST); /* only what was opened by name */
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&open, &lower);
    assert_int_equal(WdfIoTargetOpen(target, &open), STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(completions, 1);
    WdfObjectDelete(request);
}

/* ---- synchronously ---- */

static void sends_and_waits(void **state)
{
    WDF_MEMORY_DESCRIPTOR to, from;
    unsigned char         bytes[16], input[4] = { 1, 2, 3, 4 };
    LONGLONG              offset = 9;
    ULONG_PTR             transferred = 0;
    (void)state;
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&to, bytes, sizeof bytes);
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, &to, &offset, NULL, &transferred), STATUS_SUCCESS);
    assert_int_equal(transferred, sizeof bytes);
    assert_int_equal(bytes[15], 9);
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(WdfIoTargetSendWriteSynchronously(target, NULL, &to, NULL, NULL, &transferred), STATUS_SUCCESS);
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&from, input, sizeof input);
    assert_int_equal(WdfIoTargetSendIoctlSynchronously(target, NULL, IOCTL(METHOD_BUFFERED), &from, &to, NULL, &transferred),
                     STATUS_SUCCESS);
    assert_int_equal(transferred, 4);
    assert_int_equal(bytes[3], 5);
    assert_int_equal(WdfIoTargetSendInternalIoctlSynchronously(target, NULL, IOCTL(METHOD_NEITHER), &from, &to, NULL, &transferred),
                     STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetSendInternalIoctlOthersSynchronously(target, NULL, 77, &from, NULL, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_ptr_equal(others[0], input);
}

static void every_descriptor_will_do(void **state)
{
    WDF_MEMORY_DESCRIPTOR to;
    LONGLONG              offset = 9;
    WDFMEMORY             memory = new_memory(32, 0);
    WDFMEMORY_OFFSET      part = { .BufferOffset = 8, .BufferLength = 8 };
    (void)state;
    lower.Flags = DO_DIRECT_IO;
    WDF_MEMORY_DESCRIPTOR_INIT_HANDLE(&to, memory, &part);
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, &to, &offset, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(byte_of(memory, 7), 0);
    assert_int_equal(byte_of(memory, 8), 9);
    assert_int_equal(byte_of(memory, 16), 0);
    PMDL mdl = IoAllocateMdl(WdfMemoryGetBuffer(memory, NULL), 32, FALSE, FALSE, NULL);
    MmBuildMdlForNonPagedPool(mdl);
    WDF_MEMORY_DESCRIPTOR_INIT_MDL(&to, mdl, 4);
    offset = 3;
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, &to, &offset, NULL, NULL), STATUS_SUCCESS);
    assert_int_equal(byte_of(memory, 3), 3);
    assert_int_equal(byte_of(memory, 4), 0);
    IoFreeMdl(mdl);
    to.Type = (WDF_MEMORY_DESCRIPTOR_TYPE)9;
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, &to, &offset, NULL, NULL), STATUS_INVALID_PARAMETER);
    WdfObjectDelete(memory);
}

static void a_timeout_cancels(void **state)
{
    WDF_REQUEST_SEND_OPTIONS options;
    (void)state;
    pends = true;
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_SYNCHRONOUS);
    WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT(&options, WDF_REL_TIMEOUT_IN_MS(1));
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, NULL, NULL, &options, NULL), STATUS_IO_TIMEOUT);
    WDFREQUEST request = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(request, target, &options));
    assert_int_equal(WdfRequestGetStatus(request), STATUS_IO_TIMEOUT);
    WdfObjectDelete(request);
}

static NTSTATUS lower_pnp(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION location = IoGetCurrentIrpStackLocation(irp);
    (void)device;
    assert_int_equal(location->MinorFunction, IRP_MN_QUERY_INTERFACE);
    location->Parameters.QueryInterface.Interface->Version = location->Parameters.QueryInterface.Version;
    return answer(irp, STATUS_SUCCESS, 0);
}
static void asks_for_an_interface(void **state)
{
    static const GUID id = { 1, 2, 3, { 4, 5, 6, 7, 8, 9, 10, 11 } };
    INTERFACE         interface = { .Size = sizeof interface };
    (void)state;
    lower_driver.MajorFunction[IRP_MJ_PNP] = lower_pnp;
    assert_int_equal(WdfIoTargetQueryForInterface(target, &id, &interface, sizeof interface, 3, NULL), STATUS_SUCCESS);
    assert_int_equal(interface.Version, 3);
    assert_null(WdfIoTargetWdmGetTargetPhysicalDevice(target));
    assert_ptr_equal(WdfIoTargetWdmGetTargetPhysicalDevice(WdfDeviceGetIoTarget(wdf_test_device)), ntmm_device_object(wdf_test_bus_device));
    WdfIoTargetClose(target);
    assert_int_equal(WdfIoTargetQueryForInterface(target, &id, &interface, sizeof interface, 3, NULL), STATUS_INVALID_DEVICE_STATE);
}

static const ntmm_config stopped_clock = { .quiet = true, .stopped_clock = true };
static int               setup_stopped(void **state)
{
    ntmm_cmocka_config = &stopped_clock;
    return setup(state);
}
static int teardown_stopped(void **state)
{
    int result = wdf_device_teardown(state);
    ntmm_cmocka_config = NULL;
    return result;
}
static void a_timeout_cancels_without_a_waiter(void **state)
{
    WDF_REQUEST_SEND_OPTIONS options;
    (void)state;
    pends = true;
    WDFREQUEST request = new_request();
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, 0);
    WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT(&options, WDF_REL_TIMEOUT_IN_MS(5));
    assert_int_equal(WdfRequestAllocateTimer(request), STATUS_SUCCESS);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
        assert_true(WdfRequestSend(request, target, &options));
        assert_int_equal(ntmm_time_advance(49999), 0);
        assert_int_equal(completions, 2 * i - 2);
        assert_int_equal(ntmm_time_advance(1), 0);
        assert_int_equal(completions, 2 * i - 1);
        assert_int_equal(came_with, STATUS_IO_TIMEOUT);
        reuse(request);
        assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
        assert_true(WdfRequestSend(request, target, &options));
        let_go(STATUS_SUCCESS, 0); /* in time */
        assert_int_equal(completions, 2 * i);
        assert_int_equal(came_with, STATUS_SUCCESS);
        assert_int_equal(ntmm_time_advance(100000), 0);
        reuse(request);
    }
    WdfObjectDelete(request);
}

/* ---- requests of a queue ---- */

static ntmm_request *read_begin(PVOID to, uint32_t bytes)
{
    return ntmm_request_begin(wdf_test_object(),
                              &(ntmm_request_config){ .function = IRP_MJ_READ, .offset = 6, .output = to, .output_bytes = bytes });
}

static void passes_a_queued_one_on(void **state)
{
    unsigned char bytes[8] = { 0 };
    (void)state;
    ntmm_request *request = read_begin(bytes, sizeof bytes);
    assert_int_equal(WdfRequestChangeTarget(queued, target), STATUS_SUCCESS);
    WdfRequestFormatRequestUsingCurrentType(queued);
    assert_false(WdfRequestSend(queued, target, WDF_NO_SEND_OPTIONS)); /* who would complete it? */
    assert_int_equal(WdfRequestGetStatus(queued), STATUS_INVALID_DEVICE_REQUEST);
    WdfRequestSetCompletionRoutine(queued, complete_queued, NULL);
    assert_true(WdfRequestSend(queued, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(completions, 1);
    assert_int_equal(ntmm_request_end(request, NULL), STATUS_SUCCESS);
    assert_int_equal(bytes[7], 6);
}

static void the_driver_is_asked_about_a_sent_one(void **state)
{
    unsigned char bytes[8] = { 0 };
    (void)state;
    stops = 0;
    pends = true;
    ntmm_request *request = read_begin(bytes, sizeof bytes);
    WdfRequestFormatRequestUsingCurrentType(queued);
    WdfRequestSetCompletionRoutine(queued, complete_queued, NULL);
    assert_true(WdfRequestSend(queued, target, WDF_NO_SEND_OPTIONS));
    assert_int_equal(wdf_test_pnp(IRP_MN_STOP_DEVICE, NULL), STATUS_SUCCESS);
    assert_int_equal(stops, 1);
    let_go(STATUS_SUCCESS, 0);
    assert_int_equal(ntmm_request_end(request, NULL), STATUS_SUCCESS);
}

static void sends_and_forgets(void **state)
{
    WDF_REQUEST_SEND_OPTIONS options;
    unsigned char            bytes[8] = { 0 };
    (void)state;
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET);
    ntmm_request *request = read_begin(bytes, sizeof bytes);
    assert_true(WdfRequestSend(queued, target, &options));
    assert_int_equal(ntmm_request_end(request, NULL), STATUS_SUCCESS);
    assert_int_equal(bytes[7], 6);
    WDFREQUEST own = new_request();
    assert_false(WdfRequestSend(own, target, &options));
    assert_int_equal(WdfRequestGetStatus(own), STATUS_INVALID_DEVICE_STATE);
    WdfObjectDelete(own);
}

static void memory_with_another_request(void **state)
{
    unsigned char bytes[8] = { 0 };
    WDFMEMORY     memory;
    (void)state;
    pends = true;
    (void)read_begin(bytes, sizeof bytes);
    WDFREQUEST own = new_request();
    assert_int_equal(WdfRequestRetrieveOutputMemory(queued, &memory), STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, own, memory, NULL, NULL), STATUS_SUCCESS);
    assert_true(WdfRequestSend(own, target, WDF_NO_SEND_OPTIONS));
    let_go(STATUS_SUCCESS, 8);
    assert_bugcheck_all(WDF_VIOLATION, WDF_VERIFIER_FATAL_ERROR, queued, 1, ntmm_cmocka_caught.parameter[3],
                        WdfRequestComplete(queued, STATUS_SUCCESS));
}

static void memory_with_another_request_reused(void **state)
{
    unsigned char bytes[8] = { 0 };
    WDFMEMORY     memory;
    LONGLONG      offset = 3;
    (void)state;
    ntmm_request *request = read_begin(bytes, sizeof bytes);
    WDFREQUEST    own = new_request();
    assert_int_equal(WdfRequestRetrieveOutputMemory(queued, &memory), STATUS_SUCCESS);
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, own, memory, NULL, &offset), STATUS_SUCCESS);
    assert_true(WdfRequestSend(own, target, WDF_NO_SEND_OPTIONS));
    reuse(own);
    WdfRequestCompleteWithInformation(queued, STATUS_SUCCESS, 8);
    assert_int_equal(ntmm_request_end(request, NULL), STATUS_SUCCESS);
    assert_int_equal(bytes[7], 3);
    WdfObjectDelete(own);
}

/* ---- options, failures ---- */

static void wrong_options(void **state)
{
    WDF_REQUEST_SEND_OPTIONS options;
    (void)state;
    WDFREQUEST request = new_request();
    assert_int_equal(WdfIoTargetFormatRequestForRead(target, request, NULL, NULL, NULL), STATUS_SUCCESS);
    WDF_REQUEST_SEND_OPTIONS_INIT(&options, WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET | WDF_REQUEST_SEND_OPTION_SYNCHRONOUS);
    assert_int_equal(WdfIoTargetSendReadSynchronously(target, NULL, NULL, NULL, &options, NULL), STATUS_INVALID_PARAMETER);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfRequestSend(request, target, &options));
}

static void reuse_is_checked(void **state)
{
    WDF_REQUEST_REUSE_PARAMS params;
    unsigned char            bytes[8];
    (void)state;
    WDFREQUEST request = new_request();
    WDF_REQUEST_REUSE_PARAMS_INIT(&params, 8, STATUS_SUCCESS);
    assert_int_equal(WdfRequestReuse(request, &params), STATUS_INVALID_PARAMETER);
    ntmm_request *incoming = read_begin(bytes, sizeof bytes);
    PIRP          irp = IoAllocateIrp(2, FALSE);
    WDF_REQUEST_REUSE_PARAMS_INIT(&params, WDF_REQUEST_REUSE_NO_FLAGS, STATUS_SUCCESS);
    WDF_REQUEST_REUSE_PARAMS_SET_NEW_IRP(&params, irp);
    assert_int_equal(WdfRequestReuse(queued, &params), STATUS_WDF_REQUEST_INVALID_STATE);
    assert_int_equal(WdfRequestReuse(request, &params), STATUS_SUCCESS);
    assert_ptr_equal(WdfRequestWdmGetIrp(request), irp);
    WdfRequestComplete(queued, STATUS_SUCCESS);
    assert_int_equal(ntmm_request_end(incoming, NULL), STATUS_SUCCESS);
    WdfObjectDelete(request);
    IoFreeIrp(irp); /* it stays the driver's */
}

static void trip(void *context)
{
    WDF_MEMORY_DESCRIPTOR in, out;
    unsigned char         bytes[16] = { 0 };
    (void)context;
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&in, bytes, 8);
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&out, bytes + 8, 8);
    NTSTATUS status = WdfIoTargetSendIoctlSynchronously(target, NULL, IOCTL(METHOD_BUFFERED), &in, &out, NULL, NULL);
    assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
    lower.Flags = DO_DIRECT_IO;
    status = WdfIoTargetSendReadSynchronously(target, NULL, &in, NULL, NULL, NULL);
    assert_true(status == STATUS_SUCCESS || status == STATUS_INSUFFICIENT_RESOURCES);
}
static void survives_each_failure(void **state)
{
    (void)state;
    assert_true(ntmm_for_each_failure(trip, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(reads),
        row(reads_directly),
        row(reads_raw),
        row(reads_a_part),
        row(writes_and_sends_again),
        row(controls),
        row(memory_is_kept_until_reuse),
        row(comes_back_later),
        row(is_cancelled_on_its_way),
        row(is_sent_once),
        row(needs_an_irp),
        row(needs_a_location),
        row(waits_while_stopped),
        row(ignores_a_stopped_target),
        row(a_purge_cancels),
        row(closes_and_opens_again),
        row(sends_and_waits),
        row(every_descriptor_will_do),
        row(asks_for_an_interface),
        row(a_timeout_cancels),
        cmocka_unit_test_setup_teardown(a_timeout_cancels_without_a_waiter, setup_stopped, teardown_stopped),
        row(passes_a_queued_one_on),
        row(the_driver_is_asked_about_a_sent_one),
        row(sends_and_forgets),
        row(memory_with_another_request),
        row(memory_with_another_request_reused),
        row(wrong_options),
        row(reuse_is_checked),
        row(survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
