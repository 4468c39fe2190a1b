/*
 * start_io.c - StartIo: the driver gets one IRP of a device at a time, and the next one when it says that it is done.
 *
 *     IoStartPacket --device queue not busy--> CurrentIrp, DriverStartIo        --busy--> waits in DeviceQueue
 *     IoStartNextPacket --one waits--> CurrentIrp, DriverStartIo                --none--> not busy
 *
 * With DeferredStartIo a driver that is done at once does not call itself deeper and deeper: IoStartNextPacket inside of StartIo leaves word, and the
 * call that is under way goes on with the next IRP.
 *
 * DEVICE_OBJECT keeps the attributes and that word in fields without a meaning of their own: Spare1 and Reserved.
 *
 * Locks       DeviceQueue.Lock for Spare1 and Reserved; the cancel spin lock between a queue and its IRPs' cancel routines.
 * Source      WDK reference: IoStartPacket, IoStartNextPacket, IoStartNextPacketByKey, IoSetStartIoAttributes; "Writing a StartIo Routine".
 */
#include <ntddk.h>

#include "io/irp.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"

enum start_flags { DEFERRED = 1, NON_CANCELABLE = 2, RUNNING = 4, ONE_MORE = 8, CANCELABLE = 16, BY_KEY = 32 };

typedef struct next_packet { /* what IoStartNextPacket was asked for */
    bool  cancelable, by_key;
    ULONG key;
} next_packet_t;

static USHORT change_flags(PDEVICE_OBJECT device, USHORT clear, USHORT set)
{
    KIRQL old;
    KeAcquireSpinLock(&device->DeviceQueue.Lock, &old);
    USHORT before = device->Spare1;
    device->Spare1 = (USHORT)((before & ~clear) | set);
    KeReleaseSpinLock(&device->DeviceQueue.Lock, old);
    return before;
}

/* ---- deferring ---- */

/* true: StartIo is running, and will see to it. */
static bool leave_word(PDEVICE_OBJECT device, const next_packet_t *next)
{
    KIRQL old;
    KeAcquireSpinLock(&device->DeviceQueue.Lock, &old);
    bool left = (device->Spare1 & (DEFERRED | RUNNING)) == (DEFERRED | RUNNING);
    if (left) {
        device->Spare1 = (USHORT)(device->Spare1 | ONE_MORE | (next->cancelable ? CANCELABLE : 0) | (next->by_key ? BY_KEY : 0));
        device->Reserved = (PVOID)(ULONG_PTR)next->key;
    }
    KeReleaseSpinLock(&device->DeviceQueue.Lock, old);
    return left;
}

/* StartIo has returned. true: word was left meanwhile. */
static bool take_word(PDEVICE_OBJECT device, next_packet_t *next)
{
    KIRQL old;
    KeAcquireSpinLock(&device->DeviceQueue.Lock, &old);
    USHORT flags = device->Spare1;
    *next = (next_packet_t){ (flags & CANCELABLE) != 0, (flags & BY_KEY) != 0, (ULONG)(ULONG_PTR)device->Reserved };
    device->Spare1 = (USHORT)(flags & ~(RUNNING | ONE_MORE | CANCELABLE | BY_KEY));
    KeReleaseSpinLock(&device->DeviceQueue.Lock, old);
    return (flags & ONE_MORE) != 0;
}

/* ---- starting ---- */

static void call_start_io(PDEVICE_OBJECT device, PIRP irp)
{
    (void)change_flags(device, 0, RUNNING);
    device->DriverObject->DriverStartIo(device, irp);
}

/* The cancel lock is held if `cancelable`; it is not on return. */
static void make_current(PDEVICE_OBJECT device, PIRP irp, bool cancelable, KIRQL cancel_irql)
{
    device->CurrentIrp = irp;
    if (cancelable && (device->Spare1 & NON_CANCELABLE) != 0)
        (void)IoSetCancelRoutine(irp, NULL);
    if (cancelable)
        IoReleaseCancelSpinLock(cancel_irql);
}

