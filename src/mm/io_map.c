/*
 * io_map.c - MmMapIoSpace: physical addresses become virtual ones. Each page that the range touches gets a system PTE:
 *
 *     the page is                        PTE                          how it is held
 *     I/O space: a window of memory      MM_PTE_IO                    its word counts the mapping (io_pages.c)
 *     I/O space: registers on it         MM_PTE_IO | MM_PTE_DEVICE    the same; the host has nothing there, so a plain access faults
 *     RAM that cannot be paged           MM_PTE_HOME                  not at all: its owner may free it under the mapping
 *     RAM that can, locked by an MDL     a frame like any other       one more reference, so that it stays where it is; dirty, if written
 *     RAM otherwise                      none: 0x1A/0x1233            its contents may be another's in a moment
 *     nothing                            none: NULL                   on hardware one may map it, and reads ones
 *
 * The owner entry of the first page says what was asked for (mm_io_extent), so that the unmapping can be held against it.
 *
 * Locks       mm_system_table_lock for owner entries, since whoever unmaps a wrong address reads another's; mm_paging_lock for pageable pages;
 *             mm_io_lock for the bounds of pages with registers.
 * Source      WDK reference: wdm.h, MmMapIoSpace, MmMapIoSpaceEx, MmUnmapIoSpace; Bug Checks 0x1A (0x1233), 0xDA (0x400).
 * Fidelity    cache types are kept and compared, and have no effect on the host. Which parameter makes NULL is in ntmm_error().
 */
#include <ntddk.h>
#include <stdio.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/probe.h"
#include "mm/io_space.h"
#include "mm/paging.h"
#include "mm/pfn.h"
#include "mm/pinned.h"
#include "mm/pte.h"
#include "mm/system_pte.h"

#define OFFSET_SHIFT 48u /* in the owner's word: the offset on the first page above the bytes asked for */

typedef unsigned long long ull;

ntmm_played_pages_t ntmm_played_pages = { UINTPTR_MAX, 0 };
static uint64_t     played_count; /* (I) pages with registers on them that are mapped */

typedef struct map_request {
    const char         *routine;
    uint64_t            physical;
    SIZE_T              bytes;
    unsigned            access; /* enum host_access */
    MEMORY_CACHING_TYPE cache;
    mm_pfn_number_t     unlocked; /* out: a frame that nobody has locked, or MM_PFN_NONE */
} map_request_t;

static mm_owner_t *owner_at(void *va, size_t index)
{
    return &mm_system_table.owners[mm_table_index(&mm_system_table, (uintptr_t)va) + index];
}
static uint64_t pte_at(void *va, size_t index) { return mm_system_table.ptes[mm_table_index(&mm_system_table, (uintptr_t)va) + index]; }

/* ---- where registers are: READ_REGISTER_ULONG and its like look at these bounds first ---- */

/* They only grow, until no such page is left: whoever uses one sees bounds that hold it. */
static void played_come(const void *page)
{
    uintptr_t va = (uintptr_t)page;
    ke_lock(&mm_io_lock);
    played_count++;
    if (va < ntmm_played_pages.low)
        __atomic_store_n(&ntmm_played_pages.low, va, __ATOMIC_RELAXED);
    if (va + PAGE_SIZE > ntmm_played_pages.high)
        __atomic_store_n(&ntmm_played_pages.high, va + PAGE_SIZE, __ATOMIC_RELAXED);
    ke_unlock(&mm_io_lock);
}

static void no_played_pages(void)
{
    __atomic_store_n(&ntmm_played_pages.low, UINTPTR_MAX, __ATOMIC_RELAXED);
    __atomic_store_n(&ntmm_played_pages.high, 0, __ATOMIC_RELAXED);
}

static void played_go(void)
{
    ke_lock(&mm_io_lock);
    if (--played_count == 0)
        no_played_pages();
    ke_unlock(&mm_io_lock);
}

void mm_io_map_boot(void)
{
    played_count = 0;
    no_played_pages();
}

