/*
 * thread_object.c - a thread as others see it: an object that is referred to, that can be waited for, and that has a number.
 * The object is a part of the thread's record, which is never unmapped; a record that drivers or handles refer to waits, when its thread has
 * ended, until they have let go, before another thread gets it.
 *
 *     record_start ---> not signaled, STATUS_PENDING ---> the thread ends: signaled for good, with its exit status
 *
 * Locks       ke_dispatcher_lock for the signal; counts are atomic.
 * Source      WDK reference: ntifs.h, PsLookupThreadByThreadId, PsGetThreadExitStatus, PsIsSystemThread; ntddk.h, PsGetCurrentThreadId; wdm.h,
 *             PsGetThreadId, KeSetPriorityThread, KeQueryPriorityThread.
 * Fidelity    the host schedules: priorities are numbers that are kept.
 */
#include <ntifs.h>

#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/process.h"
#include "ke/wait.h"

#define FIRST_THREAD_ID 0x10000u /* above all that processes have */
#define DEFAULT_PRIORITY 8
#define HIGHEST_PRIORITY 31

static _Atomic uint32_t thread_ids; /* given out, never again in this process */

void ke_thread_object_start(ke_thread_t *thread)
{
    PDISPATCHER_HEADER header = ke_thread_header(thread);
    thread->thread_id = FIRST_THREAD_ID + atomic_fetch_add(&thread_ids, 4) % 0x7FFF0000u;
    atomic_store(&thread->priority, DEFAULT_PRIORITY);
    atomic_store(&thread->exit_status, STATUS_PENDING);
    atomic_store(&thread->abandoned, 0);
    header->Type = KE_OBJECT_THREAD;
    header->Size = sizeof thread->kthread / sizeof(LONG);
    header->WaitListHead.Flink = header->WaitListHead.Blink = &header->WaitListHead;
    __atomic_store_n(&header->SignalState, 0, __ATOMIC_RELEASE);
}

void ke_thread_object_end(ke_thread_t *thread, int32_t exit_status)
{
    int32_t running = STATUS_PENDING;
    bool    is_up = atomic_load(&ke_machine_state) == KE_MACHINE_UP && thread->generation == ke_machine_generation;
    atomic_compare_exchange_strong(&thread->exit_status, &running, exit_status != STATUS_PENDING ? exit_status : STATUS_SUCCESS);
    if (!is_up)
        return;
    ke_lock(&ke_dispatcher_lock);
    __atomic_store_n(&ke_thread_header(thread)->SignalState, 1, __ATOMIC_RELEASE);
    ke_wait_test_locked(ke_thread_header(thread));
    ke_unlock(&ke_dispatcher_lock);
}

/* ---- references ---- */

/* Records begin at a page, so most numbers are told at once. */
ke_thread_t *ke_thread_of(const void *kthread)
{
    uintptr_t at = (uintptr_t)kthread - offsetof(ke_thread_t, kthread);
    if (at % host_page_size() != 0)
        return NULL;
    for (ke_thread_t *record = ke_thread_first(); record != NULL; record = record->next)
        if ((uintptr_t)record == at)
            return record;
    return NULL;
}

int64_t ke_thread_object_reference(void *kthread)
{
    ke_thread_t *record = ke_thread_of(kthread);
    if (!atomic_load(&record->alive) && atomic_load(&record->references) == 0)
        return -1;
    return atomic_fetch_add(&record->references, 1) + 1;
}

int64_t ke_thread_object_dereference(void *kthread)
{
    ke_thread_t *record = ke_thread_of(kthread);
    int64_t      count = atomic_load(&record->references);
    do {
        if (count == 0)
            return -1;
    } while (!atomic_compare_exchange_weak(&record->references, &count, count - 1));
    return count - 1;
}

/* ---- what drivers ask ---- */

static HANDLE id_of(const ke_thread_t *thread) { return (HANDLE)(ULONG_PTR)thread->thread_id; }

HANDLE PsGetCurrentThreadId(VOID)
{
    ke_thread_t *self = ke_thread_ready(__func__);
    return self != NULL ? id_of(self) : NULL;
}

HANDLE PsGetThreadId(PETHREAD Thread)
{
    const ke_thread_t *thread = ke_thread_of(Thread);
    return thread != NULL ? id_of(thread) : NULL;
}

PEPROCESS IoThreadToProcess(PETHREAD Thread)
{
    const ke_thread_t *thread = ke_thread_of(Thread);
    return thread != NULL ? (PEPROCESS)(void *)ke_process_current(thread) : NULL;
}

HANDLE PsGetThreadProcessId(PETHREAD Thread)
{
    PEPROCESS process = IoThreadToProcess(Thread);
    return process != NULL ? PsGetProcessId(process) : NULL;
}

BOOLEAN PsIsSystemThread(PETHREAD Thread)
{
    ke_thread_t *thread = ke_thread_of(Thread);
    return thread != NULL && atomic_load(&thread->is_system) != 0;
}

NTSTATUS PsGetThreadExitStatus(PETHREAD Thread)
{
    ke_thread_t *thread = ke_thread_of(Thread);
    return thread != NULL ? atomic_load(&thread->exit_status) : STATUS_INVALID_PARAMETER;
}

NTSTATUS PsLookupThreadByThreadId(HANDLE ThreadId, PETHREAD *Thread)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *Thread = NULL;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_thread_t *found = ke_thread_first();
    while (found != NULL && (found->generation != ke_machine_generation || id_of(found) != ThreadId || !atomic_load(&found->alive)))
        found = found->next;
    if (found != NULL && ke_thread_object_reference(found->kthread) < 0)
        found = NULL;
    ke_thread_leave(self);
    *Thread = found != NULL ? (PETHREAD)(void *)found->kthread : NULL;
    return found != NULL ? STATUS_SUCCESS : STATUS_INVALID_CID;
}

KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *self = ke_thread_ready(__func__);
    ke_thread_t *thread = ke_thread_of(Thread);
    if (self == NULL || thread == NULL)
        return 0;
    if (Priority < 1 || Priority > HIGHEST_PRIORITY)
        return atomic_load(&thread->priority);
    return atomic_exchange(&thread->priority, Priority);
}

KPRIORITY KeQueryPriorityThread(PKTHREAD Thread)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_ready(__func__) != NULL ? ke_thread_of(Thread) : NULL;
    return thread != NULL ? atomic_load(&thread->priority) : 0;
}
