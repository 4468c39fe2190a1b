/*
 * wdfrequest.h - requests: an IRP with its memory, as a queue hands it to the driver, or as the driver makes one for an I/O target.
 *
 *     queue --> EvtIoRead ... (the driver has it) --> WdfRequestComplete                      the IRP goes up; the request object is deleted
 *                                                 --> WdfRequestForwardToIoQueue, Requeue     back into a queue
 *                                                 --> WdfRequestSend --> completion routine   down the stack, and back
 *     WdfRequestCreate --> WdfIoTargetFormatRequestFor... --> WdfRequestSend --> completion routine --> WdfRequestReuse, WdfObjectDelete
 *
 * Source  WDK reference: wdfrequest.h, "Framework Request Objects"; x64 layouts.
 */
#ifndef NTMM_DDK_WDFREQUEST_H
#define NTMM_DDK_WDFREQUEST_H

#include "wdfmemory.h"

WDF_EXTERN_C_START

typedef enum _WDF_REQUEST_TYPE { /* as IRP_MJ_ */
                                 WdfRequestTypeCreate = 0x0,
                                 WdfRequestTypeCreateNamedPipe = 0x1,
                                 WdfRequestTypeClose = 0x2,
                                 WdfRequestTypeRead = 0x3,
                                 WdfRequestTypeWrite = 0x4,
                                 WdfRequestTypeQueryInformation = 0x5,
                                 WdfRequestTypeSetInformation = 0x6,
                                 WdfRequestTypeQueryEA = 0x7,
                                 WdfRequestTypeSetEA = 0x8,
                                 WdfRequestTypeFlushBuffers = 0x9,
                                 WdfRequestTypeQueryVolumeInformation = 0xa,
                                 WdfRequestTypeSetVolumeInformation = 0xb,
                                 WdfRequestTypeDirectoryControl = 0xc,
                                 WdfRequestTypeFileSystemControl = 0xd,
                                 WdfRequestTypeDeviceControl = 0xe,
                                 WdfRequestTypeDeviceControlInternal = 0xf,
                                 WdfRequestTypeShutdown = 0x10,
                                 WdfRequestTypeLockControl = 0x11,
                                 WdfRequestTypeCleanup = 0x12,
                                 WdfRequestTypeCreateMailSlot = 0x13,
                                 WdfRequestTypeQuerySecurity = 0x14,
                                 WdfRequestTypeSetSecurity = 0x15,
                                 WdfRequestTypePower = 0x16,
                                 WdfRequestTypeSystemControl = 0x17,
                                 WdfRequestTypeDeviceChange = 0x18,
                                 WdfRequestTypeQueryQuota = 0x19,
                                 WdfRequestTypeSetQuota = 0x1a,
                                 WdfRequestTypePnp = 0x1b,
                                 WdfRequestTypeOther = 0x1c, /* an internal control whose buffers are arguments */
                                 WdfRequestTypeUsb = 0x40,
                                 WdfRequestTypeNoFormat = 0xff,
                                 WdfRequestTypeMax
} WDF_REQUEST_TYPE;

typedef enum _WDF_REQUEST_REUSE_FLAGS {
    WDF_REQUEST_REUSE_NO_FLAGS = 0x00000000,
    WDF_REQUEST_REUSE_SET_NEW_IRP = 0x00000001
} WDF_REQUEST_REUSE_FLAGS;

typedef enum _WDF_REQUEST_STOP_ACTION_FLAGS {
    WdfRequestStopActionInvalid = 0,
    WdfRequestStopActionSuspend = 0x01,
    WdfRequestStopActionPurge = 0x2,
    WdfRequestStopRequestCancelable = 0x10000000
} WDF_REQUEST_STOP_ACTION_FLAGS;

typedef enum _WDF_REQUEST_SEND_OPTIONS_FLAGS {
    WDF_REQUEST_SEND_OPTION_TIMEOUT = 0x00000001,
    WDF_REQUEST_SEND_OPTION_SYNCHRONOUS = 0x00000002,
    WDF_REQUEST_SEND_OPTION_IGNORE_TARGET_STATE = 0x00000004,
    WDF_REQUEST_SEND_OPTION_SEND_AND_FORGET = 0x00000008,
    WDF_REQUEST_SEND_OPTION_IMPERSONATE_CLIENT = 0x00010000,
    WDF_REQUEST_SEND_OPTION_IMPERSONATION_IGNORE_FAILURE = 0x00020000
} WDF_REQUEST_SEND_OPTIONS_FLAGS;

