/*
 * unicode_string.c - counted strings of 16-bit characters: made, copied, appended.
 * Units       Length and MaximumLength are bytes.
 * Source      WDK reference: wdm.h, RtlInitUnicodeString, RtlCopyUnicodeString, RtlAppendUnicodeToString, RtlAppendUnicodeStringToString.
 */
#include <ntddk.h>

#define LONGEST (UNICODE_STRING_MAX_BYTES - sizeof(WCHAR)) /* bytes, so that the null still counts into MaximumLength */

/* Bytes up to the null, or more than LONGEST. */
static SIZE_T length_of(PCWSTR text)
{
    SIZE_T bytes = 0;
    while (bytes <= LONGEST && text[bytes / sizeof(WCHAR)] != UNICODE_NULL)
        bytes += sizeof(WCHAR);
    return bytes;
}

static void describe(PUNICODE_STRING string, PCWSTR text, SIZE_T bytes)
{
    string->Length = (USHORT)bytes;
    string->MaximumLength = (USHORT)(text != NULL ? bytes + sizeof(WCHAR) : 0);
    string->Buffer = (PWCH)(ULONG_PTR)text;
}

VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    SIZE_T bytes = SourceString != NULL ? length_of(SourceString) : 0;
    describe(DestinationString, SourceString, bytes <= LONGEST ? bytes : LONGEST);
}

NTSTATUS RtlInitUnicodeStringEx(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    SIZE_T bytes = SourceString != NULL ? length_of(SourceString) : 0;
    if (bytes > LONGEST)
        return STATUS_NAME_TOO_LONG;
    describe(DestinationString, SourceString, bytes);
    return STATUS_SUCCESS;
}

/* A null behind the string, if there is room. */
static void end_with_null(PUNICODE_STRING string)
{
    if ((SIZE_T)string->Length + sizeof(WCHAR) <= string->MaximumLength)
        string->Buffer[string->Length / sizeof(WCHAR)] = UNICODE_NULL;
}

VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString)
{
    USHORT bytes = SourceString == NULL                                       ? 0
                   : SourceString->Length <= DestinationString->MaximumLength ? SourceString->Length
                                                                              : DestinationString->MaximumLength;
    if (bytes != 0)
        RtlMoveMemory(DestinationString->Buffer, SourceString->Buffer, bytes);
    DestinationString->Length = bytes;
    if (SourceString != NULL)
        end_with_null(DestinationString);
}

static NTSTATUS append(PUNICODE_STRING destination, PCWCH text, SIZE_T bytes)
{
    if (bytes + destination->Length > destination->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    if (bytes != 0)
        RtlMoveMemory((PUCHAR)destination->Buffer + destination->Length, text, bytes);
    destination->Length = (USHORT)(destination->Length + bytes);
    if (bytes != 0)
        end_with_null(destination);
    return STATUS_SUCCESS;
}

NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source)
{
    return append(Destination, Source, Source != NULL ? length_of(Source) : 0);
}

NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source)
{
    return append(Destination, Source->Buffer, Source->Length);
}