/* false: none waits. */
static bool start_next(PDEVICE_OBJECT device, const next_packet_t *next)
{
    KIRQL cancel_irql = DISPATCH_LEVEL;
    if (next->cancelable)
        IoAcquireCancelSpinLock(&cancel_irql);
    device->CurrentIrp = NULL;
    PKDEVICE_QUEUE_ENTRY entry =
        next->by_key ? KeRemoveByKeyDeviceQueue(&device->DeviceQueue, next->key) : KeRemoveDeviceQueue(&device->DeviceQueue);
    if (entry == NULL) {
        if (next->cancelable)
            IoReleaseCancelSpinLock(cancel_irql);
        return false;
    }
    PIRP irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.DeviceQueueEntry);
    make_current(device, irp, next->cancelable, cancel_irql);
    call_start_io(device, irp);
    return true;
}

static void go_on(PDEVICE_OBJECT device)
{
    next_packet_t next;
    while (take_word(device, &next) && start_next(device, &next))
        ;
}

static void start_next_packet(const char *routine, PDEVICE_OBJECT device, const next_packet_t *next)
{
    KIRQL old;
    if (ke_thread_ready(routine) == NULL || leave_word(device, next))
        return;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    if (start_next(device, next))
        go_on(device);
    KeLowerIrql(old);
}

VOID IoStartNextPacket(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable)
{
    next_packet_t next = { .cancelable = Cancelable != FALSE };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    start_next_packet(__func__, DeviceObject, &next);
}

VOID IoStartNextPacketByKey(PDEVICE_OBJECT DeviceObject, BOOLEAN Cancelable, ULONG Key)
{
    next_packet_t next = { .cancelable = Cancelable != FALSE, .by_key = true, .key = Key };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    start_next_packet(__func__, DeviceObject, &next);
}

/* ---- the first one ---- */

static bool wait_in_queue(PDEVICE_OBJECT device, PIRP irp, const ULONG *key)
{
    PKDEVICE_QUEUE_ENTRY entry = &irp->Tail.Overlay.DeviceQueueEntry;
    return key != NULL ? KeInsertByKeyDeviceQueue(&device->DeviceQueue, entry, *key) : KeInsertDeviceQueue(&device->DeviceQueue, entry);
}

/* It waits, with its cancel routine set, under the cancel lock: was it cancelled before that? */
static void cancel_if_late(PDEVICE_OBJECT device, PIRP irp, KIRQL cancel_irql)
{
    PDRIVER_CANCEL cancel = io_irp_is_cancelled(irp) ? IoSetCancelRoutine(irp, NULL) : NULL;
    if (cancel == NULL) {
        IoReleaseCancelSpinLock(cancel_irql);
        return;
    }
    irp->CancelIrql = cancel_irql;
    cancel(device, irp);
}

VOID IoStartPacket(PDEVICE_OBJECT DeviceObject, PIRP Irp, PULONG Key, PDRIVER_CANCEL CancelFunction)
{
    KIRQL old, cancel_irql = DISPATCH_LEVEL;
    bool  cancelable = CancelFunction != NULL;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    if (cancelable) {
        IoAcquireCancelSpinLock(&cancel_irql);
        (void)IoSetCancelRoutine(Irp, CancelFunction);
    }
    if (!wait_in_queue(DeviceObject, Irp, Key)) {
        make_current(DeviceObject, Irp, cancelable, cancel_irql);
        call_start_io(DeviceObject, Irp);
        go_on(DeviceObject);
    } else if (cancelable) {
        cancel_if_late(DeviceObject, Irp, cancel_irql);
    }
    KeLowerIrql(old);
}

VOID IoSetStartIoAttributes(PDEVICE_OBJECT DeviceObject, BOOLEAN DeferredStartIo, BOOLEAN NonCancelable)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) != NULL)
        (void)change_flags(DeviceObject, DEFERRED | NON_CANCELABLE,
                           (USHORT)((DeferredStartIo ? DEFERRED : 0) | (NonCancelable ? NON_CANCELABLE : 0)));
}
