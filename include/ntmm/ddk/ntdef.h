/*
 * ntdef.h - the base types of the NT world, on a host whose `long` has eight bytes.
 * Windows is LLP64: LONG and ULONG are 32 bits, pointers 64. Linux and macOS are LP64. So every type
 * here has a fixed width and no `long` appears.
 *
 * Source      WDK reference, "Windows kernel data types"; x64 layouts.
 */
#ifndef NTMM_DDK_NTDEF_H
#define NTMM_DDK_NTDEF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "ntmm_keywords.h" /* calling conventions, __declspec: all the words only one compiler knows */
#include "sal.h"           /* source annotations, which vanish */
#include "guiddef.h"
#include "ntmm_macros.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void          VOID, *PVOID, *PVOID64, *LPVOID;
typedef const void   *PCVOID, *LPCVOID;
typedef char          CHAR, *PCHAR, CCHAR, *PCCHAR, *PSZ, *PSTR, *NPSTR, *LPSTR, *LPCH, *PCH;
typedef const char   *PCSZ, *PCSTR, *PCCH, *LPCSTR, *LPCCH;
typedef signed char   SCHAR, *PSCHAR;
typedef unsigned char UCHAR, *PUCHAR, BYTE, *PBYTE, *LPBYTE;
typedef const UCHAR  *PCUCHAR;
typedef int16_t       SHORT, *PSHORT, CSHORT;
typedef uint16_t      USHORT, *PUSHORT, WORD, *PWORD;
typedef int32_t       INT, *PINT, LONG, *PLONG;
typedef uint32_t      UINT, *PUINT, ULONG, *PULONG, CLONG, *PCLONG, DWORD, *PDWORD, *LPDWORD;
typedef int64_t       LONGLONG, *PLONGLONG, LONG64, *PLONG64, INT64, *PINT64;
typedef uint64_t      ULONGLONG, *PULONGLONG, ULONG64, *PULONG64, DWORDLONG, *PDWORDLONG, DWORD64, *PDWORD64, UINT64, *PUINT64;
typedef int8_t        INT8, *PINT8;
typedef uint8_t       UINT8, *PUINT8;
typedef int16_t       INT16, *PINT16;
typedef uint16_t      UINT16, *PUINT16;
typedef int32_t       INT32, *PINT32, LONG32, *PLONG32, HRESULT;
typedef uint32_t      UINT32, *PUINT32, ULONG32, *PULONG32, DWORD32, *PDWORD32;
typedef intptr_t      INT_PTR, *PINT_PTR, LONG_PTR, *PLONG_PTR, SSIZE_T, *PSSIZE_T;
typedef uintptr_t     UINT_PTR, *PUINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, *PDWORD_PTR, SIZE_T, *PSIZE_T;
typedef float         FLOAT, *PFLOAT;
typedef double        DOUBLE;
#ifdef __cplusplus
typedef wchar_t NTMM_WCHAR; /* which is no other type there */
#else
typedef uint16_t NTMM_WCHAR;
#endif
typedef NTMM_WCHAR WCHAR, *PWCHAR, *LPWCH, *PWCH, *NWPSTR, *LPWSTR, *PWSTR; /* 16 bits; compile drivers with -fshort-wchar for L"..." */
typedef const NTMM_WCHAR *LPCWCH, *PCWCH, *LPCWSTR, *PCWSTR, *LPCUWSTR, *PCUWSTR;
typedef NTMM_WCHAR       *PZZWSTR; /* strings one behind the other, an empty one behind the last */
typedef const NTMM_WCHAR *PCZZWSTR;
typedef UCHAR             BOOLEAN, *PBOOLEAN;
typedef int               BOOL, *PBOOL, *LPBOOL;
typedef ULONG             LOGICAL, *PLOGICAL;
typedef LONG              NTSTATUS, *PNTSTATUS;
typedef ULONG             ACCESS_MASK, *PACCESS_MASK;
typedef UCHAR             KIRQL, *PKIRQL;
typedef CCHAR             KPROCESSOR_MODE;
typedef ULONG_PTR         KAFFINITY, *PKAFFINITY;
typedef LONG              KPRIORITY;
typedef PVOID             HANDLE, *PHANDLE;
typedef ULONG             LCID, *PLCID;
typedef USHORT            LANGID;
typedef ULONG_PTR         PFN_NUMBER, *PPFN_NUMBER;
typedef ULONG_PTR         KSPIN_LOCK, *PKSPIN_LOCK;
typedef LONG              EX_SPIN_LOCK, *PEX_SPIN_LOCK;
typedef ULONG             NODE_REQUIREMENT;
NTMM_LAYOUT(sizeof(WCHAR) == 2, "WCHAR has 16 bits: compile with -fshort-wchar");

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

#ifndef MEMORY_ALLOCATION_ALIGNMENT
#define MEMORY_ALLOCATION_ALIGNMENT 16 /* bytes: of every block of pool */
#endif

#define NT_SUCCESS(Status) (((NTSTATUS)(Status)) >= 0)
#define NT_INFORMATION(Status) ((((ULONG)(Status)) >> 30) == 1)
#define NT_WARNING(Status) ((((ULONG)(Status)) >> 30) == 2)
#define NT_ERROR(Status) ((((ULONG)(Status)) >> 30) == 3)

#ifdef __cplusplus
}
#endif
#endif
