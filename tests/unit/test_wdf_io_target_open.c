/*
 * test_wdf_io_target_open.c - I/O targets by name: a control device of the driver opens the driver's other device by its interface, sends to it, and
 * hears of its removal.
 */
#include "../support/wdf_device.h"

#include <wdfcontrol.h>
#include <wdfiotarget.h>
#include <wdfstring.h>

#define IOCTL_ADD CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)

static const GUID     class_one = { 1, 2, 3, { 4 } };
static WDFIOTARGET    target;
static WDFSTRING      name_object;
static UNICODE_STRING name; /* of the device's interface */
static unsigned       creates, closes;

/* ---- the device that is opened ---- */

static VOID on_create(WDFDEVICE device, WDFREQUEST request, WDFFILEOBJECT file)
{
    (void)device, (void)file;
    creates++;
    WdfRequestCompleteWithInformation(request, STATUS_SUCCESS, FILE_OPENED);
}
static VOID on_close(WDFFILEOBJECT file) { (void)file, closes++; }

static VOID on_control(WDFQUEUE queue, WDFREQUEST request, size_t out, size_t in, ULONG code)
{
    PULONG   number;
    NTSTATUS status = WdfRequestRetrieveInputBuffer(request, sizeof *number, (PVOID *)&number, NULL);
    (void)queue, (void)out, (void)in, (void)code;
    assert_non_null(WdfRequestGetFileObject(request)); /* of the target */
    if (NT_SUCCESS(status))
        *number += 1;
    WdfRequestCompleteWithInformation(request, status, sizeof *number);
}

static VOID with_files(PWDFDEVICE_INIT init)
{
    WDF_FILEOBJECT_CONFIG files;
    WDF_FILEOBJECT_CONFIG_INIT(&files, on_create, on_close, WDF_NO_EVENT_CALLBACK);
    WdfDeviceInitSetFileObjectConfig(init, &files, WDF_NO_OBJECT_ATTRIBUTES);
}

static NTSTATUS with_queue(WDFDEVICE device)
{
    WDF_IO_QUEUE_CONFIG config;
    WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDeviceControl = on_control;
    NTSTATUS status = WdfDeviceCreateDeviceInterface(device, &class_one, NULL);
    return NT_SUCCESS(status) ? WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, WDF_NO_HANDLE) : status;
}

/* ---- the one that opens it ---- */

static WDFDEVICE control_device(void)
{
    static const UNICODE_STRING sddl = RTL_CONSTANT_STRING(L"D:P(A;;GA;;;SY)");
    PWDFDEVICE_INIT             init = WdfControlDeviceInitAllocate(WdfDeviceGetDriver(wdf_test_device), &sddl);
    WDFDEVICE                   device;
    assert_int_equal(WdfDeviceCreate(&init, WDF_NO_OBJECT_ATTRIBUTES, &device), STATUS_SUCCESS);
    WdfControlFinishInitializing(device);
    return device;
}

static int setup(void **state)
{
    creates = closes = 0;
    wdf_device_init = with_files;
    wdf_device_made = with_queue;
    if (wdf_device_setup(state) != 0)
        return -1;
    assert_int_equal(WdfStringCreate(NULL, WDF_NO_OBJECT_ATTRIBUTES, &name_object), STATUS_SUCCESS);
    assert_int_equal(WdfDeviceRetrieveDeviceInterfaceString(wdf_test_device, &class_one, NULL, name_object), STATUS_SUCCESS);
    WdfStringGetUnicodeString(name_object, &name);
    assert_int_equal(WdfIoTargetCreate(control_device(), WDF_NO_OBJECT_ATTRIBUTES, &target), STATUS_SUCCESS);
    return 0;
}

static NTSTATUS open_with(const WDF_IO_TARGET_OPEN_PARAMS *callbacks)
{
    WDF_IO_TARGET_OPEN_PARAMS params;
    WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(&params, &name, GENERIC_READ | GENERIC_WRITE);
    params.EvtIoTargetQueryRemove = callbacks != NULL ? callbacks->EvtIoTargetQueryRemove : NULL;
    params.EvtIoTargetRemoveCanceled = callbacks != NULL ? callbacks->EvtIoTargetRemoveCanceled : NULL;
    params.EvtIoTargetRemoveComplete = callbacks != NULL ? callbacks->EvtIoTargetRemoveComplete : NULL;
    NTSTATUS status = WdfIoTargetOpen(target, &params);
    if (NT_SUCCESS(status))
        assert_int_equal(params.FileInformation, FILE_OPENED);
    return status;
}

static NTSTATUS send(ULONG *number)
{
    WDF_MEMORY_DESCRIPTOR memory;
    WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(&memory, number, sizeof *number);
    return WdfIoTargetSendIoctlSynchronously(target, NULL, IOCTL_ADD, &memory, &memory, NULL, NULL);
}

