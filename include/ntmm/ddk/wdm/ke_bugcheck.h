/*
 * ke_bugcheck.h - stopping the machine on purpose, and being called when it stops.
 * A record is the driver's own, in resident memory, and stays where it is while registered.
 *
 * Source  WDK reference: KeBugCheckEx, KeRegisterBugCheckCallback, KeRegisterBugCheckReasonCallback, KBUGCHECK_CALLBACK_REASON,
 *         KBUGCHECK_ADD_PAGES, KBUGCHECK_SECONDARY_DUMP_DATA, KBUGCHECK_DUMP_IO, "Writing a Bug Check Reason Callback Routine".
 */
#ifndef NTMM_DDK_WDM_KE_BUGCHECK_H
#define NTMM_DDK_WDM_KE_BUGCHECK_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _KBUGCHECK_BUFFER_DUMP_STATE {
    BufferEmpty,
    BufferInserted,
    BufferStarted,
    BufferFinished,
    BufferIncomplete
} KBUGCHECK_BUFFER_DUMP_STATE;

typedef VOID                        KBUGCHECK_CALLBACK_ROUTINE(PVOID Buffer, ULONG Length);
typedef KBUGCHECK_CALLBACK_ROUTINE *PKBUGCHECK_CALLBACK_ROUTINE;

typedef struct _KBUGCHECK_CALLBACK_RECORD {
    LIST_ENTRY                  Entry;
    PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine;
    PVOID                       Buffer;    /* the driver's, shown in the stop report */
    ULONG                       Length;    /* bytes */
    PUCHAR                      Component; /* text that names the driver */
    ULONG_PTR                   Checksum;  /* over the four fields above; a record that fails it is not called */
    UCHAR                       State;     /* KBUGCHECK_BUFFER_DUMP_STATE */
} KBUGCHECK_CALLBACK_RECORD, *PKBUGCHECK_CALLBACK_RECORD;

NTMM_LAYOUT(sizeof(KBUGCHECK_CALLBACK_RECORD) == 0x40 && FIELD_OFFSET(KBUGCHECK_CALLBACK_RECORD, CallbackRoutine) == 0x10, "x64");
NTMM_LAYOUT(FIELD_OFFSET(KBUGCHECK_CALLBACK_RECORD, Component) == 0x28 && FIELD_OFFSET(KBUGCHECK_CALLBACK_RECORD, State) == 0x38, "x64");

/** Make a record of either kind ready to be registered. @irql any @source WDK reference: wdm.h, KeInitializeCallbackRecord */
#define KeInitializeCallbackRecord(CallbackRecord) ((CallbackRecord)->State = BufferEmpty)

typedef enum _KBUGCHECK_CALLBACK_REASON {
    KbCallbackInvalid,
    KbCallbackReserved1,
    KbCallbackSecondaryDumpData,
    KbCallbackDumpIo,
    KbCallbackAddPages,
    KbCallbackSecondaryMultiPartDumpData,
    KbCallbackRemovePages,
    KbCallbackTriageDumpData,
    KbCallbackReserved2,
    KbCallbackReserved3
} KBUGCHECK_CALLBACK_REASON;

struct _KBUGCHECK_REASON_CALLBACK_RECORD;
typedef VOID KBUGCHECK_REASON_CALLBACK_ROUTINE(KBUGCHECK_CALLBACK_REASON Reason, struct _KBUGCHECK_REASON_CALLBACK_RECORD *Record,
                                               PVOID ReasonSpecificData, ULONG ReasonSpecificDataLength);
typedef KBUGCHECK_REASON_CALLBACK_ROUTINE *PKBUGCHECK_REASON_CALLBACK_ROUTINE;

typedef struct _KBUGCHECK_REASON_CALLBACK_RECORD {
    LIST_ENTRY                         Entry;
    PKBUGCHECK_REASON_CALLBACK_ROUTINE CallbackRoutine;
    PUCHAR                             Component;
    ULONG_PTR                          Checksum;
    KBUGCHECK_CALLBACK_REASON          Reason;
    UCHAR                              State;
} KBUGCHECK_REASON_CALLBACK_RECORD, *PKBUGCHECK_REASON_CALLBACK_RECORD;

NTMM_LAYOUT(sizeof(KBUGCHECK_REASON_CALLBACK_RECORD) == 0x30, "KBUGCHECK_REASON_CALLBACK_RECORD, x64");
NTMM_LAYOUT(FIELD_OFFSET(KBUGCHECK_REASON_CALLBACK_RECORD, Reason) == 0x28, "KBUGCHECK_REASON_CALLBACK_RECORD, x64");
NTMM_LAYOUT(FIELD_OFFSET(KBUGCHECK_REASON_CALLBACK_RECORD, State) == 0x2c, "KBUGCHECK_REASON_CALLBACK_RECORD, x64");

