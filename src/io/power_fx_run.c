/*
 * power_fx_run.c - the power management framework decides: what is the next thing that a device's driver is to be told?
 *
 * One thread at a time calls the driver back, the one that has changed something. What others change meanwhile, or the callbacks themselves by
 * completing, it finds when it decides the next time.
 *
 * Locks       fx_lock (leaf), none while the driver is called.
 * Source      WDK reference: wdm.h, PoFxActivateComponent, PoFxSetComponentLatency, PoFxSetDeviceIdleTimeout and the pages of the callbacks.
 * Fidelity    the deepest F-state is chosen that latency, residency and wake-up allow: there is no power engine plug-in to know better.
 */
#include "io/power_fx.h"

#include "ke/bugcheck.h"

#define A_MOMENT (-10000) /* 1 ms */

typedef enum act { FINISHED, TELL_ACTIVE, TELL_IDLE, CHANGE_STATE, REQUIRE_POWER, RELEASE_POWER, SET_TIMER, CANCEL_TIMER } act_t;

typedef struct decision {
    act_t act;
    ULONG component, state;
} decision_t;

/* ---- deciding ---- */

static bool is_wanted(const fx_device_t *device, const fx_component_t *component) { return component->references != 0 || !device->started; }

bool fx_is_idle(const fx_component_t *component) { return !component->active && !component->idle_pending; }

static ULONG wanted_state(const fx_component_t *component)
{
    ULONG deepest = 0;
    for (ULONG i = 1; i < component->state_count; i++)
        if (component->states[i].TransitionLatency <= component->latency &&
            component->states[i].ResidencyRequirement <= component->residency && (!component->wakes || i <= component->deepest_wakeable))
            deepest = i;
    return deepest;
}

/* Not from one low-power state to another. */
static decision_t change_state(fx_component_t *component, ULONG index, ULONG wanted)
{
    component->next_state = component->state != 0 ? 0 : wanted;
    component->state_pending = true;
    return (decision_t){ CHANGE_STATE, index, component->next_state };
}

static decision_t activate_locked(fx_device_t *device, ULONG index)
{
    fx_component_t *component = &device->components[index];
    if (device->power == FX_NOT_REQUIRED) {
        device->power = FX_REQUIRED_PENDING;
        return (decision_t){ .act = REQUIRE_POWER };
    }
    if (device->power != FX_D0)
        return (decision_t){ .act = FINISHED };
    if (component->state != 0)
        return change_state(component, index, 0);
    component->active = true;
    return (decision_t){ TELL_ACTIVE, index, 0 };
}

static decision_t decide_component_locked(fx_device_t *device, ULONG index)
{
    fx_component_t *component = &device->components[index];
    if (component->idle_pending || component->state_pending)
        return (decision_t){ .act = FINISHED };
    if (is_wanted(device, component))
        return component->active ? (decision_t){ .act = FINISHED } : activate_locked(device, index);
    if (component->active) {
        component->active = component->is_told = false;
        component->idle_pending = true;
        return (decision_t){ TELL_IDLE, index, 0 };
    }
    if (device->power == FX_D0 && component->state != wanted_state(component))
        return change_state(component, index, wanted_state(component));
    return (decision_t){ .act = FINISHED };
}

static bool all_rest_locked(const fx_device_t *device)
{
    bool rest = device->started;
    for (ULONG i = 0; i < device->count && rest; i++) {
        const fx_component_t *component = &device->components[i];
        rest = fx_is_idle(component) && !component->state_pending && component->references == 0;
    }
    return rest;
}

static decision_t decide_power_locked(fx_device_t *device)
{
    if (device->power != FX_D0 || device->not_required == NULL || !all_rest_locked(device)) {
        bool cancels = device->timer_set;
        device->timer_set = device->timeout_over = false;
        return (decision_t){ .act = cancels ? CANCEL_TIMER : FINISHED };
    }
    if (device->timeout == 0 || device->timeout_over) {
        device->timeout_over = false;
        device->power = FX_NOT_REQUIRED_PENDING;
        return (decision_t){ .act = RELEASE_POWER };
    }
    if (device->timer_set)
        return (decision_t){ .act = FINISHED };
    device->timer_set = true;
    device->timer_due = KeQueryInterruptTime() + device->timeout;
    return (decision_t){ .act = SET_TIMER };
}

static decision_t decide_locked(fx_device_t *device)
{
    for (ULONG i = 0; i < device->count; i++) {
        decision_t decision = decide_component_locked(device, i);
        if (decision.act != FINISHED)
            return decision;
    }
    return decide_power_locked(device);
}

