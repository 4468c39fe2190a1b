/*
 * wdfdevice.h - devices of the framework: what they are made from, the callbacks of plug and play and power, and what a driver asks a device.
 *
 *     EvtDriverDeviceAdd(Driver, DeviceInit)
 *       WdfDeviceInit...(DeviceInit)         which callbacks, names, kinds of I/O
 *       WdfDeviceCreate(&DeviceInit, ...)    a device object, attached to the stack; DeviceInit is used up
 *     IRP_MN_START_DEVICE                    EvtDevicePrepareHardware, EvtDeviceD0Entry, EvtDeviceD0EntryPostInterruptsEnabled, self-managed I/O
 *     IRP_MN_REMOVE_DEVICE                   self-managed I/O, EvtDeviceD0ExitPreInterruptsDisabled, EvtDeviceD0Exit, EvtDeviceReleaseHardware;
 *                                            the WDFDEVICE and its children are deleted
 *
 * Source  WDK reference: wdfdevice.h; "PnP and Power Management Scenarios"; KMDF 1.33 headers (layouts, values).
 */
#ifndef NTMM_DDK_WDFDEVICE_H
#define NTMM_DDK_WDFDEVICE_H

#include "wdfobject.h"
#include "wdf/device_states.h"
#ifndef WDF_DEVICE_NO_WDMSEC_H
#include "wdmsec.h"
#endif

WDF_EXTERN_C_START

#define WDF_S0_IDLE_ENABLED_VALUE_NAME L"IdleInWorkingState"
#define WDF_SX_WAKE_ENABLED_VALUE_NAME L"WakeFromSleepState"
#define WDF_S0_IDLE_DEFAULT_VALUE_NAME L"WdfDefaultIdleInWorkingState"
#define WDF_SX_WAKE_DEFAULT_VALUE_NAME L"WdfDefaultWakeFromSleepState"

/* ---- choices ---- */

typedef enum _WDF_STATE_NOTIFICATION_TYPE {
    StateNotificationInvalid = 0,
    StateNotificationEnterState = 1,
    StateNotificationPostProcessState = 2,
    StateNotificationLeaveState = 4,
    StateNotificationAllStates = 7
} WDF_STATE_NOTIFICATION_TYPE;

typedef enum _WDF_POWER_POLICY_S0_IDLE_CAPABILITIES {
    IdleCapsInvalid = 0,
    IdleCannotWakeFromS0,
    IdleCanWakeFromS0,
    IdleUsbSelectiveSuspend
} WDF_POWER_POLICY_S0_IDLE_CAPABILITIES;
typedef enum _WDF_POWER_POLICY_S0_IDLE_USER_CONTROL {
    IdleUserControlInvalid = 0,
    IdleDoNotAllowUserControl,
    IdleAllowUserControl
} WDF_POWER_POLICY_S0_IDLE_USER_CONTROL;
typedef enum _WDF_POWER_POLICY_IDLE_TIMEOUT_CONSTANTS { IdleTimeoutDefaultConstant = 0 } WDF_POWER_POLICY_IDLE_TIMEOUT_CONSTANTS;
#define IdleTimeoutDefaultValue ((ULONG)IdleTimeoutDefaultConstant)
typedef enum _WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE {
    DriverManagedIdleTimeout = 0,
    SystemManagedIdleTimeout,
    SystemManagedIdleTimeoutWithHint
} WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE,
    *PWDF_POWER_POLICY_IDLE_TIMEOUT_TYPE;
typedef enum _WDF_POWER_POLICY_SX_WAKE_USER_CONTROL {
    WakeUserControlInvalid = 0,
    WakeDoNotAllowUserControl,
    WakeAllowUserControl
} WDF_POWER_POLICY_SX_WAKE_USER_CONTROL;

typedef enum _WDF_POWER_DEVICE_STATE {
    WdfPowerDeviceInvalid = 0,
    WdfPowerDeviceD0,
    WdfPowerDeviceD1,
    WdfPowerDeviceD2,
    WdfPowerDeviceD3,
    WdfPowerDeviceD3Final, /* it is being removed */
    WdfPowerDevicePrepareForHibernation,
    WdfPowerDeviceMaximum
} WDF_POWER_DEVICE_STATE,
    *PWDF_POWER_DEVICE_STATE;

typedef enum _WDF_DISPATCH_IRP_TO_IO_QUEUE_FLAGS {
    WDF_DISPATCH_IRP_TO_IO_QUEUE_NO_FLAGS = 0,
    WDF_DISPATCH_IRP_TO_IO_QUEUE_INVOKE_INCALLERCTX_CALLBACK = 1,
    WDF_DISPATCH_IRP_TO_IO_QUEUE_PREPROCESSED_IRP = 2
} WDF_DISPATCH_IRP_TO_IO_QUEUE_FLAGS;

typedef enum _WDF_SPECIAL_FILE_TYPE {
    WdfSpecialFileUndefined = 0,
    WdfSpecialFilePaging,
    WdfSpecialFileHibernation,
    WdfSpecialFileDump,
    WdfSpecialFileBoot,
    WdfSpecialFilePostDisplay,
    WdfSpecialFileGuestAssigned,
    WdfSpecialFileMax
} WDF_SPECIAL_FILE_TYPE,
    *PWDF_SPECIAL_FILE_TYPE;

typedef enum _WDF_DEVICE_IO_TYPE {
    WdfDeviceIoUndefined = 0,
    WdfDeviceIoNeither,
    WdfDeviceIoBuffered,
    WdfDeviceIoDirect,
    WdfDeviceIoBufferedOrDirect = 4,
    WdfDeviceIoMaximum
} WDF_DEVICE_IO_TYPE,
    *PWDF_DEVICE_IO_TYPE;

typedef enum _WDF_FILEOBJECT_CLASS { /* may the framework keep its handle in the FILE_OBJECT, and where */
                                     WdfFileObjectInvalid = 0,
                                     WdfFileObjectNotRequired = 1,
                                     WdfFileObjectWdfCanUseFsContext = 2,
                                     WdfFileObjectWdfCanUseFsContext2 = 3,
                                     WdfFileObjectWdfCannotUseFsContexts = 4,
                                     WdfFileObjectCanBeOptional = (int)0x80000000
} WDF_FILEOBJECT_CLASS,
    *PWDF_FILEOBJECT_CLASS;

typedef enum _WDF_DEVICE_FAILED_ACTION {
    WdfDeviceFailedUndefined = 0,
    WdfDeviceFailedAttemptRestart,
    WdfDeviceFailedNoRestart
} WDF_DEVICE_FAILED_ACTION;
typedef enum _WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE {
    WdfReleaseHardwareOrderOnFailureInvalid = 0,
    WdfReleaseHardwareOrderOnFailureEarly,
    WdfReleaseHardwareOrderOnFailureAfterDescendants
} WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE,
    *PWDF_RELEASE_HARDWARE_ORDER_ON_FAILURE;

/* ---- files ---- */

typedef VOID                        EVT_WDF_DEVICE_FILE_CREATE(WDFDEVICE Device, WDFREQUEST Request, WDFFILEOBJECT FileObject);
typedef EVT_WDF_DEVICE_FILE_CREATE *PFN_WDF_DEVICE_FILE_CREATE;
typedef VOID                        EVT_WDF_FILE_CLOSE(WDFFILEOBJECT FileObject);
typedef EVT_WDF_FILE_CLOSE         *PFN_WDF_FILE_CLOSE;
typedef VOID                        EVT_WDF_FILE_CLEANUP(WDFFILEOBJECT FileObject);
typedef EVT_WDF_FILE_CLEANUP       *PFN_WDF_FILE_CLEANUP;

