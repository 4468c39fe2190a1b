/*
 * named_event.h - for the boot, and for the routines that open events by handle.
 */
#ifndef NTMM_IO_NAMED_EVENT_H
#define NTMM_IO_NAMED_EVENT_H

#include <stdbool.h>

#include "ex/object.h"

extern const struct _OBJECT_TYPE io_event_type;

void io_named_events_boot(void); /* no driver has created one */

/* By name: to be opened at once by ex_handle_open, or not, and then io_event_not_opened. NULL: there is none, or no memory. */
PKEVENT io_event_find(PCUNICODE_STRING name);
PKEVENT io_event_find_or_create(PCUNICODE_STRING name, EVENT_TYPE type, BOOLEAN state, bool *existed);
void    io_event_not_opened(PKEVENT event);
PKEVENT io_event_create_unnamed(EVENT_TYPE type, BOOLEAN state); /* with the caller's reference; NULL: no memory */

#endif
