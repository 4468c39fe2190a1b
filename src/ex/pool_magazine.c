/*
 * pool_magazine.c - a thread's stock of free memory: how it is filled, bounded and given back.
 * It plays the part of the lookaside lists that the classic pool keeps for each processor: a list for each block size, and here for each
 * length of page runs, last in first out.
 *
 *     driver --free--> magazine --when the thread keeps too much: a batch, sorted by address--> descriptor: neighbours join
 *     driver <-alloc-- magazine <------ when it is empty: a batch under one lock hold --------- descriptor
 *                         ^--- or a block of nearly the size, from a magazine nearby
 *
 * Rules (counted in operations and units, never in time, so that the same calls give the same addresses):
 *   limit    all magazines of a thread together keep at most EX_LIMIT_MIN (on a small machine 1/LIMIT_RAM_SHARE of what nonpaged pool may
 *            be), or its part of 1/LIMIT_SHARE of the blocks in use if that is more. The part is looked up when the limit is reached; a
 *            smaller one makes the thread give the difference.
 *   give     when a freed block does not fit below the limit, the clock hand goes from magazine to magazine until 1/GIVE_SHARE of the
 *            limit is free. A magazine whose newest block is still the same as at the last visit may lose all it has, any other all but
 *            the newest: KEEP, or as many as its last batch. Blocks go back GIVE_BATCH at a time, each batch sorted out by descriptor
 *            and in ascending order of addresses, so that neighbours join on the way.
 *   near     an empty magazine is served by the next ones above it, up to 1/EX_NEAR_SHARE larger.
 *   batch    otherwise blocks come from the descriptor: one the first time, twice as many each further time, up to a page of them, or
 *            1/BATCH_SHARE of the blocks in use if that is more, but no more than BATCH_PAGES; a give halves it. They are handed out in
 *            ascending order.
 *   grow     before the descriptor takes a fresh page for that, it is given what the thread keeps of this pool, as above, if it keeps
 *            GROW_MIN, or 1/GROW_SHARE of the blocks in use, more than after the last time: memory is held ready only while nobody is
 *            short of it.
 *   runs     whole pages are kept when freed, never fetched ahead.
 *   nodes    a thread keeps what it frees, whichever descriptor it belongs to; what it fetches comes from its own node.
 *
 * Locks       the descriptor's, once an exchange (pool_select.c).
 * Source      none (choice): Windows documents that lookaside lists exist and are tuned by demand, not by which rule.
 */
#include "ex/pool_magazine.h"

#include "ex/pool_select.h"

#define LIMIT_SHARE 4u
#define LIMIT_RAM_SHARE 64u
#define GIVE_SHARE 8u
#define GIVE_BATCH 64u
#define KEEP 4u
#define BATCH_PAGES 4u
#define BATCH_SHARE 512u
#define GROW_MIN (128 << 10) /* bytes */
#define GROW_SHARE 8u
#define BATCH_MAX 64u

#define BLOCK_MAGAZINES (MM_POOLS * EX_PAGE_UNITS)
#define MAGAZINES (BLOCK_MAGAZINES + MM_POOLS * (EX_RUN_PAGES_MAX + 1))

bool ex_magazines_on;

static _Atomic uint32_t keepers;   /* threads that keep something, or may */
static ptrdiff_t        limit_min; /* units */

static uint32_t low_half(const void *body) { return (uint32_t)(uintptr_t)body; }

static void *link_of(void *body) { return *(void **)body; }
static void  set_link(void *body, void *next) { *(void **)body = next; }

static void push(ex_thread_t *own, ex_magazine_t *magazine, void *body, ptrdiff_t units)
{
    set_link(body, magazine->head);
    magazine->head = body;
    own->room -= units;
}

static void *pop(ex_thread_t *own, ex_magazine_t *magazine, ptrdiff_t units)
{
    void *body = magazine->head;
    magazine->head = link_of(body);
    own->room += units;
    return body;
}

/* ---- giving back ---- */

/* So many blocks from *chain go back; they may belong to several descriptors. */
static unsigned give_batch(mm_pool_t pool, void **chain, ex_stop_t *stop)
{
    void    *bodies[GIVE_BATCH];
    unsigned count = 0;
    for (; *chain != NULL && count < GIVE_BATCH; *chain = link_of(*chain))
        bodies[count++] = *chain;
    ex_blocks_give(pool, bodies, count, stop);
    return count;
}

/* Blocks from *chain go back until it is empty or there is enough room. */
static void give_blocks(ex_thread_t *own, mm_pool_t pool, unsigned units, void **chain, ptrdiff_t wanted, ex_stop_t *stop)
{
    while (*chain != NULL && own->room < wanted && stop->code == 0)
        own->room += (ptrdiff_t)give_batch(pool, chain, stop) * (ptrdiff_t)units;
}

