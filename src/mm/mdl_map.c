/*
 * mdl_map.c - system addresses for MDLs: MmMapLockedPagesSpecifyCache and what undoes it, protects it, or borrows it for one call.
 *
 *     not mapped  -- MmMapLockedPages... -->  MDL_MAPPED_TO_SYSTEM_VA                               -- MmUnmapLockedPages, MmUnlockPages -->
 *     partial     ------------------------->  the same and MDL_PARTIAL_HAS_BEEN_MAPPED               -- the same, MmPrepareMdlForReuse, IoFreeMdl -->
 *     partial of a mapped one                 MDL_MAPPED_TO_SYSTEM_VA, MDL_PARENT_MAPPED_SYSTEM_VA   not its own: nobody unmaps it
 *
 * Where the frames have an address already, mapping is finding it (mapping.c).
 *
 * Locks       none held here: an MDL belongs to its caller.
 * Source      WDK reference: the pages of the routines; Bug Checks 0x1A, 0x3F, 0xDA.
 * Fidelity    how scarce system PTEs have to be for a priority: choice.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/probe.h"
#include "mm/lock_pages.h"
#include "mm/machine.h"
#include "mm/mapping.h"
#include "mm/mdl.h"
#include "mm/mdl_pages.h"
#include "mm/mdl_reserved.h"
#include "mm/mdl_user.h"
#include "mm/process_space.h"
#include "mm/system_pte.h"

#define LOW_SHARE 4u     /* LowPagePriority: refused when less than 1/4 of the system PTEs is free */
#define NORMAL_SHARE 16u /* NormalPagePriority: less than 1/16 */

/* ---- the driver's words ---- */

static unsigned access_of_priority(ULONG priority)
{
    return HOST_READ | ((priority & MdlMappingNoWrite) != 0 ? 0u : HOST_WRITE) |
           ((priority & MdlMappingNoExecute) != 0 ? 0u : HOST_EXECUTE);
}

static bool access_of_protect(ULONG protect, unsigned *access)
{
    switch (protect) {
    case PAGE_NOACCESS: *access = HOST_NONE; return true;
    case PAGE_READONLY: *access = HOST_READ; return true;
    case PAGE_READWRITE: *access = HOST_READ | HOST_WRITE; return true;
    case PAGE_EXECUTE:
    case PAGE_EXECUTE_READ: *access = HOST_READ | HOST_EXECUTE; return true;
    case PAGE_EXECUTE_READWRITE: *access = HOST_READ | HOST_WRITE | HOST_EXECUTE; return true;
    default: return false;
    }
}

static bool is_scarce(ULONG priority)
{
    ULONG    wanted = priority & ~(MdlMappingNoWrite | MdlMappingNoExecute);
    uint64_t free = mm_system_pte_free(), total = mm_table_pages(&mm_system_table);
    uint64_t share = wanted < NormalPagePriority ? LOW_SHARE : wanted < HighPagePriority ? NORMAL_SHARE : 0;
    return share != 0 && free < total / share &&
           ke_error(1, "only %llu system PTEs are free, too few for this priority", (unsigned long long)free);
}

mm_mapping_t mm_mdl_mapping(const MDL *mdl, unsigned access, MEMORY_CACHING_TYPE cache)
{
    return (mm_mapping_t){ .pfns = MmGetMdlPfnArray(mdl),
                           .page_count = mm_mdl_pages(mdl),
                           .access = access,
                           .cache = cache,
                           .io_space = mm_mdl_has(mdl, MDL_IO_SPACE),
                           .key = (uintptr_t)mdl->StartVa };
}

void mm_stop_unlocked_page(const char *routine, MDL *mdl, size_t index)
{
    PFN_NUMBER *slot = &MmGetMdlPfnArray(mdl)[index];
    ke_bugcheck(routine, "An MDL was to be mapped, but a page of it is not locked, or its array was never filled.", MEMORY_MANAGEMENT,
                0x1236, (ULONG_PTR)mdl, (ULONG_PTR)slot, *slot);
}

/* ---- map ---- */

/* Only what MmAllocatePagesForMdl made has no cache type yet. */
static void give_cache_type(const mm_mapping_t *mapping)
{
    for (size_t i = 0; i < mapping->page_count; i++)
        if (mm_pfn_entry(mapping->pfns[i])->cache == 0)
            mm_pfn_entry(mapping->pfns[i])->cache = (uint8_t)(1 + mapping->cache);
}

static void *find_address(const mm_mapping_t *mapping, ULONG priority)
{
    if (mapping->page_count == 0)
        return NULL;
    void *va = mm_mapping_in_place(mapping);
    if (va == NULL && !is_scarce(priority))
        va = mm_mapping_make(mapping);
    return va;
}

