/*
 * catch.h - where a stopped thread goes: the side of the catch frames that only the stop itself and the fault handler see.
 */
#ifndef NTMM_KE_CATCH_H
#define NTMM_KE_CATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "host/jump.h"
#include "ke/bugcheck.h"

/* A place to jump back to, on this stack or, for the fault resolver, on the signal stack. Not a sigjmp_buf: ThreadSanitizer forgets every
 * sigsetjmp below another one, and "below" has no meaning between two stacks. */
typedef struct ke_escape {
    host_jump_t jump;
} ke_escape_t;
#define ke_escape_here(escape) ((escape)->jump.first = 0, host_jump_save(&(escape)->jump)) /* not 0: arrived by ke_escape_take */
_Noreturn static inline void ke_escape_take(const ke_escape_t *escape)
{
    host_jump_leaves_frames();
    host_jump_to(&escape->jump, 1);
}

/* true: code at that stack pointer runs inside a catch of this thread, or inside a guarded part of a report. Async-signal-safe, changes
 * nothing. */
bool ke_catch_is_live(uintptr_t sp);

/* Leave for the innermost live catch of this thread, else for the start of a system thread, else end the thread or the process.
 * first: this thread stopped the machine; with no catch in the whole process that ends the process. */
_Noreturn void ke_catch_leave(const ntmm_bugcheck *stop, uintptr_t sp, bool first);

/* The stop of this thread will come back through a catch of its own, if it has one: nobody else needs to tell of it. */
void ke_catch_take(uintptr_t sp);
void ke_catch_look_around(void); /* remembers whether any thread catches, for ke_catch_leave(first) */

/* An exception was handled inside of only so many catches of this thread. */
extern HOST_THREAD_LOCAL uint32_t ke_catch_count;
void                              ke_catch_unwound(uint32_t count);
void ke_catches_drop_left(uintptr_t sp); /* frames of functions that have been left, when code at that stack pointer runs */

void ke_catch_fork_forget(void); /* in a forked child: only the calling thread's catches are in this process */

/* What stopped the machine of this generation; waits until the report is complete. */
const ntmm_bugcheck *ke_first_stop(void);

/* While it is not NULL, a stop or a wait on this thread goes here instead: a part of the report, or the page-fault resolver, is running. */
ke_escape_t *ke_escape_set(ke_escape_t *escape); /* returns the one before */
/* Parts of a stop that may themselves fault or stop: the drivers' callbacks, hooks that read damaged structures. false: it did not
 * return. */
bool ke_guarded(void (*call)(void *), void *context);

#endif
