/*
 * pfn.c - frames: which are free, and the lists of those that are not quite.
 * Zeroed and free frames are not linked to each other: they are bits of a run space, one for each range of RAM, so that a run of them is
 * found as easily as one. Whether a free frame is zeroed is in its PFN entry. The other lists are linked through the entries.
 *
 * Preference  memory above 4 GiB first, then 16 MiB to 4 GiB, then 1 to 16 MiB, below 1 MiB last: a device that can reach little finds
 *             something left. Lowest address first inside each, so that the same calls give the same frames; frames for slots, whose homes
 *             nobody writes to, from the middle of a range on, so that those at the beginning stay in use for what is at home: the host has
 *             given their bytes already.
 * Invariants  a frame that is free in its run space is MM_ZEROED or MM_FREE, any other is neither      (mm_check verifies all of them)
 *             zeroed + free == sum of the run spaces' free counts
 *             a frame never handed out since boot has an entry of 32 zero bytes, and zero bytes at home
 * Locks       mm_pfn_lock, short; calls nothing but rtl while held (a changed RAM map needs host memory, once).
 * Elsewhere   single frames: frame_cache.c. The layout of RAM: ram_map.c. Bytes: machine.c.
 */
#include "mm/pfn.h"

#include <errno.h>
#include <string.h>

#include "mm/frame_cache.h"

#define ZEROED_PROBES 64u

mm_frames_t mm_frames;
ke_lock_t   mm_pfn_lock = KE_LOCK_INIT(KE_RANK_MM_PFN);

/* ---- run spaces ---- */

static int space_init(mm_run_space_t *space, const mm_ram_range_t *range, const rt_run_policy_t *policy)
{
    *space = (mm_run_space_t){ .first_pfn = range->first_pfn, .page_count = range->page_count };
    space->slots_from = space->zeroed_from = range->page_count / 2;
    space->private_bytes = policy->bytes(range->page_count);
    void *bytes = space->private_bytes != 0 ? host_tables(space->private_bytes) : NULL;
    if (bytes == NULL && space->private_bytes != 0)
        return -ENOMEM;
    space->runs.policy = policy;
    space->runs.unit_count = range->page_count;
    space->runs.origin = range->first_pfn;
    space->runs.state = &mm_pfn_database[range->first_pfn].list;
    space->runs.state_stride = sizeof(mm_pfn_t);
    space->runs.private_bytes = bytes;
    policy->init(&space->runs);
    return 0;
}

static void space_release(mm_run_space_t *space)
{
    if (space->runs.private_bytes != NULL)
        host_release(space->runs.private_bytes, space->private_bytes);
    *space = (mm_run_space_t){ 0 };
}

/* Node k owns an equal share of the frames, in address order. */
static void set_nodes(uint32_t node_count)
{
    const mm_ram_map_t *map = &mm_frames.map;
    mm_frames.node_count = node_count;
    mm_frames.node_first[0] = 0;
    for (uint32_t k = 1; k < node_count; k++)
        mm_frames.node_first[k] = mm_ram_map_nth(map, map->page_count * k / node_count);
    mm_frames.node_first[node_count] = UINT64_MAX;
}

static void set_empty_lists(void)
{
    mm_frames.zeroed = mm_frames.map.page_count;
    mm_frames.free = 0;
    memset(mm_frames.list, 0, sizeof mm_frames.list);
}

int mm_frames_boot(const mm_ram_map_t *map, const rt_run_policy_t *policy, uint32_t node_count)
{
    mm_frames.map = *map;
    mm_frames.policy = policy;
    for (uint32_t i = 0; i < map->range_count; i++) {
        if (space_init(&mm_frames.space[i], &map->range[i], policy) != 0) {
            mm_frames_release();
            return ke_error(-ENOMEM, "the host has no memory for the index of free frames");
        }
        mm_frames.space_count = i + 1;
    }
    set_nodes(node_count);
    set_empty_lists();
    return 0;
}

