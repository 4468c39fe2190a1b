/*
 * pool_walk.c - every page of the pools, block by block: who still holds memory, and whether all is in order.
 * The owner entries say which pages the pools have, the headers say what is on them; no list of allocations is kept anywhere.
 *
 * What ex_pool_check verifies:
 *   pages      sizes of a chain reach exactly the end of the page; each header knows its left neighbour's size; no two free blocks touch; all
 *              belong to one descriptor
 *   lists      every list has blocks of its size and descriptor only, all found free on the pages, as many as the pages have; bitmap and
 *              lists agree
 *   stocks     every block in a magazine, on a lookaside list or among the deferred frees is marked as held and of the right size, and all
 *              held blocks are in one of them; the same for runs of pages; each thread's sum of what it keeps is right
 *   tags       allocations less frees are the live blocks, in number and in bytes, pool by pool
 *   quota      what each process is charged is the sum of the blocks that name it
 *
 * Locks       none: other threads are outside the library. Bounded: a chain ends at the first header that leads nowhere.
 */
#include "ex/ex.h"

#include "ex/pool_big.h"
#include "ex/pool_big_table.h"
#include "ex/pool_descriptor.h"
#include "ex/pool_find.h"
#include "ex/pool_lookaside.h"
#include "ex/pool_quota.h"
#include "ex/pool_secure.h"
#include "ex/pool_special.h"
#include "ex/pool_tag.h"
#include "ex/pool_tools.h"

/* ---- pages ---- */

/* Unit where the small blocks of a page begin; EX_PAGE_UNITS: it carries none. */
static unsigned first_block_unit(const mm_owner_t *owner)
{
    if (owner->use == MM_USE_POOL_BLOCKS)
        return 0;
    bool shared = (owner->use == MM_USE_POOL_RUN || owner->use == MM_USE_POOL_TAIL) && owner->first_unit != 0;
    return shared ? owner->first_unit : EX_PAGE_UNITS;
}

static bool is_live(const POOL_HEADER *header) { return (ex_type(header) & (EX_TYPE_IN_USE | EX_TYPE_HELD)) == EX_TYPE_IN_USE; }

/* ---- leaks ---- */

typedef struct leak_walk {
    void (*visit)(void *context, const ntmm_leak *leak);
    void *context;
} leak_walk_t;

static void visit_run(const leak_walk_t *walk, void *page, const mm_owner_t *owner, POOL_TYPE type)
{
    ntmm_leak leak = { .address = page, .bytes = ex_big_bytes(owner), .tag = owner->tag, .type = type };
    if (ex_is_special(owner)) {
        leak.address = ex_special_body(page, owner);
        leak.bytes = (size_t)owner->bytes;
    }
    walk->visit(walk->context, &leak);
}

static void page_leaks(void *context, void *page, mm_owner_t *owner)
{
    leak_walk_t *walk = context;
    POOL_TYPE    type = ex_pool_type((mm_pool_t)owner->pool);
    if (owner->use == MM_USE_POOL_RUN && (owner->flags & MM_OWNER_PERMANENT) == 0)
        visit_run(walk, page, owner, type);
    for (unsigned unit = first_block_unit(owner); unit < EX_PAGE_UNITS; unit += ex_at(page, unit)->BlockSize) {
        POOL_HEADER *header = ex_at(page, unit);
        if (header->BlockSize == 0)
            break; /* damaged: what lies behind it cannot be told */
        if (!is_live(header))
            continue;
        char *body = ex_block_body(header), *end = (char *)ex_at(page, unit + header->BlockSize);
        walk->visit(walk->context, &(ntmm_leak){ .address = body, .bytes = (size_t)(end - body), .tag = header->PoolTag, .type = type });
    }
}

void ex_pool_visit_leaks(void (*visit)(void *context, const ntmm_leak *leak), void *context)
{
    leak_walk_t walk = { visit, context };
    ex_tools_begin();
    mm_visit_owners(page_leaks, &walk);
    ex_secure_visit_leaks(visit, context);
    ex_tools_end();
}

/* ---- the check ---- */

typedef struct check_part { /* of one descriptor */
    uint64_t pages, out, listed;
} check_part_t;

