/*
 * test_wdf_queue.c - queues of a framework device: what is delivered, when, to which callback, at which IRQL; stopping, draining, purging;
 * cancelling; power.
 */
#include "../support/wdf_device.h"

#include <pthread.h>

#define IOCTL(number) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), METHOD_BUFFERED, FILE_ANY_ACCESS)
#define KEPT_MAX 8

/* ---- the driver: it keeps every request that its callbacks get ---- */

static WDFQUEUE               queue, other;
static WDF_IO_QUEUE_CONFIG    config;
static WDF_OBJECT_ATTRIBUTES  queue_attributes;
static PWDF_OBJECT_ATTRIBUTES queue_attributes_used;
static WDFREQUEST             kept[KEPT_MAX];
static int                    kept_count;
static char                   called[64]; /* a letter for each callback */
static size_t                 lengths[2];
static ULONG                  code;
static KIRQL                  irql;
static KEVENT                 delivered;

static void note(char what)
{
    size_t end = strlen(called);
    called[end] = what;
    called[end + 1] = '\0';
}
static void keep(char what, WDFREQUEST request)
{
    note(what);
    irql = KeGetCurrentIrql();
    kept[kept_count++ % KEPT_MAX] = request;
    (void)KeSetEvent(&delivered, IO_NO_INCREMENT, FALSE);
}
static VOID on_default(WDFQUEUE from, WDFREQUEST request) { (void)from, keep('d', request); }
static VOID on_read(WDFQUEUE from, WDFREQUEST request, size_t length)
{
    (void)from;
    lengths[0] = length;
    keep('r', request);
}
static VOID on_write(WDFQUEUE from, WDFREQUEST request, size_t length)
{
    (void)from;
    lengths[0] = length;
    keep('w', request);
}
static VOID on_control(WDFQUEUE from, WDFREQUEST request, size_t output, size_t input, ULONG control_code)
{
    (void)from;
    lengths[0] = output;
    lengths[1] = input;
    code = control_code;
    keep('c', request);
}
static VOID on_internal(WDFQUEUE from, WDFREQUEST request, size_t output, size_t input, ULONG control_code)
{
    (void)from, (void)output, (void)input, (void)control_code;
    keep('i', request);
}
static VOID on_cancelled_on_queue(WDFQUEUE from, WDFREQUEST request)
{
    (void)from;
    note('q');
    WdfRequestComplete(request, STATUS_CANCELLED);
}
static VOID on_cancel(WDFREQUEST request)
{
    note('x');
    WdfRequestComplete(request, STATUS_CANCELLED);
}
static BOOLEAN stop_requeues, stop_completes;
static ULONG   stop_flags;
static VOID    on_stop(WDFQUEUE from, WDFREQUEST request, ULONG flags)
{
    (void)from;
    note('S');
    stop_flags = flags;
    if (stop_completes)
        WdfRequestComplete(request, STATUS_DEVICE_NOT_READY);
    else
        WdfRequestStopAcknowledge(request, stop_requeues);
}
static VOID on_resume(WDFQUEUE from, WDFREQUEST request)
{
    (void)from, (void)request;
    note('R');
}
static VOID on_state(WDFQUEUE from, WDFCONTEXT context)
{
    assert_ptr_equal(from, queue);
    note(*(char *)context);
}

static NTSTATUS make_queues(WDFDEVICE device)
{
    NTSTATUS status = WdfIoQueueCreate(device, &config, queue_attributes_used, &queue);
    if (!NT_SUCCESS(status))
        return status;
    WDF_IO_QUEUE_CONFIG manual;
    WDF_IO_QUEUE_CONFIG_INIT(&manual, WdfIoQueueDispatchManual);
    return WdfIoQueueCreate(device, &manual, WDF_NO_OBJECT_ATTRIBUTES, &other);
}

static void reset(WDF_IO_QUEUE_DISPATCH_TYPE type)
{
    memset(kept, 0, sizeof kept);
    kept_count = 0;
    called[0] = '\0';
    stop_requeues = stop_completes = FALSE;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, type);
    config.EvtIoRead = on_read;
    config.EvtIoWrite = on_write;
    config.EvtIoDeviceControl = on_control;
    config.EvtIoInternalDeviceControl = on_internal;
    WDF_OBJECT_ATTRIBUTES_INIT(&queue_attributes);
    queue_attributes_used = NULL;
    wdf_device_init = NULL;
    wdf_device_made = make_queues;
}

