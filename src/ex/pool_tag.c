/*
 * pool_tag.c - the counters of pool tags.
 * Every thread counts in rows of its own, so that the fast paths share nothing; a reader adds the threads up.
 *
 *     the first 255 tags (in a pool)     a number, found by the hash of the tag: row `number` of each thread
 *     later ones                         the machine's table, with atomic adds; when that is full too, its row `Ovfl`
 *     a thread that ends                 its rows are added to those of the machine
 *
 * A sum is exact when the threads rest, and never wrong by more than the calls that are under way.
 *
 * Locks       KE_RANK_EX_TAGS for new numbers, for new rows of the machine's table and for retiring; counters need none.
 * Source      WDK reference: ExAllocatePoolWithTag (what a tag may be), !poolused.
 */
#include "ex/pool_tag.h"

#include <string.h>

#include "ex/pool_tools.h"
#include "ke/bugcheck.h"

#define LATER_ROWS 4096u
#define OVERFLOW_TAG 0x6c66764fu /* "Ovfl" */

ex_tag_slot_t ex_tag_slots[1u << EX_TAG_SLOT_BITS];

static uint32_t     numbers_used;            /* under tags_lock, as the next four */
static uint64_t     keys[EX_TAG_NUMBERS];    /* what each number is for */
static ex_tag_row_t retired[EX_TAG_NUMBERS]; /* of threads that have ended, by number */
static struct later {                        /* tags without a number; the last rows: what found no place, by pool */
    _Atomic uint64_t key;
    ex_tag_row_t     row;
} later[LATER_ROWS + MM_POOLS];
static uint32_t  later_used;
static ke_lock_t tags_lock = KE_LOCK_INIT(KE_RANK_EX_TAGS);

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

/* ---- numbers ---- */

static uint64_t key_in(const ex_tag_slot_t *slot) { return __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE); }

void ex_tags_close(void)
{
    for (unsigned i = 0; i < NTMM_ARRAY_COUNT(ex_tag_slots); i++)
        if (key_in(&ex_tag_slots[i]) != 0)
            __atomic_fetch_or(&ex_tag_slots[i].key, EX_TAG_CLOSED, __ATOMIC_SEQ_CST);
}

/* The slot of a key, or the empty one where it would be. */
static ex_tag_slot_t *slot_of(uint64_t key)
{
    ex_tag_slot_t *slot = ex_tag_first_slot(ex_tag_of_key(key), ex_pool_of_key(key));
    for (uint64_t found; (found = key_in(slot)) != 0 && (found & ~EX_TAG_CLOSED) != key;)
        slot = ex_tag_next_slot(slot);
    return slot;
}

static unsigned number_of(uint64_t key)
{
    ex_tag_slot_t *slot = slot_of(key);
    return key_in(slot) != 0 ? ex_tag_slot_number(slot) : 0;
}

static unsigned new_number_locked(uint64_t key)
{
    ex_tag_slot_t *slot = slot_of(key);
    if (key_in(slot) != 0)
        return ex_tag_slot_number(slot);
    if (numbers_used == EX_TAG_NUMBERS - 1)
        return 0;
    numbers_used++;
    slot->row = (uint32_t)(offsetof(ke_thread_t, upper) + offsetof(ex_thread_t, tags) + numbers_used * sizeof(ex_tag_row_t));
    slot->mark = EX_TAG_MARK(numbers_used);
    keys[numbers_used] = key;
    __atomic_store_n(&slot->key, ex_pool_is_slow ? key | EX_TAG_CLOSED : key, __ATOMIC_SEQ_CST);
    if (NTMM_UNLIKELY(atomic_load(&ke_machine_state) != KE_MACHINE_UP)) /* whoever stopped the machine may have missed it */
        __atomic_fetch_or(&slot->key, EX_TAG_CLOSED, __ATOMIC_SEQ_CST);
    return numbers_used;
}

static unsigned number_for(uint64_t key)
{
    unsigned number = number_of(key);
    if (number == 0) {
        ke_lock(&tags_lock);
        number = new_number_locked(key);
        ke_unlock(&tags_lock);
    }
    return number;
}

/* ---- tags that came later ---- */

static ex_tag_row_t *later_row_locked(uint64_t key, mm_pool_t pool)
{
    unsigned i = (unsigned)(key * 0x9E3779B97F4A7C15u >> 52) % LATER_ROWS;
    for (; later[i].key != 0; i = (i + 1) % LATER_ROWS)
        if (later[i].key == key)
            return &later[i].row;
    if (later_used >= LATER_ROWS - LATER_ROWS / 4) {
        i = LATER_ROWS + (unsigned)pool;
        key = EX_TAG_KEY(OVERFLOW_TAG, pool);
    } else {
        later_used++;
    }
    atomic_store_explicit(&later[i].key, key, memory_order_relaxed);
    return &later[i].row;
}

