/*
 * contiguous.c - contiguous memory: a run of frames that suits a device, at its address in one of the two maps of RAM.
 *
 *     MmAllocateContiguousMemory...   the driver's words become one request
 *      |- contiguous_allocate         rules, fault injection
 *      |- request_to_frames           bytes to frames: lowest rounds up, highest rounds down, so that every byte of every page suits
 *      |- mm_charge                   the commit limit (charge.h)
 *      |- mm_frames_get               the run (pfn.c)
 *      `- describe_run                owner entries: the first page knows bytes, tag and protection, the others how far back it is
 *
 * No mapping is made: NX memory is seen through the physical map, executable memory through the executable map.
 *
 * Locks       none held here. Two threads that free the same block: the owner's `use` is taken by compare and exchange, the loser is told.
 * Source      WDK reference: "Allocating system-space memory" and the pages of the routines; Bug Checks 0xC2 and 0x4E.
 * Fidelity    cache types are kept and checked, and mean nothing to the host. Frames in use are not moved out of the way; pageable pages are
 *             put out (reclaim.c).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/low_resources.h"
#include "mm/charge.h"
#include "mm/machine.h"
#include "mm/pfn.h"
#include "mm/paging.h"
#include "mm/pinned.h"

#define TAG_CONTIGUOUS NTMM_TAG("MmCm")

typedef struct contiguous_request {
    const char *routine;
    uint64_t    bytes;
    uint64_t    lowest, highest, boundary; /* bytes */
    uint64_t    align;                     /* pages; 0: none */
    uint32_t    node;                      /* MM_ANY_NODE: any */
    bool        any_node_then;             /* that node first, any node then */
    bool        fast_only, executable;
    uint8_t     cache; /* MEMORY_CACHING_TYPE */
    uint32_t    tag;
} contiguous_request_t;

/* ---- from the driver's words ---- */

static bool cache_type_is_allowed(MEMORY_CACHING_TYPE type) { return type == MmNonCached || type == MmCached || type == MmWriteCombined; }

/* Exactly one of two protections, at most one of two cache flags, nothing else. */
static bool request_protect(contiguous_request_t *request, ULONG protect)
{
    ULONG cache = protect & (PAGE_NOCACHE | PAGE_WRITECOMBINE), access = protect & ~cache;
    if ((access != PAGE_READWRITE && access != PAGE_EXECUTE_READWRITE) || cache == (PAGE_NOCACHE | PAGE_WRITECOMBINE))
        return false;
    request->executable = access == PAGE_EXECUTE_READWRITE;
    request->cache = cache == PAGE_NOCACHE ? MmNonCached : cache == PAGE_WRITECOMBINE ? MmWriteCombined : MmCached;
    return true;
}

/* MM_ANY_NODE_OK alone: any node. A number beside it: that node first. A number alone: only that node. */
static bool request_node(contiguous_request_t *request, NODE_REQUIREMENT node)
{
    uint32_t number = node & ~MM_ANY_NODE_OK;
    if (number >= mm_frames.node_count)
        return false;
    request->any_node_then = (node & MM_ANY_NODE_OK) != 0;
    request->node = node == MM_ANY_NODE_OK ? MM_ANY_NODE : number;
    return true;
}

static bool request_boundary(contiguous_request_t *request, PHYSICAL_ADDRESS boundary)
{
    request->boundary = (uint64_t)boundary.QuadPart;
    return (request->boundary & (request->boundary - 1)) == 0;
}

