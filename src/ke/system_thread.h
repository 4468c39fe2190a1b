/*
 * system_thread.h - threads that the machine makes: what ex needs for PsCreateSystemThread, and the shutdown.
 */
#ifndef NTMM_KE_SYSTEM_THREAD_H
#define NTMM_KE_SYSTEM_THREAD_H

#include "ke/process.h"
#include "ke/thread.h"

typedef struct ke_system_thread ke_system_thread_t;

/* A thread on a kernel stack of its own, in that process (NULL: System), which waits for the word to begin. NULL: no memory, or the host has no
 * thread. Its object, ke_system_thread_object, has a reference for the caller. */
ke_system_thread_t *ke_system_thread_make(PKSTART_ROUTINE routine, PVOID context, ke_process_t *process);
ke_thread_t        *ke_system_thread_object(ke_system_thread_t *thread);
void ke_system_thread_tell(ke_system_thread_t *thread); /* before it begins: who hears of threads hears of this one, now and at its end */
void ke_system_thread_begin(ke_system_thread_t *thread, bool run); /* false: it ends without having run anything */
void ke_system_thread_check_end(const char *routine);              /* the rules: PASSIVE_LEVEL, in no region ... */
_Noreturn void ke_system_thread_end(void);                         /* the calling one, here; exit_status says with what */
bool           ke_is_system_thread(void);                          /* the calling one was made here */

void ke_system_threads_boot(void);
/* All of them end: the ones that sleep in a wait are taken out of it, and counted. false, with the reason in ke_error: one still runs. */
bool ke_system_threads_shutdown(void);
/* Of the machine that is being shut down: the threads that were taken out of a wait. */
void ke_system_threads_visit_abandoned(void (*visit)(void *context, void *object), void *context);

/* A thread of that process (NULL: System) has come, or goes; called at PASSIVE_LEVEL with no lock held. NULL: nobody hears of it. */
extern void (*ke_thread_notice)(ke_thread_t *thread, const ke_process_t *process, bool created);

#endif
