/*
 * mm_paged_code.h - code and data of a driver that may be paged out.
 * A section is pageable when its name begins with PAGE, in upper case. Drivers for Windows say so by #pragma alloc_text and code_seg; where
 * those are not at hand, NTMM_PAGEABLE_CODE and NTMM_PAGEABLE_DATA do it, or __attribute__((section("PAGExxxx"))) by any other name.
 *
 *     NTMM_PAGEABLE_CODE NTSTATUS DispatchCreate(PDEVICE_OBJECT Device, PIRP Irp)
 *     {
 *         PAGED_CODE();
 *         ...
 *
 * Source  WDK reference: wdm.h; "Making drivers pageable", "When should code and data be pageable".
 */
#ifndef NTMM_DDK_WDM_MM_PAGED_CODE_H
#define NTMM_DDK_WDM_MM_PAGED_CODE_H

/* Drivers ask whether the compiler knows #pragma alloc_text, data_seg and const_seg; where ntmm-cc compiles, the first of them is heard. */
#define ALLOC_PRAGMA 1
#define ALLOC_DATA_PRAGMA 1

#ifdef __cplusplus
extern "C" {
#endif

#if __has_attribute(noipa) /* gcc: a call whose result nobody wants is a call nevertheless */
#define NTMM_CALLED_AS_WRITTEN __attribute__((noipa))
#else
#define NTMM_CALLED_AS_WRITTEN
#endif

/** Before a function: it goes into the section PAGE. It is never inlined, since code goes where its caller is then. */
/** Before a variable that is written, initialised or not: it goes into the section PAGEDATA. */
#ifdef __ELF__
#define NTMM_PAGEABLE_CODE __attribute__((noinline, used, section("PAGE"))) NTMM_CALLED_AS_WRITTEN
#define NTMM_PAGEABLE_DATA __attribute__((used, section("PAGEDATA")))
#else /* Mach-O */
#define NTMM_PAGEABLE_CODE __attribute__((noinline, used, section("__TEXT,PAGE,regular,pure_instructions"))) NTMM_CALLED_AS_WRITTEN
#define NTMM_PAGEABLE_DATA __attribute__((used, section("__DATA,PAGEDATA")))
#endif

NTMM_PUBLIC VOID ntmm_paged_code_failed(VOID);
NTMM_PUBLIC VOID ntmm_paged_code_locked(VOID);

/**
 * Asserts that the code around it runs where a page fault is allowed.
 *
 * @irql      <= APC_LEVEL, which is what it asserts
 * @bugcheck  KMODE_EXCEPTION_NOT_HANDLED (0x1E): STATUS_ASSERTION_FAILURE is raised, and no __try takes it; p2 the place
 * @models    asserted unless the driver is compiled with DBG defined as 0; on Windows only where it is 1
 * @source    WDK reference: wdm.h, PAGED_CODE
 */
/**
 * Asserts that the code around it lies in a pageable section that is locked.
 *
 * @irql      <= DISPATCH_LEVEL
 * @bugcheck  as PAGED_CODE
 * @source    WDK reference: wdm.h, PAGED_CODE_LOCKED
 */
#if defined(DBG) && DBG + 0 == 0
#define PAGED_CODE() ((void)0)
#define PAGED_CODE_LOCKED() ((void)0)
#else
#define PAGED_CODE() ((void)(KeGetCurrentIrql() > APC_LEVEL ? ntmm_paged_code_failed() : (void)0))
#define PAGED_CODE_LOCKED() ntmm_paged_code_locked()
#endif

/**
 * Lock the pageable section that an address lies in, with everything else in it.
 *
 * @param AddressWithinSection  of a routine in a section named PAGE...
 * @return a handle for MmLockPagableSectionByHandle and MmUnlockPagableImageSection, good for as long as the driver is loaded
 * @irql      <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1234: no image that is loaded holds the address; p2 the address (choice). IRQL_NOT_LESS_OR_EQUAL
 *            (0xA): called above APC_LEVEL
 * @models    an address outside of PAGE sections is resident; locking it is counted, and has no other effect (choice)
 * @source    WDK reference: wdm.h, MmLockPagableCodeSection; Bug Check 0x1A
 */
NTKERNELAPI PVOID MmLockPagableCodeSection(PVOID AddressWithinSection);
/** The same for data. @source WDK reference: wdm.h, MmLockPagableDataSection */
NTKERNELAPI PVOID MmLockPagableDataSection(PVOID AddressWithinSection);

/**
 * Lock a section once more, or again.
 *
 * @param ImageSectionHandle  from MmLockPagableCodeSection or MmLockPagableDataSection
 * @irql      <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1234: there is no such handle; p2 the handle (choice). IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source    WDK reference: ntddk.h, MmLockPagableSectionByHandle
 */
NTKERNELAPI VOID MmLockPagableSectionByHandle(PVOID ImageSectionHandle);

/**
 * Undo one lock. After the last one the section is pageable again.
 *
 * @irql      <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1010: the section is not locked; p2 the handle (choice). IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @source    WDK reference: wdm.h, MmUnlockPagableImageSection; Bug Check 0x1A
 */
NTKERNELAPI VOID MmUnlockPagableImageSection(PVOID ImageSectionHandle);
#define MmUnlockPageableImageSection MmUnlockPagableImageSection
#define MmLockPageableCodeSection MmLockPagableCodeSection
#define MmLockPageableDataSection MmLockPagableDataSection
#define MmLockPageableSectionByHandle MmLockPagableSectionByHandle

/**
 * Make all of a driver pageable, whatever its sections say. No service routine of it may be connected to an interrupt: one that is out when the
 * interrupt comes is DRIVER_PORTION_MUST_BE_NONPAGED (0xD3). Has no effect on a driver that is pageable as a whole already.
 *
 * @param AddressWithinSection  any address in the driver's image
 * @return where its image begins; NULL, with the reason in ntmm_error(), when no image holds the address (choice)
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @models    drivers in libraries of their own, on ELF. The program stays: it is the test's as much as the driver's; and so does what the
 *            dynamic linker and unwinders look into (docs/fidelity.md)
 * @source    WDK reference: wdm.h, MmPageEntireDriver; "Paging an Entire Driver"
 */
NTKERNELAPI PVOID MmPageEntireDriver(PVOID AddressWithinSection);
/**
 * Undo that: what is no PAGE section is there and resident when the routine returns. Does nothing for a driver that was never pageable as a whole.
 *
 * @param AddressWithinSection  any address in the driver's image
 * @irql      <= APC_LEVEL
 * @bugcheck  IRQL_NOT_LESS_OR_EQUAL (0xA): called above APC_LEVEL
 * @source    WDK reference: wdm.h, MmResetDriverPaging
 */
NTKERNELAPI VOID MmResetDriverPaging(PVOID AddressWithinSection);

#define MM_PROTECT_DRIVER_SECTION_ALLOW_UNLOAD 0x1
#define MM_PROTECT_DRIVER_SECTION_VALID_FLAGS MM_PROTECT_DRIVER_SECTION_ALLOW_UNLOAD

/**
 * Make a data section read-only for good.
 *
 * @param Size   reserved: 0
 * @param Flags  0 or MM_PROTECT_DRIVER_SECTION_ALLOW_UNLOAD
 * @return STATUS_INVALID_PARAMETER: size or flags. STATUS_INVALID_PAGE_PROTECTION: the section is executable. STATUS_ALREADY_COMMITTED: it is
 *         protected. STATUS_NOT_SUPPORTED, with the reason in ntmm_error(): it shares a page with another section (choice)
 * @irql      <= APC_LEVEL
 * @bugcheck  MEMORY_MANAGEMENT (0x1A) 0x1100: no image holds the address; p2 the address (choice). A write from now on:
 *            ATTEMPTED_WRITE_TO_READONLY_MEMORY (0xBE). IRQL_NOT_LESS_OR_EQUAL (0xA)
 * @models    until the machine is shut down, with either value of Flags
 * @source    WDK reference: wdm.h, MmProtectDriverSection
 */
NTKERNELAPI NTSTATUS MmProtectDriverSection(PVOID AddressWithinSection, SIZE_T Size, ULONG Flags);

/**
 * A page at which there will never be anything, for pointers that nobody may follow any more.
 *
 * @bugcheck  for who follows it, in a __try or not: PAGE_FAULT_IN_NONPAGED_AREA (0x50); DRIVER_IRQL_NOT_LESS_OR_EQUAL (0xD1) at DISPATCH_LEVEL
 * @models    without a machine it is an address that faults
 * @source    WDK reference: "MM_BAD_POINTER"
 */
NTMM_PUBLIC extern PVOID MmBadPointer;
#define MM_BAD_POINTER MmBadPointer

#ifdef __cplusplus
}
#endif
#endif
