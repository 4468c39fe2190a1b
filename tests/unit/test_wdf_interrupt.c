/*
 * test_wdf_interrupt.c - interrupts of a framework device, fired by the test: service routine, DPC, work item; D0; resources.
 */
#include "../support/wdf_device.h"

#define VECTOR 0x51
#define DIRQL 7

static WDFINTERRUPT         interrupt;
static WDF_INTERRUPT_CONFIG config;
static char                 called[32];
static KIRQL                isr_irql, behind_irql;
static KEVENT               served;

static void note(char what)
{
    size_t end = strlen(called);
    called[end] = what;
    called[end + 1] = '\0';
}
static BOOLEAN on_interrupt(WDFINTERRUPT from, ULONG message)
{
    assert_ptr_equal(from, interrupt);
    assert_int_equal(message, 0);
    note('i');
    isr_irql = KeGetCurrentIrql();
    if (config.EvtInterruptDpc != NULL)
        assert_true(WdfInterruptQueueDpcForIsr(from));
    if (config.EvtInterruptWorkItem != NULL)
        assert_true(WdfInterruptQueueWorkItemForIsr(from));
    return TRUE;
}
static VOID behind(WDFINTERRUPT from, WDFOBJECT device)
{
    assert_ptr_equal(from, interrupt);
    assert_ptr_equal(device, wdf_test_device);
    note('b');
    behind_irql = KeGetCurrentIrql();
    (void)KeSetEvent(&served, IO_NO_INCREMENT, FALSE);
}
static NTSTATUS enable_status;
static NTSTATUS on_enable(WDFINTERRUPT from, WDFDEVICE device)
{
    assert_ptr_equal(WdfInterruptGetDevice(from), device);
    assert_irql(DIRQL);
    note('e');
    return enable_status;
}
static NTSTATUS on_disable(WDFINTERRUPT from, WDFDEVICE device)
{
    (void)from, (void)device;
    note('d');
    return STATUS_SUCCESS;
}
static NTSTATUS make(WDFDEVICE device) { return WdfInterruptCreate(device, &config, WDF_NO_OBJECT_ATTRIBUTES, &interrupt); }

static NTSTATUS start(void)
{
    CM_RESOURCE_LIST list = wdf_test_interrupt(VECTOR, DIRQL);
    return wdf_test_pnp(IRP_MN_START_DEVICE, &list);
}
static int setup(void **state)
{
    called[0] = '\0';
    enable_status = STATUS_SUCCESS;
    wdf_device_init = NULL;
    wdf_device_attributes = NULL;
    wdf_device_made = make;
    WDF_INTERRUPT_CONFIG_INIT(&config, on_interrupt, behind);
    config.EvtInterruptEnable = on_enable;
    config.EvtInterruptDisable = on_disable;
    if (ntmm_cmocka_setup(state) != 0 || !NT_SUCCESS(wdf_test_load()))
        return -1;
    KeInitializeEvent(&served, NotificationEvent, FALSE);
    return 0;
}
#define row(test) cmocka_unit_test_setup_teardown(test, setup, wdf_device_teardown)

static bool fire(void) { return ntmm_fire_interrupt(WdfInterruptWdmGetInterrupt(interrupt)); }

static void is_served_and_deferred(void **state)
{
    WDF_INTERRUPT_INFO info;
    (void)state;
    assert_null(WdfInterruptWdmGetInterrupt(interrupt));
    assert_int_equal(start(), STATUS_SUCCESS);
    WDF_INTERRUPT_INFO_INIT(&info);
    WdfInterruptGetInfo(interrupt, &info);
    assert_int_equal(info.Vector, VECTOR);
    assert_int_equal(info.Irql, DIRQL);
    assert_true(fire());
    assert_string_equal(called, "eib");
    assert_int_equal(isr_irql, DIRQL);
    assert_int_equal(behind_irql, DISPATCH_LEVEL);
    assert_irql(PASSIVE_LEVEL);
}

