/*
 * wdfbugcodes.h - the first parameter of WDF_VIOLATION (0x10D), and what some of the others point to.
 *
 * Source  WDK reference: Bug Check 0x10D; names and layouts of the published KMDF 1.33.
 */
#ifndef NTMM_DDK_WDFBUGCODES_H
#define NTMM_DDK_WDFBUGCODES_H

#include "wdfdevice.h"

typedef enum _WDF_BUGCHECK_CODES {
    WDF_POWER_ROUTINE_TIMED_OUT = 0x1,           /* p2 WDF_POWER_ROUTINE_TIMED_OUT_DATA */
    WDF_RECURSIVE_LOCK = 0x2,                    /* a lock is taken by who holds it */
    WDF_VERIFIER_FATAL_ERROR = 0x3,              /* p2 request, p3 references: completed while its memory is still referenced */
    WDF_REQUIRED_PARAMETER_IS_NULL = 0x4,        /* p3 caller */
    WDF_INVALID_HANDLE = 0x5,                    /* p2 the handle */
    WDF_REQUEST_FATAL_ERROR = 0x6,               /* p2 WDF_REQUEST_FATAL_ERROR_CODES */
    WDF_OBJECT_ERROR = 0x7,                      /* p2 the handle: the last reference went, and it was not deleted */
    WDF_DMA_FATAL_ERROR = 0x8,                   /* p2 transaction, p3 its state */
    WDF_INVALID_INTERRUPT = 0x9,                 /* not used */
    WDF_QUEUE_FATAL_ERROR = 0xA,                 /* p2 WDF_QUEUE_FATAL_ERROR_DATA */
    WDF_INVALID_LOCK_OPERATION = 0xB,            /* p2 the handle, p3 0: it has no lock; 1: released by another thread */
    WDF_PNP_FATAL_ERROR = 0xC,                   /* p2 device, p3 IRP */
    WDF_POWER_MULTIPLE_PPO = 0xD,                /* p2 device, p3 IRP */
    WDF_VERIFIER_IRQL_MISMATCH = 0xE,            /* p2 IRQL at the call, p3 at the return of a callback */
    WDF_VERIFIER_CRITICAL_REGION_MISMATCH = 0xF, /* p2 the callback */
    WDF_API_UNAVAILABLE = 0x10
} WDF_BUGCHECK_CODES;

typedef enum _WDF_REQUEST_FATAL_ERROR_CODES {
    WDF_REQUEST_FATAL_ERROR_NO_MORE_STACK_LOCATIONS = 0x1,     /* p3 IRP */
    WDF_REQUEST_FATAL_ERROR_NULL_IRP = 0x2,                    /* p3 request */
    WDF_REQUEST_FATAL_ERROR_REQUEST_ALREADY_SENT = 0x3,        /* p3 request */
    WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH = 0x4, /* p3 the structure with that name */
    WDF_REQUEST_FATAL_ERROR_REQUEST_NOT_IN_QUEUE = 0x5
} WDF_REQUEST_FATAL_ERROR_CODES;

typedef struct _WDF_POWER_ROUTINE_TIMED_OUT_DATA {
    WDF_DEVICE_POWER_STATE        PowerState;
    WDF_DEVICE_POWER_POLICY_STATE PowerPolicyState;
    PDEVICE_OBJECT                DeviceObject;
    WDFDEVICE                     Device;
    PKTHREAD                      TimedOutThread;
} WDF_POWER_ROUTINE_TIMED_OUT_DATA;

typedef struct _WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA {
    WDFREQUEST Request;
    PIRP       Irp;
    ULONG      OutputBufferLength; /* bytes */
    ULONG_PTR  Information;
    UCHAR      MajorFunction;
} WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA, *PWDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA;

typedef struct _WDF_QUEUE_FATAL_ERROR_DATA {
    WDFQUEUE   Queue;
    WDFREQUEST Request;
    NTSTATUS   Status;
} WDF_QUEUE_FATAL_ERROR_DATA, *PWDF_QUEUE_FATAL_ERROR_DATA;

NTMM_LAYOUT(sizeof(WDF_POWER_ROUTINE_TIMED_OUT_DATA) == 32, "WDF_POWER_ROUTINE_TIMED_OUT_DATA, x64");
NTMM_LAYOUT(sizeof(WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA) == 40, "x64");

#endif
