/*
 * pnp_types.h - what Plug and Play asks of a driver and tells it: capabilities, relations, states, properties, notifications.
 * Types and numbers; which routines take them is in docs/fidelity.md.
 *
 * Source  WDK reference: wdm.h, DEVICE_CAPABILITIES, DEVICE_RELATIONS, PNP_BUS_INFORMATION, IoRegisterPlugPlayNotification, IoGetDeviceProperty
 *         and the pages of the other structures; x64 layouts. Checked against mingw-w64's by headers_compare.
 */
#ifndef NTMM_DDK_WDM_PNP_TYPES_H
#define NTMM_DDK_WDM_PNP_TYPES_H

#include "irp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- IRP_MN_QUERY_CAPABILITIES ---- */
typedef struct _DEVICE_CAPABILITIES {
    USHORT             Size, Version; /* sizeof(DEVICE_CAPABILITIES), 1 */
    ULONG              DeviceD1 : 1;
    ULONG              DeviceD2 : 1;
    ULONG              LockSupported : 1;
    ULONG              EjectSupported : 1;
    ULONG              Removable : 1;
    ULONG              DockDevice : 1;
    ULONG              UniqueID : 1;
    ULONG              SilentInstall : 1;
    ULONG              RawDeviceOK : 1;
    ULONG              SurpriseRemovalOK : 1;
    ULONG              WakeFromD0 : 1;
    ULONG              WakeFromD1 : 1;
    ULONG              WakeFromD2 : 1;
    ULONG              WakeFromD3 : 1;
    ULONG              HardwareDisabled : 1;
    ULONG              NonDynamic : 1;
    ULONG              WarmEjectSupported : 1;
    ULONG              NoDisplayInUI : 1;
    ULONG              Reserved1 : 1;
    ULONG              WakeFromInterrupt : 1;
    ULONG              SecureDevice : 1;
    ULONG              ChildOfVgaEnabledBridge : 1;
    ULONG              DecodeIoOnBoot : 1;
    ULONG              Reserved : 9;
    ULONG              Address;  /* on its bus; ~0: it has none */
    ULONG              UINumber; /* ~0: it has none */
    DEVICE_POWER_STATE DeviceState[POWER_SYSTEM_MAXIMUM];
    SYSTEM_POWER_STATE SystemWake;
    DEVICE_POWER_STATE DeviceWake;
    ULONG              D1Latency, D2Latency, D3Latency; /* 100 us */
} DEVICE_CAPABILITIES, *PDEVICE_CAPABILITIES;
NTMM_LAYOUT(sizeof(DEVICE_CAPABILITIES) == 64 && FIELD_OFFSET(DEVICE_CAPABILITIES, DeviceState) == 16, "DEVICE_CAPABILITIES, x64");

/* ---- IRP_MN_QUERY_DEVICE_RELATIONS: each object is referenced for whoever asked ---- */
typedef struct _DEVICE_RELATIONS {
    ULONG          Count;
    PDEVICE_OBJECT Objects[1];
} DEVICE_RELATIONS, *PDEVICE_RELATIONS;

/* ---- IRP_MN_QUERY_PNP_DEVICE_STATE ---- */
typedef ULONG PNP_DEVICE_STATE, *PPNP_DEVICE_STATE;
#define PNP_DEVICE_DISABLED 0x00000001
#define PNP_DEVICE_DONT_DISPLAY_IN_UI 0x00000002
#define PNP_DEVICE_FAILED 0x00000004
#define PNP_DEVICE_REMOVED 0x00000008
#define PNP_DEVICE_RESOURCE_REQUIREMENTS_CHANGED 0x00000010
#define PNP_DEVICE_NOT_DISABLEABLE 0x00000020
#define PNP_DEVICE_DISCONNECTED 0x00000040
#define PNP_DEVICE_RESOURCE_UPDATED 0x00000080
#define PNP_DEVICE_ASSIGNED_TO_GUEST 0x00000100

/* ---- IRP_MN_QUERY_BUS_INFORMATION, IRP_MN_QUERY_LEGACY_BUS_INFORMATION ---- */
typedef struct _PNP_BUS_INFORMATION {
    GUID           BusTypeGuid;
    INTERFACE_TYPE LegacyBusType;
    ULONG          BusNumber;
} PNP_BUS_INFORMATION, *PPNP_BUS_INFORMATION;
typedef struct _LEGACY_BUS_INFORMATION {
    GUID           BusTypeGuid;
    INTERFACE_TYPE LegacyBusType;
    ULONG          BusNumber;
} LEGACY_BUS_INFORMATION, *PLEGACY_BUS_INFORMATION;

