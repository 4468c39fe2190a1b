/*
 * format.c - printf as drivers know it. The C library's cannot be used: `long` has 32 bits in a format for Windows, and counted strings are
 * arguments there.
 *
 *     %[flags][width][.precision][size]type
 *
 *     size        h: 16 bits, or 8-bit text   hh: 8 bits   l: 32 bits, or 16-bit text   w: 16-bit text   ll, I64, j: 64 bits   I32: 32 bits
 *                 I, z, t: the size of a pointer
 *     type        d i u o x X p    c C s S Z    %
 *                 s and c have the width of the format itself, S and C the other one. Z: a pointer to an ANSI_STRING, wZ and lZ: to a
 *                 UNICODE_STRING. p: 16 digits in capitals
 *
 * Text of the other width is translated by the ANSI code page. NULL as a string, or as the buffer of a counted one, is "(null)".
 *
 * Source      WDK reference: DbgPrint; Visual C++ documentation: "Format specification syntax: printf and wprintf functions".
 * Fidelity    no floating point, as documented for the kernel: the directive is printed as it stands, and its argument is passed over. n
 *             writes nothing (choice): it is printed as it stands, and its pointer is passed over. An unknown type is printed without its
 *             percent sign.
 */
#include "rtl/format.h"

#include "rtl/text.h"

typedef struct directive {
    bool     left, plus, space, zero, alternate;
    bool     has_precision;
    size_t   width, precision;
    unsigned bits;         /* of an integer argument: 8, 16, 32, 64 */
    bool     narrow, wide; /* the size says so, for text */
    unsigned type;         /* character; 0: the format ended */
} directive_t;

/* One format being read; the arguments in a structure, so that they can be passed by address. */
typedef struct reader {
    const void *format;
    bool        wide;
    size_t      at;
    va_list     arguments;
} reader_t;

static unsigned peek(const reader_t *reader)
{
    return reader->wide ? ((const WCHAR *)reader->format)[reader->at] : ((const unsigned char *)reader->format)[reader->at];
}

static unsigned peek_second(const reader_t *reader)
{
    return reader->wide ? ((const WCHAR *)reader->format)[reader->at + 1] : ((const unsigned char *)reader->format)[reader->at + 1];
}

/* ---- characters out ---- */

static void put(rtl_text_t *text, unsigned c, bool wide)
{
    if (text->count < text->room) {
        if (text->wide)
            ((WCHAR *)text->buffer)[text->count] = wide ? (WCHAR)c : rtl_from_code_page(RTL_ANSI, (unsigned char)c);
        else
            ((unsigned char *)text->buffer)[text->count] = wide ? rtl_to_code_page(RTL_ANSI, (WCHAR)c) : (unsigned char)c;
    }
    text->count++;
}

static void put_many(rtl_text_t *text, char c, size_t count)
{
    while (count-- > 0)
        put(text, (unsigned char)c, false);
}

void rtl_format_text(rtl_text_t *text, const char *plain)
{
    while (*plain != '\0')
        put(text, (unsigned char)*plain++, false);
}

/* ---- directives ---- */

static size_t read_number(reader_t *reader)
{
    size_t number = 0;
    for (; peek(reader) - '0' < 10; reader->at++)
        if (number < 1000000)
            number = number * 10 + (peek(reader) - '0');
    return number;
}

static void read_flags(reader_t *reader, directive_t *d)
{
    for (;; reader->at++)
        switch (peek(reader)) {
        case '-': d->left = true; break;
        case '+': d->plus = true; break;
        case ' ': d->space = true; break;
        case '0': d->zero = true; break;
        case '#': d->alternate = true; break;
        default: return;
        }
}

static void read_width(reader_t *reader, directive_t *d)
{
    if (peek(reader) == '*') {
        int width = va_arg(reader->arguments, int);
        reader->at++;
        d->left |= width < 0;
        d->width = width < 0 ? 0 - (size_t)width : (size_t)width;
    } else {
        d->width = read_number(reader);
    }
    if (peek(reader) != '.')
        return;
    reader->at++;
    d->has_precision = true;
    if (peek(reader) == '*') {
        int precision = va_arg(reader->arguments, int);
        reader->at++;
        d->has_precision = precision >= 0; /* a negative one is none */
        d->precision = precision >= 0 ? (size_t)precision : 0;
    } else {
        d->precision = read_number(reader);
    }
}

