/*
 * mm_file_section.h - what a file system asks the memory manager about sections over its files.
 *
 * Source  WDK reference: ntifs.h, the pages of these routines.
 */
#ifndef NTMM_DDK_NTIFS_MM_FILE_SECTION_H
#define NTMM_DDK_NTIFS_MM_FILE_SECTION_H

#ifdef __cplusplus
extern "C" {
#endif

/** What a handle of a section is a handle of, for ObReferenceObjectByHandle. */
extern NTKERNELAPI POBJECT_TYPE *MmSectionObjectType;

/** The same contract as ZwCreateSection: every caller of this library is in kernel mode. @irql PASSIVE_LEVEL
 *  @source WDK reference: ntifs.h, NtCreateSection */
NTSYSAPI NTSTATUS NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                  PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle);

typedef enum MEM_EXTENDED_PARAMETER_TYPE {
    MemExtendedParameterInvalidType = 0,
    MemExtendedParameterAddressRequirements,
    MemExtendedParameterNumaNode,
    MemExtendedParameterPartitionHandle,
    MemExtendedParameterUserPhysicalHandle,
    MemExtendedParameterAttributeFlags,
    MemExtendedParameterImageMachine,
    MemExtendedParameterMax
} MEM_EXTENDED_PARAMETER_TYPE,
    *PMEM_EXTENDED_PARAMETER_TYPE;

#define MEM_EXTENDED_PARAMETER_TYPE_BITS 8
typedef struct DECLSPEC_ALIGN(8) MEM_EXTENDED_PARAMETER {
    struct {
        ULONG64 Type : MEM_EXTENDED_PARAMETER_TYPE_BITS;
        ULONG64 Reserved : 64 - MEM_EXTENDED_PARAMETER_TYPE_BITS;
    };
    union {
        ULONG64 ULong64;
        PVOID   Pointer;
        SIZE_T  Size;
        HANDLE  Handle;
        ULONG   ULong;
    };
} MEM_EXTENDED_PARAMETER, *PMEM_EXTENDED_PARAMETER;
NTMM_LAYOUT(sizeof(MEM_EXTENDED_PARAMETER) == 16, "MEM_EXTENDED_PARAMETER, x64");

/**
 * As NtCreateSection, with further wishes, each kind at most once.
 *
 * @param ExtendedParameters      array of ExtendedParameterCount; or NULL
 * @return    also STATUS_INVALID_PARAMETER: a kind twice, or one that there is not; STATUS_NOT_SUPPORTED: a partition, AWE, an image's machine
 * @irql      PASSIVE_LEVEL
 * @models    a NUMA node is accepted and ignored: pageable pages may be backed by any frame
 * @source    WDK reference: ntifs.h, NtCreateSectionEx
 */
NTSYSAPI NTSTATUS NtCreateSectionEx(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                    PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle,
                                    PMEM_EXTENDED_PARAMETER ExtendedParameters, ULONG ExtendedParameterCount);

typedef enum _MMFLUSH_TYPE { MmFlushForDelete, MmFlushForWrite } MMFLUSH_TYPE;

/**
 * Does no image section keep the file?
 *
 * @param FlushType  MmFlushForDelete: also FALSE while user views of the file are mapped, or pages of it are locked
 * @irql      < DISPATCH_LEVEL
 * @source    WDK reference: ntifs.h, MmFlushImageSection
 */
NTKERNELAPI BOOLEAN MmFlushImageSection(PSECTION_OBJECT_POINTERS SectionObjectPointer, MMFLUSH_TYPE FlushType);

/**
 * May the file be cut to that size (NULL: to nothing, or deleted)?
 *
 * @return    FALSE: pages are locked, or a user view shows what would be cut off, or sections are open and it would become smaller
 * @irql      < DISPATCH_LEVEL
 * @source    WDK reference: ntifs.h, MmCanFileBeTruncated
 */
NTKERNELAPI BOOLEAN MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS SectionPointer, PLARGE_INTEGER NewFileSize);

