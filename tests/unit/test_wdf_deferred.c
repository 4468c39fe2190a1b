/*
 * test_wdf_deferred.c - work items and DPCs of a framework driver: where they run, under which lock, and what their deletion waits for.
 */
#include "../support/wdf_device.h"

static WDFQUEUE    queue;
static _Atomic int runs;
static KIRQL       irql;
static KEVENT      ran;
static WDFWORKITEM item;
static WDFDPC      dpc;
static bool        again;

static VOID on_default(WDFQUEUE from, WDFREQUEST request)
{
    (void)from;
    WdfRequestComplete(request, STATUS_SUCCESS);
}
static NTSTATUS make_queue(WDFDEVICE device)
{
    WDF_IO_QUEUE_CONFIG config;
    WDF_IO_QUEUE_CONFIG_INIT(&config, WdfIoQueueDispatchParallel);
    config.EvtIoDefault = on_default;
    return WdfIoQueueCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &queue);
}

static VOID on_item(WDFWORKITEM from)
{
    assert_ptr_equal(from, item);
    irql = KeGetCurrentIrql();
    runs++;
    if (again) {
        again = false;
        WdfWorkItemEnqueue(from);
    }
    (void)KeSetEvent(&ran, IO_NO_INCREMENT, FALSE);
}
static VOID on_dpc(WDFDPC from)
{
    assert_ptr_equal(from, dpc);
    irql = KeGetCurrentIrql();
    runs++;
    (void)KeSetEvent(&ran, IO_NO_INCREMENT, FALSE);
}

static int setup_as(void **state, PWDF_OBJECT_ATTRIBUTES attributes)
{
    runs = 0;
    again = false;
    wdf_device_init = NULL;
    wdf_device_attributes = attributes;
    wdf_device_made = make_queue;
    int result = wdf_device_setup(state);
    KeInitializeEvent(&ran, NotificationEvent, FALSE);
    return result;
}
static int setup(void **state) { return setup_as(state, NULL); }
static int setup_serialized(void **state)
{
    static WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    return setup_as(state, &attributes);
}
static int setup_passive(void **state)
{
    static WDF_OBJECT_ATTRIBUTES attributes;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.SynchronizationScope = WdfSynchronizationScopeDevice;
    attributes.ExecutionLevel = WdfExecutionLevelPassive;
    return setup_as(state, &attributes);
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)
#define row_as(test, how) cmocka_unit_test_setup_teardown(test, setup_##how, wdf_device_teardown)

static NTSTATUS new_item(WDFOBJECT parent, BOOLEAN serialized)
{
    WDF_WORKITEM_CONFIG   config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_WORKITEM_CONFIG_INIT(&config, on_item);
    config.AutomaticSerialization = serialized;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = parent;
    return WdfWorkItemCreate(&config, &attributes, &item);
}
static NTSTATUS new_dpc(WDFOBJECT parent, BOOLEAN serialized)
{
    WDF_DPC_CONFIG        config;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDF_DPC_CONFIG_INIT(&config, on_dpc);
    config.AutomaticSerialization = serialized;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = parent;
    return WdfDpcCreate(&config, &attributes, &dpc);
}

/* ---- work items ---- */

static void an_item_runs_at_passive_level(void **state)
{
    KIRQL old;
    (void)state;
    assert_int_equal(new_item(wdf_test_device, TRUE), STATUS_SUCCESS);
    assert_ptr_equal(WdfWorkItemGetParentObject(item), wdf_test_device);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    WdfWorkItemEnqueue(item);
    KeLowerIrql(old);
    WdfWorkItemFlush(item);
    assert_int_equal(runs, 1);
    assert_int_equal(irql, PASSIVE_LEVEL);
    WdfWorkItemFlush(item); /* nothing to wait for */
}

static void an_item_may_queue_itself(void **state)
{
    (void)state;
    assert_int_equal(new_item(queue, TRUE), STATUS_SUCCESS); /* a queue's device will do */
    again = true;
    WdfWorkItemEnqueue(item);
    WdfWorkItemFlush(item);
    assert_int_equal(runs, 2);
}

static void deletion_waits_for_an_item(void **state)
{
    (void)state;
    assert_int_equal(new_item(wdf_test_device, TRUE), STATUS_SUCCESS);
    WdfWorkItemEnqueue(item);
    WdfObjectDelete(item);
    assert_int_equal(runs, 1);
}

static VOID flush_myself(WDFWORKITEM from) { WdfWorkItemFlush(from); }
static void flush_in_its_callback(void *context)
{
    (void)context;
    WdfWorkItemEnqueue(item);
    (void)KeWaitForSingleObject(&ran, Executive, KernelMode, FALSE, NULL);
}
static void an_item_cannot_wait_for_itself(void **state)
{
    WDF_WORKITEM_CONFIG   config;
    WDF_OBJECT_ATTRIBUTES attributes;
    ntmm_bugcheck         stop;
    (void)state;
    WDF_WORKITEM_CONFIG_INIT(&config, flush_myself);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    assert_int_equal(WdfWorkItemCreate(&config, &attributes, &item), STATUS_SUCCESS);
    assert_true(ntmm_catch_bugcheck(flush_in_its_callback, NULL, &stop));
    assert_int_equal(stop.code, KMODE_EXCEPTION_NOT_HANDLED);
    assert_int_equal(stop.parameter[0], (uintptr_t)STATUS_BREAKPOINT);
}

