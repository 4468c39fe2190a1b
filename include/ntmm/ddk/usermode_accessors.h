/*
 * usermode_accessors.h - reading and writing what a process owns, without a mistake: each routine probes the address by itself and accesses it
 * exactly once, where it stands.
 *
 *     __try {
 *         size = ReadULongFromUser(&request->Size);
 *         CopyFromUser(buffer, request->Data, min(size, sizeof buffer));
 *     } __except (UmaExceptionFilter(UserMode)) { status = GetExceptionCode(); }
 *
 *     families                              for
 *     Read<Name>FromUser, ..FromUserAcquire,
 *     Write<Name>ToUser, ..ToUserRelease    Boolean Char UChar Short UShort WChar Long ULong NtStatus Longlong ULonglong Long64 ULong64 Int8
 *                                           UInt8 Int16 UInt16 Int32 UInt32 Int64 UInt64 IntPtr UIntPtr LongPtr ULongPtr SizeT SSizeT Handle
 *                                           Pointer; without Acquire and Release LargeInteger ULargeInteger UnicodeString
 *     Read<Name>FromMode, Write<Name>ToMode the same; KernelMode: a plain access to a kernel address
 *     ReadStructFromUser and its like       structures, whose types are compared
 *     CopyFromUser and its like             bytes; Aligned: the source is aligned; NonTemporal: past the cache, where there is one
 *     FillUserMemory, SetUserMemory, ZeroUserMemory, ..Mode..
 *     StringLengthFromUser, WideStringLengthFromUser, ..FromMode      characters before the 0
 *     InterlockedAndToUser, ..Or.., ..CompareExchange.., with 64, and ..ToMode
 *
 * All of them: IRQL <= APC_LEVEL, above it IRQL_NOT_LESS_OR_EQUAL (0xA), also with KernelMode, where Windows does not look (choice). An address
 * that is no user address of the process in which the thread runs raises STATUS_ACCESS_VIOLATION, one that cannot be accessed raises what a
 * touch of it does, to the nearest __try; with none, bug check 0x1E. No bytes: nothing is checked. What could be accessed before the fault was
 * accessed.
 * With KernelMode and DBG defined as 1, a user address is bug check KERNEL_SECURITY_CHECK_FAILURE (0x139), FAST_FAIL_KERNEL_POINTER_EXPECTED.
 *
 * Source  WDK reference: usermode_accessors.h; "User-mode accessors". Interlocked operands that are not aligned raise
 *         STATUS_DATATYPE_MISALIGNMENT (choice: the reference forbids them).
 */
#ifndef NTMM_DDK_USERMODE_ACCESSORS_H
#define NTMM_DDK_USERMODE_ACCESSORS_H

#include "ntddk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what the kernel exports, and umaccess.lib builds upon ---- */

