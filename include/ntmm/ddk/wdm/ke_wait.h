/*
 * ke_wait.h - waiting for dispatcher objects, and for time to pass.
 * The dispatcher objects are events, mutexes, semaphores, timers and threads.
 *
 * A timeout is a pointer to 100 ns units: below 0 from now on, above 0 a moment since 1601, 0 do not wait at all, NULL for ever.
 *
 * Source  WDK reference: wdm.h, "Introduction to kernel dispatcher objects", "Waits and APCs"; Bug Checks 0xC and 0xB8.
 */
#ifndef NTMM_DDK_WDM_KE_WAIT_H
#define NTMM_DDK_WDM_KE_WAIT_H

#ifdef __cplusplus
extern "C" {
#endif

#define THREAD_WAIT_OBJECTS 3   /* KeWaitForMultipleObjects without a WaitBlockArray: at most so many objects */
#define MAXIMUM_WAIT_OBJECTS 64 /* with one */

typedef enum _WAIT_TYPE { WaitAll, WaitAny, WaitNotification, WaitDequeue, WaitDpc } WAIT_TYPE;

typedef enum _KWAIT_REASON { /* shown by a debugger; a driver gives Executive, or UserRequest on behalf of a user */
                             Executive,
                             FreePage,
                             PageIn,
                             PoolAllocation,
                             DelayExecution,
                             Suspended,
                             UserRequest,
                             WrExecutive,
                             WrFreePage,
                             WrPageIn,
                             WrPoolAllocation,
                             WrDelayExecution,
                             WrSuspended,
                             WrUserRequest
} KWAIT_REASON;

typedef struct _KWAIT_BLOCK { /* opaque to drivers, who give the storage */
    LIST_ENTRY       WaitListEntry;
    UCHAR            WaitType;
    volatile UCHAR   BlockState;
    USHORT           WaitKey;
    LONG             SpareLong;
    struct _KTHREAD *Thread;
    PVOID            Object;
    PVOID            SparePtr;
} KWAIT_BLOCK, *PKWAIT_BLOCK, *PRKWAIT_BLOCK;

NTMM_LAYOUT(sizeof(KWAIT_BLOCK) == 48, "KWAIT_BLOCK, x64");
NTMM_LAYOUT(FIELD_OFFSET(KWAIT_BLOCK, WaitKey) == 18 && FIELD_OFFSET(KWAIT_BLOCK, Thread) == 24, "KWAIT_BLOCK, x64");
NTMM_LAYOUT(FIELD_OFFSET(KWAIT_BLOCK, Object) == 32, "KWAIT_BLOCK, x64");

/**
 * Wait until an object is signaled.
 *
 * @param Object      an event, mutex, semaphore, timer or thread
 * @param WaitReason  for debuggers: ignored
 * @param WaitMode    KernelMode or UserMode, @param Alertable: ignored, since no APC and no alert is ever delivered
 * @param Timeout     100 ns units, see above; NULL: no limit
 * @return            STATUS_SUCCESS; STATUS_ABANDONED_WAIT_0: a mutex, whose last owner has ended; STATUS_TIMEOUT. STATUS_ALERTED and STATUS_USER_APC never come
 * @irql              <= APC_LEVEL; with a timeout of 0 <= DISPATCH_LEVEL
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) above that, whether the object is signaled or not; in a DPC routine instead
 *                    ATTEMPTED_SWITCH_FROM_DPC (0xB8): p1 the thread, p2 0 (choice), p3 an address on its stack
 * @raises            STATUS_MUTANT_LIMIT_EXCEEDED: the caller has acquired that mutex as often as a LONG can count
 * @models            an object that is none of these: STATUS_OBJECT_TYPE_MISMATCH (choice)
 * @source            WDK reference: wdm.h, KeWaitForSingleObject; Bug Check 0xB8
 */
NTKERNELAPI NTSTATUS KeWaitForSingleObject(PVOID Object, KWAIT_REASON WaitReason, KPROCESSOR_MODE WaitMode, BOOLEAN Alertable,
                                           PLARGE_INTEGER Timeout);

/**
 * Wait until any one, or all, of several objects are signaled.
 *
 * @param Count           objects in Object[]
 * @param WaitType        WaitAny: the lowest index that is signaled counts. WaitAll: when all are signaled at the same time, and until then
 *                        none of them is changed
 * @param WaitBlockArray  storage of Count blocks in nonpaged memory; NULL: up to THREAD_WAIT_OBJECTS objects. It is written
 * @return                STATUS_WAIT_0 + index for WaitAny, STATUS_SUCCESS for WaitAll; STATUS_ABANDONED_WAIT_0 in place of STATUS_WAIT_0, when
 *                        a mutex has been abandoned; STATUS_TIMEOUT
 * @irql                  as KeWaitForSingleObject
 * @bugcheck              as KeWaitForSingleObject; MAXIMUM_WAIT_OBJECTS_EXCEEDED (0xC): Count is above MAXIMUM_WAIT_OBJECTS, or above
 *                        THREAD_WAIT_OBJECTS with WaitBlockArray NULL; the parameters are 0 ("none" in the reference)
 * @models                another WaitType: STATUS_INVALID_PARAMETER_3 (choice)
 * @source                WDK reference: wdm.h, KeWaitForMultipleObjects; Bug Check 0xC
 */
NTKERNELAPI NTSTATUS KeWaitForMultipleObjects(ULONG Count, PVOID Object[], WAIT_TYPE WaitType, KWAIT_REASON WaitReason,
                                              KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Timeout,
                                              PKWAIT_BLOCK WaitBlockArray);

/**
 * Let time pass.
 *
 * @param WaitMode, Alertable  ignored, as in a wait
 * @param Interval             100 ns units: below 0 from now on, above 0 a moment since 1601; 0: let another thread run
 * @return                     STATUS_SUCCESS
 * @irql                       <= APC_LEVEL
 * @bugcheck                   as KeWaitForSingleObject
 * @source                     WDK reference: wdm.h, KeDelayExecutionThread
 */
NTKERNELAPI NTSTATUS KeDelayExecutionThread(KPROCESSOR_MODE WaitMode, BOOLEAN Alertable, PLARGE_INTEGER Interval);

#ifdef __cplusplus
}
#endif
#endif