bool mm_io_is_played(uintptr_t va, uint64_t *pte)
{
    if (!mm_in(&mm_system_pte_region, va))
        return false;
    *pte = __atomic_load_n(&mm_system_table.ptes[mm_table_index(&mm_system_table, va)], __ATOMIC_RELAXED);
    return mm_pte_is_valid(*pte) && (*pte & MM_PTE_DEVICE) != 0;
}

/* ---- one page ---- */

static bool frame_is_pageable(const mm_pfn_t *entry)
{
    return entry->mapped.use == MM_USE_MAPPED && (mm_in(&mm_paged_region, entry->mapped.va) || mm_in(&mm_shared_region, entry->mapped.va));
}

static bool frame_is_secure(const mm_pfn_t *entry)
{
    const mm_owner_t *owner = entry->mapped.use == MM_USE_MAPPED ? mm_owner_of((void *)entry->mapped.va) : NULL;
    return owner != NULL && (owner->flags & MM_OWNER_SECURE) != 0;
}

/* The map of RAM is cached, so memory that nobody said more about is. */
static MEMORY_CACHING_TYPE frame_cache_type(const mm_pfn_t *entry)
{
    return entry->cache != 0 ? (MEMORY_CACHING_TYPE)(entry->cache - 1) : MmCached;
}

/* A page that an MDL has locked, and this mapping from now on. If it may be written through the mapping it is dirty, and nothing makes it
 * clean while it is pinned. */
static bool hold_pageable(map_request_t *request, mm_pfn_number_t pfn)
{
    mm_pfn_t        *entry = mm_pfn_entry(pfn);
    mm_page_answer_t answer = MM_PAGE_ABSENT;
    ke_lock(&mm_paging_lock);
    if (mm_pins_of(pfn) != 0 && frame_is_pageable(entry)) {
        mm_pageable_t *region = mm_pageable_of(entry->mapped.va);
        answer = mm_page_bring_locked(region, mm_table_index(region->table, entry->mapped.va), (request->access & HOST_WRITE) != 0);
        if (answer == MM_PAGE_RESOLVED)
            mm_frame_pin(pfn);
    }
    ke_unlock(&mm_paging_lock);
    if (answer == MM_PAGE_ABSENT)
        request->unlocked = pfn;
    else if (answer != MM_PAGE_RESOLVED)
        ke_error(0, "%s: the page at physical address 0x%llx cannot be opened for writing", request->routine, (ull)pfn << PAGE_SHIFT);
    return answer == MM_PAGE_RESOLVED;
}

static bool set_frame(map_request_t *request, char *va, size_t index, mm_pfn_number_t pfn)
{
    mm_pfn_t *entry = mm_pfn_entry(pfn);
    bool      active = __atomic_load_n(&entry->list, __ATOMIC_RELAXED) == MM_ACTIVE, pageable = active && frame_is_pageable(entry);
    if (!active) {
        request->unlocked = pfn;
        return false;
    }
    if (frame_cache_type(entry) != request->cache)
        return ke_error(false, "%s: RAM at physical address 0x%llx has cache type %d, not %d", request->routine, (ull)pfn << PAGE_SHIFT,
                        (int)frame_cache_type(entry), (int)request->cache);
    if (frame_is_secure(entry) && (request->access & HOST_WRITE) != 0)
        return ke_error(false, "%s: RAM at physical address 0x%llx is secure pool, which can only be read", request->routine,
                        (ull)pfn << PAGE_SHIFT);
    if (pageable && !hold_pageable(request, pfn))
        return false;
    mm_system_pte_set(va, index, pfn, request->access);
    if (!pageable)
        mm_system_pte_mark(va, index, MM_PTE_HOME);
    return true;
}

