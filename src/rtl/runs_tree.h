/*
 * runs_tree.h - how a node of the run index is stored. Private to runs*.c.
 * A node speaks of its span: 512 * 8^level units from the multiple of that on which it begins, less at the end of the index. It stores how
 * much each of four facts falls short of "everything is free", so that a zero node is a free one:
 *
 *     start     span - free units at its start                 order    largest order possible in the span - the largest k such that
 *     longest   span - longest free run                                 2^k free units begin at a multiple of 2^k; possible + 1 when
 *     end       span - free units at its end                            nothing is free
 *
 * Three levels fit 16 bits, so the eight children of a node share one cache line; the few nodes above them are wide.
 */
#ifndef NTMM_RTL_RUNS_TREE_H
#define NTMM_RTL_RUNS_TREE_H

#include <string.h>

#include "host/host.h"
#include "rtl/runs.h"

#define LEAF_SHIFT 9u
#define LEAF_WORDS (RT_RUNS_LEAF / 64u)
#define FAN_SHIFT 3u
#define FAN (1u << FAN_SHIFT)
#define NARROW_LEVELS 3u /* spans up to 2^15 */

typedef struct narrow_node {
    uint16_t start, longest, end;
    uint8_t  order, zero;
} narrow_node_t;

typedef struct wide_node {
    uint64_t start, longest, end;
    uint32_t order, zero;
} wide_node_t;

/* A node in plain words: what is free, not what is missing. */
typedef struct summary {
    uint64_t start, longest, end;
    int32_t  order; /* -1: nothing is free */
} summary_t;

static inline uint32_t span_shift(uint32_t level) { return LEAF_SHIFT + FAN_SHIFT * level; }

static inline uint32_t floor_log2(uint64_t x) { return 63u - (uint32_t)__builtin_clzll(x); }

/* Units that a node speaks of: only the last of a level may have less than the full span. */
static inline uint64_t node_span(const rt_runs_t *runs, uint32_t level, uint64_t index)
{
    uint32_t shift = span_shift(level);
    return NTMM_UNLIKELY(index + 1 == runs->level_nodes[level]) ? runs->unit_count - (index << shift) : UINT64_C(1) << shift;
}

/* The order of a node that is all free. */
static inline int32_t order_most(uint32_t level, uint64_t span)
{
    return NTMM_LIKELY(span >> span_shift(level) != 0) ? (int32_t)span_shift(level) : (int32_t)floor_log2(span);
}

static inline summary_t node_load(const rt_runs_t *runs, uint32_t level, uint64_t index, uint64_t span)
{
    int32_t most = order_most(level, span);
    if (NTMM_LIKELY(level < NARROW_LEVELS)) {
        const narrow_node_t *n = (const narrow_node_t *)runs->level[level] + index;
        return (summary_t){ span - n->start, span - n->longest, span - n->end, most - n->order };
    }
    const wide_node_t *n = (const wide_node_t *)runs->level[level] + index;
    return (summary_t){ span - n->start, span - n->longest, span - n->end, most - (int32_t)n->order };
}

/* Returns whether that is news. */
static inline bool node_store(rt_runs_t *runs, uint32_t level, uint64_t index, uint64_t span, summary_t s)
{
    uint32_t order = (uint32_t)(order_most(level, span) - s.order);
    if (NTMM_LIKELY(level < NARROW_LEVELS)) {
        narrow_node_t *n = (narrow_node_t *)runs->level[level] + index;
        narrow_node_t new = { (uint16_t)(span - s.start), (uint16_t)(span - s.longest), (uint16_t)(span - s.end), (uint8_t)order, 0 };
        bool changed = memcmp(n, &new, sizeof new) != 0;
        *n = new;
        return changed;
    }
    wide_node_t *n = (wide_node_t *)runs->level[level] + index;
    wide_node_t new = { span - s.start, span - s.longest, span - s.end, order, 0 };
    bool changed = memcmp(n, &new, sizeof new) != 0;
    *n = new;
    return changed;
}

/* The bits of word `word` that mean something when only `bit_count` bits do. */
static inline uint64_t valid_bits(uint64_t bit_count, uint64_t word)
{
    uint64_t left = bit_count - word * 64;
    return left >= 64 ? UINT64_MAX : (UINT64_C(1) << left) - 1;
}

/* 1 = free, nothing beyond unit_count. */
static inline uint64_t free_word(const rt_runs_t *runs, uint64_t word) { return ~runs->used[word] & valid_bits(runs->unit_count, word); }

/* Bit i set: bits i .. i + count - 1 of x are set, all inside the word. 1 <= count <= 64. */
static inline uint64_t run_starts(uint64_t x, uint32_t count)
{
    uint32_t have = 1;
    for (; have * 2 <= count; have *= 2)
        x &= x >> have;
    return have < count ? x & x >> (count - have) : x;
}

static inline uint32_t bits_at_start(uint64_t x) { return x == UINT64_MAX ? 64u : (uint32_t)__builtin_ctzll(~x); }
static inline uint32_t bits_at_end(uint64_t x) { return x == UINT64_MAX ? 64u : (uint32_t)__builtin_clzll(~x); }

/* Summarises every dirty leaf and the nodes above them again (runs_summary.c). */
void rt_runs_repair(rt_runs_t *runs);

static inline bool runs_are_dirty(const rt_runs_t *runs) { return runs->dirty.level[runs->dirty.level_count - 1][0] != 0; }

#endif
