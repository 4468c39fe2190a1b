/*
 * machine.c - the bytes behind the machine: one memory object, one reservation of address space, the tables.
 *
 *     object        | homes: file offset = physical address                    | slots of paged pool | shared slots |
 *                      |            |                                               |         |               |
 *     reservation   | physical map | executable map | system PTEs       | paged pool     | slots       | shared slots | system views   |
 *                     one mapping for each range of RAM | page by page  | through a gate | always open | always open  | mapped by view |
 *
 *     user slices   a reservation of their own: the addresses of processes (space.c), likewise mapped by view, from the shared slots
 *     tables        PFN database (32 bytes a frame), PTEs and owners (24 bytes a page of those regions), indexes of what is free
 *
 * "Free and zeroed" is zero bytes in every one of them, so a boot writes next to nothing, whatever the size of RAM. All of it survives
 * mm_shutdown, which clears what was touched, and serves the next boot of a machine of the same shape.
 *
 * Holes between ranges of RAM are not mapped: whoever runs off the end of RAM faults. RAM without bytes (unbacked_ram) has addresses that
 * always fault, and neither system PTEs nor paged pool.
 *
 * Locks   boot and shutdown run alone. Hot-added memory: mm_map_homes, under the caller's lock.
 * Source  none (choice): the regions and their order are our own; Windows x64 has the same ones elsewhere.
 */
#include "mm/machine.h"

#include <errno.h>
#include <string.h>

#include "host/memory_tools.h"
#include "ke/balance.h"
#include "mm/charge.h"
#include "mm/driver_pages.h"
#include "mm/frame_cache.h"
#include "mm/io_space.h"
#include "mm/kernel_stack.h"
#include "mm/lock_track.h"
#include "mm/mapping.h"
#include "mm/paging.h"
#include "mm/physical_memory.h"
#include "mm/pressure.h"
#include "mm/space.h"
#include "mm/user_range.h"

#define SYSTEM_PTE_BYTES ((size_t)1 << 30)   /* room for mappings, as Windows had on x86 */
#define PAGED_REGION_LEAST ((size_t)1 << 30) /* addresses cost nothing; fragmented ones should not be what ends an allocation */
#define SHARED_BYTES ((size_t)2 << 30)       /* pages that spaces and sections can have at a time, there or not */
#define SYSTEM_VIEW_BYTES ((size_t)256 << 20)
#define HOT_ADD_ROOM ((uint64_t)4 << 30) /* physical addresses above RAM where MmAddPhysicalMemory finds room */
#define SPAN_UNIT ((uint64_t)1 << 30)
#define GATE_MAPPINGS_SHARE 3u /* of the mappings that the host allows; as many are for system PTEs */
#define FILE_PAGES_MOST ((uint64_t)1 << 31)
#define PFNS_MOST ((uint64_t)UINT32_MAX - 1) /* next and prev hold PFN + 1 in 32 bits: 16 TiB with 4 KiB pages */
#define NTDDI_OF_SERVER_2008 0x06000100u
#define DISCARD_LEAST 64u                        /* pages: from here on giving memory back is cheaper than clearing it */
#define TABLES_DISCARD_LEAST ((uint64_t)1 << 22) /* touched frames: from here on so it is for the PFN database */

mm_region_t mm_physical_map, mm_executable_map, mm_system_pte_region, mm_paged_region, mm_slot_region, mm_shared_region, mm_all;
mm_region_t mm_system_view_region;
mm_pfn_t   *mm_pfn_database;
uint64_t    mm_highest_pfn;
bool        mm_unbacked;

mm_page_table_t mm_system_table = { .region = &mm_system_pte_region };
ke_lock_t       mm_system_table_lock = KE_LOCK_INIT(KE_RANK_MM_SYSTEM_PTE);
mm_page_table_t mm_paged_table = { .region = &mm_paged_region };
mm_pageable_t   mm_paged = { .table = &mm_paged_table };
mm_page_table_t mm_shared_table = { .region = &mm_shared_region };
mm_pageable_t   mm_shared = { .table = &mm_shared_table };
host_object_t   mm_object = { .fd = -1 };
uint64_t        mm_span_pfns, mm_slot_offset;
bool            mm_executable_map_is_nx, mm_is_server, mm_map_changed;
KIRQL           mm_contiguous_free_irql;

