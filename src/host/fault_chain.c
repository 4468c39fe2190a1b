/*
 * fault_chain.c - who had SIGSEGV, SIGBUS and SIGFPE before us, and who asked for them since.
 * A test framework wraps every test in handlers of its own and takes them away afterwards; so does a sanitizer, once. While the machine is
 * up the signals must stay ours, and yet everybody else must find what he expects: a query returns what was installed last, and a fault
 * that is not the machine's reaches that handler.
 *
 *     start: [kernel: theirs]          ->  [kernel: ours]   chain = theirs
 *     their signal() or sigaction()    ->  [kernel: ours]   chain = the new one, answer = the chain before
 *     stop                             ->  [kernel: chain]
 *
 * A sanitizer may stand between the others and the kernel, with handlers of its own there and theirs in a table. So what others asked for
 * is read and written through it (host_next_sigaction), and only what the kernel has is exchanged behind its back (host_real_sigaction).
 *
 * Locks       chain_lock, a spin lock taken with all signals blocked: nothing under it can fault or be interrupted, so the fault handler
 *             may take it as well.
 * Elsewhere   how the calls are intercepted: interpose.c. Which faults come here: fault_posix.c.
 * Fidelity    a chained handler runs on the alternate stack even without SA_ONSTACK, and the fault signals are never blocked in it, so
 *             that one that leaves by longjmp leaves them deliverable.
 */
#include "host/fault_chain.h"
#include "host/fault_context.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static const int fault_signals[] = { SIGSEGV, SIGBUS, SIGFPE };
enum { SIGNAL_COUNT = NTMM_ARRAY_COUNT(fault_signals) };

static atomic_flag chain_lock = ATOMIC_FLAG_INIT;
static struct chain {
    struct sigaction last;                       /* what others believe to be installed */
    struct sigaction before;                     /* what the kernel had when ours was installed */
    bool             changed;                    /* by others, since */
} chains[SIGNAL_COUNT];                          /* under chain_lock */
static host_signal_action_t installed;           /* ours, or NULL; under chain_lock */
_Atomic bool                host_chain_is_armed; /* written under chain_lock */

static void lock_chain(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
    while (atomic_flag_test_and_set_explicit(&chain_lock, memory_order_acquire))
        host_yield();
}

