/*
 * timer.c - WDFTIMER: a KTIMER as an object. Its callback runs in the DPC, or, for a timer of WdfExecutionLevelPassive, in a work item behind it.
 *
 * Locks       the timer's lock for the work item's state.
 * Source      WDK reference: wdftimer.h, "Using Timers"; the published framework.
 * Fidelity    TolerableDelay and UseHighResolutionTimer have no effect: timers are on time.
 */
#include "ex/work_queue.h"
#include "wdf/serialize.h"

typedef struct wdf_timer {
    wdf_object_t     object;
    WDF_TIMER_CONFIG config;
    wdf_serializer_t serializer;
    KTIMER           timer;
    KDPC             dpc;
    bool             is_passive;
    wdf_lock_t       lock;
    bool             is_queued, is_running; /* (lock) the work item */
    ke_thread_t     *thread;                /* (lock) that runs it */
    KEVENT           idle;                  /* neither queued nor running */
    WORK_QUEUE_ITEM  item;
} wdf_timer_t;

static void timer_dispose(wdf_object_t *object);

static const wdf_type_t timer_type = { .name = "WDFTIMER",
                                       .number = WDF_NUMBER_TIMER,
                                       .bytes = sizeof(wdf_timer_t),
                                       .options = WDF_TYPE_PASSIVE_DISPOSE,
                                       .dispose = timer_dispose };

/* ---- the callback ---- */

static void call(wdf_timer_t *timer) { WDF_SERIALIZED_CALL(&timer->serializer, timer, timer->config.EvtTimerFunc, (WDFTIMER)timer); }

static VOID run_item(PVOID context)
{
    wdf_timer_t *timer = context;
    wdf_lock(&timer->lock);
    timer->is_queued = false;
    timer->is_running = true;
    timer->thread = ke_self();
    wdf_unlock(&timer->lock);
    call(timer);
    wdf_lock(&timer->lock);
    timer->is_running = false;
    timer->thread = NULL;
    bool idle = !timer->is_queued;
    wdf_unlock(&timer->lock);
    if (idle)
        (void)KeSetEvent(&timer->idle, IO_NO_INCREMENT, FALSE);
    wdf_object_dereference("WdfTimerStart", &timer->object);
}

static void queue_item(wdf_timer_t *timer)
{
    wdf_lock(&timer->lock);
    bool is_new = !timer->is_queued;
    timer->is_queued = true;
    wdf_unlock(&timer->lock);
    if (!is_new)
        return;
    (void)KeResetEvent(&timer->idle);
    wdf_object_reference(&timer->object);
    ex_work_queue("WdfTimerStart", &timer->item);
}

static VOID expired(PKDPC dpc, PVOID context, PVOID argument1, PVOID argument2)
{
    wdf_timer_t *timer = context;
    (void)dpc, (void)argument1, (void)argument2;
    if (timer->is_passive)
        queue_item(timer);
    else
        call(timer);
}

/* ---- the end ---- */

static bool runs_here(wdf_timer_t *timer)
{
    wdf_lock(&timer->lock);
    bool here = timer->thread == ke_self();
    wdf_unlock(&timer->lock);
    return here;
}

static BOOLEAN stop_and_wait(wdf_timer_t *timer)
{
    BOOLEAN was_set = KeCancelTimer(&timer->timer);
    if (!KeRemoveQueueDpc(&timer->dpc))
        KeFlushQueuedDpcs();
    if (!runs_here(timer))
        (void)KeWaitForSingleObject(&timer->idle, Executive, KernelMode, FALSE, NULL);
    return was_set;
}

static void timer_dispose(wdf_object_t *object)
{
    wdf_timer_t *timer = (wdf_timer_t *)(void *)object;
    if (timer->config.EvtTimerFunc != NULL)
        (void)stop_and_wait(timer);
}

/* ---- the driver's routines ---- */

static NTSTATUS check_config(const WDF_TIMER_CONFIG *config, bool is_passive)
{
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (config->EvtTimerFunc == NULL || config->Period > MAXLONG || (config->UseHighResolutionTimer && config->TolerableDelay != 0))
        return STATUS_INVALID_PARAMETER;
    return is_passive && config->Period != 0 ? STATUS_NOT_SUPPORTED : STATUS_SUCCESS;
}

NTSTATUS WdfTimerCreate(PWDF_TIMER_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFTIMER *Timer)
{
    wdf_timer_t     *timer;
    wdf_serializer_t serializer;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Config);
    WDF_REQUIRE(Attributes);
    WDF_REQUIRE(Timer);
    *Timer = NULL;
    bool     is_passive = Attributes->ExecutionLevel == WdfExecutionLevelPassive;
    NTSTATUS status = check_config(Config, is_passive);
    if (NT_SUCCESS(status))
        status = wdf_serializer_init(__func__, &serializer, Attributes, WDF_ATTRIBUTES_LEVEL, Config->AutomaticSerialization != FALSE,
                                     is_passive);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &timer_type, .attributes = Attributes }, &timer);
    if (!NT_SUCCESS(status))
        return status;
    timer->serializer = serializer;
    timer->is_passive = is_passive;
    KeInitializeTimer(&timer->timer);
    KeInitializeDpc(&timer->dpc, expired, timer);
    KeInitializeEvent(&timer->idle, NotificationEvent, TRUE);
    ExInitializeWorkItem(&timer->item, run_item, timer);
    status = wdf_object_commit(timer, Attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(timer);
        return status;
    }
    timer->config = *Config;
    *Timer = (WDFTIMER)timer;
    return STATUS_SUCCESS;
}

BOOLEAN WdfTimerStart(WDFTIMER Timer, LONGLONG DueTime)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_timer_t  *timer = WDF_FROM(Timer, &timer_type);
    LARGE_INTEGER due = { .QuadPart = DueTime };
    return KeSetCoalescableTimer(&timer->timer, due, timer->config.Period, timer->config.TolerableDelay, &timer->dpc);
}

BOOLEAN WdfTimerStop(WDFTIMER Timer, BOOLEAN Wait)
{
    WDF_ENTER(DISPATCH_LEVEL, FALSE);
    wdf_timer_t *timer = WDF_FROM(Timer, &timer_type);
    if (!Wait) {
        BOOLEAN was_set = KeCancelTimer(&timer->timer);
        return KeRemoveQueueDpc(&timer->dpc) || was_set;
    }
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (runs_here(timer))
        wdf_break(__func__, "The timer's own callback waits for the timer: it would wait for ever.");
    return stop_and_wait(timer);
}

WDFOBJECT WdfTimerGetParentObject(WDFTIMER Timer)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_timer_t *timer = WDF_FROM(Timer, &timer_type);
    return timer->object.parent;
}
