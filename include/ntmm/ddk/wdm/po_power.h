/*
 * po_power.h - power: requests that a driver asks for, states that it reports, settings that it wants to hear of.
 * The requests are IRPs of IRP_MJ_POWER; a test sends them with ntmm_power_set and ntmm_power_query (ntmm.h).
 *
 * Source  WDK reference: wdm.h, the pages of these routines; "Sending power IRPs".
 */
#ifndef NTMM_DDK_WDM_PO_POWER_H
#define NTMM_DDK_WDM_PO_POWER_H

#include "io_irp.h"
#include "power_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Send a power IRP on. @return what the dispatch routine returned @irql <= DISPATCH_LEVEL
 *  @models as IoCallDriver, as on Windows since Vista @source WDK reference: wdm.h, PoCallDriver */
NTKERNELAPI NTSTATUS PoCallDriver(PDEVICE_OBJECT DeviceObject, PIRP Irp);
/** The driver is ready for the next power IRP. @irql <= DISPATCH_LEVEL @models nothing happens, as on Windows since Vista
 *  @source WDK reference: wdm.h, PoStartNextPowerIrp */
NTKERNELAPI VOID PoStartNextPowerIrp(PIRP Irp);
/** Tell the system in which state the device is. @return the state before; PowerDeviceUnspecified when it was never told
 *  @param Type DevicePowerState; of SystemPowerState nothing is kept @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoSetPowerState */
NTKERNELAPI POWER_STATE PoSetPowerState(PDEVICE_OBJECT DeviceObject, POWER_STATE_TYPE Type, POWER_STATE State);
/**
 * Have a power IRP sent to the top of the device's stack.
 *
 * @param MinorFunction       IRP_MN_SET_POWER or IRP_MN_QUERY_POWER, with a device state, or IRP_MN_WAIT_WAKE, with a system state
 * @param CompletionFunction  called when it is complete, at the IRQL of whoever completes it; or NULL
 * @param Irp                 NULL, or receives the IRP of IRP_MN_WAIT_WAKE, for IoCancelIrp
 * @return STATUS_PENDING; STATUS_INVALID_PARAMETER_2, STATUS_INSUFFICIENT_RESOURCES
 * @irql    <= DISPATCH_LEVEL
 * @models  sent on this thread before the routine returns when that is at PASSIVE_LEVEL, else by a worker
 * @source  WDK reference: wdm.h, PoRequestPowerIrp
 */
NTKERNELAPI NTSTATUS PoRequestPowerIrp(PDEVICE_OBJECT DeviceObject, UCHAR MinorFunction, POWER_STATE PowerState,
                                       PREQUEST_POWER_COMPLETE CompletionFunction, PVOID Context, PIRP *Irp);

/** Have the system put the device to sleep when it is idle. @return a counter to reset with PoSetDeviceBusy; NULL when both times are 0
 *  @irql <= DISPATCH_LEVEL @models no device is ever idle: nothing is sent @source WDK reference: wdm.h */
NTKERNELAPI PULONG PoRegisterDeviceForIdleDetection(PDEVICE_OBJECT DeviceObject, ULONG ConservationIdleTime, ULONG PerformanceIdleTime,
                                                    DEVICE_POWER_STATE State);
#define PoSetDeviceBusy(IdlePointer) (*(IdlePointer) = 0)
/** @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h, PoSetDeviceBusyEx, PoStartDeviceBusy, PoEndDeviceBusy */
NTKERNELAPI VOID PoSetDeviceBusyEx(PULONG IdlePointer);
NTKERNELAPI VOID PoStartDeviceBusy(PULONG IdlePointer);
NTKERNELAPI VOID PoEndDeviceBusy(PULONG IdlePointer);

/**
 * Hear of a power setting: at once, when the test has set it (ntmm_power_setting), and whenever it does.
 *
 * @param DeviceObject  not looked at @param Handle receives what to unregister
 * @return STATUS_INSUFFICIENT_RESOURCES @irql PASSIVE_LEVEL
 * @models one that is not unregistered is a leak, tag `PoSt` @source WDK reference: wdm.h, PoRegisterPowerSettingCallback
 */
NTKERNELAPI NTSTATUS PoRegisterPowerSettingCallback(PDEVICE_OBJECT DeviceObject, LPCGUID SettingGuid, PPOWER_SETTING_CALLBACK Callback,
                                                    PVOID Context, PVOID *Handle);
/** Not from the callback. @return STATUS_INVALID_PARAMETER @irql PASSIVE_LEVEL @source WDK reference: wdm.h, PoUnregisterPowerSettingCallback */
NTKERNELAPI NTSTATUS PoUnregisterPowerSettingCallback(PVOID Handle);

/** Is the time that a power IRP may take limited? @return FALSE: it is not @irql <= DISPATCH_LEVEL @source WDK reference: wdm.h */
NTKERNELAPI BOOLEAN PoQueryWatchdogTime(PDEVICE_OBJECT Pdo, PULONG SecondsRemaining);

#ifdef __cplusplus
}
#endif
#endif
