/*
 * driver_hook.h - what a framework above asks of the loading of drivers.
 */
#ifndef NTMM_IO_DRIVER_HOOK_H
#define NTMM_IO_DRIVER_HOOK_H

#include <ntddk.h>

/* A DriverEntry has failed: whatever it has left goes, and the DRIVER_OBJECT next. NULL: nobody is asked. */
extern void (*io_driver_abandoned_hook)(PDRIVER_OBJECT driver);

#endif