/* Once more, with another queue. */
static void restart(void)
{
    wdf_test_unload();
    kept_count = 0;
    called[0] = '\0';
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_int_equal(wdf_test_pnp(IRP_MN_START_DEVICE, NULL), STATUS_SUCCESS);
}

static int setup(void **state)
{
    reset(WdfIoQueueDispatchParallel);
    int result = wdf_device_setup(state);
    KeInitializeEvent(&delivered, SynchronizationEvent, FALSE);
    return result;
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

static unsigned char bytes[16];
static ntmm_request *read_begin(void)
{
    ntmm_request *request = ntmm_request_begin(
        wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = bytes, .output_bytes = sizeof bytes });
    assert_non_null(request);
    return request;
}
static void expect_counts(WDFQUEUE of, ULONG waiting, ULONG with_driver)
{
    ULONG queued = 99, driver = 99;
    (void)WdfIoQueueGetState(of, &queued, &driver);
    assert_int_equal(queued, waiting);
    assert_int_equal(driver, with_driver);
}
static void finish(ntmm_request *request, NTSTATUS status) { assert_int_equal(ntmm_request_end(request, NULL), status); }
static void complete_kept(int i) { WdfRequestCompleteWithInformation(kept[i], STATUS_SUCCESS, 3); }

/* ---- what goes where ---- */

static void delivers_each_kind(void **state)
{
    (void)state;
    size_t        transferred;
    ntmm_request *request = read_begin();
    assert_true(ntmm_request_is_pending(request));
    assert_int_equal(lengths[0], sizeof bytes);
    complete_kept(0);
    assert_false(ntmm_request_is_pending(request));
    assert_int_equal(ntmm_request_end(request, &transferred), STATUS_SUCCESS);
    assert_int_equal(transferred, 3);
    request = ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_WRITE, .input = bytes, .input_bytes = 5 });
    assert_int_equal(lengths[0], 5);
    complete_kept(1);
    finish(request, STATUS_SUCCESS);
    request = ntmm_request_begin(
        wdf_test_object(),
        &(ntmm_request_config){
            .function = IRP_MJ_DEVICE_CONTROL, .code = IOCTL(1), .input = bytes, .input_bytes = 4, .output = bytes, .output_bytes = 6 });
    assert_int_equal(code, IOCTL(1));
    assert_int_equal(lengths[0], 6);
    assert_int_equal(lengths[1], 4);
    complete_kept(2);
    finish(request, STATUS_SUCCESS);
    request = ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_INTERNAL_DEVICE_CONTROL, .code = IOCTL(2) });
    complete_kept(3);
    finish(request, STATUS_SUCCESS);
    assert_string_equal(called, "rwci");
    assert_ptr_equal(WdfIoQueueGetDevice(queue), wdf_test_device);
    assert_ptr_equal(WdfDeviceGetDefaultQueue(wdf_test_device), queue);
}

static void falls_back_to_the_default_callback(void **state)
{
    (void)state;
    config.EvtIoRead = NULL;
    config.EvtIoDefault = on_default;
    restart();
    ntmm_request *request = read_begin();
    assert_string_equal(called, "d");
    complete_kept(0);
    finish(request, STATUS_SUCCESS);
}

static void refuses_what_nobody_wants(void **state)
{
    (void)state;
    config.EvtIoRead = NULL;
    restart();
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, bytes, sizeof bytes, NULL), STATUS_INVALID_DEVICE_REQUEST);
    assert_string_equal(called, "");
}

