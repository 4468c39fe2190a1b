/*
 * device_io.h - the part of a device that has to do with requests: its queues, its files, its local target.
 * io_dispatch.c is that part; the routines of devices that concern it (WdfDeviceConfigureRequestDispatching, WdfDeviceEnqueueRequest,
 * WdfDeviceGetDefaultQueue, WdfDeviceGetFileObject, WdfDeviceGetIoTarget) are there, too. Interrupts are a part of their own (interrupt.c).
 */
#ifndef NTMM_WDF_DEVICE_IO_H
#define NTMM_WDF_DEVICE_IO_H

#include "wdf/device.h"

struct wdf_queue;
struct wdf_io_target;

typedef struct wdf_device_io {
    wdf_device_t         *device;
    wdf_lock_t            lock;
    LIST_ENTRY            queues, files;                        /* (lock) */
    struct wdf_queue     *default_queue;                        /* (lock) or NULL */
    struct wdf_queue     *by_type[IRP_MJ_MAXIMUM_FUNCTION + 1]; /* (lock) WdfDeviceConfigureRequestDispatching */
    struct wdf_io_target *target;                               /* the next lower device; NULL: a control device */
    bool                  is_on;                                /* in D0 */
} wdf_device_io_t;

extern const wdf_device_part_t wdf_io_part, wdf_interrupts_part;

static inline wdf_device_io_t *wdf_device_io(const wdf_device_t *device) { return device->parts[WDF_PART_IO]; }

/* The next one, with a reference, and the given one without; NULL: the first, none. A queue that was deleted meanwhile ends it. */
struct wdf_queue *wdf_io_next_queue(wdf_device_io_t *io, struct wdf_queue *queue);

/* The lock of callbacks, or none. */
static inline void wdf_callbacks_enter(const char *routine, wdf_callback_lock_t *lock)
{
    if (lock != NULL)
        wdf_callback_lock_take(routine, lock);
}
static inline void wdf_callbacks_leave(const char *routine, wdf_callback_lock_t *lock)
{
    if (lock != NULL)
        wdf_callback_lock_let_go(routine, lock);
}
static inline wdf_callback_lock_t *wdf_device_lock(wdf_device_t *device)
{
    return device->object.scope == WdfSynchronizationScopeDevice ? &device->callbacks : NULL;
}

#endif
