/*
 * wdfwmi.h - data blocks for Windows Management Instrumentation: a provider is a block that a GUID names, its instances are asked and set by
 * IRP_MJ_SYSTEM_CONTROL (ntmm_wmi_request), and fire events (ntmm_wmi_listen).
 *
 * @bugcheck everywhere WDF_VIOLATION (0x10D): 4 NULL, 5 no such handle
 *
 * Source  WDK reference: wdfwmi.h, "Supporting WMI in Framework-Based Drivers".
 */
#ifndef NTMM_DDK_WDFWMI_H
#define NTMM_DDK_WDFWMI_H

#include "wdfcore.h"
#include "wdfobject.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum _WDF_WMI_PROVIDER_CONTROL { WdfWmiControlInvalid = 0, WdfWmiEventControl, WdfWmiInstanceControl } WDF_WMI_PROVIDER_CONTROL;

typedef enum _WDF_WMI_PROVIDER_FLAGS {
    WdfWmiProviderEventOnly = 0x0001,
    WdfWmiProviderExpensive = 0x0002,
    WdfWmiProviderTracing = 0x0004,
    WdfWmiProviderValidFlags = WdfWmiProviderEventOnly | WdfWmiProviderExpensive | WdfWmiProviderTracing
} WDF_WMI_PROVIDER_FLAGS;

/* Buffer sizes in bytes. */
typedef NTSTATUS NTAPI EVT_WDF_WMI_INSTANCE_QUERY_INSTANCE(WDFWMIINSTANCE WmiInstance, ULONG OutBufferSize, PVOID OutBuffer,
                                                           PULONG BufferUsed);
typedef EVT_WDF_WMI_INSTANCE_QUERY_INSTANCE *PFN_WDF_WMI_INSTANCE_QUERY_INSTANCE;
typedef NTSTATUS NTAPI EVT_WDF_WMI_INSTANCE_SET_INSTANCE(WDFWMIINSTANCE WmiInstance, ULONG InBufferSize, PVOID InBuffer);
typedef EVT_WDF_WMI_INSTANCE_SET_INSTANCE *PFN_WDF_WMI_INSTANCE_SET_INSTANCE;
typedef NTSTATUS NTAPI EVT_WDF_WMI_INSTANCE_SET_ITEM(WDFWMIINSTANCE WmiInstance, ULONG DataItemId, ULONG InBufferSize, PVOID InBuffer);
typedef EVT_WDF_WMI_INSTANCE_SET_ITEM *PFN_WDF_WMI_INSTANCE_SET_ITEM;
typedef NTSTATUS NTAPI                 EVT_WDF_WMI_INSTANCE_EXECUTE_METHOD(WDFWMIINSTANCE WmiInstance, ULONG MethodId, ULONG InBufferSize,
                                                                           ULONG OutBufferSize, PVOID Buffer, PULONG BufferUsed);
typedef EVT_WDF_WMI_INSTANCE_EXECUTE_METHOD *PFN_WDF_WMI_INSTANCE_EXECUTE_METHOD;
typedef NTSTATUS NTAPI EVT_WDF_WMI_PROVIDER_FUNCTION_CONTROL(WDFWMIPROVIDER WmiProvider, WDF_WMI_PROVIDER_CONTROL Control, BOOLEAN Enable);
typedef EVT_WDF_WMI_PROVIDER_FUNCTION_CONTROL *PFN_WDF_WMI_PROVIDER_FUNCTION_CONTROL;

typedef struct _WDF_WMI_PROVIDER_CONFIG {
    ULONG                                 Size;
    GUID                                  Guid;
    ULONG                                 Flags; /* WDF_WMI_PROVIDER_FLAGS */
    ULONG                                 MinInstanceBufferSize;
    PFN_WDF_WMI_PROVIDER_FUNCTION_CONTROL EvtWmiProviderFunctionControl;
} WDF_WMI_PROVIDER_CONFIG, *PWDF_WMI_PROVIDER_CONFIG;
FORCEINLINE VOID WDF_WMI_PROVIDER_CONFIG_INIT(PWDF_WMI_PROVIDER_CONFIG Config, const GUID *Guid)
{
    RtlZeroMemory(Config, sizeof(WDF_WMI_PROVIDER_CONFIG));
    Config->Size = sizeof(WDF_WMI_PROVIDER_CONFIG);
    Config->Guid = *Guid;
}

typedef struct _WDF_WMI_INSTANCE_CONFIG {
    ULONG                               Size;
    WDFWMIPROVIDER                      Provider;
    PWDF_WMI_PROVIDER_CONFIG            ProviderConfig;
    BOOLEAN                             UseContextForQuery;
    BOOLEAN                             Register;
    PFN_WDF_WMI_INSTANCE_QUERY_INSTANCE EvtWmiInstanceQueryInstance;
    PFN_WDF_WMI_INSTANCE_SET_INSTANCE   EvtWmiInstanceSetInstance;
    PFN_WDF_WMI_INSTANCE_SET_ITEM       EvtWmiInstanceSetItem;
    PFN_WDF_WMI_INSTANCE_EXECUTE_METHOD EvtWmiInstanceExecuteMethod;
} WDF_WMI_INSTANCE_CONFIG, *PWDF_WMI_INSTANCE_CONFIG;
FORCEINLINE VOID WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER(PWDF_WMI_INSTANCE_CONFIG Config, WDFWMIPROVIDER Provider)
{
    RtlZeroMemory(Config, sizeof(WDF_WMI_INSTANCE_CONFIG));
    Config->Size = sizeof(WDF_WMI_INSTANCE_CONFIG);
    Config->Provider = Provider;
}
FORCEINLINE VOID WDF_WMI_INSTANCE_CONFIG_INIT_PROVIDER_CONFIG(PWDF_WMI_INSTANCE_CONFIG Config, PWDF_WMI_PROVIDER_CONFIG ProviderConfig)
{
    RtlZeroMemory(Config, sizeof(WDF_WMI_INSTANCE_CONFIG));
    Config->Size = sizeof(WDF_WMI_INSTANCE_CONFIG);
    Config->ProviderConfig = ProviderConfig;
}

