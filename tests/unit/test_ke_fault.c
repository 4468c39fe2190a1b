/*
 * test_ke_fault.c - which fault stops the machine, with which code and parameters, and which is none of its business.
 * The touches below are made through volatile pointers that no sanitizer checks, because the fault is what is wanted.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/catch.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined", "thread")))

static int machine_up(void **state)
{
    static const ntmm_config quiet = { .quiet = true };
    (void)state;
    ntmm_catch_pop(NULL);
    if (ntmm_boot(&quiet) != 0)
        return -1;
    ntmm_rearm_faults(); /* the test framework has its own handlers around each test */
    return 0;
}
static int machine_down(void **state)
{
    (void)state;
    ntmm_catch_pop(NULL);
    return ntmm_shutdown(NULL) == SIZE_MAX ? -1 : 0;
}

/* ---- ways to touch an address ---- */

UNCHECKED static void read_at(void *address) { (void)*(volatile unsigned char *)address; }
UNCHECKED static void write_at(void *address) { *(volatile unsigned char *)address = 1; }
UNCHECKED static void call_at(void *address)
{
    void (*volatile function)(void) = (void (*)(void))(uintptr_t)address;
    function();
}
static void at_dispatch(void (*touch)(void *), void *address)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    touch(address);
}
static void read_at_dispatch(void *address) { at_dispatch(read_at, address); }
static void write_at_dispatch(void *address) { at_dispatch(write_at, address); }
static void call_at_dispatch(void *address) { at_dispatch(call_at, address); }

#define WILD 0x00006123456789a0u /* an address that no host hands out */
#define NON_CANONICAL 0x6b6b6b6b6b6b6b60u
#define UNHANDLED 0xFFFFFFFFC0000005u
#define ANYTHING 0xA11A11A11A11A11Au /* an instruction's address */

static const struct fault_row {
    const char *name;
    void (*touch)(void *);
    uintptr_t address;
    uint32_t  code;
    uintptr_t parameter[4];
    uint8_t   irql;
} ROWS[] = {
    { "read NULL", read_at, 0, KMODE_EXCEPTION_NOT_HANDLED, { UNHANDLED, ANYTHING, 0, 0 }, PASSIVE_LEVEL },
    { "write a field of NULL", write_at, 0x18, KMODE_EXCEPTION_NOT_HANDLED, { UNHANDLED, ANYTHING, 1, 0x18 }, PASSIVE_LEVEL },
    { "call NULL", call_at, 0, KMODE_EXCEPTION_NOT_HANDLED, { UNHANDLED, 0, 8, 0 }, PASSIVE_LEVEL },
    { "last user byte", read_at, 0xFFFF, KMODE_EXCEPTION_NOT_HANDLED, { UNHANDLED, ANYTHING, 0, 0xFFFF }, PASSIVE_LEVEL },
    { "read a wild address", read_at, WILD, PAGE_FAULT_IN_NONPAGED_AREA, { WILD, 0, ANYTHING, 2 }, PASSIVE_LEVEL },
    { "write a wild address", write_at, WILD, PAGE_FAULT_IN_NONPAGED_AREA, { WILD, 2, ANYTHING, 2 }, PASSIVE_LEVEL },
    { "call a wild address", call_at, WILD, PAGE_FAULT_IN_NONPAGED_AREA, { WILD, 0x10, WILD, 2 }, PASSIVE_LEVEL },
    { "read NULL at DISPATCH_LEVEL", read_at_dispatch, 0x10, DRIVER_IRQL_NOT_LESS_OR_EQUAL, { 0x10, 2, 0, ANYTHING }, DISPATCH_LEVEL },
    { "write wild at DISPATCH_LEVEL", write_at_dispatch, WILD, DRIVER_IRQL_NOT_LESS_OR_EQUAL, { WILD, 2, 1, ANYTHING }, DISPATCH_LEVEL },
    { "call wild at DISPATCH_LEVEL", call_at_dispatch, WILD, DRIVER_IRQL_NOT_LESS_OR_EQUAL, { WILD, 2, 8, WILD }, DISPATCH_LEVEL },
};

