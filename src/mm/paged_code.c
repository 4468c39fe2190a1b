/*
 * paged_code.c - the assertions of pageable code: PAGED_CODE() and PAGED_CODE_LOCKED(), when they do not hold.
 * On Windows a failed assertion of a checked build raises STATUS_ASSERTION_FAILURE, which a debugger takes, or nobody: 0x1E.
 *
 * Locks       mm_paging_lock.
 * Source      WDK reference: PAGED_CODE, PAGED_CODE_LOCKED; NT_ASSERT.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "mm/driver_pages.h"

VOID ntmm_paged_code_failed(VOID) { ke_raise_status("PAGED_CODE", STATUS_ASSERTION_FAILURE, (ULONG_PTR)__builtin_return_address(0)); }

VOID ntmm_paged_code_locked(VOID)
{
    uintptr_t    pc = (uintptr_t)__builtin_return_address(0);
    ke_thread_t *thread = ke_thread_enter("PAGED_CODE_LOCKED");
    if (thread == NULL)
        return;
    ke_lock(&mm_paging_lock);
    const mm_driver_section_t *section = mm_driver_section_locked(pc);
    bool                       locked = section != NULL && section->locks != 0;
    ke_unlock(&mm_paging_lock);
    ke_thread_leave(thread);
    if (!locked)
        ke_raise_status("PAGED_CODE_LOCKED", STATUS_ASSERTION_FAILURE, pc);
}
