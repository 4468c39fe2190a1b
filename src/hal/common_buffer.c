/*
 * common_buffer.c - common buffers: memory that a driver and its device use at the same time, for as long as the driver likes.
 * Frames in a row that the device reaches, seen at their address in the physical map, so that making one costs no system call. What the
 * driver was given is written down in a record, found by its virtual address, because a driver that frees must say all of it again.
 *
 *     bucket [va] -> record -> record            record: adapter, va, logical address, length
 *
 * Units       bytes; whole pages of them are taken.
 * Locks       buffers_lock, a leaf, for the buckets.
 * Source      WDK reference: PALLOCATE_COMMON_BUFFER and its like, PFREE_COMMON_BUFFER, PCREATE_COMMON_BUFFER_FROM_MDL, "Using Common-Buffer
 *             Bus-Master DMA".
 * Fidelity    no map registers are used, since the memory lies where the device reaches it. Not executable. A free that does not match:
 *             0xC2/0x60, as for other contiguous memory (choice).
 */
#include <ntddk.h>

#include "hal/common_buffer.h"
#include "hal/dma_operations.h"
#include "hal/dma_probe.h"
#include "ke/inject.h"

#define BUCKETS 256u
#define LARGE_PAGES 512u

static hal_common_buffer_t *buckets[BUCKETS]; /* by buffers_lock */
static ke_lock_t            buffers_lock = KE_LOCK_INIT(KE_RANK_LEAF);

static hal_common_buffer_t **bucket_of(const void *va) { return &buckets[((uintptr_t)va >> PAGE_SHIFT) % BUCKETS]; }

void hal_common_buffers_reset(void)
{
    ke_lock_init(&buffers_lock, KE_RANK_LEAF);
    for (uint32_t i = 0; i < BUCKETS; i++)
        buckets[i] = NULL;
}

/* ---- making ---- */

hal_common_buffer_t *hal_common_buffer_record(hal_adapter_t *adapter, void *va, uint64_t logical, uint32_t length, bool of_mdl)
{
    hal_common_buffer_t *buffer = hal_record_take(HAL_COMMON_BUFFER);
    if (buffer == NULL)
        return NULL;
    *buffer = (hal_common_buffer_t){ .adapter = adapter, .va = va, .logical = logical, .length = length, .of_mdl = of_mdl };
    hal_adapter_hold(adapter);
    ke_lock(&buffers_lock);
    buffer->next = *bucket_of(va);
    *bucket_of(va) = buffer;
    ke_unlock(&buffers_lock);
    return buffer;
}

uint64_t hal_map_behind_iommu(hal_adapter_t *adapter, const char *va, const PFN_NUMBER *pfns, uint64_t bytes, uint64_t lowest,
                              uint64_t highest)
{
    hal_device_t *device = adapter->device;
    uint64_t      page_count = BYTES_TO_PAGES(bytes);
    ke_lock(&device->lock);
    uint64_t iova = hal_iommu_take_locked(&device->iommu, page_count, lowest, highest < adapter->highest ? highest : adapter->highest);
    ke_unlock(&device->lock);
    for (uint64_t i = 0; i < page_count && iova != 0; i++)
        hal_iommu_map(&device->iommu, iova + (i << PAGE_SHIFT),
                      pfns != NULL ? pfns[i] << PAGE_SHIFT : (uintptr_t)va - mm_physical_map.base + (i << PAGE_SHIFT));
    return iova;
}

void hal_unmap_behind_iommu(hal_adapter_t *adapter, uint64_t iova, uint64_t bytes)
{
    ke_lock(&adapter->device->lock);
    hal_iommu_give_locked(&adapter->device->iommu, iova, BYTES_TO_PAGES(bytes));
    ke_unlock(&adapter->device->lock);
}

