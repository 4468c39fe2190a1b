/*
 * ntmm_macros.h - the small macros of ntdef.h: parts of structures, checks when compiling, flags, pointers as numbers, alignment, limits.
 * min and max are there in C only, as they would take the C++ library apart.
 *
 * Source  WDK reference: ntdef.h, wdm.h (the page of each macro that has one); names that sample drivers use.
 */
#ifndef NTMM_DDK_MACROS_H
#define NTMM_DDK_MACROS_H

/* ---- structures and their parts; bytes ---- */
#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define UFIELD_OFFSET(type, field) ((ULONG)offsetof(type, field))
#define CONTAINING_RECORD(address, type, field) ((type *)((PCHAR)(address)-offsetof(type, field)))
#define FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define RTL_FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define RTL_FIELD_TYPE(type, field) (((type *)0)->field)
#define RTL_SIZEOF_THROUGH_FIELD(type, field) (FIELD_OFFSET(type, field) + RTL_FIELD_SIZE(type, field))
#define RTL_CONTAINS_FIELD(Struct, Size, Field) ((((PCHAR)(&(Struct)->Field)) + sizeof((Struct)->Field)) <= (((PCHAR)(Struct)) + (Size)))
#define RTL_NUMBER_OF(A) (sizeof(A) / sizeof((A)[0]))
#define RTL_NUMBER_OF_V1(A) RTL_NUMBER_OF(A)
#define RTL_NUMBER_OF_V2(A) RTL_NUMBER_OF(A)
#define RTL_NUMBER_OF_FIELD(type, field) (RTL_NUMBER_OF(RTL_FIELD_TYPE(type, field)))
#define RTL_BITS_OF(sizeOfArg) (sizeof(sizeOfArg) * 8)
#define RTL_BITS_OF_FIELD(type, field) (RTL_BITS_OF(RTL_FIELD_TYPE(type, field)))
#define ARRAYSIZE(A) RTL_NUMBER_OF(A)
#define _ARRAYSIZE(A) RTL_NUMBER_OF(A)
#define _countof(A) RTL_NUMBER_OF(A)
#define ANYSIZE_ARRAY 1

/* ---- handles: each kind has a type of its own. Some drivers declare a function with a PVOID and define it with a handle, which Visual C++ lets pass
 * and a C compiler must not: for these files NTMM_UNTYPED_HANDLES makes one type of all. ---- */
#ifndef DECLARE_HANDLE
#ifdef NTMM_UNTYPED_HANDLES
#define DECLARE_HANDLE(name) typedef void *name
#else
#define DECLARE_HANDLE(name) \
    struct name##__ { \
        int unused; \
    }; \
    typedef struct name##__ *name
#endif
#endif

/* ---- checks when compiling ---- */
#define NTMM_JOIN_(a, b) a##b
#define NTMM_JOIN(a, b) NTMM_JOIN_(a, b)
#define C_ASSERT(e) typedef char NTMM_JOIN(ntmm_c_assert_, __COUNTER__)[(e) ? 1 : -1] __attribute__((unused))

/* ---- flags, arguments ---- */
#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(P) ((void)(P))
#endif
#define DBG_UNREFERENCED_PARAMETER(P) ((void)(P))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(V) ((void)(V))
#define ARGUMENT_PRESENT(ArgumentPointer) ((CHAR *)((ULONG_PTR)(ArgumentPointer)) != (CHAR *)(NULL))
#ifndef FlagOn
#define FlagOn(_F, _SF) ((_F) & (_SF))
#endif
#ifndef BooleanFlagOn
#define BooleanFlagOn(F, SF) ((BOOLEAN)(((F) & (SF)) != 0))
#endif
#ifndef SetFlag
#define SetFlag(_F, _SF) ((_F) |= (_SF))
#endif
#ifndef ClearFlag
#define ClearFlag(_F, _SF) ((_F) &= ~(_SF))
#endif
#if !defined(__cplusplus) && !defined(NOMINMAX) && !defined(NTMM_BUILDING)
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#endif

