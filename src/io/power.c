/*
 * power.c - power requests: those that drivers ask for, and those that a test sends; and power settings.
 *
 *     PoRequestPowerIrp --> an IRP to the top of the stack --> complete --> the driver's CompletionFunction, and the IRP is freed
 *     ntmm_power_set    --> the same, and the test waits
 *
 * Locks       settings_lock (leaf) for who hears of settings; callbacks run with none held.
 * Source      WDK reference: wdm.h, PoRequestPowerIrp, PoSetPowerState, PoRegisterPowerSettingCallback; "Rules for handling power IRPs".
 * Fidelity    there is no power manager: the system stays in S0 until the test sends something else, and nobody looks whether devices are idle.
 */
#include "io/power.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ntmm/ntmm.h>

#include "ex/work_queue.h"
#include "io/device.h"
#include "io/irp.h"
#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_REQUEST NTMM_TAG("PoRq")
#define TAG_SETTING NTMM_TAG("PoSt")

/* ---- what is plain ---- */

NTSTATUS PoCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp) { return IoCallDriver(DeviceObject, Irp); }

VOID PoStartNextPowerIrp(PIRP Irp)
{
    (void)Irp;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
}

POWER_STATE PoSetPowerState(PDEVICE_OBJECT DeviceObject, POWER_STATE_TYPE Type, POWER_STATE State)
{
    POWER_STATE before = { .DeviceState = PowerDeviceUnspecified };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    io_device_extension_t *extension = io_device_extension(DeviceObject);
    if (Type == DevicePowerState && extension != NULL)
        before.DeviceState = (DEVICE_POWER_STATE)atomic_exchange(&extension->power, (int32_t)State.DeviceState);
    return before;
}

PULONG PoRegisterDeviceForIdleDetection(PDEVICE_OBJECT DeviceObject, ULONG ConservationIdleTime, ULONG PerformanceIdleTime,
                                        DEVICE_POWER_STATE State)
{
    (void)State;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    io_device_extension_t *extension = io_device_extension(DeviceObject);
    return (ConservationIdleTime != 0 || PerformanceIdleTime != 0) && extension != NULL ? &extension->idle : NULL;
}

VOID PoSetDeviceBusyEx(PULONG IdlePointer)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    *IdlePointer = 0;
}
VOID PoStartDeviceBusy(PULONG IdlePointer) { PoSetDeviceBusyEx(IdlePointer); }
VOID PoEndDeviceBusy(PULONG IdlePointer) { PoSetDeviceBusyEx(IdlePointer); }

BOOLEAN PoQueryWatchdogTime(PDEVICE_OBJECT Pdo, PULONG SecondsRemaining)
{
    (void)Pdo;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    *SecondsRemaining = 0;
    return FALSE;
}

/* ---- requests ---- */

static void describe(PIRP irp, UCHAR minor, POWER_STATE_TYPE type, POWER_STATE state, POWER_ACTION action)
{
    PIO_STACK_LOCATION next = IoGetNextIrpStackLocation(irp);
    next->MajorFunction = IRP_MJ_POWER;
    next->MinorFunction = minor;
    irp->IoStatus.Status = STATUS_NOT_SUPPORTED;
    irp->Tail.Overlay.Thread = PsGetCurrentThread();
    if (minor == IRP_MN_WAIT_WAKE) {
        next->Parameters.WaitWake.PowerState = state.SystemState;
        return;
    }
    next->Parameters.Power.Type = type;
    next->Parameters.Power.State = state;
    next->Parameters.Power.ShutdownType = action;
}

typedef struct request {
    WORK_QUEUE_ITEM         item;
    PIRP                    irp;
    PDEVICE_OBJECT          device, top; /* the second referenced */
    UCHAR                   minor;
    POWER_STATE             state;
    PREQUEST_POWER_COMPLETE routine;
    PVOID                   context;
} request_t;

