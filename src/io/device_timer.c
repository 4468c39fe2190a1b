/*
 * device_timer.c - a routine that is called once a second while the timer of its device is started.
 *
 *     IoStartTimer -> set for one second --due--> DPC: started still? the routine, and set again
 *     IoStopTimer  -> not started          `-----------> else over
 *
 * The timer is a block of pool that the device refers to, and while it is set its DPC does so as well: who lets go last frees it.
 *
 * Locks       timers_lock (leaf) for `started`, `set` and `references`.
 * Source      WDK reference: wdm.h, IoInitializeTimer, IoStartTimer, IoStopTimer, IO_TIMER_ROUTINE.
 * Fidelity    each timer has seconds of its own, from its start (choice: Windows has one tick for all devices).
 */
#include "io/device.h"

#include "ke/bugcheck.h"
#include "ke/lock.h"

#define TAG_TIMER NTMM_TAG("IoTm")
#define ONE_SECOND 10000000

struct _IO_TIMER {
    PDEVICE_OBJECT    device;
    PIO_TIMER_ROUTINE routine;
    PVOID             context;
    bool              started;
    bool              set; /* KTIMER and KDPC are in use, and have a reference */
    uint32_t          references;
    KTIMER            timer;
    KDPC              dpc;
};

static ke_lock_t timers_lock = KE_LOCK_INIT(KE_RANK_LEAF);

void io_device_timers_boot(void) { ke_lock_init(&timers_lock, KE_RANK_LEAF); }

static void let_go(PIO_TIMER timer)
{
    ke_lock(&timers_lock);
    bool last = --timer->references == 0;
    ke_unlock(&timers_lock);
    if (last)
        ExFreePoolWithTag(timer, TAG_TIMER);
}

static void set_for_a_second(PIO_TIMER timer)
{
    const LARGE_INTEGER due = { .QuadPart = -ONE_SECOND };
    (void)KeSetTimer(&timer->timer, due, &timer->dpc);
}

/* ---- a second is over ---- */

static bool goes_on(PIO_TIMER timer)
{
    ke_lock(&timers_lock);
    timer->set = timer->started;
    ke_unlock(&timers_lock);
    return timer->set;
}

/* The device stays while its timer is started: a driver deletes it after IoStopTimer, or IoDeleteDevice stops it. */
static VOID second_is_over(PKDPC dpc, PVOID context, PVOID unused1, PVOID unused2)
{
    PIO_TIMER timer = context;
    (void)dpc;
    (void)unused1;
    (void)unused2;
    if (!goes_on(timer)) {
        let_go(timer);
        return;
    }
    set_for_a_second(timer);
    timer->routine(timer->device, timer->context);
}

/* ---- the driver's ---- */

NTSTATUS IoInitializeTimer(PDEVICE_OBJECT DeviceObject, PIO_TIMER_ROUTINE TimerRoutine, PVOID Context)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    PIO_TIMER timer = DeviceObject->Timer;
    if (timer == NULL) {
        timer = ExAllocatePoolZero(NonPagedPoolNx, sizeof *timer, TAG_TIMER);
        if (timer == NULL)
            return STATUS_INSUFFICIENT_RESOURCES;
        KeInitializeTimer(&timer->timer);
        KeInitializeDpc(&timer->dpc, second_is_over, timer);
        timer->device = DeviceObject;
        timer->references = 1;
    }
    timer->routine = TimerRoutine;
    timer->context = Context;
    DeviceObject->Timer = timer;
    return STATUS_SUCCESS;
}

VOID IoStartTimer(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    PIO_TIMER timer = DeviceObject->Timer;
    if (timer == NULL) {
        ke_error(0, "%s: device %p has no timer: IoInitializeTimer was not called, or failed", __func__, (void *)DeviceObject);
        return;
    }
    ke_lock(&timers_lock);
    bool begins = !timer->set;
    timer->started = timer->set = true;
    timer->references += begins;
    ke_unlock(&timers_lock);
    if (begins)
        set_for_a_second(timer);
}

static void stop(PIO_TIMER timer)
{
    ke_lock(&timers_lock);
    timer->started = false;
    ke_unlock(&timers_lock);
    if (!KeCancelTimer(&timer->timer))
        return;         /* not set, or its DPC is on the way and finds that it is over */
    if (goes_on(timer)) /* somebody has started it meanwhile */
        set_for_a_second(timer);
    else
        let_go(timer);
}

VOID IoStopTimer(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) != NULL && DeviceObject->Timer != NULL)
        stop(DeviceObject->Timer);
}

void io_device_timer_delete(PDEVICE_OBJECT device)
{
    PIO_TIMER timer = device->Timer;
    if (timer == NULL)
        return;
    device->Timer = NULL;
    stop(timer);
    let_go(timer);
}
