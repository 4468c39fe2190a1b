/*
 * wdfio.h - queues of a device: what becomes of reads, writes and controls until the driver's callback has them.
 *
 *     parallel     every request goes to the callback as soon as it comes
 *     sequential   the next one when the driver has completed, forwarded or requeued the last
 *     manual       the driver takes them with WdfIoQueueRetrieveNextRequest
 *
 *     EvtIoRead, EvtIoWrite, EvtIoDeviceControl, EvtIoInternalDeviceControl, else EvtIoDefault, else STATUS_INVALID_DEVICE_REQUEST
 *
 * Source  WDK reference: wdfio.h, "Framework Queue Objects"; x64 layouts.
 */
#ifndef NTMM_DDK_WDFIO_H
#define NTMM_DDK_WDFIO_H

#include "wdfrequest.h"

WDF_EXTERN_C_START

typedef enum _WDF_IO_QUEUE_DISPATCH_TYPE {
    WdfIoQueueDispatchInvalid,
    WdfIoQueueDispatchSequential,
    WdfIoQueueDispatchParallel,
    WdfIoQueueDispatchManual,
    WdfIoQueueDispatchMax
} WDF_IO_QUEUE_DISPATCH_TYPE;

typedef enum _WDF_IO_QUEUE_STATE {
    WdfIoQueueAcceptRequests = 0x01,
    WdfIoQueueDispatchRequests = 0x02,
    WdfIoQueueNoRequests = 0x04,       /* none waits in the queue */
    WdfIoQueueDriverNoRequests = 0x08, /* the driver has none of it */
    WdfIoQueuePnpHeld = 0x10           /* power-managed, and the device is not in D0 */
} WDF_IO_QUEUE_STATE;

FORCEINLINE BOOLEAN WDF_IO_QUEUE_IDLE(WDF_IO_QUEUE_STATE State)
{
    return (State & WdfIoQueueNoRequests) != 0 && (State & WdfIoQueueDriverNoRequests) != 0;
}
FORCEINLINE BOOLEAN WDF_IO_QUEUE_READY(WDF_IO_QUEUE_STATE State)
{
    return (State & WdfIoQueueDispatchRequests) != 0 && (State & WdfIoQueueAcceptRequests) != 0 && (State & WdfIoQueuePnpHeld) == 0;
}
FORCEINLINE BOOLEAN WDF_IO_QUEUE_STOPPED(WDF_IO_QUEUE_STATE State)
{
    return (State & WdfIoQueueDispatchRequests) == 0 && (State & WdfIoQueueAcceptRequests) != 0 &&
           (State & WdfIoQueueDriverNoRequests) != 0;
}
FORCEINLINE BOOLEAN WDF_IO_QUEUE_DRAINED(WDF_IO_QUEUE_STATE State)
{
    return (State & WdfIoQueueAcceptRequests) == 0 && (State & WdfIoQueueDispatchRequests) != 0 && WDF_IO_QUEUE_IDLE(State);
}
FORCEINLINE BOOLEAN WDF_IO_QUEUE_PURGED(WDF_IO_QUEUE_STATE State)
{
    return (State & WdfIoQueueAcceptRequests) == 0 && WDF_IO_QUEUE_IDLE(State);
}

/* ---- callbacks: PASSIVE_LEVEL for a queue of that execution level, else <= DISPATCH_LEVEL ---- */

