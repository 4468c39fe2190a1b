/*
 * device_idle.c - devices that nobody uses are powered down while the system works, and up again when somebody does.
 *
 *     off --start--> D0 --the timer expires, and nobody uses it--> leaving --IRP_MN_SET_POWER, Dx--> Dx
 *      ^             ^                                                                               |
 *      |             `--IRP_MN_SET_POWER, D0-- entering <--a request, WdfDeviceStopIdle, a wake signal --'
 *      `--stop and removal, from D0 (so it is powered up before); surprise removal from wherever it is; somebody else's IRP for Dx
 *
 * Who uses it: requests in power-managed queues, and WdfDeviceStopIdle until WdfDeviceResumeIdle. The timer begins anew with each of them that comes
 * or ends; when it expires while somebody uses the device, it begins anew, too. Both ways are gone by one worker at a time, which asks for the power IRP and waits until the
 * device's stack has completed it (device_pnp.c). A device that can wake is armed on its way down, when its queues have stopped, and disarmed on
 * its way up, before they start.
 *
 * Locks       the idle lock. The stack's drivers run with none held.
 * Source      WDK reference: wdfdevice.h, the pages of the routines and callbacks; "Supporting Idle Power-Down", "Power-Down and Removal Sequence ...";
 *             KMDF 1.33 (statuses; that a stopped device is powered up first).
 * Fidelity    no IRP_MN_WAIT_WAKE is sent, since no bus here wakes anybody: WdfDeviceIndicateWakeStatus of the device itself is the wake signal.
 */
#include <ntddk.h>

#include "ex/work_queue.h"
#include "wdf/device.h"
#include "wdf/queue.h"

#define DEFAULT_TIMEOUT_MS 5000u

enum stopping { GOES_ON = 0, COMES_UP, STAYS };

/* ---- who uses it ---- */

static bool is_in_use(wdf_device_t *device)
{
    bool             used = false;
    wdf_device_io_t *io = wdf_device_io(device);
    for (wdf_queue_t *queue = wdf_io_next_queue(io, NULL); queue != NULL; queue = wdf_io_next_queue(io, queue)) {
        wdf_lock(&queue->lock);
        used = used || (queue->is_power_managed && queue->waiting_count + queue->owned_count != 0);
        wdf_unlock(&queue->lock);
    }
    return used;
}

/* From now on. */
static void start_timer(wdf_idle_t *idle)
{
    wdf_lock(&idle->lock);
    LARGE_INTEGER due = { .QuadPart = -(LONGLONG)idle->timeout_ms * 10000 };
    wdf_unlock(&idle->lock);
    (void)KeSetTimer(&idle->timer, due, &idle->dpc);
}

static bool has_timer_locked(const wdf_idle_t *idle) { return idle->state == WDF_IDLE_D0 && idle->is_enabled && idle->stopping == GOES_ON; }

/* ---- the worker ---- */

/* The worker has more to do, unless it is told so already; the lock is held, and is not when this returns. */
static void call_worker(wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    bool        is_first = !idle->is_queued;
    if (is_first) {
        idle->is_queued = true;
        KeClearEvent(&idle->quiet);
    }
    wdf_unlock(&idle->lock);
    if (is_first) {
        wdf_object_reference(&device->object);
        ex_work_queue("WdfDeviceAssignS0IdleSettings", &idle->item);
    }
}

static VOID timer_expired(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_device_t *device = context;
    (void)dpc, (void)argument1, (void)argument2;
    wdf_lock(&device->idle.lock);
    device->idle.is_expired = true;
    call_worker(device);
}

typedef struct answer {
    KEVENT   event;
    NTSTATUS status;
} answer_t;

static VOID power_done(PDEVICE_OBJECT device, UCHAR minor, POWER_STATE state, PVOID context, PIO_STATUS_BLOCK block)
{
    answer_t *answer = context;
    (void)device, (void)minor, (void)state;
    answer->status = block->Status;
    (void)KeSetEvent(&answer->event, IO_NO_INCREMENT, FALSE);
}

/* To the top of the stack and back. */
static NTSTATUS set_power(wdf_device_t *device, DEVICE_POWER_STATE state)
{
    answer_t answer;
    KeInitializeEvent(&answer.event, NotificationEvent, FALSE);
    NTSTATUS status =
        PoRequestPowerIrp(device->physical, IRP_MN_SET_POWER, (POWER_STATE){ .DeviceState = state }, power_done, &answer, NULL);
    if (status != STATUS_PENDING)
        return status;
    (void)KeWaitForSingleObject(&answer.event, Executive, KernelMode, FALSE, NULL);
    return answer.status;
}

