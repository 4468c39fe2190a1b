/*
 * ke_time.h - what time it is.
 * Both clocks are the host's and move all the time; those of Windows move once a clock tick.
 *
 * Source  WDK reference: wdm.h, KeQuerySystemTime, KeQueryInterruptTime.
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

#ifdef __cplusplus
}
#endif
#endif