/**
 * What is kept of the file for sections is written and forgotten, if nobody uses it.
 *
 * @param DelayClose  TRUE: if somebody does, it is forgotten as soon as nobody does
 * @return    TRUE: nothing is kept any longer
 * @irql      < DISPATCH_LEVEL
 * @source    WDK reference: ntifs.h, MmForceSectionClosed
 */
NTKERNELAPI BOOLEAN MmForceSectionClosed(PSECTION_OBJECT_POINTERS SectionObjectPointer, BOOLEAN DelayClose);

#define MM_FORCE_CLOSED_DATA 0x0001u
#define MM_FORCE_CLOSED_IMAGE 0x0002u
#define MM_FORCE_CLOSED_LATER_OK 0x0004u
/** The same; ForceCloseFlags: MM_FORCE_CLOSED_*. @irql < DISPATCH_LEVEL (choice: as the other) @source WDK reference: ntifs.h,
 *  MmForceSectionClosedEx */
NTKERNELAPI BOOLEAN MmForceSectionClosedEx(PSECTION_OBJECT_POINTERS SectionObjectPointer, ULONG ForceCloseFlags);

/** The largest section over a file, in bytes. @irql <= APC_LEVEL @models all that sections and user memory can have here
 *  @source WDK reference: ntifs.h, MmGetMaximumFileSectionSize */
NTKERNELAPI ULONGLONG MmGetMaximumFileSectionSize(VOID);

/**
 * How many writable references there are: sections that may be written, writable user views, locked pages.
 *
 * @return    0: none
 * @irql      <= APC_LEVEL
 * @models    file objects that are opened for writing are not counted: the file system knows those (choice)
 * @source    WDK reference: ntifs.h, MmDoesFileHaveUserWritableReferences
 */
NTKERNELAPI ULONG MmDoesFileHaveUserWritableReferences(PSECTION_OBJECT_POINTERS SectionPointer);

typedef struct _READ_LIST {
    PFILE_OBJECT         FileObject;
    ULONG                NumberOfEntries;
    LOGICAL              IsImage;
    FILE_SEGMENT_ELEMENT List[ANYSIZE_ARRAY];
} READ_LIST, *PREAD_LIST;

/**
 * Read pages of files into memory.
 *
 * @param NumberOfLists  of ReadLists, each for one file
 * @return    STATUS_INVALID_PARAMETER_1 a file has no section, or is to be an image's; STATUS_INSUFFICIENT_RESOURCES; STATUS_IN_PAGE_ERROR
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: ntifs.h, MmPrefetchPages
 */
NTKERNELAPI NTSTATUS MmPrefetchPages(ULONG NumberOfLists, PREAD_LIST *ReadLists);

/**
 * Pages of the system's views of files are to count as written.
 *
 * @return    TRUE: some page was there and clean
 * @irql      <= DISPATCH_LEVEL
 * @models    there is no system cache: its place is taken by system views
 * @source    WDK reference: ntifs.h, MmSetAddressRangeModified
 */
NTKERNELAPI BOOLEAN MmSetAddressRangeModified(PVOID Address, SIZE_T Length);

/** FALSE: this machine reads and writes pages itself, so no driver ever runs inside a page fault of its own thread. @irql <= DISPATCH_LEVEL
 *  @source WDK reference: ntifs.h, MmIsRecursiveIoFault */
NTKERNELAPI BOOLEAN MmIsRecursiveIoFault(VOID);

/** As MmMapViewInSystemSpace and its companion: there is one session, whose space is system space. @irql <= APC_LEVEL (choice)
 *  @source WDK reference: ntifs.h, MmMapViewInSessionSpace */
NTKERNELAPI NTSTATUS MmMapViewInSessionSpace(PVOID Section, PVOID *MappedBase, PSIZE_T ViewSize);
NTKERNELAPI NTSTATUS MmUnmapViewInSessionSpace(PVOID MappedBase);

#ifdef __cplusplus
}
#endif
#endif