mm_io_claim_t mm_io_set_pte(void *va, size_t index, mm_pfn_number_t pfn, unsigned access, MEMORY_CACHING_TYPE cache)
{
    bool          registers = false;
    mm_io_claim_t claimed = mm_io_page_claim(pfn, cache, &registers);
    if (claimed != MM_IO_CLAIMED)
        return claimed;
    mm_system_pte_set(va, index, pfn, access);
    mm_system_pte_mark(va, index, registers ? MM_PTE_IO | MM_PTE_DEVICE : MM_PTE_IO);
    if (registers)
        played_come((char *)va + (index << PAGE_SHIFT));
    return claimed;
}

static bool set_page(map_request_t *request, char *va, size_t index, mm_pfn_number_t pfn)
{
    if (mm_pfn_is_ram(pfn))
        return set_frame(request, va, index, pfn);
    switch (mm_io_set_pte(va, index, pfn, request->access, request->cache)) {
    case MM_IO_NO_PAGE:
        return ke_error(false, "%s: there is neither RAM nor a window of I/O space at physical address 0x%llx; ntmm_io_space_add makes one",
                        request->routine, (ull)pfn << PAGE_SHIFT);
    case MM_IO_OTHER_CACHE:
        return ke_error(false, "%s: the page at physical address 0x%llx is mapped already, with another cache type than %d",
                        request->routine, (ull)pfn << PAGE_SHIFT, (int)request->cache);
    default: return true;
    }
}

void mm_io_let_go(void *va, size_t page_count)
{
    for (size_t i = 0; i < page_count; i++) {
        uint64_t pte = pte_at(va, i);
        if ((pte & MM_PTE_DEVICE) != 0)
            played_go();
        if ((pte & MM_PTE_IO) != 0)
            mm_io_page_release(mm_pte_pfn(pte));
        else if ((pte & MM_PTE_HOME) == 0 && pte != 0)
            mm_frame_unpin(mm_pte_pfn(pte));
    }
}

/* ---- map ---- */

static bool range_makes_sense(const map_request_t *request)
{
    const uint64_t end = (uint64_t)1 << MM_PHYSICAL_ADDRESS_BITS;
    if (request->bytes == 0)
        return ke_error(false, "%s: the number of bytes must be greater than zero", request->routine);
    if (request->physical >= end || request->bytes > end - request->physical)
        return ke_error(false, "%s: 0x%llx bytes at 0x%llx are not all physical addresses", request->routine, (ull)request->bytes,
                        (ull)request->physical);
    if (request->bytes > mm_system_pte_region.bytes)
        return ke_error(false, "%s: 0x%llx bytes are more than there are system PTEs for", request->routine, (ull)request->bytes);
    return true;
}

static void tell_owners(char *va, size_t page_count, const map_request_t *request)
{
    ke_lock(&mm_system_table_lock);
    for (size_t i = 1; i < page_count; i++)
        *owner_at(va, i) = (mm_owner_t){ .bytes = i, .use = MM_USE_IO_TAIL, .pool = MM_POOLS };
    *owner_at(va, 0) = (mm_owner_t){ .bytes = request->bytes | (request->physical & (PAGE_SIZE - 1)) << OFFSET_SHIFT,
                                     .tag = NTMM_TAG("MmIo"),
                                     .use = MM_USE_IO,
                                     .pool = MM_POOLS };
    ke_unlock(&mm_system_table_lock);
}

static void *map(map_request_t *request)
{
    size_t set = 0, page_count = ADDRESS_AND_SIZE_TO_SPAN_PAGES(request->physical, request->bytes);
    if (!range_makes_sense(request))
        return NULL;
    char *va = mm_system_pte_reserve(page_count);
    if (va == NULL)
        return NULL;
    while (set < page_count && set_page(request, va, set, (request->physical >> PAGE_SHIFT) + set))
        set++;
    if (set < page_count || !mm_system_pte_commit(va, page_count)) {
        mm_io_let_go(va, set);
        mm_system_pte_abandon(va, page_count);
        return NULL;
    }
    tell_owners(va, page_count, request);
    return va + (request->physical & (PAGE_SIZE - 1));
}

