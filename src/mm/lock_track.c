/*
 * lock_track.c - a record for each MDL whose pages are locked, as the registry value TrackLockedPages makes Windows keep them.
 * Pins are counted frame by frame, and nothing there says who holds one. With these records the machine can name the MDL that a process
 * leaves behind (0xCB instead of 0x76), and tell that an MDL is locked that is locked already (0xD9), which otherwise leaves pages locked for
 * good.
 *
 *     MmProbeAndLockPages --> record --- MmUnlockPages --> none
 *
 * Locks       a leaf.
 * Source      WDK documentation: Bug Checks 0xCB and 0xD9.
 * Fidelity    4,096 records; what is locked beyond that is not tracked (choice).
 */
#include "mm/lock_track.h"

#include "ke/lock.h"

#define RECORDS_MOST 4096u

static mm_lock_record_t records[RECORDS_MOST];
static size_t           used; /* the first so many may be in use */
static bool             tracks;
static ke_lock_t        track_lock = KE_LOCK_INIT(KE_RANK_LEAF);

void mm_lock_track_boot(bool on)
{
    ke_lock_init(&track_lock, KE_RANK_LEAF);
    memset(records, 0, used * sizeof records[0]);
    used = 0;
    tracks = on;
}

/* The record of the MDL; NULL: a free one. */
static mm_lock_record_t *find_locked(const MDL *mdl)
{
    for (size_t i = 0; i < used; i++)
        if (records[i].mdl == mdl)
            return &records[i];
    return NULL;
}

static mm_lock_record_t *find(const MDL *mdl)
{
    ke_lock(&track_lock);
    mm_lock_record_t *record = find_locked(mdl);
    ke_unlock(&track_lock);
    return record;
}

void mm_lock_track_add(const MDL *mdl)
{
    if (!tracks)
        return;
    ke_lock(&track_lock);
    mm_lock_record_t *record = find_locked(NULL);
    if (record == NULL && used < RECORDS_MOST)
        record = &records[used++];
    if (record != NULL)
        *record = (mm_lock_record_t){ mdl, mdl->Process };
    ke_unlock(&track_lock);
}

void mm_lock_track_remove(const MDL *mdl)
{
    if (!tracks)
        return;
    ke_lock(&track_lock);
    mm_lock_record_t *record = find_locked(mdl);
    if (record != NULL)
        *record = (mm_lock_record_t){ 0 };
    ke_unlock(&track_lock);
}

const mm_lock_record_t *mm_lock_track_find(const MDL *mdl) { return tracks ? find(mdl) : NULL; }

const mm_lock_record_t *mm_lock_track_of(const void *process)
{
    const mm_lock_record_t *record = NULL;
    ke_lock(&track_lock);
    for (size_t i = 0; i < used && record == NULL; i++)
        if (records[i].mdl != NULL && records[i].process == process)
            record = &records[i];
    ke_unlock(&track_lock);
    return record;
}
