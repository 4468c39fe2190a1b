/*
 * rtl_string_oem.h - strings in the OEM code page, and pieces of text without a structure around them.
 * The OEM code page is 437, see src/rtl/code_page.c (choice). Buffers of results are as in wdm/rtl_string_convert.h.
 *
 * Source  WDK reference: ntifs.h, the page of each routine.
 */
#ifndef NTMM_DDK_NTIFS_RTL_STRING_OEM_H
#define NTMM_DDK_NTIFS_RTL_STRING_OEM_H

#ifdef __cplusplus
extern "C" {
#endif

/** As RtlAnsiStringToUnicodeString, without a null for the Counted one. @return as there @irql < DISPATCH_LEVEL
 *  @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) @source WDK reference: ntifs.h, RtlOemStringToUnicodeString, RtlOemStringToCountedUnicodeString */
NTSYSAPI NTSTATUS RtlOemStringToUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString,
                                              BOOLEAN AllocateDestinationString);
NTSYSAPI NTSTATUS RtlOemStringToCountedUnicodeString(PUNICODE_STRING DestinationString, PCOEM_STRING SourceString,
                                                     BOOLEAN AllocateDestinationString);
/** The other way; Upcase: in capitals; Counted: without a null. @return also STATUS_UNMAPPABLE_CHARACTER: the code page does not have one of
 *  the characters @irql < DISPATCH_LEVEL @bugcheck 0xA @source WDK reference: ntifs.h, RtlUnicodeStringToOemString and the others */
NTSYSAPI NTSTATUS RtlUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                              BOOLEAN AllocateDestinationString);
NTSYSAPI NTSTATUS RtlUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                     BOOLEAN AllocateDestinationString);
NTSYSAPI NTSTATUS RtlUpcaseUnicodeStringToOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                    BOOLEAN AllocateDestinationString);
NTSYSAPI NTSTATUS RtlUpcaseUnicodeStringToCountedOemString(POEM_STRING DestinationString, PCUNICODE_STRING SourceString,
                                                           BOOLEAN AllocateDestinationString);
/** @irql < DISPATCH_LEVEL @bugcheck as RtlFreeAnsiString @source WDK reference: ntifs.h, RtlFreeOemString */
NTSYSAPI VOID RtlFreeOemString(POEM_STRING OemString);

/** Bytes of the result, with its null; without one for the Counted one. @irql < DISPATCH_LEVEL @bugcheck 0xA
 *  @source WDK reference: ntifs.h, RtlOemStringToUnicodeSize, RtlUnicodeStringToOemSize, RtlOemStringToCountedUnicodeSize */
NTSYSAPI ULONG RtlxOemStringToUnicodeSize(PCOEM_STRING OemString);
NTSYSAPI ULONG RtlxUnicodeStringToOemSize(PCUNICODE_STRING UnicodeString);
#define RtlOemStringToUnicodeSize(STRING) RtlxOemStringToUnicodeSize(STRING)
#define RtlUnicodeStringToOemSize(STRING) RtlxUnicodeStringToOemSize(STRING)
#define RtlUnicodeStringToCountedOemSize(STRING) ((ULONG)(RtlUnicodeStringToOemSize(STRING) - sizeof(ANSI_NULL)))
#define RtlOemStringToCountedUnicodeSize(STRING) ((ULONG)(RtlOemStringToUnicodeSize(STRING) - sizeof(UNICODE_NULL)))

/**
 * Text without a structure around it. What does not fit is cut, which is no error.
 *
 * @param MaxBytesInUnicodeString  bytes of room
 * @param BytesInUnicodeString     receives the bytes written; may be NULL
 * @return    STATUS_SUCCESS
 * @irql      < DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source    WDK reference: ntifs.h, RtlMultiByteToUnicodeN, RtlOemToUnicodeN, RtlUnicodeToMultiByteN, RtlUnicodeToOemN and Upcase forms
 */
NTSYSAPI NTSTATUS RtlMultiByteToUnicodeN(PWCH UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString,
                                         const CHAR *MultiByteString, ULONG BytesInMultiByteString);
NTSYSAPI NTSTATUS RtlOemToUnicodeN(PWCH UnicodeString, ULONG MaxBytesInUnicodeString, PULONG BytesInUnicodeString, PCCH OemString,
                                   ULONG BytesInOemString);
NTSYSAPI NTSTATUS RtlUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString, PULONG BytesInMultiByteString,
                                         PCWCH UnicodeString, ULONG BytesInUnicodeString);
NTSYSAPI NTSTATUS RtlUpcaseUnicodeToMultiByteN(PCHAR MultiByteString, ULONG MaxBytesInMultiByteString, PULONG BytesInMultiByteString,
                                               PCWCH UnicodeString, ULONG BytesInUnicodeString);
NTSYSAPI NTSTATUS RtlUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString, PCWCH UnicodeString,
                                   ULONG BytesInUnicodeString);
NTSYSAPI NTSTATUS RtlUpcaseUnicodeToOemN(PCHAR OemString, ULONG MaxBytesInOemString, PULONG BytesInOemString, PCWCH UnicodeString,
                                         ULONG BytesInUnicodeString);
/** Bytes that all of it needs, without a null. @return STATUS_SUCCESS @irql < DISPATCH_LEVEL @bugcheck 0xA
 *  @source WDK reference: ntifs.h, RtlMultiByteToUnicodeSize, RtlUnicodeToMultiByteSize */
NTSYSAPI NTSTATUS RtlMultiByteToUnicodeSize(PULONG BytesInUnicodeString, const CHAR *MultiByteString, ULONG BytesInMultiByteString);
NTSYSAPI NTSTATUS RtlUnicodeToMultiByteSize(PULONG BytesInMultiByteString, PCWCH UnicodeString, ULONG BytesInUnicodeString);
/** Is *Char a character of the OEM code page? If so it becomes its capital. @irql PASSIVE_LEVEL @bugcheck 0xA
 *  @source WDK reference: ntifs.h, RtlIsValidOemCharacter */
NTSYSAPI BOOLEAN RtlIsValidOemCharacter(PWCHAR Char);

#ifdef __cplusplus
}
#endif
#endif
