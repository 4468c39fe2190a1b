/*
 * ntstrsafe.h - copying, appending and printing into buffers whose end is known.
 * A result always ends with a null, unless it is a counted string; what does not fit is cut, and the status says so.
 *
 *     RtlString Cb|Cch Copy|CopyN|Cat|CatN|Printf|VPrintf [Ex] A|W      Cb: sizes in bytes, Cch: in characters; A: 8 bits, W: 16 bits
 *     RtlString Cb|Cch Length A|W,  RtlUnalignedString Cb|Cch LengthW
 *     RtlString Cb|Cch CopyUnicodeString [Ex]                           from a counted string
 *     RtlUnicodeString Init|Validate|Copy|Cat|Printf ... [Ex]           to a counted string, without a null
 *
 *     STATUS_SUCCESS             all of it is there
 *     STATUS_BUFFER_OVERFLOW     it is cut, or gone, as the flags say
 *     STATUS_INVALID_PARAMETER   no room at all, room for more than NTSTRSAFE_MAX_CCH, a string without an end, a NULL that the flags do not
 *                                allow, unknown flags
 *
 * Formats are those of DbgPrint, see wdm/rtl_debug.h. On Windows these are inline functions, and so a driver cannot look them up by name.
 * @irql any, if all strings are resident; the reference says PASSIVE_LEVEL for 16-bit text in formats, which is not checked.
 *
 * Source  WDK reference: ntstrsafe.h, the page of each routine; "Using safe string functions".
 */
#ifndef NTMM_DDK_NTSTRSAFE_H
#define NTMM_DDK_NTSTRSAFE_H

#include <stdarg.h>

#include "wdm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NTSTRSAFE_MAX_CCH 2147483647 /* characters of a buffer */
#define NTSTRSAFE_MAX_LENGTH (NTSTRSAFE_MAX_CCH - 1)
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH (0xffff / sizeof(WCHAR))

typedef char        *NTSTRSAFE_PSTR;
typedef const char  *NTSTRSAFE_PCSTR;
typedef WCHAR       *NTSTRSAFE_PWSTR;
typedef const WCHAR *NTSTRSAFE_PCWSTR;
typedef const WCHAR *NTSTRSAFE_PCUWSTR;

/* Flags of the Ex routines; the low byte is what to fill with. */
#define STRSAFE_IGNORE_NULLS 0x00000100     /* NULL is an empty string, as a source, and as a destination of no size */
#define STRSAFE_FILL_BEHIND_NULL 0x00000200 /* after a success, what is behind the null */
#define STRSAFE_FILL_ON_FAILURE 0x00000400  /* otherwise, all of it, but for a null at its end */
#define STRSAFE_NULL_ON_FAILURE 0x00000800  /* otherwise, an empty string */
#define STRSAFE_NO_TRUNCATION 0x00001000    /* what does not fit leaves an empty string, or what was there before Cat */
#define STRSAFE_FILL_BEHIND STRSAFE_FILL_BEHIND_NULL
#define STRSAFE_ZERO_LENGTH_ON_FAILURE STRSAFE_NULL_ON_FAILURE
#define STRSAFE_VALID_FLAGS \
    (0x000000FF | STRSAFE_IGNORE_NULLS | STRSAFE_FILL_BEHIND_NULL | STRSAFE_FILL_ON_FAILURE | STRSAFE_NULL_ON_FAILURE | \
     STRSAFE_NO_TRUNCATION)
#define STRSAFE_FILL_BYTE(x) ((ULONG)(((x)&0x000000FF) | STRSAFE_FILL_BEHIND_NULL))
#define STRSAFE_FAILURE_BYTE(x) ((ULONG)(((x)&0x000000FF) | STRSAFE_FILL_ON_FAILURE))
#define STRSAFE_GET_FILL_PATTERN(dwFlags) ((int)((dwFlags)&0x000000FF))

