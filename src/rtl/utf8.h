/*
 * utf8.h - one character between UTF-8 and UTF-16.
 */
#ifndef NTMM_RTL_UTF8_H
#define NTMM_RTL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ntdef.h>

#define RTL_REPLACEMENT 0xFFFDu

/* The next character; *used: how much of the text it took, at least 1. One that is none is RTL_REPLACEMENT, with *valid false. */
uint32_t rtl_next_of_utf8(const unsigned char *text, size_t bytes, size_t *used, bool *valid);
uint32_t rtl_next_of_utf16(const WCHAR *text, size_t length, size_t *used, bool *valid);
/* Written to `to`; returns how many. */
size_t rtl_put_utf8(uint32_t c, unsigned char to[4]);
size_t rtl_put_utf16(uint32_t c, WCHAR to[2]);

#endif