NTKERNELAPI UCHAR   RtlReadUCharFromUser(const volatile UCHAR *Address);
NTKERNELAPI UCHAR   RtlReadUCharFromUserAcquire(const volatile UCHAR *Address);
NTKERNELAPI USHORT  RtlReadUShortFromUser(const volatile USHORT *Address);
NTKERNELAPI USHORT  RtlReadUShortFromUserAcquire(const volatile USHORT *Address);
NTKERNELAPI ULONG   RtlReadULongFromUser(const volatile ULONG *Address);
NTKERNELAPI ULONG   RtlReadULongFromUserAcquire(const volatile ULONG *Address);
NTKERNELAPI ULONG64 RtlReadULong64FromUser(const volatile ULONG64 *Address);
NTKERNELAPI ULONG64 RtlReadULong64FromUserAcquire(const volatile ULONG64 *Address);
NTKERNELAPI VOID    RtlWriteUCharToUser(volatile UCHAR *Address, UCHAR Value);
NTKERNELAPI VOID    RtlWriteUCharToUserRelease(volatile UCHAR *Address, UCHAR Value);
NTKERNELAPI VOID    RtlWriteUShortToUser(volatile USHORT *Address, USHORT Value);
NTKERNELAPI VOID    RtlWriteUShortToUserRelease(volatile USHORT *Address, USHORT Value);
NTKERNELAPI VOID    RtlWriteULongToUser(volatile ULONG *Address, ULONG Value);
NTKERNELAPI VOID    RtlWriteULongToUserRelease(volatile ULONG *Address, ULONG Value);
NTKERNELAPI VOID    RtlWriteULong64ToUser(volatile ULONG64 *Address, ULONG64 Value);
NTKERNELAPI VOID    RtlWriteULong64ToUserRelease(volatile ULONG64 *Address, ULONG64 Value);
NTKERNELAPI VOID    RtlCopyFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlCopyFromUserNonTemporal(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlCopyToUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlCopyToUserNonTemporal(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlCopyToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlMoveToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTKERNELAPI VOID    RtlSetUserMemory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length);
NTKERNELAPI SIZE_T  RtlStringLengthFromUser(const volatile CHAR *String);
NTKERNELAPI SIZE_T  RtlWideStringLengthFromUser(const volatile WCHAR *String);
NTKERNELAPI LONG    RtlInterlockedAnd32ToUser(LONG volatile *Destination, LONG Value);
NTKERNELAPI LONG    RtlInterlockedOr32ToUser(LONG volatile *Destination, LONG Value);
NTKERNELAPI LONG    RtlInterlockedCompareExchange32ToUser(LONG volatile *Destination, LONG ExChange, LONG Comperand);
NTKERNELAPI LONG64  RtlInterlockedAnd64ToUser(LONG64 volatile *Destination, LONG64 Value);
NTKERNELAPI LONG64  RtlInterlockedOr64ToUser(LONG64 volatile *Destination, LONG64 Value);
NTKERNELAPI LONG64  RtlInterlockedCompareExchange64ToUser(LONG64 volatile *Destination, LONG64 ExChange, LONG64 Comperand);

/* Of ntmm's own; nobody else calls them. */
NTMM_PUBLIC VOID ntmm_accessor_in_kernel_mode(PCSTR Routine);
NTMM_PUBLIC VOID ntmm_fast_fail_if_user_pointer(const VOID *Pointer);
NTMM_PUBLIC VOID ntmm_copy_kernel_memory(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length);
NTMM_PUBLIC VOID ntmm_set_kernel_memory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length);

/** In the filter of an `__except` around accesses: handle what user addresses raise, and nothing that kernel addresses do. */
FORCEINLINE LONG UmaExceptionFilter(KPROCESSOR_MODE Mode)
{
    return Mode == UserMode ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH;
}

/** Stops a driver that is compiled with DBG when the address is a user address; else nothing. */
#if defined(DBG) && DBG
FORCEINLINE VOID RtlFastFailIfUserPointer(const void *Pointer) { ntmm_fast_fail_if_user_pointer(Pointer); }
#else
#define RtlFastFailIfUserPointer(Pointer) ((void)(Pointer))
#endif
/* Before an access that is made in the driver's own code. */
#define NTMM_UMA_KERNEL_(Pointer) \
    do { \
        ntmm_accessor_in_kernel_mode(__func__); \
        RtlFastFailIfUserPointer((const void *)(ULONG_PTR)(Pointer)); \
    } while (0)

/* ---- one value ---- */

