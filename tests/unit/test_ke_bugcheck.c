/*
 * test_ke_bugcheck.c - stopping the machine: who catches it, what the report says, what the drivers' callbacks see, and that names are
 * right.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"
#include "ke/report.h"

/* ---- fixtures and helpers ---- */

static int machine_up(void **state)
{
    static const ntmm_config quiet = { .quiet = true };
    (void)state;
    ntmm_catch_pop(NULL);
    return ntmm_boot(&quiet);
}

static int machine_down(void **state)
{
    (void)state;
    ntmm_catch_pop(NULL);
    return ntmm_shutdown(NULL) == SIZE_MAX ? -1 : 0;
}

static void reboot(void)
{
    assert_int_equal(machine_down(NULL), 0);
    assert_int_equal(machine_up(NULL), 0);
}

static void nothing(void *context) { (void)context; }

static void stop_with(void *code) { KeBugCheckEx((ULONG)(uintptr_t)code, 1, 2, 3, 4); }

static void assert_stop(const ntmm_bugcheck *stop, uint32_t code)
{
    assert_int_equal(stop->code, code);
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(stop->parameter[i], i + 1);
}

#define CODE(value) ((void *)(uintptr_t)(value))
#define assert_report_has(text) assert_non_null(strstr(ntmm_stop_report(), text))

/* Runs the body in a forked child; its stderr is left in `said`. Returns what waitpid says. */
static char said[32768];
static int  child_run(void (*body)(void))
{
    int    pipes[2], status = 0;
    size_t used = 0;
    pid_t  child;

    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        signal(SIGABRT, SIG_DFL);
        body();
        _exit(0);
    }
    close(pipes[1]);
    for (ssize_t got; used < sizeof said - 1 && (got = read(pipes[0], said + used, sizeof said - 1 - used)) > 0;)
        used += (size_t)got;
    said[used] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* ---- catching ---- */

static void catch_gives_code_and_parameters(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(MANUALLY_INITIATED_CRASH), &stop));
    assert_stop(&stop, MANUALLY_INITIATED_CRASH);
    assert_int_equal(stop.irql, PASSIVE_LEVEL);
}

static void catch_of_a_quiet_body_is_false(void **state)
{
    ntmm_bugcheck stop = { .code = 77 };
    (void)state;
    assert_false(ntmm_catch_bugcheck(nothing, NULL, &stop));
    assert_int_equal(stop.code, 0);
    assert_false(ntmm_catch_bugcheck(nothing, NULL, NULL));
    assert_string_equal(ntmm_stop_report(), "");
}

static void stop_plain(void *context)
{
    (void)context;
    KeBugCheck(0xDEAD);
}

static void plain_form_has_zero_parameters(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(stop_plain, NULL, &stop));
    assert_int_equal(stop.code, 0xDEAD);
    assert_int_equal(stop.parameter[0] | stop.parameter[1] | stop.parameter[2] | stop.parameter[3], 0);
    assert_report_has("0x0000DEAD UNKNOWN");
}

static void stop_at_dispatch(void *context)
{
    KIRQL old;
    (void)context;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    stop_with(CODE(0xE2));
}

static void irql_of_the_stop_stays_to_be_seen(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(stop_at_dispatch, NULL, &stop));
    assert_int_equal(stop.irql, DISPATCH_LEVEL);
    assert_int_equal(KeGetCurrentIrql(), DISPATCH_LEVEL);
    reboot();
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static void catch_inside(void *context)
{
    ntmm_bugcheck stop;
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), &stop));
    *(uint32_t *)context = stop.code;
}

static void innermost_catch_has_it(void **state)
{
    uint32_t code = 0;
    (void)state;
    assert_false(ntmm_catch_bugcheck(catch_inside, &code, NULL)); /* the outer body came to its end */
    assert_int_equal(code, 0xE2);
}

static void stop_twice(void *context)
{
    catch_inside(context);
    stop_with(CODE(0x1234)); /* the machine has stopped already: there is one stop */
}

static void first_stop_wins(void **state)
{
    uint32_t      code = 0;
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(stop_twice, &code, &stop));
    assert_stop(&stop, 0xE2);
    assert_null(strstr(ntmm_stop_report(), "STOP 0x00001234")); /* the digits alone may be those of an address */
}

static void halted_machine_refuses(void **state)
{
    KBUGCHECK_CALLBACK_RECORD record;
    (void)state;
    KeInitializeCallbackRecord(&record);
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_false(KeRegisterBugCheckCallback(&record, NULL, NULL, 0, NULL));
    assert_non_null(strstr(ntmm_error(), "KeRegisterBugCheckCallback"));
}

static void boot_forgets_the_report(void **state)
{
    (void)state;
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_report_has("MANUALLY_INITIATED_CRASH");
    reboot();
    assert_string_equal(ntmm_stop_report(), "");
}

static void catch_before_boot_covers_the_boot(void **state)
{
    ntmm_bugcheck    stop = { 0 };
    ntmm_catch_frame frame;
    (void)state;
    assert_false(ntmm_catch_bugcheck(nothing, NULL, NULL));
    if (sigsetjmp(*ntmm_catch_push(&frame), 0) == 0) {
        static const ntmm_config quiet = { .quiet = true };
        assert_int_equal(ntmm_boot(&quiet), 0);
        stop_with(CODE(0xE2));
    }
    assert_int_not_equal(frame.caught, 0);
    stop = frame.stop;
    assert_stop(&stop, 0xE2);
    machine_down(NULL);
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0x99), &stop)); /* no machine: reported, caught all the same */
    assert_stop(&stop, 0x99);
    assert_report_has("No machine is up");
}

/* ---- frames that nobody popped ---- */

static jmp_buf elsewhere;

static void jump_out(void *context)
{
    (void)context;
    longjmp(elsewhere, 1);
}

