/*
 * io_device.h - device objects: made by a driver, stacked, and named.
 *
 * Source  WDK reference: wdm.h, "Device Objects and Device Stacks".
 */
#ifndef NTMM_DDK_WDM_IO_DEVICE_H
#define NTMM_DDK_WDM_IO_DEVICE_H

#include "io_irp.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A device object of the driver's, with StackSize 1 and DO_DEVICE_INITIALIZING, first in the driver's list.
 *
 * @param DeviceExtensionSize  bytes of the driver's own, zero, 16-byte aligned
 * @param DeviceName           or NULL. Nothing is opened by name; a name can be taken
 * @param Exclusive            becomes DO_EXCLUSIVE
 * @return STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_PATH_SYNTAX_BAD; *DeviceObject is NULL then
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    nonpaged pool with tag `Devi`, by which a leak is found
 * @source    WDK reference: wdm.h, IoCreateDevice
 */
NTKERNELAPI NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
                                    DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive, PDEVICE_OBJECT *DeviceObject);
/**
 * The driver's device is gone; its storage goes with the last reference, which a device that is attached to it has.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  DEVICE_REFERENCE_COUNT_NOT_ZERO (0x36): it is attached to another one, or was deleted before (choice); p1 the device
 * @source    WDK reference: wdm.h, IoDeleteDevice; Bug Check 0x36
 */
NTKERNELAPI VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject);
/**
 * Put a device on top of the stack that TargetDevice is in. StackSize, AlignmentRequirement and SectorSize follow from what is below.
 *
 * @return  the device right below, which is where to send IRPs on; NULL: that one is DO_DEVICE_INITIALIZING, or deleted
 * @irql    <= DISPATCH_LEVEL
 * @source  WDK reference: wdm.h, IoAttachDeviceToDeviceStack
 */
NTKERNELAPI PDEVICE_OBJECT IoAttachDeviceToDeviceStack(PDEVICE_OBJECT SourceDevice, PDEVICE_OBJECT TargetDevice);
/** What is attached to TargetDevice is not any more. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoDetachDevice */
NTKERNELAPI VOID IoDetachDevice(PDEVICE_OBJECT TargetDevice);
/** The top of the device's stack. @irql <= DISPATCH_LEVEL @source WDK reference: ntifs.h, IoGetAttachedDevice */
NTKERNELAPI PDEVICE_OBJECT IoGetAttachedDevice(PDEVICE_OBJECT DeviceObject);
/** The same, with a reference, for ObDereferenceObject. @irql <= DISPATCH_LEVEL
 *  @models a physical device object of ntmm_device_create, alone in its stack, is not counted @source WDK reference: wdm.h */
NTKERNELAPI PDEVICE_OBJECT IoGetAttachedDeviceReference(PDEVICE_OBJECT DeviceObject);

/** A name for programs. @return STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_INSUFFICIENT_RESOURCES
 *  @irql PASSIVE_LEVEL @models DeviceName is not looked at: nothing is opened by name; one that is not deleted is a leak, tag `IoNm`
 *  @source WDK reference: wdm.h, IoCreateSymbolicLink */
NTKERNELAPI NTSTATUS IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName);
/** @return STATUS_OBJECT_NAME_NOT_FOUND @irql PASSIVE_LEVEL @source WDK reference: wdm.h, IoDeleteSymbolicLink */
NTKERNELAPI NTSTATUS IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName);

#ifdef __cplusplus
}
#endif
#endif
