/*
 * driver.h - what belongs to a driver object.
 */
#ifndef NTMM_IO_DRIVER_H
#define NTMM_IO_DRIVER_H

#include <ntddk.h>

void             io_drivers_boot(void);
PCUNICODE_STRING io_driver_registry_path(PDRIVER_OBJECT driver); /* NULL: the test has made the object itself */

/* ---- driver_extension.c ---- */
void io_driver_forget(PDRIVER_OBJECT driver); /* it is deleted: its extensions, and what it asked to be called for */
void io_driver_reinitialize(void);            /* who asked for it is called */

#endif
