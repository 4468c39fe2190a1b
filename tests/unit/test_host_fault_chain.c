/*
 * test_host_fault_chain.c - who else has SIGSEGV and SIGBUS: handlers from before, handlers installed while faults are armed, and what a
 * query answers. CMocka itself is such a party: it installs signal() handlers around every test, set-up and tear-down.
 */
#include "host/host.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

#include <cmocka.h>

static sigjmp_buf       back;
static volatile int     plain_calls, action_calls; /* volatile: the C library's headers promise that raise() calls nothing here */
static void            *action_address;
static char            *closed_page;
static struct sigaction before_test[2];

static void plain_handler(int number)
{
    (void)number;
    plain_calls++;
    siglongjmp(back, 1);
}

static void action_handler(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    action_calls++;
    action_address = info->si_addr;
    siglongjmp(back, 1);
}

static host_fault_verdict_t not_ours(host_fault_t *fault)
{
    (void)fault;
    return HOST_FAULT_NOT_OURS;
}

/* Not instrumented: a sanitizer touches the shadow of an address before the address itself. */
__attribute__((noinline, no_sanitize("address"), no_sanitize("thread"))) static int load(const void *at)
{
    return *(volatile const char *)at;
}

static void touch(void)
{
    if (sigsetjmp(back, 0) == 0)
        load(closed_page + 9);
}

static int set_up(void **state)
{
    (void)state;
    closed_page = host_reserve(host_page_size());
    plain_calls = action_calls = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sigset_t none;
    host_faults_stop();
    host_release(closed_page, host_page_size());
    sigemptyset(&none); /* handlers are left by siglongjmp here, and some block signals */
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    return 0;
}

static void save_handlers(void)
{
    sigaction(SIGSEGV, NULL, &before_test[0]);
    sigaction(SIGBUS, NULL, &before_test[1]);
}

static void restore_handlers(void)
{
    sigaction(SIGSEGV, &before_test[0], NULL);
    sigaction(SIGBUS, &before_test[1], NULL);
}

static void install_action(int extra_flags)
{
    struct sigaction action = { .sa_sigaction = action_handler, .sa_flags = SA_SIGINFO | extra_flags };
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
}

/* ---- whose handler runs ---- */

static void a_handler_from_before_is_chained(void **state)
{
    (void)state;
    save_handlers();
    signal(SIGSEGV, plain_handler);
    signal(SIGBUS, plain_handler);
    assert_int_equal(host_faults_start(not_ours), 0);
    for (int i = 0; i < 100; i++) /* each is left by siglongjmp: the next must still be delivered */
        touch();
    assert_int_equal(plain_calls, 100);
    host_faults_stop();
    touch();
    assert_int_equal(plain_calls, 101); /* natively again; the signal is blocked from here on, as always after such a jump */
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGSEGV);
    sigaddset(&both, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &both, NULL);
    restore_handlers();
}

static void a_handler_installed_meanwhile_is_chained(void **state)
{
    (void)state;
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    signal(SIGSEGV, plain_handler);
    signal(SIGBUS, plain_handler);
    touch();
    assert_int_equal(plain_calls, 1);
    install_action(0);
    touch();
    touch();
    assert_int_equal(plain_calls, 1);
    assert_int_equal(action_calls, 2);
    assert_ptr_equal(action_address, closed_page + 9);
    restore_handlers();
}

static void a_one_shot_handler_is_used_up(void **state)
{
    (void)state;
    struct sigaction now;
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    install_action((int)SA_RESETHAND);
    touch();
    assert_int_equal(action_calls, 1);
    int signals[] = { SIGSEGV, SIGBUS };
    int reset = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sigaction(signals[i], NULL, &now), 0);
        reset += (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
    }
    assert_int_equal(reset, 1); /* the signal that came */
    restore_handlers();
}

static sigset_t mask_in_handler;

static void look_at_mask(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    (void)context;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_in_handler);
    siglongjmp(back, 1);
}