/* I64 and I32, or I alone. */
static void read_size_i(reader_t *reader, directive_t *d)
{
    unsigned first = peek(reader), second = first != 0 ? peek_second(reader) : 0;

    d->bits = 64;
    if ((first == '6' && second == '4') || (first == '3' && second == '2')) {
        d->bits = first == '6' ? 64 : 32;
        reader->at += 2;
    }
}

static void read_size(reader_t *reader, directive_t *d)
{
    d->bits = 32;
    for (;;) {
        switch (peek(reader)) {
        case 'h': d->bits = d->narrow ? 8 : 16, d->narrow = true; break;
        case 'l': d->bits = d->wide ? 64 : 32, d->wide = true; break;
        case 'w': d->wide = true; break;
        case 'j':
        case 'z':
        case 't': d->bits = 64; break;
        case 'I':
            reader->at++;
            read_size_i(reader, d);
            continue;
        default: return;
        }
        reader->at++;
    }
}

/* ---- numbers ---- */

/* Sign or prefix, zeros, digits, in their field. */
static void put_number(rtl_text_t *text, const directive_t *d, const char *prefix, const char *digits)
{
    size_t length = strlen(digits), zeros = 0, used;

    if (d->has_precision && d->precision == 0 && strcmp(digits, "0") == 0)
        length = 0; /* a zero without digits */
    if (d->has_precision)
        zeros = d->precision > length ? d->precision - length : 0;
    else if (d->zero && !d->left && d->width > strlen(prefix) + length)
        zeros = d->width - strlen(prefix) - length;
    used = strlen(prefix) + zeros + length;
    if (!d->left && d->width > used)
        put_many(text, ' ', d->width - used);
    rtl_format_text(text, prefix);
    put_many(text, '0', zeros);
    for (size_t i = 0; i < length; i++)
        put(text, (unsigned char)digits[i], false);
    if (d->left && d->width > used)
        put_many(text, ' ', d->width - used);
}

static uint64_t next_number(reader_t *reader, const directive_t *d, bool is_signed)
{
    uint64_t value = d->bits == 64 ? va_arg(reader->arguments, uint64_t) : va_arg(reader->arguments, uint32_t);
    unsigned cut = 64 - d->bits;
    return is_signed ? (uint64_t)((int64_t)(value << cut) >> cut) : value << cut >> cut;
}

static void put_signed(rtl_text_t *text, reader_t *reader, const directive_t *d)
{
    char        room[RTL_NUMBER_MAX];
    int64_t     value = (int64_t)next_number(reader, d, true);
    const char *sign = value < 0 ? "-" : d->plus ? "+" : d->space ? " " : "";
    put_number(text, d, sign, rtl_number_to_text(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, room));
}

static void put_unsigned(rtl_text_t *text, reader_t *reader, const directive_t *d)
{
    char     room[RTL_NUMBER_MAX], *digits;
    unsigned base = d->type == 'u' ? 10 : d->type == 'o' ? 8 : 16;
    uint64_t value = next_number(reader, d, false);

    digits = rtl_number_to_text(value, base, room);
    if (d->type == 'x')
        for (char *c = digits; *c != '\0'; c++)
            *c = (char)(*c >= 'A' ? *c | 0x20 : *c);
    put_number(text, d,
               !d->alternate || value == 0 ? ""
               : d->type == 'x'            ? "0x"
               : d->type == 'X'            ? "0X"
               : d->type == 'o'            ? "0"
                                           : "",
               digits);
}

static void put_pointer(rtl_text_t *text, reader_t *reader, directive_t d)
{
    char room[RTL_NUMBER_MAX];
    d.has_precision = true;
    d.precision = 16;
    put_number(text, &d, d.alternate ? "0X" : "", rtl_number_to_text(va_arg(reader->arguments, uintptr_t), 16, room));
}

/* ---- text ---- */