static __attribute__((noinline)) void overwrite_the_stack(void)
{
    volatile char bytes[16384];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)0xA5;
}

static __attribute__((noinline)) void leave_by_longjmp(unsigned depth)
{
    volatile char deep[512];
    for (size_t i = 0; i < sizeof deep; i++)
        deep[i] = (char)depth;
    if (depth != 0)
        leave_by_longjmp(depth - 1);
    else
        ntmm_catch_bugcheck(jump_out, NULL, NULL);
    deep[0] = 0;
}

static __attribute__((noinline)) void leave_a_catch_behind(void)
{
    if (setjmp(elsewhere) == 0)
        leave_by_longjmp(8);
    overwrite_the_stack();
}

static void stale_frames_are_skipped(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    for (int i = 0; i < 100; i++) /* more often than there is room for nested frames */
        leave_a_catch_behind();
    assert_false(ke_catch_is_live((uintptr_t)__builtin_frame_address(0)));
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), &stop));
    assert_stop(&stop, 0xE2);
}

static void uncaught_after_longjmp(void)
{
    assert_int_equal(machine_up(NULL), 0);
    leave_a_catch_behind();
    stop_with(CODE(0xE2));
}

static void stale_frame_does_not_catch(void **state)
{
    int status;
    (void)state;
    status = child_run(uncaught_after_longjmp);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void same_frame_again(void **state)
{
    ntmm_catch_frame frame;
    (void)state;
    for (volatile int i = 0; i < 100; i++) /* as a loop in a test does whose body is left by longjmp */
        if (sigsetjmp(*ntmm_catch_push(&frame), 0) != 0)
            fail();
    ntmm_catch_pop(&frame);
    assert_false(ke_catch_is_live(0));
}

static void pop_out_of_order(void **state)
{
    ntmm_catch_frame outer, inner;
    (void)state;
    (void)ntmm_catch_push(&outer);
    (void)ntmm_catch_push(&inner);
    assert_ptr_equal(inner.outer, &outer);
    ntmm_catch_pop(&outer); /* takes the inner one along */
    assert_false(ke_catch_is_live(0));
    ntmm_catch_pop(&inner);
    ntmm_catch_pop(&outer);
    (void)ntmm_catch_push(&outer);
    (void)ntmm_catch_push(&inner);
    ntmm_catch_pop(NULL);
    assert_false(ke_catch_is_live(0));
}

static void look_from_inside(void *unused)
{
    uintptr_t low, high;
    (void)unused;
    IoGetStackLimits(&low, &high);
    assert_true(ke_catch_is_live(low + 100)); /* from inside, what is outside is live, wherever it lies */
    assert_true(ke_catch_is_live(high - 100));
}

static void frames_of_another_stack(void **state)
{
    ntmm_catch_frame frame;
    (void)state;
    (void)ntmm_catch_push(&frame);
    assert_true(ntmm_on_kernel_stack(look_from_inside, NULL));
    assert_false(ke_catch_is_live(UINTPTR_MAX)); /* on one stack the address decides */
    assert_true(ke_catch_is_live(1));
    ntmm_catch_pop(&frame);
}

/* ---- nobody catches ---- */

static void uncaught(void)
{
    assert_int_equal(ntmm_boot(NULL), 0);
    stop_with(CODE(BAD_POOL_CALLER));
}

static void uncaught_stop_aborts_with_a_report(void **state)
{
    int status;
    (void)state;
    status = child_run(uncaught);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "*** STOP 0x000000C2 BAD_POOL_CALLER"));
    assert_non_null(strstr(said, "KeBugCheckEx"));
}

static void quiet_and_caught(void)
{
    if (machine_up(NULL) != 0 || !ntmm_catch_bugcheck(stop_with, CODE(BAD_POOL_CALLER), NULL))
        _exit(9);
}

static void quiet_stop_prints_nothing(void **state)
{
    (void)state;
    assert_int_equal(child_run(quiet_and_caught), 0);
    assert_string_equal(said, "");
}

/* Nobody could read it later. */
static void quiet_and_uncaught(void)
{
    assert_int_equal(machine_up(NULL), 0);
    stop_with(CODE(BAD_POOL_CALLER));
}

static void *quiet_thread(void *code)
{
    ntmm_catch_bugcheck(stop_with, code, NULL);
    return NULL;
}
static void poll_after_anothers_stop(void *unused)
{
    pthread_t thread;
    pthread_create(&thread, NULL, quiet_thread, CODE(BAD_POOL_CALLER));
    pthread_join(thread, unused);
    for (;;)
        ke_wait_poll(); /* gives up after a while: this thread is in no catch */
}
static void quiet_and_left_alone(void)
{
    assert_int_equal(machine_up(NULL), 0);
    poll_after_anothers_stop(NULL);
}

static void quiet_report_is_printed_before_the_process_dies_of_it(void **state)
{
    static void (*const bodies[])(void) = { quiet_and_uncaught, quiet_and_left_alone };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(bodies); i++) {
        int         status = child_run(bodies[i]);
        const char *report = strstr(said, "*** STOP 0x000000C2 BAD_POOL_CALLER");
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_non_null(report);
        assert_null(strstr(report + 1, "*** STOP"));
    }
}

static _Atomic uint32_t meeting;
static void             end_without_return(void *unused)
{
    (void)unused;
    assert_non_null(ke_thread_ready(__func__));
    atomic_store(&meeting, 1);
    while (atomic_load(&meeting) != 2)
        host_sleep_ns(100000);
    pthread_exit(NULL);
}
static void *end_inside_a_catch(void *unused)
{
    ntmm_catch_bugcheck(end_without_return, NULL, NULL);
    return unused;
}
static void *stop_on_a_thread(void *code)
{
    stop_with(code);
    return NULL;
}

