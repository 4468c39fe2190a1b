/*
 * mm_video.h - frame buffers by a name of their own, from the days when video drivers mapped them.
 *
 * Source  mingw-w64's ntddk.h declares both; there is no page about them.
 */
#ifndef NTMM_DDK_NTDDK_MM_VIDEO_H
#define NTMM_DDK_NTDDK_MM_VIDEO_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Map a frame buffer: MmMapIoSpace, with its rules, by another name.
 *
 * @irql      <= DISPATCH_LEVEL
 * @return    as MmMapIoSpace
 * @source    none (choice)
 */
NTKERNELAPI PVOID MmMapVideoDisplay(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType);

/**
 * Undo that: MmUnmapIoSpace, with its rules.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as MmUnmapIoSpace
 * @source    none (choice)
 */
NTKERNELAPI VOID MmUnmapVideoDisplay(PVOID BaseAddress, SIZE_T NumberOfBytes);

#ifdef __cplusplus
}
#endif
#endif
