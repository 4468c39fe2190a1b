/*
 * mdl_advance.c - the start of an MDL's buffer moves forward: what is passed is given up.
 *
 *     before    | ByteOffset | passed ........|.......... ByteCount ......|     pages  0   1   2
 *     after                    | ByteOffset | ByteCount ..................|     pages      1   2, the array is shifted
 *
 * Units       bytes; whole pages passed.
 * Locks       none held here.
 * Source      WDK reference: wdm.h, MmAdvanceMdl.
 * Fidelity    pages that are passed leave the system mapping at once, where it is one of the MDL's own (choice: Windows keeps their PTEs
 *             until the rest goes).
 */
#include <ntddk.h>
#include <string.h>

#include "ke/bugcheck.h"
#include "mm/lock_pages.h"
#include "mm/mapping.h"
#include "mm/mdl.h"
#include "mm/mdl_pages.h"
#include "mm/mdl_reserved.h"

static void unmap_passed(MDL *mdl, size_t passed)
{
    void              *page = PAGE_ALIGN(mdl->MappedSystemVa);
    mm_mapping_found_t found = mm_mapping_find(page);
    bool               own = mm_mdl_has(mdl, MDL_MAPPED_TO_SYSTEM_VA) && !mm_mdl_has(mdl, MDL_PARENT_MAPPED_SYSTEM_VA);
    if (own && found.record != NULL)
        mm_mapping_drop(page, passed < found.page_count ? passed : found.page_count);
    if (own && passed == mm_mdl_pages(mdl))
        mm_mdl_clear(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_PARTIAL_HAS_BEEN_MAPPED);
}

/* MM_PFN_NONE, or a frame that is not locked. */
static mm_pfn_number_t pass_pages(MDL *mdl, size_t passed)
{
    PFN_NUMBER *pfns = MmGetMdlPfnArray(mdl);
    size_t      unlocked = passed;
    unmap_passed(mdl, passed);
    if (mm_mdl_has(mdl, MDL_PAGES_LOCKED) && mm_is_mdl_page(pfns[0]))
        mm_mdl_pages_pass(pfns, passed, mm_mdl_pages(mdl));
    else if (mm_mdl_has(mdl, MDL_PAGES_LOCKED))
        unlocked = mm_unlock_pages(pfns, passed, mm_mdl_has(mdl, MDL_IO_SPACE));
    mm_pfn_number_t bad = unlocked < passed ? pfns[unlocked] : MM_PFN_NONE;
    memmove(pfns, pfns + passed, (mm_mdl_pages(mdl) - passed) * sizeof pfns[0]);
    return bad;
}

static bool passes_pages(const MDL *mdl, ULONG bytes) { return ((uint64_t)mdl->ByteOffset + bytes) >> PAGE_SHIFT != 0; }

static mm_pfn_number_t advance(MDL *mdl, ULONG bytes)
{
    uint64_t        offset = (uint64_t)mdl->ByteOffset + bytes;
    size_t          passed = (size_t)(offset >> PAGE_SHIFT);
    mm_pfn_number_t bad = passed != 0 ? pass_pages(mdl, passed) : MM_PFN_NONE;
    mdl->StartVa = (char *)mdl->StartVa + (passed << PAGE_SHIFT);
    mdl->ByteOffset = (ULONG)offset & (PAGE_SIZE - 1);
    mdl->ByteCount -= bytes;
    if (mm_mdl_has(mdl, MDL_MAPPED_TO_SYSTEM_VA | MDL_SOURCE_IS_NONPAGED_POOL))
        mdl->MappedSystemVa = (char *)mdl->MappedSystemVa + bytes;
    return bad;
}

NTSTATUS MmAdvanceMdl(PMDL Mdl, ULONG NumberOfBytes)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (NumberOfBytes > Mdl->ByteCount)
        return STATUS_INVALID_PARAMETER_2;
    if (passes_pages(Mdl, NumberOfBytes))
        mm_mdl_stays_for_users(__func__, Mdl);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    mm_pfn_number_t bad = advance(Mdl, NumberOfBytes);
    ke_thread_leave(thread);
    if (bad != MM_PFN_NONE)
        ke_bugcheck(__func__, "A page that MmAdvanceMdl passed is not locked.", PFN_LIST_CORRUPT, 0x7, (ULONG_PTR)bad, 0, 0);
    return STATUS_SUCCESS;
}
