/*
 * ps_attach.h - looking into the address space of another process.
 *
 *     PsLookupProcessByProcessId(id, &process);
 *     KeStackAttachProcess(process, &state);
 *     __try { ... user addresses of that process ... } __except (EXCEPTION_EXECUTE_HANDLER) { ... }
 *     KeUnstackDetachProcess(&state);
 *     ObDereferenceObject(process);
 *
 * Source  WDK reference: ntifs.h.
 */
#ifndef NTMM_DDK_NTIFS_PS_ATTACH_H
#define NTMM_DDK_NTIFS_PS_ATTACH_H

#ifdef __cplusplus
extern "C" {
#endif

/* The names are those of Windows; what is kept in it is ours. Its storage is nonpaged, or on the thread's own stack. */
typedef struct _KAPC_STATE {
    LIST_ENTRY        ApcListHead[MaximumMode];
    struct _KPROCESS *Process;
    BOOLEAN           KernelApcInProgress;
    BOOLEAN           KernelApcPending;
    BOOLEAN           UserApcPending;
} KAPC_STATE, *PKAPC_STATE, *PRKAPC_STATE;
NTMM_LAYOUT(sizeof(KAPC_STATE) == 0x30 && FIELD_OFFSET(KAPC_STATE, Process) == 0x20, "KAPC_STATE, x64");

/**
 * The calling thread runs in the address space of a process, until KeUnstackDetachProcess. Attaches nest.
 *
 * @param PROCESS   as from PsGetCurrentProcess or PsLookupProcessByProcessId; one that has ended has no user memory any more
 * @param ApcState  out: where the thread was before, for KeUnstackDetachProcess; nonpaged, or on the thread's own stack
 * @irql      <= APC_LEVEL
 * @bugcheck  INVALID_PROCESS_ATTACH_ATTEMPT (0x5): in a DPC (p4 is 1), or PROCESS is no process (choice); p1 the target, or the thread's own
 *            process when it is attached already, p2 the process where it is, p3 1 when attached. IRQL_NOT_LESS_OR_EQUAL (0xA) above APC_LEVEL
 * @source    WDK reference: ntifs.h, KeStackAttachProcess; Bug Check 0x5
 */
NTKERNELAPI VOID KeStackAttachProcess(PRKPROCESS PROCESS, PRKAPC_STATE ApcState);

/**
 * Back to where the thread was before the attach that filled ApcState, which must be the last one.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  INVALID_PROCESS_DETACH_ATTEMPT (0x6): it is the state of another attach, of another thread, or was used already; p1 the state, p2
 *            the process where the thread is, p3 how many times it is attached, p4 0 (choice: the reference gives no parameters)
 * @source    WDK reference: ntifs.h, KeUnstackDetachProcess; Bug Check 0x6
 */
NTKERNELAPI VOID KeUnstackDetachProcess(PRKAPC_STATE ApcState);

/**
 * The same without nesting. Obsolete.
 *
 * @irql      <= APC_LEVEL (choice: the reference is silent)
 * @bugcheck  as KeStackAttachProcess, and 0x5 when the thread is attached already
 * @source    WDK reference: ntifs.h, KeAttachProcess; Bug Check 0x5
 */
NTKERNELAPI VOID KeAttachProcess(PRKPROCESS Process);

/**
 * Back from KeAttachProcess. Obsolete.
 *
 * @irql      <= APC_LEVEL (choice: the reference is silent)
 * @bugcheck  INVALID_PROCESS_DETACH_ATTEMPT (0x6): the thread is not attached, or more than once; p1 0, the rest as for KeUnstackDetachProcess
 *            (choice)
 * @source    WDK reference: ntifs.h, KeDetachProcess
 */
NTKERNELAPI VOID KeDetachProcess(VOID);

/** When the process in which the thread runs has ended, in 100 ns since 1601; 0: it has not. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: ntifs.h, PsGetProcessExitTime */
NTKERNELAPI LARGE_INTEGER PsGetProcessExitTime(VOID);

#ifdef __cplusplus
}
#endif
#endif
