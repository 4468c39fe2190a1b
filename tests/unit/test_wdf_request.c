/*
 * test_wdf_request.c - requests of a framework device: their memory in every kind of transfer, completing them, what stops the machine; and file
 * objects.
 */
#include "../support/wdf_device.h"

#define IOCTL(method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, method, FILE_ANY_ACCESS)
#define IOCTL_NUMBER(number, method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), method, FILE_ANY_ACCESS)

typedef struct REQUEST_CONTEXT {
    ULONG number;
} REQUEST_CONTEXT;
WDF_DECLARE_CONTEXT_TYPE(REQUEST_CONTEXT)

static WDF_DEVICE_IO_TYPE io_type;
static WDFREQUEST         kept; /* the last one */
static WDFQUEUE           queue;
static char               called[32];
static unsigned char      in[16], out[16];

static void note(char what)
{
    size_t end = strlen(called);
    called[end] = what;
    called[end + 1] = '\0';
}
static VOID on_default(WDFQUEUE from, WDFREQUEST request)
{
    (void)from;
    kept = request;
}
static VOID on_cleanup(WDFOBJECT object)
{
    (void)object;
    note('c');
}
static VOID on_destroy(WDFOBJECT object)
{
    assert_non_null(object);
    note('d');
}

static NTSTATUS make_queue(WDFDEVICE device)
{
    WDF_IO_QUEUE_CONFIG config;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDefault = on_default;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &queue);
}
static VOID    in_context(WDFDEVICE device, WDFREQUEST request);
static BOOLEAN with_context_callback, with_files;
static VOID    on_create(WDFDEVICE device, WDFREQUEST request, WDFFILEOBJECT file);
static VOID    on_file_cleanup(WDFFILEOBJECT file);
static VOID    on_file_close(WDFFILEOBJECT file);
static VOID    init(PWDFDEVICE_INIT device)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_FILEOBJECT_CONFIG files;
    WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(&attributes, REQUEST_CONTEXT);
    attributes.EvtCleanupCallback = on_cleanup;
    attributes.EvtDestroyCallback = on_destroy;
    WdfDeviceInitSetIoType(device, io_type);
    WdfDeviceInitSetRequestAttributes(device, &attributes);
    if (with_context_callback)
        WdfDeviceInitSetIoInCallerContextCallback(device, in_context);
    WDF_FILEOBJECT_CONFIG_INIT(&files, on_create, on_file_close, on_file_cleanup);
    if (with_files)
        WdfDeviceInitSetFileObjectConfig(device, &files, WDF_NO_OBJECT_ATTRIBUTES);
}

static int setup_as(void **state, WDF_DEVICE_IO_TYPE type, BOOLEAN context_callback, BOOLEAN files)
{
    io_type = type;
    kept = NULL;
    called[0] = '\0';
    with_context_callback = context_callback;
    with_files = files;
    wdf_device_init = init;
    wdf_device_made = make_queue;
    memset(in, 7, sizeof in);
    memset(out, 0, sizeof out);
    return wdf_device_setup(state);
}
static int setup(void **state) { return setup_as(state, WdfDeviceIoBuffered, FALSE, FALSE); }
static int setup_direct(void **state) { return setup_as(state, WdfDeviceIoDirect, FALSE, FALSE); }
static int setup_neither(void **state) { return setup_as(state, WdfDeviceIoNeither, TRUE, FALSE); }
static int setup_files(void **state) { return setup_as(state, WdfDeviceIoBuffered, FALSE, TRUE); }
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)
#define row_as(test, how) cmocka_unit_test_setup_teardown(test, setup_##how, wdf_device_teardown)

static ntmm_request *control(ULONG code, uint32_t in_bytes, uint32_t out_bytes)
{
    return ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_DEVICE_CONTROL,
                                                                         .code = code,
                                                                         .input = in,
                                                                         .input_bytes = in_bytes,
                                                                         .output = out,
                                                                         .output_bytes = out_bytes });
}
static ntmm_request *read_begin(void)
{
    return ntmm_request_begin(
        wdf_test_object(),
        &(ntmm_request_config){ .function = IRP_MJ_READ, .offset = 0x123456789, .output = out, .output_bytes = sizeof out });
}
static ntmm_request *write_begin(void)
{
    return ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_WRITE, .input = in, .input_bytes = sizeof in });
}
static void finish(ntmm_request *request, NTSTATUS status) { assert_int_equal(ntmm_request_end(request, NULL), status); }