typedef struct check_counts {                                /* of one pool */
    uint64_t     listed[EX_PAGE_UNITS], held[EX_PAGE_UNITS]; /* free blocks large enough for a list; blocks in magazines */
    uint64_t     cached_runs, live, live_bytes, live_requested;
    check_part_t part[EX_DESCRIPTORS_MAX];
} check_counts_t;

typedef struct check_walk {
    bool           good;
    uint64_t       in_table; /* large allocations that the big-page table has */
    check_counts_t pools[MM_POOLS];
} check_walk_t;

static bool wrong(const char *what, const void *where) { return ke_error(0, "pool: %s (at %p)", what, where) != 0; }

static void count_block(check_counts_t *counts, const POOL_HEADER *header)
{
    check_part_t *part = &counts->part[header->PoolIndex];
    part->out += ex_type(header) != EX_TYPE_FREE ? header->BlockSize : 0;
    if (ex_type(header) == EX_TYPE_FREE) {
        counts->listed[header->BlockSize] += header->BlockSize >= EX_MIN_UNITS;
        part->listed += header->BlockSize >= EX_MIN_UNITS;
    } else if (!is_live(header)) {
        counts->held[header->BlockSize]++;
    } else {
        counts->live++;
        counts->live_bytes += (uint64_t)header->BlockSize << EX_UNIT_SHIFT;
        counts->live_requested += ex_requested(header);
    }
}

static bool type_is_possible(mm_pool_t pool, unsigned type)
{
    unsigned in_use = EX_TYPE_IN_USE | ex_paged_bit(pool);
    if ((type & EX_TYPE_IN_USE) != 0)
        type &= ~(unsigned)EX_TYPE_QUOTA;
    return type == EX_TYPE_FREE || type == in_use || type == (in_use | EX_TYPE_SECOND_HEADER) ||
           type == (EX_TYPE_HELD | ex_paged_bit(pool));
}

/* PoolIndex of every block on a page is that of its first. */
static bool check_chain(void *page, unsigned first, mm_pool_t pool, check_counts_t *counts)
{
    unsigned left = 0, unit = first, index = ex_at(page, first)->PoolIndex;
    bool     left_is_free = false;
    if (index < ex_descriptor_first(pool) || !ex_descriptor_exists(pool, index))
        return wrong("PoolIndex names no descriptor that has blocks", ex_at(page, first));
    while (unit < EX_PAGE_UNITS) {
        POOL_HEADER *header = ex_at(page, unit);
        if (header->BlockSize == 0 || unit + header->BlockSize > EX_PAGE_UNITS)
            return wrong("a block size leads nowhere", header);
        if (header->PreviousSize != left)
            return wrong("a header has its left neighbour's size wrong", header);
        if (header->PoolIndex != index)
            return wrong("two blocks of a page belong to different descriptors", header);
        if (!type_is_possible(pool, ex_plain_type(header)))
            return wrong("a header has a type that this pool never writes", header);
        if (left_is_free && ex_type(header) == EX_TYPE_FREE)
            return wrong("two free blocks touch", header);
        if (is_live(header) && (ex_type(header) & EX_TYPE_QUOTA) != 0 && !ex_quota_note(header))
            return wrong("a block is charged to something that is no process", header);
        count_block(counts, header);
        left_is_free = ex_type(header) == EX_TYPE_FREE;
        left = header->BlockSize;
        unit += left;
    }
    return true;
}

/* The table, while there is one, has the tag that the owner entry has, or no place for it. */
static bool check_run(const void *page, const mm_owner_t *owner, check_walk_t *walk)
{
    check_counts_t *counts = &walk->pools[owner->pool];
    uint32_t        tag = ex_big_table_on ? ex_big_table_tag(page) : 0;
    counts->live++;
    counts->live_bytes += ex_big_bytes(owner);
    counts->live_requested += owner->bytes;
    walk->in_table += tag != 0;
    return !ex_big_table_on || tag == owner->tag || (tag == 0 && owner->tag == EX_TAG_BIG) ||
           wrong("the big-page table has another tag than the page's owner", page);
}

