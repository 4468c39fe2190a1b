/*
 * mm_section.h - section objects: memory that is shared by mapping views of it, in the page file or over a file.
 *
 *     ZwCreateSection, ZwOpenSection ---> handle ---> ZwMapViewOfSection      a view among the user addresses of a process
 *                                    `--> object ---> MmMapViewInSystemSpace  a view in system space, for every process
 *
 * A view keeps what it shows; the section object and its handles may go before it.
 *
 * Source  WDK reference: wdm.h, ZwCreateSection, ZwOpenSection, ZwMapViewOfSection, ZwUnmapViewOfSection; ntddk.h, MmMapViewInSystemSpace.
 */
#ifndef NTMM_DDK_WDM_MM_SECTION_H
#define NTMM_DDK_WDM_MM_SECTION_H

#include "machine.h"
#include "ob_handle.h"

#ifdef __cplusplus
extern "C" {
#endif

/* AllocationAttributes */
#define SEC_BASED 0x00200000u
#define SEC_NO_CHANGE 0x00400000u
#define SEC_FILE 0x00800000u
#define SEC_IMAGE 0x01000000u
#define SEC_RESERVE 0x04000000u
#define SEC_COMMIT 0x08000000u
#define SEC_NOCACHE 0x10000000u
#define SEC_WRITECOMBINE 0x40000000u
#define SEC_LARGE_PAGES 0x80000000u

/* Access rights */
#define SECTION_QUERY 0x0001u
#define SECTION_MAP_WRITE 0x0002u
#define SECTION_MAP_READ 0x0004u
#define SECTION_MAP_EXECUTE 0x0008u
#define SECTION_EXTEND_SIZE 0x0010u
#define SECTION_ALL_ACCESS \
    (STANDARD_RIGHTS_REQUIRED | SECTION_QUERY | SECTION_MAP_WRITE | SECTION_MAP_READ | SECTION_MAP_EXECUTE | SECTION_EXTEND_SIZE)

typedef enum _SECTION_INHERIT { ViewShare = 1, ViewUnmap = 2 } SECTION_INHERIT;

/**
 * Create a section object and a handle of it.
 *
 * @param SectionHandle            gets the handle
 * @param DesiredAccess            SECTION_*; kept with the handle
 * @param ObjectAttributes         name and OBJ_KERNEL_HANDLE, OBJ_OPENIF; or NULL
 * @param MaximumSize              bytes, rounded up to pages; NULL or 0: as large as the file. Larger than the file: the file grows, if the
 *                                 section may be written
 * @param SectionPageProtection    exactly one of PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY, PAGE_EXECUTE, PAGE_EXECUTE_READ,
 *                                 PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY
 * @param AllocationAttributes     SEC_COMMIT or SEC_RESERVE (pages are committed by who maps them; for a file both are the same)
 * @param FileHandle               of a file (ntmm_file_open); NULL: the page file
 * @return    STATUS_OBJECT_NAME_EXISTS with a handle of the section of that name that there was (OBJ_OPENIF), STATUS_OBJECT_NAME_COLLISION
 *            without; STATUS_INVALID_PAGE_PROTECTION; STATUS_INVALID_PARAMETER_4 no size, STATUS_INVALID_PARAMETER_6 attributes;
 *            STATUS_SECTION_TOO_BIG larger than can be had, or than a file that may not grow; STATUS_MAPPED_FILE_SIZE_ZERO;
 *            STATUS_INVALID_FILE_FOR_SECTION no regular file; STATUS_FILE_LOCK_CONFLICT somebody holds a lock of the host's on it (flock);
 *            STATUS_ACCESS_DENIED the file was not opened for writing; STATUS_SECTION_NOT_EXTENDED it is in use, and would have to grow;
 *            STATUS_COMMITMENT_LIMIT; STATUS_INSUFFICIENT_RESOURCES; what is wrong with a handle or a name
 * @irql      PASSIVE_LEVEL
 * @models    SEC_IMAGE is STATUS_INVALID_IMAGE_NOT_MZ, or STATUS_NOT_SUPPORTED for a file that begins with MZ; SEC_BASED, SEC_NO_CHANGE,
 *            SEC_NOCACHE, SEC_WRITECOMBINE and SEC_LARGE_PAGES are accepted and ignored
 * @source    WDK reference: wdm.h, ZwCreateSection
 */
NTSYSAPI NTSTATUS ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
                                  PLARGE_INTEGER MaximumSize, ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle);