static NTSTATUS request_complete(PDEVICE_OBJECT nobody, PIRP irp, PVOID context)
{
    request_t *request = context;
    (void)nobody;
    if (request->routine != NULL)
        request->routine(request->device, request->minor, request->state, request->context, &irp->IoStatus);
    IoFreeIrp(irp);
    ObDereferenceObject(request->top);
    ExFreePoolWithTag(request, TAG_REQUEST);
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static VOID send_request(PVOID parameter)
{
    request_t *request = parameter;
    (void)IoCallDriver(request->top, request->irp); /* it may be gone then */
}

static request_t *make_request(PDEVICE_OBJECT device, UCHAR minor, POWER_STATE state)
{
    request_t *request = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *request, TAG_REQUEST);
    if (request == NULL)
        return NULL;
    request->device = device;
    request->top = IoGetAttachedDeviceReference(device);
    request->minor = minor;
    request->state = state;
    request->irp = IoAllocateIrp(request->top->StackSize, FALSE);
    if (request->irp == NULL) {
        ObDereferenceObject(request->top);
        ExFreePoolWithTag(request, TAG_REQUEST);
        return NULL;
    }
    describe(request->irp, minor, DevicePowerState, state, PowerActionNone);
    IoSetCompletionRoutine(request->irp, request_complete, request, TRUE, TRUE, TRUE);
    return request;
}

NTSTATUS PoRequestPowerIrp(PDEVICE_OBJECT DeviceObject, UCHAR MinorFunction, POWER_STATE PowerState,
                           PREQUEST_POWER_COMPLETE CompletionFunction, PVOID Context, PIRP *Irp)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (MinorFunction != IRP_MN_WAIT_WAKE && MinorFunction != IRP_MN_SET_POWER && MinorFunction != IRP_MN_QUERY_POWER)
        return STATUS_INVALID_PARAMETER_2;
    request_t *request = make_request(DeviceObject, MinorFunction, PowerState);
    if (request == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    request->routine = CompletionFunction;
    request->context = Context;
    if (Irp != NULL && MinorFunction == IRP_MN_WAIT_WAKE)
        *Irp = request->irp;
    if (KeGetCurrentIrql() == PASSIVE_LEVEL) {
        send_request(request);
    } else {
        ExInitializeWorkItem(&request->item, send_request, request);
        ex_work_queue(__func__, &request->item);
    }
    return STATUS_PENDING;
}

/* ---- the test's side ---- */

static NTSTATUS send_and_wait(PDEVICE_OBJECT device, UCHAR minor, POWER_STATE_TYPE type, uint32_t state, POWER_ACTION action)
{
    PDEVICE_OBJECT top = IoGetAttachedDeviceReference(device);
    PIRP           irp = IoAllocateIrp(top->StackSize, FALSE);
    NTSTATUS       status = STATUS_INSUFFICIENT_RESOURCES;
    if (irp != NULL) {
        describe(irp, minor, type, (POWER_STATE){ .SystemState = (SYSTEM_POWER_STATE)state }, action);
        status = io_irp_send(top, irp);
        IoFreeIrp(irp);
    }
    if (io_device_extension(top) != NULL)
        ObDereferenceObject(top);
    return status;
}

/* Where that state leads to. */
static POWER_ACTION action_of(POWER_STATE_TYPE type, uint32_t state)
{
    if (type != SystemPowerState || state <= PowerSystemWorking)
        return PowerActionNone;
    if (state == PowerSystemHibernate)
        return PowerActionHibernate;
    return state == PowerSystemShutdown ? PowerActionShutdown : PowerActionSleep;
}

NTSTATUS ntmm_power_set(PDEVICE_OBJECT device, POWER_STATE_TYPE type, uint32_t state)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return send_and_wait(device, IRP_MN_SET_POWER, type, state, action_of(type, state));
}

NTSTATUS ntmm_power_query(PDEVICE_OBJECT device, POWER_STATE_TYPE type, uint32_t state)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return send_and_wait(device, IRP_MN_QUERY_POWER, type, state, action_of(type, state));
}

/* ---- settings ---- */

