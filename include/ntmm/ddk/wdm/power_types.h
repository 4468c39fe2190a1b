/*
 * power_types.h - power states of the system and of a device, and what is said about them. Which routines take these is in docs/fidelity.md.
 *
 * Source  WDK reference: wdm.h, ntpoapi.h, the page of each type; "System power states", "Device power states". Checked against mingw-w64's by
 *         headers_compare.
 */
#ifndef NTMM_DDK_WDM_POWER_TYPES_H
#define NTMM_DDK_WDM_POWER_TYPES_H

#include "io_objects.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- states ---- */
typedef enum _SYSTEM_POWER_STATE {
    PowerSystemUnspecified,
    PowerSystemWorking,
    PowerSystemSleeping1,
    PowerSystemSleeping2,
    PowerSystemSleeping3,
    PowerSystemHibernate,
    PowerSystemShutdown,
    PowerSystemMaximum
} SYSTEM_POWER_STATE,
    *PSYSTEM_POWER_STATE;
#define POWER_SYSTEM_MAXIMUM PowerSystemMaximum
typedef enum _DEVICE_POWER_STATE {
    PowerDeviceUnspecified,
    PowerDeviceD0,
    PowerDeviceD1,
    PowerDeviceD2,
    PowerDeviceD3,
    PowerDeviceMaximum
} DEVICE_POWER_STATE,
    *PDEVICE_POWER_STATE;
typedef enum _POWER_STATE_TYPE { SystemPowerState, DevicePowerState } POWER_STATE_TYPE, *PPOWER_STATE_TYPE;
typedef enum {
    PowerActionNone,
    PowerActionReserved,
    PowerActionSleep,
    PowerActionHibernate,
    PowerActionShutdown,
    PowerActionShutdownReset,
    PowerActionShutdownOff,
    PowerActionWarmEject,
    PowerActionDisplayOff
} POWER_ACTION,
    *PPOWER_ACTION;
typedef union _POWER_STATE {
    SYSTEM_POWER_STATE SystemState;
    DEVICE_POWER_STATE DeviceState;
} POWER_STATE, *PPOWER_STATE;
typedef enum _MONITOR_DISPLAY_STATE { PowerMonitorOff, PowerMonitorOn, PowerMonitorDim } MONITOR_DISPLAY_STATE, *PMONITOR_DISPLAY_STATE;
typedef struct _SYSTEM_POWER_STATE_CONTEXT { /* Parameters.Power.SystemPowerStateContext */
    union {
        struct {
            ULONG Reserved1 : 8;
            ULONG TargetSystemState : 4;
            ULONG EffectiveSystemState : 4;
            ULONG CurrentSystemState : 4;
            ULONG IgnoreHibernationPath : 1;
            ULONG PseudoTransition : 1;
            ULONG KernelSoftReboot : 1;
            ULONG DirectedDripsTransition : 1;
            ULONG Reserved2 : 8;
        };
        ULONG ContextAsUlong;
    };
} SYSTEM_POWER_STATE_CONTEXT, *PSYSTEM_POWER_STATE_CONTEXT;

struct _IO_STATUS_BLOCK;
typedef VOID REQUEST_POWER_COMPLETE(PDEVICE_OBJECT DeviceObject, UCHAR MinorFunction, POWER_STATE PowerState, PVOID Context,
                                    struct _IO_STATUS_BLOCK *IoStatus);
typedef REQUEST_POWER_COMPLETE *PREQUEST_POWER_COMPLETE;

typedef struct _POWER_SEQUENCE {
    ULONG SequenceD1, SequenceD2, SequenceD3;
} POWER_SEQUENCE, *PPOWER_SEQUENCE;

typedef struct CM_Power_Data_s {
    ULONG              PD_Size;
    DEVICE_POWER_STATE PD_MostRecentPowerState;
    ULONG              PD_Capabilities; /* PDCAP_* */
    ULONG              PD_D1Latency, PD_D2Latency, PD_D3Latency;
    DEVICE_POWER_STATE PD_PowerStateMapping[POWER_SYSTEM_MAXIMUM];
    SYSTEM_POWER_STATE PD_DeepestSystemWake;
} CM_POWER_DATA, *PCM_POWER_DATA;
#define PDCAP_D0_SUPPORTED 0x00000001
#define PDCAP_D1_SUPPORTED 0x00000002
#define PDCAP_D2_SUPPORTED 0x00000004
#define PDCAP_D3_SUPPORTED 0x00000008
#define PDCAP_WAKE_FROM_D0_SUPPORTED 0x00000010
#define PDCAP_WAKE_FROM_D1_SUPPORTED 0x00000020
#define PDCAP_WAKE_FROM_D2_SUPPORTED 0x00000040
#define PDCAP_WAKE_FROM_D3_SUPPORTED 0x00000080
#define PDCAP_WARM_EJECT_SUPPORTED 0x00000100

/* ---- the system: what it does, who keeps it awake ---- */
typedef ULONG EXECUTION_STATE, *PEXECUTION_STATE;
#define ES_SYSTEM_REQUIRED 0x00000001u
#define ES_DISPLAY_REQUIRED 0x00000002u
#define ES_USER_PRESENT 0x00000004u
#define ES_CONTINUOUS 0x80000000u
typedef enum { LT_DONT_CARE, LT_LOWEST_LATENCY } LATENCY_TIME;
typedef enum _POWER_REQUEST_TYPE {
    PowerRequestDisplayRequired,
    PowerRequestSystemRequired,
    PowerRequestAwayModeRequired,
    PowerRequestExecutionRequired
} POWER_REQUEST_TYPE,
    *PPOWER_REQUEST_TYPE;
