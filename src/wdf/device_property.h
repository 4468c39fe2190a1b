/*
 * device_property.h - properties of physical devices, for whoever has one: a device, what one is made from, an I/O target.
 */
#ifndef NTMM_WDF_DEVICE_PROPERTY_H
#define NTMM_WDF_DEVICE_PROPERTY_H

#include <wdfdevice.h>

#include "wdf/object.h"

typedef struct wdf_property {
    PDEVICE_OBJECT                  physical;
    DEVICE_REGISTRY_PROPERTY        number;
    const WDF_DEVICE_PROPERTY_DATA *by_key; /* in place of the number; NULL: by the number */
    DEVPROPTYPE                     type;   /* out, of one by key */
} wdf_property_t;

/* As a new memory object; STATUS_INVALID_DEVICE_REQUEST: physical is NULL. PASSIVE_LEVEL; by key up to APC_LEVEL. */
NTSTATUS wdf_property_memory(wdf_property_t *property, POOL_TYPE pool, PWDF_OBJECT_ATTRIBUTES attributes, WDFMEMORY *memory);

#endif