/* What two machines must have in common to use the same memory. */
typedef struct mm_shape {
    bool                   built;
    bool                   unbacked, portable;
    uint64_t               span_pfns;
    size_t                 paged_bytes;
    uint64_t               file_pages;
    enum host_gate_kind    gate; /* as asked for */
    const rt_run_policy_t *policy;
    mm_ram_map_t           map;
} mm_shape_t;
static mm_shape_t shape;

static uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

/* ---- bytes ---- */

void mm_hide(uintptr_t va, size_t bytes) { host_tools_hide((void *)va, bytes); }
void mm_unpoison(uintptr_t va, size_t bytes) { host_tools_forget((void *)va, bytes); }

void mm_discard(uint64_t offset, uint64_t page_count)
{
    int status = host_object_discard(&mm_object, offset, page_count << PAGE_SHIFT);
    NTMM_INVARIANT(status == 0, "the host takes back memory that it gave");
}

void mm_clear_bytes(uintptr_t va, uint64_t offset, uint64_t page_count)
{
    mm_unpoison(va, page_count << PAGE_SHIFT);
    if (page_count >= DISCARD_LEAST)
        mm_discard(offset, page_count);
    else
        memset((void *)va, 0, page_count << PAGE_SHIFT);
}

uint64_t mm_frame_offset(mm_pfn_number_t pfn)
{
    const mm_pfn_t *entry = mm_pfn_entry(pfn);
    if (entry->list < MM_STANDBY || !mm_frame_is_pageable(entry))
        return pfn << PAGE_SHIFT;
    const mm_pageable_t *region = mm_pageable_of(entry->mapped.va);
    return region->slot_offset + (entry->mapped.va - region->table->region->base);
}

int mm_map_homes(mm_pfn_number_t first, uint64_t page_count)
{
    uint64_t offset = first << PAGE_SHIFT;
    size_t   bytes = page_count << PAGE_SHIFT;
    if (mm_unbacked)
        return 0;
    int status = host_map_object((void *)(mm_physical_map.base + offset), &mm_object, offset, bytes, HOST_READ | HOST_WRITE);
    if (status != 0)
        return status;
    void *executable = (void *)(mm_executable_map.base + offset);
    if (!mm_executable_map_is_nx && host_map_object(executable, &mm_object, offset, bytes, HOST_READ | HOST_WRITE | HOST_EXECUTE) == 0)
        return 0;
    mm_executable_map_is_nx = true; /* hardened hosts refuse memory that is writable and executable */
    return host_map_object(executable, &mm_object, offset, bytes, HOST_READ | HOST_WRITE);
}

void mm_unmap_homes(mm_pfn_number_t first, uint64_t page_count)
{
    uint64_t offset = first << PAGE_SHIFT;
    if (mm_unbacked)
        return;
    host_unmap((void *)(mm_physical_map.base + offset), page_count << PAGE_SHIFT);
    host_unmap((void *)(mm_executable_map.base + offset), page_count << PAGE_SHIFT);
    mm_discard(offset, page_count);
}

/* ---- building ---- */

static int table_build(mm_page_table_t *table)
{
    size_t pages = mm_table_pages(table);
    if (pages == 0)
        return 0;
    size_t pte_bytes = pages * sizeof(uint64_t), owner_bytes = pages * sizeof(mm_owner_t);
    table->table_bytes = round_up(pte_bytes + owner_bytes + rt_runs_bytes(pages), host_page_size());
    table->tables = host_tables(table->table_bytes);
    if (table->tables == NULL)
        return -ENOMEM;
    table->owners = table->tables;
    table->ptes = (uint64_t *)(void *)((unsigned char *)table->tables + owner_bytes);
    rt_runs_init(&table->runs, pages, (unsigned char *)table->tables + owner_bytes + pte_bytes);
    return 0;
}

static void table_release(mm_page_table_t *table)
{
    if (table->tables != NULL)
        host_release(table->tables, table->table_bytes);
    table->tables = NULL;
    table->owners = NULL;
    table->ptes = NULL;
    table->runs = (rt_runs_t){ 0 };
}