static bool request_to_frames(const contiguous_request_t *request, mm_frame_want_t *want)
{
    const uint64_t page = PAGE_SIZE;
    if (request->bytes == 0 || request->bytes > (mm_span_pfns << PAGE_SHIFT) || request->highest < page - 1)
        return false;
    want->page_count = (request->bytes + page - 1) >> PAGE_SHIFT;
    want->low = (request->lowest >> PAGE_SHIFT) + ((request->lowest & (page - 1)) != 0);
    want->high = (request->highest >> PAGE_SHIFT) - ((request->highest & (page - 1)) != page - 1);
    want->node = request->node;
    want->align = request->align;
    want->fast_only = request->fast_only;
    if (request->boundary >= page)
        want->boundary = request->boundary >> PAGE_SHIFT;
    else if (request->boundary != 0 && request->bytes > request->boundary)
        return false; /* a block starts on a page, so it would cross a multiple of anything smaller */
    return want->low <= want->high;
}

/* ---- allocate ---- */

static void *describe_run(const contiguous_request_t *request, mm_pfn_number_t first, uint64_t page_count)
{
    for (uint64_t i = 0; i < page_count; i++) {
        mm_pfn_t *entry = mm_pfn_entry(first + i);
        entry->cache = (uint8_t)(1 + request->cache);
        entry->owner = (mm_owner_t){ .bytes = i, .use = MM_USE_TAIL };
        entry->owner.tag = request->tag;
        entry->owner.pool = request->executable ? MM_NONPAGED_EXECUTE : MM_NONPAGED_NX;
        entry->owner.flags = request->executable ? MM_OWNER_EXECUTE : 0;
    }
    mm_owner_t *owner = &mm_pfn_entry(first)->owner;
    owner->bytes = request->bytes;
    __atomic_store_n(&owner->use, (uint8_t)MM_USE_CONTIGUOUS, __ATOMIC_RELEASE);
    uintptr_t base = (request->executable ? mm_executable_map.base : mm_physical_map.base) + (first << PAGE_SHIFT);
    mm_unpoison(base, page_count << PAGE_SHIFT);
    if (!mm_unbacked)
        ke_low_resources_soil((void *)base, (size_t)page_count << PAGE_SHIFT);
    return (void *)base;
}

static void *allocate_run(const contiguous_request_t *request)
{
    mm_frame_want_t want = { 0 };
    if (!request_to_frames(request, &want))
        return NULL;
    if (!mm_charge(MM_CHARGE_OTHER, want.page_count))
        return NULL;
    mm_pfn_number_t first = mm_frames_get(&want, NULL);
    if (first == MM_PFN_NONE && request->any_node_then && want.node != MM_ANY_NODE) {
        want.node = MM_ANY_NODE;
        first = mm_frames_get(&want, NULL);
    }
    if (first == MM_PFN_NONE && !request->fast_only && mm_reclaim_for_run(want.page_count))
        first = mm_frames_get(&want, NULL);
    if (first != MM_PFN_NONE)
        return describe_run(request, first, want.page_count);
    mm_uncharge(MM_CHARGE_OTHER, want.page_count);
    return NULL;
}

static void *contiguous_allocate(const contiguous_request_t *request)
{
    ke_thread_t *thread = ke_thread_enter(request->routine);
    void        *base = NULL;
    if (thread == NULL)
        return NULL;
    if (mm_physical_map.bytes != 0 && !ke_inject_failure())
        base = allocate_run(request);
    ke_thread_leave(thread);
    return base;
}

PVOID MmAllocateContiguousMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS HighestAcceptableAddress)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = NumberOfBytes,
                                     .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                     .node = MM_ANY_NODE,
                                     .executable = true,
                                     .cache = MmCached,
                                     .tag = TAG_CONTIGUOUS };
    return contiguous_allocate(&request);
}

PVOID MmAllocateContiguousMemorySpecifyCache(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                             PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                             MEMORY_CACHING_TYPE CacheType)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = NumberOfBytes,
                                     .lowest = (uint64_t)LowestAcceptableAddress.QuadPart,
                                     .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                     .node = MM_ANY_NODE,
                                     .executable = true,
                                     .cache = (uint8_t)CacheType,
                                     .tag = TAG_CONTIGUOUS };
    if (!cache_type_is_allowed(CacheType) || !request_boundary(&request, BoundaryAddressMultiple))
        return NULL;
    return contiguous_allocate(&request);
}