static void describe_mapped(MDL *mdl, void *va)
{
    mdl->MappedSystemVa = (char *)va + mdl->ByteOffset;
    mm_mdl_clear(mdl, MDL_PARENT_MAPPED_SYSTEM_VA);
    mm_mdl_set(mdl, MDL_MAPPED_TO_SYSTEM_VA | (mm_mdl_has(mdl, MDL_PARTIAL) ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0u));
}

static bool cache_type_is_one(MEMORY_CACHING_TYPE type) { return type >= MmNonCached && type < MmMaximumCacheType; }

/* NULL with *bad a page: it is not locked. */
static void *map_in_system(MDL *mdl, MEMORY_CACHING_TYPE cache, ULONG priority, size_t *bad)
{
    mm_mapping_t mapping = mm_mdl_mapping(mdl, access_of_priority(priority), cache);
    void        *va = mm_mapping_at_home(&mapping);
    *bad = va != NULL ? mapping.page_count : mm_mapping_first_bad(&mapping);
    if (*bad < mapping.page_count || ke_inject_failure())
        return NULL;
    if (!cache_type_is_one(cache)) {
        ke_error(0, "cache type %d is none", (int)cache);
        return NULL;
    }
    va = va != NULL ? va : find_address(&mapping, priority);
    if (va == NULL)
        return NULL;
    if (mm_is_mdl_page(mapping.pfns[0]))
        give_cache_type(&mapping);
    describe_mapped(mdl, va);
    return va;
}

static _Noreturn NTMM_COLD void no_system_ptes(const char *routine, size_t page_count)
{
    ke_bugcheck(routine,
                "An MDL could not be mapped, and its driver asked for a bug check in that case. MmGetSystemAddressForMdlSafe does not.",
                NO_MORE_SYSTEM_PTES, 0, page_count, (ULONG_PTR)mm_system_pte_free(), mm_table_pages(&mm_system_table));
}

static PVOID map_kernel(const char *routine, MDL *mdl, MEMORY_CACHING_TYPE cache, bool stop_on_failure, ULONG priority)
{
    size_t bad = 0, pages = mm_mdl_pages(mdl);
    ke_probe_mdl(routine, KE_MDL_MAP, mdl);
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return NULL;
    void *va = map_in_system(mdl, cache, priority, &bad);
    ke_thread_leave(thread);
    if (bad < pages)
        mm_stop_unlocked_page(routine, mdl, bad);
    if (va == NULL && stop_on_failure)
        no_system_ptes(routine, pages);
    return va != NULL ? mdl->MappedSystemVa : NULL;
}

/* ---- at addresses of the current process ---- */

