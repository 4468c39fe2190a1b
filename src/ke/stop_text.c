/*
 * stop_text.c - what a stop code means, in words: its parameters, and what the driver most likely did. One row a variant. Many codes say
 * with one parameter which of several rules was broken; that parameter is the selector, and its value picks the row. A row with selector
 * 0 stands for all variants that have no row of their own.
 *
 * A parameter's text may begin with a character that asks the report for more: '@' describe the address, '#' show the pool tag, '^' name
 * the IRQL.
 *
 * Source  WDK reference: the page of each bug check, retold; variants that this model cannot raise are named without advice.
 */
#include <ntmm/ntmm.h>

#include "host/host.h"
#include "ke/report.h"

#define ANY 0, 0
#define P(n, value) n, value /* parameter n has this value */

#define HEADER_ADVICE \
    "Something wrote over the header of a pool block: most often the driver ran past the end of the block before it, or wrote to a block " \
    "after freeing it.\n  Look at who owns the block to the left; ntmm_check() after each suspect call narrows it down."
#define DOUBLE_FREE_ADVICE \
    "It freed the same block twice. Look for two paths (an error path and the normal one, or two completion routines) that both free it; " \
    "set the pointer to NULL after freeing."
#define IRQL_POOL_ADVICE \
    "It called the pool at too high an IRQL: paged pool needs APC_LEVEL or below, nonpaged pool DISPATCH_LEVEL or below.\n" \
    "  Typical: paged pool used in a DPC, in a completion routine, or while a spin lock is held."
#define BAD_ADDRESS_ADVICE \
    "It freed an address that no pool owns: a pointer into the middle of a block, one that was moved before freeing, a stack or global " \
    "variable, or garbage."
#define NULL_ADVICE \
    "It followed a pointer that is NULL or nearly so: an allocation whose failure was not checked, or a field that was never set.\n" \
    "  If the address was meant to be a user's, it must be touched inside __try / __except."
#define HIGH_IRQL_ADVICE \
    "It touched memory that may not be resident, or is not there at all, at DISPATCH_LEVEL or above, where a page fault cannot be " \
    "served.\n" \
    "  Typical: paged pool or pageable code used in a DPC or while a spin lock is held, or a freed or NULL pointer used there."
#define FAST_FAIL_ADVICE \
    "A structure that the system checks before using it was found damaged, which is usually an overrun or a use after free."

