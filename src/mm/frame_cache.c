/*
 * frame_cache.c - one frame at a time, without a lock.
 * Each thread keeps some free frames of one node. It takes and returns them with plain stores, because nobody else touches its cache,
 * except when frames run short: then whoever runs short takes the frames of all caches back. The two agree by a handshake whose price is
 * paid on the rare side (host_fence_heavy):
 *
 *     owner    open? else the slow way : busy = 1 ; compiler fence : still open? else busy = 0, the slow way : pop or push ;
 *              busy = 0 (release)
 *     drainer  under mm_pfn_lock: all open = 0 ; heavy fence ; wait for busy == 0 (a few instructions) ; empty it ; open again (release)
 *
 * The owner never blocks while busy, so the wait is short whatever the owner's IRQL, and a drainer may hold other locks. That is why the
 * caches belong to threads: with a cache for each processor a thread that holds a pool lock would have to wait for a processor.
 * Under mm_pfn_lock the owner needs no handshake, for every drainer holds that lock. A cache is first opened there, and never on a host
 * where the heavy fence cannot make the light one free: then the slow way with its batches is the cheapest. The record that threads share
 * before they have one of their own is read-only, and closed.
 *
 * Order       last in, first out within a kind: a frame just put is warm. Whoever wants a frame for its home gets one that was written
 *             before, else the lowest; whoever wants it for a slot gets one whose home is zero, from elsewhere (mm_frame_get_zeroed_home). One
 *             does not take the other's as long as its own are to be had, and the taller stack goes back to the run space to make room.
 * Locks       fast path none; slow path mm_pfn_lock.
 */
#include "mm/frame_cache.h"

#include <string.h>

#include "mm/pfn.h"

static void open_cache(mm_frame_cache_t *cache)
{
    uint8_t gates = mm_frames.node_count == 1 ? MM_CACHE_GET | MM_CACHE_PUT : MM_CACHE_GET;
    atomic_store_explicit(&cache->open, host_fence_is_free ? gates : 0, memory_order_release);
}

static inline void set_count(mm_frame_cache_t *cache, uint32_t kind, uint32_t count)
{
    atomic_store_explicit(&cache->count[kind], (uint8_t)count, memory_order_relaxed);
}
static inline uint32_t in_stacks(mm_frame_cache_t *cache) { return mm_cache_count(cache, MM_ZEROED) + mm_cache_count(cache, MM_FREE); }
static inline bool     has_kind(mm_frame_cache_t *cache, uint32_t kind)
{
    return mm_cache_top(cache, kind) != 0 || mm_cache_count(cache, kind) != 0;
}
static inline bool is_empty(mm_frame_cache_t *cache) { return !has_kind(cache, MM_ZEROED) && !has_kind(cache, MM_FREE); }

static inline mm_pfn_number_t activate(mm_pfn_number_t pfn, bool *zeroed)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    if (zeroed != NULL)
        *zeroed = entry->was == MM_ZEROED;
    mm_pfn_set_list(entry, MM_ACTIVE, MM_ZEROED); /* its owner was cleared when it was put */
    return pfn;
}

static inline mm_pfn_number_t pop_stack(mm_frame_cache_t *cache, uint32_t kind)
{
    uint32_t count = mm_cache_count(cache, kind);
    set_count(cache, kind, count - 1);
    return *mm_cache_slot(cache, kind, count - 1);
}

/* Of the wanted kind if there is one. Not called with the cache empty. */
static mm_pfn_number_t pop(mm_frame_cache_t *cache, uint32_t wanted)
{
    uint32_t kind = has_kind(cache, wanted) ? wanted : MM_FREE + MM_ZEROED - wanted, top = mm_cache_top(cache, kind);
    if (top != 0) {
        mm_cache_set_top(cache, kind, 0);
        return top;
    }
    return pop_stack(cache, kind);
}

static void push_stack(mm_frame_cache_t *cache, uint32_t kind, uint32_t pfn)
{
    uint32_t count = mm_cache_count(cache, kind);
    *mm_cache_slot(cache, kind, count) = pfn;
    set_count(cache, kind, count + 1);
}

