/*
 * view_large.c - private memory made of large pages (MEM_LARGE_PAGES): each a run of frames at a multiple of its size, all there from the start, and
 * never paged out.
 *
 *     addresses      | 512 pages, at a multiple of 2 MiB | ...
 *     frames         | 512 frames in a row, at a multiple of 2 MiB |          each pinned once, as if it were locked for I/O
 *
 * The runs are found first, with no lock held, since other pages may have to make room; then the view is made, and its pages get the frames.
 *
 * Locks       mm_paging_lock where a name says so.
 * Source      Windows API: VirtualAlloc, "Large-Page Support".
 * Fidelity    2 MiB, as on x64. The processor does not see large pages; a driver does, by physical addresses. They count in the working set, where
 *             Windows does not count what cannot leave.
 */
#include "mm/pinned.h"
#include "mm/space.h"

#define LARGE_PAGES (MM_LARGE_PAGE_BYTES >> PAGE_SHIFT)

static mm_pfn_number_t get_run(void)
{
    mm_frame_want_t want = { .page_count = LARGE_PAGES, .high = UINT64_MAX >> PAGE_SHIFT, .align = LARGE_PAGES, .node = MM_ANY_NODE };
    mm_pfn_number_t first = mm_frames_get(&want, NULL);
    return first == MM_PFN_NONE && mm_reclaim_for_run(LARGE_PAGES) ? mm_frames_get(&want, NULL) : first;
}

bool mm_large_frames_get(size_t count, mm_large_frames_t *frames)
{
    *frames = (mm_large_frames_t){ 0 };
    for (mm_pfn_number_t first; frames->count < count; frames->first[frames->count++] = first)
        if ((first = get_run()) == MM_PFN_NONE) {
            mm_large_frames_put(frames);
            return false;
        }
    return true;
}

void mm_large_frames_put(mm_large_frames_t *frames)
{
    while (frames->count != 0)
        mm_frames_put(frames->first[--frames->count], LARGE_PAGES);
}

static uint64_t pte_of(const mm_view_t *view, size_t i) { return *mm_prototype(view->space->ptes[view->first + i]); }

static void unpin(const mm_view_t *view, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)mm_frame_unpin_pageable_locked(mm_pte_pfn(pte_of(view, i)));
}

NTSTATUS mm_view_fill_large_locked(mm_view_t *view, mm_large_frames_t *frames)
{
    for (size_t i = 0; i < view->page_count; i++) {
        mm_pfn_number_t pfn = frames->first[i / LARGE_PAGES] + i % LARGE_PAGES;
        mm_page_home_is(pfn, false);
        int status = mm_page_make_locked(&mm_shared, mm_view_pte_slot(view->space->ptes[view->first + i]), 1, &pfn, true, 0);
        NTMM_INVARIANT(status == 0, "what has no gate of its own cannot fail to be opened");
    }
    frames->count = 0;
    for (size_t i = 0; i < view->page_count; i++)
        if (!mm_frame_pin_pageable_locked(mm_pte_pfn(pte_of(view, i)))) {
            unpin(view, i);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    view->large = true;
    mm_view_open_locked(view->space, view->first, view->page_count);
    return STATUS_SUCCESS;
}

void mm_view_unpin_large_locked(mm_view_t *view)
{
    if (view->large)
        unpin(view, view->page_count);
    view->large = false;
}
