/*
 * ip_string.c - RtlIpv4AddressToString and its like: text in 8 and in 16 bits, with ports and scopes.
 * All of them work on ASCII of their own; what is wider is copied into it, and back.
 *
 * Source      WDK reference: ip2string.h, the page of each routine.
 * Fidelity    where a text that is too long is cut off: choice.
 */
#include <stdio.h>
#include <string.h>

#include <ip2string.h>
#include <ntddk.h>

#include "rtl/ip_text.h"

#define TEXT_READ 128

static USHORT swapped(USHORT port) { return (USHORT)(port << 8 | port >> 8); }

/* ---- to text ---- */

static size_t write_ipv4(const IN_ADDR *address, USHORT port, char *text)
{
    size_t count = rtl_ipv4_write((const uint8_t *)address, text);
    return port != 0 ? count + (size_t)snprintf(text + count, RTL_IP_TEXT - count, ":%u", swapped(port)) : count;
}

static size_t write_ipv6(const IN6_ADDR *address, ULONG scope, USHORT port, char *text)
{
    char   plain[RTL_IP_TEXT], of_scope[16] = "";
    size_t count = rtl_ipv6_write(address->u.Byte, plain);
    if (scope != 0)
        (void)snprintf(of_scope, sizeof of_scope, "%%%u", scope);
    if (port != 0)
        return (size_t)snprintf(text, RTL_IP_TEXT, "[%.*s%s]:%u", (int)count, plain, of_scope, swapped(port));
    return (size_t)snprintf(text, RTL_IP_TEXT, "%.*s%s", (int)count, plain, of_scope);
}

static PWSTR widen(const char *text, size_t count, PWSTR out)
{
    for (size_t i = 0; i <= count; i++)
        out[i] = (unsigned char)text[i];
    return out + count;
}

/* Exactly one of the two is given. */
static NTSTATUS give(const char *text, size_t count, PSTR narrow, PWSTR wide, PULONG room)
{
    ULONG had = *room;
    *room = (ULONG)count + 1;
    if (had < *room)
        return STATUS_INVALID_PARAMETER;
    if (narrow != NULL)
        memcpy(narrow, text, count + 1);
    else
        (void)widen(text, count, wide);
    return STATUS_SUCCESS;
}

PSTR RtlIpv4AddressToStringA(const IN_ADDR *Addr, PSTR S)
{
    char   text[RTL_IP_TEXT];
    size_t count = write_ipv4(Addr, 0, text);
    memcpy(S, text, count + 1);
    return S + count;
}

PWSTR RtlIpv4AddressToStringW(const IN_ADDR *Addr, PWSTR S)
{
    char text[RTL_IP_TEXT];
    return widen(text, write_ipv4(Addr, 0, text), S);
}

PSTR RtlIpv6AddressToStringA(const IN6_ADDR *Addr, PSTR S)
{
    char   text[RTL_IP_TEXT];
    size_t count = write_ipv6(Addr, 0, 0, text);
    memcpy(S, text, count + 1);
    return S + count;
}

PWSTR RtlIpv6AddressToStringW(const IN6_ADDR *Addr, PWSTR S)
{
    char text[RTL_IP_TEXT];
    return widen(text, write_ipv6(Addr, 0, 0, text), S);
}

NTSTATUS RtlIpv4AddressToStringExA(const IN_ADDR *Address, USHORT Port, PSTR AddressString, PULONG AddressStringLength)
{
    char text[RTL_IP_TEXT];
    if (Address == NULL || AddressString == NULL || AddressStringLength == NULL)
        return STATUS_INVALID_PARAMETER;
    return give(text, write_ipv4(Address, Port, text), AddressString, NULL, AddressStringLength);
}

NTSTATUS RtlIpv4AddressToStringExW(const IN_ADDR *Address, USHORT Port, PWSTR AddressString, PULONG AddressStringLength)
{
    char text[RTL_IP_TEXT];
    if (Address == NULL || AddressString == NULL || AddressStringLength == NULL)
        return STATUS_INVALID_PARAMETER;
    return give(text, write_ipv4(Address, Port, text), NULL, AddressString, AddressStringLength);
}

NTSTATUS RtlIpv6AddressToStringExA(const IN6_ADDR *Address, ULONG ScopeId, USHORT Port, PSTR AddressString, PULONG AddressStringLength)
{
    char text[RTL_IP_TEXT];
    if (Address == NULL || AddressString == NULL || AddressStringLength == NULL)
        return STATUS_INVALID_PARAMETER;
    return give(text, write_ipv6(Address, ScopeId, Port, text), AddressString, NULL, AddressStringLength);
}

