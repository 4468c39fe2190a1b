/*
 * wdfqueryinterface.h - interfaces between drivers, by IRP_MN_QUERY_INTERFACE.
 *
 * Source  WDK reference: wdfqueryinterface.h.
 */
#ifndef NTMM_DDK_WDFQUERYINTERFACE_H
#define NTMM_DDK_WDFQUERYINTERFACE_H

#include "wdftypes.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef NTSTATUS NTAPI EVT_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST(WDFDEVICE Device, LPGUID InterfaceType, PINTERFACE ExposedInterface,
                                                                      PVOID ExposedInterfaceSpecificData);
typedef EVT_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST *PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST;

typedef struct _WDF_QUERY_INTERFACE_CONFIG {
    ULONG                                          Size;
    PINTERFACE                                     Interface;
    const GUID                                    *InterfaceType;
    BOOLEAN                                        SendQueryToParentStack;
    PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST EvtDeviceProcessQueryInterfaceRequest;
    BOOLEAN                                        ImportInterface;
} WDF_QUERY_INTERFACE_CONFIG, *PWDF_QUERY_INTERFACE_CONFIG;

FORCEINLINE VOID WDF_QUERY_INTERFACE_CONFIG_INIT(PWDF_QUERY_INTERFACE_CONFIG InterfaceConfig, PINTERFACE Interface,
                                                 const GUID                                    *InterfaceType,
                                                 PFN_WDF_DEVICE_PROCESS_QUERY_INTERFACE_REQUEST EvtDeviceProcessQueryInterfaceRequest)
{
    RtlZeroMemory(InterfaceConfig, sizeof(WDF_QUERY_INTERFACE_CONFIG));
    InterfaceConfig->Size = sizeof(WDF_QUERY_INTERFACE_CONFIG);
    InterfaceConfig->Interface = Interface;
    InterfaceConfig->InterfaceType = InterfaceType;
    InterfaceConfig->EvtDeviceProcessQueryInterfaceRequest = EvtDeviceProcessQueryInterfaceRequest;
}

NTMM_LAYOUT(sizeof(WDF_QUERY_INTERFACE_CONFIG) == 48, "WDF_QUERY_INTERFACE_CONFIG, x64");

/**
 * The device has an interface for other drivers.
 *
 * @param InterfaceConfig  Interface is copied, as many bytes as its Size says; the routines that count may be NULL
 * @return STATUS_INVALID_DEVICE_REQUEST: a control device; STATUS_INFO_LENGTH_MISMATCH: Size; STATUS_INVALID_PARAMETER: nobody would fill the
 *         interface in, SendQueryToParentStack for a device that is no PDO, ImportInterface without a callback, an Interface shorter than INTERFACE;
 *         STATUS_INSUFFICIENT_RESOURCES
 * @irql PASSIVE_LEVEL @source WDK reference: wdfqueryinterface.h, WdfDeviceAddQueryInterface
 */
WDFAPI NTSTATUS WdfDeviceAddQueryInterface(WDFDEVICE Device, PWDF_QUERY_INTERFACE_CONFIG InterfaceConfig);

/* For interfaces that nobody counts. */
FORCEINLINE VOID WdfDeviceInterfaceReferenceNoOp(PVOID Context) { (void)Context; }
FORCEINLINE VOID WdfDeviceInterfaceDereferenceNoOp(PVOID Context) { (void)Context; }

#ifdef __cplusplus
}
#endif
#endif