typedef struct _WDF_FILEOBJECT_CONFIG {
    ULONG                      Size;
    PFN_WDF_DEVICE_FILE_CREATE EvtDeviceFileCreate;
    PFN_WDF_FILE_CLOSE         EvtFileClose;
    PFN_WDF_FILE_CLEANUP       EvtFileCleanup;
    WDF_TRI_STATE              AutoForwardCleanupClose;
    WDF_FILEOBJECT_CLASS       FileObjectClass;
} WDF_FILEOBJECT_CONFIG, *PWDF_FILEOBJECT_CONFIG;
FORCEINLINE VOID WDF_FILEOBJECT_CONFIG_INIT(PWDF_FILEOBJECT_CONFIG FileEventCallbacks, PFN_WDF_DEVICE_FILE_CREATE EvtDeviceFileCreate,
                                            PFN_WDF_FILE_CLOSE EvtFileClose, PFN_WDF_FILE_CLEANUP EvtFileCleanup)
{
    FileEventCallbacks->Size = WDF_STRUCTURE_SIZE(WDF_FILEOBJECT_CONFIG);
    FileEventCallbacks->EvtDeviceFileCreate = EvtDeviceFileCreate;
    FileEventCallbacks->EvtFileClose = EvtFileClose;
    FileEventCallbacks->EvtFileCleanup = EvtFileCleanup;
    FileEventCallbacks->FileObjectClass = WdfFileObjectWdfCannotUseFsContexts;
    FileEventCallbacks->AutoForwardCleanupClose = WdfUseDefault;
}

/* ---- notifications of states ---- */

typedef struct _WDF_DEVICE_PNP_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct {
            WDF_DEVICE_PNP_STATE CurrentState, NewState;
        } EnterState;
        struct {
            WDF_DEVICE_PNP_STATE CurrentState;
        } PostProcessState;
        struct {
            WDF_DEVICE_PNP_STATE CurrentState, NewState;
        } LeaveState;
    } Data;
} WDF_DEVICE_PNP_NOTIFICATION_DATA;
typedef const WDF_DEVICE_PNP_NOTIFICATION_DATA *PCWDF_DEVICE_PNP_NOTIFICATION_DATA;

typedef VOID EVT_WDF_DEVICE_PNP_STATE_CHANGE_NOTIFICATION(WDFDEVICE Device, PCWDF_DEVICE_PNP_NOTIFICATION_DATA NotificationData);
typedef EVT_WDF_DEVICE_PNP_STATE_CHANGE_NOTIFICATION *PFN_WDF_DEVICE_PNP_STATE_CHANGE_NOTIFICATION;

typedef struct _WDF_DEVICE_POWER_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct {
            WDF_DEVICE_POWER_STATE CurrentState, NewState;
        } EnterState;
        struct {
            WDF_DEVICE_POWER_STATE CurrentState;
        } PostProcessState;
        struct {
            WDF_DEVICE_POWER_STATE CurrentState, NewState;
        } LeaveState;
    } Data;
} WDF_DEVICE_POWER_NOTIFICATION_DATA;
typedef const WDF_DEVICE_POWER_NOTIFICATION_DATA *PCWDF_DEVICE_POWER_NOTIFICATION_DATA;

typedef VOID EVT_WDF_DEVICE_POWER_STATE_CHANGE_NOTIFICATION(WDFDEVICE Device, PCWDF_DEVICE_POWER_NOTIFICATION_DATA NotificationData);
typedef EVT_WDF_DEVICE_POWER_STATE_CHANGE_NOTIFICATION *PFN_WDF_DEVICE_POWER_STATE_CHANGE_NOTIFICATION;

typedef struct _WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA {
    WDF_STATE_NOTIFICATION_TYPE Type;
    union {
        struct {
            WDF_DEVICE_POWER_POLICY_STATE CurrentState, NewState;
        } EnterState;
        struct {
            WDF_DEVICE_POWER_POLICY_STATE CurrentState;
        } PostProcessState;
        struct {
            WDF_DEVICE_POWER_POLICY_STATE CurrentState, NewState;
        } LeaveState;
    } Data;
} WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA;
typedef const WDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA *PCWDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA;

typedef VOID                                                   EVT_WDF_DEVICE_POWER_POLICY_STATE_CHANGE_NOTIFICATION(WDFDEVICE                                   Device,
                                                                                                                     PCWDF_DEVICE_POWER_POLICY_NOTIFICATION_DATA NotificationData);
typedef EVT_WDF_DEVICE_POWER_POLICY_STATE_CHANGE_NOTIFICATION *PFN_WDF_DEVICE_POWER_POLICY_STATE_CHANGE_NOTIFICATION;

/* ---- plug and play, power: callbacks at PASSIVE_LEVEL ---- */

