/*
 * check.c - does everything that mm writes twice say the same both times?
 *
 *     run space    a unit is free           <->  the frame's list is zeroed or free, and nothing else is known of the frame
 *     counts       zeroed, free             ==   what the PFN entries say
 *     caches       the frames in them       ==   the frames that are MM_CACHED, each once
 *     lists        next, prev, count        ==   the frames whose entry names the list
 *     PTEs         valid                    <->  the page is taken; its frame is active, and a frame that backs one page points back at it
 *     pageable     states of page_state.c   <->  the PFN entry, the list, the slot of the page file
 *     working set  frames on it             ==   valid PTEs of pageable regions
 *     page file    slots in use             ==   slots that PTEs and PFN entries name, each once
 *     views        view_check.c
 *     pools        pages held by paged pool ==   PTEs of its region that are taken
 *     commit       pages charged that must be in RAM  <=   frames in use
 *     host         mappings counted         ==   mappings that the PTEs make
 *     I/O space    pages counted as mapped  ==   PTEs that name them; windows overlap neither each other nor RAM
 *
 * Every other thread is outside the library while this runs. Machines of up to a million frames have every PFN entry looked at; of larger
 * ones those that were ever handed out.
 */
#include "ke/bugcheck.h"
#include "mm/charge.h"
#include "mm/frame_cache.h"
#include "mm/io_space.h"
#include "mm/paging.h"
#include "mm/space.h"
#include "mm/system_pte.h"

#define LOOK_AT_ALL_FRAMES ((uint64_t)1 << 20)
#define SEEN 0x80u /* entry.flags of a cached frame, while the caches are checked */

typedef struct frame_check {
    const mm_run_space_t *space;
    uint64_t              on_list[MM_LISTS], looked_at;
    bool                  sound;
} frame_check_t;

typedef unsigned long long ull;

static bool is_blank(const mm_pfn_t *entry) /* nothing is known of the frame but its list */
{
    return entry->next == 0 && entry->prev == 0 && atomic_load_explicit(&entry->pins, memory_order_relaxed) == 0 && entry->was == 0 &&
           entry->cache == 0 && entry->flags == 0 && entry->owner.bytes == 0 && entry->owner.tag == 0 && entry->owner.use == 0;
}

static bool check_mapped(mm_pfn_number_t pfn, const mm_pfn_t *entry)
{
    if (entry->mapped.use != MM_USE_MAPPED || mm_pte_pfn(mm_pte_of(entry->mapped.va)) == pfn)
        return true;
    return ke_error(false, "frame 0x%llx backs the page at 0x%llx, whose PTE names another frame", (ull)pfn, (ull)entry->mapped.va);
}

static bool check_frame(frame_check_t *check, mm_pfn_number_t pfn)
{
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    bool            is_free = rt_runs_is_free(&check->space->runs.runs, pfn - check->space->first_pfn);
    if (entry->list >= MM_LISTS)
        return ke_error(false, "frame 0x%llx is on list %u, which is none", (ull)pfn, entry->list);
    check->on_list[entry->list]++;
    check->looked_at++;
    if (is_free != (entry->list <= MM_FREE))
        return ke_error(false, "frame 0x%llx is on list %u, but its run space has it as %s", (ull)pfn, entry->list,
                        is_free ? "free" : "used");
    if (is_free && !is_blank(entry))
        return ke_error(false, "frame 0x%llx is free, and its PFN entry still tells of an owner", (ull)pfn);
    if (entry->list == MM_ACTIVE)
        return check_mapped(pfn, entry);
    if (entry->list < MM_STANDBY && (entry->next != 0 || entry->prev != 0))
        return ke_error(false, "frame 0x%llx is linked, and on list %u, which is not", (ull)pfn, entry->list);
    return true;
}

static void check_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    frame_check_t *check = context;
    for (uint64_t unit = first_unit; unit < first_unit + unit_count && check->sound; unit++)
        check->sound = check_frame(check, check->space->first_pfn + unit);
}

