/*
 * irql.c - the public face of IRQL: raise, lower, ask.
 *
 *     KeRaiseIrql ---- below DISPATCH_LEVEL: one store        KeLowerIrql ---- nothing pending: two stores
 *                  `-- else own a processor (thread.h), one store           `- ke_lower_rare: interrupts, DPCs, handover
 *
 * The order on a lower: interrupts that the old IRQL masked, highest first; then the DPCs of the processor, still at DISPATCH_LEVEL; then
 * the IRQL drops, and whoever has waited long for a processor gets this one.
 *
 * Locks       none here; processor.c and dpc.c take theirs.
 * Source      WDK reference: wdm.h, KeRaiseIrql, KeLowerIrql; "Managing hardware priorities".
 * Fidelity    IRQL is the thread's, not the processor's; below DISPATCH_LEVEL there are as many running threads as the host has.
 */
#include "ke/irql.h"

#include "ke/bugcheck.h"
#include "ke/force_irql.h"
#include "ke/interrupt.h"

static _Noreturn void raise_is_wrong(const ke_thread_t *thread, KIRQL wanted, const char *routine, ULONG_PTR caller)
{
    ke_bugcheck(routine,
                wanted > HIGH_LEVEL ? "The IRQL to raise to is above HIGH_LEVEL, the highest there is."
                                    : "The IRQL to raise to is below the current one: to raise never means to lower.",
                IRQL_NOT_GREATER_OR_EQUAL, wanted, thread->irql, 0, caller);
}

NTMM_COLD ke_raised_t ke_raise_rare(KIRQL irql, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *before = ke_self();
    ke_thread_t *thread = ke_thread_ready(routine);
    ke_raised_t  raised = { NULL, PASSIVE_LEVEL };

    if (thread != before || thread == NULL) /* the fast path was about to own a processor, in a record that nobody goes on with */
        atomic_store(&before->dispatching, 0);
    if (thread == NULL)
        return raised;
    if (irql < thread->irql || irql > HIGH_LEVEL)
        raise_is_wrong(thread, irql, routine, caller);
    if (irql >= DISPATCH_LEVEL && !ke_dispatch_reenter(thread))
        thread = ke_processor_claim(thread, KE_PROCESSOR_ANY, routine);
    if (thread == NULL)
        return raised;
    raised = (ke_raised_t){ thread, thread->irql };
    thread->irql = irql;
    if (irql >= DISPATCH_LEVEL && raised.old < DISPATCH_LEVEL)
        ke_forced_raised();
    return raised;
}

static _Noreturn void lower_is_wrong(const ke_thread_t *thread, KIRQL wanted, const char *routine, ULONG_PTR caller)
{
    ke_bugcheck(routine, "The IRQL to lower to is above the current one: give the value that the matching raise returned.",
                IRQL_NOT_LESS_OR_EQUAL, wanted, thread->irql, 0, caller);
}

NTMM_COLD void ke_lower_rare(ke_thread_t *thread, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    thread = ke_thread_ready(routine);
    if (thread == NULL)
        return;
    if (irql > thread->irql)
        lower_is_wrong(thread, irql, routine, caller);
    if (thread->irql < DISPATCH_LEVEL) {
        thread->irql = irql;
        return;
    }
    ke_interrupts_deliver(thread, irql);
    if (irql < DISPATCH_LEVEL && thread->dpc == NULL) { /* inside a DPC routine, whoever runs it goes on with the queue */
        thread->irql = DISPATCH_LEVEL;
        ke_processor_drain(thread);
    }
    thread->irql = irql;
    ke_dispatch_leave(thread);
    if (irql < DISPATCH_LEVEL && thread->dpc == NULL)
        ke_forced_lowered(thread);
}

/* Something became pending between the look at it and the end of `dispatching`: go back up and down once more. */
NTMM_COLD void ke_lower_late(ke_thread_t *thread, const char *routine)
{
    KIRQL irql = thread->irql;

    if (thread->dpc != NULL) {
        ke_processor_left(thread);
        return;
    }
    thread = ke_raise(DISPATCH_LEVEL, routine, KE_CALLER()).thread;
    if (thread != NULL)
        ke_lower_rare(thread, irql, routine, KE_CALLER());
}

VOID  KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql) { *OldIrql = ke_raise(NewIrql, __func__, KE_CALLER()).old; }
KIRQL KzRaiseIrql(KIRQL NewIrql) { return ke_raise(NewIrql, __func__, KE_CALLER()).old; }
KIRQL KeRaiseIrqlToDpcLevel(VOID) { return ke_raise(DISPATCH_LEVEL, __func__, KE_CALLER()).old; }
VOID  KeLowerIrql(KIRQL NewIrql) { ke_lower(ke_self(), NewIrql, __func__, KE_CALLER()); }
VOID  KzLowerIrql(KIRQL NewIrql) { ke_lower(ke_self(), NewIrql, __func__, KE_CALLER()); }

/* Bug-check callbacks ask, too, and whoever inspects a halted machine: there the answer is the IRQL of the stop. */
KIRQL KeGetCurrentIrql(VOID)
{
    ke_thread_t *thread = ke_self();
    uint32_t     state = atomic_load_explicit(&ke_machine_state, memory_order_relaxed);

    if (NTMM_UNLIKELY(state != KE_MACHINE_HALTED && (state != KE_MACHINE_UP || thread->generation != ke_machine_generation)))
        thread = ke_thread_ready(__func__);
    return thread != NULL ? thread->irql : PASSIVE_LEVEL;
}