hal_common_buffer_t *hal_common_buffer_make(hal_adapter_t *adapter, const hal_common_buffer_want_t *want)
{
    mm_contiguous_want_t memory = { .bytes = want->bytes,
                                    .lowest = hal_physical_of(want->lowest),
                                    .highest = want->highest < adapter->highest ? want->highest : adapter->highest,
                                    .node = want->node,
                                    .tag = HAL_TAG_COMMON_BUFFER,
                                    .cache = want->cache };
    if (want->large) {
        memory.align = LARGE_PAGES;
        memory.bytes = (want->bytes + LARGE_PAGES * PAGE_SIZE - 1) / (LARGE_PAGES * PAGE_SIZE) * (LARGE_PAGES * PAGE_SIZE);
    }
    bool translated = adapter->device->iommu.entries != NULL;
    if (translated) { /* any memory will do */
        memory.lowest = 0;
        memory.highest = UINT64_MAX;
    }
    bool guards = hal_probe != NULL && !want->large;
    if (guards)
        memory.bytes = (BYTES_TO_PAGES(want->bytes) + 2) << PAGE_SHIFT;
    char *base = want->bytes != 0 ? mm_contiguous_get(&memory) : NULL;
    if (base == NULL)
        return NULL;
    char                *va = guards ? base + PAGE_SIZE : base;
    uint64_t             iova = translated ? hal_map_behind_iommu(adapter, va, NULL, want->bytes, want->lowest, want->highest) : 0;
    uint64_t             logical = translated ? iova : hal_logical_of((uintptr_t)va - mm_physical_map.base);
    hal_common_buffer_t *buffer = NULL;
    if (!translated || iova != 0)
        buffer = hal_common_buffer_record(adapter, va, logical, (uint32_t)want->bytes, false);
    if (buffer == NULL && iova != 0)
        hal_unmap_behind_iommu(adapter, iova, want->bytes);
    if (buffer == NULL)
        MmFreeContiguousMemory(base);
    else
        buffer->iova = iova;
    if (buffer != NULL && guards) {
        buffer->base = base;
        buffer->bytes = memory.bytes;
        hal_probe->guard(base, memory.bytes, va, want->bytes);
    }
    return buffer;
}

static hal_common_buffer_t *make_asked(hal_adapter_t *adapter, const hal_common_buffer_want_t *want, PPHYSICAL_ADDRESS logical)
{
    hal_common_buffer_t *buffer = ke_inject_failure() ? NULL : hal_common_buffer_make(adapter, want);
    if (buffer != NULL)
        logical->QuadPart = (LONGLONG)buffer->logical;
    return buffer;
}

PVOID hal_allocate_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled)
{
    HAL_REQUIRE_IRQL("AllocateCommonBuffer", PASSIVE_LEVEL);
    hal_common_buffer_want_t want = { .bytes = Length, .highest = UINT64_MAX, .node = MM_ANY_NODE_OK, .cache = MmCached };
    ke_thread_t             *thread;
    hal_adapter_t           *adapter = hal_enter("AllocateCommonBuffer", DmaAdapter, &thread);
    (void)CacheEnabled; /* x64 has no devices that caches do not agree with */
    if (adapter == NULL)
        return NULL;
    hal_common_buffer_t *buffer = make_asked(adapter, &want, LogicalAddress);
    ke_thread_leave(thread);
    return buffer != NULL ? buffer->va : NULL;
}

PVOID hal_allocate_common_buffer_ex(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                    PPHYSICAL_ADDRESS LogicalAddress, BOOLEAN CacheEnabled, NODE_REQUIREMENT PreferredNode)
{
    HAL_REQUIRE_IRQL("AllocateCommonBufferEx", PASSIVE_LEVEL);
    hal_common_buffer_want_t want = { .bytes = Length,
                                      .highest = MaximumAddress != NULL ? (uint64_t)MaximumAddress->QuadPart : UINT64_MAX,
                                      .node = PreferredNode,
                                      .cache = CacheEnabled ? MmCached : MmNonCached };
    ke_thread_t             *thread;
    hal_adapter_t           *adapter = hal_enter("AllocateCommonBufferEx", DmaAdapter, &thread);
    if (adapter == NULL)
        return NULL;
    hal_common_buffer_t *buffer = make_asked(adapter, &want, LogicalAddress);
    ke_thread_leave(thread);
    return buffer != NULL ? buffer->va : NULL;
}

