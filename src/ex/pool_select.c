/*
 * pool_select.c - which descriptor serves a request, and which gets a block back.
 *
 *     allocate   nonpaged                     the descriptor of the node that the thread's processor belongs to
 *                paged, several nodes         the same
 *                paged, one node              with magazines: one of the four for the life of the thread, so that its memory stays dense;
 *                                             without: each request the next one, round robin
 *     none left  its lists, then a page of its node, then lists and pages of the next descriptor, and so on once around
 *     free       the descriptor that PoolIndex in the header names
 *
 * The tail behind a large allocation goes to the descriptor of its frame's node; in paged pool to the one whose turn it is, which counts as
 * its turn.
 *
 * Locks       takes the descriptor's, one at a time.
 * Source      published descriptions of the pool of Windows 7 (descriptors, round robin, the local node); the range check of PoolIndex that
 *             came with Windows 8.
 * Fidelity    the order in which other descriptors are asked, and which thread has which of the four, are choices. So is the stop for a
 *             PoolIndex out of range, which here has no version: before Windows 8 a wild pointer was followed.
 */
#include "ex/pool_select.h"

#include "ex/pool_block.h"

static bool             round_robin_wanted;
static _Atomic uint32_t turn;    /* of the paged descriptors, on a machine with one node */
static _Atomic uint32_t threads; /* that have chosen one of them */

void ex_select_boot(bool round_robin)
{
    round_robin_wanted = round_robin;
    atomic_store_explicit(&turn, 0, memory_order_relaxed);
    atomic_store_explicit(&threads, 0, memory_order_relaxed);
}

/* ---- allocation ---- */

static unsigned next_in(_Atomic uint32_t *counter)
{
    return 1 + atomic_fetch_add_explicit(counter, 1, memory_order_relaxed) % EX_PAGED_DESCRIPTORS;
}

ex_descriptor_t *ex_descriptor_for(ke_thread_t *thread, mm_pool_t pool)
{
    unsigned node = thread->processor->node, index;
    if (pool != MM_PAGED || ke_node_count > 1)
        return ex_descriptor_of(pool, ex_descriptor_first(pool) + node);
    if (round_robin_wanted)
        return ex_descriptor_of(MM_PAGED, next_in(&turn));
    index = ex_thread_of(thread)->paged_index;
    if (index == 0)
        index = ex_thread_of(thread)->paged_index = next_in(&threads);
    return ex_descriptor_of(MM_PAGED, index);
}

ex_descriptor_t *ex_descriptor_for_page(ke_thread_t *thread, mm_pool_t pool, const void *page)
{
    return pool == MM_PAGED ? ex_descriptor_for(thread, pool) : ex_descriptor_of(pool, mm_node_of_home(page));
}

static unsigned take_from(ex_descriptor_t *descriptor, unsigned units, unsigned want, bool grow, POOL_HEADER **out, ex_stop_t *stop)
{
    ke_lock(&descriptor->lock);
    unsigned got = ex_blocks_take_locked(descriptor, units, want, grow, out, stop);
    ke_unlock(&descriptor->lock);
    return got;
}

static NTMM_COLD unsigned take_elsewhere(ex_descriptor_t *home, unsigned units, unsigned want, POOL_HEADER **out, ex_stop_t *stop)
{
    unsigned first = ex_descriptor_first(home->pool), count = ex_descriptor_counts[home->pool] - first, got = 0;
    for (unsigned step = 1; step < count && got == 0 && stop->code == 0; step++)
        got = take_from(ex_descriptor_of(home->pool, first + (home->index - first + step) % count), units, want, true, out, stop);
    return got;
}

unsigned ex_blocks_take(ex_descriptor_t *home, unsigned units, unsigned want, bool grow, POOL_HEADER **out, ex_stop_t *stop)
{
    unsigned got = take_from(home, units, want, grow, out, stop);
    return got == 0 && grow && stop->code == 0 ? take_elsewhere(home, units, want, out, stop) : got;
}

POOL_HEADER *ex_block_take_past_stock(ke_thread_t *thread, mm_pool_t pool, uint32_t node, bool others_too, unsigned units, ex_stop_t *stop)
{
    POOL_HEADER *header = NULL;
    if (node == MM_ANY_NODE || pool == MM_PAGED)
        ex_blocks_take(ex_descriptor_for(thread, pool), units, 1, true, &header, stop);
    else if (others_too)
        ex_blocks_take(ex_descriptor_of(pool, node), units, 1, true, &header, stop);
    else
        take_from(ex_descriptor_of(pool, node), units, 1, true, &header, stop);
    return header;
}

/* ---- free ---- */

static bool is_ascending(void *const *bodies, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        if (bodies[i - 1] > bodies[i])
            return false;
    return true;
}

static void exchange(void **one, void **other)
{
    void *body = *one;
    *one = *other;
    *other = body;
}

/* What was freed in the order it was allocated comes out backwards, and in the opposite order is sorted already; the rest is for a Shell
 * sort. */
static void sort_by_address(void **bodies, unsigned count)
{
    static const unsigned GAPS[] = { 23, 10, 4, 1 };
    for (unsigned i = 0; count > 1 && bodies[0] > bodies[count - 1] && i < count / 2; i++)
        exchange(&bodies[i], &bodies[count - 1 - i]);
    for (unsigned g = is_ascending(bodies, count) ? NTMM_ARRAY_COUNT(GAPS) : 0; g < NTMM_ARRAY_COUNT(GAPS); g++) {
        for (unsigned i = GAPS[g]; i < count; i++) {
            void    *body = bodies[i];
            unsigned at = i;
            for (; at >= GAPS[g] && bodies[at - GAPS[g]] > body; at -= GAPS[g])
                bodies[at] = bodies[at - GAPS[g]];
            bodies[at] = body;
        }
    }
}

/* Blocks of the first one's descriptor come to the front. Returns how many they are: all, but for a thread that frees other threads'. */
static unsigned gather(void **bodies, unsigned count)
{
    unsigned index = ex_header_of(bodies[0])->PoolIndex, same = 1;
    for (unsigned i = 1; i < count; i++)
        if (ex_header_of(bodies[i])->PoolIndex == index) {
            if (i != same)
                exchange(&bodies[same], &bodies[i]);
            same++;
        }
    return same;
}

static void give_to(ex_descriptor_t *descriptor, void **bodies, unsigned count, ex_stop_t *stop)
{
    ke_lock(&descriptor->lock);
    for (unsigned i = 0; i < count;
         i++) { /* whether they can join is written in the headers beside them: have all of them fetched at once */
        POOL_HEADER *header = ex_header_of(bodies[i]);
        __builtin_prefetch(ex_left(header, header->PreviousSize));
        __builtin_prefetch(ex_right(header, header->BlockSize));
    }
    sort_by_address(bodies, count);
    descriptor->counts.gives++;
    ex_blocks_give_locked(descriptor, bodies, count, stop);
    ke_unlock(&descriptor->lock);
}

void ex_blocks_give(mm_pool_t pool, void **bodies, unsigned count, ex_stop_t *stop)
{
    while (count != 0 && stop->code == 0) {
        unsigned same = gather(bodies, count);
        if (ex_block_index_is_good(pool, ex_header_of(bodies[0]), stop))
            give_to(ex_descriptor_of(pool, ex_header_of(bodies[0])->PoolIndex), bodies, same, stop);
        bodies += same;
        count -= same;
    }
}
