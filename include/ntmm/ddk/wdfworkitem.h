/*
 * wdfworkitem.h - work items: a callback at PASSIVE_LEVEL, from a worker thread of the system.
 *
 * Source  WDK reference: wdfworkitem.h, "Using Framework Work Items".
 */
#ifndef NTMM_DDK_WDFWORKITEM_H
#define NTMM_DDK_WDFWORKITEM_H

#include "wdfobject.h"

WDF_EXTERN_C_START

typedef VOID              EVT_WDF_WORKITEM(WDFWORKITEM WorkItem);
typedef EVT_WDF_WORKITEM *PFN_WDF_WORKITEM;

typedef struct _WDF_WORKITEM_CONFIG {
    ULONG            Size;
    PFN_WDF_WORKITEM EvtWorkItemFunc;
    BOOLEAN          AutomaticSerialization; /* under the synchronization lock of the parent's device */
} WDF_WORKITEM_CONFIG, *PWDF_WORKITEM_CONFIG;

FORCEINLINE VOID WDF_WORKITEM_CONFIG_INIT(PWDF_WORKITEM_CONFIG Config, PFN_WDF_WORKITEM EvtWorkItemFunc)
{
    RtlZeroMemory(Config, sizeof *Config);
    Config->Size = WDF_STRUCTURE_SIZE(WDF_WORKITEM_CONFIG);
    Config->EvtWorkItemFunc = EvtWorkItemFunc;
    Config->AutomaticSerialization = TRUE;
}

/**
 * A work item, which lives as long as its parent.
 *
 * @param Attributes  ParentObject: required; a device, or an object whose chain of parents leads to one
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER; STATUS_WDF_PARENT_NOT_SPECIFIED; STATUS_INVALID_DEVICE_REQUEST: no device above
 *         it; STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: it is to be serialized with callbacks that run at DISPATCH_LEVEL;
 *         STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdfworkitem.h, WdfWorkItemCreate
 */
WDFAPI NTSTATUS WdfWorkItemCreate(PWDF_WORKITEM_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFWORKITEM *WorkItem);
/** Queue it, unless it is queued already. @irql <= DISPATCH_LEVEL @source WDK reference: wdfworkitem.h, WdfWorkItemEnqueue */
WDFAPI VOID WdfWorkItemEnqueue(WDFWORKITEM WorkItem);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfworkitem.h, WdfWorkItemGetParentObject */
WDFAPI WDFOBJECT WdfWorkItemGetParentObject(WDFWORKITEM WorkItem);
/** Wait until it is not queued and its callback does not run. Not from inside that callback: it would wait for itself.
 *  @irql PASSIVE_LEVEL @source WDK reference: wdfworkitem.h, WdfWorkItemFlush */
WDFAPI VOID WdfWorkItemFlush(WDFWORKITEM WorkItem);

WDF_EXTERN_C_END
#endif