static void give_runs(ex_thread_t *own, mm_pool_t pool, unsigned pages, void **chain, ptrdiff_t wanted)
{
    while (*chain != NULL && own->room < wanted) {
        void *run = *chain;
        *chain = link_of(run);
        own->room += (ptrdiff_t)pages * (ptrdiff_t)EX_PAGE_UNITS;
        mm_pool_pages_free(pool, run, pages);
    }
}

/* The link behind which a magazine may be emptied: its head when nobody has used it since the last visit, else that of the last block that
 * it keeps. */
static void **spare_part(ex_magazine_t *magazine)
{
    void   **part = &magazine->head;
    unsigned keep = magazine->batch < KEEP ? KEEP : magazine->batch;
    if (low_half(magazine->head) != magazine->seen)
        for (unsigned i = 0; i < keep && *part != NULL; i++)
            part = *part;
    magazine->seen = low_half(magazine->head);
    magazine->batch /= 2;
    return part;
}

/* Links lie in the blocks: at DISPATCH_LEVEL those of paged pool stay what they are. */
static void visit(ex_thread_t *own, uint32_t number, ptrdiff_t wanted, ex_stop_t *stop)
{
    bool      of_blocks = number < BLOCK_MAGAZINES;
    unsigned  run = of_blocks ? 0 : number - BLOCK_MAGAZINES;
    mm_pool_t pool = (mm_pool_t)(of_blocks ? number / EX_PAGE_UNITS : run / (EX_RUN_PAGES_MAX + 1));
    unsigned  size = of_blocks ? number % EX_PAGE_UNITS : run % (EX_RUN_PAGES_MAX + 1);
    if (pool == MM_PAGED && !mm_may_touch_pageable())
        return;
    if (of_blocks)
        give_blocks(own, pool, size, spare_part(&own->blocks[pool][size]), wanted, stop);
    else
        give_runs(own, pool, size, spare_part(&own->runs[pool][size]), wanted);
}

/* What drivers have now decides, so that a pool that shrinks takes its magazines along. */
static void set_limit(ex_thread_t *own)
{
    size_t    out = 0;
    ptrdiff_t kept = own->limit - own->room;
    if (own->limit == 0)
        atomic_fetch_add_explicit(&keepers, 1, memory_order_relaxed);
    for (unsigned pool = 0; pool < MM_POOLS; pool++)
        out += ex_pool_out((mm_pool_t)pool);
    ptrdiff_t share = ((ptrdiff_t)out - kept) / (ptrdiff_t)(LIMIT_SHARE * atomic_load_explicit(&keepers, memory_order_relaxed));
    own->limit = share > limit_min ? share : limit_min;
    own->room = own->limit - kept;
}

/* Make room for so many units. False: a thread may not keep as much. */
static bool make_room(ex_thread_t *own, ptrdiff_t units, ex_stop_t *stop)
{
    if (!ex_magazines_on)
        return false;
    set_limit(own);
    ptrdiff_t wanted = own->limit / GIVE_SHARE > units ? own->limit / GIVE_SHARE : units;
    for (unsigned steps = 0; own->room < wanted && own->room < own->limit && steps < 2 * MAGAZINES && stop->code == 0; steps++) {
        own->hand = (own->hand + 1) % MAGAZINES;
        visit(own, own->hand, wanted, stop);
    }
    return own->room >= units && stop->code == 0;
}

void ex_magazines_empty(ex_thread_t *own, ex_stop_t *stop)
{
    for (uint32_t number = 0; number < MAGAZINES; number++) {
        visit(own, number, PTRDIFF_MAX, stop);
        visit(own, number, PTRDIFF_MAX, stop); /* what a visit leaves, the next one finds unused */
    }
    if (own->limit != 0)
        atomic_fetch_sub_explicit(&keepers, 1, memory_order_relaxed);
    own->room -= own->limit; /* less than nothing if paged blocks had to stay */
    own->limit = 0;
}

void ex_magazines_boot(bool on)
{
    size_t share = (mm_pool_limit_pages(MM_NONPAGED_NX) / LIMIT_RAM_SHARE + 1) * EX_PAGE_UNITS;
    limit_min = (ptrdiff_t)(share < EX_LIMIT_MIN / EX_UNIT ? share : EX_LIMIT_MIN / EX_UNIT);
    ex_magazines_on = on;
    atomic_store_explicit(&keepers, 0, memory_order_relaxed);
}

/* ---- blocks ---- */

