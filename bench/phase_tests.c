/*
 * phase_tests.c - how much memory does an allocator hold when the mix of sizes changes under it?
 *
 *     size shift  W1: eight phases; each grows blocks of one size, then frees nine in ten of them at random
 *     survivors   W2: 24 rounds of blocks in one octave, the next octave in the next round; one in a hundred stays for good
 *     drift       W3: a live set of constant bytes under random replacement, while the mean size doubles five times
 *
 * An allocator that keeps a slab for each size and never merges holds a whole slab for one survivor; one that merges can use the holes
 * for other sizes, as far as they are in one place.
 *
 * Committed  resident growth since before the first event, for all allocators alike: src/tool/resident.h. Live: bytes asked for. The table
 *            of blocks is mapped and touched before, and every allocator has had its first calls. Every byte of a block is written.
 * Ratio      peak committed / peak live, each at its own instant.
 * Invariant  objects[0..count) are live; the sum of their bytes is `live`.
 */
#include "pool_loops.h"

#include "tool/clock.h"
#include "tool/resident.h"

#define LEAST_BYTES 32u /* no phase has smaller blocks */
#define LOOKS 64u       /* at the resident set while one phase grows; a curve has room for 64 times as many */

typedef struct object {
    void    *address;
    uint32_t bytes;
} object;

typedef struct phases {
    const allocator *allocator;
    object          *objects;
    size_t           count, room;
    uint64_t         live, asked, operations, allocations, resident_before, random;
    uint64_t         moved, stride; /* bytes that came or went since the last look at the resident set; between two looks */
    pool_outcome    *out;
} phases;

/* ---- looking ---- */

static void look(phases *p)
{
    uint64_t     resident = resident_bytes();
    uint64_t     committed = resident > p->resident_before ? resident - p->resident_before : 0;
    pool_figure *figure = &p->out->figure;
    p->moved = 0;
    if (committed > figure->peak_committed)
        figure->peak_committed = committed;
    if (p->out->sample_count < POOL_SAMPLES)
        p->out->samples[p->out->sample_count++] = (pool_sample){ p->operations, p->asked, p->live, committed };
}

static void count_operation(phases *p, uint32_t bytes)
{
    p->operations++;
    p->moved += bytes;
    if (p->moved >= p->stride)
        look(p);
}

/* ---- blocks ---- */

static void put(phases *p, uint32_t bytes)
{
    if (p->count == p->room)
        pool_give_up(p->allocator, "the table of blocks is too small");
    void *address = pool_must_allocate(p->allocator, bytes, 0);
    memset(address, 1, bytes);
    p->objects[p->count++] = (object){ address, bytes };
    p->live += bytes;
    p->asked += bytes;
    p->allocations++;
    if (p->live > p->out->figure.peak_live)
        p->out->figure.peak_live = p->live;
    count_operation(p, bytes);
}

static void drop(phases *p, size_t index)
{
    p->allocator->release(p->objects[index].address, POOL_TAG);
    uint32_t bytes = p->objects[index].bytes;
    p->objects[index] = p->objects[--p->count];
    p->live -= bytes;
    count_operation(p, bytes);
}

/* Frees blocks at random among those from `first` on, until `left` are left of them. */
static void drop_at_random(phases *p, size_t first, size_t left)
{
    while (p->count - first > left)
        drop(p, first + pool_random_below(&p->random, (uint32_t)(p->count - first)));
}

/* ---- the three ---- */

static void size_shift(phases *p, uint64_t grow)
{
    static const uint32_t SIZES[] = { 48, 80, 144, 272, 528, 1040, 2064, 4064 };
    for (size_t phase = 0; phase < sizeof SIZES / sizeof SIZES[0]; phase++) {
        size_t first = p->count;
        for (uint64_t grown = 0; grown < grow; grown += SIZES[phase])
            put(p, SIZES[phase]);
        look(p);
        drop_at_random(p, first, (p->count - first) / 10);
        look(p);
    }
}

static void survivors(phases *p, uint64_t grow)
{
    for (uint32_t round = 0; round < 24; round++) {
        uint32_t least = LEAST_BYTES << round % 6;
        size_t   first = p->count; /* what is there already stays for good */
        for (uint64_t before = p->live; p->live - before < grow;)
            put(p, least + pool_random_below(&p->random, least));
        look(p);
        drop_at_random(p, first, (p->count - first) / 100);
        look(p);
    }
}

/* In each step twice the bytes of the live set are replaced, so that little of the smaller sizes is left. */
static void drift(phases *p, uint64_t most_live)
{
    for (uint32_t step = 0; step < 6; step++) {
        uint32_t least = LEAST_BYTES << step;
        for (uint64_t left = most_live / least * 2; left > 0; left--) {
            uint32_t bytes = least + pool_random_below(&p->random, least);
            while (p->live + bytes > most_live)
                drop(p, pool_random_below(&p->random, (uint32_t)p->count));
            put(p, bytes);
        }
        look(p);
    }
}

static void run(const allocator *a, const pool_test *test, pool_outcome *out, void (*play)(phases *, uint64_t))
{
    phases p = { .allocator = a, .random = POOL_SEED, .stride = test->grow / LOOKS, .out = out };
    p.room = (size_t)(test->grow / LEAST_BYTES) * 5 / 4;
    p.objects = pool_own_memory(a, p.room * sizeof *p.objects);
    allocator_first_calls(a);
    p.resident_before = resident_bytes();
    double cpu = clock_cpu_ns(), wall = clock_wall_ns();
    play(&p, test->grow);
    drop_at_random(&p, 0, 0);
    out->figure.cpu = (clock_cpu_ns() - cpu) / (double)p.allocations;
    out->figure.wall = (clock_wall_ns() - wall) / (double)p.allocations;
}

void pool_run_size_shift(const allocator *a, const pool_test *test, pool_outcome *out) { run(a, test, out, size_shift); }
void pool_run_survivors(const allocator *a, const pool_test *test, pool_outcome *out) { run(a, test, out, survivors); }
void pool_run_drift(const allocator *a, const pool_test *test, pool_outcome *out) { run(a, test, out, drift); }
