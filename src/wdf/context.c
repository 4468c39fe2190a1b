/*
 * context.c - structures of the driver's that live as long as an object, found by their type.
 *
 *     object.contexts -> | header | bytes | -> | header | bytes | -> NULL       the first lies in the object's own block
 *
 * A type is a record that WDF_DECLARE_CONTEXT_TYPE leaves in each source file that says so. Two records are the same type when name and size
 * agree. New contexts are added at the end, and none goes before the object does; so looking needs no lock.
 *
 * Source      WDK reference: "Framework Object Context Space"; wdfobject.h, WdfObjectAllocateContext, WdfObjectContextGetObject; KMDF 1.33.
 * Fidelity    KMDF compares addresses of records: one in each image. Drivers share an image here.
 */
#include <string.h>

#include "host/host.h"
#include "wdf/object.h"

static uint64_t mark_of(const wdf_context_t *context) { return WDF_CONTEXT_MARK ^ (uintptr_t)context; }

void wdf_context_init(wdf_context_t *context, wdf_object_t *object, const WDF_OBJECT_ATTRIBUTES *attributes, size_t bytes)
{
    context->object = object;
    context->next = NULL;
    context->cleanup = NULL;
    context->destroy = NULL;
    context->type = attributes->ContextTypeInfo;
    context->mark = mark_of(context);
    memset(context->bytes, 0, bytes);
}

/* ---- looking for one ---- */

static bool is_same_name(PCWDF_OBJECT_CONTEXT_TYPE_INFO a, PCWDF_OBJECT_CONTEXT_TYPE_INFO b)
{
    return a->ContextName != NULL && b->ContextName != NULL && a->ContextSize == b->ContextSize &&
           strcmp(a->ContextName, b->ContextName) == 0;
}

static bool is_same_type(PCWDF_OBJECT_CONTEXT_TYPE_INFO a, PCWDF_OBJECT_CONTEXT_TYPE_INFO b)
{
    return a == b || (a != NULL && b != NULL && is_same_name(a, b));
}

static wdf_context_t *first_of(wdf_object_t *object) { return atomic_load_explicit(&object->contexts, memory_order_acquire); }
static wdf_context_t *next_of(wdf_context_t *context) { return __atomic_load_n(&context->next, __ATOMIC_ACQUIRE); }

static wdf_context_t *find(wdf_object_t *object, PCWDF_OBJECT_CONTEXT_TYPE_INFO type)
{
    wdf_context_t *context = first_of(object);
    while (context != NULL && !is_same_type(context->type, type))
        context = next_of(context);
    return context;
}

void *wdf_context_find(wdf_object_t *object, PCWDF_OBJECT_CONTEXT_TYPE_INFO type)
{
    wdf_context_t *context = find(object, type);
    return context != NULL ? context->bytes : NULL;
}

PVOID WdfObjectGetTypedContextWorker(WDFOBJECT Handle, PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo)
{
    if (!wdf_thread_is_ready(__func__))
        return NULL;
    WDF_REQUIRE(Handle);
    WDF_REQUIRE(TypeInfo);
    return wdf_context_find(WDF_FROM(Handle, NULL), TypeInfo);
}

static wdf_object_t *object_of(const void *bytes)
{
    const wdf_context_t *context = CONTAINING_RECORD(bytes, wdf_context_t, bytes);
    host_peeked_t        mark = { 0, 0 }, object = { 0, 0 };
    if ((uintptr_t)context % 16 == 0)
        mark = host_peek_word(&context->mark);
    if (mark.there != 0 && mark.value == mark_of(context))
        object = host_peek_word(&context->object);
    return object.there != 0 ? wdf_peek_handle((const void *)(uintptr_t)object.value) : NULL;
}

WDFOBJECT WdfObjectContextGetObject(PVOID ContextPointer)
{
    static const char why[] = "The pointer is not that of a context of a framework object.";
    if (!wdf_thread_is_ready(__func__))
        return NULL;
    wdf_object_t *object = ContextPointer != NULL ? object_of(ContextPointer) : NULL;
    if (object == NULL)
        wdf_stop(__func__, why, WDF_INVALID_HANDLE, (ULONG_PTR)ContextPointer, WDF_NUMBER_OBJECT);
    return object;
}

/* ---- one more ---- */

static void append_locked(wdf_object_t *object, wdf_context_t *context)
{
    wdf_context_t *last = first_of(object);
    if (last == NULL) {
        atomic_store_explicit(&object->contexts, context, memory_order_release);
        return;
    }
    while (last->next != NULL)
        last = last->next;
    __atomic_store_n(&last->next, context, __ATOMIC_RELEASE);
}

/* *found: the one that has it now, whichever it is. */
static NTSTATUS add(wdf_object_t *object, wdf_context_t *context, wdf_context_t **found)
{
    NTSTATUS status = STATUS_SUCCESS;
    wdf_lock(&object->lock);
    *found = find(object, context->type);
    if (atomic_load(&object->state) != WDF_LIVE) {
        status = STATUS_DELETE_PENDING;
    } else if (*found != NULL) {
        status = STATUS_OBJECT_NAME_EXISTS;
    } else {
        append_locked(object, context);
        *found = context;
    }
    wdf_unlock(&object->lock);
    return status;
}

static wdf_context_t *make(wdf_object_t *object, const WDF_OBJECT_ATTRIBUTES *attributes, NTSTATUS *status)
{
    size_t bytes = attributes->ContextSizeOverride != 0 ? attributes->ContextSizeOverride : attributes->ContextTypeInfo->ContextSize;
    *status = bytes > SIZE_MAX / 4 ? STATUS_INTEGER_OVERFLOW : STATUS_INSUFFICIENT_RESOURCES;
    if (*status == STATUS_INTEGER_OVERFLOW)
        return NULL;
    wdf_context_t *context =
        ExAllocatePool2(POOL_FLAG_NON_PAGED | POOL_FLAG_UNINITIALIZED, sizeof *context + bytes, object->driver->globals.DriverTag);
    if (context == NULL)
        return NULL;
    wdf_context_init(context, object, attributes, bytes);
    context->cleanup = attributes->EvtCleanupCallback;
    context->destroy = attributes->EvtDestroyCallback;
    return context;
}

static NTSTATUS allocate(wdf_object_t *object, const WDF_OBJECT_ATTRIBUTES *attributes, PVOID *bytes)
{
    NTSTATUS       status;
    wdf_context_t *found = NULL, *context = make(object, attributes, &status);
    if (context == NULL)
        return status;
    status = add(object, context, &found);
    if (status != STATUS_SUCCESS)
        ExFreePoolWithTag(context, object->driver->globals.DriverTag);
    if (bytes != NULL && NT_SUCCESS(status))
        *bytes = found->bytes;
    return status;
}

NTSTATUS WdfObjectAllocateContext(WDFOBJECT Handle, PWDF_OBJECT_ATTRIBUTES ContextAttributes, PVOID *Context)
{
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Handle);
    wdf_object_t *object = WDF_FROM(Handle, NULL);
    NTSTATUS      status = wdf_attributes_check(ContextAttributes, WDF_ATTRIBUTES_REQUIRED | WDF_ATTRIBUTES_NO_PARENT);
    if (!NT_SUCCESS(status))
        return status;
    return ContextAttributes->ContextTypeInfo != NULL ? allocate(object, ContextAttributes, Context) : STATUS_OBJECT_NAME_INVALID;
}
