/*
 * mdl.h - the memory descriptor list: a buffer, as the physical pages that it lies on.
 * Behind the 48 bytes of the structure follows an array with one frame number for each page that the buffer touches:
 *
 *     MDL     Next, Size, MdlFlags, Process, MappedSystemVa, StartVa, ByteCount, ByteOffset     48 bytes
 *     array   PFN of the page that StartVa is on | PFN of the next page | ...                   8 bytes each
 *
 * StartVa is on a page boundary, StartVa + ByteOffset is the buffer's first byte. Drivers read Next and MdlFlags; for the rest there are
 * the macros below. What fills the array, and what maps it, is in mm_mdl.h; what makes an MDL is in io_mdl.h.
 *
 * Source  WDK reference: "Using MDLs", MDL, wdm.h; x64 layout.
 */
#ifndef NTMM_DDK_WDM_MDL_H
#define NTMM_DDK_WDM_MDL_H

#ifdef __cplusplus
extern "C" {
#endif

struct _EPROCESS;

typedef struct _MDL {
    struct _MDL      *Next; /* the next part of the same buffer */
    CSHORT            Size; /* bytes of the structure and its array, as far as 16 bits can say */
    CSHORT            MdlFlags;
    USHORT            AllocationProcessorNumber;
    USHORT            Reserved;
    struct _EPROCESS *Process;        /* whose pages are locked; NULL: the system's */
    PVOID             MappedSystemVa; /* the buffer's first byte, when MDL_MAPPED_TO_SYSTEM_VA or MDL_SOURCE_IS_NONPAGED_POOL is set */
    PVOID             StartVa;        /* of the page that the buffer begins on, in the address space of Process */
    ULONG             ByteCount;
    ULONG             ByteOffset; /* of the buffer's first byte on that page */
} MDL, *PMDL;
typedef MDL *PMDLX;

NTMM_LAYOUT(sizeof(MDL) == 48, "MDL, x64");
NTMM_LAYOUT(FIELD_OFFSET(MDL, Next) == 0 && FIELD_OFFSET(MDL, Size) == 8 && FIELD_OFFSET(MDL, MdlFlags) == 10, "MDL, x64");
NTMM_LAYOUT(FIELD_OFFSET(MDL, AllocationProcessorNumber) == 12 && FIELD_OFFSET(MDL, Process) == 16, "MDL, x64");
NTMM_LAYOUT(FIELD_OFFSET(MDL, MappedSystemVa) == 24 && FIELD_OFFSET(MDL, StartVa) == 32, "MDL, x64");
NTMM_LAYOUT(FIELD_OFFSET(MDL, ByteCount) == 40 && FIELD_OFFSET(MDL, ByteOffset) == 44, "MDL, x64");

/* MdlFlags. The reference names MDL_PAGES_LOCKED only; the others are known from the header. */
#define MDL_MAPPED_TO_SYSTEM_VA 0x0001     /* it has a system mapping of its own, at MappedSystemVa */
#define MDL_PAGES_LOCKED 0x0002            /* MmProbeAndLockPages or MmAllocatePagesForMdl made it */
#define MDL_SOURCE_IS_NONPAGED_POOL 0x0004 /* MmBuildMdlForNonPagedPool made it; MappedSystemVa is where the memory is anyway */
#define MDL_ALLOCATED_FIXED_SIZE 0x0008    /* it is as large as all small ones are, and goes back to a lookaside list */
#define MDL_PARTIAL 0x0010                 /* IoBuildPartialMdl made it from another one, which holds the pages */
#define MDL_PARTIAL_HAS_BEEN_MAPPED 0x0020 /* a partial MDL whose system mapping is its own */
#define MDL_IO_PAGE_READ 0x0040            /* of the memory manager's own reads */
#define MDL_WRITE_OPERATION 0x0080         /* locked for write access */
#define MDL_PARENT_MAPPED_SYSTEM_VA 0x0100 /* a partial MDL that shares the system mapping of the one it was made from */
#define MDL_LOCKED_PAGE_TABLES 0x0100      /* the same bit on newer Windows, which sets it for other MDLs */
#define MDL_FREE_EXTRA_PTES 0x0200         /* MmAdvanceMdl passed pages of the system mapping, which still go with it */
#define MDL_DESCRIBES_AWE 0x0400
#define MDL_IO_SPACE 0x0800 /* the pages are not RAM */
#define MDL_NETWORK_HEADER 0x1000
#define MDL_MAPPING_CAN_FAIL 0x2000 /* a mapping that cannot be had is NULL and no bug check */
#define MDL_PAGE_CONTENTS_INVARIANT 0x4000
#define MDL_ALLOCATED_MUST_SUCCEED 0x4000 /* what that bit meant on older Windows */
#define MDL_INTERNAL 0x8000
#define MDL_MAPPING_FLAGS \
    (MDL_MAPPED_TO_SYSTEM_VA | MDL_PAGES_LOCKED | MDL_SOURCE_IS_NONPAGED_POOL | MDL_PARTIAL_HAS_BEEN_MAPPED | \
     MDL_PARENT_MAPPED_SYSTEM_VA | MDL_IO_SPACE)

/** Bytes of the buffer. @irql any */
#define MmGetMdlByteCount(Mdl) ((Mdl)->ByteCount)

/** Offset of its first byte on the first page, in bytes. @irql any */
#define MmGetMdlByteOffset(Mdl) ((Mdl)->ByteOffset)

/** The address that the MDL was made for, in the address space that it was made in; for DMA, an index of the pages. @irql any */
#define MmGetMdlVirtualAddress(Mdl) ((PVOID)((PCHAR)((Mdl)->StartVa) + (Mdl)->ByteOffset))
#define MmGetMdlBaseVa(Mdl) ((Mdl)->StartVa)

/** The frame numbers, one for each page that the buffer touches: good while the pages are locked, or nonpaged. @irql any */
#define MmGetMdlPfnArray(Mdl) ((PPFN_NUMBER)((Mdl) + 1))

/* the older name of ADDRESS_AND_SIZE_TO_SPAN_PAGES */
#define COMPUTE_PAGES_SPANNED(Va, Size) ADDRESS_AND_SIZE_TO_SPAN_PAGES(Va, Size)

/**
 * Write the header of an MDL into memory of the caller's; the array stays as it is.
 *
 * @param Mdl     nonpaged memory, MmSizeOfMdl(BaseVa, Length) bytes
 * @param BaseVa  first byte of the buffer
 * @param Length  bytes, at most MAXULONG
 * @irql   <= DISPATCH_LEVEL; nothing is checked
 * @source WDK reference: wdm.h, MmInitializeMdl
 */
#define MmInitializeMdl(Mdl, BaseVa, Length) \
    (((Mdl)->Next = NULL), \
     ((Mdl)->Size = (CSHORT)(sizeof(MDL) + sizeof(PFN_NUMBER) * ADDRESS_AND_SIZE_TO_SPAN_PAGES((BaseVa), (Length)))), \
     ((Mdl)->MdlFlags = 0), ((Mdl)->StartVa = PAGE_ALIGN(BaseVa)), ((Mdl)->ByteOffset = BYTE_OFFSET(BaseVa)), \
     ((Mdl)->ByteCount = (ULONG)(Length)), (void)0)

#ifdef __cplusplus
}
#endif
#endif
