/*
 * mdl_pages.c - frames for MDLs: from ranges of physical addresses, as many as there are.
 *
 *     range 0     | low ......... high |
 *     range 1          | low + skip ......... high + skip |          looked at when range 0 had too few, and so on to the end of RAM
 *
 * Frames are taken in runs, long ones first: half as long whenever none is left. A driver cannot tell, except that its frames are not all
 * in a row unless it asked for that: as with noncached memory the first two change places, so that who relies on a row fails here.
 *
 * Chunks are runs of one length, at multiples of that length; a single chunk may begin anywhere.
 *
 * Units       pages.
 * Invariants  the first frame of an MDL says MM_USE_MDL_PAGES, the others MM_USE_MDL_PAGES_TAIL; all are charged (charge.h)
 * Locks       none held here.
 * Source      WDK reference: wdm.h, MmAllocatePagesForMdlEx.
 * Fidelity    which frames of a range are taken: choice.
 */
#include "mm/mdl_pages.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "ke/low_resources.h"
#include "ke/version.h"
#include "mm/charge.h"
#include "mm/mdl.h"
#include "mm/machine.h"
#include "mm/paging.h"
#include "mm/physical_memory.h"
#include "mm/pinned.h"

#define LONGEST_RUN 512u /* asked for at once, where no run is wanted for its own sake */

typedef struct taking {
    const mm_pages_want_t *want;
    PFN_NUMBER            *pfns;
    size_t                 count;
    uint64_t               low, high; /* of the range that is looked at */
} taking_t;

static void *home(mm_pfn_number_t pfn) { return (void *)(mm_physical_map.base + (pfn << PAGE_SHIFT)); }

static void adopt(taking_t *taking, mm_pfn_number_t first, uint64_t page_count, bool zeroed)
{
    mm_unpoison((uintptr_t)home(first), page_count << PAGE_SHIFT);
    if (taking->want->zero && !zeroed)
        memset(home(first), 0, page_count << PAGE_SHIFT);
    if (!taking->want->zero && !mm_unbacked)
        ke_low_resources_soil(home(first), (size_t)page_count << PAGE_SHIFT);
    for (uint64_t i = 0; i < page_count; i++) {
        mm_pfn_t *entry = mm_pfn_entry(first + i);
        entry->cache = taking->want->cache;
        entry->owner = (mm_owner_t){ .use = MM_USE_MDL_PAGES_TAIL, .tag = NTMM_TAG("MmPg"), .pool = MM_NONPAGED_NX };
        taking->pfns[taking->count++] = first + i;
    }
}

/* One run in the range, charged; false: there is none, or no more may be committed. */
static bool take_run(taking_t *taking, uint64_t page_count, uint64_t align, uint32_t node)
{
    mm_frame_want_t want = { .page_count = page_count, .low = taking->low, .high = taking->high, .align = align, .node = node };
    bool            zeroed = false;
    want.fast_only = taking->want->fast_only;
    if (!mm_charge(MM_CHARGE_OTHER, page_count))
        return false;
    mm_pfn_number_t first = mm_frames_get(&want, &zeroed);
    if (first == MM_PFN_NONE)
        mm_uncharge(MM_CHARGE_OTHER, page_count);
    else
        adopt(taking, first, page_count, zeroed);
    return first != MM_PFN_NONE;
}

static uint64_t left(const taking_t *taking) { return taking->want->page_count - taking->count; }

static void take_any(taking_t *taking, uint32_t node)
{
    uint64_t longest = taking->want->prefer_runs ? left(taking) : LONGEST_RUN;
    for (uint64_t length = longest; length > 0 && left(taking) != 0;) {
        uint64_t now = length < left(taking) ? length : left(taking);
        if (!take_run(taking, now, 0, node))
            length = now / 2;
    }
}

static void take_chunks(taking_t *taking, uint32_t node)
{
    uint64_t chunk = taking->want->chunk_pages, align = chunk < taking->want->page_count ? chunk : 0;
    while (left(taking) >= chunk && take_run(taking, chunk, align, node))
        continue;
}

static void take_from(taking_t *taking, uint32_t node)
{
    if (taking->want->chunk_pages != 0)
        take_chunks(taking, node);
    else
        take_any(taking, node);
}

static void take_range(taking_t *taking)
{
    const mm_pages_want_t *want = taking->want;
    take_from(taking, want->node);
    if (left(taking) != 0 && want->node != MM_ANY_NODE && !want->node_only)
        take_from(taking, MM_ANY_NODE);
}

static void take_all_ranges(taking_t *taking)
{
    const mm_pages_want_t *want = taking->want;
    taking->low = want->low;
    taking->high = want->high;
    while (left(taking) != 0 && taking->low <= mm_highest_pfn) {
        take_range(taking);
        if (want->skip == 0 || taking->low + want->skip < taking->low)
            return;
        taking->low += want->skip;
        taking->high = taking->high + want->skip < taking->high ? UINT64_MAX : taking->high + want->skip;
    }
}

/* Whoever may wait has pageable pages put out, as long as that brings frames of the kind that is wanted. */
static void take_with_reclaim(taking_t *taking)
{
    for (size_t before = SIZE_MAX; left(taking) != 0 && taking->count != before && mm_reclaim_for_run(left(taking));) {
        before = taking->count;
        take_all_ranges(taking);
    }
}

