/*
 * mm_virtual.h - the virtual memory of a process, as an application allocates, protects and frees it.
 * In all of them ProcessHandle is a handle of a process (ObOpenObjectByPointer), or NtCurrentProcess() for that in which the thread runs. Each has a
 * form with Nt in front, which is the same here: every caller counts as kernel mode.
 *
 * Source  WDK reference: ntifs.h.
 */
#ifndef NTMM_DDK_NTIFS_MM_VIRTUAL_H
#define NTMM_DDK_NTIFS_MM_VIRTUAL_H

#ifdef __cplusplus
extern "C" {
#endif

#define PROCESS_VM_OPERATION 0x0008u
#define PROCESS_VM_READ 0x0010u
#define PROCESS_VM_WRITE 0x0020u
#define PROCESS_QUERY_INFORMATION 0x0400u

#define MEM_PHYSICAL 0x00400000
#define MEM_WRITE_WATCH 0x00200000

/**
 * Reserve, commit, or both.
 *
 * @param BaseAddress     in: where, rounded down to 64 KiB when something is reserved, to a page when not; NULL: wherever there is room. Out:
 *                        where it is
 * @param ZeroBits        how many of the upper bits of a 32-bit address must be zero, below 21; above 32 a mask of the bits that may be set.
 *                        Counts only when *BaseAddress is NULL
 * @param RegionSize      in: bytes, not 0. Out: whole pages
 * @param AllocationType  MEM_RESERVE, MEM_COMMIT (with NULL for an address both), MEM_TOP_DOWN with them; MEM_WRITE_WATCH with MEM_RESERVE;
 *                        MEM_LARGE_PAGES with both of MEM_RESERVE and MEM_COMMIT, address and size being multiples of 2 MiB; MEM_PHYSICAL with
 *                        MEM_RESERVE and nothing else. Or alone: MEM_RESET, what committed pages hold is of no interest; MEM_RESET_UNDO,
 *                        since Windows 8: it is, after all
 * @param Protect         one PAGE_* way of access, perhaps with PAGE_GUARD, PAGE_NOCACHE or PAGE_WRITECOMBINE. MEM_PHYSICAL: PAGE_READWRITE;
 *                        MEM_LARGE_PAGES: PAGE_READWRITE or PAGE_EXECUTE_READWRITE
 * @return    STATUS_SUCCESS; STATUS_INVALID_PARAMETER_2: no user address; _3: ZeroBits; _4: RegionSize 0, or beyond user addresses; _5:
 *            AllocationType; STATUS_INVALID_PAGE_PROTECTION; STATUS_CONFLICTING_ADDRESSES: something is there, or, to be committed, is not
 *            reserved, or the address lies outside of this machine's user memory; STATUS_NO_MEMORY: no room among the addresses;
 *            STATUS_COMMITMENT_LIMIT; STATUS_INSUFFICIENT_RESOURCES, also where RAM has no large pages; STATUS_USER_MAPPED_FILE: what is to be
 *            reset is over a file; STATUS_UNSUCCESSFUL: some of what was reset is lost; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_PROCESS_IS_TERMINATING. Which of them when is partly a choice
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models    a page that is committed again keeps its contents and gets the new protection. MEM_WRITE_WATCH has no effect: there is no
 *            routine for drivers that asks what was written. Privileges are not looked at
 * @source    WDK reference: ntifs.h, ZwAllocateVirtualMemory, NtAllocateVirtualMemory; Windows API: VirtualAlloc
 */
NTSYSAPI NTSTATUS ZwAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                          ULONG AllocationType, ULONG Protect);
NTSYSAPI NTSTATUS NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize,
                                          ULONG AllocationType, ULONG Protect);