/* Not called with the stacks full. */
static void push(mm_frame_cache_t *cache, mm_pfn_number_t pfn)
{
    uint32_t kind = mm_pfn_entry(pfn)->was, top = mm_cache_top(cache, kind);
    if (top != 0)
        push_stack(cache, kind, top);
    if (pfn == 0)
        push_stack(cache, kind, 0);
    mm_cache_set_top(cache, kind, (uint32_t)pfn);
}

/* ---- slow paths ---- */

/* Straight from the run spaces: of that node, else of any; the caches of all threads are emptied before it fails. */
static mm_pfn_number_t take_one_locked(uint32_t node)
{
    uint32_t pfn;
    if (mm_frames_take_singles_locked(node, &pfn, 1) != 0 || mm_frames_take_singles_locked(MM_ANY_NODE, &pfn, 1) != 0)
        return pfn;
    if (mm_frame_caches_drain_locked() &&
        (mm_frames_take_singles_locked(node, &pfn, 1) != 0 || mm_frames_take_singles_locked(MM_ANY_NODE, &pfn, 1) != 0))
        return pfn;
    return MM_PFN_NONE;
}

/* The oldest frames of the taller stack make room. */
static void hand_back_locked(mm_frame_cache_t *cache)
{
    uint32_t kind = mm_cache_count(cache, MM_FREE) > mm_cache_count(cache, MM_ZEROED) ? MM_FREE : MM_ZEROED,
             count = mm_cache_count(cache, kind);
    mm_frames_give_locked(kind == MM_FREE ? cache->pfn : mm_cache_slot(cache, kind, MM_FRAME_CACHE_BATCH - 1), MM_FRAME_CACHE_BATCH);
    for (uint32_t i = MM_FRAME_CACHE_BATCH; i < count; i++)
        *mm_cache_slot(cache, kind, i - MM_FRAME_CACHE_BATCH) = *mm_cache_slot(cache, kind, i);
    set_count(cache, kind, count - MM_FRAME_CACHE_BATCH);
}

/* A slot waits for a look around rather than take a frame of the other kind: the host would keep its home's bytes for nothing. */
static uint32_t fetch_locked(mm_frame_cache_t *cache, uint32_t node, uint32_t wanted, uint32_t *pfns)
{
    uint32_t count = wanted == MM_ZEROED ? mm_frames_take_zeroed_locked(node, pfns, MM_FRAME_CACHE_BATCH) : 0;
    if (count != 0 || (wanted == MM_ZEROED && !is_empty(cache)))
        return count;
    return mm_frames_take_singles_locked(node, pfns, MM_FRAME_CACHE_BATCH);
}

/* Adds a batch and pops: nothing of the wanted kind is there. */
static mm_pfn_number_t refill_locked(mm_frame_cache_t *cache, uint32_t node, uint32_t wanted)
{
    uint32_t pfns[MM_FRAME_CACHE_BATCH];
    if (in_stacks(cache) > MM_FRAME_CACHE_FRAMES - MM_FRAME_CACHE_BATCH)
        hand_back_locked(cache);
    uint32_t count = fetch_locked(cache, node, wanted, pfns);
    if (count == 0)
        return is_empty(cache) ? take_one_locked(node) : pop(cache, wanted);
    cache->node = node;
    uint32_t counts[2] = { mm_cache_count(cache, MM_ZEROED), mm_cache_count(cache, MM_FREE) };
    for (uint32_t i = count; i-- > 0;) { /* popped from the end: lowest first */
        uint32_t kind = wanted == MM_FREE ? MM_FREE : mm_pfn_entry(pfns[i])->was;
        *mm_cache_slot(cache, kind, counts[kind]++) = pfns[i];
    }
    set_count(cache, MM_ZEROED, counts[MM_ZEROED]);
    set_count(cache, MM_FREE, counts[MM_FREE]);
    return pop(cache, wanted);
}

