/*
 * catch.h - where a stopped thread goes: the side of the catch frames that only the stop itself and the fault handler see.
 */
#ifndef NTMM_KE_CATCH_H
#define NTMM_KE_CATCH_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "ke/bugcheck.h"

/* A place to jump back to, on this stack or, for the fault resolver, on the signal stack. ThreadSanitizer forgets every sigsetjmp
 * below another one, and "below" has no meaning between two stacks: it is not told. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KE_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(KE_THREAD_SANITIZER)
typedef struct ke_escape {
    void *words[5];
} ke_escape_t;
#define ke_escape_here(escape) __builtin_setjmp((escape)->words) /* not 0: arrived by ke_escape_take */
#define ke_escape_take(escape) __builtin_longjmp((escape)->words, 1)
#else
typedef struct ke_escape {
    sigjmp_buf buffer;
} ke_escape_t;
#define ke_escape_here(escape) sigsetjmp((escape)->buffer, 0)
#define ke_escape_take(escape) siglongjmp((escape)->buffer, 1)
#endif

/* true: code at that stack pointer runs inside a catch of this thread, or inside a guarded part of a report. Async-signal-safe, changes
 * nothing. */
bool ke_catch_is_live(uintptr_t sp);

/* Leave for the innermost live catch of this thread, else for the start of a system thread, else end the thread or the process.
 * first: this thread stopped the machine; with no catch in the whole process that ends the process. */
_Noreturn void ke_catch_leave(const ntmm_bugcheck *stop, uintptr_t sp, bool first);

/* The stop of this thread will come back through a catch of its own, if it has one: nobody else needs to tell of it. */
void ke_catch_take(uintptr_t sp);
void ke_catch_look_around(void); /* remembers whether any thread catches, for ke_catch_leave(first) */

void ke_catch_fork_forget(void); /* in a forked child: only the calling thread's catches are in this process */

/* What stopped the machine of this generation; waits until the report is complete. */
const ntmm_bugcheck *ke_first_stop(void);

/* While it is not NULL, a stop or a wait on this thread goes here instead: a part of the report, or the page-fault resolver, is running. */
ke_escape_t *ke_escape_set(ke_escape_t *escape); /* returns the one before */
/* Parts of a stop that may themselves fault or stop: the drivers' callbacks, hooks that read damaged structures. false: it did not
 * return. */
bool ke_guarded(void (*call)(void *), void *context);

/* Stacks that the machine itself switched to; low == high: none, the thread is on its host stack. Returns the range before. */
typedef struct ke_stack_range {
    uintptr_t low, high;
} ke_stack_range_t;
ke_stack_range_t ke_stack_switched(ke_stack_range_t now);

#endif
