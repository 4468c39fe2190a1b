/*
 * io_driver.h - what hangs on a driver object: data of the driver's own, routines for later, the shutdown of the system.
 *
 * Source  WDK reference: wdm.h and ntddk.h, the pages of these routines.
 */
#ifndef NTMM_DDK_WDM_IO_DRIVER_H
#define NTMM_DDK_WDM_IO_DRIVER_H

#include "io_objects.h"
#include "ob_object.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a DRIVER_OBJECT and a DEVICE_OBJECT are, for ObReferenceObjectByPointer. */
extern NTKERNELAPI POBJECT_TYPE *IoDriverObjectType;
extern NTKERNELAPI POBJECT_TYPE *IoDeviceObjectType;

typedef VOID                 DRIVER_REINITIALIZE(PDRIVER_OBJECT DriverObject, PVOID Context, ULONG Count);
typedef DRIVER_REINITIALIZE *PDRIVER_REINITIALIZE;

/**
 * Zero bytes that belong to a driver object, and go with it.
 *
 * @param ClientIdentificationAddress  by which IoGetDriverObjectExtension finds them: one of the driver's own addresses
 * @return STATUS_OBJECT_NAME_COLLISION: the address is taken; STATUS_INSUFFICIENT_RESOURCES; *DriverObjectExtension is NULL then
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    nonpaged pool, tag `IoDx`
 * @source    WDK reference: wdm.h, IoAllocateDriverObjectExtension
 */
NTKERNELAPI NTSTATUS IoAllocateDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress,
                                                     ULONG DriverObjectExtensionSize, PVOID *DriverObjectExtension);
/** @return NULL: there are none @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoGetDriverObjectExtension */
NTKERNELAPI PVOID IoGetDriverObjectExtension(PDRIVER_OBJECT DriverObject, PVOID ClientIdentificationAddress);

/**
 * Have a routine called when DriverEntry has succeeded, with Count 1; it may register itself again, and is called with 2 after the next driver
 * was loaded.
 *
 * @irql    PASSIVE_LEVEL
 * @models  ntmm_driver_load calls it, before it returns. No memory: nothing happens
 * @source  WDK reference: ntddk.h, IoRegisterDriverReinitialization, IoRegisterBootDriverReinitialization
 */
NTKERNELAPI VOID IoRegisterDriverReinitialization(PDRIVER_OBJECT DriverObject, PDRIVER_REINITIALIZE DriverReinitializationRoutine,
                                                  PVOID Context);
NTKERNELAPI VOID IoRegisterBootDriverReinitialization(PDRIVER_OBJECT DriverObject, PDRIVER_REINITIALIZE DriverReinitializationRoutine,
                                                      PVOID Context);

/**
 * Send the device IRP_MJ_SHUTDOWN when the system shuts down; the one registered last is told first, those of "last chance" behind all others.
 *
 * @return STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 * @models a test shuts the system down with ntmm_system_shutdown. One that is not unregistered is a leak, tag `IoSh`
 * @source WDK reference: wdm.h, IoRegisterShutdownNotification, IoRegisterLastChanceShutdownNotification
 */
NTKERNELAPI NTSTATUS IoRegisterShutdownNotification(PDEVICE_OBJECT DeviceObject);
NTKERNELAPI NTSTATUS IoRegisterLastChanceShutdownNotification(PDEVICE_OBJECT DeviceObject);
/** @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoUnregisterShutdownNotification */
NTKERNELAPI VOID IoUnregisterShutdownNotification(PDEVICE_OBJECT DeviceObject);

#ifdef __cplusplus
}
#endif
#endif
