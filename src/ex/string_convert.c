/*
 * string_convert.c - strings from a code page to 16 bits and back: the ANSI and the OEM routines, which differ in the page and in details.
 * Both code pages have one byte for a character, so that sizes are known before anything is translated.
 *
 * Source      WDK reference: wdm.h, ntifs.h, the page of each routine.
 */
#include "ex/string_room.h"
#include "ke/bugcheck.h"
#include "rtl/text.h"

/* How a routine differs from the others. */
typedef struct conversion {
    enum rtl_code_page page;
    bool               null;   /* a null goes behind the result */
    bool               upcase; /* to capitals first */
    bool               strict; /* what the page does not have is an error */
} conversion_t;

static void widen(PWCH to, const CHAR *from, size_t count, enum rtl_code_page page)
{
    for (size_t i = 0; i < count; i++)
        to[i] = rtl_from_code_page(page, (unsigned char)from[i]);
}

static void narrow(PCHAR to, PCWCH from, size_t count, enum rtl_code_page page, bool upcase)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (CHAR)rtl_to_code_page(page, upcase ? rtl_upcase(from[i]) : from[i]);
}

static NTSTATUS to_wide(PUNICODE_STRING destination, const STRING *source, BOOLEAN allocate, conversion_t how)
{
    size_t           count = source->Length, bytes = count * sizeof(WCHAR);
    ex_string_room_t room =
        ex_string_room(destination->Buffer, destination->MaximumLength, bytes + (how.null ? sizeof(WCHAR) : 0), allocate);
    PWCH to = room.buffer;

    if (room.status != STATUS_SUCCESS)
        return room.status;
    widen(to, source->Buffer, count, how.page);
    if (how.null)
        to[count] = UNICODE_NULL;
    *destination = (UNICODE_STRING){ (USHORT)bytes, room.maximum, to };
    return STATUS_SUCCESS;
}

static bool all_is_in_the_page(PCUNICODE_STRING source, conversion_t how)
{
    for (size_t i = 0; i < source->Length / sizeof(WCHAR); i++)
        if (!rtl_is_in_code_page(how.page, how.upcase ? rtl_upcase(source->Buffer[i]) : source->Buffer[i]))
            return false;
    return true;
}

static NTSTATUS from_wide(PSTRING destination, PCUNICODE_STRING source, BOOLEAN allocate, conversion_t how)
{
    size_t           count = source->Length / sizeof(WCHAR);
    ex_string_room_t room;

    if (how.strict && !all_is_in_the_page(source, how))
        return STATUS_UNMAPPABLE_CHARACTER;
    room = ex_string_room(destination->Buffer, destination->MaximumLength, count + how.null, allocate);
    if (room.status != STATUS_SUCCESS)
        return room.status;
    narrow(room.buffer, source->Buffer, count, how.page, how.upcase);
    if (how.null)
        ((PCHAR)room.buffer)[count] = '\0';
    *destination = (STRING){ (USHORT)count, room.maximum, room.buffer };
    return STATUS_SUCCESS;
}

/* ---- ANSI ---- */

NTSTATUS RtlAnsiStringToUnicodeString(PUNICODE_STRING DestinationString, PCANSI_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return to_wide(DestinationString, SourceString, AllocateDestinationString, (conversion_t){ .page = RTL_ANSI, .null = true });
}

NTSTATUS RtlUnicodeStringToAnsiString(PANSI_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return from_wide(DestinationString, SourceString, AllocateDestinationString, (conversion_t){ .page = RTL_ANSI, .null = true });
}

ULONG RtlxAnsiStringToUnicodeSize(PCANSI_STRING AnsiString)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return (AnsiString->Length + 1u) * (ULONG)sizeof(WCHAR);
}

ULONG RtlxUnicodeStringToAnsiSize(PCUNICODE_STRING UnicodeString)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return UnicodeString->Length / (ULONG)sizeof(WCHAR) + 1;
}

/* ---- OEM ---- */

NTSTATUS RtlOemStringToUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return to_wide(DestinationString, SourceString, AllocateDestinationString, (conversion_t){ .page = RTL_OEM, .null = true });
}

NTSTATUS RtlOemStringToCountedUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return to_wide(DestinationString, SourceString, AllocateDestinationString, (conversion_t){ .page = RTL_OEM });
}

NTSTATUS RtlUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return from_wide(DestinationString, SourceString, AllocateDestinationString,
                     (conversion_t){ .page = RTL_OEM, .null = true, .strict = true });
}

NTSTATUS RtlUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return from_wide(DestinationString, SourceString, AllocateDestinationString, (conversion_t){ .page = RTL_OEM, .strict = true });
}