/**
 * A handle of a section that somebody has created under that name.
 *
 * @return    STATUS_OBJECT_NAME_NOT_FOUND; STATUS_OBJECT_PATH_NOT_FOUND no such directory; STATUS_OBJECT_PATH_SYNTAX_BAD no full name;
 *            STATUS_INSUFFICIENT_RESOURCES
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, ZwOpenSection
 */
NTSYSAPI NTSTATUS ZwOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes);

/**
 * Map a view of a section among the user addresses of a process. Its pages come when they are touched.
 *
 * @param SectionHandle       of the section
 * @param ProcessHandle       of the process; NtCurrentProcess() is the caller's
 * @param BaseAddress         in: where, rounded down to 64 KiB, or NULL; out: where it is
 * @param ZeroBits            so many of the upper bits of the 32-bit address are 0: below 21
 * @param CommitSize          bytes that are committed at once, of a section that is only reserved
 * @param SectionOffset       bytes, rounded down to 64 KiB and said back; or NULL
 * @param ViewSize            in: bytes, rounded up to pages; 0: up to the section's end; out: its size
 * @param InheritDisposition  ViewShare or ViewUnmap: accepted and ignored, since processes have no children here
 * @param AllocationType      MEM_RESERVE, MEM_TOP_DOWN, MEM_LARGE_PAGES with a section of SEC_LARGE_PAGES (accepted and ignored), or 0. MEM_COMMIT is
 *                            implied and may not be given
 * @param Win32Protect        PAGE_*, no more than the section allows; PAGE_WRITECOPY: what is written is the process's own
 * @return    STATUS_CONFLICTING_ADDRESSES something lies there; STATUS_NO_MEMORY no room; STATUS_INVALID_VIEW_SIZE beyond the end;
 *            STATUS_SECTION_PROTECTION; STATUS_INVALID_PAGE_PROTECTION; STATUS_INVALID_PARAMETER_4, _5, _8, _9; STATUS_COMMITMENT_LIMIT;
 *            STATUS_INSUFFICIENT_RESOURCES; STATUS_PROCESS_IS_TERMINATING; what is wrong with a handle
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, ZwMapViewOfSection
 */
NTSYSAPI NTSTATUS ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, SIZE_T CommitSize,
                                     PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize, SECTION_INHERIT InheritDisposition,
                                     ULONG AllocationType, ULONG Win32Protect);

/**
 * Unmap the whole view that an address lies in.
 *
 * @return    STATUS_NOT_MAPPED_VIEW no view lies there; STATUS_ACCESS_DENIED it is secured (MmSecureVirtualMemory; choice);
 *            STATUS_PROCESS_IS_TERMINATING; what is wrong with the handle
 * @irql      PASSIVE_LEVEL
 * @source    WDK reference: wdm.h, ZwUnmapViewOfSection
 */
NTSYSAPI NTSTATUS ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress);

struct _MDL;
struct _EPROCESS;
/** Memory shared with the secure kernel: STATUS_NOT_SUPPORTED, *Handle NULL, since this machine has no secure kernel, as a Windows without
 *  virtualization-based security. @irql PASSIVE_LEVEL (choice) @source WDK reference: wdm.h, VslCreateSecureSection (a page without text) */
NTKERNELAPI NTSTATUS VslCreateSecureSection(PHANDLE Handle, struct _EPROCESS *TargetProcess, struct _MDL *Mdl, ULONG DevicePageProtection,
                                            ULONG Attributes);
/** STATUS_NOT_SUPPORTED: there are none. @irql PASSIVE_LEVEL (choice) @source WDK reference: wdm.h, VslDeleteSecureSection */
NTKERNELAPI NTSTATUS VslDeleteSecureSection(HANDLE GlobalHandle);

#ifdef __cplusplus
}
#endif
#endif