static void forget_regions(void)
{
    mm_physical_map = mm_executable_map = mm_system_pte_region = mm_paged_region = mm_slot_region = (mm_region_t){ 0, 0 };
    mm_shared_region = mm_system_view_region = mm_all = (mm_region_t){ 0, 0 };
}

static void release_memory(void)
{
    mm_frames_release();
    mm_page_file_release();
    mm_spaces_release();
    host_gate_destroy(&mm_paged.gate);
    table_release(&mm_system_table);
    table_release(&mm_paged_table);
    table_release(&mm_shared_table);
    if (mm_pfn_database != NULL)
        host_release(mm_pfn_database, mm_span_pfns * sizeof(mm_pfn_t));
    mm_pfn_database = NULL;
    if (mm_all.bytes != 0)
        host_release((void *)mm_all.base, mm_all.bytes);
    forget_regions();
    if (mm_object.fd >= 0)
        host_object_close(&mm_object);
    mm_object.fd = -1;
    shape.built = false;
    mm_map_changed = false;
}

static mm_region_t carve(uintptr_t *at, size_t bytes)
{
    mm_region_t region = { *at, bytes };
    *at += bytes;
    return region;
}

static int reserve_regions(const mm_shape_t *want)
{
    size_t    span_bytes = want->span_pfns << PAGE_SHIFT;
    size_t    system_bytes = want->unbacked ? 0 : SYSTEM_PTE_BYTES;
    size_t    shared_bytes = want->unbacked ? 0 : SHARED_BYTES, view_bytes = want->unbacked ? 0 : SYSTEM_VIEW_BYTES;
    size_t    bytes = 2 * span_bytes + system_bytes + 2 * want->paged_bytes + shared_bytes + view_bytes;
    uintptr_t at = (uintptr_t)host_reserve_aligned(bytes, HOST_LARGE_PAGE_MOST); /* offsets in the object are physical addresses */
    if (at == 0 && want->unbacked)
        return 0; /* frames without addresses: experiments with PFNs still work */
    if (at == 0)
        return ke_error(-ENOMEM, "the host has no %zu bytes of address space for the machine", bytes);
    mm_all = (mm_region_t){ at, bytes };
    mm_physical_map = carve(&at, span_bytes);
    mm_executable_map = carve(&at, span_bytes);
    mm_system_pte_region = carve(&at, system_bytes);
    mm_paged_region = carve(&at, want->paged_bytes);
    mm_slot_region = carve(&at, want->paged_bytes);
    mm_shared_region = carve(&at, shared_bytes);
    mm_system_view_region = carve(&at, view_bytes);
    return 0;
}

static int map_memory(const mm_shape_t *want)
{
    if (want->unbacked)
        return 0;
    mm_slot_offset = want->span_pfns << PAGE_SHIFT;
    uint64_t bytes = mm_slot_offset + want->paged_bytes + SHARED_BYTES;
    int      status = host_object_create(&mm_object, bytes, want->portable ? HOST_OBJECT_SHM : HOST_OBJECT_BEST);
    if (status != 0)
        return ke_error(status, "the host gives no memory object of %llu bytes", (unsigned long long)bytes);
    mm_executable_map_is_nx = false;
    for (uint32_t i = 0; i < want->map.range_count && status == 0; i++)
        status = mm_map_homes(want->map.range[i].first_pfn, want->map.range[i].page_count);
    return status == 0 ? 0 : ke_error(status, "the host refuses to map the machine's memory");
}

static int build_gate(const mm_shape_t *want)
{
    if (want->unbacked)
        return 0;
    size_t limit = host_mapping_limit() / GATE_MAPPINGS_SHARE;
    int    status = host_gate_create(&mm_paged.gate, &mm_object, mm_slot_offset, (void *)mm_paged_region.base, (void *)mm_slot_region.base,
                                     want->paged_bytes, want->gate, limit);
    mm_paged.slot_offset = mm_slot_offset;
    mm_paged.alias = mm_slot_region.base;
    if (status == -ENOTSUP)
        return ke_error(status, "the host permits no userfaultfd that can open and close pages");
    mm_shared.slot_offset = mm_slot_offset + want->paged_bytes;
    mm_shared.alias = mm_shared_region.base;
    if (status == 0)
        status = host_map_object((void *)mm_shared.alias, &mm_object, mm_shared.slot_offset, SHARED_BYTES, HOST_READ | HOST_WRITE);
    return status == 0 ? 0 : ke_error(status, "the host refuses to map pageable memory");
}

