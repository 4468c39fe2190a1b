/*
 * lookaside.h - a lookaside list seen from inside: one layout for the three kinds, a mark that says it is active, and the system's set of them.
 *
 *     memory of the driver --initialise--> active, in the set --delete--> deleted, memory of the driver
 *
 * The mark stands in the fields that Windows keeps for the future: what kind of list it is, and a number that another list, or one of another
 * boot of the machine, cannot have.
 */
#ifndef NTMM_EX_LOOKASIDE_H
#define NTMM_EX_LOOKASIDE_H

#include <ntddk.h>

#include "ke/bugcheck.h"

typedef GENERAL_LOOKASIDE_POOL ex_lookaside_t; /* what all kinds begin with */

typedef enum ex_lookaside_kind { EX_LOOKASIDE_NONPAGED = 1, EX_LOOKASIDE_PAGED, EX_LOOKASIDE_EX } ex_lookaside_kind_t;

#define EX_LOOKASIDE_ACTIVE 0x4c6b4100u /* + kind */
#define EX_LOOKASIDE_DELETED 0x4c6b4400u
#define EX_LOOKASIDE_KIND_MASK 0xffu

static inline ULONG ex_lookaside_number(const ex_lookaside_t *list) { return (ULONG)((uintptr_t)list >> 4) ^ ke_machine_generation << 20; }
static inline bool  ex_lookaside_is_aligned(const ex_lookaside_t *list) { return ((uintptr_t)list & (__alignof__(SLIST_HEADER) - 1)) == 0; }
static inline bool  ex_lookaside_is_active(const ex_lookaside_t *list, ex_lookaside_kind_t kind)
{
    return ex_lookaside_is_aligned(list) && list->Future[0] == (EX_LOOKASIDE_ACTIVE | kind) && list->Future[1] == ex_lookaside_number(list);
}

/* ---- the set (lookaside_registry.c): NULL, or one sentence about what is wrong with it ---- */
void        ex_lookaside_registry_boot(void); /* the set is empty, whatever the last machine left in it */
const char *ex_lookaside_register(ex_lookaside_t *list);
const char *ex_lookaside_unregister(ex_lookaside_t *list);
/* All active lists, each looked at before it is touched. visit: NULL to go on, a sentence to end the walk. */
typedef const char *(*ex_lookaside_visit_t)(void *context, ex_lookaside_t *list);
const char *ex_lookaside_visit(ex_lookaside_visit_t visit, void *context); /* under the set's lock: visit calls nothing that locks */
const char *ex_lookaside_visit_unlocked(ex_lookaside_visit_t visit, void *context,
                                        const void **where); /* others are outside; *where it is wrong */

/* ---- depth (lookaside_depth.c) ---- */
#define EX_LOOKASIDE_DEPTH_LEAST 4u
USHORT ex_lookaside_next_depth(ULONG depth, ULONG maximum, ULONG allocates, ULONG misses); /* counted since the last look */

/* The Free routine is the pool's: the system may call it at any time, since it is no driver's code. */
bool ex_lookaside_frees_to_pool(const ex_lookaside_t *list);
/* And so is its Allocate routine: the entries are the pool's, of the list's size and tag. */
bool ex_lookaside_is_plain(const ex_lookaside_t *list);

#endif
