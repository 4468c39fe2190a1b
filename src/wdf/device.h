/*
 * device.h - devices of the framework from inside, and the parts of the framework that each of them has: queues, interrupts, DMA, resources.
 *
 * A part is told what the device goes through; device_parts.c lists them in the order of powering up. Powering down goes the other way round.
 *
 *     WdfDeviceCreate          created       for each part; a failure undoes those before it: destroyed
 *     start, back to D0        D0Entry, then up: interrupts, DMA, queues; self-managed I/O is begun
 *     stop, out of D0          self-managed I/O is suspended, then down: queues, DMA, interrupts; D0Exit
 *     removal                  the same, ReleaseHardware, then purge: what waits in queues fails; the WDFDEVICE is deleted: destroyed
 *     start of a PDO that was removed, and is there still            reopen
 *     any other IRP            dispatch, until a part takes it
 *
 * Lock key: (B) set before the WDFDEVICE is seen   (P) PnP and power IRPs only, of which there is one at a time
 */
#ifndef NTMM_WDF_DEVICE_H
#define NTMM_WDF_DEVICE_H

#include "wdf/callback_lock.h"
#include "wdf/child_list.h"
#include "wdf/object.h"
#include "wdf/relations.h"

typedef struct wdf_device wdf_device_t;

/* ---- what a device is made from ---- */

typedef struct wdf_preprocess { /* IRPs of one major function that the driver wants to see first */
    PFN_WDFDEVICE_WDM_IRP_PREPROCESS callback;
    ULONG                            minors; /* one bit a minor function; all bits: any */
} wdf_preprocess_t;

/* What WDFDEVICE_INIT collects, and the WDFDEVICE keeps. */
typedef struct wdf_device_setup {
    bool                             is_control, is_filter, is_exclusive, is_power_policy_owner;
    DEVICE_TYPE                      type;
    ULONG                            power_flags; /* DO_POWER_PAGABLE, DO_POWER_INRUSH */
    ULONG                            characteristics;
    WDF_IO_TYPE_CONFIG               io;
    WDF_PNPPOWER_EVENT_CALLBACKS     pnp;
    WDF_POWER_POLICY_EVENT_CALLBACKS power_policy;
    bool                             has_file_config, has_file_attributes, has_request_attributes;
    WDF_FILEOBJECT_CONFIG            file_config;
    WDF_OBJECT_ATTRIBUTES            file_attributes;
    WDF_OBJECT_ATTRIBUTES            request_attributes;
    PFN_WDF_IO_IN_CALLER_CONTEXT     in_caller_context;
    wdf_preprocess_t                 preprocess[IRP_MJ_MAXIMUM_FUNCTION + 1];
    VOID (*shutdown)(WDFDEVICE Device); /* EvtDeviceShutdownNotification */
    UCHAR shutdown_flags;
} wdf_device_setup_t;

struct WDFDEVICE_INIT {
    wdf_driver_t         *driver;
    wdf_device_setup_t    setup;
    PDEVICE_OBJECT        physical;     /* NULL: a control device */
    UNICODE_STRING        name;         /* paged pool; Buffer NULL: none */
    wdf_device_t         *made;         /* by WdfDeviceCreate; NULL: nothing yet */
    struct wdf_pdo       *pdo;          /* of a bus driver's child (pdo.h); NULL: it is none, or WdfDeviceCreate has taken it */
    bool                  is_allocated; /* a block of pool: WdfDeviceCreate or WdfDeviceInitFree frees it */
    WDF_CHILD_LIST_CONFIG list_config;  /* of the default child list; Size 0: none */
    WDF_OBJECT_ATTRIBUTES list_attributes;
    bool                  has_list_attributes;
};

/* ---- a device ---- */

typedef enum wdf_device_state {
    WDF_DEVICE_MADE = 0,
    WDF_DEVICE_STARTED, /* in D0, or was */
    WDF_DEVICE_STOPPED,
    WDF_DEVICE_SURPRISE_REMOVED,
    WDF_DEVICE_REMOVED,
    WDF_DEVICE_PDO_WAITS, /* removed, and its bus has it still: it may be started again */
    WDF_DEVICE_FAILED     /* a callback failed, or WdfDeviceSetFailed */
} wdf_device_state_t;

/* What WMI knows of a device (wmi.c). Lock key: (W) lock */
typedef struct wdf_wmi {
    wdf_lock_t     lock;
    LIST_ENTRY     providers;              /* (W) */
    bool           is_registered, is_over; /* (W) is_over: it is being removed, and has been deregistered */
    UNICODE_STRING mof;                    /* WdfDeviceAssignMofResourceName; paged pool; Buffer NULL: none */
} wdf_wmi_t;

enum wdf_idle_state { WDF_IDLE_OFF = 0, WDF_IDLE_D0, WDF_IDLE_LEAVING, WDF_IDLE_DX, WDF_IDLE_ENTERING };

