/*
 * dma_mdl.c - BuildMdlFromScatterGatherList: what a scatter/gather list names, as MDLs.
 * Where the device uses the driver's own memory that is the driver's MDL. Where bytes were copied, each element becomes an MDL of its own
 * in a chain, or several, when its pages lie in a row for the device and not for the processor. It lives in io because it creates MDLs.
 *
 *     list   | element 0: 3 pages | element 1 |         chain   MDL (3 pages) --> MDL
 *
 * Source      WDK reference: PBUILD_MDL_FROM_SCATTER_GATHER_LIST.
 * Fidelity    the MDLs are mapped already, as those of nonpaged memory are; each goes by IoFreeMdl (choice).
 */
#include "io/dma_mdl.h"

#include "hal/dma_operations.h"

static void free_chain(PMDL mdl)
{
    for (PMDL next; mdl != NULL; mdl = next) {
        next = mdl->Next;
        IoFreeMdl(mdl);
    }
}

/* How much of [physical, physical + bytes) lies in a row for the processor, too; *va: where. */
static uint32_t in_a_row(uint64_t physical, uint32_t bytes, char **va)
{
    uint32_t done = (uint32_t)(PAGE_SIZE - (physical & (PAGE_SIZE - 1)));
    *va = mm_device_view(physical, false);
    while (done < bytes && *va != NULL && mm_device_view(physical + done, false) == *va + done)
        done += (uint32_t)PAGE_SIZE;
    return done < bytes ? done : bytes;
}

static PMDL mdl_of(uint64_t physical, uint32_t bytes, char *va)
{
    char  *base = va != NULL ? va : (char *)(uintptr_t)physical; /* I/O space: for DMA, an address is an index of the pages */
    size_t pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(base, bytes);
    PMDL   mdl = IoAllocateMdl(base, bytes, FALSE, FALSE, NULL);
    if (mdl == NULL)
        return NULL;
    mdl->MdlFlags |= va != NULL ? MDL_SOURCE_IS_NONPAGED_POOL : MDL_IO_SPACE;
    mdl->MappedSystemVa = va;
    for (size_t i = 0; i < pages; i++)
        MmGetMdlPfnArray(mdl)[i] = (physical >> PAGE_SHIFT) + i;
    return mdl;
}

static bool add_element(PMDL **end, const SCATTER_GATHER_ELEMENT *element)
{
    uint64_t physical = hal_physical_of((uint64_t)element->Address.QuadPart);
    for (uint32_t done = 0, now; done < element->Length; done += now) {
        char *va;
        now = in_a_row(physical + done, element->Length - done, &va);
        PMDL mdl = mdl_of(physical + done, now, va);
        if (mdl == NULL)
            return false;
        **end = mdl;
        *end = &mdl->Next;
    }
    return true;
}

static NTSTATUS build(const SCATTER_GATHER_LIST *list, PMDL *out)
{
    PMDL chain = NULL, *end = &chain;
    for (ULONG i = 0; i < list->NumberOfElements; i++)
        if (!add_element(&end, &list->Elements[i])) {
            free_chain(chain);
            return STATUS_INSUFFICIENT_RESOURCES;
        }
    *out = chain;
    return STATUS_SUCCESS;
}

NTSTATUS io_build_mdl_from_scatter_gather_list(PDMA_ADAPTER DmaAdapter, PSCATTER_GATHER_LIST ScatterGather, PMDL OriginalMdl,
                                               PMDL *TargetMdl)
{
    HAL_REQUIRE_IRQL("BuildMdlFromScatterGatherList", DISPATCH_LEVEL);
    ke_thread_t   *thread;
    hal_adapter_t *adapter = hal_enter("BuildMdlFromScatterGatherList", DmaAdapter, &thread);
    if (adapter == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS       status = STATUS_INVALID_PARAMETER;
    hal_request_t *request = OriginalMdl != NULL ? hal_request_of_list(adapter, ScatterGather) : NULL;
    if (request != NULL && request->has_mdl) {
        status = STATUS_NONE_MAPPED;
    } else if (request != NULL && !hal_is_bounced(request)) {
        *TargetMdl = OriginalMdl;
        status = STATUS_SUCCESS;
    } else if (request != NULL) {
        status = build(ScatterGather, TargetMdl);
    }
    if (NT_SUCCESS(status))
        request->has_mdl = true;
    ke_thread_leave(thread);
    return status;
}