static void unlock_chain(const sigset_t *before)
{
    atomic_flag_clear_explicit(&chain_lock, memory_order_release);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void host_chain_forget_lock(void) { atomic_flag_clear(&chain_lock); }

bool host_chain_armed(void) { return atomic_load_explicit(&host_chain_is_armed, memory_order_acquire); }

static int index_of(int signal)
{
    for (int i = 0; i < (int)SIGNAL_COUNT; i++)
        if (fault_signals[i] == signal)
            return i;
    return -1;
}

/* SA_NODEFER and no fault signal in the mask: a fault inside the handler is delivered and not fatal. The rest waits until it returns. */
static struct sigaction our_action(host_signal_action_t ours)
{
    static const int let_through[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
    struct sigaction action = { .sa_sigaction = ours, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(let_through); i++)
        sigdelset(&action.sa_mask, let_through[i]);
    return action;
}

static bool is_ours(const struct sigaction *action, host_signal_action_t ours)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == ours;
}

static int install(size_t i, host_signal_action_t ours)
{
    struct chain    *chain = &chains[i];
    struct sigaction action = our_action(ours);
    chain->changed = false;
    if (host_next_sigaction(fault_signals[i], NULL, &chain->last) != 0)
        return -errno;
    return host_real_sigaction(fault_signals[i], &action, &chain->before) == 0 ? 0 : -errno;
}

/* Somebody who has gone past us and owns the signal now keeps it. */
static void give_back(size_t i, host_signal_action_t ours)
{
    struct chain    *chain = &chains[i];
    struct sigaction now;
    if (host_real_sigaction(fault_signals[i], NULL, &now) != 0 || !is_ours(&now, ours))
        return;
    host_real_sigaction(fault_signals[i], &chain->before, NULL);
    if (chain->changed)
        host_next_sigaction(fault_signals[i], &chain->last, NULL);
}

int host_chain_start(host_signal_action_t ours)
{
    sigset_t before;
    int      error = 0;
    lock_chain(&before);
    if (host_chain_armed())
        error = -EBUSY;
    for (size_t i = 0; error == 0 && i < SIGNAL_COUNT; i++) {
        error = install(i, ours);
        for (size_t done = i; error != 0 && done-- > 0;)
            give_back(done, ours);
    }
    if (error == 0) {
        installed = ours;
        atomic_store_explicit(&host_chain_is_armed, true, memory_order_release);
    }
    unlock_chain(&before);
    return error;
}

void host_chain_stop(void)
{
    sigset_t before;
    lock_chain(&before);
    for (size_t i = 0; installed != NULL && i < SIGNAL_COUNT; i++)
        give_back(i, installed);
    installed = NULL;
    atomic_store_explicit(&host_chain_is_armed, false, memory_order_release);
    unlock_chain(&before);
}

void host_chain_rearm(void)
{
    sigset_t before;
    lock_chain(&before);
    for (size_t i = 0; installed != NULL && i < SIGNAL_COUNT; i++) {
        struct sigaction now;
        if (host_real_sigaction(fault_signals[i], NULL, &now) == 0 && !is_ours(&now, installed))
            install(i, installed);
    }
    unlock_chain(&before);
}

bool host_chain_exchange(int signal, const struct sigaction *action, struct sigaction *old)
{
    int i = index_of(signal);
    if (i < 0 || !host_chain_armed())
        return false;
    /* The caller's memory is touched outside the lock: it may be anything. */
    struct sigaction wanted = { .sa_flags = 0 }, previous = wanted;
    if (action != NULL)
        wanted = *action;
    sigset_t before;
    lock_chain(&before);
    bool armed = host_chain_armed();
    if (armed) {
        previous = chains[i].last;
        if (action != NULL) {
            chains[i].last = wanted;
            chains[i].changed = true;
        }
    }
    unlock_chain(&before);
    if (armed && old != NULL)
        *old = previous;
    return armed;
}

/* The handler to call now; a one-shot handler is used up by it. */
static struct sigaction take_chained(int signal)
{
    int      i = index_of(signal);
    sigset_t before;
    lock_chain(&before);
    struct sigaction action = chains[i].last;
    if ((action.sa_flags & (int)SA_RESETHAND) != 0) {
        chains[i].last.sa_handler = SIG_DFL;
        chains[i].last.sa_flags = 0;
        chains[i].changed = true;
    }
    unlock_chain(&before);
    return action;
}

/* The process dies of this signal as if we had never been here: the instruction faults again under the default action. A signal that a
 * program sent does not repeat itself, so it is sent again. */
static void die_by_default(int signal, const siginfo_t *info)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    host_real_sigaction(signal, &action, NULL);
    if (HOST_SENT_BY_A_PROGRAM(info))
        pthread_kill(pthread_self(), signal);
}

static void enter_mask(const sigset_t *mask, const struct sigaction *action)
{
    sigset_t extra = action->sa_mask;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigdelset(&extra, fault_signals[i]);
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    pthread_sigmask(SIG_BLOCK, &extra, NULL);
}

void host_chain_call(int signal, siginfo_t *info, ucontext_t *context, const sigset_t *mask)
{
    struct sigaction action = take_chained(signal);
    if ((action.sa_flags & SA_SIGINFO) != 0) {
        enter_mask(mask, &action);
        action.sa_sigaction(signal, info, context);
    } else if (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN) {
        enter_mask(mask, &action);
        action.sa_handler(signal);
    } else if (action.sa_handler == SIG_DFL || !HOST_SENT_BY_A_PROGRAM(info)) {
        die_by_default(signal, info); /* a fault cannot be ignored: the kernel kills as well */
    }
}