mm_owner_t *mm_paged_owners;

static int build_tables(const mm_shape_t *want)
{
    mm_pfn_database = host_tables(want->span_pfns * sizeof(mm_pfn_t));
    if (mm_pfn_database == NULL || table_build(&mm_system_table) != 0 || table_build(&mm_paged_table) != 0 ||
        table_build(&mm_shared_table) != 0)
        return ke_error(-ENOMEM, "the host has no memory for the tables of %llu frames", (unsigned long long)want->span_pfns);
    mm_paged_owners = mm_paged_table.owners;
    if (mm_page_file_build(want->file_pages) != 0)
        return ke_error(-ENOMEM, "the host has no memory for the index of a page file of %llu pages", (unsigned long long)want->file_pages);
    return 0;
}

static int build_memory(const mm_shape_t *want, uint32_t node_count)
{
    mm_span_pfns = want->span_pfns;
    mm_unbacked = want->unbacked;
    int status = reserve_regions(want);
    if (status == 0)
        status = map_memory(want);
    if (status == 0)
        status = build_gate(want);
    if (status == 0)
        status = build_tables(want);
    if (status == 0)
        status = mm_spaces_build();
    if (status == 0)
        status = mm_frames_boot(&want->map, want->policy, node_count);
    if (status != 0) {
        release_memory();
        return status;
    }
    shape = *want;
    shape.built = true;
    return 0;
}

static bool same_shape(const mm_shape_t *a, const mm_shape_t *b)
{
    return a->unbacked == b->unbacked && a->portable == b->portable && a->span_pfns == b->span_pfns && a->paged_bytes == b->paged_bytes &&
           a->file_pages == b->file_pages && a->gate == b->gate && a->policy == b->policy && a->map.range_count == b->map.range_count &&
           memcmp(a->map.range, b->map.range, a->map.range_count * sizeof a->map.range[0]) == 0;
}

/* ---- boot ---- */

static int shape_from_config(mm_shape_t *want, const ntmm_config *config)
{
    static const rt_run_policy_t *const policies[] = { &rt_policy_indexed, &rt_policy_linear, &rt_policy_buddy };
    int                                 status = mm_ram_map_build(&want->map, config);
    if (status != 0)
        return status;
    if ((size_t)config->run_policy >= NTMM_ARRAY_COUNT(policies))
        return ke_error(-EINVAL, "run_policy is %u, which is none", (unsigned)config->run_policy);
    uint64_t end = mm_ram_map_highest(&want->map) + 1, unit = SPAN_UNIT >> PAGE_SHIFT;
    if (end > PFNS_MOST)
        return ke_error(-ENOTSUP, "RAM goes above physical address 0x%llx: not built yet", (unsigned long long)PFNS_MOST << PAGE_SHIFT);
    uint64_t span = round_up(end, unit) + (HOT_ADD_ROOM >> PAGE_SHIFT);
    uint64_t ram = want->map.page_count << PAGE_SHIFT, file = config->page_file_size != 0 ? config->page_file_size : ram;
    uint64_t paged = config->paged_pool_limit != 0 ? config->paged_pool_limit : ram + file;
    if (file >> PAGE_SHIFT > FILE_PAGES_MOST)
        return ke_error(-EINVAL, "page_file_size is %llu bytes; at most %llu", (unsigned long long)file,
                        (unsigned long long)FILE_PAGES_MOST << PAGE_SHIFT);
    if (paged > (uint64_t)1 << 44)
        return ke_error(-EINVAL, "paged_pool_limit is %llu bytes: more than any host has addresses for", (unsigned long long)paged);
    want->span_pfns = span < PFNS_MOST ? span : PFNS_MOST;
    want->paged_bytes = config->unbacked_ram ? 0 : round_up(paged > PAGED_REGION_LEAST ? paged : PAGED_REGION_LEAST, PAGE_SIZE);
    want->file_pages = config->unbacked_ram ? 0 : file >> PAGE_SHIFT;
    want->gate = config->page_gate == NTMM_GATE_USERFAULTFD ? HOST_GATE_USERFAULT
                 : config->page_gate == NTMM_GATE_MPROTECT  ? HOST_GATE_PROTECT
                                                            : HOST_GATE_BEST;
    want->policy = policies[config->run_policy];
    want->unbacked = config->unbacked_ram;
    want->portable = config->portable_memory;
    return 0;
}

