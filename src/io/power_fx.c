/*
 * power_fx.c - the power management framework as drivers call it: devices registered, their components activated and idled, requests completed.
 *
 * Locks       fx_lock (leaf) for the list of devices and their states.
 * Source      WDK reference: wdm.h, PoFxRegisterDevice, the page of each routine, PO_FX_DEVICE_V1 to _V3, PO_FX_COMPONENT_V1 and _V2; Bug Check 0xA0
 *             (0x600, 0x608, 0x613, 0x614).
 * Fidelity    power_fx_run.c. Directed power transitions, providers and performance states are not here; system sleep is no matter of the framework,
 *             so that PoFxReportDevicePoweredOn is taken whenever it comes.
 */
#include "io/power_fx.h"

#include <string.h>

#include <ntmm/ntmm.h>

#include "io/power.h"
#include "ke/bugcheck.h"

#define TAG_FX NTMM_TAG("PoFx")
#define A_MOMENT (-10000) /* 1 ms */

ke_lock_t                fx_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static fx_device_t      *devices;
static ntmm_power_plugin plugin;
static void             *plugin_context;

void io_power_fx_boot(void)
{
    ke_lock_init(&fx_lock, KE_RANK_LEAF);
    devices = NULL;
    plugin = NULL;
}

/* ---- what a driver registers, whatever the version ---- */

static bool describes_states(const PO_FX_COMPONENT_IDLE_STATE *states, ULONG count, ULONG deepest_wakeable)
{
    return count != 0 && states != NULL && deepest_wakeable < count && states[0].TransitionLatency == 0 &&
           states[0].ResidencyRequirement == 0;
}

static bool component_at(const void *device, ULONG index, fx_component_t *out)
{
    const PO_FX_DEVICE_V1    *v1 = device;
    const PO_FX_COMPONENT_V2 *component = v1->Version == PO_FX_VERSION_V2 ? &((const PO_FX_DEVICE_V2 *)device)->Components[index]
                                                                          : &((const PO_FX_DEVICE_V3 *)device)->Components[index];
    memset(out, 0, sizeof *out);
    if (v1->Version == PO_FX_VERSION_V1) {
        out->states = v1->Components[index].IdleStates;
        out->state_count = v1->Components[index].IdleStateCount;
        out->deepest_wakeable = v1->Components[index].DeepestWakeableIdleState;
    } else {
        out->states = component->IdleStates;
        out->state_count = component->IdleStateCount;
        out->deepest_wakeable = component->DeepestWakeableIdleState;
    }
    out->active = out->is_told = true;
    out->latency = out->residency = PO_FX_UNKNOWN_TIME;
    return describes_states(out->states, out->state_count, out->deepest_wakeable);
}

#define COPY_CALLBACKS(to, from) \
    do { \
        (to)->context = (from)->DeviceContext; \
        (to)->active_condition = (from)->ComponentActiveConditionCallback; \
        (to)->idle_condition = (from)->ComponentIdleConditionCallback; \
        (to)->idle_state = (from)->ComponentIdleStateCallback; \
        (to)->required = (from)->DevicePowerRequiredCallback; \
        (to)->not_required = (from)->DevicePowerNotRequiredCallback; \
        (to)->control = (from)->PowerControlCallback; \
        (to)->count = (from)->ComponentCount; \
    } while (0)

/* Count 0: no such version, or no components. */
static void read_head(const void *device, fx_device_t *head)
{
    const PO_FX_DEVICE_V1 *v1 = device;
    const PO_FX_DEVICE_V2 *v2 = device;
    const PO_FX_DEVICE_V3 *v3 = device;
    memset(head, 0, sizeof *head);
    switch (v1->Version) {
    case PO_FX_VERSION_V1: COPY_CALLBACKS(head, v1); break;
    case PO_FX_VERSION_V2: COPY_CALLBACKS(head, v2); break;
    case PO_FX_VERSION_V3: COPY_CALLBACKS(head, v3); break;
    default: break;
    }
}

