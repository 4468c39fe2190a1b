/*
 * wdfmemory.h - memory as an object: a buffer with a parent, which is freed when that goes, and lookaside lists of such objects.
 *
 *     WdfMemoryCreate                 less than a page of nonpaged pool: | object | buffer | context |, one block; else two
 *     WdfMemoryCreatePreallocated     a buffer of the driver's, which it frees itself
 *     WdfMemoryCreateFromLookaside    object and buffer come from the list, and go back there
 *
 * Source  WDK reference: wdfmemory.h; "Using Memory Buffers", "Memory Buffer Life Cycle"; KMDF 1.33 (headers; which sizes share a block; which
 *         check comes first).
 */
#ifndef NTMM_DDK_WDFMEMORY_H
#define NTMM_DDK_WDFMEMORY_H

#include "wdfobject.h"

WDF_EXTERN_C_START

/* ---- memory in three forms, for routines that take any ---- */

typedef enum _WDF_MEMORY_DESCRIPTOR_TYPE {
    WdfMemoryDescriptorTypeInvalid = 0,
    WdfMemoryDescriptorTypeBuffer,
    WdfMemoryDescriptorTypeMdl,
    WdfMemoryDescriptorTypeHandle
} WDF_MEMORY_DESCRIPTOR_TYPE;

typedef struct _WDFMEMORY_OFFSET { /* a part of a buffer */
    size_t BufferOffset;           /* bytes */
    size_t BufferLength;           /* bytes; 0: up to the end */
} WDFMEMORY_OFFSET, *PWDFMEMORY_OFFSET;

typedef struct _WDF_MEMORY_DESCRIPTOR {
    WDF_MEMORY_DESCRIPTOR_TYPE Type;
    union {
        struct {
            PVOID Buffer;
            ULONG Length; /* bytes */
        } BufferType;
        struct {
            PMDL  Mdl;
            ULONG BufferLength; /* bytes */
        } MdlType;
        struct {
            WDFMEMORY         Memory;
            PWDFMEMORY_OFFSET Offsets; /* NULL: all of it */
        } HandleType;
    } u;
} WDF_MEMORY_DESCRIPTOR, *PWDF_MEMORY_DESCRIPTOR;
NTMM_LAYOUT(sizeof(WDF_MEMORY_DESCRIPTOR) == 24 && sizeof(WDFMEMORY_OFFSET) == 16, "WDF_MEMORY_DESCRIPTOR, x64");

/** @irql any @source WDK reference: wdfmemory.h, WDF_MEMORY_DESCRIPTOR_INIT_BUFFER */
FORCEINLINE VOID WDF_MEMORY_DESCRIPTOR_INIT_BUFFER(PWDF_MEMORY_DESCRIPTOR Descriptor, PVOID Buffer, ULONG BufferLength)
{
    RtlZeroMemory(Descriptor, sizeof(WDF_MEMORY_DESCRIPTOR));
    Descriptor->Type = WdfMemoryDescriptorTypeBuffer;
    Descriptor->u.BufferType.Buffer = Buffer;
    Descriptor->u.BufferType.Length = BufferLength;
}
/** @irql any @source WDK reference: wdfmemory.h, WDF_MEMORY_DESCRIPTOR_INIT_HANDLE */
FORCEINLINE VOID WDF_MEMORY_DESCRIPTOR_INIT_HANDLE(PWDF_MEMORY_DESCRIPTOR Descriptor, WDFMEMORY Memory, PWDFMEMORY_OFFSET Offsets)
{
    RtlZeroMemory(Descriptor, sizeof(WDF_MEMORY_DESCRIPTOR));
    Descriptor->Type = WdfMemoryDescriptorTypeHandle;
    Descriptor->u.HandleType.Memory = Memory;
    Descriptor->u.HandleType.Offsets = Offsets;
}
/** @irql any @source WDK reference: wdfmemory.h, WDF_MEMORY_DESCRIPTOR_INIT_MDL */
FORCEINLINE VOID WDF_MEMORY_DESCRIPTOR_INIT_MDL(PWDF_MEMORY_DESCRIPTOR Descriptor, PMDL Mdl, ULONG BufferLength)
{
    RtlZeroMemory(Descriptor, sizeof(WDF_MEMORY_DESCRIPTOR));
    Descriptor->Type = WdfMemoryDescriptorTypeMdl;
    Descriptor->u.MdlType.Mdl = Mdl;
    Descriptor->u.MdlType.BufferLength = BufferLength;
}

/* ---- memory objects ---- */

/**
 * A buffer of its own; not zeroed.
 *
 * @param Attributes  or NULL; ParentObject NULL: the driver
 * @param PoolType    of the buffer, and where they share a block, of the object
 * @param PoolTag     of that block; 0: the driver's tag, made of its service's name
 * @param BufferSize  bytes, not 0. Aligned to MEMORY_ALLOCATION_ALIGNMENT; from PAGE_SIZE on to a page
 * @param Buffer      where the buffer's address goes, or NULL
 * @return    STATUS_INVALID_PARAMETER: BufferSize is 0; STATUS_INSUFFICIENT_RESOURCES; STATUS_DELETE_PENDING: the parent is being deleted;
 *            those of bad attributes. *Memory is NULL then, but for the first
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck  WDF_VIOLATION 0x4: Memory is NULL; 0x5: the parent is no object. Those of ExAllocatePoolWithTag for a PoolType that is none
 * @models    an object without a buffer in its block, that of paged pool or of a page and more, has the driver's tag
 * @source    WDK reference: wdfmemory.h, WdfMemoryCreate
 */
