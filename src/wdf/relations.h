/*
 * relations.h - answers to IRP_MN_QUERY_DEVICE_RELATIONS, and the devices that a driver names for one of its own: those that go along when it is
 * ejected or removed.
 *
 * Lock key: (L) the lock of the list
 */
#ifndef NTMM_WDF_RELATIONS_H
#define NTMM_WDF_RELATIONS_H

#include "wdf/lock.h"
#include "wdf/object.h"

typedef struct wdf_relations {
    wdf_lock_t lock;
    LIST_ENTRY row;    /* (L) in the order of their naming */
    ULONG      count;  /* (L) */
    bool       shrank; /* (L) one was taken out: an empty answer says more than none */
} wdf_relations_t;

void     wdf_relations_init(wdf_relations_t *relations);
NTSTATUS wdf_relations_add(wdf_relations_t *relations, PDEVICE_OBJECT device, ULONG tag);
void     wdf_relations_remove(wdf_relations_t *relations, PDEVICE_OBJECT device, ULONG tag);
void     wdf_relations_clear(wdf_relations_t *relations, ULONG tag);
/* What the IRP is completed with; as it came, when there is nothing to say. PASSIVE_LEVEL */
NTSTATUS wdf_relations_answer(wdf_relations_t *relations, PIRP irp, ULONG tag);

/* What others have said, NULL or a block of pool, becomes one with room for `more` behind it. false: no memory, and what they said is gone. */
bool wdf_relations_extend(PDEVICE_RELATIONS *relations, ULONG more, ULONG tag);
void wdf_relations_append(PDEVICE_RELATIONS relations, PDEVICE_OBJECT device); /* referenced; there is room */

#endif
