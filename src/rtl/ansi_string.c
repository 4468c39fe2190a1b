/*
 * ansi_string.c - counted strings of 8-bit characters, whatever code page they are in: made, copied, appended.
 * Units       Length and MaximumLength are bytes.
 * Source      WDK reference: wdm.h, ntddk.h, ntifs.h: RtlInitAnsiString, RtlInitString, RtlInitStringEx, RtlInitUTF8String, RtlCopyString,
 *             RtlAppendStringToString.
 */
#include <ntddk.h>

#define LONGEST 65534u /* bytes, so that the null still counts into MaximumLength */

static NTSTATUS init(PSTRING string, PCSZ text)
{
    SIZE_T bytes = text != NULL ? strnlen(text, LONGEST + 1) : 0;
    if (bytes > LONGEST)
        return STATUS_NAME_TOO_LONG;
    string->Length = (USHORT)bytes;
    string->MaximumLength = (USHORT)(text != NULL ? bytes + 1 : 0);
    string->Buffer = (PCHAR)(ULONG_PTR)text;
    return STATUS_SUCCESS;
}

static void init_or_cut(PSTRING string, PCSZ text)
{
    if (init(string, text) == STATUS_SUCCESS)
        return;
    string->Length = LONGEST;
    string->MaximumLength = LONGEST + 1;
    string->Buffer = (PCHAR)(ULONG_PTR)text;
}

VOID     RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString) { init_or_cut(DestinationString, SourceString); }
VOID     RtlInitString(PSTRING DestinationString, PCSZ SourceString) { init_or_cut(DestinationString, SourceString); }
VOID     RtlInitUTF8String(PUTF8_STRING DestinationString, PCSZ SourceString) { init_or_cut(DestinationString, SourceString); }
NTSTATUS RtlInitAnsiStringEx(PANSI_STRING DestinationString, PCSZ SourceString) { return init(DestinationString, SourceString); }
NTSTATUS RtlInitStringEx(PSTRING DestinationString, PCSZ SourceString) { return init(DestinationString, SourceString); }
NTSTATUS RtlInitUTF8StringEx(PUTF8_STRING DestinationString, PCSZ SourceString) { return init(DestinationString, SourceString); }

VOID RtlCopyString(PSTRING DestinationString, const STRING *SourceString)
{
    USHORT bytes = SourceString == NULL                                       ? 0
                   : SourceString->Length <= DestinationString->MaximumLength ? SourceString->Length
                                                                              : DestinationString->MaximumLength;
    if (bytes != 0)
        RtlMoveMemory(DestinationString->Buffer, SourceString->Buffer, bytes);
    DestinationString->Length = bytes;
}

static NTSTATUS append(PSTRING destination, PCSZ text, SIZE_T bytes)
{
    if (bytes + destination->Length > destination->MaximumLength)
        return STATUS_BUFFER_TOO_SMALL;
    if (bytes != 0)
        RtlMoveMemory(destination->Buffer + destination->Length, text, bytes);
    destination->Length = (USHORT)(destination->Length + bytes);
    return STATUS_SUCCESS;
}

NTSTATUS RtlAppendStringToString(PSTRING Destination, const STRING *Source) { return append(Destination, Source->Buffer, Source->Length); }

NTSTATUS RtlAppendAsciizToString(PSTRING Destination, PCSZ Source)
{
    return append(Destination, Source, Source != NULL ? strnlen(Source, LONGEST + 2) : 0);
}