static void completes_empty_transfers_itself(void **state)
{
    (void)state;
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, NULL, 0, NULL), STATUS_SUCCESS);
    assert_string_equal(called, "");
    config.AllowZeroLengthRequests = TRUE;
    restart();
    ntmm_request *request = ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_WRITE });
    assert_string_equal(called, "w");
    WdfRequestComplete(kept[0], STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

static void dispatches_by_type(void **state)
{
    (void)state;
    assert_int_equal(WdfDeviceConfigureRequestDispatching(wdf_test_device, other, WdfRequestTypeRead), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceConfigureRequestDispatching(wdf_test_device, queue, WdfRequestTypeRead), STATUS_WDF_BUSY);
    assert_int_equal(WdfDeviceConfigureRequestDispatching(wdf_test_device, other, WdfRequestTypePnp), STATUS_INVALID_PARAMETER);
    ntmm_request *request = read_begin();
    WDFREQUEST    handle;
    assert_string_equal(called, "");
    assert_int_equal(WdfIoQueueRetrieveNextRequest(other, &handle), STATUS_SUCCESS);
    assert_ptr_equal(WdfRequestGetIoQueue(handle), other);
    WdfRequestComplete(handle, STATUS_SUCCESS);
    finish(request, STATUS_SUCCESS);
}

/* ---- how many at once ---- */

static void parallel_delivers_at_once(void **state)
{
    (void)state;
    ntmm_request *requests[3] = { read_begin(), read_begin(), read_begin() };
    expect_counts(queue, 0, 3);
    for (int i = 2; i >= 0; i--) {
        complete_kept(i);
        finish(requests[i], STATUS_SUCCESS);
    }
}

static void parallel_has_a_limit(void **state)
{
    (void)state;
    config.Settings.Parallel.NumberOfPresentedRequests = 2;
    restart();
    ntmm_request *requests[3] = { read_begin(), read_begin(), read_begin() };
    expect_counts(queue, 1, 2);
    complete_kept(0);
    expect_counts(queue, 0, 2);
    complete_kept(1);
    complete_kept(2);
    for (int i = 0; i < 3; i++)
        finish(requests[i], STATUS_SUCCESS);
}

static void sequential_delivers_the_next_after_the_last(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchSequential);
    restart();
    ntmm_request *first = read_begin(), *second = read_begin();
    expect_counts(queue, 1, 1);
    assert_int_equal(kept_count, 1);
    complete_kept(0);
    assert_int_equal(kept_count, 2);
    complete_kept(1);
    finish(first, STATUS_SUCCESS);
    finish(second, STATUS_SUCCESS);
}

static VOID complete_at_once(WDFQUEUE from, WDFREQUEST request, size_t length)
{
    (void)from, (void)length;
    kept_count++;
    WdfRequestComplete(request, STATUS_SUCCESS);
}
static void long_lines_do_not_grow_the_stack(void **state)
{
    enum { LINE = 300 };
    static ntmm_request *requests[LINE];
    (void)state;
    reset(WdfIoQueueDispatchSequential);
    config.EvtIoRead = complete_at_once;
    restart();
    WdfIoQueueStopSynchronously(queue);
    for (int i = 0; i < LINE; i++)
        requests[i] = read_begin();
    expect_counts(queue, LINE, 0);
    WdfIoQueueStart(queue);
    assert_int_equal(kept_count, LINE);
    for (int i = 0; i < LINE; i++)
        finish(requests[i], STATUS_SUCCESS);
}

/* ---- manual ---- */

static void manual_is_taken(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchManual);
    restart();
    WDFREQUEST handle;
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &handle), STATUS_NO_MORE_ENTRIES);
    assert_null(handle);
    assert_int_equal(WdfIoQueueReadyNotify(queue, on_state, "n"), STATUS_SUCCESS);
    assert_int_equal(WdfIoQueueReadyNotify(queue, on_state, "n"), STATUS_INVALID_DEVICE_REQUEST);
    ntmm_request *first = read_begin(), *second = read_begin();
    assert_string_equal(called, "n");
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &handle), STATUS_SUCCESS);
    expect_counts(queue, 1, 1);
    assert_int_equal(WdfRequestRequeue(handle), STATUS_SUCCESS);
    expect_counts(queue, 2, 0);
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &kept[0]), STATUS_SUCCESS);
    assert_ptr_equal(kept[0], handle);
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &kept[1]), STATUS_SUCCESS);
    complete_kept(0);
    complete_kept(1);
    finish(first, STATUS_SUCCESS);
    finish(second, STATUS_SUCCESS);
    WdfIoQueueStopSynchronously(queue);
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &handle), STATUS_WDF_PAUSED);
    assert_int_equal(WdfIoQueueReadyNotify(queue, NULL, NULL), STATUS_SUCCESS);
}

