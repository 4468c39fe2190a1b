/*
 * queue.c - making a queue, and asking it.
 *
 * Locks       the device's part lock for the list of its queues.
 * Source      WDK reference: wdfio.h, WdfIoQueueCreate, WdfIoQueueGetState; "Using Automatic Synchronization"; the published framework.
 */
#include "wdf/queue.h"

static void queue_dispose(wdf_object_t *object);

/* For WdfObjectAcquireLock it has one even if its callbacks run without. */
static wdf_callback_lock_t *queue_callback_lock(wdf_object_t *object)
{
    wdf_queue_t *queue = (wdf_queue_t *)(void *)object;
    return queue->callback_lock != NULL ? queue->callback_lock : &queue->own_lock;
}

const wdf_type_t wdf_queue_type = { .name = "WDFQUEUE",
                                    .number = WDF_NUMBER_QUEUE,
                                    .bytes = sizeof(wdf_queue_t),
                                    .options = WDF_TYPE_PASSIVE_DISPOSE,
                                    .dispose = queue_dispose,
                                    .callback_lock = queue_callback_lock };

/* ---- the end ---- */

static void unlist(wdf_queue_t *queue)
{
    wdf_device_io_t *io = queue->io;
    wdf_lock(&io->lock);
    if (!IsListEmpty(&queue->of_device))
        RemoveEntryList(&queue->of_device);
    InitializeListHead(&queue->of_device);
    if (io->default_queue == queue)
        io->default_queue = NULL;
    for (size_t i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
        if (io->by_type[i] == queue)
            io->by_type[i] = NULL;
    wdf_unlock(&io->lock);
}

/* Its requests are with the driver, or gone: it waits until none is left. */
static void queue_dispose(wdf_object_t *object)
{
    wdf_queue_t *queue = (wdf_queue_t *)(void *)object;
    if (queue->io == NULL)
        return;
    unlist(queue);
    wdf_lock(&queue->lock);
    queue->is_closed = true;
    bool idle = queue->owned_count == 0 && queue->waiting_count == 0 && queue->dispatcher_count == 0 && !queue->is_deferred;
    wdf_unlock(&queue->lock);
    if (!idle)
        wdf_queue_end(queue);
}

/* ---- the beginning ---- */

static bool has_any_callback(const WDF_IO_QUEUE_CONFIG *config)
{
    return config->EvtIoDefault != NULL || config->EvtIoRead != NULL || config->EvtIoWrite != NULL || config->EvtIoDeviceControl != NULL ||
           config->EvtIoInternalDeviceControl != NULL;
}

static bool is_too_late(const wdf_device_t *device)
{
    return device->setup.is_control ? (device->wdm->Flags & DO_DEVICE_INITIALIZING) == 0 : device->state != WDF_DEVICE_MADE;
}

static NTSTATUS check_config(const wdf_device_io_t *io, const WDF_IO_QUEUE_CONFIG *config, const WDFQUEUE *queue)
{
    ULONG parallel = config->Settings.Parallel.NumberOfPresentedRequests;
    if (config->Size != sizeof *config)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!config->DefaultQueue && queue == NULL)
        return STATUS_INVALID_PARAMETER_4;
    if (config->DefaultQueue && is_too_late(io->device))
        return STATUS_INVALID_DEVICE_STATE;
    if (config->DispatchType <= WdfIoQueueDispatchInvalid || config->DispatchType >= WdfIoQueueDispatchMax)
        return STATUS_INVALID_PARAMETER;
    if (config->DispatchType != WdfIoQueueDispatchParallel && parallel != 0)
        return STATUS_INVALID_PARAMETER;
    if (config->DispatchType == WdfIoQueueDispatchParallel && parallel == 0)
        return STATUS_INVALID_PARAMETER;
    if (config->PowerManaged != WdfTrue && config->PowerManaged != WdfFalse && config->PowerManaged != WdfUseDefault)
        return STATUS_INVALID_PARAMETER;
    if (config->DispatchType != WdfIoQueueDispatchManual && !has_any_callback(config))
        return STATUS_WDF_NO_CALLBACK;
    return config->DefaultQueue && io->default_queue != NULL ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

/* Level and scope, where they are not inherited; the device's are never "inherit". */
static NTSTATUS set_synchronization(wdf_queue_t *queue, const WDF_OBJECT_ATTRIBUTES *attributes)
{
    const wdf_object_t       *device = &queue->io->device->object;
    WDF_EXECUTION_LEVEL       level = attributes != NULL ? attributes->ExecutionLevel : WdfExecutionLevelInheritFromParent;
    WDF_SYNCHRONIZATION_SCOPE scope = attributes != NULL ? attributes->SynchronizationScope : WdfSynchronizationScopeInheritFromParent;
    if (level == WdfExecutionLevelInheritFromParent)
        level = (WDF_EXECUTION_LEVEL)device->level;
    if (scope == WdfSynchronizationScopeInheritFromParent)
        scope = (WDF_SYNCHRONIZATION_SCOPE)device->scope;
    queue->is_passive = level == WdfExecutionLevelPassive;
    wdf_callback_lock_init(&queue->own_lock, &queue->object, queue->is_passive);
    if (scope == WdfSynchronizationScopeQueue)
        queue->callback_lock = &queue->own_lock;
    if (scope != WdfSynchronizationScopeDevice)
        return STATUS_SUCCESS;
    queue->callback_lock = &queue->io->device->callbacks;
    return level == (WDF_EXECUTION_LEVEL)device->level ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

static void fill_in(wdf_queue_t *queue, wdf_device_io_t *io, const WDF_IO_QUEUE_CONFIG *config)
{
    queue->io = io;
    queue->config = *config;
    queue->is_power_managed = !io->device->setup.is_control &&
                              (config->PowerManaged == WdfTrue || (config->PowerManaged == WdfUseDefault && !io->device->setup.is_filter));
    queue->power = queue->is_power_managed && !io->is_on ? WDF_QUEUE_OFF : WDF_QUEUE_ON;
    queue->accepts = queue->delivers = true;
    InitializeListHead(&queue->of_device);
    InitializeListHead(&queue->waiting);
    InitializeListHead(&queue->owned);
    InitializeListHead(&queue->cancelled);
    InitializeListHead(&queue->cancelled_on_queue);
}

static void enlist(wdf_queue_t *queue)
{
    wdf_lock(&queue->io->lock);
    InsertTailList(&queue->io->queues, &queue->of_device);
    if (queue->config.DefaultQueue)
        queue->io->default_queue = queue;
    wdf_unlock(&queue->io->lock);
}

NTSTATUS WdfIoQueueCreate(WDFDEVICE Device, PWDF_IO_QUEUE_CONFIG Config, PWDF_OBJECT_ATTRIBUTES QueueAttributes, WDFQUEUE *Queue)
{
    wdf_queue_t *queue;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    wdf_device_t    *device = WDF_FROM(Device, &wdf_device_type);
    wdf_device_io_t *io = wdf_device_io(device);
    WDF_REQUIRE(Config);
    NTSTATUS status = wdf_attributes_check(QueueAttributes, WDF_ATTRIBUTES_NO_PARENT | WDF_ATTRIBUTES_LEVEL | WDF_ATTRIBUTES_SCOPE);
    if (NT_SUCCESS(status))
        status = check_config(io, Config, Queue);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &wdf_queue_type, .attributes = QueueAttributes, .parent = &device->object }, &queue);
    if (!NT_SUCCESS(status))
        return status;
    fill_in(queue, io, Config);
    status = set_synchronization(queue, QueueAttributes);
    if (NT_SUCCESS(status))
        status = wdf_object_commit(queue, QueueAttributes);
    if (!NT_SUCCESS(status)) {
        wdf_object_abandon(queue);
        return status;
    }
    enlist(queue);
    if (Queue != NULL)
        *Queue = (WDFQUEUE)queue;
    return STATUS_SUCCESS;
}

