/*
 * mm_io_space.h - device memory and registers, by physical address: MmMapIoSpace makes virtual addresses of them.
 * What is at those addresses is the test's affair: ntmm_io_space_add and ntmm_io_space_add_device (ntmm/ntmm.h) put windows there.
 *
 * Source  WDK reference: wdm.h; "Mapping bus-relative addresses to virtual addresses".
 */
#ifndef NTMM_DDK_WDM_MM_IO_SPACE_H
#define NTMM_DDK_WDM_MM_IO_SPACE_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Map a range of physical addresses: registers, device memory, or RAM that stays where it is.
 *
 * @param PhysicalAddress  first byte, on a page boundary or not; the address returned has the same offset on its page
 * @param NumberOfBytes    greater than zero
 * @param CacheType        MmNonCached, MmCached or MmWriteCombined; anything else: NULL
 * @return readable and writable, not executable; NULL, with the reason in ntmm_error(), when system PTEs or host mappings are short, where
 *         there is neither RAM nor a window, and when a page is mapped already with another cache type
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1233: a page of RAM that is free, or pageable and not locked; p2 its frame number.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @models    RAM in nonpaged pool, contiguous and noncached memory counts as locked; it is not held: its owner may free it under the mapping.
 *            The cache type is kept and compared, and has no effect on the host
 * @source    WDK reference: wdm.h, MmMapIoSpace; MEMORY_CACHING_TYPE; Bug Check 0x1A
 */
NTKERNELAPI PVOID MmMapIoSpace(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType);

/**
 * The same with a protection.
 *
 * @param Protect  exactly one of PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE, PAGE_EXECUTE_READ and PAGE_EXECUTE_READWRITE, and at most one of
 *                 PAGE_NOCACHE and PAGE_WRITECOMBINE, without which it is cached; anything else: NULL
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as MmMapIoSpace
 * @models    PAGE_EXECUTE can be read, too
 * @source    WDK reference: wdm.h, MmMapIoSpaceEx
 */
NTKERNELAPI PVOID MmMapIoSpaceEx(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, ULONG Protect);

/**
 * Undo either. The addresses fault from now on.
 *
 * @param BaseAddress    exactly what was returned
 * @param NumberOfBytes  what was asked for
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA) 0x400: another address or size, or unmapped already; p2 the address, p3 the pages that it and the size
 *            span. IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, MmUnmapIoSpace; Bug Check 0xDA
 */
NTKERNELAPI VOID MmUnmapIoSpace(PVOID BaseAddress, SIZE_T NumberOfBytes);

#ifdef __cplusplus
}
#endif
#endif