/* ---- buffers ---- */

static void buffered_control(void **state)
{
    PVOID         from = NULL, to = NULL;
    size_t        length = 0;
    ntmm_request *request = control(IOCTL(METHOD_BUFFERED), 8, 12);
    (void)state;
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 9, &from, &length), STATUS_BUFFER_TOO_SMALL);
    assert_null(from);
    assert_int_equal(length, 0);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 8, &from, &length), STATUS_SUCCESS);
    assert_int_equal(length, 8);
    assert_memory_equal(from, in, 8);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 13, &to, NULL), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 12, &to, &length), STATUS_SUCCESS);
    assert_int_equal(length, 12);
    assert_ptr_equal(to, from); /* one system buffer */
    memset(to, 9, 12);
    WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, 12);
    finish(request, STATUS_SUCCESS);
    assert_int_equal(out[11], 9);
}

static void direct_controls(void **state)
{
    PVOID  from = NULL, to = NULL;
    size_t length = 0;
    PMDL   mdl = NULL, same = NULL;
    (void)state;
    ntmm_request *request = control(IOCTL(METHOD_OUT_DIRECT), 8, 12);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &from, &length), STATUS_SUCCESS);
    assert_int_equal(length, 8);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 1, &to, &length), STATUS_SUCCESS);
    assert_int_equal(length, 12);
    assert_int_equal(WdfRequestRetrieveOutputWdmMdl(kept, &mdl), STATUS_SUCCESS);
    assert_ptr_equal(mdl, ntmm_request_irp(request)->MdlAddress);
    assert_int_equal(WdfRequestRetrieveInputWdmMdl(kept, &mdl), STATUS_SUCCESS);
    assert_ptr_not_equal(mdl, ntmm_request_irp(request)->MdlAddress);
    assert_int_equal(MmGetMdlByteCount(mdl), 8);
    assert_int_equal(WdfRequestRetrieveInputWdmMdl(kept, &same), STATUS_SUCCESS);
    assert_ptr_equal(same, mdl);
    memset(to, 5, 12);
    WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, 12);
    finish(request, STATUS_SUCCESS);
    assert_int_equal(out[11], 5);
}

static void raw_controls(void **state)
{
    PVOID  from = NULL, to = NULL;
    PMDL   mdl;
    size_t length;
    (void)state;
    ntmm_request *request = control(IOCTL(METHOD_NEITHER), 8, 12); /* from kernel code */
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &from, &length), STATUS_SUCCESS);
    assert_ptr_equal(from, in);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 1, &to, &length), STATUS_SUCCESS);
    assert_ptr_equal(to, out);
    assert_int_equal(WdfRequestRetrieveInputWdmMdl(kept, &mdl), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRetrieveUnsafeUserInputBuffer(kept, 1, &from, &length), STATUS_INVALID_DEVICE_REQUEST);
    ntmm_request_irp(request)->RequestorMode = UserMode;
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &from, &length), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 1, &to, &length), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestGetRequestorMode(kept), UserMode);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

static void empty_buffers(void **state)
{
    PVOID     buffer;
    WDFMEMORY memory;
    PMDL      mdl;
    (void)state;
    ntmm_request *request = control(IOCTL(METHOD_BUFFERED), 0, 0);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 0, &buffer, NULL), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 0, &buffer, NULL), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(WdfRequestRetrieveInputMemory(kept, &memory), STATUS_BUFFER_TOO_SMALL);
    assert_int_equal(WdfRequestRetrieveOutputWdmMdl(kept, &mdl), STATUS_BUFFER_TOO_SMALL);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

