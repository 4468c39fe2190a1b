/*
 * slist.h - what slist.c offers its own layer, beyond the routines that drivers have.
 */
#ifndef NTMM_EX_SLIST_H
#define NTMM_EX_SLIST_H

#include <ntddk.h>

static inline USHORT ex_slist_depth(const SLIST_HEADER *head) { return (USHORT)__atomic_load_n(&head->Alignment, __ATOMIC_RELAXED); }

/* The first entry, under any lock: where a driver's pop would fault or leave a halted machine, the answer is NULL. */
PSLIST_ENTRY ex_slist_take(PSLIST_HEADER head);

#endif