/* ---- properties of devices ---- */
typedef enum {
    DevicePropertyDeviceDescription,
    DevicePropertyHardwareID,
    DevicePropertyCompatibleIDs,
    DevicePropertyBootConfiguration,
    DevicePropertyBootConfigurationTranslated,
    DevicePropertyClassName,
    DevicePropertyClassGuid,
    DevicePropertyDriverKeyName,
    DevicePropertyManufacturer,
    DevicePropertyFriendlyName,
    DevicePropertyLocationInformation,
    DevicePropertyPhysicalDeviceObjectName,
    DevicePropertyBusTypeGuid,
    DevicePropertyLegacyBusType,
    DevicePropertyBusNumber,
    DevicePropertyEnumeratorName,
    DevicePropertyAddress,
    DevicePropertyUINumber,
    DevicePropertyInstallState,
    DevicePropertyRemovalPolicy,
    DevicePropertyResourceRequirements,
    DevicePropertyAllocatedResources,
    DevicePropertyContainerID
} DEVICE_REGISTRY_PROPERTY;
typedef enum _DEVICE_INSTALL_STATE {
    InstallStateInstalled,
    InstallStateNeedsReinstall,
    InstallStateFailedInstall,
    InstallStateFinishInstall
} DEVICE_INSTALL_STATE,
    *PDEVICE_INSTALL_STATE;
typedef enum _DEVICE_REMOVAL_POLICY {
    RemovalPolicyExpectNoRemoval = 1,
    RemovalPolicyExpectOrderlyRemoval = 2,
    RemovalPolicyExpectSurpriseRemoval = 3
} DEVICE_REMOVAL_POLICY,
    *PDEVICE_REMOVAL_POLICY;

typedef enum _DRIVER_REGKEY_TYPE {
    DriverRegKeyParameters,
    DriverRegKeyPersistentState,
    DriverRegKeySharedPersistentState
} DRIVER_REGKEY_TYPE,
    *PDRIVER_REGKEY_TYPE;
typedef enum _DRIVER_DIRECTORY_TYPE {
    DriverDirectoryImage,
    DriverDirectoryData,
    DriverDirectorySharedData
} DRIVER_DIRECTORY_TYPE,
    *PDRIVER_DIRECTORY_TYPE;
typedef enum _DEVICE_DIRECTORY_TYPE { DeviceDirectoryData } DEVICE_DIRECTORY_TYPE, *PDEVICE_DIRECTORY_TYPE;

#define DEVICE_INTERFACE_INCLUDE_NONACTIVE 0x00000001

/* ---- notifications: every structure begins as the first one ---- */
typedef enum _IO_NOTIFICATION_EVENT_CATEGORY {
    EventCategoryReserved,
    EventCategoryHardwareProfileChange,
    EventCategoryDeviceInterfaceChange,
    EventCategoryTargetDeviceChange,
    EventCategoryKernelSoftRestart
} IO_NOTIFICATION_EVENT_CATEGORY;
typedef NTSTATUS                              DRIVER_NOTIFICATION_CALLBACK_ROUTINE(PVOID NotificationStructure, PVOID Context);
typedef DRIVER_NOTIFICATION_CALLBACK_ROUTINE *PDRIVER_NOTIFICATION_CALLBACK_ROUTINE;
typedef VOID                                  DEVICE_CHANGE_COMPLETE_CALLBACK(PVOID Context);
typedef DEVICE_CHANGE_COMPLETE_CALLBACK      *PDEVICE_CHANGE_COMPLETE_CALLBACK;

