/*
 * ke_device_queue.h - device queues: a device is busy or not, and what comes while it is busy waits in a line.
 *
 *     not busy --insert: FALSE, go ahead--> busy --insert: TRUE, it waits--> busy, 1 waits --remove: that one--> busy --remove: NULL--> not busy
 *
 * KDEVICE_QUEUE itself is in io_objects.h, because a DEVICE_OBJECT contains one; IoStartPacket works with that.
 *
 * Source  WDK reference: wdm.h, "Driver-Managed Device Queues", and the page of each routine.
 */
#ifndef NTMM_DDK_WDM_KE_DEVICE_QUEUE_H
#define NTMM_DDK_WDM_KE_DEVICE_QUEUE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef KDEVICE_QUEUE       *PRKDEVICE_QUEUE;
typedef KDEVICE_QUEUE_ENTRY *PRKDEVICE_QUEUE_ENTRY;

/** Not busy. @irql any @source WDK reference: wdm.h, KeInitializeDeviceQueue */
NTKERNELAPI VOID KeInitializeDeviceQueue(PKDEVICE_QUEUE DeviceQueue);
/**
 * The queue becomes busy, or the entry waits at its end.
 *
 * @return    FALSE: it was not busy, and the entry is not in it
 * @irql      DISPATCH_LEVEL; lower is not noticed
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, KeInsertDeviceQueue
 */
NTKERNELAPI BOOLEAN KeInsertDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry);
/** The same, behind the last entry whose key is not larger. @irql, @bugcheck as KeInsertDeviceQueue
 *  @source WDK reference: wdm.h, KeInsertByKeyDeviceQueue */
NTKERNELAPI BOOLEAN KeInsertByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry, ULONG SortKey);
/** The first entry. @return NULL: none waits, and the queue is not busy any more @irql, @bugcheck as KeInsertDeviceQueue
 *  @source WDK reference: wdm.h, KeRemoveDeviceQueue */
NTKERNELAPI PKDEVICE_QUEUE_ENTRY KeRemoveDeviceQueue(PKDEVICE_QUEUE DeviceQueue);
/** The first entry whose key is not smaller, else the first of all. @return, @irql, @bugcheck as KeRemoveDeviceQueue
 *  @source WDK reference: wdm.h, KeRemoveByKeyDeviceQueue */
NTKERNELAPI PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueue(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey);
/** The same, of a queue that need not be busy. @return NULL: none waits @source WDK reference: wdm.h, KeRemoveByKeyDeviceQueueIfBusy */
NTKERNELAPI PKDEVICE_QUEUE_ENTRY KeRemoveByKeyDeviceQueueIfBusy(PKDEVICE_QUEUE DeviceQueue, ULONG SortKey);
/** That entry. @return FALSE: it is in no queue @irql <= DISPATCH_LEVEL @bugcheck 0xA above
 *  @source WDK reference: wdm.h, KeRemoveEntryDeviceQueue */
NTKERNELAPI BOOLEAN KeRemoveEntryDeviceQueue(PKDEVICE_QUEUE DeviceQueue, PKDEVICE_QUEUE_ENTRY DeviceQueueEntry);

#ifdef __cplusplus
}
#endif
#endif