static void a_work_item_runs_at_passive_level(void **state)
{
    (void)state;
    wdf_test_unload();
    config.EvtInterruptDpc = NULL;
    config.EvtInterruptWorkItem = behind;
    called[0] = '\0';
    assert_int_equal(wdf_test_load(), STATUS_SUCCESS);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_true(fire());
    (void)KeWaitForSingleObject(&served, Executive, KernelMode, FALSE, NULL);
    assert_string_equal(called, "eib");
    assert_int_equal(behind_irql, PASSIVE_LEVEL);
}

static void comes_and_goes_with_d0(void **state)
{
    (void)state;
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(wdf_test_pnp(IRP_MN_STOP_DEVICE, NULL), STATUS_SUCCESS);
    assert_null(WdfInterruptWdmGetInterrupt(interrupt));
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_string_equal(called, "ede");
    WdfInterruptDisable(interrupt);
    WdfInterruptEnable(interrupt);
    assert_string_equal(called, "edede");
}

static void a_failed_enable_fails_the_start(void **state)
{
    (void)state;
    enable_status = STATUS_DEVICE_HARDWARE_ERROR;
    assert_false(NT_SUCCESS(start()));
    assert_null(WdfInterruptWdmGetInterrupt(interrupt));
}

static BOOLEAN synchronized(WDFINTERRUPT from, WDFCONTEXT context)
{
    (void)from;
    *(KIRQL *)context = KeGetCurrentIrql();
    return TRUE;
}
static void its_lock_raises(void **state)
{
    KIRQL irql = PASSIVE_LEVEL;
    (void)state;
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_true(WdfInterruptSynchronize(interrupt, synchronized, &irql));
    assert_int_equal(irql, DIRQL);
    WdfInterruptAcquireLock(interrupt);
    assert_irql(DIRQL);
    assert_false(fire()); /* masked */
    assert_string_equal(called, "e");
    WdfInterruptReleaseLock(interrupt);
    assert_irql(PASSIVE_LEVEL);
    assert_string_equal(called, "eib");
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfInterruptTryToAcquireLock(interrupt));
}

static void without_a_resource_it_is_not_connected(void **state)
{
    (void)state;
    assert_int_equal(wdf_test_pnp(IRP_MN_START_DEVICE, NULL), STATUS_SUCCESS);
    assert_null(WdfInterruptWdmGetInterrupt(interrupt));
    assert_string_equal(called, "");
    assert_bugcheck(KMODE_EXCEPTION_NOT_HANDLED, STATUS_BREAKPOINT, WdfInterruptAcquireLock(interrupt));
}

static void refuses_bad_configs(void **state)
{
    WDF_INTERRUPT_CONFIG  wanted;
    WDF_OBJECT_ATTRIBUTES attributes;
    WDFINTERRUPT          made;
    (void)state;
    WDF_INTERRUPT_CONFIG_INIT(&wanted, NULL, behind);
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, NULL, &made), STATUS_INVALID_PARAMETER);
    WDF_INTERRUPT_CONFIG_INIT(&wanted, on_interrupt, behind);
    wanted.EvtInterruptWorkItem = behind;
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, NULL, &made), STATUS_INVALID_PARAMETER);
    WDF_INTERRUPT_CONFIG_INIT(&wanted, on_interrupt, behind);
    wanted.PassiveHandling = TRUE;
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, NULL, &made), STATUS_NOT_SUPPORTED);
    WDF_INTERRUPT_CONFIG_INIT(&wanted, on_interrupt, behind);
    wanted.Size = 1;
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, NULL, &made), STATUS_INFO_LENGTH_MISMATCH);
    WDF_INTERRUPT_CONFIG_INIT(&wanted, on_interrupt, behind);
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ParentObject = wdf_test_device;
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, &attributes, &made), STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED);
    assert_int_equal(start(), STATUS_SUCCESS);
    assert_int_equal(WdfInterruptCreate(wdf_test_device, &wanted, NULL, &made), STATUS_INVALID_DEVICE_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        row(is_served_and_deferred), row(a_work_item_runs_at_passive_level),
        row(comes_and_goes_with_d0), row(a_failed_enable_fails_the_start),
        row(its_lock_raises),        row(without_a_resource_it_is_not_connected),
        row(refuses_bad_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
