/*
 * sync.h - locks that are objects, from inside.
 */
#ifndef NTMM_WDF_SYNC_H
#define NTMM_WDF_SYNC_H

#include "wdf/object.h"

/* The word of a WDFSPINLOCK, for an interrupt that is to use it; 0x10D/5: it is none. */
PKSPIN_LOCK wdf_spin_lock_word(const char *routine, WDFSPINLOCK lock);

#endif
