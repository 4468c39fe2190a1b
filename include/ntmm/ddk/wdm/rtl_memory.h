/*
 * rtl_memory.h - filling, copying and comparing bytes. Most of it is the C library by other names, as on Windows.
 * None of it checks anything: memory that is not there, or that may not be touched at this IRQL, faults at the access.
 *
 * IRQL    any, if the memory is resident; else <= APC_LEVEL
 * Source  WDK reference: wdm.h, ntifs.h, the pages of these routines.
 */
#ifndef NTMM_DDK_WDM_RTL_MEMORY_H
#define NTMM_DDK_WDM_RTL_MEMORY_H

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RtlMoveMemory(Destination, Source, Length) memmove((Destination), (Source), (Length))
#define RtlCopyMemory(Destination, Source, Length) memcpy((Destination), (Source), (Length)) /* must not overlap */
#define RtlFillMemory(Destination, Length, Fill) memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length) memset((Destination), 0, (Length))
#define RtlEqualMemory(Source1, Source2, Length) (!memcmp((Source1), (Source2), (Length)))

/* Older names. */
#define RtlCopyBytes RtlCopyMemory
#define RtlZeroBytes RtlZeroMemory
#define RtlFillBytes RtlFillMemory

/** Zeros that no compiler leaves out, for what must not stay in memory. Returns Pointer. */
FORCEINLINE PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Count)
{
    memset(Pointer, 0, Count);
    __asm__ volatile("" : : "r"(Pointer) : "memory");
    return Pointer;
}

/**
 * Compare two blocks of memory.
 *
 * @param Length  bytes
 * @return how many bytes agree from the start on; Length if all do
 */
NTSYSAPI SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);

/**
 * Compare memory with a repeated ULONG.
 *
 * @param Source  aligned to 4 bytes; otherwise the result is 0
 * @param Length  bytes; what is left beyond a multiple of 4 is not looked at
 * @return how many bytes agree from the start on, a multiple of 4
 */
NTSYSAPI SIZE_T RtlCompareMemoryUlong(PVOID Source, SIZE_T Length, ULONG Pattern);

/** Fill memory with a repeated ULONG. Destination is aligned to 4 bytes; what is left of Length, in bytes, beyond a multiple of 4 stays. */
NTSYSAPI VOID RtlFillMemoryUlong(PVOID Destination, SIZE_T Length, ULONG Pattern);

/** Fill memory with a repeated ULONGLONG. Destination is aligned to 8 bytes; what is left of Length, in bytes, beyond a multiple of 8 stays. */
NTSYSAPI VOID RtlFillMemoryUlonglong(PVOID Destination, SIZE_T Length, ULONGLONG Pattern);

/** TRUE if all Length bytes are zero; Buffer may have any alignment. */
NTSYSAPI BOOLEAN RtlIsZeroMemory(PVOID Buffer, SIZE_T Length);

/** Nonzero if the memory is equal. The time that it takes depends on len alone, and not on where the first difference is. */
NTSYSAPI LOGICAL RtlConstantTimeEqualMemory(const void *v1, const void *v2, unsigned long long len);

/* Past the processor's caches on Windows; here it makes no difference. */
#define RtlCopyMemoryNonTemporal(Destination, Source, Length) ((void)RtlCopyMemory((Destination), (Source), (Length)))
#define RtlFillMemoryNonTemporal(Destination, Length, Value) ((void)RtlFillMemory((Destination), (Length), (Value)))

/** A hint: these bytes will be read once, soon. Length in bytes. */
FORCEINLINE VOID RtlPrefetchMemoryNonTemporal(PVOID Source, SIZE_T Length)
{
    for (SIZE_T at = 0; at < Length; at += 64)
        __builtin_prefetch((const char *)Source + at, 0, 0);
}

/** A full fence, for the compiler and the processor. */
#define KeMemoryBarrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define KeMemoryBarrierWithoutFence() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define MemoryBarrier() KeMemoryBarrier()
/* Visual C++'s own words, for the compiler alone. */
#ifndef _ReadWriteBarrier
#define _ReadWriteBarrier() KeMemoryBarrierWithoutFence()
#define _ReadBarrier() KeMemoryBarrierWithoutFence()
#define _WriteBarrier() KeMemoryBarrierWithoutFence()
#endif

/** A hint within a loop that waits: the processor takes its time. @irql any @source WDK reference: wdm.h, YieldProcessor */
FORCEINLINE VOID YieldProcessor(VOID)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#ifdef __cplusplus
}
#endif
#endif