typedef VOID                    EVT_WDF_REQUEST_CANCEL(WDFREQUEST Request);
typedef EVT_WDF_REQUEST_CANCEL *PFN_WDF_REQUEST_CANCEL;

typedef struct _WDF_REQUEST_PARAMETERS {
    USHORT           Size;
    UCHAR            MinorFunction;
    WDF_REQUEST_TYPE Type;
    union {
        struct {
            struct _IO_SECURITY_CONTEXT *SecurityContext;
            ULONG                        Options;
            USHORT POINTER_ALIGNMENT     FileAttributes;
            USHORT                       ShareAccess;
            ULONG POINTER_ALIGNMENT      EaLength;
        } Create;
        struct {
            size_t                  Length;
            ULONG POINTER_ALIGNMENT Key;
            LONGLONG                DeviceOffset;
        } Read;
        struct {
            size_t                  Length;
            ULONG POINTER_ALIGNMENT Key;
            LONGLONG                DeviceOffset;
        } Write;
        struct {
            size_t                   OutputBufferLength;
            size_t POINTER_ALIGNMENT InputBufferLength;
            ULONG POINTER_ALIGNMENT  IoControlCode;
            PVOID                    Type3InputBuffer; /* NULL for METHOD_NEITHER, as with the verifier on */
        } DeviceIoControl;
        struct {
            PVOID                   Arg1;
            PVOID                   Arg2;
            ULONG POINTER_ALIGNMENT IoControlCode;
            PVOID                   Arg4;
        } Others;
    } Parameters;
} WDF_REQUEST_PARAMETERS, *PWDF_REQUEST_PARAMETERS;
NTMM_LAYOUT(sizeof(WDF_REQUEST_PARAMETERS) == 40 && FIELD_OFFSET(WDF_REQUEST_PARAMETERS, Parameters) == 8, "WDF_REQUEST_PARAMETERS, x64");

FORCEINLINE VOID WDF_REQUEST_PARAMETERS_INIT(PWDF_REQUEST_PARAMETERS Parameters)
{
    RtlZeroMemory(Parameters, sizeof *Parameters);
    Parameters->Size = (USHORT)WDF_STRUCTURE_SIZE(WDF_REQUEST_PARAMETERS);
}

typedef struct _WDF_USB_REQUEST_COMPLETION_PARAMS *PWDF_USB_REQUEST_COMPLETION_PARAMS;

typedef struct _WDF_REQUEST_COMPLETION_PARAMS {
    ULONG            Size;
    WDF_REQUEST_TYPE Type;
    IO_STATUS_BLOCK  IoStatus;
    union {
        struct {
            WDFMEMORY Buffer;
            size_t    Length, Offset;
        } Write;
        struct {
            WDFMEMORY Buffer;
            size_t    Length, Offset;
        } Read;
        struct {
            ULONG IoControlCode;
            struct {
                WDFMEMORY Buffer;
                size_t    Offset;
            } Input;
            struct {
                WDFMEMORY Buffer;
                size_t    Offset, Length;
            } Output;
        } Ioctl;
        struct {
            union {
                PVOID     Ptr;
                ULONG_PTR Value;
            } Argument1;
            union {
                PVOID     Ptr;
                ULONG_PTR Value;
            } Argument2;
            union {
                PVOID     Ptr;
                ULONG_PTR Value;
            } Argument3;
            union {
                PVOID     Ptr;
                ULONG_PTR Value;
            } Argument4;
        } Others;
        struct {
            PWDF_USB_REQUEST_COMPLETION_PARAMS Completion;
        } Usb;
    } Parameters;
} WDF_REQUEST_COMPLETION_PARAMS, *PWDF_REQUEST_COMPLETION_PARAMS;
NTMM_LAYOUT(sizeof(WDF_REQUEST_COMPLETION_PARAMS) == 72 && FIELD_OFFSET(WDF_REQUEST_COMPLETION_PARAMS, Parameters) == 24,
            "WDF_REQUEST_COMPLETION_PARAMS, x64");