/** Length and text of a string at Buffer. @param RequiredSize  out: bytes  @return STATUS_BUFFER_TOO_SMALL */
FORCEINLINE NTSTATUS WDF_WMI_BUFFER_APPEND_STRING(PVOID Buffer, ULONG BufferLength, PCUNICODE_STRING String, PULONG RequiredSize)
{
    *RequiredSize = (ULONG)(String->Length + sizeof(USHORT));
    if (BufferLength < *RequiredSize)
        return STATUS_BUFFER_TOO_SMALL;
    *(USHORT *)Buffer = String->Length;
    RtlCopyMemory((PUCHAR)Buffer + sizeof(USHORT), String->Buffer, String->Length);
    return STATUS_SUCCESS;
}

/* ---- providers ---- */

/**
 * A block of data; deleted with its device, not by the driver. WMI knows of it when the device is started.
 *
 * @param ProviderAttributes  or NULL, without a ParentObject
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER: unknown flags, tracing with others, EvtWmiProviderFunctionControl without
 *         WdfWmiProviderTracing or WdfWmiProviderExpensive, a GUID of zeros; STATUS_OBJECT_NAME_EXISTS: the device has that block, and *WmiProvider is NULL, although NT_SUCCESS says yes; STATUS_INVALID_DEVICE_REQUEST: a control device;
 *         STATUS_INVALID_DEVICE_STATE: it is being removed; STATUS_INSUFFICIENT_RESOURCES
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdfwmi.h, WdfWmiProviderCreate
 */
WDFAPI NTSTATUS  WdfWmiProviderCreate(WDFDEVICE Device, PWDF_WMI_PROVIDER_CONFIG WmiProviderConfig,
                                      PWDF_OBJECT_ATTRIBUTES ProviderAttributes, WDFWMIPROVIDER *WmiProvider);
WDFAPI WDFDEVICE WdfWmiProviderGetDevice(WDFWMIPROVIDER WmiProvider);
/** Does somebody want its events, or its data? @irql <= DISPATCH_LEVEL @source WDK reference: wdfwmi.h, WdfWmiProviderIsEnabled */
WDFAPI BOOLEAN WdfWmiProviderIsEnabled(WDFWMIPROVIDER WmiProvider, WDF_WMI_PROVIDER_CONTROL ProviderControl);
/** HistoricalContext of the request that has enabled the events of a tracing provider; 0: none has. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfwmi.h, WdfWmiProviderGetTracingHandle */
WDFAPI ULONGLONG WdfWmiProviderGetTracingHandle(WDFWMIPROVIDER WmiProvider);

/* ---- instances ---- */

/**
 * One instance, below the provider that the configuration names or describes; registered at once, if it says so.
 *
 * @param Device    of a provider that is made for it; otherwise ignored
 * @param Instance  NULL, or out; NULL on failure
 * @return STATUS_INFO_LENGTH_MISMATCH; STATUS_INVALID_PARAMETER: both a provider and a configuration of one, or none, callbacks of an event-only
 *         provider, a context for queries that there is not, or that may be set; STATUS_BUFFER_TOO_SMALL: that context is smaller than
 *         MinInstanceBufferSize; STATUS_INVALID_DEVICE_REQUEST: of a tracing provider; as WdfWmiProviderCreate
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdfwmi.h, WdfWmiInstanceCreate
 */
WDFAPI NTSTATUS WdfWmiInstanceCreate(WDFDEVICE Device, PWDF_WMI_INSTANCE_CONFIG InstanceConfig, PWDF_OBJECT_ATTRIBUTES InstanceAttributes,
                                     WDFWMIINSTANCE *Instance);
/** Behind those that are registered. @return STATUS_INVALID_DEVICE_REQUEST: it is registered already, or of a tracing provider
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdfwmi.h, WdfWmiInstanceRegister */
WDFAPI NTSTATUS       WdfWmiInstanceRegister(WDFWMIINSTANCE WmiInstance);
WDFAPI VOID           WdfWmiInstanceDeregister(WDFWMIINSTANCE WmiInstance);
WDFAPI WDFDEVICE      WdfWmiInstanceGetDevice(WDFWMIINSTANCE WmiInstance);
WDFAPI WDFWMIPROVIDER WdfWmiInstanceGetProvider(WDFWMIINSTANCE WmiInstance);
/** @param EventData  copied; NULL: zeros @return as WmiFireEvent; STATUS_INSUFFICIENT_RESOURCES @irql <= APC_LEVEL
 *  @source WDK reference: wdfwmi.h, WdfWmiInstanceFireEvent */
WDFAPI NTSTATUS WdfWmiInstanceFireEvent(WDFWMIINSTANCE WmiInstance, ULONG EventDataSize, PVOID EventData);

#ifdef __cplusplus
}
#endif
#endif
