/*
 * mapping.c - system addresses for frames. Where the bytes are in a row already, they have addresses; else system PTEs name them.
 *
 *     the frames                                     the address                              costs
 *     follow each other, at home                     the map of RAM                           nothing
 *     back memory that is mapped page by page        where its owner sees it                  nothing
 *     back pages of paged pool in a row              the slots, which are always open         nothing
 *     pages of the process                           their own                                nothing
 *     anything else; may not be written              a mapping of its own: system PTEs        one host mapping for each stretch
 *
 * The first page of a mapping of its own has an owner that says MM_USE_MDL, and is the record of it: the pages, and a word of the caller's.
 *
 * Locks       none held here: the frames are held by the caller, system_pte.c has a lock of its own.
 * Fidelity    an address in place does not fault when it is unmapped, and is executable only if the memory is. With a verifier every mapping
 *             is one of its own.
 */
#include "mm/mapping.h"

#include "mm/io_space.h"
#include "mm/lock_pages.h"
#include "mm/paging.h"
#include "mm/pinned.h"
#include "mm/system_pte.h"

bool mm_mappings_are_real;

static mm_owner_t *owner_at(const void *va, size_t index)
{
    return &mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va) + index];
}

/* ---- what may be mapped ---- */

static void *home_address(const mm_mapping_t *mapping);

static bool is_io_page(const mm_mapping_t *mapping, mm_pfn_number_t pfn)
{
    return mapping->io_space && !mm_is_host_frame(pfn) && !mm_pfn_is_ram(pfn);
}

/* Most MDLs: a row of frames at home, each somebody's, and none a page of something else. */
static inline bool is_row_at_home(const mm_mapping_t *mapping)
{
    mm_pfn_number_t first = mapping->pfns[0];
    if (first > mm_highest_pfn || mapping->page_count > mm_highest_pfn - first + 1)
        return false;
    for (size_t i = 0; i < mapping->page_count; i++) {
        const mm_pfn_t *entry = mm_pfn_entry(first + i);
        uint8_t         use = mm_owner_glance(&entry->owner).use;
        if (mapping->pfns[i] != first + i || __atomic_load_n(&entry->list, __ATOMIC_RELAXED) != MM_ACTIVE || use == MM_USE_MAPPED)
            return false;
    }
    return true;
}

void *mm_mapping_at_home(const mm_mapping_t *mapping)
{
    bool plain = !mm_mappings_are_real && mapping->page_count != 0 && !mapping->io_space && (mapping->access & HOST_WRITE) != 0;
    return plain && is_row_at_home(mapping) ? home_address(mapping) : NULL;
}

size_t mm_mapping_first_bad(const mm_mapping_t *mapping)
{
    for (size_t i = 0; i < mapping->page_count; i++)
        if (NTMM_UNLIKELY(!mm_frame_stays(mapping->pfns[i])) && !is_io_page(mapping, mapping->pfns[i]))
            return i;
    return mapping->page_count;
}

static bool is_secure(const mm_pfn_t *entry)
{
    const mm_owner_t *owner = entry->mapped.use == MM_USE_MAPPED ? mm_owner_of((void *)entry->mapped.va) : NULL;
    return owner != NULL && (owner->flags & MM_OWNER_SECURE) != 0;
}

/* ---- in place ---- */

static bool are_in_a_row(const mm_mapping_t *mapping)
{
    for (size_t i = 1; i < mapping->page_count; i++)
        if (mapping->pfns[i] != mapping->pfns[0] + i)
            return false;
    return true;
}

/* The owner's own address, unless it is executable and that was not wanted: the other map's may be hidden from tools. */
static void *home_address(const mm_mapping_t *mapping)
{
    mm_pfn_number_t first = mapping->pfns[0];
    bool            executable = mm_pfn_entry(first)->owner.pool == MM_NONPAGED_EXECUTE;
    bool            as_such = executable && (mapping->access & HOST_EXECUTE) != 0;
    uintptr_t       va = (as_such ? mm_executable_map.base : mm_physical_map.base) + (first << PAGE_SHIFT);
    if (as_such != executable)
        mm_unpoison(va, mapping->page_count << PAGE_SHIFT);
    return (void *)va;
}

