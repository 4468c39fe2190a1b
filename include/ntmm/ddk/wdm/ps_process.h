/*
 * ps_process.h - processes, as far as memory routines need them: who is running, and who pays.
 * A test makes processes with ntmm_process_create() and lets threads run in them with ntmm_process_attach(); otherwise every thread belongs
 * to the System process.
 *
 * Source  WDK reference: wdm.h, ntddk.h.
 */
#ifndef NTMM_DDK_WDM_PS_PROCESS_H
#define NTMM_DDK_WDM_PS_PROCESS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _KPROCESS *PEPROCESS; /* opaque, as for every driver */
typedef struct _KPROCESS  KPROCESS, *PKPROCESS, *PRKPROCESS;

/** The System process; valid while a machine is up. @source WDK reference: ntddk.h, PsInitialSystemProcess */
extern NTKERNELAPI PEPROCESS PsInitialSystemProcess;

/**
 * The process that the calling thread runs in.
 *
 * @return no reference is taken for the caller
 * @irql    any
 * @source  WDK reference: wdm.h, IoGetCurrentProcess
 */
NTKERNELAPI PEPROCESS IoGetCurrentProcess(VOID);
#define PsGetCurrentProcess IoGetCurrentProcess

/**
 * The number of a process.
 *
 * @param Process  from PsGetCurrentProcess or PsInitialSystemProcess
 * @irql    any
 * @models  the System process has number 4, others have multiples of 4 from 8 on; that of a process that has ended is used again
 * @source  WDK reference: ntddk.h, PsGetProcessId
 */
NTKERNELAPI HANDLE PsGetProcessId(PEPROCESS Process);

/** PsGetProcessId of the calling thread's process. @irql any @source WDK reference: ntddk.h, PsGetCurrentProcessId */
NTKERNELAPI HANDLE PsGetCurrentProcessId(VOID);

/**
 * The process with that number, referenced for the caller: ObDereferenceObject gives it back.
 *
 * @return  STATUS_SUCCESS; STATUS_INVALID_CID: there is no such process (choice: the page says STATUS_INVALID_PARAMETER or STATUS_INVALID_CID)
 * @irql    <= APC_LEVEL
 * @source  WDK reference: ntifs.h, PsLookupProcessByProcessId
 */
NTKERNELAPI NTSTATUS PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process);

#ifdef __cplusplus
}
#endif
#endif
