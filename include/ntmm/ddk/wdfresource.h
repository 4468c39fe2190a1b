/*
 * wdfresource.h - lists of what hardware a device may have, needs and has.
 *
 *     WDFIORESREQLIST   requirements: one WDFIORESLIST for each alternative      before the resources are assigned
 *     WDFIORESLIST      IO_RESOURCE_DESCRIPTOR, one after another
 *     WDFCMRESLIST      CM_PARTIAL_RESOURCE_DESCRIPTOR, one after another        EvtDevicePrepareHardware: raw and translated
 *
 * Lists are numbered from 0. A descriptor that is handed out is a copy, good until the next one of the same place is asked for.
 * @irql everywhere <= DISPATCH_LEVEL
 * @bugcheck WDF_VIOLATION (0x10D): 4 NULL, 5 no such list
 *
 * Source  WDK reference: wdfresource.h, "Hardware Resources for Framework-Based Drivers".
 */
#ifndef NTMM_DDK_WDFRESOURCE_H
#define NTMM_DDK_WDFRESOURCE_H

#include "wdfobject.h"

#ifdef __cplusplus
extern "C" {
#endif

#define WDF_INSERT_AT_END ((ULONG)-1)

/* ---- requirements ---- */

WDFAPI VOID WdfIoResourceRequirementsListSetSlotNumber(WDFIORESREQLIST RequirementsList, ULONG SlotNumber);
WDFAPI VOID WdfIoResourceRequirementsListSetInterfaceType(WDFIORESREQLIST RequirementsList, INTERFACE_TYPE InterfaceType);
/** The list was created for these requirements. @return STATUS_INVALID_DEVICE_REQUEST: for others */
WDFAPI NTSTATUS WdfIoResourceRequirementsListAppendIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList);
/** @return also STATUS_ARRAY_BOUNDS_EXCEEDED, and the list is deleted */
WDFAPI NTSTATUS     WdfIoResourceRequirementsListInsertIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList, ULONG Index);
WDFAPI ULONG        WdfIoResourceRequirementsListGetCount(WDFIORESREQLIST RequirementsList);
WDFAPI WDFIORESLIST WdfIoResourceRequirementsListGetIoResList(WDFIORESREQLIST RequirementsList, ULONG Index);
WDFAPI VOID         WdfIoResourceRequirementsListRemove(WDFIORESREQLIST RequirementsList, ULONG Index);
WDFAPI VOID         WdfIoResourceRequirementsListRemoveByIoResList(WDFIORESREQLIST RequirementsList, WDFIORESLIST IoResList);

/** An empty list, child of the requirements. @return STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED, STATUS_INSUFFICIENT_RESOURCES */
WDFAPI NTSTATUS WdfIoResourceListCreate(WDFIORESREQLIST RequirementsList, PWDF_OBJECT_ATTRIBUTES Attributes, WDFIORESLIST *ResourceList);
WDFAPI NTSTATUS WdfIoResourceListAppendDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor);
/** In front of the one at Index. @return STATUS_ARRAY_BOUNDS_EXCEEDED: there is none; STATUS_INSUFFICIENT_RESOURCES */
WDFAPI NTSTATUS WdfIoResourceListInsertDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor, ULONG Index);
WDFAPI VOID     WdfIoResourceListUpdateDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor, ULONG Index);
WDFAPI ULONG    WdfIoResourceListGetCount(WDFIORESLIST ResourceList);
/** NULL: there is none at Index */
WDFAPI PIO_RESOURCE_DESCRIPTOR WdfIoResourceListGetDescriptor(WDFIORESLIST ResourceList, ULONG Index);
WDFAPI VOID                    WdfIoResourceListRemove(WDFIORESLIST ResourceList, ULONG Index);
/** The first that has the same bytes. */
WDFAPI VOID WdfIoResourceListRemoveByDescriptor(WDFIORESLIST ResourceList, PIO_RESOURCE_DESCRIPTOR Descriptor);

/* ---- what a device has ---- */

/** A driver may add to its lists, and remove from them, before they reach the stack. @return STATUS_ACCESS_DENIED: not these, not now */
WDFAPI NTSTATUS WdfCmResourceListAppendDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor);
WDFAPI NTSTATUS WdfCmResourceListInsertDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor, ULONG Index);
WDFAPI ULONG    WdfCmResourceListGetCount(WDFCMRESLIST List);
/** NULL: there is none at Index */
WDFAPI PCM_PARTIAL_RESOURCE_DESCRIPTOR WdfCmResourceListGetDescriptor(WDFCMRESLIST List, ULONG Index);
WDFAPI VOID                            WdfCmResourceListRemove(WDFCMRESLIST List, ULONG Index);
WDFAPI VOID                            WdfCmResourceListRemoveByDescriptor(WDFCMRESLIST List, PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor);

#ifdef __cplusplus
}
#endif
#endif