static void parallel_is_not_taken(void **state)
{
    (void)state;
    WDFREQUEST handle;
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &handle), STATUS_INVALID_DEVICE_STATE);
    assert_int_equal(WdfIoQueueReadyNotify(queue, on_state, "n"), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfIoQueueFindRequest(queue, NULL, NULL, NULL, &handle), STATUS_INVALID_DEVICE_REQUEST);
}

static void finds_and_retrieves(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchManual);
    restart();
    WDF_REQUEST_PARAMETERS parameters;
    WDFREQUEST             found, next, out;
    ntmm_request          *first = read_begin();
    ntmm_request          *second =
        ntmm_request_begin(wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_DEVICE_CONTROL, .code = IOCTL(7) });
    WDF_REQUEST_PARAMETERS_INIT(&parameters);
    assert_int_equal(WdfIoQueueFindRequest(queue, NULL, NULL, &parameters, &found), STATUS_SUCCESS);
    assert_int_equal(parameters.Type, WdfRequestTypeRead);
    assert_int_equal(parameters.Parameters.Read.Length, sizeof bytes);
    assert_int_equal(WdfIoQueueFindRequest(queue, found, NULL, &parameters, &next), STATUS_SUCCESS);
    assert_int_equal(parameters.Parameters.DeviceIoControl.IoControlCode, IOCTL(7));
    assert_int_equal(WdfIoQueueFindRequest(queue, next, NULL, NULL, &out), STATUS_NO_MORE_ENTRIES);
    assert_int_equal(WdfIoQueueRetrieveFoundRequest(queue, next, &out), STATUS_SUCCESS);
    assert_ptr_equal(out, next);
    assert_int_equal(WdfIoQueueRetrieveFoundRequest(queue, next, &out), STATUS_NOT_FOUND);
    WdfRequestComplete(next, STATUS_SUCCESS);
    WdfObjectDereference(next);
    finish(second, STATUS_SUCCESS);
    ntmm_request_cancel(first);
    finish(first, STATUS_CANCELLED);
    assert_int_equal(WdfIoQueueRetrieveFoundRequest(queue, found, &out), STATUS_NOT_FOUND);
    WdfObjectDereference(found);
    parameters.Size = 1;
    assert_int_equal(WdfIoQueueFindRequest(queue, NULL, NULL, &parameters, &out), STATUS_INVALID_PARAMETER_4);
}

/* ---- from queue to queue ---- */

static void forwards(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WDFREQUEST    handle;
    assert_int_equal(WdfRequestForwardToIoQueue(kept[0], queue), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestRequeue(kept[0]), STATUS_INVALID_DEVICE_REQUEST); /* a parallel queue */
    assert_int_equal(WdfRequestForwardToIoQueue(kept[0], other), STATUS_SUCCESS);
    expect_counts(queue, 0, 0);
    expect_counts(other, 1, 0);
    assert_int_equal(WdfRequestForwardToIoQueue(kept[0], queue), STATUS_INVALID_DEVICE_REQUEST); /* it waits */
    WdfIoQueuePurgeSynchronously(queue);
    assert_int_equal(WdfIoQueueRetrieveNextRequest(other, &handle), STATUS_SUCCESS);
    assert_int_equal(WdfRequestForwardToIoQueue(handle, queue), STATUS_WDF_BUSY);
    WdfIoQueueStart(queue);
    assert_int_equal(WdfRequestForwardToIoQueue(handle, queue), STATUS_SUCCESS);
    assert_string_equal(called, "rr");
    complete_kept(1);
    finish(request, STATUS_SUCCESS);
}

/* ---- cancel ---- */

static void cancels_what_waits(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchManual);
    config.EvtIoCanceledOnQueue = on_cancelled_on_queue;
    restart();
    ntmm_request *request = read_begin();
    assert_true(ntmm_request_cancel(request));
    finish(request, STATUS_CANCELLED);
    assert_string_equal(called, ""); /* the driver has never seen it */
    expect_counts(queue, 0, 0);
    WDFREQUEST handle;
    request = read_begin();
    assert_int_equal(WdfIoQueueRetrieveNextRequest(queue, &handle), STATUS_SUCCESS);
    assert_int_equal(WdfRequestRequeue(handle), STATUS_SUCCESS);
    assert_true(ntmm_request_cancel(request));
    assert_string_equal(called, "q");
    finish(request, STATUS_CANCELLED);
}