NTMM_COLD mm_pfn_number_t mm_frame_get_slow(ke_thread_t *thread, uint32_t node, uint32_t wanted, bool *zeroed)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    mm_pfn_number_t   pfn;
    ke_lock(&mm_pfn_lock);
    if (node >= mm_frames.node_count)
        node = thread->processor->node < mm_frames.node_count ? thread->processor->node : 0;
    bool empty = is_empty(cache), fits = empty || cache->node == node;
    if (fits && has_kind(cache, wanted)) { /* it was closed when we looked */
        pfn = pop(cache, wanted);
    } else if (fits && thread != &ke_empty_thread) { /* that record is shared, and read-only */
        pfn = refill_locked(cache, node, wanted);
    } else {
        pfn = take_one_locked(node);
    }
    if (thread != &ke_empty_thread)
        open_cache(cache);
    ke_unlock(&mm_pfn_lock);
    return pfn != MM_PFN_NONE ? activate(pfn, zeroed) : MM_PFN_NONE;
}

NTMM_COLD void mm_frame_put_slow(ke_thread_t *thread, mm_pfn_number_t pfn)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    ke_lock(&mm_pfn_lock);
    uint32_t node = mm_node_of_frame(pfn);
    if (thread == &ke_empty_thread || (!is_empty(cache) && cache->node != node)) {
        mm_frames_give_locked(&(uint32_t){ (uint32_t)pfn }, 1);
        ke_unlock(&mm_pfn_lock);
        return;
    }
    if (in_stacks(cache) > MM_FRAME_CACHE_FRAMES - 2) /* a push may need two places */
        hand_back_locked(cache);
    cache->node = node;
    push(cache, pfn);
    open_cache(cache);
    ke_unlock(&mm_pfn_lock);
}

/* ---- the rest of the fast paths (frame_cache.h) ---- */

mm_pfn_number_t mm_frame_get_from_stacks(ke_thread_t *thread, uint32_t node, uint32_t wanted, bool *zeroed)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    mm_pfn_number_t   pfn = MM_PFN_NONE;
    bool              fits = node == MM_ANY_NODE || node == cache->node;
    if (NTMM_LIKELY(fits && mm_cache_count(cache, wanted) != 0)) /* nothing is on top of that kind, or we were not called */
        pfn = pop_stack(cache, wanted);
    else if (fits && has_kind(cache, wanted))
        pfn = pop(cache, wanted);
    mm_cache_leave(cache);
    return pfn != MM_PFN_NONE ? activate(pfn, zeroed) : mm_frame_get_slow(thread, node, wanted, zeroed);
}

mm_pfn_number_t mm_frame_get(uint32_t node, bool *zeroed) { return mm_frame_get_inline(node, MM_FREE, zeroed); }
mm_pfn_number_t mm_frame_get_zeroed_home(uint32_t node, bool *zeroed) { return mm_frame_get_inline(node, MM_ZEROED, zeroed); }

void mm_frame_put_on_stacks(ke_thread_t *thread, mm_pfn_number_t pfn)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    bool fits = in_stacks(cache) <= MM_FRAME_CACHE_FRAMES - 2 && (mm_frames.node_count == 1 || cache->node == mm_node_of_frame(pfn));
    if (NTMM_LIKELY(fits))
        push(cache, pfn);
    mm_cache_leave(cache);
    if (!fits)
        mm_frame_put_slow(thread, pfn);
}

void mm_frame_put_otherwise(ke_thread_t *thread, mm_pfn_number_t pfn)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    mm_pfn_t         *entry = mm_pfn_entry(pfn);
    NTMM_INVARIANT(entry->list == MM_ACTIVE, "a frame that is put was active");
    if (atomic_load_explicit(&entry->pins, memory_order_relaxed) != 0 && mm_frame_defer(pfn))
        return;
    mm_pfn_set(entry, MM_CACHED, mm_pfn_list_when_put(entry));
    if (mm_cache_is_open(cache, MM_CACHE_GET) && mm_cache_enter(cache, MM_CACHE_GET))
        mm_frame_put_on_stacks(thread, pfn);
    else
        mm_frame_put_slow(thread, pfn);
}

void mm_frame_put(mm_pfn_number_t pfn) { mm_frame_put_inline(pfn); }

/* ---- homes that come in groups ---- */