static _Noreturn NTMM_COLD void stop_unlocked(const map_request_t *request)
{
    ntmm_bugcheck check = { .code = MEMORY_MANAGEMENT, .parameter = { 0x1233, (uintptr_t)request->unlocked } };
    ke_bugcheck_about(request->routine, "Physical memory was mapped that nobody has locked: its contents may be another's in a moment.",
                      &check, (ULONG_PTR)request->physical, request->bytes);
}

static PVOID map_io_space(map_request_t *request)
{
    ke_thread_t *thread = ke_thread_enter(request->routine);
    void        *va = NULL;
    request->unlocked = MM_PFN_NONE;
    if (thread == NULL)
        return NULL;
    if (!ke_inject_failure())
        va = map(request);
    ke_thread_leave(thread);
    if (request->unlocked != MM_PFN_NONE)
        stop_unlocked(request);
    return va;
}

PVOID MmMapIoSpace(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    KE_REQUIRE_IRQL_FOR(DISPATCH_LEVEL, PhysicalAddress.QuadPart, NumberOfBytes);
    map_request_t request = { .routine = __func__,
                              .physical = (uint64_t)PhysicalAddress.QuadPart,
                              .bytes = NumberOfBytes,
                              .access = HOST_READ | HOST_WRITE,
                              .cache = CacheType };
    if (CacheType != MmNonCached && CacheType != MmCached && CacheType != MmWriteCombined) {
        ke_error(0, "%s: cache type %d is not for drivers", __func__, (int)CacheType);
        return NULL;
    }
    return map_io_space(&request);
}

/* Exactly one protection, and at most one of the two about caches. */
static bool read_protect(map_request_t *request, ULONG protect)
{
    ULONG cache = protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE);
    request->cache = cache == PAGE_NOCACHE ? MmNonCached : cache == PAGE_WRITECOMBINE ? MmWriteCombined : MmCached;
    switch (protect & ~cache) {
    case PAGE_READONLY: request->access = HOST_READ; break;
    case PAGE_READWRITE: request->access = HOST_READ | HOST_WRITE; break;
    case PAGE_EXECUTE:
    case PAGE_EXECUTE_READ: request->access = HOST_READ | HOST_EXECUTE; break;
    case PAGE_EXECUTE_READWRITE: request->access = HOST_READ | HOST_WRITE | HOST_EXECUTE; break;
    default: return false;
    }
    return cache != (PAGE_NOCACHE | PAGE_WRITECOMBINE);
}

PVOID MmMapIoSpaceEx(PHYSICAL_ADDRESS PhysicalAddress, SIZE_T NumberOfBytes, ULONG Protect)
{
    KE_REQUIRE_IRQL_FOR(DISPATCH_LEVEL, PhysicalAddress.QuadPart, NumberOfBytes);
    map_request_t request = { .routine = __func__, .physical = (uint64_t)PhysicalAddress.QuadPart, .bytes = NumberOfBytes };
    if (!read_protect(&request, Protect)) {
        ke_error(0, "%s: 0x%x is not one protection with at most one of PAGE_NOCACHE and PAGE_WRITECOMBINE", __func__, Protect);
        return NULL;
    }
    return map_io_space(&request);
}

/* ---- unmap ---- */

void *mm_io_extent(void *page, const mm_owner_t *owner, size_t *bytes)
{
    *bytes = owner->bytes & (((uint64_t)1 << OFFSET_SHIFT) - 1);
    return (char *)page + (owner->bytes >> OFFSET_SHIFT);
}

