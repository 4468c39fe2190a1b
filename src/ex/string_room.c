/*
 * string_room.c - strings that are made in paged pool, and given back; their copies in another case.
 * Source      WDK reference: ntifs.h, RtlCreateUnicodeString (paged pool); wdm.h, RtlFreeUnicodeString; ntddk.h, RtlUpcaseUnicodeString;
 *             pooltag.txt (the tag).
 */
#include "ex/string_room.h"

#include "ke/bugcheck.h"
#include "rtl/text.h"

#define STRING_TAG 0x67727453u /* "Strg" */

ex_string_room_t ex_string_room(PVOID buffer, USHORT maximum, size_t bytes, BOOLEAN allocate)
{
    ex_string_room_t room = { STATUS_SUCCESS, buffer, maximum };

    if (bytes > UINT16_MAX) {
        room.status = STATUS_INVALID_PARAMETER_2;
    } else if (allocate) {
        room.maximum = (USHORT)bytes;
        room.buffer = ExAllocatePool2(POOL_FLAG_PAGED | POOL_FLAG_UNINITIALIZED, bytes != 0 ? bytes : 1, STRING_TAG);
        if (room.buffer == NULL)
            room.status = STATUS_NO_MEMORY;
    } else if (bytes > maximum) {
        room.status = STATUS_BUFFER_OVERFLOW;
    }
    return room;
}

void ex_string_free(PVOID buffer)
{
    if (buffer != NULL)
        ExFreePool(buffer);
}

VOID RtlFreeUnicodeString(PUNICODE_STRING UnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ex_string_free(UnicodeString->Buffer);
    RtlZeroMemory(UnicodeString, sizeof *UnicodeString);
}

VOID RtlFreeAnsiString(PANSI_STRING AnsiString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ex_string_free(AnsiString->Buffer);
    RtlZeroMemory(AnsiString, sizeof *AnsiString);
}

VOID RtlFreeOemString(POEM_STRING OemString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ex_string_free(OemString->Buffer);
    RtlZeroMemory(OemString, sizeof *OemString);
}

VOID RtlFreeUTF8String(PUTF8_STRING Utf8String)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ex_string_free(Utf8String->Buffer);
    RtlZeroMemory(Utf8String, sizeof *Utf8String);
}

BOOLEAN RtlCreateUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    UNICODE_STRING   source;
    ex_string_room_t room;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (RtlInitUnicodeStringEx(&source, SourceString) != STATUS_SUCCESS || SourceString == NULL)
        return FALSE;
    room = ex_string_room(NULL, 0, source.MaximumLength, TRUE);
    if (room.status != STATUS_SUCCESS)
        return FALSE;
    RtlCopyMemory(room.buffer, source.Buffer, source.MaximumLength);
    *DestinationString = (UNICODE_STRING){ source.Length, room.maximum, room.buffer };
    return TRUE;
}

static NTSTATUS change_case(PUNICODE_STRING destination, PCUNICODE_STRING source, BOOLEAN allocate, WCHAR (*change)(WCHAR))
{
    size_t           length = source->Length / sizeof(WCHAR);
    PCWCH            from = source->Buffer;
    ex_string_room_t room = ex_string_room(destination->Buffer, destination->MaximumLength, length * sizeof(WCHAR), allocate);
    PWCH             to = room.buffer;

    if (room.status != STATUS_SUCCESS)
        return room.status;
    for (size_t i = 0; i < length; i++)
        to[i] = change(from[i]);
    *destination = (UNICODE_STRING){ (USHORT)(length * sizeof(WCHAR)), room.maximum, to };
    return STATUS_SUCCESS;
}

NTSTATUS RtlUpcaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return change_case(DestinationString, SourceString, AllocateDestinationString, rtl_upcase);
}

NTSTATUS RtlDowncaseUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return change_case(DestinationString, SourceString, AllocateDestinationString, rtl_downcase);
}