/* A thread ends inside its catch, on a halted machine; on the next one nobody catches. */
static void stop_after_an_abandoned_catch(void)
{
    pthread_t thread;
    if (machine_up(NULL) != 0)
        _exit(9);
    pthread_create(&thread, NULL, end_inside_a_catch, NULL);
    while (atomic_load(&meeting) != 1)
        host_sleep_ns(100000);
    ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL);
    atomic_store(&meeting, 2);
    pthread_join(thread, NULL);
    reboot();
    pthread_create(&thread, NULL, stop_on_a_thread, CODE(0xE2));
    pthread_join(thread, NULL);
}

static void catch_of_an_ended_thread_does_not_count(void **state)
{
    int status;
    (void)state;
    status = child_run(stop_after_an_abandoned_catch);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- threads ---- */

static void system_body(void *context) { stop_with(context); }

static void system_thread(void *context) { ke_system_thread_guard(system_body, context); }

static void run_system_thread(void *context)
{
    host_thread_t *thread;
    assert_int_equal(host_thread_start(&thread, system_thread, context), 0);
    host_thread_join(thread);
}

static void system_thread_ends_and_the_catch_tells(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(run_system_thread, CODE(0xE2), &stop));
    assert_stop(&stop, 0xE2);
    assert_false(ntmm_catch_bugcheck(nothing, NULL, NULL)); /* told once */
}

static void *test_thread(void *context)
{
    stop_with(context);
    return NULL;
}

static void run_test_thread(void *context)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, test_thread, context), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void thread_without_a_catch_ends(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(run_test_thread, CODE(0xE2), &stop));
    assert_stop(&stop, 0xE2);
}

static void *catching_thread(void *result)
{
    ntmm_bugcheck stop;
    bool          caught = ntmm_catch_bugcheck(stop_with, CODE(0xE2), &stop);
    *(bool *)result = caught && stop.code == 0xE2 && stop.parameter[3] == 4;
    return NULL;
}

static void all_threads_get_the_one_stop(void **state)
{
    enum { THREADS = 8 };
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[THREADS];
        bool      good[THREADS] = { false };
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, catching_thread, &good[i]), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < THREADS; i++)
            assert_true(good[i]);
        reboot();
    }
}

static void poll_for_ever(void *context)
{
    atomic_store((_Atomic bool *)context, true);
    for (;;) {
        ke_wait_poll();
        host_sleep_ns(100000);
    }
}

static _Atomic bool  waiter_waits;
static ntmm_bugcheck waiter_stop;
static void         *waiting_thread(void *context)
{
    (void)context;
    return CODE(ntmm_catch_bugcheck(poll_for_ever, &waiter_waits, &waiter_stop));
}

static void wait_on_a_halted_machine_is_left(void **state)
{
    pthread_t thread;
    void     *caught = NULL;
    (void)state;
    atomic_store(&waiter_waits, false);
    assert_int_equal(pthread_create(&thread, NULL, waiting_thread, NULL), 0);
    while (!atomic_load(&waiter_waits))
        host_sleep_ns(100000);
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_int_equal(pthread_join(thread, &caught), 0);
    assert_ptr_equal(caught, CODE(1));
    assert_stop(&waiter_stop, 0xE2);
}

/* ---- callbacks ---- */

static char trail[64]; /* which callbacks ran, in order */
static void mark(char letter) { trail[strlen(trail)] = letter; }

static VOID fills_its_buffer(PVOID Buffer, ULONG Length)
{
    mark('a');
    assert_int_equal(KeGetCurrentIrql(), HIGH_LEVEL);
    memset(Buffer, 0x5A, Length);
}
static VOID second_callback(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    mark('b');
}
static VOID stops_itself(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    mark('s');
    KeBugCheckEx(0x1234, 0, 0, 0, 0);
}
static VOID waits(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    mark('w');
    ke_wait_poll(); /* as taking a lock of the machine would */
    mark('!');
}

static KBUGCHECK_CALLBACK_RECORD plain_records[4];
static void register_plain(size_t index, PKBUGCHECK_CALLBACK_ROUTINE routine, PVOID buffer, ULONG length, const char *component)
{
    KeInitializeCallbackRecord(&plain_records[index]);
    assert_true(KeRegisterBugCheckCallback(&plain_records[index], routine, buffer, length, (PUCHAR)(uintptr_t)component));
    assert_int_equal(plain_records[index].State, BufferInserted);
}

static void callbacks_run_in_order_and_are_reported(void **state)
{
    static unsigned char buffer[8];
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, fills_its_buffer, buffer, sizeof buffer, "first driver");
    register_plain(1, second_callback, NULL, 0, "second driver");
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "ab");
    assert_int_equal(plain_records[0].State, BufferFinished);
    assert_report_has("first driver");
    assert_report_has("5a 5a 5a 5a 5a 5a 5a 5a");
    assert_report_has("second driver");
    assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
}

static _Atomic KIRQL irql_in_callback;
static VOID          notes_the_irql(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    atomic_store(&irql_in_callback, KeGetCurrentIrql());
}

/* The thread's first call into the machine is the one that stops it. */
static void callbacks_run_at_high_level_on_any_thread(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    register_plain(0, notes_the_irql, NULL, 0, "driver");
    assert_true(ntmm_catch_bugcheck(run_test_thread, CODE(0xE2), &stop));
    assert_int_equal(irql_in_callback, HIGH_LEVEL);
    assert_int_equal(stop.irql, PASSIVE_LEVEL);
    assert_int_equal(plain_records[0].State, BufferFinished);
}

static _Atomic uint32_t slow_stage; /* 1: the callback has begun, 2: it is done */
static VOID             takes_its_time(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    atomic_store(&slow_stage, 1);
    host_sleep_ns(50000000);
    atomic_store(&slow_stage, 2);
}

