/*
 * space.c - rows of addresses for views: one slice for each process, and the system views.
 *
 *     below 2 GiB, where the host can     | slice 0 | slice 1 |  ...  | slice 15 |     one reservation; a process has one slice
 *     in the machine's reservation        | system views |                             every thread may touch them
 *
 * So the addresses of two processes differ, and a thread may touch those of a process that it is not attached to: Windows exchanges the lower
 * half of the address space instead. What a process has mapped is there for whoever gets its address.
 *
 * All spaces share the descriptor of paged pool's gate. The host allows a process only so many mappings; a part of them is for views:
 *
 *     a view, a private reservation, a copy     two: it splits what it lies in
 *     a page that is opened, by mprotect        up to two (page_gate.c counts)
 *
 * Locks   mm_paging_lock for all that changes. mm_space_find takes none: which slice an address lies in never changes.
 * Source  none (choice): Windows has one user address space for each process, in the lower half.
 */
#include "mm/mdl_user.h"
#include "mm/space.h"

#include <errno.h>
#include <string.h>

#include "ke/bugcheck.h"

#define FIRST_HINT ((uintptr_t)0x10000000) /* behind what links without -pie, before what a sanitizer or emulator takes */
#define LAST_HINT ((uintptr_t)0x40000000)
#define HINT_STEP ((uintptr_t)0x08000000)

mm_space_t        mm_system_views;
mm_region_t       mm_user_region;
uintptr_t         mm_user_probe_address;
static mm_space_t slices[MM_USER_SLICES];

static mm_view_t *views; /* MM_VIEWS_MOST of them; number 1 is the first */
static uint32_t   views_seen;
static mm_view_t *free_views;

/* ---- building ---- */

static int space_build(mm_space_t *space, mm_region_t region)
{
    size_t pages = region.bytes >> PAGE_SHIFT;
    *space = (mm_space_t){ .region = region, .table_bytes = pages * sizeof(uint64_t) + rt_runs_bytes(pages) };
    space->table_bytes = (space->table_bytes + host_page_size() - 1) / host_page_size() * host_page_size();
    space->tables = host_tables(space->table_bytes);
    if (space->tables == NULL)
        return -ENOMEM;
    space->ptes = space->tables;
    rt_runs_init(&space->runs, pages, (unsigned char *)space->tables + pages * sizeof(uint64_t));
    return host_gate_create_over(&space->gate, &mm_paged.gate, (void *)region.base, region.bytes, 0);
}

static void space_release(mm_space_t *space)
{
    host_gate_destroy(&space->gate);
    if (space->tables != NULL)
        host_release(space->tables, space->table_bytes);
    *space = (mm_space_t){ 0 };
}

static void reserve_slices(void)
{
    size_t bytes = MM_USER_SLICES * MM_USER_SLICE_BYTES;
    void  *at = NULL;
    for (uintptr_t hint = FIRST_HINT; at == NULL && hint <= LAST_HINT && sizeof(void *) > 4; hint += HINT_STEP)
        at = host_reserve_at((void *)hint, bytes);
    if (at == NULL) /* anywhere, then: a driver that compares with MmUserProbeAddress itself will not like it */
        at = host_reserve_aligned(bytes, MM_LARGE_PAGE_BYTES);
    mm_user_region = (mm_region_t){ (uintptr_t)at, at != NULL ? bytes : 0 };
    mm_user_probe_address = mm_user_region.base + mm_user_region.bytes;
}

int mm_spaces_build(void)
{
    if (mm_unbacked)
        return 0;
    reserve_slices();
    views = host_tables(MM_VIEWS_MOST * sizeof *views);
    if (views == NULL || space_build(&mm_system_views, mm_system_view_region) != 0 || mm_segments_build() != 0)
        return ke_error(-ENOMEM, "the host has no memory for the tables of views");
    return 0;
}

void mm_spaces_release(void)
{
    for (uint32_t i = 0; i < MM_USER_SLICES; i++)
        space_release(&slices[i]);
    space_release(&mm_system_views);
    mm_segments_release();
    if (views != NULL)
        host_release(views, MM_VIEWS_MOST * sizeof *views);
    views = free_views = NULL;
    views_seen = 0;
    if (mm_user_region.bytes != 0)
        host_release((void *)mm_user_region.base, mm_user_region.bytes);
    mm_user_region = (mm_region_t){ 0, 0 };
}

void mm_spaces_boot(void)
{
    mm_user_mappings_boot();
    mm_system_views.in_use = mm_system_views.tables != NULL;
    mm_view_locks_boot();
}

/* On a halted machine, too: no lock is taken, and what the tables say may be half done. */
static void forget_space(mm_space_t *space)
{
    if (!space->in_use)
        return;
    int status = host_gate_unmap(&space->gate, 0, space->region.bytes);
    NTMM_INVARIANT(status == 0, "views can be unmapped together");
    memset(space->secured, 0, sizeof space->secured);
    for (uint64_t at = rt_runs_next_used(&space->runs, 0); at < mm_space_pages(space); at = rt_runs_next_used(&space->runs, at + 1))
        space->ptes[at] = 0;
    rt_runs_reset(&space->runs);
    space->mappings = 0;
    space->in_use = false;
}

