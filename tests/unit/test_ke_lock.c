/*
 * test_ke_lock.c - the simulator's locks: mutual exclusion, sleepers that wake, ranks, and the way out of a halted machine.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/lock.h"

enum { THREADS = 4, ROUNDS = 20000 };

static int machine_up(void **state)
{
    static const ntmm_config quiet = { .quiet = true };
    (void)state;
    return ntmm_boot(&quiet);
}
static int machine_down(void **state)
{
    (void)state;
    return ntmm_shutdown(NULL) == SIZE_MAX ? -1 : 0;
}

static ke_lock_t lock = KE_LOCK_INIT(KE_RANK_LEAF);
static uint64_t  counter;

static void *count_up(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        ke_lock(&lock);
        counter++;
        ke_unlock(&lock);
    }
    return NULL;
}

static void one_holder_at_a_time(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counter, (uint64_t)THREADS * ROUNDS);
    assert_false(ke_lock_is_held(&lock));
}

static void *lock_once(void *unused)
{
    (void)unused;
    ke_lock(&lock);
    counter++;
    ke_unlock(&lock);
    return NULL;
}

static void sleepers_wake(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    counter = 0;
    ke_lock(&lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lock_once, NULL), 0);
    while (atomic_load(&lock.word) != 2) /* somebody sleeps */
        host_sleep_ns(100000);
    host_sleep_ns(20000000);
    assert_int_equal(counter, 0);
    assert_true(ke_lock_is_held(&lock));
    ke_unlock(&lock);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(counter, THREADS);
}

static void take_the_lock(void *unused)
{
    (void)unused;
    ke_lock(&lock);
}

static ntmm_bugcheck waiter_stop;
static void         *catch_and_wait(void *unused)
{
    (void)unused;
    return (void *)(uintptr_t)ntmm_catch_bugcheck(take_the_lock, NULL, &waiter_stop);
}

static void stop_with_the_lock(void *unused)
{
    (void)unused;
    ke_bugcheck(__func__, "a fault inside the simulator, as it were", 0x1A, 1, 2, 3, 4);
}

static void waiter_leaves_a_halted_machine(void **state)
{
    pthread_t thread;
    void     *caught;
    (void)state;
    ke_lock(&lock);
    assert_int_equal(pthread_create(&thread, NULL, catch_and_wait, NULL), 0);
    while (atomic_load(&lock.word) != 2)
        host_sleep_ns(100000);
    assert_true(ntmm_catch_bugcheck(stop_with_the_lock, NULL, NULL));
    assert_int_equal(pthread_join(thread, &caught), 0); /* the lock is never given back */
    assert_ptr_equal(caught, (void *)1);
    assert_int_equal(waiter_stop.code, 0x1A);
    ke_lock_init(&lock, KE_RANK_LEAF);
}

/* ---- ranks: debug builds ---- */

#ifndef NDEBUG
static ke_lock_t low = KE_LOCK_INIT(KE_RANK_EX_POOL), high = KE_LOCK_INIT(KE_RANK_MM_PFN), same = KE_LOCK_INIT(KE_RANK_MM_PFN);

static void in_order(void)
{
    ke_lock(&low);
    ke_lock(&high);
    ke_unlock(&low); /* any order back */
    ke_unlock(&high);
    ke_lock(&high);
    ke_unlock(&high);
    ke_lock(&low);
    ke_unlock(&low);
}
static void out_of_order(void)
{
    ke_lock(&high);
    ke_lock(&low);
}
static void same_rank(void)
{
    ke_lock(&high);
    ke_lock(&same);
}
static void without_a_rank(void)
{
    ke_lock_t raw = { 0, 0 };
    ke_lock(&raw);
}

static int in_a_child(void (*body)(void))
{
    int   status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        if (ntmm_boot(NULL) != 0 || ke_thread_ready(__func__) == NULL) /* a record of its own */
            _exit(9);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void ranks_are_checked(void **state)
{
    (void)state;
    assert_int_equal(in_a_child(in_order), 0);
    assert_int_equal(in_a_child(out_of_order), SIGABRT);
    assert_int_equal(in_a_child(same_rank), SIGABRT);
    assert_int_equal(in_a_child(without_a_rank), SIGABRT);
}

static void shared_empty_record_is_not_written(void **state)
{
    (void)state;
    assert_ptr_equal(ke_self(), &ke_empty_thread); /* no call has been made yet */
    ke_lock(&low);
    assert_int_equal(ke_empty_thread.ranks_held, 0);
    ke_unlock(&low);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef NDEBUG
        cmocka_unit_test(shared_empty_record_is_not_written),
        cmocka_unit_test(ranks_are_checked),
#endif
        cmocka_unit_test_setup_teardown(one_holder_at_a_time, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(sleepers_wake, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(waiter_leaves_a_halted_machine, machine_up, machine_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
