/*
 * serialize.c - AutomaticSerialization: the callback shares the lock of its parent's callbacks, if they have one.
 *
 * Locks       none.
 * Source      WDK reference: "Using Automatic Synchronization"; the published framework.
 */
#include "wdf/queue.h"
#include "wdf/serialize.h"

/* A request of a queue has no parent, but the device that it came to. */
static wdf_object_t *above(wdf_object_t *object)
{
    const wdf_request_t *request = (const wdf_request_t *)(void *)object;
    return object->type == &wdf_request_type && request->io != NULL ? &request->io->device->object : object->parent;
}

static wdf_callback_lock_t *lock_above(wdf_object_t *object)
{
    for (; object != NULL; object = above(object)) {
        if (object->type == &wdf_queue_type)
            return ((wdf_queue_t *)(void *)object)->callback_lock;
        if (object->type == &wdf_device_type)
            return wdf_device_lock((wdf_device_t *)(void *)object);
    }
    return NULL;
}

static bool has_device_above(wdf_object_t *object)
{
    while (object != NULL && object->type != &wdf_device_type)
        object = above(object);
    return object != NULL;
}

NTSTATUS wdf_serializer_init(const char *routine, wdf_serializer_t *serializer, PWDF_OBJECT_ATTRIBUTES attributes, unsigned options,
                             bool serialized, bool passive)
{
    *serializer = (wdf_serializer_t){ .lock = NULL };
    NTSTATUS status = wdf_attributes_check(attributes, WDF_ATTRIBUTES_REQUIRED | WDF_ATTRIBUTES_PARENT | options);
    if (!NT_SUCCESS(status))
        return status;
    wdf_object_t *parent = wdf_from_handle(routine, attributes->ParentObject, NULL);
    if (!has_device_above(parent))
        return STATUS_INVALID_DEVICE_REQUEST;
    serializer->lock = serialized ? lock_above(parent) : NULL;
    return serializer->lock != NULL && serializer->lock->is_passive != passive ? STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL : STATUS_SUCCESS;
}
