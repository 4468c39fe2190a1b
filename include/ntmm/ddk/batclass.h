/*
 * batclass.h - the battery class driver as a miniport sees it. The class driver is another driver, and absent: the types and prototypes let
 * miniports compile, and a test that links one defines BatteryClassInitializeDevice and its companions itself.
 *
 * Source  WDK reference: batclass.h, BATTERY_MINIPORT_INFO, BATTERY_MINIPORT_INFO_V1_1, the page of each routine.
 */
#include "poclass.h"

DEFINE_GUID(BATTERY_STATUS_WMI_GUID, 0xFC4670D1, 0xEBBF, 0x416E, 0x87, 0xCE, 0x37, 0x4A, 0x4E, 0xBC, 0x11, 0x1A);
DEFINE_GUID(BATTERY_RUNTIME_WMI_GUID, 0x535A3767, 0x1AC2, 0x49BC, 0xA0, 0x77, 0x3F, 0x7A, 0x02, 0xE4, 0x0A, 0xEC);
DEFINE_GUID(BATTERY_TEMPERATURE_WMI_GUID, 0x1A52A14D, 0xADCE, 0x4A44, 0x9A, 0x3E, 0xC8, 0xD8, 0xF1, 0x5F, 0xF2, 0xC2);
DEFINE_GUID(BATTERY_FULL_CHARGED_CAPACITY_WMI_GUID, 0x40B40565, 0x96F7, 0x4435, 0x86, 0x94, 0x97, 0xE0, 0xE4, 0x39, 0x59, 0x05);
DEFINE_GUID(BATTERY_CYCLE_COUNT_WMI_GUID, 0xEF98DB24, 0x0014, 0x4C25, 0xA5, 0x0B, 0xC7, 0x24, 0xAE, 0x5C, 0xD3, 0x71);
DEFINE_GUID(BATTERY_STATIC_DATA_WMI_GUID, 0x05E1E463, 0xE4E2, 0x4EA9, 0x80, 0xCB, 0x9B, 0xD4, 0xB3, 0xCA, 0x06, 0x55);
DEFINE_GUID(BATTERY_STATUS_CHANGE_WMI_GUID, 0xCDDFA0C3, 0x7C5B, 0x4E43, 0xA0, 0x34, 0x05, 0x9F, 0xA5, 0xB8, 0x43, 0x64);
DEFINE_GUID(BATTERY_TAG_CHANGE_WMI_GUID, 0x5E1F6E19, 0x8786, 0x4D23, 0x94, 0xFC, 0x9E, 0x74, 0x6B, 0xD5, 0xD8, 0x88);

#ifndef NTMM_DDK_BATCLASS_H
#define NTMM_DDK_BATCLASS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ULONG PowerState, LowCapacity, HighCapacity;
} BATTERY_NOTIFY, *PBATTERY_NOTIFY;

typedef NTSTATUS                   BCLASS_QUERY_TAG_CALLBACK(PVOID Context, PULONG BatteryTag);
typedef BCLASS_QUERY_TAG_CALLBACK *PBCLASS_QUERY_TAG_CALLBACK, *BCLASS_QUERY_TAG;
typedef NTSTATUS BCLASS_QUERY_INFORMATION_CALLBACK(PVOID Context, ULONG BatteryTag, BATTERY_QUERY_INFORMATION_LEVEL Level, LONG AtRate,
                                                   PVOID Buffer, ULONG BufferLength, PULONG ReturnedLength);
typedef BCLASS_QUERY_INFORMATION_CALLBACK *PBCLASS_QUERY_INFORMATION_CALLBACK, *BCLASS_QUERY_INFORMATION;
typedef NTSTATUS                           BCLASS_QUERY_STATUS_CALLBACK(PVOID Context, ULONG BatteryTag, PBATTERY_STATUS BatteryStatus);
typedef BCLASS_QUERY_STATUS_CALLBACK      *PBCLASS_QUERY_STATUS_CALLBACK, *BCLASS_QUERY_STATUS;
typedef NTSTATUS BCLASS_SET_STATUS_NOTIFY_CALLBACK(PVOID Context, ULONG BatteryTag, PBATTERY_NOTIFY BatteryNotify);
typedef BCLASS_SET_STATUS_NOTIFY_CALLBACK *PBCLASS_SET_STATUS_NOTIFY_CALLBACK, *BCLASS_SET_STATUS_NOTIFY;
typedef NTSTATUS BCLASS_SET_INFORMATION_CALLBACK(PVOID Context, ULONG BatteryTag, BATTERY_SET_INFORMATION_LEVEL Level, PVOID Buffer);
typedef BCLASS_SET_INFORMATION_CALLBACK       *PBCLASS_SET_INFORMATION_CALLBACK, *BCLASS_SET_INFORMATION;
typedef NTSTATUS                               BCLASS_DISABLE_STATUS_NOTIFY_CALLBACK(PVOID Context);
typedef BCLASS_DISABLE_STATUS_NOTIFY_CALLBACK *PBCLASS_DISABLE_STATUS_NOTIFY_CALLBACK, *BCLASS_DISABLE_STATUS_NOTIFY;

