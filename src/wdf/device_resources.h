/*
 * device_resources.h - a device's resources, for its driver.
 */
#ifndef NTMM_WDF_DEVICE_RESOURCES_H
#define NTMM_WDF_DEVICE_RESOURCES_H

#include "wdf/device.h"

extern const wdf_device_part_t wdf_resources_part;

#endif
