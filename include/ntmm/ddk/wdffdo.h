/*
 * wdffdo.h - function and filter devices: what a driver says of one before it is created, its children where it is a bus, and its resources on
 * the way past.
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

/* ---- keys and properties of the physical device, before the device is made: as the routines of wdfdevice.h. PASSIVE_LEVEL ---- */

/** @return STATUS_INVALID_PARAMETER: DeviceInit is a control device's @source WDK reference: wdffdo.h, WdfFdoInitOpenRegistryKey */
WDFAPI NTSTATUS WdfFdoInitOpenRegistryKey(PWDFDEVICE_INIT DeviceInit, ULONG DeviceInstanceKeyType, ACCESS_MASK DesiredAccess,
                                          PWDF_OBJECT_ATTRIBUTES KeyAttributes, WDFKEY *Key);
/** @return STATUS_INVALID_DEVICE_REQUEST: DeviceInit is a control device's @source WDK reference: wdffdo.h, the pages of the routines */
WDFAPI NTSTATUS WdfFdoInitQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                        PVOID PropertyBuffer, PULONG ResultLength);
WDFAPI NTSTATUS WdfFdoInitAllocAndQueryProperty(PWDFDEVICE_INIT DeviceInit, DEVICE_REGISTRY_PROPERTY DeviceProperty, POOL_TYPE PoolType,
                                                PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory);
WDFAPI NTSTATUS WdfFdoInitQueryPropertyEx(PWDFDEVICE_INIT DeviceInit, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, ULONG BufferLength,
                                          PVOID PropertyBuffer, PULONG ResultLength, PDEVPROPTYPE Type);
WDFAPI NTSTATUS WdfFdoInitAllocAndQueryPropertyEx(PWDFDEVICE_INIT DeviceInit, PWDF_DEVICE_PROPERTY_DATA DeviceProperty, POOL_TYPE PoolType,
                                                  PWDF_OBJECT_ATTRIBUTES PropertyMemoryAttributes, WDFMEMORY *PropertyMemory,
                                                  PDEVPROPTYPE Type);

/* ---- a bus ---- */

/** WdfDeviceCreate makes the list. A configuration or attributes that WdfChildListCreate would refuse are not taken, and ntmm_error() says so.
 *  @param DefaultChildListAttributes  or NULL @irql PASSIVE_LEVEL @source WDK reference: wdffdo.h, WdfFdoInitSetDefaultChildListConfig */
WDFAPI VOID WdfFdoInitSetDefaultChildListConfig(PWDFDEVICE_INIT DeviceInit, PWDF_CHILD_LIST_CONFIG Config,
                                                PWDF_OBJECT_ATTRIBUTES DefaultChildListAttributes);
/** @return NULL: there is none, or the device is no FDO @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h, WdfFdoGetDefaultChildList */
WDFAPI WDFCHILDLIST WdfFdoGetDefaultChildList(WDFDEVICE Fdo);
/**
 * A child that the driver has made (WdfPdoInitAllocate, WdfDeviceCreate) is there; from now on the framework deletes it.
 *
 * @return STATUS_OBJECT_NAME_EXISTS, a success: it is known; STATUS_INVALID_PARAMETER: no FDO, no PDO; STATUS_INSUFFICIENT_RESOURCES
 * @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h, WdfFdoAddStaticChild
 */
WDFAPI NTSTATUS WdfFdoAddStaticChild(WDFDEVICE Fdo, WDFDEVICE Child);
/** Go through the static children, between lock and unlock. @param PreviousChild  or NULL: from the first @param Flags WDF_RETRIEVE_CHILD_FLAGS
 *  @return NULL: no more; the list is not locked; no such flags @irql <= DISPATCH_LEVEL @source WDK reference: wdffdo.h, the pages of the routines */
WDFAPI VOID      WdfFdoLockStaticChildListForIteration(WDFDEVICE Fdo);
WDFAPI WDFDEVICE WdfFdoRetrieveNextStaticChild(WDFDEVICE Fdo, WDFDEVICE PreviousChild, ULONG Flags);
WDFAPI VOID      WdfFdoUnlockStaticChildListFromIteration(WDFDEVICE Fdo);

/** Ask the stack that the device is in, from its top, for an interface of another driver. @return STATUS_INVALID_PARAMETER: no FDO;
 *  STATUS_NOT_SUPPORTED: nobody has it; STATUS_INSUFFICIENT_RESOURCES; what drivers say @irql PASSIVE_LEVEL
 *  @source WDK reference: wdffdo.h, WdfFdoQueryForInterface */
WDFAPI NTSTATUS WdfFdoQueryForInterface(WDFDEVICE Fdo, LPCGUID InterfaceType, PINTERFACE Interface, USHORT Size, USHORT Version,
                                        PVOID InterfaceSpecificData);

#ifdef __cplusplus
}
#endif
#endif