/* What a device does while nobody uses it (device_idle.c). Lock key: (I) lock */
typedef struct wdf_idle {
    wdf_lock_t         lock;
    uint8_t            state;              /* (I) enum wdf_idle_state */
    uint8_t            stopping;           /* (I) the device is to be stopped: how */
    _Atomic bool       is_enabled;         /* (I) WdfDeviceAssignS0IdleSettings, like the next three */
    bool               can_wake;           /* (I) */
    ULONG              timeout_ms;         /* (I) */
    DEVICE_POWER_STATE dx;                 /* (I) */
    ULONG              holds;              /* (I) WdfDeviceStopIdle, less WdfDeviceResumeIdle */
    ULONG              uses;               /* (I) counts whoever has begun to use it */
    bool               is_needed;          /* (I) it is to be in D0 */
    bool               is_expired;         /* (I) the timer, and the worker has not seen it yet */
    bool               is_queued;          /* (I) the worker is queued, or runs */
    bool               is_armed, is_woken; /* (I) for the wake signal, which has come */
    KTIMER             timer;
    KDPC               dpc;
    WORK_QUEUE_ITEM    item;
    KEVENT             settled; /* it is in D0, or off */
    KEVENT             quiet;   /* the worker is neither queued nor running */
} wdf_idle_t;

#define WDF_DEVICE_PARTS 8u

struct wdf_device {
    wdf_object_t                  object;
    wdf_device_setup_t            setup;           /* (B) */
    PDEVICE_OBJECT                wdm;             /* (B) its DEVICE_OBJECT; the extension points back */
    PDEVICE_OBJECT                below;           /* (B) the one that it is attached to; NULL: a control device */
    PDEVICE_OBJECT                physical;        /* (B) */
    wdf_callback_lock_t           callbacks;       /* the lock of scope WdfSynchronizationScopeDevice */
    wdf_device_state_t            state;           /* (P) */
    bool                          in_d0;           /* (P) its parts are up */
    bool                          began_io;        /* (P) EvtDeviceSelfManagedIoInit has been called */
    bool                          has_hardware;    /* (P) EvtDevicePrepareHardware has been called */
    WDF_POWER_DEVICE_STATE        power;           /* (P) */
    WDFCMRESLIST                  raw, translated; /* (P) of the last start; NULL: no part makes them */
    WDF_DEVICE_STATE              pnp_state;
    WDF_DEVICE_PNP_CAPABILITIES   pnp_can; /* what the driver says that it can do */
    WDF_DEVICE_POWER_CAPABILITIES power_can;
    PNP_BUS_INFORMATION           bus_of_children; /* BusTypeGuid zero: the driver has not said what */
    struct wdf_pdo               *pdo;             /* (B) NULL: its driver is not its bus driver */
    wdf_bus_t                     bus;             /* its children */
    wdf_relations_t               removal;         /* devices that go when it is removed */
    wdf_lock_t                    lock_of_interfaces;
    LIST_ENTRY                    query_interfaces; /* (lock_of_interfaces) WdfDeviceAddQueryInterface */
    bool                          has_parts;        /* (B) */
    bool                          is_stoppable;     /* WdfDeviceSetStaticStopRemove */
    bool                          has_failed;       /* WdfDeviceSetFailed */
    UNICODE_STRING                name;             /* (B) paged pool; Buffer NULL: none */
    LIST_ENTRY                    links;            /* its symbolic links */
    LIST_ENTRY                    interfaces;       /* device_interface.c */
    wdf_wmi_t                     wmi;
    wdf_idle_t                    idle;
    void                         *parts[WDF_DEVICE_PARTS]; /* what each part keeps for it; index: wdf_device_part.number */
};

extern const wdf_type_t     wdf_device_type;
static inline wdf_device_t *wdf_device_of(PDEVICE_OBJECT wdm) { return *(wdf_device_t **)wdm->DeviceExtension; }
static inline WDFDEVICE     wdf_device_handle(wdf_device_t *device) { return (WDFDEVICE)&device->object; }
bool                        wdf_device_is_fdo(const wdf_device_t *device); /* or a filter: attached to a device of somebody else's */
/* Its physical device object, if the PnP manager knows that; else NULL. */
PDEVICE_OBJECT wdf_device_known(const wdf_device_t *device);
void           wdf_device_invalidate_relations(const wdf_device_t *device); /* bus relations; <= DISPATCH_LEVEL */
/* The WDFDEVICE that an object belongs to; NULL: none. */
static inline wdf_device_t *wdf_device_above(wdf_object_t *object) { return (wdf_device_t *)wdf_object_ancestor(object, &wdf_device_type); }

