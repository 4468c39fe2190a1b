/*
 * process_notify.c - who hears of processes that come and go; and a handle of a process by its number.
 *
 *     ntmm_process_create  --> each routine; one of the Ex kind may forbid it by an error in CreationStatus
 *     ntmm_process_destroy --> each routine, before anything of the process is gone
 *
 * Locks       notify_lock (leaf) for the table; routines run with none held.
 * Source      WDK reference: ntddk.h, PsSetCreateProcessNotifyRoutine, PsSetCreateProcessNotifyRoutineEx, ZwOpenProcess; PS_CREATE_NOTIFY_INFO.
 * Fidelity    processes have no image and no command line: the names are NULL. Routines run on the thread that calls the control API.
 */
#include <string.h>

#include "ex/handle.h"
#include "ex/process_notify.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/lock.h"
#include "ke/process.h"

#define ROUTINES_MAX 64

typedef struct routine {
    PCREATE_PROCESS_NOTIFY_ROUTINE    plain;
    PCREATE_PROCESS_NOTIFY_ROUTINE_EX extended;
} routine_t;

static ke_lock_t notify_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static routine_t routines[ROUTINES_MAX]; /* notify_lock; both NULL: free */

/* ---- telling ---- */

static routine_t routine_at(size_t i)
{
    ke_lock(&notify_lock);
    routine_t copy = routines[i];
    ke_unlock(&notify_lock);
    return copy;
}

static NTSTATUS tell(ke_process_t *process, bool created)
{
    HANDLE                parent = (HANDLE)ke_process_id(ke_process_system()), id = (HANDLE)ke_process_id(process);
    PS_CREATE_NOTIFY_INFO info = { .Size = sizeof info, .ParentProcessId = parent, .CreationStatus = STATUS_SUCCESS };
    info.CreatingThreadId.UniqueProcess = PsGetCurrentProcessId();
    info.CreatingThreadId.UniqueThread = PsGetCurrentThreadId();
    for (size_t i = 0; i < ROUTINES_MAX; i++) {
        routine_t routine = routine_at(i);
        if (routine.plain != NULL)
            routine.plain(parent, id, created);
        if (routine.extended != NULL)
            routine.extended((PEPROCESS)(void *)process, id, created ? &info : NULL);
    }
    return info.CreationStatus;
}

void ex_process_notify_boot(void)
{
    ke_lock_init(&notify_lock, KE_RANK_LEAF);
    memset(routines, 0, sizeof routines);
    ke_process_notice = tell;
}

/* ---- registering ---- */

static bool is_same(const routine_t *one, const routine_t *other) { return one->plain == other->plain && one->extended == other->extended; }

/* The row of it; ROUTINES_MAX: there is none. */
static size_t find_locked(const routine_t *routine)
{
    size_t i = 0;
    while (i < ROUTINES_MAX && !is_same(&routines[i], routine))
        i++;
    return i;
}

static NTSTATUS set(const char *name, routine_t routine, bool remove)
{
    static const routine_t none = { NULL, NULL };
    if (ke_thread_ready(name) == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_lock(&notify_lock);
    size_t   known = find_locked(&routine), at = remove ? known : find_locked(&none);
    NTSTATUS status = STATUS_SUCCESS;
    if (remove && known == ROUTINES_MAX)
        status = STATUS_PROCEDURE_NOT_FOUND;
    else if (!remove && (known != ROUTINES_MAX || at == ROUTINES_MAX))
        status = STATUS_INVALID_PARAMETER;
    else
        routines[at] = remove ? none : routine;
    ke_unlock(&notify_lock);
    return status;
}

NTSTATUS PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, BOOLEAN Remove)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return set(__func__, (routine_t){ .plain = NotifyRoutine }, Remove);
}

NTSTATUS PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine, BOOLEAN Remove)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return set(__func__, (routine_t){ .extended = NotifyRoutine }, Remove);
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
