/*
 * work_item.c - WDFWORKITEM: a callback from a worker thread of the system.
 * It leaves the queue before its callback begins, so that the callback may queue it again; then two of them may run at once, unless they are
 * serialized.
 *
 * Locks       the item's lock for its state.
 * Source      WDK reference: wdfworkitem.h, "Using Framework Work Items"; the published framework.
 */
#include "ex/work_queue.h"
#include "wdf/serialize.h"

typedef struct wdf_work_item {
    wdf_object_t        object;
    WDF_WORKITEM_CONFIG config;
    wdf_serializer_t    serializer;
    wdf_lock_t          lock;
    bool                is_queued; /* (lock) */
    unsigned            running;   /* (lock) */
    ke_thread_t        *thread;    /* (lock) that runs the callback, the last one to begin */
    KEVENT              idle;      /* neither queued nor running */
    WORK_QUEUE_ITEM     item;
} wdf_work_item_t;

static void item_dispose(wdf_object_t *object);

static const wdf_type_t work_item_type = { .name = "WDFWORKITEM",
                                           .number = WDF_NUMBER_WORK_ITEM,
                                           .bytes = sizeof(wdf_work_item_t),
                                           .options = WDF_TYPE_PASSIVE_DISPOSE,
                                           .dispose = item_dispose };

/* ---- the callback ---- */

static VOID run(PVOID parameter)
{
    wdf_work_item_t *item = parameter;
    wdf_lock(&item->lock);
    item->is_queued = false;
    item->running++;
    item->thread = ke_self();
    wdf_unlock(&item->lock);
    WDF_SERIALIZED_CALL(&item->serializer, item, item->config.EvtWorkItemFunc, (WDFWORKITEM)item);
    wdf_lock(&item->lock);
    if (item->thread == ke_self())
        item->thread = NULL;
    bool idle = --item->running == 0 && !item->is_queued;
    wdf_unlock(&item->lock);
    if (idle)
        (void)KeSetEvent(&item->idle, IO_NO_INCREMENT, FALSE);
    wdf_object_dereference("WdfWorkItemEnqueue", &item->object);
}

static bool runs_here(wdf_work_item_t *item)
{
    wdf_lock(&item->lock);
    bool here = item->thread == ke_self();
    wdf_unlock(&item->lock);
    return here;
}

static void item_dispose(wdf_object_t *object)
{
    wdf_work_item_t *item = (wdf_work_item_t *)(void *)object;
    if (item->config.EvtWorkItemFunc != NULL && !runs_here(item))
        (void)KeWaitForSingleObject(&item->idle, Executive, KernelMode, FALSE, NULL);
}

/* ---- the driver's routines ---- */

NTSTATUS WdfWorkItemCreate(PWDF_WORKITEM_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFWORKITEM *WorkItem)
{
    wdf_work_item_t *item;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Config);
    WDF_REQUIRE(Attributes);
    WDF_REQUIRE(WorkItem);
    *WorkItem = NULL;
    if (Config->Size != sizeof *Config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Config->EvtWorkItemFunc == NULL)
        return STATUS_INVALID_PARAMETER;
    wdf_serializer_t serializer;
    NTSTATUS         status = wdf_serializer_init(__func__, &serializer, Attributes, 0, Config->AutomaticSerialization != FALSE, true);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &work_item_type, .attributes = Attributes }, &item);
    if (!NT_SUCCESS(status))
        return status;
    item->serializer = serializer;
    KeInitializeEvent(&item->idle, NotificationEvent, TRUE);
    ExInitializeWorkItem(&item->item, run, item);
    status = wdf_object_commit(item, Attributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(item);
        return status;
    }
    item->config = *Config;
    *WorkItem = (WDFWORKITEM)item;
    return STATUS_SUCCESS;
}

VOID WdfWorkItemEnqueue(WDFWORKITEM WorkItem)
{
    WDF_ENTER(DISPATCH_LEVEL, );
    wdf_work_item_t *item = WDF_FROM(WorkItem, &work_item_type);
    wdf_lock(&item->lock);
    bool is_new = !item->is_queued;
    item->is_queued = true;
    wdf_unlock(&item->lock);
    if (!is_new)
        return;
    (void)KeResetEvent(&item->idle);
    wdf_object_reference(&item->object);
    ex_work_queue(__func__, &item->item);
}

WDFOBJECT WdfWorkItemGetParentObject(WDFWORKITEM WorkItem)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_work_item_t *item = WDF_FROM(WorkItem, &work_item_type);
    return item->object.parent;
}

VOID WdfWorkItemFlush(WDFWORKITEM WorkItem)
{
    WDF_ENTER(PASSIVE_LEVEL, );
    wdf_work_item_t *item = WDF_FROM(WorkItem, &work_item_type);
    if (runs_here(item))
        wdf_break(__func__, "The work item's own callback waits for the work item: it would wait for ever.");
    (void)KeWaitForSingleObject(&item->idle, Executive, KernelMode, FALSE, NULL);
}
