/*
 * protection_key.h - memory that is closed to one thread and open to another: protection keys.
 * A page table entry carries a key of 4 bits. Each thread has a register that says which keys are closed to it, PKRU, and changes it by an
 * instruction of user mode: no system call, no other thread disturbed, and no page table changed.
 *
 *     a page's protection allows it  and  its key is open to the thread     the load or store is done
 *     else                                                                  SIGSEGV; SEGV_PKUERR where the key is closed, whatever else is wrong
 *
 *     instruction fetches      the key does not count
 *     system calls             count as the thread's own: EFAULT, but for those that read as another process would (copy_safely.c)
 *     signal handlers          begin with every key closed but 0, and the interrupted code has its own register back afterwards
 *     new threads              inherit the register; threads that were there before the key was taken have it closed
 *
 * So a thread may find the key closed that should have it open. The fault handler opens it in the interrupted thread's register.
 *
 * One key serves the whole process. It is taken when first asked for, and kept: a thread that nobody knows of may have any value for it.
 *
 * Where       Linux on x86-64 whose processor has PKU; not under Valgrind.
 * Elsewhere   what the fault handler reads from a signal frame: fault_context.h.
 * Locks       none; take and use while no machine is up.
 * Source      Linux: pkeys(7), pkey_alloc(2); core-api/protection-keys. Intel SDM volume 3, Protection Keys; volume 1, XSAVE (PKRU is component 9).
 */
#ifndef NTMM_HOST_PROTECTION_KEY_H
#define NTMM_HOST_PROTECTION_KEY_H

#include "host/host.h"

bool host_key_take(void);     /* false: this host has none, or others have taken all of them */
void host_key_use(bool used); /* the next three do something from now on, or nothing. Used: it is open to the calling thread */

/* Async-signal-safe, but in a handler they change the handler's register alone. */
void host_key_close(void); /* to the calling thread, which loses what lies under the key */
void host_key_open(void);
bool host_key_open_interrupted(
    const host_fault_t *fault); /* to the thread that the handler has interrupted; false: its register is not found */

/* Pages come under the key, or away from it. `access` is what they have now, and keep. Later mprotects leave the key as it is. */
int host_key_cover(void *at, size_t bytes, unsigned access, bool covered);

#endif
