/*
 * process_attach.c - a thread looks into another process: its user addresses are those of that process until it detaches.
 * Attaches nest. The driver's KAPC_STATE keeps where the thread was before; the thread keeps how deep it is, so that a detach out of turn, or one
 * with a state of another thread, is known before anything is changed.
 *
 *     KeStackAttachProcess     depth n -> n + 1       state: the process before, this thread, n + 1
 *     KeUnstackDetachProcess   depth n + 1 -> n       with the state of depth n + 1, and with no other
 *     KeAttachProcess          depth 0 -> 1           KeDetachProcess: back
 *
 * Locks       none of its own: a thread changes its own record.
 * Source      WDK reference: ntifs.h, KeStackAttachProcess, KeUnstackDetachProcess, KeAttachProcess, KeDetachProcess; Bug Checks 0x5, 0x6.
 * Fidelity    what a KAPC_STATE holds is our own (opaque, as documented). No APCs are moved, since none are delivered.
 */
#include <ntifs.h>

#include "ke/bugcheck.h"
#include "ke/process.h"

static ke_process_t *record_of(PRKPROCESS process) { return (ke_process_t *)(void *)process; }

/* The parameters of 0x5: the target, or the thread's own process when it is attached already; where it is; 1 when attached; 1 in a DPC. */
static _Noreturn void refuse_attach(const char *routine, const char *why, const ke_thread_t *thread, PRKPROCESS target, bool in_dpc)
{
    const ke_process_t *own = thread->home != NULL ? thread->home : ke_process_system();
    ULONG_PTR           first = thread->attached != 0 ? (ULONG_PTR)own : (ULONG_PTR)target;
    ke_bugcheck(routine, why, INVALID_PROCESS_ATTACH_ATTEMPT, first, (ULONG_PTR)ke_process_current(thread), thread->attached != 0, in_dpc);
}

static void attach(const char *routine, ke_thread_t *thread, PRKPROCESS target)
{
    ke_process_t *process = record_of(target);
    if (!ke_process_is_at((uintptr_t)target) || !ke_process_use(process))
        refuse_attach(routine, "The target is no process, or one that is gone.", thread, target, false);
    ke_process_t *before = thread->process;
    thread->process = process;
    thread->attached++;
    ke_process_was_left(before);
}

static void detach(ke_thread_t *thread, ke_process_t *before)
{
    ke_process_t *left = thread->process;
    thread->process = before;
    thread->attached--;
    ke_process_was_left(left);
    ke_process_unuse(left);
}

static ke_thread_t *ready(const char *routine, PRKPROCESS target)
{
    ke_thread_t *thread = ke_thread_ready(routine);
    if (thread != NULL && thread->irql >= DISPATCH_LEVEL && KeIsExecutingDpc())
        refuse_attach(routine, "A DPC may not attach to a process: it has borrowed the thread that it runs on.", thread, target, true);
    return thread;
}

VOID KeStackAttachProcess(PRKPROCESS PROCESS, PRKAPC_STATE ApcState)
{
    ke_thread_t *thread = ready(__func__, PROCESS);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (thread == NULL)
        return;
    ke_process_t *before = thread->process;
    attach(__func__, thread, PROCESS);
    *ApcState = (KAPC_STATE){ .Process = (PRKPROCESS)(void *)before };
    ApcState->ApcListHead[KernelMode].Flink = (PLIST_ENTRY)(void *)thread;
    ApcState->ApcListHead[KernelMode].Blink = (PLIST_ENTRY)(uintptr_t)thread->attached;
}

VOID KeUnstackDetachProcess(PRKAPC_STATE ApcState)
{
    ke_thread_t *thread = ready(__func__, NULL);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (thread == NULL)
        return;
    const LIST_ENTRY *state = &ApcState->ApcListHead[KernelMode];
    if (thread->attached == 0 || state->Flink != (PLIST_ENTRY)(void *)thread || (uintptr_t)state->Blink != thread->attached)
        ke_bugcheck(__func__, "This is not the state of the attach that is to be undone next on this thread.",
                    INVALID_PROCESS_DETACH_ATTEMPT, (ULONG_PTR)ApcState, (ULONG_PTR)ke_process_current(thread), thread->attached, 0);
    ApcState->ApcListHead[KernelMode].Flink = NULL;
    detach(thread, record_of(ApcState->Process));
}

VOID KeAttachProcess(PRKPROCESS Process)
{
    ke_thread_t *thread = ready(__func__, Process);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (thread == NULL)
        return;
    if (thread->attached != 0)
        refuse_attach(__func__, "The thread is attached already; KeStackAttachProcess can be nested, this cannot.", thread, Process, false);
    attach(__func__, thread, Process);
}

VOID KeDetachProcess(VOID)
{
    ke_thread_t *thread = ready(__func__, NULL);
    KE_REQUIRE_IRQL(APC_LEVEL);
    if (thread == NULL)
        return;
    if (thread->attached != 1)
        ke_bugcheck(__func__, "The thread is not attached, or attached more than once, which KeUnstackDetachProcess undoes.",
                    INVALID_PROCESS_DETACH_ATTEMPT, 0, (ULONG_PTR)ke_process_current(thread), thread->attached, 0);
    detach(thread, thread->home);
}
