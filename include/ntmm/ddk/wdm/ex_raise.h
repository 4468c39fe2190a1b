/*
 * ex_raise.h - raising an exception on purpose.
 * Source  WDK reference: ExRaiseStatus, ExRaiseAccessViolation, ExRaiseDatatypeMisalignment; EXCEPTION_RECORD.
 */
#ifndef NTMM_DDK_WDM_EX_RAISE_H
#define NTMM_DDK_WDM_EX_RAISE_H

#ifdef __cplusplus
extern "C" {
#endif

#define EXCEPTION_NONCONTINUABLE 0x1
#define EXCEPTION_MAXIMUM_PARAMETERS 15

typedef struct _EXCEPTION_RECORD {
    NTSTATUS                  ExceptionCode;
    ULONG                     ExceptionFlags;
    struct _EXCEPTION_RECORD *ExceptionRecord;
    PVOID                     ExceptionAddress;
    ULONG                     NumberParameters;
    ULONG_PTR                 ExceptionInformation[EXCEPTION_MAXIMUM_PARAMETERS];
} EXCEPTION_RECORD, *PEXCEPTION_RECORD;

/**
 * Raise an exception with this status.
 * @irql      any
 * @bugcheck  KMODE_EXCEPTION_NOT_HANDLED (status, caller, 0, 0), in a system thread SYSTEM_THREAD_EXCEPTION_NOT_HANDLED
 * @models    no handler exists yet, so every exception is unhandled
 * @source    WDK reference: wdm.h, ExRaiseStatus
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