FORCEINLINE VOID WDF_REQUEST_COMPLETION_PARAMS_INIT(PWDF_REQUEST_COMPLETION_PARAMS Params)
{
    RtlZeroMemory(Params, sizeof *Params);
    Params->Size = WDF_STRUCTURE_SIZE(WDF_REQUEST_COMPLETION_PARAMS);
    Params->Type = WdfRequestTypeNoFormat;
}

typedef VOID EVT_WDF_REQUEST_COMPLETION_ROUTINE(WDFREQUEST Request, WDFIOTARGET Target, PWDF_REQUEST_COMPLETION_PARAMS Params,
                                                WDFCONTEXT Context);
typedef EVT_WDF_REQUEST_COMPLETION_ROUTINE *PFN_WDF_REQUEST_COMPLETION_ROUTINE;

typedef struct _WDF_REQUEST_REUSE_PARAMS {
    ULONG    Size;
    ULONG    Flags; /* WDF_REQUEST_REUSE_FLAGS */
    NTSTATUS Status;
    PIRP     NewIrp;
} WDF_REQUEST_REUSE_PARAMS, *PWDF_REQUEST_REUSE_PARAMS;

FORCEINLINE VOID WDF_REQUEST_REUSE_PARAMS_INIT(PWDF_REQUEST_REUSE_PARAMS Params, ULONG Flags, NTSTATUS Status)
{
    RtlZeroMemory(Params, sizeof *Params);
    Params->Size = WDF_STRUCTURE_SIZE(WDF_REQUEST_REUSE_PARAMS);
    Params->Flags = Flags;
    Params->Status = Status;
}
FORCEINLINE VOID WDF_REQUEST_REUSE_PARAMS_SET_NEW_IRP(PWDF_REQUEST_REUSE_PARAMS Params, PIRP NewIrp)
{
    Params->Flags |= WDF_REQUEST_REUSE_SET_NEW_IRP;
    Params->NewIrp = NewIrp;
}

typedef struct _WDF_REQUEST_SEND_OPTIONS {
    ULONG    Size;
    ULONG    Flags;   /* WDF_REQUEST_SEND_OPTIONS_FLAGS */
    LONGLONG Timeout; /* 100 ns, negative: from now on */
} WDF_REQUEST_SEND_OPTIONS, *PWDF_REQUEST_SEND_OPTIONS;

FORCEINLINE VOID WDF_REQUEST_SEND_OPTIONS_INIT(PWDF_REQUEST_SEND_OPTIONS Options, ULONG Flags)
{
    RtlZeroMemory(Options, sizeof *Options);
    Options->Size = WDF_STRUCTURE_SIZE(WDF_REQUEST_SEND_OPTIONS);
    Options->Flags = Flags;
}
FORCEINLINE VOID WDF_REQUEST_SEND_OPTIONS_SET_TIMEOUT(PWDF_REQUEST_SEND_OPTIONS Options, LONGLONG Timeout)
{
    Options->Flags |= WDF_REQUEST_SEND_OPTION_TIMEOUT;
    Options->Timeout = Timeout;
}

typedef enum _WDF_REQUEST_FORWARD_OPTIONS_FLAGS {
    WDF_REQUEST_FORWARD_OPTION_SEND_AND_FORGET = 0x00000001
} WDF_REQUEST_FORWARD_OPTIONS_FLAGS;

typedef struct _WDF_REQUEST_FORWARD_OPTIONS {
    ULONG Size;
    ULONG Flags;
} WDF_REQUEST_FORWARD_OPTIONS, *PWDF_REQUEST_FORWARD_OPTIONS;

FORCEINLINE VOID WDF_REQUEST_FORWARD_OPTIONS_INIT(PWDF_REQUEST_FORWARD_OPTIONS ForwardOptions)
{
    RtlZeroMemory(ForwardOptions, sizeof *ForwardOptions);
    ForwardOptions->Size = WDF_STRUCTURE_SIZE(WDF_REQUEST_FORWARD_OPTIONS);
    ForwardOptions->Flags = WDF_REQUEST_FORWARD_OPTION_SEND_AND_FORGET;
}

/* ---- complete ---- */

