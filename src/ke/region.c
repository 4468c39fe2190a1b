/*
 * region.c - critical and guarded regions: how deep a thread holds its APCs back.
 * No APC is ever delivered here, so all that a region does is to count; but the count is what drivers ask for, what the rules about
 * resources and DPC routines compare, and what goes wrong when a path leaves once too often.
 *
 *     KeEnterCriticalRegion  kernel_apc_disable  + 1      KeAreApcsDisabled     either depth is not 0
 *     KeEnterGuardedRegion   special_apc_disable + 1      KeAreAllApcsDisabled  special depth is not 0, or IRQL >= APC_LEVEL
 *
 * Locks       none: the counts are the thread's own.
 * Source      WDK reference: "Critical regions and guarded regions", wdm.h; Bug Check 0x1.
 * Fidelity    Windows looks at the balance when a thread returns to user mode. A test has no such moment, so the leave that is one too many
 *             stops the machine itself (choice).
 */
#include "ke/bugcheck.h"
#include "ke/irql.h"
#include "ke/probe.h"
#include "ke/region.h"

/* As a debugger shows it: both counts go down when APCs are disabled, kernel APCs in the low half. */
ULONG_PTR ke_apc_disable_count(const ke_thread_t *thread)
{
    return (ULONG)(uint16_t)-thread->kernel_apc_disable | (ULONG)(uint16_t)-thread->special_apc_disable << 16;
}

static int16_t *critical(ke_thread_t *thread) { return &thread->kernel_apc_disable; }
static int16_t *guarded(ke_thread_t *thread) { return &thread->special_apc_disable; }

static void enter(int16_t *(*depth)(ke_thread_t *), const char *routine)
{
    ke_thread_t *thread = ke_thread_ready(routine);

    if (thread != NULL)
        ++*depth(thread);
}

static void leave(int16_t *(*depth)(ke_thread_t *), const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_thread_ready(routine);

    if (thread != NULL && --*depth(thread) < 0)
        ke_bugcheck(routine, "This thread left one more region than it entered.", APC_INDEX_MISMATCH, caller, 0,
                    ke_apc_disable_count(thread), 0);
}

VOID KeEnterCriticalRegion(VOID)
{
    ke_probe_lock(__func__, KE_CRITICAL_ENTER, NULL, 0);
    enter(critical, __func__);
}

VOID KeLeaveCriticalRegion(VOID)
{
    ke_probe_lock(__func__, KE_CRITICAL_LEAVE, NULL, 0);
    leave(critical, __func__, KE_CALLER());
}

VOID KeEnterGuardedRegion(VOID) { enter(guarded, __func__); }
VOID KeLeaveGuardedRegion(VOID) { leave(guarded, __func__, KE_CALLER()); }

BOOLEAN KeAreApcsDisabled(VOID)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_ready(__func__);
    return thread != NULL && (thread->kernel_apc_disable != 0 || thread->special_apc_disable != 0);
}

BOOLEAN KeAreAllApcsDisabled(VOID)
{
    KE_REQUIRE_IRQL(DISPATCH_LEVEL);
    ke_thread_t *thread = ke_thread_ready(__func__);
    return thread != NULL && (thread->special_apc_disable != 0 || thread->irql >= APC_LEVEL);
}
