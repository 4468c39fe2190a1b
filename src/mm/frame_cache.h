/*
 * frame_cache.h - a few free frames for each thread, so that one frame costs no lock. Only mm includes this.
 */
#ifndef NTMM_MM_FRAME_CACHE_H
#define NTMM_MM_FRAME_CACHE_H

#include "mm/pfn.h"

#define MM_FRAME_CACHE_FRAMES 64u /* at most in one cache, besides the two on top */
#define MM_FRAME_CACHE_BATCH 32u  /* fetched or handed back at once */

/* Two stacks in one array, since it matters whether the host already keeps bytes for a frame's home. Who uses the home takes a frame whose home
 * was written, or the lowest; who needs a frame for a slot takes one from elsewhere whose home is zero, and costs the host nothing. The kinds are
 * called after what the frames become once their homes were used, or not: MM_FREE, for homes, and MM_ZEROED, for slots. One frame that goes and
 * comes touches top[] alone.
 *
 *     pfn[]   | homes: 0 ->  ...  (room)  ...  <- 63: slots |      top[kind]: in front of the stack of that kind
 */
typedef struct mm_frame_cache {
    _Atomic uint8_t  busy;     /* (T) its thread is inside */
    _Atomic uint8_t  open;     /* (P) MM_CACHE_*: what its thread may do without the lock */
    _Atomic uint8_t  count[2]; /* (T) while open, as all below; frames in pfn[], by kind */
    _Atomic uint32_t top[2];   /* PFN; 0: none. Frame 0 itself goes to pfn[] */
    uint32_t         node;     /* of all frames in it */
    uint32_t         pfn[MM_FRAME_CACHE_FRAMES];
} mm_frame_cache_t;
_Static_assert(sizeof(mm_frame_cache_t) <= KE_THREAD_MM_BYTES, "a frame cache fits into a thread's record");
#define MM_CACHE_GET 0x1u
#define MM_CACHE_PUT 0x2u /* any frame: there is one node */

static inline uint32_t mm_cache_count(mm_frame_cache_t *cache, uint32_t kind)
{
    return atomic_load_explicit(&cache->count[kind], memory_order_relaxed);
}
static inline uint32_t mm_cache_top(mm_frame_cache_t *cache, uint32_t kind)
{
    return atomic_load_explicit(&cache->top[kind], memory_order_relaxed);
}
static inline uint32_t *mm_cache_slot(mm_frame_cache_t *cache, uint32_t kind, uint32_t i) /* i: from the bottom of that stack */
{
    return &cache->pfn[kind == MM_FREE ? i : MM_FRAME_CACHE_FRAMES - 1 - i];
}

static inline mm_frame_cache_t *mm_frame_cache_of(ke_thread_t *thread) { return (mm_frame_cache_t *)(void *)thread->mm_area; }

/* ---- the handshake (frame_cache.c) ---- */

static inline bool mm_cache_is_open(mm_frame_cache_t *cache, uint8_t gate)
{
    return (atomic_load_explicit(&cache->open, memory_order_acquire) & gate) != 0;
}
static inline void mm_cache_leave(mm_frame_cache_t *cache) { atomic_store_explicit(&cache->busy, 0, memory_order_release); }
static inline bool mm_cache_enter(mm_frame_cache_t *cache, uint8_t gate)
{
    atomic_store_explicit(&cache->busy, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst); /* host_fence_light where that is free; elsewhere no cache is open */
    if (NTMM_LIKELY(mm_cache_is_open(cache, gate)))
        return true;
    mm_cache_leave(cache);
    return false;
}
/* ---- one frame ---- */

static inline void mm_cache_set_top(mm_frame_cache_t *cache, uint32_t kind, uint32_t top)
{
    atomic_store_explicit(&cache->top[kind], top, memory_order_relaxed);
}

/* Where the inline paths end when they are not enough. The two in the middle are called between enter and leave. */
mm_pfn_number_t mm_frame_get_slow(ke_thread_t *thread, uint32_t node, uint32_t wanted, bool *zeroed);
mm_pfn_number_t mm_frame_get_from_stacks(ke_thread_t *thread, uint32_t node, uint32_t wanted, bool *zeroed);
void            mm_frame_put_on_stacks(ke_thread_t *thread, mm_pfn_number_t pfn);
void            mm_frame_put_otherwise(ke_thread_t *thread, mm_pfn_number_t pfn); /* zeroed home, several nodes, or closed */
void            mm_frame_put_slow(ke_thread_t *thread, mm_pfn_number_t pfn);

/* mm_frame_get, mm_frame_get_zeroed_home and mm_frame_put, for callers within mm to whom a call matters. wanted: MM_FREE or MM_ZEROED. */
static inline mm_pfn_number_t mm_frame_get_inline(uint32_t node, uint32_t wanted, bool *zeroed)
{
    ke_thread_t      *thread = ke_self();
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    if (NTMM_UNLIKELY(!mm_cache_is_open(cache, MM_CACHE_GET)) || NTMM_UNLIKELY(!mm_cache_enter(cache, MM_CACHE_GET)))
        return mm_frame_get_slow(thread, node, wanted, zeroed);
    mm_pfn_number_t top = mm_cache_top(cache, wanted);
    if (NTMM_UNLIKELY(top == 0) || NTMM_UNLIKELY(node != MM_ANY_NODE && node != cache->node))
        return mm_frame_get_from_stacks(thread, node, wanted, zeroed);
    mm_cache_set_top(cache, wanted, 0);
    mm_cache_leave(cache);
    mm_pfn_t *entry = mm_pfn_entry(top);
    if (zeroed != NULL)
        *zeroed = entry->was == MM_ZEROED;
    mm_pfn_set_list(entry, MM_ACTIVE, MM_ZEROED);
    return top;
}

static inline void mm_frame_put_inline(mm_pfn_number_t pfn)
{
    ke_thread_t      *thread = ke_self();
    mm_frame_cache_t *cache = mm_frame_cache_of(thread);
    mm_pfn_t         *entry = mm_pfn_entry(pfn);
    if (NTMM_UNLIKELY(!mm_pfn_is_active_and_written(entry)) || NTMM_UNLIKELY(!mm_cache_is_open(cache, MM_CACHE_PUT))) {
        mm_frame_put_otherwise(thread, pfn);
        return;
    }
    mm_pfn_set(entry, MM_CACHED, MM_FREE);
    if (NTMM_UNLIKELY(!mm_cache_enter(cache, MM_CACHE_PUT))) {
        mm_frame_put_slow(thread, pfn);
    } else if (NTMM_LIKELY(mm_cache_top(cache, MM_FREE) == 0) && NTMM_LIKELY(pfn != 0)) {
        mm_cache_set_top(cache, MM_FREE, (uint32_t)pfn);
        mm_cache_leave(cache);
    } else {
        mm_frame_put_on_stacks(thread, pfn);
    }
}

/* Zeroed frames at the top of this thread's stack of homes that follow `first` without a gap, up to `most` of them, count as written from now on:
 * their homes are about to be, in one go. Returns how many. */
uint32_t mm_frame_cache_claim(mm_pfn_number_t first, uint32_t most);

/* ---- all of them ---- */

/* Every frame of every cache goes back to its run space; true when there was one. */
bool mm_frame_caches_drain_locked(void);
/* Frames in all caches now, by what they were. On a halted machine the caller holds no lock. */
void mm_frame_caches_count(uint64_t *zeroed, uint64_t *free);
void mm_frame_caches_forget(void); /* at shutdown: caches empty, frames are the caller's affair */

#endif
