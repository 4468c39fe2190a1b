/*
 * ke_time.h - what time it is.
 * The clock is the host's and moves all the time; that of Windows moves once a clock tick. Or it stands still until a test moves it
 * (ntmm_time_advance).
 *
 * Source  WDK reference: wdm.h, the page of each routine.
 */
#ifndef NTMM_DDK_WDM_KE_TIME_H
#define NTMM_DDK_WDM_KE_TIME_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The date.
 *
 * @param CurrentTime  receives 100 ns units since 1 January 1601, UTC; 0 when refused
 * @irql               any
 * @models             a routine, where the WDK has a macro on some processors
 * @source             WDK reference: wdm.h, KeQuerySystemTime
 */
NTKERNELAPI VOID KeQuerySystemTime(PLARGE_INTEGER CurrentTime);

/**
 * How long the machine has been up: never goes back, whatever happens to the date.
 *
 * @return  100 ns units since ntmm_boot; 0 when refused
 * @irql    any
 * @source  WDK reference: wdm.h, KeQueryInterruptTime
 */
NTKERNELAPI ULONGLONG KeQueryInterruptTime(VOID);

/** The date, as exactly as it can be had. @irql any @source WDK reference: wdm.h, KeQuerySystemTimePrecise */
NTKERNELAPI VOID KeQuerySystemTimePrecise(PLARGE_INTEGER CurrentTime);
/** KeQueryInterruptTime, as exactly as it can be had. @param QpcTimeStamp  receives KeQueryPerformanceCounter's count of the same moment
 *  @irql any @source WDK reference: wdm.h, KeQueryInterruptTimePrecise */
NTKERNELAPI ULONGLONG KeQueryInterruptTimePrecise(PULONG64 QpcTimeStamp);
/** Without the time that the machine slept, which it never does. @irql any @source WDK reference: wdm.h, KeQueryUnbiasedInterruptTime,
 *  KeQueryUnbiasedInterruptTimePrecise */
NTKERNELAPI ULONGLONG KeQueryUnbiasedInterruptTime(VOID);
NTKERNELAPI ULONGLONG KeQueryUnbiasedInterruptTimePrecise(PULONG64 QpcTimeStamp);

/**
 * A counter for measuring.
 *
 * @param PerformanceFrequency  receives counts a second, which never change; may be NULL
 * @return                      counts since ntmm_boot; 0 when refused
 * @irql                        any
 * @models                      10,000,000 a second, as current Windows has
 * @source                      WDK reference: wdm.h, KeQueryPerformanceCounter
 */
NTKERNELAPI LARGE_INTEGER KeQueryPerformanceCounter(PLARGE_INTEGER PerformanceFrequency);

/** Clock ticks since ntmm_boot, and how long one is, in 100 ns: 15.625 ms, as Windows has. @irql any
 *  @source WDK reference: wdm.h, KeQueryTickCount, KeQueryTimeIncrement */
NTKERNELAPI VOID  KeQueryTickCount(PLARGE_INTEGER CurrentCount);
NTKERNELAPI ULONG KeQueryTimeIncrement(VOID);

/** Keep the processor busy for so many microseconds: drivers are told 50 at most. @irql any
 *  @source WDK reference: wdm.h, KeStallExecutionProcessor */
NTHALAPI VOID KeStallExecutionProcessor(ULONG MicroSeconds);

#ifdef __cplusplus
}
#endif
#endif
