/*
 * policy_buddy.c - the page-run policy of binary buddies: free units lie in blocks of 2^order units at multiples of 2^order.
 * Each order has its list of free blocks.
 *
 *     find    a block of the smallest order that holds the request       O(orders) without limits
 *     take    removes the block; what is left on either side goes back as smaller blocks
 *     give    merges a block with its buddy (the number with bit `order` flipped) as long as that one is free too
 *
 *     order 3    [               block               ]
 *     order 2    [      taken      ] [      free     ]      take(2 of 8 units): 2 taken, blocks of order 1 and 2 left
 *     order 1    [ taken ] [ free  ]
 *
 * What it cannot do: use a free run that is long enough but not aligned, answer more than 2^18 units, or steer by low, high and align:
 * those it meets only by trying one block after the other. A request is rounded up to a power of two to find its block, but only the units
 * asked for are taken. Blocks are aligned by absolute number (origin counts), so that a block of 2^k satisfies an alignment of 2^k.
 *
 * Zero bytes mean that everything is free: a top block (2^18 units, less at the ends of the space) that is free as a whole is on no list.
 * Its bit in `broken` is 0; taking from it sets the bit and lists the rest, and a full-sized one that merges back clears it.
 *
 * Units       block numbers are units; in lists unit + 1, so that 0 ends them.
 * Invariants  1 the blocks on the lists and the unbroken top blocks are exactly the free units of the record (runs)
 *             2 order_of[u] == order + 1 for the first unit of a listed block, 0 for every other unit
 *             3 no listed block has a listed buddy of its order                                          (buddy_check verifies all three)
 */
#include "rtl/run_policy.h"

#include <string.h>

#include "rtl/run_limits.h"

#define TOP_ORDER 18u
#define TOP_UNITS (UINT64_C(1) << TOP_ORDER)
#define MOST_UNITS (UINT64_C(0xFFFFFFFE)) /* list links are 32 bits */

/* Where the parts of the private memory are: found again at each call, so that only lists and marks are kept in it. */
typedef struct buddy {
    rt_run_space_t *space;
    uint64_t        unit_count;
    uint64_t        bias; /* unit + bias is the number that blocks are aligned by */
    uint64_t        top_count;
    uint64_t       *head;        /* [TOP_ORDER] first block of each list, + 1 */
    uint64_t       *broken;      /* one bit a top block */
    uint8_t        *order_of;    /* [unit_count] */
    uint32_t       *next, *prev; /* [unit_count] + 1 */
} buddy_t;

static size_t padded(uint64_t bytes) { return (size_t)((bytes + 63) & ~UINT64_C(63)); }
static size_t broken_words(uint64_t unit_count) { return (size_t)((unit_count >> TOP_ORDER) + 2 + 63) / 64; }

static size_t head_bytes(void) { return padded(TOP_ORDER * sizeof(uint64_t)); }

static buddy_t buddy_of(rt_run_space_t *space)
{
    uint8_t *at = space->extra;
    buddy_t  b = { .space = space, .unit_count = space->unit_count, .bias = space->origin & (TOP_UNITS - 1) };
    b.top_count = (b.bias + b.unit_count + TOP_UNITS - 1) >> TOP_ORDER;
    b.head = (uint64_t *)(void *)at;
    at += head_bytes();
    b.broken = (uint64_t *)(void *)at;
    at += padded(broken_words(b.unit_count) * sizeof(uint64_t));
    b.next = (uint32_t *)(void *)at;
    at += padded(b.unit_count * sizeof(uint32_t));
    b.prev = (uint32_t *)(void *)at;
    at += padded(b.unit_count * sizeof(uint32_t));
    b.order_of = at;
    return b;
}

static size_t buddy_bytes(uint64_t unit_count)
{
    return padded(rt_runs_bytes(unit_count)) + head_bytes() + padded(broken_words(unit_count) * sizeof(uint64_t)) +
           2 * padded(unit_count * sizeof(uint32_t)) + padded(unit_count) + 64;
}

static void buddy_init(rt_run_space_t *space)
{
    NTMM_INVARIANT(space->unit_count <= MOST_UNITS, "buddy lists have 32-bit links");
    uintptr_t base = ((uintptr_t)space->private_bytes + 63) & ~(uintptr_t)63;
    rt_runs_init(&space->runs, space->unit_count, (void *)base);
    space->extra = (void *)(base + padded(rt_runs_bytes(space->unit_count)));
    space->free_count = space->unit_count;
}

