/*
 * device_init.h - the life of a WDFDEVICE_INIT.
 */
#ifndef NTMM_WDF_DEVICE_INIT_H
#define NTMM_WDF_DEVICE_INIT_H

#include "wdf/device.h"

void wdf_device_init_begin(struct WDFDEVICE_INIT *init, wdf_driver_t *driver,
                           PDEVICE_OBJECT physical); /* physical NULL: a control device */
void wdf_device_init_end(struct WDFDEVICE_INIT *init);

#endif