/* Pages that the frames back, in a row: where they begin, or 0. */
static uintptr_t pages_in_a_row(const mm_mapping_t *mapping)
{
    uintptr_t first = mm_pfn_entry(mapping->pfns[0])->mapped.va;
    for (size_t i = 1; i < mapping->page_count; i++) {
        const mm_pfn_t *entry = mapping->pfns[i] <= mm_highest_pfn ? mm_pfn_entry(mapping->pfns[i]) : NULL;
        if (entry == NULL || entry->mapped.use != MM_USE_MAPPED || entry->mapped.va != first + (i << PAGE_SHIFT))
            return 0;
    }
    return first;
}

static void *slots_in_place(const mm_mapping_t *mapping)
{
    uintptr_t      first = pages_in_a_row(mapping);
    mm_pageable_t *region = first != 0 ? mm_pageable_of(first) : NULL;
    return region != NULL ? mm_alias_of(region, mm_table_index(region->table, first)) : NULL;
}

/* Memory that is mapped page by page: where its owner sees it, if that allows what is wanted, and no more. */
static void *mapped_in_place(const mm_mapping_t *mapping)
{
    uintptr_t first = pages_in_a_row(mapping);
    if (first == 0 || is_secure(mm_pfn_entry(mapping->pfns[0])))
        return NULL;
    uint64_t pte = mm_pte_of(first);
    bool     allows = (pte & MM_PTE_WRITE) != 0 && ((pte & MM_PTE_NX) != 0 || (mapping->access & HOST_EXECUTE) != 0);
    return allows ? (void *)first : NULL;
}

void *mm_mapping_in_place(const mm_mapping_t *mapping)
{
    mm_pfn_number_t first = mapping->pfns[0];
    if (NTMM_UNLIKELY(mm_is_host_frame(first)))
        return are_in_a_row(mapping) ? mm_host_frame_va(first) : NULL;
    if (mapping->io_space || (mapping->access & HOST_WRITE) == 0 || mm_mappings_are_real)
        return NULL;
    const mm_pfn_t *entry = mm_pfn_entry(first);
    if (NTMM_LIKELY(mm_owner_glance(&entry->owner).use != MM_USE_MAPPED))
        return is_row_at_home(mapping) ? home_address(mapping) : NULL;
    return mm_frame_is_pageable(entry) ? slots_in_place(mapping) : mapped_in_place(mapping);
}

/* ---- a mapping of its own ---- */

/* Pages of I/O space keep the cache type that they are mapped with. */
static bool set_io_page(void *va, size_t index, mm_pfn_number_t pfn, const mm_mapping_t *mapping)
{
    mm_io_claim_t claim = mm_io_set_pte(va, index, pfn, mapping->access, mapping->cache);
    for (int type = MmNonCached; claim == MM_IO_OTHER_CACHE && type <= MmWriteCombined; type++)
        claim = mm_io_set_pte(va, index, pfn, mapping->access, (MEMORY_CACHING_TYPE)type);
    return claim == MM_IO_CLAIMED ||
           ke_error(false, "there is no window of I/O space any more at physical address 0x%llx", (unsigned long long)pfn << PAGE_SHIFT);
}

static bool set_page(void *va, size_t index, const mm_mapping_t *mapping)
{
    mm_pfn_number_t pfn = mapping->pfns[index];
    if (is_io_page(mapping, pfn))
        return set_io_page(va, index, pfn, mapping);
    if (mm_is_host_frame(pfn))
        return ke_error(false, "memory of the process can be seen at its own address only, all of it, and writable");
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    mm_system_pte_set(va, index, pfn, is_secure(entry) ? mapping->access & ~(unsigned)HOST_WRITE : mapping->access);
    if (mm_frame_is_pageable(entry))
        mm_frame_pin(pfn);
    else
        mm_system_pte_mark(va, index, MM_PTE_HOME);
    return true;
}