static ex_tag_row_t *later_row(uint64_t key, mm_pool_t pool)
{
    ke_lock(&tags_lock);
    ex_tag_row_t *row = later_row_locked(key, pool);
    ke_unlock(&tags_lock);
    return row;
}

/* ---- counting ---- */

static void shared_add(_Atomic uint64_t *counter, uint64_t amount) { atomic_fetch_add_explicit(counter, amount, memory_order_relaxed); }

unsigned ex_tag_count_alloc(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested)
{
    uint64_t key = key_of(tag, pool);
    unsigned number = number_for(key);
    if (number != 0) {
        ex_tag_row_alloc(&own->tags[number], bytes, requested);
        return number;
    }
    ex_tag_row_t *row = later_row(key, pool);
    shared_add(&row->allocs, 1);
    shared_add(&row->alloc_bytes, bytes);
    shared_add(&row->alloc_requested, requested);
    return 0;
}

void ex_tag_count_free(ex_thread_t *own, uint32_t tag, mm_pool_t pool, size_t bytes, size_t requested)
{
    uint64_t key = key_of(tag, pool);
    unsigned number = number_of(key);
    if (number != 0) {
        ex_tag_row_free(&own->tags[number], bytes, requested);
        return;
    }
    ex_tag_row_t *row = later_row(key, pool);
    shared_add(&row->frees, 1);
    shared_add(&row->free_bytes, bytes);
    shared_add(&row->free_requested, requested);
}

static void move(_Atomic uint64_t *to, _Atomic uint64_t *from) { shared_add(to, atomic_exchange_explicit(from, 0, memory_order_relaxed)); }

void ex_tag_retire(ex_thread_t *own)
{
    ke_lock(&tags_lock);
    for (unsigned number = 1; number <= numbers_used; number++) {
        ex_tag_row_t *from = &own->tags[number], *to = &retired[number];
        move(&to->allocs, &from->allocs);
        move(&to->alloc_bytes, &from->alloc_bytes);
        move(&to->alloc_requested, &from->alloc_requested);
        move(&to->frees, &from->frees);
        move(&to->free_bytes, &from->free_bytes);
        move(&to->free_requested, &from->free_requested);
    }
    ke_unlock(&tags_lock);
}

void ex_tags_boot(void)
{
    ke_lock_init(&tags_lock, KE_RANK_EX_TAGS);
    if (later_used != 0)
        memset(later, 0, sizeof later);
    if (numbers_used != 0) {
        memset(ex_tag_slots, 0, sizeof ex_tag_slots);
        memset(retired, 0, sizeof retired);
    }
    later_used = numbers_used = 0;
}

/* ---- adding up ---- */

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

static void visit_row(const ex_tag_row_t *row, uint64_t key, row_visitor_t visit, void *context)
{
    ex_tag_counts_t counts = counts_of(row);
    if ((counts.allocs | counts.frees) != 0)
        visit(context, ex_tag_of_key(key), ex_pool_of_key(key), &counts);
}

static void visit_numbered(const ex_tag_row_t *rows, row_visitor_t visit, void *context)
{
    for (unsigned number = 1; number <= numbers_used; number++)
        visit_row(&rows[number], keys[number], visit, context);
}

void ex_tag_visit(row_visitor_t visit, void *context)
{
    ke_lock(&tags_lock); /* nobody retires meanwhile and is counted twice, or not at all */
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        if (thread->generation == ke_machine_generation)
            visit_numbered(ex_thread_of(thread)->tags, visit, context);
    visit_numbered(retired, visit, context);
    for (unsigned i = 0; later_used != 0 && i < NTMM_ARRAY_COUNT(later); i++)
        if (later[i].key != 0)
            visit_row(&later[i].row, later[i].key, visit, context);
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
    ex_tag_counts_add(c->sum, counts);
}

static uint64_t difference(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0;
} /* while other threads run, a sum may lag */

void ex_tag_usage(const ex_tag_counts_t *sum, ntmm_pool_usage *out)
{
    *out = (ntmm_pool_usage){ .allocs = sum->allocs, .frees = sum->frees };
    out->bytes_in_use = difference(sum->alloc_bytes, sum->free_bytes);
    out->bytes_requested = difference(sum->alloc_requested, sum->free_requested);
}

bool ex_tag_sum(uint32_t tag, bool any, mm_pool_t pool, ex_tag_counts_t *sum)
{
    sum_context_t context = { tag, any, false, pool, sum };
    ex_tag_visit(add_row, &context);
    return context.found;
}
