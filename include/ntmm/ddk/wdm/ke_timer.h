/*
 * ke_timer.h - timers: a moment that threads wait for (ke_wait.h), and at which a DPC may be called.
 *
 *                            when it expires                                   a wait is satisfied
 *     NotificationTimer      all waiters go on, the timer stays signaled       stays signaled, until it is set again
 *     SynchronizationTimer   the waiter that came first goes on                not signaled any more
 *
 * A due time counts 100 ns: below 0 from now on, else a moment since 1601. One that has passed already lets the timer expire at once.
 *
 * The storage is the driver's, in nonpaged memory, and must stay as long as the timer is set. The clock is the host's, or, in a test that wants it
 * so, stands still until it is moved (ntmm_time_advance).
 *
 * Source  WDK reference: wdm.h, "Timer objects and DPCs"; KTIMER, x64.
 */
#ifndef NTMM_DDK_WDM_KE_TIMER_H
#define NTMM_DDK_WDM_KE_TIMER_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _TIMER_TYPE { NotificationTimer, SynchronizationTimer } TIMER_TYPE;

typedef struct _KTIMER {
    DISPATCHER_HEADER Header;
    ULARGE_INTEGER    DueTime; /* an interrupt time */
    LIST_ENTRY        TimerListEntry;
    struct _KDPC     *Dpc;
    USHORT            Processor;
    USHORT            TimerType;
    ULONG             Period; /* ms */
} KTIMER, *PKTIMER, *PRKTIMER;

NTMM_LAYOUT(sizeof(KTIMER) == 64 && FIELD_OFFSET(KTIMER, DueTime) == 0x18 && FIELD_OFFSET(KTIMER, TimerListEntry) == 0x20, "KTIMER, x64");
NTMM_LAYOUT(FIELD_OFFSET(KTIMER, Dpc) == 0x30 && FIELD_OFFSET(KTIMER, Period) == 0x3c, "KTIMER, x64");

/**
 * Make a notification timer ready for use: not signaled, not set.
 *
 * @param Timer  storage of sizeof(KTIMER) in nonpaged memory
 * @irql         <= DISPATCH_LEVEL
 * @bugcheck     IRQL_NOT_LESS_OR_EQUAL (0xA) above; TIMER_OR_DPC_INVALID (0xC7/0): it is set at this moment (choice), p2 the timer
 * @source       WDK reference: wdm.h, KeInitializeTimer
 */
NTKERNELAPI VOID KeInitializeTimer(PKTIMER Timer);

/** The same for a timer of either type. @irql, @bugcheck as KeInitializeTimer @source WDK reference: wdm.h, KeInitializeTimerEx */
NTKERNELAPI VOID KeInitializeTimerEx(PKTIMER Timer, TIMER_TYPE Type);

/**
 * Set a timer: it is not signaled, and expires when its time has come. One that is set already is cancelled first.
 *
 * @param DueTime  see above
 * @param Dpc      an initialised DPC, queued when the timer expires, for its target processor or the one where the timer was set; or NULL
 * @return         TRUE: it was set
 * @irql           <= DISPATCH_LEVEL
 * @bugcheck       IRQL_NOT_LESS_OR_EQUAL (0xA) above. When it expires: TIMER_OR_DPC_INVALID (0xC7/0) if the timer lies in memory that was freed
 *                 or overwritten meanwhile (choice), p2 the timer
 * @models         one that is still set when the machine is shut down is a leak, tag `Time`; what was never initialised is refused
 *                 with a sentence (choice)
 * @source         WDK reference: wdm.h, KeSetTimer
 */
NTKERNELAPI BOOLEAN KeSetTimer(PKTIMER Timer, LARGE_INTEGER DueTime, PKDPC Dpc);

/**
 * The same, again and again.
 *
 * @param Period  milliseconds between one expiration and the next; 0, or below: only once
 * @models        by the host's clock, periods that have passed unnoticed come as one expiration
 * @irql, @bugcheck, @return  as KeSetTimer
 * @source        WDK reference: wdm.h, KeSetTimerEx
 */
NTKERNELAPI BOOLEAN KeSetTimerEx(PKTIMER Timer, LARGE_INTEGER DueTime, LONG Period, PKDPC Dpc);

/**
 * The same, and the system may be late, so that it need not wake up for this timer alone.
 *
 * @param TolerableDelay  milliseconds: accepted and ignored, the timer is on time
 * @irql, @bugcheck, @return  as KeSetTimer
 * @source                WDK reference: wdm.h, KeSetCoalescableTimer
 */
NTKERNELAPI BOOLEAN KeSetCoalescableTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG TolerableDelay, PKDPC Dpc);

/**
 * Take a timer back that has not expired. Its state stays as it is; a DPC that is queued already stays queued, and KeFlushQueuedDpcs waits for that.
 *
 * @return    TRUE: it was set, as a periodic timer is always
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA) above
 * @source    WDK reference: wdm.h, KeCancelTimer
 */
NTKERNELAPI BOOLEAN KeCancelTimer(PKTIMER Timer);

/** Is it signaled? @irql <= DISPATCH_LEVEL @bugcheck as KeCancelTimer @source WDK reference: wdm.h, KeReadStateTimer */
NTKERNELAPI BOOLEAN KeReadStateTimer(PKTIMER Timer);

#ifdef __cplusplus
}
#endif
#endif
