/*
 * rtl_time.h - dates from system time, which counts 100 ns since 1 January 1601, and the other way; numbers that look random.
 * @irql any, if what is pointed to is resident; < DISPATCH_LEVEL as the reference says for seconds and random numbers is not checked.
 * Source  WDK reference: wdm.h, ntifs.h, the page of each routine.
 */
#ifndef NTMM_DDK_WDM_RTL_TIME_H
#define NTMM_DDK_WDM_RTL_TIME_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _TIME_FIELDS {
    CSHORT Year;  /* 1601 to 30827 */
    CSHORT Month; /* from 1 */
    CSHORT Day;   /* from 1 */
    CSHORT Hour, Minute, Second, Milliseconds;
    CSHORT Weekday; /* 0 is Sunday */
} TIME_FIELDS, *PTIME_FIELDS;
NTMM_LAYOUT(sizeof(TIME_FIELDS) == 16, "x64 layout");

/** @source WDK reference: wdm.h, RtlTimeToTimeFields */
NTSYSAPI VOID RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields);
/** @return FALSE: there is no such date. Weekday does not matter @source WDK reference: wdm.h, RtlTimeFieldsToTime */
NTSYSAPI BOOLEAN RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time);

/** Seconds since 1 January of that year. @return FALSE: before it, or more than 32 bits have
 *  @source WDK reference: ntifs.h, RtlTimeToSecondsSince1970, RtlTimeToSecondsSince1980 */
NTSYSAPI BOOLEAN RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds);
NTSYSAPI BOOLEAN RtlTimeToSecondsSince1980(PLARGE_INTEGER Time, PULONG ElapsedSeconds);
NTSYSAPI VOID    RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time);
NTSYSAPI VOID    RtlSecondsSince1980ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time);

/** The next number of a row that the seed alone decides. @param Seed  is changed @return 0 to MAXLONG-1
 *  @models which numbers: a choice @source WDK reference: ntifs.h, RtlRandom, RtlRandomEx */
NTSYSAPI ULONG RtlRandom(PULONG Seed);
NTSYSAPI ULONG RtlRandomEx(PULONG Seed);

#ifdef __cplusplus
}
#endif
#endif