typedef VOID                         EVT_WDF_IO_QUEUE_IO_DEFAULT(WDFQUEUE Queue, WDFREQUEST Request);
typedef EVT_WDF_IO_QUEUE_IO_DEFAULT *PFN_WDF_IO_QUEUE_IO_DEFAULT;
typedef VOID                         EVT_WDF_IO_QUEUE_IO_STOP(WDFQUEUE Queue, WDFREQUEST Request, ULONG ActionFlags);
typedef EVT_WDF_IO_QUEUE_IO_STOP    *PFN_WDF_IO_QUEUE_IO_STOP;
typedef VOID                         EVT_WDF_IO_QUEUE_IO_RESUME(WDFQUEUE Queue, WDFREQUEST Request);
typedef EVT_WDF_IO_QUEUE_IO_RESUME  *PFN_WDF_IO_QUEUE_IO_RESUME;
typedef VOID                         EVT_WDF_IO_QUEUE_IO_READ(WDFQUEUE Queue, WDFREQUEST Request, size_t Length);
typedef EVT_WDF_IO_QUEUE_IO_READ    *PFN_WDF_IO_QUEUE_IO_READ;
typedef VOID                         EVT_WDF_IO_QUEUE_IO_WRITE(WDFQUEUE Queue, WDFREQUEST Request, size_t Length);
typedef EVT_WDF_IO_QUEUE_IO_WRITE   *PFN_WDF_IO_QUEUE_IO_WRITE;
typedef VOID EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength, size_t InputBufferLength,
                                                ULONG IoControlCode);
typedef EVT_WDF_IO_QUEUE_IO_DEVICE_CONTROL *PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL;
typedef VOID EVT_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL(WDFQUEUE Queue, WDFREQUEST Request, size_t OutputBufferLength,
                                                         size_t InputBufferLength, ULONG IoControlCode);
typedef EVT_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL *PFN_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL;
typedef VOID                                         EVT_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE(WDFQUEUE Queue, WDFREQUEST Request);
typedef EVT_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE       *PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE;
typedef VOID                                         EVT_WDF_IO_QUEUE_STATE(WDFQUEUE Queue, WDFCONTEXT Context);
typedef EVT_WDF_IO_QUEUE_STATE                      *PFN_WDF_IO_QUEUE_STATE;

typedef struct _WDF_IO_QUEUE_CONFIG {
    ULONG                                       Size;
    WDF_IO_QUEUE_DISPATCH_TYPE                  DispatchType;
    WDF_TRI_STATE                               PowerManaged;            /* default: TRUE, but FALSE for a filter or a control device */
    BOOLEAN                                     AllowZeroLengthRequests; /* FALSE: the framework completes such reads and writes */
    BOOLEAN                                     DefaultQueue;            /* for whatever is not configured to go elsewhere */
    PFN_WDF_IO_QUEUE_IO_DEFAULT                 EvtIoDefault;
    PFN_WDF_IO_QUEUE_IO_READ                    EvtIoRead;
    PFN_WDF_IO_QUEUE_IO_WRITE                   EvtIoWrite;
    PFN_WDF_IO_QUEUE_IO_DEVICE_CONTROL          EvtIoDeviceControl;
    PFN_WDF_IO_QUEUE_IO_INTERNAL_DEVICE_CONTROL EvtIoInternalDeviceControl;
    PFN_WDF_IO_QUEUE_IO_STOP                    EvtIoStop;            /* the device leaves D0, and the driver still has the request */
    PFN_WDF_IO_QUEUE_IO_RESUME                  EvtIoResume;          /* it is back */
    PFN_WDF_IO_QUEUE_IO_CANCELED_ON_QUEUE       EvtIoCanceledOnQueue; /* NULL: the framework completes what is cancelled while it waits */
    union {
        struct {
            ULONG NumberOfPresentedRequests; /* at most so many with the driver; (ULONG)-1: any number */
        } Parallel;
    } Settings;
    WDFDRIVER Driver;
} WDF_IO_QUEUE_CONFIG, *PWDF_IO_QUEUE_CONFIG;
NTMM_LAYOUT(sizeof(WDF_IO_QUEUE_CONFIG) == 96 && FIELD_OFFSET(WDF_IO_QUEUE_CONFIG, EvtIoDefault) == 16, "WDF_IO_QUEUE_CONFIG, x64");

