/*
 * stack.h - calling a function on another stack, and what the tools that watch stacks are told of it.
 *
 *     host_stack_leaving(&seen, low, bytes)      the old stack        AddressSanitizer hears of the new one
 *     host_stack_call(top, body, argument)  -->  the new stack        body begins with host_stack_arrived(&seen)
 *                                                                     and ends with host_stack_returning(&seen)
 *     host_stack_returned(&seen)            <--  the old stack        whether the body has returned or jumped
 *
 * The call looks like any other to unwinders and debuggers. ThreadSanitizer counts calls and does not care where frames lie, but takes every
 * place that a longjmp() could return to for left when a setjmp() is made above it. So a stack that lies above the old one is a fiber to it. Any
 * other is not, since somebody's longjmp() could not leave a fiber.
 *
 * Source   the interface headers that gcc, clang and Valgrind install: common_interface_defs.h, valgrind.h.
 */
#ifndef NTMM_HOST_STACK_H
#define NTMM_HOST_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* top: a multiple of 16. */
void host_stack_call(void *top, void (*body)(void *), void *argument);

typedef struct host_stack_seen { /* what AddressSanitizer knew of the stack that was left */
    void       *fake;
    const void *bottom;
    size_t      bytes;
    void       *fiber, *fiber_before; /* and ThreadSanitizer; NULL: no fiber */
} host_stack_seen_t;
/* Of a function that is entered on one fiber and left on another, ThreadSanitizer must not know. */
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define HOST_STACK_SWITCHES __attribute__((disable_sanitizer_instrumentation, noinline))
#endif
#endif
#ifndef HOST_STACK_SWITCHES
#define HOST_STACK_SWITCHES __attribute__((no_sanitize("thread"), noinline))
#endif
void host_stack_leaving(host_stack_seen_t *seen, uintptr_t low, size_t bytes);
void host_stack_arrived(host_stack_seen_t *seen);
void host_stack_returning(const host_stack_seen_t *seen);
void host_stack_returned(const host_stack_seen_t *seen);
void host_stack_left_too(
    const host_stack_seen_t *seen); /* further in than the one that has been left; before host_stack_returned, innermost first */

void     host_stack_wipe(uintptr_t low, size_t bytes); /* its functions were left by a jump: AddressSanitizer forgets their variables */
unsigned host_stack_register(uintptr_t low, uintptr_t high); /* Valgrind; a number for host_stack_forget */
void     host_stack_forget(unsigned number);
unsigned host_stack_factor(void); /* how many times larger frames are in a process that a sanitizer watches; 1: no sanitizer */

/* The calling thread's own stack. false: the host does not tell. Not in a signal handler. */
bool host_stack_bounds(uintptr_t *low, uintptr_t *high);

#endif