static void transfers(void **state)
{
    PVOID  buffer = NULL;
    size_t length = 0;
    PMDL   mdl = NULL;
    (void)state;
    ntmm_request *request = read_begin();
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &buffer, &length), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRetrieveInputWdmMdl(kept, &mdl), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, sizeof out, &buffer, &length), STATUS_SUCCESS);
    assert_int_equal(length, sizeof out);
    assert_int_equal(WdfRequestRetrieveOutputWdmMdl(kept, &mdl), STATUS_SUCCESS);
    memset(buffer, 3, length);
    WdfRequestSetInformation(kept, length);
    assert_int_equal(WdfRequestGetInformation(kept), length);
    WdfRequestCompleteWithPriorityBoost(kept, STATUS_SUCCESS, IO_DISK_INCREMENT);
    finish(request, STATUS_SUCCESS);
    assert_int_equal(out[15], 3);
    request = write_begin();
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 1, &buffer, &length), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &buffer, &length), STATUS_SUCCESS);
    assert_memory_equal(buffer, in, sizeof in);
    WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, sizeof in);
    finish(request, STATUS_SUCCESS);
}

/* ---- memory objects ---- */

/* What comes from the sender, and nobody copies back, is not for the driver to change: KMDF 1.33 refuses that. */
static void what_is_only_to_be_read(void **state)
{
    static const struct {
        ULONG    method;
        NTSTATUS input, output;
    } rows[] = { { METHOD_BUFFERED, STATUS_SUCCESS, STATUS_SUCCESS },
                 { METHOD_IN_DIRECT, STATUS_ACCESS_VIOLATION, STATUS_ACCESS_VIOLATION },
                 { METHOD_OUT_DIRECT, STATUS_ACCESS_VIOLATION, STATUS_SUCCESS } };
    WDFMEMORY memory;
    char      byte = 1;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ntmm_request *request = control(IOCTL(rows[i].method), 8, 12);
        assert_int_equal(WdfRequestRetrieveInputMemory(kept, &memory), STATUS_SUCCESS);
        assert_int_equal(WdfMemoryCopyFromBuffer(memory, 0, &byte, 1), rows[i].input);
        assert_int_equal(WdfMemoryCopyToBuffer(memory, 0, &byte, 1), STATUS_SUCCESS);
        assert_int_equal(WdfRequestRetrieveOutputMemory(kept, &memory), STATUS_SUCCESS);
        assert_int_equal(WdfMemoryCopyFromBuffer(memory, 0, &byte, 1), rows[i].output);
        WdfRequestComplete(kept, STATUS_SUCCESS);
        finish(request, STATUS_SUCCESS);
    }
    ntmm_request *request = write_begin();
    assert_int_equal(WdfRequestRetrieveInputMemory(kept, &memory), STATUS_SUCCESS);
    assert_int_equal(WdfMemoryCopyFromBuffer(memory, 0, &byte, 1), STATUS_ACCESS_VIOLATION);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    request = read_begin();
    assert_int_equal(WdfRequestRetrieveOutputMemory(kept, &memory), STATUS_SUCCESS);
    assert_int_equal(WdfMemoryCopyFromBuffer(memory, 0, &byte, 1), STATUS_SUCCESS);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

static void memory_is_the_requests(void **state)
{
    WDFMEMORY memory, same, other;
    size_t    length;
    PVOID     buffer;
    (void)state;
    ntmm_request *request = control(IOCTL(METHOD_BUFFERED), 8, 12);
    assert_int_equal(WdfRequestRetrieveInputMemory(kept, &memory), STATUS_SUCCESS);
    assert_int_equal(WdfRequestRetrieveInputMemory(kept, &same), STATUS_SUCCESS);
    assert_ptr_equal(memory, same);
    assert_int_equal(WdfRequestRetrieveOutputMemory(kept, &other), STATUS_SUCCESS);
    assert_ptr_not_equal(memory, other);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &buffer, NULL), STATUS_SUCCESS);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, &length), buffer);
    assert_int_equal(length, 8);
    assert_int_equal(WdfMemoryCopyFromBuffer(other, 0, in, 12), STATUS_SUCCESS);
    WdfObjectDelete(memory); /* the framework's alone */
    WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, 12);
    finish(request, STATUS_SUCCESS);
    assert_memory_equal(out, in, 12);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfMemoryGetBuffer(memory, NULL));
}

