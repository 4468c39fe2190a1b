/*
 * wdfcontrol.h - control devices: a device object without hardware, which programs open by name.
 *
 *     WdfControlDeviceInitAllocate, WdfDeviceInit..., WdfDeviceCreate, queues, WdfControlFinishInitializing: from now on it can be opened
 *
 * Source  WDK reference: wdfcontrol.h, "Using Control Device Objects".
 */
#ifndef NTMM_DDK_WDFCONTROL_H
#define NTMM_DDK_WDFCONTROL_H

#include "wdfdevice.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef VOID NTAPI                            EVT_WDF_DEVICE_SHUTDOWN_NOTIFICATION(WDFDEVICE Device);
typedef EVT_WDF_DEVICE_SHUTDOWN_NOTIFICATION *PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION;

typedef enum _WDF_DEVICE_SHUTDOWN_FLAGS { WdfDeviceShutdown = 0x01, WdfDeviceLastChanceShutdown = 0x02 } WDF_DEVICE_SHUTDOWN_FLAGS;

/**
 * What a control device is made from.
 *
 * @param SDDLString  who may open it, a security descriptor as text
 * @return NULL: no memory
 * @irql   PASSIVE_LEVEL
 * @source WDK reference: wdfcontrol.h, WdfControlDeviceInitAllocate
 */
WDFAPI PWDFDEVICE_INIT WdfControlDeviceInitAllocate(WDFDRIVER Driver, const UNICODE_STRING *SDDLString);
/** @param Flags  WDF_DEVICE_SHUTDOWN_FLAGS  @irql PASSIVE_LEVEL */
WDFAPI VOID WdfControlDeviceInitSetShutdownNotification(PWDFDEVICE_INIT DeviceInit, PFN_WDF_DEVICE_SHUTDOWN_NOTIFICATION Notification,
                                                        UCHAR Flags);
/** Requests reach the device from now on. @irql <= DISPATCH_LEVEL */
WDFAPI VOID WdfControlFinishInitializing(WDFDEVICE Device);

#ifdef __cplusplus
}
#endif
#endif
