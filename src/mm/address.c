/*
 * address.c - between virtual and physical addresses: what is behind an address, and would it fault?
 * The machine's regions answer from owners and PTEs. Everything else of the host process (the program's globals, stacks, heap) counts as
 * nonpaged system memory that lies in no simulated RAM: it has no physical address, and is valid if the host lets it be read.
 *
 * Locks   none: the answer is about memory that the caller owns, or it is worth nothing.
 * Source  WDK reference: ntddk.h, MmGetPhysicalAddress, MmIsAddressValid, MmCopyMemory.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/io_space.h"
#include "mm/lock_pages.h"
#include "mm/mdl_user.h"
#include "mm/paging.h"
#include "mm/space.h"
#include "mm/user_range.h"

/* A halted machine may be looked at; when none is up, what the tables still say is about nothing. */
static bool machine_is_there(const char *routine)
{
    return atomic_load_explicit(&ke_machine_state, memory_order_relaxed) == KE_MACHINE_HALTED || ke_thread_ready(routine) != NULL;
}

static uint64_t physical_of(uintptr_t va)
{
    if (mm_in(&mm_physical_map, va) || mm_in(&mm_executable_map, va)) {
        uint64_t physical = va - (mm_in(&mm_physical_map, va) ? mm_physical_map.base : mm_executable_map.base);
        return mm_pfn_is_ram(physical >> PAGE_SHIFT) ? physical : 0;
    }
    uint64_t pte = mm_in(&mm_all, va) || mm_in(&mm_user_region, va) ? mm_pte_of(va) : 0;
    return mm_pte_is_valid(pte) ? (pte & MM_PTE_ADDRESS) | (va & (PAGE_SIZE - 1)) : 0;
}

PHYSICAL_ADDRESS MmGetPhysicalAddress(PVOID BaseAddress)
{
    uint64_t physical = machine_is_there(__func__) ? physical_of((uintptr_t)BaseAddress) : 0;
    return (PHYSICAL_ADDRESS){ .QuadPart = (LONGLONG)physical };
}

/* Secure pool must not be written, so it is reached through its mapping alone. */
static bool is_secure(const mm_pfn_t *entry)
{
    if (entry->list != MM_ACTIVE || entry->mapped.use != MM_USE_MAPPED)
        return false;
    const mm_owner_t *owner = mm_owner_of((void *)entry->mapped.va);
    return owner != NULL && (owner->flags & MM_OWNER_SECURE) != 0;
}

/* Where the bytes of a frame of RAM can be reached: at home, or through the page that it backs. `alias`: where mm itself reaches a pageable
 * page, there or not. A page that several views show, or none, is at the alias for everybody. */
static void *view_of(const mm_pfn_t *entry, uint64_t physical, bool alias)
{
    uintptr_t offset = physical & (PAGE_SIZE - 1);
    if (entry->list >= MM_STANDBY && mm_frame_is_pageable(entry)) {
        const mm_pageable_t *region = mm_pageable_of(entry->mapped.va);
        size_t               index = mm_table_index(region->table, entry->mapped.va);
        uintptr_t            seen = mm_has_gate(region) ? entry->mapped.va : mm_view_of_slot(index);
        return alias || seen == 0 ? (char *)mm_alias_of(region, index) + offset : (void *)(seen + offset);
    }
    if (is_secure(entry))
        return (void *)(entry->mapped.va + offset);
    return (void *)(mm_physical_map.base + physical);
}

static void *host_view_of(uint64_t physical) { return (char *)mm_host_frame_va(physical >> PAGE_SHIFT) + (physical & (PAGE_SIZE - 1)); }

static void *virtual_of(uint64_t physical, bool alias)
{
    mm_pfn_number_t pfn = physical >> PAGE_SHIFT;
    if (mm_is_host_frame(pfn))
        return host_view_of(physical);
    if (mm_physical_map.bytes == 0 || !mm_pfn_is_ram(pfn))
        return NULL;
    return view_of(mm_pfn_entry(pfn), physical, alias);
}

void *mm_device_view(uint64_t physical, bool write)
{
    mm_pfn_number_t pfn = physical >> PAGE_SHIFT;
    if (mm_is_host_frame(pfn))
        return host_view_of(physical);
    if (mm_unbacked || pfn >= mm_span_pfns)
        return NULL;
    const mm_pfn_t *entry = mm_pfn_entry(pfn); /* of a hole it says that nobody has it, as that of a free frame does */
    if (__atomic_load_n(&entry->list, __ATOMIC_RELAXED) != MM_ACTIVE || (write && is_secure(entry)))
        return NULL;
    return view_of(entry, physical, true);
}

