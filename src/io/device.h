/*
 * device.h - device objects, for the files that open them, name them and put them on the bus.
 */
#ifndef NTMM_IO_DEVICE_H
#define NTMM_IO_DEVICE_H

#include <stdbool.h>

#include "ex/object.h"
#include "io/device_name.h"

/* What DEVICE_OBJECT.DeviceObjectExtension points to: the part that other systems' drivers know of it, and ours. */
struct _DEVOBJ_EXTENSION {
    CSHORT         Type;
    USHORT         Size;
    PDEVICE_OBJECT DeviceObject;
};
typedef struct io_device_extension {
    struct _DEVOBJ_EXTENSION known;       /* first */
    PDEVICE_OBJECT           attached_to; /* by the lock of device.c, as is `deleted` */
    io_device_name_t        *name;        /* or NULL */
    bool                     deleted;
    _Atomic uint32_t         invalidated; /* what drivers asked the PnP manager for: NTMM_PNP_* */
    _Atomic int32_t          power;       /* DEVICE_POWER_STATE, as PoSetPowerState has told it */
    ULONG                    idle;        /* the counter of PoRegisterDeviceForIdleDetection */
} io_device_extension_t;

/* NULL: its test has made it, and it is no object. */
static inline io_device_extension_t *io_device_extension(const DEVICE_OBJECT *device)
{
    return (io_device_extension_t *)(void *)device->DeviceObjectExtension;
}

extern const struct _OBJECT_TYPE io_device_type, io_driver_type;

void           io_devices_boot(void);
PDEVICE_OBJECT io_device_bottom(PDEVICE_OBJECT device); /* of its stack, referenced; NULL: it goes just now */
/* One more file object of it: STATUS_NO_SUCH_DEVICE, STATUS_ACCESS_DENIED. */
NTSTATUS io_device_open_one(PDEVICE_OBJECT device);
void     io_device_close_one(PDEVICE_OBJECT device);

void io_device_timers_boot(void);
void io_device_timer_delete(PDEVICE_OBJECT device); /* stopped, if it has one; at most DISPATCH_LEVEL */

#endif
