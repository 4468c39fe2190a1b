/*
 * interlocked.h - one word, changed at once: the interlocked operations that a compiler for Windows knows by itself.
 *
 *     result                            operations, on LONG; with 64, 16 or 8 behind the name on that many bits; on pointers with Pointer
 *     the new value                     InterlockedIncrement, InterlockedDecrement, InterlockedAdd
 *     the value before                  InterlockedExchange, InterlockedExchangeAdd, InterlockedCompareExchange, InterlockedAnd, InterlockedOr,
 *                                       InterlockedXor
 *     the bit before                    InterlockedBitTestAndSet, InterlockedBitTestAndReset, InterlockedBitTestAndComplement
 *
 * All are full barriers, and so are their Acquire, Release and NoFence forms. They are inline, need no machine, work at any IRQL, and must
 * not be used on noncached memory, which nobody checks.
 *
 * Source  WDK reference: wdm.h, the pages of these routines; "Using interlocked routines".
 */
#ifndef NTMM_DDK_WDM_INTERLOCKED_H
#define NTMM_DDK_WDM_INTERLOCKED_H

#ifdef __cplusplus
extern "C" {
#endif

/* Additions wrap around, as the processor's do: the built-ins count without overflow for signed types, too. */
#define NTMM_INTERLOCKED_OPERATIONS(Type, Suffix) \
    FORCEINLINE Type InterlockedIncrement##Suffix(Type volatile *Addend) { return __atomic_add_fetch(Addend, 1, __ATOMIC_SEQ_CST); } \
    FORCEINLINE Type InterlockedDecrement##Suffix(Type volatile *Addend) { return __atomic_sub_fetch(Addend, 1, __ATOMIC_SEQ_CST); } \
    FORCEINLINE Type InterlockedAdd##Suffix(Type volatile *Addend, Type Value) \
    { \
        return __atomic_add_fetch(Addend, Value, __ATOMIC_SEQ_CST); \
    } \
    FORCEINLINE Type InterlockedExchangeAdd##Suffix(Type volatile *Addend, Type Value) \
    { \
        return __atomic_fetch_add(Addend, Value, __ATOMIC_SEQ_CST); \
    } \
    FORCEINLINE Type InterlockedExchange##Suffix(Type volatile *Target, Type Value) \
    { \
        return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST); \
    } \
    FORCEINLINE Type InterlockedCompareExchange##Suffix(Type volatile *Destination, Type ExChange, Type Comperand) \
    { \
        __atomic_compare_exchange_n(Destination, &Comperand, ExChange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return Comperand; /* what was found, when it was another value */ \
    } \
    FORCEINLINE Type InterlockedAnd##Suffix(Type volatile *Destination, Type Value) \
    { \
        return __atomic_fetch_and(Destination, Value, __ATOMIC_SEQ_CST); \
    } \
    FORCEINLINE Type InterlockedOr##Suffix(Type volatile *Destination, Type Value) \
    { \
        return __atomic_fetch_or(Destination, Value, __ATOMIC_SEQ_CST); \
    } \
    FORCEINLINE Type InterlockedXor##Suffix(Type volatile *Destination, Type Value) \
    { \
        return __atomic_fetch_xor(Destination, Value, __ATOMIC_SEQ_CST); \
    }
NTMM_INTERLOCKED_OPERATIONS(LONG, )
NTMM_INTERLOCKED_OPERATIONS(LONG64, 64)
NTMM_INTERLOCKED_OPERATIONS(SHORT, 16)
NTMM_INTERLOCKED_OPERATIONS(CHAR, 8)
#undef NTMM_INTERLOCKED_OPERATIONS

FORCEINLINE PVOID InterlockedExchangePointer(PVOID volatile *Target, PVOID Value)
{
    return __atomic_exchange_n(Target, Value, __ATOMIC_SEQ_CST);
}
FORCEINLINE PVOID InterlockedCompareExchangePointer(PVOID volatile *Destination, PVOID Exchange, PVOID Comperand)
{
    __atomic_compare_exchange_n(Destination, &Comperand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return Comperand;
}

/* Bit 0 is the lowest of Base[0]; a Bit beyond 31, or below 0, lies in another LONG of an array. */
FORCEINLINE UCHAR InterlockedBitTestAndSet(LONG volatile *Base, LONG Bit)
{
    LONG mask = (LONG)(1u << ((ULONG)Bit & 31));
    return (UCHAR)((__atomic_fetch_or(Base + (Bit >> 5), mask, __ATOMIC_SEQ_CST) & mask) != 0);
}
FORCEINLINE UCHAR InterlockedBitTestAndReset(LONG volatile *Base, LONG Bit)
{
    LONG mask = (LONG)(1u << ((ULONG)Bit & 31));
    return (UCHAR)((__atomic_fetch_and(Base + (Bit >> 5), ~mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

FORCEINLINE UCHAR InterlockedBitTestAndComplement(LONG volatile *Base, LONG Bit)
{
    LONG mask = (LONG)(1u << ((ULONG)Bit & 31));
    return (UCHAR)((__atomic_fetch_xor(Base + (Bit >> 5), mask, __ATOMIC_SEQ_CST) & mask) != 0);
}
FORCEINLINE UCHAR InterlockedBitTestAndSet64(LONG64 volatile *Base, LONG64 Bit)
{
    LONG64 mask = (LONG64)(1ull << ((ULONG64)Bit & 63));
    return (UCHAR)((__atomic_fetch_or(Base + (Bit >> 6), mask, __ATOMIC_SEQ_CST) & mask) != 0);
}
FORCEINLINE UCHAR InterlockedBitTestAndReset64(LONG64 volatile *Base, LONG64 Bit)
{
    LONG64 mask = (LONG64)(1ull << ((ULONG64)Bit & 63));
    return (UCHAR)((__atomic_fetch_and(Base + (Bit >> 6), ~mask, __ATOMIC_SEQ_CST) & mask) != 0);
}
FORCEINLINE UCHAR InterlockedBitTestAndComplement64(LONG64 volatile *Base, LONG64 Bit)
{
    LONG64 mask = (LONG64)(1ull << ((ULONG64)Bit & 63));
    return (UCHAR)((__atomic_fetch_xor(Base + (Bit >> 6), mask, __ATOMIC_SEQ_CST) & mask) != 0);
}

/**
 * 16 bytes at once: Destination[0] is the low half. Destination is aligned to 16 bytes.
 *
 * @param ComparandResult  two words that are expected, low half first; receives what was there
 * @return                 1: it was that, and is the other now; 0: nothing has changed
 * @irql                   any
 * @source                 Visual C++ documentation: _InterlockedCompareExchange128
 */
NTMM_PUBLIC UCHAR InterlockedCompareExchange128(LONG64 volatile *Destination, LONG64 ExchangeHigh, LONG64 ExchangeLow,
                                                LONG64 *ComparandResult);

/** *Exchange goes to *Destination if that holds *Comperand; Lock is for processors that cannot do that at once. @return the value before
 *  @irql any @source WDK reference: wdm.h, ExInterlockedCompareExchange64 */
#define ExInterlockedCompareExchange64(Destination, Exchange, Comperand, Lock) \
    ((void)(Lock), InterlockedCompareExchange64((Destination), *(Exchange), *(Comperand)))

#ifdef __cplusplus
}
#endif
#endif
