/*
 * wmi.h - for the boot.
 */
#ifndef NTMM_IO_WMI_H
#define NTMM_IO_WMI_H

void io_wmi_boot(void); /* no provider has registered */

#endif
