/*
 * test_host_thread.c - threads, the hooks at their end and at fork, waiting on a word (with and without a futex), the asymmetric fence,
 * and the clocks.
 */
#include "host/host.h"
#include "host/wait_table.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/sanitizer.h"

#define MS UINT64_C(1000000)

/* ---- threads ---- */

typedef struct seen {
    uint64_t id;
    sigset_t blocked;
} seen_t;

static void look_around(void *argument)
{
    seen_t *seen = argument;
    seen->id = host_thread_id();
    pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
}

static void a_thread_runs_and_is_joined(void **state)
{
    (void)state;
    seen_t         seen = { .id = 0 };
    host_thread_t *thread = NULL;
    assert_int_equal(host_thread_start(&thread, look_around, &seen), 0);
    assert_non_null(thread);
    host_thread_join(thread);
    assert_int_not_equal(seen.id, 0);
    assert_int_not_equal(seen.id, host_thread_id());
    assert_int_equal(host_thread_id(), host_thread_id());
    assert_int_equal(sigismember(&seen.blocked, SIGTERM), 1); /* the program's signals go to the program's threads */
    assert_int_equal(sigismember(&seen.blocked, SIGSEGV), 0);
    sigset_t mine;
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    assert_int_equal(sigismember(&mine, SIGTERM), 0);
    host_thread_join(NULL);
}

/* ---- the end of a thread ---- */

static _Atomic unsigned ends;
static void *_Atomic    ended;

static void count_end(void *argument)
{
    atomic_fetch_add(&ends, 1);
    atomic_store(&ended, argument);
}

static void other_hook(void *argument) { (void)argument; }

static void end_with_hook(void *argument)
{
    host_at_thread_exit(count_end, &ends);
    host_at_thread_exit(count_end, argument); /* the last one counts */
}

static void end_without_hook(void *argument)
{
    host_at_thread_exit(count_end, argument);
    host_at_thread_exit(count_end, NULL);
}

static void run_thread(void (*entry)(void *), void *argument)
{
    host_thread_t *thread;
    assert_int_equal(host_thread_start(&thread, entry, argument), 0);
    host_thread_join(thread);
}

static void a_hook_runs_once_at_a_threads_end(void **state)
{
    (void)state;
    int argument;
    atomic_store(&ends, 0);
    run_thread(end_with_hook, &argument);
    assert_int_equal(ends, 1);
    assert_ptr_equal(ended, &argument);
    run_thread(end_without_hook, &argument);
    assert_int_equal(ends, 1);
    run_thread(look_around, &(seen_t){ .id = 0 }); /* a thread that never asked */
    assert_int_equal(ends, 1);
    assert_int_equal(host_at_thread_exit(other_hook, &argument), -EBUSY); /* one function for all threads */
    assert_int_equal(host_at_thread_exit(count_end, &argument), 0);
    assert_int_equal(host_at_thread_exit(NULL, NULL), 0);
}

/* ---- fork ---- */

static volatile int forks;
static pid_t        parent;

static void note_fork(void) { forks = getpid() != parent ? 1 : -1; }

