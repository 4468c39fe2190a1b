/*
 * wdfobject.h - framework objects: handles with a life, a parent and memory of the driver's own.
 *
 *     WDFDRIVER <- WDFDEVICE <- WDFQUEUE ...      a parent that is deleted takes its children along
 *
 *     create: one reference --WdfObjectDelete, or the parent's--> EvtCleanup: children first --count is 0--> EvtDestroy --> freed
 *
 * A context is a structure of the driver's that lives as long as the object: any number, one of each type. Types are told apart by name and
 * size, since each source file that says WDF_DECLARE_CONTEXT_TYPE has a record of its own.
 *
 * Source  WDK reference: wdfobject.h; "Framework Object Life Cycle", "Framework Object Context Space"; Bug Check 0x10D; KMDF 1.33 headers.
 */
#ifndef NTMM_DDK_WDFOBJECT_H
#define NTMM_DDK_WDFOBJECT_H

#include "wdftypes.h"
#include "wdfglobals.h"

WDF_EXTERN_C_START

/* ---- attributes ---- */

typedef enum _WDF_EXECUTION_LEVEL {
    WdfExecutionLevelInvalid = 0,
    WdfExecutionLevelInheritFromParent,
    WdfExecutionLevelPassive, /* callbacks run at PASSIVE_LEVEL only */
    WdfExecutionLevelDispatch /* and at DISPATCH_LEVEL */
} WDF_EXECUTION_LEVEL;

typedef enum _WDF_SYNCHRONIZATION_SCOPE { /* whose lock callbacks run under */
                                          WdfSynchronizationScopeInvalid = 0,
                                          WdfSynchronizationScopeInheritFromParent,
                                          WdfSynchronizationScopeDevice,
                                          WdfSynchronizationScopeQueue,
                                          WdfSynchronizationScopeNone
} WDF_SYNCHRONIZATION_SCOPE;

typedef VOID                            EVT_WDF_OBJECT_CONTEXT_CLEANUP(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_CLEANUP *PFN_WDF_OBJECT_CONTEXT_CLEANUP;
typedef VOID                            EVT_WDF_OBJECT_CONTEXT_DESTROY(WDFOBJECT Object);
typedef EVT_WDF_OBJECT_CONTEXT_DESTROY *PFN_WDF_OBJECT_CONTEXT_DESTROY;

typedef struct _WDF_OBJECT_CONTEXT_TYPE_INFO        WDF_OBJECT_CONTEXT_TYPE_INFO, *PWDF_OBJECT_CONTEXT_TYPE_INFO;
typedef const struct _WDF_OBJECT_CONTEXT_TYPE_INFO *PCWDF_OBJECT_CONTEXT_TYPE_INFO;

typedef struct _WDF_OBJECT_ATTRIBUTES {
    ULONG                          Size;
    PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback; /* the object is being deleted: drop references to others */
    PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback; /* the last reference is gone: only the contexts are left */
    WDF_EXECUTION_LEVEL            ExecutionLevel;
    WDF_SYNCHRONIZATION_SCOPE      SynchronizationScope;
    WDFOBJECT                      ParentObject;
    size_t                         ContextSizeOverride; /* bytes, at least those of the type; 0: those of the type */
    PCWDF_OBJECT_CONTEXT_TYPE_INFO ContextTypeInfo;
} WDF_OBJECT_ATTRIBUTES;
NTMM_LAYOUT(sizeof(WDF_OBJECT_ATTRIBUTES) == 56 && FIELD_OFFSET(WDF_OBJECT_ATTRIBUTES, ExecutionLevel) == 24 &&
                FIELD_OFFSET(WDF_OBJECT_ATTRIBUTES, ContextTypeInfo) == 48,
            "WDF_OBJECT_ATTRIBUTES, x64");

/** Zero, with Size, and inheriting level and scope. @irql any @source WDK reference: wdfobject.h, WDF_OBJECT_ATTRIBUTES_INIT */
FORCEINLINE VOID WDF_OBJECT_ATTRIBUTES_INIT(PWDF_OBJECT_ATTRIBUTES Attributes)
{
    RtlZeroMemory(Attributes, sizeof(WDF_OBJECT_ATTRIBUTES));
    Attributes->Size = WDF_STRUCTURE_SIZE(WDF_OBJECT_ATTRIBUTES);
    Attributes->ExecutionLevel = WdfExecutionLevelInheritFromParent;
    Attributes->SynchronizationScope = WdfSynchronizationScopeInheritFromParent;
}

#define WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(_attributes, _contexttype) \
    (_attributes)->ContextTypeInfo = WDF_GET_CONTEXT_TYPE_INFO(_contexttype)->UniqueType
#define WDF_OBJECT_ATTRIBUTES_INIT_CONTEXT_TYPE(_attributes, _contexttype) \
    WDF_OBJECT_ATTRIBUTES_INIT(_attributes); \
    WDF_OBJECT_ATTRIBUTES_SET_CONTEXT_TYPE(_attributes, _contexttype)

/* ---- types of contexts ---- */

typedef PCWDF_OBJECT_CONTEXT_TYPE_INFO (*PFN_GET_UNIQUE_CONTEXT_TYPE)(VOID);

struct _WDF_OBJECT_CONTEXT_TYPE_INFO {
    ULONG                          Size;
    LPCSTR                         ContextName;
    size_t                         ContextSize; /* bytes */
    PCWDF_OBJECT_CONTEXT_TYPE_INFO UniqueType;
    PFN_GET_UNIQUE_CONTEXT_TYPE    EvtDriverGetUniqueContextType;
};
NTMM_LAYOUT(sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO) == 40, "WDF_OBJECT_CONTEXT_TYPE_INFO, x64");

