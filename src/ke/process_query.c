/*
 * process_query.c - what drivers ask of processes: which one is it, what is its number, is it still there.
 * A number is a place in the table: 4 is System's, as on Windows, then 8, 12 ... So it is used again, as on Windows, when the object is gone;
 * the start key is not.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, IoGetCurrentProcess; ntddk.h, PsGetProcessId, PsGetCurrentProcessId, PsGetProcessCreateTimeQuadPart,
 *             PsGetProcessExitStatus, PsGetProcessStartKey; ntifs.h, PsGetProcessExitTime.
 * Fidelity    a process that was destroyed has ended with STATUS_SUCCESS (choice).
 */
#include <ntifs.h>

#include "ke/bugcheck.h"
#include "ke/process.h"

static PEPROCESS current(const char *routine)
{
    ke_thread_t *thread = ke_thread_ready(routine);
    return thread != NULL ? (PEPROCESS)(void *)ke_process_current(thread) : NULL;
}

PEPROCESS IoGetCurrentProcess(VOID) { return current(__func__); }

HANDLE PsGetProcessId(PEPROCESS Process) { return (HANDLE)ke_process_id((const ke_process_t *)(const void *)Process); }

HANDLE PsGetCurrentProcessId(VOID)
{
    ke_thread_t *thread = ke_thread_ready(__func__);
    if (thread == NULL)
        return NULL;
    return (HANDLE)ke_process_id(thread->home != NULL ? thread->home : ke_process_system());
}

/* ---- its life ---- */

static const ke_process_t *live(PEPROCESS process) /* NULL: it is no process, whatever it was */
{
    return ke_process_is_at((uintptr_t)process) ? (const ke_process_t *)(const void *)process : NULL;
}

LONGLONG PsGetProcessCreateTimeQuadPart(PEPROCESS Process)
{
    const ke_process_t *process = live(Process);
    return process != NULL ? (LONGLONG)process->created_100ns : 0;
}

NTSTATUS PsGetProcessExitStatus(PEPROCESS Process)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    const ke_process_t *process = live(Process);
    return process != NULL && process->ended_100ns == 0 ? STATUS_PENDING : STATUS_SUCCESS;
}

LARGE_INTEGER PsGetProcessExitTime(VOID)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const ke_process_t *process = live(current(__func__));
    return (LARGE_INTEGER){ .QuadPart = process != NULL ? (LONGLONG)process->ended_100ns : 0 };
}

/* The boot, and how many processes there were before in this boot. */
ULONGLONG PsGetProcessStartKey(PEPROCESS Process)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    const ke_process_t *process = live(Process);
    return process != NULL ? (ULONGLONG)ke_machine_generation << 48 | process->start_number : 0;
}
