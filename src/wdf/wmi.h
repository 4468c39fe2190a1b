/*
 * wmi.h - data blocks for WMI, inside the library: a provider is a block, its instances are what of it there is.
 *
 * Lock key: (W) the lock of the device's wdf_wmi_t   (B) set when it is made
 */
#ifndef NTMM_WDF_WMI_H
#define NTMM_WDF_WMI_H

#include <wdfwmi.h>

#include "wdf/device.h"

typedef struct wdf_wmi_provider {
    wdf_object_t                          object;
    wdf_device_t                         *device;                     /* (B) its parent */
    LIST_ENTRY                            of_device;                  /* (W) */
    LIST_ENTRY                            instances;                  /* (W) those that are registered, by index */
    GUID                                  guid;                       /* (B) */
    ULONG                                 flags;                      /* (B) WDF_WMI_PROVIDER_FLAGS */
    ULONG                                 min_bytes;                  /* (B) of each instance */
    PFN_WDF_WMI_PROVIDER_FUNCTION_CONTROL control;                    /* (B) or NULL */
    ULONG                                 count;                      /* (W) of instances */
    bool                                  is_removed;                 /* (W) the last instance has gone, and WMI has not been told */
    _Atomic bool                          has_events, has_collection; /* somebody wants them */
    _Atomic uint64_t                      tracing;                    /* the handle that tracing was enabled with, or 0 */
} wdf_wmi_provider_t;

typedef struct wdf_wmi_instance {
    wdf_object_t            object;
    wdf_wmi_provider_t     *provider;    /* (B) its parent */
    LIST_ENTRY              of_provider; /* (W) empty: not registered */
    WDF_WMI_INSTANCE_CONFIG config;      /* (B) */
    const void             *data;        /* (B) the context that answers queries, `bytes` of it; or NULL */
    ULONG                   bytes;       /* (B) */
} wdf_wmi_instance_t;

extern const wdf_type_t wdf_wmi_provider_type, wdf_wmi_instance_type;

/* Both with a reference, for wdf_object_dereference; NULL: there is none. */
wdf_wmi_provider_t *wdf_wmi_find(wdf_device_t *device, const GUID *guid);
wdf_wmi_instance_t *wdf_wmi_instance_at(wdf_wmi_provider_t *provider, ULONG index);

#endif