/* ---- the routines behind all of them: which one it is, is said by options ---- */
#define NTMM_STRSAFE_WIDE 1u  /* characters of 16 bits */
#define NTMM_STRSAFE_BYTES 2u /* sizes are bytes */
#define NTMM_STRSAFE_CAT 4u   /* behind what is there */
#define NTMM_STRSAFE_N 8u     /* with a limit of the source */
#define NTMM_STRSAFE_EX 16u   /* NULL is refused, or allowed, and not a fault */
NTMM_PUBLIC NTSTATUS ntmm_strsafe_text(unsigned options, void *dest, size_t size, const void *source, size_t most, void **end,
                                       size_t *remaining, ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_strsafe_counted(unsigned options, void *dest, size_t size, PCUNICODE_STRING source, void **end, size_t *remaining,
                                          ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_strsafe_print(unsigned options, void *dest, size_t size, void **end, size_t *remaining, ULONG flags,
                                        const void *format, va_list arguments);
NTMM_PUBLIC NTSTATUS ntmm_strsafe_length(unsigned options, const void *text, size_t most, size_t *length);
NTMM_PUBLIC NTSTATUS ntmm_unicode_validate(PCUNICODE_STRING string, ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_unicode_init(PUNICODE_STRING string, PCWSTR text, ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_unicode_text(unsigned options, PUNICODE_STRING dest, PCWSTR text, size_t most, PUNICODE_STRING remaining,
                                       ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_unicode_string(unsigned options, PUNICODE_STRING dest, PCUNICODE_STRING source, size_t most,
                                         PUNICODE_STRING remaining, ULONG flags);
NTMM_PUBLIC NTSTATUS ntmm_unicode_print(unsigned options, PUNICODE_STRING dest, PUNICODE_STRING remaining, ULONG flags, PCWSTR format,
                                        va_list arguments);

#define NTMM_STRSAFE static inline __attribute__((unused)) NTSTATUS

/* ---- strings that end with a null; Unit: how sizes count, Suffix: A or W ---- */
#define NTMM_STRSAFE_ROUTINES(Unit, Suffix, Character, O) \
    NTMM_STRSAFE RtlString##Unit##Length##Suffix(const Character *psz, size_t Max, size_t *pLength) \
    { \
        return ntmm_strsafe_length(O, psz, Max, pLength); \
    } \
    NTMM_STRSAFE RtlString##Unit##Copy##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc) \
    { \
        return ntmm_strsafe_text(O, pszDest, Dest, pszSrc, SIZE_MAX, NULL, NULL, 0); \
    } \
    NTMM_STRSAFE RtlString##Unit##CopyEx##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, Character **ppszDestEnd, \
                                                 size_t *pRemaining, ULONG dwFlags) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_EX, pszDest, Dest, pszSrc, SIZE_MAX, (void **)ppszDestEnd, pRemaining, dwFlags); \
    } \
    NTMM_STRSAFE RtlString##Unit##CopyN##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, size_t ToCopy) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_N, pszDest, Dest, pszSrc, ToCopy, NULL, NULL, 0); \
    } \
    NTMM_STRSAFE RtlString##Unit##CopyNEx##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, size_t ToCopy, \
                                                  Character **ppszDestEnd, size_t *pRemaining, ULONG dwFlags) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_N | NTMM_STRSAFE_EX, pszDest, Dest, pszSrc, ToCopy, (void **)ppszDestEnd, pRemaining, \
                                 dwFlags); \
    } \
    NTMM_STRSAFE RtlString##Unit##Cat##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_CAT, pszDest, Dest, pszSrc, SIZE_MAX, NULL, NULL, 0); \
    } \
    NTMM_STRSAFE RtlString##Unit##CatEx##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, Character **ppszDestEnd, \
                                                size_t *pRemaining, ULONG dwFlags) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_CAT | NTMM_STRSAFE_EX, pszDest, Dest, pszSrc, SIZE_MAX, (void **)ppszDestEnd, \
                                 pRemaining, dwFlags); \
    } \
    NTMM_STRSAFE RtlString##Unit##CatN##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, size_t ToAppend) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_CAT | NTMM_STRSAFE_N, pszDest, Dest, pszSrc, ToAppend, NULL, NULL, 0); \
    } \
    NTMM_STRSAFE RtlString##Unit##CatNEx##Suffix(Character *pszDest, size_t Dest, const Character *pszSrc, size_t ToAppend, \
                                                 Character **ppszDestEnd, size_t *pRemaining, ULONG dwFlags) \
    { \
        return ntmm_strsafe_text((O) | NTMM_STRSAFE_CAT | NTMM_STRSAFE_N | NTMM_STRSAFE_EX, pszDest, Dest, pszSrc, ToAppend, \
                                 (void **)ppszDestEnd, pRemaining, dwFlags); \
    } \
    NTMM_STRSAFE RtlString##Unit##VPrintf##Suffix(Character *pszDest, size_t Dest, const Character *pszFormat, va_list argList) \
    { \
        return ntmm_strsafe_print(O, pszDest, Dest, NULL, NULL, 0, pszFormat, argList); \
    } \
    NTMM_STRSAFE RtlString##Unit##VPrintfEx##Suffix(Character *pszDest, size_t Dest, Character **ppszDestEnd, size_t *pRemaining, \
                                                    ULONG dwFlags, const Character *pszFormat, va_list argList) \
    { \
        return ntmm_strsafe_print((O) | NTMM_STRSAFE_EX, pszDest, Dest, (void **)ppszDestEnd, pRemaining, dwFlags, pszFormat, argList); \
    } \
    NTMM_STRSAFE RtlString##Unit##Printf##Suffix(Character *pszDest, size_t Dest, const Character *pszFormat, ...) \
    { \
        NTSTATUS status; \
        va_list  arguments; \
        va_start(arguments, pszFormat); \
        status = ntmm_strsafe_print(O, pszDest, Dest, NULL, NULL, 0, pszFormat, arguments); \
        va_end(arguments); \
        return status; \
    } \
    NTMM_STRSAFE RtlString##Unit##PrintfEx##Suffix(Character *pszDest, size_t Dest, Character **ppszDestEnd, size_t *pRemaining, \
                                                   ULONG dwFlags, const Character *pszFormat, ...) \
    { \
        NTSTATUS status; \
        va_list  arguments; \
        va_start(arguments, pszFormat); \
        status = \
            ntmm_strsafe_print((O) | NTMM_STRSAFE_EX, pszDest, Dest, (void **)ppszDestEnd, pRemaining, dwFlags, pszFormat, arguments); \
        va_end(arguments); \
        return status; \
    }
