/*
 * bitmap.c - the driver's bitmaps. Everything that searches goes from change to change: next_bit() finds the first bit of a value, a word at
 * a time, so that a run is two calls of it.
 *
 * Source      WDK reference: wdm.h, the page of each routine.
 * Elsewhere   the library's own index of free runs, which is another thing: runs.h.
 */
#include <stdbool.h>

#include <ntddk.h>

#define WORD_BITS 32u

/* The first bit at or behind `from` that has that value; SizeOfBitMap: there is none. */
static ULONG next_bit(PCRTL_BITMAP map, ULONG from, bool value)
{
    for (uint64_t at = from; at < map->SizeOfBitMap; at = (at / WORD_BITS + 1) * WORD_BITS) {
        ULONG word = map->Buffer[at / WORD_BITS];
        ULONG wanted = (value ? word : ~word) >> (at % WORD_BITS);
        if (wanted != 0) {
            at += (uint64_t)__builtin_ctz(wanted);
            return at < map->SizeOfBitMap ? (ULONG)at : map->SizeOfBitMap;
        }
    }
    return map->SizeOfBitMap;
}

/* The bits of one word that a range has: from `at`, at most `count`. */
static ULONG mask_of(ULONG at, ULONG count)
{
    ULONG first = at % WORD_BITS;
    return (count >= WORD_BITS - first ? ~0u : (1u << count) - 1) << first;
}

static void change(PRTL_BITMAP map, ULONG at, ULONG count, bool value)
{
    while (count > 0) {
        ULONG mask = mask_of(at, count), step = WORD_BITS - at % WORD_BITS;
        if (value)
            map->Buffer[at / WORD_BITS] |= mask;
        else
            map->Buffer[at / WORD_BITS] &= ~mask;
        step = step < count ? step : count;
        at += step;
        count -= step;
    }
}

static ULONG count_set(PCRTL_BITMAP map, ULONG at, ULONG count)
{
    ULONG set = 0;
    while (count > 0) {
        ULONG step = WORD_BITS - at % WORD_BITS;
        set += (ULONG)__builtin_popcount(map->Buffer[at / WORD_BITS] & mask_of(at, count));
        step = step < count ? step : count;
        at += step;
        count -= step;
    }
    return set;
}

VOID RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap)
{
    BitMapHeader->SizeOfBitMap = SizeOfBitMap;
    BitMapHeader->Buffer = BitMapBuffer;
}

/* ---- writing ---- */

VOID RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber) { change(BitMapHeader, BitNumber, 1, true); }

VOID RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber) { change(BitMapHeader, BitNumber, 1, false); }

static void fill(PRTL_BITMAP map, int byte)
{
    memset(map->Buffer, byte, ((SIZE_T)map->SizeOfBitMap + WORD_BITS - 1) / WORD_BITS * sizeof(ULONG));
}

VOID RtlSetAllBits(PRTL_BITMAP BitMapHeader) { fill(BitMapHeader, 0xFF); }

VOID RtlClearAllBits(PRTL_BITMAP BitMapHeader) { fill(BitMapHeader, 0); }

VOID RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet)
{
    change(BitMapHeader, StartingIndex, NumberToSet, true);
}

VOID RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear)
{
    change(BitMapHeader, StartingIndex, NumberToClear, false);
}

static void copy(PCRTL_BITMAP from, ULONG at, PRTL_BITMAP to, ULONG to_at, ULONG count)
{
    for (ULONG i = 0; i < count; i++)
        change(to, to_at + i, 1, RtlTestBit(from, at + i));
}

VOID RtlCopyBitMap(PCRTL_BITMAP Source, PRTL_BITMAP Destination, ULONG TargetBit)
{
    ULONG room = TargetBit < Destination->SizeOfBitMap ? Destination->SizeOfBitMap - TargetBit : 0;
    copy(Source, 0, Destination, TargetBit, Source->SizeOfBitMap < room ? Source->SizeOfBitMap : room);
}

VOID RtlExtractBitMap(PCRTL_BITMAP Source, PRTL_BITMAP Destination, ULONG TargetBit, ULONG NumberOfBits)
{
    ULONG there = TargetBit < Source->SizeOfBitMap ? Source->SizeOfBitMap - TargetBit : 0;
    ULONG count = NumberOfBits < there ? NumberOfBits : there;
    copy(Source, TargetBit, Destination, 0, count < Destination->SizeOfBitMap ? count : Destination->SizeOfBitMap);
}

/* ---- asking ---- */

BOOLEAN RtlTestBit(PCRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    return (BOOLEAN)(BitMapHeader->Buffer[BitNumber / WORD_BITS] >> (BitNumber % WORD_BITS) & 1);
}

static BOOLEAN all_are(PCRTL_BITMAP map, ULONG at, ULONG count, bool value)
{
    if (count == 0 || at >= map->SizeOfBitMap || count > map->SizeOfBitMap - at)
        return FALSE;
    return next_bit(map, at, !value) >= at + count;
}

BOOLEAN RtlAreBitsClear(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return all_are(BitMapHeader, StartingIndex, Length, false);
}

BOOLEAN RtlAreBitsSet(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return all_are(BitMapHeader, StartingIndex, Length, true);
}

