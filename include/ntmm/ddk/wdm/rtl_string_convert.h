/*
 * rtl_string_convert.h - strings from 8 bits to 16 and back, in capitals, from numbers and to numbers, from GUIDs and to GUIDs.
 * Routines with AllocateDestinationString take the buffer of the result from paged pool, tag `Strg`, when that is TRUE; RtlFreeUnicodeString
 * and its like give it back. Otherwise the result goes to the buffer that the destination has. What fails has allocated nothing and has
 * written nothing.
 *
 * Source    WDK reference: wdm.h, ntddk.h, ntifs.h, the page of each routine.
 * Fidelity  the ANSI code page is 1252, see src/rtl/code_page.c (choice). The statuses of failures are a choice where the pages name none.
 */
#ifndef NTMM_DDK_WDM_RTL_STRING_CONVERT_H
#define NTMM_DDK_WDM_RTL_STRING_CONVERT_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * From 8-bit characters to 16-bit ones.
 *
 * @param DestinationString  gets a null behind the result, which MaximumLength must have room for
 * @return STATUS_SUCCESS; STATUS_BUFFER_OVERFLOW: no room; STATUS_INVALID_PARAMETER_2: the result is longer than a string can be;
 *         STATUS_NO_MEMORY
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, RtlAnsiStringToUnicodeString
 */
NTSYSAPI NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString,
                                               BOOLEAN AllocateDestinationString);
/** The other way. A character that the code page does not have becomes '?' (choice). @return as RtlAnsiStringToUnicodeString
 *  @irql PASSIVE_LEVEL @bugcheck 0xA @source WDK reference: wdm.h, RtlUnicodeStringToAnsiString */
NTSYSAPI NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString,
                                               BOOLEAN AllocateDestinationString);
/** Bytes of the result of these two, with its null. @irql PASSIVE_LEVEL @bugcheck 0xA
 *  @source WDK reference: wdm.h, RtlxAnsiStringToUnicodeSize, RtlxUnicodeStringToAnsiSize */
NTSYSAPI ULONG RtlxAnsiStringToUnicodeSize(PCANSI_STRING AnsiString);
NTSYSAPI ULONG RtlxUnicodeStringToAnsiSize(PCUNICODE_STRING UnicodeString);
#define RtlAnsiStringToUnicodeSize(STRING) RtlxAnsiStringToUnicodeSize(STRING)
#define RtlUnicodeStringToAnsiSize(STRING) RtlxUnicodeStringToAnsiSize(STRING)

/**
 * A copy in capitals, without a null. DestinationString may be the source itself.
 *
 * @return    STATUS_BUFFER_OVERFLOW: no room; STATUS_NO_MEMORY
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source    WDK reference: ntddk.h, RtlUpcaseUnicodeString
 */
NTSYSAPI NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                         BOOLEAN AllocateDestinationString);
/** The same in small letters. @irql < DISPATCH_LEVEL @bugcheck 0xA @source WDK reference: ntifs.h, RtlDowncaseUnicodeString */
NTSYSAPI NTSTATUS RtlDowncaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString,
                                           BOOLEAN AllocateDestinationString);

/** A copy, with its null, in paged pool. @return FALSE: no memory, or the source is too long @irql PASSIVE_LEVEL @bugcheck 0xA
 *  @source WDK reference: ntifs.h, RtlCreateUnicodeString */
NTSYSAPI BOOLEAN RtlCreateUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);

/**
 * Free the buffer of a string that one of these routines made, and clear the structure. A string without a buffer: nothing happens.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA); as ExFreePool, for a buffer that is no pool
 * @source    WDK reference: wdm.h, RtlFreeUnicodeString, RtlFreeAnsiString, RtlFreeUTF8String
 */
NTSYSAPI VOID RtlFreeUnicodeString(PUNICODE_STRING UnicodeString);
NTSYSAPI VOID RtlFreeAnsiString(PANSI_STRING AnsiString);
NTSYSAPI VOID RtlFreeUTF8String(PUTF8_STRING Utf8String);

/* ---- numbers ---- */

/**
 * The number at the start of a string.
 *
 * @param String  white space, a sign or none, digits; what follows does not matter. Without a digit the number is 0
 * @param Base    2, 8, 10, 16; 0: 16, 8 or 2 after the prefix 0x, 0o or 0b, else 10
 * @param Value   receives the number; modulo 2^32, when it is larger (choice)
 * @return        STATUS_INVALID_PARAMETER: the string is empty, or another base
 * @irql          PASSIVE_LEVEL
 * @bugcheck      IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source        WDK reference: wdm.h, RtlUnicodeStringToInteger
 */
