/*
 * io_mdl.h - making MDLs, and MDLs of parts of what another one describes.
 * Source  WDK reference: wdm.h, ntddk.h, "Using MDLs".
 */
#ifndef NTMM_DDK_WDM_IO_MDL_H
#define NTMM_DDK_WDM_IO_MDL_H

#include "irp.h"
#include "mdl.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Allocate an MDL for a buffer, from nonpaged pool. Its array is not filled.
 *
 * @param VirtualAddress   first byte of the buffer, or any address with the right offset on its page
 * @param Length           bytes; at most 4 GiB - PAGE_SIZE, 2 GiB - PAGE_SIZE when the machine's Windows is Vista, and
 *                         PAGE_SIZE * (65535 - sizeof(MDL)) / sizeof(ULONG_PTR) before that
 * @param SecondaryBuffer  with an Irp. FALSE: becomes its MdlAddress; TRUE: is appended to the chain that begins there
 * @param ChargeQuota      TRUE: the current process is charged for the pool
 * @param Irp              or NULL
 * @return NULL: too long, no pool, or beyond the quota
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, IoAllocateMdl
 */
NTKERNELAPI PMDL IoAllocateMdl(PVOID VirtualAddress, ULONG Length, BOOLEAN SecondaryBuffer, BOOLEAN ChargeQuota, PIRP Irp);

/**
 * Free one MDL, not the chain behind it; the mapping of a partial MDL goes with it. Its pages are not locked any more, or another MDL's.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as ExFreePool. IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, IoFreeMdl
 */
NTKERNELAPI VOID IoFreeMdl(PMDL Mdl);

/**
 * Make an MDL describe part of the buffer of another one, which must outlive it. A system mapping of the other one is shared.
 *
 * @param SourceMdl       locked, or built for nonpaged pool
 * @param TargetMdl       from IoAllocateMdl, with room enough
 * @param VirtualAddress  of the part, in the terms of MmGetMdlVirtualAddress(SourceMdl)
 * @param Length          bytes; 0: up to the end of the source
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  INVALID_MDL_RANGE (0x12E): not all of the part is in the source; p1 source, p2 target, p3 address, p4 length.
 *            TARGET_MDL_TOO_SMALL (0x40): parameters are not documented; here target, source, address, length
 * @source    WDK reference: wdm.h, IoBuildPartialMdl; Bug Checks 0x40, 0x12E
 */
NTKERNELAPI VOID IoBuildPartialMdl(PMDL SourceMdl, PMDL TargetMdl, PVOID VirtualAddress, ULONG Length);

typedef struct _MM_PHYSICAL_ADDRESS_LIST {
    PHYSICAL_ADDRESS PhysicalAddress;
    SIZE_T           NumberOfBytes;
} MM_PHYSICAL_ADDRESS_LIST, *PMM_PHYSICAL_ADDRESS_LIST;

/**
 * Allocate an MDL that describes device memory, one range of physical addresses after the other. It is not mapped, and freed with IoFreeMdl.
 *
 * @param PhysicalAddressList  NumberOfEntries ranges of whole pages, none of them RAM, together at most 2^32 - 1 bytes
 * @param NewMdl               out: the MDL; NULL on failure
 * @return STATUS_SUCCESS; STATUS_INVALID_PARAMETER_1; STATUS_INSUFFICIENT_RESOURCES
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above DISPATCH_LEVEL
 * @source    WDK reference: wdm.h, MmAllocateMdlForIoSpace
 */
NTKERNELAPI NTSTATUS MmAllocateMdlForIoSpace(PMM_PHYSICAL_ADDRESS_LIST PhysicalAddressList, SIZE_T NumberOfEntries, PMDL *NewMdl);

/**
 * Bytes that an MDL for such a buffer has, array included.
 * @irql   any
 * @source WDK reference: wdm.h, MmSizeOfMdl
 */
NTKERNELAPI SIZE_T MmSizeOfMdl(PVOID Base, SIZE_T Length);

/**
 * Allocate an MDL, or write the header of one that is there.
 *
 * @param MemoryDescriptorList  nonpaged memory, MmSizeOfMdl bytes; NULL: allocated, to be freed with IoFreeMdl
 * @return NULL: no pool
 * @irql      < DISPATCH_LEVEL when it allocates
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above that IRQL
 * @source    NT 4 DDK; ntddk.h (obsolete)
 */
NTKERNELAPI PMDL MmCreateMdl(PMDL MemoryDescriptorList, PVOID Base, SIZE_T Length);

#ifdef __cplusplus
}
#endif
#endif