static const ke_stop_text_t TEXTS[] = {
    { APC_INDEX_MISMATCH, ANY, { "@caller", NULL, "APC disable count", NULL },
      "It left a critical or guarded region that it had not entered. Pair every KeEnterCriticalRegion with one KeLeaveCriticalRegion on "
      "the same thread." },
    { IRQL_NOT_GREATER_OR_EQUAL, ANY, { "^IRQL that was asked for", "^IRQL when the routine was called", NULL, "@caller" },
      "It raised the IRQL to a level below the current one. KeRaiseIrql only goes up; KeLowerIrql, with the level that KeRaiseIrql "
      "saved, goes down." },
    { IRQL_NOT_LESS_OR_EQUAL, P(3, 8),
      { "@address: the routine that was called, or the one that could not be executed", "^IRQL at the time", "8: it was to be executed",
        "@caller or instruction" },
      "It called a routine at an IRQL above the highest that its documentation allows. Leave the spin lock, or the DPC, before the call; "
      "or queue a work item that makes it at PASSIVE_LEVEL." },
    { IRQL_NOT_LESS_OR_EQUAL, ANY,
      { "@address that was touched; from KeLowerIrql: the level asked for", "^IRQL at the time", "0 read, 1 write, 8 execute",
        "@instruction, or caller" },
      "It handed the system a bad pointer, or one to memory that may not be resident, at DISPATCH_LEVEL or above; or it lowered the IRQL "
      "to a level above the current one." },
    { SPIN_LOCK_ALREADY_OWNED, ANY, { "@spin lock", "^IRQL at the time", NULL, "@caller" },
      "It acquired a spin lock that it already holds. On Windows that hangs one processor for ever. Typical: a helper takes the lock "
      "that its caller has taken, or an early return forgot the release." },
    { SPIN_LOCK_NOT_OWNED, ANY, { "@spin lock", "^IRQL at the time", NULL, "@caller" },
      "It released a spin lock that it does not hold: released twice, never acquired, or acquired by another thread." },
    { BAD_POOL_HEADER, P(1, 0x2), { "special pool's pattern is damaged", "@pool entry", "size of the block", NULL }, HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x3),
      { "the free list is damaged", "@pool entry", "forward link that was read back", "backward link that was read back" },
      "The links inside a free block were overwritten: the driver wrote to a block after freeing it, or ran past the end of the block "
      "before it." },
    { BAD_POOL_HEADER, P(1, 0x5), { "two neighbours' headers contradict each other", "@one pool entry", NULL, "@the other pool entry" },
      HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x6), { "a header's previous size is too large", "@entry as calculated", NULL, "@entry with the bad header" },
      HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x7), { "a header's block size is damaged", NULL, NULL, "@entry with the bad header" }, HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x8), { "a header's block size is zero", NULL, NULL, "@entry with the bad header" }, HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x9), { "a header's block size is too large", "@entry as calculated", NULL, "@entry with the bad header" },
      HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0xA),
      { "the pool entry is not where its page says", "@entry that should be there", NULL, "@page that should hold it" }, HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x20),
      { "the next header does not agree with this one", "@pool entry that should be there", "@next pool entry", NULL }, HEADER_ADVICE },
    { BAD_POOL_HEADER, P(1, 0x21),
      { "the bytes right behind the block were overwritten", "@block being freed", "bytes allocated", "value found behind the block" },
      "It wrote past the end of the block that it frees here. Compare the size it asked for with the bytes it writes." },
    { BAD_POOL_HEADER, P(1, 0x22), { "the block is not tracked", "@address being freed", NULL, NULL },
      "It freed an address twice, or one that was never allocated." },
    { BAD_POOL_HEADER, ANY, { "which header check failed", NULL, NULL, NULL }, HEADER_ADVICE },
    { MEMORY_MANAGEMENT, P(1, 0x1010), { "a pageable section was unlocked that is not locked", NULL, NULL, NULL },
      "It unlocked a pageable section more often than it locked it." },
    { MEMORY_MANAGEMENT, P(1, 0x1100), { "the address lies in no loaded driver", NULL, NULL, NULL },
      "It gave MmProtectDriverSection an address that is not its own." },
    { MEMORY_MANAGEMENT, P(1, 0x1233), { "a page that is not locked was mapped", "page frame number", NULL, NULL },
      "It mapped physical pages that it neither allocated nor locked." },
    { MEMORY_MANAGEMENT, P(1, 0x1234), { "a pageable section was locked that does not exist", NULL, NULL, NULL }, NULL },
    { MEMORY_MANAGEMENT, P(1, 0x1236),
      { "the MDL holds a page that is not locked", "@MDL", "@slot of the bad page", "page frame number" },
      "It used an MDL after its pages were unlocked, or built one by hand." },
    { MEMORY_MANAGEMENT, ANY, { "which check of the memory manager failed", NULL, NULL, NULL }, NULL },
    { KMODE_EXCEPTION_NOT_HANDLED, P(1, 0xFFFFFFFFC0000005u),
      { "exception: STATUS_ACCESS_VIOLATION", "@instruction, or caller of the raising routine", "0 read, 1 write, 8 execute",
        "@address that was touched" }, NULL_ADVICE },
    { KMODE_EXCEPTION_NOT_HANDLED, P(1, 0xFFFFFFFF80000002u),
      { "exception: STATUS_DATATYPE_MISALIGNMENT", "@instruction, or caller of the raising routine", "exception information 0",
        "exception information 1" }, "It used or probed a user buffer that is not aligned as it asked, outside __try / __except." },
    { KMODE_EXCEPTION_NOT_HANDLED, P(1, 0xFFFFFFFFC000009Au),
      { "exception: STATUS_INSUFFICIENT_RESOURCES", "@instruction, or caller of the raising routine", "exception information 0",
        "exception information 1" },
      "It called a routine that raises when memory is short, for instance an allocation with POOL_RAISE_IF_ALLOCATION_FAILURE or with "
      "quota, outside __try / __except." },
    { KMODE_EXCEPTION_NOT_HANDLED, ANY,
      { "exception: its NTSTATUS, sign-extended", "@instruction, or caller of the raising routine", "exception information 0",
        "exception information 1" }, "It called a routine that raises an exception, and there is no __try / __except around the call." },
    { SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, ANY,
      { "exception: its NTSTATUS, sign-extended", "@instruction, or caller of the raising routine", "exception record",
        "context record; 0: this machine keeps none" },
      "In a thread of the system (a work item, a DPC thread) an exception was raised, or a NULL or user pointer touched, with no __try / "
      "__except around it." },
    { NO_MORE_SYSTEM_PTES, ANY,
      { "0 system space, 1 growth of nonpaged pool", "pages asked for", "free system PTEs", "system PTEs in total" },
      "It mapped more and more MDLs or I/O ranges without unmapping them." },
    { TARGET_MDL_TOO_SMALL, ANY, { NULL, NULL, NULL, NULL },
      "The target MDL given to IoBuildPartialMdl has room for fewer pages than the range spans." },
    { MUST_SUCCEED_POOL_EMPTY, ANY,
      { "bytes asked for", "pages of nonpaged pool in use", "nonpaged requests above a page", "pages available" },
      "It asked for a must-succeed pool type. No driver may: handle a NULL return instead." },
    { NO_PAGES_AVAILABLE, ANY,
      { "dirty pages", "dirty pages bound for the page file", "nonpaged pool available", "status of the last write" }, NULL },
    { PFN_LIST_CORRUPT, P(1, 0x1), { "a list head is damaged", "@list head", "pages available", NULL }, NULL },
    { PFN_LIST_CORRUPT, P(1, 0x2),
      { "a list entry is damaged", "entry being removed", "highest page frame number", "reference count of the entry" }, NULL },
    { PFN_LIST_CORRUPT, P(1, 0x7), { "a page was unlocked more often than locked", "page frame number", "share count", NULL },
      "It called MmUnlockPages once too often for this MDL, or freed pages that were freed before." },
    { PFN_LIST_CORRUPT, P(1, 0x8D), { "the free list is damaged", "page frame number", NULL, NULL }, NULL },
    { PFN_LIST_CORRUPT, P(1, 0x8F),
      { "the head of the free or zeroed list is damaged", "new page frame number", "old page frame number", NULL }, NULL },
    { PFN_LIST_CORRUPT, P(1, 0x99), { "a page is not in the state that its use needs", "page frame number", "state of the page", NULL },
      "It freed a page that is not in use, or one that belongs to something else." },
    { PFN_LIST_CORRUPT, P(1, 0x9A),
      { "a page was freed while locked for I/O", "page frame number", "state of the page", "reference count" },
      "It freed memory whose pages an MDL still locks. Call MmUnlockPages, and IoFreeMdl, first." },
    { PFN_LIST_CORRUPT, ANY, { "which check of the PFN database failed", NULL, NULL, NULL }, NULL },
    { PAGE_FAULT_IN_NONPAGED_AREA, P(4, 0x0),
      { "@address that was touched", "0 read, 2 write, 0x10 execute", "@instruction", "0: its page is free" },
      "It touched memory after freeing or unmapping it, or ran past the end of an allocation of whole pages." },
    { PAGE_FAULT_IN_NONPAGED_AREA, P(4, 0x2),
      { "@address that was touched", "0 read, 2 write, 0x10 execute", "@instruction", "2: nothing was ever mapped there" },
      "It followed a wild pointer: one that was never set, was overwritten, or comes from a structure that has been freed. __try cannot "
      "catch this." },
    { PAGE_FAULT_IN_NONPAGED_AREA, P(4, 0x4),
      { "@address that was touched (what the host tells of it)", "0 read, 2 write, 0x10 execute", "@instruction",
        "4: not an address at all (non-canonical)" },
      "The pointer is not even an address: bytes of something else, such as text or a fill pattern, were taken for one. Freed memory "
      "often looks so." },
    { PAGE_FAULT_IN_NONPAGED_AREA, P(4, 0xF),
      { "@address that was touched", "0 read, 2 write, 0x10 execute", "@instruction",
        "15: a user address the kernel may not touch here" }, NULL },
    { PAGE_FAULT_IN_NONPAGED_AREA, ANY, { "@address that was touched", "0 read, 2 write, 0x10 execute", "@instruction", "kind of fault" },
      "It touched system memory that is not there." },
    { PROCESS_HAS_LOCKED_PAGES, P(1, 0x0), { "a process ends with pages locked", "process", "pages locked", "driver stacks or 0" },
      "It locked pages of the process with MmProbeAndLockPages and did not call MmUnlockPages before the process ended. Typical: a "
      "cancelled request whose cleanup forgets the MDL." },
    { PROCESS_HAS_LOCKED_PAGES, P(1, 0x1),
      { "pages were unlocked that are not locked", "@MDL", "pages of the process locked now", "driver stacks or 0" },
      "It called MmUnlockPages for an MDL whose pages are not locked, or twice." },
    { UNEXPECTED_KERNEL_MODE_TRAP, P(1, 0x8), { "trap 8: double fault", "@address that was touched", "stack pointer", "@instruction" },
      "The stack overflowed: too deep a recursion, or large local arrays. A kernel stack is small; put big buffers into the pool." },
    { UNEXPECTED_KERNEL_MODE_TRAP, P(1, 0x0), { "trap 0: division by zero", NULL, NULL, NULL }, "It divided by zero." },
    { UNEXPECTED_KERNEL_MODE_TRAP, ANY, { "number of the trap", NULL, NULL, NULL }, NULL },
    { ATTEMPTED_WRITE_TO_READONLY_MEMORY, ANY, { "@address that was written", "page-table entry", NULL, NULL },
      "It wrote to memory that it may only read: a constant, code, or a page that it mapped or protected read-only." },
    { SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION, ANY, { "@address being freed, or IRQL", NULL, NULL, "which check of special pool failed" },
      HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x00), { "an allocation of zero bytes", NULL, "pool type", "#tag" },
      "It asked for zero bytes. Check where the size comes from." },
    { BAD_POOL_CALLER, P(1, 0x01), { "a pool header is damaged", "@pool header", "first part of the header", NULL }, HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x02), { "a pool header is damaged", "@pool header", "first part of the header", NULL }, HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x04), { "a pool header is damaged", "@pool header", "first part of the header", NULL }, HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x06), { "the block is free already", NULL, "@pool header", "what the header holds" }, DOUBLE_FREE_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x07), { "the block is free already", NULL, "what the header holds", "@block" }, DOUBLE_FREE_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x08), { "an allocation at too high an IRQL", "^IRQL at the time", "pool type", "bytes asked for" },
      IRQL_POOL_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x09), { "a free at too high an IRQL", "^IRQL at the time", "pool type", "@block" }, IRQL_POOL_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x0A),
      { "freed with another tag than it was allocated with", "@block", "#tag at allocation", "#tag at the free" },
      "The tag given to ExFreePoolWithTag is not the one given to the allocation. Either the wrong pointer is being freed, or the tag "
      "has a typing error." },
    { BAD_POOL_CALLER, P(1, 0x0B), { "the quota of a damaged block cannot be returned", "@block", "#tag", "what stands for the process" },
      HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x0C), { "the quota of a damaged block cannot be returned", "@block", "#tag", "what stands for the process" },
      HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x0D), { "the quota of a damaged block cannot be returned", "@block", "#tag", "what stands for the process" },
      HEADER_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x40), { "a user address was freed", "@address", "where system space begins", NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x41),
      { "a nonpaged address was freed that is not allocated", "@address", "page frame number", "highest page frame number" },
      BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x42), { "an address was freed that was never in a pool", "@address", NULL, NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x43), { "an address was freed that was never in a pool", "@address", NULL, NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x44), { "a nonpaged address was freed that is not allocated", "@address", NULL, NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x46), { "an address was freed that is no pool block", "@address", NULL, NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x47),
      { "a nonpaged address was freed that is not allocated", "@address", "page frame number", "highest page frame number" },
      BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x48), { "a paged address was freed that is not allocated", "@address", NULL, NULL }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x50),
      { "a paged address was freed that is not allocated", "@address", "pages from the start of paged pool",
        "size of paged pool in bytes" }, BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, P(1, 0x60), { "not the base of contiguous memory", "@address", NULL, NULL },
      "It gave MmFreeContiguousMemory an address that MmAllocateContiguousMemory did not return, or one that it has freed before." },
    { BAD_POOL_CALLER, P(1, 0x99), { "an invalid address was freed", "@address", NULL, NULL },
      "It freed an address that is no block of the pool, or one whose header was overwritten." },
    { BAD_POOL_CALLER, P(1, 0x9A), { "must-succeed pool was asked for", "pool type", "bytes asked for", "#tag" },
      "No driver may ask for must-succeed pool: handle a NULL return instead." },
    { BAD_POOL_CALLER, P(1, 0x9B), { "the tag is zero", "pool type", "bytes asked for", "@caller" },
      "It gave the tag 0. A tag has four characters, such as 'gaT1'." },
    { BAD_POOL_CALLER, P(1, 0x9C), { "the tag is the reserved one 'BIG'", "pool type", "bytes asked for", "@caller" },
      "The tag BIG is the system's own: choose another." },
    { BAD_POOL_CALLER, P(1, 0x9D), { "the tag has no letter or digit", "#tag", "pool type", "@caller" },
      "A tag is made of letters and digits. Were the size and the tag swapped?" },
    { BAD_POOL_CALLER, P(1, 0x41286), { "the middle of a paged allocation was freed", NULL, NULL, "pages from the start of paged pool" },
      BAD_ADDRESS_ADVICE },
    { BAD_POOL_CALLER, ANY, { "which rule of the pool was broken", NULL, NULL, NULL }, NULL },
    { DRIVER_VERIFIER_DETECTED_VIOLATION, ANY, { "which rule of Driver Verifier was broken", NULL, NULL, NULL }, NULL },
    { DRIVER_CORRUPTED_EXPOOL, ANY, { "@address that was touched", "^IRQL at the time", "0 read, 1 write", "@instruction" },
      "The pool's own lists were overwritten earlier: a write past the end of a block smaller than a page, or to a freed one. The thread "
      "that stopped here is the victim, not the culprit." },
    { DRIVER_CORRUPTED_MMPOOL, ANY, { "@address that was touched", "^IRQL at the time", "0 read, 1 write", "@instruction" },
      "As 0xC5, for blocks of a page or more." },
    { DRIVER_CAUGHT_MODIFYING_FREED_POOL, ANY, { "@address that was touched", "0 read, 1 write", "0 kernel mode, 1 user mode", NULL },
      "It used a block after freeing it." },
    { TIMER_OR_DPC_INVALID, P(1, 0x0), { "a timer lies in memory being freed", "@timer", "start of the memory", "end of the memory" },
      "Cancel the timer before freeing what holds it." },
    { TIMER_OR_DPC_INVALID, P(1, 0x1), { "a DPC lies in memory being freed", "@DPC", "start of the memory", "end of the memory" },
      "Call KeRemoveQueueDpc or KeFlushQueuedDpcs before freeing what holds the DPC." },
    { TIMER_OR_DPC_INVALID, P(1, 0x3), { "a DPC names a processor that does not exist", "@DPC", "processor number", "processors" },
      "Check the number given to KeSetTargetProcessorDpc." },
    { TIMER_OR_DPC_INVALID, P(1, 0x4), { "a DPC routine changed the APC disable count", "@DPC routine", "count before", "count after" },
      "Pair KeEnterCriticalRegion with KeLeaveCriticalRegion inside the routine." },
    { TIMER_OR_DPC_INVALID, ANY, { "which rule was broken", NULL, NULL, NULL }, NULL },
    { IRQL_UNEXPECTED_VALUE, ANY,
      { "IRQL found << 16 | IRQL expected << 8 | kind", "@routine that was called", "@DPC or interrupt object", NULL },
      "A routine of the driver returned at another IRQL than it was called at. Typical: a spin lock that was acquired and not released." },
    { PAGE_FAULT_IN_FREED_SPECIAL_POOL, ANY, { "@address that was touched", "0 read, 1 write", "@instruction", NULL },
      "The system used a block that the driver had freed." },
    { PAGE_FAULT_BEYOND_END_OF_ALLOCATION, ANY, { "@address that was touched", "0 read, 1 write", "@instruction", NULL },
      "The system went past the end of a block, with a size that the driver gave it." },
    { DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL, ANY, { "@address that was touched", "0 read, 1 write", "@instruction", NULL },
      "It used a block after freeing it." },
    { DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION, ANY, { "@address that was touched", "0 read, 1 write", "@instruction", NULL },
      "It went past the end of a block." },
    { DRIVER_IRQL_NOT_LESS_OR_EQUAL, ANY,
      { "@address that was touched", "^IRQL at the time", "0 read, 1 write, 8 execute", "@instruction" }, HIGH_IRQL_ADVICE },
    { DRIVER_PORTION_MUST_BE_NONPAGED, ANY, { "@address that was touched", "^IRQL at the time", "0 read, 1 write", "@instruction" },
      "Code or data that it uses at DISPATCH_LEVEL or above was put into a pageable section." },
    { DRIVER_UNMAPPING_INVALID_VIEW, ANY, { "@address", "1: unmapping, 2: committing a view that is not mapped", NULL, NULL },
      "It unmapped a view twice, or at another address than it was mapped at." },
    { LOCKED_PAGES_TRACKER_CORRUPTION, ANY, { "which check failed", NULL, NULL, "locked pages" }, NULL },
    { SYSTEM_PTE_MISUSE, P(1, 0x101),
      { "a reserved range was freed by one who does not own it", "@first address", "#caller's tag", "#owner's tag" },
      "The tag must be the one given to MmAllocateMappingAddress." },
    { SYSTEM_PTE_MISUSE, P(1, 0x103), { "a reserved range was freed while mapped", "@mapping", "#caller's tag", "pages mapped" },
      "Call MmUnmapReservedMapping first." },
    { SYSTEM_PTE_MISUSE, P(1, 0x302), { "a system address was released that is not mapped", "@address", NULL, NULL },
      "It freed an address that is not mapped, or freed it twice." },
    { SYSTEM_PTE_MISUSE, P(1, 0x303), { "a range was released that was never reserved", "@address", "pages", NULL },
      "It freed an address that is not mapped, or freed it twice." },
    { SYSTEM_PTE_MISUSE, P(1, 0x304), { "the middle of an allocation was released", "@address", "pages", NULL },
      "It freed another address than it was given." },
    { SYSTEM_PTE_MISUSE, P(1, 0x305), { "the wrong number of pages was released", "@address", "pages given", "pages expected" },
      "It freed with another size than it allocated." },
    { SYSTEM_PTE_MISUSE, P(1, 0x400), { "an unknown I/O mapping was unmapped", "@base", "pages", NULL },
      "MmUnmapIoSpace needs the address and the size that MmMapIoSpace had." },
    { SYSTEM_PTE_MISUSE, ANY, { "which rule of system mappings was broken", NULL, NULL, NULL },
      "A mapping was freed that does not exist, was freed before, or is another's." },
    { MANUALLY_INITIATED_CRASH, ANY, { NULL, NULL, NULL, NULL }, "Nothing: somebody stopped the machine on purpose." },
    { RESOURCE_NOT_OWNED, ANY, { "@resource", "thread", "@owner table", "reserved" },
      "It released an ERESOURCE that this thread does not hold: released twice, or acquired by another thread." },
    { DRIVER_VERIFIER_DMA_VIOLATION, ANY, { "which rule of DMA was broken", NULL, NULL, NULL }, NULL },
    { ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY, ANY, { "@address that was to be executed", "page-table entry", NULL, NULL },
      "It jumped into data: NonPagedPoolNx and paged pool hold no code. Use NonPagedPoolExecute if it is code; else a function pointer "
      "was overwritten." },
    { WDF_VIOLATION, ANY, { "which rule of the framework was broken", NULL, NULL, NULL }, NULL },
    { PAGE_NOT_ZERO, ANY, { "@virtual address", "physical page", NULL, NULL },
      "A page that should be all zero is not: something wrote to it after it was freed." },
    { INVALID_MDL_RANGE, ANY, { "@source MDL", "@target MDL", "@virtual address", "length in bytes" },
      "The range given to IoBuildPartialMdl lies outside the source MDL." },
    { KERNEL_SECURITY_CHECK_FAILURE, P(1, 0x2), { "a stack cookie does not match", "trap frame", "exception record", NULL },
      "It ran past the end of a local array." },
    { KERNEL_SECURITY_CHECK_FAILURE, P(1, 0x3), { "a LIST_ENTRY is damaged", "trap frame", "exception record", NULL },
      "A list entry was removed twice, inserted while on a list, or overwritten (use after free)." },
    { KERNEL_SECURITY_CHECK_FAILURE, P(1, 0x5), { "a parameter that is never valid", "trap frame", "exception record", NULL },
      FAST_FAIL_ADVICE },
    { KERNEL_SECURITY_CHECK_FAILURE, P(1, 0x1D), { "a balanced tree is damaged", "trap frame", "exception record", NULL },
      FAST_FAIL_ADVICE },
    { KERNEL_SECURITY_CHECK_FAILURE, ANY, { "which check failed", "trap frame", "exception record", NULL }, FAST_FAIL_ADVICE },
};

static bool text_fits(const ke_stop_text_t *text, const ntmm_bugcheck *check)
{
    return text->code == check->code && (text->selector == 0 || check->parameter[text->selector - 1] == text->variant);
}

const ke_stop_text_t *ke_stop_text(const ntmm_bugcheck *check)
{
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(TEXTS); i++) /* special rows stand before the general one of their code */
        if (text_fits(&TEXTS[i], check))
            return &TEXTS[i];
    return NULL;
}