#define KB_ADD_PAGES_FLAG_VIRTUAL_ADDRESS 0x00000001u
#define KB_ADD_PAGES_FLAG_PHYSICAL_ADDRESS 0x00000002u
#define KB_ADD_PAGES_FLAG_ADDITIONAL_RANGES_EXIST 0x80000000u

typedef struct _KBUGCHECK_ADD_PAGES {
    PVOID     Context;      /* NULL at the first call, then the routine's own */
    ULONG     Flags;        /* set by the routine: KB_ADD_PAGES_FLAG_* */
    ULONG     BugCheckCode; /* in */
    ULONG_PTR Address;      /* set by the routine */
    ULONG_PTR Count;        /* pages, set by the routine; 0: none */
} KBUGCHECK_ADD_PAGES, *PKBUGCHECK_ADD_PAGES;

typedef struct _KBUGCHECK_SECONDARY_DUMP_DATA {
    PVOID InBuffer; /* room that the system lends */
    ULONG InBufferLength;
    ULONG MaximumAllowed;
    GUID  Guid;            /* set by the routine */
    PVOID OutBuffer;       /* NULL: how much would it be?  InBuffer: the data, please. Set by the routine */
    ULONG OutBufferLength; /* set by the routine */
} KBUGCHECK_SECONDARY_DUMP_DATA, *PKBUGCHECK_SECONDARY_DUMP_DATA;

typedef enum _KBUGCHECK_DUMP_IO_TYPE {
    KbDumpIoInvalid,
    KbDumpIoHeader,
    KbDumpIoBody,
    KbDumpIoSecondaryData,
    KbDumpIoComplete
} KBUGCHECK_DUMP_IO_TYPE;

typedef struct _KBUGCHECK_DUMP_IO {
    ULONG64                Offset; /* -1: written in sequence */
    PVOID                  Buffer;
    ULONG                  BufferLength;
    KBUGCHECK_DUMP_IO_TYPE Type;
} KBUGCHECK_DUMP_IO, *PKBUGCHECK_DUMP_IO;

/**
 * Stop the machine.
 * @irql      any
 * @bugcheck  the one that was asked for
 * @models    a stop report on stderr, then the innermost ntmm_catch_bugcheck; with none in the process, abort()
 * @source    WDK reference: wdm.h, KeBugCheckEx
 */
NTKERNELAPI DECLSPEC_NORETURN VOID KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
                                                ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4);
/** The same with four zeroes. @irql any @bugcheck the one that was asked for @source WDK reference: ntddk.h, KeBugCheck */
NTKERNELAPI DECLSPEC_NORETURN VOID KeBugCheck(ULONG BugCheckCode);

/**
 * Ask to be called, at HIGH_LEVEL, when the machine stops; what the routine leaves in Buffer is shown in the stop report.
 * @param CallbackRecord  initialised by KeInitializeCallbackRecord; resident, the driver's
 * @return TRUE; FALSE when the record is registered already or was not initialised
 * @irql   any
 * @source WDK reference: wdm.h, KeRegisterBugCheckCallback. The order of the calls is not documented (choice: as registered).
 */
NTKERNELAPI BOOLEAN KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord, PKBUGCHECK_CALLBACK_ROUTINE CallbackRoutine,
                                               PVOID Buffer, ULONG Length, PUCHAR Component);
/**
 * Do not call it any more.
 * @return FALSE when the record is not registered
 * @irql   any
 * @source WDK reference: wdm.h, KeDeregisterBugCheckCallback
 */
NTKERNELAPI BOOLEAN KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD CallbackRecord);

/**
 * Ask to be called when a crash dump is written. The dump of this machine is the text of the stop report.
 * @param Reason  KbCallbackSecondaryDumpData, KbCallbackDumpIo and KbCallbackAddPages are called; the other reasons are kept and listed
 * @return TRUE; FALSE when the record is registered already, was not initialised, or the reason is a reserved one
 * @irql   any
 * @source WDK reference: wdm.h, KeRegisterBugCheckReasonCallback
 */
NTKERNELAPI BOOLEAN KeRegisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD  CallbackRecord,
                                                     PKBUGCHECK_REASON_CALLBACK_ROUTINE CallbackRoutine, KBUGCHECK_CALLBACK_REASON Reason,
                                                     PUCHAR Component);
/**
 * Do not call it any more.
 * @return FALSE when the record is not registered
 * @irql   any
 * @source WDK reference: wdm.h, KeDeregisterBugCheckReasonCallback
 */
NTKERNELAPI BOOLEAN KeDeregisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD CallbackRecord);

#ifdef __cplusplus
}
#endif
#endif
