/*
 * virtual_memory.c - private memory of a process: allocated, freed, protected, with the rules of the arguments.
 *
 *     free ---- MEM_RESERVE ----> reserved ---- MEM_COMMIT ----> committed         ZwAllocateVirtualMemory
 *       ^                            |  ^------- MEM_DECOMMIT -------'   |         ZwFreeVirtualMemory
 *       '-------- MEM_RELEASE -------'-----------------------------------'
 *
 * What is reserved begins at a multiple of 64 KiB; what is committed, decommitted or protected, at one of the page size.
 *
 * Locks       none of its own; mm's inside each step. Two threads that free the same address race, as applications do: one of them fails.
 * Source      WDK reference: ntifs.h, ZwAllocateVirtualMemory, NtAllocateVirtualMemory, ZwFreeVirtualMemory; Windows API: VirtualAlloc,
 *             VirtualFree, VirtualProtect; "Large-Page Support".
 * Fidelity    MEM_WRITE_WATCH is checked and forgotten: only applications can ask what was written. The pages of MEM_PHYSICAL are theirs to
 *             map, too. Which NTSTATUS stands for which mistake is partly a choice.
 */
#include "ex/vm_target.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/version.h"

#define GRANULE (MM_USER_ALLOCATION_GRANULARITY > PAGE_SIZE ? MM_USER_ALLOCATION_GRANULARITY : PAGE_SIZE)
#define ZERO_BITS_MOST 20u

/* ---- allocate: the words ---- */

static NTSTATUS check_type(ULONG type)
{
    const ULONG resets = MEM_RESET | MEM_RESET_UNDO, both = MEM_RESERVE | MEM_COMMIT;
    const ULONG known = both | resets | MEM_TOP_DOWN | MEM_PHYSICAL | MEM_WRITE_WATCH | MEM_LARGE_PAGES;
    bool        fits = (type & ~known) == 0 && (type & (both | resets)) != 0;
    if ((type & resets) != 0)
        fits = fits && (type == MEM_RESET || (type == MEM_RESET_UNDO && ke_windows_version >= NTDDI_WIN8));
    if ((type & MEM_PHYSICAL) != 0)
        fits = fits && type == (MEM_PHYSICAL | MEM_RESERVE);
    if ((type & MEM_WRITE_WATCH) != 0)
        fits = fits && (type & MEM_RESERVE) != 0 && (type & MEM_LARGE_PAGES) == 0;
    if ((type & MEM_LARGE_PAGES) != 0)
        fits = fits && (type & both) == both;
    return fits ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER_5;
}

/* How some types of memory may be used. */
static NTSTATUS check_protect(ULONG type, ULONG protect)
{
    if (!mm_protect_is_private(protect) || ((type & MEM_PHYSICAL) != 0 && protect != PAGE_READWRITE))
        return STATUS_INVALID_PAGE_PROTECTION;
    if ((type & MEM_LARGE_PAGES) != 0 && protect != PAGE_READWRITE && protect != PAGE_EXECUTE_READWRITE)
        return STATUS_INVALID_PAGE_PROTECTION;
    return STATUS_SUCCESS;
}

static NTSTATUS check_large(PVOID base, SIZE_T size)
{
    if ((uintptr_t)base % MM_LARGE_PAGE_BYTES != 0)
        return STATUS_INVALID_PARAMETER_2;
    return size % MM_LARGE_PAGE_BYTES == 0 ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER_4;
}

/* The highest address that ZeroBits leaves, plus one; 0: it leaves all. */
static NTSTATUS limit_from(ULONG_PTR zero_bits, uint64_t *limit)
{
    *limit = 0;
    if (zero_bits == 0)
        return STATUS_SUCCESS;
    if (zero_bits <= ZERO_BITS_MOST)
        *limit = (UINT64_C(1) << (32 - zero_bits));
    else if (zero_bits <= 32)
        return STATUS_INVALID_PARAMETER_3;
    else
        *limit = zero_bits > UINT64_MAX >> 1 ? 0 : UINT64_C(1) << (64 - __builtin_clzll(zero_bits));
    return STATUS_SUCCESS;
}

typedef struct request {
    bool          somewhere; /* no address was given */
    uint64_t      limit;
    ULONG         type, protect;
    ex_vm_range_t range;
} request_t;

