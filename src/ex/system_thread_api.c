/*
 * system_thread_api.c - PsCreateSystemThread and PsTerminateSystemThread: system threads by handle.
 *
 * Locks       none here.
 * Source      WDK reference: wdm.h, PsCreateSystemThread, PsTerminateSystemThread; Bug Checks 0x20, 0x7E, 0x94.
 * Fidelity    no security descriptor, no name; DesiredAccess is what the handle is good for.
 */
#include "ex/handle.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/system_thread.h"

typedef struct request {
    ACCESS_MASK     access;
    ULONG           attributes;
    HANDLE          process_handle;
    PKSTART_ROUTINE routine;
    PVOID           context;
    HANDLE         *handle;
    CLIENT_ID      *id;
} request_t;

static NTSTATUS start_in(const request_t *request, ke_process_t *process)
{
    HANDLE              handle;
    ke_system_thread_t *thread = ke_system_thread_make(request->routine, request->context, process);
    if (thread == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    ke_thread_t *record = ke_system_thread_object(thread);
    NTSTATUS     status = ex_handle_open(record->kthread, request->access, request->attributes, &handle);
    if (NT_SUCCESS(status)) {
        *request->handle = handle;
        if (request->id != NULL)
            *request->id =
                (CLIENT_ID){ PsGetThreadProcessId((PETHREAD)(void *)record->kthread), PsGetThreadId((PETHREAD)(void *)record->kthread) };
    }
    if (NT_SUCCESS(status))
        ke_system_thread_tell(thread);
    ke_system_thread_begin(thread, NT_SUCCESS(status));
    (void)ex_object_dereference("PsCreateSystemThread", record->kthread);
    return status;
}

static NTSTATUS start(const request_t *request)
{
    void *process = NULL;
    if (request->process_handle == NULL)
        return start_in(request, NULL);
    NTSTATUS status = ex_handle_reference(request->process_handle, 0, *PsProcessType, KernelMode, &process, NULL);
    if (!NT_SUCCESS(status))
        return status;
    status = start_in(request, process == ke_process_system() ? NULL : process);
    (void)ex_object_dereference("PsCreateSystemThread", process);
    return status;
}

NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, HANDLE ProcessHandle,
                              PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext)
{
    request_t request = { .access = DesiredAccess,
                          .attributes = ObjectAttributes != NULL ? ObjectAttributes->Attributes : 0,
                          .process_handle = ProcessHandle,
                          .routine = StartRoutine,
                          .context = StartContext,
                          .handle = ThreadHandle,
                          .id = ClientId };
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *ThreadHandle = NULL;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ke_inject_failure() ? STATUS_INSUFFICIENT_RESOURCES : start(&request);
    ke_thread_leave(self);
    return status;
}

NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    ke_thread_t *self = ke_thread_ready(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    if (!ke_is_system_thread())
        return STATUS_INVALID_PARAMETER;
    ke_system_thread_check_end(__func__);
    atomic_store(&self->exit_status, ExitStatus);
    ke_system_thread_end();
}