FORCEINLINE VOID WDF_IO_QUEUE_CONFIG_INIT(PWDF_IO_QUEUE_CONFIG Config, WDF_IO_QUEUE_DISPATCH_TYPE DispatchType)
{
    RtlZeroMemory(Config, sizeof *Config);
    Config->Size = WDF_STRUCTURE_SIZE(WDF_IO_QUEUE_CONFIG);
    Config->PowerManaged = WdfUseDefault;
    Config->DispatchType = DispatchType;
    if (DispatchType == WdfIoQueueDispatchParallel)
        Config->Settings.Parallel.NumberOfPresentedRequests = (ULONG)-1;
}
FORCEINLINE VOID WDF_IO_QUEUE_CONFIG_INIT_DEFAULT_QUEUE(PWDF_IO_QUEUE_CONFIG Config, WDF_IO_QUEUE_DISPATCH_TYPE DispatchType)
{
    WDF_IO_QUEUE_CONFIG_INIT(Config, DispatchType);
    Config->DefaultQueue = TRUE;
}

/* ---- guaranteed forward progress: types alone; WdfIoQueueAssignForwardProgressPolicy is absent ---- */

typedef enum _WDF_IO_FORWARD_PROGRESS_ACTION {
    WdfIoForwardProgressActionInvalid,
    WdfIoForwardProgressActionFailRequest,
    WdfIoForwardProgressActionUseReservedRequest
} WDF_IO_FORWARD_PROGRESS_ACTION;

typedef enum _WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY {
    WdfIoForwardProgressInvalidPolicy,
    WdfIoForwardProgressReservedPolicyAlwaysUseReservedRequest,
    WdfIoForwardProgressReservedPolicyUseExamine,
    WdfIoForwardProgressReservedPolicyPagingIO
} WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY;

typedef NTSTATUS EVT_WDF_IO_ALLOCATE_RESOURCES_FOR_RESERVED_REQUEST(WDFQUEUE Queue, WDFREQUEST Request);
typedef EVT_WDF_IO_ALLOCATE_RESOURCES_FOR_RESERVED_REQUEST *PFN_WDF_IO_ALLOCATE_RESOURCES_FOR_RESERVED_REQUEST;
typedef NTSTATUS                                            EVT_WDF_IO_ALLOCATE_REQUEST_RESOURCES(WDFQUEUE Queue, WDFREQUEST Request);
typedef EVT_WDF_IO_ALLOCATE_REQUEST_RESOURCES              *PFN_WDF_IO_ALLOCATE_REQUEST_RESOURCES;
typedef WDF_IO_FORWARD_PROGRESS_ACTION                      EVT_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS(WDFQUEUE Queue, PIRP Irp);
typedef EVT_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS            *PFN_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS;

typedef struct _WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS {
    union {
        struct {
            PFN_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS EvtIoWdmIrpForForwardProgress;
        } ExaminePolicy;
    } Policy;
} WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS;

typedef struct _WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY {
    ULONG                                              Size;
    ULONG                                              TotalForwardProgressRequests;
    WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY            ForwardProgressReservedPolicy;
    WDF_IO_FORWARD_PROGRESS_RESERVED_POLICY_SETTINGS   ForwardProgressReservePolicySettings;
    PFN_WDF_IO_ALLOCATE_RESOURCES_FOR_RESERVED_REQUEST EvtIoAllocateResourcesForReservedRequest;
    PFN_WDF_IO_ALLOCATE_REQUEST_RESOURCES              EvtIoAllocateRequestResources;
} WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY, *PWDF_IO_QUEUE_FORWARD_PROGRESS_POLICY;

