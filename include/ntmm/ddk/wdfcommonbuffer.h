/*
 * wdfcommonbuffer.h - common buffers of a KMDF driver: memory that driver and device use at the same time, freed with the object.
 *
 *     raw       |.........|================ Length ================|      whole pages, contiguous for the device
 *                         ^ aligned: the driver's virtual and the device's logical address
 *
 * Source  WDK reference: wdfcommonbuffer.h.
 */
#ifndef NTMM_DDK_WDFCOMMONBUFFER_H
#define NTMM_DDK_WDFCOMMONBUFFER_H

#include "wdfdmaenabler.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _WDF_COMMON_BUFFER_CONFIG {
    ULONG Size;
    ULONG AlignmentRequirement; /* a power of two, less one: FILE_LONG_ALIGNMENT and its like */
} WDF_COMMON_BUFFER_CONFIG, *PWDF_COMMON_BUFFER_CONFIG;
NTMM_LAYOUT(sizeof(WDF_COMMON_BUFFER_CONFIG) == 8, "WDF_COMMON_BUFFER_CONFIG");

FORCEINLINE VOID WDF_COMMON_BUFFER_CONFIG_INIT(PWDF_COMMON_BUFFER_CONFIG Config, ULONG AlignmentRequirement)
{
    RtlZeroMemory(Config, sizeof(WDF_COMMON_BUFFER_CONFIG));
    Config->Size = sizeof(WDF_COMMON_BUFFER_CONFIG);
    Config->AlignmentRequirement = AlignmentRequirement;
}

/**
 * A common buffer, child of the enabler, aligned as the device is (WdfDeviceSetAlignmentRequirement).
 *
 * @param Length        bytes, at most MAXULONG - PAGE_SIZE
 * @param Attributes    NULL, or without a ParentObject
 * @param CommonBuffer  out; NULL on failure
 * @return STATUS_INVALID_PARAMETER: length 0; STATUS_WDF_PARENT_ASSIGNMENT_NOT_ALLOWED; STATUS_INSUFFICIENT_RESOURCES
 * @irql     PASSIVE_LEVEL; so is the deletion
 * @bugcheck WDF_VIOLATION (0x10D): 4 NULL, 5 no enabler
 * @source   WDK reference: wdfcommonbuffer.h, WdfCommonBufferCreate
 */
WDFAPI NTSTATUS WdfCommonBufferCreate(WDFDMAENABLER DmaEnabler, size_t Length, PWDF_OBJECT_ATTRIBUTES Attributes,
                                      WDFCOMMONBUFFER *CommonBuffer);
/** The same with an alignment of its own. @return also STATUS_INFO_LENGTH_MISMATCH: Size */
WDFAPI NTSTATUS WdfCommonBufferCreateWithConfig(WDFDMAENABLER DmaEnabler, size_t Length, PWDF_COMMON_BUFFER_CONFIG Config,
                                                PWDF_OBJECT_ATTRIBUTES Attributes, WDFCOMMONBUFFER *CommonBuffer);

/* @irql <= DISPATCH_LEVEL */

/** Beyond a page only the logical address has the alignment. */
WDFAPI PVOID            WdfCommonBufferGetAlignedVirtualAddress(WDFCOMMONBUFFER CommonBuffer);
WDFAPI PHYSICAL_ADDRESS WdfCommonBufferGetAlignedLogicalAddress(WDFCOMMONBUFFER CommonBuffer);
/** Bytes, as asked for. */
WDFAPI size_t WdfCommonBufferGetLength(WDFCOMMONBUFFER CommonBuffer);

#ifdef __cplusplus
}
#endif
#endif