static void refuses_bad_items(void **state)
{
    WDF_WORKITEM_CONFIG   config;
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)state;
    WDF_WORKITEM_CONFIG_INIT(&config, on_item);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    assert_int_equal(WdfWorkItemCreate(&config, &attributes, &item), STATUS_WDF_PARENT_NOT_SPECIFIED);
    attributes.ParentObject = WdfGetDriver();
    assert_int_equal(WdfWorkItemCreate(&config, &attributes, &item), STATUS_INVALID_DEVICE_REQUEST);
    attributes.ParentObject = wdf_test_device;
    config.EvtWorkItemFunc = NULL;
    assert_int_equal(WdfWorkItemCreate(&config, &attributes, &item), STATUS_INVALID_PARAMETER);
    config.Size = 3;
    assert_int_equal(WdfWorkItemCreate(&config, &attributes, &item), STATUS_INFO_LENGTH_MISMATCH);
}

/* ---- DPCs ---- */

static void a_dpc_runs_at_dispatch_level(void **state)
{
    KIRQL old;
    (void)state;
    assert_int_equal(new_dpc(wdf_test_device, TRUE), STATUS_SUCCESS);
    assert_ptr_equal(WdfDpcGetParentObject(dpc), wdf_test_device);
    assert_non_null(WdfDpcWdmGetDpc(dpc));
    assert_true(WdfDpcEnqueue(dpc));
    assert_int_equal(runs, 1);
    assert_int_equal(irql, DISPATCH_LEVEL);
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    assert_true(WdfDpcEnqueue(dpc));
    assert_false(WdfDpcEnqueue(dpc));
    assert_true(WdfDpcCancel(dpc, FALSE));
    KeLowerIrql(old);
    assert_int_equal(runs, 1);
    assert_false(WdfDpcCancel(dpc, TRUE));
}

static void refuses_bad_dpcs(void **state)
{
    WDF_DPC_CONFIG        config;
    WDF_OBJECT_ATTRIBUTES attributes;
    (void)state;
    WDF_DPC_CONFIG_INIT(&config, on_dpc);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    assert_int_equal(WdfDpcCreate(&config, &attributes, &dpc), STATUS_WDF_PARENT_NOT_SPECIFIED);
    attributes.ParentObject = wdf_test_device;
    config.EvtDpcFunc = NULL;
    assert_int_equal(WdfDpcCreate(&config, &attributes, &dpc), STATUS_INVALID_PARAMETER);
    config.Size = 3;
    assert_int_equal(WdfDpcCreate(&config, &attributes, &dpc), STATUS_INFO_LENGTH_MISMATCH);
}

/* ---- serialized ---- */

static void a_spin_lock_suits_dpcs_alone(void **state)
{
    (void)state;
    assert_int_equal(new_item(wdf_test_device, TRUE), STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL);
    assert_int_equal(new_item(wdf_test_device, FALSE), STATUS_SUCCESS);
    assert_int_equal(new_dpc(wdf_test_device, TRUE), STATUS_SUCCESS);
    assert_true(WdfDpcEnqueue(dpc));
    assert_int_equal(runs, 1);
}
static void a_passive_lock_suits_items_alone(void **state)
{
    (void)state;
    assert_int_equal(new_dpc(wdf_test_device, TRUE), STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL);
    assert_int_equal(new_item(wdf_test_device, TRUE), STATUS_SUCCESS);
    WdfObjectAcquireLock(wdf_test_device);
    WdfWorkItemEnqueue(item);
    assert_int_equal(runs, 0); /* it waits for the lock */
    WdfObjectReleaseLock(wdf_test_device);
    WdfWorkItemFlush(item);
    assert_int_equal(runs, 1);
}

static void make_both(void *context)
{
    NTSTATUS made_item = new_item(wdf_test_device, TRUE), made_dpc = new_dpc(wdf_test_device, TRUE);
    (void)context;
    if (NT_SUCCESS(made_item))
        WdfObjectDelete(item);
    if (NT_SUCCESS(made_dpc))
        WdfObjectDelete(dpc);
}
static void survives_each_failure(void **state)
{
    (void)state;
    assert_int_equal(ntmm_for_each_failure(make_both, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(an_item_runs_at_passive_level),
        row(an_item_may_queue_itself),
        row(deletion_waits_for_an_item),
        row(an_item_cannot_wait_for_itself),
        row(refuses_bad_items),
        row(a_dpc_runs_at_dispatch_level),
        row(refuses_bad_dpcs),
        row_as(a_spin_lock_suits_dpcs_alone, serialized),
        row_as(a_passive_lock_suits_items_alone, passive),
        row(survives_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
