/*
 * ip_text.h - addresses of IPv4 and IPv6 as ASCII text, for the routines that give it to drivers in 8 or 16 bits.
 */
#ifndef NTMM_RTL_IP_TEXT_H
#define NTMM_RTL_IP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTL_IP_TEXT 72u /* characters of the longest one: [address%4294967295]:65535 and a null */

/* Both return the characters without the null. */
size_t rtl_ipv4_write(const uint8_t address[4], char text[RTL_IP_TEXT]);
size_t rtl_ipv6_write(const uint8_t address[16], char text[RTL_IP_TEXT]);
/* Both return where the reading ended; NULL: no address begins there. */
const char *rtl_ipv4_read(const char *text, bool strict, uint8_t address[4]);
const char *rtl_ipv6_read(const char *text, uint8_t address[16]);
/* Decimal, at most `most`. */
const char *rtl_decimal_read(const char *text, uint32_t most, uint32_t *value);

#endif
