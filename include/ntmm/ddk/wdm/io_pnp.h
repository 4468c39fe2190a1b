/*
 * io_pnp.h - Plug and Play: what a driver says to the PnP manager and asks of it. The requests that it gets are IRPs (irp.h); a test sends them
 * with ntmm_pnp_start and its like (ntmm.h).
 *
 *     PhysicalDeviceObject    of ntmm_device_create, or of a bus driver under test that ntmm_pnp_children has asked for its children
 *
 * Source  WDK reference: wdm.h, the pages of these routines.
 */
#ifndef NTMM_DDK_WDM_IO_PNP_H
#define NTMM_DDK_WDM_IO_PNP_H

#include "pnp_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- interfaces ---- */

/**
 * Say that a device belongs to a class. Who wants to open it waits until IoSetDeviceInterfaceState enables it.
 *
 * @param ReferenceString   NULL, or what the driver gets as FileName when somebody opens the name
 * @param SymbolicLinkName  receives the name, for RtlFreeUnicodeString; the same again for what is registered already
 * @return STATUS_INSUFFICIENT_RESOURCES; STATUS_INVALID_DEVICE_REQUEST: the physical device has no name
 * @irql      PASSIVE_LEVEL
 * @bugcheck  PNP_DETECTED_FATAL_ERROR (0xCA): p1 2, it is no physical device object (p2), as for all routines here that take one
 * @models    the name is \??\NTMM#, the last part of the physical device's name, #{class}, \ and the reference string (choice)
 * @source    WDK reference: wdm.h, IoRegisterDeviceInterface; Bug Check 0xCA
 */
NTKERNELAPI NTSTATUS IoRegisterDeviceInterface(PDEVICE_OBJECT PhysicalDeviceObject, const GUID *InterfaceClassGuid,
                                               PUNICODE_STRING ReferenceString, PUNICODE_STRING SymbolicLinkName);
/**
 * Make the name a symbolic link to the device, or take that away. Who registered for the class is told before the call returns.
 *
 * @return STATUS_OBJECT_NAME_EXISTS: it was enabled already (which is no error); STATUS_OBJECT_NAME_NOT_FOUND: it is not registered, or not
 *         enabled; STATUS_INSUFFICIENT_RESOURCES
 * @irql    PASSIVE_LEVEL
 * @models  one that is left enabled is a leak, tag `IoNm`, unless its device goes first
 * @source  WDK reference: wdm.h, IoSetDeviceInterfaceState
 */
NTKERNELAPI NTSTATUS IoSetDeviceInterfaceState(PUNICODE_STRING SymbolicLinkName, BOOLEAN Enable);
/**
 * Names of the interfaces of a class, enabled ones first registered first; with DEVICE_INTERFACE_INCLUDE_NONACTIVE the others, too.
 *
 * @param PhysicalDeviceObject  NULL: of all devices
 * @param SymbolicLinkList      receives the names, for ExFreePool; an empty one ends them
 * @return STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoGetDeviceInterfaces
 */
NTKERNELAPI NTSTATUS IoGetDeviceInterfaces(const GUID *InterfaceClassGuid, PDEVICE_OBJECT PhysicalDeviceObject, ULONG Flags,
                                           PZZWSTR *SymbolicLinkList);
/** The name of the same device, with the same reference string, by another class; for RtlFreeUnicodeString.
 *  @return STATUS_OBJECT_NAME_NOT_FOUND @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoGetDeviceInterfaceAlias */
NTKERNELAPI NTSTATUS IoGetDeviceInterfaceAlias(PUNICODE_STRING SymbolicLinkName, const GUID *AliasInterfaceClassGuid,
                                               PUNICODE_STRING AliasSymbolicLinkName);

/* ---- properties ---- */

/**
 * What is known of a device: what its test has said (ntmm_device_set_property), else what the bus knows.
 *
 * @return STATUS_BUFFER_TOO_SMALL: *ResultLength says how many bytes it takes; STATUS_OBJECT_NAME_NOT_FOUND: nobody knows;
 *         STATUS_INVALID_PARAMETER_2; STATUS_INSUFFICIENT_RESOURCES
 * @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoGetDeviceProperty
 */
NTKERNELAPI NTSTATUS IoGetDeviceProperty(PDEVICE_OBJECT DeviceObject, DEVICE_REGISTRY_PROPERTY DeviceProperty, ULONG BufferLength,
                                         PVOID PropertyBuffer, PULONG ResultLength);

/* Properties by key (devpropdef.h, devpkey.h). */
#ifndef LOCALE_NEUTRAL
#define LOCALE_NEUTRAL 0u
#endif
/**
 * Set a property of a device, or delete it.
 *
 * @param Lcid   LOCALE_NEUTRAL or a language's; each has a value of its own, as since Windows 8
 * @param Flags  0 or PLUGPLAY_PROPERTY_PERSISTENT
 * @param Data   Size bytes, which are copied; NULL: delete
 * @return STATUS_UNSUCCESSFUL: LOCALE_SYSTEM_DEFAULT or LOCALE_USER_DEFAULT. STATUS_INVALID_PARAMETER (other flags, no such Type),
 *         STATUS_OBJECT_NAME_NOT_FOUND (there is nothing to delete): choice. STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= APC_LEVEL
 * @bugcheck  PNP_DETECTED_FATAL_ERROR (0xCA): p1 2, it is no physical device object (p2)
 * @models    nothing outlives the device, whatever Flags say
 * @source    WDK reference: wdm.h, IoSetDevicePropertyData
 */
NTKERNELAPI NTSTATUS IoSetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags, DEVPROPTYPE Type,
                                             ULONG Size, PVOID Data);