static void part_first_two(taking_t *taking)
{
    if (taking->count < 2 || taking->want->prefer_runs || taking->want->chunk_pages != 0 || taking->pfns[1] != taking->pfns[0] + 1)
        return;
    PFN_NUMBER first = taking->pfns[0];
    taking->pfns[0] = taking->pfns[1];
    taking->pfns[1] = first;
}

static void name_first(const PFN_NUMBER *pfns, size_t page_count)
{
    if (page_count == 0)
        return;
    mm_owner_t *owner = &mm_pfn_entry(pfns[0])->owner;
    owner->bytes = (uint64_t)page_count << PAGE_SHIFT;
    owner->use = MM_USE_MDL_PAGES;
}

size_t mm_mdl_pages_get(const mm_pages_want_t *want, PFN_NUMBER *pfns)
{
    taking_t taking = { .want = want, .pfns = pfns };
    if (mm_unbacked)
        return 0;
    take_all_ranges(&taking);
    if (want->may_reclaim)
        take_with_reclaim(&taking);
    part_first_two(&taking);
    name_first(pfns, taking.count);
    return taking.count;
}

/* ---- and back ---- */

bool mm_is_mdl_page(mm_pfn_number_t pfn)
{
    if (pfn > mm_highest_pfn)
        return false;
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    return entry->list == MM_ACTIVE && (entry->owner.use == MM_USE_MDL_PAGES || entry->owner.use == MM_USE_MDL_PAGES_TAIL);
}

typedef enum pages_bad { PAGES_GOOD, PAGES_LOCKED, PAGES_NOT_OURS } pages_bad_t;

/* Whether all of them are such frames, and nobody has locked one. *index: the first one that is not good. */
static pages_bad_t look_at(const PFN_NUMBER *pfns, size_t page_count, size_t *index)
{
    for (*index = 0; *index < page_count; ++*index) {
        if (!mm_is_mdl_page(pfns[*index]))
            return PAGES_NOT_OURS;
        if (mm_pins_of(pfns[*index]) != 0)
            return PAGES_LOCKED;
    }
    return PAGES_GOOD;
}

void mm_mdl_pages_put(const PFN_NUMBER *pfns, size_t page_count)
{
    for (size_t first = 0, end; first < page_count; first = end) {
        for (end = first + 1; end < page_count && pfns[end] == pfns[end - 1] + 1;) /* two ranges of RAM never touch */
            end++;
        mm_hide((uintptr_t)home(pfns[first]), (end - first) << PAGE_SHIFT);
        mm_frames_put(pfns[first], end - first);
    }
    mm_uncharge(MM_CHARGE_OTHER, page_count);
}

void mm_mdl_pages_pass(const PFN_NUMBER *pfns, size_t passed, size_t page_count)
{
    name_first(pfns + passed, page_count - passed);
    mm_mdl_pages_put(pfns, passed);
}

VOID MmFreePagesFromMdl(PMDL MemoryDescriptorList)
{
    PMDL mdl = MemoryDescriptorList;
    KE_REQUIRE_IRQL(mm_contiguous_free_irql);
    mm_mdl_stays_for_users(__func__, mdl);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    PFN_NUMBER *pfns = MmGetMdlPfnArray(mdl);
    size_t      pages = mm_mdl_pages(mdl), bad = 0;
    bool        unmaps = ke_windows_version == 0 || ke_windows_version >= NTDDI_WIN7; /* before that it was the driver's affair */
    pages_bad_t what = PAGES_GOOD;
    if (unmaps)
        mm_mdl_unmap(mdl);
    what = look_at(pfns, pages, &bad);
    if (what == PAGES_GOOD)
        mm_mdl_pages_put(pfns, pages);
    mm_mdl_clear(mdl, MDL_PAGES_LOCKED);
    ke_thread_leave(thread);
    if (what == PAGES_LOCKED)
        mm_stop_pinned(__func__, pfns[bad]);
    if (what == PAGES_NOT_OURS)
        ke_bugcheck(__func__, "A page was freed that MmAllocatePagesForMdl did not return, or that was freed already.", PFN_LIST_CORRUPT,
                    0x99, (ULONG_PTR)pfns[bad], pfns[bad] <= mm_highest_pfn ? mm_pfn_entry(pfns[bad])->list : MM_LISTS, 0);
}

/* ---- out of the machine ---- */

static size_t remove_run(const PFN_NUMBER *pfns, size_t page_count)
{
    mm_mdl_pages_put(pfns, page_count); /* somebody may be quicker now: then they stay */
    return NT_SUCCESS(mm_remove_ram(pfns[0], page_count)) ? page_count : 0;
}

size_t mm_mdl_pages_remove(PFN_NUMBER *pfns, size_t page_count)
{
    size_t removed = 0;
    for (size_t first = 0, end; first < page_count; first = end) {
        for (end = first + 1; end < page_count && pfns[end] == pfns[end - 1] + 1;)
            end++;
        size_t gone = remove_run(pfns + first, end - first);
        memmove(pfns + removed, pfns + first, gone * sizeof pfns[0]);
        removed += gone;
    }
    return removed;
}