uint64_t mm_device_highest(void) { return 2 * MM_HOST_PHYSICAL - 1; }

PVOID MmGetVirtualForPhysical(PHYSICAL_ADDRESS PhysicalAddress)
{
    return machine_is_there(__func__) ? virtual_of((uint64_t)PhysicalAddress.QuadPart, false) : NULL;
}

/* A page of the machine that nobody owns is not there, though the host may have bytes at its address. */
static bool is_gone(uintptr_t va)
{
    const mm_space_t *space = mm_space_find(va);
    if (mm_in(&mm_user_region, va)) /* of another process: a number that means nothing here */
        return space == NULL || !mm_user_range_is_ours(ke_self(), va, 1) ||
               (!mm_view_is_committed(space, va) && !mm_user_mapping_frame(va, false, &(mm_pfn_number_t){ 0 }));
    if (space != NULL)
        return !mm_view_is_committed(space, va);
    if (mm_in(&mm_slot_region, va) || mm_in(&mm_shared_region, va)) /* an MDL may lead there */
        return mm_pte_of(va) == 0;
    return mm_in(&mm_all, va) && mm_owner_of((void *)va) == NULL;
}

BOOLEAN MmIsAddressValid(PVOID VirtualAddress)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    char      byte;
    uint64_t  pte;
    uintptr_t va = (uintptr_t)VirtualAddress;
    if (!machine_is_there(__func__) || is_gone(va))
        return FALSE;
    if (mm_io_is_played(va, &pte)) /* for a device it is there */
        return TRUE;
    return host_copy_safely(&byte, VirtualAddress, 1) == 1;
}

/* ---- MmCopyMemory ---- */

static SIZE_T left_in_page(uint64_t address, SIZE_T bytes)
{
    SIZE_T left = PAGE_SIZE - (SIZE_T)(address & (PAGE_SIZE - 1));
    return bytes < left ? bytes : left;
}

#define PAGE_IN_TRIES 100u /* others may take the page away again */

/* A page that is somewhere else is fetched. */
static SIZE_T copy_page(char *to, const char *from, SIZE_T bytes)
{
    SIZE_T done = host_copy_safely(to, from, bytes);
    for (unsigned i = 0; i < PAGE_IN_TRIES && done != bytes && mm_make_resident(from); i++)
        done = host_copy_safely(to, from, bytes);
    return done;
}

static bool is_io_space(uintptr_t va) { return mm_in(&mm_system_pte_region, va) && (mm_pte_of(va) & MM_PTE_IO) != 0; }

static NTSTATUS copy_virtual(char *to, uintptr_t from, SIZE_T bytes, PSIZE_T copied)
{
    for (*copied = 0; *copied < bytes;) {
        uintptr_t at = from + *copied; /* may be no address of anything: a number until it is known to be there */
        if (is_io_space(at))
            return STATUS_INVALID_ADDRESS; /* reading a register may do something */
        SIZE_T now = left_in_page(at, bytes - *copied);
        SIZE_T done = is_gone(at) ? 0 : copy_page(to + *copied, (const char *)at, now);
        *copied += done;
        if (done != now)
            return STATUS_ACCESS_VIOLATION;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS copy_physical(char *to, uint64_t from, SIZE_T bytes, PSIZE_T copied)
{
    for (*copied = 0; *copied < bytes;) {
        SIZE_T      now = left_in_page(from + *copied, bytes - *copied);
        const void *source = virtual_of(from + *copied, true);
        if (source == NULL)
            return STATUS_INVALID_ADDRESS;
        SIZE_T done = host_copy_safely(to + *copied, source, now);
        *copied += done;
        if (done != now)
            return STATUS_ACCESS_VIOLATION;
    }
    return STATUS_SUCCESS;
}

NTSTATUS MmCopyMemory(PVOID TargetAddress, MM_COPY_ADDRESS SourceAddress, SIZE_T NumberOfBytes, ULONG Flags,
                      PSIZE_T NumberOfBytesTransferred)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    *NumberOfBytesTransferred = 0;
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PARAMETER_4;
    if (Flags == MM_COPY_MEMORY_PHYSICAL)
        status = copy_physical(TargetAddress, (uint64_t)SourceAddress.PhysicalAddress.QuadPart, NumberOfBytes, NumberOfBytesTransferred);
    else if (Flags == MM_COPY_MEMORY_VIRTUAL)
        status = copy_virtual(TargetAddress, (uintptr_t)SourceAddress.VirtualAddress, NumberOfBytes, NumberOfBytesTransferred);
    ke_thread_leave(thread);
    return status;
}