FORCEINLINE VOID WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_DEFAULT_INIT(PWDF_IO_QUEUE_FORWARD_PROGRESS_POLICY Policy,
                                                                   ULONG                                 TotalForwardProgressRequests)
{
    RtlZeroMemory(Policy, sizeof *Policy);
    Policy->Size = WDF_STRUCTURE_SIZE(WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY);
    Policy->TotalForwardProgressRequests = TotalForwardProgressRequests;
    Policy->ForwardProgressReservedPolicy = WdfIoForwardProgressReservedPolicyAlwaysUseReservedRequest;
}
FORCEINLINE VOID WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_EXAMINE_INIT(PWDF_IO_QUEUE_FORWARD_PROGRESS_POLICY   Policy,
                                                                   ULONG                                   TotalForwardProgressRequests,
                                                                   PFN_WDF_IO_WDM_IRP_FOR_FORWARD_PROGRESS EvtIoWdmIrpForForwardProgress)
{
    WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_DEFAULT_INIT(Policy, TotalForwardProgressRequests);
    Policy->ForwardProgressReservedPolicy = WdfIoForwardProgressReservedPolicyUseExamine;
    Policy->ForwardProgressReservePolicySettings.Policy.ExaminePolicy.EvtIoWdmIrpForForwardProgress = EvtIoWdmIrpForForwardProgress;
}
FORCEINLINE VOID WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_PAGINGIO_INIT(PWDF_IO_QUEUE_FORWARD_PROGRESS_POLICY Policy,
                                                                    ULONG                                 TotalForwardProgressRequests)
{
    WDF_IO_QUEUE_FORWARD_PROGRESS_POLICY_DEFAULT_INIT(Policy, TotalForwardProgressRequests);
    Policy->ForwardProgressReservedPolicy = WdfIoForwardProgressReservedPolicyPagingIO;
}

/* ---- queues ---- */

/**
 * A queue of a device, started.
 *
 * @param QueueAttributes  or NULL. ParentObject must be NULL: the device is the parent. ExecutionLevel and SynchronizationScope may be set
 * @param Queue            optional for a default queue
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER; STATUS_INVALID_PARAMETER_4: Queue is NULL; STATUS_WDF_NO_CALLBACK: none, and the
 *         queue is not manual; STATUS_INVALID_DEVICE_STATE: a default queue for a device that has been started; STATUS_UNSUCCESSFUL: there is a
 *         default queue already; STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED; STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfio.h, WdfIoQueueCreate
 */
WDFAPI NTSTATUS WdfIoQueueCreate(WDFDEVICE Device, PWDF_IO_QUEUE_CONFIG Config, PWDF_OBJECT_ATTRIBUTES QueueAttributes, WDFQUEUE *Queue);
/** @param QueueRequests, DriverRequests  NULL, or filled with how many wait, and how many the driver has
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueGetState */
WDFAPI WDF_IO_QUEUE_STATE WdfIoQueueGetState(WDFQUEUE Queue, PULONG QueueRequests, PULONG DriverRequests);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueGetDevice */
WDFAPI WDFDEVICE WdfIoQueueGetDevice(WDFQUEUE Queue);
/** Accept and deliver. @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueStart */
WDFAPI VOID WdfIoQueueStart(WDFQUEUE Queue);

/** Deliver no more; go on accepting. @param StopComplete NULL, or called when the driver has no request of the queue any more
 *  @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION (0x10D): 0xA, two at the same time @source WDK reference: wdfio.h, WdfIoQueueStop */
WDFAPI VOID WdfIoQueueStop(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE StopComplete, WDFCONTEXT Context);
/** And wait until the driver has none any more. @irql PASSIVE_LEVEL @source WDK reference: wdfio.h, WdfIoQueueStopSynchronously */
WDFAPI VOID WdfIoQueueStopSynchronously(WDFQUEUE Queue);
/** Accept no more; deliver what waits. @param DrainComplete NULL, or called when none is left @irql <= DISPATCH_LEVEL
 *  @bugcheck WDF_VIOLATION (0x10D): 0xA, two at the same time @source WDK reference: wdfio.h, WdfIoQueueDrain */
WDFAPI VOID WdfIoQueueDrain(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE DrainComplete, WDFCONTEXT Context);
/** And wait until none is left. @irql PASSIVE_LEVEL @source WDK reference: wdfio.h, WdfIoQueueDrainSynchronously */
WDFAPI VOID WdfIoQueueDrainSynchronously(WDFQUEUE Queue);
/** Accept no more; complete what waits with STATUS_CANCELLED; cancel what the driver has marked cancelable.
 *  @param PurgeComplete NULL, or called when none is left @irql <= DISPATCH_LEVEL
 *  @bugcheck WDF_VIOLATION (0x10D): 0xA, two at the same time @source WDK reference: wdfio.h, WdfIoQueuePurge */