static bool check_spaces(frame_check_t *check)
{
    uint64_t free_count = 0;
    for (uint32_t i = 0; i < mm_frames.space_count && check->sound; i++) {
        rt_run_space_t *runs = &mm_frames.space[i].runs;
        const char     *what = "";
        if (!runs->policy->check(runs, &what))
            return ke_error(false, "run space of frame 0x%llx: %s", (ull)mm_frames.space[i].first_pfn, what);
        free_count += runs->free_count;
        check->space = &mm_frames.space[i];
        if (mm_frames.map.page_count <= LOOK_AT_ALL_FRAMES)
            check_leaf(check, 0, check->space->page_count);
        else
            rt_runs_visit_touched(&runs->runs, check_leaf, check);
    }
    if (check->sound && free_count != mm_frames.zeroed + mm_frames.free)
        return ke_error(false, "%llu frames are free in the run spaces, %llu by count", (ull)free_count,
                        (ull)(mm_frames.zeroed + mm_frames.free));
    check->on_list[MM_ZEROED] += mm_frames.map.page_count - check->looked_at; /* never handed out */
    return check->sound;
}

static bool check_counts(const frame_check_t *check)
{
    if (check->on_list[MM_ZEROED] != mm_frames.zeroed || check->on_list[MM_FREE] != mm_frames.free)
        return ke_error(false, "%llu frames are zeroed and %llu free, but %llu and %llu are counted", (ull)check->on_list[MM_ZEROED],
                        (ull)check->on_list[MM_FREE], (ull)mm_frames.zeroed, (ull)mm_frames.free);
    for (uint32_t list = MM_STANDBY; list <= MM_BAD; list++)
        if (check->on_list[list] != mm_frames.list[list].count)
            return ke_error(false, "%llu frames say that they are on list %u, which counts %llu", (ull)check->on_list[list], list,
                            (ull)mm_frames.list[list].count);
    return true;
}

static bool check_list(uint32_t list)
{
    const mm_page_list_t *pages = &mm_frames.list[list];
    uint32_t              prev = 0, at = pages->head;
    for (uint64_t i = 0; i < pages->count; i++) {
        if (at == 0 || !mm_pfn_is_ram_locked(at - 1) || mm_pfn_entry(at - 1)->list != list || mm_pfn_entry(at - 1)->prev != prev)
            return ke_error(false, "list %u is broken at its entry %llu", list, (ull)i);
        prev = at;
        at = mm_pfn_entry(at - 1)->next;
    }
    if (at != 0 || pages->tail != prev)
        return ke_error(false, "list %u does not end where its count says", list);
    return true;
}

/* ---- caches ---- */

static bool see_cached(mm_pfn_number_t pfn, uint64_t *seen)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    if (!mm_pfn_is_ram_locked(pfn) || entry->list != MM_CACHED)
        return ke_error(false, "a frame cache holds frame 0x%llx, which is not cached", (ull)pfn);
    if ((entry->flags & SEEN) != 0)
        return ke_error(false, "frame 0x%llx is in frame caches twice", (ull)pfn);
    entry->flags |= SEEN;
    ++*seen;
    return true;
}

static bool belongs_in(const mm_frame_cache_t *cache, uint32_t kind, uint32_t pfn)
{
    return mm_node_of_frame(pfn) == cache->node && (kind != MM_ZEROED || mm_pfn_entry(pfn)->was == MM_ZEROED);
}

static bool check_stack(mm_frame_cache_t *cache, uint32_t kind, uint64_t *seen)
{
    uint32_t top = mm_cache_top(cache, kind);
    if (top != 0 && (!see_cached(top, seen) || !belongs_in(cache, kind, top)))
        return ke_error(false, "a frame cache of node %u is broken at frame 0x%x, on top", cache->node, top);
    for (uint32_t i = 0; i < mm_cache_count(cache, kind); i++) {
        uint32_t pfn = *mm_cache_slot(cache, kind, i);
        if (!see_cached(pfn, seen) || !belongs_in(cache, kind, pfn))
            return ke_error(false, "a frame cache of node %u is broken at frame 0x%x", cache->node, pfn);
    }
    return true;
}

static bool check_cache(mm_frame_cache_t *cache, uint64_t *seen)
{
    uint32_t count = mm_cache_count(cache, MM_ZEROED) + mm_cache_count(cache, MM_FREE);
    if (count > MM_FRAME_CACHE_FRAMES)
        return ke_error(false, "a frame cache says that it holds %u frames", count);
    return check_stack(cache, MM_ZEROED, seen) && check_stack(cache, MM_FREE, seen);
}