/* ---- lists ---- */

static void list_insert(buddy_t *b, uint64_t unit, uint32_t order)
{
    uint64_t first = b->head[order];
    b->order_of[unit] = (uint8_t)(order + 1);
    b->next[unit] = (uint32_t)first;
    b->prev[unit] = 0;
    if (first != 0)
        b->prev[first - 1] = (uint32_t)unit + 1;
    b->head[order] = unit + 1;
}

static void list_remove(buddy_t *b, uint64_t unit, uint32_t order)
{
    uint32_t next = b->next[unit], prev = b->prev[unit];
    if (prev != 0)
        b->next[prev - 1] = next;
    else
        b->head[order] = next;
    if (next != 0)
        b->prev[next - 1] = prev;
    b->next[unit] = b->prev[unit] = 0;
    b->order_of[unit] = 0;
}

/* ---- blocks ---- */

/* The largest block that begins at unit and ends at `end` or before. */
static uint32_t largest_order(const buddy_t *b, uint64_t unit, uint64_t end)
{
    uint64_t number = unit + b->bias;
    uint32_t by_place = number == 0 ? TOP_ORDER : (uint32_t)__builtin_ctzll(number);
    uint32_t by_count = 63u - (uint32_t)__builtin_clzll(end - unit);
    uint32_t order = by_place < by_count ? by_place : by_count;
    return order < TOP_ORDER ? order : TOP_ORDER;
}

/* [unit, end) is free, part of a block that was just broken up: nothing can merge. */
static void list_range(buddy_t *b, uint64_t unit, uint64_t end)
{
    while (unit < end) {
        uint32_t order = largest_order(b, unit, end);
        list_insert(b, unit, order);
        unit += UINT64_C(1) << order;
    }
}

static bool is_broken(const buddy_t *b, uint64_t top) { return (b->broken[top >> 6] >> (top & 63) & 1) != 0; }

/* The units of a top block that exist. */
static uint64_t top_start(const buddy_t *b, uint64_t top) { return top == 0 ? 0 : (top << TOP_ORDER) - b->bias; }
static uint64_t top_end(const buddy_t *b, uint64_t top)
{
    uint64_t end = ((top + 1) << TOP_ORDER) - b->bias;
    return end < b->unit_count ? end : b->unit_count;
}

/* Takes [unit, end) out of the free block that holds `unit`; the end of what was taken, which is the block's if `end` lies beyond. */
static uint64_t take_from_block(buddy_t *b, uint64_t unit, uint64_t end)
{
    uint64_t top = (unit + b->bias) >> TOP_ORDER, start = top_start(b, top), block_end = top_end(b, top);
    if (!is_broken(b, top)) {
        b->broken[top >> 6] |= UINT64_C(1) << (top & 63);
    } else {
        uint32_t order = 0;
        for (bool found = false; !found; order++) {
            NTMM_INVARIANT(order < TOP_ORDER, "a unit is free before it is taken");
            start = (unit + b->bias) >> order << order; /* aligned number; below bias there are no units */
            found = start >= b->bias && b->order_of[start - b->bias] == order + 1;
        }
        start -= b->bias;
        block_end = start + (UINT64_C(1) << --order);
        list_remove(b, start, order);
    }
    if (end > block_end)
        end = block_end;
    list_range(b, start, unit);
    list_range(b, end, block_end);
    return end;
}

static void give_block(buddy_t *b, uint64_t unit, uint32_t order)
{
    for (; order < TOP_ORDER; order++) {
        uint64_t number = (unit + b->bias) ^ UINT64_C(1) << order;
        if (number < b->bias || number - b->bias >= b->unit_count || b->order_of[number - b->bias] != order + 1)
            break;
        list_remove(b, number - b->bias, order);
        if (number - b->bias < unit)
            unit = number - b->bias;
    }
    uint64_t top = (unit + b->bias) >> TOP_ORDER;
    if (order == TOP_ORDER)
        b->broken[top >> 6] &= ~(UINT64_C(1) << (top & 63));
    else
        list_insert(b, unit, order);
}

/* ---- the policy ---- */

