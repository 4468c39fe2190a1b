/*
 * jump.h - a place in a function to come back to, more than once and on any stack: what setjmp() does not promise.
 *
 *     host_jump_save(&jump)        remembers the place; returns jump.first, and v whenever somebody has jumped there:
 *     host_jump_to(&jump, v)       the stack as it was
 *     host_jump_below(&jump, v)    everything down to the function that asks stays on the stack: the saved function runs on with its own
 *                                  frame pointer and a stack pointer far from its frame
 *
 *     stack, growing down      [saved function's frame] [others ...] [who asks] | room | the saved function's calls from now on
 *                                        ^ frame pointer                               ^ stack pointer
 *
 * The last one needs a function that finds its variables through the frame pointer or a register that is kept across calls, never through
 * the stack pointer. A call of alloca() that the compiler cannot rule out makes any function do so.
 *
 * Source      System V AMD64 ABI, 3.2.1; AAPCS64, 6.1: which registers a call preserves. jump.c has the instructions.
 */
#ifndef NTMM_HOST_JUMP_H
#define NTMM_HOST_JUMP_H

#include <stdint.h>

#if defined(__x86_64__)
#define HOST_JUMP_KEPT 6 /* rbx, rbp, r12-r15 */
#elif defined(__aarch64__)
#define HOST_JUMP_KEPT 19 /* x19-x29, d8-d15 */
#else
#error "ntmm knows the registers of x86-64 and AArch64"
#endif

typedef struct host_jump { /* the layout is known to jump.c */
    uintptr_t pc, sp;
    int64_t   first;
    uintptr_t kept[HOST_JUMP_KEPT];
} host_jump_t;

int            host_jump_save(host_jump_t *jump) __attribute__((returns_twice));
_Noreturn void host_jump_to(const host_jump_t *jump, int value);
_Noreturn void host_jump_below(const host_jump_t *jump, int value);

/* Before a jump that leaves functions for good: AddressSanitizer has marked what lies between their variables, and forgets it now.
 * Async-signal-safe once the first has been called. */
void host_jump_prepare(void);
void host_jump_leaves_frames(void);

#endif