void mm_frames_reset(const mm_ram_map_t *map, uint32_t node_count)
{
    NTMM_INVARIANT(map->range_count == mm_frames.space_count, "the same map as before");
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        mm_frames.policy->reset(&mm_frames.space[i].runs);
        mm_frames.space[i].zeroed_from = mm_frames.space[i].slots_from;
    }
    set_nodes(node_count);
    set_empty_lists();
}

void mm_frames_release(void)
{
    for (uint32_t i = 0; i < mm_frames.space_count; i++)
        space_release(&mm_frames.space[i]);
    mm_frames.space_count = 0;
}

mm_run_space_t *mm_run_space_of(mm_pfn_number_t pfn)
{
    int32_t i = mm_ram_map_find(&mm_frames.map, pfn);
    return i < 0 ? NULL : &mm_frames.space[i];
}

bool mm_pfn_is_ram_locked(mm_pfn_number_t pfn) { return mm_ram_map_contains(&mm_frames.map, pfn); }

bool mm_pfn_is_ram(mm_pfn_number_t pfn)
{
    if (atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED)
        return mm_pfn_is_ram_locked(pfn); /* whoever held the lock may never give it back */
    ke_lock(&mm_pfn_lock);
    bool is_ram = mm_pfn_is_ram_locked(pfn);
    ke_unlock(&mm_pfn_lock);
    return is_ram;
}

uint32_t mm_node_of_frame(mm_pfn_number_t pfn)
{
    uint32_t node = 0;
    while (mm_frames.node_first[node + 1] <= pfn)
        node++;
    return node;
}

/* ---- a changed map ---- */

typedef struct space_copy {
    mm_run_space_t       *to;
    const mm_run_space_t *from;
} space_copy_t;

/* All of a touched leaf is taken and its free frames given back: `to` knows then which are used, and that the others were, too. */
static void copy_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    const space_copy_t *copy = context;
    mm_run_space_t     *to = copy->to;
    const rt_runs_t    *runs = &copy->from->runs.runs;
    uint64_t            base = copy->from->first_pfn, first = base + first_unit, to_end = to->first_pfn + to->page_count;
    uint64_t            low = first > to->first_pfn ? first : to->first_pfn;
    uint64_t            high = first + unit_count < to_end ? first + unit_count : to_end;
    if (low >= high)
        return;
    to->runs.policy->take(&to->runs, low - to->first_pfn, high - low);
    for (uint64_t at = low; at < high;) {
        uint64_t free = rt_runs_next_free(runs, at - base);
        if (free == RT_RUNS_NONE || free + base >= high)
            return;
        at = rt_runs_next_used(runs, free) + base;
        at = at < high ? at : high;
        to->runs.policy->give(&to->runs, free + base - to->first_pfn, at - free - base);
    }
}

static mm_run_space_t new_space[MM_RAM_RANGES_MAX]; /* under mm_pfn_lock: a map changes rarely and is too large for a kernel stack */

int mm_frames_remap_locked(const mm_ram_map_t *map)
{
    for (uint32_t i = 0; i < map->range_count; i++) {
        if (space_init(&new_space[i], &map->range[i], mm_frames.policy) == 0)
            continue;
        while (i-- > 0)
            space_release(&new_space[i]);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < map->range_count; i++)
        for (uint32_t j = 0; j < mm_frames.space_count; j++)
            rt_runs_visit_touched(&mm_frames.space[j].runs.runs, copy_leaf, &(space_copy_t){ &new_space[i], &mm_frames.space[j] });
    mm_frames_release();
    memcpy(mm_frames.space, new_space, map->range_count * sizeof new_space[0]);
    mm_frames.space_count = map->range_count;
    mm_frames.map = *map;
    return 0;
}

/* ---- searching ---- */

typedef struct window { /* PFNs, inclusive */
    uint64_t low, high;
} window_t;

#define ZONES 4u
static window_t zone(uint32_t i)
{
    static const uint64_t edge[ZONES + 1] = { 0, (uint64_t)1 << 20, (uint64_t)1 << 24, (uint64_t)1 << 32, 0 }; /* bytes */
    uint32_t              at = ZONES - 1 - i;
    return (window_t){ edge[at] >> PAGE_SHIFT, i == 0 ? UINT64_MAX : (edge[at + 1] >> PAGE_SHIFT) - 1 };
}