/* ---- asking ---- */

WDF_IO_QUEUE_STATE WdfIoQueueGetState(WDFQUEUE Queue, PULONG QueueRequests, PULONG DriverRequests)
{
    WDF_ENTER(DISPATCH_LEVEL, (WDF_IO_QUEUE_STATE)0);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    wdf_lock(&queue->lock);
    int state = (queue->accepts ? WdfIoQueueAcceptRequests : 0) | (queue->delivers ? WdfIoQueueDispatchRequests : 0) |
                (queue->waiting_count == 0 ? WdfIoQueueNoRequests : 0) | (queue->owned_count == 0 ? WdfIoQueueDriverNoRequests : 0) |
                (queue->power != WDF_QUEUE_ON ? WdfIoQueuePnpHeld : 0);
    if (QueueRequests != NULL)
        *QueueRequests = queue->waiting_count;
    if (DriverRequests != NULL)
        *DriverRequests = queue->owned_count;
    wdf_unlock(&queue->lock);
    return (WDF_IO_QUEUE_STATE)state;
}

WDFDEVICE WdfIoQueueGetDevice(WDFQUEUE Queue)
{
    WDF_ENTER(DISPATCH_LEVEL, NULL);
    wdf_queue_t *queue = WDF_FROM(Queue, &wdf_queue_type);
    return wdf_device_handle(queue->io->device);
}