NTSYSAPI NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value);
/** The same of a string that ends with a null, and may be empty: 0. @irql PASSIVE_LEVEL @bugcheck 0xA
 *  @source WDK reference: ntddk.h, RtlCharToInteger */
NTSYSAPI NTSTATUS RtlCharToInteger(PCSZ String, ULONG Base, PULONG Value);

/**
 * A number as text, with a null.
 *
 * @param Base    2, 8, 10, 16; 0: 10
 * @param String  with a buffer; MaximumLength must have room for digits and null
 * @return        STATUS_BUFFER_OVERFLOW: no room; STATUS_INVALID_PARAMETER: another base
 * @irql          PASSIVE_LEVEL
 * @bugcheck      IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source        WDK reference: wdm.h, RtlIntegerToUnicodeString, RtlInt64ToUnicodeString, RtlIntPtrToUnicodeString
 */
NTSYSAPI NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String);
NTSYSAPI NTSTATUS RtlInt64ToUnicodeString(ULONGLONG Value, ULONG Base, PUNICODE_STRING String);
#define RtlIntPtrToUnicodeString(Value, Base, String) RtlInt64ToUnicodeString(Value, Base, String)

/* ---- GUIDs ---- */

/** As text, {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}, in memory for RtlFreeUnicodeString. @return STATUS_NO_MEMORY @irql PASSIVE_LEVEL
 *  @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) @source WDK reference: wdm.h, RtlStringFromGUID */
NTSYSAPI NTSTATUS RtlStringFromGUID(REFGUID Guid, PUNICODE_STRING GuidString);
/** From such a text, and no other. @return STATUS_INVALID_PARAMETER @irql PASSIVE_LEVEL @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA)
 *  @source WDK reference: wdm.h, RtlGUIDFromString */
NTSYSAPI NTSTATUS RtlGUIDFromString(PCUNICODE_STRING GuidString, GUID *Guid);

/* ---- UTF-8 ---- */

/**
 * From 16-bit characters to UTF-8. Nulls are characters like others.
 *
 * @param UTF8StringDestination      NULL: only counted
 * @param UTF8StringMaxByteCount     bytes of room
 * @param UTF8StringActualByteCount  bytes written, or needed when the destination is NULL; may be NULL when that is not
 * @param UnicodeStringByteCount     bytes
 * @return STATUS_SUCCESS; STATUS_SOME_NOT_MAPPED: half of a surrogate pair became U+FFFD; STATUS_BUFFER_TOO_SMALL: only whole characters that
 *         fit were written; STATUS_INVALID_PARAMETER: no destination and no count; ..._4: no source; ..._5: an odd number of bytes
 * @irql      PASSIVE_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source    WDK reference: wdm.h, RtlUnicodeToUTF8N
 */
NTSYSAPI NTSTATUS RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount, PULONG UTF8StringActualByteCount,
                                    PCWCH UnicodeStringSource, ULONG UnicodeStringByteCount);
/** The other way; each longest piece that could begin a character, and is none, becomes one U+FFFD (choice). @return as RtlUnicodeToUTF8N,
 *  without ..._5 @irql PASSIVE_LEVEL @bugcheck 0xA @source WDK reference: wdm.h, RtlUTF8ToUnicodeN */
NTSYSAPI NTSTATUS RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount, PULONG UnicodeStringActualByteCount,
                                    PCCH UTF8StringSource, ULONG UTF8StringByteCount);
/** Counted strings, with a null behind the result. @return also STATUS_SOME_NOT_MAPPED, a success; else as RtlAnsiStringToUnicodeString
 *  @irql PASSIVE_LEVEL @bugcheck 0xA @source WDK reference: wdm.h, RtlUnicodeStringToUTF8String, RtlUTF8StringToUnicodeString */
NTSYSAPI NTSTATUS RtlUnicodeStringToUTF8String(PUTF8_STRING DestinationString, PCUNICODE_STRING SourceString,
                                               BOOLEAN AllocateDestinationString);
NTSYSAPI NTSTATUS RtlUTF8StringToUnicodeString(PUNICODE_STRING DestinationString, PCUTF8_STRING SourceString,
                                               BOOLEAN AllocateDestinationString);

#ifdef __cplusplus
}
#endif
#endif
