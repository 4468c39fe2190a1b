/*
 * interlocked128.c - 16 bytes compared and exchanged at once.
 * Source      WDK reference: wdm.h, "Using interlocked routines"; Visual C++ documentation: _InterlockedCompareExchange128.
 */
#include <ntddk.h>

#include "rtl/pair.h"

UCHAR InterlockedCompareExchange128(LONG64 volatile *Destination, LONG64 ExchangeHigh, LONG64 ExchangeLow, LONG64 *ComparandResult)
{
    rt_pair_t      *at = (rt_pair_t *)(ULONG_PTR)Destination, now = { (uint64_t)ComparandResult[0], (uint64_t)ComparandResult[1] };
    const rt_pair_t wanted = { (uint64_t)ExchangeLow, (uint64_t)ExchangeHigh };

    if (rt_pair_exchange(at, now, wanted))
        return 1;
    do { /* the value that there is, both halves of it: exchanged for itself */
        now.low = __atomic_load_n(&at->low, __ATOMIC_RELAXED);
        now.high = __atomic_load_n(&at->high, __ATOMIC_RELAXED);
        if ((LONG64)now.low == ComparandResult[0] && (LONG64)now.high == ComparandResult[1]) {
            if (rt_pair_exchange(at, now, wanted))
                return 1;
            continue;
        }
    } while (!rt_pair_exchange(at, now, now));
    ComparandResult[0] = (LONG64)now.low;
    ComparandResult[1] = (LONG64)now.high;
    return 0;
}
