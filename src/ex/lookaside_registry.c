/*
 * lookaside_registry.c - the system's set of active lookaside lists: a circular list through the drivers' own structures.
 *
 *     head <--> list of driver A <--> list of driver B <--> ...       in order of initialisation
 *
 * A driver that frees a list's memory without deleting the list leaves the set with links into memory that is somebody else's, or gone.
 * So no link is followed before it has been read safely, and none is written before both of its ends agree; what does not agree is told in a
 * sentence, and the routine that was called stops the machine with it after the lock is free.
 *
 * Invariant   walking Flink from the head comes back to the head after list_count steps, and each step's Blink is where it came from
 * Locks       registry_lock, a leaf.
 * Source      WDK reference: "Using lookaside lists" (the system keeps a set of all lists); Bug Check 0x139.
 */
#include "ex/lookaside.h"

#include "host/host.h"
#include "ke/lock.h"
#include "mm/mm.h"

static ke_lock_t  registry_lock = KE_LOCK_INIT(KE_RANK_LEAF);
static LIST_ENTRY head;
static size_t     list_count;

static const char OVERWRITTEN[] = "The memory of an active lookaside list was freed or overwritten: the list must be deleted before.";
static const char UNKNOWN[] =
    "The neighbours of a lookaside list do not know it: it, or one of them, was freed or overwritten while active.";

void ex_lookaside_registry_boot(void)
{
    ke_lock_init(&registry_lock, KE_RANK_LEAF);
    InitializeListHead(&head);
    list_count = 0;
}

static bool read_links(const LIST_ENTRY *entry, LIST_ENTRY *links)
{
    return host_copy_safely(links, entry, sizeof *links) == sizeof *links;
}

/* The link from one entry to the other is there, and back. */
static bool is_linked(const LIST_ENTRY *left, const LIST_ENTRY *right)
{
    LIST_ENTRY links;
    return read_links(left, &links) && links.Flink == right && read_links(right, &links) && links.Blink == left;
}

/* Of a machine's page that nobody owns any more the bytes can still be read. */
static bool is_owned(const void *address) { return mm_pool_of(address) == MM_POOLS || mm_owner_of(address) != NULL; }

static bool is_there(const ex_lookaside_t *list)
{
    GENERAL_LOOKASIDE_POOL copy;
    return ex_lookaside_is_aligned(list) && host_copy_safely(&copy, list, sizeof copy) == sizeof copy &&
           (copy.Future[0] & ~EX_LOOKASIDE_KIND_MASK) == EX_LOOKASIDE_ACTIVE && copy.Future[1] == ex_lookaside_number(list) &&
           is_owned(list);
}

/* ---- in and out ---- */

const char *ex_lookaside_register(ex_lookaside_t *list)
{
    const char *wrong = NULL;

    ke_lock(&registry_lock);
    if (is_linked(head.Blink, &head)) {
        InsertTailList(&head, &list->ListEntry);
        list_count++;
    } else {
        wrong = OVERWRITTEN;
    }
    ke_unlock(&registry_lock);
    return wrong;
}

const char *ex_lookaside_unregister(ex_lookaside_t *list)
{
    LIST_ENTRY *entry = &list->ListEntry;
    const char *wrong = NULL;

    ke_lock(&registry_lock);
    if (is_linked(entry->Blink, entry) && is_linked(entry, entry->Flink)) {
        (void)RemoveEntryList(entry);
        list_count--;
    } else {
        wrong = UNKNOWN;
    }
    ke_unlock(&registry_lock);
    return wrong;
}

/* ---- walking ---- */

static const char *walk(ex_lookaside_visit_t visit, void *context, const void **where)
{
    const LIST_ENTRY *at = &head;

    for (size_t i = 0; i < list_count; i++) {
        const LIST_ENTRY *next = at->Flink;
        ex_lookaside_t   *list = CONTAINING_RECORD(next, ex_lookaside_t, ListEntry);
        const char       *wrong;

        *where = list;
        if (!is_linked(at, next) || next == &head || !is_there(list))
            return OVERWRITTEN;
        wrong = visit(context, list);
        if (wrong != NULL)
            return wrong;
        at = next;
    }
    *where = &head;
    return is_linked(at, &head) ? NULL : UNKNOWN;
}

const char *ex_lookaside_visit(ex_lookaside_visit_t visit, void *context)
{
    const void *where;
    const char *wrong;

    ke_lock(&registry_lock);
    wrong = walk(visit, context, &where);
    ke_unlock(&registry_lock);
    return wrong;
}

const char *ex_lookaside_visit_unlocked(ex_lookaside_visit_t visit, void *context, const void **where)
{
    return walk(visit, context, where);
}
