/*
 * pool_lookaside.c - what stands in front of the descriptors of the classic pool: for each size up to 32 units a list of the current processor
 * (P), then one that all share (L).
 *
 *     request   P of the processor ----> L ----> the descriptor
 *     free      P, while it has fewer than its depth ----> L, the same ----> the deferred frees (pool_deferred.c)
 *
 * Tuning      every EX_LOOKASIDE_PERIOD requests and frees a scan looks at what each list was asked for since the last one:
 *                 fewer than 25 requests           depth - 10, not below 4
 *                 misses below 0.5 % of them       depth - 1, not below 4
 *                 else                             depth + misses / requests * (256 - depth) / 2 + 5, not above 256
 *             A list that has more than its new depth gives the newest back, one by one.
 * Shortage    when a request finds no memory, all lists and deferred frees go back, and it is tried once more.
 * Pools       nonpaged and paged; NX nonpaged pool from Windows 8 on, with which it came.
 * Locks       one for the lists of a processor, one for L; never together with a descriptor's.
 * Source      published descriptions of the pool of Windows 7, and of its successor for the rule of the tuning, which the balance-set
 *             manager applies once a second.
 * Fidelity    choices: a clock of calls instead of seconds, so that the same calls give the same addresses; all lists at each scan; a scan that
 *             comes due at DISPATCH_LEVEL waits for the next call below; session lists are absent with session pool.
 */
#include "ex/pool_lookaside.h"

#include "ex/pool_deferred.h"
#include "ex/pool_rules.h"
#include "ex/pool_select.h"

#define FEW_REQUESTS 25u

bool ex_lookaside_on;

static ex_lookaside_set_t sets[KE_PROCESSORS_MAX + 1]; /* L behind those of the processors */
static _Atomic uint32_t   calls;                       /* since the last scan */

unsigned                   ex_lookaside_sets(void) { return ex_lookaside_on ? ke_processor_count + 1 : 0; }
static ex_lookaside_set_t *set_number(unsigned number) { return &sets[number < ke_processor_count ? number : KE_PROCESSORS_MAX]; }
const ex_lookaside_set_t  *ex_lookaside_set(unsigned number) { return set_number(number); }

static ex_lookaside_set_t *set_of(const ke_thread_t *thread) { return set_number(thread->processor->number); }
static ex_lookaside_set_t *shared_set(void) { return set_number(ke_processor_count); }

static void set_boot(ex_lookaside_set_t *set)
{
    memset(set, 0, sizeof *set);
    ke_lock_init(&set->lock, KE_RANK_EX_POOL);
    for (unsigned pool = 0; pool < MM_POOLS; pool++)
        for (unsigned units = 0; units <= EX_LOOKASIDE_UNITS; units++)
            set->list[pool][units].depth = EX_LOOKASIDE_DEPTH_MIN;
}

void ex_pool_lookaside_boot(bool on)
{
    ex_lookaside_on = on;
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
    for (unsigned number = 0; number < ex_lookaside_sets(); number++)
        set_boot(set_number(number));
}

static bool is_eligible(mm_pool_t pool, unsigned units)
{
    return units <= EX_LOOKASIDE_UNITS && (pool != MM_NONPAGED_NX || ex_pool_rules.nx_lookaside);
}

/* ---- one list ---- */

static void *pop_locked(ex_lookaside_t *list)
{
    void *body = list->head;
    if (body != NULL) {
        list->head = *(void **)body;
        list->count--;
    }
    return body;
}

static void *take_from(ex_lookaside_set_t *set, mm_pool_t pool, unsigned units)
{
    ex_lookaside_t *list = &set->list[pool][units];
    ke_lock(&set->lock);
    void *body = pop_locked(list);
    list->allocs++;
    list->misses += body == NULL;
    list->hits += body != NULL;
    ke_unlock(&set->lock);
    return body;
}

static bool put_on(ex_lookaside_set_t *set, mm_pool_t pool, unsigned units, void *body)
{
    ex_lookaside_t *list = &set->list[pool][units];
    ke_lock(&set->lock);
    bool fits = list->count < list->depth;
    if (fits) {
        *(void **)body = list->head;
        list->head = body;
        list->count++;
    }
    ke_unlock(&set->lock);
    return fits;
}

/* Blocks above so many leave the list, the newest first. */
static void shrink(ex_lookaside_set_t *set, mm_pool_t pool, unsigned units, uint32_t count, ex_stop_t *stop)
{
    ex_lookaside_t *list = &set->list[pool][units];
    while (stop->code == 0) {
        ke_lock(&set->lock);
        void *body = list->count > count ? pop_locked(list) : NULL;
        ke_unlock(&set->lock);
        if (body == NULL)
            break;
        ex_blocks_give(pool, &body, 1, stop);
    }
}

