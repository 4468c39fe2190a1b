/*
 * thread_notify.c - who hears of threads that come and go.
 *
 *     PsCreateSystemThread           on its caller's thread, before the new one runs anything  --> the routines
 *     the new thread has ended       on that thread, before its object is signaled             --> the routines
 *     ntmm_process_attach            the calling thread of the test is a new thread of that process, and one that ends in the one it leaves
 *
 * Locks       notify_table.c.
 * Source      WDK reference: ntddk.h, PsSetCreateThreadNotifyRoutine, PsSetCreateThreadNotifyRoutineEx, PsRemoveCreateThreadNotifyRoutine.
 * Fidelity    of the machine's own threads (workers, the clock, DPC threads) nobody hears (choice).
 */
#include "ex/notify_table.h"
#include "ex/process_notify.h"
#include "ke/bugcheck.h"
#include "ke/system_thread.h"

enum kind { PLAIN, NOT_OF_SYSTEM, ALL_SUBSYSTEMS };
#define ALL_KINDS (1u << PLAIN | 1u << NOT_OF_SYSTEM | 1u << ALL_SUBSYSTEMS)

static ex_notify_table_t routines;

typedef struct news {
    HANDLE process, thread;
    bool   created, is_system;
} news_t;

static void tell_one(void *context, PVOID routine, uint32_t kind)
{
    const news_t *news = context;
    if (kind != NOT_OF_SYSTEM || !news->is_system)
        ((PCREATE_THREAD_NOTIFY_ROUTINE)(uintptr_t)routine)(news->process, news->thread, news->created);
}

static void tell(ke_thread_t *thread, const ke_process_t *process, bool created)
{
    news_t news = { .process = (HANDLE)ke_process_id(process != NULL ? process : ke_process_system()),
                    .thread = (HANDLE)(ULONG_PTR)thread->thread_id,
                    .created = created,
                    .is_system = atomic_load(&thread->is_system) != 0 };
    ex_notify_call(&routines, tell_one, &news);
}

void ex_thread_notify_boot(void)
{
    ex_notify_boot(&routines);
    ke_thread_notice = tell;
}

static NTSTATUS add(const char *name, PVOID routine, enum kind kind)
{
    if (ke_thread_ready(name) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ex_notify_add(&routines, routine, kind) ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return add(__func__, (PVOID)(uintptr_t)NotifyRoutine, PLAIN);
}

NTSTATUS PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType, PVOID NotifyInformation)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (NotifyType != PsCreateThreadNotifyNonSystem && NotifyType != PsCreateThreadNotifySubsystems)
        return STATUS_INVALID_PARAMETER;
    return add(__func__, NotifyInformation, NotifyType == PsCreateThreadNotifyNonSystem ? NOT_OF_SYSTEM : ALL_SUBSYSTEMS);
}

NTSTATUS PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    return ex_notify_remove(&routines, (PVOID)(uintptr_t)NotifyRoutine, ALL_KINDS) ? STATUS_SUCCESS : STATUS_PROCEDURE_NOT_FOUND;
}