/** What was set. @param Flags reserved: not looked at @param RequiredSize bytes, also when Size is too small
 *  @return STATUS_BUFFER_TOO_SMALL, STATUS_OBJECT_NAME_NOT_FOUND, and as above @irql <= APC_LEVEL
 *  @models only what drivers have set: what IoGetDeviceProperty knows has no key @source WDK reference: wdm.h, IoGetDevicePropertyData */
NTKERNELAPI NTSTATUS IoGetDevicePropertyData(PDEVICE_OBJECT Pdo, const DEVPROPKEY *PropertyKey, LCID Lcid, ULONG Flags, ULONG Size,
                                             PVOID Data, PULONG RequiredSize, PDEVPROPTYPE Type);
/** The same for a device interface, by the name of IoRegisterDeviceInterface; it goes with its device.
 *  @return STATUS_OBJECT_NAME_NOT_FOUND: no such interface, too; else as above @irql <= APC_LEVEL
 *  @source WDK reference: wdm.h, IoSetDeviceInterfacePropertyData, IoGetDeviceInterfacePropertyData */
NTKERNELAPI NTSTATUS IoSetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName, const DEVPROPKEY *PropertyKey, LCID Lcid,
                                                      ULONG Flags, DEVPROPTYPE Type, ULONG Size, PVOID Data);
NTKERNELAPI NTSTATUS IoGetDeviceInterfacePropertyData(PUNICODE_STRING SymbolicLinkName, const DEVPROPKEY *PropertyKey, LCID Lcid,
                                                      ULONG Flags, ULONG Size, PVOID Data, PULONG RequiredSize, PDEVPROPTYPE Type);

/* ---- notifications ---- */

/**
 * Be told of an event: interfaces of a class that come and go (EventCategoryData: their GUID), or that a device goes (a FILE_OBJECT of it).
 *
 * @param EventCategoryFlags  PNPNOTIFY_DEVICE_INTERFACE_INCLUDE_EXISTING_INTERFACES: be told of those that there are, at once
 * @param DriverObject        not looked at
 * @param NotificationEntry   receives what to unregister
 * @return STATUS_INVALID_PARAMETER, STATUS_NO_SUCH_DEVICE, STATUS_INSUFFICIENT_RESOURCES
 * @irql    PASSIVE_LEVEL
 * @models  callbacks run on the thread that makes the event happen. Hardware profiles do not change. One that is not unregistered is a leak, tag
 *          `PnpN`
 * @source  WDK reference: wdm.h, IoRegisterPlugPlayNotification
 */
NTKERNELAPI NTSTATUS IoRegisterPlugPlayNotification(IO_NOTIFICATION_EVENT_CATEGORY EventCategory, ULONG EventCategoryFlags,
                                                    PVOID EventCategoryData, PDRIVER_OBJECT DriverObject,
                                                    PDRIVER_NOTIFICATION_CALLBACK_ROUTINE CallbackRoutine, PVOID Context,
                                                    PVOID *NotificationEntry);
/** From the callback itself, too. @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoUnregisterPlugPlayNotification */
NTKERNELAPI NTSTATUS IoUnregisterPlugPlayNotification(PVOID NotificationEntry);
/** Returns when the callback does not run any more; not from the callback. @irql PASSIVE_LEVEL
 *  @source WDK reference: wdm.h, IoUnregisterPlugPlayNotificationEx */
NTKERNELAPI NTSTATUS IoUnregisterPlugPlayNotificationEx(PVOID NotificationEntry);
/** Tell who registered for the device of an event of the driver's own, a TARGET_DEVICE_CUSTOM_NOTIFICATION.
 *  @return STATUS_INVALID_DEVICE_REQUEST: an event of the system's, or FileObject is not NULL; STATUS_INSUFFICIENT_RESOURCES
 *  @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoReportTargetDeviceChange */
NTKERNELAPI NTSTATUS IoReportTargetDeviceChange(PDEVICE_OBJECT PhysicalDeviceObject, PVOID NotificationStructure);
/** The same, by a system thread, which then calls Callback unless that is NULL. @return STATUS_PENDING, or as above
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoReportTargetDeviceChangeAsynchronous */
NTKERNELAPI NTSTATUS IoReportTargetDeviceChangeAsynchronous(PDEVICE_OBJECT PhysicalDeviceObject, PVOID NotificationStructure,
                                                            PDEVICE_CHANGE_COMPLETE_CALLBACK Callback, PVOID Context);

/* ---- what the PnP manager is to ask ---- */

/** The device's relations have changed. @irql <= DISPATCH_LEVEL
 *  @models the PnP manager is the test: ntmm_pnp_take_invalidated says so, and the test asks, with ntmm_pnp_children for example
 *  @source WDK reference: wdm.h, IoInvalidateDeviceRelations */
NTKERNELAPI VOID IoInvalidateDeviceRelations(PDEVICE_OBJECT DeviceObject, DEVICE_RELATION_TYPE Type);
/** Its PNP_DEVICE_STATE has. @irql <= DISPATCH_LEVEL @models likewise @source WDK reference: wdm.h, IoInvalidateDeviceState */
NTKERNELAPI VOID IoInvalidateDeviceState(PDEVICE_OBJECT PhysicalDeviceObject);
/** Somebody has pressed its eject button. @irql <= DISPATCH_LEVEL @models likewise @source WDK reference: ntddk.h, IoRequestDeviceEject */
NTKERNELAPI VOID IoRequestDeviceEject(PDEVICE_OBJECT PhysicalDeviceObject);

#ifdef __cplusplus
}
#endif
#endif
