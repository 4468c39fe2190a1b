/*
 * fault_posix.c - SIGSEGV and SIGBUS as the machine's page faults, SIGFPE as its divide error.
 *
 *     the kernel -> on_fault -> the machine's handler -> RESOLVED   the instruction runs again
 *                      |                               > REDIRECT   the context was edited: ordinary code runs next, outside the handler
 *                      |                               > NOT_OURS --+
 *                      +-- sent by kill(), no machine, or a fault   |
 *                          inside the machine's own handler --------+-> the chained handler (fault_chain.c)
 *
 * on_fault runs on the thread's alternate stack, all asynchronous signals blocked, and calls only what is async-signal-safe.
 *
 * Locks       none here; the chain's, when a fault is not ours.
 * Elsewhere   the signal frame of each host: fault_context.h. Back to an instruction after a redirect: fault_resume.c. Reading memory that
 *             may fault, without a handler: copy_safely.c.
 */
#include "host/fault_chain.h"
#include "host/fault_context.h"
#include "host/fault_resume.h"
#include "host/host.h"
#include "host/jump.h"
#include "host/memory_tools.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(host_fault_handler_t) machine_handler;

/* The code that this thread interrupted to run the machine's handler; NULL while it does not. A fault meanwhile is our own mistake, or the
 * handler read through a damaged pointer. */
static HOST_THREAD_LOCAL ucontext_t *volatile interrupted;

/* true: the thread can go on. */
static bool offer_to_machine(int signal, const siginfo_t *info, ucontext_t *context)
{
    host_fault_handler_t handler = atomic_load_explicit(&machine_handler, memory_order_acquire);
    if (handler == NULL || interrupted != NULL || HOST_SENT_BY_A_PROGRAM(info))
        return false;
    host_fault_t fault = { .bus = signal == SIGBUS, .division = signal == SIGFPE, .context = context };
    if (fault.division && info->si_code != FPE_INTDIV && info->si_code != FPE_INTOVF)
        return false;
    context_read(&fault, info, context);
    fault.by_key = context_is_by_key(info);
    if (host_fault_resumes(context, fault.pc))
        return true;
    interrupted = context;
    host_fault_verdict_t verdict = handler(&fault);
    interrupted = NULL;
    return verdict != HOST_FAULT_NOT_OURS;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    if (!offer_to_machine(signal, info, context)) {
        ucontext_t *outer = interrupted;
        interrupted = NULL; /* a chained handler that leaves by longjmp leaves neither this mark nor our signal mask behind */
        host_chain_call(signal, info, context, outer != NULL ? &outer->uc_sigmask : &((ucontext_t *)context)->uc_sigmask);
        interrupted = outer;
    }
    errno = saved_errno;
}

int host_faults_start(host_fault_handler_t handler)
{
    host_fault_handler_t none = NULL;
    (void)host_is_library_code(0); /* computes its table now: inside a handler it could not */
    host_jump_prepare();
    if (!atomic_compare_exchange_strong(&machine_handler, &none, handler))
        return -EBUSY;
    host_thread_faults_prepare();
    int error = host_chain_start(on_fault);
    if (error != 0)
        atomic_store(&machine_handler, NULL);
    return error;
}

void host_faults_stop(void)
{
    atomic_store_explicit(&machine_handler, NULL, memory_order_release);
    host_chain_stop();
}

void host_faults_rearm(void) { host_chain_rearm(); }

bool host_faults_armed(void) { return host_chain_armed(); }

void host_fault_redirect(host_fault_t *fault, void (*target)(void *), void *argument, void *stack_top)
{
    uintptr_t       top = stack_top != NULL ? (uintptr_t)stack_top : fault->sp - HOST_RED_ZONE;
    host_landing_t *landing = (host_landing_t *)(top & ~(uintptr_t)15) - 1;
    host_tools_forget(landing, sizeof *landing); /* below the stack pointer nobody should write, says memcheck */
    landing->pc = fault->pc;
    landing->sp = fault->sp;
    if (fault->execute && fault->address == fault->pc)
        context_skip_bad_call(fault->context, landing);
    context_enter(fault->context, landing, (uintptr_t)target, (uintptr_t)argument);
}

/* ---- the alternate stack ---- */

enum { HANDLER_BYTES = 64 << 10, HANDLER_BYTES_LEAST = 16 << 10 }; /* on top of the signal frame, whose size the processor decides */

static pthread_key_t  stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;
static bool           stack_key_made;

static size_t frame_bytes(void)
{
    long bytes = -1;
#ifdef _SC_MINSIGSTKSZ
    bytes = sysconf(_SC_MINSIGSTKSZ);
#endif
    return bytes > 0 ? (size_t)bytes : (size_t)MINSIGSTKSZ;
}

static size_t stack_bytes(void)
{
    size_t page = host_page_size();
    return (HANDLER_BYTES + frame_bytes() + page - 1) & ~(page - 1);
}

/* One inaccessible page lies below. */
static void free_stack(void *base)
{
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0 && now.ss_sp == base) {
        stack_t none = { .ss_flags = SS_DISABLE, .ss_size = (size_t)MINSIGSTKSZ };
        if (sigaltstack(&none, NULL) != 0)
            return; /* we run on it */
    }
    host_release((char *)base - host_page_size(), stack_bytes() + host_page_size());
}

static void make_stack_key(void) { stack_key_made = pthread_key_create(&stack_key, free_stack) == 0; }

static void *make_stack(void)
{
    size_t page = host_page_size(), bytes = stack_bytes();
    char  *memory = host_reserve(bytes + page);
    if (memory == NULL)
        return NULL;
    if (host_protect(memory + page, bytes, HOST_READ | HOST_WRITE) != 0) {
        host_release(memory, bytes + page);
        return NULL;
    }
    return memory + page;
}

/* A stack that somebody else has given the thread serves as well, if there is room on it. Without memory for one of ours the thread goes
 * without: then only a fault on an overflown stack is fatal. */
void host_thread_faults_prepare(void)
{
    stack_t now;
    (void)interrupted; /* a volatile read: the handler is never the first to touch this thread's variable, which may allocate it */
    bool has_one = sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0;
    if (has_one && (now.ss_size >= HANDLER_BYTES_LEAST + frame_bytes() || (now.ss_flags & SS_ONSTACK) != 0))
        return;
    pthread_once(&stack_once, make_stack_key);
    if (!stack_key_made)
        return;
    void *base = pthread_getspecific(stack_key);
    if (base == NULL && (base = make_stack()) == NULL)
        return;
    stack_t ours = { .ss_sp = base, .ss_size = stack_bytes() };
    if (pthread_setspecific(stack_key, base) == 0)
        sigaltstack(&ours, NULL);
}