static void put_string(rtl_text_t *text, const directive_t *d, const void *string, size_t length, bool wide)
{
    size_t padding = d->width > length ? d->width - length : 0;

    if (!d->left)
        put_many(text, d->zero ? '0' : ' ', padding);
    for (size_t i = 0; i < length; i++)
        put(text, wide ? ((const WCHAR *)string)[i] : ((const unsigned char *)string)[i], wide);
    if (d->left)
        put_many(text, ' ', padding);
}

static bool is_wide(const directive_t *d, bool of_the_format, unsigned same)
{
    return d->narrow ? false : d->wide ? true : d->type == same ? of_the_format : !of_the_format;
}

static void put_plain_string(rtl_text_t *text, reader_t *reader, const directive_t *d)
{
    bool        wide = is_wide(d, reader->wide, 's');
    const void *string = va_arg(reader->arguments, const void *);
    size_t      limit = d->has_precision ? d->precision : SIZE_MAX, length = 0;

    if (string == NULL) {
        string = "(null)";
        wide = false;
    }
    while (length < limit && (wide ? ((const WCHAR *)string)[length] : ((const unsigned char *)string)[length]) != 0)
        length++;
    put_string(text, d, string, length, wide);
}

static void put_counted_string(rtl_text_t *text, reader_t *reader, const directive_t *d)
{
    const void *argument = va_arg(reader->arguments, const void *), *buffer = NULL;
    size_t      length = 0;

    if (argument != NULL && d->wide) {
        buffer = ((PCUNICODE_STRING)argument)->Buffer;
        length = ((PCUNICODE_STRING)argument)->Length / sizeof(WCHAR);
    } else if (argument != NULL) {
        buffer = ((PCSTRING)argument)->Buffer;
        length = ((PCSTRING)argument)->Length;
    }
    if (buffer == NULL)
        length = sizeof "(null)" - 1;
    if (d->has_precision && d->precision < length)
        length = d->precision;
    put_string(text, d, buffer != NULL ? buffer : "(null)", length, buffer != NULL && d->wide);
}

static void put_character(rtl_text_t *text, reader_t *reader, const directive_t *d)
{
    bool          wide = is_wide(d, reader->wide, 'c');
    WCHAR         wide_c = (WCHAR)va_arg(reader->arguments, int);
    unsigned char narrow_c = (unsigned char)wide_c;
    put_string(text, d, wide ? (const void *)&wide_c : &narrow_c, 1, wide);
}

/* ---- the whole ---- */

static void put_as_it_stands(rtl_text_t *text, const reader_t *reader, size_t from)
{
    reader_t again = { .format = reader->format, .wide = reader->wide, .at = from };
    for (; again.at < reader->at; again.at++)
        put(text, peek(&again), reader->wide);
}

static void put_directive(rtl_text_t *text, reader_t *reader, size_t from, const directive_t *d)
{
    switch (d->type) {
    case 'd':
    case 'i': put_signed(text, reader, d); break;
    case 'u':
    case 'o':
    case 'x':
    case 'X': put_unsigned(text, reader, d); break;
    case 'p': put_pointer(text, reader, *d); break;
    case 's':
    case 'S': put_plain_string(text, reader, d); break;
    case 'Z': put_counted_string(text, reader, d); break;
    case 'c':
    case 'C': put_character(text, reader, d); break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case 'a':
    case 'A':
        (void)va_arg(reader->arguments, double);
        put_as_it_stands(text, reader, from);
        break;
    case 'n':
        (void)va_arg(reader->arguments, void *);
        put_as_it_stands(text, reader, from);
        break;
    case 0: break;
    default: put(text, d->type, reader->wide);
    }
}

void rtl_format(rtl_text_t *text, const void *format, va_list arguments)
{
    reader_t reader = { .format = format, .wide = text->wide };

    va_copy(reader.arguments, arguments);
    while (peek(&reader) != 0) {
        directive_t d = { 0 };
        size_t      from = reader.at;
        if (peek(&reader) != '%') {
            put(text, peek(&reader), reader.wide);
            reader.at++;
            continue;
        }
        reader.at++;
        read_flags(&reader, &d);
        read_width(&reader, &d);
        read_size(&reader, &d);
        d.type = peek(&reader);
        reader.at += d.type != 0;
        put_directive(text, &reader, from, &d);
    }
    va_end(reader.arguments);
}
