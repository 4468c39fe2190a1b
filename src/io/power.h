/*
 * power.h - for the boot.
 */
#ifndef NTMM_IO_POWER_H
#define NTMM_IO_POWER_H

void io_power_boot(void);        /* and at shutdown: no setting is set, and nobody wants to hear of one */
void io_power_fx_boot(void);     /* power_fx.c: no device is registered */
void io_power_limits_boot(void); /* power_limit.c: no device can be limited */

#endif