NTMM_STRSAFE_ROUTINES(Cch, A, char, 0u)
NTMM_STRSAFE_ROUTINES(Cb, A, char, NTMM_STRSAFE_BYTES)
NTMM_STRSAFE_ROUTINES(Cch, W, WCHAR, NTMM_STRSAFE_WIDE)
NTMM_STRSAFE_ROUTINES(Cb, W, WCHAR, NTMM_STRSAFE_WIDE | NTMM_STRSAFE_BYTES)
#undef NTMM_STRSAFE_ROUTINES

#define RtlUnalignedStringCchLengthW(psz, cchMax, pcchLength) RtlStringCchLengthW((psz), (cchMax), (pcchLength))
#define RtlUnalignedStringCbLengthW(psz, cbMax, pcbLength) RtlStringCbLengthW((psz), (cbMax), (pcbLength))

/* ---- from a counted string to one that ends with a null ---- */
#define NTMM_STRSAFE_FROM_COUNTED(Unit, O) \
    NTMM_STRSAFE RtlString##Unit##CopyUnicodeString(WCHAR *pszDest, size_t Dest, PCUNICODE_STRING SourceString) \
    { \
        return ntmm_strsafe_counted(O, pszDest, Dest, SourceString, NULL, NULL, 0); \
    } \
    NTMM_STRSAFE RtlString##Unit##CopyUnicodeStringEx(WCHAR *pszDest, size_t Dest, PCUNICODE_STRING SourceString, WCHAR **ppszDestEnd, \
                                                      size_t *pRemaining, ULONG dwFlags) \
    { \
        return ntmm_strsafe_counted((O) | NTMM_STRSAFE_EX, pszDest, Dest, SourceString, (void **)ppszDestEnd, pRemaining, dwFlags); \
    }
NTMM_STRSAFE_FROM_COUNTED(Cch, NTMM_STRSAFE_WIDE)
NTMM_STRSAFE_FROM_COUNTED(Cb, NTMM_STRSAFE_WIDE | NTMM_STRSAFE_BYTES)
#undef NTMM_STRSAFE_FROM_COUNTED

/* ---- to a counted string ---- */
NTMM_STRSAFE RtlUnicodeStringInit(PUNICODE_STRING DestinationString, PCWSTR pszSrc)
{
    return ntmm_unicode_init(DestinationString, pszSrc, 0);
}
NTMM_STRSAFE RtlUnicodeStringInitEx(PUNICODE_STRING DestinationString, PCWSTR pszSrc, ULONG dwFlags)
{
    return ntmm_unicode_init(DestinationString, pszSrc, dwFlags);
}
NTMM_STRSAFE RtlUnicodeStringValidate(PCUNICODE_STRING SourceString) { return ntmm_unicode_validate(SourceString, 0); }
NTMM_STRSAFE RtlUnicodeStringValidateEx(PCUNICODE_STRING SourceString, ULONG dwFlags)
{
    return ntmm_unicode_validate(SourceString, dwFlags);
}

