/*
 * string_number.c - strings from numbers and GUIDs, and the other way: the driver's routines around rtl/number_text.c.
 * Source      WDK reference: wdm.h, RtlUnicodeStringToInteger, RtlIntegerToUnicodeString, RtlInt64ToUnicodeString, RtlStringFromGUID,
 *             RtlGUIDFromString; ntddk.h, RtlCharToInteger.
 */
#include "ex/string_room.h"
#include "ke/bugcheck.h"
#include "rtl/text.h"

static unsigned counted_character(const void *context, size_t i)
{
    PCUNICODE_STRING string = context;
    return i < string->Length / sizeof(WCHAR) ? string->Buffer[i] : 0;
}

/* Asked for the characters in order, so that none behind the null is looked at. */
static unsigned plain_character(const void *context, size_t i) { return ((const unsigned char *)context)[i]; }

NTSTATUS RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (String->Length < sizeof(WCHAR) || (Base != 0 && !rtl_is_base(Base)))
        return STATUS_INVALID_PARAMETER;
    *Value = rtl_number_from_text(counted_character, String, Base);
    return STATUS_SUCCESS;
}

NTSTATUS RtlCharToInteger(PCSZ String, ULONG Base, PULONG Value)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (Base != 0 && !rtl_is_base(Base))
        return STATUS_INVALID_PARAMETER;
    *Value = rtl_number_from_text(plain_character, String, Base);
    return STATUS_SUCCESS;
}

static NTSTATUS number_to_string(ULONGLONG value, ULONG base, PUNICODE_STRING string)
{
    char             room[RTL_NUMBER_MAX], *text;
    size_t           length;
    ex_string_room_t to;

    if (base == 0)
        base = 10;
    if (!rtl_is_base(base))
        return STATUS_INVALID_PARAMETER;
    text = rtl_number_to_text(value, base, room);
    length = strlen(text);
    to = ex_string_room(string->Buffer, string->MaximumLength, (length + 1) * sizeof(WCHAR), FALSE);
    if (to.status != STATUS_SUCCESS)
        return to.status;
    for (size_t i = 0; i <= length; i++)
        string->Buffer[i] = (WCHAR)text[i];
    string->Length = (USHORT)(length * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

NTSTATUS RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return number_to_string(Value, Base, String);
}

NTSTATUS RtlInt64ToUnicodeString(ULONGLONG Value, ULONG Base, PUNICODE_STRING String)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return number_to_string(Value, Base, String);
}

NTSTATUS RtlStringFromGUID(REFGUID Guid, PUNICODE_STRING GuidString)
{
    const size_t     bytes = RTL_GUID_LENGTH * sizeof(WCHAR);
    ex_string_room_t room;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    room = ex_string_room(NULL, 0, bytes + sizeof(WCHAR), TRUE);
    if (room.status != STATUS_SUCCESS)
        return room.status;
    *GuidString = (UNICODE_STRING){ (USHORT)bytes, room.maximum, room.buffer };
    rtl_guid_to_text(Guid, GuidString->Buffer);
    GuidString->Buffer[RTL_GUID_LENGTH] = UNICODE_NULL;
    return STATUS_SUCCESS;
}

NTSTATUS RtlGUIDFromString(PCUNICODE_STRING GuidString, GUID *Guid)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return rtl_guid_from_text(GuidString->Buffer, GuidString->Length / sizeof(WCHAR), Guid) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}