/* The states of all components; 0: one of them makes no sense. */
static size_t count_states(const void *device, ULONG count)
{
    size_t         states = 0;
    fx_component_t component;
    for (ULONG i = 0; i < count; i++) {
        if (!component_at(device, i, &component))
            return 0;
        states += component.state_count;
    }
    return states;
}

static void fill(fx_device_t *fresh, const void *device)
{
    PO_FX_COMPONENT_IDLE_STATE *copy = (PO_FX_COMPONENT_IDLE_STATE *)(void *)&fresh->components[fresh->count];
    for (ULONG i = 0; i < fresh->count; i++) {
        fx_component_t *component = &fresh->components[i];
        (void)component_at(device, i, component);
        memcpy(copy, component->states, component->state_count * sizeof *copy);
        component->states = copy;
        copy += component->state_count;
    }
}

static bool enlist(fx_device_t *fresh)
{
    ke_lock(&fx_lock);
    fx_device_t *other = devices;
    while (other != NULL && other->physical != fresh->physical)
        other = other->next;
    if (other == NULL) {
        fresh->next = devices;
        devices = fresh;
    }
    ke_unlock(&fx_lock);
    return other == NULL;
}

NTSTATUS PoFxRegisterDevice(PDEVICE_OBJECT Pdo, PPO_FX_DEVICE Device, POHANDLE *Handle)
{
    fx_device_t head;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *Handle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (Pdo == NULL || Device == NULL)
        return STATUS_INVALID_PARAMETER;
    read_head(Device, &head);
    size_t states = count_states(Device, head.count);
    if (states == 0)
        return STATUS_INVALID_PARAMETER;
    fx_device_t *fresh = ExAllocatePoolZero(
        NonPagedPoolNx, sizeof *fresh + head.count * sizeof *fresh->components + states * sizeof(PO_FX_COMPONENT_IDLE_STATE), TAG_FX);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *fresh = head;
    fresh->physical = Pdo;
    fill(fresh, Device);
    fx_device_prepare(fresh);
    if (!enlist(fresh))
        ke_bugcheck(__func__, "The device is registered with the power management framework already.", INTERNAL_POWER_ERROR, 0x600,
                    (ULONG_PTR)Pdo, 0, 0);
    *Handle = (POHANDLE)(void *)fresh;
    return STATUS_SUCCESS;
}

/* ---- handles ---- */

/* NULL, with the reason in ntmm_error(): it is none. */
static fx_device_t *device_of(const char *routine, POHANDLE handle)
{
    if (ke_thread_ready(routine) == NULL)
        return NULL;
    ke_lock(&fx_lock);
    fx_device_t *device = devices;
    while (device != NULL && (POHANDLE)(void *)device != handle)
        device = device->next;
    ke_unlock(&fx_lock);
    if (device == NULL)
        ke_error(0, "%s: %p is no handle of PoFxRegisterDevice", routine, (void *)handle);
    return device;
}

static fx_component_t *component_of(const char *routine, fx_device_t *device, ULONG index)
{
    if (index >= device->count)
        ke_bugcheck(routine, "The device has no component of that index.", INTERNAL_POWER_ERROR, 0x614, (ULONG_PTR)device, index, 2);
    return &device->components[index];
}

VOID PoFxUnregisterDevice(POHANDLE Handle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    fx_device_t *device = device_of(__func__, Handle), **link = &devices;
    if (device == NULL)
        return;
    fx_device_quiet(device);
    ke_lock(&fx_lock);
    while (*link != device)
        link = &(*link)->next;
    *link = device->next;
    ke_unlock(&fx_lock);
    ExFreePoolWithTag(device, TAG_FX);
}

VOID PoFxStartDevicePowerManagement(POHANDLE Handle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    ke_lock(&fx_lock);
    device->started = true;
    ke_unlock(&fx_lock);
    fx_run(device);
}

