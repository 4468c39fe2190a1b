/*
 * toy_bus.h - a KMDF bus driver with dynamic children, and the function driver of those: what test_kmdf_bus.c drives.
 *
 *     toy_plug_in ----> the bus's child list: a new description       toy_unplug ----> it is missing
 *     a child's PDO     answers IOCTL_TOY_SERIAL, and exposes TOY_INTERFACE to its function driver
 *     a child's FDO     asks for that interface when it starts, and answers reads with what it says
 */
#ifndef NTMM_TESTS_TOY_BUS_H
#define NTMM_TESTS_TOY_BUS_H

#include <ntddk.h>
#include <wdf.h>

#include <wdffdo.h>
#include <wdfpdo.h>
#include <wdfqueryinterface.h>

#define IOCTL_TOY_SERIAL CTL_CODE(FILE_DEVICE_BUS_EXTENDER, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

typedef struct TOY_INTERFACE {
    INTERFACE Header;
    ULONG (*Serial)(PVOID context);
} TOY_INTERFACE;

DRIVER_INITIALIZE ToyBusEntry, ToyFunctionEntry;

/* As the bus's hardware would: at most DISPATCH_LEVEL. */
NTSTATUS ToyPlugIn(PDEVICE_OBJECT bus, ULONG serial);
NTSTATUS ToyUnplug(PDEVICE_OBJECT bus, ULONG serial);

extern LONG ToyReferences; /* to interfaces */

#endif
