/*
 * rtl_string.h - counted strings: made, copied, appended.
 * A counted string is a pointer and two lengths in bytes: what is in use, and what there is room for. It need not end with a null. WCHAR has
 * 16 bits: compile drivers with -fshort-wchar, so that L"..." has such characters.
 *
 * What only moves bytes is here, works at any IRQL if the strings are resident, and needs no machine. Whatever looks at case or translates
 * characters is in rtl_string_case.h and rtl_string_convert.h, and has an IRQL.
 *
 * Source  WDK reference: wdm.h, ntddk.h, the page of each routine; "Using Unicode strings"; ntdef.h (macros).
 */
#ifndef NTMM_DDK_WDM_RTL_STRING_H
#define NTMM_DDK_WDM_RTL_STRING_H

#ifdef __cplusplus
extern "C" {
#endif

#define UNICODE_NULL ((WCHAR)0)
#define ANSI_NULL ((CHAR)0)
#define UNICODE_STRING_MAX_BYTES ((USHORT)65534)
#define UNICODE_STRING_MAX_CHARS (32767)
#define MAX_USTRING (sizeof(WCHAR) * (65535 / sizeof(WCHAR)))

/* An initialiser of a STRING or a UNICODE_STRING, from a literal. */
#ifdef __cplusplus
extern "C++" template <class T> constexpr T *ntmm_without_const(const T *literal) { return const_cast<T *>(literal); }
#define RTL_CONSTANT_STRING(s) \
    { \
        sizeof(s) - sizeof((s)[0]), sizeof(s), ntmm_without_const(s) \
    }
#else
#define RTL_CONSTANT_STRING(s) \
    { \
        sizeof(s) - sizeof((s)[0]), sizeof(s), (s) \
    }
#endif
/* Variables: a constant string of a literal's own characters, with its buffer; an empty string with room for `size` characters. */
#define DECLARE_CONST_UNICODE_STRING(_var, _string) \
    const WCHAR          _var##_buffer[] = _string; \
    const UNICODE_STRING _var = { sizeof(_string) - sizeof(WCHAR), sizeof(_string), (PWCH)_var##_buffer }
#define DECLARE_GLOBAL_CONST_UNICODE_STRING(_var, _str) const UNICODE_STRING _var = RTL_CONSTANT_STRING(_str)
#define DECLARE_UNICODE_STRING_SIZE(_var, _size) \
    WCHAR          _var##_buffer[_size]; \
    UNICODE_STRING _var = { 0, (_size) * sizeof(WCHAR), _var##_buffer }

/**
 * Make a counted string of one that ends with a null. Nothing is copied.
 *
 * @param DestinationString  Length: without the null, MaximumLength: with it, in bytes
 * @param SourceString       NULL: a string without a buffer, of length 0. One of more than 65,532 bytes is cut there
 * @irql                     any, if the source is resident; else <= APC_LEVEL
 * @source                   WDK reference: wdm.h, RtlInitUnicodeString; wdmsec.h, WdmlibRtlInitUnicodeStringEx (where it is cut)
 */
NTSYSAPI VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
/** The same, but a source that would be cut is refused, and DestinationString stays as it is (choice). @return STATUS_NAME_TOO_LONG
 *  @irql as RtlInitUnicodeString @source WDK reference: ntifs.h, RtlInitStringEx (status) */
NTSYSAPI NTSTATUS RtlInitUnicodeStringEx(PUNICODE_STRING DestinationString, PCWSTR SourceString);

/** The same for characters of 8 bits. One of more than 65,534 of them is cut there (choice). @irql as RtlInitUnicodeString
 *  @source WDK reference: wdm.h, RtlInitAnsiString, RtlInitString, RtlInitUTF8String */
NTSYSAPI VOID RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString);
NTSYSAPI VOID RtlInitString(PSTRING DestinationString, PCSZ SourceString);
NTSYSAPI VOID RtlInitUTF8String(PUTF8_STRING DestinationString, PCSZ SourceString);
/** @return STATUS_NAME_TOO_LONG, where the others cut. @irql as RtlInitUnicodeString @source WDK reference: ntifs.h, RtlInitStringEx */
NTSYSAPI NTSTATUS RtlInitAnsiStringEx(PANSI_STRING DestinationString, PCSZ SourceString);
NTSYSAPI NTSTATUS RtlInitStringEx(PSTRING DestinationString, PCSZ SourceString);
NTSYSAPI NTSTATUS RtlInitUTF8StringEx(PUTF8_STRING DestinationString, PCSZ SourceString);

/** An empty string with a buffer. @param BufferSize  bytes @irql any @source WDK reference: wdm.h, RtlInitEmptyUnicodeString */
FORCEINLINE VOID RtlInitEmptyUnicodeString(PUNICODE_STRING UnicodeString, PWCHAR Buffer, USHORT BufferSize)
{
    UnicodeString->Length = 0;
    UnicodeString->MaximumLength = BufferSize;
    UnicodeString->Buffer = Buffer;
}
/** The same for 8-bit characters. @irql any @source WDK reference: wdm.h, RtlInitEmptyAnsiString */
FORCEINLINE VOID RtlInitEmptyAnsiString(PANSI_STRING AnsiString, PCHAR Buffer, USHORT BufferSize)
{
    AnsiString->Length = 0;
    AnsiString->MaximumLength = BufferSize;
    AnsiString->Buffer = Buffer;
}

/**
 * Copy as much of a string as there is room for.
 *
 * @param DestinationString  its Length becomes that of what was copied. A null follows where there is room for it (choice)
 * @param SourceString       NULL: an empty one
 * @irql                     any, if both are resident
 * @source                   WDK reference: wdm.h, RtlCopyUnicodeString
 */
NTSYSAPI VOID RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);
/** The same for 8-bit characters, without the null. @irql any @source WDK reference: ntddk.h, RtlCopyString */
NTSYSAPI VOID RtlCopyString(PSTRING DestinationString, const STRING *SourceString);

/**
 * Append a string, whole or not at all.
 *
 * @param Source  a string that ends with a null, or NULL: nothing is appended
 * @return        STATUS_SUCCESS; a null follows where there is room for it (choice). STATUS_BUFFER_TOO_SMALL: Destination is unchanged
 * @irql          any, if both are resident
 * @source        WDK reference: wdm.h, RtlAppendUnicodeToString
 */
NTSYSAPI NTSTATUS RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source);
/** The same with a counted one. @return STATUS_BUFFER_TOO_SMALL @irql any @source WDK reference: wdm.h, RtlAppendUnicodeStringToString */
NTSYSAPI NTSTATUS RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source);
/** The same for 8-bit characters, without the null. @return STATUS_BUFFER_TOO_SMALL @irql any (choice: the reference says <= APC_LEVEL)
 *  @source WDK reference: ntifs.h, RtlAppendStringToString, RtlAppendAsciizToString */
NTSYSAPI NTSTATUS RtlAppendStringToString(PSTRING Destination, const STRING *Source);
NTSYSAPI NTSTATUS RtlAppendAsciizToString(PSTRING Destination, PCSZ Source);

#ifdef __cplusplus
}
#endif
#endif
