/*
 * bad_pointer.c - MM_BAD_POINTER: a page at which there will never be anything.
 * A driver puts it into pointers that nobody may follow any more. A user address would not do, NULL included: following that raises an
 * exception, which a __try can take; this one is a bug check wherever it is followed.
 *
 * The page belongs to the process and not to a machine: pointers to it stay bad from one boot to the next.
 *
 * Locks       none: boots run one at a time.
 * Source      WDK reference: "MM_BAD_POINTER".
 */
#include "host/host.h"
#include "mm/driver_pages.h"

#define BEFORE_ANY_BOOT ((PVOID)(UINTPTR_MAX / PAGE_SIZE * PAGE_SIZE - PAGE_SIZE))

PVOID MmBadPointer = BEFORE_ANY_BOOT;

void mm_bad_pointer_boot(void)
{
    void *page = MmBadPointer == BEFORE_ANY_BOOT ? host_reserve_aligned(PAGE_SIZE, PAGE_SIZE) : NULL;
    if (page != NULL)
        MmBadPointer = page;
}

bool mm_is_bad_pointer(uintptr_t va) { return va - (uintptr_t)MmBadPointer < PAGE_SIZE; }