#define NTMM_UMA_READ_(Name, Type, Width, Carrier, Convert) \
    typedef Type     ntmm_uma_##Name __attribute__((aligned(1))); /* one access, aligned or not */ \
    FORCEINLINE Type Read##Name##FromUser(const volatile Type *Source) \
    { \
        return (Type)Convert RtlRead##Width##FromUser((const volatile Carrier *)Source); \
    } \
    FORCEINLINE Type Read##Name##FromUserAcquire(const volatile Type *Source) \
    { \
        return (Type)Convert RtlRead##Width##FromUserAcquire((const volatile Carrier *)Source); \
    } \
    FORCEINLINE Type Read##Name##FromMode(const volatile Type *Source, KPROCESSOR_MODE Mode) \
    { \
        if (Mode != KernelMode) \
            return Read##Name##FromUser(Source); \
        NTMM_UMA_KERNEL_(Source); \
        return *(const volatile ntmm_uma_##Name *)Source; \
    }
#define NTMM_UMA_WRITE_(Name, Type, Width, Carrier, Convert) \
    FORCEINLINE VOID Write##Name##ToUser(volatile Type *Destination, Type Value) \
    { \
        RtlWrite##Width##ToUser((volatile Carrier *)Destination, (Carrier)Convert Value); \
    } \
    FORCEINLINE VOID Write##Name##ToUserRelease(volatile Type *Destination, Type Value) \
    { \
        RtlWrite##Width##ToUserRelease((volatile Carrier *)Destination, (Carrier)Convert Value); \
    } \
    FORCEINLINE VOID Write##Name##ToMode(volatile Type *Destination, Type Value, KPROCESSOR_MODE Mode) \
    { \
        if (Mode != KernelMode) { \
            Write##Name##ToUser(Destination, Value); \
            return; \
        } \
        NTMM_UMA_KERNEL_(Destination); \
        *(volatile ntmm_uma_##Name *)Destination = Value; \
    }
#define NTMM_UMA_TYPE_(Name, Type, Width, Carrier, Convert) \
    NTMM_UMA_READ_(Name, Type, Width, Carrier, Convert) \
    NTMM_UMA_WRITE_(Name, Type, Width, Carrier, Convert)

NTMM_UMA_TYPE_(Boolean, BOOLEAN, UChar, UCHAR, )
NTMM_UMA_TYPE_(Char, CHAR, UChar, UCHAR, )
NTMM_UMA_TYPE_(UChar, UCHAR, UChar, UCHAR, )
NTMM_UMA_TYPE_(Int8, INT8, UChar, UCHAR, )
NTMM_UMA_TYPE_(UInt8, UINT8, UChar, UCHAR, )
NTMM_UMA_TYPE_(Short, SHORT, UShort, USHORT, )
NTMM_UMA_TYPE_(UShort, USHORT, UShort, USHORT, )
NTMM_UMA_TYPE_(Int16, INT16, UShort, USHORT, )
NTMM_UMA_TYPE_(UInt16, UINT16, UShort, USHORT, )
NTMM_UMA_TYPE_(WChar, WCHAR, UShort, USHORT, )
NTMM_UMA_TYPE_(Long, LONG, ULong, ULONG, )
NTMM_UMA_TYPE_(ULong, ULONG, ULong, ULONG, )
NTMM_UMA_TYPE_(Int32, INT32, ULong, ULONG, )
NTMM_UMA_TYPE_(UInt32, UINT32, ULong, ULONG, )
NTMM_UMA_TYPE_(NtStatus, NTSTATUS, ULong, ULONG, )
NTMM_UMA_TYPE_(Longlong, LONGLONG, ULong64, ULONG64, )
NTMM_UMA_TYPE_(ULonglong, ULONGLONG, ULong64, ULONG64, )
NTMM_UMA_TYPE_(Long64, LONG64, ULong64, ULONG64, )
NTMM_UMA_TYPE_(ULong64, ULONG64, ULong64, ULONG64, )
NTMM_UMA_TYPE_(Int64, INT64, ULong64, ULONG64, )
NTMM_UMA_TYPE_(UInt64, UINT64, ULong64, ULONG64, )
NTMM_UMA_TYPE_(IntPtr, INT_PTR, ULong64, ULONG64, )
NTMM_UMA_TYPE_(UIntPtr, UINT_PTR, ULong64, ULONG64, )
NTMM_UMA_TYPE_(LongPtr, LONG_PTR, ULong64, ULONG64, )
NTMM_UMA_TYPE_(ULongPtr, ULONG_PTR, ULong64, ULONG64, )
NTMM_UMA_TYPE_(SizeT, SIZE_T, ULong64, ULONG64, )
NTMM_UMA_TYPE_(SSizeT, SSIZE_T, ULong64, ULONG64, )
NTMM_UMA_TYPE_(Handle, HANDLE, ULong64, ULONG64, (ULONG_PTR))
NTMM_UMA_TYPE_(Pointer, PVOID, ULong64, ULONG64, (ULONG_PTR))
#undef NTMM_UMA_TYPE_
#undef NTMM_UMA_READ_
#undef NTMM_UMA_WRITE_

/* ---- many bytes ---- */

FORCEINLINE VOID CopyFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    RtlCopyFromUser(Destination, Source, Length);
}
FORCEINLINE VOID CopyFromUserNonTemporal(VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    RtlCopyFromUserNonTemporal(Destination, Source, Length);
}
FORCEINLINE VOID CopyToUser(volatile VOID *Destination, const VOID *Source, SIZE_T Length) { RtlCopyToUser(Destination, Source, Length); }
FORCEINLINE VOID CopyToUserNonTemporal(volatile VOID *Destination, const VOID *Source, SIZE_T Length)
{
    RtlCopyToUserNonTemporal(Destination, Source, Length);
}
FORCEINLINE VOID CopyToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    RtlCopyToUserFromUser(Destination, Source, Length);
}
FORCEINLINE VOID MoveToUserFromUser(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length)
{
    RtlMoveToUserFromUser(Destination, Source, Length);
}
FORCEINLINE VOID CopyFromMode(VOID *Destination, const volatile VOID *Source, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        RtlCopyFromUser(Destination, Source, Length);
        return;
    }
    NTMM_UMA_KERNEL_(Source);
    ntmm_copy_kernel_memory(Destination, Source, Length);
}
FORCEINLINE VOID CopyFromModeNonTemporal(VOID *Destination, const volatile VOID *Source, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    CopyFromMode(Destination, Source, Length, Mode);
}
FORCEINLINE VOID CopyToMode(volatile VOID *Destination, const VOID *Source, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        RtlCopyToUser(Destination, Source, Length);
        return;
    }
    NTMM_UMA_KERNEL_(Destination);
    ntmm_copy_kernel_memory(Destination, Source, Length);
}
FORCEINLINE VOID CopyToModeNonTemporal(volatile VOID *Destination, const VOID *Source, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    CopyToMode(Destination, Source, Length, Mode);
}
FORCEINLINE VOID CopyFromUserToMode(volatile VOID *Destination, const volatile VOID *Source, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        RtlCopyToUserFromUser(Destination, Source, Length);
        return;
    }
    NTMM_UMA_KERNEL_(Destination);
    RtlCopyFromUser(Destination, Source, Length);
}
#define CopyFromUserAligned(Destination, Source, Length, Alignment) \
    do { \
        ExProbeAlignment((Source), (Length), (Alignment)); \
        CopyFromUser((Destination), (Source), (Length)); \
    } while (0)