static void unsee(mm_frame_cache_t *cache)
{
    for (uint32_t kind = MM_ZEROED; kind <= MM_FREE; kind++) {
        for (uint32_t i = 0; i < mm_cache_count(cache, kind); i++)
            mm_pfn_entry(*mm_cache_slot(cache, kind, i))->flags &= (uint8_t)~SEEN;
        if (mm_cache_top(cache, kind) != 0)
            mm_pfn_entry(mm_cache_top(cache, kind))->flags &= (uint8_t)~SEEN;
    }
}

static bool check_caches(uint64_t cached)
{
    uint64_t seen = 0;
    bool     sound = true;
    for (ke_thread_t *t = ke_thread_first(); t != NULL && sound; t = t->next)
        sound = check_cache(mm_frame_cache_of(t), &seen);
    for (ke_thread_t *t = ke_thread_first(); t != NULL && sound; t = t->next)
        unsee(mm_frame_cache_of(t));
    if (sound && seen != cached)
        return ke_error(false, "%llu frames are cached, and %llu are in caches", (ull)cached, (ull)seen);
    return sound;
}

/* ---- PTEs ---- */

typedef struct table_check {
    uint64_t taken, valid, file_slots;
    bool     sound;
} table_check_t;

static bool check_system_page(const mm_page_table_t *table, size_t index)
{
    uint64_t pte = table->ptes[index];
    ull      va = mm_table_va(table, index);
    bool     taken = !rt_runs_is_free(&table->runs, index);
    if (mm_pte_is_valid(pte) && taken && (pte & (MM_PTE_HOME | MM_PTE_IO)) != 0)
        return true; /* mapped by physical address: io_pages.c counts, and the frame may have gone to somebody else */
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    uint8_t         use = table->owners[index].use;
    if (!mm_pte_is_valid(pte))
        return pte == 0 || (taken && (use == MM_USE_MDL || use == MM_USE_MDL_TAIL)) || /* PAGE_NOACCESS */
               ke_error(false, "the PTE of 0x%llx is 0x%llx, which is neither valid nor empty", va, (ull)pte);
    if (taken && mm_pfn_is_ram_locked(pfn) && mm_pfn_entry(pfn)->list == MM_ACTIVE)
        return true;
    return ke_error(false, "the page at 0x%llx is mapped to frame 0x%llx, but %s", va, (ull)pfn,
                    taken ? "that is not active" : "is not taken");
}

/* A frame, and the state that PTE, list and page file give the page. */
static bool check_page_with_frame(table_check_t *check, ull va, uint64_t pte)
{
    mm_pfn_number_t pfn = mm_pte_pfn(pte);
    const mm_pfn_t *entry = mm_pfn_is_ram_locked(pfn) ? mm_pfn_entry(pfn) : NULL;
    if (entry == NULL || entry->mapped.use != MM_USE_MAPPED || entry->mapped.va != va)
        return ke_error(false, "frame 0x%llx does not point back at its pageable page at 0x%llx", (ull)pfn, va);
    uint32_t file_slot = entry->mapped.file_slot;
    check->valid += mm_pte_is_valid(pte);
    check->file_slots += mm_is_page_file_slot(file_slot);
    if (mm_pte_is_valid(pte) && entry->list == MM_ACTIVE)
        return file_slot == 0 || (pte & MM_PTE_DIRTY) == 0 ||
               ke_error(false, "the page at 0x%llx is dirty and still has slot 0x%x of the page file", va, file_slot);
    if (!mm_pte_is_valid(pte) && entry->list == (file_slot != 0 ? MM_STANDBY : MM_MODIFIED))
        return true;
    return ke_error(false, "the page at 0x%llx has PTE 0x%llx and slot 0x%x of the page file, but its frame 0x%llx is on list %u", va,
                    (ull)pte, file_slot, (ull)pfn, entry->list);
}

