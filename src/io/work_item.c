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

static ULONG_PTR routine_of(const io_work_item_t *work)
{
    return work->routine != NULL ? (ULONG_PTR)(uintptr_t)work->routine : (ULONG_PTR)(uintptr_t)work->routine_ex;
}

static VOID run(PVOID parameter)
{
    io_work_item_t      *work = parameter;
    const io_work_item_t copy = *work; /* the routine may free it */
    if (copy.routine != NULL)
        copy.routine(copy.object, copy.context);
    else
        copy.routine_ex(copy.object, copy.context, work);
    ex_work_check_return(routine_of(&copy), (ULONG_PTR)copy.context, (ULONG_PTR)work);
}

static void check_not_queued(const char *routine, const io_work_item_t *work)
{
    if (ex_work_is_queued(&work->item))
        ke_bugcheck(routine, "The work item is freed, and still in the queue.", WORKER_INVALID, 2, (ULONG_PTR)work, routine_of(work), 0);
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

/* An item that is queued keeps its words: queueing it again stops the machine. */
static void queue_item(const char *routine, const io_work_item_t *words, PIO_WORKITEM work, WORK_QUEUE_TYPE type)
{
    ex_work_check_words(routine, work, type, routine_of(words));
    if (!ex_work_is_queued(&work->item)) {
        work->routine = words->routine;
        work->routine_ex = words->routine_ex;
        work->context = words->context;
    }
    ex_work_queue_by_type(routine, &work->item, type);
}

VOID IoQueueWorkItem(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE WorkerRoutine, WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    const io_work_item_t words = { .routine = WorkerRoutine, .context = Context };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    queue_item(__func__, &words, IoWorkItem, QueueType);
}

VOID IoQueueWorkItemEx(PIO_WORKITEM IoWorkItem, PIO_WORKITEM_ROUTINE_EX WorkerRoutine, WORK_QUEUE_TYPE QueueType, PVOID Context)
{
    const io_work_item_t words = { .routine_ex = WorkerRoutine, .context = Context };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    queue_item(__func__, &words, IoWorkItem, QueueType);
}
