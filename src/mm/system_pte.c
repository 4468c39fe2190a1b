/*
 * system_pte.c - mapping frames that do not lie in a row to addresses that do.
 * A piece of the region is taken from its run index, each PTE is told its frame, and the host maps the bytes: one mapping for each stretch
 * of frames whose bytes follow each other. A piece that is given back faults when it is touched, from that instant.
 *
 * The host allows a process only so many mappings, so they are counted: the first page of each stretch, mapped or bare, begins one. A
 * request that would go over the limit is refused here, before the host does it to somebody else's mmap.
 *
 *     pages   [ bare ][ 7 ][ 8 ][ 9 ][ 3 ][ bare ][ bare ]        the numbers are frames
 *             ^       ^              ^    ^                       four mappings
 *
 * Invariants  a valid PTE's page is mapped, any other page is bare; and one whose registers a test plays (MM_PTE_DEVICE)
 *             mappings == number of pages of the region that begin one
 * Locks       mm_system_table_lock; host calls are made under it, so that count, PTEs and mappings change together.
 */
#include "mm/system_pte.h"

#include <string.h>

#include "ke/bugcheck.h"
#include "mm/frame_cache.h"
#include "mm/io_space.h"
#include "mm/paging.h"

#define MAPPINGS_LEFT_TO_OTHERS(limit) ((limit) / 8 + 1024) /* the process' own: libraries, heaps, stacks, a sanitizer's shadow */
#define MAPPINGS_LEAST 1024u

static size_t mappings, promised, mapping_limit; /* (R) promised: to reserved addresses, mapped or not */

static size_t views_limit; /* set at boot: the handler asks, and the host tells by way of a file */

static size_t mappings_for_all(void)
{
    size_t limit = host_mapping_limit();
    size_t others = MAPPINGS_LEFT_TO_OTHERS(limit);
    return limit > others + MAPPINGS_LEAST ? limit - others : MAPPINGS_LEAST;
}

size_t mm_mappings_for_views(void) { return views_limit; }

void mm_system_pte_boot(void)
{
    bool   protects = mm_paged.gate.kind == HOST_GATE_PROTECT; /* then paged pool takes a third of what the host allows (machine.c) */
    size_t all = mappings_for_all();
    mappings = promised = 0;
    views_limit = all / (protects ? 10 : 4);
    mapping_limit = protects ? all / 2 : all - views_limit;
}

/* The last page before [0, n) and the first behind it count as bare. A neighbour may be told its frame by its owner at this moment: bare. */
static uint64_t pte_at(size_t index) { return index < mm_table_pages(&mm_system_table) ? mm_pte_read(&mm_system_table.ptes[index]) : 0; }

static bool is_mapped(uint64_t pte) { return mm_pte_is_valid(pte) && (pte & MM_PTE_DEVICE) == 0; }

/* Where in mm_object the bytes of a page are. Pages of I/O space have theirs elsewhere (io_pages.c): where those follow each other, so do
 * the physical addresses. */
static uint64_t offset_of(uint64_t pte)
{
    return (pte & (MM_PTE_HOME | MM_PTE_IO)) != 0 ? pte & MM_PTE_ADDRESS : mm_frame_offset(mm_pte_pfn(pte));
}

static bool begins_mapping(size_t index)
{
    uint64_t here = pte_at(index), before = index == 0 ? 0 : pte_at(index - 1);
    if (!is_mapped(here) || !is_mapped(before))
        return is_mapped(here) != is_mapped(before);
    const uint64_t kind = MM_PTE_WRITE | MM_PTE_NX | MM_PTE_IO;
    return (here & kind) != (before & kind) || offset_of(here) != offset_of(before) + PAGE_SIZE;
}

static size_t count_beginnings(size_t first, size_t page_count)
{
    size_t count = 0;
    for (size_t i = first; i <= first + page_count; i++)
        count += begins_mapping(i);
    return count;
}

void *mm_system_pte_reserve(size_t page_count)
{
    mm_page_table_t *table = &mm_system_table;
    if (page_count == 0 || page_count > mm_table_pages(table))
        return NULL;
    rt_runs_want_t want = { .count = page_count, .low = 0, .high = mm_table_pages(table) };
    ke_lock(&mm_system_table_lock);
    uint64_t start = rt_runs_find(&table->runs, &want);
    if (start != RT_RUNS_NONE)
        rt_runs_take(&table->runs, start, page_count);
    ke_unlock(&mm_system_table_lock);
    if (start == RT_RUNS_NONE) {
        ke_error(0, "no %zu system PTEs in a row are left", page_count);
        return NULL;
    }
    return (void *)mm_table_va(table, start);
}

