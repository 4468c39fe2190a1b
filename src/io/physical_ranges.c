/*
 * physical_ranges.c - MmGetPhysicalMemoryRanges and its two extensions.
 * They are Mm routines, but what they return is pool that the driver frees, so they stand above ex.
 *
 * Locks   none held while pool is allocated; the ranges are copied under Mm's lock.
 * Source  WDK reference: ntddk.h, MmGetPhysicalMemoryRangesEx2.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/physical_memory.h"

#include <ntmm/ntmm.h>

#define TAG_RANGES NTMM_TAG("MmPr")

static PHYSICAL_MEMORY_RANGE in_bytes(const mm_ram_range_t *range)
{
    PHYSICAL_MEMORY_RANGE out;
    out.BaseAddress.QuadPart = (LONGLONG)(range->first_pfn << PAGE_SHIFT);
    out.NumberOfBytes.QuadPart = (LONGLONG)(range->page_count << PAGE_SHIFT);
    return out;
}

static PPHYSICAL_MEMORY_RANGE copy_ranges(PVOID partition)
{
    mm_ram_range_t range[MM_RAM_RANGES_MAX]; /* 8 KiB: PASSIVE_LEVEL, and our own stack */
    if (partition != NULL || ke_thread_ready("MmGetPhysicalMemoryRanges") == NULL)
        return NULL;
    uint32_t               count = mm_physical_ranges(range, MM_RAM_RANGES_MAX);
    PPHYSICAL_MEMORY_RANGE out = ExAllocatePool2(POOL_FLAG_NON_PAGED, (count + 1) * sizeof *out, TAG_RANGES);
    for (uint32_t i = 0; i < count && out != NULL; i++)
        out[i] = in_bytes(&range[i]);
    return out; /* zeroed by the pool: the entry behind the last one ends the array */
}

PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRanges(VOID)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return copy_ranges(NULL);
}

PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRangesEx(PVOID PartitionObject)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return copy_ranges(PartitionObject);
}

PPHYSICAL_MEMORY_RANGE MmGetPhysicalMemoryRangesEx2(PVOID PartitionObject, ULONG Flags)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    (void)Flags; /* one kind of range, one partition: every value asks for the same */
    return copy_ranges(PartitionObject);
}
