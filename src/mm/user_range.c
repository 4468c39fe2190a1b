/*
 * user_range.c - the boundary between user and system addresses, and the probes that drivers make before they touch what a caller gave them.
 *
 *     0        64 KiB                               MmHighestUserAddress   MmUserProbeAddress          MmSystemRangeStart
 *     | NULL .. | user addresses of all processes                        | 64 KiB nobody gets          | system
 *
 * A probe looks at numbers: is the range below the boundary, does it wrap, is it aligned? What it finds may change at once, so that every touch
 * still belongs into a __try. ProbeForWrite touches each page as well, by writing back the byte that it has read.
 *
 * Locks       none.
 * Source      WDK reference: wdm.h, ProbeForRead, ProbeForWrite; "Accessing User-Space Memory"; ntddk.h (names of the variables).
 * Fidelity    an address of a process in which the thread does not run is refused by the probe (choice: on Windows the same number means
 *             something else, or nothing, in another process; here each process has addresses of its own).
 */
#include "mm/user_range.h"

#include "ke/process.h"

PVOID     MmHighestUserAddress, MmSystemRangeStart;
ULONG_PTR MmUserProbeAddress;

void mm_user_range_boot(void)
{
    MmUserProbeAddress = mm_user_probe_address;
    MmHighestUserAddress = (PVOID)(mm_user_probe_address - 1);
    MmSystemRangeStart = (PVOID)mm_user_probe_address;
}

bool mm_is_user_range(uintptr_t va, size_t bytes)
{
    return bytes == 0 || (va < mm_user_probe_address && bytes <= mm_user_probe_address - va);
}

bool mm_user_range_is_ours(const ke_thread_t *thread, uintptr_t va, size_t bytes)
{
    (void)thread;
    return mm_is_user_range(va, bytes);
}

/* ---- probes ---- */

static bool is_aligned(uintptr_t va, ULONG alignment) { return alignment == 0 || va % alignment == 0; }

/* false: nothing needs to be looked at. Raises what is wrong. */
static bool probe(const char *routine, ke_thread_t *thread, uintptr_t va, SIZE_T length, ULONG alignment, ULONG_PTR caller)
{
    if (thread == NULL || length == 0)
        return false;
    if (!is_aligned(va, alignment))
        ke_raise_status(routine, STATUS_DATATYPE_MISALIGNMENT, caller);
    if (!mm_user_range_is_ours(thread, va, length))
        ke_raise_status(routine, STATUS_ACCESS_VIOLATION, caller);
    return true;
}

VOID ProbeForRead(const volatile VOID *Address, SIZE_T Length, ULONG Alignment)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    (void)probe(__func__, ke_thread_ready(__func__), (uintptr_t)Address, Length, Alignment, (ULONG_PTR)__builtin_return_address(0));
}

/* Others may write to the page meanwhile: the reference warns of it. */
static __attribute__((no_sanitize("address", "undefined", "thread"))) void write_back(uintptr_t va)
{
    volatile unsigned char *byte = (volatile unsigned char *)va;
    *byte = *byte;
}

VOID ProbeForWrite(volatile VOID *Address, SIZE_T Length, ULONG Alignment)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    uintptr_t va = (uintptr_t)Address;
    if (!probe(__func__, ke_thread_ready(__func__), va, Length, Alignment, (ULONG_PTR)__builtin_return_address(0)))
        return;
    uintptr_t end = va + Length;
    for (; va < end; va = (uintptr_t)PAGE_ALIGN(va) + PAGE_SIZE)
        write_back(va);
}
