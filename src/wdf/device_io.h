/*
 * device_io.h - what a device has to do with requests: its queues, files, local target and interrupts. A part of each device.
 * device.c makes it with the device, and tells it what PnP and power do:
 *
 *     WdfDeviceCreate          wdf_io_init          what WDFDEVICE_INIT said
 *     a dispatch routine       wdf_io_dispatch      every IRP but PnP, power and WMI
 *     start: PrepareHardware   wdf_io_resources_set the interrupts get their resources (before the driver's callback)
 *     D0 entry, behind it      wdf_io_power_on      interrupts are connected, power-managed queues deliver
 *     D0 exit, before it       wdf_io_power_off     queues stop (EvtIoStop), interrupts are disconnected
 *     removal, before that     wdf_io_purge         all queues accept no more, and what they have is cancelled
 */
#ifndef NTMM_WDF_DEVICE_IO_H
#define NTMM_WDF_DEVICE_IO_H

#include "wdf/callback_lock.h"
#include "wdf/object.h"

struct wdf_queue;
struct wdf_io_target;

/* What WDFDEVICE_INIT says of requests. All zero: the defaults, but for read_write. */
typedef struct wdf_io_settings {
    WDF_DEVICE_IO_TYPE           read_write; /* WdfDeviceInitSetIoType; WdfDeviceIoBuffered by default */
    bool                         has_files, has_request_attributes;
    WDF_FILEOBJECT_CONFIG        files; /* WdfDeviceInitSetFileObjectConfig */
    WDF_OBJECT_ATTRIBUTES        file_attributes, request_attributes;
    PFN_WDF_IO_IN_CALLER_CONTEXT in_caller_context;
    bool                         is_filter;  /* WdfFdoInitSetFilter: what the driver has no queue for goes down the stack */
    bool                         is_control; /* a control device: no power */
} wdf_io_settings_t;

typedef struct wdf_device_io {
    wdf_object_t         *device; /* the WDFDEVICE */
    PDEVICE_OBJECT        wdm;    /* its device object */
    wdf_io_settings_t     settings;
    wdf_lock_t            lock;
    LIST_ENTRY            queues, files, interrupts;            /* (lock) */
    struct wdf_queue     *default_queue;                        /* (lock) or NULL */
    struct wdf_queue     *by_type[IRP_MJ_MAXIMUM_FUNCTION + 1]; /* (lock) WdfDeviceConfigureRequestDispatching */
    struct wdf_io_target *target;                               /* WdfDeviceGetIoTarget; NULL: nothing is below */
    wdf_callback_lock_t   callback_lock;                        /* of WdfSynchronizationScopeDevice */
    bool                  has_callback_lock;
    bool                  is_started;      /* WdfDevStatePnpInit is over */
    bool                  is_on;           /* in D0, or without power */
    PCM_RESOURCE_LIST     raw, translated; /* between start and stop */
} wdf_device_io_t;

/* device.c's: the part of a device. */
wdf_device_io_t *wdf_device_io(wdf_object_t *device);

/* io->device and io->wdm are set; below: the next lower device of the stack, or NULL. STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS wdf_io_init(wdf_device_io_t *io, const wdf_io_settings_t *settings, PDEVICE_OBJECT below);
NTSTATUS wdf_io_dispatch(wdf_device_io_t *io, PIRP irp);
/* NULL: they are taken away. The lists must live until then. */
void     wdf_io_resources_set(wdf_device_io_t *io, PCM_RESOURCE_LIST raw, PCM_RESOURCE_LIST translated);
NTSTATUS wdf_io_power_on(wdf_device_io_t *io);
void     wdf_io_power_off(wdf_device_io_t *io);
void     wdf_io_purge(wdf_device_io_t *io);

#endif
