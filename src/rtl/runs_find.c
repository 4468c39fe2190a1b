/*
 * runs_find.c - the search: the lowest run that satisfies every limit.
 * The walk visits nodes in the order of their units, largest spans first, and carries one number: the free units just before the node.
 *
 *     carry + start >= count     a run that ends in this node's start is long enough: is there room in it at an allowed place?
 *     longest >= count           and order large enough: the answer may be inside: go down to the first child
 *     otherwise                  nothing begins here but the free units at the end: carry them to the next node
 *
 * The next node is the one to the right, or as far up as the walk stands on a first child. Without align and boundary the first way down
 * ends at the answer. With them a run may have room at no allowed place; then the walk goes on to the right of it.
 *
 * Why order may steer: a run of `count` units at a multiple of `align` begins with an aligned free block of min(align, largest power of two
 * in count) units. A span without such a block can still hold the last part of an answer, or its first part at its end: the carry
 * sees to these.
 */
#include "rtl/run_limits.h"
#include "rtl/runs_tree.h"

typedef struct search {
    const rt_runs_t *runs;
    rt_runs_want_t   want;     /* normalised */
    int32_t          order;    /* a span of smaller order has no answer inside */
    bool             anywhere; /* neither align nor boundary */
} search_t;

static inline uint64_t allowed_start(const search_t *q, uint64_t unit) { return q->anywhere ? unit : rt_allowed_start(&q->want, unit); }

/* The lowest allowed start in the free units [from, end) with room for count, or RT_RUNS_NONE. */
static inline uint64_t room_in(const search_t *q, uint64_t from, uint64_t end)
{
    uint64_t at = allowed_start(q, from);
    return at + q->want.count <= end ? at : RT_RUNS_NONE;
}

/* Runs inside one word; `free` begins at unit `base`. */
static uint64_t find_in_word(const search_t *q, uint64_t base, uint64_t free)
{
    if (q->want.count > 64)
        return RT_RUNS_NONE;
    uint64_t starts = run_starts(free, (uint32_t)q->want.count);
    while (starts != 0) {
        uint64_t at = base + (uint32_t)__builtin_ctzll(starts), allowed = allowed_start(q, at);
        if (allowed == at)
            return at;
        if (allowed - base >= 64)
            break;
        starts &= UINT64_MAX << (allowed - base);
    }
    return RT_RUNS_NONE;
}

/* Runs inside one leaf that begin at `from` or later: the walk again, with words for nodes. */
static uint64_t find_in_leaf(const search_t *q, uint64_t leaf, uint64_t from)
{
    uint64_t end = (leaf << LEAF_SHIFT) + node_span(q->runs, 0, leaf), carry = 0, at;
    for (uint64_t base = from & ~UINT64_C(63); base < end; base += 64) {
        uint64_t free = free_word(q->runs, base >> 6);
        if (base < from)
            free &= UINT64_MAX << (from & 63);
        if (carry + bits_at_start(free) >= q->want.count) {
            at = room_in(q, base - carry, base + bits_at_start(free));
            if (at != RT_RUNS_NONE)
                return at;
        }
        if (free == UINT64_MAX) {
            carry += 64;
            continue;
        }
        at = find_in_word(q, base, free);
        if (at != RT_RUNS_NONE)
            return at;
        carry = bits_at_end(free);
    }
    return RT_RUNS_NONE;
}

/* Passes nodes of full span in which nothing ends and nothing begins that is long enough: the first other one, or end. This loop is where a
 * search spends its time, so it exists for each of the two node formats and looks at nothing else. */
#define DEFINE_PASS_IDLE(name, node_type) \
    static inline uint64_t name(const node_type *nodes, uint64_t index, uint64_t end, uint64_t span, uint64_t count, uint64_t *carry) \
    { \
        uint64_t behind = *carry; \
        if (count <= span) { \
            for (; index < end && behind + span - nodes[index].start < count && span - nodes[index].longest < count; index++) \
                behind = span - nodes[index].end; \
        } else { \
            for (; index < end && behind + span - nodes[index].start < count; index++) \
                behind = nodes[index].start == 0 ? behind + span : span - nodes[index].end; \
        } \
        *carry = behind; \
        return index; \
    }
DEFINE_PASS_IDLE(pass_idle_narrow, narrow_node_t)
DEFINE_PASS_IDLE(pass_idle_wide, wide_node_t)

