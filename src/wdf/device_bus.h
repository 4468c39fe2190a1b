/*
 * device_bus.h - the part of a device that scans for children when it has come into D0 (child_list.c).
 */
#ifndef NTMM_WDF_DEVICE_BUS_H
#define NTMM_WDF_DEVICE_BUS_H

#include "wdf/device.h"

extern const wdf_device_part_t wdf_bus_part;

#endif
