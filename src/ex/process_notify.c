/*
 * process_notify.c - who hears of processes that come and go; and a handle of a process by its number.
 *
 *     ntmm_process_create  --> each routine; one of the Ex kind may forbid it by an error in CreationStatus
 *     ntmm_process_destroy --> each routine, before anything of the process is gone
 *
 * Locks       notify_table.c.
 * Source      WDK reference: ntddk.h, PsSetCreateProcessNotifyRoutine, PsSetCreateProcessNotifyRoutineEx,
 *             PsSetCreateProcessNotifyRoutineEx2, ZwOpenProcess; PS_CREATE_NOTIFY_INFO.
 * Fidelity    processes have no image and no command line: the names are NULL. Routines run on the thread that calls the control API.
 */
#include "ex/handle.h"
#include "ex/notify_table.h"
#include "ex/process_notify.h"
#include "ke/bugcheck.h"
#include "ke/process.h"

enum kind { PLAIN, EXTENDED, ALL_SUBSYSTEMS };

static ex_notify_table_t routines;

/* ---- telling ---- */

typedef struct news {
    ke_process_t         *process;
    bool                  created;
    HANDLE                parent, id;
    PS_CREATE_NOTIFY_INFO info;
} news_t;

static void tell_one(void *context, PVOID routine, uint32_t kind)
{
    news_t *news = context;
    if (kind == PLAIN)
        ((PCREATE_PROCESS_NOTIFY_ROUTINE)(uintptr_t)routine)(news->parent, news->id, news->created);
    else
        ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)(uintptr_t)routine)((PEPROCESS)(void *)news->process, news->id,
                                                                news->created ? &news->info : NULL);
}

static NTSTATUS tell(ke_process_t *process, bool created)
{
    news_t news = { .process = process,
                    .created = created,
                    .parent = (HANDLE)ke_process_id(ke_process_system()),
                    .id = (HANDLE)ke_process_id(process),
                    .info = { .Size = sizeof news.info, .CreationStatus = STATUS_SUCCESS } };
    news.info.ParentProcessId = news.parent;
    news.info.CreatingThreadId.UniqueProcess = PsGetCurrentProcessId();
    news.info.CreatingThreadId.UniqueThread = PsGetCurrentThreadId();
    ex_notify_call(&routines, tell_one, &news);
    return news.info.CreationStatus;
}

void ex_process_notify_boot(void)
{
    ex_notify_boot(&routines);
    ke_process_notice = tell;
    ex_thread_notify_boot();
    ex_image_notify_boot();
}

/* ---- registering ---- */

static NTSTATUS set(const char *name, PVOID routine, enum kind kind, bool remove)
{
    if (ke_thread_ready(name) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (remove)
        return ex_notify_remove(&routines, routine, 1u << kind) ? STATUS_SUCCESS : STATUS_PROCEDURE_NOT_FOUND;
    if (ex_notify_is_there(&routines, routine, kind))
        return STATUS_INVALID_PARAMETER;
    return ex_notify_add(&routines, routine, kind) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, BOOLEAN Remove)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return set(__func__, (PVOID)(uintptr_t)NotifyRoutine, PLAIN, Remove);
}

NTSTATUS PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine, BOOLEAN Remove)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return set(__func__, (PVOID)(uintptr_t)NotifyRoutine, EXTENDED, Remove);
}

NTSTATUS PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType, PVOID NotifyInformation, BOOLEAN Remove)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (NotifyType != PsCreateProcessNotifySubsystems)
        return STATUS_INVALID_PARAMETER;
    return set(__func__, NotifyInformation, ALL_SUBSYSTEMS, Remove);
}

/* ---- a handle by number ---- */

NTSTATUS ZwOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PCLIENT_ID ClientId)
{
    PEPROCESS process;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    *ProcessHandle = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (ClientId == NULL || (ObjectAttributes != NULL && ObjectAttributes->ObjectName != NULL))
        return STATUS_INVALID_PARAMETER_MIX;
    NTSTATUS status = PsLookupProcessByProcessId(ClientId->UniqueProcess, &process);
    if (!NT_SUCCESS(status))
        return status;
    status = ObOpenObjectByPointer(process, ObjectAttributes != NULL ? ObjectAttributes->Attributes : 0, NULL, DesiredAccess,
                                   *PsProcessType, KernelMode, ProcessHandle);
    ObDereferenceObject(process);
    return status;
}