static void calls_back_for_a_marked_one(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfRequestMarkCancelable(kept[0], on_cancel);
    assert_false(WdfRequestIsCanceled(kept[0]));
    assert_true(ntmm_request_cancel(request));
    assert_string_equal(called, "rx");
    finish(request, STATUS_CANCELLED);
}

static void unmarks(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    assert_int_equal(WdfRequestUnmarkCancelable(kept[0]), STATUS_INVALID_DEVICE_REQUEST);
    assert_int_equal(WdfRequestMarkCancelableEx(kept[0], on_cancel), STATUS_SUCCESS);
    assert_int_equal(WdfRequestUnmarkCancelable(kept[0]), STATUS_SUCCESS);
    assert_false(ntmm_request_cancel(request)); /* nobody has a routine for it */
    assert_true(WdfRequestIsCanceled(kept[0]));
    assert_int_equal(WdfRequestMarkCancelableEx(kept[0], on_cancel), STATUS_CANCELLED);
    WdfRequestMarkCancelable(kept[0], on_cancel);
    assert_string_equal(called, "rx");
    finish(request, STATUS_CANCELLED);
}

static VOID remember_cancel(WDFREQUEST request)
{
    note('x');
    assert_int_equal(WdfRequestUnmarkCancelable(request), STATUS_CANCELLED);
}
static void a_cancelled_one_stays_the_drivers(void **state)
{
    (void)state;
    ntmm_request *request = read_begin();
    WdfRequestMarkCancelable(kept[0], remember_cancel);
    assert_true(ntmm_request_cancel(request));
    assert_true(ntmm_request_is_pending(request));
    WdfRequestComplete(kept[0], STATUS_CANCELLED);
    finish(request, STATUS_CANCELLED);
}

/* ---- states ---- */

static void stops_and_starts(void **state)
{
    (void)state;
    assert_true(WDF_IO_QUEUE_READY(WdfIoQueueGetState(queue, NULL, NULL)));
    assert_true(WDF_IO_QUEUE_IDLE(WdfIoQueueGetState(queue, NULL, NULL)));
    ntmm_request *first = read_begin();
    WdfIoQueueStop(queue, on_state, "s");
    ntmm_request *second = read_begin();
    assert_string_equal(called, "r");
    complete_kept(0);
    assert_string_equal(called, "rs");
    assert_true(WDF_IO_QUEUE_STOPPED(WdfIoQueueGetState(queue, NULL, NULL)));
    WdfIoQueueStart(queue);
    assert_string_equal(called, "rsr");
    complete_kept(1);
    finish(first, STATUS_SUCCESS);
    finish(second, STATUS_SUCCESS);
}

static void drains(void **state)
{
    (void)state;
    ntmm_request *first = read_begin();
    WdfIoQueueDrain(queue, on_state, "D");
    assert_int_equal(ntmm_request_read(wdf_test_object(), 0, bytes, sizeof bytes, NULL), STATUS_INVALID_DEVICE_STATE);
    complete_kept(0);
    assert_string_equal(called, "rD");
    assert_true(WDF_IO_QUEUE_DRAINED(WdfIoQueueGetState(queue, NULL, NULL)));
    finish(first, STATUS_SUCCESS);
    WdfIoQueueDrainSynchronously(queue);
}

static void purges(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchSequential);
    restart();
    ntmm_request *first = read_begin(), *second = read_begin();
    WdfRequestMarkCancelable(kept[0], on_cancel);
    WdfIoQueuePurge(queue, on_state, "P");
    assert_string_equal(called, "rxP");
    finish(first, STATUS_CANCELLED);
    finish(second, STATUS_CANCELLED);
    assert_true(WDF_IO_QUEUE_PURGED(WdfIoQueueGetState(queue, NULL, NULL)));
    WdfIoQueueStart(queue);
    first = read_begin();
    complete_kept(1);
    finish(first, STATUS_SUCCESS);
}

