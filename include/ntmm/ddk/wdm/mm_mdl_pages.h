/*
 * mm_mdl_pages.h - pages of RAM that come with an MDL and without an address, from ranges of physical addresses.
 * Fewer pages than were asked for is a success: MmGetMdlByteCount says how many there are.
 *
 * Source  WDK reference: wdm.h.
 */
#ifndef NTMM_DDK_WDM_MM_MDL_PAGES_H
#define NTMM_DDK_WDM_MM_MDL_PAGES_H

#include "machine.h"
#include "mdl.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MM_DONT_ZERO_ALLOCATION 0x00000001u
#define MM_ALLOCATE_FROM_LOCAL_NODE_ONLY 0x00000002u
#define MM_ALLOCATE_FULLY_REQUIRED 0x00000004u
#define MM_ALLOCATE_NO_WAIT 0x00000008u
#define MM_ALLOCATE_PREFER_CONTIGUOUS 0x00000010u
#define MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS 0x00000020u
#define MM_ALLOCATE_FAST_LARGE_PAGES 0x00000040u
#define MM_ALLOCATE_AND_HOT_REMOVE 0x00000100u

/**
 * Allocate pages, filled with zeros, and an MDL that describes them. They are locked, and not mapped.
 *
 * @param LowAddress   the first range of physical addresses begins here
 * @param HighAddress  and ends here: pages lie in it with all of their bytes
 * @param SkipBytes    multiple of PAGE_SIZE: the next range begins so much further on, for the pages that are missing; 0: there is none
 * @param TotalBytes   rounded up to pages; at most 4 GiB - PAGE_SIZE
 * @return NULL: no page at all, no pool for the MDL, or a parameter that is not allowed, which ntmm_error() names
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL when the machine's Windows is older than Server 2008
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @source    WDK reference: wdm.h, MmAllocatePagesForMdl
 */
NTKERNELAPI PMDL MmAllocatePagesForMdl(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                       SIZE_T TotalBytes);

/**
 * The same with a cache type and flags.
 *
 * @param Flags  MM_DONT_ZERO_ALLOCATION: what is in the pages stays there. MM_ALLOCATE_FROM_LOCAL_NODE_ONLY: of the thread's node alone.
 *               MM_ALLOCATE_FULLY_REQUIRED: all, or NULL. MM_ALLOCATE_NO_WAIT: pageable memory is not put out to make room, as at
 *               DISPATCH_LEVEL. MM_ALLOCATE_PREFER_CONTIGUOUS: in as few runs as possible. MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS: SkipBytes 0:
 *               one run, or NULL; a power of two that divides TotalBytes: runs of that length, aligned to it, maybe fewer.
 *               MM_ALLOCATE_FAST_LARGE_PAGES: with that flag and SkipBytes a multiple of a large page: only runs that need not be collected.
 *               MM_ALLOCATE_AND_HOT_REMOVE: the pages leave the machine; MmAddPhysicalMemory brings them back
 * @irql      <= DISPATCH_LEVEL; PASSIVE_LEVEL with MM_ALLOCATE_AND_HOT_REMOVE
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @models    large pages: what one page-directory entry maps, 2 MiB with pages of 4 KiB
 * @source    WDK reference: wdm.h, MmAllocatePagesForMdlEx
 */
NTKERNELAPI PMDL MmAllocatePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                         SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG Flags);

/**
 * The same from a NUMA node, and from others when that has no more.
 *
 * @param IdealNode  with MM_ALLOCATE_FROM_LOCAL_NODE_ONLY: only that one. MM_ANY_NODE_OK: any
 * @irql      as MmAllocatePagesForMdlEx
 * @bugcheck  as MmAllocatePagesForMdlEx
 * @source    WDK reference: wdm.h, MmAllocateNodePagesForMdlEx
 */
NTKERNELAPI PMDL MmAllocateNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                             SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG IdealNode, ULONG Flags);

/**
 * The same in a partition.
 *
 * @param PartitionObject  NULL, the system partition; this machine has no other
 * @irql      as MmAllocatePagesForMdlEx
 * @bugcheck  as MmAllocatePagesForMdlEx
 * @source    WDK: wdm.h, declared without a page
 */
NTKERNELAPI PMDL MmAllocatePartitionNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                                      SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG IdealNode, ULONG Flags,
                                                      PVOID PartitionObject);

/**
 * Free the pages, and a system mapping of theirs first; the MDL is ExFreePool's.
 *
 * @param MemoryDescriptorList  from one of the routines above
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL when the machine's Windows is older than Server 2008
 * @bugcheck  PFN_LIST_CORRUPT (0x4E): 0x99 a page is no such page, or freed already (p2 frame number, p3 its list); 0x9A a page is locked by
 *            another MDL (p4 how often). IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @models    before Windows 7 a mapping is not removed, as documented
 * @source    WDK reference: wdm.h, MmFreePagesFromMdl; Bug Check 0x4E
 */
NTKERNELAPI VOID MmFreePagesFromMdl(PMDL MemoryDescriptorList);

#ifdef __cplusplus
}
#endif
#endif
