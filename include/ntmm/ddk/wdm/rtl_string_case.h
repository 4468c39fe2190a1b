/*
 * rtl_string_case.h - upper case, comparing, hashing.
 * Two characters are equal without regard to case when their capitals are. On Windows the table of capitals is pageable, hence the IRQLs;
 * they hold for comparisons that do regard case, too.
 *
 * Source    WDK reference: wdm.h, ntddk.h, ntifs.h, the page of each routine.
 * Fidelity  the table is that of the Unicode Character Database, see src/rtl/case.c; 8-bit characters are of code page 1252 (choice).
 */
#ifndef NTMM_DDK_WDM_RTL_STRING_CASE_H
#define NTMM_DDK_WDM_RTL_STRING_CASE_H

#ifdef __cplusplus
extern "C" {
#endif

/** The capital of a character, or itself. @irql <= APC_LEVEL @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA)
 *  @source WDK reference: wdm.h, RtlUpcaseUnicodeChar; ntddk.h, RtlUpperChar */
NTSYSAPI WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter);
NTSYSAPI CHAR  RtlUpperChar(CHAR Character);
/** The small letter. @irql PASSIVE_LEVEL @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) @source WDK reference: wdm.h, RtlDowncaseUnicodeChar */
NTSYSAPI WCHAR RtlDowncaseUnicodeChar(WCHAR SourceCharacter);
/** Copies as much as there is room for, in capitals. @irql <= APC_LEVEL @bugcheck 0xA @source WDK reference: ntddk.h, RtlUpperString */
NTSYSAPI VOID RtlUpperString(PSTRING DestinationString, const STRING *SourceString);

/**
 * The order of two strings, by the numbers of their characters.
 *
 * @param CaseInSensitive  TRUE: by the capitals of their characters
 * @return                 < 0: String1 comes first, 0: they are equal, > 0: String2 comes first. The beginning of a string comes before it
 * @irql                   PASSIVE_LEVEL
 * @bugcheck               IRQL_NOT_LESS_OR_EQUAL (0xA): called above PASSIVE_LEVEL
 * @source                 WDK reference: wdm.h, RtlCompareUnicodeString; ntddk.h, RtlCompareString
 */
NTSYSAPI LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
NTSYSAPI LONG RtlCompareString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive);
/** The same of counted characters. @param String1Length  characters @irql PASSIVE_LEVEL @bugcheck 0xA
 *  @source WDK headers: ntifs.h, RtlCompareUnicodeStrings (no page) */
NTSYSAPI LONG RtlCompareUnicodeStrings(PCWCH String1, SIZE_T String1Length, PCWCH String2, SIZE_T String2Length, BOOLEAN CaseInSensitive);

/** @return TRUE: equal. @irql PASSIVE_LEVEL @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA)
 *  @source WDK reference: wdm.h, RtlEqualUnicodeString; ntddk.h, RtlEqualString */
NTSYSAPI BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
NTSYSAPI BOOLEAN RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive);
/** @return TRUE: String2 begins with String1. @irql PASSIVE_LEVEL @bugcheck 0xA @source WDK reference: ntddk.h, RtlPrefixUnicodeString */
NTSYSAPI BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive);
NTSYSAPI BOOLEAN RtlPrefixString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive);

#define HASH_STRING_ALGORITHM_DEFAULT 0
#define HASH_STRING_ALGORITHM_X65599 1
#define HASH_STRING_ALGORITHM_INVALID 0xffffffffu

/**
 * A number that equal strings share.
 *
 * @param HashAlgorithm  HASH_STRING_ALGORITHM_DEFAULT or ..._X65599, which are the same: hash = hash * 65599 + character
 * @return               STATUS_INVALID_PARAMETER: String or HashValue is NULL, or another algorithm
 * @irql                 <= APC_LEVEL
 * @bugcheck             IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source               WDK reference: wdm.h, RtlHashUnicodeString
 */
NTSYSAPI NTSTATUS RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm, PULONG HashValue);

#ifdef __cplusplus
}
#endif
#endif
