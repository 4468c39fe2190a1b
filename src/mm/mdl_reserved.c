/*
 * mdl_reserved.c - addresses first, memory later: for drivers that must go on when system PTEs have run out.
 *
 *     MmAllocateMappingAddress --> reserved, empty <-- MmMapLockedPagesWithReservedMapping / MmUnmapReservedMapping --> mapped
 *                                       |
 *                             MmFreeMappingAddress
 *
 * The host mappings that the range can ever need are promised with it (system_pte.c), so that mapping does not fail. The owner entry of the
 * first page keeps pages, mapped pages and tag.
 *
 * Locks       none held here: a range belongs to its driver.
 * Source      WDK reference: the pages of the routines; Bug Check 0xDA, 0x100 to 0x10C.
 */
#include "mm/mdl_reserved.h"

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "mm/machine.h"
#include "mm/system_pte.h"

static mm_owner_t *owner_at(const void *va) { return &mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va)]; }

static size_t mapped_pages(const mm_owner_t *owner) { return (size_t)(owner->bytes >> 32); }
static void   say_mapped(mm_owner_t *owner, size_t pages) { owner->bytes = (uint64_t)pages << 32 | mm_reserved_pages(owner); }

/* The record of the range that begins exactly there. */
static mm_owner_t *find(const void *va)
{
    if (!mm_in(&mm_system_pte_region, (uintptr_t)va) || (uintptr_t)va % PAGE_SIZE != 0)
        return NULL;
    mm_owner_t *owner = owner_at(va);
    return __atomic_load_n(&owner->use, __ATOMIC_ACQUIRE) == MM_USE_RESERVED ? owner : NULL;
}

size_t mm_reserved_mapped(const void *page)
{
    const mm_owner_t *owner = find(page);
    return owner != NULL ? mapped_pages(owner) : 0;
}

bool mm_reserved_unmap(void *page)
{
    mm_owner_t *owner = find(page);
    if (owner == NULL)
        return false;
    if (mapped_pages(owner) != 0)
        mm_mapping_clear(page, mapped_pages(owner));
    say_mapped(owner, 0);
    return true;
}

/* ---- reserve ---- */

static void *reserve(size_t page_count, uint32_t tag)
{
    if (page_count > UINT32_MAX || !mm_system_pte_promise(page_count))
        return NULL;
    void *va = mm_system_pte_reserve(page_count);
    if (va == NULL) {
        mm_system_pte_promise_back(page_count);
        return NULL;
    }
    owner_at(va)->bytes = page_count;
    owner_at(va)->tag = tag;
    owner_at(va)->pool = MM_POOLS;
    __atomic_store_n(&owner_at(va)->use, (uint8_t)MM_USE_RESERVED, __ATOMIC_RELEASE);
    return va;
}

static PVOID allocate(const char *routine, SIZE_T bytes, ULONG tag, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_enter(routine);
    void        *va = NULL;
    if (thread == NULL)
        return NULL;
    if (bytes != 0 && bytes <= mm_system_pte_region.bytes && !ke_inject_failure())
        va = reserve(BYTES_TO_PAGES(bytes), tag);
    ke_thread_leave(thread);
    if (bytes == 0)
        ke_bugcheck(routine, "Addresses for no bytes at all were to be reserved.", SYSTEM_PTE_MISUSE, 0x100, 0, tag, caller);
    return va;
}

PVOID MmAllocateMappingAddress(SIZE_T NumberOfBytes, ULONG PoolTag)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return allocate(__func__, NumberOfBytes, PoolTag, (ULONG_PTR)__builtin_return_address(0));
}

PVOID MmAllocateMappingAddressEx(SIZE_T NumberOfBytes, ULONG PoolTag, ULONG Flags)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    if ((Flags & ~MM_MAPPING_ADDRESS_DIVISIBLE) != 0) {
        ke_error(0, "%s: 0x%x is no flag of reserved addresses", __func__, Flags);
        return NULL;
    }
    return allocate(__func__, NumberOfBytes, PoolTag, (ULONG_PTR)__builtin_return_address(0));
}

/* ---- misuse ---- */

typedef struct reserved_stop { /* what is wrong, if anything */
    const char *why;
    ULONG_PTR   code, p2, p3, p4;
} reserved_stop_t;

static void stop_if(const char *routine, const reserved_stop_t *stop)
{
    if (stop->why != NULL)
        ke_bugcheck(routine, stop->why, SYSTEM_PTE_MISUSE, stop->code, stop->p2, stop->p3, stop->p4);
}

/* The codes of "not reserved" and "another's tag", which each routine has of its own. */
static mm_owner_t *find_owned(void *va, ULONG tag, ULONG_PTR not_reserved, ULONG_PTR not_owner, reserved_stop_t *stop)
{
    mm_owner_t *owner = find(va);
    if (owner == NULL)
        *stop = (reserved_stop_t){ "No reserved addresses begin there.", not_reserved, (ULONG_PTR)va, tag, 0 };
    else if (owner->tag != tag)
        *stop = (reserved_stop_t){ "The reserved addresses belong to whoever has another tag.", not_owner, (ULONG_PTR)va, tag, owner->tag };
    return owner;
}

/* ---- free ---- */

static void free_range(void *va, ULONG tag, reserved_stop_t *stop)
{
    mm_owner_t *owner = find_owned(va, tag, 0x102, 0x101, stop);
    if (stop->why != NULL)
        return;
    if (mapped_pages(owner) != 0) {
        *stop = (reserved_stop_t){ "Reserved addresses were freed while something is mapped there: MmUnmapReservedMapping comes first.",
                                   0x103, (ULONG_PTR)va, tag, mapped_pages(owner) };
        return;
    }
    size_t page_count = mm_reserved_pages(owner);
    mm_system_pte_abandon(va, page_count);
    mm_system_pte_promise_back(page_count);
}