static window_t intersect(window_t a, window_t b) { return (window_t){ a.low > b.low ? a.low : b.low, a.high < b.high ? a.high : b.high }; }

static window_t node_window(uint32_t node)
{
    if (node == MM_ANY_NODE)
        return (window_t){ 0, UINT64_MAX };
    if (node >= mm_frames.node_count || mm_frames.node_first[node] >= mm_frames.node_first[node + 1])
        return (window_t){ 1, 0 }; /* no such node, or one without frames: nothing */
    return (window_t){ mm_frames.node_first[node], mm_frames.node_first[node + 1] - 1 };
}

static window_t space_window(const mm_run_space_t *space)
{
    return (window_t){ space->first_pfn, space->first_pfn + space->page_count - 1 };
}

static mm_pfn_number_t find_in_space(const mm_frame_want_t *want, mm_run_space_t *space, window_t window)
{
    window_t w = intersect(window, space_window(space));
    if (w.low > w.high || w.high - w.low < want->page_count - 1)
        return MM_PFN_NONE;
    rt_runs_want_t runs = { .count = want->page_count,
                            .low = w.low - space->first_pfn,
                            .high = w.high - space->first_pfn + 1,
                            .align = want->align,
                            .boundary = want->boundary,
                            .origin = space->first_pfn };
    uint64_t       start = space->runs.policy->find(&space->runs, &runs);
    return start != RT_RUNS_NONE ? space->first_pfn + start : MM_PFN_NONE;
}

static mm_pfn_number_t find_in_zones(const mm_frame_want_t *want, window_t all)
{
    for (uint32_t i = 0; i < ZONES; i++) {
        window_t window = intersect(all, zone(i));
        for (uint32_t k = 0; k < mm_frames.space_count; k++) {
            mm_pfn_number_t first = find_in_space(want, &mm_frames.space[k], window);
            if (first != MM_PFN_NONE)
                return first;
        }
    }
    return MM_PFN_NONE;
}

static uint32_t zone_of(uint64_t pfn)
{
    uint32_t i = 0;
    while (zone(i).low > pfn)
        i++;
    return i;
}

/* A run may lie across the edge of two zones, in a range of RAM that does. */
static mm_pfn_number_t find_across_zones(const mm_frame_want_t *want, window_t all)
{
    for (uint32_t k = 0; k < mm_frames.space_count && want->page_count > 1; k++) {
        window_t space = space_window(&mm_frames.space[k]);
        if (zone_of(space.low) == zone_of(space.high))
            continue;
        mm_pfn_number_t first = find_in_space(want, &mm_frames.space[k], all);
        if (first != MM_PFN_NONE)
            return first;
    }
    return MM_PFN_NONE;
}

mm_pfn_number_t mm_frames_find_locked(const mm_frame_want_t *want)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_pfn_lock), "mm_pfn_lock is held");
    window_t all = intersect((window_t){ want->low, want->high }, node_window(want->node));
    if (want->page_count == 0 || (want->boundary != 0 && want->page_count > want->boundary))
        return MM_PFN_NONE;
    mm_pfn_number_t first = find_in_zones(want, all);
    return first != MM_PFN_NONE ? first : find_across_zones(want, all);
}

bool mm_frames_all_free_locked(mm_pfn_number_t first, uint64_t page_count)
{
    mm_run_space_t *space = mm_run_space_of(first);
    if (space == NULL || page_count > space->page_count - (first - space->first_pfn))
        return false;
    uint64_t used = rt_runs_next_used(&space->runs.runs, first - space->first_pfn);
    return used >= first - space->first_pfn + page_count;
}

/* ---- taking and giving ---- */

static void count_out(uint64_t zeroed, uint64_t page_count)
{
    mm_frames.zeroed -= zeroed;
    mm_frames.free -= page_count - zeroed;
}

