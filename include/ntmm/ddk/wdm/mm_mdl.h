/*
 * mm_mdl.h - locking the pages of a buffer, and giving them addresses of the system.
 *
 *     IoAllocateMdl --> MmProbeAndLockPages --> MmGetSystemAddressForMdlSafe --> MmUnlockPages --> IoFreeMdl
 *                       or MmBuildMdlForNonPagedPool, which needs neither mapping nor unlocking
 *
 * Source  WDK reference: wdm.h, ntddk.h, "Using MDLs".
 */
#ifndef NTMM_DDK_WDM_MM_MDL_H
#define NTMM_DDK_WDM_MM_MDL_H

#include "ke_irql.h"
#include "machine.h"
#include "mdl.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _LOCK_OPERATION { IoReadAccess, IoWriteAccess, IoModifyAccess } LOCK_OPERATION;
typedef enum _MM_PAGE_PRIORITY { LowPagePriority, NormalPagePriority = 16, HighPagePriority = 32 } MM_PAGE_PRIORITY;
#define MdlMappingNoWrite 0x80000000u
#define MdlMappingNoExecute 0x40000000u

typedef void *PVOID64;
typedef union _FILE_SEGMENT_ELEMENT {
    PVOID64   Buffer;
    ULONGLONG Alignment;
} FILE_SEGMENT_ELEMENT, *PFILE_SEGMENT_ELEMENT;

/* ---- which frames ---- */

/**
 * Fill the array of an MDL whose buffer is nonpaged: pool, contiguous memory, a mapping, the driver's globals. It counts as mapped, too, at
 * the buffer's own address.
 *
 * @param MemoryDescriptorList  its header says which buffer. Not one on a kernel stack (see MmProbeAndLockPages)
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1240: a page of the buffer is not there; p2 the MDL, p3 its PTE.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @models    memory of the host process (globals, stacks) has frame numbers of its own, above all RAM
 * @source    WDK reference: wdm.h, MmBuildMdlForNonPagedPool; Bug Check 0x1A
 */
NTKERNELAPI VOID MmBuildMdlForNonPagedPool(PMDLX MemoryDescriptorList);

/**
 * Bring the pages of a buffer in, look whether they may be used in that way, lock them in RAM, and fill the array. A page that several MDLs
 * lock stays until the last of them unlocks it.
 *
 * @param MemoryDescriptorList  neither locked, partial nor built for nonpaged pool
 * @param AccessMode  UserMode: only addresses of user space will do
 * @param Operation   IoReadAccess; IoWriteAccess and IoModifyAccess: the pages will be written, and count as such when they are unlocked
 * @irql      <= APC_LEVEL; DISPATCH_LEVEL for memory that is not pageable
 * @return    raises STATUS_ACCESS_VIOLATION: a page is nobody's, or may not be used so; STATUS_IN_PAGE_ERROR;
 *            STATUS_INSUFFICIENT_RESOURCES: there is no frame for a page, or an injected failure; STATUS_GUARD_PAGE_VIOLATION. Nothing is locked then
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): above DISPATCH_LEVEL, or there with pageable memory; p1 the page then
 * @source    WDK reference: wdm.h, MmProbeAndLockPages
 */
NTKERNELAPI VOID MmProbeAndLockPages(PMDLX MemoryDescriptorList, KPROCESSOR_MODE AccessMode, LOCK_OPERATION Operation);

/**
 * The same for pages here and there: one for each page of the MDL's buffer.
 *
 * @param SegmentArray  Buffer: an address on each page
 * @irql      <= APC_LEVEL
 * @return    as MmProbeAndLockPages
 * @source    WDK reference: wdm.h, MmProbeAndLockSelectedPages
 */
NTKERNELAPI VOID MmProbeAndLockSelectedPages(PMDLX MemoryDescriptorList, PFILE_SEGMENT_ELEMENT SegmentArray, KPROCESSOR_MODE AccessMode,
                                             LOCK_OPERATION Operation);

