/*
 * mm_contiguous.h - memory whose pages follow each other in physical address space, for devices that can do no better; and noncached
 * memory. Contiguous memory is handed out of the map of all RAM, so its virtual addresses cost no mapping. Which physical addresses will do
 * is the caller's to say: each routine below is the one before with one more wish.
 *
 * Source  WDK reference: wdm.h and ntddk.h, "Allocating system-space memory".
 */
#ifndef NTMM_DDK_WDM_MM_CONTIGUOUS_H
#define NTMM_DDK_WDM_MM_CONTIGUOUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY 0x00000001u

/**
 * Allocate contiguous, executable, cached memory at or below a physical address.
 *
 * @param NumberOfBytes             rounded up to whole pages; what lies beyond the bytes asked for is not the caller's. 0: NULL
 * @param HighestAcceptableAddress  last physical address that will do, e.g. 0xFFFFFF for an ISA device; whole pages must lie at or below it
 * @return page-aligned address, contents undefined; NULL when no such run of frames is free
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @models    the search takes high addresses first, so that low memory survives for those who need it
 * @source    WDK reference: wdm.h, MmAllocateContiguousMemory
 */
NTKERNELAPI PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress);

/**
 * The same between two physical addresses, not crossing a multiple of a third, with a cache type.
 *
 * @param LowestAcceptableAddress    first physical address that will do
 * @param BoundaryAddressMultiple    0, or a power of two: no byte of the block lies on the other side of a multiple of it. Else NULL
 * @param CacheType                  MmNonCached, MmCached or MmWriteCombined; anything else: NULL
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @models    the cache type is kept and checked, and has no effect on the host
 * @source    WDK reference: wdm.h, MmAllocateContiguousMemorySpecifyCache
 */
NTKERNELAPI PVOID MmAllocateContiguousMemorySpecifyCache(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                         PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                         PHYSICAL_ADDRESS BoundaryAddressMultiple, MEMORY_CACHING_TYPE CacheType);

/**
 * The same from one NUMA node.
 *
 * @param PreferredNode  a node number: only that node will do; MM_ANY_NODE_OK: any, and with a number beside it that node first
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, MmAllocateContiguousMemorySpecifyCacheNode
 */
NTKERNELAPI PVOID MmAllocateContiguousMemorySpecifyCacheNode(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                             PHYSICAL_ADDRESS HighestAcceptableAddress,
                                                             PHYSICAL_ADDRESS BoundaryAddressMultiple, MEMORY_CACHING_TYPE CacheType,
                                                             NODE_REQUIREMENT PreferredNode);

/**
 * The same with a protection instead of a cache type.
 *
 * @param Protect  exactly one of PAGE_READWRITE (no execution) and PAGE_EXECUTE_READWRITE, and at most one of PAGE_NOCACHE and
 *                 PAGE_WRITECOMBINE; anything else: NULL
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: ntddk.h, MmAllocateContiguousNodeMemory
 */
NTKERNELAPI PVOID MmAllocateContiguousNodeMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                 PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                 ULONG Protect, NODE_REQUIREMENT PreferredNode);

/**
 * The same with a tag and a status.
 *
 * @param NumberOfBytes    in: bytes wanted; out, on success: bytes allocated, whole pages
 * @param PreferredNode    that node first, then any; MM_ANY_NODE_OK: any
 * @param PartitionObject  NULL, the system partition; this machine has no other
 * @param Tag              shown where the block is shown; 0: 'MmCm'
 * @param Flags            0 or MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY: fail where free frames would first have to be collected, or pages put out
 * @param BaseAddress      out: the block; NULL on failure
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_n; STATUS_INSUFFICIENT_RESOURCES. The reference names none: choice
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, MmAllocateContiguousMemoryEx
 */
NTKERNELAPI NTSTATUS MmAllocateContiguousMemoryEx(PSIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                  PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                  NODE_REQUIREMENT PreferredNode, ULONG Protect, PVOID PartitionObject, ULONG Tag,
                                                  ULONG Flags, PVOID *BaseAddress);

/**
 * Free what any of the routines above returned.
 *
 * @param BaseAddress  exactly what was returned
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL when the machine's Windows is older than Server 2008
 * @bugcheck  BAD_POOL_CALLER (0xC2) 0x60: not the base of contiguous memory, or freed already; p2 the address.
 *            PFN_LIST_CORRUPT (0x4E) 0x9A: a page of it is still locked; p2 PFN, p3 its list, p4 its references.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @source    WDK reference: wdm.h, MmFreeContiguousMemory; Bug Check 0xC2
 */
NTKERNELAPI VOID MmFreeContiguousMemory(PVOID BaseAddress);

/**
 * The same, naming size and cache type once more.
 *
 * @param NumberOfBytes  what was asked for
 * @param CacheType      what was asked for
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as MmFreeContiguousMemory, and 0xC2/0x60 when size or type differ (choice: the reference says only that they must match)
 * @source    WDK reference: wdm.h, MmFreeContiguousMemorySpecifyCache
 */
NTKERNELAPI VOID MmFreeContiguousMemorySpecifyCache(PVOID BaseAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType);

/**
 * Allocate whole pages of nonpaged, noncached memory, which need not follow each other in physical address space.
 *
 * @param NumberOfBytes  rounded up to whole pages. 0: NULL
 * @return page-aligned address, contents undefined; NULL when frames or system PTEs are short
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    the pages are ordinary memory of the host: noncached in name
 * @source    WDK reference: ntddk.h, MmAllocateNonCachedMemory
 */
NTKERNELAPI PVOID MmAllocateNonCachedMemory(SIZE_T NumberOfBytes);

/**
 * Free noncached memory.
 *
 * @param BaseAddress    exactly what was returned
 * @param NumberOfBytes  what was asked for
 * @irql      <= APC_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA): 0x302 nothing is mapped there, 0x304 not the base, 0x305 another size (p3 pages said, p4 pages
 *            held); PFN_LIST_CORRUPT (0x4E) 0x9A: a page of it is still locked. The reference names none: choice.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @source    WDK reference: ntddk.h, MmFreeNonCachedMemory; Bug Check 0xDA
 */
NTKERNELAPI VOID MmFreeNonCachedMemory(PVOID BaseAddress, SIZE_T NumberOfBytes);

#ifdef __cplusplus
}
#endif
#endif