static void reach(wdf_device_t *device, uint8_t state)
{
    wdf_idle_t *idle = &device->idle;
    wdf_lock(&idle->lock);
    idle->state = state;
    bool is_settled = state == WDF_IDLE_D0 || state == WDF_IDLE_OFF;
    if (is_settled)
        idle->is_needed = false;
    bool begins = has_timer_locked(idle);
    wdf_unlock(&idle->lock);
    if (begins)
        start_timer(idle);
    if (is_settled)
        (void)KeSetEvent(&idle->settled, IO_NO_INCREMENT, FALSE);
}

/* A device that cannot be powered down stays, one that cannot be powered up has failed. */
static void go_down(wdf_device_t *device)
{
    wdf_lock(&device->idle.lock);
    DEVICE_POWER_STATE dx = device->idle.dx;
    wdf_unlock(&device->idle.lock);
    NTSTATUS status = set_power(device, dx);
    reach(device, NT_SUCCESS(status) && !device->in_d0 ? WDF_IDLE_DX : WDF_IDLE_D0);
}
static void go_up(wdf_device_t *device)
{
    NTSTATUS status = set_power(device, PowerDeviceD0);
    reach(device, NT_SUCCESS(status) && device->in_d0 ? WDF_IDLE_D0 : WDF_IDLE_OFF);
}

/* The next way to go; the state is that of going it. WDF_IDLE_OFF: none, and the worker is quiet. */
static uint8_t next_way(wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    uint8_t     way = WDF_IDLE_OFF;
    wdf_lock(&idle->lock);
    ULONG uses = idle->uses;
    wdf_unlock(&idle->lock);
    bool is_used = is_in_use(device);
    wdf_lock(&idle->lock);
    bool goes = idle->is_expired && has_timer_locked(idle);
    bool is_free = !is_used && idle->holds == 0 && idle->uses == uses;
    idle->is_expired = false;
    if (idle->state == WDF_IDLE_DX && idle->is_needed && idle->stopping != STAYS)
        way = WDF_IDLE_ENTERING;
    else if (goes && is_free)
        way = WDF_IDLE_LEAVING;
    if (way == WDF_IDLE_LEAVING)
        KeClearEvent(&idle->settled);
    if (way != WDF_IDLE_OFF)
        idle->state = way;
    else
        idle->is_queued = false;
    wdf_unlock(&idle->lock);
    if (goes && !is_free)
        start_timer(idle);
    return way;
}

static VOID work(PVOID context)
{
    wdf_device_t *device = context;
    for (uint8_t way = next_way(device); way != WDF_IDLE_OFF; way = next_way(device))
        if (way == WDF_IDLE_LEAVING)
            go_down(device);
        else
            go_up(device);
    (void)KeSetEvent(&device->idle.quiet, IO_NO_INCREMENT, FALSE);
    wdf_object_dereference("WdfDeviceAssignS0IdleSettings", &device->object);
}

/* ---- for the rest of the framework ---- */

void wdf_idle_init(wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    KeInitializeTimer(&idle->timer);
    KeInitializeDpc(&idle->dpc, timer_expired, device);
    ExInitializeWorkItem(&idle->item, work, device);
    KeInitializeEvent(&idle->settled, NotificationEvent, TRUE);
    KeInitializeEvent(&idle->quiet, NotificationEvent, TRUE);
}

void wdf_idle_started(wdf_device_t *device)
{
    wdf_lock(&device->idle.lock);
    device->idle.stopping = GOES_ON;
    wdf_unlock(&device->idle.lock);
    reach(device, WDF_IDLE_D0);
}

void wdf_idle_stop(wdf_device_t *device, bool comes_up)
{
    wdf_idle_t *idle = &device->idle;
    wdf_lock(&idle->lock);
    idle->stopping = comes_up ? COMES_UP : STAYS;
    if (comes_up && idle->state == WDF_IDLE_DX) {
        idle->is_needed = true;
        call_worker(device);
    } else {
        idle->is_needed = comes_up && idle->state == WDF_IDLE_LEAVING;
        wdf_unlock(&idle->lock);
    }
    if (KeCancelTimer(&idle->timer) == FALSE && idle->timeout_ms != 0)
        KeFlushQueuedDpcs(); /* it may have expired just now */
    if (comes_up)
        (void)KeWaitForSingleObject(&idle->settled, Executive, KernelMode, FALSE, NULL);
    (void)KeWaitForSingleObject(&idle->quiet, Executive, KernelMode, FALSE, NULL);
    wdf_lock(&idle->lock);
    idle->is_armed = idle->is_woken = false;
    wdf_unlock(&idle->lock);
    reach(device, WDF_IDLE_OFF);
}

