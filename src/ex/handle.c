/*
 * handle.c - handles: which numbers are open, in which process, and for what object.
 * Each open handle is a block of paged pool, so that one which is never closed is a leak like any other. Numbers are multiples of 4, those of
 * kernel handles with the upper bits that mark them, and are not used again, so that a handle closed twice never hits another object.
 *
 *     -1, -2            the calling process and thread, without a table
 *     kernel handles    good in every process; an application's number that looks like one is refused (AccessMode UserMode)
 *     others            good in the process that opened them
 *
 * Locks       handle_lock for the list; pool, and what a type does when a handle is closed, are called without it.
 * Source      WDK reference: ntifs.h, ZwClose, ObOpenObjectByPointer; wdm.h, ObReferenceObjectByHandle; Bug Check 0x93.
 * Fidelity    access is what was asked for at the opening: nothing is refused to kernel mode. Handles do not go with their process.
 */
#include <ntifs.h>

#include "ex/handle.h"

#include "ex/object_callbacks.h"
#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/lock.h"
#include "ke/probe.h"
#include "ke/process.h"

#define HANDLE_TAG 0x6274624fu /* "Obtb" */
#define KERNEL_HANDLES ((ULONG_PTR)UINT64_C(0xFFFFFFFF80000000))
#define HANDLE_STEP 4u

typedef struct handle {
    struct handle      *next;
    HANDLE              value;
    void               *object;  /* referenced */
    const ke_process_t *process; /* NULL: a kernel handle */
    ACCESS_MASK         access;
    ULONG               attributes;
} handle_t;

static ke_lock_t handle_lock = KE_LOCK_INIT(KE_RANK_EX_HANDLE);
static handle_t *handles; /* newest first */
static ULONG     handles_opened;

void ex_handles_boot(void)
{
    ke_lock_init(&handle_lock, KE_RANK_EX_HANDLE);
    handles = NULL;
    handles_opened = 0;
}

static bool is_kernel_handle(HANDLE value) { return ((ULONG_PTR)value & KERNEL_HANDLES) == KERNEL_HANDLES; }

static bool is_pseudo(HANDLE value) { return value == NtCurrentProcess() || value == NtCurrentThread(); }

static void *pseudo_object(HANDLE value)
{
    ke_thread_t *self = ke_self();
    return value == NtCurrentThread() ? (void *)self->kthread : (void *)ke_process_current(self);
}

/* ---- opening ---- */

static NTSTATUS open_as(void *object, ACCESS_MASK access, ULONG attributes, HANDLE *value)
{
    *value = NULL;
    handle_t *handle = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *handle, HANDLE_TAG);
    if (handle == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    handle->object = object;
    handle->process = (attributes & OBJ_KERNEL_HANDLE) != 0 ? NULL : ke_process_current(ke_self());
    handle->access = access;
    handle->attributes = attributes & (OBJ_INHERIT | OBJ_KERNEL_HANDLE);
    (void)ex_object_reference("ObOpenObjectByPointer", object);
    ex_object_handle_opened(object);
    ke_lock(&handle_lock);
    ULONG_PTR number = (ULONG_PTR)++handles_opened * HANDLE_STEP & ~KERNEL_HANDLES;
    *value = (HANDLE)(handle->process == NULL ? KERNEL_HANDLES | number : number);
    handle->value = *value;
    handle->next = handles;
    handles = handle;
    ke_unlock(&handle_lock);
    return STATUS_SUCCESS;
}

NTSTATUS ex_handle_open(void *object, ACCESS_MASK access, ULONG attributes, HANDLE *value)
{
    ex_object_opening_t     opening;
    const ex_object_type_t *type = ex_object_type_of(object);
    access = ex_object_map_access(type, access);
    if (type != *PsProcessType && type != *PsThreadType)
        return open_as(object, access, attributes, value);
    access = ex_object_opening_begin(&opening, object, access, (attributes & OBJ_KERNEL_HANDLE) != 0);
    NTSTATUS status = open_as(object, access, attributes, value);
    ex_object_opening_end(&opening, access, status);
    return status;
}

/* ---- looking up ---- */

typedef struct found {
    void                     *object;  /* NULL: the handle is not open */
    NTSTATUS                  status;  /* STATUS_SUCCESS: it is referenced */
    bool                      is_gone; /* the handle is open, and the object was dereferenced too often */
    OBJECT_HANDLE_INFORMATION information;
} found_t;

static handle_t **find_locked(HANDLE value, const ke_process_t *process)
{
    handle_t **link = &handles;
    while (*link != NULL && ((*link)->value != value || ((*link)->process != NULL && (*link)->process != process)))
        link = &(*link)->next;
    return link;
}

static NTSTATUS reference_as(void *object, ACCESS_MASK granted, ACCESS_MASK access, const ex_object_type_t *wanted, KPROCESSOR_MODE mode,
                             bool *is_gone)
{
    const ex_object_type_t *type = ex_object_type_of(object);
    if (wanted != NULL && type != NULL && type != wanted)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (mode != KernelMode && type != NULL && (ex_object_map_access(type, access) & ~granted) != 0)
        return STATUS_ACCESS_DENIED;
    *is_gone = ex_object_try_reference(object) < 0; /* else the handle's own reference keeps it here */
    return STATUS_SUCCESS;
}