static uint32_t take_singles_in_window(window_t window, uint32_t *pfns, uint32_t most)
{
    uint64_t units[MM_FRAME_CACHE_BATCH];
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        mm_run_space_t *space = &mm_frames.space[i];
        window_t        w = intersect(window, space_window(space));
        if (w.low > w.high)
            continue;
        uint32_t count =
            space->runs.policy->take_singles(&space->runs, w.low - space->first_pfn, w.high - space->first_pfn + 1, units, most);
        for (uint32_t k = 0; k < count; k++) {
            pfns[k] = (uint32_t)(space->first_pfn + units[k]);
            mm_pfn_t *entry = mm_pfn_entry(pfns[k]);
            count_out(entry->list == MM_ZEROED, 1);
            mm_pfn_set_list(entry, MM_CACHED, (mm_list_t)entry->list);
        }
        if (count != 0)
            return count;
    }
    return 0;
}

uint32_t mm_frames_take_singles_locked(uint32_t node, uint32_t *pfns, uint32_t most)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_pfn_lock), "mm_pfn_lock is held");
    most = most < MM_FRAME_CACHE_BATCH ? most : MM_FRAME_CACHE_BATCH;
    window_t all = node_window(node);
    for (uint32_t i = 0; i < ZONES; i++) {
        uint32_t count = take_singles_in_window(intersect(all, zone(i)), pfns, most);
        if (count != 0)
            return count;
    }
    return 0;
}

/* Under mm_pfn_lock. A frame that is in use may change hands meanwhile, but becomes zeroed only under the lock. */
static bool is_zeroed(mm_pfn_number_t pfn) { return __atomic_load_n(&mm_pfn_entry(pfn)->list, __ATOMIC_RELAXED) == MM_ZEROED; }

/* How many units from this one on are zeroed, and so free, up to `most`. */
static uint64_t zeroed_stretch(const mm_run_space_t *space, uint64_t unit, uint64_t end, uint64_t most)
{
    uint64_t count = 0;
    while (count < most && unit + count < end && is_zeroed(space->first_pfn + unit + count))
        count++;
    return count;
}

/* From where the last search ended, if that is inside, around in a circle that begins in the middle; frames are looked at ZEROED_PROBES at a
 * time, so that a machine whose free frames are nearly all written does not look at all of them for each one. */
static uint32_t take_zeroed_in_space(mm_run_space_t *space, window_t w, uint32_t *pfns, uint32_t most)
{
    uint64_t low = w.low - space->first_pfn, end = w.high - space->first_pfn + 1, at = space->zeroed_from;
    uint32_t count = 0;
    if (at < low || at >= end)
        at = space->slots_from >= low && space->slots_from < end ? space->slots_from : low;
    for (uint32_t probes = 0; count < most && probes < ZEROED_PROBES; probes++) {
        at = rt_runs_next_free(&space->runs.runs, at);
        if (at >= end)
            break;
        uint64_t length = zeroed_stretch(space, at, end, most - count);
        if (length != 0)
            space->runs.policy->take(&space->runs, at, length);
        for (uint64_t i = 0; i < length; i++, count++) {
            pfns[count] = (uint32_t)(space->first_pfn + at + i);
            mm_pfn_set_list(mm_pfn_entry(pfns[count]), MM_CACHED, MM_ZEROED);
        }
        mm_frames.zeroed -= length;
        at += length != 0 ? length : 1;
    }
    space->zeroed_from = at < end ? at : low;
    return count;
}

uint32_t mm_frames_take_zeroed_locked(uint32_t node, uint32_t *pfns, uint32_t most)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_pfn_lock), "mm_pfn_lock is held");
    window_t all = node_window(node);
    for (uint32_t i = 0; i < ZONES && mm_frames.zeroed != 0; i++)
        for (uint32_t k = 0; k < mm_frames.space_count; k++) {
            window_t w = intersect(intersect(all, zone(i)), space_window(&mm_frames.space[k]));
            uint32_t count = w.low <= w.high ? take_zeroed_in_space(&mm_frames.space[k], w, pfns, most) : 0;
            if (count != 0)
                return count;
        }
    return 0;
}