bool wdf_idle_moves(wdf_device_t *device)
{
    wdf_lock(&device->idle.lock);
    bool moves = device->idle.state == WDF_IDLE_LEAVING || device->idle.state == WDF_IDLE_ENTERING;
    wdf_unlock(&device->idle.lock);
    return moves;
}

/* Somebody begins or ends to use it: it is needed, or the timer begins anew. The lock is held, and is not when this returns. */
static void touch(wdf_device_t *device, bool needs_it)
{
    wdf_idle_t *idle = &device->idle;
    bool        begins = has_timer_locked(idle);
    idle->uses += needs_it;
    idle->is_needed = idle->is_needed || (needs_it && idle->state != WDF_IDLE_D0 && idle->state != WDF_IDLE_OFF);
    if (needs_it && idle->state == WDF_IDLE_DX)
        call_worker(device);
    else
        wdf_unlock(&idle->lock);
    if (begins)
        start_timer(idle);
}

/* Most devices never sleep, and their requests need not come this way. */
static bool may_sleep(const wdf_device_t *device) { return atomic_load_explicit(&device->idle.is_enabled, memory_order_relaxed); }

void wdf_idle_used(wdf_device_t *device)
{
    if (!may_sleep(device))
        return;
    wdf_lock(&device->idle.lock);
    touch(device, true);
}
void wdf_idle_unused(wdf_device_t *device)
{
    if (!may_sleep(device))
        return;
    wdf_lock(&device->idle.lock);
    touch(device, false);
}

/* ---- waking ---- */

NTSTATUS wdf_wake_arm(wdf_device_t *device)
{
    wdf_idle_t                     *idle = &device->idle;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_S0 callback = device->setup.power_policy.EvtDeviceArmWakeFromS0;
    NTSTATUS                        status = STATUS_SUCCESS;
    if (idle->state != WDF_IDLE_LEAVING || !idle->can_wake)
        return STATUS_SUCCESS;
    if (callback != NULL) {
        wdf_call_t call = wdf_call_begin(device->object.driver);
        status = callback(wdf_device_handle(device));
        WDF_CALL_END(&call, callback);
    }
    wdf_lock(&idle->lock);
    idle->is_armed = NT_SUCCESS(status);
    wdf_unlock(&idle->lock);
    return status;
}

void wdf_wake_disarm(wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    wdf_lock(&idle->lock);
    bool was_armed = idle->is_armed, was_woken = idle->is_woken;
    idle->is_armed = idle->is_woken = false;
    wdf_unlock(&idle->lock);
    if (was_woken)
        WDF_DEVICE_CALL_VOID(device, device->setup.power_policy.EvtDeviceWakeFromS0Triggered);
    if (was_armed)
        WDF_DEVICE_CALL_VOID(device, device->setup.power_policy.EvtDeviceDisarmWakeFromS0);
}

NTSTATUS WdfDeviceIndicateWakeStatus(WDFDEVICE Device, NTSTATUS WaitWakeStatus)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    wdf_idle_t   *idle = &device->idle;
    if (WaitWakeStatus == STATUS_PENDING || WaitWakeStatus == STATUS_CANCELLED)
        return STATUS_INVALID_PARAMETER;
    wdf_lock(&idle->lock);
    if (!idle->is_armed || idle->is_woken) {
        wdf_unlock(&idle->lock);
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    idle->is_woken = NT_SUCCESS(WaitWakeStatus);
    touch(device, true); /* a wait that has failed ends the sleep, too */
    return STATUS_SUCCESS;
}

/* ---- settings ---- */

static bool is_tri_state(WDF_TRI_STATE value) { return value == WdfFalse || value == WdfTrue || value == WdfUseDefault; }