#define BATTERY_CLASS_MAJOR_VERSION 0x0001
#define BATTERY_CLASS_MINOR_VERSION 0x0000
#define BATTERY_CLASS_MINOR_VERSION_1 0x0001
#define NTMM_BATTERY_MINIPORT \
    USHORT                       MajorVersion, MinorVersion; \
    PVOID                        Context; /* for each of the callbacks */ \
    BCLASS_QUERY_TAG             QueryTag; \
    BCLASS_QUERY_INFORMATION     QueryInformation; \
    BCLASS_SET_INFORMATION       SetInformation; \
    BCLASS_QUERY_STATUS          QueryStatus; \
    BCLASS_SET_STATUS_NOTIFY     SetStatusNotify; \
    BCLASS_DISABLE_STATUS_NOTIFY DisableStatusNotify; \
    PDEVICE_OBJECT               Pdo; \
    PUNICODE_STRING              DeviceName
typedef struct {
    NTMM_BATTERY_MINIPORT;
} BATTERY_MINIPORT_INFO, *PBATTERY_MINIPORT_INFO;
typedef struct {
    NTMM_BATTERY_MINIPORT;
    PDEVICE_OBJECT Fdo;
} BATTERY_MINIPORT_INFO_V1_1, *PBATTERY_MINIPORT_INFO_V1_1;
#undef NTMM_BATTERY_MINIPORT

NTSTATUS BatteryClassInitializeDevice(PBATTERY_MINIPORT_INFO MiniportInfo, PVOID *ClassData);
NTSTATUS BatteryClassUnload(PVOID ClassData);
NTSTATUS BatteryClassIoctl(PVOID ClassData, PIRP Irp);
NTSTATUS BatteryClassSystemControl(PVOID ClassData, PVOID WmiLibContext, PDEVICE_OBJECT DeviceObject, PIRP Irp, PVOID Disposition);
NTSTATUS BatteryClassQueryWmiDataBlock(PVOID ClassData, PDEVICE_OBJECT DeviceObject, PIRP Irp, ULONG GuidIndex, PULONG InstanceLengthArray,
                                       ULONG OutBufferSize, PUCHAR Buffer);
NTSTATUS BatteryClassStatusNotify(PVOID ClassData);

/* ---- data blocks of Windows management instrumentation ---- */
typedef struct _BATTERY_WMI_STATUS {
    ULONG   Tag, RemainingCapacity;
    LONG    ChargeRate, DischargeRate;
    ULONG   Voltage;
    BOOLEAN PowerOnline, Charging, Discharging, Critical;
} BATTERY_WMI_STATUS, *PBATTERY_WMI_STATUS;
typedef struct _BATTERY_WMI_RUNTIME {
    ULONG Tag, EstimatedRuntime;
} BATTERY_WMI_RUNTIME, *PBATTERY_WMI_RUNTIME;
typedef struct _BATTERY_WMI_TEMPERATURE {
    ULONG Tag, Temperature;
} BATTERY_WMI_TEMPERATURE, *PBATTERY_WMI_TEMPERATURE;
typedef struct _BATTERY_WMI_FULL_CHARGED_CAPACITY {
    ULONG Tag, FullChargedCapacity;
} BATTERY_WMI_FULL_CHARGED_CAPACITY, *PBATTERY_WMI_FULL_CHARGED_CAPACITY;
typedef struct _BATTERY_WMI_CYCLE_COUNT {
    ULONG Tag, CycleCount;
} BATTERY_WMI_CYCLE_COUNT, *PBATTERY_WMI_CYCLE_COUNT;
typedef struct _BATTERY_WMI_STATUS_CHANGE {
    ULONG   Tag;
    BOOLEAN PowerOnline, Charging, Discharging, Critical;
} BATTERY_WMI_STATUS_CHANGE, *PBATTERY_WMI_STATUS_CHANGE;
typedef struct _BATTERY_TAG_CHANGE {
    ULONG Tag;
} BATTERY_TAG_CHANGE, *PBATTERY_TAG_CHANGE;

#ifdef __cplusplus
}
#endif
#endif