static NTSTATUS map_in_process(const ke_thread_t *thread, MDL *mdl, ULONG priority, uintptr_t requested, uintptr_t *base)
{
    mm_space_t  *space;
    unsigned     access = HOST_READ | ((priority & MdlMappingNoWrite) != 0 ? 0u : HOST_WRITE); /* never executable */
    mm_mapping_t mapping = mm_mdl_mapping(mdl, access, MmCached);
    if (mapping.page_count == 0 || ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    NTSTATUS status = mm_process_space_need(ke_process_current(thread), &space);
    return NT_SUCCESS(status) ? mm_user_mapping_make(space, mdl, &mapping, requested & ~((uintptr_t)PAGE_SIZE - 1), base) : status;
}

static PVOID map_user(const char *routine, MDL *mdl, ULONG priority, PVOID requested, ULONG_PTR caller)
{
    uintptr_t base = 0;
    ke_probe_mdl(routine, KE_MDL_MAP_USER, mdl);
    ke_thread_t *thread = ke_thread_enter(routine);
    if (thread == NULL)
        return NULL;
    mm_mapping_t mapping = mm_mdl_mapping(mdl, HOST_READ, MmCached);
    size_t       bad = mm_mapping_first_bad(&mapping);
    NTSTATUS     status = STATUS_SUCCESS;
    if (bad == mapping.page_count)
        status = map_in_process(thread, mdl, priority, (uintptr_t)requested, &base);
    ke_thread_leave(thread);
    if (bad < mapping.page_count)
        mm_stop_unlocked_page(routine, mdl, bad);
    if (!NT_SUCCESS(status))
        ke_raise_status(routine, status, caller);
    return (PVOID)(base + mdl->ByteOffset);
}

PVOID MmMapLockedPagesSpecifyCache(PMDLX MemoryDescriptorList, KPROCESSOR_MODE AccessMode, MEMORY_CACHING_TYPE CacheType,
                                   PVOID RequestedAddress, ULONG BugCheckOnFailure, ULONG Priority)
{
    KE_REQUIRE_IRQL_FOR(AccessMode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL, MemoryDescriptorList, AccessMode);
    if (AccessMode != KernelMode)
        return map_user(__func__, MemoryDescriptorList, Priority, RequestedAddress, (ULONG_PTR)__builtin_return_address(0));
    if (BugCheckOnFailure != FALSE)
        ke_probe_mdl(__func__, KE_MDL_MAP_OR_STOP, MemoryDescriptorList);
    return map_kernel(__func__, MemoryDescriptorList, CacheType, BugCheckOnFailure != FALSE, Priority);
}

PVOID MmMapLockedPages(PMDL MemoryDescriptorList, KPROCESSOR_MODE AccessMode)
{
    KE_REQUIRE_IRQL_FOR(AccessMode == KernelMode ? DISPATCH_LEVEL : APC_LEVEL, MemoryDescriptorList, AccessMode);
    ke_probe_mdl(__func__, KE_MDL_MAP_OR_STOP, MemoryDescriptorList);
    if (AccessMode != KernelMode)
        return map_user(__func__, MemoryDescriptorList, HighPagePriority, NULL, (ULONG_PTR)__builtin_return_address(0));
    return map_kernel(__func__, MemoryDescriptorList, MmCached, !mm_mdl_has(MemoryDescriptorList, MDL_MAPPING_CAN_FAIL), HighPagePriority);
}

/* ---- unmap ---- */

static bool has_own_mapping(const MDL *mdl)
{
    return mm_mdl_has(mdl, MDL_MAPPED_TO_SYSTEM_VA) && (!mm_mdl_has(mdl, MDL_PARTIAL) || mm_mdl_has(mdl, MDL_PARTIAL_HAS_BEEN_MAPPED));
}

void mm_mdl_describe_unmapped(MDL *mdl)
{
    mm_mdl_clear(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED | MDL_FREE_EXTRA_PTES);
    if (mm_mdl_has(mdl, MDL_SOURCE_IS_NONPAGED_POOL))
        mdl->MappedSystemVa = (PVOID)mm_mdl_address(mdl);
}

void mm_mdl_unmap(MDL *mdl)
{
    void              *page = PAGE_ALIGN(mdl->MappedSystemVa);
    mm_mapping_found_t found = { 0 };
    if (!has_own_mapping(mdl))
        return;
    if (!mm_reserved_unmap(page))
        found = mm_mapping_find(page);
    if (found.record != NULL && found.pages_before == 0)
        mm_mapping_drop(page, found.page_count);
    mm_mdl_describe_unmapped(mdl);
}

typedef struct unmap_stop { /* what is wrong, if anything */
    const char *why;
    ULONG_PTR   code, p2, p3, p4;
} unmap_stop_t;

static unmap_stop_t check_record(const MDL *mdl, void *base, const mm_mapping_found_t *found)
{
    ULONG_PTR  record = (ULONG_PTR)found->record, start = (ULONG_PTR)mdl->StartVa;
    PFN_NUMBER first = MmGetMdlPfnArray(mdl)[0], mapped = mm_system_pte_frame(PAGE_ALIGN(base), 0);
    if (found->page_count != mm_mdl_pages(mdl))
        return (unmap_stop_t){ "The MDL describes another number of pages than when it was mapped.", 0x02, record, found->page_count,
                               mm_mdl_pages(mdl) };
    if (found->key != start)
        return (unmap_stop_t){ "The MDL's StartVa is another one than when it was mapped.", 0x05, record, (ULONG_PTR)found->key, start };
    if (mapped != first)
        return (unmap_stop_t){ "The MDL's first frame is another one than when it was mapped.", 0x04, record, mapped, first };
    return (unmap_stop_t){ 0 };
}

static unmap_stop_t check_unmap(MDL *mdl, void *base)
{
    mm_mapping_found_t found = mm_mapping_find(PAGE_ALIGN(base));
    if (!has_own_mapping(mdl))
        return (unmap_stop_t){ "The MDL is not mapped, or shares the mapping of the MDL that it is a part of.", 0x06, (ULONG_PTR)mdl,
                               (ULONG_PTR)base, mm_mdl_pages(mdl) };
    if (base != mdl->MappedSystemVa)
        return (unmap_stop_t){ "The MDL is mapped at another address.", 0x03,
                               (ULONG_PTR)(found.record != NULL ? (void *)found.record : mdl), (ULONG_PTR)mdl->MappedSystemVa,
                               (ULONG_PTR)base };
    return found.record != NULL ? check_record(mdl, base, &found) : (unmap_stop_t){ 0 };
}

/* An address of the process in which the thread runs. */
static unmap_stop_t unmap_user(const ke_thread_t *thread, MDL *mdl, void *base)
{
    mm_space_t *space = mm_process_space(ke_process_current(thread));
    if (BYTE_OFFSET(base) == mdl->ByteOffset && mm_user_mapping_drop(space, mdl, (uintptr_t)PAGE_ALIGN(base)))
        return (unmap_stop_t){ 0 };
    return (unmap_stop_t){ "The MDL is not mapped at this address of the process in which the thread runs.", 0x06, (ULONG_PTR)mdl,
                           (ULONG_PTR)base, mm_mdl_pages(mdl) };
}

VOID MmUnmapLockedPages(PVOID BaseAddress, PMDL MemoryDescriptorList)
{
    bool user = mm_in(&mm_user_region, (uintptr_t)BaseAddress);
    KE_REQUIRE_IRQL_FOR(user ? APC_LEVEL : DISPATCH_LEVEL, BaseAddress, MemoryDescriptorList);
    if (!user)
        ke_probe_mdl(__func__, KE_MDL_UNMAP, MemoryDescriptorList);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    unmap_stop_t stop = user ? unmap_user(thread, MemoryDescriptorList, BaseAddress) : check_unmap(MemoryDescriptorList, BaseAddress);
    if (stop.why == NULL && !user)
        mm_mdl_unmap(MemoryDescriptorList);
    ke_thread_leave(thread);
    if (stop.why != NULL)
        ke_bugcheck(__func__, stop.why, SYSTEM_PTE_MISUSE, stop.code, stop.p2, stop.p3, stop.p4);
}

/* ---- protect ---- */

/* Pages from `page` on that are mapped there for an MDL: in a mapping of its own or at reserved addresses; 0 where memory is in place anyway. */
static size_t pages_to_protect(void *page)
{
    mm_mapping_found_t found = mm_mapping_find(page);
    return found.record != NULL ? found.page_count : mm_reserved_mapped(page);
}

static bool is_in_place(const void *page)
{
    uintptr_t va = (uintptr_t)page;
    return !mm_in(&mm_all, va) || mm_in(&mm_slot_region, va) || mm_in(&mm_shared_region, va) || mm_owner_of(page) != NULL;
}

NTSTATUS MmProtectMdlSystemAddress(PMDL MemoryDescriptorList, ULONG NewProtect)
{
    unsigned access;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_SUCCESS;
    void    *page = PAGE_ALIGN(MemoryDescriptorList->MappedSystemVa);
    bool     invalid = false;
    if (!access_of_protect(NewProtect, &access)) {
        status = STATUS_INVALID_PAGE_PROTECTION;
    } else if (!mm_mdl_has(MemoryDescriptorList, MDL_MAPPED_TO_SYSTEM_VA)) {
        status = STATUS_NOT_MAPPED_VIEW;
    } else {
        size_t pages = pages_to_protect(page);
        invalid = pages == 0 && !is_in_place(page);
        if (pages != 0 && !mm_system_pte_protect(page, pages, access))
            status = STATUS_INSUFFICIENT_RESOURCES;
    }
    ke_thread_leave(thread);
    if (invalid)
        ke_bugcheck(__func__, "The MDL says that it is mapped at an address where nothing is mapped.", MEMORY_MANAGEMENT, 0x1235, 0, 0, 0);
    return status;
}

/* ---- for one call ---- */

NTSTATUS MmMapMdl(PMDLX MemoryDescriptorList, ULONG Protection, PMM_MDL_ROUTINE DriverRoutine, PVOID DriverContext)
{
    unsigned access;
    MDL     *mdl = MemoryDescriptorList;
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (!access_of_protect(Protection, &access) || access == HOST_NONE)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (mm_mdl_has(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL)) {
        if (ke_thread_ready(__func__) == NULL)
            return STATUS_UNSUCCESSFUL;
        DriverRoutine(DriverContext, mdl->MappedSystemVa);
        return STATUS_SUCCESS;
    }
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    mm_mapping_t mapping = mm_mdl_mapping(mdl, access, MmCached);
    size_t       bad = mm_mapping_first_bad(&mapping);
    void        *va = bad < mapping.page_count || ke_inject_failure() ? NULL : find_address(&mapping, HighPagePriority);
    ke_thread_leave(thread);
    if (bad < mapping.page_count)
        mm_stop_unlocked_page(__func__, mdl, bad);
    if (va == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    DriverRoutine(DriverContext, (char *)va + mdl->ByteOffset);
    if (mm_mapping_find(va).record != NULL)
        mm_mapping_drop(va, mapping.page_count);
    return STATUS_SUCCESS;
}
