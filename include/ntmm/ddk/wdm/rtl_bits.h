/*
 * rtl_bits.h - numbers by their bytes: swapped, at any address, of 64 bits; LUIDs. All inline, at any IRQL.
 * Source  WDK reference: wdm.h, ntddk.h, the page of each routine.
 */
#ifndef NTMM_DDK_WDM_RTL_BITS_H
#define NTMM_DDK_WDM_RTL_BITS_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the other order of bytes ---- */
#define RtlUshortByteSwap(_x) ((USHORT)__builtin_bswap16((USHORT)(_x)))
#define RtlUlongByteSwap(_x) ((ULONG)__builtin_bswap32((ULONG)(_x)))
#define RtlUlonglongByteSwap(_x) ((ULONGLONG)__builtin_bswap64((ULONGLONG)(_x)))
#define _byteswap_ushort(x) RtlUshortByteSwap(x)
#define _byteswap_ulong(x) RtlUlongByteSwap(x)
#define _byteswap_uint64(x) RtlUlonglongByteSwap(x)

/* ---- at addresses that need not be aligned ---- */
FORCEINLINE VOID ntmm_store_16(PVOID Address, USHORT Value) { memcpy(Address, &Value, sizeof Value); }
FORCEINLINE VOID ntmm_store_32(PVOID Address, ULONG Value) { memcpy(Address, &Value, sizeof Value); }
FORCEINLINE VOID ntmm_store_64(PVOID Address, ULONGLONG Value) { memcpy(Address, &Value, sizeof Value); }
#define RtlStoreUshort(ADDRESS, VALUE) ntmm_store_16((ADDRESS), (USHORT)(VALUE))
#define RtlStoreUlong(ADDRESS, VALUE) ntmm_store_32((ADDRESS), (ULONG)(VALUE))
#define RtlStoreUlonglong(ADDRESS, VALUE) ntmm_store_64((ADDRESS), (ULONGLONG)(VALUE))
#define RtlStoreUlongPtr(ADDRESS, VALUE) ntmm_store_64((ADDRESS), (ULONGLONG)(VALUE))
#define RtlRetrieveUshort(DEST_ADDRESS, SRC_ADDRESS) ((void)memcpy((DEST_ADDRESS), (SRC_ADDRESS), sizeof(USHORT)))
#define RtlRetrieveUlong(DEST_ADDRESS, SRC_ADDRESS) ((void)memcpy((DEST_ADDRESS), (SRC_ADDRESS), sizeof(ULONG)))

/* ---- 64 bits, from the time when compilers had none ---- */
FORCEINLINE LARGE_INTEGER ntmm_large(LONGLONG Value)
{
    LARGE_INTEGER large;
    large.QuadPart = Value;
    return large;
}
#define RtlConvertLongToLargeInteger(SignedInteger) ntmm_large((LONG)(SignedInteger))
#define RtlConvertUlongToLargeInteger(UnsignedInteger) ntmm_large((ULONG)(UnsignedInteger))
#define RtlEnlargedIntegerMultiply(Multiplicand, Multiplier) ntmm_large((LONGLONG)(LONG)(Multiplicand) * (LONG)(Multiplier))
#define RtlEnlargedUnsignedMultiply(Multiplicand, Multiplier) ntmm_large((LONGLONG)((ULONGLONG)(ULONG)(Multiplicand) * (ULONG)(Multiplier)))
FORCEINLINE LARGE_INTEGER RtlExtendedIntegerMultiply(LARGE_INTEGER Multiplicand, LONG Multiplier)
{
    return ntmm_large((LONGLONG)((ULONGLONG)Multiplicand.QuadPart * (ULONGLONG)(LONGLONG)Multiplier));
}
/** Divisor must not be 0. @param Remainder  may be NULL @source WDK headers: wdm.h, RtlExtendedLargeIntegerDivide (no page) */
FORCEINLINE LARGE_INTEGER RtlExtendedLargeIntegerDivide(LARGE_INTEGER Dividend, ULONG Divisor, PULONG Remainder)
{
    if (Remainder != NULL)
        *Remainder = (ULONG)((ULONGLONG)Dividend.QuadPart % Divisor);
    return ntmm_large((LONGLONG)((ULONGLONG)Dividend.QuadPart / Divisor));
}
/** The high half of a product of 128 bits, shifted to the right; the sign is the dividend's. @source WDK headers: RtlExtendedMagicDivide */
FORCEINLINE LARGE_INTEGER RtlExtendedMagicDivide(LARGE_INTEGER Dividend, LARGE_INTEGER MagicDivisor, CCHAR ShiftCount)
{
    ULONGLONG size = Dividend.QuadPart < 0 ? 0 - (ULONGLONG)Dividend.QuadPart : (ULONGLONG)Dividend.QuadPart;
    ULONGLONG high = (ULONGLONG)(((unsigned __int128)size * (ULONGLONG)MagicDivisor.QuadPart) >> 64) >> ShiftCount;
    return ntmm_large(Dividend.QuadPart < 0 ? (LONGLONG)(0 - high) : (LONGLONG)high);
}

/* ---- locally unique identifiers ---- */
typedef struct _LUID {
    ULONG LowPart;
    LONG  HighPart;
} LUID, *PLUID;
#define RtlEqualLuid(Luid1, Luid2) (((Luid1)->LowPart == (Luid2)->LowPart) && ((Luid1)->HighPart == (Luid2)->HighPart))
#define RtlIsZeroLuid(L1) ((BOOLEAN)(((L1)->LowPart | (ULONG)(L1)->HighPart) == 0))
FORCEINLINE LUID RtlConvertLongToLuid(LONG Long)
{
    LUID luid = { (ULONG)Long, Long < 0 ? -1 : 0 };
    return luid;
}
FORCEINLINE LUID RtlConvertUlongToLuid(ULONG Ulong)
{
    LUID luid = { Ulong, 0 };
    return luid;
}

#ifdef __cplusplus
}
#endif
#endif
