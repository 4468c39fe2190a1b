/*
 * raise.c - exceptions raised by software: ExRaiseStatus and its two short forms. An exception looks for a __try around it; this version
 * has none, so every exception is one that no handler took. That stops the machine: 0x1E in a thread of the test, 0x7E in a thread that
 * the machine made itself.
 *
 * Locks   none.
 * Source  WDK reference: ExRaiseStatus, ExRaiseAccessViolation, ExRaiseDatatypeMisalignment; Bug Checks 0x1E, 0x7E.
 */
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/exception.h"

static HOST_THREAD_LOCAL EXCEPTION_RECORD last_exception; /* 0x7E names its address */

void ke_exception_unhandled(ke_stop_t *stop, const ke_thread_t *thread, NTSTATUS status, uintptr_t address, uintptr_t information0,
                            uintptr_t information1)
{
    uintptr_t *parameter = stop->check.parameter;

    parameter[0] = (uintptr_t)(intptr_t)status; /* sign-extended, as a debugger shows it */
    parameter[1] = address;
    if (thread->is_system) {
        last_exception = (EXCEPTION_RECORD){ .ExceptionCode = status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE, .NumberParameters = 2 };
        last_exception.ExceptionAddress = (PVOID)address;
        last_exception.ExceptionInformation[0] = information0;
        last_exception.ExceptionInformation[1] = information1;
        stop->check.code = SYSTEM_THREAD_EXCEPTION_NOT_HANDLED;
        parameter[2] = (uintptr_t)&last_exception;
        parameter[3] = 0;
        return;
    }
    stop->check.code = KMODE_EXCEPTION_NOT_HANDLED;
    parameter[2] = information0;
    parameter[3] = information1;
}

_Noreturn void ke_raise_status(const char *routine, NTSTATUS status, ULONG_PTR address)
{
    ke_stop_t stop = { .routine = routine, .why = "It raised an exception, and there is no __try around the call." };

    stop.sp = (uintptr_t)__builtin_frame_address(0);
    stop.from = (uintptr_t)__builtin_return_address(0);
    ke_exception_unhandled(&stop, ke_self(), status, address, 0, 0);
    ke_bugcheck_stop(&stop);
}

VOID ExRaiseStatus(NTSTATUS Status) { ke_raise_status(__func__, Status, (ULONG_PTR)__builtin_return_address(0)); }

VOID ExRaiseAccessViolation(VOID) { ke_raise_status(__func__, STATUS_ACCESS_VIOLATION, (ULONG_PTR)__builtin_return_address(0)); }

VOID ExRaiseDatatypeMisalignment(VOID) { ke_raise_status(__func__, STATUS_DATATYPE_MISALIGNMENT, (ULONG_PTR)__builtin_return_address(0)); }