/* What the two routines with all the options have in common; false: a flag or a cache type that there is not. */
static bool want_bounds(hal_common_buffer_want_t *want, PPHYSICAL_ADDRESS lowest, PPHYSICAL_ADDRESS highest, ULONG flags,
                        const MEMORY_CACHING_TYPE *cache)
{
    want->lowest = lowest != NULL ? (uint64_t)lowest->QuadPart : 0;
    want->highest = highest != NULL ? (uint64_t)highest->QuadPart : UINT64_MAX;
    want->large = (flags & DOMAIN_COMMON_BUFFER_LARGE_PAGE) != 0;
    want->cache = cache != NULL ? (uint8_t)*cache : MmCached;
    return (flags & ~(ULONG)DOMAIN_COMMON_BUFFER_LARGE_PAGE) == 0 && (want->cache == MmCached || want->cache == MmNonCached);
}

PVOID hal_allocate_common_buffer_with_bounds(PDMA_ADAPTER DmaAdapter, PPHYSICAL_ADDRESS MinimumAddress, PPHYSICAL_ADDRESS MaximumAddress,
                                             ULONG Length, ULONG Flags, MEMORY_CACHING_TYPE *CacheType, NODE_REQUIREMENT PreferredNode,
                                             PPHYSICAL_ADDRESS LogicalAddress)
{
    HAL_REQUIRE_IRQL("AllocateCommonBufferWithBounds", PASSIVE_LEVEL);
    hal_common_buffer_want_t want = { .bytes = Length, .node = PreferredNode };
    ke_thread_t             *thread;
    hal_common_buffer_t     *buffer = NULL;
    hal_adapter_t           *adapter = hal_enter("AllocateCommonBufferWithBounds", DmaAdapter, &thread);
    if (adapter == NULL)
        return NULL;
    if (want_bounds(&want, MinimumAddress, MaximumAddress, Flags, CacheType))
        buffer = make_asked(adapter, &want, LogicalAddress);
    ke_thread_leave(thread);
    return buffer != NULL ? buffer->va : NULL;
}

/* ---- freeing ---- */

static hal_common_buffer_t *find_locked(const void *va, uint32_t length, uint64_t logical, const hal_adapter_t *adapter)
{
    for (hal_common_buffer_t *buffer = *bucket_of(va); buffer != NULL; buffer = buffer->next)
        if (buffer->va == va && buffer->length == length && buffer->logical == logical && buffer->adapter == adapter && !buffer->of_vector)
            return buffer;
    return NULL;
}

static void unlink_locked(hal_common_buffer_t *buffer)
{
    hal_common_buffer_t **link = bucket_of(buffer->va);
    while (*link != buffer)
        link = &(*link)->next;
    *link = buffer->next;
}

static void end_unlinked(hal_common_buffer_t *buffer)
{
    hal_adapter_t *adapter = buffer->adapter;
    void          *va = buffer->of_mdl ? NULL : buffer->base != NULL ? buffer->base : buffer->va;
    if (buffer->iova != 0)
        hal_unmap_behind_iommu(adapter, buffer->iova, buffer->length);
    if (buffer->base != NULL)
        hal_probe->guarded("FreeCommonBuffer", buffer->base, buffer->bytes, buffer->va, buffer->length);
    hal_record_give(buffer);
    if (va != NULL)
        MmFreeContiguousMemory(va);
    hal_adapter_release(adapter);
}

void hal_common_buffer_end(hal_common_buffer_t *buffer)
{
    ke_lock(&buffers_lock);
    unlink_locked(buffer);
    ke_unlock(&buffers_lock);
    end_unlinked(buffer);
}