static NTSTATUS take_away(bool surprise)
{
    PDEVICE_OBJECT physical = ntmm_device_object(wdf_test_bus_device);
    NTSTATUS       status = surprise ? ntmm_pnp_surprise_remove(physical) : ntmm_pnp_remove(physical);
    if (NT_SUCCESS(status))
        wdf_test_device = NULL;
    return status;
}

/* ---- open, close ---- */

static void opens_by_name(void **state)
{
    ULONG number = 41;
    (void)state;
    assert_int_equal(open_with(NULL), STATUS_SUCCESS);
    assert_int_equal(creates, 1);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetStarted);
    assert_non_null(WdfIoTargetWdmGetTargetFileHandle(target));
    assert_non_null(WdfIoTargetWdmGetTargetFileObject(target));
    assert_ptr_equal(WdfIoTargetWdmGetTargetDeviceObject(target), wdf_test_object());
    assert_ptr_equal(WdfIoTargetWdmGetTargetPhysicalDevice(target), ntmm_device_object(wdf_test_bus_device));
    assert_int_equal(send(&number), STATUS_SUCCESS);
    assert_int_equal(number, 42);
    assert_int_equal(open_with(NULL), STATUS_INVALID_DEVICE_STATE);
    WdfIoTargetClose(target);
    assert_int_equal(closes, 1);
    assert_null(WdfIoTargetWdmGetTargetFileHandle(target));
    assert_null(WdfIoTargetWdmGetTargetFileObject(target));
    assert_int_equal(open_with(NULL), STATUS_SUCCESS);
    WdfObjectDelete(target);
    assert_int_equal(closes, 2);
}

/* The driver's string need not stay. */
static void opens_again_with_what_it_kept(void **state)
{
    WDF_IO_TARGET_OPEN_PARAMS again;
    ULONG                     number = 0;
    (void)state;
    assert_int_equal(open_with(NULL), STATUS_SUCCESS);
    WdfObjectDelete(name_object);
    WdfIoTargetCloseForQueryRemove(target);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetClosedForQueryRemove);
    assert_int_equal(closes, 1);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&again);
    assert_int_equal(WdfIoTargetOpen(target, &again), STATUS_SUCCESS);
    assert_int_equal(send(&number), STATUS_SUCCESS);
    assert_int_equal(number, 1);
}

static void refuses_what_cannot_be_opened(void **state)
{
    UNICODE_STRING            nowhere = RTL_CONSTANT_STRING(L"\\Device\\Nowhere"), empty = RTL_CONSTANT_STRING(L"");
    WDF_IO_TARGET_OPEN_PARAMS params;
    char                      attribute = 0;
    (void)state;
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&params);
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_INVALID_DEVICE_REQUEST); /* it was never open */
    WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(&params, &nowhere, GENERIC_READ);
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_OBJECT_NAME_NOT_FOUND);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetClosed);
    params.EaBuffer = &attribute;
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_INVALID_PARAMETER);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(&params, &empty, GENERIC_READ);
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_INVALID_PARAMETER);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&params, wdf_test_object());
    params.EvtIoTargetRemoveComplete = WdfIoTargetClose;
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_INVALID_PARAMETER); /* a notice is about a file object */
    params.Type = WdfIoTargetOpenLocalTargetByFile;
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_INVALID_PARAMETER);
}

/* The target keeps the file object. */
static void takes_a_file_object(void **state)
{
    WDF_IO_TARGET_OPEN_PARAMS params;
    PFILE_OBJECT              file;
    PDEVICE_OBJECT            device;
    ULONG                     number = 1;
    (void)state;
    assert_int_equal(IoGetDeviceObjectPointer(&name, FILE_READ_DATA, &file, &device), STATUS_SUCCESS);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_EXISTING_DEVICE(&params, device);
    params.TargetFileObject = file;
    assert_int_equal(WdfIoTargetOpen(target, &params), STATUS_SUCCESS);
    ObDereferenceObject(file);
    assert_int_equal(closes, 0);
    assert_int_equal(send(&number), STATUS_SUCCESS);
    assert_int_equal(take_away(true), STATUS_SUCCESS); /* the notice works, too */
    assert_int_equal(closes, 1);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetClosed);
}

/* ---- the device goes, or stays ---- */

static void is_closed_when_the_device_goes(void **state)
{
    (void)state;
    assert_int_equal(open_with(NULL), STATUS_SUCCESS);
    assert_int_equal(take_away(false), STATUS_SUCCESS);
    assert_int_equal(closes, 1);
    assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetClosed);
}