static void own_memory_survives_if_referenced(void **state)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFMEMORY             memory;
    PVOID                 buffer;
    (void)state;
    ntmm_request *request = read_begin();
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = kept;
    assert_int_equal(WdfMemoryCreate(&attributes, NonPagedPoolNx, 0, 100, &memory, &buffer), STATUS_SUCCESS);
    WdfObjectReference(memory);
    WdfRequestComplete(kept, STATUS_UNSUCCESSFUL);
    finish(request, STATUS_UNSUCCESSFUL);
    memset(buffer, 1, 100);
    assert_ptr_equal(WdfMemoryGetBuffer(memory, NULL), buffer);
    WdfObjectDereference(memory);
}

static void referenced_memory_of_a_complete_request(void **state)
{
    WDFMEMORY memory;
    (void)state;
    (void)read_begin();
    assert_int_equal(WdfRequestRetrieveOutputMemory(kept, &memory), STATUS_SUCCESS);
    WdfObjectReference(memory);
    WdfObjectReference(memory);
    assert_bugcheck(WDF_VIOLATION, WDF_VERIFIER_FATAL_ERROR, WdfRequestComplete(kept, STATUS_SUCCESS));
    assert_int_equal(ntmm_cmocka_caught.parameter[1], (uintptr_t)kept);
    assert_int_equal(ntmm_cmocka_caught.parameter[2], 2);
}

/* ---- completing ---- */

static void cleanup_comes_before_destroy(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfObjectGet_REQUEST_CONTEXT(kept)->number = 3;
    WdfObjectReference(kept);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    assert_string_equal(called, "c");
    finish(request, STATUS_SUCCESS);
    assert_null(WdfRequestWdmGetIrp(kept));
    assert_int_equal(WdfObjectGet_REQUEST_CONTEXT(kept)->number, 3);
    PVOID buffer;
    assert_int_equal(WdfRequestRetrieveOutputBuffer(kept, 0, &buffer, NULL), STATUS_INTERNAL_ERROR);
    WdfObjectDereference(kept);
    assert_string_equal(called, "cd");
}

static void more_bytes_data(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    assert_bugcheck(WDF_VIOLATION, WDF_REQUEST_FATAL_ERROR, WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, sizeof out + 1));
    const WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA *data =
        (const WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA *)ntmm_cmocka_caught.parameter[2];
    assert_int_equal(ntmm_cmocka_caught.parameter[1], WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH);
    assert_ptr_equal(data->Request, kept);
    assert_ptr_equal(data->Irp, ntmm_request_irp(request));
    assert_int_equal(data->OutputBufferLength, sizeof out);
    assert_int_equal(data->Information, sizeof out + 1);
    assert_int_equal(data->MajorFunction, IRP_MJ_READ);
}
static void a_failure_may_say_more(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfRequestCompleteWithInformation(kept, STATUS_BUFFER_TOO_SMALL, 1000);
    finish(request, STATUS_BUFFER_TOO_SMALL);
}

static void completing_twice(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfRequestComplete(kept, STATUS_SUCCESS));
}
static void completing_a_referenced_one_twice(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfObjectReference(kept);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfRequestComplete(kept, STATUS_SUCCESS));
}
static VOID never(WDFREQUEST request) { (void)request; }
static void completing_a_marked_one(void **state)
{
    (void)state;
    (void)read_begin();
    WdfRequestMarkCancelable(kept, never);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfRequestComplete(kept, STATUS_SUCCESS));
}
static void completing_one_of_the_drivers_own(void **state)
{
    WDFREQUEST request;
    (void)state;
    assert_int_equal(WdfRequestCreate(WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE, &request), STATUS_SUCCESS);
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfRequestComplete(request, STATUS_SUCCESS));
}
static void deleting_is_not_for_drivers(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfObjectDelete(kept);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}
static void framework_statuses_stay_inside(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfRequestComplete(kept, STATUS_WDF_BUSY);
    finish(request, STATUS_DEVICE_BUSY);
    request = read_begin();
    WdfRequestComplete(kept, STATUS_WDF_TOO_FRAGMENTED);
    finish(request, STATUS_INVALID_DEVICE_REQUEST);
}

