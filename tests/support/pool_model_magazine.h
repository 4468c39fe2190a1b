/*
 * pool_model_magazine.h - a thread's magazines in front of the model's descriptors, for a machine on which it is the only thread.
 * The rules are those that src/ex/pool_magazine.c begins with; so are the names of its constants, in small letters.
 *
 * Addresses are needed in two places, and known by then: blocks are given in ascending order, and a magazine whose newest block lies where
 * it lay at the last visit counts as idle.
 */
#ifndef NTMM_TESTS_POOL_MODEL_MAGAZINE_H
#define NTMM_TESTS_POOL_MODEL_MAGAZINE_H

#include "pool_model.h"

enum { MM_RUNS = 16, MM_KEPT = 1 << 16, MM_PLACES = M_POOLS * M_UNITS + M_POOLS * (MM_RUNS + 1) };
enum { MM_LIMIT_SHARE = 4, MM_LIMIT_RAM_SHARE = 64, MM_GIVE_SHARE = 8, MM_GIVE_BATCH = 64, MM_KEEP = 4, MM_BATCH_PAGES = 4 };
enum { MM_BATCH_SHARE = 512, MM_GROW_MIN = 128 << 10, MM_GROW_SHARE = 8, MM_BATCH_MAX = 64, MM_NEAR_SHARE = 16, MM_LIMIT_MIN = 512 << 10 };

typedef struct mm_kept {
    m_place_t place;   /* a block, */
    char     *address; /* or whole pages */
} mm_kept_t;

typedef struct mm_magazine {
    mm_kept_t *at; /* the newest last */
    unsigned   count, room, batch;
    uint32_t   seen;
} mm_magazine_t;

static struct {
    mm_magazine_t magazine[MM_PLACES];                         /* blocks by pool and units, then runs by pool and pages */
    int64_t       kept, limit, limit_min, kept_after[M_POOLS]; /* units */
    unsigned      hand;
} mz;

static void mz_boot(uint64_t nonpaged_limit)
{
    uint64_t share = (nonpaged_limit / MM_LIMIT_RAM_SHARE + 1) * M_UNITS;
    for (unsigned i = 0; i < MM_PLACES; i++)
        free(mz.magazine[i].at);
    memset(&mz, 0, sizeof mz);
    mz.limit_min = (int64_t)(share < MM_LIMIT_MIN / M_UNIT ? share : MM_LIMIT_MIN / M_UNIT);
}

static mm_magazine_t *mz_blocks(int pool, unsigned units) { return &mz.magazine[(unsigned)pool * M_UNITS + units]; }
static mm_magazine_t *mz_runs(int pool, unsigned pages) { return &mz.magazine[M_POOLS * M_UNITS + (unsigned)pool * (MM_RUNS + 1) + pages]; }

static int64_t mz_room(void) { return mz.limit - mz.kept; }
static char   *mz_address(m_place_t place) { return m.page[place.page].address + place.unit * M_UNIT + M_HEADER; }

static void mz_push(mm_magazine_t *magazine, mm_kept_t kept, unsigned units)
{
    if (magazine->count == magazine->room) {
        magazine->room = magazine->room == 0 ? 16 : 2 * magazine->room;
        magazine->at = realloc(magazine->at, magazine->room * sizeof *magazine->at);
    }
    magazine->at[magazine->count++] = kept;
    mz.kept += units;
}

static mm_kept_t mz_pop(mm_magazine_t *magazine, unsigned units)
{
    mz.kept -= units;
    return magazine->at[--magazine->count];
}

/* ---- give ---- */

static int mz_by_address(const void *one, const void *other)
{
    const char *a = mz_address(((const mm_kept_t *)one)->place), *b = mz_address(((const mm_kept_t *)other)->place);
    return (a > b) - (a < b);
}

/* The newest of those beyond the first `keep` go, at most so many, in ascending order. Returns how many. */
static unsigned mz_give_batch(mm_magazine_t *magazine, unsigned keep)
{
    unsigned  spare = magazine->count > keep ? magazine->count - keep : 0, count = spare < MM_GIVE_BATCH ? spare : MM_GIVE_BATCH;
    mm_kept_t batch[MM_GIVE_BATCH];
    if (count == 0)
        return 0;
    memcpy(batch, magazine->at + spare - count, count * sizeof *batch);
    memmove(magazine->at + spare - count, magazine->at + spare, (magazine->count - spare) * sizeof *batch);
    magazine->count -= count;
    qsort(batch, count, sizeof *batch, mz_by_address);
    for (unsigned i = 0; i < count; i++)
        m_give(batch[i].place);
    return count;
}

static bool mz_give_run(mm_magazine_t *magazine, int pool, unsigned pages, unsigned keep)
{
    if (magazine->count <= keep)
        return false;
    magazine->count--; /* which of them does not matter: the newest `keep` stay */
    memmove(magazine->at + magazine->count - keep, magazine->at + magazine->count - keep + 1, keep * sizeof *magazine->at);
    m.held[pool] -= pages;
    return true;
}

static uint32_t mz_newest(const mm_magazine_t *magazine)
{
    if (magazine->count == 0)
        return 0;
    mm_kept_t newest = magazine->at[magazine->count - 1];
    return (uint32_t)(uintptr_t)(newest.address != NULL ? newest.address : mz_address(newest.place));
}