/**
 * MmProbeAndLockPages in the address space of a process.
 *
 * @param Process  where user addresses are meant; the caller is attached to it meanwhile
 * @irql      <= APC_LEVEL; DISPATCH_LEVEL for memory that is not pageable
 * @return    as MmProbeAndLockPages
 * @source    WDK: ntddk.h, declared without a page
 */
NTKERNELAPI VOID MmProbeAndLockProcessPages(PMDL MemoryDescriptorList, PEPROCESS Process, KPROCESSOR_MODE AccessMode,
                                            LOCK_OPERATION Operation);

/**
 * Undo MmProbeAndLockPages, and a system mapping of the MDL first. The array is worth nothing afterwards.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  PFN_LIST_CORRUPT (0x4E) 0x7: a page is not locked; p2 its frame number, p3 how often it is locked. PROCESS_HAS_LOCKED_PAGES (0x76)
 *            0x1: the same with an MDL of a process; p2 the MDL, p3 the locked pages of the process.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, MmUnlockPages; Bug Checks 0x4E, 0x76
 */
NTKERNELAPI VOID MmUnlockPages(PMDLX MemoryDescriptorList);

/**
 * Move the start of the buffer; its end stays. Pages that are passed are unlocked, and unmapped where the mapping is a real one.
 *
 * @param NumberOfBytes  at most the buffer's bytes
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_2: past the end
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, MmAdvanceMdl
 */
NTKERNELAPI NTSTATUS MmAdvanceMdl(PMDL Mdl, ULONG NumberOfBytes);

/* ---- addresses ---- */

/**
 * Give the buffer an address of the system, with the same offset on its page.
 *
 * @param MemoryDescriptorList  locked, built, or partial; mapped at most once in the system
 * @param AccessMode         KernelMode; UserMode: an address of the current process instead, which raises when it cannot be had
 * @param CacheType          for pages that have none yet, those of MmAllocatePagesForMdl; else ignored
 * @param RequestedAddress   UserMode: where, rounded down to a page; NULL: anywhere. KernelMode: ignored
 * @param BugCheckOnFailure  TRUE: bug check 0x3F instead of NULL
 * @param Priority           MM_PAGE_PRIORITY: how scarce system PTEs may be; or-ed with MdlMappingNoWrite, MdlMappingNoExecute
 * @return the address; NULL, with the reason in ntmm_error(), when system PTEs or host mappings are short, and for a cache type that is none
 * @irql      <= DISPATCH_LEVEL; UserMode: <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1236: a page is not locked; p2 the MDL, p3 the slot of the array, p4 what it says.
 *            NO_MORE_SYSTEM_PTES (0x3F). IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @models    pages that follow each other in the map of RAM, or in paged pool, are seen where they are, at no cost: such a mapping is
 *            executable only if the memory is, and does not go away when it is unmapped. UserMode: always a mapping of its own
 * @source    WDK reference: wdm.h, MmMapLockedPagesSpecifyCache; Bug Checks 0x1A, 0x3F
 */
NTKERNELAPI PVOID MmMapLockedPagesSpecifyCache(PMDLX MemoryDescriptorList, KPROCESSOR_MODE AccessMode, MEMORY_CACHING_TYPE CacheType,
                                               PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority);

/**
 * The same, cached, with a bug check when it fails, unless MDL_MAPPING_CAN_FAIL is set.
 * @irql      as MmMapLockedPagesSpecifyCache
 * @bugcheck  as MmMapLockedPagesSpecifyCache
 * @source    WDK reference: wdm.h, MmMapLockedPages (obsolete)
 */
NTKERNELAPI PVOID MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode);

/**
 * Undo either.
 *
 * @param BaseAddress  exactly what was returned
 * @irql      <= DISPATCH_LEVEL; <= APC_LEVEL for a user address
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA): 0x06 the MDL is not mapped, or shares the mapping of the one it was made from; p2 the MDL, p3
 *            BaseAddress, p4 pages. 0x02 another number of pages than was mapped, 0x03 another address, 0x04 another first frame, 0x05 another
 *            StartVa: p2 where the mapping is recorded, p3 what was expected, p4 what is said.
 *            IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @source    WDK reference: wdm.h, MmUnmapLockedPages; Bug Check 0xDA
 */