static void buddy_take(rt_run_space_t *space, uint64_t start, uint64_t count)
{
    buddy_t b = buddy_of(space);
    rt_runs_take(&space->runs, start, count);
    for (uint64_t unit = start; unit < start + count;)
        unit = take_from_block(&b, unit, start + count);
    space->free_count -= count;
}

static void buddy_give(rt_run_space_t *space, uint64_t start, uint64_t count)
{
    buddy_t b = buddy_of(space);
    rt_runs_give(&space->runs, start, count);
    for (uint64_t unit = start; unit < start + count;) {
        uint32_t order = largest_order(&b, unit, start + count);
        give_block(&b, unit, order);
        unit += UINT64_C(1) << order;
    }
    space->free_count += count;
}

/* The lowest block of `units` (a power of two) inside the free block [start, end) that the limits allow, or RT_RUNS_NONE. */
static uint64_t try_block(const buddy_t *b, const rt_runs_want_t *w, uint64_t units, uint64_t start, uint64_t end)
{
    uint64_t from = start > w->low ? start : w->low, step = w->align > units ? w->align : units;
    uint64_t at = rt_round_up(from + b->space->origin, step) - b->space->origin;
    return at + units <= end && at + w->count <= w->high && rt_allowed_start(w, at) == at ? at : RT_RUNS_NONE;
}

static uint64_t find_on_lists(const buddy_t *b, const rt_runs_want_t *w, uint32_t order)
{
    for (uint32_t k = order; k < TOP_ORDER; k++)
        for (uint64_t link = b->head[k]; link != 0; link = b->next[link - 1]) {
            uint64_t at = try_block(b, w, UINT64_C(1) << order, link - 1, link - 1 + (UINT64_C(1) << k));
            if (at != RT_RUNS_NONE)
                return at;
        }
    return RT_RUNS_NONE;
}

static uint64_t find_in_tops(const buddy_t *b, const rt_runs_want_t *w, uint32_t order)
{
    uint64_t last = (w->high - 1 + b->bias) >> TOP_ORDER;
    for (uint64_t top = (w->low + b->bias) >> TOP_ORDER; top <= last; top++) {
        uint64_t at = is_broken(b, top) ? RT_RUNS_NONE : try_block(b, w, UINT64_C(1) << order, top_start(b, top), top_end(b, top));
        if (at != RT_RUNS_NONE)
            return at;
    }
    return RT_RUNS_NONE;
}

static uint64_t buddy_find(rt_run_space_t *space, const rt_runs_want_t *want)
{
    buddy_t        b = buddy_of(space);
    rt_runs_want_t w = *want;
    if (!rt_want_normalise(&w, space->unit_count) || w.count > TOP_UNITS)
        return RT_RUNS_NONE;
    uint32_t order = w.count == 1 ? 0 : 64u - (uint32_t)__builtin_clzll(w.count - 1);
    uint64_t at = find_on_lists(&b, &w, order);
    return at != RT_RUNS_NONE ? at : find_in_tops(&b, &w, order);
}

/* The first unbroken top block, or top_count. */
static uint64_t first_unbroken(const buddy_t *b)
{
    for (size_t word = 0; word < broken_words(b->unit_count); word++)
        if (b->broken[word] != UINT64_MAX) {
            uint64_t top = word * 64 + (uint32_t)__builtin_ctzll(~b->broken[word]);
            return top < b->top_count ? top : b->top_count;
        }
    return b->top_count;
}

/* The block that single units come from: the smallest there is, so that the large ones last. Its first unit; its end. */
static uint64_t smallest_block(const buddy_t *b, uint64_t *end)
{
    for (uint32_t order = 0; order < TOP_ORDER; order++)
        if (b->head[order] != 0) {
            *end = b->head[order] - 1 + (UINT64_C(1) << order);
            return b->head[order] - 1;
        }
    uint64_t top = first_unbroken(b);
    *end = top < b->top_count ? top_end(b, top) : 0;
    return top < b->top_count ? top_start(b, top) : RT_RUNS_NONE;
}