static bool set_pages(void *va, const mm_mapping_t *mapping)
{
    for (size_t i = 0; i < mapping->page_count; i++)
        if (!set_page(va, i, mapping)) {
            mm_io_let_go(va, i);
            mm_system_pte_clear(va, mapping->page_count);
            return false;
        }
    return true;
}

static void record(void *va, size_t page_count, uint64_t key)
{
    for (size_t i = 1; i < page_count; i++)
        *owner_at(va, i) = (mm_owner_t){ .bytes = i, .use = MM_USE_MDL_TAIL, .pool = MM_POOLS };
    *owner_at(va, 0) = (mm_owner_t){ .bytes = key, .tag = (uint32_t)page_count, .use = MM_USE_MDL, .pool = MM_POOLS };
}

void *mm_mapping_make(const mm_mapping_t *mapping)
{
    void *va = mm_system_pte_reserve(mapping->page_count);
    if (va == NULL)
        return NULL;
    if (set_pages(va, mapping)) {
        if (mm_system_pte_commit(va, mapping->page_count)) {
            record(va, mapping->page_count, mapping->key);
            return va;
        }
        mm_io_let_go(va, mapping->page_count);
    }
    mm_system_pte_abandon(va, mapping->page_count);
    return NULL;
}

void mm_mapping_drop(void *va, size_t page_count)
{
    mm_mapping_found_t found = mm_mapping_find(va);
    char              *rest = (char *)va + (page_count << PAGE_SHIFT);
    if (found.record != NULL && found.page_count > page_count)
        record(rest, found.page_count - page_count, found.key + ((uint64_t)page_count << PAGE_SHIFT));
    mm_system_pte_close(va, page_count);
    mm_io_let_go(va, page_count);
    mm_system_pte_abandon(va, page_count);
}

mm_mapping_found_t mm_mapping_find(const void *page)
{
    mm_mapping_found_t none = { 0 };
    if (!mm_in(&mm_system_pte_region, (uintptr_t)page))
        return none;
    mm_owner_t *owner = owner_at(page, 0);
    size_t      before = owner->use == MM_USE_MDL_TAIL ? (size_t)owner->bytes : 0;
    if (owner->use == MM_USE_MDL_TAIL)
        owner -= before;
    if (owner->use != MM_USE_MDL)
        return none;
    return (mm_mapping_found_t){ owner, owner->tag - before, before, owner->bytes };
}

/* ---- at reserved addresses ---- */

bool mm_mapping_make_at(void *va, const mm_mapping_t *mapping)
{
    if (!set_pages(va, mapping))
        return false;
    if (mm_system_pte_commit_promised(va, mapping->page_count))
        return true;
    mm_io_let_go(va, mapping->page_count);
    mm_system_pte_clear(va, mapping->page_count);
    return false;
}

void mm_mapping_clear(void *va, size_t page_count)
{
    mm_system_pte_close(va, page_count);
    mm_io_let_go(va, page_count);
    mm_system_pte_clear(va, page_count);
}

/* ---- walks ---- */

typedef struct mapping_walk {
    void (*visit)(void *context, void *page, mm_owner_t *owner);
    void *context;
} mapping_walk_t;

static void visit_page(void *context, mm_page_table_t *table, size_t index)
{
    mapping_walk_t *walk = context;
    uint8_t         use = table->owners[index].use;
    if (use == MM_USE_MDL || use == MM_USE_RESERVED)
        walk->visit(walk->context, (void *)mm_table_va(table, index), &table->owners[index]);
}

void mm_visit_mappings(void (*visit)(void *context, void *page, mm_owner_t *owner), void *context)
{
    mapping_walk_t walk = { visit, context };
    if (mm_system_table.tables != NULL)
        mm_table_visit(&mm_system_table, visit_page, &walk);
}