NTKERNELAPI VOID MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList);

/**
 * Another protection for the system mapping of an MDL.
 *
 * @param NewProtect  PAGE_NOACCESS, PAGE_READONLY, PAGE_READWRITE, PAGE_EXECUTE, PAGE_EXECUTE_READ or PAGE_EXECUTE_READWRITE
 * @return STATUS_SUCCESS; STATUS_INVALID_PAGE_PROTECTION; STATUS_NOT_MAPPED_VIEW; STATUS_INSUFFICIENT_RESOURCES: the host refuses
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1235: MappedSystemVa is no mapping
 * @models    where the mapping is the memory's own place, which is not for one MDL to close, it has no effect
 * @source    WDK reference: wdm.h, MmProtectMdlSystemAddress; Bug Check 0x1A
 */
NTKERNELAPI NTSTATUS MmProtectMdlSystemAddress(PMDL MemoryDescriptorList, ULONG NewProtect);

typedef VOID            MM_MDL_ROUTINE(PVOID DriverContext, PVOID MappedVa);
typedef MM_MDL_ROUTINE *PMM_MDL_ROUTINE;

/**
 * Call a routine with the buffer's system address; an MDL that was not mapped is mapped for that call only.
 *
 * @param Protection     of a mapping that is made for the call: one of those of MmProtectMdlSystemAddress
 * @param DriverRoutine  called at the caller's IRQL
 * @return STATUS_SUCCESS; STATUS_INVALID_PAGE_PROTECTION; STATUS_INSUFFICIENT_RESOURCES: no mapping, the routine was not called
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, MmMapMdl, MM_MDL_ROUTINE
 */
NTKERNELAPI NTSTATUS MmMapMdl(PMDLX MemoryDescriptorList, ULONG Protection, PMM_MDL_ROUTINE DriverRoutine, PVOID DriverContext);

#define MM_DUMP_MAP_CACHED 0x1u
#define MM_DUMP_MAP_INVALIDATE 0x2u

/**
 * Map an MDL at addresses that were reserved before: for whoever writes a dump.
 *
 * @param Va             from MmAllocateMappingAddress, whatever its tag
 * @param PageTotal      pages of that range
 * @param MemoryDumpMdl  what to map; what was mapped there before is no longer
 * @param Flags          MM_DUMP_MAP_CACHED is ignored; MM_DUMP_MAP_INVALIDATE: unmap, map nothing
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_n; STATUS_INSUFFICIENT_RESOURCES
 * @irql   any on Windows; here <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, MmMapMemoryDumpMdlEx; the statuses are a choice
 */
NTKERNELAPI NTSTATUS MmMapMemoryDumpMdlEx(PVOID Va, PFN_NUMBER PageTotal, PMDL MemoryDumpMdl, ULONG Flags);

/* ---- addresses that are reserved before there is something to map: mapping then cannot fail ---- */

/**
 * Reserve system addresses, and what the host needs to map so many pages there one by one.
 *
 * @param NumberOfBytes  of the largest buffer; add a page for its offset
 * @param PoolTag        names the owner: the routines below want the same one
 * @return the addresses, which fault until something is mapped; NULL, with the reason in ntmm_error()
 * @irql      <= APC_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA) 0x100: no bytes; p2 0, p3 tag, p4 caller
 * @source    WDK reference: wdm.h, MmAllocateMappingAddress; Bug Check 0xDA
 */
NTKERNELAPI PVOID MmAllocateMappingAddress(SIZE_T NumberOfBytes, ULONG PoolTag);

#define MM_MAPPING_ADDRESS_DIVISIBLE 0x1u

/**
 * The same with flags.
 * @param Flags  MM_MAPPING_ADDRESS_DIVISIBLE: accepted and without effect, a range is mapped and freed as one; other bits: NULL
 * @irql      <= APC_LEVEL
 * @bugcheck  as MmAllocateMappingAddress
 * @source    WDK reference: wdm.h, MmAllocateMappingAddressEx, which does not say what the flags are
 */
