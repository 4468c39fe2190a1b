/*
 * mdl_create.c - MDLs that come with their pages: MmAllocatePagesForMdl and its like.
 * The MDL is a block of pool, which the driver frees with ExFreePool; its frames belong to it (mm/mdl_pages.c), and go with
 * MmFreePagesFromMdl. So these routines of the memory manager stand above the pools.
 *
 *     MmAllocatePagesForMdl...   the driver's words become one request
 *      |- read_flags             which go together
 *      |- the MDL                pool, for as many pages as there can be
 *      `- mm_mdl_pages_get       frames; too few are a success, unless all were required
 *
 * Locks       none.
 * Source      WDK reference: the pages of the routines.
 * Fidelity    parameters that the reference does not allow give NULL, and ntmm_error() says which (choice).
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/mdl.h"
#include "mm/mdl_pages.h"

#define TAG_MDL NTMM_TAG("Mdl ")
#define TOTAL_MOST (((uint64_t)1 << 32) - PAGE_SIZE)
#define LARGE_PAGE ((uint64_t)PAGE_SIZE / sizeof(uint64_t) * PAGE_SIZE) /* what one page-directory entry maps: 2 MiB with 4 KiB pages */
#define ALL_FLAGS \
    (MM_DONT_ZERO_ALLOCATION | MM_ALLOCATE_FROM_LOCAL_NODE_ONLY | MM_ALLOCATE_FULLY_REQUIRED | MM_ALLOCATE_NO_WAIT | \
     MM_ALLOCATE_PREFER_CONTIGUOUS | MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS | MM_ALLOCATE_FAST_LARGE_PAGES | MM_ALLOCATE_AND_HOT_REMOVE)

typedef struct pages_request {
    const char         *routine;
    uint64_t            low, high, skip, total; /* bytes */
    MEMORY_CACHING_TYPE cache;
    bool                has_cache; /* else as it will be mapped */
    ULONG               flags;
    ULONG               node;
    bool                has_node;
} pages_request_t;

/* ---- from the driver's words ---- */

static bool read_chunks(const pages_request_t *request, mm_pages_want_t *want)
{
    want->chunk_pages = request->skip != 0 ? request->skip >> PAGE_SHIFT : want->page_count;
    want->skip = 0;
    if ((request->skip & (request->skip - 1)) != 0 || (request->skip != 0 && request->total % request->skip != 0))
        return ke_error(false, "%s: contiguous chunks need SkipBytes to be 0, or a power of two that divides TotalBytes", request->routine);
    return true;
}

static bool read_flags(const pages_request_t *request, mm_pages_want_t *want)
{
    ULONG flags = request->flags;
    bool  chunks = (flags & MM_ALLOCATE_REQUIRE_CONTIGUOUS_CHUNKS) != 0;
    want->zero = (flags & MM_DONT_ZERO_ALLOCATION) == 0;
    want->node_only = (flags & MM_ALLOCATE_FROM_LOCAL_NODE_ONLY) != 0;
    want->prefer_runs = (flags & MM_ALLOCATE_PREFER_CONTIGUOUS) != 0;
    want->fast_only = (flags & MM_ALLOCATE_FAST_LARGE_PAGES) != 0;
    want->may_reclaim = (flags & MM_ALLOCATE_NO_WAIT) == 0 && !want->fast_only && ke_self()->irql < DISPATCH_LEVEL;
    if ((flags & ~ALL_FLAGS) != 0)
        return ke_error(false, "%s: 0x%x has bits that are no flags", request->routine, flags);
    if (want->fast_only && (!chunks || request->skip == 0 || request->skip % LARGE_PAGE != 0))
        return ke_error(false, "%s: MM_ALLOCATE_FAST_LARGE_PAGES needs contiguous chunks of a large page", request->routine);
    if ((flags & MM_ALLOCATE_AND_HOT_REMOVE) != 0 && (flags & MM_ALLOCATE_FULLY_REQUIRED) != 0)
        return ke_error(false, "%s: MM_ALLOCATE_AND_HOT_REMOVE excludes MM_ALLOCATE_FULLY_REQUIRED", request->routine);
    return !chunks || read_chunks(request, want);
}

static bool read_node(const pages_request_t *request, mm_pages_want_t *want)
{
    want->node = request->has_node ? request->node : ke_self()->processor->node;
    if (request->has_node && request->node == MM_ANY_NODE_OK)
        want->node = MM_ANY_NODE;
    else if (request->has_node && request->node >= ke_node_count)
        return ke_error(false, "%s: there is no node %u", request->routine, request->node);
    else if (want->node >= ke_node_count)
        want->node = 0;
    return true;
}

static bool read_request(const pages_request_t *request, mm_pages_want_t *want)
{
    const uint64_t page = PAGE_SIZE;
    if (request->total == 0 || request->total > TOTAL_MOST)
        return ke_error(false, "%s: 0x%llx bytes are none, or more than 4 GiB - PAGE_SIZE", request->routine,
                        (unsigned long long)request->total);
    if (request->skip % page != 0)
        return ke_error(false, "%s: SkipBytes must be a multiple of the page size", request->routine);
    if (request->has_cache && (request->cache < MmNonCached || request->cache >= MmMaximumCacheType))
        return ke_error(false, "%s: cache type %d is none", request->routine, (int)request->cache);
    want->page_count = (request->total + page - 1) >> PAGE_SHIFT;
    want->low = (request->low >> PAGE_SHIFT) + (request->low % page != 0);
    want->high = request->high < page - 1 ? 0 : (request->high - (page - 1)) >> PAGE_SHIFT; /* the whole page lies at or below it */
    want->skip = request->skip >> PAGE_SHIFT;
    want->cache = request->has_cache ? (uint8_t)(1 + request->cache) : 0;
    if (request->high < page - 1)
        want->low = UINT64_MAX;
    return read_node(request, want) && read_flags(request, want);
}

