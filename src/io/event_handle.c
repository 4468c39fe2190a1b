/*
 * event_handle.c - events by handle: ZwCreateEvent and its like, and the wait for what a handle is of.
 *
 *     ZwCreateEvent   without a name: an event that goes with its last reference
 *                     with one: named_event.c; one that exists is an error, or is opened (OBJ_OPENIF)
 *
 * Locks       none here.
 * Source      WDK reference: ntifs.h, ZwCreateEvent, ZwSetEvent, ZwWaitForSingleObject; wdm.h, ZwOpenEvent.
 * Fidelity    rights of a handle are not looked at: the caller is in kernel mode. Waits are for events and threads; processes and files are none.
 */
#include <ntifs.h>

#include "ex/handle.h"
#include "io/host_name.h"
#include "io/named_event.h"
#include "io/object_name.h"
#include "ke/bugcheck.h"

/* The name in the host's memory, Length 0: none. */
static NTSTATUS name_of(POBJECT_ATTRIBUTES attributes, UNICODE_STRING *name)
{
    *name = (UNICODE_STRING){ 0 };
    if (attributes == NULL)
        return STATUS_SUCCESS;
    if (attributes->Length != sizeof *attributes)
        return STATUS_INVALID_PARAMETER;
    if (attributes->ObjectName == NULL || attributes->ObjectName->Length == 0)
        return STATUS_SUCCESS;
    if (attributes->RootDirectory != NULL)
        return STATUS_OBJECT_PATH_NOT_FOUND; /* there are no directories to be opened */
    NTSTATUS status = io_name_status(attributes->ObjectName);
    return NT_SUCCESS(status) ? io_host_name(attributes->ObjectName, name) : status;
}

static NTSTATUS create_unnamed(ACCESS_MASK access, ULONG attributes, EVENT_TYPE type, BOOLEAN state, HANDLE *handle)
{
    PKEVENT event = io_event_create_unnamed(type, state);
    if (event == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = ex_handle_open(event, access, attributes, handle);
    (void)ex_object_dereference("ZwCreateEvent", event);
    return status;
}

static NTSTATUS open_found(PKEVENT event, ACCESS_MASK access, ULONG attributes, HANDLE *handle)
{
    NTSTATUS status = ex_handle_open(event, access, attributes, handle);
    if (!NT_SUCCESS(status))
        io_event_not_opened(event);
    return status;
}

static NTSTATUS create_named(PCUNICODE_STRING name, ACCESS_MASK access, ULONG attributes, EVENT_TYPE type, BOOLEAN state, HANDLE *handle)
{
    bool    existed;
    PKEVENT event = io_event_find_or_create(name, type, state, &existed);
    if (event == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (existed && (attributes & OBJ_OPENIF) == 0) {
        io_event_not_opened(event);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    NTSTATUS status = open_found(event, access, attributes, handle);
    return NT_SUCCESS(status) && existed ? STATUS_OBJECT_NAME_EXISTS : status;
}

NTSTATUS ZwCreateEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, EVENT_TYPE EventType,
                       BOOLEAN InitialState)
{
    UNICODE_STRING name;
    ULONG          attributes = ObjectAttributes != NULL ? ObjectAttributes->Attributes : 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *EventHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (EventType != NotificationEvent && EventType != SynchronizationEvent)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = name_of(ObjectAttributes, &name);
    if (!NT_SUCCESS(status))
        return status;
    if (name.Length == 0)
        return create_unnamed(DesiredAccess, attributes, EventType, InitialState, EventHandle);
    status = create_named(&name, DesiredAccess, attributes, EventType, InitialState, EventHandle);
    io_host_name_free(&name);
    return status;
}

NTSTATUS ZwOpenEvent(PHANDLE EventHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
    UNICODE_STRING name;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *EventHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ObjectAttributes != NULL ? name_of(ObjectAttributes, &name) : STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(status))
        return status;
    if (name.Length == 0)
        return STATUS_OBJECT_NAME_INVALID;
    PKEVENT event = io_event_find(&name);
    io_host_name_free(&name);
    return event != NULL ? open_found(event, DesiredAccess, ObjectAttributes->Attributes, EventHandle) : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- states ---- */

typedef LONG change_t(PKEVENT event);

static LONG set(PKEVENT event) { return KeSetEvent(event, EVENT_INCREMENT, FALSE); }
static LONG reset(PKEVENT event) { return KeResetEvent(event); }

static NTSTATUS change(HANDLE handle, change_t *how, PLONG previous)
{
    void    *event = NULL;
    NTSTATUS status = ex_handle_reference(handle, EVENT_MODIFY_STATE, &io_event_type, KernelMode, &event, NULL);
    if (!NT_SUCCESS(status))
        return status;
    LONG before = how(event);
    (void)ex_object_dereference("ZwSetEvent", event);
    if (previous != NULL)
        *previous = before;
    return STATUS_SUCCESS;
}

NTSTATUS ZwSetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL ? change(EventHandle, set, PreviousState) : STATUS_UNSUCCESSFUL;
}

NTSTATUS ZwResetEvent(HANDLE EventHandle, PLONG PreviousState)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL ? change(EventHandle, reset, PreviousState) : STATUS_UNSUCCESSFUL;
}

NTSTATUS ZwClearEvent(HANDLE EventHandle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ke_thread_ready(__func__) != NULL ? change(EventHandle, reset, NULL) : STATUS_UNSUCCESSFUL;
}

/* ---- waiting ---- */

NTSTATUS ZwWaitForSingleObject(HANDLE Handle, BOOLEAN Alertable, PLARGE_INTEGER Timeout)
{
    void *object = NULL;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ex_handle_reference(Handle, SYNCHRONIZE, NULL, KernelMode, &object, NULL);
    if (!NT_SUCCESS(status))
        return status;
    const ex_object_type_t *type = ex_object_type_of(object);
    if (type == &io_event_type || type == *PsThreadType)
        status = KeWaitForSingleObject(object, UserRequest, KernelMode, Alertable, Timeout);
    else
        status = STATUS_OBJECT_TYPE_MISMATCH;
    (void)ex_object_dereference(__func__, object);
    return status;
}
