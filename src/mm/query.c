/*
 * query.c - how much memory is in which state, and frames that go bad.
 * Locks   mm_pfn_lock; none on a halted machine, where nobody changes anything and somebody may have stopped with the lock in his hand.
 */
#include <string.h>

#include "ke/bugcheck.h"
#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/machine.h"
#include "mm/pfn.h"

static bool halted(void) { return atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED; }

static uint64_t longest_run(void)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        rt_run_space_t *runs = &mm_frames.space[i].runs;
        uint64_t        here = runs->policy->longest(runs);
        longest = here > longest ? here : longest;
    }
    return longest;
}

/* Frames in caches count as what they are, zeroed or free; largest_free_run is of the frames that are in no cache. */
void mm_query_frames(ntmm_memory_usage *out)
{
    bool lock = !halted();
    if (lock)
        ke_lock(&mm_pfn_lock);
    *out = (ntmm_memory_usage){ .total = mm_frames.map.page_count, .zeroed = mm_frames.zeroed, .free = mm_frames.free };
    mm_frame_caches_count(&out->zeroed, &out->free);
    out->standby = mm_frames.list[MM_STANDBY].count;
    out->modified = mm_frames.list[MM_MODIFIED].count + mm_frames.list[MM_MODIFIED_NO_WRITE].count;
    out->bad = mm_frames.list[MM_BAD].count;
    out->active = out->total - out->zeroed - out->free - out->standby - out->modified - out->bad;
    out->largest_free_run = longest_run();
    out->commit_limit = atomic_load(&mm_charges.limit[MM_GAUGE_COMMITTED]);
    out->committed = mm_gauge_now(MM_GAUGE_COMMITTED);
    if (lock)
        ke_unlock(&mm_pfn_lock);
}

uint64_t mm_frames_total(void)
{
    ke_lock(&mm_pfn_lock);
    uint64_t count = mm_frames.map.page_count;
    ke_unlock(&mm_pfn_lock);
    return count;
}

uint64_t mm_frames_available(void)
{
    ke_lock(&mm_pfn_lock);
    uint64_t count = mm_frames.zeroed + mm_frames.free;
    ke_unlock(&mm_pfn_lock);
    for (ke_thread_t *thread = ke_thread_first(); thread != NULL; thread = thread->next)
        for (uint32_t kind = MM_ZEROED; kind <= MM_FREE; kind++) {
            mm_frame_cache_t *cache = mm_frame_cache_of(thread);
            count += mm_cache_count(cache, kind) + (mm_cache_top(cache, kind) != 0);
        }
    return count;
}

/* ---- bad frames ---- */

static bool mark_bad_locked(mm_pfn_number_t pfn)
{
    mm_run_space_t *space = mm_run_space_of(pfn);
    if (space == NULL || !rt_runs_is_free(&space->runs.runs, pfn - space->first_pfn))
        return false;
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    bool      zeroed = entry->list == MM_ZEROED;
    if (zeroed)
        mm_frames.zeroed--;
    else
        mm_frames.free--;
    space->runs.policy->take(&space->runs, pfn - space->first_pfn, 1);
    mm_pfn_set(entry, MM_ACTIVE, MM_ZEROED);
    entry->flags = zeroed ? MM_PFN_HOME_ZERO : 0; /* so that shutdown knows */
    mm_list_push_tail_locked(MM_BAD, pfn);
    return true;
}

static bool any_cached_locked(mm_pfn_number_t first, uint64_t end)
{
    for (mm_pfn_number_t pfn = first; pfn < end; pfn++)
        if (mm_pfn_is_ram_locked(pfn) && __atomic_load_n(&mm_pfn_entry(pfn)->list, __ATOMIC_RELAXED) == MM_CACHED)
            return true;
    return false;
}

size_t ntmm_mark_bad(uint64_t physical, size_t bytes)
{
    size_t       marked = 0;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return 0;
    mm_pfn_number_t first = physical >> PAGE_SHIFT;
    uint64_t        end = bytes == 0 ? first : ((physical + bytes - 1) >> PAGE_SHIFT) + 1;
    if (physical + bytes < physical || end > mm_span_pfns)
        end = mm_span_pfns;
    ke_lock(&mm_pfn_lock);
    if (any_cached_locked(first, end))
        mm_frame_caches_drain_locked();
    for (mm_pfn_number_t pfn = first; pfn < end; pfn++)
        marked += mark_bad_locked(pfn);
    mm_charges_ram_changed_locked();
    ke_unlock(&mm_pfn_lock);
    ke_thread_leave(thread);
    return marked;
}
