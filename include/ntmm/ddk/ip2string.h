/*
 * ip2string.h - addresses of IPv4 and IPv6 as text: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1%4]:80.
 *
 * Ports are in network byte order. Any IRQL, with text in nonpaged memory.
 *
 * Source  WDK reference: ip2string.h, the page of each routine; RFC 4291, section 2.2; RFC 5952.
 */
#ifndef NTMM_DDK_IP2STRING_H
#define NTMM_DDK_IP2STRING_H

#include "in6addr.h"
#include "inaddr.h"

#ifdef __cplusplus
extern "C" {
#endif

/** @param S room for 16 characters (IPv4), 46 (IPv6) @return the null at the end @irql any @source WDK reference: ip2string.h */
NTSYSAPI PSTR  RtlIpv4AddressToStringA(const IN_ADDR *Addr, PSTR S);
NTSYSAPI PWSTR RtlIpv4AddressToStringW(const IN_ADDR *Addr, PWSTR S);
NTSYSAPI PSTR  RtlIpv6AddressToStringA(const IN6_ADDR *Addr, PSTR S);
NTSYSAPI PWSTR RtlIpv6AddressToStringW(const IN6_ADDR *Addr, PWSTR S);

/**
 * With a port, and a scope, unless they are 0.
 *
 * @param AddressStringLength  characters of room; receives how many it takes, the null included
 * @return STATUS_INVALID_PARAMETER: not enough room, or a NULL pointer @irql any @source WDK reference: ip2string.h
 */
NTSYSAPI NTSTATUS RtlIpv4AddressToStringExA(const IN_ADDR *Address, USHORT Port, PSTR AddressString, PULONG AddressStringLength);
NTSYSAPI NTSTATUS RtlIpv4AddressToStringExW(const IN_ADDR *Address, USHORT Port, PWSTR AddressString, PULONG AddressStringLength);
NTSYSAPI NTSTATUS RtlIpv6AddressToStringExA(const IN6_ADDR *Address, ULONG ScopeId, USHORT Port, PSTR AddressString,
                                            PULONG AddressStringLength);
NTSYSAPI NTSTATUS RtlIpv6AddressToStringExW(const IN6_ADDR *Address, ULONG ScopeId, USHORT Port, PWSTR AddressString,
                                            PULONG AddressStringLength);

/**
 * Read an address.
 *
 * @param Strict      TRUE: four decimal numbers; FALSE: one to four, of which the last fills what is left, octal (0...) and hexadecimal (0x...), too
 * @param Terminator  receives where the reading ended
 * @return STATUS_INVALID_PARAMETER: no address begins there @irql any @models more than 127 characters are not looked at
 * @source WDK reference: ip2string.h, RtlIpv4StringToAddress
 */
NTSYSAPI NTSTATUS RtlIpv4StringToAddressA(PCSTR S, BOOLEAN Strict, PCSTR *Terminator, IN_ADDR *Addr);
NTSYSAPI NTSTATUS RtlIpv4StringToAddressW(PCWSTR S, BOOLEAN Strict, PCWSTR *Terminator, IN_ADDR *Addr);
NTSYSAPI NTSTATUS RtlIpv6StringToAddressA(PCSTR S, PCSTR *Terminator, IN6_ADDR *Addr);
NTSYSAPI NTSTATUS RtlIpv6StringToAddressW(PCWSTR S, PCWSTR *Terminator, IN6_ADDR *Addr);
/** The whole text is an address, perhaps with a scope and a port; those that are not there are 0. @return STATUS_INVALID_PARAMETER @irql any
 *  @source WDK reference: ip2string.h, RtlIpv4StringToAddressEx, RtlIpv6StringToAddressEx */
NTSYSAPI NTSTATUS RtlIpv4StringToAddressExA(PCSTR AddressString, BOOLEAN Strict, IN_ADDR *Address, PUSHORT Port);
NTSYSAPI NTSTATUS RtlIpv4StringToAddressExW(PCWSTR AddressString, BOOLEAN Strict, IN_ADDR *Address, PUSHORT Port);
NTSYSAPI NTSTATUS RtlIpv6StringToAddressExA(PCSTR AddressString, IN6_ADDR *Address, PULONG ScopeId, PUSHORT Port);
NTSYSAPI NTSTATUS RtlIpv6StringToAddressExW(PCWSTR AddressString, IN6_ADDR *Address, PULONG ScopeId, PUSHORT Port);

#ifdef UNICODE
#define RtlIpv4AddressToString RtlIpv4AddressToStringW
#define RtlIpv4AddressToStringEx RtlIpv4AddressToStringExW
#define RtlIpv4StringToAddress RtlIpv4StringToAddressW
#define RtlIpv4StringToAddressEx RtlIpv4StringToAddressExW
#define RtlIpv6AddressToString RtlIpv6AddressToStringW
#define RtlIpv6AddressToStringEx RtlIpv6AddressToStringExW
#define RtlIpv6StringToAddress RtlIpv6StringToAddressW
#define RtlIpv6StringToAddressEx RtlIpv6StringToAddressExW
#else
#define RtlIpv4AddressToString RtlIpv4AddressToStringA
#define RtlIpv4AddressToStringEx RtlIpv4AddressToStringExA
#define RtlIpv4StringToAddress RtlIpv4StringToAddressA
#define RtlIpv4StringToAddressEx RtlIpv4StringToAddressExA
#define RtlIpv6AddressToString RtlIpv6AddressToStringA
#define RtlIpv6AddressToStringEx RtlIpv6AddressToStringExA
#define RtlIpv6StringToAddress RtlIpv6StringToAddressA
#define RtlIpv6StringToAddressEx RtlIpv6StringToAddressExA
#endif

#ifdef __cplusplus
}
#endif
#endif