VOID hal_free_common_buffer(PDMA_ADAPTER DmaAdapter, ULONG Length, PHYSICAL_ADDRESS LogicalAddress, PVOID VirtualAddress,
                            BOOLEAN CacheEnabled)
{
    HAL_REQUIRE_IRQL("FreeCommonBuffer", PASSIVE_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("FreeCommonBuffer", DmaAdapter, &thread);
    (void)CacheEnabled;
    if (adapter == NULL)
        return;
    ke_lock(&buffers_lock);
    hal_common_buffer_t *buffer = find_locked(VirtualAddress, Length, (uint64_t)LogicalAddress.QuadPart, adapter);
    if (buffer != NULL)
        unlink_locked(buffer);
    ke_unlock(&buffers_lock);
    if (buffer != NULL)
        end_unlinked(buffer);
    ke_thread_leave(thread);
    if (buffer == NULL && hal_probe != NULL)
        hal_probe->bad_buffer("FreeCommonBuffer", VirtualAddress);
    if (buffer == NULL)
        ke_bugcheck("FreeCommonBuffer",
                    "No common buffer of this adapter has that virtual address, logical address and length: it was freed already, or with "
                    "other arguments than it was allocated with.",
                    BAD_POOL_CALLER, 0x60, (ULONG_PTR)VirtualAddress, 0, 0);
}

/* ---- domains ---- */

static HANDLE domain_of(const hal_adapter_t *adapter)
{
    return adapter->device->iommu.entries != NULL ? (HANDLE)(uintptr_t)adapter->device : HAL_THE_DOMAIN;
}

HANDLE hal_get_dma_domain(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_IRQL("GetDmaDomain", PASSIVE_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("GetDmaDomain", DmaAdapter, &thread);
    if (adapter == NULL)
        return NULL;
    HANDLE domain = domain_of(adapter);
    ke_thread_leave(thread);
    return domain;
}

NTSTATUS hal_join_dma_domain(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle)
{
    HAL_REQUIRE_IRQL("JoinDmaDomain", PASSIVE_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("JoinDmaDomain", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = DomainHandle == domain_of(adapter)       ? STATUS_SUCCESS
                      : adapter->device->iommu.entries != NULL ? STATUS_NOT_SUPPORTED
                                                               : STATUS_INVALID_PARAMETER;
    ke_thread_leave(thread);
    return status;
}

NTSTATUS hal_leave_dma_domain(PDMA_ADAPTER DmaAdapter)
{
    HAL_REQUIRE_IRQL("LeaveDmaDomain", PASSIVE_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("LeaveDmaDomain", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    ke_thread_leave(thread);
    return STATUS_SUCCESS;
}

NTSTATUS hal_allocate_domain_common_buffer(PDMA_ADAPTER DmaAdapter, HANDLE DomainHandle, PPHYSICAL_ADDRESS MaximumAddress, ULONG Length,
                                           ULONG Flags, MEMORY_CACHING_TYPE *CacheType, NODE_REQUIREMENT PreferredNode,
                                           PPHYSICAL_ADDRESS LogicalAddress, PVOID *VirtualAddress)
{
    HAL_REQUIRE_IRQL("AllocateDomainCommonBuffer", PASSIVE_LEVEL);
    hal_common_buffer_want_t want = { .bytes = Length, .node = PreferredNode };
    ke_thread_t             *thread;
    hal_adapter_t           *adapter = hal_enter("AllocateDomainCommonBuffer", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if (DomainHandle == domain_of(adapter) && Length != 0 && want_bounds(&want, NULL, MaximumAddress, Flags, CacheType)) {
        hal_common_buffer_t *buffer = make_asked(adapter, &want, LogicalAddress);
        status = buffer != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
        if (buffer != NULL)
            *VirtualAddress = buffer->va;
    }
    ke_thread_leave(thread);
    return status;
}