/**
 * The request is done. Its memory objects are deleted, the IRP is completed, the request object is deleted.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION (0x10D): p1 3, p2 the request, p3 references: its memory objects are still referenced; p1 6, p2 4, p3 address of
 *            WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA: more bytes than the buffer has.
 *            KMODE_EXCEPTION_NOT_HANDLED (0x1E), p1 STATUS_BREAKPOINT, where the framework's verifier breaks into a debugger: the driver does not
 *            have the request, or it is marked cancelable
 * @models    what the framework checks with its verifier on is always checked
 * @source    WDK reference: wdfrequest.h, WdfRequestComplete; Bug Check 0x10D
 */
WDFAPI VOID WdfRequestComplete(WDFREQUEST Request, NTSTATUS Status);
/** The same. @param Information IoStatus.Information, mostly bytes transferred @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestCompleteWithInformation(WDFREQUEST Request, NTSTATUS Status, ULONG_PTR Information);
/** The same. @param PriorityBoost ignored, as by IoCompleteRequest @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestCompleteWithPriorityBoost(WDFREQUEST Request, NTSTATUS Status, CCHAR PriorityBoost);

/* ---- what it says ---- */

/** IoStatus.Information. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestSetInformation */
WDFAPI VOID WdfRequestSetInformation(WDFREQUEST Request, ULONG_PTR Information);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestGetInformation */
WDFAPI ULONG_PTR WdfRequestGetInformation(WDFREQUEST Request);
/** Status of the IRP: how a sent one came back, or why it was not sent. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI NTSTATUS WdfRequestGetStatus(WDFREQUEST Request);
/** Parameters->Size is set. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestGetParameters */
WDFAPI VOID WdfRequestGetParameters(WDFREQUEST Request, PWDF_REQUEST_PARAMETERS Parameters);
/** @return NULL: the device has no file objects, or the IRP no FILE_OBJECT @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI WDFFILEOBJECT WdfRequestGetFileObject(WDFREQUEST Request);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestGetRequestorMode */
WDFAPI KPROCESSOR_MODE WdfRequestGetRequestorMode(WDFREQUEST Request);
/** @models processes are 64-bit: FALSE @irql <= APC_LEVEL @source WDK reference: wdfrequest.h, WdfRequestIsFrom32BitProcess */
WDFAPI BOOLEAN WdfRequestIsFrom32BitProcess(WDFREQUEST Request);
/** Who sent it; 0: nobody knows. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestGetRequestorProcessId */
WDFAPI ULONG WdfRequestGetRequestorProcessId(WDFREQUEST Request);
/** The queue that it came from last. @return NULL: none @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI WDFQUEUE WdfRequestGetIoQueue(WDFREQUEST Request);
/** @return NULL: it has none, or is complete @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestWdmGetIrp */
WDFAPI PIRP WdfRequestWdmGetIrp(WDFREQUEST Request);
/** @models there is no guaranteed forward progress: FALSE @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI BOOLEAN WdfRequestIsReserved(WDFREQUEST Request);

/* ---- memory ---- */

/**
 * The input of a write or a control: the system buffer, or the system address of the MDL of a write by direct I/O. METHOD_NEITHER only from kernel
 * code or of an internal control.
 *
 * @param MinimumRequiredLength  bytes; 0: any
 * @param Length                 NULL, or filled with bytes
 * @return STATUS_BUFFER_TOO_SMALL: no bytes, or too few; STATUS_INVALID_DEVICE_REQUEST: a read, or a user's raw buffer;
 *         STATUS_INSUFFICIENT_RESOURCES; STATUS_INTERNAL_ERROR: it is complete
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION (0x10D): p1 4, Buffer is NULL
 * @source    WDK reference: wdfrequest.h, WdfRequestRetrieveInputBuffer
 */
WDFAPI NTSTATUS WdfRequestRetrieveInputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *Buffer, size_t *Length);
/** The output of a read or a control: the system buffer, or the system address of the MDL. STATUS_INVALID_DEVICE_REQUEST: a write. The rest as for
 *  input. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestRetrieveOutputBuffer */
