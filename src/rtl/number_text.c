/*
 * number_text.c - numbers and GUIDs, from text and to text.
 * Source      WDK reference: RtlUnicodeStringToInteger (white space, sign, prefix), RtlIntegerToUnicodeString, RtlGUIDFromString,
 *             RtlStringFromGUID.
 * Fidelity    choice: white space is every character up to the space; a number that needs more than 32 bits keeps its low 32; digits beyond
 *             9 are written as capitals.
 */
#include "rtl/text.h"

/* 0 to 35, or 36 for a character that is no digit in any base. */
static unsigned digit_of(unsigned c)
{
    if (c - '0' < 10)
        return c - '0';
    if ((c | 0x20) - 'a' < 26 && c < 0x80)
        return (c | 0x20) - 'a' + 10;
    return 36;
}

uint32_t rtl_number_from_text(rtl_character_at_t at, const void *context, unsigned base)
{
    size_t   i = 0;
    uint32_t value = 0;
    bool     negative = false;

    while (at(context, i) != 0 && at(context, i) <= ' ')
        i++;
    if (at(context, i) == '-' || at(context, i) == '+')
        negative = at(context, i++) == '-';
    if (base == 0) {
        unsigned letter = at(context, i) == '0' ? at(context, i + 1) : 0;
        base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
        i += base != 10 ? 2 : 0;
    }
    for (unsigned digit; (digit = digit_of(at(context, i))) < base; i++)
        value = value * base + digit;
    return negative ? 0 - value : value;
}

char *rtl_number_to_text(uint64_t value, unsigned base, char room[RTL_NUMBER_MAX])
{
    char *at = &room[RTL_NUMBER_MAX - 1];

    *at = '\0';
    do {
        *--at = "0123456789ABCDEF"[value % base];
        value /= base;
    } while (value != 0);
    return at;
}

/* Where each of the 16 bytes of a GUID's text, in the order in which they are written, lies in the structure. */
static const uint8_t GUID_BYTE[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
static const char    GUID_SHAPE[RTL_GUID_LENGTH + 1] = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}";

bool rtl_guid_from_text(const WCHAR *text, size_t length, GUID *guid)
{
    unsigned char bytes[16];
    size_t        digits = 0;

    if (length != RTL_GUID_LENGTH)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digit_of(text[i]);
        if (GUID_SHAPE[i] != 'x') {
            if (text[i] != (WCHAR)GUID_SHAPE[i])
                return false;
            continue;
        }
        if (digit >= 16)
            return false;
        if (digits % 2 == 0)
            bytes[GUID_BYTE[digits / 2]] = (unsigned char)(digit << 4);
        else
            bytes[GUID_BYTE[digits / 2]] |= (unsigned char)digit;
        digits++;
    }
    RtlCopyMemory(guid, bytes, sizeof *guid);
    return true;
}

void rtl_guid_to_text(const GUID *guid, WCHAR text[RTL_GUID_LENGTH])
{
    const unsigned char *bytes = (const unsigned char *)guid;
    size_t               digits = 0;

    for (size_t i = 0; i < RTL_GUID_LENGTH; i++) {
        if (GUID_SHAPE[i] != 'x') {
            text[i] = (WCHAR)GUID_SHAPE[i];
            continue;
        }
        unsigned byte = bytes[GUID_BYTE[digits / 2]];
        text[i] = (WCHAR) "0123456789ABCDEF"[digits % 2 == 0 ? byte >> 4 : byte & 15];
        digits++;
    }
}