/* Verb: Copy or Cat. */
#define NTMM_UNICODE_ROUTINES(Verb, O) \
    NTMM_STRSAFE RtlUnicodeString##Verb(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString) \
    { \
        return ntmm_unicode_string(O, DestinationString, SourceString, SIZE_MAX, NULL, 0); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Verb##Ex(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString, \
                                            PUNICODE_STRING RemainingString, ULONG dwFlags) \
    { \
        return ntmm_unicode_string(O, DestinationString, SourceString, SIZE_MAX, RemainingString, dwFlags); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Verb##String(PUNICODE_STRING DestinationString, PCWSTR pszSrc) \
    { \
        return ntmm_unicode_text(O, DestinationString, pszSrc, SIZE_MAX, NULL, 0); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Verb##StringEx(PUNICODE_STRING DestinationString, PCWSTR pszSrc, PUNICODE_STRING RemainingString, \
                                                  ULONG dwFlags) \
    { \
        return ntmm_unicode_text(O, DestinationString, pszSrc, SIZE_MAX, RemainingString, dwFlags); \
    }
/* The same with a limit, in Unit. */
#define NTMM_UNICODE_N_ROUTINES(Unit, Verb, O) \
    NTMM_STRSAFE RtlUnicodeString##Unit##Verb##N(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString, size_t Limit) \
    { \
        return ntmm_unicode_string((O) | NTMM_STRSAFE_N, DestinationString, SourceString, Limit, NULL, 0); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Unit##Verb##NEx(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString, size_t Limit, \
                                                   PUNICODE_STRING RemainingString, ULONG dwFlags) \
    { \
        return ntmm_unicode_string((O) | NTMM_STRSAFE_N, DestinationString, SourceString, Limit, RemainingString, dwFlags); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Unit##Verb##StringN(PUNICODE_STRING DestinationString, PCWSTR pszSrc, size_t Limit) \
    { \
        return ntmm_unicode_text((O) | NTMM_STRSAFE_N, DestinationString, pszSrc, Limit, NULL, 0); \
    } \
    NTMM_STRSAFE RtlUnicodeString##Unit##Verb##StringNEx(PUNICODE_STRING DestinationString, PCWSTR pszSrc, size_t Limit, \
                                                         PUNICODE_STRING RemainingString, ULONG dwFlags) \
    { \
        return ntmm_unicode_text((O) | NTMM_STRSAFE_N, DestinationString, pszSrc, Limit, RemainingString, dwFlags); \
    }
NTMM_UNICODE_ROUTINES(Copy, 0u)
NTMM_UNICODE_ROUTINES(Cat, NTMM_STRSAFE_CAT)
NTMM_UNICODE_N_ROUTINES(Cch, Copy, 0u)
NTMM_UNICODE_N_ROUTINES(Cch, Cat, NTMM_STRSAFE_CAT)
NTMM_UNICODE_N_ROUTINES(Cb, Copy, NTMM_STRSAFE_BYTES)
NTMM_UNICODE_N_ROUTINES(Cb, Cat, NTMM_STRSAFE_CAT | NTMM_STRSAFE_BYTES)
#undef NTMM_UNICODE_ROUTINES
#undef NTMM_UNICODE_N_ROUTINES

NTMM_STRSAFE RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR pszFormat, va_list argList)
{
    return ntmm_unicode_print(0, DestinationString, NULL, 0, pszFormat, argList);
}
NTMM_STRSAFE RtlUnicodeStringVPrintfEx(PUNICODE_STRING DestinationString, PUNICODE_STRING RemainingString, ULONG dwFlags, PCWSTR pszFormat,
                                       va_list argList)
{
    return ntmm_unicode_print(0, DestinationString, RemainingString, dwFlags, pszFormat, argList);
}
NTMM_STRSAFE RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR pszFormat, ...)
{
    NTSTATUS status;
    va_list  arguments;
    va_start(arguments, pszFormat);
    status = ntmm_unicode_print(0, DestinationString, NULL, 0, pszFormat, arguments);
    va_end(arguments);
    return status;
}
NTMM_STRSAFE RtlUnicodeStringPrintfEx(PUNICODE_STRING DestinationString, PUNICODE_STRING RemainingString, ULONG dwFlags, PCWSTR pszFormat,
                                      ...)
{
    NTSTATUS status;
    va_list  arguments;
    va_start(arguments, pszFormat);
    status = ntmm_unicode_print(0, DestinationString, RemainingString, dwFlags, pszFormat, arguments);
    va_end(arguments);
    return status;
}

#ifdef __cplusplus
}
#endif
#endif