/* ---- tuning ---- */

static void tune_locked(ex_lookaside_t *list)
{
    uint32_t depth = list->depth, allocs = list->allocs, misses = list->misses;
    if (allocs < FEW_REQUESTS)
        depth = depth > EX_LOOKASIDE_DEPTH_MIN + 10 ? depth - 10 : EX_LOOKASIDE_DEPTH_MIN;
    else if ((uint64_t)misses * 200 < allocs) /* 0.5 % */
        depth = depth > EX_LOOKASIDE_DEPTH_MIN ? depth - 1 : depth;
    else
        depth += (uint32_t)((uint64_t)misses * (EX_LOOKASIDE_DEPTH_MAX - depth) / (2 * (uint64_t)allocs)) + 5;
    list->depth = depth < EX_LOOKASIDE_DEPTH_MAX ? depth : EX_LOOKASIDE_DEPTH_MAX;
    list->allocs = list->misses = 0;
}

static void scan(ex_stop_t *stop)
{
    for (unsigned number = 0; number < ex_lookaside_sets(); number++)
        for (unsigned pool = 0; pool < MM_POOLS; pool++)
            for (unsigned units = 1; units <= EX_LOOKASIDE_UNITS; units++) {
                ex_lookaside_set_t *set = set_number(number);
                ke_lock(&set->lock);
                tune_locked(&set->list[pool][units]);
                uint32_t depth = set->list[pool][units].depth;
                ke_unlock(&set->lock);
                shrink(set, (mm_pool_t)pool, units, depth, stop);
            }
}

void ex_pool_lookaside_scan(void)
{
    ex_stop_t stop = { 0 };
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
    scan(&stop);
    ex_stop_if_set(__func__, &stop);
}

/* One more call. Of the threads that see the period full one scans. */
static void tick(const ke_thread_t *thread, ex_stop_t *stop)
{
    uint32_t count = 1 + atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    while (count >= EX_LOOKASIDE_PERIOD && thread->irql <= APC_LEVEL)
        if (atomic_compare_exchange_weak_explicit(&calls, &count, 0, memory_order_relaxed, memory_order_relaxed)) {
            scan(stop);
            break;
        }
}

/* ---- requests and frees ---- */

static void *take_ready(const ke_thread_t *thread, mm_pool_t pool, unsigned units)
{
    if (!is_eligible(pool, units))
        return NULL;
    void *body = take_from(set_of(thread), pool, units);
    return body != NULL ? body : take_from(shared_set(), pool, units);
}

static POOL_HEADER *take_cut(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop)
{
    ex_descriptor_t *home = ex_descriptor_for(thread, pool);
    POOL_HEADER     *header = NULL;
    if (ex_blocks_take(home, units, 1, true, &header, stop) == 0 && stop->code == 0) {
        ex_lookaside_empty(thread, stop);
        if (stop->code == 0)
            ex_blocks_take(home, units, 1, true, &header, stop);
    }
    return header;
}

POOL_HEADER *ex_lookaside_take(ke_thread_t *thread, mm_pool_t pool, unsigned units, ex_stop_t *stop)
{
    void        *ready = take_ready(thread, pool, units);
    POOL_HEADER *header = ready != NULL ? ex_header_of(ready) : take_cut(thread, pool, units, stop);
    tick(thread, stop);
    return header;
}

void ex_lookaside_put(ke_thread_t *thread, mm_pool_t pool, POOL_HEADER *header, ex_stop_t *stop)
{
    unsigned units = header->BlockSize;
    void    *body = ex_body(header);
    ex_set_type(header, EX_TYPE_HELD | ex_paged_bit(pool));
    bool ready = is_eligible(pool, units) && (put_on(set_of(thread), pool, units, body) || put_on(shared_set(), pool, units, body));
    if (!ready)
        ex_deferred_put(pool, header, stop);
    tick(thread, stop);
}

void ex_lookaside_empty(const ke_thread_t *thread, ex_stop_t *stop)
{
    for (unsigned pool = 0; pool < MM_POOLS; pool++) {
        if (pool == MM_PAGED && thread->irql > APC_LEVEL)
            continue;
        for (unsigned number = 0; number < ex_lookaside_sets(); number++)
            for (unsigned units = 1; units <= EX_LOOKASIDE_UNITS; units++)
                shrink(set_number(number), (mm_pool_t)pool, units, 0, stop);
        ex_deferred_flush((mm_pool_t)pool, stop);
    }
}