/* The next search for zeroed frames is not to miss this one: the lowest from the middle on, or, when there are none, the lowest. */
static void look_from(mm_run_space_t *space, uint64_t unit)
{
    bool upper = unit >= space->slots_from, searched_upper = space->zeroed_from >= space->slots_from;
    if (upper == searched_upper ? unit < space->zeroed_from : upper)
        space->zeroed_from = unit;
}

static void count_in(mm_run_space_t *space, mm_pfn_number_t pfn, mm_list_t list)
{
    if (list == MM_ZEROED) {
        look_from(space, pfn - space->first_pfn);
        mm_frames.zeroed++;
    } else {
        mm_frames.free++;
    }
}

static void set_given(mm_run_space_t *space, mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    NTMM_INVARIANT(entry->list == MM_CACHED, "a cached frame goes back to the free ones");
    count_in(space, pfn, (mm_list_t)entry->was);
    mm_pfn_set_list(entry, (mm_list_t)entry->was, MM_ZEROED);
}

/* How many of the first frames follow each other, up or down: what was taken together often comes back together. Two ranges of RAM
 * never touch, so all of them are of one run space. */
static uint32_t stretch_of(const uint32_t *pfns, uint32_t count, uint32_t step)
{
    uint32_t length = 1;
    while (length < count && pfns[length] == pfns[length - 1] + step)
        length++;
    return length;
}

void mm_frames_give_locked(const uint32_t *pfns, uint32_t count)
{
    for (uint32_t i = 0, length; i < count; i += length) {
        uint32_t up = stretch_of(&pfns[i], count - i, 1), down = stretch_of(&pfns[i], count - i, UINT32_MAX);
        length = up > down ? up : down;
        mm_pfn_number_t lowest = up > down ? pfns[i] : pfns[i + length - 1];
        mm_run_space_t *space = mm_run_space_of(lowest);
        for (uint32_t k = 0; k < length; k++)
            set_given(space, lowest + k);
        space->runs.policy->give(&space->runs, lowest - space->first_pfn, length);
    }
}

/* Returns whether all of them were zeroed. */
static bool take_run_locked(mm_pfn_number_t first, uint64_t page_count)
{
    mm_run_space_t *space = mm_run_space_of(first);
    space->runs.policy->take(&space->runs, first - space->first_pfn, page_count);
    uint64_t zeroed = 0;
    for (mm_pfn_t *entry = mm_pfn_entry(first), *end = entry + page_count; entry < end; entry++) {
        NTMM_INVARIANT(entry->list <= MM_FREE, "a frame of a free run is on the zeroed or the free list");
        zeroed += entry->list == MM_ZEROED;
        mm_pfn_set_list(entry, MM_ACTIVE, MM_ZEROED);
    }
    count_out(zeroed, page_count);
    return zeroed == page_count;
}

mm_pfn_number_t mm_frames_get(const mm_frame_want_t *want, bool *zeroed)
{
    ke_lock(&mm_pfn_lock);
    mm_pfn_number_t first = mm_frames_find_locked(want);
    if (first == MM_PFN_NONE && !want->fast_only && mm_frame_caches_drain_locked())
        first = mm_frames_find_locked(want);
    bool all_zeroed = first != MM_PFN_NONE && take_run_locked(first, want->page_count);
    ke_unlock(&mm_pfn_lock);
    if (zeroed != NULL)
        *zeroed = all_zeroed;
    return first;
}

static void put_run_locked(mm_pfn_number_t first, uint64_t page_count)
{
    mm_run_space_t *space = mm_run_space_of(first);
    NTMM_INVARIANT(space != NULL, "frames that are put are RAM");
    for (mm_pfn_number_t pfn = first; pfn < first + page_count; pfn++) {
        mm_pfn_t *entry = mm_pfn_entry(pfn);
        NTMM_INVARIANT(entry->list == MM_ACTIVE, "a frame that is put was active");
        mm_list_t list = mm_pfn_list_when_put(entry);
        count_in(space, pfn, list);
        mm_pfn_set(entry, list, MM_ZEROED);
    }
    space->runs.policy->give(&space->runs, first - space->first_pfn, page_count);
}