static void a_chained_handler_has_its_mask(void **state)
{
    (void)state;
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    struct sigaction action = { .sa_sigaction = look_at_mask, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaddset(&action.sa_mask, SIGSEGV);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    touch();
    assert_int_equal(sigismember(&mask_in_handler, SIGUSR2), 1);
    assert_int_equal(sigismember(&mask_in_handler, SIGUSR1), 0);
    assert_int_equal(sigismember(&mask_in_handler, SIGSEGV), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    restore_handlers();
}

static host_fault_verdict_t fault_once_more(host_fault_t *fault)
{
    return load((void *)(fault->address + 1)) ? HOST_FAULT_NOT_OURS : HOST_FAULT_RESOLVED;
}

static void a_fault_in_the_handler_is_chained_every_time(void **state)
{
    (void)state;
    save_handlers();
    assert_int_equal(host_faults_start(fault_once_more), 0);
    install_action(0);
    for (int i = 1; i <= 3; i++) {
        touch();
        assert_int_equal(action_calls, i);
        assert_ptr_equal(action_address, closed_page + 10); /* the second fault, not the first */
    }
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    assert_int_equal(sigismember(&now, SIGUSR1), 0); /* our handler blocks it; the jump out of theirs must not keep that */
    restore_handlers();
}

/* ---- what everybody else sees ---- */

static void a_query_answers_the_chained_handler(void **state)
{
    (void)state;
    struct sigaction now;
    save_handlers();
    install_action(SA_ONSTACK);
    assert_int_equal(host_faults_start(not_ours), 0);
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_ptr_equal(now.sa_sigaction, action_handler);
    assert_int_equal(now.sa_flags & (SA_SIGINFO | SA_ONSTACK), SA_SIGINFO | SA_ONSTACK);
    assert_ptr_equal((void *)(uintptr_t)signal(SIGSEGV, plain_handler), (void *)(uintptr_t)action_handler);
    assert_ptr_equal((void *)(uintptr_t)signal(SIGSEGV, SIG_DFL), (void *)(uintptr_t)plain_handler);
    assert_ptr_equal((void *)(uintptr_t)signal(SIGSEGV, plain_handler), (void *)(uintptr_t)SIG_DFL);
    assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
    assert_ptr_equal(now.sa_sigaction, action_handler); /* each signal has its own chain */
    restore_handlers();
}

#ifdef __GLIBC__
extern void (*__sysv_signal(int, void (*)(int)))(int);

/* What a file compiled as strict ISO C calls when it says signal(). */
static void the_signal_of_strict_c_is_answered_too(void **state)
{
    (void)state;
    struct sigaction now;
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    signal(SIGSEGV, SIG_DFL);
    assert_ptr_equal((void *)(uintptr_t)__sysv_signal(SIGSEGV, plain_handler), (void *)(uintptr_t)SIG_DFL);
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, plain_handler);
    assert_int_equal(now.sa_flags & (int)SA_RESETHAND, (int)SA_RESETHAND);
    restore_handlers();
    void (*old)(int) = __sysv_signal(SIGUSR2, plain_handler); /* and goes on for every other signal */
    assert_int_equal(sigaction(SIGUSR2, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, plain_handler);
    signal(SIGUSR2, old);
}
#endif

static void stop_installs_the_last_of_the_chain(void **state)
{
    (void)state;
    struct sigaction now;
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    signal(SIGSEGV, plain_handler);
    host_faults_stop();
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, plain_handler);
    assert_int_equal(sigaction(SIGBUS, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, before_test[1].sa_handler); /* nobody asked for it meanwhile */
    restore_handlers();
}

static void other_signals_are_not_touched(void **state)
{
    (void)state;
    struct sigaction now;
    assert_int_equal(host_faults_start(not_ours), 0);
    void (*old)(int) = signal(SIGUSR1, plain_handler);
    assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, plain_handler);
    if (sigsetjmp(back, 1) == 0)
        raise(SIGUSR1);
    assert_int_equal(plain_calls, 1);
    signal(SIGUSR1, old);
    errno = 0;
    assert_true(signal(SIGKILL, plain_handler) == SIG_ERR);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_true(signal(SIGSEGV, SIG_ERR) == SIG_ERR);
    assert_int_equal(sigaction(0, NULL, &now), -1);
}

#ifdef __linux__
/* What the kernel itself has for a signal, as no interposed function would tell it. */
struct kernel_action {
    void         *handler;
    unsigned long flags;
    void         *restorer_or_mask[2];
};

static void *kernel_handler(int number)
{
    struct kernel_action now;
    memset(&now, 0, sizeof now);
    assert_int_equal(syscall(SYS_rt_sigaction, number, NULL, &now, 8), 0);
    return now.handler;
}

/* A caller whom interposition does not reach. */
static void go_past(int number, struct kernel_action *action) { assert_int_equal(syscall(SYS_rt_sigaction, number, action, NULL, 8), 0); }

static void nothing_else_is_ever_installed(void **state)
{
    (void)state;
    save_handlers();
    assert_int_equal(host_faults_start(not_ours), 0);
    void *ours = kernel_handler(SIGSEGV);
    assert_ptr_equal(kernel_handler(SIGBUS), ours);
    signal(SIGSEGV, plain_handler);
    signal(SIGSEGV, SIG_DFL);
    install_action(0);
    assert_ptr_equal(kernel_handler(SIGSEGV), ours);
    assert_ptr_equal(kernel_handler(SIGBUS), ours);
    host_faults_stop();
    assert_ptr_not_equal(kernel_handler(SIGSEGV), ours);
    restore_handlers();
}

static void rearming_chains_whoever_went_past_us(void **state)
{
    (void)state;
    struct kernel_action theirs;
    save_handlers();
    install_action(0);
    assert_int_equal(syscall(SYS_rt_sigaction, SIGSEGV, NULL, &theirs, 8), 0); /* with the restorer that the C library uses */
    assert_int_equal(host_faults_start(not_ours), 0);
    signal(SIGSEGV, SIG_DFL);
    void *ours = kernel_handler(SIGSEGV);
    host_faults_rearm(); /* nothing to do */
    go_past(SIGSEGV, &theirs);
    assert_ptr_not_equal(kernel_handler(SIGSEGV), ours);
    host_faults_rearm();
    assert_ptr_equal(kernel_handler(SIGSEGV), ours);
    touch();
    assert_int_equal(action_calls, 1);
    go_past(SIGSEGV, &theirs);
    host_faults_stop(); /* somebody else has the signal: it is not taken from him */
    assert_ptr_equal(kernel_handler(SIGSEGV), theirs.handler);
    host_faults_rearm(); /* not armed: nothing happens */
    assert_ptr_equal(kernel_handler(SIGSEGV), theirs.handler);
    restore_handlers();
}
#endif

/* ---- CMocka around an armed machine ---- */

static void *outer_handler;

static int arm_in_set_up(void **state)
{
    (void)state;
    closed_page = host_reserve(host_page_size());
    return host_faults_start(not_ours);
}

static void the_frameworks_handler_is_the_chained_one(void **state)
{
    (void)state;
    struct sigaction now;
    assert_true(host_faults_armed());
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    outer_handler = (void *)(uintptr_t)now.sa_handler;
    assert_ptr_not_equal(outer_handler, NULL);
    install_action(0); /* and is not given back: CMocka overwrites it at the end of the test */
}

static void the_next_test_finds_it_again(void **state)
{
    (void)state;
    struct sigaction now;
    assert_true(host_faults_armed());
    assert_int_equal(sigaction(SIGSEGV, NULL, &now), 0);
    assert_ptr_equal((void *)(uintptr_t)now.sa_handler, outer_handler);
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(a_handler_from_before_is_chained),
        ROW(a_handler_installed_meanwhile_is_chained),
        ROW(a_one_shot_handler_is_used_up),
        ROW(a_chained_handler_has_its_mask),
        ROW(a_fault_in_the_handler_is_chained_every_time),
        ROW(a_query_answers_the_chained_handler),
#ifdef __GLIBC__
        ROW(the_signal_of_strict_c_is_answered_too),
#endif
        ROW(stop_installs_the_last_of_the_chain),
        ROW(other_signals_are_not_touched),
#ifdef __linux__
        ROW(nothing_else_is_ever_installed),
        ROW(rearming_chains_whoever_went_past_us),
#endif
        cmocka_unit_test_setup(the_frameworks_handler_is_the_chained_one, arm_in_set_up),
        cmocka_unit_test_teardown(the_next_test_finds_it_again, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
