/*
 * wdftimer.h - timers: a callback after some time, once or again and again, at DISPATCH_LEVEL, or at PASSIVE_LEVEL for a timer of that execution
 * level.
 *
 * Source  WDK reference: wdftimer.h, "Using Timers"; x64 layout.
 */
#ifndef NTMM_DDK_WDFTIMER_H
#define NTMM_DDK_WDFTIMER_H

#include "wdfcore.h"
#include "wdfobject.h"

WDF_EXTERN_C_START

#define TolerableDelayUnlimited ((ULONG)-1)

typedef VOID           EVT_WDF_TIMER(WDFTIMER Timer);
typedef EVT_WDF_TIMER *PFN_WDF_TIMER;

typedef struct _WDF_TIMER_CONFIG {
    ULONG         Size;
    PFN_WDF_TIMER EvtTimerFunc;
    ULONG         Period;                 /* ms; 0: once */
    BOOLEAN       AutomaticSerialization; /* under the synchronization lock of the parent */
    ULONG         TolerableDelay;         /* ms, by which it may be late to save power */
    DECLSPEC_ALIGN(8) BOOLEAN UseHighResolutionTimer;
} WDF_TIMER_CONFIG, *PWDF_TIMER_CONFIG;
NTMM_LAYOUT(sizeof(WDF_TIMER_CONFIG) == 40 && FIELD_OFFSET(WDF_TIMER_CONFIG, UseHighResolutionTimer) == 32, "WDF_TIMER_CONFIG, x64");

FORCEINLINE VOID WDF_TIMER_CONFIG_INIT(PWDF_TIMER_CONFIG Config, PFN_WDF_TIMER EvtTimerFunc)
{
    RtlZeroMemory(Config, sizeof *Config);
    Config->Size = WDF_STRUCTURE_SIZE(WDF_TIMER_CONFIG);
    Config->EvtTimerFunc = EvtTimerFunc;
    Config->AutomaticSerialization = TRUE;
}
/** @param Period ms */
FORCEINLINE VOID WDF_TIMER_CONFIG_INIT_PERIODIC(PWDF_TIMER_CONFIG Config, PFN_WDF_TIMER EvtTimerFunc, LONG Period)
{
    WDF_TIMER_CONFIG_INIT(Config, EvtTimerFunc);
    Config->Period = (ULONG)Period;
}

/**
 * A timer, which lives as long as its parent, and is not started.
 *
 * @param Attributes  ParentObject: required; a device, or an object whose chain of parents leads to one. ExecutionLevel WdfExecutionLevelPassive:
 *                    the callback runs at PASSIVE_LEVEL
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER; STATUS_WDF_PARENT_NOT_SPECIFIED; STATUS_INVALID_DEVICE_REQUEST: no device above
 *         it; STATUS_NOT_SUPPORTED: periodic at PASSIVE_LEVEL; STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL: it is to be serialized with callbacks that run
 *         at another level than its own; STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @source    WDK reference: wdftimer.h, WdfTimerCreate
 */
WDFAPI NTSTATUS WdfTimerCreate(PWDF_TIMER_CONFIG Config, PWDF_OBJECT_ATTRIBUTES Attributes, WDFTIMER *Timer);
/**
 * Start it, or start it anew.
 *
 * @param DueTime  100 ns; negative: from now on; else the system time
 * @return TRUE: it was running
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdftimer.h, WdfTimerStart
 */
WDFAPI BOOLEAN WdfTimerStart(WDFTIMER Timer, LONGLONG DueTime);
/** Stop it. @param Wait TRUE: and wait until its callback does not run @return TRUE: it was running
 *  @irql <= DISPATCH_LEVEL; PASSIVE_LEVEL with Wait @source WDK reference: wdftimer.h, WdfTimerStop */
WDFAPI BOOLEAN WdfTimerStop(WDFTIMER Timer, BOOLEAN Wait);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdftimer.h, WdfTimerGetParentObject */
WDFAPI WDFOBJECT WdfTimerGetParentObject(WDFTIMER Timer);

WDF_EXTERN_C_END
#endif
