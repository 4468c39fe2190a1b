/*
 * stack.h - the stacks that a thread runs on: its host's, and kernel stacks that the machine has switched it to.
 *
 *     level 0     the stack that the host gave the thread
 *     level 1     a kernel stack: ntmm_on_kernel_stack, a system thread
 *     level 2 ..  expansions of it (KeExpandKernelStackAndCallout), and for a while the rest of level 0: stop reports are written there
 *
 * Inner levels are left before outer ones, but by any way: by returning, by an exception or a bug check that goes to an outer level
 * (ke_stack_leave_to), and by somebody's longjmp(), of which nobody is told (ke_stack_forget_left finds out).
 *
 * Units   addresses; bytes.
 * Locks   none: a thread looks at its own stacks only.
 */
#ifndef NTMM_KE_STACK_H
#define NTMM_KE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ke_stack {
    uintptr_t guard;     /* [guard, low) faults when it is touched */
    uintptr_t low, high; /* [low, high) is the stack */
    unsigned  tool;      /* by which Valgrind knows it */
} ke_stack_t;

/* mm makes kernel stacks, at any IRQL up to DISPATCH_LEVEL. take: false, with the reason in ke_error, when none can be had. */
typedef struct ke_stack_maker {
    bool (*take)(size_t bytes, ke_stack_t *stack);
    void (*give)(const ke_stack_t *stack);
} ke_stack_maker_t;
extern ke_stack_maker_t ke_stack_maker;

/* Runs body there, and gives the stack back when body returns or is left. false: too many levels; nothing has run, the stack is the caller's. */
bool ke_stack_run(const ke_stack_t *stack, void (*body)(void *), void *context);
/* Runs body where a stop report has room: directly on a thread that is on no kernel stack, else below what the host's stack holds. */
void ke_stack_on_host(void (*body)(void *), void *context);

/* Leaves every level that is inside the one where `address` lies, and goes on there in `then(argument)`, which does not return. */
_Noreturn void ke_stack_leave_to(uintptr_t address, void (*then)(void *), void *argument);
/* Code at that stack pointer runs, so the levels inside of it have been left, if there are any. */
void ke_stack_forget_left(uintptr_t sp);
void ke_stack_forget_left_at_stop(uintptr_t sp); /* the same with any lock in the hand: the stacks stay with the machine that halts */
void ke_stacks_thread_ends(void);

uint32_t ke_stack_level(uintptr_t address);                    /* async-signal-safe; the emergency stack is inside of everything */
bool     ke_stack_is_left(uintptr_t address, uintptr_t sp);    /* the function whose frame holds it, when sp is the stack pointer of now */
bool     ke_stack_of(uintptr_t sp, ke_stack_t *stack);         /* the kernel stack that it lies on. Async-signal-safe */
bool     ke_stack_overflowed(uintptr_t address, uintptr_t sp); /* touching the address was one call too many. Async-signal-safe */
void     ke_stack_limits(uintptr_t sp, uintptr_t *low, uintptr_t *high); /* of the stack of now, whichever it is */
bool     ke_stack_holds(uintptr_t address, size_t bytes);                /* all on one of the thread's stacks */
void    *ke_stack_emergency(void);                                       /* for the fault handler: the stack of now is full, go on there */
bool     ke_fault_on_emergency_stack(uintptr_t address);                 /* fault.c */

/* A kernel stack of so many bytes; more where a sanitizer makes frames larger. */
bool ke_stack_take(size_t bytes, ke_stack_t *stack);

#endif
