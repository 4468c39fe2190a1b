/*
 * lookaside_check.c - what ntmm_check verifies of the active lookaside lists:
 *
 *   set        each list's structure is readable, still marked as active, linked both ways, and not in pool that was freed
 *   list       Depth is at most MaximumDepth; there are as many entries as the header says, each aligned; no entry twice
 *   entries    of a list without routines of its own: live pool allocations of the list's size and tag
 *
 * Locks       none: other threads are outside the library. Bounded by the depth in the header.
 */
#include "ex/ex.h"

#include "ex/lookaside.h"
#include "ex/pool_find.h"
#include "host/host.h"
#include "mm/mm.h"

/* ---- which allocation of a pool holds an address ---- */

typedef struct live {
    const void *start;
    size_t      bytes; /* asked for */
    uint32_t    tag;
} live_t;

static bool find_run(uintptr_t page, const mm_owner_t *owner, live_t *live)
{
    if (owner->use == MM_USE_POOL_TAIL) {
        page -= owner->bytes << PAGE_SHIFT;
        owner = mm_owner_of((const void *)page);
    }
    if (owner == NULL || owner->use != MM_USE_POOL_RUN)
        return false;
    *live = (live_t){ (const void *)page, owner->bytes, owner->tag };
    return true;
}

static bool find_block(void *page, unsigned first, uintptr_t address, live_t *live)
{
    for (unsigned unit = first; unit < EX_PAGE_UNITS && ex_at(page, unit)->BlockSize != 0; unit += ex_at(page, unit)->BlockSize) {
        POOL_HEADER *header = ex_at(page, unit);
        if (address >= (uintptr_t)ex_right(header, header->BlockSize))
            continue;
        *live = (live_t){ ex_block_body(header), ex_requested(header), header->PoolTag };
        return (ex_type(header) & (EX_TYPE_IN_USE | EX_TYPE_HELD)) == EX_TYPE_IN_USE;
    }
    return false;
}

static bool find_live(const void *address, live_t *live)
{
    uintptr_t         page = (uintptr_t)PAGE_ALIGN(address);
    const mm_owner_t *owner = mm_owner_of(address);

    if (owner == NULL)
        return false;
    if (owner->use == MM_USE_POOL_BLOCKS)
        return find_block((void *)page, 0, (uintptr_t)address, live);
    if (owner->first_unit != 0 && ex_unit_of(address) >= owner->first_unit)
        return find_block((void *)page, owner->first_unit, (uintptr_t)address, live);
    return find_run(page, owner, live);
}

static bool is_pool_memory(const void *address)
{
    const mm_owner_t *owner = mm_pool_of(address) != MM_POOLS ? mm_owner_of(address) : NULL;
    return owner != NULL && owner->use >= MM_USE_POOL_BLOCKS && owner->use <= MM_USE_POOL_CACHED;
}

/* ---- one list ---- */

static const char *check_entry(const ex_lookaside_t *list, const SLIST_ENTRY *entry)
{
    live_t live;
    if (!ex_lookaside_is_plain(list))
        return NULL;
    if (!find_live(entry, &live) || live.start != entry)
        return "an entry is no live pool allocation: it was freed to the pool, and is on the list still";
    if (live.tag != list->Tag || live.bytes < list->Size)
        return "an entry is of another size or tag: it was freed to a list that it did not come from";
    return NULL;
}

static const char *check_entries(const ex_lookaside_t *list)
{
    const SLIST_ENTRY *entry = (const SLIST_ENTRY *)(uintptr_t)(list->ListHead.Region);
    size_t             depth = (size_t)list->ListHead.HeaderX64.Depth, found = 0;
    const char        *wrong = NULL;

    for (; entry != NULL && wrong == NULL && found <= depth; found++) {
        SLIST_ENTRY copy;
        if (((uintptr_t)entry & (__alignof__(SLIST_ENTRY) - 1)) != 0 ||
            host_copy_safely(&copy, entry, sizeof copy.Next) != sizeof copy.Next)
            return "the link to an entry was overwritten";
        wrong = check_entry(list, entry);
        entry = copy.Next;
    }
    if (wrong == NULL && found != depth)
        wrong = "there are not as many entries as the header says: one was freed twice, or a link was overwritten";
    return wrong;
}

static const char *check_list(void *context, ex_lookaside_t *list)
{
    live_t live;
    (void)context;
    if (is_pool_memory(list) && !find_live(list, &live))
        return "the structure lies in pool that was freed: delete a list before freeing its memory";
    if (list->Depth > list->MaximumDepth)
        return "Depth is above MaximumDepth";
    return check_entries(list);
}

bool ex_lookaside_check(void)
{
    const void *where = NULL;
    const char *wrong = ex_lookaside_visit_unlocked(check_list, NULL, &where);
    return wrong == NULL || ke_error(0, "lookaside list at %p: %s", where, wrong) != 0;
}