static inline uint64_t pass_idle(const search_t *q, uint32_t level, uint64_t index, uint64_t end, uint64_t *carry)
{
    const void *nodes = q->runs->level[level];
    uint64_t    span = UINT64_C(1) << span_shift(level);
    return level < NARROW_LEVELS ? pass_idle_narrow(nodes, index, end, span, q->want.count, carry)
                                 : pass_idle_wide(nodes, index, end, span, q->want.count, carry);
}

/* What lies between the units before a node and the end of those at its start, if the limits leave room in it. */
static inline uint64_t find_in_prefix(const search_t *q, uint64_t base, uint64_t carry, uint64_t start)
{
    return carry + start >= q->want.count ? room_in(q, base - carry, base + start) : RT_RUNS_NONE;
}

/* From the start of leaf `index` to the right; the `carry` units before it are free. */
static uint64_t find_from(const search_t *q, uint64_t index, uint64_t carry)
{
    const rt_runs_t *runs = q->runs;
    uint32_t         level = 0, top = runs->level_count - 1;
    while (index < runs->level_nodes[level]) {
        for (; index % FAN == 0 && level < top; index /= FAN) /* on a first child: the parent speaks for it and its siblings */
            level++;
        for (bool down = true; down;) {
            uint64_t last = runs->level_nodes[level] - 1, end = (index | (FAN - 1)) + 1;
            index = pass_idle(q, level, index, end < last ? end : last, &carry); /* the last may be short: it is always looked at */
            if (index == end)
                break;
            uint64_t  base = index << span_shift(level), span = node_span(runs, level, index), at;
            summary_t node = node_load(runs, level, index, span);
            if (base >= q->want.high)
                return RT_RUNS_NONE;
            at = find_in_prefix(q, base, carry, node.start);
            down = node.start != span && node.longest >= q->want.count && node.order >= q->order;
            if (at == RT_RUNS_NONE && down && level == 0)
                at = find_in_leaf(q, index, base);
            if (at != RT_RUNS_NONE)
                return at;
            down = down && level > 0;
            if (down) {
                level--;
                index *= FAN;
            } else {
                carry = node.start == span ? carry + span : node.end;
                index++;
            }
        }
    }
    return RT_RUNS_NONE;
}

static uint64_t find_at_or_after_low(const search_t *q)
{
    uint64_t leaf = q->want.low >> LEAF_SHIFT, base = leaf << LEAF_SHIFT;
    if (q->want.low == base)
        return find_from(q, leaf, 0);
    uint64_t  span = node_span(q->runs, 0, leaf), behind = base + span - q->want.low;
    summary_t node = node_load(q->runs, 0, leaf, span);
    if (node.longest >= q->want.count && node.order >= q->order) {
        uint64_t at = find_in_leaf(q, leaf, q->want.low);
        if (at != RT_RUNS_NONE)
            return at;
    }
    return find_from(q, leaf + 1, node.end < behind ? node.end : behind);
}

/* The largest k such that every answer begins with a free block of 2^k units at a multiple of 2^k, counted from unit 0. */
static int32_t order_needed(const rt_runs_want_t *want)
{
    uint64_t align = want->align, origin_align = want->origin & -want->origin;
    if (want->count == want->boundary && align < want->boundary)
        align = want->boundary; /* it fits only from one multiple to the next */
    if (origin_align != 0 && align > origin_align)
        align = origin_align;
    uint32_t by_align = floor_log2(align), by_count = floor_log2(want->count);
    return (int32_t)(by_align < by_count ? by_align : by_count);
}

/**
 * The lowest run of want->count free units inside the limits of `want`; changes nothing but summaries.
 *
 * @return its first unit, or RT_RUNS_NONE when there is none (always for count 0, an empty window, a boundary smaller than count)
 */
uint64_t rt_runs_find(rt_runs_t *runs, const rt_runs_want_t *want)
{
    search_t q = { .runs = runs, .want = *want };
    if (!rt_want_normalise(&q.want, runs->unit_count))
        return RT_RUNS_NONE;
    q.anywhere = q.want.align == 1 && q.want.boundary == 0;
    q.order = q.anywhere ? 0 : order_needed(&q.want);
    if (runs_are_dirty(runs))
        rt_runs_repair(runs);
    summary_t root = node_load(runs, runs->level_count - 1, 0, runs->unit_count);
    if (root.longest < q.want.count || root.order < q.order)
        return RT_RUNS_NONE;
    uint64_t at = find_at_or_after_low(&q);
    return at != RT_RUNS_NONE && at + q.want.count <= q.want.high ? at : RT_RUNS_NONE;
}
