/*
 * rundown.h - one count of users, shared by the plain and the cache-aware form.
 *
 *     2 * users                            in use
 *     1 | address of the waiter's block    being run down: users left are counted there
 *     1                                    run down
 */
#ifndef NTMM_EX_RUNDOWN_H
#define NTMM_EX_RUNDOWN_H

#include <stdbool.h>

#include <ntddk.h>

#define EX_RUNDOWN_ACTIVE ((ULONG_PTR)1)
#define EX_RUNDOWN_ONE ((ULONG_PTR)2)

typedef struct ex_rundown_wait { /* on the waiter's stack */
    LONG64 users;                /* atomic */
    KEVENT is_over;
} ex_rundown_wait_t;

bool ex_rundown_acquire(PEX_RUNDOWN_REF ref, ULONG count);
/* may_borrow: a count of one processor, where another one's users are released, too. false: there are not so many users. */
bool ex_rundown_release(PEX_RUNDOWN_REF ref, ULONG count, bool may_borrow);
/* The count begins to run down, for that waiter. Users that there were, as a signed number; *was_active: somebody has run it down before. */
LONG64         ex_rundown_begin(PEX_RUNDOWN_REF ref, ex_rundown_wait_t *wait, bool *was_active);
void           ex_rundown_users_left(ex_rundown_wait_t *wait, LONG64 count); /* so many less; the last one sets the event */
_Noreturn void ex_rundown_is_wrong(const char *routine, const char *why, ULONG_PTR caller);

#endif