static void null_and_irql(void **state)
{
    (void)state;
    (void)read_begin();
    assert_bugcheck(WDF_VIOLATION, WDF_REQUIRED_PARAMETER_IS_NULL, WdfRequestRetrieveOutputBuffer(kept, 0, NULL, NULL));
}
static void completes_at_dispatch_level(void **state)
{
    KIRQL old;
    (void)state;
    ntmm_request *request = read_begin();
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    KeLowerIrql(old);
    finish(request, STATUS_SUCCESS);
}

/* ---- what it says ---- */

static void parameters(void **state)
{
    WDF_REQUEST_PARAMETERS is;
    (void)state;
    ntmm_request *request = read_begin();
    WDF_REQUEST_PARAMETERS_INIT(&is);
    WdfRequestGetParameters(kept, &is);
    assert_int_equal(is.Type, WdfRequestTypeRead);
    assert_int_equal(is.Parameters.Read.Length, sizeof out);
    assert_int_equal(is.Parameters.Read.DeviceOffset, 0x123456789);
    assert_ptr_equal(WdfRequestWdmGetIrp(kept), ntmm_request_irp(request));
    assert_false(WdfRequestIsFrom32BitProcess(kept));
    assert_false(WdfRequestIsReserved(kept));
    assert_ptr_equal(WdfRequestGetIoQueue(kept), queue);
    assert_null(WdfRequestGetFileObject(kept));
    assert_int_equal(WdfRequestGetRequestorProcessId(kept), (ULONG)(ULONG_PTR)PsGetCurrentProcessId());
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    request = control(IOCTL_NUMBER(9, METHOD_NEITHER), 4, 6);
    WdfRequestGetParameters(kept, &is);
    assert_int_equal(is.Type, WdfRequestTypeDeviceControl);
    assert_int_equal(is.Parameters.DeviceIoControl.IoControlCode, IOCTL_NUMBER(9, METHOD_NEITHER));
    assert_int_equal(is.Parameters.DeviceIoControl.InputBufferLength, 4);
    assert_int_equal(is.Parameters.DeviceIoControl.OutputBufferLength, 6);
    assert_null(is.Parameters.DeviceIoControl.Type3InputBuffer);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

/* ---- in the caller's context ---- */

static WDFMEMORY user_memory;
static NTSTATUS  probed;
static VOID      in_context(WDFDEVICE device, WDFREQUEST request)
{
    PVOID  buffer = NULL;
    size_t length = 0;
    assert_irql(PASSIVE_LEVEL);
    note('i');
    if (WdfRequestRetrieveUnsafeUserOutputBuffer(request, 4, &buffer, &length) == STATUS_SUCCESS)
        probed = WdfRequestProbeAndLockUserBufferForWrite(request, buffer, length, &user_memory);
    else if (WdfRequestRetrieveUnsafeUserInputBuffer(request, 4, &buffer, &length) == STATUS_SUCCESS)
        probed = WdfRequestProbeAndLockUserBufferForRead(request, buffer, length, &user_memory);
    if (!NT_SUCCESS(probed))
        WdfRequestComplete(request, probed);
    else
        assert_int_equal(WdfDeviceEnqueueRequest(device, request), STATUS_SUCCESS);
}

static void locks_a_users_buffer(void **state)
{
    (void)state;
    ntmm_process  *process = ntmm_process_create();
    unsigned char *user = ntmm_user_alloc(process, PAGE_SIZE, PAGE_READWRITE);
    ntmm_process_attach(process);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = user, .output_bytes = 100, .user_mode = true });
    ntmm_process_attach(NULL);
    assert_string_equal(called, "i");
    assert_int_equal(probed, STATUS_SUCCESS);
    size_t length;
    memset(WdfMemoryGetBuffer(user_memory, &length), 0x5a, 100);                       /* in another process by now */
    assert_int_equal(WdfMemoryCopyFromBuffer(user_memory, 1, "Z", 1), STATUS_SUCCESS); /* locked for writing */
    assert_int_equal(length, 100);
    WdfRequestCompleteWithInformation(kept, STATUS_SUCCESS, 100);
    finish(request, STATUS_SUCCESS);
    ntmm_process_attach(process);
    assert_int_equal(user[99], 0x5a);
    ntmm_process_attach(NULL);
    ntmm_process_destroy(process); /* nothing is locked any more */
}

