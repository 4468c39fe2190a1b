/*
 * ntintsafe.h - arithmetic and conversions that say when the result does not fit.
 *
 *     RtlULongAdd(a, b, &sum)       also Sub and Mult, for each type of the first list
 *     RtlIntToUShort(i, &result)    for each pair of the second list
 *
 *     STATUS_SUCCESS                the result is right
 *     STATUS_INTEGER_OVERFLOW       it does not fit; *result is the type's ..._ERROR, all ones
 *
 * Inline, at any IRQL; on Windows, too, and so a driver cannot look them up by name.
 *
 * Source  WDK reference: ntintsafe.h, the page of each routine, with the other names that it lists.
 */
#ifndef NTMM_DDK_NTINTSAFE_H
#define NTMM_DDK_NTINTSAFE_H

#include "ntdef.h"
#include "ntstatus.h"

#define INT8_ERROR (-1)
#define UINT8_ERROR 0xff
#define BYTE_ERROR 0xff
#define SHORT_ERROR (-1)
#define INT16_ERROR (-1)
#define USHORT_ERROR 0xffff
#define UINT16_ERROR 0xffff
#define WORD_ERROR 0xffff
#define INT_ERROR (-1)
#define INT32_ERROR (-1)
#define UINT_ERROR 0xffffffffu
#define UINT32_ERROR 0xffffffffu
#define DWORD_ERROR 0xffffffffu
#define LONG_ERROR (-1)
#define ULONG_ERROR 0xffffffffu
#define LONGLONG_ERROR (-1ll)
#define LONG64_ERROR (-1ll)
#define INT64_ERROR (-1ll)
#define ULONGLONG_ERROR 0xffffffffffffffffull
#define DWORDLONG_ERROR 0xffffffffffffffffull
#define ULONG64_ERROR 0xffffffffffffffffull
#define DWORD64_ERROR 0xffffffffffffffffull
#define UINT64_ERROR 0xffffffffffffffffull
#define INT_PTR_ERROR ((INT_PTR)-1)
#define LONG_PTR_ERROR ((LONG_PTR)-1)
#define PTRDIFF_T_ERROR ((ptrdiff_t)-1)
#define SSIZE_T_ERROR ((SSIZE_T)-1)
#define UINT_PTR_ERROR (~(UINT_PTR)0)
#define ULONG_PTR_ERROR (~(ULONG_PTR)0)
#define DWORD_PTR_ERROR (~(DWORD_PTR)0)
#define SIZE_T_ERROR (~(SIZE_T)0)

#define NTMM_INTSAFE static inline __attribute__((unused)) NTSTATUS

/* The compiler's own check; `failed` is its answer. */
#define NTMM_INTSAFE_RESULT(failed, Type) \
    if (failed) { \
        *pResult = (Type)-1; \
        return STATUS_INTEGER_OVERFLOW; \
    } \
    return STATUS_SUCCESS

/* clang-format off */
#define NTMM_INTSAFE_ARITHMETIC(X) \
    X(DWord, DWORD) X(DWord64, DWORD64) X(DWordLong, DWORDLONG) X(DWordPtr, DWORD_PTR) X(Int, INT) X(Int16, INT16) X(Int32, INT32) \
    X(Int64, INT64) X(Int8, INT8) X(IntPtr, INT_PTR) X(Long, LONG) X(Long32, LONG32) X(Long64, LONG64) X(LongLong, LONGLONG) \
    X(LongPtr, LONG_PTR) X(PtrdiffT, ptrdiff_t) X(SIZET, SIZE_T) X(SSIZET, SSIZE_T) X(Short, SHORT) X(SizeT, size_t) X(UInt, UINT) \
    X(UInt32, UINT32) X(UInt64, UINT64) X(UInt8, UINT8) X(UIntPtr, UINT_PTR) X(ULong, ULONG) X(ULong64, ULONG64) \
    X(ULongLong, ULONGLONG) X(ULongPtr, ULONG_PTR) X(UShort, USHORT)
