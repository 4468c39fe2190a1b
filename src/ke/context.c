/*
 * context.c - registers of the host's processor in the CONTEXT that a filter sees, and back when it wants the instruction to run again.
 * Control and general registers; the vector unit keeps what it had, unseen.
 *
 * Source  Windows reference: CONTEXT for x64 and for ARM64.
 */
#include <assert.h>
#include <string.h>

#include "ke/exception.h"

#if defined(__x86_64__)

/* Rax to R15 follow each other in the order in which instructions number them. */
static_assert(FIELD_OFFSET(CONTEXT, R15) - FIELD_OFFSET(CONTEXT, Rax) == 15 * 8, "sixteen registers in a row");

void ke_context_from(CONTEXT *context, const host_registers_t *registers)
{
    memset(context, 0, sizeof *context);
    context->ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER;
    memcpy((char *)context + FIELD_OFFSET(CONTEXT, Rax), registers->general, 16 * sizeof registers->general[0]);
    context->Rip = registers->pc;
    context->Rsp = registers->sp;
    context->EFlags = (ULONG)registers->flags;
}

void ke_context_to(host_registers_t *registers, const CONTEXT *context)
{
    memcpy(registers->general, (const char *)context + FIELD_OFFSET(CONTEXT, Rax), 16 * sizeof registers->general[0]);
    registers->pc = context->Rip;
    registers->sp = context->Rsp;
    registers->flags = context->EFlags;
}

#else

void ke_context_from(CONTEXT *context, const host_registers_t *registers)
{
    memset(context, 0, sizeof *context);
    context->ContextFlags = CONTEXT_CONTROL | CONTEXT_INTEGER;
    memcpy(context->X, registers->general, sizeof context->X);
    context->Pc = registers->pc;
    context->Sp = registers->sp;
    context->Cpsr = (ULONG)registers->flags;
}

void ke_context_to(host_registers_t *registers, const CONTEXT *context)
{
    memcpy(registers->general, context->X, sizeof context->X);
    registers->pc = context->Pc;
    registers->sp = context->Sp;
    registers->flags = context->Cpsr;
}

#endif