NTSTATUS RtlUpcaseUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString, BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return from_wide(DestinationString, SourceString, AllocateDestinationString,
                     (conversion_t){ .page = RTL_OEM, .null = true, .upcase = true, .strict = true });
}

NTSTATUS RtlUpcaseUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                  BOOLEAN AllocateDestinationString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return from_wide(DestinationString, SourceString, AllocateDestinationString,
                     (conversion_t){ .page = RTL_OEM, .upcase = true, .strict = true });
}

ULONG RtlxOemStringToUnicodeSize(PCOEM_STRING OemString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return (OemString->Length + 1u) * (ULONG)sizeof(WCHAR);
}

ULONG RtlxUnicodeStringToOemSize(PCUNICODE_STRING UnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return UnicodeString->Length / (ULONG)sizeof(WCHAR) + 1;
}

BOOLEAN RtlIsValidOemCharacter(PWCHAR Char)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (!rtl_is_in_code_page(RTL_OEM, *Char))
        return FALSE;
    *Char = rtl_from_code_page(RTL_OEM, rtl_upcase_in_code_page(RTL_OEM, rtl_to_code_page(RTL_OEM, *Char)));
    return TRUE;
}

/* ---- text without a structure around it; what does not fit is cut ---- */

static NTSTATUS widen_some(PWCH to, ULONG room, PULONG written, const CHAR *from, ULONG bytes, enum rtl_code_page page)
{
    ULONG count = bytes < room / sizeof(WCHAR) ? bytes : room / (ULONG)sizeof(WCHAR);
    widen(to, from, count, page);
    if (written != NULL)
        *written = count * (ULONG)sizeof(WCHAR);
    return STATUS_SUCCESS;
}

static NTSTATUS narrow_some(PCHAR to, ULONG room, PULONG written, PCWCH from, ULONG bytes, enum rtl_code_page page, bool upcase)
{
    ULONG count = bytes / sizeof(WCHAR) < room ? bytes / (ULONG)sizeof(WCHAR) : room;
    narrow(to, from, count, page, upcase);
    if (written != NULL)
        *written = count;
    return STATUS_SUCCESS;
}

NTSTATUS RtlMultiByteToUnicodeN(PWCH UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString, const CHAR *MultiByteString,
                                ULONG BytesInMultiByteString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return widen_some(UnicodeString, MaxBytesInUnicodeString, BytesInUnicodeString, MultiByteString, BytesInMultiByteString, RTL_ANSI);
}

NTSTATUS RtlOemToUnicodeN(PWCH UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString, PCCH OemString,
                          ULONG BytesInOemString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return widen_some(UnicodeString, MaxBytesInUnicodeString, BytesInUnicodeString, OemString, BytesInOemString, RTL_OEM);
}

NTSTATUS RtlUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString, PULONG BytesInMultiByteString, PCWCH UnicodeString,
                                ULONG BytesInUnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return narrow_some(MultiByteString, MaxBytesInMultiByteString, BytesInMultiByteString, UnicodeString, BytesInUnicodeString, RTL_ANSI,
                       false);
}

NTSTATUS RtlUpcaseUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString, PULONG BytesInMultiByteString,
                                      PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return narrow_some(MultiByteString, MaxBytesInMultiByteString, BytesInMultiByteString, UnicodeString, BytesInUnicodeString, RTL_ANSI,
                       true);
}

NTSTATUS RtlUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString, PCWCH UnicodeString,
                          ULONG BytesInUnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return narrow_some(OemString, MaxBytesInOemString, BytesInOemString, UnicodeString, BytesInUnicodeString, RTL_OEM, false);
}

NTSTATUS RtlUpcaseUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString, PCWCH UnicodeString,
                                ULONG BytesInUnicodeString)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return narrow_some(OemString, MaxBytesInOemString, BytesInOemString, UnicodeString, BytesInUnicodeString, RTL_OEM, true);
}

NTSTATUS RtlMultiByteToUnicodeSize(PULONG BytesInUnicodeString, const CHAR *MultiByteString, ULONG BytesInMultiByteString)
{
    (void)MultiByteString; /* every byte is a character */
    KE_REQUIRE_IRQL(APC_LEVEL);
    *BytesInUnicodeString = BytesInMultiByteString * (ULONG)sizeof(WCHAR);
    return STATUS_SUCCESS;
}

NTSTATUS RtlUnicodeToMultiByteSize(PULONG BytesInMultiByteString, PCWCH UnicodeString, ULONG BytesInUnicodeString)
{
    (void)UnicodeString;
    KE_REQUIRE_IRQL(APC_LEVEL);
    *BytesInMultiByteString = BytesInUnicodeString / (ULONG)sizeof(WCHAR);
    return STATUS_SUCCESS;
}
