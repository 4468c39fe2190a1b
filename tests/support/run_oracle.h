/*
 * run_oracle.h - a model of free and used units that is too simple to be wrong: one byte a unit, every question answered by looking at all
 * of them. It shares no code with the run index; limits are checked by division, one start after the other.
 */
#ifndef NTMM_TESTS_RUN_ORACLE_H
#define NTMM_TESTS_RUN_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rtl/runs.h"

/* ---- random numbers, the seed ---- */

typedef struct dice {
    uint64_t state;
} dice_t;

static inline uint64_t dice_roll(dice_t *d) /* splitmix64 */
{
    uint64_t x = d->state += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline uint64_t dice_below(dice_t *d, uint64_t bound) { return (uint64_t)(((unsigned __int128)dice_roll(d) * bound) >> 64); }
static inline uint64_t dice_between(dice_t *d, uint64_t least, uint64_t most) { return least + dice_below(d, most - least + 1); }
/* Small values as likely as large ones: a random number of bits, then those bits. 1 .. most. */
static inline uint64_t dice_log(dice_t *d, uint64_t most)
{
    uint64_t limit = UINT64_C(1) << dice_below(d, 64 - (uint64_t)__builtin_clzll(most));
    uint64_t x = limit + dice_below(d, limit);
    return x < most ? x : most;
}

static inline uint64_t seed_from_environment(const char *test)
{
    const char *text = getenv("NTMM_SEED");
    uint64_t    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003;
    printf("%s: NTMM_SEED=%llu\n", test, (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

/* How much work a build can do in the time that a test may take. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLOWNESS 12u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLOWNESS 12u
#endif
#endif
#ifndef SLOWNESS
#ifdef __OPTIMIZE__
#define SLOWNESS 1u
#else
#define SLOWNESS 3u
#endif
#endif

/* ---- the model ---- */

typedef struct oracle {
    uint64_t unit_count, free_count;
    uint8_t *used;
} oracle_t;

static inline void oracle_init(oracle_t *o, uint64_t unit_count)
{
    *o = (oracle_t){ unit_count, unit_count, calloc(unit_count, 1) };
    if (o->used == NULL)
        abort();
}

static inline void oracle_mark(oracle_t *o, uint64_t start, uint64_t count, bool used)
{
    memset(o->used + start, used, count);
    o->free_count += used ? -count : count;
}

static inline bool oracle_allows(const rt_runs_want_t *w, uint64_t start)
{
    uint64_t first = start + w->origin, last = first + w->count - 1;
    return (w->align <= 1 || first % w->align == 0) && (w->boundary == 0 || first / w->boundary == last / w->boundary);
}

static inline bool oracle_is_answer(const oracle_t *o, const rt_runs_want_t *w, uint64_t start)
{
    if (start < w->low || start >= o->unit_count || w->count > o->unit_count - start || start + w->count > w->high)
        return false;
    return oracle_allows(w, start) && memchr(o->used + start, 1, w->count) == NULL;
}

static inline uint64_t oracle_find(const oracle_t *o, const rt_runs_want_t *w)
{
    uint64_t high = w->high < o->unit_count ? w->high : o->unit_count, best = RT_RUNS_NONE, behind = 0;
    if (w->count == 0)
        return RT_RUNS_NONE;
    for (uint64_t i = high; i-- > w->low && high > w->low;) { /* from the end: `behind` free units from i on */
        behind = o->used[i] ? 0 : behind + 1;
        if (behind >= w->count && oracle_allows(w, i))
            best = i;
    }
    return best;
}

static inline uint64_t oracle_longest(const oracle_t *o)
{
    uint64_t longest = 0, run = 0;
    for (uint64_t i = 0; i < o->unit_count; i++) {
        run = o->used[i] ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static inline uint64_t oracle_next(const oracle_t *o, uint64_t from, bool used)
{
    while (from < o->unit_count && o->used[from] != used)
        from++;
    return from;
}

/* A request of every kind: limits drawn so that most of them matter and many can still be met. */
static inline rt_runs_want_t oracle_request(dice_t *d, uint64_t unit_count, uint64_t origin)
{
    rt_runs_want_t w = { .count = dice_log(d, unit_count), .high = UINT64_MAX, .origin = origin };
    uint64_t       kind = dice_roll(d);
    if ((kind & 3) != 0 && w.count > 64)
        w.count = dice_log(d, 64);
    if ((kind >> 2 & 3) == 0)
        w.align = UINT64_C(1) << dice_below(d, 14);
    if ((kind >> 4 & 7) == 0)
        w.boundary = UINT64_C(1) << dice_below(d, 14);
    if ((kind >> 7 & 3) == 0)
        w.low = dice_below(d, unit_count + 2);
    if ((kind >> 9 & 3) == 0)
        w.high = dice_below(d, unit_count + 2);
    if ((kind >> 11 & 15) == 0)
        w.count = w.align = UINT64_C(1) << dice_below(d, 12);
    return w;
}

static inline bool all_zero(const uint8_t *bytes, size_t count)
{
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

#endif
