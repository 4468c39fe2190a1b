/*
 * common_buffer_vector.c - many common buffers of one size, made at once and freed one by one.
 *
 *     vector (a block of pool)  | adapter, count, magic | buffer 0 | buffer 1 | ... | buffer count - 1 |      NULL: freed
 *
 * A vector goes last: one that still has buffers, an index that it does not have, or one that was freed, is a bug check of its own.
 *
 * Locks       none: a vector is its driver's affair, as long as two threads do not free the same index at once.
 * Source      WDK reference: PALLOCATE_COMMON_BUFFER_VECTOR and its like, which name the parameters and no more; Bug Check 0x1DC.
 * Fidelity    what the pages leave open is a choice: buffers are whole pages of their own; a vector that fails half-way is undone.
 */
#include <ntddk.h>

#include "hal/common_buffer.h"
#include "hal/dma_operations.h"

struct _DMA_COMMON_BUFFER_VECTOR {
    PDMA_ADAPTER         adapter;
    ULONG                count;
    hal_common_buffer_t *buffers[];
};

_Noreturn static NTMM_COLD void misuse(const char *routine, const char *why, ULONG_PTR type, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    ke_bugcheck(routine, why, DMA_COMMON_BUFFER_VECTOR_ERROR, type, p2, p3, p4);
}

static void require_irql(const char *routine, KIRQL most)
{
    if (ke_self()->irql > most)
        misuse(routine, "A routine of vectors of common buffers was called at too high an IRQL.", 1, ke_self()->irql, 0, 0);
}

static hal_common_buffer_t **entry_of(const char *routine, PDMA_COMMON_BUFFER_VECTOR vector, ULONG index)
{
    if (index >= vector->count)
        misuse(routine, "The vector of common buffers has no entry of that index.", 3, vector->count, index, 0);
    if (vector->buffers[index] == NULL)
        misuse(routine, "The common buffer of that index was freed already.", 4, index, 0, 0);
    return &vector->buffers[index];
}

static bool fill(hal_adapter_t *adapter, PDMA_COMMON_BUFFER_VECTOR vector, const hal_common_buffer_want_t *want)
{
    for (ULONG i = 0; i < vector->count; i++) {
        vector->buffers[i] = hal_common_buffer_make(adapter, want);
        if (vector->buffers[i] != NULL) {
            vector->buffers[i]->of_vector = true;
            continue;
        }
        while (i-- != 0)
            hal_common_buffer_end(vector->buffers[i]);
        return false;
    }
    return true;
}

static NTSTATUS allocate(hal_adapter_t *adapter, ULONG count, const hal_common_buffer_want_t *want, PDMA_COMMON_BUFFER_VECTOR *out)
{
    if (count == 0 || want->bytes == 0 || want->bytes > MAXULONG || (want->cache != MmCached && want->cache != MmNonCached))
        return STATUS_INVALID_PARAMETER;
    SIZE_T                    bytes = sizeof(struct _DMA_COMMON_BUFFER_VECTOR) + count * sizeof(hal_common_buffer_t *);
    PDMA_COMMON_BUFFER_VECTOR vector = ExAllocatePoolWithTag(NonPagedPoolNx, bytes, HAL_TAG_VECTOR);
    if (vector == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    vector->adapter = &adapter->public;
    vector->count = count;
    if (fill(adapter, vector, want)) {
        *out = vector;
        return STATUS_SUCCESS;
    }
    ExFreePoolWithTag(vector, HAL_TAG_VECTOR);
    return STATUS_INSUFFICIENT_RESOURCES;
}

NTSTATUS hal_allocate_common_buffer_vector(PDMA_ADAPTER DmaAdapter, PHYSICAL_ADDRESS LowAddress, PHYSICAL_ADDRESS HighAddress,
                                           MEMORY_CACHING_TYPE CacheType, NODE_REQUIREMENT IdealNode, ULONG Flags, ULONG NumberOfElements,
                                           ULONGLONG SizeOfElements, PDMA_COMMON_BUFFER_VECTOR *VectorOut)
{
    require_irql("AllocateCommonBufferVector", PASSIVE_LEVEL);
    hal_common_buffer_want_t want = { .bytes = SizeOfElements,
                                      .lowest = (uint64_t)LowAddress.QuadPart,
                                      .highest = (uint64_t)HighAddress.QuadPart,
                                      .node = IdealNode,
                                      .cache = (uint8_t)CacheType,
                                      .large = (Flags & DOMAIN_COMMON_BUFFER_LARGE_PAGE) != 0 };
    ke_thread_t             *thread;
    hal_adapter_t           *adapter = hal_enter("AllocateCommonBufferVector", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PARAMETER;
    if ((Flags & ~(ULONG)DOMAIN_COMMON_BUFFER_LARGE_PAGE) == 0)
        status = allocate(adapter, NumberOfElements, &want, VectorOut);
    ke_thread_leave(thread);
    return status;
}

VOID hal_get_common_buffer_from_vector_by_index(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index,
                                                PVOID *VirtualAddressOut, PPHYSICAL_ADDRESS LogicalAddressOut)
{
    require_irql("GetCommonBufferFromVectorByIndex", DISPATCH_LEVEL);
    ke_thread_t *thread;
    if (hal_enter("GetCommonBufferFromVectorByIndex", DmaAdapter, &thread) == NULL)
        return;
    const hal_common_buffer_t *buffer = *entry_of("GetCommonBufferFromVectorByIndex", Vector, Index);
    *VirtualAddressOut = buffer->va;
    LogicalAddressOut->QuadPart = (LONGLONG)buffer->logical;
    ke_thread_leave(thread);
}

VOID hal_free_common_buffer_from_vector(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector, ULONG Index)
{
    require_irql("FreeCommonBufferFromVector", PASSIVE_LEVEL);
    ke_thread_t *thread;
    if (hal_enter("FreeCommonBufferFromVector", DmaAdapter, &thread) == NULL)
        return;
    hal_common_buffer_t **entry = entry_of("FreeCommonBufferFromVector", Vector, Index), *buffer = *entry;
    *entry = NULL;
    hal_common_buffer_end(buffer);
    ke_thread_leave(thread);
}

VOID hal_free_common_buffer_vector(PDMA_ADAPTER DmaAdapter, PDMA_COMMON_BUFFER_VECTOR Vector)
{
    require_irql("FreeCommonBufferVector", PASSIVE_LEVEL);
    ke_thread_t *thread;
    if (hal_enter("FreeCommonBufferVector", DmaAdapter, &thread) == NULL)
        return;
    for (ULONG i = 0; i < Vector->count; i++)
        if (Vector->buffers[i] != NULL)
            misuse("FreeCommonBufferVector", "The vector still has common buffers: each goes by FreeCommonBufferFromVector first.", 2, i,
                   (ULONG_PTR)Vector->buffers[i]->va, (ULONG_PTR)Vector->buffers[i]->logical);
    ExFreePoolWithTag(Vector, HAL_TAG_VECTOR);
    ke_thread_leave(thread);
}