static int exit_code_of_child(int (*body)(void))
{
    int   status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int forks_seen(void) { return forks + 10; }

static void a_hook_runs_in_a_forked_child(void **state)
{
    (void)state;
    parent = getpid();
    host_at_fork_child(note_fork);
    assert_int_equal(exit_code_of_child(forks_seen), 11);
    assert_int_equal(forks, 0); /* not here */
    host_at_fork_child(NULL);
    assert_int_equal(exit_code_of_child(forks_seen), 10);
}

static int fence_in_child(void)
{
    host_fence_heavy();
    return 5;
}

static int wake_in_child(void)
{
    _Atomic uint32_t word = 1;
    host_wait_table_wake(&word);
    host_wait_table_wait(&word, 0, 0);
    return 6;
}

static void fences_and_waits_work_in_a_forked_child(void **state)
{
    (void)state;
    assert_int_equal(host_fences_start(), 0);
    host_at_fork_child(note_fork);
    assert_int_equal(exit_code_of_child(fence_in_child), 5);
    assert_int_equal(exit_code_of_child(wake_in_child), 6);
}

/* ---- waiting: each row with the host's own way, and with the portable one ---- */

typedef struct waits {
    void (*wait)(_Atomic uint32_t *, uint32_t, uint64_t);
    void (*wake)(_Atomic uint32_t *, bool);
} waits_t;

static void wake_by_table(_Atomic uint32_t *word, bool all)
{
    (void)all;
    host_wait_table_wake(word);
}

static waits_t native = { host_wait, host_wake };
static waits_t portable = { host_wait_table_wait, wake_by_table };

static void a_changed_word_is_not_waited_for(void **state)
{
    const waits_t   *w = *state;
    _Atomic uint32_t word = 3;
    w->wait(&word, 2, 0);
    w->wake(&word, true); /* nobody there */
    assert_int_equal(word, 3);
}

static void a_wait_times_out(void **state)
{
    const waits_t   *w = *state;
    _Atomic uint32_t word = 1;
    uint64_t         start = host_clock_ns();
    while (host_clock_ns() - start < 20 * MS) /* a spurious wake-up is allowed, to wait for ever is not */
        w->wait(&word, 1, 20 * MS);
    assert_true(host_clock_ns() - start < 10000 * MS);
    start = host_clock_ns();
    w->wait(&word, 1, 1);
    assert_true(host_clock_ns() - start < 10000 * MS);
}

typedef struct gate {
    const waits_t   *w;
    _Atomic uint32_t word;
    _Atomic unsigned waiting, through;
} gate_t;

static void pass_the_gate(void *argument)
{
    gate_t *gate = argument;
    atomic_fetch_add(&gate->waiting, 1);
    while (atomic_load(&gate->word) == 0)
        gate->w->wait(&gate->word, 0, 0);
    atomic_fetch_add(&gate->through, 1);
}

static void waking_all_wakes_all(void **state)
{
    gate_t         gate = { .w = *state };
    host_thread_t *threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(host_thread_start(&threads[i], pass_the_gate, &gate), 0);
    while (atomic_load(&gate.waiting) < 4)
        host_yield();
    host_sleep_ns(5 * MS);
    assert_int_equal(gate.through, 0);
    atomic_store(&gate.word, 1);
    gate.w->wake(&gate.word, true);
    for (size_t i = 0; i < 4; i++)
        host_thread_join(threads[i]);
    assert_int_equal(gate.through, 4);
}

typedef struct table_tennis {
    const waits_t   *w;
    _Atomic uint32_t turn;
} table_tennis_t;

enum { RALLIES = 2000 };

static void return_the_ball(void *argument)
{
    table_tennis_t *t = argument;
    for (unsigned i = 0; i < RALLIES; i++) {
        while (atomic_load(&t->turn) == 0)
            t->w->wait(&t->turn, 0, 0);
        atomic_store(&t->turn, 0);
        t->w->wake(&t->turn, false);
    }
}

/* A lost wake-up would stop the match for ever. */
static void no_wake_up_is_lost(void **state)
{
    table_tennis_t t = { .w = *state };
    host_thread_t *thread;
    assert_int_equal(host_thread_start(&thread, return_the_ball, &t), 0);
    for (unsigned i = 0; i < RALLIES; i++) {
        atomic_store(&t.turn, 1);
        t.w->wake(&t.turn, false);
        while (atomic_load(&t.turn) == 1)
            t.w->wait(&t.turn, 1, 0);
    }
    host_thread_join(thread);
}

/* ---- the asymmetric fence ---- */

/* Dekker's question: each side stores to its own word and loads the other's. With the fences, at least one sees the other's store. */
typedef struct dekker {
    _Atomic uint32_t mine, theirs; /* stored by the light side; by the heavy side */
    _Atomic uint32_t round, done;
    uint32_t         light_saw, rounds;
} dekker_t;

static void await(_Atomic uint32_t *word, uint32_t value)
{
    for (unsigned spins = 0; atomic_load_explicit(word, memory_order_acquire) != value; spins++)
        if (spins < 1000)
            host_pause();
        else
            host_yield();
}

static void light_side(void *argument)
{
    dekker_t *d = argument;
    for (uint32_t round = 1; round <= d->rounds; round++) {
        await(&d->round, round);
        atomic_store_explicit(&d->mine, 1, memory_order_relaxed);
        host_fence_light();
        d->light_saw = atomic_load_explicit(&d->theirs, memory_order_relaxed);
        atomic_store_explicit(&d->done, round, memory_order_release);
    }
}

static unsigned play_dekker(uint32_t rounds)
{
    dekker_t       d = { .rounds = rounds };
    host_thread_t *thread;
    unsigned       both_missed = 0;
    assert_int_equal(host_thread_start(&thread, light_side, &d), 0);
    for (uint32_t round = 1; round <= rounds; round++) {
        atomic_store_explicit(&d.mine, 0, memory_order_relaxed);
        atomic_store_explicit(&d.theirs, 0, memory_order_relaxed);
        atomic_store_explicit(&d.round, round, memory_order_release);
        atomic_store_explicit(&d.theirs, 1, memory_order_relaxed);
        host_fence_heavy();
        uint32_t heavy_saw = atomic_load_explicit(&d.mine, memory_order_relaxed);
        await(&d.done, round);
        both_missed += heavy_saw == 0 && d.light_saw == 0;
    }
    host_thread_join(thread);
    return both_missed;
}

/* A missing fence shows itself once in some 100000 rounds. ThreadSanitizer's own code between the store and the load hides it, anyway. */
static void a_fence_pair_orders_store_and_load(void **state)
{
    const uint32_t rounds = WATCHED_BY_TSAN ? 5000 : 100000;
    (void)state;
    assert_int_equal(host_fences_start(), 0);
    bool chosen = host_fence_is_free;
    assert_int_equal(host_fences_start(), 0);
    assert_int_equal(host_fence_is_free, chosen);
    assert_int_equal(play_dekker(rounds), 0);
    host_fence_is_free = false; /* hosts without membarrier */
    assert_int_equal(play_dekker(rounds / 5), 0);
    host_fence_is_free = chosen;
}

/* ---- time ---- */

static void clocks_advance_and_agree_with_the_date(void **state)
{
    (void)state;
    uint64_t before = host_clock_ns();
    host_sleep_ns(3 * MS);
    uint64_t slept = host_clock_ns() - before;
    assert_true(slept >= 3 * MS && slept < 5000 * MS);
    uint64_t seconds = host_wall_100ns() / 10000000 - UINT64_C(11644473600);
    assert_true(seconds - (uint64_t)time(NULL) + 2 <= 4);
}

int main(void)
{
#define BOTH(test) \
    { #test, test, NULL, NULL, &native }, { #test " (portable)", test, NULL, NULL, &portable }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_runs_and_is_joined),
        cmocka_unit_test(a_hook_runs_once_at_a_threads_end),
        cmocka_unit_test(a_hook_runs_in_a_forked_child),
        cmocka_unit_test(fences_and_waits_work_in_a_forked_child),
        BOTH(a_changed_word_is_not_waited_for),
        BOTH(a_wait_times_out),
        BOTH(waking_all_wakes_all),
        BOTH(no_wake_up_is_lost),
        cmocka_unit_test(a_fence_pair_orders_store_and_load),
        cmocka_unit_test(clocks_advance_and_agree_with_the_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