static void mz_visit(unsigned number, int64_t wanted)
{
    mm_magazine_t *magazine = &mz.magazine[number];
    unsigned       keep = magazine->batch > MM_KEEP ? magazine->batch : MM_KEEP, run = number - M_POOLS * M_UNITS;
    if (mz_newest(magazine) == magazine->seen)
        keep = 0;
    magazine->seen = mz_newest(magazine);
    magazine->batch /= 2;
    if (number < M_POOLS * M_UNITS)
        for (unsigned given = 1; mz_room() < wanted && given != 0; mz.kept -= given * (number % M_UNITS))
            given = mz_give_batch(magazine, keep);
    else
        while (mz_room() < wanted && mz_give_run(magazine, (int)(run / (MM_RUNS + 1)), run % (MM_RUNS + 1), keep))
            mz.kept -= run % (MM_RUNS + 1) * M_UNITS;
}

/* ---- the limit ---- */

static bool mz_make_room(int64_t units)
{
    int64_t out = (int64_t)(m.out[M_NX] + m.out[M_EXECUTE] + m.out[M_PAGED]), share = (out - mz.kept) / MM_LIMIT_SHARE;
    mz.limit = share > mz.limit_min ? share : mz.limit_min;
    int64_t wanted = mz.limit / MM_GIVE_SHARE > units ? mz.limit / MM_GIVE_SHARE : units;
    for (unsigned steps = 0; mz_room() < wanted && mz.kept > 0 && steps < 2 * MM_PLACES; steps++) {
        mz.hand = (mz.hand + 1) % MM_PLACES;
        mz_visit(mz.hand, wanted);
    }
    return mz_room() >= units;
}

static void mz_give_everything(void)
{
    for (unsigned number = 0; number < MM_PLACES; number++) {
        mz_visit(number, INT64_MAX);
        mz_visit(number, INT64_MAX);
    }
    mz.limit = 0;
}

static void mz_give(m_place_t place)
{
    unsigned units = m_size(place);
    if (mz_room() >= units || mz_make_room(units))
        mz_push(mz_blocks(m.page[place.page].pool, units), (mm_kept_t){ .place = place }, units);
    else
        m_give(place);
}

/* ---- take ---- */

static unsigned mz_batch(int pool, unsigned units)
{
    mm_magazine_t *magazine = mz_blocks(pool, units);
    uint64_t       pages = m.out[pool] / MM_BATCH_SHARE / M_UNITS;
    pages = pages < 1 ? 1 : pages > MM_BATCH_PAGES ? MM_BATCH_PAGES : pages;
    unsigned most = (unsigned)pages * M_UNITS / units, count = 2 * magazine->batch;
    most = most > MM_BATCH_MAX ? MM_BATCH_MAX : most;
    magazine->batch = count < 1 ? 1 : count > most ? most : count;
    int64_t spare = (int64_t)(magazine->batch - 1) * units;
    count = magazine->batch;
    return mz_room() >= spare || mz_make_room(spare) ? count : 1;
}

static void mz_give_instead(int pool)
{
    int64_t enough = (int64_t)m.out[pool] / MM_GROW_SHARE;
    if (enough < MM_GROW_MIN / M_UNIT)
        enough = MM_GROW_MIN / M_UNIT;
    if (mz.kept < mz.kept_after[pool])
        mz.kept_after[pool] = mz.kept;
    if (mz.kept - mz.kept_after[pool] < enough)
        return;
    for (unsigned units = 1; units < M_UNITS; units++)
        if (mz_blocks(pool, units)->count != 0)
            mz_visit((unsigned)pool * M_UNITS + units, INT64_MAX);
    mz.kept_after[pool] = mz.kept;
}

static bool mz_take_once(int pool, unsigned units, m_place_t *place)
{
    m_place_t taken[MM_BATCH_MAX];
    for (unsigned near = units; near <= units + units / MM_NEAR_SHARE && near < M_UNITS; near++)
        if (mz_blocks(pool, near)->count != 0) {
            *place = mz_pop(mz_blocks(pool, near), near).place;
            return true;
        }
    m_descriptor_t *home = m_descriptor_for(pool);
    unsigned        want = mz_batch(pool, units), got = m_take(home, units, want, false, taken);
    if (got == 0) {
        mz_give_instead(pool);
        got = m_take(home, units, want, true, taken);
    }
    for (unsigned i = got; i-- > 1;)
        mz_push(mz_blocks(pool, units), (mm_kept_t){ .place = taken[i] }, units);
    *place = taken[0];
    return got != 0;
}

static bool mz_take(int pool, unsigned units, m_place_t *place)
{
    if (mz_take_once(pool, units, place))
        return true;
    mz_give_everything();
    return mz_take_once(pool, units, place);
}

/* ---- whole pages ---- */

static bool mz_take_large(int pool, size_t bytes, m_large_t *large)
{
    unsigned pages = (unsigned)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    if (!m_has_tail(bytes) && pages <= MM_RUNS && mz_runs(pool, pages)->count != 0) {
        *large = (m_large_t){ .pages = pages, .shared = -1, .address = mz_pop(mz_runs(pool, pages), pages * M_UNITS).address };
        return true;
    }
    if (m_large_take(pool, bytes, large))
        return true;
    mz_give_everything();
    return m_large_take(pool, bytes, large);
}

static void mz_give_large(int pool, const m_large_t *large, char *address)
{
    unsigned units = large->pages * M_UNITS;
    if (large->shared < 0 && large->pages <= MM_RUNS && (mz_room() >= units || mz_make_room(units)))
        mz_push(mz_runs(pool, large->pages), (mm_kept_t){ .address = address }, units);
    else
        m_large_give(pool, large);
}

#endif
