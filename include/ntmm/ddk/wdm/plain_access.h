/*
 * plain_access.h - one word read, or written, once and whole, with as much order as the name says.
 *
 *     Read...Acquire      what follows happens after it        Write...Release     what was before happens before it
 *     Read...NoFence      no order                             Write...NoFence     no order
 *     Read...Raw          the same, for a word that is not aligned: not even whole then
 *
 * Inline, at any IRQL.
 * Source  WDK headers: wdm.h (declarations); "Using interlocked routines".
 */
#ifndef NTMM_DDK_WDM_PLAIN_ACCESS_H
#define NTMM_DDK_WDM_PLAIN_ACCESS_H

#ifdef __cplusplus
extern "C" {
#endif

#define NTMM_PLAIN_ACCESS(Type, ReadAcquire_, ReadNoFence_, ReadRaw_, WriteRelease_, WriteNoFence_, WriteRaw_) \
    FORCEINLINE Type ReadAcquire_(Type const volatile *Source) { return __atomic_load_n(Source, __ATOMIC_ACQUIRE); } \
    FORCEINLINE Type ReadNoFence_(Type const volatile *Source) { return __atomic_load_n(Source, __ATOMIC_RELAXED); } \
    FORCEINLINE Type ReadRaw_(Type const volatile *Source) \
    { \
        Type value; \
        memcpy(&value, (const void *)(ULONG_PTR)Source, sizeof value); \
        return value; \
    } \
    FORCEINLINE VOID WriteRelease_(Type volatile *Destination, Type Value) { __atomic_store_n(Destination, Value, __ATOMIC_RELEASE); } \
    FORCEINLINE VOID WriteNoFence_(Type volatile *Destination, Type Value) { __atomic_store_n(Destination, Value, __ATOMIC_RELAXED); } \
    FORCEINLINE VOID WriteRaw_(Type volatile *Destination, Type Value) { memcpy((void *)(ULONG_PTR)Destination, &Value, sizeof Value); }
NTMM_PLAIN_ACCESS(CHAR, ReadAcquire8, ReadNoFence8, ReadRaw8, WriteRelease8, WriteNoFence8, WriteRaw8)
NTMM_PLAIN_ACCESS(SHORT, ReadAcquire16, ReadNoFence16, ReadRaw16, WriteRelease16, WriteNoFence16, WriteRaw16)
NTMM_PLAIN_ACCESS(LONG, ReadAcquire, ReadNoFence, ReadRaw, WriteRelease, WriteNoFence, WriteRaw)
NTMM_PLAIN_ACCESS(LONG64, ReadAcquire64, ReadNoFence64, ReadRaw64, WriteRelease64, WriteNoFence64, WriteRaw64)
NTMM_PLAIN_ACCESS(UCHAR, ReadUCharAcquire, ReadUCharNoFence, ReadUCharRaw, WriteUCharRelease, WriteUCharNoFence, WriteUCharRaw)
NTMM_PLAIN_ACCESS(USHORT, ReadUShortAcquire, ReadUShortNoFence, ReadUShortRaw, WriteUShortRelease, WriteUShortNoFence, WriteUShortRaw)
NTMM_PLAIN_ACCESS(ULONG, ReadULongAcquire, ReadULongNoFence, ReadULongRaw, WriteULongRelease, WriteULongNoFence, WriteULongRaw)
NTMM_PLAIN_ACCESS(ULONG64, ReadULong64Acquire, ReadULong64NoFence, ReadULong64Raw, WriteULong64Release, WriteULong64NoFence,
                  WriteULong64Raw)
NTMM_PLAIN_ACCESS(SIZE_T, ReadSizeTAcquire, ReadSizeTNoFence, ReadSizeTRaw, WriteSizeTRelease, WriteSizeTNoFence, WriteSizeTRaw)
NTMM_PLAIN_ACCESS(ULONG_PTR, ReadULongPtrAcquire, ReadULongPtrNoFence, ReadULongPtrRaw, WriteULongPtrRelease, WriteULongPtrNoFence,
                  WriteULongPtrRaw)
NTMM_PLAIN_ACCESS(LONG_PTR, ReadLongPtrAcquire, ReadLongPtrNoFence, ReadLongPtrRaw, WriteLongPtrRelease, WriteLongPtrNoFence,
                  WriteLongPtrRaw)
NTMM_PLAIN_ACCESS(PVOID, ReadPointerAcquire, ReadPointerNoFence, ReadPointerRaw, WritePointerRelease, WritePointerNoFence, WritePointerRaw)
#undef NTMM_PLAIN_ACCESS

#ifdef __cplusplus
}
#endif
#endif
