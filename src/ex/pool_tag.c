/*
 * pool_tag.c - the table of pool tags.
 * Every thread counts in rows of its own, so that the fast paths share nothing; a reader adds the threads up. A thread that ends, and one
 * that uses more tags than it has rows, counts in the machine's table instead:
 *
 *     first row free or same key -> this thread's row, found at once from then on
 *     collision                  -> the following rows of the thread, in order; the busier tag of two moves to the first row
 *     three quarters in use      -> the machine's table (atomic adds); when that is full too, its row `Ovfl`
 *
 * A sum is exact when the threads rest, and never wrong by more than the calls that are under way.
 *
 * Locks       KE_RANK_EX_TAGS for new rows of the machine's table, for moving rows and for retiring; counters need none.
 * Source      WDK reference: ExAllocatePoolWithTag (what a tag may be), !poolused.
 */
#include "ex/pool_tag.h"

#include "ke/bugcheck.h"

#define SHARED_ROWS 4096u
#define OVERFLOW_TAG 0x6c66764fu /* "Ovfl" */

static ex_tag_row_t shared[SHARED_ROWS + MM_POOLS]; /* the last rows: what found no place, by pool */
static uint32_t     shared_used;                    /* under tags_lock */
static ke_lock_t    tags_lock = KE_LOCK_INIT(KE_RANK_EX_TAGS);

static bool is_alphanumeric(unsigned c) { return c - '0' < 10 || (c | 0x20) - 'a' < 26; }

bool ex_tag_is_ordinary(uint32_t tag)
{
    if (tag == EX_TAG_BIG)
        return false;
    return is_alphanumeric(tag & 0xff) || is_alphanumeric(tag >> 8 & 0xff) || is_alphanumeric(tag >> 16 & 0xff) ||
           is_alphanumeric(tag >> 24 & 0x7f);
}

static uint64_t key_of(uint32_t tag, mm_pool_t pool)
{
    uint64_t key = EX_TAG_KEY(tag, pool);
    return ex_tag_is_ordinary(tag) ? key : key | EX_TAG_ODD;
}

static uint64_t key_in(const ex_tag_row_t *row) { return atomic_load_explicit(&row->key, memory_order_relaxed) & ~EX_TAG_DISARMED; }

void ex_tag_disarm(ex_thread_t *own)
{
    for (unsigned i = 0; i < EX_THREAD_TAGS; i++)
        if (atomic_load_explicit(&own->tags[i].key, memory_order_relaxed) != 0)
            atomic_fetch_or_explicit(&own->tags[i].key, EX_TAG_DISARMED, memory_order_relaxed);
}

/* A key that was written while another thread stopped the machine may have escaped its mark. */
static void stay_disarmed(ex_thread_t *own)
{
    if (NTMM_UNLIKELY(atomic_load(&ke_machine_state) != KE_MACHINE_UP))
        ex_tag_disarm(own);
}

/* The thread's row for a key, made when there is none; NULL when the thread has no room. */
static ex_tag_row_t *own_row(ex_thread_t *own, uint64_t key)
{
    for (unsigned i = ex_tag_first_row(key), seen = 0; seen < EX_THREAD_TAGS; i = (i + 1) % EX_THREAD_TAGS, seen++) {
        uint64_t found = key_in(&own->tags[i]);
        if (found == key)
            return &own->tags[i];
        if (found != 0)
            continue;
        if (own->tag_rows >= EX_THREAD_TAGS - EX_THREAD_TAGS / 4)
            return NULL;
        own->tag_rows++;
        atomic_store(&own->tags[i].key, key);
        stay_disarmed(own);
        return &own->tags[i];
    }
    return NULL;
}

static ex_tag_row_t *shared_row_locked(uint64_t key, mm_pool_t pool)
{
    unsigned i = (unsigned)(key * 0x9E3779B97F4A7C15u >> 52) % SHARED_ROWS;
    for (; key_in(&shared[i]) != 0; i = (i + 1) % SHARED_ROWS)
        if (key_in(&shared[i]) == key)
            return &shared[i];
    if (shared_used >= SHARED_ROWS - SHARED_ROWS / 4) {
        shared_used = SHARED_ROWS; /* whatever else: remember that the overflow rows are used too */
        ex_tag_row_t *overflow = &shared[SHARED_ROWS + (unsigned)pool];
        atomic_store_explicit(&overflow->key, EX_TAG_KEY(OVERFLOW_TAG, pool), memory_order_relaxed);
        return overflow;
    }
    shared_used++;
    atomic_store_explicit(&shared[i].key, key, memory_order_relaxed);
    return &shared[i];
}

static ex_tag_row_t *shared_row(uint64_t key, mm_pool_t pool)
{
    ke_lock(&tags_lock);
    ex_tag_row_t *row = shared_row_locked(key, pool);
    ke_unlock(&tags_lock);
    return row;
}

static void shared_add(_Atomic uint64_t *counter, uint64_t amount) { atomic_fetch_add_explicit(counter, amount, memory_order_relaxed); }

void ex_tag_count_alloc(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested)
{
    uint64_t      key = key_of(tag, pool);
    ex_tag_row_t *row = own_row(own, key);
    if (row != NULL) {
        ex_tag_row_alloc(row, bytes, requested);
        return;
    }
    row = shared_row(key, pool);
    shared_add(&row->allocs, 1);
    shared_add(&row->alloc_bytes, bytes);
    shared_add(&row->alloc_requested, requested);
}