#define POWER_REQUEST_CONTEXT_VERSION 0
#define POWER_REQUEST_CONTEXT_SIMPLE_STRING 0x00000001
#define POWER_REQUEST_CONTEXT_DETAILED_STRING 0x00000002

#define DIAGNOSTIC_REASON_VERSION 0
#define DIAGNOSTIC_REASON_SIMPLE_STRING 0x00000001u
#define DIAGNOSTIC_REASON_DETAILED_STRING 0x00000002u
#define DIAGNOSTIC_REASON_NOT_SPECIFIED 0x80000000u
#define DIAGNOSTIC_REASON_INVALID_FLAGS (~0x80000003u)
typedef struct _COUNTED_REASON_CONTEXT {
    ULONG Version, Flags; /* DIAGNOSTIC_REASON_* */
    union {
        struct {
            UNICODE_STRING  ResourceFileName;
            USHORT          ResourceReasonId;
            ULONG           StringCount;
            PUNICODE_STRING ReasonStrings;
        };
        UNICODE_STRING SimpleString;
    };
} COUNTED_REASON_CONTEXT, *PCOUNTED_REASON_CONTEXT;

#define PO_CB_SYSTEM_POWER_POLICY 0
#define PO_CB_AC_STATUS 1
#define PO_CB_BUTTON_COLLISION 2
#define PO_CB_SYSTEM_STATE_LOCK 3
#define PO_CB_LID_SWITCH_STATE 4
#define PO_CB_PROCESSOR_POWER_POLICY 5

#define IOCTL_QUERY_DEVICE_POWER_STATE CTL_CODE(FILE_DEVICE_BATTERY, 0x0, METHOD_BUFFERED, FILE_READ_ACCESS)
#define IOCTL_SET_DEVICE_WAKE CTL_CODE(FILE_DEVICE_BATTERY, 0x1, METHOD_BUFFERED, FILE_WRITE_ACCESS)
#define IOCTL_CANCEL_DEVICE_WAKE CTL_CODE(FILE_DEVICE_BATTERY, 0x2, METHOD_BUFFERED, FILE_WRITE_ACCESS)

/* ---- settings ---- */
typedef NTSTATUS                POWER_SETTING_CALLBACK(LPCGUID SettingGuid, PVOID Value, ULONG ValueLength, PVOID Context);
typedef POWER_SETTING_CALLBACK *PPOWER_SETTING_CALLBACK;
typedef enum _SYSTEM_POWER_CONDITION { PoAc, PoDc, PoHot, PoConditionMaximum } SYSTEM_POWER_CONDITION;
#define POWER_SETTING_VALUE_VERSION 0x1
typedef struct _SET_POWER_SETTING_VALUE {
    ULONG                  Version;
    GUID                   Guid;
    SYSTEM_POWER_CONDITION PowerCondition;
    ULONG                  DataLength;
    UCHAR                  Data[ANYSIZE_ARRAY];
} SET_POWER_SETTING_VALUE, *PSET_POWER_SETTING_VALUE;
typedef enum _POWER_PLATFORM_ROLE {
    PlatformRoleUnspecified,
    PlatformRoleDesktop,
    PlatformRoleMobile,
    PlatformRoleWorkstation,
    PlatformRoleEnterpriseServer,
    PlatformRoleSOHOServer,
    PlatformRoleAppliancePC,
    PlatformRolePerformanceServer,
    PlatformRoleSlate,
    PlatformRoleMaximum
} POWER_PLATFORM_ROLE,
    *PPOWER_PLATFORM_ROLE;
typedef enum _POWER_USER_PRESENCE_TYPE {
    UserNotPresent = 0,
    UserPresent = 1,
    UserUnknown = 0xff
} POWER_USER_PRESENCE_TYPE,
    *PPOWER_USER_PRESENCE_TYPE;
#define POWER_DEVICE_IDLE_POLICY_PERFORMANCE 0
#define POWER_DEVICE_IDLE_POLICY_CONSERVATIVE 1

typedef struct {
    ULONG Granularity, Capacity; /* mWh */
} BATTERY_REPORTING_SCALE, *PBATTERY_REPORTING_SCALE;

/* ---- limits that one driver sets for the device of another ---- */
typedef enum _POWER_LIMIT_TYPES {
    PowerLimitContinuous,
    PowerLimitBurst,
    PowerLimitRapid,
    PowerLimitPreemptive,
    PowerLimitPreemptiveOffset,
    PowerLimitTypeMax
} POWER_LIMIT_TYPES,
    *PPOWER_LIMIT_TYPES;
typedef struct _POWER_LIMIT_ATTRIBUTES {
    POWER_LIMIT_TYPES Type;
    ULONG             DomainId;
    ULONG             MaxValue, MinValue;                 /* mW, or mA */
    ULONG             MinTimeParameter, MaxTimeParameter; /* microseconds */
    ULONG             DefaultACValue, DefaultDCValue;
    union {
        struct {
            ULONG SupportTimeParameter : 1;
            ULONG Reserved : 31;
        };
        ULONG AsUlong;
    } Flags;
} POWER_LIMIT_ATTRIBUTES, *PPOWER_LIMIT_ATTRIBUTES;
typedef struct _POWER_LIMIT_VALUE {
    POWER_LIMIT_TYPES Type;
    ULONG             DomainId, TargetValue, TimeParameter;
} POWER_LIMIT_VALUE, *PPOWER_LIMIT_VALUE;
NTMM_LAYOUT(sizeof(POWER_LIMIT_ATTRIBUTES) == 36 && sizeof(POWER_LIMIT_VALUE) == 16, "power limits, x64");

#ifdef __cplusplus
}
#endif
#endif
