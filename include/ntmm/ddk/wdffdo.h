/*
 * wdffdo.h - function and filter devices: what a driver says of one before it is created, and its resources on the way past.
 *
 * Built: WdfFdoInitWdmGetPhysicalDevice, WdfFdoInitSetFilter, WdfFdoInitSetEventCallbacks. The rest is declared and missed by the linker.
 *
 * Source  WDK reference: wdffdo.h.
 */
#ifndef NTMM_DDK_WDFFDO_H
#define NTMM_DDK_WDFFDO_H

#include "wdfchildlist.h"
#include "wdfdevice.h"
#include "wdfresource.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef NTSTATUS NTAPI EVT_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS(WDFDEVICE Device, WDFIORESREQLIST IoResourceRequirementsList);
typedef EVT_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS *PFN_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS;
typedef NTSTATUS NTAPI EVT_WDF_DEVICE_REMOVE_ADDED_RESOURCES(WDFDEVICE Device, WDFCMRESLIST ResourcesRaw, WDFCMRESLIST ResourcesTranslated);
typedef EVT_WDF_DEVICE_REMOVE_ADDED_RESOURCES *PFN_WDF_DEVICE_REMOVE_ADDED_RESOURCES;

typedef struct _WDF_FDO_EVENT_CALLBACKS {
    ULONG                                       Size;
    PFN_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS EvtDeviceFilterAddResourceRequirements;
    PFN_WDF_DEVICE_FILTER_RESOURCE_REQUIREMENTS EvtDeviceFilterRemoveResourceRequirements;
    PFN_WDF_DEVICE_REMOVE_ADDED_RESOURCES       EvtDeviceRemoveAddedResources;
} WDF_FDO_EVENT_CALLBACKS, *PWDF_FDO_EVENT_CALLBACKS;
FORCEINLINE VOID WDF_FDO_EVENT_CALLBACKS_INIT(PWDF_FDO_EVENT_CALLBACKS Callbacks)
{
    RtlZeroMemory(Callbacks, sizeof(WDF_FDO_EVENT_CALLBACKS));
    Callbacks->Size = sizeof(WDF_FDO_EVENT_CALLBACKS);
}

/** The device object at the bottom of the stack. @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h */
WDFAPI PDEVICE_OBJECT WdfFdoInitWdmGetPhysicalDevice(PWDFDEVICE_INIT DeviceInit);
/** A filter: requests that it does not handle go down the stack. @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h */
WDFAPI VOID WdfFdoInitSetFilter(PWDFDEVICE_INIT DeviceInit);
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h */
WDFAPI VOID WdfFdoInitSetEventCallbacks(PWDFDEVICE_INIT DeviceInit, PWDF_FDO_EVENT_CALLBACKS FdoEventCallbacks);

/* ---- absent ---- */

WDFAPI NTSTATUS     WdfFdoInitOpenRegistryKey(PWDFDEVICE_INIT DeviceInit, ULONG DeviceInstanceKeyType, ACCESS_MASK DesiredAccess,
                                              PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
WDFAPI NTSTATUS     WdfFdoInitQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                            PVOID PropertyBuffer, PULONG ResultLength);
WDFAPI NTSTATUS     WdfFdoInitAllocAndQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                                    PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory);
WDFAPI VOID         WdfFdoInitSetDefaultChildListConfig(PWDFDEVICE_INIT DeviceInit, PWDF_CHILD_LIST_CONFIG Config,
                                                        PWDF_OBJECT_ATTRIBUTES DefaultChildListAttributes);
WDFAPI NTSTATUS     WdfFdoQueryForInterface(WDFDEVICE Fdo, LPCGUID InterfaceType, PINTERFACE Interface, USHORT Size, USHORT Version,
                                            PVOID InterfaceSpecificData);
WDFAPI WDFCHILDLIST WdfFdoGetDefaultChildList(WDFDEVICE Fdo);
WDFAPI NTSTATUS     WdfFdoAddStaticChild(WDFDEVICE Fdo, WDFDEVICE Child);
WDFAPI VOID         WdfFdoLockStaticChildListForIteration(WDFDEVICE Fdo);
WDFAPI WDFDEVICE    WdfFdoRetrieveNextStaticChild(WDFDEVICE Fdo, WDFDEVICE PreviousChild, ULONG Flags);
WDFAPI VOID         WdfFdoUnlockStaticChildListFromIteration(WDFDEVICE Fdo);

#ifdef __cplusplus
}
#endif
#endif
