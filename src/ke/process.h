/*
 * process.h - process objects: who runs, who is charged for pool, who still refers to it.
 * A record lives until its last reference is gone: the control API's, one for each thread that is attached, one for each block of pool that
 * was charged to it, and those that drivers and handles take. Its address space goes earlier, with the last user: the control API, or a thread that runs in it.
 *
 *     free --- ntmm_process_create ---> 1 reference --- attach, charge: more --- destroy, detach, free: fewer ---> 0: free again
 *                                       1 user      --- attach: more --- destroy, detach: fewer --- 0: no address space any more
 *
 * A thread belongs to one process (ntmm_process_attach), and runs in the address space of that one or of another that it is attached to
 * (KeStackAttachProcess, process_attach.c).
 *
 * Units       bytes of quota.
 * Lock key: (A) atomic   (L) the lock of process.c; references leave 0 under it   (W) the walk of pool_walk.c, alone
 */
#ifndef NTMM_KE_PROCESS_H
#define NTMM_KE_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <ntmm/ntmm.h>

#include "ke/thread.h"

typedef enum ke_quota { KE_QUOTA_NONPAGED, KE_QUOTA_PAGED, KE_QUOTAS } ke_quota_t;

#define KE_PROCESS_ALIGN 128u /* the low bits of a record's address are free for whoever keeps it (ex/pool_quota.h) */
#define KE_NO_QUOTA_LIMIT UINT64_MAX

struct ke_process {
    _Alignas(KE_PROCESS_ALIGN) _Atomic uint32_t references; /* (A) 0: the record is free, and leaves that state under (L) */
    _Atomic uint32_t has_handle;                            /* (A) the control API has not destroyed it */
    _Atomic uint64_t charged[KE_QUOTAS];                    /* (A) */
    _Atomic uint64_t limit[KE_QUOTAS];                      /* (A) KE_NO_QUOTA_LIMIT: as much as there is */
    uint64_t         found[KE_QUOTAS];                      /* (W) what a check found charged to it, */
    uint32_t         blocks_found;                          /* (W) and in how many blocks */
    _Atomic uint32_t by_drivers;                            /* (A) of the references: those that drivers and handles have taken */
    uint32_t         users;                                 /* (L) who keeps the address space */
    _Atomic(void *)  space;                                 /* (A) leaves and becomes NULL under (L): mm's, struct mm_space; NULL: none */
    uint64_t         created_100ns, ended_100ns;            /* since 1601; ended: 0 while it runs */
    uint32_t         start_number;                          /* counts the processes of this boot */
};
_Static_assert(sizeof(ke_process_t) == KE_PROCESS_ALIGN, "records lie side by side");

int           ke_processes_boot(void);     /* -ENOMEM; only the System process is there */
void          ke_processes_shutdown(void); /* all others are gone, whoever refers to them */
ke_process_t *ke_process_current(const ke_thread_t *thread);
ke_process_t *ke_process_system(void);
bool          ke_process_is_at(uintptr_t address); /* a live record begins there; any number may be asked for */
ke_process_t *ke_process_by_id(uintptr_t id);      /* as PsGetProcessId counts; NULL: there is none. No reference */
uintptr_t     ke_process_id(const ke_process_t *process);
void          ke_process_leave(ke_thread_t *thread); /* back to System: also when a thread ends */

bool ke_process_reference(ke_process_t *process); /* false: the record is free */
void ke_process_dereference(ke_process_t *process);
/* For the object manager: how many references drivers and handles have now; -1: the process is gone, or they have none to give back. */
int64_t ke_process_object_reference(void *process);
int64_t ke_process_object_dereference(void *process);

/* One more user, with a reference; the last one takes the address space with it. false: the record is free. */
bool ke_process_use(ke_process_t *process);
void ke_process_unuse(ke_process_t *process);

/* mm hangs address spaces on the life of a process. Called with no lock held; each may be NULL. */
typedef struct ke_process_hooks {
    void (*ending)(ke_process_t *process); /* ntmm_process_destroy, before anything has changed; may stop the machine */
    void (*left)(ke_process_t *process);   /* a thread that was in it is in another one now */
    void (*stop)(void *space);             /* its last user has left */
} ke_process_hooks_t;
extern ke_process_hooks_t ke_process_hooks;
static inline void        ke_process_was_left(ke_process_t *process) /* NULL: System */
{
    if (process != NULL && ke_process_hooks.left != NULL)
        ke_process_hooks.left(process);
}
/* ex hears of processes that come and go: called outside of the library. An error: the process must not come. */
extern NTSTATUS (*ke_process_notice)(ke_process_t *process, bool created);
/* The address space that it has from now on: this one, or another that it has already. NULL: it has ended. */
void *ke_process_set_space(ke_process_t *process, void *space);

/* Charge and take a reference for the block; false: it would exceed the limit, nothing has changed. */
bool ke_process_charge(ke_process_t *process, ke_quota_t kind, uint64_t bytes);
/* Gives back and drops that reference: 0. So many of the bytes were never charged: nothing has changed. */
uint64_t ke_process_refund(ke_process_t *process, ke_quota_t kind, uint64_t bytes);

/* For checks: `found` and `blocks_found` of all begin at 0; afterwards the first process whose sums disagree, or NULL. */
void          ke_processes_check_begin(void);
ke_process_t *ke_processes_check_end(void);

#endif