/* ---- components ---- */

static void check_flags(const char *routine, const fx_device_t *device, ULONG index, ULONG flags)
{
    const char *wrong = "A component was activated or idled with PO_FX_FLAG_BLOCKING at DISPATCH_LEVEL, or with both flags.";
    const ULONG both = PO_FX_FLAG_BLOCKING | PO_FX_FLAG_ASYNC_ONLY;
    if ((flags & both) == both)
        ke_bugcheck(routine, wrong, INTERNAL_POWER_ERROR, 0x614, (ULONG_PTR)device, index, 1);
    if ((flags & PO_FX_FLAG_BLOCKING) != 0 && ke_self()->irql >= DISPATCH_LEVEL)
        ke_bugcheck(routine, wrong, INTERNAL_POWER_ERROR, 0x614, (ULONG_PTR)device, index, 0);
}

/* Its condition is the one that its references ask for. */
static bool is_settled(const fx_component_t *component)
{
    ke_lock(&fx_lock);
    bool settled = component->references != 0 ? component->is_told : fx_is_idle(component);
    ke_unlock(&fx_lock);
    return settled;
}

static void condition_changes(fx_device_t *device, const fx_component_t *component, ULONG flags)
{
    LARGE_INTEGER moment = { .QuadPart = A_MOMENT };
    if ((flags & PO_FX_FLAG_ASYNC_ONLY) != 0)
        fx_run_elsewhere(device);
    else
        fx_run(device);
    while ((flags & PO_FX_FLAG_BLOCKING) != 0 && !is_settled(component))
        (void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
}

VOID PoFxActivateComponent(POHANDLE Handle, ULONG Component, ULONG Flags)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    fx_component_t *component = component_of(__func__, device, Component);
    check_flags(__func__, device, Component, Flags);
    ke_lock(&fx_lock);
    component->references++;
    ke_unlock(&fx_lock);
    condition_changes(device, component, Flags);
}

VOID PoFxIdleComponent(POHANDLE Handle, ULONG Component, ULONG Flags)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    fx_component_t *component = component_of(__func__, device, Component);
    check_flags(__func__, device, Component, Flags);
    ke_lock(&fx_lock);
    bool taken = component->references != 0;
    component->references -= taken;
    ke_unlock(&fx_lock);
    if (!taken)
        ke_bugcheck(__func__, "A component was idled more often than it was activated.", INTERNAL_POWER_ERROR, 0x608, (ULONG_PTR)component,
                    0, 0);
    condition_changes(device, component, Flags);
}

/* ---- completing ---- */

static _Noreturn void nothing_to_complete(const char *routine, const fx_device_t *device, ULONG component, ULONG operation)
{
    ke_bugcheck(routine, "A driver has completed a request of the power management framework that is not outstanding.",
                INTERNAL_POWER_ERROR, 0x613, (ULONG_PTR)device, component, operation);
}

VOID PoFxCompleteIdleCondition(POHANDLE Handle, ULONG Component)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    fx_component_t *component = component_of(__func__, device, Component);
    ke_lock(&fx_lock);
    bool pending = component->idle_pending;
    component->idle_pending = false;
    ke_unlock(&fx_lock);
    if (!pending)
        nothing_to_complete(__func__, device, Component, 2);
    fx_run(device);
}

VOID PoFxCompleteIdleState(POHANDLE Handle, ULONG Component)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    fx_component_t *component = component_of(__func__, device, Component);
    ke_lock(&fx_lock);
    bool pending = component->state_pending;
    component->state_pending = false;
    if (pending)
        component->state = component->next_state;
    ke_unlock(&fx_lock);
    if (!pending)
        nothing_to_complete(__func__, device, Component, 3);
    fx_run(device);
}

static bool power_changes(fx_device_t *device, fx_power_t from, fx_power_t to)
{
    ke_lock(&fx_lock);
    bool changes = device->power == from;
    if (changes)
        device->power = to;
    ke_unlock(&fx_lock);
    return changes;
}

