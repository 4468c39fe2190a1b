/*
 * utf8.c - one character between UTF-8 and UTF-16.
 *
 *     1st byte    following bytes                  2nd byte is narrower after
 *     00..7F      none                             E0: A0..BF (else it could be shorter)   ED: 80..9F (surrogates are no characters)
 *     C2..DF      1, each 80..BF                   F0: 90..BF (shorter)                    F4: 80..8F (beyond 10FFFF)
 *     E0..EF      2
 *     F0..F4      3
 *
 * Source      The Unicode Standard, chapter 3, tables 3-6 and 3-7; "maximal subparts" for what is replaced.
 */
#include "rtl/utf8.h"

static bool second_fits(unsigned first, unsigned second)
{
    unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= low && second <= high;
}

uint32_t rtl_next_of_utf8(const unsigned char *text, size_t bytes, size_t *used, bool *valid)
{
    unsigned first = text[0];
    size_t   following = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    uint32_t c = first & (0x7Fu >> (following != 0 ? following + 1 : 0));

    *valid = first < 0x80 || (first >= 0xC2 && first <= 0xF4);
    *used = 1;
    for (; *valid && *used <= following; ++*used) {
        if (*used == bytes || (*used == 1 ? !second_fits(first, text[1]) : (text[*used] & 0xC0) != 0x80)) {
            *valid = false;
            break;
        }
        c = c << 6 | (text[*used] & 0x3F);
    }
    return *valid ? c : RTL_REPLACEMENT;
}

uint32_t rtl_next_of_utf16(const WCHAR *text, size_t length, size_t *used, bool *valid)
{
    uint32_t c = text[0];

    *used = 1;
    *valid = c < 0xD800 || c > 0xDFFF;
    if (*valid)
        return c;
    if (c > 0xDBFF || length < 2 || text[1] < 0xDC00 || text[1] > 0xDFFF)
        return RTL_REPLACEMENT;
    *used = 2;
    *valid = true;
    return 0x10000 + ((c - 0xD800) << 10) + (text[1] - 0xDC00u);
}

size_t rtl_put_utf8(uint32_t c, unsigned char to[4])
{
    size_t count = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (count == 1) {
        to[0] = (unsigned char)c;
        return 1;
    }
    for (size_t i = count - 1; i > 0; i--, c >>= 6)
        to[i] = (unsigned char)(0x80 | (c & 0x3F));
    to[0] = (unsigned char)((0xF00u >> count & 0xFF) | c);
    return count;
}

size_t rtl_put_utf16(uint32_t c, WCHAR to[2])
{
    if (c < 0x10000) {
        to[0] = (WCHAR)c;
        return 1;
    }
    to[0] = (WCHAR)(0xD800 + ((c - 0x10000) >> 10));
    to[1] = (WCHAR)(0xDC00 + ((c - 0x10000) & 0x3FF));
    return 2;
}
