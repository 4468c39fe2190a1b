/*
 * inaddr.h - IN_ADDR: an address of IPv4, in network byte order.
 * Source  WDK reference: inaddr.h, IN_ADDR.
 */
#ifndef NTMM_DDK_INADDR_H
#define NTMM_DDK_INADDR_H

#include "ntdef.h"

typedef struct in_addr {
    union {
        struct {
            UCHAR s_b1, s_b2, s_b3, s_b4;
        } S_un_b;
        struct {
            USHORT s_w1, s_w2;
        } S_un_w;
        ULONG S_addr;
    } S_un;
} IN_ADDR, *PIN_ADDR;

#endif
