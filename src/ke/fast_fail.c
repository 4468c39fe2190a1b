/*
 * fast_fail.c - fast fail: a check found a structure damaged, and no handler of any kind may run any more.
 * Windows raises it by an interrupt, which leaves a trap frame; here it is a call, so the second parameter of the stop is 0.
 *
 * Locks   none.
 * Source  WDK reference: Bug Check 0x139. The record's form: NTSTATUS values, STATUS_STACK_BUFFER_OVERRUN; EXCEPTION_RECORD.
 */
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"

static HOST_THREAD_LOCAL EXCEPTION_RECORD last_record; /* the stop names its address */

_Noreturn void ke_fast_fail(const char *routine, const char *why, ULONG code, ULONG_PTR caller)
{
    ke_stop_t stop = { .routine = routine, .why = why, .check = { .code = KERNEL_SECURITY_CHECK_FAILURE } };

    last_record = (EXCEPTION_RECORD){ .ExceptionCode = STATUS_STACK_BUFFER_OVERRUN, .ExceptionFlags = EXCEPTION_NONCONTINUABLE };
    last_record.ExceptionAddress = (PVOID)caller;
    last_record.NumberParameters = 1;
    last_record.ExceptionInformation[0] = code;
    stop.check.parameter[0] = code;
    stop.check.parameter[2] = (uintptr_t)&last_record;
    stop.sp = (uintptr_t)__builtin_frame_address(0);
    stop.from = (uintptr_t)__builtin_return_address(0);
    ke_bugcheck_stop(&stop);
}

VOID RtlFailFast(ULONG Code)
{
    const char *why = "The driver stopped the machine itself, by fast fail.";

    if (Code == FAST_FAIL_CORRUPT_LIST_ENTRY)
        why = "A list entry and its neighbours do not agree: removed twice, inserted while on a list, or overwritten.";
    ke_fast_fail(__func__, why, Code, (ULONG_PTR)__builtin_return_address(0));
}
