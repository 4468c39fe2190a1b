/*
 * virtual_pages.c - where pages of a process are: locked in RAM, fetched ahead of their use, written to the file that their section is over.
 *
 * Locks       none of its own.
 * Source      WDK reference: ntifs.h, ZwSetInformationVirtualMemory, ZwFlushVirtualMemory; Windows API: VirtualLock, VirtualUnlock.
 * Fidelity    pages that are fetched come into the working set. At most a quarter of RAM is locked by processes.
 */
#include "ex/vm_target.h"
#include "ke/bugcheck.h"

/* ---- lock ---- */

typedef NTSTATUS lock_t(mm_space_t *space, uintptr_t va, uint64_t bytes, uint32_t how);

static NTSTATUS lock_in(HANDLE process, const ex_vm_range_t *range, ULONG how, lock_t *lock, NTSTATUS without_memory)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = target.space != NULL ? lock(target.space, range->first, range->bytes, how) : without_memory;
    ex_vm_close(&target);
    return status;
}

static NTSTATUS lock_pages(const char *routine, HANDLE process, PVOID *base, PSIZE_T size, ULONG how, lock_t *lock, NTSTATUS without_memory)
{
    ex_vm_range_t range;
    ke_thread_t  *self = ke_thread_enter(routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = STATUS_INVALID_PARAMETER_4;
    if (how != 0 && (how & ~(ULONG)(MAP_PROCESS | MAP_SYSTEM)) == 0)
        status = ex_vm_range(*base, *size, PAGE_SIZE, STATUS_INVALID_PARAMETER_2, STATUS_INVALID_PARAMETER_3, &range);
    if (NT_SUCCESS(status) && *size == 0)
        status = STATUS_INVALID_PARAMETER_3;
    if (NT_SUCCESS(status))
        status = lock_in(process, &range, how, lock, without_memory);
    ke_thread_leave(self);
    if (NT_SUCCESS(status)) {
        *base = (PVOID)range.first;
        *size = range.bytes;
    }
    return status;
}

NTSTATUS ZwLockVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG MapType)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return lock_pages(__func__, ProcessHandle, BaseAddress, RegionSize, MapType, mm_view_lock, STATUS_ACCESS_VIOLATION);
}

NTSTATUS ZwUnlockVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG MapType)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return lock_pages(__func__, ProcessHandle, BaseAddress, RegionSize, MapType, mm_view_unlock, STATUS_NOT_LOCKED);
}

/* ---- prefetch ---- */

static NTSTATUS check_prefetch(VIRTUAL_MEMORY_INFORMATION_CLASS class, ULONG_PTR count, const MEMORY_RANGE_ENTRY *entries,
                               const VOID *information, ULONG length)
{
    ex_vm_range_t range;
    if (class != VmPrefetchInformation)
        return STATUS_INVALID_PARAMETER_2;
    if (count == 0)
        return STATUS_INVALID_PARAMETER_3;
    if (entries == NULL)
        return STATUS_INVALID_PARAMETER_4;
    if (length != sizeof(ULONG))
        return STATUS_INVALID_PARAMETER_6;
    if (information == NULL || *(const ULONG *)information != 0)
        return STATUS_INVALID_PARAMETER_5;
    for (ULONG_PTR i = 0; i < count; i++)
        if (!NT_SUCCESS(ex_vm_range(entries[i].VirtualAddress, entries[i].NumberOfBytes, PAGE_SIZE, STATUS_INVALID_PARAMETER_4,
                                    STATUS_INVALID_PARAMETER_4, &range)))
            return STATUS_INVALID_PARAMETER_4;
    return STATUS_SUCCESS;
}

static NTSTATUS prefetch(HANDLE process, ULONG_PTR count, const MEMORY_RANGE_ENTRY *entries)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    for (ULONG_PTR i = 0; i < count && target.space != NULL; i++)
        mm_space_prefetch(target.space, (uintptr_t)entries[i].VirtualAddress, entries[i].NumberOfBytes);
    ex_vm_close(&target);
    return STATUS_SUCCESS;
}

NTSTATUS ZwSetInformationVirtualMemory(HANDLE ProcessHandle, VIRTUAL_MEMORY_INFORMATION_CLASS VmInformationClass, ULONG_PTR NumberOfEntries,
                                       PMEMORY_RANGE_ENTRY VirtualAddresses, PVOID VmInformation, ULONG VmInformationLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = check_prefetch(VmInformationClass, NumberOfEntries, VirtualAddresses, VmInformation, VmInformationLength);
    if (NT_SUCCESS(status))
        status = prefetch(ProcessHandle, NumberOfEntries, VirtualAddresses);
    ke_thread_leave(self);
    return status;
}

/* ---- flush ---- */

/* The view that the range lies in; what is left of it when the range has no end. */
static NTSTATUS find_view(mm_space_t *space, bool to_end, ex_vm_range_t *range, mm_view_info_t *view)
{
    mm_view_info_t info;
    if (space == NULL || !mm_view_query(space, range->first, view) || view->state == MEM_FREE || view->segment == NULL)
        return STATUS_NOT_MAPPED_VIEW;
    uintptr_t end = view->base + view->bytes;
    while (mm_view_query(space, end, &info) && info.state != MEM_FREE && info.allocation_base == view->allocation_base)
        end = info.base + info.bytes;
    if (to_end)
        range->bytes = end - range->first;
    return range->first + range->bytes <= end ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER_2;
}

static NTSTATUS flush(mm_space_t *space, bool to_end, ex_vm_range_t *range, uint64_t *pages_written)
{
    mm_view_info_t view;
    NTSTATUS       status = find_view(space, to_end, range, &view);
    if (!NT_SUCCESS(status))
        return status;
    uint64_t first = view.first_page + ((range->first - view.allocation_base) >> PAGE_SHIFT);
    mm_segment_reference(view.segment);
    status = mm_segment_flush(view.segment, first, range->bytes >> PAGE_SHIFT, pages_written);
    mm_segment_dereference(view.segment);
    return status;
}

static NTSTATUS flush_in(HANDLE process, bool to_end, ex_vm_range_t *range, uint64_t *pages_written)
{
    ex_vm_target_t target;
    NTSTATUS       status = ex_vm_open(process, PROCESS_VM_OPERATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    status = flush(target.space, to_end, range, pages_written);
    ex_vm_close(&target);
    return status;
}

NTSTATUS ZwFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, PIO_STATUS_BLOCK IoStatus)
{
    ex_vm_range_t range;
    uint64_t      pages_written = 0;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = ex_vm_range(*BaseAddress, *RegionSize, PAGE_SIZE, STATUS_INVALID_PARAMETER_2, STATUS_INVALID_PARAMETER_2, &range);
    if (NT_SUCCESS(status))
        status = flush_in(ProcessHandle, *RegionSize == 0, &range, &pages_written);
    ke_thread_leave(self);
    IoStatus->Status = status;
    IoStatus->Information = (ULONG_PTR)pages_written << PAGE_SHIFT;
    if (NT_SUCCESS(status)) {
        *BaseAddress = (PVOID)range.first;
        *RegionSize = range.bytes;
    }
    return status;
}