WDFAPI NTSTATUS WdfRequestRetrieveOutputBuffer(WDFREQUEST Request, size_t MinimumRequiredSize, PVOID *Buffer, size_t *Length);
/** The same as a memory object, which is the request's, and dies with it. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI NTSTATUS WdfRequestRetrieveInputMemory(WDFREQUEST Request, WDFMEMORY *Memory);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestRetrieveOutputMemory */
WDFAPI NTSTATUS WdfRequestRetrieveOutputMemory(WDFREQUEST Request, WDFMEMORY *Memory);
/** An MDL for the input: the IRP's, or one that the framework makes, which lives as long as the request. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfrequest.h, WdfRequestRetrieveInputWdmMdl */
WDFAPI NTSTATUS WdfRequestRetrieveInputWdmMdl(WDFREQUEST Request, PMDL *Mdl);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestRetrieveOutputWdmMdl */
WDFAPI NTSTATUS WdfRequestRetrieveOutputWdmMdl(WDFREQUEST Request, PMDL *Mdl);
/**
 * The user's own address of the input of a METHOD_NEITHER control, or of a write to a device of WdfDeviceIoNeither; only inside EvtIoInCallerContext.
 *
 * @return STATUS_INVALID_DEVICE_REQUEST: not inside EvtIoInCallerContext, a read, an internal control, buffered or direct; STATUS_BUFFER_TOO_SMALL
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdfrequest.h, WdfRequestRetrieveUnsafeUserInputBuffer
 */
WDFAPI NTSTATUS WdfRequestRetrieveUnsafeUserInputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *InputBuffer,
                                                        size_t *Length);
/** The same for the output; STATUS_INVALID_DEVICE_REQUEST for a write. @irql PASSIVE_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI NTSTATUS WdfRequestRetrieveUnsafeUserOutputBuffer(WDFREQUEST Request, size_t MinimumRequiredLength, PVOID *OutputBuffer,
                                                         size_t *Length);
/**
 * Probe and lock a user's buffer that is to be read; the memory object over its system address is the request's, and dies with it.
 *
 * @return STATUS_INVALID_USER_BUFFER: Length 0; STATUS_ACCESS_VIOLATION: not the requester's thread, or the probe failed;
 *         STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdfrequest.h, WdfRequestProbeAndLockUserBufferForRead
 */
WDFAPI NTSTATUS WdfRequestProbeAndLockUserBufferForRead(WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject);
/** The same, for a buffer that is to be written. @irql PASSIVE_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI NTSTATUS WdfRequestProbeAndLockUserBufferForWrite(WDFREQUEST Request, PVOID Buffer, size_t Length, WDFMEMORY *MemoryObject);

/* ---- cancel ---- */

/** Have a callback called when the request is cancelled; at once if it has been. Then it is the driver's to complete, in that callback.
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestMarkCancelable */
WDFAPI VOID WdfRequestMarkCancelable(WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel);
/** The same. @return STATUS_CANCELLED: it has been, and the callback is not called @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfrequest.h, WdfRequestMarkCancelableEx */
WDFAPI NTSTATUS WdfRequestMarkCancelableEx(WDFREQUEST Request, PFN_WDF_REQUEST_CANCEL EvtRequestCancel);
/** @return STATUS_CANCELLED: the callback is called, or has been; do not complete it elsewhere. STATUS_INVALID_DEVICE_REQUEST: it is not marked
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestUnmarkCancelable */
WDFAPI NTSTATUS WdfRequestUnmarkCancelable(WDFREQUEST Request);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestIsCanceled */
WDFAPI BOOLEAN WdfRequestIsCanceled(WDFREQUEST Request);
/** Inside EvtIoStop: it may wait. @param Requeue TRUE: back to the head of its queue @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestStopAcknowledge(WDFREQUEST Request, BOOLEAN Requeue);

/* ---- queues ---- */

/** The driver gives it to another queue of the same device. @return STATUS_WDF_BUSY: that queue does not accept; STATUS_INVALID_DEVICE_REQUEST:
 *  the driver does not have it, or it is marked cancelable, or it is that very queue, or another device's
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestForwardToIoQueue */
WDFAPI NTSTATUS WdfRequestForwardToIoQueue(WDFREQUEST Request, WDFQUEUE DestinationQueue);
/** The driver gives it back to the head of its queue, a manual one. @return STATUS_INVALID_DEVICE_REQUEST
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestRequeue */
WDFAPI NTSTATUS WdfRequestRequeue(WDFREQUEST Request);

/* ---- send ---- */