/* Without a window: from the smallest blocks, in list order. With one: the lowest units, each cut out of its block. */
static uint32_t buddy_take_singles(rt_run_space_t *space, uint64_t low, uint64_t high, uint64_t *units, uint32_t most)
{
    buddy_t  b = buddy_of(space);
    uint32_t taken = 0;
    if (low > 0 || high < space->unit_count) {
        taken = rt_runs_take_singles(&space->runs, low, high, units, most);
        for (uint32_t i = 0; i < taken; i++)
            take_from_block(&b, units[i], units[i] + 1);
        space->free_count -= taken;
        return taken;
    }
    while (taken < most) {
        uint64_t end, unit = smallest_block(&b, &end);
        if (unit == RT_RUNS_NONE)
            break;
        if (end > unit + (most - taken))
            end = unit + (most - taken);
        buddy_take(space, unit, end - unit);
        for (; unit < end; unit++)
            units[taken++] = unit;
    }
    return taken;
}

/* The largest block, the most that one request can get; not the longest run of free units. */
static uint64_t buddy_longest(rt_run_space_t *space)
{
    buddy_t  b = buddy_of(space);
    uint64_t longest = 0;
    for (uint64_t top = 0; top < b.top_count; top++)
        if (!is_broken(&b, top))
            for (uint64_t unit = top_start(&b, top), end = top_end(&b, top); unit < end;) {
                uint64_t units = UINT64_C(1) << largest_order(&b, unit, end);
                longest = units > longest ? units : longest;
                unit += units;
            }
    for (uint32_t order = TOP_ORDER; order-- > 0;)
        if (b.head[order] != 0 && longest < UINT64_C(1) << order)
            longest = UINT64_C(1) << order;
    return longest;
}

/* Every mark outside the record belongs to a block on a list, so the lists lead to all of them. */
static void buddy_reset(rt_run_space_t *space)
{
    buddy_t b = buddy_of(space);
    for (uint32_t order = 0; order < TOP_ORDER; order++)
        while (b.head[order] != 0)
            list_remove(&b, b.head[order] - 1, order);
    for (size_t word = 0; word < broken_words(b.unit_count); word++)
        if (b.broken[word] != 0)
            b.broken[word] = 0;
    rt_runs_reset(&space->runs);
    space->free_count = space->unit_count;
}

/* ---- check ---- */

static bool check_block(const buddy_t *b, uint64_t unit, uint32_t order, const char **what)
{
    uint64_t units = UINT64_C(1) << order, number = unit + b->bias, buddy = number ^ units;
    *what = "buddy policy: a block is on the wrong list, misplaced or past the end";
    if (unit >= b->unit_count || b->order_of[unit] != order + 1 || number % units != 0 || units > b->unit_count - unit)
        return false;
    *what = "buddy policy: a block is on the list of free blocks and a unit of it is used";
    if (rt_runs_next_used(&b->space->runs, unit) < unit + units || !is_broken(b, number >> TOP_ORDER))
        return false;
    *what = "buddy policy: a block and its buddy are both free and did not merge";
    return buddy < b->bias || buddy - b->bias >= b->unit_count || b->order_of[buddy - b->bias] != order + 1;
}

static bool buddy_check(rt_run_space_t *space, const char **what)
{
    buddy_t  b = buddy_of(space);
    uint64_t free = 0;
    if (!rt_policy_indexed.check(space, what))
        return false;
    for (uint32_t order = 0; order < TOP_ORDER; order++) {
        uint64_t prev = 0;
        for (uint64_t link = b.head[order]; link != 0; prev = link, link = b.next[link - 1]) {
            if (!check_block(&b, link - 1, order, what))
                return false;
            *what = "buddy policy: the links of a list disagree";
            free += UINT64_C(1) << order;
            if (b.prev[link - 1] != prev || free > space->unit_count)
                return false;
        }
    }
    for (uint64_t top = 0; top < b.top_count; top++)
        if (!is_broken(&b, top))
            free += top_end(&b, top) - top_start(&b, top);
    *what = free == space->free_count ? NULL : "buddy policy: the lists do not hold all the free units";
    return *what == NULL;
}

const rt_run_policy_t rt_policy_buddy = {
    .name = "buddy",
    .bytes = buddy_bytes,
    .init = buddy_init,
    .reset = buddy_reset,
    .find = buddy_find,
    .take = buddy_take,
    .give = buddy_give,
    .take_singles = buddy_take_singles,
    .longest = buddy_longest,
    .check = buddy_check,
};