NTKERNELAPI PVOID MmAllocateMappingAddressEx(SIZE_T NumberOfBytes, ULONG PoolTag, ULONG Flags);

/**
 * Free reserved addresses.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA): p2 the address, p3 the tag. 0x101 not the owner's tag (p4); 0x102 nothing is reserved there; 0x103 a
 *            mapping is there still (p2 its first page, p4 pages)
 * @source    WDK reference: wdm.h, MmFreeMappingAddress; Bug Check 0xDA
 */
NTKERNELAPI VOID MmFreeMappingAddress(PVOID BaseAddress, ULONG PoolTag);

/**
 * Map an MDL at reserved addresses.
 *
 * @param MemoryDescriptorList  as for MmMapLockedPagesSpecifyCache; no larger than the range
 * @return the buffer's address, with its offset on the page, which MappedSystemVa does not have; NULL: the MDL is too large
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA): p2 MappingAddress. 0x104 not the owner's tag (p3 tag, p4 owner's); 0x105 nothing is reserved there
 *            (p3 tag); 0x107 something is mapped there (p3 the page, p4 the last page). MEMORY_MANAGEMENT (0x1A) 0x1236
 * @source    WDK reference: wdm.h, MmMapLockedPagesWithReservedMapping; Bug Check 0xDA
 */
NTKERNELAPI PVOID MmMapLockedPagesWithReservedMapping(PVOID MappingAddress, ULONG PoolTag, PMDL MemoryDescriptorList,
                                                      MEMORY_CACHING_TYPE CacheType);

/**
 * Undo that. The addresses stay reserved.
 *
 * @param BaseAddress  the reserved addresses
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  SYSTEM_PTE_MISUSE (0xDA): p2 BaseAddress. 0x108 not the owner's tag (p3 tag, p4 owner's); 0x109 nothing is reserved there (p3 tag);
 *            0x10A the MDL has more pages than the range (p3 pages of the range, p4 of the MDL); 0x10B nothing is mapped there, or less (p3 tag,
 *            p4 pages of the MDL); 0x10C more is mapped there (p3 tag, p4 pages of the MDL)
 * @source    WDK reference: wdm.h, MmUnmapReservedMapping; Bug Check 0xDA
 */
NTKERNELAPI VOID MmUnmapReservedMapping(PVOID BaseAddress, ULONG PoolTag, PMDL MemoryDescriptorList);

/* ---- the words that most drivers use ---- */

/**
 * The system address of the buffer; it is mapped if it is not yet.
 * @return NULL when there is no mapping to be had
 * @irql   <= DISPATCH_LEVEL; one thread at a time for each MDL
 * @source WDK reference: wdm.h, MmGetSystemAddressForMdlSafe
 */
FORCEINLINE PVOID MmGetSystemAddressForMdlSafe(PMDL Mdl, ULONG Priority)
{
    if ((Mdl->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0)
        return Mdl->MappedSystemVa;
    return MmMapLockedPagesSpecifyCache(Mdl, KernelMode, MmCached, NULL, FALSE, Priority);
}

/** The same with a bug check when it fails. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, MmGetSystemAddressForMdl (obsolete) */
#define MmGetSystemAddressForMdl(Mdl) \
    ((((Mdl)->MdlFlags & (MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) != 0) ? (Mdl)->MappedSystemVa \
                                                                                        : MmMapLockedPages((Mdl), KernelMode))

/**
 * Before a partial MDL is built again: a mapping of its own goes. Others are left alone.
 * @irql   <= DISPATCH_LEVEL
 * @source WDK reference: wdm.h, MmPrepareMdlForReuse
 */
FORCEINLINE VOID MmPrepareMdlForReuse(PMDL Mdl)
{
    if ((Mdl->MdlFlags & MDL_PARTIAL_HAS_BEEN_MAPPED) != 0)
        MmUnmapLockedPages(Mdl->MappedSystemVa, Mdl);
}

#ifdef __cplusplus
}
#endif
#endif
