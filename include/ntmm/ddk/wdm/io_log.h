/*
 * io_log.h - what a driver reports: entries of the error log, events of Windows management instrumentation.
 *
 * Source  WDK reference: wdm.h, the pages of these routines.
 */
#ifndef NTMM_DDK_WDM_IO_LOG_H
#define NTMM_DDK_WDM_IO_LOG_H

#include "io_irp.h"
#include "io_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the error log ---- */

/**
 * An entry to fill in: an IO_ERROR_LOG_PACKET with its dump data and strings, all zero.
 *
 * @param IoObject   the driver's DRIVER_OBJECT or one of its DEVICE_OBJECTs
 * @param EntrySize  bytes, sizeof(IO_ERROR_LOG_PACKET) to ERROR_LOG_MAXIMUM_SIZE
 * @return NULL: another size, or no memory @irql <= DISPATCH_LEVEL
 * @models nonpaged pool, tag `IoEr` @source WDK reference: wdm.h, IoAllocateErrorLogEntry
 */
NTKERNELAPI PVOID IoAllocateErrorLogEntry(PVOID IoObject, UCHAR EntrySize);
/** It is written, and freed. @irql <= DISPATCH_LEVEL @models as one line where DbgPrint goes @source WDK reference: wdm.h */
NTKERNELAPI VOID IoWriteErrorLogEntry(PVOID ElEntry);
/** It is not. @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoFreeErrorLogEntry */
NTKERNELAPI VOID IoFreeErrorLogEntry(PVOID ElEntry);

/* ---- WMI ---- */

#define WMIREG_ACTION_REGISTER 1
#define WMIREG_ACTION_DEREGISTER 2
#define WMIREG_ACTION_REREGISTER 3
#define WMIREG_ACTION_UPDATE_GUIDS 4
#define WMIREG_ACTION_BLOCK_IRPS 5

/**
 * The device is a provider of data blocks, or is none any more.
 *
 * @param Action  WMIREG_ACTION_*; the last three only for one that is registered
 * @return STATUS_INVALID_PARAMETER, STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 * @models nobody asks a provider but the test, with ntmm_wmi_request. One that is not deregistered is a leak, tag `WmiR`
 * @source WDK reference: wdm.h, IoWMIRegistrationControl
 */
NTKERNELAPI NTSTATUS IoWMIRegistrationControl(PDEVICE_OBJECT DeviceObject, ULONG Action);
/** A number for WNODE_HEADER.ProviderId. @irql any @source WDK reference: wdm.h, IoWMIDeviceObjectToProviderId */
NTKERNELAPI ULONG IoWMIDeviceObjectToProviderId(PDEVICE_OBJECT DeviceObject);
/** Send an event, a WNODE_SINGLE_INSTANCE in pool for example, which is freed then.
 *  @return STATUS_UNSUCCESSFUL: nobody listens (ntmm_wmi_listen), and it is the driver's still, as it is in other errors
 *  @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, IoWMIWriteEvent */
NTKERNELAPI NTSTATUS IoWMIWriteEvent(PVOID WnodeEventItem);

/* ---- whose request is it ---- */

/** FALSE: there are no programs of 32 bits here. @irql any @source WDK reference: wdm.h, IoIs32bitProcess */
NTKERNELAPI BOOLEAN IoIs32bitProcess(PIRP Irp);
/** May the caller do that? @return TRUE @irql PASSIVE_LEVEL @models there is no security: everybody may everything
 *  @source WDK reference: ntddk.h, SeSinglePrivilegeCheck */
NTKERNELAPI BOOLEAN SeSinglePrivilegeCheck(LUID PrivilegeValue, KPROCESSOR_MODE PreviousMode);

#ifdef __cplusplus
}
#endif
#endif