#define NTMM_INTSAFE_CONVERSIONS(X) \
    X(Byte, BYTE, Char, CHAR) X(Byte, BYTE, Int8, INT8) X(DWord64, DWORD64, Int64, INT64) X(DWord64, DWORD64, Long64, LONG64) \
    X(DWord64, DWORD64, LongLong, LONGLONG) X(DWord64, DWORD64, LongPtr, LONG_PTR) X(DWord64, DWORD64, SSIZET, SSIZE_T) \
    X(DWord64, DWORD64, UInt16, UINT16) X(DWord64, DWORD64, UShort, USHORT) X(DWord64, DWORD64, Word, WORD) \
    X(DWordLong, DWORDLONG, Int64, INT64) X(DWordLong, DWORDLONG, Long64, LONG64) X(DWordLong, DWORDLONG, LongLong, LONGLONG) \
    X(DWordLong, DWORDLONG, LongPtr, LONG_PTR) X(DWordLong, DWORDLONG, SSIZET, SSIZE_T) X(DWordLong, DWORDLONG, UInt16, UINT16) \
    X(DWordLong, DWORDLONG, UShort, USHORT) X(DWordLong, DWORDLONG, Word, WORD) X(DWordPtr, DWORD_PTR, Int64, INT64) \
    X(DWordPtr, DWORD_PTR, Long64, LONG64) X(DWordPtr, DWORD_PTR, LongLong, LONGLONG) X(DWordPtr, DWORD_PTR, UInt16, UINT16) \
    X(DWordPtr, DWORD_PTR, UShort, USHORT) X(DWordPtr, DWORD_PTR, Word, WORD) X(Int16, INT16, Byte, BYTE) X(Int16, INT16, Char, CHAR) \
    X(Int16, INT16, DWord, DWORD) X(Int16, INT16, DWord64, DWORD64) X(Int16, INT16, DWordLong, DWORDLONG) \
    X(Int16, INT16, DWordPtr, DWORD_PTR) X(Int16, INT16, Int8, INT8) X(Int16, INT16, SIZET, SIZE_T) X(Int16, INT16, SizeT, size_t) \
    X(Int16, INT16, UChar, UCHAR) X(Int16, INT16, UInt, UINT) X(Int16, INT16, UInt16, UINT16) X(Int16, INT16, UInt32, UINT32) \
    X(Int16, INT16, UInt64, UINT64) X(Int16, INT16, UInt8, UINT8) X(Int16, INT16, UIntPtr, UINT_PTR) X(Int16, INT16, ULong, ULONG) \
    X(Int16, INT16, ULong64, ULONG64) X(Int16, INT16, ULongLong, ULONGLONG) X(Int16, INT16, ULongPtr, ULONG_PTR) \
    X(Int16, INT16, UShort, USHORT) X(Int16, INT16, Word, WORD) X(Int32, INT32, Byte, BYTE) X(Int32, INT32, Char, CHAR) \
    X(Int32, INT32, DWord, DWORD) X(Int32, INT32, DWord64, DWORD64) X(Int32, INT32, DWordLong, DWORDLONG) \
    X(Int32, INT32, DWordPtr, DWORD_PTR) X(Int32, INT32, Int16, INT16) X(Int32, INT32, Int8, INT8) X(Int32, INT32, SIZET, SIZE_T) \
    X(Int32, INT32, Short, SHORT) X(Int32, INT32, SizeT, size_t) X(Int32, INT32, UChar, UCHAR) X(Int32, INT32, UInt, UINT) \
    X(Int32, INT32, UInt16, UINT16) X(Int32, INT32, UInt32, UINT32) X(Int32, INT32, UInt64, UINT64) X(Int32, INT32, UInt8, UINT8) \
    X(Int32, INT32, UIntPtr, UINT_PTR) X(Int32, INT32, ULong, ULONG) X(Int32, INT32, ULong64, ULONG64) \
    X(Int32, INT32, ULongLong, ULONGLONG) X(Int32, INT32, ULongPtr, ULONG_PTR) X(Int32, INT32, UShort, USHORT) \
    X(Int32, INT32, Word, WORD) X(Int64, INT64, Byte, BYTE) X(Int64, INT64, Char, CHAR) X(Int64, INT64, DWord, DWORD) \
    X(Int64, INT64, DWord64, DWORD64) X(Int64, INT64, DWordLong, DWORDLONG) X(Int64, INT64, DWordPtr, DWORD_PTR) \
    X(Int64, INT64, Int, INT) X(Int64, INT64, Int16, INT16) X(Int64, INT64, Int32, INT32) X(Int64, INT64, Int8, INT8) \
    X(Int64, INT64, IntPtr, INT_PTR) X(Int64, INT64, Long, LONG) X(Int64, INT64, LongPtr, LONG_PTR) \
    X(Int64, INT64, PtrdiffT, ptrdiff_t) X(Int64, INT64, SIZET, SIZE_T) X(Int64, INT64, SSIZET, SSIZE_T) X(Int64, INT64, Short, SHORT) \
    X(Int64, INT64, SizeT, size_t) X(Int64, INT64, UChar, UCHAR) X(Int64, INT64, UInt, UINT) X(Int64, INT64, UInt16, UINT16) \
    X(Int64, INT64, UInt32, UINT32) X(Int64, INT64, UInt64, UINT64) X(Int64, INT64, UInt8, UINT8) X(Int64, INT64, UIntPtr, UINT_PTR) \
    X(Int64, INT64, ULong, ULONG) X(Int64, INT64, ULong64, ULONG64) X(Int64, INT64, ULongLong, ULONGLONG) \
    X(Int64, INT64, ULongPtr, ULONG_PTR) X(Int64, INT64, UShort, USHORT) X(Int64, INT64, Word, WORD) X(Int8, INT8, Byte, BYTE) \
    X(Int8, INT8, DWord, DWORD) X(Int8, INT8, DWord64, DWORD64) X(Int8, INT8, DWordLong, DWORDLONG) X(Int8, INT8, DWordPtr, DWORD_PTR) \
    X(Int8, INT8, SIZET, SIZE_T) X(Int8, INT8, SizeT, size_t) X(Int8, INT8, UChar, UCHAR) X(Int8, INT8, UInt, UINT) \
    X(Int8, INT8, UInt16, UINT16) X(Int8, INT8, UInt32, UINT32) X(Int8, INT8, UInt64, UINT64) X(Int8, INT8, UInt8, UINT8) \
    X(Int8, INT8, UIntPtr, UINT_PTR) X(Int8, INT8, ULong, ULONG) X(Int8, INT8, ULong64, ULONG64) X(Int8, INT8, ULongLong, ULONGLONG) \
    X(Int8, INT8, ULongPtr, ULONG_PTR) X(Int8, INT8, UShort, USHORT) X(Int8, INT8, Word, WORD) X(IntPtr, INT_PTR, Byte, BYTE) \
    X(IntPtr, INT_PTR, Char, CHAR) X(IntPtr, INT_PTR, DWord, DWORD) X(IntPtr, INT_PTR, DWord64, DWORD64) \
    X(IntPtr, INT_PTR, DWordLong, DWORDLONG) X(IntPtr, INT_PTR, DWordPtr, DWORD_PTR) X(IntPtr, INT_PTR, Int, INT) \
    X(IntPtr, INT_PTR, Int16, INT16) X(IntPtr, INT_PTR, Int32, INT32) X(IntPtr, INT_PTR, Int8, INT8) X(IntPtr, INT_PTR, Long, LONG) \
    X(IntPtr, INT_PTR, LongPtr, LONG_PTR) X(IntPtr, INT_PTR, SIZET, SIZE_T) X(IntPtr, INT_PTR, Short, SHORT) \
    X(IntPtr, INT_PTR, SizeT, size_t) X(IntPtr, INT_PTR, UChar, UCHAR) X(IntPtr, INT_PTR, UInt, UINT) \
    X(IntPtr, INT_PTR, UInt16, UINT16) X(IntPtr, INT_PTR, UInt32, UINT32) X(IntPtr, INT_PTR, UInt64, UINT64) \
    X(IntPtr, INT_PTR, UInt8, UINT8) X(IntPtr, INT_PTR, UIntPtr, UINT_PTR) X(IntPtr, INT_PTR, ULong, ULONG) \
    X(IntPtr, INT_PTR, ULong64, ULONG64) X(IntPtr, INT_PTR, ULongLong, ULONGLONG) X(IntPtr, INT_PTR, ULongPtr, ULONG_PTR) \
    X(IntPtr, INT_PTR, UShort, USHORT) X(IntPtr, INT_PTR, Word, WORD) X(Int, INT, Byte, BYTE) X(Int, INT, Char, CHAR) \
    X(Int, INT, DWord, DWORD) X(Int, INT, DWord64, DWORD64) X(Int, INT, DWordLong, DWORDLONG) X(Int, INT, DWordPtr, DWORD_PTR) \
    X(Int, INT, Int16, INT16) X(Int, INT, Int8, INT8) X(Int, INT, SIZET, SIZE_T) X(Int, INT, Short, SHORT) X(Int, INT, SizeT, size_t) \
    X(Int, INT, UChar, UCHAR) X(Int, INT, UInt, UINT) X(Int, INT, UInt16, UINT16) X(Int, INT, UInt64, UINT64) \
    X(Int, INT, UInt8, UINT8) X(Int, INT, UIntPtr, UINT_PTR) X(Int, INT, ULong, ULONG) X(Int, INT, ULong64, ULONG64) \
    X(Int, INT, ULongLong, ULONGLONG) X(Int, INT, ULongPtr, ULONG_PTR) X(Int, INT, UShort, USHORT) X(Int, INT, Word, WORD) \
    X(Long64, LONG64, Byte, BYTE) X(Long64, LONG64, Char, CHAR) X(Long64, LONG64, DWord, DWORD) X(Long64, LONG64, DWordPtr, DWORD_PTR) \
    X(Long64, LONG64, Int, INT) X(Long64, LONG64, Int16, INT16) X(Long64, LONG64, Int32, INT32) X(Long64, LONG64, Int8, INT8) \
    X(Long64, LONG64, IntPtr, INT_PTR) X(Long64, LONG64, Long, LONG) X(Long64, LONG64, LongPtr, LONG_PTR) \
    X(Long64, LONG64, PtrdiffT, ptrdiff_t) X(Long64, LONG64, SIZET, SIZE_T) X(Long64, LONG64, SSIZET, SSIZE_T) \
    X(Long64, LONG64, Short, SHORT) X(Long64, LONG64, SizeT, size_t) X(Long64, LONG64, UChar, UCHAR) X(Long64, LONG64, UInt, UINT) \
    X(Long64, LONG64, UInt16, UINT16) X(Long64, LONG64, UInt32, UINT32) X(Long64, LONG64, UInt8, UINT8) \
    X(Long64, LONG64, UIntPtr, UINT_PTR) X(Long64, LONG64, ULong, ULONG) X(Long64, LONG64, ULongLong, ULONGLONG) \
    X(Long64, LONG64, ULongPtr, ULONG_PTR) X(Long64, LONG64, UShort, USHORT) X(Long64, LONG64, Word, WORD) \
    X(LongLong, LONGLONG, Byte, BYTE) X(LongLong, LONGLONG, Char, CHAR) X(LongLong, LONGLONG, DWord, DWORD) \
    X(LongLong, LONGLONG, DWord64, DWORD64) X(LongLong, LONGLONG, DWordLong, DWORDLONG) X(LongLong, LONGLONG, DWordPtr, DWORD_PTR) \
    X(LongLong, LONGLONG, Int, INT) X(LongLong, LONGLONG, Int16, INT16) X(LongLong, LONGLONG, Int32, INT32) \
    X(LongLong, LONGLONG, Int8, INT8) X(LongLong, LONGLONG, IntPtr, INT_PTR) X(LongLong, LONGLONG, Long, LONG) \
    X(LongLong, LONGLONG, LongPtr, LONG_PTR) X(LongLong, LONGLONG, PtrdiffT, ptrdiff_t) X(LongLong, LONGLONG, SIZET, SIZE_T) \
    X(LongLong, LONGLONG, SSIZET, SSIZE_T) X(LongLong, LONGLONG, Short, SHORT) X(LongLong, LONGLONG, SizeT, size_t) \
    X(LongLong, LONGLONG, UChar, UCHAR) X(LongLong, LONGLONG, UInt, UINT) X(LongLong, LONGLONG, UInt16, UINT16) \
    X(LongLong, LONGLONG, UInt32, UINT32) X(LongLong, LONGLONG, UInt64, UINT64) X(LongLong, LONGLONG, UInt8, UINT8) \
    X(LongLong, LONGLONG, UIntPtr, UINT_PTR) X(LongLong, LONGLONG, ULong, ULONG) X(LongLong, LONGLONG, ULong64, ULONG64) \
    X(LongLong, LONGLONG, ULongLong, ULONGLONG) X(LongLong, LONGLONG, ULongPtr, ULONG_PTR) X(LongLong, LONGLONG, UShort, USHORT) \
    X(LongLong, LONGLONG, Word, WORD) X(LongPtr, LONG_PTR, Byte, BYTE) X(LongPtr, LONG_PTR, Char, CHAR) \
    X(LongPtr, LONG_PTR, DWord, DWORD) X(LongPtr, LONG_PTR, DWord64, DWORD64) X(LongPtr, LONG_PTR, DWordLong, DWORDLONG) \
    X(LongPtr, LONG_PTR, DWordPtr, DWORD_PTR) X(LongPtr, LONG_PTR, Int, INT) X(LongPtr, LONG_PTR, Int16, INT16) \
    X(LongPtr, LONG_PTR, Int32, INT32) X(LongPtr, LONG_PTR, Int8, INT8) X(LongPtr, LONG_PTR, IntPtr, INT_PTR) \
    X(LongPtr, LONG_PTR, Long, LONG) X(LongPtr, LONG_PTR, SIZET, SIZE_T) X(LongPtr, LONG_PTR, Short, SHORT) \
    X(LongPtr, LONG_PTR, SizeT, size_t) X(LongPtr, LONG_PTR, UChar, UCHAR) X(LongPtr, LONG_PTR, UInt, UINT) \
    X(LongPtr, LONG_PTR, UInt16, UINT16) X(LongPtr, LONG_PTR, UInt32, UINT32) X(LongPtr, LONG_PTR, UInt64, UINT64) \
    X(LongPtr, LONG_PTR, UInt8, UINT8) X(LongPtr, LONG_PTR, UIntPtr, UINT_PTR) X(LongPtr, LONG_PTR, ULong, ULONG) \
    X(LongPtr, LONG_PTR, ULong64, ULONG64) X(LongPtr, LONG_PTR, ULongLong, ULONGLONG) X(LongPtr, LONG_PTR, ULongPtr, ULONG_PTR) \
    X(LongPtr, LONG_PTR, UShort, USHORT) X(LongPtr, LONG_PTR, Word, WORD) X(Long, LONG, Byte, BYTE) X(Long, LONG, Char, CHAR) \
    X(Long, LONG, DWord, DWORD) X(Long, LONG, DWord64, DWORD64) X(Long, LONG, DWordLong, DWORDLONG) X(Long, LONG, DWordPtr, DWORD_PTR) \
    X(Long, LONG, Int, INT) X(Long, LONG, Int16, INT16) X(Long, LONG, Int32, INT32) X(Long, LONG, Int8, INT8) \
    X(Long, LONG, IntPtr, INT_PTR) X(Long, LONG, PtrdiffT, ptrdiff_t) X(Long, LONG, SIZET, SIZE_T) X(Long, LONG, Short, SHORT) \
    X(Long, LONG, SizeT, size_t) X(Long, LONG, UChar, UCHAR) X(Long, LONG, UInt, UINT) X(Long, LONG, UInt16, UINT16) \
    X(Long, LONG, UInt32, UINT32) X(Long, LONG, UInt64, UINT64) X(Long, LONG, UInt8, UINT8) X(Long, LONG, UIntPtr, UINT_PTR) \
    X(Long, LONG, ULong, ULONG) X(Long, LONG, ULong64, ULONG64) X(Long, LONG, ULongLong, ULONGLONG) X(Long, LONG, ULongPtr, ULONG_PTR) \
    X(Long, LONG, UShort, USHORT) X(Long, LONG, Word, WORD) X(PtrdiffT, ptrdiff_t, Byte, BYTE) X(PtrdiffT, ptrdiff_t, Char, CHAR) \
    X(PtrdiffT, ptrdiff_t, DWord, DWORD) X(PtrdiffT, ptrdiff_t, DWord64, DWORD64) X(PtrdiffT, ptrdiff_t, DWordLong, DWORDLONG) \
    X(PtrdiffT, ptrdiff_t, DWordPtr, DWORD_PTR) X(PtrdiffT, ptrdiff_t, Int, INT) X(PtrdiffT, ptrdiff_t, Int16, INT16) \
    X(PtrdiffT, ptrdiff_t, Int32, INT32) X(PtrdiffT, ptrdiff_t, Int8, INT8) X(PtrdiffT, ptrdiff_t, Long, LONG) \
    X(PtrdiffT, ptrdiff_t, LongPtr, LONG_PTR) X(PtrdiffT, ptrdiff_t, SIZET, SIZE_T) X(PtrdiffT, ptrdiff_t, Short, SHORT) \
    X(PtrdiffT, ptrdiff_t, SizeT, size_t) X(PtrdiffT, ptrdiff_t, UChar, UCHAR) X(PtrdiffT, ptrdiff_t, UInt, UINT) \
    X(PtrdiffT, ptrdiff_t, UInt16, UINT16) X(PtrdiffT, ptrdiff_t, UInt32, UINT32) X(PtrdiffT, ptrdiff_t, UInt64, UINT64) \
    X(PtrdiffT, ptrdiff_t, UInt8, UINT8) X(PtrdiffT, ptrdiff_t, UIntPtr, UINT_PTR) X(PtrdiffT, ptrdiff_t, ULong, ULONG) \
    X(PtrdiffT, ptrdiff_t, ULong64, ULONG64) X(PtrdiffT, ptrdiff_t, ULongLong, ULONGLONG) X(PtrdiffT, ptrdiff_t, ULongPtr, ULONG_PTR) \
    X(PtrdiffT, ptrdiff_t, UShort, USHORT) X(PtrdiffT, ptrdiff_t, Word, WORD) X(SIZET, SIZE_T, Int64, INT64) \
    X(SIZET, SIZE_T, Long64, LONG64) X(SIZET, SIZE_T, LongLong, LONGLONG) X(SIZET, SIZE_T, UInt16, UINT16) \
    X(SIZET, SIZE_T, UShort, USHORT) X(SIZET, SIZE_T, Word, WORD) X(SSIZET, SSIZE_T, Byte, BYTE) X(SSIZET, SSIZE_T, Char, CHAR) \
    X(SSIZET, SSIZE_T, DWord, DWORD) X(SSIZET, SSIZE_T, DWord64, DWORD64) X(SSIZET, SSIZE_T, DWordLong, DWORDLONG) \
    X(SSIZET, SSIZE_T, DWordPtr, DWORD_PTR) X(SSIZET, SSIZE_T, Int, INT) X(SSIZET, SSIZE_T, Int16, INT16) \
    X(SSIZET, SSIZE_T, Int32, INT32) X(SSIZET, SSIZE_T, Int8, INT8) X(SSIZET, SSIZE_T, IntPtr, INT_PTR) X(SSIZET, SSIZE_T, Long, LONG) \
    X(SSIZET, SSIZE_T, SIZET, SIZE_T) X(SSIZET, SSIZE_T, Short, SHORT) X(SSIZET, SSIZE_T, SizeT, size_t) \
    X(SSIZET, SSIZE_T, UChar, UCHAR) X(SSIZET, SSIZE_T, UInt, UINT) X(SSIZET, SSIZE_T, UInt16, UINT16) \
    X(SSIZET, SSIZE_T, UInt32, UINT32) X(SSIZET, SSIZE_T, UInt64, UINT64) X(SSIZET, SSIZE_T, UInt8, UINT8) \
    X(SSIZET, SSIZE_T, UIntPtr, UINT_PTR) X(SSIZET, SSIZE_T, ULong, ULONG) X(SSIZET, SSIZE_T, ULong64, ULONG64) \
    X(SSIZET, SSIZE_T, ULongLong, ULONGLONG) X(SSIZET, SSIZE_T, ULongPtr, ULONG_PTR) X(SSIZET, SSIZE_T, UShort, USHORT) \
    X(SSIZET, SSIZE_T, Word, WORD) X(Short, SHORT, Byte, BYTE) X(Short, SHORT, Char, CHAR) X(Short, SHORT, DWord, DWORD) \
    X(Short, SHORT, DWord64, DWORD64) X(Short, SHORT, DWordLong, DWORDLONG) X(Short, SHORT, DWordPtr, DWORD_PTR) \
    X(Short, SHORT, Int8, INT8) X(Short, SHORT, SIZET, SIZE_T) X(Short, SHORT, SizeT, size_t) X(Short, SHORT, UChar, UCHAR) \
    X(Short, SHORT, UInt, UINT) X(Short, SHORT, UInt16, UINT16) X(Short, SHORT, UInt32, UINT32) X(Short, SHORT, UInt64, UINT64) \
    X(Short, SHORT, UInt8, UINT8) X(Short, SHORT, UIntPtr, UINT_PTR) X(Short, SHORT, ULong, ULONG) X(Short, SHORT, ULong64, ULONG64) \
    X(Short, SHORT, ULongLong, ULONGLONG) X(Short, SHORT, ULongPtr, ULONG_PTR) X(Short, SHORT, UShort, USHORT) \
    X(Short, SHORT, Word, WORD) X(SizeT, size_t, Byte, BYTE) X(SizeT, size_t, Char, CHAR) X(SizeT, size_t, DWord, DWORD) \
    X(SizeT, size_t, Int, INT) X(SizeT, size_t, Int16, INT16) X(SizeT, size_t, Int32, INT32) X(SizeT, size_t, Int64, INT64) \
    X(SizeT, size_t, Int8, INT8) X(SizeT, size_t, IntPtr, INT_PTR) X(SizeT, size_t, Long, LONG) X(SizeT, size_t, Long64, LONG64) \
    X(SizeT, size_t, LongLong, LONGLONG) X(SizeT, size_t, LongPtr, LONG_PTR) X(SizeT, size_t, PtrdiffT, ptrdiff_t) \
    X(SizeT, size_t, SSIZET, SSIZE_T) X(SizeT, size_t, Short, SHORT) X(SizeT, size_t, UChar, UCHAR) X(SizeT, size_t, UInt, UINT) \
    X(SizeT, size_t, UInt16, UINT16) X(SizeT, size_t, UInt32, UINT32) X(SizeT, size_t, UInt8, UINT8) X(SizeT, size_t, ULong, ULONG) \
    X(SizeT, size_t, UShort, USHORT) X(SizeT, size_t, Word, WORD) X(UInt32, UINT32, Char, CHAR) X(UInt32, UINT32, Int16, INT16) \
    X(UInt32, UINT32, Long, LONG) X(UInt32, UINT32, LongPtr, LONG_PTR) X(UInt32, UINT32, Short, SHORT) \
    X(UInt32, UINT32, UInt16, UINT16) X(UInt32, UINT32, UInt8, UINT8) X(UInt32, UINT32, UShort, USHORT) X(UInt32, UINT32, Word, WORD) \
    X(UInt64, UINT64, DWord, DWORD) X(UInt64, UINT64, Int64, INT64) X(UInt64, UINT64, Long64, LONG64) \
    X(UInt64, UINT64, LongLong, LONGLONG) X(UInt64, UINT64, LongPtr, LONG_PTR) X(UInt64, UINT64, SSIZET, SSIZE_T) \
    X(UInt64, UINT64, UInt16, UINT16) X(UInt64, UINT64, UShort, USHORT) X(UInt64, UINT64, Word, WORD) X(UInt8, UINT8, Char, CHAR) \
    X(UInt8, UINT8, Int8, INT8) X(UIntPtr, UINT_PTR, Byte, BYTE) X(UIntPtr, UINT_PTR, Char, CHAR) X(UIntPtr, UINT_PTR, DWord, DWORD) \
    X(UIntPtr, UINT_PTR, Int, INT) X(UIntPtr, UINT_PTR, Int16, INT16) X(UIntPtr, UINT_PTR, Int32, INT32) \
    X(UIntPtr, UINT_PTR, Int64, INT64) X(UIntPtr, UINT_PTR, Int8, INT8) X(UIntPtr, UINT_PTR, IntPtr, INT_PTR) \
    X(UIntPtr, UINT_PTR, Long, LONG) X(UIntPtr, UINT_PTR, Long64, LONG64) X(UIntPtr, UINT_PTR, LongLong, LONGLONG) \
    X(UIntPtr, UINT_PTR, LongPtr, LONG_PTR) X(UIntPtr, UINT_PTR, PtrdiffT, ptrdiff_t) X(UIntPtr, UINT_PTR, SSIZET, SSIZE_T) \
    X(UIntPtr, UINT_PTR, Short, SHORT) X(UIntPtr, UINT_PTR, UChar, UCHAR) X(UIntPtr, UINT_PTR, UInt, UINT) \
    X(UIntPtr, UINT_PTR, UInt16, UINT16) X(UIntPtr, UINT_PTR, UInt32, UINT32) X(UIntPtr, UINT_PTR, UInt8, UINT8) \
    X(UIntPtr, UINT_PTR, ULong, ULONG) X(UIntPtr, UINT_PTR, UShort, USHORT) X(UIntPtr, UINT_PTR, Word, WORD) X(UInt, UINT, Byte, BYTE) \
    X(UInt, UINT, Char, CHAR) X(UInt, UINT, Int, INT) X(UInt, UINT, Int16, INT16) X(UInt, UINT, Int8, INT8) \
    X(UInt, UINT, IntPtr, INT_PTR) X(UInt, UINT, Long, LONG) X(UInt, UINT, LongPtr, LONG_PTR) X(UInt, UINT, SSIZET, SSIZE_T) \
    X(UInt, UINT, Short, SHORT) X(UInt, UINT, UChar, UCHAR) X(UInt, UINT, UInt16, UINT16) X(UInt, UINT, UInt8, UINT8) \
    X(UInt, UINT, UShort, USHORT) X(UInt, UINT, Word, WORD) X(ULong64, ULONG64, Int64, INT64) X(ULong64, ULONG64, Long64, LONG64) \
    X(ULong64, ULONG64, LongLong, LONGLONG) X(ULong64, ULONG64, LongPtr, LONG_PTR) X(ULong64, ULONG64, SSIZET, SSIZE_T) \
    X(ULong64, ULONG64, UInt16, UINT16) X(ULong64, ULONG64, UShort, USHORT) X(ULong64, ULONG64, Word, WORD) \
    X(ULongLong, ULONGLONG, Char, CHAR) X(ULongLong, ULONGLONG, Int, INT) X(ULongLong, ULONGLONG, Int64, INT64) \
    X(ULongLong, ULONGLONG, Int8, INT8) X(ULongLong, ULONGLONG, IntPtr, INT_PTR) X(ULongLong, ULONGLONG, Long, LONG) \
    X(ULongLong, ULONGLONG, Long64, LONG64) X(ULongLong, ULONGLONG, LongLong, LONGLONG) X(ULongLong, ULONGLONG, LongPtr, LONG_PTR) \
    X(ULongLong, ULONGLONG, SSIZET, SSIZE_T) X(ULongLong, ULONGLONG, Short, SHORT) X(ULongLong, ULONGLONG, UChar, UCHAR) \
    X(ULongLong, ULONGLONG, UInt, UINT) X(ULongLong, ULONGLONG, UInt16, UINT16) X(ULongLong, ULONGLONG, UInt8, UINT8) \
    X(ULongLong, ULONGLONG, UIntPtr, UINT_PTR) X(ULongLong, ULONGLONG, ULong, ULONG) X(ULongLong, ULONGLONG, ULongPtr, ULONG_PTR) \
    X(ULongLong, ULONGLONG, UShort, USHORT) X(ULongLong, ULONGLONG, Word, WORD) X(ULongPtr, ULONG_PTR, Char, CHAR) \
    X(ULongPtr, ULONG_PTR, Int, INT) X(ULongPtr, ULONG_PTR, Int64, INT64) X(ULongPtr, ULONG_PTR, Int8, INT8) \
    X(ULongPtr, ULONG_PTR, IntPtr, INT_PTR) X(ULongPtr, ULONG_PTR, Long, LONG) X(ULongPtr, ULONG_PTR, Long64, LONG64) \
    X(ULongPtr, ULONG_PTR, LongLong, LONGLONG) X(ULongPtr, ULONG_PTR, LongPtr, LONG_PTR) X(ULongPtr, ULONG_PTR, Short, SHORT) \
    X(ULongPtr, ULONG_PTR, UChar, UCHAR) X(ULongPtr, ULONG_PTR, UInt, UINT) X(ULongPtr, ULONG_PTR, UInt16, UINT16) \
    X(ULongPtr, ULONG_PTR, UInt8, UINT8) X(ULongPtr, ULONG_PTR, UIntPtr, UINT_PTR) X(ULongPtr, ULONG_PTR, ULong, ULONG) \
    X(ULongPtr, ULONG_PTR, UShort, USHORT) X(ULongPtr, ULONG_PTR, Word, WORD) X(ULong, ULONG, Char, CHAR) X(ULong, ULONG, Int, INT) \
    X(ULong, ULONG, Int8, INT8) X(ULong, ULONG, IntPtr, INT_PTR) X(ULong, ULONG, Long, LONG) X(ULong, ULONG, LongPtr, LONG_PTR) \
    X(ULong, ULONG, Short, SHORT) X(ULong, ULONG, UChar, UCHAR) X(ULong, ULONG, UInt, UINT) X(ULong, ULONG, UInt8, UINT8) \
    X(ULong, ULONG, UIntPtr, UINT_PTR) X(ULong, ULONG, UShort, USHORT) X(UShort, USHORT, Char, CHAR) X(UShort, USHORT, Int8, INT8) \
    X(UShort, USHORT, Short, SHORT) X(UShort, USHORT, UChar, UCHAR) X(UShort, USHORT, UInt8, UINT8)

