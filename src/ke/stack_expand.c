/*
 * stack_expand.c - running code on a kernel stack: a test asks for one, a driver for more of it.
 *
 *     ntmm_on_kernel_stack             a stack of KERNEL_STACK_SIZE bytes
 *     KeExpandKernelStackAndCallout    there is room enough: a call like any other; else a stack of at least that size
 *
 * Locks       none; ke_stack_take may take mm's.
 * Source      WDK reference: ntddk.h, KeExpandKernelStackAndCallout, KeExpandKernelStackAndCalloutEx, EXPAND_STACK_CALLOUT; "Using the
 *             kernel stack"; Bug Checks 0x1E, 0xC8.
 * Fidelity    where Windows lets the old stack go on into a new segment, the callout here starts on a stack of its own. Context is not used.
 */
#include <ntmm/ntmm.h>

#include "host/stack.h"
#include "ke/bugcheck.h"
#include "ke/inject.h"
#include "ke/irql.h"
#include "ke/stack.h"
#include "ke/try.h"
#include "ke/version.h"

#define FRAME ((uintptr_t)__builtin_frame_address(0))

bool ntmm_on_kernel_stack(void (*body)(void *), void *context)
{
    ke_stack_t   stack;
    ke_thread_t *self = ke_thread_enter(__func__);
    if (self == NULL)
        return false;
    bool taken = ke_stack_take(KERNEL_STACK_SIZE, &stack);
    ke_thread_leave(self);
    if (!taken)
        return false;
    bool has_run = ke_stack_run(&stack, body, context);
    if (!has_run)
        ke_stack_maker.give(&stack);
    return has_run;
}

/* ---- expansion ---- */

typedef struct callout {
    PEXPAND_STACK_CALLOUT routine;
    PVOID                 parameter;
} callout_t;

/* No exception leaves the callout, and the IRQL is what it was. */
static void run_callout(void *context)
{
    const callout_t *callout = context;
    ke_thread_t     *self = ke_self();
    KIRQL            irql = self->irql;
    uint32_t         fence = ke_try_fence(FRAME);
    uint8_t          depth = self->callouts;
    self->callouts = (uint8_t)(depth + 1);
    callout->routine(callout->parameter);
    self->callouts = depth;
    ke_try_unfence(fence);
    if (NTMM_UNLIKELY(self->irql != irql))
        ke_bugcheck("KeExpandKernelStackAndCallout", "The callout returned at another IRQL than it was called at.", IRQL_UNEXPECTED_VALUE,
                    (ULONG_PTR)self->irql << 16 | (ULONG_PTR)irql << 8, (ULONG_PTR)(uintptr_t)callout->routine, 0, 0);
}

static bool has_room(size_t bytes)
{
    uintptr_t low, high;
    ke_stack_limits(FRAME, &low, &high);
    return FRAME - low >= bytes * host_stack_factor();
}

static NTSTATUS take_stack(const char *routine, size_t bytes, ke_stack_t *stack)
{
    ke_thread_t *self = ke_thread_enter(routine);
    if (self == NULL)
        return STATUS_UNSUCCESSFUL;
    bool taken = !ke_inject_failure() && ke_stack_take(bytes, stack);
    ke_thread_leave(self);
    return taken ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static NTSTATUS expand(const char *routine, callout_t *callout, size_t bytes)
{
    ke_stack_t stack;
    if (ke_thread_ready(routine) == NULL)
        return STATUS_UNSUCCESSFUL;
    if (bytes > MAXIMUM_EXPANSION_SIZE)
        return STATUS_INVALID_PARAMETER_3;
    if (has_room(bytes)) {
        run_callout(callout);
        return STATUS_SUCCESS;
    }
    NTSTATUS status = take_stack(routine, bytes + PAGE_SIZE / 2, &stack); /* some for what is between the caller and the callout */
    if (!NT_SUCCESS(status))
        return status;
    if (ke_stack_run(&stack, run_callout, callout))
        return STATUS_SUCCESS;
    ke_stack_maker.give(&stack);
    return STATUS_STACK_OVERFLOW;
}

NTSTATUS KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size)
{
    callout_t callout = { Callout, Parameter };
    KE_REQUIRE_IRQL(APC_LEVEL);
    return expand(__func__, &callout, Size);
}

NTSTATUS KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size, BOOLEAN Wait, PVOID Context)
{
    callout_t callout = { Callout, Parameter };
    (void)Context; /* NULL, says the reference */
    KE_REQUIRE_IRQL(ke_windows_version >= NTDDI_WIN7 ? DISPATCH_LEVEL : APC_LEVEL);
    if (Wait && ke_self()->irql > APC_LEVEL)
        return STATUS_INVALID_PARAMETER_4;
    return expand(__func__, &callout, Size);
}
