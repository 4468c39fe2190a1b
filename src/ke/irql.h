/*
 * irql.h - raising and lowering, for the rest of ke: the public routines and every kind of spin lock are made of these two.
 * `routine` is the public routine on whose behalf it happens, `caller` the driver's return address, both for stop reports.
 * Whoever checks IRQL rules beyond the always-checked ones (a verifier) finds every raise and lower of the library pass through here.
 */
#ifndef NTMM_KE_IRQL_H
#define NTMM_KE_IRQL_H

#include "ke/thread.h"

#define KE_CALLER() ((ULONG_PTR)__builtin_return_address(0))

typedef struct ke_raised { /* comes back in two registers */
    ke_thread_t *thread;   /* the thread's own record; NULL: refused */
    KIRQL        old;      /* PASSIVE_LEVEL when refused */
} ke_raised_t;

/* Whatever a raise is besides two stores: a processor to claim, a level below DISPATCH_LEVEL, 0x9, a refusal. */
NTMM_COLD ke_raised_t ke_raise_rare(KIRQL irql, const char *routine, ULONG_PTR caller);
/* Whatever a lower is besides two stores: 0xA, masked interrupts, DPCs, a handover, a refusal. */
NTMM_COLD void ke_lower_rare(ke_thread_t *thread, KIRQL irql, const char *routine, ULONG_PTR caller);
NTMM_COLD void ke_lower_late(ke_thread_t *thread, const char *routine);

static inline ke_raised_t ke_raise(KIRQL irql, const char *routine, ULONG_PTR caller)
{
    ke_thread_t *thread = ke_self();
    KIRQL        old = thread->irql;

    if (NTMM_UNLIKELY(irql < DISPATCH_LEVEL || irql > HIGH_LEVEL || irql < old || !ke_dispatch_reenter(thread)))
        return ke_raise_rare(irql, routine, caller);
    thread->irql = irql;
    return (ke_raised_t){ thread, old };
}

static inline void ke_lower(ke_thread_t *thread, KIRQL irql, const char *routine, ULONG_PTR caller)
{
    KIRQL before = thread->irql;

    if (NTMM_UNLIKELY(irql > before || before < DISPATCH_LEVEL ||
                      atomic_load_explicit(&thread->processor->pending, memory_order_relaxed) != 0)) {
        ke_lower_rare(thread, irql, routine, caller);
        return;
    }
    thread->irql = irql;
    if (irql >= DISPATCH_LEVEL)
        return;
    atomic_store_explicit(&thread->dispatching, 0, memory_order_release);
    host_fence_light();
    if (NTMM_UNLIKELY(atomic_load_explicit(&thread->processor->pending, memory_order_relaxed) != 0))
        ke_lower_late(thread, routine);
}

#endif