static void init_locks(void) /* a halted machine may have left them held */
{
    ke_lock_init(&mm_pfn_lock, KE_RANK_MM_PFN);
    ke_lock_init(&mm_system_table_lock, KE_RANK_MM_SYSTEM_PTE);
    mm_physical_memory_boot();
}

int mm_boot(const ntmm_config *config)
{
    static mm_shape_t want; /* 8 KiB */
    uint32_t          node_count = config->numa_nodes != 0 ? config->numa_nodes : 1;
    if (host_page_size() > PAGE_SIZE)
        return ke_error(-ENOTSUP, "the host's pages have %zu bytes; this library was built for pages of %u", host_page_size(), PAGE_SIZE);
    if (node_count > KE_PROCESSORS_MAX)
        return ke_error(-EINVAL, "numa_nodes is %u; at most %u", node_count, KE_PROCESSORS_MAX);
    int status = shape_from_config(&want, config);
    if (status != 0)
        return status;
    if (shape.built && same_shape(&shape, &want)) {
        mm_frames_reset(&want.map, node_count);
    } else {
        release_memory();
        status = build_memory(&want, node_count);
        if (status != 0)
            return status;
    }
    mm_highest_pfn = mm_ram_map_highest(&want.map);
    mm_is_server = config->server;
    mm_user_range_boot();
    mm_contiguous_free_irql = config->windows_version == 0 || config->windows_version >= NTDDI_OF_SERVER_2008 ? DISPATCH_LEVEL : APC_LEVEL;
    init_locks();
    mm_charges_boot(config);
    mm_pressure_boot(config);
    mm_faults_boot();
    ke_balance_register(mm_balance_working_set);
    mm_slots_boot();
    mm_working_set_boot(config);
    mm_system_pte_boot();
    mm_special_boot();
    mm_spaces_boot();
    mm_kernel_stacks_boot();
    mm_mappings_are_real = config->verifier != 0;
    mm_lock_track_boot(config->track_locked_pages);
    mm_io_space_boot();
    mm_bad_pointer_boot();
    mm_driver_boot();
    return 0;
}

/* ---- shutdown ---- */

typedef struct dirty_run { /* frames in a row whose homes must be cleared */
    mm_pfn_number_t first;
    uint64_t        page_count;
} dirty_run_t;

static bool home_is_dirty(const mm_pfn_t *entry)
{
    if (entry->list == MM_ZEROED)
        return false;
    if (entry->list == MM_CACHED)
        return entry->was != MM_ZEROED;
    return (entry->flags & MM_PFN_HOME_ZERO) == 0;
}

static void clear_run(dirty_run_t *run)
{
    if (run->page_count != 0 && !mm_unbacked) {
        uint64_t offset = run->first << PAGE_SHIFT;
        mm_unpoison(mm_executable_map.base + offset, run->page_count << PAGE_SHIFT);
        mm_clear_bytes(mm_physical_map.base + offset, offset, run->page_count);
    }
    run->page_count = 0;
}

typedef struct clear_context {
    const mm_run_space_t *space;
    dirty_run_t           run;
    uint64_t              touched;
} clear_context_t;

static void clear_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    clear_context_t *clear = context;
    mm_pfn_number_t  first = clear->space->first_pfn + first_unit;
    for (mm_pfn_number_t pfn = first; pfn < first + unit_count; pfn++) {
        if (!home_is_dirty(mm_pfn_entry(pfn)))
            continue;
        if (clear->run.page_count != 0 && clear->run.first + clear->run.page_count != pfn)
            clear_run(&clear->run);
        if (clear->run.page_count++ == 0)
            clear->run.first = pfn;
    }
    clear->touched += unit_count;
}

