/* etw.h - for the boot. */
#ifndef NTMM_IO_ETW_H
#define NTMM_IO_ETW_H

void io_etw_boot(void); /* no provider has registered */

#endif