static bool is_next(mm_frame_cache_t *cache, uint32_t from_top, mm_pfn_number_t pfn)
{
    uint32_t count = mm_cache_count(cache, MM_FREE);
    return from_top < count && *mm_cache_slot(cache, MM_FREE, count - 1 - from_top) == pfn && mm_pfn_entry(pfn)->was == MM_ZEROED;
}

static uint32_t claim(mm_frame_cache_t *cache, mm_pfn_number_t first, uint32_t most)
{
    uint32_t count = 0;
    if (mm_cache_top(cache, MM_FREE) != 0)
        return 0;
    for (; count < most && is_next(cache, count, first + 1 + count); count++)
        mm_pfn_set_list(mm_pfn_entry(first + 1 + count), MM_CACHED, MM_FREE);
    return count;
}

uint32_t mm_frame_cache_claim(mm_pfn_number_t first, uint32_t most)
{
    mm_frame_cache_t *cache = mm_frame_cache_of(ke_self());
    if (!mm_cache_is_open(cache, MM_CACHE_GET) || !mm_cache_enter(cache, MM_CACHE_GET))
        return 0;
    uint32_t count = claim(cache, first, most);
    mm_cache_leave(cache);
    return count;
}

/* ---- all caches at once ---- */

/* From here to open_all nobody but the caller touches a cache. Records are pushed at the head of the list: starting from `first` again
 * meets the same ones. */
static void close_all(ke_thread_t *first)
{
    for (ke_thread_t *t = first; t != NULL; t = t->next)
        atomic_store_explicit(&mm_frame_cache_of(t)->open, 0, memory_order_relaxed);
    host_fence_heavy();
    for (ke_thread_t *t = first; t != NULL; t = t->next)
        for (uint32_t spins = 0; atomic_load_explicit(&mm_frame_cache_of(t)->busy, memory_order_acquire) != 0; spins++) {
            if (spins < 64)
                host_pause();
            else
                host_yield();
        }
}

static void open_all(ke_thread_t *first)
{
    for (ke_thread_t *t = first; t != NULL; t = t->next)
        open_cache(mm_frame_cache_of(t));
}

static bool any_cached(ke_thread_t *first)
{
    for (ke_thread_t *t = first; t != NULL; t = t->next)
        if (!is_empty(mm_frame_cache_of(t)))
            return true;
    return false;
}

bool mm_frame_caches_drain_locked(void)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_pfn_lock), "mm_pfn_lock is held");
    ke_thread_t *first = ke_thread_first();
    if (!any_cached(first))
        return false;
    close_all(first);
    bool found = false;
    for (ke_thread_t *t = first; t != NULL; t = t->next) {
        mm_frame_cache_t *cache = mm_frame_cache_of(t);
        while (!is_empty(cache)) {
            mm_frames_give_locked(&(uint32_t){ (uint32_t)pop(cache, MM_FREE) }, 1);
            found = true;
        }
    }
    open_all(first);
    return found;
}

static void count_frame(uint32_t pfn, uint64_t *zeroed, uint64_t *free) { ++*(mm_pfn_entry(pfn)->was == MM_ZEROED ? zeroed : free); }

static void count_frames(mm_frame_cache_t *cache, uint64_t *zeroed, uint64_t *free)
{
    for (uint32_t kind = 0; kind < 2; kind++) {
        if (mm_cache_top(cache, kind) != 0)
            count_frame(mm_cache_top(cache, kind), zeroed, free);
        for (uint32_t i = mm_cache_count(cache, kind); i-- > 0;)
            count_frame(*mm_cache_slot(cache, kind, i), zeroed, free);
    }
}

void mm_frame_caches_count(uint64_t *zeroed, uint64_t *free)
{
    bool         halted = atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED;
    ke_thread_t *first = ke_thread_first();
    if (!halted)
        close_all(first);
    for (ke_thread_t *t = first; t != NULL; t = t->next)
        count_frames(mm_frame_cache_of(t), zeroed, free);
    if (!halted)
        open_all(first);
}

void mm_frame_caches_forget(void)
{
    for (ke_thread_t *t = ke_thread_first(); t != NULL; t = t->next)
        memset(mm_frame_cache_of(t), 0, sizeof(mm_frame_cache_t));
}