VOID MmFreeMappingAddress(PVOID BaseAddress, ULONG PoolTag)
{
    reserved_stop_t stop = { 0 };
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    free_range(BaseAddress, PoolTag, &stop);
    ke_thread_leave(thread);
    stop_if(__func__, &stop);
}

/* ---- map ---- */

static bool map_range(mm_owner_t *owner, void *va, MDL *mdl, const mm_mapping_t *mapping)
{
    if (mapping->page_count == 0 || mapping->page_count > mm_reserved_pages(owner))
        return ke_error(false, "the MDL has %zu pages, and %zu were reserved", mapping->page_count, mm_reserved_pages(owner));
    if (!mm_mapping_make_at(va, mapping))
        return false;
    say_mapped(owner, mapping->page_count);
    mdl->MappedSystemVa = va;
    mm_mdl_set(mdl, MDL_MAPPED_TO_SYSTEM_VA | (mm_mdl_has(mdl, MDL_PARTIAL) ? MDL_PARTIAL_HAS_BEEN_MAPPED : 0u));
    return true;
}

PVOID MmMapLockedPagesWithReservedMapping(PVOID MappingAddress, ULONG PoolTag, PMDL MemoryDescriptorList, MEMORY_CACHING_TYPE CacheType)
{
    reserved_stop_t stop = { 0 };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    mm_mapping_t mapping = mm_mdl_mapping(MemoryDescriptorList, HOST_READ | HOST_WRITE | HOST_EXECUTE, CacheType);
    size_t       bad = mapping.page_count;
    bool         mapped = false;
    mm_owner_t  *owner = find_owned(MappingAddress, PoolTag, 0x105, 0x104, &stop);
    if (stop.why == NULL && mapped_pages(owner) != 0)
        stop = (reserved_stop_t){ "An MDL is mapped at the reserved addresses already.", 0x107, (ULONG_PTR)MappingAddress,
                                  (ULONG_PTR)MappingAddress, (ULONG_PTR)MappingAddress + ((mapped_pages(owner) - 1) << PAGE_SHIFT) };
    if (stop.why == NULL && (bad = mm_mapping_first_bad(&mapping)) == mapping.page_count)
        mapped = map_range(owner, MappingAddress, MemoryDescriptorList, &mapping);
    ke_thread_leave(thread);
    stop_if(__func__, &stop);
    if (bad < mapping.page_count)
        mm_stop_unlocked_page(__func__, MemoryDescriptorList, bad);
    return mapped ? (char *)MappingAddress + MemoryDescriptorList->ByteOffset : NULL;
}

/* ---- unmap ---- */

static void unmap_range(void *va, ULONG tag, MDL *mdl, reserved_stop_t *stop)
{
    mm_owner_t *owner = find_owned(va, tag, 0x109, 0x108, stop);
    size_t      pages = mm_mdl_pages(mdl);
    if (stop->why != NULL)
        return;
    if (pages > mm_reserved_pages(owner))
        *stop = (reserved_stop_t){ "The MDL has more pages than were reserved.", 0x10A, (ULONG_PTR)va, mm_reserved_pages(owner), pages };
    else if (pages > mapped_pages(owner))
        *stop = (reserved_stop_t){ "Not all pages of the MDL are mapped at the reserved addresses.", 0x10B, (ULONG_PTR)va, tag, pages };
    else if (pages < mapped_pages(owner))
        *stop = (reserved_stop_t){ "More is mapped at the reserved addresses than the MDL describes.", 0x10C, (ULONG_PTR)va, tag, pages };
    if (stop->why != NULL)
        return;
    mm_reserved_unmap(va);
    mm_mdl_describe_unmapped(mdl);
}

VOID MmUnmapReservedMapping(PVOID BaseAddress, ULONG PoolTag, PMDL MemoryDescriptorList)
{
    reserved_stop_t stop = { 0 };
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    unmap_range(BaseAddress, PoolTag, MemoryDescriptorList, &stop);
    ke_thread_leave(thread);
    stop_if(__func__, &stop);
}

/* ---- for dumps ---- */

static NTSTATUS map_dump(void *va, PFN_NUMBER page_total, MDL *mdl, ULONG flags)
{
    mm_owner_t *owner = find(va);
    if (owner == NULL)
        return STATUS_INVALID_PARAMETER_1;
    if (page_total == 0 || page_total > mm_reserved_pages(owner))
        return STATUS_INVALID_PARAMETER_2;
    if ((flags & ~(MM_DUMP_MAP_CACHED | MM_DUMP_MAP_INVALIDATE)) != 0)
        return STATUS_INVALID_PARAMETER_4;
    mm_reserved_unmap(va);
    if ((flags & MM_DUMP_MAP_INVALIDATE) != 0) {
        mm_mdl_clear(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
        return STATUS_SUCCESS;
    }
    mm_mapping_t mapping = mm_mdl_mapping(mdl, HOST_READ | HOST_WRITE, MmCached);
    if (mapping.page_count > page_total || mm_mapping_first_bad(&mapping) < mapping.page_count)
        return STATUS_INVALID_PARAMETER_3;
    if (!map_range(owner, va, mdl, &mapping))
        return STATUS_INSUFFICIENT_RESOURCES;
    mdl->MappedSystemVa = (char *)va + mdl->ByteOffset;
    return STATUS_SUCCESS;
}

NTSTATUS MmMapMemoryDumpMdlEx(PVOID Va, PFN_NUMBER PageTotal, PMDL MemoryDumpMdl, ULONG Flags)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = map_dump(Va, PageTotal, MemoryDumpMdl, Flags);
    ke_thread_leave(thread);
    return status;
}