PVOID MmAllocateContiguousMemorySpecifyCacheNode(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                                 PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                                 MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT PreferredNode)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = NumberOfBytes,
                                     .lowest = (uint64_t)LowestAcceptableAddress.QuadPart,
                                     .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                     .executable = true,
                                     .cache = (uint8_t)CacheType,
                                     .tag = TAG_CONTIGUOUS };
    if (!cache_type_is_allowed(CacheType) || !request_boundary(&request, BoundaryAddressMultiple) || !request_node(&request, PreferredNode))
        return NULL;
    return contiguous_allocate(&request);
}

PVOID MmAllocateContiguousNodeMemory(SIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                     PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple, ULONG Protect,
                                     NODE_REQUIREMENT PreferredNode)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = NumberOfBytes,
                                     .lowest = (uint64_t)LowestAcceptableAddress.QuadPart,
                                     .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                     .tag = TAG_CONTIGUOUS };
    if (!request_protect(&request, Protect) || !request_boundary(&request, BoundaryAddressMultiple) ||
        !request_node(&request, PreferredNode))
        return NULL;
    return contiguous_allocate(&request);
}

NTSTATUS MmAllocateContiguousMemoryEx(PSIZE_T NumberOfBytes, PHYSICAL_ADDRESS LowestAcceptableAddress,
                                      PHYSICAL_ADDRESS HighestAcceptableAddress, PHYSICAL_ADDRESS BoundaryAddressMultiple,
                                      NODE_REQUIREMENT PreferredNode, ULONG Protect, PVOID PartitionObject, ULONG Tag, ULONG Flags,
                                      PVOID *BaseAddress)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = *NumberOfBytes,
                                     .lowest = (uint64_t)LowestAcceptableAddress.QuadPart,
                                     .highest = (uint64_t)HighestAcceptableAddress.QuadPart,
                                     .tag = Tag != 0 ? Tag : TAG_CONTIGUOUS,
                                     .fast_only = Flags == MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY };
    *BaseAddress = NULL;
    if (*NumberOfBytes == 0)
        return STATUS_INVALID_PARAMETER_1;
    if (!request_boundary(&request, BoundaryAddressMultiple))
        return STATUS_INVALID_PARAMETER_4;
    if (!request_node(&request, PreferredNode))
        return STATUS_INVALID_PARAMETER_5;
    if (!request_protect(&request, Protect))
        return STATUS_INVALID_PARAMETER_6;
    if (PartitionObject != NULL)
        return STATUS_INVALID_PARAMETER_7;
    if ((Flags & ~MM_ALLOCATE_CONTIGUOUS_MEMORY_FAST_ONLY) != 0)
        return STATUS_INVALID_PARAMETER_9;
    request.any_node_then = true; /* this routine's page speaks of preference only */
    *BaseAddress = contiguous_allocate(&request);
    if (*BaseAddress == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    *NumberOfBytes = ROUND_TO_PAGES(request.bytes);
    return STATUS_SUCCESS;
}

void *mm_contiguous_get(const mm_contiguous_want_t *want)
{
    contiguous_request_t request = { .routine = __func__,
                                     .bytes = want->bytes,
                                     .lowest = want->lowest,
                                     .highest = want->highest,
                                     .align = want->align,
                                     .cache = want->cache,
                                     .tag = want->tag };
    if (mm_physical_map.bytes == 0 || !request_node(&request, want->node | MM_ANY_NODE_OK))
        return NULL;
    void *base = allocate_run(&request);
    if (base != NULL && want->of_machine)
        mm_owner_of(base)->use = MM_USE_SYSTEM;
    return base;
}