void ex_tag_count_free(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested)
{
    uint64_t      key = key_of(tag, pool);
    ex_tag_row_t *row = own_row(own, key);
    if (row != NULL) {
        ex_tag_row_free(row, bytes, requested);
        return;
    }
    row = shared_row(key, pool);
    shared_add(&row->frees, 1);
    shared_add(&row->free_bytes, bytes);
    shared_add(&row->free_requested, requested);
}

static void swap(_Atomic uint64_t *a, _Atomic uint64_t *b)
{
    uint64_t old = atomic_load_explicit(a, memory_order_relaxed);
    atomic_store_explicit(a, atomic_load_explicit(b, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(b, old, memory_order_relaxed);
}

/* Whoever was found by going on from its first row is found still: no row in between becomes unused. */
ex_tag_row_t *ex_tag_promote(ex_thread_t *own, ex_tag_row_t *row, ex_tag_row_t *first)
{
    ke_lock(&tags_lock); /* a reader that adds up meanwhile would count one twice and the other not at all */
    swap(&row->key, &first->key);
    swap(&row->allocs, &first->allocs);
    swap(&row->alloc_bytes, &first->alloc_bytes);
    swap(&row->alloc_requested, &first->alloc_requested);
    swap(&row->frees, &first->frees);
    swap(&row->free_bytes, &first->free_bytes);
    swap(&row->free_requested, &first->free_requested);
    ke_unlock(&tags_lock);
    stay_disarmed(own);
    return first;
}

static uint64_t take(_Atomic uint64_t *counter) { return atomic_exchange_explicit(counter, 0, memory_order_relaxed); }

void ex_tag_retire(ex_thread_t *own)
{
    ke_lock(&tags_lock);
    for (unsigned i = 0; i < EX_THREAD_TAGS; i++) {
        ex_tag_row_t *from = &own->tags[i];
        uint64_t      key = key_in(from);
        if (key == 0)
            continue;
        ex_tag_row_t *to = shared_row_locked(key, ex_pool_of_key(key));
        shared_add(&to->allocs, take(&from->allocs));
        shared_add(&to->alloc_bytes, take(&from->alloc_bytes));
        shared_add(&to->alloc_requested, take(&from->alloc_requested));
        shared_add(&to->frees, take(&from->frees));
        shared_add(&to->free_bytes, take(&from->free_bytes));
        shared_add(&to->free_requested, take(&from->free_requested));
        atomic_store_explicit(&from->key, 0, memory_order_relaxed);
    }
    own->tag_rows = 0;
    ke_unlock(&tags_lock);
}

void ex_tags_boot(void)
{
    ke_lock_init(&tags_lock, KE_RANK_EX_TAGS);
    if (shared_used != 0)
        memset(shared, 0, sizeof shared);
    shared_used = 0;
}

static ex_tag_counts_t counts_of(const ex_tag_row_t *row) /* frees first: a block freed meanwhile never shows as less than nothing in use */
{
    ex_tag_counts_t c;
    c.frees = atomic_load_explicit(&row->frees, memory_order_relaxed);
    c.free_bytes = atomic_load_explicit(&row->free_bytes, memory_order_relaxed);
    c.free_requested = atomic_load_explicit(&row->free_requested, memory_order_relaxed);
    c.allocs = atomic_load_explicit(&row->allocs, memory_order_relaxed);
    c.alloc_bytes = atomic_load_explicit(&row->alloc_bytes, memory_order_relaxed);
    c.alloc_requested = atomic_load_explicit(&row->alloc_requested, memory_order_relaxed);
    return c;
}

typedef void (*row_visitor_t)(void *context, uint32_t tag, mm_pool_t pool, const ex_tag_counts_t *counts);

static void visit_rows(const ex_tag_row_t *rows, unsigned count, row_visitor_t visit, void *context)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t key = key_in(&rows[i]);
        if (key == 0)
            continue;
        ex_tag_counts_t counts = counts_of(&rows[i]);
        visit(context, ex_tag_of_key(key), ex_pool_of_key(key), &counts);
    }
}

void ex_tag_visit(row_visitor_t visit, void *context)
{
    ke_lock(&tags_lock); /* nobody retires meanwhile and is counted twice, or not at all */
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (thread->generation == ke_machine_generation)
            visit_rows(ex_thread_of(thread)->tags, EX_THREAD_TAGS, visit, context);
    if (shared_used != 0)
        visit_rows(shared, NTMM_ARRAY_COUNT(shared), visit, context);
    ke_unlock(&tags_lock);
}

typedef struct sum_context {
    uint32_t         tag;
    bool             any, found;
    mm_pool_t        pool;
    ex_tag_counts_t *sum;
} sum_context_t;

static void add_row(void *context, uint32_t tag, mm_pool_t pool, const ex_tag_counts_t *counts)
{
    sum_context_t *c = context;
    if (pool != c->pool || (!c->any && tag != c->tag))
        return;
    c->found = true;
    c->sum->allocs += counts->allocs;
    c->sum->frees += counts->frees;
    c->sum->alloc_bytes += counts->alloc_bytes;
    c->sum->free_bytes += counts->free_bytes;
    c->sum->alloc_requested += counts->alloc_requested;
    c->sum->free_requested += counts->free_requested;
}

bool ex_tag_sum(uint32_t tag, bool any, mm_pool_t pool, ex_tag_counts_t *sum)
{
    sum_context_t context = { tag, any, false, pool, sum };
    ex_tag_visit(add_row, &context);
    return context.found;
}
