/*
 * interpose.c - the library's own signal() and sigaction(), which every other object of the process finds before the C library's.
 * While faults are armed an installation for SIGSEGV, SIGBUS or SIGFPE goes to the chain (fault_chain.c) and is answered from it. Every other
 * call, and every call at other times, goes on to the next definition: a sanitizer's, or the C library's.
 *
 *     framework -> signal(SIGSEGV, h) -> [sanitizer's wrapper] -> here: armed?  yes: chain = h, return the chain before
 *                                                                              no:  the next signal()
 *
 * Our own installations go past all of them, straight to the kernel (sigaction_linux.c).
 * Where the loader binds names per library (macOS) an interposing table in the library's data does the same for libraries loaded at
 * start. A caller that neither reaches is noticed by host_faults_rearm.
 */
#include "host/fault_chain.h"
#include "host/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* A sanitizer's runtime calls these functions while it starts, when instrumented code would crash it. */
#ifdef __has_attribute
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef UNINSTRUMENTED
#define UNINSTRUMENTED __attribute__((no_sanitize("thread"), no_sanitize("address"), no_sanitize("undefined")))
#endif
#define EXPORTED __attribute__((visibility("default"))) UNINSTRUMENTED

typedef void (*handler_t)(int);
typedef int (*sigaction_t)(int, const struct sigaction *, struct sigaction *);
typedef handler_t (*signal_t)(int, handler_t);

/* signal() in the manner of BSD, as all our hosts have it: the handler stays, system calls restart. `flags` may say otherwise.
 * true: answered from the chain. */
static bool answer_signal(int number, handler_t handler, int flags, handler_t *answer)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags }, old;
    sigemptyset(&action.sa_mask);
    if (!host_chain_exchange(number, handler != SIG_ERR ? &action : NULL, &old))
        return false;
    *answer = old.sa_handler; /* shares its place with sa_sigaction */
    if (handler == SIG_ERR) {
        errno = EINVAL;
        *answer = SIG_ERR;
    }
    return true;
}

#ifdef __APPLE__

int host_real_sigaction(int number, const struct sigaction *action, struct sigaction *old) { return sigaction(number, action, old); }

int host_next_sigaction(int number, const struct sigaction *action, struct sigaction *old) { return sigaction(number, action, old); }

static int interposed_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    return host_chain_exchange(number, action, old) ? 0 : sigaction(number, action, old);
}

static handler_t interposed_signal(int number, handler_t handler)
{
    handler_t answer;
    return answer_signal(number, handler, SA_RESTART, &answer) ? answer : signal(number, handler);
}

__attribute__((used, section("__DATA,__interpose"))) static const struct {
    const void *replacement, *replaced;
} interposed[] = {
    { (const void *)(uintptr_t)interposed_sigaction, (const void *)(uintptr_t)sigaction },
    { (const void *)(uintptr_t)interposed_signal, (const void *)(uintptr_t)signal },
};

#else

UNINSTRUMENTED static bool armed(void) { return NTMM_UNLIKELY(atomic_load_explicit(&host_chain_is_armed, memory_order_acquire)); }

/* The next definition of a name after this object's own; looked up once. */
UNINSTRUMENTED static void *next_symbol(const char *name, void *_Atomic *cache)
{
    void *found = atomic_load_explicit(cache, memory_order_acquire);
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(cache, found, memory_order_release);
    }
    return found;
}

UNINSTRUMENTED int host_next_sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
    static void *_Atomic cache;
    sigaction_t          next = (sigaction_t)(uintptr_t)next_symbol("sigaction", &cache);
    if (next == NULL)
        next = host_real_sigaction; /* a static program: there is no next object */
    return next(number, action, old);
}

EXPORTED int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    return armed() && host_chain_exchange(number, action, old) ? 0 : host_next_sigaction(number, action, old);
}

UNINSTRUMENTED static handler_t signal_by_sigaction(int number, handler_t handler, int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags }, old;
    sigemptyset(&action.sa_mask);
    return host_next_sigaction(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

EXPORTED handler_t signal(int number, handler_t handler)
{
    static void *_Atomic cache;
    handler_t            answer;
    if (armed() && answer_signal(number, handler, SA_RESTART, &answer))
        return answer;
    signal_t next = (signal_t)(uintptr_t)next_symbol("signal", &cache);
    return next != NULL ? next(number, handler) : signal_by_sigaction(number, handler, SA_RESTART);
}

#ifdef __GLIBC__
/* What signal() becomes in a file compiled as strict ISO C: one-shot, and the signal not blocked meanwhile. */
EXPORTED handler_t __sysv_signal(int number, handler_t handler)
{
    static void *_Atomic cache;
    const int            flags = (int)(SA_RESETHAND | SA_NODEFER);
    handler_t            answer;
    if (armed() && answer_signal(number, handler, flags, &answer))
        return answer;
    signal_t next = (signal_t)(uintptr_t)next_symbol("__sysv_signal", &cache);
    return next != NULL ? next(number, handler) : signal_by_sigaction(number, handler, flags);
}
#endif

#endif
