/*
 * lock_track.h - which MDL holds pages, for a machine that was asked to remember (config.track_locked_pages). Only mm includes this.
 */
#ifndef NTMM_MM_LOCK_TRACK_H
#define NTMM_MM_LOCK_TRACK_H

#include <ntddk.h>

#include "mm/mm.h"

typedef struct mm_lock_record {
    const MDL  *mdl;     /* NULL: free */
    const void *process; /* whose addresses they are; NULL: the system's */
} mm_lock_record_t;

void mm_lock_track_boot(bool on);
/* The pages of this MDL were locked. Nothing happens when nobody tracks, or when there is no room for one more. */
void mm_lock_track_add(const MDL *mdl);
void mm_lock_track_remove(const MDL *mdl);
/* The record of an MDL, or of any MDL that holds pages of a process; NULL: there is none. For stop reports. */
const mm_lock_record_t *mm_lock_track_find(const MDL *mdl);
const mm_lock_record_t *mm_lock_track_of(const void *process);

#endif
