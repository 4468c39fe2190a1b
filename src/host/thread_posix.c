/*
 * thread_posix.c - threads of the host: start and join, what runs when one ends or the process forks, short and long waits, and a fence
 * that only its rare side pays for.
 *
 * The asymmetric fence. Two threads that each store to one word and load the other's (a processor's owner and the thread that wants to
 * take it over) need a full fence between the store and the load, on both sides: 6 ns on a path that runs at every KeRaiseIrql. With
 * membarrier the owner's side needs only the compiler's order, because the taker asks the kernel to run a full fence on every processor
 * that executes a thread of this process. Where the kernel has no such call both sides pay.
 *
 * Units       nanoseconds.
 * Locks       none; host_wait and host_wake may be called from a fault handler.
 * Elsewhere   waiting without a futex: wait_table.c. Alternate signal stacks: fault_posix.c.
 */
#include "host/fault_chain.h"
#include "host/host.h"
#include "host/wait_table.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#endif

/* ---- start and join ---- */

struct host_thread {
    pthread_t handle;
    void (*entry)(void *);
    void *argument;
};

static void *thread_main(void *argument)
{
    host_thread_t *thread = argument;
    thread->entry(thread->argument);
    return NULL;
}

/* The program's own asynchronous signals belong to the program's own threads. What the processor raises here must get through, and so
 * must a profiler's clock. */
static void block_foreign_signals(sigset_t *before)
{
    static const int kept[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF };
    sigset_t         blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(kept); i++)
        sigdelset(&blocked, kept[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, before);
}

int host_thread_start(host_thread_t **out, void (*entry)(void *), void *argument)
{
    host_thread_t *thread = malloc(sizeof *thread);
    *out = NULL;
    if (thread == NULL)
        return -ENOMEM;
    thread->entry = entry;
    thread->argument = argument;
    sigset_t before;
    block_foreign_signals(&before);
    int error = pthread_create(&thread->handle, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        free(thread);
        return -error;
    }
    *out = thread;
    return 0;
}

void host_thread_join(host_thread_t *thread)
{
    if (thread == NULL)
        return;
    NTMM_INVARIANT(pthread_join(thread->handle, NULL) == 0, "a thread is joined once, and not by itself");
    free(thread);
}

uint64_t host_thread_id(void)
{
#ifdef __APPLE__
    uint64_t id = 0;
    pthread_threadid_np(NULL, &id);
    return id;
#else
    return (uint64_t)syscall(SYS_gettid);
#endif
}

/* ---- the end of a thread, the birth of a process ---- */

/* The thread's argument is the value of a pthread key and not a thread-local variable: on macOS those are gone when key destructors run. */
static pthread_key_t  exit_key;
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static int            exit_key_error;
static void (*_Atomic exit_hook)(void *);

static void run_exit_hook(void *argument)
{
    void (*hook)(void *) = atomic_load(&exit_hook);
    if (hook != NULL)
        hook(argument);
}

static void make_exit_key(void) { exit_key_error = pthread_key_create(&exit_key, run_exit_hook); }

int host_at_thread_exit(void (*hook)(void *), void *argument)
{
    pthread_once(&exit_once, make_exit_key);
    if (exit_key_error != 0)
        return -exit_key_error;
    void (*known)(void *) = NULL;
    if (argument != NULL && !atomic_compare_exchange_strong(&exit_hook, &known, hook) && known != hook)
        return -EBUSY;
    return -pthread_setspecific(exit_key, argument);
}

static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static void (*_Atomic fork_hook)(void);

static void run_fork_hook(void)
{
    host_wait_table_forget();
    host_chain_forget_lock();
    void (*hook)(void) = atomic_load(&fork_hook);
    if (hook != NULL)
        hook();
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, run_fork_hook); }

void host_at_fork_child(void (*hook)(void))
{
    atomic_store(&fork_hook, hook);
    pthread_once(&fork_once, watch_forks);
}

/* ---- waiting ---- */

void host_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* `yield` does nothing on most cores; this holds the pipeline for about as long as x86's pause */
#endif
}

void host_yield(void) { sched_yield(); }

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
}

void host_sleep_ns(uint64_t ns)
{
    struct timespec rest = to_timespec(ns);
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
        ;
}

#ifdef __linux__
void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    struct timespec limit = to_timespec(timeout_ns);
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout_ns != 0 ? &limit : NULL, NULL, 0);
}

void host_wake(_Atomic uint32_t *word, bool all) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, all ? INT32_MAX : 1, NULL, NULL, 0); }
#else
void host_wait(_Atomic uint32_t *word, uint32_t expected, uint64_t timeout_ns) { host_wait_table_wait(word, expected, timeout_ns); }

void host_wake(_Atomic uint32_t *word, bool all)
{
    (void)all; /* a bucket is shared: waking only one sleeper might wake the wrong one */
    host_wait_table_wake(word);
}
#endif

/* ---- the asymmetric fence ---- */

bool             host_fence_is_free;
_Atomic uint32_t host_fence_word;

#ifdef __linux__
static pthread_once_t fences_once = PTHREAD_ONCE_INIT;

static bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

static void choose_fence(void)
{
    host_fence_is_free = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

int host_fences_start(void) { return -pthread_once(&fences_once, choose_fence); }

void host_fence_heavy(void)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (!host_fence_is_free || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
        return;
    /* A forked child may have to register again. */
    NTMM_INVARIANT(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED),
                   "membarrier, which worked when the fence was chosen, still works");
}
#else
int host_fences_start(void) { return 0; }
void host_fence_heavy(void) { atomic_thread_fence(memory_order_seq_cst); }
#endif
