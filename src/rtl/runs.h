/*
 * runs.h - the run index: the lowest run of N free units, whatever the fragmentation.
 * A bitmap (1 = used) in leaves of 512 units, and above it a radix tree of fan-out 8 in which each node says of its span: how many units
 * are free at its start, what the longest free run is, how many are free at its end. A search walks down only where the answer can be.
 *
 *          level 2   [start | longest | end | order]              64 leaves: 32768 units
 *          level 1   [.][.][.][.][.][.][.][.]                     8 leaves: 4096 units
 *          level 0   [.][.][.] ... one a leaf; a leaf whose bits changed is summarised again before the next search ("repair")
 *          bitmap    512 bits a leaf
 *
 * All of it is zero bytes when everything is free: summaries store span minus run. So an index over 2^28 units costs nothing until it is
 * used, and rt_runs_reset costs only what was touched.
 *
 * What find promises: the LOWEST start that satisfies every limit, exactly; RT_RUNS_NONE only when there is none. What it costs, L levels:
 *   no align, no boundary               one way up and one way down: at most 8 nodes a level and direction, and the words of two leaves
 *   longer than the longest free run    the root says so
 *   align, count == align               the same as without: `order`, the largest aligned free block of a span, steers the way down
 *   other align, boundary               that much again for every free run of `count` units or more before the answer that holds an aligned
 *                                       block of min(align, largest power of two in count) units and still has no room at an allowed start:
 *                                       rare in practice, but not logarithmic when someone arranges it
 * `order` is about unit numbers, so it sees only alignments that divide `origin`: choose origins that are multiples of the large
 * alignments. Before a search every leaf that changed since the last one is summarised again, 8 words each, and the nodes above it as far
 * as they change. bench/run_index_bench.c measures all of this, maps made to be difficult included.
 *
 * Units   an index is over [0, unit_count); the caller adds its own base.
 * Locks   none: the caller serialises. Single units go through the bitmap and the `full` words above it alone: no summary is touched.
 * Memory  the caller provides rt_runs_bytes(unit_count) zero bytes; the index never allocates.
 */
#ifndef NTMM_RTL_RUNS_H
#define NTMM_RTL_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RT_RUNS_LEAF 512u
#define RT_RUNS_NONE UINT64_MAX
#define RT_RUNS_LEVELS 12u
#define RT_RUNS_SET_LEVELS 7u

/* A set of small numbers, 64-ary: a bit of level k + 1 says that a word of level k is not zero. Walking it costs only the members. */
typedef struct rt_runs_set {
    uint64_t *level[RT_RUNS_SET_LEVELS];
    uint32_t  level_count;
} rt_runs_set_t;

typedef struct rt_runs {
    uint64_t  unit_count;
    uint64_t  free_count;
    uint64_t *used; /* the bitmap, 1 = used; bits from unit_count on are never set and never looked at */
    /* private to the index; all of it inside the caller's memory */
    void    *level[RT_RUNS_LEVELS]; /* summaries, from the leaves up to the one root */
    uint64_t level_nodes[RT_RUNS_LEVELS];
    uint32_t level_count;
    uint32_t full_count; /* levels of `full` */
    /* 64-ary: a bit of level 0 says that a word of `used` is all ones, a bit of level k + 1 that a word of level k is */
    uint64_t     *full[RT_RUNS_SET_LEVELS];
    uint64_t      full_bits[RT_RUNS_SET_LEVELS]; /* how many bits of the level mean something */
    uint64_t      first_gap; /* every word of `used` before this one is full: where the search for single units begins */
    rt_runs_set_t dirty;     /* leaves whose summary is out of date */
    rt_runs_set_t touched;   /* leaves of which some bit was ever set since init or reset */
} rt_runs_t;

/* What a caller wants. Zero is "no limit" for align and boundary. */
typedef struct rt_runs_want {
    uint64_t count;     /* units, at least 1; nothing satisfies 0 */
    uint64_t low, high; /* the run lies in [low, high), units; a high beyond the index means its end */
    uint64_t align;     /* power of two, units; (start + origin) % align == 0 */
    uint64_t boundary;  /* power of two, units; the run does not cross a multiple of it, counted from -origin */
    uint64_t origin;    /* absolute number of unit 0, for align and boundary */
} rt_runs_want_t;

size_t   rt_runs_bytes(uint64_t unit_count);
void     rt_runs_init(rt_runs_t *runs, uint64_t unit_count, void *zero_bytes);
void     rt_runs_reset(rt_runs_t *runs);                                /* everything free again; touches only what was touched */
uint64_t rt_runs_find(rt_runs_t *runs, const rt_runs_want_t *want);     /* lowest start, or RT_RUNS_NONE; repairs dirty leaves first */
void     rt_runs_take(rt_runs_t *runs, uint64_t start, uint64_t count); /* all free before: an invariant */
void     rt_runs_give(rt_runs_t *runs, uint64_t start, uint64_t count); /* all used before: an invariant */
bool     rt_runs_is_free(const rt_runs_t *runs, uint64_t unit);
/* Takes the lowest free units of [low, high), at most `most` of them, ascending into units[]; the number taken. */
uint32_t rt_runs_take_singles(rt_runs_t *runs, uint64_t low, uint64_t high, uint64_t *units, uint32_t most);
uint64_t rt_runs_longest(rt_runs_t *runs);                        /* longest free run of all */
uint64_t rt_runs_next_free(const rt_runs_t *runs, uint64_t from); /* lowest free unit >= from, or RT_RUNS_NONE */
uint64_t rt_runs_next_used(const rt_runs_t *runs, uint64_t from); /* lowest used unit >= from, or unit_count */
/* Leaf by leaf, ascending: every unit that is used lies in one of them. */
void rt_runs_visit_touched(rt_runs_t *runs, void (*visit)(void *context, uint64_t first_unit, uint64_t unit_count), void *context);
/* Every summary, set and count against the bitmap, after a repair; reads all of the memory. *what: the first thing wrong, or NULL. */
bool rt_runs_check(rt_runs_t *runs, const char **what);

#endif