static found_t find_and_reference(HANDLE value, ACCESS_MASK access, const ex_object_type_t *wanted, KPROCESSOR_MODE mode)
{
    found_t found = { .status = STATUS_INVALID_HANDLE };
    ke_lock(&handle_lock);
    const handle_t *handle = *find_locked(value, ke_process_current(ke_self()));
    if (handle != NULL) {
        found.object = handle->object;
        found.information = (OBJECT_HANDLE_INFORMATION){ handle->attributes, handle->access };
        found.status = reference_as(handle->object, handle->access, access, wanted, mode, &found.is_gone);
    }
    ke_unlock(&handle_lock);
    return found;
}

static found_t reference_pseudo(HANDLE value, const ex_object_type_t *wanted)
{
    found_t found = { .object = pseudo_object(value) };
    found.information.GrantedAccess = ex_object_type_of(found.object)->all_access;
    found.status = reference_as(found.object, 0, 0, wanted, KernelMode, &found.is_gone);
    return found;
}

NTSTATUS ex_handle_reference(HANDLE value, ACCESS_MASK access, const ex_object_type_t *type, KPROCESSOR_MODE mode, void **object,
                             OBJECT_HANDLE_INFORMATION *information)
{
    found_t found = { .status = STATUS_INVALID_HANDLE };
    if (is_pseudo(value))
        found = reference_pseudo(value, type);
    else if (mode == KernelMode || !is_kernel_handle(value))
        found = find_and_reference(value, access, type, mode);
    if (found.is_gone)
        (void)ex_object_reference("ObReferenceObjectByHandle", found.object); /* stops */
    bool success = NT_SUCCESS(found.status);
    *object = success ? found.object : NULL;
    if (success && information != NULL)
        *information = found.information;
    return found.status;
}

/* ---- closing ---- */

static handle_t *take_out(HANDLE value)
{
    ke_lock(&handle_lock);
    handle_t **link = find_locked(value, ke_process_current(ke_self()));
    handle_t  *found = *link;
    if (found != NULL)
        *link = found->next;
    ke_unlock(&handle_lock);
    return found;
}

static void close_handle(handle_t *handle)
{
    const ex_object_type_t *type = ex_object_type_of(handle->object);
    bool                    last = ex_object_handle_closed(handle->object);
    if (type != NULL && type->closed != NULL)
        type->closed(handle->object);
    if (last && type != NULL && type->closed_last != NULL)
        type->closed_last(handle->object);
    (void)ex_object_dereference("ZwClose", handle->object);
    ExFreePoolWithTag(handle, HANDLE_TAG);
}

NTSTATUS ZwClose(HANDLE Handle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    handle_t *handle = is_pseudo(Handle) ? NULL : take_out(Handle);
    ke_thread_leave(self);
    if (handle != NULL)
        close_handle(handle); /* which may call a driver */
    if (handle != NULL || is_pseudo(Handle))
        return STATUS_SUCCESS;
    if (is_kernel_handle(Handle))
        ke_bugcheck(__func__, "A kernel handle was closed that is not open.", INVALID_KERNEL_HANDLE, (ULONG_PTR)Handle, 1, 0, 0);
    return STATUS_INVALID_HANDLE;
}

NTSTATUS NtClose(HANDLE Handle) { return ZwClose(Handle); }

/* ---- what else drivers call ---- */

NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                   PVOID *Object, POBJECT_HANDLE_INFORMATION HandleInformation)
{
    void *object = NULL;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *Object = NULL;
    if (AccessMode == KernelMode && Handle != NULL && !is_pseudo(Handle) && !is_kernel_handle(Handle))
        ke_probe_lock(__func__, KE_HANDLE_OF_USER, Handle, KE_CALLER());
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ex_handle_reference(Handle, DesiredAccess, ObjectType, AccessMode, &object, HandleInformation);
    ke_thread_leave(self);
    *Object = object;
    return status;
}

NTSTATUS ObReferenceObjectByHandleWithTag(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode,
                                          ULONG Tag, PVOID *Object, POBJECT_HANDLE_INFORMATION HandleInformation)
{
    (void)Tag;
    return ObReferenceObjectByHandle(Handle, DesiredAccess, ObjectType, AccessMode, Object, HandleInformation);
}

static NTSTATUS open_by_pointer(const char *routine, void *object, const ex_object_type_t *wanted, ACCESS_MASK access, ULONG attributes,
                                KPROCESSOR_MODE mode, HANDLE *handle)
{
    const ex_object_type_t *type = ex_object_type_of(object);
    if (type == NULL)
        (void)ex_object_reference(routine, object); /* says that it is no object */
    if (wanted != NULL ? type != wanted : mode != KernelMode)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (mode != KernelMode && (ex_object_map_access(type, access) & ~type->all_access) != 0)
        return STATUS_ACCESS_DENIED;
    if (type->opened != NULL)
        type->opened(object);
    NTSTATUS status = ex_handle_open(object, access, attributes, handle);
    if (!NT_SUCCESS(status) && type->opened != NULL)
        type->closed(object);
    return status;
}

NTSTATUS ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState, ACCESS_MASK DesiredAccess,
                               POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, PHANDLE Handle)
{
    HANDLE handle = NULL;
    (void)PassedAccessState;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *Handle = NULL;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = open_by_pointer(__func__, Object, ObjectType, DesiredAccess, HandleAttributes, AccessMode, &handle);
    ke_thread_leave(self);
    *Handle = handle;
    return status;
}

NTSTATUS ObOpenObjectByPointerWithTag(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState, ACCESS_MASK DesiredAccess,
                                      POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, ULONG Tag, PHANDLE Handle)
{
    (void)Tag;
    return ObOpenObjectByPointer(Object, HandleAttributes, PassedAccessState, DesiredAccess, ObjectType, AccessMode, Handle);
}
