/*
 * stop_text_verifier.c - the same for 0xC4: what each rule of Driver Verifier that this machine knows says, and what the driver most likely did.
 *
 * Source  WDK reference: Bug Check 0xC4, retold.
 */
#include <ntmm/ntmm.h>

#include "host/host.h"
#include "ke/report.h"

#define C4(rule) DRIVER_VERIFIER_DETECTED_VIOLATION, 1, rule
#define AT_IRQL "^IRQL at the time"
#define POOL_IRQL \
    "Paged pool needs APC_LEVEL or below, nonpaged pool DISPATCH_LEVEL or below.\n" \
    "  Typical: paged pool used in a DPC, in a completion routine, or while a spin lock is held."
#define TOO_HIGH "It called the routine above the IRQL that its page allows: in a DPC or an interrupt, or while a spin lock is held."
#define LOCK_STATE \
    "An MDL is locked once, and unlocked before it is locked again. One that MmBuildMdlForNonPagedPool has built, and a partial one, are " \
    "not " \
    "locked at all."
#define MAP_STATE "An MDL has one system address at most: MmGetSystemAddressForMdlSafe returns the one that is there, or makes it."
#define APCS "Enter a critical region, or raise to APC_LEVEL, before the lock is acquired, and leave it after the release."

static const ke_stop_text_t TEXTS[] = {
    { C4(0x00),
      { "an allocation of zero bytes", AT_IRQL, "pool type", NULL },
      "It asked for zero bytes. Check where the size comes from." },
    { C4(0x01), { "paged pool was allocated above APC_LEVEL", AT_IRQL, "pool type", "bytes asked for" }, POOL_IRQL },
    { C4(0x02), { "nonpaged pool was allocated above DISPATCH_LEVEL", AT_IRQL, "pool type", "bytes asked for" }, POOL_IRQL },
    { C4(0x03), { "must-succeed pool was asked for", NULL, NULL, NULL }, "No driver may: handle a NULL return instead." },
    { C4(0x10),
      { "an address was freed that no allocation has returned", "@address", NULL, NULL },
      "It freed whole pages twice, or a pointer into the middle of a block, a stack or global variable, or garbage." },
    { C4(0x11), { "paged pool was freed above APC_LEVEL", AT_IRQL, "pool type", "@block" }, POOL_IRQL },
    { C4(0x12), { "nonpaged pool was freed above DISPATCH_LEVEL", AT_IRQL, "pool type", "@block" }, POOL_IRQL },
    { C4(0x13),
      { "the block is free already", NULL, "@pool header", "what the header holds" },
      "It freed the same block twice. Look for two paths that both free it; set the pointer to NULL after freeing." },
    { C4(0x30), { "the IRQL was raised to a lower one", AT_IRQL, "^IRQL asked for", NULL }, "KeRaiseIrql only goes up." },
    { C4(0x31),
      { "the IRQL was lowered to a higher one", AT_IRQL, "^IRQL asked for", NULL },
      "KeLowerIrql needs the level that the matching KeRaiseIrql saved." },
    { C4(0x32),
      { "a spin lock was released at another IRQL than DISPATCH_LEVEL", AT_IRQL, "@spin lock", NULL },
      "Something lowered or raised the IRQL while the lock was held." },
    { C4(0x33), { "a fast mutex was acquired above APC_LEVEL", AT_IRQL, "@fast mutex", NULL }, TOO_HIGH },
    { C4(0x34),
      { "a fast mutex was released at another IRQL than APC_LEVEL", AT_IRQL, "APC disable count", "@fast mutex" },
      "Something lowered or raised the IRQL while the mutex was held; ExReleaseFastMutexUnsafe goes with ExAcquireFastMutexUnsafe." },
    { C4(0x36),
      { "a queued spin lock was released at another IRQL than DISPATCH_LEVEL", AT_IRQL, "@spin lock", "^IRQL before the acquire" },
      "Something lowered or raised the IRQL while the lock was held." },
    { C4(0x37), { "a resource was acquired with APCs enabled", AT_IRQL, "APC disable count", "@resource" }, APCS },
    { C4(0x38), { "a resource was released with APCs enabled", AT_IRQL, "APC disable count", "@resource" }, APCS },
    { C4(0x39), { "an unsafe acquire of a mutex with APCs enabled", AT_IRQL, "APC disable count", "@mutex" }, APCS },
    { C4(0x3A), { "an unsafe release of a mutex with APCs enabled", AT_IRQL, "APC disable count", "@mutex" }, APCS },
    { C4(0x3B), { "a wait at DISPATCH_LEVEL or above", AT_IRQL, "@object", "@timeout" }, TOO_HIGH },
    { C4(0x3E),
      { "a critical region was left that was not entered", NULL, NULL, NULL },
      "Pair every KeEnterCriticalRegion with one KeLeaveCriticalRegion on the same thread." },
    { C4(0x40),
      { "KeAcquireSpinLockAtDpcLevel below DISPATCH_LEVEL", AT_IRQL, "@spin lock", NULL },
      "Below DISPATCH_LEVEL the routine is KeAcquireSpinLock." },
    { C4(0x41),
      { "KeReleaseSpinLockFromDpcLevel below DISPATCH_LEVEL", AT_IRQL, "@spin lock", NULL },
      "It goes with KeAcquireSpinLockAtDpcLevel; what KeAcquireSpinLock has acquired KeReleaseSpinLock releases." },
    { C4(0x42), { "KeAcquireSpinLock above DISPATCH_LEVEL", AT_IRQL, "@spin lock", NULL }, TOO_HIGH },
    { C4(0x70), { "MmProbeAndLockPages above DISPATCH_LEVEL", AT_IRQL, "@MDL", "access mode" }, TOO_HIGH },
    { C4(0x71), { "MmProbeAndLockProcessPages above DISPATCH_LEVEL", AT_IRQL, "@MDL", "@process" }, TOO_HIGH },
    { C4(0x72), { "MmProbeAndLockSelectedPages above its IRQL", AT_IRQL, "@MDL", "@process" }, TOO_HIGH },
    { C4(0x73), { "MmMapIoSpace above DISPATCH_LEVEL", AT_IRQL, "physical address", "bytes" }, TOO_HIGH },
    { C4(0x74), { "MmMapLockedPages above DISPATCH_LEVEL", AT_IRQL, "@MDL", "access mode" }, TOO_HIGH },
    { C4(0x75), { "MmMapLockedPages, for user mode, above APC_LEVEL", AT_IRQL, "@MDL", "access mode" }, TOO_HIGH },
    { C4(0x76), { "MmMapLockedPagesSpecifyCache above DISPATCH_LEVEL", AT_IRQL, "@MDL", "access mode" }, TOO_HIGH },
    { C4(0x77), { "MmMapLockedPagesSpecifyCache, for user mode, above APC_LEVEL", AT_IRQL, "@MDL", "access mode" }, TOO_HIGH },
    { C4(0x78), { "MmUnlockPages above DISPATCH_LEVEL", AT_IRQL, "@MDL", NULL }, TOO_HIGH },
    { C4(0x79), { "MmUnmapLockedPages above DISPATCH_LEVEL", AT_IRQL, "@address", "@MDL" }, TOO_HIGH },
    { C4(0x7A), { "MmUnmapLockedPages of a user address above APC_LEVEL", AT_IRQL, "@address", "@MDL" }, TOO_HIGH },
    { C4(0x7B), { "MmUnmapIoSpace above APC_LEVEL", AT_IRQL, "@address", "bytes" }, TOO_HIGH },
    { C4(0x7C),
      { "an MDL was unlocked that is not locked", "@MDL", "its flags", NULL },
      "It called MmUnlockPages twice, or without MmProbeAndLockPages: look at the error paths." },
    { C4(0x7D),
      { "an MDL of nonpaged pool was unlocked", "@MDL", "its flags", NULL },
      "MmUnlockPages undoes MmProbeAndLockPages, and not MmBuildMdlForNonPagedPool." },
    { C4(0x7E), { "pages for an MDL were allocated or freed above DISPATCH_LEVEL", AT_IRQL, "^IRQL that is allowed", NULL }, TOO_HIGH },
    { C4(0x7F),
      { "MmBuildMdlForNonPagedPool over memory that is not nonpaged", AT_IRQL, "@MDL", "its flags" },
      "Lock pageable memory with MmProbeAndLockPages." },
    { C4(0x80), { "KeSetEvent above DISPATCH_LEVEL", AT_IRQL, "@event", NULL }, TOO_HIGH },
    { C4(0x81),
      { "MmMapLockedPages was called", "@MDL", "its flags", NULL },
      "It is obsolete, and so is MmGetSystemAddressForMdl: use MmGetSystemAddressForMdlSafe, and handle NULL." },
    { C4(0x82),
      { "a mapping that stops the machine when it fails", "@MDL", "its flags", NULL },
      "Give MmMapLockedPagesSpecifyCache FALSE for BugCheckOnFailure, and handle NULL." },
    { C4(0x83),
      { "physical pages were mapped that are not locked", "first physical address", "bytes", "page frame number" },
      "MmMapIoSpace is for registers and device memory, and for pages that the driver has locked." },
    { C4(0x85),
      { "an MDL was mapped whose pages are not locked", "@MDL", "pages", "page frame number" },
      "It used an MDL after its pages were unlocked, or built one by hand." },
    { C4(0x89),
      { "an MDL holds a page that is no memory", "@MDL", "@slot of the page", "page frame number" },
      "The array of the MDL was never filled, or was overwritten." },
    { C4(0xB0), { "an MDL was locked in a state that does not allow it", "@MDL", "its flags", "those that do not fit" }, LOCK_STATE },
    { C4(0xB1), { "an MDL was locked in a state that does not allow it", "@MDL", "its flags", "those that do not fit" }, LOCK_STATE },
    { C4(0xB2), { "an MDL was mapped that is mapped already", "@MDL", "its flags", "those that do not fit" }, MAP_STATE },
    { C4(0xB3),
      { "an MDL was mapped that is not locked", "@MDL", "its flags", "one of those is missing" },
      "MmProbeAndLockPages comes first, and MmUnlockPages last." },
    { C4(0xB4),
      { "a partial MDL was unlocked", "@MDL", "its flags", "the one that does not fit" },
      "Its pages are those of its source: unlock that, when all parts are done with." },
    { C4(0xB5),
      { "a partial MDL was unmapped", "@MDL", "its flags", "the one that does not fit" },
      "MmPrepareMdlForReuse, or IoFreeMdl, unmaps it where that is called for." },
    { C4(0xB6),
      { "an MDL was unmapped that has no system mapping", "@MDL", "its flags", "the one that is missing" },
      "It unmapped an MDL twice, or after MmUnlockPages, which unmaps it." },
    { C4(0xB8),
      { "an MDL was freed with its pages locked or mapped", "@MDL", "its flags", NULL },
      "MmUnlockPages comes before IoFreeMdl." },
    { C4(0xB9),
      { "a user address was unmapped where the MDL is not mapped", "@address", "@MDL", NULL },
      "It must run in the process that it was mapped in, with the address that MmMapLockedPagesSpecifyCache returned." },
    { C4(0xCA),
      { "an active lookaside list was initialised", "@lookaside list", NULL, NULL },
      "Delete a list before its memory is freed or initialised again." },
    { C4(0xCB),
      { "a lookaside list was deleted that is none", "@lookaside list", NULL, NULL },
      "It deleted the list twice, or one that was never initialised: look at the error paths of what initialises it." },
    { C4(0xCD),
      { "the blocks of a lookaside list are too small", "@lookaside list", "bytes asked for", "least number of bytes" },
      "A free block holds the links of the list: ask for LOOKASIDE_MINIMUM_BLOCK_SIZE bytes at least." },
    { C4(0xD0),
      { "an active resource was initialised", "@resource", NULL, NULL },
      "Call ExDeleteResourceLite before its memory is freed or initialised again; ExReinitializeResourceLite starts over." },
    { C4(0xD1),
      { "a resource was deleted that is none", "@resource", NULL, NULL },
      "It deleted the resource twice, or one that was never initialised: look at the error paths of what initialises it." },
    { C4(0xE1),
      { "a lock or an object to wait for lies in pageable memory", "@object", NULL, NULL },
      "Events, mutexes, semaphores, timers and spin locks belong into nonpaged pool, or into a device extension." },
    { C4(0xE5), { "a routine was called at too high an IRQL", AT_IRQL, NULL, NULL }, TOO_HIGH },
    { C4(0xE6),
      { "a Zw routine was called above PASSIVE_LEVEL", "@caller", AT_IRQL, "1: special kernel APCs are disabled" },
      "Queue a work item that makes the call." },
    { C4(0x11A), { "a critical region was entered above APC_LEVEL", AT_IRQL, NULL, NULL }, TOO_HIGH },
    { C4(0x11B), { "a critical region was left above APC_LEVEL", AT_IRQL, NULL, NULL }, TOO_HIGH },
    { C4(0x120), { "a wait above DISPATCH_LEVEL", AT_IRQL, "@object", "@timeout" }, TOO_HIGH },
    { C4(0x121), { "a wait at DISPATCH_LEVEL without a timeout", AT_IRQL, "@object", NULL }, TOO_HIGH },
    { C4(0x122), { "a wait at DISPATCH_LEVEL with a timeout that is not zero", AT_IRQL, "@object", "@timeout" }, TOO_HIGH },
    { C4(0x140),
      { "MmBuildMdlForNonPagedPool over a stack", AT_IRQL, "@MDL", "@buffer" },
      "A stack may be traded for another: lock the buffer with MmProbeAndLockPages, or take it from nonpaged pool." },
};

const ke_stop_text_t *ke_stop_text_of_verifier(uintptr_t rule)
{
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(TEXTS); i++)
        if (TEXTS[i].variant == rule)
            return &TEXTS[i];
    return NULL;
}
