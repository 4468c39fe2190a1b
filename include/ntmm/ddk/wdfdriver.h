/*
 * wdfdriver.h - the driver as an object: the root of everything that it makes.
 *
 * Source  WDK reference: wdfdriver.h; KMDF 1.33 headers (layouts).
 */
#ifndef NTMM_DDK_WDFDRIVER_H
#define NTMM_DDK_WDFDRIVER_H

#include "wdfobject.h"

WDF_EXTERN_C_START

typedef enum _WDF_DRIVER_INIT_FLAGS {
    WdfDriverInitNonPnpDriver = 1,       /* no AddDevice */
    WdfDriverInitNoDispatchOverride = 2, /* the DRIVER_OBJECT stays as it is: a miniport's */
    WdfVerifyOn = 4,
    WdfVerifierOn = 8,
    WdfDriverInitCompanion = 16
} WDF_DRIVER_INIT_FLAGS;

#define WDF_TRACE_ID NTMM_TAG("CART") /* 'TRAC' */

typedef NTSTATUS                   EVT_WDF_DRIVER_DEVICE_ADD(WDFDRIVER Driver, PWDFDEVICE_INIT DeviceInit);
typedef EVT_WDF_DRIVER_DEVICE_ADD *PFN_WDF_DRIVER_DEVICE_ADD;
typedef VOID                       EVT_WDF_DRIVER_UNLOAD(WDFDRIVER Driver);
typedef EVT_WDF_DRIVER_UNLOAD     *PFN_WDF_DRIVER_UNLOAD;
typedef NTSTATUS EVT_WDF_TRACE_CALLBACK(UCHAR minorFunction, PVOID dataPath, ULONG bufferLength, PVOID buffer, PVOID context, PULONG size);
typedef EVT_WDF_TRACE_CALLBACK *PFN_WDF_TRACE_CALLBACK;

typedef struct _WDF_DRIVER_CONFIG {
    ULONG                     Size;
    PFN_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd;
    PFN_WDF_DRIVER_UNLOAD     EvtDriverUnload;
    ULONG                     DriverInitFlags; /* WDF_DRIVER_INIT_FLAGS */
    ULONG                     DriverPoolTag;   /* 0: made of the service's name */
} WDF_DRIVER_CONFIG, *PWDF_DRIVER_CONFIG;
NTMM_LAYOUT(sizeof(WDF_DRIVER_CONFIG) == 32, "WDF_DRIVER_CONFIG, x64");

FORCEINLINE VOID WDF_DRIVER_CONFIG_INIT(PWDF_DRIVER_CONFIG Config, PFN_WDF_DRIVER_DEVICE_ADD EvtDriverDeviceAdd)
{
    RtlZeroMemory(Config, sizeof(WDF_DRIVER_CONFIG));
    Config->Size = WDF_STRUCTURE_SIZE(WDF_DRIVER_CONFIG);
    Config->EvtDriverDeviceAdd = EvtDriverDeviceAdd;
}

typedef struct _WDF_DRIVER_VERSION_AVAILABLE_PARAMS {
    ULONG Size;
    ULONG MajorVersion;
    ULONG MinorVersion;
} WDF_DRIVER_VERSION_AVAILABLE_PARAMS, *PWDF_DRIVER_VERSION_AVAILABLE_PARAMS;
FORCEINLINE VOID WDF_DRIVER_VERSION_AVAILABLE_PARAMS_INIT(PWDF_DRIVER_VERSION_AVAILABLE_PARAMS Params, ULONG MajorVersion,
                                                          ULONG MinorVersion)
{
    Params->Size = WDF_STRUCTURE_SIZE(WDF_DRIVER_VERSION_AVAILABLE_PARAMS);
    Params->MajorVersion = MajorVersion;
    Params->MinorVersion = MinorVersion;
}

/**
 * Make the WDFDRIVER, and put AddDevice, DriverUnload and the dispatch routines into the DRIVER_OBJECT. From DriverEntry.
 *
 * @param DriverObject      of ntmm_driver_load(), or a test's own, zero, with or without a DriverExtension
 * @param RegistryPath      its last part is the name of the service: the tag of the driver's pool is made of that
 * @param DriverAttributes  or NULL; no ParentObject
 * @param Driver            or NULL
 * @return    STATUS_INFO_LENGTH_MISMATCH: a Size; STATUS_INVALID_PARAMETER: flags, a RegistryPath that is none, or a device callback for a driver
 *            without devices; STATUS_DRIVER_INTERNAL_ERROR: it has been called for this DRIVER_OBJECT; STATUS_INSUFFICIENT_RESOURCES; those of
 *            bad attributes
 * @irql      PASSIVE_LEVEL
 * @bugcheck  WDF_VIOLATION 0x4: DriverObject, RegistryPath or DriverConfig is NULL
 * @models    more than 64 drivers at a time are refused (STATUS_INSUFFICIENT_RESOURCES)
 * @source    WDK reference: wdfdriver.h, WdfDriverCreate
 */