void mm_spaces_shutdown(void)
{
    if (mm_shared_table.tables == NULL)
        return;
    for (uint32_t i = 0; i < MM_USER_SLICES; i++)
        forget_space(&slices[i]);
    forget_space(&mm_system_views);
    mm_segments_shutdown();
    if (views_seen != 0)
        memset(views, 0, views_seen * sizeof *views);
    views_seen = 0;
    free_views = NULL;
    mm_clear_slots(&mm_shared);
}

/* ---- slices ---- */

static mm_space_t *free_slice_locked(void)
{
    for (uint32_t i = 0; i < MM_USER_SLICES && mm_user_region.bytes != 0; i++) {
        mm_region_t region = { mm_user_region.base + i * MM_USER_SLICE_BYTES, MM_USER_SLICE_BYTES };
        if (slices[i].in_use)
            continue;
        if (slices[i].tables == NULL && space_build(&slices[i], region) != 0) {
            space_release(&slices[i]);
            return NULL;
        }
        slices[i].number = i;
        return &slices[i];
    }
    return NULL;
}

mm_space_t *mm_space_create(void)
{
    ke_lock(&mm_paging_lock);
    mm_space_t *space = free_slice_locked();
    if (space != NULL)
        space->in_use = space->is_user = true;
    ke_unlock(&mm_paging_lock);
    if (space == NULL)
        ke_error(0, "%u processes have user memory already, or the host has no addresses for one", MM_USER_SLICES);
    return space;
}

void mm_space_destroy(mm_space_t *space)
{
    ke_lock(&mm_paging_lock);
    mm_user_mappings_forget_locked(space);
    mm_space_empty_locked(space);
    memset(space->secured, 0, sizeof space->secured);
    space->in_use = false;
    ke_unlock(&mm_paging_lock);
}

mm_space_t *mm_space_find(uintptr_t va)
{
    if (mm_in(&mm_system_view_region, va))
        return &mm_system_views;
    if (!mm_in(&mm_user_region, va))
        return NULL;
    mm_space_t *space = &slices[(va - mm_user_region.base) / MM_USER_SLICE_BYTES];
    return space->in_use ? space : NULL;
}

uint64_t mm_space_locked_pages(mm_space_t *space)
{
    uint64_t count = 0;
    ke_lock(&mm_paging_lock);
    for (uint64_t at = rt_runs_next_used(&space->runs, 0); at < mm_space_pages(space); at = rt_runs_next_used(&space->runs, at + 1))
        count += mm_slot_is_pinned_locked(mm_view_pte_slot(space->ptes[at]));
    ke_unlock(&mm_paging_lock);
    return count;
}

mm_region_t mm_space_region(const mm_space_t *space) { return space->region; }

void mm_spaces_visit_locked(void (*visit)(mm_space_t *space, void *context), void *context)
{
    for (uint32_t i = 0; i < MM_USER_SLICES; i++)
        if (slices[i].in_use)
            visit(&slices[i], context);
    if (mm_system_views.in_use)
        visit(&mm_system_views, context);
}

void mm_spaces_cover(bool covered)
{
    for (uint32_t i = 0; i < MM_USER_SLICES; i++)
        (void)host_gate_cover(&slices[i].gate, covered); /* nothing is mapped there yet: it cannot be refused */
    (void)host_gate_cover(&mm_system_views.gate, covered);
}

/* ---- the host's mappings ---- */

static void add_mappings(mm_space_t *space, void *context)
{
    size_t *count = context;
    *count += space->mappings + space->gate.mappings;
}

size_t mm_mappings_left(void)
{
    size_t used = 0, most = mm_mappings_for_views();
    mm_spaces_visit_locked(add_mappings, &used);
    return used < most ? most - used : 0;
}

void mm_space_gate_may_locked(mm_space_t *space)
{
    if (space->gate.kind == HOST_GATE_PROTECT)
        space->gate.mapping_limit = space->gate.mappings + mm_mappings_left();
}

NTSTATUS mm_no_mappings(void)
{
    ke_error(0, "views have as many host mappings as they may (%zu): unmap something, or raise the host's limit (vm.max_map_count)",
             mm_mappings_for_views());
    return STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- views ---- */

mm_view_t *mm_view_numbered(uint32_t number) { return &views[number - 1]; }
uint32_t   mm_view_number(const mm_view_t *view) { return (uint32_t)(view - views) + 1; }

mm_view_t *mm_view_new_locked(uint32_t *number)
{
    mm_view_t *view = free_views;
    if (view != NULL)
        free_views = view->next;
    else if (views_seen < MM_VIEWS_MOST)
        view = &views[views_seen++];
    else
        return NULL;
    *view = (mm_view_t){ 0 };
    *number = mm_view_number(view);
    return view;
}

void mm_view_delete_locked(mm_view_t *view)
{
    *view = (mm_view_t){ .next = free_views };
    free_views = view;
}
