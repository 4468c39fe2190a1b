/*
 * mm_secure.h - keeping user memory from being freed or made less accessible while a driver works on it.
 * Source  WDK reference: ntddk.h, MmSecureVirtualMemory, MmSecureVirtualMemoryEx, MmUnsecureVirtualMemory.
 */
#ifndef NTMM_DDK_WDM_MM_SECURE_H
#define NTMM_DDK_WDM_MM_SECURE_H

#ifdef __cplusplus
extern "C" {
#endif

#define MM_SECURE_EXCLUSIVE 0x00000001u      /* fails if something of the same allocation is secured already */
#define MM_SECURE_NO_CHANGE 0x00000002u      /* no change of protection at all */
#define MM_SECURE_USER_MODE_ONLY 0x00000004u /* binds callers in user mode, of which there are none here */
#define MM_SECURE_NO_INHERIT 0x00000008u     /* a clone of the process is not bound; there are none */

/**
 * From now on the range can neither be freed nor become less accessible than ProbeMode says. Still, every access belongs into a `__try`.
 *
 * @param Address    user address of the process in which the thread runs
 * @param Size       bytes; the pages they lie on, all in one allocation, committed, and accessible in that way
 * @param ProbeMode  PAGE_READONLY: it stays readable; PAGE_READWRITE: and writable
 * @return    for MmUnsecureVirtualMemory; NULL: the range is not like that, or 64 ranges of the process are secured
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @source    WDK reference: ntddk.h, MmSecureVirtualMemory
 */
NTKERNELAPI HANDLE MmSecureVirtualMemory(PVOID Address, SIZE_T Size, ULONG ProbeMode);
/** The same with flags. @param Flags MM_SECURE_*; any other bit gives NULL (choice) @irql <= APC_LEVEL
 *  @source WDK reference: ntddk.h, MmSecureVirtualMemoryEx */
NTKERNELAPI HANDLE MmSecureVirtualMemoryEx(PVOID Address, SIZE_T Size, ULONG ProbeMode, ULONG Flags);

/**
 * The range may change again. When the process ends that happens by itself.
 *
 * @param SecureHandle  from MmSecureVirtualMemory, in the same process, once
 * @irql      <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A): p1 0x15000, p2 the handle: no range is secured under it; p1 0x15001: in another process. 0xA above
 *            APC_LEVEL
 * @source    WDK reference: ntddk.h, MmUnsecureVirtualMemory; Bug Check 0x1A
 */
NTKERNELAPI VOID MmUnsecureVirtualMemory(HANDLE SecureHandle);

#ifdef __cplusplus
}
#endif
#endif
