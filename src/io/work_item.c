/*
 * work_item.c - work items of devices: an executive work item that remembers the device and the routine.
 *
 * Locks       none here.
 * Source      WDK reference: wdm.h, IoAllocateWorkItem, IoQueueWorkItem, IoQueueWorkItemEx, IoInitializeWorkItem; Bug Check 0xE4.
 * Fidelity    the device object is not referenced meanwhile: it does not go away by itself here.
 */
#include <ntddk.h>

#include "ex/work_queue.h"
#include "ke/bugcheck.h"

#define WORK_ITEM_TAG 0x69576f49u /* "IoWi" */

typedef struct _IO_WORKITEM {
    WORK_QUEUE_ITEM         item;
    PVOID                   object;
    PIO_WORKITEM_ROUTINE    routine;
    PIO_WORKITEM_ROUTINE_EX routine_ex; /* one of the two */
    PVOID                   context;
} io_work_item_t;

static VOID run(PVOID parameter)
{
    io_work_item_t      *work = parameter;
    const io_work_item_t copy = *work; /* the routine may free it */
    uintptr_t            routine = copy.routine != NULL ? (uintptr_t)copy.routine : (uintptr_t)copy.routine_ex;
    if (copy.routine != NULL)
        copy.routine(copy.object, copy.context);
    else
        copy.routine_ex(copy.object, copy.context, work);
    ex_work_check_return(routine, (ULONG_PTR)copy.context, (ULONG_PTR)work);
}

static void check_not_queued(const char *routine, const io_work_item_t *work)
{
    if (ex_work_is_queued(&work->item))
        ke_bugcheck(routine, "The work item is freed, and still in the queue.", WORKER_INVALID, 0, (ULONG_PTR)work, (ULONG_PTR)work,
                    (ULONG_PTR)(work + 1));
}

ULONG IoSizeofWorkItem(VOID) { return sizeof(io_work_item_t); }

VOID IoInitializeWorkItem(PVOID IoObject, PIO_WORKITEM IoWorkItem)
{
    *IoWorkItem = (io_work_item_t){ .object = IoObject };
    ExInitializeWorkItem(&IoWorkItem->item, run, IoWorkItem);
}

VOID IoUninitializeWorkItem(PIO_WORKITEM IoWorkItem)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    check_not_queued(__func__, IoWorkItem);
}

PIO_WORKITEM IoAllocateWorkItem(PDEVICE_OBJECT DeviceObject)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    io_work_item_t *work = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof *work, WORK_ITEM_TAG);
    if (work != NULL)
        IoInitializeWorkItem(DeviceObject, work);
    return work;
}

VOID IoFreeWorkItem(PIO_WORKITEM IoWorkItem)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    check_not_queued(__func__, IoWorkItem);
    ExFreePoolWithTag(IoWorkItem, WORK_ITEM_TAG);
}

VOID IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    (void)QueueType;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (!ex_work_is_queued(&IoWorkItem->item)) {
        IoWorkItem->routine = WorkerRoutine;
        IoWorkItem->routine_ex = NULL;
        IoWorkItem->context = Context;
    }
    ex_work_queue(__func__, &IoWorkItem->item);
}

VOID IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine, WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    (void)QueueType;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (!ex_work_is_queued(&IoWorkItem->item)) {
        IoWorkItem->routine = NULL;
        IoWorkItem->routine_ex = WorkerRoutine;
        IoWorkItem->context = Context;
    }
    ex_work_queue(__func__, &IoWorkItem->item);
}