/**
 * Give pages back to the system, addresses too, or not.
 *
 * @param BaseAddress  in: rounded down to a page; out: likewise
 * @param RegionSize   in: bytes, rounded up to the end of a page; 0: all of the allocation that begins at *BaseAddress, which MEM_RELEASE
 *                     wants. Out: what was freed
 * @param FreeType     MEM_DECOMMIT: the pages are reserved from now on, if they were committed; or MEM_RELEASE: all of it is free
 * @return    STATUS_SUCCESS; STATUS_INVALID_PARAMETER_2: no user address; _3: RegionSize beyond user addresses, or not 0 with MEM_RELEASE; _4:
 *            FreeType; STATUS_MEMORY_NOT_ALLOCATED; STATUS_FREE_VM_NOT_AT_BASE; STATUS_UNABLE_TO_FREE_VM: beyond the allocation;
 *            STATUS_UNABLE_TO_DELETE_SECTION: a view of a section; STATUS_UNABLE_TO_DECOMMIT_VM: locked for I/O;
 *            STATUS_INVALID_PAGE_PROTECTION: secured; STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_PROCESS_IS_TERMINATING.
 *            The page names only those of the handle: choice
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    WDK reference: ntifs.h, ZwFreeVirtualMemory, NtFreeVirtualMemory
 */
NTSYSAPI NTSTATUS ZwFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType);
NTSYSAPI NTSTATUS NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType);

/**
 * Change how committed pages may be used.
 *
 * @param BaseAddress    in: rounded down to a page; out: likewise
 * @param RegionSize     in: bytes, not 0; out: whole pages
 * @param NewProtect     as for ZwAllocateVirtualMemory; in views of sections PAGE_WRITECOPY and PAGE_EXECUTE_WRITECOPY, too
 * @param OldProtect     out: that of the first page
 * @return    STATUS_SUCCESS; STATUS_INVALID_PARAMETER_2: no user address; _3: RegionSize; STATUS_INVALID_PAGE_PROTECTION, also for what is
 *            secured; STATUS_CONFLICTING_ADDRESSES: not all of it in one allocation; STATUS_NOT_COMMITTED; STATUS_SECTION_PROTECTION;
 *            STATUS_COMMITMENT_LIMIT; those of the handle
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    declared in ntifs.h without a page; Windows API: VirtualProtect. The statuses are a choice
 */
NTSYSAPI NTSTATUS ZwProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG NewProtect, PULONG OldProtect);
NTSYSAPI NTSTATUS NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG NewProtect, PULONG OldProtect);

/* ---- asking ---- */

typedef enum _MEMORY_INFORMATION_CLASS { MemoryBasicInformation } MEMORY_INFORMATION_CLASS;

typedef struct _MEMORY_BASIC_INFORMATION {
    PVOID  BaseAddress;       /* of the page that was asked for */
    PVOID  AllocationBase;    /* NULL: it is free */
    ULONG  AllocationProtect; /* as it was allocated; 0: it is free */
    USHORT PartitionId;       /* 0 */
    SIZE_T RegionSize;        /* bytes of the pages from BaseAddress on that are alike */
    ULONG  State;             /* MEM_COMMIT, MEM_RESERVE, MEM_FREE */
    ULONG  Protect;           /* 0: reserved; PAGE_NOACCESS: free */
    ULONG  Type;              /* MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE; 0: free */
} MEMORY_BASIC_INFORMATION, *PMEMORY_BASIC_INFORMATION;
NTMM_LAYOUT(sizeof(MEMORY_BASIC_INFORMATION) == 48 && FIELD_OFFSET(MEMORY_BASIC_INFORMATION, RegionSize) == 24, "x64");
NTMM_LAYOUT(FIELD_OFFSET(MEMORY_BASIC_INFORMATION, State) == 32 && FIELD_OFFSET(MEMORY_BASIC_INFORMATION, Type) == 40, "x64");

/**
 * What is at an address, and how far does it go?
 *
 * @param BaseAddress              rounded down to a page
 * @param MemoryInformationClass   MemoryBasicInformation
 * @param MemoryInformation        out: MEMORY_BASIC_INFORMATION
 * @param MemoryInformationLength  its bytes, or more
 * @param ReturnLength             NULL, or out: bytes that were written
 * @return    STATUS_SUCCESS; STATUS_INVALID_PARAMETER: no user address; STATUS_INVALID_INFO_CLASS; STATUS_INFO_LENGTH_MISMATCH;
 *            STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_PROCESS_IS_TERMINATING
 * @irql      PASSIVE_LEVEL (choice: the reference is silent)
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models    addresses of other processes are free
 * @source    WDK reference: ntifs.h, ZwQueryVirtualMemory, NtQueryVirtualMemory
 */
NTSYSAPI NTSTATUS ZwQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, MEMORY_INFORMATION_CLASS MemoryInformationClass,
                                       PVOID MemoryInformation, SIZE_T MemoryInformationLength, PSIZE_T ReturnLength);
