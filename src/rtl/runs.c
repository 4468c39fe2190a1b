/*
 * runs.c - the run index: its memory, taking and giving, single units.
 * Everything here works on the bitmap and on what must follow it at once; summaries are only marked as out of date (runs_summary.c brings
 * them up to date, runs_find.c searches them).
 *
 *     take, give ---> used      one bit a unit
 *                     full      64-ary: which words of `used` are all ones, which words of those are ... : the way to the next free unit
 *                     dirty     64-ary: leaves to summarise again before the next search
 *                     touched   64-ary: leaves that reset has to clear
 *
 * Units       units at the interface; words of 64 units and leaves of 512 inside.
 * Invariants  1 free_count == unit_count - bits set in used
 *             2 a bit of full level 0 is set <=> the units of that word are all used; likewise level by level
 *             3 every word before first_gap is full
 *             4 a leaf that is neither dirty nor correctly summarised does not exist
 *             5 a leaf with any byte not zero, in the bitmap or above it, is touched          (rt_runs_check verifies all five)
 */
#include "rtl/runs_tree.h"

#define ALIGNMENT 64u /* one cache line */
#define MOST_UNITS (UINT64_C(1) << (LEAF_SHIFT + FAN_SHIFT * (RT_RUNS_LEVELS - 1)))

/* ---- the layout of the caller's memory ---- */

static uint64_t words_for(uint64_t bits) { return (bits + 63) / 64; }

/* Hands out the next bytes of the caller's memory; `base` 0 only counts. */
static void *carve(uintptr_t base, size_t *offset, uint64_t bytes)
{
    void *at = base == 0 ? NULL : (void *)(base + *offset); /* NOLINT: an address inside the caller's array */
    *offset += (size_t)((bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1));
    return at;
}

static void lay_out_set(rt_runs_set_t *set, uint64_t members, uintptr_t base, size_t *offset)
{
    uint64_t words = members;
    set->level_count = 0;
    do {
        words = words_for(words);
        set->level[set->level_count++] = carve(base, offset, words * sizeof(uint64_t));
    } while (words > 1);
}

static void lay_out_full(rt_runs_t *runs, uintptr_t base, size_t *offset)
{
    uint64_t bits = words_for(runs->unit_count);
    runs->full_count = 0;
    for (bool more = true; more; bits = words_for(bits)) {
        runs->full_bits[runs->full_count] = bits;
        runs->full[runs->full_count++] = carve(base, offset, words_for(bits) * sizeof(uint64_t));
        more = bits > 64;
    }
}

static void lay_out_levels(rt_runs_t *runs, uint64_t leaves, uintptr_t base, size_t *offset)
{
    runs->level_count = 0;
    for (uint64_t nodes = leaves;; nodes = (nodes + FAN - 1) / FAN) {
        uint32_t level = runs->level_count++;
        runs->level_nodes[level] = nodes;
        runs->level[level] = carve(base, offset, nodes * (level < NARROW_LEVELS ? sizeof(narrow_node_t) : sizeof(wide_node_t)));
        if (nodes == 1)
            break;
    }
}

/* Returns the bytes used. */
static size_t lay_out(rt_runs_t *runs, uint64_t unit_count, uintptr_t base)
{
    size_t   offset = 0;
    uint64_t leaves = (unit_count + RT_RUNS_LEAF - 1) / RT_RUNS_LEAF;
    NTMM_INVARIANT(unit_count >= 1 && unit_count <= MOST_UNITS, "a run index has 1 to 2^42 units");
    *runs = (rt_runs_t){ .unit_count = unit_count, .free_count = unit_count };
    runs->used = carve(base, &offset, leaves * LEAF_WORDS * sizeof(uint64_t));
    lay_out_levels(runs, leaves, base, &offset);
    lay_out_full(runs, base, &offset);
    lay_out_set(&runs->dirty, leaves, base, &offset);
    lay_out_set(&runs->touched, leaves, base, &offset);
    return offset;
}

/** Bytes of zero memory that an index over unit_count units needs, wherever they begin. */
size_t rt_runs_bytes(uint64_t unit_count)
{
    rt_runs_t runs;
    return lay_out(&runs, unit_count, 0) + ALIGNMENT;
}

/** An index with every unit free. Reads and writes nothing of zero_bytes. */
void rt_runs_init(rt_runs_t *runs, uint64_t unit_count, void *zero_bytes)
{
    lay_out(runs, unit_count, ((uintptr_t)zero_bytes + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));
}

/* ---- 64-ary sets ---- */

static inline void set_add(rt_runs_set_t *set, uint64_t member)
{
    for (uint32_t k = 0; k < set->level_count; k++) {
        uint64_t *word = &set->level[k][member >> 6], before = *word;
        *word = before | UINT64_C(1) << (member & 63);
        if (NTMM_LIKELY(before != 0))
            return;
        member >>= 6;
    }
}