static POOL_HEADER *take_near(ex_thread_t *own, mm_pool_t pool, unsigned units)
{
    ex_magazine_t *magazine = &own->blocks[pool][units], *last = ex_magazine_nearest(own->blocks[pool], units);
    for (; magazine <= last; magazine++, units++)
        if (magazine->head != NULL)
            return ex_header_of(pop(own, magazine, (ptrdiff_t)units));
    return NULL;
}

/* Blocks that a refill asks for: one at first, twice as many each time, as long as the thread may keep them. */
static unsigned batch_of(ex_thread_t *own, ex_magazine_t *magazine, size_t out, unsigned units, ex_stop_t *stop)
{
    size_t   pages = out / BATCH_SHARE / EX_PAGE_UNITS;
    unsigned most, count = 2 * magazine->batch;
    pages = pages < 1 ? 1 : pages > BATCH_PAGES ? BATCH_PAGES : pages;
    most = (unsigned)pages * EX_PAGE_UNITS / units;
    most = most > BATCH_MAX ? BATCH_MAX : most;
    count = count < 1 ? 1 : count > most ? most : count;
    magazine->batch = count;
    ptrdiff_t spare = (ptrdiff_t)(count - 1) * (ptrdiff_t)units;
    return own->room >= spare || make_room(own, spare, stop) ? count : 1;
}

/* A pool that is about to grow first gets back what this thread keeps of it: joined, that may be what is wanted. Only when a good deal has
 * come together since the last time, so that the work is spread over as many frees. */
static void give_instead(ex_thread_t *own, mm_pool_t pool, ex_stop_t *stop)
{
    ptrdiff_t kept = own->limit - own->room;
    ptrdiff_t enough = (ptrdiff_t)(ex_pool_out(pool) / GROW_SHARE);
    if (enough < GROW_MIN / (ptrdiff_t)EX_UNIT)
        enough = GROW_MIN / (ptrdiff_t)EX_UNIT;
    if (kept < own->kept_after[pool])
        own->kept_after[pool] = kept;
    if (kept - own->kept_after[pool] < enough)
        return;
    for (unsigned units = 1; units < EX_PAGE_UNITS && stop->code == 0; units++)
        if (own->blocks[pool][units].head != NULL)
            visit(own, pool * EX_PAGE_UNITS + units, PTRDIFF_MAX, stop);
    own->kept_after[pool] = own->limit - own->room;
}

POOL_HEADER *ex_magazine_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop)
{
    ex_thread_t *own = ex_thread_of(thread);
    POOL_HEADER *near = take_near(own, pool, units), *taken[BATCH_MAX];
    if (near != NULL)
        return near;
    ex_descriptor_t *home = ex_descriptor_for(thread, pool);
    unsigned         want = batch_of(own, &own->blocks[pool][units], ex_pool_out(pool), units, stop), got = 0;
    if (stop->code == 0)
        got = ex_blocks_take(home, units, want, false, taken, stop);
    if (got == 0 && stop->code == 0) {
        give_instead(own, pool, stop);
        got = stop->code == 0 ? ex_blocks_take(home, units, want, true, taken, stop) : 0;
    }
    if (got == 0)
        return NULL;
    for (unsigned i = got - 1; i > 0; i--)
        push(own, &own->blocks[pool][units], ex_body(taken[i]), (ptrdiff_t)units);
    return taken[0];
}

void ex_magazine_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    ex_thread_t *own = ex_thread_of(thread);
    ptrdiff_t    units = header->BlockSize;
    void        *body = ex_body(header);
    ex_set_type(header, EX_TYPE_HELD | ex_paged_bit(pool));
    if (own->room >= units || make_room(own, units, stop))
        push(own, &own->blocks[pool][units], body, units);
    else if (stop->code == 0)
        ex_blocks_give(pool, &body, 1, stop);
}

/* ---- whole pages ---- */

void *ex_run_take(ke_thread_t *thread, mm_pool_t pool, size_t page_count)
{
    ex_thread_t *own = ex_thread_of(thread);
    if (page_count > EX_RUN_PAGES_MAX || own->runs[pool][page_count].head == NULL)
        return NULL;
    return pop(own, &own->runs[pool][page_count], (ptrdiff_t)(page_count * EX_PAGE_UNITS));
}

bool ex_run_put(ke_thread_t *thread, mm_pool_t pool, void *run, size_t page_count, ex_stop_t *stop)
{
    ex_thread_t *own = ex_thread_of(thread);
    ptrdiff_t    units = (ptrdiff_t)(page_count * EX_PAGE_UNITS);
    bool         at_home = !mm_in(&mm_system_pte_region, (uintptr_t)run); /* system PTEs are scarcer than frames */
    if (page_count > EX_RUN_PAGES_MAX || !at_home || (own->room < units && !make_room(own, units, stop)))
        return false;
    push(own, &own->runs[pool][page_count], run, units);
    return true;
}
