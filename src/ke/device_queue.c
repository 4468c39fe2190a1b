/*
 * device_queue.c - device queues: a bit that says busy, and a line of entries sorted by key, or in order of arrival.
 *
 * Locks       the queue's own spin lock, at the caller's IRQL or DISPATCH_LEVEL.
 * Source      WDK reference: wdm.h, the pages of these routines.
 */
#include "ke/bugcheck.h"
#include "ke/irql.h"

#define DEVICE_QUEUE_OBJECT 20 /* KDEVICE_QUEUE.Type, as a debugger knows it */

VOID KeInitializeDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    DeviceQueue->Type = DEVICE_QUEUE_OBJECT;
    DeviceQueue->Size = sizeof *DeviceQueue;
    InitializeListHead(&DeviceQueue->DeviceListHead);
    KeInitializeSpinLock(&DeviceQueue->Lock);
    DeviceQueue->Hint = 0;
    DeviceQueue->Busy = FALSE;
}

/* ---- under its lock ---- */

static PKDEVICE_QUEUE_ENTRY entry_of(PLIST_ENTRY link) { return CONTAINING_RECORD(link, KDEVICE_QUEUE_ENTRY, DeviceListEntry); }

/* Where to put a key: in front of the first larger one. Where to look for it: the first that is not smaller. */
static PLIST_ENTRY first_from(PKDEVICE_QUEUE queue, ULONG key, bool larger)
{
    PLIST_ENTRY link = queue->DeviceListHead.Flink;
    while (link != &queue->DeviceListHead && (larger ? entry_of(link)->SortKey <= key : entry_of(link)->SortKey < key))
        link = link->Flink;
    return link;
}

static PKDEVICE_QUEUE_ENTRY take(PLIST_ENTRY link)
{
    PKDEVICE_QUEUE_ENTRY entry = entry_of(link);
    RemoveEntryList(link);
    entry->Inserted = FALSE;
    return entry;
}

static PKDEVICE_QUEUE_ENTRY take_from(PKDEVICE_QUEUE queue, PLIST_ENTRY link)
{
    if (link == &queue->DeviceListHead)
        link = queue->DeviceListHead.Flink;
    if (link != &queue->DeviceListHead)
        return take(link);
    queue->Busy = FALSE;
    return NULL;
}

/* ---- what drivers call ---- */

static BOOLEAN insert(PKDEVICE_QUEUE queue, PKDEVICE_QUEUE_ENTRY entry, const ULONG *key)
{
    KIRQL old;
    KeAcquireSpinLock(&queue->Lock, &old);
    BOOLEAN waits = queue->Busy;
    if (waits) {
        PLIST_ENTRY next = key != NULL ? first_from(queue, *key, true) : &queue->DeviceListHead;
        entry->SortKey = key != NULL ? *key : entry->SortKey;
        InsertTailList(next, &entry->DeviceListEntry);
    }
    queue->Busy = TRUE;
    entry->Inserted = waits;
    KeReleaseSpinLock(&queue->Lock, old);
    return waits;
}

BOOLEAN KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_thread_ready(__func__) != NULL && insert(DeviceQueue, DeviceQueueEntry, NULL);
}

BOOLEAN KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry, ULONG SortKey)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_thread_ready(__func__) != NULL && insert(DeviceQueue, DeviceQueueEntry, &SortKey);
}

static PKDEVICE_QUEUE_ENTRY remove_one(PKDEVICE_QUEUE queue, const ULONG *key)
{
    KIRQL old;
    KeAcquireSpinLock(&queue->Lock, &old);
    PKDEVICE_QUEUE_ENTRY entry = take_from(queue, key != NULL ? first_from(queue, *key, false) : queue->DeviceListHead.Flink);
    KeReleaseSpinLock(&queue->Lock, old);
    return entry;
}

PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_thread_ready(__func__) != NULL ? remove_one(DeviceQueue, NULL) : NULL;
}

PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_thread_ready(__func__) != NULL ? remove_one(DeviceQueue, &SortKey) : NULL;
}

PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueueIfBusy(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    return ke_thread_ready(__func__) != NULL ? remove_one(DeviceQueue, &SortKey) : NULL;
}

BOOLEAN KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry)
{
    KIRQL old;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return FALSE;
    KeAcquireSpinLock(&DeviceQueue->Lock, &old);
    BOOLEAN was_in = DeviceQueueEntry->Inserted;
    if (was_in)
        (void)take(&DeviceQueueEntry->DeviceListEntry);
    KeReleaseSpinLock(&DeviceQueue->Lock, old);
    return was_in;
}
