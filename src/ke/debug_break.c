/*
 * debug_break.c - break points and failed assertions: exceptions that a filter may continue, and that stop the machine when nobody takes them.
 * Source      WDK reference: wdm.h, DbgBreakPoint, DbgBreakPointWithStatus, ASSERT, NT_ASSERT; Bug Check 0x1E.
 * Fidelity    as on a Windows without a debugger. The status of DbgBreakPointWithStatus is the exception's first word (choice).
 */
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/exception.h"

static void raise(const char *routine, const char *why, NTSTATUS code, ULONG_PTR information, ULONG_PTR address)
{
    ke_stop_t          stop = { .routine = routine, .why = why };
    host_registers_t   registers = { .pc = address, .sp = (uintptr_t)__builtin_frame_address(0) };
    EXCEPTION_RECORD   record = { .ExceptionCode = code, .ExceptionAddress = (PVOID)address, .NumberParameters = 1 };
    CONTEXT            context;
    EXCEPTION_POINTERS exception = { &record, &context };

    record.ExceptionInformation[0] = information;
    stop.sp = registers.sp;
    stop.from = address;
    ke_context_from(&context, &registers);
    context.ContextFlags = CONTEXT_CONTROL;
    if (ke_exception_dispatch(&exception, stop.sp))
        return; /* a filter goes on */
    ke_exception_unhandled(&stop, ke_self(), &exception);
    ke_bugcheck_stop(&stop);
}

#define BREAK "It is a break point, there is no debugger, and no __try around it takes the exception."

VOID DbgBreakPoint(VOID) { raise(__func__, BREAK, STATUS_BREAKPOINT, 0, (ULONG_PTR)__builtin_return_address(0)); }

VOID DbgBreakPointWithStatus(ULONG Status) { raise(__func__, BREAK, STATUS_BREAKPOINT, Status, (ULONG_PTR)__builtin_return_address(0)); }

VOID ntmm_raise_assertion(VOID)
{
    raise("NT_ASSERT", "An assertion of the driver failed, and no __try around it takes the exception.", STATUS_ASSERTION_FAILURE, 0,
          (ULONG_PTR)__builtin_return_address(0));
}

VOID RtlAssert(PVOID VoidFailedAssertion, PVOID VoidFileName, ULONG LineNumber, PSTR MutableMessage)
{
    DbgPrint("*** Assertion failed: %s%s%s\n***   Source File: %s, line %u\n", MutableMessage != NULL ? MutableMessage : "",
             MutableMessage != NULL ? ": " : "", (PCSTR)VoidFailedAssertion, (PCSTR)VoidFileName, LineNumber);
    raise("ASSERT", "An assertion of the driver failed, and no __try around it takes the exception.", STATUS_BREAKPOINT, 0,
          (ULONG_PTR)__builtin_return_address(0));
}

BOOLEAN KdRefreshDebuggerNotPresent(VOID) { return TRUE; }
