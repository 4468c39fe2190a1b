/*
 * wdfdpc.h - deferred procedure calls: a callback at DISPATCH_LEVEL.
 *
 * Source  WDK reference: wdfdpc.h, "DPC Objects".
 */
#ifndef NTMM_DDK_WDFDPC_H
#define NTMM_DDK_WDFDPC_H

#include "wdfobject.h"

WDF_EXTERN_C_START

typedef VOID         EVT_WDF_DPC(WDFDPC Dpc);
typedef EVT_WDF_DPC *PFN_WDF_DPC;

typedef struct _WDF_DPC_CONFIG {
    ULONG       Size;
    PFN_WDF_DPC EvtDpcFunc;
    BOOLEAN     AutomaticSerialization; /* under the synchronization lock of the parent */
} WDF_DPC_CONFIG, *PWDF_DPC_CONFIG;

FORCEINLINE VOID WDF_DPC_CONFIG_INIT(PWDF_DPC_CONFIG Config, PFN_WDF_DPC EvtDpcFunc)
{
    RtlZeroMemory(Config, sizeof *Config);
    Config->Size = WDF_STRUCTURE_SIZE(WDF_DPC_CONFIG);
    Config->EvtDpcFunc = EvtDpcFunc;
    Config->AutomaticSerialization = TRUE;
}

/**
 * A DPC, which lives as long as its parent.
 *
 * @param Attributes  ParentObject: required; a device, or an object whose chain of parents leads to one
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER; STATUS_WDF_PARENT_NOT_SPECIFIED; STATUS_INVALID_DEVICE_REQUEST: no device above
 *         it; STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: it is to be serialized with callbacks that run at PASSIVE_LEVEL;
 *         STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfdpc.h, WdfDpcCreate
 */
WDFAPI NTSTATUS WdfDpcCreate(PWDF_DPC_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFDPC *Dpc);
/** Queue it. @return FALSE: it was queued already @irql any @source WDK reference: wdfdpc.h, WdfDpcEnqueue */
WDFAPI BOOLEAN WdfDpcEnqueue(WDFDPC Dpc);
/** Take it off its queue. @param Wait TRUE: and wait until its callback does not run @return TRUE: it was queued
 *  @irql <= DISPATCH_LEVEL; PASSIVE_LEVEL with Wait @source WDK reference: wdfdpc.h, WdfDpcCancel */
WDFAPI BOOLEAN WdfDpcCancel(WDFDPC Dpc, BOOLEAN Wait);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfdpc.h, WdfDpcGetParentObject */
WDFAPI WDFOBJECT WdfDpcGetParentObject(WDFDPC Dpc);
/** Its KDPC. @irql <= DISPATCH_LEVEL @source WDK reference: wdfdpc.h, WdfDpcWdmGetDpc */
WDFAPI PKDPC WdfDpcWdmGetDpc(WDFDPC Dpc);

WDF_EXTERN_C_END
#endif