void mm_system_pte_set(void *va, size_t index, mm_pfn_number_t pfn, unsigned access)
{
    mm_pte_write(&mm_system_table.ptes[mm_table_index(&mm_system_table, (uintptr_t)va) + index], mm_pte_make(pfn, access) & ~MM_PTE_VALID);
}

void mm_system_pte_mark(void *va, size_t index, uint64_t bits)
{
    uint64_t *pte = &mm_system_table.ptes[mm_table_index(&mm_system_table, (uintptr_t)va) + index];
    __atomic_store_n(pte, *pte | bits, __ATOMIC_RELAXED);
}

mm_pfn_number_t mm_system_pte_frame(const void *va, size_t index)
{
    return mm_pte_pfn(mm_system_table.ptes[mm_table_index(&mm_system_table, (uintptr_t)va) + index]);
}

static void set_valid(size_t first, size_t page_count, bool valid)
{
    for (size_t i = first; i < first + page_count; i++) {
        uint64_t pte = mm_system_table.ptes[i];
        mm_system_table.ptes[i] = valid ? pte | MM_PTE_VALID : pte & ~MM_PTE_VALID;
    }
}

static unsigned access_of(uint64_t pte)
{
    return HOST_READ | ((pte & MM_PTE_WRITE) != 0 ? HOST_WRITE : 0u) | ((pte & MM_PTE_NX) != 0 ? 0u : HOST_EXECUTE);
}

static int map_bytes(void *at, uint64_t pte, size_t page_count, unsigned access)
{
    if ((pte & MM_PTE_IO) != 0)
        return mm_io_pages_map(at, mm_pte_pfn(pte), page_count, access);
    return host_map_object(at, &mm_object, offset_of(pte), page_count << PAGE_SHIFT, access);
}

static int map_stretch(size_t first, size_t page_count)
{
    uint64_t pte = mm_system_table.ptes[first];
    void    *at = (void *)mm_table_va(&mm_system_table, first);
    if (!is_mapped(pte))
        return 0;
    int status = map_bytes(at, pte, page_count, access_of(pte));
    if (status != 0 && (pte & MM_PTE_NX) == 0) /* a host that refuses executable memory, as for the executable map */
        status = map_bytes(at, pte, page_count, access_of(pte | MM_PTE_NX));
    return status;
}

static int map_all_stretches(size_t first, size_t page_count)
{
    size_t end = first + page_count;
    for (size_t from = first, to; from < end; from = to) {
        for (to = from + 1; to < end && !begins_mapping(to);)
            to++;
        int status = map_stretch(from, to - from);
        if (status != 0)
            return status;
    }
    return 0;
}

static bool commit(void *va, size_t page_count, bool was_promised)
{
    mm_page_table_t *table = &mm_system_table;
    size_t           first = mm_table_index(table, (uintptr_t)va);
    int              status = 0;
    ke_lock(&mm_system_table_lock);
    size_t before = count_beginnings(first, page_count);
    set_valid(first, page_count, true);
    size_t now = mappings - before + count_beginnings(first, page_count);
    bool   too_many = !was_promised && now + promised > mapping_limit;
    if (!too_many)
        status = map_all_stretches(first, page_count);
    if (too_many || status != 0) {
        host_unmap(va, page_count << PAGE_SHIFT);
        set_valid(first, page_count, false);
    } else {
        mappings = now;
    }
    ke_unlock(&mm_system_table_lock);
    if (too_many)
        ke_error(0, "mapping %zu scattered pages would take more than the %zu host mappings that the machine may have", page_count,
                 mapping_limit);
    else if (status != 0)
        ke_error(status, "the host refuses to map %zu pages", page_count);
    return !too_many && status == 0;
}

bool mm_system_pte_commit(void *va, size_t page_count) { return commit(va, page_count, false); }
bool mm_system_pte_commit_promised(void *va, size_t page_count) { return commit(va, page_count, true); }

bool mm_system_pte_promise(size_t page_count)
{
    ke_lock(&mm_system_table_lock);
    bool fits = mappings + promised + page_count + 1 <= mapping_limit;
    promised += fits ? page_count + 1 : 0; /* each page may begin a mapping, and so does what lies behind the last one */
    ke_unlock(&mm_system_table_lock);
    return fits || ke_error(false, "%zu pages mapped one by one would take more than the %zu host mappings that the machine may have",
                            page_count, mapping_limit);
}

