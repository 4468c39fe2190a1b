/*
 * capabilities.h - what a driver says that its device can do, and how that gets into DEVICE_CAPABILITIES, PNP_DEVICE_STATE and PNP_BUS_INFORMATION.
 */
#ifndef NTMM_WDF_CAPABILITIES_H
#define NTMM_WDF_CAPABILITIES_H

#include "wdf/device.h"

void wdf_capabilities_init(wdf_device_t *device);
/* IRP_MN_QUERY_CAPABILITIES of a function driver or filter: what it adds on the way down, and what it may change on the way up. */
void wdf_capabilities_down(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities);
void wdf_capabilities_up(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities);
/* Of a physical device: all of them; what its driver has not said of power is as its parent has it. */
void wdf_capabilities_of_pdo(const wdf_device_t *device, PDEVICE_CAPABILITIES capabilities, const DEVICE_CAPABILITIES *parent);
/* Whether the structure is one that can be filled. */
bool wdf_capabilities_are_known(const DEVICE_CAPABILITIES *capabilities);

PNP_DEVICE_STATE wdf_pnp_state(const wdf_device_t *device, PNP_DEVICE_STATE state);
/* IRP_MN_QUERY_BUS_INFORMATION of a child; the status that it is completed with. */
NTSTATUS wdf_bus_information_answer(const wdf_device_t *bus, PIRP irp);

#endif
