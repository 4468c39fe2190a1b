/*
 * crt_wide.c - texts of 16-bit characters that end with a null, as the C library has them for characters of the host's width.
 * Source      Visual C++ documentation: wcslen, wcscpy, _wcsicmp, _snwprintf and so on.
 */
#include <stdbool.h>
#include <stdint.h>

#include <ntddk.h>

#include "rtl/format.h"

size_t ntmm_wcsnlen(PCWSTR text, size_t most)
{
    size_t length = 0;
    while (length < most && text[length] != 0)
        length++;
    return length;
}

size_t ntmm_wcslen(PCWSTR text) { return ntmm_wcsnlen(text, SIZE_MAX); }

PWSTR ntmm_wcscpy(PWSTR to, PCWSTR from)
{
    memcpy(to, from, (ntmm_wcslen(from) + 1) * sizeof(WCHAR));
    return to;
}

PWSTR ntmm_wcsncpy(PWSTR to, PCWSTR from, size_t count)
{
    size_t length = ntmm_wcsnlen(from, count);
    memcpy(to, from, length * sizeof(WCHAR));
    memset(to + length, 0, (count - length) * sizeof(WCHAR));
    return to;
}

PWSTR ntmm_wcsncat(PWSTR to, PCWSTR from, size_t count)
{
    size_t length = ntmm_wcsnlen(from, count);
    PWSTR  end = to + ntmm_wcslen(to);
    memcpy(end, from, length * sizeof(WCHAR));
    end[length] = 0;
    return to;
}

PWSTR ntmm_wcscat(PWSTR to, PCWSTR from) { return ntmm_wcsncat(to, from, SIZE_MAX); }

/* ---- comparing ---- */

static unsigned folded(unsigned c) { return c - 'A' < 26 ? c + ('a' - 'A') : c; }

static int compare(PCWSTR one, PCWSTR other, size_t count, bool fold)
{
    for (size_t i = 0; i < count; i++) {
        unsigned a = fold ? folded(one[i]) : one[i], b = fold ? folded(other[i]) : other[i];
        if (a != b)
            return a < b ? -1 : 1;
        if (a == 0)
            break;
    }
    return 0;
}

int ntmm_wcscmp(PCWSTR one, PCWSTR other) { return compare(one, other, SIZE_MAX, false); }

int ntmm_wcsncmp(PCWSTR one, PCWSTR other, size_t count) { return compare(one, other, count, false); }

int ntmm_wcsicmp(PCWSTR one, PCWSTR other) { return compare(one, other, SIZE_MAX, true); }

int ntmm_wcsnicmp(PCWSTR one, PCWSTR other, size_t count) { return compare(one, other, count, true); }

int ntmm_strnicmp(PCSTR one, PCSTR other, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned a = folded((unsigned char)one[i]), b = folded((unsigned char)other[i]);
        if (a != b)
            return a < b ? -1 : 1;
        if (a == 0)
            break;
    }
    return 0;
}

int ntmm_stricmp(PCSTR one, PCSTR other) { return ntmm_strnicmp(one, other, SIZE_MAX); }

/* ---- searching ---- */

PWSTR ntmm_wcschr(PCWSTR text, WCHAR c)
{
    for (;; text++) {
        if (*text == c)
            return (PWSTR)(ULONG_PTR)text;
        if (*text == 0)
            return NULL;
    }
}

PWSTR ntmm_wcsrchr(PCWSTR text, WCHAR c)
{
    for (size_t i = ntmm_wcslen(text) + 1; i > 0; i--)
        if (text[i - 1] == c)
            return (PWSTR)(ULONG_PTR)&text[i - 1];
    return NULL;
}

PWSTR ntmm_wcsstr(PCWSTR text, PCWSTR wanted)
{
    size_t length = ntmm_wcslen(wanted);
    for (;; text++) {
        if (compare(text, wanted, length, false) == 0)
            return (PWSTR)(ULONG_PTR)text;
        if (*text == 0)
            return NULL;
    }
}

size_t ntmm_wcsspn(PCWSTR text, PCWSTR set)
{
    size_t length = 0;
    while (text[length] != 0 && ntmm_wcschr(set, text[length]) != NULL)
        length++;
    return length;
}

PWSTR ntmm_wcslwr(PWSTR text)
{
    for (PWSTR c = text; *c != 0; c++)
        *c = (WCHAR)folded(*c);
    return text;
}

PWSTR ntmm_wcsupr(PWSTR text)
{
    for (PWSTR c = text; *c != 0; c++)
        *c = (WCHAR)(*c >= 'a' && *c <= 'z' ? *c - ('a' - 'A') : *c);
    return text;
}

/* ---- printing ---- */

/* -1 when it does not fit; a null where there is room. */
static int printed(rtl_text_t *text, const void *format, va_list arguments)
{
    rtl_format(text, format, arguments);
    if (text->count < text->room)
        memset((char *)text->buffer + text->count * (text->wide ? sizeof(WCHAR) : 1), 0, text->wide ? sizeof(WCHAR) : 1);
    return text->count <= text->room ? (int)text->count : -1;
}

int ntmm_vsnwprintf(PWSTR to, size_t count, PCWSTR format, va_list arguments)
{
    rtl_text_t text = { .buffer = to, .room = count, .wide = true };
    return printed(&text, format, arguments);
}

int ntmm_vsnprintf(PSTR to, size_t count, PCSTR format, va_list arguments)
{
    rtl_text_t text = { .buffer = to, .room = count };
    return printed(&text, format, arguments);
}

int ntmm_snwprintf(PWSTR to, size_t count, PCWSTR format, ...)
{
    va_list arguments;
    int     result;
    va_start(arguments, format);
    result = ntmm_vsnwprintf(to, count, format, arguments);
    va_end(arguments);
    return result;
}

int ntmm_snprintf(PSTR to, size_t count, PCSTR format, ...)
{
    va_list arguments;
    int     result;
    va_start(arguments, format);
    result = ntmm_vsnprintf(to, count, format, arguments);
    va_end(arguments);
    return result;
}
