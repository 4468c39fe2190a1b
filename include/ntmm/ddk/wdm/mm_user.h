/*
 * mm_user.h - where user addresses end, and probing what a caller gave.
 *
 * Source  WDK reference: wdm.h, ProbeForRead, ProbeForWrite; ntddk.h.
 */
#ifndef NTMM_DDK_WDM_MM_USER_H
#define NTMM_DDK_WDM_MM_USER_H

#ifdef __cplusplus
extern "C" {
#endif

/** The highest user address, where system addresses begin, and the first address that a probe refuses. Valid while a machine is up. */
extern NTKERNELAPI PVOID     MmHighestUserAddress;
extern NTKERNELAPI PVOID     MmSystemRangeStart;
extern NTKERNELAPI ULONG_PTR MmUserProbeAddress;
#define MM_HIGHEST_USER_ADDRESS MmHighestUserAddress
#define MM_SYSTEM_RANGE_START MmSystemRangeStart
#define MM_USER_PROBE_ADDRESS MmUserProbeAddress
#define MM_LOWEST_USER_ADDRESS ((PVOID)0x10000)

/**
 * Is this a buffer in the user part of the address space, and aligned? Nothing is touched.
 *
 * @param Address    where it begins
 * @param Length     bytes; 0: nothing is checked
 * @param Alignment  of the beginning, in bytes
 * @irql      <= APC_LEVEL
 * @return    or raises STATUS_ACCESS_VIOLATION: not all of it are user addresses of the process in which the thread runs; or
 *            STATUS_DATATYPE_MISALIGNMENT
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL; the exception's, when no __try takes it (0x1E, 0x7E)
 * @source    WDK reference: wdm.h, ProbeForRead
 */
NTKERNELAPI VOID ProbeForRead(const volatile VOID *Address, SIZE_T Length, ULONG Alignment);

/**
 * The same, and can it be written? A byte of each page is read and written back.
 *
 * @return    or raises what ProbeForRead does, and what the touch of a page does: STATUS_ACCESS_VIOLATION, STATUS_GUARD_PAGE_VIOLATION,
 *            STATUS_IN_PAGE_ERROR
 * @irql      <= APC_LEVEL
 * @bugcheck  as ProbeForRead
 * @source    WDK reference: wdm.h, ProbeForWrite (which recommends ProbeForRead instead)
 */
NTKERNELAPI VOID ProbeForWrite(volatile VOID *Address, SIZE_T Length, ULONG Alignment);

/**
 * ProbeForRead's check of the alignment alone.
 *
 * @source    named by the macros of usermode_accessors.h; without a page of its own
 */
FORCEINLINE VOID ExProbeAlignment(const volatile VOID *Address, SIZE_T Length, ULONG Alignment)
{
    if (Length != 0 && Alignment != 0 && (ULONG_PTR)Address % Alignment != 0)
        ExRaiseDatatypeMisalignment();
}

#ifdef __cplusplus
}
#endif
#endif
