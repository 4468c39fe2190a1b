/*
 * in6addr.h - IN6_ADDR: an address of IPv6, in network byte order.
 * Source  WDK reference: in6addr.h, IN6_ADDR.
 */
#ifndef NTMM_DDK_IN6ADDR_H
#define NTMM_DDK_IN6ADDR_H

#include "ntdef.h"

typedef struct in6_addr {
    union {
        UCHAR  Byte[16];
        USHORT Word[8];
    } u;
} IN6_ADDR, *PIN6_ADDR;

#endif
