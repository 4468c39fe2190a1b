/*
 * exchange_test.c - one thread allocates, another frees: what does a block cost that changes hands?
 *
 *     producer   allocate, write eight bytes  ->  ring of 1,024 blocks  ->  free   consumer
 *
 * Wall time: what counts is how many blocks come through, and a thread that waits for the other takes processor time without getting any
 * further. The consumer reads the clock after each slice of 2,000 blocks. A slice is thrown away when one of the two threads had not got its
 * processor for nearly all of it, because a neighbour did or because both shared one; the figure is the median of the others. When there are
 * too few others it is the median of all, and pool_figure.at_once says that it is worth little. The floor is the ring itself.
 *
 * Invariant  blocks consumed..produced are in the ring; each counter is written by one thread alone.
 * Source  the shape is that of xmalloc-test in the field's suites; the code is ours.
 */
#include <stdalign.h>
#include <stdatomic.h>

#include "pool_loops.h"
#include "pool_threads.h"
#include "tool/clock.h"

#define RING 1024u
#define SHOWN 16u   /* blocks that change hands at once: how often the counters are written */
#define SLICE 2000u /* blocks */
#define WARM_SLICES 50u
#define SLICES_LIMIT 1500u
#define TRIES 5u         /* slices played for one that was not disturbed, at most */
#define UNDISTURBED 0.95 /* share of the slice for which a thread had its processor */
#define LINE 128u        /* bytes that processors fetch together */

_Static_assert(SLICE % SHOWN == 0, "a slice is complete when the counters say so");

/* How long a thread was at a slice, ns. */
typedef struct span {
    double cpu, wall;
} span;

typedef struct slice {
    double wall, at_once;
} slice;

typedef struct exchange {
    alignas(LINE) _Atomic uint32_t produced;
    alignas(LINE) _Atomic uint32_t consumed;
    alignas(LINE) _Atomic bool enough;
    alignas(LINE) void *ring[RING];
    const allocator *allocator;
    const pool_test *test;
    span             producers[WARM_SLICES + SLICES_LIMIT]; /* written before `produced` shows the slice's last block */
    slice            slices[SLICES_LIMIT];                  /* undisturbed ones first */
    unsigned         wanted, count, undisturbed;
} exchange;

static span now(void) { return (span){ clock_ns(CLOCK_THREAD_CPUTIME_ID), clock_wall_ns() }; }
static span since(span begin)
{
    span end = now();
    return (span){ end.cpu - begin.cpu, end.wall - begin.wall };
}

/* ---- the producer ---- */

/* Sooner or later after the consumer has stopped the ring is full; only then is looked whether it has.
 * @return false: no more blocks are wanted */
static bool wait_for_room(exchange *e, uint32_t at, uint32_t *consumed)
{
    for (unsigned looks = 0; at - *consumed >= RING; pool_worker_wait(&looks)) {
        bool enough = atomic_load_explicit(&e->enough, memory_order_acquire);
        *consumed = atomic_load_explicit(&e->consumed, memory_order_acquire);
        if (enough && at - *consumed >= RING)
            return false;
    }
    return true;
}

static void produce(void *context)
{
    exchange *e = context;
    uint32_t  consumed = 0;
    span      begin = now();
    for (uint32_t i = 0; wait_for_room(e, i, &consumed); i++) {
        e->ring[i % RING] = pool_must_allocate(e->allocator, e->test->bytes, e->test->flags);
        if ((i + 1) % SLICE == 0 && i / SLICE < WARM_SLICES + SLICES_LIMIT) {
            e->producers[i / SLICE] = since(begin);
            begin = now();
        }
        if ((i + 1) % SHOWN == 0)
            atomic_store_explicit(&e->produced, i + 1, memory_order_release);
    }
}

/* ---- the consumer ---- */

static span consume_slice(exchange *e, uint32_t from)
{
    uint32_t produced = from;
    span     begin = now();
    unsigned looks = 0;
    for (uint32_t i = from; i != from + SLICE; i++) {
        for (; i == produced; pool_worker_wait(&looks))
            produced = atomic_load_explicit(&e->produced, memory_order_acquire);
        e->allocator->release(e->ring[i % RING], POOL_TAG);
        if ((i + 1) % SHOWN == 0)
            atomic_store_explicit(&e->consumed, i + 1, memory_order_release);
    }
    return since(begin);
}

static void keep_slice(exchange *e, const span *producer, const span *consumer)
{
    double   one = producer->cpu / producer->wall, other = consumer->cpu / consumer->wall;
    slice    played = { consumer->wall / SLICE, one < other ? one : other };
    unsigned place = e->count++;
    if (played.at_once >= UNDISTURBED) {
        e->slices[place] = e->slices[e->undisturbed];
        place = e->undisturbed++;
    }
    e->slices[place] = played;
}

static void consume(void *context)
{
    exchange *e = context;
    uint32_t  number = 0;
    while (number < WARM_SLICES)
        consume_slice(e, SLICE * number++);
    while (e->undisturbed < e->wanted && e->count < e->wanted * TRIES) {
        span spent = consume_slice(e, SLICE * number);
        keep_slice(e, &e->producers[number], &spent);
        number++;
    }
    atomic_store(&e->enough, true);
}

/* ---- both ---- */

static int by_wall(const void *a, const void *b)
{
    const slice *x = a, *y = b;
    return (x->wall > y->wall) - (x->wall < y->wall);
}

static void median_slice(exchange *e, pool_figure *figure)
{
    unsigned count = e->undisturbed == e->wanted ? e->undisturbed : e->count;
    for (unsigned i = 0; i < count; i++)
        figure->at_once += e->slices[i].at_once / count;
    qsort(e->slices, count, sizeof e->slices[0], by_wall);
    figure->wall = e->slices[count / 2].wall;
    figure->cpu = figure->wall * figure->at_once * POOL_THREADS;
}

void pool_run_exchange(const allocator *a, const pool_test *test, pool_outcome *out)
{
    static exchange e;
    e.allocator = a;
    e.test = test;
    e.wanted = test->operations / SLICE < SLICES_LIMIT / TRIES ? test->operations / SLICE : SLICES_LIMIT / TRIES;
    pool_worker producer = { a, produce, &e, 0, 0 }, consumer = { a, consume, &e, 1, 0 };
    pool_worker_start(&consumer);
    pool_worker_start(&producer);
    pool_worker_join(&consumer);
    pool_worker_join(&producer);
    for (uint32_t i = e.consumed; i != e.consumed + RING; i++) /* it is full */
        a->release(e.ring[i % RING], POOL_TAG);
    median_slice(&e, &out->figure);
}