static void *stop_in_a_catch(void *known)
{
    if (known != NULL)
        assert_non_null(ke_thread_ready(__func__));
    return CODE(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
}

/* The report belongs to the machine: it is not torn down under the thread that still writes it. */
static void shutdown_waits_for_the_report(void **state)
{
    (void)state;
    for (uintptr_t known = 0; known < 2; known++) {
        pthread_t thread;
        void     *caught = NULL;
        atomic_store(&slow_stage, 0);
        register_plain(0, takes_its_time, NULL, 0, "slow driver");
        assert_int_equal(pthread_create(&thread, NULL, stop_in_a_catch, CODE(known)), 0);
        while (atomic_load(&slow_stage) == 0)
            host_sleep_ns(100000);
        assert_int_equal(machine_down(NULL), 0);
        assert_int_equal(slow_stage, 2);
        assert_int_equal(pthread_join(thread, &caught), 0);
        assert_ptr_equal(caught, CODE(1));
        assert_int_equal(machine_up(NULL), 0);
    }
}

static VOID jumps_out(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
    longjmp(elsewhere, 1); /* as a test framework's assertion does that fails in here */
}

static void report_left_by_longjmp_is_over(void **state)
{
    ntmm_bugcheck stop;
    uint64_t      begin;
    (void)state;
    for (volatile int round = 0; round < 2; round++) {
        register_plain(0, jumps_out, NULL, 0, "driver");
        if (setjmp(elsewhere) == 0)
            (void)ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL);
        begin = host_clock_ns();
        assert_int_equal(machine_down(NULL), 0);
        assert_true(host_clock_ns() - begin < 1000000000u);
        assert_int_equal(machine_up(NULL), 0);
        assert_int_equal(KeGetCurrentIrql(), PASSIVE_LEVEL);
        assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE3), &stop));
        assert_stop(&stop, 0xE3);
        reboot();
    }
}

static VOID shuts_down(PVOID Buffer, ULONG Length)
{
    (void)Length;
    *(size_t *)Buffer = ntmm_shutdown(NULL);
}

static void a_callback_cannot_shut_down(void **state)
{
    static size_t result;
    (void)state;
    register_plain(0, shuts_down, &result, sizeof result, "driver");
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_true(result == SIZE_MAX);
}

static void stop_inside_a_callback_does_not_recurse(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, stops_itself, NULL, 0, "bad driver");
    register_plain(1, waits, NULL, 0, "waiting driver");
    register_plain(2, second_callback, NULL, 0, "good driver");
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), &stop));
    assert_stop(&stop, 0xE2);
    assert_string_equal(trail, "swb");
    assert_int_equal(plain_records[0].State, BufferIncomplete);
    assert_int_equal(plain_records[1].State, BufferIncomplete);
    assert_int_equal(plain_records[2].State, BufferFinished);
    assert_report_has("0x1234");
}

static void deregistered_callback_is_not_called(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, fills_its_buffer, NULL, 0, "gone");
    register_plain(1, second_callback, NULL, 0, "here");
    assert_false(KeRegisterBugCheckCallback(&plain_records[0], second_callback, NULL, 0, NULL)); /* it is registered */
    assert_true(KeDeregisterBugCheckCallback(&plain_records[0]));
    assert_false(KeDeregisterBugCheckCallback(&plain_records[0]));
    assert_int_equal(plain_records[0].State, BufferEmpty);
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "b");
}

static void damaged_record_is_not_called(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, fills_its_buffer, NULL, 0, "overwritten");
    register_plain(1, second_callback, NULL, 0, "intact");
    plain_records[0].Length = 12345;
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "b");
    assert_report_has("the record was overwritten");
}

static void freed_record_ends_the_walk(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, fills_its_buffer, NULL, 0, "freed");
    register_plain(1, second_callback, NULL, 0, "unreachable");
    memset(&plain_records[0], 0xFE, sizeof plain_records[0]);
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "");
    assert_report_has("list of callbacks is damaged");
}

static void register_wild_record(void *record) { KeRegisterBugCheckCallback(record, second_callback, NULL, 0, NULL); }

static void boot_forgets_callbacks(void **state)
{
    (void)state;
    memset(trail, 0, sizeof trail);
    register_plain(0, second_callback, NULL, 0, "old");
    ntmm_rearm_faults();
    assert_true(ntmm_catch_bugcheck(register_wild_record, (void *)0x10, NULL)); /* stops with the lists locked */
    memset(trail, 0, sizeof trail);
    reboot();
    register_plain(1, fills_its_buffer, NULL, 0, "new");
    assert_true(KeDeregisterBugCheckCallback(&plain_records[1]));
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "");
}

/* ---- reason callbacks ---- */

static unsigned dump_io_calls[5];
static size_t   dump_io_bytes;

static VOID adds_pages(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data, ULONG Length)
{
    KBUGCHECK_ADD_PAGES *pages = Data;
    (void)Record;
    assert_int_equal(Reason, KbCallbackAddPages);
    assert_int_equal(Length, sizeof *pages);
    assert_int_equal(pages->BugCheckCode, 0xE2);
    assert_int_equal(pages->Flags, 0);
    pages->Flags = KB_ADD_PAGES_FLAG_PHYSICAL_ADDRESS | (pages->Context == NULL ? KB_ADD_PAGES_FLAG_ADDITIONAL_RANGES_EXIST : 0);
    pages->Address = pages->Context == NULL ? 0x1000 : 0x7000;
    pages->Count = 3;
    pages->Context = pages;
    mark('p');
}

