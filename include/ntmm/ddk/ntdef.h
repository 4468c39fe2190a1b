/*
 * ntdef.h - the base types of the NT world, on a host whose `long` has eight bytes.
 * Windows is LLP64: LONG and ULONG are 32 bits, pointers 64. Linux and macOS are LP64. So every type
 * here has a fixed width and no `long` appears.
 *
 * Source      WDK reference, "Windows kernel data types"; x64 layouts.
 */
#ifndef NTMM_DDK_NTDEF_H
#define NTMM_DDK_NTDEF_H

#include <stddef.h>
#include <stdint.h>

#include "ntmm_keywords.h" /* SAL, calling conventions, __declspec: all the words only one compiler knows */
#include "guiddef.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void          VOID, *PVOID;
typedef const void   *PCVOID;
typedef char          CHAR, *PCHAR, CCHAR, *PSZ, *PSTR;
typedef const char   *PCSZ, *PCSTR, *PCCH;
typedef signed char   SCHAR, *PSCHAR;
typedef unsigned char UCHAR, *PUCHAR, BYTE;
typedef int16_t       SHORT, *PSHORT, CSHORT;
typedef uint16_t      USHORT, *PUSHORT, WORD;
typedef int32_t       INT, LONG, *PLONG;
typedef uint32_t      UINT, ULONG, *PULONG, DWORD;
typedef int64_t       LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64;
typedef uint64_t      ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, DWORDLONG, UINT64;
typedef int8_t        INT8;
typedef uint8_t       UINT8;
typedef int16_t       INT16;
typedef uint16_t      UINT16;
typedef int32_t       INT32, LONG32;
typedef uint32_t      UINT32, ULONG32, DWORD32;
typedef intptr_t      INT_PTR, LONG_PTR, *PLONG_PTR, SSIZE_T;
typedef uintptr_t     UINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, SIZE_T, *PSIZE_T;
#ifdef __cplusplus
typedef wchar_t NTMM_WCHAR; /* which is no other type there */
#else
typedef uint16_t NTMM_WCHAR;
#endif
typedef NTMM_WCHAR        WCHAR, *PWCHAR, *PWSTR, *PWCH, *LPWSTR; /* 16 bits; compile drivers with -fshort-wchar for L"..." */
typedef const NTMM_WCHAR *PCWSTR, *PCWCH, *LPCWSTR;
typedef UCHAR             BOOLEAN, *PBOOLEAN;
typedef int               BOOL;
typedef ULONG             LOGICAL, *PLOGICAL;
typedef LONG              NTSTATUS, *PNTSTATUS;
typedef ULONG             ACCESS_MASK, *PACCESS_MASK;
typedef UCHAR             KIRQL, *PKIRQL;
typedef CCHAR             KPROCESSOR_MODE;
typedef ULONG_PTR         KAFFINITY, *PKAFFINITY;
typedef LONG              KPRIORITY;
typedef PVOID             HANDLE, *PHANDLE;
typedef ULONG_PTR         PFN_NUMBER, *PPFN_NUMBER;
typedef ULONG_PTR         KSPIN_LOCK, *PKSPIN_LOCK;
typedef LONG              EX_SPIN_LOCK, *PEX_SPIN_LOCK;
typedef ULONG             NODE_REQUIREMENT;

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

typedef union _LARGE_INTEGER {
    struct {
        ULONG LowPart;
        LONG  HighPart;
    };
    struct {
        ULONG LowPart;
        LONG  HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;
typedef union _ULARGE_INTEGER {
    struct {
        ULONG LowPart;
        ULONG HighPart;
    };
    struct {
        ULONG LowPart;
        ULONG HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;
typedef LARGE_INTEGER PHYSICAL_ADDRESS, *PPHYSICAL_ADDRESS; /* bytes from the start of the bus */

typedef struct _LIST_ENTRY {
    struct _LIST_ENTRY *Flink, *Blink;
} LIST_ENTRY, *PLIST_ENTRY;
typedef struct _SINGLE_LIST_ENTRY {
    struct _SINGLE_LIST_ENTRY *Next;
} SINGLE_LIST_ENTRY, *PSINGLE_LIST_ENTRY;

typedef struct _UNICODE_STRING {
    USHORT Length, MaximumLength; /* bytes, without and with room to spare */
    PWCH   Buffer;
} UNICODE_STRING, *PUNICODE_STRING;
typedef const UNICODE_STRING *PCUNICODE_STRING;
typedef struct _STRING {
    USHORT Length, MaximumLength;
    PCHAR  Buffer;
} STRING, *PSTRING, ANSI_STRING, *PANSI_STRING, OEM_STRING, *POEM_STRING, UTF8_STRING, *PUTF8_STRING;
typedef const STRING *PCSTRING, *PCANSI_STRING, *PCOEM_STRING, *PCUTF8_STRING;

typedef struct _PROCESSOR_NUMBER {
    USHORT Group;
    UCHAR  Number, Reserved;
} PROCESSOR_NUMBER, *PPROCESSOR_NUMBER;
typedef struct _GROUP_AFFINITY {
    KAFFINITY Mask;
    USHORT    Group, Reserved[3];
} GROUP_AFFINITY, *PGROUP_AFFINITY;

#define NT_SUCCESS(Status) (((NTSTATUS)(Status)) >= 0)
#define NT_INFORMATION(Status) ((((ULONG)(Status)) >> 30) == 1)
#define NT_WARNING(Status) ((((ULONG)(Status)) >> 30) == 2)
#define NT_ERROR(Status) ((((ULONG)(Status)) >> 30) == 3)

#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define CONTAINING_RECORD(address, type, field) ((type *)((PCHAR)(address)-offsetof(type, field)))
#ifndef UNREFERENCED_PARAMETER
#define UNREFERENCED_PARAMETER(P) ((void)(P))
#endif
#define ANYSIZE_ARRAY 1
#define MAXULONG 0xffffffffu
#define MAXLONG 0x7fffffff
#define MAXULONG_PTR (~(ULONG_PTR)0)

#ifdef __cplusplus
}
#endif
#endif