#define NTMM_INTSAFE_ADD_SUB_MULT(Name, Type) \
    NTMM_INTSAFE Rtl##Name##Add(Type Augend, Type Addend, Type *pResult) \
    { NTMM_INTSAFE_RESULT(__builtin_add_overflow(Augend, Addend, pResult), Type); } \
    NTMM_INTSAFE Rtl##Name##Sub(Type Minuend, Type Subtrahend, Type *pResult) \
    { NTMM_INTSAFE_RESULT(__builtin_sub_overflow(Minuend, Subtrahend, pResult), Type); } \
    NTMM_INTSAFE Rtl##Name##Mult(Type Multiplicand, Type Multiplier, Type *pResult) \
    { NTMM_INTSAFE_RESULT(__builtin_mul_overflow(Multiplicand, Multiplier, pResult), Type); }
NTMM_INTSAFE_ARITHMETIC(NTMM_INTSAFE_ADD_SUB_MULT)

#define NTMM_INTSAFE_CONVERT(Name, From, Result, ToType) \
    NTMM_INTSAFE Rtl##Name##To##Result(From Operand, ToType *pResult) \
    { NTMM_INTSAFE_RESULT(__builtin_add_overflow(Operand, (From)0, pResult), ToType); }
NTMM_INTSAFE_CONVERSIONS(NTMM_INTSAFE_CONVERT)
/* clang-format on */

#undef NTMM_INTSAFE_ADD_SUB_MULT
#undef NTMM_INTSAFE_CONVERT
#undef NTMM_INTSAFE_RESULT

#endif