WDFAPI VOID WdfIoQueuePurge(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE PurgeComplete, WDFCONTEXT Context);
/** And wait until none is left. @irql PASSIVE_LEVEL @source WDK reference: wdfio.h, WdfIoQueuePurgeSynchronously */
WDFAPI VOID WdfIoQueuePurgeSynchronously(WDFQUEUE Queue);
/** Stop delivering, complete what waits with STATUS_CANCELLED, and cancel what the driver has marked cancelable; what comes is accepted, and waits.
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueStopAndPurge */
WDFAPI VOID WdfIoQueueStopAndPurge(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE StopAndPurgeComplete, WDFCONTEXT Context);
/** And wait until the driver has none any more. @irql PASSIVE_LEVEL @source WDK reference: wdfio.h, WdfIoQueueStopAndPurgeSynchronously */
WDFAPI VOID WdfIoQueueStopAndPurgeSynchronously(WDFQUEUE Queue);

/**
 * Take the next request of a manual or sequential queue.
 *
 * @return STATUS_NO_MORE_ENTRIES: none waits; STATUS_WDF_PAUSED: the queue does not deliver; STATUS_INVALID_DEVICE_STATE: it is parallel
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfio.h, WdfIoQueueRetrieveNextRequest
 */
WDFAPI NTSTATUS WdfIoQueueRetrieveNextRequest(WDFQUEUE Queue, WDFREQUEST *OutRequest);
/** The same, the next one of a file. @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueRetrieveRequestByFileObject */
WDFAPI NTSTATUS WdfIoQueueRetrieveRequestByFileObject(WDFQUEUE Queue, WDFFILEOBJECT FileObject, WDFREQUEST *OutRequest);
/**
 * Look at what waits in a manual queue. The request stays there; the reference that is taken is for WdfObjectDereference.
 *
 * @param FoundRequest  NULL: from the beginning; else: behind this one
 * @param Parameters    NULL, or filled as by WdfRequestGetParameters
 * @return STATUS_NO_MORE_ENTRIES; STATUS_NOT_FOUND: FoundRequest does not wait here any more; STATUS_INVALID_DEVICE_REQUEST: not a manual queue;
 *         STATUS_INVALID_PARAMETER_4
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfio.h, WdfIoQueueFindRequest
 */
WDFAPI NTSTATUS WdfIoQueueFindRequest(WDFQUEUE Queue, WDFREQUEST FoundRequest, WDFFILEOBJECT FileObject, PWDF_REQUEST_PARAMETERS Parameters,
                                      WDFREQUEST *OutRequest);
/** Take the request that WdfIoQueueFindRequest found. @return STATUS_NOT_FOUND: it does not wait here any more
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueRetrieveFoundRequest */
WDFAPI NTSTATUS WdfIoQueueRetrieveFoundRequest(WDFQUEUE Queue, WDFREQUEST FoundRequest, WDFREQUEST *OutRequest);
/** Have a callback called when a manual queue that was empty gets a request. @param QueueReady NULL: no more
 *  @return STATUS_INVALID_DEVICE_REQUEST: not manual, a callback is set already, or, to take it away, the queue is not stopped
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfio.h, WdfIoQueueReadyNotify */
WDFAPI NTSTATUS WdfIoQueueReadyNotify(WDFQUEUE Queue, PFN_WDF_IO_QUEUE_STATE QueueReady, WDFCONTEXT Context);

/** Requests of a type go to this queue. @param RequestType WdfRequestTypeRead, Write, DeviceControl, DeviceControlInternal, Create
 *  @return STATUS_INVALID_PARAMETER; STATUS_INVALID_DEVICE_REQUEST: the queue is another device's, or has no callback for the type; STATUS_WDF_BUSY:
 *  they go to a queue already @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceConfigureRequestDispatching */
WDFAPI NTSTATUS WdfDeviceConfigureRequestDispatching(WDFDEVICE Device, WDFQUEUE Queue, WDF_REQUEST_TYPE RequestType);

WDF_EXTERN_C_END
#endif