static void refuses_a_bad_user_buffer(void **state)
{
    (void)state;
    ntmm_process *process = ntmm_process_create();
    void         *user = ntmm_user_alloc(process, PAGE_SIZE, PAGE_READONLY);
    ntmm_process_attach(process);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = user, .output_bytes = 100, .user_mode = true });
    ntmm_process_attach(NULL);
    finish(request, STATUS_ACCESS_VIOLATION);
    ntmm_process_destroy(process);
}

static void raw_writes(void **state)
{
    PVOID buffer;
    (void)state;
    probed = STATUS_SUCCESS;
    ntmm_process *process = ntmm_process_create();
    void         *user = ntmm_user_alloc(process, PAGE_SIZE, PAGE_READWRITE);
    ntmm_process_attach(process);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_WRITE, .input = user, .input_bytes = 10, .user_mode = true });
    ntmm_process_attach(NULL);
    assert_int_equal(WdfRequestRetrieveInputBuffer(kept, 1, &buffer, NULL), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestProbeAndLockUserBufferForRead(kept, user, 0, &user_memory), STATUS_INVALID_USER_BUFFER);
    assert_int_equal(WdfDeviceEnqueueRequest(wdf_test_device, kept), STATUS_INVALID_DEVICE_REQUEST); /* it was */
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    ntmm_process_destroy(process);
}

static VOID from_another_thread(PVOID context)
{
    *(NTSTATUS *)context = WdfRequestProbeAndLockUserBufferForRead(kept, in, sizeof in, &user_memory);
    PsTerminateSystemThread(STATUS_SUCCESS);
}
static void a_foreign_thread_may_not(void **state)
{
    NTSTATUS status = STATUS_SUCCESS;
    HANDLE   thread;
    PVOID    object;
    (void)state;
    probed = STATUS_SUCCESS;
    ntmm_process *process = ntmm_process_create();
    void         *user = ntmm_user_alloc(process, PAGE_SIZE, PAGE_READWRITE);
    ntmm_process_attach(process);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_WRITE, .input = user, .input_bytes = 10, .user_mode = true });
    ntmm_process_attach(NULL);
    assert_int_equal(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, from_another_thread, &status), STATUS_SUCCESS);
    assert_int_equal(ObReferenceObjectByHandle(thread, THREAD_ALL_ACCESS, NULL, KernelMode, &object, NULL), STATUS_SUCCESS);
    (void)KeWaitForSingleObject(object, Executive, KernelMode, FALSE, NULL);
    ObDereferenceObject(object);
    (void)ZwClose(thread);
    assert_int_equal(status, STATUS_ACCESS_VIOLATION);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    ntmm_process_destroy(process);
}

/* ---- files ---- */

static NTSTATUS      create_status;
static WDFFILEOBJECT opened;
static VOID          on_create(WDFDEVICE device, WDFREQUEST request, WDFFILEOBJECT file)
{
    assert_ptr_equal(device, wdf_test_device);
    note('C');
    opened = file;
    WdfRequestComplete(request, create_status);
}
static VOID on_file_cleanup(WDFFILEOBJECT file)
{
    assert_ptr_equal(file, opened);
    note('u');
}
static VOID on_file_close(WDFFILEOBJECT file)
{
    assert_ptr_equal(file, opened);
    note('l');
}
static NTSTATUS file_request(UCHAR function, PFILE_OBJECT file)
{
    return ntmm_request_end(ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = function, .file = file }), NULL);
}