static void row_stops(void **state)
{
    const struct fault_row *row = *state;
    ntmm_bugcheck           stop;

    assert_true(ntmm_catch_bugcheck(row->touch, (void *)row->address, &stop));
    assert_int_equal(stop.code, row->code);
    assert_int_equal(stop.irql, row->irql);
    for (int i = 0; i < 4; i++) {
        if (row->parameter[i] != ANYTHING)
            assert_int_equal(stop.parameter[i], row->parameter[i]);
        else
            assert_in_range(stop.parameter[i], 0x10000, UINT64_C(0x7fffffffffff));
    }
}

static int row_up(void **state) { return machine_up(state); }

/* A kind of access as Windows of the time counted it; who was to execute looked like a reader. */
static void before_windows_10_there_were_two_kinds(void **state)
{
    static const ntmm_config old = { .quiet = true, .windows_version = NTDDI_WINBLUE };
    static void (*const touches[])(void *) = { read_at, write_at, call_at };
    (void)state;
    for (unsigned i = 0; i < NTMM_ARRAY_COUNT(touches); i++) {
        ntmm_bugcheck stop;
        machine_down(NULL);
        assert_int_equal(ntmm_boot(&old), 0);
        ntmm_rearm_faults();
        assert_true(ntmm_catch_bugcheck(touches[i], (void *)WILD, &stop));
        assert_int_equal(stop.code, PAGE_FAULT_IN_NONPAGED_AREA);
        assert_int_equal(stop.parameter[1], i == 1);
        machine_down(NULL);
        assert_int_equal(ntmm_boot(&old), 0);
        ntmm_rearm_faults();
        assert_true(ntmm_catch_bugcheck(touches[i], MM_BAD_POINTER, &stop)); /* an address of the machine's own */
        assert_int_equal(stop.code, PAGE_FAULT_IN_NONPAGED_AREA);
        assert_int_equal(stop.parameter[1], i == 1);
    }
}

#if defined(__x86_64__)
static void non_canonical_address(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    assert_true(ntmm_catch_bugcheck(read_at, (void *)NON_CANONICAL, &stop));
    assert_int_equal(stop.code, PAGE_FAULT_IN_NONPAGED_AREA);
    assert_int_equal(stop.parameter[1], 0);
    assert_int_equal(stop.parameter[3], 4);
}
#endif

static void report_names_the_place(void **state)
{
    (void)state;
    assert_true(ntmm_catch_bugcheck(write_at, (void *)8, NULL));
    assert_non_null(strstr(ntmm_stop_report(), "KMODE_EXCEPTION_NOT_HANDLED"));
    assert_non_null(strstr(ntmm_stop_report(), "instruction"));
    assert_non_null(strstr(ntmm_stop_report(), "#1")); /* the calls that led there, seen from inside the handler */
    assert_non_null(strstr(ntmm_stop_report(), "NULL"));
}

static void signal_mask_is_as_before(void **state)
{
    sigset_t before, after;
    (void)state;
    sigprocmask(SIG_BLOCK, NULL, &before);
    for (int i = 0; i < 3; i++) {
        assert_true(ntmm_catch_bugcheck(read_at, (void *)8, NULL));
        machine_down(NULL);
        assert_int_equal(machine_up(NULL), 0);
    }
    sigprocmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGSEGV), sigismember(&before, SIGSEGV));
    assert_int_equal(sigismember(&after, SIGSEGV), 0);
}

static void outside_every_catch(void) { read_at((void *)8); }
static void no_machine(void)
{
    machine_down(NULL);
    ntmm_catch_bugcheck(read_at, (void *)8, NULL);
}
static void uncaught_wild(void) { write_at((void *)WILD); }

static int in_a_child(void (*body)(void))
{
    int   status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        close(STDERR_FILENO);
        if (machine_up(NULL) != 0)
            _exit(9);
        signal(SIGSEGV, SIG_DFL);
        ntmm_rearm_faults();
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void other_faults_go_to_whom_they_belong(void **state)
{
    static void (*const bodies[])(void) = { outside_every_catch, no_machine, uncaught_wild };
    (void)state;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(bodies); i++) {
        int status = in_a_child(bodies[i]);
#ifdef SANITIZED
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); /* the sanitizer's own handler ends the process */
#else
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
#endif
    }
}

static void *fault_on_a_new_thread(void *unused)
{
    ntmm_bugcheck stop;
    (void)unused;
    bool caught = ntmm_catch_bugcheck(read_at, (void *)8, &stop); /* the thread has never called a driver routine */
    return (void *)(uintptr_t)(caught && stop.code == KMODE_EXCEPTION_NOT_HANDLED && stop.irql == PASSIVE_LEVEL);
}

