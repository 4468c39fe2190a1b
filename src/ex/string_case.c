/*
 * string_case.c - upper case, comparing, hashing: the driver's routines. The work is in rtl/case.c; what is here is their IRQL, which is why it
 * is here: on Windows they and their table are pageable.
 *
 * Source      WDK reference: wdm.h, ntddk.h: RtlCompareUnicodeString, RtlEqualUnicodeString, RtlPrefixUnicodeString, RtlUpcaseUnicodeChar,
 *             RtlUpperChar, RtlUpperString, RtlHashUnicodeString.
 */
#include "ke/bugcheck.h"
#include "rtl/text.h"

WCHAR RtlUpcaseUnicodeChar(WCHAR SourceCharacter)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return rtl_upcase(SourceCharacter);
}

WCHAR RtlDowncaseUnicodeChar(WCHAR SourceCharacter)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return rtl_downcase(SourceCharacter);
}

static CHAR upper(CHAR c) { return (CHAR)rtl_upcase_in_code_page(RTL_ANSI, (unsigned char)c); }

CHAR RtlUpperChar(CHAR Character)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return upper(Character);
}

VOID RtlUpperString(PSTRING DestinationString, const STRING *SourceString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    RtlCopyString(DestinationString, SourceString);
    for (USHORT i = 0; i < DestinationString->Length; i++)
        DestinationString->Buffer[i] = upper(DestinationString->Buffer[i]);
}

/* ---- 16 bits ---- */

static LONG compare(PCUNICODE_STRING one, PCUNICODE_STRING other, BOOLEAN fold)
{
    return rtl_compare_wide(one->Buffer, one->Length / sizeof(WCHAR), other->Buffer, other->Length / sizeof(WCHAR), fold != FALSE);
}

LONG RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return compare(String1, String2, CaseInSensitive);
}

LONG RtlCompareUnicodeStrings(PCWCH String1, SIZE_T String1Length, PCWCH String2, SIZE_T String2Length, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return rtl_compare_wide(String1, String1Length, String2, String2Length, CaseInSensitive != FALSE);
}

BOOLEAN RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return String1->Length == String2->Length && compare(String1, String2, CaseInSensitive) == 0;
}

BOOLEAN RtlPrefixUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2, BOOLEAN CaseInSensitive)
{
    size_t length = String1->Length / sizeof(WCHAR);
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return String1->Length <= String2->Length &&
           rtl_compare_wide(String1->Buffer, length, String2->Buffer, length, CaseInSensitive != FALSE) == 0;
}

NTSTATUS RtlHashUnicodeString(PCUNICODE_STRING String, BOOLEAN CaseInSensitive, ULONG HashAlgorithm, PULONG HashValue)
{
    ULONG hash = 0;

    KE_REQUIRE_IRQL(APC_LEVEL);
    if (String == NULL || HashValue == NULL || HashAlgorithm > HASH_STRING_ALGORITHM_X65599)
        return STATUS_INVALID_PARAMETER;
    for (size_t i = 0; i < String->Length / sizeof(WCHAR); i++)
        hash = hash * 65599 + (CaseInSensitive ? rtl_upcase(String->Buffer[i]) : String->Buffer[i]);
    *HashValue = hash;
    return STATUS_SUCCESS;
}

/* ---- 8 bits ---- */

static LONG compare_bytes(const CHAR *one, size_t one_length, const CHAR *other, size_t other_length, BOOLEAN fold)
{
    size_t common = one_length < other_length ? one_length : other_length;

    for (size_t i = 0; i < common; i++) {
        LONG difference = fold ? (UCHAR)upper(one[i]) - (UCHAR)upper(other[i]) : (UCHAR)one[i] - (UCHAR)other[i];
        if (difference != 0)
            return difference;
    }
    return (one_length > other_length) - (one_length < other_length);
}

LONG RtlCompareString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return compare_bytes(String1->Buffer, String1->Length, String2->Buffer, String2->Length, CaseInSensitive);
}

BOOLEAN RtlEqualString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return String1->Length == String2->Length &&
           compare_bytes(String1->Buffer, String1->Length, String2->Buffer, String2->Length, CaseInSensitive) == 0;
}

BOOLEAN RtlPrefixString(const STRING *String1, const STRING *String2, BOOLEAN CaseInSensitive)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return String1->Length <= String2->Length &&
           compare_bytes(String1->Buffer, String1->Length, String2->Buffer, String1->Length, CaseInSensitive) == 0;
}