/* ---- pointers and handles as numbers ---- */
#define HandleToULong(h) ((ULONG)(ULONG_PTR)(h))
#define HandleToUlong(h) HandleToULong(h)
#define HandleToLong(h) ((LONG)(LONG_PTR)(h))
#define ULongToHandle(ul) ((HANDLE)(ULONG_PTR)(ULONG)(ul))
#define UlongToHandle(ul) ULongToHandle(ul)
#define LongToHandle(h) ((HANDLE)(LONG_PTR)(LONG)(h))
#define PtrToULong(p) ((ULONG)(ULONG_PTR)(p))
#define PtrToUlong(p) PtrToULong(p)
#define PtrToLong(p) ((LONG)(LONG_PTR)(p))
#define PtrToUint(p) ((UINT)(UINT_PTR)(p))
#define PtrToInt(p) ((INT)(INT_PTR)(p))
#define PtrToUshort(p) ((USHORT)(ULONG_PTR)(p))
#define PtrToShort(p) ((SHORT)(LONG_PTR)(p))
#define ULongToPtr(ul) ((PVOID)(ULONG_PTR)(ULONG)(ul))
#define UlongToPtr(ul) ULongToPtr(ul)
#define LongToPtr(l) ((PVOID)(LONG_PTR)(LONG)(l))
#define UintToPtr(ui) ((PVOID)(UINT_PTR)(UINT)(ui))
#define IntToPtr(i) ((PVOID)(INT_PTR)(INT)(i))
#define Ptr32ToPtr(p) ((PVOID)(ULONG_PTR)(ULONG)(p))
#define PtrToPtr64(p) ((PVOID64)(p))
#define Ptr64ToPtr(p) ((PVOID)(p))
#define Add2Ptr(P, I) ((PVOID)((PUCHAR)(P) + (I)))
#define PtrOffset(B, O) ((ULONG)((ULONG_PTR)(O) - (ULONG_PTR)(B)))

/* ---- alignment; alignments are powers of two ---- */
#define ALIGN_DOWN_BY(length, alignment) ((ULONG_PTR)(length) & ~((ULONG_PTR)(alignment)-1))
#define ALIGN_UP_BY(length, alignment) (ALIGN_DOWN_BY(((ULONG_PTR)(length) + (alignment)-1), alignment))
#define ALIGN_DOWN_POINTER_BY(address, alignment) ((PVOID)((ULONG_PTR)(address) & ~((ULONG_PTR)(alignment)-1)))
#define ALIGN_UP_POINTER_BY(address, alignment) (ALIGN_DOWN_POINTER_BY(((ULONG_PTR)(address) + (alignment)-1), alignment))
#define ALIGN_DOWN(length, type) ALIGN_DOWN_BY(length, sizeof(type))
#define ALIGN_UP(length, type) ALIGN_UP_BY(length, sizeof(type))
#define ALIGN_DOWN_POINTER(address, type) ALIGN_DOWN_POINTER_BY(address, sizeof(type))
#define ALIGN_UP_POINTER(address, type) ALIGN_UP_POINTER_BY(address, sizeof(type))

/* ---- arithmetic of 64 bits ---- */
#define Int32x32To64(a, b) ((LONGLONG)(LONG)(a) * (LONGLONG)(LONG)(b))
#define UInt32x32To64(a, b) ((ULONGLONG)(ULONG)(a) * (ULONGLONG)(ULONG)(b))
#define Int64ShllMod32(Value, ShiftCount) ((ULONGLONG)(Value) << (ShiftCount))
#define Int64ShraMod32(Value, ShiftCount) ((LONGLONG)(Value) >> (ShiftCount))
#define Int64ShrlMod32(Value, ShiftCount) ((ULONGLONG)(Value) >> (ShiftCount))

/* ---- limits ---- */
#define MINCHAR 0x80
#define MAXCHAR 0x7f
#define MINSHORT 0x8000
#define MAXSHORT 0x7fff
#define MINLONG 0x80000000u
#define MAXLONG 0x7fffffff
#define MAXUCHAR 0xff
#define MAXUSHORT 0xffff
#define MAXULONG 0xffffffffu
#define MAXLONGLONG 0x7fffffffffffffffll
#define MINLONGLONG (-MAXLONGLONG - 1)
#define MAXULONGLONG (~(ULONGLONG)0)
#define MAXUINT8 ((UINT8) ~(UINT8)0)
#define MAXUINT16 ((UINT16) ~(UINT16)0)
#define MAXUINT32 (~(UINT32)0)
#define MAXUINT64 (~(UINT64)0)
#define MAXINT8 ((INT8)(MAXUINT8 >> 1))
#define MAXINT16 ((INT16)(MAXUINT16 >> 1))
#define MAXINT32 ((INT32)(MAXUINT32 >> 1))
#define MAXINT64 ((INT64)(MAXUINT64 >> 1))
#define MAXUINT (~(UINT)0)
#define MAXINT ((INT)(MAXUINT >> 1))
#define MAXULONG32 (~(ULONG32)0)
#define MAXLONG32 ((LONG32)(MAXULONG32 >> 1))
#define MAXULONG64 (~(ULONG64)0)
#define MAXLONG64 ((LONG64)(MAXULONG64 >> 1))
#define MAXULONG_PTR (~(ULONG_PTR)0)
#define MAXLONG_PTR ((LONG_PTR)(MAXULONG_PTR >> 1))
#define MAXUINT_PTR (~(UINT_PTR)0)
#define MAXINT_PTR ((INT_PTR)(MAXUINT_PTR >> 1))
#define MAXSIZE_T (~(SIZE_T)0)
#define MAXSSIZE_T ((SSIZE_T)(MAXSIZE_T >> 1))

#endif
