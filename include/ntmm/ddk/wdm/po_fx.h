/*
 * po_fx.h - the power management framework as a driver that registers the components of its device sees it: structures and callbacks.
 *
 * Source  WDK reference: wdm.h, PO_FX_DEVICE_V1, _V2, _V3, PO_FX_COMPONENT_V1, _V2 and the pages of the callbacks; "Overview of the power
 *         management framework".
 */
#ifndef NTMM_DDK_WDM_PO_FX_H
#define NTMM_DDK_WDM_PO_FX_H

#include "power_types.h"

#ifdef __cplusplus
extern "C" {
#endif

DECLARE_HANDLE(POHANDLE);

#define PO_FX_VERSION_V1 0x00000001
#define PO_FX_VERSION_V2 0x00000002
#define PO_FX_VERSION_V3 0x00000003
#ifndef PO_FX_VERSION /* a driver may ask for another */
#define PO_FX_VERSION PO_FX_VERSION_V1
#endif

#define PO_FX_UNKNOWN_POWER 0xFFFFFFFFu
#define PO_FX_UNKNOWN_TIME 0xFFFFFFFFFFFFFFFFull
#define PO_FX_FLAG_BLOCKING 0x1
#define PO_FX_FLAG_ASYNC_ONLY 0x2
#define PO_FX_FLAG_PERF_PEP_OPTIONAL 0x1
#define PO_FX_FLAG_PERF_QUERY_ON_F0 0x2
#define PO_FX_FLAG_PERF_QUERY_ON_ALL_IDLE_STATES 0x4
#define PO_FX_COMPONENT_FLAG_F0_ON_DX 0x1ull
#define PO_FX_COMPONENT_FLAG_NO_DEBOUNCE 0x2ull
#define PO_FX_DEVICE_FLAG_RESERVED_1 0x1ull
#define PO_FX_DEVICE_FLAG_DFX_DIRECT_CHILDREN_OPTIONAL 0x2ull
#define PO_FX_DEVICE_FLAG_DFX_POWER_CHILDREN_OPTIONAL 0x4ull
#define PO_FX_DEVICE_FLAG_DFX_CHILDREN_OPTIONAL \
    (PO_FX_DEVICE_FLAG_DFX_DIRECT_CHILDREN_OPTIONAL | PO_FX_DEVICE_FLAG_DFX_POWER_CHILDREN_OPTIONAL)
#define PO_FX_DIRECTED_FX_DEFAULT_IDLE_TIMEOUT 0u

typedef VOID                                       PO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK(PVOID Context, ULONG Component);
typedef PO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK *PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK;
typedef VOID                                       PO_FX_COMPONENT_IDLE_CONDITION_CALLBACK(PVOID Context, ULONG Component);
typedef PO_FX_COMPONENT_IDLE_CONDITION_CALLBACK   *PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK;
typedef VOID                                       PO_FX_COMPONENT_IDLE_STATE_CALLBACK(PVOID Context, ULONG Component, ULONG State);
typedef PO_FX_COMPONENT_IDLE_STATE_CALLBACK       *PPO_FX_COMPONENT_IDLE_STATE_CALLBACK;
typedef VOID                                       PO_FX_DEVICE_POWER_REQUIRED_CALLBACK(PVOID Context);
typedef PO_FX_DEVICE_POWER_REQUIRED_CALLBACK      *PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK;
typedef VOID                                       PO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK(PVOID Context);
typedef PO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK  *PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK;
typedef NTSTATUS PO_FX_POWER_CONTROL_CALLBACK(PVOID DeviceContext, LPCGUID PowerControlCode, PVOID InBuffer, SIZE_T InBufferSize,
                                              PVOID OutBuffer, SIZE_T OutBufferSize, PSIZE_T BytesReturned);
typedef PO_FX_POWER_CONTROL_CALLBACK *PPO_FX_POWER_CONTROL_CALLBACK;
typedef VOID                          PO_FX_COMPONENT_CRITICAL_TRANSITION_CALLBACK(PVOID Context, ULONG Component, BOOLEAN Active);
typedef PO_FX_COMPONENT_CRITICAL_TRANSITION_CALLBACK *PPO_FX_COMPONENT_CRITICAL_TRANSITION_CALLBACK;
typedef VOID                                          PO_FX_DIRECTED_POWER_UP_CALLBACK(PVOID Context, ULONG Flags);
typedef PO_FX_DIRECTED_POWER_UP_CALLBACK             *PPO_FX_DIRECTED_POWER_UP_CALLBACK;
typedef VOID                                          PO_FX_DIRECTED_POWER_DOWN_CALLBACK(PVOID Context, ULONG Flags);
typedef PO_FX_DIRECTED_POWER_DOWN_CALLBACK           *PPO_FX_DIRECTED_POWER_DOWN_CALLBACK;
typedef VOID                           PO_FX_DRIPS_WATCHDOG_CALLBACK(PVOID Context, PDEVICE_OBJECT PhysicalDeviceObject, ULONG UniqueId);
typedef PO_FX_DRIPS_WATCHDOG_CALLBACK *PPO_FX_DRIPS_WATCHDOG_CALLBACK;

/* ---- components: F-states ---- */
typedef struct _PO_FX_COMPONENT_IDLE_STATE {
    ULONGLONG TransitionLatency, ResidencyRequirement; /* 100 ns */
    ULONG     NominalPower;                            /* microwatts, or PO_FX_UNKNOWN_POWER */
} PO_FX_COMPONENT_IDLE_STATE, *PPO_FX_COMPONENT_IDLE_STATE;
typedef struct _PO_FX_COMPONENT_V1 {
    GUID                        Id;
    ULONG                       IdleStateCount, DeepestWakeableIdleState;
    PPO_FX_COMPONENT_IDLE_STATE IdleStates; /* [IdleStateCount], the first is F0 */
} PO_FX_COMPONENT_V1, *PPO_FX_COMPONENT_V1;
typedef struct _PO_FX_COMPONENT_V2 {
    GUID                        Id;
    ULONGLONG                   Flags;
    ULONG                       DeepestWakeableIdleState, IdleStateCount;
    PPO_FX_COMPONENT_IDLE_STATE IdleStates;
    ULONG                       ProviderCount;
    PULONG                      Providers;
} PO_FX_COMPONENT_V2, *PPO_FX_COMPONENT_V2;

/* ---- the device ---- */
typedef struct _PO_FX_DEVICE_V1 {
    ULONG                                      Version; /* PO_FX_VERSION_V1 */
    ULONG                                      ComponentCount;
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK ComponentActiveConditionCallback;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK   ComponentIdleConditionCallback;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK       ComponentIdleStateCallback;
    PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK      DevicePowerRequiredCallback;
    PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK  DevicePowerNotRequiredCallback;
    PPO_FX_POWER_CONTROL_CALLBACK              PowerControlCallback;
    PVOID                                      DeviceContext;
    PO_FX_COMPONENT_V1                         Components[ANYSIZE_ARRAY];
} PO_FX_DEVICE_V1, *PPO_FX_DEVICE_V1;
typedef struct _PO_FX_DEVICE_V2 {
    ULONG                                      Version; /* PO_FX_VERSION_V2 */
    ULONGLONG                                  Flags;
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK ComponentActiveConditionCallback;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK   ComponentIdleConditionCallback;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK       ComponentIdleStateCallback;
    PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK      DevicePowerRequiredCallback;
    PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK  DevicePowerNotRequiredCallback;
    PPO_FX_POWER_CONTROL_CALLBACK              PowerControlCallback;
    PVOID                                      DeviceContext;
    ULONG                                      ComponentCount;
    PO_FX_COMPONENT_V2                         Components[ANYSIZE_ARRAY];
} PO_FX_DEVICE_V2, *PPO_FX_DEVICE_V2;
typedef struct _PO_FX_DEVICE_V3 {
    ULONG                                      Version; /* PO_FX_VERSION_V3 */
    ULONGLONG                                  Flags;   /* PO_FX_DEVICE_FLAG_* */
    PPO_FX_COMPONENT_ACTIVE_CONDITION_CALLBACK ComponentActiveConditionCallback;
    PPO_FX_COMPONENT_IDLE_CONDITION_CALLBACK   ComponentIdleConditionCallback;
    PPO_FX_COMPONENT_IDLE_STATE_CALLBACK       ComponentIdleStateCallback;
    PPO_FX_DEVICE_POWER_REQUIRED_CALLBACK      DevicePowerRequiredCallback;
    PPO_FX_DEVICE_POWER_NOT_REQUIRED_CALLBACK  DevicePowerNotRequiredCallback;
    PPO_FX_POWER_CONTROL_CALLBACK              PowerControlCallback;
    PPO_FX_DIRECTED_POWER_UP_CALLBACK          DirectedPowerUpCallback;
    PPO_FX_DIRECTED_POWER_DOWN_CALLBACK        DirectedPowerDownCallback;
    ULONG                                      DirectedFxTimeoutInSeconds;
    PVOID                                      DeviceContext;
    ULONG                                      ComponentCount;
    PO_FX_COMPONENT_V2                         Components[ANYSIZE_ARRAY];
} PO_FX_DEVICE_V3, *PPO_FX_DEVICE_V3;

#if PO_FX_VERSION == PO_FX_VERSION_V1
typedef PO_FX_DEVICE_V1    PO_FX_DEVICE, *PPO_FX_DEVICE;
typedef PO_FX_COMPONENT_V1 PO_FX_COMPONENT, *PPO_FX_COMPONENT;
#elif PO_FX_VERSION == PO_FX_VERSION_V2
typedef PO_FX_DEVICE_V2    PO_FX_DEVICE, *PPO_FX_DEVICE;
typedef PO_FX_COMPONENT_V2 PO_FX_COMPONENT, *PPO_FX_COMPONENT;
#else
typedef PO_FX_DEVICE_V3    PO_FX_DEVICE, *PPO_FX_DEVICE;
typedef PO_FX_COMPONENT_V2 PO_FX_COMPONENT, *PPO_FX_COMPONENT;
#endif

/* ---- performance states of components ---- */
typedef enum _PO_FX_PERF_STATE_UNIT {
    PoFxPerfStateUnitOther,
    PoFxPerfStateUnitFrequency,
    PoFxPerfStateUnitBandwidth,
    PoFxPerfStateUnitMaximum
} PO_FX_PERF_STATE_UNIT,
    *PPO_FX_PERF_STATE_UNIT;
typedef enum _PO_FX_PERF_STATE_TYPE {
    PoFxPerfStateTypeDiscrete,
    PoFxPerfStateTypeRange,
    PoFxPerfStateTypeMaximum
} PO_FX_PERF_STATE_TYPE,
    *PPO_FX_PERF_STATE_TYPE;
typedef struct _PO_FX_PERF_STATE {
    ULONGLONG Value;
    PVOID     Context;
} PO_FX_PERF_STATE, *PPO_FX_PERF_STATE;
typedef struct _PO_FX_COMPONENT_PERF_SET {
    UNICODE_STRING        Name;
    ULONGLONG             Flags;
    PO_FX_PERF_STATE_UNIT Unit;
    PO_FX_PERF_STATE_TYPE Type;
    union {
        struct {
            ULONG             Count;
            PPO_FX_PERF_STATE States;
        } Discrete;
        struct {
            ULONGLONG Minimum, Maximum;
        } Range;
    };
} PO_FX_COMPONENT_PERF_SET, *PPO_FX_COMPONENT_PERF_SET;
typedef struct _PO_FX_COMPONENT_PERF_INFO {
    ULONG                    PerfStateSetsCount;
    PO_FX_COMPONENT_PERF_SET PerfStateSets[ANYSIZE_ARRAY];
} PO_FX_COMPONENT_PERF_INFO, *PPO_FX_COMPONENT_PERF_INFO;
typedef struct _PO_FX_PERF_STATE_CHANGE {
    ULONG Set;
    union {
        ULONG     StateIndex;
        ULONGLONG StateValue;
    };
} PO_FX_PERF_STATE_CHANGE, *PPO_FX_PERF_STATE_CHANGE;
typedef VOID PO_FX_COMPONENT_PERF_STATE_CALLBACK(PVOID Context, ULONG Component, BOOLEAN Succeeded, PVOID RequestContext);
typedef PO_FX_COMPONENT_PERF_STATE_CALLBACK *PPO_FX_COMPONENT_PERF_STATE_CALLBACK;

/* ---- registering ---- */

/**
 * Register a device: from now on its components are power-managed, once PoFxStartDevicePowerManagement is called. Until then all are active.
 *
 * @param Device  PO_FX_DEVICE_V1, _V2 or _V3, as its Version says; copied
 * @param Handle  receives what the other routines take
 * @return STATUS_INVALID_PARAMETER: Pdo is NULL, no such version, no component, no idle state, a first state that takes time or a deepest
 *         wakeable one that is not there (choice). STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @bugcheck  INTERNAL_POWER_ERROR (0xA0): p1 0x600 it is registered already, p2 Pdo
 * @models    one that is not unregistered is a leak, tag `PoFx`. Providers and directed power transitions are not looked at
 * @source    WDK reference: wdm.h, PoFxRegisterDevice; Bug Check 0xA0
 */
NTKERNELAPI NTSTATUS PoFxRegisterDevice(PDEVICE_OBJECT Pdo, PPO_FX_DEVICE Device, POHANDLE *Handle);
/** Returns when no callback runs any more, not even a timeout. @irql PASSIVE_LEVEL @models no callback is called for it
 *  @source WDK reference: wdm.h, PoFxUnregisterDevice */
NTKERNELAPI VOID PoFxUnregisterDevice(POHANDLE Handle);
/** Components that the driver has not activated become idle. @irql PASSIVE_LEVEL @source WDK reference: wdm.h */
NTKERNELAPI VOID PoFxStartDevicePowerManagement(POHANDLE Handle);

/* ---- components ---- */

/**
 * Take a reference on a component, or give one back. With the first it becomes active: the device is powered (DevicePowerRequiredCallback), the
 * component goes to F0 (ComponentIdleStateCallback), the driver is told (ComponentActiveConditionCallback). With the last it becomes idle
 * (ComponentIdleConditionCallback), and goes to the deepest F-state that the hints allow.
 *
 * @param Flags  0: callbacks run on this thread before the call returns, unless one runs already on another thread. PO_FX_FLAG_BLOCKING: returns
 *               when it is so. PO_FX_FLAG_ASYNC_ONLY: by a worker
 * @irql      <= DISPATCH_LEVEL; blocking < DISPATCH_LEVEL
 * @bugcheck  INTERNAL_POWER_ERROR (0xA0): p1 0x614 (p2 the device's record, p3 the index), p4 0 blocking at DISPATCH_LEVEL, 1 both flags, 2 no such
 *            component; p1 0x608 idled without having been activated, p2 the component's record
 * @source    WDK reference: wdm.h, PoFxActivateComponent, PoFxIdleComponent; Bug Check 0xA0
 */
NTKERNELAPI VOID PoFxActivateComponent(POHANDLE Handle, ULONG Component, ULONG Flags);
NTKERNELAPI VOID PoFxIdleComponent(POHANDLE Handle, ULONG Component, ULONG Flags);

/** The driver is done with what a callback asked for; from the callback itself, too.
 *  @irql <= DISPATCH_LEVEL @bugcheck INTERNAL_POWER_ERROR (0xA0): p1 0x613 nothing is outstanding (p2 the device's record, p3 the index), p4 0
 *  PoFxCompleteDevicePowerNotRequired, 2 PoFxCompleteIdleCondition, 3 PoFxCompleteIdleState (choice)
 *  @source WDK reference: wdm.h, the page of each; Bug Check 0xA0 */
NTKERNELAPI VOID PoFxCompleteIdleCondition(POHANDLE Handle, ULONG Component);
NTKERNELAPI VOID PoFxCompleteIdleState(POHANDLE Handle, ULONG Component);
NTKERNELAPI VOID PoFxCompleteDevicePowerNotRequired(POHANDLE Handle);
/** The device is in D0, as DevicePowerRequiredCallback asked for, or by itself. @irql <= DISPATCH_LEVEL @models never wrong (choice)
 *  @source WDK reference: wdm.h, PoFxReportDevicePoweredOn */
NTKERNELAPI VOID PoFxReportDevicePoweredOn(POHANDLE Handle);

/* ---- hints; a component that is idle may change its F-state at once ---- */

/** How long it may take to become active, in 100 ns. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoFxSetComponentLatency */
NTKERNELAPI VOID PoFxSetComponentLatency(POHANDLE Handle, ULONG Component, ULONGLONG Latency);
/** How long it will probably stay idle, in 100 ns. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoFxSetComponentResidency */
NTKERNELAPI VOID PoFxSetComponentResidency(POHANDLE Handle, ULONG Component, ULONGLONG Residency);
/** It is to be able to wake the device: no state below DeepestWakeableIdleState. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h */
NTKERNELAPI VOID PoFxSetComponentWake(POHANDLE Handle, ULONG Component, BOOLEAN WakeHint);
/** How long all components are to be idle before DevicePowerNotRequiredCallback is called, in 100 ns of the machine's clock; 0 at first.
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoFxSetDeviceIdleTimeout */
NTKERNELAPI VOID PoFxSetDeviceIdleTimeout(POHANDLE Handle, ULONGLONG IdleTimeout);

/** Send a request to the power engine plug-in, which is the test (ntmm_power_plugin_set). @return what that says; STATUS_NOT_IMPLEMENTED: there is
 *  none (choice) @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoFxPowerControl */
NTKERNELAPI NTSTATUS PoFxPowerControl(POHANDLE Handle, LPCGUID PowerControlCode, PVOID InBuffer, SIZE_T InBufferSize, PVOID OutBuffer,
                                      SIZE_T OutBufferSize, PSIZE_T BytesReturned);

/*
 * ---- absent: declared, so that a driver compiles, and its test does not link until it defines them itself ----
 * Source  WDK reference: wdm.h, the page of each.
 */
VOID     PoFxSetTargetDripsDevicePowerState(POHANDLE Handle, DEVICE_POWER_STATE TargetState);
VOID     PoFxNotifySurprisePowerOn(PDEVICE_OBJECT Pdo);
NTSTATUS PoFxRegisterComponentPerfStates(POHANDLE Handle, ULONG Component, ULONGLONG Flags,
                                         PPO_FX_COMPONENT_PERF_STATE_CALLBACK ComponentPerfStateCallback,
                                         PPO_FX_COMPONENT_PERF_INFO InputStateInfo, PPO_FX_COMPONENT_PERF_INFO *OutputStateInfo);
VOID PoFxIssueComponentPerfStateChange(POHANDLE Handle, ULONG Flags, ULONG Component, PPO_FX_PERF_STATE_CHANGE PerfChange, PVOID Context);
VOID PoFxCompleteDirectedPowerDown(POHANDLE Handle);

/* ---- power limits: what a policy asks of a device ---- */

/**
 * A request for limits of a device's power, which its test has made limitable (ntmm_power_limits_set).
 *
 * @param PowerLimitRequest   receives what the other routines take
 * @param PolicyDeviceObject  not looked at @param Context neither
 * @return STATUS_NOT_SUPPORTED: the device has no limits (choice); STATUS_INVALID_PARAMETER: no device; STATUS_INSUFFICIENT_RESOURCES
 * @irql    PASSIVE_LEVEL (choice: the page has none)
 * @models  one that is not deleted is a leak, tag `PoPL`
 * @source  WDK reference: wdm.h, PoCreatePowerLimitRequest
 */
NTKERNELAPI NTSTATUS PoCreatePowerLimitRequest(PVOID *PowerLimitRequest, PDEVICE_OBJECT TargetDeviceObject,
                                               PDEVICE_OBJECT PolicyDeviceObject, PCOUNTED_REASON_CONTEXT Context);
/** What it asked for counts no more. @irql PASSIVE_LEVEL (choice) @source WDK reference: wdm.h, PoDeletePowerLimitRequest */
NTKERNELAPI VOID PoDeletePowerLimitRequest(PVOID PowerLimitRequest);
/** The limits that there are: a row for each type of each domain. @param AttributeCount receives how many
 *  @return STATUS_BUFFER_TOO_SMALL: BufferCount is less, and not 0 with a Buffer of NULL (choice) @irql PASSIVE_LEVEL (choice)
 *  @source WDK reference: wdm.h, PoQueryPowerLimitAttributes */
NTKERNELAPI NTSTATUS PoQueryPowerLimitAttributes(PVOID PowerLimitRequest, ULONG BufferCount, PPOWER_LIMIT_ATTRIBUTES Buffer,
                                                 PULONG AttributeCount);
/** What holds, of the types and domains that Values name: the lowest that a request asks for, or the default on AC.
 *  @return STATUS_NOT_FOUND: no such limit (choice) @irql PASSIVE_LEVEL (choice) @source WDK reference: wdm.h, PoQueryPowerLimitValue */
NTKERNELAPI NTSTATUS PoQueryPowerLimitValue(PVOID PowerLimitRequest, ULONG ValueCount, PPOWER_LIMIT_VALUE Values);
/** Ask for limits. All or none of them. @param Reason not looked at
 *  @return STATUS_NOT_FOUND: no such limit; STATUS_INVALID_PARAMETER: outside its bounds, or a time where none is supported (choice)
 *  @irql PASSIVE_LEVEL (choice) @source WDK reference: wdm.h, PoSetPowerLimitValue */
NTKERNELAPI NTSTATUS PoSetPowerLimitValue(PVOID PowerLimitRequest, PCOUNTED_REASON_CONTEXT Reason, ULONG ValueCount,
                                          PPOWER_LIMIT_VALUE Values);

#ifdef __cplusplus
}
#endif
#endif