static void clear_entries(void *context, uint64_t first_unit, uint64_t unit_count)
{
    clear_context_t *clear = context;
    memset((void *)mm_pfn_entry(clear->space->first_pfn + first_unit), 0, unit_count * sizeof(mm_pfn_t));
}

/* Homes first, then the entries that say which homes are dirty. */
static void clear_frames(void)
{
    clear_context_t clear = { 0 };
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        clear.space = &mm_frames.space[i];
        rt_runs_visit_touched(&mm_frames.space[i].runs.runs, clear_leaf, &clear);
        clear_run(&clear.run);
    }
    if (clear.touched >= TABLES_DISCARD_LEAST && host_tables_clear(mm_pfn_database, mm_span_pfns * sizeof(mm_pfn_t)) == 0)
        return;
    for (uint32_t i = 0; i < mm_frames.space_count; i++) {
        clear.space = &mm_frames.space[i];
        rt_runs_visit_touched(&mm_frames.space[i].runs.runs, clear_entries, &clear);
    }
}

void mm_shutdown(void)
{
    if (!shape.built)
        return;
    mm_driver_shutdown();
    mm_system_pte_shutdown();
    mm_io_space_shutdown();
    mm_spaces_shutdown();
    mm_lock_track_boot(false);
    mm_pool_pages_shutdown();
    clear_frames();
    mm_frame_caches_forget();
    host_tools_leave();
    if (mm_map_changed)
        release_memory();
    else
        mm_frames_reset(&shape.map, mm_frames.node_count);
}

void mm_forget(void)
{
    mm_frame_caches_forget();
    mm_driver_forget();
    mm_io_space_shutdown();
    release_memory(); /* in this process only: mappings and descriptors are copies */
}

/* ---- tables of pages ---- */

typedef struct table_walk {
    mm_page_table_t *table;
    void (*visit)(void *context, mm_page_table_t *table, size_t index);
    void *context;
} table_walk_t;

static void visit_leaf(void *context, uint64_t first_unit, uint64_t unit_count)
{
    table_walk_t *walk = context;
    for (uint64_t i = first_unit; i < first_unit + unit_count; i++)
        walk->visit(walk->context, walk->table, i);
}

void mm_table_visit(mm_page_table_t *table, void (*visit)(void *context, mm_page_table_t *table, size_t index), void *context)
{
    table_walk_t walk = { table, visit, context };
    if (table->tables != NULL)
        rt_runs_visit_touched(&table->runs, visit_leaf, &walk);
}

static uint64_t pte_of_alias(const mm_page_table_t *table, size_t index)
{
    uint64_t pte = mm_pte_read(&table->ptes[index]);
    return mm_pte_has_frame(pte) ? mm_pte_dirty(mm_pte_pfn(pte)) : 0;
}

uint64_t mm_pte_of(uintptr_t va)
{
    if (mm_in(&mm_system_pte_region, va))
        return mm_system_table.ptes[mm_table_index(&mm_system_table, va)];
    if (mm_in(&mm_paged_region, va))
        return mm_pte_read(&mm_paged_table.ptes[mm_table_index(&mm_paged_table, va)]);
    if (mm_in(&mm_slot_region, va)) /* the alias of a page that has a frame, there or not */
        return pte_of_alias(&mm_paged_table, (va - mm_slot_region.base) >> PAGE_SHIFT);
    if (mm_in(&mm_shared_region, va))
        return pte_of_alias(&mm_shared_table, mm_table_index(&mm_shared_table, va));
    const mm_space_t *space = mm_space_find(va);
    if (space != NULL)
        return mm_view_pte(space, va);
    bool executable = mm_in(&mm_executable_map, va);
    if (!executable && !mm_in(&mm_physical_map, va))
        return 0;
    mm_pfn_number_t pfn = (va - (executable ? mm_executable_map.base : mm_physical_map.base)) >> PAGE_SHIFT;
    if (mm_unbacked || !mm_pfn_is_ram_locked(pfn))
        return 0;
    return mm_pte_make(pfn, HOST_READ | HOST_WRITE | (executable && !mm_executable_map_is_nx ? HOST_EXECUTE : 0));
}
