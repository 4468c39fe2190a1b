/*
 * device_property.h - properties of physical devices, for whoever has one: a device, what one is made from, an I/O target.
 */
#ifndef NTMM_WDF_DEVICE_PROPERTY_H
#define NTMM_WDF_DEVICE_PROPERTY_H

#include "wdf/object.h"

/* As a new memory object; STATUS_INVALID_DEVICE_REQUEST: physical is NULL. PASSIVE_LEVEL. */
NTSTATUS wdf_property_memory(PDEVICE_OBJECT physical, DEVICE_REGISTRY_PROPERTY property, POOL_TYPE pool, PWDF_OBJECT_ATTRIBUTES attributes,
                             WDFMEMORY *memory);

#endif
