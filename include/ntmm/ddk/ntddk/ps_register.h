/*
 * ps_register.h - hear of processes, threads and images; open a process.
 * Source  WDK reference: ntddk.h, PsSetCreateProcessNotifyRoutine, PsSetCreateProcessNotifyRoutineEx, ZwOpenProcess.
 */
#ifndef NTMM_DDK_NTDDK_PS_REGISTER_H
#define NTMM_DDK_NTDDK_PS_REGISTER_H

#include "ps_notify.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Have a routine called when a process comes or goes (ntmm_process_create, ntmm_process_destroy); of the Ex kind it may forbid one.
 *
 * @param Remove  TRUE: not any more
 * @return STATUS_INVALID_PARAMETER: it is registered already, or 64 are; STATUS_PROCEDURE_NOT_FOUND: it is not
 * @irql    PASSIVE_LEVEL
 * @source  WDK reference: ntddk.h, PsSetCreateProcessNotifyRoutine, PsSetCreateProcessNotifyRoutineEx
 */
NTKERNELAPI NTSTATUS PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE NotifyRoutine, BOOLEAN Remove);
NTKERNELAPI NTSTATUS PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX NotifyRoutine, BOOLEAN Remove);
/** The same as the Ex kind, also for processes of other subsystems, of which there are none here.
 *  @param NotifyInformation a PCREATE_PROCESS_NOTIFY_ROUTINE_EX @return and STATUS_INVALID_PARAMETER: NotifyType is another one (choice)
 *  @irql PASSIVE_LEVEL @source WDK reference: ntddk.h, PsSetCreateProcessNotifyRoutineEx2 */
NTKERNELAPI NTSTATUS PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType, PVOID NotifyInformation, BOOLEAN Remove);

/**
 * Have a routine called when a thread comes (on its maker's thread, before it runs) or goes (on that thread).
 *
 * @return STATUS_INSUFFICIENT_RESOURCES: 64 are registered
 * @irql    PASSIVE_LEVEL
 * @models  threads of PsCreateSystemThread, and a thread of the test that ntmm_process_attach puts into a process: it counts as one that is made
 *          there, and as ending in the one it leaves (choice). The same routine twice is called twice (choice)
 * @source  WDK reference: ntddk.h, PsSetCreateThreadNotifyRoutine
 */
NTKERNELAPI NTSTATUS PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine);
/** The same; with PsCreateThreadNotifyNonSystem not for system threads, and on the new thread.
 *  @return and STATUS_INVALID_PARAMETER: no such type @irql PASSIVE_LEVEL @source WDK reference: ntddk.h, PsSetCreateThreadNotifyRoutineEx */
NTKERNELAPI NTSTATUS PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType, PVOID NotifyInformation);
/** Returns when the routine does not run any more on another thread. @return STATUS_PROCEDURE_NOT_FOUND @irql PASSIVE_LEVEL
 *  @source WDK reference: ntddk.h, PsRemoveCreateThreadNotifyRoutine */
NTKERNELAPI NTSTATUS PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE NotifyRoutine);

/**
 * Have a routine called when an image is loaded, before it runs: a driver's (ProcessId is 0 then), or one of a process.
 *
 * @return STATUS_INSUFFICIENT_RESOURCES: 64 are registered
 * @irql    PASSIVE_LEVEL
 * @models  drivers are told of by ntmm_driver_load, as \SystemRoot\System32\drivers\name.sys; images of processes by ntmm_image_load. Without file
 *          objects: ExtendedInfoPresent is 0
 * @source  WDK reference: ntddk.h, PsSetLoadImageNotifyRoutine
 */
NTKERNELAPI NTSTATUS PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine);
/** @param Flags 0, or PS_IMAGE_NOTIFY_CONFLICTING_ARCHITECTURE: images for other processors, too, of which there are none
 *  @return and STATUS_INVALID_PARAMETER_2: another flag (choice) @irql PASSIVE_LEVEL
 *  @source WDK reference: ntddk.h, PsSetLoadImageNotifyRoutineEx */
NTKERNELAPI NTSTATUS PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine, ULONG_PTR Flags);
/** Returns when the routine does not run any more on another thread. @return STATUS_PROCEDURE_NOT_FOUND @irql PASSIVE_LEVEL
 *  @source WDK reference: ntddk.h, PsRemoveLoadImageNotifyRoutine */
NTKERNELAPI NTSTATUS PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE NotifyRoutine);

/** @param ClientId UniqueProcess is its number; UniqueThread is not looked at
 *  @return STATUS_INVALID_CID, STATUS_INVALID_PARAMETER_MIX (a name, or no ClientId), STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @source WDK reference: ntddk.h, ZwOpenProcess */
NTSYSAPI NTSTATUS ZwOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PCLIENT_ID ClientId);

#ifdef __cplusplus
}
#endif
#endif
