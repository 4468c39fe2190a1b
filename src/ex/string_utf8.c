/*
 * string_utf8.c - strings between UTF-8 and 16 bits: the driver's routines around rtl/utf8.c.
 * Source      WDK reference: wdm.h, RtlUnicodeToUTF8N, RtlUTF8ToUnicodeN, RtlUnicodeStringToUTF8String, RtlUTF8StringToUnicodeString.
 * Fidelity    choice: the counted strings get a null behind the result, as the ANSI ones do.
 */
#include "ex/string_room.h"
#include "ke/bugcheck.h"
#include "rtl/text.h"
#include "rtl/utf8.h"

/* What has been converted of a text so far; room is ignored while only counting. */
typedef struct progress {
    ULONG    bytes; /* written, or counted */
    NTSTATUS status;
} progress_t;

/* Adds a character of `size` bytes; false: it does not fit. */
static bool put(progress_t *progress, PVOID to, ULONG room, const void *character, size_t size)
{
    if (to != NULL) {
        if (size > room - progress->bytes) {
            progress->status = STATUS_BUFFER_TOO_SMALL;
            return false;
        }
        memcpy((char *)to + progress->bytes, character, size);
    }
    progress->bytes += (ULONG)size;
    return true;
}

static progress_t to_utf8(PCHAR to, ULONG room, PCWCH from, size_t length)
{
    progress_t    progress = { 0, STATUS_SUCCESS };
    unsigned char character[4];
    size_t        used;
    bool          valid;

    for (size_t i = 0; i < length; i += used) {
        size_t size = rtl_put_utf8(rtl_next_of_utf16(from + i, length - i, &used, &valid), character);
        if (!put(&progress, to, room, character, size))
            break;
        if (!valid)
            progress.status = STATUS_SOME_NOT_MAPPED;
    }
    return progress;
}

static progress_t from_utf8(PWCH to, ULONG room, const unsigned char *from, size_t bytes)
{
    progress_t progress = { 0, STATUS_SUCCESS };
    WCHAR      character[2];
    size_t     used;
    bool       valid;

    for (size_t i = 0; i < bytes; i += used) {
        size_t size = rtl_put_utf16(rtl_next_of_utf8(from + i, bytes - i, &used, &valid), character) * sizeof(WCHAR);
        if (!put(&progress, to, room, character, size))
            break;
        if (!valid)
            progress.status = STATUS_SOME_NOT_MAPPED;
    }
    return progress;
}

NTSTATUS RtlUnicodeToUTF8N(PCHAR UTF8StringDestination, ULONG UTF8StringMaxByteCount, PULONG UTF8StringActualByteCount,
                           PCWCH UnicodeStringSource, ULONG UnicodeStringByteCount)
{
    progress_t progress;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (UTF8StringDestination == NULL && UTF8StringActualByteCount == NULL)
        return STATUS_INVALID_PARAMETER;
    if (UnicodeStringSource == NULL)
        return STATUS_INVALID_PARAMETER_4;
    if (UnicodeStringByteCount % sizeof(WCHAR) != 0)
        return STATUS_INVALID_PARAMETER_5;
    progress = to_utf8(UTF8StringDestination, UTF8StringMaxByteCount, UnicodeStringSource, UnicodeStringByteCount / sizeof(WCHAR));
    if (UTF8StringActualByteCount != NULL)
        *UTF8StringActualByteCount = progress.bytes;
    return progress.status;
}

NTSTATUS RtlUTF8ToUnicodeN(PWSTR UnicodeStringDestination, ULONG UnicodeStringMaxByteCount, PULONG UnicodeStringActualByteCount,
                           PCCH UTF8StringSource, ULONG UTF8StringByteCount)
{
    progress_t progress;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (UnicodeStringDestination == NULL && UnicodeStringActualByteCount == NULL)
        return STATUS_INVALID_PARAMETER;
    if (UTF8StringSource == NULL)
        return STATUS_INVALID_PARAMETER_4;
    progress = from_utf8(UnicodeStringDestination, UnicodeStringMaxByteCount, (const unsigned char *)UTF8StringSource, UTF8StringByteCount);
    if (UnicodeStringActualByteCount != NULL)
        *UnicodeStringActualByteCount = progress.bytes;
    return progress.status;
}

NTSTATUS RtlUnicodeStringToUTF8String(PUTF8_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    size_t           length = SourceString->Length / sizeof(WCHAR);
    progress_t       counted = to_utf8(NULL, 0, SourceString->Buffer, length);
    ex_string_room_t room;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    room = ex_string_room(DestinationString->Buffer, DestinationString->MaximumLength, counted.bytes + 1, AllocateDestinationString);
    if (room.status != STATUS_SUCCESS)
        return room.status;
    to_utf8(room.buffer, counted.bytes, SourceString->Buffer, length);
    ((PCHAR)room.buffer)[counted.bytes] = '\0';
    *DestinationString = (UTF8_STRING){ (USHORT)counted.bytes, room.maximum, room.buffer };
    return counted.status;
}

NTSTATUS RtlUTF8StringToUnicodeString(PUNICODE_STRING DestinationString, PCUTF8_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    const unsigned char *source = (const unsigned char *)SourceString->Buffer;
    progress_t           counted = from_utf8(NULL, 0, source, SourceString->Length);
    ex_string_room_t     room;

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    room = ex_string_room(DestinationString->Buffer, DestinationString->MaximumLength, counted.bytes + sizeof(WCHAR),
                          AllocateDestinationString);
    if (room.status != STATUS_SUCCESS)
        return room.status;
    from_utf8(room.buffer, counted.bytes, source, SourceString->Length);
    ((PWCH)room.buffer)[counted.bytes / sizeof(WCHAR)] = UNICODE_NULL;
    *DestinationString = (UNICODE_STRING){ (USHORT)counted.bytes, room.maximum, room.buffer };
    return counted.status;
}
