/*
 * mdl.c - making MDLs: memory for them, their headers, and MDLs of parts of others.
 * An MDL is a block of nonpaged pool. Small ones are all as large as the largest of them, so that the pool's stock of that size serves them.
 *
 *     source    | StartVa | page 0 | page 1 | page 2 | page 3 |        ByteOffset, ByteCount
 *     target              of [address, address + length)  | page 1 | page 2 |
 *
 * Locks       none: an MDL belongs to its caller, an IRP's chain to whoever has the IRP.
 * Source      WDK reference: the pages of the routines; Bug Checks 0x40, 0x12E.
 * Fidelity    which MDLs count as small, and their tag: choice. That a source is locked is looked at when the part is mapped.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/probe.h"
#include "ke/version.h"
#include "mm/mdl.h"

#define TAG_MDL NTMM_TAG("Mdl ")
#define SMALL_PAGES 23u /* MDL_ALLOCATED_FIXED_SIZE */

#define BEFORE_VISTA(version) ((version) != 0 && (version) < NTDDI_VISTA)
#define BEFORE_WIN7(version) ((version) != 0 && (version) < NTDDI_WIN7)

static uint64_t longest_buffer(void)
{
    if (BEFORE_VISTA(ke_windows_version))
        return (uint64_t)PAGE_SIZE * ((65535 - sizeof(MDL)) / sizeof(ULONG_PTR));
    return (BEFORE_WIN7(ke_windows_version) ? (uint64_t)1 << 31 : (uint64_t)1 << 32) - PAGE_SIZE;
}

/* ---- allocate ---- */

static PMDL allocate(PVOID address, SIZE_T bytes, bool charge_quota)
{
    size_t pages = ADDRESS_AND_SIZE_TO_SPAN_PAGES(address, bytes);
    bool   is_small = pages <= SMALL_PAGES;
    SIZE_T size = sizeof(MDL) + (is_small ? SMALL_PAGES : pages) * sizeof(PFN_NUMBER);
    PMDL   mdl = charge_quota ? ExAllocatePoolWithQuotaTag(NonPagedPoolNx | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, size, TAG_MDL)
                              : ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG_MDL);
    if (mdl == NULL)
        return NULL;
    MmInitializeMdl(mdl, address, bytes);
    mdl->AllocationProcessorNumber = mdl->Reserved = 0;
    mdl->Process = NULL;
    mdl->MappedSystemVa = NULL;
    mdl->MdlFlags = is_small ? MDL_ALLOCATED_FIXED_SIZE : 0;
    if (is_small)
        mdl->Size = (CSHORT)size;
    return mdl;
}

static void chain(PIRP irp, PMDL mdl, bool secondary)
{
    PMDL *link = &irp->MdlAddress;
    while (secondary && *link != NULL)
        link = &(*link)->Next;
    *link = mdl;
}

PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    if (Length > longest_buffer()) {
        ke_error(0, "%s: an MDL for 0x%x bytes would be too long", __func__, Length);
        return NULL;
    }
    PMDL mdl = allocate(VirtualAddress, Length, ChargeQuota != FALSE);
    if (mdl != NULL && Irp != NULL)
        chain(Irp, mdl, SecondaryBuffer != FALSE);
    return mdl;
}

PMDL MmCreateMdl(PMDL MemoryDescriptorList, PVOID Base, SIZE_T Length)
{
    if (MemoryDescriptorList != NULL) {
        MmInitializeMdl(MemoryDescriptorList, Base, Length);
        return MemoryDescriptorList;
    }
    KE_REQUIRE_IRQL(APC_LEVEL);
    return Length <= longest_buffer() ? allocate(Base, Length, false) : NULL;
}

SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length) { return sizeof(MDL) + ADDRESS_AND_SIZE_TO_SPAN_PAGES(Base, Length) * sizeof(PFN_NUMBER); }

VOID IoFreeMdl(PMDL Mdl)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_probe_mdl(__func__, KE_MDL_FREE, Mdl);
    mm_mdl_stays_for_users(__func__, Mdl);
    MmPrepareMdlForReuse(Mdl);
    ExFreePoolWithTag(Mdl, TAG_MDL);
}

/* ---- part of another ---- */

typedef struct part {
    uintptr_t va;
    uint64_t  bytes;
    size_t    first_page; /* in the source */
    size_t    page_count;
} part_t;

/* An address before the source's start comes out as a large offset. */
static bool is_inside(const MDL *source, const part_t *part)
{
    uint64_t offset = part->va - mm_mdl_address(source);
    return offset <= source->ByteCount && part->bytes <= source->ByteCount - offset;
}

/* Size is 16 bits: of MDLs for more pages than it can say it holds the lowest ones, and their room is not known. */
static bool has_room(const MDL *target, size_t page_count)
{
    size_t size = (uint16_t)target->Size, own_pages = mm_mdl_pages(target);
    size_t room = (size - sizeof(MDL)) / sizeof(PFN_NUMBER);
    return page_count <= (own_pages > room ? own_pages : room);
}

static void describe_part(const MDL *source, MDL *target, const part_t *part)
{
    unsigned kept = (uint16_t)target->MdlFlags & (MDL_ALLOCATED_FIXED_SIZE | MDL_NETWORK_HEADER);
    unsigned same =
        (uint16_t)source->MdlFlags & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA | MDL_WRITE_OPERATION | MDL_IO_SPACE);
    bool shared = (same & MDL_MAPPED_TO_SYSTEM_VA) != 0;
    target->MdlFlags = (CSHORT)(kept | same | MDL_PARTIAL | (shared ? MDL_PARENT_MAPPED_SYSTEM_VA : 0u));
    target->Process = source->Process;
    target->StartVa = PAGE_ALIGN(part->va);
    target->ByteOffset = BYTE_OFFSET(part->va);
    target->ByteCount = (ULONG)part->bytes;
    target->MappedSystemVa = NULL;
    if ((same & (MDL_SOURCE_IS_NONPAGED_POOL | MDL_MAPPED_TO_SYSTEM_VA)) != 0)
        target->MappedSystemVa = (PCHAR)source->MappedSystemVa + (part->va - mm_mdl_address(source));
}

VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    part_t part = { .va = (uintptr_t)VirtualAddress, .bytes = Length };
    if (Length == 0)
        part.bytes = mm_mdl_address(SourceMdl) + SourceMdl->ByteCount - part.va;
    if (!is_inside(SourceMdl, &part))
        ke_bugcheck(__func__, "The partial MDL would describe bytes that are not in its source.", INVALID_MDL_RANGE, (ULONG_PTR)SourceMdl,
                    (ULONG_PTR)TargetMdl, part.va, Length);
    part.first_page = (part.va - (uintptr_t)SourceMdl->StartVa) >> PAGE_SHIFT;
    part.page_count = ADDRESS_AND_SIZE_TO_SPAN_PAGES(part.va, part.bytes);
    if (!has_room(TargetMdl, part.page_count))
        ke_bugcheck(__func__, "The target MDL has no room for the frames of the part.", TARGET_MDL_TOO_SMALL, (ULONG_PTR)TargetMdl,
                    (ULONG_PTR)SourceMdl, part.va, Length);
    memcpy(MmGetMdlPfnArray(TargetMdl), MmGetMdlPfnArray(SourceMdl) + part.first_page, part.page_count * sizeof(PFN_NUMBER));
    describe_part(SourceMdl, TargetMdl, &part);
}