static VOID secondary(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data, ULONG Length)
{
    KBUGCHECK_SECONDARY_DUMP_DATA *data = Data;
    (void)Record;
    assert_int_equal(Reason, KbCallbackSecondaryDumpData);
    assert_int_equal(Length, sizeof *data);
    assert_true(data->MaximumAllowed >= 16 && data->InBufferLength >= 16);
    mark(data->OutBuffer == NULL ? 'q' : 'd');
    if (data->OutBuffer != NULL)
        memcpy(data->OutBuffer, "secondary bytes!", 16);
    else
        data->OutBuffer = data->InBuffer;
    data->Guid = (GUID){ 0x12345678, 0x9abc, 0xdef0, { 0 } };
    data->OutBufferLength = 16;
}

static VOID watches_the_dump(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data, ULONG Length)
{
    KBUGCHECK_DUMP_IO *io = Data;
    (void)Record;
    assert_int_equal(Reason, KbCallbackDumpIo);
    assert_int_equal(Length, sizeof *io);
    assert_true(io->Offset == UINT64_MAX);
    assert_in_range(io->Type, KbDumpIoHeader, KbDumpIoComplete);
    if (io->Type == KbDumpIoHeader)
        assert_non_null(memchr(io->Buffer, '*', io->BufferLength));
    if (io->Type == KbDumpIoBody)
        dump_io_bytes = io->BufferLength;
    if (io->Type == KbDumpIoSecondaryData)
        assert_memory_equal(io->Buffer, "secondary bytes!", 16);
    if (io->Type == KbDumpIoComplete)
        assert_true(io->Buffer == NULL && io->BufferLength == 0);
    dump_io_calls[io->Type]++;
}

static VOID never_called(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data, ULONG Length)
{
    (void)Reason;
    (void)Record;
    (void)Data;
    (void)Length;
    mark('!');
}

static void reason_callbacks_write_the_dump(void **state)
{
    static const struct {
        PKBUGCHECK_REASON_CALLBACK_ROUTINE routine;
        KBUGCHECK_CALLBACK_REASON          reason;
    } rows[] = { { secondary, KbCallbackSecondaryDumpData },
                 { watches_the_dump, KbCallbackDumpIo },
                 { adds_pages, KbCallbackAddPages },
                 { never_called, KbCallbackTriageDumpData } };
    static KBUGCHECK_REASON_CALLBACK_RECORD records[4];
    (void)state;
    memset(trail, 0, sizeof trail);
    memset(dump_io_calls, 0, sizeof dump_io_calls);
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        KeInitializeCallbackRecord(&records[i]);
        assert_true(KeRegisterBugCheckReasonCallback(&records[i], rows[i].routine, rows[i].reason, (PUCHAR)(uintptr_t) "dumper"));
    }
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    assert_string_equal(trail, "ppqd");
    for (int type = KbDumpIoHeader; type <= KbDumpIoComplete; type++)
        assert_int_equal(dump_io_calls[type], 1);
    assert_true(dump_io_bytes > 200);
    assert_report_has("adds 3 pages at physical address 0x7000");
    assert_report_has("{12345678-9abc-def0} 16 bytes");
    assert_report_has("triage data of \"dumper\"");
    assert_int_equal(records[0].State, BufferFinished);
}

static void reserved_reasons_are_refused(void **state)
{
    KBUGCHECK_REASON_CALLBACK_RECORD record;
    (void)state;
    KeInitializeCallbackRecord(&record);
    assert_false(KeRegisterBugCheckReasonCallback(&record, never_called, KbCallbackInvalid, NULL));
    assert_false(KeRegisterBugCheckReasonCallback(&record, never_called, KbCallbackReserved1, NULL));
    assert_false(KeRegisterBugCheckReasonCallback(&record, never_called, KbCallbackReserved2, NULL));
    assert_true(KeRegisterBugCheckReasonCallback(&record, never_called, KbCallbackDumpIo, NULL));
    assert_true(KeDeregisterBugCheckReasonCallback(&record));
    assert_false(KeDeregisterBugCheckReasonCallback(&record));
}

/* ---- raising, and the IRQL rule ---- */

static void raise_status(void *status) { ExRaiseStatus((NTSTATUS)(uintptr_t)status); }
static void raise_access_violation(void *context)
{
    (void)context;
    ExRaiseAccessViolation();
}
static void raise_misalignment(void *context)
{
    (void)context;
    ExRaiseDatatypeMisalignment();
}

static void raised_exceptions_are_unhandled(void **state)
{
    static const struct {
        void (*body)(void *);
        NTSTATUS status;
    } rows[] = { { raise_status, STATUS_INSUFFICIENT_RESOURCES },
                 { raise_access_violation, STATUS_ACCESS_VIOLATION },
                 { raise_misalignment, STATUS_DATATYPE_MISALIGNMENT } };
    ntmm_bugcheck stop;
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        assert_true(ntmm_catch_bugcheck(rows[i].body, CODE((uint32_t)rows[i].status), &stop));
        assert_int_equal(stop.code, KMODE_EXCEPTION_NOT_HANDLED);
        assert_true(stop.parameter[0] == (uintptr_t)(intptr_t)rows[i].status); /* sign-extended */
        assert_int_not_equal(stop.parameter[1], 0);
        assert_int_equal(stop.parameter[2] | stop.parameter[3], 0);
        reboot();
    }
}

static void raise_as_system(void *context)
{
    assert_non_null(ke_thread_ready(__func__));
    ke_self()->is_system = 1;
    raise_status(context);
}

static void raise_in_system_thread(void *context) { ke_system_thread_guard(raise_as_system, context); }

static void run_raising_system_thread(void *context)
{
    host_thread_t *thread;
    assert_int_equal(host_thread_start(&thread, raise_in_system_thread, context), 0);
    host_thread_join(thread);
}

