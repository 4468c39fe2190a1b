/*
 * power.h - for the boot.
 */
#ifndef NTMM_IO_POWER_H
#define NTMM_IO_POWER_H

void io_power_boot(void); /* and at shutdown: no setting is set, and nobody wants to hear of one */

#endif
