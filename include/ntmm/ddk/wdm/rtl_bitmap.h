/*
 * rtl_bitmap.h - bitmaps: which of a number of things are taken.
 * A bitmap is a header that the driver has, and a buffer of ULONGs that it has, too. Bit 0 is the lowest of Buffer[0]. A run is a row of equal
 * bits; what is said of runs of clear bits ends at SizeOfBitMap, whatever the rest of the last ULONG holds.
 *
 * @irql any, if header and buffer are resident; they synchronise nothing, and work without a machine. A range that goes beyond the bitmap is
 * not noticed by the routines that write, as on Windows: a memory tool sees it.
 *
 * Source  WDK reference: wdm.h, the page of each routine.
 */
#ifndef NTMM_DDK_WDM_RTL_BITMAP_H
#define NTMM_DDK_WDM_RTL_BITMAP_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _RTL_BITMAP {
    ULONG  SizeOfBitMap; /* bits */
    PULONG Buffer;
} RTL_BITMAP, *PRTL_BITMAP;
typedef const RTL_BITMAP *PCRTL_BITMAP;
typedef struct _RTL_BITMAP_RUN {
    ULONG StartingIndex, NumberOfBits;
} RTL_BITMAP_RUN, *PRTL_BITMAP_RUN;
NTMM_LAYOUT(sizeof(RTL_BITMAP) == 16 && sizeof(RTL_BITMAP_RUN) == 8, "x64 layout");

/** @param BitMapBuffer  of whole ULONGs; not changed @source WDK reference: wdm.h, RtlInitializeBitMap */
NTSYSAPI VOID RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap);

/** One bit. @source WDK reference: wdm.h, RtlSetBit, RtlClearBit, RtlTestBit, RtlCheckBit */
NTSYSAPI VOID    RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber);
NTSYSAPI VOID    RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber);
NTSYSAPI BOOLEAN RtlTestBit(PCRTL_BITMAP BitMapHeader, ULONG BitNumber);
#define RtlCheckBit(BMH, BP) (((((PULONG)(BMH)->Buffer)[(BP) / 32]) >> ((BP) % 32)) & 0x1)

/** All of them, with what is left of the last ULONG; a range. @source WDK reference: wdm.h, RtlSetAllBits, RtlSetBits and their like */
NTSYSAPI VOID RtlSetAllBits(PRTL_BITMAP BitMapHeader);
NTSYSAPI VOID RtlClearAllBits(PRTL_BITMAP BitMapHeader);
NTSYSAPI VOID RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet);
NTSYSAPI VOID RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear);

/** Are all bits of a range so? @return FALSE for an empty range, too, and for one that is not in the bitmap
 *  @source WDK reference: wdm.h, RtlAreBitsClear, RtlAreBitsSet */
NTSYSAPI BOOLEAN RtlAreBitsClear(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
NTSYSAPI BOOLEAN RtlAreBitsSet(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
/** How many are so. @source WDK reference: wdm.h, RtlNumberOfClearBits, RtlNumberOfSetBits; ntifs.h, ...InRange (declarations) */
NTSYSAPI ULONG RtlNumberOfClearBits(PCRTL_BITMAP BitMapHeader);
NTSYSAPI ULONG RtlNumberOfSetBits(PCRTL_BITMAP BitMapHeader);
NTSYSAPI ULONG RtlNumberOfClearBitsInRange(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
NTSYSAPI ULONG RtlNumberOfSetBitsInRange(PCRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length);
NTSYSAPI ULONG RtlNumberOfSetBitsUlongPtr(ULONG_PTR Target);

/**
 * The first place from HintIndex on where so many bits in a row are clear; if there is none, the first from the start.
 *
 * @param HintIndex  one beyond the bitmap counts as 0
 * @return           where they begin; 0xFFFFFFFF: nowhere. NumberToFind 0: HintIndex (choice)
 * @source           WDK reference: wdm.h, RtlFindClearBits, RtlFindSetBits
 */
NTSYSAPI ULONG RtlFindClearBits(PCRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
NTSYSAPI ULONG RtlFindSetBits(PCRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
/** The same, and they are the other way then. @source WDK reference: wdm.h, RtlFindClearBitsAndSet, RtlFindSetBitsAndClear */
NTSYSAPI ULONG RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);
NTSYSAPI ULONG RtlFindSetBitsAndClear(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex);

/** Runs of clear bits: the first; the longest, and of equal ones the first. @return its length, 0: there is none
 *  @source WDK reference: wdm.h, RtlFindFirstRunClear, RtlFindLongestRunClear */
NTSYSAPI ULONG RtlFindFirstRunClear(PCRTL_BITMAP BitMapHeader, PULONG StartingIndex);
NTSYSAPI ULONG RtlFindLongestRunClear(PCRTL_BITMAP BitMapHeader, PULONG StartingIndex);
/** From FromIndex on: the first clear bit, and how many follow it, itself included; 0: there is none.
 *  @source WDK reference: wdm.h, RtlFindNextForwardRunClear */
NTSYSAPI ULONG RtlFindNextForwardRunClear(PCRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex);
/** Back from FromIndex, which counts, to the start: the last run, as far as FromIndex (choice). @return its length; 0: there is none
 *  @source WDK reference: wdm.h, RtlFindLastBackwardRunClear */
NTSYSAPI ULONG RtlFindLastBackwardRunClear(PCRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex);
/** Several of them. @param LocateLongestRuns  TRUE: the longest ones, longest first; FALSE: the first ones @return how many
 *  @source WDK reference: wdm.h, RtlFindClearRuns */
NTSYSAPI ULONG RtlFindClearRuns(PCRTL_BITMAP BitMapHeader, PRTL_BITMAP_RUN RunArray, ULONG SizeOfRunArray, BOOLEAN LocateLongestRuns);

/** Source to Destination, from bit TargetBit of that on, as far as that goes. @source WDK headers: ntddk.h, RtlCopyBitMap (no page) */
NTSYSAPI VOID RtlCopyBitMap(PCRTL_BITMAP Source, PRTL_BITMAP Destination, ULONG TargetBit);
/** NumberOfBits of Source, from TargetBit on, to the start of Destination. @source WDK headers: ntddk.h, RtlExtractBitMap (no page) */
NTSYSAPI VOID RtlExtractBitMap(PCRTL_BITMAP Source, PRTL_BITMAP Destination, ULONG TargetBit, ULONG NumberOfBits);

/** The number of the lowest, or highest, bit that is set; -1: none. @irql any
 *  @source WDK reference: wdm.h, RtlFindLeastSignificantBit, RtlFindMostSignificantBit */
NTSYSAPI CCHAR RtlFindLeastSignificantBit(ULONGLONG Set);
NTSYSAPI CCHAR RtlFindMostSignificantBit(ULONGLONG Set);

#define RtlInterlockedSetBits(Flags, Flag) InterlockedOr((PLONG)(Flags), (LONG)(Flag))
#define RtlInterlockedSetBitsDiscardReturn(Flags, Flag) ((void)InterlockedOr((PLONG)(Flags), (LONG)(Flag)))
#define RtlInterlockedAndBits(Flags, Flag) InterlockedAnd((PLONG)(Flags), (LONG)(Flag))
#define RtlInterlockedClearBits(Flags, Flag) RtlInterlockedAndBits((Flags), ~(Flag))
#define RtlInterlockedXorBits(Flags, Flag) InterlockedXor((PLONG)(Flags), (LONG)(Flag))

#ifdef __cplusplus
}
#endif
#endif
