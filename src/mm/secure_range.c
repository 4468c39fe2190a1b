/*
 * secure_range.c - a driver keeps a process from freeing what it works on, or making it less accessible.
 * The pages may still go to the page file, and what is in them may change; an access still needs its __try.
 *
 * Locks       mm_paging_lock.
 * Source      WDK reference: ntddk.h, MmSecureVirtualMemory, MmSecureVirtualMemoryEx, MmUnsecureVirtualMemory; Bug Check 0x1A, 0x15000, 0x15001.
 * Fidelity    every caller counts as kernel mode, so MM_SECURE_USER_MODE_ONLY forbids nothing; processes are not cloned. 64 ranges a process.
 */
#include <ntddk.h>

#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "mm/process_space.h"
#include "mm/space.h"
#include "mm/user_range.h"

#define ALL_FLAGS (MM_SECURE_EXCLUSIVE | MM_SECURE_NO_CHANGE | MM_SECURE_USER_MODE_ONLY | MM_SECURE_NO_INHERIT)

static HANDLE secure(const ke_thread_t *thread, uintptr_t va, SIZE_T size, ULONG probe_mode, ULONG flags)
{
    void       *cookie = NULL;
    mm_space_t *space = mm_process_space(ke_process_current(thread));
    if (space == NULL || size == 0 || !mm_user_range_is_ours(thread, va, size))
        return NULL;
    if ((probe_mode != PAGE_READONLY && probe_mode != PAGE_READWRITE) || (flags & ~ALL_FLAGS) != 0 || ke_inject_failure())
        return NULL;
    (void)mm_view_secure(space, va, size, probe_mode == PAGE_READWRITE, flags, &cookie);
    return cookie;
}

HANDLE MmSecureVirtualMemoryEx(PVOID Address, SIZE_T Size, ULONG ProbeMode, ULONG Flags)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return NULL;
    HANDLE handle = secure(thread, (uintptr_t)Address, Size, ProbeMode, Flags);
    ke_thread_leave(thread);
    return handle;
}

HANDLE MmSecureVirtualMemory(PVOID Address, SIZE_T Size, ULONG ProbeMode)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    return MmSecureVirtualMemoryEx(Address, Size, ProbeMode, 0);
}

/* ---- and back ---- */

typedef struct sought {
    uintptr_t cookie;
    bool      found;
} sought_t;

static void look(mm_space_t *space, void *context)
{
    sought_t *sought = context;
    for (uint32_t i = 0; i < MM_SECURED_MOST; i++)
        sought->found = sought->found || ((uintptr_t)&space->secured[i] == sought->cookie && space->secured[i].end != 0);
}

static bool is_another_process(HANDLE handle)
{
    sought_t sought = { .cookie = (uintptr_t)handle };
    ke_lock(&mm_paging_lock);
    mm_spaces_visit_locked(look, &sought);
    ke_unlock(&mm_paging_lock);
    return sought.found;
}

VOID MmUnsecureVirtualMemory(HANDLE SecureHandle)
{
    KE_REQUIRE_IRQL(APC_LEVEL);
    ke_thread_t *thread = ke_thread_enter(__func__);
    if (thread == NULL)
        return;
    mm_space_t *space = mm_process_space(ke_process_current(thread));
    bool        done = space != NULL && mm_view_unsecure(space, SecureHandle), elsewhere = !done && is_another_process(SecureHandle);
    ke_thread_leave(thread);
    if (elsewhere)
        ke_bugcheck(__func__, "The range was secured in another process than the one where the thread is.", MEMORY_MANAGEMENT, 0x15001, 0,
                    0, 0);
    if (!done)
        ke_bugcheck(__func__,
                    "No range is secured under this handle: it was unsecured already, its process has ended, or it never was one.",
                    MEMORY_MANAGEMENT, 0x15000, (ULONG_PTR)SecureHandle, 0, 0);
}