/* An IRP goes to the device below, as it is, and comes back whole; its status. PASSIVE_LEVEL. */
NTSTATUS wdf_device_send_and_wait(wdf_device_t *device, PIRP irp);
NTSTATUS wdf_device_pass_on(wdf_device_t *device, PIRP irp); /* and does not come back */
NTSTATUS wdf_device_complete(PIRP irp, NTSTATUS status);

/* It is about to be deleted, and no IRP says so: whatever of it is up goes down. PASSIVE_LEVEL. */
void     wdf_device_retire(wdf_device_t *device);
NTSTATUS wdf_device_name_take(wdf_device_t *device, PCUNICODE_STRING name); /* copied */
void     wdf_device_links_forget(wdf_device_t *device);                     /* symbolic links */
void     wdf_device_names_forget(wdf_device_t *device);                     /* all names */
/* device_interface.c. Those that start enabled; a failure leaves some of them so. */
NTSTATUS wdf_device_interfaces_enable(wdf_device_t *device);
void     wdf_device_interfaces_disable(wdf_device_t *device);
void     wdf_device_interfaces_forget(wdf_device_t *device);
/* device_idle.c */
void     wdf_idle_init(wdf_device_t *device);
void     wdf_idle_started(wdf_device_t *device); /* it is in D0, by another way than this file's. PASSIVE_LEVEL, as the next */
void     wdf_idle_stop(wdf_device_t *device,
                       bool          comes_up);         /* it is off when this returns; comes_up: first in D0, if it sleeps. No lock held */
bool     wdf_idle_moves(wdf_device_t *device); /* the power IRP that is on its way is that of this file */
void     wdf_idle_used(wdf_device_t *device);  /* a request has come to a power-managed queue; <= DISPATCH_LEVEL, as the next */
void     wdf_idle_unused(wdf_device_t *device);
NTSTATUS wdf_wake_arm(wdf_device_t *device); /* on its way down, if it sleeps to be woken. PASSIVE_LEVEL, as the next */
void     wdf_wake_disarm(wdf_device_t *device);

/* wmi.c, wmi_dispatch.c. Registered with WMI and not any more; PASSIVE_LEVEL. */
NTSTATUS wdf_wmi_register(wdf_device_t *device);
void     wdf_wmi_deregister(wdf_device_t *device);
void     wdf_wmi_forget(wdf_device_t *device); /* it is destroyed */
NTSTATUS wdf_wmi_dispatch(wdf_device_t *device, PIRP irp);
NTSTATUS wdf_device_pnp(wdf_device_t *device, PIRP irp);
NTSTATUS wdf_device_power(wdf_device_t *device, PIRP irp);

/* Calls the driver's callback, if there is one, with the device in front. */
#define WDF_DEVICE_CALL(device, status, callback, ...) \
    do { \
        if ((callback) != NULL) { \
            wdf_call_t call_ = wdf_call_begin((device)->object.driver); \
            (status) = (callback)(wdf_device_handle(device), ##__VA_ARGS__); \
            WDF_CALL_END(&call_, (callback)); \
        } \
    } while (0)
#define WDF_DEVICE_CALL_VOID(device, callback) \
    do { \
        if ((callback) != NULL) { \
            wdf_call_t call_ = wdf_call_begin((device)->object.driver); \
            (callback)(wdf_device_handle(device)); \
            WDF_CALL_END(&call_, (callback)); \
        } \
    } while (0)

/* ---- parts ---- */

typedef struct wdf_device_part {
    unsigned number; /* enum wdf_device_part_number */
    NTSTATUS (*created)(wdf_device_t *device);
    NTSTATUS (*up)(wdf_device_t *device);                              /* it is in D0 now; PASSIVE_LEVEL */
    void (*down)(wdf_device_t *device, WDF_POWER_DEVICE_STATE target); /* it is in D0 still; PASSIVE_LEVEL */
    void (*purge)(wdf_device_t *device);                               /* it is about to be deleted; PASSIVE_LEVEL */
    void (*reopen)(wdf_device_t *device); /* it is not: a PDO that was removed is started again; PASSIVE_LEVEL */
    void (*destroyed)(wdf_device_t *device);
    /* true: it has taken the IRP, *status is what the dispatch routine returns. <= DISPATCH_LEVEL */
    bool (*dispatch)(wdf_device_t *device, PIRP irp, NTSTATUS *status);
    /* WDFCMRESLISTs for EvtDevicePrepareHardware; either list may be NULL. */
    NTSTATUS (*resources)(wdf_device_t *device, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated);
} wdf_device_part_t;

enum wdf_device_part_number { WDF_PART_RESOURCES = 0, WDF_PART_INTERRUPTS, WDF_PART_DMA, WDF_PART_IO, WDF_PART_BUS };

extern const wdf_device_part_t *const wdf_device_parts[]; /* NULL ends the list */

#endif
