/*
 * user_range.c - the boundary between user and system addresses, and the probes that drivers make before they touch what a caller gave them.
 *
 *     0        64 KiB          the slices of processes          MmHighestUserAddress | MmUserProbeAddress = MmSystemRangeStart
 *     | NULL .. |    nobody's   | slice | slice | ...         | slice                | system
 *
 * The slices lie lower than everything else where the host can do that, so that a driver's own comparison with MmUserProbeAddress is right. The
 * routines here go by the region instead, which is right everywhere.
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

#include "mm/process_space.h"
#include "mm/space.h"

#define NOBODYS_BYTES ((uintptr_t)0x10000) /* at address 0: user addresses, and no process can have memory there */

PVOID     MmHighestUserAddress, MmSystemRangeStart;
ULONG_PTR MmUserProbeAddress;

/* On a machine whose RAM has no bytes there are no slices. */
void mm_user_range_boot(void)
{
    uintptr_t end = mm_user_probe_address > NOBODYS_BYTES ? mm_user_probe_address : NOBODYS_BYTES;
    MmUserProbeAddress = end;
    MmHighestUserAddress = (PVOID)(end - 1);
    MmSystemRangeStart = (PVOID)end;
}

static bool lies_in(uintptr_t base, size_t size, uintptr_t va, size_t bytes) { return va - base < size && bytes <= size - (va - base); }

bool mm_is_user_range(uintptr_t va, size_t bytes)
{
    return bytes == 0 || lies_in(0, NOBODYS_BYTES, va, bytes) || lies_in(mm_user_region.base, mm_user_region.bytes, va, bytes);
}

/* No slice that the range touches is that of another process. */
bool mm_user_range_is_ours(const ke_thread_t *thread, uintptr_t va, size_t bytes)
{
    if (bytes == 0)
        return true;
    if (!mm_is_user_range(va, bytes))
        return false;
    const mm_space_t *own = mm_process_space(ke_process_current(thread));
    for (uintptr_t at = va, last = va + bytes - 1;; at += MM_USER_SLICE_BYTES) {
        const mm_space_t *space = mm_space_find(at < last ? at : last);
        if (space != NULL && space != own)
            return false;
        if (at >= last)
            return true;
    }
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