static void stops_and_purges(void **state)
{
    (void)state;
    reset(WdfIoQueueDispatchSequential);
    restart();
    ntmm_request *first = read_begin(), *second = read_begin();
    WdfRequestMarkCancelable(kept[0], on_cancel);
    WdfIoQueueStopAndPurgeSynchronously(queue);
    finish(first, STATUS_CANCELLED);
    finish(second, STATUS_CANCELLED);
    ntmm_request *third = read_begin();
    expect_counts(queue, 1, 0);
    WdfIoQueueStart(queue);
    complete_kept(1);
    finish(third, STATUS_SUCCESS);
}

static void only_one_may_wait(void **state)
{
    (void)state;
    (void)read_begin();
    WdfIoQueueStop(queue, on_state, "s");
    assert_bugcheck(WDF_VIOLATION, WDF_QUEUE_FATAL_ERROR, WdfIoQueueStop(queue, on_state, "s"));
    const WDF_QUEUE_FATAL_ERROR_DATA *data = (const WDF_QUEUE_FATAL_ERROR_DATA *)ntmm_cmocka_caught.parameter[1];
    assert_ptr_equal(data->Queue, queue);
    assert_int_equal(data->Status, STATUS_INVALID_DEVICE_REQUEST);
}

/* ---- power ---- */

static void keeps_an_acknowledged_one(void **state)
{
    (void)state;
    config.EvtIoStop = on_stop;
    config.EvtIoResume = on_resume;
    restart();
    ntmm_request *first = read_begin();
    assert_int_equal(wdf_test_pnp(IRP_MN_STOP_DEVICE, NULL), STATUS_SUCCESS);
    assert_string_equal(called, "rS");
    assert_int_equal(stop_flags, WdfRequestStopActionSuspend);
    assert_true((WdfIoQueueGetState(queue, NULL, NULL) & WdfIoQueuePnpHeld) != 0);
    ntmm_request *second = read_begin();
    expect_counts(queue, 1, 1);
    assert_int_equal(wdf_test_pnp(IRP_MN_START_DEVICE, NULL), STATUS_SUCCESS);
    assert_string_equal(called, "rSRr");
    complete_kept(0);
    complete_kept(1);
    finish(first, STATUS_SUCCESS);
    finish(second, STATUS_SUCCESS);
}

static void takes_a_requeued_one_back(void **state)
{
    (void)state;
    config.EvtIoStop = on_stop;
    stop_requeues = TRUE;
    restart();
    ntmm_request *request = read_begin();
    assert_int_equal(wdf_test_pnp(IRP_MN_STOP_DEVICE, NULL), STATUS_SUCCESS);
    expect_counts(queue, 1, 0);
    assert_int_equal(wdf_test_pnp(IRP_MN_START_DEVICE, NULL), STATUS_SUCCESS);
    assert_string_equal(called, "rSr");
    complete_kept(1);
    finish(request, STATUS_SUCCESS);
}

static void removal_tells_the_driver(void **state)
{
    (void)state;
    config.EvtIoStop = on_stop;
    stop_completes = TRUE;
    restart();
    ntmm_request *request = read_begin();
    WDFDEVICE     device = wdf_test_device;
    wdf_test_device = NULL;
    assert_int_equal(wdf_test_pnp_of(WdfDeviceWdmGetDeviceObject(device), IRP_MN_REMOVE_DEVICE, NULL), STATUS_SUCCESS);
    assert_string_equal(called, "rS");
    finish(request, STATUS_DEVICE_NOT_READY);
}

/* ---- levels and locks ---- */