#define WDF_TYPE_NAME_TO_TYPE_INFO(_contexttype) _WDF_##_contexttype##_TYPE_INFO
#define WDF_GET_CONTEXT_TYPE_INFO(_contexttype) (&WDF_TYPE_NAME_TO_TYPE_INFO(_contexttype))
#define WDF_TYPE_NAME_POINTER_TYPE(_contexttype) WDF_POINTER_TYPE_##_contexttype

/* The record of a type, and the function that finds its context in an object. */
#define WDF_DECLARE_TYPE_AND_GLOBALS(_contexttype, _UniqueType, _GetUniqueType, _section) \
    typedef _contexttype *WDF_TYPE_NAME_POINTER_TYPE(_contexttype); \
    static const WDF_OBJECT_CONTEXT_TYPE_INFO __attribute__((unused)) WDF_TYPE_NAME_TO_TYPE_INFO( \
        _contexttype) = { sizeof(WDF_OBJECT_CONTEXT_TYPE_INFO), #_contexttype, sizeof(_contexttype), _UniqueType, _GetUniqueType };
#define WDF_DECLARE_CASTING_FUNCTION(_contexttype, _castingfunction) \
    FORCEINLINE WDF_TYPE_NAME_POINTER_TYPE(_contexttype) _castingfunction(WDFOBJECT Handle) \
    { \
        return (WDF_TYPE_NAME_POINTER_TYPE(_contexttype))WdfObjectGetTypedContextWorker( \
            Handle, WDF_GET_CONTEXT_TYPE_INFO(_contexttype)->UniqueType); \
    }
#define WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(_contexttype, _castingfunction) \
    WDF_DECLARE_TYPE_AND_GLOBALS(_contexttype, WDF_GET_CONTEXT_TYPE_INFO(_contexttype), WDF_NULL_POINTER, ) \
    WDF_DECLARE_CASTING_FUNCTION(_contexttype, _castingfunction)
#define WDF_DECLARE_CONTEXT_TYPE(_contexttype) WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(_contexttype, WdfObjectGet_##_contexttype)
/* Shared with other images on Windows; here types are told apart by name anyway. */
#define WDF_DECLARE_SHARED_CONTEXT_TYPE_WITH_NAME(_contexttype, _castingfunction) \
    WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(_contexttype, _castingfunction)

#define WdfObjectGetTypedContext(handle, type) \
    (type *)WdfObjectGetTypedContextWorker((WDFOBJECT)(handle), WDF_GET_CONTEXT_TYPE_INFO(type)->UniqueType)

/** The object's context of that type; NULL: it has none. @irql any @bugcheck WDF_VIOLATION 0x5: no object; 0x4: NULL (the handle, or the type:
 *  choice) @source WDK reference: wdfobject.h, WdfObjectGetTypedContext; KMDF 1.33 */
WDFAPI PVOID WdfObjectGetTypedContextWorker(WDFOBJECT Handle, PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo);

/** Whose context begins there. @irql any @bugcheck WDF_VIOLATION 0x5 (p2 the pointer): of no object (choice)
 *  @source WDK reference: wdfobject.h, WdfObjectContextGetObject */
WDFAPI WDFOBJECT WdfObjectContextGetObject(PVOID ContextPointer);

/**
 * One more context: nonpaged, zero.
 *
 * @param ContextAttributes  with a ContextTypeInfo, without a ParentObject; its callbacks are called along with the object's own
 * @param Context            or NULL
 * @return   STATUS_OBJECT_NAME_EXISTS: it has one of that type, which is *Context; STATUS_OBJECT_NAME_INVALID: no type;
 *           STATUS_WDF_PARENT_NOT_SPECIFIED: no attributes; STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED; STATUS_DELETE_PENDING;
 *           STATUS_INSUFFICIENT_RESOURCES; STATUS_INTEGER_OVERFLOW; those of bad attributes
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: NULL handle; 0x5: no object
 * @source    WDK reference: wdfobject.h, WdfObjectAllocateContext; KMDF 1.33
 */
WDFAPI NTSTATUS WdfObjectAllocateContext(WDFOBJECT Handle, PWDF_OBJECT_ATTRIBUTES ContextAttributes, PVOID *Context);

/* ---- custom types: a name that an object carries, with a value ---- */

typedef struct _WDF_CUSTOM_TYPE_CONTEXT {
    ULONG     Size;
    ULONG_PTR Data;
} WDF_CUSTOM_TYPE_CONTEXT, *PWDF_CUSTOM_TYPE_CONTEXT;

#define WDF_CUSTOM_TYPE_CONTEXT_NAME(_type) WdfCustomType_##_type
#define WDF_GET_CUSTOM_TYPE_FUNCTION_NAME(_type) WdfObjectGetCustomType_##_type
#define WDF_ADD_CUSTOM_TYPE_FUNCTION_NAME(_type) WdfObjectAddCustomType_##_type

#define WDF_DECLARE_CUSTOM_TYPE(_type) \
    typedef WDF_CUSTOM_TYPE_CONTEXT WDF_CUSTOM_TYPE_CONTEXT_NAME(_type); \
    WDF_DECLARE_CONTEXT_TYPE_WITH_NAME(WDF_CUSTOM_TYPE_CONTEXT_NAME(_type), WDF_GET_CUSTOM_TYPE_FUNCTION_NAME(_type)) \
    FORCEINLINE NTSTATUS WDF_ADD_CUSTOM_TYPE_FUNCTION_NAME(_type)(WDFOBJECT Handle, ULONG_PTR Data, \
                                                                  PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback, \
                                                                  PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback) \
    { \
        return ntmm_wdf_add_custom_type(Handle, WDF_GET_CONTEXT_TYPE_INFO(WDF_CUSTOM_TYPE_CONTEXT_NAME(_type))->UniqueType, Data, \
                                        EvtCleanupCallback, EvtDestroyCallback); \
    }
#define WdfObjectAddCustomTypeWithData(_handle, _type, _data, _cleanup, _destroy) \
    WDF_ADD_CUSTOM_TYPE_FUNCTION_NAME(_type)(_handle, _data, _cleanup, _destroy)
#define WdfObjectAddCustomType(_handle, _type) WdfObjectAddCustomTypeWithData(_handle, _type, 0, WDF_NULL_POINTER, WDF_NULL_POINTER)
#define WdfObjectIsCustomType(_handle, _type) \
    ((WdfObjectGetTypedContext(_handle, WDF_CUSTOM_TYPE_CONTEXT_NAME(_type))) == WDF_NULL_POINTER ? FALSE : TRUE)
#define WdfObjectGetCustomTypeData(_handle, _type) (WDF_GET_CUSTOM_TYPE_FUNCTION_NAME(_type)(_handle)->Data)

/** What WdfObjectAddCustomType is made of. @return as WdfObjectAllocateContext; STATUS_OBJECT_NAME_EXISTS: it is of that type already, and its data
 *  stay as they are @irql <= DISPATCH_LEVEL @bugcheck as WdfObjectAllocateContext @source none (choice): inline code on Windows */
FORCEINLINE NTSTATUS ntmm_wdf_add_custom_type(WDFOBJECT Handle, PCWDF_OBJECT_CONTEXT_TYPE_INFO TypeInfo, ULONG_PTR Data,
                                              PFN_WDF_OBJECT_CONTEXT_CLEANUP EvtCleanupCallback,
                                              PFN_WDF_OBJECT_CONTEXT_DESTROY EvtDestroyCallback)
{
    WDF_OBJECT_ATTRIBUTES attributes;
    PVOID                 context = WDF_NULL_POINTER;
    NTSTATUS              status;
    WDF_OBJECT_ATTRIBUTES_INIT(&attributes);
    attributes.ContextTypeInfo = TypeInfo;
    attributes.EvtCleanupCallback = EvtCleanupCallback;
    attributes.EvtDestroyCallback = EvtDestroyCallback;
    status = WdfObjectAllocateContext(Handle, &attributes, &context);
    if (status == 0) {
        ((PWDF_CUSTOM_TYPE_CONTEXT)context)->Size = sizeof(WDF_CUSTOM_TYPE_CONTEXT);
        ((PWDF_CUSTOM_TYPE_CONTEXT)context)->Data = Data;
    }
    return status;
}

/* ---- life ---- */

/**
 * An object that is nothing but an object: for a driver's own structures, with a place in the tree.
 *
 * @param Attributes  or NULL; ParentObject NULL: the driver
 * @return    STATUS_INSUFFICIENT_RESOURCES; STATUS_DELETE_PENDING: the parent is being deleted; STATUS_INFO_LENGTH_MISMATCH,
 *            STATUS_WDF_OBJECT_ATTRIBUTES_INVALID, STATUS_WDF_SYNCHRONIZATION_SCOPE_INVALID, STATUS_WDF_EXECUTION_LEVEL_INVALID: attributes
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: Object is NULL; 0x5: the parent is no object
 * @source    WDK reference: wdfobject.h, WdfObjectCreate; "Framework Object Creation Errors"
 */
WDFAPI NTSTATUS WdfObjectCreate(PWDF_OBJECT_ATTRIBUTES Attributes, WDFOBJECT *Object);

/**
 * Delete the object and its children: EvtCleanup now (later, at PASSIVE_LEVEL, for those that need it), EvtDestroy with the last reference.
 * Once more has no effect, while references keep the handle valid.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION 0x5: no object
 * @models    what the framework alone deletes (a driver, a device that PnP made ...) stays, and ntmm_error() says so
 * @source    WDK reference: wdfobject.h, WdfObjectDelete; "Framework Object Life Cycle"
 */
WDFAPI VOID WdfObjectDelete(WDFOBJECT Object);

/** One reference more. @param Tag to be given back with the same one; NULL: any @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x4: NULL; 0x5: no
 *  object @models Line and File are not kept; tags are counted for those objects that have seen one
 *  @source WDK reference: wdfobject.h, WdfObjectReferenceActual */
WDFAPI VOID WdfObjectReferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File);
/** One reference less. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x7 (p2 the handle): the object was not deleted, and this was its creation
 *  reference; 0x4, 0x5 as above @source WDK reference: wdfobject.h, WdfObjectDereferenceActual; Bug Check 0x10D */
WDFAPI VOID WdfObjectDereferenceActual(WDFOBJECT Handle, PVOID Tag, LONG Line, PCCH File);

#define WdfObjectReference(Handle) WdfObjectReferenceWithTag(Handle, WDF_NULL_POINTER)
#define WdfObjectReferenceWithTag(Handle, Tag) WdfObjectReferenceActual(Handle, Tag, __LINE__, __FILE__)
#define WdfObjectDereference(Handle) WdfObjectDereferenceWithTag(Handle, WDF_NULL_POINTER)
#define WdfObjectDereferenceWithTag(Handle, Tag) WdfObjectDereferenceActual(Handle, Tag, __LINE__, __FILE__)

/** @return STATUS_NOT_IMPLEMENTED @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5: no object
 *  @source WDK reference: wdfobject.h, WdfObjectQuery: "not implemented" */
WDFAPI NTSTATUS WdfObjectQuery(WDFOBJECT Object, CONST GUID *Guid, ULONG QueryBufferLength, PVOID QueryBuffer);

WDF_EXTERN_C_END
#endif