/* The mapping becomes the caller's to take down: of two who ask for it, one is late. What is wrong with it; NULL: nothing. */
static const char *claim_locked(void *base, SIZE_T bytes)
{
    char       *page = PAGE_ALIGN(base);
    size_t      mapped = 0;
    mm_owner_t *owner = mm_in(&mm_system_pte_region, (uintptr_t)base) ? mm_owner_of(page) : NULL;
    if (owner == NULL || (owner->use != MM_USE_IO && owner->use != MM_USE_IO_TAIL))
        return "Nothing that MmMapIoSpace returned is mapped at this address.";
    if (owner->use == MM_USE_IO_TAIL || mm_io_extent(page, owner, &mapped) != base)
        return "The address lies on a page of I/O space, but is not the one that MmMapIoSpace returned.";
    if (mapped != bytes)
        return "I/O space was unmapped with another size than it was mapped with.";
    owner->use = MM_USE_NONE;
    return NULL;
}

/* What is wrong with it; NULL: done. */
static const char *unmap(void *base, SIZE_T bytes)
{
    char *page = PAGE_ALIGN(base);
    ke_lock(&mm_system_table_lock);
    const char *why = claim_locked(base, bytes);
    ke_unlock(&mm_system_table_lock);
    if (why != NULL)
        return why;
    size_t page_count = ADDRESS_AND_SIZE_TO_SPAN_PAGES(base, bytes);
    mm_system_pte_close(page, page_count);
    mm_io_let_go(page, page_count);
    mm_system_pte_abandon(page, page_count);
    return NULL;
}

VOID MmUnmapIoSpace(PVOID BaseAddress, SIZE_T NumberOfBytes)
{
    KE_REQUIRE_IRQL_FOR(ke_probe != NULL ? APC_LEVEL : DISPATCH_LEVEL, BaseAddress, NumberOfBytes); /* the verifier asks for less */
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    const char *why = unmap(BaseAddress, NumberOfBytes);
    ke_thread_leave(thread);
    if (why != NULL)
        ke_bugcheck(__func__, why, SYSTEM_PTE_MISUSE, 0x400, (ULONG_PTR)BaseAddress,
                    ADDRESS_AND_SIZE_TO_SPAN_PAGES(BaseAddress, NumberOfBytes), 0);
}

/* ---- stop reports, and what is said in the fault handler ---- */

bool mm_io_describe_mapping(uintptr_t va, char *line, size_t bytes)
{
    uint64_t pte = mm_in(&mm_system_pte_region, va) ? pte_at((void *)va, 0) : 0;
    uint64_t physical = (pte & MM_PTE_ADDRESS) | (va & (PAGE_SIZE - 1));
    if (!mm_pte_is_valid(pte) || (pte & (MM_PTE_HOME | MM_PTE_IO)) == 0)
        return false;
    int written = snprintf(line, bytes, "mapped by MmMapIoSpace, physical address 0x%llx: ", (ull)physical);
    if ((pte & MM_PTE_HOME) != 0)
        snprintf(line + written, bytes - (size_t)written, "RAM");
    else if (!mm_io_describe_window(physical, line + written, bytes - (size_t)written))
        snprintf(line + written, bytes - (size_t)written, "on a page with a window, but in none");
    return true;
}

static char *append_text(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    return at;
}

static char *append_hex(char *at, uint64_t value)
{
    unsigned shift = 60;
    while (shift != 0 && value >> shift == 0)
        shift -= 4;
    at = append_text(at, "0x");
    for (;; shift -= 4) {
        *at++ = "0123456789abcdef"[value >> shift & 0xf];
        if (shift == 0)
            return at;
    }
}

void mm_io_tell_plain_access(const host_fault_t *fault, uint64_t pte)
{
    char  text[512];
    char *at = append_text(text, fault->write ? "ntmm: a plain write to " : "ntmm: a plain read from ");
    at = append_hex(at, fault->address);
    at = append_text(at, ", physical address ");
    at = append_hex(at, (pte & MM_PTE_ADDRESS) | (fault->address & (PAGE_SIZE - 1)));
    at = append_text(at, ": a test plays the registers on this page. On hardware this would work; here only READ_REGISTER_ULONG,\n"
                         "      WRITE_REGISTER_ULONG and their like reach the test's callbacks. The process gets its SIGSEGV now.\n");
    *at = '\0';
    host_tell(text);
}
