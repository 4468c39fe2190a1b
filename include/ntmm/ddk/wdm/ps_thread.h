/*
 * ps_thread.h - threads: those that a driver makes, and what can be asked of any.
 *
 *     status = PsCreateSystemThread(&handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, context);
 *     ObReferenceObjectByHandle(handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &thread, NULL);
 *     ZwClose(handle);                                                        the thread does not mind
 *     ... tell Routine to end ...
 *     KeWaitForSingleObject(thread, Executive, KernelMode, FALSE, NULL);      until it has
 *     ObDereferenceObject(thread);
 *
 * Source  WDK reference: wdm.h, ntddk.h, ntifs.h.
 */
#ifndef NTMM_DDK_WDM_PS_THREAD_H
#define NTMM_DDK_WDM_PS_THREAD_H

#include "ob_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _CLIENT_ID {
    HANDLE UniqueProcess, UniqueThread;
} CLIENT_ID, *PCLIENT_ID;

typedef VOID            KSTART_ROUTINE(PVOID StartContext);
typedef KSTART_ROUTINE *PKSTART_ROUTINE;

#define LOW_PRIORITY 0
#define LOW_REALTIME_PRIORITY 16
#define HIGH_PRIORITY 31
#define MAXIMUM_PRIORITY 32

/**
 * Make a thread of the system, on a kernel stack of its own, and let it run.
 *
 * @param ThreadHandle      receives a handle, to be closed with ZwClose; NULL after a failure
 * @param DesiredAccess     what the handle is good for
 * @param ObjectAttributes  NULL, or its Attributes count: OBJ_KERNEL_HANDLE
 * @param ProcessHandle     NULL: the System process; or a handle of the process that it runs in
 * @param ClientId          NULL, or receives the numbers of process and thread
 * @param StartRoutine      runs at PASSIVE_LEVEL; the thread ends when it returns, or calls PsTerminateSystemThread
 * @return    STATUS_SUCCESS; STATUS_INSUFFICIENT_RESOURCES; STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH: ProcessHandle
 * @irql      PASSIVE_LEVEL
 * @bugcheck  in the thread: SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0x7E): an exception that nobody takes. At its end IRQL_NOT_LESS_OR_EQUAL (0xA):
 *            above PASSIVE_LEVEL (choice); KERNEL_APC_PENDING_DURING_EXIT (0x20): in a critical or guarded region, p1 0, p2 the count, p3 the
 *            IRQL, p4 0; KERNEL_STACK_LOCKED_AT_EXIT (0x94), all 0
 * @models    a thread that sleeps in a wait at ntmm_shutdown ends there and is a leak, tag `Thre`; one that runs is waited for one second
 * @source    WDK reference: wdm.h, PsCreateSystemThread; Bug Checks 0x20, 0x7E, 0x94
 */
NTKERNELAPI NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                          HANDLE ProcessHandle, PCLIENT_ID ClientId, PKSTART_ROUTINE StartRoutine, PVOID StartContext);

/**
 * End the calling thread.
 *
 * @return    STATUS_INVALID_PARAMETER: PsCreateSystemThread did not make it. Else it does not return
 * @irql      PASSIVE_LEVEL
 * @bugcheck  as PsCreateSystemThread says of the end
 * @source    WDK reference: wdm.h, PsTerminateSystemThread
 */
NTKERNELAPI NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus);

/** The calling thread. No reference is taken. @irql <= DISPATCH_LEVEL @source WDK reference: ntddk.h, PsGetCurrentThread */
#define PsGetCurrentThread() ((PETHREAD)(PVOID)KeGetCurrentThread())

/** The number of the calling thread: unlike that of any other thread or process. @irql any @source WDK reference: ntddk.h */
NTKERNELAPI HANDLE PsGetCurrentThreadId(VOID);
/** The number of a thread. @irql any @source WDK reference: wdm.h, PsGetThreadId */
NTKERNELAPI HANDLE PsGetThreadId(PETHREAD Thread);
/** The number of the process that it runs in. @irql any @source WDK reference: ntddk.h, PsGetThreadProcessId */
NTKERNELAPI HANDLE PsGetThreadProcessId(PETHREAD Thread);
/** The process that it runs in. No reference is taken. @irql any @source WDK reference: ntifs.h, IoThreadToProcess */
NTKERNELAPI PEPROCESS IoThreadToProcess(PETHREAD Thread);
/** TRUE: the machine made it, as PsCreateSystemThread does. A test's thread is none. @irql any @source WDK reference: ntifs.h */
NTKERNELAPI BOOLEAN PsIsSystemThread(PETHREAD Thread);
/** STATUS_PENDING while it runs. @irql any @source WDK reference: ntifs.h, PsGetThreadExitStatus */
NTKERNELAPI NTSTATUS PsGetThreadExitStatus(PETHREAD Thread);
/** The thread with that number, referenced for the caller. @return STATUS_INVALID_CID: there is none @irql <= APC_LEVEL
 *  @source WDK reference: ntifs.h, PsLookupThreadByThreadId */
NTKERNELAPI NTSTATUS PsLookupThreadByThreadId(HANDLE ThreadId, PETHREAD *Thread);

/**
 * Set the priority of a thread: accepted and kept, the host schedules as it likes.
 *
 * @param Priority  LOW_PRIORITY + 1 to HIGH_PRIORITY; another one changes nothing (choice)
 * @return  the one before; 8 at the beginning (choice)
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, KeSetPriorityThread
 */
NTKERNELAPI KPRIORITY KeSetPriorityThread(PKTHREAD Thread, KPRIORITY Priority);
/** What KeSetPriorityThread has set. @irql <= DISPATCH_LEVEL @source WDK reference: ntddk.h, KeQueryPriorityThread */
NTKERNELAPI KPRIORITY KeQueryPriorityThread(PKTHREAD Thread);

#ifdef __cplusplus
}
#endif
#endif
