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

/* device_property_data.c: properties by key, of anything that has an address and calls the second when it goes. Any thread, at most APC_LEVEL. */
typedef struct io_property_name {
    const void       *owner;
    const DEVPROPKEY *key;
    LCID              locale;
} io_property_name_t;
NTSTATUS io_property_set(const io_property_name_t *name, ULONG flags, DEVPROPTYPE type, ULONG size, const void *data);
NTSTATUS io_property_get(const io_property_name_t *name, ULONG size, void *data, PULONG required, PDEVPROPTYPE type);
void     io_properties_of_forget(const void *owner);
void     io_property_data_reset(void);

#endif
