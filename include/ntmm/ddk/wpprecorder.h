/*
 * wpprecorder.h - the in-flight recorder of trace messages. Trace messages are not recorded here: types for drivers that name them.
 *
 * Source  WDK reference: "Using the inflight trace recorder", wpprecorder.h.
 */
#ifndef NTMM_DDK_WPPRECORDER_H
#define NTMM_DDK_WPPRECORDER_H

#include "ntdef.h"

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

#endif
