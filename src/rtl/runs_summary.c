/*
 * runs_summary.c - the summaries of the run index brought up to date, and checked.
 * A change of the bitmap marks its leaf dirty. A repair walks the 64-ary set of dirty leaves; one word of it is 64 leaves, which are 8
 * nodes of level 1 and one node of level 2, so each level of the set carries two levels of the tree, and every node above a dirty leaf is
 * made once:
 *
 *     set level 1    word w      : tree level 3, nodes 8w .. 8w+7, and level 4, node w
 *     set level 0    word v      : tree level 1, nodes 8v .. 8v+7, and level 2, node v
 *     leaves         64v .. 64v+63
 */
#include "rtl/runs_tree.h"

/* ---- one leaf ---- */

/* Free bits of the leaf, nothing beyond the index; how many words have any meaning. */
static uint32_t leaf_load(const rt_runs_t *runs, uint64_t leaf, uint64_t span, uint64_t free[LEAF_WORDS])
{
    const uint64_t *used = runs->used + leaf * LEAF_WORDS;
    uint32_t        words = (uint32_t)((span + 63) / 64);
    for (uint32_t k = 0; k < words; k++)
        free[k] = ~used[k];
    free[words - 1] &= valid_bits(span, words - 1);
    return words;
}

/* The longest run inside the word if it is longer than `best`, else best. The word is not free as a whole. */
static inline uint64_t longest_in_word(uint64_t free, uint64_t best)
{
    if (best >= 63)
        return best;
    uint64_t starts = run_starts(free, (uint32_t)best + 1);
    for (; starts != 0; starts &= free >> best)
        best++;
    return best;
}

/* The largest k such that 2^k free units begin at a multiple of 2^k, -1 for none: halves of blocks are merged as often as any are left. */
static inline int32_t order_of_word(uint64_t free)
{
    static const uint64_t STARTS[] = { 0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
                                       0x0001000100010001, 0x0000000100000001, 0x0000000000000001 };
    int32_t               order = -1;
    while (free != 0) {
        order++;
        if (order == 6)
            break;
        free &= free >> (1u << order) & STARTS[order];
    }
    return order;
}

/* Bit i of whole: child i has the full span and is all free, a block of child_order. The order of aligned groups of them, -1 for none. */
static inline int32_t order_of_group(uint32_t whole, int32_t child_order)
{
    uint32_t pairs = whole & whole >> 1 & 0x55, fours = pairs & pairs >> 2 & 0x11;
    if (fours == 0x11)
        return child_order + 3;
    return fours != 0 ? child_order + 2 : pairs != 0 ? child_order + 1 : whole != 0 ? child_order : -1;
}

static summary_t leaf_summarise(const rt_runs_t *runs, uint64_t leaf, uint64_t span)
{
    uint64_t  free[LEAF_WORDS], run = 0;
    uint32_t  words = leaf_load(runs, leaf, span, free), whole = 0;
    bool      at_start = true;
    int32_t   order;
    summary_t s = { 0, 0, 0, -1 };
    for (uint32_t k = 0; k < words; k++) {
        uint64_t bits = k * 64 + 64 <= span ? 64 : span - k * 64;
        if (free[k] == valid_bits(bits, 0)) { /* all of it */
            run += bits;
            whole |= (uint32_t)(bits == 64) << k;
            order = bits < 64 ? order_of_word(free[k]) : -1;
            s.order = order > s.order ? order : s.order;
            continue;
        }
        run += bits_at_start(free[k]);
        if (at_start)
            s.start = run;
        at_start = false;
        s.longest = longest_in_word(free[k], run > s.longest ? run : s.longest);
        order = order_of_word(free[k]);
        s.order = order > s.order ? order : s.order;
        run = bits_at_end(free[k] << (64 - bits));
    }
    int32_t group = order_of_group(whole, 6);
    return (summary_t){ at_start ? run : s.start, run > s.longest ? run : s.longest, run, group > s.order ? group : s.order };
}

/* ---- one node from its children ---- */

static summary_t node_summarise(const rt_runs_t *runs, uint32_t level, uint64_t index)
{
    uint64_t  first = index * FAN, end = first + FAN, run = 0;
    uint32_t  whole = 0;
    bool      at_start = true;
    summary_t s = { 0, 0, 0, -1 };
    if (end > runs->level_nodes[level - 1])
        end = runs->level_nodes[level - 1];
    for (uint64_t i = first; i < end; i++) {
        uint64_t  span = node_span(runs, level - 1, i);
        summary_t c = node_load(runs, level - 1, i, span);
        if (s.order < c.order)
            s.order = c.order;
        if (c.start == span) {
            run += span;
            whole |= (uint32_t)(span >> span_shift(level - 1)) << (i - first);
            continue;
        }
        run += c.start;
        if (at_start)
            s.start = run;
        at_start = false;
        if (run > s.longest)
            s.longest = run;
        if (c.longest > s.longest)
            s.longest = c.longest;
        run = c.end;
    }
    int32_t group = order_of_group(whole, (int32_t)span_shift(level - 1));
    return (summary_t){ at_start ? run : s.start, run > s.longest ? run : s.longest, run, group > s.order ? group : s.order };
}