static void check_page(void *context, void *page, mm_owner_t *owner)
{
    check_walk_t *walk = context;
    unsigned      first = first_block_unit(owner);
    if (!walk->good || owner->use < MM_USE_POOL_BLOCKS || owner->use > MM_USE_POOL_CACHED)
        return;
    check_counts_t *counts = &walk->pools[owner->pool];
    counts->cached_runs += owner->use == MM_USE_POOL_CACHED;
    if (owner->use == MM_USE_POOL_RUN)
        walk->good = check_run(page, owner, walk);
    if (first == EX_PAGE_UNITS || !walk->good)
        return;
    walk->good = check_chain(page, first, (mm_pool_t)owner->pool, counts);
    if (walk->good && owner->use == MM_USE_POOL_BLOCKS)
        counts->part[ex_at(page, 0)->PoolIndex].pages++;
}

/* Adds up what is on one list; no more than `most`, in case it leads in a circle. */
static bool check_list(const ex_descriptor_t *descriptor, unsigned units, uint64_t most, uint64_t *found)
{
    const LIST_ENTRY *head = &descriptor->list[units];
    uint64_t          before = *found;
    for (const LIST_ENTRY *link = head->Flink; link != head; link = link->Flink) {
        if (!ex_descriptor_owns_link(descriptor, link) || link->Flink->Blink != link)
            return wrong("the links of a free list are damaged", link);
        const POOL_HEADER *header = ex_header_of(link);
        if (header->BlockSize != units || ex_type(header) != EX_TYPE_FREE || header->PoolIndex != descriptor->index || ++*found > most)
            return wrong("a free list has a block that is not free, of another size, or of another descriptor", link);
    }
    bool bit = (descriptor->nonempty[units >> 6] >> (units & 63) & 1) != 0;
    return bit == (*found != before) || wrong("the bitmap of non-empty lists is wrong", head);
}

/* A chain of blocks that are held ready, all of one size or (0) of any. */
static bool check_stock(const void *body, mm_pool_t pool, unsigned units, const check_counts_t *counts, uint64_t *found)
{
    for (; body != NULL; body = *(void *const *)body) {
        const POOL_HEADER *header = ex_header_of(body);
        unsigned           size = header->BlockSize;
        if (++found[size] > counts->held[size] || (units != 0 && size != units) || ex_type(header) != (EX_TYPE_HELD | ex_paged_bit(pool)))
            return wrong("a block is kept ready that is not marked as held, or is of another size", body);
    }
    return true;
}

/* Lookaside lists and deferred frees. */
static bool check_lookaside(mm_pool_t pool, const check_counts_t *counts, uint64_t *found)
{
    for (unsigned number = 0; number < ex_lookaside_sets(); number++)
        for (unsigned units = 1; units <= EX_LOOKASIDE_UNITS; units++) {
            const ex_lookaside_t *list = &ex_lookaside_set(number)->list[pool][units];
            uint64_t              before = found[units];
            if (!check_stock(list->head, pool, units, counts, found))
                return false;
            if (found[units] - before != list->count || list->depth < EX_LOOKASIDE_DEPTH_MIN || list->depth > EX_LOOKASIDE_DEPTH_MAX)
                return wrong("a lookaside list has its count or its depth wrong", list);
        }
    for (unsigned index = 0; index < ex_descriptor_counts[pool]; index++)
        if (!check_stock(ex_descriptor_of(pool, index)->pending, pool, 0, counts, found))
            return false;
    return true;
}

static bool check_runs(const ex_magazine_t *magazine, const check_counts_t *counts, uint64_t *runs)
{
    for (const void *run = magazine->head; run != NULL; run = *(void *const *)run) {
        const mm_owner_t *owner = mm_owner_of(run);
        if (++*runs > counts->cached_runs || owner == NULL || owner->use != MM_USE_POOL_CACHED)
            return wrong("a magazine has pages that are not kept ready", run);
    }
    return true;
}

static bool is_ready(const ke_thread_t *thread) { return thread->generation == ke_machine_generation; }

static bool check_held(mm_pool_t pool, const check_counts_t *counts)
{
    uint64_t found[EX_PAGE_UNITS] = { 0 };
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        for (unsigned units = 1; is_ready(thread) && units < EX_PAGE_UNITS; units++)
            if (!check_stock(ex_thread_of(thread)->blocks[pool][units].head, pool, units, counts, found))
                return false;
    if (!check_lookaside(pool, counts, found))
        return false;
    for (unsigned units = 1; units < EX_PAGE_UNITS; units++)
        if (found[units] + ex_tools_waiting(pool, units) != counts->held[units])
            return wrong("blocks are marked as held that nobody keeps", NULL);
    return true;
}

