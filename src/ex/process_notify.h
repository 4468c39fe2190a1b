/*
 * process_notify.h - who hears of processes, threads and images: for the boot, and for who loads an image.
 */
#ifndef NTMM_EX_PROCESS_NOTIFY_H
#define NTMM_EX_PROCESS_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "ke/process.h"

void ex_process_notify_boot(void); /* nobody wants to hear of processes, of threads and images neither */
void ex_thread_notify_boot(void);  /* part of it */
void ex_image_notify_boot(void);

/* process NULL: a driver's image. Name: the host's characters, ASCII. PASSIVE_LEVEL. */
void ex_image_tell(const ke_process_t *process, const char *name, const void *base, size_t bytes);

#endif
