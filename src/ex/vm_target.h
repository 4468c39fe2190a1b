/*
 * vm_target.h - whose virtual memory, and which part of it: what the calls on virtual memory have in common.
 */
#ifndef NTMM_EX_VM_TARGET_H
#define NTMM_EX_VM_TARGET_H

#include <ntifs.h>

#include "mm/process_space.h"

typedef struct ex_vm_target {
    ke_process_t *process; /* referenced, and in use */
    mm_space_t   *space;   /* NULL: it has no memory yet */
} ex_vm_target_t;

/* STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_PROCESS_IS_TERMINATING; `needs_space`: also those of mm_process_space_need. */
NTSTATUS ex_vm_open(HANDLE handle, ACCESS_MASK access, bool needs_space, ex_vm_target_t *target);
void     ex_vm_close(ex_vm_target_t *target);

/* Whole pages. */
typedef struct ex_vm_range {
    uintptr_t first;
    uint64_t  bytes;
} ex_vm_range_t;
/* The pages of [base, base + size), from a multiple of `unit` on. `base_wrong`: it is no user address; `size_wrong`: it goes beyond those. */
NTSTATUS ex_vm_range(PVOID base, SIZE_T size, uintptr_t unit, NTSTATUS base_wrong, NTSTATUS size_wrong, ex_vm_range_t *range);

#endif