/* ---- repair ---- */

static bool leaf_repair(rt_runs_t *runs, uint64_t leaf)
{
    uint64_t span = node_span(runs, 0, leaf);
    return node_store(runs, 0, leaf, span, leaf_summarise(runs, leaf, span));
}

static bool node_repair(rt_runs_t *runs, uint32_t level, uint64_t index)
{
    return level < runs->level_count && node_store(runs, level, index, node_span(runs, level, index), node_summarise(runs, level, index));
}

/* Returns whether the node above all this, node `word` of level 2k + 2, changed: most changes end after a level or two. */
static bool repair_below(rt_runs_t *runs, uint32_t k, uint64_t word)
{
    bool changed = false;
    for (uint64_t dirty = runs->dirty.level[k][word]; dirty != 0;) {
        uint32_t group = (uint32_t)__builtin_ctzll(dirty) / FAN, members = (uint32_t)(dirty >> (group * FAN)) & ((1u << FAN) - 1);
        uint64_t first = word * 64 + group * FAN;
        bool     below = false;
        dirty &= ~((uint64_t)((1u << FAN) - 1) << (group * FAN));
        for (; members != 0; members &= members - 1) {
            uint64_t member = first + (uint32_t)__builtin_ctz(members);
            below |= k == 0 ? leaf_repair(runs, member) : repair_below(runs, k - 1, member);
        }
        changed |= below && node_repair(runs, 2 * k + 1, first / FAN);
    }
    runs->dirty.level[k][word] = 0;
    return changed && node_repair(runs, 2 * k + 2, word);
}

void rt_runs_repair(rt_runs_t *runs)
{
    if (runs_are_dirty(runs))
        repair_below(runs, runs->dirty.level_count - 1, 0);
}

/* ---- check ---- */

static bool same(summary_t a, summary_t b) { return a.start == b.start && a.longest == b.longest && a.end == b.end && a.order == b.order; }

static bool check_bitmap(const rt_runs_t *runs, const char **what)
{
    uint64_t used = 0, words = runs->level_nodes[0] * LEAF_WORDS;
    for (uint64_t w = 0; w < words; w++) {
        uint64_t bits = runs->used[w], valid = w * 64 < runs->unit_count ? valid_bits(runs->unit_count, w) : 0, leaf = w / LEAF_WORDS;
        *what = "run index: a unit beyond the end is marked";
        if ((bits & ~valid) != 0)
            return false;
        *what = "run index: a word in use is not in the set of full words, or the other way round";
        if (valid != 0 && (runs->full[0][w >> 6] >> (w & 63) & 1) != (bits == valid))
            return false;
        *what = "run index: a word with a free unit lies before the first gap";
        if (w < runs->first_gap && bits != valid)
            return false;
        *what = "run index: a leaf in use is not in the set of touched leaves";
        if (bits != 0 && (runs->touched.level[0][leaf >> 6] >> (leaf & 63) & 1) == 0)
            return false;
        used += (uint64_t)__builtin_popcountll(bits);
    }
    *what = "run index: the count of free units is wrong";
    return runs->free_count == runs->unit_count - used;
}

static bool check_above(const rt_runs_t *runs, const char **what)
{
    *what = "run index: the levels of the set of full words disagree";
    for (uint32_t k = 1; k < runs->full_count; k++)
        for (uint64_t i = 0; i < runs->full_bits[k]; i++)
            if ((runs->full[k][i >> 6] >> (i & 63) & 1) != (runs->full[k - 1][i] == valid_bits(runs->full_bits[k - 1], i)))
                return false;
    *what = "run index: the levels of the set of touched leaves disagree";
    uint64_t words = (runs->level_nodes[0] + 63) / 64;
    for (uint32_t k = 1; k < runs->touched.level_count; k++, words = (words + 63) / 64)
        for (uint64_t i = 0; i < words; i++)
            if ((runs->touched.level[k][i >> 6] >> (i & 63) & 1) != (runs->touched.level[k - 1][i] != 0))
                return false;
    return true;
}

static bool check_summaries(const rt_runs_t *runs, const char **what)
{
    *what = "run index: the summary of a span disagrees with its units";
    for (uint32_t level = 0; level < runs->level_count; level++)
        for (uint64_t i = 0; i < runs->level_nodes[level]; i++) {
            uint64_t  span = node_span(runs, level, i);
            summary_t s = level == 0 ? leaf_summarise(runs, i, span) : node_summarise(runs, level, i);
            if (!same(s, node_load(runs, level, i, span)))
                return false;
        }
    return true;
}

bool rt_runs_check(rt_runs_t *runs, const char **what)
{
    rt_runs_repair(runs);
    if (!check_bitmap(runs, what) || !check_above(runs, what) || !check_summaries(runs, what))
        return false;
    *what = NULL;
    return true;
}

uint64_t rt_runs_longest(rt_runs_t *runs)
{
    uint32_t root = runs->level_count - 1;
    rt_runs_repair(runs);
    return node_load(runs, root, 0, runs->unit_count).longest;
}
