/* process_notify.h - for the boot. */
#ifndef NTMM_EX_PROCESS_NOTIFY_H
#define NTMM_EX_PROCESS_NOTIFY_H

void ex_process_notify_boot(void); /* nobody wants to hear of processes */

#endif