static void is_opened_again_when_it_stays(void **state)
{
    ULONG number = 0;
    (void)state;
    assert_int_equal(open_with(NULL), STATUS_SUCCESS);
    WdfDeviceSetStaticStopRemove(wdf_test_device, FALSE);
    for (int i = 0; i < 2; i++) { /* and is told of it again */
        assert_int_equal(take_away(false), STATUS_UNSUCCESSFUL);
        assert_int_equal(WdfIoTargetGetState(target), WdfIoTargetStarted);
        assert_int_equal(creates, i + 2);
        assert_int_equal(send(&number), STATUS_SUCCESS);
    }
}

static char     heard[32];
static NTSTATUS query_answer;

static void note(char what)
{
    size_t end = strlen(heard);
    assert_true(end + 1 < sizeof heard);
    heard[end] = what;
    heard[end + 1] = '\0';
    assert_ptr_equal(WdfGetDriver(), WdfDeviceGetDriver(WdfIoTargetGetDevice(target)));
}
static NTSTATUS on_query(WDFIOTARGET which)
{
    note('q');
    if (NT_SUCCESS(query_answer))
        WdfIoTargetCloseForQueryRemove(which);
    return query_answer;
}
static VOID on_canceled(WDFIOTARGET which)
{
    WDF_IO_TARGET_OPEN_PARAMS again;
    note('x');
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&again);
    if (WdfIoTargetGetState(which) == WdfIoTargetClosedForQueryRemove)
        assert_int_equal(WdfIoTargetOpen(which, &again), STATUS_SUCCESS);
}
static VOID on_complete(WDFIOTARGET which)
{
    note('c');
    WdfObjectDelete(which);
}
static const WDF_IO_TARGET_OPEN_PARAMS all_callbacks = { .EvtIoTargetQueryRemove = on_query,
                                                         .EvtIoTargetRemoveCanceled = on_canceled,
                                                         .EvtIoTargetRemoveComplete = on_complete };

static void callbacks_decide(void **state)
{
    (void)state;
    heard[0] = '\0';
    query_answer = STATUS_DEVICE_BUSY;
    assert_int_equal(open_with(&all_callbacks), STATUS_SUCCESS);
    assert_int_equal(take_away(false), STATUS_DEVICE_BUSY); /* the target has refused */
    assert_string_equal(heard, "qx");
    query_answer = STATUS_SUCCESS;
    WdfDeviceSetStaticStopRemove(wdf_test_device, FALSE);
    assert_int_equal(take_away(false), STATUS_UNSUCCESSFUL); /* the device has */
    assert_string_equal(heard, "qxqx");
    WdfDeviceSetStaticStopRemove(wdf_test_device, TRUE);
    assert_int_equal(take_away(false), STATUS_SUCCESS);
    assert_string_equal(heard, "qxqxqc");
    assert_int_equal(creates, closes);
}

static void a_surprise_is_told_when_it_has_happened(void **state)
{
    (void)state;
    heard[0] = '\0';
    assert_int_equal(open_with(&all_callbacks), STATUS_SUCCESS);
    assert_int_equal(take_away(true), STATUS_SUCCESS);
    assert_string_equal(heard, "c");
    assert_int_equal(closes, 1);
}

static void one_that_was_closed_hears_nothing(void **state)
{
    (void)state;
    heard[0] = '\0';
    assert_int_equal(open_with(&all_callbacks), STATUS_SUCCESS);
    WdfIoTargetClose(target);
    assert_int_equal(take_away(false), STATUS_SUCCESS);
    assert_string_equal(heard, "");
}

/* ---- mistakes, failures ---- */

static void stops_above_passive_level(void **state)
{
    WDF_IO_TARGET_OPEN_PARAMS params;
    KIRQL                     irql;
    (void)state;
    WDF_IO_TARGET_OPEN_PARAMS_INIT_OPEN_BY_NAME(&params, &name, GENERIC_READ);
    KeRaiseIrql(APC_LEVEL, &irql);
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, WdfIoTargetOpen(target, &params));
}

static void one_life(void *context)
{
    WDF_IO_TARGET_OPEN_PARAMS again;
    (void)context;
    if (!NT_SUCCESS(open_with(NULL)))
        return;
    WdfIoTargetCloseForQueryRemove(target);
    WDF_IO_TARGET_OPEN_PARAMS_INIT_REOPEN(&again);
    (void)WdfIoTargetOpen(target, &again);
    WdfIoTargetClose(target);
}

static void survives_every_failure(void **state)
{
    (void)state;
    one_life(NULL);
    assert_true(ntmm_for_each_failure(one_life, NULL) >= 5);
    assert_int_equal(creates, closes);
}

#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(opens_by_name),
        row(opens_again_with_what_it_kept),
        row(refuses_what_cannot_be_opened),
        row(takes_a_file_object),
        row(is_closed_when_the_device_goes),
        row(is_opened_again_when_it_stays),
        row(callbacks_decide),
        row(a_surprise_is_told_when_it_has_happened),
        row(one_that_was_closed_hears_nothing),
        row(stops_above_passive_level),
        row(survives_every_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
