/*
 * driver_object.h - the WDFDRIVER: what of a driver goes when it is unloaded.
 */
#ifndef NTMM_WDF_DRIVER_OBJECT_H
#define NTMM_WDF_DRIVER_OBJECT_H

#include "wdf/object.h"

typedef struct wdf_driver_object {
    wdf_object_t      object;
    WDF_DRIVER_CONFIG config; /* (B) */
    UNICODE_STRING    path;   /* (B) RegistryPath; paged pool, ended by 0 */
} wdf_driver_object_t;

extern const wdf_type_t wdf_driver_type;

/* AddDevice and the dispatch routines (device_add.c, dispatch.c). */
DRIVER_ADD_DEVICE wdf_add_device;
DRIVER_DISPATCH   wdf_dispatch;

#endif
