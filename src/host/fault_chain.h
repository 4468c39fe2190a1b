/*
 * fault_chain.h - the handlers for SIGSEGV, SIGBUS and SIGFPE that other code has, or believes it has, installed.
 */
#ifndef NTMM_HOST_FAULT_CHAIN_H
#define NTMM_HOST_FAULT_CHAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ucontext.h>

typedef void (*host_signal_action_t)(int signal, siginfo_t *info, void *context);

/** Install ours for these signals and keep what was there. 0, -EBUSY when they are installed already, or the host's error. */
int host_chain_start(host_signal_action_t ours);
/** Give the signals back to the last handler of the chain, unless somebody has gone past us and owns the signal already. */
void host_chain_stop(void);
/** Whoever has gone past us becomes the chained handler, and ours is installed again. */
void                host_chain_rearm(void);
bool                host_chain_armed(void);
extern _Atomic bool host_chain_is_armed; /* the same, for the interposed functions: see there */

/** Another party's sigaction. true: answered from the chain, nothing was installed. false: not ours to answer. */
bool host_chain_exchange(int signal, const struct sigaction *action, struct sigaction *old);
/** Deliver to the chained handler, as its flags say, under `mask`, that of the interrupted code. */
void host_chain_call(int signal, siginfo_t *info, ucontext_t *context, const sigset_t *mask);
/** In a forked child: whoever held the chain's lock is not in this process. */
void host_chain_forget_lock(void);

/** The kernel's sigaction, past every wrapper (sigaction_linux.c). For what we install. */
int host_real_sigaction(int signal, const struct sigaction *action, struct sigaction *old);
/** The sigaction that other code would call if ours were not there, a sanitizer's perhaps. For what others install. */
int host_next_sigaction(int signal, const struct sigaction *action, struct sigaction *old);

#endif