WDFAPI NTSTATUS WdfMemoryCreate(PWDF_OBJECT_ATTRIBUTES Attributes, POOL_TYPE PoolType, ULONG PoolTag, size_t BufferSize, WDFMEMORY *Memory,
                                PVOID *Buffer);
/**
 * An object for a buffer of the driver's.
 *
 * @return    as WdfMemoryCreate
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: Buffer or Memory is NULL; 0x5: the parent is no object
 * @source    WDK reference: wdfmemory.h, WdfMemoryCreatePreallocated
 */
WDFAPI NTSTATUS WdfMemoryCreatePreallocated(PWDF_OBJECT_ATTRIBUTES Attributes, PVOID Buffer, size_t BufferSize, WDFMEMORY *Memory);
/** @param BufferSize where the number of bytes goes, or NULL @irql any @bugcheck WDF_VIOLATION 0x5
 *  @source WDK reference: wdfmemory.h, WdfMemoryGetBuffer */
WDFAPI PVOID WdfMemoryGetBuffer(WDFMEMORY Memory, size_t *BufferSize);
/** Another buffer for an object of WdfMemoryCreatePreallocated; the old one is the driver's. @return STATUS_INVALID_PARAMETER: no bytes @irql any
 *  @bugcheck WDF_VIOLATION 0x5: no such object; 0x4: Buffer is NULL @source WDK reference: wdfmemory.h, WdfMemoryAssignBuffer */
WDFAPI NTSTATUS WdfMemoryAssignBuffer(WDFMEMORY Memory, PVOID Buffer, size_t BufferSize);
/**
 * Copy out of the object's buffer.
 *
 * @return    STATUS_BUFFER_TOO_SMALL: the object has not so many bytes from there on; STATUS_INVALID_PARAMETER: NumBytesToCopyTo is 0
 * @irql      any that the memory can be touched at
 * @bugcheck  WDF_VIOLATION 0x5; 0x4: Buffer is NULL
 * @source    WDK reference: wdfmemory.h, WdfMemoryCopyToBuffer
 */
WDFAPI NTSTATUS WdfMemoryCopyToBuffer(WDFMEMORY SourceMemory, size_t SourceOffset, PVOID Buffer, size_t NumBytesToCopyTo);
/**
 * Copy into the object's buffer.
 *
 * @return    STATUS_INVALID_BUFFER_SIZE: the object has not so many bytes from there on (its page says STATUS_BUFFER_TOO_SMALL for some of these
 *            cases; the published framework does not); STATUS_INVALID_PARAMETER: NumBytesToCopyFrom is 0; STATUS_ACCESS_VIOLATION: the
 *            memory is that of a request which may only be read
 * @irql      any that the memory can be touched at
 * @bugcheck  WDF_VIOLATION 0x5; 0x4: Buffer is NULL
 * @source    WDK reference: wdfmemory.h, WdfMemoryCopyFromBuffer; KMDF 1.33
 */
WDFAPI NTSTATUS WdfMemoryCopyFromBuffer(WDFMEMORY DestinationMemory, size_t DestinationOffset, PVOID Buffer, size_t NumBytesToCopyFrom);

/* ---- lookaside lists ---- */

/**
 * A list of memory objects of one size.
 *
 * @param LookasideAttributes  of the list, or NULL; ParentObject NULL: the driver
 * @param BufferSize           bytes, not 0
 * @param MemoryAttributes     of each object that comes from it, or NULL; the structure itself is copied
 * @return    STATUS_INVALID_PARAMETER: no bytes, or the list and its objects are to belong to two different devices (paged pool only);
 *            STATUS_INSUFFICIENT_RESOURCES; STATUS_DELETE_PENDING; those of bad attributes
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck  WDF_VIOLATION 0x4: Lookaside is NULL; 0x5: a parent is no object
 * @models    up to 256 free objects are kept, whatever the traffic
 * @source    WDK reference: wdfmemory.h, WdfLookasideListCreate
 */
WDFAPI NTSTATUS WdfLookasideListCreate(PWDF_OBJECT_ATTRIBUTES LookasideAttributes, size_t BufferSize, POOL_TYPE PoolType,
                                       PWDF_OBJECT_ATTRIBUTES MemoryAttributes, ULONG PoolTag, WDFLOOKASIDE *Lookaside);
/**
 * An object from the list; WdfObjectDelete returns it there. The list stays until its last object has come back.
 *
 * @return    STATUS_INSUFFICIENT_RESOURCES; STATUS_DELETE_PENDING: the parent is being deleted. *Memory is NULL then
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL for paged pool
 * @bugcheck  WDF_VIOLATION 0x5: no list; 0x4: Memory is NULL
 * @source    WDK reference: wdfmemory.h, WdfMemoryCreateFromLookaside
 */
WDFAPI NTSTATUS WdfMemoryCreateFromLookaside(WDFLOOKASIDE Lookaside, WDFMEMORY *Memory);

WDF_EXTERN_C_END
#endif
