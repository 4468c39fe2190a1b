/*
 * test_io_power_fx.c - a device of two components under the power management framework: who is called in which order, F-states by latency, residency
 * and wake-up, the idle timeout, a driver that completes later, other threads, and mistakes.
 */
#include <ntmm/cmocka.h>

#include <stdio.h>
#include <string.h>

#define MS 10000u

/* ---- a driver that writes down what it is told, and completes it at once unless it is told to wait ---- */

static char             history[512];
static POHANDLE         handle;
static bool             later; /* the test completes */
static KIRQL            level;
static HANDLE           told_on;
static _Atomic unsigned notes; /* counted when all of the above is written */

static void note(const char *format, ULONG component, ULONG state)
{
    char text[32];
    snprintf(text, sizeof text, format, component, state);
    strncat(history, text, sizeof history - strlen(history) - 1);
    level = KeGetCurrentIrql();
    told_on = PsGetCurrentThreadId();
    notes++;
}
static void expect(const char *wanted)
{
    assert_string_equal(history, wanted);
    history[0] = 0;
}

static VOID is_active(PVOID context, ULONG component)
{
    assert_ptr_equal(context, history);
    note("active%u ", component, 0);
}
static VOID is_idle(PVOID context, ULONG component)
{
    (void)context;
    note("idle%u ", component, 0);
    if (!later)
        PoFxCompleteIdleCondition(handle, component);
}
static VOID to_state(PVOID context, ULONG component, ULONG state)
{
    (void)context;
    note("%uF%u ", component, state);
    if (!later)
        PoFxCompleteIdleState(handle, component);
}
static VOID power_required(PVOID context)
{
    (void)context;
    note("D0 ", 0, 0);
    if (!later)
        PoFxReportDevicePoweredOn(handle);
}
static VOID power_not_required(PVOID context)
{
    (void)context;
    note("Dx ", 0, 0);
    if (!later)
        PoFxCompleteDevicePowerNotRequired(handle);
}
static NTSTATUS control(PVOID context, LPCGUID code, PVOID in, SIZE_T in_bytes, PVOID out, SIZE_T out_bytes, PSIZE_T returned)
{
    assert_ptr_equal(context, history);
    (void)in;
    (void)out;
    *returned = in_bytes + out_bytes;
    return code->Data1 == 7 ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

static PO_FX_COMPONENT_IDLE_STATE STATES[] = { { 0, 0, 100 }, { 10 * MS, 20 * MS, 50 }, { 100 * MS, 500 * MS, 1 } };

/* One component more than ANYSIZE_ARRAY has. */
typedef union registration {
    PO_FX_DEVICE_V1 v1;
    PO_FX_DEVICE_V2 v2;
    PO_FX_DEVICE_V3 v3;
    unsigned char   room[sizeof(PO_FX_DEVICE_V3) + sizeof(PO_FX_COMPONENT_V2)];
} registration_t;

#define FILL(d, number) \
    do { \
        (d)->Version = (number); \
        (d)->ComponentCount = 2; \
        (d)->ComponentActiveConditionCallback = is_active; \
        (d)->ComponentIdleConditionCallback = is_idle; \
        (d)->ComponentIdleStateCallback = to_state; \
        (d)->DevicePowerRequiredCallback = power_required; \
        (d)->DevicePowerNotRequiredCallback = power_not_required; \
        (d)->PowerControlCallback = control; \
        (d)->DeviceContext = history; \
        for (int i = 0; i < 2; i++) { \
            (&(d)->Components[0])[i].IdleStateCount = i == 0 ? 3 : 1; \
            (&(d)->Components[0])[i].DeepestWakeableIdleState = i == 0 ? 1 : 0; \
            (&(d)->Components[0])[i].IdleStates = STATES; \
        } \
    } while (0)

static registration_t registration_of(ULONG version)
{
    registration_t r;
    memset(&r, 0, sizeof r);
    switch (version) {
    case PO_FX_VERSION_V1: FILL(&r.v1, version); break;
    case PO_FX_VERSION_V2: FILL(&r.v2, version); break;
    default: FILL(&r.v3, version); break;
    }
    return r;
}

static DEVICE_OBJECT physical;
static void          enlist(ULONG version)
{
    registration_t r = registration_of(version);
    history[0] = 0;
    later = false;
    assert_int_equal(PoFxRegisterDevice(&physical, (PPO_FX_DEVICE)(void *)&r, &handle), STATUS_SUCCESS);
    memset(&r, 0xA5, sizeof r); /* it was copied */
    expect("");
}

/* ---- the life of a device ---- */

static void all_versions(void **state)
{
    (void)state;
    for (ULONG version = PO_FX_VERSION_V1; version <= PO_FX_VERSION_V3; version++) {
        enlist(version);
        PoFxStartDevicePowerManagement(handle);
        expect("idle0 0F2 idle1 Dx ");
        PoFxActivateComponent(handle, 0, 0);
        expect("D0 0F0 active0 ");
        PoFxActivateComponent(handle, 0, 0); /* it is already */
        PoFxIdleComponent(handle, 0, 0);
        expect("");
        PoFxActivateComponent(handle, 1, 0);
        expect("active1 ");
        PoFxIdleComponent(handle, 0, 0);
        expect("idle0 0F2 ");
        PoFxIdleComponent(handle, 1, 0);
        expect("idle1 Dx ");
        PoFxUnregisterDevice(handle);
        expect("");
    }
}

static void activated_before_the_start(void **state)
{
    (void)state;
    enlist(PO_FX_VERSION_V1);
    PoFxActivateComponent(handle, 0, 0);
    expect(""); /* all are active until then */
    PoFxStartDevicePowerManagement(handle);
    expect("idle1 ");
    PoFxIdleComponent(handle, 0, 0);
    expect("idle0 0F2 Dx ");
    PoFxUnregisterDevice(handle);
}

static void states_by_hints(void **state)
{
    (void)state;
    enlist(PO_FX_VERSION_V2);
    PoFxActivateComponent(handle, 1, 0); /* the device stays in D0 */
    PoFxSetComponentLatency(handle, 0, 50 * MS);
    PoFxStartDevicePowerManagement(handle);
    expect("idle0 0F1 ");
    PoFxSetComponentLatency(handle, 0, PO_FX_UNKNOWN_TIME); /* never from one low state to another */
    expect("0F0 0F2 ");
    PoFxSetComponentResidency(handle, 0, 499 * MS);
    expect("0F0 0F1 ");
    PoFxSetComponentResidency(handle, 0, 500 * MS);
    expect("0F0 0F2 ");
    PoFxSetComponentWake(handle, 0, TRUE);
    expect("0F0 0F1 ");
    PoFxSetComponentLatency(handle, 0, 1);
    expect("0F0 ");
    PoFxUnregisterDevice(handle);
}

static void the_idle_timeout(void **state)
{
    (void)state;
    enlist(PO_FX_VERSION_V1);
    PoFxSetDeviceIdleTimeout(handle, 30 * MS);
    PoFxStartDevicePowerManagement(handle);
    expect("idle0 0F2 idle1 ");
    ntmm_time_advance(29 * MS);
    expect("");
    PoFxActivateComponent(handle, 1, 0); /* which cancels it */
    expect("active1 ");
    ntmm_time_advance(10 * MS);
    PoFxIdleComponent(handle, 1, 0);
    ntmm_time_advance(29 * MS);
    expect("idle1 ");
    ntmm_time_advance(1 * MS);
    expect("Dx ");
    assert_int_equal(level, DISPATCH_LEVEL);
    ntmm_time_advance(100 * MS);
    expect("");
    PoFxActivateComponent(handle, 1, 0);
    PoFxIdleComponent(handle, 1, 0);
    expect("D0 active1 idle1 ");
    PoFxUnregisterDevice(handle); /* with its timer set */
    ntmm_time_advance(100 * MS);
    expect("");
}

static void a_driver_that_completes_later(void **state)
{
    (void)state;
    enlist(PO_FX_VERSION_V1);
    PoFxActivateComponent(handle, 1, 0);
    later = true;
    PoFxStartDevicePowerManagement(handle);
    expect("idle0 ");
    PoFxActivateComponent(handle, 0, 0); /* not before it is idle */
    expect("");
    PoFxCompleteIdleCondition(handle, 0);
    expect("active0 ");
    PoFxIdleComponent(handle, 0, 0);
    PoFxCompleteIdleCondition(handle, 0);
    expect("idle0 0F2 ");
    PoFxActivateComponent(handle, 0, 0);
    expect("");
    PoFxCompleteIdleState(handle, 0); /* it is in F2 now, and is to go back */
    expect("0F0 ");
    PoFxCompleteIdleState(handle, 0);
    expect("active0 ");
    PoFxIdleComponent(handle, 0, 0);
    PoFxIdleComponent(handle, 1, 0);
    PoFxCompleteIdleCondition(handle, 0);
    PoFxCompleteIdleCondition(handle, 1);
    expect("idle0 idle1 0F2 ");
    PoFxCompleteIdleState(handle, 0);
    expect("Dx ");
    PoFxActivateComponent(handle, 1, 0);
    expect(""); /* the device first */
    PoFxCompleteDevicePowerNotRequired(handle);
    expect("D0 ");
    PoFxReportDevicePoweredOn(handle);
    expect("active1 ");
    PoFxReportDevicePoweredOn(handle); /* unasked: the system woke up */
    expect("");
    PoFxUnregisterDevice(handle);
}

/* ---- other threads ---- */

static VOID complete_a_bit_later(PVOID unused)
{
    LARGE_INTEGER moment = { .QuadPart = -50000 };
    (void)unused;
    KeDelayExecutionThread(KernelMode, FALSE, &moment);
    PoFxReportDevicePoweredOn(handle);
    KeDelayExecutionThread(KernelMode, FALSE, &moment);
    PoFxCompleteIdleState(handle, 0);
}
static void blocking(void **state)
{
    HANDLE thread;
    (void)state;
    enlist(PO_FX_VERSION_V1);
    PoFxStartDevicePowerManagement(handle);
    history[0] = 0;
    later = true;
    assert_int_equal(PsCreateSystemThread(&thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, complete_a_bit_later, NULL), STATUS_SUCCESS);
    PoFxActivateComponent(handle, 0, PO_FX_FLAG_BLOCKING);
    expect("D0 0F0 active0 ");
    ZwClose(thread);
    PoFxUnregisterDevice(handle);
}
static void asynchronously(void **state)
{
    LARGE_INTEGER moment = { .QuadPart = -10000 };
    (void)state;
    enlist(PO_FX_VERSION_V1);
    PoFxStartDevicePowerManagement(handle);
    history[0] = 0;
    notes = 0;
    at_irql(DISPATCH_LEVEL, PoFxActivateComponent(handle, 0, PO_FX_FLAG_ASYNC_ONLY));
    while (notes < 3)
        KeDelayExecutionThread(KernelMode, FALSE, &moment);
    assert_ptr_not_equal(told_on, PsGetCurrentThreadId());
    assert_int_equal(level, PASSIVE_LEVEL);
    PoFxUnregisterDevice(handle);
    expect("D0 0F0 active0 ");
}

/* ---- the plug-in ---- */

static NTSTATUS plugin(void *context, PDEVICE_OBJECT device, const GUID *code, void *in, size_t in_bytes, void *out, size_t out_bytes,
                       size_t *returned)
{
    assert_ptr_equal(context, &handle);
    assert_ptr_equal(device, &physical);
    (void)in, (void)in_bytes;
    (void)out;
    *returned = out_bytes;
    return code->Data1 == 7 ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}
static void power_control(void **state)
{
    static const GUID seven = { .Data1 = 7 }, eight = { .Data1 = 8 };
    char              room[3];
    SIZE_T            returned = 0;
    size_t            bytes;
    (void)state;
    enlist(PO_FX_VERSION_V3);
    assert_int_equal(PoFxPowerControl(handle, &seven, NULL, 0, room, 3, &returned), STATUS_NOT_IMPLEMENTED);
    ntmm_power_plugin_set(plugin, &handle);
    assert_int_equal(PoFxPowerControl(handle, &seven, NULL, 0, room, 3, &returned), STATUS_SUCCESS);
    assert_int_equal(returned, 3);
    assert_int_equal(PoFxPowerControl(handle, &eight, NULL, 0, room, 3, NULL), STATUS_NOT_FOUND);
    assert_int_equal(ntmm_power_plugin_control(&physical, &seven, room, 2, room, 3, &bytes), STATUS_SUCCESS);
    assert_int_equal(bytes, 5);
    assert_int_equal(ntmm_power_plugin_control(&physical, &eight, NULL, 0, NULL, 0, NULL), STATUS_NOT_SUPPORTED);
    PoFxUnregisterDevice(handle);
    assert_int_equal(ntmm_power_plugin_control(&physical, &seven, room, 2, room, 3, NULL), STATUS_NO_SUCH_DEVICE);
}

/* ---- mistakes ---- */

static NTSTATUS refused(registration_t r)
{
    POHANDLE none = handle;
    NTSTATUS status = PoFxRegisterDevice(&physical, (PPO_FX_DEVICE)(void *)&r, &none);
    assert_null(none);
    return status;
}
static void registrations_that_make_no_sense(void **state)
{
    PO_FX_COMPONENT_IDLE_STATE slow[] = { { 1, 0, 0 } };
    POHANDLE                   none;
    (void)state;
    registration_t r = registration_of(PO_FX_VERSION_V1);
    assert_int_equal(PoFxRegisterDevice(NULL, (PPO_FX_DEVICE)(void *)&r, &none), STATUS_INVALID_PARAMETER);
    r.v1.Version = 4;
    assert_int_equal(refused(r), STATUS_INVALID_PARAMETER);
    r = registration_of(PO_FX_VERSION_V1);
    r.v1.ComponentCount = 0;
    assert_int_equal(refused(r), STATUS_INVALID_PARAMETER);
    r = registration_of(PO_FX_VERSION_V1);
    r.v1.Components[0].IdleStateCount = 0;
    assert_int_equal(refused(r), STATUS_INVALID_PARAMETER);
    r = registration_of(PO_FX_VERSION_V3);
    r.v3.Components[0].DeepestWakeableIdleState = 3;
    assert_int_equal(refused(r), STATUS_INVALID_PARAMETER);
    r = registration_of(PO_FX_VERSION_V2);
    r.v2.Components[0].IdleStates = slow;
    r.v2.Components[0].IdleStateCount = 1;
    r.v2.Components[0].DeepestWakeableIdleState = 0;
    assert_int_equal(refused(r), STATUS_INVALID_PARAMETER);
    ntmm_fail_allocation(1);
    assert_int_equal(refused(registration_of(PO_FX_VERSION_V1)), STATUS_INSUFFICIENT_RESOURCES);
    ntmm_fail_allocation(0);
    PoFxActivateComponent((POHANDLE)(void *)&r, 0, 0); /* no handle: nothing, with the reason */
    assert_non_null(strstr(ntmm_error(), "PoFxRegisterDevice"));
}

static void once_more(void)
{
    ntmm_cmocka_reboot();
    enlist(PO_FX_VERSION_V1);
}
static void mistakes(void **state)
{
    registration_t r = registration_of(PO_FX_VERSION_V1);
    POHANDLE       second;
    (void)state;
    enlist(PO_FX_VERSION_V1);
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x600, &physical, 0, 0, PoFxRegisterDevice(&physical, (PPO_FX_DEVICE)(void *)&r, &second));
    once_more();
    assert_bugcheck(INTERNAL_POWER_ERROR, 0x608, PoFxIdleComponent(handle, 0, 0));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x614, handle, 2, 2, PoFxActivateComponent(handle, 2, 0));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x614, handle, 1, 1,
                        PoFxActivateComponent(handle, 1, PO_FX_FLAG_BLOCKING | PO_FX_FLAG_ASYNC_ONLY));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x614, handle, 1, 0,
                        at_irql(DISPATCH_LEVEL, PoFxActivateComponent(handle, 1, PO_FX_FLAG_BLOCKING)));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x613, handle, 0, 0, PoFxCompleteDevicePowerNotRequired(handle));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x613, handle, 1, 2, PoFxCompleteIdleCondition(handle, 1));
    once_more();
    assert_bugcheck_all(INTERNAL_POWER_ERROR, 0x613, handle, 1, 3, PoFxCompleteIdleState(handle, 1));
    once_more();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PoFxStartDevicePowerManagement(handle)));
    once_more();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(APC_LEVEL, PoFxUnregisterDevice(handle)));
    once_more();
    assert_bugcheck_code(IRQL_NOT_LESS_OR_EQUAL, at_irql(DISPATCH_LEVEL + 1, PoFxSetDeviceIdleTimeout(handle, 0)));
}

int main(void)
{
    static const ntmm_config stopped = { .quiet = true, .stopped_clock = true };
    const struct CMUnitTest  tests[] = {
         ntmm_cmocka_test(all_versions),
         ntmm_cmocka_test(activated_before_the_start),
         ntmm_cmocka_test(states_by_hints),
         ntmm_cmocka_test_config(the_idle_timeout, &stopped),
         ntmm_cmocka_test(a_driver_that_completes_later),
         ntmm_cmocka_test(blocking),
         ntmm_cmocka_test(asynchronously),
         ntmm_cmocka_test(power_control),
         ntmm_cmocka_test(registrations_that_make_no_sense),
         ntmm_cmocka_test(mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