static NTSTATUS check_settings(const WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS *settings)
{
    if (settings->Size != sizeof *settings)
        return STATUS_INFO_LENGTH_MISMATCH;
    bool is_known = settings->IdleCaps >= IdleCannotWakeFromS0 && settings->IdleCaps <= IdleUsbSelectiveSuspend &&
                    settings->DxState > PowerDeviceD0 && settings->DxState <= PowerDeviceMaximum &&
                    settings->UserControlOfIdleSettings >= IdleDoNotAllowUserControl &&
                    settings->UserControlOfIdleSettings <= IdleAllowUserControl && is_tri_state(settings->Enabled) &&
                    is_tri_state(settings->PowerUpIdleDeviceOnSystemWake) && is_tri_state(settings->ExcludeD3Cold) &&
                    settings->IdleTimeoutType <= SystemManagedIdleTimeoutWithHint;
    bool contradicts = settings->IdleCaps != IdleCannotWakeFromS0 && settings->PowerUpIdleDeviceOnSystemWake != WdfUseDefault;
    return is_known && !contradicts ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS WdfDeviceAssignS0IdleSettings(WDFDEVICE Device, PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS Settings)
{
    WDF_ENTER(PASSIVE_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t *device = WDF_FROM(Device, &wdf_device_type);
    wdf_idle_t   *idle = &device->idle;
    WDF_REQUIRE(Settings);
    NTSTATUS status = device->setup.is_power_policy_owner ? check_settings(Settings) : STATUS_INVALID_DEVICE_REQUEST;
    if (!NT_SUCCESS(status))
        return status;
    wdf_lock(&idle->lock);
    idle->is_enabled = Settings->Enabled != WdfFalse;
    idle->can_wake = Settings->IdleCaps != IdleCannotWakeFromS0;
    idle->dx = Settings->DxState == PowerDeviceMaximum ? PowerDeviceD3 : Settings->DxState;
    bool is_default = Settings->IdleTimeoutType == SystemManagedIdleTimeout || Settings->IdleTimeout == IdleTimeoutDefaultValue;
    idle->timeout_ms = is_default ? DEFAULT_TIMEOUT_MS : Settings->IdleTimeout;
    touch(device, true); /* a sleeping device comes up, and sleeps again by the new rules */
    return STATUS_SUCCESS;
}

/* ---- the driver uses it ---- */

static NTSTATUS wait_for_d0(wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    (void)KeWaitForSingleObject(&idle->settled, Executive, KernelMode, FALSE, NULL);
    wdf_lock(&idle->lock);
    bool is_there = idle->state == WDF_IDLE_D0;
    if (!is_there)
        idle->holds--;
    wdf_unlock(&idle->lock);
    return is_there ? STATUS_SUCCESS : STATUS_POWER_STATE_INVALID;
}

static NTSTATUS stop_idle(wdf_device_t *device, bool waits)
{
    wdf_idle_t *idle = &device->idle;
    if (!device->setup.is_power_policy_owner)
        return STATUS_INVALID_DEVICE_STATE;
    wdf_lock(&idle->lock);
    uint8_t state = idle->state;
    if (state == WDF_IDLE_OFF) {
        wdf_unlock(&idle->lock);
        return STATUS_POWER_STATE_INVALID;
    }
    idle->holds++;
    touch(device, true);
    if (state == WDF_IDLE_D0)
        return STATUS_SUCCESS;
    return waits ? wait_for_d0(device) : STATUS_PENDING;
}

static void resume_idle(const char *routine, wdf_device_t *device)
{
    wdf_idle_t *idle = &device->idle;
    if (!device->setup.is_power_policy_owner)
        return;
    wdf_lock(&idle->lock);
    if (idle->holds == 0)
        wdf_break(routine, "WdfDeviceStopIdle has not been called so often, or has failed.");
    idle->holds--;
    touch(device, false);
}

NTSTATUS WdfDeviceStopIdleNoTrack(WDFDEVICE Device, BOOLEAN WaitForD0)
{
    WDF_ENTER(WaitForD0 ? PASSIVE_LEVEL : DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return stop_idle(WDF_FROM(Device, &wdf_device_type), WaitForD0 != FALSE);
}
NTSTATUS WdfDeviceStopIdleActual(WDFDEVICE Device, BOOLEAN WaitForD0, PVOID Tag, LONG Line, PCCH File)
{
    (void)Tag, (void)Line, (void)File;
    WDF_ENTER(WaitForD0 ? PASSIVE_LEVEL : DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    return stop_idle(WDF_FROM(Device, &wdf_device_type), WaitForD0 != FALSE);
}
VOID WdfDeviceResumeIdleNoTrack(WDFDEVICE Device)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    resume_idle(__func__, WDF_FROM(Device, &wdf_device_type));
}
VOID WdfDeviceResumeIdleActual(WDFDEVICE Device, PVOID Tag, LONG Line, PCCH File)
{
    (void)Tag, (void)Line, (void)File;
    WDF_ENTER(DISPATCH_LEVEL, );
    resume_idle(__func__, WDF_FROM(Device, &wdf_device_type));
}
