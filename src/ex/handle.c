/*
 * handle.c - kernel handles: which numbers are open, and for what.
 * Each open handle is a block of paged pool, so that one which is never closed is a leak like any other. Numbers are multiples of 4 with the
 * upper bits that mark kernel handles, and are not used again, so that a handle closed twice never hits another object.
 *
 * Locks       handle_lock for the list; pool and the objects' close routines are called without it.
 * Source      WDK reference: ntifs.h, ZwClose; Bug Check 0x93.
 * Fidelity    every handle is a kernel handle; no access rights, no attributes.
 */
#include "ex/handle.h"

#include "ke/bugcheck.h"
#include "ke/lock.h"

#define HANDLE_TAG 0x6274624fu /* "Obtb" */
#define KERNEL_HANDLES ((ULONG_PTR)UINT64_C(0xFFFFFFFF80000000))
#define HANDLE_STEP 4u

typedef struct handle {
    struct handle *next;
    HANDLE         value;
    PVOID          object;
    void (*close)(PVOID object);
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

HANDLE ex_handle_open(PVOID object, void (*close)(PVOID object))
{
    handle_t *handle = ExAllocatePool2(POOL_FLAG_PAGED, sizeof *handle, HANDLE_TAG);
    if (handle == NULL)
        return NULL;
    handle->object = object;
    handle->close = close;
    ke_lock(&handle_lock);
    handle->value = (HANDLE)(KERNEL_HANDLES | ((ULONG_PTR)++handles_opened * HANDLE_STEP & ~KERNEL_HANDLES));
    handle->next = handles;
    handles = handle;
    ke_unlock(&handle_lock);
    return handle->value;
}

static handle_t *take_out(HANDLE value)
{
    ke_lock(&handle_lock);
    handle_t **link = &handles;
    while (*link != NULL && (*link)->value != value)
        link = &(*link)->next;
    handle_t *found = *link;
    if (found != NULL)
        *link = found->next;
    ke_unlock(&handle_lock);
    return found;
}

NTSTATUS ZwClose(HANDLE Handle)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    handle_t *handle = take_out(Handle);
    if (handle != NULL) {
        handle->close(handle->object);
        ExFreePoolWithTag(handle, HANDLE_TAG);
    }
    ke_thread_leave(self);
    if (handle != NULL)
        return STATUS_SUCCESS;
    if (((ULONG_PTR)Handle & KERNEL_HANDLES) == KERNEL_HANDLES)
        ke_bugcheck(__func__, "A kernel handle was closed that is not open.", INVALID_KERNEL_HANDLE, (ULONG_PTR)Handle, 1, 0, 0);
    return STATUS_INVALID_HANDLE;
}