typedef struct _PLUGPLAY_NOTIFICATION_HEADER {
    USHORT Version, Size; /* 1, bytes of the structure that it begins */
    GUID   Event;         /* GUID_* of wdmguid.h */
} PLUGPLAY_NOTIFICATION_HEADER, *PPLUGPLAY_NOTIFICATION_HEADER;
typedef struct _DEVICE_INTERFACE_CHANGE_NOTIFICATION {
    USHORT          Version, Size;
    GUID            Event;
    GUID            InterfaceClassGuid;
    PUNICODE_STRING SymbolicLinkName;
} DEVICE_INTERFACE_CHANGE_NOTIFICATION, *PDEVICE_INTERFACE_CHANGE_NOTIFICATION;
typedef struct _HWPROFILE_CHANGE_NOTIFICATION {
    USHORT Version, Size;
    GUID   Event;
} HWPROFILE_CHANGE_NOTIFICATION, *PHWPROFILE_CHANGE_NOTIFICATION;
typedef struct _TARGET_DEVICE_REMOVAL_NOTIFICATION {
    USHORT       Version, Size;
    GUID         Event;
    PFILE_OBJECT FileObject;
} TARGET_DEVICE_REMOVAL_NOTIFICATION, *PTARGET_DEVICE_REMOVAL_NOTIFICATION;
typedef struct _TARGET_DEVICE_CUSTOM_NOTIFICATION {
    USHORT       Version, Size;
    GUID         Event;
    PFILE_OBJECT FileObject;
    LONG         NameBufferOffset; /* bytes into CustomDataBuffer; -1: there is no text */
    UCHAR        CustomDataBuffer[1];
} TARGET_DEVICE_CUSTOM_NOTIFICATION, *PTARGET_DEVICE_CUSTOM_NOTIFICATION;
NTMM_LAYOUT(sizeof(DEVICE_INTERFACE_CHANGE_NOTIFICATION) == 48 && sizeof(TARGET_DEVICE_CUSTOM_NOTIFICATION) == 40, "notifications, x64");

typedef VOID                      IO_DEVICE_EJECT_CALLBACK(NTSTATUS Status, PVOID Context);
typedef IO_DEVICE_EJECT_CALLBACK *PIO_DEVICE_EJECT_CALLBACK;

/* ---- kinds of services in the registry: what starts a driver, and when ---- */
#define SERVICE_KERNEL_DRIVER 0x00000001
#define SERVICE_FILE_SYSTEM_DRIVER 0x00000002
#define SERVICE_ADAPTER 0x00000004
#define SERVICE_RECOGNIZER_DRIVER 0x00000008
#define SERVICE_DRIVER (SERVICE_KERNEL_DRIVER | SERVICE_FILE_SYSTEM_DRIVER | SERVICE_RECOGNIZER_DRIVER)
#define SERVICE_WIN32_OWN_PROCESS 0x00000010
#define SERVICE_WIN32_SHARE_PROCESS 0x00000020
#define SERVICE_WIN32 (SERVICE_WIN32_OWN_PROCESS | SERVICE_WIN32_SHARE_PROCESS)
#define SERVICE_INTERACTIVE_PROCESS 0x00000100
#define SERVICE_BOOT_START 0x00000000
#define SERVICE_SYSTEM_START 0x00000001
#define SERVICE_AUTO_START 0x00000002
#define SERVICE_DEMAND_START 0x00000003
#define SERVICE_DISABLED 0x00000004
#define SERVICE_ERROR_IGNORE 0x00000000
#define SERVICE_ERROR_NORMAL 0x00000001
#define SERVICE_ERROR_SEVERE 0x00000002
#define SERVICE_ERROR_CRITICAL 0x00000003
typedef enum _CM_SERVICE_NODE_TYPE {
    DriverType = SERVICE_KERNEL_DRIVER,
    FileSystemType = SERVICE_FILE_SYSTEM_DRIVER,
    Win32ServiceOwnProcess = SERVICE_WIN32_OWN_PROCESS,
    Win32ServiceShareProcess = SERVICE_WIN32_SHARE_PROCESS,
    AdapterType = SERVICE_ADAPTER,
    RecognizerType = SERVICE_RECOGNIZER_DRIVER
} SERVICE_NODE_TYPE;
typedef enum _CM_SERVICE_LOAD_TYPE {
    BootLoad = SERVICE_BOOT_START,
    SystemLoad = SERVICE_SYSTEM_START,
    AutoLoad = SERVICE_AUTO_START,
    DemandLoad = SERVICE_DEMAND_START,
    DisableLoad = SERVICE_DISABLED
} SERVICE_LOAD_TYPE;
typedef enum _CM_ERROR_CONTROL_TYPE {
    IgnoreError = SERVICE_ERROR_IGNORE,
    NormalError = SERVICE_ERROR_NORMAL,
    SevereError = SERVICE_ERROR_SEVERE,
    CriticalError = SERVICE_ERROR_CRITICAL
} SERVICE_ERROR_TYPE;

#ifdef __cplusplus
}
#endif
#endif