static void exception_in_a_system_thread(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(run_raising_system_thread, CODE((uint32_t)STATUS_UNSUCCESSFUL), &stop));
    assert_int_equal(stop.code, SYSTEM_THREAD_EXCEPTION_NOT_HANDLED);
    assert_true(stop.parameter[0] == (uintptr_t)(intptr_t)STATUS_UNSUCCESSFUL);
    assert_int_not_equal(stop.parameter[2], 0); /* an exception record */
}

static __attribute__((noinline)) void wants_passive_level(void) { KE_REQUIRE_IRQL(PASSIVE_LEVEL); }

static void call_too_high(void *context)
{
    KIRQL old;
    (void)context;
    wants_passive_level();
    KeRaiseIrql(APC_LEVEL, &old);
    wants_passive_level();
}

static void irql_rule(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(call_too_high, NULL, &stop));
    assert_int_equal(stop.code, IRQL_NOT_LESS_OR_EQUAL);
    assert_in_range(stop.parameter[0], (uintptr_t)wants_passive_level, (uintptr_t)wants_passive_level + 512);
    assert_int_equal(stop.parameter[1], APC_LEVEL);
    assert_int_equal(stop.parameter[2], 8);
    assert_in_range(stop.parameter[3], (uintptr_t)call_too_high, (uintptr_t)call_too_high + 512);
    assert_report_has("wants_passive_level");
}

/* ---- report, names ---- */

static bool describe_magic(uintptr_t address, char *line, size_t bytes)
{
    if (address != 0x1234500)
        return false;
    snprintf(line, bytes, "a place that only the test knows");
    return true;
}

static bool describe_and_stop(uintptr_t address, char *line, size_t bytes)
{
    (void)line;
    (void)bytes;
    if (address == 0x6660000)
        stop_with(CODE(0x666)); /* as a fault in a damaged structure would */
    return false;
}

static void report_wrong_tag(void *context)
{
    ke_bugcheck("ExFreePoolWithTag", "the tags differ", BAD_POOL_CALLER, 0x0A, (uintptr_t)context, NTMM_TAG("Abcd"), NTMM_TAG("Wxyz"));
}

static void report_reads_well(void **state)
{
    const uintptr_t    caller = (uintptr_t)report_wrong_tag;
    host_source_line_t line;
    (void)state;
    ke_describe_register(describe_magic);
    ke_describe_register(describe_magic);
    assert_true(ntmm_catch_bugcheck(report_wrong_tag, CODE(0x1234500), NULL));
    assert_report_has("*** STOP 0x000000C2 BAD_POOL_CALLER");
    assert_report_has("ExFreePoolWithTag: the tags differ");
    assert_report_has("0 (PASSIVE_LEVEL)");
    assert_report_has("tag at allocation");
    assert_report_has("'Abcd'");
    assert_report_has("'Wxyz'");
    assert_report_has("a place that only the test knows");
    assert_report_has("Where it happened");
    host_source_lines(&caller, 1, &line);
    if (line.text[0] != '\0') /* the host can tell */
        assert_report_has("  test_ke_bugcheck.c:");
    assert_report_has("What the driver probably did wrong");
}

static VOID says_nothing(PVOID Buffer, ULONG Length)
{
    (void)Buffer;
    (void)Length;
}

/* More callbacks than the report has room for: what does not fit is left out line by line, and the report says so. */
static void a_full_report_ends_with_a_whole_line(void **state)
{
    enum { RECORDS = 400 };
    static KBUGCHECK_CALLBACK_RECORD records[RECORDS];
    static const char                component[] = "a driver whose name is long enough to fill the report's buffer";
    static const char                end[] = "\n  (the report ends here: there is no room for more)\n";
    static char                      line[128];
    const char                      *report, *last;
    size_t                           length;
    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        KeInitializeCallbackRecord(&records[i]);
        assert_true(KeRegisterBugCheckCallback(&records[i], says_nothing, NULL, 0, (PUCHAR)(uintptr_t)component));
    }
    assert_true(ntmm_catch_bugcheck(stop_with, CODE(0xE2), NULL));
    report = ntmm_stop_report();
    length = strlen(report);
    assert_true(length > sizeof end);
    assert_string_equal(report + length - strlen(end), end);
    snprintf(line, sizeof line, "\n  callback of \"%s\"", component);
    last = report + length - strlen(end) - strlen(line);
    assert_int_equal(strncmp(last, line, strlen(line)), 0);
    assert_report_has("What the driver probably did wrong");      /* comes before the callbacks */
    assert_int_equal(records[RECORDS - 1].State, BufferFinished); /* told of or not, all are called */
}

static void stop_while_describing_is_contained(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    ke_describe_register(describe_and_stop);
    assert_true(ntmm_catch_bugcheck(report_wrong_tag, CODE(0x6660000), &stop));
    assert_int_equal(stop.code, BAD_POOL_CALLER);
    assert_report_has("0x666");
    assert_report_has("What the driver probably did wrong");
}

