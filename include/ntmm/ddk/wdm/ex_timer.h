/*
 * ex_timer.h - timers that the system allocates: with a callback in place of a DPC, and periods finer than a millisecond.
 *
 *     ExAllocateTimer --> ExSetTimer, ExCancelTimer ... --> ExDeleteTimer --> once nothing can come any more: delete callback, storage gone
 *
 * One can be waited for like any timer (ke_wait.h).
 *
 * Source  WDK reference: wdm.h, "ExXxxTimer routines and EX_TIMER objects", "Deleting a system-allocated timer object".
 */
#ifndef NTMM_DDK_WDM_EX_TIMER_H
#define NTMM_DDK_WDM_EX_TIMER_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct _EX_TIMER *PEX_TIMER; /* opaque */

typedef VOID                 EXT_CALLBACK(PEX_TIMER Timer, PVOID Context);
typedef EXT_CALLBACK        *PEXT_CALLBACK;
typedef VOID                 EXT_DELETE_CALLBACK(PVOID Context);
typedef EXT_DELETE_CALLBACK *PEXT_DELETE_CALLBACK;

#define EX_TIMER_HIGH_RESOLUTION 4u
#define EX_TIMER_NO_WAKE 8u
#define EX_TIMER_NOTIFICATION 0x80000000u /* else a synchronization timer */
#define EX_TIMER_UNLIMITED_TOLERANCE ((LONGLONG)-1)

typedef struct _EXT_SET_PARAMETERS_V0 {
    ULONG    Version;
    ULONG    Reserved;
    LONGLONG NoWakeTolerance;
} EXT_SET_PARAMETERS, *PEXT_SET_PARAMETERS, KT_SET_PARAMETERS, *PKT_SET_PARAMETERS;

typedef struct _EXT_DELETE_PARAMETERS {
    ULONG                Version;
    ULONG                Reserved;
    PEXT_DELETE_CALLBACK DeleteCallback;
    PVOID                DeleteContext;
} EXT_DELETE_PARAMETERS, *PEXT_DELETE_PARAMETERS;

typedef PVOID PEXT_CANCEL_PARAMETERS;

#define EXT_SET_PARAMETERS_VERSION 0u
#define EXT_DELETE_PARAMETERS_VERSION 0u

NTMM_LAYOUT(sizeof(EXT_SET_PARAMETERS) == 16 && sizeof(EXT_DELETE_PARAMETERS) == 24, "x64");

/** No tolerance. @irql any @source WDK reference: wdm.h, ExInitializeSetTimerParameters */
FORCEINLINE VOID ExInitializeSetTimerParameters(PEXT_SET_PARAMETERS Parameters)
{
    Parameters->Version = EXT_SET_PARAMETERS_VERSION;
    Parameters->Reserved = 0;
    Parameters->NoWakeTolerance = 0;
}
/** No callback. @irql any @source WDK reference: wdm.h, ExInitializeDeleteTimerParameters */
FORCEINLINE VOID ExInitializeDeleteTimerParameters(PEXT_DELETE_PARAMETERS Parameters)
{
    Parameters->Version = EXT_DELETE_PARAMETERS_VERSION;
    Parameters->Reserved = 0;
    Parameters->DeleteCallback = NULL;
    Parameters->DeleteContext = NULL;
}

/**
 * A timer, not set.
 *
 * @param Callback    called at DISPATCH_LEVEL each time it expires; or NULL
 * @param Attributes  EX_TIMER_HIGH_RESOLUTION or EX_TIMER_NO_WAKE, not both; and EX_TIMER_NOTIFICATION. Every timer is on time here
 * @return            NULL: no memory, or the attributes make no sense (choice)
 * @irql              <= DISPATCH_LEVEL
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @models            nonpaged pool, tag `ExTm`
 * @source            WDK reference: wdm.h, ExAllocateTimer
 */
NTKERNELAPI PEX_TIMER ExAllocateTimer(PEXT_CALLBACK Callback, PVOID CallbackContext, ULONG Attributes);

/**
 * Set it; one that is set is cancelled first.
 *
 * @param DueTime     100 ns, below 0 from now on, else a moment since 1601, which a high-resolution timer does not take
 * @param Period      100 ns; 0: once
 * @param Parameters  NULL, or initialised; NoWakeTolerance: accepted and ignored
 * @return            TRUE: it was set
 * @irql              <= DISPATCH_LEVEL
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) above; KERNEL_SECURITY_CHECK_FAILURE (0x139/5): a moment for a high-resolution timer,
 *                    a period below 0 or above MAXLONG (the reference names no code: choice)
 * @source            WDK reference: wdm.h, ExSetTimer
 */
NTKERNELAPI BOOLEAN ExSetTimer(PEX_TIMER Timer, LONGLONG DueTime, LONGLONG Period, PEXT_SET_PARAMETERS Parameters);

/** Take it back. @param Parameters  NULL @return TRUE: it was set @irql <= DISPATCH_LEVEL @bugcheck IRQL_NOT_LESS_OR_EQUAL (0xA) above
 *  @source WDK reference: wdm.h, ExCancelTimer */
NTKERNELAPI BOOLEAN ExCancelTimer(PEX_TIMER Timer, PEXT_CANCEL_PARAMETERS Parameters);

/**
 * Delete it: at once, or when the expiration that is under way, or, without Cancel, is still to come, is over.
 *
 * @param Cancel      TRUE: it is cancelled if it is set
 * @param Wait        TRUE: return when the last callback has returned
 * @param Parameters  NULL, or initialised; DeleteCallback is called with DeleteContext at DISPATCH_LEVEL, when nothing comes after it
 * @return            TRUE: Cancel, and it was set
 * @irql              <= DISPATCH_LEVEL; with Wait <= APC_LEVEL
 * @bugcheck          IRQL_NOT_LESS_OR_EQUAL (0xA) above; KERNEL_SECURITY_CHECK_FAILURE (0x139/5): Wait without Cancel, or deleted before
 *                    (the reference names no code: choice)
 * @models            a periodic timer that is not cancelled expires once more
 * @source            WDK reference: wdm.h, ExDeleteTimer
 */
NTKERNELAPI BOOLEAN ExDeleteTimer(PEX_TIMER Timer, BOOLEAN Cancel, BOOLEAN Wait, PEXT_DELETE_PARAMETERS Parameters);

#ifdef __cplusplus
}
#endif
#endif
