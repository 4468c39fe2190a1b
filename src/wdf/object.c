/*
 * object.c - framework objects: how one is made, and whose a handle is.
 *
 * A handle is the object's address. It is believed when the word there is the mark, which has the address in it: so a pointer to something
 * else is known before anything is changed, and so is an object that was deleted, until its block of pool is used again. The word is read in a
 * way that survives any address.
 *
 * Locks       the parent's, when a child joins.
 * Source      WDK reference: "Introduction to Framework Objects", "Framework Object Creation Errors"; Bug Check 0x10D; KMDF 1.33 (numbers of
 *             types, parameters of the stops).
 * Fidelity    KMDF's handles are addresses with all bits turned over, and freed ones are not recognised for sure there either.
 */
#include "wdf/object_fast.h"

#include <string.h>

#include "host/host.h"

/* ---- stops ---- */

_Noreturn void wdf_stop(const char *routine, const char *why, ULONG_PTR code, ULONG_PTR p2, ULONG_PTR p3)
{
    ke_bugcheck(routine, why, WDF_VIOLATION, code, p2, p3, (ULONG_PTR)wdf_driver_current());
}

_Noreturn void wdf_stop_null(const char *routine, ULONG_PTR caller)
{
    wdf_stop(routine, "A parameter that must not be NULL is.", WDF_REQUIRED_PARAMETER_IS_NULL, 0, caller);
}

/* ---- handles ---- */

static uint64_t mark_of(const void *object) { return WDF_OBJECT_MARK ^ (uintptr_t)object; }

wdf_object_t *wdf_peek_handle(const void *handle)
{
    host_peeked_t mark = { 0, 0 };
    if (handle != NULL && (uintptr_t)handle % 16 == 0)
        mark = host_peek_word(handle);
    return mark.there != 0 && mark.value == mark_of(handle) ? (wdf_object_t *)(uintptr_t)handle : NULL;
}

static bool is_of(const wdf_object_t *object, const wdf_type_t *type)
{
    return type == NULL || object->type == type || object->type->base == type;
}

static NTMM_COLD _Noreturn void bad_handle(const char *routine, const void *handle, const wdf_object_t *object, const wdf_type_t *type)
{
    static const char none[] = "The handle is that of no framework object, or its object was destroyed.";
    static const char other[] = "The handle is that of an object of another type.";
    wdf_stop(routine, object == NULL ? none : other, WDF_INVALID_HANDLE, (ULONG_PTR)handle,
             type != NULL ? type->number : WDF_NUMBER_OBJECT);
}

wdf_object_t *wdf_from_handle(const char *routine, const void *handle, const wdf_type_t *type)
{
    wdf_object_t *object = wdf_peek_handle(handle);
    if (NTMM_UNLIKELY(object == NULL || !is_of(object, type)))
        bad_handle(routine, handle, object, type);
    return object;
}

wdf_object_t *wdf_object_ancestor(wdf_object_t *object, const wdf_type_t *type)
{
    while (object != NULL && !is_of(object, type))
        object = object->parent;
    return object;
}

/* ---- making one ---- */

static size_t up_to_16(size_t bytes) { return (bytes + 15) & ~(size_t)15; }

static size_t context_bytes(const WDF_OBJECT_ATTRIBUTES *attributes)
{
    if (attributes == NULL || attributes->ContextTypeInfo == NULL)
        return 0;
    return attributes->ContextSizeOverride != 0 ? attributes->ContextSizeOverride : attributes->ContextTypeInfo->ContextSize;
}

static bool wants_context(const WDF_OBJECT_ATTRIBUTES *attributes)
{
    return attributes != NULL &&
           (attributes->ContextTypeInfo != NULL || attributes->EvtCleanupCallback != NULL || attributes->EvtDestroyCallback != NULL);
}

bool wdf_object_bytes(const wdf_new_t *new_one, size_t *bytes)
{
    size_t context = context_bytes(new_one->attributes), most = SIZE_MAX / 4;
    if (new_one->extra > most || context > most)
        return false;
    *bytes = up_to_16(new_one->type->bytes) + up_to_16(new_one->extra);
    if (wants_context(new_one->attributes))
        *bytes += sizeof(wdf_context_t) + up_to_16(context);
    return true;
}

/* Whom it will belong to; NULL: nobody, and the status says why. */
static wdf_object_t *parent_for(const wdf_new_t *new_one)
{
    if (new_one->attributes != NULL && new_one->attributes->ParentObject != NULL)
        return wdf_from_handle("WDF_OBJECT_ATTRIBUTES", new_one->attributes->ParentObject, NULL);
    if (new_one->parent != NULL)
        return new_one->parent;
    wdf_driver_t *driver = wdf_driver_current();
    return driver != NULL ? driver->object : NULL;
}

