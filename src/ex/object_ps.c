/*
 * object_ps.c - processes and threads as objects: their records are in tables of ke, which counts who refers to them.
 *
 * Source      WDK reference: wdm.h, ObReferenceObjectByHandle (PsProcessType, PsThreadType); ntifs.h, PsLookupProcessByProcessId.
 */
#include "ex/object.h"
#include "ke/bugcheck.h"
#include "ke/process.h"
#include "ke/thread.h"
#include "ke/version.h"

static const ex_object_type_t process_type = {
    .name = "Process",
    .all_access = PROCESS_ALL_ACCESS,
    .generic_read = STANDARD_RIGHTS_READ | 0x0410u, /* query information, read memory */
    .generic_write = STANDARD_RIGHTS_WRITE | 0x0BEAu,
    .generic_execute = STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE,
};
static const ex_object_type_t thread_type = {
    .name = "Thread",
    .all_access = THREAD_ALL_ACCESS,
    .generic_read = STANDARD_RIGHTS_READ | 0x0048u, /* query information, get context */
    .generic_write = STANDARD_RIGHTS_WRITE | 0x0037u,
    .generic_execute = STANDARD_RIGHTS_EXECUTE | SYNCHRONIZE,
};

static POBJECT_TYPE process_type_pointer = (POBJECT_TYPE)(uintptr_t)&process_type;
static POBJECT_TYPE thread_type_pointer = (POBJECT_TYPE)(uintptr_t)&thread_type;
POBJECT_TYPE       *PsProcessType = &process_type_pointer;
POBJECT_TYPE       *PsThreadType = &thread_type_pointer;

static bool is_process(const void *object) { return ke_process_is_at((uintptr_t)object); }
static bool is_thread(const void *object) { return ke_thread_of(object) != NULL; }

void ex_process_objects_register(void)
{
    static const ex_object_home_t processes = { &process_type, is_process, ke_process_object_reference, ke_process_object_dereference };
    static const ex_object_home_t threads = { &thread_type, is_thread, ke_thread_object_reference, ke_thread_object_dereference };
    ex_object_home_add(&processes);
    ex_object_home_add(&threads);
}

NTSTATUS PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *Process = NULL;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_process_t *found = ke_process_by_id((uintptr_t)ProcessId);
    if (found != NULL && ke_process_object_reference(found) < 0)
        found = NULL;
    ke_thread_leave(self);
    *Process = (PEPROCESS)(void *)found;
    if (found != NULL)
        return STATUS_SUCCESS;
    return ke_windows_version >= NTDDI_VISTA ? STATUS_INVALID_CID : STATUS_INVALID_PARAMETER;
}
