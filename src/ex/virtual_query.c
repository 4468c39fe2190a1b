/*
 * virtual_query.c - what lies at an address of a process, and how far it goes.
 *
 * Locks       none of its own.
 * Source      WDK reference: ntifs.h, ZwQueryVirtualMemory, NtQueryVirtualMemory, MEMORY_BASIC_INFORMATION.
 * Fidelity    outside of its slice all of a process is free.
 */
#include "ex/vm_target.h"
#include "ke/bugcheck.h"

/* Nothing is there, as far as the next thing that may be. */
static void describe_free(const mm_space_t *space, uintptr_t va, MEMORY_BASIC_INFORMATION *out)
{
    uintptr_t   end = (uintptr_t)MmHighestUserAddress + 1;
    mm_region_t slice = space != NULL ? mm_space_region(space) : (mm_region_t){ end, 0 };
    if (va < slice.base)
        end = slice.base;
    *out = (MEMORY_BASIC_INFORMATION){ .BaseAddress = (PVOID)va, .RegionSize = end - va, .State = MEM_FREE, .Protect = PAGE_NOACCESS };
}

static void describe(mm_space_t *space, uintptr_t va, MEMORY_BASIC_INFORMATION *out)
{
    mm_view_info_t info;
    if (space == NULL || !mm_view_query(space, va, &info)) {
        describe_free(space, va, out);
        return;
    }
    *out = (MEMORY_BASIC_INFORMATION){ .BaseAddress = (PVOID)info.base, .RegionSize = info.bytes, .State = info.state };
    out->AllocationBase = (PVOID)info.allocation_base;
    out->AllocationProtect = info.allocation_protect;
    out->Protect = info.protect;
    out->Type = info.type;
}

static NTSTATUS query(HANDLE process, PVOID base, MEMORY_INFORMATION_CLASS class, SIZE_T length, MEMORY_BASIC_INFORMATION *out)
{
    ex_vm_target_t target;
    if (class != MemoryBasicInformation)
        return STATUS_INVALID_INFO_CLASS;
    if (length < sizeof *out)
        return STATUS_INFO_LENGTH_MISMATCH;
    if ((uintptr_t)base > (uintptr_t)MmHighestUserAddress)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS status = ex_vm_open(process, PROCESS_QUERY_INFORMATION, false, &target);
    if (!NT_SUCCESS(status))
        return status;
    describe(target.space, (uintptr_t)PAGE_ALIGN(base), out);
    ex_vm_close(&target);
    return STATUS_SUCCESS;
}

NTSTATUS ZwQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, MEMORY_INFORMATION_CLASS MemoryInformationClass,
                              PVOID MemoryInformation, SIZE_T MemoryInformationLength, PSIZE_T ReturnLength)
{
    MEMORY_BASIC_INFORMATION information;
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    NTSTATUS status = query(ProcessHandle, BaseAddress, MemoryInformationClass, MemoryInformationLength, &information);
    ke_thread_leave(self);
    if (!NT_SUCCESS(status))
        return status;
    *(PMEMORY_BASIC_INFORMATION)MemoryInformation = information;
    if (ReturnLength != NULL)
        *ReturnLength = sizeof information;
    return status;
}

NTSTATUS NtQueryVirtualMemory(HANDLE ProcessHandle, PVOID BaseAddress, MEMORY_INFORMATION_CLASS MemoryInformationClass,
                              PVOID MemoryInformation, SIZE_T MemoryInformationLength, PSIZE_T ReturnLength)
{
    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    return ZwQueryVirtualMemory(ProcessHandle, BaseAddress, MemoryInformationClass, MemoryInformation, MemoryInformationLength,
                                ReturnLength);
}
