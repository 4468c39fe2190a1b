/*
 * ip_text.c - addresses of IPv4 and IPv6, written and read.
 *
 *     2001:db8:0:0:0:0:0:1     the longest row of two or more zero groups becomes ::, the first of several
 *     ::ffff:192.0.2.1         the last 32 bits of an IPv4-mapped or -compatible address, and of an ISATAP one, are an IPv4 address
 *
 * Source      RFC 4291, section 2.2; RFC 5952, section 4; RFC 5214, section 6.1 (ISATAP); WDK reference: ip2string.h.
 */
#include "rtl/ip_text.h"

#include <stdio.h>
#include <string.h>

#define GROUPS 8

/* ---- writing ---- */

size_t rtl_ipv4_write(const uint8_t address[4], char text[RTL_IP_TEXT])
{
    return (size_t)snprintf(text, RTL_IP_TEXT, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
}

static unsigned group_at(const uint8_t *address, int i) { return (unsigned)(address[2 * i] << 8 | address[2 * i + 1]); }

static bool ends_in_ipv4(const uint8_t *address)
{
    static const uint8_t zeros[10];
    bool                 is_isatap = (address[8] & 0xFD) == 0 && address[9] == 0 && address[10] == 0x5E && address[11] == 0xFE;
    if (is_isatap || memcmp(address, zeros, sizeof zeros) != 0)
        return is_isatap;
    return group_at(address, 5) == 0xFFFF || (group_at(address, 5) == 0 && group_at(address, 6) != 0);
}

typedef struct zeros {
    int first, count;
} zeros_t;

static zeros_t longest_zeros(const uint8_t *address, int groups)
{
    zeros_t best = { groups, 0 };
    for (int i = 0, count = 0; i < groups; i++) {
        count = group_at(address, i) == 0 ? count + 1 : 0;
        if (count > best.count)
            best = (zeros_t){ i - count + 1, count };
    }
    return best.count > 1 ? best : (zeros_t){ groups, 0 };
}

size_t rtl_ipv6_write(const uint8_t address[16], char text[RTL_IP_TEXT])
{
    int     groups = ends_in_ipv4(address) ? GROUPS - 2 : GROUPS;
    char    ipv4[RTL_IP_TEXT];
    zeros_t zeros = longest_zeros(address, groups);
    size_t  at = 0;
    for (int i = 0; i < groups; i++) {
        if (i == zeros.first) {
            at += (size_t)snprintf(text + at, RTL_IP_TEXT - at, i == 0 ? "::" : ":");
            i += zeros.count - 1;
            continue;
        }
        at += (size_t)snprintf(text + at, RTL_IP_TEXT - at, "%x%s", group_at(address, i), i + 1 < GROUPS ? ":" : "");
    }
    if (groups < GROUPS) {
        (void)rtl_ipv4_write(address + 12, ipv4);
        at += (size_t)snprintf(text + at, RTL_IP_TEXT - at, "%s", ipv4);
    }
    return at;
}

/* ---- numbers ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* NULL: no digit, or more than `most`. */
static const char *read_number(const char *text, int base, uint64_t most, uint64_t *value)
{
    const char *at = text;
    *value = 0;
    for (; digit_of(*at) < base; at++) {
        *value = *value * (uint64_t)base + (uint64_t)digit_of(*at);
        if (*value > most)
            return NULL;
    }
    return at != text ? at : NULL;
}

const char *rtl_decimal_read(const char *text, uint32_t most, uint32_t *value)
{
    uint64_t    number;
    const char *end = read_number(text, 10, most, &number);
    *value = (uint32_t)number;
    return end;
}

/* As C writes them: 10, 012, 0xa. */
static const char *read_part(const char *text, bool strict, uint64_t *value)
{
    const uint64_t most = UINT32_MAX;
    if (strict || text[0] != '0')
        return read_number(text, 10, most, value);
    if (text[1] == 'x' || text[1] == 'X')
        return read_number(text + 2, 16, most, value);
    return read_number(text, 8, most, value);
}

/* ---- IPv4 ---- */

/* The last part fills the bytes that the others leave. */
static bool put_together(const uint64_t *parts, int count, uint8_t *address)
{
    uint64_t whole = parts[count - 1];
    if (whole >> (8 * (5 - count)) != 0)
        return false;
    for (int i = 0; i + 1 < count; i++) {
        if (parts[i] > 255)
            return false;
        whole |= parts[i] << (24 - 8 * i);
    }
    for (int i = 0; i < 4; i++)
        address[i] = (uint8_t)(whole >> (24 - 8 * i));
    return true;
}

const char *rtl_ipv4_read(const char *text, bool strict, uint8_t address[4])
{
    uint64_t    parts[4];
    int         count = 0;
    const char *at = text;
    for (;;) {
        at = read_part(at, strict, &parts[count++]);
        if (at == NULL)
            return NULL;
        if (count == 4 || *at != '.')
            break;
        at++;
    }
    return (!strict || count == 4) && put_together(parts, count, address) ? at : NULL;
}

/* ---- IPv6 ---- */

typedef struct reader {
    uint8_t bytes[16];
    int     count; /* bytes read */
    int     gap;   /* where :: was, in bytes; -1: nowhere */
} reader_t;

static void put_group(reader_t *reader, uint64_t group)
{
    reader->bytes[reader->count++] = (uint8_t)(group >> 8);
    reader->bytes[reader->count++] = (uint8_t)group;
}

/* One group, or the IPv4 address at the end. NULL: neither. */
static const char *read_piece(const char *at, reader_t *reader, bool *is_last)
{
    uint64_t    group;
    const char *end = read_number(at, 16, UINT32_MAX, &group);
    *is_last = false;
    if (end != NULL && *end == '.' && reader->count <= 12) {
        end = rtl_ipv4_read(at, true, reader->bytes + reader->count);
        reader->count += 4;
        *is_last = true;
        return end;
    }
    if (end == NULL || end - at > 4)
        return NULL;
    put_group(reader, group);
    return end;
}

static bool spread(const reader_t *reader, uint8_t *address)
{
    memset(address, 0, 16);
    if (reader->gap < 0) {
        memcpy(address, reader->bytes, 16);
        return reader->count == 16;
    }
    int behind = reader->count - reader->gap;
    memcpy(address, reader->bytes, (size_t)reader->gap);
    memcpy(address + 16 - behind, reader->bytes + reader->gap, (size_t)behind);
    return reader->count <= 14;
}

const char *rtl_ipv6_read(const char *text, uint8_t address[16])
{
    reader_t    reader = { .gap = -1 };
    const char *at = text;
    bool        is_last = false;
    if (at[0] == ':' && at[1] == ':') {
        reader.gap = 0;
        at += 2;
    }
    while (reader.count < 16 && !is_last && digit_of(*at) < 16) {
        at = read_piece(at, &reader, &is_last);
        if (at == NULL)
            return NULL;
        if (is_last || at[0] != ':' || reader.count == 16)
            break;
        if (at[1] == ':' && reader.gap < 0) {
            reader.gap = reader.count;
            at += 2;
        } else if (digit_of(at[1]) < 16)
            at++;
        else
            break;
    }
    return spread(&reader, address) ? at : NULL;
}
