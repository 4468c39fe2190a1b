/*
 * ps_process.h - processes, as far as memory routines need them: who is running, and who pays.
 * A test makes processes with ntmm_process_create() and lets threads run in them with ntmm_process_attach(); otherwise every thread belongs
 * to the System process. A driver looks into another process with KeStackAttachProcess (ntifs.h).
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
 * The process that the calling thread runs in, or is attached to.
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

/** The number of the process that the calling thread belongs to, wherever it is attached. @irql any
 *  @source WDK reference: ntddk.h, PsGetCurrentProcessId; PsGetProcessId (on the difference) */
NTKERNELAPI HANDLE PsGetCurrentProcessId(VOID);

/**
 * The process with that number, referenced for the caller: ObDereferenceObject gives it back.
 *
 * @return  STATUS_SUCCESS; STATUS_INVALID_CID: there is no such process; before Windows Vista STATUS_INVALID_PARAMETER
 * @irql    <= APC_LEVEL
 * @models  one that has ended is found for as long as its object is there; PsGetProcessExitStatus tells
 * @source  WDK reference: ntifs.h, PsLookupProcessByProcessId
 */
NTKERNELAPI NTSTATUS PsLookupProcessByProcessId(HANDLE ProcessId, PEPROCESS *Process);

/** When the process was made, in 100 ns since 1601. @return 0 for what is no process (choice) @irql any
 *  @source WDK reference: ntddk.h, PsGetProcessCreateTimeQuadPart */
NTKERNELAPI LONGLONG PsGetProcessCreateTimeQuadPart(PEPROCESS Process);

/** STATUS_PENDING while the process runs; STATUS_SUCCESS afterwards (choice: a test cannot say how it ended). @irql <= APC_LEVEL
 *  @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL @source WDK reference: ntddk.h, PsGetProcessExitStatus */
NTKERNELAPI NTSTATUS PsGetProcessExitStatus(PEPROCESS Process);

/** A number that no other process has, in this boot of the machine or in another one. @irql <= DISPATCH_LEVEL
 *  @models unique among the boots of one host process @source WDK reference: ntddk.h, PsGetProcessStartKey */
NTKERNELAPI ULONGLONG PsGetProcessStartKey(PEPROCESS Process);

#ifdef __cplusplus
}
#endif
#endif