static NTSTATUS check_request(PVOID base, ULONG_PTR zero_bits, SIZE_T size, ULONG type, ULONG protect, request_t *request)
{
    *request = (request_t){ .somewhere = base == NULL, .type = type, .protect = protect };
    NTSTATUS status = limit_from(zero_bits, &request->limit);
    if (NT_SUCCESS(status))
        status = check_type(type);
    if (!NT_SUCCESS(status))
        return status;
    status = check_protect(type, protect);
    if (NT_SUCCESS(status) && size == 0)
        status = STATUS_INVALID_PARAMETER_4;
    if (NT_SUCCESS(status) && (type & MEM_LARGE_PAGES) != 0)
        status = check_large(base, size);
    if (!NT_SUCCESS(status))
        return status;
    if (request->somewhere && (type & MEM_COMMIT) != 0)
        request->type |= MEM_RESERVE;
    uintptr_t unit = (request->type & MEM_RESERVE) != 0 ? GRANULE : PAGE_SIZE;
    return ex_vm_range(base, size, unit, STATUS_INVALID_PARAMETER_2, STATUS_INVALID_PARAMETER_4, &request->range);
}

/* ---- allocate ---- */

static NTSTATUS reserve(mm_space_t *space, request_t *request)
{
    mm_view_want_t want = { .bytes = request->range.bytes, .protect = request->protect, .type = MEM_PRIVATE };
    want.address = request->somewhere ? 0 : request->range.first;
    want.limit = request->somewhere ? request->limit : 0;
    want.top_down = (request->type & MEM_TOP_DOWN) != 0;
    want.commit = (request->type & MEM_COMMIT) != 0;
    want.physical = (request->type & MEM_PHYSICAL) != 0;
    want.large = (request->type & MEM_LARGE_PAGES) != 0;
    if (!request->somewhere && want.address == 0) /* address 0 itself */
        return STATUS_CONFLICTING_ADDRESSES;
    return mm_view_map(space, &want, &request->range.first);
}

static NTSTATUS allocate(mm_space_t *space, request_t *request)
{
    if ((request->type & (MEM_RESET | MEM_RESET_UNDO)) != 0)
        return mm_view_reset(space, request->range.first, request->range.bytes, request->type == MEM_RESET_UNDO);
    if (ke_inject_failure())
        return STATUS_INSUFFICIENT_RESOURCES;
    if ((request->type & MEM_RESERVE) != 0)
        return reserve(space, request);
    return mm_view_commit(space, request->range.first, request->range.bytes, request->protect);
}

static NTSTATUS allocate_in(HANDLE process, request_t *request)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, true, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = allocate(target.space, request);
    ex_vm_close(&target);
    return status;
}

NTSTATUS ZwAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize, ULONG AllocationType,
                                 ULONG Protect)
{
    request_t request;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = check_request(*BaseAddress, ZeroBits, *RegionSize, AllocationType, Protect, &request);
    if (NT_SUCCESS(status))
        status = allocate_in(ProcessHandle, &request);
    ke_thread_leave(self);
    if (NT_SUCCESS(status)) {
        *BaseAddress = (PVOID)request.range.first;
        *RegionSize = request.range.bytes;
    }
    return status;
}

NTSTATUS NtAllocateVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits, PSIZE_T RegionSize, ULONG AllocationType,
                                 ULONG Protect)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwAllocateVirtualMemory(ProcessHandle, BaseAddress, ZeroBits, RegionSize, AllocationType, Protect);
}

/* ---- free ---- */

/* All of the allocation that a page belongs to, when that page is its first. */
static NTSTATUS whole_allocation(mm_space_t *space, uintptr_t base, ex_vm_range_t *range)
{
    mm_view_info_t info = { 0 };
    uintptr_t      end = base;
    if (!mm_view_query(space, base, &info) || info.state == MEM_FREE)
        return STATUS_MEMORY_NOT_ALLOCATED;
    if (info.allocation_base != base)
        return STATUS_FREE_VM_NOT_AT_BASE;
    do
        end = info.base + info.bytes;
    while (mm_view_query(space, end, &info) && info.state != MEM_FREE && info.allocation_base == base);
    *range = (ex_vm_range_t){ base, end - base };
    return STATUS_SUCCESS;
}