NTSYSAPI NTSTATUS NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, MEMORY_INFORMATION_CLASS MemoryInformationClass,
                                       PVOID MemoryInformation, SIZE_T MemoryInformationLength, PSIZE_T ReturnLength);

/* ---- fetching and locking ---- */

#define MAP_PROCESS 1u /* as VirtualLock: in the working set of the process */
#define MAP_SYSTEM 2u  /* in RAM */

/**
 * Committed pages come into RAM and stay there, until they are unlocked, freed, or the process ends.
 *
 * @param BaseAddress  in: rounded down to a page; out: likewise
 * @param RegionSize   in: bytes, not 0; out: whole pages
 * @param MapType      MAP_PROCESS, MAP_SYSTEM, or both
 * @return    STATUS_SUCCESS; STATUS_WAS_LOCKED, a success: some were already; STATUS_ACCESS_VIOLATION: not all of it is committed and may be
 *            read; STATUS_GUARD_PAGE_VIOLATION; STATUS_WORKING_SET_QUOTA: more than a quarter of RAM; STATUS_INVALID_PARAMETER_2 to _4; those
 *            of the handle. After a failure nothing more is locked than before
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    declared in ntifs.h without a page; Windows API: VirtualLock. The statuses and the limit are a choice
 */
NTSYSAPI NTSTATUS ZwLockVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG MapType);

/**
 * And back. One call undoes any number of locks.
 *
 * @return    STATUS_SUCCESS; STATUS_NOT_LOCKED: some are not locked in that way, and nothing has changed; STATUS_INVALID_PARAMETER_2 to _4;
 *            those of the handle
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    declared in ntifs.h without a page; Windows API: VirtualUnlock
 */
NTSYSAPI NTSTATUS ZwUnlockVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG MapType);

typedef enum _VIRTUAL_MEMORY_INFORMATION_CLASS { VmPrefetchInformation } VIRTUAL_MEMORY_INFORMATION_CLASS;
typedef struct _MEMORY_RANGE_ENTRY {
    PVOID  VirtualAddress;
    SIZE_T NumberOfBytes;
} MEMORY_RANGE_ENTRY, *PMEMORY_RANGE_ENTRY;

/**
 * Fetch pages that will be needed soon.
 *
 * @param VmInformationClass   VmPrefetchInformation
 * @param NumberOfEntries      not 0
 * @param VirtualAddresses     [NumberOfEntries], user addresses; pages that are not committed are passed over
 * @param VmInformation        a ULONG that is 0
 * @param VmInformationLength  sizeof(ULONG)
 * @return    STATUS_SUCCESS, however many pages could be fetched; STATUS_INVALID_PARAMETER_2 to _6, by the parameter that is wrong (choice);
 *            STATUS_INVALID_HANDLE; STATUS_OBJECT_TYPE_MISMATCH; STATUS_PROCESS_IS_TERMINATING
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @models    the pages come into the working set, too
 * @source    WDK reference: ntifs.h, ZwSetInformationVirtualMemory
 */
NTSYSAPI NTSTATUS ZwSetInformationVirtualMemory(HANDLE ProcessHandle, VIRTUAL_MEMORY_INFORMATION_CLASS VmInformationClass,
                                                ULONG_PTR NumberOfEntries, PMEMORY_RANGE_ENTRY VirtualAddresses, PVOID VmInformation,
                                                ULONG VmInformationLength);

/**
 * Write the dirty pages of a view back to the file that its section is over.
 *
 * @param BaseAddress  in: in a view, rounded down to a page; out: likewise
 * @param RegionSize   in: bytes; 0: to the end of the view; out: whole pages
 * @param IoStatus     out: how the writing ended; Information: bytes that were written
 * @return    STATUS_SUCCESS; STATUS_NOT_MAPPED_VIEW: no view of a section is there; STATUS_INVALID_PARAMETER_2: no user address, or more than
 *            the view has; what the file answered; those of the handle
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    WDK reference: ntifs.h, ZwFlushVirtualMemory
 */
NTSYSAPI NTSTATUS ZwFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, PIO_STATUS_BLOCK IoStatus);

#ifdef __cplusplus
}
#endif
#endif