#define CopyFromModeAligned(Destination, Source, Length, Mode, Alignment) \
    do { \
        if ((Mode) != KernelMode) \
            ExProbeAlignment((Source), (Length), (Alignment)); \
        CopyFromMode((Destination), (Source), (Length), (Mode)); \
    } while (0)

FORCEINLINE VOID SetUserMemory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length) { RtlSetUserMemory(Destination, Fill, Length); }
FORCEINLINE VOID FillUserMemory(volatile VOID *Destination, SIZE_T Length, UCHAR Fill) { RtlSetUserMemory(Destination, Fill, Length); }
FORCEINLINE VOID ZeroUserMemory(volatile VOID *Destination, SIZE_T Length) { RtlSetUserMemory(Destination, 0, Length); }
FORCEINLINE VOID SetModeMemory(volatile VOID *Destination, UCHAR Fill, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    if (Mode != KernelMode) {
        RtlSetUserMemory(Destination, Fill, Length);
        return;
    }
    NTMM_UMA_KERNEL_(Destination);
    ntmm_set_kernel_memory(Destination, Fill, Length);
}
FORCEINLINE VOID FillModeMemory(volatile VOID *Destination, SIZE_T Length, UCHAR Fill, KPROCESSOR_MODE Mode)
{
    SetModeMemory(Destination, Fill, Length, Mode);
}
FORCEINLINE VOID ZeroModeMemory(volatile VOID *Destination, SIZE_T Length, KPROCESSOR_MODE Mode)
{
    SetModeMemory(Destination, 0, Length, Mode);
}

/* ---- structures ---- */

FORCEINLINE VOID ReadStructFromUserHelper(VOID *Destination, const volatile VOID *Source, SIZE_T Size)
{
    RtlCopyFromUser(Destination, Source, Size);
}
FORCEINLINE VOID ReadStructFromModeHelper(VOID *Destination, const volatile VOID *Source, SIZE_T Size, KPROCESSOR_MODE Mode)
{
    CopyFromMode(Destination, Source, Size, Mode);
}
FORCEINLINE VOID WriteStructToUserHelper(volatile VOID *Destination, const VOID *Source, SIZE_T Size)
{
    RtlCopyToUser(Destination, Source, Size);
}
FORCEINLINE VOID WriteStructToModeHelper(volatile VOID *Destination, const VOID *Source, SIZE_T Size, KPROCESSOR_MODE Mode)
{
    CopyToMode(Destination, Source, Size, Mode);
}

/** Two pointers point to the same type, but for const and volatile; else the file does not compile. */
#ifdef __cplusplus
#define RtlTypesCompatible(Destination, Source) static_assert(sizeof(*(Destination)) == sizeof(*(Source)), "pointers to the same type")
#else
#define RtlTypesCompatible(Destination, Source) \
    _Static_assert(__builtin_types_compatible_p(__typeof__(*(Destination)), __typeof__(*(Source))), "pointers to the same type")
#endif
#define ReadStructFromUser(Destination, Source) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        ReadStructFromUserHelper((Destination), (Source), sizeof(*(Source))); \
    } while (0)
