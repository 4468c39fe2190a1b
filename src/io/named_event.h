/*
 * named_event.h - for the boot.
 */
#ifndef NTMM_IO_NAMED_EVENT_H
#define NTMM_IO_NAMED_EVENT_H

void io_named_events_boot(void); /* no driver has created one */

#endif
