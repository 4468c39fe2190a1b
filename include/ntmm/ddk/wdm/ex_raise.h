/*
 * ex_raise.h - raising an exception on purpose.
 * Source  WDK reference: ExRaiseStatus, ExRaiseAccessViolation, ExRaiseDatatypeMisalignment.
 */
#ifndef NTMM_DDK_WDM_EX_RAISE_H
#define NTMM_DDK_WDM_EX_RAISE_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Raise an exception with this status, to the nearest `__try` whose filter takes it. It cannot be continued.
 * @param Status  becomes ExceptionCode; there is no further information
 * @irql          any; the reference says <= APC_LEVEL
 * @bugcheck      nobody takes it: KMODE_EXCEPTION_NOT_HANDLED (status, caller, 0, 0), in a system thread
 *                SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (status, caller, exception record, context record)
 * @source        WDK reference: wdm.h, ExRaiseStatus; Bug Checks 0x1E, 0x7E
 */
NTKERNELAPI DECLSPEC_NORETURN VOID ExRaiseStatus(NTSTATUS Status);
/**
 * ExRaiseStatus(STATUS_ACCESS_VIOLATION).
 * @irql      any
 * @bugcheck  as ExRaiseStatus
 * @source    WDK reference: ntddk.h, ExRaiseAccessViolation
 */
NTKERNELAPI DECLSPEC_NORETURN VOID ExRaiseAccessViolation(VOID);
/**
 * ExRaiseStatus(STATUS_DATATYPE_MISALIGNMENT).
 * @irql      any
 * @bugcheck  as ExRaiseStatus
 * @source    WDK reference: ntddk.h, ExRaiseDatatypeMisalignment
 */
NTKERNELAPI DECLSPEC_NORETURN VOID ExRaiseDatatypeMisalignment(VOID);

#ifdef __cplusplus
}
#endif
#endif
