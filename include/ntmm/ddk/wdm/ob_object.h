/*
 * ob_object.h - objects of the kernel by pointer: who refers to one keeps it from going away.
 *
 *     created, looked up, opened, referenced: one more        dereferenced, its handle closed: one fewer ---> the last one: it is deleted
 *
 * Source  WDK reference: wdm.h and ntifs.h, the pages of these routines; "Life cycle of an object"; Bug Check 0x18.
 */
#ifndef NTMM_DDK_WDM_OB_OBJECT_H
#define NTMM_DDK_WDM_OB_OBJECT_H

#include "ob_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _OBJECT_TYPE  *POBJECT_TYPE; /* opaque */
typedef struct _ACCESS_STATE *PACCESS_STATE;

typedef struct _OBJECT_HANDLE_INFORMATION {
    ULONG       HandleAttributes; /* OBJ_* */
    ACCESS_MASK GrantedAccess;
} OBJECT_HANDLE_INFORMATION, *POBJECT_HANDLE_INFORMATION;

/* What an object must be, for the routines below: *ExEventObjectType and so on. */
extern NTKERNELAPI POBJECT_TYPE *ExEventObjectType; /* KEVENT */
extern NTKERNELAPI POBJECT_TYPE *PsProcessType;     /* PEPROCESS */
extern NTKERNELAPI POBJECT_TYPE *PsThreadType;      /* PETHREAD, PKTHREAD */

/**
 * Refer to an object once more.
 *
 * @param Object  that somebody refers to already
 * @return        references now (choice: the page promises nothing)
 * @irql          <= DISPATCH_LEVEL
 * @bugcheck      REFERENCE_BY_POINTER (0x18): nobody refers to it any more, or it is no object; p1 its type or 0, p2 the address, p3 and p4 0
 *                (choice; Windows damages what lies in front of the address)
 * @source        WDK reference: wdm.h, ObReferenceObject, ObfReferenceObject; Bug Check 0x18
 */
NTKERNELAPI LONG_PTR ObfReferenceObject(PVOID Object);
#define ObReferenceObject(Object) ObfReferenceObject(Object)

/**
 * Give a reference back. With the last one the object is deleted.
 *
 * @return    references left
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  REFERENCE_BY_POINTER (0x18), as ObfReferenceObject: dereferenced more often than referenced
 * @source    WDK reference: wdm.h, ObDereferenceObject, ObfDereferenceObject; Bug Check 0x18
 */
NTKERNELAPI LONG_PTR ObfDereferenceObject(PVOID Object);
#define ObDereferenceObject(Object) ObfDereferenceObject(Object)

/** As the two above; the tag tells a debugger who it was: accepted and ignored. @source WDK reference: wdm.h, ObReferenceObjectWithTag */
NTKERNELAPI LONG_PTR ObfReferenceObjectWithTag(PVOID Object, ULONG Tag);
NTKERNELAPI LONG_PTR ObfDereferenceObjectWithTag(PVOID Object, ULONG Tag);
#define ObReferenceObjectWithTag(Object, Tag) ObfReferenceObjectWithTag(Object, Tag)
#define ObDereferenceObjectWithTag(Object, Tag) ObfDereferenceObjectWithTag(Object, Tag)

/** As ObDereferenceObject; Windows deletes later, on a thread of its own, and this machine at once (choice). @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdm.h, ObDereferenceObjectDeferDelete */
NTKERNELAPI VOID ObDereferenceObjectDeferDelete(PVOID Object);
NTKERNELAPI VOID ObDereferenceObjectDeferDeleteWithTag(PVOID Object, ULONG Tag);

/**
 * Refer to an object once more, if it is of that type.
 *
 * @param DesiredAccess  accepted and ignored: no object has a security descriptor
 * @param ObjectType     NULL only with KernelMode: whatever it is
 * @return               STATUS_SUCCESS; STATUS_OBJECT_TYPE_MISMATCH
 * @irql                 <= DISPATCH_LEVEL
 * @bugcheck             REFERENCE_BY_POINTER (0x18), as ObfReferenceObject
 * @source               WDK reference: wdm.h, ObReferenceObjectByPointer
 */
NTKERNELAPI NTSTATUS ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                KPROCESSOR_MODE AccessMode);
NTKERNELAPI NTSTATUS ObReferenceObjectByPointerWithTag(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                       KPROCESSOR_MODE AccessMode, ULONG Tag);

/**
 * The object behind a handle, referenced for the caller.
 *
 * @param DesiredAccess      with UserMode: what the handle must have been opened for
 * @param ObjectType         NULL: any
 * @param AccessMode         UserMode for a handle that came from an application: kernel handles are refused then
 * @param Object             receives the pointer; NULL after a failure
 * @param HandleInformation  NULL, or filled in
 * @return  STATUS_SUCCESS; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED; STATUS_INVALID_HANDLE
 * @irql    PASSIVE_LEVEL
 * @source  WDK reference: wdm.h, ObReferenceObjectByHandle
 */
NTKERNELAPI NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                               KPROCESSOR_MODE AccessMode, PVOID *Object, POBJECT_HANDLE_INFORMATION HandleInformation);
NTKERNELAPI NTSTATUS ObReferenceObjectByHandleWithTag(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
                                                      KPROCESSOR_MODE AccessMode, ULONG Tag, PVOID *Object,
                                                      POBJECT_HANDLE_INFORMATION HandleInformation);

/**
 * A handle for an object.
 *
 * @param HandleAttributes   OBJ_KERNEL_HANDLE or 0; other bits have no effect here
 * @param PassedAccessState  accepted and ignored: NULL for drivers
 * @param DesiredAccess      what the handle is good for
 * @param ObjectType         NULL only with KernelMode: whatever it is
 * @return   STATUS_SUCCESS; STATUS_OBJECT_TYPE_MISMATCH; STATUS_ACCESS_DENIED: rights that the type does not have, with UserMode;
 *           STATUS_INSUFFICIENT_RESOURCES
 * @irql     PASSIVE_LEVEL
 * @source   WDK reference: ntifs.h, ObOpenObjectByPointer
 */
NTKERNELAPI NTSTATUS ObOpenObjectByPointer(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState, ACCESS_MASK DesiredAccess,
                                           POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, PHANDLE Handle);
NTKERNELAPI NTSTATUS ObOpenObjectByPointerWithTag(PVOID Object, ULONG HandleAttributes, PACCESS_STATE PassedAccessState,
                                                  ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType, KPROCESSOR_MODE AccessMode, ULONG Tag,
                                                  PHANDLE Handle);

#ifdef __cplusplus
}
#endif
#endif
