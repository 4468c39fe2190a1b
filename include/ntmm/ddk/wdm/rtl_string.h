/*
 * rtl_string.h - counted strings: as much of them as names need.
 * WCHAR has 16 bits: compile drivers with -fshort-wchar, so that L"..." has such characters.
 *
 * Source  WDK reference: wdm.h, RtlInitUnicodeString; RTL_CONSTANT_STRING in its remarks.
 */
#ifndef NTMM_DDK_WDM_RTL_STRING_H
#define NTMM_DDK_WDM_RTL_STRING_H

#ifdef __cplusplus
extern "C" {
#endif

#define UNICODE_NULL ((WCHAR)0)
#define UNICODE_STRING_MAX_BYTES ((USHORT)65534)

/* An initialiser of a STRING or a UNICODE_STRING, from a literal. */
#define RTL_CONSTANT_STRING(s) \
    { \
        sizeof(s) - sizeof((s)[0]), sizeof(s), (s) \
    }

/**
 * Make a counted string of one that ends with a null. Nothing is copied.
 *
 * @param DestinationString  Length: without the null, MaximumLength: with it, in bytes
 * @param SourceString       NULL: a string without a buffer, of length 0. One of more than 65,532 bytes is cut there (choice)
 * @irql                     any, if the source is resident; else <= APC_LEVEL
 * @source                   WDK reference: wdm.h, RtlInitUnicodeString
 */
NTSYSAPI VOID RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);

#ifdef __cplusplus
}
#endif
#endif