VOID PoFxCompleteDevicePowerNotRequired(POHANDLE Handle)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    if (!power_changes(device, FX_NOT_REQUIRED_PENDING, FX_NOT_REQUIRED))
        nothing_to_complete(__func__, device, 0, 0);
    fx_run(device);
}

VOID PoFxReportDevicePoweredOn(POHANDLE Handle)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    if (!power_changes(device, FX_REQUIRED_PENDING, FX_D0))
        (void)power_changes(device, FX_NOT_REQUIRED, FX_D0); /* by itself, as when the system wakes */
    fx_run(device);
}

/* ---- hints ---- */

typedef enum hint { LATENCY, RESIDENCY, WAKE } hint_t;

static void set_hint(const char *routine, POHANDLE handle, ULONG index, hint_t hint, ULONGLONG value)
{
    fx_device_t *device = device_of(routine, handle);
    if (device == NULL)
        return;
    fx_component_t *component = component_of(routine, device, index);
    ke_lock(&fx_lock);
    switch (hint) {
    case LATENCY: component->latency = value; break;
    case RESIDENCY: component->residency = value; break;
    case WAKE: component->wakes = value != 0; break;
    }
    ke_unlock(&fx_lock);
    fx_run(device);
}

VOID PoFxSetComponentLatency(POHANDLE Handle, ULONG Component, ULONGLONG Latency)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    set_hint(__func__, Handle, Component, LATENCY, Latency);
}

VOID PoFxSetComponentResidency(POHANDLE Handle, ULONG Component, ULONGLONG Residency)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    set_hint(__func__, Handle, Component, RESIDENCY, Residency);
}

VOID PoFxSetComponentWake(POHANDLE Handle, ULONG Component, BOOLEAN WakeHint)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    set_hint(__func__, Handle, Component, WAKE, WakeHint);
}

VOID PoFxSetDeviceIdleTimeout(POHANDLE Handle, ULONGLONG IdleTimeout)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return;
    ke_lock(&fx_lock);
    device->timeout = IdleTimeout; /* of the next time that all are idle */
    ke_unlock(&fx_lock);
    fx_run(device);
}

/* ---- driver and power engine plug-in ---- */

void ntmm_power_plugin_set(ntmm_power_plugin routine, void *context)
{
    plugin = routine;
    plugin_context = context;
}

NTSTATUS PoFxPowerControl(POHANDLE Handle, LPCGUID PowerControlCode, PVOID InBuffer, SIZE_T InBufferSize, PVOID OutBuffer,
                          SIZE_T OutBufferSize, PSIZE_T BytesReturned)
{
    SIZE_T returned = 0;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const fx_device_t *device = device_of(__func__, Handle);
    if (device == NULL)
        return STATUS_INVALID_PARAMETER;
    if (plugin == NULL)
        return STATUS_NOT_IMPLEMENTED;
    NTSTATUS status =
        plugin(plugin_context, device->physical, PowerControlCode, InBuffer, InBufferSize, OutBuffer, OutBufferSize, &returned);
    if (BytesReturned != NULL)
        *BytesReturned = returned;
    return status;
}

NTSTATUS ntmm_power_plugin_control(PDEVICE_OBJECT physical, const GUID *code, void *input, size_t input_bytes, void *output,
                                   size_t output_bytes, size_t *returned)
{
    SIZE_T bytes = 0;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_lock(&fx_lock);
    const fx_device_t *device = devices;
    while (device != NULL && device->physical != physical)
        device = device->next;
    ke_unlock(&fx_lock);
    if (device == NULL)
        return STATUS_NO_SUCH_DEVICE;
    if (device->control == NULL)
        return STATUS_NOT_IMPLEMENTED;
    NTSTATUS status = device->control(device->context, code, input, input_bytes, output, output_bytes, &bytes);
    if (returned != NULL)
        *returned = bytes;
    return status;
}
