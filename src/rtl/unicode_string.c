/*
 * unicode_string.c - counted strings of 16-bit characters.
 * Units       Length and MaximumLength are bytes.
 * Source      WDK reference: wdm.h, RtlInitUnicodeString.
 */
#include <ntddk.h>

#define LONGEST (UNICODE_STRING_MAX_BYTES - sizeof(WCHAR)) /* bytes, so that the null still counts into MaximumLength */

VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    SIZE_T bytes = 0;
    while (SourceString != NULL && SourceString[bytes / sizeof(WCHAR)] != UNICODE_NULL && bytes < LONGEST)
        bytes += sizeof(WCHAR);
    DestinationString->Length = (USHORT)bytes;
    DestinationString->MaximumLength = (USHORT)(SourceString != NULL ? bytes + sizeof(WCHAR) : 0);
    DestinationString->Buffer = (PWCH)(ULONG_PTR)SourceString;
}