static void thread_without_a_record(void **state)
{
    pthread_t thread;
    void     *good = NULL;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, fault_on_a_new_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &good), 0);
    assert_ptr_equal(good, (void *)1);
}

static void many_threads_fault_at_once(void **state)
{
    enum { THREADS = 8 };
    (void)state;
    for (int round = 0; round < 10; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, fault_on_a_new_thread, NULL), 0);
        for (int i = 0; i < THREADS; i++) {
            void *good = NULL;
            assert_int_equal(pthread_join(threads[i], &good), 0);
            assert_ptr_equal(good, (void *)1);
        }
        machine_down(NULL);
        assert_int_equal(machine_up(NULL), 0);
    }
}

/* ---- inside a callback ---- */

static VOID faults(PVOID Buffer, ULONG Length)
{
    (void)Length;
    read_at(Buffer);
}

static void stop_plainly(void *unused)
{
    (void)unused;
    KeBugCheckEx(0xE2, 1, 2, 3, 4);
}

static void fault_in_a_callback_is_contained(void **state)
{
    KBUGCHECK_CALLBACK_RECORD record;
    ntmm_bugcheck             stop;
    (void)state;
    KeInitializeCallbackRecord(&record);
    assert_true(KeRegisterBugCheckCallback(&record, faults, (PVOID)WILD, 16, (PUCHAR)(uintptr_t) "faulty"));
    assert_true(ntmm_catch_bugcheck(stop_plainly, NULL, &stop));
    assert_int_equal(stop.code, 0xE2);
    assert_int_equal(record.State, BufferIncomplete);
    assert_non_null(strstr(ntmm_stop_report(), "DRIVER_IRQL_NOT_LESS_OR_EQUAL")); /* callbacks run at HIGH_LEVEL */
}

/* ---- what a region's owner answers ---- */

static unsigned char *page;
static ke_lock_t      region_lock = KE_LOCK_INIT(KE_RANK_MM_PFN);

static ke_fault_answer_t open_the_page(ke_thread_t *thread, const host_fault_t *fault)
{
    (void)thread;
    if (fault->address - (uintptr_t)page >= 4096)
        return KE_FAULT_UNKNOWN;
    mprotect(page, host_page_size(), PROT_READ | PROT_WRITE);
    return KE_FAULT_RESOLVED;
}

static ke_fault_answer_t refuse_the_page(ke_thread_t *thread, const host_fault_t *fault)
{
    if (fault->address - (uintptr_t)page >= 4096)
        return KE_FAULT_UNKNOWN;
    thread->fault_code = ATTEMPTED_WRITE_TO_READONLY_MEMORY;
    for (uintptr_t i = 0; i < 4; i++)
        thread->fault_parameter[i] = fault->address + i;
    return KE_FAULT_BUGCHECK;
}

static ke_fault_answer_t wait_for_the_lock(ke_thread_t *thread, const host_fault_t *fault)
{
    (void)thread;
    (void)fault;
    ke_lock(&region_lock);
    ke_unlock(&region_lock);
    return KE_FAULT_UNKNOWN;
}

