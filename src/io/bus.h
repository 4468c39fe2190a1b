/*
 * bus.h - physical device objects: io's half of what ntmm_device_create puts on the bus.
 */
#ifndef NTMM_IO_BUS_H
#define NTMM_IO_BUS_H

#include "io/device.h"

/* What a driver may be connected to: an interrupt resource that the device was started with. */
typedef struct io_bus_interrupt {
    ULONG    vector;
    KIRQL    irql;
    bool     is_shared;
    uint16_t flags; /* CM_RESOURCE_INTERRUPT_* */
} io_bus_interrupt_t;
#define IO_BUS_INTERRUPTS 16u

/* Beside the device object, in HAL_DEVICE_UPPER_BYTES. */
typedef struct io_bus_device {
    io_device_extension_t extension;
    io_device_name_t      name;
    WCHAR                 name_text[IO_AUTOMATIC_NAME];
    uint32_t              number;    /* of this boot, from 1: the instance ID */
    bool                  placed;    /* ntmm_device_place: it has a slot, */
    ULONG                 bus, slot; /* on this bus */
    uint32_t              interrupt_count;
    io_bus_interrupt_t    interrupts[IO_BUS_INTERRUPTS]; /* the first of those that it was last started with */
} io_bus_device_t;

void             io_bus_boot(void);
io_bus_device_t *io_bus_device_of(PDEVICE_OBJECT object); /* NULL: it is not on the bus */
/* A resource of paged pool with text for IRP_MN_QUERY_ID and its like; NULL: no memory. `multi`: one more null behind it. */
PWSTR io_bus_text(const WCHAR *text, size_t bytes, bool multi);

#endif
