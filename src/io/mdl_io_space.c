/*
 * mdl_io_space.c - MDLs of device memory and registers: ranges of physical addresses that are no RAM.
 * Nothing is held: windows of I/O space belong to the test. Whether there is one shows when the MDL is mapped or a device looks for it.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, MmAllocateMdlForIoSpace.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/mdl.h"

#define TAG_MDL NTMM_TAG("Mdl ")
#define TOTAL_MOST ((uint64_t)UINT32_MAX)

static bool range_is_io_space(const MM_PHYSICAL_ADDRESS_LIST *range)
{
    uint64_t base = (uint64_t)range->PhysicalAddress.QuadPart, end = base + range->NumberOfBytes;
    if (base % PAGE_SIZE != 0 || range->NumberOfBytes % PAGE_SIZE != 0 || end < base)
        return false;
    for (uint64_t at = base; at < end; at += PAGE_SIZE)
        if (mm_pfn_is_ram(at >> PAGE_SHIFT))
            return false;
    return true;
}

/* The bytes of all ranges; 0: there are none, too many, or one of them is RAM or not whole pages. */
static uint64_t total_of(const MM_PHYSICAL_ADDRESS_LIST *list, SIZE_T count)
{
    uint64_t total = 0;
    for (SIZE_T i = 0; i < count; i++) {
        if (list[i].NumberOfBytes > TOTAL_MOST - total || !range_is_io_space(&list[i]))
            return 0;
        total += list[i].NumberOfBytes;
    }
    return total;
}

static void fill(MDL *mdl, const MM_PHYSICAL_ADDRESS_LIST *list, SIZE_T count)
{
    PFN_NUMBER *pfn = MmGetMdlPfnArray(mdl);
    for (SIZE_T i = 0; i < count; i++)
        for (uint64_t at = 0; at < list[i].NumberOfBytes; at += PAGE_SIZE)
            *pfn++ = ((uint64_t)list[i].PhysicalAddress.QuadPart + at) >> PAGE_SHIFT;
}

NTSTATUS MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList, SIZE_T NumberOfEntries, PMDL *NewMdl)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    *NewMdl = NULL;
    if (ke_thread_ready(__func__) == NULL)
        return STATUS_UNSUCCESSFUL;
    uint64_t total = total_of(PhysicalAddressList, NumberOfEntries);
    if (total == 0)
        return STATUS_INVALID_PARAMETER_1;
    PMDL mdl = ExAllocatePoolWithTag(NonPagedPoolNx, MmSizeOfMdl(NULL, total), TAG_MDL);
    if (mdl == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    MmInitializeMdl(mdl, NULL, total);
    mdl->AllocationProcessorNumber = mdl->Reserved = 0;
    mdl->Process = NULL;
    mdl->MappedSystemVa = NULL;
    mdl->MdlFlags = MDL_IO_SPACE | MDL_PAGES_LOCKED;
    fill(mdl, PhysicalAddressList, NumberOfEntries);
    *NewMdl = mdl;
    return STATUS_SUCCESS;
}