void mm_frames_put(mm_pfn_number_t first, uint64_t page_count)
{
    ke_lock(&mm_pfn_lock);
    for (mm_pfn_number_t from = first, at, end = first + page_count; from < end; from = at + 1) {
        for (at = from;
             at < end && (atomic_load_explicit(&mm_pfn_entry(at)->pins, memory_order_relaxed) == 0 || !mm_frame_defer_locked(at));)
            at++;
        if (at != from)
            put_run_locked(from, at - from);
    }
    ke_unlock(&mm_pfn_lock);
}

/* ---- linked lists ---- */

static void link_between(mm_page_list_t *list, uint32_t prev, uint32_t self, uint32_t next)
{
    mm_pfn_t *entry = mm_pfn_entry(self - 1);
    entry->prev = prev;
    entry->next = next;
    *(prev != 0 ? &mm_pfn_entry(prev - 1)->next : &list->head) = self;
    *(next != 0 ? &mm_pfn_entry(next - 1)->prev : &list->tail) = self;
    list->count++;
}

void mm_links_push_tail(mm_page_list_t *list, mm_pfn_number_t pfn) { link_between(list, list->tail, (uint32_t)pfn + 1, 0); }
void mm_links_push_head(mm_page_list_t *list, mm_pfn_number_t pfn) { link_between(list, 0, (uint32_t)pfn + 1, list->head); }

void mm_links_remove(mm_page_list_t *list, mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    uint32_t  self = (uint32_t)pfn + 1;
    uint32_t *from_prev = entry->prev != 0 ? &mm_pfn_entry(entry->prev - 1)->next : &list->head;
    uint32_t *from_next = entry->next != 0 ? &mm_pfn_entry(entry->next - 1)->prev : &list->tail;
    NTMM_INVARIANT(*from_prev == self && *from_next == self, "both neighbours point at the frame between them");
    *from_prev = entry->next;
    *from_next = entry->prev;
    entry->next = entry->prev = 0;
    list->count--;
}

static mm_page_list_t *linked_list(mm_list_t list)
{
    NTMM_INVARIANT(ke_lock_is_held(&mm_pfn_lock), "mm_pfn_lock is held");
    NTMM_INVARIANT(list >= MM_STANDBY && list <= MM_BAD, "a list that is linked");
    return &mm_frames.list[list];
}

/* Only active frames, and cached ones on their way out of use, may enter a list: a frame is never on two. */
static void enter_list(mm_list_t list, mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    NTMM_INVARIANT(entry->list == MM_ACTIVE, "a frame that enters a list was active");
    NTMM_INVARIANT(atomic_load_explicit(&entry->pins, memory_order_relaxed) == 0, "a pinned frame never leaves active");
    __atomic_store_n(&entry->list, (uint8_t)list, __ATOMIC_RELAXED);
}

void mm_list_push_tail_locked(mm_list_t list, mm_pfn_number_t pfn)
{
    mm_page_list_t *pages = linked_list(list);
    enter_list(list, pfn);
    mm_links_push_tail(pages, pfn);
}

void mm_list_push_head_locked(mm_list_t list, mm_pfn_number_t pfn)
{
    mm_page_list_t *pages = linked_list(list);
    enter_list(list, pfn);
    mm_links_push_head(pages, pfn);
}

void mm_list_remove_locked(mm_list_t list, mm_pfn_number_t pfn)
{
    mm_page_list_t *pages = linked_list(list);
    mm_pfn_t       *entry = mm_pfn_entry(pfn);
    NTMM_INVARIANT(entry->list == list, "a frame is removed from the list that it is on");
    mm_links_remove(pages, pfn);
    __atomic_store_n(&entry->list, (uint8_t)MM_ACTIVE, __ATOMIC_RELAXED);
}

mm_pfn_number_t mm_list_pop_locked(mm_list_t list)
{
    mm_page_list_t *pages = linked_list(list);
    if (pages->head == 0)
        return MM_PFN_NONE;
    mm_pfn_number_t pfn = pages->head - 1;
    mm_list_remove_locked(list, pfn);
    return pfn;
}