static bool check_pageable_page(table_check_t *check, const mm_page_table_t *table, size_t index)
{
    const uint64_t left = MM_PTE_STALE_SLOT | MM_PTE_GATE_OPEN;
    uint64_t       pte = table->ptes[index];
    ull            va = mm_table_va(table, index);
    bool           has_address = !rt_runs_is_free(&table->runs, index), taken = mm_pte_is_taken(pte);
    bool           fits = table == &mm_shared_table ? has_address || !taken : has_address == taken; /* shared pages can be reserved */
    if (!fits || (!taken && (pte & ~left) != 0))
        return ke_error(false, "the pageable page at 0x%llx is %s, and its PTE is 0x%llx", va, has_address ? "taken" : "free", (ull)pte);
    check->taken += taken;
    if (mm_pte_has_frame(pte))
        return check_page_with_frame(check, va, pte);
    check->file_slots += mm_is_page_file_slot(mm_pte_file_slot(pte));
    return !taken || (pte & MM_PTE_GATE_OPEN) == 0 || ke_error(false, "the gate of the absent page at 0x%llx is open", va);
}

static void check_table_page(void *context, mm_page_table_t *table, size_t index)
{
    table_check_t *check = context;
    if (check->sound)
        check->sound = table != &mm_system_table ? check_pageable_page(check, table, index) : check_system_page(table, index);
}

static bool check_table(mm_page_table_t *table, table_check_t *check)
{
    const char *what = "";
    check->sound = true;
    if (table->tables == NULL)
        return true;
    if (!rt_runs_check(&table->runs, &what))
        return ke_error(false, "run index of the region at 0x%llx: %s", (ull)table->region->base, what);
    mm_table_visit(table, check_table_page, check);
    return check->sound;
}

static bool check_working_set(uint64_t valid)
{
    uint32_t prev = 0, at = mm_working_set.head;
    uint64_t length = 0;
    for (; at != 0 && length <= valid; length++) {
        const mm_pfn_t *entry = mm_pfn_is_ram_locked(at - 1) ? mm_pfn_entry(at - 1) : NULL;
        if (entry == NULL || entry->list != MM_ACTIVE || entry->prev != prev || !mm_frame_is_pageable(entry))
            return ke_error(false, "the working set is broken at its page %llu", (ull)length);
        prev = at;
        at = entry->next;
    }
    if (length == valid && mm_working_set.count == valid && mm_working_set.tail == prev)
        return true;
    return ke_error(false, "%llu pageable pages are valid, and the working set has %llu", (ull)valid, (ull)length);
}

static bool check_page_file(uint64_t named)
{
    const char *what = "";
    if (!mm_page_file_check(&what))
        return ke_error(false, "index of the page file: %s", what);
    return mm_page_file_used_locked() == named ||
           ke_error(false, "%llu slots of the page file are in use, and pages name %llu", (ull)mm_page_file_used_locked(), (ull)named);
}

static bool check_tables(void)
{
    table_check_t system = { 0 }, paged = { 0 }, shared = { 0 };
    if (!check_table(&mm_system_table, &system) || !check_table(&mm_paged_table, &paged) || !check_table(&mm_shared_table, &shared))
        return false;
    if (paged.taken != mm_pool_page_count(MM_PAGED))
        return ke_error(false, "paged pool has %llu pages, and says that it holds %zu", (ull)paged.taken, mm_pool_page_count(MM_PAGED));
    return check_working_set(paged.valid + shared.valid) && check_page_file(paged.file_slots + shared.file_slots) &&
           mm_system_pte_check() && mm_views_check();
}

static bool check_commit(const frame_check_t *check)
{
    uint64_t committed = mm_gauge_now(MM_GAUGE_COMMITTED), fixed = committed - mm_pageable_now();
    if (fixed <= check->on_list[MM_ACTIVE])
        return true;
    return ke_error(false, "%llu pages that must be in RAM are committed, but only %llu frames are in use", (ull)fixed,
                    (ull)check->on_list[MM_ACTIVE]);
}

bool mm_check(void)
{
    bool          lock = atomic_load_explicit(&ke_machine_state, memory_order_relaxed) != KE_MACHINE_HALTED;
    frame_check_t check = { .sound = true };
    if (lock) {
        ke_lock(&mm_paging_lock);
        ke_lock(&mm_pfn_lock);
    }
    bool sound = check_spaces(&check) && check_counts(&check) && check_caches(check.on_list[MM_CACHED]);
    for (uint32_t list = MM_STANDBY; list <= MM_BAD && sound; list++)
        sound = check_list(list);
    sound = sound && check_tables() && (!lock || check_commit(&check)); /* who was stopped on the way may have been charged already */
    if (lock) {
        ke_unlock(&mm_pfn_lock);
        ke_unlock(&mm_paging_lock);
    }
    return sound && mm_io_space_check();
}