/* ---- allocate ---- */

static PMDL mdl_for(uint64_t page_count)
{
    uint64_t most = mm_frames_total();
    uint64_t room = page_count < most ? page_count : most;
    PMDL     mdl = ExAllocatePoolWithTag(NonPagedPoolNx, sizeof(MDL) + room * sizeof(PFN_NUMBER), TAG_MDL);
    if (mdl == NULL)
        return NULL;
    MmInitializeMdl(mdl, NULL, room << PAGE_SHIFT);
    mdl->AllocationProcessorNumber = mdl->Reserved = 0;
    mdl->Process = NULL;
    mdl->MappedSystemVa = NULL;
    return mdl;
}

/* What came is enough, or goes back. */
static bool settle(MDL *mdl, const pages_request_t *request, const mm_pages_want_t *want, size_t got)
{
    PFN_NUMBER *pfns = MmGetMdlPfnArray(mdl);
    bool        all = (request->flags & MM_ALLOCATE_FULLY_REQUIRED) != 0 || (want->chunk_pages != 0 && request->skip == 0);
    if (all && got < want->page_count) {
        if (got != 0)
            mm_mdl_pages_put(pfns, got);
        got = 0;
    }
    if (got != 0 && (request->flags & MM_ALLOCATE_AND_HOT_REMOVE) != 0)
        got = mm_mdl_pages_remove(pfns, got);
    mdl->ByteCount = (ULONG)(got << PAGE_SHIFT);
    mdl->MdlFlags = MDL_PAGES_LOCKED;
    return got != 0 || ke_error(false, "%s: there are no such pages, or not as many as are required", request->routine);
}

static PMDL allocate(const pages_request_t *request)
{
    mm_pages_want_t want = { 0 };
    if (ke_thread_ready(request->routine) == NULL || !read_request(request, &want))
        return NULL;
    PMDL mdl = mdl_for(want.page_count);
    if (mdl == NULL)
        return NULL;
    ke_thread_t *thread = ke_thread_enter(request->routine);
    bool         settled = false;
    if (thread != NULL) {
        uint64_t asked = want.page_count;
        if (want.chunk_pages == 0 && mm_mdl_pages(mdl) < want.page_count)
            want.page_count = mm_mdl_pages(mdl);
        size_t got = want.chunk_pages > mm_mdl_pages(mdl) ? 0 : mm_mdl_pages_get(&want, MmGetMdlPfnArray(mdl));
        want.page_count = asked;
        settled = settle(mdl, request, &want, got);
        ke_thread_leave(thread);
    }
    if (settled)
        return mdl;
    ExFreePoolWithTag(mdl, TAG_MDL);
    return NULL;
}

static pages_request_t request_for(const char *routine, PHYSICAL_ADDRESS low, PHYSICAL_ADDRESS high, PHYSICAL_ADDRESS skip, SIZE_T total)
{
    return (pages_request_t){
        .routine = routine, .low = (uint64_t)low.QuadPart, .high = (uint64_t)high.QuadPart, .skip = (uint64_t)skip.QuadPart, .total = total
    };
}

PMDL MmAllocatePagesForMdl(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes)
{
    KE_REQUIRE_IRQL(mm_contiguous_free_irql);
    pages_request_t request = request_for(__func__, LowAddress, HighAddress, SkipBytes, TotalBytes);
    return allocate(&request);
}

static KIRQL highest_irql(ULONG flags) { return (flags & MM_ALLOCATE_AND_HOT_REMOVE) != 0 ? PASSIVE_LEVEL : DISPATCH_LEVEL; }

PMDL MmAllocatePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes,
                             MEMORY_CACHING_TYPE CacheType, ULONG Flags)
{
    KE_REQUIRE_IRQL(highest_irql(Flags));
    pages_request_t request = request_for(__func__, LowAddress, HighAddress, SkipBytes, TotalBytes);
    request.cache = CacheType;
    request.has_cache = true;
    request.flags = Flags;
    return allocate(&request);
}

PMDL MmAllocateNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes, SIZE_T TotalBytes,
                                 MEMORY_CACHING_TYPE CacheType, ULONG IdealNode, ULONG Flags)
{
    KE_REQUIRE_IRQL(highest_irql(Flags));
    pages_request_t request = request_for(__func__, LowAddress, HighAddress, SkipBytes, TotalBytes);
    request.cache = CacheType;
    request.has_cache = request.has_node = true;
    request.node = IdealNode;
    request.flags = Flags;
    return allocate(&request);
}

PMDL MmAllocatePartitionNodePagesForMdlEx(PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress, PHYSICAL_ADDRESS SkipBytes,
                                          SIZE_T TotalBytes, MEMORY_CACHING_TYPE CacheType, ULONG IdealNode, ULONG Flags,
                                          PVOID PartitionObject)
{
    KE_REQUIRE_IRQL(highest_irql(Flags));
    pages_request_t request = request_for(__func__, LowAddress, HighAddress, SkipBytes, TotalBytes);
    request.cache = CacheType;
    request.has_cache = request.has_node = true;
    request.node = IdealNode;
    request.flags = Flags;
    if (PartitionObject != NULL) {
        ke_error(0, "%s: this machine has the system partition alone, which is NULL", __func__);
        return NULL;
    }
    return allocate(&request);
}
