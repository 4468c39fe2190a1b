/*
 * raise.c - exceptions raised by software: ExRaiseStatus and its two short forms; and what becomes of an exception that no __try takes.
 * That stops the machine: 0x1E in a thread of the test, 0x7E in a thread that the machine made itself.
 *
 * Locks     none.
 * Elsewhere looking for the handler: dispatch.c. Exceptions that the processor raises: fault.c.
 * Source    WDK reference: ExRaiseStatus, ExRaiseAccessViolation, ExRaiseDatatypeMisalignment; Bug Checks 0x1E, 0x7E.
 */
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/exception.h"

void ke_exception_unhandled(ke_stop_t *stop, ke_thread_t *thread, const EXCEPTION_POINTERS *exception)
{
    const EXCEPTION_RECORD *what = exception->ExceptionRecord;
    uintptr_t              *parameter = stop->check.parameter;

    parameter[0] = (uintptr_t)(intptr_t)what->ExceptionCode; /* sign-extended, as a debugger shows it */
    parameter[1] = (uintptr_t)what->ExceptionAddress;
    if (thread->is_system && thread->callouts == 0) {
        thread->exception = *what; /* where the parameters point: the stack is about to be left */
        thread->exception_context = *exception->ContextRecord;
        stop->check.code = SYSTEM_THREAD_EXCEPTION_NOT_HANDLED;
        parameter[2] = (uintptr_t)&thread->exception;
        parameter[3] = (uintptr_t)&thread->exception_context;
        return;
    }
    stop->check.code = KMODE_EXCEPTION_NOT_HANDLED;
    parameter[2] = what->NumberParameters > 0 ? what->ExceptionInformation[0] : 0;
    parameter[3] = what->NumberParameters > 1 ? what->ExceptionInformation[1] : 0;
}

/* Of the registers of the raising code only the place is known: what it kept elsewhere is the compiler's secret. */
static void context_of_caller(CONTEXT *context, uintptr_t pc, uintptr_t sp)
{
    host_registers_t registers = { .pc = pc, .sp = sp };
    ke_context_from(context, &registers);
    context->ContextFlags = CONTEXT_CONTROL;
}

_Noreturn void ke_raise_status(const char *routine, NTSTATUS status, ULONG_PTR address)
{
    ke_stop_t          stop = { .routine = routine, .why = "It raised an exception, and there is no __try around the call that takes it." };
    CONTEXT            context;
    EXCEPTION_RECORD   record = { .ExceptionCode = status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE, .ExceptionAddress = (PVOID)address };
    EXCEPTION_POINTERS exception = { &record, &context };

    stop.sp = (uintptr_t)__builtin_frame_address(0);
    stop.from = (uintptr_t)__builtin_return_address(0);
    context_of_caller(&context, address, stop.sp);
    (void)ke_exception_dispatch(&exception, stop.sp); /* never true for a noncontinuable exception */
    ke_exception_unhandled(&stop, ke_self(), &exception);
    ke_bugcheck_stop(&stop);
}

VOID ExRaiseStatus(NTSTATUS Status) { ke_raise_status(__func__, Status, (ULONG_PTR)__builtin_return_address(0)); }

VOID ExRaiseAccessViolation(VOID) { ke_raise_status(__func__, STATUS_ACCESS_VIOLATION, (ULONG_PTR)__builtin_return_address(0)); }

VOID ExRaiseDatatypeMisalignment(VOID) { ke_raise_status(__func__, STATUS_DATATYPE_MISALIGNMENT, (ULONG_PTR)__builtin_return_address(0)); }
