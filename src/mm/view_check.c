/*
 * view_check.c - do spaces, views, prototypes and owners say the same?
 *
 *     PTE of a space     a view        <->  the view covers the address, and it is not free in the run index
 *                        a slot        <->  the slot is taken, and its owner is this address, or the segment of the view
 *                        open          ->   the prototype is valid
 *     charges            private       ==   PTEs that are charged        section   ==   what segments say
 *     mappings           of a space    ==   what its views, copies and MDLs make
 *
 * Locks   mm_paging_lock is held by mm_check, or the machine has halted.
 */
#include "ke/bugcheck.h"
#include "mm/charge.h"
#include "mm/mdl_user.h"
#include "mm/space.h"

typedef unsigned long long ull;

typedef struct view_check {
    uint64_t charged;
    bool     sound;
} view_check_t;

static bool owner_fits(const mm_space_t *space, size_t index, uint64_t pte, const mm_view_t *view)
{
    size_t   slot = mm_view_pte_slot(pte);
    uint64_t owner = mm_shared_table.owners[slot].bytes;
    if (slot >= mm_table_pages(&mm_shared_table) || rt_runs_is_free(&mm_shared_table.runs, slot))
        return false;
    if (view->segment == NULL || (pte & MM_VIEW_COPIED) != 0)
        return owner == (mm_space_va(space, index) | 1);
    return owner == (uintptr_t)view->segment && mm_segment_is_sound(view->segment) &&
           slot == view->segment->first_slot + (size_t)view->first_page + (index - view->first);
}

static bool check_page(view_check_t *check, const mm_space_t *space, size_t index)
{
    uint64_t         pte = space->ptes[index];
    ull              va = mm_space_va(space, index);
    const mm_view_t *view = pte != 0 && mm_view_pte_view(pte) != 0 ? mm_view_numbered(mm_view_pte_view(pte)) : NULL;
    if ((pte != 0) == rt_runs_is_free(&space->runs, index))
        return ke_error(false, "the page at 0x%llx has PTE 0x%llx, and the index of its space says otherwise", va, (ull)pte);
    if (pte == 0)
        return true;
    if (view == NULL || view->space != space || index < view->first || index >= view->first + view->page_count)
        return ke_error(false, "the page at 0x%llx has PTE 0x%llx, whose view does not cover it", va, (ull)pte);
    if (!owner_fits(space, index, pte, view))
        return ke_error(false, "the page at 0x%llx has PTE 0x%llx, and its slot belongs to another", va, (ull)pte);
    check->charged += (pte & MM_VIEW_CHARGED) != 0;
    if (view->segment == NULL && mm_view_pte_is_committed(pte) != ((pte & MM_VIEW_CHARGED) != 0))
        return ke_error(false, "the private page at 0x%llx has PTE 0x%llx, and its commit charge does not fit", va, (ull)pte);
    if ((pte & MM_VIEW_OPEN) != 0 && !mm_pte_is_valid(*mm_prototype(pte)))
        return ke_error(false, "the page at 0x%llx is open, and its prototype PTE is 0x%llx", va, (ull)*mm_prototype(pte));
    return true;
}

static void check_space(mm_space_t *space, void *context)
{
    view_check_t *check = context;
    const char   *what = "";
    size_t        mappings = mm_user_mapping_stretches_locked(space);
    if (check->sound && !rt_runs_check(&space->runs, &what))
        check->sound = ke_error(false, "run index of the space at 0x%llx: %s", (ull)space->region.base, what);
    for (size_t i = 0; i < mm_space_pages(space) && check->sound; i++) {
        uint64_t pte = space->ptes[i];
        check->sound = check_page(check, space, i);
        if (check->sound && pte != 0)
            mappings += 2u * (size_t)((pte & MM_VIEW_COPIED) != 0) + 2u * (size_t)(mm_view_numbered(mm_view_pte_view(pte))->first == i);
    }
    if (check->sound && mappings != space->mappings)
        check->sound = ke_error(false, "views and copies of the space at 0x%llx make %zu mappings, and %zu are counted",
                                (ull)space->region.base, mappings, space->mappings);
}

bool mm_views_check(void)
{
    view_check_t check = { .sound = true };
    if (mm_shared_table.tables == NULL)
        return true;
    mm_spaces_visit_locked(check_space, &check);
    if (!check.sound)
        return false;
    uint64_t private = mm_held(MM_CHARGE_PRIVATE);
    if (check.charged != private || mm_segments_charged() != mm_held(MM_CHARGE_SECTION))
        return ke_error(false, "spaces and segments are charged for %llu and %llu pages; %llu and %llu are counted", (ull)check.charged,
                        (ull)mm_segments_charged(), (ull) private, (ull)mm_held(MM_CHARGE_SECTION));
    return true;
}