void mm_contiguous_put(void *base)
{
    mm_pfn_number_t first = ((uintptr_t)base - mm_physical_map.base) >> PAGE_SHIFT;
    uint64_t        page_count = BYTES_TO_PAGES(mm_pfn_entry(first)->owner.bytes);
    mm_hide((uintptr_t)base, page_count << PAGE_SHIFT);
    mm_frames_put(first, page_count);
    mm_uncharge(MM_CHARGE_OTHER, page_count);
}

/* ---- free ---- */

typedef struct contiguous_block {
    mm_pfn_number_t first;
    uint64_t        page_count;
    mm_owner_t     *owner;
} contiguous_block_t;

/* The block that begins at exactly this address, in the map that its protection names. */
static bool find_block(const void *base, contiguous_block_t *block)
{
    uintptr_t va = (uintptr_t)base;
    bool      executable = mm_in(&mm_executable_map, va);
    if (va % PAGE_SIZE != 0 || (!executable && !mm_in(&mm_physical_map, va)))
        return false;
    mm_owner_t *owner = mm_owner_of(base);
    if (owner == NULL || __atomic_load_n(&owner->use, __ATOMIC_ACQUIRE) != MM_USE_CONTIGUOUS)
        return false;
    block->owner = owner;
    block->first = (va - (executable ? mm_executable_map.base : mm_physical_map.base)) >> PAGE_SHIFT;
    block->page_count = BYTES_TO_PAGES(owner->bytes);
    return executable == ((owner->flags & MM_OWNER_EXECUTE) != 0);
}

/* Another thread may be freeing the same block: only one of them gets it. */
static bool claim_block(const contiguous_block_t *block)
{
    uint8_t expected = MM_USE_CONTIGUOUS;
    return __atomic_compare_exchange_n(&block->owner->use, &expected, (uint8_t)MM_USE_NONE, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static _Noreturn NTMM_COLD void bad_base(const char *routine, const char *why, const void *base)
{
    ke_bugcheck(routine, why, BAD_POOL_CALLER, 0x60, (ULONG_PTR)base, 0, 0);
}

static void free_block(const char *routine, void *base, const SIZE_T *bytes, const MEMORY_CACHING_TYPE *type)
{
    contiguous_block_t block;
    ke_thread_t       *thread = ke_thread_enter(routine);
    const char        *why = NULL;
    mm_pfn_number_t    pinned = MM_PFN_NONE;
    if (thread == NULL)
        return;
    if (!find_block(base, &block))
        why = "The address is not the base of contiguous memory that is allocated: it was never returned, is inside a block, or was freed "
              "already.";
    else if (bytes != NULL && *bytes != block.owner->bytes)
        why = "Contiguous memory was freed with another size than it was allocated with.";
    else if (type != NULL && *type != (MEMORY_CACHING_TYPE)(mm_pfn_entry(block.first)->cache - 1))
        why = "Contiguous memory was freed with another cache type than it was allocated with.";
    else if ((pinned = mm_first_pinned(block.first, block.page_count)) == MM_PFN_NONE && !claim_block(&block))
        why = "Two threads freed the same contiguous memory at once.";
    if (why == NULL && pinned == MM_PFN_NONE) {
        mm_hide((uintptr_t)base, block.page_count << PAGE_SHIFT);
        mm_frames_put(block.first, block.page_count);
        mm_uncharge(MM_CHARGE_OTHER, block.page_count);
    }
    ke_thread_leave(thread);
    if (pinned != MM_PFN_NONE)
        mm_stop_pinned(routine, pinned);
    if (why != NULL)
        bad_base(routine, why, base);
}

VOID MmFreeContiguousMemory(PVOID BaseAddress)
{
    KE_REQUIRE_IRQL(mm_contiguous_free_irql);
    free_block(__func__, BaseAddress, NULL, NULL);
}

VOID MmFreeContiguousMemorySpecifyCache(PVOID BaseAddress, SIZE_T NumberOfBytes, MEMORY_CACHING_TYPE CacheType)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    free_block(__func__, BaseAddress, &NumberOfBytes, &CacheType);
}