static NTSTATUS check_kind(mm_space_t *space, uintptr_t base)
{
    mm_view_info_t info;
    if (space == NULL || !mm_view_query(space, base, &info) || info.state == MEM_FREE)
        return STATUS_MEMORY_NOT_ALLOCATED;
    return info.type == MEM_PRIVATE ? STATUS_SUCCESS : STATUS_UNABLE_TO_DELETE_SECTION;
}

static NTSTATUS release(mm_space_t *space, ex_vm_range_t *range)
{
    NTSTATUS status = whole_allocation(space, range->first, range);
    return NT_SUCCESS(status) ? mm_view_unmap(space, range->first) : status;
}

static NTSTATUS decommit(mm_space_t *space, ex_vm_range_t *range, bool whole)
{
    if (whole) {
        NTSTATUS status = whole_allocation(space, range->first, range);
        return NT_SUCCESS(status) ? mm_view_decommit(space, range->first, range->bytes) : status;
    }
    NTSTATUS status = mm_view_decommit(space, range->first, range->bytes);
    return status == STATUS_MEMORY_NOT_ALLOCATED ? STATUS_UNABLE_TO_FREE_VM : status; /* it begins in an allocation, and goes on beyond */
}

static NTSTATUS free_in(HANDLE process, ex_vm_range_t *range, bool whole, ULONG type)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = check_kind(target.space, range->first);
    if (NT_SUCCESS(status))
        status = type == MEM_RELEASE ? release(target.space, range) : decommit(target.space, range, whole);
    ex_vm_close(&target);
    return status;
}

NTSTATUS ZwFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType)
{
    ex_vm_range_t range;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    bool     whole = *RegionSize == 0;
    NTSTATUS status = STATUS_INVALID_PARAMETER_4;
    if (FreeType == MEM_RELEASE || FreeType == MEM_DECOMMIT)
        status = ex_vm_range(*BaseAddress, *RegionSize, PAGE_SIZE, STATUS_INVALID_PARAMETER_2, STATUS_INVALID_PARAMETER_3, &range);
    if (NT_SUCCESS(status) && FreeType == MEM_RELEASE && !whole)
        status = STATUS_INVALID_PARAMETER_3;
    if (NT_SUCCESS(status))
        status = free_in(ProcessHandle, &range, whole, FreeType);
    ke_thread_leave(self);
    if (NT_SUCCESS(status)) {
        *BaseAddress = (PVOID)range.first;
        *RegionSize = range.bytes;
    }
    return status;
}

NTSTATUS NtFreeVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG FreeType)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwFreeVirtualMemory(ProcessHandle, BaseAddress, RegionSize, FreeType);
}

/* ---- protect ---- */

static bool is_protection(ULONG protect)
{
    ULONG access = protect & 0xFFu;
    if (access == PAGE_WRITECOPY || access == PAGE_EXECUTE_WRITECOPY) /* for views: mm knows where */
        protect = (protect & ~access) | PAGE_READWRITE;
    return mm_protect_is_private(protect);
}

static NTSTATUS protect_in(HANDLE process, const ex_vm_range_t *range, ULONG protect, uint32_t *old)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = target.space != NULL ? mm_view_protect(target.space, range->first, range->bytes, protect, old) : STATUS_CONFLICTING_ADDRESSES;
    ex_vm_close(&target);
    return status;
}

NTSTATUS ZwProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG NewProtect, PULONG OldProtect)
{
    ex_vm_range_t range;
    uint32_t      old = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PAGE_PROTECTION;
    if (is_protection(NewProtect))
        status = ex_vm_range(*BaseAddress, *RegionSize, PAGE_SIZE, STATUS_INVALID_PARAMETER_2, STATUS_INVALID_PARAMETER_3, &range);
    if (NT_SUCCESS(status) && *RegionSize == 0)
        status = STATUS_INVALID_PARAMETER_3;
    if (NT_SUCCESS(status))
        status = protect_in(ProcessHandle, &range, NewProtect, &old);
    ke_thread_leave(self);
    if (NT_SUCCESS(status)) {
        *BaseAddress = (PVOID)range.first;
        *RegionSize = range.bytes;
        *OldProtect = old;
    }
    return status;
}

NTSTATUS NtProtectVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG NewProtect, PULONG OldProtect)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwProtectVirtualMemory(ProcessHandle, BaseAddress, RegionSize, NewProtect, OldProtect);
}
