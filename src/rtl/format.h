/*
 * format.h - text from a format and arguments, as the kernel's printf-like routines make it.
 */
#ifndef NTMM_RTL_FORMAT_H
#define NTMM_RTL_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <ntdef.h>

/* Where characters go: the first `room` of them into the buffer, of 8 or of 16 bits each; the rest is only counted. No null is written. */
typedef struct rtl_text {
    void  *buffer;
    size_t room;
    size_t count; /* that there would be in a buffer without an end */
    bool   wide;
} rtl_text_t;

/* `format` has characters of the same width as the text. */
void rtl_format(rtl_text_t *text, const void *format, va_list arguments);
void rtl_format_text(rtl_text_t *text, const char *plain); /* appends a text as it is */

#endif
