/*
 * text.h - characters and numbers as text, without any machine: what the driver-facing string routines (src/ex/string_*.c) are made of.
 * A character is 16 bits here, or 8 in one of two code pages. What would need memory, or has an IRQL, is not here.
 */
#ifndef NTMM_RTL_TEXT_H
#define NTMM_RTL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ntifs.h>

#include "host/host.h" /* NTMM_ARRAY_COUNT */

/* ---- case.c ---- */
WCHAR rtl_upcase(WCHAR c);
WCHAR rtl_downcase(WCHAR c);
/* As strcmp, of two texts of so many characters; fold: capitals count as small letters. */
int rtl_compare_wide(const WCHAR *one, size_t one_length, const WCHAR *other, size_t other_length, bool fold);

/* ---- code_page.c ---- */
enum rtl_code_page { RTL_ANSI, RTL_OEM }; /* code pages 1252 and 437 */
WCHAR         rtl_from_code_page(enum rtl_code_page page, unsigned char c);
bool          rtl_is_in_code_page(enum rtl_code_page page, WCHAR c);
unsigned char rtl_to_code_page(enum rtl_code_page page, WCHAR c);                /* '?' for what the page does not have */
unsigned char rtl_upcase_in_code_page(enum rtl_code_page page, unsigned char c); /* itself, when its capital is not in the page */

/* ---- number_text.c ---- */
/* Reads a number as RtlUnicodeStringToInteger does; `at(context, i)` is character i, 0 from the end on. Base 0, 2, 8, 10 or 16. */
typedef unsigned (*rtl_character_at_t)(const void *context, size_t i);
uint32_t rtl_number_from_text(rtl_character_at_t at, const void *context, unsigned base);
#define RTL_NUMBER_MAX 65u /* characters of 64 bits in base 2, with a null */
/* Digits in capitals, into the end of `room`. Returns where they begin; they end with a null at the end of room. */
char              *rtl_number_to_text(uint64_t value, unsigned base, char room[RTL_NUMBER_MAX]);
static inline bool rtl_is_base(ULONG base) { return base == 2 || base == 8 || base == 10 || base == 16; }
#define RTL_GUID_LENGTH 38u /* characters of {xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx} */
bool rtl_guid_from_text(const WCHAR *text, size_t length, GUID *guid);
void rtl_guid_to_text(const GUID *guid, WCHAR text[RTL_GUID_LENGTH]);

#endif