void mm_system_pte_promise_back(size_t page_count)
{
    ke_lock(&mm_system_table_lock);
    promised -= page_count + 1;
    ke_unlock(&mm_system_table_lock);
}

static void set_access(size_t first, size_t page_count, unsigned access)
{
    const uint64_t bits = MM_PTE_WRITE | MM_PTE_DIRTY | MM_PTE_NX;
    for (size_t i = first; i < first + page_count; i++)
        mm_pte_write(&mm_system_table.ptes[i], (mm_system_table.ptes[i] & ~bits) | (mm_pte_make(0, access) & bits));
}

bool mm_system_pte_protect(void *va, size_t page_count, unsigned access)
{
    size_t first = mm_table_index(&mm_system_table, (uintptr_t)va);
    int    status = 0;
    ke_lock(&mm_system_table_lock);
    size_t before = count_beginnings(first, page_count);
    set_valid(first, page_count, access != HOST_NONE);
    set_access(first, page_count, access);
    if (access == HOST_NONE)
        status = host_unmap(va, page_count << PAGE_SHIFT);
    else
        status = map_all_stretches(first, page_count);
    mappings = mappings - before + count_beginnings(first, page_count);
    ke_unlock(&mm_system_table_lock);
    return status == 0 || ke_error(false, "the host refuses to protect %zu pages", page_count);
}

uint64_t mm_system_pte_free(void)
{
    ke_lock(&mm_system_table_lock);
    uint64_t count = mm_system_table.runs.free_count;
    ke_unlock(&mm_system_table_lock);
    return count;
}

static void give_back_locked(size_t first, size_t page_count)
{
    memset(&mm_system_table.ptes[first], 0, page_count * sizeof mm_system_table.ptes[0]);
    memset(&mm_system_table.owners[first], 0, page_count * sizeof mm_system_table.owners[0]);
    rt_runs_give(&mm_system_table.runs, first, page_count);
}

void mm_system_pte_abandon(void *va, size_t page_count)
{
    ke_lock(&mm_system_table_lock);
    give_back_locked(mm_table_index(&mm_system_table, (uintptr_t)va), page_count);
    ke_unlock(&mm_system_table_lock);
}

/* The pages fault from now on; the PTEs still name the frames, so that a caller can give them back before the addresses. */
static void unmap_locked(void *va, size_t first, size_t page_count)
{
    mm_unpoison((uintptr_t)va, page_count << PAGE_SHIFT);
    size_t before = count_beginnings(first, page_count);
    set_valid(first, page_count, false);
    mappings = mappings - before + count_beginnings(first, page_count);
    host_unmap(va, page_count << PAGE_SHIFT);
}

void mm_system_pte_close(void *va, size_t page_count)
{
    ke_lock(&mm_system_table_lock);
    unmap_locked(va, mm_table_index(&mm_system_table, (uintptr_t)va), page_count);
    ke_unlock(&mm_system_table_lock);
}

void mm_system_pte_clear(void *va, size_t page_count)
{
    ke_lock(&mm_system_table_lock);
    memset(&mm_system_table.ptes[mm_table_index(&mm_system_table, (uintptr_t)va)], 0, page_count * sizeof mm_system_table.ptes[0]);
    ke_unlock(&mm_system_table_lock);
}

void mm_system_pte_unmap(void *va, size_t page_count)
{
    size_t first = mm_table_index(&mm_system_table, (uintptr_t)va);
    ke_lock(&mm_system_table_lock);
    unmap_locked(va, first, page_count);
    give_back_locked(first, page_count);
    ke_unlock(&mm_system_table_lock);
}

void *mm_system_pte_map(const mm_pfn_number_t *pfns, size_t page_count, unsigned access)
{
    void *va = mm_system_pte_reserve(page_count);
    if (va == NULL)
        return NULL;
    for (size_t i = 0; i < page_count; i++)
        mm_system_pte_set(va, i, pfns[i], access);
    if (mm_system_pte_commit(va, page_count))
        return va;
    mm_system_pte_abandon(va, page_count);
    return NULL;
}

/* ---- scattered frames of their own ---- */

static void put_frames(void *va, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++)
        mm_frame_put(mm_system_pte_frame(va, i));
}

static void back_page(char *va, size_t index, mm_pfn_number_t pfn, unsigned access)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    entry->mapped.va = (uintptr_t)va + (index << PAGE_SHIFT);
    entry->mapped.use = MM_USE_MAPPED;
    mm_system_pte_set(va, index, pfn, access);
}

/* A machine with much free memory gives frames in a row; a driver that relies on it should fail here and not on its customer's machine.
 * One exchange is enough, and costs no more than two host mappings. */
