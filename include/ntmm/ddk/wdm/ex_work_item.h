/*
 * ex_work_item.h - work items: a routine that is to be called at PASSIVE_LEVEL, later, by a thread of the system.
 *
 * Source  WDK reference: wdm.h, "System worker threads", and the pages of these routines; Bug Checks 0xE1, 0xE4.
 */
#ifndef NTMM_DDK_WDM_EX_WORK_ITEM_H
#define NTMM_DDK_WDM_EX_WORK_ITEM_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _WORK_QUEUE_TYPE { /* one queue here: first come, first served */
                                CriticalWorkQueue,
                                DelayedWorkQueue,
                                HyperCriticalWorkQueue,
                                NormalWorkQueue,
                                BackgroundWorkQueue,
                                RealTimeWorkQueue,
                                SuperCriticalWorkQueue,
                                MaximumWorkQueue,
                                CustomPriorityWorkQueue = 32
} WORK_QUEUE_TYPE;

typedef VOID                   WORKER_THREAD_ROUTINE(PVOID Parameter);
typedef WORKER_THREAD_ROUTINE *PWORKER_THREAD_ROUTINE;

typedef struct _WORK_QUEUE_ITEM {
    LIST_ENTRY             List;
    PWORKER_THREAD_ROUTINE WorkerRoutine;
    PVOID                  Parameter;
} WORK_QUEUE_ITEM, *PWORK_QUEUE_ITEM;
NTMM_LAYOUT(sizeof(WORK_QUEUE_ITEM) == 32 && FIELD_OFFSET(WORK_QUEUE_ITEM, WorkerRoutine) == 16, "WORK_QUEUE_ITEM, x64");

/** Make an item ready; it is the driver's nonpaged storage, and may be freed or queued again from its routine on.
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, ExInitializeWorkItem */
#define ExInitializeWorkItem(Item, Routine, Context) \
    do { \
        (Item)->WorkerRoutine = (Routine); \
        (Item)->Parameter = (Context); \
        (Item)->List.Flink = NULL; \
    } while (0)

/**
 * Have the item's routine called by a thread of the system.
 *
 * @param QueueType  one that there is, or CustomPriorityWorkQueue plus a thread priority; otherwise accepted and ignored
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WORKER_INVALID (0xE4): p1 1 it is queued already, 6 there is no such queue, 7 it has no routine; p2 the item, p3 QueueType, p4 0.
 *            In the thread:
 *            WORKER_THREAD_RETURNED_AT_BAD_IRQL (0xE1): p1 the routine, p2 the IRQL, p3 the parameter, p4 the item
 * @models    up to eight threads, made when all are busy; ntmm_shutdown waits until all items have run
 * @source    WDK reference: wdm.h, ExQueueWorkItem; Bug Checks 0xE1, 0xE4
 */
NTKERNELAPI VOID ExQueueWorkItem(PWORK_QUEUE_ITEM WorkItem, WORK_QUEUE_TYPE QueueType);

/* ---- the same for devices ---- */

typedef struct _IO_WORKITEM *PIO_WORKITEM; /* opaque */

typedef VOID                    IO_WORKITEM_ROUTINE(PDEVICE_OBJECT DeviceObject, PVOID Context);
typedef IO_WORKITEM_ROUTINE    *PIO_WORKITEM_ROUTINE;
typedef VOID                    IO_WORKITEM_ROUTINE_EX(PVOID IoObject, PVOID Context, PIO_WORKITEM IoWorkItem);
typedef IO_WORKITEM_ROUTINE_EX *PIO_WORKITEM_ROUTINE_EX;

/** A work item for a device. @return NULL: no memory @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoAllocateWorkItem */
NTKERNELAPI PIO_WORKITEM IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject);
/** Give it back; its own routine may. @irql <= DISPATCH_LEVEL
 *  @bugcheck WORKER_INVALID (0xE4): it is queued; p1 2, p2 the item, p3 the routine, p4 0
 *  @source WDK reference: wdm.h, IoFreeWorkItem; Bug Check 0xE4 */
NTKERNELAPI VOID IoFreeWorkItem(PIO_WORKITEM IoWorkItem);
/** Bytes of a work item in the driver's own nonpaged storage. @irql any @source WDK reference: wdm.h, IoSizeofWorkItem */
NTKERNELAPI ULONG IoSizeofWorkItem(VOID);
/** Make such an item ready. IoObject: a driver or device object. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h */
NTKERNELAPI VOID IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM IoWorkItem);
/** The end of such an item, before its storage is freed. @irql <= DISPATCH_LEVEL @bugcheck as IoFreeWorkItem @source WDK reference: wdm.h */
NTKERNELAPI VOID IoUninitializeWorkItem(PIO_WORKITEM IoWorkItem);
/** ExQueueWorkItem, for one of these. @irql <= DISPATCH_LEVEL @bugcheck as ExQueueWorkItem @source WDK reference: wdm.h, IoQueueWorkItem */
NTKERNELAPI VOID IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType, PVOID Context);
/** The same; the routine learns the item. @source WDK reference: wdm.h, IoQueueWorkItemEx */
NTKERNELAPI VOID IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine, WORK_QUEUE_TYPE QueueType,
                                   PVOID Context);

#ifdef __cplusplus
}
#endif
#endif