#define ReadStructFromUserAligned(Destination, Source, Alignment) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        ExProbeAlignment((Source), sizeof(*(Source)), (Alignment)); \
        ReadStructFromUserHelper((Destination), (Source), sizeof(*(Source))); \
    } while (0)
#define ReadStructFromMode(Destination, Source, Mode) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        ReadStructFromModeHelper((Destination), (Source), sizeof(*(Source)), (Mode)); \
    } while (0)
#define ReadStructFromModeAligned(Destination, Source, Mode, Alignment) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        if ((Mode) != KernelMode) \
            ExProbeAlignment((Source), sizeof(*(Source)), (Alignment)); \
        ReadStructFromModeHelper((Destination), (Source), sizeof(*(Source)), (Mode)); \
    } while (0)
#define WriteStructToUser(Destination, Source) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        WriteStructToUserHelper((Destination), (Source), sizeof(*(Source))); \
    } while (0)
#define WriteStructToUserAligned(Destination, Source, Alignment) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        ExProbeAlignment((Destination), sizeof(*(Source)), (Alignment)); \
        WriteStructToUserHelper((Destination), (Source), sizeof(*(Source))); \
    } while (0)
#define WriteStructToMode(Destination, Source, Mode) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        WriteStructToModeHelper((Destination), (Source), sizeof(*(Source)), (Mode)); \
    } while (0)
#define WriteStructToModeAligned(Destination, Source, Mode, Alignment) \
    do { \
        RtlTypesCompatible(Destination, Source); \
        if ((Mode) != KernelMode) \
            ExProbeAlignment((Destination), sizeof(*(Source)), (Alignment)); \
        WriteStructToModeHelper((Destination), (Source), sizeof(*(Source)), (Mode)); \
    } while (0)

/* LargeInteger is one access of 64 bits; a UNICODE_STRING is copied, its Buffer is not looked at. */
FORCEINLINE LARGE_INTEGER ReadLargeIntegerFromUser(const volatile LARGE_INTEGER *Source)
{
    LARGE_INTEGER ntmm_value;
    ntmm_value.QuadPart = ReadLonglongFromUser((const volatile LONGLONG *)Source);
    return ntmm_value;
}
FORCEINLINE LARGE_INTEGER ReadLargeIntegerFromMode(const volatile LARGE_INTEGER *Source, KPROCESSOR_MODE Mode)
{
    LARGE_INTEGER ntmm_value;
    ntmm_value.QuadPart = ReadLonglongFromMode((const volatile LONGLONG *)Source, Mode);
    return ntmm_value;
}
FORCEINLINE VOID WriteLargeIntegerToUser(volatile LARGE_INTEGER *Destination, LARGE_INTEGER Value)
{
    WriteLonglongToUser((volatile LONGLONG *)Destination, Value.QuadPart);
}
FORCEINLINE VOID WriteLargeIntegerToMode(volatile LARGE_INTEGER *Destination, LARGE_INTEGER Value, KPROCESSOR_MODE Mode)
{
    WriteLonglongToMode((volatile LONGLONG *)Destination, Value.QuadPart, Mode);
}
FORCEINLINE ULARGE_INTEGER ReadULargeIntegerFromUser(const volatile ULARGE_INTEGER *Source)
{
    ULARGE_INTEGER ntmm_value;
    ntmm_value.QuadPart = ReadULonglongFromUser((const volatile ULONGLONG *)Source);
    return ntmm_value;
}
FORCEINLINE ULARGE_INTEGER ReadULargeIntegerFromMode(const volatile ULARGE_INTEGER *Source, KPROCESSOR_MODE Mode)
{
    ULARGE_INTEGER ntmm_value;
    ntmm_value.QuadPart = ReadULonglongFromMode((const volatile ULONGLONG *)Source, Mode);
    return ntmm_value;
}
FORCEINLINE VOID WriteULargeIntegerToUser(volatile ULARGE_INTEGER *Destination, ULARGE_INTEGER Value)
{
    WriteULonglongToUser((volatile ULONGLONG *)Destination, Value.QuadPart);
}
FORCEINLINE VOID WriteULargeIntegerToMode(volatile ULARGE_INTEGER *Destination, ULARGE_INTEGER Value, KPROCESSOR_MODE Mode)
{
    WriteULonglongToMode((volatile ULONGLONG *)Destination, Value.QuadPart, Mode);
}
FORCEINLINE UNICODE_STRING ReadUnicodeStringFromUser(const volatile UNICODE_STRING *Source)
{
    UNICODE_STRING ntmm_value;
    RtlCopyFromUser(&ntmm_value, Source, sizeof ntmm_value);
    return ntmm_value;
}
FORCEINLINE UNICODE_STRING ReadUnicodeStringFromMode(const volatile UNICODE_STRING *Source, KPROCESSOR_MODE Mode)
{
    UNICODE_STRING ntmm_value;
    CopyFromMode(&ntmm_value, Source, sizeof ntmm_value, Mode);
    return ntmm_value;
}
FORCEINLINE VOID WriteUnicodeStringToUser(volatile UNICODE_STRING *Destination, UNICODE_STRING Value)
{
    RtlCopyToUser(Destination, &Value, sizeof Value);
}
FORCEINLINE VOID WriteUnicodeStringToMode(volatile UNICODE_STRING *Destination, UNICODE_STRING Value, KPROCESSOR_MODE Mode)
{
    CopyToMode(Destination, &Value, sizeof Value, Mode);
}