typedef NTSTATUS                 EVT_WDF_DEVICE_D0_ENTRY(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState);
typedef EVT_WDF_DEVICE_D0_ENTRY *PFN_WDF_DEVICE_D0_ENTRY;
typedef NTSTATUS                 EVT_WDF_DEVICE_D0_ENTRY_POST_INTERRUPTS_ENABLED(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState);
typedef EVT_WDF_DEVICE_D0_ENTRY_POST_INTERRUPTS_ENABLED *PFN_WDF_DEVICE_D0_ENTRY_POST_INTERRUPTS_ENABLED;
typedef NTSTATUS EVT_WDF_DEVICE_D0_ENTRY_POST_HARDWARE_ENABLED(WDFDEVICE Device, WDF_POWER_DEVICE_STATE PreviousState);
typedef EVT_WDF_DEVICE_D0_ENTRY_POST_HARDWARE_ENABLED *PFN_WDF_DEVICE_D0_ENTRY_POST_HARDWARE_ENABLED;
typedef NTSTATUS                                       EVT_WDF_DEVICE_D0_EXIT(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState);
typedef EVT_WDF_DEVICE_D0_EXIT                        *PFN_WDF_DEVICE_D0_EXIT;
typedef NTSTATUS EVT_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState);
typedef EVT_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED *PFN_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED;
typedef NTSTATUS EVT_WDF_DEVICE_D0_EXIT_PRE_HARDWARE_DISABLED(WDFDEVICE Device, WDF_POWER_DEVICE_STATE TargetState);
typedef EVT_WDF_DEVICE_D0_EXIT_PRE_HARDWARE_DISABLED *PFN_WDF_DEVICE_D0_EXIT_PRE_HARDWARE_DISABLED;
typedef NTSTATUS EVT_WDF_DEVICE_PREPARE_HARDWARE(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated);
typedef EVT_WDF_DEVICE_PREPARE_HARDWARE        *PFN_WDF_DEVICE_PREPARE_HARDWARE;
typedef NTSTATUS                                EVT_WDF_DEVICE_RELEASE_HARDWARE(WDFDEVICE Device, WDFCMRESLIST ResourcesTranslated);
typedef EVT_WDF_DEVICE_RELEASE_HARDWARE        *PFN_WDF_DEVICE_RELEASE_HARDWARE;
typedef VOID                                    EVT_WDF_DEVICE_SELF_MANAGED_IO_CLEANUP(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SELF_MANAGED_IO_CLEANUP *PFN_WDF_DEVICE_SELF_MANAGED_IO_CLEANUP;
typedef VOID                                    EVT_WDF_DEVICE_SELF_MANAGED_IO_FLUSH(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SELF_MANAGED_IO_FLUSH   *PFN_WDF_DEVICE_SELF_MANAGED_IO_FLUSH;
typedef NTSTATUS                                EVT_WDF_DEVICE_SELF_MANAGED_IO_INIT(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SELF_MANAGED_IO_INIT    *PFN_WDF_DEVICE_SELF_MANAGED_IO_INIT;
typedef NTSTATUS                                EVT_WDF_DEVICE_SELF_MANAGED_IO_SUSPEND(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SELF_MANAGED_IO_SUSPEND *PFN_WDF_DEVICE_SELF_MANAGED_IO_SUSPEND;
typedef NTSTATUS                                EVT_WDF_DEVICE_SELF_MANAGED_IO_RESTART(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SELF_MANAGED_IO_RESTART *PFN_WDF_DEVICE_SELF_MANAGED_IO_RESTART;
typedef NTSTATUS                                EVT_WDF_DEVICE_QUERY_STOP(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_QUERY_STOP              *PFN_WDF_DEVICE_QUERY_STOP;
typedef NTSTATUS                                EVT_WDF_DEVICE_QUERY_REMOVE(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_QUERY_REMOVE            *PFN_WDF_DEVICE_QUERY_REMOVE;
typedef VOID                                    EVT_WDF_DEVICE_SURPRISE_REMOVAL(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SURPRISE_REMOVAL        *PFN_WDF_DEVICE_SURPRISE_REMOVAL;
typedef VOID EVT_WDF_DEVICE_USAGE_NOTIFICATION(WDFDEVICE Device, WDF_SPECIAL_FILE_TYPE NotificationType, BOOLEAN IsInNotificationPath);
typedef EVT_WDF_DEVICE_USAGE_NOTIFICATION    *PFN_WDF_DEVICE_USAGE_NOTIFICATION;
typedef NTSTATUS                              EVT_WDF_DEVICE_USAGE_NOTIFICATION_EX(WDFDEVICE Device, WDF_SPECIAL_FILE_TYPE NotificationType,
                                                                                   BOOLEAN IsInNotificationPath);
typedef EVT_WDF_DEVICE_USAGE_NOTIFICATION_EX *PFN_WDF_DEVICE_USAGE_NOTIFICATION_EX;
typedef VOID                                  EVT_WDF_DEVICE_RELATIONS_QUERY(WDFDEVICE Device, DEVICE_RELATION_TYPE RelationType);
typedef EVT_WDF_DEVICE_RELATIONS_QUERY       *PFN_WDF_DEVICE_RELATIONS_QUERY;
typedef NTSTATUS                              EVT_WDF_DEVICE_ARM_WAKE_FROM_S0(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_ARM_WAKE_FROM_S0      *PFN_WDF_DEVICE_ARM_WAKE_FROM_S0;
typedef NTSTATUS                              EVT_WDF_DEVICE_ARM_WAKE_FROM_SX(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_ARM_WAKE_FROM_SX      *PFN_WDF_DEVICE_ARM_WAKE_FROM_SX;
typedef NTSTATUS EVT_WDF_DEVICE_ARM_WAKE_FROM_SX_WITH_REASON(WDFDEVICE Device, BOOLEAN DeviceWakeEnabled, BOOLEAN ChildrenArmedForWake);
typedef EVT_WDF_DEVICE_ARM_WAKE_FROM_SX_WITH_REASON *PFN_WDF_DEVICE_ARM_WAKE_FROM_SX_WITH_REASON;
typedef VOID                                         EVT_WDF_DEVICE_DISARM_WAKE_FROM_S0(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_DISARM_WAKE_FROM_S0          *PFN_WDF_DEVICE_DISARM_WAKE_FROM_S0;
typedef VOID                                         EVT_WDF_DEVICE_DISARM_WAKE_FROM_SX(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_DISARM_WAKE_FROM_SX          *PFN_WDF_DEVICE_DISARM_WAKE_FROM_SX;
typedef VOID                                         EVT_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED       *PFN_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED;
typedef VOID                                         EVT_WDF_DEVICE_WAKE_FROM_SX_TRIGGERED(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_WAKE_FROM_SX_TRIGGERED       *PFN_WDF_DEVICE_WAKE_FROM_SX_TRIGGERED;

typedef struct _WDF_PNPPOWER_EVENT_CALLBACKS {
    ULONG                                           Size;
    PFN_WDF_DEVICE_D0_ENTRY                         EvtDeviceD0Entry;
    PFN_WDF_DEVICE_D0_ENTRY_POST_INTERRUPTS_ENABLED EvtDeviceD0EntryPostInterruptsEnabled;
    PFN_WDF_DEVICE_D0_EXIT                          EvtDeviceD0Exit;
    PFN_WDF_DEVICE_D0_EXIT_PRE_INTERRUPTS_DISABLED  EvtDeviceD0ExitPreInterruptsDisabled;
    PFN_WDF_DEVICE_PREPARE_HARDWARE                 EvtDevicePrepareHardware;
    PFN_WDF_DEVICE_RELEASE_HARDWARE                 EvtDeviceReleaseHardware;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_CLEANUP          EvtDeviceSelfManagedIoCleanup;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_FLUSH            EvtDeviceSelfManagedIoFlush;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_INIT             EvtDeviceSelfManagedIoInit;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_SUSPEND          EvtDeviceSelfManagedIoSuspend;
    PFN_WDF_DEVICE_SELF_MANAGED_IO_RESTART          EvtDeviceSelfManagedIoRestart;
    PFN_WDF_DEVICE_SURPRISE_REMOVAL                 EvtDeviceSurpriseRemoval;
    PFN_WDF_DEVICE_QUERY_REMOVE                     EvtDeviceQueryRemove;
    PFN_WDF_DEVICE_QUERY_STOP                       EvtDeviceQueryStop;
    PFN_WDF_DEVICE_USAGE_NOTIFICATION               EvtDeviceUsageNotification;
    PFN_WDF_DEVICE_RELATIONS_QUERY                  EvtDeviceRelationsQuery;
    PFN_WDF_DEVICE_USAGE_NOTIFICATION_EX            EvtDeviceUsageNotificationEx;
} WDF_PNPPOWER_EVENT_CALLBACKS, *PWDF_PNPPOWER_EVENT_CALLBACKS;
NTMM_LAYOUT(sizeof(WDF_PNPPOWER_EVENT_CALLBACKS) == 18 * 8, "WDF_PNPPOWER_EVENT_CALLBACKS, x64");
FORCEINLINE VOID WDF_PNPPOWER_EVENT_CALLBACKS_INIT(PWDF_PNPPOWER_EVENT_CALLBACKS Callbacks)
{
    RtlZeroMemory(Callbacks, sizeof(WDF_PNPPOWER_EVENT_CALLBACKS));
    Callbacks->Size = WDF_STRUCTURE_SIZE(WDF_PNPPOWER_EVENT_CALLBACKS);
}

typedef struct _WDF_POWER_POLICY_EVENT_CALLBACKS {
    ULONG                                       Size;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_S0             EvtDeviceArmWakeFromS0;
    PFN_WDF_DEVICE_DISARM_WAKE_FROM_S0          EvtDeviceDisarmWakeFromS0;
    PFN_WDF_DEVICE_WAKE_FROM_S0_TRIGGERED       EvtDeviceWakeFromS0Triggered;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_SX             EvtDeviceArmWakeFromSx;
    PFN_WDF_DEVICE_DISARM_WAKE_FROM_SX          EvtDeviceDisarmWakeFromSx;
    PFN_WDF_DEVICE_WAKE_FROM_SX_TRIGGERED       EvtDeviceWakeFromSxTriggered;
    PFN_WDF_DEVICE_ARM_WAKE_FROM_SX_WITH_REASON EvtDeviceArmWakeFromSxWithReason;
} WDF_POWER_POLICY_EVENT_CALLBACKS, *PWDF_POWER_POLICY_EVENT_CALLBACKS;
FORCEINLINE VOID WDF_POWER_POLICY_EVENT_CALLBACKS_INIT(PWDF_POWER_POLICY_EVENT_CALLBACKS Callbacks)
{
    RtlZeroMemory(Callbacks, sizeof(WDF_POWER_POLICY_EVENT_CALLBACKS));
    Callbacks->Size = WDF_STRUCTURE_SIZE(WDF_POWER_POLICY_EVENT_CALLBACKS);
}

FORCEINLINE ULONG   WdfDevStateNormalize(ULONG State) { return State & ~(ULONG)WdfDevStateNP; }
FORCEINLINE BOOLEAN WdfDevStateIsNP(ULONG State) { return (State & (ULONG)WdfDevStateNP) != 0 ? TRUE : FALSE; }

/* ---- what a device is capable of ---- */

typedef struct _WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS {
    ULONG                                 Size;
    WDF_POWER_POLICY_S0_IDLE_CAPABILITIES IdleCaps;
    DEVICE_POWER_STATE                    DxState;
    ULONG                                 IdleTimeout; /* milliseconds */
    WDF_POWER_POLICY_S0_IDLE_USER_CONTROL UserControlOfIdleSettings;
    WDF_TRI_STATE                         Enabled;
    WDF_TRI_STATE                         PowerUpIdleDeviceOnSystemWake;
    WDF_POWER_POLICY_IDLE_TIMEOUT_TYPE    IdleTimeoutType;
    WDF_TRI_STATE                         ExcludeD3Cold;
} WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS, *PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS;
FORCEINLINE VOID WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS_INIT(PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS Settings,
                                                            WDF_POWER_POLICY_S0_IDLE_CAPABILITIES  IdleCaps)
{
    RtlZeroMemory(Settings, sizeof(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS));
    Settings->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_POWER_POLICY_IDLE_SETTINGS);
    Settings->IdleTimeout = IdleTimeoutDefaultValue;
    Settings->UserControlOfIdleSettings = IdleAllowUserControl;
    Settings->Enabled = WdfUseDefault;
    Settings->PowerUpIdleDeviceOnSystemWake = WdfUseDefault;
    Settings->IdleTimeoutType = DriverManagedIdleTimeout;
    Settings->ExcludeD3Cold = WdfUseDefault;
    Settings->IdleCaps = IdleCaps;
    if (IdleCaps == IdleUsbSelectiveSuspend || IdleCaps == IdleCanWakeFromS0)
        Settings->DxState = PowerDeviceMaximum;
    else if (IdleCaps == IdleCannotWakeFromS0)
        Settings->DxState = PowerDeviceD3;
}

typedef struct _WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS {
    ULONG                                 Size;
    DEVICE_POWER_STATE                    DxState;
    WDF_POWER_POLICY_SX_WAKE_USER_CONTROL UserControlOfWakeSettings;
    WDF_TRI_STATE                         Enabled;
    BOOLEAN                               ArmForWakeIfChildrenAreArmedForWake;
    BOOLEAN                               IndicateChildWakeOnParentWake;
} WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS, *PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS;
FORCEINLINE VOID WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS_INIT(PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS Settings)
{
    RtlZeroMemory(Settings, sizeof(WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS));
    Settings->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_POWER_POLICY_WAKE_SETTINGS);
    Settings->Enabled = WdfUseDefault;
    Settings->DxState = PowerDeviceMaximum;
    Settings->UserControlOfWakeSettings = WakeAllowUserControl;
}

typedef struct _WDF_DEVICE_STATE {
    ULONG         Size;
    WDF_TRI_STATE Disabled, DontDisplayInUI, Failed, NotDisableable, Removed, ResourcesChanged, AssignedToGuest;
} WDF_DEVICE_STATE, *PWDF_DEVICE_STATE;
FORCEINLINE VOID WDF_DEVICE_STATE_INIT(PWDF_DEVICE_STATE PnpDeviceState)
{
    RtlZeroMemory(PnpDeviceState, sizeof(WDF_DEVICE_STATE));
    PnpDeviceState->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_STATE);
    PnpDeviceState->Disabled = WdfUseDefault;
    PnpDeviceState->DontDisplayInUI = WdfUseDefault;
    PnpDeviceState->Failed = WdfUseDefault;
    PnpDeviceState->NotDisableable = WdfUseDefault;
    PnpDeviceState->Removed = WdfUseDefault;
    PnpDeviceState->ResourcesChanged = WdfUseDefault;
    PnpDeviceState->AssignedToGuest = WdfUseDefault;
}

typedef struct _WDF_DEVICE_PNP_CAPABILITIES {
    ULONG         Size;
    WDF_TRI_STATE LockSupported, EjectSupported, Removable, DockDevice, UniqueID, SilentInstall, SurpriseRemovalOK, HardwareDisabled,
        NoDisplayInUI;
    ULONG Address, UINumber; /* all ones: unknown */
} WDF_DEVICE_PNP_CAPABILITIES, *PWDF_DEVICE_PNP_CAPABILITIES;
FORCEINLINE VOID WDF_DEVICE_PNP_CAPABILITIES_INIT(PWDF_DEVICE_PNP_CAPABILITIES Caps)
{
    RtlZeroMemory(Caps, sizeof(WDF_DEVICE_PNP_CAPABILITIES));
    Caps->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_PNP_CAPABILITIES);
    Caps->LockSupported = WdfUseDefault;
    Caps->EjectSupported = WdfUseDefault;
    Caps->Removable = WdfUseDefault;
    Caps->DockDevice = WdfUseDefault;
    Caps->UniqueID = WdfUseDefault;
    Caps->SilentInstall = WdfUseDefault;
    Caps->SurpriseRemovalOK = WdfUseDefault;
    Caps->HardwareDisabled = WdfUseDefault;
    Caps->NoDisplayInUI = WdfUseDefault;
    Caps->Address = (ULONG)-1;
    Caps->UINumber = (ULONG)-1;
}

typedef struct _WDF_DEVICE_POWER_CAPABILITIES {
    ULONG              Size;
    WDF_TRI_STATE      DeviceD1, DeviceD2, WakeFromD0, WakeFromD1, WakeFromD2, WakeFromD3;
    DEVICE_POWER_STATE DeviceState[PowerSystemMaximum];
    DEVICE_POWER_STATE DeviceWake;
    SYSTEM_POWER_STATE SystemWake;
    ULONG              D1Latency, D2Latency, D3Latency; /* 100 ns; all ones: unknown */
    DEVICE_POWER_STATE IdealDxStateForSx;
} WDF_DEVICE_POWER_CAPABILITIES, *PWDF_DEVICE_POWER_CAPABILITIES;
FORCEINLINE VOID WDF_DEVICE_POWER_CAPABILITIES_INIT(PWDF_DEVICE_POWER_CAPABILITIES Caps)
{
    RtlZeroMemory(Caps, sizeof(WDF_DEVICE_POWER_CAPABILITIES));
    Caps->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_POWER_CAPABILITIES);
    Caps->DeviceD1 = Caps->DeviceD2 = WdfUseDefault;
    Caps->WakeFromD0 = Caps->WakeFromD1 = Caps->WakeFromD2 = Caps->WakeFromD3 = WdfUseDefault;
    for (ULONG i = 0; i < PowerSystemMaximum; i++)
        Caps->DeviceState[i] = PowerDeviceMaximum;
    Caps->DeviceWake = PowerDeviceMaximum;
    Caps->SystemWake = PowerSystemMaximum;
    Caps->D1Latency = Caps->D2Latency = Caps->D3Latency = (ULONG)-1;
    Caps->IdealDxStateForSx = PowerDeviceMaximum;
}

typedef enum _WDF_REMOVE_LOCK_OPTIONS_FLAGS { WDF_REMOVE_LOCK_OPTION_ACQUIRE_FOR_IO = 1 } WDF_REMOVE_LOCK_OPTIONS_FLAGS;
typedef struct _WDF_REMOVE_LOCK_OPTIONS {
    ULONG Size;
    ULONG Flags;
} WDF_REMOVE_LOCK_OPTIONS, *PWDF_REMOVE_LOCK_OPTIONS;
FORCEINLINE VOID WDF_REMOVE_LOCK_OPTIONS_INIT(PWDF_REMOVE_LOCK_OPTIONS RemoveLockOptions, ULONG Flags)
{
    RemoveLockOptions->Size = WDF_STRUCTURE_SIZE(WDF_REMOVE_LOCK_OPTIONS);
    RemoveLockOptions->Flags = Flags;
}

typedef struct _WDF_IO_TYPE_CONFIG {
    ULONG              Size;
    WDF_DEVICE_IO_TYPE ReadWriteIoType;
    WDF_DEVICE_IO_TYPE DeviceControlIoType;
    ULONG              DirectTransferThreshold; /* bytes */
} WDF_IO_TYPE_CONFIG, *PWDF_IO_TYPE_CONFIG;
FORCEINLINE VOID WDF_IO_TYPE_CONFIG_INIT(PWDF_IO_TYPE_CONFIG IoTypeConfig)
{
    RtlZeroMemory(IoTypeConfig, sizeof(WDF_IO_TYPE_CONFIG));
    IoTypeConfig->Size = WDF_STRUCTURE_SIZE(WDF_IO_TYPE_CONFIG);
    IoTypeConfig->ReadWriteIoType = WdfDeviceIoBuffered;
    IoTypeConfig->DeviceControlIoType = WdfDeviceIoBuffered;
}

/* ---- IRPs that the driver wants to see for itself ---- */

typedef NTSTATUS                          EVT_WDFDEVICE_WDM_IRP_PREPROCESS(WDFDEVICE Device, PIRP Irp);
typedef EVT_WDFDEVICE_WDM_IRP_PREPROCESS *PFN_WDFDEVICE_WDM_IRP_PREPROCESS;
typedef NTSTATUS EVT_WDFDEVICE_WDM_IRP_DISPATCH(WDFDEVICE Device, UCHAR MajorFunction, UCHAR MinorFunction, ULONG Code,
                                                WDFCONTEXT DriverContext, PIRP Irp, WDFCONTEXT DispatchContext);
typedef EVT_WDFDEVICE_WDM_IRP_DISPATCH *PFN_WDFDEVICE_WDM_IRP_DISPATCH;
typedef VOID                            EVT_WDF_IO_IN_CALLER_CONTEXT(WDFDEVICE Device, WDFREQUEST Request);
typedef EVT_WDF_IO_IN_CALLER_CONTEXT   *PFN_WDF_IO_IN_CALLER_CONTEXT;

/* ---- before the device is made; all of them at PASSIVE_LEVEL, with WDF_VIOLATION 0x4 for a NULL that must not be ---- */

/** Of a control device that was not made. @source WDK reference: wdfdevice.h, WdfDeviceInitFree */
WDFAPI VOID WdfDeviceInitFree(PWDFDEVICE_INIT DeviceInit);
/** @source WDK reference: wdfdevice.h, WdfDeviceInitSetPnpPowerEventCallbacks */
WDFAPI VOID WdfDeviceInitSetPnpPowerEventCallbacks(PWDFDEVICE_INIT DeviceInit, PWDF_PNPPOWER_EVENT_CALLBACKS PnpPowerEventCallbacks);
/** @models callbacks for Sx are kept, never called: devices do not wake the system @source WDK reference: wdfdevice.h,
 *  WdfDeviceInitSetPowerPolicyEventCallbacks */
WDFAPI VOID WdfDeviceInitSetPowerPolicyEventCallbacks(PWDFDEVICE_INIT                   DeviceInit,
                                                      PWDF_POWER_POLICY_EVENT_CALLBACKS PowerPolicyEventCallbacks);
/** Only the owner may sleep while it is idle. @source WDK reference: wdfdevice.h, WdfDeviceInitSetPowerPolicyOwnership */
WDFAPI VOID WdfDeviceInitSetPowerPolicyOwnership(PWDFDEVICE_INIT DeviceInit, BOOLEAN IsPowerPolicyOwner);
/** @source WDK reference: wdfdevice.h, WdfDeviceInitSetExclusive */
WDFAPI VOID WdfDeviceInitSetExclusive(PWDFDEVICE_INIT DeviceInit, BOOLEAN IsExclusive);
/** How reads and writes carry their buffers. @source WDK reference: wdfdevice.h, WdfDeviceInitSetIoType */
WDFAPI VOID WdfDeviceInitSetIoType(PWDFDEVICE_INIT DeviceInit, WDF_DEVICE_IO_TYPE IoType);
/** @models WdfDeviceIoBufferedOrDirect counts as direct; controls carry theirs as their code says @source WDK reference: wdfdevice.h,
 *  WdfDeviceInitSetIoTypeEx */
WDFAPI VOID WdfDeviceInitSetIoTypeEx(PWDFDEVICE_INIT DeviceInit, PWDF_IO_TYPE_CONFIG IoTypeConfig);
/** DO_POWER_PAGABLE, DO_POWER_INRUSH of the device object. @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI VOID WdfDeviceInitSetPowerNotPageable(PWDFDEVICE_INIT DeviceInit);
WDFAPI VOID WdfDeviceInitSetPowerPageable(PWDFDEVICE_INIT DeviceInit);
WDFAPI VOID WdfDeviceInitSetPowerInrush(PWDFDEVICE_INIT DeviceInit);
/** @source WDK reference: wdfdevice.h, WdfDeviceInitSetDeviceType */
WDFAPI VOID WdfDeviceInitSetDeviceType(PWDFDEVICE_INIT DeviceInit, DEVICE_TYPE DeviceType);
/** @param DeviceName NULL: none @return STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER: no string
 *  @source WDK reference: wdfdevice.h, WdfDeviceInitAssignName */
WDFAPI NTSTATUS WdfDeviceInitAssignName(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING DeviceName);
/** @models accepted and ignored: there is no security here @source WDK reference: wdfdevice.h, WdfDeviceInitAssignSDDLString */
WDFAPI NTSTATUS WdfDeviceInitAssignSDDLString(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING SDDLString);
/** @models accepted and ignored: overrides of the registry by device class @source WDK reference: wdfdevice.h, WdfDeviceInitSetDeviceClass */
WDFAPI VOID WdfDeviceInitSetDeviceClass(PWDFDEVICE_INIT DeviceInit, CONST GUID *DeviceClassGuid);
/** FILE_... of the device object. @source WDK reference: wdfdevice.h, WdfDeviceInitSetCharacteristics */
WDFAPI VOID WdfDeviceInitSetCharacteristics(PWDFDEVICE_INIT DeviceInit, ULONG DeviceCharacteristics, BOOLEAN OrInValues);
/** @param FileObjectAttributes or NULL @source WDK reference: wdfdevice.h, WdfDeviceInitSetFileObjectConfig */
WDFAPI VOID WdfDeviceInitSetFileObjectConfig(PWDFDEVICE_INIT DeviceInit, PWDF_FILEOBJECT_CONFIG FileObjectConfig,
                                             PWDF_OBJECT_ATTRIBUTES FileObjectAttributes);
/** Of each request that the framework makes for the device. @source WDK reference: wdfdevice.h, WdfDeviceInitSetRequestAttributes */
WDFAPI VOID WdfDeviceInitSetRequestAttributes(PWDFDEVICE_INIT DeviceInit, PWDF_OBJECT_ATTRIBUTES RequestAttributes);
/** @param MinorFunctions bytes, or NULL: any @return STATUS_INVALID_PARAMETER: no such major function
 *  @source WDK reference: wdfdevice.h, WdfDeviceInitAssignWdmIrpPreprocessCallback */
WDFAPI NTSTATUS WdfDeviceInitAssignWdmIrpPreprocessCallback(PWDFDEVICE_INIT                  DeviceInit,
                                                            PFN_WDFDEVICE_WDM_IRP_PREPROCESS EvtDeviceWdmIrpPreprocess, UCHAR MajorFunction,
                                                            PUCHAR MinorFunctions, ULONG NumMinorFunctions);
/** @source WDK reference: wdfdevice.h, WdfDeviceInitSetIoInCallerContextCallback */
WDFAPI VOID WdfDeviceInitSetIoInCallerContextCallback(PWDFDEVICE_INIT DeviceInit, PFN_WDF_IO_IN_CALLER_CONTEXT EvtIoInCallerContext);
/** @models accepted and ignored: the removal of a device waits for nobody @source WDK reference: wdfdevice.h, WdfDeviceInitSetRemoveLockOptions */
WDFAPI VOID WdfDeviceInitSetRemoveLockOptions(PWDFDEVICE_INIT DeviceInit, PWDF_REMOVE_LOCK_OPTIONS Options);
/** @models accepted and ignored: devices have no descendants here @source WDK reference: wdfdevice.h */
WDFAPI VOID WdfDeviceInitSetReleaseHardwareOrderOnFailure(PWDFDEVICE_INIT                       DeviceInit,
                                                          WDF_RELEASE_HARDWARE_ORDER_ON_FAILURE ReleaseHardwareOrderOnFailure);

/**
 * Make the device: a DEVICE_OBJECT, attached to the stack unless it is a control device, and the WDFDEVICE, a child of the driver.
 *
 * @param DeviceInit        becomes NULL: it is used up; on failure it stays
 * @param DeviceAttributes  or NULL; a ParentObject for control devices alone
 * @return    STATUS_INSUFFICIENT_RESOURCES; STATUS_OBJECT_NAME_COLLISION and others of IoCreateDevice; STATUS_UNSUCCESSFUL: nothing can be
 *            attached to the stack; those of bad attributes
 * @irql      PASSIVE_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: DeviceInit, *DeviceInit or Device is NULL
 * @models    a bus driver's children (PDOs) are not built
 * @source    WDK reference: wdfdevice.h, WdfDeviceCreate
 */
WDFAPI NTSTATUS WdfDeviceCreate(PWDFDEVICE_INIT *DeviceInit, PWDF_OBJECT_ATTRIBUTES DeviceAttributes, WDFDEVICE *Device);

/* ---- a device; WDF_VIOLATION 0x5 for a handle that is none ---- */

/** @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, the pages of the routines. NULL: none such */
WDFAPI WDFDEVICE      WdfWdmDeviceGetWdfDeviceHandle(PDEVICE_OBJECT DeviceObject);
WDFAPI PDEVICE_OBJECT WdfDeviceWdmGetDeviceObject(WDFDEVICE Device);
WDFAPI PDEVICE_OBJECT WdfDeviceWdmGetAttachedDevice(WDFDEVICE Device); /* the one below */
WDFAPI PDEVICE_OBJECT WdfDeviceWdmGetPhysicalDevice(WDFDEVICE Device);
WDFAPI WDFDRIVER      WdfDeviceGetDriver(WDFDEVICE Device);
/** @param AlignmentRequirement FILE_..._ALIGNMENT @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI VOID  WdfDeviceSetAlignmentRequirement(WDFDEVICE Device, ULONG AlignmentRequirement);
WDFAPI ULONG WdfDeviceGetAlignmentRequirement(WDFDEVICE Device);
WDFAPI VOID  WdfDeviceSetCharacteristics(WDFDEVICE Device, ULONG DeviceCharacteristics);
WDFAPI ULONG WdfDeviceGetCharacteristics(WDFDEVICE Device);

/** @models the states that the device rests in: ObjectCreated, Started, Stopped, Removed ...; D0 and Dx @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI WDF_DEVICE_PNP_STATE   WdfDeviceGetDevicePnpState(WDFDEVICE Device);
WDFAPI WDF_DEVICE_POWER_STATE WdfDeviceGetDevicePowerState(WDFDEVICE Device);
/** What IRP_MN_QUERY_PNP_DEVICE_STATE answers; the PnP manager is told to ask. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI VOID WdfDeviceGetDeviceState(WDFDEVICE Device, PWDF_DEVICE_STATE DeviceState);
WDFAPI VOID WdfDeviceSetDeviceState(WDFDEVICE Device, PWDF_DEVICE_STATE DeviceState);
/** Its next start fails. @models nothing restarts it @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceSetFailed */
WDFAPI VOID WdfDeviceSetFailed(WDFDEVICE Device, WDF_DEVICE_FAILED_ACTION FailedAction);
/** IRP_MN_QUERY_STOP_DEVICE and IRP_MN_QUERY_REMOVE_DEVICE fail while it is FALSE. @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceSetStaticStopRemove */
WDFAPI VOID WdfDeviceSetStaticStopRemove(WDFDEVICE Device, BOOLEAN Stoppable);
/** What IRP_MN_QUERY_CAPABILITIES answers. A structure of another Size is not taken, and ntmm_error() says so. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI VOID WdfDeviceSetPnpCapabilities(WDFDEVICE Device, PWDF_DEVICE_PNP_CAPABILITIES PnpCapabilities);
WDFAPI VOID WdfDeviceSetPowerCapabilities(WDFDEVICE Device, PWDF_DEVICE_POWER_CAPABILITIES PowerCapabilities);
/** What IRP_MN_QUERY_BUS_INFORMATION answers for each of its children. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceSetBusInformationForChildren */
WDFAPI VOID WdfDeviceSetBusInformationForChildren(WDFDEVICE Device, PPNP_BUS_INFORMATION BusInformation);
/** Another device goes when this one is removed. @return STATUS_DUPLICATE_OBJECTID: it is named already; STATUS_INSUFFICIENT_RESOURCES
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, the pages of the routines */
WDFAPI NTSTATUS WdfDeviceAddRemovalRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice);
WDFAPI VOID     WdfDeviceRemoveRemovalRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice);
WDFAPI VOID     WdfDeviceClearRemovalRelationsDevices(WDFDEVICE Device);
/** @models accepted and ignored @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceSetSpecialFileSupport */
WDFAPI VOID WdfDeviceSetSpecialFileSupport(WDFDEVICE Device, WDF_SPECIAL_FILE_TYPE FileType, BOOLEAN FileTypeIsSupported);

/**
 * The device is powered down when nobody has used it for a while: no request in a power-managed queue, no WdfDeviceStopIdle.
 *
 * @param Settings  IdleTimeout in milliseconds of the machine's time, 0: five seconds; DxState PowerDeviceMaximum: D3; Enabled WdfUseDefault: yes
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER: a value that is none, PowerUpIdleDeviceOnSystemWake for a device that can wake;
 *         STATUS_INVALID_DEVICE_REQUEST: not the power policy owner
 * @models a timeout that the system manages is five seconds; user control, PowerUpIdleDeviceOnSystemWake and ExcludeD3Cold are accepted and ignored
 * @irql PASSIVE_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceAssignS0IdleSettings
 */
WDFAPI NTSTATUS WdfDeviceAssignS0IdleSettings(WDFDEVICE Device, PWDF_DEVICE_POWER_POLICY_IDLE_SETTINGS Settings);
/** @return STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_PARAMETER @models accepted and ignored: the device wakes nobody from Sx
 *  @irql PASSIVE_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceAssignSxWakeSettings */
WDFAPI NTSTATUS WdfDeviceAssignSxWakeSettings(WDFDEVICE Device, PWDF_DEVICE_POWER_POLICY_WAKE_SETTINGS Settings);

/* ---- idleness ---- */

/**
 * The device is needed until WdfDeviceResumeIdle, and powered up if it sleeps.
 *
 * @param WaitForD0  until it is; not from callbacks of Plug and Play and power
 * @return STATUS_SUCCESS: it is in D0; STATUS_PENDING: it comes there. STATUS_POWER_STATE_INVALID: it is not started, has been powered down by
 *         somebody else, or cannot be powered up; STATUS_INVALID_DEVICE_STATE: not the power policy owner. After these two, no WdfDeviceResumeIdle
 * @irql <= DISPATCH_LEVEL; PASSIVE_LEVEL with WaitForD0 @models tags are not kept @source WDK reference: wdfdevice.h, WdfDeviceStopIdle
 */
WDFAPI NTSTATUS WdfDeviceStopIdleNoTrack(WDFDEVICE Device, BOOLEAN WaitForD0);
WDFAPI NTSTATUS WdfDeviceStopIdleActual(WDFDEVICE Device, BOOLEAN WaitForD0, PVOID Tag, LONG Line, PCCH File);
/** Once for each success of WdfDeviceStopIdle; without one: a break. @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceResumeIdle */
WDFAPI VOID WdfDeviceResumeIdleNoTrack(WDFDEVICE Device);
WDFAPI VOID WdfDeviceResumeIdleActual(WDFDEVICE Device, PVOID Tag, LONG Line, PCCH File);
#define WdfDeviceStopIdle(Device, WaitForD0) WdfDeviceStopIdleWithTag(Device, WaitForD0, WDF_NULL_POINTER)
#define WdfDeviceStopIdleWithTag(Device, WaitForD0, Tag) WdfDeviceStopIdleActual(Device, WaitForD0, Tag, __LINE__, __FILE__)
#define WdfDeviceResumeIdle(Device) WdfDeviceResumeIdleWithTag(Device, WDF_NULL_POINTER)
#define WdfDeviceResumeIdleWithTag(Device, Tag) WdfDeviceResumeIdleActual(Device, Tag, __LINE__, __FILE__)

/**
 * The wake signal of a device that sleeps and was armed: it is powered up, and EvtDeviceWakeFromS0Triggered called if the status is a success.
 *
 * @return STATUS_INVALID_PARAMETER: STATUS_PENDING, STATUS_CANCELLED; STATUS_INVALID_DEVICE_REQUEST: it is not armed, or was woken
 * @irql <= DISPATCH_LEVEL @models for the device itself (docs/fidelity.md) @source WDK reference: wdfdevice.h, WdfDeviceIndicateWakeStatus
 */
WDFAPI NTSTATUS WdfDeviceIndicateWakeStatus(WDFDEVICE Device, NTSTATUS WaitWakeStatus);

/* ---- keys and properties; all of them at PASSIVE_LEVEL ---- */

/**
 * The key of the physical device, or of its driver, as an object that the driver is the parent of.
 *
 * @param DeviceInstanceKeyType  PLUGPLAY_REGKEY_DEVICE or PLUGPLAY_REGKEY_DRIVER
 * @param KeyAttributes          or NULL, without a ParentObject
 * @return STATUS_INVALID_DEVICE_REQUEST: a control device; as IoOpenDeviceRegistryKey; STATUS_INSUFFICIENT_RESOURCES
 * @bugcheck  WDF_VIOLATION 0x4: Key is NULL; PNP_DETECTED_FATAL_ERROR 2: no bus has reported the device
 * @source WDK reference: wdfdevice.h, WdfDeviceOpenRegistryKey
 */
WDFAPI NTSTATUS WdfDeviceOpenRegistryKey(WDFDEVICE Device, ULONG DeviceInstanceKeyType, ACCESS_MASK DesiredAccess,
                                         PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
/** A key of `\Registry\Machine\Hardware\DeviceMap`; made if need be, and volatile. @param KeyName below that
 *  @return STATUS_INVALID_PARAMETER: empty, or no string; STATUS_BUFFER_TOO_SMALL: the whole path has more than 256 characters
 *  @source WDK reference: wdfdevice.h, WdfDeviceOpenDevicemapKey */
WDFAPI NTSTATUS WdfDeviceOpenDevicemapKey(WDFDEVICE Device, PCUNICODE_STRING KeyName, ACCESS_MASK DesiredAccess,
                                          PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
/** IoGetDeviceProperty of the physical device. @param BufferLength bytes @param ResultLength out: bytes that the property has
 *  @return STATUS_INVALID_DEVICE_REQUEST: a control device; as IoGetDeviceProperty @source WDK reference: wdfdevice.h, WdfDeviceQueryProperty */
WDFAPI NTSTATUS WdfDeviceQueryProperty(WDFDEVICE Device, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength, PVOID PropertyBuffer,
                                       PULONG ResultLength);
/** The same as a new memory object, whose parent is the driver unless the attributes name one; NULL on failure, and for a property of no bytes.
 *  @source WDK reference: wdfdevice.h, WdfDeviceAllocAndQueryProperty */
WDFAPI NTSTATUS WdfDeviceAllocAndQueryProperty(WDFDEVICE Device, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                               PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory);

/* Properties by key. */
typedef struct _WDF_DEVICE_PROPERTY_DATA {
    ULONG             Size;
    const DEVPROPKEY *PropertyKey;
    LCID              Lcid;  /* LOCALE_NEUTRAL, or a language's */
    ULONG             Flags; /* 0 or PLUGPLAY_PROPERTY_PERSISTENT */
} WDF_DEVICE_PROPERTY_DATA, *PWDF_DEVICE_PROPERTY_DATA;
NTMM_LAYOUT(sizeof(WDF_DEVICE_PROPERTY_DATA) == 24 && FIELD_OFFSET(WDF_DEVICE_PROPERTY_DATA, Lcid) == 16, "WDF_DEVICE_PROPERTY_DATA, x64");
FORCEINLINE VOID WDF_DEVICE_PROPERTY_DATA_INIT(PWDF_DEVICE_PROPERTY_DATA PropertyData, const DEVPROPKEY *PropertyKey)
{
    RtlZeroMemory(PropertyData, sizeof *PropertyData);
    PropertyData->Size = WDF_STRUCTURE_SIZE(WDF_DEVICE_PROPERTY_DATA);
    PropertyData->PropertyKey = PropertyKey;
}

/**
 * IoGetDevicePropertyData of the physical device.
 *
 * @param BufferLength  bytes; 0 if, and only if, PropertyBuffer is NULL: else STATUS_INVALID_PARAMETER
 * @param RequiredSize  out: bytes that the property has
 * @param Type          out: DEVPROP_TYPE_*
 * @return STATUS_INFO_LENGTH_MISMATCH: Size of DeviceProperty; STATUS_INVALID_DEVICE_REQUEST: a control device; as IoGetDevicePropertyData
 * @irql      <= APC_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: a pointer is NULL
 * @source    WDK reference: wdfdevice.h, WdfDeviceQueryPropertyEx
 */
WDFAPI NTSTATUS WdfDeviceQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, ULONG BufferLength,
                                         PVOID PropertyBuffer, PULONG RequiredSize, PDEVPROPTYPE Type);
/** The same as a new memory object, as WdfDeviceAllocAndQueryProperty makes one. @irql <= APC_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceAllocAndQueryPropertyEx */
WDFAPI NTSTATUS WdfDeviceAllocAndQueryPropertyEx(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                                 PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory,
                                                 PDEVPROPTYPE Type);
/** IoSetDevicePropertyData of the physical device. @param BufferLength bytes; 0 with a buffer is STATUS_INVALID_PARAMETER
 *  @param PropertyBuffer NULL: the property is deleted @return as WdfDeviceQueryPropertyEx, and IoSetDevicePropertyData @irql <= APC_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceAssignProperty */
WDFAPI NTSTATUS WdfDeviceAssignProperty(WDFDEVICE Device, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, DEVPROPTYPE Type, ULONG BufferLength,
                                        PVOID PropertyBuffer);

/* ---- names ---- */

/** To the device's name, or else to that of its physical device; deleted when the device goes. @return STATUS_INVALID_DEVICE_REQUEST: an empty name, or
 *  it has one; STATUS_INVALID_DEVICE_STATE: a control device without a name; STATUS_INVALID_PARAMETER: no string; as IoCreateSymbolicLink;
 *  STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceCreateSymbolicLink */
WDFAPI NTSTATUS WdfDeviceCreateSymbolicLink(WDFDEVICE Device, PCUNICODE_STRING SymbolicLinkName);
/** @return STATUS_INVALID_DEVICE_REQUEST: it has no name; STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceRetrieveDeviceName */
WDFAPI NTSTATUS WdfDeviceRetrieveDeviceName(WDFDEVICE Device, WDFSTRING String);
/** Registered with the physical device; enabled when the device is started, disabled when it is removed. One that is made later the driver enables.
 *  @param ReferenceString or NULL @return STATUS_INVALID_DEVICE_REQUEST: a control device; STATUS_INVALID_PARAMETER: no string; as
 *  IoRegisterDeviceInterface @irql PASSIVE_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceCreateDeviceInterface */
WDFAPI NTSTATUS WdfDeviceCreateDeviceInterface(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString);
/** At once. An interface that there is not: nothing happens, and ntmm_error() says so. A control device, or a string that is none: a break.
 *  @irql PASSIVE_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceSetDeviceInterfaceState */
WDFAPI VOID WdfDeviceSetDeviceInterfaceState(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                             BOOLEAN IsInterfaceEnabled);
/** The same; and a start of the device does not enable it any more. @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceSetDeviceInterfaceStateEx */
WDFAPI VOID WdfDeviceSetDeviceInterfaceStateEx(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                               BOOLEAN EnableInterface);
/** The symbolic link by which the interface is opened. @return STATUS_OBJECT_NAME_NOT_FOUND: there is no such interface;
 *  STATUS_INVALID_DEVICE_STATE: it is a bus driver's child that the PnP manager does not know yet; STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfdevice.h, WdfDeviceRetrieveDeviceInterfaceString */
WDFAPI NTSTATUS WdfDeviceRetrieveDeviceInterfaceString(WDFDEVICE Device, CONST GUID *InterfaceClassGUID, PCUNICODE_STRING ReferenceString,
                                                       WDFSTRING String);
/** Copied; once. @return STATUS_INVALID_DEVICE_REQUEST: it has one; STATUS_INVALID_PARAMETER: no string; STATUS_INSUFFICIENT_RESOURCES
 *  @irql PASSIVE_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceAssignMofResourceName */
WDFAPI NTSTATUS WdfDeviceAssignMofResourceName(WDFDEVICE Device, PCUNICODE_STRING MofResourceName);

/* ---- IRPs of the driver's own ---- */

/** From EvtDeviceWdmIrpPreprocess: the framework goes on with the IRP, whose stack location is the next one. @return what a dispatch routine
 *  returns @irql <= DISPATCH_LEVEL @source WDK reference: wdfdevice.h, WdfDeviceWdmDispatchPreprocessedIrp */
WDFAPI NTSTATUS WdfDeviceWdmDispatchPreprocessedIrp(WDFDEVICE Device, PIRP Irp);

/* ---- requests: see wdfio.h, wdfrequest.h, wdffileobject.h, wdfiotarget.h ---- */

WDFAPI WDFQUEUE      WdfDeviceGetDefaultQueue(WDFDEVICE Device);
WDFAPI WDFIOTARGET   WdfDeviceGetIoTarget(WDFDEVICE Device);
WDFAPI WDFFILEOBJECT WdfDeviceGetFileObject(WDFDEVICE Device, PFILE_OBJECT FileObject);
WDFAPI NTSTATUS      WdfDeviceEnqueueRequest(WDFDEVICE Device, WDFREQUEST Request);

WDF_EXTERN_C_END
#endif
