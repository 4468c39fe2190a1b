/*
 * query_interface.h - interfaces that a driver exposes to others, of each device.
 */
#ifndef NTMM_WDF_QUERY_INTERFACE_H
#define NTMM_WDF_QUERY_INTERFACE_H

#include "wdf/device.h"

void wdf_query_interfaces_forget(wdf_device_t *device);
/* IRP_MN_QUERY_INTERFACE. true: it is one of the device's, and *status what the IRP is to be completed with. PASSIVE_LEVEL */
bool wdf_query_interface(wdf_device_t *device, PIRP irp, NTSTATUS *status);

#endif
