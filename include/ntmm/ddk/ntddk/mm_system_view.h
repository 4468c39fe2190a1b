/*
 * mm_system_view.h - views of sections in system space.
 *
 * Source  WDK reference: ntddk.h, MmMapViewInSystemSpace, MmUnmapViewInSystemSpace; Bug Check 0xD7.
 */
#ifndef NTMM_DDK_NTDDK_MM_SYSTEM_VIEW_H
#define NTMM_DDK_NTDDK_MM_SYSTEM_VIEW_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Map a section into system space, from its start on.
 *
 * @param Section     the section object (ObReferenceObjectByHandle)
 * @param MappedBase  gets the address
 * @param ViewSize    in: bytes, rounded up to pages; 0: the whole section; out: the size of the view
 * @return    STATUS_INVALID_VIEW_SIZE larger than the section; STATUS_NO_MEMORY no room; STATUS_INSUFFICIENT_RESOURCES;
 *            STATUS_OBJECT_TYPE_MISMATCH another object (choice)
 * @irql      <= APC_LEVEL
 * @bugcheck  REFERENCE_BY_POINTER (0x18): it is no object (choice)
 * @models    writable if the section is PAGE_READWRITE or PAGE_EXECUTE_READWRITE, else read-only
 * @source    WDK reference: ntddk.h, MmMapViewInSystemSpace
 */
NTKERNELAPI NTSTATUS MmMapViewInSystemSpace(PVOID Section, PVOID *MappedBase, PSIZE_T ViewSize);

/**
 * Unmap such a view.
 *
 * @param MappedBase  as MmMapViewInSystemSpace gave it
 * @return    STATUS_SUCCESS
 * @irql      <= APC_LEVEL
 * @bugcheck  DRIVER_UNMAPPING_INVALID_VIEW (0xD7): no view begins there; p1 the address, p2 1, p3 and p4 0
 * @source    WDK reference: ntddk.h, MmUnmapViewInSystemSpace; Bug Check 0xD7
 */
NTKERNELAPI NTSTATUS MmUnmapViewInSystemSpace(PVOID MappedBase);

#ifdef __cplusplus
}
#endif
#endif
