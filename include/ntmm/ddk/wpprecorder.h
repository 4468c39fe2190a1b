/*
 * wpprecorder.h - the in-flight recorder of trace messages. There is none here: a log cannot be made.
 *
 * Source  WDK reference: "Using the inflight trace recorder", wpprecorder.h.
 */
#ifndef NTMM_DDK_WPPRECORDER_H
#define NTMM_DDK_WPPRECORDER_H

#include "ntdef.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RECORDER_LOG__ *RECORDER_LOG;
#define RECORDER_LOG_IDENTIFIER_MAX_CHARS 16
typedef struct _RECORDER_LOG_CREATE_PARAMS {
    ULONG   Size;
    UCHAR   LogType;
    BOOLEAN LargeTotalBufferSize;
    ULONG   TotalBufferSize, ErrorPartitionSize;
    CHAR    LogIdentifier[RECORDER_LOG_IDENTIFIER_MAX_CHARS];
} RECORDER_LOG_CREATE_PARAMS, *PRECORDER_LOG_CREATE_PARAMS;
typedef struct _RECORDER_CONFIGURE_PARAMS {
    ULONG   Size;
    BOOLEAN CreateDefaultLog, UseTimeStamp, Reserved[2];
} RECORDER_CONFIGURE_PARAMS, *PRECORDER_CONFIGURE_PARAMS;

FORCEINLINE VOID RECORDER_CONFIGURE_PARAMS_INIT(PRECORDER_CONFIGURE_PARAMS Params)
{
    memset(Params, 0, sizeof *Params);
    Params->Size = sizeof *Params;
    Params->CreateDefaultLog = TRUE;
}
FORCEINLINE VOID RECORDER_LOG_CREATE_PARAMS_INIT(PRECORDER_LOG_CREATE_PARAMS Params, PCSTR LogIdentifier)
{
    memset(Params, 0, sizeof *Params);
    Params->Size = sizeof *Params;
    for (unsigned i = 0; LogIdentifier != NULL && i + 1 < RECORDER_LOG_IDENTIFIER_MAX_CHARS && LogIdentifier[i] != 0; i++)
        Params->LogIdentifier[i] = LogIdentifier[i];
}

/* Absent, so that a driver compiles and its test does not link until it defines them. */
VOID         WppRecorderConfigure(PRECORDER_CONFIGURE_PARAMS ConfigureParams);
NTSTATUS     WppRecorderLogCreate(PRECORDER_LOG_CREATE_PARAMS CreateParams, RECORDER_LOG *RecorderLog);
VOID         WppRecorderLogDelete(RECORDER_LOG RecorderLog);
RECORDER_LOG WppRecorderLogGetDefault(VOID);
BOOLEAN      WppRecorderIsDefaultLogAvailable(VOID);

#ifdef __cplusplus
}
#endif
#endif