/**
 * A request of the driver's own, without an IRP, or, with a target, with one that has enough stack locations for it.
 *
 * @param RequestAttributes  or NULL: the driver is the parent
 * @return STATUS_INVALID_PARAMETER; STATUS_INSUFFICIENT_RESOURCES; STATUS_INVALID_DEVICE_STATE: the target has no device
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfrequest.h, WdfRequestCreate
 */
WDFAPI NTSTATUS WdfRequestCreate(PWDF_OBJECT_ATTRIBUTES RequestAttributes, WDFIOTARGET IoTarget, WDFREQUEST *Request);
/** A request around an IRP of the driver's. @param RequestFreesIrp the IRP goes with the request @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfrequest.h, WdfRequestCreateFromIrp */
WDFAPI NTSTATUS WdfRequestCreateFromIrp(PWDF_OBJECT_ATTRIBUTES RequestAttributes, PIRP Irp, BOOLEAN RequestFreesIrp, WDFREQUEST *Request);
/** Make it as new: what was formatted is undone, its memory objects are let go, the completion routine is forgotten, the status is set.
 *  @return STATUS_INVALID_PARAMETER; STATUS_WDF_REQUEST_INVALID_STATE: a new IRP for a request of a queue @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfrequest.h, WdfRequestReuse */
WDFAPI NTSTATUS WdfRequestReuse(WDFREQUEST Request, PWDF_REQUEST_REUSE_PARAMS ReuseParams);
/** Make sure that it can be sent to this target. @return STATUS_REQUEST_NOT_ACCEPTED: the IRP is not its own, and has too few stack locations
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestChangeTarget */
WDFAPI NTSTATUS WdfRequestChangeTarget(WDFREQUEST Request, WDFIOTARGET IoTarget);
/** The next driver gets what this one got. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION (0x10D): p1 6, p2 1 no stack location left (p3 the IRP),
 *  2 no IRP (p3 the request) @source WDK reference: wdfrequest.h, WdfRequestFormatRequestUsingCurrentType */
WDFAPI VOID WdfRequestFormatRequestUsingCurrentType(WDFREQUEST Request);
/** The next driver gets this stack location. @irql <= DISPATCH_LEVEL @bugcheck as above @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestWdmFormatUsingStackLocation(WDFREQUEST Request, PIO_STACK_LOCATION Stack);
/** Called when a request that was sent comes back; NULL: nothing is. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestSetCompletionRoutine(WDFREQUEST Request, PFN_WDF_REQUEST_COMPLETION_ROUTINE CompletionRoutine,
                                           WDFCONTEXT CompletionContext);
/** What its completion routine is told; Params->Size is set. @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h */
WDFAPI VOID WdfRequestGetCompletionParams(WDFREQUEST Request, PWDF_REQUEST_COMPLETION_PARAMS Params);
/**
 * Send it.
 *
 * @param Options  NULL: come back at once; else flags, and how long it may take
 * @return FALSE: it was not sent, WdfRequestGetStatus says why. With _SYNCHRONOUS the status is that of the IRP
 * @irql      <= DISPATCH_LEVEL; PASSIVE_LEVEL with _SYNCHRONOUS
 * @bugcheck  WDF_VIOLATION (0x10D): p1 6, p2 1 no stack location left (p3 the IRP), 2 no IRP (p3 the request), 3 it is on its way already (p3 the
 *            request). KMODE_EXCEPTION_NOT_HANDLED (0x1E), p1 STATUS_BREAKPOINT: bad Options
 * @source    WDK reference: wdfrequest.h, WdfRequestSend
 */
WDFAPI BOOLEAN WdfRequestSend(WDFREQUEST Request, WDFIOTARGET Target, PWDF_REQUEST_SEND_OPTIONS Options);
/** Cancel a request that was sent. @return FALSE: it is not on its way, or nobody could cancel it yet
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfrequest.h, WdfRequestCancelSentRequest */
WDFAPI BOOLEAN WdfRequestCancelSentRequest(WDFREQUEST Request);
/** Make sure that sending it with a timeout finds a timer. @return STATUS_INSUFFICIENT_RESOURCES @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfrequest.h, WdfRequestAllocateTimer */
WDFAPI NTSTATUS WdfRequestAllocateTimer(WDFREQUEST Request);

WDF_EXTERN_C_END
#endif
