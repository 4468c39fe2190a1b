/*
 * reclaim.c - a frame when none is free: another page makes room.
 *
 *     mm_frame_for_page            a fault, or a fresh page of paged pool                 under mm_paging_lock
 *     mm_frame_get_or_reclaim      nonpaged pool, noncached memory                        takes it
 *     mm_reclaim_for_run           contiguous memory that found no run                    takes it
 *      |- a free frame, from this thread's cache, the run spaces, other threads' caches
 *      |- mm_page_repurpose        the head of the standby list: its bytes are in the page file
 *      |- mm_modified_write        a cluster of modified pages becomes standby
 *      `- mm_working_set_trim      pages leave the working set
 *
 * All of it is done by the thread that needs the frame. The policy decides how many pages are kept on the two lists for a second chance
 * (working_set.c).
 *
 * Why it ends    each step moves a page nearer to the page file. The charges see to it that there is room in the file (charge.h), so a frame
 *                is found unless the host refuses a write, or everything is pinned.
 * Locks          mm_paging_lock; mm_pfn_lock inside.
 */
#include "mm/paging.h"

#include "mm/frame_cache.h"

static uint64_t on_list(mm_list_t list) { return mm_frames.list[list].count; } /* standby and modified change under mm_paging_lock alone */

/* Never all of a small working set: an instruction may need several pages at once. */
static size_t trim_a_few(void)
{
    uint64_t most = mm_working_set.count / 4 + 1;
    return mm_working_set_trim_locked(most < MM_CLUSTER ? (size_t)most : MM_CLUSTER);
}

static mm_pfn_number_t reclaim_one(void)
{
    if (on_list(MM_STANDBY) + on_list(MM_MODIFIED) <= mm_working_set_spread_locked())
        trim_a_few();
    while (on_list(MM_STANDBY) == 0) {
        if (on_list(MM_MODIFIED) == 0 && trim_a_few() == 0)
            return MM_PFN_NONE;
        if (on_list(MM_STANDBY) == 0 && mm_modified_write_locked() == 0)
            return MM_PFN_NONE;
    }
    mm_pfn_number_t pfn = mm_frames.list[MM_STANDBY].head - 1;
    mm_page_repurpose_locked(pfn);
    return pfn;
}

mm_pfn_number_t mm_frame_for_page_locked(uint32_t node, bool may_reclaim)
{
    bool            home_zero = false;
    mm_pfn_number_t pfn = mm_frame_get_inline(node, MM_ZEROED, &home_zero);
    if (pfn == MM_PFN_NONE)
        return may_reclaim ? reclaim_one() : MM_PFN_NONE;
    mm_page_home_is(pfn, home_zero);
    return pfn;
}

bool mm_reclaim(uint64_t page_count)
{
    uint64_t        freed = 0;
    mm_pfn_number_t pfn;
    if (mm_unbacked)
        return false;
    ke_lock(&mm_paging_lock);
    for (; freed < page_count && (pfn = reclaim_one()) != MM_PFN_NONE; freed++)
        mm_frame_put(pfn);
    ke_unlock(&mm_paging_lock);
    return freed != 0;
}

NTMM_COLD static mm_pfn_number_t reclaim_and_get(uint32_t node, bool *zeroed)
{
    mm_pfn_number_t pfn = MM_PFN_NONE;
    while (pfn == MM_PFN_NONE && mm_reclaim(1)) /* others may be quicker: then once more */
        pfn = mm_frame_get_inline(node, MM_FREE, zeroed);
    return pfn;
}

mm_pfn_number_t mm_frame_get_or_reclaim(uint32_t node, bool *zeroed)
{
    mm_pfn_number_t pfn = mm_frame_get_inline(node, MM_FREE, zeroed);
    return NTMM_LIKELY(pfn != MM_PFN_NONE) ? pfn : reclaim_and_get(node, zeroed);
}

size_t mm_put_all_out_locked(void)
{
    size_t put_out = 0;
    mm_working_set_empty_locked();
    do {
        for (; on_list(MM_STANDBY) != 0; put_out++) {
            mm_pfn_number_t pfn = mm_frames.list[MM_STANDBY].head - 1;
            mm_page_repurpose_locked(pfn);
            mm_frame_put(pfn);
        }
    } while (mm_modified_write_locked() != 0);
    return put_out;
}

bool mm_reclaim_for_run(uint64_t page_count)
{
    if (mm_unbacked)
        return false;
    ke_lock(&mm_paging_lock);
    uint64_t pageable = mm_working_set.count + on_list(MM_STANDBY) + on_list(MM_MODIFIED);
    bool     can_help = pageable != 0 && page_count <= mm_frames.map.page_count;
    size_t   put_out = can_help ? mm_put_all_out_locked() : 0;
    ke_unlock(&mm_paging_lock);
    return put_out != 0;
}