/* The smallest member >= from, or RT_RUNS_NONE. `words` is how many words level 0 has. */
static uint64_t set_next(const rt_runs_set_t *set, uint64_t from, uint64_t words)
{
    for (uint32_t k = 0; k < set->level_count && from >> 6 < words; k++, words = words_for(words)) {
        uint64_t bits = set->level[k][from >> 6] & UINT64_MAX << (from & 63);
        if (bits == 0) {
            from = (from >> 6) + 1;
            continue;
        }
        for (from = (from & ~UINT64_C(63)) + (uint32_t)__builtin_ctzll(bits); k > 0; k--)
            from = from * 64 + (uint32_t)__builtin_ctzll(set->level[k - 1][from]);
        return from;
    }
    return RT_RUNS_NONE;
}

/* ---- the words that are full ---- */

static inline void full_set(rt_runs_t *runs, uint64_t word)
{
    for (uint32_t k = 0; k < runs->full_count; k++, word >>= 6) {
        uint64_t *w = &runs->full[k][word >> 6];
        *w |= UINT64_C(1) << (word & 63);
        if (NTMM_LIKELY(*w != valid_bits(runs->full_bits[k], word >> 6)))
            return;
    }
}

static inline void full_clear(rt_runs_t *runs, uint64_t word)
{
    for (uint32_t k = 0; k < runs->full_count; k++, word >>= 6) {
        uint64_t *w = &runs->full[k][word >> 6], before = *w;
        *w = before & ~(UINT64_C(1) << (word & 63));
        if (NTMM_LIKELY(before != valid_bits(runs->full_bits[k], word >> 6)))
            return;
    }
}

/* The lowest word of the bitmap >= from that is not full, or RT_RUNS_NONE: up to the first word of `full` with a gap, then down. */
static uint64_t next_gap(const rt_runs_t *runs, uint64_t from)
{
    for (uint32_t k = 0; k < runs->full_count && from < runs->full_bits[k]; k++) {
        uint64_t gaps = ~runs->full[k][from >> 6] & valid_bits(runs->full_bits[k], from >> 6) & UINT64_MAX << (from & 63);
        if (gaps == 0) {
            from = (from >> 6) + 1;
            continue;
        }
        for (from = (from & ~UINT64_C(63)) + (uint32_t)__builtin_ctzll(gaps); k > 0; k--)
            from = from * 64 + (uint32_t)__builtin_ctzll(~runs->full[k - 1][from]);
        return from;
    }
    return RT_RUNS_NONE;
}

/* ---- taking and giving ---- */

static inline void leaf_changed(rt_runs_t *runs, uint64_t leaf)
{
    if ((runs->dirty.level[0][leaf >> 6] >> (leaf & 63) & 1) == 0)
        set_add(&runs->dirty, leaf);
}

static inline void word_take(rt_runs_t *runs, uint64_t word, uint64_t bits)
{
    uint64_t now = runs->used[word] | bits, leaf = word / LEAF_WORDS;
    runs->used[word] = now;
    if (now == valid_bits(runs->unit_count, word))
        full_set(runs, word);
    if ((runs->touched.level[0][leaf >> 6] >> (leaf & 63) & 1) == 0)
        set_add(&runs->touched, leaf);
    leaf_changed(runs, leaf);
}

static inline void word_give(rt_runs_t *runs, uint64_t word, uint64_t bits)
{
    uint64_t before = runs->used[word];
    runs->used[word] = before & ~bits;
    if (before == valid_bits(runs->unit_count, word)) {
        full_clear(runs, word);
        if (word < runs->first_gap)
            runs->first_gap = word;
    }
    leaf_changed(runs, word / LEAF_WORDS);
}

/* The bits of `unit`'s word that lie in [unit, end). */
static inline uint64_t bits_of_range(uint64_t unit, uint64_t end)
{
    uint64_t word_end = (unit | 63) + 1, bits = UINT64_MAX << (unit & 63);
    return end >= word_end ? bits : bits & ((UINT64_C(1) << (end & 63)) - 1);
}

static inline void check_range(const rt_runs_t *runs, uint64_t start, uint64_t count)
{
    NTMM_INVARIANT(start <= runs->unit_count && count <= runs->unit_count - start, "a run lies inside its index");
}

void rt_runs_take(rt_runs_t *runs, uint64_t start, uint64_t count)
{
    check_range(runs, start, count);
    for (uint64_t unit = start; unit < start + count; unit = (unit | 63) + 1) {
        uint64_t bits = bits_of_range(unit, start + count);
        NTMM_INVARIANT((runs->used[unit >> 6] & bits) == 0, "a unit is free before it is taken");
        word_take(runs, unit >> 6, bits);
    }
    runs->free_count -= count;
}

void rt_runs_give(rt_runs_t *runs, uint64_t start, uint64_t count)
{
    check_range(runs, start, count);
    for (uint64_t unit = start; unit < start + count; unit = (unit | 63) + 1) {
        uint64_t bits = bits_of_range(unit, start + count);
        NTMM_INVARIANT((runs->used[unit >> 6] & bits) == bits, "a unit is used before it is given");
        word_give(runs, unit >> 6, bits);
    }
    runs->free_count += count;
}