/* ---- telling ---- */

static void tell_active(fx_device_t *device, ULONG index)
{
    if (device->active_condition != NULL)
        device->active_condition(device->context, index);
    ke_lock(&fx_lock);
    device->components[index].is_told = device->components[index].active;
    ke_unlock(&fx_lock);
}

/* A driver without the callback has nothing to do, and is done. */
static void tell_idle(fx_device_t *device, ULONG index)
{
    if (device->idle_condition != NULL)
        device->idle_condition(device->context, index);
    else
        PoFxCompleteIdleCondition((POHANDLE)(void *)device, index);
}

static void tell_state(fx_device_t *device, ULONG index, ULONG state)
{
    if (device->idle_state != NULL)
        device->idle_state(device->context, index, state);
    else
        PoFxCompleteIdleState((POHANDLE)(void *)device, index);
}

static void require_power(fx_device_t *device)
{
    if (device->required != NULL)
        device->required(device->context);
    else
        PoFxReportDevicePoweredOn((POHANDLE)(void *)device);
}

static void set_timer(fx_device_t *device)
{
    const LARGE_INTEGER due = { .QuadPart = -(LONGLONG)device->timeout };
    (void)KeSetTimer(&device->timer, due, &device->dpc);
}

static void perform(fx_device_t *device, decision_t decision)
{
    switch (decision.act) {
    case TELL_ACTIVE: tell_active(device, decision.component); break;
    case TELL_IDLE: tell_idle(device, decision.component); break;
    case CHANGE_STATE: tell_state(device, decision.component, decision.state); break;
    case REQUIRE_POWER: require_power(device); break;
    case RELEASE_POWER: device->not_required(device->context); break;
    case SET_TIMER: set_timer(device); break;
    case CANCEL_TIMER: (void)KeCancelTimer(&device->timer); break;
    case FINISHED: break;
    }
}

/* ---- running ---- */

static bool begin(fx_device_t *device)
{
    ke_lock(&fx_lock);
    bool mine = !device->is_running;
    device->is_running = true;
    ke_unlock(&fx_lock);
    return mine;
}

static decision_t next(fx_device_t *device)
{
    ke_lock(&fx_lock);
    decision_t decision = decide_locked(device);
    if (decision.act == FINISHED)
        device->is_running = false;
    ke_unlock(&fx_lock);
    return decision;
}

void fx_run(fx_device_t *device)
{
    if (!begin(device))
        return;
    for (decision_t decision = next(device); decision.act != FINISHED; decision = next(device))
        perform(device, decision);
}

static VOID work(PVOID context)
{
    fx_device_t *device = context;
    ke_lock(&fx_lock);
    device->is_queued = false;
    ke_unlock(&fx_lock);
    fx_run(device);
    ke_lock(&fx_lock);
    device->workers--;
    ke_unlock(&fx_lock);
}

void fx_run_elsewhere(fx_device_t *device)
{
    ke_lock(&fx_lock);
    bool queues = !device->is_queued;
    device->is_queued = true;
    device->workers += queues;
    ke_unlock(&fx_lock);
    if (queues)
        ExQueueWorkItem(&device->work, DelayedWorkQueue);
}

static VOID timeout_is_over(PKDPC dpc, PVOID context, PVOID unused1, PVOID unused2)
{
    fx_device_t *device = context;
    (void)dpc;
    (void)unused1;
    (void)unused2;
    ke_lock(&fx_lock);
    bool over = device->timer_set && KeQueryInterruptTime() >= device->timer_due; /* else it was cancelled too late */
    if (over) {
        device->timer_set = false;
        device->timeout_over = true;
    }
    ke_unlock(&fx_lock);
    if (over)
        fx_run(device);
}

void fx_device_prepare(fx_device_t *device)
{
    KeInitializeTimer(&device->timer);
    KeInitializeDpc(&device->dpc, timeout_is_over, device);
    ExInitializeWorkItem(&device->work, work, device);
}

static bool is_quiet(fx_device_t *device)
{
    ke_lock(&fx_lock);
    bool quiet = !device->is_running && device->workers == 0;
    ke_unlock(&fx_lock);
    return quiet;
}

void fx_device_quiet(fx_device_t *device)
{
    LARGE_INTEGER moment = { .QuadPart = A_MOMENT };
    (void)KeCancelTimer(&device->timer);
    KeFlushQueuedDpcs();
    while (!is_quiet(device))
        (void)KeDelayExecutionThread(KernelMode, FALSE, &moment);
}