static void a_passive_queue_calls_at_passive_level(void **state)
{
    (void)state;
    queue_attributes.ExecutionLevel = WdfExecutionLevelPassive;
    queue_attributes_used = &queue_attributes;
    restart();
    ntmm_request *request = read_begin();
    assert_int_equal(irql, PASSIVE_LEVEL);
    (void)KeWaitForSingleObject(&delivered, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(WdfRequestForwardToIoQueue(kept[0], other), STATUS_SUCCESS);
    WDFREQUEST handle;
    assert_int_equal(WdfIoQueueRetrieveNextRequest(other, &handle), STATUS_SUCCESS);
    KIRQL old;
    irql = HIGH_LEVEL;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_int_equal(WdfRequestForwardToIoQueue(handle, queue), STATUS_SUCCESS);
    KeLowerIrql(old);
    (void)KeWaitForSingleObject(&delivered, Executive, KernelMode, FALSE, NULL);
    assert_int_equal(irql, PASSIVE_LEVEL);
    complete_kept(1);
    finish(request, STATUS_SUCCESS);
}

static void a_scope_of_the_queue_locks(void **state)
{
    (void)state;
    queue_attributes.SynchronizationScope = WdfSynchronizationScopeQueue;
    queue_attributes_used = &queue_attributes;
    restart();
    ntmm_request *request = read_begin();
    assert_int_equal(irql, DISPATCH_LEVEL); /* under a spin lock */
    assert_irql(PASSIVE_LEVEL);
    assert_int_equal(WdfRequestForwardToIoQueue(kept[0], other), STATUS_SUCCESS);
    WDFREQUEST handle;
    assert_int_equal(WdfIoQueueRetrieveNextRequest(other, &handle), STATUS_SUCCESS);
    WdfObjectAcquireLock(queue);
    assert_int_equal(WdfRequestForwardToIoQueue(handle, queue), STATUS_SUCCESS);
    assert_int_equal(kept_count, 1); /* a DPC will call */
    WdfObjectReleaseLock(queue);
    assert_int_equal(kept_count, 2);
    complete_kept(1);
    finish(request, STATUS_SUCCESS);
}

/* ---- making one ---- */

static NTSTATUS try_config(WDF_IO_QUEUE_CONFIG *wanted, PWDF_OBJECT_ATTRIBUTES attributes)
{
    WDFQUEUE made = NULL;
    NTSTATUS status = WdfIoQueueCreate(wdf_test_device, wanted, attributes, &made);
    if (NT_SUCCESS(status))
        WdfObjectDelete(made);
    return status;
}

static void refuses_bad_configs(void **state)
{
    WDF_IO_QUEUE_CONFIG   wanted;
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)state;
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchParallel);
    assert_int_equal(try_config(&wanted, NULL), STATUS_WDF_NO_CALLBACK);
    wanted.EvtIoRead = on_read;
    assert_int_equal(try_config(&wanted, NULL), STATUS_SUCCESS);
    wanted.Settings.Parallel.NumberOfPresentedRequests = 0;
    assert_int_equal(try_config(&wanted, NULL), STATUS_INVALID_PARAMETER);
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchMax);
    assert_int_equal(try_config(&wanted, NULL), STATUS_INVALID_PARAMETER);
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchManual);
    wanted.Settings.Parallel.NumberOfPresentedRequests = 1;
    assert_int_equal(try_config(&wanted, NULL), STATUS_INVALID_PARAMETER);
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchManual);
    wanted.PowerManaged = (WDF_TRI_STATE)3;
    assert_int_equal(try_config(&wanted, NULL), STATUS_INVALID_PARAMETER);
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchManual);
    wanted.Size--;
    assert_int_equal(try_config(&wanted, NULL), STATUS_INFO_LENGTH_MISMATCH);
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchManual);
    assert_int_equal(WdfIoQueueCreate(wdf_test_device, &wanted, NULL, NULL), STATUS_INVALID_PARAMETER_4);
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&wanted, WdfIoQueueDispatchManual);
    assert_int_equal(try_config(&wanted, NULL), STATUS_INVALID_DEVICE_STATE); /* the device has been started */
    WDF_IO_QUEUE_CONFIG_INIT(&wanted, WdfIoQueueDispatchManual);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    assert_int_equal(try_config(&wanted, &attributes), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    attributes.ExecutionLevel = WdfExecutionLevelPassive; /* the device's is not */
    assert_int_equal(try_config(&wanted, &attributes), STATUS_INVALID_PARAMETER);
}

static NTSTATUS make_two_defaults(WDFDEVICE device)
{
    WDFQUEUE made;
    assert_int_equal(WdfIoQueueCreate(device, &config, NULL, &queue), STATUS_SUCCESS);
    assert_int_equal(WdfIoQueueCreate(device, &config, NULL, &made), STATUS_UNSUCCESSFUL);
    return STATUS_SUCCESS;
}
static void there_is_one_default_queue(void **state)
{
    (void)state;
    wdf_device_made = make_two_defaults;
    restart();
}

