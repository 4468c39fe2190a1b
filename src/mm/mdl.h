/*
 * mdl.h - what the files on MDLs share. mm, and io, which makes MDLs, include this.
 */
#ifndef NTMM_MM_MDL_H
#define NTMM_MM_MDL_H

#include <ntddk.h>

#include "mm/mm.h"

static inline size_t mm_mdl_pages(const MDL *mdl)
{
    return (size_t)((mdl->ByteOffset + (uint64_t)mdl->ByteCount + PAGE_SIZE - 1) >> PAGE_SHIFT);
}
static inline uintptr_t mm_mdl_address(const MDL *mdl) { return (uintptr_t)mdl->StartVa + mdl->ByteOffset; }

/* MdlFlags is signed, and 0x8000 is one of the flags. */
static inline bool mm_mdl_has(const MDL *mdl, unsigned flags) { return ((uint16_t)mdl->MdlFlags & flags) != 0; }
static inline void mm_mdl_set(MDL *mdl, unsigned flags) { mdl->MdlFlags = (CSHORT)((uint16_t)mdl->MdlFlags | flags); }
static inline void mm_mdl_clear(MDL *mdl, unsigned flags) { mdl->MdlFlags = (CSHORT)((uint16_t)mdl->MdlFlags & ~flags); }

/* The system mapping of an MDL goes, if it has one of its own. No rule is checked. */
void mm_mdl_unmap(MDL *mdl);
void mm_mdl_describe_unmapped(MDL *mdl); /* what its header says when that has happened */

/* Before the MDL lets go of its pages, or goes itself: it stops the machine when a process has them mapped by this MDL. No lock held. */
void mm_mdl_stays_for_users(const char *routine, const MDL *mdl);

/* MmProbeAndLockPages with a status instead of an exception; `routine` is who asks. Pageable memory at DISPATCH_LEVEL is a bug check all the same. */
NTSTATUS mm_mdl_probe_and_lock(const char *routine, PMDL mdl, KPROCESSOR_MODE mode, LOCK_OPERATION operation);

#endif