static void every_common_stop_has_words(void **state)
{
    static const struct {
        uint32_t  code;
        uintptr_t p1, p4;
    } rows[] = {
        { 0x9, 0, 0 },
        { 0xA, 0, 0 },
        { 0xF, 0, 0 },
        { 0x10, 0, 0 },
        { 0x19, 0x20, 0 },
        { 0x19, 0x21, 0 },
        { 0x1E, 0xFFFFFFFFC0000005u, 0 },
        { 0x41, 0, 0 },
        { 0x4E, 0x7, 0 },
        { 0x4E, 0x99, 0 },
        { 0x4E, 0x9A, 0 },
        { 0x50, 0, 0 },
        { 0x50, 0, 2 },
        { 0x50, 0, 4 },
        { 0x7E, 0, 0 },
        { 0x7F, 8, 0 },
        { 0xBE, 0, 0 },
        { 0xC2, 0x07, 0 },
        { 0xC2, 0x08, 0 },
        { 0xC2, 0x09, 0 },
        { 0xC2, 0x0A, 0 },
        { 0xC2, 0x46, 0 },
        { 0xC2, 0x60, 0 },
        { 0xC2, 0x99, 0 },
        { 0xC2, 0x9A, 0 },
        { 0xC2, 0x9B, 0 },
        { 0xC2, 0x9C, 0 },
        { 0xC2, 0x9D, 0 },
        { 0xC5, 0, 0 },
        { 0xC8, 0, 0 },
        { 0xD1, 0, 0 },
        { 0xFC, 0, 0 },
        { 0x139, 3, 0 },
        { 0xE2, 0, 0 },
        { 0x76, 0, 0 },
        { 0xE6, 0x05, 0 },
        { 0xE6, 0x18, 0 },
        { 0x1DC, 2, 0 },
        { 0x20, 0, 0 },
        { 0x94, 0, 0 },
        { 0xD9, 1, 0 },
        { 0xE1, 0, 0 },
        { 0xE4, 0, 0 },
        { 0xE4, 1, 0 },
        { 0xC4, 0x00, 0 },
        { 0xC4, 0xB0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        ntmm_bugcheck         check = { .code = rows[i].code, .parameter = { rows[i].p1, 0, 0, rows[i].p4 } };
        const ke_stop_text_t *text = ke_stop_text(&check);
        assert_non_null(text);
        assert_int_equal(text->code, rows[i].code);
        assert_non_null(text->advice);
    }
}

static const struct code_row {
    uint32_t    code;
    const char *name;
} CODES[] = {
    { 0x09, "IRQL_NOT_GREATER_OR_EQUAL" },
    { 0x0A, "IRQL_NOT_LESS_OR_EQUAL" },
    { 0x0F, "SPIN_LOCK_ALREADY_OWNED" },
    { 0x10, "SPIN_LOCK_NOT_OWNED" },
    { 0x10D, "WDF_VIOLATION" },
    { 0x127, "PAGE_NOT_ZERO" },
    { 0x12E, "INVALID_MDL_RANGE" },
    { 0x139, "KERNEL_SECURITY_CHECK_FAILURE" },
    { 0x13A, "KERNEL_MODE_HEAP_CORRUPTION" },
    { 0x17E, "MICROCODE_REVISION_MISMATCH" },
    { 0x18B, "SECURE_KERNEL_ERROR" },
    { 0x18D, "SECURE_FAULT_UNHANDLED" },
    { 0x19, "BAD_POOL_HEADER" },
    { 0x1A, "MEMORY_MANAGEMENT" },
    { 0x1C, "PFN_REFERENCE_COUNT" },
    { 0x1E, "KMODE_EXCEPTION_NOT_HANDLED" },
    { 0x3F, "NO_MORE_SYSTEM_PTES" },
    { 0x40, "TARGET_MDL_TOO_SMALL" },
    { 0x41, "MUST_SUCCEED_POOL_EMPTY" },
    { 0x4D, "NO_PAGES_AVAILABLE" },
    { 0x4E, "PFN_LIST_CORRUPT" },
    { 0x50, "PAGE_FAULT_IN_NONPAGED_AREA" },
    { 0x76, "PROCESS_HAS_LOCKED_PAGES" },
    { 0x7E, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED" },
    { 0x7F, "UNEXPECTED_KERNEL_MODE_TRAP" },
    { 0xBE, "ATTEMPTED_WRITE_TO_READONLY_MEMORY" },
    { 0xC1, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION" },
    { 0xC2, "BAD_POOL_CALLER" },
    { 0xC4, "DRIVER_VERIFIER_DETECTED_VIOLATION" },
    { 0xC5, "DRIVER_CORRUPTED_EXPOOL" },
    { 0xC6, "DRIVER_CAUGHT_MODIFYING_FREED_POOL" },
    { 0xC7, "TIMER_OR_DPC_INVALID" },
    { 0xC8, "IRQL_UNEXPECTED_VALUE" },
    { 0xCB, "DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS" },
    { 0xCC, "PAGE_FAULT_IN_FREED_SPECIAL_POOL" },
    { 0xCD, "PAGE_FAULT_BEYOND_END_OF_ALLOCATION" },
    { 0xCE, "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS" },
    { 0xD0, "DRIVER_CORRUPTED_MMPOOL" },
    { 0xD1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL" },
    { 0xD3, "DRIVER_PORTION_MUST_BE_NONPAGED" },
    { 0xD4, "SYSTEM_SCAN_AT_RAISED_IRQL_CAUGHT_IMPROPER_DRIVER_UNLOAD" },
    { 0xD5, "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL" },
    { 0xD6, "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION" },
    { 0xD7, "DRIVER_UNMAPPING_INVALID_VIEW" },
    { 0xD8, "DRIVER_USED_EXCESSIVE_PTES" },
    { 0xD9, "LOCKED_PAGES_TRACKER_CORRUPTION" },
    { 0xDA, "SYSTEM_PTE_MISUSE" },
    { 0xDB, "DRIVER_CORRUPTED_SYSPTES" },
    { 0xDE, "POOL_CORRUPTION_IN_FILE_AREA" },
    { 0xE2, "MANUALLY_INITIATED_CRASH" },
    { 0xE6, "DRIVER_VERIFIER_DMA_VIOLATION" },
    { 0xFC, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY" },
};

static void names_are_right(void **state)
{
    uint32_t named = 0;
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(CODES); i++)
        assert_string_equal(ntmm_bugcheck_name(CODES[i].code), CODES[i].name);
    assert_string_equal(ntmm_bugcheck_name(0), "UNKNOWN");
    assert_string_equal(ntmm_bugcheck_name(UINT32_MAX), "UNKNOWN");
    for (uint32_t code = 0; code < 0x400; code++)
        named += strcmp(ntmm_bugcheck_name(code), "UNKNOWN") != 0;
    assert_true(named > 250); /* all of the table is found, so it is sorted */
}

/* Every parameter that the reference gives a meaning. Five pages give none: they say "reserved", "unused" or nothing. */
static void parameters_have_a_meaning(void **state)
{
    static const uint32_t without[] = { PFN_REFERENCE_COUNT, TARGET_MDL_TOO_SMALL, POOL_CORRUPTION_IN_FILE_AREA, MANUALLY_INITIATED_CRASH,
                                        SECURE_KERNEL_ERROR };
    static const struct {
        uint32_t  code;
        uintptr_t p1;
        bool      has[4];
    } rows[] = {
        { DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS, 1, { true, false, true, true } },
        { DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS, 1, { true, true, true, false } },
        { SYSTEM_SCAN_AT_RAISED_IRQL_CAUGHT_IMPROPER_DRIVER_UNLOAD, 1, { true, true, true, true } },
        { DRIVER_USED_EXCESSIVE_PTES, 0, { true, true, true, true } },
        { DRIVER_CORRUPTED_SYSPTES, 1, { true, true, true, true } },
        { KERNEL_MODE_HEAP_CORRUPTION, 3, { true, true, true, false } },
        { MICROCODE_REVISION_MISMATCH, 1, { true, true, true, true } },
        { SECURE_FAULT_UNHANDLED, 1, { true, true, true, true } },
        { TIMER_OR_DPC_INVALID, 2, { true, true, true, true } },
        { TIMER_OR_DPC_INVALID, 5, { true, true, true, true } },
        { IRQL_UNEXPECTED_VALUE, 0, { true, true, true, false } },
    };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(CODES); i++) {
        ntmm_bugcheck         check = { .code = CODES[i].code, .parameter = { 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF } };
        const ke_stop_text_t *text = ke_stop_text(&check);
        bool                  silent = false;
        for (size_t k = 0; k < NTMM_ARRAY_COUNT(without); k++)
            silent = silent || CODES[i].code == without[k];
        if (text == NULL)
            print_error("0x%X %s has no text\n", CODES[i].code, CODES[i].name);
        assert_non_null(text);
        assert_true(silent || text->parameter[0] != NULL);
    }
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(rows); i++) {
        ntmm_bugcheck         check = { .code = rows[i].code, .parameter = { rows[i].p1 } };
        const ke_stop_text_t *text = ke_stop_text(&check);
        assert_non_null(text);
        for (unsigned k = 0; k < 4; k++)
            assert_int_equal(text->parameter[k] != NULL, rows[i].has[k]);
    }
}

static void errors_belong_to_the_call(void **state)
{
    (void)state;
    assert_int_equal(ke_error(-5, "reason %d", 7), -5);
    assert_string_equal(ntmm_error(), "reason 7");
}

#define ON_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, machine_up, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(catch_before_boot_covers_the_boot),
        cmocka_unit_test(uncaught_stop_aborts_with_a_report),
        cmocka_unit_test(quiet_stop_prints_nothing),
        cmocka_unit_test(quiet_report_is_printed_before_the_process_dies_of_it),
        cmocka_unit_test(stale_frame_does_not_catch),
        cmocka_unit_test(catch_of_an_ended_thread_does_not_count),
        ON_A_MACHINE(catch_gives_code_and_parameters),
        ON_A_MACHINE(catch_of_a_quiet_body_is_false),
        ON_A_MACHINE(plain_form_has_zero_parameters),
        ON_A_MACHINE(irql_of_the_stop_stays_to_be_seen),
        ON_A_MACHINE(innermost_catch_has_it),
        ON_A_MACHINE(first_stop_wins),
        ON_A_MACHINE(halted_machine_refuses),
        ON_A_MACHINE(boot_forgets_the_report),
        ON_A_MACHINE(stale_frames_are_skipped),
        ON_A_MACHINE(same_frame_again),
        ON_A_MACHINE(pop_out_of_order),
        ON_A_MACHINE(frames_of_another_stack),
        ON_A_MACHINE(system_thread_ends_and_the_catch_tells),
        ON_A_MACHINE(thread_without_a_catch_ends),
        ON_A_MACHINE(all_threads_get_the_one_stop),
        ON_A_MACHINE(wait_on_a_halted_machine_is_left),
        ON_A_MACHINE(callbacks_run_in_order_and_are_reported),
        ON_A_MACHINE(callbacks_run_at_high_level_on_any_thread),
        ON_A_MACHINE(shutdown_waits_for_the_report),
        ON_A_MACHINE(report_left_by_longjmp_is_over),
        ON_A_MACHINE(a_callback_cannot_shut_down),
        ON_A_MACHINE(stop_inside_a_callback_does_not_recurse),
        ON_A_MACHINE(deregistered_callback_is_not_called),
        ON_A_MACHINE(damaged_record_is_not_called),
        ON_A_MACHINE(freed_record_ends_the_walk),
        ON_A_MACHINE(boot_forgets_callbacks),
        ON_A_MACHINE(reason_callbacks_write_the_dump),
        ON_A_MACHINE(reserved_reasons_are_refused),
        ON_A_MACHINE(raised_exceptions_are_unhandled),
        ON_A_MACHINE(exception_in_a_system_thread),
        ON_A_MACHINE(irql_rule),
        ON_A_MACHINE(report_reads_well),
        ON_A_MACHINE(a_full_report_ends_with_a_whole_line),
        ON_A_MACHINE(stop_while_describing_is_contained),
        cmocka_unit_test(every_common_stop_has_words),
        cmocka_unit_test(names_are_right),
        cmocka_unit_test(parameters_have_a_meaning),
        cmocka_unit_test(errors_belong_to_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