static void checks_handles(void **state)
{
    (void)state;
    assert_bugcheck(WDF_VIOLATION, WDF_INVALID_HANDLE, WdfIoQueueStart((WDFQUEUE)wdf_test_device));
}

static void checks_irql(void **state)
{
    KIRQL old;
    (void)state;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfIoQueuePurgeSynchronously(queue));
}

/* ---- threads: some send and cancel, one takes and completes ---- */

enum { SENDERS = 3, ROUNDS = 100 };
static _Atomic int ended, completed, cancelled;
static int         seen_cancelled; /* by a plain load, as drivers do: no race to ThreadSanitizer */

static void *send_and_cancel(void *context)
{
    (void)context;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char bytes_here[4];
        ntmm_request *request = ntmm_request_begin(
            wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = bytes_here, .output_bytes = sizeof bytes_here });
        (void)ntmm_request_cancel(request);
        NTSTATUS status = ntmm_request_end(request, NULL);
        completed += status == STATUS_SUCCESS;
        cancelled += status == STATUS_CANCELLED;
    }
    ended++;
    return NULL;
}
static VOID cancel_quietly(WDFREQUEST request) { WdfRequestComplete(request, STATUS_CANCELLED); }
static void complete_next(void)
{
    WDFREQUEST request;
    if (WdfIoQueueRetrieveNextRequest(queue, &request) != STATUS_SUCCESS)
        return;
    seen_cancelled += WdfRequestWdmGetIrp(request)->Cancel;
    WdfObjectReference(request); /* the callback may complete it between the two calls */
    if (WdfRequestMarkCancelableEx(request, cancel_quietly) == STATUS_CANCELLED || WdfRequestUnmarkCancelable(request) == STATUS_SUCCESS)
        WdfRequestComplete(request, STATUS_SUCCESS);
    WdfObjectDereference(request);
}
static void races(void **state)
{
    pthread_t threads[SENDERS];
    (void)state;
    reset(WdfIoQueueDispatchManual);
    restart();
    ended = completed = cancelled = 0;
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_and_cancel, NULL), 0);
    while (ended < SENDERS)
        complete_next();
    for (int i = 0; i < SENDERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(completed + cancelled, SENDERS * ROUNDS);
    expect_counts(queue, 0, 0);
}

/* ---- failures ---- */

static void life(void *context)
{
    (void)context;
    if (NT_SUCCESS(wdf_test_load()) && NT_SUCCESS(wdf_test_pnp(IRP_MN_START_DEVICE, NULL))) {
        ntmm_request *request = ntmm_request_begin(
            wdf_test_object(), &(ntmm_request_config){ .function = IRP_MJ_READ, .output = bytes, .output_bytes = sizeof bytes });
        if (kept_count != 0)
            WdfRequestComplete(kept[0], STATUS_SUCCESS);
        kept_count = 0;
        if (request != NULL)
            (void)ntmm_request_end(request, NULL);
    }
    wdf_test_unload();
}
static void survives_each_failure(void **state)
{
    (void)state;
    wdf_test_unload();
    assert_true(ntmm_for_each_failure(life, NULL) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(delivers_each_kind),
        row(falls_back_to_the_default_callback),
        row(refuses_what_nobody_wants),
        row(completes_empty_transfers_itself),
        row(dispatches_by_type),
        row(parallel_delivers_at_once),
        row(parallel_has_a_limit),
        row(sequential_delivers_the_next_after_the_last),
        row(long_lines_do_not_grow_the_stack),
        row(manual_is_taken),
        row(parallel_is_not_taken),
        row(finds_and_retrieves),
        row(forwards),
        row(cancels_what_waits),
        row(calls_back_for_a_marked_one),
        row(unmarks),
        row(a_cancelled_one_stays_the_drivers),
        row(stops_and_starts),
        row(drains),
        row(purges),
        row(stops_and_purges),
        row(only_one_may_wait),
        row(keeps_an_acknowledged_one),
        row(takes_a_requeued_one_back),
        row(removal_tells_the_driver),
        row(a_passive_queue_calls_at_passive_level),
        row(a_scope_of_the_queue_locks),
        row(refuses_bad_configs),
        row(there_is_one_default_queue),
        row(checks_handles),
        row(checks_irql),
        row(races),
        row(survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
