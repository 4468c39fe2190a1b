/*
 * strsafe.h - what the two halves of ntstrsafe.h's implementation share: a text or a format, written as far as there is room.
 */
#ifndef NTMM_RTL_STRSAFE_H
#define NTMM_RTL_STRSAFE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct rtl_strsafe_source {
    const void *text;      /* or a format; NULL: an empty one */
    size_t      most;      /* characters of a text that count */
    bool        counted;   /* all of them do: a null is a character */
    va_list    *arguments; /* of a format; NULL: it is a text */
} rtl_strsafe_source_t;

/* Writes at most `room` characters, without a null. Returns how many there are, or some number above room. */
size_t rtl_strsafe_write(const rtl_strsafe_source_t *source, void *to, size_t room, bool wide);
size_t rtl_strsafe_length(const void *text, size_t most, bool wide); /* up to the null; `most`: there is none */

#endif