bool rt_runs_is_free(const rt_runs_t *runs, uint64_t unit)
{
    return unit < runs->unit_count && (runs->used[unit >> 6] >> (unit & 63) & 1) == 0;
}

/* ---- single units ---- */

uint64_t rt_runs_next_free(const rt_runs_t *runs, uint64_t from)
{
    if (from < runs->first_gap * 64)
        from = runs->first_gap * 64;
    if (from >= runs->unit_count)
        return RT_RUNS_NONE;
    uint64_t word = from >> 6, bits = free_word(runs, word) & UINT64_MAX << (from & 63);
    if (bits == 0) {
        word = next_gap(runs, word + 1);
        if (word == RT_RUNS_NONE)
            return RT_RUNS_NONE;
        bits = free_word(runs, word);
    }
    return word * 64 + (uint32_t)__builtin_ctzll(bits);
}

/* Only touched leaves can hold a used unit, so the rest is not even read. */
uint64_t rt_runs_next_used(const rt_runs_t *runs, uint64_t from)
{
    uint64_t leaf_words = words_for(runs->level_nodes[0]);
    while (from < runs->unit_count) {
        uint64_t leaf = set_next(&runs->touched, from >> LEAF_SHIFT, leaf_words);
        if (leaf == RT_RUNS_NONE)
            break;
        if (from < leaf << LEAF_SHIFT)
            from = leaf << LEAF_SHIFT;
        for (uint64_t end = (leaf + 1) << LEAF_SHIFT; from < end; from = (from | 63) + 1) {
            uint64_t bits = runs->used[from >> 6] & UINT64_MAX << (from & 63);
            if (bits != 0)
                return (from & ~UINT64_C(63)) + (uint32_t)__builtin_ctzll(bits);
        }
    }
    return runs->unit_count;
}

uint32_t rt_runs_take_singles(rt_runs_t *runs, uint64_t low, uint64_t high, uint64_t *units, uint32_t most)
{
    uint32_t taken = 0;
    if (high > runs->unit_count)
        high = runs->unit_count;
    while (taken < most) {
        bool     from_first_gap = low <= runs->first_gap * 64;
        uint64_t word, bits = 0;
        low = rt_runs_next_free(runs, low);
        if (low >= high) /* RT_RUNS_NONE too */
            break;
        word = low >> 6;
        if (from_first_gap)
            runs->first_gap = word;
        for (uint64_t left = free_word(runs, word) & bits_of_range(low, high); left != 0 && taken < most; left &= left - 1) {
            units[taken++] = word * 64 + (uint32_t)__builtin_ctzll(left);
            bits |= left & -left;
        }
        word_take(runs, word, bits);
        low = (low | 63) + 1;
    }
    runs->free_count -= taken;
    return taken;
}

/* ---- what was touched ---- */

void rt_runs_visit_touched(rt_runs_t *runs, void (*visit)(void *context, uint64_t first_unit, uint64_t unit_count), void *context)
{
    uint64_t words = words_for(runs->level_nodes[0]);
    for (uint64_t leaf = set_next(&runs->touched, 0, words); leaf != RT_RUNS_NONE; leaf = set_next(&runs->touched, leaf + 1, words))
        visit(context, leaf << LEAF_SHIFT, node_span(runs, 0, leaf));
}

/* Zeroes all that a leaf may have caused in the bitmap, in the summaries and in `full`, up to their roots. */
static void leaf_forget(rt_runs_t *runs, uint64_t leaf)
{
    memset(runs->used + leaf * LEAF_WORDS, 0, LEAF_WORDS * sizeof(uint64_t));
    for (uint32_t level = 0; level < runs->level_count; level++) {
        uint64_t index = leaf >> (FAN_SHIFT * level);
        if (level < NARROW_LEVELS)
            ((narrow_node_t *)runs->level[level])[index] = (narrow_node_t){ 0 };
        else
            ((wide_node_t *)runs->level[level])[index] = (wide_node_t){ 0 };
    }
    uint64_t index = leaf / (64 / LEAF_WORDS);
    for (uint32_t k = 0; k < runs->full_count; k++, index >>= 6)
        runs->full[k][index] = 0;
}

/* A leaf that is dirty is touched, so the two sets are walked as one. */
static void forget_below(rt_runs_t *runs, uint32_t k, uint64_t word)
{
    for (uint64_t members = runs->touched.level[k][word]; members != 0; members &= members - 1) {
        uint64_t member = word * 64 + (uint32_t)__builtin_ctzll(members);
        if (k == 0)
            leaf_forget(runs, member);
        else
            forget_below(runs, k - 1, member);
    }
    runs->touched.level[k][word] = runs->dirty.level[k][word] = 0;
}

void rt_runs_reset(rt_runs_t *runs)
{
    forget_below(runs, runs->touched.level_count - 1, 0);
    runs->free_count = runs->unit_count;
    runs->first_gap = 0;
}
