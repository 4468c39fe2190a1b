/*
 * wdfpdo.h - physical devices, which a bus driver makes for its children: static ones by WdfPdoInitAllocate, dynamic ones in
 * EvtChildListCreateDevice (wdfchildlist.h).
 *
 * Source  WDK reference: wdfpdo.h.
 */
#ifndef NTMM_DDK_WDFPDO_H
#define NTMM_DDK_WDFPDO_H

#include "wdfchildlist.h"
#include "wdfdevice.h"
#include "wdfresource.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef NTSTATUS NTAPI                  EVT_WDF_DEVICE_RESOURCES_QUERY(WDFDEVICE Device, WDFCMRESLIST Resources);
typedef EVT_WDF_DEVICE_RESOURCES_QUERY *PFN_WDF_DEVICE_RESOURCES_QUERY;
typedef NTSTATUS NTAPI EVT_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY(WDFDEVICE Device, WDFIORESREQLIST IoResourceRequirementsList);
typedef EVT_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY *PFN_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY;
typedef NTSTATUS NTAPI                              EVT_WDF_DEVICE_EJECT(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_EJECT                       *PFN_WDF_DEVICE_EJECT;
typedef NTSTATUS NTAPI                              EVT_WDF_DEVICE_SET_LOCK(WDFDEVICE Device, BOOLEAN IsLocked);
typedef EVT_WDF_DEVICE_SET_LOCK                    *PFN_WDF_DEVICE_SET_LOCK;
typedef NTSTATUS NTAPI                              EVT_WDF_DEVICE_ENABLE_WAKE_AT_BUS(WDFDEVICE Device, SYSTEM_POWER_STATE PowerState);
typedef EVT_WDF_DEVICE_ENABLE_WAKE_AT_BUS          *PFN_WDF_DEVICE_ENABLE_WAKE_AT_BUS;
typedef VOID NTAPI                                  EVT_WDF_DEVICE_DISABLE_WAKE_AT_BUS(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_DISABLE_WAKE_AT_BUS         *PFN_WDF_DEVICE_DISABLE_WAKE_AT_BUS;
typedef VOID NTAPI                                  EVT_WDF_DEVICE_REPORTED_MISSING(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_REPORTED_MISSING            *PFN_WDF_DEVICE_REPORTED_MISSING;

typedef struct _WDF_PDO_EVENT_CALLBACKS {
    ULONG                                      Size;
    PFN_WDF_DEVICE_RESOURCES_QUERY             EvtDeviceResourcesQuery;
    PFN_WDF_DEVICE_RESOURCE_REQUIREMENTS_QUERY EvtDeviceResourceRequirementsQuery;
    PFN_WDF_DEVICE_EJECT                       EvtDeviceEject;
    PFN_WDF_DEVICE_SET_LOCK                    EvtDeviceSetLock;
    PFN_WDF_DEVICE_ENABLE_WAKE_AT_BUS          EvtDeviceEnableWakeAtBus;
    PFN_WDF_DEVICE_DISABLE_WAKE_AT_BUS         EvtDeviceDisableWakeAtBus;
    PFN_WDF_DEVICE_REPORTED_MISSING            EvtDeviceReportedMissing;
} WDF_PDO_EVENT_CALLBACKS, *PWDF_PDO_EVENT_CALLBACKS;
FORCEINLINE VOID WDF_PDO_EVENT_CALLBACKS_INIT(PWDF_PDO_EVENT_CALLBACKS Callbacks)
{
    RtlZeroMemory(Callbacks, sizeof(WDF_PDO_EVENT_CALLBACKS));
    Callbacks->Size = sizeof(WDF_PDO_EVENT_CALLBACKS);
}

NTMM_LAYOUT(sizeof(WDF_PDO_EVENT_CALLBACKS) == 64, "WDF_PDO_EVENT_CALLBACKS, x64");

/* ---- before it is made ---- */

/** For a static child; WdfDeviceCreate takes it, or WdfDeviceInitFree. @return NULL: no memory, or the parent is no FDO @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfpdo.h, WdfPdoInitAllocate */
WDFAPI PWDFDEVICE_INIT WdfPdoInitAllocate(WDFDEVICE ParentDevice);
/** @models wake: EvtDeviceEnableWakeAtBus and EvtDeviceDisableWakeAtBus are not called @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfpdo.h, WdfPdoInitSetEventCallbacks */
WDFAPI VOID WdfPdoInitSetEventCallbacks(PWDFDEVICE_INIT DeviceInit, PWDF_PDO_EVENT_CALLBACKS DispatchTable);
/**
 * What IRP_MN_QUERY_ID answers; texts are copied. Assign: instead of the one before; Add: behind those before.
 *
 * @return STATUS_INVALID_PARAMETER: no string; STATUS_INVALID_DEVICE_REQUEST: not for a PDO; STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 * @source WDK reference: wdfpdo.h, the pages of the routines
 */
WDFAPI NTSTATUS WdfPdoInitAssignDeviceID(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING DeviceID);
WDFAPI NTSTATUS WdfPdoInitAssignInstanceID(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING InstanceID);
WDFAPI NTSTATUS WdfPdoInitAddHardwareID(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING HardwareID);
WDFAPI NTSTATUS WdfPdoInitAddCompatibleID(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING CompatibleID);
WDFAPI NTSTATUS WdfPdoInitAssignContainerID(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING ContainerID);
/** What IRP_MN_QUERY_DEVICE_TEXT answers in one language; others get the default one. @return the same @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfpdo.h, WdfPdoInitAddDeviceText, WdfPdoInitSetDefaultLocale */
WDFAPI NTSTATUS WdfPdoInitAddDeviceText(PWDFDEVICE_INIT DeviceInit, PCUNICODE_STRING DeviceDescription, PCUNICODE_STRING DeviceLocation,
                                        LCID LocaleId);
WDFAPI VOID     WdfPdoInitSetDefaultLocale(PWDFDEVICE_INIT DeviceInit, LCID LocaleId);
/** It works without a function driver: RawDeviceOK. @return STATUS_INVALID_PARAMETER: not for a PDO @models the class's security is ignored
 *  @irql PASSIVE_LEVEL @source WDK reference: wdfpdo.h, WdfPdoInitAssignRawDevice */
WDFAPI NTSTATUS WdfPdoInitAssignRawDevice(PWDFDEVICE_INIT DeviceInit, const GUID *DeviceClassGuid);
/** Its IRPs have room for the parent's stack. @irql PASSIVE_LEVEL @source WDK reference: wdfpdo.h, WdfPdoInitAllowForwardingRequestToParent */
WDFAPI VOID WdfPdoInitAllowForwardingRequestToParent(PWDFDEVICE_INIT DeviceInit);
/** @models accepted and ignored: no child waits for its parent's power @irql PASSIVE_LEVEL
 *  @source WDK reference: wdfpdo.h, WdfPdoInitRemovePowerDependencyOnParent */
WDFAPI VOID WdfPdoInitRemovePowerDependencyOnParent(PWDFDEVICE_INIT DeviceInit);

/* ---- when it is made ---- */

/** It is not there any more. @return STATUS_NO_SUCH_DEVICE: no list has it; STATUS_INVALID_PARAMETER: no PDO @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfpdo.h, WdfPdoMarkMissing */
WDFAPI NTSTATUS WdfPdoMarkMissing(WDFDEVICE Device);
/** IoRequestDeviceEject. @irql <= DISPATCH_LEVEL @source WDK reference: wdfpdo.h, WdfPdoRequestEject */
WDFAPI VOID WdfPdoRequestEject(WDFDEVICE Device);
/** @return NULL: no PDO @irql <= DISPATCH_LEVEL @source WDK reference: wdfpdo.h, WdfPdoGetParent */
WDFAPI WDFDEVICE WdfPdoGetParent(WDFDEVICE Device);
/** A dynamic child's descriptions, in the driver's own structures. @return STATUS_INVALID_PARAMETER: no PDO; STATUS_INVALID_DEVICE_REQUEST: a
 *  static child, one that is being removed, or the size is not the list's @irql <= DISPATCH_LEVEL
 *  @source WDK reference: wdfpdo.h, the pages of the routines */
WDFAPI NTSTATUS WdfPdoRetrieveIdentificationDescription(WDFDEVICE                                    Device,
                                                        PWDF_CHILD_IDENTIFICATION_DESCRIPTION_HEADER IdentificationDescription);
WDFAPI NTSTATUS WdfPdoRetrieveAddressDescription(WDFDEVICE Device, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription);
WDFAPI NTSTATUS WdfPdoUpdateAddressDescription(WDFDEVICE Device, PWDF_CHILD_ADDRESS_DESCRIPTION_HEADER AddressDescription);
/** Another device goes when this one is ejected. @return STATUS_DUPLICATE_OBJECTID: it is named already; STATUS_INVALID_PARAMETER: no PDO;
 *  STATUS_INSUFFICIENT_RESOURCES @irql <= DISPATCH_LEVEL @source WDK reference: wdfpdo.h, the pages of the routines */
WDFAPI NTSTATUS WdfPdoAddEjectionRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice);
WDFAPI VOID     WdfPdoRemoveEjectionRelationsPhysicalDevice(WDFDEVICE Device, PDEVICE_OBJECT PhysicalDevice);
WDFAPI VOID     WdfPdoClearEjectionRelationsDevices(WDFDEVICE Device);

#ifdef __cplusplus
}
#endif
#endif