static wdf_context_t *first_context(wdf_object_t *object, const wdf_new_t *new_one)
{
    if (!wants_context(new_one->attributes))
        return NULL;
    wdf_context_t *context = (void *)((char *)object + up_to_16(new_one->type->bytes) + up_to_16(new_one->extra));
    wdf_context_init(context, object, new_one->attributes, up_to_16(context_bytes(new_one->attributes)));
    object->flags |= WDF_OBJECT_CONTEXT;
    return context;
}

static void object_init(wdf_object_t *object, const wdf_new_t *new_one, wdf_object_t *parent, ULONG tag)
{
    const wdf_type_t *type = new_one->type;
    wdf_object_place(object, type, parent, parent != NULL ? parent->driver : new_one->root_of, tag);
    memset(object + 1, 0, type->bytes - sizeof *object);
    atomic_store_explicit(&object->contexts, first_context(object, new_one), memory_order_relaxed);
}

NTSTATUS wdf_object_new(const wdf_new_t *new_one, void *made)
{
    size_t        bytes = 0;
    wdf_object_t *parent = new_one->root_of != NULL ? NULL : parent_for(new_one), *object = new_one->block;
    if (parent == NULL && new_one->root_of == NULL)
        return STATUS_WDF_PARENT_NOT_SPECIFIED; /* no driver has called WdfDriverCreate */
    if (object == NULL && !wdf_object_bytes(new_one, &bytes))
        return STATUS_INTEGER_OVERFLOW;
    ULONG tag = new_one->tag != 0 ? new_one->tag : (parent != NULL ? parent->driver : new_one->root_of)->globals.DriverTag;
    if (object == NULL)
        object = new_one->of_pool ? ExAllocatePoolWithTag(new_one->pool, bytes, tag) : wdf_block_take(bytes, tag);
    if (object == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    object_init(object, new_one, parent, tag);
    *(void **)made = object;
    return STATUS_SUCCESS;
}

static void take_attributes(wdf_object_t *object, const WDF_OBJECT_ATTRIBUTES *attributes)
{
    const wdf_object_t *parent = object->parent;
    wdf_context_t      *context = atomic_load_explicit(&object->contexts, memory_order_relaxed);
    object->flags |= parent != NULL ? wdf_flags_under(parent) : 0;
    object->level = parent != NULL ? parent->level : (uint8_t)WdfExecutionLevelDispatch;
    object->scope = parent != NULL ? parent->scope : (uint8_t)WdfSynchronizationScopeNone;
    if (attributes == NULL)
        return;
    if (attributes->ExecutionLevel > WdfExecutionLevelInheritFromParent)
        object->level = (uint8_t)attributes->ExecutionLevel;
    if (attributes->SynchronizationScope > WdfSynchronizationScopeInheritFromParent)
        object->scope = (uint8_t)attributes->SynchronizationScope;
    if (attributes->ExecutionLevel == WdfExecutionLevelPassive)
        object->flags |= WDF_OBJECT_PASSIVE;
    if (context != NULL) {
        context->cleanup = attributes->EvtCleanupCallback;
        context->destroy = attributes->EvtDestroyCallback;
    }
}

NTSTATUS wdf_object_commit(void *made, PWDF_OBJECT_ATTRIBUTES attributes)
{
    wdf_object_t *object = made;
    take_attributes(object, attributes);
    if ((object->type->options & WDF_TYPE_LONG_LIVED) != 0)
        wdf_lock_bias(&object->lock);
    if (object->parent == NULL)
        atomic_store_explicit(&object->state, WDF_LIVE, memory_order_release);
    else if (!wdf_object_join(object, object->parent))
        return STATUS_DELETE_PENDING;
    return STATUS_SUCCESS;
}

/* ---- what drivers call ---- */

static const wdf_type_t user_object_type = { .name = "WDFOBJECT", .number = WDF_NUMBER_USER_OBJECT, .bytes = sizeof(wdf_object_t) };

NTSTATUS WdfObjectCreate(PWDF_OBJECT_ATTRIBUTES Attributes, WDFOBJECT *Object)
{
    wdf_object_t *object;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    WDF_REQUIRE(Object);
    NTSTATUS status = wdf_attributes_check(Attributes, WDF_ATTRIBUTES_LEVEL);
    if (NT_SUCCESS(status))
        status = wdf_object_new(&(wdf_new_t){ .type = &user_object_type, .attributes = Attributes }, &object);
    if (!NT_SUCCESS(status))
        return status;
    status = wdf_object_commit(object, Attributes);
    if (NT_SUCCESS(status))
        *Object = object;
    else
        wdf_object_abandon(object);
    return status;
}

NTSTATUS WdfObjectQuery(WDFOBJECT Object, CONST GUID *Guid, ULONG QueryBufferLength, PVOID QueryBuffer)
{
    (void)Guid, (void)QueryBufferLength, (void)QueryBuffer;
    WDF_ENTER(DISPATCH_LEVEL, STATUS_UNSUCCESSFUL);
    (void)WDF_FROM(Object, NULL);
    return STATUS_NOT_IMPLEMENTED;
}
