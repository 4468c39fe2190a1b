/*
 * ps_register.h - hear of processes; open one.
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
/** @param ClientId UniqueProcess is its number; UniqueThread is not looked at
 *  @return STATUS_INVALID_CID, STATUS_INVALID_PARAMETER_MIX (a name, or no ClientId), STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @source WDK reference: ntddk.h, ZwOpenProcess */
NTSYSAPI NTSTATUS ZwOpenProcess(PHANDLE ProcessHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes, PCLIENT_ID ClientId);

#ifdef __cplusplus
}
#endif
#endif