static bool check_kept_runs(mm_pool_t pool, const check_counts_t *counts)
{
    uint64_t runs = ex_tools_waiting(pool, 0);
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        for (unsigned pages = 1; is_ready(thread) && pages <= EX_RUN_PAGES_MAX; pages++)
            if (!check_runs(&ex_thread_of(thread)->runs[pool][pages], counts, &runs))
                return false;
    return runs == counts->cached_runs || wrong("runs of pages are marked as kept that no magazine has", NULL);
}

/* What a thread keeps is its limit less its room. */
static bool check_room(ke_thread_t *thread)
{
    const ex_thread_t *own = ex_thread_of(thread);
    size_t             kept = 0;
    for (unsigned pool = 0; pool < MM_POOLS; pool++) {
        for (unsigned units = 1; units < EX_PAGE_UNITS; units++)
            for (const void *body = own->blocks[pool][units].head; body != NULL; body = *(void *const *)body)
                kept += units;
        for (unsigned pages = 1; pages <= EX_RUN_PAGES_MAX; pages++)
            for (const void *run = own->runs[pool][pages].head; run != NULL; run = *(void *const *)run)
                kept += pages * EX_PAGE_UNITS;
    }
    return own->limit - own->room == (ptrdiff_t)kept || wrong("a thread keeps more, or less, than it has counted", thread);
}

static bool check_rooms(void)
{
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (is_ready(thread) && !check_room(thread))
            return false;
    return true;
}

static bool check_tags(mm_pool_t pool, const check_counts_t *counts)
{
    ex_tag_counts_t sum = { 0 };
    ex_tag_sum(0, true, pool, &sum);
    bool exact = sum.allocs - sum.frees == counts->live && sum.alloc_bytes - sum.free_bytes == counts->live_bytes &&
                 sum.alloc_requested - sum.free_requested == counts->live_requested;
    return exact || wrong("the tags do not add up to the live blocks", NULL);
}

static bool check_descriptor(const ex_descriptor_t *descriptor, const check_part_t *part, uint64_t *by_size)
{
    uint64_t listed = 0;
    if (part->pages != descriptor->pages)
        return wrong("the number of a descriptor's pages is wrong", descriptor);
    if (part->out != descriptor->out)
        return wrong("the number of a descriptor's units that are not free is wrong", descriptor);
    for (unsigned units = 0; units < EX_PAGE_UNITS; units++) {
        uint64_t before = listed;
        if (!check_list(descriptor, units, part->listed, &listed))
            return false;
        by_size[units] += listed - before;
    }
    return listed == part->listed || wrong("a free block is on no list", descriptor);
}

static bool check_pool(mm_pool_t pool, const check_counts_t *counts)
{
    uint64_t by_size[EX_PAGE_UNITS] = { 0 };
    for (unsigned index = 0; index < ex_descriptor_counts[pool]; index++)
        if (!check_descriptor(ex_descriptor_of(pool, index), &counts->part[index], by_size))
            return false;
    for (unsigned units = 0; units < EX_PAGE_UNITS; units++)
        if (by_size[units] != counts->listed[units])
            return wrong("a list has blocks of which no page knows", NULL);
    return check_held(pool, counts) && check_kept_runs(pool, counts) && check_tags(pool, counts);
}

bool ex_pool_check(void)
{
    check_walk_t walk = { .good = true };
    ex_tools_begin();
    ke_processes_check_begin();
    mm_visit_owners(check_page, &walk);
    const ke_process_t *process = ke_processes_check_end();
    if (walk.good && process != NULL)
        walk.good = wrong("a process is charged for more, or less, than the blocks that name it", process);
    for (unsigned pool = 0; walk.good && pool < MM_POOLS; pool++)
        walk.good = check_pool((mm_pool_t)pool, &walk.pools[pool]);
    if (walk.good && !ex_tools_on && walk.in_table != ex_big_table_counts().used) /* there a freed run is given back later */
        walk.good = wrong("the big-page table has an allocation that no page knows", NULL);
    walk.good = walk.good && check_rooms();
    ex_tools_end();
    return walk.good;
}
