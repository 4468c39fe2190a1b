/*
 * wdfcollection.h - lists of any objects, each held by a reference.
 *
 * Source  WDK reference: wdfcollection.h.
 */
#ifndef NTMM_DDK_WDFCOLLECTION_H
#define NTMM_DDK_WDFCOLLECTION_H

#include "wdfobject.h"

WDF_EXTERN_C_START

/** @param CollectionAttributes or NULL; ParentObject NULL: the driver @return STATUS_INSUFFICIENT_RESOURCES, STATUS_DELETE_PENDING, those of bad
 *  attributes @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x4: Collection is NULL; 0x5 @source WDK reference: wdfcollection.h */
WDFAPI NTSTATUS WdfCollectionCreate(PWDF_OBJECT_ATTRIBUTES CollectionAttributes, WDFCOLLECTION *Collection);
/** @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5 @source WDK reference: wdfcollection.h, WdfCollectionGetCount */
WDFAPI ULONG WdfCollectionGetCount(WDFCOLLECTION Collection);
/** At the end; with a reference. @return STATUS_INSUFFICIENT_RESOURCES @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5: either handle
 *  @source WDK reference: wdfcollection.h, WdfCollectionAdd */
WDFAPI NTSTATUS WdfCollectionAdd(WDFCOLLECTION Collection, WDFOBJECT Object);
/** The first of this object, and its reference. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5 @models one that is not there: ntmm_error() says so
 *  @source WDK reference: wdfcollection.h, WdfCollectionRemove */
WDFAPI VOID WdfCollectionRemove(WDFCOLLECTION Collection, WDFOBJECT Item);
/** @param Index from 0 @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5 @models as above @source WDK reference: wdfcollection.h */
WDFAPI VOID WdfCollectionRemoveItem(WDFCOLLECTION Collection, ULONG Index);
/** NULL: there is none. No reference. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5 @source WDK reference: wdfcollection.h */
WDFAPI WDFOBJECT WdfCollectionGetItem(WDFCOLLECTION Collection, ULONG Index);
WDFAPI WDFOBJECT WdfCollectionGetFirstItem(WDFCOLLECTION Collection);
WDFAPI WDFOBJECT WdfCollectionGetLastItem(WDFCOLLECTION Collection);

WDF_EXTERN_C_END
#endif