static void files_come_and_go(void **state)
{
    FILE_OBJECT file = { .Type = 5, .Size = sizeof file, .Flags = 0x42 };
    (void)state;
    create_status = STATUS_SUCCESS;
    assert_int_equal(file_request(IRP_MJ_CREATE, &file), STATUS_SUCCESS);
    assert_ptr_equal(WdfFileObjectWdmGetFileObject(opened), &file);
    assert_ptr_equal(WdfFileObjectGetDevice(opened), wdf_test_device);
    assert_ptr_equal(WdfFileObjectGetFileName(opened), &file.FileName);
    assert_int_equal(WdfFileObjectGetFlags(opened), 0x42);
    assert_int_equal(WdfFileObjectGetInitiatorProcessId(opened), (ULONG)(ULONG_PTR)PsGetCurrentProcessId());
    assert_ptr_equal(WdfDeviceGetFileObject(wdf_test_device, &file), opened);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = out, .output_bytes = 4, .file = &file });
    assert_ptr_equal(WdfRequestGetFileObject(kept), opened);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
    called[0] = '\0';
    assert_int_equal(file_request(IRP_MJ_CLEANUP, &file), STATUS_SUCCESS);
    assert_int_equal(file_request(IRP_MJ_CLOSE, &file), STATUS_SUCCESS);
    assert_string_equal(called, "ul");
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfFileObjectGetDevice(opened));
}

static void a_failed_create_leaves_no_file(void **state)
{
    FILE_OBJECT file = { .Type = 5, .Size = sizeof file };
    (void)state;
    create_status = STATUS_ACCESS_DENIED;
    assert_int_equal(file_request(IRP_MJ_CREATE, &file), STATUS_ACCESS_DENIED);
    assert_null(WdfDeviceGetFileObject(wdf_test_device, &file));
    assert_int_equal(file_request(IRP_MJ_CREATE, NULL), STATUS_INVALID_DEVICE_REQUEST); /* no FILE_OBJECT */
}

static void cleanup_cancels_what_waits(void **state)
{
    FILE_OBJECT file = { .Type = 5, .Size = sizeof file };
    (void)state;
    create_status = STATUS_SUCCESS;
    assert_int_equal(file_request(IRP_MJ_CREATE, &file), STATUS_SUCCESS);
    WdfIoQueueStopSynchronously(queue);
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = out, .output_bytes = 4, .file = &file });
    ntmm_request *another = read_begin();
    assert_int_equal(file_request(IRP_MJ_CLEANUP, &file), STATUS_SUCCESS);
    finish(request, STATUS_CANCELLED);
    assert_true(ntmm_request_is_pending(another));
    WdfIoQueueStart(queue);
    WdfRequestComplete(kept, STATUS_SUCCESS);
    finish(another, STATUS_SUCCESS);
    assert_int_equal(file_request(IRP_MJ_CLOSE, &file), STATUS_SUCCESS);
}

static void without_files_creates_succeed(void **state)
{
    FILE_OBJECT file = { .Type = 5, .Size = sizeof file };
    (void)state;
    assert_int_equal(file_request(IRP_MJ_CREATE, &file), STATUS_SUCCESS);
    assert_null(WdfDeviceGetFileObject(wdf_test_device, &file));
    assert_int_equal(file_request(IRP_MJ_CLEANUP, &file), STATUS_SUCCESS);
    assert_int_equal(file_request(IRP_MJ_CLOSE, &file), STATUS_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(buffered_control),
        row(direct_controls),
        row(raw_controls),
        row(empty_buffers),
        row(transfers),
        row_as(transfers, direct),
        row(what_is_only_to_be_read),
        row_as(what_is_only_to_be_read, direct),
        row(memory_is_the_requests),
        row(own_memory_survives_if_referenced),
        row(referenced_memory_of_a_complete_request),
        row(cleanup_comes_before_destroy),
        row(more_bytes_data),
        row(a_failure_may_say_more),
        row(completing_twice),
        row(completing_a_referenced_one_twice),
        row(completing_a_marked_one),
        row(completing_one_of_the_drivers_own),
        row(deleting_is_not_for_drivers),
        row(framework_statuses_stay_inside),
        row(null_and_irql),
        row(completes_at_dispatch_level),
        row(parameters),
        row_as(locks_a_users_buffer, neither),
        row_as(refuses_a_bad_user_buffer, neither),
        row_as(raw_writes, neither),
        row_as(a_foreign_thread_may_not, neither),
        row_as(files_come_and_go, files),
        row_as(a_failed_create_leaves_no_file, files),
        row_as(cleanup_cancels_what_waits, files),
        row(without_files_creates_succeed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