static int region_up(void **state)
{
    if (machine_up(state) != 0)
        return -1;
    page = mmap(NULL, host_page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}
static int region_down(void **state)
{
    munmap(page, host_page_size());
    ke_lock_init(&region_lock, KE_RANK_MM_PFN);
    return machine_down(state);
}

static void resolved_fault_goes_on(void **state)
{
    (void)state;
    ke_fault_resolver = open_the_page;
    write_at(page + 5); /* in no catch, and none is needed */
    assert_int_equal(page[5], 1);
    assert_string_equal(ntmm_stop_report(), "");
}

static void broken_rule_stops_with_its_parameters(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    ke_fault_resolver = refuse_the_page;
    assert_true(ntmm_catch_bugcheck(write_at, page + 5, &stop));
    assert_int_equal(stop.code, ATTEMPTED_WRITE_TO_READONLY_MEMORY);
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(stop.parameter[i], (uintptr_t)page + 5 + i);
}

static void touch_region_uncaught(void)
{
    ke_fault_resolver = refuse_the_page;
    write_at(page + 5);
}

static void broken_rule_outside_a_catch_aborts(void **state)
{
    int status;
    (void)state;
    status = in_a_child(touch_region_uncaught);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void *touch_uncaught(void *unused)
{
    (void)unused;
    write_at(page + 5);
    return NULL;
}
static void run_uncaught_thread(void *unused)
{
    pthread_t thread;
    (void)unused;
    assert_int_equal(pthread_create(&thread, NULL, touch_uncaught, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0); /* it ends, though its stack was cut by the handler */
}

static void thread_without_a_catch_ends_at_its_fault(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    ke_fault_resolver = refuse_the_page;
    assert_true(ntmm_catch_bugcheck(run_uncaught_thread, NULL, &stop));
    assert_int_equal(stop.code, ATTEMPTED_WRITE_TO_READONLY_MEMORY);
}

static bool  caught_in_thread;
static void *touch_while_locked(void *unused)
{
    (void)unused;
    caught_in_thread = ntmm_catch_bugcheck(read_at, page, NULL);
    return NULL;
}

static void handler_leaves_the_lock_of_a_halted_machine(void **state)
{
    pthread_t thread;
    sigset_t  mask;
    (void)state;
    ke_fault_resolver = wait_for_the_lock;
    ke_lock(&region_lock);
    assert_int_equal(pthread_create(&thread, NULL, touch_while_locked, NULL), 0);
    while (atomic_load(&region_lock.word) != 2) /* it sleeps in the handler */
        host_sleep_ns(100000);
    assert_true(ntmm_catch_bugcheck(stop_plainly, NULL, NULL));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(caught_in_thread);
    sigprocmask(SIG_BLOCK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGSEGV), 0);
}

/* ---- the stack ---- */

#ifndef SANITIZED
static volatile size_t                  deepest = SIZE_MAX;
static __attribute__((noinline)) size_t recurse(size_t depth)
{
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == deepest ? 0 : recurse(depth + 1) + (size_t)frame[0];
}
static void overflow(void *unused)
{
    (void)unused;
    recurse(0);
}

static void stack_overflow_is_a_double_fault(void **state)
{
    ntmm_bugcheck stop;
    (void)state;
    for (int i = 0; i < 2; i++) { /* the emergency stack serves each machine once */
        assert_true(ntmm_catch_bugcheck(overflow, NULL, &stop));
        assert_int_equal(stop.code, UNEXPECTED_KERNEL_MODE_TRAP);
        assert_int_equal(stop.parameter[0], 8);
        machine_down(NULL);
        assert_int_equal(machine_up(NULL), 0);
    }
}
#endif

int main(void)
{
    static struct CMUnitTest tests[NTMM_ARRAY_COUNT(ROWS) + 32];
    const struct CMUnitTest  others[] = {
         cmocka_unit_test(other_faults_go_to_whom_they_belong),
#if defined(__x86_64__)
        cmocka_unit_test_setup_teardown(non_canonical_address, machine_up, machine_down),
#endif
        cmocka_unit_test_setup_teardown(before_windows_10_there_were_two_kinds, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(report_names_the_place, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(signal_mask_is_as_before, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(thread_without_a_record, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(many_threads_fault_at_once, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(fault_in_a_callback_is_contained, machine_up, machine_down),
        cmocka_unit_test_setup_teardown(resolved_fault_goes_on, region_up, region_down),
        cmocka_unit_test_setup_teardown(broken_rule_stops_with_its_parameters, region_up, region_down),
        cmocka_unit_test_setup_teardown(broken_rule_outside_a_catch_aborts, region_up, region_down),
        cmocka_unit_test_setup_teardown(thread_without_a_catch_ends_at_its_fault, region_up, region_down),
        cmocka_unit_test_setup_teardown(handler_leaves_the_lock_of_a_halted_machine, region_up, region_down),
#ifndef SANITIZED
        cmocka_unit_test_setup_teardown(stack_overflow_is_a_double_fault, machine_up, machine_down),
#endif
    };
    size_t count = 0;

    for (; count < NTMM_ARRAY_COUNT(ROWS); count++)
        tests[count] = (struct CMUnitTest){ ROWS[count].name, row_stops, row_up, machine_down, (void *)(uintptr_t)&ROWS[count] };
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(others); i++)
        tests[count++] = others[i];
    return _cmocka_run_group_tests("test_ke_fault", tests, count, NULL, NULL);
}
