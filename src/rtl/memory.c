/*
 * memory.c - comparing and filling memory, where the C library has no word for it.
 * Source  WDK reference: RtlCompareMemory, RtlCompareMemoryUlong, RtlFillMemoryUlong, RtlFillMemoryUlonglong, RtlIsZeroMemory.
 */
#include <ntddk.h>

SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    const UCHAR *one = (const UCHAR *)Source1, *other = (const UCHAR *)Source2;
    SIZE_T       same = 0;
    while (same < Length && one[same] == other[same])
        same++;
    return same;
}

SIZE_T RtlCompareMemoryUlong(PVOID Source, SIZE_T Length, ULONG Pattern)
{
    const ULONG *words = (const ULONG *)Source;
    SIZE_T       count = Length / sizeof(ULONG), same = 0;
    if ((ULONG_PTR)Source % sizeof(ULONG) != 0)
        return 0;
    while (same < count && words[same] == Pattern)
        same++;
    return same * sizeof(ULONG);
}

VOID RtlFillMemoryUlong(PVOID Destination, SIZE_T Length, ULONG Pattern)
{
    ULONG *words = (ULONG *)Destination;
    for (SIZE_T i = 0; i < Length / sizeof(ULONG); i++)
        words[i] = Pattern;
}

VOID RtlFillMemoryUlonglong(PVOID Destination, SIZE_T Length, ULONGLONG Pattern)
{
    ULONGLONG *words = (ULONGLONG *)Destination;
    for (SIZE_T i = 0; i < Length / sizeof(ULONGLONG); i++)
        words[i] = Pattern;
}

BOOLEAN RtlIsZeroMemory(PVOID Buffer, SIZE_T Length)
{
    const UCHAR *bytes = (const UCHAR *)Buffer;
    for (SIZE_T i = 0; i < Length; i++)
        if (bytes[i] != 0)
            return FALSE;
    return TRUE;
}

LOGICAL RtlConstantTimeEqualMemory(const void *v1, const void *v2, unsigned long long len)
{
    const volatile UCHAR *one = (const volatile UCHAR *)v1, *other = (const volatile UCHAR *)v2;
    UCHAR                 difference = 0;
    for (unsigned long long i = 0; i < len; i++)
        difference = (UCHAR)(difference | (one[i] ^ other[i]));
    return difference == 0;
}
