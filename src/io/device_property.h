/*
 * device_property.h - what a test has said about a device.
 */
#ifndef NTMM_IO_DEVICE_PROPERTY_H
#define NTMM_IO_DEVICE_PROPERTY_H

#include <stddef.h>

#include <ntddk.h>

/* Its bytes as they were given, which stay as long as the device; NULL: nothing was said. */
const void *io_device_property(PDEVICE_OBJECT device, DEVICE_REGISTRY_PROPERTY property, size_t *bytes);
void        io_device_properties_forget(PDEVICE_OBJECT device);
void        io_device_properties_reset(void);

#endif