NTSTATUS RtlIpv6AddressToStringExW(const IN6_ADDR *Address, ULONG ScopeId, USHORT Port, PWSTR AddressString, PULONG AddressStringLength)
{
    char text[RTL_IP_TEXT];
    if (Address == NULL || AddressString == NULL || AddressStringLength == NULL)
        return STATUS_INVALID_PARAMETER;
    return give(text, write_ipv6(Address, ScopeId, Port, text), NULL, AddressString, AddressStringLength);
}

/* ---- from text ---- */

/* What is no ASCII ends an address as any other character does. */
static const char *narrowed(PCWSTR text, char out[TEXT_READ])
{
    size_t count = 0;
    for (; count + 1 < TEXT_READ && text[count] != 0; count++)
        out[count] = text[count] < 0x80 ? (char)text[count] : '?';
    out[count] = '\0';
    return out;
}

NTSTATUS RtlIpv4StringToAddressA(PCSTR S, BOOLEAN Strict, PCSTR *Terminator, IN_ADDR *Addr)
{
    const char *end = rtl_ipv4_read(S, Strict, (uint8_t *)Addr);
    *Terminator = end != NULL ? end : S;
    return end != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlIpv4StringToAddressW(PCWSTR S, BOOLEAN Strict, PCWSTR *Terminator, IN_ADDR *Addr)
{
    char        text[TEXT_READ];
    const char *end = rtl_ipv4_read(narrowed(S, text), Strict, (uint8_t *)Addr);
    *Terminator = end != NULL ? S + (end - text) : S;
    return end != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlIpv6StringToAddressA(PCSTR S, PCSTR *Terminator, IN6_ADDR *Addr)
{
    const char *end = rtl_ipv6_read(S, Addr->u.Byte);
    *Terminator = end != NULL ? end : S;
    return end != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlIpv6StringToAddressW(PCWSTR S, PCWSTR *Terminator, IN6_ADDR *Addr)
{
    char        text[TEXT_READ];
    const char *end = rtl_ipv6_read(narrowed(S, text), Addr->u.Byte);
    *Terminator = end != NULL ? S + (end - text) : S;
    return end != NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ":80" or nothing, and then the end. */
static NTSTATUS read_port(const char *at, PUSHORT port)
{
    uint32_t number = 0;
    if (*at == ':') {
        at = rtl_decimal_read(at + 1, MAXUSHORT, &number);
        if (at == NULL || number == 0)
            return STATUS_INVALID_PARAMETER;
    }
    if (*at != '\0')
        return STATUS_INVALID_PARAMETER;
    *port = swapped((USHORT)number);
    return STATUS_SUCCESS;
}

NTSTATUS RtlIpv4StringToAddressExA(PCSTR AddressString, BOOLEAN Strict, IN_ADDR *Address, PUSHORT Port)
{
    if (AddressString == NULL || Address == NULL || Port == NULL)
        return STATUS_INVALID_PARAMETER;
    const char *end = rtl_ipv4_read(AddressString, Strict, (uint8_t *)Address);
    return end != NULL ? read_port(end, Port) : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlIpv4StringToAddressExW(PCWSTR AddressString, BOOLEAN Strict, IN_ADDR *Address, PUSHORT Port)
{
    char text[TEXT_READ];
    return AddressString != NULL ? RtlIpv4StringToAddressExA(narrowed(AddressString, text), Strict, Address, Port)
                                 : STATUS_INVALID_PARAMETER;
}

NTSTATUS RtlIpv6StringToAddressExA(PCSTR AddressString, IN6_ADDR *Address, PULONG ScopeId, PUSHORT Port)
{
    uint32_t scope = 0;
    if (AddressString == NULL || Address == NULL || ScopeId == NULL || Port == NULL)
        return STATUS_INVALID_PARAMETER;
    bool        in_brackets = *AddressString == '[';
    const char *at = rtl_ipv6_read(AddressString + in_brackets, Address->u.Byte);
    if (at != NULL && *at == '%')
        at = rtl_decimal_read(at + 1, MAXULONG, &scope);
    if (at == NULL || (in_brackets && *at != ']') || (!in_brackets && *at != '\0'))
        return STATUS_INVALID_PARAMETER;
    *ScopeId = scope;
    return read_port(at + in_brackets, Port);
}

NTSTATUS RtlIpv6StringToAddressExW(PCWSTR AddressString, IN6_ADDR *Address, PULONG ScopeId, PUSHORT Port)
{
    char text[TEXT_READ];
    return AddressString != NULL ? RtlIpv6StringToAddressExA(narrowed(AddressString, text), Address, ScopeId, Port)
                                 : STATUS_INVALID_PARAMETER;
}