typedef struct listener {
    LIST_ENTRY              link;
    GUID                    guid;
    PPOWER_SETTING_CALLBACK callback;
    PVOID                   context;
} listener_t;

typedef struct setting { /* in the host's memory */
    struct setting *next;
    GUID            guid;
    uint32_t        bytes;
    _Alignas(16) unsigned char value[];
} setting_t;

static ke_lock_t  settings_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY listeners; /* settings_lock */
static setting_t *settings;  /* settings_lock; newest first, and older values of the same stay */

void io_power_boot(void)
{
    io_power_fx_boot();
    io_power_limits_boot();
    ke_lock_init(&settings_lock, KE_RANK_LEAF);
    InitializeListHead(&listeners);
    while (settings != NULL) {
        setting_t *first = settings;
        settings = first->next;
        free(first);
    }
}

static setting_t *find_setting(const GUID *guid)
{
    ke_lock(&settings_lock);
    setting_t *setting = settings;
    while (setting != NULL && !IsEqualGUID(&setting->guid, guid))
        setting = setting->next;
    ke_unlock(&settings_lock);
    return setting;
}

static bool is_registered(const listener_t *listener)
{
    bool found = false;
    ke_lock(&settings_lock);
    for (PLIST_ENTRY at = listeners.Flink; at != &listeners; at = at->Flink)
        found = found || CONTAINING_RECORD(at, listener_t, link) == listener;
    ke_unlock(&settings_lock);
    return found;
}

NTSTATUS PoRegisterPowerSettingCallback(PDEVICE_OBJECT DeviceObject, LPCGUID SettingGuid, PPOWER_SETTING_CALLBACK Callback, PVOID Context,
                                        PVOID *Handle)
{
    (void)DeviceObject;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *Handle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    listener_t *fresh = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *fresh, TAG_SETTING);
    if (fresh == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    fresh->guid = *SettingGuid;
    fresh->callback = Callback;
    fresh->context = Context;
    ke_lock(&settings_lock);
    InsertTailList(&listeners, &fresh->link);
    ke_unlock(&settings_lock);
    *Handle = fresh;
    setting_t *now = find_setting(SettingGuid);
    if (now != NULL)
        (void)Callback(SettingGuid, now->value, now->bytes, Context);
    return STATUS_SUCCESS;
}

NTSTATUS PoUnregisterPowerSettingCallback(PVOID Handle)
{
    listener_t *listener = Handle;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!is_registered(listener))
        return STATUS_INVALID_PARAMETER;
    ke_lock(&settings_lock);
    RemoveEntryList(&listener->link);
    ke_unlock(&settings_lock);
    ExFreePoolWithTag(listener, TAG_SETTING);
    return STATUS_SUCCESS;
}

/* The listener with that number, counted from 0, who wants to hear of it; a copy. */
static bool listener_at(const GUID *guid, size_t index, listener_t *copy)
{
    bool found = false;
    ke_lock(&settings_lock);
    for (PLIST_ENTRY at = listeners.Flink; at != &listeners && !found; at = at->Flink) {
        const listener_t *one = CONTAINING_RECORD(at, listener_t, link);
        found = IsEqualGUID(&one->guid, guid) && index-- == 0;
        if (found)
            *copy = *one;
    }
    ke_unlock(&settings_lock);
    return found;
}

int ntmm_power_setting(const GUID *guid, const void *value, uint32_t bytes)
{
    listener_t one;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return -ENODEV;
    setting_t *fresh = malloc(sizeof *fresh + bytes);
    if (fresh == NULL)
        return ke_error(-ENOMEM, "%s: the host has no memory", __func__);
    fresh->guid = *guid;
    fresh->bytes = bytes;
    if (bytes != 0)
        memcpy(fresh->value, value, bytes);
    ke_lock(&settings_lock);
    fresh->next = settings;
    settings = fresh;
    ke_unlock(&settings_lock);
    for (size_t i = 0; listener_at(guid, i, &one); i++)
        (void)one.callback(&fresh->guid, fresh->value, bytes, one.context);
    return 0;
}