ULONG RtlNumberOfSetBits(PCRTL_BITMAP BitMapHeader) { return count_set(BitMapHeader, 0, BitMapHeader->SizeOfBitMap); }

ULONG RtlNumberOfClearBits(PCRTL_BITMAP BitMapHeader) { return BitMapHeader->SizeOfBitMap - RtlNumberOfSetBits(BitMapHeader); }

ULONG RtlNumberOfSetBitsInRange(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return count_set(BitMapHeader, StartingIndex, Length);
}

ULONG RtlNumberOfClearBitsInRange(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return Length - count_set(BitMapHeader, StartingIndex, Length);
}

ULONG RtlNumberOfSetBitsUlongPtr(ULONG_PTR Target) { return (ULONG)__builtin_popcountll(Target); }

CCHAR RtlFindLeastSignificantBit(ULONGLONG Set) { return Set != 0 ? (CCHAR)__builtin_ctzll(Set) : -1; }

CCHAR RtlFindMostSignificantBit(ULONGLONG Set) { return Set != 0 ? (CCHAR)(63 - __builtin_clzll(Set)) : -1; }

/* ---- runs ---- */

#define NOWHERE 0xFFFFFFFFu

/* The first run of `count` bits that begins at or behind `from` and before `end`. */
static ULONG find(PCRTL_BITMAP map, ULONG count, ULONG from, ULONG end, bool value)
{
    for (ULONG start = next_bit(map, from, value); start < end; start = next_bit(map, start, value)) {
        ULONG stop = next_bit(map, start, !value);
        if (stop - start >= count)
            return start;
        start = stop;
    }
    return NOWHERE;
}

static ULONG find_from_hint(PCRTL_BITMAP map, ULONG count, ULONG hint, bool value)
{
    ULONG found;

    if (hint >= map->SizeOfBitMap)
        hint = 0;
    if (count == 0)
        return hint;
    found = find(map, count, hint, map->SizeOfBitMap, value);
    return found == NOWHERE && hint != 0 ? find(map, count, 0, hint, value) : found;
}

ULONG RtlFindClearBits(PCRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return find_from_hint(BitMapHeader, NumberToFind, HintIndex, false);
}

ULONG RtlFindSetBits(PCRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return find_from_hint(BitMapHeader, NumberToFind, HintIndex, true);
}

ULONG RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG found = find_from_hint(BitMapHeader, NumberToFind, HintIndex, false);
    if (found != NOWHERE)
        change(BitMapHeader, found, NumberToFind, true);
    return found;
}

ULONG RtlFindSetBitsAndClear(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG found = find_from_hint(BitMapHeader, NumberToFind, HintIndex, true);
    if (found != NOWHERE)
        change(BitMapHeader, found, NumberToFind, false);
    return found;
}

ULONG RtlFindNextForwardRunClear(PCRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    ULONG start = next_bit(BitMapHeader, FromIndex, false);
    *StartingRunIndex = start;
    return next_bit(BitMapHeader, start, true) - start;
}

ULONG RtlFindFirstRunClear(PCRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    return RtlFindNextForwardRunClear(BitMapHeader, 0, StartingIndex);
}

ULONG RtlFindLongestRunClear(PCRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    RTL_BITMAP_RUN longest = { 0, 0 };
    RtlFindClearRuns(BitMapHeader, &longest, 1, TRUE);
    *StartingIndex = longest.StartingIndex;
    return longest.NumberOfBits;
}

ULONG RtlFindLastBackwardRunClear(PCRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    ULONG end, start;

    if (FromIndex >= BitMapHeader->SizeOfBitMap)
        FromIndex = BitMapHeader->SizeOfBitMap - 1;
    for (end = BitMapHeader->SizeOfBitMap != 0 ? FromIndex + 1 : 0; end > 0 && RtlTestBit(BitMapHeader, end - 1); end--)
        ;
    for (start = end; start > 0 && !RtlTestBit(BitMapHeader, start - 1); start--)
        ;
    *StartingRunIndex = start;
    return end - start;
}

/* Keeps the array sorted by length; of equal ones the first stays first, and the last one falls out. */
static ULONG insert_run(PRTL_BITMAP_RUN runs, ULONG used, ULONG size, RTL_BITMAP_RUN run)
{
    ULONG at = used < size ? used : size - 1;

    if (used == size && runs[at].NumberOfBits >= run.NumberOfBits)
        return used;
    for (; at > 0 && runs[at - 1].NumberOfBits < run.NumberOfBits; at--)
        runs[at] = runs[at - 1];
    runs[at] = run;
    return used < size ? used + 1 : size;
}

ULONG RtlFindClearRuns(PCRTL_BITMAP BitMapHeader, PRTL_BITMAP_RUN RunArray, ULONG SizeOfRunArray, BOOLEAN LocateLongestRuns)
{
    ULONG          used = 0, from = 0;
    RTL_BITMAP_RUN run;

    if (SizeOfRunArray == 0)
        return 0;
    while ((run.NumberOfBits = RtlFindNextForwardRunClear(BitMapHeader, from, &run.StartingIndex)) != 0) {
        from = run.StartingIndex + run.NumberOfBits;
        if (LocateLongestRuns) {
            used = insert_run(RunArray, used, SizeOfRunArray, run);
            continue;
        }
        RunArray[used++] = run;
        if (used == SizeOfRunArray)
            break;
    }
    return used;
}