/* ---- strings ---- */

FORCEINLINE SIZE_T StringLengthFromUser(const volatile CHAR *String) { return RtlStringLengthFromUser(String); }
FORCEINLINE SIZE_T WideStringLengthFromUser(const volatile WCHAR *String) { return RtlWideStringLengthFromUser(String); }
FORCEINLINE SIZE_T StringLengthFromMode(const volatile CHAR *String, KPROCESSOR_MODE Mode)
{
    SIZE_T ntmm_length = 0;
    if (Mode != KernelMode)
        return RtlStringLengthFromUser(String);
    NTMM_UMA_KERNEL_(String);
    while (String[ntmm_length] != 0)
        ntmm_length++;
    return ntmm_length;
}
FORCEINLINE SIZE_T WideStringLengthFromMode(const volatile WCHAR *String, KPROCESSOR_MODE Mode)
{
    SIZE_T ntmm_length = 0;
    if (Mode != KernelMode)
        return RtlWideStringLengthFromUser(String);
    NTMM_UMA_KERNEL_(String);
    while (String[ntmm_length] != 0)
        ntmm_length++;
    return ntmm_length;
}

/* ---- interlocked ---- */

#define NTMM_UMA_INTERLOCKED_(Operation, Type, Suffix, Bits) \
    FORCEINLINE Type Interlocked##Operation##Suffix##ToUser(Type volatile *Destination, Type Value) \
    { \
        return RtlInterlocked##Operation##Bits##ToUser(Destination, Value); \
    } \
    FORCEINLINE Type Interlocked##Operation##Suffix##ToMode(Type volatile *Destination, Type Value, KPROCESSOR_MODE Mode) \
    { \
        if (Mode != KernelMode) \
            return RtlInterlocked##Operation##Bits##ToUser(Destination, Value); \
        NTMM_UMA_KERNEL_(Destination); \
        return Interlocked##Operation##Suffix(Destination, Value); \
    }
NTMM_UMA_INTERLOCKED_(And, LONG, , 32)
NTMM_UMA_INTERLOCKED_(Or, LONG, , 32)
NTMM_UMA_INTERLOCKED_(And, LONG64, 64, 64)
NTMM_UMA_INTERLOCKED_(Or, LONG64, 64, 64)
#undef NTMM_UMA_INTERLOCKED_
#define NTMM_UMA_EXCHANGE_(Type, Suffix, Bits) \
    FORCEINLINE Type InterlockedCompareExchange##Suffix##ToUser(Type volatile *Destination, Type ExChange, Type Comperand) \
    { \
        return RtlInterlockedCompareExchange##Bits##ToUser(Destination, ExChange, Comperand); \
    } \
    FORCEINLINE Type InterlockedCompareExchange##Suffix##ToMode(Type volatile *Destination, Type ExChange, Type Comperand, \
                                                                KPROCESSOR_MODE Mode) \
    { \
        if (Mode != KernelMode) \
            return RtlInterlockedCompareExchange##Bits##ToUser(Destination, ExChange, Comperand); \
        NTMM_UMA_KERNEL_(Destination); \
        return InterlockedCompareExchange##Suffix(Destination, ExChange, Comperand); \
    }
NTMM_UMA_EXCHANGE_(LONG, , 32)
NTMM_UMA_EXCHANGE_(LONG64, 64, 64)
#undef NTMM_UMA_EXCHANGE_

#ifdef __cplusplus
}
#endif
#endif