static void part_first_two(char *va, size_t page_count, unsigned access)
{
    if (page_count < 2)
        return;
    mm_pfn_number_t first = mm_system_pte_frame(va, 0), second = mm_system_pte_frame(va, 1);
    if (second != first + 1)
        return;
    back_page(va, 0, second, access);
    back_page(va, 1, first, access);
}

void *mm_scattered_alloc(uint32_t node, size_t page_count, unsigned access, mm_pool_t pool, uint8_t cache, bool *zeroed)
{
    char *va = mm_system_pte_reserve(page_count);
    if (va == NULL)
        return NULL;
    *zeroed = true;
    for (size_t i = 0; i < page_count; i++) {
        bool            frame_zeroed = false;
        mm_pfn_number_t pfn = mm_frame_get_or_reclaim(node, &frame_zeroed);
        if (pfn == MM_PFN_NONE) {
            put_frames(va, i);
            goto abandon;
        }
        mm_pfn_entry(pfn)->cache = cache;
        back_page(va, i, pfn, access);
        *zeroed = *zeroed && frame_zeroed;
    }
    part_first_two(va, page_count, access);
    if (!mm_system_pte_commit(va, page_count)) {
        put_frames(va, page_count);
        goto abandon;
    }
    for (size_t i = 0; i < page_count; i++)
        mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va) + i].pool = (uint8_t)pool;
    return va;

abandon:
    mm_system_pte_abandon(va, page_count);
    return NULL;
}

void mm_scattered_free(void *va, size_t page_count)
{
    mm_system_pte_close(va, page_count);
    put_frames(va, page_count); /* after the mapping: the next owner's bytes are never seen through it */
    mm_system_pte_abandon(va, page_count);
}

static bool are_on_node(const void *va, size_t page_count, uint32_t node)
{
    for (size_t i = 0; i < page_count; i++)
        if (mm_node_of_frame(mm_system_pte_frame(va, i)) != node)
            return false;
    return true;
}

/* What the node lacked may lie in the caches of other threads: they are emptied before the second look. */
void *mm_scattered_alloc_on_node(uint32_t node, size_t page_count, unsigned access, mm_pool_t pool, uint8_t cache, bool *zeroed)
{
    for (unsigned look = 0; look < 2; look++) {
        void *va = mm_scattered_alloc(node, page_count, access, pool, cache, zeroed);
        if (va == NULL || node == MM_ANY_NODE || are_on_node(va, page_count, node))
            return va;
        mm_scattered_free(va, page_count);
        ke_lock(&mm_pfn_lock);
        mm_frame_caches_drain_locked();
        ke_unlock(&mm_pfn_lock);
    }
    return NULL;
}

/* ---- checking ---- */

/* A page that begins a mapping is mapped, or follows one that is: so mapped pages see them all. */
static void count_page(void *context, mm_page_table_t *table, size_t index)
{
    size_t *count = context;
    if (is_mapped(table->ptes[index]))
        *count += (size_t)begins_mapping(index) + (size_t)!is_mapped(pte_at(index + 1));
}

bool mm_system_pte_check(void)
{
    size_t count = 0;
    mm_table_visit(&mm_system_table, count_page, &count);
    return count == mappings || ke_error(false, "the system PTEs make %zu host mappings, and %zu are counted", count, mappings);
}

/* ---- shutdown ---- */

typedef struct page_run {
    size_t first, page_count;
} page_run_t;

static void unmap_run(page_run_t *run)
{
    uintptr_t va = mm_table_va(&mm_system_table, run->first);
    if (run->page_count != 0) {
        mm_unpoison(va, run->page_count << PAGE_SHIFT);
        host_unmap((void *)va, run->page_count << PAGE_SHIFT);
    }
    run->page_count = 0;
}

static void forget_page(void *context, mm_page_table_t *table, size_t index)
{
    page_run_t *run = context;
    bool        valid = mm_pte_is_valid(table->ptes[index]);
    table->ptes[index] = 0;
    table->owners[index] = (mm_owner_t){ 0 };
    if (!valid)
        return;
    if (run->page_count != 0 && run->first + run->page_count != index)
        unmap_run(run);
    if (run->page_count++ == 0)
        run->first = index;
}

void mm_system_pte_shutdown(void)
{
    page_run_t run = { 0 };
    mm_table_visit(&mm_system_table, forget_page, &run);
    unmap_run(&run);
    if (mm_system_table.tables != NULL)
        rt_runs_reset(&mm_system_table.runs);
    mappings = promised = 0;
}
