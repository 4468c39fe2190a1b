/*
 * vm_target.c - from a handle to the address space of a process, and from bytes to pages.
 * While a call works on a process, that is in use: its memory does not go away under the call, even if it ends meanwhile.
 *
 * Locks       none of its own.
 * Source      WDK reference: ntifs.h, ZwFreeVirtualMemory (the statuses of a handle).
 */
#include "ex/vm_target.h"

#include "ex/handle.h"
#include "ke/bugcheck.h"

static NTSTATUS take_space(ex_vm_target_t *target, bool needs_space)
{
    if (atomic_load(&target->process->has_handle) == 0)
        return STATUS_PROCESS_IS_TERMINATING;
    target->space = mm_process_space(target->process);
    return needs_space ? mm_process_space_need(target->process, &target->space) : STATUS_SUCCESS;
}

NTSTATUS ex_vm_open(HANDLE handle, ACCESS_MASK access, bool needs_space, ex_vm_target_t *target)
{
    void    *object = NULL;
    NTSTATUS status = ex_handle_reference(handle, access, *PsProcessType, KernelMode, &object, NULL);
    if (!NT_SUCCESS(status))
        return status;
    *target = (ex_vm_target_t){ .process = object };
    bool used = ke_process_use(target->process);
    NTMM_INVARIANT(used, "a process that is referenced can be used");
    status = take_space(target, needs_space);
    if (!NT_SUCCESS(status))
        ex_vm_close(target);
    return status;
}

void ex_vm_close(ex_vm_target_t *target)
{
    ke_process_unuse(target->process);
    (void)ex_object_dereference("ex_vm_close", target->process);
}

NTSTATUS ex_vm_range(PVOID base, SIZE_T size, uintptr_t unit, NTSTATUS base_wrong, NTSTATUS size_wrong, ex_vm_range_t *range)
{
    uintptr_t va = (uintptr_t)base, highest = (uintptr_t)MmHighestUserAddress;
    if (va > highest)
        return base_wrong;
    if (size > highest - va + 1)
        return size_wrong;
    range->first = va & ~(unit - 1);
    range->bytes = ROUND_TO_PAGES(va + size) - range->first;
    return STATUS_SUCCESS;
}
