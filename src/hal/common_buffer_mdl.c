/*
 * common_buffer_mdl.c - CreateCommonBufferFromMdl: a driver's own memory becomes a common buffer.
 * Without an IOMMU it must be one already: whole pages, in a row, in the device's reach, there for good and mapped. Behind an IOMMU pages in
 * any order become a row.
 *
 * Source      WDK reference: PCREATE_COMMON_BUFFER_FROM_MDL, DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION.
 */
#include <ntddk.h>

#include "hal/common_buffer.h"
#include "hal/dma_operations.h"
#include "hal/mdl_chain.h"
#include "ke/inject.h"

typedef struct from_mdl {
    uint64_t lowest, highest; /* logical */
    uint64_t offset, length;  /* of the section; length 0: all of one MDL */
    bool     has[CommonBufferConfigTypeMax];
} from_mdl_t;

static NTSTATUS read_configs(from_mdl_t *from, const DMA_COMMON_BUFFER_EXTENDED_CONFIGURATION *configs, ULONG count)
{
    for (ULONG i = 0; i < count; i++) {
        unsigned type = configs[i].ConfigType;
        if (type >= CommonBufferConfigTypeMax || from->has[type])
            return STATUS_INVALID_PARAMETER;
        from->has[type] = true;
        if (type == CommonBufferConfigTypeLogicalAddressLimits) {
            from->lowest = (uint64_t)configs[i].LogicalAddressLimits.MinimumAddress.QuadPart;
            from->highest = (uint64_t)configs[i].LogicalAddressLimits.MaximumAddress.QuadPart;
        } else if (type == CommonBufferConfigTypeSubSection) {
            from->offset = configs[i].SubSection.Offset;
            from->length = configs[i].SubSection.Length;
        } else if (configs[i].HardwareAccessType != CommonBufferHardwareAccessReadWrite) {
            return STATUS_NOT_SUPPORTED; /* nothing stands between device and memory that could forbid an access */
        }
    }
    return STATUS_SUCCESS;
}

/* The frames of whole pages of one MDL, in a row and within the device's reach: the first one, or MM_PFN_NONE. */
static mm_pfn_number_t run_of(const hal_cursor_t *cursor, uint64_t length)
{
    const PFN_NUMBER *pfns = MmGetMdlPfnArray(cursor->mdl) + ((hal_on_pages(cursor)) >> PAGE_SHIFT);
    for (uint64_t i = 1; i < length >> PAGE_SHIFT; i++)
        if (pfns[i] != pfns[0] + i)
            return MM_PFN_NONE;
    return pfns[0];
}

static bool section_of(const from_mdl_t *from, PMDL mdl, hal_cursor_t *cursor, uint64_t *length)
{
    bool section = from->has[CommonBufferConfigTypeSubSection];
    if (mdl == NULL || (!section && mdl->Next != NULL))
        return false;
    *length = section ? from->length : mdl->ByteCount;
    if (!hal_chain_has(mdl, from->offset, *length) || *length == 0)
        return false;
    *cursor = hal_cursor_at(mdl, from->offset);
    uint64_t begin = hal_on_pages(cursor);
    return begin % PAGE_SIZE == 0 && *length % PAGE_SIZE == 0 && cursor->offset + *length <= cursor->mdl->ByteCount;
}

/* Always there, and mapped into system space. */
static void *system_address(const hal_cursor_t *cursor)
{
    const MDL *mdl = cursor->mdl;
    bool       there = (mdl->MdlFlags & MDL_SOURCE_IS_NONPAGED_POOL) != 0 ||
                 ((mdl->MdlFlags & MDL_PAGES_LOCKED) != 0 && (mdl->MdlFlags & MDL_MAPPED_TO_SYSTEM_VA) != 0);
    return there ? (char *)mdl->MappedSystemVa + cursor->offset : NULL;
}

/* With DMA remapping any pages can be a row. */
static NTSTATUS create_translated(hal_adapter_t *adapter, const hal_cursor_t *cursor, uint64_t length, const from_mdl_t *from, void *va,
                                  PPHYSICAL_ADDRESS logical)
{
    const PFN_NUMBER *pfns = MmGetMdlPfnArray(cursor->mdl) + ((hal_on_pages(cursor)) >> PAGE_SHIFT);
    uint64_t          iova = ke_inject_failure() ? 0 : hal_map_behind_iommu(adapter, NULL, pfns, length, from->lowest, from->highest);
    if (iova == 0)
        return STATUS_INSUFFICIENT_RESOURCES;
    hal_common_buffer_t *buffer = hal_common_buffer_record(adapter, va, iova, (uint32_t)length, true);
    if (buffer == NULL) {
        hal_unmap_behind_iommu(adapter, iova, length);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    buffer->iova = iova;
    logical->QuadPart = (LONGLONG)iova;
    return STATUS_SUCCESS;
}

static NTSTATUS create_in_place(hal_adapter_t *adapter, const hal_cursor_t *cursor, uint64_t length, const from_mdl_t *from, void *va,
                                PPHYSICAL_ADDRESS logical)
{
    mm_pfn_number_t first = run_of(cursor, length);
    if (first == MM_PFN_NONE)
        return STATUS_INVALID_PARAMETER;
    uint64_t begin = hal_logical_of(first << PAGE_SHIFT), last = begin + length - 1;
    if (last > adapter->highest || begin < from->lowest || last > from->highest)
        return STATUS_INVALID_PARAMETER;
    if (ke_inject_failure() || hal_common_buffer_record(adapter, va, begin, (uint32_t)length, true) == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    logical->QuadPart = (LONGLONG)begin;
    return STATUS_SUCCESS;
}

static NTSTATUS create_from(hal_adapter_t *adapter, PMDL mdl, const from_mdl_t *from, PPHYSICAL_ADDRESS logical)
{
    hal_cursor_t cursor;
    uint64_t     length;
    if (!section_of(from, mdl, &cursor, &length))
        return STATUS_INVALID_PARAMETER;
    void *va = system_address(&cursor);
    if (va == NULL)
        return STATUS_INVALID_PARAMETER;
    return adapter->device->iommu.entries != NULL ? create_translated(adapter, &cursor, length, from, va, logical)
                                                  : create_in_place(adapter, &cursor, length, from, va, logical);
}

NTSTATUS hal_create_common_buffer_from_mdl(PDMA_ADAPTER DmaAdapter, PMDL Mdl, PDMA_COMMON_BUFFER_EXTENDED_CONFIGURATION ExtendedConfigs,
                                           ULONG ExtendedConfigsCount, PPHYSICAL_ADDRESS LogicalAddress)
{
    HAL_REQUIRE_IRQL("CreateCommonBufferFromMdl", PASSIVE_LEVEL);
    from_mdl_t     from = { .highest = UINT64_MAX };
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("CreateCommonBufferFromMdl", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = read_configs(&from, ExtendedConfigs, ExtendedConfigsCount);
    if (NT_SUCCESS(status))
        status = create_from(adapter, Mdl, &from, LogicalAddress);
    ke_thread_leave(thread);
    return status;
}
