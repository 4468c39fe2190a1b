/*
 * mm_physmem.h - physical memory itself: where it is, what lies behind an address, adding and removing it.
 *
 * Source  WDK reference: ntddk.h and wdm.h.
 */
#ifndef NTMM_DDK_WDM_MM_PHYSMEM_H
#define NTMM_DDK_WDM_MM_PHYSMEM_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _PHYSICAL_MEMORY_RANGE {
    PHYSICAL_ADDRESS BaseAddress;
    LARGE_INTEGER    NumberOfBytes;
} PHYSICAL_MEMORY_RANGE, *PPHYSICAL_MEMORY_RANGE;

typedef enum _MM_SYSTEM_SIZE { MmSmallSystem, MmMediumSystem, MmLargeSystem } MM_SYSTEMSIZE;

typedef struct _MM_COPY_ADDRESS {
    union {
        PVOID            VirtualAddress;
        PHYSICAL_ADDRESS PhysicalAddress;
    };
} MM_COPY_ADDRESS, *PMMCOPY_ADDRESS;
#define MM_COPY_MEMORY_PHYSICAL 0x1u
#define MM_COPY_MEMORY_VIRTUAL 0x2u

/**
 * The ranges of RAM, each with base and size in bytes; the last entry is zero.
 *
 * @return an array in nonpaged pool that the caller frees with ExFreePool; NULL when pool is short
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models    a snapshot: memory added later is not in it
 * @source    WDK reference: ntddk.h, MmGetPhysicalMemoryRangesEx2 (the other two have no page of their own)
 */
NTKERNELAPI PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRanges(VOID);

/**
 * The same of one memory partition.
 *
 * @param PartitionObject  NULL, the system partition; this machine has no other: any other value gives NULL
 */
NTKERNELAPI PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRangesEx(PVOID PartitionObject);

/**
 * The same with flags.
 *
 * @param Flags  which kinds of ranges and partitions; there is only one kind here, so all values mean the same
 */
NTKERNELAPI PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRangesEx2(PVOID PartitionObject, ULONG Flags);

/**
 * The physical address behind a virtual one.
 *
 * @param BaseAddress  in pool, contiguous or noncached memory, or any mapping of the machine's
 * @return 0 for an address that is not valid, and for the program's own globals and stacks, which lie in no simulated RAM (choice:
 * undefined)
 * @irql    any
 * @source  WDK reference: ntddk.h, MmGetPhysicalAddress
 */
NTKERNELAPI PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress);

/**
 * A virtual address of a physical one.
 *
 * @return the address in the map of all RAM, or of the page of paged pool that the frame backs; NULL for what is not RAM
 * @irql    any
 * @source  none (choice): declared in ntddk.h, without a page
 */
NTKERNELAPI PVOID MmGetVirtualForPhysical(PHYSICAL_ADDRESS PhysicalAddress);

/**
 * Would a read of this byte fault now?
 *
 * @return TRUE: it would not; that may change at once unless the caller owns the page
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: ntddk.h, MmIsAddressValid
 */
NTKERNELAPI BOOLEAN MmIsAddressValid(PVOID VirtualAddress);

/**
 * Copy from memory that may not be there.
 *
 * @param TargetAddress             a nonpageable buffer
 * @param SourceAddress             virtual or physical, as Flags says
 * @param Flags                     exactly one of MM_COPY_MEMORY_PHYSICAL (RAM only) and MM_COPY_MEMORY_VIRTUAL
 * @param NumberOfBytesTransferred  out: bytes copied before the first that could not be read
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_4 for other flags; STATUS_INVALID_ADDRESS for physical addresses outside RAM;
 *         STATUS_ACCESS_VIOLATION for a virtual address that cannot be read. The reference says "an error status": choice
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @source    WDK reference: ntddk.h, MmCopyMemory
 */
NTKERNELAPI NTSTATUS MmCopyMemory(PVOID TargetAddress, MM_COPY_ADDRESS SourceAddress, SIZE_T NumberOfBytes, ULONG Flags,
                                  PSIZE_T NumberOfBytesTransferred);

/**
 * Add RAM to the running machine.
 *
 * @param StartAddress   page-aligned physical address
 * @param NumberOfBytes  whole pages; set to the bytes added
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_1 or _2; STATUS_CONFLICTING_ADDRESSES when some of it is RAM already;
 *         STATUS_INSUFFICIENT_RESOURCES. The reference names none: choice
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    room is left for memory up to 4 GiB above the highest RAM at boot, and in all holes; new memory belongs to the node of its
 *            address
 * @source    WDK reference: ntddk.h, MmAddPhysicalMemory
 */
NTKERNELAPI NTSTATUS MmAddPhysicalMemory(PPHYSICAL_ADDRESS StartAddress, PLARGE_INTEGER NumberOfBytes);

/**
 * Take RAM out of the running machine.
 *
 * @param StartAddress   page-aligned physical address
 * @param NumberOfBytes  whole pages, all of them RAM; set to the bytes removed
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_1 or _2; STATUS_MEMORY_NOT_ALLOCATED when some of it is not RAM;
 * STATUS_INSUFFICIENT_RESOURCES
 *         when a frame of it is in use (choice: frames in use are not moved)
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @source    none (choice): declared in ntddk.h, without a page
 */
NTKERNELAPI NTSTATUS MmRemovePhysicalMemory(PPHYSICAL_ADDRESS StartAddress, PLARGE_INTEGER NumberOfBytes);

/**
 * How much memory is it sensible to use? Small below 64 MiB of RAM, medium below 1 GiB, else large (choice: the limits are not documented).
 *
 * @irql    any
 * @source  WDK reference: wdm.h, MmQuerySystemSize
 */
NTKERNELAPI MM_SYSTEMSIZE MmQuerySystemSize(VOID);

/**
 * TRUE on a server edition: ntmm_config.server.
 *
 * @irql    any
 * @source  WDK reference: ntddk.h, MmIsThisAnNtAsSystem
 */
NTKERNELAPI BOOLEAN MmIsThisAnNtAsSystem(VOID);

/**
 * The address of a kernel or HAL routine, by name: how a driver finds out whether this Windows has it.
 *
 * @param SystemRoutineName  exact name, upper and lower case as declared
 * @return NULL: there is no such routine (here: the driver headers do not declare it, or the Windows that the machine plays is older)
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, MmGetSystemRoutineAddress
 */
NTKERNELAPI PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName);

#ifdef __cplusplus
}
#endif
#endif