WDFAPI NTSTATUS WdfDriverCreate(PDRIVER_OBJECT DriverObject, PCUNICODE_STRING RegistryPath, PWDF_OBJECT_ATTRIBUTES DriverAttributes,
                                PWDF_DRIVER_CONFIG DriverConfig, WDFDRIVER *Driver);

/** The driver that calls (wdfglobals.h says who that is); NULL: there is none. @irql any @source WDK reference: wdfdriver.h, WdfGetDriver */
FORCEINLINE WDFDRIVER WdfGetDriver(VOID)
{
    PWDF_DRIVER_GLOBALS globals = WdfDriverGlobals;
    return globals != WDF_NULL_POINTER ? globals->Driver : (WDFDRIVER)WDF_NULL_POINTER;
}

/** The path that WdfDriverCreate was given, copied, ended by 0. @irql PASSIVE_LEVEL @bugcheck WDF_VIOLATION 0x5
 *  @source WDK reference: wdfdriver.h, WdfDriverGetRegistryPath */
WDFAPI PWSTR WdfDriverGetRegistryPath(WDFDRIVER Driver);
/** @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x5 @source WDK reference: wdfdriver.h, WdfDriverWdmGetDriverObject */
WDFAPI PDRIVER_OBJECT WdfDriverWdmGetDriverObject(WDFDRIVER Driver);
/** NULL: it is none of the framework's. @irql <= DISPATCH_LEVEL @bugcheck WDF_VIOLATION 0x4: NULL
 *  @source WDK reference: wdfdriver.h, WdfWdmDriverGetWdfDriverHandle */
WDFAPI WDFDRIVER WdfWdmDriverGetWdfDriverHandle(PDRIVER_OBJECT DriverObject);
/** @return STATUS_NOT_SUPPORTED @irql PASSIVE_LEVEL @source WDK reference: wdfdriver.h; KMDF 1.33 */
WDFAPI NTSTATUS WdfDriverRegisterTraceInfo(PDRIVER_OBJECT DriverObject, PFN_WDF_TRACE_CALLBACK EvtTraceCallback, PVOID ControlBlock);
/** "Kernel Mode Driver Framework version 1.33.0". @return STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL @bugcheck WDF_VIOLATION 0x5, 0x4
 *  @source WDK reference: wdfdriver.h, WdfDriverRetrieveVersionString */
WDFAPI NTSTATUS WdfDriverRetrieveVersionString(WDFDRIVER Driver, WDFSTRING String);
/** Is this framework, which is 1.33, at least that version, of the same major one? FALSE also for a wrong Size. @irql PASSIVE_LEVEL
 *  @bugcheck WDF_VIOLATION 0x5, 0x4 @source WDK reference: wdfdriver.h, WdfDriverIsVersionAvailable */
WDFAPI BOOLEAN WdfDriverIsVersionAvailable(WDFDRIVER Driver, PWDF_DRIVER_VERSION_AVAILABLE_PARAMS VersionAvailableParams);
/** The driver's key in the registry, its subkey Parameters. @return STATUS_OBJECT_NAME_NOT_FOUND and those of WdfRegistryOpenKey
 *  @irql PASSIVE_LEVEL @bugcheck WDF_VIOLATION 0x5, 0x4 @source WDK reference: wdfdriver.h, WdfDriverOpenParametersRegistryKey */
WDFAPI NTSTATUS WdfDriverOpenParametersRegistryKey(WDFDRIVER Driver, ACCESS_MASK DesiredAccess, PWDF_OBJECT_ATTRIBUTES KeyAttributes,
                                                   WDFKEY *Key);
/** Its subkey State, which is made when it is first opened. @return as IoOpenDriverRegistryKey; STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 *  @bugcheck WDF_VIOLATION 0x5, 0x4 @source WDK reference: wdfdriver.h, WdfDriverOpenPersistentStateRegistryKey */
WDFAPI NTSTATUS WdfDriverOpenPersistentStateRegistryKey(WDFDRIVER Driver, ACCESS_MASK DesiredAccess, PWDF_OBJECT_ATTRIBUTES KeyAttributes,
                                                        WDFKEY *Key);

WDF_EXTERN_C_END
#endif
